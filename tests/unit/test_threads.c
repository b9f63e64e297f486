/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Eight threads in one space: they access, remap, move, enable, unplug, harvest and diff, all at the
 * same time, for about a second. Under ThreadSanitizer this shows that the locks are where they
 * have to be; without it, that what an access sees is always one map and never a mixture of two.
 */
#include "tests/unit/mapdev.h"
#include "tests/unit/rng.h"

#include <firmem/dirty.h>
#include <firmem/ram.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define RAM_LEN 0x80000u
#define PAGE 0x1000u
#define PAIR UINT64_C(0x10000000)  /* two windows that change places */
#define FLIP UINT64_C(0x20000000)  /* the device that flips its mapping */
#define HOLES UINT64_C(0x30000000) /* windows that come, go and move: an access may find none */
#define PLUG UINT64_C(0x40000000)  /* a device that is made and freed all the time */
#define SECONDS 1
#define ROUNDS_MIN 5u

/* --- a device that flips its mapping, as a flash does ------------------------------------------ */

struct flip {
	struct fm_block *block;
	bool array; /* mapped; else each read gives the status */
};

#define FLIP_STATUS 0x80u
#define FLIP_BYTE 0xf1u

static unsigned flip_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			  struct fm_attrs attrs)
{
	struct flip *f = state;

	*value = FLIP_STATUS;
	if (f->array)
		memcpy(value, (uint8_t *)fm_block_ptr(f->block) + off, size);
	return 0;
}

static unsigned flip_write(void *state, uint64_t off, unsigned size, uint64_t value,
			   struct fm_attrs attrs)
{
	struct flip *f = state;
	bool array = value == 0xff;

	if (f->array == array)
		return 0;
	f->array = array;
	return FM_EFF_REMAP;
}

static void flip_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct flip *f = state;

	out->len = fm_block_len(f->block);
	out->block = f->block;
	out->prot = f->array ? RX : 0;
}

static const struct fm_dev_ops flip_ops = {
	.struct_size = sizeof(flip_ops),
	.type = "flip",
	.read = flip_read,
	.write = flip_write,
	.map = flip_map,
};

/* --- what the threads share ----------------------------------------------------------------- */

struct shared {
	struct fm_space *space;
	struct fm_block *ram_block;
	struct fm_block *pair_block;
	struct fm_dev *ram;
	struct fm_dev *pair_dev;
	struct fm_dev *flip_dev;
	struct flip flip;
	struct fm_window *pair[2];
	struct fm_window *hole[8];
	uint8_t copy[RAM_LEN]; /* the harvester's */
	atomic_bool stop;
	atomic_uint failures;
	atomic_uint first_line;
};

struct worker {
	struct shared *s;
	unsigned number;
	atomic_ulong rounds;
	pthread_t thread;
};

/* cmocka's assertions are for the main thread only. */
#define CHECK(cond)                                                       \
	do {                                                              \
		if (!(cond) && !atomic_fetch_add(&s->failures, 1))        \
			atomic_store(&s->first_line, (unsigned)__LINE__); \
	} while (0)

static struct fm_block *block_make(uint64_t len, int fill)
{
	struct fm_block *b = NULL;

	if (fm_block_new(&b,
			 &(struct fm_block_config){ .struct_size = sizeof(struct fm_block_config),
						    .role = FM_ROLE_RAM,
						    .len = len },
			 NULL))
		return NULL;
	memset(fm_block_ptr(b), fill, len);
	return b;
}

static struct fm_dev *ram_make(struct fm_block *block, const char *name)
{
	struct fm_dev *dev = NULL;

	fm_ram_new(&dev,
		   &(struct fm_ram_config){ .struct_size = sizeof(struct fm_ram_config),
					    .name = name,
					    .block = block },
		   NULL);
	return dev;
}

/* --- accesses ---------------------------------------------------------------------------- */

/* As a host does: map again when told to. */
static void heed(struct shared *s, unsigned effects)
{
	if (effects & FM_EFF_REMAP)
		CHECK(fm_space_refresh(s->space, NULL) >= 0);
}

static void access_pair(struct shared *s, struct fm_port *port)
{
	uint8_t b[16];
	unsigned effects = fm_port_read_bytes(port, PAIR + PAGE - 8, b, 16, FM_ATTRS_NONE);

	/* One map or the other: both halves from one window would be a mixture. */
	CHECK(!effects);
	CHECK((b[0] == 0xaa && b[15] == 0xbb) || (b[0] == 0xbb && b[15] == 0xaa));
	for (unsigned i = 1; i < 15; i++)
		CHECK(b[i] == b[i < 8 ? 0 : 15]);
}

static void access_flip(struct shared *s, struct fm_port *port, struct rng *r)
{
	uint64_t value = 0;

	if (rng_one_in(r, 8))
		heed(s, fm_port_write(port, FLIP + rng_below(r, PAGE), 1,
				      rng_one_in(r, 2) ? 0xff : 0x70, FM_ATTRS_NONE));
	CHECK(!fm_port_read(port, FLIP + rng_below(r, PAGE), 1, &value, FM_ATTRS_NONE));
	CHECK(value == FLIP_STATUS || value == FLIP_BYTE);
}

/* Where windows come and go: the bytes of a window, or ones and a fault; and no crash. */
static void access_gone(struct shared *s, struct fm_port *port, struct rng *r, uint64_t base,
			uint8_t byte)
{
	uint64_t gpa = base + rng_below(r, 16 * PAGE);
	uint64_t value = 0;
	unsigned effects = fm_port_read(port, gpa, 1, &value, FM_ATTRS_NONE);

	CHECK(effects == FM_EFF_FAULT ? value == 0xff : value == byte);
	effects = fm_port_write(port, gpa, 1, byte, FM_ATTRS_NONE);
	CHECK(!(effects & ~(unsigned)(FM_EFF_FAULT | FM_EFF_DIRTY)));
}

/* Memory of which this thread alone writes a part, in every width and alignment. */
static void access_ram(struct shared *s, struct fm_port *port, struct rng *r, unsigned number)
{
	unsigned size = 1u << rng_below(r, 4);
	/* Short of the word at the end of the last part, which is everybody's. */
	uint64_t gpa = number * (RAM_LEN / 8) + rng_below(r, RAM_LEN / 8 - 15);
	uint64_t wrote = rng_next(r);
	uint64_t mask = UINT64_MAX >> (64 - 8 * size);
	uint64_t value = 0;
	uint8_t bytes[100];

	CHECK(!(fm_port_write(port, gpa, size, wrote, FM_ATTRS_NONE) & ~(unsigned)FM_EFF_DIRTY));
	CHECK(!fm_port_read(port, gpa, size, &value, FM_ATTRS_NONE));
	CHECK(value == (wrote & mask));
	/* Somebody else's, at the same moment. */
	CHECK(!fm_port_read_bytes(port, rng_below(r, RAM_LEN - 100), bytes, 100, FM_ATTRS_NONE));
	/* A word that all threads write: each store is seen whole. */
	wrote &= 0xffffffff;
	fm_port_write(port, RAM_LEN - 8, 8, wrote << 32 | wrote, FM_ATTRS_NONE);
	fm_port_read(port, RAM_LEN - 8, 8, &value, FM_ATTRS_NONE);
	CHECK(value >> 32 == (value & 0xffffffff));
}

static void *accessor(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	struct rng r = { .state = w->number };
	struct fm_port *port = NULL;

	CHECK(!fm_port_new(&port, s->space, NULL));
	while (!atomic_load(&s->stop)) {
		access_ram(s, port, &r, w->number);
		access_pair(s, port);
		access_flip(s, port, &r);
		access_gone(s, port, &r, HOLES, 0xcc);
		access_gone(s, port, &r, PLUG, 0xdd);
		w->rounds++;
		if (rng_one_in(&r, 500)) {
			fm_port_free(port);
			CHECK(!fm_port_new(&port, s->space, NULL));
		}
	}
	fm_port_free(port);
	return NULL;
}

/* --- changes ----------------------------------------------------------------------------- */

static void swap_pair(struct shared *s)
{
	uint64_t a, b;

	fm_space_begin(s->space);
	a = fm_window_gpa(s->pair[0]);
	b = fm_window_gpa(s->pair[1]);
	CHECK(!fm_space_move(s->space, s->pair[0], b, NULL));
	CHECK(!fm_space_move(s->space, s->pair[1], a, NULL));
	CHECK(!fm_space_commit(s->space, NULL));
}

static void *mover(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	struct rng r = { .state = w->number };

	while (!atomic_load(&s->stop)) {
		struct fm_window *hole = s->hole[rng_below(&r, 8)];
		int rc;

		swap_pair(s);
		rc = fm_space_enable(s->space, hole, rng_one_in(&r, 2), NULL);
		CHECK(!rc || rc == FM_ERR_OVERLAP);
		rc = fm_space_move(s->space, hole, HOLES + rng_below(&r, 15) * PAGE, NULL);
		CHECK(!rc || rc == FM_ERR_OVERLAP);
		w->rounds++;
	}
	return NULL;
}

/* Make a device, show it, take it away and free it, with accesses under way all the time. */
static void *plugger(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	struct rng r = { .state = w->number };

	while (!atomic_load(&s->stop)) {
		struct fm_block *block = block_make(4 * PAGE, 0xdd);
		struct fm_dev *dev = block ? ram_make(block, "plug") : NULL;
		struct fm_window_config cfg =
			window_at(dev, NULL, PLUG + rng_below(&r, 12) * PAGE, 0, 0, 0);
		struct fm_window *window = NULL;

		CHECK(dev && !fm_space_add(s->space, &cfg, &window, NULL));
		if (rng_one_in(&r, 2))
			usleep(rng_below(&r, 200));
		CHECK(!fm_space_remove(s->space, window, NULL));
		fm_space_quiesce(s->space);
		fm_dev_free(dev);
		fm_block_free(block);
		w->rounds++;
	}
	return NULL;
}

/* Copy each page that a harvest names. */
static void harvest(struct shared *s, struct fm_port *port)
{
	uint64_t bits[RAM_LEN / PAGE / 64];
	int64_t n = fm_dirty_harvest(fm_block_dirty(s->ram_block), 3, 0, RAM_LEN, bits);

	CHECK(n >= 0);
	for (unsigned page = 0; page < RAM_LEN / PAGE; page++) {
		if (bits[page / 64] >> page % 64 & 1)
			CHECK(!fm_port_read_bytes(port, page * PAGE, s->copy + page * PAGE, PAGE,
						  FM_ATTRS_NONE));
	}
}

static void *harvester(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	struct fm_port *port = NULL;

	CHECK(!fm_port_new(&port, s->space, NULL));
	while (!atomic_load(&s->stop)) {
		harvest(s, port);
		w->rounds++;
	}
	fm_port_free(port);
	return NULL;
}

/* A hypervisor's thread: hold views, and find out what changed between two of them. */
static void *viewer(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	const struct fm_view *from = NULL;

	while (!atomic_load(&s->stop)) {
		const struct fm_view *to = fm_space_view_get(s->space);
		struct fm_step *steps = NULL;
		size_t count = 0;

		CHECK(!fm_view_diff(from, to, PAGE, w->number & 1 ? FM_DIFF_WHOLE : 0, &steps,
				    &count, NULL));
		CHECK(fm_view_find(to, PAIR) && fm_view_find(to, PAIR + PAGE));
		CHECK(fm_view_find(to, FLIP)->dev == s->flip_dev);
		free(steps);
		fm_view_put(from);
		from = to;
		/* What is held may show a device that is about to be freed: look, but not inside. */
		w->rounds++;
	}
	fm_view_put(from);
	return NULL;
}

/* --- the test ---------------------------------------------------------------------------- */

static void set_up(struct shared *s)
{
	s->space = space_make(FM_SPACE_LOCK_DEVICES, 0);
	s->ram_block = block_make(RAM_LEN, 0);
	s->pair_block = block_make(3 * PAGE, 0xaa);
	memset((uint8_t *)fm_block_ptr(s->pair_block) + PAGE, 0xbb, PAGE);
	memset((uint8_t *)fm_block_ptr(s->pair_block) + 2 * PAGE, 0xcc, PAGE);
	s->ram = ram_make(s->ram_block, "ram");
	s->pair_dev = ram_make(s->pair_block, "pair");
	s->flip.block = block_make(PAGE, FLIP_BYTE);
	assert_int_equal(
		fm_dev_new(&s->flip_dev, &flip_ops, &s->flip,
			   &(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						    .name = "flip",
						    .len = PAGE },
			   NULL),
		0);
	assert_int_equal(fm_dirty_start(fm_block_dirty(s->ram_block), 3, NULL), 0);
	add(s->space, window_at(s->ram, NULL, 0, 0, 0, 0));
	add(s->space, window_at(s->flip_dev, NULL, FLIP, 0, 0, 0));
	s->pair[0] = add(s->space, window_at(s->pair_dev, "a", PAIR, 0, PAGE, 0));
	s->pair[1] = add(s->space, window_at(s->pair_dev, "b", PAIR + PAGE, PAGE, PAGE, 0));
	for (unsigned i = 0; i < 8; i++)
		s->hole[i] = add(s->space, window_at(s->pair_dev, "hole", HOLES + i * 2 * PAGE,
						     2 * PAGE, PAGE, (int)i / 3));
}

static void tear_down(struct shared *s)
{
	fm_space_free(s->space);
	fm_dev_free(s->flip_dev);
	fm_dev_free(s->pair_dev);
	fm_dev_free(s->ram);
	fm_block_free(s->flip.block);
	fm_block_free(s->pair_block);
	fm_block_free(s->ram_block);
}

/* Time for surprises, and then until each has done something: a busy machine takes longer. */
static void let_them_run(const struct worker *workers)
{
	unsigned busy = 0;

	for (unsigned tenths = 0; tenths < 10 * SECONDS || (busy < 8 && tenths < 600); tenths++) {
		usleep(100000);
		busy = 0;
		for (unsigned i = 0; i < 8; i++)
			busy += atomic_load(&workers[i].rounds) > ROUNDS_MIN;
	}
}

static void eight_threads_access_change_unplug_and_harvest(void **state)
{
	static void *(*const roles[])(void *) = { accessor, accessor,  accessor, mover,
						  plugger,  harvester, viewer,   accessor };
	static struct shared shared;
	struct shared *s = &shared;
	struct worker workers[8];
	struct fm_port *port = NULL;

	memset(s, 0, sizeof(*s));
	set_up(s);
	for (unsigned i = 0; i < 8; i++) {
		workers[i] = (struct worker){ .s = s, .number = i };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, roles[i], &workers[i]),
				 0);
	}
	let_them_run(workers);
	atomic_store(&s->stop, true);
	for (unsigned i = 0; i < 8; i++)
		pthread_join(workers[i].thread, NULL);
	print_message("rounds: access %lu %lu %lu %lu, move %lu, plug %lu, harvest %lu, view %lu\n",
		      atomic_load(&workers[0].rounds), atomic_load(&workers[1].rounds),
		      atomic_load(&workers[2].rounds), atomic_load(&workers[7].rounds),
		      atomic_load(&workers[3].rounds), atomic_load(&workers[4].rounds),
		      atomic_load(&workers[5].rounds), atomic_load(&workers[6].rounds));
	if (atomic_load(&s->failures))
		fail_msg("%u checks failed, the first on line %u", atomic_load(&s->failures),
			 atomic_load(&s->first_line));
	for (unsigned i = 0; i < 8; i++)
		assert_true(atomic_load(&workers[i].rounds) > ROUNDS_MIN);
	/* Every store was in some harvest: after a last one the copy is the memory. */
	assert_int_equal(fm_port_new(&port, s->space, NULL), 0);
	harvest(s, port);
	fm_port_free(port);
	assert_int_equal(atomic_load(&s->failures), 0);
	assert_memory_equal(s->copy, fm_block_ptr(s->ram_block), RAM_LEN);
	tear_down(s);
}

/* --- quiesce ----------------------------------------------------------------------------- */

/* A device whose read takes until the test lets it go. */
struct gate {
	struct fm_space *space;
	struct fm_port *port;
	atomic_bool inside;
	atomic_bool open;
	atomic_bool quiet;
	unsigned effects;
};

static unsigned gate_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			  struct fm_attrs attrs)
{
	struct gate *g = state;

	atomic_store(&g->inside, true);
	while (!atomic_load(&g->open))
		usleep(100);
	*value = 7;
	return 0;
}

static const struct fm_dev_ops gate_ops = { .struct_size = sizeof(gate_ops),
					    .type = "gate",
					    .read = gate_read };

static void *gate_visitor(void *arg)
{
	struct gate *g = arg;
	uint64_t value;

	g->effects = fm_port_read(g->port, 0x1000, 1, &value, FM_ATTRS_NONE);
	return NULL;
}

static void *gate_unplugger(void *arg)
{
	struct gate *g = arg;

	fm_space_quiesce(g->space);
	atomic_store(&g->quiet, true);
	return NULL;
}

static void quiesce_waits_for_the_access_under_way(void **state)
{
	static struct gate g;
	struct fm_dev *dev = NULL;
	struct fm_window *w;
	pthread_t visitor, unplugger;

	g.space = space_make(0, 0);
	assert_int_equal(fm_port_new(&g.port, g.space, NULL), 0);
	assert_int_equal(
		fm_dev_new(&dev, &gate_ops, &g,
			   &(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						    .name = "gate",
						    .len = 1 },
			   NULL),
		0);
	w = add(g.space, window_at(dev, NULL, 0x1000, 0, 0, 0));
	assert_int_equal(pthread_create(&visitor, NULL, gate_visitor, &g), 0);
	while (!atomic_load(&g.inside))
		usleep(100);
	/* A change waits for no access; what frees the device does. */
	assert_int_equal(fm_space_remove(g.space, w, NULL), 0);
	assert_int_equal(pthread_create(&unplugger, NULL, gate_unplugger, &g), 0);
	usleep(50000);
	assert_false(atomic_load(&g.quiet));
	atomic_store(&g.open, true);
	pthread_join(unplugger, NULL);
	pthread_join(visitor, NULL);
	assert_true(atomic_load(&g.quiet));
	assert_int_equal(g.effects, 0);
	fm_dev_free(dev);
	fm_port_free(g.port);
	fm_space_free(g.space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiesce_waits_for_the_access_under_way),
		cmocka_unit_test(eight_threads_access_change_unplug_and_harvest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
