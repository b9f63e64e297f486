#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem nvdimm labels over areas made at random, next to another implementation: cli_nvdimm_areas.py
COMMAND GROUP."""
import gzip
import json
import os
import random
import struct
import sys
import uuid

import cli
import label_model as model
from cli import Skip, run, write
from cli_nvdimm import MIB

READS = 120
CHANGES = 25
SIZES = (1024, 1100, 1280, 1536, 2048, 4096, 4160, 4224, 8192, 12345, 32768)


def read_back(area, what):
    """The command lists what the model lists, or says that there are no labels."""
    write("area", area)
    expected = model.listing(area)
    done = run("nvdimm", "labels", "list", "area", "--json", "--label-size", str(len(area)))
    check = run("nvdimm", "labels", "check", "area", "--json", "--label-size", str(len(area)))
    assert check.returncode in (0, 1) and check.stderr == b"", (what, check)
    found = json.loads(check.stdout)
    if expected is None:
        assert done.returncode == 2 and done.stdout == b"" and done.stderr.count(b"\n") == 1, (what, done)
        assert {f["finding"] for f in found["findings"]} == {"no-index"}, (what, found)
        return
    assert done.returncode == 0 and done.stderr == b"", (what, done)
    answer = json.loads(done.stdout)
    for label, other in zip(answer["labels"], expected["labels"]):
        try:
            other["name"] = other["name"].decode()
        except UnicodeDecodeError:
            other["name"] = label["name"]
    assert answer == expected, (what, answer, expected)
    bad = sum(not label["checksum_ok"] for label in answer["labels"])
    assert sum(f["finding"] == "bad-checksum" for f in found["findings"]) == bad, (what, found)


# --- areas at random ----------------------------------------------------------------------------

def some_name(rng):
    return rng.choice((b"", b"n", "na\u00efve \u2603".encode(), b"x" * 63, b"x" * 64, b"\xff\xfe", b"a\nb"))


def some_label(rng, slot_len, slot):
    label = model.make_label(
        slot_len, slot if rng.random() < .9 else rng.randrange(5), rng.randbytes(16), some_name(rng),
        rng.choice((0, 0, 8, 0xffffffff)), rng.choice((0, 1, 2, 65535)), rng.choice((0, 0, 1, 65535)),
        rng.getrandbits(64), rng.choice((0, 512, (1 << 53) - 1, 1 << 53, (1 << 64) - 1)),
        rng.choice((0, 4096, rng.getrandbits(64))), rng.choice((0, 1, rng.getrandbits(64))),
        rng.randbytes(16), rng.randrange(256), rng.randbytes(16))
    if rng.random() < .1:
        label[rng.randrange(slot_len)] ^= 1 << rng.randrange(8)
    return label


def lie(rng, block, length, slot_len):
    """One field of an index block says something else."""
    size = len(block)
    kind = rng.randrange(6)
    if kind == 0:
        block[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        struct.pack_into("<Q", block, rng.choice((24, 32, 40, 48)),
                         rng.choice((0, 71, 72, size - 1, size, size + 1, 2 * size, (1 << 64) - 1)))
    elif kind == 2:
        slots = (length - 2 * size) // slot_len
        struct.pack_into("<I", block, 56, rng.choice((0, 1, slots - 1, slots, slots + 1, 1 << 25, 0xffffffff)))
    elif kind == 3:
        block[19] = rng.choice((0, 1, 2, 7, 8, 57, 255))
    elif kind == 4:
        struct.pack_into("<HH", block, 60, rng.choice((0, 1, 1, 2)), rng.choice((0, 1, 2, 3, 101)))
    else:
        block[rng.randrange(16)] ^= 1


def some_area(rng):
    length = rng.choice(SIZES)
    area = bytearray(rng.randbytes(length) if rng.random() < .3 else length)
    # Of one version, or what is left of another below it.
    for slot_len, minor in rng.choice((((128, 1),), ((256, 2),), ((128, 2),), ((128, 1), (256, 2)),
                                       ((256, 2), (128, 1)))):
        if not model.shape(length, slot_len):
            continue
        index_len, slots = model.shape(length, slot_len)
        density = rng.choice((.02, .2, .9))
        used = [slot for slot in range(slots) if rng.random() < density]
        for slot in used:
            at = 2 * index_len + slot * slot_len
            area[at:at + slot_len] = some_label(rng, slot_len, slot)
        for which in rng.choice(((0, 1), (0, 1), (0,), (1,))):
            block = model.make_index(length, slot_len, which, rng.choice((1, 2, 3, 3, 0, 4, 7)), minor)
            for slot in used:
                model.set_free(block, slot, int(which and rng.random() < .1))
            for _ in range(rng.choice((0, 0, 1, 2))):
                lie(rng, block, length, slot_len)
            if rng.random() < .85:
                model.seal(block)
            area[which * index_len:(which + 1) * index_len] = block
    assert len(area) == length
    return area


class Read:
    FILES = {b"area"}

    def areas_at_random_are_read_as_the_model_reads_them(self):
        for seed in range(READS):
            read_back(some_area(random.Random(seed)), f"seed {seed}")

    def areas_that_linux_and_ndctl_wrote_are_so(self):
        folder = os.path.join(os.environ.get("FIRMEM_VECTORS", ""), "nvdimm")
        names = [name for name in (os.listdir(folder) if os.path.isdir(folder) else [])
                 if ".bin" in name and not name.startswith("nfit")]
        if not names:
            raise Skip(f"no test data at {folder}")
        for name in names:
            with (gzip.open if name.endswith(".gz") else open)(os.path.join(folder, name), "rb") as file:
                read_back(bytearray(file.read()), name)


# --- changes at random --------------------------------------------------------------------------

class Script:
    """Changes of a file, each made in the model as well; after each the file is the model's, to the byte."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.minor = self.rng.choice((1, 2))
        self.pmem = self.rng.choice((0, 4, 32)) * MIB
        length = self.rng.choice((1024, 1280, 2048, 4096, 8192, 131072))
        self.area = bytearray(self.rng.randbytes(length) if self.rng.random() < .3 else length)
        self.labels = {}
        self.options = ["--label-size", str(length)]
        with open("area", "wb") as file:
            file.truncate(self.pmem)
            file.seek(self.pmem)
            file.write(self.area)

    def make(self, verb, *arguments, status=0):
        done = run("nvdimm", "labels", verb, "area", *self.options, *arguments)
        assert done.returncode == status, (verb, arguments, done)

    def compare(self, what):
        with open("area", "rb") as file:
            assert file.read() == bytes(self.pmem) + self.area, what

    def has_room(self, needed):
        slots = model.shape(len(self.area), 128 if self.minor == 1 else 256)[1]
        return slots - len(self.labels) >= needed

    def free_address(self, size):
        at = 0
        while hits := [other["dpa"] + other["size"] for other in self.labels.values()
                       if other["dpa"] < at + size and at < other["dpa"] + other["size"]]:
            at = model.up(max(hits), 2 * MIB)
        return at if not self.pmem or at + size <= self.pmem else None

    def replace(self, number):
        """As the kernel does: with the flag "updating", then without."""
        for flags in (8, 0):
            model.change(self.area, number, flags=flags, **self.labels[number])

    def add(self):
        number, rng = self.rng.randbytes(16), self.rng
        use = rng.choice(list(model.USES)) if self.minor == 2 else "raw"
        size, lbasize = rng.choice((4096, MIB, 3 * MIB)), rng.choice((0, 512, 4096))
        name = rng.choice(("n", "na\u00efve", "x" * 63))
        nlabel = rng.choice((1, 1, 2))
        position, cookie = rng.randrange(nlabel), rng.getrandbits(64)
        dpa = self.free_address(size)
        good = dpa is not None and self.has_room(2)
        self.make("add", "--size", str(size), "--uuid", str(uuid.UUID(bytes=number)), "--name", name,
                  "--mode", use, "--lbasize", str(lbasize), "--nlabel", str(nlabel), "--position",
                  str(position), "--cookie", str(cookie), status=0 if good else 2)
        if good:
            self.labels[number] = {
                "name": name.encode(), "nlabel": nlabel, "position": position, "cookie": cookie,
                "lbasize": lbasize, "dpa": dpa, "size": size, "use": model.USES[use]}
            self.replace(number)

    def delete(self):
        number = self.rng.choice(sorted(self.labels))
        whole = self.labels[number]["position"] == 0
        self.make("delete", "--uuid", str(uuid.UUID(bytes=number)), *([] if whole else ["--force"]))
        model.change(self.area, number)
        del self.labels[number]

    def rename(self):
        number = self.rng.choice(sorted(self.labels))
        good = self.labels[number]["nlabel"] == 1 and self.has_room(1)
        name = self.rng.choice(("", "new", "y" * 63))
        self.make("rename", "--uuid", str(uuid.UUID(bytes=number)), "--name", name, status=0 if good else 2)
        if good:
            self.labels[number]["name"] = name.encode()
            self.replace(number)

    def play(self):
        if not model.shape(len(self.area), 128 if self.minor == 1 else 256):
            self.make("init", "--version", f"1.{self.minor}", "--force", status=2)
            return
        self.make("init", "--version", f"1.{self.minor}", "--force")
        model.init(self.area, self.minor)
        self.compare("init")
        for _ in range(self.rng.randrange(2, 10)):
            step = self.rng.choice((self.add, self.add, self.delete, self.rename) if self.labels else (self.add,))
            step()
            self.compare(step.__name__)


class Change:
    FILES = {b"area"}

    def changes_at_random_leave_what_the_model_says_to_the_byte(self):
        for seed in range(CHANGES):
            try:
                Script(seed).play()
            except AssertionError as why:
                raise AssertionError(f"seed {seed}") from why


GROUPS = {group.__name__.lower(): group for group in (Read, Change)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
