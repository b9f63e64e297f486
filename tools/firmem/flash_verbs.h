/* SPDX-License-Identifier: BSD-2-Clause */
/* flash_verbs: the verbs of "firmem flash", a file each; cmd_flash.c has the table of them. */
#ifndef FIRMEM_TOOLS_FLASH_VERBS_H
#define FIRMEM_TOOLS_FLASH_VERBS_H

#include "tools/firmem/command.h"

enum status flash_run(int argc, char **argv);
enum status flash_recover(int argc, char **argv);
#ifdef HAVE_NBDKIT
enum status flash_serve(int argc, char **argv);
#endif

#endif
