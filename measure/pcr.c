/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/pcr.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "measure/common.h"
#include "measure/guid.h"

#include <stdio.h>
#include <string.h>

/* EFI_GLOBAL_VARIABLE and EFI_IMAGE_SECURITY_DATABASE_GUID: UEFI, 3.3 and 32.4.1. */
static const struct fmi_guid global_guid =
	FMI_GUID(0x8be4df61, 0x93ca, 0x11d2, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c);
static const struct fmi_guid database_guid =
	FMI_GUID(0xd719b2cb, 0x3d3a, 0x4596, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f);

static const struct {
	const char *name;
	const struct fmi_guid *guid;
} known[FM_PCR_VARIABLE_COUNT] = {
	[FM_PCR_SECURE_BOOT] = { "SecureBoot", &global_guid },
	[FM_PCR_PK] = { "PK", &global_guid },
	[FM_PCR_KEK] = { "KEK", &global_guid },
	[FM_PCR_DB] = { "db", &database_guid },
	[FM_PCR_DBX] = { "dbx", &database_guid },
};

const char *fm_pcr_variable_name(enum fm_pcr_variable variable)
{
	return (unsigned)variable < FM_PCR_VARIABLE_COUNT ? known[variable].name : "unknown";
}

const uint8_t *fm_pcr_variable_guid(enum fm_pcr_variable variable)
{
	return (unsigned)variable < FM_PCR_VARIABLE_COUNT ? known[variable].guid->bytes : NULL;
}

/* The digest of UEFI_VARIABLE_DATA: GUID, letters, bytes, the name in UTF-16 without its end, the data. */
static int variable_digest(struct fm_digest *d, unsigned i, const void *data, size_t len,
			   uint8_t *out, struct fm_error *err)
{
	uint8_t head[32 + 2 * 16] = { 0 };
	size_t letters = strlen(known[i].name);
	int ret;

	memcpy(head, known[i].guid->bytes, 16);
	fmi_put_le64(head + 16, letters);
	fmi_put_le64(head + 24, len);
	for (size_t k = 0; k < letters; k++)
		head[32 + 2 * k] = (uint8_t)known[i].name[k];
	ret = fm_digest_update(d, head, 32 + 2 * letters, err);
	if (!ret)
		ret = fm_digest_update(d, data, len, err);
	return ret ? ret : fm_digest_final(d, out, err);
}

static int extend(enum fm_digest_alg bank, uint8_t *reg, const uint8_t *value, const char *part,
		  size_t len, struct fm_transcript *t, struct fm_error *err)
{
	size_t n = fm_digest_len(bank);
	struct fm_measure_step step = { .gpa = UINT64_MAX, .len = len };
	int ret = fm_digest_extend(bank, reg, value, n, err);

	if (ret || !t)
		return ret;
	step.contents_len = step.running_len = (uint32_t)n;
	memcpy(step.what, "extend", 7);
	snprintf(step.part, sizeof(step.part), "%s", part);
	memcpy(step.contents, value, n);
	memcpy(step.running, reg, n);
	return fm_transcript_add(t, &step, err);
}

int fm_pcr_secure_boot(void *out, enum fm_digest_alg bank, const struct fm_pcr_secure_boot *config,
		       struct fm_error *err)
{
	static const uint8_t separator[4];
	struct fm_pcr_secure_boot c;
	uint8_t reg[FM_DIGEST_MAX] = { 0 }, value[FM_DIGEST_MAX];
	struct fm_digest *d;
	int ret = fmi_config_copy(&c, sizeof(c), config, "fm_pcr_secure_boot", err);

	if (!ret)
		ret = fm_digest_new(&d, bank, err);
	if (ret)
		return ret;
	if (c.transcript)
		fm_transcript_set_technology(c.transcript, "pcr7", NULL);
	for (unsigned i = 0; !ret && i < FM_PCR_VARIABLE_COUNT; i++) {
		size_t len = c.variables[i].data ? c.variables[i].len : 0;

		if (!c.variables[i].data && c.skip_absent)
			continue;
		ret = variable_digest(d, i, c.variables[i].data, len, value, err);
		if (!ret)
			ret = extend(bank, reg, value, known[i].name, len, c.transcript, err);
	}
	if (!ret)
		ret = fm_digest_bytes(bank, separator, sizeof(separator), value, err);
	if (!ret)
		ret = extend(bank, reg, value, "separator", sizeof(separator), c.transcript, err);
	if (!ret)
		memcpy(out, reg, fm_digest_len(bank));
	fm_digest_free(d);
	return ret;
}
