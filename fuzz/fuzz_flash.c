/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_flash: a bank of any small geometry and either command set is driven by the grammar of its
 * commands, at offsets near the edges of blocks. What must hold after every access:
 *  - the array changed only as the medium operations say, by programs 1 to 0, by erases 0 to 1;
 *  - FM_EFF_DIRTY came if and only if it changed, and the dirty log has the place;
 *  - FM_EFF_REMAP came if and only if the bank turned from mappable to not, or back;
 *  - the image holds what the array holds, unless a write failed and no flush has succeeded since;
 *  - a bank that a saved state was loaded into does the same as the one it was saved from.
 * The array ends, and begins, where no memory is.
 */
#include "fuzz/memfile.h"
#include "fuzz/tape.h"

#include <firmem/dirty.h>
#include <firmem/flash.h>

#include <string.h>
#include <sys/mman.h>

#define ROOM (256u << 10) /* at most 64 pages */
#define PAGE 4096u

struct side {
	uint8_t *array;
	struct fm_block *block;
	struct fm_dev *dev;
};

struct run {
	struct tape tape;
	struct fm_flash_config cfg;
	unsigned line; /* AMD: the next of its sequences' cycles */
	uint64_t len;
	uint64_t edges[FM_FLASH_REGIONS * 2 + 1]; /* where blocks begin, some of them */
	unsigned nedges;
	struct side one;
	struct side twin; /* dev: NULL until a state was loaded into it */
	uint8_t *told;    /* the array as the medium operations make it */
	bool changed;     /* by the operations of this access */
	struct fm_medium_sub sub;
	struct memfile file;
	struct fm_io io;
	bool behind; /* a write of the image failed */
	uint64_t now_ns;
};

/* Memory between two pages that fault. Made once: mapping is slow. */
static uint8_t *guarded(unsigned n)
{
	static uint8_t *map[2];

	if (!map[n]) {
		map[n] = mmap(NULL, ROOM + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		TAPE_CHECK(map[n] != MAP_FAILED);
		TAPE_CHECK(!mprotect(map[n] + PAGE, ROOM, PROT_READ | PROT_WRITE));
	}
	return map[n] + PAGE;
}

/* --- the bank ---------------------------------------------------------------------------- */

/* Any that go together, and now and then some that do not. */
static void choose_quirks(struct run *r)
{
	static const unsigned buffers[] = { FM_FLASH_QUIRK_BUFFER_FROM_COUNT,
					    FM_FLASH_QUIRK_BUFFER_DIRECT,
					    FM_FLASH_QUIRK_BUFFER_FROM_DATA };
	const unsigned need_whole = FM_FLASH_QUIRK_COUNT_UNBOUNDED | FM_FLASH_QUIRK_OVERWRITE |
				    FM_FLASH_QUIRK_NO_CHIP_WIDTH;
	struct tape *t = &r->tape;
	unsigned quirks = (unsigned)tape_number(t, 2) & 0x3fff;

	quirks &= ~(unsigned)(FM_FLASH_QUIRK_ONE_STATE | FM_FLASH_QUIRK_BUFFER_FROM_COUNT);

	if (tape_one_in(t, 2))
		return;
	if (r->cfg.nregions > 1)
		quirks &= ~(unsigned)FM_FLASH_QUIRK_QEMU_TABLE;
	if (r->cfg.chip_width != r->cfg.bank_width)
		quirks &= ~(unsigned)FM_FLASH_QUIRK_NO_CHIP_WIDTH;
	if (tape_one_in(t, 2))
		quirks |= FM_FLASH_QUIRK_ONE_STATE | buffers[tape_below(t, 3)];
	else if (!tape_one_in(t, 16))
		quirks &= ~need_whole;
	r->cfg.quirks = quirks;
}

/* As QEMU has it, with its table or without. */
static void choose_amd_quirks(struct run *r)
{
	if (!tape_one_in(&r->tape, 3))
		return;
	r->cfg.quirks = FM_FLASH_QUIRK_QEMU_AMD;
	if (tape_one_in(&r->tape, 2))
		r->cfg.quirks |= FM_FLASH_QUIRK_QEMU_TABLE;
	if (!tape_one_in(&r->tape, 8)) {
		r->cfg.chip_width = r->cfg.bank_width;
		r->cfg.byte_mode = false;
	}
}

static void choose_geometry(struct run *r)
{
	struct tape *t = &r->tape;
	struct fm_flash_config *cfg = &r->cfg;
	unsigned chips, grow;

	cfg->struct_size = sizeof(*cfg);
	cfg->set = tape_one_in(t, 2) ? FM_FLASH_AMD : FM_FLASH_INTEL;
	/* An AMD bank whose command addresses are behind its end can do nothing. */
	grow = cfg->set == FM_FLASH_AMD ? 1 + tape_below(t, 3) : 0;
	cfg->bank_width = 1u << tape_below(t, 4);
	cfg->chip_width = 1u << tape_below(t, 3);
	if (cfg->chip_width > cfg->bank_width)
		cfg->chip_width = cfg->bank_width;
	chips = cfg->bank_width / cfg->chip_width;
	cfg->nregions = 1 + tape_below(t, FM_FLASH_REGIONS);
	for (unsigned i = 0; i < cfg->nregions; i++) {
		cfg->regions[i].block_len = 256ull * chips << (grow ? grow : tape_below(t, 2));
		cfg->regions[i].count = 1 + tape_below(t, 3);
		r->edges[r->nedges++] = r->len;
		r->len += cfg->regions[i].block_len;
		r->edges[r->nedges++] = r->len;
		r->len += cfg->regions[i].block_len * (cfg->regions[i].count - 1);
	}
	r->edges[r->nedges++] = r->len;
	cfg->narrow = tape_below(t, 3);
	cfg->buffer_len = tape_one_in(t, 2) ? 0 : cfg->bank_width << tape_below(t, 6);
	cfg->read_only = tape_one_in(t, 16);
	cfg->byte_mode = cfg->set == FM_FLASH_AMD && cfg->chip_width == 1 && tape_one_in(t, 2);
	if (cfg->set == FM_FLASH_INTEL)
		choose_quirks(r);
	else
		choose_amd_quirks(r);
}

static void make_block(struct side *side, uint8_t *end, uint64_t len)
{
	struct fm_block_config cfg = {
		.struct_size = sizeof(cfg),
		.name = "flash",
		.role = FM_ROLE_FLASH_VARS,
		.backing = FM_BACKING_ADOPTED,
		.ptr = end - len,
		.len = len,
	};

	side->array = end - len;
	TAPE_CHECK(!fm_block_new(&side->block, &cfg, NULL));
}

static unsigned on_op(void *ctx, const struct fm_medium_op *op)
{
	struct run *r = ctx;
	uint8_t *told = r->told + op->off;
	bool overwrites = r->cfg.quirks & FM_FLASH_QUIRK_OVERWRITE;
	bool changed = false;

	TAPE_CHECK(op->len && op->off < r->len && op->len <= r->len - op->off);
	for (uint64_t i = 0; i < op->len; i++) {
		uint8_t now = op->data ? op->data[i] : 0xff;

		TAPE_CHECK(now == r->one.array[op->off + i]);
		if (op->kind == FM_MEDIUM_PROGRAM)
			TAPE_CHECK(overwrites || !(now & ~told[i]));
		else
			TAPE_CHECK(!(told[i] & ~now));
		changed |= now != told[i];
		told[i] = now;
	}
	TAPE_CHECK(op->kind == FM_MEDIUM_ERASE || op->data);
	TAPE_CHECK(op->changed == changed);
	r->changed |= changed;
	return 0;
}

/* A geometry that cannot be is fine, as long as it is refused. */
static bool begin(struct run *r)
{
	struct fm_error err = { 0 };

	choose_geometry(r);
	make_block(&r->one, guarded(0) + ROOM, r->len);
	for (uint64_t i = 0; i < r->len; i += 64)
		memset(r->one.array + i, i / 64 % 3 ? 0xff : tape_u8(&r->tape), 64);
	memfile_init(&r->file, &r->io, r->one.array, r->len);
	r->cfg.block = r->one.block;
	r->cfg.image = "image";
	r->cfg.io = &r->io;
	if (fm_flash_new(&r->one.dev, &r->cfg, &err)) {
		TAPE_CHECK(err.code == FM_ERR_ARG && strstr(err.msg, "expected"));
		return false;
	}
	r->told = malloc(r->len);
	memcpy(r->told, r->one.array, r->len);
	r->sub = (struct fm_medium_sub){ .op = on_op, .ctx = r };
	fm_dev_subscribe(r->one.dev, &r->sub);
	TAPE_CHECK(!fm_dirty_start(fm_block_dirty(r->one.block), 0, NULL));
	return true;
}

static void end(struct run *r)
{
	fm_dev_free(r->twin.dev);
	fm_block_free(r->twin.block);
	fm_dev_free(r->one.dev);
	fm_block_free(r->one.block);
	memfile_exit(&r->file);
	free(r->told);
}

static bool mappable(const struct run *r)
{
	struct fm_mapping m;

	TAPE_CHECK(!fm_dev_map(r->one.dev, r->len - 1, &m));
	TAPE_CHECK(m.off == 0 && m.len == r->len && m.block == r->one.block && !m.block_off);
	TAPE_CHECK(m.prot == 0 || m.prot == (FM_MAP_READ | FM_MAP_EXEC));
	return m.prot != 0;
}

/* --- one access -------------------------------------------------------------------------- */

static uint64_t choose_offset(struct run *r, unsigned size)
{
	struct tape *t = &r->tape;
	uint64_t edge = r->edges[tape_below(t, r->nedges)];
	uint64_t off;

	switch (tape_below(t, 8)) {
	case 0: /* anywhere, also outside */
		return tape_edge(t, r->len);
	case 1: /* across the edge */
		return edge + tape_below(t, 16) - 8;
	default: /* aligned, in the first words or the last before the edge */
		off = (uint64_t)tape_below(t, 20) * size;
		return tape_one_in(t, 4) ? edge - size - off : edge + off;
	}
}

/* The same on the lanes of every chip. */
static uint64_t to_all(const struct run *r, uint64_t one)
{
	uint64_t all = 0;

	for (unsigned at = 0; at < 8; at += r->cfg.chip_width)
		all |= (one & (UINT64_MAX >> (64 - 8 * r->cfg.chip_width))) << (8 * at);
	return all;
}

static uint64_t choose_value(struct run *r)
{
	static const uint8_t commands[] = {
		0xff, 0x00, 0xf0, 0x10, 0x40, 0x40, 0x20, 0x20, 0x50, 0x60, 0x70, 0x90,
		0x98, 0xb0, 0xd0, 0xd0, 0xd0, 0xe8, 0xe8, 0xe8, 0x01, 0x2f, 0xaa, 0x55,
	};
	struct tape *t = &r->tape;
	uint64_t one;

	switch (tape_below(t, 8)) {
	case 0:
		return tape_number(t, 8);
	case 1: /* a small count */
		one = tape_below(t, 5);
		break;
	case 2: /* data, the same for all */
		one = tape_u8(t) * 0x01010101u;
		break;
	default:
		one = commands[tape_below(t, sizeof(commands))];
		break;
	}
	if (tape_one_in(t, 16)) /* for one chip only */
		return one << (8 * tape_below(t, 8));
	return to_all(r, one);
}

/*
 * A cycle of the sequences of an AMD bank, in order, now and then another one.
 */
static void choose_amd_cycle(struct run *r, uint64_t *off, uint64_t *value)
{
	enum {
		FIRST = 0x1000,
		SECOND,
		ANY
	};
	static const struct {
		uint16_t word;
		uint8_t code;
	} cycles[] = {
		{ FIRST, 0xaa },  { SECOND, 0x55 }, { FIRST, 0xa0 },  { ANY, 0x5a },
		{ FIRST, 0xaa },  { SECOND, 0x55 }, { 0, 0x25 },      { 0, 2 },
		{ 1, 0x11 },      { 3, 0x80 },      { 2, 0x44 },      { 0, 0x29 },
		{ FIRST, 0xaa },  { SECOND, 0x55 }, { FIRST, 0xf0 },  { FIRST, 0xaa },
		{ SECOND, 0x55 }, { FIRST, 0x80 },  { FIRST, 0xaa },  { SECOND, 0x55 },
		{ ANY, 0x30 },    { ANY, 0x30 },    { FIRST, 0xaa },  { SECOND, 0x55 },
		{ FIRST, 0x80 },  { FIRST, 0xaa },  { SECOND, 0x55 }, { FIRST, 0x10 },
		{ FIRST, 0xaa },  { SECOND, 0x55 }, { FIRST, 0x90 },  { 0x55, 0x98 },
		{ 0xaa, 0x98 },   { 0, 0xf0 },      { FIRST, 0xaa },  { SECOND, 0x55 },
		{ FIRST, 0x20 },  { ANY, 0xa0 },    { ANY, 0x77 },    { ANY, 0x80 },
		{ ANY, 0x30 },    { 0, 0x90 },      { 0, 0x00 },
	};
	uint32_t first = r->cfg.byte_mode ? 0xaaa : 0x555;
	uint32_t second = r->cfg.byte_mode ? 0x555 : 0x2aa;
	unsigned i;

	if (tape_one_in(&r->tape, 32))
		r->line = tape_below(&r->tape, sizeof(cycles) / sizeof(cycles[0]));
	i = r->line++ % (sizeof(cycles) / sizeof(cycles[0]));
	*value = to_all(r, cycles[i].code);
	switch (cycles[i].word) {
	case FIRST:
		*off = (uint64_t)first * r->cfg.bank_width;
		break;
	case SECOND:
		*off = (uint64_t)second * r->cfg.bank_width;
		break;
	case ANY:
		*off = choose_offset(r, r->cfg.bank_width);
		break;
	default:
		*off = (uint64_t)cycles[i].word * r->cfg.bank_width;
		break;
	}
}

static void check_dirty(struct run *r, const uint8_t *before)
{
	struct fm_dirty *log = fm_block_dirty(r->one.block);
	uint64_t bits[ROOM / PAGE / 64 + 1] = { 0 };

	TAPE_CHECK(fm_dirty_words(log, 0, r->len) <= sizeof(bits) / sizeof(bits[0]));
	TAPE_CHECK(fm_dirty_harvest(log, 0, 0, r->len, bits) >= 0);
	for (uint64_t i = 0; i < r->len; i++)
		TAPE_CHECK(before[i] == r->one.array[i] || bits[0] >> i / PAGE & 1);
}

/* After something that may have changed the bank. */
static void check(struct run *r, unsigned effects, bool was_mappable)
{
	TAPE_CHECK(!memcmp(r->told, r->one.array, r->len));
	TAPE_CHECK(!!(effects & FM_EFF_DIRTY) == r->changed);
	TAPE_CHECK(!!(effects & FM_EFF_REMAP) == (was_mappable != mappable(r)));
	TAPE_CHECK(!!(effects & FM_EFF_IOERR) == r->file.failed);
	r->behind |= r->file.failed;
	if (!r->behind)
		TAPE_CHECK(!memcmp(r->file.bytes, r->one.array, r->len));
	TAPE_CHECK(!!fm_dev_error(r->one.dev, NULL) == r->behind);
	if (r->twin.dev)
		TAPE_CHECK(!memcmp(r->twin.array, r->one.array, r->len));
	r->changed = false;
	r->file.failed = false;
}

static void do_write(struct run *r, struct fm_attrs attrs)
{
	unsigned size =
		tape_one_in(&r->tape, 5) ? 1u << tape_below(&r->tape, 4) : r->cfg.bank_width;
	uint64_t off = choose_offset(r, size);
	uint64_t value = choose_value(r);
	bool was = mappable(r);
	uint8_t *before = malloc(r->len);
	unsigned effects;
	bool inside;

	if (r->cfg.set == FM_FLASH_AMD && !tape_one_in(&r->tape, 6)) {
		size = r->cfg.bank_width;
		choose_amd_cycle(r, &off, &value);
	}
	inside = size <= r->len && off <= r->len - size;
	memcpy(before, r->one.array, r->len);
	r->file.failing = tape_one_in(&r->tape, 24);
	effects = fm_dev_write(r->one.dev, off, size, value, attrs);
	r->file.failing = false;
	TAPE_CHECK(!!(effects & FM_EFF_FAULT) == (!inside || attrs.debug));
	if (r->twin.dev)
		TAPE_CHECK(fm_dev_write(r->twin.dev, off, size, value, attrs) ==
			   (effects & ~(unsigned)FM_EFF_IOERR));
	check_dirty(r, before);
	free(before);
	check(r, effects, was);
}

static void do_read(struct run *r, struct fm_attrs attrs)
{
	unsigned size = 1u << tape_below(&r->tape, 4);
	uint64_t off = choose_offset(r, size);
	bool inside = size <= r->len && off <= r->len - size;
	bool was = mappable(r);
	bool plain = was || attrs.debug;
	uint64_t value, other;
	unsigned effects = fm_dev_read(r->one.dev, off, size, &value, attrs);

	/* A read ends what only lasts until a read. */
	TAPE_CHECK((effects & ~(unsigned)FM_EFF_REMAP) == (inside ? 0 : FM_EFF_FAULT));
	TAPE_CHECK(!(effects & FM_EFF_REMAP) || (r->cfg.set == FM_FLASH_AMD && !plain));
	for (unsigned i = 0; inside && plain && i < size; i++)
		TAPE_CHECK((uint8_t)(value >> (8 * i)) == r->one.array[off + i]);
	if (r->twin.dev) {
		TAPE_CHECK(fm_dev_read(r->twin.dev, off, size, &other, attrs) == effects);
		TAPE_CHECK(value == other);
	}
	check(r, effects, was);
}

/* --- the other verbs --------------------------------------------------------------------- */

static void make_twin(struct run *r)
{
	struct fm_flash_config cfg = r->cfg;

	if (r->twin.dev)
		return;
	make_block(&r->twin, guarded(1) + ROOM, r->len);
	memcpy(r->twin.array, r->one.array, r->len);
	cfg.block = r->twin.block;
	cfg.image = NULL;
	TAPE_CHECK(!fm_flash_new(&r->twin.dev, &cfg, NULL));
	fm_dev_tick(r->twin.dev, r->now_ns);
}

static void do_save(struct run *r)
{
	void *saved, *again;
	size_t len, len2;

	make_twin(r);
	TAPE_CHECK(!fm_dev_save(r->one.dev, &saved, &len, NULL));
	TAPE_CHECK(!fm_dev_load(r->twin.dev, saved, len, NULL));
	TAPE_CHECK(!fm_dev_save(r->twin.dev, &again, &len2, NULL));
	TAPE_CHECK(len == len2 && !memcmp(saved, again, len));
	if (tape_one_in(&r->tape, 4)) /* into itself */
		TAPE_CHECK(!fm_dev_load(r->one.dev, saved, len, NULL));
	/* A broken one changes nothing. */
	((uint8_t *)saved)[tape_number(&r->tape, 2) % len] ^=
		(uint8_t)(1 + tape_below(&r->tape, 255));
	TAPE_CHECK(fm_dev_load(r->twin.dev, saved, len, NULL) < 0);
	free(saved);
	free(again);
}

static void do_flush(struct run *r)
{
	int rc;

	r->file.failing = tape_one_in(&r->tape, 4);
	rc = fm_dev_flush(r->one.dev, NULL);
	r->file.failing = false;
	TAPE_CHECK(!!rc == r->file.failed);
	r->behind |= r->file.failed;
	r->file.failed = false;
	if (!rc) {
		r->behind = false;
		TAPE_CHECK(!memcmp(r->file.bytes, r->one.array, r->len));
		TAPE_CHECK(!memcmp(r->file.synced, r->one.array, r->len));
	}
	check(r, 0, mappable(r));
}

static void do_reset(struct run *r)
{
	enum fm_reset_kind kind = tape_below(&r->tape, FM_RESET_COUNT);
	bool was = mappable(r);
	unsigned effects = fm_dev_reset(r->one.dev, kind);

	if (!(r->cfg.quirks & FM_FLASH_QUIRK_QEMU_AMD))
		TAPE_CHECK(kind == FM_RESET_KEXEC || mappable(r));
	if (r->twin.dev)
		TAPE_CHECK(fm_dev_reset(r->twin.dev, kind) == effects);
	check(r, effects, was);
}

/* Up to a deadline, beyond it, or a little; a power of two of nanoseconds more. */
static void do_tick(struct run *r)
{
	uint64_t deadline = fm_dev_next_deadline_ns(r->one.dev);
	bool was = mappable(r);
	unsigned effects;

	if (deadline != FM_NEVER && tape_one_in(&r->tape, 2))
		r->now_ns = deadline;
	r->now_ns += UINT64_C(1) << tape_below(&r->tape, 33);
	effects = fm_dev_tick(r->one.dev, r->now_ns);
	if (r->twin.dev)
		TAPE_CHECK(fm_dev_tick(r->twin.dev, r->now_ns) == effects);
	TAPE_CHECK(fm_dev_next_deadline_ns(r->one.dev) > r->now_ns);
	check(r, effects, was);
}

static void step(struct run *r)
{
	switch (tape_below(&r->tape, 32)) {
	case 0:
		do_save(r);
		break;
	case 1:
		do_flush(r);
		break;
	case 2:
		if (tape_one_in(&r->tape, 4))
			do_reset(r);
		break;
	case 3:
		do_read(r, (struct fm_attrs){ .debug = true });
		break;
	case 4:
		do_write(r, (struct fm_attrs){ .debug = true });
		break;
	case 10:
		do_tick(r);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
		do_read(r, FM_ATTRS_NONE);
		break;
	default:
		do_write(r, FM_ATTRS_NONE);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct run r = { .tape = { bytes, len } };

	if (begin(&r)) {
		while (r.tape.left)
			step(&r);
		r.file.failing = false;
		TAPE_CHECK(!fm_dev_flush(r.one.dev, NULL));
		TAPE_CHECK(!memcmp(r.file.synced, r.one.array, r.len));
		fm_dev_unsubscribe(r.one.dev, &r.sub);
	}
	end(&r);
	return 0;
}
