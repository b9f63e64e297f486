/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include <firmem/device.h>

#include <poll.h>

#define TOY_LEN 64u

/* A device of 32-bit registers that records what reaches it. */
struct toy {
	uint8_t bytes[TOY_LEN];
	unsigned sizes[16];
	uint64_t offs[16];
	unsigned calls;
	unsigned effects; /* given back by every write */
	uint32_t loaded_version;
	bool *freed;
};

static unsigned toy_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			 struct fm_attrs attrs)
{
	struct toy *t = state;

	assert_true(off + size <= TOY_LEN);
	*value = UINT64_MAX; /* bits above size must be ignored */
	memcpy(value, t->bytes + off, size);
	return 0;
}

static unsigned toy_write(void *state, uint64_t off, unsigned size, uint64_t value,
			  struct fm_attrs attrs)
{
	struct toy *t = state;

	assert_true(off + size <= TOY_LEN);
	assert_true(size == 8 || value >> (8 * size) == 0);
	t->sizes[t->calls % 16] = size;
	t->offs[t->calls++ % 16] = off;
	memcpy(t->bytes + off, &value, size);
	return t->effects;
}

static void toy_save(void *state, struct fm_state_writer *w)
{
	struct toy *t = state;

	fm_state_put_bytes(w, t->bytes, TOY_LEN);
}

static int toy_load(void *state, struct fm_state_reader *r, struct fm_error *err)
{
	struct toy *t = state;
	uint8_t bytes[TOY_LEN];

	fm_state_get_bytes(r, bytes, TOY_LEN);
	if (fm_state_overrun(r) || fm_state_left(r))
		return fm_error_set(err, FM_ERR_FORMAT, 0, "toy: body length");
	memcpy(t->bytes, bytes, TOY_LEN);
	t->loaded_version = fm_state_version(r);
	return 0;
}

static void toy_free(void *state)
{
	struct toy *t = state;

	*t->freed = true;
}

static const struct fm_dev_ops toy_ops = {
	.struct_size = sizeof(toy_ops),
	.type = "toy",
	.version = 3,
	.max_access = 4,
	.read = toy_read,
	.write = toy_write,
	.save = toy_save,
	.load = toy_load,
	.free = toy_free,
};

static const struct fm_dev_ops bare_ops = { .struct_size = sizeof(bare_ops), .type = "bare" };

static const struct fm_dev_config toy_config = {
	.struct_size = sizeof(toy_config),
	.name = "toy0",
	.len = TOY_LEN,
};

struct fixture {
	struct toy toy;
	struct fm_dev *dev;
	bool freed;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->toy.freed = &f->freed;
	assert_int_equal(fm_dev_new(&f->dev, &toy_ops, &f->toy, &toy_config, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fm_dev_free(f->dev);
	assert_true(f->freed);
	free(f);
	return 0;
}

static void an_access_outside_faults_and_reads_ones(void **state)
{
	struct fixture *f = *state;
	const uint64_t offs[] = { TOY_LEN, TOY_LEN - 3, UINT64_MAX, UINT64_MAX - 3 };
	uint64_t v;

	for (size_t i = 0; i < sizeof(offs) / sizeof(*offs); i++) {
		v = 0;
		assert_int_equal(fm_dev_read(f->dev, offs[i], 4, &v, FM_ATTRS_NONE), FM_EFF_FAULT);
		assert_int_equal(v, 0xffffffff);
		assert_int_equal(fm_dev_write(f->dev, offs[i], 4, 0, FM_ATTRS_NONE), FM_EFF_FAULT);
	}
	assert_int_equal(f->toy.calls, 0);
	assert_int_equal(fm_dev_write(f->dev, TOY_LEN - 4, 4, 0, FM_ATTRS_NONE), 0);
}

static void an_access_of_a_wrong_size_faults(void **state)
{
	struct fixture *f = *state;

	for (unsigned size = 0; size < 20; size++) {
		uint64_t v = 0;

		if (size == 1 || size == 2 || size == 4 || size == 8)
			continue;
		assert_int_equal(fm_dev_read(f->dev, 0, size, &v, FM_ATTRS_NONE), FM_EFF_FAULT);
		assert_true(v == UINT64_MAX);
		assert_int_equal(fm_dev_write(f->dev, 0, size, 0, FM_ATTRS_NONE), FM_EFF_FAULT);
	}
	assert_int_equal(f->toy.calls, 0);
}

static void a_wide_access_is_split_low_address_first(void **state)
{
	struct fixture *f = *state;
	uint64_t v = 0;

	fm_dev_write(f->dev, 3, 8, 0x8877665544332211, FM_ATTRS_NONE);
	assert_int_equal(f->toy.calls, 2);
	assert_int_equal(f->toy.sizes[0], 4);
	assert_int_equal(f->toy.offs[0], 3);
	assert_int_equal(f->toy.offs[1], 7);
	assert_int_equal(f->toy.bytes[3], 0x11);
	assert_int_equal(f->toy.bytes[10], 0x88);
	assert_int_equal(fm_dev_read(f->dev, 3, 8, &v, FM_ATTRS_NONE), 0);
	assert_true(v == 0x8877665544332211);
}

static void bits_above_the_size_reach_neither_side(void **state)
{
	struct fixture *f = *state;
	uint64_t v = 0;

	fm_dev_write(f->dev, 0, 2, 0xffffffffffff1234, FM_ATTRS_NONE);
	assert_int_equal(f->toy.bytes[2], 0);
	fm_dev_read(f->dev, 0, 2, &v, FM_ATTRS_NONE);
	assert_true(v == 0x1234);
}

static void a_device_without_verbs_reads_zero_and_traps(void **state)
{
	struct fm_dev *dev;
	struct fm_mapping m;
	struct fm_error err;
	void *bytes;
	size_t len;
	uint64_t v = 1;

	assert_int_equal(fm_dev_new(&dev, &bare_ops, NULL, &toy_config, NULL), 0);
	assert_int_equal(fm_dev_read(dev, 0, 8, &v, FM_ATTRS_NONE), 0);
	assert_int_equal(v, 0);
	assert_int_equal(fm_dev_write(dev, 0, 8, 1, FM_ATTRS_NONE), 0);
	assert_int_equal(fm_dev_map(dev, 5, &m), 0);
	assert_int_equal(m.off, 0);
	assert_int_equal(m.len, TOY_LEN);
	assert_int_equal(m.prot, 0);
	assert_int_equal(fm_dev_map(dev, TOY_LEN, &m), FM_ERR_RANGE);
	assert_true(fm_dev_next_deadline_ns(dev) == FM_NEVER);
	assert_int_equal(fm_dev_tick(dev, 1), 0);
	assert_int_equal(fm_dev_flush(dev, NULL), 0);
	assert_int_equal(fm_dev_reset(dev, FM_RESET_SYSTEM), 0);
	assert_int_equal(fm_dev_sanitize(dev, &err), FM_ERR_UNSUPPORTED);
	assert_int_equal(fm_dev_save(dev, &bytes, &len, &err), FM_ERR_UNSUPPORTED);
	assert_int_equal(fm_dev_load(dev, "", 0, &err), FM_ERR_UNSUPPORTED);
	fm_dev_free(dev);
}

static void a_bad_config_is_refused_by_field(void **state)
{
	struct fm_dev_config cfg = toy_config;
	struct fm_dev_ops ops = bare_ops;
	struct fm_dev *dev = NULL;
	struct fm_error err;
	char name[65];

	memset(name, 'n', 64);
	name[64] = '\0';
	cfg.name = name;
	assert_int_equal(fm_dev_new(&dev, &bare_ops, NULL, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "name"));
	cfg.name = name + 1;
	assert_int_equal(fm_dev_new(&dev, &bare_ops, NULL, &cfg, &err), 0);
	fm_dev_free(dev);
	dev = NULL;
	cfg.name = "";
	assert_int_equal(fm_dev_new(&dev, &bare_ops, NULL, &cfg, &err), FM_ERR_ARG);
	cfg = toy_config;
	cfg.len = 0;
	assert_int_equal(fm_dev_new(&dev, &bare_ops, NULL, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "len"));
	ops.max_access = 3;
	assert_int_equal(fm_dev_new(&dev, &ops, NULL, &toy_config, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "max_access"));
	ops = bare_ops;
	ops.struct_size = 0;
	assert_int_equal(fm_dev_new(&dev, &ops, NULL, &toy_config, &err), FM_ERR_ARG);
	assert_null(dev);
}

static void remap_moves_the_generation_and_nothing_else_does(void **state)
{
	struct fixture *f = *state;
	uint64_t before = fm_dev_map_generation(f->dev);

	f->toy.effects = FM_EFF_DIRTY | FM_EFF_IRQ | FM_EFF_IOERR;
	fm_dev_write(f->dev, 0, 4, 0, FM_ATTRS_NONE);
	assert_true(fm_dev_map_generation(f->dev) == before);
	f->toy.effects = FM_EFF_REMAP;
	assert_int_equal(fm_dev_write(f->dev, 0, 4, 0, FM_ATTRS_NONE), FM_EFF_REMAP);
	assert_true(fm_dev_map_generation(f->dev) > before);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void late_effects_wake_the_descriptor_until_taken(void **state)
{
	struct fixture *f = *state;
	int fd;

	fm_dev_raise(f->dev, FM_EFF_IOERR, NULL); /* before anyone asked for the descriptor */
	fd = fm_dev_event_fd(f->dev);
	assert_true(fd >= 0);
	assert_true(readable(fd));
	fm_dev_raise(f->dev, FM_EFF_IRQ, NULL);
	assert_int_equal(fm_dev_pending(f->dev), FM_EFF_IOERR | FM_EFF_IRQ);
	assert_false(readable(fd));
	assert_int_equal(fm_dev_pending(f->dev), 0);
	fm_dev_raise(f->dev, FM_EFF_IRQ, NULL);
	assert_true(readable(fd));
}

static void the_first_error_sticks_until_cleared(void **state)
{
	struct fixture *f = *state;
	struct fm_error first, second, got = { 0 };

	fm_error_set(&first, FM_ERR_NOSPACE, 28, "vars.fd: full");
	fm_error_set(&second, FM_ERR_IO, 5, "vars.fd: broken");
	assert_int_equal(fm_dev_error(f->dev, &got), 0);
	assert_int_equal(got.code, 0);
	fm_dev_raise(f->dev, FM_EFF_IOERR, &first);
	fm_dev_raise(f->dev, FM_EFF_IOERR, &second);
	fm_dev_pending(f->dev);
	assert_int_equal(fm_dev_error(f->dev, &got), FM_ERR_NOSPACE);
	assert_string_equal(got.msg, "vars.fd: full");
	assert_int_equal(got.sys, 28);
	fm_dev_clear_error(f->dev);
	assert_int_equal(fm_dev_error(f->dev, NULL), 0);
}

struct heard {
	char order[8];
	unsigned n;
};

struct listener {
	struct heard *heard;
	char name;
	unsigned effects;
};

static unsigned hear(void *ctx, const struct fm_medium_op *op)
{
	struct listener *l = ctx;

	l->heard->order[l->heard->n++] = l->name;
	return l->effects;
}

static void subscribers_hear_in_order_and_add_effects(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { .n = 0 };
	struct listener a = { &heard, 'a', FM_EFF_IOERR }, b = { &heard, 'b', FM_EFF_IRQ };
	struct fm_medium_sub sub_a = { .op = hear, .ctx = &a }, sub_b = { .op = hear, .ctx = &b };
	struct fm_medium_op op = { .kind = FM_MEDIUM_FENCE, .dev = f->dev };

	assert_false(fm_medium_listening(f->dev));
	assert_int_equal(fm_medium_emit(f->dev, &op), 0);
	fm_dev_subscribe(f->dev, &sub_a);
	fm_dev_subscribe(f->dev, &sub_b);
	fm_dev_subscribe(f->dev, &sub_b);
	fm_dev_subscribe(f->dev, &sub_a);
	assert_true(fm_medium_listening(f->dev));
	assert_int_equal(fm_medium_emit(f->dev, &op), FM_EFF_IOERR | FM_EFF_IRQ);
	assert_int_equal(heard.n, 2);
	assert_memory_equal(heard.order, "ab", 2);
	fm_dev_unsubscribe(f->dev, &sub_a);
	fm_dev_unsubscribe(f->dev, &sub_a);
	assert_int_equal(fm_medium_emit(f->dev, &op), FM_EFF_IRQ);
	fm_dev_unsubscribe(f->dev, &sub_b);
	assert_false(fm_medium_listening(f->dev));
}

static void toy_describe(void *state, const struct fm_visitor *v)
{
	v->u64(v->ctx, "answer", 42);
}

static void say_u64(void *ctx, const char *key, uint64_t value)
{
	size_t used = strlen(ctx);

	snprintf((char *)ctx + used, 200 - used, "%s=%llu ", key, (unsigned long long)value);
}

static void say_text(void *ctx, const char *key, const char *value)
{
	size_t used = strlen(ctx);

	snprintf((char *)ctx + used, 200 - used, "%s=%s ", key, value);
}

static void describe_tells_what_all_devices_have_and_then_the_devices_own(void **state)
{
	struct fm_dev_ops ops = bare_ops;
	char said[200] = "";
	const struct fm_visitor v = { .ctx = said, .u64 = say_u64, .text = say_text };
	struct fm_dev *dev;

	assert_int_equal(fm_dev_new(&dev, &ops, NULL, &toy_config, NULL), 0);
	fm_dev_describe(dev, &v);
	assert_string_equal(said, "name=toy0 type=bare len=64 ");
	fm_dev_free(dev);
	ops.describe = toy_describe;
	said[0] = '\0';
	assert_int_equal(fm_dev_new(&dev, &ops, NULL, &toy_config, NULL), 0);
	fm_dev_describe(dev, &v);
	assert_string_equal(said, "name=toy0 type=bare len=64 answer=42 ");
	fm_dev_free(dev);
}

static void record(void *ctx, const struct fm_trace_event *event)
{
	struct fm_trace_event *last = ctx;

	*last = *event;
}

static void trace_tells_accesses_but_not_the_debuggers(void **state)
{
	struct fixture *f = *state;
	struct fm_trace_event last = { 0 };
	char line[128], cut[8];
	uint64_t v;
	int len;

	fm_dev_set_trace(f->dev, record, &last);
	fm_dev_write(f->dev, 8, 4, 0xffabcdef01, FM_ATTRS_NONE);
	assert_int_equal(last.kind, FM_TRACE_WRITE);
	assert_ptr_equal(last.dev, f->dev);
	assert_int_equal(last.value, 0xabcdef01);
	len = fm_trace_format(&last, line, sizeof(line));
	assert_string_equal(line, "toy0 write off 0x8 size 4 value 0xabcdef01");
	assert_int_equal(len, strlen(line));
	assert_int_equal(fm_trace_format(&last, cut, sizeof(cut)), len);
	assert_string_equal(cut, "toy0 wr");
	memset(&last, 0, sizeof(last));
	fm_dev_read(f->dev, 8, 4, &v, (struct fm_attrs){ .debug = true });
	fm_dev_write(f->dev, 8, 4, v, (struct fm_attrs){ .debug = true });
	assert_int_equal(last.kind, 0);
	fm_dev_read(f->dev, 8, 2, &v, FM_ATTRS_NONE);
	assert_int_equal(last.kind, FM_TRACE_READ);
	assert_int_equal(last.value, 0xef01);
	fm_dev_set_trace(f->dev, NULL, NULL);
	assert_false(fm_trace_on(f->dev));
}

static void a_saved_state_comes_back(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;
	void *bytes;
	size_t len;

	memset(f->toy.bytes, 0x5a, TOY_LEN);
	assert_int_equal(fm_dev_save(f->dev, &bytes, &len, NULL), 0);
	memset(f->toy.bytes, 0, TOY_LEN);
	generation = fm_dev_map_generation(f->dev);
	assert_int_equal(fm_dev_load(f->dev, bytes, len, NULL), 0);
	assert_int_equal(f->toy.bytes[TOY_LEN - 1], 0x5a);
	assert_true(fm_dev_map_generation(f->dev) > generation);
	free(bytes);
}

static void no_flipped_bit_or_cut_of_a_saved_state_loads(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes, *copy;
	size_t len;

	assert_int_equal(fm_dev_save(f->dev, (void **)&bytes, &len, NULL), 0);
	for (size_t n = 0; n < len; n++) {
		copy = malloc(n ? n : 1); /* its own size, so that a sanitizer sees the end */
		memcpy(copy, bytes, n);
		assert_true(fm_dev_load(f->dev, copy, n, NULL) < 0);
		free(copy);
	}
	memset(f->toy.bytes, 0x11, TOY_LEN);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		struct fm_error err = { 0 };

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(fm_dev_load(f->dev, bytes, len, &err) < 0);
		assert_non_null(strstr(err.msg, "toy0: saved state"));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(f->toy.bytes[0], 0x11);
	free(bytes);
}

static void a_state_of_another_type_or_version_is_refused(void **state)
{
	struct fixture *f = *state;
	struct fm_dev_ops ops = toy_ops;
	struct fm_dev *other;
	struct fm_error err;
	struct toy toy = { .freed = &f->freed };
	void *bytes;
	size_t len;

	ops.type = "other";
	assert_int_equal(fm_dev_new(&other, &ops, &toy, &toy_config, NULL), 0);
	assert_int_equal(fm_dev_save(other, &bytes, &len, NULL), 0);
	assert_int_equal(fm_dev_load(f->dev, bytes, len, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "\"other\""));
	free(bytes);
	fm_dev_free(other);
	ops.type = "toy";
	ops.version = 4;
	assert_int_equal(fm_dev_new(&other, &ops, &toy, &toy_config, NULL), 0);
	assert_int_equal(fm_dev_save(other, &bytes, &len, NULL), 0);
	assert_int_equal(fm_dev_load(f->dev, bytes, len, &err), FM_ERR_VERSION);
	assert_non_null(strstr(err.msg, "version 4"));
	free(bytes);
	fm_dev_free(other);
	f->freed = false;
}

static void an_older_state_reaches_the_device_with_its_version(void **state)
{
	struct fixture *f = *state;
	struct fm_dev_ops ops = toy_ops;
	struct toy toy = { .freed = &f->freed };
	struct fm_dev *older;
	void *bytes;
	size_t len;

	ops.version = 2;
	assert_int_equal(fm_dev_new(&older, &ops, &toy, &toy_config, NULL), 0);
	assert_int_equal(fm_dev_save(older, &bytes, &len, NULL), 0);
	assert_int_equal(fm_dev_load(f->dev, bytes, len, NULL), 0);
	assert_int_equal(f->toy.loaded_version, 2);
	free(bytes);
	fm_dev_free(older);
	f->freed = false;
}

static void older_verbs_are_taken_and_unknown_ones_refused(void **state)
{
	struct {
		struct fm_dev_ops known;
		void *later;
	} newer = { .known = bare_ops };
	struct fm_dev_ops older = bare_ops;
	struct fm_error err;
	struct fm_dev *dev;

	older.struct_size = offsetof(struct fm_dev_ops, free);
	older.free = toy_free; /* beyond its size: not ours to call */
	assert_int_equal(fm_dev_new(&dev, &older, NULL, &toy_config, NULL), 0);
	fm_dev_free(dev);
	newer.known.struct_size = sizeof(newer);
	newer.later = &newer;
	assert_int_equal(fm_dev_new(&dev, &newer.known, NULL, &toy_config, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "fm_dev_ops"));
}

static void a_raise_moves_the_generation_before_it_wakes(void **state)
{
	struct fixture *f = *state;
	uint64_t before = fm_dev_map_generation(f->dev);

	fm_dev_raise(f->dev, FM_EFF_REMAP, NULL);
	assert_true(fm_dev_map_generation(f->dev) > before);
	assert_int_equal(fm_dev_pending(f->dev), FM_EFF_REMAP);
}

static void state_is_only_for_the_holder_of_the_verbs(void **state)
{
	struct fixture *f = *state;

	assert_ptr_equal(fm_dev_state(f->dev, &toy_ops), &f->toy);
	assert_null(fm_dev_state(f->dev, &bare_ops));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_access_outside_faults_and_reads_ones),
		T(an_access_of_a_wrong_size_faults),
		T(a_wide_access_is_split_low_address_first),
		T(bits_above_the_size_reach_neither_side),
		cmocka_unit_test(a_device_without_verbs_reads_zero_and_traps),
		cmocka_unit_test(a_bad_config_is_refused_by_field),
		T(remap_moves_the_generation_and_nothing_else_does),
		T(late_effects_wake_the_descriptor_until_taken),
		T(the_first_error_sticks_until_cleared),
		T(subscribers_hear_in_order_and_add_effects),
		T(describe_tells_what_all_devices_have_and_then_the_devices_own),
		T(trace_tells_accesses_but_not_the_debuggers),
		T(a_saved_state_comes_back),
		T(no_flipped_bit_or_cut_of_a_saved_state_loads),
		T(a_state_of_another_type_or_version_is_refused),
		T(an_older_state_reaches_the_device_with_its_version),
		cmocka_unit_test(older_verbs_are_taken_and_unknown_ones_refused),
		T(a_raise_moves_the_generation_before_it_wakes),
		T(state_is_only_for_the_holder_of_the_verbs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
