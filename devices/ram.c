/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/dirty.h>
#include <firmem/ram.h>

#include "devices/config.h"
#include "devices/guestmem.h"

#include <stdlib.h>

struct ram {
	struct fm_block *block;
	struct fm_dirty *dirty;
	uint8_t *host;
	uint64_t len;
	bool read_only;
};

static unsigned ram_read(void *state, uint64_t off, unsigned size, uint64_t *value,
			 struct fm_attrs attrs)
{
	struct ram *ram = state;

	*value = fmi_mem_read(ram->host + off, size);
	return 0;
}

static unsigned ram_write(void *state, uint64_t off, unsigned size, uint64_t value,
			  struct fm_attrs attrs)
{
	struct ram *ram = state;

	if (ram->read_only)
		return 0;
	fmi_mem_write(ram->host + off, size, value);
	return fm_dirty_mark(ram->dirty, off, size) ? FM_EFF_DIRTY : 0;
}

static void ram_map(void *state, uint64_t off, struct fm_mapping *out)
{
	struct ram *ram = state;

	out->off = 0;
	out->len = ram->len;
	out->prot = FM_MAP_READ | FM_MAP_EXEC | (ram->read_only ? 0 : FM_MAP_WRITE);
	out->flags = FM_MAP_STABLE;
	out->block = ram->block;
	out->block_off = 0;
}

static int ram_flush(void *state, struct fm_error *err)
{
	struct ram *ram = state;

	return fm_block_sync(ram->block, 0, ram->len, err);
}

/* Flash without its chips is erased all the same, as its guest and the reset policy expect. */
static uint8_t blank(const struct fm_block *block)
{
	enum fm_role role = fm_block_role(block);

	return role == FM_ROLE_FLASH_CODE || role == FM_ROLE_FLASH_VARS ? 0xff : 0;
}

static int ram_sanitize(void *state, struct fm_error *err)
{
	struct ram *ram = state;

	if (fm_block_flags(ram->block) & FM_BLOCK_READONLY)
		return fm_error_set(err, FM_ERR_ACCESS, 0,
				    "%s: the block is read-only, expected a writable one",
				    fm_block_name(ram->block));
	fmi_mem_fill(ram->host, blank(ram->block), ram->len);
	fm_dirty_mark(ram->dirty, 0, ram->len);
	return ram_flush(ram, err);
}

/* Memory has no registers: the envelope alone says that the device was there. */
static void ram_save(void *state, struct fm_state_writer *w)
{
	struct ram *ram = state;

	fm_state_put_u64(w, ram->len);
}

static int ram_load(void *state, struct fm_state_reader *r, struct fm_error *err)
{
	struct ram *ram = state;
	uint64_t len = fm_state_get_u64(r);

	if (fm_state_overrun(r) || fm_state_left(r))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: saved state: body of the wrong length, expected 8 bytes",
				    fm_block_name(ram->block));
	if (len != ram->len)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: saved state: length 0x%llx, expected 0x%llx",
				    fm_block_name(ram->block), (unsigned long long)len,
				    (unsigned long long)ram->len);
	return 0;
}

static void ram_describe(void *state, const struct fm_visitor *v)
{
	struct ram *ram = state;

	v->text(v->ctx, "block", fm_block_name(ram->block));
	v->u64(v->ctx, "read_only", ram->read_only);
}

static const struct fm_dev_ops ram_ops = {
	.struct_size = sizeof(ram_ops),
	.type = "ram",
	.version = 1,
	.read = ram_read,
	.write = ram_write,
	.map = ram_map,
	.flush = ram_flush,
	.sanitize = ram_sanitize,
	.save = ram_save,
	.load = ram_load,
	.describe = ram_describe,
	.free = free,
};

int fm_ram_new(struct fm_dev **out, const struct fm_ram_config *cfg, struct fm_error *err)
{
	struct fm_ram_config c;
	struct ram *ram;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_ram_config", err);

	if (rc)
		return rc;
	if (!c.block)
		return fm_error_set(err, FM_ERR_ARG, 0, "fm_ram_config.block is NULL");
	ram = calloc(1, sizeof(*ram));
	if (!ram)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory",
				    fm_block_name(c.block));
	ram->block = c.block;
	ram->dirty = fm_block_dirty(c.block);
	ram->host = fm_block_ptr(c.block);
	ram->len = fm_block_len(c.block);
	ram->read_only = c.read_only || (fm_block_flags(c.block) & FM_BLOCK_READONLY);
	rc = fm_dev_new(out, &ram_ops, ram,
			&(struct fm_dev_config){ .struct_size = sizeof(struct fm_dev_config),
						 .name = c.name ? c.name : fm_block_name(c.block),
						 .len = ram->len },
			err);
	if (rc)
		free(ram);
	return rc;
}
