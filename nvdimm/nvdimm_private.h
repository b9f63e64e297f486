/* SPDX-License-Identifier: BSD-2-Clause */
/* nvdimm_private: the parts of the device: who flushes when, and what cannot be read. */
#ifndef FIRMEM_NVDIMM_NVDIMM_PRIVATE_H
#define FIRMEM_NVDIMM_NVDIMM_PRIVATE_H

#include <firmem/nvdimm.h>

#include <pthread.h>
#include <stdatomic.h>

#define FMI_SPANS 256u

/* --- nvdimm_flush.c: callers that share syncs ------------------------------------------------------ */

/* A caller who waits; on its stack. */
struct fmi_flush_wait {
	struct fmi_flush_wait *next;
	int rc;
	bool done;
	struct fm_error err;
};

/* What the next sync is for. */
struct fmi_flush_batch {
	struct fm_persist_span spans[FMI_SPANS];
	size_t count;
	struct fmi_flush_wait *waits;
};

struct fmi_flush {
	struct fm_persist *persist;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool running;
	unsigned open; /* the batch that takes callers; the other one may be running */
	struct fmi_flush_batch batch[2];
};

void fmi_flush_init(struct fmi_flush *f, struct fm_persist *persist);
void fmi_flush_fini(struct fmi_flush *f);
/* Spans within the block. Returns what the sync that was for them returned. */
int fmi_flush(struct fmi_flush *f, const struct fm_persist_span *spans, size_t count,
	      struct fm_error *err);

/* --- nvdimm_media.c: what cannot be read ----------------------------------------------------------- */

/* Sorted, apart from one another. */
struct fmi_media {
	struct fm_persist_span spans[FMI_SPANS];
	size_t count;
};

/* False where there is no room; nothing has changed then. */
bool fmi_media_poison(struct fmi_media *m, uint64_t off, uint64_t len);
bool fmi_media_heal(struct fmi_media *m, uint64_t off, uint64_t len);
/* The first span that reaches into [off, off + len), or NULL. */
const struct fm_persist_span *fmi_media_find(const struct fmi_media *m, uint64_t off, uint64_t len);

/* --- nvdimm.c ------------------------------------------------------------------------------------- */

struct nvdimm {
	struct fm_dev *dev;
	struct fm_nvdimm_info info;
	struct fm_persist *persist;
	uint8_t *host;
	struct fmi_flush flush;
	struct fmi_media media; /* under the device's lock */
	atomic_uint dirty_shutdowns;
	pthread_mutex_t report; /* what the device says of its errors is what persist says */
	atomic_bool data_lost;
	atomic_size_t media_count; /* of media, for health */
};

/* --- nvdimm_save.c: verbs of its state -------------------------------------------------------------- */

void fmi_nvdimm_save(void *state, struct fm_state_writer *w);
int fmi_nvdimm_load(void *state, struct fm_state_reader *r, struct fm_error *err);
void fmi_nvdimm_describe(void *state, const struct fm_visitor *v);

#endif
