/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/board.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define RAM_DEFAULT (128 * MIB)
#define RAM_MIN (16 * MIB)
#define RAM_MAX (16384 * MIB)
#define INTERVAL_MAX 3600000u /* milliseconds: an hour */

enum {
	EXIT_TROUBLE = 2,
};

enum option_id {
	OPT_FIRMWARE = 1,
	OPT_VARS,
	OPT_CREATE,
	OPT_MODE,
	OPT_INTERVAL,
	OPT_JOURNAL,
	OPT_FLASH_TIME,
	OPT_SCRIPT,
	OPT_RAM,
	OPT_TRACE,
	OPT_HOST_TIME,
	OPT_STATS,
	OPT_PROGRESS,
	OPT_MACHINE,
	OPT_HELP,
};

static const struct option options[] = {
	{ "firmware", required_argument, NULL, OPT_FIRMWARE },
	{ "vars", required_argument, NULL, OPT_VARS },
	{ "create", no_argument, NULL, OPT_CREATE },
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "journal", required_argument, NULL, OPT_JOURNAL },
	{ "flash-time", required_argument, NULL, OPT_FLASH_TIME },
	{ "script", required_argument, NULL, OPT_SCRIPT },
	{ "ram", required_argument, NULL, OPT_RAM },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "host-time", no_argument, NULL, OPT_HOST_TIME },
	{ "stats", no_argument, NULL, OPT_STATS },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ "machine", no_argument, NULL, OPT_MACHINE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"usage: " PROGRAM " --firmware FILE --vars FILE [options]\n"
	"\n"
	"Run firmware for QEMU's aarch64 \"virt\" machine on a board whose flash and RAM\n"
	"are firmem's. Without --script the terminal is the guest's console; Ctrl-A x leaves.\n"
	"\n"
	"  --firmware FILE  raw image at address 0, at most 64 MiB (the rest is FF)\n"
	"  --vars FILE      image of the second flash bank, 64 MiB exactly; written to\n"
	"  --create         make the vars file, all FF, when there is none\n"
	"  --mode MODE      behind (default): what the guest writes is in a journal at once\n"
	"                   and on the disk after the interval; through: on the disk at\n"
	"                   once; none: the vars file is not written\n"
	"  --interval MS    milliseconds, default 10\n"
	"  --journal FILE   the journal, default VARS.journal\n"
	"  --flash-time T   how long programs and erases take: instant (default), typical or\n"
	"                   maximum, as the chips' query table tells\n"
	"  --script FILE    let a script talk to the guest (see docs/board.md)\n"
	"  --ram SIZE       16M to 16G, default 128M; sizes take K, M, G and hex\n"
	"  --trace FILE     write what the flash banks understand, one event a line\n"
	"  --host-time      the guest's clock is the host's, not the count of instructions\n"
	"  --machine        print the machine as a table and exit\n"
	"  --stats          print counts and times on standard error\n"
	"  --progress       print elapsed time on standard error\n"
	"\n"
	"exit status: 0 powered off, left, or script done; 1 the guest or the script failed;\n"
	"2 bad input or trouble on the host\n";

/* Bytes with an optional K, M or G; decimal or 0x. */
static int parse_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMG";
	unsigned shift = 0;
	const char *unit;
	uint64_t v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
	if (errno || *text < '0' || *text > '9')
		return -1;
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (*end || v > UINT64_MAX >> shift)
		return -1;
	*out = v << shift;
	return 0;
}

static int parse_ram(const char *text, uint64_t *out)
{
	uint64_t v;

	if (parse_size(text, &v) || v < RAM_MIN || v > RAM_MAX || v % MIB) {
		fprintf(stderr,
			PROGRAM ": --ram: size %s, expected 16M to 16G in whole mebibytes\n", text);
		return -1;
	}
	*out = v;
	return 0;
}

static int parse_mode(const char *text, enum fm_write_mode *out)
{
	for (int mode = 0; fm_write_mode_name(mode); mode++) {
		if (!strcmp(text, fm_write_mode_name(mode))) {
			*out = mode;
			return 0;
		}
	}
	fprintf(stderr, PROGRAM ": --mode: %s, expected behind, through or none\n", text);
	return -1;
}

static int parse_flash_time(const char *text, enum fm_flash_time *out)
{
	static const char *const names[] = { "instant", "typical", "maximum" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*out = (enum fm_flash_time)i;
			return 0;
		}
	}
	fprintf(stderr, PROGRAM ": --flash-time: %s, expected instant, typical or maximum\n", text);
	return -1;
}

static int parse_interval(const char *text, uint64_t *out)
{
	uint64_t v;

	if (parse_size(text, &v) || !v || v > INTERVAL_MAX) {
		fprintf(stderr, PROGRAM ": --interval: %s, expected 1 to %u milliseconds\n", text,
			INTERVAL_MAX);
		return -1;
	}
	*out = v * 1000000;
	return 0;
}

static int parse(int argc, char **argv, struct board_config *cfg, bool *machine)
{
	int id;

	opterr = 0;
	while ((id = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		switch (id) {
		case OPT_FIRMWARE:
			cfg->firmware = optarg;
			break;
		case OPT_VARS:
			cfg->vars = optarg;
			break;
		case OPT_CREATE:
			cfg->create = true;
			break;
		case OPT_MODE:
			if (parse_mode(optarg, &cfg->mode))
				return -1;
			break;
		case OPT_INTERVAL:
			if (parse_interval(optarg, &cfg->interval_ns))
				return -1;
			break;
		case OPT_JOURNAL:
			cfg->journal = optarg;
			break;
		case OPT_FLASH_TIME:
			if (parse_flash_time(optarg, &cfg->flash_time))
				return -1;
			break;
		case OPT_SCRIPT:
			cfg->script = optarg;
			break;
		case OPT_RAM:
			if (parse_ram(optarg, &cfg->ram_len))
				return -1;
			break;
		case OPT_TRACE:
			cfg->trace = optarg;
			break;
		case OPT_HOST_TIME:
			cfg->host_time = true;
			break;
		case OPT_STATS:
			cfg->stats = true;
			break;
		case OPT_PROGRESS:
			cfg->progress = true;
			break;
		case OPT_MACHINE:
			*machine = true;
			break;
		case OPT_HELP:
			fputs(help, stdout);
			exit(0);
		default:
			fprintf(stderr, PROGRAM ": %s: %s, expected what --help lists\n",
				argv[optind - 1],
				id == ':' ? "argument missing" : "option unknown");
			return -1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, PROGRAM ": %s: argument left over, expected options only\n",
			argv[optind]);
		return -1;
	}
	if (cfg->create && cfg->mode == FM_WRITE_NONE) {
		fprintf(stderr,
			PROGRAM ": --create: given with --mode none, expected one of them\n");
		return -1;
	}
	if (!cfg->firmware || !cfg->vars) {
		fprintf(stderr, PROGRAM ": %s: missing, expected a file (see --help)\n",
			cfg->firmware ? "--vars" : "--firmware");
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct board_config cfg = { .ram_len = RAM_DEFAULT };
	struct board *board;
	struct fm_error err;
	bool machine = false;
	int status = 0;

	if (parse(argc, argv, &cfg, &machine))
		return EXIT_TROUBLE;
	/* A file that may not grow is an error that is told, not a signal. */
	signal(SIGXFSZ, SIG_IGN);
	if (board_new(&board, &cfg, &err)) {
		fprintf(stderr, PROGRAM ": %s\n", err.msg);
		return EXIT_TROUBLE;
	}
	if (machine)
		board_print_machine(board, stdout);
	else
		status = board_run(board);
	board_free(board);
	if (console_signal()) {
		signal(console_signal(), SIG_DFL);
		raise(console_signal());
	}
	return status;
}
