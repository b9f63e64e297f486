/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eventlog: the measurement log that firmware leaves (TCG PC Client Platform Firmware Profile, chapter 10:
 * crypto agile log), also as TDX guests have it (CCEL), and what registers it replays to. From
 * libfirmem-measure.
 */
#ifndef FIRMEM_EVENTLOG_H
#define FIRMEM_EVENTLOG_H

#include <firmem/digest.h>
#include <firmem/transcript.h>

#ifdef __cplusplus
extern "C" {
#endif

/* EV_NO_ACTION: an event that says something and extends nothing. */
#define FM_EVENT_NO_ACTION 3u
/* The most events of a log; our choice. */
#define FM_EVENTLOG_EVENTS_MAX 65536u

struct fm_event {
	uint32_t index; /* of the register: PCR; in a CCEL RTMR + 1, and 0 is MRTD */
	uint32_t type;  /* EV_* */
	size_t off;     /* in the log */
	/* By enum fm_digest_alg; NULL: the event has none of that algorithm. Into the log's bytes. */
	const uint8_t *digests[FM_DIGEST_COUNT];
	const uint8_t *data;
	size_t len;
};

struct fm_eventlog;

/*
 * Read the log of `len` bytes, which must stay while *out lives: *out is the caller's, to
 * fm_eventlog_free(). It ends with the bytes, or where only 0xff or only 0 follows. `name` begins the
 * messages (NULL: "log"). A log of a TPM 1.2, whose events have SHA-1 alone, is read too. FM_ERR_FORMAT
 * (neither begins so, an event that leaves the log, an algorithm that the Spec ID event does not name or
 * that comes twice, a PCR above 23 in an old log), FM_ERR_SIZE (too many events), FM_ERR_NOMEM. Any
 * thread.
 */
FM_API int fm_eventlog_parse(struct fm_eventlog **out, const char *name, const void *bytes,
			     size_t len, struct fm_error *err);
/* NULL is fine. */
FM_API void fm_eventlog_free(struct fm_eventlog *log);

/* The events behind the Spec ID event; of an old log all of them. */
FM_API size_t fm_eventlog_count(const struct fm_eventlog *log);
/* NULL behind the last. */
FM_API const struct fm_event *fm_eventlog_event(const struct fm_eventlog *log, size_t n);
/* Does the log name the algorithm? */
FM_API bool fm_eventlog_has(const struct fm_eventlog *log, enum fm_digest_alg alg);

/*
 * What the log extends register `index` to: fm_digest_len(alg) bytes at `out`, from zeros; of PCR 0 from the
 * locality of a StartupLocality event. A register without events stays as it starts. `transcript`
 * NULL: nobody asks. FM_ERR_NOT_FOUND (the log does not have the algorithm), FM_ERR_FORMAT (an event
 * lacks it), FM_ERR_UNSUPPORTED, FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_eventlog_replay(const struct fm_eventlog *log, uint32_t index, enum fm_digest_alg alg,
			      void *out, struct fm_transcript *transcript, struct fm_error *err);

/*
 * Are the registers those of a CCEL: RTMR + 1, at most 4? A log by PCRs has some above: its firmware ends each of
 * PCR 0 to 7 with a separator. Any thread.
 */
FM_API bool fm_eventlog_is_ccel(const struct fm_eventlog *log);
/*
 * What the log extends RTMR 0 to 3 of a TDX guest to, 48 bytes at `out`. Of a log by PCRs, RTMR 0 has the events
 * of PCR 1 and 7, RTMR 1 those of 2 to 6, RTMR 2 those of 8 to 15, in the log's order. FM_ERR_ARG
 * (another register), and as fm_eventlog_replay(). Any thread.
 */
FM_API int fm_eventlog_rtmr(const struct fm_eventlog *log, uint32_t rtmr, void *out,
			    struct fm_transcript *transcript, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
