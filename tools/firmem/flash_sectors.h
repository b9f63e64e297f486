/* SPDX-License-Identifier: BSD-2-Clause */
/* flash_sectors: the value of --sector, "SIZE[xCOUNT][,...]". */
#ifndef FIRMEM_TOOLS_FLASH_SECTORS_H
#define FIRMEM_TOOLS_FLASH_SECTORS_H

#include <firmem/flash.h>

struct sectors {
	struct fm_flash_region region[FM_FLASH_REGIONS];
	unsigned count;
	bool open;    /* the last region has no count yet: it fills the rest */
	uint64_t sum; /* bytes of the regions that have one */
};

/* False after a complaint that names --sector. */
bool sectors_parse(struct sectors *out, const char *text, const char *command);
/* Let them make `size` bytes together; *size 0: what they make. False after a complaint. */
bool sectors_fit(struct sectors *s, uint64_t *size, const char *text, const char *command);

#endif
