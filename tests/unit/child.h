/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * child: a part of a test that needs a process of its own: a limit, a namespace, a system call that
 * fails. No assertion of cmocka's in there: it would go on with the next test. CHILD_CHECK instead.
 */
#ifndef FIRMEM_TESTS_CHILD_H
#define FIRMEM_TESTS_CHILD_H

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SKIP 77

/* In the child: say where it went wrong, and end. */
#define CHILD_CHECK(cond)                                                         \
	do {                                                                      \
		if (!(cond)) {                                                    \
			fprintf(stderr, "child, line %d: %s\n", __LINE__, #cond); \
			return 2;                                                 \
		}                                                                 \
	} while (0)

/* Run fn(arg) in a process of its own; fails or skips the running test as it says. */
static inline void child_run(int (*fn)(void *arg), void *arg)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(fn(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIP) {
		print_message("skipped: the host allows no mount, filter or lock here\n");
		skip();
	}
	if (WIFSIGNALED(status))
		fail_msg("the child was killed by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/*
 * From here on system call `nr` fails with `error`, for the calls whose argument `arg` (0 to 5) has
 * the low 32 bits `value`; arg -1: all of them. False where the host does not allow filters.
 */
static inline bool child_deny(int nr, int arg, uint32_t value, int error)
{
	const uint32_t low = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
	const uint32_t at = (uint32_t)offsetof(struct seccomp_data, args) +
			    8u * (uint32_t)(arg < 0 ? 0 : arg) + low;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
		BPF_JUMP(BPF_JMP | (arg < 0 ? BPF_JGE : BPF_JEQ) | BPF_K, arg < 0 ? 0 : value, 0,
			 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static inline bool child_write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return ok;
}

/* A mount namespace; for whoever is not root, in a user namespace, as whose root files can be made. */
static inline bool child_leave_mounts(void)
{
	char uids[40], gids[40];

	snprintf(uids, sizeof(uids), "0 %u 1", getuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getgid());
	if (!unshare(CLONE_NEWNS))
		return true;
	return !unshare(CLONE_NEWUSER | CLONE_NEWNS) &&
	       child_write_text("/proc/self/uid_map", uids) &&
	       child_write_text("/proc/self/setgroups", "deny") &&
	       child_write_text("/proc/self/gid_map", gids);
}

/* A file system of so many bytes, which is gone with the process; false where the host allows none. */
static inline bool child_mount_tmpfs(const char *folder, size_t len)
{
	char size[40];

	snprintf(size, sizeof(size), "size=%zu", len);
	return child_leave_mounts() && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", folder, "tmpfs", 0, size);
}

#endif
