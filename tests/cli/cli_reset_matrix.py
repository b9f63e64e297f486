#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
firmem reset over role x backing x kind x request: cli_reset_matrix.py COMMAND GROUP; see cli.py.

What is expected is written here a second time, from what each class of memory is for, and in another form than the
library's table: letters as in docs/reset.md's words, and rules for backings.
"""
import json
import sys

import cli
from cli import cells, pairs, run, tree, write
from cli_reset import KINDS, memory, policy

# Power-on, system, s3, kexec, snapshot, system with a memory overwrite, confidential.
# K keep, Z zero, R reload, F flush-keep, L load, N refuse, D discard, U unplug, B rebuild, A acknowledge; m measure.
RAM = "Z K K K L Z D"
KEPT = "F F F K K F F"
COPY = "R R K K L R Rm"
MATRIX = {
    "ram": RAM, "dimm": RAM, "smram": RAM, "s3-preserved": RAM, "virtio-mem": "U U K K L U D",
    "nvdimm": KEPT, "label": KEPT, "virtio-pmem": KEPT, "flash-vars": "F F F K L F F",
    "flash-code": "F F F K K F Fm", "rom": COPY, "option-rom": COPY, "table": COPY,
    "vram": "Z K K K L Z Z", "device": "Z Z K K L Z Z", "ppi": "Z K K K L A Z",
    "private": "D N N K N B Bm",
}
WORDS = {"K": "keep", "Z": "zero", "R": "reload", "F": "flush-keep", "L": "load", "N": "refuse",
         "D": "discard", "U": "unplug", "B": "rebuild", "A": "acknowledge"}
NONVOLATILE = {"nvdimm", "label", "virtio-pmem", "flash-code", "flash-vars"}
COPIES = {"rom", "option-rom", "table"}
ENDS = {"zero", "discard", "unplug", "rebuild"}
FILE = {"backing": b"file\0", "path": b"x\0"}
BACKINGS = {
    "anon": {}, "memfd": {"backing": b"memfd\0"}, "anon-shared": {"shared": b""}, "file": FILE,
    "file-shared": {**FILE, "shared": b""}, "file-ours": {**FILE, "shared": b"", "created": b""},
    "file-consent": {**FILE, "shared": b"", "consent": b""},
    "pmem": {"backing": b"pmem\0", "path": b"x\0"},
    "pmem-consent": {"backing": b"pmem\0", "path": b"x\0", "consent": b""},
    "adopted": {"backing": b"adopted\0"}, "adopted-consent": {"backing": b"adopted\0", "consent": b""},
    "host-device": {"host_device": b""}, "host-device-file": {**FILE, "host_device": b"", "shared": b""},
    "read-only": {"read_only": b""},
    "read-only-file": {**FILE, "shared": b"", "read_only": b"", "consent": b""},
    "pinned": {"pinned": b""}, "pinned-memfd": {"pinned": b"", "backing": b"memfd\0"},
    "no-migrate": {"no_migrate": b""},
}


def cell(role, kind, asked):
    """What the matrix says, and whether it is measured."""
    row = MATRIX[role].split()
    letter = row[6 if kind == "confidential" else KINDS.index(kind)]
    if asked and kind in ("power-on", "system"):
        letter = row[5]
    # The page with the request: answered where memory is cleared, and kept where it is not.
    if asked and role == "ppi" and kind in ("confidential", "snapshot"):
        letter = "A" if kind == "confidential" else "K"
    return WORDS[letter[0]], letter.endswith("m")


def expected(role, backing, kind, asked, saved=None):
    """(action, flush, persist, quiesce, measure) of a block of its own."""
    said = BACKINGS[backing]
    made_of = said.get("backing", b"anon\0")[:-1].decode()
    shared = "shared" in said or made_of in ("memfd", "pmem")
    on_file = made_of in ("file", "pmem") and shared
    foreign = made_of == "adopted" or on_file and "created" not in said
    action, measured = cell(role, kind, asked)
    if kind == "snapshot" and role in NONVOLATILE:
        action = {None: "refuse", "carried": "load", "digest": "keep"}[saved]
    elif action == "load" and "no_migrate" in said:
        action = "reload" if role in COPIES else "zero"
    if role == "private":
        if action in ENDS and ("pinned" in said or foreign or made_of in ("file", "pmem")):
            action, measured = "refuse", False
        return action, False, False, False, measured
    if "host_device" in said and (action in ENDS or action == "reload"):
        action, measured = "keep", False
    if "read_only" in said:
        if action == "reload" or action == "zero" and not shared:
            action = "keep"
        elif action in ENDS or action == "acknowledge":
            action = "refuse"
    if action in ENDS and foreign and "consent" not in said:
        action = "refuse"
    changes = action in ENDS or action in ("reload", "load")
    flush = action == "flush-keep"
    return (action, flush, on_file and (changes or flush),
            changes and shared or role == "virtio-pmem" and flush, measured and action != "refuse")


def cases():
    for kind in KINDS:
        for asked in (False, True):
            for saved in (None, "carried", "digest") if kind == "snapshot" else (None,):
                yield kind, asked, saved


def reset(verb, blocks, kind, asked, saved):
    """Status and answer for a machine of (role, backing) blocks."""
    nodes = [memory(f"b{i}", role.encode(), name=f"{role}.{backing}".encode() + b"\0",
                    reg=pairs(0x100000000 + i * 0x2000, 0x1000), **BACKINGS[backing])
             for i, (role, backing) in enumerate(blocks)]
    write("a.dtb", tree(*nodes))
    known = {"carried": {"carried": True}, "digest": {"digest": "00ff"}}.get(saved, {})
    names = policy({"snapshot": [{"block": f"{role}.{backing}", **known} for role, backing in blocks
                                 if known and role in NONVOLATILE]})
    done = run("reset", verb, "--dtb", "a.dtb", "--kind", kind, "--json", "--policy", names,
               *["--memory-overwrite"] * asked)
    assert done.returncode in (0, 1) and not done.stderr, done
    return done.returncode, json.loads(done.stdout)


ALL = [(role, backing) for role in MATRIX for backing in BACKINGS]


class Matrix:
    FILES = {b"a.dtb", b"policy.json"}

    def every_cell_is_as_it_is_written_here(self):
        for case in cases():
            status, answer = reset("plan", ALL, *case)
            assert len(answer["plan"]) == len(ALL)
            # There is memory that is not cleared here, so a request is never answered.
            assert answer["overwrite"] == ("pending" if case[1] else "none"), (case, answer["overwrite"])
            for (role, backing), step in zip(ALL, answer["plan"]):
                want = expected(role, backing, *case)
                if want[0] == "acknowledge":
                    want = ("keep", *want[1:])
                found = (step["action"], step["flush"], step["persist"], step["quiesce"],
                         step["measure"])
                assert found == want, (case, step, want)
            refused = any(step["action"] == "refuse" for step in answer["plan"])
            assert refused == answer["refused"] == bool(status), case

    def every_cell_is_done_as_it_is_planned(self):
        for case in cases():
            blocks = [(role, backing) for role, backing in ALL if not backing.startswith("host-device")
                      and expected(role, backing, *case)[0] != "refuse"]
            status, answer = reset("test", blocks, *case)
            kind, asked, _ = case
            clears = asked and kind in ("power-on", "system", "confidential")
            assert answer["as_planned"] and answer["acknowledged"] == clears, (case, answer)
            assert answer["overwrite"] == ("clear" if clears else "pending" if asked else "none"), case
            left = 0
            for (role, backing), step in zip(blocks, answer["test"]):
                action = expected(role, backing, *case)[0]
                kept = action in ("keep", "flush-keep")
                assert step["action"] == step["done"] == action, (case, step, action)
                if role == "ppi":
                    continue
                assert step["secret_left"] == ("0x1000" if kept else "0x0"), (case, step)
                left += kept and role not in NONVOLATILE
            assert answer["volatile_secret_left"] == hex(left * 0x1000), case
            assert status == (left > 0), case

    def rules_contradict_where_they_meet(self):
        write("a.dtb", tree(memory("a", size=cells(0x1000))))
        subjects = ({"block": "a"}, {"role": "ram"})
        rules = [{**subject, **({"kinds": kinds} if kinds else {}),
                  **({"memory_overwrite": when} if when is not None else {})}
                 for subject in subjects for kinds in (None, ["system"], ["s3"], ["s3", "system"])
                 for when in (None, True, False)]

        def resets(rule):
            return {(kind, when) for kind in rule.get("kinds", KINDS)
                    for when in ((True, False) if "memory_overwrite" not in rule
                                 else (rule["memory_overwrite"],))}

        for i, one in enumerate(rules):
            for other in rules[i:]:
                content = {"rules": [{**one, "action": "keep"}, {**other, "action": "discard"}]}
                done = run("reset", "plan", "--dtb", "a.dtb", "--kind", "power-on", "--policy",
                           policy(content))
                same = one.get("block") == other.get("block")
                assert done.returncode == (2 if same and resets(one) & resets(other) else 0), content


GROUPS = {"matrix": Matrix}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
