/* SPDX-License-Identifier: BSD-2-Clause */
/* The root device's functions: address range scrub, and errors that are injected for tests of it. */
#include "nvdimm/dsm_private.h"

#include "devices/bytes.h"

#include <string.h>

enum {
	QUERY = 0,
	ARS_CAP = 1,
	ARS_START = 2,
	ARS_STATUS = 3,
	CLEAR = 4,
	INJECT = 7,
	UNINJECT = 8,
	INJECT_STATUS = 9,
};

#define FUNCTIONS                                                                         \
	(1u << QUERY | 1u << ARS_CAP | 1u << ARS_START | 1u << ARS_STATUS | 1u << CLEAR | \
	 1u << INJECT | 1u << UNINJECT | 1u << INJECT_STATUS)

#define ARS_PERSISTENT 2u
#define ARS_NONE_YET (2u << 16) /* status: no scrub was done since power-on */
#define ARS_OVERFLOW 1u         /* flag: there are more records */
#define ARS_HEAD 48u
#define ARS_RECORD 24u
#define ARS_RECORDS 128u
#define INJECT_RECORDS 128u
#define CLEAR_UNIT 256u /* bytes: our choice, as of real DIMMs */

/* --- addresses ----------------------------------------------------------------------------------- */

/* A run of addresses that lie in one DIMM without a gap. */
struct run {
	const struct fmi_dsm_dimm *dimm;
	uint64_t addr, len;
};

/* Is there a range of a DIMM's that has all of it? Interleave sets are whole or a caller's fault. */
static bool covered(const struct fm_dsm *dsm, uint64_t addr, uint64_t len)
{
	for (size_t i = 0; i < dsm->count; i++) {
		const struct fmi_dsm_dimm *d = &dsm->dimms[i];

		if (len && addr >= d->c.base &&
		    fmi_in_range(addr - d->c.base, len, d->pmem_len * d->c.ways))
			return true;
	}
	return false;
}

/* The first byte of the DIMM at or behind an address, which may be beyond its end. */
static uint64_t dpa_from(const struct fmi_dsm_dimm *d, uint64_t addr)
{
	uint64_t off = addr > d->c.base ? addr - d->c.base : 0;
	uint64_t line = off / d->c.line, round = line / d->c.ways, at = line % d->c.ways;

	if (at == d->c.position)
		return round * d->c.line + off % d->c.line;
	return (at < d->c.position ? round : round + 1) * d->c.line;
}

static uint64_t addr_of(const struct fmi_dsm_dimm *d, uint64_t dpa)
{
	uint64_t line = dpa / d->c.line * d->c.ways + d->c.position;

	return d->c.base + line * d->c.line + dpa % d->c.line;
}

/* Poison or heal all of it: of each DIMM of an interleave set it is one run. */
static int change(struct fm_dsm *dsm, uint64_t addr, uint64_t len, bool poison)
{
	int rc = 0;

	for (size_t i = 0; i < dsm->count && !rc; i++) {
		struct fmi_dsm_dimm *d = &dsm->dimms[i];
		uint64_t first = dpa_from(d, addr);
		uint64_t end = addr + len > d->c.base ? dpa_from(d, addr + len) : 0;

		end = fmi_min_u64(end, d->pmem_len);
		if (first >= end)
			continue;
		rc = poison ? fm_nvdimm_poison(d->c.dev, first, end - first, NULL)
			    : fm_nvdimm_heal(d->c.dev, first, end - first, NULL);
	}
	dsm->effects |= FM_EFF_REMAP;
	return rc;
}

/* --- media errors by address --------------------------------------------------------------------- */

/* The first unreadable run of one DIMM in [addr, end). */
static bool next_of(const struct fmi_dsm_dimm *d, uint64_t addr, uint64_t end, struct run *out)
{
	uint64_t from = dpa_from(d, addr);
	struct fm_persist_span s;

	for (size_t i = 0; fm_nvdimm_media_error(d->c.dev, i, &s); i++) {
		uint64_t dpa = fmi_max_u64(s.off, from);
		uint64_t n, at;

		if (dpa >= s.off + s.len)
			continue;
		n = fmi_min_u64(s.off + s.len - dpa, d->c.line - dpa % d->c.line);
		at = addr_of(d, dpa);
		if (at >= end)
			return false;
		*out = (struct run){ .dimm = d, .addr = at, .len = fmi_min_u64(n, end - at) };
		return true;
	}
	return false;
}

static bool next_error(struct fm_dsm *dsm, uint64_t addr, uint64_t end, struct run *out)
{
	struct run r;
	bool found = false;

	for (size_t i = 0; i < dsm->count; i++) {
		if (!next_of(&dsm->dimms[i], addr, end, &r) || (found && r.addr >= out->addr))
			continue;
		*out = r;
		found = true;
	}
	return found;
}

/* --- scrub --------------------------------------------------------------------------------------- */

static void ars_cap(struct fm_dsm *dsm, const uint8_t *arg)
{
	if (!covered(dsm, fmi_le64(arg), fmi_le64(arg + 8))) {
		fmi_dsm_answer(dsm, FMI_DSM_ROOT_INVALID, 16);
		return;
	}
	fmi_dsm_answer(dsm, FMI_DSM_OK | ARS_PERSISTENT << 16, 16);
	fmi_put_le32(dsm->out + 4, ARS_HEAD + ARS_RECORDS * ARS_RECORD);
	fmi_put_le32(dsm->out + 8, CLEAR_UNIT);
}

/* A scrub is done at once. */
static void ars_start(struct fm_dsm *dsm, const uint8_t *arg)
{
	uint64_t addr = fmi_le64(arg), len = fmi_le64(arg + 8);
	uint16_t type = fmi_le16(arg + 16);

	if (!(type & ARS_PERSISTENT) || type > 3 || !covered(dsm, addr, len)) {
		fmi_dsm_answer(dsm, FMI_DSM_ROOT_INVALID, 8);
		return;
	}
	dsm->scrubbed = true;
	dsm->scrub_addr = addr;
	dsm->scrub_len = len;
	dsm->scrub_type = type;
	fmi_dsm_answer(dsm, FMI_DSM_OK, 8);
}

static void ars_status(struct fm_dsm *dsm)
{
	uint64_t end = dsm->scrub_addr + dsm->scrub_len;
	uint64_t at = dsm->scrub_addr;
	uint8_t *out = dsm->out;
	uint32_t n = 0;
	struct run r;

	if (!dsm->scrubbed) {
		fmi_dsm_answer(dsm, FMI_DSM_OK | ARS_NONE_YET, ARS_HEAD);
		fmi_put_le32(out + 4, ARS_HEAD);
		return;
	}
	fmi_dsm_answer(dsm, FMI_DSM_OK, ARS_HEAD + ARS_RECORDS * ARS_RECORD);
	for (; n < ARS_RECORDS && next_error(dsm, at, end, &r); n++, at = r.addr + r.len) {
		uint8_t *p = out + ARS_HEAD + n * ARS_RECORD;

		fmi_put_le32(p, r.dimm->c.handle);
		fmi_put_le64(p + 8, r.addr);
		fmi_put_le64(p + 16, r.len);
	}
	dsm->out_len = ARS_HEAD + n * ARS_RECORD;
	fmi_put_le32(out + 4, dsm->out_len);
	fmi_put_le64(out + 8, dsm->scrub_addr);
	fmi_put_le16(out + 40, dsm->scrub_type);
	fmi_put_le32(out + 44, n);
	if (n == ARS_RECORDS && next_error(dsm, at, end, &r)) {
		fmi_put_le64(out + 24, r.addr);
		fmi_put_le64(out + 32, end - r.addr);
		fmi_put_le16(out + 42, ARS_OVERFLOW);
		end = r.addr;
	}
	fmi_put_le64(out + 16, end - dsm->scrub_addr);
}

static void clear(struct fm_dsm *dsm, const uint8_t *arg)
{
	uint64_t addr = fmi_le64(arg), len = fmi_le64(arg + 8);

	if (addr % CLEAR_UNIT || len % CLEAR_UNIT || !covered(dsm, addr, len)) {
		fmi_dsm_answer(dsm, FMI_DSM_ROOT_INVALID, 16);
		return;
	}
	if (change(dsm, addr, len, false)) {
		fmi_dsm_answer(dsm, FMI_DSM_HARDWARE, 16);
		return;
	}
	fmi_dsm_answer(dsm, FMI_DSM_OK, 16);
	fmi_put_le64(dsm->out + 8, len);
}

/* --- injection ----------------------------------------------------------------------------------- */

static void inject(struct fm_dsm *dsm, const uint8_t *arg, bool poison)
{
	uint64_t addr = fmi_le64(arg), len = fmi_le64(arg + 8);

	if (!covered(dsm, addr, len))
		fmi_dsm_answer(dsm, FMI_DSM_ROOT_INVALID, 4);
	else
		fmi_dsm_answer(dsm, change(dsm, addr, len, poison) ? FMI_DSM_HARDWARE : FMI_DSM_OK,
			       4);
}

static void inject_status(struct fm_dsm *dsm)
{
	uint64_t at = 0;
	uint32_t n = 0;
	struct run r;

	fmi_dsm_answer(dsm, FMI_DSM_OK, 8 + 16 * INJECT_RECORDS);
	for (; n < INJECT_RECORDS && next_error(dsm, at, UINT64_MAX, &r);
	     n++, at = r.addr + r.len) {
		fmi_put_le64(dsm->out + 8 + 16 * n, r.addr);
		fmi_put_le64(dsm->out + 16 + 16 * n, r.len);
	}
	fmi_put_le32(dsm->out + 4, n);
	dsm->out_len = 8 + 16 * n;
}

void fmi_dsm_root(struct fm_dsm *dsm, uint32_t function, const uint8_t *arg)
{
	switch (function) {
	case QUERY:
		fmi_dsm_answer(dsm, FUNCTIONS, 4);
		break;
	case ARS_CAP:
		ars_cap(dsm, arg);
		break;
	case ARS_START:
		ars_start(dsm, arg);
		break;
	case ARS_STATUS:
		ars_status(dsm);
		break;
	case CLEAR:
		clear(dsm, arg);
		break;
	case INJECT:
		inject(dsm, arg, true);
		break;
	case UNINJECT:
		inject(dsm, arg, false);
		break;
	case INJECT_STATUS:
		inject_status(dsm);
		break;
	default:
		fmi_dsm_answer(dsm, FMI_DSM_UNSUPPORTED, 4);
		break;
	}
}
