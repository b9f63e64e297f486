/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_tdvf: firmware images that are right but for a few fields of the TDX descriptor. What is accepted can be
 * measured and keeps every rule; what was not changed is accepted.
 */
#include "fuzz/ovmf_build.h"
#include "fuzz/tape.h"

#include <firmem/tdx.h>

/* A field of the descriptor's header or of a section. */
static void change(struct tape *t, uint8_t *image)
{
	static const struct {
		unsigned at, size;
	} fields[] = { { 0, 4 }, { 4, 4 }, { 8, 8 }, { 16, 8 }, { 24, 4 }, { 28, 4 } };
	static const uint64_t near[] = { OVMF_LEN, 0x1000, 0x3000, 0xffffc000, 0x810000, 7, 3 };
	unsigned section = tape_below(t, OVMF_TDX_SECTIONS + 1);
	unsigned field = tape_below(t, section ? 6 : 4);
	uint64_t v = tape_edge(t, near[tape_below(t, 7)]);

	if (!section)
		ovmf_put(image + OVMF_TDVF + 4 * field, 4, v);
	else
		ovmf_put(image + OVMF_TDVF + 16 + 32 * (section - 1) + fields[field].at,
			 fields[field].size, tape_one_in(t, 2) ? v & ~UINT64_C(0xfff) : v);
}

static void check(const struct fm_tdvf *d, const uint8_t *image, size_t len)
{
	struct fm_tdx_config c = { .struct_size = sizeof(c), .firmware = image };
	uint64_t pages = 0, extended = 0;
	uint8_t out[48];

	TAPE_CHECK(d->section_count <= FM_TDVF_SECTIONS_MAX && d->hob < d->section_count);
	TAPE_CHECK(d->sections[d->hob].type == FM_TDVF_TD_HOB);
	for (uint32_t i = 0; i < d->section_count; i++) {
		const struct fm_tdvf_section *s = &d->sections[i];

		TAPE_CHECK(s->len && !(s->gpa % 4096) && !(s->len % 4096));
		TAPE_CHECK(s->data_off <= len && s->data_len <= len - s->data_off);
		TAPE_CHECK(s->data_len <= s->len);
		for (uint32_t k = 0; k < i; k++)
			TAPE_CHECK(s->gpa + s->len <= d->sections[k].gpa ||
				   d->sections[k].gpa + d->sections[k].len <= s->gpa);
		pages += s->attrs & FM_TDVF_AUG ? 0 : s->len / 4096;
		extended += s->attrs & FM_TDVF_EXTEND ? s->len / 4096 : 0;
	}
	TAPE_CHECK(pages <= FM_TDVF_PAGES_MAX && extended <= len / 4096 + FM_TDVF_EXTRA_MAX);
	fm_tdx_hob(out, d, 0x10000000, NULL);
	fm_tdx_cfv(out, d, image, len, NULL);
	c.firmware_len = len;
	c.order = pages % 2 ? FM_TDX_TWO_PASS : FM_TDX_INTERLEAVE;
	if (pages < 1024)
		TAPE_CHECK(!fm_tdx_mrtd(out, &c, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t image[OVMF_LEN];
	struct tape t = { bytes, len };
	struct fm_tdvf d;
	struct fm_error err = { 0 };
	unsigned changes = tape_below(&t, 5);
	/* Found by the table, or by the offset at the end. */
	bool table = !tape_one_in(&t, 3);
	uint64_t off = tape_one_in(&t, 4) ? tape_edge(&t, OVMF_LEN) : OVMF_TDVF;
	uint8_t *exact = malloc(OVMF_LEN);
	int ret;

	ovmf_build(image);
	for (unsigned i = 0; i < changes; i++)
		change(&t, image);
	if (!table) {
		memset(image + OVMF_LEN - 100, 0, 100);
		ovmf_put(image + OVMF_LEN - 32, 4, off);
	}
	memcpy(exact, image, OVMF_LEN);
	ret = fm_tdvf_parse(&d, "fuzz", exact, OVMF_LEN, 0, &err);
	if (!ret)
		check(&d, exact, OVMF_LEN);
	else
		TAPE_CHECK((changes || (!table && off != OVMF_TDVF)) && ret == err.code &&
			   !strncmp(err.msg, "fuzz: ", 6));
	free(exact);
	return 0;
}
