/* SPDX-License-Identifier: BSD-2-Clause */
/* Wear and failures of a bank: counters of erases, bad blocks, stuck bits, operations that fail. */
#include "flash/flash_private.h"

#include "devices/config.h"

#include <stdlib.h>
#include <string.h>

#define BAD(err, ...) fm_error_set(err, FM_ERR_ARG, 0, __VA_ARGS__)
#define MILLION 1000000u

struct fmi_health {
	struct fm_flash_health cfg;   /* its pointers are ours */
	uint32_t *counts;             /* erases, by block number * chips + chip */
	bool *bad;                    /* by block */
	struct fm_flash_stuck *stuck; /* by offset, each once */
	uint64_t programs;            /* operations so far */
	uint64_t erases;
	uint64_t random;
};

/* --- making ------------------------------------------------------------------------------ */

static int by_offset(const void *a, const void *b)
{
	const struct fm_flash_stuck *x = a;
	const struct fm_flash_stuck *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

static int check(const struct fmi_flash *f, const struct fm_flash_health *c, const char *name,
		 struct fm_error *err)
{
	if (c->program_ppm > MILLION || c->erase_ppm > MILLION)
		return BAD(err,
			   "%s: fm_flash_health.%s is %u, expected at most %u (parts in a million)",
			   name, c->program_ppm > MILLION ? "program_ppm" : "erase_ppm",
			   c->program_ppm > MILLION ? c->program_ppm : c->erase_ppm, MILLION);
	if ((c->nstuck && !c->stuck) || (c->nbad && !c->bad))
		return BAD(err, "%s: fm_flash_health.%s is NULL, expected %zu of them", name,
			   c->nbad && !c->bad ? "bad" : "stuck",
			   c->nbad && !c->bad ? c->nbad : c->nstuck);
	for (size_t i = 0; i < c->nstuck; i++) {
		if (c->stuck[i].off >= f->geo.len)
			return BAD(err,
				   "%s: fm_flash_health.stuck[%zu].off is 0x%llx, expected a byte "
				   "of the bank's 0x%llx",
				   name, i, (unsigned long long)c->stuck[i].off,
				   (unsigned long long)f->geo.len);
		if (c->stuck[i].zeros & c->stuck[i].ones)
			return BAD(err,
				   "%s: fm_flash_health.stuck[%zu] has bits 0x%x in zeros and in "
				   "ones, expected in one of them",
				   name, i, c->stuck[i].zeros & c->stuck[i].ones);
	}
	for (size_t i = 0; i < c->nbad; i++) {
		if (c->bad[i] >= f->geo.blocks)
			return BAD(err,
				   "%s: fm_flash_health.bad[%zu] is %u, expected a block below %u",
				   name, i, c->bad[i], f->geo.blocks);
	}
	return 0;
}

/* Bytes that were named twice are stuck by both. */
static size_t merge(struct fm_flash_stuck *stuck, size_t n)
{
	size_t kept = 0;

	qsort(stuck, n, sizeof(*stuck), by_offset);
	for (size_t i = 0; i < n; i++) {
		if (kept && stuck[kept - 1].off == stuck[i].off) {
			stuck[kept - 1].zeros |= stuck[i].zeros;
			stuck[kept - 1].ones |= stuck[i].ones;
		} else {
			stuck[kept++] = stuck[i];
		}
	}
	return kept;
}

static bool copy(struct fmi_health *h, const struct fmi_flash *f)
{
	h->counts = calloc((size_t)f->geo.blocks * f->geo.chips, sizeof(*h->counts));
	h->bad = calloc(f->geo.blocks, sizeof(*h->bad));
	h->stuck = calloc(h->cfg.nstuck + 1, sizeof(*h->stuck));
	if (!h->counts || !h->bad || !h->stuck)
		return false;
	for (size_t i = 0; h->cfg.counts && i < (size_t)f->geo.blocks * f->geo.chips; i++)
		h->counts[i] = h->cfg.counts[i / f->geo.chips];
	for (size_t i = 0; i < h->cfg.nbad; i++)
		h->bad[h->cfg.bad[i]] = true;
	if (h->cfg.nstuck)
		memcpy(h->stuck, h->cfg.stuck, h->cfg.nstuck * sizeof(*h->stuck));
	h->cfg.nstuck = merge(h->stuck, h->cfg.nstuck);
	return true;
}

int fmi_health_init(struct fmi_flash *f, const struct fm_flash_health *cfg, const char *name,
		    struct fm_error *err)
{
	struct fmi_health *h;
	int rc;

	if (!cfg)
		return 0;
	h = calloc(1, sizeof(*h));
	if (!h)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", name);
	f->health = h;
	rc = fmi_config_copy(&h->cfg, sizeof(h->cfg), cfg, "fm_flash_health", err);
	if (!rc)
		rc = check(f, &h->cfg, name, err);
	if (!rc && !copy(h, f))
		rc = fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", name);
	h->random = h->cfg.seed;
	return rc;
}

void fmi_health_free(struct fmi_health *h)
{
	if (!h)
		return;
	free(h->stuck);
	free(h->bad);
	free(h->counts);
	free(h);
}

/* --- operations that fail -------------------------------------------------------------------- */

/* splitmix64: the same numbers on every host. */
static uint64_t draw(struct fmi_health *h)
{
	uint64_t z = h->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static fmi_chips unlucky(struct fmi_health *h, fmi_chips chips, uint32_t ppm)
{
	fmi_chips failing = 0;

	for (unsigned n = 0; ppm && n < FM_FLASH_CHIPS; n++) {
		if ((chips & 1u << n) && draw(h) % MILLION < ppm)
			failing |= 1u << n;
	}
	return failing;
}

fmi_chips fmi_health_program(struct fmi_flash *f, fmi_chips chips, uint64_t off)
{
	struct fmi_health *h = f->health;

	if (++h->programs == h->cfg.fail_program || h->bad[fmi_geometry_block(&f->geo, off).number])
		return chips;
	return unlucky(h, chips, h->cfg.program_ppm);
}

/* One more erase of those chips' parts of a block. Which have had too many? */
static fmi_chips wear(struct fmi_flash *f, fmi_chips chips, uint32_t block)
{
	struct fmi_health *h = f->health;
	fmi_chips worn = 0;

	for (unsigned n = 0; n < f->geo.chips; n++) {
		uint32_t *count = &h->counts[(size_t)block * f->geo.chips + n];

		if (!(chips & 1u << n))
			continue;
		if (*count < UINT32_MAX)
			++*count;
		if (h->cfg.endurance && *count > h->cfg.endurance)
			worn |= 1u << n;
	}
	return worn;
}

fmi_chips fmi_health_erase(struct fmi_flash *f, fmi_chips chips, uint32_t block)
{
	struct fmi_health *h = f->health;
	fmi_chips worn = wear(f, chips, block);

	if (++h->erases == h->cfg.fail_erase || h->bad[block])
		return chips;
	return worn | unlucky(h, chips & ~worn, h->cfg.erase_ppm);
}

uint32_t fmi_health_count(const struct fmi_flash *f, uint32_t block)
{
	const uint32_t *counts = &f->health->counts[(size_t)block * f->geo.chips];
	uint32_t most = 0;

	for (unsigned n = 0; n < f->geo.chips; n++)
		most = counts[n] > most ? counts[n] : most;
	return most;
}

/* --- stuck bits ------------------------------------------------------------------------------ */

/* The first entry at `off` or behind it; nstuck: none. */
static size_t find(const struct fmi_health *h, uint64_t off)
{
	size_t lo = 0;
	size_t hi = h->cfg.nstuck;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (h->stuck[mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct fm_flash_stuck at(const struct fmi_flash *f, uint64_t off)
{
	const struct fmi_health *h = f->health;
	size_t i = find(h, off);

	if (i < h->cfg.nstuck && h->stuck[i].off == off)
		return h->stuck[i];
	return (struct fm_flash_stuck){ 0 };
}

uint8_t fmi_health_ones(const struct fmi_flash *f, uint64_t off)
{
	return at(f, off).ones;
}

uint8_t fmi_health_zeros(const struct fmi_flash *f, uint64_t off)
{
	return at(f, off).zeros;
}

uint64_t fmi_health_next_zeros(const struct fmi_flash *f, uint64_t off, uint64_t end)
{
	const struct fmi_health *h = f->health;
	size_t i = find(h, off);

	return i < h->cfg.nstuck && h->stuck[i].off < end ? h->stuck[i].off : end;
}

/* --- saved state ------------------------------------------------------------------------- */

void fmi_health_save(const struct fmi_flash *f, struct fm_state_writer *w)
{
	const struct fmi_health *h = f->health;

	fm_state_put_u64(w, h->programs);
	fm_state_put_u64(w, h->erases);
	fm_state_put_u64(w, h->random);
	for (size_t n = 0; n < (size_t)f->geo.blocks * f->geo.chips; n++)
		fm_state_put_u32(w, h->counts[n]);
}

uint64_t fmi_health_saved_len(const struct fmi_flash *f)
{
	return 24 + (uint64_t)f->geo.blocks * f->geo.chips * 4;
}

void fmi_health_load(struct fmi_flash *f, struct fm_state_reader *r)
{
	struct fmi_health *h = f->health;

	h->programs = fm_state_get_u64(r);
	h->erases = fm_state_get_u64(r);
	h->random = fm_state_get_u64(r);
	for (size_t n = 0; n < (size_t)f->geo.blocks * f->geo.chips; n++)
		h->counts[n] = fm_state_get_u32(r);
}
