/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nomem: every allocation of a call fails once. For tests that are linked with the allocator wrapped
 * (tests/unit/meson.build), so that the functions here come before it.
 */
#ifndef FIRMEM_TESTS_NOMEM_H
#define FIRMEM_TESTS_NOMEM_H

#include "tests/unit/unit.h"

#include <firmem/base.h>

static bool nomem_armed;
static unsigned nomem_countdown;
static unsigned nomem_failed;

static inline bool nomem_fails(void)
{
	if (!nomem_armed || nomem_countdown--)
		return false;
	nomem_armed = false;
	nomem_failed++;
	return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t n)
{
	return nomem_fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return nomem_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return nomem_fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return nomem_fails() ? NULL : __real_aligned_alloc(align, n);
}

char *__wrap_strdup(const char *s)
{
	return nomem_fails() ? NULL : __real_strdup(s);
}

/*
 * Do `call` with its first allocation failing, then its second ... until none is left to fail: each
 * time it must say FM_ERR_NOMEM, and `unchanged` runs. Leaves the effects of the call that went well.
 */
#define NOMEM_EACH(call, unchanged)                          \
	do {                                                 \
		int rc_;                                     \
		unsigned before_;                            \
		for (unsigned n_ = 0;; n_++) {               \
			before_ = nomem_failed;              \
			nomem_countdown = n_;                \
			nomem_armed = true;                  \
			rc_ = (call);                        \
			nomem_armed = false;                 \
			if (nomem_failed == before_)         \
				break;                       \
			assert_int_equal(rc_, FM_ERR_NOMEM); \
			unchanged;                           \
		}                                            \
		assert_int_equal(rc_, 0);                    \
	} while (0)

#endif
