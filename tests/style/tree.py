# SPDX-License-Identifier: BSD-2-Clause
"""The source tree as the style tests see it: files, folders, who owns a public header."""
import os
import re

# The floors of docs/design.md, lowest first; each is a library or a part of one.
FLOORS = ("devices", "rom", "flash", "nvdimm", "measure", "powercut")
# Programs over the public headers.
PROGRAMS = ("tools", "examples", "bench", "fuzz")

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')


class Tree:
    def __init__(self, root):
        self.root = root
        self.paths = sorted(self._walk())
        self._texts = {}

    def _walk(self):
        for folder, folders, names in os.walk(self.root):
            top = folder == self.root
            folders[:] = [f for f in folders if f not in (".git", "__pycache__")
                          and not (top and f.startswith("build"))]
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), self.root)

    def text(self, path):
        if path not in self._texts:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
                self._texts[path] = file.read()
        return self._texts[path]

    def code(self, path):
        """The text with comments blanked, line numbers kept."""
        return COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), self.text(path))

    def within(self, folders, endings=(".c", ".h", ".cc")):
        """The paths under any of the folders that end so."""
        return [p for p in self.paths if p.split("/")[0] in folders and p.endswith(endings)]

    def public(self):
        """The public headers, as nouns."""
        return [p[len("include/firmem/"):-2] for p in self.paths
                if p.startswith("include/firmem/") and p.endswith(".h")]

    def owner(self, noun):
        """The floor whose .c file has the public header's name, or that itself has; else None."""
        if noun in FLOORS:
            return noun
        owners = [f for f in FLOORS if f"{f}/{noun}.c" in self.paths]
        return owners[0] if len(owners) == 1 else None

    def api(self, noun):
        """The functions that a public header declares."""
        code = self.code(f"include/firmem/{noun}.h")
        code = re.sub(r"^[ \t]*#.*$", "", code, flags=re.M)
        return re.findall(r"\bFM_API\b[^;(]*?\b(\w+)\s*\(", code)


def line_of(text, position):
    return text.count("\n", 0, position) + 1
