/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that is killed at any moment while its guest writes: what was acknowledged is there.
 * test_write_behind_kill [TIMES].
 */
#include "tests/unit/bank.h"
#include "tests/unit/child.h"
#include "tests/unit/rng.h"
#include "tests/unit/tmpdir.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>

#define LEN (256 * KIB)
#define BLOCK (16 * KIB)

static unsigned times = 20;

static struct fm_flash_config config(const char *path)
{
	struct fm_flash_config cfg = bank_config();

	cfg.regions[0] = (struct fm_flash_region){ BLOCK, LEN / BLOCK };
	cfg.nregions = 1;
	cfg.image = path;
	cfg.interval_ns = 1000000;
	cfg.journal_len = 64 * KIB;
	return cfg;
}

/* Operation `n` of the driver: a function of n and what was before. */
static void operate(struct bank *b, uint64_t n)
{
	struct rng rng = { n };
	uint64_t off = rng_below(&rng, LEN / 4) * UINT64_C(4);

	if (rng_one_in(&rng, 20))
		bank_erase(b, off);
	else if (rng_one_in(&rng, 3))
		bank_buffer(b, off, off / 512 * 512, 1 + rng_below(&rng, 128),
			    (uint32_t)rng_next(&rng));
	else
		bank_program(b, off, (uint32_t)rng_next(&rng));
}

/* A process that drives the bank until it is killed, and says how far it is. */
static pid_t start(const char *path, _Atomic uint64_t *acknowledged)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct bank b;

		bank_init(&b, LEN, config(path));
		for (uint64_t n = atomic_load(acknowledged);; n++) {
			operate(&b, n);
			atomic_store(acknowledged, n + 1);
		}
	}
	return pid;
}

static void a_killed_process_has_lost_nothing_that_it_acknowledged(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	void *shared = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_Atomic uint64_t *acknowledged = shared;
	struct rng rng = { (uint64_t)getpid() };
	struct bank model, b;
	uint64_t done = 0;
	unsigned pending = 0;

	tmpdir_fill(path, LEN, 0xff);
	bank_init(&model, LEN, bank_config());
	fm_dev_free(model.dev);
	{
		struct fm_flash_config cfg = config(NULL);

		cfg.block = model.block;
		assert_int_equal(fm_flash_new(&model.dev, &cfg, NULL), 0);
	}
	for (unsigned i = 0; i < times; i++) {
		pid_t pid = start(path, acknowledged);
		struct fm_recovery found;
		int status;

		/* From opening the image to the middle of its work; on a busy host that comes late. */
		usleep(rng_below(&rng, 4000));
		if (!rng_one_in(&rng, 4)) {
			while (atomic_load(acknowledged) < done + 4)
				usleep(100);
			usleep(rng_below(&rng, 60000));
		}
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		for (; done < atomic_load(acknowledged); done++)
			operate(&model, done);
		bank_init(&b, LEN, config(path));
		fm_write_behind_recovery(fm_flash_image(b.dev), &found);
		pending += found.found && !found.clean;
		/* The one under way may be there, before it was acknowledged. */
		if (memcmp(b.array, model.array, LEN)) {
			operate(&model, done++);
			atomic_store(acknowledged, done);
		}
		assert_memory_equal(b.array, model.array, LEN);
		bank_exit(&b);
	}
	print_message("%u kills, %llu operations, %u times something was in the journal alone\n",
		      times, (unsigned long long)done, pending);
	assert_true(done > times);
	assert_true(pending > 0);
	bank_exit(&model);
	munmap(shared, sizeof(uint64_t));
}

/* --- a full disk ----------------------------------------------------------------------------- */

static int on_a_full_disk(void *arg)
{
	const char *folder = arg;
	char image[300], filler[300];
	struct fm_write_behind_config cfg = { .struct_size = sizeof(cfg), .image = image };
	struct fm_write_behind *wb = NULL;
	struct fm_error err = { 0 };
	void *bytes;
	size_t len;
	int fd;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", folder, "tmpfs", 0, "size=128k"))
		return CHILD_SKIP;
	snprintf(image, sizeof(image), "%s/vars", folder);
	snprintf(filler, sizeof(filler), "%s/filler", folder);
	/* An image without blocks. */
	fd = open(image, O_CREAT | O_WRONLY, 0600);
	CHILD_CHECK(fd >= 0 && !ftruncate(fd, 65536) && !close(fd));
	cfg.array = malloc(65536);
	cfg.len = 65536;
	/* The usual journal does not fit: told at once, and nothing is left of it. */
	CHILD_CHECK(fm_write_behind_open(&wb, &cfg, &err) == FM_ERR_NOSPACE);
	CHILD_CHECK(strstr(err.msg, "journal"));
	strcat(filler, ".none");
	CHILD_CHECK(access(filler, F_OK));
	filler[strlen(filler) - 5] = '\0';
	cfg.journal_len = 64 * KIB;
	CHILD_CHECK(!fm_write_behind_open(&wb, &cfg, &err));
	/* The journal has its room; the image has not. */
	fd = open(filler, O_CREAT | O_WRONLY, 0600);
	while (write(fd, cfg.array, 4096) > 0)
		;
	close(fd);
	memset(cfg.array, 0x5a, 40000);
	CHILD_CHECK(!fm_write_behind_store(wb, 0, 40000));
	CHILD_CHECK(!fm_write_behind_commit(wb, NULL));
	CHILD_CHECK(fm_write_behind_flush(wb, &err) == FM_ERR_NOSPACE && err.sys == ENOSPC);
	CHILD_CHECK(fm_write_behind_error(wb, NULL) == FM_ERR_NOSPACE);
	CHILD_CHECK(!unlink(filler));
	CHILD_CHECK(!fm_write_behind_flush(wb, &err));
	CHILD_CHECK(!fm_write_behind_error(wb, NULL));
	CHILD_CHECK(!fm_io_load(NULL, image, 65536, &bytes, &len, &err));
	CHILD_CHECK(!memcmp(bytes, cfg.array, 65536));
	fm_write_behind_close(wb);
	free(bytes);
	free(cfg.array);
	umount(folder);
	return 0;
}

static void a_full_disk_is_told_and_survived(void **state)
{
	child_run(on_a_full_disk, *state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(a_killed_process_has_lost_nothing_that_it_acknowledged),
		tmpdir_test(a_full_disk_is_told_and_survived),
	};

	if (argc > 1)
		times = (unsigned)strtoul(argv[1], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
