/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * label: the label area of an NVDIMM: two index blocks and slots of labels, which say what namespaces
 * its memory has. As bytes: read, checked, made and changed as Linux does, so that a crash leaves the
 * old contents or the new. UEFI 2.10, 13.19 (v1.2); NVDIMM Namespace Specification (v1.1).
 * docs/labels.md has the layout to the byte. From libfirmem-nvdimm.
 *
 * Reading takes any bytes: what is wrong with them is a finding, not an error.
 */
#ifndef FIRMEM_LABEL_H
#define FIRMEM_LABEL_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fm_block;
struct fm_persist;
/* An area that was read. */
struct fm_label_area;

#define FM_LABEL_NAME_MAX 63         /* bytes of a name that everyone reads back whole */
#define FM_LABEL_AREA_MIN 1024u      /* bytes; Linux takes no smaller one */
#define FM_LABEL_AREA_MAX (1u << 30) /* bytes; our choice */

/* The minor number of the index block's version. */
enum fm_label_version {
	FM_LABEL_V1_1 = 1, /* slots of 128 bytes, labels without a checksum */
	FM_LABEL_V1_2 = 2, /* slots of 256 bytes with a checksum; also read with 128 */
};

enum fm_label_flag {
	FM_LABEL_READ_ONLY = 1 << 0,
	FM_LABEL_LOCAL = 1 << 1,
	FM_LABEL_BTT = 1 << 2,
	FM_LABEL_UPDATING = 1 << 3, /* an update of the namespace's labels is under way */
};

/* One label. Numbers in bytes. */
struct fm_label {
	uint32_t slot;         /* where it is */
	bool valid;            /* Linux uses it: it is in the slot it names, its checksum matches */
	bool checksum_ok;      /* true where labels have none */
	uint8_t uuid[16];      /* in text order */
	char name[64 + 1];     /* UTF-8 where its writer kept the rules */
	uint32_t flags;        /* enum fm_label_flag */
	uint16_t nlabel;       /* labels that the namespace has, on as many DIMMs */
	uint16_t position;     /* which of them this is */
	uint64_t isetcookie;   /* of the interleave set: fm_label_cookie() */
	uint64_t lbasize;      /* 512 or 4096; 0 as well */
	uint64_t dpa;          /* where it is in the DIMM */
	uint64_t rawsize;      /* on this DIMM */
	uint32_t named_slot;   /* the slot it says it is in */
	uint8_t align;         /* v1.2: log2, 0 = not said */
	uint8_t type_guid[16]; /* v1.2; as they are stored: mixed-endian */
	uint8_t abstraction_guid[16];
};

enum fm_label_finding_kind {
	FM_LABEL_NO_INDEX = 0, /* neither index block is valid: no namespaces */
	FM_LABEL_BAD_INDEX,    /* an index block is not valid; the other one counts */
	FM_LABEL_BAD_SLOT,     /* a label names another slot: ignored */
	FM_LABEL_BAD_CHECKSUM, /* a label's checksum: ignored */
	FM_LABEL_BAD_NAME,     /* no UTF-8, or 64 bytes without an end */
	FM_LABEL_BAD_POSITION, /* position is not below nlabel */
	FM_LABEL_OVERLAP,      /* two labels claim the same bytes of the DIMM */
	FM_LABEL_DUPLICATE,    /* two labels of one namespace and position */
	FM_LABEL_BEYOND,       /* ends behind the DIMM's last byte */
	FM_LABEL_UNFINISHED,   /* UPDATING is set: an update was cut; the contents count */
	FM_LABEL_FULL,         /* no free slot is left: Linux can change nothing any more */
	FM_LABEL_FINDING_COUNT
};

struct fm_label_finding {
	enum fm_label_finding_kind kind;
	uint64_t off;   /* in the area */
	char text[160]; /* one line: what is there, what was expected */
};

struct fm_label_info {
	uint64_t area_len;
	/* Whose rules hold: v1.1 where it says just that, v1.2 for all others and where no index is valid. */
	unsigned version;
	uint32_t slot_len;  /* bytes of a slot */
	uint64_t index_len; /* bytes of an index block */
	uint32_t nslot;
	int current;  /* the index block that counts, 0 or 1; -1: none is valid */
	uint32_t seq; /* its sequence number, 1 to 3; 0: none */
	bool index_ok[2];
	uint32_t index_seq[2];
	uint32_t used;         /* slots that are not free */
	uint16_t major, minor; /* the version that it says; Linux takes any */
};

/* --- reading ------------------------------------------------------------------------------------- */

/*
 * Read an area; nothing of `bytes` is kept. `pmem_len` is what namespaces may fill of the DIMM, 0 = not
 * known. FM_ERR_ARG, FM_ERR_SIZE (shorter than FM_LABEL_AREA_MIN, longer than FM_LABEL_AREA_MAX),
 * FM_ERR_NOMEM. Any thread; allocates.
 */
FM_API int fm_label_parse(struct fm_label_area **out, const void *bytes, size_t len,
			  uint64_t pmem_len, struct fm_error *err);
/* NULL is fine. */
FM_API void fm_label_free(struct fm_label_area *area);

/* What was found. Borrowed; constant while `area` lives. Any thread. */
FM_API const struct fm_label_info *fm_label_info(const struct fm_label_area *area);
/* The n-th label of a used slot, valid or not, by slot; NULL behind the last. */
FM_API const struct fm_label *fm_label_at(const struct fm_label_area *area, size_t n);
/* The first valid label of that namespace, or NULL. */
FM_API const struct fm_label *fm_label_find(const struct fm_label_area *area,
					    const uint8_t uuid[16]);
FM_API const struct fm_label_finding *fm_label_finding(const struct fm_label_area *area, size_t n);
/*
 * The lowest address where `size` bytes that end at or below `end` are claimed by no label (also not by
 * one that Linux ignores for its cookie): `from`, or a multiple of `align` above it. FM_ERR_NOSPACE,
 * FM_ERR_ARG, FM_ERR_NOMEM. Any thread; allocates.
 */
FM_API int fm_label_find_dpa(const struct fm_label_area *area, uint64_t from, uint64_t end,
			     uint64_t size, uint64_t align, uint64_t *dpa, struct fm_error *err);

/* The same, of bytes that are free in each of the areas: a namespace is at one address in all its DIMMs. */
FM_API int fm_label_find_dpa_in_all(const struct fm_label_area *const *areas, size_t count,
				    uint64_t from, uint64_t end, uint64_t size, uint64_t align,
				    uint64_t *dpa, struct fm_error *err);

/* A label as the bytes of a slot: `slot_len` is 128 or 256; its checksum is computed. Any thread. */
FM_API void fm_label_encode(const struct fm_label *label, uint32_t slot_len, uint8_t *out);
/* The other way round, from the slot of that number. Any thread. */
FM_API void fm_label_decode(const uint8_t *bytes, uint32_t slot_len, uint32_t slot,
			    struct fm_label *out);

/* --- namespaces over several DIMMs --------------------------------------------------------------- */

/* The labels of one namespace, of all areas. */
struct fm_label_set {
	const struct fm_label *first; /* of the lowest position: its name is the namespace's */
	uint16_t found;               /* positions that a valid label was found for */
	bool complete;                /* all of nlabel, with one cookie: there is a namespace */
	bool updating;                /* one of them has the flag set */
	uint64_t size;                /* bytes: of all labels */
};

/*
 * The namespaces that the areas' valid labels make, in the order they are found; at most `most` are
 * written. Returns how many there are, or FM_LABEL_NO_MEMORY. Any thread; allocates.
 */
#define FM_LABEL_NO_MEMORY SIZE_MAX
FM_API size_t fm_label_gather(const struct fm_label_area *const *areas, size_t count,
			      struct fm_label_set *out, size_t most);

/* What identifies a DIMM in an interleave set, as in the NFIT (as its bytes are read there). */
struct fm_label_mapping {
	uint64_t region_offset;
	uint32_t serial;
	uint16_t vendor;
	uint16_t mfg_date;
	uint8_t mfg_loc;
};

/* The cookie of an interleave set, at most 16 DIMMs in any order, that labels of that version have. 0
 * where there are more. Any thread. */
FM_API uint64_t fm_label_cookie(unsigned version, const struct fm_label_mapping *dimms,
				size_t count);

/* --- changes ------------------------------------------------------------------------------------- */

/*
 * Where an area is. write() shows in `bytes` at once, and one of no bytes says whether the area is there at all;
 * what a sync() covered outlives a crash. The media of an
 * array have one struct_size, and no area is in it twice: FM_ERR_ARG.
 */
struct fm_label_medium {
	size_t struct_size; /* sizeof(struct fm_label_medium) */
	const void *bytes;
	size_t len;
	uint64_t pmem_len; /* as of fm_label_parse() */
	void *ctx;
	/* 0 or FM_ERR_*. */
	int (*write)(void *ctx, uint64_t off, const void *bytes, size_t len, struct fm_error *err);
	int (*sync)(void *ctx, uint64_t off, uint64_t len, struct fm_error *err);
};

/* A part of a block, and how to make it durable; both are borrowed. */
struct fm_label_place {
	struct fm_block *block;
	struct fm_persist *persist; /* NULL: nothing is made durable */
	uint64_t off;
	uint64_t len;
};

/*
 * The medium that stores to a place; `place` outlives it. FM_ERR_RANGE, FM_ERR_ACCESS (a block that is
 * read-only). Any thread.
 */
FM_API int fm_label_medium_of(struct fm_label_medium *out, const struct fm_label_place *place,
			      uint64_t pmem_len, struct fm_error *err);

/*
 * Make an area without labels: index blocks of that version, all slots free (as ndctl init-labels
 * does). A cut leaves the old labels or none. FM_ERR_ARG, FM_ERR_SIZE, what the medium returns. The thread that
 * has the area; blocks.
 */
FM_API int fm_label_init(const struct fm_label_medium *area, unsigned version,
			 struct fm_error *err);

/*
 * Add a namespace: labels[i] goes to areas[i]; slot and UPDATING of it do not count. Each step is durable
 * before the next: the label in the lowest free slot, then the other index block; all of it twice,
 * first with UPDATING, as Linux does. A cut leaves no namespace (at most labels that make none) or the whole.
 * Position 0 is written last, whatever the order of the areas: Linux (6.1) disables a region where its first DIMM
 * has a label that another lacks.
 *
 * Everything is checked before the first write: FM_ERR_ARG (a field), FM_ERR_STATE (no valid index),
 * FM_ERR_EXISTS (the UUID), FM_ERR_OVERLAP, FM_ERR_RANGE (behind pmem_len), FM_ERR_NOSPACE (two slots must be
 * free: Linux holds one in reserve); FM_ERR_NOMEM. What the medium returns ends the change where it is.
 * The thread that has the areas; blocks; allocates.
 */
FM_API int fm_label_add(const struct fm_label_medium *areas, size_t count,
			const struct fm_label *labels, struct fm_error *err);
/* Give a namespace another name; "" is none. As fm_label_add(), one free slot; FM_ERR_NOT_FOUND. */
FM_API int fm_label_rename(const struct fm_label_medium *areas, size_t count,
			   const uint8_t uuid[16], const char *name, struct fm_error *err);
/* Free a namespace's slots: one write of an index block in each area, position 0 first. As above;
 * FM_ERR_NOT_FOUND. */
FM_API int fm_label_delete(const struct fm_label_medium *areas, size_t count,
			   const uint8_t uuid[16], struct fm_error *err);

/* --- words --------------------------------------------------------------------------------------- */

/* "f6d323f6-ad68-4090-9121-f4ab49c5628d": 36 characters and a NUL. Any thread. */
FM_API void fm_label_uuid_text(const uint8_t uuid[16], char text[37]);
/* The other way round, either case; false where the text is none. Any thread. */
FM_API bool fm_label_uuid_parse(const char *text, uint8_t uuid[16]);
/* "bad-checksum"; never NULL. */
FM_API const char *fm_label_finding_name(enum fm_label_finding_kind kind);

/* What a namespace is for: its abstraction GUID, as it is stored. */
enum fm_label_use {
	FM_LABEL_RAW = 0,
	FM_LABEL_USE_BTT, /* v1 */
	FM_LABEL_SECTOR,  /* BTT v2 */
	FM_LABEL_FSDAX,   /* PFN */
	FM_LABEL_DEVDAX,
	FM_LABEL_OTHER_USE, /* a GUID that is not known */
};
FM_API enum fm_label_use fm_label_use_of(const uint8_t guid[16]);
/* The GUID of a use; all zero for raw and for what is not known. */
FM_API void fm_label_use_guid(enum fm_label_use use, uint8_t guid[16]);
/* "raw", "btt", "sector", "fsdax", "devdax", "other"; never NULL. */
FM_API const char *fm_label_use_name(enum fm_label_use use);
/* The GUID of byte-addressable persistent memory (ACPI 6.5, 5.2.25.2), as it is stored. */
FM_API void fm_label_pmem_guid(uint8_t guid[16]);

#ifdef __cplusplus
}
#endif

#endif
