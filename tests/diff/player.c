/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/player.h"

#include "devices/bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Where things are in the guest's RAM. The program is at 0. */
#define FLAG 0x8000u /* not 0: the table is to be done */
#define TABLE 0x10000u

#define NOP 0xe1a00000u /* mov r0, r0 */
#define NOPS 510u       /* of a turn of a wait; with the two instructions of its loop: */
#define TURN (NOPS + 2)
#define WAIT_REST 3u /* instructions of a wait around its loop */

#define WAIT_TRIES 600000u /* of 100 us */

/* An operation of the table: four words, what r0 to r3 get. */
enum field {
	ADDR = 0,
	VALUE = 4,
	HANDLER = 8,
	RECORD = 16
};

/*
 * Every access takes five instructions, of which it is the third; branch distances are of words, less
 * two.
 */
static const uint32_t program[] = {
	NOP,        /* 00 a loader sets no start of 0 */
	0xe3a05902, /* 04 start: mov r5, #FLAG */
	0xe5956000, /* 08 idle: ldr r6, [r5] */
	0xe3560000, /* 0c cmp r6, #0 */
	0x0afffffc, /* 10 beq idle */
	0xe3a04801, /* 14 mov r4, #TABLE */
	0xe8b4000f, /* 18 next: ldm r4!, {r0-r3} */
	0xe1a0f002, /* 1c mov pc, r2 */
	0xe5c01000, /* 20 strb r1, [r0] */
	0xe504100c, /* 24 str r1, [r4, #-12] */
	0xeafffffa, /* 28 b next */
	0xe1c010b0, /* 2c strh r1, [r0] */
	0xe504100c, /* 30 str r1, [r4, #-12] */
	0xeafffff7, /* 34 b next */
	0xe5801000, /* 38 str r1, [r0] */
	0xe504100c, /* 3c str r1, [r4, #-12] */
	0xeafffff4, /* 40 b next */
	0xe5d01000, /* 44 ldrb r1, [r0] */
	0xe504100c, /* 48 str r1, [r4, #-12] */
	0xeafffff1, /* 4c b next */
	0xe1d010b0, /* 50 ldrh r1, [r0] */
	0xe504100c, /* 54 str r1, [r4, #-12] */
	0xeaffffee, /* 58 b next */
	0xe5901000, /* 5c ldr r1, [r0] */
	0xe504100c, /* 60 str r1, [r4, #-12] */
	0xeaffffeb, /* 64 b next */
	0xe3a06000, /* 68 end: mov r6, #0 */
	0xe5856000, /* 6c str r6, [r5] */
	0xeaffffe4, /* 70 b idle */
	NOP,        /* 74 one more for the first turn */
};
#define WRITES 0x20u /* handlers, 12 bytes each, by the width's logarithm */
#define READS 0x44u
#define END 0x68u
#define WAITS ((uint32_t)sizeof(program)) /* NOPS nops, then: */
static const uint32_t turn[] = {
	0xe2511001, /* subs r1, r1, #1 */
	0x1afffdff, /* bne WAITS */
	0xeafffde6, /* b next */
};

static void put(struct player *p, size_t at, uint32_t word)
{
	fmi_put_le32((uint8_t *)p->ram + at, word);
}

static void put_program(struct player *p)
{
	size_t at = 0;

	for (size_t i = 0; i < sizeof(program) / 4; i++, at += 4)
		put(p, at, program[i]);
	for (size_t i = 0; i < NOPS; i++, at += 4)
		put(p, at, NOP);
	for (size_t i = 0; i < sizeof(turn) / 4; i++, at += 4)
		put(p, at, turn[i]);
}

bool player_open(struct player *p, const char *path, size_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	p->ram = MAP_FAILED;
	p->len = len;
	if (fd >= 0 && !ftruncate(fd, (off_t)len))
		p->ram = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (p->ram == MAP_FAILED) {
		p->ram = NULL;
		return false;
	}
	put_program(p);
	return true;
}

void player_close(struct player *p)
{
	if (p->ram)
		munmap(p->ram, p->len);
	p->ram = NULL;
}

static unsigned log2_of(unsigned size)
{
	return size == 1 ? 0 : size == 2 ? 1 : 2;
}

/* The turns of a wait, and where in the first of them it begins. */
static void put_wait(struct player *p, size_t at, uint64_t ns)
{
	uint64_t left = ns / PLAYER_TICK_NS - WAIT_REST;
	uint64_t turns = (left - 2) / TURN + 1;
	uint64_t first = left - (turns - 1) * TURN - 2; /* nops of the first turn: up to 511 */

	put(p, at + VALUE, (uint32_t)turns);
	put(p, at + HANDLER, (uint32_t)(WAITS + 4 * (NOPS - first)));
}

static void put_op(struct player *p, size_t at, const struct qtest_op *op)
{
	put(p, at + ADDR, (uint32_t)op->addr);
	put(p, at + VALUE, (uint32_t)op->value);
	if (!op->size)
		put_wait(p, at, op->value);
	else
		put(p, at + HANDLER, (op->write ? WRITES : READS) + 12 * log2_of(op->size));
}

bool player_run(struct player *p, struct qtest_op *ops, size_t count)
{
	uint32_t *flag = (uint32_t *)(void *)((uint8_t *)p->ram + FLAG);
	size_t at = TABLE;

	if (count > PLAYER_OPS)
		return false;
	for (size_t i = 0; i < count; i++, at += RECORD)
		put_op(p, at, &ops[i]);
	put(p, at + HANDLER, END);
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
	for (unsigned n = 0; __atomic_load_n(flag, __ATOMIC_ACQUIRE); n++) {
		if (n == WAIT_TRIES)
			return false;
		usleep(100);
	}
	for (size_t i = 0; i < count; i++) {
		if (ops[i].size && !ops[i].write)
			ops[i].value = fmi_le32((uint8_t *)p->ram + TABLE + RECORD * i + VALUE);
	}
	return true;
}
