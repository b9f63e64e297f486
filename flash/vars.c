/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/vars.h>

#include "flash/vars_private.h"

#include "devices/bytes.h"

#include <stdlib.h>
#include <string.h>

/* --- life -------------------------------------------------------------------------------------- */

static int parse(struct fm_vars *v, struct fm_error *err)
{
	int rc = 0;

	fmi_vars_locate(v->bytes, &v->volume);
	if (v->volume.store_ok)
		rc = fmi_vars_walk(v, err);
	if (!rc)
		rc = fmi_vars_read_ftw(v, err);
	return rc ? rc : fmi_vars_check(v, err);
}

int fm_vars_parse(struct fm_vars **out, const void *bytes, size_t len, struct fm_error *err)
{
	struct fm_vars *v;
	int rc;

	if (!out || (!bytes && len))
		return fm_error_set(err, FM_ERR_ARG, 0, "vars: out and bytes must be given");
	v = calloc(1, sizeof(*v));
	if (!v)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "vars: out of memory");
	v->bytes = (struct fmi_bytes){ bytes, len };
	rc = parse(v, err);
	if (rc) {
		fm_vars_free(v);
		return rc;
	}
	*out = v;
	return 0;
}

void fm_vars_free(struct fm_vars *vars)
{
	if (!vars)
		return;
	fm_vars_free(vars->spare);
	free(vars->records);
	free(vars->live);
	free(vars->names);
	free(vars->findings);
	free(vars);
}

/* --- what was found ---------------------------------------------------------------------------- */

const struct fm_vars_info *fm_vars_info(const struct fm_vars *vars)
{
	return &vars->info;
}

const struct fm_vars_record *fm_vars_record(const struct fm_vars *vars, size_t n)
{
	return n < vars->nrecords ? &vars->records[n].r : NULL;
}

const struct fm_vars_finding *fm_vars_finding(const struct fm_vars *vars, size_t n)
{
	return n < vars->nfindings ? &vars->findings[n] : NULL;
}

const struct fm_vars_record *fm_vars_find(const struct fm_vars *vars, const char *name,
					  const uint8_t guid[16])
{
	for (size_t i = 0; i < vars->nrecords; i++) {
		const struct fm_vars_record *r = &vars->records[i].r;

		if (r->status == FM_VARS_LIVE && !strcmp(r->name, name) &&
		    (!guid || !memcmp(r->guid, guid, 16)))
			return r;
	}
	return NULL;
}

uint64_t fm_vars_boots_left(const struct fm_vars_info *info, uint64_t per_boot)
{
	if (!per_boot)
		return UINT64_MAX;
	return info->free < info->reserve ? 0 : (info->free - info->reserve) / per_boot;
}
