/* SPDX-License-Identifier: BSD-2-Clause */
/* A DIMM's functions: SMART and its thresholds, the label area. */
#include "nvdimm/dsm_private.h"

#include "devices/bytes.h"

#include <string.h>

enum {
	QUERY = 0,
	SMART = 1,
	THRESHOLD = 2,
	LABEL_SIZE = 4,
	LABEL_GET = 5,
	LABEL_SET = 6,
	SET_THRESHOLD = 17,
	INJECT = 18,
};

#define FUNCTIONS                                                                           \
	(1u << QUERY | 1u << SMART | 1u << THRESHOLD | 1u << LABEL_SIZE | 1u << LABEL_GET | \
	 1u << LABEL_SET | 1u << SET_THRESHOLD | 1u << INJECT)

/* An argument of two numbers and the data: what a label access moves at most. */
#define LABEL_MOST (FMI_DSM_ARG - 8u)

/* Which parts of the SMART data are valid. */
enum {
	VALID_HEALTH = 1 << 0,
	VALID_SPARES = 1 << 1,
	VALID_USED = 1 << 2,
	VALID_MEDIA_TEMPERATURE = 1 << 3,
	VALID_CONTROLLER_TEMPERATURE = 1 << 4,
	VALID_SHUTDOWNS = 1 << 5,
	VALID_ALARMS = 1 << 9,
	VALID_SHUTDOWN_STATE = 1 << 10,
};

enum {
	HEALTH_NON_CRITICAL = 1,
	HEALTH_CRITICAL = 2,
	HEALTH_FATAL = 4
};
enum {
	ALARM_SPARES = 1,
	ALARM_MEDIA = 2,
	ALARM_CONTROLLER = 4
};

/* --- SMART --------------------------------------------------------------------------------------- */

static uint8_t health_of(const struct fmi_dsm_dimm *d, const struct fm_nvdimm_health *h)
{
	if (d->smart.fatal)
		return HEALTH_FATAL;
	if (h->flush_failed)
		return HEALTH_CRITICAL;
	return h->data_lost || h->media_errors || d->smart.few_spares || d->smart.hot
		       ? HEALTH_NON_CRITICAL
		       : 0;
}

static uint8_t alarms_of(const struct fmi_smart *s)
{
	uint8_t alarms = 0;

	if (s->alarm_control & ALARM_SPARES && s->spares <= s->spares_threshold)
		alarms |= ALARM_SPARES;
	if (s->alarm_control & ALARM_MEDIA && s->media_temperature >= s->media_threshold)
		alarms |= ALARM_MEDIA;
	return alarms;
}

static void smart(struct fm_dsm *dsm, const struct fmi_dsm_dimm *d)
{
	uint8_t *out = dsm->out;
	struct fm_nvdimm_health h;

	fm_nvdimm_get_health(d->c.dev, &h);
	fmi_dsm_answer(dsm, FMI_DSM_OK, 132);
	fmi_put_le32(out + 4, VALID_HEALTH | VALID_SPARES | VALID_USED | VALID_MEDIA_TEMPERATURE |
				      VALID_CONTROLLER_TEMPERATURE | VALID_SHUTDOWNS |
				      VALID_ALARMS | VALID_SHUTDOWN_STATE);
	out[12] = health_of(d, &h);
	out[13] = d->smart.spares;
	out[14] = 0;
	out[15] = alarms_of(&d->smart);
	fmi_put_le16(out + 16, d->smart.media_temperature);
	fmi_put_le16(out + 18, 25 * 16);
	fmi_put_le32(out + 20, h.dirty_shutdowns + d->smart.unsafe);
	out[35] = d->c.dirty || h.data_lost || d->smart.unsafe;
}

static void threshold(struct fm_dsm *dsm, const struct fmi_dsm_dimm *d)
{
	uint8_t *out = dsm->out;

	fmi_dsm_answer(dsm, FMI_DSM_OK, 12);
	fmi_put_le16(out + 4, d->smart.alarm_control);
	out[6] = d->smart.spares_threshold;
	fmi_put_le16(out + 7, d->smart.media_threshold);
	fmi_put_le16(out + 9, d->smart.controller_threshold);
}

static void set_threshold(struct fm_dsm *dsm, struct fmi_dsm_dimm *d, const uint8_t *arg)
{
	uint16_t control = fmi_le16(arg);

	if (control & ~7u || arg[2] > 100) {
		fmi_dsm_answer(dsm, FMI_DSM_INVALID, 4);
		return;
	}
	d->smart.alarm_control = control;
	d->smart.spares_threshold = arg[2];
	d->smart.media_threshold = fmi_le16(arg + 3);
	d->smart.controller_threshold = fmi_le16(arg + 5);
	fmi_dsm_answer(dsm, FMI_DSM_OK, 4);
}

static void inject(struct fm_dsm *dsm, struct fmi_dsm_dimm *d, const uint8_t *arg)
{
	uint64_t flags = fmi_le64(arg);
	struct fmi_smart *s = &d->smart;

	if (flags & ~UINT64_C(15) || (flags & 2 && arg[11] && arg[12] > 100)) {
		fmi_dsm_answer(dsm, FMI_DSM_INVALID, 4);
		return;
	}
	if (flags & 1) {
		s->hot = arg[8] != 0;
		s->media_temperature = arg[8] ? fmi_le16(arg + 9) : 25 * 16;
	}
	if (flags & 2) {
		s->few_spares = arg[11] != 0;
		s->spares = arg[11] ? arg[12] : 100;
	}
	if (flags & 4)
		s->fatal = arg[13] != 0;
	if (flags & 8)
		s->unsafe = arg[14] != 0;
	fmi_dsm_answer(dsm, FMI_DSM_OK, 4);
}

/* --- labels -------------------------------------------------------------------------------------- */

static bool label_ok(const struct fmi_dsm_dimm *d, uint32_t off, uint32_t len)
{
	return len <= LABEL_MOST && fmi_in_range(off, len, d->label_len);
}

static void label_get(struct fm_dsm *dsm, const struct fmi_dsm_dimm *d, const uint8_t *arg)
{
	uint32_t off = fmi_le32(arg);
	uint32_t len = fmi_le32(arg + 4);

	if (!label_ok(d, off, len)) {
		fmi_dsm_answer(dsm, FMI_DSM_INVALID, 4);
		return;
	}
	fmi_dsm_answer(dsm, FMI_DSM_OK, 4 + len);
	if (fm_nvdimm_read_label(d->c.dev, off, dsm->out + 4, len, NULL))
		fmi_dsm_answer(dsm, FMI_DSM_HARDWARE, 4);
}

static void label_set(struct fm_dsm *dsm, const struct fmi_dsm_dimm *d, const uint8_t *arg)
{
	uint32_t off = fmi_le32(arg);
	uint32_t len = fmi_le32(arg + 4);

	if (!label_ok(d, off, len))
		fmi_dsm_answer(dsm, FMI_DSM_INVALID, 4);
	else if (fm_nvdimm_write_label(d->c.dev, off, arg + 8, len, NULL))
		fmi_dsm_answer(dsm, FMI_DSM_HARDWARE, 4);
	else
		fmi_dsm_answer(dsm, FMI_DSM_OK, 4);
}

static void label_size(struct fm_dsm *dsm, const struct fmi_dsm_dimm *d)
{
	fmi_dsm_answer(dsm, FMI_DSM_OK, 12);
	fmi_put_le32(dsm->out + 4, (uint32_t)d->label_len);
	fmi_put_le32(dsm->out + 8, LABEL_MOST);
}

void fmi_dsm_dimm(struct fm_dsm *dsm, struct fmi_dsm_dimm *d, uint32_t function, const uint8_t *arg)
{
	switch (function) {
	case QUERY:
		fmi_dsm_answer(dsm, FUNCTIONS, 4);
		break;
	case SMART:
		smart(dsm, d);
		break;
	case THRESHOLD:
		threshold(dsm, d);
		break;
	case LABEL_SIZE:
		label_size(dsm, d);
		break;
	case LABEL_GET:
		label_get(dsm, d, arg);
		break;
	case LABEL_SET:
		label_set(dsm, d, arg);
		break;
	case SET_THRESHOLD:
		set_threshold(dsm, d, arg);
		break;
	case INJECT:
		inject(dsm, d, arg);
		break;
	default:
		fmi_dsm_answer(dsm, FMI_DSM_UNSUPPORTED, 4);
		break;
	}
}
