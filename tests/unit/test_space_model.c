/* SPDX-License-Identifier: BSD-2-Clause */
/* Random histories of a map against a model that looks at every unit of addresses by itself. */
#include "tests/unit/mapmodel.h"

#include "devices/space_private.h"

#include <time.h>

static void check_unit(const struct model *m, const struct fm_view *view,
		       const struct model_window *w, unsigned at)
{
	uint64_t gpa = model_gpa(m, at);
	const struct fm_range *r = fm_view_find(view, gpa);
	const struct mapdev *d;
	uint64_t skip;
	unsigned dev_at;

	assert_ptr_equal(fm_view_find(view, gpa + m->unit - 1), r);
	if (!w) {
		assert_null(r);
		return;
	}
	assert_non_null(r);
	d = &m->devs[w->dev];
	dev_at = w->dev_at + (at - w->at);
	skip = gpa - r->gpa;
	assert_ptr_equal(r->window, w->window);
	assert_ptr_equal(r->dev, d->dev);
	assert_int_equal(r->dev_off + skip, dev_at * m->unit);
	assert_int_equal(r->prot, d->prot[dev_at]);
	assert_int_equal(r->flags, d->flags[dev_at]);
	assert_int_equal(r->priority, w->priority);
	assert_ptr_equal(r->block, d->block);
	assert_int_equal(r->block_off + skip, d->block_off + dev_at * m->unit);
	assert_ptr_equal(r->host, (uint8_t *)fm_block_ptr(d->block) + r->block_off);
}

/* In order, apart, inside the model's addresses, and nothing in two that could be one. */
static void check_order(const struct model *m, const struct fm_view *view)
{
	const struct fm_range *a = NULL;

	for (size_t i = 0; i < fm_view_count(view); i++) {
		const struct fm_range *b = fm_view_range(view, i);

		assert_true(b->len && b->gpa >= m->base);
		assert_true(fmi_range_last(b) <= m->base + (MODEL_UNITS * m->unit - 1));
		if (a) {
			assert_true(b->gpa > fmi_range_last(a));
			assert_false(b->gpa == a->gpa + a->len && a->window == b->window &&
				     a->prot == b->prot && a->flags == b->flags);
		}
		a = b;
	}
}

static void check_chunks(const struct fm_view *view)
{
	size_t position = 0;

	for (size_t i = 0; i < view->nchunks; i++) {
		const struct fmi_chunk *c = view->index[i].chunk;

		assert_true(c->count && c->count <= FMI_CHUNK);
		assert_true(c->count >= FMI_CHUNK_MIN || i == view->nchunks - 1);
		assert_int_equal(view->index[i].position, position);
		assert_int_equal(view->index[i].gpa, c->ranges[0].gpa);
		position += c->count;
	}
	assert_int_equal(view->count, position);
}

static void check_full_render(struct model *m, const struct fm_view *view)
{
	struct fmi_span all = { .first = 0, .last = UINT64_MAX };
	struct fm_view *full = fmi_space_render(m->space, NULL, &all, 1);

	assert_non_null(full);
	assert_int_equal(fm_view_count(full), fm_view_count(view));
	assert_true(fmi_view_equal(full, view));
	fm_view_put(full);
}

static size_t check(struct model *m)
{
	const struct fm_view *view = fm_space_view_get(m->space);
	const struct model_window *seen[MODEL_UNITS];
	size_t count = fm_view_count(view);

	model_seen(m, seen);
	for (unsigned at = 0; at < MODEL_UNITS; at++)
		check_unit(m, view, seen[at], at);
	check_order(m, view);
	check_chunks(view);
	check_full_render(m, view);
	fm_view_put(view);
	return count;
}

static void history(uint64_t seed, uint64_t base, uint64_t unit, unsigned longest, unsigned steps)
{
	struct model *m = malloc(sizeof(*m));
	size_t most = 0;

	assert_non_null(m);
	model_init(m, seed, base, unit, 1, 0x10);
	m->longest = longest;
	for (unsigned i = 0; i < steps; i++) {
		size_t count;

		model_step(m);
		count = check(m);
		if (count > most)
			most = count;
	}
	print_message("seed %u: at most %zu ranges; %u adds %u removes %u moves %u toggles %u "
		      "remaps %u overlaps (%u in transactions)\n",
		      (unsigned)seed, most, m->adds, m->removes, m->moves, m->toggles, m->remaps,
		      m->overlaps, m->undone);
	/* Enough happened, and views had several chunks. */
	assert_true(most > 2 * FMI_CHUNK);
	assert_true(m->adds > steps / 20 && m->removes && m->moves > steps / 20);
	assert_true(m->overlaps > 10 && m->undone > 2 && m->remaps > steps / 20);
	model_exit(m);
	free(m);
}

static void every_step_equals_the_model_and_a_full_render(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++)
		history(seed, 0, 0x1000, 8, 1500);
}

static void every_step_equals_the_model_at_the_top_of_the_addresses(void **state)
{
	for (uint64_t seed = 11; seed <= 13; seed++)
		history(seed, -(uint64_t)(MODEL_UNITS * 0x40), 0x40, 4, 1500);
}

static void every_step_equals_the_model_somewhere_between(void **state)
{
	for (uint64_t seed = 21; seed <= 23; seed++)
		history(seed, 0x40000100, 0x100, 3, 1500);
}

/* Borders one byte apart find what borders a page apart forgive. */
static void every_step_equals_the_model_where_a_unit_is_a_byte(void **state)
{
	history(31, 0, 1, 3, 1500);
	history(32, -(uint64_t)MODEL_UNITS, 1, 3, 1500);
	history(33, 0x1001, 1, 3, 1500);
}

/* --- what a change costs ------------------------------------------------------------------ */

#define MANY 10000u

/* Of this thread alone: what else the machine does is not ours. */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double full_render_seconds(struct fm_space *space)
{
	struct fmi_span all = { .first = 0, .last = UINT64_MAX };
	double start = seconds();

	fm_view_put(fmi_space_render(space, NULL, &all, 1));
	return seconds() - start;
}

static struct fm_space *many_windows(struct mapdev *d, struct fm_window **windows)
{
	struct fm_space *space = space_make(0, 0);

	mapdev_init(d, "dev", 0x1000, 16, RWX, 0, 0);
	fm_space_begin(space);
	add(space, window_at(d->dev, "below", 0x1800, 0, 0x1000, -1));
	for (unsigned i = 0; i < MANY; i++)
		windows[i] = add(
			space, window_at(d->dev, NULL, i * 0x2000ull, i % 16 * 0x1000, 0x1000, 0));
	assert_int_equal(fm_space_commit(space, NULL), 0);
	return space;
}

static void a_change_asks_only_the_windows_it_touches(void **state)
{
	static struct fm_window *windows[MANY];
	static struct mapdev d;
	struct fm_space *space = many_windows(&d, windows);
	const struct fm_view *before = fm_space_view_get(space);
	const struct fm_view *after;
	size_t shared = 0;

	assert_int_equal(fm_view_count(before), MANY + 1);
	assert_true(d.maps >= MANY);
	d.maps = 0;
	assert_int_equal(fm_space_move(space, windows[5000], 5000 * 0x2000ull + 0x1000, NULL), 0);
	assert_int_equal(fm_space_enable(space, windows[10], false, NULL), 0);
	assert_int_equal(fm_space_remove(space, windows[0], NULL), 0);
	assert_true(d.maps <= 4);
	after = fm_space_view_get(space);
	assert_int_equal(fm_view_count(after), MANY - 1);
	for (size_t i = 0, j = 0; i < after->nchunks; i++) {
		while (j < before->nchunks && before->index[j].gpa < after->index[i].gpa)
			j++;
		if (j < before->nchunks)
			shared += before->index[j].chunk == after->index[i].chunk;
	}
	assert_true(shared + 6 >= before->nchunks);
	fm_view_put(before);
	fm_view_put(after);
	fm_space_free(space);
	mapdev_exit(&d);
}

static void a_retired_view_is_freed_when_the_last_access_has_left(void **state)
{
	static struct fm_window *windows[MANY];
	static struct mapdev d;
	struct fm_space *space = many_windows(&d, windows);
	struct fm_port *port = NULL;
	struct fm_view *used;

	assert_int_equal(fm_port_new(&port, space, NULL), 0);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(fm_space_enable(space, windows[i], false, NULL), 0);
		assert_null(space->retired);
	}
	/* As if an access were under way. */
	used = atomic_load(&space->view);
	atomic_store(&port->hazard, used);
	for (unsigned i = 10; i < 20; i++) {
		assert_int_equal(fm_space_enable(space, windows[i], false, NULL), 0);
		assert_ptr_equal(space->retired, used);
		assert_null(used->retired_next);
	}
	atomic_store(&port->hazard, NULL);
	fm_space_quiesce(space);
	assert_null(space->retired);
	fm_port_free(port);
	fm_space_free(space);
	mapdev_exit(&d);
}

static void a_change_among_10000_windows_costs_a_20th_of_a_full_render(void **state)
{
	static struct fm_window *windows[MANY];
	static struct mapdev d;
	struct fm_space *space = many_windows(&d, windows);
	double full = 1e9;
	double change = 1e9;

	/* The best of several: caches are cold at first. */
	for (unsigned n = 0; n < 5; n++) {
		double one = full_render_seconds(space);
		double start;

		full = one < full ? one : full;
		start = seconds();
		for (unsigned i = 0; i < 20; i++)
			fm_space_enable(space, windows[(n * 20 + i) * 97 % MANY], false, NULL);
		one = (seconds() - start) / 20;
		change = one < change ? one : change;
	}
	print_message("full render %.0f us, change %.1f us: 1/%.0f\n", full * 1e6, change * 1e6,
		      full / change);
	assert_true(change * 20 <= full);
	fm_space_free(space);
	mapdev_exit(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_equals_the_model_and_a_full_render),
		cmocka_unit_test(every_step_equals_the_model_at_the_top_of_the_addresses),
		cmocka_unit_test(every_step_equals_the_model_somewhere_between),
		cmocka_unit_test(every_step_equals_the_model_where_a_unit_is_a_byte),
		cmocka_unit_test(a_change_asks_only_the_windows_it_touches),
		cmocka_unit_test(a_retired_view_is_freed_when_the_last_access_has_left),
		cmocka_unit_test(a_change_among_10000_windows_costs_a_20th_of_a_full_render),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
