#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The program: its options, scripts and terminal."""
import ctypes
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import asm
from harness import BANK, LIMIT, OFF, Skip, digest, run_test, succeeded, test


def unread(pipe):
    """Bytes that a pipe holds."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), "little")


@test
def missing_options_are_named(bench):
    bench.refused(says=["--firmware", "missing"])
    bench.refused("--firmware", "x", says=["--vars", "missing"])
    bench.refused("--frimware", "x", says=["--frimware", "unknown"])
    bench.refused("--vars", says=["--vars", "argument missing"])
    bench.refused("--firmware", "x", "--vars", "y", "z", says=["z", "left over"])


@test
def vars_that_are_the_firmware_are_refused(bench):
    path = bench.blank()
    before = digest(path)
    bench.refused("--firmware", path, "--vars", path, says=["--vars", "the same file"])
    assert digest(path) == before


@test
def ram_sizes_out_of_bounds_are_refused(bench):
    for size in ("0", "15M", "17G", "-1", " -18446744073642442752", " 64M", "128Q", "", "0x",
                 "128MB", "99999999999999999999", "16777217"):
        bench.refused("--ram", size, says=["--ram", "16M to 16G"])
    assert bench.names() == []


@test
def ram_sizes_take_units_and_hex(bench):
    firmware = bench.file("guest.bin", asm.image(OFF))
    vars_file = bench.blank()
    for size in ("64M", "0064M", "0x4000000", "65536K", "67108864"):
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
def a_trace_over_another_file_of_the_board_is_refused_and_changes_nothing(bench):
    firmware = bench.file("guest.bin", asm.image(OFF))
    script = bench.file("guest.script", b"poweroff\n")
    vars_file = bench.blank()
    os.link(vars_file, bench.path("link"))
    before = [digest(name) for name in (firmware, script, vars_file)]
    for trace in (firmware, script, vars_file, bench.path("link")):
        bench.refused("--firmware", firmware, "--vars", vars_file, "--script", script, "--trace",
                      trace, says=["--trace", trace, "its own"])
    assert [digest(name) for name in (firmware, script, vars_file)] == before
    names = bench.names()
    bench.refused("--firmware", firmware, "--vars", bench.path("new.fd"), "--create", "--trace",
                  bench.path("new.fd"), says=["--trace", "new.fd"])
    # Its journal has a name even where there is none yet.
    for journal in ((), ("--journal", bench.path("other"))):
        trace = journal[-1] if journal else bench.path("vars.fd.journal")
        bench.refused("--firmware", firmware, "--vars", bench.path("vars.fd"), *journal, "--trace",
                      trace, says=["--trace", trace, "its own"])
    bench.refused("--firmware", firmware, "--vars", bench.path("no.fd"), "--trace",
                  bench.path("new.log"), says=["no.fd"])
    assert bench.names() == names


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
def modes_intervals_and_journals_are_checked(bench):
    firmware, vars_file = bench.file("firmware", b"x"), bench.blank()
    for options, says in ((("--mode", "fast"), "--mode: fast, expected behind, through or none"),
                          (("--mode", "none", "--create"), "--create: given with --mode none"),
                          (("--interval", "0"), "--interval: 0, expected 1 to 3600000"),
                          (("--interval", "soon"), "--interval: soon, expected 1 to 3600000"),
                          (("--journal", vars_file), vars_file),
                          (("--journal", firmware), "firmware: 1 bytes, expected a journal's")):
        bench.refused("--firmware", firmware, "--vars", vars_file, *options, says=[says])
    assert bench.names() == ["firmware", "vars.fd"], bench.names()


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
    # An idle guest's hour is not waited for.
    text = "\ntimeout 3600\nexpect \"hello\"\n"
    done = bench.guest(waits, text)
    assert done.returncode == 1, done.stderr
    assert re.fullmatch(r'firmem-board: \S*guest.script:3: expect "hello": not seen in 3600 s of '
                        r'guest time; last output "h"\n', done.stderr.decode()), done.stderr
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
    try:
        master, slave = pty.openpty()
    except OSError as why:
        raise Skip(f"the host gives no terminal: {why}") from None
    before = termios.tcgetattr(slave)
    options = ["--firmware", bench.file("guest.bin", asm.image(asm.echo())),
               "--vars", bench.blank()]
    with subprocess.Popen([bench.program, *options], stdin=slave, stdout=slave,
                          stderr=slave) as board:
        def until(text):
            seen = b""
            while text not in seen:
                assert select.select([master], [], [], LIMIT)[0], seen
                seen += os.read(master, 100)
        deadline = time.monotonic() + LIMIT
        while termios.tcgetattr(slave)[3] & termios.ICANON and time.monotonic() < deadline:
            time.sleep(0.01)
        os.write(master, b"a\x03b\x01\x01c")  # Ctrl-C is the guest's; Ctrl-A twice is one
        until(b"a\x03b\x01c")
        os.write(master, b"\x01x")
        assert board.wait(LIMIT) == 0
    assert termios.tcgetattr(slave) == before


@test
def a_signal_ends_it_and_is_passed_on(bench):
    script = bench.file("hold.script", b"hold\n")
    with subprocess.Popen([bench.program, "--firmware",
                           bench.file("guest.bin", asm.image(asm.jump(0))), "--vars", bench.blank(),
                           "--script", script], stderr=subprocess.PIPE) as board:
        assert b"holding" in board.stderr.readline()
        board.send_signal(signal.SIGTERM)
        assert board.wait(LIMIT) == -signal.SIGTERM


@test
def a_signal_ends_it_when_nobody_reads_its_output(bench):
    # The guest prints for ever, until the pipe takes no more.
    guest = asm.put("x")
    guest += asm.jump(-len(guest))
    with subprocess.Popen([bench.program, "--firmware", bench.file("guest.bin", asm.image(guest)),
                           "--vars", bench.blank()], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as board:
        before = -1
        while before < (now := unread(board.stdout)) or not now:
            before = now
            time.sleep(0.5)
        board.send_signal(signal.SIGTERM)
        try:
            assert board.wait(LIMIT) == -signal.SIGTERM
        finally:
            board.kill()


@test
def standard_output_that_is_full_is_trouble(bench):
    guest = asm.put("x") + OFF
    with open("/dev/full", "wb") as full:
        done = subprocess.run([bench.program, "--firmware", bench.file("g.bin", asm.image(guest)),
                               "--vars", bench.blank()], stdin=subprocess.DEVNULL, stdout=full,
                              stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2 and b"standard output" in done.stderr, done.stderr


if __name__ == "__main__":
    run_test()
