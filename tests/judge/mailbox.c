/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailbox RAM NFIT SSDT LABELS0 LABELS1: firmware for a guest whose RAM is the file RAM: two NVDIMMs, one
 * interleave set at 512 MiB, the mailbox at 768 MiB. Writes their tables, prints "ready", takes the label
 * areas from the last two files when a line comes, answers until its input ends, and leaves there what the
 * guest made of the label areas.
 */
#include <firmem/block.h>
#include <firmem/dsm.h>
#include <firmem/nfit.h>
#include <firmem/nvdimm.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define BASE (512 * MIB)
#define EACH (128 * MIB)
#define LABELS (128u << 10)
#define LINE 4096u
#define MAILBOX (768 * MIB)
#define HINTS (MAILBOX + 0x10000)

static struct fm_block *blocks[2];
static struct fm_dev *devs[2];

static int need(int rc, const struct fm_error *err)
{
	if (!rc)
		return 0;
	fprintf(stderr, "mailbox: %s\n", err->msg);
	exit(2);
}

static uint32_t handle_of(unsigned i)
{
	return fm_nfit_handle(0, 0, 0, i, 1);
}

static void make_dimms(void)
{
	static const char *const names[] = { "dimm0", "dimm1" };
	struct fm_error err;

	for (unsigned i = 0; i < 2; i++) {
		struct fm_block_config mem = { sizeof(mem), .name = names[i],
					       .role = FM_ROLE_NVDIMM, .len = EACH + LABELS };
		struct fm_nvdimm_config cfg = { sizeof(cfg), .label_len = LABELS,
						.dirty_shutdowns = 42 + i };

		need(fm_block_new(&blocks[i], &mem, &err), &err);
		cfg.block = blocks[i];
		need(fm_nvdimm_new(&devs[i], &cfg, &err), &err);
	}
}

static void store(const char *path, const void *bytes, size_t len)
{
	struct fm_error err;

	need(fm_io_store(NULL, path, bytes, len, &err), &err);
}

static void store_nfit(const char *path)
{
	struct fm_nfit *n;
	struct fm_error err;
	void *table;
	size_t len;

	need(fm_nfit_new(&n, &err), &err);
	fm_nfit_add_spa(n, &(struct fm_nfit_spa){ .index = 1,
						  .flags = FM_NFIT_SPA_PROXIMITY,
						  .base = BASE,
						  .len = 2 * EACH });
	for (uint16_t i = 0; i < 2; i++) {
		const uint16_t one = (uint16_t)(i + 1);
		const uint32_t offset = i * LINE;
		const uint64_t hints[2] = { HINTS + i * 0x100u, HINTS + i * 0x100u + 64 };

		fm_nfit_add_memdev(n, &(struct fm_nfit_memdev){ .handle = handle_of(i),
								.phys_id = i,
								.region_id = i,
								.spa = 1,
								.control = one,
								.size = EACH,
								.region_offset = offset,
								.interleave = one,
								.ways = 2 });
		fm_nfit_add_interleave(n, one, LINE, &offset, 1);
		fm_nfit_add_control(n, &(struct fm_nfit_control){ .index = one,
								  .vendor = 0x8086,
								  .device = 0x5555,
								  .revision = 1,
								  .subsystem_vendor = 0x8086,
								  .subsystem_device = 0x1234,
								  .manufacturing = true,
								  .mfg_location = 7,
								  .mfg_date = 0x2622,
								  .serial = 0xcafe0001u + i,
								  .format = 0x301 });
		fm_nfit_add_flush_hint(n, handle_of(i), hints, 2);
	}
	fm_nfit_add_capabilities(n, FM_NFIT_CONTROLLER);
	need(fm_nfit_finish(n, false, &table, &len, &err), &err);
	store(path, table, len);
	free(table);
	fm_nfit_free(n);
}

static void store_ssdt(const char *path)
{
	const uint32_t handles[2] = { handle_of(0), handle_of(1) };
	struct fm_dsm_ssdt_config cfg = { sizeof(cfg), .handles = handles, .count = 2,
					  .mailbox = MAILBOX };
	struct fm_error err;
	void *table;
	size_t len;

	need(fm_dsm_ssdt(&table, &len, &cfg, &err), &err);
	store(path, table, len);
	free(table);
}

static struct fm_dsm *make_dsm(void)
{
	struct fm_dsm_dimm dimms[2];
	struct fm_dsm_config cfg = { sizeof(cfg), .dimms = dimms, .count = 2 };
	struct fm_dsm *dsm;
	struct fm_error err;

	for (unsigned i = 0; i < 2; i++)
		dimms[i] = (struct fm_dsm_dimm){ .dev = devs[i],
						 .handle = handle_of(i),
						 .base = BASE,
						 .ways = 2,
						 .position = i,
						 .line = LINE,
						 .dirty = true };
	need(fm_dsm_new(&dsm, &cfg, &err), &err);
	return dsm;
}

static void load_labels(const char *path, struct fm_block *block)
{
	struct fm_error err;
	void *bytes;
	size_t len;

	need(fm_io_load(NULL, path, LABELS, &bytes, &len, &err), &err);
	if (len != LABELS) {
		fprintf(stderr, "mailbox: %s: %zu bytes, expected %u\n", path, len, LABELS);
		exit(2);
	}
	memcpy((uint8_t *)fm_block_ptr(block) + EACH, bytes, len);
	free(bytes);
}

static void serve(struct fm_dsm *dsm, uint8_t *ram)
{
	_Atomic uint32_t *bell = (_Atomic uint32_t *)(void *)(ram + MAILBOX + FM_DSM_PAGE);
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char byte;

	for (;;) {
		if (poll(&input, 1, 1) && read(0, &byte, 1) <= 0)
			return;
		if (!atomic_load(bell))
			continue;
		fm_dsm_call(dsm, ram + MAILBOX);
		atomic_store(bell, 0);
	}
}

int main(int argc, char **argv)
{
	struct fm_block_config mem = { sizeof(mem), .name = "ram", .role = FM_ROLE_RAM,
				       .backing = FM_BACKING_FILE, .flags = FM_BLOCK_SHARED };
	struct fm_block *ram;
	struct fm_error err;
	struct fm_dsm *dsm;

	if (argc != 6)
		return fprintf(stderr, "usage: mailbox RAM NFIT SSDT LABELS0 LABELS1\n"), 2;
	mem.path = argv[1];
	need(fm_block_new(&ram, &mem, &err), &err);
	make_dimms();
	store_nfit(argv[2]);
	store_ssdt(argv[3]);
	puts("ready");
	fflush(stdout);
	if (getchar() != '\n')
		return 2;
	for (unsigned i = 0; i < 2; i++)
		load_labels(argv[4 + i], blocks[i]);
	dsm = make_dsm();
	serve(dsm, fm_block_ptr(ram));
	fm_dsm_free(dsm);
	for (unsigned i = 0; i < 2; i++) {
		store(argv[4 + i], (uint8_t *)fm_block_ptr(blocks[i]) + EACH, LABELS);
		fm_dev_free(devs[i]);
		fm_block_free(blocks[i]);
	}
	fm_block_free(ram);
	return 0;
}
