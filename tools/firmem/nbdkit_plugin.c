/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin of nbdkit: an image behind its journal, for any QEMU (-drive if=pflash,file=nbd+unix://...).
 * What QEMU writes is kill-proof at once and crash-proof within the interval; its flushes commit.
 */
#include <firmem/write_behind.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS

static struct fm_write_behind_config config;
static struct fm_write_behind *behind;
/* There was a write that the journal could not take: a retry of it changes nothing in the array. */
static bool untaken;

/* --- starting and ending --------------------------------------------------------------------- */

static void plugin_load(void)
{
	config = (struct fm_write_behind_config){ .struct_size = sizeof(config) };
}

static void plugin_unload(void)
{
	struct fm_error err;

	if (behind && fm_write_behind_flush(behind, &err))
		nbdkit_error("%s; what is not in it is in its journal", err.msg);
	fm_write_behind_close(behind);
	free(config.array);
}

static int take_mode(const char *value)
{
	for (int mode = 0; fm_write_mode_name(mode); mode++) {
		if (!strcmp(value, fm_write_mode_name(mode))) {
			config.mode = mode;
			return 0;
		}
	}
	nbdkit_error("mode=%s: expected behind, through or none", value);
	return -1;
}

static int plugin_config(const char *key, const char *value)
{
	uint64_t ms;

	if (!strcmp(key, "image")) {
		/* It changes its folder when it goes into the background. */
		config.image = nbdkit_realpath(value);
		return config.image ? 0 : -1;
	}
	if (!strcmp(key, "journal")) {
		config.journal = nbdkit_absolute_path(value);
		return config.journal ? 0 : -1;
	}
	if (!strcmp(key, "mode"))
		return take_mode(value);
	if (!strcmp(key, "interval")) {
		if (nbdkit_parse_uint64_t("interval", value, &ms) < 0)
			return -1;
		config.interval_ns = ms * 1000000;
		return 0;
	}
	nbdkit_error("%s=%s: unknown, expected image, journal, mode or interval", key, value);
	return -1;
}

static int plugin_config_complete(void)
{
	struct stat st;

	if (!config.image) {
		nbdkit_error("image=FILE is missing");
		return -1;
	}
	if (stat(config.image, &st) || st.st_size <= 0) {
		nbdkit_error("%s: cannot be read, or is empty", config.image);
		return -1;
	}
	config.len = (uint64_t)st.st_size;
	return 0;
}

/* Not before: its thread would be left behind in the parent. */
static int plugin_after_fork(void)
{
	struct fm_error err;

	config.array = malloc((size_t)config.len);
	if (!config.array) {
		nbdkit_error("%s: no memory for it", config.image);
		return -1;
	}
	if (fm_write_behind_open(&behind, &config, &err)) {
		nbdkit_error("%s", err.msg);
		return -1;
	}
	return 0;
}

/* --- serving ------------------------------------------------------------------------------- */

static void *plugin_open(int readonly)
{
	return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t plugin_get_size(void *handle)
{
	return (int64_t)config.len;
}

static int yes(void *handle)
{
	return 1;
}

static int fua(void *handle)
{
	return NBDKIT_FUA_NATIVE;
}

static int plugin_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	memcpy(buf, config.array + offset, count);
	return 0;
}

static int commit(void)
{
	struct fm_error err;

	if (!fm_write_behind_commit(behind, &err))
		return 0;
	nbdkit_error("%s", err.msg);
	nbdkit_set_error(err.sys ? err.sys : EIO);
	return -1;
}

/* The host may be well again: everything into the image, or the error. */
static int take_all(void)
{
	struct fm_error err;

	untaken = fm_write_behind_flush(behind, &err) != 0;
	if (!untaken)
		return 0;
	nbdkit_error("%s", err.msg);
	nbdkit_set_error(err.sys ? err.sys : EIO);
	return -1;
}

/* QEMU writes whole sectors for a byte that changed: only what differs goes into the journal. */
static int plugin_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
			 uint32_t flags)
{
	const uint8_t *from = buf;
	uint8_t *to = config.array + offset;
	uint32_t first = 0;
	uint32_t end = count;

	while (first < end && to[first] == from[first])
		first++;
	while (end > first && to[end - 1] == from[end - 1])
		end--;
	memcpy(to + first, from + first, end - first);
	untaken |= fm_write_behind_store(behind, offset + first, end - first) != 0;
	if (untaken && take_all())
		return -1;
	return flags & NBDKIT_FLAG_FUA ? commit() : 0;
}

static int plugin_flush(void *handle, uint32_t flags)
{
	return commit();
}

static struct nbdkit_plugin plugin = {
	.name = "firmem",
	.longname = "firmem: an image behind its journal",
	.version = FM_PLUGIN_VERSION,
	.load = plugin_load,
	.unload = plugin_unload,
	.config = plugin_config,
	.config_complete = plugin_config_complete,
	.config_help = "image=<FILE>      the image, raw (required)\n"
		       "journal=<FILE>    default: the image's name with .journal\n"
		       "mode=<MODE>       behind (default), through, none\n"
		       "interval=<MS>     milliseconds from a write to its commit, default 10",
	.magic_config_key = "image",
	.after_fork = plugin_after_fork,
	.open = plugin_open,
	.get_size = plugin_get_size,
	.can_flush = yes,
	.can_fua = fua,
	.can_multi_conn = yes,
	.pread = plugin_pread,
	.pwrite = plugin_pwrite,
	.flush = plugin_flush,
};

/* The header defines it without. */
struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
