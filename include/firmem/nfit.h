/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nfit: the table by which firmware tells what NVDIMMs there are (ACPI 6.5, 5.2.25), structure by
 * structure, and the structures that QEMU makes of a DIMM. From libfirmem-nvdimm.
 */
#ifndef FIRMEM_NFIT_H
#define FIRMEM_NFIT_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A table under way. One thread at a time; a failure sticks and is reported by fm_nfit_finish(). */
struct fm_nfit;

/* FM_ERR_NOMEM. */
FM_API int fm_nfit_new(struct fm_nfit **out, struct fm_error *err);
/* NULL is fine. */
FM_API void fm_nfit_free(struct fm_nfit *nfit);

enum fm_nfit_type {
	FM_NFIT_SPA = 0,
	FM_NFIT_MEMDEV,
	FM_NFIT_INTERLEAVE,
	FM_NFIT_SMBIOS,
	FM_NFIT_CONTROL,
	FM_NFIT_BLOCK_WINDOW,
	FM_NFIT_FLUSH_HINT,
	FM_NFIT_CAPABILITIES,
};

enum fm_nfit_spa_flag {
	FM_NFIT_SPA_ONLINE = 1 << 0,    /* for add and online operations only */
	FM_NFIT_SPA_PROXIMITY = 1 << 1, /* the proximity domain is valid */
	FM_NFIT_SPA_COOKIE = 1 << 2,    /* it has a location cookie: 64 bytes instead of 56 */
};

/* Type 0: a range of system physical addresses. Numbers as in the table. */
struct fm_nfit_spa {
	uint16_t index; /* not 0 */
	uint16_t flags; /* enum fm_nfit_spa_flag */
	uint32_t proximity;
	uint8_t guid[16]; /* as it is stored; all zero: byte-addressable persistent memory */
	uint64_t base;
	uint64_t len;
	uint64_t attributes; /* EFI memory attributes; 0: 0x8008, write-back and non-volatile */
	uint64_t cookie;
};

/* State of a DIMM's region. */
enum fm_nfit_memdev_flag {
	FM_NFIT_SAVE_FAILED = 1 << 0,
	FM_NFIT_RESTORE_FAILED = 1 << 1,
	FM_NFIT_FLUSH_FAILED = 1 << 2,
	FM_NFIT_UNARMED = 1 << 3,
	FM_NFIT_HEALTH_OBSERVED = 1 << 4,
	FM_NFIT_HEALTH_ENABLED = 1 << 5,
	FM_NFIT_MAP_FAILED = 1 << 6,
};

/* Type 1: a part of a range that a DIMM gives. */
struct fm_nfit_memdev {
	uint32_t handle;    /* fm_nfit_handle() */
	uint16_t phys_id;   /* of SMBIOS */
	uint16_t region_id; /* unique for the DIMM */
	uint16_t spa;       /* index of the range; 0: none */
	uint16_t control;   /* index of the control region; 0: none */
	uint64_t size;
	uint64_t region_offset; /* of its first byte in the range */
	uint64_t dpa;           /* in the DIMM */
	uint16_t interleave;    /* index; 0: none */
	uint16_t ways;          /* 0 counts as 1 */
	uint16_t flags;         /* enum fm_nfit_memdev_flag */
};

/* Type 4: what a DIMM is; 80 bytes. */
struct fm_nfit_control {
	uint16_t index; /* not 0 */
	uint16_t vendor, device, revision;
	uint16_t subsystem_vendor, subsystem_device, subsystem_revision;
	bool manufacturing; /* location and date are valid */
	uint8_t mfg_location;
	uint16_t mfg_date;
	uint32_t serial;
	uint16_t format; /* format interface code: 0x301 byte-addressable, 0x101, 0x201 */
	uint16_t windows;
	uint64_t window_size, command_offset, command_size, status_offset, status_size;
	uint16_t flags;
};

/* Type 5: block windows of a control region. */
struct fm_nfit_block_window {
	uint16_t control; /* index */
	uint16_t windows;
	uint64_t offset, size, capacity, first_block;
};

/* bits 3:0 DIMM, 7:4 channel, 11:8 controller, 15:12 socket, 27:16 node. */
FM_API uint32_t fm_nfit_handle(unsigned node, unsigned socket, unsigned controller,
			       unsigned channel, unsigned dimm);

/* Append a structure of type 0, of type 1. What is wrong shows at the end. */
FM_API void fm_nfit_add_spa(struct fm_nfit *nfit, const struct fm_nfit_spa *spa);
FM_API void fm_nfit_add_memdev(struct fm_nfit *nfit, const struct fm_nfit_memdev *memdev);
/* Type 2: `count` line offsets, in lines of the range, for lines of `line_size` bytes. */
FM_API void fm_nfit_add_interleave(struct fm_nfit *nfit, uint16_t index, uint32_t line_size,
				   const uint32_t *offsets, uint32_t count);
/* Type 3: SMBIOS structures, at most 65527 bytes. */
FM_API void fm_nfit_add_smbios(struct fm_nfit *nfit, const void *bytes, size_t len);
FM_API void fm_nfit_add_control(struct fm_nfit *nfit, const struct fm_nfit_control *control);
FM_API void fm_nfit_add_block_window(struct fm_nfit *nfit,
				     const struct fm_nfit_block_window *window);
/* Type 6: addresses that a write to makes the DIMM flush; at most 1024. */
FM_API void fm_nfit_add_flush_hint(struct fm_nfit *nfit, uint32_t handle, const uint64_t *addresses,
				   uint16_t count);

enum fm_nfit_capability {
	FM_NFIT_CPU_CACHE = 1 << 0,  /* CPU caches reach the memory when power fails */
	FM_NFIT_CONTROLLER = 1 << 1, /* memory controllers do */
	FM_NFIT_MIRRORING = 1 << 2,
};
/* Type 7: enum fm_nfit_capability; the highest valid bit is the highest that is set. */
FM_API void fm_nfit_add_capabilities(struct fm_nfit *nfit, uint32_t capabilities);

/* A DIMM as QEMU 7.2 tells of it: types 0, 1 and 4 of a range of its own. */
struct fm_nfit_qemu {
	unsigned slot; /* 0 to 255: handle, indices and serial number follow */
	uint64_t base;
	uint64_t len;  /* without labels */
	uint32_t node; /* proximity domain */
	bool unarmed;
};
FM_API void fm_nfit_add_qemu(struct fm_nfit *nfit, const struct fm_nfit_qemu *dimm);

/*
 * Hand the table over: malloc'd, the caller's to free(); its header is QEMU's. `structures` true: without the
 * header, as _FIT returns them. The builder is as new then. FM_ERR_ARG (the first bad field: an index 0, or of
 * nothing or twice, a range that wraps, a structure that is too long), FM_ERR_NOMEM.
 */
FM_API int fm_nfit_finish(struct fm_nfit *nfit, bool structures, void **out, size_t *len,
			  struct fm_error *err);

#ifdef __cplusplus
}
#endif

#endif
