#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem machine dump from outside: cli_dump.py COMMAND GROUP; see cli.py."""
import ctypes
import fcntl
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time

import cli
from cli import MEMORY, Skip, flash, pairs, refused, run, tree, write

SHM = "/dev/shm"
FILES = {b"ram", b"core", b"link", b"nv", b"monitor"}
CLOSE_WRITE, CLOSE_NOWRITE = 0x8, 0x10
LOW, HIGH = 0x80000000, 0x100000000


def memory(node, role=b"ram", **given):
    """A node of ours; keywords are properties without their prefix."""
    properties = {"compatible": b"firmem,memory\0", "firmem,role": role + b"\0"}
    for key, value in given.items():
        properties[key if key == "reg" else "firmem," + key.replace("_", "-")] = value
    return (node, properties)


def in_file(path, role=b"ram", reg=pairs(0, 0x4000), **given):
    return memory("ram", role, reg=reg, backing=b"file\0", path=path.encode() + b"\0", **given)


def sparse(path, size, **at):
    """A file of `size` with 8 bytes at each offset "o1234" in hexadecimal."""
    with open(path, "wb") as file:
        file.truncate(size)
        for off, value in at.items():
            file.seek(int(off[1:], 16))
            file.write(struct.pack("<Q", value))
    return path


def dump(*arguments):
    """The JSON of a dump that is made."""
    done = run("machine", "dump", "--json", "-o", "core", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b"", done.stderr
    return json.loads(done.stdout)


def parts(answer):
    return [(p["block"], p["dump"], p["address"], p["size"]) for p in answer["parts"]]


def tool(name, *arguments):
    if not shutil.which(name):
        raise Skip(f"no {name} here")
    done = subprocess.run([name, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=cli.LIMIT, check=False)
    return done.stdout.decode("utf-8", "replace")


def words(address, count=1):
    """What gdb reads of the core there."""
    text = tool("gdb", "-nx", "-batch", "-ex", "core-file core", "-ex", f"x/{count}gx {address:#x}")
    found = re.findall(r"\t(0x[0-9a-f]{16})", text)
    assert len(found) == count, text
    return [int(w, 16) for w in found], text


class Shared:
    """A folder in memory, as QEMU's RAM mostly is, for the time of a case."""

    def __enter__(self):
        if not os.path.isdir(SHM) or not os.access(SHM, os.W_OK):
            raise Skip(f"no {SHM} here")
        self.folder = tempfile.mkdtemp(dir=SHM)
        return lambda name: os.path.join(self.folder, name)

    def __exit__(self, *_):
        shutil.rmtree(self.folder)


class Dump:
    FILES = FILES

    def a_file_that_the_tree_names_is_dumped_where_the_guest_sees_it(self):
        write("ram", b"\1" * 0x1000 + b"\2" * 0x1000 + b"\3" * 0x2000)
        write("a.dtb", tree(in_file("ram", reg=pairs(LOW, 0x2000, HIGH, 0x2000))))
        answer = dump("--dtb", "a.dtb", "--arch", "x86-64")
        assert parts(answer) == [("ram", "included", hex(LOW), "0x2000"),
                                 ("ram", "included", hex(HIGH), "0x2000")], answer
        assert answer["memory"] == answer["written"] == "0x4000" and answer["arch"] == "x86-64"
        for address, byte in ((LOW, 1), (LOW + 0x1ff8, 2), (HIGH, 3), (HIGH + 0x1ff8, 3)):
            assert words(address)[0] == [byte * 0x0101010101010101], hex(address)

    def readelf_and_gdb_have_no_complaint(self):
        sparse("ram", 0x4000, o3ff8=0x1122334455667788)
        write("a.dtb", tree(in_file("ram", reg=pairs(HIGH, 0x4000)), flash()))
        dump("--dtb", "a.dtb", "--arch", "x86-64")
        text = tool("readelf", "-hln", "core")
        assert "arning" not in text and "rror" not in text, text
        assert "NT_PRSTATUS" in text and "firmem" in text and "CORE (Core file)" in text, text
        found, text = words(HIGH + 0x3ff8)
        assert found == [0x1122334455667788] and "arning" not in text, text

    def memory_nodes_are_one_behind_the_other_in_the_file(self):
        sparse("ram", 0x5000, o0=1, o2000=2, o4ff8=3)
        write("a.dtb", tree(
            ("memory@1", {"device_type": b"memory\0", "reg": pairs(HIGH, 0x3000)}),
            ("memory@0", {"device_type": b"memory\0", "reg": pairs(LOW, 0x2000)})))
        answer = dump("--dtb", "a.dtb", "--ram", "ram", "--arch", "aarch64")
        assert [p[1:] for p in parts(answer)] == [("included", hex(LOW), "0x2000"),
                                                  ("included", hex(HIGH), "0x3000")], answer
        with open("core", "rb") as file:
            core = file.read()
        start = len(core) - 0x5000
        for off, value in ((0, 1), (0x2000, 2), (0x4ff8, 3)):
            assert struct.unpack_from("<Q", core, start + off) == (value,), off
        assert struct.unpack_from("<H", core, 18) == (183,)

    def files_are_only_read(self):
        write("ram", b"mine" * 0x1000)
        write("a.dtb", tree(in_file("ram", shared=b"", created=b"", consent=b"")))
        libc = ctypes.CDLL(None, use_errno=True)
        watch = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(watch, b"ram", CLOSE_WRITE | CLOSE_NOWRITE) > 0
        os.chmod("ram", 0o444)
        dump("--dtb", "a.dtb", "--arch", "x86-64")
        events = os.read(watch, 4096)
        masks = {struct.unpack_from("iI", events, at)[1] for at in range(0, len(events), 16)}
        os.close(watch)
        assert masks == {CLOSE_NOWRITE}, masks
        with open("ram", "rb") as file:
            assert file.read() == b"mine" * 0x1000

    def roles_choose_and_what_is_left_out_is_told(self):
        write("ram", b"\5" * 0x4000)
        write("nv", b"\7" * 0x1000)
        nodes = [in_file("ram", reg=pairs(LOW, 0x4000), private=pairs(0x1000, 0x1000)),
                 memory("nv0", b"nvdimm", reg=pairs(HIGH, 0x1000), backing=b"pmem\0",
                        path=b"nv\0"),
                 memory("smram", b"smram", size=pairs(0x2000)), flash()]
        write("a.dtb", tree(*nodes))
        answer = dump("--dtb", "a.dtb", "--arch", "x86-64")
        assert parts(answer) == [
            ("ram", "included", hex(LOW), "0x1000"),
            ("ram", "included", hex(LOW + 0x2000), "0x2000"),
            ("ram", "private", None, "0x1000"), ("nv0", "not chosen", None, "0x1000"),
            ("smram", "not chosen", None, "0x2000"),
            ("flash@0", "not chosen", None, "0x4000000"),
            ("flash@4000000", "not chosen", None, "0x4000000")], parts(answer)
        with open("core", "rb") as file:
            core = file.read()
        assert b"nv0: role nvdimm: not chosen, 0x1000 bytes\n" in core
        assert b"ram: role ram: private, 0x1000 bytes\n" in core
        answer = dump("--dtb", "a.dtb", "--arch", "x86-64", "--roles", "nvdimm", "--force")
        assert parts(answer)[0] == ("nv0", "included", hex(HIGH), "0x1000"), answer

    def files_of_roles_that_are_not_chosen_need_not_be_there(self):
        write("ram", b"\5" * 0x4000)
        write("a.dtb", tree(in_file("ram"), memory("nv0", b"nvdimm", reg=pairs(HIGH, 0x1000),
                                                   backing=b"pmem\0", path=b"gone\0")))
        answer = dump("--dtb", "a.dtb", "--arch", "x86-64")
        assert parts(answer)[1] == ("nv0", "not chosen", None, "0x1000"), answer
        refused("a.dtb: .*gone: open for reading", "machine", "dump", "--dtb", "a.dtb", "-o",
                "other", "--arch", "x86-64", "--roles", "nvdimm")
        # Nor is the file of memory nodes.
        write("nv", b"\7" * 0x1000)
        write("a.dtb", tree(MEMORY, in_file("nv", b"nvdimm", pairs(HIGH, 0x1000))))
        answer = dump("--dtb", "a.dtb", "--arch", "x86-64", "--roles", "nvdimm", "--ram", "gone",
                      "--force")
        assert parts(answer)[0] == ("ram", "included", hex(HIGH), "0x1000"), answer

    def memory_in_slots_is_dumped(self):
        write("ram", b"\5" * 0x200000)
        slots = ("slots", {"compatible": b"firmem,dimm-slots\0", "reg": pairs(HIGH, 0x800000),
                           "firmem,slots": struct.pack(">I", 2),
                           "firmem,max-memory": struct.pack(">I", 0x400000)})
        dimm = ("dimm", {**in_file("ram", b"dimm", reg=pairs(HIGH, 0x200000))[1],
                         "firmem,slot": b""})
        write("a.dtb", tree(slots, dimm))
        answer = dump("--dtb", "a.dtb", "--arch", "x86-64")
        assert parts(answer) == [("dimm", "included", hex(HIGH), "0x200000")], answer
        with open("core", "rb") as file:
            assert file.read().count(b"\5") >= 0x200000

    def people_get_a_table(self):
        write("ram", b"\5" * 0x4000)
        write("a.dtb", tree(in_file("ram")))
        done = run("machine", "dump", "--dtb", "a.dtb", "-o", "core", "--arch", "riscv64")
        assert done.returncode == 0 and b"ram    ram       0x0  16 KiB  included" in done.stdout, (
            done.stdout)

    def idle_memory_costs_nothing(self):
        with Shared() as shared:
            size = 16 << 30
            sparse(shared("ram"), size, **{f"o{size - 8:x}": 7})
            write("a.dtb", tree(in_file(shared("ram"), reg=pairs(HIGH, size))))
            with subprocess.Popen([cli.FIRMEM, "machine", "dump", "--json", "-o", "core", "--dtb",
                                   "a.dtb", "--arch", "x86-64"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE) as process:
                answer = json.loads(process.stdout.read())
                # Of this process alone: others have been gdb.
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0
            assert answer["written"] == "0x1000" and answer["memory"] == hex(size), answer
            assert os.stat("core").st_blocks * 512 < 1 << 20
            assert usage.ru_maxrss < 64 << 10, usage.ru_maxrss  # KiB
            print(f"{usage.ru_utime:.3f} s, {usage.ru_maxrss} KiB")

    def a_memfd_of_another_process_has_a_name(self):
        fd = os.memfd_create("guest")
        os.ftruncate(fd, 1 << 30)
        os.pwrite(fd, struct.pack("<Q", 0x1234), (1 << 30) - 8)
        name = f"/proc/{os.getpid()}/fd/{fd}"
        write("a.dtb", tree(in_file(name, reg=pairs(HIGH, 1 << 30))))
        answer = dump("--dtb", "a.dtb", "--arch", "x86-64")
        os.close(fd)
        assert answer["written"] == "0x1000", answer
        assert words(HIGH + (1 << 30) - 8)[0] == [0x1234]

    def a_terminal_sees_how_far_it_is(self):
        write("ram", b"\5" * 0x4000)
        write("a.dtb", tree(in_file("ram")))
        done, seen = cli.run_on_terminal("machine", "dump", "--dtb", "a.dtb", "-o", "core", "--arch",
                                         "x86-64", "--json", stdout=subprocess.PIPE)
        assert b"\rcore: 100 %" in seen and seen.endswith(b"\r") and b"\n" not in seen, seen
        assert json.loads(done.stdout)["written"] == "0x4000"

    def a_terminal_gets_no_control_characters_of_a_name(self):
        write("ram", b"\5" * 0x4000)
        write("a.dtb", tree(in_file("ram")))
        done, seen = cli.run_on_terminal("machine", "dump", "--dtb", "a.dtb", "-o",
                                         "co\n\x1b[31mre", "--arch", "x86-64",
                                         stdout=subprocess.DEVNULL)
        assert done.returncode == 0, seen
        os.remove("co\n\x1b[31mre")
        assert b"\rco??[31mre: 100 %" in seen and b"\n" not in seen and b"\x1b" not in seen, seen

    def a_file_that_is_there_stays_unless_forced(self):
        write("ram", b"\5" * 0x4000)
        write("a.dtb", tree(in_file("ram")))
        write("core", b"old")
        make = ["machine", "dump", "--dtb", "a.dtb", "-o", "core", "--arch", "x86-64"]
        refused("core: exists, expected a new file, or --force", *make)
        with open("core", "rb") as file:
            assert file.read() == b"old"
        assert run(*make, "--force").returncode == 0
        assert os.stat("core").st_size == 0x5000
        assert stat.S_IMODE(os.stat("core").st_mode) == 0o600  # a guest's secrets

    def what_is_read_is_never_replaced(self):
        write("ram", b"\5" * 0x4000)
        write("a.dtb", tree(in_file("ram")))
        os.symlink("ram", "link")
        for core, expected in (("ram", "ram: is ram, expected another file"),
                               ("a.dtb", "a.dtb: is a.dtb, expected another file"),
                               ("link", "link: is no regular file"),
                               ("/dev/null", "/dev/null: is no regular file"),
                               (".", "is no regular file")):
            refused(expected, "machine", "dump", "--dtb", "a.dtb", "-o", core, "--force", "--arch",
                    "x86-64")
        assert os.stat("ram").st_size == 0x4000

    def bad_arguments_are_named(self):
        write("ram", b"\5" * 0x4000)
        write("a.dtb", tree(in_file("ram")))
        make = ["machine", "dump", "--dtb", "a.dtb", "-o", "core"]
        refused("--arch: a.dtb does not say it, expected x86-64, aarch64 or riscv64", *make)
        make += ["--arch", "x86-64"]
        refused('--arch: "arm", expected x86-64', *make[:-1], "arm")
        refused('--roles: "dim", expected roles such as ram or dimm; did you mean dimm', *make,
                "--roles", "ram,dim")
        refused('--roles: "", expected roles', *make, "--roles", "ram,")
        refused("a.dtb: no block has a role of --roles vram", *make, "--roles", "vram")
        refused("firmem: no/core: create: No such file", *make[:5], "no/core", *make[6:])
        refused("--output: is missing", *make[:3], "a.dtb", "--arch", "x86-64")

    def memory_that_no_file_stands_for_is_no_dump(self):
        write("a.dtb", tree(MEMORY, flash()))
        make = ["machine", "dump", "--dtb", "a.dtb", "-o", "core", "--arch", "aarch64"]
        refused("block memory@40000000: role ram: the tree names no file .*--ram FILE", *make)
        write("ram", b"\5" * 0x4000)
        refused("ram has 0x4000 bytes, expected at least 0x8000000", *make, "--ram", "ram")
        sparse("ram", 0x8001000)
        refused("--ram: ram has 0x8001000 bytes, expected the 0x8000000 of the memory nodes", *make,
                "--ram", "ram")
        sparse("ram", 0x8000000)
        refused("block flash@0: role flash-code: the tree names no file", *make, "--ram", "ram",
                "--roles", "ram,flash-code")
        refused("no such.*: open for reading: No such file", *make, "--ram", "no such")
        write("a.dtb", tree(memory("a", reg=pairs(0, 0x1000), backing=b"file\0", path=b"ram\0",
                                   host_device=b"")))
        refused("block a: role ram: the tree names no file", *make)

    def trees_that_lie_are_named(self):
        write("ram", b"\5" * 0x4000)
        make = ["machine", "dump", "--dtb", "a.dtb", "-o", "core", "--arch", "aarch64"]
        for node, expected in (
                (in_file("ram", reg=pairs(0, 0x5000)), "ram has 0x4000 bytes, expected at least"),
                (in_file("none"), "none: open for reading"),
                (in_file("."), r"a.dtb: /ram: "),
                (memory("a", reg=pairs(0, 0x1000), backing=b"file\0"), "path"),
                (memory("a", b"sram", reg=pairs(0, 0x1000)), '"sram", expected a role'),
                (in_file("ram", private=b"\0" * 8), "firmem,private: 8 bytes"),
                (in_file("ram", reg=pairs(0xfffffffffffff000, 0x4000)), "reg")):
            write("a.dtb", tree(node))
            refused(expected, *make)

    def a_full_disk_leaves_nothing(self):
        write("ram", b"\5" * 0x4000)
        write("a.dtb", tree(in_file("ram")))
        refused("core.*File too large", "machine", "dump", "--dtb", "a.dtb", "-o", "core", "--arch",
                "x86-64", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                                (0x2000, 0x2000)))

    def _while_it_runs(self, act):
        """Do act(process) once the dump is under way; its status and what its terminal showed.

        It tells its progress to the terminal, with a long name each time. That takes a few KiB which
        nobody has read, and so the dump cannot end before the act."""
        size = 24 << 20
        core = "core" * 60
        write("ram", b"\5" * size)
        write("a.dtb", tree(in_file("ram", reg=pairs(0, size))))
        outer, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 400, 0, 0))
        with subprocess.Popen([cli.FIRMEM, "machine", "dump", "--dtb", "a.dtb", "-o", core,
                               "--arch", "x86-64"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=inner) as process:
            os.close(inner)
            assert select.select([outer], [], [], cli.LIMIT)[0]
            assert [name for name in os.listdir(".") if name.endswith(".part")]
            act(process)
            seen = cli.shown(outer)
        if process.returncode == 0:
            os.unlink(core)
            raise Skip("this host's terminals hold the progress of a whole dump")
        assert sorted(os.listdir(".")) == ["a.dtb", "ram"]
        return process.returncode, seen.decode()

    def a_signal_leaves_nothing(self):
        status, seen = self._while_it_runs(lambda process: process.send_signal(signal.SIGTERM))
        assert status == 2 and re.search("core: given up by signal 15\r\n$", seen), (status, seen)

    def a_file_that_shrinks_leaves_nothing(self):
        status, seen = self._while_it_runs(lambda _: os.truncate("ram", 0))
        assert status == 2 and seen.count("firmem: ") == 1, (status, seen)
        assert seen.endswith("a file of the guest became shorter meanwhile, expected it to stay\r\n"), seen


class Live:
    """The memory of an unmodified QEMU that runs, with a value far above 4 GiB."""
    FILES = FILES
    VALUE = 0x1122334455667788

    def _run(self, program, machine, size, at, off, tree_of, *options):
        path = shutil.which(program)
        if not path:
            raise Skip(f"no {program} here")
        with Shared() as shared:
            ram = shared("ram")
            qemu = [path, "-machine", f"{machine},memory-backend=ram", "-m", f"{size >> 20}M",
                    "-object", f"memory-backend-file,id=ram,size={size >> 20}M,mem-path={ram},"
                    "share=on", "-display", "none", "-serial", "null", "-monitor", "null",
                    "-nodefaults", "-device",
                    f"loader,addr={at:#x},data={self.VALUE:#x},data-len=8", *options]
            with subprocess.Popen(qemu, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE) as process:
                try:
                    self._await(process, ram, off)
                    answer = tree_of(qemu, ram)
                finally:
                    process.terminate()
                    process.communicate(timeout=cli.LIMIT)
            return answer

    def _await(self, process, ram, off):
        end = time.monotonic() + cli.LIMIT
        while time.monotonic() < end and process.poll() is None:
            if os.path.exists(ram) and os.stat(ram).st_size > off:
                with open(ram, "rb") as file:
                    file.seek(off)
                    if file.read(8) == struct.pack("<Q", self.VALUE):
                        return
            time.sleep(0.05)
        raise AssertionError(f"no value in the guest: {process.poll()}")

    def _dumped(self, at, *options):
        answer = dump(*options)
        assert int(answer["written"], 16) < 256 << 20, answer
        text = tool("readelf", "-hln", "core")
        assert "arning" not in text and "rror" not in text, text
        return answer, words(at)

    def aarch64_virt_by_its_own_tree(self):
        size, at = 6 << 30, 0x1a0000000

        def tree_of(qemu, ram):
            # The same machine again, for its tree only: with memory of its own.
            machine = qemu[2].replace("memory-backend=ram", "dumpdtb=q.dtb")
            subprocess.run([qemu[0], "-machine", machine, "-cpu", "cortex-a57", "-m", qemu[4],
                            "-display", "none"], check=True, timeout=cli.LIMIT,
                           stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return self._dumped(at, "--dtb", "q.dtb", "--ram", ram)

        answer, (found, _) = self._run("qemu-system-aarch64", "virt", size, at, at - 0x40000000,
                                       tree_of, "-cpu", "cortex-a57")
        assert found == [self.VALUE] and answer["arch"] == "aarch64", answer
        assert parts(answer)[0] == ("memory@40000000", "included", "0x40000000", hex(size))

    def x86_q35_by_a_tree_of_ones_own(self):
        size, at = 5 << 30, HIGH + (2 << 30)

        def tree_of(_, ram):
            write("a.dtb", tree(in_file(ram, reg=pairs(0, LOW, HIGH, size - LOW), shared=b"")))
            return self._dumped(at, "--dtb", "a.dtb", "--arch", "x86-64")

        answer, (found, text) = self._run("qemu-system-x86_64", "q35", size, at, LOW + (2 << 30),
                                          tree_of)
        assert found == [self.VALUE] and "arning" not in text, text
        assert parts(answer) == [("ram", "included", "0x0", hex(LOW)),
                                 ("ram", "included", hex(HIGH), hex(size - LOW))], answer


GROUPS = {group.__name__.lower(): group for group in (Dump, Live)}

if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
