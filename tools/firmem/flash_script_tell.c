/* SPDX-License-Identifier: BSD-2-Clause */
/* What a bank tells of itself while a script runs: its trace and its counters. */
#include "tools/firmem/flash_script_private.h"

#include "tools/firmem/out.h"

#include <stdio.h>

static struct out_value number(uint64_t n)
{
	return (struct out_value){ .number = n };
}

static struct out_value text(const char *t)
{
	return (struct out_value){ .text = t, .absent = !t };
}

void script_trace(void *ctx, const struct fm_trace_event *event)
{
	struct script *s = ctx;
	char line[256];
	struct out *out;

	script_spill(s);
	if (!s->json) {
		fm_trace_format(event, line, sizeof(line));
		puts(line);
		return;
	}
	out = out_new(true);
	out_one_line(out);
	out_value(out, "trace", OUT_TEXT, text(fm_trace_kind_name(event->kind)));
	out_value(out, "off", OUT_ADDRESS, number(event->off));
	out_value(out, "size", OUT_SIZE, number(event->size));
	out_value(out, "value", OUT_ADDRESS, number(event->value));
	out_value(out, "text", OUT_TEXT, text(event->text));
	out_end(out, STATUS_YES);
}

void script_stats(struct script *s)
{
	struct fm_flash_stats stats;
	struct out *out = out_new(s->json);

	script_spill(s);
	out_one_line(out);
	fm_flash_stats(s->bank->dev, &stats);
	out_value(out, "programs", OUT_COUNT, number(stats.programs));
	out_value(out, "program_bytes", OUT_COUNT, number(stats.program_bytes));
	out_value(out, "erases", OUT_COUNT, number(stats.erases));
	out_value(out, "array_entries", OUT_COUNT, number(stats.array_entries));
	out_value(out, "ignored_writes", OUT_COUNT, number(stats.ignored_writes));
	out_value(out, "host_writes", OUT_COUNT, number(stats.host_writes));
	out_value(out, "host_bytes", OUT_COUNT, number(stats.host_bytes));
	out_end(out, STATUS_YES);
}
