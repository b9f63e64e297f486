#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem flash recover, and the modes of a bank's image: cli_flash_recover.py COMMAND GROUP."""
import json
import os
import sys

import cli
from cli import write
from flash_session import BANK, MIB, Driven, answers, content, program, refused, wrong

IMAGE = (*BANK, "--image", "v.fd")
BLANK = b"\xff" * MIB


def recover(*arguments, status=0):
    done = cli.run("flash", "recover", *arguments, "--json")
    assert done.returncode == status, done
    assert done.stderr == b"", done
    return json.loads(done.stdout)


def kill(*options, words=((0x10, 0x12345678),)):
    """A bank that programs words, and whose process is killed before it writes its image."""
    with Driven(*options) as session:
        for off, value in words:
            for line in program(off, value):
                session.say(line)
        session.say("r4 0")
        session.hear()
    # The end of the session is a SIGKILL.


class Recover:
    FILES = {b"v.fd", b"v.fd.journal", b"empty"}

    def a_killed_bank_is_in_image_and_journal(self):
        write("v.fd", BLANK)
        kill(*IMAGE, "--interval", "3600000")
        assert content("v.fd") == BLANK
        assert recover("v.fd", "--check", status=1)["state"] == "pending"
        assert content("v.fd") == BLANK
        told = recover("v.fd")
        assert told["state"] == "recovered" and told["image"] == "v.fd", told
        assert int(told["records"], 16) == 1 and told["bytes"] in (4, "0x4"), told
        assert told["stopped"] == "nothing was written behind it"
        assert content("v.fd")[0x10:0x14] == b"\x78\x56\x34\x12"
        assert os.listdir(".") == ["v.fd"]
        assert recover("v.fd")["state"] == "no-journal"

    def the_next_run_finds_it_without_being_asked(self):
        write("v.fd", BLANK)
        kill(*IMAGE, "--interval", "3600000")
        assert answers(["r4 0x10"], *IMAGE) == [0x12345678]
        assert answers(["r4 0x10"], *IMAGE, "--read-only") == [0x12345678]

    def a_reader_never_saves_over_the_journal(self):
        write("v.fd", BLANK)
        kill(*IMAGE, "--interval", "3600000")
        before = content("v.fd.journal")
        for reader in (("--read-only",), ("--mode", "none")):
            wrong("save: v.fd.journal: is one of the bank's own", ["save v.fd.journal"], *IMAGE,
                  *reader)
            assert content("v.fd.journal") == before
        os.remove("v.fd.journal")
        wrong("save: v.fd.journal: is one of the bank's own", ["save v.fd.journal"], *IMAGE,
              "--read-only")
        assert os.listdir(".") == ["v.fd"]

    def a_reader_overlays_and_leaves_both_files(self):
        write("v.fd", BLANK)
        kill(*IMAGE, "--interval", "3600000")
        before = content("v.fd"), content("v.fd.journal")
        assert answers(["r4 0x10"], *IMAGE, "--read-only") == [0x12345678]
        assert answers(["r4 0x10"], *IMAGE, "--mode", "none") == [0x12345678]
        assert (content("v.fd"), content("v.fd.journal")) == before

    def a_journal_elsewhere_is_named(self):
        write("v.fd", BLANK)
        kill(*IMAGE, "--journal", "other", "--interval", "3600000")
        assert recover("v.fd")["state"] == "no-journal"
        # The image may stand behind the options.
        assert recover("--journal", "other", "v.fd")["state"] == "recovered"
        assert sorted(os.listdir(".")) == ["v.fd"]

    def one_that_does_not_belong_is_refused(self):
        write("v.fd", BLANK)
        kill(*IMAGE, "--interval", "3600000")
        write("v.fd", b"\xfe" + BLANK[1:])
        before = content("v.fd"), content("v.fd.journal")
        for arguments in ((), ("--check",)):
            cli.refused("v.fd.journal: changes for an image with digest [0-9a-f]{16} .*, expected "
                        "v.fd: with them digest [0-9a-f]{16}", "flash", "recover", "v.fd",
                        *arguments)
        write("v.fd", BLANK[1:])
        cli.refused("v.fd.journal: .*1048576 bytes, expected the 1048575", "flash", "recover",
                    "v.fd")
        write("v.fd", before[0])
        assert (content("v.fd"), content("v.fd.journal")) == before
        write("v.fd.journal", before[1][:100])
        cli.refused("v.fd.journal: 100 bytes, expected", "flash", "recover", "v.fd")
        write("v.fd.journal", b"x" * 50000)
        cli.refused("v.fd.journal: its headers are", "flash", "recover", "v.fd")

    def bad_arguments_are_named(self):
        cli.refused("IMAGE: is missing", "flash", "recover")
        cli.refused("IMAGE: is missing", "flash", "recover", "--check")
        cli.refused("none: open for reading: No such file", "flash", "recover", "none")
        write("empty", b"")
        cli.refused("empty: 0 bytes", "flash", "recover", "empty")
        cli.refused('"two": expected an option', "flash", "recover", "one", "two")
        assert os.listdir(".") == ["empty"]

    def an_image_that_is_open_is_refused_and_the_process_named(self):
        write("v.fd", BLANK)
        with Driven(*IMAGE) as session:
            session.say("r1 0")
            session.hear()
            cli.refused(f"v.fd: process {session.process.pid} has it open", "flash", "recover",
                        "v.fd")


class Modes:
    FILES = {b"v.fd"}

    def through_is_in_the_journal_at_once(self):
        write("v.fd", BLANK)
        kill(*IMAGE, "--mode", "through", words=((0, 1), (4, 2), (8, 3)))
        assert int(recover("v.fd")["records"], 16) == 3

    def none_writes_nothing(self):
        write("v.fd", BLANK)
        assert answers([*program(0, 5), "r4 0", "flush", "r4 0"], *IMAGE, "--mode", "none") == [5, 5]
        assert content("v.fd") == BLANK
        assert os.listdir(".") == ["v.fd"]

    def behind_is_in_the_image_at_the_end(self):
        write("v.fd", BLANK)
        answers(program(0, 5), *IMAGE, "--mode", "behind", "--interval", "1000")
        assert content("v.fd")[:4] == b"\5\0\0\0"

    def wrong_options_are_named(self):
        refused('--mode: "fast", expected behind, through or none', *BANK, "--mode", "fast")
        refused("--mode: is given without --image", *BANK, "--mode", "none")
        refused("--journal: is given without --image", *BANK, "--journal", "j")
        refused("--interval: is given without --image", *BANK, "--interval", "5")
        write("v.fd", BLANK)
        for interval in ("0", "3600001"):
            refused(f"--interval: {interval}, expected 1 to 3600000", *IMAGE, "--interval", interval)
        refused("--create: is given with --mode none", *IMAGE, "--create", "--mode", "none")
        refused("v.fd", *IMAGE, "--journal", "v.fd")


GROUPS = {group.__name__.lower(): group for group in (Recover, Modes)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
