/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vars: the store in which UEFI firmware made from edk2 keeps its variables, as bytes of a flash image:
 * read, checked for what a crash left behind, rescued, and changed as the firmware would. docs/vars.md
 * has the layout to the byte.
 *
 * Reading never changes the bytes, and takes any bytes: what is wrong with them is a verdict with
 * findings, not an error. Offsets count from the start of the image.
 */
#ifndef FIRMEM_VARS_H
#define FIRMEM_VARS_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_dev;
struct fm_vars;

/* What a store's regions are, by their sizes. */
enum fm_vars_layout {
	FM_VARS_LAYOUT_UNKNOWN = 0, /* no header tells */
	FM_VARS_LAYOUT_OVMF_2M,     /* OVMF of 1 and 2 MiB: 128 KiB */
	FM_VARS_LAYOUT_OVMF_4M,     /* OVMF of 4 MiB: 528 KiB */
	FM_VARS_LAYOUT_ARM,         /* ArmVirtQemu, AAVMF: the first 768 KiB of a bank */
	FM_VARS_LAYOUT_OTHER,       /* as its headers say */
};

/* What a crash, or nothing, left behind. The worst that holds. */
enum fm_vars_verdict {
	FM_VARS_CLEAN = 0,
	/* Headers are whole; a record is not as a finished update leaves it. Nothing is lost. */
	FM_VARS_UPDATE_TORN,
	/* A reclaim was begun and not ended; all variables are still in their place. */
	FM_VARS_RECLAIM_PENDING,
	/* A reclaim ended in the middle of writing the store; the spare area has the variables. */
	FM_VARS_RECLAIM_TORN,
	/* It was a store, and the firmware finds none: it will brick or wipe itself. */
	FM_VARS_HEADERS_LOST,
	FM_VARS_BLANK,       /* erased, or zeros: the firmware makes a new store */
	FM_VARS_NOT_A_STORE, /* something else */
};

enum fm_vars_status {
	FM_VARS_LIVE = 0,   /* what the firmware sees under this name */
	FM_VARS_SUPERSEDED, /* a whole record that another one hides */
	FM_VARS_DELETED,
	FM_VARS_TORN, /* not finished, or not a record that firmware can use */
};

/* One record, in the order of the store. Pointers are into the bytes that were parsed, or the
 * parse's own (name). */
struct fm_vars_record {
	uint64_t off; /* of its header */
	uint64_t len; /* bytes up to where the next header may be */
	uint8_t state;
	enum fm_vars_status status;
	bool phantom; /* lies in the name of an unfinished record: nobody wrote it as a record */
	uint32_t attributes;
	uint8_t guid[16];  /* as it is in the store */
	const char *name;  /* UTF-8; U+FFFD for what is no UTF-16; "" where there is none */
	const void *utf16; /* the same as it is in the store, with its NUL; NULL where it is torn */
	size_t utf16_len;  /* bytes */
	const void *data;  /* NULL where it is torn */
	size_t data_len;   /* bytes */
	/* Of authenticated stores, else zero. */
	uint64_t monotonic_count;
	uint8_t time[16]; /* EFI_TIME */
	uint32_t public_key;
};

enum fm_vars_finding_kind {
	FM_VARS_BAD_VOLUME = 0, /* the header of the firmware volume */
	FM_VARS_BAD_STORE,      /* the header of the store */
	FM_VARS_UNFINISHED,     /* a record that was begun and never valid */
	FM_VARS_OLD_KEPT,       /* an update began: the old value is marked, and is what counts */
	FM_VARS_OLD_LEFT,       /* an update ended but for marking the old value deleted */
	FM_VARS_DUPLICATE,      /* a second valid record of a name; the first one counts */
	FM_VARS_PHANTOM,        /* a record inside of the name of an unfinished one */
	FM_VARS_BAD_STATE,      /* a state byte that no sequence of writes makes */
	FM_VARS_BAD_NAME,       /* no name, or one without its NUL */
	FM_VARS_PAST_END,       /* a record that would end behind the store */
	FM_VARS_BAD_TAIL,       /* where the next record goes is not erased */
	FM_VARS_BAD_WORK,       /* the working block's header */
	FM_VARS_RECLAIM_BEGUN, /* the spare area was not complete: the reclaim counts for nothing */
	FM_VARS_RECLAIM_WRITING, /* the spare area is complete, the store need not be */
	FM_VARS_RECLAIM_WRITTEN, /* the store is written, the reclaim not marked as ended */
	FM_VARS_BAD_SPARE,       /* the spare area should hold the store and does not */
	FM_VARS_FINDING_COUNT
};

struct fm_vars_finding {
	enum fm_vars_finding_kind kind;
	uint64_t off;
	char text[160]; /* one line: what is there, what was expected */
};

struct fm_vars_info {
	enum fm_vars_verdict verdict;
	enum fm_vars_layout layout;
	bool authenticated; /* records have a time and a monotonic count */
	uint64_t off;       /* of the firmware volume */
	uint64_t len;       /* its bytes; 0: no header says so */
	uint64_t block_len; /* bytes that one erase clears; 0 as above */
	/* The records' room. All of it is used + free; used is live + stale. In bytes. */
	uint64_t records_off;
	uint64_t records_len;
	uint64_t used; /* from the first record to where the next one goes */
	uint64_t live; /* records that the firmware would keep in a reclaim */
	uint64_t stale;
	uint64_t free;
	/*
	 * The firmware reclaims at the end of a boot that left less than this free. Its largest
	 * variable; not in the image, but known for a layout. 8 KiB where it is not known.
	 */
	uint64_t reserve;
	size_t variables;              /* live records */
	uint64_t work_off, work_len;   /* fault tolerant write: its queue; 0: none */
	uint64_t spare_off, spare_len; /* where a reclaim keeps the new store meanwhile */
	bool spare_whole;              /* the spare area holds a whole store */
	size_t spare_variables;        /* live in there */
};

/*
 * Read a store. Any bytes are taken; the verdict says what they are. `bytes` are borrowed and must
 * stay as they are while *out lives. FM_ERR_ARG, FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_vars_parse(struct fm_vars **out, const void *bytes, size_t len, struct fm_error *err);
/* NULL is fine. */
FM_API void fm_vars_free(struct fm_vars *vars);

/* What was found. Borrowed; constant while `vars` lives. Any thread. */
FM_API const struct fm_vars_info *fm_vars_info(const struct fm_vars *vars);
/* The n-th record of any status, the n-th finding; NULL behind the last. */
FM_API const struct fm_vars_record *fm_vars_record(const struct fm_vars *vars, size_t n);
FM_API const struct fm_vars_finding *fm_vars_finding(const struct fm_vars *vars, size_t n);
/* The live record of a name (UTF-8) and a GUID, or of any GUID (NULL): then the first. Or NULL. */
FM_API const struct fm_vars_record *fm_vars_find(const struct fm_vars *vars, const char *name,
						 const uint8_t guid[16]);
/*
 * Boots that fit until the firmware reclaims, if each appends `per_boot` bytes; 0: the next one
 * reclaims. UINT64_MAX where nothing is appended.
 */
FM_API uint64_t fm_vars_boots_left(const struct fm_vars_info *info, uint64_t per_boot);

enum fm_vars_rescue_action {
	FM_VARS_RESCUE_NOTHING = 0, /* there was nothing to do */
	FM_VARS_RESCUE_FINISHED, /* the reclaim was ended, from the spare area where it had to be */
	FM_VARS_RESCUE_ROLLED_BACK, /* the reclaim is void; the store stays as it was before it */
};

/*
 * End or void an interrupted reclaim as the firmware should have done. *out is a malloc'd image of the
 * same length, the caller's to free(); the bytes given are not changed. A torn update is left as it
 * is: the firmware copes with it. `action` may be NULL.
 *
 * FM_ERR_FORMAT (blank, or not a store), FM_ERR_STATE (the spare area does not hold the store: what is
 * lost is lost), FM_ERR_ARG, FM_ERR_NOMEM. Any thread.
 */
FM_API int fm_vars_rescue(void **out, const void *bytes, size_t len,
			  enum fm_vars_rescue_action *action, struct fm_error *err);

/* UEFI's bits of a variable's attributes. */
enum fm_vars_attribute {
	FM_VARS_NON_VOLATILE = 1 << 0,
	FM_VARS_BOOT_SERVICE = 1 << 1,
	FM_VARS_RUNTIME = 1 << 2,
	FM_VARS_HARDWARE_ERROR = 1 << 3,
	FM_VARS_AUTHENTICATED = 1 << 4, /* deprecated by UEFI */
	FM_VARS_TIME_BASED = 1 << 5,    /* authenticated by time */
};

/* A value to store. */
struct fm_vars_value {
	size_t struct_size; /* sizeof(struct fm_vars_value) */
	const char *name;   /* UTF-8, not empty */
	uint8_t guid[16];   /* as in the store: fm_vars_guid_parse() */
	const void *data;
	size_t len; /* bytes; not 0 */
	/*
	 * enum fm_vars_attribute; non-volatile, and with runtime also boot service. 0 = those of the
	 * variable as it is, or non-volatile, boot service and runtime.
	 */
	uint32_t attributes;
	const uint8_t *time; /* EFI_TIME, 16 bytes; NULL = that of the variable as it is, or zero */
};

/*
 * Store values in the image of a flash bank (Intel set, instant, read-array mode) that holds a store: records
 * are appended in edk2's order, by programs only, flushed between its steps, so that a cut at any
 * point leaves the old value or the new one, of each variable for itself. A value that is there
 * already changes nothing. With the device locked; blocks.
 *
 * FM_ERR_STATE (a verdict other than clean and update-torn, or the tail is not erased), FM_ERR_FORMAT
 * (no store), FM_ERR_NOSPACE (before anything is changed; need, free and stale are named),
 * FM_ERR_ARG, FM_ERR_UNSUPPORTED (no such bank), FM_ERR_ACCESS (a block is locked), FM_ERR_NOMEM, what a
 * flush returns.
 */
FM_API int fm_vars_set(struct fm_dev *flash, const struct fm_vars_value *values, size_t count,
		       struct fm_error *err);
/* Mark a variable deleted. As fm_vars_set(); FM_ERR_NOT_FOUND. */
FM_API int fm_vars_delete(struct fm_dev *flash, const char *name, const uint8_t guid[16],
			  struct fm_error *err);

/* "8be4df61-93ca-11d2-aa0d-00e098032b8c"; 36 characters and a NUL. Any thread. */
FM_API void fm_vars_guid_text(const uint8_t guid[16], char text[37]);
/* The other way round; either case. False where the text is none. Any thread. */
FM_API bool fm_vars_guid_parse(const char *text, uint8_t guid[16]);

/* The words that tools print: "ovmf-4m", "reclaim-torn", "live", "old-left"; never NULL. */
FM_API const char *fm_vars_layout_name(enum fm_vars_layout layout);
FM_API const char *fm_vars_verdict_name(enum fm_vars_verdict verdict);
FM_API const char *fm_vars_status_name(enum fm_vars_status status);
FM_API const char *fm_vars_finding_name(enum fm_vars_finding_kind kind);
FM_API const char *fm_vars_rescue_name(enum fm_vars_rescue_action action);

#ifdef __cplusplus
}
#endif

#endif
