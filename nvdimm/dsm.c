/* SPDX-License-Identifier: BSD-2-Clause */
#include "nvdimm/dsm_private.h"

#include "devices/bytes.h"
#include "devices/config.h"

#include <stdlib.h>
#include <string.h>

#define HANDLE_FIT 0x10000u
#define FIT_CHANGED 0x100u
#define FIT_PIECE 4000u /* bytes of the table that one call returns */

/* --- life ---------------------------------------------------------------------------------------- */

static int check_dimm(const struct fm_dsm_dimm *d, const struct fm_dsm_dimm *all, size_t before,
		      struct fm_error *err)
{
	if (!fm_nvdimm_info(d->dev).block)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_dsm_dimm: handle 0x%x: the device is no NVDIMM", d->handle);
	if (!d->handle || d->handle == HANDLE_FIT)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_dsm_dimm: handle 0x%x is not a DIMM's",
				    d->handle);
	for (size_t i = 0; i < before; i++) {
		if (all[i].handle == d->handle)
			return fm_error_set(err, FM_ERR_ARG, 0, "fm_dsm_dimm: handle 0x%x twice",
					    d->handle);
	}
	if (d->ways > 1 && (d->ways > FM_DSM_DIMMS || d->position >= d->ways ||
			    !fmi_is_pow2(d->line) || d->line < FM_NVDIMM_LINE))
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"fm_dsm_dimm: handle 0x%x: position %u of %u, lines of 0x%llx: expected at most %u, a power of two from %u on",
			d->handle, d->position, d->ways, (unsigned long long)d->line, FM_DSM_DIMMS,
			FM_NVDIMM_LINE);
	if (d->ways > 1 && fm_nvdimm_info(d->dev).pmem_len % d->line)
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"fm_dsm_dimm: handle 0x%x: lines of 0x%llx, expected a part of its 0x%llx bytes",
			d->handle, (unsigned long long)d->line,
			(unsigned long long)fm_nvdimm_info(d->dev).pmem_len);
	if (fm_nvdimm_info(d->dev).pmem_len > (UINT64_MAX - d->base) / (d->ways > 1 ? d->ways : 1))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_dsm_dimm: handle 0x%x: base 0x%llx wraps", d->handle,
				    (unsigned long long)d->base);
	return 0;
}

static void add_dimm(struct fm_dsm *dsm, const struct fm_dsm_dimm *d)
{
	struct fmi_dsm_dimm *dimm = &dsm->dimms[dsm->count++];
	struct fm_nvdimm_info info = fm_nvdimm_info(d->dev);

	dimm->c = *d;
	if (d->ways < 2) {
		dimm->c.ways = 1;
		dimm->c.position = 0;
		dimm->c.line = info.pmem_len;
	}
	dimm->pmem_len = info.pmem_len;
	dimm->label_len = info.label_len;
	/* The thresholds of a new DIMM: 10 % of spares, 200 degrees: our choice. */
	dimm->smart = (struct fmi_smart){
		.alarm_control = 7,
		.spares_threshold = 10,
		.media_threshold = 200 * 16,
		.controller_threshold = 200 * 16,
		.spares = 100,
		.media_temperature = 25 * 16,
	};
}

int fm_dsm_new(struct fm_dsm **out, const struct fm_dsm_config *cfg, struct fm_error *err)
{
	struct fm_dsm_config c;
	struct fm_dsm *dsm;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_dsm_config", err);

	if (!rc && (!c.dimms || !c.count || c.count > FM_DSM_DIMMS))
		rc = fm_error_set(err, FM_ERR_ARG, 0, "fm_dsm_config.count: %zu, expected 1 to %u",
				  c.count, FM_DSM_DIMMS);
	for (size_t i = 0; !rc && i < c.count; i++)
		rc = check_dimm(&c.dimms[i], c.dimms, i, err);
	if (rc)
		return rc;
	dsm = calloc(1, sizeof(*dsm));
	if (!dsm)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "DSM: out of memory");
	for (size_t i = 0; i < c.count; i++)
		add_dimm(dsm, &c.dimms[i]);
	rc = fm_dsm_set_fit(dsm, c.fit, c.fit_len, err);
	if (rc) {
		fm_dsm_free(dsm);
		return rc;
	}
	dsm->fit_changed = false;
	*out = dsm;
	return 0;
}

void fm_dsm_free(struct fm_dsm *dsm)
{
	if (!dsm)
		return;
	free(dsm->fit);
	free(dsm);
}

int fm_dsm_set_fit(struct fm_dsm *dsm, const void *fit, size_t len, struct fm_error *err)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "DSM: out of memory");
	if (len)
		memcpy(copy, fit, len);
	free(dsm->fit);
	dsm->fit = copy;
	dsm->fit_len = len;
	dsm->fit_changed = true;
	return 0;
}

/* --- calls --------------------------------------------------------------------------------------- */

void fmi_dsm_answer(struct fm_dsm *dsm, uint32_t status, uint32_t len)
{
	memset(dsm->out, 0, len);
	fmi_put_le32(dsm->out, status);
	dsm->out_len = len;
}

/* QEMU's: function 1 of its own UUID returns the table from an offset on. */
static void read_fit(struct fm_dsm *dsm, uint32_t function, const uint8_t *arg)
{
	uint32_t off = fmi_le32(arg);
	size_t n;

	if (!function) {
		fmi_dsm_answer(dsm, 1u << 0 | 1u << 1, 4);
		return;
	}
	if (function != 1) {
		fmi_dsm_answer(dsm, FMI_DSM_UNSUPPORTED, 4);
		return;
	}
	/* A table that changed meanwhile is read from its start. */
	if (dsm->fit_changed && off) {
		fmi_dsm_answer(dsm, FIT_CHANGED, 4);
		return;
	}
	dsm->fit_changed = false;
	if (off > dsm->fit_len) {
		fmi_dsm_answer(dsm, FMI_DSM_INVALID, 4);
		return;
	}
	n = (size_t)fmi_min_u64(dsm->fit_len - off, FIT_PIECE);
	fmi_dsm_answer(dsm, FMI_DSM_OK, (uint32_t)(4 + n));
	memcpy(dsm->out + 4, dsm->fit + off, n);
}

static struct fmi_dsm_dimm *find(struct fm_dsm *dsm, uint32_t handle)
{
	for (size_t i = 0; i < dsm->count; i++) {
		if (dsm->dimms[i].c.handle == handle)
			return &dsm->dimms[i];
	}
	return NULL;
}

unsigned fm_dsm_call(struct fm_dsm *dsm, uint8_t page[FM_DSM_PAGE])
{
	uint8_t in[FM_DSM_PAGE];
	uint32_t handle, revision, function;
	struct fmi_dsm_dimm *dimm;

	/* Once: the guest may write to its page at any time. */
	memcpy(in, page, sizeof(in));
	handle = fmi_le32(in);
	revision = fmi_le32(in + 4);
	function = fmi_le32(in + 8);
	dimm = find(dsm, handle);
	dsm->effects = 0;
	/* Function 0 answers with a bit for each function, not with a status: there are none. */
	if (!function && (!revision || (handle && handle != HANDLE_FIT && !dimm)))
		fmi_dsm_answer(dsm, 0, 4);
	else if (!revision)
		fmi_dsm_answer(dsm, FMI_DSM_UNSUPPORTED, 4);
	else if (handle == HANDLE_FIT)
		read_fit(dsm, function, in + 12);
	else if (!handle)
		fmi_dsm_root(dsm, function, in + 12);
	else if (dimm)
		fmi_dsm_dimm(dsm, dimm, function, in + 12);
	else
		fmi_dsm_answer(dsm, FMI_DSM_NO_DEVICE, 4);
	fmi_put_le32(page, dsm->out_len + 4);
	memcpy(page + 4, dsm->out, dsm->out_len);
	return dsm->effects;
}
