/* SPDX-License-Identifier: BSD-2-Clause */
#include "flash/qemu_amd.h"

#include <firmem/base.h>

#include <stddef.h>

#define UNLOCK_ADDR 0x555u
#define UNLOCK_ADDR_2 0x2aau
#define QUERY_ADDR 0x55u
#define ADDR_MASK 0x7ffu /* address lines that a command is decoded from */

enum code {
	BYPASS_RESET = 0x00,
	ERASE_CHIP = 0x10,
	BYPASS = 0x20,
	ERASE_SECTOR = 0x30, /* and resume */
	UNLOCK_2 = 0x55,
	ERASE = 0x80,
	AUTOSELECT = 0x90,
	QUERY = 0x98,
	PROGRAM = 0xa0,
	UNLOCK_1 = 0xaa,
	SUSPEND = 0xb0,
	RESET = 0xf0,
};

static struct fmi_qemu_amd_step told(const char *text)
{
	return (struct fmi_qemu_amd_step){ .text = text };
}

static struct fmi_qemu_amd_step go(struct fmi_qemu_amd *m, enum fmi_qemu_amd_state state,
				   const char *text)
{
	m->state = state;
	return told(text);
}

static struct fmi_qemu_amd_step act(struct fmi_qemu_amd *m, enum fmi_qemu_amd_state state,
				    enum fmi_qemu_amd_action action, const char *text)
{
	m->state = state;
	return (struct fmi_qemu_amd_step){ .action = action, .text = text };
}

/* Back to the array, out of bypass. A timer that runs goes on. */
static struct fmi_qemu_amd_step leave(struct fmi_qemu_amd *m, const char *text)
{
	m->bypass = false;
	return go(m, FMI_QEMU_AMD_READY, text);
}

static struct fmi_qemu_amd_step broken(struct fmi_qemu_amd *m)
{
	leave(m, NULL);
	return (struct fmi_qemu_amd_step){ .text = "sequence broken off", .misuse = true };
}

static struct fmi_qemu_amd_step ignored(const char *text)
{
	return (struct fmi_qemu_amd_step){ .text = text, .misuse = true };
}

/* A clock that is nearly at its end stays there. */
static uint64_t later(uint64_t now_ns, uint64_t ns)
{
	return now_ns >= FM_NEVER - 1 - ns ? FM_NEVER - 1 : now_ns + ns;
}

static unsigned word_of(const struct fmi_qemu_amd_part *part,
			const struct fmi_qemu_amd_cycle *cycle)
{
	return (unsigned)(cycle->off / part->width) & ADDR_MASK;
}

static bool is_at(const struct fmi_qemu_amd_part *part, const struct fmi_qemu_amd_cycle *cycle,
		  uint8_t value, unsigned word)
{
	return cycle->value == value && word_of(part, cycle) == word;
}

/* --- states ------------------------------------------------------------------------------ */

static struct fmi_qemu_amd_step resume(struct fmi_qemu_amd *m,
				       const struct fmi_qemu_amd_cycle *cycle)
{
	if (!m->remaining_ns)
		return broken(m);
	m->deadline_ns = later(cycle->now_ns, m->remaining_ns);
	m->remaining_ns = 0;
	m->dq = (uint8_t)((m->dq & ~FMI_QEMU_DQ7) | FMI_QEMU_DQ3);
	return go(m, FMI_QEMU_AMD_SECTORS, "resume");
}

/* The first write of a sequence; `then` is the state behind AA. 80 is followed by the same. */
static struct fmi_qemu_amd_step begin(struct fmi_qemu_amd *m, const struct fmi_qemu_amd_part *part,
				      const struct fmi_qemu_amd_cycle *cycle,
				      enum fmi_qemu_amd_state then)
{
	if (is_at(part, cycle, QUERY, QUERY_ADDR))
		return go(m, FMI_QEMU_AMD_QUERY, "query");
	if (cycle->value == ERASE_SECTOR)
		return resume(m, cycle);
	if (cycle->value == SUSPEND)
		return ignored("suspend");
	if (is_at(part, cycle, UNLOCK_1, UNLOCK_ADDR))
		return go(m, then, NULL);
	return broken(m);
}

static struct fmi_qemu_amd_step unlock_2(struct fmi_qemu_amd *m,
					 const struct fmi_qemu_amd_part *part,
					 const struct fmi_qemu_amd_cycle *cycle,
					 enum fmi_qemu_amd_state then)
{
	if (is_at(part, cycle, UNLOCK_2, UNLOCK_ADDR_2))
		return go(m, then, NULL);
	return broken(m);
}

static struct fmi_qemu_amd_step command(struct fmi_qemu_amd *m,
					const struct fmi_qemu_amd_part *part,
					const struct fmi_qemu_amd_cycle *cycle)
{
	if (!m->bypass && word_of(part, cycle) != UNLOCK_ADDR)
		return broken(m);
	switch (cycle->value) {
	case BYPASS:
		m->bypass = true;
		return go(m, FMI_QEMU_AMD_COMMAND, "unlock bypass");
	case ERASE:
		return go(m, FMI_QEMU_AMD_ERASE_1, "erase");
	case AUTOSELECT:
		return go(m, FMI_QEMU_AMD_AUTOSELECT, "autoselect");
	case PROGRAM:
		return go(m, FMI_QEMU_AMD_PROGRAM, "program");
	default:
		return broken(m);
	}
}

static struct fmi_qemu_amd_step autoselect(struct fmi_qemu_amd *m,
					   const struct fmi_qemu_amd_part *part,
					   const struct fmi_qemu_amd_cycle *cycle)
{
	if (m->bypass && cycle->value == BYPASS_RESET)
		return leave(m, "bypass reset");
	if (is_at(part, cycle, QUERY, QUERY_ADDR))
		return go(m, FMI_QEMU_AMD_QUERY_2, "query");
	return broken(m);
}

/* The data. It is in the cells at once; DQ7 alone remembers it. */
static struct fmi_qemu_amd_step program(struct fmi_qemu_amd *m,
					const struct fmi_qemu_amd_cycle *cycle)
{
	bool suspended = m->remaining_ns && cycle->marked;

	if (m->bypass)
		m->state = FMI_QEMU_AMD_COMMAND;
	else
		leave(m, NULL);
	if (suspended)
		return ignored("program in a sector whose erase is suspended");
	m->dq = (uint8_t)((m->dq & ~FMI_QEMU_DQ7) | (~cycle->value & FMI_QEMU_DQ7));
	return act(m, m->state, FMI_QEMU_AMD_AND, NULL);
}

static struct fmi_qemu_amd_step erase_sector(struct fmi_qemu_amd *m,
					     const struct fmi_qemu_amd_cycle *cycle)
{
	m->dq = (uint8_t)(m->dq & ~FMI_QEMU_DQ7);
	m->sectors++;
	m->deadline_ns = later(cycle->now_ns, FMI_QEMU_WINDOW_NS);
	return act(m, FMI_QEMU_AMD_SECTORS, FMI_QEMU_AMD_ERASE, "erase sector");
}

static struct fmi_qemu_amd_step erase(struct fmi_qemu_amd *m, const struct fmi_qemu_amd_part *part,
				      const struct fmi_qemu_amd_cycle *cycle)
{
	if (m->remaining_ns)
		return broken(m);
	if (cycle->value == ERASE_SECTOR)
		return erase_sector(m, cycle);
	if (!is_at(part, cycle, ERASE_CHIP, UNLOCK_ADDR))
		return broken(m);
	m->dq = (uint8_t)(m->dq & ~FMI_QEMU_DQ7);
	m->deadline_ns = later(cycle->now_ns, part->chip_ns);
	return act(m, FMI_QEMU_AMD_CHIP, FMI_QEMU_AMD_ERASE_ALL, "erase chip");
}

/* In the window all that is to be erased remains, later what is left on the timer. */
static struct fmi_qemu_amd_step suspend(struct fmi_qemu_amd *m,
					const struct fmi_qemu_amd_part *part,
					const struct fmi_qemu_amd_cycle *cycle)
{
	if (!(m->dq & FMI_QEMU_DQ3))
		m->remaining_ns = m->sectors * part->sector_ns;
	else if (m->deadline_ns > cycle->now_ns)
		m->remaining_ns = m->deadline_ns - cycle->now_ns;
	else
		m->remaining_ns = 1;
	m->deadline_ns = FM_NEVER;
	m->dq = (uint8_t)(m->dq & ~FMI_QEMU_DQ3);
	return go(m, FMI_QEMU_AMD_READY, "suspend");
}

static struct fmi_qemu_amd_step sectors(struct fmi_qemu_amd *m,
					const struct fmi_qemu_amd_part *part,
					const struct fmi_qemu_amd_cycle *cycle)
{
	if (cycle->value == SUSPEND)
		return suspend(m, part, cycle);
	if (m->dq & FMI_QEMU_DQ3)
		return ignored("write while sectors are erased");
	if (cycle->value == ERASE_SECTOR)
		return erase_sector(m, cycle);
	return broken(m);
}

static bool reset_works(enum fmi_qemu_amd_state state)
{
	return state != FMI_QEMU_AMD_PROGRAM && state != FMI_QEMU_AMD_CHIP &&
	       state != FMI_QEMU_AMD_SECTORS;
}

struct fmi_qemu_amd_step fmi_qemu_amd_write(struct fmi_qemu_amd *m,
					    const struct fmi_qemu_amd_part *part,
					    const struct fmi_qemu_amd_cycle *cycle)
{
	if (cycle->value == RESET && m->state == FMI_QEMU_AMD_QUERY_2)
		return go(m, FMI_QEMU_AMD_AUTOSELECT, "reset");
	if (cycle->value == RESET && reset_works(m->state))
		return leave(m, "reset");
	switch (m->state) {
	case FMI_QEMU_AMD_READY:
		m->mapped = false;
		m->reads = 0;
		return begin(m, part, cycle, FMI_QEMU_AMD_UNLOCK_2);
	case FMI_QEMU_AMD_UNLOCK_2:
		return unlock_2(m, part, cycle, FMI_QEMU_AMD_COMMAND);
	case FMI_QEMU_AMD_COMMAND:
		return command(m, part, cycle);
	case FMI_QEMU_AMD_AUTOSELECT:
		return autoselect(m, part, cycle);
	case FMI_QEMU_AMD_PROGRAM:
		return program(m, cycle);
	case FMI_QEMU_AMD_ERASE_1:
		return begin(m, part, cycle, FMI_QEMU_AMD_ERASE_2);
	case FMI_QEMU_AMD_ERASE_2:
		return unlock_2(m, part, cycle, FMI_QEMU_AMD_ERASE_3);
	case FMI_QEMU_AMD_ERASE_3:
		return erase(m, part, cycle);
	case FMI_QEMU_AMD_SECTORS:
		return sectors(m, part, cycle);
	case FMI_QEMU_AMD_CHIP:
		return ignored("write while the chip is erased");
	case FMI_QEMU_AMD_QUERY:
	case FMI_QEMU_AMD_QUERY_2:
	case FMI_QEMU_AMD_STATES:
		break;
	}
	return broken(m);
}

/* --- reads ------------------------------------------------------------------------------- */

enum fmi_qemu_amd_answer fmi_qemu_amd_read(struct fmi_qemu_amd *m, bool marked)
{
	if (m->state == FMI_QEMU_AMD_READY && m->reads++ == FMI_QEMU_READS_MAX)
		m->mapped = true;
	switch (m->state) {
	case FMI_QEMU_AMD_READY:
	case FMI_QEMU_AMD_UNLOCK_2:
	case FMI_QEMU_AMD_COMMAND:
	case FMI_QEMU_AMD_ERASE_1:
	case FMI_QEMU_AMD_ERASE_2:
	case FMI_QEMU_AMD_ERASE_3:
		if (!m->remaining_ns || !marked)
			return FMI_QEMU_AMD_SHOW_ARRAY;
		m->dq ^= FMI_QEMU_DQ2;
		return FMI_QEMU_AMD_SHOW_STATUS;
	case FMI_QEMU_AMD_PROGRAM:
		m->dq ^= FMI_QEMU_DQ6;
		return FMI_QEMU_AMD_SHOW_STATUS;
	case FMI_QEMU_AMD_SECTORS:
	case FMI_QEMU_AMD_CHIP:
		m->dq ^= FMI_QEMU_DQ6 | FMI_QEMU_DQ2;
		return FMI_QEMU_AMD_SHOW_STATUS;
	case FMI_QEMU_AMD_AUTOSELECT:
		return FMI_QEMU_AMD_SHOW_CODES;
	case FMI_QEMU_AMD_QUERY:
	case FMI_QEMU_AMD_QUERY_2:
		return FMI_QEMU_AMD_SHOW_QUERY;
	case FMI_QEMU_AMD_STATES:
		break;
	}
	return FMI_QEMU_AMD_SHOW_ARRAY;
}

/* --- time and reset ------------------------------------------------------------------------ */

/* The timer fired, whatever state the bank is in meanwhile. True as fmi_qemu_amd_tick(). */
static bool fire(struct fmi_qemu_amd *m, const struct fmi_qemu_amd_part *part)
{
	bool erased = m->state == FMI_QEMU_AMD_SECTORS;

	if (erased && !(m->dq & FMI_QEMU_DQ3)) {
		m->dq |= FMI_QEMU_DQ3;
		m->deadline_ns = later(m->deadline_ns, m->sectors * part->sector_ns);
		return false;
	}
	if (erased) {
		m->dq = (uint8_t)(m->dq & ~FMI_QEMU_DQ3);
		m->sectors = 0;
	}
	m->deadline_ns = FM_NEVER;
	m->dq ^= FMI_QEMU_DQ7;
	m->state = m->bypass ? FMI_QEMU_AMD_COMMAND : FMI_QEMU_AMD_READY;
	if (!m->bypass)
		m->mapped = true;
	return erased;
}

bool fmi_qemu_amd_tick(struct fmi_qemu_amd *m, const struct fmi_qemu_amd_part *part,
		       uint64_t now_ns)
{
	bool erased = false;

	/* Late or not: the erase began when the window was over. */
	while (m->deadline_ns != FM_NEVER && m->deadline_ns <= now_ns)
		erased |= fire(m, part);
	return erased;
}

void fmi_qemu_amd_init(struct fmi_qemu_amd *m)
{
	*m = (struct fmi_qemu_amd){ .mapped = true, .deadline_ns = FM_NEVER };
}

void fmi_qemu_amd_reset(struct fmi_qemu_amd *m)
{
	m->state = FMI_QEMU_AMD_READY;
}

/* --- what comes from outside --------------------------------------------------------------- */

bool fmi_qemu_amd_valid(const struct fmi_qemu_amd *m, const struct fmi_qemu_amd_part *part,
			uint32_t marked)
{
	const unsigned known = FMI_QEMU_DQ7 | FMI_QEMU_DQ6 | FMI_QEMU_DQ3 | FMI_QEMU_DQ2;
	bool erasing = m->state == FMI_QEMU_AMD_SECTORS || m->state == FMI_QEMU_AMD_CHIP;
	bool armed = m->deadline_ns != FM_NEVER;

	if (m->state >= FMI_QEMU_AMD_STATES || (m->dq & ~known))
		return false;
	if (m->mapped && m->state != FMI_QEMU_AMD_READY && !m->bypass)
		return false;
	if (m->reads > FMI_QEMU_READS_MAX + 1)
		return false;
	/* One timer: it runs, or what was left on it is kept. */
	if ((erasing && !armed) || (armed && m->remaining_ns))
		return false;
	if (m->remaining_ns > m->sectors * part->sector_ns)
		return false;
	if (m->state == FMI_QEMU_AMD_SECTORS && !m->sectors)
		return false;
	/* Sectors that were named more than once are marked once. */
	return marked <= m->sectors && !marked == !m->sectors;
}
