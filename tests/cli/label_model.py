# SPDX-License-Identifier: BSD-2-Clause
"""Label areas as the specification and Linux have them, once more: to compare with, not to use."""
import struct
import uuid

SIGNATURE = b"NAMESPACE_INDEX\0"
NEXT = (0, 2, 3, 1)
PMEM = uuid.UUID("66f0d379-b4f3-4074-ac43-0d3318b78cdb").bytes_le
USES = {"raw": bytes(16), **{name: uuid.UUID(text).bytes_le for name, text in (
    ("btt", "8aed63a2-29a2-4c66-8b12-f05d15d3922a"), ("sector", "18633bfc-1735-4217-8ac9-17239282d3f8"),
    ("fsdax", "266400ba-fb9f-4677-bcb0-968f11d0d225"),
    ("devdax", "97a86d9c-3cdd-4eda-986f-5068b4f80088"))}}


def up(number, to):
    return -(-number // to) * to


def fletcher(data):
    low = high = 0
    for (word,) in struct.iter_unpack("<I", data):
        low = (low + word) & 0xffffffff
        high = (high + low) & 0xffffffff
    return high << 32 | low


def get(data, offset, form):
    return struct.unpack_from("<" + form, data, offset)[0]


# --- where things are ---------------------------------------------------------------------------

def shape(length, slot_len):
    """(bytes of an index block, slots), or None where not even two labels fit."""
    most = up(72 + up(length // slot_len, 8) // 8, 256)
    slots = (length - 2 * most) // slot_len
    return (up(72 + up(slots, 8) // 8, 256), slots) if slots >= 2 else None


def is_free(index, slot):
    return index[72 + slot // 8] >> slot % 8 & 1


def set_free(index, slot, free):
    index[72 + slot // 8] = index[72 + slot // 8] & ~(1 << slot % 8) | free << slot % 8


# --- reading ------------------------------------------------------------------------------------

def counts(area, slot_len, which, index_len):
    """Is that index block valid?"""
    block = bytes(area[which * index_len:(which + 1) * index_len])
    version = get(block, 60, "H") * 100 + get(block, 62, "H")
    slots = get(block, 56, "I")
    return (block[:16] == SIGNATURE
            and (128 << block[19] if version >= 102 else 128) == slot_len
            and fletcher(block[:64] + bytes(8) + block[72:]) == get(block, 64, "Q")
            and get(block, 20, "I") & 3 != 0
            and get(block, 24, "Q") == which * index_len and get(block, 40, "Q") == (not which) * index_len
            and get(block, 48, "Q") == 2 * index_len and 72 <= get(block, 32, "Q") <= index_len
            and slots * slot_len + 2 * index_len <= len(area) and slots <= 8 * (index_len - 72))


def current(area):
    """(bytes of a slot, of an index block, which block counts), or None."""
    for slot_len in (128, 256):
        found = shape(len(area), slot_len)
        if not found:
            continue
        good = [counts(area, slot_len, which, found[0]) for which in (0, 1)]
        first, second = (get(area, 20 + which * found[0], "I") & 3 for which in (0, 1))
        if all(good):
            return slot_len, found[0], int(first == second or NEXT[first] == second)
        if any(good):
            return slot_len, found[0], int(good[1])
    return None


def checksum_ok(label):
    return len(label) == 128 or fletcher(bytes(label[:248]) + bytes(8)) == get(label, 248, "Q")


def listing(area):
    """What "labels list --json" says, names as bytes; None: there are no labels."""
    found = current(area)
    if not found:
        return None
    slot_len, index_len, which = found
    index = area[which * index_len:(which + 1) * index_len]
    labels = []
    for slot in range(get(index, 56, "I")):
        if is_free(index, slot):
            continue
        label = area[2 * index_len + slot * slot_len:][:slot_len]
        guids = [str(uuid.UUID(bytes_le=bytes(label[at:at + 16]))) if slot_len == 256 else None
                 for at in (128, 144)]
        lbasize = get(label, 96, "Q")
        labels.append({
            "slot": slot, "uuid": str(uuid.UUID(bytes=bytes(label[:16]))),
            "name": bytes(label[16:80]).split(b"\0")[0], "flags": get(label, 80, "I"),
            "nlabel": get(label, 84, "H"), "position": get(label, 86, "H"),
            "isetcookie": hex(get(label, 88, "Q")), "lbasize": lbasize if lbasize < 1 << 53 else None,
            "dpa": hex(get(label, 104, "Q")), "rawsize": hex(get(label, 112, "Q")),
            "type_guid": guids[0], "abstraction_guid": guids[1], "checksum_ok": checksum_ok(label)})
    return {"version": f"{get(index, 60, 'H')}.{get(index, 62, 'H')}", "label_size": slot_len,
            "nslot": get(index, 56, "I"), "current_index": which, "seq": get(index, 20, "I") & 3,
            "labels": labels}


# --- making -------------------------------------------------------------------------------------

def seal(block):
    block[64:72] = bytes(8)
    block[64:72] = struct.pack("<Q", fletcher(block))
    return block


def make_index(length, slot_len, which, seq, minor):
    index_len, slots = shape(length, slot_len)
    block = bytearray(index_len)
    block[:16] = SIGNATURE
    block[19] = slot_len == 256
    struct.pack_into("<IQQQQIHH", block, 20, seq, which * index_len, index_len, (not which) * index_len,
                     2 * index_len, slots, 1, minor)
    for slot in range(slots):
        set_free(block, slot, 1)
    return seal(block)


def make_label(slot_len, slot, number, name=b"", flags=0, nlabel=1, position=0, cookie=0, lbasize=512,
               dpa=0, size=0, use=bytes(16), align=0, kind=PMEM):
    label = bytearray(slot_len)
    label[:16] = number
    label[16:16 + len(name)] = name
    struct.pack_into("<IHHQQQQI", label, 80, flags, nlabel, position, cookie, lbasize, dpa, size, slot)
    if slot_len == 256:
        label[124] = align
        label[128:160] = kind + use
        label[248:256] = struct.pack("<Q", fletcher(label))
    return label


def init(area, minor):
    slot_len = 128 if minor == 1 else 256
    index_len = shape(len(area), slot_len)[0]
    for which in (0, 1):
        area[which * index_len:(which + 1) * index_len] = make_index(len(area), slot_len, which, 3 - which,
                                                                     minor)


def change(area, number, **label):
    """A cycle of the kernel's: a label to the lowest free slot if there are fields of one, then the other index."""
    slot_len, index_len, which = current(area)
    index = bytearray(area[which * index_len:(which + 1) * index_len])
    slots = get(index, 56, "I")
    old = [slot for slot in range(slots) if not is_free(index, slot)
           and area[2 * index_len + slot * slot_len:][:16] == number]
    if label:
        slot = next(slot for slot in range(slots) if is_free(index, slot))
        at = 2 * index_len + slot * slot_len
        area[at:at + slot_len] = make_label(slot_len, slot, number, **label)
        set_free(index, slot, 0)
    for slot in old:
        set_free(index, slot, 1)
    struct.pack_into("<IQ", index, 20, NEXT[get(index, 20, "I") & 3], (not which) * index_len)
    struct.pack_into("<Q", index, 40, which * index_len)
    area[(not which) * index_len:(2 - which) * index_len] = seal(index)
