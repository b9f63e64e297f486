/* SPDX-License-Identifier: BSD-2-Clause */
/* flash_bank_private: what the making of a bank's config and of the bank share. */
#ifndef FIRMEM_TOOLS_FLASH_BANK_PRIVATE_H
#define FIRMEM_TOOLS_FLASH_BANK_PRIVATE_H

#include "tools/firmem/flash_bank.h"

/* Fill a config in, but block, registers and health. False after a complaint. */
bool bank_config(struct fm_flash_config *cfg, uint64_t *size, const struct bank_options *o,
		 const char *command);
/* Complain with a message of the library about the config: its fields become options. */
void bank_complain(const struct bank_options *o, const char *command, const char *msg);

#endif
