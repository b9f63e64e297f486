/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * operation: what chips of both command sets have in common: what a write asks the bank to do, the
 * program or erase that is under way, and the write buffer.
 */
#ifndef FIRMEM_FLASH_OPERATION_H
#define FIRMEM_FLASH_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

struct fmi_geometry;

/* What a write asks the bank to do. */
enum fmi_action {
	FMI_ACTION_NONE = 0,
	FMI_ACTION_PROGRAM,        /* the word of this cycle */
	FMI_ACTION_ERASE,          /* the block of this cycle */
	FMI_ACTION_BUFFER_OPEN,    /* ONE_STATE: hold what the cells have there */
	FMI_ACTION_BUFFER_PUT,     /* hold the word of this cycle */
	FMI_ACTION_BUFFER_PROGRAM, /* [lo, hi) of the buffer */
	FMI_ACTION_BUFFER_DROP,    /* forget [lo, hi) of the buffer */
	FMI_ACTION_LOCK,           /* the block of this cycle */
	FMI_ACTION_UNLOCK,
	FMI_ACTION_LOCK_DOWN,
	FMI_ACTION_REGISTER,     /* program a word of the protection registers */
	FMI_ACTION_CHIP_ERASE,   /* AMD: every block */
	FMI_ACTION_ERASE_QUEUE,  /* AMD: the block of this cycle is one more to be erased */
	FMI_ACTION_ERASE_QUEUED, /* AMD: erase those; an operation, never a write's */
	FMI_ACTION_ERASE_FORGET, /* AMD: none of them */
	FMI_ACTION_PROTECT,      /* AMD: the word of this cycle, to what the mode shows */
	FMI_ACTION_UNPROTECT,    /* AMD: every persistent protection bit */
	FMI_ACTIONS
};

/* A program or erase that takes time. */
struct fmi_op {
	enum fmi_action action; /* NONE: none */
	uint64_t off;           /* the bank word of the cycle that began it */
	uint64_t data;          /* of a word: the bank's; each chip programs its lanes */
	uint64_t ends_ns;       /* under way: when it is over; else 0 */
	uint64_t left_ns;       /* suspended: what is missing; else 0 */
};

/* A chip's write buffer: [lo, hi) of the buffer-long part of the bank at `window` is held. */
struct fmi_buffer {
	uint32_t left;   /* words still to come */
	uint64_t window; /* where it lies in the bank */
	uint32_t lo;     /* lo == hi: nothing is held, the window is not known */
	uint32_t hi;
	uint32_t last; /* the word that came last, in the window; of AMD chips only */
};

/* What the chips of a bank have in common, and a state machine must know. */
struct fmi_part {
	const struct fmi_geometry *geo;
	unsigned quirks; /* enum fm_flash_quirk */
	unsigned traits; /* enum fm_flash_trait */
	bool timed;      /* operations take time */
	uint64_t now_ns; /* the bank's clock */
};

/* Stop and go on. */
static inline void fmi_op_suspend(struct fmi_op *op, uint64_t now_ns)
{
	op->left_ns = op->ends_ns > now_ns ? op->ends_ns - now_ns : 0;
	op->ends_ns = 0;
}

static inline void fmi_op_resume(struct fmi_op *op, uint64_t now_ns)
{
	/* A clock that is nearly at its end stays there: such an operation never ends. */
	op->ends_ns = op->left_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + op->left_ns;
	op->left_ns = 0;
}

static inline bool fmi_op_equal(const struct fmi_op *a, const struct fmi_op *b)
{
	return a->action == b->action && a->off == b->off && a->data == b->data &&
	       a->ends_ns == b->ends_ns && a->left_ns == b->left_ns;
}

static inline bool fmi_buffer_empty(const struct fmi_buffer *buffer)
{
	return buffer->lo == buffer->hi;
}

static inline bool fmi_buffer_equal(const struct fmi_buffer *a, const struct fmi_buffer *b)
{
	return a->left == b->left && a->window == b->window && a->lo == b->lo && a->hi == b->hi &&
	       a->last == b->last;
}

/* A word of `width` bytes at `at` of a buffer that lies at a known place. */
static inline void fmi_buffer_take(struct fmi_buffer *buffer, uint32_t at, unsigned width)
{
	if (at < buffer->lo)
		buffer->lo = at;
	if (at >= buffer->hi)
		buffer->hi = at + width;
	buffer->last = at;
	buffer->left--;
}

/*
 * A further word of a buffer that lies at a known place, and not its last word: takes it and is true.
 * The short way for most writes of all, for a chip that awaits data.
 */
static inline bool fmi_buffer_more(struct fmi_buffer *buffer, uint32_t buffer_len, unsigned width,
				   uint64_t off)
{
	uint64_t at = off - buffer->window; /* below the window it wraps to something large */

	if (buffer->left <= 1 || fmi_buffer_empty(buffer) || at >= buffer_len)
		return false;
	fmi_buffer_take(buffer, (uint32_t)at, width);
	return true;
}

/* Is the operation's word one of the bank's, and what is held, if anything, inside one buffer? */
bool fmi_op_in_bank(const struct fmi_op *op, const struct fmi_geometry *geo);
bool fmi_buffer_in_bank(const struct fmi_buffer *buffer, const struct fmi_geometry *geo);

#endif
