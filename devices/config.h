/* SPDX-License-Identifier: BSD-2-Clause */
/* config: size-tagged config structs, old and new. */
#ifndef FIRMEM_DEVICES_CONFIG_H
#define FIRMEM_DEVICES_CONFIG_H

#include <firmem/base.h>

/*
 * Copy a caller's struct whose first member is its size_t size into ours of `len` bytes. A shorter
 * one (an older caller) is zero-extended; of a longer one (a newer caller) the bytes we do not know
 * must be zero. `what` names the struct in messages. FM_ERR_ARG.
 */
int fmi_config_copy(void *dst, size_t len, const void *src, const char *what, struct fm_error *err);

#endif
