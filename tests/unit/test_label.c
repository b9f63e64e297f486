/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/label_unit.h"

#include "devices/bytes.h"

static struct memory m, n;

static enum fm_label_finding_kind finding(const struct fm_label_area *area, size_t i)
{
	const struct fm_label_finding *f = fm_label_finding(area, i);

	return f ? f->kind : FM_LABEL_FINDING_COUNT;
}

/* The sum of an index block or label, made right. */
static void reseal(uint8_t *p, size_t len, size_t at)
{
	uint32_t lo = 0, hi = 0;

	fmi_put_le64(p + at, 0);
	for (size_t i = 0; i < len; i += 4) {
		lo += fmi_le32(p + i);
		hi += lo;
	}
	fmi_put_le64(p + at, (uint64_t)hi << 32 | lo);
}

/* --- shapes -------------------------------------------------------------------------------------- */

static void the_slots_that_fit_are_those_of_linux(void **state)
{
	static const struct {
		size_t len;
		unsigned version;
		uint32_t nslot;
	} rows[] = {
		{ 128 * 1024, 1, 1020 }, { 128 * 1024, 2, 510 }, { 4096, 2, 14 },
		{ 1024, 1, 4 },          { 1024, 2, 2 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fm_label_area *area;

		memory_make(&m, rows[i].len, rows[i].version);
		area = area_of(&m);
		assert_int_equal(fm_label_info(area)->nslot, rows[i].nslot);
		assert_int_equal(fm_label_info(area)->version, rows[i].version);
		assert_int_equal(fm_label_info(area)->current, 0);
		assert_int_equal(fm_label_info(area)->seq, 3);
		assert_int_equal(fm_label_info(area)->index_seq[1], 2);
		assert_null(fm_label_finding(area, 0));
		fm_label_free(area);
	}
}

static void areas_of_the_wrong_size_are_refused(void **state)
{
	struct fm_label_area *area = NULL;

	memory_init(&m, 1023);
	assert_int_equal(fm_label_init(&m.medium, 2, NULL), FM_ERR_SIZE);
	assert_int_equal(fm_label_parse(&area, m.bytes, 1023, 0, NULL), FM_ERR_SIZE);
	assert_int_equal(fm_label_parse(&area, m.bytes, (size_t)FM_LABEL_AREA_MAX + 1, 0, NULL),
			 FM_ERR_SIZE);
	assert_null(area);
	memory_init(&m, 1024);
	assert_int_equal(fm_label_init(&m.medium, 3, NULL), FM_ERR_ARG);
	assert_int_equal(m.calls, 0);
}

/* --- index blocks -------------------------------------------------------------------------------- */

static void each_field_of_an_index_block_that_lies_makes_it_invalid(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *word;
	} rows[] = {
		{ 0, 'X', "signature" }, { 19, 5, "label size" }, { 20, 4, "seq" },
		{ 25, 9, "myoff" },      { 33, 9, "mysize" },     { 32, 71, "mysize" },
		{ 40, 9, "otheroff" },   { 48, 9, "labeloff" },   { 57, 1, "nslot" },
	};

	struct fm_label_area *area;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		memory_make(&m, 4096, FM_LABEL_V1_2);
		m.bytes[rows[i].at] = rows[i].value;
		if (rows[i].at == 32)
			m.bytes[33] = 0;
		reseal(m.bytes, 256, 64);
		area = area_of(&m);
		assert_int_equal(fm_label_info(area)->current, 1);
		assert_false(fm_label_info(area)->index_ok[0]);
		assert_int_equal(finding(area, 0), FM_LABEL_BAD_INDEX);
		assert_non_null(strstr(fm_label_finding(area, 0)->text, rows[i].word));
		fm_label_free(area);
	}
	memory_make(&m, 4096, FM_LABEL_V1_2);
	m.bytes[64] ^= 1;
	area = area_of(&m);
	assert_int_equal(fm_label_info(area)->current, 1);
	fm_label_free(area);
}

static void of_two_index_blocks_the_later_counts(void **state)
{
	/* By the sequence numbers of both: which, -1 none. */
	static const int best[4][4] = {
		{ -1, 1, 1, 1 }, { 0, 1, 1, 0 }, { 0, 0, 1, 1 }, { 0, 1, 0, 1 }
	};

	for (unsigned a = 0; a < 4; a++) {
		for (unsigned b = 0; b < 4; b++) {
			struct fm_label_area *area;

			memory_make(&m, 4096, FM_LABEL_V1_2);
			m.bytes[20] = (uint8_t)a;
			m.bytes[256 + 20] = (uint8_t)b;
			reseal(m.bytes, 256, 64);
			reseal(m.bytes + 256, 256, 64);
			area = area_of(&m);
			assert_int_equal(fm_label_info(area)->current, best[a][b]);
			fm_label_free(area);
		}
	}
}

static void set_bits_behind_the_last_slot_do_not_count(void **state)
{
	struct fm_label_area *area;

	memory_make(&m, 4096, FM_LABEL_V1_2);
	m.bytes[72 + 1] = 0xff;
	m.bytes[72 + 2] = 0xff;
	reseal(m.bytes, 256, 64);
	area = area_of(&m);
	assert_int_equal(fm_label_info(area)->current, 0);
	assert_int_equal(fm_label_info(area)->used, 0);
	fm_label_free(area);
}

/* --- changes ------------------------------------------------------------------------------------- */

static void what_is_added_is_read_back(void **state)
{
	for (unsigned version = 1; version <= 2; version++) {
		struct fm_label_area *area;
		const struct fm_label *l;

		memory_make(&m, 4096, version);
		memory_add(&m, 0, "naïve ☃", version);
		memory_add(&m, 1, "", version);
		area = area_of(&m);
		assert_int_equal(fm_label_info(area)->used, 2);
		l = fm_label_at(area, 0);
		assert_string_equal(l->name, "naïve ☃");
		assert_int_equal(l->slot, 1);
		assert_int_equal(l->flags, 0);
		assert_int_equal(l->rawsize, 2 * MIB);
		assert_int_equal(fm_label_use_of(l->abstraction_guid),
				 version == 2 ? FM_LABEL_FSDAX : FM_LABEL_RAW);
		assert_null(fm_label_finding(area, 0));
		fm_label_free(area);
	}
}

static void a_rename_keeps_all_but_the_name(void **state)
{
	struct fm_label before, after;
	struct fm_label_area *area;

	memory_make(&m, 4096, FM_LABEL_V1_2);
	memory_add(&m, 3, "a long name that is replaced", FM_LABEL_V1_2);
	area = area_of(&m);
	before = *fm_label_at(area, 0);
	fm_label_free(area);
	assert_int_equal(fm_label_rename(&m.medium, 1, before.uuid, "b", NULL), 0);
	area = area_of(&m);
	assert_int_equal(fm_label_info(area)->used, 1);
	after = *fm_label_at(area, 0);
	fm_label_free(area);
	memset(before.name, 0, sizeof(before.name));
	before.name[0] = 'b';
	before.slot = before.named_slot = after.slot;
	assert_memory_equal(&before, &after, sizeof(before));
}

static void a_deleted_namespace_is_gone_and_its_slot_free(void **state)
{
	struct fm_label l = label_number(0, "x", FM_LABEL_V1_1);
	struct fm_label_area *area;

	memory_make(&m, 1024, FM_LABEL_V1_1);
	memory_add(&m, 0, "x", FM_LABEL_V1_1);
	memory_reset(&m);
	assert_int_equal(fm_label_delete(&m.medium, 1, l.uuid, NULL), 0);
	assert_string_equal(m.log, "ws");
	area = area_of(&m);
	assert_int_equal(fm_label_info(area)->used, 0);
	fm_label_free(area);
	assert_int_equal(fm_label_delete(&m.medium, 1, l.uuid, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_label_rename(&m.medium, 1, l.uuid, "y", NULL), FM_ERR_NOT_FOUND);
}

static void one_slot_is_kept_in_reserve(void **state)
{
	struct fm_label l = label_number(3, "x", FM_LABEL_V1_1);
	uint8_t uuid[16];

	memory_make(&m, 1024, FM_LABEL_V1_1);
	for (unsigned i = 0; i < 3; i++)
		memory_add(&m, i, "x", FM_LABEL_V1_1);
	memory_reset(&m);
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), FM_ERR_NOSPACE);
	assert_int_equal(m.calls, 0);
	memset(uuid, 0x10, sizeof(uuid));
	assert_int_equal(fm_label_rename(&m.medium, 1, uuid, "y", NULL), 0);
}

static void a_label_that_cannot_be_is_refused_before_the_first_write(void **state)
{
	static const struct {
		int code;
		struct fm_label change;
	} rows[] = {
		{ FM_ERR_ARG, { .nlabel = 0, .rawsize = MIB } },
		{ FM_ERR_ARG, { .nlabel = 2, .position = 2, .rawsize = MIB } },
		{ FM_ERR_ARG, { .nlabel = 1, .rawsize = 0 } },
		{ FM_ERR_ARG, { .nlabel = 1, .rawsize = 2, .dpa = UINT64_MAX } },
		{ FM_ERR_ARG, { .nlabel = 1, .rawsize = MIB, .flags = 16 } },
		{ FM_ERR_ARG, { .nlabel = 1, .rawsize = MIB, .name = "\xc3" } },
		{ FM_ERR_ARG, { .nlabel = 1, .rawsize = MIB, .name = "\xed\xa0\x80" } },
		{ FM_ERR_OVERLAP, { .nlabel = 1, .rawsize = MIB, .dpa = 2 * MIB - 1 } },
		{ FM_ERR_OVERLAP, { .nlabel = 1, .rawsize = PMEM, .dpa = 0 } },
		{ FM_ERR_RANGE, { .nlabel = 1, .rawsize = MIB, .dpa = PMEM - MIB + 1 } },
	};
	struct fm_label l;

	memory_make(&m, 4096, FM_LABEL_V1_2);
	memory_add(&m, 0, "x", FM_LABEL_V1_2);
	memory_reset(&m);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		l = rows[i].change;
		memset(l.uuid, 9, sizeof(l.uuid));
		assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), rows[i].code);
	}
	l = label_number(0, "x", FM_LABEL_V1_2);
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), FM_ERR_EXISTS);
	memset(l.uuid, 0, sizeof(l.uuid));
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), FM_ERR_ARG);
	assert_int_equal(m.calls, 0);
	memory_init(&m, 4096);
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), FM_ERR_STATE);
	memory_make(&m, 4096, FM_LABEL_V1_1);
	l = label_number(0, "x", FM_LABEL_V1_2);
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), FM_ERR_ARG);
}

static void a_medium_that_fails_ends_the_change_with_the_old_or_the_new(void **state)
{
	uint8_t uuid[16];
	unsigned calls = 1;

	memset(uuid, 0x10, sizeof(uuid));
	for (unsigned fail = 1; fail <= calls; fail++) {
		struct fm_label_area *area;
		const char *name;

		memory_make(&m, 4096, FM_LABEL_V1_2);
		memory_add(&m, 0, "old", FM_LABEL_V1_2);
		memory_reset(&m);
		m.fail_at = fail;
		assert_int_equal(fm_label_rename(&m.medium, 1, uuid, "new", NULL), FM_ERR_IO);
		assert_int_equal(m.calls, fail);
		area = area_of(&m);
		name = fm_label_find(area, uuid)->name;
		assert_true(!strcmp(name, "old") || !strcmp(name, "new"));
		fm_label_free(area);
		/* And it can be tried again. */
		memory_reset(&m);
		assert_int_equal(fm_label_rename(&m.medium, 1, uuid, "new", NULL), 0);
		calls = m.calls;
	}
	assert_int_equal(calls, 8);
}

static void free_ranges_are_found_between_labels(void **state)
{
	struct fm_label_area *area;
	uint64_t dpa = 7, high = 0;

	memory_make(&m, 4096, FM_LABEL_V1_2);
	memory_add(&m, 0, "x", FM_LABEL_V1_2);
	memory_add(&m, 2, "x", FM_LABEL_V1_2);
	area = area_of(&m);
	assert_int_equal(fm_label_find_dpa(area, 0, PMEM, 2 * MIB, 2 * MIB, &dpa, NULL), 0);
	assert_int_equal(dpa, 2 * MIB);
	assert_int_equal(fm_label_find_dpa(area, 0, PMEM, 4 * MIB, 2 * MIB, &dpa, NULL), 0);
	assert_int_equal(dpa, 6 * MIB);
	assert_int_equal(fm_label_find_dpa(area, 0, PMEM, 2 * MIB, 16 * MIB, &dpa, NULL), 0);
	assert_int_equal(dpa, 16 * MIB);
	assert_int_equal(fm_label_find_dpa(area, 0, PMEM, 59 * MIB, MIB, &dpa, NULL),
			 FM_ERR_NOSPACE);
	assert_int_equal(fm_label_find_dpa(area, 0, PMEM, MIB, 3, &dpa, NULL), FM_ERR_ARG);
	/* Where one begins to look counts, aligned or not; what ends behind `end` is none. */
	assert_int_equal(
		fm_label_find_dpa(area, PMEM - 3 * MIB, PMEM, 3 * MIB, 2 * MIB, &high, NULL), 0);
	assert_int_equal(high, PMEM - 3 * MIB);
	assert_int_equal(
		fm_label_find_dpa(area, PMEM - 3 * MIB, PMEM - 1, 3 * MIB, 2 * MIB, &high, NULL),
		FM_ERR_NOSPACE);
	assert_int_equal(fm_label_find_dpa(area, PMEM, PMEM, 1, 1, &high, NULL), FM_ERR_NOSPACE);
	assert_int_equal(dpa, 16 * MIB);
	fm_label_free(area);
}

/* --- findings ------------------------------------------------------------------------------------ */

static void labels_that_linux_ignores_are_found(void **state)
{
	struct fm_label_area *area;
	uint8_t *slot = m.bytes + 512 + 256; /* labels end in slot 1 */
	uint8_t uuid[16];

	memset(uuid, 0x10, sizeof(uuid));
	memory_make(&m, 4096, FM_LABEL_V1_2);
	memory_add(&m, 0, "x", FM_LABEL_V1_2);
	slot[17] ^= 1;
	area = area_of(&m);
	assert_int_equal(finding(area, 0), FM_LABEL_BAD_CHECKSUM);
	assert_false(fm_label_at(area, 0)->checksum_ok);
	assert_null(fm_label_find(area, uuid));
	fm_label_free(area);
	slot[17] ^= 1;
	slot[120] = 7;
	reseal(slot, 256, 248);
	area = area_of(&m);
	assert_int_equal(finding(area, 0), FM_LABEL_BAD_SLOT);
	assert_true(fm_label_at(area, 0)->checksum_ok);
	assert_false(fm_label_at(area, 0)->valid);
	fm_label_free(area);
}

static void labels_that_contradict_others_are_found(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		enum fm_label_finding_kind kind;
	} rows[] = {
		{ 16, 0xff, FM_LABEL_BAD_NAME }, { 86, 1, FM_LABEL_BAD_POSITION },
		{ 80, 8, FM_LABEL_UNFINISHED },  { 108, 1, FM_LABEL_BEYOND },
		{ 106, 0, FM_LABEL_OVERLAP },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fm_label_area *area;
		uint8_t *slot = m.bytes + 512 + 128 * 2;

		memory_make(&m, 1024, FM_LABEL_V1_1);
		memory_add(&m, 0, "x", FM_LABEL_V1_1);
		memory_add(&m, 1, "x", FM_LABEL_V1_1);
		area = area_of(&m);
		assert_int_equal(fm_label_find(area, (const uint8_t *)"\x11\x11\x11\x11\x11\x11\x11"
								      "\x11\x11\x11\x11\x11\x11\x11"
								      "\x11\x11")
					 ->slot,
				 2);
		fm_label_free(area);
		slot[rows[i].at] = rows[i].value;
		area = area_of(&m);
		assert_string_equal(fm_label_finding_name(finding(area, 0)),
				    fm_label_finding_name(rows[i].kind));
		fm_label_free(area);
	}
}

/* --- sets ---------------------------------------------------------------------------------------- */

static void the_cookie_of_qemus_first_dimm_is_the_known_one(void **state)
{
	const struct fm_label_mapping dimm = { .serial = 0x123456, .vendor = 0x8086 };
	const struct fm_label_mapping two[2] = { { .region_offset = 4096, .serial = 2 },
						 { .serial = 1 } };
	const struct fm_label_mapping turned[2] = { two[1], two[0] };

	assert_int_equal(fm_label_cookie(FM_LABEL_V1_2, &dimm, 1), UINT64_C(0xba90120012b4dc));
	assert_int_equal(fm_label_cookie(FM_LABEL_V1_1, &dimm, 1), UINT64_C(0x2468ac00123456));
	assert_int_equal(fm_label_cookie(FM_LABEL_V1_2, two, 2),
			 fm_label_cookie(FM_LABEL_V1_2, turned, 2));
	assert_int_equal(fm_label_cookie(FM_LABEL_V1_2, two, 17), 0);
}

static void a_set_over_two_dimms_is_changed_in_both(void **state)
{
	struct fm_label_medium media[2];
	struct fm_label labels[2];
	struct fm_label_area *areas[2];
	struct fm_label_set set;

	memory_make(&m, 1024, FM_LABEL_V1_1);
	memory_make(&n, 4096, FM_LABEL_V1_2);
	media[0] = m.medium;
	media[1] = n.medium;
	labels[0] = label_number(0, "two", FM_LABEL_V1_1);
	labels[0].nlabel = 2;
	labels[1] = labels[0];
	labels[1].position = 1;
	assert_int_equal(fm_label_add(media, 2, labels, NULL), 0);
	assert_int_equal(fm_label_rename(media, 2, labels[0].uuid, "both", NULL), 0);
	areas[0] = area_of(&n);
	areas[1] = area_of(&m);
	assert_int_equal(fm_label_gather((const struct fm_label_area *const *)areas, 2, &set, 1),
			 1);
	assert_true(set.complete);
	assert_false(set.updating);
	assert_int_equal(set.first->position, 0);
	assert_int_equal(set.size, 4 * MIB);
	for (unsigned i = 0; i < 2; i++) {
		assert_string_equal(fm_label_at(areas[i], 0)->name, "both");
		fm_label_free(areas[i]);
	}
	assert_int_equal(fm_label_delete(media, 2, labels[0].uuid, NULL), 0);
	areas[0] = area_of(&n);
	assert_null(fm_label_at(areas[0], 0));
	fm_label_free(areas[0]);
}

/* Linux gives up the region where only its first DIMM has a label. */
static void the_first_dimm_gets_its_label_last_and_loses_it_first(void **state)
{
	for (unsigned lead = 0; lead < 2; lead++) {
		struct memory *first = lead ? &n : &m, *other = lead ? &m : &n;
		struct fm_label_medium media[2];
		struct fm_label labels[2];

		memory_make(&m, 1024, FM_LABEL_V1_2);
		memory_make(&n, 1024, FM_LABEL_V1_2);
		media[0] = m.medium;
		media[1] = n.medium;
		for (unsigned i = 0; i < 2; i++) {
			labels[i] = label_number(0, "two", FM_LABEL_V1_2);
			labels[i].nlabel = 2;
			labels[i].position = i != lead;
		}
		other->fail_at = 1;
		assert_int_equal(fm_label_add(media, 2, labels, NULL), FM_ERR_IO);
		assert_int_equal(first->calls, 0);
		memory_reset(&m);
		memory_reset(&n);
		assert_int_equal(fm_label_add(media, 2, labels, NULL), 0);
		memory_reset(&m);
		memory_reset(&n);
		first->fail_at = 1;
		assert_int_equal(fm_label_delete(media, 2, labels[0].uuid, NULL), FM_ERR_IO);
		assert_int_equal(other->calls, 0);
	}
}

static void words_are_read_as_they_are_written(void **state)
{
	uint8_t uuid[16], guid[16];
	char text[37];

	assert_true(fm_label_uuid_parse("F6D323f6-ad68-4090-9121-f4ab49c5628d", uuid));
	assert_int_equal(uuid[0], 0xf6);
	fm_label_uuid_text(uuid, text);
	assert_string_equal(text, "f6d323f6-ad68-4090-9121-f4ab49c5628d");
	assert_false(fm_label_uuid_parse("f6d323f6-ad68-4090-9121-f4ab49c5628", uuid));
	assert_false(fm_label_uuid_parse("f6d323f6+ad68-4090-9121-f4ab49c5628d", uuid));
	assert_false(fm_label_uuid_parse(NULL, uuid));
	for (unsigned use = 0; use < FM_LABEL_OTHER_USE; use++) {
		fm_label_use_guid((enum fm_label_use)use, guid);
		assert_int_equal(fm_label_use_of(guid), use);
	}
	guid[3] ^= 1;
	assert_string_equal(fm_label_use_name(fm_label_use_of(guid)), "other");
	for (unsigned kind = 0; kind < FM_LABEL_FINDING_COUNT; kind++)
		assert_non_null(fm_label_finding_name((enum fm_label_finding_kind)kind));
	assert_string_equal(fm_label_finding_name(FM_LABEL_FINDING_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_slots_that_fit_are_those_of_linux),
		cmocka_unit_test(areas_of_the_wrong_size_are_refused),
		cmocka_unit_test(each_field_of_an_index_block_that_lies_makes_it_invalid),
		cmocka_unit_test(of_two_index_blocks_the_later_counts),
		cmocka_unit_test(set_bits_behind_the_last_slot_do_not_count),
		cmocka_unit_test(what_is_added_is_read_back),
		cmocka_unit_test(a_rename_keeps_all_but_the_name),
		cmocka_unit_test(a_deleted_namespace_is_gone_and_its_slot_free),
		cmocka_unit_test(one_slot_is_kept_in_reserve),
		cmocka_unit_test(a_label_that_cannot_be_is_refused_before_the_first_write),
		cmocka_unit_test(a_medium_that_fails_ends_the_change_with_the_old_or_the_new),
		cmocka_unit_test(free_ranges_are_found_between_labels),
		cmocka_unit_test(labels_that_linux_ignores_are_found),
		cmocka_unit_test(labels_that_contradict_others_are_found),
		cmocka_unit_test(the_cookie_of_qemus_first_dimm_is_the_known_one),
		cmocka_unit_test(a_set_over_two_dimms_is_changed_in_both),
		cmocka_unit_test(the_first_dimm_gets_its_label_last_and_loses_it_first),
		cmocka_unit_test(words_are_read_as_they_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
