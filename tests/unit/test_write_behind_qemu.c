/* SPDX-License-Identifier: BSD-2-Clause */
/* An image that QEMU has open, and one that it would like to: the installed QEMU decides. */
#include "tests/unit/behind.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#define QEMU "qemu-system-x86_64"

/* QEMU with the image as its second flash; its messages go to `log`. The CPU does not run. */
static pid_t start_qemu(const char *code, const char *image, bool read_only, const char *log)
{
	char first[400], second[400];
	pid_t pid;

	snprintf(first, sizeof(first), "if=pflash,unit=0,format=raw,readonly=on,file=%s", code);
	snprintf(second, sizeof(second), "if=pflash,unit=1,format=raw,readonly=%s,file=%s",
		 read_only ? "on" : "off", image);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (!freopen(log, "w", stderr))
			_exit(127);
		execlp(QEMU, QEMU, "-accel", "tcg", "-machine", "pc", "-m", "16", "-S", "-display",
		       "none", "-monitor", "none", "-serial", "none", "-net", "none", "-drive",
		       first, "-drive", second, NULL);
		_exit(127);
	}
	return pid;
}

static void need_qemu(void)
{
	if (system("command -v " QEMU " >/dev/null 2>&1")) {
		print_message("skipped: no " QEMU "\n");
		skip();
	}
}

static void end_qemu(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* Until it has locked the byte, for at most ten seconds. */
static bool wait_locked(const char *path, uint64_t byte)
{
	const struct fm_io *io = fm_io_posix();
	struct fm_file *file;
	pid_t holder;
	int rc = 0;

	assert_int_equal(io->ops->open(NULL, path, FM_IO_READ | FM_IO_WRITE, &file), 0);
	for (unsigned i = 0; i < 1000 && !rc; i++) {
		rc = io->ops->lock_test(NULL, file, FM_IO_LOCK_EXCLUSIVE, byte, 1, &holder);
		usleep(10000);
	}
	io->ops->close(NULL, file);
	return rc == -EAGAIN;
}

/* How QEMU ended, which it does at once where it may not have the image; -1: it did not. */
static int ended(pid_t pid)
{
	int status;

	for (unsigned i = 0; i < 1000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
		usleep(10000);
	}
	return -1;
}

static void what_qemu_has_open_is_refused_and_it_is_named(void **state)
{
	const char *code = tmpdir_path(state, "code");
	const char *path = tmpdir_path(state, "vars");
	struct fm_error err;
	struct behind b;
	char words[40];
	pid_t qemu;

	need_qemu();
	tmpdir_fill(code, LEN, 0xff);
	tmpdir_fill(path, LEN, 0xff);
	behind_config(&b, path);
	qemu = start_qemu(code, path, false, tmpdir_path(state, "log"));
	assert_true(wait_locked(path, 101));
	snprintf(words, sizeof(words), "process %ld has it open", (long)qemu);
	for (int reader = 0; reader < 2; reader++) {
		b.cfg.read_only = reader;
		assert_int_equal(behind_refused(&b, &err), FM_ERR_LOCKED);
		assert_non_null(strstr(err.msg, words));
	}
	end_qemu(qemu);
	b.cfg.read_only = false;
	behind_open(&b);
	behind_exit(&b);
}

static void what_qemu_only_reads_we_may_read_too(void **state)
{
	const char *code = tmpdir_path(state, "code");
	const char *path = tmpdir_path(state, "vars");
	struct fm_error err;
	struct behind b;
	pid_t qemu;

	need_qemu();
	tmpdir_fill(code, LEN, 0xff);
	tmpdir_fill(path, LEN, 0xff);
	behind_config(&b, path);
	qemu = start_qemu(code, path, true, tmpdir_path(state, "log"));
	assert_true(wait_locked(path, 100));
	assert_int_equal(behind_refused(&b, &err), FM_ERR_LOCKED);
	b.cfg.read_only = true;
	behind_open(&b);
	behind_exit(&b);
	end_qemu(qemu);
}

static void what_we_have_open_qemu_refuses(void **state)
{
	const char *code = tmpdir_path(state, "code");
	const char *path = tmpdir_path(state, "vars");
	const char *log = tmpdir_path(state, "log");
	struct behind b;
	void *text;
	size_t len;
	pid_t qemu;

	need_qemu();
	tmpdir_fill(code, LEN, 0xff);
	behind_init(&b, path, 0xff);
	qemu = start_qemu(code, path, false, log);
	assert_int_equal(ended(qemu), 1);
	assert_int_equal(fm_io_load(NULL, log, 65536, &text, &len, NULL), 0);
	((char *)text)[len ? len - 1 : 0] = '\0';
	if (!strstr(text, "lock"))
		fail_msg("QEMU says: %s", (char *)text);
	free(text);
	behind_exit(&b);
	/* And opens it when we have closed it, raw as it is. */
	qemu = start_qemu(code, path, false, log);
	assert_true(wait_locked(path, 101));
	end_qemu(qemu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(what_qemu_has_open_is_refused_and_it_is_named),
		tmpdir_test(what_qemu_only_reads_we_may_read_too),
		tmpdir_test(what_we_have_open_qemu_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
