/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recorded boots of OVMF that reclaim, cut at very many points: whatever a cut left, its verdict says
 * what is lost, and a rescue gives back every variable that was there before.
 */
#include "tests/unit/vars_unit.h"

#define LINE_MOST (1200u * 1024) /* a line with the whole of a store in hexadecimal */

static uint8_t image[VARS_MOST];
static size_t image_len;

/* How often a cut had each verdict. */
static size_t verdicts[FM_VARS_NOT_A_STORE + 1];

/* --- a cut ------------------------------------------------------------------------------------- */

/* All of these names are live, and those that no boot changes have their value. */
static void expect_names(const struct fm_vars *before, const struct fm_vars *now)
{
	static const char *const constant[] = { "Attempt 1", "Boot0000", "Lang", "Key0001" };
	const struct fm_vars_record *r;

	for (size_t i = 0; (r = fm_vars_record(before, i)); i++) {
		if (r->status != FM_VARS_LIVE)
			continue;
		if (!fm_vars_find(now, r->name, r->guid))
			fail_msg("%s is lost", r->name);
	}
	for (size_t i = 0; i < sizeof(constant) / sizeof(constant[0]); i++) {
		r = fm_vars_find(before, constant[i], NULL);
		vars_expect_value(now, r->guid, r->name, r->data, r->data_len);
	}
}

static void expect_rescue(const struct fm_vars *before)
{
	struct fm_vars *now = vars_of(image, image_len);
	enum fm_vars_verdict verdict = fm_vars_info(now)->verdict;
	struct fm_error err = { 0 };
	void *out;

	verdicts[verdict]++;
	/* Where the verdict says so, nothing is lost yet. */
	if (verdict == FM_VARS_CLEAN || verdict == FM_VARS_UPDATE_TORN ||
	    verdict == FM_VARS_RECLAIM_PENDING)
		expect_names(before, now);
	fm_vars_free(now);
	if (fm_vars_rescue(&out, image, image_len, NULL, &err))
		fail_msg("%s", err.msg);
	now = vars_of(out, image_len);
	expect_names(before, now);
	fm_vars_free(now);
	free(out);
}

/* --- the log ----------------------------------------------------------------------------------- */

static unsigned nibble(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Consecutive bytes; every `step`-th of them, and the first ones, are cut before they are written. */
static size_t replay_program(const struct fm_vars *before, uint32_t off, const char *hex,
			     unsigned step)
{
	size_t cuts = 0;

	for (uint32_t i = 0; hex[0] != '"'; i++, hex += 2) {
		uint8_t byte = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));

		assert_true(off + i < image_len);
		if (image[off + i] != byte && (i < 0x70 || i % step == 0)) {
			/* Before this byte, and in the middle of it. */
			expect_rescue(before);
			image[off + i] &= byte | 0x55;
			expect_rescue(before);
			cuts += 2;
		}
		image[off + i] = byte;
	}
	return cuts;
}

static size_t replay_erase(const struct fm_vars *before, uint32_t off, uint32_t len)
{
	assert_true(off <= image_len && len <= image_len - off);
	expect_rescue(before);
	/* The block in part: from its start, or some of its bits. */
	memset(image + off, 0xff, len / 2);
	expect_rescue(before);
	memset(image + off, 0xff, len);
	return 2;
}

static size_t replay(const char *log, unsigned step)
{
	char *line = malloc(LINE_MOST);
	uint8_t *start = malloc(image_len);
	struct fm_vars *before;
	size_t cuts = 0;
	char command[600];
	FILE *pipe;

	memcpy(start, image, image_len);
	before = vars_of(start, image_len);
	snprintf(command, sizeof(command), "zstd -dqc -- '%s'", log);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	while (fgets(line, LINE_MOST, pipe)) {
		unsigned off, len;
		int hex = 0;

		if (sscanf(line, "[\"P\", %u, \"%n", &off, &hex) == 1 && hex)
			cuts += replay_program(before, off, line + hex, step);
		else if (sscanf(line, "[\"E\", %u, %u]", &off, &len) == 2)
			cuts += replay_erase(before, off, len);
	}
	assert_int_equal(pclose(pipe), 0);
	fm_vars_free(before);
	free(start);
	free(line);
	return cuts;
}

static void expect_replay(const char *log, unsigned step)
{
	size_t cuts;

	memset(verdicts, 0, sizeof(verdicts));
	cuts = replay(log, step);
	print_message("%zu cuts:", cuts);
	for (unsigned i = 0; i <= FM_VARS_NOT_A_STORE; i++)
		print_message(" %zu %s", verdicts[i],
			      fm_vars_verdict_name((enum fm_vars_verdict)i));
	print_message("\n");
	assert_true(cuts > 1000);
	/* Each way to be cut has been met, and none that cannot be. */
	for (unsigned i = FM_VARS_CLEAN; i <= FM_VARS_HEADERS_LOST; i++)
		assert_true(verdicts[i] > 10);
	assert_int_equal(verdicts[FM_VARS_BLANK] + verdicts[FM_VARS_NOT_A_STORE], 0);
	/* The log was followed to its end. */
	vars_expect(image, image_len, FM_VARS_CLEAN);
}

#define STEP_2M 1u
#define STEP_4M 7u

static void every_cut_of_a_reclaiming_2m_boot_can_be_rescued(void **state)
{
	char log[512];

	VARS_VECTOR(image, image_len, "ovmf2m-prefill.fd.zst");
	UNIT_VECTOR(log, "uefi/oplog-ovmf2m-boot-reclaim.jsonl.zst");
	expect_replay(log, STEP_2M);
}

static void cuts_all_over_a_reclaiming_4m_boot_can_be_rescued(void **state)
{
	char log[512];

	VARS_VECTOR(image, image_len, "ovmf4m-prefill.fd.zst");
	UNIT_VECTOR(log, "uefi/oplog-ovmf4m-boot-reclaim.jsonl.zst");
	expect_replay(log, STEP_4M);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_of_a_reclaiming_2m_boot_can_be_rescued),
		cmocka_unit_test(cuts_all_over_a_reclaiming_4m_boot_can_be_rescued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
