/* SPDX-License-Identifier: BSD-2-Clause */
/* A bank of flash as a device: its verbs and its making. */
#include "flash/flash_private.h"

#include "devices/config.h"

#include <stdlib.h>
#include <string.h>

/* --- the other verbs ----------------------------------------------------------------------- */

static int flash_flush(void *state, struct fm_error *err)
{
	struct fmi_flash *f = state;
	int rc = f->image ? fm_write_behind_flush(f->image, err) : 0;

	/* The blocks themselves may be files. */
	if (!rc && f->registers.block)
		rc = fm_block_sync(f->registers.block, 0, f->registers.len, err);
	return rc ? rc : fm_block_sync(f->block, 0, f->geo.len, err);
}

static void reset_chips(struct fmi_flash *f)
{
	fmi_lanes_reset(f);
	memset(f->buffer, 0xff, f->geo.buffer_len);
	fmi_registers_reset_marks(f);
	f->unpolled = false;
}

static unsigned flash_reset(void *state, enum fm_reset_kind kind)
{
	struct fmi_flash *f = state;
	bool before = fmi_flash_mappable(f);

	/* One kernel jumps to another: nothing pulls the chips' reset line. */
	if (kind == FM_RESET_KEXEC)
		return 0;
	if (fmi_access_next_deadline_ns(f) != FM_NEVER)
		fmi_lanes_misuse(f, 0, "reset while an operation was under way");
	if (f->qemu.on)
		fmi_qemu_bank_reset(f, kind);
	else
		reset_chips(f);
	/* What a guest has done before a reset is done. A failure is told as any other. */
	if (f->image)
		fm_write_behind_commit(f->image, NULL);
	return fmi_access_remapped(f, before);
}

static unsigned flash_pump(void *state)
{
	struct fmi_flash *f = state;

	if (f->image)
		fm_write_behind_pump(f->image);
	return 0;
}

static int flash_sanitize(void *state, struct fm_error *err)
{
	struct fmi_flash *f = state;
	int rc;

	if (f->read_only)
		return fm_error_set(err, FM_ERR_ACCESS, 0,
				    "%s: the bank is read-only, expected a writable one",
				    fm_dev_name(f->dev));
	/* Words held for a program, under way or suspended, are contents too. */
	if (f->qemu.on)
		fmi_qemu_bank_reset(f, FM_RESET_POWER_ON);
	else
		reset_chips(f);
	fmi_array_sanitize(f);
	rc = flash_flush(f, err);
	/* The journal has the old contents still, in records that are in the image. */
	return rc || !f->image ? rc : fm_write_behind_scrub(f->image, err);
}

static void flash_save(void *state, struct fm_state_writer *w)
{
	fmi_flash_save(state, w);
}

static int flash_load(void *state, struct fm_state_reader *r, struct fm_error *err)
{
	struct fmi_flash *f = state;
	int rc = fmi_flash_load(f, r, err);

	/* Whoever restores a state has restored the block's contents too, or is about to. */
	if (!rc && f->image)
		fm_write_behind_stale(f->image);
	return rc;
}

static const char *narrow_name(enum fm_flash_narrow narrow)
{
	switch (narrow) {
	case FM_FLASH_NARROW_IGNORE:
		return "ignore";
	case FM_FLASH_NARROW_LANES:
		return "lanes";
	case FM_FLASH_NARROW_BROADCAST:
		return "broadcast";
	}
	return "unknown";
}

static const char *time_name(const struct fmi_flash *f)
{
	if (!f->part.timed)
		return "instant";
	return f->maximum ? "maximum" : "typical";
}

static void flash_describe(void *state, const struct fm_visitor *v)
{
	struct fmi_flash *f = state;

	v->text(v->ctx, "block", fm_block_name(f->block));
	v->text(v->ctx, "set", f->set == FM_FLASH_AMD ? "amd" : "intel");
	v->u64(v->ctx, "command_set", f->primary);
	v->u64(v->ctx, "bank_width", f->geo.bank_width);
	v->u64(v->ctx, "chip_width", f->geo.chip_width);
	if (f->set == FM_FLASH_AMD)
		v->u64(v->ctx, "byte_mode", f->geo.byte_mode);
	v->u64(v->ctx, "blocks", f->geo.blocks);
	for (unsigned i = 0; i < f->geo.nregions; i++) {
		v->u64(v->ctx, "block_len", f->geo.region[i].block_len);
		v->u64(v->ctx, "block_count", f->geo.region[i].count);
	}
	v->u64(v->ctx, "buffer_len", f->geo.buffer_len);
	v->text(v->ctx, "narrow", narrow_name(f->narrow));
	v->u64(v->ctx, "read_only", f->read_only);
	v->u64(v->ctx, "big_endian", f->big_endian);
	v->u64(v->ctx, "secure_only", f->secure_only);
	v->text(v->ctx, "time", time_name(f));
	for (unsigned bit = 1; fm_flash_quirk_name(bit); bit <<= 1) {
		if (f->part.quirks & bit)
			v->text(v->ctx, "quirk", fm_flash_quirk_name(bit));
	}
}

static void flash_free(void *state)
{
	struct fmi_flash *f = state;

	fm_write_behind_close(f->image);
	fmi_health_free(f->health);
	if (!f->registers.block)
		free(f->registers.bytes);
	free(f->marks);
	free(f->buffer);
	free(f);
}

/* Of both command sets; the type names the layout of the saved state. */
#define FLASH_OPS(SET)                                                                           \
	{                                                                                        \
		.struct_size = sizeof(struct fm_dev_ops), .type = "cfi-flash-" #SET,             \
		.version = FMI_FLASH_STATE_VERSION, .read = fmi_access_read_##SET,               \
		.write = fmi_access_write_##SET, .map = fmi_access_map, .tick = fmi_access_tick, \
		.next_deadline_ns = fmi_access_next_deadline_ns, .flush = flash_flush,           \
		.reset = flash_reset, .sanitize = flash_sanitize, .save = flash_save,            \
		.pump = flash_pump, .load = flash_load, .describe = flash_describe,              \
		.free = flash_free,                                                              \
	}

static const struct fm_dev_ops intel_ops = FLASH_OPS(intel);
static const struct fm_dev_ops amd_ops = FLASH_OPS(amd);

struct fmi_flash *fmi_flash_of(struct fm_dev *dev)
{
	struct fmi_flash *f;

	if (!dev)
		return NULL;
	f = fm_dev_state(dev, &intel_ops);
	return f ? f : fm_dev_state(dev, &amd_ops);
}

int fm_flash_stats(struct fm_dev *dev, struct fm_flash_stats *out)
{
	struct fmi_flash *f = fmi_flash_of(dev);

	if (!f || !out)
		return FM_ERR_ARG;
	*out = f->stats;
	out->programs += f->quick_words;
	out->program_bytes += f->quick_words * f->geo.bank_width;
	if (f->image) {
		struct fm_write_behind_stats host;

		fm_write_behind_stats(f->image, &host);
		out->host_writes = host.host_writes;
		out->host_bytes = host.host_bytes;
	}
	return 0;
}

int fm_flash_set_pins(struct fm_dev *dev, unsigned pins)
{
	struct fmi_flash *f = fmi_flash_of(dev);

	if (!f || (pins & ~FMI_FLASH_PINS))
		return FM_ERR_ARG;
	f->pins = pins;
	if (!(pins & FM_FLASH_PIN_WP_HIGH))
		fmi_array_hold_down(f);
	fmi_quick_set(f);
	return 0;
}

int fm_flash_erase_count(struct fm_dev *dev, uint32_t block, uint32_t *out)
{
	struct fmi_flash *f = fmi_flash_of(dev);

	if (!f || !out)
		return FM_ERR_ARG;
	if (!f->health)
		return FM_ERR_UNSUPPORTED;
	if (block >= f->geo.blocks)
		return FM_ERR_RANGE;
	*out = fmi_health_count(f, block);
	return 0;
}

struct fm_write_behind *fm_flash_image(struct fm_dev *dev)
{
	struct fmi_flash *f = fmi_flash_of(dev);

	return f ? f->image : NULL;
}

/* --- making one -------------------------------------------------------------------------- */

#define BAD(err, ...) fm_error_set(err, FM_ERR_ARG, 0, __VA_ARGS__)
#define TRAITS 12u /* enum fm_flash_trait has so many bits */

static int check_image(const struct fm_flash_config *c, const char *name, struct fm_error *err)
{
	if (c->image && c->use_image_fd)
		return BAD(err, "%s: fm_flash_config has both image and image_fd, expected one",
			   name);
	if (c->create && (!c->image || c->read_only))
		return BAD(err,
			   "%s: fm_flash_config.create is set, expected image (a path) with it and "
			   "read_only without",
			   name);
	if ((c->image || c->use_image_fd) && (fm_block_flags(c->block) & FM_BLOCK_READONLY))
		return BAD(err, "%s: block %s is read-only, expected one to read the image into",
			   name, fm_block_name(c->block));
	return 0;
}

/* Traits that mean nothing to chips of a set. */
static unsigned others_traits(enum fm_flash_set set)
{
	if (set == FM_FLASH_AMD)
		return FM_FLASH_NO_LOCK_DOWN | FM_FLASH_NO_CONFIGURATION | FM_FLASH_LOCKS_PERSIST |
		       FM_FLASH_LOCKED_AT_RESET;
	return FM_FLASH_NO_BYPASS | FM_FLASH_NO_STATUS | FM_FLASH_WP_FIRST | FM_FLASH_WP_LAST;
}

static int check(const struct fm_flash_config *c, const char *name, struct fm_error *err)
{
	if ((unsigned)c->set > FM_FLASH_INTEL_STANDARD)
		return BAD(err,
			   "%s: fm_flash_config.set is %d, expected %d (Intel), %d (AMD) or %d "
			   "(Intel standard)",
			   name, (int)c->set, FM_FLASH_INTEL, FM_FLASH_AMD,
			   FM_FLASH_INTEL_STANDARD);
	if ((unsigned)c->narrow > FM_FLASH_NARROW_BROADCAST)
		return BAD(err,
			   "%s: fm_flash_config.narrow is %d, expected 0 (ignore), 1 (lanes) or 2 "
			   "(broadcast)",
			   name, (int)c->narrow);
	if (c->traits >> TRAITS)
		return BAD(err, "%s: fm_flash_config.traits is 0x%x, expected bits below 0x%x",
			   name, c->traits, 1u << TRAITS);
	if (c->traits & others_traits(c->set))
		return BAD(
			err,
			"%s: fm_flash_config.traits is 0x%x, expected none of 0x%x, which are of "
			"the other command set",
			name, c->traits, others_traits(c->set));
	if (c->pins & ~FMI_FLASH_PINS)
		return BAD(err, "%s: fm_flash_config.pins is 0x%x, expected bits of 0x%x", name,
			   c->pins, FMI_FLASH_PINS);
	return check_image(c, name, err);
}

/* Intel 28F128J3, Spansion S29GL256P. */
static void init_codes(struct fmi_flash *f, const struct fm_flash_config *c)
{
	bool amd = c->set == FM_FLASH_AMD;

	f->manufacturer = amd ? 0x0001 : 0x0089;
	f->device_id = amd ? 0x227e : 0x0018;
	if (c->manufacturer)
		f->manufacturer = c->manufacturer;
	if (c->device_id)
		f->device_id = c->device_id;
	if (!amd)
		return;
	f->extended_id[0] = c->extended_id[0] || c->device_id ? c->extended_id[0] : 0x2222;
	f->extended_id[1] = c->extended_id[1] || c->device_id ? c->extended_id[1] : 0x2201;
}

/* What a bank cannot have, whatever its part has. */
static unsigned traits_of(const struct fmi_flash *f, const struct fm_flash_config *c)
{
	unsigned traits = c->traits;

	/* The registers' words have 16 bits. */
	if (f->set == FM_FLASH_INTEL && f->geo.chip_width == 1)
		traits |= FM_FLASH_NO_REGISTERS;
	if (c->quirks & FM_FLASH_QUIRK_ONE_STATE)
		traits |= FM_FLASH_NO_SUSPEND | FM_FLASH_NO_REGISTERS | FM_FLASH_NO_CONFIGURATION;
	return traits;
}

static void init_lanes(struct fmi_flash *f, const struct fm_flash_config *c)
{
	f->narrow = c->narrow;
	f->big_endian = c->big_endian;
	f->secure_only = c->secure_only;
	f->pins = c->pins;
	f->all = (1u << f->geo.chips) - 1;
	f->chip_mask = fmi_size_mask(f->geo.chip_width);
	f->word_mask = fmi_size_mask(f->geo.bank_width);
	f->part =
		(struct fmi_part){ .geo = &f->geo, .quirks = c->quirks, .traits = traits_of(f, c) };
	f->more_len = c->quirks & FM_FLASH_QUIRK_ONE_STATE ? 0 : f->geo.buffer_len;
	for (unsigned at = 0; at < f->geo.bank_width; at += f->geo.chip_width)
		f->repeat |= UINT64_C(1) << (8 * at);
}

static int init(struct fmi_flash *f, const struct fm_flash_config *c, const char *name,
		struct fm_error *err)
{
	int rc = fmi_geometry_init(&f->geo, c, name, err);

	if (!rc)
		rc = fmi_quirks_check(c, &f->geo, name, err);
	if (rc)
		return rc;
	f->block = c->block;
	f->dirty = fm_block_dirty(c->block);
	f->array = fm_block_ptr(c->block);
	f->set = c->set == FM_FLASH_AMD ? FM_FLASH_AMD : FM_FLASH_INTEL;
	f->primary = c->set == FM_FLASH_AMD ? 0x0002 : c->set == FM_FLASH_INTEL ? 0x0001 : 0x0003;
	f->read_only = c->read_only || (fm_block_flags(c->block) & FM_BLOCK_READONLY);
	init_codes(f, c);
	init_lanes(f, c);
	rc = fmi_times_init(f, c, name, err);
	if (!rc)
		rc = fmi_health_init(f, c->health, name, err);
	if (!rc)
		rc = fmi_registers_init(f, c, name, err);
	if (rc)
		return rc;
	f->buffer = malloc(f->geo.buffer_len);
	f->marks = malloc((size_t)f->geo.blocks * f->geo.chips);
	if (!f->buffer || !f->marks)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", name);
	reset_chips(f);
	fmi_query_build(f);
	if (c->quirks & FM_FLASH_QUIRK_QEMU_AMD)
		fmi_qemu_bank_init(f);
	fmi_quick_set(f);
	return 0;
}

/* The image hears what the guest changed. */
static unsigned on_medium(void *ctx, const struct fm_medium_op *op)
{
	struct fmi_flash *f = ctx;
	unsigned effects;

	if (!op->changed)
		return 0;
	if (op->kind == FM_MEDIUM_ERASE)
		effects = fm_write_behind_erase(f->image, op->off, op->len);
	else
		effects = fm_write_behind_store(f->image, op->off, op->len);
	if (effects & FM_EFF_IOERR)
		fm_trace_emit(f->dev, (struct fm_trace_event){ .kind = FM_TRACE_HOST_ERROR,
							       .off = op->off,
							       .size = op->len,
							       .text = "write of the image" });
	return effects;
}

static int open_image(struct fmi_flash *f, const struct fm_flash_config *c, struct fm_error *err)
{
	const struct fm_write_behind_config cfg = {
		.struct_size = sizeof(cfg),
		.name = fm_dev_name(f->dev),
		.array = f->array,
		.len = f->geo.len,
		.image = c->image,
		.use_image_fd = c->use_image_fd,
		.image_fd = c->image_fd,
		.create = c->create,
		.read_only = f->read_only,
		.mode = c->mode,
		.interval_ns = c->interval_ns,
		.journal = c->journal,
		.use_journal_fd = c->use_journal_fd,
		.journal_fd = c->journal_fd,
		.journal_len = c->journal_len,
		.worker = c->worker,
		.deferred = c->deferred,
		.dev = f->dev,
		.io = c->io,
	};
	int rc;

	if (!c->image && !c->use_image_fd)
		return 0;
	rc = fm_write_behind_open(&f->image, &cfg, err);
	if (rc)
		return rc;
	f->fail_guest = c->fail_guest;
	fmi_quick_set(f);
	fm_dirty_mark(f->dirty, 0, f->geo.len);
	f->image_sub = (struct fm_medium_sub){ .op = on_medium, .ctx = f };
	if (!f->read_only && c->mode != FM_WRITE_NONE)
		fm_dev_subscribe(f->dev, &f->image_sub);
	return 0;
}

int fm_flash_new(struct fm_dev **out, const struct fm_flash_config *cfg, struct fm_error *err)
{
	struct fm_flash_config c;
	struct fm_dev_config dev = { .struct_size = sizeof(dev) };
	struct fmi_flash *f;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_flash_config", err);

	if (rc)
		return rc;
	if (!c.block)
		return BAD(err, "fm_flash_config.block is NULL");
	dev.name = c.name ? c.name : fm_block_name(c.block);
	dev.len = fm_block_len(c.block);
	rc = check(&c, dev.name, err);
	if (rc)
		return rc;
	f = calloc(1, sizeof(*f));
	if (!f)
		return fm_error_set(err, FM_ERR_NOMEM, 0, "%s: out of memory", dev.name);
	rc = init(f, &c, dev.name, err);
	if (!rc)
		rc = fm_dev_new(&f->dev, c.set == FM_FLASH_AMD ? &amd_ops : &intel_ops, f, &dev,
				err);
	if (rc) {
		flash_free(f);
		return rc;
	}
	rc = open_image(f, &c, err);
	if (rc) {
		fm_dev_free(f->dev);
		return rc;
	}
	fmi_registers_factory(f, c.unique);
	*out = f->dev;
	return 0;
}

int fm_flash_registers_len(const struct fm_flash_config *cfg, uint64_t *len, struct fm_error *err)
{
	struct fm_flash_config c;
	struct fmi_geometry geo;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_flash_config", err);

	if (rc)
		return rc;
	if (!c.block || !len)
		return BAD(err, "fm_flash_config.block or len is NULL");
	rc = check(&c, c.name ? c.name : fm_block_name(c.block), err);
	if (!rc)
		rc = fmi_geometry_init(&geo, &c, c.name ? c.name : fm_block_name(c.block), err);
	if (!rc)
		*len = fmi_registers_len(c.set, &geo);
	return rc;
}
