/* SPDX-License-Identifier: BSD-2-Clause */
/* What a bank does at an access and when time passes, and how that turns its mapping. */
#include "flash/flash_private.h"
#include "flash/quick.h"

#include "devices/guestmem.h"

/* --- mapping ----------------------------------------------------------------------------- */

/*
 * A host that maps the bank at each return to read-array pays for that, unless the guest then reads
 * a while. So many turns with so few accesses between them earn the hint to trap instead; so many
 * accesses that leave the mapping alone end it.
 */
#define HURRIED_TURNS 64u
#define HURRIED_ACCESSES 16u
#define QUIET_ACCESSES 512u

static unsigned turned(struct fmi_flash *f)
{
	struct fmi_turns *t = &f->turns;

	t->hurried = t->quiet < HURRIED_ACCESSES ? t->hurried + 1 : 0;
	t->quiet = 0;
	if (t->hurried >= HURRIED_TURNS)
		t->hint = true;
	f->stats.map_turns++;
	return FM_EFF_REMAP;
}

/* An access that the host had to trap, and that left the mapping alone. */
static inline unsigned quiet(struct fmi_flash *f)
{
	struct fmi_turns *t = &f->turns;

	if (++t->quiet < QUIET_ACCESSES)
		return 0;
	t->quiet = QUIET_ACCESSES;
	t->hurried = 0;
	if (!t->hint)
		return 0;
	t->hint = false;
	return fmi_flash_mappable(f) ? FM_EFF_REMAP : 0;
}

unsigned fmi_access_remapped(struct fmi_flash *f, bool before)
{
	bool now = fmi_flash_mappable(f);

	if (now == before)
		return 0;
	f->stats.array_entries += now;
	return turned(f);
}

void fmi_access_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct fmi_flash *f = state;

	out->len = f->geo.len;
	out->block = f->block;
	if (!fmi_flash_mappable(f))
		return;
	out->prot = FM_MAP_READ | FM_MAP_EXEC;
	out->flags = f->turns.hint ? FM_MAP_HINT_TRAP : 0;
}

/* --- accesses ---------------------------------------------------------------------------- */

#define SLOW __attribute__((noinline)) static unsigned

/* A debugger wants to see memory, whatever mode the chips are in; so does who may not command. */
SLOW read_slowly(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t *value, uint32_t bits)
{
	const struct fm_attrs attrs = fmi_quick_attrs(bits);

	if (attrs.debug || (f->secure_only && !attrs.secure)) {
		*value = fmi_mem_read(f->array + off, size);
		return 0;
	}
	if (fmi_flash_mappable(f)) {
		*value = fmi_mem_read(f->array + off, size);
		return quiet(f);
	}
	*value = fmi_lanes_read(f, off, size);
	return fmi_access_remapped(f, false);
}

unsigned fmi_access_read_amd(void *state, uint64_t off, unsigned size, uint64_t *value,
			     struct fm_attrs attrs)
{
	return read_slowly(state, off, size, value, fmi_quick_bits(attrs));
}

unsigned fmi_access_read_intel(void *state, uint64_t off, unsigned size, uint64_t *value,
			       struct fm_attrs attrs)
{
	const uint32_t bits = fmi_quick_bits(attrs);
	struct fmi_flash *f = state;

	if (!fmi_quick_fits(f, off, size, bits) || f->chip[0].intel.mode != FMI_INTEL_SHOW_STATUS)
		return read_slowly(f, off, size, value, bits);
	f->unpolled = false;
	*value = f->chip[0].intel.sr * f->repeat;
	return 0;
}

/* A store cannot set bits, and a command would change what the guest sees. */
SLOW write_slowly(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value, uint32_t bits)
{
	const struct fm_attrs attrs = fmi_quick_attrs(bits);
	unsigned effects;
	bool before;

	if (attrs.debug || (f->secure_only && !attrs.secure))
		return FM_EFF_FAULT;
	if (fmi_lanes_more_data(f, off, size, value))
		return 0;
	before = fmi_flash_mappable(f);
	effects = fmi_lanes_write(f, off, size, value);
	return effects | fmi_access_remapped(f, before);
}

SLOW turn(struct fmi_flash *f, bool before)
{
	return fmi_access_remapped(f, before);
}

/* The word of a program, to no locked block: as fmi_operate() and fmi_array_program(). */
SLOW program_word(struct fmi_flash *f, uint64_t off, uint64_t value)
{
	bool changed = fmi_quick_and(f->array + off, f->quick_width, value);

	f->unpolled = true;
	f->quick_words++;
	if (fmi_rarely(changed || f->dev->subs))
		return fmi_array_told(f, off, f->quick_width, changed);
	return 0;
}

unsigned fmi_access_write_intel(void *state, uint64_t off, unsigned size, uint64_t value,
				struct fm_attrs attrs)
{
	const uint32_t bits = fmi_quick_bits(attrs);
	struct fmi_flash *f = state;
	struct fmi_intel *chip = &f->chip[0].intel;
	const struct fmi_intel_plain *plain;
	enum fmi_intel_mode before;

	if (fmi_rarely(!fmi_quick_fits(f, off, size, bits)))
		return write_slowly(f, off, size, value, bits);
	if (chip->state == FMI_INTEL_PROGRAM && !fmi_rarely(f->locked)) {
		chip->state = FMI_INTEL_READY;
		return program_word(f, off, value);
	}
	plain = fmi_quick_command(f, value);
	if (fmi_rarely(chip->state != FMI_INTEL_READY || !plain))
		return write_slowly(f, off, size, value, bits);
	before = chip->mode;
	chip->state = plain->state;
	chip->mode = plain->mode;
	if (fmi_rarely(before == FMI_INTEL_SHOW_ARRAY || chip->mode == FMI_INTEL_SHOW_ARRAY))
		return turn(f, before == FMI_INTEL_SHOW_ARRAY);
	return 0;
}

unsigned fmi_access_write_amd(void *state, uint64_t off, unsigned size, uint64_t value,
			      struct fm_attrs attrs)
{
	const uint32_t bits = fmi_quick_bits(attrs);
	struct fmi_flash *f = state;
	struct fmi_amd *chip = &f->chip[0].amd;
	enum fmi_amd_state next;

	if (!fmi_quick_fits(f, off, size, bits) || chip->mode != FMI_AMD_SHOW_ARRAY)
		return write_slowly(f, off, size, value, bits);
	if (chip->state == FMI_AMD_PROGRAM && !f->locked) {
		chip->state = FMI_AMD_READY;
		return program_word(f, off, value);
	}
	next = fmi_amd_unlocking(chip->state, &f->geo, off, value & 0xff);
	if (next == FMI_AMD_READY || value != (value & 0xff) * f->repeat)
		return write_slowly(f, off, size, value, bits);
	chip->state = next;
	return 0;
}

/* --- time --------------------------------------------------------------------------------- */

unsigned fmi_access_tick(void *state, uint64_t now_ns)
{
	struct fmi_flash *f = state;
	bool before = fmi_flash_mappable(f);
	unsigned effects = 0;
	uint64_t due;

	if (now_ns < f->part.now_ns)
		return 0;
	f->part.now_ns = now_ns;
	if (f->qemu.on)
		fmi_qemu_bank_tick(f);
	/* What was over first is done first; an erase's window, and then the erase itself. */
	while ((due = fmi_operations_deadline(f)) <= now_ns && due != FM_NEVER)
		effects |= fmi_operations_end(f, due);
	return effects | fmi_access_remapped(f, before);
}

uint64_t fmi_access_next_deadline_ns(void *state)
{
	struct fmi_flash *f = state;

	return f->qemu.on ? f->qemu.machine.deadline_ns : fmi_operations_deadline(f);
}
