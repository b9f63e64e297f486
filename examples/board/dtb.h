/* SPDX-License-Identifier: BSD-2-Clause */
/* dtb: the device tree that the board's firmware finds at the start of RAM. */
#ifndef BOARD_DTB_H
#define BOARD_DTB_H

#include <firmem/base.h>

/* *blob is malloc'd and the caller's. */
int dtb_build(uint64_t ram_len, void **blob, size_t *len, struct fm_error *err);

#endif
