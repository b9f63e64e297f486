/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine's firmware as it is mapped; with libcrypto also what its launch is measured as. */
#include "tests/unit/unit.h"

#include "fuzz/ovmf_build.h"

#include <firmem/flash.h>
#include <firmem/loaded.h>
#include <firmem/ram.h>
#include <firmem/rom.h>
#ifdef HAVE_MEASURE
#include <firmem/sev.h>
#endif

#define SECTOR 0x1000u
#define VARS_LEN (2 * SECTOR)
#define END UINT64_C(0x100000000)

/* Variables, then code that ends at 4 GiB, RAM below: as QEMU's pc with split flash. */
struct machine {
	struct fm_space *space;
	struct fm_block *vars, *code, *ram;
	struct fm_dev *devs[3];
	struct fm_window *windows[3];
};

static struct fm_block *block(const char *name, enum fm_role role, uint64_t len)
{
	struct fm_block_config cfg = { sizeof(cfg), .name = name, .role = role, .len = len };
	struct fm_block *b;

	assert_int_equal(fm_block_new(&b, &cfg, NULL), 0);
	return b;
}

static struct fm_dev *flash(struct fm_block *b, const char *name)
{
	struct fm_flash_config cfg = { sizeof(cfg), name, .block = b };
	struct fm_error err = { 0 };
	struct fm_dev *dev;

	cfg.regions[0].block_len = SECTOR;
	cfg.regions[0].count = (uint32_t)(fm_block_len(b) / SECTOR);
	cfg.nregions = 1;
	cfg.chip_width = 1;
	cfg.bank_width = 1;
	if (fm_flash_new(&dev, &cfg, &err))
		fail_msg("%s", err.msg);
	return dev;
}

static int set_up(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct fm_space_config space = { sizeof(space), .name = "memory" };
	struct fm_ram_config ram = { .struct_size = sizeof(ram) };
	const uint64_t gpa[3] = { END - OVMF_LEN - VARS_LEN, END - OVMF_LEN, 0 };

	m->vars = block("vars", FM_ROLE_FLASH_VARS, VARS_LEN);
	m->code = block("code", FM_ROLE_FLASH_CODE, OVMF_LEN);
	m->ram = block("ram", FM_ROLE_RAM, 0x10000);
	ovmf_build(fm_block_ptr(m->code));
	memset(fm_block_ptr(m->vars), 0xff, VARS_LEN);
	m->devs[0] = flash(m->vars, "vars");
	m->devs[1] = flash(m->code, "code");
	ram.block = m->ram;
	assert_int_equal(fm_ram_new(&m->devs[2], &ram, NULL), 0);
	assert_int_equal(fm_space_new(&m->space, &space, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct fm_window_config w = { sizeof(w), .dev = m->devs[i], .gpa = gpa[i] };

		assert_int_equal(fm_space_add(m->space, &w, &m->windows[i], NULL), 0);
	}
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	struct machine *m = *state;

	fm_space_free(m->space);
	for (unsigned i = 0; i < 3; i++)
		fm_dev_free(m->devs[i]);
	fm_block_free(m->vars);
	fm_block_free(m->code);
	fm_block_free(m->ram);
	free(m);
	return 0;
}

static void the_code_is_taken_as_it_is_mapped(void **state)
{
	struct machine *m = *state;
	struct fm_loaded *l;
	const struct fm_loaded_piece *p;
	const void *bytes;
	uint64_t len;

	assert_int_equal(fm_loaded_new(&l, m->space, 0, NULL), 0);
	assert_int_equal(fm_loaded_count(l), 1);
	p = fm_loaded_piece(l, 0);
	assert_ptr_equal(p->block, m->code);
	assert_int_equal(p->gpa, END - OVMF_LEN);
	assert_int_equal(fm_loaded_image(l, 0, &bytes, &len, NULL), 0);
	assert_int_equal(len, OVMF_LEN);
	assert_memory_equal(bytes, fm_block_ptr(m->code), OVMF_LEN);
	assert_int_equal(fm_loaded_image(l, 0x1000, &bytes, &len, NULL), FM_ERR_NOT_FOUND);
	assert_null(fm_loaded_piece(l, 1));
	fm_loaded_free(l);
	fm_loaded_free(NULL);
}

static void with_the_variables_it_is_one_image(void **state)
{
	struct machine *m = *state;
	struct fm_loaded *l;
	const void *bytes;
	uint64_t len;

	assert_int_equal(
		fm_loaded_new(&l, m->space,
			      UINT64_C(1) << FM_ROLE_FLASH_CODE | UINT64_C(1) << FM_ROLE_FLASH_VARS,
			      NULL),
		0);
	assert_int_equal(fm_loaded_count(l), 2);
	assert_int_equal(fm_loaded_image(l, 0, &bytes, &len, NULL), 0);
	assert_int_equal(len, OVMF_LEN + VARS_LEN);
	assert_memory_equal((const uint8_t *)bytes + VARS_LEN, fm_block_ptr(m->code), OVMF_LEN);
	fm_loaded_free(l);
}

static void a_block_that_changed_since_is_named(void **state)
{
	struct machine *m = *state;
	struct fm_error err = { 0 };
	struct fm_loaded *l;

	assert_int_equal(fm_loaded_new(&l, m->space, 0, NULL), 0);
	assert_int_equal(fm_loaded_check(l, m->space, &err), 0);
	/* The guest's way: a program command. The variables do not count. */
	fm_dev_write(m->devs[0], 0x10, 1, 0x40, FM_ATTRS_NONE);
	fm_dev_write(m->devs[0], 0x10, 1, 0, FM_ATTRS_NONE);
	assert_int_equal(fm_loaded_check(l, m->space, &err), 0);
	fm_dev_write(m->devs[1], 0x10, 1, 0x40, FM_ATTRS_NONE);
	fm_dev_write(m->devs[1], 0x10, 1, 0x7f, FM_ATTRS_NONE);
	fm_dev_write(m->devs[1], 0x10, 1, 0xff, FM_ATTRS_NONE);
	assert_int_equal(fm_loaded_check(l, m->space, &err), FM_ERR_STATE);
	assert_non_null(strstr(err.msg, "block code: 0x10 (gpa 0xffffc010): 0x7f, expected 0xff"));
	fm_loaded_free(l);
}

static void a_bank_mapped_elsewhere_is_found(void **state)
{
	struct machine *m = *state;
	struct fm_error err = { 0 };
	struct fm_loaded *l, *none;

	assert_int_equal(fm_loaded_new(&l, m->space, 0, NULL), 0);
	assert_int_equal(fm_space_move(m->space, m->windows[1], 0x100000, NULL), 0);
	assert_int_equal(fm_loaded_check(l, m->space, &err), FM_ERR_STATE);
	assert_non_null(strstr(err.msg, "something else is mapped"));
	assert_int_equal(fm_space_enable(m->space, m->windows[1], false, NULL), 0);
	assert_int_equal(fm_loaded_check(l, m->space, &err), FM_ERR_STATE);
	assert_int_equal(fm_loaded_new(&none, m->space, 0, NULL), FM_ERR_NOT_FOUND);
	fm_loaded_free(l);
}

/* The second half of the bank is seen lower than the first. */
static void halves_that_are_mapped_apart_are_two_pieces(void **state)
{
	struct machine *m = *state;
	const uint64_t half = OVMF_LEN / 2;
	struct fm_window_config w = { sizeof(w), .dev = m->devs[1], .gpa = 0x100000 };
	struct fm_loaded *l;
	const void *bytes;
	uint64_t len;

	assert_int_equal(fm_space_enable(m->space, m->windows[1], false, NULL), 0);
	w.len = half;
	assert_int_equal(fm_space_add(m->space, &w, &m->windows[1], NULL), 0);
	w.gpa = 0x200000;
	w.dev_off = half;
	assert_int_equal(fm_space_add(m->space, &w, &m->windows[1], NULL), 0);
	assert_int_equal(fm_loaded_new(&l, m->space, 0, NULL), 0);
	assert_int_equal(fm_loaded_count(l), 2);
	assert_int_equal(fm_loaded_image(l, 0x200000 + half, &bytes, &len, NULL), 0);
	assert_int_equal(len, half);
	assert_memory_equal(bytes, (uint8_t *)fm_block_ptr(m->code) + half, half);
	fm_loaded_free(l);
}

#ifdef HAVE_MEASURE
static void its_launch_digest_is_that_of_the_file(void **state)
{
	static uint8_t file[OVMF_LEN];
	struct machine *m = *state;
	struct fm_sev_config c = { .struct_size = sizeof(c), .kind = FM_SEV_SNP, .vcpus = 4 };
	uint8_t of_machine[48], of_file[48];
	struct fm_loaded *l;
	uint64_t len;

	c.cpu_sig = fm_vmsa_cpu_sig("EPYC-Milan");
	assert_int_equal(fm_loaded_new(&l, m->space, 0, NULL), 0);
	assert_int_equal(fm_loaded_image(l, 0, &c.firmware, &len, NULL), 0);
	c.firmware_len = (size_t)len;
	assert_int_equal(fm_sev_measure(of_machine, &c, NULL), 0);
	ovmf_build(file);
	c.firmware = file;
	assert_int_equal(fm_sev_measure(of_file, &c, NULL), 0);
	assert_memory_equal(of_machine, of_file, 48);
	fm_loaded_free(l);
}
#endif

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(the_code_is_taken_as_it_is_mapped),
		FACT(with_the_variables_it_is_one_image),
		FACT(a_block_that_changed_since_is_named),
		FACT(a_bank_mapped_elsewhere_is_found),
		FACT(halves_that_are_mapped_apart_are_two_pieces),
#ifdef HAVE_MEASURE
		FACT(its_launch_digest_is_that_of_the_file),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
