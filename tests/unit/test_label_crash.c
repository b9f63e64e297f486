/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every image that a crash can leave of create, delete and rename of a namespace, over 1 to 4 DIMMs: the
 * namespace is the old one or the new one, and the one beside it is always there.
 */
#include "powercut/store_model.h"
#include "tests/unit/label_unit.h"

#define WAYS 4u
#define AREA 2048u

enum change {
	CREATE,
	DELETE,
	RENAME
};

/* What may be there: bits of what namespace 1 is. */
enum {
	GONE = 1 << 0,
	OLD = 1 << 1,
	NEW = 1 << 2
};

struct crash {
	struct fmi_store_model *model[WAYS];
	struct fm_label_medium medium[WAYS];
	struct dimm {
		struct crash *crash;
		unsigned number;
	} dimm[WAYS];
	struct fm_label_area *area[WAYS]; /* as durable, but for the one that is in flight */
	unsigned ways;
	unsigned syncs, skip; /* the sync that does nothing, from 1 */
	unsigned may;
	bool settled;  /* the change has returned: nothing may be half done */
	unsigned busy; /* the DIMM whose images are looked at */
	uint64_t states;
	int verdict; /* 0: all well so far */
};

/* --- what an image holds ------------------------------------------------------------------------- */

static unsigned found(const struct crash *c, uint8_t uuid_byte)
{
	struct fm_label_set sets[16];
	size_t n = fm_label_gather((const struct fm_label_area *const *)c->area, c->ways, sets, 16);
	unsigned what = GONE;

	assert_true(n <= 16);
	for (size_t i = 0; i < n; i++) {
		const struct fm_label *l = sets[i].first;

		if (l->uuid[0] != uuid_byte || l->uuid[15] != uuid_byte)
			continue;
		if (c->settled && (!sets[i].complete || sets[i].updating))
			return 0;
		if (!sets[i].complete)
			continue;
		if (what != GONE || l->rawsize != 2 * MIB || sets[i].size != c->ways * 2 * MIB)
			return 0;
		what = !strcmp(l->name, "old") ? OLD : !strcmp(l->name, "new") ? NEW : 0;
	}
	return what;
}

/* Once the change has returned no label has the old name, also where it is not the one that is shown. */
static bool all_new(const struct fm_label_area *area)
{
	const struct fm_label *l;

	for (size_t i = 0; (l = fm_label_at(area, i)); i++) {
		if (l->uuid[0] == 0x11 && strcmp(l->name, "new"))
			return false;
	}
	return true;
}

/* Every valid label is one of the two namespaces': nothing that nobody wrote. */
static bool no_garbage(const struct fm_label_area *area)
{
	const struct fm_label *l;

	for (size_t i = 0; (l = fm_label_at(area, i)); i++) {
		if (!l->valid || (l->uuid[0] != 0x10 && l->uuid[0] != 0x11) ||
		    l->uuid[0] != l->uuid[15] || l->isetcookie != 77 || l->lbasize != 512 ||
		    l->rawsize != 2 * MIB || l->nlabel == 0)
			return false;
	}
	return true;
}

static int check(void *ctx, const uint8_t *image, size_t len)
{
	struct crash *c = ctx;
	struct fm_label_area *area = NULL;
	int bad;

	assert_int_equal(fm_label_parse(&area, image, len, PMEM, NULL), 0);
	c->area[c->busy] = area;
	bad = fm_label_info(area)->current < 0 || !no_garbage(area) || found(c, 0x10) != OLD ||
	      !(found(c, 0x11) & c->may) || (c->settled && !all_new(area));
	fm_label_free(area);
	c->area[c->busy] = NULL;
	return bad;
}

static int first_image(void *ctx, const uint8_t *image, size_t len)
{
	memcpy(ctx, image, len);
	return 1;
}

/* The crash that comes now: the DIMM in flight in every state, the others as they are durable. */
static void crash_now(struct crash *c, unsigned busy)
{
	uint8_t image[AREA];
	uint64_t states = 0;

	if (c->verdict)
		return;
	c->busy = busy;
	for (unsigned i = 0; i < c->ways; i++) {
		if (i == busy)
			continue;
		/* The first image is what is durable. */
		fmi_store_each(c->model[i], first_image, image, &states);
		assert_int_equal(fm_label_parse(&c->area[i], image, AREA, PMEM, NULL), 0);
	}
	c->verdict = fmi_store_each(c->model[busy], check, c, &c->states);
	for (unsigned i = 0; i < c->ways; i++) {
		fm_label_free(c->area[i]);
		c->area[i] = NULL;
	}
}

/* --- the medium ---------------------------------------------------------------------------------- */

static int crash_write(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err)
{
	struct dimm *d = ctx;

	fmi_store_put(d->crash->model[d->number], off, bytes, len);
	return 0;
}

static int crash_sync(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	struct dimm *d = ctx;
	struct crash *c = d->crash;

	crash_now(c, d->number);
	if (++c->syncs == c->skip)
		return 0;
	fmi_store_flush(c->model[d->number], off, len);
	fmi_store_fence(c->model[d->number]);
	return 0;
}

static void start(struct crash *c, unsigned ways, unsigned version, enum change change)
{
	static struct memory m;

	memset(c, 0, sizeof(*c));
	c->ways = ways;
	for (unsigned i = 0; i < ways; i++) {
		struct fm_label l = label_number(0, "old", version);

		memory_make(&m, AREA, version);
		l.nlabel = (uint16_t)ways;
		l.position = (uint16_t)i;
		assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), 0);
		l = label_number(1, "old", version);
		l.nlabel = (uint16_t)ways;
		l.position = (uint16_t)i;
		if (change != CREATE)
			assert_int_equal(fm_label_add(&m.medium, 1, &l, NULL), 0);
		memory_wipe_free(&m);
		c->model[i] = fmi_store_new(FMI_STORE_ADR, m.bytes, AREA);
		assert_non_null(c->model[i]);
		c->dimm[i] = (struct dimm){ c, i };
		c->medium[i] = m.medium;
		c->medium[i].bytes = fmi_store_now(c->model[i]);
		c->medium[i].ctx = &c->dimm[i];
		c->medium[i].write = crash_write;
		c->medium[i].sync = crash_sync;
	}
}

static int make_change(struct crash *c, unsigned version, enum change change)
{
	struct fm_label labels[WAYS];
	uint8_t uuid[16];

	memset(uuid, 0x11, sizeof(uuid));
	switch (change) {
	case CREATE:
		c->may = GONE | NEW;
		for (unsigned i = 0; i < c->ways; i++) {
			labels[i] = label_number(1, "new", version);
			labels[i].nlabel = (uint16_t)c->ways;
			labels[i].position = (uint16_t)i;
		}
		return fm_label_add(c->medium, c->ways, labels, NULL);
	case DELETE:
		c->may = GONE | OLD;
		return fm_label_delete(c->medium, c->ways, uuid, NULL);
	case RENAME:
		c->may = OLD | NEW;
		return fm_label_rename(c->medium, c->ways, uuid, "new", NULL);
	}
	return -1;
}

/* What must be there once the change has returned, whatever comes then. */
static const unsigned after[] = { [CREATE] = NEW, [DELETE] = GONE, [RENAME] = NEW };

/* One change with the sync `skip` left out; how many syncs it made. 0 in *verdict: all was well. */
static unsigned play(unsigned ways, unsigned version, enum change change, unsigned skip,
		     int *verdict, uint64_t *states)
{
	static struct crash c;

	start(&c, ways, version, change);
	c.skip = skip;
	assert_int_equal(make_change(&c, version, change), 0);
	c.may = after[change];
	c.settled = true;
	for (unsigned i = 0; i < ways; i++)
		crash_now(&c, i);
	for (unsigned i = 0; i < ways; i++) {
		assert_false(fmi_store_broken(c.model[i]));
		fmi_store_free(c.model[i]);
	}
	*verdict = c.verdict;
	*states += c.states;
	return c.syncs;
}

/* --- tests --------------------------------------------------------------------------------------- */

static const char *const names[] = { "create", "delete", "rename" };

static void every_image_holds_the_old_or_the_new_namespace(void **state)
{
	for (unsigned version = 1; version <= 2; version++) {
		for (unsigned ways = 1; ways <= WAYS; ways++) {
			for (unsigned change = CREATE; change <= RENAME; change++) {
				uint64_t states = 0;
				int verdict;

				play(ways, version, (enum change)change, 0, &verdict, &states);
				if (verdict)
					fail_msg("v1.%u %s %u-way: an image is neither", version,
						 names[change], ways);
				assert_true(states > 2 * ways);
			}
		}
	}
}

static void without_any_one_fence_an_image_is_neither(void **state)
{
	for (unsigned version = 1; version <= 2; version++) {
		for (unsigned ways = 1; ways <= WAYS; ways++) {
			for (unsigned change = CREATE; change <= RENAME; change++) {
				unsigned syncs = 1;

				for (unsigned skip = 1; skip <= syncs; skip++) {
					uint64_t states = 0;
					int verdict;

					syncs = play(ways, version, (enum change)change, skip,
						     &verdict, &states);
					if (!verdict)
						fail_msg(
							"v1.%u %s %u-way: fence %u of %u is not missed",
							version, names[change], ways, skip, syncs);
				}
				assert_int_equal(syncs, change == DELETE ? ways : 4 * ways);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_image_holds_the_old_or_the_new_namespace),
		cmocka_unit_test(without_any_one_fence_an_image_is_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
