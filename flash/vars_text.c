/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, GUIDs and words of the variable store. */
#include "flash/vars_private.h"

#include "devices/bytes.h"
#include "devices/uuid.h"

#include <stdlib.h>
#include <string.h>

/* --- UTF-16 and UTF-8 ---------------------------------------------------------------------------- */

#define REPLACEMENT 0xfffdu

static size_t put_utf8(char *out, uint32_t c)
{
	uint8_t *p = (uint8_t *)out;

	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xc0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (uint8_t)(0xe0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		p[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | c >> 18);
	p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	p[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* The character at unit *at, which moves behind it. Half of a pair alone is none. */
static uint32_t take_utf16(const uint8_t *utf16, size_t units, size_t *at)
{
	uint32_t c = fmi_le16(utf16 + 2 * (*at)++);
	uint32_t low = *at < units ? fmi_le16(utf16 + 2 * *at) : 0;

	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return REPLACEMENT;
	++*at;
	return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

size_t fmi_vars_utf8(char *out, const uint8_t *utf16, size_t units)
{
	size_t len = 0;

	for (size_t at = 0; at < units;)
		len += put_utf8(out + len, take_utf16(utf16, units, &at));
	out[len] = '\0';
	return len;
}

/* One character of UTF-8, and how many bytes it has; 0: none that is well-formed. */
static unsigned take_utf8(const uint8_t *p, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned len = p[0] < 0x80             ? 1
		       : (p[0] & 0xe0) == 0xc0 ? 2
		       : (p[0] & 0xf0) == 0xe0 ? 3
		       : (p[0] & 0xf8) == 0xf0 ? 4
					       : 0;

	*c = len > 1 ? p[0] & (0xffu >> (len + 1)) : p[0];
	for (unsigned i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	return len && *c >= least[len] && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff) ? len : 0;
}

int fmi_vars_utf16(uint8_t **out, size_t *len, const char *utf8, struct fm_error *err)
{
	const uint8_t *p = (const uint8_t *)utf8;
	uint8_t *bytes;
	size_t at = 0;

	if (!utf8 || !*utf8)
		return fm_error_set(err, FM_ERR_ARG, 0, "vars: name: is empty, expected one");
	/* A byte of UTF-8 becomes at most a unit. */
	bytes = malloc(2 * strlen(utf8) + 2);
	if (!bytes)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "vars: out of memory");
	while (*p) {
		uint32_t c;
		unsigned n = take_utf8(p, &c);

		if (!n) {
			free(bytes);
			return fm_error_set(err, FM_ERR_ARG, 0,
					    "vars: name: byte %zu is no UTF-8, expected UTF-8",
					    (size_t)(p - (const uint8_t *)utf8));
		}
		p += n;
		if (c > 0xffff) {
			fmi_put_le16(bytes + at, (uint16_t)(0xd800 + ((c - 0x10000) >> 10)));
			at += 2;
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		fmi_put_le16(bytes + at, (uint16_t)c);
		at += 2;
	}
	fmi_put_le16(bytes + at, 0);
	*out = bytes;
	*len = at + 2;
	return 0;
}

/* --- GUIDs --------------------------------------------------------------------------------------- */

void fm_vars_guid_text(const uint8_t guid[16], char text[37])
{
	fmi_uuid_text(text, guid, true);
}

bool fm_vars_guid_parse(const char *text, uint8_t guid[16])
{
	return fmi_uuid_parse(text, guid, true);
}

/* --- words --------------------------------------------------------------------------------------- */

static const char *const layout_names[] = { "unknown", "ovmf-2m", "ovmf-4m", "arm", "other" };
static const char *const verdict_names[] = { "clean",        "update-torn",  "reclaim-pending",
					     "reclaim-torn", "headers-lost", "blank",
					     "not-a-store" };
static const char *const status_names[] = { "live", "superseded", "deleted", "torn" };
static const char *const finding_names[FM_VARS_FINDING_COUNT] = {
	"bad-volume",    "bad-store",       "unfinished",      "old-kept", "old-left", "duplicate",
	"phantom",       "bad-state",       "bad-name",        "past-end", "bad-tail", "bad-work",
	"reclaim-begun", "reclaim-writing", "reclaim-written", "bad-spare"
};
static const char *const rescue_names[] = { "nothing", "finished", "rolled-back" };

#define NAME_OF(names, n) \
	((size_t)(n) < sizeof(names) / sizeof((names)[0]) ? (names)[n] : "unknown")

const char *fm_vars_layout_name(enum fm_vars_layout layout)
{
	return NAME_OF(layout_names, layout);
}

const char *fm_vars_verdict_name(enum fm_vars_verdict verdict)
{
	return NAME_OF(verdict_names, verdict);
}

const char *fm_vars_status_name(enum fm_vars_status status)
{
	return NAME_OF(status_names, status);
}

const char *fm_vars_finding_name(enum fm_vars_finding_kind kind)
{
	return NAME_OF(finding_names, kind);
}

const char *fm_vars_rescue_name(enum fm_vars_rescue_action action)
{
	return NAME_OF(rescue_names, action);
}
