/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AML of the root device and its DIMMs (ACPI 6.5, chapter 20): it puts what a method was given on the
 * mailbox page, tells the host, and returns what it finds there.
 */
#include <firmem/dsm.h>

#include "devices/bytes.h"
#include "devices/config.h"

#include <stdlib.h>
#include <string.h>

#define HEADER 36u
#define HANDLE_FIT 0x10000u

/* Opcodes; EXT_ ones follow 0x5b. */
enum {
	OP_ZERO = 0x00,
	OP_ONE = 0x01,
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_METHOD = 0x14,
	OP_EXT = 0x5b,
	EXT_SLEEP = 0x22,
	EXT_REGION = 0x80,
	EXT_FIELD = 0x81,
	EXT_DEVICE = 0x82,
	LOCAL0 = 0x60,
	LOCAL1 = 0x61,
	LOCAL2 = 0x62,
	LOCAL3 = 0x63,
	LOCAL7 = 0x67,
	ARG0 = 0x68,
	ARG1 = 0x69,
	ARG2 = 0x6a,
	ARG3 = 0x6b,
	ARG4 = 0x6c,
	OP_STORE = 0x70,
	OP_ADD = 0x72,
	OP_CONCATENATE = 0x73,
	OP_SUBTRACT = 0x74,
	OP_DEREF = 0x83,
	OP_SIZE_OF = 0x87,
	OP_INDEX = 0x88,
	OP_DWORD_FIELD = 0x8a,
	OP_OBJECT_TYPE = 0x8e,
	OP_AND = 0x90,
	OP_NOT = 0x92,
	OP_EQUAL = 0x93,
	OP_MID = 0x9e,
	OP_IF = 0xa0,
	OP_ELSE = 0xa1,
	OP_WHILE = 0xa2,
	OP_RETURN = 0xa4,
};

/* UUIDs as they are in a buffer. */
static const uint8_t uuid_root[16] = { 0xa4, 0xe7, 0x10, 0x2f, 0x91, 0x9e, 0xe4, 0x11,
				       0x89, 0xd3, 0x12, 0x3b, 0x93, 0xf7, 0x5c, 0xba };
static const uint8_t uuid_dimm[16] = { 0x30, 0xac, 0x09, 0x43, 0x11, 0x0d, 0xe4, 0x11,
				       0x91, 0x91, 0x08, 0x00, 0x20, 0x0c, 0x9a, 0x66 };
/* QEMU's, for the table behind _FIT: 648b9cf2-cda1-4312-8ad9-49c4af32bd62. */
static const uint8_t uuid_fit[16] = { 0xf2, 0x9c, 0x8b, 0x64, 0xa1, 0xcd, 0x12, 0x43,
				      0x8a, 0xd9, 0x49, 0xc4, 0xaf, 0x32, 0xbd, 0x62 };

struct aml {
	uint8_t *p;
	size_t len, room;
	bool failed;
};

/* --- bytes --------------------------------------------------------------------------------------- */

static void bytes(struct aml *a, const void *p, size_t len)
{
	if (a->room - a->len < len) {
		size_t room = 2 * (a->room + len);
		uint8_t *grown = realloc(a->p, room);

		if (!grown) {
			a->failed = true;
			return;
		}
		a->p = grown;
		a->room = room;
	}
	if (!a->failed)
		memcpy(a->p + a->len, p, len);
	a->len += len;
}

static void op(struct aml *a, unsigned code)
{
	uint8_t byte = (uint8_t)code;

	bytes(a, &byte, 1);
}

static void ops(struct aml *a, size_t count, const uint8_t *codes)
{
	bytes(a, codes, count);
}

#define OPS(a, ...) \
	ops(a, sizeof((const uint8_t[]){ __VA_ARGS__ }), (const uint8_t[]){ __VA_ARGS__ })

/* A name of four characters. */
static void seg(struct aml *a, const char *name)
{
	bytes(a, name, 4);
}

static void integer(struct aml *a, uint32_t v)
{
	uint8_t le[4];

	fmi_put_le32(le, v);
	if (v < 2) {
		op(a, v);
	} else if (v < 0x100) {
		op(a, OP_BYTE);
		bytes(a, le, 1);
	} else if (v < 0x10000) {
		op(a, OP_WORD);
		bytes(a, le, 2);
	} else {
		op(a, OP_DWORD);
		bytes(a, le, 4);
	}
}

/* A length of 20 bits, in its form of three bytes. */
static void put_length(uint8_t *p, size_t len)
{
	p[0] = (uint8_t)(0x80 | (len & 15));
	p[1] = (uint8_t)(len >> 4);
	p[2] = (uint8_t)(len >> 12);
}

/* What has a length: from here to end(). */
static size_t begin(struct aml *a)
{
	static const uint8_t room[3];

	bytes(a, room, 3);
	return a->len - 3;
}

static void end(struct aml *a, size_t at)
{
	if (!a->failed)
		put_length(a->p + at, a->len - at);
}

/* --- terms --------------------------------------------------------------------------------------- */

static void buffer(struct aml *a, const void *p, uint32_t len)
{
	size_t at;

	op(a, OP_BUFFER);
	at = begin(a);
	integer(a, len);
	bytes(a, p, len);
	end(a, at);
}

static size_t begin_method(struct aml *a, const char *name, unsigned args)
{
	size_t at;

	op(a, OP_METHOD);
	at = begin(a);
	seg(a, name);
	op(a, args | 8); /* serialized: it makes names */
	return at;
}

/* If; its condition and body follow. */
static size_t begin_if(struct aml *a)
{
	op(a, OP_IF);
	return begin(a);
}

static size_t begin_else(struct aml *a)
{
	op(a, OP_ELSE);
	return begin(a);
}

/* Name (name, Package (count) {0, ...}) */
static void name_package(struct aml *a, const char *name, unsigned count)
{
	size_t at;

	op(a, OP_NAME);
	seg(a, name);
	op(a, OP_PACKAGE);
	at = begin(a);
	op(a, count);
	for (unsigned i = 0; i < count; i++)
		op(a, OP_ZERO);
	end(a, at);
}

/* CreateDWordField (object, off, name) */
static void dword_field(struct aml *a, unsigned object, unsigned off, const char *name)
{
	OPS(a, OP_DWORD_FIELD, (uint8_t)object);
	integer(a, off);
	seg(a, name);
}

/* package [n] = ...: what is stored comes before. */
static void into_package(struct aml *a, const char *package, unsigned n)
{
	op(a, OP_INDEX);
	seg(a, package);
	integer(a, n);
	op(a, OP_ZERO);
}

/* local = NCAL (uuid, 1, function, package or 0, handle) */
static void call(struct aml *a, unsigned local, const uint8_t uuid[16], uint32_t function,
		 const char *package, uint32_t handle)
{
	op(a, OP_STORE);
	seg(a, "NCAL");
	buffer(a, uuid, 16);
	op(a, OP_ONE);
	integer(a, function);
	if (package)
		seg(a, package);
	else
		op(a, OP_ZERO);
	integer(a, handle);
	op(a, local);
}

/* Store (uuid, Local0) */
static void local0_is(struct aml *a, const uint8_t uuid[16])
{
	op(a, OP_STORE);
	buffer(a, uuid, 16);
	op(a, LOCAL0);
}

/* --- the mailbox --------------------------------------------------------------------------------- */

static void region(struct aml *a, const char *name, unsigned space, uint32_t addr, uint32_t len)
{
	OPS(a, OP_EXT, EXT_REGION);
	seg(a, name);
	op(a, space);
	integer(a, addr);
	integer(a, len);
}

static size_t begin_field(struct aml *a, const char *name)
{
	size_t at;

	OPS(a, OP_EXT, EXT_FIELD);
	at = begin(a);
	seg(a, name);
	op(a, 3); /* by dwords, no lock, preserve */
	return at;
}

static void field(struct aml *a, const char *name, uint32_t bits)
{
	uint8_t len[3];

	seg(a, name);
	put_length(len, bits);
	if (bits < 64)
		op(a, bits);
	else
		bytes(a, len, 3);
}

static void put_mailbox(struct aml *a, const struct fm_dsm_ssdt_config *c)
{
	size_t at;

	region(a, "NRAM", 0, (uint32_t)c->mailbox, FM_DSM_PAGE);
	at = begin_field(a, "NRAM");
	field(a, "HDLE", 32);
	field(a, "REVS", 32);
	field(a, "FUNC", 32);
	field(a, "FARG", 8 * (FM_DSM_PAGE - 12));
	end(a, at);
	at = begin_field(a, "NRAM");
	field(a, "RLEN", 32);
	field(a, "ODAT", 8 * (FM_DSM_PAGE - 4));
	end(a, at);
	if (c->port)
		region(a, "NBEL", 1, c->port, 4);
	else
		region(a, "NBEL", 0, (uint32_t)c->mailbox + FM_DSM_PAGE, 4);
	at = begin_field(a, "NBEL");
	field(a, "NTFI", 32);
	end(a, at);
}

/* The UUID that the object of handle Arg4 answers to, in Local0; a return where it is not Arg0. */
static void put_uuid_check(struct aml *a)
{
	static const uint8_t unknown[2] = { 0, 1 };
	size_t at, inner;

	local0_is(a, uuid_dimm);
	at = begin_if(a);
	OPS(a, OP_EQUAL, ARG4, OP_ZERO);
	local0_is(a, uuid_root);
	end(a, at);
	at = begin_if(a);
	OPS(a, OP_EQUAL, ARG4);
	integer(a, HANDLE_FIT);
	local0_is(a, uuid_fit);
	end(a, at);
	at = begin_if(a);
	OPS(a, OP_NOT, OP_EQUAL, ARG0, LOCAL0);
	inner = begin_if(a);
	OPS(a, OP_EQUAL, ARG2, OP_ZERO, OP_RETURN);
	buffer(a, unknown, 1);
	end(a, inner);
	op(a, OP_RETURN);
	buffer(a, unknown + 1, 1);
	end(a, at);
}

static void put_ncal(struct aml *a, const struct fm_dsm_ssdt_config *c)
{
	size_t method = begin_method(a, "NCAL", 5);
	size_t at;

	put_uuid_check(a);
	OPS(a, OP_STORE, ARG4);
	seg(a, "HDLE");
	OPS(a, OP_STORE, ARG1);
	seg(a, "REVS");
	OPS(a, OP_STORE, ARG2);
	seg(a, "FUNC");
	/* A store of less than the field fills the rest with zeros: nothing old is left there. */
	at = begin_if(a);
	OPS(a, OP_AND, OP_EQUAL, OP_OBJECT_TYPE, ARG3, OP_BYTE, 4, OP_EQUAL, OP_SIZE_OF, ARG3,
	    OP_ONE);
	OPS(a, OP_STORE, OP_INDEX, ARG3, OP_ZERO, OP_ZERO, LOCAL2);
	OPS(a, OP_STORE, OP_DEREF, LOCAL2, LOCAL3, OP_STORE, LOCAL3);
	seg(a, "FARG");
	end(a, at);
	at = begin_else(a);
	OPS(a, OP_STORE, OP_ZERO);
	seg(a, "FARG");
	end(a, at);
	op(a, OP_STORE);
	integer(a, c->port ? (uint32_t)c->mailbox : 1);
	seg(a, "NTFI");
	if (!c->port) {
		op(a, OP_WHILE);
		at = begin(a);
		seg(a, "NTFI");
		OPS(a, OP_EXT, EXT_SLEEP, OP_ONE);
		end(a, at);
	}
	/* Of all of it: a field of 8 bytes or less would be an integer. */
	op(a, OP_SUBTRACT);
	seg(a, "RLEN");
	OPS(a, OP_BYTE, 4, LOCAL1, OP_STORE);
	seg(a, "ODAT");
	OPS(a, LOCAL7, OP_RETURN, OP_MID, LOCAL7, OP_ZERO, LOCAL1, OP_ZERO);
	end(a, method);
}

/* Method (_DSM, 4) { Return (NCAL (Arg0, Arg1, Arg2, Arg3, handle)) } */
static void put_dsm(struct aml *a, uint32_t handle)
{
	size_t at = begin_method(a, "_DSM", 4);

	op(a, OP_RETURN);
	seg(a, "NCAL");
	OPS(a, ARG0, ARG1, ARG2, ARG3);
	integer(a, handle);
	end(a, at);
}

/* --- _FIT ---------------------------------------------------------------------------------------- */

/* Name (INPT, Buffer (len) {0}) and its first fields, and a package for it. */
static void put_input(struct aml *a, uint32_t len)
{
	static const uint8_t zeros[8];

	op(a, OP_NAME);
	seg(a, "INPT");
	buffer(a, zeros, len);
	op(a, OP_DWORD_FIELD);
	seg(a, "INPT");
	op(a, OP_ZERO);
	seg(a, "OFST");
	OPS(a, OP_STORE, ARG0);
	seg(a, "OFST");
	name_package(a, "PKG1", 1);
	if (len < 8)
		return;
	op(a, OP_DWORD_FIELD);
	seg(a, "INPT");
	OPS(a, OP_BYTE, 4);
	seg(a, "TLEN");
	OPS(a, OP_STORE, ARG1);
	seg(a, "TLEN");
}

static void store_input(struct aml *a)
{
	op(a, OP_STORE);
	seg(a, "INPT");
	into_package(a, "PKG1", 0);
}

/* A piece of the table; its status in RSTA. */
static void put_rfit(struct aml *a)
{
	static const uint8_t none[1];
	size_t method, at;

	op(a, OP_NAME);
	seg(a, "RSTA");
	op(a, OP_ZERO);
	method = begin_method(a, "RFIT", 1);
	put_input(a, 4);
	store_input(a);
	call(a, LOCAL0, uuid_fit, 1, "PKG1", HANDLE_FIT);
	dword_field(a, LOCAL0, 0, "STAU");
	op(a, OP_STORE);
	seg(a, "STAU");
	seg(a, "RSTA");
	at = begin_if(a);
	seg(a, "RSTA");
	op(a, OP_RETURN);
	buffer(a, none, 0);
	end(a, at);
	OPS(a, OP_SUBTRACT, OP_SIZE_OF, LOCAL0, OP_BYTE, 4, LOCAL1);
	OPS(a, OP_RETURN, OP_MID, LOCAL0, OP_BYTE, 4, LOCAL1, OP_ZERO);
	end(a, method);
}

static void put_fit(struct aml *a)
{
	static const uint8_t none[1];
	size_t method, loop, at, inner;

	put_rfit(a);
	method = begin_method(a, "_FIT", 0);
	op(a, OP_STORE);
	buffer(a, none, 0);
	OPS(a, LOCAL2, OP_STORE, OP_ZERO, LOCAL3, OP_WHILE);
	loop = begin(a);
	OPS(a, OP_ONE, OP_STORE);
	seg(a, "RFIT");
	OPS(a, LOCAL3, LOCAL0, OP_STORE, OP_SIZE_OF, LOCAL0, LOCAL1);
	at = begin_if(a); /* the table changed: from its start */
	op(a, OP_EQUAL);
	seg(a, "RSTA");
	OPS(a, OP_WORD, 0x00, 0x01, OP_STORE);
	buffer(a, none, 0);
	OPS(a, LOCAL2, OP_STORE, OP_ZERO, LOCAL3);
	end(a, at);
	at = begin_else(a);
	inner = begin_if(a);
	OPS(a, OP_EQUAL, LOCAL1, OP_ZERO, OP_RETURN, LOCAL2);
	end(a, inner);
	OPS(a, OP_ADD, LOCAL3, LOCAL1, LOCAL3, OP_CONCATENATE, LOCAL2, LOCAL0, LOCAL2);
	end(a, at);
	end(a, loop);
	end(a, method);
}

/* --- DIMMs --------------------------------------------------------------------------------------- */

static void store_field(struct aml *a, const char *name, unsigned n)
{
	op(a, OP_STORE);
	seg(a, name);
	into_package(a, "RPKG", n);
}

static void return_name(struct aml *a, const char *name)
{
	op(a, OP_RETURN);
	seg(a, name);
}

static void put_lsi(struct aml *a, uint32_t handle)
{
	size_t at = begin_method(a, "_LSI", 0);

	name_package(a, "RPKG", 3);
	call(a, LOCAL0, uuid_dimm, 4, NULL, handle);
	dword_field(a, LOCAL0, 0, "STTS");
	dword_field(a, LOCAL0, 4, "SLSA");
	dword_field(a, LOCAL0, 8, "MAXT");
	store_field(a, "STTS", 0);
	store_field(a, "SLSA", 1);
	store_field(a, "MAXT", 2);
	return_name(a, "RPKG");
	end(a, at);
}

static void put_lsr(struct aml *a, uint32_t handle)
{
	size_t at = begin_method(a, "_LSR", 2);

	name_package(a, "RPKG", 2);
	put_input(a, 8);
	store_input(a);
	call(a, LOCAL0, uuid_dimm, 5, "PKG1", handle);
	dword_field(a, LOCAL0, 0, "STTS");
	store_field(a, "STTS", 0);
	OPS(a, OP_STORE, OP_MID, LOCAL0, OP_BYTE, 4, ARG1, OP_ZERO);
	into_package(a, "RPKG", 1);
	return_name(a, "RPKG");
	end(a, at);
}

static void put_lsw(struct aml *a, uint32_t handle)
{
	size_t at = begin_method(a, "_LSW", 3);

	put_input(a, 8);
	op(a, OP_CONCATENATE);
	seg(a, "INPT");
	OPS(a, ARG2, LOCAL1, OP_STORE, LOCAL1);
	into_package(a, "PKG1", 0);
	call(a, LOCAL0, uuid_dimm, 6, "PKG1", handle);
	dword_field(a, LOCAL0, 0, "STTS");
	return_name(a, "STTS");
	end(a, at);
}

static void put_dimm(struct aml *a, unsigned number, uint32_t handle)
{
	static const char digits[] = "0123456789ABCDEF";
	char name[] = "NV00";
	size_t at;

	name[2] = digits[number >> 4];
	name[3] = digits[number & 15];
	OPS(a, OP_EXT, EXT_DEVICE);
	at = begin(a);
	seg(a, name);
	op(a, OP_NAME);
	seg(a, "_ADR");
	integer(a, handle);
	put_lsi(a, handle);
	put_lsr(a, handle);
	put_lsw(a, handle);
	put_dsm(a, handle);
	end(a, at);
}

/* --- the table ----------------------------------------------------------------------------------- */

static void put_table(struct aml *a, const struct fm_dsm_ssdt_config *c)
{
	static const uint8_t header[HEADER] = "SSDT\0\0\0\0\1\0FIRMEMFMNVDIMM\1\0\0\0FMEM\1";
	size_t scope, root;

	bytes(a, header, HEADER);
	op(a, OP_SCOPE);
	scope = begin(a);
	op(a, '\\');
	seg(a, "_SB_");
	OPS(a, OP_EXT, EXT_DEVICE);
	root = begin(a);
	seg(a, "NVDR");
	op(a, OP_NAME);
	seg(a, "_HID");
	op(a, OP_STRING);
	bytes(a, "ACPI0012", 9);
	put_mailbox(a, c);
	put_ncal(a, c);
	put_dsm(a, 0);
	if (c->fit)
		put_fit(a);
	for (size_t i = 0; i < c->count; i++)
		put_dimm(a, (unsigned)i, c->handles[i]);
	end(a, root);
	end(a, scope);
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
	struct aml a = { .p = NULL };
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
