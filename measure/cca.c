/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/cca.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "measure/common.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRANULE FMI_PAGE
#define DESCRIPTOR 0x100u /* RmmMeasurementDescriptor* */

enum {
	TYPE_DATA = 0,
	TYPE_REC = 1,
	TYPE_RIPAS = 2
};
enum {
	FLAG_LPA2 = 1,
	FLAG_SVE = 2,
	FLAG_PMU = 4
};

struct fm_cca {
	enum fm_digest_alg hash;
	size_t len; /* of a digest */
	unsigned s2sz;
	unsigned levels; /* of the translation table */
	uint8_t rim[FM_CCA_LEN];
	struct fmi_pages *pages;
	struct fm_transcript *transcript;
};

/* --- the realm ------------------------------------------------------------------------------- */

static int check_realm(const struct fm_cca_realm *r, struct fm_error *err)
{
	if (r->hash != FM_DIGEST_SHA256 && r->hash != FM_DIGEST_SHA512)
		return fm_error_set(err, FM_ERR_ARG, 0, "hash: %s, expected sha256 or sha512",
				    fm_digest_name(r->hash));
	if (r->s2sz < 32 || r->s2sz > 52 || (r->s2sz > 48 && !r->lpa2))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "s2sz: %u, expected 32 to 48 bits, or to 52 with LPA2",
				    r->s2sz);
	if (r->sve_vl % 128 || r->sve_vl > 2048)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "SVE vector: %u bits, expected a multiple of 128 up to 2048",
				    r->sve_vl);
	if (r->pmu_ctrs > 31 || (r->pmu_ctrs && !r->pmu))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "PMU counters: %u, expected at most 31, with a PMU",
				    r->pmu_ctrs);
	if (r->bps < 2 || r->bps > 64 || r->wps < 2 || r->wps > 64)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "breakpoints, watchpoints: %u and %u, expected 2 to 64", r->bps,
				    r->wps);
	return 0;
}

static int set_defaults(struct fm_cca_realm *r, const struct fm_cca_realm *given,
			struct fm_error *err)
{
	int ret = fmi_config_copy(r, sizeof(*r), given, "fm_cca_realm", err);

	if (ret)
		return ret;
	r->hash = r->hash ? r->hash : FM_DIGEST_SHA256;
	r->s2sz = r->s2sz ? r->s2sz : 48;
	r->bps = r->bps ? r->bps : 6;
	r->wps = r->wps ? r->wps : 4;
	return check_realm(r, err);
}

/* H of one message, zeros behind it. */
static int hash(struct fm_cca *c, const void *bytes, size_t len, uint8_t *out, struct fm_error *err)
{
	memset(out + c->len, 0, FM_CCA_LEN - c->len);
	return fmi_digest_once(c->hash, bytes, len, out, err);
}

static int tell(struct fm_cca *c, const char *what, const char *part, uint64_t gpa, uint64_t len,
		const uint8_t *contents, struct fm_error *err)
{
	struct fm_measure_step step = { .gpa = gpa, .len = len, .running_len = (uint32_t)c->len };

	if (!c->transcript)
		return 0;
	snprintf(step.what, sizeof(step.what), "%s", what);
	snprintf(step.part, sizeof(step.part), "%s", part);
	memcpy(step.running, c->rim, c->len);
	if (contents) {
		step.contents_len = (uint32_t)c->len;
		memcpy(step.contents, contents, c->len);
	}
	return fm_transcript_add(c->transcript, &step, err);
}

static int create(struct fm_cca *c, const struct fm_cca_realm *r, struct fm_error *err)
{
	uint8_t page[GRANULE] = { 0 }; /* RmiRealmParams */
	int ret;

	fmi_put_le64(page, (r->lpa2 ? FLAG_LPA2 : 0) | (r->sve_vl ? FLAG_SVE : 0) |
				   (r->pmu ? FLAG_PMU : 0));
	page[0x08] = (uint8_t)r->s2sz;
	page[0x10] = (uint8_t)(r->sve_vl ? r->sve_vl / 128 - 1 : 0);
	page[0x18] = (uint8_t)(r->bps - 1);
	page[0x20] = (uint8_t)(r->wps - 1);
	page[0x28] = (uint8_t)r->pmu_ctrs;
	page[0x30] = r->hash == FM_DIGEST_SHA512;
	ret = hash(c, page, sizeof(page), c->rim, err);
	return ret ? ret : tell(c, "realm-create", "realm", UINT64_MAX, 0, c->rim, err);
}

int fm_cca_new(struct fm_cca **out, const struct fm_cca_realm *realm,
	       struct fm_transcript *transcript, struct fm_error *err)
{
	struct fm_cca_realm r;
	struct fm_cca *c;
	unsigned bits;
	int ret = set_defaults(&r, realm, err);

	if (ret)
		return ret;
	c = calloc(1, sizeof(*c));
	if (!c)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "realm: out of memory");
	c->hash = r.hash;
	c->len = fm_digest_len(r.hash);
	c->s2sz = r.s2sz;
	c->transcript = transcript;
	/* Tables of the first level are put together up to 16: that saves the level above. */
	bits = r.s2sz - 12;
	c->levels = (bits + 8) / 9;
	if (bits - 9 * (c->levels - 1) <= 4)
		c->levels--;
	if (transcript)
		fm_transcript_set_technology(transcript, "cca", NULL);
	ret = fmi_pages_new(&c->pages, r.hash, err);
	if (!ret)
		ret = create(c, &r, err);
	if (ret) {
		fm_cca_free(c);
		return ret;
	}
	*out = c;
	return 0;
}

void fm_cca_free(struct fm_cca *cca)
{
	if (!cca)
		return;
	fmi_pages_free(cca->pages);
	free(cca);
}

void fm_cca_rim(const struct fm_cca *cca, void *out)
{
	memcpy(out, cca->rim, FM_CCA_LEN);
}

/* --- operations ------------------------------------------------------------------------------ */

/* The upper half of the addresses is shared with the host. */
static int check_range(const struct fm_cca *c, const char *what, uint64_t ipa, uint64_t len,
		       struct fm_error *err)
{
	uint64_t end = UINT64_C(1) << (c->s2sz - 1);

	if (!len || !fmi_in_range(ipa, len, end))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: 0x%" PRIx64 " + 0x%" PRIx64
				    ", expected a part of the realm's 0 to 0x%" PRIx64,
				    what, ipa, len, end);
	return 0;
}

static int extend(struct fm_cca *c, uint8_t type, uint8_t *d, struct fm_error *err)
{
	d[0] = type;
	fmi_put_le64(d + 8, DESCRIPTOR);
	memcpy(d + 0x10, c->rim, FM_CCA_LEN);
	return hash(c, d, DESCRIPTOR, c->rim, err);
}

int fm_cca_ripas(struct fm_cca *cca, uint64_t base, uint64_t top, struct fm_error *err)
{
	int ret;

	if (top <= base || !fmi_is_aligned(base | top, GRANULE))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "RAM: 0x%" PRIx64 " to 0x%" PRIx64
				    ", expected whole granules of 4096, at least one",
				    base, top);
	ret = check_range(cca, "RAM", base, top - base, err);
	while (!ret && base < top) {
		uint8_t d[DESCRIPTOR] = { 0 };
		unsigned i = cca->levels - 1;
		uint64_t block;

		/* The largest block of a level that begins here and fits. */
		for (;; i--) {
			block = (uint64_t)GRANULE << 9 * i;
			if (fmi_is_aligned(base, block) && top - base >= block)
				break;
		}
		fmi_put_le64(d + 0x50, base);
		fmi_put_le64(d + 0x58, base + block);
		ret = extend(cca, TYPE_RIPAS, d, err);
		if (!ret)
			ret = tell(cca, "ripas", "ram", base, block, NULL, err);
		base += block;
	}
	return ret;
}

static int granule(struct fm_cca *c, uint64_t ipa, const uint8_t *contents, const char *part,
		   struct fm_error *err)
{
	uint8_t d[DESCRIPTOR] = { 0 };
	int ret;

	fmi_put_le64(d + 0x50, ipa);
	if (contents) {
		d[0x58] = 1; /* RMI_MEASURE_CONTENT */
		memcpy(d + 0x60, contents, c->len);
	}
	ret = extend(c, TYPE_DATA, d, err);
	return ret ? ret
		   : tell(c, contents ? "data" : "data-unmeasured", part, ipa, GRANULE, contents,
			  err);
}

int fm_cca_data(struct fm_cca *cca, uint64_t ipa, const void *bytes, size_t len, const char *part,
		struct fm_error *err)
{
	const uint8_t *b = bytes;
	uint8_t contents[FM_DIGEST_MAX], page[GRANULE];
	int ret = check_range(cca, part, ipa, len, err);
	size_t at = 0;

	while (!ret && at < len) {
		size_t skip = (size_t)((ipa + at) % GRANULE);
		size_t n = len - at < GRANULE - skip ? len - at : GRANULE - skip;

		if (n == GRANULE) {
			ret = fmi_pages_digest(cca->pages, b + at, contents, err);
		} else {
			memset(page, 0, sizeof(page));
			memcpy(page + skip, b + at, n);
			ret = fmi_digest_once(cca->hash, page, sizeof(page), contents, err);
		}
		if (!ret)
			ret = granule(cca, ipa + at - skip, contents, part, err);
		at += n;
	}
	return ret;
}

int fm_cca_unmeasured(struct fm_cca *cca, uint64_t ipa, uint64_t len, const char *part,
		      struct fm_error *err)
{
	int ret = check_range(cca, part, ipa, len, err);

	if (!ret && !fmi_is_aligned(ipa | len, GRANULE))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "%s: 0x%" PRIx64 " + 0x%" PRIx64
				    ", expected whole granules of 4096",
				    part, ipa, len);
	for (uint64_t at = 0; !ret && at < len; at += GRANULE)
		ret = granule(cca, ipa + at, NULL, part, err);
	return ret;
}

int fm_cca_rec(struct fm_cca *cca, uint64_t pc, const uint64_t gprs[8], struct fm_error *err)
{
	uint8_t page[GRANULE] = { 0 }; /* RmiRecParams */
	uint8_t d[DESCRIPTOR] = { 0 };
	uint8_t contents[FM_CCA_LEN];
	int ret;

	page[0] = 1; /* runnable */
	fmi_put_le64(page + 0x200, pc);
	for (unsigned i = 0; i < 8; i++)
		fmi_put_le64(page + 0x300 + 8 * i, gprs[i]);
	ret = hash(cca, page, sizeof(page), contents, err);
	if (ret)
		return ret;
	memcpy(d + 0x50, contents, FM_CCA_LEN);
	ret = extend(cca, TYPE_REC, d, err);
	return ret ? ret : tell(cca, "rec-create", "vcpu 0", pc, 0, contents, err);
}

int fm_cca_extend(enum fm_digest_alg hash, void *rem, const void *value, size_t len,
		  struct fm_error *err)
{
	if (hash != FM_DIGEST_SHA256 && hash != FM_DIGEST_SHA512)
		return fm_error_set(err, FM_ERR_ARG, 0, "hash: %s, expected sha256 or sha512",
				    fm_digest_name(hash));
	if (!len || len > FM_CCA_LEN)
		return fm_error_set(err, FM_ERR_ARG, 0, "value: %zu bytes, expected 1 to %u", len,
				    FM_CCA_LEN);
	return fm_digest_extend(hash, rem, value, len, err);
}
