/* SPDX-License-Identifier: BSD-2-Clause */
/* reset_letters: the reset matrix, apart from the library's. */
#ifndef FIRMEM_TESTS_RESET_LETTERS_H
#define FIRMEM_TESTS_RESET_LETTERS_H

#include <firmem/reset.h>

/*
 * The matrix again, written by hand: a letter for each kind in the order of enum fm_reset_kind, without
 * and with a request. K keep, Z zero, R reload, F flush-keep, L load, D discard, U unplug, B rebuild,
 * N refuse, A acknowledge.
 */
static const char reset_letters[] = "KZRFLDUBNA";

static const char *const reset_matrix[FM_ROLE_COUNT][2] = {
	[FM_ROLE_RAM] = { "ZKKKLD", "ZZKKLD" },
	[FM_ROLE_DIMM] = { "ZKKKLD", "ZZKKLD" },
	[FM_ROLE_VIRTIO_MEM] = { "UUKKLD", "UUKKLD" },
	[FM_ROLE_ROM] = { "RRKKLR", "RRKKLR" },
	[FM_ROLE_OPTION_ROM] = { "RRKKLR", "RRKKLR" },
	[FM_ROLE_FLASH_CODE] = { "FFFKKF", "FFFKKF" },
	[FM_ROLE_FLASH_VARS] = { "FFFKLF", "FFFKLF" },
	[FM_ROLE_VRAM] = { "ZKKKLZ", "ZZKKLZ" },
	[FM_ROLE_NVDIMM] = { "FFFKKF", "FFFKKF" },
	[FM_ROLE_LABEL] = { "FFFKKF", "FFFKKF" },
	[FM_ROLE_VIRTIO_PMEM] = { "FFFKKF", "FFFKKF" },
	[FM_ROLE_TABLE] = { "RRKKLR", "RRKKLR" },
	[FM_ROLE_DEVICE] = { "ZZKKLZ", "ZZKKLZ" },
	[FM_ROLE_PPI] = { "ZKKKLZ", "AAKKKA" },
	[FM_ROLE_SMRAM] = { "ZKKKLD", "ZZKKLD" },
	[FM_ROLE_PRIVATE] = { "DNNKNB", "BBNKNB" },
	[FM_ROLE_S3_PRESERVED] = { "ZKKKLD", "ZZKKLD" },
};

#endif
