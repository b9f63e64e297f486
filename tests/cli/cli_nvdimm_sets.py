#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem nvdimm with several images, and with files that others use: cli_nvdimm_sets.py COMMAND GROUP."""
import fcntl
import os
import re
import shutil
import struct
import subprocess
import sys

import cli
from cli import Skip, refused, run, write
from cli_nvdimm import LABELS, MIB, ONE, TWO, labels, listing, nvdimm, refuse

PMEM = bytes.fromhex("79d3f066f3b47440ac430d3318b78cdb")


# --- a table ----------------------------------------------------------------------------------

def structure(kind, body):
    return struct.pack("<HH", kind, 4 + len(body)) + body


def spa(index, guid=PMEM):
    return structure(0, struct.pack("<HHII16sQQQ", index, 2, 0, 0, guid, 1 << 32, 64 * MIB, 0x8008))


def dimm(number, range_index, offset, size=32 * MIB, dpa=0, control=None):
    return structure(1, struct.pack("<IHHHHQQQHHHH", number, number, number, range_index,
                                    number if control is None else control, size, offset, dpa, 0, 2,
                                    0, 0))


def control(index, serial, vendor=0x8086, date=0x2622, location=7):
    return structure(4, struct.pack("<HHHHHHHBBHHIHHQQQQQHHI", index, vendor, 1, 1, 0, 0, 0, 1,
                                    location, date, 0, serial, 0x301, 0, 0, 0, 0, 0, 0, 0, 0, 0))


def nfit(*structures, name="nfit.bin"):
    body = b"".join(structures)
    table = bytearray(struct.pack("<4sIBB6s8sI4sII", b"NFIT", 40 + len(body), 1, 0, b"FIRMEM",
                                  b"TEST", 1, b"TEST", 1, 0) + body)
    table[9] = -sum(table) & 0xff
    return write(name, bytes(table))


def two_dimms(*more):
    return nfit(spa(1), dimm(1, 1, 0), dimm(2, 1, 4096), control(1, 0xcafe0001),
                control(2, 0xcafe0002), *more)


def fletcher(data):
    low = high = 0
    for (word,) in struct.iter_unpack("<I", data):
        low = (low + word) & 0xffffffff
        high = (high + low) & 0xffffffffffffffff
    return (high << 32 | low) & 0xffffffffffffffff


def cookie(version, *dimms):
    """Of (region offset, serial number) in their order, for two_dimms()."""
    if version == "1.1":
        return fletcher(b"".join(struct.pack("<QII", *one, 0) for one in dimms))
    return fletcher(b"".join(struct.pack("<QIHHB31x", *one, 0x8086, 0x2622, 7) for one in dimms))


TWO_DIMMS = ((0, 0xcafe0001), (4096, 0xcafe0002))


# --- images -----------------------------------------------------------------------------------

def images(count=2, size=4 * MIB, version="1.2"):
    names = [f"nv{n}.img" for n in range(count)]
    for name in names:
        nvdimm("create", name, "--size", str(size), "--label-size", "128K", "--sparse")
        labels("init", name, "--label-size", "128K", "--version", version)
    return names


def all_labels(names):
    return [listing(name)["labels"] for name in names]


def content(names):
    out = []
    for name in names:
        with open(name, "rb") as file:
            file.seek(-LABELS, os.SEEK_END)
            out.append(file.read())
    return out


def cut_short(at, *arguments):
    """Run it under strace, killed at its msync of that number; False where it has fewer."""
    done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"inject=msync:signal=KILL:when={at}",
                           cli.FIRMEM, "nvdimm", *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env=dict(os.environ, LSAN_OPTIONS="detect_leaks=0"))  # it traces, too
    assert done.returncode in (0, -9), done
    return done.returncode != 0


class Sets:
    """Namespaces over several DIMMs."""
    FILES = {b"nfit.bin", b"link", b"hard", *(b"nv%d.img" % n for n in range(16))}

    def a_label_goes_to_each_image(self):
        for version in ("1.1", "1.2"):
            names = images(version=version)
            table = two_dimms()
            labels("add", *names, "--size", "2M", "--uuid", ONE, "--name", "both", "--nfit", table)
            labels("add", *names, "--size", "2M", "--uuid", TWO)
            for position, found in enumerate(all_labels(names)):
                assert [(e["uuid"], e["name"], e["nlabel"], e["position"], e["dpa"], e["rawsize"],
                         int(e["isetcookie"], 16)) for e in found] == [
                             (uuid, name, 2, position, dpa, "0x200000", cookie(version, *TWO_DIMMS))
                             for uuid, name, dpa in ((ONE, "both", "0x0"), (TWO, "", "0x200000"))]
            for name in names:
                os.unlink(name)

    def sixteen_are_the_most(self):
        names = images(16)
        labels("add", *names, "--size", "2M", "--uuid", ONE, "--cookie", "7")
        assert [found[0]["position"] for found in all_labels(names)] == list(range(16))
        labels("delete", *names, "--uuid", ONE)
        assert all_labels(names) == [[]] * 16
        refuse('IMAGE: "z", expected at most 16', "labels", "add", *["z"] * 17, "--size", "2M")

    def the_address_is_free_in_all_of_them(self):
        names = images()
        labels("add", names[1], "--size", "2M", "--uuid", TWO)
        labels("add", *names, "--size", "2M", "--uuid", ONE, "--cookie", "7")
        assert [{e["uuid"]: e["dpa"] for e in found} for found in all_labels(names)] == [
            {ONE: "0x200000"}, {TWO: "0x0", ONE: "0x200000"}]
        refuse("no 0x200000 bytes in a row below 0x400000 are free in all", "labels", "add", *names, "--size", "2M",
               "--cookie", "7")
        refuse("^firmem: nv1.img: label: dpa 0x0 .*overlaps slot", "labels", "add", *names, "--size",
               "2M", "--cookie", "7", "--dpa", "0")

    def all_are_renamed_and_deleted_together(self):
        names = images()
        labels("add", *names, "--size", "2M", "--uuid", ONE, "--cookie", "7", "--name", "a")
        refuse("^firmem: nv1.img: nlabel: 2, but 1 of the images", "labels", "rename", names[1],
               "--uuid", ONE, "--name", "b")
        labels("rename", *reversed(names), "--uuid", ONE, "--name", "b")
        assert [found[0]["name"] for found in all_labels(names)] == ["b", "b"]
        labels("delete", *names, "--uuid", ONE)
        assert all_labels(names) == [[], []]
        assert labels("delete", *names, "--uuid", ONE, status=1) == b""

    def images_of_two_sets_or_of_another_order_are_not_joined(self):
        one, two, three = images(3)
        labels("add", one, two, "--size", "1M", "--uuid", ONE, "--cookie", "7")
        labels("add", three, "--size", "1M", "--uuid", TWO, "--cookie", "8", "--nlabel", "2", "--position", "1")
        before = all_labels((one, two, three))
        add = ["labels", "add", "--size", "1M", "--dpa", "1M"]
        refuse("^firmem: nv2.img: slot [0-9]+: isetcookie 0x8, expected the 0x7 of nv0.img, or --cookie or --nfit",
               *add, one, three)
        refuse("^firmem: nv1.img: slot [0-9]+: position 1, expected 0: each DIMM of a set has one", *add, two, one)
        refuse("^firmem: nv1.img: slot [0-9]+: position 1, expected 0", *add, two, one, "--cookie", "7")
        refuse("^firmem: nv0.img: slot [0-9]+: position 0, expected 1", *add, one, "--nlabel", "2", "--position", "1")
        assert all_labels((one, two, three)) == before
        labels(*add[1:], one, three, "--cookie", "9")

    def sets_that_cannot_be_are_refused(self):
        names = images()
        add = ["labels", "add", *names, "--size", "2M"]
        refuse("--nfit: is missing, expected it or --cookie", *add)
        refuse("--nlabel: 2, expected none", *add, "--nlabel", "2")
        refuse("--position: 0, expected none", *add, "--position", "0")
        refuse("--slot: 0, expected none", *add, "--slot", "0")
        refuse("--range: 1, expected it beside --nfit", *add, "--range", "1")
        table = two_dimms()
        refuse("--nfit: .*expected no --cookie", *add, "--nfit", table, "--cookie", "1")
        labels("init", names[1], "--version", "1.1")
        refuse("^firmem: nv1.img: version: 1.1, expected 1.2 as nv0.img", *add, "--cookie", "7")
        labels("init", names[1])
        labels("add", names[1], "--size", "2M", "--uuid", ONE)
        refuse("^firmem: nv1.img: label: the UUID is there", *add, "--uuid", ONE, "--cookie", "7",
               "--dpa", "2M")
        os.unlink(names[1])
        nvdimm("create", names[1], "--size", "8M", "--label-size", "128K")
        labels("init", names[1], "--label-size", "128K")
        refuse("^firmem: nv1.img: memory: 0x800000 bytes, expected 0x400000 as nv0.img", *add,
               "--cookie", "7")
        with open(names[1], "r+b") as file:
            file.seek(8 * MIB)
            file.write(bytes(LABELS))
        refuse("^firmem: nv1.img: label area: no valid index block", *add, "--cookie", "7",
               "--label-size", "128K")

    def one_file_is_one_dimm(self):
        names = images()
        os.symlink(names[0], "link")
        os.link(names[0], "hard")
        for again in (names[0], "./" + names[0], "link", "hard"):
            for verb in (["add", "--size", "2M", "--cookie", "7"], ["delete", "--uuid", ONE],
                         ["rename", "--uuid", ONE, "--name", "x"]):
                refuse(f"^firmem: {again}: the same file as nv0.img", "labels", verb[0], *names,
                       again, *verb[1:])
        assert all_labels(names) == [[], []]

    def tables_that_lie_are_refused(self):
        names = images()
        first = [spa(1), dimm(1, 1, 0), dimm(2, 1, 4096), control(1, 1), control(2, 2)]
        for expected, structures in (
                ("ranges: none is of persistent memory on 2", [spa(1, bytes(16)), *first[1:]]),
                ("ranges: none is of persistent memory on 2", [*first, dimm(3, 1, 8192)]),
                ("ranges: 1 and 2 both have 2 DIMMs, expected --range",
                 [*first, spa(2), dimm(1, 2, 0), dimm(2, 2, 0)]),
                ("DIMM 0x2: control region: 9 is not there",
                 [*first[:2], dimm(2, 1, 4096, control=9), *first[3:]]),
                ("DIMM 0x2: 0x1000000 bytes at DPA 0x0, expected 0x2000000",
                 [*first[:2], dimm(2, 1, 4096, size=16 * MIB), *first[3:]]),
                ("structure at 0x28: length: 40, expected 56", [structure(0, bytes(36))]),
                ("structure at 0x28: length: 0", [bytes(8)]),
                ("structure at 0x28: length: 100, expected 48 to", [b"\1\0\x64\0" + bytes(60)])):
            refuse(f"^firmem: nfit.bin: {expected}", "labels", "add", *names, "--size", "2M",
                   "--nfit", nfit(*structures))
        with open(two_dimms(), "rb") as file:
            good = file.read()
        for expected, table in (
                ("signature", b"SSDT" + good[4:]), ("signature", b""),
                (f"length: {len(good)}, expected the file's {len(good) - 1}", good[:-1]),
                ("checksum: the bytes make 0x01", good[:-1] + b"\1")):
            refuse(f"^firmem: nfit.bin: {expected}", "labels", "add", *names, "--size", "2M",
                   "--nfit", write("nfit.bin", table))
        for extra in range(len(good)):
            table = bytearray(good)
            table[extra] ^= 0xff
            table[9] = (table[9] - sum(table)) & 0xff
            write("nfit.bin", bytes(table))
            assert run("nvdimm", "labels", "add", "none", "none2", "--size", "2M", "--nfit",
                       "nfit.bin").returncode == 2

    def one_range_of_several_is_named(self):
        names = images()
        table = two_dimms(spa(2), dimm(3, 2, 0), dimm(4, 2, 4096), control(3, 0xcafe0003),
                          control(4, 0xcafe0004))
        labels("add", *names, "--size", "2M", "--nfit", table, "--range", "2")
        assert int(all_labels(names)[1][0]["isetcookie"], 16) == cookie(
            "1.2", (0, 0xcafe0003), (4096, 0xcafe0004))
        refuse("--range: 3 is no range", "labels", "add", *names, "--size", "2M", "--nfit", table,
               "--range", "3")

    def an_image_at_a_time_makes_the_same_set(self):
        names = images(4)
        names, together = names[:2], names[2:]
        table = two_dimms()
        labels("add", *together, "--size", "2M", "--uuid", ONE, "--nfit", table)
        for n, name in enumerate(names):
            labels("add", name, "--size", "2M", "--uuid", ONE, "--nfit", table, "--nlabel", "2",
                   "--position", str(n))
        assert all_labels(names) == all_labels(together)

    def another_number_of_dimms_is_another_set(self):
        (name,) = images(1)
        add = ["labels", "add", name, "--size", "1M"]
        refuse("--nfit: is missing, expected it or --cookie for the first namespace of 2 DIMMs", *add,
               "--nlabel", "2", "--position", "1")
        refuse("--nfit: is missing", *add, "--nlabel", "2", "--slot", "1")
        nvdimm(*add, "--dpa", "0")
        refuse("--nfit: is missing", *add, "--nlabel", "2")
        nvdimm(*add, "--dpa", "1M", "--nlabel", "2", "--cookie", "7")
        nvdimm(*add, "--dpa", "2M", "--nlabel", "2")
        nvdimm(*add, "--dpa", "3M")
        assert [(e["nlabel"], e["isetcookie"]) for e in all_labels([name])[0]] == [
            (1, "0xba90120012b4dc"), (2, "0x7"), (2, "0x7"), (1, "0xba90120012b4dc")]

    def cut_anywhere_it_is_none_or_all_and_can_be_made_good(self):
        cli.need_strace("which kills a change at each of its syncs")
        add = ["--size", "2M", "--uuid", ONE, "--cookie", "7", "--name", "a"]
        for verb, more in (("add", add), ("delete", ["--uuid", ONE]),
                           ("rename", ["--uuid", ONE, "--name", "b"])):
            names = images()
            if verb != "add":
                labels("add", *names, *add)
            labels("add", *names, "--size", "2M", "--uuid", TWO, "--cookie", "7", "--dpa", "2M")
            start, at, seen = content(names), 1, set()
            # The order of the images of a delete is not that of their positions.
            given = names if verb == "add" else names[::-1]
            while cut_short(at, "labels", verb, *given, *more):
                found = all_labels(names)
                seen.add(tuple((e["position"], e["name"]) for one in found for e in one
                               if e["uuid"] == ONE))
                # The other namespace is whole, nothing is broken.
                assert [e["position"] for one in found for e in one if e["uuid"] == TWO] == [0, 1]
                for name in names:
                    run_check = run("nvdimm", "labels", "check", name)
                    assert b"bad-" not in run_check.stdout, run_check
                # Once more, or taken away: nothing of it is left.
                if verb != "add":
                    assert run("nvdimm", "labels", verb, *names, *more).returncode in (0, 1)
                if verb == "add":
                    assert run("nvdimm", "labels", "delete", *names, "--uuid", ONE).returncode in (0, 1)
                left = {e["name"] for one in all_labels(names) for e in one if e["uuid"] == ONE}
                assert left == ({"b"} if verb == "rename" else set()), left
                for name, before in zip(names, start):
                    with open(name, "r+b") as file:
                        file.seek(-LABELS, os.SEEK_END)
                        file.write(before)
                at += 1
            # A label and an index block, of two images, twice; of a delete the index alone.
            assert at > (2 if verb == "delete" else 8), at
            half = {"add": ((1, "a"),), "delete": ((1, "a"),), "rename": ((0, "a"), (1, "b"))}[verb]
            assert half in seen, (verb, seen)
            # Linux disables the region where the first DIMM has a label that the other has not.
            assert not any([position for position, _ in state] == [0] for state in seen), seen
            for name in names:
                os.unlink(name)


class Files:
    """What is not for us alone, or not a file of ours."""
    FILES = {b"nv0.img", b"nv1.img", b"folder", b"pipe", b"empty", b"link", b"hard", b"dangling",
             b"bare"}

    def a_writer_elsewhere_is_seen(self):
        names = images()
        for verb in (["labels", "add", *names, "--size", "2M", "--cookie", "7"],
                     ["labels", "init", names[1]], ["labels", "delete", *names, "--uuid", ONE],
                     ["grow", names[1], "--size", "8M", "--label-size", "128K"]):
            with open(names[1], "r+b"):
                refuse("^firmem: nv1.img: in use: another process has it open for writing", *verb)
            with open(names[1], "rb") as file:
                fcntl.lockf(file, fcntl.LOCK_SH)
                refused("^firmem: nv1.img: in use: another process has it locked", "nvdimm", *verb)
        with open(names[1], "r+b"):
            assert listing(names[1])["labels"] == []
        labels("add", *names, "--size", "2M", "--cookie", "7")

    def a_machine_that_has_it_is_seen(self):
        qemu = shutil.which("qemu-system-x86_64")
        if not qemu:
            raise Skip("no qemu-system-x86_64")
        (name,) = images(1)
        with subprocess.Popen(
                [qemu, "-M", "q35,nvdimm=on", "-m", "64M,slots=1,maxmem=1G", "-display", "none",
                 "-S", "-nodefaults", "-qmp", "stdio", "-object",
                 f"memory-backend-file,id=m,share=on,mem-path={name},size={4 * MIB + LABELS}",
                 "-device", "nvdimm,memdev=m,label-size=128K"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) as machine:
            # Its greeting comes when the machine is made.
            assert b"QMP" in machine.stdout.readline()
            refuse("^firmem: nv0.img: in use", "labels", "add", name, "--size", "2M")
            refuse("^firmem: nv0.img: in use", "grow", name, "--size", "8M", "--label-size", "128K")
            machine.kill()
        labels("add", name, "--size", "2M")

    def what_is_no_file_of_ours_is_named(self):
        (name,) = images(1)
        os.mkdir("folder")
        os.mkfifo("pipe")
        write("empty", b"")
        for bad, expected in (("folder", "not a regular file"), ("pipe", "not a regular file"),
                              ("/dev/null", "not a regular file"), ("empty", "size: 0 bytes"),
                              ("none", "cannot be opened"), ("nv0.img/x", "cannot be opened")):
            for verb in (["add", name, bad, "--size", "2M", "--cookie", "7"], ["init", bad],
                         ["list", bad], ["check", bad], ["delete", name, bad, "--uuid", ONE],
                         ["rename", bad, name, "--uuid", ONE, "--name", "x"]):
                refused(f"^firmem: {bad}: {expected}", "nvdimm", "labels", *verb)
            refused(f"^firmem: {bad}: ", "nvdimm", "grow", bad, "--size", "8M", "--label-size", "1K")
        assert listing(name)["labels"] == []
        # Nor is a pipe opened: who waits to write to it waits on.
        with subprocess.Popen(["sh", "-c", ": >pipe"]) as writer:
            for verb in (["--help"], ["labels", "init", "pipe"],
                         ["grow", "pipe", "--size", "8M", "--label-size", "1K"]):
                run("nvdimm", *verb)
                try:
                    raise AssertionError(f"{verb}: the pipe was opened: {writer.wait(timeout=0.2)}")
                except subprocess.TimeoutExpired:
                    pass
            os.close(os.open("pipe", os.O_RDONLY))

    def long_and_odd_names_are_names(self):
        os.mkdir("folder")
        for name in ("n" * 255, "\u2603 \n", "-"):
            path = f"{os.getcwd()}/folder/../folder/{name}"
            write(path, bytes(4096))
            labels("init", path)
            labels("add", path, "--size", "2M", "--uuid", ONE)
            assert [label["uuid"] for label in listing(path)["labels"]] == [ONE]
        shutil.rmtree("folder")

    def what_may_not_be_written_is_refused(self):
        names = images()
        before = content(names)
        os.chmod(names[1], 0o400)
        somebody = {}
        if os.geteuid() == 0:  # who may write what is read-only
            somebody = {"user": 65534}
            try:
                for path in (".", *names):
                    os.chown(path, 65534, -1)
                run("--version", **somebody)
            except OSError as why:
                raise Skip(f"the superuser's, and others cannot run it: {why}") from why
        for verb in (["labels", "add", *names, "--size", "2M", "--cookie", "7"],
                     ["labels", "init", names[1]],
                     ["grow", names[1], "--size", "8M", "--label-size", "128K"]):
            refused("^firmem: nv1.img: cannot be opened for writing: Permission denied", "nvdimm",
                    *verb, **somebody)
        assert run("nvdimm", "labels", "list", names[1], **somebody).returncode == 0
        assert content(names) == before

    def a_hole_on_a_full_disk_is_an_error(self):
        os.mkdir("folder")
        script = ('mount -t tmpfs -o size=1M none folder || exit 77; cd folder; '
                  '"$0" nvdimm create nv --size 64M --label-size 128K --sparse || exit 3; '
                  'dd if=/dev/zero of=fill bs=4k 2>/dev/null; '
                  '"$0" nvdimm labels init nv --label-size 128K; echo $?; rm fill; '
                  '"$0" nvdimm labels init nv --label-size 128K; echo $?; '
                  'dd if=/dev/zero of=fill bs=4k 2>/dev/null; '
                  '"$0" nvdimm labels add nv --size 2M --uuid ' + ONE + ' >/dev/null; echo $?; '
                  '"$0" nvdimm labels check nv --label-size 128K | tail -n 1')
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, cli.FIRMEM],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode in (1, 77):
            raise Skip(f"no tmpfs of our own: {done.stderr.strip()}")
        assert done.stdout == "2\n0\n0\nfindings: none\n", done
        assert re.fullmatch("firmem: nv: .*a hole of the file cannot be filled: No space left on device\n",
                            done.stderr), done

    def sizes_that_do_not_align_are_refused(self):
        write("bare", bytes(4096 + 128))
        refuse("^firmem: bare: label area: 4224 bytes, expected a multiple of 256", "labels", "init",
               "bare")
        refuse("^firmem: bare: --label-size: 0x400 leaves 0xc80 bytes", "labels", "init", "bare",
               "--label-size", "1K")
        (name,) = images(1)
        for verb in (["init"], ["list"], ["check"], ["add", "--size", "2M"], ["delete", "--uuid", ONE],
                     ["rename", "--uuid", ONE, "--name", "x"]):
            refuse("^firmem: nv0.img: --label-size: 0x0, expected 0x400 to", "labels", *verb, name,
                   "--label-size", "0")
        refuse("^firmem: nv0.img: label: dpa 0x2000 .* 0xfffffffffffff000, expected some bytes, below 2.64",
               "labels", "add", name, "--size", "0xfffffffffffff000", "--dpa", "8192")
        for size in ("0", str(1 << 62)):
            refuse("size 0x[04]0*, expected a multiple of 0x200000, not 0, below", "create", "none", "--size",
                   size, "--label-size", "1K")
        refuse("nv0.img: --label-size: 0x10000, but its last 0x20000 bytes are a label area",
               "labels", "init", name, "--label-size", "64K")
        refuse("nv0.img: --label-size: 0x40000, but its last 0x40000 bytes are neither", "labels",
               "init", name, "--label-size", "256K")
        for option, value in (("--size", "0"), ("--size", "4097"), ("--dpa", "1"), ("--lbasize", "7"),
                              ("--slot", "256"), ("--nlabel", "0"), ("--nlabel", "65536"),
                              ("--position", "1"), ("--range", "0")):
            size = [] if option == "--size" else ["--size", "2M"]
            refuse(f"^firmem: nvdimm labels add: {option}: {value}, expected", "labels", "add", name,
                   *size, option, value)
        refuse("^firmem: nv0.img: label: name: expected at most 63 bytes of UTF-8", "labels", "add",
               name, "--size", "2M", "--name", b"\xff")


class Grow:
    FILES = {b"nv0.img", b"link", b"hard", b"dangling", b"folder"}
    TO_8M = ["--size", "8M", "--label-size", "128K"]

    def mode_owner_and_attributes_stay(self):
        (name,) = images(1)
        os.chmod(name, 0o640)
        try:
            os.setxattr(name, "user.firmem", b"kept")
            attribute = b"kept"
        except OSError:
            attribute = None
        try:
            os.chown(name, 12, 34)
        except OSError:
            pass  # not the superuser, or of a namespace of one user
        before = os.stat(name)
        nvdimm("grow", name, *self.TO_8M)
        after = os.stat(name)
        assert after.st_ino != before.st_ino and after.st_size == 8 * MIB + LABELS
        assert (after.st_mode, after.st_uid, after.st_gid) == (
            before.st_mode, before.st_uid, before.st_gid)
        if attribute:
            assert os.getxattr(name, "user.firmem") == attribute

    def a_link_stays_one_and_other_names_are_not_left_behind(self):
        (name,) = images(1)
        os.symlink(name, "link")
        nvdimm("grow", "link", *self.TO_8M)
        assert os.readlink("link") == name and os.path.getsize(name) == 8 * MIB + LABELS
        os.link(name, "hard")
        for path in (name, "hard", "link"):
            refuse(f"^firmem: {path}: links: 2 names", "grow", path, "--size", "16M", "--label-size",
                   "128K")
        os.symlink("nowhere", "dangling")
        refused("dangling: cannot be opened", "nvdimm", "grow", "dangling", *self.TO_8M)
        refused("dangling: exists, expected a new file", "nvdimm", "create", "dangling", *self.TO_8M)

    def holes_stay_holes(self):
        (name,) = images(1)
        with open(name, "r+b") as file:
            file.seek(3 * MIB)
            file.write(b"data")
        nvdimm("grow", name, "--size", "64M", "--label-size", "128K")
        assert os.stat(name).st_blocks * 512 < 4 * MIB
        with open(name, "rb") as file:
            file.seek(3 * MIB)
            assert file.read(4) == b"data"
        os.unlink(name)
        nvdimm("create", name, "--size", "4M", "--label-size", "128K")
        nvdimm("grow", name, *self.TO_8M)
        assert os.stat(name).st_blocks * 512 >= 8 * MIB

    def labels_that_are_elsewhere_are_not_lost(self):
        (name,) = images(1)
        for size, expected in (("0", "0x20000 bytes are a label"), ("64K", "0x20000 bytes are a label"),
                               ("256K", "neither labels nor zeros"), ("1000", "expected 0x400 to")):
            refuse(f"^firmem: nv0.img: --label-size: .*{expected}", "grow", name, "--size", "8M",
                   "--label-size", size)

    def a_full_disk_leaves_the_old_file(self):
        os.mkdir("folder")
        script = ('mount -t tmpfs -o size=7M none folder || exit 77; '
                  'cd folder; "$0" nvdimm create nv --size 4M --label-size 128K || exit 3; '
                  '"$0" nvdimm labels init nv --label-size 128K || exit 3; sha256sum nv >before; '
                  '"$0" nvdimm grow nv --size 6M --label-size 128K; echo $? >status; '
                  'sha256sum nv | cmp - before || exit 3; cat status; ls')
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, cli.FIRMEM],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode in (1, 77):
            raise Skip(f"no tmpfs of our own: {done.stderr.strip()}")
        assert done.returncode == 0, done
        assert done.stdout.split() == ["2", "before", "nv", "status"], done
        assert done.stderr == "firmem: nv: write a larger copy: No space left on device\n", done

    def a_terminal_sees_how_far_it_is(self):
        (name,) = images(1)
        done, said = cli.run_on_terminal("nvdimm", "grow", name, *self.TO_8M)
        assert done.returncode == 0 and b"\rnv0.img: " in said and b"\n" not in said, said


GROUPS = {group.__name__.lower(): group for group in (Sets, Files, Grow)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
