#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Where blocks that come and go are put, next to the installed QEMU: qemu_ramblock.py PROGRAM [RUNS [SEED]].

Random memory backends are made and dropped in a QEMU without a machine and, by ramblock.c, with
fm_ramblock_place(); after each step both tell the same.
"""
import json
import random
import shutil
import subprocess
import sys

# Its guest pages are always of 4 KiB; an Arm machine without a CPU is taken to have pages of 1 KiB.
QEMU = "qemu-system-x86_64"
SKIP = 77
STEPS = 120
PAGE = 4096
# Few enough that equal sizes and equal gaps are common; not all are multiples of 256 KiB.
SIZES = [PAGE, 64 * PAGE, 64 * PAGE, 65 * PAGE, 128 * PAGE, 192 * PAGE, 192 * PAGE, 320 * PAGE, 1 << 20]


def steps(rng):
    """Pairs of name and size; size None: that one goes."""
    there, made = [], 0
    for _ in range(STEPS):
        if there and rng.random() < (0.6 if len(there) > 20 else 0.4):
            yield there.pop(rng.randrange(len(there))), None
        else:
            made += 1
            there.append(f"m{made}")
            yield there[-1], rng.choice(SIZES)


def theirs(todo):
    asked = [{"execute": "qmp_capabilities"}]
    for name, size in todo:
        asked.append({"execute": "object-del", "arguments": {"id": name}} if size is None else
                     {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram",
                                                             "id": name, "size": size}})
        asked.append({"execute": "human-monitor-command",
                      "arguments": {"command-line": "info ramblock"}})
    asked.append({"execute": "quit"})
    done = subprocess.run([QEMU, "-M", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"],
                          input="".join(json.dumps(a) + "\n" for a in asked), text=True,
                          capture_output=True, timeout=300)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    bad = [a for a in answers if "error" in a]
    if done.returncode or bad:
        sys.exit(f"QEMU: {bad[:1]} {done.stderr}")
    return [a["return"].replace("\r\n", "\n") for a in answers
            if isinstance(a.get("return"), str)]


def ours(program, todo):
    lines = [f"del {name}\n" if size is None else f"add {name} {size}\n" for name, size in todo]
    done = subprocess.run([program], input="".join(lines), text=True, capture_output=True,
                          timeout=300)
    if done.returncode:
        sys.exit(f"{program}: {done.stderr}")
    return [part + "\n" for part in done.stdout.split("\n\n")[:-1]]


def main(program, runs="20", seed="1"):
    if not shutil.which(QEMU):
        print(f"SKIP: no {QEMU} here")
        return SKIP
    for n in range(int(runs)):
        todo = list(steps(random.Random(int(seed) * 1000003 + n)))
        a, b = theirs(todo), ours(program, todo)
        assert len(a) == len(b) == STEPS, (len(a), len(b))
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                print(f"run {n} (seed {seed}), step {i} of {todo[:i + 1]}:\nQEMU:\n{x}firmem:\n{y}")
                return 1
    print(f"{runs} runs of {STEPS} steps: the same")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
