/* SPDX-License-Identifier: BSD-2-Clause */
/* Label areas that are initialised again, also as another version, and cut at each step. */
#include "tests/unit/label_unit.h"

enum cut {
	CUT_BEFORE, /* nothing of the write is there */
	CUT_FRONT,  /* its front half alone */
	CUT_BACK,
	CUTS
};

/* An area that takes `left` calls more. */
struct place {
	uint8_t *bytes;
	size_t len;
	unsigned left;
	enum cut cut;
};

static int place_write(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err)
{
	struct place *p = ctx;
	const uint8_t *from = bytes;
	size_t half = len / 2;

	assert_true(off <= p->len && len <= p->len - off);
	if (p->left) {
		p->left--;
		memcpy(p->bytes + off, from, len);
		return 0;
	}
	if (p->cut == CUT_FRONT)
		memcpy(p->bytes + off, from, half);
	if (p->cut == CUT_BACK)
		memcpy(p->bytes + off + half, from + half, len - half);
	return fm_error_set(err, FM_ERR_IO, 5, "a test's cut");
}

static int place_sync(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	return 0;
}

static struct fm_label_medium medium_of(struct place *p)
{
	return (struct fm_label_medium){
		sizeof(struct fm_label_medium), p->bytes, p->len, PMEM, p, place_write, place_sync
	};
}

/* Labels 1 to `count`, after one that is there no more; `count` tells also which block counts. */
static void fill(struct place *p, unsigned version, unsigned count)
{
	const struct fm_label_medium m = medium_of(p);
	struct fm_label l = label_number(0, "gone", version);

	p->left = UINT32_MAX;
	assert_int_equal(fm_label_init(&m, version, NULL), 0);
	for (unsigned i = 1; i < count; i++) {
		l = label_number(i, "kept", version);
		assert_int_equal(fm_label_add(&m, 1, &l, NULL), 0);
	}
	l = label_number(0, "gone", version);
	assert_int_equal(fm_label_add(&m, 1, &l, NULL), 0);
	if (count)
		assert_int_equal(fm_label_delete(&m, 1, l.uuid, NULL), 0);
}

static unsigned labels_in(const struct place *p, unsigned *version)
{
	struct fm_label_area *area;
	unsigned count = 0;

	assert_int_equal(fm_label_parse(&area, p->bytes, p->len, PMEM, NULL), 0);
	while (fm_label_at(area, count))
		count++;
	*version = fm_label_info(area)->current < 0 ? 0 : fm_label_info(area)->version;
	fm_label_free(area);
	return count;
}

/* Everything between the old labels and none. */
static void init_over(size_t len, unsigned from, unsigned to, unsigned count, enum cut cut)
{
	struct place p = { .bytes = malloc(len), .len = len };
	const struct fm_label_medium m = medium_of(&p);
	uint8_t *before = malloc(len);
	unsigned old, version, left;
	int rc = 1;

	assert_non_null(p.bytes);
	assert_non_null(before);
	memset(p.bytes, 0, len);
	fill(&p, from, count);
	memcpy(before, p.bytes, len);
	old = labels_in(&p, &version);
	assert_int_equal(old, count ? count - 1 : 1);
	for (unsigned calls = 0; rc; calls++) {
		memcpy(p.bytes, before, len);
		p.left = calls;
		p.cut = cut;
		rc = fm_label_init(&m, to, NULL);
		left = labels_in(&p, &version);
		assert_true(!left || left == old);
		assert_true(!left || version == from);
	}
	assert_int_equal(left, 0);
	assert_int_equal(version, to);
	free(p.bytes);
	free(before);
}

static void nothing_but_the_old_labels_or_none(void **state)
{
	/* From 188 KiB on the blocks of v1.1 are twice as long, and its second lies behind both of v1.2. */
	static const size_t sizes[] = { 1 << 10,   4 << 10,   128 << 10, 188416,
					256 << 10, 376 << 10, 1 << 20 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (unsigned pair = 0; pair < 4; pair++) {
			unsigned most = sizes[i] == 1024 ? 2 : 4;

			for (unsigned count = 0; count < most; count++) {
				for (unsigned cut = 0; cut < CUTS; cut++)
					init_over(sizes[i], 1 + pair / 2, 1 + pair % 2, count,
						  (enum cut)cut);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_but_the_old_labels_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
