/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of a store, in the order of edk2's UpdateVariable() (2022.11): the old record in transition,
 * the new one's header, its state 7F, name and data, its state 3F, the old record deleted. What a cut
 * leaves is the old value or the new one, because state bytes alone decide and each step clears bits
 * of one of them.
 */
#include "flash/vars_bank.h"
#include "flash/vars_private.h"

#include "devices/bytes.h"
#include "devices/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTES                                                                                \
	(FM_VARS_NON_VOLATILE | FM_VARS_BOOT_SERVICE | FM_VARS_RUNTIME | FM_VARS_HARDWARE_ERROR | \
	 FM_VARS_AUTHENTICATED | FM_VARS_TIME_BASED)
#define TRANSITION 0x01u /* bits of a state that mean it when they are 0 */
#define DELETED 0x02u

struct edit {
	struct fmi_vars_bank bank;
	struct fm_vars *vars; /* of the bank's bytes as they were when it was last read */
};

/* A record to be. */
struct draft {
	uint8_t *bytes; /* header with State FF, name, data; NULL: the value is there already */
	uint64_t len;
	uint64_t header_len;
	const struct fmi_vars_rec *old; /* live now; NULL: none */
};

/* --- the store --------------------------------------------------------------------------------- */

static int read_store(struct edit *e, struct fm_error *err)
{
	enum fm_vars_verdict verdict;
	int rc;

	fm_vars_free(e->vars);
	e->vars = NULL;
	rc = fm_vars_parse(&e->vars, e->bank.bytes, (size_t)e->bank.len, err);
	if (rc)
		return rc;
	verdict = e->vars->info.verdict;
	switch (verdict) {
	case FM_VARS_CLEAN:
	case FM_VARS_UPDATE_TORN:
		return 0;
	case FM_VARS_RECLAIM_PENDING:
	case FM_VARS_RECLAIM_TORN:
	case FM_VARS_HEADERS_LOST:
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "%s: the store is %s, expected one to rescue first",
				    fm_dev_name(e->bank.dev), fm_vars_verdict_name(verdict));
	case FM_VARS_BLANK:
	case FM_VARS_NOT_A_STORE:
		break;
	}
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: %s, expected a store of variables",
			    fm_dev_name(e->bank.dev), fm_vars_verdict_name(verdict));
}

static int open_store(struct edit *e, struct fm_dev *flash, struct fm_error *err)
{
	int rc = fmi_vars_bank_open(&e->bank, flash, err);

	e->vars = NULL;
	return rc ? rc : read_store(e, err);
}

static void close_store(struct edit *e)
{
	fm_vars_free(e->vars);
	fmi_vars_bank_close(&e->bank);
}

static bool is_named(const struct fmi_vars_rec *rec, const uint8_t guid[16], const uint8_t *utf16,
		     size_t len)
{
	return rec->r.utf16_len == len && !memcmp(rec->r.guid, guid, 16) &&
	       !memcmp(rec->r.utf16, utf16, len);
}

static const struct fmi_vars_rec *find_live(const struct fm_vars *v, const uint8_t guid[16],
					    const uint8_t *utf16, size_t len)
{
	for (size_t i = 0; i < v->nlive; i++) {
		if (is_named(v->live[i], guid, utf16, len))
			return v->live[i];
	}
	return NULL;
}

/* --- steps ------------------------------------------------------------------------------------- */

/* Clear bits of a record's state, and wait until that is durable. */
static int set_state(struct edit *e, uint64_t off, uint8_t state, struct fm_error *err)
{
	int rc = fmi_vars_bank_program(&e->bank, off + 2, &state, 1, err);

	return rc ? rc : fmi_vars_bank_flush(&e->bank, err);
}

/* What the live record hides must not come back when that one goes. */
static int delete_hidden(struct edit *e, const struct fmi_vars_rec *live, struct fm_error *err)
{
	for (size_t i = 0; i < e->vars->nrecords; i++) {
		const struct fmi_vars_rec *rec = &e->vars->records[i];
		int rc;

		if (rec->r.status != FM_VARS_SUPERSEDED ||
		    !is_named(rec, live->r.guid, live->r.utf16, live->r.utf16_len))
			continue;
		rc = set_state(e, rec->r.off, rec->r.state & (uint8_t)~DELETED, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int append(struct edit *e, const struct draft *d, struct fm_error *err)
{
	uint64_t at = e->vars->info.records_off + e->vars->info.used;
	uint8_t valid = FMI_VARS_STATE_HEADER;
	int rc = fmi_vars_bank_program(&e->bank, at, d->bytes, d->header_len, err);

	if (!rc)
		rc = fmi_vars_bank_program(&e->bank, at + 2, &valid, 1, err);
	if (!rc)
		rc = fmi_vars_bank_program(&e->bank, at + d->header_len, d->bytes + d->header_len,
					   d->len - d->header_len, err);
	if (!rc)
		rc = fmi_vars_bank_flush(&e->bank, err);
	return rc ? rc : set_state(e, at, FMI_VARS_STATE_ADDED, err);
}

static int apply(struct edit *e, const struct draft *d, struct fm_error *err)
{
	const struct fmi_vars_rec *old = d->old;
	int rc = 0;

	if (old)
		rc = delete_hidden(e, old, err);
	if (!rc && old)
		rc = set_state(e, old->r.off, old->r.state & (uint8_t)~TRANSITION, err);
	if (!rc)
		rc = append(e, d, err);
	if (!rc && old)
		rc = set_state(e, old->r.off, old->r.state & (uint8_t) ~(TRANSITION | DELETED),
			       err);
	return rc;
}

/* --- drafts ------------------------------------------------------------------------------------ */

static int check_value(const struct fm_vars_value *value, uint32_t attributes, struct fm_error *err)
{
	if (!value->data || !value->len || value->len > UINT32_MAX / 2)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%.48s: data: %zu bytes, expected at least 1; "
				    "without any it is to be deleted",
				    value->name, value->len);
	if (attributes & ~(uint32_t)ATTRIBUTES || !(attributes & FM_VARS_NON_VOLATILE) ||
	    ((attributes & FM_VARS_RUNTIME) && !(attributes & FM_VARS_BOOT_SERVICE)))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%.48s: attributes: 0x%x, expected bits of 0x%x with "
				    "non-volatile (1), and boot service (2) where runtime (4) is",
				    value->name, attributes, (unsigned)ATTRIBUTES);
	return 0;
}

static void put_header(const struct fm_vars *v, struct draft *d, const struct fm_vars_value *value,
		       uint32_t attributes, uint32_t name_len)
{
	uint8_t *p = d->bytes;
	const struct fm_vars_record *old = d->old ? &d->old->r : NULL;

	memset(p, 0, d->header_len);
	fmi_put_le16(p, FMI_VARS_START_ID);
	p[2] = 0xff;
	fmi_put_le32(p + 4, attributes);
	if (v->volume.authenticated) {
		if (old) {
			fmi_put_le64(p + 8, old->monotonic_count);
			memcpy(p + 16, old->time, 16);
			fmi_put_le32(p + 32, old->public_key);
		}
		if (value->time)
			memcpy(p + 16, value->time, 16);
		p += 28;
	}
	fmi_put_le32(p + 8, name_len);
	fmi_put_le32(p + 12, (uint32_t)value->len);
	memcpy(p + 16, value->guid, 16);
}

static bool is_there(const struct draft *d, const struct fm_vars_value *value, uint32_t attributes)
{
	const struct fm_vars_record *old = d->old ? &d->old->r : NULL;

	return old && old->attributes == attributes && old->data_len == value->len &&
	       !memcmp(old->data, value->data, value->len) &&
	       (!value->time || !memcmp(old->time, value->time, 16));
}

/* Make the record of a value; free d->bytes. */
static int draft(const struct fm_vars *v, const struct fm_vars_value *value, struct draft *d,
		 struct fm_error *err)
{
	uint32_t attributes = value->attributes;
	uint8_t *utf16;
	size_t name_len;
	int rc = fmi_vars_utf16(&utf16, &name_len, value->name, err);

	if (rc)
		return rc;
	*d = (struct draft){ .header_len = fmi_vars_header_len(&v->volume) };
	d->old = find_live(v, value->guid, utf16, name_len);
	if (!attributes)
		attributes = d->old ? d->old->r.attributes
				    : FM_VARS_NON_VOLATILE | FM_VARS_BOOT_SERVICE | FM_VARS_RUNTIME;
	rc = check_value(value, attributes, err);
	if (!rc && !is_there(d, value, attributes)) {
		d->len = d->header_len + name_len + value->len;
		d->bytes = malloc((size_t)d->len);
		if (d->bytes) {
			put_header(v, d, value, attributes, (uint32_t)name_len);
			memcpy(d->bytes + d->header_len, utf16, name_len);
			memcpy(d->bytes + d->header_len + name_len, value->data, value->len);
		} else {
			rc = fm_error_set(err, FM_ERR_NOMEM, 0, "vars: out of memory");
		}
	}
	free(utf16);
	return rc;
}

/* --- set --------------------------------------------------------------------------------------- */

/* The n-th of the caller's values, whose struct may be an older, shorter one. */
static int nth_value(const struct fm_vars_value *values, size_t n, struct fm_vars_value *out,
		     struct fm_error *err)
{
	const uint8_t *p = (const uint8_t *)values + n * values->struct_size;

	return fmi_config_copy(out, sizeof(*out), p, "fm_vars_value", err);
}

/* Each variable once: which of two values shall it have? */
static int check_twice(const struct fm_vars_value *values, size_t count, struct fm_error *err)
{
	for (size_t i = 1; i < count; i++) {
		struct fm_vars_value a;
		struct fm_vars_value b;

		if (nth_value(values, i, &a, err))
			return FM_ERR_ARG;
		for (size_t k = 0; k < i; k++) {
			if (nth_value(values, k, &b, err))
				return FM_ERR_ARG;
			if (!strcmp(a.name, b.name) && !memcmp(a.guid, b.guid, 16))
				return fm_error_set(
					err, FM_ERR_ARG, 0,
					"%.48s: is there twice, expected each variable once",
					a.name);
		}
	}
	return 0;
}

/* Is each of them right? How many bytes do they need? */
static int count_need(const struct fm_vars *v, const struct fm_vars_value *values, size_t count,
		      uint64_t *need, struct fm_error *err)
{
	*need = 0;
	for (size_t i = 0; i < count; i++) {
		struct fm_vars_value value;
		struct draft d;
		int rc = nth_value(values, i, &value, err);

		if (!rc)
			rc = draft(v, &value, &d, err);
		if (rc)
			return rc;
		*need += fmi_align_up(d.len, 4);
		free(d.bytes);
	}
	return 0;
}

/* What can be known before the first of them is written. */
static int check_all(const struct fm_vars *v, const struct fm_vars_value *values, size_t count,
		     struct fm_error *err)
{
	const struct fm_vars_info *info = &v->info;
	uint64_t need;
	int rc = count_need(v, values, count, &need, err);

	if (rc)
		return rc;
	if (need > info->free)
		return fm_error_set(err, FM_ERR_NOSPACE, 0,
				    "vars: the store is full: %" PRIu64
				    " bytes are needed, %" PRIu64 " are free, %" PRIu64
				    " are stale until the firmware reclaims them",
				    need, info->free, info->stale);
	if (v->dirty && v->dirty < info->records_off + info->used + need)
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "vars: byte 0x%02x at 0x%" PRIx64
				    ", expected erased flash where records are appended",
				    v->bytes.p[v->dirty], v->dirty);
	/* Those that fit are few enough to compare each with each. */
	return check_twice(values, count, err);
}

static int set_one(struct edit *e, const struct fm_vars_value *value, struct fm_error *err)
{
	struct draft d;
	int rc = read_store(e, err);

	if (!rc)
		rc = draft(e->vars, value, &d, err);
	if (rc)
		return rc;
	if (d.bytes)
		rc = apply(e, &d, err);
	free(d.bytes);
	return rc;
}

int fm_vars_set(struct fm_dev *flash, const struct fm_vars_value *values, size_t count,
		struct fm_error *err)
{
	struct edit e;
	int rc;

	if (!values && count)
		return fm_error_set(err, FM_ERR_ARG, 0, "vars: values must be given");
	rc = open_store(&e, flash, err);
	if (!rc)
		rc = check_all(e.vars, values, count, err);
	for (size_t i = 0; !rc && i < count; i++) {
		struct fm_vars_value value;

		rc = nth_value(values, i, &value, err);
		if (!rc)
			rc = set_one(&e, &value, err);
	}
	close_store(&e);
	return rc;
}

/* --- delete ------------------------------------------------------------------------------------ */

static int delete_live(struct edit *e, const char *name, const uint8_t guid[16],
		       struct fm_error *err)
{
	const struct fmi_vars_rec *live;
	uint8_t *utf16;
	size_t len;
	char text[37];
	int rc = fmi_vars_utf16(&utf16, &len, name, err);

	if (rc)
		return rc;
	live = find_live(e->vars, guid, utf16, len);
	free(utf16);
	fm_vars_guid_text(guid, text);
	if (!live)
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0,
				    "%.48s: no such variable with GUID %s", name, text);
	rc = delete_hidden(e, live, err);
	return rc ? rc : set_state(e, live->r.off, live->r.state & (uint8_t)~DELETED, err);
}

int fm_vars_delete(struct fm_dev *flash, const char *name, const uint8_t guid[16],
		   struct fm_error *err)
{
	struct edit e;
	int rc;

	if (!name || !guid)
		return fm_error_set(err, FM_ERR_ARG, 0, "vars: name and guid must be given");
	rc = open_store(&e, flash, err);
	if (!rc)
		rc = delete_live(&e, name, guid, err);
	close_store(&e);
	return rc;
}
