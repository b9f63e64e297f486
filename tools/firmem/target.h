/* SPDX-License-Identifier: BSD-2-Clause */
/* target: files that a command is about to write. */
#ifndef FIRMEM_TOOLS_TARGET_H
#define FIRMEM_TOOLS_TARGET_H

#include <stdbool.h>

/* Are both there, and one file? NULL is none. */
bool target_same(const char *a, const char *b);
/*
 * Would writing `target` destroy the image at `path`: is it the image, its journal, or the name that
 * its journal has when there is one?
 */
bool target_is_image(const char *path, const char *target);
/* Is there a journal beside the image? */
bool target_has_journal(const char *path);

#endif
