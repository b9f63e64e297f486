#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The symbol maps against the public headers, and against the libraries as built.

symbols.py --write             rewrite the maps
symbols.py check [LIBRARY...]  compare them with the headers and with `nm -D` of the .so files
"""
import os
import subprocess
import sys

from tree import Tree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# (library, map, node, floors whose headers it implements). A release adds a node.
LIBRARIES = (
    ("libfirmem.so", "firmem.map", "FIRMEM_0.1", ("devices", "rom", "flash", "powercut")),
    ("libfirmem-nvdimm.so", "nvdimm/firmem-nvdimm.map", "FIRMEM_NVDIMM_0.1", ("nvdimm",)),
    ("libfirmem-measure.so", "measure/firmem-measure.map", "FIRMEM_MEASURE_0.1", ("measure",)),
)


def wanted(tree, floors):
    return sorted({f for noun in tree.public() if tree.owner(noun) in floors
                   for f in tree.api(noun)})


def render(node, symbols):
    lines = "".join(f"\t{s};\n" for s in symbols)
    return f"{node} {{\nglobal:\n{lines}local:\n\t*;\n}};\n"


def exported(path):
    out = subprocess.run(["nm", "-D", "--defined-only", path], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    rows = [line.split() for line in out.splitlines()]
    return sorted(row[-1].split("@")[0] for row in rows if row[1] in "TDBRVW")


def differences(what, have, want):
    for name in sorted(set(want) - set(have)):
        print(f"{what}: lacks {name}")
    for name in sorted(set(have) - set(want)):
        print(f"{what}: has {name}, which no header declares")
    return have != want


def write(tree):
    for _, path, node, floors in LIBRARIES:
        symbols = wanted(tree, floors)
        if symbols:
            with open(os.path.join(tree.root, path), "w", encoding="utf-8") as file:
                file.write(render(node, symbols))


def check(tree, built):
    bad = False
    for library, path, node, floors in LIBRARIES:
        symbols = wanted(tree, floors)
        if symbols and (path not in tree.paths or tree.text(path) != render(node, symbols)):
            print(f"{path}: is not what the headers say: ./dev symbols writes it")
            bad = True
        for file in built:
            if os.path.basename(file).startswith(library):
                bad |= differences(file, exported(file), symbols)
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write(Tree(ROOT))
    else:
        sys.exit(check(Tree(ROOT), sys.argv[2:]))
