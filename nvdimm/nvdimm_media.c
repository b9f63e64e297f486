/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans that cannot be read. */
#include "nvdimm/nvdimm_private.h"

#include "devices/bytes.h"

#include <string.h>

/* Put `with` in the place of the spans [from, to). */
static bool splice(struct fmi_media *m, size_t from, size_t to, const struct fm_persist_span *with,
		   size_t count)
{
	if (m->count - (to - from) + count > FMI_SPANS)
		return false;
	memmove(m->spans + from + count, m->spans + to, (m->count - to) * sizeof(*m->spans));
	memcpy(m->spans + from, with, count * sizeof(*m->spans));
	m->count = m->count - (to - from) + count;
	return true;
}

bool fmi_media_poison(struct fmi_media *m, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;
	struct fm_persist_span s;
	size_t from = 0, to;

	if (!len)
		return true;
	/* Those that touch it become one with it. */
	while (from < m->count && m->spans[from].off + m->spans[from].len < off)
		from++;
	for (to = from; to < m->count && m->spans[to].off <= end; to++) {
		off = fmi_min_u64(off, m->spans[to].off);
		end = fmi_max_u64(end, m->spans[to].off + m->spans[to].len);
	}
	s = (struct fm_persist_span){ .off = off, .len = end - off };
	return splice(m, from, to, &s, 1);
}

bool fmi_media_heal(struct fmi_media *m, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;
	struct fm_persist_span rest[2];
	size_t from = 0, to, n = 0;

	/* Nothing of it, and it splits no span. */
	if (!len)
		return true;
	while (from < m->count && m->spans[from].off + m->spans[from].len <= off)
		from++;
	for (to = from; to < m->count && m->spans[to].off < end; to++) {
		uint64_t lo = m->spans[to].off, hi = lo + m->spans[to].len;

		/* Only the first can begin before, only the last end behind. */
		if (lo < off)
			rest[n++] = (struct fm_persist_span){ .off = lo, .len = off - lo };
		if (hi > end)
			rest[n++] = (struct fm_persist_span){ .off = end, .len = hi - end };
	}
	return splice(m, from, to, rest, n);
}

const struct fm_persist_span *fmi_media_find(const struct fmi_media *m, uint64_t off, uint64_t len)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->spans[i].off < off + len && off < m->spans[i].off + m->spans[i].len)
			return &m->spans[i];
	}
	return NULL;
}
