#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Random lines for firmem flash run: cli_flash_random.py COMMAND GROUP; see cli.py."""
import random
import re
import subprocess
import sys

import cli
from flash_session import ANSWER, BANK, MIB, answers, command, run


class Script:
    FILES = {b"s.sav"}
    NUMBER = re.compile(rb"(?:0[xX]([0-9a-fA-F]+)|([0-9]+))([KkMmGgTt]?)")

    def _number(self, word, unit):
        found = self.NUMBER.fullmatch(word)
        if not found or (found[3] and not unit):
            return None
        value = int(found[1], 16) if found[1] else int(found[2])
        if found[3]:
            value <<= 10 * (b"KMGT".index(found[3].upper()) + 1)
        return value if value < 1 << 64 else None

    def _is_right(self, line):
        """May this line be in a script for a bank of 1 MiB? Ticks and files apart."""
        words = line.strip(b" \t\r\v\f").replace(b"\r", b" ").replace(b"\v", b" ").replace(
            b"\f", b" ").split()
        if len(line) > 8191 or (b"\0" in line and not (words and words[0][:1] == b"#")):
            return False
        for i, word in enumerate(words):
            if word[:1] == b"#":
                words = words[:i]
                break
        if not words or words in ([b"reset"], [b"flush"], [b"stats"], [b"secure", b"on"],
                                  [b"secure", b"off"]):
            return True
        if words[0] == b"pins":
            return len(words) < 4 and set(words[1:]) <= {b"wp-high", b"vpp-low"}
        if words[0] == b"tick":
            return len(words) == 2 and self._number(words[1], False) is not None
        if not re.fullmatch(rb"[rw][1248]", words[0]):
            return False
        size = int(words[0][1:])
        if len(words) != (2 if words[0][:1] == b"r" else 3):
            return False
        off = self._number(words[1], True)
        if off is None or off > MIB - size:
            return False
        value = self._number(words[2], False) if len(words) > 2 else 0
        return value is not None and value < 1 << 8 * size

    def _line(self, rng):
        size = rng.choice((1, 2, 4, 8))
        off = rng.choice((0, rng.randrange(MIB), rng.randrange(0, MIB, 4), MIB - size,
                          rng.randrange(0, MIB, 65536)))
        value = rng.choice((rng.randrange(1 << 8 * size), rng.choice(
            (0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xd0, 0xe8, 0xff, 1)) * 0x10001 %
                            (1 << 8 * size)))
        form = rng.choice(("{}", "{:#x}", "{:#X}", "{:#06x}", "0x{:016x}"))
        line = rng.choice((
            f"r{size} {form.format(off).replace('0X', '0x')}",
            f"w{size} {form.format(off)} {form.format(value)}",
            f"w{size} {off} {value}", f"r{size} {off}", "reset", "flush", "# x", "", " \t",
            f"tick {rng.randrange(1 << 30)}", "pins wp-high", "pins vpp-low wp-high", "pins",
            "secure on", "secure\toff",
            f"r{size} {rng.randrange(1100)}K", f"  r{size}\t{off} # and so on"))
        return line.encode()

    def _change(self, rng, line):
        at = rng.randrange(len(line) + 1)
        letters = b" \t\r\0#0x9afKrw12485-_,.~\xff\x7f\x1bG"
        new = bytes([letters[rng.randrange(len(letters))]]) * rng.choice((1, 1, 1, 2, 20))
        return rng.choice((line[:at] + new + line[at:], line[:at] + line[at + 1:],
                           line[:at] + new + line[at + 1:], line + b" " + line, line[:at]))

    def _check(self, lines, done):
        bad = next((i for i, line in enumerate(lines, 1) if not self._is_right(line)), None)
        before = lines[:bad - 1] if bad else lines
        reads = sum(line.strip()[:1] == b"r" and line.strip() != b"reset" and b" #" not in
                    line.strip()[:3] for line in before)
        if bad:
            assert done.returncode == 2, (lines[bad - 1], done)
            assert done.stderr.startswith(b"firmem: flash run: line %d: " % bad), (
                bad, lines[bad - 1], done.stderr)
        else:
            assert done.returncode == 0, done.stderr
        assert ANSWER.sub(b"", done.stdout) == b"" and done.stdout.count(b"\n") == reads, (
            reads, done.stdout)

    def the_first_wrong_line_of_many_is_found(self):
        for seed in range(300):
            rng = random.Random(seed)
            lines = [self._line(rng) for _ in range(rng.randrange(1, 60))]
            for _ in range(rng.randrange(3)):
                at = rng.randrange(len(lines))
                lines[at] = self._change(rng, lines[at])
            try:
                data = b"".join(line + b"\n" for line in lines)
                self._check(lines, run(data, *BANK, *rng.choice(
                    ((), ("--set", "amd"), ("--profile", "qemu-7.2"), ("--bank-width", "1"),
                     ("--time", "typical", "--endurance", "1"),
                     ("--set", "amd", "--time", "maximum", "--secure-only")))))
            except AssertionError:
                print(f"seed {seed}")
                raise

    def noise_is_never_a_crash(self):
        for seed in range(100):
            rng = random.Random(seed)
            run(rng.randbytes(rng.choice((10, 100, 10000, 300000))), *BANK)

    def pieces_of_any_length_make_the_same_lines(self):
        for seed in range(10):
            rng = random.Random(seed)
            lines = [line for line in (self._line(rng) for _ in range(500))
                     if self._is_right(line)]
            data = b"".join(line + b"\n" for line in lines)
            expected = run(data, *BANK).stdout
            with subprocess.Popen(command(*BANK), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  bufsize=0) as process:
                while data:
                    n = rng.randrange(1, 200)
                    process.stdin.write(data[:n])
                    data = data[n:]
                process.stdin.close()
                assert process.stdout.read() == expected, seed

    def lines_lie_across_every_edge_of_the_buffer(self):
        for seed in range(5):
            rng = random.Random(seed)
            lines = []
            for i in range(20000):
                lines.append("#" * rng.choice((0, 1, 5, 100, 8000 if i % 50 == 0 else 7)))
                lines.append(f"r4 {' ' * rng.randrange(4)}{4 * i}")
            lines.insert(30000, "w4 0 0x980098")
            out = answers(lines, "--size", "1M", "--sector", "64K")
            assert len(out) == 20000
            out = run([*lines, "oops"], *BANK)
            assert out.stderr.startswith(b"firmem: flash run: line 40002: "), out.stderr


GROUPS = {group.__name__.lower(): group for group in (Script,)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
