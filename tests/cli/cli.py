#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command firmem from outside: cli.py COMMAND GROUP.

Groups are the classes below; each of their functions is a case. The output is cmocka's, so that
cases are counted like those of the unit tests.
"""
import json
import os
import pty
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback

FIRMEM = ""
SKIPPED = 77
LIMIT = 300  # seconds, after which something hangs


class Skip(Exception):
    pass


def run(*arguments, **options):
    """Run the command in the case's empty folder; nothing it prints may look like a crash."""
    done = subprocess.run([FIRMEM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=LIMIT, check=False, **options)
    assert done.returncode in (0, 1, 2), f"{arguments}: {done.returncode}: {done.stderr}"
    return done


def info(path, *arguments, status=0):
    """The JSON of machine info; the command must end with that status."""
    done = run("machine", "info", "--dtb", path, "--json", *arguments)
    assert done.returncode == status, f"{done.returncode}: {done.stderr}"
    assert done.stderr == b"", done.stderr
    answer = json.loads(done.stdout.decode("utf-8"))
    assert isinstance(answer, dict)
    return answer


def refused(expected, *arguments, **options):
    """Status 2, nothing on stdout, one line on stderr that matches."""
    done = run(*arguments, **options)
    assert done.returncode == 2, f"{arguments}: {done.returncode}: {done.stdout}"
    assert done.stdout == b"", done.stdout
    assert re.fullmatch(rb"firmem: [^\x00-\x1f\x7f]+\n", done.stderr), done.stderr
    assert re.search(expected, done.stderr.decode("utf-8", "replace")), done.stderr


def need_strace(why):
    """Some hosts have it and forbid it."""
    if not shutil.which("strace"):
        raise Skip(f"no strace, {why}")
    if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], stdin=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL, check=False).returncode:
        raise Skip(f"strace may not trace here, {why}")


def shown(outer):
    """All that a terminal was given, until nobody has its inner end open."""
    text = b""
    try:
        while piece := os.read(outer, 4096):
            text += piece
    except OSError:  # that is how the end is told
        pass
    os.close(outer)
    return text


def run_on_terminal(*arguments, **options):
    """The command, and what a terminal showed of its stderr."""
    outer, inner = pty.openpty()
    done = subprocess.run([FIRMEM, *arguments], stdin=subprocess.DEVNULL, stderr=inner,
                          timeout=LIMIT, check=False, **options)
    os.close(inner)
    return done, shown(outer)


# --- trees ------------------------------------------------------------------------------------

def cells(*values):
    return struct.pack(f">{len(values)}I", *values)


def pairs(*values):
    return struct.pack(f">{len(values)}Q", *values)


MEMORY = ("memory", {"device_type": b"memory\0", "reg": pairs(0x40000000, 0x8000000)})


def flash(width=4, reg=pairs(0, 0x4000000, 0x4000000, 0x4000000)):
    return ("flash@0", {"compatible": b"cfi-flash\0", "bank-width": cells(width), "reg": reg})


def tree(*nodes, model=b"Test\0", **root):
    """
    A blob whose root has these nodes: (name, {property: bytes}), with a list of children as the third where
    there are some; `root`: its further properties.
    """
    structure, strings = b"", b""

    def begin(name):
        return cells(1) + name.encode() + b"\0" * (4 - len(name) % 4)

    def properties(given):
        nonlocal strings
        out = b""
        for name, value in given.items():
            out += cells(3, len(value), len(strings)) + value + b"\0" * (-len(value) % 4)
            strings += name.encode() + b"\0"
        return out

    structure += begin("")
    structure += properties({"#address-cells": cells(2), "#size-cells": cells(2), "model": model,
                             **root})

    def node(name, given, children=()):
        return begin(name) + properties(given) + b"".join(node(*c) for c in children) + cells(2)

    for one in nodes:
        structure += node(*one)
    structure += cells(2, 9)
    start = 40 + 16
    end = start + len(structure)
    return cells(0xd00dfeed, end + len(strings), start, end, 40, 17, 16, 0, len(strings),
                 len(structure)) + bytes(16) + structure + strings


def write(name, content):
    with open(name, "wb") as file:
        file.write(content)
    return name


# --- cases ------------------------------------------------------------------------------------

class Arguments:
    def help_and_version_are_yes(self):
        for arguments, expected in (
                (["--help"], b"machine info"), (["-h"], b"machine info"),
                (["help"], b"machine info"), (["machine", "--help"], b"info"),
                (["help", "machine"], b"info"), (["machine", "info", "--help"], b"--dtb FILE"),
                (["help", "machine", "info"], b"--dtb FILE"), (["--version"], b"firmem 0."),
                (["help", "vars", "set"], b"set IMAGE NAME --guid GUID"),
                (["vars", "rescue", "--help"], b"-o, --output FILE")):
            done = run(*arguments)
            assert done.returncode == 0 and expected in done.stdout, (arguments, done)
            assert done.stderr == b"", done.stderr

    def help_fits_a_terminal(self):
        verbs = re.findall(r"^  ([a-z]+) ([a-z-]+)  ", run("--help").stdout.decode(), re.M)
        assert ("machine", "memory-devices") in verbs, verbs
        verbs += [("nvdimm", "labels", verb) for verb in ("init", "add", "delete")
                  if ("nvdimm", "labels") in verbs]
        for arguments in ([], ["machine"], *verbs):
            for line in run(*arguments, "--help").stdout.decode().splitlines():
                # A command that is to be copied stays one line.
                assert len(line) <= (100 if line.startswith("  ") else 79), line
                # Behind an option its meaning, in a column of its own.
                assert line[:3] != "  -" or line[25:26] in ("", " ") or len(line.split()) < 4, line

    def a_missing_word_is_named(self):
        refused("command is missing.*--help")
        refused("machine: verb is missing.*--help", "machine")
        refused("machine info: --dtb: is missing, expected FILE", "machine", "info")
        refused("machine info: --dtb: value is missing, expected FILE", "machine", "info", "--dtb")

    def a_near_miss_is_named(self):
        refused('machin: no such command, did you mean "machine"', "machin")
        refused('machine inof: no such command, did you mean "info"', "machine", "inof")
        refused("--jsn: no such option, did you mean --json", "machine", "info", "--jsn")
        refused("--secto: no such option, did you mean --sector", "machine", "info", "--secto=1")

    def a_far_miss_is_told_where_to_look(self):
        refused('zzzzzz: no such command.*"firmem --help"', "zzzzzz")
        refused('machine zzzzzz: no such command.*"firmem machine --help"', "machine", "zzzzzz")
        refused('--zzzzzz: no such option.*"firmem machine info --help"', "machine", "info",
                "--zzzzzz")
        refused("x{60}: no such command", "x" * 5000)
        refused("no such command", "")

    def what_is_not_an_option_is_refused(self):
        write("a.dtb", tree())
        for word in ("x", "-", "--", "-j", ""):
            refused("expected an option", "machine", "info", "--dtb", "a.dtb", word)
        refused("expected nothing behind it", "--version", "x")

    def an_option_twice_is_refused(self):
        refused("--dtb: given twice", "machine", "info", "--dtb", "a", "--dtb=b")
        refused("--json: given twice", "machine", "info", "--json", "--json")

    def a_flag_takes_no_value(self):
        refused('--json: "yes", expected no value', "machine", "info", "--json=yes")

    def numbers_are_read_whole_or_not_at_all(self):
        write("a.dtb", tree(flash()))
        sector = ["machine", "info", "--dtb", "a.dtb", "--sector"]
        for word in ("", "x", "-1", "+1", " 1", "1 ", "1x", "0x", "0xg", "K", "1KK", "1Ki", "1.5M",
                     "1e3", "18446744073709551616", "0x10000000000000000", "16777216T", "1,0"):
            refused("--sector: .*expected a number below 2\\^64", *sector, word)
        refused("--sector: 0, expected at least 1", *sector, "0")

    def numbers_have_units_and_bases(self):
        write("a.dtb", tree(flash(reg=pairs(0, 0x4000000))))
        for word in ("131072", "0x20000", "0X20000", "128K", "128k", "0x80K", "0131072"):
            answer = info("a.dtb", "--devices", "--sector", word)
            value = [d["value"] for d in answer["devices"] if d["property"] == "block_len"]
            assert value == ["0x20000"], (word, value)
        refused("a.dtb: .*sector length 0x40000000000", "machine", "info", "--dtb", "a.dtb",
                "--sector", "4T")
        refused("a.dtb: .*sector length 0xc0000000", "machine", "info", "--dtb", "a.dtb",
                "--sector", "3G")

    def ranges_are_a_start_and_a_length(self):
        write("a.dtb", tree(MEMORY))
        for word in ("", "1", "1+", "+1", "1-2", "0+0", "1+1+1", "1 + 1", "0x+1",
                     "0xffffffffffffffff+2", "16E+1"):
            refused("--range: .*expected START\\+LENGTH", "machine", "info", "--dtb", "a.dtb",
                    "--range", word)
        assert info("a.dtb", "--range", "0xffffffffffffffff+1", status=1)["blocks"] == []

    def a_choice_is_one_of_them(self):
        write("a.dtb", tree(MEMORY))
        assert info("a.dtb", "--ram", "memfd")["blocks"][0]["backing"] == "memfd"
        assert info("a.dtb", "--ram=anon")["blocks"][0]["backing"] == "anon"
        refused('--ram: "hugetlb", expected anon or memfd', "machine", "info", "--dtb", "a.dtb",
                "--ram", "hugetlb")

    def what_was_typed_cannot_write_to_the_terminal(self):
        refused(r"red\?\[31m", "machine", "info", "--dtb", "red\x1b[31m")
        refused(r"a\?b", "a\nb")


class Machine:
    def the_table_has_a_row_for_each_window(self):
        write("a.dtb", tree(MEMORY, flash()))
        done = run("machine", "info", "--dtb", "a.dtb")
        assert done.returncode == 0 and not done.stderr
        lines = [re.split(r"  +", line.strip()) for line in done.stdout.decode().splitlines()]
        assert lines == [
            ["source: a.dtb"], ["machine: Test"], [""],
            ["BLOCK", "ROLE", "BACKING", "ADDRESS", "SIZE", "PAGE", "DEVICE", "MAPPING"],
            ["flash@0", "flash-code", "anon", "0x0", "64 MiB", "4 KiB", "cfi-flash-intel", "r-x"],
            ["flash@4000000", "flash-vars", "anon", "0x4000000", "64 MiB", "4 KiB",
             "cfi-flash-intel", "r-x"],
            ["memory@40000000", "ram", "anon", "0x40000000", "128 MiB", "4 KiB", "ram", "rwx"],
        ], lines

    def the_json_says_the_same_in_full(self):
        write("a.dtb", tree(MEMORY))
        assert info("a.dtb", "--space") == {
            "source": "a.dtb",
            "machine": "Test",
            "blocks": [{
                "block": "memory@40000000", "role": "ram", "backing": "anon",
                "address": "0x40000000", "size": "0x8000000",
                "page_size": hex(resource.getpagesize()), "device": "memory@40000000",
                "device_type": "ram", "mapping": "rwx", "space": "memory"}],
            "ranges": [{
                "address": "0x40000000", "last": "0x47ffffff", "size": "0x8000000",
                "window": "memory@40000000", "block": "memory@40000000", "block_offset": "0x0",
                "mapping": "rwx"}],
        }

    def numbers_of_64_bits_survive(self):
        reg = pairs(0xfffffffffffff000, 0x1000, 0x123456789abcd000, 0x1000)
        write("a.dtb", tree(("memory", {"device_type": b"memory\0", "reg": reg})))
        found = [(b["address"], b["size"]) for b in info("a.dtb")["blocks"]]
        assert found == [("0x123456789abcd000", "0x1000"), ("0xfffffffffffff000", "0x1000")]
        ranges = info("a.dtb", "--space")["ranges"]
        assert ranges[-1]["last"] == "0xffffffffffffffff", ranges

    def a_range_picks_and_answers_by_status(self):
        write("a.dtb", tree(MEMORY, flash()))
        for text, status, expected in (
                ("0x40000000+1", 0, ["memory@40000000"]), ("0x47ffffff+1", 0, ["memory@40000000"]),
                ("0x48000000+1", 1, []), ("0x3fffffff+1", 1, []),
                ("0x3fffffff+2", 0, ["memory@40000000"]), ("64M+1", 0, ["flash@4000000"]),
                ("0x3ffffff+2", 0, ["flash@0", "flash@4000000"]),
                ("0+1T", 0, ["flash@0", "flash@4000000", "memory@40000000"])):
            answer = info("a.dtb", "--range", text, "--space", status=status)
            assert [b["block"] for b in answer["blocks"]] == expected, (text, answer)
            assert [r["block"] for r in answer["ranges"]] == expected, (text, answer)

    def flash_geometry_is_the_options(self):
        write("a.dtb", tree(flash(reg=pairs(0, 0x4000000))))
        for options, expected in (
                ([], {"block_len": "0x40000", "block_count": "0x100", "chip_width": "0x2"}),
                (["--sector", "128K"], {"block_len": "0x20000", "block_count": "0x200"}),
                (["--chips", "1"], {"chip_width": "0x4"}),
                (["--chips", "4"], {"chip_width": "0x1"})):
            devices = info("a.dtb", "--devices", *options)["devices"]
            told = {d["property"]: d["value"] for d in devices}
            assert expected.items() <= told.items(), (options, told)
        refused("--chips: 9, expected at most 8", "machine", "info", "--dtb", "a.dtb", "--chips",
                "9")
        refused("a.dtb: /flash@0: ", "machine", "info", "--dtb", "a.dtb", "--chips", "3")

    def a_tree_of_nothing_is_an_empty_machine(self):
        write("a.dtb", tree())
        done = run("machine", "info", "--dtb", "a.dtb")
        assert done.returncode == 0 and b"blocks: none" in done.stdout, done
        assert info("a.dtb")["blocks"] == []

    def a_pipe_is_read_like_a_file(self):
        reader, writer = os.pipe()
        os.write(writer, tree(MEMORY))
        os.close(writer)
        done = run("machine", "info", "--dtb", f"/dev/fd/{reader}", pass_fds=[reader])
        os.close(reader)
        assert done.returncode == 0 and b"memory@40000000" in done.stdout, done

    def names_that_are_not_utf8_still_make_json(self):
        write(b"\xff.dtb", tree(model=b"\xfe\0"))
        answer = info(b"\xff.dtb")
        assert answer["source"] == "?.dtb" and answer["machine"] == "?", answer

    def a_full_disk_is_a_failure(self):
        write("a.dtb", tree(MEMORY))
        for extra in ([], ["--json"], ["--help"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([FIRMEM, "machine", "info", "--dtb", "a.dtb", *extra],
                                      stdout=full, stderr=subprocess.PIPE, check=False)
            assert done.returncode == 2, done
            assert done.stderr == b"firmem: standard output: No space left on device\n", done

    def a_reader_that_left_is_a_failure_not_a_signal(self):
        write("a.dtb", tree(MEMORY))
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([FIRMEM, "machine", "info", "--dtb", "a.dtb"], stdout=writer,
                              stderr=subprocess.PIPE, check=False)
        os.close(writer)
        assert done.returncode == 2 and b"Broken pipe" in done.stderr, done


class BadInput:
    """Each with status 2, one line that names the file, and no file touched."""

    def refuse(self, content, expected):
        write("bad.dtb", content)
        refused("^firmem: bad.dtb: " + expected, "machine", "info", "--dtb", "bad.dtb")
        with open("bad.dtb", "rb") as file:
            assert file.read() == content

    def a_file_that_is_not_there(self):
        refused("no.dtb: cannot be opened: No such file", "machine", "info", "--dtb", "no.dtb")

    def a_path_longer_than_any(self):
        refused("x{4095}: cannot be opened: File name too long", "machine", "info", "--dtb",
                "x" * 5000)

    def a_directory(self):
        os.mkdir("folder")
        refused("folder: cannot be read: Is a directory", "machine", "info", "--dtb", "folder")

    def a_file_that_cannot_be_opened(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("a.dtb")
            refused("a.dtb: cannot be opened: ", "machine", "info", "--dtb", "a.dtb")

    def an_empty_file(self):
        self.refuse(b"", "size: 0 bytes")

    def a_file_without_end(self):
        refused("/dev/zero: size: more than 16777216 bytes", "machine", "info", "--dtb",
                "/dev/zero")

    def random_bytes(self):
        for seed in range(20):
            self.refuse(bytes((i * i * 7 + seed * 31 + i) % 251 for i in range(500)), "magic: 0x")

    def source_text_instead_of_a_blob(self):
        self.refuse(b"/dts-v1/;\n/ { model = \"x\"; };\n" * 3, "magic: 0x2f647473")

    def every_truncation(self):
        whole = tree(MEMORY, flash())
        for length in range(0, len(whole), 7):
            self.refuse(whole[:length], "(totalsize|size): ")

    def another_version(self):
        self.refuse(tree()[:20] + cells(3, 2) + tree()[28:], "version: 3")

    def overlapping_banks(self):
        self.refuse(tree(flash(reg=pairs(0, 0x100000, 0xc0000, 0x100000))), ".*overlap")

    def a_bank_over_memory(self):
        self.refuse(tree(MEMORY, flash(reg=pairs(0x40000000, 0x100000))),
                    ".*flash@40000000.*memory@40000000.*overlap")

    def a_bank_of_no_bytes(self):
        self.refuse(tree(flash(reg=pairs(0, 0))), r"/flash@0: reg\[0\]: 0 bytes")

    def a_bank_that_wraps(self):
        self.refuse(tree(flash(reg=pairs(0xfffffffffffc0000, 0x80000))),
                    r"/flash@0: reg\[0\]: 0x80000 bytes at 0xfffffffffffc0000 wrap")

    def a_bank_of_half_a_sector(self):
        self.refuse(tree(flash(reg=pairs(0, 0x20000))), r"/flash@0: reg\[0\]: .*0x20000")

    def a_bank_larger_than_any(self):
        self.refuse(tree(flash(reg=pairs(0, 1 << 60))), "/flash@0: ")
        self.refuse(tree(flash(reg=pairs(0, 1 << 35))), "/flash@0: ")

    def a_wrong_bank_width(self):
        for width in (0, 3, 5, 16, 0xffffffff):
            self.refuse(tree(flash(width)), f"/flash@0: bank-width .*{width:#x}")

    def a_bank_width_that_is_missing(self):
        name, properties = flash()
        del properties["bank-width"]
        self.refuse(tree((name, properties)), "/flash@0: bank-width: is missing")

    def memory_twice(self):
        self.refuse(tree(MEMORY, ("memory@1", MEMORY[1])), ".*overlap.*/memory")

    def memory_beyond_the_host(self):
        self.refuse(tree(("memory", {"device_type": b"memory\0", "reg": pairs(0, 1 << 60)})),
                    r"/memory: reg\[0\]: ")

    def a_model_that_writes_to_the_terminal(self):
        self.refuse(tree(model=b"\x1b[2J\0"), "/: model: byte 0 is 0x1b")


class Qemu:
    """The trees that unmodified QEMU makes."""

    def dump(self, program, machine, *options):
        path = shutil.which(program)
        if not path:
            raise Skip(f"no {program} here")
        done = subprocess.run([path, "-machine", f"{machine},dumpdtb=q.dtb", "-display", "none",
                               *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        if not os.path.exists("q.dtb"):
            raise Skip(f"{program} dumps no {machine}: {done.stdout.decode().strip()[:200]}")
        answer = info("q.dtb")
        return answer["machine"], [(b["block"], b["role"], b["size"], b["mapping"])
                                   for b in answer["blocks"]]

    def aarch64_virt(self):
        name, blocks = self.dump("qemu-system-aarch64", "virt", "-m", "256M")
        assert name == "linux,dummy-virt"
        assert blocks == [("flash@0", "flash-code", "0x4000000", "r-x"),
                          ("flash@4000000", "flash-vars", "0x4000000", "r-x"),
                          ("memory@40000000", "ram", "0x10000000", "rwx")], blocks

    def aarch64_virt_with_two_numa_nodes(self):
        _, blocks = self.dump(
            "qemu-system-aarch64", "virt", "-m", "3G", "-smp", "2",
            "-object", "memory-backend-ram,id=m0,size=1G",
            "-object", "memory-backend-ram,id=m1,size=2G",
            "-numa", "node,memdev=m0,cpus=0", "-numa", "node,memdev=m1,cpus=1")
        assert [b for b in blocks if b[1] == "ram"] == [
            ("memory@40000000", "ram", "0x40000000", "rwx"),
            ("memory@80000000", "ram", "0x80000000", "rwx")], blocks

    def aarch64_virt_keeps_the_secure_world_s_flash_out(self):
        _, blocks = self.dump("qemu-system-aarch64", "virt,secure=on")
        assert [b[0] for b in blocks] == ["flash@4000000", "memory@40000000"], blocks

    def aarch64_sbsa_ref(self):
        _, blocks = self.dump("qemu-system-aarch64", "sbsa-ref", "-m", "1G")
        assert ("memory@10000000000", "ram", "0x40000000", "rwx") in blocks, blocks

    def arm_virt(self):
        _, blocks = self.dump("qemu-system-arm", "virt")
        assert [b[0] for b in blocks] == ["flash@0", "flash@4000000", "memory@40000000"], blocks

    def riscv64_virt(self):
        _, blocks = self.dump("qemu-system-riscv64", "virt")
        assert blocks == [("flash@20000000", "flash-code", "0x2000000", "r-x"),
                          ("flash@22000000", "flash-vars", "0x2000000", "r-x"),
                          ("memory@80000000", "ram", "0x8000000", "rwx")], blocks

    def riscv64_sifive_u(self):
        _, blocks = self.dump("qemu-system-riscv64", "sifive_u")
        assert [b[0] for b in blocks] == ["memory@80000000"], blocks


GROUPS = {group.__name__.lower(): group for group in (Arguments, Machine, BadInput, Qemu)}


def run_case(group, name):
    """Run one case in a folder of its own; no other file than those it made may be there then."""
    start = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="firmem-cli-") as folder:
        os.chdir(folder)
        try:
            getattr(group(), name)()
            extra = set(os.listdir(b".")) - {b"a.dtb", b"bad.dtb", b"q.dtb", b"folder",
                                             b"\xff.dtb"} - getattr(group, "FILES", set())
            assert not extra, f"left behind: {extra}"
            return "OK"
        except Skip as why:
            print(f"skipped: {why}")
            return "SKIPPED"
        except Exception:  # the next case goes on
            traceback.print_exc(file=sys.stdout)
            return "FAILED"
        finally:
            os.chdir(start)


def main(groups, command, group):
    global FIRMEM
    FIRMEM = os.path.abspath(command)
    # Meson's time limit: what was begun is ended, and its folder goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # Also where whoever runs the tests ignores it (nohup): commands inherit that.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    cases = [n for n, case in vars(groups[group]).items()
             if n[0] != "_" and n not in ("refuse", "dump") and callable(case)]
    results = []
    print(f"[==========] Running {len(cases)} test(s).")
    for name in cases:
        print(f"[ RUN      ] {name}", flush=True)
        results.append(run_case(groups[group], name))
        print(f"[ {results[-1]:>8} ] {name}", flush=True)
    if "FAILED" in results:
        return 1
    return SKIPPED if set(results) == {"SKIPPED"} else 0


if __name__ == "__main__":
    sys.exit(main(GROUPS, *sys.argv[1:]))
