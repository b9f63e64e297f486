/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vram: video memory with a linear framebuffer in it, as firmware sets one up before any driver
 * knows the display (UEFI's GOP, "simple-framebuffer"). The guest stores pixels without a trap; the
 * host asks which lines changed, and may take a picture.
 */
#ifndef FIRMEM_VRAM_H
#define FIRMEM_VRAM_H

#include <firmem/block.h>
#include <firmem/device.h>
#include <firmem/fdt.h>
#include <firmem/io.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FM_VRAM_SIDE_MAX 16384u /* pixels of a line, lines of a picture */

/* How a pixel lies in memory, least significant byte first. */
enum fm_vram_format {
	FM_VRAM_XRGB8888 = 0, /* 4 bytes: blue, green, red, one that is ignored; "x8r8g8b8" */
	FM_VRAM_RGB565,       /* 2 bytes: blue in bits 0-4, green 5-10, red 11-15; "r5g6b5" */
	FM_VRAM_FORMATS
};

struct fm_vram_mode {
	uint32_t width;  /* pixels, 1 to FM_VRAM_SIDE_MAX */
	uint32_t height; /* lines, the same */
	/*
	 * Bytes from a line to the next: a multiple of 4 and at least a line's pixels; 0 = the least
	 * multiple of 64 that is.
	 */
	uint32_t stride;
	enum fm_vram_format format;
	uint64_t off; /* of the first pixel in the block; a multiple of 4 */
};

struct fm_vram_config {
	size_t struct_size;       /* sizeof(struct fm_vram_config) */
	const char *name;         /* of the device; NULL = the block's name */
	struct fm_block *block;   /* borrowed; outlives the device */
	struct fm_vram_mode mode; /* width 0: 800 x 600, or what `height` says of it */
};

/*
 * Memory as fm_ram_new() makes it, with a mode. The whole picture lies in the block. A reset keeps
 * mode and pixels (the reset policy clears blocks); sanitize makes the block 0. Save and load are of the
 * mode. FM_ERR_ARG: the field is named. FM_ERR_NOMEM.
 */
FM_API int fm_vram_new(struct fm_dev **out, const struct fm_vram_config *cfg, struct fm_error *err);

/*
 * Another mode; pixels stay where they are, and every line counts as changed for clients that log.
 * FM_ERR_ARG as above, or `dev` is no video memory; then the mode is as it was.
 */
FM_API int fm_vram_set_mode(struct fm_dev *dev, const struct fm_vram_mode *mode,
			    struct fm_error *err);
/* The mode, stride filled in. FM_ERR_ARG. */
FM_API int fm_vram_mode(struct fm_dev *dev, struct fm_vram_mode *out);

/*
 * Lines that changed since the last call by this client of the block's dirty log (fm_dirty_start()),
 * bit n % 64 of lines[n / 64] for line n; (height + 63) / 64 words. A granule of the log that two
 * lines share is both's. Returns how many lines, or FM_ERR_ARG, or FM_ERR_STATE when the client does
 * not log. Marks outside the picture stay. Allocates.
 */
FM_API int fm_vram_dirty_lines(struct fm_dev *dev, unsigned client, uint64_t *lines);

/*
 * A line's pixels as `width` times red, green, blue, a byte each; RGB565's are scaled so that all ones
 * are 255. FM_ERR_ARG, FM_ERR_RANGE. While the guest draws, a line may be half old.
 */
FM_API int fm_vram_line(struct fm_dev *dev, uint32_t line, uint8_t *rgb);

/*
 * The picture as a PNG file, 8 bits RGB, zlib's level 1, stored whole or not at all. `io` NULL =
 * fm_io_posix(). Not in a library built without libpng. FM_ERR_ARG, FM_ERR_NOMEM, and as
 * fm_io_store(). Blocks; allocates.
 */
FM_API int fm_vram_screenshot(struct fm_dev *dev, const char *path, const struct fm_io *io,
			      struct fm_error *err);

/*
 * A struct fm_fdt_binding's build() for "simple-framebuffer" (Devicetree bindings, display): a block of
 * role vram, a device and a window named "framebuffer@ADDRESS", of the node's reg, width, height,
 * stride and format. FM_ERR_FORMAT, FM_ERR_NOT_FOUND and as for memory nodes. `ctx` is NULL, or points to
 * an enum fm_backing for the block: anonymous (NULL) or memfd. Not
 * in a library built without libfdt.
 */
FM_API int fm_vram_fdt_build(const struct fm_fdt_node *node, struct fm_machine *machine,
			     struct fm_space *space, void *ctx, struct fm_error *err);
/* Such a node for the guest, of memory at `gpa` whose picture is `mode` (its off counts). */
FM_API void fm_fdt_add_framebuffer(struct fm_fdt *fdt, uint64_t gpa,
				   const struct fm_vram_mode *mode);

/* "x8r8g8b8", "r5g6b5"; never NULL. Any thread. */
FM_API const char *fm_vram_format_name(enum fm_vram_format format);

#ifdef __cplusplus
}
#endif

#endif
