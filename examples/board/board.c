/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/board.h"

#include "examples/board/dtb.h"
#include "examples/board/erased.h"
#include "examples/board/platform.h"

#include <firmem/block.h>
#include <firmem/flash.h>
#include <firmem/io.h>
#include <firmem/ram.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HUGE_PAGE 0x200000u   /* 2 MiB; banks and RAM are multiples of it, or nearly */
#define RTC_EPOCH 1704067200u /* 2024-01-01 00:00 UTC: virtual time has to start somewhere */

/* --- pieces: each is the machine's when its function has succeeded --------------------------- */

static int add_block(struct board *b, const struct fm_block_config *cfg, struct fm_block **out,
		     struct fm_error *err)
{
	int rc = fm_block_new(out, cfg, err);

	if (rc)
		return rc;
	rc = fm_machine_add_block(b->machine, *out, err);
	if (rc)
		fm_block_free(*out);
	return rc;
}

/* Hand a device to the machine and show it at `gpa`. */
static int add_dev(struct board *b, struct fm_dev *dev, uint64_t gpa, struct fm_error *err)
{
	const struct fm_window_config window = {
		.struct_size = sizeof(window),
		.dev = dev,
		.gpa = gpa,
	};
	int rc = fm_machine_add_dev(b->machine, dev, err);

	if (rc) {
		fm_dev_free(dev);
		return rc;
	}
	return fm_space_add(b->space, &window, NULL, err);
}

static int add_ram(struct board *b, struct fm_error *err)
{
	const struct fm_block_config memory = {
		.struct_size = sizeof(memory),
		.name = "ram",
		.role = FM_ROLE_RAM,
		.backing = FM_BACKING_ANON,
		.len = b->cfg.ram_len,
		.align = HUGE_PAGE,
	};
	struct fm_ram_config cfg = { .struct_size = sizeof(cfg) };
	struct fm_dev *dev;
	int rc = add_block(b, &memory, &cfg.block, err);

	if (rc)
		return rc;
	/* Only faster: where the host will not, it is the same memory. */
	madvise(fm_block_ptr(cfg.block), b->cfg.ram_len, MADV_HUGEPAGE);
	rc = fm_ram_new(&dev, &cfg, err);
	return rc ? rc : add_dev(b, dev, RAM_BASE, err);
}

static int add_bank(struct board *b, struct bank *bank, const char *name, enum fm_role role,
		    uint64_t gpa, const char *image, struct fm_error *err)
{
	struct fm_block_config memory = {
		.struct_size = sizeof(memory),
		.name = name,
		.role = role,
		.backing = FM_BACKING_ADOPTED,
		.len = BANK_LEN,
		.ptr = bank->memory,
	};
	struct fm_flash_config cfg = {
		.struct_size = sizeof(cfg),
		.set = FM_FLASH_INTEL,
		.bank_width = FLASH_BANK_WIDTH,
		.chip_width = FLASH_CHIP_WIDTH,
		.regions = { { .block_len = FLASH_SECTOR_LEN,
			       .count = BANK_LEN / FLASH_SECTOR_LEN } },
		.nregions = 1,
		/* U-Boot takes a bank that answers narrow writes for two narrow chips. */
		.narrow = FM_FLASH_NARROW_IGNORE,
		.read_only = !image,
		.image = image,
		.create = image && b->cfg.create,
		.mode = b->cfg.mode,
		.interval_ns = b->cfg.interval_ns,
		.journal = b->cfg.journal,
		.time = b->cfg.flash_time,
		.io = &b->io,
	};
	int rc = add_block(b, &memory, &cfg.block, err);

	if (!rc)
		rc = fm_flash_new(&bank->dev, &cfg, err);
	return rc ? rc : add_dev(b, bank->dev, gpa, err);
}

/* The bank with the firmware: the file, then FF. Nothing of it persists. */
static int add_code(struct board *b, const void *bytes, size_t len, struct fm_error *err)
{
	int rc = erased_new(&b->code.memory, BANK_LEN, err);

	if (rc)
		return rc;
	memcpy(b->code.memory, bytes, len);
	b->code_end = CODE_BASE + len;
	return add_bank(b, &b->code, "code", FM_ROLE_FLASH_CODE, CODE_BASE, NULL, err);
}

static int add_vars(struct board *b, struct fm_error *err)
{
	int rc = erased_new(&b->vars.memory, BANK_LEN, err);

	if (rc)
		return rc;
	return add_bank(b, &b->vars, "vars", FM_ROLE_FLASH_VARS, VARS_BASE, b->cfg.vars, err);
}

static int add_gic(struct board *b, struct fm_error *err)
{
	struct fm_dev *dist, *cpu;
	int rc = gic_new(&b->gic, &dist, &cpu, err);

	if (rc)
		return rc;
	rc = add_dev(b, dist, GICD_BASE, err);
	if (rc) {
		fm_dev_free(cpu);
		return rc;
	}
	return add_dev(b, cpu, GICC_BASE, err);
}

static bool line_ready(void *ctx)
{
	return console_ready(&((struct board *)ctx)->console);
}

static uint8_t line_take(void *ctx)
{
	return console_take(&((struct board *)ctx)->console);
}

static void line_put(void *ctx, uint8_t byte)
{
	struct board *b = ctx;

	console_put(&b->console, byte);
	if (!b->script)
		return;
	script_output(b->script, byte, clock_ns(&b->clock));
	if (script_state(b->script) != SCRIPT_RUNNING)
		cpu_kick(b->cpu);
}

static int add_uart(struct board *b, struct fm_error *err)
{
	const struct pl011_line line = {
		.ctx = b,
		.ready = line_ready,
		.take = line_take,
		.put = line_put,
	};
	struct fm_dev *dev;
	int rc = pl011_new(&b->uart, &line, &dev, err);

	return rc ? rc : add_dev(b, dev, UART_BASE, err);
}

static uint32_t seconds(void *ctx)
{
	const struct board *b = ctx;

	if (b->cfg.host_time)
		return (uint32_t)time(NULL);
	return (uint32_t)(RTC_EPOCH + clock_ns(&b->clock) / 1000000000u);
}

static int add_rtc(struct board *b, struct fm_error *err)
{
	struct fm_dev *dev;
	int rc = pl031_new(&b->rtc, seconds, b, &dev, err);

	return rc ? rc : add_dev(b, dev, RTC_BASE, err);
}

/* --- the whole ----------------------------------------------------------------------------- */

static int add_space(struct board *b, struct fm_error *err)
{
	const struct fm_space_config cfg = { .struct_size = sizeof(cfg), .name = "memory" };
	int rc = fm_space_new(&b->space, &cfg, err);

	if (rc)
		return rc;
	rc = fm_machine_add_space(b->machine, b->space, err);
	if (rc)
		fm_space_free(b->space);
	return rc;
}

/* The vars file comes last: before that nothing on disk is touched. */
static int build(struct board *b, const void *firmware, size_t len, struct fm_error *err)
{
	int rc = fm_machine_new(&b->machine, "board", err);

	if (!rc)
		rc = add_space(b, err);
	if (!rc)
		rc = add_code(b, firmware, len, err);
	if (!rc)
		rc = add_gic(b, err);
	if (!rc)
		rc = add_uart(b, err);
	if (!rc)
		rc = add_rtc(b, err);
	if (!rc)
		rc = add_ram(b, err);
	if (!rc)
		rc = dtb_build(b->cfg.ram_len, &b->dtb, &b->dtb_len, err);
	if (!rc)
		rc = add_vars(b, err);
	if (!rc)
		rc = fm_port_new(&b->port, b->space, err);
	return rc;
}

/* *bytes is the caller's to free, whatever the outcome. */
static int load_firmware(const char *path, void **bytes, size_t *len, struct fm_error *err)
{
	int rc = fm_io_load(NULL, path, BANK_LEN, bytes, len, err);

	if (!rc && !*len)
		rc = fm_error_set(err, FM_ERR_SIZE, 0, "%s: size 0, expected 1 to %llu bytes", path,
				  BANK_LEN);
	return rc;
}

static void on_trace(void *ctx, const struct fm_trace_event *event)
{
	char line[256];

	if (event->kind == FM_TRACE_READ) /* millions of them, all alike */
		return;
	fm_trace_format(event, line, sizeof(line));
	fprintf(ctx, "%s\n", line);
}

/* Is the regular file behind `fd` the one at `path`? */
static bool is_file(int fd, const char *path)
{
	struct stat open, named;

	return path && !fstat(fd, &open) && S_ISREG(open.st_mode) && !stat(path, &named) &&
	       open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

/* The trace is a file that has another job, and would be emptied. */
static int not_its_own(const struct board *b, const char *other, struct fm_error *err)
{
	return fm_error_set(err, FM_ERR_ARG, 0,
			    "--trace: %s: the same file as %s, expected its own", b->cfg.trace,
			    other);
}

/*
 * Open for appending first, so that a failure further on empties no earlier trace. A file with
 * another job is refused: it would be emptied.
 */
static int open_trace(struct board *b, struct fm_error *err)
{
	const char *const others[] = { b->cfg.firmware, b->cfg.vars, b->cfg.script,
				       b->cfg.journal };

	if (!b->cfg.trace)
		return 0;
	b->trace = fopen(b->cfg.trace, "ax");
	b->trace_made = b->trace;
	if (!b->trace)
		b->trace = fopen(b->cfg.trace, "a");
	if (!b->trace)
		return fm_error_set(err, FM_ERR_ACCESS, errno, "%s: cannot be written: %s",
				    b->cfg.trace, strerror(errno));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (is_file(fileno(b->trace), others[i]))
			return not_its_own(b, others[i], err);
	}
	return 0;
}

static int start_trace(struct board *b, struct fm_error *err)
{
	struct fm_write_behind *image = fm_flash_image(b->vars.dev);
	const char *journal = image ? fm_write_behind_journal(image) : NULL;

	if (!b->trace)
		return 0;
	/* Not before: only now it has a name, and what a crash left in it is in the image. */
	if (is_file(fileno(b->trace), journal))
		return not_its_own(b, journal, err);
	/* Not a regular file (a pipe, a terminal): nothing to empty. */
	if (ftruncate(fileno(b->trace), 0) && errno != EINVAL)
		return fm_error_set(err, FM_ERR_IO, errno, "%s: cannot be emptied: %s",
				    b->cfg.trace, strerror(errno));
	fm_dev_set_trace(b->code.dev, on_trace, b->trace);
	fm_dev_set_trace(b->vars.dev, on_trace, b->trace);
	return 0;
}

/* What the guest writes to its variables must not become its firmware. */
static int check_vars(const struct board_config *cfg, struct fm_error *err)
{
	struct stat firmware, vars;

	if (stat(cfg->firmware, &firmware) || stat(cfg->vars, &vars) ||
	    firmware.st_dev != vars.st_dev || firmware.st_ino != vars.st_ino)
		return 0;
	return fm_error_set(err, FM_ERR_ARG, 0,
			    "--vars: %s: the same file as the firmware, expected its own",
			    cfg->vars);
}

int board_new(struct board **out, const struct board_config *cfg, struct fm_error *err)
{
	struct board *b = calloc(1, sizeof(*b));
	void *firmware = NULL;
	size_t len = 0;
	int rc = 0;

	if (!b)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "board: out of memory");
	b->cfg = *cfg;
	b->io = erased_io(&b->io_ops);
	if (cfg->script)
		rc = script_load(&b->script, cfg->script, err);
	if (!rc)
		rc = load_firmware(cfg->firmware, &firmware, &len, err);
	if (!rc)
		rc = check_vars(cfg, err);
	if (!rc)
		rc = open_trace(b, err);
	if (!rc)
		rc = build(b, firmware, len, err);
	if (!rc)
		rc = start_trace(b, err);
	free(firmware);
	if (rc && b->trace_made)
		unlink(cfg->trace);
	if (rc)
		board_free(b);
	else
		*out = b;
	return rc;
}

void board_free(struct board *b)
{
	if (!b)
		return;
	mapping_end(&b->mapping);
	cpu_free(b->cpu);
	fm_port_free(b->port);
	fm_machine_free(b->machine);
	erased_free(b->code.memory, BANK_LEN);
	erased_free(b->vars.memory, BANK_LEN);
	script_free(b->script);
	free(b->dtb);
	if (b->trace)
		fclose(b->trace);
	free(b);
}
