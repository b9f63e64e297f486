/* SPDX-License-Identifier: BSD-2-Clause */
/* Logs and the registers that they replay to; PCR 7 of variables. */
#include "tests/unit/unit.h"

#include <firmem/eventlog.h>
#include <firmem/pcr.h>

static uint8_t bytes[1024];
static size_t len;

static void put(unsigned size, uint64_t v)
{
	for (unsigned i = 0; i < size; i++, v >>= 8)
		bytes[len++] = (uint8_t)v;
}

/* A log that names SHA-256 and an algorithm that nobody knows, of 5 bytes. */
static void start(void)
{
	memset(bytes, 0, sizeof(bytes));
	len = 0;
	put(4, 0);
	put(4, 3);
	len += 20;
	put(4, 28 + 8 + 1);
	memcpy(bytes + len, "Spec ID Event03", 16);
	len += 24;
	put(4, 2);
	put(4, 0x0020000b);
	put(4, 0x00051234);
	put(1, 0);
}

static void event(uint32_t index, uint32_t type, const char *data)
{
	put(4, index);
	put(4, type);
	put(4, 2);
	put(2, 0x1234);
	put(5, 0);
	put(2, 0xb);
	memset(bytes + len, 0x5a, 32);
	len += 32;
	put(4, strlen(data) + 1);
	memcpy(bytes + len, data, strlen(data) + 1);
	len += strlen(data) + 1;
}

static int parse(struct fm_eventlog **log, size_t n, struct fm_error *err)
{
	/* Of just its size, so that a sanitizer sees a read behind it. */
	uint8_t *exact = malloc(n ? n : 1);
	int ret;

	memcpy(exact, bytes, n);
	ret = fm_eventlog_parse(log, "x.log", exact, n, err);
	if (!ret) {
		fm_eventlog_free(*log);
		ret = fm_eventlog_parse(log, "x.log", bytes, n, err);
	}
	free(exact);
	return ret;
}

static void events_extend_their_register_but_for_no_action(void **state)
{
	uint8_t reg[32] = { 0 }, out[32], value[32];
	struct fm_eventlog *log;
	const struct fm_event *e;

	start();
	event(4, 1, "a");
	event(4, FM_EVENT_NO_ACTION, "b");
	event(5, 1, "c");
	event(4, 1, "d");
	assert_int_equal(parse(&log, len, NULL), 0);
	assert_int_equal(fm_eventlog_count(log), 4);
	e = fm_eventlog_event(log, 3);
	assert_int_equal(e->index, 4);
	assert_string_equal((const char *)e->data, "d");
	assert_null(e->digests[FM_DIGEST_SHA1]);
	assert_null(fm_eventlog_event(log, 4));
	assert_true(fm_eventlog_has(log, FM_DIGEST_SHA256));
	assert_false(fm_eventlog_has(log, FM_DIGEST_NONE));
	memset(value, 0x5a, 32);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(fm_digest_extend(FM_DIGEST_SHA256, reg, value, 32, NULL), 0);
	assert_int_equal(fm_eventlog_replay(log, 4, FM_DIGEST_SHA256, out, NULL, NULL), 0);
	assert_memory_equal(out, reg, 32);
	memset(reg, 0, 32);
	assert_int_equal(fm_eventlog_replay(log, 9, FM_DIGEST_SHA256, out, NULL, NULL), 0);
	assert_memory_equal(out, reg, 32);
	assert_int_equal(fm_eventlog_replay(log, 4, FM_DIGEST_SHA1, out, NULL, NULL),
			 FM_ERR_NOT_FOUND);
	fm_eventlog_free(log);
	fm_eventlog_free(NULL);
}

static void pcr_0_starts_as_the_locality_that_was_logged(void **state)
{
	uint8_t reg[32] = { 0 }, out[32], value[32];
	struct fm_eventlog *log;

	start();
	event(0, FM_EVENT_NO_ACTION, "StartupLocality");
	/* The NUL was its last byte; the locality follows. */
	bytes[len - 20] = 17;
	put(1, 3);
	event(0, 1, "a");
	assert_int_equal(parse(&log, len, NULL), 0);
	reg[31] = 3;
	memset(value, 0x5a, 32);
	assert_int_equal(fm_digest_extend(FM_DIGEST_SHA256, reg, value, 32, NULL), 0);
	assert_int_equal(fm_eventlog_replay(log, 0, FM_DIGEST_SHA256, out, NULL, NULL), 0);
	assert_memory_equal(out, reg, 32);
	fm_eventlog_free(log);
}

static void unused_room_ends_the_log(void **state)
{
	struct fm_eventlog *log;
	size_t end;

	start();
	event(1, 1, "a");
	end = len;
	for (unsigned fill = 0; fill < 256; fill += 255) {
		memset(bytes + end, (int)fill, 100);
		assert_int_equal(parse(&log, end + 100, NULL), 0);
		assert_int_equal(fm_eventlog_count(log), 1);
		fm_eventlog_free(log);
	}
	bytes[end + 99] = 7;
	assert_int_equal(parse(&log, end + 100, NULL), FM_ERR_FORMAT);
}

/* Each of them could be the start of unused room, which is not to be looked for again and again. */
static void zeros_before_the_last_event_are_events(void **state)
{
	const size_t n = FM_EVENTLOG_EVENTS_MAX, each = 32;
	uint8_t *old = calloc(n, each);
	struct fm_eventlog *log;

	assert_non_null(old);
	old[4] = old[8] = 1; /* the first says which kind of log it is */
	old[(n - 1) * each + 8] = 1;
	assert_int_equal(fm_eventlog_parse(&log, NULL, old, n * each, NULL), 0);
	assert_int_equal(fm_eventlog_count(log), n);
	fm_eventlog_free(log);
	old[(n - 1) * each + 8] = 0;
	assert_int_equal(fm_eventlog_parse(&log, NULL, old, n * each, NULL), 0);
	assert_int_equal(fm_eventlog_count(log), 1);
	fm_eventlog_free(log);
	free(old);
}

static void every_cut_is_an_error_or_ends_before_an_event(void **state)
{
	struct fm_eventlog *log;
	size_t first, second;

	start();
	first = len;
	event(1, 1, "a");
	second = len;
	event(1, 1, "b");
	for (size_t n = 0; n < len; n++) {
		struct fm_error err = { 0 };
		int ret = parse(&log, n, &err);

		if (!ret)
			fm_eventlog_free(log);
		/* Bytes that are 0 so far may be unused room. */
		if (ret && strncmp(err.msg, "x.log: 0x", 9))
			fail_msg("%zu: %s", n, err.msg);
		if (!ret && n != first && n != second && n > second + 1)
			fail_msg("%zu of %zu bytes are taken", n, len);
		if (n < first)
			assert_int_equal(ret, FM_ERR_FORMAT);
	}
}

static void what_breaks_a_rule_is_refused(void **state)
{
	static const struct {
		size_t at; /* from the first event, or below it of the Spec ID event */
		uint8_t value;
		const char *word;
	} lies[] = {
		{ 32, 'X', "Spec ID" },          { 4, 1, "Spec ID" },
		{ 56, 0, "0 algorithms" },       { 56, 200, "algorithms" },
		{ 62, 31, "sha256 of" },         { 69 + 8, 0, "0 digests" },
		{ 69 + 8, 17, "17 digests" },    { 69 + 12, 4, "algorithm 0x1204" },
		{ 69 + 8, 3, "leaves the log" }, { 69, 24, "event of PCR 24" },
	};
	struct fm_eventlog *log;

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct fm_error err = { 0 };

		start();
		event(1, 1, "a");
		bytes[lies[i].at] = lies[i].value;
		if (parse(&log, len, &err) != FM_ERR_FORMAT)
			fail_msg("row %zu is taken", i);
		if (!strstr(err.msg, lies[i].word) && i != 8)
			fail_msg("row %zu: %s", i, err.msg);
	}
	/* The same algorithm twice, and otherwise right. */
	start();
	put(4, 1);
	put(4, 1);
	put(4, 2);
	for (unsigned i = 0; i < 2; i++) {
		put(2, 0xb);
		len += 32;
	}
	put(4, 0);
	assert_int_equal(parse(&log, len, NULL), FM_ERR_FORMAT);
}

/* An event of a TPM 1.2's log. */
static void old_event(uint32_t index, uint32_t type, uint8_t fill, const char *data)
{
	put(4, index);
	put(4, type);
	memset(bytes + len, fill, 20);
	len += 20;
	put(4, strlen(data) + 1);
	memcpy(bytes + len, data, strlen(data) + 1);
	len += strlen(data) + 1;
}

static void a_log_of_a_tpm_1_2_replays_by_sha1(void **state)
{
	/* What comes first: a Spec ID event of EFI, of a BIOS, or none. */
	static const char *const first[] = { "Spec ID Event02", "Spec ID Event00", NULL };

	for (unsigned i = 0; i < 3; i++) {
		uint8_t reg[20] = { 0 }, out[20], value[20];
		struct fm_eventlog *log;

		memset(bytes, 0, sizeof(bytes));
		len = 0;
		if (first[i])
			old_event(0, FM_EVENT_NO_ACTION, 0, first[i]);
		old_event(2, 1, 0x11, "a");
		old_event(3, 1, 0x22, "b");
		old_event(UINT32_MAX, FM_EVENT_NO_ACTION, 0, "c");
		old_event(2, 4, 0x33, "");
		assert_int_equal(parse(&log, len, NULL), 0);
		assert_int_equal(fm_eventlog_count(log), 4 + (first[i] != NULL));
		assert_true(fm_eventlog_has(log, FM_DIGEST_SHA1));
		assert_false(fm_eventlog_has(log, FM_DIGEST_SHA256));
		assert_int_equal(fm_eventlog_replay(log, 2, FM_DIGEST_SHA1, out, NULL, NULL), 0);
		for (unsigned k = 0x11; k <= 0x33; k += 0x22) {
			memset(value, (int)k, 20);
			fm_digest_extend(FM_DIGEST_SHA1, reg, value, 20, NULL);
		}
		assert_memory_equal(out, reg, 20);
		fm_eventlog_free(log);
		/* Nothing of it may be missing, and a TPM has 24 PCRs. */
		for (size_t n = first[i] ? 0 : 34; n < len; n++) {
			struct fm_error err = { 0 };

			if (!parse(&log, n, &err))
				fm_eventlog_free(log);
			else if (strncmp(err.msg, "x.log: 0x", 9))
				fail_msg("%zu: %s", n, err.msg);
		}
		old_event(24, 1, 0x44, "");
		assert_int_equal(parse(&log, len, NULL), FM_ERR_FORMAT);
	}
}

/* A log that names SHA-384 alone, with an event of each register in `indices`. */
static struct fm_eventlog *of_td(const uint32_t *indices, size_t n)
{
	struct fm_eventlog *log;

	memset(bytes, 0, sizeof(bytes));
	len = 4;
	put(4, 3);
	len += 20;
	put(4, 28 + 4 + 1);
	memcpy(bytes + len, "Spec ID Event03", 16);
	len += 24;
	put(4, 1);
	put(4, 0x0030000c);
	put(1, 0);
	for (size_t i = 0; i < n; i++) {
		put(4, indices[i]);
		put(4, 1);
		put(4, 1);
		put(2, 0xc);
		memset(bytes + len, (int)i + 1, 48);
		len += 48;
		put(4, 0);
	}
	assert_int_equal(fm_eventlog_parse(&log, NULL, bytes, len, NULL), 0);
	return log;
}

/* The events of `which`, a bit each, extend RTMR `rtmr`. */
static void assert_rtmr(struct fm_eventlog *log, uint32_t rtmr, unsigned which)
{
	uint8_t reg[48] = { 0 }, out[48], value[48];

	for (unsigned i = 0; i < 32; i++) {
		memset(value, (int)i + 1, 48);
		if (which >> i & 1)
			fm_digest_extend(FM_DIGEST_SHA384, reg, value, 48, NULL);
	}
	assert_int_equal(fm_eventlog_rtmr(log, rtmr, out, NULL, NULL), 0);
	assert_memory_equal(out, reg, 48);
}

static void rtmrs_are_those_of_a_ccel_or_of_pcrs(void **state)
{
	static const uint32_t ccel[] = { 1, 2, 0, 4, 3, 1 };
	static const uint32_t pcrs[] = { 0, 7, 1, 2, 8, 6, 7, 15, 3, 16, 1, 23 };
	struct fm_eventlog *log = of_td(ccel, 6);
	uint8_t out[48];

	assert_true(fm_eventlog_is_ccel(log));
	assert_rtmr(log, 0, 1u << 0 | 1u << 5);
	assert_rtmr(log, 1, 1u << 1);
	assert_rtmr(log, 2, 1u << 4);
	assert_rtmr(log, 3, 1u << 3);
	assert_int_equal(fm_eventlog_rtmr(log, 4, out, NULL, NULL), FM_ERR_ARG);
	assert_int_equal(fm_eventlog_rtmr(log, UINT32_MAX, out, NULL, NULL), FM_ERR_ARG);
	fm_eventlog_free(log);
	log = of_td(pcrs, 12);
	assert_false(fm_eventlog_is_ccel(log));
	assert_rtmr(log, 0, 1u << 1 | 1u << 2 | 1u << 6 | 1u << 10);
	assert_rtmr(log, 1, 1u << 3 | 1u << 5 | 1u << 8);
	assert_rtmr(log, 2, 1u << 4 | 1u << 7);
	assert_rtmr(log, 3, 0);
	fm_eventlog_free(log);
}

static void pcr7_of_no_variables_is_what_machines_without_secure_boot_have(void **state)
{
	struct fm_pcr_secure_boot c = { .struct_size = sizeof(c) };
	uint8_t out[64];
	char text[129];

	assert_int_equal(fm_pcr_secure_boot(out, FM_DIGEST_SHA256, &c, NULL), 0);
	assert_string_equal(fm_digest_hex(text, out, 32),
			    "b5710bf57d25623e4019027da116821fa99f5c81e9e38b87671cc574f9281439");
	assert_int_equal(fm_transcript_new(&c.transcript, NULL), 0);
	assert_int_equal(fm_pcr_secure_boot(out, FM_DIGEST_SHA1, &c, NULL), 0);
	assert_int_equal(fm_transcript_count(c.transcript), 6);
	c.skip_absent = true;
	assert_int_equal(fm_pcr_secure_boot(out, FM_DIGEST_SHA1, &c, NULL), 0);
	assert_int_equal(fm_transcript_count(c.transcript), 7);
	fm_transcript_free(c.transcript);
	assert_int_equal(fm_pcr_secure_boot(out, FM_DIGEST_NONE, &c, NULL), FM_ERR_ARG);
	assert_string_equal(fm_pcr_variable_name(FM_PCR_DBX), "dbx");
	assert_null(fm_pcr_variable_guid(FM_PCR_VARIABLE_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_extend_their_register_but_for_no_action),
		cmocka_unit_test(pcr_0_starts_as_the_locality_that_was_logged),
		cmocka_unit_test(unused_room_ends_the_log),
		cmocka_unit_test(zeros_before_the_last_event_are_events),
		cmocka_unit_test(every_cut_is_an_error_or_ends_before_an_event),
		cmocka_unit_test(what_breaks_a_rule_is_refused),
		cmocka_unit_test(a_log_of_a_tpm_1_2_replays_by_sha1),
		cmocka_unit_test(rtmrs_are_those_of_a_ccel_or_of_pcrs),
		cmocka_unit_test(pcr7_of_no_variables_is_what_machines_without_secure_boot_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
