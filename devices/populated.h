/* SPDX-License-Identifier: BSD-2-Clause */
/* populated: which parts of a block may hold something else than zeros, without touching the rest. */
#ifndef FIRMEM_DEVICES_POPULATED_H
#define FIRMEM_DEVICES_POPULATED_H

#include <firmem/block.h>

/* How that is found out. */
enum fmi_populated {
	/* The page tables of this process: right for memory that nobody else can store to. */
	FMI_POPULATED_TABLES,
	/* The file's own map of its data: also right for what other processes stored. */
	FMI_POPULATED_DATA,
	/* hugetlb: all or nothing, by the blocks of the file. */
	FMI_POPULATED_BLOCKS,
	/* Nobody knows: all of it. */
	FMI_POPULATED_ALL,
};

/* Which of them is right for the block. */
enum fmi_populated fmi_populated_by(const struct fm_block *block);

typedef void fmi_run_fn(void *ctx, uint64_t off, uint64_t len);

/*
 * Call `run` for runs of [off, off + len), in order, that together hold every byte that is not zero.
 * Where the host cannot tell, that is one run. `len` may reach to the end of the last page.
 */
void fmi_populated_each(const struct fm_block *block, uint64_t off, uint64_t len, fmi_run_fn *run,
			void *ctx);

/*
 * How many bytes of the block are backed by pages, at once and without saying which: of a memfd. False
 * where that cannot be asked.
 */
bool fmi_populated_bytes(const struct fm_block *block, uint64_t *bytes);

/*
 * The same by one way only: `run` is told nothing of the kind and the answer is false when the host
 * does not have it. For tests and for fmi_populated_each().
 */
bool fmi_populated_scan(const struct fm_block *block, uint64_t off, uint64_t len, fmi_run_fn *run,
			void *ctx);
bool fmi_populated_pagemap(const struct fm_block *block, uint64_t off, uint64_t len,
			   fmi_run_fn *run, void *ctx);
bool fmi_populated_seek(const struct fm_block *block, uint64_t off, uint64_t len, fmi_run_fn *run,
			void *ctx);

#endif
