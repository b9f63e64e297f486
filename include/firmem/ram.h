/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ram: a block that the guest reads, writes and executes without a trap. Main memory, DIMMs,
 * SMRAM, device RAM: the block's role says which.
 */
#ifndef FIRMEM_RAM_H
#define FIRMEM_RAM_H

#include <firmem/block.h>
#include <firmem/device.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_ram_config {
	size_t struct_size;     /* sizeof(struct fm_ram_config) */
	const char *name;       /* of the device; NULL = the block's name */
	struct fm_block *block; /* borrowed; outlives the device */
	bool read_only;         /* guest writes are dropped (a write-protected window) */
};

/*
 * Accesses of any alignment; aligned ones of up to 8 bytes are single-copy atomic. Writes mark the
 * block's dirty log and return FM_EFF_DIRTY when that set a bit. reset() keeps the contents (the
 * reset policy clears blocks), sanitize() zeroes them, flush() syncs a shared file.
 * FM_ERR_ARG, FM_ERR_NOMEM.
 */
FM_API int fm_ram_new(struct fm_dev **out, const struct fm_ram_config *cfg, struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
