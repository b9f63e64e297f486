/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gic: a GICv2 (ARM IHI 0048B) for one CPU with level-triggered interrupts: distributor and CPU
 * interface, two devices over one state. No software-generated interrupts, no groups, no edge
 * triggering.
 */
#ifndef BOARD_GIC_H
#define BOARD_GIC_H

#include <firmem/device.h>

#define GIC_IRQS 64u

struct gic {
	bool dist_on;
	bool cpu_on;
	uint64_t level; /* bit n: the line of interrupt n is high */
	uint64_t enabled;
	uint64_t active;
	uint8_t priority[GIC_IRQS]; /* 0 is the most urgent */
	uint8_t mask;               /* GICC_PMR: only more urgent ones pass */
	uint8_t binary_point;
};

/* The two devices of `gic`, which outlives them. On failure there is neither. */
int gic_new(struct gic *gic, struct fm_dev **dist, struct fm_dev **cpu, struct fm_error *err);
/* Drive an interrupt line; ask gic_line() afterwards. */
void gic_set_level(struct gic *gic, unsigned irq, bool level);
/* Is the CPU's interrupt input high? */
bool gic_line(const struct gic *gic);

#endif
