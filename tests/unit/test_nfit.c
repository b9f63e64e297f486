/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include "devices/bytes.h"

#include <firmem/nfit.h>

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)

static struct fm_nfit *make(void)
{
	struct fm_nfit *n = NULL;

	assert_int_equal(fm_nfit_new(&n, NULL), 0);
	return n;
}

static uint8_t *finish(struct fm_nfit *n, size_t *len)
{
	struct fm_error err = { 0 };
	void *bytes = NULL;

	if (fm_nfit_finish(n, false, &bytes, len, &err))
		fail_msg("%s", err.msg);
	return bytes;
}

static size_t load(const char *path, uint8_t *bytes, size_t room)
{
	FILE *file = fopen(path, "rb");
	size_t n;

	assert_non_null(file);
	n = fread(bytes, 1, room, file);
	fclose(file);
	return n;
}

/* In the order in which that QEMU told of its four. */
static void a_table_of_qemus_is_made_byte_for_byte(void **state)
{
	static const struct fm_nfit_qemu dimms[] = {
		{ .slot = 0, .base = 4 * GIB, .len = 256 * MIB },
		{ .slot = 2, .base = 0x118000000, .len = 128 * MIB },
		{ .slot = 1, .base = 0x110000000, .len = 128 * MIB },
		{ .slot = 3, .base = 0x120000000, .len = 64 * MIB, .unarmed = true },
	};
	struct fm_nfit *n;
	uint8_t theirs[1024];
	char path[300];
	uint8_t *ours;
	size_t len;

	UNIT_VECTOR(path, "nvdimm/nfit-qemu72-4dimm.bin");
	n = make();
	for (size_t i = 0; i < 4; i++)
		fm_nfit_add_qemu(n, &dimms[i]);
	fm_nfit_add_capabilities(n, FM_NFIT_CPU_CACHE | FM_NFIT_CONTROLLER);
	ours = finish(n, &len);
	assert_int_equal(load(path, theirs, sizeof(theirs)), len);
	assert_memory_equal(ours, theirs, len);
	free(ours);
	fm_nfit_free(n);
}

/* The raw data at the end of a disassembly. */
static size_t load_dsl(const char *path, uint8_t *bytes, size_t room)
{
	FILE *file = fopen(path, "r");
	bool raw = false;
	char line[200];
	size_t len = 0;
	unsigned at;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *p = strchr(line, ':');

		raw |= strstr(line, "Raw Table Data") != NULL;
		if (!raw || !p || sscanf(line, " %x:", &at) != 1 || at != len)
			continue;
		for (unsigned byte, n; len < room && sscanf(++p, "%2x%n", &byte, (int *)&n) == 1;
		     p += n)
			bytes[len++] = (uint8_t)byte;
	}
	fclose(file);
	return len;
}

/* Two DIMMs of one interleave set, with flush hints; that table has a header of its own. */
static void an_interleaved_set_with_hints_is_made_byte_for_byte(void **state)
{
	struct fm_nfit *n;
	uint8_t theirs[1024];
	char path[300];
	uint8_t *ours;
	size_t len;

	UNIT_VECTOR(path, "nvdimm/nfit-interleave2-flushhint-cap.dsl");
	n = make();
	fm_nfit_add_spa(n, &(struct fm_nfit_spa){ .index = 1,
						  .flags = FM_NFIT_SPA_PROXIMITY,
						  .base = 512 * MIB,
						  .len = 256 * MIB });
	for (uint16_t i = 0; i < 2; i++) {
		const uint32_t handle = fm_nfit_handle(0, 0, 0, i, 1);
		const uint32_t offset = i * 0x1000u;
		const uint64_t hints[2] = { 0x30010000 + i * 0x100u, 0x30010040 + i * 0x100u };

		fm_nfit_add_memdev(n, &(struct fm_nfit_memdev){ .handle = handle,
								.phys_id = i,
								.region_id = i,
								.spa = 1,
								.control = (uint16_t)(i + 1),
								.size = 128 * MIB,
								.region_offset = offset,
								.interleave = (uint16_t)(i + 1),
								.ways = 2 });
		fm_nfit_add_interleave(n, (uint16_t)(i + 1), 0x1000, &offset, 1);
		fm_nfit_add_control(n, &(struct fm_nfit_control){ .index = (uint16_t)(i + 1),
								  .vendor = 0x8086,
								  .device = 0x5555,
								  .revision = 1,
								  .subsystem_vendor = 0x8086,
								  .subsystem_device = 0x1234,
								  .manufacturing = true,
								  .mfg_location = 7,
								  .mfg_date = 0x2622,
								  .serial = 0xcafe0001u + i,
								  .format = 0x301 });
		fm_nfit_add_flush_hint(n, handle, hints, 2);
	}
	fm_nfit_add_capabilities(n, FM_NFIT_CONTROLLER);
	ours = finish(n, &len);
	assert_int_equal(load_dsl(path, theirs, sizeof(theirs)), len);
	assert_memory_equal(ours + 40, theirs + 40, len - 40);
	free(ours);
	fm_nfit_free(n);
}

static void the_other_types_have_their_lengths(void **state)
{
	struct fm_nfit *n = make();
	uint8_t *p;
	size_t len;

	fm_nfit_add_smbios(n, "abc", 3);
	fm_nfit_add_control(n, &(struct fm_nfit_control){ .index = 9, .windows = 1 });
	fm_nfit_add_block_window(
		n, &(struct fm_nfit_block_window){ .control = 9, .windows = 1, .capacity = 77 });
	fm_nfit_add_spa(n,
			&(struct fm_nfit_spa){
				.index = 1, .flags = FM_NFIT_SPA_COOKIE, .len = 1, .cookie = 5 });
	p = finish(n, &len);
	assert_int_equal(len, 40 + 11 + 80 + 40 + 64);
	assert_memory_equal(p + 48, "abc", 3);
	assert_int_equal(fmi_le16(p + 40 + 11 + 80), FM_NFIT_BLOCK_WINDOW);
	assert_int_equal(fmi_le64(p + 40 + 11 + 80 + 24), 77);
	assert_int_equal(fmi_le64(p + len - 8), 5);
	free(p);
	fm_nfit_free(n);
}

static void the_sum_of_a_table_is_zero_and_fit_has_no_header(void **state)
{
	const struct fm_nfit_qemu dimm = { .slot = 0, .len = 1 };
	struct fm_nfit *n = make();
	uint8_t sum = 0, *p;
	void *fit;
	size_t len;

	fm_nfit_add_qemu(n, &dimm);
	p = finish(n, &len);
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	assert_int_equal(sum, 0);
	fm_nfit_add_qemu(n, &dimm);
	assert_int_equal(fm_nfit_finish(n, true, &fit, &len, NULL), 0);
	assert_int_equal(len, 56 + 48 + 80);
	assert_memory_equal(fit, p + 40, len);
	free(fit);
	free(p);
	p = finish(n, &len);
	assert_int_equal(len, 40);
	free(p);
	fm_nfit_free(n);
}

static void refused(struct fm_nfit *n, const char *word)
{
	struct fm_error err = { 0 };
	void *bytes = NULL;
	size_t len = 3;

	assert_int_equal(fm_nfit_finish(n, false, &bytes, &len, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, word));
	assert_null(bytes);
	assert_int_equal(len, 3);
}

static void tables_that_contradict_themselves_are_refused(void **state)
{
	struct fm_nfit *n = make();
	uint32_t offsets[1] = { 0 };

	fm_nfit_add_memdev(n, &(struct fm_nfit_memdev){ .spa = 3 });
	refused(n, "range index of a DIMM: 0x3");
	fm_nfit_add_memdev(n, &(struct fm_nfit_memdev){ .control = 3 });
	refused(n, "control region of a DIMM");
	fm_nfit_add_memdev(n, &(struct fm_nfit_memdev){ .interleave = 3 });
	refused(n, "interleave of a DIMM");
	fm_nfit_add_block_window(n, &(struct fm_nfit_block_window){ .control = 1 });
	refused(n, "block windows");
	fm_nfit_add_control(n, &(struct fm_nfit_control){ .index = 1 });
	fm_nfit_add_control(n, &(struct fm_nfit_control){ .index = 1 });
	refused(n, "index: 0x1");
	fm_nfit_add_control(n, &(struct fm_nfit_control){ .index = 0 });
	refused(n, "control region index");
	fm_nfit_add_spa(n, &(struct fm_nfit_spa){ .index = 1, .base = 2, .len = UINT64_MAX });
	refused(n, "length of a range");
	fm_nfit_add_interleave(n, 1, 4096, offsets, 0);
	refused(n, "lines");
	fm_nfit_add_flush_hint(n, 1, NULL, 0);
	refused(n, "flush hints");
	fm_nfit_add_qemu(n, &(struct fm_nfit_qemu){ .slot = 256, .len = 1 });
	refused(n, "slot: 0x100");
	fm_nfit_add_smbios(n, "", 65528);
	refused(n, "length of a structure");
	fm_nfit_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_of_qemus_is_made_byte_for_byte),
		cmocka_unit_test(an_interleaved_set_with_hints_is_made_byte_for_byte),
		cmocka_unit_test(the_other_types_have_their_lengths),
		cmocka_unit_test(the_sum_of_a_table_is_zero_and_fit_has_no_header),
		cmocka_unit_test(tables_that_contradict_themselves_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
