/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/identify.h>

#include "devices/config.h"
#include "measure/sev_private.h"

#include <inttypes.h>
#include <string.h>

#define SIGS_MAX 32u

struct search {
	const uint8_t *digest;
	struct fm_sev_config c;
	struct fm_ovmf ovmf;
	uint32_t vcpus_max;
	uint32_t sigs[SIGS_MAX];
	size_t sig_count;
	uint64_t features[2 + FM_IDENTIFY_FEATURES_MAX];
	size_t feature_count;
	uint8_t firmware[FMI_SNP_LEN]; /* the digest after its pages */
	struct fm_identified found;
	bool done;
};

static void add_sig(struct search *s, uint32_t sig)
{
	for (size_t i = 0; i < s->sig_count; i++) {
		if (s->sigs[i] == sig)
			return;
	}
	if (sig && s->sig_count < SIGS_MAX)
		s->sigs[s->sig_count++] = sig;
}

static int add_features(struct search *s, uint64_t features, struct fm_error *err)
{
	if (!(features & 1))
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"guest features: 0x%" PRIx64 ", expected bit 0 (SNP active) set", features);
	for (size_t i = 0; i < s->feature_count; i++) {
		if (s->features[i] == features)
			return 0;
	}
	s->features[s->feature_count++] = features;
	return 0;
}

static void keep(struct search *s, uint32_t vcpus)
{
	s->done = true;
	s->found.kind = s->c.kind;
	s->found.vmm = s->c.vmm;
	s->found.vcpus = vcpus;
	if (s->c.kind != FM_SEV && (s->c.svsm || fm_vmsa_vmm_tells_cpu(s->c.vmm)))
		s->found.cpu_sig = s->c.cpu_sig;
	if (s->c.kind == FM_SEV_SNP)
		s->found.guest_features = s->c.svsm ? 1 : s->c.guest_features;
}

/* --- SEV-SNP --------------------------------------------------------------------------------- */

/* One vCPU after the other, from where the memory ended. */
static int chain(struct search *s, struct fmi_snp *snp, const uint8_t *start, struct fm_error *err)
{
	uint8_t pages[2][FM_VMSA_LEN], contents[2][FMI_SNP_LEN];
	int ret = fmi_sev_vmsas(pages[0], pages[1], &s->c, &s->ovmf, err);

	for (unsigned i = 0; !ret && i < 2; i++)
		ret = fmi_digest_once(FM_DIGEST_SHA384, pages[i], FM_VMSA_LEN, contents[i], err);
	memcpy(snp->ld, start, FMI_SNP_LEN);
	for (uint32_t n = 0; !ret && !s->done && n < s->vcpus_max; n++) {
		ret = fmi_snp_update(snp, FMI_SNP_VMSA, FMI_SNP_VMSA_GPA, contents[n && !s->c.svsm],
				     "", err);
		s->found.tried++;
		if (!ret && !memcmp(snp->ld, s->digest, FMI_SNP_LEN))
			keep(s, n + 1);
	}
	return ret;
}

/* All CPUs and features of a VMM. */
static int snp_vmm(struct search *s, struct fmi_snp *snp, const uint8_t *start,
		   struct fm_error *err)
{
	bool tells = s->c.svsm || fm_vmsa_vmm_tells_cpu(s->c.vmm);
	size_t sigs = tells ? s->sig_count : 1;
	size_t features = s->c.svsm ? 1 : s->feature_count;
	int ret = 0;

	for (size_t f = 0; f < features; f++) {
		for (size_t i = 0; !ret && !s->done && i < sigs; i++) {
			s->c.guest_features = s->features[f];
			s->c.cpu_sig = s->sigs[i];
			ret = chain(s, snp, start, err);
		}
	}
	return ret;
}

/* VMMs that load the same memory in the same way are in one row. */
static int search_snp(struct search *s, struct fm_error *err)
{
	static const enum fm_vmm groups[3][2] = {
		{ FM_VMM_QEMU, FM_VMM_QEMU_PRE_6_10 },
		{ FM_VMM_EC2, FM_VMM_EC2_LEGACY },
		{ FM_VMM_GCE, FM_VMM_COUNT },
	};
	struct fmi_snp snp;
	uint8_t start[FMI_SNP_LEN];
	int ret = fmi_snp_begin(&snp, NULL, err);

	snp.threads = s->c.threads;
	if (!ret && !s->c.firmware_digest) {
		ret = fmi_snp_bytes(&snp, s->ovmf.gpa, s->c.firmware, s->c.firmware_len, "", err);
		memcpy(s->firmware, snp.ld, FMI_SNP_LEN);
		s->c.firmware_digest = s->firmware;
	}
	for (unsigned g = 0; !ret && !s->done && g < (s->c.svsm ? 1 : 3); g++) {
		s->c.vmm = groups[g][0];
		ret = fmi_snp_memory(&snp, &s->c, &s->ovmf, err);
		memcpy(start, snp.ld, FMI_SNP_LEN);
		for (unsigned i = 0; !ret && !s->done && i < (s->c.svsm ? 1 : 2); i++) {
			s->c.vmm = groups[g][i];
			if (s->c.vmm != FM_VMM_COUNT)
				ret = snp_vmm(s, &snp, start, err);
		}
	}
	fmi_snp_end(&snp);
	return ret;
}

/* --- SEV and SEV-ES -------------------------------------------------------------------------- */

static int stream(struct search *s, struct fm_digest *d, const struct fm_digest *memory,
		  struct fm_error *err)
{
	uint8_t pages[2][FM_VMSA_LEN], out[FM_SEV_DIGEST_LEN];
	int ret = fmi_sev_vmsas(pages[0], pages[1], &s->c, &s->ovmf, err);

	if (!ret)
		ret = fm_digest_copy(d, memory, err);
	for (uint32_t n = 0; !ret && !s->done && n < s->vcpus_max; n++) {
		ret = fm_digest_update(d, pages[n != 0], FM_VMSA_LEN, err);
		if (!ret)
			ret = fm_digest_peek(d, out, err);
		s->found.tried++;
		if (!ret && !memcmp(out, s->digest, sizeof(out)))
			keep(s, n + 1);
	}
	return ret;
}

static int search_es(struct search *s, struct fm_digest *d, const struct fm_digest *memory,
		     struct fm_error *err)
{
	int ret = 0;

	s->c.kind = FM_SEV_ES;
	for (unsigned v = 0; v < FM_VMM_COUNT; v++) {
		size_t sigs = fm_vmsa_vmm_tells_cpu((enum fm_vmm)v) ? s->sig_count : 1;

		s->c.vmm = (enum fm_vmm)v;
		for (size_t i = 0; !ret && !s->done && i < sigs; i++) {
			s->c.cpu_sig = s->sigs[i];
			ret = stream(s, d, memory, err);
		}
	}
	return ret;
}

static int search_sev(struct search *s, struct fm_error *err)
{
	struct fm_digest *memory = NULL, *d = NULL;
	uint8_t out[FM_SEV_DIGEST_LEN];
	int ret = fm_digest_new(&memory, FM_DIGEST_SHA256, err);

	if (!ret)
		ret = fm_digest_new(&d, FM_DIGEST_SHA256, err);
	if (!ret)
		ret = fmi_sev_memory(memory, &s->c, err);
	if (!ret)
		ret = fm_digest_peek(memory, out, err);
	s->found.tried++;
	if (!ret && !memcmp(out, s->digest, sizeof(out)))
		keep(s, 0);
	if (!ret && !s->done)
		ret = search_es(s, d, memory, err);
	fm_digest_free(d);
	fm_digest_free(memory);
	return ret;
}

/* --------------------------------------------------------------------------------------------- */

static int set_up(struct search *s, const struct fm_identify_config *c, struct fm_error *err)
{
	struct fm_sev_config launch;
	int ret;

	if (c->feature_count > FM_IDENTIFY_FEATURES_MAX)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "guest features: %zu, expected at most %u beside 0x1 and 0x21",
				    c->feature_count, FM_IDENTIFY_FEATURES_MAX);
	if (!c->digest || (c->digest_len != FM_SEV_DIGEST_LEN && c->digest_len != FMI_SNP_LEN))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "digest: %zu bytes, expected 48 (SEV-SNP) or 32 (SEV, SEV-ES)",
				    c->digest_len);
	ret = fmi_config_copy(&launch, sizeof(launch), c->launch, "fm_sev_config", err);
	if (ret)
		return ret;
	/* One vCPU needs no reset vector: how many there are comes out of the search. */
	launch.struct_size = sizeof(launch);
	launch.kind = c->digest_len == FMI_SNP_LEN ? FM_SEV_SNP : FM_SEV;
	launch.vmm = FM_VMM_QEMU;
	launch.vcpus = 1;
	launch.guest_features = 1;
	launch.transcript = NULL;
	ret = fmi_sev_check(&s->c, &s->ovmf, &launch, true, err);
	if (ret)
		return ret;
	s->digest = c->digest;
	s->vcpus_max = s->c.svsm || s->ovmf.reset_eip ? FM_IDENTIFY_VCPUS_MAX : 1;
	for (size_t i = 0; fm_vmsa_cpu_name(i); i++)
		add_sig(s, fm_vmsa_cpu_sig(fm_vmsa_cpu_name(i)));
	add_sig(s, launch.cpu_sig);
	ret = add_features(s, 0x1, err);
	if (!ret)
		ret = add_features(s, 0x21, err);
	for (size_t i = 0; !ret && i < c->feature_count; i++)
		ret = add_features(s, c->features[i], err);
	return ret;
}

int fm_identify_launch(struct fm_identified *out, const struct fm_identify_config *config,
		       struct fm_error *err)
{
	struct fm_identify_config c;
	struct search s = { .done = false };
	int ret = fmi_config_copy(&c, sizeof(c), config, "fm_identify_config", err);

	if (!ret)
		ret = set_up(&s, &c, err);
	if (!ret)
		ret = s.c.kind == FM_SEV_SNP ? search_snp(&s, err) : search_sev(&s, err);
	if (ret)
		return ret;
	if (!s.done)
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0,
				    "digest: none of %" PRIu64 " launches yields it",
				    s.found.tried);
	*out = s.found;
	return 0;
}
