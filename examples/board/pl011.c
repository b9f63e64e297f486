/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/pl011.h"

#include "examples/board/platform.h"

#include <string.h>

enum {
	UART_DR = 0x000,
	UART_FR = 0x018,
	UART_IBRD = 0x024,
	UART_CR = 0x030,
	UART_ID = 0xfe0, /* PeriphID0-3, PCellID0-3: a byte in each word */
	FR_RXFE = 0x10,
	FR_TXFE = 0x80,
};

static const uint8_t ids[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

static bool is_setup(uint64_t off)
{
	return off >= UART_IBRD && off <= UART_CR && off % 4 == 0;
}

static unsigned uart_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			  struct fm_attrs attrs)
{
	struct pl011 *uart = state;
	bool ready = uart->line.ready(uart->line.ctx);

	*value = 0;
	if (off == UART_DR && ready && !attrs.debug)
		*value = uart->line.take(uart->line.ctx);
	else if (off == UART_FR)
		*value = FR_TXFE | (ready ? 0u : FR_RXFE);
	else if (is_setup(off))
		*value = uart->setup[(off - UART_IBRD) / 4];
	else if (off >= UART_ID && off % 4 == 0)
		*value = ids[(off - UART_ID) / 4];
	return 0;
}

static unsigned uart_write(void *state, uint64_t off, unsigned size, uint64_t value,
			   struct fm_attrs attrs)
{
	struct pl011 *uart = state;

	if (off == UART_DR && !attrs.debug)
		uart->line.put(uart->line.ctx, (uint8_t)value);
	else if (is_setup(off))
		uart->setup[(off - UART_IBRD) / 4] = (uint32_t)value;
	return 0;
}

static unsigned uart_reset(void *state, enum fm_reset_kind kind)
{
	struct pl011 *uart = state;

	memset(uart->setup, 0, sizeof(uart->setup));
	uart->setup[3] = 0x300; /* CR: receiver and transmitter on */
	return 0;
}

static const struct fm_dev_ops uart_ops = {
	.struct_size = sizeof(uart_ops),
	.type = "pl011",
	.max_access = 4,
	.read = uart_read,
	.write = uart_write,
	.reset = uart_reset,
};

int pl011_new(struct pl011 *uart, const struct pl011_line *line, struct fm_dev **out,
	      struct fm_error *err)
{
	const struct fm_dev_config cfg = {
		.struct_size = sizeof(cfg),
		.name = "uart",
		.len = UART_LEN,
	};

	uart->line = *line;
	uart_reset(uart, FM_RESET_POWER_ON);
	return fm_dev_new(out, &uart_ops, uart, &cfg, err);
}
