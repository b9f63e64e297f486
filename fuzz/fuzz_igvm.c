/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_igvm: IGVM files that are right but for a few fields, mostly with a right checksum, cut or not. What is
 * not changed is accepted on both platforms.
 */
#include "fuzz/igvm_build.h"
#include "fuzz/tape.h"

#include <firmem/igvm.h>

static const unsigned headers[] = { IGVM_PLATFORM_SNP, IGVM_PLATFORM_TDX, IGVM_POLICY, IGVM_AREA,
				    IGVM_PAGE,         IGVM_PAGE2,        IGVM_INSERT, IGVM_VP };

static void change(struct tape *t, uint8_t *file)
{
	static const uint64_t near[] = { IGVM_LEN, IGVM_DATA, 0x1000, 0x100000, 24, 0x301, 7 };
	uint64_t v = tape_edge(t, near[tape_below(t, 7)]);
	unsigned header = tape_below(t, 9);

	/* The header of the file, or a word of one behind it; types are near those that there are. */
	if (header == 8) {
		ovmf_put(file + 4 * tape_below(t, 6), 4, v);
		return;
	}
	if (tape_one_in(t, 6)) {
		ovmf_put(file + headers[header], 4, 0x300 + tape_below(t, 0x16));
		return;
	}
	ovmf_put(file + headers[header] + 4 * tape_below(t, 8), 4, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t file[IGVM_LEN];
	struct tape t = { bytes, len };
	struct fm_igvm_config c = { .struct_size = sizeof(c), .name = "fuzz" };
	struct fm_igvm_report report;
	struct fm_error err = { 0 };
	unsigned changes = tape_below(&t, 5);
	bool seal = !tape_one_in(&t, 8);
	uint8_t *exact;
	int ret;

	igvm_build(file);
	for (unsigned i = 0; i < changes; i++)
		change(&t, file);
	c.len = tape_one_in(&t, 8) ? tape_below(&t, IGVM_LEN + 1) : IGVM_LEN;
	if (changes && tape_one_in(&t, 2))
		ovmf_put(file + 16, 4, c.len);
	if (seal && changes) {
		size_t size = file[12] | (size_t)file[13] << 8;

		igvm_seal(file, size < IGVM_DATA - 24 ? size : IGVM_DATA - 24);
	}
	c.platform = tape_one_in(&t, 2) ? FM_IGVM_SNP : FM_IGVM_TDX;
	c.loader = tape_below(&t, 8);
	exact = malloc(c.len ? c.len : 1);
	memcpy(exact, file, c.len);
	c.bytes = exact;
	ret = fm_igvm_measure(&report, &c, &err);
	if (ret)
		TAPE_CHECK((changes || c.len != IGVM_LEN) && ret == err.code &&
			   !strncmp(err.msg, "fuzz: ", 6));
	else
		TAPE_CHECK(c.len >= IGVM_DATA || changes);
	free(exact);
	return 0;
}
