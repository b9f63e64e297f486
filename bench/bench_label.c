/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a label area beside one pass of its checksum; the states that a crash can leave of a label area,
 * made and checked here, beside a process that checks each.
 */
#include "bench/bench.h"

#include <firmem/label.h>

#include "powercut/store_model.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define AREA (128u << 10)
#define SMALL 1024u
#define MIB (UINT64_C(1) << 20)

static void must(int code, const struct fm_error *err)
{
	if (code < 0) {
		fprintf(stderr, "bench_label: %s\n", err->msg);
		exit(2);
	}
}

/* --- reading --------------------------------------------------------------------------------------- */

struct area {
	uint8_t bytes[AREA];
	struct fm_label_medium medium;
	uint64_t sum;
};

static int put(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err)
{
	memcpy((uint8_t *)ctx + off, bytes, len);
	return 0;
}

static int nothing(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	return 0;
}

static void make(struct area *a, size_t len)
{
	struct fm_error err;

	memset(a, 0, sizeof(*a));
	a->medium = (struct fm_label_medium){ sizeof(a->medium), a->bytes, len,    0,
					      a->bytes,          put,      nothing };
	must(fm_label_init(&a->medium, FM_LABEL_V1_2, &err), &err);
}

static void fill(struct area *a)
{
	struct fm_label l = { .nlabel = 1, .rawsize = 1, .lbasize = 512 };
	struct fm_error err;

	for (uint32_t i = 1;; i++) {
		memcpy(l.uuid, &i, sizeof(i));
		l.dpa = i;
		if (fm_label_add(&a->medium, 1, &l, &err) == FM_ERR_NOSPACE)
			break;
	}
}

static void parse(void *ctx, uint64_t n)
{
	struct area *a = ctx;
	struct fm_label_area *area;
	struct fm_error err;

	while (n--) {
		must(fm_label_parse(&area, a->bytes, a->medium.len, 0, &err), &err);
		a->sum += fm_label_info(area)->used;
		fm_label_free(area);
	}
}

static void checksum(void *ctx, uint64_t n)
{
	struct area *a = ctx;

	while (n--) {
		uint32_t lo = 0;
		uint64_t hi = 0;

		for (size_t i = 0; i < a->medium.len; i += 4) {
			uint32_t word;

			memcpy(&word, a->bytes + i, 4);
			lo += word;
			hi += lo;
		}
		a->sum += hi << 32 | lo;
	}
}

/* --- crash states ---------------------------------------------------------------------------------- */

/* A rename, and at each of its syncs every image that a crash there can leave. */
struct rename {
	struct area before; /* it */
	struct fmi_store_model *model;
	fmi_store_check *check;
	uint64_t states; /* looked at */
	uint64_t most;   /* and no more than that */
	char path[64];
};

static const uint8_t uuid[16] = { 1 };

static int old_or_new(void *ctx, const uint8_t *image, size_t len)
{
	struct fm_label_area *area;
	const struct fm_label *l;
	struct fm_error err;
	bool bad;

	must(fm_label_parse(&area, image, len, 0, &err), &err);
	l = fm_label_find(area, uuid);
	bad = !l || (strcmp(l->name, "old") && strcmp(l->name, "new"));
	fm_label_free(area);
	if (bad) {
		fprintf(stderr, "bench_label: an image is neither old nor new\n");
		exit(2);
	}
	return 0;
}

static int model_write(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err)
{
	struct rename *r = ctx;

	fmi_store_put(r->model, off, bytes, len);
	return 0;
}

static int model_sync(void *ctx, uint64_t off, uint64_t len, struct fm_error *err)
{
	struct rename *r = ctx;

	if (r->states < r->most)
		fmi_store_each(r->model, r->check, r, &r->states);
	fmi_store_flush(r->model, off, len);
	fmi_store_fence(r->model);
	return 0;
}

static void play(struct rename *r)
{
	struct fm_label_medium m = r->before.medium;
	struct fm_error err;

	r->model = fmi_store_new(FMI_STORE_ADR, r->before.bytes, SMALL);
	if (!r->model)
		exit(2);
	m.bytes = fmi_store_now(r->model);
	m.ctx = r;
	m.write = model_write;
	m.sync = model_sync;
	must(fm_label_rename(&m, 1, uuid, "new", &err), &err);
	fmi_store_free(r->model);
}

static void start(struct rename *r, fmi_store_check *check)
{
	struct fm_label l = { .nlabel = 1, .rawsize = MIB, .lbasize = 512, .name = "old" };
	struct fm_error err;

	memset(r, 0, sizeof(*r));
	make(&r->before, SMALL);
	memcpy(l.uuid, uuid, sizeof(uuid));
	must(fm_label_add(&r->before.medium, 1, &l, &err), &err);
	r->check = check;
	r->most = UINT64_MAX;
}

#ifdef FIRMEM_COMMAND
extern char **environ;

/* `n` states, in whole renames. */
static void states_here(void *ctx, uint64_t n)
{
	struct rename *r = ctx;

	for (r->states = 0; r->states < n;)
		play(r);
}

/* A process, which reads the image from a file. */
static int in_a_process(void *ctx, const uint8_t *image, size_t len)
{
	struct rename *r = ctx;
	char command[] = FIRMEM_COMMAND, words[3][8] = { "nvdimm", "labels", "check" };
	char *argv[] = { command, words[0], words[1], words[2], r->path, NULL };
	posix_spawn_file_actions_t actions;
	FILE *file = fopen(r->path, "wb");
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (!file || fwrite(image, 1, len, file) != len || fclose(file) ||
	    posix_spawn(&pid, command, &actions, NULL, argv, environ) ||
	    waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
		exit(2);
	posix_spawn_file_actions_destroy(&actions);
	/* fmi_store_each() counts this one when it has returned. */
	return r->states >= r->most;
}

static void states_in_processes(void *ctx, uint64_t n)
{
	struct rename *r = ctx;

	r->states = 0;
	r->most = n;
	play(r);
	unlink(r->path);
}
#endif

int main(int argc, char **argv)
{
	static struct area large;
	static struct rename here;
	struct bench b;

	bench_init(&b, argc, argv);
	make(&large, AREA);
	fill(&large);
	bench_compare(&b,
		      &(struct bench_side){ "label: read 128 KiB, 509 labels", parse, &large, 8 },
		      &(struct bench_side){ "one pass of the checksum", checksum, &large, 8 }, 2.5);
	start(&here, old_or_new);
	play(&here);
#ifdef FIRMEM_COMMAND
	static struct rename there;

	start(&there, in_a_process);
	snprintf(there.path, sizeof(there.path), "/dev/shm/firmem-bench-label-%d", (int)getpid());
	bench_compare(
		&b,
		&(struct bench_side){ "label: a crash state of 1 KiB, made and checked",
				      states_here, &here, here.states * 20 },
		&(struct bench_side){ "a process for a state", states_in_processes, &there, 20 },
		0.01);
#endif
	return bench_end(&b);
}
