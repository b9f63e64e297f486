/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_migration: set-ups of a stream of memory, nearly right, then sometimes with bytes changed or cut.
 * What must hold:
 *  - what is read is what was written, as long as no byte changed, and takes just those bytes;
 *  - what is read of other bytes, written again, is the bytes that it took;
 *  - otherwise the code is the error's, its message says what was expected, and outputs are as they were.
 */
#include "fuzz/tape.h"

#include <firmem/migration.h>

#include <string.h>

#define BLOCKS_MAX 24u
#define ROOM (8u + BLOCKS_MAX * (1 + 16 + 8 + 8) + 16)

struct run {
	struct tape tape;
	struct fm_migration_config cfg;
	uint8_t bytes[ROOM];
	size_t len;
	bool good;
};

static void put(struct run *r, uint64_t value, unsigned size)
{
	for (unsigned i = size; i-- > 0;)
		r->bytes[r->len++] = (uint8_t)(value >> (8 * i));
}

static void put_block(struct run *r, unsigned n, uint64_t *sum)
{
	struct tape *t = &r->tape;
	uint64_t len = (1 + (uint64_t)tape_below(t, 64)) * r->cfg.target_page;
	unsigned name = 3 + tape_below(t, 12);

	if (tape_one_in(t, 32)) {
		len = tape_edge(t, len);
		r->good = false;
	}
	put(r, name, 1);
	put(r, 'a' + (tape_one_in(t, 64) ? 0 : n), 1);
	r->good &= n == 0 || r->bytes[r->len - 1] != 'a';
	for (unsigned i = 1; i < name; i++)
		put(r, 'a' + tape_below(t, 26), 1);
	put(r, len, 8);
	if (r->cfg.postcopy && tape_one_in(t, 2))
		put(r, UINT64_C(1) << (12 + tape_below(t, 19)), 8);
	*sum += len;
}

static void write_stream(struct run *r)
{
	struct tape *t = &r->tape;
	unsigned count = tape_below(t, BLOCKS_MAX + 1);
	uint64_t sum = 0;

	r->cfg.target_page = UINT64_C(1024) << tape_below(t, 7);
	r->cfg.postcopy = tape_one_in(t, 2);
	r->len = 8;
	for (unsigned n = 0; n < count; n++)
		put_block(r, n, &sum);
	sum |= 4;
	for (unsigned i = 0; i < 8; i++)
		r->bytes[i] = (uint8_t)(sum >> (56 - 8 * i));
}

static void change_bytes(struct run *r)
{
	struct tape *t = &r->tape;

	if (tape_one_in(t, 2)) {
		r->good = false;
		for (unsigned n = 1 + tape_below(t, 4); n > 0; n--) {
			size_t at = tape_below(t, 65536) % r->len;

			r->bytes[at] = (uint8_t)tape_edge(t, r->bytes[at]);
		}
	}
	if (tape_one_in(t, 8)) {
		r->good = false;
		r->len = tape_below(t, 65536) % (r->len + 1);
	}
}

/* The bytes of what was read. */
static size_t write_again(const struct fm_migration_block *blocks, size_t count, struct run *out)
{
	uint64_t sum = 0;

	out->len = 8;
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(blocks[i].name);

		put(out, n, 1);
		for (size_t j = 0; j < n; j++)
			put(out, (uint8_t)blocks[i].name[j], 1);
		put(out, blocks[i].len, 8);
		if (blocks[i].page_size)
			put(out, blocks[i].page_size, 8);
		sum += blocks[i].len;
	}
	sum |= 4;
	for (unsigned i = 0; i < 8; i++)
		out->bytes[i] = (uint8_t)(sum >> (56 - 8 * i));
	return out->len;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct run again;
	struct run r = { .tape = { bytes, len }, .good = true };
	struct fm_migration_block *blocks = NULL;
	struct fm_error err = { .code = 0 };
	size_t count = 77, used = 78, whole;
	uint8_t *copy;
	int rc;

	r.cfg.struct_size = sizeof(r.cfg);
	write_stream(&r);
	whole = r.len;
	/* The end of the section follows, sometimes. */
	if (tape_one_in(&r.tape, 2))
		put(&r, 0x10, 8);
	change_bytes(&r);
	/* So that a read past the end is one past an allocation. */
	copy = malloc(r.len ? r.len : 1);
	memcpy(copy, r.bytes, r.len);
	rc = fm_migration_read(copy, r.len, &r.cfg, &blocks, &count, &used, &err);
	free(copy);
	TAPE_CHECK(!rc || !r.good);
	TAPE_CHECK(rc == err.code);
	if (rc) {
		TAPE_CHECK(strstr(err.msg, "expected") && !strchr(err.msg, '\n'));
		TAPE_CHECK(!blocks && count == 77 && used == 78);
		return 0;
	}
	TAPE_CHECK(!r.good || used == whole);
	TAPE_CHECK(used <= r.len && write_again(blocks, count, &again) == used);
	TAPE_CHECK(!memcmp(again.bytes, r.bytes, used));
	free(blocks);
	return 0;
}
