/* SPDX-License-Identifier: BSD-2-Clause */
/* grammar: random operations that make sense to a command set, and some that do not. */
#ifndef FIRMEM_TESTS_GRAMMAR_H
#define FIRMEM_TESTS_GRAMMAR_H

#include "tests/diff/pair.h"

static inline uint64_t next(struct run *r)
{
	return rng_next(&r->rng);
}

static inline unsigned below(struct run *r, unsigned n)
{
	return rng_below(&r->rng, n);
}

/*
 * Add an operation to the batch and do it to our bank; QEMU's gets it with its batch. What the
 * batch has no room for, or its guest cannot do, is left out or made such that it can.
 */
void say_write(struct run *r, uint64_t off, unsigned size, uint64_t value);
void say_read(struct run *r, uint64_t off, unsigned size);
void say_wait(struct run *r, uint64_t ns);
void say_reset(struct run *r);

unsigned any_size(struct run *r);
/* At an edge of a block, of a buffer, or at the bottom; now and then anywhere in a block. */
uint64_t any_off(struct run *r);
uint64_t aligned_off(struct run *r);
/* A command on every chip's lanes, on the lowest alone, or with noise above. */
uint64_t spread(struct run *r, uint8_t command);
uint64_t any_data(struct run *r);
/* A few reads. */
void look(struct run *r);

/* All codes and all of the query table. */
void grammar_amd_tables(struct run *r);

/* One sentence of the board's command set. */
void grammar_intel(struct run *r);
void grammar_amd(struct run *r);

#endif
