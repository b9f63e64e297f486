/* SPDX-License-Identifier: BSD-2-Clause */
/* "simple-framebuffer" nodes both ways (Linux, bindings/display/simple-framebuffer.yaml). */
#include "devices/vram_private.h"

#include <stdio.h>
#include <string.h>

#define LEN_MAX (UINT64_C(1) << 30) /* bytes of video memory that a tree gets */

void fm_fdt_add_framebuffer(struct fm_fdt *fdt, uint64_t gpa, const struct fm_vram_mode *mode)
{
	uint64_t reg[2] = { gpa + mode->off, (uint64_t)mode->stride * mode->height };
	char name[40];

	snprintf(name, sizeof(name), "framebuffer@%llx", (unsigned long long)reg[0]);
	fm_fdt_begin(fdt, name);
	fm_fdt_prop_text(fdt, "compatible", "simple-framebuffer");
	fm_fdt_prop_reg(fdt, reg, 1);
	fm_fdt_prop_u32(fdt, "width", mode->width);
	fm_fdt_prop_u32(fdt, "height", mode->height);
	fm_fdt_prop_u32(fdt, "stride", mode->stride);
	fm_fdt_prop_text(fdt, "format", fm_vram_format_name(mode->format));
	fm_fdt_end(fdt);
}

static int bad(const struct fm_fdt_node *node, struct fm_error *err, const char *prop,
	       const char *value, const char *expected)
{
	return fm_error_set(err, FM_ERR_FORMAT, 0, "%s: %s: %s: \"%.40s\", expected %s",
			    fm_fdt_node_source(node), fm_fdt_node_path(node), prop, value,
			    expected);
}

static int read_mode(const struct fm_fdt_node *node, struct fm_vram_mode *mode,
		     struct fm_error *err)
{
	const char *format;
	int rc = fm_fdt_node_u32(node, "width", &mode->width, err);

	if (!rc)
		rc = fm_fdt_node_u32(node, "height", &mode->height, err);
	if (!rc)
		rc = fm_fdt_node_u32(node, "stride", &mode->stride, err);
	if (!rc)
		rc = fm_fdt_node_text(node, "format", &format, err);
	if (rc)
		return rc;
	if (!mode->stride)
		return bad(node, err, "stride", "0", "the bytes from a line to the next");
	for (unsigned f = 0; f < FM_VRAM_FORMATS; f++) {
		if (!strcmp(format, fm_vram_format_name((enum fm_vram_format)f))) {
			mode->format = (enum fm_vram_format)f;
			return 0;
		}
	}
	return bad(node, err, "format", format, "\"x8r8g8b8\" or \"r5g6b5\"");
}

static int make_block(struct fm_block **out, struct fm_machine *machine, const char *name,
		      uint64_t len, enum fm_backing backing, struct fm_error *err)
{
	struct fm_block_config cfg = { .struct_size = sizeof(cfg),
				       .name = name,
				       .backing = backing,
				       .role = FM_ROLE_VRAM,
				       .caching = FM_CACHING_WRITE_COMBINING,
				       .len = len };
	int rc = fm_block_new(out, &cfg, err);

	if (rc)
		return rc;
	rc = fm_machine_add_block(machine, *out, err);
	if (rc)
		fm_block_free(*out);
	return rc;
}

static int make_dev(struct fm_dev **out, struct fm_machine *machine, struct fm_block *block,
		    const struct fm_vram_mode *mode, struct fm_error *err)
{
	struct fm_vram_config cfg = { .struct_size = sizeof(cfg), .block = block, .mode = *mode };
	int rc;

	if (!mode->width)
		return fm_error_set(err, FM_ERR_FORMAT, 0, "width: 0, expected 1 to %u pixels",
				    FM_VRAM_SIDE_MAX);
	rc = fm_vram_new(out, &cfg, err);
	if (rc)
		return rc;
	rc = fm_machine_add_dev(machine, *out, err);
	if (rc)
		fm_dev_free(*out);
	return rc;
}

int fm_vram_fdt_build(const struct fm_fdt_node *node, struct fm_machine *machine,
		      struct fm_space *space, void *ctx, struct fm_error *err)
{
	struct fm_window_config window = { .struct_size = sizeof(window) };
	struct fm_vram_mode mode = { 0 };
	struct fm_block *block;
	struct fm_dev *dev;
	uint64_t gpa, len;
	char name[40];
	int rc = read_mode(node, &mode, err);

	if (!rc)
		rc = fm_fdt_node_reg(node, 0, &gpa, &len, err);
	if (rc)
		return rc;
	if (len > LEN_MAX)
		return fm_error_set(err, FM_ERR_FORMAT, 0,
				    "%s: %s: reg: length is 0x%llx, expected at most 0x%llx",
				    fm_fdt_node_source(node), fm_fdt_node_path(node),
				    (unsigned long long)len, (unsigned long long)LEN_MAX);
	snprintf(name, sizeof(name), "framebuffer@%llx", (unsigned long long)gpa);
	rc = make_block(&block, machine, name, len,
			ctx ? *(const enum fm_backing *)ctx : FM_BACKING_ANON, err);
	if (!rc)
		rc = make_dev(&dev, machine, block, &mode, err);
	if (rc)
		return rc;
	window.dev = dev;
	window.gpa = gpa;
	return fm_space_add(space, &window, NULL, err);
}
