/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * erased: private memory that reads FF everywhere and costs what is stored to it: the same 2 MiB of
 * FF, mapped again and again and copied page by page on the first store. A flash image is mostly
 * FF.
 */
#ifndef BOARD_ERASED_H
#define BOARD_ERASED_H

#include <firmem/base.h>
#include <firmem/io.h>

/* `len` is a multiple of 2 MiB. FM_ERR_NOMEM. */
int erased_new(void **out, size_t len, struct fm_error *err);
/* NULL is fine. */
void erased_free(void *memory, size_t len);

/*
 * The host's files, but pread() stores to the caller's memory only pages that change it: what is FF
 * in the image costs no memory. `ops` lives as long as the result.
 */
struct fm_io erased_io(struct fm_io_ops *ops);

#endif
