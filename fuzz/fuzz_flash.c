/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_flash: a bank of any small geometry and either command set is driven by the grammar of its
 * commands, at offsets near the edges of blocks. What must hold after every access:
 *  - the array changed only as the medium operations say, by programs 1 to 0, by erases 0 to 1;
 *  - FM_EFF_DIRTY came if and only if it changed, and the dirty log has the place;
 *  - FM_EFF_REMAP came if and only if the bank turned from mappable to not, or back, or its hint did;
 *  - after a flush that did not fail the image holds what the array holds, and accesses touch no file
 *    unless the journal is full; killed at the end, image and journal hold it if the host did not fail;
 *  - a bank that a saved state was loaded into, at another time of its clock, does the same as the one
 *    it was saved from;
 *  - a state that was changed is refused, or is one that a bank can be in.
 * The array ends, and begins, where no memory is.
 */
#include "fuzz/flash_cycles.h"
#include "fuzz/flash_run.h"
#include "fuzz/image_build.h"

#include <firmem/dirty.h>

#include <string.h>
#include <sys/mman.h>

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
	make_image(r);
	r->cfg.block = r->one.block;
	make_registers(r);
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
	fm_block_free(r->registers);
	fm_worker_free(r->worker);
	memdir_exit(&r->dir);
	free(r->told);
}

/* How it maps: a number that is another one when that has changed. */
static unsigned view(const struct run *r, const struct side *side)
{
	struct fm_mapping m;

	TAPE_CHECK(!fm_dev_map(side->dev, r->len - 1, &m));
	TAPE_CHECK(m.off == 0 && m.len == r->len && m.block == side->block && !m.block_off);
	TAPE_CHECK(m.prot == 0 || m.prot == (FM_MAP_READ | FM_MAP_EXEC));
	TAPE_CHECK(!m.flags || (m.flags == FM_MAP_HINT_TRAP && m.prot));
	return m.prot | m.flags << 8;
}

static bool mappable(const struct run *r)
{
	return view(r, &r->one);
}

/* What the twin did, whose hint has a history of its own. */
static void check_twin(struct run *r, unsigned effects, unsigned twins, unsigned was)
{
	const unsigned own = FM_EFF_REMAP | FM_EFF_IOERR;
	uint64_t one = fm_dev_next_deadline_ns(r->one.dev);
	uint64_t other = fm_dev_next_deadline_ns(r->twin.dev);

	TAPE_CHECK((twins & ~own) == (effects & ~own));
	TAPE_CHECK(!!(twins & FM_EFF_REMAP) == (was != view(r, &r->twin)));
	TAPE_CHECK(!view(r, &r->twin) == !view(r, &r->one));
	TAPE_CHECK((one == FM_NEVER) == (other == FM_NEVER));
	TAPE_CHECK(one == FM_NEVER || one - r->one.now_ns == other - r->twin.now_ns);
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
		one = flash_commands[tape_below(t, sizeof(flash_commands))];
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
	const struct flash_cycle *c;
	uint32_t first = r->cfg.byte_mode ? 0xaaa : 0x555;
	uint32_t second = r->cfg.byte_mode ? 0x555 : 0x2aa;

	if (tape_one_in(&r->tape, 24))
		r->line = tape_below(&r->tape, FLASH_AMD_CYCLES);
	c = &flash_amd_cycles[r->line++ % FLASH_AMD_CYCLES];
	*value = to_all(r, c->code);
	switch (c->word) {
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
		*off = (uint64_t)c->word * r->cfg.bank_width;
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
static void check(struct run *r, unsigned effects, unsigned was)
{
	TAPE_CHECK(!memcmp(r->told, r->one.array, r->len));
	TAPE_CHECK(!!(effects & FM_EFF_DIRTY) == r->changed);
	TAPE_CHECK(!!(effects & FM_EFF_REMAP) == (was != view(r, &r->one)));
	r->behind |= r->dir.failed;
	TAPE_CHECK(!(effects & FM_EFF_IOERR) || r->behind);
	TAPE_CHECK(!!fm_dev_error(r->one.dev, NULL) == r->behind);
	if (r->twin.dev)
		TAPE_CHECK(!memcmp(r->twin.array, r->one.array, r->len));
	r->changed = false;
	r->dir.failed = false;
}

static void do_write(struct run *r, struct fm_attrs attrs)
{
	unsigned size =
		tape_one_in(&r->tape, 5) ? 1u << tape_below(&r->tape, 4) : r->cfg.bank_width;
	uint64_t off = choose_offset(r, size);
	uint64_t value = choose_value(r);
	unsigned was = view(r, &r->one);
	uint8_t *before = malloc(r->len);
	unsigned effects, twins;
	bool inside, allowed = !attrs.debug && (!r->cfg.secure_only || attrs.secure);

	if (r->cfg.set == FM_FLASH_AMD && !tape_one_in(&r->tape, 6)) {
		size = r->cfg.bank_width;
		choose_amd_cycle(r, &off, &value);
	}
	inside = size <= r->len && off <= r->len - size;
	memcpy(before, r->one.array, r->len);
	r->dir.failing = tape_one_in(&r->tape, 24);
	r->dir.transfers = 0;
	effects = fm_dev_write(r->one.dev, off, size, value, attrs);
	if (r->cfg.mode == FM_WRITE_BEHIND && r->dir.transfers)
		TAPE_CHECK(waits(r));
	r->dir.failing = false;
	TAPE_CHECK(!!(effects & FM_EFF_FAULT) == (!inside || !allowed));
	if (r->twin.dev) {
		unsigned twin_was = view(r, &r->twin);

		twins = fm_dev_write(r->twin.dev, off, size, value, attrs);
		check_twin(r, effects, twins, twin_was);
	}
	check_dirty(r, before);
	free(before);
	check(r, effects, was);
}

static void do_read(struct run *r, struct fm_attrs attrs)
{
	unsigned size = 1u << tape_below(&r->tape, 4);
	uint64_t off = choose_offset(r, size);
	bool inside = size <= r->len && off <= r->len - size;
	unsigned was = view(r, &r->one);
	bool plain = was || attrs.debug || (r->cfg.secure_only && !attrs.secure);
	uint64_t value, other;
	unsigned effects = fm_dev_read(r->one.dev, off, size, &value, attrs);

	/* A read ends what only lasts until a read. */
	TAPE_CHECK((effects & ~(unsigned)FM_EFF_REMAP) == (inside ? 0 : FM_EFF_FAULT));
	TAPE_CHECK(!(effects & FM_EFF_REMAP) || was || (r->cfg.set == FM_FLASH_AMD && !plain));
	for (unsigned i = 0; inside && plain && i < size; i++)
		TAPE_CHECK((uint8_t)(value >> (8 * i)) == r->one.array[off + i]);
	if (r->twin.dev) {
		unsigned twin_was = view(r, &r->twin);
		unsigned twins = fm_dev_read(r->twin.dev, off, size, &other, attrs);

		TAPE_CHECK(value == other);
		check_twin(r, effects, twins, twin_was);
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
	cfg.worker = NULL;
	cfg.registers = NULL;
	TAPE_CHECK(!fm_flash_new(&r->twin.dev, &cfg, NULL));
	r->twin.now_ns = tape_number(&r->tape, 3);
	fm_dev_tick(r->twin.dev, r->twin.now_ns);
}

/* The frame's checksum, as if the state had been saved so. */
static void seal(uint8_t *saved, size_t len)
{
	uint32_t crc = build_crc32(saved, len - 4);

	for (unsigned i = 0; i < 4; i++)
		saved[len - 4 + i] = (uint8_t)(crc >> (8 * i));
}

/*
 * A state with some bytes changed: refused, or one that a bank can be in, and be driven from. Behind
 * the frame's header, whose checksum is made right again.
 */
static void load_changed(struct run *r, uint8_t *saved, size_t len)
{
	const uint64_t value = choose_value(r);
	void *again;
	size_t len2;

	for (unsigned n = 1 + tape_below(&r->tape, 2); n; n--) {
		size_t at = 40 + tape_number(&r->tape, 2) % (len - 44);

		saved[at] ^= (uint8_t)(1u << tape_below(&r->tape, 8));
	}
	seal(saved, len);
	if (fm_dev_load(r->twin.dev, saved, len, NULL))
		return;
	TAPE_CHECK(!fm_dev_save(r->twin.dev, &again, &len2, NULL));
	TAPE_CHECK(len == len2 && !memcmp(saved, again, len));
	free(again);
	for (unsigned n = 0; n < 4; n++) {
		uint64_t out, due = fm_dev_next_deadline_ns(r->twin.dev);

		fm_dev_write(r->twin.dev, choose_offset(r, 8), r->cfg.bank_width, value,
			     FM_ATTRS_NONE);
		fm_dev_read(r->twin.dev, choose_offset(r, 8), 8, &out, FM_ATTRS_NONE);
		if (due != FM_NEVER && due > r->twin.now_ns && due < UINT64_MAX / 2)
			r->twin.now_ns = due;
		fm_dev_tick(r->twin.dev, r->twin.now_ns);
	}
}

/* A state that was saved from a bank like it. */
static void load(struct fm_dev *dev, const void *saved, size_t len)
{
	struct fm_error err = { 0 };

	if (fm_dev_load(dev, saved, len, &err))
		fprintf(stderr, "%s\n", err.msg);
	TAPE_CHECK(!err.code);
}

static void do_save(struct run *r)
{
	void *saved, *again;
	size_t len, len2;

	make_twin(r);
	TAPE_CHECK(!fm_dev_save(r->one.dev, &saved, &len, NULL));
	load(r->twin.dev, saved, len);
	TAPE_CHECK(!fm_dev_save(r->twin.dev, &again, &len2, NULL));
	TAPE_CHECK(len == len2 && !memcmp(saved, again, len));
	if (tape_one_in(&r->tape, 4)) { /* into itself */
		load(r->one.dev, saved, len);
		r->loaded = true;
	}
	/* A broken one changes nothing. */
	((uint8_t *)saved)[tape_number(&r->tape, 2) % len] ^=
		(uint8_t)(1 + tape_below(&r->tape, 255));
	TAPE_CHECK(fm_dev_load(r->twin.dev, saved, len, NULL) < 0);
	memcpy(saved, again, len);
	if (tape_one_in(&r->tape, 2)) {
		load_changed(r, saved, len);
		memcpy(r->twin.array, r->one.array, r->len);
		load(r->twin.dev, again, len);
	}
	free(saved);
	free(again);
}

static void do_flush(struct run *r)
{
	int rc;

	r->dir.failing = tape_one_in(&r->tape, 4);
	rc = fm_dev_flush(r->one.dev, NULL);
	r->dir.failing = false;
	TAPE_CHECK(!!rc == r->dir.failed);
	r->behind |= r->dir.failed;
	r->dir.failed = false;
	if (!rc) {
		r->behind = r->loaded = false;
		TAPE_CHECK(!memcmp(r->file->bytes, r->one.array, r->len));
		TAPE_CHECK(!memcmp(r->file->synced, r->one.array, r->len));
	}
	check(r, 0, view(r, &r->one));
}

static void do_reset(struct run *r)
{
	enum fm_reset_kind kind = tape_below(&r->tape, FM_RESET_COUNT);
	unsigned was = view(r, &r->one);
	unsigned effects = fm_dev_reset(r->one.dev, kind);

	if (!(r->cfg.quirks & FM_FLASH_QUIRK_QEMU_AMD))
		TAPE_CHECK(kind == FM_RESET_KEXEC || mappable(r));
	if (r->twin.dev) {
		unsigned twin_was = view(r, &r->twin);

		check_twin(r, effects, fm_dev_reset(r->twin.dev, kind), twin_was);
	}
	check(r, effects, was);
}

/* A little, to the next deadline, just before it, or over all there are. */
static uint64_t choose_pause(struct run *r)
{
	uint64_t due = fm_dev_next_deadline_ns(r->one.dev);

	switch (tape_below(&r->tape, 5)) {
	case 0:
		return tape_number(&r->tape, 2);
	case 1:
		return UINT64_C(1) << 40;
	case 2:
		return due == FM_NEVER ? 0 : due - r->one.now_ns - 1;
	default:
		return due == FM_NEVER ? tape_u8(&r->tape) : due - r->one.now_ns;
	}
}

static void do_tick(struct run *r)
{
	uint64_t pause = choose_pause(r);
	unsigned was = view(r, &r->one);
	unsigned effects;

	r->one.now_ns += pause;
	r->dir.failing = tape_one_in(&r->tape, 24);
	effects = fm_dev_tick(r->one.dev, r->one.now_ns);
	r->dir.failing = false;
	TAPE_CHECK(fm_dev_next_deadline_ns(r->one.dev) > r->one.now_ns);
	if (r->twin.dev) {
		unsigned twin_was = view(r, &r->twin);

		r->twin.now_ns += pause;
		check_twin(r, effects, fm_dev_tick(r->twin.dev, r->twin.now_ns), twin_was);
	}
	check(r, effects, was);
}

static void do_pins(struct run *r)
{
	unsigned pins = tape_below(&r->tape, 8);
	int rc = fm_flash_set_pins(r->one.dev, pins);

	TAPE_CHECK(rc == (pins < 4 ? 0 : FM_ERR_ARG));
	if (r->twin.dev)
		TAPE_CHECK(fm_flash_set_pins(r->twin.dev, pins) == rc);
}

static void do_sanitize(struct run *r)
{
	int rc = fm_dev_sanitize(r->one.dev, NULL);

	TAPE_CHECK(rc == (r->cfg.read_only ? FM_ERR_ACCESS : 0));
	if (!rc)
		r->behind = r->loaded = false;
	if (r->twin.dev)
		TAPE_CHECK(fm_dev_sanitize(r->twin.dev, NULL) == rc);
	r->changed = false;
	check(r, 0, view(r, &r->one));
}

static struct fm_attrs choose_attrs(struct run *r)
{
	return (struct fm_attrs){ .secure = r->cfg.secure_only && !tape_one_in(&r->tape, 8) };
}

/* The worker's ticks, of which ten without a change apply. */
static void do_pump(struct run *r)
{
	r->dir.failing = tape_one_in(&r->tape, 6);
	for (unsigned n = 1 + tape_below(&r->tape, 24); n; n--)
		fm_dev_pump(r->one.dev);
	r->dir.failing = false;
	check(r, 0, view(r, &r->one));
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
		else if (tape_one_in(&r->tape, 4))
			do_pins(r);
		else if (tape_one_in(&r->tape, 16))
			do_sanitize(r);
		break;
	case 3:
		do_read(r, (struct fm_attrs){ .debug = true });
		break;
	case 4:
		do_write(r, (struct fm_attrs){ .debug = true });
		break;
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
		do_read(r, choose_attrs(r));
		break;
	case 10:
	case 11:
	case 12:
	case 13:
		do_tick(r);
		break;
	case 14:
		do_pump(r);
		break;
	default:
		do_write(r, choose_attrs(r));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct run r = { .tape = { bytes, len } };

	if (begin(&r)) {
		while (r.tape.left)
			step(&r);
		r.dir.failing = false;
		check_killed(&r);
		TAPE_CHECK(!fm_dev_flush(r.one.dev, NULL));
		TAPE_CHECK(!memcmp(r.file->synced, r.one.array, r.len));
		fm_dev_unsubscribe(r.one.dev, &r.sub);
	}
	end(&r);
	return 0;
}
