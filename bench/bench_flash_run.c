/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a line of "firmem flash run" costs, next to the same bus cycle called from C. The command
 * reads a file and writes one; its start and end are in its time.
 */
#include "bench/bench.h"

#include <firmem/flash.h>

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN 0x100000u
#define LINES 1000000u
#define BOUND 10.0 /* a line is no slower than a tenth of the speed */

extern char **environ;

/* The n-th bus cycle of a run: the same for both sides. */
struct cycle {
	bool write;
	uint64_t off;
	uint64_t value;
};

static struct cycle read_array(uint64_t n)
{
	return (struct cycle){ .off = 4 * n % LEN };
}

/* Four cycles a word: program, data, status, read array. */
static struct cycle program_words(uint64_t n)
{
	uint64_t off = n / 4 * 4 % LEN;

	switch (n % 4) {
	case 0:
		return (struct cycle){ true, off, 0x00400040 };
	case 1:
		return (struct cycle){ true, off, n * 2654435761u % UINT32_MAX };
	case 2:
		return (struct cycle){ false, off };
	}
	return (struct cycle){ true, off, 0x00ff00ff };
}

static void die(const char *what)
{
	fprintf(stderr, "bench_flash_run: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- from C -------------------------------------------------------------------------------- */

struct direct {
	struct fm_dev *dev;
	struct cycle *cycles;
};

static struct fm_dev *make_bank(void)
{
	struct fm_block_config mem = { sizeof(mem), .role = FM_ROLE_FLASH_VARS, .len = LEN };
	struct fm_flash_config nor = { sizeof(nor), "flash" };
	struct fm_dev *dev;
	struct fm_error err;

	if (fm_block_new(&nor.block, &mem, &err) || fm_flash_new(&dev, &nor, &err)) {
		fprintf(stderr, "bench_flash_run: %s\n", err.msg);
		exit(2);
	}
	memset(fm_block_ptr(nor.block), 0xff, LEN);
	return dev;
}

static void run_direct(void *ctx, uint64_t n)
{
	struct direct *d = ctx;
	uint64_t value;

	for (uint64_t i = 0; i < n; i++) {
		const struct cycle *c = &d->cycles[i];

		if (c->write)
			fm_dev_write(d->dev, c->off, 4, c->value, FM_ATTRS_NONE);
		else
			fm_dev_read(d->dev, c->off, 4, &value, FM_ATTRS_NONE);
	}
}

/* --- by the command ------------------------------------------------------------------------ */

struct script {
	int in; /* the lines */
	int out;
	off_t answers; /* bytes */
};

static void make_script(struct script *s, const struct cycle *cycles, uint64_t n)
{
	FILE *file;

	s->in = memfd_create("lines", MFD_CLOEXEC);
	s->out = memfd_create("answers", MFD_CLOEXEC);
	s->answers = 0;
	file = s->in < 0 || s->out < 0 ? NULL : fdopen(dup(s->in), "w");
	if (!file)
		die("memfd");
	for (uint64_t i = 0; i < n; i++) {
		const struct cycle *c = &cycles[i];

		if (c->write)
			fprintf(file, "w4 0x%llx 0x%08llx\n", (unsigned long long)c->off,
				(unsigned long long)c->value);
		else
			fprintf(file, "r4 0x%llx\n", (unsigned long long)c->off);
		s->answers += c->write ? 0 : (off_t)sizeof("0x01234567");
	}
	if (fclose(file))
		die("memfd");
}

static void run_script(void *ctx, uint64_t n)
{
	char words[][8] = { "firmem", "flash", "run", "--size", "1M" };
	char *argv[] = { words[0], words[1], words[2], words[3], words[4], NULL };
	struct script *s = ctx;
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;

	if (lseek(s->in, 0, SEEK_SET) || lseek(s->out, 0, SEEK_SET) || ftruncate(s->out, 0))
		die("memfd");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, s->in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, s->out, STDOUT_FILENO);
	errno = posix_spawn(&pid, FIRMEM_COMMAND, &actions, NULL, argv, environ);
	if (errno)
		die(FIRMEM_COMMAND);
	posix_spawn_file_actions_destroy(&actions);
	if (waitpid(pid, &status, 0) != pid || status)
		die("firmem flash run failed");
	if (lseek(s->out, 0, SEEK_END) != s->answers)
		die("firmem flash run answered too little");
}

/* --- both ---------------------------------------------------------------------------------- */

static void compare(struct bench *b, struct fm_dev *dev, const char *name, const char *reference,
		    struct cycle (*make)(uint64_t n))
{
	struct direct direct = { dev, malloc(LINES * sizeof(struct cycle)) };
	struct script script;

	if (!direct.cycles)
		die("cycles");
	for (uint64_t i = 0; i < LINES; i++)
		direct.cycles[i] = make(i);
	make_script(&script, direct.cycles, LINES);
	bench_compare(b, &(struct bench_side){ name, run_script, &script, LINES },
		      &(struct bench_side){ reference, run_direct, &direct, LINES }, BOUND);
	close(script.in);
	close(script.out);
	free(direct.cycles);
}

int main(int argc, char **argv)
{
	struct fm_dev *dev = make_bank();
	struct bench b;

	bench_init(&b, argc, argv);
	compare(&b, dev, "flash run: line that reads the array", "fm_dev_read()", read_array);
	compare(&b, dev, "flash run: line that programs words", "the cycle from C", program_words);
	return bench_end(&b);
}
