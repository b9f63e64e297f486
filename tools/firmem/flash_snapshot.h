/* SPDX-License-Identifier: BSD-2-Clause */
/* flash_snapshot: a file with all there is of a bank: its state and its contents. */
#ifndef FIRMEM_TOOLS_FLASH_SNAPSHOT_H
#define FIRMEM_TOOLS_FLASH_SNAPSHOT_H

#include "tools/firmem/flash_bank.h"

/* Write it, as fm_io_store() does. 0 or FM_ERR_*, with *err. */
int snapshot_save(const struct bank *bank, const char *path, struct fm_error *err);
/*
 * Take the bank from the file, and bring the image up to it. FM_ERR_*: nothing is
 * changed; when only the image could not be written, all is loaded and the next flush tries again.
 */
int snapshot_load(const struct bank *bank, const char *path, struct fm_error *err);

#endif
