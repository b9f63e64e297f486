/* SPDX-License-Identifier: BSD-2-Clause */
/* What an NFIT says of the DIMMs that make a range: the interleave set that labels are for. */
#include "tools/firmem/nvdimm_set.h"

#include "tools/firmem/input.h"

#include <firmem/nfit.h>

#include <stdlib.h>
#include <string.h>

#define NFIT_MAX (1u << 20)
#define HEADER 40 /* bytes; of its first 36 each ACPI table has as many */

struct nfit {
	const char *path;
	uint8_t *bytes;
	size_t len;
};

static uint64_t get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

/* --- the table ----------------------------------------------------------------------------------- */

/* Bytes that a structure of that type has at least, of those that are read here. */
static size_t least_of(unsigned type)
{
	return type == FM_NFIT_SPA       ? 56
	       : type == FM_NFIT_MEMDEV  ? 48
	       : type == FM_NFIT_CONTROL ? 32
					 : 4;
}

static bool check_structures(const struct nfit *n)
{
	size_t len;

	for (size_t at = HEADER; at < n->len; at += len) {
		size_t left = n->len - at;
		unsigned type = left < 4 ? 0 : (unsigned)get(n->bytes + at, 2);

		len = left < 4 ? 0 : (size_t)get(n->bytes + at + 2, 2);
		if (len >= least_of(type) && len <= left)
			continue;
		complain("%s: structure at 0x%zx: length: %zu, expected %zu to %zu", n->path, at,
			 len, least_of(type), left);
		return false;
	}
	return true;
}

static bool check_table(const struct nfit *n)
{
	uint8_t sum = 0;

	if (n->len < HEADER || memcmp(n->bytes, "NFIT", 4)) {
		complain("%s: signature: \"%.4s\", expected \"NFIT\"", n->path,
			 n->len < 4 ? "" : (const char *)n->bytes);
		return false;
	}
	if (get(n->bytes + 4, 4) != n->len) {
		complain("%s: length: %llu, expected the file's %zu", n->path,
			 (unsigned long long)get(n->bytes + 4, 4), n->len);
		return false;
	}
	for (size_t i = 0; i < n->len; i++)
		sum = (uint8_t)(sum + n->bytes[i]);
	if (!sum)
		return check_structures(n);
	complain("%s: checksum: the bytes make 0x%02x, expected 0", n->path, sum);
	return false;
}

/* The next structure of a type behind `from` (NULL: the first) with that value in a u16, or NULL. */
static const uint8_t *next(const struct nfit *n, const uint8_t *from, enum fm_nfit_type type,
			   unsigned off, uint64_t value)
{
	const uint8_t *end = n->bytes + n->len;
	const uint8_t *p = from ? from + get(from + 2, 2) : n->bytes + HEADER;

	for (; p < end; p += get(p + 2, 2)) {
		if (get(p, 2) == type && get(p + off, 2) == value)
			return p;
	}
	return NULL;
}

/* --- the range ----------------------------------------------------------------------------------- */

/* How many DIMMs have a part of the range of each index, in one walk. malloc'd. */
static uint32_t *count_dimms(const struct nfit *n)
{
	uint32_t *counts = out_need(calloc(UINT16_MAX + 1, sizeof(*counts)));
	const uint8_t *end = n->bytes + n->len;

	for (const uint8_t *p = n->bytes + HEADER; p < end; p += get(p + 2, 2)) {
		if (get(p, 2) == FM_NFIT_MEMDEV)
			counts[get(p + 12, 2)]++;
	}
	return counts;
}

static bool is_pmem(const uint8_t *spa)
{
	uint8_t pmem[16];

	fm_label_pmem_guid(pmem);
	return !memcmp(spa + 16, pmem, sizeof(pmem));
}

/* The range of that index, or the only one of so many DIMMs. False: there are two; else *out may be NULL. */
static bool find_only(const struct nfit *n, const uint32_t *counts, size_t count, uint64_t index,
		      const uint8_t **out)
{
	const uint8_t *end = n->bytes + n->len;

	*out = NULL;
	for (const uint8_t *p = n->bytes + HEADER; p < end; p += get(p + 2, 2)) {
		if (get(p, 2) != FM_NFIT_SPA || !is_pmem(p) || counts[get(p + 4, 2)] != count ||
		    (index && get(p + 4, 2) != index))
			continue;
		if (*out) {
			complain("%s: ranges: %u and %u both have %zu DIMMs, expected --range",
				 n->path, (unsigned)get(*out + 4, 2), (unsigned)get(p + 4, 2),
				 count);
			return false;
		}
		*out = p;
	}
	return true;
}

static const uint8_t *find_range(const struct nfit *n, size_t count, uint64_t index)
{
	uint32_t *counts = count_dimms(n);
	const uint8_t *found;
	bool ok = find_only(n, counts, count, index, &found);

	free(counts);
	if (!ok || found)
		return ok ? found : NULL;
	if (index)
		complain(
			"%s: --range: %llu is no range of persistent memory on %zu DIMMs, expected one",
			n->path, (unsigned long long)index, count);
	else
		complain("%s: ranges: none is of persistent memory on %zu DIMMs, expected one",
			 n->path, count);
	return NULL;
}

static bool take_dimm(const struct nfit *n, const uint8_t *dimm, struct nvdimm_range *out)
{
	const uint8_t *control = next(n, NULL, FM_NFIT_CONTROL, 4, get(dimm + 14, 2));
	uint64_t size = get(dimm + 16, 8), dpa = get(dimm + 32, 8);

	if (!control) {
		complain("%s: DIMM 0x%llx: control region: %llu is not there, expected one that is",
			 n->path, (unsigned long long)get(dimm + 4, 4),
			 (unsigned long long)get(dimm + 14, 2));
		return false;
	}
	if (out->count && (size != out->size || dpa != out->dpa)) {
		complain(
			"%s: DIMM 0x%llx: 0x%llx bytes at DPA 0x%llx, expected 0x%llx at 0x%llx as its set's first",
			n->path, (unsigned long long)get(dimm + 4, 4), (unsigned long long)size,
			(unsigned long long)dpa, (unsigned long long)out->size,
			(unsigned long long)out->dpa);
		return false;
	}
	out->size = size;
	out->dpa = dpa;
	out->dimms[out->count++] = (struct fm_label_mapping){
		.region_offset = get(dimm + 24, 8),
		.serial = (uint32_t)get(control + 24, 4),
		.vendor = (uint16_t)get(control + 6, 2),
		.mfg_date = (uint16_t)get(control + 20, 2),
		.mfg_loc = control[19],
	};
	return true;
}

static bool take_range(const struct nfit *n, size_t count, uint64_t index, struct nvdimm_range *out)
{
	const uint8_t *spa = check_table(n) ? find_range(n, count, index) : NULL;
	const uint8_t *dimm = NULL;

	*out = (struct nvdimm_range){ .count = 0 };
	while (spa && (dimm = next(n, dimm, FM_NFIT_MEMDEV, 12, get(spa + 4, 2)))) {
		if (!take_dimm(n, dimm, out))
			return false;
	}
	return spa;
}

bool nvdimm_range_read(const char *path, size_t count, uint64_t index, struct nvdimm_range *out)
{
	struct nfit n = { .path = path };
	void *bytes;
	bool ok;

	if (!input_read(path, NFIT_MAX, &bytes, &n.len))
		return false;
	n.bytes = bytes;
	ok = take_range(&n, count, index, out);
	free(bytes);
	return ok;
}
