/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_model: what a crash can leave of stores to memory. A program's stores, flushes and fences are told
 * to it; it then makes every image that a crash at that moment could leave, and asks a checker.
 *
 * A line of 64 bytes holds what is durable and the stores since, in order. A store that is wider than
 * 8 aligned bytes is a group of words that may arrive in any order. A crash leaves, of each line for
 * itself, the first stores up to some group, and of that group any words. Flushes mark what a fence
 * then makes durable; a flush without a fence promises nothing. docs/labels.md says where that is from.
 */
#ifndef FIRMEM_POWERCUT_STORE_MODEL_H
#define FIRMEM_POWERCUT_STORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What makes stores durable. */
enum fmi_store_domain {
	FMI_STORE_ADR = 0, /* a flush and a fence */
	FMI_STORE_HINT,    /* those, then a write of the flush hint and a fence */
	FMI_STORE_EADR,    /* being visible: ordinary stores are durable in their order */
	FMI_STORE_FILE,    /* a file in the page cache: msync alone; torn at 512 bytes */
};

struct fmi_store_model;

/* Memory of that many durable bytes; NULL: out of memory. `len` is a multiple of 512. */
struct fmi_store_model *fmi_store_new(enum fmi_store_domain domain, const void *bytes, size_t len);
void fmi_store_free(struct fmi_store_model *model);

/* Ordinary and non-temporal stores, within the memory. */
void fmi_store_put(struct fmi_store_model *model, size_t off, const void *bytes, size_t len);
void fmi_store_put_nt(struct fmi_store_model *model, size_t off, const void *bytes, size_t len);
/* clwb or clflushopt of the lines around a range. */
void fmi_store_flush(struct fmi_store_model *model, size_t off, size_t len);
/* sfence. */
void fmi_store_fence(struct fmi_store_model *model);
/* A write to the flush hint address; it counts from the next fence on. */
void fmi_store_hint(struct fmi_store_model *model);
void fmi_store_msync(struct fmi_store_model *model, size_t off, size_t len);

/* The bytes as the program sees them. */
const uint8_t *fmi_store_now(const struct fmi_store_model *model);
/* Memory ran out on the way: nothing it says counts. */
bool fmi_store_broken(const struct fmi_store_model *model);

/* 0: the image is one that may be; anything else ends the walk. Must not change the model. */
typedef int fmi_store_check(void *ctx, const uint8_t *image, size_t len);

/*
 * Ask about every image that a crash now can leave, each once: from one to the next one line changes
 * (reflected mixed-radix Gray code). Returns 0 or what the checker returned; -1 where memory ran out.
 * *states grows by the images asked about.
 */
int fmi_store_each(struct fmi_store_model *model, fmi_store_check *check, void *ctx,
		   uint64_t *states);

#endif
