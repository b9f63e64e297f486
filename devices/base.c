/* SPDX-License-Identifier: BSD-2-Clause */
#include <firmem/base.h>

#include <stdarg.h>
#include <stdio.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* A path or a name may hold anything; a message is one line, and harmless on a terminal. */
static void make_one_line(char *msg)
{
	for (; *msg; msg++) {
		if ((unsigned char)*msg < ' ' || *msg == 0x7f)
			*msg = '?';
	}
}

int fm_error_set(struct fm_error *err, int code, int sys, const char *fmt, ...)
{
	if (err) {
		va_list ap;

		err->code = code;
		err->sys = sys;
		va_start(ap, fmt);
		vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
		va_end(ap);
		make_one_line(err->msg);
	}
	return code;
}

const char *fm_strerror(int code)
{
	if (code == 0)
		return "success";
	switch ((enum fm_err)code) {
	case FM_ERR_ARG:
		return "invalid argument";
	case FM_ERR_RANGE:
		return "out of range";
	case FM_ERR_EXISTS:
		return "already exists";
	case FM_ERR_NOT_FOUND:
		return "not found";
	case FM_ERR_BUSY:
		return "still in use";
	case FM_ERR_STATE:
		return "not possible in this state";
	case FM_ERR_OVERLAP:
		return "ranges overlap";
	case FM_ERR_FORMAT:
		return "malformed input";
	case FM_ERR_SIZE:
		return "wrong size";
	case FM_ERR_CHECKSUM:
		return "wrong checksum";
	case FM_ERR_VERSION:
		return "unknown version";
	case FM_ERR_NOMEM:
		return "out of memory";
	case FM_ERR_IO:
		return "input/output error";
	case FM_ERR_ACCESS:
		return "permission denied";
	case FM_ERR_NOSPACE:
		return "no space left";
	case FM_ERR_UNSUPPORTED:
		return "not supported here";
	case FM_ERR_LOCKED:
		return "locked by another process";
	}
	return "unknown error";
}

const char *fm_version(void)
{
	return TEXT(FM_VERSION_MAJOR) "." TEXT(FM_VERSION_MINOR) "." TEXT(FM_VERSION_PATCH);
}
