/* SPDX-License-Identifier: BSD-2-Clause */
/* dsm_aml: bytes of AML (ACPI 6.5, chapter 20). */
#ifndef FIRMEM_NVDIMM_DSM_AML_H
#define FIRMEM_NVDIMM_DSM_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Code under way; starts as zeros, `p` is the owner's to free(). */
struct fmi_aml {
	uint8_t *p;
	size_t len, room;
	bool failed;
};

void fmi_aml_bytes(struct fmi_aml *a, const void *p, size_t len);
void fmi_aml_op(struct fmi_aml *a, unsigned code);
void fmi_aml_ops(struct fmi_aml *a, size_t count, const uint8_t *codes);
#define AML_OPS(a, ...) \
	fmi_aml_ops(a, sizeof((const uint8_t[]){ __VA_ARGS__ }), (const uint8_t[]){ __VA_ARGS__ })

/* A name of four characters. */
void fmi_aml_seg(struct fmi_aml *a, const char *name);
void fmi_aml_integer(struct fmi_aml *a, uint32_t v);
/* A length of 20 bits, in its form of three bytes. */
void fmi_aml_length(uint8_t *p, size_t len);
/* What has a length: from here to its end. */
size_t fmi_aml_begin(struct fmi_aml *a);
void fmi_aml_end(struct fmi_aml *a, size_t at);
/* Buffer (len) {...} */
void fmi_aml_buffer(struct fmi_aml *a, const void *p, uint32_t len);

#endif
