#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's U-Boot and edk2 on the board, and the demo."""
import json
import os
import random
import re
import select
import shutil
import subprocess
import time

from harness import digest, instructions, need, run_test, succeeded, test


UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
UEFI_CODE = "/usr/share/AAVMF/AAVMF_CODE.fd"
UEFI_VARS = "/usr/share/AAVMF/AAVMF_VARS.fd"

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
def uboot_polls_chips_that_take_their_time(bench):
    done = boot_uboot(bench, 'send "erase 0x04100000 +40000; cp.b 0 0x04100000 20000\\n"\n'
                      'expect "Erased 1 sectors"\nexpect "done"\nexpect "=> "\n'
                      'send "cmp.b 0 0x04100000 20000\\n"\n'
                      'expect "Total of 131072 byte(s) were the same"\nexpect "=> "\n'
                      'send "setenv firmem slow; saveenv\\n"\nexpect "OK"\nexpect "=> "\n'
                      'send "reset\\n"\nexpect "stop autoboot"\nsend " "\nexpect "=> "\n'
                      'send "printenv firmem\\n"\nexpect "firmem=slow"\nexpect "=> "\n'
                      'send "poweroff\\n"\npoweroff\n', "--flash-time", "typical", "--stats")
    succeeded(done)
    guest_ms = float(re.search(rb" guest_ms ([0-9.]+) ", done.stderr)[1])
    assert guest_ms > 2 * 1024, done.stderr  # two erases of 2^10 ms


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


class Typed:
    """U-Boot at its prompt, typed to through a pipe."""

    def __init__(self, bench, *options):
        self.process = subprocess.Popen(
            [bench.program, "--firmware", UBOOT, "--vars", bench.path("vars.fd"), "--create",
             *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seen = b""
        self.wait(b"autoboot", 60)
        self.type("")
        self.wait(b"=> ", 60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\r")
        self.process.stdin.flush()

    def read(self, seconds):
        if select.select([self.process.stdout], [], [], seconds)[0]:
            data = os.read(self.process.stdout.fileno(), 65536)
            self.seen += data
            return bool(data)
        return False

    def wait(self, text, seconds):
        while text not in self.seen:
            assert self.read(seconds), self.seen


def kill_while_it_writes(bench, number, lucky):
    """One boot: words are written one after the other, each is told; then SIGKILL. Those told."""
    places = [0x04800000 + 0x10000 * number + 4 * i for i in range(100)]
    with Typed(bench) as uboot:
        for first in range(0, len(places), 20):
            some = " ".join(f"{place:x}" for place in places[first:first + 20])
            uboot.type(f"for a in {some}; do cp.b 0 $a 4; echo told $a; done")
        uboot.wait(b"\ntold ", 60)
        end = time.monotonic() + lucky
        while (left := end - time.monotonic()) > 0 and uboot.read(left):
            pass
        uboot.process.kill()
        while uboot.read(60):
            pass
    return [int(place, 16) for place in re.findall(rb"\ntold ([0-9a-f]+)\r", uboot.seen)]


@test
def uboot_is_killed_twenty_times_and_keeps_what_it_was_told(bench):
    need(UBOOT, "u-boot-qemu")
    with open(UBOOT, "rb") as file:
        word = file.read(4)
    told = []
    for number in range(20):
        told += kill_while_it_writes(bench, number, random.random() * 0.2)
        # The next boot recovers; the last time somebody only opens it.
    succeeded(bench.run("--firmware", UBOOT, "--vars", bench.path("vars.fd"), "--machine"))
    assert len(told) >= 20, told
    with open(bench.path("vars.fd"), "rb") as file:
        for place in told:
            file.seek(place - 0x04000000)
            assert file.read(4) == word, hex(place)
    print(f"{len(told)} words were told to be written")


class Shell(Typed):
    """AAVMF at its shell."""

    def __init__(self, bench):  # pylint: disable=super-init-not-called
        self.process = subprocess.Popen(
            [bench.program, "--firmware", UEFI_CODE, "--vars", bench.path("vars.fd")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seen = b""
        self.wait(b"Shell> ", 120)

    def say(self, line):
        """Type a line, slowly as the firmware reads it, and begin to listen."""
        self.seen = b""
        for byte in line:
            self.process.stdin.write(byte.encode())
            self.process.stdin.flush()
            time.sleep(0.002)
        self.type("")


@test
def edk2_is_killed_and_keeps_the_variables_it_was_told(bench):
    need(UEFI_CODE, "qemu-efi-aarch64")
    guid = "6d656d66-6972-4d45-8d00-000000000001"
    shutil.copyfile(UEFI_VARS, bench.path("vars.fd"))
    told = 0
    for _ in range(5):
        with Shell(bench) as shell:
            if told:
                shell.say(f"dmpstore -guid {guid}")
                shell.wait(b"Shell> ", 120)
                for number in range(told):  # names are in colour
                    assert f"V{number}\x1b[".encode() in shell.seen, (number, shell.seen)
            end = time.monotonic() + 1 + 3 * random.random()
            while time.monotonic() < end:
                shell.say(f'setvar V{told} -guid {guid} -nv -bs ="{"x" * 200}"')
                shell.wait(b"Shell> ", 120)
                told += 1
            # The next one is under way somewhere.
            shell.say(f'setvar V{told} -guid {guid} -nv -bs ="{"y" * 200}"')
            time.sleep(0.05 * random.random())
            shell.process.kill()
    assert told >= 5, told
    print(f"{told} variables were told to be set")


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


@test
def the_variables_that_edk2_stores_are_listed(bench):
    """firmem vars and the firmware agree, in both directions."""
    need(UEFI_CODE, "qemu-efi-aarch64")
    firmem = need(os.path.join(os.environ["FIRMEM_BUILD"], "tools", "firmem"), "libjansson-dev")
    guid = "6d656d66-6972-4d45-8d00-000000000003"
    image = bench.path("vars.fd")

    def boot(script):
        return bench.run("--firmware", UEFI_CODE, "--vars", image, "--create", "--script",
                         bench.file("uefi.script", f"""timeout 600
expect "Shell> "
{script}send "reset -s\\r"
poweroff
""".encode()), limit=600)

    def listed():
        done = subprocess.run([firmem, "vars", "list", image, "--json"], check=True,
                              stdout=subprocess.PIPE)
        return {v["name"]: v for v in json.loads(done.stdout)["variables"]}

    succeeded(boot(f"""send "setvar one -guid {guid} -nv -bs -rt =0x11 =0x2233\\r"
expect "Shell> "
send "setvar one -guid {guid} -nv -bs -rt =0x4455\\r"
expect "Shell> "
"""))
    assert subprocess.run([firmem, "vars", "check", image], check=True,
                          stdout=subprocess.PIPE).stdout.startswith(b"clean\n")
    found = listed()
    assert (found["one"]["data"], found["one"]["attr"]) == ("5544", 7), found["one"]
    assert {"Boot0000", "BootOrder", "ConOut", "Lang"} <= set(found), set(found)
    subprocess.run([firmem, "vars", "set", image, "two", "--guid", guid, "--hex", "c0ffee"],
                   check=True)
    subprocess.run([firmem, "vars", "delete", image, "one", "--guid", guid], check=True)
    succeeded(boot(f"""send "setvar two -guid {guid}\\r"
expect "C0 FF EE"
expect "Shell> "
send "setvar one -guid {guid}\\r"
expect "Unable to get"
expect "Shell> "
"""))


# --- the demo ------------------------------------------------------------------------------------


def demo(bench, *options, **environment):
    """Run it with a temporary folder of ours; nothing may be left behind."""
    need(UBOOT, "u-boot-qemu")
    need(UEFI_CODE, "qemu-efi-aarch64")
    script = os.path.join(os.environ["FIRMEM_SOURCE"], "examples", "demo", "demo.sh")
    done = subprocess.run([script, *options, os.environ["FIRMEM_BUILD"]], text=True, check=False,
                          env={**os.environ, "TMPDIR": bench.folder, **environment}, timeout=600,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
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


if __name__ == "__main__":
    run_test()
