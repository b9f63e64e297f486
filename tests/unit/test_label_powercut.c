/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Labels in a plain file, changed through a mapping and fm_persist, and the host's power cut at every step:
 * what the disk then has is the old namespace or the new one.
 */
#include "tests/unit/label_unit.h"

#include <firmem/block.h>
#include <firmem/persist.h>
#include <firmem/powercut.h>

/* Two pages, so that the last label and the index blocks are synced apart. */
#define AREA 8192u
#define LAST 14u /* the namespace that is renamed: its label is in the second page */

static const char path[] = "disk/labels";

struct cut {
	uint64_t end; /* the steps of the whole change */
};

static int violation(struct fm_error *err, const char *what)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s", what);
}

static int check_area(const struct fm_label_area *area, bool settled, struct fm_error *err)
{
	uint8_t uuid[16];
	const struct fm_label *l;

	for (unsigned i = 0; i <= LAST; i++) {
		memset(uuid, (int)(0x10 + i), sizeof(uuid));
		l = fm_label_find(area, uuid);
		if (!l)
			return violation(err, "a namespace is lost");
		if (i < LAST && strcmp(l->name, "old"))
			return violation(err, "another one was renamed");
	}
	if (strcmp(l->name, "new") && (settled || strcmp(l->name, "old")))
		return violation(err, "neither old nor new");
	return settled && l->flags ? violation(err, "the update is not done") : 0;
}

static int check(void *ctx, const struct fm_powercut_state *state, struct fm_error *err)
{
	const struct cut *cut = ctx;
	struct fm_label_area *area;
	const uint8_t *bytes;
	size_t len;
	int rc;

	bytes = fm_powercut_file(state->disk, path, &len);
	assert_non_null(bytes);
	assert_int_equal(len, AREA);
	assert_int_equal(fm_label_parse(&area, bytes, len, PMEM, NULL), 0);
	rc = check_area(area, state->point == cut->end, err);
	fm_label_free(area);
	return rc;
}

static struct fm_powercut *disk(uint64_t drop_sync)
{
	const struct fm_powercut_config cfg = { .struct_size = sizeof(cfg),
						.drop_sync = drop_sync };
	static struct memory m;
	struct fm_powercut *pc;

	memory_make(&m, AREA, FM_LABEL_V1_2);
	for (unsigned i = 0; i <= LAST; i++)
		memory_add(&m, i, "old", FM_LABEL_V1_2);
	memory_wipe_free(&m);
	assert_int_equal(fm_powercut_new(&pc, &cfg, NULL), 0);
	assert_int_equal(fm_powercut_put(pc, path, m.bytes, AREA, NULL), 0);
	return pc;
}

static void rename_last(struct fm_powercut *pc)
{
	struct fm_block_config mem = { .struct_size = sizeof(mem),
				       .name = "labels",
				       .role = FM_ROLE_LABEL,
				       .backing = FM_BACKING_FILE,
				       .flags = FM_BLOCK_SHARED,
				       .path = path,
				       .io = fm_powercut_io(pc) };
	struct fm_label_place place = { .len = AREA };
	struct fm_label_medium medium;
	struct fm_error err = { 0 };
	uint8_t uuid[16];

	memset(uuid, 0x10 + LAST, sizeof(uuid));
	if (fm_block_new(&place.block, &mem, &err) ||
	    fm_persist_open(&place.persist, place.block, &err) ||
	    fm_label_medium_of(&medium, &place, PMEM, &err) ||
	    fm_label_rename(&medium, 1, uuid, "new", &err))
		fail_msg("%s", err.msg);
	fm_persist_close(place.persist);
	fm_block_free(place.block);
}

static struct fm_powercut_report explore(uint64_t drop_sync)
{
	const struct fm_powercut_plan plan = { .struct_size = sizeof(plan) };
	struct fm_powercut *pc = disk(drop_sync);
	struct fm_powercut_report report;
	struct fm_error err = { 0 };
	struct cut cut;

	rename_last(pc);
	assert_false(fm_powercut_broken(pc));
	cut.end = fm_powercut_point(pc);
	if (fm_powercut_explore(pc, &plan, check, &cut, &report, &err))
		fail_msg("%s", err.msg);
	fm_powercut_free(pc);
	return report;
}

static void a_power_cut_leaves_the_old_name_or_the_new(void **state)
{
	struct fm_powercut_report report = explore(0);

	if (report.violations)
		fail_msg("step %llu: %s", (unsigned long long)report.first.point, report.error.msg);
	assert_true(report.points >= 4);
	assert_true(report.states > report.points);
}

/*
 * Not so with the second: an index block that is late is made good by the next label, which takes the old
 * one's slot in one piece of the disk.
 */
static void without_a_sync_a_namespace_is_lost_or_the_change_is_not_durable(void **state)
{
	static const uint64_t drops[] = { 1, 3, 4 };

	for (size_t i = 0; i < sizeof(drops) / sizeof(*drops); i++) {
		if (!explore(drops[i]).violations)
			fail_msg("sync %u is not missed", (unsigned)drops[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_power_cut_leaves_the_old_name_or_the_new),
		cmocka_unit_test(without_a_sync_a_namespace_is_lost_or_the_change_is_not_durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
