/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem flash serve: start nbdkit with our plugin, in this process' place. */
#include "tools/firmem/args.h"
#include "tools/firmem/flash_verbs.h"
#include "tools/firmem/out.h"

#include <firmem/write_behind.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define COMMAND "flash serve"
#define PLUGIN "nbdkit-firmem-plugin.so"
#define INTERVAL_MAX 3600000u /* milliseconds: an hour */

struct serve {
	const char *image;
	const char *socket;
	const char *journal;
	unsigned mode;
	uint64_t interval;
	bool interval_given;
};

static const char text[] =
	"QEMU gets what a flash bank of this library gets: killing QEMU, or this, loses nothing, and a crash\n"
	"of the host nothing that is older than the interval. SIGTERM ends it, once no client is connected:\n"
	"everything is in the image then. Standard output has the address once, before it serves.\n"
	"\n"
	"Example:\n"
	"  firmem flash serve vars.fd --socket vars.sock &\n"
	"  qemu-system-x86_64 -drive if=pflash,format=raw,readonly=on,file=OVMF_CODE_4M.fd \\\n"
	"    -drive 'if=pflash,format=raw,file=nbd+unix:///?socket=vars.sock' ...\n";

/* Beside this program, as in the tree where it was built, or where it is installed. */
static void find_plugin(char *path, size_t room)
{
	ssize_t n = readlink("/proc/self/exe", path, room - sizeof(PLUGIN));
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		memcpy(slash + 1, PLUGIN, sizeof(PLUGIN));
	if (!slash || access(path, R_OK))
		snprintf(path, room, "%s/%s", FIRMEM_NBDKIT_PLUGINS, PLUGIN);
}

/* "KEY=VALUE", for as long as the program lives. */
static char *setting(const char *key, const char *value)
{
	size_t room = strlen(key) + strlen(value) + 2;
	char *s = out_need(malloc(room));

	snprintf(s, room, "%s=%s", key, value);
	return s;
}

/* RFC 3986, section 3.4: what may stand in a query, less what ends its value. */
static void print_address(const char *socket)
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				   "-._~/:@!$'()*,";

	printf("nbd+unix:///?socket=");
	for (const char *p = socket; *p; p++)
		printf(strchr(kept, *p) ? "%c" : "%%%02X", (unsigned char)*p);
	putchar('\n');
	fflush(stdout);
}

static enum status serve(const struct serve *o)
{
	char plugin[4096], interval[24];
	char name[] = "nbdkit", foreground[] = "--foreground", unix_socket[] = "--unix";
	char *argv[16] = { name, foreground, unix_socket };
	size_t n = 3;

	find_plugin(plugin, sizeof(plugin));
	argv[n++] = out_need(strdup(o->socket));
	argv[n++] = plugin;
	argv[n++] = setting("image", o->image);
	argv[n++] = setting("mode", fm_write_mode_name((enum fm_write_mode)o->mode));
	if (o->journal)
		argv[n++] = setting("journal", o->journal);
	if (o->interval_given) {
		snprintf(interval, sizeof(interval), "%llu", (unsigned long long)o->interval);
		argv[n++] = setting("interval", interval);
	}
	argv[n] = NULL;
	print_address(o->socket);
	execvp("nbdkit", argv);
	return complain(COMMAND ": nbdkit: cannot be started: %s", strerror(errno));
}

static enum status check(const struct serve *o)
{
	struct fm_recovery found;
	struct fm_error err;
	struct stat st;

	if (stat(o->image, &st))
		return complain("%s: open for reading: %s", o->image, strerror(errno));
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return complain("%s: no file, or an empty one, expected an image", o->image);
	if (o->interval_given && (!o->interval || o->interval > INTERVAL_MAX))
		return complain(COMMAND ": --interval: %llu, expected 1 to %u milliseconds",
				(unsigned long long)o->interval, INTERVAL_MAX);
	if (!lstat(o->socket, &st))
		return complain(COMMAND
				": --socket: %s: is there already, expected no file; a server "
				"that was killed leaves its own behind",
				o->socket);
	if (strlen(o->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return complain(COMMAND ": --socket: %s: %zu bytes, expected fewer than %zu",
				o->socket, strlen(o->socket),
				sizeof(((struct sockaddr_un *)0)->sun_path));
	/* What the plugin would refuse when its socket is there already. */
	if (fm_write_behind_recover(NULL, o->image, o->journal, true, &found, &err))
		return complain("%s", err.msg);
	return STATUS_YES;
}

enum status flash_serve(int argc, char **argv)
{
	static const char *const modes[] = { "behind", "through", "none", NULL };
	struct serve o = { .image = NULL };
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "the image that a bank of flash has", &o.image, true },
	};
	const struct args_option options[] = {
		{ "socket", ARGS_TEXT, "FILE", "the Unix socket to serve on", &o.socket, true },
		{ "journal", ARGS_TEXT, "FILE", "the journal; default: IMAGE.journal", &o.journal },
		{ "mode", ARGS_CHOICE, "MODE", "behind (default), through or none", &o.mode,
		  .choices = modes },
		{ "interval", ARGS_SIZE, "MS",
		  "milliseconds until a write is on the disk;\ndefault 10", &o.interval, false,
		  &o.interval_given },
	};
	const struct args_spec spec = {
		.command = COMMAND,
		.summary = "Serve an image by way of its journal to QEMU, with nbdkit.",
		.text = text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result;
	enum status status;

	result = args_parse(&spec, argc, argv);
	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	status = check(&o);
	return status == STATUS_YES ? serve(&o) : status;
}
