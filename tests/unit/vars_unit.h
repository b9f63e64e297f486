/* SPDX-License-Identifier: BSD-2-Clause */
/* vars_unit: what the tests of the variable store share: stores of their own, and outside ones. */
#ifndef FIRMEM_TESTS_VARS_UNIT_H
#define FIRMEM_TESTS_VARS_UNIT_H

#include "fuzz/vars_build.h"
#include "tests/unit/unit.h"

#include <firmem/vars.h>

#define VARS_MOST (1024u * 1024)

/* Parse what must parse. */
static inline struct fm_vars *vars_of(const void *bytes, size_t len)
{
	struct fm_vars *vars = NULL;
	struct fm_error err = { 0 };

	if (fm_vars_parse(&vars, bytes, len, &err))
		fail_msg("%s", err.msg);
	return vars;
}

static inline enum fm_vars_verdict vars_verdict(const void *bytes, size_t len)
{
	struct fm_vars *vars = vars_of(bytes, len);
	enum fm_vars_verdict verdict = fm_vars_info(vars)->verdict;

	fm_vars_free(vars);
	return verdict;
}

static inline void vars_expect(const void *bytes, size_t len, enum fm_vars_verdict verdict)
{
	assert_string_equal(fm_vars_verdict_name(vars_verdict(bytes, len)),
			    fm_vars_verdict_name(verdict));
}

/* The first finding of a kind, or NULL. */
static inline const struct fm_vars_finding *vars_finding(const struct fm_vars *vars,
							 enum fm_vars_finding_kind kind)
{
	const struct fm_vars_finding *f;

	for (size_t i = 0; (f = fm_vars_finding(vars, i)); i++) {
		if (f->kind == kind)
			return f;
	}
	return NULL;
}

/* Just one finding, of that kind, there. */
static inline void vars_expect_finding(const struct fm_vars *vars, enum fm_vars_finding_kind kind,
				       uint64_t off)
{
	const struct fm_vars_finding *f = fm_vars_finding(vars, 0);

	assert_non_null(f);
	assert_string_equal(fm_vars_finding_name(f->kind), fm_vars_finding_name(kind));
	assert_int_equal(f->off, off);
	assert_true(*f->text && strlen(f->text) < sizeof(f->text) - 1);
	assert_null(fm_vars_finding(vars, 1));
}

/* The value that the firmware would see is this. */
static inline void vars_expect_value(const struct fm_vars *vars, const uint8_t guid[16],
				     const char *name, const void *data, size_t len)
{
	const struct fm_vars_record *r = fm_vars_find(vars, name, guid);

	assert_non_null(r);
	assert_int_equal(r->data_len, len);
	assert_memory_equal(r->data, data, len);
}

/* --- outside data ------------------------------------------------------------------------------- */

/* All that a program prints, at most `most` bytes; 0 when it fails. */
static inline size_t vars_read_from(const char *command, uint8_t *bytes, size_t most)
{
	FILE *pipe = popen(command, "re");
	size_t len = pipe ? fread(bytes, 1, most, pipe) : 0;

	return pipe && !pclose(pipe) ? len : 0;
}

/*
 * The file `name` of the shared data, without the zst in which it is packed, in `bytes` (VARS_MOST); a
 * skip of the running test without the data or the program that unpacks it.
 */
#define VARS_VECTOR(bytes, len, name)                                                         \
	do {                                                                                  \
		char path_[512], name_[128];                                                  \
		char command_[600];                                                           \
		snprintf(name_, sizeof(name_), "uefi/%s", name);                              \
		UNIT_VECTOR(path_, name_);                                                    \
		snprintf(command_, sizeof(command_), "zstd -dqc -- '%s' 2>/dev/null", path_); \
		(len) = vars_read_from(command_, bytes, VARS_MOST);                           \
		if (!(len)) {                                                                 \
			print_message("skipped: no zstd here to unpack %s\n", path_);         \
			skip();                                                               \
		}                                                                             \
	} while (0)

#endif
