/* SPDX-License-Identifier: BSD-2-Clause */
/* A DIMM out of its slot: asked for, answered, hidden from the guest, given back. */
#include "devices/device_private.h"
#include "devices/dimm_private.h"

#include <stdlib.h>

static int wrong_state(const struct fm_dimm *d, const char *expected, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_STATE, 0, "%s: DIMM \"%s\" in slot %u is %s, expected %s",
			    fm_dev_name(d->set->dev), fm_dimm_id(d), d->slot,
			    fm_dimm_state_name(d->state), expected);
}

int fm_dimm_request_unplug(struct fm_dimm *dimm, struct fm_error *err)
{
	if (dimm->fixed)
		return fm_error_set(err, FM_ERR_STATE, 0,
				    "%s: DIMM \"%s\" in slot %u is fixed, expected one that can be "
				    "unplugged",
				    fm_dev_name(dimm->set->dev), fm_dimm_id(dimm), dimm->slot);
	if (dimm->state != FM_DIMM_PLUGGED)
		return wrong_state(dimm, "it plugged, with no request under way", err);
	dimm->state = FM_DIMM_REQUESTED;
	return 0;
}

int fm_dimm_reject_unplug(struct fm_dimm *dimm, struct fm_error *err)
{
	if (dimm->state != FM_DIMM_REQUESTED)
		return wrong_state(dimm, "a request to refuse", err);
	dimm->state = FM_DIMM_PLUGGED;
	return 0;
}

/* Take every window onto the device out of the space, in one change. */
static int hide(const struct fm_dimm *d, struct fm_error *err)
{
	struct fm_space *space = d->set->space;
	struct fm_window *w = NULL;
	int rc = 0;

	fm_space_begin(space);
	while (!rc && (w = fm_space_next_window(space, w))) {
		if (fm_window_dev(w) != d->dev)
			continue;
		rc = fm_space_remove(space, w, err);
		w = NULL;
	}
	if (!rc)
		return fm_space_commit(space, err);
	fm_space_abort(space);
	return rc;
}

/* What the guest was told is durable is made so. */
static int flush(const struct fm_dimm *d, struct fm_error *err)
{
	int rc;

	if (fm_block_role(d->block) != FM_ROLE_NVDIMM)
		return 0;
	fm_dev_lock(d->dev);
	rc = fm_dev_flush(d->dev, err);
	fm_dev_unlock(d->dev);
	return rc;
}

int fm_dimm_eject(struct fm_dimm *dimm, struct fm_error *err)
{
	int rc = fmi_dimm_outside(dimm->set, err);

	if (!rc && dimm->state != FM_DIMM_REQUESTED)
		rc = wrong_state(dimm, "a request that the guest answers", err);
	if (!rc)
		rc = flush(dimm, err);
	if (!rc)
		rc = hide(dimm, err);
	if (!rc)
		dimm->state = FM_DIMM_EJECTED;
	return rc;
}

/* Pulled out: what cannot be flushed now is lost, as the device's sticky error tells. */
static int pull(struct fm_dimm *dimm, struct fm_error *err)
{
	struct fm_error lost = { .code = 0 };
	int rc;

	flush(dimm, &lost);
	rc = hide(dimm, err);
	if (rc)
		return rc;
	if (lost.code)
		fm_dev_raise(dimm->dev, FM_EFF_IOERR, &lost);
	dimm->state = FM_DIMM_EJECTED;
	return 0;
}

int fm_dimm_remove(struct fm_dimm *dimm, struct fm_error *err)
{
	int rc = fmi_dimm_outside(dimm->set, err);

	if (rc)
		return rc;
	if (dimm->state == FM_DIMM_EJECTED)
		return wrong_state(dimm, "it plugged", err);
	return pull(dimm, err);
}

int fmi_dimm_reset(const struct fm_dimms *set, const struct fm_block *block, struct fm_error *err)
{
	struct fm_dimm *dimm = set ? fm_dimms_holding(set, block) : NULL;
	int rc;

	if (!dimm || dimm->state == FM_DIMM_EJECTED)
		return 0;
	rc = pull(dimm, err);
	return rc ? rc : 1;
}

static void unlink_dimm(struct fm_dimm *d)
{
	struct fm_dimm **at = &d->set->first;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
}

int fm_dimm_release(struct fm_dimm *dimm, struct fm_block **block, struct fm_error *err)
{
	struct fm_dimms *set = dimm->set;
	struct fm_space *space;
	int rc;

	if (dimm->state != FM_DIMM_EJECTED)
		return wrong_state(dimm, "it ejected", err);
	/* All that can be in the way before anything leaves: coming back might fail. */
	rc = fmi_machine_check_unused(set->machine, dimm->block, dimm->dev, err);
	if (!rc)
		rc = fm_machine_remove_dev(set->machine, dimm->dev, err);
	if (rc)
		return rc;
	fmi_machine_drop_block(set->machine, dimm->block);
	fm_machine_foreach_space (set->machine, space)
		fm_space_quiesce(space);
	unlink_dimm(dimm);
	fm_dev_free(dimm->dev);
	if (block)
		*block = dimm->block;
	else
		fm_block_free(dimm->block);
	free(dimm);
	return 0;
}
