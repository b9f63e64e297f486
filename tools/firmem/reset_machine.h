/* SPDX-License-Identifier: BSD-2-Clause */
/* reset_machine: the machine of a device tree, on memfds only: no file that the tree names is opened. */
#ifndef FIRMEM_TOOLS_RESET_MACHINE_H
#define FIRMEM_TOOLS_RESET_MACHINE_H

#include <firmem/machine.h>
#include <firmem/reset.h>

struct reset_machine {
	struct fm_machine *machine;
	/* What the tree says of each block's memory, in place of the memfd that it is here. */
	struct fm_reset_backing *backings;
	size_t nbackings;
};

/* What a ROM holds when it is pristine. */
#define RESET_PRISTINE 0x5a

/* False after a complaint. */
bool reset_machine_read(struct reset_machine *m, const char *dtb);
void reset_machine_free(struct reset_machine *m);

#endif
