/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/space_fixture.h"

/* --- configuration ----------------------------------------------------------------------- */

static void a_space_needs_a_name_and_known_fields(void **state)
{
	struct fm_space_config cfg = { .struct_size = sizeof(cfg) };
	struct fm_space *space = NULL;

	assert_int_equal(fm_space_new(&space, &cfg, NULL), FM_ERR_ARG);
	cfg.name = "x";
	cfg.address_bits = 65;
	assert_int_equal(fm_space_new(&space, &cfg, NULL), FM_ERR_ARG);
	cfg.address_bits = 0;
	cfg.flags = 0x80;
	assert_int_equal(fm_space_new(&space, &cfg, NULL), FM_ERR_ARG);
	assert_null(space);
	cfg.flags = 0;
	assert_int_equal(fm_space_new(&space, &cfg, NULL), 0);
	assert_string_equal(fm_space_name(space), "x");
	fm_space_free(space);
	fm_space_free(NULL);
}

static void a_window_of_length_zero_shows_the_rest_of_the_device(void **state)
{
	struct fixture *f = *state;
	struct fm_window_config cfg = window_at(f->ram, NULL, 0x1000, 0x4000, 0, 0);
	struct fm_window *w = add(f->space, cfg);

	assert_int_equal(fm_window_len(w), RAM_LEN - 0x4000);
	assert_int_equal(fm_window_dev_off(w), 0x4000);
	assert_int_equal(fm_window_gpa(w), 0x1000);
	assert_int_equal(fm_window_priority(w), 0);
	assert_true(fm_window_enabled(w));
	assert_ptr_equal(fm_window_dev(w), f->ram);
	assert_string_equal(fm_window_name(w), "ram");
	cfg.dev_off = RAM_LEN; /* nothing left to show */
	assert_int_equal(fm_space_add(f->space, &cfg, NULL, NULL), FM_ERR_RANGE);
}

static void a_window_leaves_neither_device_nor_space(void **state)
{
	struct fixture *f = *state;
	struct fm_space *small = space_make(0, 16);
	struct fm_window *w = NULL;
	struct fm_window_config cfg = window_at(f->ram, "w", 0, 1, RAM_LEN, 0);

	assert_int_equal(fm_space_add(f->space, &cfg, &w, &f->err), FM_ERR_RANGE);
	assert_non_null(strstr(f->err.msg, "0x10000"));
	cfg.dev_off = UINT64_MAX;
	cfg.len = 2;
	assert_int_equal(fm_space_add(f->space, &cfg, &w, NULL), FM_ERR_RANGE);
	cfg = window_at(f->ram, "w", UINT64_MAX - 0xffe, 0, 0x1000, 0);
	assert_int_equal(fm_space_add(f->space, &cfg, &w, &f->err), FM_ERR_RANGE);
	assert_non_null(strstr(f->err.msg, "0xfffffffffffff001"));
	cfg = window_at(f->ram, "w", 0xf001, 0, 0x1000, 0);
	assert_int_equal(fm_space_add(small, &cfg, &w, &f->err), FM_ERR_RANGE);
	assert_non_null(strstr(f->err.msg, "0xffff"));
	cfg.dev = NULL;
	assert_int_equal(fm_space_add(f->space, &cfg, &w, NULL), FM_ERR_ARG);
	assert_null(w);
	assert_null(fm_space_next_window(f->space, NULL));
	cfg = window_at(f->ram, "w", 0xf000, 0, 0x1000, 0);
	w = add(small, cfg);
	assert_int_equal(fm_space_move(small, w, 0xf001, NULL), FM_ERR_RANGE);
	assert_int_equal(fm_space_move(small, w, UINT64_MAX, NULL), FM_ERR_RANGE);
	assert_int_equal(fm_window_gpa(w), 0xf000);
	fm_space_free(small);
}

static void an_overlap_of_equal_priority_names_both_windows(void **state)
{
	struct fixture *f = *state;
	struct fm_window *w = NULL;
	struct fm_window_config cfg = window_at(f->ram, "second", 0x1fff, 0, 0x1000, 3);
	struct fm_window *first = add(f->space, window_at(f->ram, "first", 0x1000, 0, 0x1000, 3));

	assert_int_equal(fm_space_add(f->space, &cfg, &w, &f->err), FM_ERR_OVERLAP);
	assert_null(w);
	assert_non_null(strstr(f->err.msg, "\"first\" (0x1000 to 0x1fff)"));
	assert_non_null(strstr(f->err.msg, "\"second\" (0x1fff to 0x2ffe)"));
	assert_ptr_equal(fm_space_next_window(f->space, NULL), first);
	assert_null(fm_space_next_window(f->space, first));
	cfg.gpa = 0x2000; /* adjacent is no overlap */
	w = add(f->space, cfg);
	assert_int_equal(fm_space_move(f->space, w, 0x1001, NULL), FM_ERR_OVERLAP);
	assert_int_equal(fm_window_gpa(w), 0x2000);
	assert_int_equal(fm_space_enable(f->space, first, false, NULL), 0);
	assert_int_equal(fm_space_move(f->space, w, 0x1001, NULL), 0);
	assert_int_equal(fm_space_enable(f->space, first, true, NULL), FM_ERR_OVERLAP);
	assert_false(fm_window_enabled(first));
	cfg.gpa = 0x1001;
	cfg.priority = 4; /* another priority is no overlap */
	add(f->space, cfg);
}

static void a_window_of_another_space_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct fm_space *other = space_make(0, 0);
	struct fm_window *w = add(other, window_at(f->ram, NULL, 0, 0, 0, 0));

	assert_int_equal(fm_space_remove(f->space, w, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_space_enable(f->space, w, false, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_space_move(f->space, w, 4, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_space_remove(f->space, NULL, NULL), FM_ERR_NOT_FOUND);
	fm_space_begin(other);
	assert_int_equal(fm_space_remove(other, w, NULL), 0);
	assert_int_equal(fm_space_remove(other, w, NULL), FM_ERR_NOT_FOUND);
	assert_int_equal(fm_space_commit(other, NULL), 0);
	fm_space_free(other);
}

static void windows_are_walked_by_address_then_falling_priority(void **state)
{
	struct fixture *f = *state;
	struct fm_window *c = add(f->space, window_at(f->ram, "c", 0x2000, 0, 0x1000, -1));
	struct fm_window *b = add(f->space, window_at(f->ram, "b", 0x2000, 0, 0x1000, 1));
	struct fm_window_config hidden = window_at(f->ram, "d", 0x2000, 0, 0x1000, -1);
	struct fm_window *a = add(f->space, window_at(f->ram, "a", 0, 0, 0x1000, -9));
	struct fm_window *d;

	hidden.disabled = true;
	d = add(f->space, hidden);
	assert_ptr_equal(fm_space_next_window(f->space, NULL), a);
	assert_ptr_equal(fm_space_next_window(f->space, a), b);
	assert_ptr_equal(fm_space_next_window(f->space, b), c);
	assert_ptr_equal(fm_space_next_window(f->space, c), d);
	assert_null(fm_space_next_window(f->space, d));
}

/* --- views ------------------------------------------------------------------------------- */

static void a_higher_window_cuts_a_lower_one_and_leaves_it_whole(void **state)
{
	struct fixture *f = *state;
	struct fm_window *low = add(f->space, window_at(f->ram, "low", 0x1000, 0, 0x3000, 0));
	struct fm_window *high = add(f->space, window_at(f->reg.dev, "high", 0x2080, 0, 0x10, 1));
	const struct fm_view *view = fm_space_view_get(f->space);
	const struct fm_range *r;

	assert_int_equal(fm_view_count(view), 3);
	r = fm_view_range(view, 0);
	assert_int_equal(r->gpa, 0x1000);
	assert_int_equal(r->len, 0x1080);
	assert_ptr_equal(r->host, ram_bytes(f));
	assert_int_equal(r->prot, RWX);
	assert_int_equal(r->flags, FM_MAP_STABLE);
	r = fm_view_range(view, 1);
	assert_ptr_equal(r->window, high);
	assert_int_equal(r->len, 0x10);
	assert_int_equal(r->prot, 0);
	r = fm_view_range(view, 2);
	assert_ptr_equal(r->window, low);
	assert_int_equal(r->gpa, 0x2090);
	assert_int_equal(r->len, 0x3000 - 0x1090);
	assert_int_equal(r->dev_off, 0x1090);
	assert_int_equal(r->block_off, 0x1090);
	assert_ptr_equal(r->host, ram_bytes(f) + 0x1090);
	assert_null(fm_view_range(view, 3));
	assert_int_equal(fm_space_remove(f->space, high, NULL), 0);
	/* What is held stays as it was. */
	assert_int_equal(fm_view_count(view), 3);
	fm_view_put(view);
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_count(view), 1);
	assert_int_equal(fm_view_range(view, 0)->len, 0x3000);
	fm_view_put(view);
	fm_view_put(NULL);
}

static void find_knows_first_and_last_bytes_of_ranges(void **state)
{
	struct fixture *f = *state;
	const struct fm_view *view;

	add(f->space, window_at(f->ram, "a", 0x1000, 0, 0x1000, 0));
	add(f->space, window_at(f->ram, "b", UINT64_MAX, 0, 1, 0));
	view = fm_space_view_get(f->space);
	assert_null(fm_view_find(view, 0));
	assert_null(fm_view_find(view, 0xfff));
	assert_ptr_equal(fm_view_find(view, 0x1000), fm_view_range(view, 0));
	assert_ptr_equal(fm_view_find(view, 0x1fff), fm_view_range(view, 0));
	assert_null(fm_view_find(view, 0x2000));
	assert_null(fm_view_find(view, UINT64_MAX - 1));
	assert_ptr_equal(fm_view_find(view, UINT64_MAX), fm_view_range(view, 1));
	fm_view_put(view);
}

static void an_alias_shows_the_same_bytes(void **state)
{
	struct fixture *f = *state;

	add(f->space, window_at(f->ram, "first", 0, 0, 0, 0));
	add(f->space, window_at(f->ram, "alias", 0x100000, 0x8000, 0x100, 0));
	assert_int_equal(fm_port_write(f->port, 0x8010, 4, 0xcafe, FM_ATTRS_NONE), 0);
	assert_int_equal(read64(f, 0x100010, 4, 0), 0xcafe);
}

static void refresh_tells_whether_the_view_changed(void **state)
{
	struct fixture *f = *state;
	struct mapdev flash;
	const struct fm_view *view;

	mapdev_init(&flash, "flash", 0x1000, 4, RX, 0, 0);
	add(f->space, window_at(flash.dev, NULL, 0, 0, 0, 0));
	add(f->space, window_at(flash.dev, "alias", 0x10000, 0x1000, 0x2000, 0));
	assert_int_equal(fm_space_refresh(f->space, NULL), 0);
	mapdev_remapped(&flash);
	flash.maps = 0;
	assert_int_equal(fm_space_refresh(f->space, NULL), 0);
	assert_int_not_equal(flash.maps, 0);
	flash.maps = 0;
	assert_int_equal(fm_space_refresh(f->space, NULL), 0);
	assert_int_equal(flash.maps, 0);
	flash.prot[1] = 0;
	mapdev_remapped(&flash);
	fm_space_begin(f->space);
	assert_int_equal(fm_space_refresh(f->space, &f->err), FM_ERR_STATE);
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	assert_int_equal(fm_space_refresh(f->space, NULL), 1);
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_count(view), 5);
	assert_int_equal(fm_view_find(view, 0)->prot, RX);
	assert_int_equal(fm_view_find(view, 0x1000)->prot, 0);
	assert_int_equal(fm_view_find(view, 0x10fff)->prot, 0);
	assert_int_equal(fm_view_find(view, 0x11000)->prot, RX);
	/* Where the contents live is known although nothing is mapped. */
	assert_ptr_equal(fm_view_find(view, 0x1000)->block, flash.block);
	fm_view_put(view);
	fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL);
	fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL);
	mapdev_exit(&flash);
}

/* --- transactions ------------------------------------------------------------------------ */

static void a_transaction_is_seen_whole_at_its_commit(void **state)
{
	struct fixture *f = *state;
	struct fm_window *a = add(f->space, window_at(f->ram, "a", 0, 0, 0x1000, 0));
	struct fm_window *b = add(f->space, window_at(f->ram, "b", 0x1000, 0x1000, 0x1000, 0));

	ram_bytes(f)[0] = 0xa;
	ram_bytes(f)[0x1000] = 0xb;
	fm_space_begin(f->space);
	/* Passing through an overlap is fine: two BARs change places. */
	assert_int_equal(fm_space_move(f->space, a, 0x1000, NULL), 0);
	assert_int_equal(read64(f, 0, 1, 0), 0xa);
	fm_space_begin(f->space);
	assert_int_equal(fm_space_move(f->space, b, 0, NULL), 0);
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	assert_int_equal(read64(f, 0, 1, 0), 0xa);
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	assert_int_equal(read64(f, 0, 1, 0), 0xb);
	assert_int_equal(read64(f, 0x1000, 1, 0), 0xa);
}

static void a_failed_commit_undoes_everything(void **state)
{
	struct fixture *f = *state;
	struct fm_window *a = add(f->space, window_at(f->ram, "a", 0, 0, 0x1000, 0));
	struct fm_window *b = add(f->space, window_at(f->ram, "b", 0x1000, 0x1000, 0x1000, 0));
	struct fm_window *c = add(f->space, window_at(f->ram, "c", 0x2000, 0x2000, 0x1000, 0));
	const struct fm_view *before = fm_space_view_get(f->space);
	const struct fm_view *after;

	fm_space_begin(f->space);
	add(f->space, window_at(f->ram, "new", 0x8000, 0, 0x1000, 0));
	assert_int_equal(fm_space_move(f->space, a, 0x4000, NULL), 0);
	assert_int_equal(fm_space_move(f->space, a, 0x5000, NULL), 0);
	assert_int_equal(fm_space_enable(f->space, c, false, NULL), 0);
	assert_int_equal(fm_space_remove(f->space, b, NULL), 0);
	add(f->space, window_at(f->ram, "wrong", 0x5fff, 0, 0x10, 0));
	assert_int_equal(fm_space_commit(f->space, &f->err), FM_ERR_OVERLAP);
	assert_non_null(strstr(f->err.msg, "wrong"));
	assert_ptr_equal(fm_space_next_window(f->space, NULL), a);
	assert_ptr_equal(fm_space_next_window(f->space, a), b);
	assert_ptr_equal(fm_space_next_window(f->space, b), c);
	assert_null(fm_space_next_window(f->space, c));
	assert_int_equal(fm_window_gpa(a), 0);
	assert_true(fm_window_enabled(c));
	after = fm_space_view_get(f->space);
	assert_ptr_equal(after, before);
	fm_view_put(before);
	fm_view_put(after);
	/* And the space still works. */
	assert_int_equal(fm_space_remove(f->space, b, NULL), 0);
	assert_int_equal(read64(f, 0x1000, 1, FM_EFF_FAULT), 0xff);
}

static void an_aborted_transaction_leaves_no_trace(void **state)
{
	struct fixture *f = *state;
	struct fm_window *a = add(f->space, window_at(f->ram, "a", 0, 0, 0x1000, 0));
	const struct fm_view *before = fm_space_view_get(f->space);
	const struct fm_view *after;

	fm_space_begin(f->space);
	assert_int_equal(fm_space_remove(f->space, a, NULL), 0);
	fm_space_begin(f->space);
	add(f->space, window_at(f->ram, "b", 0, 0, 0x2000, 0));
	fm_space_abort(f->space);
	assert_ptr_equal(fm_space_next_window(f->space, NULL), a);
	assert_null(fm_space_next_window(f->space, a));
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	after = fm_space_view_get(f->space);
	assert_ptr_equal(after, before);
	fm_view_put(before);
	fm_view_put(after);
}

static void quiesce_does_not_wait_for_an_idle_port(void **state)
{
	struct fixture *f = *state;
	struct fm_window *w = add(f->space, window_at(f->ram, NULL, 0x1000, 0, 0x1000, 0));
	uint8_t byte = 1;

	/* Each of these used the view that is about to be retired. */
	read64(f, 0x1000, 4, 0);
	assert_int_equal(fm_port_write(f->port, 0x1000, 4, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_port_read_bytes(f->port, 0x1000, &byte, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_port_write_bytes(f->port, 0x1fff, &byte, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	fm_space_quiesce(f->space);
}

static void a_window_added_and_removed_in_one_transaction_is_gone(void **state)
{
	struct fixture *f = *state;
	struct fm_window *w;

	fm_space_begin(f->space);
	w = add(f->space, window_at(f->ram, "w", 0, 0, 0x1000, 0));
	assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	assert_int_equal(fm_space_commit(f->space, NULL), 0);
	assert_null(fm_space_next_window(f->space, NULL));
	fm_space_begin(f->space);
	w = add(f->space, window_at(f->ram, "w", 0, 0, 0x1000, 0));
	assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	add(f->space, window_at(f->ram, "x", 0, 0, 0x1000, 0));
	add(f->space, window_at(f->ram, "y", 0, 0, 0x1000, 0));
	assert_int_equal(fm_space_commit(f->space, NULL), FM_ERR_OVERLAP);
	assert_null(fm_space_next_window(f->space, NULL));
}

/* --- devices that lie ----------------------------------------------------------------------- */

static struct fm_mapping lie;

static void lying_map(void *state, uint64_t off, struct fm_mapping *out)
{
	*out = lie;
}

/* What map() says is only believed as far as it fits; the rest traps. */
static void a_mapping_that_cannot_be_is_not_mapped(void **state)
{
	struct fixture *f = *state;
	static const struct fm_dev_ops ops = { .struct_size = sizeof(ops),
					       .type = "liar",
					       .map = lying_map };
	const struct fm_mapping lies[] = {
		{ .off = 0x100, .len = 0x1000 },                 /* not around the offset */
		{ .off = 0, .len = 0x10 },                       /* ends before the next one */
		{ .off = 0, .len = UINT64_MAX, .block_off = 1 }, /* leaves the block */
		{ .off = 0, .len = 0x20000, .block_off = 0x1000 },
		{ .off = 0, .len = 0x20000, .block_off = UINT64_MAX },
	};
	struct fm_dev *dev = NULL;
	struct fm_window *w;

	assert_int_equal(
		fm_dev_new(&dev, &ops, NULL,
			   &(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						    .name = "liar",
						    .len = RAM_LEN },
			   NULL),
		0);
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		const struct fm_view *view;

		lie = lies[i];
		lie.prot = RWX;
		lie.flags = FM_MAP_STABLE;
		lie.block = f->block;
		w = add(f->space, window_at(dev, NULL, 0x1000, 0, 0, 0));
		view = fm_space_view_get(f->space);
		assert_int_equal(fm_view_find(view, 0x1000 + RAM_LEN - 1)->prot, 0);
		assert_null(fm_view_find(view, 0x1000 + RAM_LEN));
		fm_view_put(view);
		assert_int_equal(read64(f, 0x1000 + RAM_LEN - 4, 4, 0), 0);
		assert_int_equal(fm_space_remove(f->space, w, NULL), 0);
	}
	fm_dev_free(dev);
}

/* Pages of the block in reverse order: no two of them are one range. */
static void reversed_map(void *state, uint64_t off, struct fm_mapping *out)
{
	out->off = off & ~UINT64_C(0xfff);
	out->len = 0x1000;
	out->prot = RWX;
	out->flags = FM_MAP_STABLE;
	out->block = state;
	out->block_off = RAM_LEN - 0x1000 - out->off;
}

static void runs_that_jump_in_the_block_stay_apart(void **state)
{
	struct fixture *f = *state;
	static const struct fm_dev_ops ops = { .struct_size = sizeof(ops),
					       .type = "reversed",
					       .map = reversed_map };
	struct fm_dev *dev = NULL;
	const struct fm_view *view;

	assert_int_equal(
		fm_dev_new(&dev, &ops, f->block,
			   &(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						    .name = "reversed",
						    .len = RAM_LEN },
			   NULL),
		0);
	add(f->space, window_at(dev, NULL, 0, 0, 0, 0));
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_count(view), 16);
	fm_view_put(view);
	assert_int_equal(fm_port_write(f->port, 0xffe, 4, 0x44332211, FM_ATTRS_NONE), 0);
	assert_memory_equal(ram_bytes(f) + RAM_LEN - 2, "\x11\x22", 2);
	assert_memory_equal(ram_bytes(f) + RAM_LEN - 0x2000, "\x33\x44", 2);
	assert_int_equal(fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL), 0);
	fm_dev_free(dev);
}

static void a_read_only_block_is_never_mapped_for_writing(void **state)
{
	struct fixture *f = *state;
	static const struct fm_dev_ops ops = { .struct_size = sizeof(ops),
					       .type = "liar",
					       .map = lying_map };
	struct fm_block *block = NULL;
	struct fm_dev *dev = NULL;
	const struct fm_view *view;

	assert_int_equal(fm_block_new(&block,
				      &(struct fm_block_config){
					      .struct_size = sizeof(struct fm_block_config),
					      .role = FM_ROLE_ROM,
					      .flags = FM_BLOCK_READONLY,
					      .len = 0x1000 },
				      NULL),
			 0);
	assert_int_equal(
		fm_dev_new(&dev, &ops, NULL,
			   &(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						    .name = "liar",
						    .len = 0x1000 },
			   NULL),
		0);
	lie = (struct fm_mapping){
		.len = 0x1000, .prot = RWX, .flags = FM_MAP_STABLE, .block = block
	};
	add(f->space, window_at(dev, NULL, 0, 0, 0, 0));
	view = fm_space_view_get(f->space);
	assert_int_equal(fm_view_find(view, 0)->prot, RX);
	fm_view_put(view);
	assert_int_equal(fm_port_write(f->port, 0, 4, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_space_remove(f->space, fm_space_next_window(f->space, NULL), NULL), 0);
	fm_dev_free(dev);
	fm_block_free(block);
}

/* A device that reaches through a port from inside its own read, as a guest can make DMA do. */
struct echo {
	struct fm_port *port;
	uint64_t target;
	uint64_t got;
	unsigned effects;
};

static unsigned echo_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			  struct fm_attrs attrs)
{
	struct echo *e = state;

	e->effects = fm_port_read(e->port, e->target, 4, &e->got, attrs);
	*value = 7;
	return 0;
}

static const struct fm_dev_ops echo_ops = {
	.struct_size = sizeof(echo_ops),
	.type = "echo",
	.read = echo_read,
};

static void a_device_that_reaches_itself_gets_a_fault_and_does_not_hang(void **state)
{
	struct echo e = { .target = 0x1000 };
	struct fm_space *space;
	struct fm_port *outer, *inner;
	struct fm_dev *dev;
	uint64_t value;

	assert_int_equal(fm_space_new(&space,
				      &(struct fm_space_config){
					      .struct_size = sizeof(struct fm_space_config),
					      .name = "locked",
					      .flags = FM_SPACE_LOCK_DEVICES },
				      NULL),
			 0);
	assert_int_equal(
		fm_dev_new(&dev, &echo_ops, &e,
			   &(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						    .name = "echo",
						    .len = 0x1000 },
			   NULL),
		0);
	assert_int_equal(fm_space_add(space,
				      &(struct fm_window_config){
					      .struct_size = sizeof(struct fm_window_config),
					      .dev = dev,
					      .gpa = 0x1000 },
				      NULL, NULL),
			 0);
	assert_int_equal(fm_port_new(&outer, space, NULL), 0);
	assert_int_equal(fm_port_new(&inner, space, NULL), 0);
	e.port = inner; /* its own port: the lock says no */
	assert_int_equal(fm_port_read(outer, 0x1000, 4, &value, FM_ATTRS_NONE), 0);
	assert_int_equal(value, 7);
	assert_int_equal(e.effects, FM_EFF_FAULT);
	assert_int_equal(e.got, 0xffffffff);
	e.port = outer; /* the port of the access under way */
	e.target = 0x8000;
	assert_int_equal(fm_port_read(outer, 0x1000, 4, &value, FM_ATTRS_NONE), 0);
	assert_int_equal(e.effects, FM_EFF_FAULT);
	assert_int_equal(fm_port_read(outer, 0x1ffc, 4, &value, FM_ATTRS_NONE), 0);
	fm_port_free(inner);
	fm_port_free(outer);
	fm_space_free(space);
	fm_dev_free(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_that_reaches_itself_gets_a_fault_and_does_not_hang),
		FACT(a_space_needs_a_name_and_known_fields),
		FACT(a_window_of_length_zero_shows_the_rest_of_the_device),
		FACT(a_window_leaves_neither_device_nor_space),
		FACT(an_overlap_of_equal_priority_names_both_windows),
		FACT(a_window_of_another_space_is_not_found),
		FACT(windows_are_walked_by_address_then_falling_priority),
		FACT(a_higher_window_cuts_a_lower_one_and_leaves_it_whole),
		FACT(find_knows_first_and_last_bytes_of_ranges),
		FACT(an_alias_shows_the_same_bytes),
		FACT(refresh_tells_whether_the_view_changed),
		FACT(a_transaction_is_seen_whole_at_its_commit),
		FACT(a_failed_commit_undoes_everything),
		FACT(an_aborted_transaction_leaves_no_trace),
		FACT(quiesce_does_not_wait_for_an_idle_port),
		FACT(a_window_added_and_removed_in_one_transaction_is_gone),
		FACT(a_mapping_that_cannot_be_is_not_mapped),
		FACT(runs_that_jump_in_the_block_stay_apart),
		FACT(a_read_only_block_is_never_mapped_for_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
