/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/mapmodel.h"

/* 16 pages of a device at 0x10000 in its space, and the view before. */
struct fixture {
	struct mapdev d;
	struct fm_space *space;
	struct fm_step *steps;
	size_t count;
	struct fm_error err;
};

#define PAGE 0x1000u

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	mapdev_init(&f->d, "dev", 0x100, 256, RWX, 0, 0);
	f->space = space_make(0, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->steps);
	fm_space_free(f->space);
	mapdev_exit(&f->d);
	free(f);
	return 0;
}

static void diff(struct fixture *f, const struct fm_view *from, const struct fm_view *to,
		 unsigned flags)
{
	free(f->steps);
	f->steps = (struct fm_step *)(void *)f; /* must be overwritten */
	assert_int_equal(fm_view_diff(from, to, PAGE, flags, &f->steps, &f->count, NULL), 0);
	assert_true(f->count ? f->steps != NULL : f->steps == NULL);
}

/* The diff from nothing to the space as it is. */
static void diff_all(struct fixture *f, unsigned flags)
{
	const struct fm_view *view = fm_space_view_get(f->space);

	diff(f, NULL, view, flags);
	fm_view_put(view);
}

static void expect(struct fixture *f, size_t i, enum fm_step_kind kind, uint64_t gpa, uint64_t len,
		   uint64_t dev_off, unsigned prot)
{
	assert_true(i < f->count);
	assert_int_equal(f->steps[i].kind, kind);
	assert_int_equal(f->steps[i].gpa, gpa);
	assert_int_equal(f->steps[i].len, len);
	assert_int_equal(f->steps[i].prot, prot);
	assert_ptr_equal(f->steps[i].block, f->d.block);
	assert_int_equal(f->steps[i].block_off, f->d.block_off + dev_off);
	assert_ptr_equal(f->steps[i].host, mapdev_bytes(&f->d) + dev_off);
}

static void set_prot(struct fixture *f, unsigned first_page, unsigned pages, unsigned prot)
{
	for (unsigned i = first_page * 16; i < (first_page + pages) * 16; i++)
		f->d.prot[i] = prot;
	mapdev_remapped(&f->d);
	assert_true(fm_space_refresh(f->space, NULL) >= 0);
}

static void wrong_arguments_are_refused(void **state)
{
	struct fixture *f = *state;
	struct fm_step *steps = NULL;
	size_t count = 77;

	assert_int_equal(fm_view_diff(NULL, NULL, 0, 0, &steps, &count, &f->err), FM_ERR_ARG);
	assert_int_equal(fm_view_diff(NULL, NULL, 0x1800, 0, &steps, &count, &f->err), FM_ERR_ARG);
	assert_non_null(strstr(f->err.msg, "0x1800"));
	assert_int_equal(fm_view_diff(NULL, NULL, PAGE, 0x10, &steps, &count, NULL), FM_ERR_ARG);
	assert_int_equal(count, 77);
	assert_null(steps);
}

static void from_nothing_to_nothing_takes_no_step(void **state)
{
	struct fixture *f = *state;

	diff(f, NULL, NULL, 0);
	assert_int_equal(f->count, 0);
	diff(f, NULL, NULL, FM_DIFF_WHOLE);
	assert_int_equal(f->count, 0);
}

static void only_whole_pages_are_mapped(void **state)
{
	struct fixture *f = *state;

	/* From the middle of one page to the middle of another. */
	add(f->space, window_at(f->d.dev, "w", 0x10800, 0x800, 0x2000, 0));
	diff_all(f, 0);
	assert_int_equal(f->count, 1);
	expect(f, 0, FM_STEP_MAP, 0x11000, 0x1000, 0x1000, RWX);
	/* Less than a page, and two parts of a page with no whole one between them. */
	add(f->space, window_at(f->d.dev, "small", 0x20100, 0x100, 0x100, 0));
	add(f->space, window_at(f->d.dev, "border", 0x30f00, 0xf00, 0x200, 0));
	diff_all(f, 0);
	assert_int_equal(f->count, 1);
}

static void neighbours_that_continue_one_another_are_one_mapping(void **state)
{
	struct fixture *f = *state;

	/* Three windows that meet inside a page. */
	add(f->space, window_at(f->d.dev, "a", 0x10000, 0, 0x800, 0));
	add(f->space, window_at(f->d.dev, "b", 0x10800, 0x800, 0x300, 1));
	add(f->space, window_at(f->d.dev, "c", 0x10b00, 0xb00, 0x1500, 0));
	diff_all(f, FM_DIFF_WHOLE);
	assert_int_equal(f->count, 1);
	expect(f, 0, FM_STEP_MAP, 0x10000, 0x2000, 0, RWX);
}

static void a_page_of_two_protections_traps(void **state)
{
	struct fixture *f = *state;

	f->d.prot[0x18] = RX; /* 0x1800 to 0x18ff */
	add(f->space, window_at(f->d.dev, "w", 0x10000, 0, 0x3000, 0));
	diff_all(f, 0);
	assert_int_equal(f->count, 2);
	expect(f, 0, FM_STEP_MAP, 0x10000, 0x1000, 0, RWX);
	expect(f, 1, FM_STEP_MAP, 0x12000, 0x1000, 0x2000, RWX);
}

static void host_and_guest_must_agree_on_where_pages_begin(void **state)
{
	struct fixture *f = *state;

	add(f->space, window_at(f->d.dev, "off", 0x10000, 0x100, 0x4000, 0));
	diff_all(f, 0);
	assert_int_equal(f->count, 0);
	add(f->space, window_at(f->d.dev, "on", 0x20100, 0x100, 0x4000, 0));
	diff_all(f, 0);
	assert_int_equal(f->count, 1);
	expect(f, 0, FM_STEP_MAP, 0x21000, 0x3000, 0x1000, RWX);
}

static void the_last_page_of_the_addresses_can_be_mapped(void **state)
{
	struct fixture *f = *state;

	add(f->space, window_at(f->d.dev, "top", -(uint64_t)0x2000, 0, 0x2000, 0));
	diff_all(f, 0);
	assert_int_equal(f->count, 1);
	expect(f, 0, FM_STEP_MAP, -(uint64_t)0x2000, 0x2000, 0, RWX);
	assert_int_equal(fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL), 0);
	/* It begins inside the last page: rounding up must not wrap. */
	add(f->space, window_at(f->d.dev, "top", -(uint64_t)0x800, 0x800, 0x800, 0));
	diff_all(f, 0);
	assert_int_equal(f->count, 0);
}

static void a_larger_page_maps_less(void **state)
{
	struct fixture *f = *state;
	const struct fm_view *view;

	add(f->space, window_at(f->d.dev, "w", 0x4000, 0, 0x10000, 0));
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_diff(NULL, view, 0x10000, 0, &f->steps, &f->count, NULL), 0);
	assert_int_equal(f->count, 0);
	assert_null(f->steps);
	fm_view_put(view);
}

static void a_hint_to_trap_is_followed_only_where_asked(void **state)
{
	struct fixture *f = *state;

	add(f->space, window_at(f->d.dev, "w", 0x10000, 0, 0x3000, 0));
	for (unsigned i = 16; i < 32; i++)
		f->d.flags[i] = FM_MAP_HINT_TRAP;
	mapdev_remapped(&f->d);
	assert_int_equal(fm_space_refresh(f->space, NULL), 1);
	diff_all(f, 0);
	assert_int_equal(f->count, 1);
	diff_all(f, FM_DIFF_FOLLOW_HINT);
	assert_int_equal(f->count, 2);
	expect(f, 1, FM_STEP_MAP, 0x12000, 0x1000, 0x2000, RWX);
}

static void steps_cut_mappings(void **state)
{
	struct fixture *f = *state;
	struct mapdev hole;
	const struct fm_view *before;
	const struct fm_view *after;

	mapdev_init(&hole, "hole", 0x1000, 1, 0, 0, 0);
	add(f->space, window_at(f->d.dev, "w", 0x10000, 0, 0x4000, 0));
	before = fm_space_view_get(f->space);
	add(f->space, window_at(hole.dev, "hole", 0x11000, 0, 0, 1));
	set_prot(f, 2, 1, RX);
	after = fm_space_view_get(f->space);
	diff(f, before, after, 0);
	assert_int_equal(f->count, 2);
	expect(f, 0, FM_STEP_UNMAP, 0x11000, 0x1000, 0x1000, RWX);
	expect(f, 1, FM_STEP_PROTECT, 0x12000, 0x1000, 0x2000, RX);
	diff(f, after, before, 0);
	assert_int_equal(f->count, 2);
	expect(f, 0, FM_STEP_PROTECT, 0x12000, 0x1000, 0x2000, RWX);
	expect(f, 1, FM_STEP_MAP, 0x11000, 0x1000, 0x1000, RWX);
	diff(f, after, after, 0);
	assert_int_equal(f->count, 0);
	fm_view_put(before);
	fm_view_put(after);
	fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL);
	fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL);
	mapdev_exit(&hole);
}

static void whole_mappings_are_unmapped_with_their_old_extent(void **state)
{
	struct fixture *f = *state;
	const struct fm_view *before;
	const struct fm_view *after;

	add(f->space, window_at(f->d.dev, "w", 0x10000, 0, 0x4000, 0));
	add(f->space, window_at(f->d.dev, "same", 0x20000, 0, 0x4000, 0));
	before = fm_space_view_get(f->space);
	/* One protection changes, and with it all of a mapping of which the rest stays. */
	assert_int_equal(fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL), 0);
	add(f->space, window_at(f->d.dev, "w", 0x10000, 0, 0x2000, 0));
	after = fm_space_view_get(f->space);
	diff(f, before, after, FM_DIFF_WHOLE);
	assert_int_equal(f->count, 2);
	expect(f, 0, FM_STEP_UNMAP, 0x10000, 0x4000, 0, RWX);
	expect(f, 1, FM_STEP_MAP, 0x10000, 0x2000, 0, RWX);
	fm_view_put(before);
	set_prot(f, 0, 4, RX);
	before = fm_space_view_get(f->space);
	diff(f, after, before, FM_DIFF_WHOLE);
	assert_int_equal(f->count, 4);
	expect(f, 0, FM_STEP_UNMAP, 0x10000, 0x2000, 0, RWX);
	expect(f, 1, FM_STEP_UNMAP, 0x20000, 0x4000, 0, RWX);
	expect(f, 2, FM_STEP_MAP, 0x10000, 0x2000, 0, RX);
	expect(f, 3, FM_STEP_MAP, 0x20000, 0x4000, 0, RX);
	fm_view_put(before);
	fm_view_put(after);
}

static void other_memory_at_the_same_place_is_unmapped_and_mapped(void **state)
{
	struct fixture *f = *state;
	struct fm_window *w = add(f->space, window_at(f->d.dev, "w", 0x10000, 0, 0x2000, 0));
	const struct fm_view *before = fm_space_view_get(f->space);
	const struct fm_view *after;

	fm_space_begin(f->space);
	assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	add(f->space, window_at(f->d.dev, "w", 0x10000, 0x4000, 0x2000, 0));
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	after = fm_space_view_get(f->space);
	diff(f, before, after, 0);
	assert_int_equal(f->count, 2);
	expect(f, 0, FM_STEP_UNMAP, 0x10000, 0x2000, 0, RWX);
	expect(f, 1, FM_STEP_MAP, 0x10000, 0x2000, 0x4000, RWX);
	fm_view_put(before);
	fm_view_put(after);
}

/* --- against a model --------------------------------------------------------------------- */

/* Take a step in the model, which checks that it is a step that can be taken. */
static void take(struct page *pages, uint64_t base, uint64_t page, const struct fm_step *s)
{
	assert_true(s->len && s->len % page == 0 && s->gpa % page == 0);
	assert_ptr_equal(s->host, (uint8_t *)fm_block_ptr(s->block) + s->block_off);
	for (uint64_t done = 0; done < s->len; done += page) {
		struct page *p = &pages[(s->gpa - base + done) / page];

		switch (s->kind) {
		case FM_STEP_UNMAP:
			assert_ptr_equal(p->host, s->host + done);
			assert_int_equal(p->prot, s->prot);
			*p = (struct page){ 0 };
			break;
		case FM_STEP_PROTECT:
			assert_ptr_equal(p->host, s->host + done);
			assert_int_not_equal(p->prot, s->prot);
			p->prot = s->prot;
			break;
		case FM_STEP_MAP:
			assert_null(p->host);
			p->host = s->host + done;
			p->prot = s->prot;
			break;
		}
	}
}

static void check_order(const struct fm_step *steps, size_t count)
{
	static const unsigned rank[] = {
		[FM_STEP_UNMAP] = 0, [FM_STEP_PROTECT] = 1, [FM_STEP_MAP] = 2
	};

	for (size_t i = 1; i < count; i++) {
		const struct fm_step *a = &steps[i - 1];
		const struct fm_step *b = &steps[i];

		assert_true(rank[a->kind] <= rank[b->kind]);
		if (a->kind != b->kind)
			continue;
		assert_true(a->gpa + (a->len - 1) < b->gpa);
		/* As few as can be. */
		assert_false(a->gpa + a->len == b->gpa && a->host + a->len == b->host &&
			     a->block == b->block && a->prot == b->prot);
	}
}

static void history(uint64_t seed, uint64_t base, unsigned flags)
{
	struct model *m = malloc(sizeof(*m));
	struct page pages[MODEL_PAGES] = { { 0 } };
	const struct fm_view *from = NULL;
	unsigned long total = 0;

	assert_non_null(m);
	model_init(m, seed, base, PAGE / 4, 4, PAGE / 4);
	m->slots = 24;
	m->longest = 48;
	for (unsigned i = 0; i < 2000; i++) {
		const struct fm_view *to;
		struct fm_step *steps;
		size_t count;

		model_step(m);
		to = fm_space_view_get(m->space);
		assert_int_equal(fm_view_diff(from, to, PAGE, flags, &steps, &count, NULL), 0);
		check_order(steps, count);
		for (size_t n = 0; n < count; n++)
			take(pages, base, PAGE, &steps[n]);
		for (unsigned n = 0; n < MODEL_PAGES; n++) {
			struct page p = page_of(to, base + n * (uint64_t)PAGE, PAGE, flags);

			assert_ptr_equal(pages[n].host, p.host);
			assert_int_equal(pages[n].prot, p.prot);
		}
		total += count;
		free(steps);
		fm_view_put(from);
		from = to;
	}
	print_message("seed %u: %lu steps\n", (unsigned)seed, total);
	assert_true(total > 300);
	fm_view_put(from);
	model_exit(m);
	free(m);
}

static void steps_lead_from_each_view_to_the_next(void **state)
{
	const uint64_t top = -(uint64_t)(MODEL_UNITS * (PAGE / 4));

	for (uint64_t seed = 1; seed <= 3; seed++) {
		history(seed, 0, 0);
		history(seed + 10, top, 0);
		history(seed + 20, 0x40000000, FM_DIFF_FOLLOW_HINT);
		history(seed + 30, 0, FM_DIFF_WHOLE);
		history(seed + 40, top, FM_DIFF_WHOLE | FM_DIFF_FOLLOW_HINT);
	}
}

int main(void)
{
#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		FACT(wrong_arguments_are_refused),
		FACT(from_nothing_to_nothing_takes_no_step),
		FACT(only_whole_pages_are_mapped),
		FACT(neighbours_that_continue_one_another_are_one_mapping),
		FACT(a_page_of_two_protections_traps),
		FACT(host_and_guest_must_agree_on_where_pages_begin),
		FACT(the_last_page_of_the_addresses_can_be_mapped),
		FACT(a_larger_page_maps_less),
		FACT(a_hint_to_trap_is_followed_only_where_asked),
		FACT(steps_cut_mappings),
		FACT(whole_mappings_are_unmapped_with_their_old_extent),
		FACT(other_memory_at_the_same_place_is_unmapped_and_mapped),
		cmocka_unit_test(steps_lead_from_each_view_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
