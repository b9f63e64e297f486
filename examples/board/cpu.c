/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only file that knows libunicorn (2.0.1). What it gets wrong decides the shape of this one:
 *
 * - It starts in EL1h below an EL3 with SCR_EL3 = 0, from which no firmware for a machine without
 *   EL3 gets far: the registers of EL3 and EL2 are set as their firmware would leave them.
 * - It delivers no interrupts and its timers never fire: both are done here, between blocks.
 * - uc_emu_stop() from a memory callback runs the present block again from its start. So the
 *   emulation is stopped from the block and interrupt hooks only; elsewhere a flag is set.
 * - A plain mapping cannot be read-only from the start, and the store that a hook allows reaches
 *   host memory; a device with a write callback sees some stores twice. When it is mapped read-only
 *   afterwards, or is a device without a write callback, each store enters the write-protection
 *   hook just once.
 * - Changing a mapping leaves translated code in place: it is dropped by hand.
 * - A store to plain memory looks for translated code there, which takes four times as long as the
 *   write-protection hook. So RAM starts write-protected and its stores are done here; a chunk of
 *   it becomes plain memory when code first runs in it. That takes a guest whose virtual addresses
 *   are physical ones, as firmware's are; at the first that cannot be one all RAM becomes plain.
 */
#include "examples/board/cpu.h"

#include <firmem/device.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#define RAM_CHUNKS 64u /* more make each change of a mapping slow */
#define RAM_CHUNK_MIN UINT64_C(0x200000)
#define BLOCK_MAX 4096u               /* bytes: no block of code is longer */
#define NOWHERE 0xfffffffffffffff0ull /* an address that is never reached */
#define EXCP_HVC 11u                  /* number of a hypervisor call in the interrupt hook */

enum {
	PSTATE_EL1H_MASKED = 0x3c5, /* D, A, I, F set */
	PSTATE_I = 0x80,
	PSTATE_MODE = 0x1f,
	MODE_EL1H = 0x05,
	VECTOR_IRQ_EL1H = 0x280,
	INSN_WFI = 0xd503207f,
};

/* SMC Calling Convention 32-bit function ids of PSCI (ARM DEN 0022D). */
#define PSCI_VERSION 0x84000000u
#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define PSCI_FEATURES 0x8400000au
#define PSCI_1_0 0x00010000u

struct trap {
	struct trap *next;
	struct cpu *cpu;
	uint64_t gpa;
	uint64_t len;
};

struct ram {
	uint64_t gpa;
	uint64_t len; /* 0: there is none */
	uint64_t chunk_len;
	uint8_t *host;
	bool plain[RAM_CHUNKS]; /* no longer write-protected */
};

struct cpu {
	/* What each block looks at. */
	struct cpu_stats *stats;
	uint64_t look_at;   /* at this instruction count something is to be done, or before */
	uint64_t plain_gpa; /* blocks that start in here lie in a plain chunk */
	uint64_t plain_len;

	uc_engine *uc;
	struct cpu_host host;
	uint64_t service_at; /* call service() at this instruction count */
	bool irq;
	bool stopping;
	enum cpu_exit why;
	struct fm_error error;
	struct trap *traps;
	struct ram ram;
	uint64_t code_end; /* what is mapped besides RAM lies below */
};

static int failed(uc_err rc, const char *what, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_UNSUPPORTED, 0, "libunicorn: %s: %s", what,
			    uc_strerror(rc));
}

/* --- registers ----------------------------------------------------------------------------- */

static uint64_t reg(struct cpu *cpu, int id)
{
	uint64_t v = 0;

	uc_reg_read(cpu->uc, id, &v);
	return v;
}

static void set_reg(struct cpu *cpu, int id, uint64_t v)
{
	uc_reg_write(cpu->uc, id, &v);
}

static uint32_t pstate(struct cpu *cpu)
{
	uint32_t v = 0;

	uc_reg_read(cpu->uc, UC_ARM64_REG_PSTATE, &v);
	return v;
}

static void set_pstate(struct cpu *cpu, uint32_t v)
{
	uc_reg_write(cpu->uc, UC_ARM64_REG_PSTATE, &v);
}

static uc_err set_system_reg(struct cpu *cpu, uint32_t op0, uint32_t op1, uint32_t crn,
			     uint32_t crm, uint32_t op2, uint64_t val)
{
	uc_arm64_cp_reg r = {
		.op0 = op0, .op1 = op1, .crn = crn, .crm = crm, .op2 = op2, .val = val
	};

	return uc_reg_write(cpu->uc, UC_ARM64_REG_CP_REG, &r);
}

/* --- interrupts, exceptions ------------------------------------------------------------------ */

static void stop(struct cpu *cpu, enum cpu_exit why)
{
	cpu->why = why;
	cpu->stopping = true;
	uc_emu_stop(cpu->uc);
}

/* As the architecture takes an IRQ to EL1 (ARM DDI 0487, AArch64.TakePhysicalIRQException). */
static void take_interrupt(struct cpu *cpu, uint64_t pc, uint32_t state)
{
	uint64_t vector = reg(cpu, UC_ARM64_REG_VBAR_EL1) + VECTOR_IRQ_EL1H;

	set_system_reg(cpu, 3, 0, 4, 0, 0, state); /* SPSR_EL1 */
	set_reg(cpu, UC_ARM64_REG_ELR_EL1, pc);
	set_pstate(cpu, PSTATE_EL1H_MASKED);
	set_reg(cpu, UC_ARM64_REG_PC, vector);
	cpu->stats->interrupts++;
}

static void interrupt(struct cpu *cpu, uint64_t pc, uint32_t size)
{
	uint32_t state = pstate(cpu);

	if (state & PSTATE_I)
		return;
	if ((state & PSTATE_MODE) != MODE_EL1H) {
		fm_error_set(&cpu->error, FM_ERR_STATE, 0,
			     "guest: interrupt in mode 0x%x at pc 0x%llx, expected EL1h (0x%x)",
			     state & PSTATE_MODE, (unsigned long long)pc, MODE_EL1H);
		stop(cpu, CPU_EXIT_FAILED);
		return;
	}
	take_interrupt(cpu, pc, state);
	cpu->stats->insns -= size / 4; /* the block will start another time */
}

/* Code runs in a chunk: Unicorn has to see the stores to it. */
static void make_plain(struct cpu *cpu, uint64_t off)
{
	struct ram *ram = &cpu->ram;
	uint64_t at = off - off % ram->chunk_len;
	uint64_t left = ram->len - at;
	uc_err rc = UC_ERR_OK;

	if (left > ram->chunk_len)
		left = ram->chunk_len;
	cpu->plain_gpa = ram->gpa + at;
	cpu->plain_len = left - BLOCK_MAX;
	if (!ram->plain[at / ram->chunk_len])
		rc = uc_mem_protect(cpu->uc, cpu->plain_gpa, left, UC_PROT_ALL);
	ram->plain[at / ram->chunk_len] = true;
	if (rc) {
		failed(rc, "cannot make memory plain", &cpu->error);
		stop(cpu, CPU_EXIT_FAILED);
	}
}

/* A block runs that may not lie in the chunk of the last one. */
static void note_code(struct cpu *cpu, uint64_t pc, uint32_t size)
{
	struct ram *ram = &cpu->ram;
	uint64_t off = pc - ram->gpa;

	if (off < ram->len) {
		make_plain(cpu, off);
		if (size && size <= ram->len - off)
			make_plain(cpu, off + size - 1);
	} else if (pc >= cpu->code_end) {
		/* Not a physical address: the code may be anywhere, and so may the next. */
		for (off = 0; off < ram->len; off += ram->chunk_len)
			make_plain(cpu, off);
		ram->len = 0;
	}
}

/* The service is due, or an interrupt waits until the guest unmasks it. */
static void look(struct cpu *cpu, uint64_t pc, uint32_t size)
{
	if (cpu->stats->insns >= cpu->service_at) {
		struct cpu_service s = cpu->host.service(cpu->host.ctx);

		cpu->service_at = s.at_insn;
		cpu->irq = s.irq;
		if (s.stop) {
			stop(cpu, CPU_EXIT_STOPPED);
			return;
		}
	}
	cpu->look_at = cpu->irq ? 0 : cpu->service_at;
	if (cpu->irq)
		interrupt(cpu, pc, size);
}

/* Runs before the first instruction of each block; `pc` is exact. */
static void on_block(uc_engine *uc, uint64_t pc, uint32_t size, void *ctx)
{
	struct cpu *cpu = ctx;

	cpu->stats->insns += size / 4;
	if (pc - cpu->plain_gpa >= cpu->plain_len)
		note_code(cpu, pc, size);
	if (cpu->stats->insns >= cpu->look_at)
		look(cpu, pc, size);
}

static uint64_t psci(struct cpu *cpu, uint32_t function)
{
	switch (function) {
	case PSCI_VERSION:
		return PSCI_1_0;
	case PSCI_FEATURES:
		switch ((uint32_t)reg(cpu, UC_ARM64_REG_X1)) {
		case PSCI_VERSION:
		case PSCI_FEATURES:
		case PSCI_SYSTEM_OFF:
		case PSCI_SYSTEM_RESET:
			return 0;
		default:
			return UINT64_MAX;
		}
	case PSCI_SYSTEM_OFF:
		stop(cpu, CPU_EXIT_OFF);
		return 0;
	case PSCI_SYSTEM_RESET:
		stop(cpu, CPU_EXIT_RESET);
		return 0;
	default:
		return UINT64_MAX; /* NOT_SUPPORTED */
	}
}

/* Every exception ends here: Unicorn delivers none to the guest. */
static void on_exception(uc_engine *uc, uint32_t number, void *ctx)
{
	struct cpu *cpu = ctx;

	if (number == EXCP_HVC) {
		set_reg(cpu, UC_ARM64_REG_X0, psci(cpu, (uint32_t)reg(cpu, UC_ARM64_REG_X0)));
		return;
	}
	if (cpu->stopping)
		return;
	fm_error_set(&cpu->error, FM_ERR_STATE, 0,
		     "guest: exception %u at pc 0x%llx, expected only HVC", number,
		     (unsigned long long)reg(cpu, UC_ARM64_REG_PC));
	stop(cpu, CPU_EXIT_FAILED);
}

/* --- the generic timer's registers ------------------------------------------------------------ */

static bool is_timer(const uc_arm64_cp_reg *r)
{
	return r->op0 == 3 && r->op1 == 3 && r->crn == 14;
}

static uint32_t on_mrs(uc_engine *uc, uc_arm64_reg to, const uc_arm64_cp_reg *r, void *ctx)
{
	struct cpu *cpu = ctx;
	uint64_t value;

	if (!is_timer(r) || !cpu->host.timer_read(cpu->host.ctx, r->crm, r->op2, &value))
		return 0;
	set_reg(cpu, (int)to, value);
	return 1;
}

static uint32_t on_msr(uc_engine *uc, uc_arm64_reg from, const uc_arm64_cp_reg *r, void *ctx)
{
	struct cpu *cpu = ctx;

	return is_timer(r) &&
	       cpu->host.timer_write(cpu->host.ctx, r->crm, r->op2, reg(cpu, (int)from));
}

/* --- memory ------------------------------------------------------------------------------- */

static uint64_t on_trapped_read(uc_engine *uc, uint64_t off, unsigned size, void *ctx)
{
	const struct trap *t = ctx;

	return t->cpu->host.read(t->cpu->host.ctx, t->gpa + off, size);
}

static bool store_to_ram(struct cpu *cpu, uint64_t gpa, unsigned size, uint64_t value)
{
	struct ram *ram = &cpu->ram;
	uint64_t off = gpa - ram->gpa;
	uint64_t le = htole64(value);

	if (off >= ram->len || size > ram->len - off)
		return false;
	switch (size) {
	case 8:
		memcpy(ram->host + off, &le, 8);
		break;
	case 4:
		memcpy(ram->host + off, &le, 4);
		break;
	default:
		memcpy(ram->host + off, &le, size);
		break;
	}
	return true;
}

static bool on_store(uc_engine *uc, uc_mem_type type, uint64_t gpa, int size, int64_t value,
		     void *ctx)
{
	struct cpu *cpu = ctx;
	unsigned bytes = (unsigned)size;

	if (store_to_ram(cpu, gpa, bytes, (uint64_t)value))
		return true;
	cpu->host.write(cpu->host.ctx, gpa, bytes,
			(uint64_t)value & UINT64_MAX >> (64 - 8 * bytes));
	return true;
}

static bool on_nothing_there(uc_engine *uc, uc_mem_type type, uint64_t gpa, int size, int64_t value,
			     void *ctx)
{
	struct cpu *cpu = ctx;

	fm_error_set(&cpu->error, FM_ERR_STATE, 0,
		     "guest: %s of %d bytes at 0x%llx near pc 0x%llx, expected memory or a device",
		     type == UC_MEM_FETCH_UNMAPPED   ? "fetch"
		     : type == UC_MEM_WRITE_UNMAPPED ? "store"
						     : "load",
		     size, (unsigned long long)gpa, (unsigned long long)reg(cpu, UC_ARM64_REG_PC));
	cpu->stopping = true; /* false stops the emulation */
	cpu->why = CPU_EXIT_FAILED;
	return false;
}

static uint32_t to_uc_prot(unsigned prot)
{
	return (prot & FM_MAP_READ ? UC_PROT_READ : 0u) |
	       (prot & FM_MAP_WRITE ? UC_PROT_WRITE : 0u) |
	       (prot & FM_MAP_EXEC ? UC_PROT_EXEC : 0u);
}

static int map(struct cpu *cpu, uint64_t gpa, uint64_t len, void *host, uint32_t prot,
	       struct fm_error *err)
{
	uc_err rc = uc_mem_map_ptr(cpu->uc, gpa, len, UC_PROT_ALL, host);

	if (!rc && prot != UC_PROT_ALL)
		rc = uc_mem_protect(cpu->uc, gpa, len, prot);
	if (!rc)
		rc = uc_ctl_remove_cache(cpu->uc, gpa, gpa + len);
	return rc ? failed(rc, "cannot map memory", err) : 0;
}

static int map_ram(struct cpu *cpu, uint64_t gpa, uint64_t len, void *host, struct fm_error *err)
{
	struct ram *ram = &cpu->ram;
	uint64_t chunk = RAM_CHUNK_MIN;
	int rc = 0;

	while (len > RAM_CHUNKS * chunk)
		chunk *= 2;
	*ram = (struct ram){ .gpa = gpa, .len = len, .chunk_len = chunk, .host = host };
	for (uint64_t off = 0; !rc && off < len; off += chunk)
		rc = map(cpu, gpa + off, chunk < len - off ? chunk : len - off, ram->host + off,
			 UC_PROT_READ | UC_PROT_EXEC, err);
	return rc;
}

int cpu_map(struct cpu *cpu, uint64_t gpa, uint64_t len, void *host, unsigned prot,
	    struct fm_error *err)
{
	if ((prot & FM_MAP_WRITE) && !cpu->ram.len)
		return map_ram(cpu, gpa, len, host, err);
	if (gpa + len > cpu->code_end)
		cpu->code_end = gpa + len;
	return map(cpu, gpa, len, host, to_uc_prot(prot), err);
}

int cpu_trap(struct cpu *cpu, uint64_t gpa, uint64_t len, struct fm_error *err)
{
	struct trap *t = malloc(sizeof(*t));
	uc_err rc;

	if (!t)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "cpu: out of memory");
	*t = (struct trap){ .next = cpu->traps, .cpu = cpu, .gpa = gpa, .len = len };
	cpu->traps = t;
	rc = uc_mmio_map(cpu->uc, gpa, len, on_trapped_read, t, NULL, NULL);
	if (!rc)
		rc = uc_ctl_remove_cache(cpu->uc, gpa, gpa + len);
	return rc ? failed(rc, "cannot trap a range", err) : 0;
}

int cpu_unmap(struct cpu *cpu, uint64_t gpa, uint64_t len, struct fm_error *err)
{
	uc_err rc = uc_mem_unmap(cpu->uc, gpa, len);
	struct trap **at = &cpu->traps;

	while (*at && (*at)->gpa != gpa)
		at = &(*at)->next;
	if (*at) {
		struct trap *t = *at;

		*at = t->next;
		free(t);
	}
	return rc ? failed(rc, "cannot unmap a range", err) : 0;
}

/* --- life --------------------------------------------------------------------------------- */

static uc_err set_up_registers(struct cpu *cpu)
{
	/* SCR_EL3: non-secure, HVC enabled, EL2 is AArch64. */
	uc_err rc = set_system_reg(cpu, 3, 6, 1, 1, 0, 0x501);

	if (!rc) /* HCR_EL2: EL1 is AArch64 */
		rc = set_system_reg(cpu, 3, 4, 1, 1, 0, UINT64_C(1) << 31);
	if (!rc)
		set_pstate(cpu, PSTATE_EL1H_MASKED);
	return rc;
}

/* libunicorn takes its callbacks as void *: ISO C has no such conversion, POSIX does. */
union callback {
	uc_cb_hookcode_t block;
	uc_cb_hookintr_t intr;
	uc_cb_insn_sys_t insn;
	uc_cb_eventmem_t mem;
	void *ptr;
};

static uc_err hook(struct cpu *cpu, int type, union callback cb, int insn)
{
	uc_hook handle;

	return uc_hook_add(cpu->uc, &handle, type, cb.ptr, cpu, 1, 0, insn);
}

static uc_err add_hooks(struct cpu *cpu)
{
	uc_err rc = hook(cpu, UC_HOOK_BLOCK, (union callback){ .block = on_block }, 0);

	if (!rc)
		rc = hook(cpu, UC_HOOK_INTR, (union callback){ .intr = on_exception }, 0);
	if (!rc)
		rc = hook(cpu, UC_HOOK_INSN, (union callback){ .insn = on_mrs }, UC_ARM64_INS_MRS);
	if (!rc)
		rc = hook(cpu, UC_HOOK_INSN, (union callback){ .insn = on_msr }, UC_ARM64_INS_MSR);
	if (!rc)
		rc = hook(cpu, UC_HOOK_MEM_WRITE_PROT, (union callback){ .mem = on_store }, 0);
	if (!rc)
		rc = hook(cpu, UC_HOOK_MEM_UNMAPPED, (union callback){ .mem = on_nothing_there },
			  0);
	return rc;
}

int cpu_new(struct cpu **out, const struct cpu_host *host, struct cpu_stats *stats,
	    struct fm_error *err)
{
	struct cpu *cpu = calloc(1, sizeof(*cpu));
	uc_err rc;

	if (!cpu)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "cpu: out of memory");
	cpu->host = *host;
	cpu->stats = stats;
	rc = uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &cpu->uc);
	if (!rc)
		rc = uc_ctl_set_cpu_model(cpu->uc, UC_CPU_ARM64_A57);
	if (!rc)
		rc = set_up_registers(cpu);
	if (!rc)
		rc = add_hooks(cpu);
	if (rc) {
		cpu_free(cpu);
		return failed(rc, "cannot make a Cortex-A57", err);
	}
	*out = cpu;
	return 0;
}

void cpu_free(struct cpu *cpu)
{
	if (!cpu)
		return;
	if (cpu->uc)
		uc_close(cpu->uc);
	while (cpu->traps) {
		struct trap *t = cpu->traps;

		cpu->traps = t->next;
		free(t);
	}
	free(cpu);
}

void cpu_kick(struct cpu *cpu)
{
	cpu->service_at = 0;
	cpu->look_at = 0;
}

/*
 * Unicorn returns from WFE and YIELD as it does from WFI. The firmware's addresses are physical
 * ones: it maps memory one to one.
 */
static bool waits_for_interrupt(struct cpu *cpu, uint64_t pc)
{
	return cpu->host.peek(cpu->host.ctx, pc - 4) == INSN_WFI;
}

enum cpu_exit cpu_run(struct cpu *cpu, struct fm_error *err)
{
	for (;;) {
		uint64_t pc = reg(cpu, UC_ARM64_REG_PC);
		uc_err rc;

		cpu->stopping = false;
		cpu_kick(cpu);
		rc = uc_emu_start(cpu->uc, pc, NOWHERE, 0, 0);
		if (cpu->stopping) {
			if (cpu->why == CPU_EXIT_FAILED && err)
				*err = cpu->error;
			return cpu->why;
		}
		pc = reg(cpu, UC_ARM64_REG_PC);
		if (rc) {
			fm_error_set(err, FM_ERR_STATE, 0, "guest: %s at pc 0x%llx",
				     uc_strerror(rc), (unsigned long long)pc);
			return CPU_EXIT_FAILED;
		}
		if (waits_for_interrupt(cpu, pc))
			return CPU_EXIT_IDLE;
	}
}
