#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem flash serve with the installed QEMU and OVMF: test_serve.py COMMAND CASE; exit 77 skips."""
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

FIRMEM = ""
CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
QEMU = "qemu-system-x86_64"
GUID = "6d656d66-6972-4d45-8d00-000000000001"
CASES = {}
LIMIT = 300  # seconds, after which something hangs


class Skip(Exception):
    pass


def case(function):
    CASES[function.__name__] = function
    return function


def need(what, package, found):
    if not found:
        raise Skip(f"{what} is not there (Debian package {package})")


class Server:
    """The command, until it is killed or ended."""

    def __init__(self, *options):
        need("nbdkit", "nbdkit", shutil.which("nbdkit"))
        self.process = subprocess.Popen(
            [FIRMEM, "flash", "serve", "vars.fd", "--socket", "sock", *options],
            stdout=subprocess.PIPE, stderr=open("serve.log", "wb"))
        assert self.process.stdout.readline() == b"nbd+unix:///?socket=sock\n"
        end = time.monotonic() + LIMIT
        # The socket is there before the image is open; its lock and its journal are not.
        while self.process.poll() is None and not (os.path.exists("sock") and
                                                   os.path.exists("vars.fd.journal")):
            assert time.monotonic() < end, "it does not serve"
            time.sleep(0.01)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(LIMIT)
        if os.path.exists("sock"):
            os.remove("sock")


class Guest:
    """OVMF's shell on a serial line."""

    def __init__(self):
        self.process = subprocess.Popen(
            [QEMU, "-accel", "tcg", "-machine", "pc", "-m", "128", "-net", "none", "-display", "none",
             "-monitor", "none", "-serial", "stdio", "-drive",
             f"if=pflash,unit=0,format=raw,readonly=on,file={CODE}", "-drive",
             "if=pflash,unit=1,format=raw,file=nbd+unix:///?socket=sock"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.seen = b""

    def wait(self, text, seconds=LIMIT):
        end = time.monotonic() + seconds
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"no {text} in {self.seen[-600:]}"
            if select.select([self.process.stdout], [], [], left)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                assert data, f"QEMU ended: {self.seen[-600:]}"
                self.seen += data
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def shell(self):
        self.wait(b"Shell> ")

    def type(self, line):
        for byte in line.encode() + b"\r":
            self.process.stdin.write(bytes([byte]))
            self.process.stdin.flush()
            time.sleep(0.005)

    def kill(self):
        self.process.kill()
        self.process.wait()


def set_and_kill(value):
    guest = Guest()
    try:
        guest.shell()
        guest.type(f'setvar firmem -guid {GUID} -nv -rt -bs ="{value}"')
        guest.shell()
    finally:
        guest.kill()


def see(value):
    guest = Guest()
    try:
        guest.shell()
        guest.type(f"dmpstore firmem -guid {GUID}")
        guest.wait(f"*{value}*".encode())
    finally:
        guest.kill()


def need_ovmf():
    need(QEMU, "qemu-system-x86", shutil.which(QEMU))
    need(CODE, "ovmf", os.path.exists(CODE) and os.path.exists(VARS))
    shutil.copyfile(VARS, "vars.fd")


@case
def ovmf_keeps_a_variable_when_qemu_is_killed():
    need_ovmf()
    server = Server()
    try:
        set_and_kill("kept")
        see("kept")
    finally:
        server.end()
    # Ended, everything is in the image, which is raw.
    assert not os.path.exists("vars.fd.journal")
    with open("vars.fd", "rb") as file:
        assert "firmem".encode("utf-16-le") in file.read()


@case
def ovmf_keeps_a_variable_when_qemu_and_the_server_are_killed():
    need_ovmf()
    server = Server("--interval", "3600000")
    try:
        set_and_kill("still here")
    finally:
        server.end(signal.SIGKILL)
    assert os.path.exists("vars.fd.journal")
    server = Server()
    try:
        see("still here")
    finally:
        server.end()


@case
def what_cannot_be_served_is_refused():
    def refused(says, *arguments):
        done = subprocess.run([FIRMEM, "flash", "serve", *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=LIMIT, check=False)
        assert done.returncode != 0 and says in done.stderr, done
        assert not os.path.exists("sock"), "it serves"
    need("nbdkit", "nbdkit", shutil.which("nbdkit"))
    with open("vars.fd", "wb") as file:
        file.write(b"\xff" * 65536)
    refused("IMAGE: is missing", "--socket", "sock")
    refused("--socket: is missing", "vars.fd")
    refused("none: open for reading: No such file", "none", "--socket", "sock")
    refused("--interval: 0, expected 1 to", "vars.fd", "--socket", "sock", "--interval", "0")
    with open("vars.fd.journal", "wb") as file:
        file.write(b"x" * 50000)
    refused("vars.fd.journal: its headers are", "vars.fd", "--socket", "sock")
    os.remove("vars.fd.journal")
    # Left behind by a server that was killed, or somebody's file: nothing of it is printed or changed.
    with open("taken", "wb") as file:
        file.write(b"mine")
    for name in ("taken", "s" * 108):
        done = subprocess.run([FIRMEM, "flash", "serve", "vars.fd", "--socket", name],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT,
                              check=False)
        assert done.returncode == 2 and done.stdout == b"", done
        assert done.stderr.startswith(b"firmem: flash serve: --socket: "), done
        assert done.stderr.count(b"\n") == 1, done
    server = Server()
    try:
        done = subprocess.run([FIRMEM, "flash", "recover", "vars.fd"], stderr=subprocess.PIPE,
                              text=True, timeout=LIMIT, check=False)
        assert done.returncode == 2 and f"process {server.process.pid} has it open" in done.stderr
    finally:
        server.end()


def main(command, name):
    global FIRMEM  # pylint: disable=global-statement
    FIRMEM = os.path.abspath(command)
    # Meson's time limit: what was begun is ended, and its folder goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    start = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="firmem-serve-") as folder:
        os.chdir(folder)
        try:
            CASES[name]()
        except Skip as why:
            print(f"skipped: {why}")
            return 77
        finally:
            if os.path.exists("serve.log"):
                with open("serve.log", "rb") as log:
                    sys.stderr.write(log.read().decode("utf-8", "replace"))
            os.chdir(start)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
