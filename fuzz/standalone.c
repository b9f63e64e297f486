/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * standalone: runs a fuzz target without libFuzzer, on inputs made from a seed or on files that
 * libFuzzer found:
 *
 *     fuzz_NAME [--seconds S] [--seed N] [--first I] [--runs R]
 *     fuzz_NAME FILE...
 *
 * The input is a function of seed and number alone: a finding prints the options that repeat it.
 */
#include "fuzz/tape.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LEN_MAX 4096u

static uint64_t seed = 1;
static uint64_t current;

/* Sanitizers end the process in their own way; they tell before. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* In a signal handler: no stdio. */
static void say(const char *text, size_t len)
{
	if (write(STDERR_FILENO, text, len) < 0)
		return;
}

static void say_number(uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	say(digits + at, sizeof(digits) - at);
}

#define SAY(text) say(text, sizeof(text) - 1)

static void tell(void)
{
	SAY("input ");
	say_number(current);
	SAY(" fails; repeat it with --seed ");
	say_number(seed);
	SAY(" --first ");
	say_number(current);
	SAY(" --runs 1\n");
}

static void die(int number)
{
	tell();
	signal(number, SIG_DFL);
	raise(number);
}

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Short ones are as likely as long ones, by order of magnitude. */
static size_t make_input(uint8_t bytes[LEN_MAX])
{
	uint64_t state = seed * UINT64_C(0x2545f4914f6cdd1d) + current;
	const size_t max = LEN_MAX >> splitmix(&state) % 9;
	const size_t len = splitmix(&state) % max + 1;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)splitmix(&state);
	return len;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void run_inputs(uint64_t first, uint64_t runs, double seconds)
{
	uint8_t *bytes = malloc(LEN_MAX);
	const double end = now() + seconds;

	for (current = first; current - first < runs; current++) {
		if (seconds > 0 && now() >= end)
			break;
		LLVMFuzzerTestOneInput(bytes, make_input(bytes));
	}
	free(bytes);
	printf("%llu inputs of seed %llu, nothing found\n", (unsigned long long)(current - first),
	       (unsigned long long)seed);
}

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes;
	long len;

	if (!file || fseek(file, 0, SEEK_END) || (len = ftell(file)) < 0 ||
	    fseek(file, 0, SEEK_SET)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 2;
	}
	bytes = malloc((size_t)len + 1);
	len = (long)fread(bytes, 1, (size_t)len, file);
	fclose(file);
	printf("%s: %ld bytes\n", path, len);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, (size_t)len);
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t first = 0, runs = UINT64_MAX;
	double seconds = 0;
	int files = 1;

	for (; files + 1 < argc && !strncmp(argv[files], "--", 2); files += 2) {
		if (!strcmp(argv[files], "--seconds"))
			seconds = strtod(argv[files + 1], NULL);
		else if (!strcmp(argv[files], "--seed"))
			seed = strtoull(argv[files + 1], NULL, 0);
		else if (!strcmp(argv[files], "--first"))
			first = strtoull(argv[files + 1], NULL, 0);
		else if (!strcmp(argv[files], "--runs"))
			runs = strtoull(argv[files + 1], NULL, 0);
		else
			break;
	}
	if (files < argc && !strncmp(argv[files], "--", 2)) {
		fprintf(stderr,
			"usage: %s [--seconds S] [--seed N] [--first I] [--runs R] | FILE...\n",
			argv[0]);
		return 2;
	}
	if (files < argc) {
		for (int rc; files < argc; files++) {
			rc = run_file(argv[files]);
			if (rc)
				return rc;
		}
		return 0;
	}
	if (runs == UINT64_MAX && seconds <= 0)
		seconds = 1;
	signal(SIGABRT, die);
	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(tell);
	} else {
		signal(SIGSEGV, die);
		signal(SIGBUS, die);
		signal(SIGFPE, die);
	}
	run_inputs(first, runs, seconds);
	return 0;
}
