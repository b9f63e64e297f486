/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state: the bytes in which a device's state is saved, and the strict reading of them.
 *
 * A saved state is: "FMST", u32 format version (1), u32 length of the type name, the type name,
 * u32 version of that device's own layout, u64 length of the body, the body, u32 CRC-32 of
 * everything before it. All little-endian. The body is what the device put, in order.
 */
#ifndef FIRMEM_STATE_H
#define FIRMEM_STATE_H

#include <firmem/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Collects bytes; a failed allocation sticks and is reported once, at the end. */
struct fm_state_writer;
/* Hands bytes out; reading past the end sticks, gives zeros, and is reported at the end. */
struct fm_state_reader;

/* For devices: append, least significant byte first. */
FM_API void fm_state_put_u8(struct fm_state_writer *w, uint8_t v);
FM_API void fm_state_put_u16(struct fm_state_writer *w, uint16_t v);
FM_API void fm_state_put_u32(struct fm_state_writer *w, uint32_t v);
FM_API void fm_state_put_u64(struct fm_state_writer *w, uint64_t v);
FM_API void fm_state_put_bytes(struct fm_state_writer *w, const void *bytes, size_t len);

/* For devices: take the next bytes, in the order in which they were put. */
FM_API uint8_t fm_state_get_u8(struct fm_state_reader *r);
FM_API uint16_t fm_state_get_u16(struct fm_state_reader *r);
FM_API uint32_t fm_state_get_u32(struct fm_state_reader *r);
FM_API uint64_t fm_state_get_u64(struct fm_state_reader *r);
FM_API void fm_state_get_bytes(struct fm_state_reader *r, void *bytes, size_t len);
/*
 * The version of the body that is being read: the device's own, or an older one that it must know
 * how to read or refuse with FM_ERR_VERSION. Newer ones are refused before the device is asked.
 */
FM_API uint32_t fm_state_version(const struct fm_state_reader *r);
/* Bytes not yet read. */
FM_API size_t fm_state_left(const struct fm_state_reader *r);
/* Did a get run past the end? A device asks once, after its last get. */
FM_API bool fm_state_overrun(const struct fm_state_reader *r);

#ifdef __cplusplus
}
#endif

#endif
