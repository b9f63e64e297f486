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

/* --- trace --------------------------------------------------------------------------------- */

static void json_event(const char *kind, const struct fm_trace_event *event)
{
	struct out *out = out_new(true);

	out_one_line(out);
	out_value(out, "trace", OUT_TEXT, text(kind));
	out_value(out, "off", OUT_ADDRESS, number(event->off));
	out_value(out, "size", OUT_SIZE, number(event->size));
	out_value(out, "value", OUT_ADDRESS, number(event->value));
	out_value(out, "text", OUT_TEXT, text(event->text));
	out_end(out, STATUS_YES);
}

void script_trace(void *ctx, const struct fm_trace_event *event)
{
	struct script *s = ctx;
	char line[256];

	script_spill(s);
	if (s->json) {
		json_event(fm_trace_kind_name(event->kind), event);
		return;
	}
	fm_trace_format(event, line, sizeof(line));
	puts(line);
}

void script_fault(struct script *s, uint64_t off, unsigned size, uint64_t value)
{
	const struct fm_trace_event event = { .off = off, .size = size, .value = value };

	if (!s->trace)
		return;
	script_spill(s);
	if (s->json)
		json_event("fault", &event);
	else
		printf("%s fault off 0x%llx size %u value 0x%llx\n", fm_dev_name(s->bank->dev),
		       (unsigned long long)off, size, (unsigned long long)value);
}

/* --- counters ------------------------------------------------------------------------------ */

static const struct out_column wear_columns[] = {
	{ "sector", "SECTOR", OUT_COUNT },
	{ "erases", "ERASES", OUT_COUNT },
};

/* A row for each sector that was erased. */
static void put_wear(struct out *out, struct fm_dev *dev)
{
	uint32_t count;

	out_table(out, "wear", wear_columns, 2);
	for (uint32_t n = 0; !fm_flash_erase_count(dev, n, &count); n++) {
		if (count)
			out_row(out, (const struct out_value[]){ number(n), number(count) });
	}
	out_table_end(out);
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
	out_value(out, "suspends", OUT_COUNT, number(stats.suspends));
	out_value(out, "refused", OUT_COUNT, number(stats.refused));
	out_value(out, "failed", OUT_COUNT, number(stats.failed));
	out_value(out, "ignored_writes", OUT_COUNT, number(stats.ignored_writes));
	out_value(out, "array_entries", OUT_COUNT, number(stats.array_entries));
	out_value(out, "map_turns", OUT_COUNT, number(stats.map_turns));
	out_value(out, "host_writes", OUT_COUNT, number(stats.host_writes));
	out_value(out, "host_bytes", OUT_COUNT, number(stats.host_bytes));
	if (s->bank->health)
		put_wear(out, s->bank->dev);
	out_end(out, STATUS_YES);
}
