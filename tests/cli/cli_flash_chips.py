#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Time, pins, wear and registers of firmem flash run: cli_flash_chips.py COMMAND GROUP; see cli.py."""
import json
import os
import re
import sys

import cli
from cli import write
from flash_session import BANK, answers, content, program, refused, run, wrong

ERASE = ["w4 0 0x200020", "w4 0 0xd000d0"]
CLEAR = ["w4 0 0x500050"]
ARRAY = ["w4 0 0xff00ff"]


class Chips:
    FILES = {b"v.fd", b"r.bin", b"s.sav"}

    def time_goes_by_with_ticks_alone(self):
        lines = [*ERASE, "r4 0", "tick 1023999999", "r4 0", "tick 1", "r4 0"]
        assert answers(lines, *BANK, "--time", "typical") == [0, 0, 0x800080]
        assert answers(lines, *BANK, "--time", "instant") == [0x800080] * 3
        assert answers(lines, *BANK) == [0x800080] * 3
        lines = [*ERASE, f"tick {16 * 1024000000 - 1}", "r4 0", "tick 1", "r4 0"]
        assert answers(lines, *BANK, "--time", "maximum") == [0, 0x800080]

    def an_erase_is_suspended_and_resumed(self):
        lines = [*ERASE, "tick 1000", "w4 0 0xb000b0", "r4 0", "w4 0 0xff00ff", "r4 0x10000",
                 "w4 0 0xd000d0", "r4 0", "tick 1024000000", "r4 0"]
        assert answers(lines, *BANK, "--time", "typical") == [0xc000c0, 0xffffffff, 0, 0x800080]

    def a_state_is_saved_in_the_middle_of_an_erase(self):
        rest = ["r4 0", "tick 512000001", "r4 0", *ARRAY, "r4 0"]
        lines = [*program(0, 0x1234), "tick 1000000", *ARRAY, "r4 0", *ERASE, "tick 512000000",
                 "save s.sav"]
        time = ("--time", "typical")
        assert answers([*lines, *rest], *BANK, *time) == [0x1234, 0, 0x800080, 0xffffffff]
        assert answers(["load s.sav", *rest], *BANK, *time) == [0, 0x800080, 0xffffffff]
        # Also over a bank whose clock is ahead.
        assert answers(["tick 99999999999999", "load s.sav", *rest], *BANK, *time) == [
            0, 0x800080, 0xffffffff]
        wrong("load: s.sav: ", ["load s.sav"], *BANK)

    def vpp_and_wp_are_pins(self):
        lines = ["pins vpp-low", *ERASE, "r4 0", *CLEAR, "pins", *ERASE, "r4 0"]
        assert answers(lines, *BANK) == [0xa800a8, 0x800080]
        assert answers(["pins vpp-low wp-high", *ERASE, "r4 0"], *BANK) == [0xa800a8]
        lock_down = ["w4 0 0x600060", "w4 0 0x2f002f", "w4 0 0x600060", "w4 0 0xd000d0", *CLEAR]
        assert answers([*lock_down, *ERASE, "r4 0"], *BANK) == [0xa200a2]
        for pins in ("pins wp-high", "pins vpp-low wp-high\npins wp-high"):
            lines = [*lock_down, pins, "w4 0 0x600060", "w4 0 0xd000d0", *ERASE, "r4 0"]
            assert answers(lines, *BANK) == [0x800080], pins

    def a_wrong_pin_or_world_is_told(self):
        wrong('pins: "vpp", expected wp-high or vpp-low', ["pins vpp"], *BANK)
        wrong('pins: "low", expected wp-high or vpp-low', ["pins wp-high low"], *BANK)
        wrong('pins: "x" is too much, expected pins', ["pins wp-high vpp-low x"], *BANK)
        wrong('secure: "yes", expected on or off', ["secure yes"], *BANK)
        wrong("secure: something is missing, expected secure on|off", ["secure"], *BANK)

    def commands_come_from_the_secure_world_where_that_is_asked_for(self):
        lines = ["w4 0 0x700070", "r4 0", "secure on", "w4 0 0x700070", "r4 0", "secure off",
                 "r4 0", " w4 0 0xff00ff", "secure on", "r4 0"]
        assert answers(lines, *BANK, "--secure-only") == [0xffffffff, 0x800080, 0xffffffff,
                                                          0x800080]
        assert answers(["w4 0 0x700070", "r4 0"], *BANK) == [0x800080]

    def a_bus_error_is_traced(self):
        for line in ("w4 0x10 0x700070", " w4 0x10 0x700070"):
            done = run([line], *BANK, "--secure-only", "--trace")
            assert done.stdout.endswith(b"flash fault off 0x10 size 4 value 0x700070\n"), done
            done = run([line], *BANK, "--secure-only", "--trace", "--json")
            assert json.loads(done.stdout.splitlines()[-1]) == {
                "trace": "fault", "off": "0x10", "size": "0x4", "value": "0x700070",
                "text": None}, done

    def commands_are_on_the_highest_byte_of_big_endian_chips(self):
        assert answers(["w4 0 0x70007000", "r4 0"], *BANK, "--big-endian") == [0x80008000]
        assert answers([*program(0, 0x12345678), "r4 0"], *BANK, "--big-endian") == [0xffffffff]

    def the_standard_set_says_so_in_its_table(self):
        lines = ["w4 0 0x980098", "r4 0x4c"]
        assert answers(lines, *BANK, "--set", "intel-standard") == [0x030003]
        assert answers(lines, *BANK, "--set", "intel") == [0x010001]

    def the_nth_program_or_erase_fails(self):
        lines = [*(["w4 0 0x400040", "w4 0 0", "r4 0", *CLEAR] * 3), *([*ERASE, "r4 0", *CLEAR] * 3)]
        assert answers(lines, *BANK, "--fail-program", "2", "--fail-erase", "3") == [
            0x800080, 0x900090, 0x800080, 0x800080, 0x800080, 0xa000a0]

    def a_sector_has_an_endurance(self):
        lines = [*ERASE, "r4 0", *CLEAR] * 4
        assert answers(lines, *BANK, "--endurance", "2") == [0x800080] * 2 + [0xa000a0] * 2
        assert answers(lines, *BANK, "--endurance", "0") == [0x800080] * 4

    def a_bad_sector_fails_always(self):
        lines = []
        for sector in range(4):
            lines += [f"w4 {sector * 0x10000} 0x200020", f"w4 {sector * 0x10000} 0xd000d0", "r4 0",
                      *CLEAR]
        expected = [0x800080, 0xa000a0, 0x800080, 0xa000a0]
        assert answers(lines, *BANK, "--bad", "1,3,15") == expected

    def a_stuck_bit_does_not_change(self):
        lines = [*ARRAY, "w4 0x100 0x400040", "w4 0x100 0", "r4 0", *CLEAR, *ERASE, "r4 0", *ARRAY,
                 "r4 0x100", *program(0x100, 0), "r4 0x100"]
        # The lowest bit of the first byte can never be cleared, that of the last never be set.
        found = answers(lines, *BANK, "--stuck", "0x100=0/1,0x103=0x01")
        assert found == [0x800090, 0xa00080, 0xfeffffff, 0x00000001], list(map(hex, found))

    def failures_at_random_are_those_of_the_seed(self):
        lines = ["w4 0 0x400040", "w4 0 0", "r4 0", *CLEAR] * 200
        ppm = ("--program-ppm", "100000", "--seed")
        one = answers(lines, *BANK, *ppm, "1")
        assert one == answers(lines, *BANK, *ppm, "1") != answers(lines, *BANK, *ppm, "2")
        assert 20 < sum(status != 0x800080 for status in one) < 60, one
        assert answers(lines, *BANK, "--erase-ppm", "1000000") == [0x800080] * 200
        assert answers([*ERASE, "r4 0"], *BANK, "--erase-ppm", "1000000") == [0xa000a0]

    def erases_are_counted_by_sector(self):
        lines = [*ERASE, *ERASE, "w4 0x30000 0x200020", "w4 0x30000 0xd000d0", "stats"]
        out = run(lines, *BANK, "--endurance", "0").stdout.decode()
        assert re.search(r"\n\nSECTOR  ERASES\n +0 +2\n +3 +1\n$", out), out
        told = json.loads(run(lines, *BANK, "--bad", "9", "--json").stdout)
        assert told["wear"] == [{"sector": "0x0", "erases": "0x2"},
                                {"sector": "0x3", "erases": "0x1"}], told
        assert "wear" not in json.loads(run(lines, *BANK, "--json").stdout)

    def wear_and_failures_are_checked(self):
        for options, expected in (
                (["--endurance", "4294967296"], "--endurance: 4294967296, expected at most 4294"),
                (["--fail-program", "0"], "--fail-program: 0, expected a number from 1 on"),
                (["--fail-erase", "0"], "--fail-erase: 0, expected a number from 1 on"),
                (["--program-ppm", "1000001"], "--program-ppm: 1000001, expected at most 1000000"),
                (["--erase-ppm", "1000001"], "--erase-ppm: 1000001, expected at most 1000000"),
                (["--erase-ppm", "8589934592"], "--erase-ppm: 8589934592, expected at most"),
                (["--seed", "x"], '--seed: "x", expected a number'),
                (["--bad", "x"], '--bad: "x", expected the number of a sector'),
                (["--bad", "1,,2"], '--bad: "", expected the number of a sector'),
                (["--bad", "0,16"], "--bad: entry 2: 16, expected a block below 16"),
                (["--stuck", "1"], '--stuck: "1", expected OFF=M0 or OFF=M0/M1'),
                (["--stuck", "1=256"], '--stuck: "1=256", expected OFF=M0'),
                (["--stuck", "1=1/"], '--stuck: "1=1/", expected OFF=M0'),
                (["--stuck", "1=1,=1"], '--stuck: "=1", expected OFF=M0'),
                (["--stuck", "1=1/2/3"], '--stuck: "1=1/2/3", expected OFF=M0'),
                (["--stuck", "1M=1"], "--stuck: entry 1: 0x100000, expected a byte of the bank's"),
                (["--stuck", "1=1,2=3/1"], "--stuck: entry 2: has bits 0x1 in zeros and in ones")):
            refused(expected, *BANK, "--image", "v.fd", "--create", "--registers", "r.bin",
                    *options)

    def other_choices_are_checked(self):
        refused('--time: "fast", expected instant, typical or maximum', *BANK, "--time", "fast")
        refused('--profile: "qemu-7.2": .*expected no --big-endian with it', *BANK, "--profile",
                "qemu-7.2", "--big-endian")


class Parts:
    FILES = {b"v.fd"}
    J3 = ("--part", "28F128J3")

    def a_part_is_what_its_datasheet_says(self):
        codes = ["w2 0 0x90", "r2 0", "r2 2", "r1 0xffffff"]
        assert answers(codes, *self.J3) == [0x89, 0x18, 0]
        wrong("r1: OFF: 0x1000000, expected at most 0xffffff", ["r1 16M"], *self.J3)
        unlock = ["w2 0xaaa 0xaa", "w2 0x554 0x55", "w2 0xaaa 0x90"]
        assert answers([*unlock, "r2 0", "r2 2", "r2 0x1c"], "--part", "S29GL256P") == [
            0x01, 0x227e, 0x2222]

    def a_bus_has_as_many_chips_as_it_is_wide_for(self):
        assert answers(["w4 0 0x900090", "r4 4", "r1 0x1ffffff"], *self.J3, "--bank-width",
                       "4") == [0x180018, 0]
        lines = ["w1 0xaaa 0xaa", "w1 0x555 0x55", "w1 0xaaa 0x90", "r1 0", "r1 2"]
        assert answers(lines, "--part", "Am29LV160DT", "--bank-width", "1") == [0x01, 0xc4]
        assert answers(lines, "--part", "Am29LV160DT", "--byte-mode", "--bank-width", "1") == [
            0x01, 0xc4]

    def a_part_has_its_times_if_time_is_asked_for(self):
        lines = ["w2 0 0x40", "w2 0 0", "tick 255999", "r2 0", "tick 1", "r2 0"]
        unlock = ["w2 0 0x60", "w2 0 0xd0"]
        assert answers([*unlock, *lines], "--part", "28F256P30", "--time", "typical") == [0, 0x80]
        assert answers([*unlock, *lines], "--part", "28F256P30") == [0x80, 0x80]

    def every_part_of_the_list_is_taken(self):
        listed = re.search(rb"expected one of ([^;]*)", run([], "--part", "?").stderr)
        names = listed[1].decode().strip().split(", ")
        assert len(names) >= 8 and "28F128J3" in names, names
        for name in names:
            assert run([], "--part", name, "--bank-width", "8").returncode == 0, name

    def the_size_of_a_part_is_its_own(self):
        assert answers(["r1 0"], *self.J3, "--size", "16M") == [0xff]
        refused("--size: 0x100000, expected none or the 0x1000000 of this part and bus", *self.J3,
                "--size", "1M", "--image", "v.fd", "--create")
        write("v.fd", b"\xff" * 1000)
        refused("--image: v.fd: 1000 bytes, expected the 16777216", *self.J3, "--image", "v.fd")

    def a_wrong_part_is_told_what_there_is_and_the_nearest(self):
        refused('--part: "28F128J", expected one of 28F320J3, .*; did you mean 28F128J3\\?$',
                "--part", "28F128J")
        refused('--part: "x{60}", expected one of [^;]*$', "--part", "x" * 5000)

    def what_a_part_has_is_not_given_beside_it(self):
        for option, value in (("set", "intel"), ("sector", "64K"), ("chip-width", "2"),
                              ("buffer", "64")):
            refused(f"--{option}: is given with --part, expected one of them", *self.J3,
                    f"--{option}", value)
        refused("--bank-width: 1, expected 2, 4 or 8 bytes", *self.J3, "--bank-width", "1")
        refused("--byte-mode: is set, expected a part that has it", *self.J3, "--byte-mode")

    def wp_protects_an_outermost_sector_while_it_is_low(self):
        program_ = ["w2 0xaaa 0xaa", "w2 0x554 0x55", "w2 0xaaa 0xa0"]
        last = 0x1fffffe
        for which, expected in (("first", [0xffff, 0]), ("last", [0, 0xffff]), ("none", [0, 0])):
            lines = [*program_, "w2 0 0", *program_, f"w2 {last} 0", "r2 0", f"r2 {last}",
                     "pins wp-high", *program_, "w2 0 0", *program_, f"w2 {last} 0", "r2 0",
                     f"r2 {last}"]
            assert answers(lines, "--part", "S29GL256P", "--wp-sector", which) == [
                *expected, 0, 0], which
        refused("--wp-sector: is given with intel chips, expected amd ones", *BANK,
                "--wp-sector", "first")
        refused('--wp-sector: "top", expected none, first or last', *BANK, "--wp-sector", "top")


class Registers:
    FILES = {b"v.fd", b"r.bin", b"s.sav"}
    FILE = (*BANK, "--registers", "r.bin")
    # A word of the user's protection register, and what reads it.
    PROGRAM = ["w4 0x214 0xc000c0", "w4 0x214 0x12341234", *ARRAY]
    READ = ["w4 0 0x900090", "r4 0x214", *ARRAY]

    def they_are_kept_in_the_file(self):
        answers(self.PROGRAM, *self.FILE, "--create")
        assert answers(self.READ, *self.FILE) == [0x12341234]
        assert answers(self.READ, *self.FILE, "--create") == [0x12341234]
        assert answers(self.READ, *BANK) == [0xffffffff]

    def fresh_ones_have_the_factory_s_number(self):
        lines = ["w4 0 0x900090", "r4 0x204", "r4 0x208"]
        assert answers(lines, *self.FILE, "--create", "--unique", "0x12345678") == [
            0x56785678, 0x12341234]
        assert answers(lines, *self.FILE, "--unique", "1") == [0x56785678, 0x12341234]

    def a_saved_state_has_them(self):
        answers([*self.PROGRAM, "save s.sav"], *BANK)
        assert answers(["load s.sav", *self.READ], *self.FILE, "--create") == [0x12341234]
        assert answers(self.READ, *self.FILE) == [0x12341234]

    def a_file_of_another_bank_is_left_alone(self):
        for size in (0, 10, 4096):
            write("r.bin", b"\xff" * size)
            refused(f"--registers: r.bin: {size} bytes, expected the [0-9]+ of this bank",
                    *self.FILE, "--create", "--image", "v.fd")

    def a_file_that_is_absent_is_told(self):
        refused("--registers: .*r.bin: .*No such file", *self.FILE)
        refused("--registers: .*", *BANK, "--registers", ".")

    def no_file_is_made_when_an_option_is_wrong(self):
        for options in (["--bank-width", "3"], ["--chip-width", "8"], ["--image", "no/v.fd"],
                        ["--profile", "qemu-7.2", "--bank-width", "8"], ["--bad", "99"]):
            refused("", *self.FILE, "--create", *options)
            assert not os.path.exists("r.bin"), options

    def they_are_only_read_where_that_is_asked_for(self):
        answers(self.PROGRAM, *self.FILE, "--create")
        before = content("r.bin")
        assert answers([*self.PROGRAM, *self.READ], *self.FILE, "--read-only") == [0x12341234]
        assert content("r.bin") == before
        # Nor does the factory's number come into fresh ones.
        write("r.bin", b"\xff" * len(before))
        answers([], *self.FILE, "--read-only")
        assert content("r.bin") == b"\xff" * len(before)

    def they_are_never_saved_over(self):
        before = answers([], *self.FILE, "--create") or content("r.bin")
        wrong("save: r.bin: is one of the bank's own", ["save r.bin"], *self.FILE)
        assert content("r.bin") == before


GROUPS = {group.__name__.lower(): group for group in (Chips, Parts, Registers)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
