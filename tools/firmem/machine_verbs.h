/* SPDX-License-Identifier: BSD-2-Clause */
/* machine_verbs: the verbs of "firmem machine" beside info; each in a file of its name. */
#ifndef FIRMEM_TOOLS_MACHINE_VERBS_H
#define FIRMEM_TOOLS_MACHINE_VERBS_H

#include "tools/firmem/command.h"

enum status machine_ramblock_run(int argc, char **argv);
enum status machine_mtree_run(int argc, char **argv);
enum status machine_memdev_run(int argc, char **argv);
enum status machine_devices_run(int argc, char **argv);

#endif
