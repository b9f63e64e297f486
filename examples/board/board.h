/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * board: the machine, made of the library's blocks, devices and space (board.c), and its run
 * (run.c).
 */
#ifndef BOARD_BOARD_H
#define BOARD_BOARD_H

#include "examples/board/clock.h"
#include "examples/board/console.h"
#include "examples/board/cpu.h"
#include "examples/board/gic.h"
#include "examples/board/mapping.h"
#include "examples/board/pl011.h"
#include "examples/board/pl031.h"
#include "examples/board/script.h"
#include "examples/board/timer.h"

#include <firmem/flash.h>
#include <firmem/io.h>
#include <firmem/machine.h>
#include <firmem/write_behind.h>

#include <stdio.h>

#define PROGRAM "firmem-board"

struct board_config {
	const char *firmware; /* file */
	const char *vars;     /* file */
	const char *script;   /* file, or NULL: a person */
	const char *trace;    /* file, or NULL */
	uint64_t ram_len;     /* bytes */
	bool create;          /* make the vars file when it is absent */
	const char *journal;  /* file, or NULL */
	enum fm_write_mode mode;
	uint64_t interval_ns;
	enum fm_flash_time flash_time;
	bool host_time;
	bool stats;
	bool progress;
};

struct bank {
	struct fm_dev *dev; /* the machine's */
	void *memory;
};

struct board_stats {
	uint64_t trapped_reads;
	uint64_t trapped_writes;
	uint64_t resets;
	uint64_t step_ns; /* when the last script step was over */
	uint64_t step_insns;
};

struct board {
	struct board_config cfg;
	struct fm_machine *machine; /* owns blocks, devices and the space */
	struct fm_space *space;
	struct fm_port *port; /* the CPU's way into the space */
	struct bank code;
	struct bank vars;
	uint64_t code_end; /* address behind the firmware's image */
	struct fm_io io;   /* how the banks reach their image */
	struct fm_io_ops io_ops;
	struct gic gic;
	struct timer timer;
	struct pl011 uart;
	struct pl031 rtc;
	void *dtb;
	size_t dtb_len;
	struct script *script;
	FILE *trace;
	bool trace_made; /* it was not there before */

	struct cpu *cpu;
	struct mapping mapping;
	struct clock clock;
	struct console console;
	struct cpu_stats cpu_stats;
	struct board_stats stats;
	uint64_t poll_at; /* look at the outside world at this instruction count */
	uint64_t progress_ns;
	bool stop;
	bool io_failed;
	struct fm_error error; /* what went wrong where nothing can be returned; code 0: nothing */
};

/* Read the files, build the machine. On failure nothing on disk has changed. */
int board_new(struct board **out, const struct board_config *cfg, struct fm_error *err);
void board_free(struct board *board);

/* Run until it ends. Returns the exit status of the program and has said why on stderr. */
int board_run(struct board *board);

/* The machine as a table: block, role, backing, address, size. */
void board_print_machine(const struct board *board, FILE *out);
/* A script step is over. */
void board_print_step(struct board *board, unsigned line, const char *text);
void board_print_progress(struct board *board);
void board_print_stats(const struct board *board);

#endif
