/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/loaded.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MOST (UINT64_C(1) << 30) /* bytes; our choice */
#define DEFAULT_ROLES (UINT64_C(1) << FM_ROLE_ROM | UINT64_C(1) << FM_ROLE_FLASH_CODE)

struct fm_loaded {
	uint64_t roles;
	struct fm_loaded_piece *pieces;
	size_t count;
	uint8_t *copy; /* of all of them, one behind the other */
};

static bool is_wanted(const struct fm_range *r, uint64_t roles)
{
	return r->block && roles >> fm_block_role(r->block) & 1;
}

/* Does the range go on where the piece ends, in the guest and in the block? */
static bool goes_on(const struct fm_loaded_piece *p, const struct fm_range *r)
{
	return p->block == r->block && p->gpa + p->len == r->gpa &&
	       p->block_off + p->len == r->block_off;
}

/* The pieces of a view, without their bytes. */
static int find(struct fm_loaded *l, const struct fm_view *view, struct fm_error *err)
{
	size_t n = fm_view_count(view);

	l->pieces = calloc(n ? n : 1, sizeof(*l->pieces));
	if (!l->pieces)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "loaded firmware: out of memory");
	for (size_t i = 0; i < n; i++) {
		const struct fm_range *r = fm_view_range(view, i);

		if (!is_wanted(r, l->roles))
			continue;
		if (l->count && goes_on(&l->pieces[l->count - 1], r)) {
			l->pieces[l->count - 1].len += r->len;
			continue;
		}
		l->pieces[l->count++] = (struct fm_loaded_piece){
			.gpa = r->gpa, .len = r->len, .block = r->block, .block_off = r->block_off
		};
	}
	return 0;
}

static const uint8_t *now(const struct fm_loaded_piece *p)
{
	return (const uint8_t *)fm_block_ptr(p->block) + p->block_off;
}

static int copy(struct fm_loaded *l, struct fm_error *err)
{
	uint64_t total = 0;
	uint8_t *at;

	for (size_t i = 0; i < l->count; i++) {
		if (l->pieces[i].len > MOST - total)
			return fm_error_set(err, FM_ERR_SIZE, 0,
					    "loaded firmware: more than 0x%" PRIx64
					    " bytes are mapped, expected at most that",
					    MOST);
		total += l->pieces[i].len;
	}
	if (!total)
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0,
				    "loaded firmware: no block of the roles is mapped");
	at = l->copy = malloc((size_t)total);
	if (!at)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "loaded firmware: out of memory");
	for (size_t i = 0; i < l->count; i++) {
		struct fm_loaded_piece *p = &l->pieces[i];

		memcpy(at, now(p), (size_t)p->len);
		p->bytes = at;
		at += p->len;
	}
	return 0;
}

int fm_loaded_new(struct fm_loaded **out, struct fm_space *space, uint64_t roles,
		  struct fm_error *err)
{
	struct fm_loaded *l = calloc(1, sizeof(*l));
	const struct fm_view *view;
	int ret;

	if (!l)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "loaded firmware: out of memory");
	l->roles = roles ? roles : DEFAULT_ROLES;
	view = fm_space_view_get(space);
	ret = find(l, view, err);
	fm_view_put(view);
	if (!ret)
		ret = copy(l, err);
	if (ret) {
		fm_loaded_free(l);
		return ret;
	}
	*out = l;
	return 0;
}

void fm_loaded_free(struct fm_loaded *loaded)
{
	if (!loaded)
		return;
	free(loaded->copy);
	free(loaded->pieces);
	free(loaded);
}

size_t fm_loaded_count(const struct fm_loaded *loaded)
{
	return loaded->count;
}

const struct fm_loaded_piece *fm_loaded_piece(const struct fm_loaded *loaded, size_t n)
{
	return n < loaded->count ? &loaded->pieces[n] : NULL;
}

int fm_loaded_image(const struct fm_loaded *loaded, uint64_t end, const void **bytes, uint64_t *len,
		    struct fm_error *err)
{
	const struct fm_loaded_piece *p = loaded->pieces;
	size_t last = loaded->count, first;

	end = end ? end : UINT64_C(1) << 32;
	while (last && p[last - 1].gpa + p[last - 1].len != end)
		last--;
	if (!last)
		return fm_error_set(err, FM_ERR_NOT_FOUND, 0,
				    "loaded firmware: no block ends at 0x%" PRIx64, end);
	/* The copies lie one behind the other, as the pieces do. */
	for (first = last - 1; first && p[first - 1].gpa + p[first - 1].len == p[first].gpa;)
		first--;
	*bytes = p[first].bytes;
	*len = end - p[first].gpa;
	return 0;
}

/* --- still the same? ------------------------------------------------------------------------- */

static int check_piece(const struct fm_loaded_piece *p, struct fm_error *err)
{
	const uint8_t *is = now(p);
	uint64_t at = 0;

	if (!memcmp(p->bytes, is, (size_t)p->len))
		return 0;
	while (p->bytes[at] == is[at])
		at++;
	return fm_error_set(err, FM_ERR_STATE, 0,
			    "block %s: 0x%" PRIx64 " (gpa 0x%" PRIx64
			    "): 0x%02x, expected 0x%02x as it was loaded",
			    fm_block_name(p->block), p->block_off + at, p->gpa + at, is[at],
			    p->bytes[at]);
}

static bool same_place(const struct fm_loaded_piece *a, const struct fm_loaded_piece *b)
{
	return a->gpa == b->gpa && a->len == b->len && a->block == b->block &&
	       a->block_off == b->block_off;
}

static int check_map(const struct fm_loaded *was, const struct fm_loaded *is, struct fm_error *err)
{
	size_t i = 0;
	uint64_t gpa;

	while (i < was->count && i < is->count && same_place(&was->pieces[i], &is->pieces[i]))
		i++;
	if (i == was->count && i == is->count)
		return 0;
	gpa = i < was->count ? was->pieces[i].gpa : is->pieces[i].gpa;
	return fm_error_set(err, FM_ERR_STATE, 0,
			    "loaded firmware: at 0x%" PRIx64
			    " something else is mapped than when it was loaded",
			    gpa);
}

int fm_loaded_check(const struct fm_loaded *loaded, struct fm_space *space, struct fm_error *err)
{
	struct fm_loaded is = { .roles = loaded->roles };
	const struct fm_view *view = fm_space_view_get(space);
	int ret = find(&is, view, err);

	fm_view_put(view);
	if (!ret)
		ret = check_map(loaded, &is, err);
	free(is.pieces);
	for (size_t i = 0; !ret && i < loaded->count; i++)
		ret = check_piece(&loaded->pieces[i], err);
	return ret;
}
