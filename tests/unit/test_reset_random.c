/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random machines, random resets: test_reset_random [MACHINES [SEED]]. Blocks of every role on every
 * backing, with private ranges, under windows that overlap, alias, hide and are off. After each reset
 * every byte of every block is what the matrix says, as a model in this file reads it: mapped or hidden.
 */
#include "tests/unit/reset_fixture.h"
#include "tests/unit/reset_letters.h"
#include "tests/unit/rng.h"
#include "tests/unit/tmpdir.h"

#include <firmem/space.h>

#define BLOCKS 8
#define LOADED 0x11

static unsigned machines = 1000;
static uint64_t seed = 1;

struct blk {
	struct fm_block *block;
	struct fm_dev *dev;
	uint8_t *before; /* a copy of the contents */
	uint8_t *memory; /* adopted */
	uint8_t *image;  /* of a ROM */
	bool carried, attested;
	char name[16];
};

struct world {
	struct rng rng;
	struct fm_machine *machine;
	struct fm_space *space;
	struct blk blocks[BLOCKS];
	unsigned count;
	enum fm_reset_kind kind;
	bool asked;    /* by the caller */
	bool ppi_asks; /* by a page */
	const char *dir;
};

/* Summed up over all machines: a run that never did a thing proves nothing about it. */
static struct {
	unsigned actions[FM_RESET_ACTION_COUNT];
	unsigned refused, cleared, pending, hidden, windows;
	uint64_t kept_bytes, cleared_bytes;
} seen;

/* --- a random machine ---------------------------------------------------------------------------- */

static struct fm_block_config random_config(struct world *w, struct blk *b, unsigned n)
{
	struct fm_block_config cfg =
		BLOCK_RAW(.role = (enum fm_role)(1 + rng_below(&w->rng, FM_ROLE_COUNT - 1)),
			  .len = PAGE * (1 + rng_below(&w->rng, 4)));
	char path[64];

	snprintf(b->name, sizeof(b->name), "block%u", n);
	if (!rng_one_in(&w->rng, 8))
		cfg.name = b->name;
	if (rng_one_in(&w->rng, 3))
		cfg.len -= rng_below(&w->rng, 2000);
	switch (rng_below(&w->rng, 8)) {
	case 0:
		cfg.flags = FM_BLOCK_SHARED;
		break;
	case 1:
	case 2:
	case 3:
		cfg.backing = FM_BACKING_MEMFD;
		break;
	case 4:
		cfg.backing = FM_BACKING_ADOPTED;
		b->memory = malloc(cfg.len);
		cfg.ptr = b->memory;
		cfg.flags = rng_one_in(&w->rng, 12) ? 0 : FM_BLOCK_CONSENT;
		break;
	case 5:
		cfg.backing = FM_BACKING_FILE;
		snprintf(path, sizeof(path), "%s/f", w->dir);
		unlink(path);
		cfg.path = strdup(path);
		cfg.flags = FM_BLOCK_SHARED | FM_BLOCK_CREATE;
		break;
	default:
		break;
	}
	if (rng_one_in(&w->rng, 8))
		cfg.flags |= FM_BLOCK_PREALLOC;
	if (rng_one_in(&w->rng, 8))
		cfg.flags |= FM_BLOCK_NO_MIGRATE;
	return cfg;
}

static bool is_image(enum fm_role role)
{
	return role == FM_ROLE_ROM || role == FM_ROLE_OPTION_ROM || role == FM_ROLE_TABLE;
}

static struct fm_dev *make_device(struct blk *b)
{
	uint64_t len = fm_block_len(b->block);
	struct fm_ram_config ram = { .struct_size = sizeof(ram), .name = b->name };
	struct fm_rom_config rom = { .struct_size = sizeof(rom), .name = b->name, .shadow = true };
	bool file = fm_block_backing(b->block) == FM_BACKING_FILE;
	struct fm_dev *dev = NULL;

	ram.block = b->block;
	rom.block = b->block;
	if (is_image(fm_block_role(b->block)) && !file) {
		b->image = malloc(len);
		for (uint64_t i = 0; i < len; i++)
			b->image[i] = (uint8_t)(i % 151);
		rom.data = b->image;
		rom.len = len;
		assert_int_equal(fm_rom_new(&dev, &rom, NULL), 0);
	} else {
		assert_int_equal(fm_ram_new(&dev, &ram, NULL), 0);
	}
	return dev;
}

static void make_private(struct world *w, struct fm_block *block)
{
	const struct fm_private_config cfg = { .struct_size = sizeof(cfg) };
	uint64_t pages = (fm_block_len(block) - 1) / PAGE + 1;

	if (!rng_one_in(&w->rng, 4) || fm_private_enable(block, &cfg, NULL))
		return;
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t len = i + 1 == pages ? fm_block_len(block) - i * PAGE : PAGE;

		if (rng_one_in(&w->rng, 3))
			assert_int_equal(fm_private_convert(block, i * PAGE, len, true, NULL), 0);
	}
}

static void add_block(struct world *w, unsigned n)
{
	struct blk *b = &w->blocks[n];
	struct fm_block_config cfg = random_config(w, b, n);
	uint64_t len;

	b->block = add_cfg(w->machine, cfg);
	if (cfg.backing == FM_BACKING_FILE)
		free((void *)(uintptr_t)cfg.path);
	len = fm_block_len(b->block);
	b->dev = make_device(b);
	assert_int_equal(fm_machine_add_dev(w->machine, b->dev, NULL), 0);
	if (rng_one_in(&w->rng, 6))
		fm_block_discard_inhibit(b->block);
	/* Secrets are odd here, so a page that is full of them asks for an overwrite. */
	fill(b->block);
	if (cfg.role == FM_ROLE_PPI) {
		if (rng_one_in(&w->rng, 2))
			fill_quietly(b->block);
	}
	make_private(w, b->block);
	if (cfg.role == FM_ROLE_PPI && !fm_private_at(b->block, 0, NULL))
		w->ppi_asks |= bytes(b->block)[FM_PPI_MEMORY_OVERWRITE] & FM_PPI_CLEAR_MEMORY;
	b->before = malloc(len);
	memcpy(b->before, fm_block_ptr(b->block), len);
	if (*fm_block_name(b->block)) {
		b->carried = rng_one_in(&w->rng, 2);
		b->attested = !b->carried && !rng_one_in(&w->rng, 8);
	}
}

/* Windows anywhere in a megabyte; those that would collide are simply not there. */
static void add_windows(struct world *w)
{
	for (unsigned i = 0; i < 2 * w->count; i++) {
		struct fm_dev *dev = w->blocks[rng_below(&w->rng, w->count)].dev;
		struct fm_window_config cfg = { .struct_size = sizeof(cfg), .dev = dev };

		cfg.gpa = rng_below(&w->rng, 1 << 16) * (rng_one_in(&w->rng, 2) ? 1u : 16u);
		cfg.dev_off = rng_below(&w->rng, (unsigned)fm_dev_len(dev));
		cfg.priority = (int)rng_below(&w->rng, 4);
		cfg.disabled = rng_one_in(&w->rng, 5);
		seen.windows += !fm_space_add(w->space, &cfg, NULL, NULL);
	}
}

static void make_world(struct world *w, uint64_t number, const char *dir)
{
	const struct fm_space_config space = { .struct_size = sizeof(space), .name = "memory" };

	*w = (struct world){ .rng = { seed + number }, .dir = dir };
	w->machine = machine_make();
	assert_int_equal(fm_space_new(&w->space, &space, NULL), 0);
	assert_int_equal(fm_machine_add_space(w->machine, w->space, NULL), 0);
	w->count = 1 + rng_below(&w->rng, BLOCKS);
	w->kind = (enum fm_reset_kind)rng_below(&w->rng, FM_RESET_COUNT);
	w->asked = rng_one_in(&w->rng, 2);
	for (unsigned i = 0; i < w->count; i++)
		add_block(w, i);
	add_windows(w);
}

static void free_world(struct world *w)
{
	fm_machine_free(w->machine);
	for (unsigned i = 0; i < w->count; i++) {
		free(w->blocks[i].before);
		free(w->blocks[i].memory);
		free(w->blocks[i].image);
	}
}

/* --- the model ------------------------------------------------------------------------------- */

static bool destroys(char letter)
{
	return strchr("ZDUB", letter) != NULL;
}

/* What must become of a range, as a letter. */
static char model(const struct world *w, const struct blk *b, uint64_t start, bool private)
{
	enum fm_role role = private ? FM_ROLE_PRIVATE : fm_block_role(b->block);
	enum fm_backing backing = fm_block_backing(b->block);
	unsigned flags = fm_block_flags(b->block);
	char letter = reset_matrix[role][w->asked || w->ppi_asks][w->kind];

	/* The request is in the first page. */
	if (letter == 'A' && start)
		letter = reset_matrix[role][0][w->kind];
	if (w->kind == FM_RESET_SNAPSHOT && fm_role_nonvolatile(role))
		return b->carried ? 'L' : b->attested ? 'K' : 'N';
	if (letter == 'L' && (!*fm_block_name(b->block) || flags & FM_BLOCK_NO_MIGRATE))
		letter = is_image(role) ? 'R' : 'Z';
	if (!destroys(letter))
		return letter;
	if (private && (fm_block_discard_inhibited(b->block) || backing == FM_BACKING_ADOPTED ||
			backing == FM_BACKING_FILE))
		return 'N';
	if (!private && backing == FM_BACKING_ADOPTED && !(flags & FM_BLOCK_CONSENT))
		return 'N';
	return letter;
}

/* --- the host -------------------------------------------------------------------------------- */

static int load(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	memset((uint8_t *)fm_block_ptr(s->object) + s->start, LOADED, s->size);
	return 0;
}

/* ROMs that are private in part: their device would write the private part as well. */
static int reload(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	const struct world *w = ctx;

	for (unsigned i = 0; i < w->count; i++) {
		if (w->blocks[i].block == s->object && w->blocks[i].image)
			memcpy(bytes(s->object) + s->start, w->blocks[i].image + s->start, s->size);
	}
	return 0;
}

static int nothing(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	return 0;
}

static struct blk *blk_of(struct world *w, const struct fm_block *block)
{
	unsigned i = 0;

	while (w->blocks[i].block != block)
		i++;
	return &w->blocks[i];
}

/* --- what came of it --------------------------------------------------------------------------- */

static void check_range(struct world *w, const struct fm_reset_plan *plan, size_t i,
			const struct fm_reset_report *report)
{
	const struct fm_reset_step *s = &plan->steps[i];
	const struct blk *b = blk_of(w, s->object);
	const uint8_t *p = bytes(b->block) + s->start;
	const uint8_t *before = b->before + s->start;
	bool private = s->role == FM_ROLE_PRIVATE;
	bool good = true;

	assert_int_equal(private, fm_private_at(b->block, s->start, NULL));
	if (!plan->refused)
		assert_int_equal(report->results[i].action, s->action);
	switch (plan->refused ? FM_RESET_KEEP : s->action) {
	case FM_RESET_KEEP:
	case FM_RESET_FLUSH_KEEP:
		good = !memcmp(p, before, s->size);
		seen.kept_bytes += s->size;
		break;
	case FM_RESET_ZERO:
	case FM_RESET_DISCARD:
	case FM_RESET_UNPLUG:
	case FM_RESET_REBUILD:
		good = all_bytes(p, s->size, 0);
		seen.cleared_bytes += s->size;
		break;
	case FM_RESET_RELOAD:
		good = b->image ? !memcmp(p, b->image + s->start, s->size) : true;
		break;
	case FM_RESET_LOAD:
		good = all_bytes(p, s->size, LOADED);
		break;
	case FM_RESET_ACKNOWLEDGE:
		good = !(p[FM_PPI_MEMORY_OVERWRITE] & FM_PPI_CLEAR_MEMORY);
		break;
	case FM_RESET_REFUSE:
	case FM_RESET_ACTION_COUNT:
		good = false;
		break;
	}
	if (!good)
		fail_msg("%s: %s of %s: not what is there", s->block,
			 fm_reset_action_name(s->action), fm_role_name(s->role));
}

/* Whatever the plan says: these two are what a reset is about. */
static void check_promises(struct world *w, const struct fm_reset_plan *plan,
			   const struct fm_reset_report *report)
{
	for (unsigned i = 0; i < w->count; i++) {
		const struct blk *b = &w->blocks[i];
		enum fm_role role = fm_block_role(b->block);
		uint64_t run;

		for (uint64_t off = 0; off < fm_block_len(b->block); off += run) {
			bool private = fm_private_at(b->block, off, &run);
			bool loaded = w->kind == FM_RESET_SNAPSHOT && b->carried;

			if (fm_role_nonvolatile(role) && !private && !loaded)
				assert_memory_equal(bytes(b->block) + off, b->before + off, run);
			if (report->acknowledged && !fm_role_nonvolatile(role) &&
			    role != FM_ROLE_PPI && !(is_image(role) && !b->image && !private))
				assert_null(memchr(bytes(b->block) + off, SECRET, run) &&
							    !(b->image && !private)
						    ? b
						    : NULL);
		}
		if (role == FM_ROLE_PPI && !report->acknowledged && !plan->refused && w->ppi_asks &&
		    !fm_private_at(b->block, 0, NULL))
			assert_int_equal(bytes(b->block)[FM_PPI_MEMORY_OVERWRITE],
					 b->before[FM_PPI_MEMORY_OVERWRITE]);
	}
}

static void count_hidden(const struct world *w)
{
	const struct fm_view *view = fm_space_view_get(w->space);

	for (unsigned i = 0; i < w->count; i++) {
		uint64_t shown = 0;

		for (size_t n = 0; n < fm_view_count(view); n++) {
			if (fm_view_range(view, n)->block == w->blocks[i].block)
				shown += fm_view_range(view, n)->len;
		}
		seen.hidden += shown < fm_block_len(w->blocks[i].block);
	}
	fm_view_put(view);
}

static struct fm_reset_plan *plan_world(struct world *w)
{
	struct fm_reset_saved saved[BLOCKS];
	struct fm_reset_request r = { .struct_size = sizeof(r), .kind = w->kind, .saved = saved };

	r.memory_overwrite = w->asked;
	for (unsigned i = 0; i < w->count; i++) {
		if (w->blocks[i].carried || w->blocks[i].attested)
			saved[r.nsaved++] =
				(struct fm_reset_saved){ .block = fm_block_name(w->blocks[i].block),
							 .carried = w->blocks[i].carried,
							 .digest = "d",
							 .digest_len = 1 };
	}
	return plan_of(w->machine, &r);
}

static void check_plan(struct world *w, const struct fm_reset_plan *plan)
{
	bool left = false;

	for (size_t i = 0; i < plan->count; i++) {
		const struct fm_reset_step *s = &plan->steps[i];
		char want = model(w, blk_of(w, s->object), s->start, s->role == FM_ROLE_PRIVATE);
		char is = reset_letters[s->action];

		/* What cannot be cleared leaves the request, and with it the page, as it is. */
		left |= want == 'N';
		if (is != want && !(want == 'A' && is == 'K' && plan->refused))
			fail_msg("%s (%s): %c planned (%s), expected %c", s->block,
				 fm_role_name(s->role), is, s->reason, want);
		seen.actions[s->action]++;
	}
	assert_int_equal(plan->refused, left);
}

static void one_machine(uint64_t number, const char *dir)
{
	struct fm_reset_report report = { 0 };
	struct fm_error err = { .msg = "" };
	struct fm_reset_plan *plan;
	struct world w;
	int rc;

	make_world(&w, number, dir);
	count_hidden(&w);
	plan = plan_world(&w);
	check_plan(&w, plan);
	rc = fm_reset_apply(w.machine, plan,
			    OPTIONS(.verify = rng_one_in(&w.rng, 2),
				    .pages = (enum fm_reset_pages)rng_below(&w.rng, 3),
				    .quiesce = allow, .load = load, .reload = reload, .ctx = &w,
				    .rebuild = nothing, .attest = nothing),
			    &report, &err);
	if (rc != (plan->refused ? FM_ERR_STATE : 0))
		fail_msg("machine %llu: apply: %s", (unsigned long long)number, err.msg);
	for (size_t i = 0; i < plan->count; i++)
		check_range(&w, plan, i, &report);
	check_promises(&w, plan, &report);
	seen.refused += plan->refused;
	seen.cleared += report.acknowledged;
	seen.pending += plan->overwrite == FM_OVERWRITE_PENDING;
	fm_reset_report_clear(&report);
	fm_reset_plan_free(plan);
	free_world(&w);
}

static void every_byte_of_every_block_is_what_the_plan_says_and_the_plan_what_the_matrix_says(
	void **state)
{
	for (uint64_t i = 0; i < machines; i++)
		one_machine(i, *state);
	print_message(
		"%u machines, %u windows, %u blocks hidden in part or whole; %u resets refused, "
		"%u acknowledged, %u left pending; %llu bytes kept, %llu cleared\n",
		machines, seen.windows, seen.hidden, seen.refused, seen.cleared, seen.pending,
		(unsigned long long)seen.kept_bytes, (unsigned long long)seen.cleared_bytes);
	for (unsigned i = 0; i < FM_RESET_ACTION_COUNT; i++)
		assert_true(seen.actions[i] > machines / 500);
	assert_true(seen.refused && seen.cleared && seen.pending && seen.hidden);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(
			every_byte_of_every_block_is_what_the_plan_says_and_the_plan_what_the_matrix_says),
	};

	if (argc > 1)
		machines = (unsigned)strtoul(argv[1], NULL, 0);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
