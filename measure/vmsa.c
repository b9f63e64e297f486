/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/vmsa.h>

#include "devices/bytes.h"
#include "devices/config.h"
#include "measure/common.h"

#include <string.h>
#include <strings.h>

#define RESET_VECTOR 0xfffffff0u

/* Offsets in the page: APM volume 2, table B-4. */
enum {
	ES = 0x00,
	CS = 0x10,
	SS = 0x20,
	DS = 0x30,
	FS = 0x40,
	GS = 0x50,
	GDTR = 0x60,
	LDTR = 0x70,
	IDTR = 0x80,
	TR = 0x90,
	EFER = 0xd0,
	CR4 = 0x148,
	CR0 = 0x158,
	DR7 = 0x160,
	DR6 = 0x168,
	RFLAGS = 0x170,
	RIP = 0x178,
	G_PAT = 0x268,
	RDX = 0x310,
	SEV_FEATURES = 0x3b0,
	XCR0 = 0x3e8,
	MXCSR = 0x408,
	FCW = 0x410,
};

#define PAT_RESET UINT64_C(0x0007040600070406) /* APM volume 2, 7.8.1 */
#define PAT_GCE UINT64_C(0x00070106)

/* What a VMM does in its own way. */
struct profile {
	const char *name;
	uint8_t cs, cs_reset; /* attributes; of a vCPU that starts at the reset vector */
	uint8_t ss, tr;
	bool tells_cpu;
	uint16_t rdx; /* otherwise */
	uint64_t pat;
	uint16_t mxcsr, fcw;
};

static const struct profile profiles[FM_VMM_COUNT] = {
	[FM_VMM_QEMU] = { "qemu", 0x9b, 0x9b, 0x93, 0x8b, true, 0, PAT_RESET, 0x1f80, 0x37f },
	[FM_VMM_QEMU_PRE_6_10] = { "qemu-pre-6.10", 0x9b, 0x9b, 0x93, 0x8b, true, 0, PAT_RESET, 0,
				   0 },
	[FM_VMM_EC2] = { "ec2", 0x9b, 0x9a, 0x92, 0x83, false, 0x600, PAT_RESET, 0, 0 },
	[FM_VMM_EC2_LEGACY] = { "ec2-legacy", 0x9b, 0x9a, 0x92, 0x83, false, 0, PAT_RESET, 0, 0 },
	[FM_VMM_GCE] = { "gce", 0x9b, 0x9b, 0x93, 0x8b, false, 0x600, PAT_GCE, 0, 0 },
};

static const struct {
	const char *name;
	uint32_t sig;
} cpus[] = {
	{ "EPYC", 0x800f12 },          { "EPYC-v1", 0x800f12 },      { "EPYC-v2", 0x800f12 },
	{ "EPYC-IBPB", 0x800f12 },     { "EPYC-v3", 0x800f12 },      { "EPYC-v4", 0x800f12 },
	{ "EPYC-Rome", 0x830f10 },     { "EPYC-Rome-v1", 0x830f10 }, { "EPYC-Rome-v2", 0x830f10 },
	{ "EPYC-Rome-v3", 0x830f10 },  { "EPYC-Milan", 0xa00f11 },   { "EPYC-Milan-v1", 0xa00f11 },
	{ "EPYC-Milan-v2", 0xa00f11 }, { "EPYC-Genoa", 0xa10f10 },   { "EPYC-Genoa-v1", 0xa10f10 },
	{ "EPYC-Turin", 0xb00f00 },
};

const char *fm_vmsa_vmm_name(enum fm_vmm vmm)
{
	return (unsigned)vmm < FM_VMM_COUNT ? profiles[vmm].name : "unknown";
}

enum fm_vmm fm_vmsa_vmm_from_name(const char *name)
{
	for (unsigned i = 0; name && i < FM_VMM_COUNT; i++) {
		if (!strcasecmp(name, profiles[i].name))
			return (enum fm_vmm)i;
	}
	return FM_VMM_COUNT;
}

bool fm_vmsa_vmm_tells_cpu(enum fm_vmm vmm)
{
	return (unsigned)vmm < FM_VMM_COUNT && profiles[vmm].tells_cpu;
}

const char *fm_vmsa_cpu_name(size_t index)
{
	return index < sizeof(cpus) / sizeof(*cpus) ? cpus[index].name : NULL;
}

uint32_t fm_vmsa_cpu_sig(const char *name)
{
	for (size_t i = 0; name && i < sizeof(cpus) / sizeof(*cpus); i++) {
		if (!strcmp(name, cpus[i].name))
			return cpus[i].sig;
	}
	return 0;
}

uint32_t fm_vmsa_sig(unsigned family, unsigned model, unsigned stepping)
{
	uint32_t sig = (model & 15) << 4 | (model >> 4 & 15) << 16 | (stepping & 15);

	if (family > 15)
		return sig | ((family - 15) & 255) << 20 | 15 << 8;
	return sig | family << 8;
}

static void segment(uint8_t *p, uint16_t sel, uint16_t attr, uint32_t limit, uint64_t base)
{
	fmi_put_le16(p, sel);
	fmi_put_le16(p + 2, attr);
	fmi_put_le32(p + 4, limit);
	fmi_put_le64(p + 8, base);
}

/* What all have in common. */
static void common(uint8_t *p, uint64_t sev_features)
{
	segment(p + GDTR, 0, 0, 0xffff, 0);
	segment(p + LDTR, 0, 0x82, 0xffff, 0);
	segment(p + IDTR, 0, 0, 0xffff, 0);
	fmi_put_le64(p + EFER, 0x1000); /* SVME, as the processor demands */
	fmi_put_le64(p + CR4, 0x40);    /* MCE */
	fmi_put_le64(p + CR0, 0x10);
	fmi_put_le64(p + DR7, 0x400);
	fmi_put_le64(p + DR6, 0xffff0ff0);
	fmi_put_le64(p + RFLAGS, 2);
	fmi_put_le64(p + G_PAT, PAT_RESET);
	fmi_put_le64(p + SEV_FEATURES, sev_features);
	fmi_put_le64(p + XCR0, 1);
}

static void real_mode(uint8_t *p, const struct fm_vmsa_config *c)
{
	static const uint16_t data[] = { ES, DS, FS, GS };
	const struct profile *v = &profiles[c->vmm];
	uint32_t eip = c->eip ? c->eip : RESET_VECTOR;

	for (unsigned i = 0; i < 4; i++)
		segment(p + data[i], 0, 0x93, 0xffff, 0);
	segment(p + CS, 0xf000, eip == RESET_VECTOR ? v->cs_reset : v->cs, 0xffff,
		eip & 0xffff0000);
	segment(p + SS, 0, v->ss, 0xffff, 0);
	segment(p + TR, 0, v->tr, 0xffff, 0);
	fmi_put_le64(p + RIP, eip & 0xffff);
	fmi_put_le64(p + RDX, v->tells_cpu ? c->cpu_sig : v->rdx);
	fmi_put_le64(p + G_PAT, v->pat);
	fmi_put_le32(p + MXCSR, v->mxcsr);
	fmi_put_le16(p + FCW, v->fcw);
}

/* QEMU with an SVSM: protected mode, flat segments. FCW stays 0. */
static void flat_mode(uint8_t *p, const struct fm_vmsa_config *c)
{
	static const uint16_t data[] = { ES, SS, DS, FS };

	for (unsigned i = 0; i < 4; i++)
		segment(p + data[i], 0x10, 0xc93, 0xffffffff, 0);
	segment(p + CS, 8, 0xc9b, 0xffffffff, 0);
	segment(p + GS, 0, 0x93, 0xffff, 0);
	segment(p + TR, 0, 0x8b, 0xffff, 0);
	fmi_put_le64(p + CR0, 0x11);
	fmi_put_le64(p + RIP, c->svsm_rip);
	fmi_put_le64(p + RDX, c->cpu_sig);
	fmi_put_le32(p + MXCSR, 0x1f80);
}

int fm_vmsa_page(void *page, const struct fm_vmsa_config *config, struct fm_error *err)
{
	struct fm_vmsa_config c;
	int ret = fmi_config_copy(&c, sizeof(c), config, "fm_vmsa_config", err);

	if (ret)
		return ret;
	if ((unsigned)c.vmm >= FM_VMM_COUNT)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_vmsa_config.vmm is %d, expected 0 to %d", c.vmm,
				    FM_VMM_COUNT - 1);
	memset(page, 0, FM_VMSA_LEN);
	common(page, c.sev_features);
	if (c.svsm)
		flat_mode(page, &c);
	else
		real_mode(page, &c);
	return 0;
}
