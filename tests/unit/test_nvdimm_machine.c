/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine with a real NVDIMM on a file: what resets, dumps and saved states do with it. */
#include "tests/unit/reset_host.h"
#include "tests/unit/tmpdir.h"

#include <firmem/dump.h>
#include <firmem/nvdimm.h>
#include <firmem/space.h>

#include <errno.h>

#define PMEM (16 * PAGE)
#define LABELS (2 * PAGE)
#define POISON (3 * PAGE)

struct host_file {
	struct fm_io_ops ops;
	struct fm_io io;
	unsigned syncs;
	bool fail;
};

static int count_msync(void *ctx, void *addr, size_t len)
{
	struct host_file *f = ctx;

	f->syncs++;
	return f->fail ? -EIO : fm_io_posix()->ops->msync(NULL, addr, len);
}

struct world {
	struct host_file file;
	struct fm_machine *machine;
	struct fm_block *nv, *ram;
	struct fm_dev *dev;
	const char *path;
};

static void open_world(struct world *w, void **state)
{
	struct fm_nvdimm_config cfg = { .struct_size = sizeof(cfg), .name = "nvdimm" };

	memset(w, 0, sizeof(*w));
	w->path = tmpdir_path(state, "nv.img");
	unlink(w->path);
	w->file.ops = *fm_io_posix()->ops;
	w->file.ops.msync = count_msync;
	w->file.io = (struct fm_io){ .ops = &w->file.ops, .ctx = &w->file };
	w->machine = machine_make();
	w->ram = add(w->machine, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	w->nv = add_cfg(w->machine,
			BLOCK_RAW(.name = "nv", .role = FM_ROLE_NVDIMM, .backing = FM_BACKING_FILE,
				  .path = w->path, .len = PMEM + LABELS, .io = &w->file.io,
				  .flags = FM_BLOCK_SHARED | FM_BLOCK_CREATE));
	cfg.block = w->nv;
	cfg.label_len = LABELS;
	cfg.dirty_shutdowns = 3;
	assert_int_equal(fm_nvdimm_new(&w->dev, &cfg, NULL), 0);
	assert_int_equal(fm_machine_add_dev(w->machine, w->dev, NULL), 0);
	fill(w->nv);
	fill(w->ram);
	assert_int_equal(fm_nvdimm_poison(w->dev, POISON, 64, NULL), 0);
}

static void close_world(struct world *w)
{
	fm_machine_free(w->machine);
	unlink(w->path);
}

static bool is_poisoned(const struct world *w)
{
	struct fm_persist_span s;

	return fm_nvdimm_media_error(w->dev, 0, &s) && s.off == POISON && s.len == 64;
}

/* The plan's action, done. */
static enum fm_reset_action reset(struct world *w, const struct fm_reset_request *request)
{
	enum fm_reset_action action = action_of(w->machine, "nv", request);
	struct host host = { 0 };
	struct fm_reset_options o = host_options(&host);

	assert_int_equal(do_reset(w->machine, request, o, NULL), 0);
	return action;
}

static void every_reset_keeps_memory_labels_and_media_errors(void **state)
{
	static const struct fm_reset_saved saved[] = {
		{ .block = "ram", .carried = true },
		{ .block = "nv", .digest = "x", .digest_len = 1 },
	};

	for (unsigned turn = 0; turn < 2 * FM_RESET_COUNT; turn++) {
		enum fm_reset_kind kind = (enum fm_reset_kind)(turn % FM_RESET_COUNT);
		bool overwrite = turn >= FM_RESET_COUNT;
		enum fm_reset_action action;
		struct fm_nvdimm_health h;
		struct world w;

		open_world(&w, state);
		action = reset(&w, REQUEST(.kind = kind, .memory_overwrite = overwrite,
					   .saved = saved, .nsaved = 2));
		if (action != FM_RESET_KEEP && action != FM_RESET_FLUSH_KEEP)
			fail_msg("kind %u: %s", kind, fm_reset_action_name(action));
		assert_true(all_bytes(bytes(w.nv), PMEM + LABELS, SECRET));
		assert_true(is_poisoned(&w));
		if (action == FM_RESET_FLUSH_KEEP) {
			assert_true(w.file.syncs > 0);
			assert_int_equal(tmpdir_byte(w.path, PMEM + LABELS - 1), SECRET);
		}
		fm_nvdimm_get_health(w.dev, &h);
		assert_true(!h.data_lost && h.dirty_shutdowns == 3);
		close_world(&w);
	}
}

static void a_power_on_flushes_before_it_clears_the_ram_or_not_at_all(void **state)
{
	struct fm_nvdimm_health h;
	struct world w;

	open_world(&w, state);
	w.file.fail = true;
	assert_int_equal(do_reset(w.machine, REQUEST(.kind = FM_RESET_POWER_ON), *OPTIONS(0), NULL),
			 FM_ERR_IO);
	assert_true(holds_secret(w.ram));
	assert_true(all_bytes(bytes(w.nv), PMEM + LABELS, SECRET));
	fm_nvdimm_get_health(w.dev, &h);
	assert_true(h.data_lost && h.dirty_shutdowns == 4);
	w.file.fail = false;
	assert_int_equal(reset(&w, REQUEST(.kind = FM_RESET_POWER_ON)), FM_RESET_FLUSH_KEEP);
	assert_false(holds_secret(w.ram));
	fm_nvdimm_get_health(w.dev, &h);
	assert_true(!h.flush_failed && h.data_lost);
	close_world(&w);
}

static void only_sanitizing_clears_it_labels_too(void **state)
{
	const char *const names[] = { "nv" };
	struct world w;

	open_world(&w, state);
	assert_int_equal(
		reset(&w, REQUEST(.kind = FM_RESET_POWER_ON, .sanitize = names, .nsanitize = 1)),
		FM_RESET_ZERO);
	assert_true(all_bytes(bytes(w.nv), PMEM + LABELS, 0));
	assert_false(is_poisoned(&w));
	assert_true(w.file.syncs > 0);
	assert_int_equal(tmpdir_byte(w.path, 0), 0);
	assert_int_equal(tmpdir_byte(w.path, PMEM + LABELS - 1), 0);
	close_world(&w);
}

static void a_dump_has_it_only_where_it_is_asked_for_and_never_its_labels(void **state)
{
	struct fm_space_config cfg = { .struct_size = sizeof(cfg), .name = "memory" };
	struct fm_window_config win = { .struct_size = sizeof(win), .gpa = 0x100000000 };
	struct fm_dump_config dump = { .struct_size = sizeof(dump), .elf_machine = 62 };
	struct fm_dump_result result;
	struct fm_space *space;
	struct world w;

	open_world(&w, state);
	assert_int_equal(fm_space_new(&space, &cfg, NULL), 0);
	assert_int_equal(fm_machine_add_space(w.machine, space, NULL), 0);
	win.dev = w.dev;
	assert_int_equal(fm_space_add(space, &win, NULL, NULL), 0);
	assert_int_equal(fm_nvdimm_heal(w.dev, 0, PMEM, NULL), 0);
	dump.machine = w.machine;
	dump.space = space;
	for (unsigned asked = 0; asked < 2; asked++) {
		dump.roles = FM_DUMP_VOLATILE | (asked ? FM_DUMP_ROLE(FM_ROLE_NVDIMM) : 0);
		dump.path = tmpdir_path(state, asked ? "with" : "without");
		assert_int_equal(fm_dump_write(&dump, &result, NULL), 0);
		assert_int_equal(result.bytes, asked ? PMEM : 0);
		unlink(dump.path);
	}
	assert_true(all_bytes(bytes(w.nv), PMEM + LABELS, SECRET));
	close_world(&w);
}

static void a_saved_state_carries_errors_and_counts_and_no_contents(void **state)
{
	struct fm_nvdimm_health h;
	struct world from, to;
	void *saved;
	size_t len;

	open_world(&from, state);
	assert_int_equal(fm_nvdimm_poison(from.dev, 5 * PAGE, 1, NULL), 0);
	/* Nothing of nothing: the span stays one, as it must be in a state. */
	assert_int_equal(fm_nvdimm_poison(from.dev, POISON, 3 * 64, NULL), 0);
	assert_int_equal(fm_nvdimm_heal(from.dev, POISON + 64, 0, NULL), 0);
	assert_int_equal(fm_dev_save(from.dev, &saved, &len, NULL), 0);
	assert_null(memchr(saved, SECRET, len));
	close_world(&from);
	open_world(&to, state);
	assert_int_equal(fm_nvdimm_heal(to.dev, 0, PMEM, NULL), 0);
	assert_int_equal(fm_dev_load(to.dev, saved, len, NULL), 0);
	fm_nvdimm_get_health(to.dev, &h);
	assert_int_equal(h.media_errors, 2);
	assert_int_equal(h.dirty_shutdowns, 3);
	assert_true(all_bytes(bytes(to.nv), PMEM + LABELS, SECRET));
	/* A state cut anywhere is refused, and changes nothing. */
	for (size_t n = 0; n < len; n++) {
		assert_int_not_equal(fm_dev_load(to.dev, saved, n, NULL), 0);
		fm_nvdimm_get_health(to.dev, &h);
		assert_int_equal(h.media_errors, 2);
	}
	free(saved);
	close_world(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(every_reset_keeps_memory_labels_and_media_errors),
		tmpdir_test(a_power_on_flushes_before_it_clears_the_ram_or_not_at_all),
		tmpdir_test(only_sanitizing_clears_it_labels_too),
		tmpdir_test(a_dump_has_it_only_where_it_is_asked_for_and_never_its_labels),
		tmpdir_test(a_saved_state_carries_errors_and_counts_and_no_contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
