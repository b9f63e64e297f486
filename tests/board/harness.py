# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the example board share. A test file's arguments are PROGRAM TEST, where TEST
is one of its functions; exit status 77 is a skip."""
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile

import asm

BANK = 64 << 20
LIMIT = 300  # seconds, after which something hangs
OFF = asm.psci(asm.PSCI_OFF)
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

    def run(self, *options, limit=LIMIT, **keywords):
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


def main(program, name):
    # Meson's time limit: what was begun is ended, and its folder goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="firmem-board-") as folder:
        try:
            TESTS[name](Bench(os.path.abspath(program), folder))
        except Skip as why:
            print(f"skipped: {why}")
            return 77
    return 0


def run_test():
    sys.exit(main(*sys.argv[1:]))
