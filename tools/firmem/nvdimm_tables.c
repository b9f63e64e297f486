/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem nvdimm nfit, ssdt: the tables of the NVDIMMs that a device tree names. */
#include "tools/firmem/nvdimm_verbs.h"

#include "tools/firmem/output.h"
#include "tools/firmem/tree.h"

#include <firmem/dsm.h>
#include <firmem/machine.h>
#include <firmem/nfit.h>

#include <stdio.h>
#include <stdlib.h>

#define PORT 0x0a18          /* QEMU's */
#define MAILBOX 0xfef00000ul /* our choice: below the local APIC, where no memory is */

/* The "reg" of every "pmem-region" that is not volatile. */
struct regions {
	struct args_range at[FM_DSM_DIMMS];
	unsigned count;
};

static int add_region(const struct fm_fdt_node *node, struct fm_machine *machine,
		      struct fm_space *space, void *ctx, struct fm_error *err)
{
	struct regions *r = ctx;
	int n = fm_fdt_node_reg_count(node, err);

	if (n < 0 || fm_fdt_node_has(node, "volatile"))
		return n < 0 ? n : 0;
	for (unsigned i = 0; i < (unsigned)n; i++) {
		struct args_range *at = &r->at[r->count];
		int rc;

		if (r->count == FM_DSM_DIMMS)
			return fm_error_set(err, FM_ERR_FORMAT, 0,
					    "%s: %s: more than %u ranges of persistent memory",
					    fm_fdt_node_source(node), fm_fdt_node_path(node),
					    FM_DSM_DIMMS);
		rc = fm_fdt_node_reg(node, i, &at->start, &at->len, err);
		if (rc)
			return rc;
		r->count++;
	}
	return 0;
}

/* They may lie in memory, of which the guest is told to leave them alone, but not in one another. */
static bool check_apart(const char *dtb, const struct regions *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		for (unsigned k = 0; k < i; k++) {
			const struct args_range *a = &r->at[k], *b = &r->at[i];

			if (b->start - a->start >= a->len && a->start - b->start >= b->len)
				continue;
			complain(
				"%s: pmem-region: 0x%llx bytes at 0x%llx overlap 0x%llx bytes at 0x%llx, expected them apart",
				dtb, (unsigned long long)b->len, (unsigned long long)b->start,
				(unsigned long long)a->len, (unsigned long long)a->start);
			return false;
		}
	}
	return true;
}

static bool read_regions(const char *dtb, struct regions *r)
{
	const struct fm_fdt_binding bindings[] = { { "pmem-region", add_region, r } };
	const struct fm_fdt_options options = { .struct_size = sizeof(options), .source = dtb };
	struct fm_machine *machine;

	r->count = 0;
	machine = tree_machine(bindings, 1, &options);
	if (!machine)
		return false;
	fm_machine_free(machine);
	if (!r->count)
		complain("%s: no \"pmem-region\" node, expected at least one", dtb);
	return r->count && check_apart(dtb, r);
}

static enum status store(const char *output, void *table, size_t len)
{
	bool ok = output_write(output, table, len);

	free(table);
	return ok ? STATUS_YES : STATUS_BAD;
}

static const char nfit_text[] =
	"Each \"reg\" of a \"pmem-region\" node that is not volatile is a DIMM, in the tree's order, and\n"
	"told as QEMU 7.2 tells of its NVDIMM of that slot.\n"
	"\n"
	"Example:\n"
	"  firmem nvdimm nfit --dtb board.dtb -o nfit.bin && iasl -d nfit.bin\n";

enum status nvdimm_nfit_run(int argc, char **argv)
{
	static const char *const domains[] = { "none", "mem-ctrl", "cpu", NULL };
	static const uint32_t capabilities[] = { 0, FM_NFIT_CONTROLLER,
						 FM_NFIT_CONTROLLER | FM_NFIT_CPU_CACHE };
	const char *dtb = NULL, *output = NULL;
	unsigned domain = 0;
	bool unarmed = false;
	const struct args_option options[] = {
		{ "dtb", ARGS_TEXT, "FILE", "the device tree", &dtb, true },
		{ "output", ARGS_TEXT, "FILE", "where the table goes", &output, true,
		  .letter = 'o' },
		{ "persistence", ARGS_CHOICE, "DOMAIN",
		  "what survives power loss: none (not told, default), mem-ctrl, cpu", &domain,
		  .choices = domains },
		{ "unarmed", ARGS_FLAG, NULL, "stores may be lost: Linux does not write then",
		  &unarmed },
	};
	const struct args_spec spec = {
		.command = "nvdimm nfit",
		.summary = "Make the NFIT of the NVDIMMs that a device tree names.",
		.text = nfit_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct regions r = { .count = 0 };
	struct fm_nfit *nfit;
	struct fm_error err;
	void *table;
	size_t len;
	int rc;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (!read_regions(dtb, &r))
		return STATUS_BAD;
	if (fm_nfit_new(&nfit, &err))
		return complain("%s", err.msg);
	for (unsigned i = 0; i < r.count; i++)
		fm_nfit_add_qemu(nfit, &(struct fm_nfit_qemu){ .slot = i,
							       .base = r.at[i].start,
							       .len = r.at[i].len,
							       .unarmed = unarmed });
	if (domain)
		fm_nfit_add_capabilities(nfit, capabilities[domain]);
	rc = fm_nfit_finish(nfit, false, &table, &len, &err);
	fm_nfit_free(nfit);
	return rc ? complain("%s: %s", dtb, err.msg) : store(output, table, len);
}

static const char ssdt_text[] =
	"The methods of these DIMMs put what they are asked for on a page at ADDR (0xfef00000) and write\n"
	"its address to an I/O port (0xa18, QEMU's); the host answers by fm_dsm_call(). With --port 0\n"
	"they write 1 behind the page and wait for a 0 there.\n"
	"\n"
	"Example:\n"
	"  firmem nvdimm ssdt --dtb board.dtb -o ssdt.aml && iasl -d ssdt.aml\n";

enum status nvdimm_ssdt_run(int argc, char **argv)
{
	struct fm_dsm_ssdt_config cfg = { .struct_size = sizeof(cfg), .mailbox = MAILBOX };
	const char *dtb = NULL, *output = NULL;
	uint32_t handles[FM_DSM_DIMMS];
	uint64_t port = PORT;
	const struct args_option options[] = {
		{ "dtb", ARGS_TEXT, "FILE", "the device tree", &dtb, true },
		{ "output", ARGS_TEXT, "FILE", "where the table goes", &output, true,
		  .letter = 'o' },
		{ "mailbox", ARGS_SIZE, "ADDR", "of the page", &cfg.mailbox },
		{ "port", ARGS_SIZE, "N", "where the guest says that it is filled", &port },
		{ "fit", ARGS_FLAG, NULL, "with _FIT, which Linux prefers to the NFIT", &cfg.fit },
	};
	const struct args_spec spec = {
		.command = "nvdimm ssdt",
		.summary = "Make the SSDT of the NVDIMMs that a device tree names.",
		.text = ssdt_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct regions r = { .count = 0 };
	struct fm_error err;
	void *table;
	size_t len;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (port > 0xfffc)
		return complain("nvdimm ssdt: --port: 0x%llx, expected at most 0xfffc",
				(unsigned long long)port);
	if (!read_regions(dtb, &r))
		return STATUS_BAD;
	for (unsigned i = 0; i < r.count; i++)
		handles[i] = i + 1;
	cfg.handles = handles;
	cfg.count = r.count;
	cfg.port = (uint16_t)port;
	if (fm_dsm_ssdt(&table, &len, &cfg, &err))
		return complain("%s", err.msg);
	return store(output, table, len);
}
