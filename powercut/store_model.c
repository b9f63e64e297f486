/* SPDX-License-Identifier: BSD-2-Clause */
#include "powercut/store_model.h"

#include <stdlib.h>
#include <string.h>

#define WORD 8u
#define LINE 64u
#define SECTOR 512u

/* One word of a store. Words of a line with one group came with one store. */
struct word {
	uint64_t group;
	uint8_t off; /* in words, in its line */
	uint8_t bytes[WORD];
	uint8_t mask; /* a bit for each byte that was stored */
};

struct line {
	struct word *queue;
	size_t count, room;
	size_t flushed;  /* of the queue: durable with the next fence */
	size_t accepted; /* of the queue: durable with the next hint */
};

struct fmi_store_model {
	enum fmi_store_domain domain;
	size_t len;
	size_t unit; /* bytes that are torn from others at a crash */
	uint8_t *durable;
	uint8_t *now;
	struct line *lines; /* FMI_STORE_EADR: one, of all memory, in the order of stores */
	size_t nlines;
	uint64_t groups;
	bool hinted, broken;
};

struct fmi_store_model *fmi_store_new(enum fmi_store_domain domain, const void *bytes, size_t len)
{
	struct fmi_store_model *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->domain = domain;
	m->len = len;
	m->unit = domain == FMI_STORE_FILE ? SECTOR : LINE;
	m->nlines = len / m->unit;
	m->durable = malloc(len);
	m->now = malloc(len);
	m->lines = calloc(m->nlines, sizeof(*m->lines));
	if (!m->durable || !m->now || !m->lines) {
		fmi_store_free(m);
		return NULL;
	}
	memcpy(m->durable, bytes, len);
	memcpy(m->now, bytes, len);
	return m;
}

void fmi_store_free(struct fmi_store_model *m)
{
	if (!m)
		return;
	for (size_t i = 0; m->lines && i < m->nlines; i++)
		free(m->lines[i].queue);
	free(m->lines);
	free(m->durable);
	free(m->now);
	free(m);
}

/* --- stores -------------------------------------------------------------------------------------- */

static void apply(uint8_t *line, const struct word *w)
{
	for (unsigned i = 0; i < WORD; i++) {
		if (w->mask >> i & 1)
			line[w->off * WORD + i] = w->bytes[i];
	}
}

static struct word *append(struct fmi_store_model *m, struct line *l)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 8;
		struct word *grown = realloc(l->queue, room * sizeof(*grown));

		if (!grown) {
			m->broken = true;
			return NULL;
		}
		l->queue = grown;
		l->room = room;
	}
	return &l->queue[l->count++];
}

/* A store of a part of one aligned word. */
static void put_word(struct fmi_store_model *m, size_t off, const uint8_t *bytes, size_t len)
{
	struct line *l = &m->lines[off / m->unit];
	size_t in = off % m->unit;
	struct word *w;

	/* What stores nothing new can be left out: no image is another for it. */
	if (!memcmp(m->now + off, bytes, len))
		return;
	memcpy(m->now + off, bytes, len);
	w = append(m, l);
	if (!w)
		return;
	*w = (struct word){ .group = m->groups, .off = (uint8_t)(in / WORD) };
	for (size_t i = 0; i < len; i++) {
		w->bytes[in % WORD + i] = bytes[i];
		w->mask |= (uint8_t)(1u << (in % WORD + i));
	}
	/* Torn by the kernel's write-back, or seen in order by all: no words in any order. */
	if (m->domain == FMI_STORE_FILE || m->domain == FMI_STORE_EADR)
		m->groups++;
}

void fmi_store_put(struct fmi_store_model *m, size_t off, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	m->groups++;
	while (len) {
		size_t n = WORD - off % WORD;

		if (n > len)
			n = len;
		put_word(m, off, p, n);
		p += n;
		off += n;
		len -= n;
	}
}

static void mark(struct fmi_store_model *m, size_t off, size_t len)
{
	size_t end = len ? (off + len - 1) / m->unit + 1 : off / m->unit;

	for (size_t i = off / m->unit; i < end; i++)
		m->lines[i].flushed = m->lines[i].count;
}

void fmi_store_put_nt(struct fmi_store_model *m, size_t off, const void *bytes, size_t len)
{
	fmi_store_put(m, off, bytes, len);
	mark(m, off, len);
}

void fmi_store_flush(struct fmi_store_model *m, size_t off, size_t len)
{
	if (m->domain != FMI_STORE_FILE)
		mark(m, off, len);
}

/* The first `n` of a line's queue are durable. */
static void settle(struct fmi_store_model *m, size_t line, size_t n)
{
	struct line *l = &m->lines[line];

	if (!n)
		return;
	for (size_t i = 0; i < n; i++)
		apply(m->durable + line * m->unit, &l->queue[i]);
	memmove(l->queue, l->queue + n, (l->count - n) * sizeof(*l->queue));
	l->count -= n;
	l->flushed -= l->flushed < n ? l->flushed : n;
	l->accepted -= l->accepted < n ? l->accepted : n;
}

void fmi_store_fence(struct fmi_store_model *m)
{
	for (size_t i = 0; i < m->nlines; i++) {
		struct line *l = &m->lines[i];

		switch (m->domain) {
		case FMI_STORE_FILE:
			break;
		case FMI_STORE_EADR:
		case FMI_STORE_ADR:
			settle(m, i, l->flushed);
			break;
		case FMI_STORE_HINT:
			if (m->hinted)
				settle(m, i, l->accepted);
			l->accepted = l->flushed;
			break;
		}
	}
	m->hinted = false;
}

void fmi_store_hint(struct fmi_store_model *m)
{
	m->hinted = true;
}

void fmi_store_msync(struct fmi_store_model *m, size_t off, size_t len)
{
	if (m->domain != FMI_STORE_FILE)
		return;
	mark(m, off, len);
	for (size_t i = 0; i < m->nlines; i++)
		settle(m, i, m->lines[i].flushed);
}

const uint8_t *fmi_store_now(const struct fmi_store_model *m)
{
	return m->now;
}

bool fmi_store_broken(const struct fmi_store_model *m)
{
	return m->broken;
}

/* --- images of one line -------------------------------------------------------------------------- */

/* A line that is not all durable, and every way in which a crash can leave it. */
struct digit {
	size_t line;
	uint8_t *images;
	size_t count, room;
	size_t at;
	int step;
};

static bool has(const struct digit *d, const uint8_t *image, size_t unit)
{
	for (size_t i = 0; i < d->count; i++) {
		if (!memcmp(d->images + i * unit, image, unit))
			return true;
	}
	return false;
}

static bool add(struct digit *d, const uint8_t *image, size_t unit)
{
	if (has(d, image, unit))
		return true;
	if (d->count == d->room) {
		size_t room = d->room ? 2 * d->room : 16;
		uint8_t *grown = realloc(d->images, room * unit);

		if (!grown)
			return false;
		d->images = grown;
		d->room = room;
	}
	memcpy(d->images + d->count++ * unit, image, unit);
	return true;
}

/* The groups before `from` are there; any words of the group that is [from, from + n). */
static bool add_group(const struct fmi_store_model *m, struct digit *d, const uint8_t *base,
		      size_t from, size_t n)
{
	const struct word *queue = m->lines[d->line].queue + from;
	uint8_t image[SECTOR];

	for (uint32_t set = 0; set < UINT32_C(1) << n; set++) {
		memcpy(image, base, m->unit);
		for (size_t i = 0; i < n; i++) {
			if (set >> i & 1)
				apply(image, &queue[i]);
		}
		if (!add(d, image, m->unit))
			return false;
	}
	return true;
}

static bool fill(const struct fmi_store_model *m, struct digit *d)
{
	const struct line *l = &m->lines[d->line];
	uint8_t base[SECTOR];
	size_t next;

	memcpy(base, m->durable + d->line * m->unit, m->unit);
	for (size_t from = 0; from < l->count; from = next) {
		for (next = from + 1;
		     next < l->count && l->queue[next].group == l->queue[from].group;)
			next++;
		if (!add_group(m, d, base, from, next - from))
			return false;
		for (size_t i = from; i < next; i++)
			apply(base, &l->queue[i]);
	}
	return true;
}

/* --- all of them --------------------------------------------------------------------------------- */

/* One line changes; false when all images were made. */
static bool advance(const struct fmi_store_model *m, struct digit *digits, size_t count,
		    uint8_t *image)
{
	for (size_t i = 0; i < count; i++) {
		struct digit *d = &digits[i];

		if (d->step > 0 ? d->at + 1 < d->count : d->at > 0) {
			d->at = d->step > 0 ? d->at + 1 : d->at - 1;
			memcpy(image + d->line * m->unit, d->images + d->at * m->unit, m->unit);
			return true;
		}
		d->step = -d->step;
	}
	return false;
}

/* Stores in one order for all of memory: an image for each. */
static int each_in_order(struct fmi_store_model *m, uint8_t *image, fmi_store_check *check,
			 void *ctx, uint64_t *states)
{
	uint64_t last = UINT64_MAX;
	int rc;

	for (;;) {
		const struct word *first = NULL;
		size_t line = 0;

		++*states;
		rc = check(ctx, image, m->len);
		if (rc)
			return rc;
		for (size_t i = 0; i < m->nlines; i++) {
			for (size_t k = 0; k < m->lines[i].count; k++) {
				const struct word *w = &m->lines[i].queue[k];

				if ((last == UINT64_MAX || w->group > last) &&
				    (!first || w->group < first->group)) {
					first = w;
					line = i;
				}
			}
		}
		if (!first)
			return 0;
		last = first->group;
		apply(image + line * m->unit, first);
	}
}

static int each(struct fmi_store_model *m, struct digit *digits, uint8_t *image,
		fmi_store_check *check, void *ctx, uint64_t *states)
{
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < m->nlines; i++) {
		if (!m->lines[i].count)
			continue;
		digits[count] = (struct digit){ .line = i, .step = 1 };
		if (!fill(m, &digits[count++]))
			return -1;
	}
	do {
		++*states;
		rc = check(ctx, image, m->len);
	} while (!rc && advance(m, digits, count, image));
	return rc;
}

int fmi_store_each(struct fmi_store_model *m, fmi_store_check *check, void *ctx, uint64_t *states)
{
	struct digit *digits = calloc(m->nlines, sizeof(*digits));
	uint8_t *image = malloc(m->len);
	int rc = -1;

	if (digits && image && !m->broken) {
		memcpy(image, m->durable, m->len);
		rc = m->domain == FMI_STORE_EADR ? each_in_order(m, image, check, ctx, states)
						 : each(m, digits, image, check, ctx, states);
	}
	for (size_t i = 0; digits && i < m->nlines; i++)
		free(digits[i].images);
	free(digits);
	free(image);
	return rc;
}
