/* SPDX-License-Identifier: BSD-2-Clause */
/* What no tree of QEMU's tells of the machine, and the command line does. */
#include "tools/firmem/args.h"
#include "tools/firmem/out.h"
#include "tools/firmem/qemu_virt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* --- PCI devices --------------------------------------------------------------------------------- */

#define ROM_MIN 4096u
#define ROM_MAX (UINT64_C(1) << 30) /* our choice; QEMU's own limit is 2 GiB */

/* Devices with memory or address spaces of their own, which are not told here. */
static const char *const untold[] = {
	"VGA",
	"acpi-erst",
	"ati-vga",
	"bochs-display",
	"cirrus-vga",
	"cxl-type3",
	"ivshmem-plain",
	"lsi53c810",
	"lsi53c895a",
	"ivshmem-doorbell",
	"pxb-pcie",
	"qxl",
	"qxl-vga",
	"secondary-vga",
	"vfio-pci",
	"virtio-iommu-pci",
	"virtio-mem-pci",
	"virtio-pmem-pci",
	"virtio-vga",
	"virtio-vga-gl",
	"vmware-svga",
};

static bool pci_one(struct qemu_virt *virt, const char *command, char *word)
{
	struct qemu_pci *pci = &virt->pci[virt->npci];
	char *size = strchr(word, ':');
	uint64_t rom = 0;
	size_t len;

	if (size)
		*size++ = '\0';
	len = strlen(word);
	if (!len || len >= sizeof(pci->name)) {
		complain("%s: --pci: name \"%s\", expected 1 to %zu bytes", command, word,
			 sizeof(pci->name) - 1);
		return false;
	}
	for (size_t i = 0; i < COUNT(untold); i++) {
		if (!strcmp(word, untold[i])) {
			complain("%s: --pci: \"%s\" has memory or an address space of its own, "
				 "expected a device that has none but an option ROM",
				 command, word);
			return false;
		}
	}
	if (size && (!args_size(size, &rom) || !rom || rom > ROM_MAX)) {
		complain("%s: --pci: %s: ROM size \"%s\", expected a number of bytes up to 1G",
			 command, word, size);
		return false;
	}
	memcpy(pci->name, word, len + 1);
	/* An expansion ROM's BAR is a power of two (PCI Local Bus Specification 3.0, 6.2.5.2). */
	while (rom & (rom - 1))
		rom += rom & -rom;
	/* And a block is whole pages. */
	pci->rom = rom && rom < ROM_MIN ? ROM_MIN : rom;
	virt->npci++;
	return true;
}

bool qemu_virt_pci(struct qemu_virt *virt, const char *command, const char *text)
{
	char *copy = out_need(strdup(text));
	char *rest = copy;
	bool ok = true;
	char *word;

	virt->npci = 0;
	while (ok && strcmp(text, "none") != 0 && (word = strsep(&rest, ","))) {
		ok = virt->npci < QEMU_PCI_MAX;
		if (ok)
			ok = pci_one(virt, command, word);
		else
			complain("%s: --pci: more devices than expected: at most %d", command,
				 QEMU_PCI_MAX);
	}
	free(copy);
	return ok;
}

char *qemu_virt_rom_name(const struct qemu_virt *virt, size_t i)
{
	/* Named by the kind of saved state, which some share with others. */
	static const char *const others[][2] = {
		{ "e1000-82544gc", "e1000" },
		{ "e1000-82545em", "e1000" },
		{ "ne2k_pci", "ne2000" },
	};
	const char *device = virt->pci[i].name;
	char *name;
	int at;

	for (size_t n = 0; n < COUNT(others); n++) {
		if (!strcmp(device, others[n][0]))
			device = others[n][1];
	}
	if (asprintf(&name, "0000:00:%02zx.0/%n%s.rom", i + 1, &at, device) < 0)
		out_need(NULL);
	/* QEMU's own buffer: a long name is cut. */
	if (strlen(name + at) >= QEMU_ROM_NAME)
		name[at + QEMU_ROM_NAME - 1] = '\0';
	return name;
}

/* --- the machine --------------------------------------------------------------------------------- */

#define CPU_MAP 602 /* the first whose tree has one */
#define NEWEST 702  /* virt-7.2, and plain virt */

/* Older ones put blocks of memory elsewhere: the smallest page of their CPUs is 1 KiB. */
static const char *const types[] = {
	"virt-2.8", "virt-2.9", "virt-2.10", "virt-2.11", "virt-2.12", "virt-3.0", "virt-3.1",
	"virt-4.0", "virt-4.1", "virt-4.2",  "virt-5.0",  "virt-5.1",  "virt-5.2", "virt-6.0",
	"virt-6.1", "virt-6.2", "virt-7.0",  "virt-7.1",  "virt-7.2",  "virt",
};

static bool take_type(struct qemu_virt *virt, const char *word)
{
	unsigned major = NEWEST / 100, minor = NEWEST % 100;
	size_t i = 0;

	while (i < COUNT(types) && strcmp(word, types[i]) != 0)
		i++;
	if (i == COUNT(types))
		return false;
	sscanf(word, "virt-%u.%u", &major, &minor);
	virt->version = 100 * major + minor;
	return true;
}

/* On or off. */
static bool take_switch(const char *value, bool *out)
{
	*out = !strcmp(value, "on");
	return *out || !strcmp(value, "off");
}

static bool take_property(struct qemu_virt *virt, const char *key, const char *value)
{
	if (!strcmp(key, "gic-version")) {
		virt->gicv4 = !strcmp(value, "4");
		return virt->gicv4 || !strcmp(value, "3") || !strcmp(value, "2");
	}
	if (!strcmp(key, "mte"))
		return take_switch(value, &virt->mte);
	return !strcmp(key, "nvdimm") && take_switch(value, &virt->nvdimm);
}

bool qemu_virt_machine(struct qemu_virt *virt, const char *command, const char *text)
{
	char *copy = out_need(strdup(text));
	char *rest = copy;
	char *word = strsep(&rest, ",");
	bool ok = take_type(virt, word);

	if (!ok)
		complain("%s: --machine: \"%.40s\", expected virt-2.8 to virt-7.2, or virt",
			 command, word);
	while (ok && (word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		ok = value && take_property(virt, word, value);
		if (!ok)
			complain("%s: --machine: \"%.40s%s%.40s\", expected gic-version=2, 3 or 4, "
				 "mte=on or off, nvdimm=on or off: the tree tells the rest",
				 command, word, value ? "=" : "", value ? value : "");
	}
	free(copy);
	return ok;
}

bool qemu_virt_check(struct qemu_virt *virt, const char *command, const char *dtb)
{
	if (virt->cpus && !virt->cpu_map && (!virt->version || virt->version >= CPU_MAP)) {
		complain("%s: %s: has no /cpus/cpu-map, so it is of virt-6.1 or older, expected "
			 "--machine with its type",
			 command, dtb);
		return false;
	}
	if (virt->version && virt->version < CPU_MAP && virt->cpu_map) {
		complain("%s: --machine: %s has a /cpus/cpu-map, expected virt-6.2 or newer",
			 command, dtb);
		return false;
	}
	if (virt->gicv4 && !virt->gicv3) {
		complain("%s: --machine: gic-version=4: %s has no GICv3 node, expected one",
			 command, dtb);
		return false;
	}
	if (!virt->version)
		virt->version = NEWEST;
	virt->exact = true;
	return true;
}
