/* SPDX-License-Identifier: BSD-2-Clause */
/* vars_verbs: what the verbs of "firmem vars" share. Each file has one or a few of them. */
#ifndef FIRMEM_TOOLS_VARS_VERBS_H
#define FIRMEM_TOOLS_VARS_VERBS_H

#include "tools/firmem/args.h"
#include "tools/firmem/out.h"

#include <firmem/vars.h>

/* --- verbs ------------------------------------------------------------------------------------- */

enum status vars_list_run(int argc, char **argv);
enum status vars_get_run(int argc, char **argv);
enum status vars_check_run(int argc, char **argv);
enum status vars_rescue_run(int argc, char **argv);
enum status vars_set_run(int argc, char **argv);
enum status vars_delete_run(int argc, char **argv);
enum status vars_export_run(int argc, char **argv);
enum status vars_import_run(int argc, char **argv);

/* --- an image ---------------------------------------------------------------------------------- */

struct vars_image {
	void *bytes;
	size_t len;
	struct fm_vars *vars;
};

/* Read and parse; false after a complaint. */
bool vars_image_read(const char *path, struct vars_image *image);
/* The same, of a store in which the firmware would find variables. */
bool vars_image_read_store(const char *path, struct vars_image *image);
void vars_image_free(struct vars_image *image);

/* An image as a flash bank, to be changed. */
struct vars_bank {
	struct fm_block *block;
	struct fm_dev *dev;
};

/* Open the image of a store for changes; false after a complaint. */
bool vars_bank_open(const char *path, struct vars_bank *bank);
/* Flush and close; false after a complaint. */
bool vars_bank_close(const char *path, struct vars_bank *bank);

/* --- rows ---------------------------------------------------------------------------------------- */

struct vars_view {
	bool json;
	bool all;  /* also what the firmware does not see, with its status */
	bool bare; /* only what is the variable's own: no state, no place */
};

/* The table or array "variables", of every record that the view shows. */
void vars_put(struct out *out, const struct fm_vars *vars, const struct vars_view *view);
/* As members of the object itself. */
void vars_put_one(struct out *out, const struct fm_vars_record *r, const struct vars_view *view);

/* --- values ------------------------------------------------------------------------------------ */

/* "0x7", "7" or "NV+BS+RT" as enum fm_vars_attribute. */
bool vars_attributes_parse(const char *text, uint32_t *out);
/* Pairs of hex digits, and blanks between them where allowed; malloc'd. NULL where it is none. */
uint8_t *vars_hex_parse(const char *text, size_t *len);

#endif
