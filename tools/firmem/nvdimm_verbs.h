/* SPDX-License-Identifier: BSD-2-Clause */
/* nvdimm_verbs: what the verbs of "firmem nvdimm" share. */
#ifndef FIRMEM_TOOLS_NVDIMM_VERBS_H
#define FIRMEM_TOOLS_NVDIMM_VERBS_H

#include "tools/firmem/args.h"
#include "tools/firmem/out.h"

#include <firmem/io.h>
#include <firmem/label.h>

enum status nvdimm_create_run(int argc, char **argv);
enum status nvdimm_grow_run(int argc, char **argv);
enum status nvdimm_nfit_run(int argc, char **argv);
enum status nvdimm_ssdt_run(int argc, char **argv);
enum status nvdimm_labels_run(int argc, char **argv);
enum status nvdimm_labels_init_run(int argc, char **argv);
enum status nvdimm_labels_list_run(int argc, char **argv);
enum status nvdimm_labels_check_run(int argc, char **argv);
enum status nvdimm_labels_add_run(int argc, char **argv);
enum status nvdimm_labels_delete_run(int argc, char **argv);
enum status nvdimm_labels_rename_run(int argc, char **argv);

/* A UUID of --uuid; false after a complaint. */
bool nvdimm_uuid_read(const char *command, const char *text, uint8_t uuid[16]);

/* The option of every verb of "labels", and its value where it is not given. */
#define NVDIMM_GUESS UINT64_MAX
#define NVDIMM_LABEL_SIZE(len)                                                     \
	{                                                                          \
		"label-size", ARGS_SIZE, "N", "bytes of labels at its end", &(len) \
	}

/*
 * What the library says is wrong with a file, whose name it may have told as well: it is told once. STATUS_BAD.
 */
enum status nvdimm_complain(const char *path, const struct fm_error *err);

/* --- files ---------------------------------------------------------------------------------------- */

/* A regular file; `flags` of enum fm_io_open. False after a complaint. */
bool nvdimm_file_open(const char *path, unsigned flags, struct fm_file **file);
/* The same, locked. Also refused where another process has it open for writing: QEMU locks nothing. */
bool nvdimm_file_lock(const char *path, unsigned flags, struct fm_file **file);

/* --- the label area of a file ---------------------------------------------------------------------- */

struct nvdimm_area {
	uint64_t off; /* in the file */
	uint64_t len;
	uint64_t pmem_len; /* 0: a bare area, its DIMM is not known */
	uint8_t *bytes;    /* as they were when it was read */
};

/*
 * Read the area at the end of a file. `label_size` NVDIMM_GUESS: the whole file, where it is short, or the last 128 KiB,
 * if there is a label area. Not in the middle of a change by another of these commands, for which it waits.
 * False after a complaint.
 */
bool nvdimm_area_read(const char *path, uint64_t label_size, struct nvdimm_area *area);
/* The same of a file that is open. */
bool nvdimm_area_read_open(const char *path, struct fm_file *file, uint64_t label_size,
			   struct nvdimm_area *area);
/*
 * Does the file have its labels there? An index block, or zeros, and no label area of another size. False
 * after a complaint about --label-size.
 */
bool nvdimm_area_is_plausible(const char *path, struct fm_file *file,
			      const struct nvdimm_area *area);
void nvdimm_area_free(struct nvdimm_area *area);
/* Parsed; NULL after a complaint. */
struct fm_label_area *nvdimm_area_parse(const char *path, const struct nvdimm_area *area);

/* "1.1": of what the index block that counts says. */
void nvdimm_version_text(const struct fm_label_area *area, char text[16]);
/* The head of what is said of an area. */
void nvdimm_put_area(struct out *out, const struct fm_label_area *area);

/* No file is named twice, by whatever names; false after a complaint. */
bool nvdimm_check_twice(const struct args_words *images);

/* The file, locked and mapped, with its area as a medium that is durable. */
struct nvdimm_edit {
	struct nvdimm_area area;
	struct fm_label_medium medium;
	struct fm_label_place place;
	struct fm_file *file; /* holds the lock */
};

/* Bytes in memory, durable as they are. */
void nvdimm_medium_of_bytes(struct fm_label_medium *out, uint8_t *bytes, size_t len,
			    uint64_t pmem_len);

bool nvdimm_edit_open(const char *path, uint64_t label_size, struct nvdimm_edit *edit);
void nvdimm_edit_close(struct nvdimm_edit *edit);

/* --- making images ------------------------------------------------------------------------------- */

/*
 * The label area, malloc'd, of one raw namespace over all memory of QEMU's first NVDIMM. NULL after a complaint,
 * which names `path`.
 */
uint8_t *nvdimm_namespace_area(const char *path, uint64_t pmem_len, uint64_t label_size,
			       const uint8_t uuid[16]);

#endif
