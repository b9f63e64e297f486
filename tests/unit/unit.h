/* SPDX-License-Identifier: BSD-2-Clause */
/* unit: what every unit test includes first. */
#ifndef FIRMEM_TESTS_UNIT_H
#define FIRMEM_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A file in the folder of outside test data, or a skip of the running test that names it. */
#define UNIT_VECTOR(buf, name)                                                \
	do {                                                                  \
		const char *dir_ = getenv("FIRMEM_VECTORS");                  \
		FILE *file_;                                                  \
		snprintf(buf, sizeof(buf), "%s/%s", dir_ ? dir_ : ".", name); \
		file_ = fopen(buf, "rb");                                     \
		if (!file_) {                                                 \
			print_message("skipped: no test data at %s\n", buf);  \
			skip();                                               \
		} else {                                                      \
			fclose(file_);                                        \
		}                                                             \
	} while (0)

#endif
