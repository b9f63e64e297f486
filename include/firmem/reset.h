/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reset: what a reset does to each block of a machine, decided first (a plan, which is data) and then
 * done (exactly that plan). docs/reset.md has the words, the matrix with its reasons, and the order of
 * things.
 *
 * The guest does not run during any of it: its CPUs are stopped before the plan is made, because the
 * plan reads the memory-overwrite request from the guest's memory.
 */
#ifndef FIRMEM_RESET_H
#define FIRMEM_RESET_H

#include <firmem/base.h>
#include <firmem/block.h>
#include <firmem/device.h>
#include <firmem/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of a block, or of a range of it. */
enum fm_reset_action {
	FM_RESET_KEEP = 0,    /* nothing */
	FM_RESET_ZERO,        /* reads as zero; of sanitized flash: erased */
	FM_RESET_RELOAD,      /* the pristine image is copied in again */
	FM_RESET_FLUSH_KEEP,  /* what the guest was told is durable is made so; then kept */
	FM_RESET_LOAD,        /* the host supplies the contents, from the snapshot */
	FM_RESET_DISCARD,     /* given back to the host, whatever it held */
	FM_RESET_UNPLUG,      /* given back, and no longer there for the guest */
	FM_RESET_REBUILD,     /* given back, and made anew by the host (encrypted guests) */
	FM_RESET_REFUSE,      /* cannot be done: the whole reset is refused */
	FM_RESET_ACKNOWLEDGE, /* the request to clear memory is answered here, last of all */
	FM_RESET_ACTION_COUNT
};

/* What else is due with a step; bits. */
enum fm_reset_due {
	FM_RESET_DUE_FLUSH = 1 << 0,   /* the devices over the block finish what they have queued */
	FM_RESET_DUE_PERSIST = 1 << 1, /* the new contents are made durable */
	FM_RESET_DUE_QUIESCE = 1 << 2, /* other writers are stopped: fm_reset_options.quiesce */
	FM_RESET_DUE_MEASURE = 1 << 3, /* the caller measures what the guest will start from */
	FM_RESET_DUE_HOST = 1 << 4,    /* only the caller can: its load, reload or rebuild */
	FM_RESET_DUE_ATTEST = 1 << 5,  /* is compared with the snapshot's digest first */
};

/* Who asked for a system reset. Recorded in the plan; decides nothing. */
enum fm_reset_cause {
	FM_RESET_CAUSE_UNKNOWN = 0,
	FM_RESET_CAUSE_GUEST, /* a reset register, PSCI, ACPI */
	FM_RESET_CAUSE_HOST,  /* an operator */
	FM_RESET_CAUSE_TRIPLE_FAULT,
	FM_RESET_CAUSE_WATCHDOG,
	FM_RESET_CAUSE_PANIC,
	FM_RESET_CAUSE_COUNT
};

/* What becomes of the request to overwrite memory. */
enum fm_reset_overwrite {
	FM_OVERWRITE_NONE = 0, /* nobody asks */
	FM_OVERWRITE_CLEAR,   /* all volatile memory is cleared, then the request is acknowledged */
	FM_OVERWRITE_PENDING, /* it stays set, for a later reset */
	FM_OVERWRITE_COUNT
};

/* Who asks for it; bits. */
enum fm_overwrite_source {
	FM_OVERWRITE_BY_CALLER = 1 << 0, /* fm_reset_request.memory_overwrite */
	FM_OVERWRITE_BY_MOR = 1 << 1,    /* fm_reset_request.mor */
	FM_OVERWRITE_BY_PPI = 1 << 2,    /* a block of role ppi: ppi.h */
};

/* --- the request -------------------------------------------------------------------------- */

enum fm_reset_when {
	FM_RESET_WHEN_ANY = 0,
	FM_RESET_WHEN_OVERWRITE,    /* only when a memory overwrite is asked for */
	FM_RESET_WHEN_NO_OVERWRITE, /* only when none is */
};

/* "This block, or blocks of this role, at these resets: that." Either a block or a role. */
struct fm_reset_rule {
	const char *block; /* the name of a block of the machine, or NULL */
	enum fm_role role; /* or FM_ROLE_NONE */
	unsigned kinds;    /* bits 1 << enum fm_reset_kind; 0 = all */
	enum fm_reset_when when;
	/*
	 * Not acknowledge; load for snapshots only (kinds says so); rebuild for role private and
	 * unplug for role virtio-mem or dimm only.
	 */
	enum fm_reset_action action;
};

/* What a snapshot that is being loaded knows of a non-volatile block. */
struct fm_reset_saved {
	const char *block;
	bool carried;       /* it has the contents: fm_reset_options.load supplies them */
	const void *digest; /* it has a digest of the contents: fm_reset_options.attest compares */
	size_t digest_len;  /* bytes */
};

/* What the host's memory under a block is; bits. It chooses no action, but what must not be done. */
enum fm_reset_backing_bit {
	FM_RESET_BACKING_SHARED = 1 << 0,     /* others may store to it: due quiesce */
	FM_RESET_BACKING_PERSISTENT = 1 << 1, /* a file or persistent memory: due persist */
	FM_RESET_BACKING_FOREIGN = 1 << 2,    /* it was there before us: zeroed with consent only */
	FM_RESET_BACKING_CONSENT = 1 << 3,    /* given */
	FM_RESET_BACKING_HOST_DEVICE = 1 << 4, /* a device of the host: never written */
	FM_RESET_BACKING_READ_ONLY = 1 << 5,
	FM_RESET_BACKING_PINNED = 1 << 6, /* its pages cannot be given back */
	FM_RESET_BACKING_FILE = 1 << 7,   /* nor those of a file, shared or not */
};

/* The host knows better than what the block itself shows: instead of that. */
struct fm_reset_backing {
	const char *block;
	unsigned is; /* enum fm_reset_backing_bit */
};

/* All pointers are borrowed for the call. */
struct fm_reset_request {
	size_t struct_size; /* sizeof(struct fm_reset_request) */
	enum fm_reset_kind kind;
	enum fm_reset_cause cause;
	bool memory_overwrite; /* ask for it */
	/*
	 * The value of the UEFI variable MemoryOverwriteRequestControl, read by the caller before
	 * anything was cleared; bit 0 asks for it (TCG Platform Reset Attack Mitigation 1.10). The
	 * variable is the firmware's to clear.
	 */
	uint8_t mor;
	/* The caller resets what is behind FM_BLOCK_HOST_DEVICE memory (a function-level reset). */
	bool host_devices_reset;
	/* Overrides: a block's name before a role, these before the policy, that before the matrix. */
	const struct fm_reset_rule *rules;
	size_t nrules;
	const struct fm_reset_rule *policy; /* what a policy file says */
	size_t npolicy;
	const char *const *sanitize; /* names of blocks whose contents are to be destroyed */
	size_t nsanitize;
	const struct fm_reset_saved *saved; /* kind snapshot */
	size_t nsaved;
	const struct fm_reset_backing *backings; /* of blocks that are not what they show */
	size_t nbackings;
	const char *policy_name; /* what messages call `policy`; NULL: "policy" */
};

/* --- the plan ----------------------------------------------------------------------------- */

#define FM_RESET_TEXT 160u

struct fm_reset_step {
	char block[64];    /* its name, "" when unnamed */
	enum fm_role role; /* private for a private range of any block */
	uint64_t start;    /* first byte, within the block */
	uint64_t size;     /* bytes */
	enum fm_reset_action action;
	unsigned due; /* enum fm_reset_due */
	char reason[FM_RESET_TEXT];
	struct fm_block *object; /* the block itself; borrowed from the machine */
	const uint8_t *digest;   /* with FM_RESET_DUE_ATTEST; the plan's */
	size_t digest_len;
};

struct fm_reset_plan {
	enum fm_reset_kind kind;
	enum fm_reset_cause cause;
	enum fm_reset_overwrite overwrite;
	unsigned overwrite_sources; /* enum fm_overwrite_source */
	char overwrite_reason[FM_RESET_TEXT];
	bool refused; /* a step is FM_RESET_REFUSE: fm_reset_apply() does nothing */
	size_t count;
	struct fm_reset_step *steps; /* in the order of the machine's blocks, ranges in order */
};

/*
 * Decide. Changes nothing; of the guest's memory only the request byte of blocks of role ppi is read. A
 * refused reset is a plan too, whose steps say why. *out is the caller's, to fm_reset_plan_free(); it
 * refers to the machine's blocks. FM_ERR_ARG (a field of the request, or a rule that makes no sense:
 * named), FM_ERR_NOT_FOUND (no block of that name), FM_ERR_EXISTS (two rules of one rank contradict,
 * or two of `saved` are about one block: both named), FM_ERR_NOMEM. One thread at a time for a machine; does not block; allocates.
 */
FM_API int fm_reset_plan(struct fm_reset_plan **out, struct fm_machine *machine,
			 const struct fm_reset_request *request, struct fm_error *err);
/* NULL is fine. */
FM_API void fm_reset_plan_free(struct fm_reset_plan *plan);

/* --- doing it ------------------------------------------------------------------------------ */

/* In this order. */
enum fm_reset_phase {
	FM_RESET_PHASE_ATTEST = 0, /* of each step that is due it */
	FM_RESET_PHASE_FLUSH,      /* with the guest's devices and other writers still at work */
	FM_RESET_PHASE_QUIESCE,    /* once */
	FM_RESET_PHASE_REFLUSH,    /* what came in between */
	FM_RESET_PHASE_CLEAR,      /* zero, reload, load, discard, unplug, rebuild */
	FM_RESET_PHASE_VERIFY,     /* with fm_reset_options.verify */
	FM_RESET_PHASE_PERSIST, /* of each changed block that is due it; kept ones were flushed */
	FM_RESET_PHASE_DEVICES, /* registers and state machines; once */
	FM_RESET_PHASE_ACKNOWLEDGE, /* of each request */
	FM_RESET_PHASE_DONE,        /* once */
	FM_RESET_PHASE_COUNT
};

/* What becomes of the host's pages under memory that is zeroed. Discarded memory is always released. */
enum fm_reset_pages {
	FM_RESET_PAGES_AUTO = 0, /* released, or written where most are there: what costs less */
	FM_RESET_PAGES_RELEASE,  /* given back to the host wherever that is possible */
	FM_RESET_PAGES_RESIDENT, /* what is there stays there and is written */
};

/*
 * Callbacks get `ctx`; they return 0 or an error with *err (never NULL) filled, which ends the reset.
 * NULL is fine for what no step of the plan needs: persist is fm_block_sync() then.
 */
struct fm_reset_options {
	size_t struct_size; /* sizeof(struct fm_reset_options) */
	enum fm_reset_pages pages;
	bool verify; /* released pages are proved absent, written and reloaded ones read back */
	void *ctx;
	/* Stop whoever else writes to the guest's memory (vhost-user, DMA) and wait for them. */
	int (*quiesce)(void *ctx, struct fm_error *err);
	/* They may go on: called when all went well, after a quiesce. */
	void (*resume)(void *ctx);
	int (*load)(void *ctx, const struct fm_reset_step *step, struct fm_error *err);
	int (*reload)(void *ctx, const struct fm_reset_step *step, struct fm_error *err);
	/* Tell the guest's device that the memory is gone; optional. */
	int (*unplug)(void *ctx, const struct fm_reset_step *step, struct fm_error *err);
	int (*rebuild)(void *ctx, const struct fm_reset_step *step, struct fm_error *err);
	int (*persist)(void *ctx, const struct fm_reset_step *step, struct fm_error *err);
	/* Does the block hold what step->digest is the digest of? */
	int (*attest)(void *ctx, const struct fm_reset_step *step, struct fm_error *err);
	/* Told before each phase of each step (NULL for phases that come once). */
	void (*progress)(void *ctx, enum fm_reset_phase phase, const struct fm_reset_step *step);
};

/* What was done with one step. Bytes. */
struct fm_reset_result {
	enum fm_reset_action action; /* KEEP until it is done */
	uint64_t written;            /* zeros stored, or image bytes copied */
	uint64_t released;           /* held contents, and were given back */
	uint64_t verified;           /* read back; released memory is proved absent, not read */
};

struct fm_reset_report {
	enum fm_reset_phase phase; /* the last one begun */
	unsigned effects;          /* enum fm_effect: REMAP and DIRTY are to be acted on */
	bool acknowledged;         /* the request of the guest's page is answered */
	uint64_t written;          /* sums over the steps */
	uint64_t released;
	uint64_t verified;
	size_t count;                    /* as many as the plan has steps */
	struct fm_reset_result *results; /* in their order; fm_reset_report_clear() frees them */
};

/*
 * Do what the plan says, in the order of enum fm_reset_phase. The request to overwrite memory is
 * acknowledged when all before it went well, so whatever ends this call early leaves it set.
 *
 * First everything is checked and nothing is touched: FM_ERR_ARG (a callback that the plan needs),
 * FM_ERR_STATE (the plan is refused: the first such step is named; or the machine has changed since),
 * FM_ERR_NOMEM; an attestation that fails returns its code. From the first flush on a failure leaves
 * *report filled with what was done, and the guest must not run until a later call went well:
 * FM_ERR_IO and FM_ERR_NOSPACE (flushing, persisting), FM_ERR_STATE (verification found bytes: block
 * and offset named), or what a callback returned. `options` and `report` may be NULL. Blocks;
 * allocates. One thread; no other call of the machine under way.
 */
FM_API int fm_reset_apply(struct fm_machine *machine, const struct fm_reset_plan *plan,
			  const struct fm_reset_options *options, struct fm_reset_report *report,
			  struct fm_error *err);
/* Free what fm_reset_apply() put into it, and zero it. NULL is fine. */
FM_API void fm_reset_report_clear(struct fm_reset_report *report);

/* --- words --------------------------------------------------------------------------------- */

/* "power-on", "flush-keep", "triple-fault", "pending", "clear", as tools print them; never NULL. */
FM_API const char *fm_reset_kind_name(enum fm_reset_kind kind);
FM_API const char *fm_reset_action_name(enum fm_reset_action action);
FM_API const char *fm_reset_cause_name(enum fm_reset_cause cause);
FM_API const char *fm_reset_overwrite_name(enum fm_reset_overwrite overwrite);
FM_API const char *fm_reset_phase_name(enum fm_reset_phase phase);
/* The value of that name, or the COUNT of its enum. */
FM_API enum fm_reset_kind fm_reset_kind_from_name(const char *name);
FM_API enum fm_reset_action fm_reset_action_from_name(const char *name);

/*
 * The default matrix: the action for a role, and why. `overwrite`: a memory overwrite is asked for.
 * *reason (NULL allowed) is static. FM_RESET_REFUSE for values outside of the enums. Any thread.
 */
FM_API enum fm_reset_action fm_reset_default(enum fm_role role, enum fm_reset_kind kind,
					     bool overwrite, const char **reason);

#ifdef __cplusplus
}
#endif

#endif
