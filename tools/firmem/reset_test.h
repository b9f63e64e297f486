/* SPDX-License-Identifier: BSD-2-Clause */
/* reset_test: do a reset to a machine whose every block holds a secret, and look what is left. */
#ifndef FIRMEM_TOOLS_RESET_TEST_H
#define FIRMEM_TOOLS_RESET_TEST_H

#include "tools/firmem/command.h"
#include "tools/firmem/out.h"

#include <firmem/reset.h>

/* Set the request of the machine's presence pages, or take it away. */
void reset_test_ask(struct fm_machine *machine, bool overwrite);
/* Before that: it is the whole pages that are filled. */
void reset_test_fill(struct fm_machine *machine);
/*
 * Apply the plan and put a table "test" of what each range holds. STATUS_NO when something is not as
 * planned, or volatile memory still holds the secret; STATUS_BAD after a complaint.
 */
enum status reset_test_run(struct out *out, struct fm_machine *machine,
			   const struct fm_reset_plan *plan, enum fm_reset_pages pages);

#endif
