/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/private.h>

#include "devices/backing.h"
#include "devices/bytes.h"
#include "devices/clear.h"
#include "devices/config.h"
#include "devices/reset_private.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fmi_private {
	pthread_mutex_t lock;
	uint64_t *bits; /* of each granule: private */
	uint64_t count; /* of granules */
	uint64_t granule;
	uint64_t generation;
	uint64_t fd_off;
	int fd; /* where private pages live, or -1: in place */
	bool debug;
};

/* The block's, of what may be a const block: its lock is taken also to read. */
static struct fmi_private *of(const struct fm_block *block)
{
	return *fmi_block_private((struct fm_block *)(uintptr_t)block);
}

void fmi_private_free(struct fmi_private *private)
{
	if (!private)
		return;
	if (private->fd >= 0)
		close(private->fd);
	pthread_mutex_destroy(&private->lock);
	free(private->bits);
	free(private);
}

static int check_config(const struct fm_block *block, struct fm_private_config *c,
			struct fm_error *err)
{
	uint64_t page = fm_block_page_size(block);

	if (!c->granule)
		c->granule = page;
	if (!fmi_is_pow2(c->granule) || c->granule < page)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "block %s: granule 0x%llx, expected a power of two of at least "
				    "a page (0x%llx)",
				    fm_block_name(block), (unsigned long long)c->granule,
				    (unsigned long long)page);
	if (c->use_fd && !fmi_is_aligned(c->fd_off, c->granule))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "block %s: fd_off 0x%llx, expected a multiple of 0x%llx",
				    fm_block_name(block), (unsigned long long)c->fd_off,
				    (unsigned long long)c->granule);
	if (of(block))
		return fm_error_set(err, FM_ERR_EXISTS, 0,
				    "block %s: private ranges are enabled already",
				    fm_block_name(block));
	return 0;
}

int fm_private_enable(struct fm_block *block, const struct fm_private_config *cfg,
		      struct fm_error *err)
{
	struct fm_private_config c;
	struct fmi_private *private;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_private_config", err);

	if (rc)
		return rc;
	if (!block)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_private_enable: block is NULL");
	rc = check_config(block, &c, err);
	if (rc)
		return rc;
	private = calloc(1, sizeof(*private));
	if (!private)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "block %s: out of memory",
				    fm_block_name(block));
	pthread_mutex_init(&private->lock, NULL);
	private->granule = c.granule;
	private->count = (fm_block_len(block) - 1) / c.granule + 1;
	private->debug = c.debug;
	private->fd_off = c.fd_off;
	private->fd = c.use_fd ? fcntl(c.fd, F_DUPFD_CLOEXEC, 0) : -1;
	private->bits = calloc((private->count - 1) / 64 + 1, sizeof(uint64_t));
	if (!private->bits || (c.use_fd && private->fd < 0)) {
		rc = private->bits ? fm_error_set(err, FM_ERR_IO, errno,
						  "block %s: fd %d cannot be duplicated",
						  fm_block_name(block), c.fd)
				   : fm_error_set(err, FM_ERR_NOMEM, 0, "block %s: out of memory",
						  fm_block_name(block));
		fmi_private_free(private);
		return rc;
	}
	if (c.all || fm_block_role(block) == FM_ROLE_PRIVATE)
		memset(private->bits, 0xff, ((private->count - 1) / 64 + 1) * sizeof(uint64_t));
	*fmi_block_private(block) = private;
	return 0;
}

static bool bit(const struct fmi_private *private, uint64_t n)
{
	return private->bits[n / 64] >> n % 64 & 1;
}

/* The first granule from `n` on that is otherwise, or the count. Whole words are skipped. */
static uint64_t run_end(const struct fmi_private *private, uint64_t n)
{
	bool is = bit(private, n);

	while (n < private->count) {
		if (!(n % 64) && private->bits[n / 64] == (is ? UINT64_MAX : 0))
			n += 64;
		else if (bit(private, n) == is)
			n++;
		else
			return n;
	}
	return private->count;
}

bool fm_private_at(const struct fm_block *block, uint64_t off, uint64_t *len)
{
	struct fmi_private *private = of(block);
	uint64_t block_len = fm_block_len(block);
	uint64_t end;
	bool is;

	if (off >= block_len) {
		if (len)
			*len = 0;
		return false;
	}
	if (!private) {
		if (len)
			*len = block_len - off;
		return fm_block_role(block) == FM_ROLE_PRIVATE;
	}
	pthread_mutex_lock(&private->lock);
	is = bit(private, off / private->granule);
	end = run_end(private, off / private->granule);
	pthread_mutex_unlock(&private->lock);
	if (len)
		*len = (end == private->count ? block_len : end * private->granule) - off;
	return is;
}

uint64_t fm_private_generation(const struct fm_block *block)
{
	struct fmi_private *private = of(block);
	uint64_t generation;

	if (!private)
		return 0;
	pthread_mutex_lock(&private->lock);
	generation = private->generation;
	pthread_mutex_unlock(&private->lock);
	return generation;
}

bool fm_private_dumpable(const struct fm_block *block)
{
	struct fmi_private *private = of(block);

	if (!private)
		return fm_block_role(block) != FM_ROLE_PRIVATE;
	/* What lives in another file is not what the host maps. */
	return private->debug && private->fd < 0;
}

bool fmi_private_has_fd(const struct fm_block *block)
{
	return of(block) && of(block)->fd >= 0;
}

static int punch(const struct fmi_private *private, uint64_t off, uint64_t len)
{
	int rc;

	do {
		rc = fallocate(private->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       (off_t)(private->fd_off + off), (off_t)len);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

int fmi_private_release(struct fm_block *block, uint64_t off, uint64_t len)
{
	struct fmi_private *private = of(block);

	if (!fmi_private_has_fd(block))
		return fmi_clear_release(block, off, len);
	return punch(private, off, fmi_align_up(len, private->granule));
}

/* Set the bits; true when one changed. */
static bool set(struct fmi_private *private, uint64_t first, uint64_t end, bool to_private)
{
	bool changed = false;

	for (uint64_t n = first; n < end; n++) {
		uint64_t *word = &private->bits[n / 64];
		uint64_t mask = UINT64_C(1) << n % 64;

		changed |= bit(private, n) != to_private;
		*word = to_private ? *word | mask : *word & ~mask;
	}
	private->generation += changed;
	return changed;
}

/* The side that is no longer used; a file, or the caller's memory, is not ours to give back. */
static int give_back(struct fm_block *block, const struct fmi_private *private, uint64_t off,
		     uint64_t len, bool to_private)
{
	enum fm_backing backing = fm_block_backing(block);

	if (private->fd < 0)
		return 0;
	if (!to_private)
		return punch(private, off, fmi_align_up(len, private->granule));
	if (backing == FM_BACKING_FILE || backing == FM_BACKING_ADOPTED ||
	    fm_block_discard_inhibited(block))
		return 0;
	return fmi_clear_release(block, off, len);
}

static int check_convert(const struct fm_block *block, const struct fmi_private *private,
			 uint64_t off, uint64_t len, bool to_private, struct fm_error *err)
{
	const char *name = fm_block_name(block);

	if (!private || (!to_private && fm_block_role(block) == FM_ROLE_PRIVATE))
		return fm_error_set(err, FM_ERR_STATE, 0, "block %s: %s", name,
				    private ? "role private, expected to stay so"
					    : "private ranges, expected to be enabled first");
	if (!fmi_in_range(off, len, fm_block_len(block)))
		return fm_error_set(err, FM_ERR_RANGE, 0,
				    "block %s: offset 0x%llx, len 0x%llx: expected inside 0x%llx",
				    name, (unsigned long long)off, (unsigned long long)len,
				    (unsigned long long)fm_block_len(block));
	if (!fmi_is_aligned(off, private->granule) ||
	    (!fmi_is_aligned(len, private->granule) && off + len != fm_block_len(block)))
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "block %s: offset 0x%llx, len 0x%llx: expected multiples of "
				    "0x%llx",
				    name, (unsigned long long)off, (unsigned long long)len,
				    (unsigned long long)private->granule);
	return 0;
}

int fm_private_convert(struct fm_block *block, uint64_t off, uint64_t len, bool to_private,
		       struct fm_error *err)
{
	struct fmi_private *private = block ? of(block) : NULL;
	int rc = 0;

	if (!block)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_private_convert: block is NULL");
	rc = check_convert(block, private, off, len, to_private, err);
	if (rc || !len)
		return rc;
	/* Given back under the lock: afterwards another conversion may have made it the side in use. */
	pthread_mutex_lock(&private->lock);
	if (set(private, off / private->granule, (off + len - 1) / private->granule + 1,
		to_private))
		rc = give_back(block, private, off, len, to_private);
	pthread_mutex_unlock(&private->lock);
	/* Memory that cannot be given back is merely kept. */
	if (rc && rc != -EOPNOTSUPP)
		return fm_error_set(err, FM_ERR_IO, -rc,
				    "block %s: pages of 0x%llx bytes at 0x%llx cannot be given "
				    "back: %s",
				    fm_block_name(block), (unsigned long long)len,
				    (unsigned long long)off, strerror(-rc));
	return 0;
}
