/* SPDX-License-Identifier: BSD-2-Clause */
/* "simple-framebuffer" nodes: written, read back as video memory, and not believed when they lie. */
#include "tests/unit/unit.h"

#include <firmem/vram.h>

static const struct fm_fdt_binding binding = { "simple-framebuffer", fm_vram_fdt_build, NULL };

static int build(struct fm_machine **machine, struct fm_fdt *fdt, struct fm_error *err)
{
	void *blob;
	size_t len;
	int rc;

	assert_int_equal(fm_fdt_finish(fdt, &blob, &len, err), 0);
	rc = fm_machine_from_fdt(machine, blob, len, &binding, 1, NULL, err);
	fm_fdt_free(fdt);
	free(blob);
	return rc;
}

static struct fm_fdt *tree(void)
{
	struct fm_fdt *fdt;

	assert_int_equal(fm_fdt_new(&fdt, NULL), 0);
	return fdt;
}

static void a_node_that_was_written_is_read_back_as_the_same_mode(void **state)
{
	const struct fm_vram_mode mode = { 640, 480, 1280, FM_VRAM_RGB565, 0 };
	struct fm_fdt *fdt = tree();
	struct fm_machine *machine;
	struct fm_vram_mode got;
	struct fm_block *block;
	struct fm_error err = { 0 };

	fm_fdt_add_framebuffer(fdt, 0x10000000, &mode);
	if (build(&machine, fdt, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(fm_vram_mode(fm_machine_dev(machine, "framebuffer@10000000"), &got), 0);
	assert_memory_equal(&got, &mode, sizeof(got));
	block = fm_machine_block(machine, "framebuffer@10000000");
	assert_int_equal(fm_block_role(block), FM_ROLE_VRAM);
	assert_int_equal(fm_block_caching(block), FM_CACHING_WRITE_COMBINING);
	assert_int_equal(fm_block_len(block), 1280 * 480);
	fm_machine_free(machine);
}

/* A node with these values; NULL or 0 leaves a property out. */
static void refuse(uint64_t len, uint32_t width, uint32_t height, uint32_t stride,
		   const char *format, const char *what)
{
	const uint64_t reg[2] = { 0x10000000, len };
	struct fm_fdt *fdt = tree();
	struct fm_machine *machine = NULL;
	struct fm_error err = { 0 };

	fm_fdt_begin(fdt, "framebuffer@10000000");
	fm_fdt_prop_text(fdt, "compatible", "simple-framebuffer");
	fm_fdt_prop_reg(fdt, reg, 1);
	fm_fdt_prop_u32(fdt, "width", width);
	fm_fdt_prop_u32(fdt, "height", height);
	fm_fdt_prop_u32(fdt, "stride", stride);
	if (format)
		fm_fdt_prop_text(fdt, "format", format);
	fm_fdt_end(fdt);
	assert_true(build(&machine, fdt, &err) < 0);
	assert_null(machine);
	if (!strstr(err.msg, what) || !strstr(err.msg, "framebuffer@10000000") ||
	    !strstr(err.msg, "expected"))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, what);
}

static void a_node_that_lies_is_named(void **state)
{
	refuse(0x1000, 32, 32, 128, NULL, "format");
	refuse(0x1000, 32, 32, 128, "a8r8g8b8", "\"a8r8g8b8\"");
	refuse(0x1000, 0, 32, 128, "x8r8g8b8", "width: 0");
	refuse(0x1000, 32, 0, 128, "x8r8g8b8", "height is 0");
	refuse(0x1000, 32, 32, 0, "x8r8g8b8", "stride");
	refuse(0x1000, 32, 32, 64, "x8r8g8b8", "stride is 64");
	refuse(0x1000, 32, 33, 128, "x8r8g8b8", "need 0x1080");
	refuse(UINT64_C(1) << 40, 32, 32, 128, "x8r8g8b8", "length is 0x10000000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_that_was_written_is_read_back_as_the_same_mode),
		cmocka_unit_test(a_node_that_lies_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
