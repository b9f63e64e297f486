#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""All figures: the programs of build/bench, then a bank and the board beside QEMU. bench.py [--json]

Exit 0 when every figure keeps to its bound, 1 when one does not, 2 when one cannot be measured.
"""
import json
import os
import subprocess
import sys

import board
import flash_batch
import written

LINE = "{name:<36} {value:>8}  {reference:<31} {other:>8}  {ratio:7.3f} (bound {bound:g})  {verdict}"


UNITS = {
    "ns": (("s", 1e9), ("ms", 1e6), ("us", 1e3)),
    "B": (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)),
}


def amount(value, unit):
    """As a person reads it: "39 ns", "5.3 us", "337 ms", "2.1 kB"."""
    for larger, size in UNITS.get(unit, ()):
        if value >= size:
            return f"{value / size:.3g} {larger}"
    return f"{value:.3g} {unit}"


def programs():
    folder = "build/bench"
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.startswith("bench_") and os.path.isfile(path) and os.access(path, os.X_OK):
            yield path


def figures():
    for path in programs():
        done = subprocess.run([path, "--json"], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{path} ended with {done.returncode}")
        yield from map(json.loads, done.stdout.splitlines())
    for beside_qemu in (flash_batch, board, written):
        why = beside_qemu.missing()
        if why:
            raise RuntimeError(why)
        for name, value, reference, other, bound, *unit in beside_qemu.figures():
            ratio = value / other
            yield {"name": name, "value": round(value, 1), "reference": reference,
                   "reference_value": round(other, 1), "unit": unit[0] if unit else "ns",
                   "ratio": round(ratio, 3),
                   "bound": bound, "verdict": "ok" if ratio <= bound else "over"}


def main(arguments):
    if arguments not in ([], ["--json"]):
        print(f"bench: {' '.join(arguments)}: unknown, expected --json", file=sys.stderr)
        return 2
    seen = []
    if not arguments:
        print("figure, its value, what it is measured against, its value, ratio (what it may be)")
    try:
        for figure in figures():
            seen.append(figure)
            if not arguments:
                shown = dict(figure, value=amount(figure["value"], figure["unit"]),
                             other=amount(figure["reference_value"], figure["unit"]))
                print(LINE.format(**shown), flush=True)
    except (OSError, RuntimeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if arguments:
        print(json.dumps({"figures": seen}, indent=1))
    return 1 if any(f["verdict"] == "over" for f in seen) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
