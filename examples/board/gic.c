/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/gic.h"

#include "examples/board/platform.h"

#include <string.h>

#define SPURIOUS 1023u
#define IDLE_PRIORITY 0xffu

/* Distributor registers, IHI 0048B table 4-1. Of the bitmaps two words exist: 64 interrupts. */
enum {
	GICD_CTLR = 0x000,
	GICD_TYPER = 0x004,
	GICD_ISENABLER = 0x100,
	GICD_ICENABLER = 0x180,
	GICD_IPRIORITYR = 0x400,
	GICD_ITARGETSR = 0x800,
};

/* CPU interface registers, table 4-2. */
enum {
	GICC_CTLR = 0x00,
	GICC_PMR = 0x04,
	GICC_BPR = 0x08,
	GICC_IAR = 0x0c,
	GICC_EOIR = 0x10,
	GICC_RPR = 0x14,
};

static uint64_t bit(unsigned irq)
{
	return UINT64_C(1) << irq;
}

static unsigned most_urgent(const struct gic *gic, uint64_t set)
{
	unsigned best = SPURIOUS;

	for (unsigned i = 0; i < GIC_IRQS; i++) {
		if ((set & bit(i)) && (best == SPURIOUS || gic->priority[i] < gic->priority[best]))
			best = i;
	}
	return best;
}

static uint8_t running_priority(const struct gic *gic)
{
	unsigned irq = most_urgent(gic, gic->active);

	return irq == SPURIOUS ? IDLE_PRIORITY : gic->priority[irq];
}

/* The interrupt that the CPU interface signals, or SPURIOUS. */
static unsigned candidate(const struct gic *gic)
{
	unsigned irq;

	if (!gic->dist_on || !gic->cpu_on)
		return SPURIOUS;
	irq = most_urgent(gic, gic->level & gic->enabled & ~gic->active);
	if (irq == SPURIOUS || gic->priority[irq] >= gic->mask ||
	    gic->priority[irq] >= running_priority(gic))
		return SPURIOUS;
	return irq;
}

bool gic_line(const struct gic *gic)
{
	return candidate(gic) != SPURIOUS;
}

void gic_set_level(struct gic *gic, unsigned irq, bool level)
{
	if (level)
		gic->level |= bit(irq);
	else
		gic->level &= ~bit(irq);
}

/* The word of a bitmap at `off`, given the register array's first offset. */
static uint32_t word_of(uint64_t bits, uint64_t off)
{
	return off < 8 ? (uint32_t)(bits >> (8 * (off & 4))) : 0;
}

static bool in_array(uint64_t off, uint64_t base, uint64_t len)
{
	return off >= base && off - base < len;
}

static unsigned dist_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			  struct fm_attrs attrs)
{
	const struct gic *gic = state;
	uint64_t v = 0;

	if (off == GICD_CTLR)
		v = gic->dist_on;
	else if (off == GICD_TYPER)
		v = GIC_IRQS / 32 - 1;
	else if (in_array(off, GICD_ISENABLER, 8))
		v = word_of(gic->enabled, off - GICD_ISENABLER);
	else if (in_array(off, GICD_ICENABLER, 8))
		v = word_of(gic->enabled, off - GICD_ICENABLER);
	else if (in_array(off, GICD_IPRIORITYR, GIC_IRQS))
		for (unsigned i = size; i-- > 0;)
			v = v << 8 | gic->priority[(off - GICD_IPRIORITYR + i) % GIC_IRQS];
	else if (in_array(off, GICD_ITARGETSR, 32))
		v = 0x01010101; /* banked: reads tell a CPU which one it is */
	*value = v;
	return 0;
}

static unsigned dist_write(void *state, uint64_t off, unsigned size, uint64_t value,
			   struct fm_attrs attrs)
{
	struct gic *gic = state;

	if (off == GICD_CTLR)
		gic->dist_on = value & 1;
	else if (in_array(off, GICD_ISENABLER, 8))
		gic->enabled |= value << (8 * ((off - GICD_ISENABLER) & 4));
	else if (in_array(off, GICD_ICENABLER, 8))
		gic->enabled &= ~(value << (8 * ((off - GICD_ICENABLER) & 4)));
	else if (in_array(off, GICD_IPRIORITYR, GIC_IRQS))
		for (unsigned i = 0; i < size; i++)
			gic->priority[(off - GICD_IPRIORITYR + i) % GIC_IRQS] =
				(uint8_t)(value >> (8 * i));
	return FM_EFF_IRQ;
}

static unsigned cpu_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			 struct fm_attrs attrs)
{
	struct gic *gic = state;

	*value = 0;
	switch (off) {
	case GICC_CTLR:
		*value = gic->cpu_on;
		break;
	case GICC_PMR:
		*value = gic->mask;
		break;
	case GICC_BPR:
		*value = gic->binary_point;
		break;
	case GICC_IAR:
		*value = candidate(gic);
		if (*value == SPURIOUS || attrs.debug)
			break;
		gic->active |= bit((unsigned)*value);
		return FM_EFF_IRQ;
	case GICC_RPR:
		*value = running_priority(gic);
		break;
	default:
		break;
	}
	return 0;
}

static unsigned cpu_write(void *state, uint64_t off, unsigned size, uint64_t value,
			  struct fm_attrs attrs)
{
	struct gic *gic = state;

	switch (off) {
	case GICC_CTLR:
		gic->cpu_on = value & 1;
		break;
	case GICC_PMR:
		gic->mask = (uint8_t)value;
		break;
	case GICC_BPR:
		gic->binary_point = value & 7;
		break;
	case GICC_EOIR:
		if ((value & 0x3ff) < GIC_IRQS)
			gic->active &= ~bit(value & 0x3ff);
		break;
	default:
		break;
	}
	return FM_EFF_IRQ;
}

static unsigned gic_reset(void *state, enum fm_reset_kind kind)
{
	struct gic *gic = state;
	uint64_t level = gic->level;

	memset(gic, 0, sizeof(*gic));
	gic->level = level;
	return FM_EFF_IRQ;
}

static const struct fm_dev_ops dist_ops = {
	.struct_size = sizeof(dist_ops),
	.type = "gic-distributor",
	.max_access = 4,
	.read = dist_read,
	.write = dist_write,
	.reset = gic_reset,
};

static const struct fm_dev_ops cpu_ops = {
	.struct_size = sizeof(cpu_ops),
	.type = "gic-cpu-interface",
	.max_access = 4,
	.read = cpu_read,
	.write = cpu_write,
};

int gic_new(struct gic *gic, struct fm_dev **dist, struct fm_dev **cpu, struct fm_error *err)
{
	struct fm_dev_config cfg = { .struct_size = sizeof(cfg), .name = "gicd", .len = GICD_LEN };
	struct fm_dev *made;
	int rc;

	memset(gic, 0, sizeof(*gic));
	rc = fm_dev_new(&made, &dist_ops, gic, &cfg, err);
	if (rc)
		return rc;
	cfg.name = "gicc";
	cfg.len = GICC_LEN;
	rc = fm_dev_new(cpu, &cpu_ops, gic, &cfg, err);
	if (rc) {
		fm_dev_free(made);
		return rc;
	}
	*dist = made;
	return 0;
}
