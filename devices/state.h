/* SPDX-License-Identifier: BSD-2-Clause */
/* state: the envelope around what a device puts; see include/firmem/state.h for the layout. */
#ifndef FIRMEM_DEVICES_STATE_H
#define FIRMEM_DEVICES_STATE_H

#include <firmem/state.h>

struct fm_state_writer {
	uint8_t *bytes;
	size_t len;
	size_t room;
	bool failed; /* an allocation */
};

struct fm_state_reader {
	const uint8_t *bytes;
	size_t left;
	uint32_t version; /* of the body */
	bool overrun;
};

/* Start an envelope. */
void fmi_state_begin(struct fm_state_writer *w, const char *type, uint32_t version);
/* End it and hand the bytes over. FM_ERR_NOMEM: the writer is empty again. */
int fmi_state_end(struct fm_state_writer *w, void **out, size_t *len, struct fm_error *err);

/*
 * Check an envelope and set `r` to its body, which may be of any version up to `version`. `what`
 * names the device in messages. FM_ERR_FORMAT,
 * FM_ERR_CHECKSUM, FM_ERR_VERSION.
 */
int fmi_state_open(struct fm_state_reader *r, const void *bytes, size_t len, const char *what,
		   const char *type, uint32_t version, struct fm_error *err);

#endif
