/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/label.h>
#include <firmem/nfit.h>

#include "devices/bytes.h"

#include <stdlib.h>
#include <string.h>

#define HEADER 40u /* the ACPI header, and 4 bytes that are reserved */
#define HINTS_MAX 1024u
#define WB_NV 0x8008u /* EFI_MEMORY_WB, EFI_MEMORY_NV */

struct fm_nfit {
	uint8_t *bytes; /* structures; room for the header before them */
	size_t len, room;
	struct fm_error first; /* the first failure; code 0: none */
};

int fm_nfit_new(struct fm_nfit **out, struct fm_error *err)
{
	struct fm_nfit *n = calloc(1, sizeof(*n));

	if (!n)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "NFIT: out of memory");
	*out = n;
	return 0;
}

void fm_nfit_free(struct fm_nfit *nfit)
{
	if (!nfit)
		return;
	free(nfit->bytes);
	free(nfit);
}

/* --- structures ---------------------------------------------------------------------------------- */

static void fail(struct fm_nfit *n, int code, const char *what, uint64_t value,
		 const char *expected)
{
	if (!n->first.code)
		fm_error_set(&n->first, code, 0, "NFIT: %s: 0x%llx, expected %s", what,
			     (unsigned long long)value, expected);
}

/* A zeroed structure of that length, its head filled in; NULL where a failure sticks. */
static uint8_t *add(struct fm_nfit *n, enum fm_nfit_type type, size_t len)
{
	uint8_t *p;

	if (len > UINT16_MAX)
		fail(n, FM_ERR_ARG, "length of a structure", len, "at most 0xffff");
	if (n->first.code)
		return NULL;
	if (n->room - n->len < len + HEADER) {
		size_t room = 2 * (n->len + len + HEADER);

		p = realloc(n->bytes, room);
		if (!p) {
			fail(n, FM_ERR_NOMEM, "memory", len, "some");
			return NULL;
		}
		n->bytes = p;
		n->room = room;
	}
	p = n->bytes + HEADER + n->len;
	memset(p, 0, len);
	fmi_put_le16(p, (uint16_t)type);
	fmi_put_le16(p + 2, (uint16_t)len);
	n->len += len;
	return p;
}

uint32_t fm_nfit_handle(unsigned node, unsigned socket, unsigned controller, unsigned channel,
			unsigned dimm)
{
	return (node & 0xfffu) << 16 | (socket & 15u) << 12 | (controller & 15u) << 8 |
	       (channel & 15u) << 4 | (dimm & 15u);
}

void fm_nfit_add_spa(struct fm_nfit *n, const struct fm_nfit_spa *spa)
{
	static const uint8_t zero[16];
	uint8_t *p;

	if (!spa->index)
		fail(n, FM_ERR_ARG, "range index", 0, "1 or more");
	if (!spa->len || fmi_wraps(spa->base, spa->len))
		fail(n, FM_ERR_ARG, "length of a range", spa->len, "some, below 2^64");
	p = add(n, FM_NFIT_SPA, spa->flags & FM_NFIT_SPA_COOKIE ? 64 : 56);
	if (!p)
		return;
	fmi_put_le16(p + 4, spa->index);
	fmi_put_le16(p + 6, spa->flags);
	fmi_put_le32(p + 12, spa->proximity);
	if (memcmp(spa->guid, zero, 16))
		memcpy(p + 16, spa->guid, 16);
	else
		fm_label_pmem_guid(p + 16);
	fmi_put_le64(p + 32, spa->base);
	fmi_put_le64(p + 40, spa->len);
	fmi_put_le64(p + 48, spa->attributes ? spa->attributes : WB_NV);
	if (spa->flags & FM_NFIT_SPA_COOKIE)
		fmi_put_le64(p + 56, spa->cookie);
}

void fm_nfit_add_memdev(struct fm_nfit *n, const struct fm_nfit_memdev *m)
{
	uint8_t *p = add(n, FM_NFIT_MEMDEV, 48);

	if (!p)
		return;
	fmi_put_le32(p + 4, m->handle);
	fmi_put_le16(p + 8, m->phys_id);
	fmi_put_le16(p + 10, m->region_id);
	fmi_put_le16(p + 12, m->spa);
	fmi_put_le16(p + 14, m->control);
	fmi_put_le64(p + 16, m->size);
	fmi_put_le64(p + 24, m->region_offset);
	fmi_put_le64(p + 32, m->dpa);
	fmi_put_le16(p + 40, m->interleave);
	fmi_put_le16(p + 42, m->ways ? m->ways : 1);
	fmi_put_le16(p + 44, m->flags);
}

void fm_nfit_add_interleave(struct fm_nfit *n, uint16_t index, uint32_t line_size,
			    const uint32_t *offsets, uint32_t count)
{
	uint8_t *p;

	if (!index)
		fail(n, FM_ERR_ARG, "interleave index", 0, "1 or more");
	if (!count || !line_size)
		fail(n, FM_ERR_ARG, "lines of an interleave", count, "some, of some bytes");
	p = add(n, FM_NFIT_INTERLEAVE, 16 + 4 * (size_t)count);
	if (!p)
		return;
	fmi_put_le16(p + 4, index);
	fmi_put_le32(p + 8, count);
	fmi_put_le32(p + 12, line_size);
	for (uint32_t i = 0; i < count; i++)
		fmi_put_le32(p + 16 + 4 * i, offsets[i]);
}

void fm_nfit_add_smbios(struct fm_nfit *n, const void *bytes, size_t len)
{
	uint8_t *p = add(n, FM_NFIT_SMBIOS, len <= UINT16_MAX ? 8 + len : len);

	if (p && len)
		memcpy(p + 8, bytes, len);
}

void fm_nfit_add_control(struct fm_nfit *n, const struct fm_nfit_control *c)
{
	uint8_t *p;

	if (!c->index)
		fail(n, FM_ERR_ARG, "control region index", 0, "1 or more");
	p = add(n, FM_NFIT_CONTROL, 80);
	if (!p)
		return;
	fmi_put_le16(p + 4, c->index);
	fmi_put_le16(p + 6, c->vendor);
	fmi_put_le16(p + 8, c->device);
	fmi_put_le16(p + 10, c->revision);
	fmi_put_le16(p + 12, c->subsystem_vendor);
	fmi_put_le16(p + 14, c->subsystem_device);
	fmi_put_le16(p + 16, c->subsystem_revision);
	p[18] = c->manufacturing;
	p[19] = c->mfg_location;
	fmi_put_le16(p + 20, c->mfg_date);
	fmi_put_le32(p + 24, c->serial);
	fmi_put_le16(p + 28, c->format);
	fmi_put_le16(p + 30, c->windows);
	fmi_put_le64(p + 32, c->window_size);
	fmi_put_le64(p + 40, c->command_offset);
	fmi_put_le64(p + 48, c->command_size);
	fmi_put_le64(p + 56, c->status_offset);
	fmi_put_le64(p + 64, c->status_size);
	fmi_put_le16(p + 72, c->flags);
}

void fm_nfit_add_block_window(struct fm_nfit *n, const struct fm_nfit_block_window *w)
{
	uint8_t *p = add(n, FM_NFIT_BLOCK_WINDOW, 40);

	if (!p)
		return;
	fmi_put_le16(p + 4, w->control);
	fmi_put_le16(p + 6, w->windows);
	fmi_put_le64(p + 8, w->offset);
	fmi_put_le64(p + 16, w->size);
	fmi_put_le64(p + 24, w->capacity);
	fmi_put_le64(p + 32, w->first_block);
}

void fm_nfit_add_flush_hint(struct fm_nfit *n, uint32_t handle, const uint64_t *addresses,
			    uint16_t count)
{
	uint8_t *p;

	if (!count || count > HINTS_MAX)
		fail(n, FM_ERR_ARG, "flush hints", count, "1 to 0x400");
	p = add(n, FM_NFIT_FLUSH_HINT, 16 + 8 * (size_t)count);
	if (!p)
		return;
	fmi_put_le32(p + 4, handle);
	fmi_put_le16(p + 8, count);
	for (uint16_t i = 0; i < count; i++)
		fmi_put_le64(p + 16 + 8 * i, addresses[i]);
}

void fm_nfit_add_capabilities(struct fm_nfit *n, uint32_t capabilities)
{
	uint8_t *p = add(n, FM_NFIT_CAPABILITIES, 16);

	if (!p)
		return;
	p[4] = capabilities ? (uint8_t)(31 - __builtin_clz(capabilities)) : 0;
	fmi_put_le32(p + 8, capabilities);
}

void fm_nfit_add_qemu(struct fm_nfit *n, const struct fm_nfit_qemu *d)
{
	const uint16_t index = (uint16_t)(2 * (d->slot + 1));

	if (d->slot > 255)
		fail(n, FM_ERR_ARG, "slot", d->slot, "0 to 255");
	fm_nfit_add_spa(n, &(struct fm_nfit_spa){
				   .index = index,
				   .flags = FM_NFIT_SPA_ONLINE | FM_NFIT_SPA_PROXIMITY,
				   .proximity = d->node,
				   .base = d->base,
				   .len = d->len,
			   });
	fm_nfit_add_memdev(n, &(struct fm_nfit_memdev){
				      .handle = d->slot + 1,
				      .spa = index,
				      .control = (uint16_t)(index + 1),
				      .size = d->len,
				      .flags = d->unarmed ? FM_NFIT_UNARMED : 0,
			      });
	fm_nfit_add_control(n, &(struct fm_nfit_control){
				       .index = (uint16_t)(index + 1),
				       .vendor = 0x8086,
				       .device = 1,
				       .revision = 1,
				       .serial = 0x123456 + d->slot,
				       .format = 0x301,
			       });
}

/* --- the whole ----------------------------------------------------------------------------------- */

/* The structure of a type whose u16 at offset 4 is `index`, behind `from`; NULL: none. */
static const uint8_t *find(const struct fm_nfit *n, const uint8_t *from, unsigned type,
			   uint16_t index)
{
	const uint8_t *end = n->bytes + HEADER + n->len;

	for (const uint8_t *p = from; p < end; p += fmi_le16(p + 2)) {
		if (fmi_le16(p) == type && fmi_le16(p + 4) == index)
			return p;
	}
	return NULL;
}

static void check_reference(struct fm_nfit *n, enum fm_nfit_type type, uint16_t index,
			    const char *what)
{
	if (index && !find(n, n->bytes + HEADER, type, index))
		fail(n, FM_ERR_ARG, what, index, "one that is in the table");
}

static void check_unique(struct fm_nfit *n, const uint8_t *p)
{
	unsigned type = fmi_le16(p);

	if (find(n, p + fmi_le16(p + 2), type, fmi_le16(p + 4)))
		fail(n, FM_ERR_ARG, "index", fmi_le16(p + 4),
		     "one structure of its type to have it");
}

static void check(struct fm_nfit *n)
{
	const uint8_t *end = n->bytes + HEADER + n->len;

	for (const uint8_t *p = n->bytes + HEADER; p < end; p += fmi_le16(p + 2)) {
		switch (fmi_le16(p)) {
		case FM_NFIT_SPA:
		case FM_NFIT_INTERLEAVE:
		case FM_NFIT_CONTROL:
			check_unique(n, p);
			break;
		case FM_NFIT_MEMDEV:
			check_reference(n, FM_NFIT_SPA, fmi_le16(p + 12), "range index of a DIMM");
			check_reference(n, FM_NFIT_CONTROL, fmi_le16(p + 14),
					"control region of a DIMM");
			check_reference(n, FM_NFIT_INTERLEAVE, fmi_le16(p + 40),
					"interleave of a DIMM");
			break;
		case FM_NFIT_BLOCK_WINDOW:
			check_reference(n, FM_NFIT_CONTROL, fmi_le16(p + 4),
					"control region of block windows");
			break;
		default:
			break;
		}
	}
}

static void put_header(uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	memset(p, 0, HEADER);
	memcpy(p, "NFIT", 4);
	fmi_put_le32(p + 4, (uint32_t)len);
	p[8] = 1;
	memcpy(p + 10, "BOCHS BXPC    ", 14);
	fmi_put_le32(p + 24, 1);
	memcpy(p + 28, "BXPC", 4);
	fmi_put_le32(p + 32, 1);
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	p[9] = (uint8_t)-sum;
}

int fm_nfit_finish(struct fm_nfit *n, bool structures, void **out, size_t *len,
		   struct fm_error *err)
{
	int rc;

	if (!n->bytes && !n->first.code) {
		n->len = 0; /* nothing was added */
		n->bytes = malloc(HEADER);
		if (!n->bytes)
			fail(n, FM_ERR_NOMEM, "memory", HEADER, "some");
	}
	if (!n->first.code)
		check(n);
	rc = n->first.code;
	if (rc) {
		if (err)
			*err = n->first;
		free(n->bytes);
	} else {
		if (structures)
			memmove(n->bytes, n->bytes + HEADER, n->len);
		else
			put_header(n->bytes, n->len + HEADER);
		*out = n->bytes;
		*len = n->len + (structures ? 0 : HEADER);
	}
	*n = (struct fm_nfit){ .bytes = NULL };
	return rc;
}
