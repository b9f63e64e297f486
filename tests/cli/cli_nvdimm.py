#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem nvdimm from outside: cli_nvdimm.py COMMAND GROUP. Its harness is cli.py's."""
import gzip
import json
import os
import re
import shutil
import stat
import subprocess
import sys

import cli
from cli import Skip, pairs, refused, run, tree, write

ONE = "01f56f0a-f7ba-4763-94c2-661a61043531"
TWO = "59a54268-db56-407f-9e29-79a77dcd573c"
MIB = 1 << 20
LABELS = 128 << 10


def nvdimm(*arguments, status=0):
    """What it prints; it must end with that status and, but for 1, say nothing on stderr."""
    done = run("nvdimm", *arguments)
    assert done.returncode == status, (arguments, done)
    assert done.stderr == b"" or status == 1, done.stderr
    return done.stdout


def labels(verb, *arguments, status=0):
    return nvdimm("labels", verb, *arguments, status=status)


def listing(path, *arguments):
    answer = json.loads(labels("list", path, "--json", *arguments).decode("utf-8"))
    assert list(answer) == ["version", "label_size", "nslot", "current_index", "seq", "labels"]
    return answer


def refuse(expected, *arguments):
    """An error, and no file is other than before."""
    before = {name: open(name, "rb").read() for name in os.listdir(".")}
    refused(expected, "nvdimm", *arguments)
    assert before == {name: open(name, "rb").read() for name in os.listdir(".")}


def image(size=4 * MIB):
    nvdimm("create", "nv.img", "--size", str(size), "--label-size", "128K")
    labels("init", "nv.img", "--label-size", "128K")
    return "nv.img"


class Nvdimm:
    """Making files."""
    FILES = {b"nv.img"}

    def a_new_image_is_zeros_with_room_for_labels(self):
        nvdimm("create", "nv.img", "--size", "4M", "--label-size", "128K")
        with open("nv.img", "rb") as file:
            assert file.read() == bytes(4 * MIB + LABELS)
        assert os.stat("nv.img").st_blocks * 512 >= 4 * MIB

    def a_sparse_image_has_holes(self):
        nvdimm("create", "nv.img", "--size", "64M", "--label-size", "128K", "--sparse")
        assert os.path.getsize("nv.img") == 64 * MIB + LABELS
        assert os.stat("nv.img").st_blocks * 512 < MIB

    def a_uuid_makes_one_namespace_over_all(self):
        nvdimm("create", "nv.img", "--size", "4M", "--label-size", "128K", "--uuid", ONE)
        answer = listing("nv.img")
        assert len(answer["labels"]) == 1, answer
        label = answer["labels"][0]
        assert (label["uuid"], label["rawsize"], label["dpa"]) == (ONE, "0x400000", "0x0"), label
        assert label["isetcookie"] == "0xba90120012b4dc"

    def what_is_there_is_not_overwritten(self):
        write("nv.img", b"precious")
        refuse("nv.img: exists, expected a new file, or --force", "create", "nv.img", "--size", "2M",
               "--label-size", "128K")

    def sizes_that_cannot_be_are_refused(self):
        refuse("size 0x100000, expected a multiple of 0x200000", "create", "nv.img", "--size", "1M",
               "--label-size", "128K")
        refuse("nv.img: size 0x0, expected a multiple of 0x200000, not 0", "create", "nv.img", "--size", "0",
               "--label-size", "128K", "--uuid", ONE)
        refuse("--label-size: 1023", "create", "nv.img", "--size", "2M", "--label-size", "1023")
        refuse("--label-size: is missing", "create", "nv.img", "--size", "2M")
        refuse("--uuid: \"x\"", "create", "nv.img", "--size", "2M", "--label-size", "1K", "--uuid",
               "x")
        refuse("expected room for a label", "create", "nv.img", "--size", "2M", "--label-size", "0",
               "--uuid", ONE)

    def a_grown_image_keeps_memory_and_labels(self):
        path = image()
        with open(path, "r+b") as file:
            file.write(b"first")
            file.seek(4 * MIB - 4)
            file.write(b"last")
        labels("add", path, "--size", "2M", "--uuid", ONE, "--name", "kept")
        before = listing(path)
        nvdimm("grow", path, "--size", "8M", "--label-size", "128K")
        with open(path, "rb") as file:
            content = file.read()
        assert len(content) == 8 * MIB + LABELS
        assert content[:5] == b"first" and content[4 * MIB - 4:4 * MIB] == b"last"
        assert content[4 * MIB:8 * MIB] == bytes(4 * MIB)
        assert listing(path) == before
        labels("add", path, "--size", "6M", "--uuid", TWO)

    def an_image_does_not_shrink(self):
        path = image()
        refuse("expected less memory than 0x400000", "grow", path, "--size", "4M", "--label-size",
               "128K")
        refuse("expected less memory", "grow", path, "--size", "2M", "--label-size", "128K")
        refuse("at most its 0x420000 bytes", "grow", path, "--size", "16M", "--label-size", "128M")
        refuse("none.img: cannot be opened", "grow", "none.img", "--size", "4M", "--label-size",
               "128K")


class Labels:
    FILES = {b"nv.img", b"bare", b"v"}

    def what_is_added_is_listed(self):
        path = image()
        labels("add", path, "--size", "2M", "--uuid", ONE, "--name", "na\u00efve", "--mode",
               "fsdax", "--lbasize", "4096")
        answer = listing(path)
        assert answer == {
            "version": "1.2", "label_size": 256, "nslot": 510, "current_index": 0, "seq": 2,
            "labels": [{
                "slot": 1, "uuid": ONE, "name": "na\u00efve", "dpa": "0x0", "rawsize": "0x200000",
                "position": 0, "nlabel": 1, "lbasize": 4096, "flags": 0,
                "isetcookie": "0xba90120012b4dc",
                "type_guid": "66f0d379-b4f3-4074-ac43-0d3318b78cdb",
                "abstraction_guid": "266400ba-fb9f-4677-bcb0-968f11d0d225",
                "checksum_ok": True}]}, answer
        lines = labels("list", path).decode().splitlines()
        assert lines[-1].split()[:4] == ["1", ONE, "na\u00efve", "fsdax"], lines

    def versions_are_kept(self):
        write("bare", bytes(1024))
        labels("init", "bare", "--version", "1.1")
        labels("add", "bare", "--size", "2M", "--uuid", ONE, "--cookie", "7", "--nlabel", "2",
               "--position", "1", "--dpa", "16M")
        answer = listing("bare")
        assert (answer["version"], answer["label_size"], answer["nslot"]) == ("1.1", 128, 4)
        label = answer["labels"][0]
        assert label["abstraction_guid"] is None and label["isetcookie"] == "0x7"
        assert (label["nlabel"], label["position"], label["dpa"]) == (2, 1, "0x1000000")
        refuse("abstraction GUID: slots of 128 bytes have none", "labels", "add", "bare", "--size",
               "2M", "--mode", "fsdax")

    def a_name_is_changed_and_nothing_else(self):
        path = image()
        labels("add", path, "--size", "2M", "--uuid", ONE, "--name", "a")
        labels("add", path, "--size", "2M", "--uuid", TWO, "--name", "b")
        before = listing(path)["labels"]
        labels("rename", path, "--uuid", ONE, "--name", "c")
        after = listing(path)["labels"]
        for label in before + after:
            del label["slot"]
        before[0]["name"] = "c"
        assert sorted(before, key=str) == sorted(after, key=str), after

    def what_is_deleted_is_gone(self):
        path = image()
        labels("add", path, "--size", "2M", "--uuid", ONE)
        labels("delete", path, "--uuid", ONE)
        assert listing(path)["labels"] == []
        assert labels("delete", path, "--uuid", ONE, status=1) == b""
        assert labels("rename", path, "--uuid", ONE, "--name", "x", status=1) == b""

    def claims_that_cannot_be_are_refused(self):
        path = image()
        labels("add", path, "--size", "2M", "--uuid", ONE)
        add = ["labels", "add", path, "--size"]
        refuse("overlaps slot 1", *add, "2M", "--dpa", "0x100000")
        refuse("leaves the 0x400000 bytes", *add, "4M", "--dpa", "2M")
        refuse("no 0x400000 bytes in a row", *add, "4M")
        refuse("the UUID is there", *add, "2M", "--uuid", ONE)
        refuse("--uuid: \"none\"", *add, "2M", "--uuid", "none")
        refuse("--name: 64 bytes, expected at most 63", *add, "2M", "--name", "x" * 64)
        refuse("--position: 1, expected less than --nlabel", *add, "2M", "--position", "1")
        refuse("--size: 0, expected a multiple of 4096", *add, "0")

    def labels_are_not_wiped_by_chance(self):
        path = image()
        labels("add", path, "--size", "2M", "--uuid", ONE)
        refuse("it has labels, expected --force", "labels", "init", path)
        labels("init", path, "--force", "--version", "1.1")
        assert listing(path)["version"] == "1.1" and listing(path)["labels"] == []

    def files_without_labels_are_named(self):
        write("bare", b"x" * 100)
        refuse("bare: size: 100 bytes", "labels", "list", "bare")
        write("bare", bytes(4096))
        refuse("index block 0: signature", "labels", "list", "bare")
        refuse("--label-size: 0x2000", "labels", "list", "bare", "--label-size", "8K")
        write("nv.img", bytes(3 * MIB))
        refuse("expected --label-size", "labels", "list", "nv.img")
        refuse("cannot be opened", "labels", "list", "none")
        refuse("no valid index block", "labels", "add", "bare", "--size", "2M")

    def findings_are_told_with_status_1(self):
        path = image()
        labels("add", path, "--size", "2M", "--uuid", ONE)
        assert b"findings: none" in labels("check", path)
        with open(path, "r+b") as file:
            file.seek(4 * MIB + 512 + 256 + 20)
            file.write(b"x")
            file.seek(4 * MIB + 256)
            file.write(b"x")
        answer = json.loads(labels("check", path, "--json", status=1))
        assert [f["finding"] for f in answer["findings"]] == ["bad-index", "bad-checksum"], answer
        assert [f["offset"] for f in answer["findings"]] == ["0x100", "0x300"], answer
        assert listing(path)["labels"][0]["checksum_ok"] is False

    def verbs_are_told_apart(self):
        assert b"rename" in labels("--help")
        refused('nvdimm labels lst: no such command, did you mean "list"', "nvdimm", "labels", "lst")
        refused("nvdimm labels: verb is missing", "nvdimm", "labels")
        refused("no such command", "nvdimm", "labels", "zzzzzz")
        for verb in (["create"], ["grow"], *(["labels", v] for v in (
                "init", "list", "check", "add", "delete", "rename"))):
            lines = nvdimm(*verb, "--help").decode().splitlines()
            assert all(len(line) <= 100 for line in lines), max(lines, key=len)

    def ndctls_areas_are_listed_as_ndctl_lists_them(self):
        folder = os.path.join(os.environ.get("FIRMEM_VECTORS", ""), "nvdimm")
        if not os.path.isdir(folder):
            raise Skip(f"no test data at {folder}")
        with gzip.open(os.path.join(folder, "v12-128k.bin.gz")) as file:
            write("v", file.read())
        with open(os.path.join(folder, "ndctl-read-labels-labels-nmem0.json"),
                  encoding="utf-8") as file:
            text = file.read()
        theirs = json.loads(re.search(r"[\[{].*[\]}]", text, re.S)[0])
        theirs = theirs[0] if isinstance(theirs, list) else theirs
        ours = listing("v")
        # ndctl also lists slot 0, which is free.
        for label, other in zip(ours["labels"], theirs["label"][1:]):
            for key in ("slot", "uuid", "name", "flags", "nlabel", "position", "lbasize"):
                assert label[key] == other[key], (key, label, other)
            for key in ("dpa", "rawsize", "isetcookie"):
                assert int(label[key], 16) == other[key], (key, label, other)
        assert len(ours["labels"]) == len(theirs["label"]) - 1 == 4
        assert ours["nslot"] == theirs["index"][0]["nslot"]
        assert ours["seq"] == theirs["index"][0]["seq"] == 2


class Tables:
    FILES = {b"t.dtb", b"nfit.bin", b"ssdt.aml", b"nfit.dsl", b"ssdt.dsl", b"pipe", b"link"}

    @staticmethod
    def _tree(*regions, **more):
        region = ("pmem@100000000", {"compatible": b"pmem-region\0", "reg": pairs(*regions), **more})
        return write("t.dtb", tree(("memory", {"device_type": b"memory\0",
                                               "reg": pairs(0, 0x100000)}), region))

    @staticmethod
    def _iasl(name):
        if not shutil.which("iasl"):
            raise Skip("no iasl: package acpica-tools")
        done = subprocess.run(["iasl", "-d", name], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0 and not re.search("error", done.stdout, re.I), done.stdout
        with open(name.rsplit(".", 1)[0] + ".dsl", encoding="utf-8") as file:
            return file.read()

    def a_table_does_not_take_the_place_of_its_tree(self):
        self._tree(0x100000000, 256 * MIB)
        with open("t.dtb", "rb") as file:
            blob = file.read()
        os.symlink("t.dtb", "link")
        for verb in ("nfit", "ssdt"):
            for name in ("./t.dtb", "link"):
                refused(f"{name}: was read, expected another file", "nvdimm", verb, "--dtb", "t.dtb",
                        "-o", name)
        with open("t.dtb", "rb") as file:
            assert file.read() == blob

    def the_nfit_is_qemus_of_such_a_machine(self):
        self._tree(0x100000000, 256 * MIB)
        nvdimm("nfit", "--dtb", "t.dtb", "-o", "nfit.bin", "--persistence", "cpu")
        with open("nfit.bin", "rb") as file:
            ours = file.read()
        path = os.path.join(os.environ.get("FIRMEM_VECTORS", ""), "nvdimm/nfit-qemu72-4dimm.bin")
        if not os.path.exists(path):
            raise Skip(f"no test data at {path}")
        with open(path, "rb") as file:
            theirs = file.read()
        # Of that machine's four the first, and the capabilities.
        assert ours[40:] == theirs[40:40 + 184] + theirs[-16:]
        assert sum(ours) % 256 == 0 and len(ours) == int.from_bytes(ours[4:8], "little")

    def iasl_disassembles_the_nfit(self):
        self._tree(0x100000000, 256 * MIB, 0x110000000, 16 * MIB)
        nvdimm("nfit", "--dtb", "t.dtb", "-o", "nfit.bin", "--persistence=mem-ctrl", "--unarmed")
        text = self._iasl("nfit.bin")
        assert "Unknown" not in text, text
        assert len(re.findall("Device not armed : 1", text)) == 2
        assert re.search("Memory Flush to NVDIMM : 1", text)

    def iasl_disassembles_the_ssdt_and_compiles_it_again(self):
        self._tree(0x100000000, 256 * MIB, 0x110000000, 16 * MIB)
        for options in ([], ["--fit"], ["--port", "0"], ["--port", "0", "--mailbox", "0x30000000"]):
            nvdimm("ssdt", "--dtb", "t.dtb", "-o", "ssdt.aml", *options)
            text = self._iasl("ssdt.aml")
            for word in ("2f10e7a4-9e91-11e4-89d3-123b93f75cba",
                         "4309ac30-0d11-11e4-9191-0800200c9a66", "NV01", "_LSI", "_LSR", "_LSW"):
                assert word in text, word
            assert ("_FIT" in text) == (options == ["--fit"])
            done = subprocess.run(["iasl", "-p", "ssdt", "ssdt.dsl"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            assert re.search("Compilation successful. 0 Errors", done.stdout), done.stdout

    def the_ssdt_gives_label_methods_the_statuses_of_acpi(self):
        if not shutil.which("acpiexec"):
            raise Skip("no acpiexec: package acpica-tools")
        self._tree(0x100000000, 256 * MIB)
        nvdimm("ssdt", "--dtb", "t.dtb", "-o", "ssdt.aml")
        # Of Intel's family: done, unsupported, no such DIMM, an argument, hardware. 3 would be "locked".
        for status, expected in enumerate((0, 1, 1, 2, 4)):
            done = subprocess.run(["acpiexec", "-b", f"evaluate \\_SB.NVDR.LSTS {status}", "ssdt.aml"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            assert re.search(r"\[Integer\] = 0*%x\b" % expected, done.stdout), done.stdout

    def a_pipe_gets_the_table_and_a_link_stays_one(self):
        self._tree(0x100000000, MIB)
        for verb in ("nfit", "ssdt"):
            nvdimm(verb, "--dtb", "t.dtb", "-o", "nfit.bin")
            with open("nfit.bin", "rb") as file:
                table = file.read()
            assert table, verb
            os.mkfifo("pipe")
            reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
            nvdimm(verb, "--dtb", "t.dtb", "-o", "pipe")
            assert os.read(reader, 1 << 16) == table
            os.close(reader)
            assert stat.S_ISFIFO(os.stat("pipe").st_mode)
            os.unlink("pipe")
            os.chmod(write("ssdt.aml", b"old"), 0o640)
            os.symlink("ssdt.aml", "link")
            nvdimm(verb, "--dtb", "t.dtb", "-o", "link")
            with open("ssdt.aml", "rb") as file:
                assert file.read() == table
            assert os.path.islink("link") and os.stat("ssdt.aml").st_mode & 0o777 == 0o640
            os.unlink("link")
            # As /dev/stdout is one, in a folder of our own: this is a link to a device or a pipe.
            os.symlink("/proc/self/fd/1", "link")
            assert nvdimm(verb, "--dtb", "t.dtb", "-o", "link") == table
            assert os.readlink("link") == "/proc/self/fd/1"
            os.unlink("link")

    def a_file_that_is_standard_output_keeps_what_others_write(self):
        self._tree(0x100000000, MIB)
        nvdimm("nfit", "--dtb", "t.dtb", "-o", "nfit.bin")
        with open("nfit.bin", "rb") as file:
            table = file.read()
        for name in ("/dev/stdout", "ssdt.aml"):
            with open("ssdt.aml", "wb", buffering=0) as file:
                file.write(b"before")
                subprocess.run([cli.FIRMEM, "nvdimm", "nfit", "--dtb", "t.dtb", "-o", name],
                               stdin=subprocess.DEVNULL, stdout=file, check=True)
                file.write(b"after")
            with open("ssdt.aml", "rb") as file:
                assert file.read() == b"before" + table + b"after", name

    def the_owner_stays_and_gets_no_program_of_another(self):
        self._tree(0x100000000, MIB)
        write("nfit.bin", b"old")
        owner = os.geteuid()
        if not owner:
            try:
                os.chown("nfit.bin", 65534, 65534)
                owner = 65534
            except OSError:
                pass  # in a namespace of one user
        os.chmod("nfit.bin", 0o4640)
        nvdimm("nfit", "--dtb", "t.dtb", "-o", "nfit.bin")
        after = os.stat("nfit.bin")
        assert stat.S_IMODE(after.st_mode) == 0o640, oct(after.st_mode)
        assert after.st_uid == owner and after.st_size > 3

    def the_longest_name_is_one(self):
        self._tree(0x100000000, MIB)
        name = "n" * os.pathconf(".", "PC_NAME_MAX")
        for _ in range(2):
            nvdimm("nfit", "--dtb", "t.dtb", "-o", name)
            assert sorted(os.listdir(".")) == [name, "t.dtb"]
        os.unlink(name)

    def a_table_that_cannot_be_written_is_an_error(self):
        self._tree(0x100000000, MIB)
        os.symlink("nowhere", "link")
        refused("^firmem: link: cannot be opened for writing", "nvdimm", "nfit", "--dtb", "t.dtb", "-o", "link")
        refused("^firmem: none/x: cannot be created: No such", "nvdimm", "ssdt", "--dtb", "t.dtb", "-o", "none/x")
        assert sorted(os.listdir(".")) == ["link", "t.dtb"]

    def a_folder_that_takes_no_file_keeps_the_old_one(self):
        self._tree(0x100000000, MIB)
        os.chmod(write("nfit.bin", b"old"), 0o666)
        os.chmod("t.dtb", 0o644)
        os.chmod(".", 0o555)
        try:
            refused("^firmem: nfit.bin: cannot be replaced by a file beside it: Permission denied", "nvdimm", "nfit",
                    "--dtb", "t.dtb", "-o", "nfit.bin", **({} if os.geteuid() else {"user": 65534}))
        except (OSError, subprocess.SubprocessError) as why:
            raise Skip("the command cannot be run by another user here") from why
        finally:
            os.chmod(".", 0o755)
        with open("nfit.bin", "rb") as file:
            assert file.read() == b"old"

    def trees_without_persistent_memory_of_its_own_are_refused(self):
        for verb, name in (("nfit", "nfit.bin"), ("ssdt", "ssdt.aml")):
            for regions, expected in (
                    ((0x100000000, MIB, 0x1000fffff, MIB),
                     "0x100000 bytes at 0x1000fffff overlap 0x100000 bytes at 0x100000000"),
                    ((0x100000000, MIB, 0xfff00000, 64 * MIB), "0x4000000 bytes at 0xfff00000 overlap"),
                    ((0x100000000, MIB, 0x200000000, MIB, 0x100000000, MIB), "overlap"),
                    ((0x100000000, 0), "expected at least 1")):
                self._tree(*regions)
                refuse(f"^firmem: t.dtb: .*{expected}", verb, "--dtb", "t.dtb", "-o", name)
            self._tree(0x100000, MIB, 0x200000, MIB)
            nvdimm(verb, "--dtb", "t.dtb", "-o", name)
            os.unlink(name)
        self._tree(0x100000000, MIB, volatile=b"")
        refuse('no "pmem-region" node', "nfit", "--dtb", "t.dtb", "-o", "nfit.bin")
        refuse("--port: 0x10000", "ssdt", "--dtb", "t.dtb", "-o", "ssdt.aml", "--port", "64K")
        self._tree(0x100000000, MIB)
        refuse("mailbox: 0x1, expected a page", "ssdt", "--dtb", "t.dtb", "-o", "ssdt.aml",
               "--mailbox", "1")


GROUPS = {group.__name__.lower(): group for group in (Nvdimm, Labels, Tables)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
