/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/ppi_private.h"

#include <firmem/dirty.h>
#include <firmem/ppi.h>
#include <firmem/private.h>

#include "devices/config.h"
#include "devices/guestmem.h"

#include <stdlib.h>

struct ppi {
	struct fm_block *block;
	struct fm_dirty *dirty;
	uint8_t *page;
	uint64_t len;
};

/* --- the request ---------------------------------------------------------------------------- */

static uint8_t *request_of(const struct fm_block *block)
{
	return (uint8_t *)fm_block_ptr(block) + FM_PPI_MEMORY_OVERWRITE;
}

bool fmi_ppi_holds_request(const struct fm_block *block, uint64_t off, uint64_t len)
{
	return fm_block_role(block) == FM_ROLE_PPI && off <= FM_PPI_MEMORY_OVERWRITE &&
	       len > FM_PPI_MEMORY_OVERWRITE - off &&
	       !fm_private_at(block, FM_PPI_MEMORY_OVERWRITE, NULL);
}

bool fmi_ppi_asks(const struct fm_block *block)
{
	return fmi_ppi_holds_request(block, 0, fm_block_len(block)) &&
	       (fmi_mem_load8(request_of(block)) & FM_PPI_CLEAR_MEMORY);
}

unsigned fmi_ppi_answer(struct fm_block *block, uint64_t off, uint64_t len, bool whole)
{
	uint8_t *page = (uint8_t *)fm_block_ptr(block) + off;
	uint64_t at = FM_PPI_MEMORY_OVERWRITE - off;

	/* The request goes last: until that one store a crash leaves it. */
	if (whole) {
		fmi_mem_fill(page, 0, (size_t)at);
		fmi_mem_fill(page + at + 1, 0, (size_t)(len - at - 1));
	}
	__atomic_and_fetch(request_of(block), (uint8_t)(whole ? 0 : ~FM_PPI_CLEAR_MEMORY),
			   __ATOMIC_SEQ_CST);
	if (!whole) {
		off = FM_PPI_MEMORY_OVERWRITE;
		len = 1;
	}
	return fm_dirty_mark(fm_block_dirty(block), off, len) ? FM_EFF_DIRTY : 0;
}

/* --- the device ----------------------------------------------------------------------------- */

static unsigned ppi_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			 struct fm_attrs attrs)
{
	struct ppi *p = state;

	*value = fmi_mem_read(p->page + off, size);
	return 0;
}

static unsigned ppi_write(void *state, uint64_t off, unsigned size, uint64_t value,
			  struct fm_attrs attrs)
{
	struct ppi *p = state;

	fmi_mem_write(p->page + off, size, value);
	return fm_dirty_mark(p->dirty, off, size) ? FM_EFF_DIRTY : 0;
}

static void ppi_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct ppi *p = state;

	out->len = p->len;
	out->prot = FM_MAP_READ | FM_MAP_WRITE;
	out->flags = FM_MAP_STABLE;
	out->block = p->block;
}

static unsigned clear(struct ppi *p)
{
	fmi_mem_fill(p->page, 0, (size_t)p->len);
	return fm_dirty_mark(p->dirty, 0, p->len) ? FM_EFF_DIRTY : 0;
}

static unsigned ppi_reset(void *state, enum fm_reset_kind kind)
{
	return kind == FM_RESET_POWER_ON ? clear(state) : 0;
}

static int ppi_sanitize(void *state, struct fm_error *err)
{
	clear(state);
	return 0;
}

/* The page is a block: it has its own way. */
static void ppi_save(void *state, struct fm_state_writer *w)
{
	fm_state_put_u64(w, ((struct ppi *)state)->len);
}

static int ppi_load(void *state, struct fm_state_reader *r, struct fm_error *err)
{
	struct ppi *p = state;
	uint64_t len = fm_state_get_u64(r);

	if (fm_state_overrun(r) || fm_state_left(r) || len != p->len)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: saved state: length 0x%llx, expected 0x%llx in 8 bytes",
				    fm_block_name(p->block), (unsigned long long)len,
				    (unsigned long long)p->len);
	return 0;
}

static void ppi_describe(void *state, const struct fm_visitor *v)
{
	struct ppi *p = state;

	v->text(v->ctx, "block", fm_block_name(p->block));
	v->u64(v->ctx, "memory_overwrite", fmi_ppi_asks(p->block));
}

static const struct fm_dev_ops ppi_ops = {
	.struct_size = sizeof(ppi_ops),
	.type = "tpm-ppi",
	.version = 1,
	.read = ppi_read,
	.write = ppi_write,
	.map = ppi_map,
	.reset = ppi_reset,
	.sanitize = ppi_sanitize,
	.save = ppi_save,
	.load = ppi_load,
	.describe = ppi_describe,
	.free = free,
};

static struct ppi *ppi_of(struct fm_dev *dev)
{
	return dev ? fm_dev_state(dev, &ppi_ops) : NULL;
}

int fm_ppi_new(struct fm_dev **out, const struct fm_ppi_config *cfg, struct fm_error *err)
{
	struct fm_dev_config dev = { .struct_size = sizeof(dev) };
	struct fm_ppi_config c;
	struct ppi *p;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_ppi_config", err);

	if (rc)
		return rc;
	if (!c.block)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_ppi_config.block is NULL");
	dev.name = c.name ? c.name : fm_block_name(c.block);
	dev.len = fm_block_len(c.block);
	if (fm_block_role(c.block) != FM_ROLE_PPI || dev.len < FM_PPI_LEN ||
	    (fm_block_flags(c.block) & FM_BLOCK_READONLY))
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"%s: block %s has role %s and 0x%llx bytes%s, expected a "
			"writable one of role ppi with at least 0x%x",
			dev.name, fm_block_name(c.block), fm_role_name(fm_block_role(c.block)),
			(unsigned long long)dev.len,
			fm_block_flags(c.block) & FM_BLOCK_READONLY ? ", read-only" : "",
			FM_PPI_LEN);
	p = calloc(1, sizeof(*p));
	if (!p)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", dev.name);
	p->block = c.block;
	p->dirty = fm_block_dirty(c.block);
	p->page = fm_block_ptr(c.block);
	p->len = dev.len;
	rc = fm_dev_new(out, &ppi_ops, p, &dev, err);
	if (rc)
		free(p);
	return rc;
}

int fm_ppi_memory_overwrite(struct fm_dev *dev)
{
	struct ppi *p = ppi_of(dev);

	return p ? fmi_ppi_asks(p->block) : FM_ERR_ARG;
}

int fm_ppi_acknowledge(struct fm_dev *dev)
{
	struct ppi *p = ppi_of(dev);

	if (!p)
		return FM_ERR_ARG;
	if (!fmi_ppi_holds_request(p->block, 0, p->len))
		return FM_ERR_STATE;
	fmi_ppi_answer(p->block, 0, p->len, false);
	return 0;
}
