/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/sev.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "measure/guid.h"
#include "measure/sev_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- checks -------------------------------------------------------------------------------- */

static const char *firmware_name(const struct fm_sev_config *c)
{
	return fmi_or(c->firmware_name, "firmware");
}

static int check_fields(const struct fm_sev_config *c, bool any_cpu, struct fm_error *err)
{
	if (c->kind < FM_SEV || c->kind > FM_SEV_SNP)
		return fm_error_set(err, FM_ERR_ARG, 0, "kind: %d, expected SEV, SEV-ES or SEV-SNP",
				    c->kind);
	if ((unsigned)c->vmm >= FM_VMM_COUNT)
		return fm_error_set(err, FM_ERR_ARG, 0, "VMM: %d, expected 0 to %d", c->vmm,
				    FM_VMM_COUNT - 1);
	if (c->kind != FM_SEV && (!c->vcpus || c->vcpus > FM_SEV_VCPUS_MAX))
		return fm_error_set(err, FM_ERR_ARG, 0, "vcpus: %" PRIu32 ", expected 1 to %u",
				    c->vcpus, FM_SEV_VCPUS_MAX);
	if (c->kind != FM_SEV && !any_cpu && !c->cpu_sig &&
	    (c->svsm || fm_vmsa_vmm_tells_cpu(c->vmm)))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "CPU signature: is missing, %s shows it to the guest",
				    fm_vmsa_vmm_name(c->vmm));
	if (c->kind == FM_SEV_SNP && !(c->guest_features & 1))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "guest features: 0x%" PRIx64
				    ", expected bit 0 (SNP active) set",
				    c->guest_features);
	if (!c->kernel && (c->initrd || c->append))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "kernel: is missing, but there is %s to boot with it",
				    c->initrd ? "an initrd" : "a command line");
	return 0;
}

static int check_snp(const struct fm_sev_config *c, struct fm_error *err)
{
	if (c->kind == FM_SEV_SNP)
		return 0;
	if (c->svsm || c->firmware_digest)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: is for SEV-SNP, expected none for SEV and SEV-ES",
				    c->svsm ? "SVSM" : "firmware digest");
	if (!c->firmware)
		return fm_error_set(err, FM_ERR_ARG, 0, "firmware: is missing");
	return 0;
}

static int check_kernel(const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
			struct fm_error *err)
{
	if (!c->kernel)
		return 0;
	if (c->svsm)
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"kernel: is given with an SVSM, whose launch does not measure it");
	if (!ovmf->has_hashes)
		return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
				    "%s: has no hash table entry, expected one: it cannot check "
				    "the kernel that is given",
				    firmware_name(c));
	for (uint32_t i = 0; i < ovmf->section_count; i++) {
		const struct fm_ovmf_section *s = &ovmf->sections[i];

		if (s->type != FM_OVMF_KERNEL_HASHES)
			continue;
		if (c->kind == FM_SEV_SNP && s->len != FMI_PAGE)
			return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
					    "%s: 0x%zx: kernel-hashes section of 0x%" PRIx32
					    " bytes, expected one page",
					    firmware_name(c), s->off, s->len);
		return 0;
	}
	if (c->kind != FM_SEV_SNP)
		return 0;
	return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
			    "%s: has no kernel-hashes section, expected one: it cannot check the "
			    "kernel that is given",
			    firmware_name(c));
}

/* Behind an SVSM lie the variables and the firmware: none of its sections may be there. */
static int check_svsm_sections(const struct fm_sev_config *c, const struct fm_ovmf *own,
			       struct fm_error *err)
{
	for (uint32_t i = 0; i < own->section_count; i++) {
		const struct fm_ovmf_section *s = &own->sections[i];

		if (s->gpa + (uint64_t)s->len > own->gpa)
			return fm_error_set(err, FM_ERR_OVERLAP, 0,
					    "%s: 0x%zx: section 0x%" PRIx32 " + 0x%" PRIx32
					    " overlaps the variables or firmware behind it, "
					    "expected an end at or below 0x%" PRIx64,
					    fmi_or(c->svsm_name, "svsm"), s->off, s->gpa, s->len,
					    own->gpa);
	}
	return 0;
}

static int check_svsm(const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		      struct fm_error *err)
{
	struct fm_ovmf own;
	uint64_t gpa;
	int ret;

	if (!c->svsm)
		return 0;
	if (c->vmm != FM_VMM_QEMU && c->vmm != FM_VMM_QEMU_PRE_6_10)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "VMM: %s is given with an SVSM, expected qemu, which alone "
				    "launches one so",
				    fm_vmsa_vmm_name(c->vmm));
	if (!c->vars_len || !fmi_is_aligned(c->vars_len, FMI_PAGE) || c->vars_len > ovmf->gpa ||
	    c->svsm_len > ovmf->gpa - c->vars_len)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "variable store: 0x%" PRIx64
				    " bytes, expected whole pages that fit below the firmware "
				    "with the SVSM",
				    c->vars_len);
	gpa = fmi_sev_svsm_gpa(c, ovmf);
	ret = fm_ovmf_parse(&own, fmi_or(c->svsm_name, "svsm"), c->svsm, c->svsm_len,
			    gpa + c->svsm_len, c->ovmf_flags, err);
	if (ret)
		return ret;
	if (!own.has_svsm || !own.has_sev)
		return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: has no %s, expected an SVSM image",
				    fmi_or(c->svsm_name, "svsm"),
				    own.has_svsm ? "SEV metadata" : "SVSM entry");
	return check_svsm_sections(c, &own, err);
}

static int check_ovmf(const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		      struct fm_error *err)
{
	int ret = check_kernel(c, ovmf, err);

	if (!ret)
		ret = check_svsm(c, ovmf, err);
	if (ret)
		return ret;
	if (c->kind == FM_SEV_SNP && !ovmf->has_sev)
		return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
				    "%s: has no SEV metadata, expected an image built for SEV-SNP",
				    firmware_name(c));
	if (c->kind != FM_SEV && c->vcpus > 1 && !c->svsm && (!ovmf->has_reset || !ovmf->reset_eip))
		return fm_error_set(err, FM_ERR_UNSUPPORTED, 0,
				    "%s: SEV-ES reset vector is %s, expected one: %" PRIu32
				    " vCPUs cannot start",
				    firmware_name(c), ovmf->has_reset ? "0" : "missing", c->vcpus);
	return 0;
}

/* What the caller says was parsed: nothing of it may lead outside of the image or a page. */
static int check_given(const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		       struct fm_error *err)
{
	if (ovmf->section_count > FM_OVMF_SECTIONS_MAX ||
	    (ovmf->hashes_gpa & (FMI_PAGE - 1)) > FMI_PAGE - FM_SEV_HASHES_LEN)
		return fm_error_set(err, FM_ERR_ARG, 0, "ovmf: was not read by fm_ovmf_parse()");
	if (c->firmware && (c->firmware_len != ovmf->len || ovmf->len % FMI_PAGE))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "firmware: %zu bytes, expected those that ovmf was read from",
				    c->firmware_len);
	return 0;
}

int fmi_sev_check(struct fm_sev_config *c, struct fm_ovmf *ovmf, const struct fm_sev_config *config,
		  bool any_cpu, struct fm_error *err)
{
	int ret = fmi_config_copy(c, sizeof(*c), config, "fm_sev_config", err);

	if (ret)
		return ret;
	if (!c->guest_features)
		c->guest_features = 1;
	ret = check_fields(c, any_cpu, err);
	if (!ret)
		ret = check_snp(c, err);
	if (ret)
		return ret;
	if (c->ovmf)
		*ovmf = *c->ovmf;
	else if (c->firmware)
		ret = fm_ovmf_parse(ovmf, c->firmware_name, c->firmware, c->firmware_len, 0,
				    c->ovmf_flags, err);
	else
		ret = fm_error_set(err, FM_ERR_ARG, 0, "firmware: is missing");
	if (!ret && !c->firmware && !c->firmware_digest)
		ret = fm_error_set(err, FM_ERR_ARG, 0, "firmware: is missing, or its digest");
	if (!ret && c->ovmf)
		ret = check_given(c, ovmf, err);
	return ret ? ret : check_ovmf(c, ovmf, err);
}

uint64_t fmi_sev_svsm_gpa(const struct fm_sev_config *c, const struct fm_ovmf *ovmf)
{
	return ovmf->gpa - c->vars_len - c->svsm_len;
}

/* --- kernel hashes -------------------------------------------------------------------------- */

/* QEMU's target/i386/sev.c names them. */
static const struct fmi_guid table_guid =
	FMI_GUID(0x9438d606, 0x4f22, 0x4cc9, 0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21);
static const struct fmi_guid cmdline_guid =
	FMI_GUID(0x97d02dd8, 0xbd20, 0x4c94, 0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a);
static const struct fmi_guid initrd_guid =
	FMI_GUID(0x44baf731, 0x3a2f, 0x4bd7, 0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d);
static const struct fmi_guid kernel_guid =
	FMI_GUID(0x4de79437, 0xabd2, 0x427f, 0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b);

#define HASH_ENTRY 50u

static int put_hash(uint8_t *at, const struct fmi_guid *guid, const void *bytes, size_t len,
		    struct fm_error *err)
{
	memcpy(at, guid->bytes, 16);
	fmi_put_le16(at + 16, HASH_ENTRY);
	return fmi_digest_once(FM_DIGEST_SHA256, bytes, len, at + 18, err);
}

int fm_sev_hashes(void *out, const struct fm_sev_config *config, struct fm_error *err)
{
	uint8_t table[FM_SEV_HASHES_LEN] = { 0 };
	struct fm_sev_config c;
	const char *append;
	int ret = fmi_config_copy(&c, sizeof(c), config, "fm_sev_config", err);

	if (ret)
		return ret;
	if (!c.kernel)
		return fm_error_set(err, FM_ERR_ARG, 0, "kernel: is missing");
	append = c.append ? c.append : "";
	memcpy(table, table_guid.bytes, 16);
	fmi_put_le16(table + 16, 18 + 3 * HASH_ENTRY);
	ret = put_hash(table + 18, &cmdline_guid, append, strlen(append) + 1, err);
	if (!ret)
		ret = put_hash(table + 68, &initrd_guid, c.initrd, c.initrd ? c.initrd_len : 0,
			       err);
	if (!ret)
		ret = put_hash(table + 118, &kernel_guid, c.kernel, c.kernel_len, err);
	if (!ret)
		memcpy(out, table, sizeof(table));
	return ret;
}

/* --- SEV and SEV-ES -------------------------------------------------------------------------- */

/* Append to the stream, and tell. */
static int append(struct fm_digest *d, struct fm_transcript *t, const char *what, const char *part,
		  uint64_t gpa, const void *bytes, size_t len, struct fm_error *err)
{
	struct fm_measure_step step = { .gpa = gpa, .len = len };
	int ret = fm_digest_update(d, bytes, len, err);

	if (ret || !t)
		return ret;
	step.contents_len = step.running_len = FM_SEV_DIGEST_LEN;
	snprintf(step.what, sizeof(step.what), "%s", what);
	snprintf(step.part, sizeof(step.part), "%s", part);
	ret = fm_digest_bytes(FM_DIGEST_SHA256, bytes, len, step.contents, err);
	if (!ret)
		ret = fm_digest_peek(d, step.running, err);
	return ret ? ret : fm_transcript_add(t, &step, err);
}

int fmi_sev_memory(struct fm_digest *d, const struct fm_sev_config *c, struct fm_error *err)
{
	uint8_t table[FM_SEV_HASHES_LEN];
	int ret = append(d, c->transcript, "data", "firmware",
			 (UINT64_C(1) << 32) - c->firmware_len, c->firmware, c->firmware_len, err);

	if (ret || !c->kernel)
		return ret;
	ret = fm_sev_hashes(table, c, err);
	if (ret)
		return ret;
	return append(d, c->transcript, "data", "kernel-hashes", UINT64_MAX, table, sizeof(table),
		      err);
}

int fmi_sev_vmsas(uint8_t *first, uint8_t *others, const struct fm_sev_config *c,
		  const struct fm_ovmf *ovmf, struct fm_error *err)
{
	struct fm_vmsa_config v = { .struct_size = sizeof(v), .vmm = c->vmm };
	struct fm_ovmf own;
	int ret;

	v.cpu_sig = c->cpu_sig;
	v.sev_features = c->kind == FM_SEV_SNP ? c->guest_features : 0;
	if (c->svsm) {
		uint64_t gpa = fmi_sev_svsm_gpa(c, ovmf);

		ret = fm_ovmf_parse(&own, c->svsm_name, c->svsm, c->svsm_len, gpa + c->svsm_len,
				    c->ovmf_flags, err);
		if (ret)
			return ret;
		v.svsm = true;
		v.sev_features = 1; /* QEMU's SVSM launch, whatever the guest gets */
		v.svsm_rip = gpa + own.svsm_entry;
	}
	ret = fm_vmsa_page(first, &v, err);
	v.eip = ovmf->reset_eip;
	return ret ? ret : fm_vmsa_page(others, &v, err);
}

static int measure_sev(uint8_t *out, const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		       struct fm_error *err)
{
	uint8_t pages[2][FM_VMSA_LEN];
	struct fm_digest *d;
	char part[FM_STEP_PART_MAX];
	int ret = fm_digest_new(&d, FM_DIGEST_SHA256, err);

	if (ret)
		return ret;
	ret = fmi_sev_memory(d, c, err);
	if (!ret && c->kind == FM_SEV_ES)
		ret = fmi_sev_vmsas(pages[0], pages[1], c, ovmf, err);
	for (uint32_t i = 0; !ret && c->kind == FM_SEV_ES && i < c->vcpus; i++) {
		snprintf(part, sizeof(part), "vcpu %" PRIu32, i);
		ret = append(d, c->transcript, "vmsa", part, UINT64_MAX, pages[i != 0], FM_VMSA_LEN,
			     err);
	}
	if (!ret)
		ret = fm_digest_final(d, out, err);
	fm_digest_free(d);
	return ret;
}

/* --- SEV-SNP --------------------------------------------------------------------------------- */

static int snp_vcpus(struct fmi_snp *s, const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		     struct fm_error *err)
{
	uint8_t pages[2][FM_VMSA_LEN];
	uint8_t contents[2][FMI_SNP_LEN];
	char part[FM_STEP_PART_MAX] = "";
	int ret = fmi_sev_vmsas(pages[0], pages[1], c, ovmf, err);

	for (unsigned i = 0; !ret && i < 2; i++)
		ret = fmi_digest_once(FM_DIGEST_SHA384, pages[i], FM_VMSA_LEN, contents[i], err);
	for (uint32_t i = 0; !ret && i < c->vcpus; i++) {
		if (s->transcript)
			snprintf(part, sizeof(part), "vcpu %" PRIu32, i);
		ret = fmi_snp_update(s, FMI_SNP_VMSA, FMI_SNP_VMSA_GPA, contents[i && !c->svsm],
				     part, err);
	}
	return ret;
}

static int measure_snp(uint8_t *out, const struct fm_sev_config *c, const struct fm_ovmf *ovmf,
		       struct fm_error *err)
{
	struct fmi_snp s;
	int ret = fmi_snp_begin(&s, c->transcript, err);

	s.threads = c->threads;
	if (!ret)
		ret = fmi_snp_memory(&s, c, ovmf, err);
	if (!ret)
		ret = snp_vcpus(&s, c, ovmf, err);
	if (!ret)
		memcpy(out, s.ld, FMI_SNP_LEN);
	fmi_snp_end(&s);
	return ret;
}

int fm_sev_measure(void *out, const struct fm_sev_config *config, struct fm_error *err)
{
	static const char *const names[] = { "", "sev", "seves", "snp" };
	struct fm_sev_config c;
	struct fm_ovmf ovmf;
	int ret = fmi_sev_check(&c, &ovmf, config, false, err);

	if (ret)
		return ret;
	if (c.transcript)
		fm_transcript_set_technology(c.transcript, names[c.kind], NULL);
	return c.kind == FM_SEV_SNP ? measure_snp(out, &c, &ovmf, err)
				    : measure_sev(out, &c, &ovmf, err);
}

/* --- LAUNCH_MEASURE -------------------------------------------------------------------------- */

int fm_sev_hmac(void *out, const struct fm_sev_hmac_config *config, struct fm_error *err)
{
	struct fm_sev_hmac_config c;
	uint8_t m[56] = { 4 };
	int ret = fmi_config_copy(&c, sizeof(c), config, "fm_sev_hmac_config", err);

	if (ret)
		return ret;
	m[1] = c.api_major;
	m[2] = c.api_minor;
	m[3] = c.build;
	fmi_put_le32(m + 4, c.policy);
	memcpy(m + 8, c.digest, 32);
	memcpy(m + 40, c.mnonce, 16);
	return fm_digest_hmac(FM_DIGEST_SHA256, c.tik, sizeof(c.tik), m, sizeof(m), out, err);
}
