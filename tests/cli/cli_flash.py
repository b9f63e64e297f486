#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command firmem flash run from outside: cli_flash.py COMMAND GROUP; see cli.py."""
import json
import os
import re
import select
import subprocess
import sys

import cli
from cli import write
from flash_session import BANK, MIB, Driven, answers, command, content, program, run, wrong

SELF = os.path.abspath(__file__)


class Lines:
    FILES = {b"v.fd", b"many"}

    def a_line_is_answered_while_the_next_is_awaited(self):
        with Driven(*BANK) as session:
            for i in range(200):
                for line in program(4 * i, 0x1000 + i):
                    session.say(line)
                session.say(f"r4 {4 * i}")
                assert session.hear() == f"0x{0x1000 + i:08x}"
            assert session.end() == 0

    def half_a_line_is_waited_for(self):
        with Driven(*BANK) as session:
            session.process.stdin.write(b"r4 0\nr4 ")
            assert session.hear() == "0xffffffff"
            assert not select.select([session.process.stdout], [], [], 0.05)[0]
            session.process.stdin.write(b"4\n")
            assert session.hear() == "0xffffffff"

    def a_read_is_answered_in_its_width(self):
        done = run([*program(0, 0x00020301), "r1 0", "r2 0", "r4 0", "r8 0", "r1 3"], *BANK)
        assert done.stdout.split() == [b"0x01", b"0x0301", b"0x00020301", b"0xffffffff00020301",
                                       b"0x00"], done.stdout

    def many_answers_arrive_all(self):
        assert answers(["r8 0"] * 100000, *BANK) == [(1 << 64) - 1] * 100000

    def numbers_have_bases_and_offsets_units(self):
        lines = program(0x1000, 0x12345678)
        for off in ("4096", "0x1000", "0X1000", "4K", "4k", "0x4K", "000000000000000000004096",
                    "0x00000000000000000001000"):
            assert answers([*lines, f"r4 {off}"], *BANK) == [0x12345678], off
        for value in ("305419896", "0x12345678", "0X12345678", "0x0000000000000000012345678"):
            lines[1] = f"w4 4096 {value}"
            assert answers([*lines, "r4 4096"], *BANK) == [0x12345678], value
        top = "18446744073709551615"
        for value in (top, "0xffffffffffffffff", "0xFFFFFFFFFFFFFFFF"):
            assert answers([f"w8 0 {value}"], *BANK) == []
        assert answers([f"tick {int(top) - 1}"], *BANK) == []

    def blanks_comments_and_empty_lines_are_fine(self):
        lines = b"# a bank\n\n   \n\t# \x00 and \xff\nr1 0\n r2\t0 \r\n  r4  0   # all\nr8 0 #\nr1 0"
        done = run(lines, *BANK)
        assert [len(word) for word in done.stdout.split()] == [4, 6, 10, 18, 4], done

    def the_end_of_input_is_a_power_off(self):
        assert answers(program(0, 0x11223344), *BANK, "--image", "v.fd", "--create") == []
        assert content("v.fd")[:8] == b"\x44\x33\x22\x11\xff\xff\xff\xff"

    def nothing_is_done_after_a_power_off(self):
        lines = ["r1 0", "power-off", "w9", *program(0, 0)]
        assert answers(lines, *BANK, "--image", "v.fd", "--create") == [0xff]
        assert content("v.fd") == b"\xff" * MIB

    def a_power_off_does_not_wait_for_more(self):
        with Driven(*BANK) as session:
            session.say("power-off")
            assert session.process.wait(20) == 0

    def no_lines_are_fine(self):
        assert answers(b"", *BANK) == []

    def each_flaw_of_a_line_is_told_with_its_number(self):
        for line, expected in (
                ("r5 0", '"r5": no such operation, did you mean r1\\?'),
                ("r 0", '"r": no such operation, did you mean r1\\?'),
                ("r10 0", '"r10": no such operation, did you mean'),
                ("write 0 0", '"write": no such operation, expected one that "firmem flash run '
                              '--help" lists'),
                ("power off", '"power": no such operation, did you mean power-off'),
                ("R4 0", '"R4": no such operation, did you mean r4'),
                ("-", '"-": no such operation'),
                ("r4", "r4: something is missing, expected r4 OFF"),
                ("r4 # 0", "r4: something is missing, expected r4 OFF"),
                ("w4 0", "w4: something is missing, expected w4 OFF VAL"),
                ("tick", "tick: something is missing, expected tick NS"),
                ("save", "save: something is missing, expected save FILE"),
                ("load  ", "load: something is missing, expected load FILE"),
                ("r4 0 0", 'r4: "0" is too much, expected r4 OFF'),
                ("w4 0 0 0", 'w4: "0" is too much, expected w4 OFF VAL'),
                ("reset now", 'reset: "now" is too much, expected reset'),
                ("flush 1", 'flush: "1" is too much, expected flush'),
                ("stats 1", 'stats: "1" is too much, expected stats'),
                ("power-off 1", 'power-off: "1" is too much, expected power-off'),
                ("r4 x", 'r4: OFF: "x", expected a number such as 4096, 0x1000 or 4K'),
                ("r4 -1", 'r4: OFF: "-1", expected a number'),
                ("r4 0x", 'r4: OFF: "0x", expected a number'),
                ("r4 1,", 'r4: OFF: "1,", expected a number'),
                ("r4 18446744073709551616", "r4: OFF: .*expected a number"),
                ("r4 0x10000000000000000", "r4: OFF: .*expected a number"),
                ("r1 1M", "r1: OFF: 0x100000, expected at most 0xfffff in a bank of 0x100000"),
                ("r2 0xfffff", "r2: OFF: 0xfffff, expected at most 0xffffe"),
                ("r4 0xffffd", "r4: OFF: 0xffffd, expected at most 0xffffc"),
                ("r8 0xffffffffffffffff", "r8: OFF: 0xffffffffffffffff, expected at most 0xffff8"),
                ("w1 1M 0", "w1: OFF: 0x100000, expected at most 0xfffff"),
                ("w8 0xffff9 0", "w8: OFF: 0xffff9, expected at most 0xffff8"),
                ("w4 0 x", 'w4: VAL: "x", expected a number such as 64 or 0x40'),
                ("w4 0 1K", 'w4: VAL: "1K", expected a number'),
                ("w4 0 0xfg", 'w4: VAL: "0xfg", expected a number'),
                ("w1 0 256", "w1: VAL: 0x100, expected at most 0xff"),
                ("w2 0 0x10000", "w2: VAL: 0x10000, expected at most 0xffff"),
                ("w4 0 0x100000000", "w4: VAL: 0x100000000, expected at most 0xffffffff"),
                ("w8 0 0x10000000000000000", "w8: VAL: .*expected a number"),
                ("tick 1M", 'tick: NS: "1M", expected a number of nanoseconds'),
                ("tick -1", 'tick: NS: "-1", expected a number of nanoseconds'),
                ("tick 18446744073709551615", "tick: NS: 18446744073709551615, expected at most "
                                              "the 18446744073709551614 that the clock has left"),
                ("x" * 200, '"x{60}": no such operation'),
                ("r4 " + "1" * 200, 'r4: OFF: "1{60}", expected'),
                ("r4 " + " " * 9000, "longer than 8191 bytes"),
                ("#" * 8192, "longer than 8191 bytes"),
                ("red\x1b[31m", r'"red\?\[31m": no such operation'),
                ("load no.sav", "load: no.sav: .*No such file"),
                ("load .", "load: .: "),
                ("save no/no.sav", "save: no/.*No such file")):
            assert wrong(expected, ["# first", "r1 0", line], *BANK) == b"0xff\n", line

    def the_longest_line_is_fine(self):
        assert answers(["#" * 8191, "r1 0", "r1 " + " " * 8187 + "0"], *BANK) == [255, 255]

    def a_line_without_an_end_is_told(self):
        with open("/dev/zero", "rb") as zeros:
            done = subprocess.run(command(*BANK), stdin=zeros, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=cli.LIMIT, check=False)
        assert done.returncode == 2, done
        assert done.stderr == b"firmem: flash run: line 1: longer than 8191 bytes\n", done

    def a_zero_byte_is_told(self):
        for line in (b"\0", b"r4 0\0", b"r4\0 0", b"r4 0 # \0"):
            done = run(b"r1 0\n" + line + b"\nr1 0\n", *BANK)
            at = line.index(0) + 1
            assert done.returncode == 2 and done.stdout == b"0xff\n", done
            assert done.stderr == (b"firmem: flash run: line 2: byte %d is 0x00, expected text\n"
                                   % at), done

    def what_came_before_a_wrong_line_is_done(self):
        out = wrong("no such operation", [*program(0, 0x11223344), "r4 0", "?"], *BANK, "--image",
                    "v.fd", "--create")
        assert out == b"0x11223344\n" and content("v.fd")[:4] == b"\x44\x33\x22\x11"

    def a_tick_adds_to_the_one_before(self):
        wrong("tick: NS: 2, expected at most the 1 that", ["tick 18446744073709551613", "tick 2"],
              *BANK)

    def input_that_cannot_be_read_is_told(self):
        os.mkdir("folder")
        folder = os.open("folder", os.O_RDONLY)
        done = subprocess.run(command(*BANK), stdin=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=cli.LIMIT, check=False)
        os.close(folder)
        assert done.returncode == 2, done
        assert done.stderr == b"firmem: flash run: standard input: Is a directory\n", done.stderr

    def a_full_disk_is_a_failure(self):
        for line in ("r1 0\n", "stats\n", "r1 0\n" * 100000):
            with open("/dev/full", "wb") as full:
                done = subprocess.run(command(*BANK), input=line.encode(), stdout=full,
                                      stderr=subprocess.PIPE, timeout=cli.LIMIT, check=False)
            assert done.returncode == 2, done
            assert done.stderr == b"firmem: standard output: No space left on device\n", done

    def a_reader_that_left_is_a_failure_not_a_signal(self):
        for count in (1, 100000):
            write("many", b"r8 0\n" * count)
            reader, writer = os.pipe()
            os.close(reader)
            with open("many", "rb") as lines:
                done = subprocess.run(command(*BANK), stdin=lines, stdout=writer,
                                      stderr=subprocess.PIPE, timeout=cli.LIMIT, check=False)
            os.close(writer)
            assert done.returncode == 2, done
            assert done.stderr == b"firmem: standard output: Broken pipe\n", done.stderr


class Bank:
    """What a guest sees; the bank itself has tests of its own."""

    def an_intel_bank_programs_and_erases(self):
        lines = [*program(0x10000, 0x1234), "r4 0x10000", "w4 0x1fffc 0x200020",
                 "w4 0x1fffc 0xd000d0", "r4 0", "w4 0 0xff00ff", "r4 0x10000"]
        assert answers(lines, *BANK) == [0x1234, 0x800080, 0xffffffff]

    def an_amd_bank_programs_and_erases(self):
        unlock = ["w4 0x1554 0xaa00aa", "w4 0xaa8 0x550055"]
        lines = [*unlock, "w4 0x1554 0xa000a0", "w4 0 0x1234", "r4 0", *unlock,
                 "w4 0x1554 0x800080", *unlock, "w4 0 0x300030", "r4 0", *unlock,
                 "w4 0x1554 0x900090", "r4 0"]
        assert answers(lines, *BANK, "--set", "amd") == [0x1234, 0xffffffff, 0x00010001]

    def a_count_over_the_buffer_is_the_guest_s_own_mistake(self):
        lines = ["w4 0 0xe800e8", "r4 0", "w4 0 0x7f007f", "r4 0", "w4 0 0x700070", "r4 0"]
        assert answers(lines, *BANK, "--buffer", "256") == [0x800080, 0xb000b0, 0xb000b0]
        # The largest that fits is none.
        lines[2] = "w4 0 0x3f003f"
        assert answers(lines[:4], *BANK, "--buffer", "256") == [0x800080, 0x800080]

    def a_reset_leads_back_to_the_array(self):
        lines = ["w4 0 0x700070", "r4 0", "reset", "r4 0"]
        assert answers(lines, *BANK) == [0x800080, 0xffffffff]

    def widths_are_the_options(self):
        for bank, chip, status in ((1, 1, 0x80), (2, 1, 0x8080), (2, 2, 0x80), (4, 4, 0x80),
                                   (8, 2, 0x80008000800080), (8, 4, 0x8000000080)):
            command_ = status // 0x80 * 0x70
            lines = [f"w{bank} 0 {command_}", f"r{bank} 0"]
            options = ["--bank-width", str(bank), "--chip-width", str(chip)]
            assert answers(lines, *BANK, *options) == [status], (bank, chip)
        assert answers(["w1 0 0x70", "r1 0"], *BANK, "--bank-width", "1") == [0x80]

    def a_narrow_write_does_what_the_option_says(self):
        lines = ["w2 0 0x70", "r4 0"]
        for how, expected in (("ignore", 0xffffffff), ("lanes", 0xffff0080),
                              ("broadcast", 0x800080)):
            assert answers(lines, *BANK, "--narrow", how) == [expected], how
        assert answers(lines, *BANK) == [0xffffffff]

    def a_profile_sets_quirks_and_an_option_wins_over_it(self):
        lines = ["w1 0 0x50", "w1 0 0x70", "r1 0"]
        assert answers(lines, *BANK, "--bank-width", "1") == [0x80]
        assert answers(lines, *BANK, "--profile", "ovmf") == [0x00]
        lines = ["w2 0 0x70", "r4 0"]
        assert answers(lines, *BANK, "--profile", "virt") == [0xffffffff]
        assert answers(lines, *BANK, "--profile", "virt", "--narrow", "broadcast") == [0x800080]

    def every_profile_of_the_list_is_taken(self):
        listed = re.search(rb"expected one of ([^;]*)", run([], *BANK, "--profile", "?").stderr)
        names = listed[1].decode().strip().split(", ")
        assert len(names) >= 5 and names[0] == "datasheet", names
        for name in names:
            assert run([], *BANK, "--profile", name).returncode == 0, name

    def sectors_lie_where_the_list_says(self):
        erase = ["w4 {0} 0x200020", "w4 {0} 0xd000d0", "w4 0 0xff00ff"]
        for sector, at, size in (("8Kx8,64K", 0, 0x2000), ("8Kx8,64K", 0x10000, 0x10000),
                                 ("64Kx15,8Kx8", 0xfe000, 0x2000),
                                 ("8Kx8,64K", 0xe000, 0x2000),
                                 ("0x2000x8,0x10000", 0x4000, 0x2000),
                                 ("4Kx2,8Kx1,16Kx1,32K", 0x2000, 0x2000),
                                 ("4Kx2,8Kx1,16Kx1,32K", 0x8000, 0x8000)):
            lines = []
            places = [p for p in (at - 4, at, at + size - 4, at + size) if 0 <= p < MIB]
            for place in places:
                lines += program(place, 0x5555)
            lines += [line.format(at + size // 2) for line in erase]
            lines += [f"r4 {place}" for place in places]
            expected = [0xffffffff if at <= p < at + size else 0x5555 for p in places]
            assert answers(lines, "--size", "1M", "--sector", sector) == expected, (sector, at)

    def the_size_is_what_the_sectors_make(self):
        assert answers(["r4 0xffffc"], "--sector", "8Kx8,64Kx15") == [0xffffffff]
        wrong("expected at most 0xfffff in", ["r1 1M"], "--sector", "8Kx8,64Kx15")

    def byte_mode_unlocks_at_bytes(self):
        lines = ["w1 0xaaa 0xaa", "w1 0x555 0x55", "w1 0xaaa 0x90", "r1 0"]
        options = ["--set", "amd", "--bank-width", "1"]
        assert answers(lines, *BANK, *options, "--byte-mode") == [0x01]
        assert answers(lines, *BANK, *options) == [0xff]

    def a_read_only_bank_keeps_its_contents(self):
        lines = [*program(0, 0), "r4 0", "w4 0 0x700070", "r4 0"]
        assert answers(lines, *BANK, "--read-only") == [0xffffffff, 0x920092]


class Told:
    FILES = {b"v.fd"}

    def a_trace_comes_before_the_answer(self):
        done = run([*program(0, 0x1234), "r4 0"], *BANK, "--trace")
        lines = done.stdout.decode().splitlines()
        assert lines[-1] == "0x00001234" and lines[-2].startswith("flash read off 0x0 size 4 "
                                                                  "value 0x1234"), lines
        assert lines[:3] == ["flash write off 0x0 size 4 value 0x400040",
                             "flash command off 0x0 size 4 value 0x40 program",
                             "flash mode off 0x0 size 4 value 0x40 read-status"], lines
        assert "flash medium off 0x0 size 4 value 0x1 program" in lines
        form = re.compile(r"flash (read|write|command|mode|medium) off 0x[0-9a-f]+ size [0-9]+ "
                          r"value 0x[0-9a-f]+( .+)?|flash misuse .* the status was not read.*")
        assert all(form.fullmatch(line) for line in lines[:-1]), lines

    def a_trace_tells_resets_and_what_was_ignored(self):
        out = run(["w1 0 0x70", "w4 0 0x770077", "reset"], *BANK, "--trace").stdout.decode()
        for word in ("flash ignored ", "flash misuse ", "flash reset "):
            assert word in out, out

    def a_trace_keeps_its_order_with_many_answers(self):
        lines = [f"r4 {4 * i}" for i in range(20000)]
        out = run(lines, *BANK, "--trace").stdout.decode().splitlines()
        assert out[0::2] == [f"flash read off {hex(4 * i)} size 4 value 0xffffffff"
                             for i in range(20000)]
        assert set(out[1::2]) == {"0xffffffff"}

    def counters_count(self):
        lines = [*program(0, 0x1234), "w1 0 0x70", "w4 0 0x200020", "w4 0 0xd000d0", "flush", "stats"]
        done = run(lines, *BANK, "--image", "v.fd", "--create", "--interval", "3600000")
        told = dict(line.split(": ") for line in done.stdout.decode().splitlines())
        assert told.items() >= {"programs": "1", "program_bytes": "4", "erases": "1",
                                "ignored_writes": "1", "array_entries": "1",
                                "host_writes": "0"}.items(), told
        # What was programmed was erased: nothing for the image. A page of the journal, two headers.
        assert int(told["host_bytes"]) == 3 * 4096, told

    def json_is_a_value_on_each_line(self):
        lines = ["r1 0", *program(0, 0x1234), "r4 0", "r8 0", "stats"]
        out = run(lines, *BANK, "--json").stdout.decode().splitlines()
        values = [json.loads(line) for line in out]
        assert values[:3] == ["0xff", "0x00001234", "0xffffffff00001234"], values
        assert values[3]["programs"] == "0x1" and values[3]["program_bytes"] == "0x4", values
        assert len(values) == 4

    def json_has_the_trace_too(self):
        out = run([*program(0, 0x1234), "r4 0"], *BANK, "--json", "--trace").stdout.decode()
        values = [json.loads(line) for line in out.splitlines()]
        assert values[0] == {"trace": "write", "off": "0x0", "size": "0x4", "value": "0x400040",
                             "text": None}, values[0]
        assert values[1] == {"trace": "command", "off": "0x0", "size": "0x4", "value": "0x40",
                             "text": "program"}, values[1]
        assert values[-1] == "0x00001234"

    def text_and_json_count_the_same(self):
        lines = [*program(0, 0x1234), "stats"]
        text = dict(line.split(": ") for line in run(lines, *BANK).stdout.decode().splitlines())
        told = json.loads(run(lines, *BANK, "--json").stdout)
        assert {key: int(value) for key, value in text.items()} == \
               {key: int(value, 16) for key, value in told.items()}


    def the_sessions_of_the_documentation_are_real_ones(self):
        with open(os.path.join(os.path.dirname(SELF), "../../docs/command.md"),
                  encoding="utf-8") as file:
            found = re.findall(r"```\n\$ firmem flash run ([^\n]*)\n(.*?)```", file.read(), re.S)
        assert len(found) >= 2
        for options, session in found:
            lines = session.splitlines()
            typed = [line for line in lines
                     if re.match(r"([rw][1248] |tick |stats$|power-off$)", line)]
            assert len(lines) > len(typed) > 10, typed
            done = run(typed, *options.replace("vars.fd", "v.fd").split())
            # What the worker has written by then is a matter of time.
            assert [line for line in done.stdout.decode().splitlines()
                    if not line.startswith("host_")] == [
                line for line in lines if line not in typed and not line.startswith("host_")], done


GROUPS = {group.__name__.lower(): group for group in (Lines, Bank, Told)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
