#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem nvdimm: namespaces judged over several images, and images made whole or not at all:
cli_nvdimm_check.py COMMAND GROUP."""
import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import sys

import cli
from cli import Skip, refused, run, write
from cli_nvdimm import LABELS, MIB, ONE, TWO, labels, listing, nvdimm, refuse
from cli_nvdimm_sets import all_labels, fletcher, images

SIZE = ["--size", "2M", "--label-size", "128K"]


def judge(names, status):
    answer = json.loads(labels("check", *names, "--json", status=status))
    return answer, [(f["image"], f["finding"]) for f in answer["findings"]]


def change_label(name, offset, value, slot=1):
    """Bytes of a v1.2 label, whose checksum is right again."""
    with open(name, "r+b") as file:
        file.seek(-LABELS + 512 + 256 * slot, os.SEEK_END)
        label = bytearray(file.read(256))
        label[offset:offset + len(value)] = value
        label[248:256] = bytes(8)
        label[248:256] = struct.pack("<Q", fletcher(bytes(label)))
        file.seek(-256, os.SEEK_CUR)
        file.write(label)


class Check:
    """What labels of several images make together."""
    FILES = {b"bare", *(b"nv%d.img" % n for n in range(16))}

    def a_whole_set_is_no_finding(self):
        names = images(3)
        labels("add", *names[:2], "--size", "2M", "--uuid", ONE, "--name", "a", "--cookie", "7")
        labels("add", names[2], "--size", "2M", "--uuid", TWO)
        answer, findings = judge(names[::-1], 0)
        assert findings == []
        assert [i["image"] for i in answer["images"]] == names[::-1]
        assert list(answer["images"][0]) == ["image", "version", "label_size", "nslot", "current_index",
                                             "seq", "used"]
        assert answer["namespaces"] == [
            {"uuid": ONE, "name": "a", "size": "0x400000", "found": 2, "nlabel": 2, "missing": None,
             "verdict": "whole", "what": None},
            {"uuid": TWO, "name": "", "size": "0x200000", "found": 1, "nlabel": 1, "missing": None,
             "verdict": "whole", "what": None}]
        text = labels("check", *names).decode()
        assert "findings: none" in text and re.search(rf"^{ONE}  a .* whole", text, re.M), text

    def of_one_image_other_members_are_elsewhere_and_no_finding(self):
        names = images(4)
        labels("add", *names, "--size", "2M", "--uuid", ONE, "--cookie", "7")
        answer = json.loads(labels("check", names[1], "--json"))
        assert list(answer) == ["version", "label_size", "nslot", "current_index", "seq", "used",
                                "namespaces", "findings"]
        assert answer["findings"] == []
        (namespace,) = answer["namespaces"]
        assert (namespace["verdict"], namespace["missing"]) == ("elsewhere", "0, 2-3"), namespace
        assert "on other DIMMs" in namespace["what"]
        assert b"positions 0, 2-3 of 4 are on other DIMMs" in labels("check", names[1])

    def of_several_what_is_in_none_is_missing(self):
        names = images(4)
        labels("add", *names, "--size", "2M", "--uuid", ONE, "--cookie", "7")
        answer, findings = judge(names[1:3], 1)
        assert findings == [(None, "set-incomplete")]
        assert answer["findings"][0]["what"] == (
            f"namespace {ONE}: positions: 0, 3 of 4 in none of the images, expected all")
        assert answer["namespaces"][0]["verdict"] == "incomplete"
        # Those of the first DIMM are the ones that Linux minds.
        labels("delete", names[3], "--uuid", ONE, "--force")
        answer, findings = judge(names, 1)
        assert findings == [(None, "set-incomplete")]
        assert "3 of 4 in none of the images, expected all: Linux disables" in answer["findings"][0]["what"]

    def a_position_is_there_once(self):
        names = images(3)
        labels("add", *names[:2], "--size", "2M", "--uuid", ONE, "--cookie", "7")
        shutil.copy(names[1], names[2])
        answer, findings = judge(names, 1)
        assert findings == [(names[2], "set-twice")]
        assert "position 1: also in nv1.img, slot 1" in answer["findings"][0]["what"]
        assert answer["findings"][0]["offset"] == "0x300"
        assert answer["namespaces"][0]["verdict"] == "inconsistent"

    def two_positions_are_not_on_one_dimm(self):
        (name,) = images(1)
        labels("add", name, "--size", "1M", "--uuid", ONE, "--cookie", "7", "--nlabel", "2")
        labels("add", name, "--size", "1M", "--uuid", TWO, "--cookie", "7", "--nlabel", "2", "--dpa", "2M")
        assert json.loads(labels("check", name, "--json"))["findings"] == []
        slot = [e["slot"] for e in listing(name)["labels"] if e["uuid"] == TWO][0]
        change_label(name, 0, bytes.fromhex(ONE.replace("-", "")), slot)
        change_label(name, 86, b"\1\0", slot)
        answer = json.loads(labels("check", name, "--json", status=1))
        assert [f["finding"] for f in answer["findings"]] == ["set-shared", "set-address"], answer

    def each_field_that_differs_is_named(self):
        names = images(3)
        labels("add", *names[1:], "--size", "2M", "--uuid", ONE, "--name", "a", "--cookie", "7")
        with open(names[2], "rb") as file:
            good = file.read()
        judge(names, 0)
        for word, offset, value, told in (
                ("set-members", 84, b"\3\0", "nlabel: 3, expected 2 as of position 0 in nv1.img"),
                ("set-cookie", 88, b"\x08", "isetcookie: 0x8, expected 0x7 as of position 0 in nv1.img"),
                ("set-size", 112, struct.pack("<Q", MIB), "rawsize: 0x100000, expected 0x200000"),
                ("set-address", 104, struct.pack("<Q", 4096), "dpa: 0x1000, expected 0x0"),
                ("set-name", 16, b"b", 'name: "b", expected "a" as of position 0 in nv1.img'),
                ("set-use", 96, b"\0\x10", "lbasize: 0x1000, expected 0x200"),
                ("set-use", 144, b"\1", "abstraction_guid: another than of position 0 in nv1.img"),
                ("set-use", 128, b"\1", "type_guid: another than of position 0 in nv1.img")):
            write(names[2], good)
            change_label(names[2], offset, value)
            answer, findings = judge(names, 1)
            assert findings == [(names[2], word)], (word, findings)
            assert answer["findings"][0]["what"].startswith(f"namespace {ONE}: position 1: {told}"), answer
            assert answer["namespaces"][0]["verdict"] == "inconsistent"
        # Of more positions than there are DIMMs in the set: not there.
        write(names[2], good)
        change_label(names[2], 86, b"\2")
        assert judge(names, 1)[1] == [(names[2], "bad-position"), (None, "set-incomplete")]

    def labels_that_do_not_count_are_not_members(self):
        names = images(2)
        labels("add", *names, "--size", "2M", "--uuid", ONE, "--cookie", "7")
        with open(names[1], "r+b") as file:
            file.seek(-LABELS + 512 + 256 + 20, os.SEEK_END)
            file.write(b"x")
        assert judge(names, 1)[1] == [(names[1], "bad-checksum"), (None, "set-incomplete")]

    def findings_of_each_image_name_it(self):
        names = images(2)
        with open(names[1], "r+b") as file:
            file.seek(-LABELS, os.SEEK_END)
            file.write(b"x")
        answer, findings = judge(names, 1)
        assert findings == [(names[1], "bad-index")]
        assert re.search(rb"^nv1.img +bad-index +0x0 ", labels("check", *names, status=1), re.M)
        with open(names[1], "r+b") as file:
            file.seek(-LABELS + 256, os.SEEK_END)
            file.write(b"x")
        answer, findings = judge([*names, "--label-size", "128K"], 1)
        assert findings == [(names[1], "no-index")] * 2
        assert answer["images"][1]["seq"] is None and answer["images"][1]["version"] is None

    def one_file_is_one_dimm(self):
        names = images(2)
        refuse("^firmem: ./nv0.img: the same file as nv0.img", "labels", "check", *names, "./nv0.img")
        refuse("^firmem: none: cannot be opened", "labels", "check", *names, "none")
        write("bare", bytes(100))
        refuse("^firmem: bare: size: 100 bytes", "labels", "check", *names, "bare")

    def sixteen_are_judged(self):
        names = images(16)
        labels("add", *names, "--size", "2M", "--uuid", ONE, "--cookie", "7")
        judge(names, 0)
        answer, _ = judge(names[1::2], 1)
        assert answer["namespaces"][0]["missing"] == "0, 2, 4, 6, 8, 10, 12, 14"


    def a_set_that_ndctl_made_is_whole(self):
        names = [os.path.join(os.environ.get("FIRMEM_VECTORS", ""), f"nvdimm/ilv2-dimm{n}-4k.bin") for n in (0, 1)]
        if not os.path.exists(names[0]):
            raise Skip(f"no test data at {names[0]}")
        answer, findings = judge(names, 0)
        assert findings == []
        assert [(n["name"], n["size"], n["verdict"]) for n in answer["namespaces"]] == [
            ("ilv-raw", "0x4000000", "whole")]
        assert [n["verdict"] for n in judge(names[1:], 0)[0]["namespaces"]] == ["elsewhere"]

    def a_change_that_is_under_way_is_no_finding(self):
        (name,) = images(1)
        labels("add", name, "--size", "2M", "--uuid", ONE)
        change_label(name, 80, b"\x08")
        assert [f["finding"] for f in json.loads(labels("check", name, "--json", status=1))["findings"]] == [
            "unfinished"]
        with open(name, "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            with subprocess.Popen([cli.FIRMEM, "nvdimm", "labels", "check", name, "--json"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as check:
                try:
                    check.wait(timeout=0.3)
                    raise AssertionError("it did not wait")
                except subprocess.TimeoutExpired:
                    pass
                # A second descriptor's close() would end the lock.
                file.seek(-LABELS + 512 + 256, os.SEEK_END)
                label = bytearray(file.read(256))
                label[80] = 0
                label[248:256] = bytes(8)
                label[248:256] = struct.pack("<Q", fletcher(bytes(label)))
                file.seek(-256, os.SEEK_CUR)
                file.write(label)
                file.flush()
                fcntl.lockf(file, fcntl.LOCK_UN)
                assert json.loads(check.stdout.read())["findings"] == []
                assert check.wait() == 0


    def a_change_of_all_between_the_first_and_the_last_is_no_finding(self):
        names = images(2)
        before = [open(name, "rb").read() for name in names]
        labels("add", *names, "--size", "2M", "--uuid", ONE, "--cookie", "7")
        after = [open(name, "rb").read() for name in names]
        for name, content in zip(names, before):
            write(name, content)
        with open(names[1], "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            with subprocess.Popen([cli.FIRMEM, "nvdimm", "labels", "check", *names, "--json"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as check:
                try:
                    check.wait(timeout=0.3)
                    raise AssertionError("it did not wait")
                except subprocess.TimeoutExpired:
                    pass
                write(names[0], after[0])
                file.write(after[1])
                file.flush()
                fcntl.lockf(file, fcntl.LOCK_UN)
                answer = json.loads(check.stdout.read())
                assert answer["findings"] == [] and len(answer["namespaces"]) == 1, answer
                assert check.wait() == 0

    def what_cannot_be_read_is_an_error_or_read_again(self):
        cli.need_strace("which makes a read fail")
        (name,) = images(1)
        for when, status in (("1", 2), ("2", 0), ("2+", 2)):
            done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-P", os.path.realpath(name), "-e",
                                   f"inject=pread64:error=EIO:when={when}", cli.FIRMEM, "nvdimm", "labels",
                                   "check", name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, check=False,
                                  env=dict(os.environ, LSAN_OPTIONS="detect_leaks=0"))
            assert done.returncode == status and bool(done.stdout) == (not status), (when, done)
            assert done.stderr == (b"firmem: nv0.img: cannot be read: Input/output error\n" if status else b""), done


class Delete:
    FILES = {b"nv0.img", b"nv1.img", b"nv2.img"}

    def the_label_of_the_first_dimm_does_not_stay_alone(self):
        names = images(3)
        labels("add", *names, "--size", "2M", "--uuid", ONE, "--cookie", "7")
        for given in ([names[1]], [names[2]], names[1:]):
            refuse("^firmem: nv[12].img: position: [12] of 3, but position 0 is in none .*--force",
                   "labels", "delete", *given, "--uuid", ONE)
        labels("delete", names[2], "--uuid", ONE, "--force")
        assert [len(found) for found in all_labels(names)] == [1, 1, 0]
        labels("delete", *names, "--uuid", ONE)
        assert all_labels(names) == [[], [], []]

    def what_a_cut_left_is_deleted_with_all_images(self):
        names = images(3)
        labels("add", *names, "--size", "2M", "--uuid", ONE, "--cookie", "7")
        # As a cut leaves it: the first DIMM loses its label first.
        labels("delete", names[0], "--uuid", ONE)
        assert [len(found) for found in all_labels(names)] == [0, 1, 1]
        labels("delete", *names, "--uuid", ONE)
        assert all_labels(names) == [[], [], []]

    def what_is_not_there_is_status_1(self):
        names = images(1)
        assert labels("delete", *names, "--uuid", ONE, status=1) == b""
        assert labels("delete", *names, "--uuid", ONE, "--force", status=1) == b""


def stopped(what, signal, *arguments):
    """Run it under strace, which sends it a signal at a call ("pwrite64:when=2"); None: it has no such call."""
    cli.need_strace("which stops it at each of its calls")
    call, when = what.split(":")
    done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                           f"inject={call}:signal={signal}:{when}", cli.FIRMEM, "nvdimm", *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, env=dict(os.environ, LSAN_OPTIONS="detect_leaks=0"))
    assert done.returncode <= 0 and done.stderr == b"", done
    return None if done.returncode == 0 else -done.returncode


POINTS = ["pwrite64:when=1", "pwrite64:when=2", "ftruncate:when=1", "fdatasync:when=1",
          "renameat2:when=1", "fsync:when=1"]


class Create:
    """An image has its name when it is whole."""
    FILES = {b"nv.img", b"link", b"hard", b"folder", b"dangling"}

    def killed_anywhere_there_is_no_image_or_a_whole_one(self):
        seen = set()
        for point in POINTS:
            assert stopped(point, "KILL", "create", "nv.img", *SIZE, "--uuid", ONE) == 9, point
            there = os.path.exists("nv.img")
            seen.add(there)
            if there:
                assert os.path.getsize("nv.img") == 2 * MIB + LABELS
                assert [e["uuid"] for e in listing("nv.img")["labels"]] == [ONE]
            for name in os.listdir("."):
                assert re.fullmatch(r"nv\.img(\.[0-9]+\.0\.tmp)?", name), name
                os.unlink(name)
        assert seen == {False, True}

    def stopped_by_hand_nothing_is_left(self):
        for number, name in ((2, "INT"), (15, "TERM"), (1, "HUP")):
            for point in POINTS[:-2]:
                assert stopped(point, name, "create", "nv.img", *SIZE) == number, (point, name)
                assert os.listdir(".") == []
        nvdimm("create", "nv.img", *SIZE)
        with open("nv.img", "rb") as file:
            before = file.read()
        for point in ("pread64:when=1", "pwrite64:when=2", "fdatasync:when=1"):
            assert stopped(point, "TERM", "grow", "nv.img", "--size", "8M", "--label-size", "128K") == 15
            assert os.listdir(".") == ["nv.img"]
            with open("nv.img", "rb") as file:
                assert file.read() == before

    def where_no_rename_says_that_a_name_is_taken_it_is_seen_all_the_same(self):
        cli.need_strace("which stands for such file systems")
        for calls in ("renameat2:error=EINVAL", "renameat2:error=EINVAL link,linkat:error=EPERM"):
            def create():
                inject = [word for call in calls.split() for word in ("-e", f"inject={call}")]
                return subprocess.run(["strace", "-qq", "-o", "/dev/null", *inject, cli.FIRMEM, "nvdimm",
                                       "create", "nv.img", *SIZE], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                                      env=dict(os.environ, LSAN_OPTIONS="detect_leaks=0"))
            done = create()
            assert done.returncode == 0 and os.listdir(".") == ["nv.img"], done
            assert os.path.getsize("nv.img") == 2 * MIB + LABELS and os.stat("nv.img").st_nlink == 1
            write("nv.img", b"precious")
            assert create().returncode == 2
            with open("nv.img", "rb") as file:
                assert file.read() == b"precious"
            os.unlink("nv.img")

    def a_first_name_that_cannot_go_leaves_no_second(self):
        cli.need_strace("which stands for such file systems")
        done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "inject=renameat2:error=EINVAL", "-e",
                               "inject=unlink,unlinkat:error=EIO:when=1", cli.FIRMEM, "nvdimm", "create", "nv.img",
                               *SIZE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False, env=dict(os.environ, LSAN_OPTIONS="detect_leaks=0"))
        assert done.returncode == 2 and b"nv.img: write: Input/output error" in done.stderr, done
        assert os.listdir(".") == [], os.listdir(".")

    def holes_are_made_at_once(self):
        # More than could be looked at in the time that a command has here.
        done = run("nvdimm", "create", "nv.img", "--size", "8T", "--label-size", "128K", "--sparse")
        if done.returncode:
            raise Skip(f"no such large files here: {done.stderr.decode().strip()}")
        assert os.path.getsize("nv.img") == (8 << 40) + LABELS
        assert os.stat("nv.img").st_blocks * 512 < MIB

    def a_sparse_image_grows_by_its_data_alone(self):
        tib = 1 << 40
        done = run("nvdimm", "create", "nv.img", "--size", "4T", "--label-size", "1280", "--sparse", "--uuid", ONE)
        if done.returncode:
            raise Skip(f"no such large files here: {done.stderr.decode().strip()}")
        with open("nv.img", "rb") as file:
            if os.lseek(file.fileno(), 0, os.SEEK_HOLE):
                raise Skip("a file system that does not tell where its holes are")
        places = (0, MIB - 1, MIB, 5 * MIB + 4095, tib - 1, 2 * tib + 8192, 4 * tib - 1)
        with open("nv.img", "r+b") as file:
            for n, place in enumerate(places):
                file.seek(place)
                file.write(bytes([n + 1]))
        # All of it could not be looked at in the time that a command has here.
        nvdimm("grow", "nv.img", "--size", "8T", "--label-size", "1280")
        assert os.path.getsize("nv.img") == 8 * tib + 1280
        assert os.stat("nv.img").st_blocks * 512 < 16 * MIB
        with open("nv.img", "rb") as file:
            for n, place in enumerate(places):
                file.seek(place)
                assert file.read(1) == bytes([n + 1]), place
            file.seek(4 * tib)
            assert file.read(1280) == bytes(1280)
        assert [e["uuid"] for e in listing("nv.img", "--label-size", "1280")["labels"]] == [ONE]

    def what_is_there_stays_without_force(self):
        write("nv.img", b"precious")
        os.symlink("nowhere", "dangling")
        os.mkdir("folder")
        for name in ("nv.img", "dangling", "folder"):
            refused(f"^firmem: {name}: exists, expected a new file, or --force",
                    "nvdimm", "create", name, *SIZE)
        refused("^firmem: folder: not a regular file", "nvdimm", "create", "folder", *SIZE, "--force")
        refused("^firmem: dangling: cannot be opened", "nvdimm", "create", "dangling", *SIZE, "--force")
        with open("nv.img", "rb") as file:
            assert file.read() == b"precious"
        assert sorted(os.listdir(".")) == ["dangling", "folder", "nv.img"]

    def with_force_the_new_one_takes_its_place_whole(self):
        os.symlink("nv.img", "link")
        for point in POINTS[:-2]:
            write("nv.img", b"precious")
            assert stopped(point, "TERM", "create", "link", *SIZE, "--force") == 15, point
            with open("nv.img", "rb") as file:
                assert file.read() == b"precious"
        os.chmod("nv.img", 0o640)
        nvdimm("create", "link", *SIZE, "--force", "--uuid", TWO)
        assert os.readlink("link") == "nv.img"
        assert os.path.getsize("nv.img") == 2 * MIB + LABELS
        assert os.stat("nv.img").st_mode & 0o777 == 0o640
        assert [e["uuid"] for e in listing("link")["labels"]] == [TWO]
        assert sorted(os.listdir(".")) == ["link", "nv.img"]
        nvdimm("create", "hard", *SIZE, "--force")
        os.link("nv.img", "folder")
        refuse("^firmem: nv.img: links: 2 names, expected one", "create", "nv.img", *SIZE, "--force")
        os.unlink("folder")
        with open("nv.img", "r+b"):
            refuse("^firmem: nv.img: in use", "create", "nv.img", *SIZE, "--force")

    def labels_that_have_no_room_are_told_before(self):
        for size in ("1", "255", "1023", "1000"):
            refuse(f"--label-size: {size}, expected 0, or a multiple of 256 from 1024", "create", "nv.img",
                   "--size", "2M", "--label-size", size)
        refuse("--label-size: 1281, expected", "create", "nv.img", "--size", "2M", "--label-size", "1281",
               "--uuid", ONE)
        refuse("--label-size: 2147483648, expected", "create", "nv.img", "--size", "2M", "--label-size",
               "2G", "--uuid", ONE)
        nvdimm("create", "nv.img", "--size", "2M", "--label-size", "1K", "--uuid", ONE)
        assert [e["uuid"] for e in listing("nv.img", "--label-size", "1K")["labels"]] == [ONE]


class Names:
    """A message names the file once."""
    FILES = {b"nv.img", b"nv0.img", b"nv1.img", b"folder", b"l", b"label"}

    def a_name_that_a_message_begins_with_takes_nothing_of_it(self):
        for name in ("l", "label"):
            nvdimm("create", name, *SIZE, "--uuid", ONE)
            told = "l: label: " if name == "l" else "label: "
            refuse(f"^firmem: {told}the UUID is there", "labels", "add", name, "--size", "1M", "--dpa", "0",
                   "--uuid", ONE)

    def a_sync_that_fails_names_its_image_once(self):
        cli.need_strace("which makes a sync fail")
        names = images(2)
        labels("add", *names, "--size", "1M", "--uuid", TWO, "--cookie", "7")
        os.mkdir("folder")
        for at, bad, *verb in (
                (1, names[0], "init", names[0], "--force"),
                (1, names[1], "add", *names, "--size", "1M", "--uuid", ONE, "--dpa", "2M"),
                (3, names[0], "add", *names, "--size", "1M", "--uuid", ONE, "--dpa", "2M"),
                (1, f"{os.getcwd()}/folder/../nv1.img", "rename", names[0],
                 f"{os.getcwd()}/folder/../nv1.img", "--uuid", TWO, "--name", "x"),
                (1, "./" * 700 + "nv0.img", "init", "./" * 700 + "nv0.img", "--force")):
            done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "trace=msync", "-e",
                                   f"inject=msync:error=EIO:when={at}", cli.FIRMEM, "nvdimm", "labels",
                                   *verb], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, check=False, text=True,
                                  env=dict(os.environ, LSAN_OPTIONS="detect_leaks=0"))
            assert done.returncode == 2 and done.stdout == "", done
            assert done.stderr.startswith(f"firmem: {bad}: ") and done.stderr.count("\n") == 1, done
            assert done.stderr.count(".img") == 1 and done.stderr.endswith("Input/output error\n"), done
            assert "block" not in done.stderr, done

    def a_map_that_fails_names_its_image_once(self):
        (name,) = images(1)
        done = subprocess.run(["sh", "-c", f'ulimit -v 60000; exec "$0" nvdimm labels init {name}', cli.FIRMEM],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False, text=True)
        if done.returncode == 0:
            os.truncate(name, 1 << 40)
            done = subprocess.run(["sh", "-c", f'ulimit -v 60000; exec "$0" nvdimm labels init {name} '
                                   '--label-size 128K', cli.FIRMEM],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, check=False, text=True)
        if not done.stderr.startswith("firmem:"):
            raise Skip(f"so little memory does not even start it: {done.stderr.strip()[:100]}")
        assert done.returncode == 2 and done.stderr.startswith(f"firmem: {name}: "), done
        assert done.stderr.count(name) == 1 and "block" not in done.stderr, done


GROUPS = {group.__name__.lower(): group for group in (Check, Delete, Create, Names)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
