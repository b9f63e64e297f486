/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/eventlog.h>

#include "devices/bytes.h"
#include "measure/common.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 32u /* TCG_PCClientPCREvent: index, type, SHA-1, size */
#define HEAD 12u  /* TCG_PCR_EVENT2: index, type, count of digests */
#define ALGS_MAX 16u
#define PCRS 24u
#define RTMRS 4u
#define CCEL_LAST 4u /* the highest register of a CCEL */

#define TCG_SHA1 0x0004u
#define SHA1_LEN 20u

/* TCG algorithm registry. */
static enum fm_digest_alg from_tcg(uint16_t id)
{
	switch (id) {
	case TCG_SHA1:
		return FM_DIGEST_SHA1;
	case 0x000b:
		return FM_DIGEST_SHA256;
	case 0x000c:
		return FM_DIGEST_SHA384;
	case 0x000d:
		return FM_DIGEST_SHA512;
	default:
		return FM_DIGEST_NONE;
	}
}

struct fm_eventlog {
	const char *name; /* "log" or, while it is parsed, the caller's */
	const uint8_t *bytes;
	size_t len;
	struct {
		uint16_t id;
		uint16_t len;
	} algs[ALGS_MAX];
	uint32_t alg_count;
	bool old; /* every event is a TCG_PCClientPCREvent: SHA-1 alone */
	struct fm_event *events;
	size_t count;
	size_t room;
};

static int cut(const struct fm_eventlog *log, size_t at, const char *what, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: 0x%zx: %s leaves the log of 0x%zx bytes",
			    log->name, at, what, log->len);
}

/* Does it begin with a Spec ID event of this version? */
static bool has_spec_id(const struct fm_eventlog *log, const char *signature)
{
	return fmi_le32(log->bytes + 4) == FM_EVENT_NO_ACTION && log->len >= FIRST + 16 &&
	       !memcmp(log->bytes + FIRST, signature, 16);
}

/*
 * A log of a TPM 1.2: of EFI or of a BIOS (TCG EFI Platform Specification 1.22, PC Client Implementation for
 * Conventional BIOS 1.21), or one without a Spec ID event, which begins with a digest into a PCR.
 */
static bool is_old(const struct fm_eventlog *log)
{
	const uint8_t *b = log->bytes;

	return has_spec_id(log, "Spec ID Event02") || has_spec_id(log, "Spec ID Event00") ||
	       (fmi_le32(b) < PCRS && fmi_le32(b + 4) != FM_EVENT_NO_ACTION &&
		!fmi_all_bytes(b + 8, 20, 0) && !fmi_all_bytes(b + 8, 20, 0xff) &&
		fmi_in_range(FIRST, fmi_le32(b + 28), log->len));
}

/* The first event, in the format of old: which algorithms the others have. */
static int take_spec_id(struct fm_eventlog *log, size_t *end, struct fm_error *err)
{
	const uint8_t *b = log->bytes;
	uint32_t size;

	if (log->len < FIRST)
		return cut(log, 0, "the first event", err);
	if (is_old(log)) {
		log->old = true;
		log->algs[0].id = TCG_SHA1;
		log->algs[0].len = SHA1_LEN;
		log->alg_count = 1;
		return 0;
	}
	if (!has_spec_id(log, "Spec ID Event03"))
		return fm_error_set(
			err, FM_ERR_FORMAT, 0,
			"%s: 0x0: begins otherwise, expected a \"Spec ID Event03\" of a "
			"crypto agile log, or an event of a TPM 1.2",
			log->name);
	if (log->len < FIRST + 28)
		return cut(log, 0, "the Spec ID event", err);
	size = fmi_le32(b + 28);
	if (!fmi_in_range(FIRST, size, log->len))
		return cut(log, 0, "the Spec ID event", err);
	log->alg_count = fmi_le32(b + FIRST + 24);
	if (!log->alg_count || log->alg_count > ALGS_MAX || size < 28 + 4 * log->alg_count + 1)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x%x: %" PRIu32 " algorithms in an event of %" PRIu32
				    " bytes, expected 1 to %u that fit",
				    log->name, FIRST + 24, log->alg_count, size, ALGS_MAX);
	for (uint32_t i = 0; i < log->alg_count; i++) {
		const uint8_t *a = b + FIRST + 28 + 4 * i;
		enum fm_digest_alg alg = from_tcg(fmi_le16(a));

		log->algs[i].id = fmi_le16(a);
		log->algs[i].len = fmi_le16(a + 2);
		if (alg && log->algs[i].len != fm_digest_len(alg))
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: %s of %u bytes, expected %zu", log->name,
					    (size_t)(a - b), fm_digest_name(alg), log->algs[i].len,
					    fm_digest_len(alg));
	}
	*end = FIRST + size;
	return 0;
}

/* Bytes of the algorithm's digest as the log has it; 0: it does not name it. */
static size_t alg_len(const struct fm_eventlog *log, uint16_t id)
{
	for (uint32_t i = 0; i < log->alg_count; i++) {
		if (log->algs[i].id == id)
			return log->algs[i].len;
	}
	return 0;
}

static int take_digests(const struct fm_eventlog *log, struct fm_event *e, uint32_t count,
			size_t *at, struct fm_error *err)
{
	uint32_t seen = 0;

	if (!count || count > ALGS_MAX)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: event with %" PRIu32 " digests, expected 1 to %u",
				    log->name, e->off + 8, count, ALGS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		enum fm_digest_alg alg;
		uint16_t id;
		size_t len;

		if (!fmi_in_range(*at, 2, log->len))
			return cut(log, e->off, "an event", err);
		id = fmi_le16(log->bytes + *at);
		alg = from_tcg(id);
		len = alg_len(log, id);
		if (!len || (alg && seen >> alg & 1))
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: 0x%zx: digest of algorithm 0x%x, expected each of "
					    "those of the Spec ID event at most once",
					    log->name, *at, id);
		if (!fmi_in_range(*at + 2, len, log->len))
			return cut(log, e->off, "an event", err);
		e->digests[alg] = log->bytes + *at + 2; /* those that we do not know: [NONE] */
		seen |= 1u << alg;
		*at += 2 + len;
	}
	e->digests[FM_DIGEST_NONE] = NULL;
	return 0;
}

static int take_sha1(const struct fm_eventlog *log, struct fm_event *e, size_t *at,
		     struct fm_error *err)
{
	if (!fmi_in_range(*at, FIRST - 4, log->len))
		return cut(log, *at, "an event", err);
	e->digests[FM_DIGEST_SHA1] = log->bytes + *at + 8;
	*at += FIRST - 4;
	return 0;
}

static int take_event(const struct fm_eventlog *log, struct fm_event *e, size_t *at,
		      struct fm_error *err)
{
	const uint8_t *b = log->bytes + *at;
	int ret = 0;

	memset(e, 0, sizeof(*e));
	e->off = *at;
	if (!fmi_in_range(*at, HEAD, log->len))
		return cut(log, *at, "an event", err);
	e->index = fmi_le32(b);
	e->type = fmi_le32(b + 4);
	if (e->index >= PCRS && e->type != FM_EVENT_NO_ACTION)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: event of PCR %" PRIu32 ", expected 0 to %u",
				    log->name, e->off, e->index, PCRS - 1);
	if (log->old) {
		ret = take_sha1(log, e, at, err);
	} else {
		*at += HEAD;
		ret = take_digests(log, e, fmi_le32(b + 8), at, err);
	}
	if (ret)
		return ret;
	if (!fmi_in_range(*at, 4, log->len))
		return cut(log, e->off, "an event", err);
	e->len = fmi_le32(log->bytes + *at);
	*at += 4;
	if (!fmi_in_range(*at, e->len, log->len))
		return cut(log, e->off, "an event", err);
	e->data = log->bytes + *at;
	*at += e->len;
	return 0;
}

static int grow(struct fm_eventlog *log, struct fm_error *err)
{
	size_t room = log->room ? 2 * log->room : 64;
	struct fm_event *grown;

	if (log->count < log->room)
		return 0;
	if (log->count == FM_EVENTLOG_EVENTS_MAX)
		return fm_error_set(err, FM_ERR_SIZE, 0, "%s: more than %u events, expected fewer",
				    log->name, FM_EVENTLOG_EVENTS_MAX);
	grown = realloc(log->events, room * sizeof(*grown));
	if (!grown)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", log->name);
	log->events = grown;
	log->room = room;
	return 0;
}

/* Where the rest of the area is unused: erased, or zero. */
static size_t used_len(const struct fm_eventlog *log)
{
	size_t n = log->len;
	uint8_t last = n ? log->bytes[n - 1] : 1;

	while ((!last || last == 0xff) && n && log->bytes[n - 1] == last)
		n--;
	return n;
}

static int parse(struct fm_eventlog *log, struct fm_error *err)
{
	size_t at = 0, end = used_len(log);
	int ret = take_spec_id(log, &at, err);

	/* The last event may end in what looks unused. */
	while (!ret && at < end) {
		ret = grow(log, err);
		if (!ret)
			ret = take_event(log, &log->events[log->count], &at, err);
		if (!ret)
			log->count++;
	}
	return ret;
}

int fm_eventlog_parse(struct fm_eventlog **out, const char *name, const void *bytes, size_t len,
		      struct fm_error *err)
{
	struct fm_eventlog *log = calloc(1, sizeof(*log));
	int ret;

	if (!log)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", fmi_or(name, "log"));
	log->name = fmi_or(name, "log");
	log->bytes = bytes;
	log->len = len;
	ret = parse(log, err);
	log->name = "log"; /* the caller's may not live as long */
	if (ret) {
		fm_eventlog_free(log);
		return ret;
	}
	*out = log;
	return 0;
}

void fm_eventlog_free(struct fm_eventlog *log)
{
	if (!log)
		return;
	free(log->events);
	free(log);
}

size_t fm_eventlog_count(const struct fm_eventlog *log)
{
	return log->count;
}

const struct fm_event *fm_eventlog_event(const struct fm_eventlog *log, size_t n)
{
	return n < log->count ? &log->events[n] : NULL;
}

bool fm_eventlog_has(const struct fm_eventlog *log, enum fm_digest_alg alg)
{
	for (uint32_t i = 0; i < log->alg_count && alg != FM_DIGEST_NONE; i++) {
		if (from_tcg(log->algs[i].id) == alg)
			return true;
	}
	return false;
}

/* --- replay --------------------------------------------------------------------------------- */

static int tell(struct fm_transcript *t, const struct fm_event *e, size_t n, const uint8_t *digest,
		const uint8_t *reg, size_t len, struct fm_error *err)
{
	struct fm_measure_step step = { .gpa = UINT64_MAX, .len = e->len };

	step.contents_len = step.running_len = (uint32_t)len;
	snprintf(step.what, sizeof(step.what), "event-0x%" PRIx32, e->type);
	snprintf(step.part, sizeof(step.part), "register %" PRIu32 " event %zu", e->index, n);
	memcpy(step.contents, digest, len);
	memcpy(step.running, reg, len);
	return fm_transcript_add(t, &step, err);
}

/* PCR 0 starts as the locality that started the TPM: 10.4.5.3 of the profile. */
static void start_locality(const struct fm_event *e, uint8_t *reg, size_t len)
{
	if (!e->index && e->len == 17 && !memcmp(e->data, "StartupLocality", 16))
		reg[len - 1] = e->data[16];
}

/* Of one register, or of those whose bits are in `mask`. */
struct selection {
	uint32_t index;
	uint32_t mask; /* 0: index alone */
};

static bool is_in(const struct selection *s, uint32_t index)
{
	return s->mask ? index < 32 && s->mask >> index & 1 : index == s->index;
}

static int replay(const struct fm_eventlog *log, const struct selection *of, enum fm_digest_alg alg,
		  void *out, struct fm_transcript *transcript, struct fm_error *err)
{
	size_t len = fm_digest_len(alg);
	uint8_t reg[FM_DIGEST_MAX] = { 0 };

	if (!fm_eventlog_has(log, alg))
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0,
				    "log: has no %s digests, expected its Spec ID event to name "
				    "them",
				    fm_digest_name(alg));
	if (transcript)
		fm_transcript_set_technology(transcript, "event-log", NULL);
	for (size_t i = 0; i < log->count; i++) {
		const struct fm_event *e = &log->events[i];
		int ret;

		if (!is_in(of, e->index))
			continue;
		if (e->type == FM_EVENT_NO_ACTION) {
			start_locality(e, reg, len);
			continue;
		}
		if (!e->digests[alg])
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "log: 0x%zx: event without a %s digest, expected one",
					    e->off, fm_digest_name(alg));
		ret = fm_digest_extend(alg, reg, e->digests[alg], len, err);
		if (!ret && transcript)
			ret = tell(transcript, e, i, e->digests[alg], reg, len, err);
		if (ret)
			return ret;
	}
	memcpy(out, reg, len);
	return 0;
}

int fm_eventlog_replay(const struct fm_eventlog *log, uint32_t index, enum fm_digest_alg alg,
		       void *out, struct fm_transcript *transcript, struct fm_error *err)
{
	const struct selection one = { index, 0 };

	return replay(log, &one, alg, out, transcript, err);
}

bool fm_eventlog_is_ccel(const struct fm_eventlog *log)
{
	for (size_t i = 0; i < log->count; i++) {
		if (log->events[i].index > CCEL_LAST && log->events[i].type != FM_EVENT_NO_ACTION)
			return false;
	}
	return true;
}

int fm_eventlog_rtmr(const struct fm_eventlog *log, uint32_t rtmr, void *out,
		     struct fm_transcript *transcript, struct fm_error *err)
{
	/* The PCRs of each: UEFI 2.10, chapter 38, Intel TDX. */
	static const uint32_t pcrs[RTMRS] = { 1u << 1 | 1u << 7, 0x7c, 0xff00, 0 };
	struct selection of = { rtmr + 1, 0 };

	if (rtmr >= RTMRS)
		return fm_error_set(err, FM_ERR_ARG, 0, "RTMR: %" PRIu32 ", expected 0 to %u", rtmr,
				    RTMRS - 1);
	if (!fm_eventlog_is_ccel(log)) {
		of.mask = pcrs[rtmr];
		of.index = UINT32_MAX; /* RTMR 3 is the guest's own */
	}
	return replay(log, &of, FM_DIGEST_SHA384, out, transcript, err);
}
