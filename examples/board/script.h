/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * script: a conversation with the guest's console, one step a line (docs/board.md):
 *
 *	timeout 60
 *	expect "=> "
 *	send "flinfo\n"
 *	hold | poweroff | quit
 *
 * Steps are taken when the guest prints, so that a run depends on nothing but the guest. Time is
 * the guest's.
 */
#ifndef BOARD_SCRIPT_H
#define BOARD_SCRIPT_H

#include <firmem/base.h>

struct script;

enum script_state {
	SCRIPT_RUNNING = 0,
	SCRIPT_HOLDING, /* for good: somebody will end the process */
	SCRIPT_DONE,
	SCRIPT_FAILED, /* script_failure() says why */
};

/* What a script does to the world. */
struct script_host {
	void *ctx;
	void (*send)(void *ctx, const void *bytes, size_t len);
	/* A step is over (or holds); `text` is its line in the file. */
	void (*step)(void *ctx, unsigned line, const char *text);
};

/* Read and check a whole script. Errors name file, line and what was expected. */
int script_load(struct script **out, const char *path, struct fm_error *err);
void script_free(struct script *script);

void script_start(struct script *script, const struct script_host *host, uint64_t now_ns);
/* The guest printed a byte. */
void script_output(struct script *script, uint8_t byte, uint64_t now_ns);
/* Time has passed: see script_deadline(). */
void script_tick(struct script *script, uint64_t now_ns);
/* The guest switched itself off. */
void script_powered_off(struct script *script);

enum script_state script_state(const struct script *script);
/* When the present step fails; UINT64_MAX when it does not wait. */
uint64_t script_deadline(const struct script *script);
const char *script_failure(const struct script *script);

#endif
