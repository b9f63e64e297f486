/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu: a Cortex-A57 on libunicorn. What it needs of the board it asks through cpu_host; nothing
 * else of the board knows which emulator this is.
 */
#ifndef BOARD_CPU_H
#define BOARD_CPU_H

#include <firmem/base.h>

struct cpu;

/* Why cpu_run() came back. */
enum cpu_exit {
	CPU_EXIT_STOPPED, /* service() said so */
	CPU_EXIT_IDLE,    /* the guest waits for an interrupt */
	CPU_EXIT_RESET,   /* PSCI SYSTEM_RESET */
	CPU_EXIT_OFF,     /* PSCI SYSTEM_OFF */
	CPU_EXIT_FAILED,  /* *err says why: FM_ERR_STATE if the guest is to blame */
};

/* What the board does when asked to look after things: see cpu_host.service. */
struct cpu_service {
	bool stop;        /* leave cpu_run() */
	bool irq;         /* the interrupt input is high */
	uint64_t at_insn; /* ask again at this instruction count at the latest */
};

struct cpu_host {
	void *ctx;
	/* A load or store that is not mapped; `size` is 1, 2, 4 or 8. */
	uint64_t (*read)(void *ctx, uint64_t gpa, unsigned size);
	void (*write)(void *ctx, uint64_t gpa, unsigned size, uint64_t value);
	/* The instruction at `gpa`, for a look that changes nothing. */
	uint32_t (*peek)(void *ctx, uint64_t gpa);
	/* Timer registers, named by CRm and op2; false: not the board's. */
	bool (*timer_read)(void *ctx, unsigned crm, unsigned op2, uint64_t *value);
	bool (*timer_write)(void *ctx, unsigned crm, unsigned op2, uint64_t value);
	/* Between two blocks of guest code: the place to look at clocks and to change mappings. */
	struct cpu_service (*service)(void *ctx);
};

struct cpu_stats {
	uint64_t insns;      /* executed; a block that an exception cut short counts whole */
	uint64_t interrupts; /* taken */
};

/* A CPU at its reset vector with nothing mapped. `insns` continues a count. FM_ERR_UNSUPPORTED. */
int cpu_new(struct cpu **out, const struct cpu_host *host, struct cpu_stats *stats,
	    struct fm_error *err);
void cpu_free(struct cpu *cpu);

/*
 * Guest-physical memory, in whole pages. cpu_map: loads (and stores and fetches where `prot`, of
 * enum fm_map_prot, has them) go straight to `host`; other stores go to the write() of the host.
 * cpu_trap: loads and stores go to read() and write(). Neither range may be in use; cpu_unmap takes
 * exactly what was mapped or trapped. cpu_unmap and cpu_trap also from within read() and write(),
 * cpu_map only from service() or outside of cpu_run(). FM_ERR_UNSUPPORTED.
 */
int cpu_map(struct cpu *cpu, uint64_t gpa, uint64_t len, void *host, unsigned prot,
	    struct fm_error *err);
int cpu_trap(struct cpu *cpu, uint64_t gpa, uint64_t len, struct fm_error *err);
int cpu_unmap(struct cpu *cpu, uint64_t gpa, uint64_t len, struct fm_error *err);

enum cpu_exit cpu_run(struct cpu *cpu, struct fm_error *err);
/* Call service() before the next block. From any of the host's functions. */
void cpu_kick(struct cpu *cpu);

#endif
