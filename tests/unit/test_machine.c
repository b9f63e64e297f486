/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/mapdev.h"

#include "devices/device_private.h"

#include <firmem/machine.h>
#include <firmem/ram.h>

static struct fm_machine *machine_make(void)
{
	struct fm_machine *m = NULL;

	assert_int_equal(fm_machine_new(&m, "board", NULL), 0);
	return m;
}

static struct fm_block *block_make(const char *name, enum fm_role role, unsigned flags)
{
	struct fm_block *b = NULL;

	assert_int_equal(fm_block_new(&b,
				      &(struct fm_block_config){
					      .struct_size = sizeof(struct fm_block_config),
					      .name = name,
					      .role = role,
					      .flags = flags,
					      .len = 0x2000 },
				      NULL),
			 0);
	return b;
}

static struct fm_block *add_block(struct fm_machine *m, const char *name, enum fm_role role,
				  unsigned flags)
{
	struct fm_block *b = block_make(name, role, flags);

	assert_int_equal(fm_machine_add_block(m, b, NULL), 0);
	return b;
}

static struct fm_dev *ram_make(struct fm_block *block, const char *name)
{
	struct fm_dev *dev = NULL;

	assert_int_equal(
		fm_ram_new(&dev,
			   &(struct fm_ram_config){ .struct_size = sizeof(struct fm_ram_config),
						    .name = name,
						    .block = block },
			   NULL),
		0);
	return dev;
}

/* --- registry ---------------------------------------------------------------------------- */

static void a_machine_needs_a_name(void **state)
{
	struct fm_machine *m = NULL;

	assert_int_equal(fm_machine_new(&m, NULL, NULL), FM_ERR_ARG);
	assert_int_equal(fm_machine_new(&m, "", NULL), FM_ERR_ARG);
	assert_null(m);
	m = machine_make();
	assert_string_equal(fm_machine_name(m), "board");
	fm_machine_free(m);
	fm_machine_free(NULL);
}

static void names_are_unique_within_their_kind(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *a = add_block(m, "same", FM_ROLE_RAM, 0);
	struct fm_block *b = block_make("same", FM_ROLE_ROM, 0);
	struct fm_dev *dev = ram_make(a, "same");
	struct fm_dev *twin = ram_make(a, "same");
	struct fm_space *space = space_make(0, 0);
	struct fm_space *other = space_make(0, 0);
	struct fm_error err = { 0 };

	assert_int_equal(fm_machine_add_block(m, b, &err), FM_ERR_EXISTS);
	assert_non_null(strstr(err.msg, "same"));
	assert_int_equal(fm_machine_add_block(m, a, NULL), FM_ERR_EXISTS);
	assert_int_equal(fm_machine_add_dev(m, dev, NULL), 0);
	assert_int_equal(fm_machine_add_dev(m, twin, NULL), FM_ERR_EXISTS);
	assert_int_equal(fm_machine_add_space(m, space, NULL), 0);
	assert_int_equal(fm_machine_add_space(m, other, NULL), FM_ERR_EXISTS);
	assert_int_equal(fm_machine_add_block(m, NULL, NULL), FM_ERR_ARG);
	assert_ptr_equal(fm_machine_block(m, "same"), a);
	assert_ptr_equal(fm_machine_dev(m, "same"), dev);
	assert_ptr_equal(fm_machine_space(m, "memory"), space);
	assert_null(fm_machine_block(m, "else"));
	assert_null(fm_machine_dev(m, NULL));
	assert_null(fm_machine_space(m, ""));
	/* What was refused stayed ours. */
	fm_block_free(b);
	fm_dev_free(twin);
	fm_space_free(other);
	fm_machine_free(m);
}

static void what_is_another_machine_s_is_refused(void **state)
{
	struct fm_machine *mine = machine_make();
	struct fm_machine *other = machine_make();
	struct fm_block *block = add_block(mine, "ram", FM_ROLE_RAM, 0);
	struct fm_block *twin = add_block(other, "twin", FM_ROLE_RAM, 0);
	struct fm_dev *dev = ram_make(block, "ram");
	struct fm_space *space = space_make(0, 0);
	struct fm_error err = { 0 };

	assert_int_equal(fm_machine_add_dev(mine, dev, NULL), 0);
	assert_int_equal(fm_machine_add_space(mine, space, NULL), 0);
	assert_int_equal(fm_machine_add_block(other, block, &err), FM_ERR_BUSY);
	assert_string_equal(err.msg, "board: block \"ram\" is another machine's, expected it to be "
				     "removed there first");
	assert_int_equal(fm_machine_add_dev(other, dev, &err), FM_ERR_BUSY);
	assert_non_null(strstr(err.msg, "device \"ram\" is another machine's"));
	assert_int_equal(fm_machine_add_space(other, space, &err), FM_ERR_BUSY);
	assert_non_null(strstr(err.msg, "space \"memory\" is another machine's"));
	/* What was refused for its name is nobody's: it may go elsewhere. */
	assert_int_equal(fm_machine_remove_dev(mine, dev, NULL), 0);
	assert_int_equal(fm_machine_remove_block(mine, block, NULL), 0);
	assert_int_equal(fm_machine_add_block(other, block, NULL), 0);
	assert_int_equal(fm_machine_add_dev(other, dev, NULL), 0);
	assert_int_equal(fm_machine_remove_block(other, twin, NULL), 0);
	block = add_block(mine, "twin", FM_ROLE_RAM, 0);
	assert_int_equal(fm_machine_add_block(mine, twin, &err), FM_ERR_EXISTS);
	assert_int_equal(fm_machine_add_block(other, twin, NULL), 0);
	assert_int_equal(fm_machine_add_block(other, block, NULL), FM_ERR_BUSY);
	fm_machine_free(mine);
	fm_machine_free(other);
}

static void any_number_of_blocks_may_be_unnamed(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *a = add_block(m, NULL, FM_ROLE_RAM, 0);
	struct fm_block *b = add_block(m, NULL, FM_ROLE_RAM, 0);

	assert_int_equal(fm_machine_add_block(m, a, NULL), FM_ERR_EXISTS);
	assert_null(fm_machine_block(m, ""));
	assert_ptr_equal(fm_machine_next_block(m, FM_WALK_ALL, a), b);
	fm_machine_free(m);
}

static void many_objects_keep_their_order(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *blocks[40];
	struct fm_block *b;
	unsigned n = 0;

	for (unsigned i = 0; i < 40; i++)
		blocks[i] = add_block(m, NULL, FM_ROLE_RAM, 0);
	fm_machine_foreach_block (m, FM_WALK_ALL, b)
		assert_ptr_equal(b, blocks[n++]);
	assert_int_equal(n, 40);
	assert_int_equal(fm_machine_remove_block(m, blocks[7], NULL), 0);
	assert_int_equal(fm_machine_remove_block(m, blocks[7], NULL), FM_ERR_NOT_FOUND);
	fm_block_free(blocks[7]);
	assert_ptr_equal(fm_machine_next_block(m, FM_WALK_ALL, blocks[6]), blocks[8]);
	fm_machine_free(m);
}

static void what_is_seen_cannot_be_removed(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *block = add_block(m, "ram", FM_ROLE_RAM, 0);
	struct fm_dev *dev = ram_make(block, NULL);
	struct fm_space *space = space_make(0, 0);
	struct fm_window *w;
	struct fm_error err = { 0 };

	assert_int_equal(fm_machine_add_dev(m, dev, NULL), 0);
	assert_int_equal(fm_machine_add_space(m, space, NULL), 0);
	w = add(space, window_at(dev, NULL, 0x1000, 0, 0, 0));
	assert_int_equal(fm_machine_remove_block(m, block, &err), FM_ERR_BUSY);
	assert_non_null(strstr(err.msg, "\"ram\""));
	assert_non_null(strstr(err.msg, "\"memory\""));
	assert_int_equal(fm_machine_remove_dev(m, dev, &err), FM_ERR_BUSY);
	/* A window that is not seen still refers to its device. */
	assert_int_equal(fm_space_enable(space, w, false, NULL), 0);
	assert_int_equal(fm_machine_remove_dev(m, dev, NULL), FM_ERR_BUSY);
	assert_ptr_equal(fm_machine_dev(m, "ram"), dev);
	assert_int_equal(fm_space_remove(space, w, NULL), 0);
	assert_int_equal(fm_machine_remove_dev(m, dev, NULL), 0);
	assert_int_equal(fm_machine_remove_dev(m, dev, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_machine_remove_block(m, block, NULL), 0);
	fm_space_quiesce(space);
	fm_dev_free(dev);
	fm_block_free(block);
	assert_null(fm_machine_next_dev(m, NULL));
	assert_ptr_equal(fm_machine_next_space(m, NULL), space);
	assert_null(fm_machine_next_space(m, space));
	fm_machine_free(m);
}

/* Runs of a page, of which the last alone is a block's; or an answer that is about nothing. */
struct odd {
	struct fm_block *block;
	bool lost;
};

static void odd_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct odd *odd = state;

	out->off = odd->lost ? off + 1 : off / 0x1000 * 0x1000;
	out->len = odd->lost ? UINT64_MAX : 0x1000;
	out->block = out->off == 0x3000 ? odd->block : NULL;
}

static void a_block_that_an_unmapped_device_uses_cannot_be_removed(void **state)
{
	struct fm_machine *m = machine_make();
	struct odd odd = { .block = add_block(m, "data", FM_ROLE_DEVICE, 0) };
	const struct fm_dev_ops ops = { .struct_size = sizeof(ops), .type = "odd", .map = odd_map };
	const struct fm_dev_config cfg = { .struct_size = sizeof(cfg),
					   .name = "odd",
					   .len = 0x4000 };
	struct fm_error err = { 0 };
	struct fm_dev *dev;

	assert_int_equal(fm_dev_new(&dev, &ops, &odd, &cfg, NULL), 0);
	assert_int_equal(fm_machine_add_dev(m, dev, NULL), 0);
	assert_int_equal(fm_machine_remove_block(m, odd.block, &err), FM_ERR_BUSY);
	assert_non_null(strstr(err.msg, "\"data\""));
	assert_non_null(strstr(err.msg, "\"odd\""));
	assert_ptr_equal(fm_machine_block(m, "data"), odd.block);
	/* The lock is free again, and one of the caller's stays his. */
	fm_dev_lock(dev);
	assert_int_equal(fm_machine_remove_block(m, odd.block, NULL), FM_ERR_BUSY);
	assert_false(fmi_dev_lock(dev));
	fm_dev_unlock(dev);
	odd.lost = true;
	assert_int_equal(fm_machine_remove_block(m, odd.block, NULL), 0);
	fm_block_free(odd.block);
	fm_machine_free(m);
}

/* --- walks ------------------------------------------------------------------------------- */

/* One block of each role, named by it, in the order of the roles. */
static struct fm_machine *machine_of_all_roles(void)
{
	struct fm_machine *m = machine_make();

	for (int role = FM_ROLE_NONE + 1; role < FM_ROLE_COUNT; role++)
		add_block(m, fm_role_name((enum fm_role)role), (enum fm_role)role, 0);
	return m;
}

static void expect_walk(struct fm_machine *m, enum fm_walk walk, const char *expected)
{
	char names[512] = "";
	struct fm_block *b;

	fm_machine_foreach_block (m, walk, b) {
		size_t n = strlen(names);

		snprintf(names + n, sizeof(names) - n, "%s%s", n ? " " : "", fm_block_name(b));
	}
	assert_string_equal(names, expected);
}

static void walks_select_by_role(void **state)
{
	struct fm_machine *m = machine_of_all_roles();

	expect_walk(m, FM_WALK_MEMORY_DEVICES, "dimm virtio-mem nvdimm virtio-pmem");
	expect_walk(m, FM_WALK_DUMPABLE, "ram dimm virtio-mem");
	/* Not the NVDIMM, whatever it is made of; and not the ROMs, which would not come back. */
	expect_walk(m, FM_WALK_RESET_TARGETS, "ram dimm virtio-mem vram device smram s3-preserved");
	expect_walk(m, FM_WALK_MAPPED, "");
	expect_walk(m, FM_WALK_COUNT, "");
	fm_machine_free(m);
}

static void unnamed_and_marked_blocks_do_not_migrate(void **state)
{
	struct fm_machine *m = machine_make();

	add_block(m, "a", FM_ROLE_RAM, 0);
	add_block(m, NULL, FM_ROLE_RAM, 0);
	add_block(m, "b", FM_ROLE_RAM, FM_BLOCK_NO_MIGRATE);
	add_block(m, "c", FM_ROLE_TABLE, 0);
	expect_walk(m, FM_WALK_MIGRATABLE, "a c");
	expect_walk(m, FM_WALK_ALL, "a  b c");
	fm_machine_free(m);
}

static void mapped_means_seen_in_one_of_the_spaces(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *a = add_block(m, "a", FM_ROLE_RAM, 0);
	struct fm_block *b = add_block(m, "b", FM_ROLE_SMRAM, 0);
	struct fm_dev *da = ram_make(a, NULL);
	struct fm_dev *db = ram_make(b, NULL);
	struct fm_space *one = space_make(0, 0);
	struct fm_window *w;

	add_block(m, "c", FM_ROLE_TABLE, 0);
	assert_int_equal(fm_machine_add_dev(m, da, NULL), 0);
	assert_int_equal(fm_machine_add_dev(m, db, NULL), 0);
	assert_int_equal(fm_machine_add_space(m, one, NULL), 0);
	add(one, window_at(db, NULL, 0, 0, 0, 0));
	expect_walk(m, FM_WALK_MAPPED, "b");
	w = add(one, window_at(da, NULL, 0, 0, 0, 1));
	expect_walk(m, FM_WALK_MAPPED, "a"); /* b is hidden whole */
	expect_walk(m, FM_WALK_RESET_TARGETS, "a b");
	assert_int_equal(fm_space_enable(one, w, false, NULL), 0);
	expect_walk(m, FM_WALK_MAPPED, "b");
	fm_machine_free(m);
}

static void every_walk_has_a_name_of_its_own(void **state)
{
	assert_string_equal(fm_walk_name(FM_WALK_ALL), "all");
	assert_string_equal(fm_walk_name(FM_WALK_COUNT), "unknown");
	for (int a = 0; a < FM_WALK_COUNT; a++) {
		for (int b = 0; b <= FM_WALK_COUNT; b++) {
			if (a != b)
				assert_string_not_equal(fm_walk_name((enum fm_walk)a),
							fm_walk_name((enum fm_walk)b));
		}
	}
}

/* --- the verbs for all devices -------------------------------------------------------------- */

/* What happened, in order: one letter a verb and one a device. */
static char story[128];

struct actor {
	char letter;
	unsigned effects;
	uint64_t deadline;
	int flush_rc;
};

static void tell(struct actor *a, char verb)
{
	size_t n = strlen(story);

	story[n] = verb;
	story[n + 1] = a->letter;
}

static unsigned actor_tick(void *state, uint64_t now_ns)
{
	tell(state, 't');
	return now_ns == 5 ? ((struct actor *)state)->effects : 0;
}

static uint64_t actor_next_deadline(void *state)
{
	return ((struct actor *)state)->deadline;
}

static unsigned actor_pump(void *state)
{
	tell(state, 'p');
	return ((struct actor *)state)->effects;
}

static int actor_flush(void *state, struct fm_error *err)
{
	struct actor *a = state;

	tell(a, 'f');
	return a->flush_rc ? fm_error_set(err, a->flush_rc, 0, "from %c", a->letter) : 0;
}

static unsigned actor_reset(void *state, enum fm_reset_kind kind)
{
	tell(state, 'r');
	return kind == FM_RESET_S3 ? ((struct actor *)state)->effects : 0;
}

static void actor_free(void *state)
{
	tell(state, 'x');
}

static const struct fm_dev_ops actor_ops = {
	.struct_size = sizeof(actor_ops),
	.type = "actor",
	.tick = actor_tick,
	.next_deadline_ns = actor_next_deadline,
	.pump = actor_pump,
	.flush = actor_flush,
	.reset = actor_reset,
	.free = actor_free,
};

static void verbs_reach_all_devices_in_order(void **state)
{
	struct actor actors[] = {
		{ .letter = 'A', .effects = FM_EFF_IRQ, .deadline = 70 },
		{ .letter = 'B', .effects = FM_EFF_REMAP, .deadline = 30, .flush_rc = FM_ERR_IO },
		{ .letter = 'C', .deadline = FM_NEVER, .flush_rc = FM_ERR_NOSPACE }
	};
	struct fm_machine *m = machine_make();
	struct fm_error err = { 0 };

	assert_true(fm_machine_next_deadline_ns(m) == FM_NEVER);
	for (unsigned i = 0; i < 3; i++) {
		char name[] = { actors[i].letter, '\0' };
		struct fm_dev *dev = NULL;

		assert_int_equal(fm_dev_new(&dev, &actor_ops, &actors[i],
					    &(struct fm_dev_config){
						    .struct_size = sizeof(struct fm_dev_config),
						    .name = name,
						    .len = 8 },
					    NULL),
				 0);
		assert_int_equal(fm_machine_add_dev(m, dev, NULL), 0);
	}
	memset(story, 0, sizeof(story));
	assert_int_equal(fm_machine_tick(m, 5), FM_EFF_IRQ | FM_EFF_REMAP);
	assert_int_equal(fm_machine_pump(m), FM_EFF_IRQ | FM_EFF_REMAP);
	assert_int_equal(fm_machine_reset(m, FM_RESET_S3), FM_EFF_IRQ | FM_EFF_REMAP);
	assert_int_equal(fm_machine_next_deadline_ns(m), 30);
	/* A flush goes on after a failure and tells the first. */
	assert_int_equal(fm_machine_flush(m, &err), FM_ERR_IO);
	assert_string_equal(err.msg, "from B");
	assert_string_equal(story, "tAtBtCpApBpCrArBrCfAfBfC");
	memset(story, 0, sizeof(story));
	fm_machine_free(m);
	assert_string_equal(story, "xCxBxA"); /* newest first, without a flush */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_needs_a_name),
		cmocka_unit_test(names_are_unique_within_their_kind),
		cmocka_unit_test(what_is_another_machine_s_is_refused),
		cmocka_unit_test(any_number_of_blocks_may_be_unnamed),
		cmocka_unit_test(many_objects_keep_their_order),
		cmocka_unit_test(what_is_seen_cannot_be_removed),
		cmocka_unit_test(a_block_that_an_unmapped_device_uses_cannot_be_removed),
		cmocka_unit_test(walks_select_by_role),
		cmocka_unit_test(unnamed_and_marked_blocks_do_not_migrate),
		cmocka_unit_test(mapped_means_seen_in_one_of_the_spaces),
		cmocka_unit_test(every_walk_has_a_name_of_its_own),
		cmocka_unit_test(verbs_reach_all_devices_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
