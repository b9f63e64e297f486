# SPDX-License-Identifier: BSD-2-Clause
"""What the cases of firmem flash run share: a session, all at once or line by line."""
import os
import re
import select
import subprocess

import cli

MIB = 1 << 20
BANK = ("--size", "1M", "--sector", "64K")
ANSWER = re.compile(rb"0x(?:[0-9a-f]{2}){1,8}\n")


def command(*options):
    return [cli.FIRMEM, "flash", "run", *options]


def run(lines, *options, **more):
    """Run lines, or bytes as they are. Nothing that it does may look like a crash."""
    if not isinstance(lines, bytes):
        lines = "".join(line + "\n" for line in lines).encode()
    done = subprocess.run(command(*options), input=lines, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=cli.LIMIT, check=False, **more)
    assert done.returncode in (0, 2), done
    if done.returncode == 2:
        assert re.fullmatch(rb"firmem: flash run: [^\x00-\x1f\x7f]+\n", done.stderr), done.stderr
    else:
        assert done.stderr == b"", done.stderr
    return done


def answers(lines, *options):
    """The numbers that are read; all lines are right."""
    done = run(lines, *options)
    assert done.returncode == 0, done
    assert ANSWER.sub(b"", done.stdout) == b"", done.stdout
    return [int(word, 16) for word in done.stdout.split()]


def wrong(expected, lines, *options, **more):
    """The last line is wrong: status 2, its number and the message. What was answered before."""
    done = run(lines, *options, **more)
    assert done.returncode == 2, done
    number = len(lines)
    found = re.fullmatch(rb"firmem: flash run: line %d: (.*)\n" % number, done.stderr)
    assert found, (number, done.stderr)
    assert re.search(expected, found[1].decode("utf-8", "replace")), (expected, done.stderr)
    return done.stdout


def refused(expected, *options):
    """An option is wrong: nothing is answered, no file is made or changed."""
    before = {name: content(name) for name in os.listdir(".") if os.path.isfile(name)}
    done = run(["r1 0"], *options)
    assert done.returncode == 2 and done.stdout == b"", done
    assert re.search(expected, done.stderr.decode("utf-8", "replace")), (expected, done.stderr)
    assert b"fm_" not in done.stderr and b"FM_" not in done.stderr, done.stderr
    after = {name: content(name) for name in os.listdir(".") if os.path.isfile(name)}
    assert before == after, "a file changed"


def content(name):
    with open(name, "rb") as file:
        return file.read()


def program(off, value):
    """An Intel bank of 2 x 16 bits programs a word."""
    return [f"w4 {off:#x} 0x400040", f"w4 {off:#x} {value:#x}", f"w4 {off:#x} 0xff00ff"]


class Driven:
    """A session that is driven through pipes, one line at a time."""

    def __init__(self, *options):
        self.process = subprocess.Popen(command(*options), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")

    def hear(self):
        """The next line of the answers; it must come while nothing more is said."""
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self.process.stdout], [], [], cli.LIMIT)[0], f"no answer after {line}"
            got = os.read(self.process.stdout.fileno(), 1)
            assert got, f"the end after {line}"
            line += got
        return line.decode().rstrip("\n")

    def end(self):
        self.process.stdin.close()
        return self.process.wait(cli.LIMIT)
