/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem nvdimm create, grow: making the files. */
#include "tools/firmem/nvdimm_verbs.h"
#include "tools/firmem/progress.h"

#include <firmem/nvdimm_image.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* --- what a copy says and keeps ------------------------------------------------------------------ */

/*
 * The host's files, but that reading and writing show how far it is and end when the user says so, and a
 * rename keeps what the old file was.
 */
struct copying {
	struct fm_io io;
	struct fm_io_ops ops;
	struct progress progress;
	uint64_t total;
};

/* Set by a signal that ends the program. The file beside must not stay: all that there is may be its size. */
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = signal;
}

/* 0, or what the library gives up for. */
static int tell(struct copying *c, uint64_t off)
{
	progress_at(&c->progress, off, c->total);
	return stopped ? -ECANCELED : 0;
}

static ssize_t tell_pwrite(void *ctx, struct fm_file *file, const void *buf, size_t len,
			   uint64_t off)
{
	const struct fm_io *posix = fm_io_posix();
	int rc = tell(ctx, off);

	return rc ? rc : posix->ops->pwrite(posix->ctx, file, buf, len, off);
}

static ssize_t tell_pread(void *ctx, struct fm_file *file, void *buf, size_t len, uint64_t off)
{
	const struct fm_io *posix = fm_io_posix();
	int rc = tell(ctx, off);

	return rc ? rc : posix->ops->pread(posix->ctx, file, buf, len, off);
}

static int tell_rename_new(void *ctx, const char *from, const char *to)
{
	const struct fm_io *posix = fm_io_posix();

	return stopped ? -ECANCELED : posix->ops->rename_new(posix->ctx, from, to);
}

static void copy_xattr(const char *from, const char *to, const char *name)
{
	ssize_t len = getxattr(from, name, NULL, 0);
	char *value = out_need(malloc(len > 0 ? (size_t)len : 1));

	len = getxattr(from, name, value, len > 0 ? (size_t)len : 0);
	if (len >= 0)
		(void)setxattr(to, name, value, (size_t)len, 0);
	free(value);
}

/* Also access control lists, which are some of them. */
static void copy_xattrs(const char *from, const char *to)
{
	ssize_t len = listxattr(from, NULL, 0);
	char *names;

	if (len <= 0)
		return;
	names = out_need(malloc((size_t)len));
	len = listxattr(from, names, (size_t)len);
	for (const char *name = names; name < names + len; name += strlen(name) + 1)
		copy_xattr(from, to, name);
	free(names);
}

/* Who may use the new file is who might use the old one, where the host lets us say so. */
static int keep_rename(void *ctx, const char *from, const char *to)
{
	const struct fm_io *posix = fm_io_posix();
	struct stat st;

	if (stopped)
		return -ECANCELED;
	if (stat(to, &st))
		return errno == ENOENT ? posix->ops->rename(posix->ctx, from, to) : -errno;
	if (chown(from, st.st_uid, st.st_gid) && chown(from, (uid_t)-1, st.st_gid))
		st.st_mode &= ~(mode_t)0070; /* another group than it was meant for */
	copy_xattrs(to, from);
	if (chmod(from, st.st_mode & 0777))
		return -errno;
	return posix->ops->rename(posix->ctx, from, to);
}

static void catch_stops(void (*how)(int))
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = how, .sa_flags = SA_RESTART }, old;

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		/* One that is ignored, as of nohup, stays so. */
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &act, NULL);
	}
}

static void start_copying(struct copying *c, struct fm_nvdimm_image_config *cfg, const char *path)
{
	*c = (struct copying){
		.ops = *fm_io_posix()->ops,
		.progress = progress_begin(path),
		.total = cfg->pmem_len + cfg->label_len,
	};
	c->ops.pread = tell_pread;
	c->ops.pwrite = tell_pwrite;
	c->ops.rename = keep_rename;
	c->ops.rename_new = tell_rename_new;
	c->io = (struct fm_io){ .ops = &c->ops, .ctx = c };
	cfg->io = &c->io;
	catch_stops(stop);
}

/* `cfg` forgets `c`, which does not live as long. */
static enum status end_copying(struct copying *c, struct fm_nvdimm_image_config *cfg, int rc,
			       const struct fm_error *err)
{
	cfg->io = NULL;
	catch_stops(SIG_DFL);
	progress_end(&c->progress);
	if (stopped && rc)
		raise(stopped);
	return rc ? complain("%s", err->msg) : STATUS_YES;
}

/* --- what is there already ------------------------------------------------------------------------ */

static bool is_link(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISLNK(st.st_mode);
}

/* The file's own name, without links, malloc'd: it is replaced, and not the link. NULL after a complaint. */
static char *own_name(const char *path)
{
	char *own = is_link(path) ? realpath(path, NULL) : strdup(path);

	if (!own)
		complain("%s: cannot be opened: %s", path, strerror(errno));
	return own;
}

/* What takes the place of one of several names leaves the others behind. */
static bool check_names(const char *path, struct stat *st)
{
	if (stat(path, st)) {
		complain("%s: cannot be read: %s", path, strerror(errno));
		return false;
	}
	if (st->st_nlink == 1)
		return true;
	complain("%s: links: %llu names, expected one: the others would stay the old file", path,
		 (unsigned long long)st->st_nlink);
	return false;
}

/* --- create -------------------------------------------------------------------------------------- */

static const char create_text[] =
	"SIZE is a multiple of 2 MiB; the file is that long and N more, its labels at the end, as\n"
	"QEMU wants it (size = both). With --uuid the label area is initialised (v1.2) and holds one\n"
	"raw namespace of that UUID over all of it; without, it is zeros.\n"
	"\n"
	"The file is written beside and has its name when it is whole. What has the name already stays, but\n"
	"with --force, which gives the new file its owner, mode and extended attributes.\n"
	"\n"
	"Example:\n"
	"  firmem nvdimm create nv0.img --size 256M --label-size 128K\n";

static enum status make(struct fm_nvdimm_image_config *cfg, const char *path)
{
	struct copying copying;
	struct fm_error err;
	int rc;

	start_copying(&copying, cfg, path);
	rc = fm_nvdimm_image_create(cfg, &err);
	return end_copying(&copying, cfg, rc, &err);
}

/* In the place of a file that nobody uses. */
static enum status make_again(struct fm_nvdimm_image_config *cfg)
{
	const struct fm_io *io = fm_io_posix();
	enum status status = STATUS_BAD;
	const char *path = cfg->path;
	char *own = own_name(path);
	struct fm_file *file;
	struct stat st;

	if (own && nvdimm_file_lock(path, FM_IO_READ | FM_IO_WRITE, &file)) {
		cfg->path = own;
		cfg->replace = true;
		if (check_names(path, &st))
			status = make(cfg, path);
		io->ops->close(io->ctx, file);
	}
	free(own);
	return status;
}

static enum status create(struct fm_nvdimm_image_config *cfg, bool force)
{
	struct stat st;

	if (lstat(cfg->path, &st))
		return make(cfg, cfg->path);
	if (force)
		return make_again(cfg);
	return complain("%s: exists, expected a new file, or --force", cfg->path);
}

enum status nvdimm_create_run(int argc, char **argv)
{
	struct fm_nvdimm_image_config cfg = { .struct_size = sizeof(cfg) };
	const char *uuid_text = NULL;
	bool force = false;
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "the file to make", &cfg.path, true },
	};
	const struct args_option options[] = {
		{ "size", ARGS_SIZE, "SIZE", "bytes of memory", &cfg.pmem_len, true },
		{ "label-size", ARGS_SIZE, "N", "bytes of labels; QEMU wants at least 128K",
		  &cfg.label_len, true },
		{ "uuid", ARGS_TEXT, "U", "of one namespace over all of it", &uuid_text },
		{ "sparse", ARGS_FLAG, NULL, "leave holes, do not write zeros", &cfg.sparse },
		{ "force", ARGS_FLAG, NULL, "in the place of a file that is there", &force },
	};
	const struct args_spec spec = {
		.command = "nvdimm create",
		.summary = "Make a file that holds an NVDIMM.",
		.text = create_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	enum status status = STATUS_BAD;
	uint8_t uuid[16], *labels = NULL;
	bool named;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	if (uuid_text && !nvdimm_uuid_read(spec.command, uuid_text, uuid))
		return STATUS_BAD;
	if (uuid_text && !cfg.label_len)
		return complain("nvdimm create: --label-size: 0, expected room for a label");
	if (cfg.label_len % 256 || (cfg.label_len && cfg.label_len < FM_LABEL_AREA_MIN) ||
	    cfg.label_len > FM_LABEL_AREA_MAX)
		return complain(
			"nvdimm create: --label-size: %llu, expected 0, or a multiple of 256 "
			"from %u to %u",
			(unsigned long long)cfg.label_len, FM_LABEL_AREA_MIN, FM_LABEL_AREA_MAX);
	/* Of no memory there is no label either; that is told by what makes the file. */
	named = uuid_text && cfg.pmem_len;
	if (named)
		labels = nvdimm_namespace_area(cfg.path, cfg.pmem_len, cfg.label_len, uuid);
	cfg.labels = labels;
	if (labels || !named)
		status = create(&cfg, force);
	free(labels);
	return status;
}

/* --- grow ---------------------------------------------------------------------------------------- */

static const char grow_text[] =
	"SIZE and N are as of \"create\": N is what the image has. A larger copy takes the place of the\n"
	"file at once; cut anywhere, it is the old or the new one. Owner, mode and extended attributes\n"
	"stay where the host allows it. Nobody may use it meanwhile. Namespaces stay as they are; what\n"
	"is new is free for others. A file with holes keeps them, and what is new is one.\n"
	"\n"
	"Example:\n"
	"  firmem nvdimm grow nv0.img --size 1G --label-size 128K\n";

/* One file, whose labels are where they were said to be. */
static bool check_old(const char *path, struct fm_file *file, struct fm_nvdimm_image_config *cfg)
{
	struct nvdimm_area area = { .bytes = NULL };
	struct stat st;
	bool ok;

	if (!check_names(path, &st))
		return false;
	area.off = (uint64_t)st.st_size;
	cfg->sparse |= (uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size;
	if (cfg->label_len && !nvdimm_area_read_open(path, file, cfg->label_len, &area))
		return false;
	ok = nvdimm_area_is_plausible(path, file, &area);
	nvdimm_area_free(&area);
	return ok;
}

/* `cfg` has the file's own name. */
static enum status grow(const char *path, struct fm_nvdimm_image_config *cfg)
{
	const struct fm_io *io = fm_io_posix();
	enum status status = STATUS_BAD;
	struct copying copying;
	struct fm_file *file;
	struct fm_error err;

	if (!nvdimm_file_lock(path, FM_IO_READ | FM_IO_WRITE, &file))
		return STATUS_BAD;
	if (check_old(path, file, cfg)) {
		start_copying(&copying, cfg, path);
		status = end_copying(&copying, cfg, fm_nvdimm_image_grow(cfg, &err), &err);
	}
	io->ops->close(io->ctx, file);
	return status;
}

enum status nvdimm_grow_run(int argc, char **argv)
{
	struct fm_nvdimm_image_config cfg = { .struct_size = sizeof(cfg) };
	const char *path = NULL;
	const struct args_option words[] = {
		{ "IMAGE", ARGS_TEXT, NULL, "an NVDIMM's file", &path, true },
	};
	const struct args_option options[] = {
		{ "size", ARGS_SIZE, "SIZE", "bytes of memory then", &cfg.pmem_len, true },
		{ "label-size", ARGS_SIZE, "N", "bytes of labels that it has", &cfg.label_len,
		  true },
		{ "sparse", ARGS_FLAG, NULL, "leave holes, do not write zeros", &cfg.sparse },
	};
	const struct args_spec spec = {
		.command = "nvdimm grow",
		.summary = "Give an NVDIMM's file more memory.",
		.text = grow_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
		.words = words,
		.nwords = 1,
	};
	enum args_result result = args_parse(&spec, argc, argv);
	enum status status;
	char *own;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	own = own_name(path);
	if (!own)
		return STATUS_BAD;
	cfg.path = own;
	status = grow(path, &cfg);
	free(own);
	return status;
}
