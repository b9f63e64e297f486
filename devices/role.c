/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/block.h>

#include <string.h>

struct role {
	const char *name;
	bool nonvolatile;
};

/* What a power cycle takes from real hardware of that kind decides `nonvolatile`. */
static const struct role roles[FM_ROLE_COUNT] = {
	[FM_ROLE_NONE] = { "none", false },
	[FM_ROLE_RAM] = { "ram", false },
	[FM_ROLE_DIMM] = { "dimm", false },
	[FM_ROLE_VIRTIO_MEM] = { "virtio-mem", false },
	[FM_ROLE_ROM] = { "rom", false },
	[FM_ROLE_OPTION_ROM] = { "option-rom", false },
	[FM_ROLE_FLASH_CODE] = { "flash-code", true },
	[FM_ROLE_FLASH_VARS] = { "flash-vars", true },
	[FM_ROLE_VRAM] = { "vram", false },
	[FM_ROLE_NVDIMM] = { "nvdimm", true },
	[FM_ROLE_LABEL] = { "label", true },
	[FM_ROLE_VIRTIO_PMEM] = { "virtio-pmem", true },
	[FM_ROLE_TABLE] = { "table", false },
	[FM_ROLE_DEVICE] = { "device", false },
	[FM_ROLE_PPI] = { "ppi", false },
	[FM_ROLE_SMRAM] = { "smram", false },
	[FM_ROLE_PRIVATE] = { "private", false },
	[FM_ROLE_S3_PRESERVED] = { "s3-preserved", false },
};

static const char *const backings[FM_BACKING_COUNT] = {
	[FM_BACKING_ANON] = "anon",       [FM_BACKING_MEMFD] = "memfd",
	[FM_BACKING_FILE] = "file",       [FM_BACKING_HUGETLB] = "hugetlb",
	[FM_BACKING_ADOPTED] = "adopted",
};

const char *fm_role_name(enum fm_role role)
{
	return (unsigned)role < FM_ROLE_COUNT ? roles[role].name : "unknown";
}

const char *fm_backing_name(enum fm_backing backing)
{
	return (unsigned)backing < FM_BACKING_COUNT ? backings[backing] : "unknown";
}

enum fm_role fm_role_from_name(const char *name)
{
	for (unsigned i = FM_ROLE_NONE + 1; name && i < FM_ROLE_COUNT; i++) {
		if (!strcmp(roles[i].name, name))
			return (enum fm_role)i;
	}
	return FM_ROLE_NONE;
}

bool fm_role_nonvolatile(enum fm_role role)
{
	return (unsigned)role < FM_ROLE_COUNT && roles[role].nonvolatile;
}
