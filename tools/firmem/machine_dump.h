/* SPDX-License-Identifier: BSD-2-Clause */
/* machine_dump: "firmem machine dump", the memory of another process's guest as a core file. */
#ifndef FIRMEM_TOOLS_MACHINE_DUMP_H
#define FIRMEM_TOOLS_MACHINE_DUMP_H

#include "tools/firmem/command.h"

enum status machine_dump_run(int argc, char **argv);

#endif
