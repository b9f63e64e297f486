/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/pl031.h"

#include "examples/board/platform.h"

enum {
	RTC_DR = 0x00,
	RTC_MR = 0x04,
	RTC_LR = 0x08,
	RTC_CR = 0x0c,
	RTC_ID = 0xfe0, /* PeriphID0-3, PCellID0-3: a byte in each word */
};

static const uint8_t ids[8] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

static unsigned rtc_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			 struct fm_attrs attrs)
{
	const struct pl031 *rtc = state;

	*value = 0;
	if (off == RTC_DR || off == RTC_LR)
		*value = (uint32_t)(rtc->seconds(rtc->ctx) + rtc->shift);
	else if (off == RTC_MR)
		*value = rtc->match;
	else if (off == RTC_CR)
		*value = 1; /* always on */
	else if (off >= RTC_ID && off % 4 == 0)
		*value = ids[(off - RTC_ID) / 4];
	return 0;
}

static unsigned rtc_write(void *state, uint64_t off, unsigned size, uint64_t value,
			  struct fm_attrs attrs)
{
	struct pl031 *rtc = state;

	if (off == RTC_LR)
		rtc->shift = (uint32_t)value - rtc->seconds(rtc->ctx);
	else if (off == RTC_MR)
		rtc->match = (uint32_t)value;
	return 0;
}

static const struct fm_dev_ops rtc_ops = {
	.struct_size = sizeof(rtc_ops),
	.type = "pl031",
	.max_access = 4,
	.read = rtc_read,
	.write = rtc_write,
};

int pl031_new(struct pl031 *rtc, uint32_t (*seconds)(void *ctx), void *ctx, struct fm_dev **out,
	      struct fm_error *err)
{
	const struct fm_dev_config cfg = {
		.struct_size = sizeof(cfg),
		.name = "rtc",
		.len = RTC_LEN,
	};

	*rtc = (struct pl031){ .seconds = seconds, .ctx = ctx };
	return fm_dev_new(out, &rtc_ops, rtc, &cfg, err);
}
