/* SPDX-License-Identifier: BSD-2-Clause */
/* measure_verbs: the verbs of firmem measure, each in the file of its technology. */
#ifndef FIRMEM_TOOLS_MEASURE_VERBS_H
#define FIRMEM_TOOLS_MEASURE_VERBS_H

#include "tools/firmem/command.h"

enum status measure_sev(int argc, char **argv);
enum status measure_seves(int argc, char **argv);
enum status measure_snp(int argc, char **argv);
enum status measure_ovmf_hash(int argc, char **argv);
enum status measure_vmsa(int argc, char **argv);
enum status measure_hmac(int argc, char **argv);
enum status measure_idblock(int argc, char **argv);
enum status measure_tdx(int argc, char **argv);
enum status measure_rtmr(int argc, char **argv);
enum status measure_pcr(int argc, char **argv);
enum status measure_cca(int argc, char **argv);
enum status measure_rem(int argc, char **argv);
enum status measure_igvm(int argc, char **argv);
enum status measure_identify(int argc, char **argv);
enum status measure_diff(int argc, char **argv);

#endif
