/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_ovmf: firmware images that are right but for a few fields of OVMF's table and the SEV metadata. What is
 * accepted keeps every rule that a launch relies on; what was not changed is accepted.
 */
#include "fuzz/ovmf_build.h"
#include "fuzz/tape.h"

#include <firmem/sev.h>

/* Fields that mean something: offset, bytes. */
static const struct {
	unsigned at, size;
} fields[] = {
	{ OVMF_END, 2 },       { OVMF_RESET, 4 },      { OVMF_RESET + 4, 2 },
	{ OVMF_HASHES, 4 },    { OVMF_HASHES + 4, 4 }, { OVMF_HASHES + 8, 2 },
	{ OVMF_SEV, 4 },       { OVMF_SEV + 4, 2 },    { OVMF_TDX, 4 },
	{ OVMF_TDX + 4, 2 },   { OVMF_LAST + 2, 2 },   { OVMF_META, 4 },
	{ OVMF_META + 4, 4 },  { OVMF_META + 8, 4 },   { OVMF_META + 12, 4 },
	{ OVMF_META + 16, 4 }, { OVMF_META + 20, 4 },  { OVMF_META + 24, 4 },
	{ OVMF_META + 28, 4 }, { OVMF_META + 32, 4 },  { OVMF_META + 36, 4 },
	{ OVMF_META + 40, 4 }, { OVMF_META + 44, 4 },  { OVMF_META + 48, 4 },
	{ OVMF_META + 52, 4 }, { OVMF_META + 56, 4 },  { OVMF_META + 60, 4 },
	{ OVMF_LAST + 4, 16 }, { OVMF_RESET + 6, 16 }, { OVMF_SEV + 6, 16 },
};

#define FIELDS (sizeof(fields) / sizeof(*fields))

/* Near something that matters to this field. */
static uint64_t value(struct tape *t)
{
	static const uint64_t near[] = { OVMF_LEN, 16, 18, 0x800000, 0x1000, 0xffffc000, 6 };

	return tape_edge(t, near[tape_below(t, sizeof(near) / sizeof(*near))]);
}

static void change(struct tape *t, uint8_t *image)
{
	unsigned i = tape_below(t, FIELDS);

	/* A GUID becomes that of another entry. */
	if (fields[i].size == 16) {
		static const unsigned guids[] = { OVMF_RESET + 6, OVMF_HASHES + 10, OVMF_SEV + 6,
						  OVMF_TDX + 6 };

		memmove(image + fields[i].at, image + guids[tape_below(t, 4)], 16);
		return;
	}
	ovmf_put(image + fields[i].at, fields[i].size, value(t));
}

static void check_section(const struct fm_ovmf *o, const struct fm_ovmf_section *s)
{
	TAPE_CHECK(s->len && !(s->gpa % 4096) && !(s->len % 4096));
	TAPE_CHECK(s->gpa + (uint64_t)s->len <= UINT64_C(1) << 32);
	TAPE_CHECK(s->gpa + (uint64_t)s->len <= o->gpa || s->gpa >= o->gpa + o->len);
	TAPE_CHECK(s->off < o->len);
	for (const struct fm_ovmf_section *p = o->sections; p < s; p++)
		TAPE_CHECK(s->gpa + (uint64_t)s->len <= p->gpa ||
			   p->gpa + (uint64_t)p->len <= s->gpa);
}

static void check(const struct fm_ovmf *o, const uint8_t *image, size_t len)
{
	struct fm_sev_config c = { .struct_size = sizeof(c), .kind = FM_SEV_SNP, .vcpus = 2 };
	struct fm_error err = { 0 };
	uint64_t pages = 0;
	uint8_t out[48];
	int ret;

	TAPE_CHECK(o->len == len && o->section_count <= FM_OVMF_SECTIONS_MAX);
	TAPE_CHECK(!o->has_tdvf || o->tdvf_off < len);
	for (uint32_t i = 0; i < o->section_count; i++) {
		check_section(o, &o->sections[i]);
		pages += o->sections[i].len / 4096;
	}
	c.firmware = image;
	c.firmware_len = len;
	c.ovmf = o;
	c.vmm = FM_VMM_GCE;
	if (pages > 4096)
		return; /* takes long, and is no other way */
	ret = fm_sev_measure(out, &c, &err);
	TAPE_CHECK(!ret || ret == FM_ERR_UNSUPPORTED);
	c.kernel = "";
	ret = fm_sev_measure(out, &c, &err);
	TAPE_CHECK(!ret || ret == FM_ERR_UNSUPPORTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t image[OVMF_LEN];
	struct tape t = { bytes, len };
	struct fm_ovmf o;
	struct fm_error err = { 0 };
	unsigned changes = tape_below(&t, 5);
	size_t given = tape_one_in(&t, 8) ? 4096 * tape_below(&t, 5) : OVMF_LEN;
	unsigned flags = tape_one_in(&t, 4) ? FM_OVMF_AS_QEMU : 0;
	uint8_t *exact;
	int ret;

	ovmf_build(image);
	for (unsigned i = 0; i < changes; i++)
		change(&t, image);
	if (tape_one_in(&t, 32))
		given = tape_below(&t, 200);
	/* Of just its size, its end kept, so that a sanitizer sees a read before or behind it. */
	exact = malloc(given ? given : 1);
	memcpy(exact, image + OVMF_LEN - given, given);
	ret = fm_ovmf_parse(&o, "fuzz", exact, given, 0, flags, &err);
	if (!ret)
		check(&o, exact, given);
	else
		TAPE_CHECK((changes || given != OVMF_LEN) && ret == err.code &&
			   !strncmp(err.msg, "fuzz: ", 6) && ret != FM_ERR_NOMEM);
	free(exact);
	return 0;
}
