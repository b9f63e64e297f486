/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/reset_fixture.h"

#define PRIVATE(...)                                                                   \
	(&(struct fm_private_config){ .struct_size = sizeof(struct fm_private_config), \
				      __VA_ARGS__ })

static struct fm_block *make(enum fm_role role, enum fm_backing backing)
{
	return must_make(
		BLOCK_RAW(.name = "ram", .role = role, .backing = backing, .len = 200 * PAGE - 7));
}

static bool fails(int rc, const struct fm_error *err, int code, const char *text)
{
	if (rc == code && err->code == code && strstr(err->msg, text))
		return true;
	print_error("%d \"%s\", expected %d \"%s\"\n", rc, err->msg, code, text);
	return false;
}

static void a_block_without_is_one_run(void **state)
{
	struct fm_block *ram = make(FM_ROLE_RAM, FM_BACKING_ANON);
	struct fm_block *private = make(FM_ROLE_PRIVATE, FM_BACKING_ANON);
	uint64_t len;

	assert_false(fm_private_at(ram, 5, &len));
	assert_int_equal(len, 200 * PAGE - 7 - 5);
	assert_true(fm_private_dumpable(ram));
	assert_true(fm_private_at(private, 0, &len));
	assert_int_equal(len, 200 * PAGE - 7);
	assert_false(fm_private_dumpable(private));
	assert_false(fm_private_at(ram, 200 * PAGE, &len));
	assert_int_equal(len, 0);
	fm_block_free(ram);
	fm_block_free(private);
}

static void runs_are_those_of_a_model(void **state)
{
	struct fm_block *ram = make(FM_ROLE_RAM, FM_BACKING_ANON);
	bool model[200] = { false };
	uint32_t x = 1;

	assert_int_equal(fm_private_enable(ram, PRIVATE(.granule = 0), NULL), 0);
	for (unsigned turn = 0; turn < 2000; turn++) {
		unsigned first = (x = x * 1103515245 + 12345) >> 8 & 0x7f;
		unsigned count = (x = x * 1103515245 + 12345) >> 8 & 0x7f;
		bool to = x >> 30 & 1;
		unsigned end = first + count > 200 ? 200 : first + count;
		uint64_t stop = end == 200 ? 200 * PAGE - 7 : end * PAGE;
		uint64_t run;

		assert_int_equal(
			fm_private_convert(ram, first * PAGE, stop - first * PAGE, to, NULL), 0);
		for (unsigned i = first; i < end; i++)
			model[i] = to;
		for (uint64_t off = 0; off < 200 * PAGE - 7; off += run) {
			bool is = fm_private_at(ram, off, &run);
			uint64_t last = (off + run - 1) / PAGE;

			for (uint64_t i = off / PAGE; i <= last; i++)
				assert_int_equal(model[i], is);
			assert_true(last == 199 || model[last + 1] != is);
		}
	}
	fm_block_free(ram);
}

static void only_what_changes_is_counted(void **state)
{
	struct fm_block *ram = make(FM_ROLE_RAM, FM_BACKING_ANON);

	assert_int_equal(fm_private_generation(ram), 0);
	assert_int_equal(fm_private_enable(ram, PRIVATE(.all = true), NULL), 0);
	assert_int_equal(fm_private_convert(ram, 0, PAGE, true, NULL), 0);
	assert_int_equal(fm_private_generation(ram), 0);
	assert_int_equal(fm_private_convert(ram, 0, PAGE, false, NULL), 0);
	assert_int_equal(fm_private_convert(ram, 0, 0, true, NULL), 0);
	assert_int_equal(fm_private_generation(ram), 1);
	fm_block_free(ram);
}

static void what_makes_no_sense_is_named(void **state)
{
	struct fm_block *ram = make(FM_ROLE_RAM, FM_BACKING_ANON);
	struct fm_block *private = make(FM_ROLE_PRIVATE, FM_BACKING_ANON);
	struct fm_error err = { 0 };

#define CONVERT(block, off, len, to) fm_private_convert(block, off, len, to, &err)
	assert_true(fails(CONVERT(ram, 0, PAGE, true), &err, FM_ERR_STATE, "enabled first"));
	assert_true(fails(CONVERT(NULL, 0, PAGE, true), &err, FM_ERR_ARG, "NULL"));
	assert_true(fails(fm_private_enable(ram, PRIVATE(.granule = 100), &err), &err, FM_ERR_ARG,
			  "granule 0x64"));
	assert_true(fails(fm_private_enable(ram, PRIVATE(.use_fd = true, .fd_off = 1), &err), &err,
			  FM_ERR_ARG, "fd_off 0x1"));
	assert_true(fails(fm_private_enable(ram, PRIVATE(.use_fd = true, .fd = -1), &err), &err,
			  FM_ERR_IO, "fd -1"));
	assert_true(fails(fm_private_enable(NULL, PRIVATE(.fd = 0), &err), &err, FM_ERR_ARG,
			  "block is NULL"));
	assert_int_equal(fm_private_enable(ram, PRIVATE(.granule = 2 * PAGE), NULL), 0);
	assert_true(fails(fm_private_enable(ram, PRIVATE(.fd = 0), &err), &err, FM_ERR_EXISTS,
			  "already"));
	assert_true(fails(CONVERT(ram, PAGE, 2 * PAGE, true), &err, FM_ERR_ARG, "multiples"));
	assert_true(fails(CONVERT(ram, 0, PAGE, true), &err, FM_ERR_ARG, "multiples"));
	assert_true(fails(CONVERT(ram, 0, 200 * PAGE, true), &err, FM_ERR_RANGE, "inside"));
	assert_true(fails(CONVERT(ram, UINT64_MAX - PAGE + 1, PAGE, true), &err, FM_ERR_RANGE,
			  "inside"));
	assert_int_equal(fm_private_enable(private, PRIVATE(.debug = true), NULL), 0);
	assert_true(fm_private_dumpable(private));
	assert_true(fails(CONVERT(private, 0, PAGE, false), &err, FM_ERR_STATE, "role private"));
#undef CONVERT
	fm_block_free(ram);
	fm_block_free(private);
}

static bool has_data(int fd, off_t at)
{
	return lseek(fd, at, SEEK_DATA) == at;
}

/* A memfd stands for KVM's guest_memfd. */
static void a_conversion_gives_back_the_side_that_is_no_longer_used(void **state)
{
	struct fm_block *ram = make(FM_ROLE_RAM, FM_BACKING_MEMFD);
	int fd = memfd_create("guest", MFD_CLOEXEC);
	uint8_t *guest;

	assert_int_equal(ftruncate(fd, (off_t)(210 * PAGE)), 0);
	guest = mmap(NULL, 210 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(fm_private_enable(
				 ram, PRIVATE(.use_fd = true, .fd = fd, .fd_off = 10 * PAGE), NULL),
			 0);
	fill(ram);
	assert_int_equal(fm_private_convert(ram, PAGE, 2 * PAGE, true, NULL), 0);
	assert_true(has_data(fm_block_fd(ram), 0));
	assert_false(has_data(fm_block_fd(ram), (off_t)PAGE));
	assert_true(has_data(fm_block_fd(ram), (off_t)(3 * PAGE)));
	memset(guest, SECRET, 210 * PAGE);
	assert_int_equal(fm_private_convert(ram, PAGE, PAGE, false, NULL), 0);
	assert_true(all_bytes(guest + 11 * PAGE, PAGE, 0));
	assert_true(all_bytes(guest + 10 * PAGE, PAGE, SECRET));
	assert_true(all_bytes(guest + 12 * PAGE, PAGE, SECRET));
	munmap(guest, 210 * PAGE);
	close(fd);
	fm_block_free(ram);
}

static void a_reset_gives_private_pages_back_where_they_live(void **state)
{
	const struct fm_reset_rule keep = { .role = FM_ROLE_RAM, .action = FM_RESET_KEEP };
	struct fm_machine *m = machine_make();
	struct fm_block *ram = add(m, "ram", FM_ROLE_RAM, FM_BACKING_MEMFD);
	int fd = memfd_create("guest", MFD_CLOEXEC);
	uint8_t *guest;

	assert_int_equal(ftruncate(fd, (off_t)(4 * PAGE)), 0);
	guest = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(fm_private_enable(ram, PRIVATE(.use_fd = true, .fd = fd), NULL), 0);
	assert_int_equal(fm_private_convert(ram, PAGE, PAGE, true, NULL), 0);
	fill(ram);
	memset(guest, SECRET, 4 * PAGE);
	assert_int_equal(do_reset(m,
				  REQUEST(.kind = FM_RESET_POWER_ON, .rules = &keep, .nrules = 1),
				  *OPTIONS(.verify = true), NULL),
			 0);
	/* The guest's page is gone; the shared side is neither read nor written. */
	assert_true(all_bytes(guest + PAGE, PAGE, 0));
	assert_true(all_bytes(guest, PAGE, SECRET));
	assert_true(all_bytes(guest + 2 * PAGE, 2 * PAGE, SECRET));
	assert_true(all_bytes(bytes(ram), 4 * PAGE, SECRET));
	munmap(guest, 4 * PAGE);
	close(fd);
	fm_machine_free(m);
}

static void pinned_private_memory_is_not_resettable_and_says_so(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *b = add(m, "own", FM_ROLE_PRIVATE, FM_BACKING_ANON);
	struct fm_reset_plan *plan;

	fm_block_discard_inhibit(b);
	plan = plan_of(m, REQUEST(.kind = FM_RESET_CONFIDENTIAL));
	assert_true(plan->refused);
	assert_non_null(strstr(step_of(plan, "own")->reason, "not resettable"));
	fm_reset_plan_free(plan);
	fm_block_discard_allow(b);
	assert_int_equal(action_of(m, "own", REQUEST(.kind = FM_RESET_CONFIDENTIAL)),
			 FM_RESET_REBUILD);
	fm_machine_free(m);
}

static void zeroing_a_private_range_is_refused_because_it_would_pretend(void **state)
{
	const struct fm_reset_rule zero = { .block = "ram", .action = FM_RESET_ZERO };
	struct fm_machine *m = machine_make();
	struct fm_block *ram = add(m, "ram", FM_ROLE_RAM, FM_BACKING_ANON);
	struct fm_reset_plan *plan;

	assert_int_equal(fm_private_enable(ram, PRIVATE(.fd = 0), NULL), 0);
	assert_int_equal(fm_private_convert(ram, PAGE, PAGE, true, NULL), 0);
	plan = plan_of(m, REQUEST(.kind = FM_RESET_POWER_ON, .rules = &zero, .nrules = 1));
	assert_int_equal(plan->count, 3);
	assert_int_equal(plan->steps[0].action, FM_RESET_ZERO);
	assert_int_equal(plan->steps[1].action, FM_RESET_REFUSE);
	assert_int_equal(plan->steps[2].action, FM_RESET_ZERO);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

/* Its device would write the private part as well. */
static void a_rom_that_is_private_in_part_is_reloaded_by_the_host(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *rom = add(m, "rom", FM_ROLE_ROM, FM_BACKING_ANON);
	struct fm_reset_plan *plan;

	add_rom(m, rom, true);
	assert_int_equal(fm_private_enable(rom, PRIVATE(.fd = 0), NULL), 0);
	assert_int_equal(fm_private_convert(rom, PAGE, PAGE, true, NULL), 0);
	plan = plan_of(m, REQUEST(.kind = FM_RESET_POWER_ON));
	assert_int_equal(plan->steps[0].action, FM_RESET_RELOAD);
	assert_int_equal(plan->steps[0].due, FM_RESET_DUE_HOST);
	assert_int_equal(plan->steps[1].action, FM_RESET_DISCARD);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

static void a_request_in_a_private_range_is_neither_read_nor_answered(void **state)
{
	struct fm_machine *m = machine_make();
	struct fm_block *ppi = add(m, "ppi", FM_ROLE_PPI, FM_BACKING_ANON);
	struct fm_reset_plan *plan;

	fill(ppi);
	assert_int_equal(fm_private_enable(ppi, PRIVATE(.fd = 0), NULL), 0);
	assert_int_equal(fm_private_convert(ppi, 0, PAGE, true, NULL), 0);
	plan = plan_of(m, REQUEST(.kind = FM_RESET_POWER_ON));
	assert_int_equal(plan->overwrite_sources, 0);
	fm_reset_plan_free(plan);
	plan = plan_of(m, REQUEST(.kind = FM_RESET_POWER_ON, .memory_overwrite = true));
	assert_int_equal(plan->steps[1].role, FM_ROLE_PPI);
	assert_int_equal(plan->steps[1].action, FM_RESET_ZERO);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_without_is_one_run),
		cmocka_unit_test(runs_are_those_of_a_model),
		cmocka_unit_test(only_what_changes_is_counted),
		cmocka_unit_test(what_makes_no_sense_is_named),
		cmocka_unit_test(a_conversion_gives_back_the_side_that_is_no_longer_used),
		cmocka_unit_test(a_reset_gives_private_pages_back_where_they_live),
		cmocka_unit_test(pinned_private_memory_is_not_resettable_and_says_so),
		cmocka_unit_test(zeroing_a_private_range_is_refused_because_it_would_pretend),
		cmocka_unit_test(a_rom_that_is_private_in_part_is_reloaded_by_the_host),
		cmocka_unit_test(a_request_in_a_private_range_is_neither_read_nor_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
