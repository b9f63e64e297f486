#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the example board: board.py PROGRAM TEST; each test is a function below."""
import ctypes
import hashlib
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

import asm

BANK = 64 << 20
UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
UEFI_CODE = "/usr/share/AAVMF/AAVMF_CODE.fd"
UEFI_VARS = "/usr/share/AAVMF/AAVMF_VARS.fd"
TESTS = {}


class Skip(Exception):
    pass


def test(function):
    TESTS[function.__name__] = function
    return function


def need(path, package):
    if not os.path.exists(path):
        raise Skip(f"{path} is not there (Debian package {package})")
    return path


class Bench:
    """A folder, and the board in it."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, data=b""):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def names(self):
        return sorted(os.listdir(self.folder))

    def blank(self, name="vars.fd"):
        return self.file(name, b"\xff" * BANK)

    def run(self, *options, limit=60, **keywords):
        return subprocess.run([self.program, *options], stdin=subprocess.DEVNULL, timeout=limit,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              **keywords)

    def refused(self, *options, says, status=2, **keywords):
        """It ends with one line on stderr that holds each of `says`."""
        done = self.run(*options, **keywords)
        text = done.stderr.decode()
        assert done.returncode == status, (done.returncode, text)
        assert re.fullmatch(r"firmem-board: [^\n]+\n", text), text
        for part in says:
            assert part in text, (part, text)
        return text

    def guest(self, code, script, *options, at=None, vars_file=None, **keywords):
        """Run a guest of ours against a script."""
        return self.run("--firmware", self.file("guest.bin", asm.image(code, at)),
                        "--vars", vars_file or self.blank(), "--script",
                        self.file("guest.script", script.encode()), *options, **keywords)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def succeeded(done):
    assert done.returncode == 0, (done.returncode, done.stdout[-500:], done.stderr[-500:])
    return done


def instructions(done):
    return [line.split(" instructions ")[1].split(" ")[0]
            for line in done.stderr.decode().splitlines() if " instructions " in line]


OFF = asm.psci(asm.PSCI_OFF)

# --- bad input ---------------------------------------------------------------------------------


@test
def missing_options_are_named(bench):
    bench.refused(says=["--firmware", "missing"])
    bench.refused("--firmware", "x", says=["--vars", "missing"])
    bench.refused("--frimware", "x", says=["--frimware", "unknown"])
    bench.refused("--vars", says=["--vars", "argument missing"])
    bench.refused("--firmware", "x", "--vars", "y", "z", says=["z", "left over"])


@test
def ram_sizes_out_of_bounds_are_refused(bench):
    for size in ("0", "15M", "17G", "-1", "128Q", "", "0x", "128MB", "99999999999999999999", "16777217"):
        bench.refused("--ram", size, says=["--ram", "16M to 16G"])
    assert bench.names() == []


@test
def ram_sizes_take_units_and_hex(bench):
    firmware = bench.file("guest.bin", asm.image(OFF))
    vars_file = bench.blank()
    for size in ("64M", "0x4000000", "65536K", "67108864"):
        done = bench.run("--firmware", firmware, "--vars", vars_file, "--ram", size, "--machine")
        assert re.search(r"^ram +ram +anon +0x40000000 +64 MiB$", succeeded(done).stdout.decode(),
                         re.M), done.stdout


@test
def firmware_that_cannot_be_is_refused_and_no_vars_are_made(bench):
    sizes = {"empty.bin": 0, "large.bin": BANK + 1}
    for name, size in sizes.items():
        with open(bench.path(name), "wb") as file:
            file.truncate(size)
    for name in ("absent.bin", *sizes):
        bench.refused("--firmware", bench.path(name), "--vars", bench.path("vars.fd"), "--create",
                      says=[name])
    bench.refused("--firmware", bench.folder, "--vars", bench.path("vars.fd"), "--create",
                  says=[bench.folder])
    assert bench.names() == sorted(sizes)


@test
def firmware_of_the_whole_bank_is_taken(bench):
    code = asm.image(asm.put("k") + OFF)
    firmware = bench.file("full.bin", code + b"\xff" * (BANK - len(code)))
    done = succeeded(bench.run("--firmware", firmware, "--vars", bench.blank()))
    assert done.stdout == b"k"


@test
def vars_of_the_wrong_size_are_refused_and_kept(bench):
    firmware = bench.file("guest.bin", asm.image(OFF))
    for size in (0, 1, BANK - 1, BANK + 1):
        vars_file = bench.file("vars.fd", b"\xa5" * size)
        before = digest(vars_file)
        for create in ([], ["--create"]):
            bench.refused("--firmware", firmware, "--vars", vars_file, *create,
                          says=["vars.fd", str(size), str(BANK)])
        assert digest(vars_file) == before


@test
def absent_vars_are_refused_unless_they_shall_be_made(bench):
    firmware = bench.file("guest.bin", asm.image(OFF))
    options = ("--firmware", firmware, "--vars", bench.path("vars.fd"))
    bench.refused(*options, says=["vars.fd"])
    assert bench.names() == ["guest.bin"]
    succeeded(bench.run(*options, "--create"))
    with open(bench.path("vars.fd"), "rb") as file:
        assert file.read() == b"\xff" * BANK
    bench.refused("--firmware", firmware, "--vars", bench.path("no/vars.fd"), "--create",
                  says=["no/vars.fd"])


def without_override():
    """So that permissions mean something to root too: PR_CAPBSET_DROP, CAP_DAC_OVERRIDE."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


@test
def read_only_vars_are_refused_and_kept(bench):
    vars_file = bench.blank()
    os.chmod(vars_file, 0o444)
    probe = subprocess.run(["sh", "-c", f": 2>/dev/null >>'{vars_file}'"], check=False,
                           stderr=subprocess.DEVNULL, preexec_fn=without_override)
    if probe.returncode == 0:
        raise Skip("this user may write read-only files")
    before = os.stat(vars_file)
    bench.refused("--firmware", bench.file("guest.bin", asm.image(OFF)), "--vars", vars_file,
                  "--create", says=["vars.fd"], preexec_fn=without_override)
    after = os.stat(vars_file)
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


@test
def a_trace_that_cannot_be_written_is_refused_before_vars_are_made(bench):
    bench.refused("--firmware", bench.file("guest.bin", asm.image(OFF)), "--vars",
                  bench.path("vars.fd"), "--create", "--trace", bench.path("no/trace"),
                  says=["no/trace"])
    assert bench.names() == ["guest.bin"]


@test
def bad_scripts_are_refused_with_their_line(bench):
    firmware = bench.file("guest.bin", asm.image(OFF))
    cases = {
        "expct \"x\"": ":1: ", "\n\nexpect x": ":3: ", "# y\nexpect \"x": ":2: ",
        "expect \"\"": "1 byte", "send \"\\q\"": "\\xHH", "send \"\\x1\"": "\\xHH",
        "expect \"" + "x" * 256 + "\"": "255", "timeout": "seconds", "timeout 0": "seconds",
        "timeout -5": "seconds", "timeout 86401": "seconds", "timeout 9x": "end of the line",
        "quit now": "end of the line", "quit\nsend \"x\"": ":2: ", "": "no steps",
        "# nothing\n": "no steps", "send \"\0\"": "NUL",
    }
    for text, says in cases.items():
        script = bench.file("bad.script", text.encode())
        bench.refused("--firmware", firmware, "--vars", bench.path("vars.fd"), "--create",
                      "--script", script, says=["bad.script", says])
    bench.refused("--firmware", firmware, "--vars", bench.path("vars.fd"), "--create", "--script",
                  bench.path("absent.script"), says=["absent.script"])
    assert "vars.fd" not in bench.names()


@test
def a_second_board_on_the_same_vars_is_refused(bench):
    firmware = bench.file("guest.bin", asm.image(asm.jump(0)))
    script = bench.file("hold.script", b"hold\n")
    vars_file = bench.blank()
    options = ("--firmware", firmware, "--vars", vars_file, "--script", script)
    with subprocess.Popen([bench.program, *options], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as first:
        assert b"holding" in first.stderr.readline()
        bench.refused(*options, says=["vars.fd"])
        first.kill()


# --- scripts -----------------------------------------------------------------------------------


@test
def an_answer_that_does_not_come_is_a_no_with_its_line(bench):
    waits = asm.put("h") + [asm.WFI] + asm.jump(-1)
    text = "\ntimeout 7\nexpect \"hello\"\n"
    began = time.monotonic()
    done = bench.guest(waits, text)
    assert done.returncode == 1, done.stderr
    assert re.fullmatch(r'firmem-board: \S*guest.script:3: expect "hello": not seen in 7 s of '
                        r'guest time; last output "h"\n', done.stderr.decode()), done.stderr
    assert time.monotonic() - began < 7, "an idle guest's time is not waited for"
    done = bench.guest(asm.jump(0), "timeout 1\nexpect \"x\"\n")
    assert done.returncode == 1 and b"not seen in 1 s" in done.stderr, done.stderr


@test
def a_power_off_is_a_success_only_when_nothing_is_left_to_expect(bench):
    guest = asm.put("a") + OFF
    succeeded(bench.guest(guest, "expect \"a\"\npoweroff\n"))
    done = bench.guest(guest, "expect \"b\"\n")
    assert done.returncode == 1 and b":1: " in done.stderr and b"powered off" in done.stderr
    done = bench.guest(asm.put("a") + asm.jump(0), "timeout 1\nexpect \"a\"\npoweroff\n")
    assert done.returncode == 1 and b":3: poweroff" in done.stderr, done.stderr


@test
def every_escape_reaches_the_guest(bench):
    text = r"\n\r\t\e\0\\\"\x7f\xff plain # text"
    done = bench.guest(asm.echo(), f'send "{text}" # a comment\nexpect "{text}"\n')
    assert succeeded(done).stdout == b"\n\r\t\x1b\0\\\"\x7f\xff plain # text"


@test
def a_reset_runs_the_firmware_again_with_ram_kept(bench):
    # The first time the word in RAM is 0, the second time it is 'B'.
    guest = asm.mov(2, 0x41000000) + asm.load(3, 2) + asm.mov(4, ord("B")) + asm.store(4, 2) + \
        asm.mov(0, asm.UART) + asm.mov(5, ord(".")) + asm.store(5, 0) + asm.store(3, 0) + \
        asm.jump_if(3, 5) + asm.psci(asm.PSCI_RESET) + [asm.WFI] + OFF
    done = bench.guest(guest, "expect \".B\"\npoweroff\n", "--stats")
    assert succeeded(done).stdout == b".\0.B"
    assert b" resets 1 " in done.stderr


# --- accesses ------------------------------------------------------------------------------------

BOTH = 0x00010001  # the same command to both chips


def to_flash(command, offset=0):
    """Store a command to the bank at x2."""
    return asm.mov(3, command * BOTH) + asm.store(3, 2, offset)


@test
def a_command_is_seen_by_the_next_load_of_the_same_block(bench):
    # One block of code: the bank is mapped when it starts and must not be after the store.
    guest = asm.mov(2, asm.VARS) + asm.mov(0, asm.UART) + asm.load(4, 2) + to_flash(0x70) + \
        asm.load(5, 2) + to_flash(0xFF) + asm.load(6, 2) + \
        sum((asm.shift_right(1, r, s) + asm.store(1, 0) for r in (4, 5, 6) for s in (0, 8, 16, 24)),
            []) + OFF
    done = succeeded(bench.guest(guest, "poweroff\n"))
    assert done.stdout == b"\xff\xff\xff\xff" b"\x80\0\x80\0" b"\xff\xff\xff\xff", done.stdout


@test
def a_bank_that_is_read_much_is_mapped_again_and_stays_exact(bench):
    # The bank starts trapped, is given in the loop, and is taken away at the second command.
    status = to_flash(0x70) + asm.load(1, 2) + asm.store(1, 0)
    guest = asm.mov(2, asm.VARS) + asm.mov(0, asm.UART) + status + to_flash(0xFF) + \
        asm.mov(7, 300000) + asm.load(6, 2) + asm.decrement(7) + asm.jump_if(7, -2) + \
        asm.load(1, 2) + asm.store(1, 0) + status + OFF
    done = succeeded(bench.guest(guest, "poweroff\n", "--stats"))
    assert done.stdout == b"\x80\xff\x80", done.stdout
    assert b" remaps 2\n" in done.stderr, done.stderr
    trapped = int(re.search(rb" trapped_reads (\d+) ", done.stderr)[1])
    assert 10000 < trapped < 100000, done.stderr


@test
def stores_to_ram_are_right_in_every_width_and_alignment(bench):
    guest = asm.mov(0, asm.UART) + asm.mov(3, 0x44434241) + asm.mov(4, 0x48474645) + asm.join(3, 4)
    expected = b""
    for address in (0x41000100, 0x41000103, 0x41000FFE):  # the last: across a page border
        guest += asm.mov(2, address)
        for word, text in ((asm.STRB, b"A000000"), (asm.STRH, b"AB00000"), (asm.STR, b"ABCD000"),
                           (asm.STR64, b"ABCDEFG"), (asm.STP64 | 3 << 10, b"ABCDEFG")):
            guest += asm.mov(5, 0x30303030) + asm.join(5, 5) + [asm.STR64 | 2 << 5 | 5]
            guest += [word | 2 << 5 | 3]
            for i in range(7):
                guest += asm.load_byte(1, 2, i) + asm.store(1, 0)
            expected += text
    done = succeeded(bench.guest(guest + OFF, "poweroff\n"))
    assert done.stdout == expected, done.stdout


@test
def code_in_ram_sees_the_stores_beside_it_and_over_it(bench):
    """A routine is stored to RAM and called; it changes a word of its own page, reads it back and
    prints it; then it is overwritten by another one and called again."""
    routine = asm.store(3, 2, 0x80) + asm.load(1, 2, 0x80) + asm.store(1, 0) + [asm.RET]
    other = asm.load(1, 2, 0x80) + asm.store(1, 0) + asm.store(1, 0) + [asm.RET]

    def put(words):
        return sum((asm.mov(1, word) + asm.store(1, 2, 4 * i) for i, word in enumerate(words)), [])

    for address in (0x41000F00, asm.RAM + (129 << 20) - 0x100):  # the last MiB is an odd one
        guest = asm.mov(0, asm.UART) + asm.mov(2, address) + asm.mov(3, ord("n")) + \
            put(routine) + [asm.BLR | 2 << 5] + asm.mov(3, ord("m")) + [asm.BLR | 2 << 5] + \
            put(other) + [asm.BLR | 2 << 5] + OFF
        done = succeeded(bench.guest(guest, "poweroff\n", "--ram", "129M"))
        assert done.stdout == b"nmmm", done.stdout


@test
def each_store_reaches_the_flash_once(bench):
    # 70: status; then, with the bank trapped, a pair of stores, a repeat, and back to the array.
    guest = asm.mov(2, asm.VARS) + to_flash(0x70) + asm.mov(3, 0x70 * BOTH) + \
        asm.mov(4, 0x90 * BOTH) + asm.store_pair(3, 4, 2) + asm.store(3, 2, 8) + to_flash(0xFF, 12)
    trace = bench.path("trace")
    succeeded(bench.guest(guest * 2 + OFF, "poweroff\n", "--trace", trace))
    with open(trace, encoding="ascii") as file:
        stores = re.findall(r"^vars +write +off (\w+) size (\d) value (\w+)", file.read(), re.M)
    once = [(0, 0x70), (0, 0x70), (4, 0x90), (8, 0x70), (12, 0xFF)]
    assert [(int(o, 16), int(s), int(v, 16)) for o, s, v in stores] == \
        [(o, 4, v * BOTH) for o, v in once * 2], stores


@test
def a_program_is_in_the_image_when_the_process_is_killed(bench):
    guest = asm.mov(2, asm.VARS) + to_flash(0x40, 0x100) + asm.mov(3, 0x12345678) + \
        asm.store(3, 2, 0x100) + to_flash(0xFF) + asm.put("!") + asm.jump(0)
    vars_file = bench.blank()
    with subprocess.Popen([bench.program, "--firmware", bench.file("guest.bin", asm.image(guest)),
                           "--vars", vars_file, "--script",
                           bench.file("hold.script", b"expect \"!\"\nhold\n")],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as board:
        assert b"holding" in board.stderr.readline()
        board.kill()
    with open(vars_file, "rb") as file:
        content = file.read()
    assert content[0x100:0x104] == b"\x78\x56\x34\x12"
    assert content[:0x100] == b"\xff" * 0x100 and content[0x104:] == b"\xff" * (BANK - 0x104)


def small_files_only():
    """What is beyond 32 MiB of a file cannot be written: EFBIG, and no signal."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BANK // 2, BANK // 2))


@test
def a_write_that_the_host_refuses_is_told_once_and_ends_in_trouble(bench):
    guest = asm.mov(2, asm.VARS + BANK - 0x1000) + 2 * (to_flash(0x40) + asm.mov(3, 0x12345678) +
                                                        asm.store(3, 2)) + asm.put("!") + OFF
    done = bench.guest(guest, "expect \"!\"\npoweroff\n", preexec_fn=small_files_only)
    text = done.stderr.decode()
    assert done.returncode == 2 and done.stdout == b"!", (done.returncode, done.stdout, text)
    assert re.fullmatch(r"firmem-board: [^\n]*vars\.fd[^\n]*\n", text), text


@test
def the_code_bank_drops_stores_and_programs(bench):
    # The code runs in that bank: it is back in read-array before the block ends.
    guest = asm.mov(2, 0x02000000) + asm.mov(0, asm.UART) + \
        asm.mov(3, 0x12345678) + asm.store(3, 2, 0x100) + asm.load(1, 2, 0x100) + asm.store(1, 0) + \
        to_flash(0x40) + asm.mov(3, 0) + asm.store(3, 2, 0x200) + to_flash(0x50) + to_flash(0xFF) + \
        asm.load(1, 2, 0x200) + asm.store(1, 0) + OFF
    done = bench.guest(guest, "poweroff\n")
    assert succeeded(done).stdout == b"\xff\xff", done.stdout


@test
def timer_interrupts_wake_the_guest(bench):
    ticks = 625000  # 10 ms of 62.5 MHz, most of it slept through
    program = asm.mov(0, 0x800) + asm.to_system(asm.VBAR_EL1, 0) + \
        asm.mov(2, asm.GICD) + asm.mov(1, 1) + asm.store(1, 2) + \
        asm.mov(1, 1 << 27) + asm.store(1, 2, 0x100) + \
        asm.mov(3, asm.GICC) + asm.mov(1, 0xFF) + asm.store(1, 3, 4) + \
        asm.mov(1, 1) + asm.store(1, 3) + \
        asm.mov(1, ticks) + asm.to_system(asm.CNTV_TVAL, 1) + \
        asm.mov(1, 1) + asm.to_system(asm.CNTV_CTL, 1) + [asm.UNMASK_IRQ] + asm.put("<") + \
        [asm.WFI] + asm.put("=") + [asm.WFI] + asm.put(">") + OFF
    # Acknowledge twice: the number, then 1023; set the timer again; end the interrupt.
    handler = asm.mov(0, asm.UART) + asm.load(4, 3, 0xC) + asm.store(4, 0) + \
        asm.load(5, 3, 0xC) + asm.store(5, 0) + asm.mov(1, ticks) + \
        asm.to_system(asm.CNTV_TVAL, 1) + asm.store(4, 3, 0x10) + [asm.ERET]
    done = succeeded(bench.guest(program, "poweroff\n", "--stats", at={0xA80: handler}))
    assert done.stdout == b"<\x1b\xff=\x1b\xff>", done.stdout
    assert b" interrupts 2 " in done.stderr, done.stderr
    assert re.search(rb" guest_ms 20\.\d+ ", done.stderr), done.stderr
    assert int(instructions(done)[-1]) == len(program) + 2 * len(handler), done.stderr


@test
def a_guest_that_goes_astray_is_a_no_that_says_where(bench):
    nowhere = asm.mov(0, 0x20000000)
    cases = {"load of 4 bytes at 0x20000000": nowhere + asm.load(1, 0),
             "store of 4 bytes at 0x20000000": nowhere + asm.store(1, 0),
             "guest: ": [0x00000000]}
    for says, code in cases.items():
        done = bench.guest(code, "timeout 5\nexpect \"x\"\n")
        assert done.returncode == 1, (says, done.returncode, done.stderr)
        assert re.fullmatch(r"firmem-board: guest: [^\n]+\n", done.stderr.decode()), done.stderr
        assert says in done.stderr.decode(), done.stderr


# --- what is around ------------------------------------------------------------------------------


@test
def the_machine_is_shown_as_a_table(bench):
    done = succeeded(bench.run("--firmware", bench.file("guest.bin", asm.image(OFF)), "--vars",
                               bench.blank(), "--machine"))
    assert [line.split() for line in done.stdout.decode().splitlines()] == [
        ["BLOCK", "ROLE", "BACKING", "ADDRESS", "SIZE"],
        ["code", "flash-code", "adopted", "0x00000000", "64", "MiB"],
        ["vars", "flash-vars", "adopted", "0x04000000", "64", "MiB"],
        ["ram", "ram", "anon", "0x40000000", "128", "MiB"]], done.stdout


@test
def a_terminal_is_raw_until_ctrl_a_x(bench):
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    options = ["--firmware", bench.file("guest.bin", asm.image(asm.echo())), "--vars", bench.blank()]
    with subprocess.Popen([bench.program, *options], stdin=slave, stdout=slave,
                          stderr=slave) as board:
        def until(text):
            seen = b""
            while text not in seen:
                assert select.select([master], [], [], 20)[0], seen
                seen += os.read(master, 100)
        deadline = time.monotonic() + 20
        while termios.tcgetattr(slave)[3] & termios.ICANON and time.monotonic() < deadline:
            time.sleep(0.01)
        os.write(master, b"a\x03b\x01\x01c")  # Ctrl-C is the guest's; Ctrl-A twice is one
        until(b"a\x03b\x01c")
        os.write(master, b"\x01x")
        assert board.wait(20) == 0
    assert termios.tcgetattr(slave) == before


@test
def a_signal_ends_it_and_is_passed_on(bench):
    script = bench.file("hold.script", b"hold\n")
    with subprocess.Popen([bench.program, "--firmware",
                           bench.file("guest.bin", asm.image(asm.jump(0))), "--vars", bench.blank(),
                           "--script", script], stderr=subprocess.PIPE) as board:
        assert b"holding" in board.stderr.readline()
        board.send_signal(signal.SIGTERM)
        assert board.wait(20) == -signal.SIGTERM


@test
def standard_output_that_is_full_is_trouble(bench):
    guest = asm.put("x") + OFF
    with open("/dev/full", "wb") as full:
        done = subprocess.run([bench.program, "--firmware", bench.file("g.bin", asm.image(guest)),
                               "--vars", bench.blank()], stdin=subprocess.DEVNULL, stdout=full,
                              stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2 and b"standard output" in done.stderr, done.stderr


# --- real firmware ---------------------------------------------------------------------------

PROMPT = 'timeout 60\nexpect "Hit any key to stop autoboot"\nsend " "\nexpect "=> "\n'


def boot_uboot(bench, script, *options, vars_file=None, **keywords):
    return bench.run("--firmware", need(UBOOT, "u-boot-qemu"), "--vars", vars_file or
                     bench.path("vars.fd"), "--create", "--script",
                     bench.file("uboot.script", (PROMPT + script).encode()), *options, **keywords)


@test
def uboot_finds_both_banks_and_keeps_its_environment_over_a_reset(bench):
    bank = 'expect "CFI conformant flash (32 x 16)  Size: 64 MB in 256 Sectors"\n'
    done = boot_uboot(bench, 'send "flinfo\\n"\n' + 2 * bank + 'expect "=> "\n'
                      'send "setenv firmem kept\\n"\nexpect "=> "\nsend "saveenv\\n"\n'
                      'expect "OK"\nexpect "=> "\nsend "reset\\n"\n'
                      'expect "Loading Environment from Flash... OK"\n'
                      'expect "stop autoboot"\nsend " "\nexpect "=> "\n'
                      'send "printenv firmem\\n"\nexpect "firmem=kept"\nexpect "=> "\n'
                      'send "poweroff\\n"\npoweroff\n')
    succeeded(done)


@test
def uboot_runs_on_the_hosts_time(bench):
    began = time.monotonic()
    done = boot_uboot(bench, 'send "sleep 1\\n"\nexpect "=> "\nsend "poweroff\\n"\npoweroff\n',
                      "--host-time")
    succeeded(done)
    assert time.monotonic() - began >= 1


@test
def uboot_can_be_typed_to_through_a_pipe(bench):
    need(UBOOT, "u-boot-qemu")
    with subprocess.Popen([bench.program, "--firmware", UBOOT, "--vars", bench.path("vars.fd"),
                           "--create"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as board:
        seen = b""
        for wait_for, answer in ((b"autoboot", b"\r"), (b"=> ", b"poweroff\r")):
            while wait_for not in seen:
                data = os.read(board.stdout.fileno(), 4096)
                assert data, seen
                seen += data
            board.stdin.write(answer)
            board.stdin.flush()
        board.stdout.read()
        assert board.wait(60) == 0


def twice(bench, run):
    """Two runs from the same image: the same instructions, console, image, trace."""
    results = []
    for number in ("1", "2"):
        vars_file, trace = bench.path("vars" + number), bench.path("trace" + number)
        done = succeeded(run(vars_file, ("--stats", "--trace", trace)))
        results.append((instructions(done), done.stdout, digest(vars_file), digest(trace)))
    for what, first, second in zip(("instructions", "console", "image", "trace"), *results):
        assert first == second, (what, first, second)
    assert len(results[0][0]) > 3 and int(results[0][0][-1]) > 10000000, results[0][0]


@test
def two_runs_of_uboot_are_identical(bench):
    script = ('send "erase 0x04100000 0x041fffff\\n"\nexpect "Erased 4 sectors"\nexpect "=> "\n'
              'send "cp.b 0 0x04100000 0x100000\\n"\nexpect "done"\nexpect "=> "\n'
              'send "cmp.b 0 0x04100000 0x100000\\n"\nexpect "were the same"\nexpect "=> "\n'
              'send "setenv firmem kept\\n"\nexpect "=> "\nsend "saveenv\\n"\nexpect "OK"\n'
              'expect "=> "\nsend "reset\\n"\nexpect "stop autoboot"\nsend " "\nexpect "=> "\n'
              'quit\n')
    twice(bench, lambda vars_file, options: boot_uboot(bench, script, *options,
                                                       vars_file=vars_file))


@test
def two_runs_of_edk2_are_identical(bench):
    need(UEFI_CODE, "qemu-efi-aarch64")
    guid = "6d656d66-6972-4d45-8d00-000000000001"
    script = bench.file("uefi.script", f'''timeout 600
expect "Shell> "
send "setvar firmem -guid {guid} -nv -rt -bs =0x11 =0x22\\r"
expect "Shell> "
send "reset\\r"
expect "UEFI Interactive Shell"
expect "Shell> "
send "setvar firmem -guid {guid}\\r"
expect "11 22"
expect "Shell> "
send "reset -s\\r"
poweroff
'''.encode())

    def run(vars_file, options):
        with open(UEFI_VARS, "rb") as source, open(vars_file, "wb") as copy:
            copy.write(source.read())
        return bench.run("--firmware", UEFI_CODE, "--vars", vars_file, "--script", script,
                         *options, limit=600)

    twice(bench, run)


# --- the demo ------------------------------------------------------------------------------------


def demo(bench, *options, **environment):
    """Run it with a temporary folder of ours; nothing may be left behind."""
    need(UBOOT, "u-boot-qemu")
    need(UEFI_CODE, "qemu-efi-aarch64")
    script = os.path.join(os.environ["FIRMEM_SOURCE"], "examples", "demo", "demo.sh")
    done = subprocess.run([script, *options, os.environ["FIRMEM_BUILD"]], text=True, check=False,
                          env={**os.environ, "TMPDIR": bench.folder, **environment}, timeout=600,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert not [name for name in bench.names() if name.startswith("firmem-demo")], bench.names()
    assert "\033" not in done.stdout, "colours are for terminals"
    return done


@test
def the_demo_of_uboot_holds(bench):
    done = demo(bench, "--only", "uboot")
    assert done.returncode == 0 and "All 10 checks hold." in done.stdout, done.stdout


@test
def the_demo_of_edk2_holds(bench):
    done = demo(bench, "--only", "uefi")
    assert done.returncode == 0 and "All 3 checks hold." in done.stdout, done.stdout


@test
def a_demo_that_is_not_so_fails(bench):
    """With a sed(1) that tells the second process to expect another value."""
    counter = bench.path("counter")
    os.mkdir(bench.path("bin"))
    sed = bench.file("bin/sed", f"""#!/bin/sh
case $1 in
*@VALUE@*)
	echo >>{counter}
	[ "$(wc -l <{counter})" -lt 2 ] || exec {shutil.which("sed")} "s/@VALUE@/other/g" "$2"
	;;
esac
exec {shutil.which("sed")} "$@"
""".encode())
    os.chmod(sed, 0o755)
    done = demo(bench, "--only", "uboot", PATH=bench.path("bin") + ":" + os.environ["PATH"])
    assert done.returncode == 1 and "NOT SO" in done.stdout, done.stdout


def main(program, name):
    with tempfile.TemporaryDirectory(prefix="firmem-board-") as folder:
        try:
            TESTS[name](Bench(os.path.abspath(program), folder))
        except Skip as why:
            print(f"skipped: {why}")
            return 77
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
