/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stores that other firmware wrote: the shared images, with what their manifest says of each, the
 * distribution's, and one recorded series of updates cut at every point.
 */
#include "tests/unit/vars_unit.h"

static uint8_t image[VARS_MOST];
static size_t image_len;

/* --- the shared images ------------------------------------------------------------------------- */

struct shared {
	const char *name;
	enum fm_vars_verdict verdict;
	enum fm_vars_layout layout;
	size_t records, live;
	uint64_t end;        /* where the next record goes; 0: there are no records */
	size_t spare;        /* live in the spare area */
	const char *finding; /* the first one; NULL: none */
};

static const struct shared shared[] = {
	{ "ovmf2m-setvar.fd.zst", FM_VARS_CLEAN, FM_VARS_LAYOUT_OVMF_2M, 53, 28, 15908, 0, NULL },
	{ "ovmf2m-prefill.fd.zst", FM_VARS_CLEAN, FM_VARS_LAYOUT_OVMF_2M, 78, 28, 55268, 0, NULL },
	{ "ovmf2m-reclaimed.fd.zst", FM_VARS_CLEAN, FM_VARS_LAYOUT_OVMF_2M, 35, 29, 12888, 0,
	  NULL },
	{ "ovmf2m-kill9-sparecomplete.fd.zst", FM_VARS_RECLAIM_PENDING, FM_VARS_LAYOUT_OVMF_2M, 86,
	  28, 57264, 28, "old-kept" },
	{ "ovmf2m-kill9-BRICK.fd.zst", FM_VARS_HEADERS_LOST, FM_VARS_LAYOUT_UNKNOWN, 0, 0, 0, 28,
	  "reclaim-writing" },
	{ "ovmf2m-kill9-partial0.fd.zst", FM_VARS_RECLAIM_TORN, FM_VARS_LAYOUT_OVMF_2M, 0, 0, 100,
	  28, "reclaim-writing" },
	{ "aavmf-setvar-768k.fd.zst", FM_VARS_CLEAN, FM_VARS_LAYOUT_ARM, 21, 17, 2284, 0, NULL },
	{ "ovmf4m-prefill.fd.zst", FM_VARS_CLEAN, FM_VARS_LAYOUT_OVMF_4M, 0, 0, 0, 0, NULL },
	{ "ovmf4m-update-cut01-old3e.fd.zst", FM_VARS_UPDATE_TORN, FM_VARS_LAYOUT_OVMF_4M, 51, 27,
	  15752, 0, "old-kept" },
	{ "ovmf4m-update-cut61-hdr.fd.zst", FM_VARS_UPDATE_TORN, FM_VARS_LAYOUT_OVMF_4M, 52, 27,
	  15812, 0, "old-kept" },
	{ "ovmf4m-update-cut70-middata.fd.zst", FM_VARS_UPDATE_TORN, FM_VARS_LAYOUT_OVMF_4M, 52, 27,
	  15832, 0, "old-kept" },
	{ "ovmf4m-update-cut81-added3f.fd.zst", FM_VARS_UPDATE_TORN, FM_VARS_LAYOUT_OVMF_4M, 52, 27,
	  15832, 0, "old-left" },
	{ "ovmf4m-update-cut82-old3c.fd.zst", FM_VARS_CLEAN, FM_VARS_LAYOUT_OVMF_4M, 52, 27, 15832,
	  0, NULL },
};

static size_t count_records(const struct fm_vars *vars)
{
	size_t n = 0;

	while (fm_vars_record(vars, n))
		n++;
	return n;
}

static void a_shared_image_is_what_its_manifest_says(void **state)
{
	const struct shared *s = *state;
	const struct fm_vars_info *info;
	const struct fm_vars_finding *first;
	struct fm_vars *vars;

	VARS_VECTOR(image, image_len, s->name);
	vars = vars_of(image, image_len);
	info = fm_vars_info(vars);
	assert_string_equal(fm_vars_verdict_name(info->verdict), fm_vars_verdict_name(s->verdict));
	assert_int_equal(info->layout, s->layout);
	first = fm_vars_finding(vars, 0);
	assert_string_equal(first ? fm_vars_finding_name(first->kind) : "none",
			    s->finding ? s->finding : "none");
	if (s->end) {
		assert_int_equal(count_records(vars), s->records);
		assert_int_equal(info->variables, s->live);
		assert_int_equal(info->records_off + info->used, s->end);
	}
	assert_int_equal(info->spare_variables, s->spare);
	assert_int_equal(info->spare_whole, s->spare > 0);
	fm_vars_free(vars);
}

/* --- the distribution's ------------------------------------------------------------------------- */

/* Read what is there of a file, at most VARS_MOST; false with a reason where it is absent. */
static bool read_installed(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file) {
		print_message("skipped: %s is not there\n", path);
		return false;
	}
	image_len = fread(image, 1, sizeof(image), file);
	fclose(file);
	return true;
}

/* The value of a key in a line of a listing, "" where it has none. In a static buffer. */
static const char *member(const char *object, const char *end, const char *key)
{
	static char value[65536];
	char quoted[32];
	const char *at;
	size_t n = 0;

	snprintf(quoted, sizeof(quoted), "\"%s\"", key);
	at = strstr(object, quoted);
	if (at && at < end) {
		at += strlen(quoted);
		at += strspn(at, " :\"");
		while (n < sizeof(value) - 1 && at[n] && !strchr("\",}\n", at[n]))
			n++;
		memcpy(value, at, n);
	}
	value[n] = '\0';
	return value;
}

static void expect_hex(const void *bytes, size_t len, const char *text)
{
	const uint8_t *p = bytes;

	assert_int_equal(strlen(text), 2 * len);
	for (size_t i = 0; i < len; i++) {
		char two[3];

		snprintf(two, sizeof(two), "%02x", p[i]);
		assert_memory_equal(two, text + 2 * i, 2);
	}
}

/* The next live record. */
static const struct fm_vars_record *next_live(const struct fm_vars *vars, size_t *at)
{
	const struct fm_vars_record *r = fm_vars_record(vars, *at);

	while (r && r->status != FM_VARS_LIVE)
		r = fm_vars_record(vars, ++*at);
	++*at;
	return r;
}

static void expect_variable(const struct fm_vars *vars, const char *object, const char *end)
{
	const struct fm_vars_record *r;
	char name[64], guid[37];
	uint8_t bytes[16];
	static const uint8_t no_time[16];

	snprintf(name, sizeof(name), "%s", member(object, end, "name"));
	snprintf(guid, sizeof(guid), "%s", member(object, end, "guid"));
	assert_true(fm_vars_guid_parse(guid, bytes));
	r = fm_vars_find(vars, name, bytes);
	assert_non_null(r);
	assert_int_equal(strtoul(member(object, end, "attr"), NULL, 10), r->attributes);
	expect_hex(r->data, r->data_len, member(object, end, "data"));
	if (memcmp(r->time, no_time, 16))
		expect_hex(r->time, 16, member(object, end, "time"));
	else
		assert_string_equal(member(object, end, "time"), "");
}

static void expect_listing(const char *store, const char *listing)
{
	char *text = calloc(1, VARS_MOST);
	struct fm_vars *vars;
	size_t live = 0, at = 0, listed = 0;
	FILE *file = fopen(listing, "rb");

	assert_non_null(file);
	assert_true(fread(text, 1, VARS_MOST - 1, file) > 0);
	fclose(file);
	vars = vars_of(image, image_len);
	assert_int_equal(fm_vars_info(vars)->verdict, FM_VARS_CLEAN);
	while (next_live(vars, &at))
		live++;
	for (const char *p = text; (p = strstr(p, "\"name\"")); listed++) {
		const char *end = strchr(p, '}');

		assert_non_null(end);
		expect_variable(vars, p, end);
		p = end;
	}
	assert_true(listed > 20);
	assert_int_equal(live, listed);
	fm_vars_free(vars);
	free(text);
}

#define LISTED(function, store, listing)                              \
	static void function(void **state)                            \
	{                                                             \
		char path[512];                                       \
		UNIT_VECTOR(path, "uefi/" listing);                   \
		if (!read_installed(store)) {                         \
			print_message("skipped: no store to list\n"); \
			skip();                                       \
		}                                                     \
		expect_listing(store, path);                          \
	}

LISTED(ovmf_of_2m_has_what_virt_firmware_lists, "/usr/share/OVMF/OVMF_VARS.ms.fd",
       "OVMF_VARS.ms.json")
LISTED(ovmf_of_4m_has_what_virt_firmware_lists, "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
       "OVMF_VARS_4M.ms.json")
LISTED(aavmf_has_what_virt_firmware_lists, "/usr/share/AAVMF/AAVMF_VARS.snakeoil.fd",
       "AAVMF_VARS.snakeoil.json")

static void stores_as_installed_are_clean_or_blank(void **state)
{
	static const struct {
		const char *path;
		enum fm_vars_verdict verdict;
	} installed[] = {
		{ "/usr/share/OVMF/OVMF_VARS.fd", FM_VARS_CLEAN },
		{ "/usr/share/OVMF/OVMF_VARS.ms.fd", FM_VARS_CLEAN },
		{ "/usr/share/OVMF/OVMF_VARS_4M.fd", FM_VARS_CLEAN },
		{ "/usr/share/OVMF/OVMF_VARS_4M.ms.fd", FM_VARS_CLEAN },
		{ "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd", FM_VARS_CLEAN },
		{ "/usr/share/AAVMF/AAVMF_VARS.fd", FM_VARS_BLANK },
		{ "/usr/share/AAVMF/AAVMF_VARS.ms.fd", FM_VARS_CLEAN },
		{ "/usr/share/AAVMF/AAVMF_VARS.snakeoil.fd", FM_VARS_CLEAN },
		{ "/usr/share/OVMF/OVMF_CODE.fd", FM_VARS_NOT_A_STORE },
		{ "/usr/share/AAVMF/AAVMF_CODE.fd", FM_VARS_NOT_A_STORE },
	};
	unsigned seen = 0;

	for (size_t i = 0; i < sizeof(installed) / sizeof(installed[0]); i++) {
		if (!read_installed(installed[i].path))
			continue;
		seen++;
		vars_expect(image, image_len, installed[i].verdict);
	}
	if (!seen) {
		print_message("skipped: no firmware is installed\n");
		skip();
	}
}

/* --- an update, cut at every point --------------------------------------------------------------- */

#define OPLOG_OLD 15672u /* where the recorded series begins */

static uint8_t base[VARS_MOST]; /* the store before the operation under way */

static bool same_value(const struct fm_vars_record *a, const struct fm_vars_record *b)
{
	if (!a || !b)
		return a == b;
	return a->attributes == b->attributes && a->data_len == b->data_len &&
	       !memcmp(a->data, b->data, a->data_len);
}

/* `name` is as before or as after; everything else is as it is in both. */
static void expect_old_or_new(const struct fm_vars *before, const struct fm_vars *after,
			      const char *name)
{
	struct fm_vars *now = vars_of(image, image_len);
	enum fm_vars_verdict verdict = fm_vars_info(now)->verdict;
	const struct fm_vars_record *r;
	size_t others = 0, at = 0;

	assert_true(verdict == FM_VARS_CLEAN || verdict == FM_VARS_UPDATE_TORN);
	r = fm_vars_find(now, name, vars_guid_a);
	assert_true(same_value(r, fm_vars_find(before, name, vars_guid_a)) ||
		    same_value(r, fm_vars_find(after, name, vars_guid_a)));
	while ((r = next_live(now, &at))) {
		if (!strcmp(r->name, name) && !memcmp(r->guid, vars_guid_a, 16))
			continue;
		others++;
		assert_true(same_value(r, fm_vars_find(before, r->name, r->guid)));
	}
	for (at = 0; (r = next_live(before, &at));)
		others -= strcmp(r->name, name) || memcmp(r->guid, vars_guid_a, 16);
	assert_int_equal(others, 0);
	fm_vars_free(now);
}

struct op {
	uint32_t off;
	uint32_t len;
	uint8_t data[128];
};

/* "["P", 15674, "7f"]": false for the other lines. */
static bool read_op(const char *line, struct op *op)
{
	char hex[257];
	unsigned off;

	if (sscanf(line, "[\"P\", %u, \"%256[0-9a-f]\"]", &off, hex) != 2)
		return false;
	op->off = off;
	op->len = (uint32_t)strlen(hex) / 2;
	for (uint32_t i = 0; i < op->len; i++) {
		unsigned byte;

		sscanf(hex + 2 * i, "%2x", &byte);
		op->data[i] = (uint8_t)byte;
	}
	return true;
}

/* The operations of one setvar, and the variable's name. */
struct series {
	struct op ops[8];
	size_t count;
	char name[16];
};

static uint64_t cut_everywhere(const struct series *s)
{
	uint8_t *whole = malloc(image_len);
	struct fm_vars *before, *after;
	uint64_t states = 0;

	memcpy(base, image, image_len);
	memcpy(whole, image, image_len);
	for (size_t i = 0; i < s->count; i++)
		memcpy(whole + s->ops[i].off, s->ops[i].data, s->ops[i].len);
	before = vars_of(base, image_len);
	after = vars_of(whole, image_len);
	for (size_t i = 0; i < s->count; i++) {
		const struct op *op = &s->ops[i];

		for (uint32_t k = 0; k < op->len; k++) {
			uint8_t *p = &image[op->off + k];
			uint8_t old = *p, new = op->data[k];
			uint8_t clears = old & (uint8_t) ~new;

			/* Every subset of the bits that this byte clears, the whole one last. */
			for (uint8_t left = clears;; left = (uint8_t)(left - 1) & clears) {
				*p = (uint8_t)(new | left);
				expect_old_or_new(before, after, s->name);
				states++;
				if (!left)
					break;
			}
			assert_int_equal(*p, new);
		}
	}
	assert_memory_equal(image, whole, image_len);
	fm_vars_free(before);
	fm_vars_free(after);
	free(whole);
	return states;
}

static void every_cut_of_a_recorded_update_leaves_the_old_value_or_the_new(void **state)
{
	static struct series s;
	char path[512], line[1024];
	uint64_t states = 0;
	struct op op;
	FILE *log;

	VARS_VECTOR(image, image_len, "ovmf4m-update-cut82-old3c.fd.zst");
	UNIT_VECTOR(path, "uefi/oplog-ovmf4m-setvar.jsonl");
	/* Back to before the series: it only appended, and changed no state of older records. */
	memset(image + OPLOG_OLD, 0xff, 0x1000);
	log = fopen(path, "r");
	assert_non_null(log);
	memset(&s, 0, sizeof(s));
	while (fgets(line, sizeof(line), log)) {
		if (read_op(line, &op)) {
			assert_true(s.count < 8);
			s.ops[s.count++] = op;
			continue;
		}
		states += cut_everywhere(&s);
		s.count = 0;
		assert_int_equal(sscanf(line, "{\"cmd\": \"setvar %15s", s.name), 1);
	}
	states += cut_everywhere(&s);
	fclose(log);
	print_message("%llu states\n", (unsigned long long)states);
	assert_true(states > 1000);
}

int main(void)
{
	const size_t count = sizeof(shared) / sizeof(shared[0]);
	struct CMUnitTest rows[sizeof(shared) / sizeof(shared[0])] = { { NULL } };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ovmf_of_2m_has_what_virt_firmware_lists),
		cmocka_unit_test(ovmf_of_4m_has_what_virt_firmware_lists),
		cmocka_unit_test(aavmf_has_what_virt_firmware_lists),
		cmocka_unit_test(stores_as_installed_are_clean_or_blank),
		cmocka_unit_test(every_cut_of_a_recorded_update_leaves_the_old_value_or_the_new),
	};
	int rc;

	for (size_t i = 0; i < count; i++)
		rows[i] =
			(struct CMUnitTest){ .name = shared[i].name,
					     .test_func = a_shared_image_is_what_its_manifest_says,
					     .initial_state = (void *)(uintptr_t)&shared[i] };
	rc = cmocka_run_group_tests(rows, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL) + rc;
}
