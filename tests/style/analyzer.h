/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Included first by ./dev check tidy. The analyzer sees one file at a time; without this it follows
 * paths on which fm_error_set() returns 0 for an error.
 */
#include <firmem/base.h>

#define fm_error_set(err, code, ...) \
	(fm_error_set(err, code, __VA_ARGS__), __builtin_assume((code) < 0), (code))
