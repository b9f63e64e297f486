/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Saved states that were changed, in every state that chips can be in: each is refused, and the bank is
 * as it was, or it is one that a bank can be in: it is saved again as it was loaded, lives through a
 * pause and a reset, and takes commands.
 */
#include "tests/unit/amd_bank.h"
#include "tests/unit/timed_bank.h"

#include "devices/bytes.h"
#include "devices/crc32.h"

/* The layout as docs/flash.md has it: the frame, what the bank is, then the chips. */
#define FRAME(type) (12u + (type) + 12u)
#define BANK_LEN 38u

struct layout {
	enum fm_flash_set set;
	unsigned type_len;
	unsigned chip_len;
	unsigned op; /* of a chip: what is under way */
	unsigned erase;
	unsigned states; /* one more than there are */
	unsigned modes;
};

static const struct layout intel = { FM_FLASH_INTEL, 15, 83, 33, 58, 10, 5 };
static const struct layout amd = { FM_FLASH_AMD, 13, 88, 38, 63, 27, 13 };

struct saved {
	uint8_t *bytes;
	uint8_t *good;
	size_t len;
	unsigned chip; /* where the first is */
	unsigned accepted;
	unsigned refused;
};

static struct fm_flash_config config_of(const struct layout *l, unsigned traits, bool timed)
{
	struct fm_flash_config cfg = amd_config();

	cfg.set = l->set;
	cfg.traits = traits;
	cfg.narrow = FM_FLASH_NARROW_LANES;
	cfg.time = timed ? FM_FLASH_TIME_TYPICAL : FM_FLASH_TIME_INSTANT;
	return cfg;
}

/* --- one changed state ---------------------------------------------------------------------------- */

static void put_state(struct bank *b, struct saved *s)
{
	void *again;
	size_t len;

	fmi_put_le32(s->bytes + s->len - 4, fmi_crc32(0, s->bytes, s->len - 4));
	if (fm_dev_load(b->dev, s->bytes, s->len, NULL)) {
		s->refused++;
		return;
	}
	s->accepted++;
	assert_int_equal(fm_dev_save(b->dev, &again, &len, NULL), 0);
	assert_int_equal(len, s->len);
	assert_memory_equal(again, s->bytes, len);
	free(again);
}

static void restore(struct saved *s)
{
	memcpy(s->bytes, s->good, s->len);
}

/* Both chips, or the first alone. */
static void poke(const struct layout *l, struct saved *s, bool both, unsigned at, uint8_t value)
{
	s->bytes[s->chip + at] = value;
	if (both)
		s->bytes[s->chip + l->chip_len + at] = value;
}

static void change_pairs(const struct layout *l, struct bank *b, struct saved *s, bool both)
{
	for (unsigned state = 0; state < l->states; state++) {
		for (unsigned mode = 0; mode < l->modes; mode++) {
			poke(l, s, both, 0, (uint8_t)state);
			poke(l, s, both, 1, (uint8_t)mode);
			put_state(b, s);
			/* AMD: what is behind the status register. */
			if (l->set == FM_FLASH_AMD) {
				poke(l, s, both, 1, 7);
				poke(l, s, both, 3, (uint8_t)mode);
				put_state(b, s);
			}
			restore(s);
		}
		for (unsigned action = 0; action < 18; action++) {
			poke(l, s, both, 0, (uint8_t)state);
			poke(l, s, both, l->op, (uint8_t)action);
			put_state(b, s);
			restore(s);
			poke(l, s, both, 0, (uint8_t)state);
			poke(l, s, both, l->erase, (uint8_t)action);
			put_state(b, s);
			restore(s);
		}
	}
}

static void change_bytes(const struct layout *l, struct bank *b, struct saved *s)
{
	for (unsigned at = 0; at < 2 * l->chip_len; at++) {
		for (unsigned i = 0; i < 8; i++) {
			s->bytes[s->chip + at] = (uint8_t)(s->good[s->chip + at] ^ 1u << i);
			put_state(b, s);
			restore(s);
		}
		s->bytes[s->chip + at] = 0xff;
		put_state(b, s);
		restore(s);
	}
}

static void change(const struct layout *l, struct bank *one, struct bank *b)
{
	struct saved s = { .chip = FRAME(l->type_len) + BANK_LEN };
	void *bytes;

	assert_int_equal(fm_dev_save(one->dev, &bytes, &s.len, NULL), 0);
	s.good = bytes;
	s.bytes = malloc(s.len);
	assert_non_null(s.bytes);
	restore(&s);
	put_state(b, &s);
	assert_int_equal(s.accepted, 1);
	change_pairs(l, b, &s, true);
	change_pairs(l, b, &s, false);
	change_bytes(l, b, &s);
	assert_true(s.refused > 500);
	/* Whatever came last. */
	tick(b, 100 * ERASE_NS);
	fm_dev_reset(b->dev, FM_RESET_SYSTEM);
	assert_true(mapped(b));
	put_state(b, &s);
	free(s.bytes);
	free(s.good);
}

/* --- the states ------------------------------------------------------------------------------------- */

static void amd_word(struct bank *b, uint64_t off)
{
	program(b, off, 0);
}

static void amd_erase(struct bank *b, uint64_t off)
{
	start_erase(b);
	cmd(b, off, 0x30);
}

static void amd_buffer(struct bank *b, unsigned upto)
{
	const uint32_t words[] = { 0x25, 1, 0x1111, 0x2222, 0x29 };

	unlock(b);
	for (unsigned i = 0; i < upto && i < 5; i++)
		w4(b, i == 3 ? 4 : 0, words[i] * 0x00010001u);
}

/* To the n-th state; false when there is none. */
static bool amd_state(struct bank *b, unsigned n)
{
	switch (n) {
	case 0:
		break;
	case 1:
		cmd(b, AT_555, 0xaa);
		break;
	case 2:
		start(b, 0xa0);
		break;
	case 3:
		amd_word(b, 0x40);
		r4(b, 0);
		break;
	case 4:
		amd_word(b, 0x40);
		cmd(b, 0, 0xb0);
		break;
	case 5:
		amd_erase(b, SECTOR);
		r4(b, SECTOR);
		break;
	case 6:
		amd_erase(b, SECTOR);
		tick(b, MS);
		r4(b, SECTOR);
		cmd(b, AT_555, 0x70);
		break;
	case 7:
		amd_erase(b, SECTOR);
		tick(b, MS);
		cmd(b, 0, 0xb0);
		amd_word(b, 0x40);
		break;
	case 8:
		amd_erase(b, SECTOR);
		cmd(b, 0, 0xb0);
		amd_word(b, 0x40);
		cmd(b, 0, 0xb0);
		break;
	case 9:
	case 10:
	case 11:
		amd_buffer(b, n - 8);
		break;
	case 12:
		amd_buffer(b, 5);
		break;
	case 13:
		amd_buffer(b, 3);
		cmd(b, 4 * SECTOR, 0);
		r4(b, 0);
		break;
	case 14:
		start(b, 0x88);
		amd_word(b, 8);
		break;
	case 15:
		start(b, 0x88);
		start(b, 0x90);
		break;
	case 16:
		start(b, 0xc0);
		cmd(b, 0, 0x80);
		break;
	case 17:
		start(b, 0x20);
		cmd(b, 0, 0xa0);
		w4(b, 0x40, 0);
		break;
	case 18:
		start_erase(b);
		cmd(b, AT_555, 0x10);
		break;
	case 19:
		start(b, 0x90);
		break;
	case 20:
		start(b, 0x40);
		cmd(b, 0, 0x90);
		break;
	case 21:
		amd_buffer(b, 5);
		cmd(b, 0, 0xb0);
		break;
	default:
		return false;
	}
	return true;
}

static void intel_buffer(struct bank *b, unsigned upto)
{
	const uint32_t words[] = { 0xe8, 1, 0x1111, 0x2222, 0xd0 };

	for (unsigned i = 0; i < upto && i < 5; i++)
		w4(b, i == 3 ? 4 : 0, words[i] * 0x00010001u);
}

static bool intel_state(struct bank *b, unsigned n)
{
	switch (n) {
	case 0:
		break;
	case 1:
		cmd(b, 0, 0x40);
		break;
	case 2:
		bank_program(b, 0, 0);
		break;
	case 3:
		bank_program(b, 0, 0);
		cmd(b, 0, 0xb0);
		break;
	case 4:
		bank_erase(b, SECTOR);
		break;
	case 5:
		bank_erase(b, SECTOR);
		cmd(b, 0, 0xb0);
		break;
	case 6:
		bank_erase(b, SECTOR);
		cmd(b, 0, 0xb0);
		bank_program(b, 0, 0);
		break;
	case 7:
		bank_erase(b, SECTOR);
		cmd(b, 0, 0xb0);
		intel_buffer(b, 5);
		cmd(b, 0, 0xb0);
		break;
	case 8:
	case 9:
	case 10:
	case 11:
	case 12:
		intel_buffer(b, n - 7);
		break;
	case 13:
		cmd(b, 0x85 * 4, 0xc0);
		w4(b, 0x85 * 4, 0);
		break;
	case 14:
		cmd(b, 0, 0x60);
		break;
	case 15:
		cmd(b, 0, 0x98);
		break;
	default:
		return false;
	}
	return true;
}

static void try_all(const struct layout *l, unsigned traits, bool timed)
{
	for (unsigned n = 0;; n++) {
		struct fm_flash_config cfg = config_of(l, traits, timed);
		struct bank one, two;
		bool was;

		bank_init(&one, LEN, cfg);
		bank_init(&two, LEN, cfg);
		was = l->set == FM_FLASH_AMD ? amd_state(&one, n) : intel_state(&one, n);
		if (was)
			change(l, &one, &two);
		bank_exit(&one);
		bank_exit(&two);
		if (!was)
			return;
	}
}

static void changed_states_of_amd_chips_with_time(void **state)
{
	try_all(&amd, 0, true);
}

static void changed_states_of_amd_chips_without_time(void **state)
{
	try_all(&amd, 0, false);
}

static void changed_states_of_amd_chips_that_lack_things(void **state)
{
	try_all(&amd,
		FM_FLASH_NO_SUSPEND | FM_FLASH_NO_STATUS | FM_FLASH_NO_REGISTERS |
			FM_FLASH_NO_PROTECTION,
		true);
}

static void changed_states_of_intel_chips_with_time(void **state)
{
	try_all(&intel, 0, true);
}

static void changed_states_of_intel_chips_without_time(void **state)
{
	try_all(&intel, 0, false);
}

static void changed_states_of_intel_chips_that_lack_things(void **state)
{
	try_all(&intel, FM_FLASH_NO_SUSPEND | FM_FLASH_NO_REGISTERS | FM_FLASH_NO_LOCK_DOWN, true);
}

/* Else the next erase would have them. */
static void a_failed_erase_has_no_sectors_left(void **state)
{
	const struct fm_flash_health health = { .struct_size = sizeof(health), .fail_erase = 1 };
	struct fm_flash_config cfg = config_of(&amd, 0, true);
	const unsigned marks = FRAME(amd.type_len) + BANK_LEN + 2 * amd.chip_len;
	struct fm_error err = { 0 };
	struct bank b;
	void *saved;
	uint8_t *bytes;
	size_t len;

	cfg.health = &health;
	bank_init(&b, LEN, cfg);
	amd_erase(&b, SECTOR);
	tick(&b, 100 * ERASE_NS);
	assert_int_equal(r4(&b, 0) & 0x00200020, 0x00200020);
	assert_int_equal(fm_dev_save(b.dev, &saved, &len, NULL), 0);
	bytes = saved;
	assert_int_equal(bytes[marks + 4], 0);
	bytes[marks + 4] = 8;
	fmi_put_le32(bytes + len - 4, fmi_crc32(0, bytes, len - 4));
	assert_int_equal(fm_dev_load(b.dev, bytes, len, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, "block 2"));
	free(saved);
	bank_exit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_erase_has_no_sectors_left),
		cmocka_unit_test(changed_states_of_amd_chips_with_time),
		cmocka_unit_test(changed_states_of_amd_chips_without_time),
		cmocka_unit_test(changed_states_of_amd_chips_that_lack_things),
		cmocka_unit_test(changed_states_of_intel_chips_with_time),
		cmocka_unit_test(changed_states_of_intel_chips_without_time),
		cmocka_unit_test(changed_states_of_intel_chips_that_lack_things),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
