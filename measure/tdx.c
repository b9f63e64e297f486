/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/tdx.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "measure/tdx_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- MRTD ----------------------------------------------------------------------------------- */

int fmi_tdx_begin(struct fmi_tdx *t, struct fm_transcript *transcript, struct fm_error *err)
{
	memset(t, 0, sizeof(*t));
	t->transcript = transcript;
	return fm_digest_new(&t->digest, FM_DIGEST_SHA384, err);
}

void fmi_tdx_end(struct fmi_tdx *t)
{
	fm_digest_free(t->digest);
}

/* The 128 bytes of an operation: its name to 16, the address, zeros. */
static void put_block(uint8_t *at, const char *name, uint64_t gpa)
{
	memset(at, 0, FMI_TDX_BLOCK);
	memcpy(at, name, strlen(name));
	fmi_put_le64(at + 16, gpa);
}

static int tell(struct fmi_tdx *t, bool add, bool extend, uint64_t gpa, const uint8_t *bytes,
		const char *part, struct fm_error *err)
{
	struct fm_measure_step step = { .gpa = gpa, .len = FMI_PAGE, .running_len = FM_TDX_LEN };
	int ret = 0;

	snprintf(step.what, sizeof(step.what), "%s",
		 add && extend ? "add-extend"
		 : add         ? "add"
			       : "extend");
	snprintf(step.part, sizeof(step.part), "%s", part);
	if (extend) {
		step.contents_len = FM_TDX_LEN;
		ret = fm_digest_bytes(FM_DIGEST_SHA384, bytes, FMI_PAGE, step.contents, err);
	}
	if (!ret)
		ret = fm_digest_peek(t->digest, step.running, err);
	return ret ? ret : fm_transcript_add(t->transcript, &step, err);
}

int fmi_tdx_page(struct fmi_tdx *t, bool add, bool extend, uint64_t gpa, const uint8_t *bytes,
		 const char *part, struct fm_error *err)
{
	static const uint8_t zero[FMI_PAGE];
	uint8_t *at = t->buf;
	int ret;

	bytes = bytes ? bytes : zero;
	if (add) {
		put_block(at, "MEM.PAGE.ADD", gpa);
		at += FMI_TDX_BLOCK;
	}
	for (unsigned i = 0; extend && i < FMI_TDX_EXTENDS; i++) {
		put_block(at, "MR.EXTEND", gpa + i * FMI_TDX_CHUNK);
		memcpy(at + FMI_TDX_BLOCK, bytes + i * FMI_TDX_CHUNK, FMI_TDX_CHUNK);
		at += FMI_TDX_BLOCK + FMI_TDX_CHUNK;
	}
	ret = fm_digest_update(t->digest, t->buf, (size_t)(at - t->buf), err);
	if (!ret && t->transcript)
		ret = tell(t, add, extend, gpa, bytes, part, err);
	return ret;
}

/* The page of a section at `at`; its data may end before it or in its middle. */
static const uint8_t *page_of(const struct fm_tdx_config *c, const struct fm_tdvf_section *s,
			      uint64_t at, uint8_t *part_page)
{
	const uint8_t *data = (const uint8_t *)c->firmware + s->data_off;

	if (at >= s->data_len)
		return NULL;
	if (s->data_len - at >= FMI_PAGE)
		return data + at;
	memset(part_page, 0, FMI_PAGE);
	memcpy(part_page, data + at, (size_t)(s->data_len - at));
	return part_page;
}

static int section(struct fmi_tdx *t, const struct fm_tdx_config *c,
		   const struct fm_tdvf_section *s, bool add, bool extend, struct fm_error *err)
{
	uint8_t part_page[FMI_PAGE];
	char part[FM_STEP_PART_MAX];
	int ret = 0;

	snprintf(part, sizeof(part), "firmware %s", fm_tdvf_type_name(s->type));
	for (uint64_t at = 0; !ret && at < s->len; at += FMI_PAGE)
		ret = fmi_tdx_page(t, add, extend, s->gpa + at, page_of(c, s, at, part_page), part,
				   err);
	return ret;
}

static int sections(struct fmi_tdx *t, const struct fm_tdx_config *c, const struct fm_tdvf *tdvf,
		    struct fm_error *err)
{
	int ret = 0;

	for (uint32_t i = 0; !ret && i < tdvf->section_count; i++) {
		const struct fm_tdvf_section *s = &tdvf->sections[i];
		bool extend = s->attrs & FM_TDVF_EXTEND;

		if (s->attrs & FM_TDVF_AUG)
			continue;
		if (c->order == FM_TDX_INTERLEAVE) {
			ret = section(t, c, s, true, extend, err);
			continue;
		}
		ret = section(t, c, s, true, false, err);
		if (!ret && extend)
			ret = section(t, c, s, false, true, err);
	}
	return ret;
}

int fm_tdx_mrtd(void *out, const struct fm_tdx_config *config, struct fm_error *err)
{
	struct fm_tdx_config c;
	struct fm_tdvf tdvf;
	struct fmi_tdx t;
	int ret = fmi_config_copy(&c, sizeof(c), config, "fm_tdx_config", err);

	if (ret)
		return ret;
	if (!c.firmware)
		return fm_error_set(err, FM_ERR_ARG, 0, "firmware: is missing");
	if ((unsigned)c.order > FM_TDX_TWO_PASS)
		return fm_error_set(err, FM_ERR_ARG, 0, "order: %d, expected 0 or 1", c.order);
	ret = fm_tdvf_parse(&tdvf, c.firmware_name, c.firmware, c.firmware_len, c.ovmf_flags, err);
	if (ret)
		return ret;
	if (c.transcript)
		fm_transcript_set_technology(c.transcript, "tdx", NULL);
	ret = fmi_tdx_begin(&t, c.transcript, err);
	if (!ret)
		ret = sections(&t, &c, &tdvf, err);
	if (!ret)
		ret = fm_digest_final(t.digest, out, err);
	fmi_tdx_end(&t);
	return ret;
}

/* --- TD HOB --------------------------------------------------------------------------------- */

#define HANDOFF 56u
#define RESOURCE 48u
#define END_HOB 8u
#define ACCEPTED 0u
#define UNACCEPTED 7u
#define LOW_MOST UINT64_C(0xb0000000)
#define LOW_SPLIT UINT64_C(0x80000000)
#define HIGH UINT64_C(0x100000000)
#define RESOURCES_MAX (2 * FM_TDVF_SECTIONS_MAX + 2)

struct hob {
	uint8_t bytes[HANDOFF + RESOURCE * RESOURCES_MAX];
	unsigned count;
};

static void add_resource(struct hob *h, uint32_t type, uint64_t start, uint64_t end)
{
	uint8_t *p = h->bytes + HANDOFF + RESOURCE * h->count;

	if (start == end)
		return;
	memset(p, 0, RESOURCE);
	fmi_put_le16(p, 3); /* EFI_HOB_TYPE_RESOURCE_DESCRIPTOR */
	fmi_put_le16(p + 2, RESOURCE);
	fmi_put_le32(p + 24, type);
	fmi_put_le32(p + 28, 7); /* present, initialized, tested */
	fmi_put_le64(p + 32, start);
	fmi_put_le64(p + 40, end - start);
	h->count++;
}

/* RAM below 4 GiB: what the launch accepted, and what it did not between. */
static int low_memory(struct hob *h, const struct fm_tdvf *tdvf, uint64_t end, struct fm_error *err)
{
	const struct fm_tdvf_section *used[FM_TDVF_SECTIONS_MAX] = { NULL };
	uint64_t at;
	size_t n = 0;

	for (uint32_t i = 0; i < tdvf->section_count; i++) {
		const struct fm_tdvf_section *s = &tdvf->sections[i];

		if (s->type != FM_TDVF_TD_HOB && s->type != FM_TDVF_TEMP_MEM)
			continue;
		if (!fmi_in_range(s->gpa, s->len, end))
			return fm_error_set(err, FM_ERR_ARG, 0,
					    "memory: ends at 0x%" PRIx64
					    ", the firmware uses 0x%" PRIx64 " + 0x%" PRIx64,
					    end, s->gpa, s->len);
		/* In order of address. */
		for (at = n++; at && used[at - 1]->gpa > s->gpa; at--)
			used[at] = used[at - 1];
		used[at] = s;
	}
	at = 0;
	for (size_t i = 0; i < n; i++) {
		add_resource(h, UNACCEPTED, at, used[i]->gpa);
		at = used[i]->gpa + used[i]->len;
		add_resource(h, ACCEPTED, used[i]->gpa, at);
	}
	add_resource(h, UNACCEPTED, at, end);
	return 0;
}

int fm_tdx_hob(void *out, const struct fm_tdvf *tdvf, uint64_t memory, struct fm_error *err)
{
	struct hob h = { .count = 0 };
	uint64_t low = memory >= LOW_MOST ? LOW_SPLIT : memory;
	size_t len;
	int ret;

	if (!memory || !fmi_is_aligned(memory, FMI_PAGE) || memory >> 52)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "memory: 0x%" PRIx64 " bytes, expected whole pages, below 2^52",
				    memory);
	if (tdvf->section_count > FM_TDVF_SECTIONS_MAX || tdvf->hob >= tdvf->section_count)
		return fm_error_set(err, FM_ERR_ARG, 0, "tdvf: was not read by fm_tdvf_parse()");
	ret = low_memory(&h, tdvf, low, err);
	if (ret)
		return ret;
	add_resource(&h, UNACCEPTED, HIGH, HIGH + (memory - low));
	len = HANDOFF + RESOURCE * h.count;
	fmi_put_le16(h.bytes, 1); /* EFI_HOB_TYPE_HANDOFF */
	fmi_put_le16(h.bytes + 2, HANDOFF);
	fmi_put_le32(h.bytes + 8, 9); /* version */
	fmi_put_le64(h.bytes + 48, tdvf->sections[tdvf->hob].gpa + len + END_HOB);
	return fm_digest_bytes(FM_DIGEST_SHA384, h.bytes, len, out, err);
}

int fm_tdx_cfv(void *out, const struct fm_tdvf *tdvf, const void *firmware, size_t len,
	       struct fm_error *err)
{
	for (uint32_t i = 0; i < tdvf->section_count && i < FM_TDVF_SECTIONS_MAX; i++) {
		const struct fm_tdvf_section *s = &tdvf->sections[i];

		if (s->type != FM_TDVF_CFV)
			continue;
		if (!fmi_in_range(s->data_off, s->data_len, len))
			return fm_error_set(err, FM_ERR_RANGE, 0,
					    "firmware: %zu bytes, expected those that tdvf was "
					    "read from",
					    len);
		return fm_digest_bytes(FM_DIGEST_SHA384, (const uint8_t *)firmware + s->data_off,
				       s->data_len, out, err);
	}
	return fm_error_set(err, FM_ERR_NOT_FOUND, 0, "firmware: has no CFV section");
}
