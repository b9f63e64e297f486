/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_dsm: calls of a guest's NVDIMM firmware, nearly right ones, over DIMMs that stand alone and one
 * interleave set. Whatever is on the page: the answer stays on it, memory is never touched, labels only by a
 * write of labels and only where it says, and media errors are those of a model that knows every line.
 */
#include "fuzz/tape.h"

#include <firmem/block.h>
#include <firmem/dsm.h>
#include <firmem/nvdimm.h>

#include <string.h>

#define DIMMS 4u /* 0 and 1 alone, 2 and 3 interleaved */
#define PMEM 0x8000u
#define LABELS 0x1400u
#define BASE UINT64_C(0x140000000)
#define SET (BASE + 2 * PMEM) /* where the interleave set begins */
#define LINE 0x200u
#define LINES (4 * PMEM / 64)
#define FIT 5000u

struct bench {
	struct fm_block *block[DIMMS];
	struct fm_dev *dev[DIMMS];
	uint8_t *ptr[DIMMS];
	struct fm_dsm *dsm;
	uint8_t labels[DIMMS][LABELS]; /* as they must be */
	bool bad[LINES];               /* by address; unreadable */
	uint8_t page[FM_DSM_PAGE];
};

static uint64_t get(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	while (size--)
		v = v << 8 | p[size];
	return v;
}

static void put(uint8_t *p, uint64_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* --- setting up ------------------------------------------------------------------------------------ */

static void make_dimm(struct bench *b, unsigned i, struct fm_dsm_dimm *out)
{
	const struct fm_block_config mem = { .struct_size = sizeof(mem),
					     .name = "nv",
					     .role = FM_ROLE_NVDIMM,
					     .len = PMEM + LABELS };
	struct fm_nvdimm_config cfg = { .struct_size = sizeof(cfg), .label_len = LABELS };

	TAPE_CHECK(!fm_block_new(&b->block[i], &mem, NULL));
	cfg.block = b->block[i];
	cfg.align = 1;
	TAPE_CHECK(!fm_nvdimm_new(&b->dev[i], &cfg, NULL));
	b->ptr[i] = fm_block_ptr(b->block[i]);
	*out = (struct fm_dsm_dimm){ .dev = b->dev[i], .handle = i + 1, .base = BASE + i * PMEM };
	if (i < 2)
		return;
	out->base = SET;
	out->ways = 2;
	out->position = i - 2;
	out->line = LINE;
}

static void bench_open(struct bench *b)
{
	static const uint8_t fit[FIT];
	struct fm_dsm_dimm dimms[DIMMS];
	struct fm_dsm_config cfg = { .struct_size = sizeof(cfg), .dimms = dimms, .count = DIMMS };

	memset(b, 0, sizeof(*b));
	for (unsigned i = 0; i < DIMMS; i++)
		make_dimm(b, i, &dimms[i]);
	cfg.fit = fit;
	cfg.fit_len = FIT;
	TAPE_CHECK(!fm_dsm_new(&b->dsm, &cfg, NULL));
}

static void bench_close(struct bench *b)
{
	fm_dsm_free(b->dsm);
	for (unsigned i = 0; i < DIMMS; i++) {
		fm_dev_free(b->dev[i]);
		fm_block_free(b->block[i]);
	}
}

/* --- calls ----------------------------------------------------------------------------------------- */

static void range(struct tape *t, uint8_t *arg)
{
	uint64_t addr = BASE + 64 * (uint64_t)tape_below(t, LINES);
	uint64_t len = 64 * (uint64_t)(1 + tape_below(t, tape_one_in(t, 4) ? LINES : 24));

	if (tape_one_in(t, 6))
		addr = tape_one_in(t, 2) ? tape_edge(t, BASE) : tape_edge(t, SET);
	if (tape_one_in(t, 6))
		len = tape_edge(t, PMEM);
	put(arg, addr, 8);
	put(arg + 8, len, 8);
	put(arg + 16, tape_one_in(t, 4) ? tape_u8(t) : 2, 2);
}

/* The page as a guest fills it; what it asks for is in it alone. */
static void ask(struct tape *t, struct bench *b)
{
	uint32_t handle = tape_below(t, DIMMS + 1), function = 0;
	uint8_t *arg = b->page + 12;

	memset(b->page, 0, sizeof(b->page));
	if (tape_one_in(t, 10))
		handle = (uint32_t)(tape_one_in(t, 2) ? 0x10000 : tape_edge(t, DIMMS));
	for (unsigned i = 0; i < 24; i++)
		arg[i] = tape_one_in(t, 4) ? tape_u8(t) : 0;
	if (!handle) {
		function = tape_below(t, 11);
		range(t, arg);
	} else if (handle == 0x10000) {
		function = tape_below(t, 3);
		put(arg, tape_edge(t, FIT), 4);
	} else {
		function = tape_below(t, 20);
		if (function == 5 || function == 6) {
			put(arg, tape_one_in(t, 4) ? tape_edge(t, LABELS) : tape_below(t, LABELS),
			    4);
			put(arg + 4, tape_one_in(t, 4) ? tape_edge(t, 4076) : tape_below(t, 300),
			    4);
		}
	}
	if (tape_one_in(t, 16))
		function = (uint32_t)tape_edge(t, 32);
	put(b->page, handle, 4);
	put(b->page + 4, tape_one_in(t, 16) ? tape_u8(t) : 1, 4);
	put(b->page + 8, function, 4);
	b->page[FM_DSM_PAGE - 1] = tape_u8(t);
}

/* --- what must hold -------------------------------------------------------------------------------- */

static void check_memory(const struct bench *b)
{
	static const uint8_t zeros[PMEM];

	for (unsigned i = 0; i < DIMMS; i++) {
		TAPE_CHECK(!memcmp(b->ptr[i], zeros, PMEM));
		TAPE_CHECK(!memcmp(b->ptr[i] + PMEM, b->labels[i], LABELS));
	}
}

/* Where a line of the address range is. */
static bool is_bad(const struct bench *b, size_t line)
{
	uint64_t off = 64 * (uint64_t)line, dpa = off % PMEM;
	unsigned dimm = (unsigned)(off / PMEM);
	struct fm_persist_span s;

	if (dimm >= 2) {
		off -= 2 * PMEM;
		dimm = 2 + (unsigned)(off / LINE % 2);
		dpa = off / LINE / 2 * LINE + off % LINE;
	}
	for (size_t i = 0; fm_nvdimm_media_error(b->dev[dimm], i, &s); i++) {
		if (dpa >= s.off && dpa < s.off + s.len)
			return true;
	}
	return false;
}

static void check_media(const struct bench *b)
{
	struct fm_persist_span s;

	for (size_t line = 0; line < LINES; line++)
		TAPE_CHECK(is_bad(b, line) == b->bad[line]);
	for (unsigned i = 0; i < DIMMS; i++) {
		uint64_t end = 0;

		for (size_t n = 0; fm_nvdimm_media_error(b->dev[i], n, &s); n++) {
			TAPE_CHECK(s.len && s.off % 64 == 0 && s.len % 64 == 0);
			TAPE_CHECK(!n || s.off > end);
			end = s.off + s.len;
			TAPE_CHECK(end <= PMEM);
		}
	}
}

/* Records of a scrub: unreadable, in order, in what was scrubbed. */
static void check_scrub(const struct bench *b, const uint8_t *out, uint32_t len)
{
	uint64_t last = get(out + 8, 8), end = last + get(out + 16, 8);
	uint64_t count = get(out + 44, 4);

	TAPE_CHECK(len == 48 + 24 * count && get(out + 4, 4) == len);
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *p = out + 48 + 24 * i;
		uint64_t addr = get(p + 8, 8), n = get(p + 16, 8);

		TAPE_CHECK(addr >= last && n && n <= end - addr);
		for (uint64_t at = addr / 64 * 64; at < addr + n; at += 64)
			TAPE_CHECK(b->bad[(at - BASE) / 64]);
		last = addr + n;
	}
}

/* What the call has changed is what it was to change. */
static void follow(struct bench *b, const uint8_t *in, uint32_t status)
{
	uint32_t handle = (uint32_t)get(in, 4), function = (uint32_t)get(in + 8, 4);
	uint64_t addr = get(in + 12, 8), len = get(in + 20, 8);
	uint32_t off = (uint32_t)get(in + 12, 4), n = (uint32_t)get(in + 16, 4);

	if (!get(in + 4, 4) || status)
		return;
	if (handle && handle <= DIMMS && function == 6) {
		TAPE_CHECK(n <= 4076 && off <= LABELS && n <= LABELS - off);
		memcpy(b->labels[handle - 1] + off, in + 20, n);
	}
	if (handle || (function != 4 && function != 7 && function != 8))
		return;
	TAPE_CHECK(len && addr >= BASE && addr - BASE < 4 * PMEM &&
		   len <= 4 * PMEM - (addr - BASE));
	for (uint64_t at = (addr - BASE) / 64; at <= (addr - BASE + len - 1) / 64; at++)
		b->bad[at] = function == 7;
}

static void call(struct tape *t, struct bench *b)
{
	uint8_t in[FM_DSM_PAGE];
	uint32_t len, status;

	ask(t, b);
	memcpy(in, b->page, sizeof(in));
	fm_dsm_call(b->dsm, b->page);
	len = (uint32_t)get(b->page, 4);
	TAPE_CHECK(len >= 8 && len <= FM_DSM_PAGE);
	TAPE_CHECK(!memcmp(b->page + len, in + len, FM_DSM_PAGE - len));
	status = (uint32_t)get(b->page + 4, 4);
	/* Of an injection for which there is no room a part may be done. */
	if (!get(in, 4) && get(in + 8, 4) == 7 && status == 4) {
		for (size_t line = 0; line < LINES; line++)
			b->bad[line] = is_bad(b, line);
	} else {
		follow(b, in, status);
	}
	check_memory(b);
	check_media(b);
	if (!get(in, 4) && get(in + 4, 4) && get(in + 8, 4) == 3 && !status)
		check_scrub(b, b->page + 4, len - 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct bench b;
	struct tape t = { bytes, len };

	bench_open(&b);
	for (unsigned n = 0; n < 40 && t.left; n++)
		call(&t, &b);
	bench_close(&b);
	return 0;
}
