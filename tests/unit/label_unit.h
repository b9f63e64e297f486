/* SPDX-License-Identifier: BSD-2-Clause */
/* label_unit: areas in memory, and labels to put there. */
#ifndef FIRMEM_TESTS_LABEL_UNIT_H
#define FIRMEM_TESTS_LABEL_UNIT_H

#include "tests/unit/unit.h"

#include <firmem/label.h>

#define PMEM (UINT64_C(64) << 20)
#define MIB (UINT64_C(1) << 20)

/* An area in memory that counts and can fail what is done to it. */
struct memory {
	uint8_t bytes[128 * 1024];
	struct fm_label_medium medium;
	unsigned calls, fail_at; /* the call that fails, from 1 */
	char log[256];           /* 'w', 's' */
	uint64_t offs[64];       /* of the writes */
	unsigned writes;
};

static inline int memory_call(struct memory *m, char letter, struct fm_error *err)
{
	size_t n = strlen(m->log);

	if (++m->calls == m->fail_at)
		return fm_error_set(err, FM_ERR_IO, 5, "a test's failure");
	if (n + 1 < sizeof(m->log))
		m->log[n] = letter;
	return 0;
}

static inline int memory_write(void *ctx, uint64_t off, const void *bytes, size_t len,
			       struct fm_error *err)
{
	struct memory *m = ctx;
	int rc = memory_call(m, 'w', err);

	if (rc)
		return rc;
	assert_true(off + len <= m->medium.len);
	memcpy(m->bytes + off, bytes, len);
	if (m->writes < 64)
		m->offs[m->writes++] = off;
	return 0;
}

static inline int memory_sync(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	return memory_call(ctx, 's', err);
}

static inline void memory_reset(struct memory *m)
{
	m->calls = m->fail_at = m->writes = 0;
	memset(m->log, 0, sizeof(m->log));
}

static inline void memory_init(struct memory *m, size_t len)
{
	memset(m, 0, sizeof(*m));
	m->medium = (struct fm_label_medium){
		.struct_size = sizeof(m->medium),
		.bytes = m->bytes,
		.len = len,
		.pmem_len = PMEM,
		.ctx = m,
		.write = memory_write,
		.sync = memory_sync,
	};
}

/* The same, initialised. */
static inline void memory_make(struct memory *m, size_t len, unsigned version)
{
	memory_init(m, len);
	assert_int_equal(fm_label_init(&m->medium, version, NULL), 0);
	memory_reset(m);
}

static inline struct fm_label_area *area_of(const struct memory *m)
{
	struct fm_label_area *area = NULL;
	struct fm_error err = { 0 };

	if (fm_label_parse(&area, m->bytes, m->medium.len, PMEM, &err))
		fail_msg("%s", err.msg);
	return area;
}

/* Free slots hold nothing: what was there before must not stand in for a label that was lost. */
static inline void memory_wipe_free(struct memory *m)
{
	struct fm_label_area *area = area_of(m);
	const struct fm_label_info *info = fm_label_info(area);
	const struct fm_label *l;
	size_t n = 0;

	for (uint32_t slot = 0; slot < info->nslot; slot++) {
		l = fm_label_at(area, n);
		if (l && l->slot == slot)
			n++;
		else
			memset(m->bytes + 2 * info->index_len + slot * info->slot_len, 0,
			       info->slot_len);
	}
	fm_label_free(area);
}

/* A label of 2 MiB, the `number`-th of its DIMM. */
static inline struct fm_label label_number(unsigned number, const char *name, unsigned version)
{
	struct fm_label l = { .nlabel = 1, .lbasize = 512, .rawsize = 2 * MIB, .isetcookie = 77 };

	memset(l.uuid, (int)(0x10 + number), sizeof(l.uuid));
	snprintf(l.name, sizeof(l.name), "%s", name);
	l.dpa = number * 2 * MIB;
	if (version == FM_LABEL_V1_2) {
		fm_label_pmem_guid(l.type_guid);
		fm_label_use_guid(FM_LABEL_FSDAX, l.abstraction_guid);
	}
	return l;
}

static inline void memory_add(struct memory *m, unsigned number, const char *name, unsigned version)
{
	struct fm_label l = label_number(number, name, version);
	struct fm_error err = { 0 };

	if (fm_label_add(&m->medium, 1, &l, &err))
		fail_msg("%s", err.msg);
}

#endif
