/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem machine: what a machine's memory is made of. */
#include "tools/firmem/args.h"
#include "tools/firmem/machine_dump.h"
#include "tools/firmem/machine_read.h"
#include "tools/firmem/machine_verbs.h"
#include "tools/firmem/out.h"
#include "tools/firmem/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct info {
	const char *dtb;
	bool json;
	bool space;   /* also the flat address space */
	bool devices; /* also what devices tell about themselves */
	bool walks;   /* also flags of each block, and which walks it is in */
	bool ranged;
	struct args_range range;
	unsigned backing;
	struct fm_flash_fdt_options flash;
};

static const char *const backings[] = { "anon", "memfd", NULL };

static struct out_value text(const char *t)
{
	return (struct out_value){ .text = t };
}

static struct out_value number(uint64_t n)
{
	return (struct out_value){ .number = n };
}

static struct out_value absent(void)
{
	return (struct out_value){ .absent = true };
}

/* --- rows ---------------------------------------------------------------------------------- */

/* Does [gpa, gpa + len) meet the range asked for? Neither is empty nor wraps. */
static bool asked_for(const struct info *info, uint64_t gpa, uint64_t len)
{
	const struct args_range *r = &info->range;

	if (!info->ranged)
		return true;
	return gpa < r->start ? r->start - gpa < len : gpa - r->start < r->len;
}

/* "r-x": what the guest does without a trap. */
static void mapping_text(unsigned prot, char out[4])
{
	out[0] = prot & FM_MAP_READ ? 'r' : '-';
	out[1] = prot & FM_MAP_WRITE ? 'w' : '-';
	out[2] = prot & FM_MAP_EXEC ? 'x' : '-';
	out[3] = '\0';
}

/* The mapping of all that is seen of a window: "r-x", "mixed", or "hidden". */
static void window_mapping(const struct fm_view *view, const struct fm_window *w, char *out,
			   size_t len)
{
	const struct fm_range *r = fm_view_find(view, fm_window_gpa(w));
	uint64_t last = fm_window_gpa(w) + (fm_window_len(w) - 1);
	unsigned prots = 0; /* which answers were seen, a bit each */
	char one[4] = "";

	/* A part of it may be hidden; a hole in the view says that the window is off. */
	while (r) {
		uint64_t end = r->gpa + (r->len - 1);

		if (r->window == w) {
			prots |= 1u << (r->prot & 7);
			mapping_text(r->prot, one);
		}
		r = end < last ? fm_view_find(view, end + 1) : NULL;
	}
	if (!prots)
		snprintf(out, len, "hidden");
	else if (prots & (prots - 1))
		snprintf(out, len, "mixed");
	else
		snprintf(out, len, "%s", one);
}

#define BLOCK_COLUMNS 10

static const struct out_column block_columns[BLOCK_COLUMNS] = {
	{ "block", "BLOCK", OUT_TEXT },     { "role", "ROLE", OUT_TEXT },
	{ "backing", "BACKING", OUT_TEXT }, { "address", "ADDRESS", OUT_ADDRESS },
	{ "size", "SIZE", OUT_SIZE },       { "page_size", "PAGE", OUT_SIZE },
	{ "device", NULL, OUT_TEXT },       { "device_type", "DEVICE", OUT_TEXT },
	{ "mapping", "MAPPING", OUT_TEXT }, { "space", NULL, OUT_TEXT },
};

/* The first four columns and the page size, of a block or of none. */
static void fill_block(struct out_value *row, const struct fm_block *block)
{
	for (size_t i = 0; i < BLOCK_COLUMNS; i++)
		row[i] = absent();
	if (!block)
		return;
	row[0] = text(*fm_block_name(block) ? fm_block_name(block) : "(unnamed)");
	row[1] = text(fm_role_name(fm_block_role(block)));
	row[2] = text(fm_backing_name(fm_block_backing(block)));
	row[4] = number(fm_block_len(block));
	row[5] = number(fm_block_page_size(block));
}

static void window_row(struct out *out, struct fm_space *space, const struct fm_window *w,
		       const struct fm_block *block)
{
	struct out_value row[BLOCK_COLUMNS];
	char mapping[8];
	const struct fm_view *view = fm_space_view_get(space);

	window_mapping(view, w, mapping, sizeof(mapping));
	fm_view_put(view);
	fill_block(row, block);
	row[3] = number(fm_window_gpa(w));
	row[4] = number(fm_window_len(w));
	row[6] = text(fm_dev_name(fm_window_dev(w)));
	row[7] = text(fm_dev_type(fm_window_dev(w)));
	row[8] = text(mapping);
	row[9] = text(fm_space_name(space));
	out_row(out, row);
}

static const struct fm_block *window_block(const struct fm_window *w)
{
	struct fm_mapping map = { .block = NULL };

	if (fm_dev_map(fm_window_dev(w), fm_window_dev_off(w), &map))
		return NULL;
	return map.block;
}

/* --- tables -------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const uintptr_t *x = a;
	const uintptr_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* The blocks of all windows, as numbers to look them up by, sorted; malloc'd. */
static uintptr_t *shown_blocks(struct fm_machine *machine, size_t *count)
{
	uintptr_t *list = NULL;
	struct fm_space *space;

	*count = 0;
	fm_machine_foreach_space (machine, space) {
		for (struct fm_window *w = NULL; (w = fm_space_next_window(space, w));) {
			list = out_need(reallocarray(list, *count + 1, sizeof(*list)));
			list[(*count)++] = (uintptr_t)window_block(w);
		}
	}
	if (*count)
		qsort(list, *count, sizeof(*list), by_number);
	return list;
}

/* A row for each window by address, then one for each block that has none. Returns how many. */
static size_t put_blocks(struct out *out, const struct info *info, struct fm_machine *machine)
{
	struct out_value row[BLOCK_COLUMNS];
	struct fm_space *space;
	struct fm_block *block;
	size_t shown;
	uintptr_t *list = shown_blocks(machine, &shown);
	size_t rows = 0;

	out_table(out, "blocks", block_columns, BLOCK_COLUMNS);
	fm_machine_foreach_space (machine, space) {
		for (struct fm_window *w = NULL; (w = fm_space_next_window(space, w));) {
			if (!asked_for(info, fm_window_gpa(w), fm_window_len(w)))
				continue;
			window_row(out, space, w, window_block(w));
			rows++;
		}
	}
	fm_machine_foreach_block (machine, FM_WALK_ALL, block) {
		uintptr_t key = (uintptr_t)block;

		if (info->ranged || (shown && bsearch(&key, list, shown, sizeof(*list), by_number)))
			continue;
		fill_block(row, block);
		out_row(out, row);
		rows++;
	}
	out_table_end(out);
	free(list);
	return rows;
}

static const struct out_column range_columns[] = {
	{ "address", "FROM", OUT_ADDRESS }, { "last", "TO", OUT_ADDRESS },
	{ "size", "SIZE", OUT_SIZE },       { "window", NULL, OUT_TEXT },
	{ "block", "BLOCK", OUT_TEXT },     { "block_offset", "OFFSET", OUT_ADDRESS },
	{ "mapping", "MAPPING", OUT_TEXT },
};

/* The space as the guest sees it: what each address is, without overlaps. */
static void put_ranges(struct out *out, const struct info *info, struct fm_machine *machine)
{
	struct fm_space *space = fm_machine_next_space(machine, NULL);
	const struct fm_view *view = fm_space_view_get(space);

	out_table(out, "ranges", range_columns, sizeof(range_columns) / sizeof(*range_columns));
	for (size_t i = 0; i < fm_view_count(view); i++) {
		const struct fm_range *r = fm_view_range(view, i);
		char mapping[4];

		if (!asked_for(info, r->gpa, r->len))
			continue;
		mapping_text(r->prot, mapping);
		out_row(out, (const struct out_value[]){
				     number(r->gpa),
				     number(r->gpa + (r->len - 1)),
				     number(r->len),
				     text(fm_dev_name(r->dev)),
				     r->block ? text(fm_block_name(r->block)) : absent(),
				     r->block ? number(r->block_off) : absent(),
				     text(mapping),
			     });
	}
	out_table_end(out);
	fm_view_put(view);
}

static const struct out_column property_columns[] = {
	{ "device", "DEVICE", OUT_TEXT },
	{ "property", "PROPERTY", OUT_TEXT },
	{ "value", "VALUE", OUT_TEXT },
};

struct describing {
	struct out *out;
	const struct fm_dev *dev;
};

static void put_text(void *ctx, const char *key, const char *value)
{
	struct describing *d = ctx;

	out_row(d->out,
		(const struct out_value[]){ text(fm_dev_name(d->dev)), text(key), text(value) });
}

static void put_u64(void *ctx, const char *key, uint64_t value)
{
	char hex[24];

	snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long)value);
	put_text(ctx, key, hex);
}

static void put_devices(struct out *out, struct fm_machine *machine)
{
	struct describing d = { .out = out };
	const struct fm_visitor visitor = { .ctx = &d, .u64 = put_u64, .text = put_text };
	struct fm_dev *dev;

	out_table(out, "devices", property_columns, 3);
	fm_machine_foreach_dev (machine, dev) {
		d.dev = dev;
		fm_dev_describe(dev, &visitor);
	}
	out_table_end(out);
}

static const struct out_column walk_columns[] = {
	{ "block", "BLOCK", OUT_TEXT },    { "backing", "BACKING", OUT_TEXT },
	{ "page_size", "PAGE", OUT_SIZE }, { "flags", "FLAGS", OUT_TEXT },
	{ "walks", "WALKS", OUT_TEXT },
};

/* Put a word behind others, joined by ','. */
static void join(char *list, size_t len, const char *word)
{
	size_t used = strlen(list);

	snprintf(list + used, len - used, "%s%s", used ? "," : "", word);
}

static void flags_text(unsigned flags, char *list, size_t len)
{
	static const struct {
		unsigned flag;
		const char *word;
	} words[] = {
		{ FM_BLOCK_SHARED, "shared" },           { FM_BLOCK_READONLY, "read-only" },
		{ FM_BLOCK_PREALLOC, "prealloc" },       { FM_BLOCK_NO_MIGRATE, "no-migrate" },
		{ FM_BLOCK_CONSENT, "consent" },         { FM_BLOCK_LOCKED, "locked" },
		{ FM_BLOCK_HOST_DEVICE, "host-device" },
	};

	*list = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (flags & words[i].flag)
			join(list, len, words[i].word);
	}
}

struct blocks {
	const struct fm_block **list;
	size_t count;
};

static int by_pointer(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (const struct fm_block *const *)a;
	uintptr_t y = (uintptr_t) * (const struct fm_block *const *)b;

	return (x > y) - (x < y);
}

/* What FM_WALK_MAPPED has, in one look at the views: the walk looks at them for each block. */
static struct blocks list_mapped(struct fm_machine *machine)
{
	struct blocks b = { .list = NULL };
	struct fm_space *space;

	fm_machine_foreach_space (machine, space) {
		const struct fm_view *view = fm_space_view_get(space);

		b.list = out_need(reallocarray(b.list, b.count + fm_view_count(view) + 1,
					       sizeof(const struct fm_block *)));
		for (size_t i = 0; i < fm_view_count(view); i++)
			b.list[b.count++] = fm_view_range(view, i)->block;
		fm_view_put(view);
	}
	if (b.count)
		qsort(b.list, b.count, sizeof(const struct fm_block *), by_pointer);
	return b;
}

static bool is_mapped(const struct blocks *b, const struct fm_block *block)
{
	return b->count &&
	       bsearch(&block, b->list, b->count, sizeof(const struct fm_block *), by_pointer);
}

/* What a block is made of, and which operations are about it. "all" goes without saying. */
static void put_walks(struct out *out, struct fm_machine *machine)
{
	const struct blocks mapped = list_mapped(machine);
	struct fm_block *next[FM_WALK_COUNT];
	struct fm_block *block;

	for (int walk = 0; walk < FM_WALK_COUNT; walk++)
		next[walk] = walk == FM_WALK_MAPPED
				     ? NULL
				     : fm_machine_next_block(machine, (enum fm_walk)walk, NULL);
	out_table(out, "walks", walk_columns, sizeof(walk_columns) / sizeof(*walk_columns));
	fm_machine_foreach_block (machine, FM_WALK_ALL, block) {
		char flags[128], walks[128] = "";

		/* Each walk has its blocks in the order of this one. */
		for (int walk = FM_WALK_ALL + 1; walk < FM_WALK_COUNT; walk++) {
			bool in = walk == FM_WALK_MAPPED ? is_mapped(&mapped, block)
							 : next[walk] == block;

			if (!in)
				continue;
			join(walks, sizeof(walks), fm_walk_name((enum fm_walk)walk));
			if (walk != FM_WALK_MAPPED)
				next[walk] =
					fm_machine_next_block(machine, (enum fm_walk)walk, block);
		}
		flags_text(fm_block_flags(block), flags, sizeof(flags));
		out_row(out,
			(const struct out_value[]){
				text(*fm_block_name(block) ? fm_block_name(block) : "(unnamed)"),
				text(fm_backing_name(fm_block_backing(block))),
				number(fm_block_page_size(block)),
				*flags ? text(flags) : absent(),
				*walks ? text(walks) : absent(),
			});
	}
	out_table_end(out);
	free(mapped.list);
}

/* --- machine info ---------------------------------------------------------------------------- */

static struct fm_machine *read_machine(struct info *info)
{
	/* No file that a tree names is opened. */
	struct fm_block_fdt_options memory = { .struct_size = sizeof(memory),
					       .memfd = true,
					       .device = machine_make_device };
	struct fm_fdt_binding bindings[TREE_BINDINGS];
	const struct fm_fdt_options options = {
		.struct_size = sizeof(options),
		.source = info->dtb,
		.ram_backing = info->backing ? FM_BACKING_MEMFD : FM_BACKING_ANON,
	};

	tree_bindings(bindings, &info->flash, &memory, NULL);
	return tree_machine(bindings, TREE_BINDINGS, &options);
}

static enum status put_machine(const struct info *info, struct fm_machine *machine)
{
	struct out *out = out_new(info->json);
	size_t rows;

	out_value(out, "source", OUT_TEXT, text(info->dtb));
	out_value(out, "machine", OUT_TEXT, text(fm_machine_name(machine)));
	rows = put_blocks(out, info, machine);
	if (info->space)
		put_ranges(out, info, machine);
	if (info->devices)
		put_devices(out, machine);
	if (info->walks)
		put_walks(out, machine);
	return out_end(out, info->ranged && !rows ? STATUS_NO : STATUS_YES);
}

static const char info_text[] =
	"BLOCK is a piece of memory, ROLE what it is for in the guest, BACKING what it is made of on\n"
	"the host, DEVICE what answers there. MAPPING is what the guest does without a trap: r-x is\n"
	"flash that is read as memory while writes are commands; --- is all trapped; mixed and\n"
	"hidden are windows that other windows cover. PAGE is the page size really obtained. Memory of\n"
	"\"firmem,memory\" nodes (docs/machines.md) is made of memfds: no file is opened.\n"
	"\n"
	"Examples:\n"
	"  qemu-system-aarch64 -machine virt,dumpdtb=virt.dtb\n"
	"  firmem machine info --dtb virt.dtb\n"
	"  firmem machine info --dtb virt.dtb --json | jq '.blocks[].role'\n"
	"  firmem machine info --dtb virt.dtb --range 0x4000000+1 && echo somebody is there\n";

static enum status info_run(int argc, char **argv)
{
	struct info info = { .flash = { .struct_size = sizeof(info.flash) } };
	uint64_t chips = 0;
	bool sector_given = false;
	const struct args_option options[] = {
		{ "dtb", ARGS_TEXT, "FILE", "the machine's device tree blob", &info.dtb, true },
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &info.json },
		{ "space", ARGS_FLAG, NULL, "also the address space as the guest sees it",
		  &info.space },
		{ "devices", ARGS_FLAG, NULL, "also what each device tells about itself",
		  &info.devices },
		{ "walks", ARGS_FLAG, NULL,
		  "also what each block is made of, and the walks\n"
		  "it is in: which operations are about it",
		  &info.walks },
		{ "range", ARGS_RANGE, "START+LENGTH",
		  "only what answers there;\nexit status 1 if nothing does", &info.range, false,
		  &info.ranged },
		{ "sector", ARGS_SIZE, "SIZE", "flash: bytes that one erase clears; default 256K",
		  &info.flash.sector_len, false, &sector_given },
		{ "chips", ARGS_SIZE, "COUNT", "flash: chips side by side; default 2", &chips },
		{ "ram", ARGS_CHOICE, "BACKING",
		  "anon or memfd; default anon. memfd is not\n"
		  "counted before it is used: for machines that\n"
		  "are larger than this host",
		  &info.backing, .choices = backings },
	};
	const struct args_spec spec = {
		.command = "machine info",
		.summary = "Show the memory of the machine that a device tree describes.",
		.text = info_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct fm_machine *machine;
	enum status status;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (sector_given && !info.flash.sector_len)
		return complain("machine info: --sector: 0, expected at least 1 byte");
	if (chips > FM_FLASH_CHIPS)
		return complain("machine info: --chips: %llu, expected at most %u",
				(unsigned long long)chips, FM_FLASH_CHIPS);
	info.flash.chips = (unsigned)chips;
	machine = read_machine(&info);
	if (!machine)
		return STATUS_BAD;
	status = put_machine(&info, machine);
	fm_machine_free(machine);
	return status;
}

static const struct verb verbs[] = {
	{ "info", "the memory of a machine, as a table", info_run },
	{ "dump", "the memory of a running guest, as a core file", machine_dump_run },
	{ "ramblock", "its blocks, as QEMU's info ramblock", machine_ramblock_run },
	{ "mtree", "its address spaces, as QEMU's info mtree -f", machine_mtree_run },
	{ "memdev", "what its memory is made of, as QEMU's info memdev", machine_memdev_run },
	{ "memory-devices", "DIMMs and their like, as QEMU's info memory-devices",
	  machine_devices_run },
	{ NULL, NULL, NULL },
};

const struct command command_machine = {
	.noun = "machine",
	.summary = "What a machine's memory is made of.",
	.verbs = verbs,
};
