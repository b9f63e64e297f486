/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_eventlog: TCG logs, new and old, of random events, right but for a few words, cut or not; and
 * transcripts made from them, which must be read back, or read when they are damaged without harm.
 */
#include "fuzz/ovmf_build.h"
#include "fuzz/tape.h"

#include <firmem/eventlog.h>

#define ROOM 4096u

struct log {
	uint8_t bytes[ROOM];
	size_t len;
	unsigned events;
};

static void put(struct log *l, unsigned size, uint64_t v)
{
	ovmf_put(l->bytes + l->len, size, v);
	l->len += size;
}

static void make(struct tape *t, struct log *l)
{
	static const unsigned ids[] = { 4, 0xb, 0xc, 0xd, 0x12 };
	static const unsigned lens[] = { 20, 32, 48, 64, 32 };
	unsigned algs = 1 + tape_below(t, 5);

	put(l, 4, 0);
	put(l, 4, FM_EVENT_NO_ACTION);
	l->len += 20;
	put(l, 4, 29 + 4 * algs);
	memcpy(l->bytes + l->len, "Spec ID Event03", 16);
	l->len += 24;
	put(l, 4, algs);
	for (unsigned i = 0; i < algs; i++) {
		put(l, 2, ids[i]);
		put(l, 2, lens[i]);
	}
	put(l, 1, 0);
	l->events = tape_below(t, 8);
	for (unsigned e = 0; e < l->events; e++) {
		unsigned n = tape_below(t, 40);

		put(l, 4, tape_below(t, 8));
		put(l, 4, tape_one_in(t, 4) ? FM_EVENT_NO_ACTION : 1);
		put(l, 4, algs);
		for (unsigned i = 0; i < algs; i++) {
			put(l, 2, ids[i]);
			memset(l->bytes + l->len, tape_u8(t) | 1, lens[i]);
			l->len += lens[i];
		}
		put(l, 4, n);
		memset(l->bytes + l->len, 0x41, n);
		l->len += n;
	}
}

/* Of a TPM 1.2. */
static void make_old(struct tape *t, struct log *l)
{
	l->events = 1 + tape_below(t, 8);
	for (unsigned e = 0; e < l->events; e++) {
		bool spec_id = !e && tape_one_in(t, 2);
		unsigned n = spec_id ? 16 : tape_below(t, 40);

		put(l, 4, tape_below(t, 24));
		put(l, 4, spec_id || (e && tape_one_in(t, 4)) ? FM_EVENT_NO_ACTION : 1);
		memset(l->bytes + l->len, spec_id ? 0 : 1 + tape_below(t, 254), 20);
		l->len += 20;
		put(l, 4, n);
		memset(l->bytes + l->len, 0x41, n);
		if (spec_id)
			memcpy(l->bytes + l->len, "Spec ID Event02", 16);
		l->len += n;
	}
}

static void check_transcript(struct tape *t, struct fm_transcript *tr)
{
	struct fm_transcript *again = NULL;
	struct fm_transcript_difference d;
	char *text;
	size_t len;

	TAPE_CHECK(!fm_transcript_text(tr, &text, &len, NULL));
	TAPE_CHECK(!fm_transcript_parse(&again, "fuzz", text, len, NULL));
	TAPE_CHECK(!fm_transcript_diff(tr, again, &d));
	fm_transcript_free(again);
	again = NULL;
	text[tape_below(t, (unsigned)(len < 65536 ? len : 65536))] = (char)tape_u8(t);
	if (!fm_transcript_parse(&again, "fuzz", text, len, NULL))
		fm_transcript_diff(tr, again, &d);
	fm_transcript_free(again);
	free(text);
}

static void check(struct tape *t, const struct fm_eventlog *log, const uint8_t *bytes, size_t len)
{
	struct fm_transcript *tr;
	uint8_t out[FM_DIGEST_MAX];

	for (size_t i = 0; i < fm_eventlog_count(log); i++) {
		const struct fm_event *e = fm_eventlog_event(log, i);

		TAPE_CHECK(e->off < len && e->data >= bytes && e->data + e->len <= bytes + len);
		for (unsigned a = 0; a < FM_DIGEST_COUNT; a++)
			TAPE_CHECK(!e->digests[a] ||
				   (e->digests[a] > bytes &&
				    e->digests[a] + fm_digest_len((enum fm_digest_alg)a) <=
					    bytes + len));
	}
	TAPE_CHECK(!fm_transcript_new(&tr, NULL));
	for (unsigned i = 0; i < 3; i++)
		fm_eventlog_replay(log, i, (enum fm_digest_alg)(1 + i), out, tr, NULL);
	for (unsigned i = 0; i < 5; i++)
		fm_eventlog_rtmr(log, i, out, tr, NULL);
	check_transcript(t, tr);
	fm_transcript_free(tr);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct tape t = { bytes, len };
	struct log l = { .len = 0 };
	struct fm_eventlog *log;
	struct fm_error err = { 0 };
	unsigned changes;
	uint8_t *exact;
	size_t given;
	int ret;

	if (tape_one_in(&t, 3))
		make_old(&t, &l);
	else
		make(&t, &l);
	changes = tape_below(&t, 4);
	for (unsigned i = 0; i < changes; i++) {
		unsigned at = tape_below(&t, (unsigned)l.len - 4);

		ovmf_put(l.bytes + at, 1 + tape_below(&t, 4), tape_edge(&t, l.len));
	}
	given = tape_one_in(&t, 4) ? tape_below(&t, (unsigned)l.len + 1) : l.len;
	exact = malloc(given ? given : 1);
	memcpy(exact, l.bytes, given);
	ret = fm_eventlog_parse(&log, "fuzz", exact, given, &err);
	if (!ret) {
		TAPE_CHECK(changes || given != l.len || fm_eventlog_count(log) == l.events);
		check(&t, log, exact, given);
		fm_eventlog_free(log);
	} else {
		TAPE_CHECK((changes || given != l.len) && ret == err.code &&
			   !strncmp(err.msg, "fuzz: ", 6));
	}
	free(exact);
	return 0;
}
