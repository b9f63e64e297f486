/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records of a store, walked as edk2 does (GetNextVariablePtr, FindVariableEx of
 * MdeModulePkg/Universal/Variable), and which of them the firmware sees.
 */
#include "flash/vars_private.h"

#include "devices/bytes.h"

#include <stdlib.h>
#include <string.h>

uint32_t fmi_vars_header_len(const struct fmi_vars_volume *volume)
{
	return volume->authenticated ? FMI_VARS_HEADER_AUTH : FMI_VARS_HEADER_PLAIN;
}

static int no_memory(struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_NOMEM, 0, "vars: out of memory");
}

static struct fmi_vars_rec *add_record(struct fm_vars *v)
{
	if (v->nrecords == v->room) {
		size_t room = v->room ? 2 * v->room : 64;
		struct fmi_vars_rec *grown = realloc(v->records, room * sizeof(*grown));

		if (!grown)
			return NULL;
		v->records = grown;
		v->room = room;
	}
	v->records[v->nrecords] = (struct fmi_vars_rec){ .past_end = false };
	return &v->records[v->nrecords++];
}

/* --- one record ------------------------------------------------------------------------------ */

static void read_header(const struct fm_vars *v, uint64_t at, struct fmi_vars_rec *rec)
{
	const uint8_t *p = v->bytes.p + at;
	struct fm_vars_record *r = &rec->r;

	r->off = at;
	r->state = p[2];
	r->attributes = fmi_le32(p + 4);
	if (v->volume.authenticated) {
		r->monotonic_count = fmi_le64(p + 8);
		memcpy(r->time, p + 16, 16);
		r->public_key = fmi_le32(p + 32);
		rec->name_size = fmi_le32(p + 36);
		rec->data_size = fmi_le32(p + 40);
		memcpy(r->guid, p + 44, 16);
	} else {
		rec->name_size = fmi_le32(p + 8);
		rec->data_size = fmi_le32(p + 12);
		memcpy(r->guid, p + 16, 16);
	}
}

/* edk2 takes both sizes as 0 where the header cannot have been written whole. */
static bool sizes_count(const struct fmi_vars_rec *rec)
{
	return rec->r.state != 0xff && rec->r.attributes != UINT32_MAX &&
	       rec->name_size != UINT32_MAX && rec->data_size != UINT32_MAX;
}

/* At least one character, and the only NUL at the end. */
static bool name_ok(const uint8_t *p, uint64_t len)
{
	if (len < 4 || len % 2)
		return false;
	for (uint64_t i = 0; i < len; i += 2) {
		if ((fmi_le16(p + i) == 0) != (i == len - 2))
			return false;
	}
	return true;
}

static enum fm_vars_status status_of(const struct fmi_vars_rec *rec)
{
	if (rec->past_end)
		return FM_VARS_TORN;
	switch (rec->r.state) {
	case FMI_VARS_STATE_ADDED:
	case FMI_VARS_STATE_OLD:
		return rec->bad_name || !sizes_count(rec) ? FM_VARS_TORN : FM_VARS_LIVE;
	case FMI_VARS_STATE_GONE:
	case FMI_VARS_STATE_DELETED:
		return FM_VARS_DELETED;
	default:
		return FM_VARS_TORN;
	}
}

/* Understand the record at `at`, where a start id and a whole header are. */
static void read_record(const struct fm_vars *v, uint64_t at, struct fmi_vars_rec *rec)
{
	struct fm_vars_record *r = &rec->r;
	uint64_t header = fmi_vars_header_len(&v->volume);
	uint64_t body = at + header;
	uint64_t size;

	read_header(v, at, rec);
	r->len = header;
	size = rec->name_size + rec->data_size;
	if (sizes_count(rec)) {
		rec->past_end = !fmi_in_range(body, size, v->volume.end);
		rec->bad_name = rec->past_end || !name_ok(v->bytes.p + body, rec->name_size);
		r->len = fmi_align_up(body + (rec->past_end ? 0 : size), 4) - at;
	}
	r->status = status_of(rec);
	if (!sizes_count(rec) || rec->past_end)
		return;
	r->data = v->bytes.p + body + rec->name_size;
	r->data_len = (size_t)rec->data_size;
	if (!rec->bad_name) {
		r->utf16 = v->bytes.p + body;
		r->utf16_len = (size_t)rec->name_size;
	}
}

/*
 * A record that lies whole in the name and data of an unfinished one before it, which the walk does
 * not skip. What firmware appended there later is told from it by the name: no UTF-16 text holds a
 * header, because the upper half of a header's attributes is zero.
 */
static bool is_phantom(const struct fm_vars *v, const struct fmi_vars_rec *before,
		       const struct fmi_vars_rec *rec)
{
	uint64_t body = before->r.off + fmi_vars_header_len(&v->volume);

	return before->r.state == 0xff && rec->r.off == body && before->name_size != UINT32_MAX &&
	       before->data_size != UINT32_MAX &&
	       rec->r.len <= before->name_size + before->data_size + 3 &&
	       fmi_in_range(body, before->name_size, v->volume.end) &&
	       name_ok(v->bytes.p + body, before->name_size);
}

/* --- the walk ---------------------------------------------------------------------------------- */

static int walk(struct fm_vars *v, struct fm_error *err)
{
	uint64_t at = v->volume.records;
	uint64_t end = v->volume.end;

	while (at < end && end - at >= fmi_vars_header_len(&v->volume) &&
	       fmi_le16(v->bytes.p + at) == FMI_VARS_START_ID) {
		struct fmi_vars_rec *rec = add_record(v);

		if (!rec)
			return no_memory(err);
		read_record(v, at, rec);
		if (v->nrecords > 1)
			rec->r.phantom = is_phantom(v, rec - 1, rec);
		at += rec->r.len;
	}
	v->walk_end = fmi_min_u64(at, end);
	if (fmi_vars_all(v->bytes, v->walk_end, end - v->walk_end, 0xff))
		return 0;
	for (v->dirty = v->walk_end; v->bytes.p[v->dirty] == 0xff;)
		v->dirty++;
	return 0;
}

/* --- which of a name counts ---------------------------------------------------------------------- */

static int compare_names(const struct fmi_vars_rec *x, const struct fmi_vars_rec *y)
{
	int d = memcmp(x->r.guid, y->r.guid, 16);

	if (!d && x->r.utf16_len != y->r.utf16_len)
		return x->r.utf16_len < y->r.utf16_len ? -1 : 1;
	return d ? d : memcmp(x->r.utf16, y->r.utf16, x->r.utf16_len);
}

static int by_name(const void *a, const void *b)
{
	return compare_names(*(struct fmi_vars_rec *const *)a, *(struct fmi_vars_rec *const *)b);
}

static int by_name_and_place(const void *a, const void *b)
{
	const struct fmi_vars_rec *x = *(struct fmi_vars_rec *const *)a;
	const struct fmi_vars_rec *y = *(struct fmi_vars_rec *const *)b;
	int d = compare_names(x, y);

	return d ? d : (x->r.off > y->r.off) - (x->r.off < y->r.off);
}

/* Of records of one name, by offset: the first added one counts, else the last in transition. */
static struct fmi_vars_rec *resolve_name(struct fmi_vars_rec **list, size_t count)
{
	struct fmi_vars_rec *live = NULL;

	for (size_t i = 0; i < count && !live; i++)
		live = list[i]->r.state == FMI_VARS_STATE_ADDED ? list[i] : NULL;
	if (!live)
		live = list[count - 1];
	for (size_t i = 0; i < count; i++) {
		if (list[i] != live)
			list[i]->r.status = FM_VARS_SUPERSEDED;
	}
	return live;
}

static int resolve(struct fm_vars *v, struct fm_error *err)
{
	struct fmi_vars_rec **list;
	size_t count = 0;
	size_t next;

	if (!v->nrecords)
		return 0;
	v->live = list = calloc(v->nrecords, sizeof(struct fmi_vars_rec *));
	if (!list)
		return no_memory(err);
	for (size_t i = 0; i < v->nrecords; i++) {
		if (v->records[i].r.status == FM_VARS_LIVE)
			list[count++] = &v->records[i];
	}
	if (count)
		qsort(list, count, sizeof(struct fmi_vars_rec *), by_name_and_place);
	for (size_t i = 0; i < count; i = next) {
		for (next = i + 1; next < count && !compare_names(list[i], list[next]);)
			next++;
		list[v->nlive++] = resolve_name(list + i, next - i);
	}
	return 0;
}

size_t fmi_vars_missing(const struct fm_vars *a, const struct fm_vars *b)
{
	size_t count = 0;

	for (size_t i = 0; i < b->nlive; i++)
		count += !a->nlive || !bsearch(&b->live[i], a->live, a->nlive,
					       sizeof(struct fmi_vars_rec *), by_name);
	return count;
}

/* --- names ------------------------------------------------------------------------------------- */

static int write_names(struct fm_vars *v, struct fm_error *err)
{
	size_t room = 1;
	char *p;

	for (size_t i = 0; i < v->nrecords; i++)
		room += v->records[i].r.utf16_len / 2 * 3;
	v->names = p = malloc(room);
	if (!p)
		return no_memory(err);
	*p++ = '\0';
	for (size_t i = 0; i < v->nrecords; i++) {
		struct fm_vars_record *r = &v->records[i].r;

		r->name = v->names;
		if (!r->utf16)
			continue;
		r->name = p;
		p += fmi_vars_utf8(p, r->utf16, r->utf16_len / 2 - 1) + 1;
	}
	return 0;
}

int fmi_vars_walk(struct fm_vars *v, struct fm_error *err)
{
	int rc = walk(v, err);

	if (!rc)
		rc = resolve(v, err);
	return rc ? rc : write_names(v, err);
}
