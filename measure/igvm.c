/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/igvm.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "measure/igvm_private.h"
#include "measure/sev_private.h"
#include "measure/tdx_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	NORMAL = 0,
	SECRETS = 1,
	CPUID = 2,
	CPUID_XF = 3
}; /* IgvmPageDataType */

/* A launch under way, on the one platform or the other. */
struct launch {
	const struct fm_igvm_config *c;
	struct fmi_igvm file;
	struct fmi_snp snp;
	struct fmi_tdx tdx;
	struct fm_igvm_report report;
	uint64_t pages;    /* that were added */
	uint64_t contents; /* of pages that were hashed */
	unsigned area_count;
	struct {
		uint64_t len;
		uint32_t index;
	} areas[FM_IGVM_AREAS_MAX]; /* of parameters: those declared so far */
};

static int count_pages(struct launch *l, uint64_t n, struct fm_error *err)
{
	l->pages += n;
	if (l->pages <= FM_IGVM_PAGES_MAX)
		return 0;
	return fm_error_set(err, FM_ERR_SIZE, 0,
			    "%s: 0x%" PRIx64 " pages so far, expected at most 0x%" PRIx64,
			    l->file.name, l->pages, FM_IGVM_PAGES_MAX);
}

/* What takes time is not pages but what is in them, and headers may share it. */
static int count_contents(struct launch *l, unsigned n, struct fm_error *err)
{
	uint64_t most = l->file.len / FMI_PAGE + FM_IGVM_EXTRA_MAX;

	l->contents += n;
	if (l->contents <= most)
		return 0;
	return fm_error_set(err, FM_ERR_SIZE, 0,
			    "%s: contents of 0x%" PRIx64
			    " pages are measured so far, expected at most 0x%" PRIx64
			    ": as many as the file has room for, and 0x%" PRIx64,
			    l->file.name, l->contents, most, FM_IGVM_EXTRA_MAX);
}

static int snp_page(struct launch *l, uint64_t gpa, const uint8_t *data, unsigned type,
		    bool unmeasured, struct fm_error *err)
{
	static const uint8_t zero[FMI_PAGE];

	if (type == SECRETS)
		return fmi_snp_update(&l->snp, FMI_SNP_SECRETS, gpa, NULL, "secrets", err);
	if (type == CPUID || type == CPUID_XF)
		return fmi_snp_update(&l->snp, FMI_SNP_CPUID, gpa, NULL, "cpuid", err);
	if (unmeasured)
		return fmi_snp_update(&l->snp, FMI_SNP_UNMEASURED, gpa, NULL, "page", err);
	if (!data && l->c->loader & FM_IGVM_NATIVE_ZERO)
		return fmi_snp_update(&l->snp, FMI_SNP_ZERO, gpa, NULL, "page", err);
	return fmi_snp_bytes(&l->snp, gpa, data ? data : zero, FMI_PAGE, "page", err);
}

static int page(struct launch *l, uint64_t gpa, const uint8_t *data, unsigned type, bool unmeasured,
		struct fm_error *err)
{
	if (l->c->platform == FM_IGVM_SNP)
		return snp_page(l, gpa, data, type, unmeasured, err);
	return fmi_tdx_page(&l->tdx, true, !unmeasured, gpa, data, "page", err);
}

/* Are bytes hashed for pages of the header? Those of zeros once for all on SEV-SNP. */
static bool has_contents(const struct launch *l, const struct fmi_igvm_header *h)
{
	if (fmi_le32(h->payload + 16) & FMI_IGVM_PAGE_UNMEASURED)
		return false;
	return l->c->platform == FM_IGVM_TDX ||
	       (fmi_le32(h->payload + 12) && fmi_le16(h->payload + 20) == NORMAL);
}

static int page_data(struct launch *l, const struct fmi_igvm_header *h, struct fm_error *err)
{
	const uint8_t *p = h->payload;
	uint32_t off = fmi_le32(p + 12), flags = fmi_le32(p + 16);
	unsigned n = flags & FMI_IGVM_2MB ? 512 : 1;
	int ret;

	if (flags & FMI_IGVM_SHARED && !(l->c->loader & FM_IGVM_MEASURE_SHARED))
		return 0;
	ret = count_pages(l, n, err);
	if (!ret && has_contents(l, h))
		ret = count_contents(l, n, err);
	for (unsigned i = 0; !ret && i < n; i++)
		ret = page(l, fmi_le64(p) + i * FMI_PAGE,
			   off ? l->file.bytes + off + i * FMI_PAGE : NULL, fmi_le16(p + 20),
			   flags & FMI_IGVM_PAGE_UNMEASURED, err);
	return ret;
}

/* The size of a parameter area that was declared; 0: it was not. */
static uint64_t area_len(const struct launch *l, uint32_t index)
{
	for (unsigned i = 0; i < l->area_count; i++) {
		if (l->areas[i].index == index)
			return l->areas[i].len;
	}
	return 0;
}

static int insert(struct launch *l, const struct fmi_igvm_header *h, struct fm_error *err)
{
	uint64_t gpa = fmi_le64(h->payload);
	uint32_t index = fmi_le32(h->payload + 12);
	uint64_t len = area_len(l, index);
	int ret;

	if (!len || fmi_wraps(gpa, len))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: 0x%zx: parameter area %" PRIu32 " at gpa 0x%" PRIx64
				    ", expected one declared before, that fits",
				    l->file.name, h->off, index, gpa);
	if (l->c->loader & FM_IGVM_INSERT_ONE)
		len = FMI_PAGE;
	ret = count_pages(l, len / FMI_PAGE, err);
	for (uint64_t at = 0; !ret && at < len; at += FMI_PAGE)
		ret = page(l, gpa + at, NULL, NORMAL, true, err);
	return ret;
}

static int vcpu(struct launch *l, const struct fmi_igvm_header *h, struct fm_error *err)
{
	const uint8_t *p = h->payload;
	uint8_t contents[FMI_SNP_LEN];
	int ret;

	/* TDX starts its vCPUs in a state of its own. */
	if (l->c->platform != FM_IGVM_SNP)
		return 0;
	ret = count_pages(l, 1, err);
	if (!ret)
		ret = count_contents(l, 1, err);
	if (!ret)
		ret = fmi_digest_once(FM_DIGEST_SHA384, l->file.bytes + fmi_le32(p + 12), FMI_PAGE,
				      contents, err);
	return ret ? ret
		   : fmi_snp_update(&l->snp, FMI_SNP_VMSA, fmi_le64(p), contents, "vcpu", err);
}

static int area(struct launch *l, const struct fmi_igvm_header *h, struct fm_error *err)
{
	uint32_t index = fmi_le32(h->payload + 8);

	if (area_len(l, index))
		return fm_error_set(err, FM_ERR_EXISTS, 0,
				    "%s: 0x%zx: parameter area %" PRIu32 " is declared again",
				    l->file.name, h->off, index);
	if (l->area_count == FM_IGVM_AREAS_MAX)
		return fm_error_set(err, FM_ERR_SIZE, 0,
				    "%s: 0x%zx: one more parameter area, expected at most %u",
				    l->file.name, h->off, FM_IGVM_AREAS_MAX);
	l->areas[l->area_count].index = index;
	l->areas[l->area_count++].len = fmi_le64(h->payload);
	return 0;
}

static int id_block(struct launch *l, const struct fmi_igvm_header *h, struct fm_error *err)
{
	if (l->report.has_id_block)
		return fm_error_set(err, FM_ERR_EXISTS, 0, "%s: 0x%zx: a second ID block",
				    l->file.name, h->off);
	l->report.has_id_block = true;
	memcpy(l->report.id_block_digest, h->payload + 8, FM_IGVM_LEN);
	return 0;
}

static int directive(struct launch *l, const struct fmi_igvm_header *h, struct fm_error *err)
{
	switch (h->type) {
	case FMI_IGVM_POLICY:
		l->report.has_policy = true;
		l->report.policy = fmi_le64(h->payload);
		return 0;
	case FMI_IGVM_AREA:
		return area(l, h, err);
	case FMI_IGVM_PAGE:
		return page_data(l, h, err);
	case FMI_IGVM_INSERT:
		return insert(l, h, err);
	case FMI_IGVM_VP:
		return vcpu(l, h, err);
	case FMI_IGVM_ID_BLOCK:
		return id_block(l, h, err);
	default:
		return 0;
	}
}

static int run(struct launch *l, struct fm_error *err)
{
	struct fmi_igvm_header h;
	size_t at = l->file.start;
	int ret = 0;

	while (!ret && fmi_igvm_next(&l->file, &at, &h)) {
		if (fmi_igvm_applies(&l->file, &h))
			ret = directive(l, &h, err);
	}
	if (ret)
		return ret;
	if (l->c->platform == FM_IGVM_TDX)
		return fm_digest_final(l->tdx.digest, l->report.digest, err);
	memcpy(l->report.digest, l->snp.ld, FM_IGVM_LEN);
	return 0;
}

int fm_igvm_measure(struct fm_igvm_report *out, const struct fm_igvm_config *config,
		    struct fm_error *err)
{
	struct fm_igvm_config c;
	struct launch l = { .c = &c };
	int ret = fmi_config_copy(&c, sizeof(c), config, "fm_igvm_config", err);

	if (ret)
		return ret;
	if (!c.bytes || (c.platform != FM_IGVM_SNP && c.platform != FM_IGVM_TDX) || c.loader >> 3)
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"fm_igvm_config: platform %d, loader 0x%x, expected bytes, 2 or "
			"3, at most 7",
			c.platform, c.loader);
	l.file.name = fmi_or(c.name, "igvm");
	l.file.bytes = c.bytes;
	l.file.len = c.len;
	ret = fmi_igvm_open(&l.file, c.platform, err);
	if (ret)
		return ret;
	if (c.transcript)
		fm_transcript_set_technology(
			c.transcript, c.platform == FM_IGVM_SNP ? "igvm-snp" : "igvm-tdx", NULL);
	ret = fmi_snp_begin(&l.snp, c.transcript, err);
	if (!ret)
		ret = fmi_tdx_begin(&l.tdx, c.transcript, err);
	if (!ret)
		ret = run(&l, err);
	fmi_tdx_end(&l.tdx);
	fmi_snp_end(&l.snp);
	if (!ret)
		*out = l.report;
	return ret;
}
