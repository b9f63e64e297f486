/* SPDX-License-Identifier: BSD-2-Clause */
/* dump_private: a dump that is being made: what goes into it, then its head, then the memory. */
#ifndef FIRMEM_DEVICES_DUMP_PRIVATE_H
#define FIRMEM_DEVICES_DUMP_PRIVATE_H

#include <firmem/dump.h>

#define FMI_DUMP_PAGE 4096u /* segments begin at multiples of it in the file */

/* Of the file: what one address range shows of a chosen block. */
struct fmi_dump_segment {
	uint64_t gpa;
	uint64_t len;
	const struct fm_block *block;
	uint64_t block_off;
};

struct fmi_dump {
	const struct fm_dump_config *cfg;
	struct fm_dump_part *left_out;
	size_t nleft_out;
	struct fmi_dump_segment *segments;
	size_t nsegments;
	size_t segments_room;
	uint8_t *head; /* everything before the memory */
	size_t head_len;
	size_t head_room;
	struct fm_file *file;
	struct fm_dump_result result;
};

/* What goes into it, and what does not: d->segments, d->left_out and their counts. FM_ERR_NOMEM. */
int fmi_dump_choose(struct fmi_dump *d, const struct fm_view *view, struct fm_error *err);
/* Then d->head, notes included. Where the memory begins in the file; 0 without memory. */
uint64_t fmi_dump_head(struct fmi_dump *d);

#endif
