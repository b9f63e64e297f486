#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Options and files of firmem flash run: cli_flash_files.py COMMAND GROUP; see cli.py."""
import os
import re
import resource
import sys

import cli
from cli import write
from flash_session import BANK, MIB, Driven, answers, content, program, refused, run, wrong


class Options:
    FILES = {b"v.fd", b"small"}

    def a_wrong_set_is_told_what_there_is(self):
        refused('--set: "inel", expected intel, amd or intel-standard$', *BANK, "--set", "inel")

    def a_wrong_profile_is_told_what_there_is_and_the_nearest(self):
        refused('--profile: "vrit", expected one of datasheet, virt, .*; did you mean virt\\?$',
                *BANK, "--profile", "vrit")
        refused('--profile: "zzzzzzz", expected one of datasheet, virt, [^;]*$', *BANK,
                "--profile", "zzzzzzz")
        refused("--profile: \"x{60}\", expected", *BANK, "--profile", "x" * 5000)

    def widths_are_checked(self):
        for width in ("0", "3", "5", "16", "0x10000000000000004", "4294967300"):
            refused(f"--bank-width: {width if width[:2] != '0x' else '.*'}, expected", *BANK,
                    "--bank-width", width)
        for width in ("0", "3", "16", "4294967298"):
            refused(f"--chip-width: {width}, expected 1, 2 or 4 bytes", *BANK, "--chip-width",
                    width)
        refused("--chip-width: 8, expected 1, 2 or 4 bytes and at most the bank's 8", *BANK,
                "--bank-width", "8", "--chip-width", "8")
        refused("--chip-width: 2, expected 1, 2 or 4 bytes and at most the bank's 1", *BANK,
                "--bank-width", "1", "--chip-width", "2")

    def what_a_profile_wants_is_told_by_its_option(self):
        refused('--profile: "qemu-7.2": .*one-state, expected a --bank-width of at most 4, not 8',
                *BANK, "--profile", "qemu-7.2", "--bank-width", "8")
        refused('--profile: "qemu-7.2": .*one region, not 2', "--size", "1M", "--sector",
                "8Kx8,64K", "--profile", "qemu-7.2")
        refused('--profile: "qemu-7.2-board": .*--chip-width', *BANK, "--profile",
                "qemu-7.2-board", "--chip-width", "2")

    def sectors_are_checked(self):
        for text, expected in (
                ("", "expected something"), (",", '"", expected SIZE or SIZExCOUNT'),
                ("64Kx", '"64Kx", expected SIZE or SIZExCOUNT'),
                ("x8", '"x8", expected SIZE or SIZExCOUNT'),
                ("64Kx8x8", '"64Kx8x8", expected SIZE or SIZExCOUNT'),
                ("64K x8", '"64K x8", expected SIZE or SIZExCOUNT'),
                ("64KX8", '"64KX8", expected SIZE or SIZExCOUNT'),
                ("1" * 100, '"1{63}", expected SIZE or SIZExCOUNT'),
                ("64Kx16,", '"", expected SIZE or SIZExCOUNT'),
                ("0", '"0": size 0x0, expected 0x100 to'),
                ("0x16", '"0x16" leaves 0x100000 bytes of the bank\'s 0x100000'),
                ("2T", '"2T": size 0x20000000000, expected 0x100 to 0x10000000000 bytes'),
                ("64Kx0", '"64Kx0": count 0, expected 1 to 65536'),
                ("64Kx65537", '"64Kx65537": count 65537, expected 1 to 65536'),
                ("64K,8K", '"64K,8K": entry 1 has no count, expected that of the last only'),
                ("8Kx8", '"8Kx8" makes 0x10000 bytes, expected the bank\'s 0x100000'),
                ("64Kx17", '"64Kx17" makes 0x110000 bytes, expected the bank\'s 0x100000'),
                ("64Kx16,8K", '"64Kx16,8K" leaves 0x0 bytes of the bank\'s 0x100000, expected 1 '
                              'to 65536 times 0x2000'),
                ("64Kx17,8K", '"64Kx17,8K" leaves 0x0 bytes'),
                ("8Kx8,100K", '"8Kx8,100K" leaves 0xf0000 bytes of the bank\'s 0x100000'),
                ("1Kx1,1Kx1,1Kx1,1Kx1,1K", ", expected at most 4 entries"),
                ("256", "entry 1: 0x100, expected a multiple of 0x200 .256 bytes of each of 2"),
                ("512x1024,256", "entry 2: 0x100, expected a multiple of 0x200")):
            refused("--sector: .*" + expected, "--size", "1M", "--sector", text)
        refused("--sector: is missing, expected a size that divides the bank's 0xc8000 bytes: "
                "the default, 256K, does not", "--size", "800K")

    def the_size_is_checked(self):
        refused("--size: is missing, expected the bytes of the bank")
        refused("--size: is missing", "--sector", "64K")
        refused("--size: 0, expected at least one sector", "--size", "0")
        refused("--size: 0x100000001, expected at most 0x100000000 bytes", "--size", "4294967297")
        refused('--size: "1MB", expected a number', "--size", "1MB")

    def the_buffer_is_checked(self):
        for value in ("0", "3", "2", "1M", "4294967296"):
            refused("--buffer: 0x[0-9a-f]+, expected a power of two", *BANK, "--buffer", value)

    def options_that_contradict_are_told(self):
        refused("--create: is given without --image", *BANK, "--create")
        refused("--create: is given with --read-only, expected one", *BANK, "--create",
                "--image", "v.fd", "--read-only")
        refused("--byte-mode: is given with --set intel, expected --set amd", *BANK, "--byte-mode")
        refused("--byte-mode: is given with a chip width of 2, expected --chip-width 1",
                *BANK, "--set", "amd", "--byte-mode")

    def an_image_of_another_size_is_left_alone(self):
        write("small", b"\0" * 1000)
        refused("--image: small: 1000 bytes, expected the 1048576 bytes", *BANK, "--image",
                "small")
        refused("--image: small: 1000 bytes", *BANK, "--image", "small", "--create")
        refused('--sector: "64K" leaves 0x3e8 bytes', "--sector", "64K", "--image", "small")
        refused("--sector: is missing, expected a size that divides the bank's 0x3e8", "--image",
                "small")

    def an_image_is_not_made_when_an_option_is_wrong(self):
        for options in (["--bank-width", "3"], ["--profile", "x"], ["--sector", "8Kx8"],
                        ["--set", "x"], ["--buffer", "3"], ["--chip-width", "8"],
                        ["--narrow", "x"], ["--zzzzz"],
                        ["--profile", "qemu-7.2", "--bank-width", "8"]):
            refused("", "--size", "1M", "--image", "v.fd", "--create", *options)
            assert not os.path.exists("v.fd"), options

    def an_image_that_is_absent_is_told(self):
        refused("--image: v.fd: .*No such file", *BANK, "--image", "v.fd")
        refused("--image: .: .*", *BANK, "--image", ".")
        refused("--image: no/v.fd: .*No such file", *BANK, "--image", "no/v.fd", "--create")

    def an_unknown_option_is_told(self):
        refused("--sise: no such option, did you mean --size", "--sise", "1M")
        refused('"1M": expected an option', "1M")

    def the_help_fits_a_terminal_and_tells_every_operation(self):
        done = cli.run("flash", "run", "--help")
        lines = done.stdout.decode().splitlines()
        assert done.returncode == 0 and all(len(line) <= 100 for line in lines), done
        for word in ("w1|w2|w4|w8 OFF VAL", "r1|r2|r4|r8 OFF", "tick NS", "reset", "flush",
                     "save FILE", "load FILE", "stats", "power-off", "#", "--sector N[xCOUNT],..."):
            assert any(line.strip().startswith(word) for line in lines), word


class Files:
    FILES = {b"v.fd", b"v.fd.journal", b"s.sav", b"t.sav", b"link"}
    IMAGE = (*BANK, "--image", "v.fd", "--create")

    def an_image_keeps_what_was_programmed(self):
        answers(program(0, 0x1234), *self.IMAGE)
        assert answers(["r4 0"], *self.IMAGE) == [0x1234]
        assert answers(["r4 0", "r4 0xffffc"], "--image", "v.fd") == [0x1234, 0xffffffff]

    def an_image_is_open_once(self):
        with Driven(*self.IMAGE) as session:
            session.say("r1 0")
            session.hear()
            refused("--image: v.fd: process [0-9]+ has it open",
                    *self.IMAGE)
            assert session.end() == 0

    def an_image_is_only_read_where_that_is_asked_for(self):
        write("v.fd", bytes(MIB))
        lines = ["w4 0 0x200020", "w4 0 0xd000d0", "w4 0 0xff00ff", "r4 0"]
        assert answers(lines, "--image", "v.fd", "--read-only") == [0]
        assert content("v.fd") == bytes(MIB)

    def a_file_that_cannot_grow_is_told_at_the_flush(self):
        write("v.fd", b"\xff" * 4 * MIB)

        def limit():
            # Enough for the journal, and not for the place in the image.
            resource.setrlimit(resource.RLIMIT_FSIZE, (5 * MIB // 2, 5 * MIB // 2))
        lines = [*program(0x300000, 0x1234), "r4 0x300000"]
        for last, told in (("", "end of input: "), ("flush\n", "line 5: flush: "),
                           ("power-off\n", "line 5: power-off: "), ("x\n", "line 5: .*; then ")):
            data = "".join(line + "\n" for line in lines) + last
            done = run(data.encode(), "--image", "v.fd", preexec_fn=limit)
            assert done.returncode == 2 and done.stdout == b"0x00001234\n", done
            assert re.search(rb"flash run: %bv.fd: .*File too large" % told.encode(),
                             done.stderr), done.stderr
            # What the image could not take is in the journal, and the next one has it.
            assert answers(["r4 0x300000"], "--image", "v.fd", "--read-only") == [0x1234]
            os.remove("v.fd.journal")

    def a_state_is_saved_and_loaded_in_the_middle_of_a_buffer(self):
        begin = [*program(0x80000, 0x4321), "w4 0x100 0xe800e8", "w4 0x100 0x10001",
                 "w4 0x100 0x11111111", "save s.sav"]
        rest = ["w4 0x104 0x22222222", "w4 0x100 0xd000d0", "r4 0", "w4 0 0xff00ff", "r4 0x100",
                "r4 0x104", "r4 0x80000"]
        expected = [0x800080, 0x11111111, 0x22222222, 0x4321]
        assert answers(begin + rest, *BANK) == expected
        assert answers(["load s.sav", *rest], *BANK) == expected
        # Also over a bank that went on, and twice.
        assert answers([*begin, *rest, "load s.sav", *rest, "load s.sav", *rest],
                       *BANK) == 3 * expected

    def a_loaded_state_reaches_the_image(self):
        answers([*program(0x10, 0x1234), "save s.sav"], *BANK)
        answers([*program(0x20000, 0), "load s.sav"], *self.IMAGE)
        expected = bytearray(b"\xff" * MIB)
        expected[0x10:0x14] = b"\x34\x12\0\0"
        assert content("v.fd") == expected

    def a_loaded_state_is_in_the_image_at_once(self):
        answers([*program(0x10, 0x1234), "save s.sav"], *BANK)
        with Driven(*self.IMAGE) as session:
            session.say("load s.sav")
            session.say("r1 0x10")
            assert session.hear() == "0x34"
            assert content("v.fd")[0x10:0x12] == b"\x34\x12"

    def a_saved_erased_bank_is_small(self):
        answers(["save s.sav"], "--size", "64M")
        assert os.path.getsize("s.sav") < 65536
        answers(["save s.sav", *program(0x3fffffc, 1), "save s.sav"], "--size", "64M")
        assert os.path.getsize("s.sav") < 65536
        assert answers(["load s.sav", "r4 0x3fffffc"], "--size", "64M") == [1]

    def a_name_may_have_blanks(self):
        answers(["save  a b # c \t"], *BANK)
        assert os.path.exists("a b # c")
        assert answers(["load a b # c", "r1 0"], *BANK) == [255]
        os.remove("a b # c")

    def the_image_is_never_saved_over(self):
        os.symlink("v.fd", "link")
        for name in ("v.fd", "./v.fd", "link", "v.fd.journal"):
            wrong("save: .*: is one of the bank's own, expected another file",
                  [*program(0, 0x1234), f"save {name}"], *self.IMAGE)
            assert len(content("v.fd")) == MIB and os.path.islink("link")
            assert not os.path.exists("v.fd.journal")

    def a_corrupted_state_is_refused_and_changes_nothing(self):
        answers([*program(0, 0), "w4 0 0x700070", "save s.sav"], *BANK)
        whole = content("s.sav")
        answers(["w4 0 0x900090"], *self.IMAGE)
        before = content("v.fd")
        spots = [*range(0, 200, 7), *range(200, len(whole), len(whole) // 20), len(whole) - 1]
        for at in spots:
            write("t.sav", whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1:])
            wrong("load: t.sav: .*saved state", ["load t.sav"], *self.IMAGE)
        for length in spots[:-1]:
            write("t.sav", whole[:length])
            wrong("load: t.sav: .*saved state", ["load t.sav"], *self.IMAGE)
        write("t.sav", b"")
        wrong("load: t.sav: .*saved state", ["load t.sav"], *self.IMAGE)
        assert content("v.fd") == before

    def a_state_of_another_bank_is_refused(self):
        answers(["save s.sav"], "--size", "2M", "--sector", "64K")
        wrong("load: s.sav: .*0x200000 bytes, expected 0x100000", ["load s.sav"], *BANK)
        answers(["save s.sav"], *BANK)
        for options in (["--size", "1M", "--sector", "128K"], [*BANK, "--set", "amd"],
                        [*BANK, "--bank-width", "2"], [*BANK, "--chip-width", "1"],
                        [*BANK, "--buffer", "256"]):
            wrong("load: s.sav: ", ["load s.sav"], *options)
        assert answers(["load s.sav", "r1 0"], *BANK) == [255]

    def a_file_that_is_no_state_is_refused(self):
        write("t.sav", b"\xff" * 100)
        wrong("load: t.sav: .*does not start with", ["load t.sav"], *BANK)
        wrong("load: /dev/zero: ", ["load /dev/zero"], *BANK)


GROUPS = {group.__name__.lower(): group for group in (Options, Files)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
