/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bank of AMD chips as QEMU models it (FM_FLASH_QUIRK_QEMU_AMD): an access is aligned pieces of up
 * to 4 bytes, each a cycle of the one machine of qemu_amd.c, its low byte the command; what it
 * answers is right-justified in the piece.
 */
#include "flash/flash_private.h"

#include "devices/bytes.h"
#include "devices/guestmem.h"

/* Codes and query repeat every 256 bytes of the bank. */
#define REPEAT 0xffu

/* Where the query table has them. */
#define TIME_ERASE 0x21u
#define TIME_ERASE_CHIP 0x22u
#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)

bool fmi_qemu_bank_marked(const struct fmi_flash *f, uint64_t off)
{
	return f->qemu.nmarked && fmi_array_mark(f, 0, fmi_geometry_block(&f->geo, off).number);
}

static void mark(struct fmi_flash *f, uint64_t off)
{
	f->qemu.nmarked += !fmi_qemu_bank_marked(f, off);
	fmi_array_queue(f, f->all, off);
}

static void unmark(struct fmi_flash *f)
{
	fmi_array_forget_queue(f, f->all);
	f->qemu.nmarked = 0;
}

/* --- cycles ------------------------------------------------------------------------------ */

static unsigned act(struct fmi_flash *f, enum fmi_qemu_amd_action action, uint64_t off,
		    unsigned size, uint64_t value)
{
	fmi_chips failed = 0;

	switch (action) {
	case FMI_QEMU_AMD_NONE:
		break;
	case FMI_QEMU_AMD_AND:
		return f->read_only ? 0 : fmi_array_store(f, off, size, value);
	case FMI_QEMU_AMD_ERASE:
		mark(f, off);
		return f->read_only ? 0 : fmi_array_erase(f, f->all, off, &failed);
	case FMI_QEMU_AMD_ERASE_ALL:
		return fmi_array_erase_chips(f, f->all, &failed);
	}
	return 0;
}

static void trace(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value,
		  const struct fmi_qemu_amd_step *step)
{
	fm_trace_emit(f->dev, (struct fm_trace_event){ .kind = step->misuse ? FM_TRACE_MISUSE
									    : FM_TRACE_COMMAND,
						       .off = off,
						       .size = size,
						       .value = value,
						       .text = step->text });
}

static unsigned cycle(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value)
{
	const struct fmi_qemu_amd_cycle c = {
		.off = off,
		.value = (uint8_t)value,
		.marked = fmi_qemu_bank_marked(f, off),
		.now_ns = f->part.now_ns,
	};
	struct fmi_qemu_amd_step step = fmi_qemu_amd_write(&f->qemu.machine, &f->qemu.part, &c);

	if (step.text && fm_trace_on(f->dev))
		trace(f, off, size, value, &step);
	return act(f, step.action, off, size, value);
}

unsigned fmi_qemu_bank_write(struct fmi_flash *f, uint64_t off, unsigned size, uint64_t value)
{
	unsigned effects = 0;

	while (size) {
		unsigned n = fmi_piece(off, size);

		effects |= cycle(f, off, n, value & fmi_size_mask(n));
		off += n;
		size -= n;
		value >>= 8 * n;
	}
	return effects;
}

/* --- reads ------------------------------------------------------------------------------- */

static uint64_t codes(const struct fmi_flash *f, uint64_t off, unsigned size)
{
	switch ((off & REPEAT) / f->geo.bank_width) {
	case 0x00:
		return f->manufacturer;
	case 0x01:
		return f->device_id;
	case 0x02:
		return 0; /* no sector is protected */
	case 0x0e:
		return f->extended_id[0];
	case 0x0f:
		return f->extended_id[1];
	default:
		return fmi_mem_read(f->array + off, size);
	}
}

static uint64_t piece_read(struct fmi_flash *f, uint64_t off, unsigned size)
{
	uint64_t word = (off & REPEAT) / f->geo.bank_width;

	switch (fmi_qemu_amd_read(&f->qemu.machine, fmi_qemu_bank_marked(f, off))) {
	case FMI_QEMU_AMD_SHOW_STATUS:
		return f->qemu.machine.dq;
	case FMI_QEMU_AMD_SHOW_CODES:
		return codes(f, off, size);
	case FMI_QEMU_AMD_SHOW_QUERY:
		return word < FMI_QUERY_LEN ? f->query[word] : 0;
	case FMI_QEMU_AMD_SHOW_ARRAY:
		break;
	}
	return fmi_mem_read(f->array + off, size);
}

uint64_t fmi_qemu_bank_read(struct fmi_flash *f, uint64_t off, unsigned size)
{
	uint64_t value = 0;

	/* An access has at most 8 bytes; said again for those who check shifts. */
	for (unsigned done = 0; done < size && done < sizeof(value);) {
		unsigned n = fmi_piece(off + done, size - done);
		uint64_t got;

		/* The piece before may have been the read that made it memory again. */
		if (f->qemu.machine.mapped)
			got = fmi_mem_read(f->array + off + done, n);
		else
			got = piece_read(f, off + done, n);
		value |= (got & fmi_size_mask(n)) << (8 * done);
		done += n;
	}
	return value;
}

/* --- time, reset, making ------------------------------------------------------------------- */

void fmi_qemu_bank_tick(struct fmi_flash *f)
{
	if (fmi_qemu_amd_tick(&f->qemu.machine, &f->qemu.part, f->part.now_ns))
		unmark(f);
}

void fmi_qemu_bank_reset(struct fmi_flash *f, enum fm_reset_kind kind)
{
	if (kind != FM_RESET_POWER_ON) {
		fmi_qemu_amd_reset(&f->qemu.machine);
		return;
	}
	fmi_qemu_amd_init(&f->qemu.machine);
	unmark(f);
}

void fmi_qemu_bank_init(struct fmi_flash *f)
{
	f->qemu.on = true;
	fmi_qemu_amd_init(&f->qemu.machine);
	/* The table says milliseconds of both; of a sector QEMU takes it as microseconds. */
	f->qemu.part = (struct fmi_qemu_amd_part){
		.width = f->geo.bank_width,
		.sector_ns = (UINT64_C(1) << f->query[TIME_ERASE]) * NS_PER_US,
		.chip_ns = (UINT64_C(1) << f->query[TIME_ERASE_CHIP]) * NS_PER_MS,
	};
}

/* --- saved state --------------------------------------------------------------------------- */

/* Flags of the machine. */
#define BYPASS 0x01u
#define MAPPED 0x02u
#define ARMED 0x04u /* the timer runs */
#define FLAGS 0x07u

/* What is missing until the timer fires. */
static uint64_t timer_left(const struct fmi_flash *f)
{
	uint64_t deadline = f->qemu.machine.deadline_ns;

	return deadline > f->part.now_ns ? deadline - f->part.now_ns : 1;
}

/* The most that can be missing. */
static uint64_t timer_max(const struct fmi_flash *f, uint32_t sectors)
{
	const struct fmi_qemu_amd_part *part = &f->qemu.part;

	return fmi_max_u64(fmi_max_u64(part->chip_ns, sectors * part->sector_ns),
			   FMI_QEMU_WINDOW_NS);
}

/* With the time that is missing, not the end: the clock of whoever loads it is another. */
void fmi_qemu_bank_save(const struct fmi_flash *f, struct fm_state_writer *w)
{
	const struct fmi_qemu_amd *m = &f->qemu.machine;
	bool armed = m->deadline_ns != FM_NEVER;

	fm_state_put_u8(w, (uint8_t)m->state);
	fm_state_put_u8(w, (uint8_t)((m->bypass ? BYPASS : 0) | (m->mapped ? MAPPED : 0) |
				     (armed ? ARMED : 0)));
	fm_state_put_u8(w, m->dq);
	fm_state_put_u8(w, m->reads);
	fm_state_put_u32(w, m->sectors);
	fm_state_put_u64(w, armed ? timer_left(f) : 0);
	fm_state_put_u64(w, m->remaining_ns);
}

bool fmi_qemu_bank_get(const struct fmi_flash *f, struct fm_state_reader *r,
		       struct fmi_qemu_amd *out)
{
	uint64_t now_ns = f->part.now_ns;
	uint8_t flags;
	uint64_t left;

	out->state = (enum fmi_qemu_amd_state)fm_state_get_u8(r);
	flags = fm_state_get_u8(r);
	out->bypass = flags & BYPASS;
	out->mapped = flags & MAPPED;
	out->dq = fm_state_get_u8(r);
	out->reads = fm_state_get_u8(r);
	out->sectors = fm_state_get_u32(r);
	left = fm_state_get_u64(r);
	out->remaining_ns = fm_state_get_u64(r);
	out->deadline_ns = FM_NEVER;
	if (flags & ARMED)
		out->deadline_ns = left < FM_NEVER - now_ns ? now_ns + left : FM_NEVER - 1;
	return !(flags & ~FLAGS) && !left == !(flags & ARMED) && left <= timer_max(f, out->sectors);
}
