/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base: what every other header needs: error codes, effect bits, access attributes, version.
 *
 * Two error planes. The *embedder plane* (this header's FM_ERR_*) answers the program that
 * uses the library. The *guest plane* never sees an error code: a guest sees status bits of
 * a device, or a fault effect.
 */
#ifndef FIRMEM_BASE_H
#define FIRMEM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FM_API __attribute__((visibility("default")))
#define FM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define FM_API
#define FM_PRINTF(fmt, args)
#endif

#define FM_VERSION_MAJOR 0
#define FM_VERSION_MINOR 1
#define FM_VERSION_PATCH 0

/*
 * Error codes, grouped by whose fault it is. Functions of the embedder plane return 0 or one
 * of these. On failure no output is touched and nothing has changed, unless the function's
 * own entry says otherwise.
 */
enum fm_err {
	/* The caller's. */
	FM_ERR_ARG = -1,       /* an argument or a field of a config struct is out of its domain */
	FM_ERR_RANGE = -2,     /* an offset or length leaves the object */
	FM_ERR_EXISTS = -3,    /* the name (or file, for an exclusive create) is taken */
	FM_ERR_NOT_FOUND = -4, /* no such name, file or window */
	FM_ERR_BUSY = -5,      /* something still uses the object */
	FM_ERR_STATE = -6,     /* not in a state in which the call makes sense */
	FM_ERR_OVERLAP = -7,   /* two ranges overlap that must not */
	/* The input's: a file, a device tree, a saved state. */
	FM_ERR_FORMAT = -16,   /* not what it claims to be, or a field lies */
	FM_ERR_SIZE = -17,     /* the file or field has the wrong size */
	FM_ERR_CHECKSUM = -18, /* a checksum does not match */
	FM_ERR_VERSION = -19,  /* made by a version that this one cannot read */
	/* The host's. */
	FM_ERR_NOMEM = -32,       /* out of memory */
	FM_ERR_IO = -33,          /* the host's I/O failed; fm_error.sys has the errno */
	FM_ERR_ACCESS = -34,      /* permission denied, or opened read-only */
	FM_ERR_NOSPACE = -35,     /* the file system or the memory backing is full */
	FM_ERR_UNSUPPORTED = -36, /* this host or this build cannot do it */
	FM_ERR_LOCKED = -37,      /* another process holds the file */
};

/*
 * Details of a failure, owned by the caller. Every function that takes one accepts NULL.
 * Untouched on success.
 */
struct fm_error {
	int code;      /* the FM_ERR_* that was returned */
	int sys;       /* the errno behind it, or 0 */
	char msg[400]; /* one line, no newline: file or object, field, value, what was expected */
};

/*
 * Fill `err` (NULL allowed) and return `code`, so that a failure is one statement. For
 * callers' own devices and bindings as much as for the library. Control characters become '?'.
 * Any thread; does not block; does not allocate.
 */
FM_API int fm_error_set(struct fm_error *err, int code, int sys, const char *fmt, ...)
	FM_PRINTF(4, 5);

/* The fixed text of an FM_ERR_* code ("no such object"); never NULL. Any thread. */
FM_API const char *fm_strerror(int code);

/* "MAJOR.MINOR.PATCH" of the library that runs (not of this header). Any thread. */
FM_API const char *fm_version(void);

/*
 * Effects: what an access, a tick or a reset tells the host. They are returned as bits once
 * the state change is finished; nothing calls into the host in the middle of an operation.
 */
enum fm_effect {
	FM_EFF_REMAP = 1 << 0, /* ask the device's mapping again (fm_dev_map, fm_space_refresh) */
	FM_EFF_DIRTY = 1 << 1, /* a block became dirty for a client of its log: see dirty.h */
	FM_EFF_IRQ = 1 << 2,   /* the device's interrupt line may have changed */
	FM_EFF_FAULT = 1 << 3, /* nothing answers there, or not at that width: a bus error */
	FM_EFF_IOERR = 1 << 4, /* a host file could not be read or written: fm_dev_error() */
};

/*
 * Attributes that travel with each guest access. All zero: an ordinary CPU access. They reach devices,
 * not memory that is mapped: a machine whose secure world sees other memory has a space for each.
 */
struct fm_attrs {
	bool secure;        /* made in the secure world (TrustZone, SMM) */
	bool debug;         /* made by a debugger: sees what is there, changes no device state */
	uint16_t requester; /* who asks (PCI requester id, CPU number); 0 = unspecified */
};

#ifdef __cplusplus
#define FM_ATTRS_NONE (fm_attrs{})
#else
#define FM_ATTRS_NONE ((struct fm_attrs){ .secure = false })
#endif

/* No deadline: see fm_dev_next_deadline_ns(). */
#define FM_NEVER UINT64_MAX

#ifdef __cplusplus
}
#endif

#endif
