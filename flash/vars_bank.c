/* SPDX-License-Identifier: BSD-2-Clause */
#include "flash/vars_bank.h"

#include "devices/bytes.h"

#include <firmem/block.h>

#include <inttypes.h>
#include <string.h>

#define PROGRAM 0x40u
#define CLEAR_STATUS 0x50u
#define READ_ARRAY 0xffu

/* --- opening ----------------------------------------------------------------------------------- */

static void take_number(void *ctx, const char *key, uint64_t value)
{
	struct fmi_vars_bank *bank = ctx;

	if (!strcmp(key, "bank_width"))
		bank->width = value;
	else if (!strcmp(key, "chip_width"))
		bank->chip_width = value;
	else if (!strcmp(key, "big_endian"))
		bank->big_endian = value;
}

static void take_text(void *ctx, const char *key, const char *value)
{
	struct fmi_vars_bank *bank = ctx;

	if (!strcmp(key, "time"))
		bank->timed = strcmp(value, "instant") != 0;
}

int fmi_vars_bank_open(struct fmi_vars_bank *bank, struct fm_dev *dev, struct fm_error *err)
{
	const struct fm_visitor visitor = { .ctx = bank, .u64 = take_number, .text = take_text };
	struct fm_mapping map = { .len = 0 };

	*bank = (struct fmi_vars_bank){ .dev = dev };
	if (!dev)
		return fm_error_set(err, FM_ERR_ARG, 0, "vars: flash must be given");
	if (strcmp(fm_dev_type(dev), "cfi-flash-intel"))
		return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
				    "%s: a device of type %s, expected cfi-flash-intel",
				    fm_dev_name(dev), fm_dev_type(dev));
	fm_dev_describe(dev, &visitor);
	if (fm_dev_map(dev, 0, &map) || !map.block || map.len != fm_dev_len(dev) || !bank->width ||
	    !bank->chip_width)
		return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
				    "%s: the array is not one piece of memory, expected it",
				    fm_dev_name(dev));
	if (bank->timed)
		return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
				    "%s: time: programs take some, expected an instant bank",
				    fm_dev_name(dev));
	bank->bytes = (const uint8_t *)fm_block_ptr(map.block) + map.block_off;
	bank->len = map.len;
	return 0;
}

/* --- cycles ------------------------------------------------------------------------------------ */

/* The code of a command on every chip's lanes. */
static uint64_t to_all(const struct fmi_vars_bank *bank, uint64_t code)
{
	uint64_t lane = bank->big_endian ? bank->chip_width - 1 : 0;
	uint64_t value = 0;

	for (uint64_t at = 0; at < bank->width; at += bank->chip_width)
		value |= code << 8 * (at + lane);
	return value;
}

static unsigned write_word(struct fmi_vars_bank *bank, uint64_t off, uint64_t value)
{
	const struct fm_attrs attrs = { .secure = true }; /* whatever the bank asks for */

	return fm_dev_write(bank->dev, off, (unsigned)bank->width, value, attrs);
}

/* One word, of which `data` are the bytes from `at` on, `n` of them; the others stay. */
static int program_word(struct fmi_vars_bank *bank, uint64_t off, unsigned at, const uint8_t *data,
			unsigned n, struct fm_error *err)
{
	uint8_t word[8];
	unsigned effects;

	/* Their own contents for the others, because a bank with a quirk stores what is programmed. */
	memcpy(word, bank->bytes + off, (size_t)bank->width);
	memcpy(word + at, data, n);
	effects = write_word(bank, off, to_all(bank, PROGRAM));
	effects |= write_word(bank, off, fmi_le_load(word, (unsigned)bank->width));
	if (!memcmp(bank->bytes + off + at, data, n)) {
		if (effects & FM_EFF_IOERR)
			return fm_dev_error(bank->dev, err);
		return 0;
	}
	write_word(bank, off, to_all(bank, CLEAR_STATUS));
	return fm_error_set(err, FM_ERR_ACCESS, 0,
			    "%s: the bytes at 0x%" PRIx64
			    " did not take a program, expected an unlocked block",
			    fm_dev_name(bank->dev), off + at);
}

int fmi_vars_bank_program(struct fmi_vars_bank *bank, uint64_t off, const uint8_t *data,
			  uint64_t len, struct fm_error *err)
{
	while (len) {
		unsigned at = (unsigned)(off & (bank->width - 1));
		unsigned n = (unsigned)fmi_min_u64(bank->width - at, len);
		int rc = 0;

		if (memcmp(bank->bytes + off, data, n))
			rc = program_word(bank, off - at, at, data, n, err);
		if (rc)
			return rc;
		off += n;
		data += n;
		len -= n;
	}
	return 0;
}

int fmi_vars_bank_flush(struct fmi_vars_bank *bank, struct fm_error *err)
{
	return fm_dev_flush(bank->dev, err);
}

void fmi_vars_bank_close(struct fmi_vars_bank *bank)
{
	if (bank->bytes)
		write_word(bank, 0, to_all(bank, READ_ARRAY));
}
