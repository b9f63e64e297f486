/* SPDX-License-Identifier: BSD-2-Clause */
/* postcopy: fm_migration_postcopy(), for migration.c. */
#ifndef FIRMEM_DEVICES_POSTCOPY_H
#define FIRMEM_DEVICES_POSTCOPY_H

#include <firmem/migration.h>

int fmi_postcopy_check(const struct fm_block *block, struct fm_error *err);

#endif
