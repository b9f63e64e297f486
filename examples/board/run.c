/* SPDX-License-Identifier: BSD-2-Clause */
/* run: the guest's accesses, its time, and what ends it. */
#include "examples/board/board.h"

#include "examples/board/platform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POLL_INSNS 65536u      /* virtual time: instructions between two looks outside */
#define POLL_INSNS_HOST 16384u /* host time: also how late a timer may be */
#define IDLE_NS 10000000ull    /* nothing will wake the guest: let it look around this often */
#define WORTH_SLEEPING_NS 2000000ull
#define NS_PER_MS 1000000ull

enum {
	EXIT_NO = 1, /* the guest, or the script about it, says no */
	EXIT_TROUBLE = 2,
};

static void give_up(struct board *b, const struct fm_error *err)
{
	if (!b->error.code)
		b->error = *err;
	b->stop = true;
	cpu_kick(b->cpu);
}

/* --- accesses ------------------------------------------------------------------------------ */

/* Once: what the host refuses it mostly goes on refusing. */
static void host_refused(struct board *b, const struct fm_error *err)
{
	if (!b->io_failed)
		fprintf(stderr, PROGRAM ": %s\n", err->msg);
	b->io_failed = true;
}

static void report_io_error(struct board *b, uint64_t gpa)
{
	const struct fm_view *view = fm_space_view_get(b->space);
	const struct fm_range *r = fm_view_find(view, gpa);
	struct fm_error err = { .code = 0 };

	if (r && fm_dev_error(r->dev, &err))
		host_refused(b, &err);
	fm_view_put(view);
}

/* What a bank could not write meanwhile. */
static void report_background(struct board *b)
{
	struct fm_error err;

	if ((fm_dev_pending(b->vars.dev) & FM_EFF_IOERR) && fm_dev_error(b->vars.dev, &err))
		host_refused(b, &err);
}

static void act_on(struct board *b, uint64_t gpa, unsigned effects)
{
	struct fm_error err;

	if (effects & FM_EFF_IOERR)
		report_io_error(b, gpa);
	if ((effects & FM_EFF_REMAP) && mapping_changed(&b->mapping, gpa, &err))
		give_up(b, &err);
	if (effects & (FM_EFF_IRQ | FM_EFF_REMAP))
		cpu_kick(b->cpu);
}

static uint64_t guest_read(void *ctx, uint64_t gpa, unsigned size)
{
	struct board *b = ctx;
	uint64_t value;
	unsigned effects = fm_port_read(b->port, gpa, size, &value, FM_ATTRS_NONE);

	b->stats.trapped_reads++;
	if (effects)
		act_on(b, gpa, effects);
	if (mapping_read(&b->mapping, gpa))
		cpu_kick(b->cpu);
	return value;
}

static void guest_write(void *ctx, uint64_t gpa, unsigned size, uint64_t value)
{
	struct board *b = ctx;
	unsigned effects = fm_port_write(b->port, gpa, size, value, FM_ATTRS_NONE);

	b->stats.trapped_writes++;
	if (effects)
		act_on(b, gpa, effects);
}

static uint32_t peek(void *ctx, uint64_t gpa)
{
	struct board *b = ctx;
	uint64_t value;

	fm_port_read(b->port, gpa, 4, &value, (struct fm_attrs){ .debug = true });
	return (uint32_t)value;
}

static bool read_timer(void *ctx, unsigned crm, unsigned op2, uint64_t *value)
{
	struct board *b = ctx;

	return timer_read(&b->timer, crm, op2, clock_ticks(&b->clock), value);
}

static bool write_timer(void *ctx, unsigned crm, unsigned op2, uint64_t value)
{
	struct board *b = ctx;

	if (!timer_write(&b->timer, crm, op2, clock_ticks(&b->clock), value))
		return false;
	cpu_kick(b->cpu);
	return true;
}

/* --- between blocks ------------------------------------------------------------------------ */

/* Is anybody there for whom virtual time should not run as fast as it can? */
static bool paced(const struct board *b)
{
	return !b->cfg.host_time &&
	       (b->console.raw || (b->script && script_state(b->script) == SCRIPT_HOLDING));
}

static void handle(struct board *b, enum console_event event)
{
	if (event != CONSOLE_NOTHING || b->console.write_error)
		b->stop = true;
}

/* Look at the terminal and at the host's clock: not on every call, they are system calls. */
static void look_outside(struct board *b)
{
	uint64_t ahead = paced(b) ? clock_ahead(&b->clock) : 0;
	int wait_ms = ahead >= WORTH_SLEEPING_NS ? (int)(ahead / NS_PER_MS) : 0;

	handle(b, console_poll(&b->console, wait_ms));
	report_background(b);
	if (b->cfg.progress)
		board_print_progress(b);
	b->poll_at = b->cpu_stats.insns + (b->cfg.host_time ? POLL_INSNS_HOST : POLL_INSNS);
}

static void keep_time(struct board *b)
{
	uint64_t now_ns = clock_ns(&b->clock);
	uint64_t now = now_ns / TIMER_NS_PER_TICK;

	if (b->script) {
		script_tick(b->script, now_ns);
		if (script_state(b->script) >= SCRIPT_DONE)
			b->stop = true;
	}
	if (fm_machine_next_deadline_ns(b->machine) <= now_ns)
		fm_machine_tick(b->machine, now_ns);
	gic_set_level(&b->gic, IRQ_TIMER_PHYS, timer_line(&b->timer, TIMER_PHYS, now));
	gic_set_level(&b->gic, IRQ_TIMER_VIRT, timer_line(&b->timer, TIMER_VIRT, now));
}

/* The next moment at which time matters to somebody, in ticks. */
static uint64_t next_moment(struct board *b)
{
	uint64_t first_ns = fm_machine_next_deadline_ns(b->machine);
	uint64_t first;

	if (b->script && script_deadline(b->script) < first_ns)
		first_ns = script_deadline(b->script);
	first = first_ns == UINT64_MAX ? TIMER_NEVER : first_ns / TIMER_NS_PER_TICK + 1;
	if (timer_deadline(&b->timer, clock_ticks(&b->clock)) < first)
		first = timer_deadline(&b->timer, clock_ticks(&b->clock));
	return first;
}

static struct cpu_service service(void *ctx)
{
	struct board *b = ctx;
	struct fm_error err;
	uint64_t at;

	if (b->cpu_stats.insns >= b->poll_at)
		look_outside(b);
	keep_time(b);
	if (mapping_catch_up(&b->mapping, &err))
		give_up(b, &err);
	at = clock_insn_at(&b->clock, next_moment(b));
	return (struct cpu_service){
		.stop = b->stop,
		.irq = gic_line(&b->gic),
		.at_insn = at < b->poll_at ? at : b->poll_at,
	};
}

/* The guest waits for an interrupt: let time pass. */
static void idle(struct board *b)
{
	uint64_t now = clock_ticks(&b->clock);
	uint64_t next = next_moment(b);

	if (gic_line(&b->gic))
		return;
	if (next > now + IDLE_NS / TIMER_NS_PER_TICK)
		next = now + IDLE_NS / TIMER_NS_PER_TICK;
	if (b->cfg.host_time)
		handle(b, console_poll(&b->console,
				       (int)((next - now) * TIMER_NS_PER_TICK / NS_PER_MS)));
	else
		clock_skip_to(&b->clock, next);
	if (paced(b))
		b->poll_at = 0;
}

/* --- from reset to reset --------------------------------------------------------------------- */

static int power(struct board *b, enum fm_reset_kind kind, struct fm_error *err)
{
	const struct cpu_host host = {
		.ctx = b,
		.read = guest_read,
		.write = guest_write,
		.peek = peek,
		.timer_read = read_timer,
		.timer_write = write_timer,
		.service = service,
	};
	int rc;

	mapping_end(&b->mapping);
	cpu_free(b->cpu);
	b->cpu = NULL;
	b->timer = (struct timer){ .t[0].enabled = false };
	fm_machine_reset(b->machine, kind);
	/* The firmware may have used the place for something else since the last time. */
	fm_port_write_bytes(b->port, RAM_BASE, b->dtb, b->dtb_len, FM_ATTRS_NONE);
	rc = cpu_new(&b->cpu, &host, &b->cpu_stats, err);
	return rc ? rc : mapping_begin(&b->mapping, b->space, b->cpu, b->code_end, err);
}

static int reset(struct board *b, struct fm_error *err)
{
	/* The guest was told that all is written, and goes on; how it ends will say so. */
	if (fm_machine_flush(b->machine, err))
		host_refused(b, err);
	b->stats.resets++;
	return power(b, FM_RESET_SYSTEM, err);
}

static void send(void *ctx, const void *bytes, size_t len)
{
	struct board *b = ctx;

	console_send(&b->console, bytes, len);
}

static void step_over(void *ctx, unsigned line, const char *text)
{
	struct board *b = ctx;

	if (script_state(b->script) == SCRIPT_HOLDING)
		clock_pace(&b->clock);
	board_print_step(b, line, text);
}

static void start_script(struct board *b)
{
	const struct script_host host = { .ctx = b, .send = send, .step = step_over };

	if (b->script)
		script_start(b->script, &host, clock_ns(&b->clock));
}

/* Run from reset to reset until it is over. */
static int run(struct board *b, struct fm_error *err)
{
	int rc = power(b, FM_RESET_POWER_ON, err);

	while (!rc) {
		switch (cpu_run(b->cpu, err)) {
		case CPU_EXIT_IDLE:
			idle(b);
			break;
		case CPU_EXIT_RESET:
			rc = reset(b, err);
			break;
		case CPU_EXIT_OFF:
			if (b->script)
				script_powered_off(b->script);
			return 0;
		case CPU_EXIT_STOPPED:
			return 0;
		case CPU_EXIT_FAILED:
			return err->code;
		}
	}
	return rc;
}

/* Say how it ended. A guest that fails is not our trouble, but it is a no. */
static int verdict(struct board *b, int rc, const struct fm_error *err)
{
	if (b->error.code) {
		fprintf(stderr, PROGRAM ": %s\n", b->error.msg);
		return EXIT_TROUBLE;
	}
	if (b->console.write_error) {
		fprintf(stderr, PROGRAM ": standard output: cannot be written: %s\n",
			strerror(b->console.write_error));
		return EXIT_TROUBLE;
	}
	if (rc) {
		fprintf(stderr, PROGRAM ": %s\n", err->msg);
		return rc == FM_ERR_STATE ? EXIT_NO : EXIT_TROUBLE;
	}
	if (b->script && script_state(b->script) == SCRIPT_FAILED) {
		fprintf(stderr, PROGRAM ": %s\n", script_failure(b->script));
		return EXIT_NO;
	}
	return b->io_failed ? EXIT_TROUBLE : 0;
}

int board_run(struct board *b)
{
	struct fm_error err = { .code = 0 };
	struct fm_error flush_err;
	int rc = console_open(&b->console, !b->script, &err);
	int status;

	if (rc) {
		fprintf(stderr, PROGRAM ": %s\n", err.msg);
		return EXIT_TROUBLE;
	}
	clock_start(&b->clock, b->cfg.host_time, &b->cpu_stats.insns);
	b->stats.step_ns = clock_host_ns();
	start_script(b);
	rc = run(b, &err);
	console_close(&b->console);
	status = verdict(b, rc, &err);
	if (fm_machine_flush(b->machine, &flush_err)) {
		host_refused(b, &flush_err);
		status = EXIT_TROUBLE;
	}
	if (b->cfg.stats)
		board_print_stats(b);
	return status;
}
