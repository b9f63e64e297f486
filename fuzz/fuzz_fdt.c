/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_fdt: trees of memory, flash, other devices and buses, nearly right property by property, then
 * sometimes with bytes changed, into fm_machine_from_fdt(). What must hold:
 *  - without a machine: the code that was returned is the error's, its message is one line that
 *    starts with the source, and *out is as it was;
 *  - a visit reaches every node, and what a bridge tells of its windows does not wrap;
 *  - with one: its rows for introspection are the view and the blocks; the view is in order and without overlap,
 *    and each memory block is seen whole at the address in its name;
 *  - if only memory at the root was written, and no byte changed: there is a machine just when no
 *    range is empty, wraps or meets another, and it has just these blocks.
 */
#include "fuzz/fdt_build.h"
#include "fuzz/fdt_check.h"
#include "fuzz/tape.h"

#include <firmem/dimm.h>
#include <firmem/fdt.h>
#include <firmem/flash.h>

#include <string.h>

#define RANGES_MAX 64u
#define DEPTH_MAX 5u
#define SOURCE "fuzz"

struct run {
	struct tape tape;
	struct fm_fdt *fdt;
	unsigned nodes; /* written so far */
	bool plain;     /* only good memory nodes at the root so far */
	uint64_t ranges[RANGES_MAX][2];
	size_t nranges;
};

/* --- a nearly right tree --------------------------------------------------------------------- */

/* Bytes of memory or of a bank: mostly small, on sectors or nearly. */
static uint64_t some_len(struct tape *t)
{
	if (tape_one_in(t, 8))
		return tape_edge(t, 0x10000);
	return (uint64_t)(tape_below(t, 16) + 1) << 12;
}

static uint64_t some_address(struct tape *t)
{
	if (tape_one_in(t, 8))
		return tape_edge(t, 0x40000000);
	return (uint64_t)tape_below(t, 256) << 14;
}

static uint32_t some_cells(struct tape *t)
{
	return tape_one_in(t, 8) ? (uint32_t)tape_edge(t, 3) : 1 + tape_below(t, 2);
}

/* A property of any bytes. */
static void put_noise(struct run *run, const char *name)
{
	uint8_t bytes[48];
	size_t len = tape_below(&run->tape, sizeof(bytes));

	for (size_t i = 0; i < len; i++)
		bytes[i] = tape_u8(&run->tape);
	fm_fdt_prop(run->fdt, name, bytes, len);
	run->plain = false;
}

static bool noise_instead(struct run *run, const char *name)
{
	if (!tape_one_in(&run->tape, 16))
		return false;
	if (tape_one_in(&run->tape, 2))
		put_noise(run, name);
	run->plain = false;
	return true;
}

static void put_cells(uint32_t *cells, size_t *at, unsigned count, uint64_t value)
{
	if (count > 1)
		cells[(*at)++] = (uint32_t)(value >> 32);
	cells[(*at)++] = (uint32_t)value;
}

/* "reg" of up to 3 pairs, in one or two cells each; 3 stands for all other counts. */
static void put_reg(struct run *run, uint32_t acells, uint32_t scells, bool note)
{
	struct tape *t = &run->tape;
	unsigned pairs = 1 + tape_below(t, 3);
	uint32_t cells[12];
	size_t at = 0;

	if (noise_instead(run, "reg"))
		return;
	for (unsigned i = 0; i < pairs; i++) {
		uint64_t addr = some_address(t);
		uint64_t len = some_len(t);

		put_cells(cells, &at, acells == 1 ? 1 : 2, addr);
		put_cells(cells, &at, scells == 1 ? 1 : 2, len);
		if (!note || run->nranges == RANGES_MAX) {
			run->plain = false;
			continue;
		}
		run->ranges[run->nranges][0] = addr;
		run->ranges[run->nranges++][1] = len;
	}
	fm_fdt_prop_u32s(run->fdt, "reg", cells, at);
}

static void put_compatible(struct run *run)
{
	static const char *const words[] = { "cfi-flash", "x,ram", "x,ask", "none", "simple-bus" };
	const char *list[4] = { words[tape_below(&run->tape, 5)] };

	run->plain = false;
	if (noise_instead(run, "compatible"))
		return;
	for (unsigned i = 1; i < 3 && tape_one_in(&run->tape, 4); i++)
		list[i] = words[tape_below(&run->tape, 5)];
	fm_fdt_prop_texts(run->fdt, "compatible", list);
}

static void put_status(struct run *run)
{
	static const char *const words[] = { "okay", "ok", "disabled", "fail", "" };
	static const char *const names[] = { "status", "secure-status" };

	for (unsigned i = 0; i < 2; i++) {
		if (!tape_one_in(&run->tape, 8))
			continue;
		run->plain = false;
		if (!noise_instead(run, names[i]))
			fm_fdt_prop_text(run->fdt, names[i], words[tape_below(&run->tape, 5)]);
	}
}

static void begin_node(struct run *run, const char *name)
{
	char text[32];

	if (tape_one_in(&run->tape, 32)) {
		/* Bytes that the writer takes and the reader may not. */
		text[0] = (char)(tape_u8(&run->tape) | 1);
		text[1] = '\0';
		if (text[0] == '/')
			text[0] = 'x';
		run->plain = false;
	} else {
		snprintf(text, sizeof(text), "%s%u", name, run->nodes);
	}
	fm_fdt_begin(run->fdt, text);
	run->nodes++;
}

static void put_memory(struct run *run, uint32_t acells, uint32_t scells, bool root)
{
	begin_node(run, "memory-");
	if (!noise_instead(run, "device_type"))
		fm_fdt_prop_text(run->fdt, "device_type", "memory");
	put_status(run);
	if (!root)
		run->plain = false;
	put_reg(run, acells, scells, root);
	fm_fdt_end(run->fdt);
}

/* A number that is mostly as it should be. */
static void put_number(struct run *run, const char *name, uint64_t usual)
{
	struct tape *t = &run->tape;
	uint64_t value = tape_one_in(t, 16) ? tape_edge(t, usual) : usual;

	if (noise_instead(run, name))
		return;
	if (tape_one_in(t, 4) || value >> 32)
		fm_fdt_prop_u64(run->fdt, name, value);
	else
		fm_fdt_prop_u32(run->fdt, name, (uint32_t)value);
}

static void put_range(struct run *run, uint64_t addr, uint64_t len)
{
	const uint64_t reg[] = { addr, len };

	if (!noise_instead(run, "reg"))
		fm_fdt_prop_reg(run->fdt, reg, 1);
}

static void put_word(struct run *run, const char *name, const char *word)
{
	if (!noise_instead(run, name))
		fm_fdt_prop_text(run->fdt, name, word);
}

static void put_dimm(struct run *run)
{
	struct tape *t = &run->tape;
	uint64_t len = UINT64_C(0x1000) << tape_below(t, 4);

	begin_node(run, "dimm-");
	put_word(run, "compatible", "firmem,memory");
	put_word(run, "firmem,role", tape_one_in(t, 4) ? "nvdimm" : "dimm");
	if (tape_one_in(t, 2))
		put_range(run, 0x10000000000 + 0x1000 * (uint64_t)tape_below(t, 32), len);
	else
		put_number(run, "firmem,size", len);
	if (tape_one_in(t, 2))
		put_number(run, "firmem,slot", tape_below(t, 4));
	else
		fm_fdt_prop_empty(run->fdt, "firmem,slot");
	if (tape_one_in(t, 2))
		put_number(run, "numa-node-id", tape_below(t, 2));
	fm_fdt_end(run->fdt);
}

/* Slots, and some that go into them. */
static void put_slots(struct run *run)
{
	struct tape *t = &run->tape;

	run->plain = false;
	begin_node(run, "slots-");
	put_word(run, "compatible", "firmem,dimm-slots");
	put_range(run, 0x10000000000, 0x20000);
	put_number(run, "firmem,slots", 4);
	put_number(run, "firmem,max-memory", UINT64_C(1) << 40);
	put_number(run, "firmem,align", 0x1000);
	if (tape_one_in(t, 2))
		put_number(run, "firmem,numa-nodes", 2);
	if (tape_one_in(t, 4))
		put_number(run, "firmem,base-memory", (UINT64_C(1) << 40) - 0x8000);
	fm_fdt_end(run->fdt);
	for (unsigned n = tape_below(t, 4); n > 0; n--)
		put_dimm(run);
}

static void put_device(struct run *run, uint32_t acells, uint32_t scells)
{
	begin_node(run, "device-");
	put_compatible(run);
	put_status(run);
	if (!noise_instead(run, "bank-width"))
		fm_fdt_prop_u32(run->fdt, "bank-width", 1u << tape_below(&run->tape, 5));
	put_reg(run, acells, scells, false);
	fm_fdt_end(run->fdt);
}

static void put_list(struct fm_fdt *fdt, const char *name, const uint32_t *cells, size_t count)
{
	if (count)
		fm_fdt_prop_u32s(fdt, name, cells, count);
	else
		fm_fdt_prop_empty(fdt, name);
}

static void put_nodes(struct run *run, uint32_t acells, uint32_t scells, unsigned depth);

static void put_bus(struct run *run, uint32_t above, unsigned depth)
{
	struct tape *t = &run->tape;
	uint32_t acells = some_cells(t), scells = some_cells(t);
	uint32_t cells[18];
	size_t at = 0;

	begin_node(run, "bus-");
	run->plain = false;
	put_status(run);
	if (!noise_instead(run, "#address-cells"))
		fm_fdt_prop_u32(run->fdt, "#address-cells", acells);
	if (!noise_instead(run, "#size-cells"))
		fm_fdt_prop_u32(run->fdt, "#size-cells", scells);
	for (unsigned i = tape_below(t, 4); i > 0; i--) {
		put_cells(cells, &at, acells == 1 ? 1 : 2, some_address(t));
		put_cells(cells, &at, above == 1 ? 1 : 2, some_address(t));
		put_cells(cells, &at, scells == 1 ? 1 : 2, some_len(t) << tape_below(t, 20));
	}
	if (!noise_instead(run, "ranges"))
		put_list(run->fdt, "ranges", cells, at);
	put_nodes(run, acells, scells, depth + 1);
	fm_fdt_end(run->fdt);
}

/* A PCI host bridge with up to 3 windows, in a bus with `above` cells for an address. */
static void put_bridge(struct run *run, uint32_t above)
{
	struct tape *t = &run->tape;
	uint32_t cells[21];
	size_t at = 0;

	begin_node(run, "pcie-");
	run->plain = false;
	put_number(run, "#address-cells", 3);
	put_number(run, "#size-cells", 2);
	for (unsigned i = tape_below(t, 4); i > 0; i--) {
		cells[at++] = (uint32_t)tape_u8(t) << 24;
		put_cells(cells, &at, 2, some_address(t));
		put_cells(cells, &at, above == 1 ? 1 : 2, some_address(t));
		put_cells(cells, &at, 2, some_len(t));
	}
	if (!noise_instead(run, "ranges"))
		put_list(run->fdt, "ranges", cells, at);
	fm_fdt_end(run->fdt);
}

static void put_nodes(struct run *run, uint32_t acells, uint32_t scells, unsigned depth)
{
	for (unsigned n = 1 + tape_below(&run->tape, 4); n > 0 && run->tape.left; n--) {
		switch (tape_below(&run->tape, 5)) {
		case 0:
		case 1:
			put_memory(run, acells, scells, !depth);
			break;
		case 2:
			put_device(run, acells, scells);
			break;
		case 3:
			if (depth < DEPTH_MAX)
				put_bus(run, acells, depth);
			break;
		case 4:
			if (tape_one_in(&run->tape, 3))
				put_bridge(run, acells);
			else if (!depth)
				put_slots(run);
			break;
		}
	}
}

/* --- bindings -------------------------------------------------------------------------------- */

static int build_flash(const struct fm_fdt_node *node, struct fm_machine *machine,
		       struct fm_space *space, void *ctx, struct fm_error *err)
{
	struct fm_flash_fdt_options options = { .struct_size = sizeof(options),
						.sector_len = 0x1000 };
	int count = fm_fdt_node_reg_count(node, err);

	/* The array is filled: large ones only cost time. */
	for (int i = 0; i < count; i++) {
		uint64_t addr, len;

		if (!fm_fdt_node_reg(node, (unsigned)i, &addr, &len, NULL) && len > 0x100000)
			return fm_error_set(err, FM_ERR_SIZE, 0, "too large for this test");
	}
	return fm_flash_fdt_build(node, machine, space, &options, err);
}

/* Ask a node everything. */
static int build_nothing(const struct fm_fdt_node *node, struct fm_machine *machine,
			 struct fm_space *space, void *ctx, struct fm_error *err)
{
	static const char *const names[] = { "reg", "compatible", "status", "ranges", "none" };
	int count = fm_fdt_node_reg_count(node, err);

	TAPE_CHECK(fm_fdt_node_path(node)[0] == '/' && *fm_fdt_node_name(node));
	check_text(fm_fdt_node_path(node));
	for (int i = 0; i <= count; i++) {
		uint64_t addr = 0, len = 0;
		int rc = fm_fdt_node_reg(node, (unsigned)i, &addr, &len, err);

		TAPE_CHECK(rc ? !len : len && addr <= UINT64_MAX - (len - 1));
		TAPE_CHECK(i < count || rc);
	}
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *text = "";
		uint32_t value;
		int rc = fm_fdt_node_text(node, names[i], &text, err);

		check_text(text);
		TAPE_CHECK((rc == FM_ERR_NOT_FOUND) == !fm_fdt_node_has(node, names[i]));
		fm_fdt_node_u32(node, names[i], &value, err);
	}
	return 0;
}

/* --- what must hold ---------------------------------------------------------------------------- */

/* May a machine have been refused for want of memory? */
static bool is_large(const struct run *run)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < run->nranges; i++) {
		if (run->ranges[i][1] >> 30)
			return true;
		sum += run->ranges[i][1];
	}
	return sum >> 30;
}

static bool is_good(const struct run *run)
{
	for (size_t i = 0; i < run->nranges; i++) {
		const uint64_t *a = run->ranges[i];

		if (!a[1] || a[0] > UINT64_MAX - (a[1] - 1))
			return false;
		for (size_t j = 0; j < i; j++) {
			const uint64_t *b = run->ranges[j];

			if (a[0] <= b[0] ? b[0] - a[0] < a[1] : a[0] - b[0] < b[1])
				return false;
		}
	}
	return true;
}

static void read_tree(const struct run *run, const void *blob, size_t len, bool secure)
{
	const struct fm_fdt_binding bindings[] = { { "x,ask", build_nothing, NULL },
						   { "x,ram", fdt_build_ram, NULL },
						   { "cfi-flash", build_flash, NULL },
						   { "firmem,memory", fm_block_fdt_build, NULL },
						   { "firmem,dimm-slots", fm_dimms_fdt_build,
						     NULL } };
	const struct fm_fdt_options options = { .struct_size = sizeof(options),
						.source = SOURCE,
						.secure = secure };
	struct fm_machine *machine = NULL;
	unsigned visits = 0;
	struct fm_error err = { .code = 0 };
	const struct fm_view *view;
	struct fm_space *space;
	int rc = fm_machine_from_fdt(&machine, blob, len, bindings, 5, &options, &err);

	TAPE_CHECK(!fm_fdt_visit(blob, len, SOURCE, visit, &visits, NULL) ? visits > 0 : rc);
	if (rc) {
		TAPE_CHECK(!machine && err.code == rc);
		TAPE_CHECK(!strncmp(err.msg, SOURCE ": ", strlen(SOURCE ": ")));
		check_text(err.msg);
		TAPE_CHECK(!run->plain || !is_good(run) || is_large(run));
		return;
	}
	/* The secure world, where there is one, sees all. */
	space = fm_machine_space(machine, "secure-memory");
	TAPE_CHECK(secure || !space);
	if (!space)
		space = fm_machine_space(machine, "memory");
	view = fm_space_view_get(space);
	check_view(view);
	TAPE_CHECK(check_memory(machine, view) == run->nranges || !run->plain);
	check_slots(machine, view);
	check_flat(space, view);
	check_ramblocks(machine);
	TAPE_CHECK(!run->plain || is_good(run));
	fm_view_put(view);
	fm_machine_free(machine);
}

static void change_bytes(struct run *run, uint8_t *blob, size_t len)
{
	for (unsigned n = 1 + tape_below(&run->tape, 4); n > 0; n--) {
		/* Also the header often, where most depends on it. */
		size_t at = tape_below(&run->tape, tape_one_in(&run->tape, 4) ? 40 : 65536) % len;

		blob[at] = (uint8_t)tape_edge(&run->tape, blob[at]);
	}
	run->plain = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct run run = { .tape = { bytes, len }, .plain = true };
	struct fm_error err;
	bool change = tape_one_in(&run.tape, 4);
	bool cut = tape_one_in(&run.tape, 32);
	bool secure = tape_one_in(&run.tape, 2);
	uint8_t *blob;
	void *whole;
	size_t blob_len;

	TAPE_CHECK(!fm_fdt_new(&run.fdt, &err));
	put_nodes(&run, 2, 2, 0);
	TAPE_CHECK(!fm_fdt_finish(run.fdt, &whole, &blob_len, &err));
	fm_fdt_free(run.fdt);
	if (change)
		change_bytes(&run, whole, blob_len);
	if (cut) {
		blob_len = tape_below(&run.tape, 65536) % blob_len;
		run.plain = false;
	}
	/* Of its own length, so that a sanitizer sees a read behind it. */
	blob = malloc(blob_len ? blob_len : 1);
	memcpy(blob, whole, blob_len);
	free(whole);
	read_tree(&run, blob, blob_len, secure);
	free(blob);
	return 0;
}
