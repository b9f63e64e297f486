/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file is a saved state (firmem/state.h) of type "firmem-flash-run", version 1. Its body: u64 length of
 * the bank, u64 length of the bank's own saved state, that state, then
 * for each run of bytes that are not FF u64 offset, u64 length, the bytes. All little-endian.
 */
#include "tools/firmem/flash_snapshot.h"

#include "tools/firmem/out.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 4096u /* what is FF is left out by the piece */
#define SPARE (64u << 20)

typedef unsigned long long ull;

/* What the verbs below work on. */
struct snapshot {
	const struct bank *bank;
	void *state; /* the bank's own */
	size_t state_len;
	uint8_t *contents; /* loading: the array that is to be */
};

/* --- saving -------------------------------------------------------------------------------- */

static bool is_erased(const uint8_t *p, size_t len)
{
	return *p == 0xff && !memcmp(p, p + 1, len - 1);
}

static size_t piece_len(uint64_t len, uint64_t off)
{
	return (size_t)(len - off < PIECE ? len - off : PIECE);
}

/* Where the run of pieces, erased or not, ends that `off` is in. */
static uint64_t run_end(const uint8_t *array, uint64_t len, uint64_t off, bool erased)
{
	while (off < len && is_erased(array + off, piece_len(len, off)) == erased)
		off += piece_len(len, off);
	return off;
}

static void save(void *state, struct fm_state_writer *w)
{
	const struct snapshot *s = state;
	const uint8_t *array = fm_block_ptr(s->bank->block);
	uint64_t len = fm_block_len(s->bank->block);
	uint64_t end;

	fm_state_put_u64(w, len);
	fm_state_put_u64(w, s->state_len);
	fm_state_put_bytes(w, s->state, s->state_len);
	for (uint64_t off = run_end(array, len, 0, true); off < len;
	     off = run_end(array, len, end, true)) {
		end = run_end(array, len, off, false);
		fm_state_put_u64(w, off);
		fm_state_put_u64(w, end - off);
		fm_state_put_bytes(w, array + off, end - off);
	}
}

/* --- loading ------------------------------------------------------------------------------- */

static int get_contents(struct snapshot *s, struct fm_state_reader *r, uint64_t len,
			struct fm_error *err)
{
	uint64_t past = 0; /* the end of the last run */

	memset(s->contents, 0xff, len);
	while (fm_state_left(r)) {
		uint64_t off = fm_state_get_u64(r);
		uint64_t n = fm_state_get_u64(r);

		if (off < past || off >= len || !n || n > len - off || n > fm_state_left(r))
			return fm_error_set(
				err, FM_ERR_FORMAT, 0,
				"contents: 0x%llx bytes at 0x%llx, expected them between "
				"0x%llx and 0x%llx",
				(ull)n, (ull)off, (ull)past, (ull)len);
		fm_state_get_bytes(r, s->contents + off, n);
		past = off + n;
	}
	return 0;
}

static int load(void *state, struct fm_state_reader *r, struct fm_error *err)
{
	struct snapshot *s = state;
	uint64_t len = fm_block_len(s->bank->block);
	uint64_t saved = fm_state_get_u64(r);
	uint64_t state_len;
	int rc;

	state_len = fm_state_get_u64(r);
	if (fm_state_overrun(r) || state_len > fm_state_left(r))
		return fm_error_set(err, FM_ERR_FORMAT, 0, "the saved bank ends early");
	if (saved != len)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "a bank of 0x%llx bytes, expected 0x%llx", (ull)saved,
				    (ull)len);
	s->state_len = (size_t)state_len;
	s->state = out_need(malloc(s->state_len + 1));
	s->contents = out_need(malloc(len));
	fm_state_get_bytes(r, s->state, s->state_len);
	rc = get_contents(s, r, len, err);
	/* The last check, and the first change. */
	return rc ? rc : fm_dev_load(s->bank->dev, s->state, s->state_len, err);
}

/* --- the file ------------------------------------------------------------------------------ */

static const struct fm_dev_ops ops = {
	.struct_size = sizeof(ops),
	.type = "firmem-flash-run",
	.version = 1,
	.save = save,
	.load = load,
};

static int fail(const char *path, const struct fm_error *why, struct fm_error *err)
{
	return fm_error_set(err, why->code, why->sys, "%s: %s", path, why->msg);
}

int snapshot_save(const struct bank *bank, const char *path, struct fm_error *err)
{
	struct snapshot s = { .bank = bank };
	struct fm_dev_config cfg = { sizeof(cfg), fm_dev_name(bank->dev), fm_dev_len(bank->dev) };
	struct fm_dev *dev = NULL;
	void *bytes = NULL;
	size_t len;
	int rc = fm_dev_save(bank->dev, &s.state, &s.state_len, err);

	if (!rc)
		rc = fm_dev_new(&dev, &ops, &s, &cfg, err);
	if (!rc)
		rc = fm_dev_save(dev, &bytes, &len, err);
	if (!rc)
		rc = fm_io_store(NULL, path, bytes, len, err);
	free(bytes);
	fm_dev_free(dev);
	free(s.state);
	return rc;
}

/* The state is loaded: the contents too, in memory and in the image. */
static int bring_contents(const struct bank *bank, const uint8_t *contents, struct fm_error *err)
{
	memcpy(fm_block_ptr(bank->block), contents, fm_block_len(bank->block));
	return fm_dev_flush(bank->dev, err);
}

int snapshot_load(const struct bank *bank, const char *path, struct fm_error *err)
{
	struct snapshot s = { .bank = bank };
	struct fm_dev_config cfg = { sizeof(cfg), fm_dev_name(bank->dev), fm_dev_len(bank->dev) };
	size_t most = fm_dev_len(bank->dev) + fm_dev_len(bank->dev) / 8 + SPARE;
	struct fm_dev *dev = NULL;
	struct fm_error why;
	void *bytes;
	size_t len;
	int rc = fm_io_load(NULL, path, most, &bytes, &len, err);

	if (rc)
		return rc;
	rc = fm_dev_new(&dev, &ops, &s, &cfg, &why);
	if (!rc)
		rc = fm_dev_load(dev, bytes, len, &why);
	if (rc)
		fail(path, &why, err);
	else
		rc = bring_contents(bank, s.contents, err);
	fm_dev_free(dev);
	free(s.contents);
	free(s.state);
	free(bytes);
	return rc;
}
