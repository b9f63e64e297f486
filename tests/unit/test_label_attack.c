/* SPDX-License-Identifier: BSD-2-Clause */
/* Label areas of every size, index blocks whose sums are right and whose fields are not, edges of 2^64. */
#include "tests/unit/label_unit.h"
#include "tests/unit/rng.h"

#include "devices/bytes.h"

#include <firmem/nvdimm_image.h>

static struct memory m, n;

static void reseal_index(uint8_t *p, size_t len)
{
	uint32_t lo = 0, hi = 0;

	fmi_put_le64(p + 64, 0);
	for (size_t i = 0; i < len; i += 4) {
		lo += fmi_le32(p + i);
		hi += lo;
	}
	fmi_put_le64(p + 64, (uint64_t)hi << 32 | lo);
}

/* --- sizes ----------------------------------------------------------------------------------------- */

struct exact {
	uint8_t *bytes; /* of just the size: sanitizers see what is beside it */
	size_t len;
};

static int exact_write(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err)
{
	struct exact *e = ctx;

	assert_true(off <= e->len && len <= e->len - off);
	memcpy(e->bytes + off, bytes, len);
	return 0;
}

static int exact_sync(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	return 0;
}

/* A life of an area of that size. */
static void live(size_t len, unsigned version)
{
	struct exact e = { malloc(len), len };
	struct fm_label_medium medium = { sizeof(medium), e.bytes,   len, PMEM, &e,
					  exact_write,    exact_sync };
	uint32_t slot_len = version == 1 ? 128 : 256, added = 0;
	struct fm_label_area *area;
	struct fm_label l;
	uint64_t ix;

	assert_non_null(e.bytes);
	memset(e.bytes, 0xa5, len);
	assert_int_equal(fm_label_init(&medium, version, NULL), 0);
	assert_int_equal(fm_label_parse(&area, e.bytes, len, PMEM, NULL), 0);
	ix = fm_label_info(area)->index_len;
	assert_null(fm_label_finding(area, 0));
	assert_true(ix % 256 == 0 && ix >= 72 + (fm_label_info(area)->nslot + 7) / 8);
	assert_true(fm_label_info(area)->nslot >= 2);
	/* Another slot does not fit, or one more would need larger index blocks. */
	assert_true(2 * ix + (uint64_t)fm_label_info(area)->nslot * slot_len <= len);
	fm_label_free(area);
	for (unsigned i = 0; i < 3; i++) {
		l = label_number(i, "a", version);
		added += fm_label_add(&medium, 1, &l, NULL) == 0;
	}
	assert_true(added >= 1);
	l = label_number(0, "b", version);
	assert_int_equal(fm_label_rename(&medium, 1, l.uuid, "b", NULL), 0);
	assert_int_equal(fm_label_parse(&area, e.bytes, len, PMEM, NULL), 0);
	assert_null(fm_label_finding(area, 0));
	assert_int_equal(fm_label_info(area)->used, added);
	assert_string_equal(fm_label_find(area, l.uuid)->name, "b");
	fm_label_free(area);
	assert_int_equal(fm_label_delete(&medium, 1, l.uuid, NULL), 0);
	free(e.bytes);
}

static void areas_of_every_size_live(void **state)
{
	for (unsigned version = 1; version <= 2; version++) {
		for (size_t len = 1024; len < 4200; len++)
			live(len, version);
		/* Where the index blocks get larger: 1472 slots are what fits into 256 bytes. */
		for (size_t len = 1470 * 128 * version; len < 1480 * 128 * version; len += 37)
			live(len, version);
		live(128 * 1024 - 1, version);
		live(128 * 1024 + 1, version);
	}
}

static void bytes_of_every_size_are_read(void **state)
{
	for (size_t len = 1024; len < 2048; len++) {
		uint8_t *bytes = malloc(len);
		struct fm_label_area *area;

		memset(bytes, (int)len, len);
		assert_int_equal(fm_label_parse(&area, bytes, len, 0, NULL), 0);
		assert_int_equal(fm_label_info(area)->current, -1);
		assert_non_null(fm_label_finding(area, 0));
		fm_label_free(area);
		free(bytes);
	}
}

/* --- index blocks that lie, with right sums -------------------------------------------------------- */

/* Which block counts once both have that field. */
static int current_with(unsigned at, unsigned size, uint64_t a, uint64_t b)
{
	struct fm_label_area *area;
	uint64_t v[2] = { a, b };
	int current;

	memory_make(&m, 4096, FM_LABEL_V1_2);
	memory_add(&m, 0, "a", FM_LABEL_V1_2);
	for (unsigned i = 0; i < 2; i++) {
		memcpy(m.bytes + 256 * i + at, &v[i], size);
		reseal_index(m.bytes + 256 * i, 256);
	}
	area = area_of(&m);
	current = fm_label_info(area)->current;
	fm_label_free(area);
	return current;
}

static void sequence_numbers_count_by_their_last_two_bits(void **state)
{
	static const struct {
		uint32_t a, b;
		int current;
	} rows[] = {
		{ 0, 0, -1 },
		{ 4, 8, -1 },
		{ 0, 1, 1 },
		{ 3, 0, 0 },
		{ 1, 2, 1 },
		{ 2, 1, 0 },
		{ 3, 1, 1 },
		{ 1, 3, 0 },
		{ 2, 2, 1 },
		{ 0xfffffffd, 0x7ffffffe, 1 },
		{ 0x80000002, 0xfffffffd, 0 },
		{ UINT32_MAX, UINT32_MAX, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (current_with(20, 4, rows[i].a, rows[i].b) != rows[i].current)
			fail_msg("row %zu", i);
	}
}

static void sizes_and_offsets_that_lie_make_a_block_not_count(void **state)
{
	static const struct {
		unsigned at, size;
		uint64_t good[2], bad;
	} rows[] = {
		{ 24, 8, { 0, 256 }, 1 },
		{ 24, 8, { 0, 256 }, UINT64_MAX },
		{ 32, 8, { 72, 256 }, 71 }, /* a smaller one is fine, if the bitmap can be in it */
		{ 32, 8, { 256, 256 }, 257 },
		{ 32, 8, { 256, 256 }, UINT64_C(1) << 63 },
		{ 40, 8, { 256, 0 }, UINT64_MAX },
		{ 48, 8, { 512, 512 }, 256 },
		{ 48, 8, { 512, 512 }, UINT64_C(1) << 32 },
		{ 56, 4, { 14, 14 }, 15 },
		{ 56, 4, { 13, 1 }, UINT32_MAX },
		{ 56, 4, { 14, 14 }, 0x80000000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const uint64_t *good = rows[i].good;

		if (current_with(rows[i].at, rows[i].size, good[0], good[1]) < 0 ||
		    current_with(rows[i].at, rows[i].size, rows[i].bad, good[1]) != 1 ||
		    current_with(rows[i].at, rows[i].size, good[0], rows[i].bad) != 0 ||
		    current_with(rows[i].at, rows[i].size, rows[i].bad, rows[i].bad) != -1)
			fail_msg("row %zu", i);
	}
}

static void fewer_slots_than_fit_are_all_that_is_used(void **state)
{
	for (uint32_t nslot = 0; nslot <= 14; nslot++) {
		struct fm_label l = label_number(0, "a", FM_LABEL_V1_2);
		struct fm_label_area *area;
		uint8_t before[4096];
		int rc;

		memory_make(&m, 4096, FM_LABEL_V1_2);
		for (unsigned i = 0; i < 2; i++) {
			fmi_put_le32(m.bytes + 256 * i + 56, nslot);
			reseal_index(m.bytes + 256 * i, 256);
		}
		memset(m.bytes + 512, 0xee, 4096 - 512);
		memcpy(before, m.bytes, 4096);
		rc = fm_label_add(&m.medium, 1, &l, NULL);
		assert_int_equal(rc, nslot < 2 ? FM_ERR_NOSPACE : 0);
		assert_memory_equal(m.bytes + 512 + 256 * nslot, before + 512 + 256 * nslot,
				    4096 - 512 - 256 * nslot);
		area = area_of(&m);
		assert_int_equal(fm_label_info(area)->nslot, nslot);
		assert_int_equal(fm_label_info(area)->used, rc == 0);
		fm_label_free(area);
	}
}

static void of_blocks_of_two_versions_those_of_128_bytes_count(void **state)
{
	for (unsigned first = 1; first <= 2; first++) {
		struct fm_label l = label_number(3, "x", first == 1 ? 1 : 2);
		struct fm_label_area *area;

		/* Block 0 of one version, block 1 of the other; each alone would count. */
		memory_make(&m, 4096, first);
		memory_make(&n, 4096, 3 - first);
		memcpy(m.bytes + 256, n.bytes + 256, 256);
		area = area_of(&m);
		assert_int_equal(fm_label_info(area)->slot_len, 128);
		assert_int_equal(fm_label_info(area)->current, first == 1 ? 0 : 1);
		assert_int_equal((int)fm_label_finding(area, 0)->kind, FM_LABEL_BAD_INDEX);
		fm_label_free(area);
		/* A change writes the other block: then both are of one version. */
		memset(l.abstraction_guid, 0, 16);
		assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), 0);
		area = area_of(&m);
		assert_true(fm_label_info(area)->index_ok[0] && fm_label_info(area)->index_ok[1]);
		assert_non_null(fm_label_find(area, l.uuid));
		fm_label_free(area);
	}
}

static void slots_of_128_bytes_may_be_of_version_1_2(void **state)
{
	struct fm_label_area *area;
	struct fm_label l = label_number(0, "a", FM_LABEL_V1_1);

	memory_make(&m, 4096, FM_LABEL_V1_1);
	for (unsigned i = 0; i < 2; i++) {
		fmi_put_le16(m.bytes + 256 * i + 62, 2);
		reseal_index(m.bytes + 256 * i, 256);
	}
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), 0);
	area = area_of(&m);
	assert_int_equal(fm_label_info(area)->version, 2);
	assert_int_equal(fm_label_info(area)->slot_len, 128);
	assert_true(fm_label_find(area, l.uuid)->valid);
	fm_label_free(area);
}

/* Linux takes any version; the cookies of v1.1 are for that alone. */
static void a_version_is_told_as_it_stands_there(void **state)
{
	static const struct {
		uint16_t major, minor;
		unsigned version;
	} rows[] = { { 1, 1, FM_LABEL_V1_1 }, { 1, 0, FM_LABEL_V1_2 }, { 0, 1, FM_LABEL_V1_2 } };

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fm_label_area *area;

		memory_make(&m, 4096, FM_LABEL_V1_1);
		for (unsigned k = 0; k < 2; k++) {
			fmi_put_le16(m.bytes + 256 * k + 60, rows[i].major);
			fmi_put_le16(m.bytes + 256 * k + 62, rows[i].minor);
			reseal_index(m.bytes + 256 * k, 256);
		}
		area = area_of(&m);
		assert_true(fm_label_info(area)->current >= 0);
		assert_int_equal(fm_label_info(area)->major, rows[i].major);
		assert_int_equal(fm_label_info(area)->minor, rows[i].minor);
		assert_int_equal(fm_label_info(area)->version, rows[i].version);
		fm_label_free(area);
	}
}

/* --- labels in any order --------------------------------------------------------------------------- */

#define LABELS 100u

static unsigned findings_of(const struct fm_label_area *area, enum fm_label_finding_kind kind)
{
	const struct fm_label_finding *f;
	unsigned count = 0;

	for (size_t i = 0; (f = fm_label_finding(area, i)); i++)
		count += f->kind == kind;
	return count;
}

/* Is `l` in the bytes of one that begins before it, or is it the second of its kind? */
static bool overlaps(const struct fm_label *all, const struct fm_label *l)
{
	for (const struct fm_label *o = all; o < all + LABELS; o++) {
		if (o != l && (o->dpa < l->dpa || (o->dpa == l->dpa && o < l)) &&
		    l->dpa - o->dpa < o->rawsize)
			return true;
	}
	return false;
}

static bool repeats(const struct fm_label *all, const struct fm_label *l)
{
	for (const struct fm_label *o = all; o < l; o++) {
		if (!memcmp(o->uuid, l->uuid, 16) && o->position == l->position)
			return true;
	}
	return false;
}

static void labels_in_any_order_have_the_findings_of_every_pair(void **state)
{
	static struct fm_label all[LABELS];
	struct rng r = { 5 };

	for (unsigned round = 0; round < 200; round++) {
		unsigned overlap = 0, repeat = 0, spread = round % 2 ? 4000 : 100;
		struct fm_label_area *area;

		memory_make(&m, 32768, FM_LABEL_V1_2);
		for (uint32_t i = 0; i < LABELS; i++) {
			all[i] = label_number(0, "x", FM_LABEL_V1_2);
			fmi_put_le32(all[i].uuid, rng_below(&r, spread));
			all[i].nlabel = 2;
			all[i].position = (uint16_t)rng_below(&r, 2);
			all[i].named_slot = i;
			all[i].rawsize = 1 + rng_below(&r, 64);
			all[i].dpa = round % 3 ? rng_below(&r, 64 * spread) : 64 * i;
			fm_label_encode(&all[i], 256, m.bytes + 512 + 256 * i);
			m.bytes[72 + i / 8] &= (uint8_t) ~(1u << i % 8);
		}
		reseal_index(m.bytes, 256);
		for (uint32_t i = 0; i < LABELS; i++) {
			overlap += overlaps(all, &all[i]);
			repeat += repeats(all, &all[i]);
		}
		area = area_of(&m);
		assert_int_equal(fm_label_info(area)->used, LABELS);
		assert_int_equal(findings_of(area, FM_LABEL_OVERLAP), overlap);
		assert_int_equal(findings_of(area, FM_LABEL_DUPLICATE), repeat);
		fm_label_free(area);
	}
}

/* --- the edge of 2^64 ------------------------------------------------------------------------------ */

static void a_label_that_ends_at_2_to_the_64_claims_its_bytes(void **state)
{
	struct fm_label l = label_number(0, "end", FM_LABEL_V1_2);
	struct fm_label other = label_number(1, "other", FM_LABEL_V1_2);
	struct fm_label_area *area;
	uint64_t dpa = 5;

	memory_make(&m, 4096, FM_LABEL_V1_2);
	m.medium.pmem_len = 0; /* not known */
	l.rawsize = 1ull << 40;
	l.dpa = 0 - l.rawsize;
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), 0);
	other.dpa = UINT64_MAX;
	other.rawsize = 1;
	assert_int_equal(fm_label_add(&m.medium, 1, &other, NULL), FM_ERR_OVERLAP);
	other.dpa = l.dpa - 1;
	other.rawsize = 2;
	assert_int_equal(fm_label_add(&m.medium, 1, &other, NULL), FM_ERR_OVERLAP);
	other.rawsize = 1;
	assert_int_equal(fm_label_add(&m.medium, 1, &other, NULL), 0);
	assert_int_equal(fm_label_parse(&area, m.bytes, 4096, 0, NULL), 0);
	assert_null(fm_label_finding(area, 0));
	/* All but what the two have is free; behind them there is nothing. */
	assert_int_equal(fm_label_find_dpa(area, 0, UINT64_MAX, l.dpa - 1, 1, &dpa, NULL), 0);
	assert_int_equal(dpa, 0);
	assert_int_equal(fm_label_find_dpa(area, 0, UINT64_MAX, l.dpa, 1, &dpa, NULL),
			 FM_ERR_NOSPACE);
	assert_int_equal(fm_label_find_dpa(area, 0, UINT64_MAX, UINT64_MAX, 1ull << 63, &dpa, NULL),
			 FM_ERR_NOSPACE);
	fm_label_free(area);
	/* Once the rest is taken too there is nothing, at the end either. */
	other = label_number(2, "rest", FM_LABEL_V1_2);
	other.dpa = 0;
	other.rawsize = l.dpa - 1;
	assert_int_equal(fm_label_add(&m.medium, 1, &other, NULL), 0);
	assert_int_equal(fm_label_parse(&area, m.bytes, 4096, 0, NULL), 0);
	assert_int_equal(fm_label_find_dpa(area, 0, UINT64_MAX, 4096, 4096, &dpa, NULL),
			 FM_ERR_NOSPACE);
	fm_label_free(area);
}

static void a_label_that_wraps_claims_all_behind_it(void **state)
{
	struct fm_label l = label_number(0, "wraps", FM_LABEL_V1_2);
	struct fm_label_area *area;
	uint64_t dpa = 5;

	memory_make(&m, 4096, FM_LABEL_V1_2);
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), 0);
	l.dpa = 8 * MIB;
	l.rawsize = UINT64_MAX - MIB;
	l.named_slot = 1;
	fm_label_encode(&l, 256, m.bytes + 512 + 256);
	area = area_of(&m);
	assert_true(fm_label_find(area, l.uuid)->rawsize == l.rawsize);
	assert_int_equal(fm_label_find_dpa(area, 0, PMEM, 8 * MIB, MIB, &dpa, NULL), 0);
	assert_int_equal(dpa, 0);
	assert_int_equal(fm_label_find_dpa(area, 0, PMEM, 9 * MIB, MIB, &dpa, NULL),
			 FM_ERR_NOSPACE);
	fm_label_free(area);
	/* What it finds is what can be added. */
	l = label_number(1, "behind", FM_LABEL_V1_2);
	l.dpa = 16 * MIB;
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), FM_ERR_OVERLAP);
	l.dpa = 0;
	l.rawsize = 8 * MIB;
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), 0);
}

static void numbers_beyond_2_to_the_63_are_numbers(void **state)
{
	struct fm_label l = label_number(0, "high", FM_LABEL_V1_2);
	struct fm_label_area *area;
	uint64_t dpa = 0;

	memory_make(&m, 4096, FM_LABEL_V1_2);
	m.medium.pmem_len = UINT64_MAX;
	l.dpa = 0;
	l.rawsize = (1ull << 63) + 4096;
	assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), 0);
	assert_int_equal(fm_label_parse(&area, m.bytes, 4096, UINT64_MAX, NULL), 0);
	assert_int_equal(fm_label_find_dpa(area, 0, UINT64_MAX, 4096, 1ull << 62, &dpa, NULL), 0);
	assert_true(dpa == 3ull << 62);
	assert_null(fm_label_finding(area, 0));
	fm_label_free(area);
}

/* --- callers of other versions --------------------------------------------------------------------- */

/* A later version's medium, with a field that we do not know. */
struct later {
	struct fm_label_medium medium;
	uint64_t more;
};

static void a_later_callers_media_are_as_far_apart_as_they_are(void **state)
{
	struct fm_label l[2] = { label_number(0, "a", 2), label_number(0, "a", 2) };
	struct later areas[2];

	memory_make(&m, 4096, FM_LABEL_V1_2);
	memory_make(&n, 4096, FM_LABEL_V1_2);
	memset(areas, 0, sizeof(areas));
	areas[0].medium = m.medium;
	areas[1].medium = n.medium;
	areas[0].medium.struct_size = areas[1].medium.struct_size = sizeof(struct later);
	l[0].nlabel = l[1].nlabel = 2;
	l[1].position = 1;
	assert_int_equal(fm_label_add(&areas[0].medium, 2, l, NULL), 0);
	assert_int_equal(n.writes, 4);
	assert_int_equal(fm_label_delete(&areas[0].medium, 2, l[0].uuid, NULL), 0);
	assert_int_equal(fm_label_init(&areas[1].medium, FM_LABEL_V1_1, NULL), 0);
	areas[1].more = 1;
	assert_int_equal(fm_label_add(&areas[0].medium, 2, l, NULL), FM_ERR_ARG);
	assert_int_equal(fm_label_init(&areas[1].medium, FM_LABEL_V1_1, NULL), FM_ERR_ARG);
	areas[1].more = 0;
	areas[1].medium.struct_size = sizeof(struct fm_label_medium);
	assert_int_equal(fm_label_add(&areas[0].medium, 2, l, NULL), FM_ERR_ARG);
}

static void an_earlier_callers_medium_lacks_what_it_must_have(void **state)
{
	memory_make(&m, 4096, FM_LABEL_V1_2);
	for (size_t size = 0; size < sizeof(m.medium); size += 8) {
		m.medium.struct_size = size;
		assert_int_equal(fm_label_init(&m.medium, FM_LABEL_V1_2, NULL), FM_ERR_ARG);
	}
	assert_int_equal(fm_label_init(NULL, FM_LABEL_V1_2, NULL), FM_ERR_ARG);
	assert_int_equal(m.calls, 0);
}

static void an_area_that_is_given_twice_is_refused(void **state)
{
	struct fm_label l[2] = { label_number(0, "a", 2), label_number(1, "b", 2) };
	struct fm_label_medium twice[2];

	memory_make(&m, 4096, FM_LABEL_V1_2);
	twice[0] = twice[1] = m.medium;
	assert_int_equal(fm_label_add(twice, 2, l, NULL), FM_ERR_ARG);
	assert_int_equal(m.calls, 0);
}

static void a_later_callers_image_config_is_taken(void **state)
{
	struct {
		struct fm_nvdimm_image_config cfg;
		uint64_t more;
	} later;

	memset(&later, 0, sizeof(later));
	later.cfg = (struct fm_nvdimm_image_config){ .struct_size = sizeof(later),
						     .path = "/nonexistent/nv.img",
						     .pmem_len = FM_NVDIMM_ALIGN };
	assert_int_equal(fm_nvdimm_image_create(&later.cfg, NULL), FM_ERR_NOT_FOUND);
	later.more = 1;
	assert_int_equal(fm_nvdimm_image_create(&later.cfg, NULL), FM_ERR_ARG);
	later.more = 0;
	later.cfg.struct_size = offsetof(struct fm_nvdimm_image_config, label_len);
	assert_int_equal(fm_nvdimm_image_create(&later.cfg, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_nvdimm_image_grow(NULL, NULL), FM_ERR_ARG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(areas_of_every_size_live),
		cmocka_unit_test(bytes_of_every_size_are_read),
		cmocka_unit_test(sequence_numbers_count_by_their_last_two_bits),
		cmocka_unit_test(sizes_and_offsets_that_lie_make_a_block_not_count),
		cmocka_unit_test(fewer_slots_than_fit_are_all_that_is_used),
		cmocka_unit_test(of_blocks_of_two_versions_those_of_128_bytes_count),
		cmocka_unit_test(slots_of_128_bytes_may_be_of_version_1_2),
		cmocka_unit_test(a_version_is_told_as_it_stands_there),
		cmocka_unit_test(labels_in_any_order_have_the_findings_of_every_pair),
		cmocka_unit_test(a_label_that_ends_at_2_to_the_64_claims_its_bytes),
		cmocka_unit_test(a_label_that_wraps_claims_all_behind_it),
		cmocka_unit_test(numbers_beyond_2_to_the_63_are_numbers),
		cmocka_unit_test(a_later_callers_media_are_as_far_apart_as_they_are),
		cmocka_unit_test(an_earlier_callers_medium_lacks_what_it_must_have),
		cmocka_unit_test(an_area_that_is_given_twice_is_refused),
		cmocka_unit_test(a_later_callers_image_config_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
