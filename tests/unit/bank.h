/* SPDX-License-Identifier: BSD-2-Clause */
/* bank: a bank of flash for tests, with the accesses and the checks that all of them share. */
#ifndef FIRMEM_TESTS_BANK_H
#define FIRMEM_TESTS_BANK_H

#include "tests/unit/unit.h"

#include <firmem/block.h>
#include <firmem/dirty.h>
#include <firmem/flash.h>

#define KIB 1024u

struct bank {
	struct fm_block *block;
	struct fm_dev *dev;
	uint8_t *array;
	uint64_t len;
	unsigned effects; /* of the last access */
	/* The trace, when on. */
	struct fm_trace_event events[64];
	unsigned nevents;
};

static inline struct fm_block *bank_block(uint64_t len)
{
	struct fm_block *block = NULL;

	assert_int_equal(fm_block_new(&block,
				      &(struct fm_block_config){
					      .struct_size = sizeof(struct fm_block_config),
					      .name = "vars",
					      .role = FM_ROLE_FLASH_VARS,
					      .len = len },
				      NULL),
			 0);
	memset(fm_block_ptr(block), 0xff, len);
	return block;
}

static inline struct fm_flash_config bank_config(void)
{
	return (struct fm_flash_config){ .struct_size = sizeof(struct fm_flash_config) };
}

/* `cfg` without a block: one of `len` bytes is made, FF. */
static inline void bank_init(struct bank *b, uint64_t len, struct fm_flash_config cfg)
{
	struct fm_error err = { 0 };

	memset(b, 0, sizeof(*b));
	b->len = len;
	b->block = bank_block(len);
	b->array = fm_block_ptr(b->block);
	cfg.block = b->block;
	if (fm_flash_new(&b->dev, &cfg, &err))
		fail_msg("%s", err.msg);
}

/* 1 MiB of 2 x 16 bits, four blocks of 256 KiB, as the boards have it. */
static inline void bank_init_default(struct bank *b)
{
	bank_init(b, 1024 * KIB, bank_config());
}

static inline void bank_exit(struct bank *b)
{
	fm_dev_free(b->dev);
	fm_block_free(b->block);
}

static inline void wr(struct bank *b, uint64_t off, unsigned size, uint64_t value)
{
	b->effects = fm_dev_write(b->dev, off, size, value, FM_ATTRS_NONE);
}

static inline uint64_t rd(struct bank *b, uint64_t off, unsigned size)
{
	uint64_t value = 0;

	b->effects = fm_dev_read(b->dev, off, size, &value, FM_ATTRS_NONE);
	return value;
}

static inline void w4(struct bank *b, uint64_t off, uint32_t value)
{
	wr(b, off, 4, value);
}

static inline uint32_t r4(struct bank *b, uint64_t off)
{
	return (uint32_t)rd(b, off, 4);
}

/* The same command to both chips of a 2 x 16 bank. */
static inline void cmd(struct bank *b, uint64_t off, uint8_t command)
{
	w4(b, off, command * 0x00010001u);
}

/* Sequences on a 2 x 16 bank. */
static inline uint32_t bank_status(struct bank *b)
{
	cmd(b, 0, 0x70);
	return r4(b, 0);
}

static inline void bank_program(struct bank *b, uint64_t off, uint32_t value)
{
	cmd(b, off, 0x40);
	w4(b, off, value);
}

static inline void bank_erase(struct bank *b, uint64_t off)
{
	cmd(b, off, 0x20);
	cmd(b, off, 0xd0);
}

/* `how`: 01 lock, D0 unlock, 2F lock down. */
static inline void bank_lock(struct bank *b, uint64_t off, uint8_t how)
{
	cmd(b, off, 0x60);
	cmd(b, off, how);
}

/* `n` times `value` from `off`; the count goes to `at`, the confirm to the base of the device. */
static inline void bank_buffer(struct bank *b, uint64_t at, uint64_t off, unsigned n,
			       uint32_t value)
{
	cmd(b, off, 0xe8);
	assert_int_equal(r4(b, off) & 0x00800080, 0x00800080);
	w4(b, at, (n - 1) * 0x00010001u);
	for (unsigned i = 0; i < n; i++)
		w4(b, off + 4 * i, value);
	cmd(b, 0, 0xd0);
}

static inline bool mapped(struct bank *b)
{
	struct fm_mapping m;

	assert_int_equal(fm_dev_map(b->dev, 0, &m), 0);
	assert_int_equal(m.off, 0);
	assert_int_equal(m.len, b->len);
	assert_ptr_equal(m.block, b->block);
	assert_true(m.prot == 0 || m.prot == (FM_MAP_READ | FM_MAP_EXEC));
	return m.prot != 0;
}

static inline void bank_note(void *ctx, const struct fm_trace_event *event)
{
	struct bank *b = ctx;

	if (event->kind != FM_TRACE_READ && event->kind != FM_TRACE_WRITE)
		b->events[b->nevents++ % 64] = *event;
}

static inline void bank_trace(struct bank *b)
{
	fm_dev_set_trace(b->dev, bank_note, b);
}

/* How many events of that kind and text (NULL: any) came since the last call of bank_forget(). */
static inline unsigned traced(const struct bank *b, enum fm_trace_kind kind, const char *text)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->nevents && i < 64; i++)
		n += b->events[i].kind == kind &&
		     (!text || (b->events[i].text && !strcmp(b->events[i].text, text)));
	return n;
}

static inline void bank_forget(struct bank *b)
{
	b->nevents = 0;
}

static inline struct fm_flash_stats bank_stats(struct bank *b)
{
	struct fm_flash_stats stats;

	assert_int_equal(fm_flash_stats(b->dev, &stats), 0);
	return stats;
}

static inline bool all_bytes(const uint8_t *p, size_t len, uint8_t byte)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != byte)
			return false;
	}
	return true;
}

#endif
