/* SPDX-License-Identifier: BSD-2-Clause */
/* report: what the board tells about itself. */
#include "examples/board/board.h"

#include <firmem/block.h>
#include <firmem/flash.h>

#include <inttypes.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

static void format_size(uint64_t bytes, char *buf, size_t room)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned unit = 0;

	while (bytes && bytes % 1024 == 0 && unit + 1 < sizeof(units) / sizeof(*units)) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, room, "%" PRIu64 " %s", bytes, units[unit]);
}

static void print_row(FILE *out, const struct fm_block *block, const char *address)
{
	char size[32];

	format_size(fm_block_len(block), size, sizeof(size));
	fprintf(out, "%-8s %-12s %-10s %-12s %s\n", fm_block_name(block),
		fm_role_name(fm_block_role(block)), fm_backing_name(fm_block_backing(block)),
		address, size);
}

/* By address: each block is shown once here, in one piece. */
void board_print_machine(const struct board *b, FILE *out)
{
	const struct fm_view *view = fm_space_view_get(b->space);
	const struct fm_range *r;
	char address[32];

	fprintf(out, "%-8s %-12s %-10s %-12s %s\n", "BLOCK", "ROLE", "BACKING", "ADDRESS", "SIZE");
	for (size_t i = 0; (r = fm_view_range(view, i)); i++) {
		snprintf(address, sizeof(address), "0x%08" PRIx64, r->gpa);
		if (r->block)
			print_row(out, r->block, address);
	}
	fm_view_put(view);
}

void board_print_step(struct board *b, unsigned line, const char *text)
{
	uint64_t now = clock_host_ns();

	if (script_state(b->script) == SCRIPT_HOLDING) {
		console_flush(&b->console);
		fprintf(stderr, PROGRAM ": holding at %s:%u\n", b->cfg.script, line);
	}
	if (b->cfg.stats)
		fprintf(stderr, "stats line %u host_ms %.3f instructions %" PRIu64 " step %s\n",
			line, (double)(now - b->stats.step_ns) / 1e6,
			b->cpu_stats.insns - b->stats.step_insns, text);
	b->stats.step_ns = now;
	b->stats.step_insns = b->cpu_stats.insns;
}

void board_print_progress(struct board *b)
{
	uint64_t now = clock_host_ns() - b->clock.host_start_ns;
	bool terminal = isatty(STDERR_FILENO);

	if (now - b->progress_ns < NS_PER_S)
		return;
	b->progress_ns = now;
	fprintf(stderr, "%s  %3" PRIu64 " s, %6" PRIu64 " million instructions%s",
		terminal ? "\r" : "", now / NS_PER_S, b->cpu_stats.insns / 1000000,
		terminal ? "" : "\n");
}

static void print_image(struct fm_dev *dev)
{
	struct fm_write_behind *image = fm_flash_image(dev);
	struct fm_write_behind_stats s;

	if (!image)
		return;
	fm_write_behind_stats(image, &s);
	fprintf(stderr,
		"stats image %s told %" PRIu64 " records %" PRIu64 " commits %" PRIu64
		" applies %" PRIu64 " host_calls %" PRIu64 " image_bytes %" PRIu64 " waits %" PRIu64
		" wait_ns %" PRIu64 "\n",
		fm_dev_name(dev), s.told, s.records, s.commits, s.applies, s.host_calls,
		s.image_bytes, s.waits, s.wait_ns);
}

static void print_flash(struct fm_dev *dev)
{
	struct fm_flash_stats s;

	if (fm_flash_stats(dev, &s))
		return;
	fprintf(stderr,
		"stats flash %s programs %" PRIu64 " program_bytes %" PRIu64 " erases %" PRIu64
		" array_entries %" PRIu64 " ignored_writes %" PRIu64 " host_writes %" PRIu64
		" host_bytes %" PRIu64 "\n",
		fm_dev_name(dev), s.programs, s.program_bytes, s.erases, s.array_entries,
		s.ignored_writes, s.host_writes, s.host_bytes);
}

void board_print_stats(const struct board *b)
{
	uint64_t host = clock_host_ns() - b->clock.host_start_ns;

	fprintf(stderr,
		"stats end host_ms %.3f instructions %" PRIu64 " interrupts %" PRIu64
		" guest_ms %.3f resets %" PRIu64 " trapped_reads %" PRIu64
		" trapped_writes %" PRIu64 " remaps %" PRIu64 "\n",
		(double)host / 1e6, b->cpu_stats.insns, b->cpu_stats.interrupts,
		(double)clock_ns(&b->clock) / 1e6, b->stats.resets, b->stats.trapped_reads,
		b->stats.trapped_writes, b->mapping.changes);
	print_flash(b->code.dev);
	print_flash(b->vars.dev);
	print_image(b->vars.dev);
}
