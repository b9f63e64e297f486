/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include <firmem/transcript.h>

static const struct fm_measure_step base = {
	.what = "normal",
	.part = "firmware",
	.gpa = 0xfffff000,
	.len = 4096,
	.contents_len = 2,
	.running_len = 3,
	.contents = { 0xab, 1 },
	.running = { 1, 2, 3 },
};

static struct fm_transcript *three(void)
{
	struct fm_transcript *t;
	struct fm_measure_step s = base;

	assert_int_equal(fm_transcript_new(&t, NULL), 0);
	assert_int_equal(fm_transcript_set_technology(t, "snp", NULL), 0);
	assert_int_equal(fm_transcript_add(t, &s, NULL), 0);
	s.gpa = UINT64_MAX;
	s.contents_len = 0;
	assert_int_equal(fm_transcript_add(t, &s, NULL), 0);
	memcpy(s.part, "vcpu 3", 7);
	memcpy(s.what, "vmsa", 5);
	assert_int_equal(fm_transcript_add(t, &s, NULL), 0);
	return t;
}

static void the_text_is_read_back(void **state)
{
	struct fm_transcript *t = three(), *again;
	struct fm_transcript_difference d;
	char *text;
	size_t len;

	assert_int_equal(fm_transcript_text(t, &text, &len, NULL), 0);
	assert_string_equal(text, "firmem-transcript 1 snp\n"
				  "0 normal 0xfffff000 0x1000 ab01 010203 firmware\n"
				  "1 normal - 0x1000 - 010203 firmware\n"
				  "2 vmsa - 0x1000 - 010203 vcpu 3\n"
				  "end 3\n");
	assert_int_equal(len, strlen(text));
	assert_int_equal(fm_transcript_parse(&again, "t", text, len, NULL), 0);
	assert_int_equal(fm_transcript_diff(t, again, &d), 0);
	assert_string_equal(fm_transcript_technology(again), "snp");
	fm_transcript_free(again);
	/* Every cut of it is an error. */
	for (size_t n = 0; n < len; n++)
		assert_int_equal(fm_transcript_parse(&again, "t", text, n, NULL), FM_ERR_FORMAT);
	free(text);
	fm_transcript_free(t);
}

static void texts_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{ "", FM_ERR_FORMAT },
		{ "x\n", FM_ERR_FORMAT },
		{ "firmem-transcript 2 snp\nend 0\n", FM_ERR_VERSION },
		{ "firmem-transcript 1 snp x\nend 0\n", FM_ERR_FORMAT },
		{ "firmem-transcript 1 snp\nend 1\n", FM_ERR_FORMAT },
		{ "firmem-transcript 1 snp\nend 0\nend 0\n", FM_ERR_FORMAT },
		{ "firmem-transcript 1 snp\n1 a - 0x0 - 01 \nend 1\n", FM_ERR_FORMAT },
		{ "firmem-transcript 1 snp\n0 a - 0x0 - 0 \nend 1\n", FM_ERR_FORMAT },
		{ "firmem-transcript 1 snp\n0 a - 0x0 - - \nend 1\n", FM_ERR_FORMAT },
		{ "firmem-transcript 1 snp\n0 a 5 0x0 - 01 \nend 1\n", FM_ERR_FORMAT },
		{ "firmem-transcript 1 snp\n0 a - zz - 01 \nend 1\n", FM_ERR_FORMAT },
	};
	struct fm_transcript *t = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fm_error err = { 0 };

		if (fm_transcript_parse(&t, "t", rows[i].text, strlen(rows[i].text), &err) !=
			    rows[i].code ||
		    strncmp(err.msg, "t: line ", 8))
			fail_msg("row %zu: %s", i, err.msg);
	}
	assert_null(t);
}

static void steps_are_checked(void **state)
{
	struct fm_transcript *t = three();
	struct fm_measure_step s = base;

	s.what[0] = '\0';
	assert_int_equal(fm_transcript_add(t, &s, NULL), FM_ERR_ARG);
	memcpy(s.what, "two words", 10);
	assert_int_equal(fm_transcript_add(t, &s, NULL), FM_ERR_ARG);
	s = base;
	memset(s.part, 'x', sizeof(s.part));
	assert_int_equal(fm_transcript_add(t, &s, NULL), FM_ERR_ARG);
	s = base;
	s.running_len = 0;
	assert_int_equal(fm_transcript_add(t, &s, NULL), FM_ERR_ARG);
	s.running_len = 65;
	assert_int_equal(fm_transcript_add(t, &s, NULL), FM_ERR_ARG);
	assert_int_equal(fm_transcript_set_technology(t, "a b", NULL), FM_ERR_ARG);
	assert_int_equal(fm_transcript_count(t), 3);
	assert_null(fm_transcript_step(t, 3));
	fm_transcript_free(t);
	fm_transcript_free(NULL);
}

static struct fm_transcript *with(const struct fm_measure_step *s)
{
	struct fm_transcript *t;

	assert_int_equal(fm_transcript_new(&t, NULL), 0);
	assert_int_equal(fm_transcript_add(t, s, NULL), 0);
	return t;
}

static void diff_says_in_words_where_two_part(void **state)
{
	static const char *const words[] = { "A measures normal at 0xfffff000 of firmware, B",
					     "other addresses",
					     "0x1000 bytes, B has 0x2000",
					     "contents differ: another firmware image",
					     "gives another digest",
					     NULL };
	struct fm_transcript_difference d;
	struct fm_transcript *a = with(&base), *b;

	for (unsigned i = 0; words[i]; i++) {
		struct fm_measure_step s = base;

		switch (i) {
		case 0:
			memcpy(s.what, "zero", 5);
			break;
		case 1:
			s.gpa = 0;
			break;
		case 2:
			s.len = 0x2000;
			break;
		case 3:
			s.contents[1]++;
			break;
		default:
			s.running[1]++;
			break;
		}
		b = with(&s);
		assert_int_equal(fm_transcript_diff(a, b, &d), 1);
		assert_int_equal(d.index, 0);
		if (!strstr(d.words, words[i]))
			fail_msg("%s", d.words);
		fm_transcript_free(b);
	}
	b = three();
	assert_int_equal(fm_transcript_diff(a, b, &d), 1);
	assert_non_null(strstr(d.words, "A is a launch of none, B of snp"));
	fm_transcript_set_technology(b, "none", NULL);
	assert_int_equal(fm_transcript_diff(a, b, &d), 1);
	assert_int_equal(d.index, 1);
	assert_non_null(strstr(d.words, "A ends after 1 steps, B goes on"));
	fm_transcript_free(a);
	fm_transcript_free(b);
}

static void other_files_are_quoted_in_letters(void **state)
{
	static const char bytes[] = "\x1b[2J\r\xd4 x\n";
	struct fm_transcript *t;
	struct fm_error err = { 0 };

	assert_int_equal(fm_transcript_parse(&t, "t", bytes, sizeof(bytes) - 1, &err),
			 FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "t: line 1: \"?[2J?? x\", expected"));
}

/* What diff says of two transcripts of one step. */
static void words_of(struct fm_measure_step a, struct fm_measure_step b, const char *word)
{
	struct fm_transcript *ta = with(&a), *tb = with(&b);
	struct fm_transcript_difference d;

	assert_int_equal(fm_transcript_diff(ta, tb, &d), 1);
	if (!strstr(d.words, word))
		fail_msg("%s", d.words);
	fm_transcript_free(ta);
	fm_transcript_free(tb);
}

static void orders_and_results_are_told_as_such(void **state)
{
	struct fm_measure_step a = base, b = base;

	memcpy(a.what, "add-extend", 11);
	memcpy(b.what, "add", 4);
	words_of(a, b, "another order");
	words_of(b, a, "another order");
	/* One that is no page and has no contents is a result, which nothing came before. */
	a = base;
	a.gpa = UINT64_MAX;
	a.contents_len = 0;
	b = a;
	b.running[0]++;
	words_of(a, b, "the results differ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_read_back),
		cmocka_unit_test(texts_that_are_none_are_refused),
		cmocka_unit_test(steps_are_checked),
		cmocka_unit_test(diff_says_in_words_where_two_part),
		cmocka_unit_test(other_files_are_quoted_in_letters),
		cmocka_unit_test(orders_and_results_are_told_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
