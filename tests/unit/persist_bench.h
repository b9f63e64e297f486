/* SPDX-License-Identifier: BSD-2-Clause */
/* persist_bench: a block on a real file, behind a seam whose syncs are recorded and can fail. */
#ifndef FIRMEM_TESTS_PERSIST_BENCH_H
#define FIRMEM_TESTS_PERSIST_BENCH_H

#include "tests/unit/unit.h"

#include <firmem/persist.h>

#include <errno.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#define KIB 1024u
#define LEN (256 * KIB)

/* --- a seam that records syncs and makes the next ones fail ------------------------------- */

struct faulty {
	struct fm_io_ops ops;
	struct fm_io io;
	int fail[4]; /* negative errno for the next calls of msync; 0: it works */
	bool idle;   /* write nothing, whatever is answered */
	unsigned calls, worked;
	uint8_t *addr; /* of the last msync that worked */
	size_t len;
	/* What was written out before; `no_out`: this cannot be done; `fail_out`: the call that fails, from 1. */
	struct {
		uint64_t off, len;
		bool wait;
	} outs[8];
	unsigned nouts, fail_out;
	bool no_out;
	bool any_file_system; /* say that it is done also where the kernel promises nothing for it */
};

static inline int faulty_msync(void *ctx, void *addr, size_t len)
{
	struct faulty *f = ctx;
	int rc = f->calls < 4 ? f->fail[f->calls] : 0;

	f->calls++;
	/* As the kernel does: the pages become clean although writing them failed. */
	if (!f->idle && fm_io_posix()->ops->msync(NULL, addr, len))
		return -errno;
	if (rc)
		return rc;
	f->worked++;
	f->addr = addr;
	f->len = len;
	return 0;
}

static inline int faulty_write_out(void *ctx, struct fm_file *file, uint64_t off, uint64_t len,
				   bool wait)
{
	struct faulty *f = ctx;

	if (f->no_out)
		return -EOPNOTSUPP;
	assert_true(f->nouts < 8);
	f->outs[f->nouts].off = off;
	f->outs[f->nouts].len = len;
	f->outs[f->nouts].wait = wait;
	if (++f->nouts == f->fail_out)
		return -EIO;
	if (f->any_file_system)
		return 0;
	return fm_io_posix()->ops->write_out(NULL, file, off, len, wait);
}

static inline void faulty_init(struct faulty *f)
{
	memset(f, 0, sizeof(*f));
	f->ops = *fm_io_posix()->ops;
	f->ops.msync = faulty_msync;
	f->ops.write_out = faulty_write_out;
	f->io = (struct fm_io){ .ops = &f->ops, .ctx = f };
}

/* --- files and blocks --------------------------------------------------------------------- */

static inline uint32_t file_system_of(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) ? 0 : (uint32_t)fs.f_type;
}

static char made[4][300]; /* files of the running test */

static inline int remove_files(void **state)
{
	for (size_t i = 0; i < 4 && made[i][0]; i++) {
		unlink(made[i]);
		made[i][0] = '\0';
	}
	return 0;
}

/* A new file of LEN bytes in `folder`, which goes with the test. */
static inline void make_file(char *path, size_t size, const char *folder)
{
	int fd;

	snprintf(path, size, "%s/firmem-persist-XXXXXX", folder);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	for (size_t i = 0; i < 4; i++) {
		if (!made[i][0]) {
			snprintf(made[i], sizeof(made[i]), "%s", path);
			break;
		}
	}
	assert_int_equal(ftruncate(fd, LEN), 0);
	close(fd);
}

/* A folder on a file system that writes pages back, or a skip. */
static inline const char *disk_folder(void)
{
	const char *build = getenv("FIRMEM_BUILD");
	const char *folder = build ? build : P_tmpdir;
	uint32_t type = file_system_of(folder);

	if (type == TMPFS_MAGIC || type == RAMFS_MAGIC) {
		print_message("skipped: %s is in memory\n", folder);
		skip();
	}
	return folder;
}

static inline struct fm_block *make_block(struct fm_block_config cfg)
{
	struct fm_block *block = NULL;
	struct fm_error err = { 0 };

	cfg.struct_size = sizeof(cfg);
	cfg.name = "pmem0";
	cfg.role = FM_ROLE_NVDIMM;
	if (fm_block_new(&block, &cfg, &err))
		fail_msg("%s", err.msg);
	return block;
}

static inline struct fm_block *file_block(const char *path, unsigned flags, const struct fm_io *io)
{
	return make_block((struct fm_block_config){
		.backing = FM_BACKING_FILE, .flags = flags, .path = path, .io = io });
}

/* The dirty pages of the mapping at `addr`, in bytes, as the kernel counts them. */
static inline size_t dirty_bytes(const void *addr)
{
	char line[300], start[32];
	size_t value, sum = 0;
	bool here = false;
	FILE *file = fopen("/proc/self/smaps", "r");

	assert_non_null(file);
	snprintf(start, sizeof(start), "%lx-", (unsigned long)(uintptr_t)addr);
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, start, strlen(start)))
			here = true;
		else if (here && !strncmp(line, "VmFlags:", 8))
			break;
		else if (here && (sscanf(line, "Shared_Dirty: %zu", &value) == 1 ||
				  sscanf(line, "Private_Dirty: %zu", &value) == 1))
			sum += value * KIB;
	}
	fclose(file);
	assert_true(here);
	return sum;
}

/* A shared file block behind a faulty seam. */
struct bench {
	char path[300];
	struct faulty seam;
	struct fm_block *block;
	struct fm_persist *p;
	uint8_t *ptr;
};

static inline void bench_open(struct bench *b)
{
	make_file(b->path, sizeof(b->path), disk_folder());
	faulty_init(&b->seam);
	b->block = file_block(b->path, FM_BLOCK_SHARED, &b->seam.io);
	b->ptr = fm_block_ptr(b->block);
	assert_int_equal(fm_persist_open(&b->p, b->block, NULL), 0);
}

static inline void bench_close(struct bench *b)
{
	fm_persist_close(b->p);
	fm_block_free(b->block);
}

#define TEST(name) cmocka_unit_test_teardown(name, remove_files)

#endif
