/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pl011: the UART (ARM DDI 0183G), polled: data, flags, and the set-up registers as plain storage.
 * It raises no interrupts.
 */
#ifndef BOARD_PL011_H
#define BOARD_PL011_H

#include <firmem/device.h>

/* What is at the other end of the line. */
struct pl011_line {
	void *ctx;
	bool (*ready)(void *ctx);   /* is there a byte for the guest? */
	uint8_t (*take)(void *ctx); /* the next one */
	void (*put)(void *ctx, uint8_t byte);
};

struct pl011 {
	struct pl011_line line;
	uint32_t setup[4]; /* IBRD, FBRD, LCR_H, CR */
};

/* The device of `uart`, which outlives it. */
int pl011_new(struct pl011 *uart, const struct pl011_line *line, struct fm_dev **out,
	      struct fm_error *err);

#endif
