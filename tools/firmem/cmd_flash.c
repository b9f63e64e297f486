/* SPDX-License-Identifier: BSD-2-Clause */
/* firmem flash: banks of flash chips. A new verb is a file, a line in flash_verbs.h and one here. */
#include "tools/firmem/flash_verbs.h"

#include <stddef.h>

static const struct verb verbs[] = {
	{ "run", "a bank of flash that takes bus cycles from standard input", flash_run },
	{ "recover", "write to an image what its journal has in addition", flash_recover },
#ifdef HAVE_NBDKIT
	{ "serve", "an image by way of its journal, for QEMU", flash_serve },
#endif
	{ NULL, NULL, NULL },
};

const struct command command_flash = {
	.noun = "flash",
	.summary = "Banks of flash chips and their images.",
	.verbs = verbs,
};
