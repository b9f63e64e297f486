/* SPDX-License-Identifier: BSD-2-Clause */
/* snp: SNP_LAUNCH_UPDATE's chain of pages (SNP firmware ABI 56860, 8.17). */
#include "devices/bytes.h"
#include "measure/sev_private.h"

#include <stdio.h>
#include <string.h>

#define INFO 0x70u /* PAGE_INFO: table 69 */

int fmi_snp_begin(struct fmi_snp *s, struct fm_transcript *transcript, struct fm_error *err)
{
	memset(s, 0, sizeof(*s));
	s->transcript = transcript;
	return fmi_pages_new(&s->pages, FM_DIGEST_SHA384, err);
}

void fmi_snp_end(struct fmi_snp *s)
{
	fmi_pages_free(s->pages);
}

static const char *type_name(enum fmi_snp_type type)
{
	switch (type) {
	case FMI_SNP_NORMAL:
		return "normal";
	case FMI_SNP_VMSA:
		return "vmsa";
	case FMI_SNP_ZERO:
		return "zero";
	case FMI_SNP_UNMEASURED:
		return "unmeasured";
	case FMI_SNP_SECRETS:
		return "secrets";
	case FMI_SNP_CPUID:
		return "cpuid";
	}
	return "unknown";
}

static int tell(struct fmi_snp *s, enum fmi_snp_type type, uint64_t gpa, const uint8_t *contents,
		const char *part, struct fm_error *err)
{
	struct fm_measure_step step = { .gpa = gpa, .len = FMI_PAGE, .running_len = FMI_SNP_LEN };

	snprintf(step.what, sizeof(step.what), "%s", type_name(type));
	snprintf(step.part, sizeof(step.part), "%s", part);
	memcpy(step.running, s->ld, FMI_SNP_LEN);
	if (contents) {
		step.contents_len = FMI_SNP_LEN;
		memcpy(step.contents, contents, FMI_SNP_LEN);
	}
	return fm_transcript_add(s->transcript, &step, err);
}

int fmi_snp_update(struct fmi_snp *s, enum fmi_snp_type type, uint64_t gpa, const uint8_t *contents,
		   const char *part, struct fm_error *err)
{
	uint8_t info[INFO] = { 0 };
	int ret;

	memcpy(info, s->ld, FMI_SNP_LEN);
	if (contents)
		memcpy(info + 0x30, contents, FMI_SNP_LEN);
	fmi_put_le16(info + 0x60, INFO);
	info[0x62] = (uint8_t)type;
	/* 0x63 is an initial migration image or not, 0x65 the permissions of VMPL 1 to 3: none. */
	fmi_put_le64(info + 0x68, gpa);
	ret = fmi_digest_once(FM_DIGEST_SHA384, info, sizeof(info), s->ld, err);
	if (!ret && s->transcript)
		ret = tell(s, type, gpa, contents, part, err);
	return ret;
}

int fmi_snp_bytes(struct fmi_snp *s, uint64_t gpa, const uint8_t *bytes, size_t len,
		  const char *part, struct fm_error *err)
{
	uint8_t contents[FMI_SNP_LEN];
	int ret = 0;

	if (s->threads > 1)
		fmi_pages_ahead(s->pages, bytes, len, s->threads);
	for (size_t at = 0; !ret && at < len; at += FMI_PAGE) {
		ret = fmi_pages_digest(s->pages, bytes + at, contents, err);
		if (!ret)
			ret = fmi_snp_update(s, FMI_SNP_NORMAL, gpa + at, contents, part, err);
	}
	fmi_pages_settle(s->pages);
	return ret;
}

int fmi_snp_blank(struct fmi_snp *s, enum fmi_snp_type type, uint64_t gpa, uint64_t len,
		  const char *part, struct fm_error *err)
{
	int ret = 0;

	for (uint64_t at = 0; !ret && at < len; at += FMI_PAGE)
		ret = fmi_snp_update(s, type, gpa + at, NULL, part, err);
	return ret;
}

/* The page with the table of kernel hashes. */
static int hashes_page(struct fmi_snp *s, const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		       const struct fm_ovmf_section *section, struct fm_error *err)
{
	uint8_t page[FMI_PAGE] = { 0 };
	uint8_t contents[FMI_SNP_LEN];
	int ret = fm_sev_hashes(page + (ovmf->hashes_gpa & (FMI_PAGE - 1)), c, err);

	if (!ret)
		ret = fmi_digest_once(FM_DIGEST_SHA384, page, sizeof(page), contents, err);
	if (!ret)
		ret = fmi_snp_update(s, FMI_SNP_NORMAL, section->gpa, contents, "kernel-hashes",
				     err);
	return ret;
}

static int section(struct fmi_snp *s, const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		   const struct fm_ovmf_section *sec, struct fm_error *err)
{
	switch (sec->type) {
	case FM_OVMF_SEC_MEM:
		/* Google's VMM leaves these out of the measurement. */
		return fmi_snp_blank(s, c->vmm == FM_VMM_GCE ? FMI_SNP_UNMEASURED : FMI_SNP_ZERO,
				     sec->gpa, sec->len, "sec-mem", err);
	case FM_OVMF_SECRETS:
		return fmi_snp_update(s, FMI_SNP_SECRETS, sec->gpa, NULL, "secrets", err);
	case FM_OVMF_CPUID:
		return fmi_snp_update(s, FMI_SNP_CPUID, sec->gpa, NULL, "cpuid", err);
	case FM_OVMF_SVSM_CAA:
		return fmi_snp_blank(s, FMI_SNP_ZERO, sec->gpa, sec->len, "svsm-caa", err);
	case FM_OVMF_KERNEL_HASHES:
		if (c->kernel)
			return hashes_page(s, c, ovmf, sec, err);
		return fmi_snp_blank(s, FMI_SNP_ZERO, sec->gpa, sec->len, "kernel-hashes", err);
	}
	return 0;
}

static int metadata(struct fmi_snp *s, const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		    struct fm_error *err)
{
	/* AWS loads the CPUID page last. */
	bool late = c->vmm == FM_VMM_EC2 || c->vmm == FM_VMM_EC2_LEGACY;
	int ret = 0;

	for (uint32_t i = 0; !ret && i < ovmf->section_count; i++) {
		if (!late || ovmf->sections[i].type != FM_OVMF_CPUID)
			ret = section(s, c, ovmf, &ovmf->sections[i], err);
	}
	for (uint32_t i = 0; !ret && late && i < ovmf->section_count; i++) {
		if (ovmf->sections[i].type == FM_OVMF_CPUID)
			ret = section(s, c, ovmf, &ovmf->sections[i], err);
	}
	return ret;
}

static int svsm(struct fmi_snp *s, const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		struct fm_error *err)
{
	uint64_t gpa = fmi_sev_svsm_gpa(c, ovmf);
	struct fm_ovmf own;
	int ret = fm_ovmf_parse(&own, fmi_or(c->svsm_name, "svsm"), c->svsm, c->svsm_len,
				gpa + c->svsm_len, c->ovmf_flags, err);

	if (!ret)
		ret = fmi_snp_bytes(s, gpa, c->svsm, c->svsm_len, "svsm", err);
	return ret ? ret : metadata(s, c, &own, err);
}

int fmi_snp_memory(struct fmi_snp *s, const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		   struct fm_error *err)
{
	int ret = 0;

	if (c->firmware_digest)
		memcpy(s->ld, c->firmware_digest, FMI_SNP_LEN);
	else
		ret = fmi_snp_bytes(s, ovmf->gpa, c->firmware, c->firmware_len, "firmware", err);
	if (ret)
		return ret;
	return c->svsm ? svsm(s, c, ovmf, err) : metadata(s, c, ovmf, err);
}

int fm_sev_firmware(void *out, const void *firmware, size_t len, struct fm_transcript *transcript,
		    struct fm_error *err)
{
	struct fmi_snp s;
	int ret;

	if (!len || len > FM_OVMF_LEN_MAX || !fmi_is_aligned(len, FMI_PAGE))
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "firmware: size: %zu bytes, expected whole 4096-byte pages, "
				    "at most %u MiB",
				    len, FM_OVMF_LEN_MAX >> 20);
	if (transcript)
		fm_transcript_set_technology(transcript, "snp:ovmf-hash", NULL);
	ret = fmi_snp_begin(&s, transcript, err);
	if (!ret)
		ret = fmi_snp_bytes(&s, (UINT64_C(1) << 32) - len, firmware, len, "firmware", err);
	if (!ret)
		memcpy(out, s.ld, FMI_SNP_LEN);
	fmi_snp_end(&s);
	return ret;
}
