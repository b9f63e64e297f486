/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation of every call fails once: the call says FM_ERR_NOMEM and nothing has changed.
 */
#include "tests/unit/mapdev.h"
#include "tests/unit/nomem.h"

#include "devices/space_private.h"

#include <firmem/machine.h>
#include <firmem/ram.h>

/* A refresh says 1 where the view changed: no failure either. */
static int not_above_zero(int rc)
{
	return rc < 0 ? rc : 0;
}

#define FAIL_EACH(call, unchanged) NOMEM_EACH(not_above_zero(call), unchanged)

/* --- the space --------------------------------------------------------------------------- */

#define WINDOWS 100u

struct fixture {
	struct mapdev d[20];
	struct fm_space *space;
	struct fm_window *w[WINDOWS];
	/* How it was. */
	const struct fm_view *view;
	struct fm_window *walk[WINDOWS + 1];
	uint64_t gpas[WINDOWS + 1];
	bool enabled[WINDOWS + 1];
	size_t count;
};

static void remember(struct fixture *f)
{
	struct fm_window *w = NULL;

	fm_view_put(f->view);
	f->view = fm_space_view_get(f->space);
	f->count = 0;
	while ((w = fm_space_next_window(f->space, w))) {
		f->walk[f->count] = w;
		f->gpas[f->count] = fm_window_gpa(w);
		f->enabled[f->count++] = fm_window_enabled(w);
	}
}

static void unchanged(struct fixture *f)
{
	const struct fm_view *view = fm_space_view_get(f->space);
	struct fm_window *w = NULL;

	assert_ptr_equal(view, f->view);
	fm_view_put(view);
	for (size_t i = 0; i < f->count; i++) {
		w = fm_space_next_window(f->space, w);
		assert_ptr_equal(w, f->walk[i]);
		assert_int_equal(fm_window_gpa(w), f->gpas[i]);
		assert_int_equal(fm_window_enabled(w), f->enabled[i]);
	}
	assert_null(fm_space_next_window(f->space, w));
}

/* The view is what the windows say. */
static void whole(struct fixture *f)
{
	struct fmi_span all = { .first = 0, .last = UINT64_MAX };
	struct fm_view *full = fmi_space_render(f->space, NULL, &all, 1);
	const struct fm_view *view = fm_space_view_get(f->space);

	assert_true(fmi_view_equal(full, view));
	fm_view_put(full);
	fm_view_put(view);
}

static int transaction(struct fixture *f)
{
	struct fm_window_config cfg = window_at(f->d[19].dev, "new", 0x800000, 0, 0, 0);
	int rc;

	fm_space_begin(f->space);
	rc = fm_space_add(f->space, &cfg, NULL, NULL);
	for (unsigned i = 0; !rc && i < 6; i++)
		rc = fm_space_move(f->space, f->w[10 + i], 0x900000 + i * 0x1000ull, NULL);
	if (!rc)
		rc = fm_space_remove(f->space, f->w[20], NULL);
	if (!rc)
		rc = fm_space_enable(f->space, f->w[21], false, NULL);
	if (rc) {
		fm_space_abort(f->space);
		return rc;
	}
	return fm_space_commit(f->space, NULL);
}

static int add_many(struct fixture *f, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		struct fm_window_config cfg =
			window_at(f->d[i % 18].dev, NULL, i * 0x2000ull, i % 4 * 0x1000, 0x1000, 0);
		int rc = fm_space_add(f->space, &cfg, &f->w[i], NULL);

		if (rc)
			return rc;
	}
	return 0;
}

static void a_change_that_runs_out_of_memory_changes_nothing(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	struct fm_window_config cfg;
	struct fm_step *steps = NULL;
	size_t count = 0;

	memset(f, 0, sizeof(*f));
	for (unsigned i = 0; i < 20; i++) {
		char name[8];

		snprintf(name, sizeof(name), "d%u", i);
		mapdev_init(&f->d[i], name, 0x1000, 4, RWX, 0, 0);
	}
	f->space = space_make(0, 0);
	for (unsigned i = 0; i < WINDOWS; i++) {
		remember(f);
		FAIL_EACH(add_many(f, i, 1), unchanged(f));
	}
	whole(f);
	remember(f);
	cfg = window_at(f->d[18].dev, NULL, 0x1800, 0, 0x3000, 7);
	FAIL_EACH(fm_space_add(f->space, &cfg, NULL, NULL), unchanged(f));
	remember(f);
	FAIL_EACH(fm_space_move(f->space, f->w[50], 0x700000, NULL), unchanged(f));
	remember(f);
	FAIL_EACH(fm_space_enable(f->space, f->w[60], false, NULL), unchanged(f));
	remember(f);
	FAIL_EACH(fm_space_remove(f->space, f->w[70], NULL), unchanged(f));
	remember(f);
	FAIL_EACH(transaction(f), unchanged(f));
	whole(f);
	remember(f);
	f->d[3].prot[1] = RX;
	mapdev_remapped(&f->d[3]);
	/* A refresh that failed is not forgotten: it succeeds the next time. */
	FAIL_EACH(fm_space_refresh(f->space, NULL), unchanged(f));
	whole(f);
	FAIL_EACH(fm_view_diff(NULL, f->view, 0x1000, 0, &steps, &count, NULL), assert_null(steps));
	assert_true(count > 50);
	free(steps);
	fm_view_put(f->view);
	fm_space_free(f->space);
	for (unsigned i = 0; i < 20; i++)
		mapdev_exit(&f->d[i]);
	assert_true(nomem_failed > 400);
}

/* As fm_rom_map_x86() does, inside a transaction of its caller's. */
static void of_two_windows_the_first_can_be_taken_back_without_memory(void **state)
{
	struct fm_space *space = space_make(0, 0);
	struct fm_window_config cfg = { 0 };
	struct fm_window *other;
	struct mapdev d;

	mapdev_init(&d, "d", 0x1000, 4, RWX, 0, 0);
	fm_space_begin(space);
	other = add(space, window_at(d.dev, NULL, 0x10000000, 0, 0, 0));
	for (unsigned i = 0; i < 40; i++) {
		struct fm_window *w;

		cfg = window_at(d.dev, NULL, i * 0x10000ull, 0, 0, 0);
		assert_int_equal(fm_space_add(space, &cfg, &w, NULL), 0);
		nomem_countdown = 0;
		nomem_armed = true;
		cfg.gpa += 0x8000;
		if (fm_space_add(space, &cfg, NULL, NULL)) {
			nomem_countdown = 0;
			nomem_armed = true;
			assert_int_equal(fm_space_remove(space, w, NULL), 0);
		}
		nomem_armed = false;
	}
	assert_int_equal(fm_space_commit(space, NULL), 0);
	assert_ptr_equal(fm_space_next_window(space, NULL), other);
	assert_null(fm_space_next_window(space, other));
	fm_space_free(space);
	mapdev_exit(&d);
}

static int space_new(struct fm_space **out)
{
	struct fm_space_config cfg = { .struct_size = sizeof(cfg), .name = "s" };

	return fm_space_new(out, &cfg, NULL);
}

static void objects_that_cannot_be_made_leave_nothing_behind(void **state)
{
	struct fm_space *space = NULL;
	struct fm_machine *machine = NULL;
	struct fm_port *port = NULL;

	FAIL_EACH(space_new(&space), assert_null(space));
	FAIL_EACH(fm_port_new(&port, space, NULL), assert_null(port));
	FAIL_EACH(fm_machine_new(&machine, "m", NULL), assert_null(machine));
	FAIL_EACH(fm_machine_add_space(machine, space, NULL),
		  assert_null(fm_machine_next_space(machine, NULL)));
	fm_port_free(port);
	fm_machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_that_runs_out_of_memory_changes_nothing),
		cmocka_unit_test(of_two_windows_the_first_can_be_taken_back_without_memory),
		cmocka_unit_test(objects_that_cannot_be_made_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
