#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem vars from outside: cli_vars.py COMMAND GROUP. Its harness is cli.py's."""
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import zlib

import cli
from cli import Skip, refused, run, write

GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
OTHER = "11111111-2222-3333-4444-555555555555"
NAMES = {b"vars.fd", b"out.fd", b"value", b"v.json"}


def vars_run(verb, *arguments, status=0):
    """What it prints; it must end with that status and say nothing on stderr."""
    done = run("vars", verb, *arguments)
    assert done.returncode == status, (verb, arguments, done)
    assert done.stderr == b"", done.stderr
    return done.stdout


def vars_json(verb, *arguments, status=0):
    return json.loads(vars_run(verb, *arguments, "--json", status=status).decode("utf-8"))


def refuse(expected, *arguments):
    """An error, and no file is other than before."""
    before = {name: digest(name) for name in os.listdir(".") if os.path.isfile(name)}
    refused(expected, "vars", *arguments)
    after = {name: digest(name) for name in os.listdir(".") if os.path.isfile(name)}
    assert before == after, (before, after)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


# --- stores -----------------------------------------------------------------------------------

def guid_bytes(text):
    a, b, c, d, e = text.split("-")
    return struct.pack("<IHH", int(a, 16), int(b, 16), int(c, 16)) + bytes.fromhex(d + e)


def record(name, data, guid=GLOBAL, state=0x3f, attributes=7, time=bytes(16)):
    raw = name.encode("utf-16-le") + b"\0\0"
    body = struct.pack("<HBBIQ16sIII16s", 0x55aa, state, 0, attributes, 0, time, 0, len(raw),
                       len(data), guid_bytes(guid)) + raw + data
    return body + b"\xff" * (-len(body) % 4)


def volume(length, store):
    header = bytearray(struct.pack("<16s16sQ4sIHHHBBIIII", bytes(16), guid_bytes(
        "fff12b8d-7696-4c8b-a985-2747075b4f50"), length, b"_FVH", 0x4feff, 0x48, 0, 0, 0, 2,
        length // 4096, 4096, 0, 0))
    total = sum(struct.unpack("<36H", header)) & 0xffff
    header[0x32:0x34] = struct.pack("<H", -total & 0xffff)
    return bytes(header) + guid_bytes("aaf32c78-947b-439a-a180-2e144ec37792") + struct.pack(
        "<IBBHI", store - 0x48, 0x5a, 0xfe, 0, 0)


def work(length):
    header = guid_bytes("9e58292b-7c68-497d-a0ce-6500fd9f1b95") + b"\xff" * 8 + struct.pack(
        "<Q", length - 32)
    return header[:16] + struct.pack("<I", zlib.crc32(header)) + b"\xfe\xff\xff\xff" + header[24:]


def store(*records):
    """OVMF's of 2 MiB with these records."""
    image = bytearray(b"\xff" * 0x20000)
    head = volume(0x20000, 0xe000) + b"".join(records)
    image[:len(head)] = head
    image[0xf000:0xf020] = work(0x1000)
    return image


def reclaiming(image, spare, header=0xfc, flags=0xfd):
    """With a reclaim under way, and that store in the spare area."""
    image = bytearray(image)
    image[0xf020:0xf048] = struct.pack("<B3s16s4sQQ", header, b"\xff" * 3, b"v" * 16, b"\xff" * 4,
                                       1, 0)
    image[0xf048:0xf070] = struct.pack("<B7sQQQq", flags, b"\xff" * 7, 0, 0x48, 0xdfb8, -0x10000)
    image[0x10000:0x1e000] = spare[:0xe000]
    return image


# --- cases ------------------------------------------------------------------------------------

class Vars:
    """Reading."""
    FILES = NAMES

    def the_list_is_a_table(self):
        write("vars.fd", store(record("Timeout", b"\x05\0"),
                               record("db", b"x" * 20, OTHER, attributes=0x27)))
        lines = [re.split(r"  +", line.strip())
                 for line in vars_run("list", "vars.fd").decode().splitlines()]
        assert lines == [
            ["verdict: clean"], [""],
            ["NAME", "GUID", "ATTRIBUTES", "BYTES", "STATE", "OFFSET"],
            ["Timeout", GLOBAL, "NV+BS+RT", "2", "0x3f", "0x64"],
            ["db", OTHER, "NV+BS+RT+AT", "20", "0x3f", "0xb4"]], lines

    def the_json_is_virt_fw_vars_with_state_and_offset(self):
        when = bytes(range(16))
        write("vars.fd", store(record("Timeout", b"\x05\0"),
                               record("db", b"xy", OTHER, attributes=0x27, time=when)))
        assert vars_json("list", "vars.fd") == {"version": 2, "variables": [
            {"name": "Timeout", "guid": GLOBAL, "attr": 7, "data": "0500", "state": "0x3f",
             "offset": "0x64"},
            {"name": "db", "guid": OTHER, "attr": 39, "data": "7879", "time": when.hex(),
             "state": "0x3f", "offset": "0xb4"}]}
        assert vars_json("export", "vars.fd") == {"version": 2, "variables": [
            {"name": "Timeout", "guid": GLOBAL, "attr": 7, "data": "0500"},
            {"name": "db", "guid": OTHER, "attr": 39, "data": "7879", "time": when.hex()}]}

    def all_shows_what_the_firmware_does_not_see(self):
        write("vars.fd", store(record("v", b"0", state=0x3c), record("v", b"1", state=0x3e),
                               record("v", b"2"), record("v", b"3", state=0x7f),
                               record("w", b"", state=0x3d)))
        assert [v["data"] for v in vars_json("list", "vars.fd")["variables"]] == ["32"]
        found = [(v["name"], v["state"], v["status"])
                 for v in vars_json("list", "vars.fd", "--all")["variables"]]
        assert found == [("v", "0x3c", "deleted"), ("v", "0x3e", "superseded"),
                         ("v", "0x3f", "live"), ("v", "0x7f", "torn"),
                         ("w", "0x3d", "deleted")], found
        assert b"superseded" in vars_run("list", "vars.fd", "--all")

    def an_empty_store_has_none(self):
        write("vars.fd", store())
        assert vars_json("list", "vars.fd") == {"version": 2, "variables": []}
        assert vars_run("list", "vars.fd") == b"verdict: clean\n\nvariables: none\n"

    def a_name_cannot_write_to_the_terminal(self):
        write("vars.fd", store(record("a\x1b[2J\x9bb\n", b"1"), record("\u00e4\u20ac", b"1")))
        done = vars_run("list", "vars.fd").decode()
        assert "a?[2J?b?" in done and "\u00e4\u20ac" in done, done
        names = [v["name"] for v in vars_json("list", "vars.fd")["variables"]]
        assert names == ["a\x1b[2J\x9bb\n", "\u00e4\u20ac"], names

    def get_shows_one(self):
        write("vars.fd", store(record("v", b"one"), record("v", b"two", OTHER),
                               record("w", bytes(range(40)))))
        assert vars_json("get", "vars.fd", "v", "--guid", OTHER) == {
            "name": "v", "guid": OTHER, "attr": 7, "data": "74776f", "state": "0x3f",
            "offset": "0xa8"}
        shown = vars_run("get", "vars.fd", "w").decode()
        assert "guid: " + GLOBAL in shown and "bytes: 40" in shown, shown
        assert "00000020  20 21 22 23 24 25 26 27" in shown and "| !\"#$%&'|" in shown, shown
        assert vars_run("get", "vars.fd", "v", f"--guid={GLOBAL.upper()}", "-o", "value") == b""
        with open("value", "rb") as file:
            assert file.read() == b"one"

    def get_never_writes_over_its_image(self):
        write("vars.fd", store(record("v", b"one")))
        before = digest("vars.fd")
        os.symlink("vars.fd", "link")
        for name in ("vars.fd", "./vars.fd", "link", "vars.fd.journal"):
            refuse("--output: .* is the image itself or its journal", "get", "vars.fd", "v", "-o",
                   name)
            refuse("--output: .* is the image itself or its journal", "get", "link", "v", "-o",
                   name)
        assert digest("vars.fd") == before and not os.path.exists("vars.fd.journal")
        os.remove("link")

    def get_writes_a_whole_file_or_none(self):
        write("vars.fd", store(record("v", b"one"), record("w", b"x" * 9000)))
        write("out.fd", b"old")
        os.chmod("out.fd", 0o640)
        os.symlink("out.fd", "link")
        vars_run("get", "vars.fd", "v", "-o", "link")
        assert os.path.islink("link") and stat.S_IMODE(os.stat("out.fd").st_mode) == 0o640
        with open("out.fd", "rb") as file:
            assert file.read() == b"one"
        # A full disk, as a limit on a file's size.
        limited = subprocess.run(
            ["sh", "-c", 'ulimit -f 4; trap "" XFSZ; exec "$@"', "-", cli.FIRMEM, "vars", "get",
             "vars.fd", "w", "-o", "out.fd"], capture_output=True, check=False)
        assert limited.returncode == 2 and b"out.fd: cannot be written: File too large" in \
            limited.stderr, limited
        with open("out.fd", "rb") as file:
            assert file.read() == b"one"
        assert sorted(os.listdir(".")) == ["link", "out.fd", "vars.fd"], os.listdir(".")
        assert vars_run("get", "vars.fd", "v", "-o", "/dev/stdout") == b"one"
        os.remove("link")

    def get_says_which_guids_a_name_has(self):
        write("vars.fd", store(record("v", b"one"), record("v", b"two", OTHER)))
        refused(f"v: is there with the GUIDs {GLOBAL} and {OTHER}, expected --guid", "vars", "get",
                "vars.fd", "v")

    def get_of_what_is_not_there_is_a_no(self):
        write("vars.fd", store(record("v", b"one")))
        for arguments in (["V"], ["v", "--guid", OTHER]):
            done = run("vars", "get", "vars.fd", *arguments)
            assert done.returncode == 1 and done.stdout == b"", done
            assert re.fullmatch(rb"firmem: vars.fd: .*no such variable.*\n", done.stderr), done

    def words_and_options_come_in_any_order(self):
        write("vars.fd", store(record("--v", b"one")))
        shown = vars_run("get", "--guid", GLOBAL, "--json", "vars.fd", "--", "--v")
        assert json.loads(shown)["data"] == "6f6e65"
        refused('vars get: NAME: is missing', "vars", "get", "vars.fd")
        refused('vars get: IMAGE: is missing', "vars", "get")
        refused('vars get: "x": expected an option', "vars", "get", "vars.fd", "v", "x")
        refused('vars get: "-x": expected an option', "vars", "get", "-x", "vars.fd")
        refused("--v: no such option", "vars", "get", "vars.fd", "--v")
        refused('IMAGE: "", expected something', "vars", "list", "")
        refused('--guid: "1-2", expected one such as', "vars", "get", "vars.fd", "v", "--guid",
                "1-2")
        refused("--output: value is missing", "vars", "rescue", "vars.fd", "-o")
        refused("--output: given twice", "vars", "rescue", "vars.fd", "-o", "a", "--output=b")

    def what_holds_no_store_is_refused(self):
        for content, why in ((b"", "blank"), (b"\xff" * 8192, "blank"), (bytes(0x20000), "blank"),
                             (b"MZ" * 5000, "not-a-store"),
                             (bytes(store())[:0x1000], "headers-lost")):
            write("vars.fd", content)
            for verb in (["list"], ["export"], ["get", "v"],
                         ["set", "v", "--guid", GLOBAL, "--text", "x"],
                         ["delete", "v", "--guid", GLOBAL]):
                refuse(f"vars.fd: {why}", verb[0], "vars.fd", *verb[1:])
        refuse("no.fd: cannot be opened", "list", "no.fd")
        refuse("no.fd: cannot be opened", "check", "no.fd")


class Verdicts:
    """check and rescue."""
    FILES = NAMES

    def _check(self, content, verdict, *kinds, status=1):
        write("vars.fd", content)
        answer = vars_json("check", "vars.fd", status=status)
        assert answer["verdict"] == verdict, answer
        assert [f["kind"] for f in answer["findings"]] == list(kinds), answer
        lines = vars_run("check", "vars.fd", status=status).decode().splitlines()
        assert lines[0] == verdict, lines
        for finding in answer["findings"]:
            assert any(re.fullmatch(rf"{finding['kind']} +{finding['offset']}  "
                                    + re.escape(finding["text"]), line) for line in lines), lines
        return answer

    def each_verdict_is_the_first_word(self):
        good = store(record("a", b"1"), record("b", b"2"), record("c", b"3"))
        self._check(good, "clean", status=0)
        self._check(store(record("a", b"1", state=0x3e)), "update-torn", "old-kept")
        self._check(store(record("a", b"1"), record("a", b"1")), "update-torn", "duplicate")
        self._check(reclaiming(good, good, flags=0xff), "reclaim-pending", "reclaim-begun")
        self._check(reclaiming(good, good), "reclaim-pending", "reclaim-writing")
        self._check(reclaiming(store(), good), "reclaim-torn", "reclaim-writing")
        self._check(reclaiming(b"\xff" * 0x20000, good), "headers-lost", "bad-work", "bad-volume")
        lost = reclaiming(good, good)
        lost[:0xe000] = b"\xff" * 0xe000
        self._check(lost, "headers-lost", "reclaim-writing", "bad-volume")
        self._check(bytes(0x20000), "blank")
        self._check(b"MZ" * 0x1000, "not-a-store")

    def space_and_boots_are_told(self):
        answer = self._check(store(record("a", b"1" * 1000), record("a", b"1" * 1000, state=0x3d)),
                            "clean", status=0)
        # A record has 60 bytes, a name of 4.
        expected = {"layout": "ovmf-2m", "variables": 1, "size": 0xe000 - 0x64, "used": 2128,
                    "live": 1064, "stale": 1064, "free": 0xe000 - 0x64 - 2128, "per_boot": 3384,
                    "boots_left": (0xe000 - 0x64 - 2128 - 0x2000) // 3384,
                    "spare_variables": None}
        for key, value in expected.items():
            assert answer[key] == value, (key, answer)
        assert vars_json("check", "vars.fd", "--per-boot", "4K")["boots_left"] == (
            0xe000 - 0x64 - 2128 - 0x2000) // 4096
        assert vars_json("check", "vars.fd", "--per-boot", "0")["boots_left"] is None

    def _rescue(self, image, action, *names):
        write("vars.fd", image)
        before = digest("vars.fd")
        answer = vars_json("rescue", "vars.fd", "-o", "out.fd")
        assert digest("vars.fd") == before
        assert answer["action"] == action and answer["variables"] == len(names), answer
        assert vars_run("check", "out.fd").startswith(b"clean\n")
        assert [v["name"] for v in vars_json("list", "out.fd")["variables"]] == list(names)
        return answer

    def a_reclaim_is_finished_or_rolled_back(self):
        good = store(record("a", b"1"), record("b", b"2"), record("c", b"3"))
        assert self._rescue(reclaiming(store(), good), "finished", "a", "b", "c")["was"] == \
            "reclaim-torn"
        lost = reclaiming(good, good)
        lost[:0xe000] = b"\xff" * 0xe000
        assert self._rescue(lost, "finished", "a", "b", "c")["was"] == "headers-lost"
        self._rescue(reclaiming(good, store(), flags=0xff), "rolled-back", "a", "b", "c")
        self._rescue(good, "nothing", "a", "b", "c")
        assert digest("vars.fd") == digest("out.fd")

    def what_cannot_be_rescued_leaves_no_file(self):
        good = store(record("a", b"1"), record("b", b"2"), record("c", b"3"))
        lost = reclaiming(good, b"\xff" * 0x10000)
        lost[:0xe000] = b"\xff" * 0xe000
        write("vars.fd", lost)
        refuse("vars.fd: .*headers-lost, and the spare area at 0x10000 holds no whole store",
               "rescue", "vars.fd", "-o", "out.fd")
        write("vars.fd", bytes(0x20000))
        refuse("vars.fd: .*blank, expected a store", "rescue", "vars.fd", "-o", "out.fd")
        assert not os.path.exists("out.fd")

    def the_image_itself_is_never_the_output(self):
        write("vars.fd", store(record("a", b"1")))
        os.link("vars.fd", "out.fd")
        for name in ("vars.fd", "./vars.fd", "out.fd", "vars.fd.journal", "./vars.fd.journal"):
            refuse("is the image itself", "rescue", "vars.fd", "-o", name)
        assert not os.path.exists("vars.fd.journal")
        os.remove("out.fd")
        os.symlink("vars.fd", "out.fd")
        refuse("is the image itself", "rescue", "vars.fd", "-o", "out.fd")
        refuse("--output: is missing, expected FILE", "rescue", "vars.fd")

    def an_output_that_has_a_journal_is_refused(self):
        write("vars.fd", store(record("a", b"1")))
        write("out.fd", b"older")
        write("out.fd.journal", b"changes of the older")
        refuse("--output: out.fd has a journal", "rescue", "vars.fd", "-o", "out.fd")
        with open("out.fd", "rb") as file:
            assert file.read() == b"older"
        os.remove("out.fd")
        os.remove("out.fd.journal")

    def an_output_that_cannot_be_written_is_named(self):
        write("vars.fd", store(record("a", b"1")))
        refuse("no/out.fd: ", "rescue", "vars.fd", "-o", "no/out.fd")


class Changes:
    """set, delete, import."""
    FILES = NAMES

    def _values(self):
        return {(v["name"], v["guid"]): (v["attr"], v["data"])
                for v in vars_json("list", "vars.fd")["variables"]}

    def a_variable_is_set_changed_and_deleted(self):
        write("vars.fd", store(record("kept", b"1", OTHER)))
        kept = {("kept", OTHER): (7, "31")}
        vars_run("set", "vars.fd", "v", "--guid", GLOBAL, "--text", "h\u00e4")
        assert self._values() == {**kept, ("v", GLOBAL): (7, "68c3a4")}
        vars_run("set", "vars.fd", "v", "--guid", GLOBAL, "--hex", "00fFA5", "--attributes", "3")
        assert self._values() == {**kept, ("v", GLOBAL): (3, "00ffa5")}
        write("value", bytes(range(256)))
        vars_run("set", "vars.fd", "v", "--guid", GLOBAL, "--data-file", "value")
        assert self._values() == {**kept, ("v", GLOBAL): (3, bytes(range(256)).hex())}
        vars_run("set", "vars.fd", "w", "--guid", GLOBAL, "--hex", "01", "--attributes", "nv+BS")
        assert self._values()[("w", GLOBAL)] == (3, "01")
        vars_run("delete", "vars.fd", "v", "--guid", GLOBAL)
        vars_run("delete", "vars.fd", "w", "--guid", GLOBAL)
        assert self._values() == kept
        done = run("vars", "delete", "vars.fd", "v", "--guid", GLOBAL)
        assert done.returncode == 1 and b"v: no such variable" in done.stderr, done
        assert vars_run("check", "vars.fd").startswith(b"clean\n")

    def no_bit_is_ever_set(self):
        before = store(record("v", b"1"), record("w", b"2"))
        write("vars.fd", before)
        vars_run("set", "vars.fd", "v", "--guid", GLOBAL, "--text", "new")
        vars_run("delete", "vars.fd", "w", "--guid", GLOBAL)
        with open("vars.fd", "rb") as file:
            after = file.read()
        assert len(after) == len(before)
        assert all(new & ~old == 0 for old, new in zip(before, after))
        expected = bytearray(before)
        expected[0x66] = 0x3c
        expected[0x66 + 68] = 0x3d
        new = record("v", b"new")
        expected[0x64 + 136:0x64 + 136 + len(new)] = new
        assert after == bytes(expected)

    def the_same_value_changes_no_byte(self):
        write("vars.fd", store(record("v", b"1", attributes=3)))
        before = digest("vars.fd")
        vars_run("set", "vars.fd", "v", "--guid", GLOBAL, "--text", "1")
        assert digest("vars.fd") == before

    def a_full_store_names_need_free_and_stale(self):
        write("vars.fd", store(record("v", b"1" * 0x6000), record("v", b"2" * 0x6000, state=0x3c)))
        write("value", b"3" * 0x4000)
        refuse("vars.fd: .*16448 bytes are needed, 7964 are free, 24640 are stale", "set",
               "vars.fd", "w", "--guid", GLOBAL, "--data-file", "value")

    def what_cannot_be_set_is_refused(self):
        write("vars.fd", store())
        write("value", b"")
        base = ["set", "vars.fd", "v", "--guid", GLOBAL]
        refuse("the value is missing, expected one of --data-file", *base)
        refuse("the value is given twice", *base, "--text", "x", "--hex", "00")
        for word in ("0", "0g", "0x00", "0 0", "+1"):
            refuse('--hex: .*expected pairs of hex', *base, "--hex", word)
        refuse("data: 0 bytes, expected at least 1", *base, "--data-file", "value")
        for word in ("0", "x", "NV+", "+NV", "NV,BS", "NVBS", "0x100000000"):
            refuse("--attributes: .*expected a number", *base, "--text", "x", "--attributes", word)
        for word in ("2", "5", "BS+RT", "0x107"):
            refuse("attributes: 0x[0-9a-f]+, expected", *base, "--text", "x", "--attributes", word)
        refuse("no: cannot be opened", *base, "--data-file", "no")
        refuse("--guid: is missing", "set", "vars.fd", "v", "--text", "x")
        refuse("name: byte 0 is no UTF-8", "set", "vars.fd", os.fsdecode(b"\xff"), "--guid", GLOBAL,
               "--text", "x")

    def a_store_to_rescue_is_not_changed(self):
        good = store(record("v", b"1"))
        write("vars.fd", reclaiming(good, good))
        refuse("reclaim-pending, expected one to rescue first", "set", "vars.fd", "v", "--guid",
               GLOBAL, "--text", "x")
        refuse("reclaim-pending, expected one to rescue first", "delete", "vars.fd", "v", "--guid",
               GLOBAL)

    def a_read_only_image_is_not_changed(self):
        if os.geteuid() == 0:
            raise Skip("root may write to every file")
        write("vars.fd", store(record("v", b"1")))
        os.chmod("vars.fd", stat.S_IRUSR)
        refuse("vars.fd: .*permission|vars.fd: .*denied", "delete", "vars.fd", "v", "--guid",
               GLOBAL)

    def an_image_that_somebody_has_open_is_not_changed(self):
        write("vars.fd", store(record("v", b"1")))
        with open("vars.fd", "r+b") as file:
            # As an open file description: type, whence, start, length, process.
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 201, 1,
                                                             0))
            refuse("vars.fd: .*has it open", "delete", "vars.fd", "v", "--guid", GLOBAL)
            assert vars_json("get", "vars.fd", "v")["data"] == "31"

    def what_is_exported_can_be_imported(self):
        when = bytes(range(16)).hex()
        write("vars.fd", store(record("v", b"1"), record("\u20ac", b"2" * 300, OTHER),
                               record("db", b"3", attributes=0x27, time=bytes.fromhex(when))))
        exported = vars_run("export", "vars.fd", "--json")
        listed = vars_run("list", "vars.fd", "--json")
        for text in (exported, listed):
            write("v.json", text)
            write("vars.fd", store(record("old", b"4"), record("v", b"5")))
            assert vars_run("import", "vars.fd", "--json", "v.json") == b""
            found = json.loads(vars_run("export", "vars.fd"))["variables"]
            assert found[0]["name"] == "old", found
            by_name = {v["name"]: v for v in found[1:]}
            assert by_name == {v["name"]: v for v in json.loads(exported)["variables"]}
            assert by_name["db"]["time"] == when
        # Once more: it is all there, and nothing changes.
        before = digest("vars.fd")
        vars_run("import", "vars.fd", "--json", "v.json")
        assert digest("vars.fd") == before

    def a_bad_document_changes_nothing(self):
        write("vars.fd", store(record("v", b"1")))
        good = {"name": "v", "guid": GLOBAL, "attr": 7, "data": "00"}

        def document(**members):
            return {"version": 2, "variables": [good | {"name": "w"}, good | members]}

        for content, why in (
                (None, "line 1: .*expected a JSON object"), ([], "version: expected 2"),
                ({"version": 1, "variables": []}, "version: expected 2"),
                ({"version": 2}, "variables: expected an array"),
                ({"version": 2, "variables": {}}, "variables: expected an array"),
                ({"version": 2, "variables": [3]}, r"variables\[0\].name: expected text"),
                (document(name=7), r"variables\[1\].name: expected text"),
                (document(guid="x"), r"variables\[1\].guid: expected one such as"),
                (document(attr="7"), r"variables\[1\].attr: expected a number"),
                (document(attr=-1), r"variables\[1\].attr: expected a number"),
                (document(attr=1 << 32), r"variables\[1\].attr: expected a number"),
                (document(attr=2), "v: attributes: 0x2, expected"),
                (document(data="0"), r"variables\[1\].data: expected pairs"),
                (document(data=None), r"variables\[1\].data: expected pairs"),
                (document(data=""), "v: data: 0 bytes"),
                (document(time="00"), r"variables\[1\].time: expected 16 bytes"),
                (document(time=1), r"variables\[1\].time: expected 16 bytes"),
                (document(name="w"), "w: is there twice"),
                (document(data="00" * 0xe000), "bytes are needed")):
            write("v.json", b"" if content is None else json.dumps(content).encode())
            refuse(why, "import", "vars.fd", "--json", "v.json")
        refuse("no.json: cannot be opened", "import", "vars.fd", "--json", "no.json")


class Vectors:
    """The shared images, by their manifest."""
    FILES = NAMES

    def _folder(self):
        path = os.path.join(os.environ.get("FIRMEM_VECTORS", ""), "uefi")
        if not os.path.exists(os.path.join(path, "MANIFEST.json")):
            raise Skip(f"no test data at {path}")
        if not shutil.which("zstd"):
            raise Skip("no zstd here to unpack the test data")
        return path

    def _unpack(self, path):
        done = subprocess.run(["zstd", "-dqc", path], stdout=subprocess.PIPE, check=True)
        return write("vars.fd", done.stdout)

    def every_image_is_what_the_manifest_says(self):
        folder = self._folder()
        with open(os.path.join(folder, "MANIFEST.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        verdicts = {"cut01": "update-torn", "cut61": "update-torn", "cut70": "update-torn",
                    "cut81": "update-torn", "sparecomplete": "reclaim-pending",
                    "partial0": "reclaim-torn", "BRICK": "headers-lost"}
        assert len(manifest) >= 12
        for entry in manifest:
            self._unpack(os.path.join(folder, entry["name"]))
            assert digest("vars.fd") == entry["sha256"]
            expected = [v for word, v in verdicts.items() if word in entry["name"]] or ["clean"]
            status = 0 if expected == ["clean"] else 1
            answer = vars_json("check", "vars.fd", status=status)
            assert answer["verdict"] == expected[0], (entry["name"], answer)
            if entry["fv_ok"]:
                self._records(entry, answer)
            assert digest("vars.fd") == entry["sha256"]

    def _records(self, entry, answer):
        records = vars_json("list", "vars.fd", "--all")["variables"]
        states = {}
        for found in records:
            states[found["state"]] = states.get(found["state"], 0) + 1
        assert states == entry["states"], (entry["name"], states)
        assert len(records) == entry["records"] and answer["variables"] == entry["live"]
        assert 0x64 + answer["used"] == entry["end_offset"], (entry["name"], answer)
        assert sum(v["status"] == "live" for v in records) == entry["live"]

    def the_brick_gives_back_its_variables(self):
        self._unpack(os.path.join(self._folder(), "ovmf2m-kill9-BRICK.fd.zst"))
        answer = vars_json("rescue", "vars.fd", "-o", "out.fd")
        assert (answer["was"], answer["action"], answer["variables"]) == (
            "headers-lost", "finished", 28), answer

    def installed_stores_are_listed_as_virt_firmware_lists_them(self):
        folder = self._folder()
        seen = 0
        for path, listing in (("/usr/share/OVMF/OVMF_VARS.ms.fd", "OVMF_VARS.ms.json"),
                              ("/usr/share/OVMF/OVMF_VARS_4M.ms.fd", "OVMF_VARS_4M.ms.json"),
                              ("/usr/share/AAVMF/AAVMF_VARS.snakeoil.fd",
                               "AAVMF_VARS.snakeoil.json")):
            if not os.path.exists(path):
                continue
            seen += 1
            with open(os.path.join(folder, listing), encoding="utf-8") as file:
                assert vars_json("export", path) == json.load(file), path
        if not seen:
            raise Skip("no firmware is installed")


GROUPS = {group.__name__.lower(): group for group in (Vars, Verdicts, Changes, Vectors)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
