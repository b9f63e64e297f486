/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Included first by ./dev check tidy. The analyzer sees one file at a time; without this it follows
 * paths on which fm_error_set() returns 0 for an error. fmi_fdt_fail() is in the file at times, but the
 * analyzer does not enter functions of variable arguments; what declares and defines it has its name in
 * parentheses.
 */
#include <firmem/base.h>

#define fm_error_set(err, code, ...) \
	(fm_error_set(err, code, __VA_ARGS__), __builtin_assume((code) < 0), (code))
#define fmi_fdt_fail(err, code, ...) \
	(fmi_fdt_fail(err, code, __VA_ARGS__), __builtin_assume((code) < 0), (code))
