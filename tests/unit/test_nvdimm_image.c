/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/faultio.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include <firmem/nvdimm_image.h>
#include <firmem/powercut.h>

#include <sys/stat.h>

#define LABELS 1024u

static struct fm_nvdimm_image_config config(const char *path, struct faultio *f)
{
	return (struct fm_nvdimm_image_config){
		.struct_size = sizeof(struct fm_nvdimm_image_config),
		.path = path,
		.pmem_len = FM_NVDIMM_ALIGN,
		.label_len = LABELS,
		.sparse = true,
		.io = f ? &f->io : NULL,
	};
}

static void whatever_call_fails_no_new_file_is_left(void **state)
{
	const char *path = tmpdir_path(state, "new.img");
	unsigned calls = 1;

	for (unsigned fail = 1; fail <= calls; fail++) {
		struct faultio f;
		struct fm_nvdimm_image_config cfg;

		faultio_init(&f);
		f.fail_at = fail;
		cfg = config(path, &f);
		assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), FM_ERR_IO);
		assert_int_equal(tmpdir_entries(state), 0);
		assert_int_equal(f.open_files, 0);
		faultio_init(&f);
		assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), 0);
		assert_int_equal(tmpdir_size(path), FM_NVDIMM_ALIGN + LABELS);
		/* Durable before it has its name. */
		assert_string_equal(f.log, "ctfnd");
		calls = f.calls;
		unlink(path);
	}
	assert_int_equal(calls, 6);
}

/* The file beside has no longer name than there can be. */
static void the_longest_name_is_one(void **state)
{
	char name[256];
	const char *path;
	struct fm_nvdimm_image_config cfg;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	path = tmpdir_path(state, name);
	cfg = config(path, NULL);
	assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), 0);
	cfg.pmem_len *= 2;
	assert_int_equal(fm_nvdimm_image_grow(&cfg, NULL), 0);
	assert_int_equal(tmpdir_size(path), 2 * FM_NVDIMM_ALIGN + LABELS);
	assert_int_equal(tmpdir_entries(state), 1);
}

/* Somebody makes a file of that name while the image is being written. */
static int taken_truncate(void *ctx, struct fm_file *file, uint64_t bytes)
{
	tmpdir_fill(((struct faultio *)ctx)->taken, 3, 7);
	return fm_io_posix()->ops->truncate(NULL, file, bytes);
}

/* Behind the end of a table that is as long as those of hosts that do not know it. */
static int no_rename_new(void *ctx, const char *from, const char *to)
{
	fail_msg("%s to %s", from, to);
	return 0;
}

static void a_file_that_is_there_is_never_replaced(void **state)
{
	const char *path = tmpdir_path(state, "new.img");

	for (unsigned way = 0; way < 4; way++) {
		struct faultio f;
		struct fm_nvdimm_image_config cfg;
		struct fm_error err;

		faultio_init(&f);
		f.taken = path;
		/* There from the start; made meanwhile, where the seam can see to it, and where not. */
		if (!way)
			tmpdir_fill(path, 3, 7);
		else
			f.ops.truncate = taken_truncate;
		if (way == 2)
			f.ops.rename_new = NULL;
		if (way == 3) {
			f.ops.struct_size = offsetof(struct fm_io_ops, rename_new);
			f.ops.rename_new = no_rename_new;
		}
		cfg = config(path, &f);
		assert_int_equal(fm_nvdimm_image_create(&cfg, &err), FM_ERR_EXISTS);
		assert_non_null(strstr(err.msg, "new.img: exists, expected a new file"));
		assert_int_equal(tmpdir_size(path), 3);
		assert_int_equal(tmpdir_byte(path, 0), 7);
		assert_int_equal(tmpdir_entries(state), 1);
		assert_int_equal(f.open_files, 0);
		unlink(path);
	}
}

static void what_is_no_file_is_there_as_well(void **state)
{
	const char *folder = tmpdir_path(state, "folder"), *pipe = tmpdir_path(state, "pipe");
	struct fm_nvdimm_image_config cfg = config(folder, NULL);

	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), FM_ERR_EXISTS);
	cfg.path = pipe;
	assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), FM_ERR_EXISTS);
	assert_int_equal(tmpdir_entries(state), 2);
	assert_int_equal(rmdir(folder), 0);
}

static void one_that_is_to_be_replaced_is_so_when_the_new_one_is_whole(void **state)
{
	const char *path = tmpdir_path(state, "old.img");
	unsigned calls = 1;

	for (unsigned fail = 0; fail <= calls; fail++) {
		struct faultio f;
		struct fm_nvdimm_image_config cfg;
		int rc;

		tmpdir_fill(path, 3, 7);
		faultio_init(&f);
		f.fail_at = fail;
		cfg = config(path, &f);
		cfg.replace = true;
		rc = fm_nvdimm_image_create(&cfg, NULL);
		assert_int_equal(rc, fail ? FM_ERR_IO : 0);
		assert_int_equal(tmpdir_entries(state), 1);
		/* Only the folder's sync comes after the rename. */
		assert_int_equal(tmpdir_size(path),
				 !fail || fail == calls ? FM_NVDIMM_ALIGN + LABELS : 3);
		calls = fail ? calls : f.calls;
	}
	assert_int_equal(calls, 5);
}

static void labels_that_are_given_are_at_its_end(void **state)
{
	const char *path = tmpdir_path(state, "new.img");
	struct fm_nvdimm_image_config cfg = config(path, NULL);
	uint8_t labels[LABELS];

	memset(labels, 9, sizeof(labels));
	cfg.labels = labels;
	assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), 0);
	assert_int_equal(tmpdir_size(path), FM_NVDIMM_ALIGN + LABELS);
	assert_int_equal(tmpdir_byte(path, FM_NVDIMM_ALIGN - 1), 0);
	assert_int_equal(tmpdir_byte(path, FM_NVDIMM_ALIGN), 9);
	assert_int_equal(tmpdir_byte(path, FM_NVDIMM_ALIGN + LABELS - 1), 9);
}

static void whatever_call_fails_the_old_image_stays(void **state)
{
	const char *path = tmpdir_path(state, "old.img");
	unsigned calls = 1;

	for (unsigned fail = 1; fail <= calls; fail++) {
		struct fm_nvdimm_image_config cfg = config(path, NULL);
		struct faultio f;
		int entries;

		unlink(path);
		assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), 0);
		entries = tmpdir_entries(state);
		faultio_init(&f);
		f.fail_at = fail;
		cfg = config(path, &f);
		cfg.pmem_len *= 2;
		assert_int_equal(fm_nvdimm_image_grow(&cfg, NULL), FM_ERR_IO);
		assert_int_equal(f.open_files, 0);
		assert_int_equal(tmpdir_entries(state), entries);
		/* Only the folder's sync comes after the rename. */
		assert_int_equal(tmpdir_size(path),
				 (calls > 1 && fail == calls ? 2 : 1) * FM_NVDIMM_ALIGN + LABELS);
		if (calls > 1)
			continue;
		faultio_init(&f);
		assert_int_equal(fm_nvdimm_image_grow(&cfg, NULL), 0);
		assert_int_equal(tmpdir_size(path), 2 * FM_NVDIMM_ALIGN + LABELS);
		calls = f.calls;
	}
}

static void the_new_image_is_durable_before_it_takes_the_old_ones_place(void **state)
{
	const char *path = tmpdir_path(state, "order.img");
	struct fm_nvdimm_image_config cfg = config(path, NULL);
	struct faultio f;

	assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), 0);
	faultio_init(&f);
	cfg = config(path, &f);
	cfg.pmem_len *= 2;
	assert_int_equal(fm_nvdimm_image_grow(&cfg, NULL), 0);
	assert_string_equal(strchr(f.log, 't'), "tfnd");
}

static void configs_that_cannot_be_are_refused(void **state)
{
	struct fm_nvdimm_image_config cfg = config(tmpdir_path(state, "none"), NULL);

	cfg.pmem_len = 0;
	assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), FM_ERR_ARG);
	cfg.pmem_len = FM_NVDIMM_ALIGN + 4096;
	assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), FM_ERR_ARG);
	cfg = config(NULL, NULL);
	assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), FM_ERR_ARG);
	cfg = config(tmpdir_path(state, "none"), NULL);
	cfg.struct_size = 3;
	assert_int_equal(fm_nvdimm_image_create(&cfg, NULL), FM_ERR_ARG);
	cfg = config(tmpdir_path(state, "none"), NULL);
	assert_int_equal(fm_nvdimm_image_grow(&cfg, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(tmpdir_entries(state), 0);
}

/* --- a power cut --------------------------------------------------------------------------------- */

struct cut {
	uint64_t end; /* the steps of all */
	bool old;     /* there was a file before */
};

static int one_of_two(void *ctx, const struct fm_powercut_state *state, struct fm_error *err)
{
	const struct cut *cut = ctx;
	size_t len = 0;
	const uint8_t *bytes = fm_powercut_file(state->disk, "disk/nv", &len);

	if (state->point < cut->end && (cut->old ? bytes && len == 3 : !bytes))
		return 0;
	if (bytes && len == FM_NVDIMM_ALIGN + LABELS && bytes[FM_NVDIMM_ALIGN] == 9 &&
	    bytes[FM_NVDIMM_ALIGN + 512] == 9)
		return 0;
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s of %zu bytes", bytes ? "a file" : "none",
			    len);
}

static uint64_t violations(bool old, uint64_t drop_sync)
{
	const struct fm_powercut_config pc_cfg = { .struct_size = sizeof(pc_cfg),
						   .drop_sync = drop_sync };
	const struct fm_powercut_plan plan = { .struct_size = sizeof(plan), .states = 300 };
	struct fm_nvdimm_image_config cfg = config("disk/nv", NULL);
	struct cut cut = { .old = old };
	struct fm_powercut_report report;
	struct fm_powercut *pc;
	uint8_t labels[LABELS];
	struct fm_error err = { 0 };

	memset(labels, 9, sizeof(labels));
	assert_int_equal(fm_powercut_new(&pc, &pc_cfg, NULL), 0);
	if (old)
		assert_int_equal(fm_powercut_put(pc, "disk/nv", "old", 3, NULL), 0);
	cfg.io = fm_powercut_io(pc);
	cfg.labels = labels;
	cfg.replace = old;
	if (fm_nvdimm_image_create(&cfg, &err))
		fail_msg("%s", err.msg);
	assert_false(fm_powercut_broken(pc));
	cut.end = fm_powercut_point(pc);
	if (fm_powercut_explore(pc, &plan, one_of_two, &cut, &report, &err))
		fail_msg("%s", err.msg);
	assert_true(report.states > report.points);
	fm_powercut_free(pc);
	return report.violations;
}

static void a_power_cut_leaves_what_was_there_or_all_of_the_new_image(void **state)
{
	for (unsigned old = 0; old < 2; old++) {
		assert_int_equal(violations(old, 0), 0);
		assert_int_not_equal(violations(old, 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whatever_call_fails_no_new_file_is_left,
						tmpdir_setup, tmpdir_teardown),
		tmpdir_test(the_longest_name_is_one),
		tmpdir_test(a_file_that_is_there_is_never_replaced),
		tmpdir_test(what_is_no_file_is_there_as_well),
		tmpdir_test(one_that_is_to_be_replaced_is_so_when_the_new_one_is_whole),
		tmpdir_test(labels_that_are_given_are_at_its_end),
		cmocka_unit_test(a_power_cut_leaves_what_was_there_or_all_of_the_new_image),
		cmocka_unit_test_setup_teardown(whatever_call_fails_the_old_image_stays,
						tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(
			the_new_image_is_durable_before_it_takes_the_old_ones_place, tmpdir_setup,
			tmpdir_teardown),
		cmocka_unit_test_setup_teardown(configs_that_cannot_be_are_refused, tmpdir_setup,
						tmpdir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
