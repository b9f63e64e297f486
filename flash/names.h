/* SPDX-License-Identifier: BSD-2-Clause */
/* names: what a caller may have meant by a name that there is not. */
#ifndef FIRMEM_NAMES_H
#define FIRMEM_NAMES_H

#include <stddef.h>

/* Letters of a name that count; of a caller's, also those that a message shows. */
#define FMI_NAME_MAX 31

/*
 * Write into `out` those of nth(0), nth(1), ... (up to NULL) that are nearest to `name`: "a" or "b",
 * as many as fit whole into `len` bytes.
 */
void fmi_names_nearest(char *out, size_t len, const char *name, const char *(*nth)(unsigned n));

#endif
