/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever is asked for: memory that is not ours is written with consent only, a host's device's never. */
#include "tests/unit/reset_fixture.h"
#include "tests/unit/tmpdir.h"

struct foreign {
	uint8_t adopted[65536];
	uint8_t bar[65536];
	const char *file;
	struct fm_machine *machine;
};

static void make(struct foreign *f, void **state, unsigned consent)
{
	f->file = tmpdir_path(state, "template");
	tmpdir_fill(f->file, PAGE, SECRET);
	memset(f->adopted, SECRET, PAGE);
	memset(f->bar, SECRET, PAGE);
	f->machine = machine_make();
	add_cfg(f->machine,
		BLOCK_RAW(.name = "adopted", .role = FM_ROLE_RAM, .backing = FM_BACKING_ADOPTED,
			  .ptr = f->adopted, .len = PAGE, .flags = consent));
	add_cfg(f->machine,
		BLOCK_RAW(.name = "file", .role = FM_ROLE_RAM, .backing = FM_BACKING_FILE,
			  .path = f->file, .len = PAGE, .flags = FM_BLOCK_SHARED | consent));
	/* Consent changes nothing about a device. */
	add_cfg(f->machine, BLOCK_RAW(.name = "bar", .role = FM_ROLE_DEVICE,
				      .backing = FM_BACKING_ADOPTED, .ptr = f->bar, .len = PAGE,
				      .flags = FM_BLOCK_HOST_DEVICE | FM_BLOCK_CONSENT));
}

static bool file_is(const struct foreign *f, uint8_t byte)
{
	for (size_t off = 0; off < PAGE; off += 64) {
		if (tmpdir_byte(f->file, off) != byte)
			return false;
	}
	return true;
}

/* Everything that could make a reset destroy something, one bit each. */
static void ask(struct foreign *f, enum fm_reset_kind kind, unsigned how)
{
	static const char *const names[] = { "adopted", "file", "bar" };
	const struct fm_reset_rule rules[] = {
		{ .role = FM_ROLE_RAM, .action = FM_RESET_ZERO },
		{ .role = FM_ROLE_DEVICE, .action = FM_RESET_ZERO },
	};
	const struct fm_reset_request r = { .struct_size = sizeof(r),
					    .kind = kind,
					    .memory_overwrite = how & 1,
					    .sanitize = names,
					    .nsanitize = how & 2 ? 3 : 0,
					    .rules = rules,
					    .nrules = how & 4 ? 2 : 0,
					    .host_devices_reset = how & 8 };
	struct fm_reset_report report = { .count = 0 };
	struct fm_reset_plan *plan = NULL;

	if (fm_reset_plan(&plan, f->machine, &r, NULL))
		return;
	fm_reset_apply(f->machine, plan, OPTIONS(.quiesce = allow, .pages = FM_RESET_PAGES_AUTO),
		       &report, NULL);
	fm_reset_plan_free(plan);
	fm_reset_report_clear(&report);
}

static void nothing_that_can_be_asked_for_writes_it_without_consent(void **state)
{
	for (unsigned kind = 0; kind < FM_RESET_COUNT; kind++) {
		for (unsigned how = 0; how < 16; how++) {
			static struct foreign f;

			make(&f, state, 0);
			ask(&f, (enum fm_reset_kind)kind, how);
			assert_true(all_bytes(f.adopted, PAGE, SECRET));
			assert_true(all_bytes(f.bar, PAGE, SECRET));
			assert_true(file_is(&f, SECRET));
			fm_machine_free(f.machine);
			assert_true(file_is(&f, SECRET));
		}
	}
}

static void with_consent_it_is_zeroed_and_a_device_is_not(void **state)
{
	for (unsigned how = 0; how < 16; how++) {
		static struct foreign f;

		make(&f, state, FM_BLOCK_CONSENT);
		ask(&f, FM_RESET_POWER_ON, how);
		assert_true(all_bytes(f.bar, PAGE, SECRET));
		/* To sanitize a device, or a rule for it, cannot be done: then nothing is. */
		if (!(how & 6)) {
			assert_true(all_bytes(f.adopted, PAGE, 0));
			assert_true(file_is(&f, 0));
		}
		fm_machine_free(f.machine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(nothing_that_can_be_asked_for_writes_it_without_consent),
		tmpdir_test(with_consent_it_is_zeroed_and_a_device_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
