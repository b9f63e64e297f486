/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_vars: stores of variables, right but for a few things that were changed: sizes that lie, bits,
 * names without a NUL, records past the end, torn states, queues and spare areas of any kind. Whatever
 * they are they have a verdict; reading changes nothing; a rescue is whole or refused; a change leaves
 * every other variable as it was.
 */
#include "fuzz/tape.h"
#include "fuzz/vars_build.h"

#include <firmem/block.h>
#include <firmem/flash.h>
#include <firmem/vars.h>

#define ROOM 0x20000u
#define RECORDS 24u

struct sample {
	uint8_t bytes[ROOM];
	struct vars_build b;
	uint32_t len;
	uint32_t offs[RECORDS]; /* of the records */
	unsigned count;
	bool changed; /* may be wrong now */
};

/* --- making ------------------------------------------------------------------------------------ */

static void add_record(struct tape *t, struct sample *s)
{
	static const uint8_t states[] = { 0x3f, 0x3f, 0x3f, 0x3c, 0x3d, 0x3e, 0x7f, 0xff, 0xbf };
	uint8_t state = states[tape_below(t, sizeof(states))];
	char name[4] = { 'n', (char)('0' + tape_below(t, 6)), 0, 0 };
	uint8_t data[64];
	uint32_t len = tape_below(t, 33);

	/* One name of two letters, to be taken for a header. */
	if (tape_one_in(t, 4))
		name[2] = 'x';
	for (uint32_t i = 0; i < len; i++)
		data[i] = tape_u8(t);
	s->offs[s->count++] = vars_build_add(
		&s->b, state, tape_one_in(t, 4) ? vars_guid_b : vars_guid_a, name, data, len);
	/* An unfinished header is not skipped with its body. */
	if (state == 0xff && tape_one_in(t, 2)) {
		uint32_t body = s->offs[s->count - 1] + (s->b.plain ? 32 : 60);

		memset(s->bytes + body, 0xff, s->b.at - body);
		s->b.at = body;
	}
	s->changed |= state == 0x7f || state == 0xff || state == 0xbf || state == 0x3e;
}

static void make(struct tape *t, struct sample *s)
{
	unsigned count;

	s->b = tape_one_in(t, 3) ? VARS_BUILD_2M : VARS_BUILD_TINY;
	s->b.plain = tape_one_in(t, 4);
	vars_build_init(&s->b, s->bytes);
	s->len = s->b.len;
	for (count = tape_below(t, RECORDS); count > 0; count--)
		add_record(t, s);
}

/* A reclaim that came to some point, with the records of now or fewer in the spare area. */
static void interrupt(struct tape *t, struct sample *s)
{
	static const uint8_t headers[] = { 0xfe, 0xfc, 0xfc, 0xfc, 0xf8 };
	static const uint8_t records[] = { 0xff, 0xfd, 0xfd, 0xf9 };
	uint8_t header = headers[tape_below(t, sizeof(headers))];
	struct vars_build from = s->b;

	vars_build_queue(&s->b, header, records[tape_below(t, sizeof(records))]);
	if (s->count && tape_one_in(t, 2))
		from.at = s->offs[tape_below(t, s->count)];
	if (!tape_one_in(t, 8))
		vars_build_spare(&s->b, &from);
	if (tape_one_in(t, 2)) {
		/* The store is erased from its start, then written again up to here. */
		uint32_t to = tape_below(t, s->b.store);

		memset(s->bytes, 0xff, s->b.store);
		memcpy(s->bytes, s->bytes + s->b.spare, to < 0x1000 ? to : 0);
	}
	s->changed = true;
}

/* A field of something, as some other number. */
static void lie(struct tape *t, struct sample *s)
{
	static const struct {
		uint32_t off;
		unsigned size;
	} headers
		[] = { { 0x20, 8 }, { 0x30, 2 }, { 0x38, 4 }, { 0x3c, 4 }, { 0x58, 4 }, { 0x5c, 2 } },
	 works[] = { { 16, 4 }, { 24, 8 }, { 32, 1 }, { 56, 8 }, { 64, 8 },
		     { 72, 1 }, { 80, 8 }, { 88, 8 }, { 96, 8 }, { 104, 8 } },
	 records[] = { { 0, 2 }, { 2, 1 }, { 4, 4 }, { 8, 4 }, { 12, 4 }, { 36, 4 }, { 40, 4 } };
	uint32_t at, near;
	unsigned n;

	s->changed = true;
	switch (tape_below(t, 5)) {
	case 0:
		n = tape_below(t, 6);
		near = tape_one_in(t, 2) ? s->len : s->b.store;
		at = tape_one_in(t, 4) ? s->b.spare : 0;
		vars_put(s->bytes + at + headers[n].off, headers[n].size, tape_edge(t, near));
		if (tape_one_in(t, 2))
			vars_build_sum(s->bytes + at);
		return;
	case 1:
		n = tape_below(t, 10);
		near = tape_one_in(t, 2) ? s->b.spare - s->b.work : s->b.spare;
		vars_put(s->bytes + s->b.work + works[n].off, works[n].size, tape_edge(t, near));
		if (n == 1 && tape_one_in(t, 2)) {
			memset(s->bytes + s->b.work + 16, 0xff, 8);
			vars_put(s->bytes + s->b.work + 16, 4,
				 vars_build_crc(s->bytes + s->b.work, 32));
			s->bytes[s->b.work + 20] = 0xfe;
		}
		return;
	case 2:
	case 3:
		if (!s->count)
			return;
		at = s->offs[tape_below(t, s->count)];
		n = tape_below(t, 7);
		near = tape_one_in(t, 2) ? s->b.store - at : 64;
		vars_put(s->bytes + at + records[n].off, records[n].size, tape_edge(t, near));
		return;
	default:
		at = tape_one_in(t, 2) ? tape_below(t, s->b.at) : tape_below(t, 0x10000) % s->len;
		s->bytes[at] ^= (uint8_t)(1u << tape_below(t, 8));
	}
}

/* --- what must hold ---------------------------------------------------------------------------- */

static void check_record(const struct fm_vars_record *r, const uint8_t *bytes, uint32_t len)
{
	unsigned sum = 0;

	TAPE_CHECK(r->off < len && r->len <= len - r->off + 3 && r->len >= 32);
	TAPE_CHECK(r->name && strlen(r->name) <= r->utf16_len / 2 * 3);
	TAPE_CHECK(!r->utf16 || (const uint8_t *)r->utf16 > bytes);
	/* For the sanitizer: all of it can be read. */
	for (size_t i = 0; i < r->utf16_len; i++)
		sum += ((const uint8_t *)r->utf16)[i];
	for (size_t i = 0; i < r->data_len; i++)
		sum += ((const uint8_t *)r->data)[i];
	TAPE_CHECK(sum < UINT32_MAX);
	TAPE_CHECK(r->status != FM_VARS_LIVE || (*r->name && r->utf16));
}

static void check_vars(const struct fm_vars *vars, const uint8_t *bytes, uint32_t len)
{
	const struct fm_vars_info *info = fm_vars_info(vars);
	const struct fm_vars_record *r;
	const struct fm_vars_finding *f;
	size_t live = 0;
	uint64_t last = 0;

	TAPE_CHECK(info->verdict <= FM_VARS_NOT_A_STORE);
	for (size_t i = 0; (r = fm_vars_record(vars, i)); i++) {
		check_record(r, bytes, len);
		TAPE_CHECK(r->off >= last);
		last = r->off + r->len;
		if (r->status != FM_VARS_LIVE)
			continue;
		live++;
		/* Nobody else has its name: it is found by it, unless that is no UTF-16. */
		TAPE_CHECK(strstr(r->name, "\xef\xbf\xbd") ||
			   fm_vars_find(vars, r->name, r->guid) == r);
	}
	TAPE_CHECK(live == info->variables);
	for (size_t i = 0; (f = fm_vars_finding(vars, i)); i++)
		TAPE_CHECK(f->kind < FM_VARS_FINDING_COUNT && *f->text && f->off <= len &&
			   !strchr(f->text, '\n'));
	TAPE_CHECK(info->verdict != FM_VARS_CLEAN || !fm_vars_finding(vars, 0));
	TAPE_CHECK(info->used + info->free == info->records_len);
	TAPE_CHECK(info->live + info->stale == info->used);
	TAPE_CHECK(info->records_off + info->records_len <= len);
	TAPE_CHECK(info->work_off + info->work_len <= len && info->spare_off <= len);
	TAPE_CHECK(info->spare_len <= len - info->spare_off);
}

/* What comes out is as long, clean or but for an update, and has at least what could be seen. */
static void check_rescue(const struct fm_vars *vars, const uint8_t *bytes, uint32_t len)
{
	enum fm_vars_verdict was = fm_vars_info(vars)->verdict;
	enum fm_vars_rescue_action action = (enum fm_vars_rescue_action)9;
	struct fm_error err = { 0 };
	struct fm_vars *after;
	void *out = NULL;
	int rc = fm_vars_rescue(&out, bytes, len, &action, &err);

	TAPE_CHECK(rc == err.code && (rc == 0) == (out != NULL));
	if (rc) {
		TAPE_CHECK(rc == FM_ERR_STATE || rc == FM_ERR_FORMAT);
		TAPE_CHECK(action == 9 && was != FM_VARS_CLEAN && was != FM_VARS_UPDATE_TORN);
		return;
	}
	TAPE_CHECK(!fm_vars_parse(&after, out, len, NULL));
	TAPE_CHECK(fm_vars_info(after)->verdict <= FM_VARS_UPDATE_TORN);
	if (action == FM_VARS_RESCUE_NOTHING)
		TAPE_CHECK(was <= FM_VARS_UPDATE_TORN && !memcmp(out, bytes, len));
	if (action == FM_VARS_RESCUE_ROLLED_BACK)
		TAPE_CHECK(fm_vars_info(after)->variables == fm_vars_info(vars)->variables);
	if (was == FM_VARS_HEADERS_LOST || was == FM_VARS_RECLAIM_TORN)
		TAPE_CHECK(fm_vars_info(after)->variables == fm_vars_info(vars)->spare_variables);
	fm_vars_free(after);
	free(out);
}

/* --- changes ----------------------------------------------------------------------------------- */

/* Live in `before` under another name than `name`: the same in `after`. */
static void check_others(const struct fm_vars *before, const struct fm_vars *after,
			 const char *name)
{
	const struct fm_vars_record *r, *now;

	for (size_t i = 0; (r = fm_vars_record(before, i)); i++) {
		if (r->status != FM_VARS_LIVE || strstr(r->name, "\xef\xbf\xbd") ||
		    (!strcmp(r->name, name) && !memcmp(r->guid, vars_guid_a, 16)))
			continue;
		now = fm_vars_find(after, r->name, r->guid);
		TAPE_CHECK(now && now->attributes == r->attributes &&
			   now->data_len == r->data_len &&
			   !memcmp(now->data, r->data, r->data_len));
	}
}

static unsigned only_programs(void *ctx, const struct fm_medium_op *op)
{
	TAPE_CHECK(op->kind == FM_MEDIUM_PROGRAM);
	return 0;
}

static void change(struct tape *t, struct fm_dev *flash, const struct fm_vars *before,
		   const uint8_t *array, uint32_t len)
{
	char name[4] = { 'n', (char)('0' + tape_below(t, 6)), 0, 0 };
	uint8_t data[40] = { tape_u8(t) };
	struct fm_vars_value value = { .struct_size = sizeof(value), .name = name, .data = data };
	const struct fm_vars_record *r;
	struct fm_error err = { 0 };
	struct fm_vars *after;
	bool remove = tape_one_in(t, 4);
	int rc;

	memcpy(value.guid, vars_guid_a, 16);
	value.len = 1 + tape_below(t, sizeof(data));
	rc = remove ? fm_vars_delete(flash, name, vars_guid_a, &err)
		    : fm_vars_set(flash, &value, 1, &err);
	TAPE_CHECK(rc == err.code);
	TAPE_CHECK(!fm_vars_parse(&after, array, len, NULL));
	check_others(before, after, name);
	r = fm_vars_find(after, name, vars_guid_a);
	if (!rc && remove)
		TAPE_CHECK(!r);
	else if (!rc)
		TAPE_CHECK(r && r->data_len == value.len && !memcmp(r->data, data, value.len));
	else
		TAPE_CHECK((r != NULL) == (fm_vars_find(before, name, vars_guid_a) != NULL));
	TAPE_CHECK(rc || fm_vars_info(after)->verdict <= FM_VARS_UPDATE_TORN);
	fm_vars_free(after);
}

static void check_change(struct tape *t, const struct fm_vars *before, const struct sample *s)
{
	struct fm_medium_sub sub = { .op = only_programs };
	struct fm_block_config mem = { .struct_size = sizeof(mem), .role = FM_ROLE_FLASH_VARS };
	struct fm_flash_config cfg = { .struct_size = sizeof(cfg), .name = "vars", .nregions = 1 };
	struct fm_dev *flash;

	mem.len = s->len;
	TAPE_CHECK(!fm_block_new(&cfg.block, &mem, NULL));
	memcpy(fm_block_ptr(cfg.block), s->bytes, s->len);
	cfg.bank_width = 1u << tape_below(t, 4);
	cfg.regions[0].block_len = s->b.block;
	cfg.regions[0].count = s->len / s->b.block;
	TAPE_CHECK(!fm_flash_new(&flash, &cfg, NULL));
	fm_dev_subscribe(flash, &sub);
	change(t, flash, before, fm_block_ptr(cfg.block), s->len);
	fm_dev_free(flash);
	fm_block_free(cfg.block);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct sample s;
	struct tape t = { bytes, len };
	struct fm_vars *vars;
	uint8_t *exact;
	unsigned n;

	memset(&s, 0, sizeof(s));
	make(&t, &s);
	if (tape_one_in(&t, 2))
		interrupt(&t, &s);
	for (n = tape_below(&t, 4); n > 0; n--)
		lie(&t, &s);
	if (tape_one_in(&t, 8)) {
		s.len = (uint32_t)tape_number(&t, 3) % (s.len + 1);
		s.changed = true;
	}
	/* Of just its size, so that a sanitizer sees a read behind it. */
	exact = malloc(s.len ? s.len : 1);
	memcpy(exact, s.bytes, s.len);
	TAPE_CHECK(!fm_vars_parse(&vars, exact, s.len, NULL));
	check_vars(vars, exact, s.len);
	/* What is right but for two valid records of a name is read whole. */
	if (!s.changed)
		TAPE_CHECK(fm_vars_info(vars)->verdict <= FM_VARS_UPDATE_TORN &&
			   !fm_vars_record(vars, s.count) &&
			   (!s.count ||
			    fm_vars_record(vars, s.count - 1)->off == s.offs[s.count - 1]));
	check_rescue(vars, exact, s.len);
	if (s.len == s.b.len)
		check_change(&t, vars, &s);
	TAPE_CHECK(!memcmp(exact, s.bytes, s.len));
	fm_vars_free(vars);
	free(exact);
	return 0;
}
