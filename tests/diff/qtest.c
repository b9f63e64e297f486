/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/qtest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* More in one go and both sides may wait for each other with full sockets. */
#define BATCH 512u
#define LINE_MAX_LEN 64u
#define ARGS_MAX 64u
#define READ_MAX 4096u
#define START_TRIES 300u /* of 100 ms */

struct qtest {
	pid_t pid;
	int fd;       /* qtest */
	int qmp;      /* -1 until it is needed */
	char dir[64]; /* holds the sockets */
	char out[BATCH * LINE_MAX_LEN];
	char in[4096];
	size_t in_at, in_len;
};

static int connect_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void run_qemu(struct qtest *q, const char *program, const char *const *args)
{
	const char *argv[ARGS_MAX];
	char server[128], qmp[128];
	size_t n = 0;
	int null = open("/dev/null", O_RDWR);

	snprintf(server, sizeof(server), "unix:%s/qtest,server=on,wait=on", q->dir);
	snprintf(qmp, sizeof(qmp), "unix:%s/qmp,server=on,wait=off", q->dir);
	argv[n++] = program;
	for (; *args && n < ARGS_MAX - 20; args++)
		argv[n++] = *args;
	argv[n++] = "-accel";
	argv[n++] = "tcg";
	argv[n++] = "-S";
	argv[n++] = "-display";
	argv[n++] = "none";
	argv[n++] = "-monitor";
	argv[n++] = "none";
	argv[n++] = "-serial";
	argv[n++] = "none";
	argv[n++] = "-net";
	argv[n++] = "none";
	argv[n++] = "-qtest";
	argv[n++] = server;
	argv[n++] = "-qtest-log";
	argv[n++] = "/dev/null";
	argv[n++] = "-qmp";
	argv[n++] = qmp;
	argv[n] = NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	execvp(program, (char *const *)(uintptr_t)argv);
	_exit(127);
}

struct qtest *qtest_start(const char *program, const char *const *args, char *why, size_t len)
{
	struct qtest *q = calloc(1, sizeof(*q));
	const char *tmp = getenv("TMPDIR");
	char path[128];

	if (!q)
		return NULL;
	q->fd = -1;
	q->qmp = -1;
	snprintf(q->dir, sizeof(q->dir), "%s/qtest.XXXXXX",
		 tmp && strlen(tmp) < 32 ? tmp : "/var/tmp");
	if (!mkdtemp(q->dir)) {
		snprintf(why, len, "%s: %s", q->dir, strerror(errno));
		free(q);
		return NULL;
	}
	q->pid = fork();
	if (q->pid == 0)
		run_qemu(q, program, args);
	snprintf(path, sizeof(path), "%s/qtest", q->dir);
	for (unsigned i = 0; i < START_TRIES && q->fd < 0; i++) {
		int status;

		if (waitpid(q->pid, &status, WNOHANG) == q->pid) {
			snprintf(why, len, "%s %s", program,
				 WIFEXITED(status) && WEXITSTATUS(status) == 127
					 ? "is not installed"
					 : "refused its options");
			q->pid = -1;
			qtest_stop(q);
			return NULL;
		}
		q->fd = connect_unix(path);
		if (q->fd < 0)
			usleep(100000);
	}
	if (q->fd < 0) {
		snprintf(why, len, "%s does not answer", program);
		qtest_stop(q);
		return NULL;
	}
	return q;
}

void qtest_stop(struct qtest *q)
{
	char path[128];

	if (!q)
		return;
	if (q->pid > 0) {
		kill(q->pid, SIGKILL);
		waitpid(q->pid, NULL, 0);
	}
	if (q->fd >= 0)
		close(q->fd);
	if (q->qmp >= 0)
		close(q->qmp);
	snprintf(path, sizeof(path), "%s/qtest", q->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/qmp", q->dir);
	unlink(path);
	rmdir(q->dir);
	free(q);
}

static bool send_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* The next line of answers, without its newline. */
static bool get_line(struct qtest *q, char *line, size_t room)
{
	size_t n = 0;

	for (;;) {
		if (q->in_at == q->in_len) {
			ssize_t got = read(q->fd, q->in, sizeof(q->in));

			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				return false;
			q->in_at = 0;
			q->in_len = (size_t)got;
		}
		char c = q->in[q->in_at++];

		if (c == '\n') {
			line[n] = '\0';
			return true;
		}
		if (n + 1 < room)
			line[n++] = c;
	}
}

static char width_letter(unsigned size)
{
	return size == 1 ? 'b' : size == 2 ? 'w' : size == 4 ? 'l' : 'q';
}

static bool run_batch(struct qtest *q, struct qtest_op *ops, size_t count)
{
	char line[LINE_MAX_LEN];
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		const struct qtest_op *op = &ops[i];
		int n = op->write ? snprintf(q->out + len, sizeof(q->out) - len,
					     "write%c 0x%" PRIx64 " 0x%" PRIx64 "\n",
					     width_letter(op->size), op->addr, op->value)
				  : snprintf(q->out + len, sizeof(q->out) - len,
					     "read%c 0x%" PRIx64 "\n", width_letter(op->size),
					     op->addr);

		len += (size_t)n;
	}
	if (!send_all(q->fd, q->out, len))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!get_line(q, line, sizeof(line)) || strncmp(line, "OK", 2))
			return false;
		if (!ops[i].write)
			ops[i].value = strtoull(line + 2, NULL, 0);
	}
	return true;
}

bool qtest_run(struct qtest *q, struct qtest_op *ops, size_t count)
{
	for (size_t at = 0; at < count; at += BATCH) {
		if (!run_batch(q, ops + at, count - at < BATCH ? count - at : BATCH))
			return false;
	}
	return true;
}

static unsigned nibble(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

bool qtest_read(struct qtest *q, uint64_t addr, uint8_t *buf, size_t len)
{
	static const char head[] = "OK 0x";
	char line[sizeof(head) + 2 * READ_MAX];
	int n = snprintf(q->out, sizeof(q->out), "read 0x%" PRIx64 " 0x%zx\n", addr, len);

	if (len > READ_MAX || !send_all(q->fd, q->out, (size_t)n) ||
	    !get_line(q, line, sizeof(line)) || strncmp(line, head, sizeof(head) - 1) ||
	    strlen(line) != sizeof(head) - 1 + 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *hex = line + sizeof(head) - 1 + 2 * i;

		buf[i] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
	}
	return true;
}

/* The next line of QMP, one JSON object, as far as there is room. */
static bool get_qmp_line(struct qtest *q, char *line, size_t room)
{
	size_t n = 0;
	char c;

	for (;;) {
		ssize_t got = read(q->qmp, &c, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		if (c == '\n')
			break;
		if (n + 1 < room)
			line[n++] = c;
	}
	line[n] = '\0';
	return true;
}

/* Send a QMP command; wait until it has returned, and until `event` (NULL: none) has come. */
static bool qmp(struct qtest *q, const char *command, const char *event)
{
	bool returned = false;
	bool happened = !event;
	char line[4096];

	if (!send_all(q->qmp, command, strlen(command)))
		return false;
	while (!returned || !happened) {
		if (!get_qmp_line(q, line, sizeof(line)) || strstr(line, "\"error\""))
			return false;
		returned |= strstr(line, "\"return\"") != NULL;
		happened |= event && strstr(line, event);
	}
	return true;
}

static bool qmp_command(struct qtest *q, const char *command, const char *event)
{
	char path[128];

	if (q->qmp < 0) {
		snprintf(path, sizeof(path), "%s/qmp", q->dir);
		q->qmp = connect_unix(path);
		if (q->qmp < 0 || !qmp(q, "{\"execute\":\"qmp_capabilities\"}\n", NULL))
			return false;
	}
	return qmp(q, command, event);
}

/* The event comes when it is done, the return when it was asked for. */
bool qtest_system_reset(struct qtest *q)
{
	return qmp_command(q, "{\"execute\":\"system_reset\"}\n", "\"RESET\"");
}

bool qtest_cont(struct qtest *q)
{
	return qmp_command(q, "{\"execute\":\"cont\"}\n", NULL);
}

bool qtest_halt(struct qtest *q)
{
	return qmp_command(q, "{\"execute\":\"stop\"}\n", NULL);
}
