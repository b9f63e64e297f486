/* SPDX-License-Identifier: BSD-2-Clause */
/* cca_layout: where each VMM puts a realm's images. */
#include <firmem/cca.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "measure/common.h"

#include <inttypes.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define IMAGES 4u
#define LOG_LEN (64 * KIB)
#define QEMU_DTB_LEN MIB
#define KVMTOOL_DTB_LEN (64 * KIB)

/* An image at its place. */
struct placed {
	const char *part;
	uint64_t ipa;
	const void *bytes;
	size_t len;
	size_t pad; /* zeros behind it that the VMM writes too */
};

struct layout {
	struct placed images[IMAGES];
	unsigned count;
	uint64_t ram;
	uint64_t pc, x0;
	uint64_t log;
	bool ripas;
};

/* The header of an arm64 Image: Linux, Documentation/arch/arm64/booting.rst. */
struct image_header {
	uint64_t text_offset;
	uint64_t image_size;
};

const char *fm_cca_vmm_name(enum fm_cca_vmm vmm)
{
	static const char *const names[] = { "qemu", "kvmtool", "cloud-hypervisor" };

	return (unsigned)vmm < FM_CCA_VMM_COUNT ? names[vmm] : "unknown";
}

enum fm_digest_alg fm_cca_hash(const struct fm_cca_launch *launch)
{
	if (launch->realm.hash)
		return launch->realm.hash;
	return launch->vmm == FM_CCA_KVMTOOL ? FM_DIGEST_SHA256 : FM_DIGEST_SHA512;
}

static void add(struct layout *l, const char *part, uint64_t ipa, const struct fm_cca_image *image,
		size_t pad)
{
	if (image->bytes)
		l->images[l->count++] = (struct placed){ part, ipa, image->bytes, image->len, pad };
}

static int read_header(struct image_header *h, const struct fm_cca_image *kernel,
		       struct fm_error *err)
{
	const uint8_t *b = kernel->bytes;

	if (!b) {
		h->text_offset = h->image_size = 0;
		return 0;
	}
	if (kernel->len < 64 || memcmp(b + 56, "ARM\x64", 4))
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "kernel: no arm64 Image, expected \"ARM\\x64\" at 0x38: "
				    "compressed ones must be unpacked");
	h->text_offset = fmi_le64(b + 8);
	h->image_size = fmi_le64(b + 16);
	if (h->text_offset > 64 * MIB || h->image_size >> 32)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "kernel: text offset 0x%" PRIx64 ", size 0x%" PRIx64
				    ", expected at most 64 MiB and 4 GiB",
				    h->text_offset, h->image_size);
	return 0;
}

/* hw/arm/boot.c of QEMU with realms. */
static void qemu(struct layout *l, const struct fm_cca_launch *c, const struct image_header *h)
{
	uint64_t dtb = l->ram;

	if (c->kernel.bytes) {
		uint64_t kernel = l->ram + h->text_offset;
		uint64_t size = h->image_size ? h->image_size : c->kernel.len;
		uint64_t initrd = l->ram + fmi_min_u64(c->memory / 2, 128 * MIB);

		initrd = fmi_align_up(fmi_max_u64(initrd, kernel + size), 4 * KIB);
		dtb = fmi_align_up(initrd + c->initrd.len, 2 * MIB);
		/* Firmware fetches them itself: then they are no part of the RIM. */
		if (!c->firmware.bytes) {
			add(l, "kernel", kernel, &c->kernel, 0);
			add(l, "initrd", initrd, &c->initrd, 0);
		}
	}
	add(l, "firmware", 0, &c->firmware, 0);
	add(l, "dtb", dtb, &c->dtb, 0);
	l->pc = c->firmware.bytes ? 0 : l->ram;
	l->x0 = dtb;
	l->log = dtb + QEMU_DTB_LEN;
}

/* arm/fdt.c and arm/kvm.c of kvmtool. */
static void kvmtool(struct layout *l, const struct fm_cca_launch *c, const struct image_header *h)
{
	uint64_t dtb = l->ram + fmi_min_u64(c->memory, 256 * MIB);

	if (c->log)
		dtb -= LOG_LEN;
	l->log = dtb;
	dtb = fmi_align_up(dtb - 2 * MIB - KVMTOOL_DTB_LEN, 2 * MIB);
	add(l, "kernel", l->ram + h->text_offset, &c->kernel, 0);
	if (c->initrd.bytes)
		add(l, "initrd", fmi_align_up(dtb - c->initrd.len - 4, 4), &c->initrd, 0);
	add(l, "firmware", l->ram, &c->firmware, 0);
	add(l, "dtb", dtb, &c->dtb,
	    c->dtb.len < KVMTOOL_DTB_LEN ? (size_t)(KVMTOOL_DTB_LEN - c->dtb.len) : 0);
	l->pc = l->ram;
	l->x0 = dtb;
}

/* arch/aarch64 of cloud-hypervisor. */
static void cloud_hypervisor(struct layout *l, const struct fm_cca_launch *c,
			     const struct image_header *h)
{
	uint64_t initrd = l->ram + c->memory - fmi_align_up(c->initrd.len, FMI_PAGE);

	add(l, "dtb", l->ram, &c->dtb, 0);
	add(l, "kernel", l->ram + 4 * MIB + h->text_offset, &c->kernel, 0);
	add(l, "initrd", initrd, &c->initrd, 0);
	l->pc = l->ram + 4 * MIB;
	l->x0 = l->ram;
	l->ripas = false;
}

/* Insertion sort by address, then each must leave the next one's granules alone and stay in RAM. */
static int order(struct layout *l, uint64_t memory, struct fm_error *err)
{
	for (unsigned i = 1; i < l->count; i++) {
		struct placed p = l->images[i];
		unsigned k = i;

		for (; k && l->images[k - 1].ipa > p.ipa; k--)
			l->images[k] = l->images[k - 1];
		l->images[k] = p;
	}
	for (unsigned i = 0; i < l->count; i++) {
		const struct placed *p = &l->images[i];
		bool flash = p->ipa < l->ram;
		uint64_t room = flash ? l->ram : l->ram + memory;

		if (!fmi_in_range(p->ipa, p->len + p->pad, room))
			return fm_error_set(err, FM_ERR_RANGE, 0,
					    "%s: 0x%zx bytes at 0x%" PRIx64
					    " leave the memory that ends at 0x%" PRIx64,
					    p->part, p->len + p->pad, p->ipa, room);
		if (i && fmi_align_up(p[-1].ipa + p[-1].len + p[-1].pad, FMI_PAGE) >
				 fmi_align_down(p->ipa, FMI_PAGE))
			return fm_error_set(err, FM_ERR_OVERLAP, 0,
					    "%s at 0x%" PRIx64 " overlaps %s at 0x%" PRIx64,
					    p->part, p->ipa, p[-1].part, p[-1].ipa);
	}
	return 0;
}

static int check(const struct fm_cca_launch *c, struct fm_error *err)
{
	if ((unsigned)c->vmm >= FM_CCA_VMM_COUNT)
		return fm_error_set(err, FM_ERR_ARG, 0, "VMM: %d, expected 0 to %d", c->vmm,
				    FM_CCA_VMM_COUNT - 1);
	if (c->memory < 4 * MIB || !fmi_is_aligned(c->memory, FMI_PAGE) || c->memory >> 48)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "memory: 0x%" PRIx64
				    " bytes, expected whole granules of 4096, 4 MiB to 2^48",
				    c->memory);
	if (!c->firmware.bytes && !c->kernel.bytes)
		return fm_error_set(err, FM_ERR_ARG, 0, "firmware, kernel: expected one of them");
	if (c->firmware.bytes && c->kernel.bytes && c->vmm != FM_CCA_QEMU)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "kernel: is given with firmware, which only QEMU does");
	if (c->firmware.bytes && c->vmm == FM_CCA_CLOUD_HYPERVISOR)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "firmware: is given, expected a kernel for cloud-hypervisor");
	if (c->initrd.bytes && !c->kernel.bytes)
		return fm_error_set(err, FM_ERR_ARG, 0, "initrd: is given without a kernel");
	if (!c->dtb.bytes)
		return fm_error_set(err, FM_ERR_ARG, 0, "dtb: is missing");
	if (!c->dtb.len || (c->firmware.bytes && !c->firmware.len))
		return fm_error_set(err, FM_ERR_ARG, 0, "%s: is empty",
				    c->dtb.len ? "firmware" : "dtb");
	if (c->vmm == FM_CCA_CLOUD_HYPERVISOR && c->log)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "log: is given, expected none for cloud-hypervisor");
	return 0;
}

/* What the VMM asks for where the caller does not say. */
static void set_defaults(struct fm_cca_launch *c)
{
	c->realm.struct_size = sizeof(c->realm);
	c->realm.hash = fm_cca_hash(c);
	if (c->realm.s2sz)
		return;
	switch (c->vmm) {
	case FM_CCA_QEMU: /* the high PCI window, and a bit for shared memory */
		c->realm.s2sz = 41;
		break;
	case FM_CCA_KVMTOOL: /* as little as the RAM needs */
		c->realm.s2sz = 33;
		while ((UINT64_C(1) << (c->realm.s2sz - 1)) < 2048 * MIB + c->memory ||
		       c->realm.s2sz < 33)
			c->realm.s2sz++;
		break;
	case FM_CCA_CLOUD_HYPERVISOR:
	case FM_CCA_VMM_COUNT:
		c->realm.s2sz = 48;
		break;
	}
}

static int load(struct fm_cca *cca, const struct layout *l, const struct fm_cca_launch *c,
		struct fm_error *err)
{
	static const uint8_t zeros[KVMTOOL_DTB_LEN];
	const uint64_t gprs[8] = { c->x0 ? *c->x0 : l->x0 };
	int ret = l->ripas ? fm_cca_ripas(cca, l->ram, l->ram + c->memory, err) : 0;

	for (unsigned i = 0; !ret && i < l->count; i++) {
		const struct placed *p = &l->images[i];
		size_t end = (size_t)fmi_align_up(p->len, FMI_PAGE);

		if (p->len)
			ret = fm_cca_data(cca, p->ipa, p->bytes, p->len, p->part, err);
		/* Padding begins in the last granule, which is zero there anyway. */
		if (!ret && p->len + p->pad > end)
			ret = fm_cca_data(cca, p->ipa + end, zeros, p->len + p->pad - end, p->part,
					  err);
	}
	if (!ret)
		ret = fm_cca_rec(cca, l->pc, gprs, err);
	if (!ret && c->log)
		ret = fm_cca_unmeasured(cca, l->log, LOG_LEN, "log", err);
	return ret;
}

int fm_cca_measure(void *out, const struct fm_cca_launch *launch, struct fm_error *err)
{
	struct fm_cca_launch c;
	struct layout l = { .ripas = true };
	struct image_header h = { 0, 0 };
	struct fm_cca *cca;
	int ret = fmi_config_copy(&c, sizeof(c), launch, "fm_cca_launch", err);

	if (!ret)
		ret = check(&c, err);
	if (!ret)
		ret = read_header(&h, &c.kernel, err);
	if (ret)
		return ret;
	set_defaults(&c);
	l.ram = c.vmm == FM_CCA_KVMTOOL ? 2048 * MIB : 1024 * MIB;
	if (c.vmm == FM_CCA_QEMU)
		qemu(&l, &c, &h);
	else if (c.vmm == FM_CCA_KVMTOOL)
		kvmtool(&l, &c, &h);
	else
		cloud_hypervisor(&l, &c, &h);
	ret = order(&l, c.memory, err);
	if (!ret)
		ret = fm_cca_new(&cca, &c.realm, c.transcript, err);
	if (ret)
		return ret;
	ret = load(cca, &l, &c, err);
	if (!ret)
		fm_cca_rim(cca, out);
	fm_cca_free(cca);
	return ret;
}
