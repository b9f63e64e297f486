/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AML of the root device and its DIMMs (ACPI 6.5, chapter 20): it puts what a method was given on the
 * mailbox page, tells the host, and returns what it finds there.
 */
#include <firmem/dsm.h>

#include "nvdimm/dsm_aml.h"

#include "devices/bytes.h"
#include "devices/config.h"

#include <stdlib.h>
#include <string.h>

#define HEADER 36u
#define HANDLE_FIT 0x10000u

/* UUIDs as they are in a buffer. */
static const uint8_t uuid_root[16] = { 0xa4, 0xe7, 0x10, 0x2f, 0x91, 0x9e, 0xe4, 0x11,
				       0x89, 0xd3, 0x12, 0x3b, 0x93, 0xf7, 0x5c, 0xba };
static const uint8_t uuid_dimm[16] = { 0x30, 0xac, 0x09, 0x43, 0x11, 0x0d, 0xe4, 0x11,
				       0x91, 0x91, 0x08, 0x00, 0x20, 0x0c, 0x9a, 0x66 };
/* QEMU's, for the table behind _FIT: 648b9cf2-cda1-4312-8ad9-49c4af32bd62. */
static const uint8_t uuid_fit[16] = { 0xf2, 0x9c, 0x8b, 0x64, 0xa1, 0xcd, 0x12, 0x43,
				      0x8a, 0xd9, 0x49, 0xc4, 0xaf, 0x32, 0xbd, 0x62 };

/* --- terms --------------------------------------------------------------------------------------- */

static size_t begin_method(struct fmi_aml *a, const char *name, unsigned args)
{
	size_t at;

	fmi_aml_op(a, OP_METHOD);
	at = fmi_aml_begin(a);
	fmi_aml_seg(a, name);
	fmi_aml_op(a, args | 8); /* serialized: it makes names */
	return at;
}

/* If; its condition and body follow. */
static size_t begin_if(struct fmi_aml *a)
{
	fmi_aml_op(a, OP_IF);
	return fmi_aml_begin(a);
}

static size_t begin_else(struct fmi_aml *a)
{
	fmi_aml_op(a, OP_ELSE);
	return fmi_aml_begin(a);
}

/* Name (name, Package (count) {0, ...}) */
static void name_package(struct fmi_aml *a, const char *name, unsigned count)
{
	size_t at;

	fmi_aml_op(a, OP_NAME);
	fmi_aml_seg(a, name);
	fmi_aml_op(a, OP_PACKAGE);
	at = fmi_aml_begin(a);
	fmi_aml_op(a, count);
	for (unsigned i = 0; i < count; i++)
		fmi_aml_op(a, OP_ZERO);
	fmi_aml_end(a, at);
}

/* CreateDWordField (object, off, name) */
static void dword_field(struct fmi_aml *a, unsigned object, unsigned off, const char *name)
{
	AML_OPS(a, OP_DWORD_FIELD, (uint8_t)object);
	fmi_aml_integer(a, off);
	fmi_aml_seg(a, name);
}

/* package [n] = ...: what is stored comes before. */
static void into_package(struct fmi_aml *a, const char *package, unsigned n)
{
	fmi_aml_op(a, OP_INDEX);
	fmi_aml_seg(a, package);
	fmi_aml_integer(a, n);
	fmi_aml_op(a, OP_ZERO);
}

/* local = NCAL (uuid, 1, function, package or 0, handle) */
static void call(struct fmi_aml *a, unsigned local, const uint8_t uuid[16], uint32_t function,
		 const char *package, uint32_t handle)
{
	fmi_aml_op(a, OP_STORE);
	fmi_aml_seg(a, "NCAL");
	fmi_aml_buffer(a, uuid, 16);
	fmi_aml_op(a, OP_ONE);
	fmi_aml_integer(a, function);
	if (package)
		fmi_aml_seg(a, package);
	else
		fmi_aml_op(a, OP_ZERO);
	fmi_aml_integer(a, handle);
	fmi_aml_op(a, local);
}

/* Store (uuid, Local0) */
static void local0_is(struct fmi_aml *a, const uint8_t uuid[16])
{
	fmi_aml_op(a, OP_STORE);
	fmi_aml_buffer(a, uuid, 16);
	fmi_aml_op(a, LOCAL0);
}

/* --- the mailbox --------------------------------------------------------------------------------- */

static void region(struct fmi_aml *a, const char *name, unsigned space, uint32_t addr, uint32_t len)
{
	AML_OPS(a, OP_EXT, EXT_REGION);
	fmi_aml_seg(a, name);
	fmi_aml_op(a, space);
	fmi_aml_integer(a, addr);
	fmi_aml_integer(a, len);
}

static size_t begin_field(struct fmi_aml *a, const char *name)
{
	size_t at;

	AML_OPS(a, OP_EXT, EXT_FIELD);
	at = fmi_aml_begin(a);
	fmi_aml_seg(a, name);
	fmi_aml_op(a, 3); /* by dwords, no lock, preserve */
	return at;
}

static void field(struct fmi_aml *a, const char *name, uint32_t bits)
{
	uint8_t len[3];

	fmi_aml_seg(a, name);
	fmi_aml_length(len, bits);
	if (bits < 64)
		fmi_aml_op(a, bits);
	else
		fmi_aml_bytes(a, len, 3);
}

static void put_mailbox(struct fmi_aml *a, const struct fm_dsm_ssdt_config *c)
{
	size_t at;

	region(a, "NRAM", 0, (uint32_t)c->mailbox, FM_DSM_PAGE);
	at = begin_field(a, "NRAM");
	field(a, "HDLE", 32);
	field(a, "REVS", 32);
	field(a, "FUNC", 32);
	field(a, "FARG", 8 * (FM_DSM_PAGE - 12));
	fmi_aml_end(a, at);
	at = begin_field(a, "NRAM");
	field(a, "RLEN", 32);
	field(a, "ODAT", 8 * (FM_DSM_PAGE - 4));
	fmi_aml_end(a, at);
	if (c->port)
		region(a, "NBEL", 1, c->port, 4);
	else
		region(a, "NBEL", 0, (uint32_t)c->mailbox + FM_DSM_PAGE, 4);
	at = begin_field(a, "NBEL");
	field(a, "NTFI", 32);
	fmi_aml_end(a, at);
}

/* The UUID that the object of handle Arg4 answers to, in Local0; a return where it is not Arg0. */
static void put_uuid_check(struct fmi_aml *a)
{
	static const uint8_t unknown[2] = { 0, 1 };
	size_t at, inner;

	local0_is(a, uuid_dimm);
	at = begin_if(a);
	AML_OPS(a, OP_EQUAL, ARG4, OP_ZERO);
	local0_is(a, uuid_root);
	fmi_aml_end(a, at);
	at = begin_if(a);
	AML_OPS(a, OP_EQUAL, ARG4);
	fmi_aml_integer(a, HANDLE_FIT);
	local0_is(a, uuid_fit);
	fmi_aml_end(a, at);
	at = begin_if(a);
	AML_OPS(a, OP_NOT, OP_EQUAL, ARG0, LOCAL0);
	inner = begin_if(a);
	AML_OPS(a, OP_EQUAL, ARG2, OP_ZERO, OP_RETURN);
	fmi_aml_buffer(a, unknown, 1);
	fmi_aml_end(a, inner);
	fmi_aml_op(a, OP_RETURN);
	fmi_aml_buffer(a, unknown + 1, 1);
	fmi_aml_end(a, at);
}

static void put_ncal(struct fmi_aml *a, const struct fm_dsm_ssdt_config *c)
{
	size_t method = begin_method(a, "NCAL", 5);
	size_t at;

	put_uuid_check(a);
	AML_OPS(a, OP_STORE, ARG4);
	fmi_aml_seg(a, "HDLE");
	AML_OPS(a, OP_STORE, ARG1);
	fmi_aml_seg(a, "REVS");
	AML_OPS(a, OP_STORE, ARG2);
	fmi_aml_seg(a, "FUNC");
	/* A store of less than the field fills the rest with zeros: nothing old is left there. */
	at = begin_if(a);
	AML_OPS(a, OP_AND, OP_EQUAL, OP_OBJECT_TYPE, ARG3, OP_BYTE, 4, OP_EQUAL, OP_SIZE_OF, ARG3,
		OP_ONE);
	AML_OPS(a, OP_STORE, OP_INDEX, ARG3, OP_ZERO, OP_ZERO, LOCAL2);
	AML_OPS(a, OP_STORE, OP_DEREF, LOCAL2, LOCAL3, OP_STORE, LOCAL3);
	fmi_aml_seg(a, "FARG");
	fmi_aml_end(a, at);
	at = begin_else(a);
	AML_OPS(a, OP_STORE, OP_ZERO);
	fmi_aml_seg(a, "FARG");
	fmi_aml_end(a, at);
	fmi_aml_op(a, OP_STORE);
	fmi_aml_integer(a, c->port ? (uint32_t)c->mailbox : 1);
	fmi_aml_seg(a, "NTFI");
	if (!c->port) {
		fmi_aml_op(a, OP_WHILE);
		at = fmi_aml_begin(a);
		fmi_aml_seg(a, "NTFI");
		AML_OPS(a, OP_EXT, EXT_SLEEP, OP_ONE);
		fmi_aml_end(a, at);
	}
	/* Of all of it: a field of 8 bytes or less would be an integer. */
	fmi_aml_op(a, OP_SUBTRACT);
	fmi_aml_seg(a, "RLEN");
	AML_OPS(a, OP_BYTE, 4, LOCAL1, OP_STORE);
	fmi_aml_seg(a, "ODAT");
	AML_OPS(a, LOCAL7, OP_RETURN, OP_MID, LOCAL7, OP_ZERO, LOCAL1, OP_ZERO);
	fmi_aml_end(a, method);
}

/* Method (_DSM, 4) { Return (NCAL (Arg0, Arg1, Arg2, Arg3, handle)) } */
static void put_dsm(struct fmi_aml *a, uint32_t handle)
{
	size_t at = begin_method(a, "_DSM", 4);

	fmi_aml_op(a, OP_RETURN);
	fmi_aml_seg(a, "NCAL");
	AML_OPS(a, ARG0, ARG1, ARG2, ARG3);
	fmi_aml_integer(a, handle);
	fmi_aml_end(a, at);
}

/* --- _FIT ---------------------------------------------------------------------------------------- */

/* Name (INPT, Buffer (len) {0}) and its first fields, and a package for it. */
static void put_input(struct fmi_aml *a, uint32_t len)
{
	static const uint8_t zeros[8];

	fmi_aml_op(a, OP_NAME);
	fmi_aml_seg(a, "INPT");
	fmi_aml_buffer(a, zeros, len);
	fmi_aml_op(a, OP_DWORD_FIELD);
	fmi_aml_seg(a, "INPT");
	fmi_aml_op(a, OP_ZERO);
	fmi_aml_seg(a, "OFST");
	AML_OPS(a, OP_STORE, ARG0);
	fmi_aml_seg(a, "OFST");
	name_package(a, "PKG1", 1);
	if (len < 8)
		return;
	fmi_aml_op(a, OP_DWORD_FIELD);
	fmi_aml_seg(a, "INPT");
	AML_OPS(a, OP_BYTE, 4);
	fmi_aml_seg(a, "TLEN");
	AML_OPS(a, OP_STORE, ARG1);
	fmi_aml_seg(a, "TLEN");
}

static void store_input(struct fmi_aml *a)
{
	fmi_aml_op(a, OP_STORE);
	fmi_aml_seg(a, "INPT");
	into_package(a, "PKG1", 0);
}

/* A piece of the table; its status in RSTA. */
static void put_rfit(struct fmi_aml *a)
{
	static const uint8_t none[1];
	size_t method, at;

	fmi_aml_op(a, OP_NAME);
	fmi_aml_seg(a, "RSTA");
	fmi_aml_op(a, OP_ZERO);
	method = begin_method(a, "RFIT", 1);
	put_input(a, 4);
	store_input(a);
	call(a, LOCAL0, uuid_fit, 1, "PKG1", HANDLE_FIT);
	dword_field(a, LOCAL0, 0, "STAU");
	fmi_aml_op(a, OP_STORE);
	fmi_aml_seg(a, "STAU");
	fmi_aml_seg(a, "RSTA");
	at = begin_if(a);
	fmi_aml_seg(a, "RSTA");
	fmi_aml_op(a, OP_RETURN);
	fmi_aml_buffer(a, none, 0);
	fmi_aml_end(a, at);
	AML_OPS(a, OP_SUBTRACT, OP_SIZE_OF, LOCAL0, OP_BYTE, 4, LOCAL1);
	AML_OPS(a, OP_RETURN, OP_MID, LOCAL0, OP_BYTE, 4, LOCAL1, OP_ZERO);
	fmi_aml_end(a, method);
}

static void put_fit(struct fmi_aml *a)
{
	static const uint8_t none[1];
	size_t method, loop, at, inner;

	put_rfit(a);
	method = begin_method(a, "_FIT", 0);
	fmi_aml_op(a, OP_STORE);
	fmi_aml_buffer(a, none, 0);
	AML_OPS(a, LOCAL2, OP_STORE, OP_ZERO, LOCAL3, OP_WHILE);
	loop = fmi_aml_begin(a);
	AML_OPS(a, OP_ONE, OP_STORE);
	fmi_aml_seg(a, "RFIT");
	AML_OPS(a, LOCAL3, LOCAL0, OP_STORE, OP_SIZE_OF, LOCAL0, LOCAL1);
	at = begin_if(a); /* the table changed: from its start */
	fmi_aml_op(a, OP_EQUAL);
	fmi_aml_seg(a, "RSTA");
	AML_OPS(a, OP_WORD, 0x00, 0x01, OP_STORE);
	fmi_aml_buffer(a, none, 0);
	AML_OPS(a, LOCAL2, OP_STORE, OP_ZERO, LOCAL3);
	fmi_aml_end(a, at);
	at = begin_else(a);
	inner = begin_if(a);
	AML_OPS(a, OP_EQUAL, LOCAL1, OP_ZERO, OP_RETURN, LOCAL2);
	fmi_aml_end(a, inner);
	AML_OPS(a, OP_ADD, LOCAL3, LOCAL1, LOCAL3, OP_CONCATENATE, LOCAL2, LOCAL0, LOCAL2);
	fmi_aml_end(a, at);
	fmi_aml_end(a, loop);
	fmi_aml_end(a, method);
}

/* --- DIMMs --------------------------------------------------------------------------------------- */

static void store_field(struct fmi_aml *a, const char *name, unsigned n)
{
	fmi_aml_op(a, OP_STORE);
	fmi_aml_seg(a, name);
	into_package(a, "RPKG", n);
}

static void return_name(struct fmi_aml *a, const char *name)
{
	fmi_aml_op(a, OP_RETURN);
	fmi_aml_seg(a, name);
}

/*
 * Method (LSTS, 1): a status of Intel's family as one of _LSI, _LSR and _LSW (ACPI 6.5, 6.5.10). There 2 is
 * an argument that cannot be, and 3 would be a label area that is locked.
 */
static void put_label_status(struct fmi_aml *a)
{
	size_t method = begin_method(a, "LSTS", 1);
	size_t at = begin_if(a);

	AML_OPS(a, OP_EQUAL, ARG0, OP_BYTE, 2, OP_RETURN, OP_ONE);
	fmi_aml_end(a, at);
	at = begin_if(a);
	AML_OPS(a, OP_EQUAL, ARG0, OP_BYTE, 3, OP_RETURN, OP_BYTE, 2);
	fmi_aml_end(a, at);
	AML_OPS(a, OP_RETURN, ARG0);
	fmi_aml_end(a, method);
}

/* RPKG [0] = LSTS (STTS) */
static void store_status(struct fmi_aml *a)
{
	fmi_aml_op(a, OP_STORE);
	fmi_aml_seg(a, "LSTS");
	fmi_aml_seg(a, "STTS");
	into_package(a, "RPKG", 0);
}

static void put_lsi(struct fmi_aml *a, uint32_t handle)
{
	size_t at = begin_method(a, "_LSI", 0);

	name_package(a, "RPKG", 3);
	call(a, LOCAL0, uuid_dimm, 4, NULL, handle);
	dword_field(a, LOCAL0, 0, "STTS");
	dword_field(a, LOCAL0, 4, "SLSA");
	dword_field(a, LOCAL0, 8, "MAXT");
	store_status(a);
	store_field(a, "SLSA", 1);
	store_field(a, "MAXT", 2);
	return_name(a, "RPKG");
	fmi_aml_end(a, at);
}

static void put_lsr(struct fmi_aml *a, uint32_t handle)
{
	size_t at = begin_method(a, "_LSR", 2);

	name_package(a, "RPKG", 2);
	put_input(a, 8);
	store_input(a);
	call(a, LOCAL0, uuid_dimm, 5, "PKG1", handle);
	dword_field(a, LOCAL0, 0, "STTS");
	store_status(a);
	AML_OPS(a, OP_STORE, OP_MID, LOCAL0, OP_BYTE, 4, ARG1, OP_ZERO);
	into_package(a, "RPKG", 1);
	return_name(a, "RPKG");
	fmi_aml_end(a, at);
}

static void put_lsw(struct fmi_aml *a, uint32_t handle)
{
	size_t at = begin_method(a, "_LSW", 3);

	put_input(a, 8);
	fmi_aml_op(a, OP_CONCATENATE);
	fmi_aml_seg(a, "INPT");
	AML_OPS(a, ARG2, LOCAL1, OP_STORE, LOCAL1);
	into_package(a, "PKG1", 0);
	call(a, LOCAL0, uuid_dimm, 6, "PKG1", handle);
	dword_field(a, LOCAL0, 0, "STTS");
	fmi_aml_op(a, OP_RETURN);
	fmi_aml_seg(a, "LSTS");
	fmi_aml_seg(a, "STTS");
	fmi_aml_end(a, at);
}

static void put_dimm(struct fmi_aml *a, unsigned number, uint32_t handle)
{
	static const char digits[] = "0123456789ABCDEF";
	char name[] = "NV00";
	size_t at;

	name[2] = digits[number >> 4];
	name[3] = digits[number & 15];
	AML_OPS(a, OP_EXT, EXT_DEVICE);
	at = fmi_aml_begin(a);
	fmi_aml_seg(a, name);
	fmi_aml_op(a, OP_NAME);
	fmi_aml_seg(a, "_ADR");
	fmi_aml_integer(a, handle);
	put_lsi(a, handle);
	put_lsr(a, handle);
	put_lsw(a, handle);
	put_dsm(a, handle);
	fmi_aml_end(a, at);
}

/* --- the table ----------------------------------------------------------------------------------- */

static void put_table(struct fmi_aml *a, const struct fm_dsm_ssdt_config *c)
{
	static const uint8_t header[HEADER] = "SSDT\0\0\0\0\1\0FIRMEMFMNVDIMM\1\0\0\0FMEM\1";
	size_t scope, root;

	fmi_aml_bytes(a, header, HEADER);
	fmi_aml_op(a, OP_SCOPE);
	scope = fmi_aml_begin(a);
	fmi_aml_op(a, '\\');
	fmi_aml_seg(a, "_SB_");
	AML_OPS(a, OP_EXT, EXT_DEVICE);
	root = fmi_aml_begin(a);
	fmi_aml_seg(a, "NVDR");
	fmi_aml_op(a, OP_NAME);
	fmi_aml_seg(a, "_HID");
	fmi_aml_op(a, OP_STRING);
	fmi_aml_bytes(a, "ACPI0012", 9);
	put_mailbox(a, c);
	put_ncal(a, c);
	put_dsm(a, 0);
	if (c->fit)
		put_fit(a);
	put_label_status(a);
	for (size_t i = 0; i < c->count; i++)
		put_dimm(a, (unsigned)i, c->handles[i]);
	fmi_aml_end(a, root);
	fmi_aml_end(a, scope);
}

static int check(const struct fm_dsm_ssdt_config *c, struct fm_error *err)
{
	if (!c->handles || !c->count || c->count > FM_DSM_DIMMS)
		return fm_error_set(err, FM_ERR_ARG, 0,
				    "fm_dsm_ssdt_config.count: %zu, expected 1 to %u", c->count,
				    FM_DSM_DIMMS);
	if (!fmi_is_aligned(c->mailbox, FM_DSM_PAGE) || c->mailbox > UINT32_MAX - 2 * FM_DSM_PAGE)
		return fm_error_set(
			err, FM_ERR_ARG, 0,
			"fm_dsm_ssdt_config.mailbox: 0x%llx, expected a page below 2^32",
			(unsigned long long)c->mailbox);
	return 0;
}

int fm_dsm_ssdt(void **out, size_t *len, const struct fm_dsm_ssdt_config *cfg, struct fm_error *err)
{
	struct fm_dsm_ssdt_config c;
	struct fmi_aml a = { .p = NULL };
	uint8_t sum = 0;
	int rc = fmi_config_copy(&c, sizeof(c), cfg, "fm_dsm_ssdt_config", err);

	if (!rc)
		rc = check(&c, err);
	if (rc)
		return rc;
	put_table(&a, &c);
	if (a.failed) {
		free(a.p);
		return fm_error_set(err, FM_ERR_NOMEM, 0, "SSDT: out of memory");
	}
	fmi_put_le32(a.p + 4, (uint32_t)a.len);
	for (size_t i = 0; i < a.len; i++)
		sum = (uint8_t)(sum + a.p[i]);
	a.p[9] = (uint8_t)-sum;
	*out = a.p;
	*len = a.len;
	return 0;
}
