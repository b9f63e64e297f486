/* SPDX-License-Identifier: BSD-2-Clause */
/* Images as the verbs read and change them. */
#include "tools/firmem/vars_verbs.h"

#include "tools/firmem/input.h"
#include "tools/firmem/target.h"

#include <firmem/block.h>
#include <firmem/flash.h>

#include <stdlib.h>

#define IMAGE_MAX (256u << 20)

/* What a crash left in the journal counts: it is put over the bytes, and no file is changed. */
static bool overlay(const char *path, struct vars_image *image)
{
	const struct fm_write_behind_config cfg = {
		.struct_size = sizeof(cfg),
		.name = "the image",
		.array = image->bytes,
		.len = image->len,
		.image = path,
		.read_only = true,
	};
	struct fm_write_behind *behind;
	struct fm_error err;

	/* Without one nobody is asked, and no lock is in the way. */
	if (!image->len || !target_has_journal(path))
		return true;
	if (fm_write_behind_open(&behind, &cfg, &err)) {
		complain("%s", err.msg);
		return false;
	}
	fm_write_behind_close(behind);
	return true;
}

bool vars_image_read(const char *path, struct vars_image *image)
{
	struct fm_error err;

	if (!input_read(path, IMAGE_MAX, &image->bytes, &image->len))
		return false;
	if (!overlay(path, image)) {
		free(image->bytes);
		return false;
	}
	if (!fm_vars_parse(&image->vars, image->bytes, image->len, &err))
		return true;
	complain("%s: %s", path, err.msg);
	free(image->bytes);
	return false;
}

void vars_image_free(struct vars_image *image)
{
	fm_vars_free(image->vars);
	free(image->bytes);
}

bool vars_image_read_store(const char *path, struct vars_image *image)
{
	const char *verdict;

	if (!vars_image_read(path, image))
		return false;
	if (fm_vars_info(image->vars)->len && fm_vars_info(image->vars)->records_len)
		return true;
	verdict = fm_vars_verdict_name(fm_vars_info(image->vars)->verdict);
	if (fm_vars_info(image->vars)->verdict == FM_VARS_HEADERS_LOST)
		complain("%s: %s: the firmware finds no variables, see \"firmem vars check\"", path,
			 verdict);
	else
		complain("%s: %s, expected a store of variables", path, verdict);
	vars_image_free(image);
	return false;
}

/* --- changes ----------------------------------------------------------------------------------- */

/* A size of block that divides the image: nothing is erased, so that any one serves. */
static uint64_t block_len(const struct vars_image *image)
{
	uint64_t len = fm_vars_info(image->vars)->block_len;

	return len && image->len % len == 0 ? len : 256;
}

static bool open_bank(const char *path, const struct vars_image *image, struct vars_bank *bank)
{
	const struct fm_block_config mem = {
		.struct_size = sizeof(mem),
		.name = "vars",
		.role = FM_ROLE_FLASH_VARS,
		.len = image->len,
	};
	struct fm_flash_config cfg = {
		.struct_size = sizeof(cfg),
		.bank_width = 1,
		.chip_width = 1,
		.nregions = 1,
		.image = path,
	};
	uint64_t len = block_len(image);
	struct fm_error err;

	if (fm_block_new(&bank->block, &mem, &err)) {
		complain("%s: %s", path, err.msg);
		return false;
	}
	cfg.block = bank->block;
	cfg.regions[0].block_len = len;
	cfg.regions[0].count = (uint32_t)(image->len / len);
	if (image->len % len)
		complain("%s: size: %zu bytes, expected a multiple of 256", path, image->len);
	else if (fm_flash_new(&bank->dev, &cfg, &err))
		complain("%s", err.msg);
	else
		return true;
	fm_block_free(bank->block);
	return false;
}

bool vars_bank_open(const char *path, struct vars_bank *bank)
{
	struct vars_image image;
	bool ok;

	if (!vars_image_read_store(path, &image))
		return false;
	ok = open_bank(path, &image, bank);
	vars_image_free(&image);
	return ok;
}

bool vars_bank_close(const char *path, struct vars_bank *bank)
{
	struct fm_error err;
	int rc = fm_dev_flush(bank->dev, &err);

	if (rc)
		complain("%s", err.msg);
	fm_dev_free(bank->dev);
	fm_block_free(bank->block);
	return !rc;
}
