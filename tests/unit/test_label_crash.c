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
	enum fmi_store_domain domain;
	unsigned syncs, skip_sync; /* the whole one that is left out, from 1 */
	unsigned steps, skip_step; /* or a step of one */
	bool strict;               /* each sync must have made all durable that was stored before */
	uint64_t off;              /* what is in flight: nothing else may be */
	size_t len;
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

/* Is all as the program has it, but for what is in flight? */
static bool in_step(const struct crash *c, unsigned dimm, const uint8_t *image)
{
	const uint8_t *now = fmi_store_now(c->model[dimm]);
	size_t off = c->off, end = off + c->len;

	if (!c->strict)
		return true;
	if (dimm != c->busy)
		return !memcmp(image, now, AREA);
	return !memcmp(image, now, off) && !memcmp(image + end, now + end, AREA - end);
}

static int check(void *ctx, const uint8_t *image, size_t len)
{
	struct crash *c = ctx;
	struct fm_label_area *area = NULL;
	int bad;

	assert_int_equal(fm_label_parse(&area, image, len, PMEM, NULL), 0);
	c->area[c->busy] = area;
	bad = fm_label_info(area)->current < 0 || !no_garbage(area) || found(c, 0x10) != OLD ||
	      !(found(c, 0x11) & c->may) || (c->settled && !all_new(area)) ||
	      !in_step(c, c->busy, image);
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
		c->verdict |= !in_step(c, i, image);
	}
	if (!c->verdict)
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

/* What makes stores durable, step by step. */
enum step {
	FLUSH = 1,
	FENCE,
	HINT,
	MSYNC
};
static const enum step steps[][4] = {
	[FMI_STORE_ADR] = { FLUSH, FENCE },
	[FMI_STORE_HINT] = { FLUSH, FENCE, HINT, FENCE },
	[FMI_STORE_EADR] = { FLUSH, FENCE }, /* the first only tells the model which */
	[FMI_STORE_FILE] = { MSYNC },
};

static int crash_sync(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	struct dimm *d = ctx;
	struct crash *c = d->crash;
	struct fmi_store_model *model = c->model[d->number];

	c->off = off;
	c->len = len;
	crash_now(c, d->number);
	if (++c->syncs == c->skip_sync)
		return 0;
	for (unsigned i = 0; i < 4 && steps[c->domain][i]; i++) {
		if (++c->steps == c->skip_step)
			continue;
		switch (steps[c->domain][i]) {
		case FLUSH:
			fmi_store_flush(model, off, len);
			break;
		case FENCE:
			fmi_store_fence(model);
			break;
		case HINT:
			fmi_store_hint(model);
			break;
		case MSYNC:
			fmi_store_msync(model, off, len);
			break;
		}
	}
	return 0;
}

static void start(struct crash *c, enum fmi_store_domain domain, unsigned ways, unsigned version,
		  enum change change)
{
	static struct memory m;

	memset(c, 0, sizeof(*c));
	c->ways = ways;
	c->domain = domain;
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
		c->model[i] = fmi_store_new(domain, m.bytes, AREA);
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

struct game {
	enum fmi_store_domain domain;
	unsigned ways, version;
	enum change change;
	unsigned skip_sync, skip_step;
	bool lax;
};

/* One change. 0: all was well. *c is what came of it. */
static int play(const struct game *g, struct crash *c)
{
	start(c, g->domain, g->ways, g->version, g->change);
	c->skip_sync = g->skip_sync;
	c->skip_step = g->skip_step;
	c->strict = !g->lax;
	assert_int_equal(make_change(c, g->version, g->change), 0);
	c->may = after[g->change];
	c->settled = true;
	c->off = 0;
	c->len = 0;
	for (unsigned i = 0; i < g->ways; i++)
		crash_now(c, i);
	for (unsigned i = 0; i < g->ways; i++) {
		assert_false(fmi_store_broken(c->model[i]));
		fmi_store_free(c->model[i]);
	}
	return c->verdict;
}

/* The next one of all versions, numbers of DIMMs and changes; false behind the last. */
static bool next_game(struct game *g)
{
	if (++g->change <= RENAME)
		return true;
	g->change = CREATE;
	if (++g->ways <= WAYS)
		return true;
	g->ways = 1;
	return ++g->version <= 2;
}

/* --- tests --------------------------------------------------------------------------------------- */

static const char *const names[] = { "create", "delete", "rename" };
static const char *const domains[] = { "ADR", "flush hints", "eADR", "a file" };

static struct crash c;

static void every_image_holds_the_old_or_the_new(enum fmi_store_domain domain)
{
	struct game g = { .domain = domain, .ways = 1, .version = 1, .change = CREATE };

	do {
		if (play(&g, &c))
			fail_msg("%s: v1.%u %s %u-way: an image is neither", domains[domain],
				 g.version, names[g.change], g.ways);
		assert_true(c.states > 2 * g.ways);
		assert_int_equal(c.syncs, g.change == DELETE ? g.ways : 4 * g.ways);
	} while (next_game(&g));
}

static void every_image_holds_the_old_or_the_new_namespace(void **state)
{
	every_image_holds_the_old_or_the_new(FMI_STORE_ADR);
}

static void so_where_a_fence_is_not_enough_or_none_is_needed(void **state)
{
	every_image_holds_the_old_or_the_new(FMI_STORE_HINT);
	every_image_holds_the_old_or_the_new(FMI_STORE_EADR);
}

static void so_in_a_file_that_is_torn_at_512_bytes(void **state)
{
	every_image_holds_the_old_or_the_new(FMI_STORE_FILE);
}

static void missing(const struct game *g, const char *what, unsigned which, unsigned count)
{
	fail_msg("%s: v1.%u %s %u-way: %s %u of %u is not missed", domains[g->domain], g->version,
		 names[g->change], g->ways, what, which, count);
}

static void without_any_one_fence_an_image_is_neither(void **state)
{
	struct game g = { .ways = 1, .version = 1, .change = CREATE, .lax = true };

	do {
		unsigned count = 1;

		for (g.skip_sync = 1; g.skip_sync <= count; g.skip_sync++) {
			if (!play(&g, &c))
				missing(&g, "sync", g.skip_sync, c.syncs);
			count = c.syncs;
		}
	} while (next_game(&g));
}

/*
 * A fence alone that is left out may be made good by the next one: the namespace is none the worse. It still
 * is a promise of the medium's that was not kept, and there are images which show it.
 */
static void each_step_is_missed(enum fmi_store_domain domain, unsigned most_ways)
{
	struct game g = { .domain = domain, .ways = 1, .version = 1, .change = CREATE };

	do {
		unsigned count = g.ways <= most_ways;

		for (g.skip_step = 1; g.skip_step <= count; g.skip_step++) {
			if (!play(&g, &c))
				missing(&g, "step", g.skip_step, c.steps);
			count = c.steps;
		}
	} while (next_game(&g));
}

static void without_any_one_flush_or_fence_a_step_is_not_durable_before_the_next(void **state)
{
	each_step_is_missed(FMI_STORE_ADR, WAYS);
}

static void without_any_one_hint_a_step_is_not_durable_before_the_next(void **state)
{
	each_step_is_missed(FMI_STORE_HINT, 2);
}

static void without_any_one_msync_a_step_is_not_durable_before_the_next(void **state)
{
	each_step_is_missed(FMI_STORE_FILE, WAYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_image_holds_the_old_or_the_new_namespace),
		cmocka_unit_test(so_where_a_fence_is_not_enough_or_none_is_needed),
		cmocka_unit_test(so_in_a_file_that_is_torn_at_512_bytes),
		cmocka_unit_test(without_any_one_fence_an_image_is_neither),
		cmocka_unit_test(
			without_any_one_flush_or_fence_a_step_is_not_durable_before_the_next),
		cmocka_unit_test(without_any_one_hint_a_step_is_not_durable_before_the_next),
		cmocka_unit_test(without_any_one_msync_a_step_is_not_durable_before_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
