/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/pair.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION "7.2.22"   /* what the profiles are of */
#define SETTLE_NS 1000000u /* more than what is left when a guest's clock was stopped */

/* --- setting up -------------------------------------------------------------------------- */

static bool make_image(const char *path, uint64_t len, uint8_t fill)
{
	uint8_t piece[65536];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && !ftruncate(fd, (off_t)len);

	memset(piece, fill, sizeof(piece));
	for (uint64_t at = 0; ok && fill && at < len; at += sizeof(piece))
		ok = pwrite(fd, piece, sizeof(piece), (off_t)at) == (ssize_t)sizeof(piece);
	if (fd >= 0)
		close(fd);
	return ok;
}

static struct qtest *start_qemu(struct run *r, char *why, size_t len)
{
	const struct board *b = r->board;
	char drive0[160], drive[192], ram[192];
	const char *args[40];
	unsigned n = 0;

	for (; b->args[n]; n++)
		args[n] = b->args[n];
	snprintf(drive0, sizeof(drive0), "if=pflash,unit=0,format=raw,readonly=on,file=%s",
		 r->unit0);
	snprintf(drive, sizeof(drive),
		 "if=pflash,unit=%u,format=raw,readonly=%s,cache=unsafe,file=%s", b->unit,
		 b->read_only ? "on" : "off", r->image);
	snprintf(ram, sizeof(ram),
		 "memory-backend-file,id=ram,share=on,size=%" PRIu64 ",mem-path=%s", b->ram_len,
		 r->ram);
	if (b->unit0_len) {
		args[n++] = "-drive";
		args[n++] = drive0;
	}
	if (!b->no_drive) {
		args[n++] = "-drive";
		args[n++] = drive;
	}
	if (b->ram_len) {
		args[n++] = "-object";
		args[n++] = ram;
		args[n++] = "-icount";
		args[n++] = PLAYER_ICOUNT;
		/* After every reset the guest begins there, behind a word that does nothing. */
		args[n++] = "-device";
		args[n++] = "loader,addr=4,cpu-num=0";
	}
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
				       .set = b->set,
				       .bank_width = b->bank_width,
				       .read_only = b->read_only,
				       .manufacturer = b->codes[0],
				       .device_id = b->codes[1],
				       .extended_id = { b->codes[2], b->codes[3] } };
	struct fm_error err = { 0 };

	memcpy(cfg.regions, b->regions, sizeof(cfg.regions));
	while (cfg.nregions < FM_FLASH_REGIONS && b->regions[cfg.nregions].count)
		cfg.nregions++;
	if (fm_block_new(&r->block, &block, &err) || fm_flash_profile(b->profile, &cfg, &err)) {
		printf("%s\n", err.msg);
		return false;
	}
	cfg.block = r->block;
	cfg.quirks &= ~b->clear_quirks & ~r->without;
	if (r->without & FM_FLASH_QUIRK_QEMU_AMD) /* the table goes with it */
		cfg.quirks = 0;
	r->array = fm_block_ptr(r->block);
	memset(r->array, r->fill, b->len);
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
	snprintf(r->ram, sizeof(r->ram), "%s/ram", r->dir);
	if (!make_image(r->image, r->board->len, r->fill) ||
	    (r->board->unit0_len && !make_image(r->unit0, r->board->unit0_len, 0)) ||
	    (r->board->ram_len && !player_open(&r->player, r->ram, r->board->ram_len))) {
		printf("a file in %s cannot be made\n", r->dir);
		return TROUBLE;
	}
	if (!start_ours(r))
		return TROUBLE;
	if (!version_is_ours(r->board->program, why, sizeof(why))) {
		printf("skipped: %s\n", why);
		return SKIP;
	}
	r->still = true;
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
	player_close(&r->player);
	if (r->dir[0]) {
		unlink(r->image);
		unlink(r->unit0);
		unlink(r->ram);
		rmdir(r->dir);
	}
	r->qemu = NULL;
	r->dev = NULL;
	r->block = NULL;
	r->running = false;
}

/* --- working with it ----------------------------------------------------------------------- */

bool pair_go(struct run *r, bool running)
{
	if (r->running == running)
		return true;
	r->running = running;
	return running ? qtest_cont(r->qemu) : qtest_halt(r->qemu);
}

bool pair_run(struct run *r, struct qtest_op *ops, size_t count)
{
	return r->running ? player_run(&r->player, ops, count) : qtest_run(r->qemu, ops, count);
}

uint64_t pair_settle(struct run *r)
{
	uint64_t start = r->now_ns;
	uint64_t deadline;

	while ((deadline = fm_dev_next_deadline_ns(r->dev)) != FM_NEVER) {
		r->now_ns = deadline;
		fm_dev_tick(r->dev, r->now_ns);
	}
	r->now_ns += SETTLE_NS - (r->now_ns - start) % PLAYER_TICK_NS;
	fm_dev_tick(r->dev, r->now_ns);
	return r->now_ns - start;
}
