/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/pair.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION "7.2.22" /* what the profiles are of */

#define MIB (UINT64_C(1) << 20)
#define KIB 1024u

static const struct board boards[] = {
	{ .name = "aarch64-virt",
	  .program = "qemu-system-aarch64",
	  .profile = "qemu-7.2",
	  .base = 0x04000000,
	  .len = 64 * MIB,
	  .block_len = 256 * KIB,
	  .bank_width = 4,
	  .unit = 1,
	  .unit0_len = 64 * MIB,
	  .args = { "-machine", "virt", "-m", "64" } },
	{ .name = "aarch64-virt-readonly",
	  .program = "qemu-system-aarch64",
	  .profile = "qemu-7.2",
	  .base = 0,
	  .len = 64 * MIB,
	  .block_len = 256 * KIB,
	  .bank_width = 4,
	  .read_only = true,
	  .args = { "-machine", "virt", "-m", "64" } },
	{ .name = "riscv64-virt",
	  .program = "qemu-system-riscv64",
	  .profile = "qemu-7.2",
	  .base = 0x22000000,
	  .len = 32 * MIB,
	  .block_len = 256 * KIB,
	  .bank_width = 4,
	  .unit = 1,
	  .args = { "-machine", "virt", "-m", "64", "-bios", "none" } },
	{ .name = "connex",
	  .program = "qemu-system-arm",
	  .profile = "qemu-7.2-board",
	  .base = 0,
	  .len = 16 * MIB,
	  .block_len = 128 * KIB,
	  .bank_width = 2,
	  .args = { "-machine", "connex" } },
	{ .name = "versatilepb",
	  .program = "qemu-system-arm",
	  .profile = "qemu-7.2-board",
	  .base = 0x34000000,
	  .len = 64 * MIB,
	  .block_len = 256 * KIB,
	  .bank_width = 4,
	  .clear_quirks = FM_FLASH_QUIRK_NO_CODES,
	  .args = { "-machine", "versatilepb", "-m", "64" } },
	{ .name = "pc",
	  .program = "qemu-system-x86_64",
	  .profile = "qemu-7.2-board",
	  .base = UINT64_C(0x100000000) - 4 * MIB,
	  .len = 4 * MIB,
	  .block_len = 4 * KIB,
	  .bank_width = 1,
	  .args = { "-machine", "pc", "-m", "64" } },
};

const struct board *pair_board(const char *name)
{
	for (unsigned n = 0; n < sizeof(boards) / sizeof(boards[0]); n++) {
		if (!strcmp(boards[n].name, name))
			return &boards[n];
	}
	return NULL;
}

/* --- setting up -------------------------------------------------------------------------- */

static bool make_image(const char *path, uint64_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && !ftruncate(fd, (off_t)len);

	if (fd >= 0)
		close(fd);
	return ok;
}

static struct qtest *start_qemu(struct run *r, char *why, size_t len)
{
	const struct board *b = r->board;
	char drive0[160], drive[160];
	const char *args[20];
	unsigned n = 0;

	for (; b->args[n]; n++)
		args[n] = b->args[n];
	snprintf(drive0, sizeof(drive0), "if=pflash,unit=0,format=raw,readonly=on,file=%s",
		 r->unit0);
	snprintf(drive, sizeof(drive), "if=pflash,unit=%u,format=raw,readonly=%s,file=%s", b->unit,
		 b->read_only ? "on" : "off", r->image);
	if (b->unit0_len) {
		args[n++] = "-drive";
		args[n++] = drive0;
	}
	args[n++] = "-drive";
	args[n++] = drive;
	args[n] = NULL;
	return qtest_start(b->program, args, why, len);
}

static bool start_ours(struct run *r)
{
	const struct board *b = r->board;
	struct fm_block_config block = { .struct_size = sizeof(block),
					 .name = b->name,
					 .role = FM_ROLE_FLASH_VARS,
					 .len = b->len };
	struct fm_flash_config cfg = { .struct_size = sizeof(cfg),
				       .bank_width = b->bank_width,
				       .regions = { { b->block_len,
						      (uint32_t)(b->len / b->block_len) } },
				       .nregions = 1,
				       .read_only = b->read_only };
	struct fm_error err = { 0 };

	if (fm_block_new(&r->block, &block, &err) || fm_flash_profile(b->profile, &cfg, &err)) {
		printf("%s\n", err.msg);
		return false;
	}
	cfg.block = r->block;
	cfg.quirks &= ~b->clear_quirks & ~r->without;
	r->array = fm_block_ptr(r->block);
	if (fm_flash_new(&r->dev, &cfg, &err)) {
		printf("%s\n", err.msg);
		return false;
	}
	return true;
}

/* Is the installed program of the version that the profiles are of? */
static bool version_is_ours(const char *program, char *why, size_t len)
{
	char command[64], line[128] = "";
	FILE *pipe;

	snprintf(command, sizeof(command), "%s --version 2>/dev/null", program);
	pipe = popen(command, "r");
	if (pipe) {
		if (!fgets(line, sizeof(line), pipe))
			line[0] = '\0';
		pclose(pipe);
	}
	line[strcspn(line, "\n")] = '\0';
	if (strstr(line, "version " VERSION))
		return true;
	if (line[0])
		snprintf(why, len, "%s is %s, the profiles are of " VERSION, program, line);
	else
		snprintf(why, len, "%s is not installed", program);
	return false;
}

int pair_start(struct run *r)
{
	const char *tmp = getenv("TMPDIR");
	char why[160] = "";

	snprintf(r->dir, sizeof(r->dir), "%s/diff.XXXXXX",
		 tmp && strlen(tmp) < 32 ? tmp : "/var/tmp");
	if (!mkdtemp(r->dir)) {
		printf("%s cannot be made\n", r->dir);
		r->dir[0] = '\0';
		return TROUBLE;
	}
	snprintf(r->image, sizeof(r->image), "%s/bank", r->dir);
	snprintf(r->unit0, sizeof(r->unit0), "%s/unit0", r->dir);
	if (!make_image(r->image, r->board->len) ||
	    (r->board->unit0_len && !make_image(r->unit0, r->board->unit0_len))) {
		printf("%s cannot be made\n", r->image);
		return TROUBLE;
	}
	if (!start_ours(r))
		return TROUBLE;
	if (!version_is_ours(r->board->program, why, sizeof(why))) {
		printf("skipped: %s\n", why);
		return SKIP;
	}
	r->qemu = start_qemu(r, why, sizeof(why));
	if (r->qemu)
		return 0;
	printf("skipped: %s\n", why);
	return SKIP;
}

void pair_stop(struct run *r)
{
	qtest_stop(r->qemu);
	fm_dev_free(r->dev);
	fm_block_free(r->block);
	if (r->dir[0]) {
		unlink(r->image);
		unlink(r->unit0);
		rmdir(r->dir);
	}
}
