/* SPDX-License-Identifier: BSD-2-Clause */
/* vars_bank: a flash bank as the editing of variables uses it: bytes to read, and programs. */
#ifndef FIRMEM_VARS_BANK_H
#define FIRMEM_VARS_BANK_H

#include <firmem/device.h>
#include <firmem/vars.h>

struct fmi_vars_bank {
	struct fm_dev *dev;
	const uint8_t *bytes; /* the array */
	uint64_t len;
	uint64_t width; /* bytes of a bank word */
	uint64_t chip_width;
	bool big_endian; /* commands are on the highest address of a chip's lanes */
	bool timed;      /* programs take time, which only the host can tell to pass */
};

/* FM_ERR_ARG; FM_ERR_UNSUPPORTED where it is no bank of the Intel set, or one that takes time. */
int fmi_vars_bank_open(struct fmi_vars_bank *bank, struct fm_dev *dev, struct fm_error *err);
/*
 * Program [off, off + len), which only clears bits: word by word, low address first, none where
 * nothing changes. What was programmed is in the array then, or it is an error: FM_ERR_ACCESS
 * (a locked block), or the device's own.
 */
int fmi_vars_bank_program(struct fmi_vars_bank *bank, uint64_t off, const uint8_t *data,
			  uint64_t len, struct fm_error *err);
/* All of it is durable. */
int fmi_vars_bank_flush(struct fmi_vars_bank *bank, struct fm_error *err);
/* Back to read-array. A bank that could not be opened is fine. */
void fmi_vars_bank_close(struct fmi_vars_bank *bank);

#endif
