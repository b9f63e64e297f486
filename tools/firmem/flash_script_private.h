/* SPDX-License-Identifier: BSD-2-Clause */
/* flash_script_private: what the quick way of a line (flash_script.c) and the careful way share. */
#ifndef FIRMEM_TOOLS_FLASH_SCRIPT_PRIVATE_H
#define FIRMEM_TOOLS_FLASH_SCRIPT_PRIVATE_H

#include "tools/firmem/flash_bank.h"

#define ANSWERS 65536u /* bytes of answers that are held back */
#define LINE_LONGEST 8191u

struct script {
	const struct bank *bank;
	const char *command;
	bool json;
	bool trace;
	uint64_t len;    /* bytes of the bank */
	uint64_t now_ns; /* what the bank was told last */
	struct fm_attrs attrs;
	uint64_t line; /* the number of the one that is done */
	size_t held;
	char answers[ANSWERS];
};

enum step {
	STEP_ON,
	STEP_END, /* power is off */
	STEP_BAD, /* complained */
};

/* A value that was read, as an answer. */
void script_answer(struct script *s, uint64_t value, unsigned size);
/* Hand the answers over to stdout, behind what is there already. */
void script_spill(struct script *s);

/* One line of `len` bytes, without its newline, whatever is in it. */
enum step script_line(struct script *s, const char *text, size_t len);
/* A line without an end: longer than any. */
enum step script_too_long(struct script *s);
/* Everything is durable, or a complaint: `where` is "power-off: ". */
enum step script_power_off(struct script *s, const char *where);

/* A listener of the bank's trace. */
void script_trace(void *ctx, const struct fm_trace_event *event);
/* A write was a bus error: the trace says so. */
void script_fault(struct script *s, uint64_t off, unsigned size, uint64_t value);
/* Answer with the bank's counters. */
void script_stats(struct script *s);

#endif
