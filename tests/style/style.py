#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The rules of the house that a compiler does not know: style.py ROOT RULE [COMPILER...].

Each rule is a function below that yields (path, line, message); HACKING.md gives the reasons.
"""
import os
import re
import subprocess
import sys

from tree import FLOORS, PROGRAMS, STRING, Tree, line_of

# Which floors' private and public headers a floor may include, besides its own.
BELOW = {
    "devices": (),
    "rom": ("devices",),
    "flash": ("devices",),
    "nvdimm": ("devices",),
    "measure": (),
    "powercut": ("devices", "rom", "flash", "nvdimm"),
    "bench": ("powercut",),  # the crash model, which is a test's and is measured as such
}

# A library's headers, and where exactly one file may include them.
THIRD_PARTY = {
    "libfdt": r"libfdt\w*\.h|fdt\.h",
    "libpmem": r"libpmem\w*\.h",
    "OpenSSL": r"openssl/.*",
    "zlib": r"zlib\.h",
    "jansson": r"jansson\.h",
    "Unicorn": r"unicorn/.*",
    "nbdkit": r"nbdkit-\w+\.h",
    "libpng": r"png\.h",
}

# Private headers that need nothing but C and firmem/base.h: every floor may include them, so that bounds, byte
# order, the text of UUIDs and the copying of configs are written once.
EVERYWHERE = ("devices/bytes.h", "devices/config.h", "devices/uuid.h")

# Where more than one file may. OpenSSL's are two abstractions: streams of bytes, which every launch needs,
# and keys, which a build without ID blocks can leave out.
SHARED = {"OpenSSL": ("measure/digest.c", "measure/key.c")}

LONGEST = 600  # lines: what one reads in a sitting


def includes(tree, path):
    """(line, quoted?, name) of each include."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)', tree.code(path), re.M):
        yield line_of(tree.text(path), match.start()), match[1] == '"', match[2]


def rule_floors(tree):
    for noun in tree.public():
        if not tree.owner(noun):
            yield (f"include/firmem/{noun}.h", 1,
                   f"no folder, or more than one, has a {noun}.c: whose header is it?")
    for path in tree.within(FLOORS + PROGRAMS + ("include",)):
        top = path.split("/")[0]
        floor = tree.owner(path.split("/")[-1][:-2]) if top == "include" else top
        for line, quoted, name in includes(tree, path):
            if quoted:
                folder = name.split("/")[0]
                allowed = (top,) + BELOW.get(top, ())
                inline = top in FLOORS and name in EVERYWHERE
                if not inline and (top == "include" or "/" not in name or folder not in allowed):
                    yield path, line, f'"{name}" is not for {top}/'
            elif name.startswith("firmem/") and floor in FLOORS:
                noun = name[len("firmem/"):-2]
                allowed = (floor,) + BELOW[floor]
                if tree.owner(noun) not in allowed and not (floor == "measure" and noun == "base"):
                    yield path, line, f"<{name}> is above or beside {floor}/"


def rule_third_party(tree):
    """A bench may know the library that it measures beside."""
    seen = {}
    for path in tree.within(FLOORS + PROGRAMS + ("include",)):
        for line, _, name in includes(tree, path):
            for library, pattern in THIRD_PARTY.items():
                if not re.fullmatch(pattern, name) or path.startswith("bench/"):
                    continue
                first = seen.setdefault(library, path)
                if not path.endswith(".c"):
                    yield path, line, f"a header includes {library}'s"
                elif path not in SHARED.get(library, (first,)):
                    yield path, line, f"{library} is {SHARED.get(library, (first,))[0]}'s alone"


def rule_headers(tree, *compiler):
    """Each public header compiles alone."""
    options = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I", "include", "-"]
    for noun in tree.public():
        done = subprocess.run([*compiler, *options], cwd=tree.root, text=True, check=False,
                              input=f"#include <firmem/{noun}.h>\n", stderr=subprocess.PIPE)
        if done.returncode:
            yield f"include/firmem/{noun}.h", 1, f"does not compile alone:\n{done.stderr}"


def rule_comments(tree):
    """A function of the interface is under a comment, or in a run of lines that starts with one."""
    for noun in tree.public():
        path = f"include/firmem/{noun}.h"
        documented = inside = False
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if inside or line.lstrip().startswith("/*"):
                inside = "*/" not in line
                documented = True
            elif not line.strip():
                documented = False
            elif line.startswith("FM_API") and not documented and "/*" not in line:
                yield path, number, "no comment tells about: " + line[len("FM_API "):]


def rule_typedef(tree):
    for path in tree.within(FLOORS + PROGRAMS + ("include",)):
        for match in re.finditer(r"\btypedef\s+(struct|enum|union)\b", tree.code(path)):
            yield path, line_of(tree.text(path), match.start()), "a struct keeps its tag"


def rule_markers(tree):
    words = re.compile(r"\b(%s)\b" % "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)))
    for path in tree.paths:
        for match in words.finditer(tree.text(path)):
            yield path, line_of(tree.text(path), match.start()), f"{match[0]}: do it, or file it"


def is_source(path):
    return path.endswith((".c", ".h", ".cc", ".py", ".sh", "meson.build")) or path in (
        "dev", ".ci/run")


def rule_licence(tree):
    for path in filter(is_source, tree.paths):
        lines = tree.text(path).splitlines()
        first = lines[1:2] if lines and lines[0].startswith("#!") else lines[:1]
        if not first or "SPDX-License-Identifier: BSD-2-Clause" not in first[0]:
            yield path, 1, "starts without its licence (SPDX)"


def rule_length(tree):
    for path in filter(is_source, tree.paths):
        count = len(tree.text(path).splitlines())
        if count > LONGEST:
            yield path, LONGEST + 1, f"{count} lines: more than one job, or more than one sitting"


def rule_paths(tree):
    """Nothing names a folder of the machine it was written on; the library and docs no /tmp."""
    private = r"(?<![\w.])/(work|home|root)/"
    for path in tree.paths:
        if path.startswith("tests/style/"):
            continue
        shown = path.split("/")[0] in FLOORS + ("include", "docs", "tools") or path.endswith(".md")
        pattern = private + (r"|(?<![\w.])/tmp\b" if shown else "")
        for match in re.finditer(pattern, tree.text(path)):
            yield path, line_of(tree.text(path), match.start()), f"names {match[0]}"


def rule_quiet(tree):
    """A library neither prints nor reads the environment nor ends the program."""
    calls = re.compile(r"\b(v?f?printf|f?puts|f?putc|putchar|perror|(secure_)?getenv|setenv|exit"
                       r"|_exit|abort|assert)\s*\(")
    for path in tree.within(FLOORS):
        code = STRING.sub('""', tree.code(path))
        for match in calls.finditer(code):
            yield path, line_of(code, match.start()), f"{match[1]}() is not for a library"


def rule_globals(_, *archives):
    """A library keeps no state of its own: its objects have no writable data."""
    for archive in archives:
        out = subprocess.run(["readelf", "-SW", archive], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        member = ""
        for line in out.splitlines():
            member = line.strip() if line.startswith("File:") else member
            row = re.search(r"\] (\.t?(?:data|bss)\S*)\s+\w+\s+\w+ \w+ (\w+)", line)
            if row and int(row[2], 16) and not row[1].startswith(".data.rel.ro"):
                yield archive, 1, f"{member}: {row[1]} is not empty"


def rule_registered(tree):
    """A source that no meson.build names is not built, and a test is not run."""
    for path in tree.within(FLOORS + PROGRAMS + ("tests",), (".c", ".cc")):
        folder, name = os.path.split(path)
        stem = os.path.splitext(name)[0]
        while folder and f"{folder}/meson.build" not in tree.paths:
            folder = os.path.dirname(folder)
        text = tree.text(f"{folder}/meson.build" if folder else "meson.build")
        names = {stem, re.sub(r"^(test|fuzz|bench)_", "", stem)}
        if name not in text and not any(re.search(rf"'{re.escape(n)}'", text) for n in names):
            yield path, 1, f"{folder}/meson.build does not name it"
    for folder in FLOORS + ("include/firmem",):
        path = f"{folder}/meson.build"
        names = re.findall(r"'([^']+\.[ch])'", tree.text(path) if path in tree.paths else "")
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield path, 1, f"it names {name} twice"


def rule_skips(tree):
    """A case that skips says why just before."""
    for path in tree.within(("tests",), ".c"):
        lines = tree.code(path).splitlines()
        for number, line in enumerate(lines, 1):
            before = "\n".join(lines[max(0, number - 9):number])
            if re.search(r"\bskip\(\)", line) and "print_message" not in before:
                yield path, number, 'skip() without print_message("skipped: why\\n") before it'


def rule_links(tree):
    for path in (p for p in tree.paths if p.endswith(".md")):
        for match in re.finditer(r"\]\(([^)#\s]+)[^)]*\)", tree.text(path)):
            target = match[1]
            there = os.path.join(tree.root, os.path.dirname(path), target)
            if not re.match(r"\w+:", target) and not os.path.exists(there):
                yield path, line_of(tree.text(path), match.start()), f"no such file: {target}"


def rule_readme(tree):
    """The README's program is the one that is compiled and run."""
    code = re.search(r"^```c\n(.*?)^```$", tree.text("README.md"), re.S | re.M)
    program = tree.text("examples/readme.c")
    if not code:
        yield "README.md", 1, "has no ```c block"
    elif code[1] != program:
        yield "README.md", line_of(tree.text("README.md"), code.start()), \
            "the program differs from examples/readme.c"


RULES = {name[len("rule_"):]: rule for name, rule in list(globals().items())
         if name.startswith("rule_")}


def main(root, name, *arguments):
    failed = False
    for path, line, message in RULES[name](Tree(root), *arguments):
        print(f"{path}:{line}: {name}: {message}")
        failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
