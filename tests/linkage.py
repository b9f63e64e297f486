#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the built objects link, so that licences and dependencies stay apart.

linkage.py EXAMPLES KIND=FILE...: the libraries, and the board if the folder EXAMPLES has one.

The core, and the board (whose libunicorn is GPL-2), never load libcrypto or libpmem, neither
directly nor through another library. Each side library has its own dependency and not the other's.
libpmem is loaded when there is persistent memory, and by nobody before: with what it brings (Debian's has
libcrypto, by way of libndctl and libkmod) it would be a third of the start of the command.
"""
import os
import re
import subprocess
import sys

APART = ("libcrypto", "libssl", "libpmem", "libfirmem-")
# kind: (libraries it must name itself, must not name, must not load in any way)
RULES = {
    "core": ((), APART, APART),
    "nvdimm": (("libfirmem",), (), ("libpmem", "libcrypto", "libssl", "libfirmem-measure")),
    "measure": (("libcrypto", "libfirmem"), (), ("libpmem", "libfirmem-nvdimm")),
    "command": ((), (), ("libpmem",)),
    "board": (("libunicorn",), APART, APART),
}


def output(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def needed(path):
    """The libraries that the file itself names."""
    return re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-dW", path))


def loaded(path):
    """Those and what they load in turn."""
    return re.findall(r"^\s*(\S+)", output("ldd", path), re.M)


def faults(kind, path):
    own, every = needed(path), loaded(path)
    must, not_named, not_loaded = RULES[kind]
    if not own:
        yield "names no library at all: is it what was built?"
    for name in must:
        if not any(lib.startswith(name + ".so") for lib in own):
            yield f"does not name {name}"
    for how, names, libs in (("names", not_named, own), ("loads", not_loaded, every)):
        for lib in libs:
            if os.path.basename(lib).startswith(names):
                yield f"{how} {lib}"


def boards(folder):
    for top, _, names in os.walk(folder):
        if "firmem-board" in names:
            yield os.path.join(top, "firmem-board")


def main(examples, *arguments):
    objects = [argument.split("=", 1) for argument in arguments]
    objects += [("board", path) for path in boards(examples)]
    bad = 0
    for kind, path in objects:
        for fault in faults(kind, path):
            print(f"{path} ({kind}): {fault}")
            bad += 1
    print(f"{bad} faults in: {', '.join(kind for kind, _ in objects)}")
    return 1 if bad or not objects else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
