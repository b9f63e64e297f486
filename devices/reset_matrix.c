/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The matrix: what each kind of reset does by default to a block of each role, without and with a
 * request to overwrite memory, and why. Data only; docs/reset.md shows it as a table.
 */
#include "devices/reset_private.h"

struct row {
	struct fmi_reset_cell plain[FM_RESET_COUNT];
	struct fmi_reset_cell overwrite[FM_RESET_COUNT];
};

static const struct row ram_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "DRAM has nothing to say after a power cycle" },
		[FM_RESET_SYSTEM] = { FM_RESET_KEEP, 0, "DRAM survives a warm reset; crash logs rely on it" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "suspended to it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_DISCARD, 0, "the next guest must not see it, nor its host" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "memory overwrite: it may hold secrets" },
		[FM_RESET_SYSTEM] = { FM_RESET_ZERO, 0, "memory overwrite: it may hold secrets" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "suspended to it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_DISCARD, 0, "the next guest must not see it, nor its host" },
	},
};

static const struct row dimm_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "DRAM has nothing to say after a power cycle" },
		[FM_RESET_SYSTEM] = { FM_RESET_KEEP, 0, "DRAM survives a warm reset; crash logs rely on it" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "suspended to it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_DISCARD, 0, "the next guest must not see it, nor its host" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "memory overwrite: it may hold secrets" },
		[FM_RESET_SYSTEM] = { FM_RESET_ZERO, 0, "memory overwrite: it may hold secrets" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "suspended to it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_DISCARD, 0, "the next guest must not see it, nor its host" },
	},
};

static const struct row virtio_mem_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_UNPLUG, 0, "its driver starts with nothing plugged" },
		[FM_RESET_SYSTEM] = { FM_RESET_UNPLUG, 0, "its driver starts with nothing plugged" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "suspended to it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_DISCARD, 0, "the next guest must not see it, nor its host" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_UNPLUG, 0, "memory overwrite, and its driver starts with nothing plugged" },
		[FM_RESET_SYSTEM] = { FM_RESET_UNPLUG, 0, "memory overwrite, and its driver starts with nothing plugged" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "suspended to it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_DISCARD, 0, "the next guest must not see it, nor its host" },
	},
};

static const struct row rom_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_RELOAD, 0, "the guest may have changed its copy" },
		[FM_RESET_SYSTEM] = { FM_RESET_RELOAD, 0, "the guest may have changed its copy" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "firmware resumes from it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "no firmware runs" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it, shadowed or not" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_RELOAD, FM_RESET_DUE_MEASURE, "part of what the guest starts from" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_RELOAD, 0, "memory overwrite: never zeroed alone, its guest would execute zeros" },
		[FM_RESET_SYSTEM] = { FM_RESET_RELOAD, 0, "memory overwrite: never zeroed alone, its guest would execute zeros" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "firmware resumes from it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "no firmware runs" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it, shadowed or not" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_RELOAD, FM_RESET_DUE_MEASURE, "part of what the guest starts from" },
	},
};

static const struct row option_rom_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_RELOAD, 0, "the guest may have changed its copy" },
		[FM_RESET_SYSTEM] = { FM_RESET_RELOAD, 0, "the guest may have changed its copy" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "firmware resumes from it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "no firmware runs" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it, shadowed or not" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_RELOAD, FM_RESET_DUE_MEASURE, "part of what the guest starts from" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_RELOAD, 0, "memory overwrite: never zeroed alone, its guest would execute zeros" },
		[FM_RESET_SYSTEM] = { FM_RESET_RELOAD, 0, "memory overwrite: never zeroed alone, its guest would execute zeros" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "firmware resumes from it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "no firmware runs" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it, shadowed or not" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_RELOAD, FM_RESET_DUE_MEASURE, "part of what the guest starts from" },
	},
};

static const struct row flash_code_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_FLUSH_KEEP, 0, "firmware; its chips go back to read-array" },
		[FM_RESET_SYSTEM] = { FM_RESET_FLUSH_KEEP, 0, "firmware; its chips go back to read-array" },
		[FM_RESET_S3] = { FM_RESET_FLUSH_KEEP, 0, "firmware; its chips go back to read-array" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands it to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_KEEP, 0, "must be what the snapshot's memory believes it is" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_FLUSH_KEEP, FM_RESET_DUE_MEASURE, "part of what the guest starts from" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_FLUSH_KEEP, 0, "memory overwrite is for volatile memory; only sanitize destroys this" },
		[FM_RESET_SYSTEM] = { FM_RESET_FLUSH_KEEP, 0, "memory overwrite is for volatile memory; only sanitize destroys this" },
		[FM_RESET_S3] = { FM_RESET_FLUSH_KEEP, 0, "firmware; its chips go back to read-array" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands it to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_KEEP, 0, "must be what the snapshot's memory believes it is" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_FLUSH_KEEP, FM_RESET_DUE_MEASURE, "part of what the guest starts from" },
	},
};

static const struct row flash_vars_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_FLUSH_KEEP, 0, "settings and keys; its chips go back to read-array" },
		[FM_RESET_SYSTEM] = { FM_RESET_FLUSH_KEEP, 0, "settings and keys; its chips go back to read-array" },
		[FM_RESET_S3] = { FM_RESET_FLUSH_KEEP, 0, "settings and keys; its chips go back to read-array" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands it to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot's, or the same as the snapshot's" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_FLUSH_KEEP, 0, "settings and keys" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_FLUSH_KEEP, 0, "holds the request itself; only sanitize destroys it" },
		[FM_RESET_SYSTEM] = { FM_RESET_FLUSH_KEEP, 0, "holds the request itself; only sanitize destroys it" },
		[FM_RESET_S3] = { FM_RESET_FLUSH_KEEP, 0, "settings and keys; its chips go back to read-array" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands it to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot's, or the same as the snapshot's" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_FLUSH_KEEP, 0, "settings and keys" },
	},
};

static const struct row vram_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "DRAM has nothing to say after a power cycle" },
		[FM_RESET_SYSTEM] = { FM_RESET_KEEP, 0, "the picture stays until firmware draws" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "suspended to it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_ZERO, 0, "the next guest must not see its pictures" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "memory overwrite: pictures are secrets, mapped by a BAR or not" },
		[FM_RESET_SYSTEM] = { FM_RESET_ZERO, 0, "memory overwrite: pictures are secrets, mapped by a BAR or not" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "suspended to it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_ZERO, 0, "the next guest must not see its pictures" },
	},
};

static const struct row nvdimm_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_FLUSH_KEEP, 0, "user data, finished before the guest starts again" },
		[FM_RESET_SYSTEM] = { FM_RESET_FLUSH_KEEP, 0, "user data, finished before the guest starts again" },
		[FM_RESET_S3] = { FM_RESET_FLUSH_KEEP, 0, "user data, finished before the guest starts again" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands it to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_KEEP, 0, "must be what the snapshot's memory believes it is" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_FLUSH_KEEP, 0, "user data; an encrypted guest sees it as shared memory" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_FLUSH_KEEP, 0, "memory overwrite is for volatile memory; only sanitize destroys this" },
		[FM_RESET_SYSTEM] = { FM_RESET_FLUSH_KEEP, 0, "memory overwrite is for volatile memory; only sanitize destroys this" },
		[FM_RESET_S3] = { FM_RESET_FLUSH_KEEP, 0, "user data, finished before the guest starts again" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands it to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_KEEP, 0, "must be what the snapshot's memory believes it is" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_FLUSH_KEEP, 0, "user data; an encrypted guest sees it as shared memory" },
	},
};

static const struct row label_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_FLUSH_KEEP, 0, "namespace metadata of an NVDIMM" },
		[FM_RESET_SYSTEM] = { FM_RESET_FLUSH_KEEP, 0, "namespace metadata of an NVDIMM" },
		[FM_RESET_S3] = { FM_RESET_FLUSH_KEEP, 0, "namespace metadata of an NVDIMM" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands it to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_KEEP, 0, "must be what the snapshot's memory believes it is" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_FLUSH_KEEP, 0, "kept for the next guest" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_FLUSH_KEEP, 0, "memory overwrite is for volatile memory; only sanitize destroys this" },
		[FM_RESET_SYSTEM] = { FM_RESET_FLUSH_KEEP, 0, "memory overwrite is for volatile memory; only sanitize destroys this" },
		[FM_RESET_S3] = { FM_RESET_FLUSH_KEEP, 0, "namespace metadata of an NVDIMM" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands it to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_KEEP, 0, "must be what the snapshot's memory believes it is" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_FLUSH_KEEP, 0, "kept for the next guest" },
	},
};

static const struct row virtio_pmem_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_FLUSH_KEEP, FM_RESET_DUE_QUIESCE, "user data; flushes in flight are finished first" },
		[FM_RESET_SYSTEM] = { FM_RESET_FLUSH_KEEP, FM_RESET_DUE_QUIESCE, "user data; flushes in flight are finished first" },
		[FM_RESET_S3] = { FM_RESET_FLUSH_KEEP, FM_RESET_DUE_QUIESCE, "user data; flushes in flight are finished first" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands it to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_KEEP, 0, "must be what the snapshot's memory believes it is" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_FLUSH_KEEP, FM_RESET_DUE_QUIESCE, "user data; flushes in flight are finished first" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_FLUSH_KEEP, FM_RESET_DUE_QUIESCE, "memory overwrite is for volatile memory; only sanitize destroys this" },
		[FM_RESET_SYSTEM] = { FM_RESET_FLUSH_KEEP, FM_RESET_DUE_QUIESCE, "memory overwrite is for volatile memory; only sanitize destroys this" },
		[FM_RESET_S3] = { FM_RESET_FLUSH_KEEP, FM_RESET_DUE_QUIESCE, "user data; flushes in flight are finished first" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands it to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_KEEP, 0, "must be what the snapshot's memory believes it is" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_FLUSH_KEEP, FM_RESET_DUE_QUIESCE, "user data; flushes in flight are finished first" },
	},
};

static const struct row table_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_RELOAD, 0, "the guest may have changed its copy" },
		[FM_RESET_SYSTEM] = { FM_RESET_RELOAD, 0, "the guest may have changed its copy" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "firmware does not build tables at a resume" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "no firmware runs" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it, shadowed or not" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_RELOAD, FM_RESET_DUE_MEASURE, "part of what the guest starts from" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_RELOAD, 0, "memory overwrite: never zeroed alone, its guest would execute zeros" },
		[FM_RESET_SYSTEM] = { FM_RESET_RELOAD, 0, "memory overwrite: never zeroed alone, its guest would execute zeros" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "firmware does not build tables at a resume" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "no firmware runs" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it, shadowed or not" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_RELOAD, FM_RESET_DUE_MEASURE, "part of what the guest starts from" },
	},
};

static const struct row device_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "DRAM has nothing to say after a power cycle" },
		[FM_RESET_SYSTEM] = { FM_RESET_ZERO, 0, "a bus reset resets the device that holds it" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "a matter of the device's power domain; override it for one that loses power" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_ZERO, 0, "the next guest must not see it" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "memory overwrite: it may hold secrets" },
		[FM_RESET_SYSTEM] = { FM_RESET_ZERO, 0, "memory overwrite: it may hold secrets" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "a matter of the device's power domain; override it for one that loses power" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_ZERO, 0, "the next guest must not see it" },
	},
};

static const struct row ppi_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "DRAM has nothing to say after a power cycle" },
		[FM_RESET_SYSTEM] = { FM_RESET_KEEP, 0, "carries requests over the reset" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "carries requests over the resume" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_ZERO, 0, "the next guest must not see its requests" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_ACKNOWLEDGE, 0, "carries requests over the reset; this one is answered last" },
		[FM_RESET_SYSTEM] = { FM_RESET_ACKNOWLEDGE, 0, "carries requests over the reset; this one is answered last" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "the request stays pending" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "the request stays pending" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_KEEP, 0, "the request stays pending: the snapshot's page would drop it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_ACKNOWLEDGE, 0, "carries requests over the reset; this one is answered last" },
	},
};

static const struct row smram_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "DRAM has nothing to say after a power cycle" },
		[FM_RESET_SYSTEM] = { FM_RESET_KEEP, 0, "DRAM survives a warm reset; crash logs rely on it" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "suspended to it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_DISCARD, 0, "the next guest must not see it, nor its host" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "memory overwrite: cleared as a block, no address map shows it" },
		[FM_RESET_SYSTEM] = { FM_RESET_ZERO, 0, "memory overwrite: cleared as a block, no address map shows it" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "suspended to it" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_DISCARD, 0, "the next guest must not see it, nor its host" },
	},
};

static const struct row private_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_DISCARD, 0, "nothing of the old guest remains" },
		[FM_RESET_SYSTEM] = { FM_RESET_REFUSE, 0, "the host cannot bring an encrypted guest's memory back to its start" },
		[FM_RESET_S3] = { FM_RESET_REFUSE, 0, "the host cannot resume what it cannot read" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_REFUSE, 0, "no snapshot has an encrypted guest's memory" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_REBUILD, FM_RESET_DUE_MEASURE, "launched and measured anew" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_REBUILD, 0, "memory overwrite: only a guest that is built anew has clear memory" },
		[FM_RESET_SYSTEM] = { FM_RESET_REBUILD, 0, "memory overwrite: only a guest that is built anew has clear memory" },
		[FM_RESET_S3] = { FM_RESET_REFUSE, 0, "the host cannot resume what it cannot read" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_REFUSE, 0, "no snapshot has an encrypted guest's memory" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_REBUILD, FM_RESET_DUE_MEASURE, "launched and measured anew" },
	},
};

static const struct row s3_preserved_row = {
	.plain = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "DRAM has nothing to say after a power cycle" },
		[FM_RESET_SYSTEM] = { FM_RESET_KEEP, 0, "DRAM survives a warm reset; crash logs rely on it" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "what firmware reserved for this" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_DISCARD, 0, "the next guest must not see it, nor its host" },
	},
	.overwrite = {
		[FM_RESET_POWER_ON] = { FM_RESET_ZERO, 0, "memory overwrite: only S3 protects it" },
		[FM_RESET_SYSTEM] = { FM_RESET_ZERO, 0, "memory overwrite: only S3 protects it" },
		[FM_RESET_S3] = { FM_RESET_KEEP, 0, "what firmware reserved for this" },
		[FM_RESET_KEXEC] = { FM_RESET_KEEP, 0, "one kernel hands memory to another" },
		[FM_RESET_SNAPSHOT] = { FM_RESET_LOAD, 0, "the snapshot has it" },
		[FM_RESET_CONFIDENTIAL] = { FM_RESET_DISCARD, 0, "the next guest must not see it, nor its host" },
	},
};

static const struct row *const rows[FM_ROLE_COUNT] = {
	[FM_ROLE_RAM] = &ram_row,
	[FM_ROLE_DIMM] = &dimm_row,
	[FM_ROLE_VIRTIO_MEM] = &virtio_mem_row,
	[FM_ROLE_ROM] = &rom_row,
	[FM_ROLE_OPTION_ROM] = &option_rom_row,
	[FM_ROLE_FLASH_CODE] = &flash_code_row,
	[FM_ROLE_FLASH_VARS] = &flash_vars_row,
	[FM_ROLE_VRAM] = &vram_row,
	[FM_ROLE_NVDIMM] = &nvdimm_row,
	[FM_ROLE_LABEL] = &label_row,
	[FM_ROLE_VIRTIO_PMEM] = &virtio_pmem_row,
	[FM_ROLE_TABLE] = &table_row,
	[FM_ROLE_DEVICE] = &device_row,
	[FM_ROLE_PPI] = &ppi_row,
	[FM_ROLE_SMRAM] = &smram_row,
	[FM_ROLE_PRIVATE] = &private_row,
	[FM_ROLE_S3_PRESERVED] = &s3_preserved_row,
};

static const struct {
	enum fm_reset_overwrite overwrite;
	const char *reason;
} requests[FM_RESET_COUNT] = {
	[FM_RESET_POWER_ON] = { FM_OVERWRITE_CLEAR, "all volatile memory is cleared" },
	[FM_RESET_SYSTEM] = { FM_OVERWRITE_CLEAR, "all volatile memory is cleared" },
	[FM_RESET_S3] = { FM_OVERWRITE_PENDING, "a resume keeps memory: the request stays set" },
	[FM_RESET_KEXEC] = { FM_OVERWRITE_PENDING, "no platform reset: the request stays set" },
	[FM_RESET_SNAPSHOT] = { FM_OVERWRITE_PENDING,
				"loaded memory is no cleared memory: the request stays set" },
	[FM_RESET_CONFIDENTIAL] = { FM_OVERWRITE_CLEAR, "nothing of the old guest remains" },
};

const struct fmi_reset_cell *fmi_reset_cell(enum fm_role role, enum fm_reset_kind kind,
					    bool overwrite)
{
	const struct row *row = rows[role];

	return overwrite ? &row->overwrite[kind] : &row->plain[kind];
}

enum fm_reset_overwrite fmi_reset_disposition(enum fm_reset_kind kind, const char **reason)
{
	*reason = requests[kind].reason;
	return requests[kind].overwrite;
}
