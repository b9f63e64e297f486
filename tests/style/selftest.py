#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each rule finds what it is for, and says nothing about a tree that keeps to it."""
import io
import os
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stdout

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import style
import symbols
import tally
from tree import Tree

SPDX = "/* SPDX-License-Identifier: BSD-2-Clause */\n"
GOOD = {
    "meson.build": "# SPDX-License-Identifier: BSD-2-Clause\n",
    "README.md": "[more](docs/more.md)\n```c\n" + SPDX + "```\n",
    "docs/more.md": "Text.\n",
    "examples/meson.build": "# SPDX-License-Identifier: BSD-2-Clause\nfiles('readme.c')\n",
    "examples/readme.c": SPDX,
    "include/firmem/base.h": SPDX + "/* Says it. */\nFM_API int fm_base(void);\n",
    "include/firmem/flash.h": SPDX + "#include <firmem/base.h>\n/* Both. */\nFM_API int\nfm_a(int x"
                              ");\nFM_API const char *fm_b(void)\n\tFM_PRINTF(1, 2);\n",
    "devices/meson.build": "# SPDX-License-Identifier: BSD-2-Clause\nfiles('base.c')\n",
    "devices/base.c": SPDX + "#include <firmem/base.h>\n#include <zlib.h>\nsnprintf(\"printf(\");\n",
    "devices/own.h": SPDX,
    "flash/meson.build": "# SPDX-License-Identifier: BSD-2-Clause\nfiles('flash.c')\n",
    "flash/flash.c": SPDX + "#include \"devices/own.h\"\n#include <firmem/flash.h>\n",
    "tests/meson.build": "# SPDX-License-Identifier: BSD-2-Clause\ntests = {'x': {}}\n",
    "tests/test_x.c": SPDX + "print_message(\"skipped: no x\\n\");\nskip();\n",
    "firmem.map": "FIRMEM_0.1 {\nglobal:\n\tfm_a;\n\tfm_b;\n\tfm_base;\nlocal:\n\t*;\n};\n",
}
# rule, a file, its bad contents, a word of the complaint
BAD = [
    ("floors", "devices/base.c", "#include <firmem/flash.h>\n", "above"),
    ("floors", "devices/base.c", '#include "flash/cells.h"\n', "not for"),
    ("floors", "flash/flash.c", '#include "rom/image.h"\n', "not for"),
    ("floors", "measure/m.c", '#include "devices/own.h"\n', "not for"),
    ("floors", "measure/m.c", "#include <firmem/flash.h>\n", "beside"),
    ("floors", "tools/t.c", '#include "devices/bytes.h"\n', "not for"),
    ("floors", "tools/t.c", '#include "devices/own.h"\n', "not for"),
    ("floors", "include/firmem/base.h", "#include <firmem/flash.h>\n", "above"),
    ("floors", "include/firmem/nobody.h", "\n", "whose"),
    ("third_party", "flash/flash.c", "#include <zlib.h>\n", "alone"),
    ("third_party", "flash/cells.h", "#include <openssl/evp.h>\n", "header"),
    ("comments", "include/firmem/base.h", "/* x */\n\nFM_API int fm_base(void);\n", "fm_base"),
    ("typedef", "devices/own.h", "typedef struct x x;\n", "tag"),
    ("markers", "flash/flash.c", "/* TO" + "DO: later */\n", "do it"),
    ("licence", "devices/own.h", "int x;\n", "SPDX"),
    ("length", "devices/own.h", SPDX + "\n" * 600, "601 lines"),
    ("paths", "docs/more.md", "in /tmp/x\n", "/tmp"),
    ("paths", "tests/test_x.c", '"/home/me"\n', "/home/"),
    ("quiet", "flash/flash.c", 'printf("x");\n', "printf"),
    ("quiet", "flash/flash.c", 'getenv("x");\n', "getenv"),
    ("registered", "flash/lost.c", "\n", "name it"),
    ("registered", "tests/test_lost.c", "\n", "name it"),
    ("registered", "flash/meson.build", "files('flash.c', 'flash.c')\n", "flash.c twice"),
    ("skips", "tests/test_x.c", "if (!x)\n\tskip();\n", "why"),
    ("links", "README.md", "[x](docs/none.md)\n", "docs/none.md"),
    ("readme", "README.md", "```c\nint main(void) {}\n```\n", "differs"),
    ("headers", "include/firmem/base.h", "uint8_t fm_x(void);\n", "alone"),
]


def make(folder, files):
    for path, text in files.items():
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def complaints(rule, files):
    with tempfile.TemporaryDirectory() as folder:
        make(folder, files)
        arguments = ("cc", "-xc") if rule == "headers" else ()
        return [f"{p}:{n}: {m}" for p, n, m in style.RULES[rule](Tree(folder), *arguments)]


class Rules(unittest.TestCase):
    def test_a_good_tree_passes_every_rule(self):
        for rule in style.RULES:
            if rule != "headers":
                self.assertEqual(complaints(rule, GOOD), [], rule)

    def test_each_rule_finds_what_it_is_for(self):
        for rule, path, text, word in BAD:
            found = complaints(rule, {**GOOD, path: text})
            self.assertTrue(any(path in f and word in f for f in found), (rule, path, text, found))

    def test_each_rule_is_tried(self):
        self.assertEqual(set(style.RULES) - {row[0] for row in BAD}, {"globals"})

    def test_globals_finds_writable_data_only(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, code in (("bad", "int x = 1;"), ("good", "const char *const y = \"y\";")):
                make(folder, {f"{name}.c": code})
                subprocess.run(["cc", "-fPIC", "-c", f"{name}.c"], cwd=folder, check=True)
            rule = style.RULES["globals"]
            self.assertEqual(len(list(rule(None, f"{folder}/bad.o"))), 1)
            self.assertEqual(list(rule(None, f"{folder}/good.o")), [])


class Symbols(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as out:
            make(folder, files)
            return symbols.check(Tree(folder), []), out.getvalue()

    def test_a_map_that_says_what_the_headers_say_passes(self):
        self.assertEqual(self.check(GOOD), (0, ""))

    def test_a_map_that_lacks_a_function_does_not(self):
        code, out = self.check({**GOOD, "firmem.map": GOOD["firmem.map"].replace("\tfm_b;\n", "")})
        self.assertEqual(code, 1)
        self.assertIn("firmem.map", out)


class Tally(unittest.TestCase):
    STDOUT = ("[==========] Running 3 test(s).\n[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\n"
              "skipped: no file\n[  SKIPPED ] b\n[ RUN      ] c\nword\n")

    def test_cases_are_counted_and_one_that_never_ended_has_failed(self):
        cases = tally.outcomes({"name": "x", "stdout": self.STDOUT, "result": "FAIL"})
        self.assertEqual([c[:2] for c in cases],
                         [("a", "passed"), ("b", "skipped"), ("c", "failed")])
        self.assertEqual(cases[1][2], "no file")

    def test_a_program_that_fails_after_its_cases_has_failed(self):
        stdout = self.STDOUT.replace("word\n", "[       OK ] c\n")
        cases = tally.outcomes({"name": "x", "stdout": stdout, "result": "FAIL"})
        self.assertEqual([c[1] for c in cases], ["passed", "skipped", "passed", "failed"])

    def test_other_programs_count_as_one(self):
        self.assertEqual(tally.outcomes({"name": "x", "stdout": "", "result": "OK"}),
                         [(None, "passed", "")])
        self.assertEqual(tally.outcomes({"name": "x", "stdout": "no y\n", "result": "SKIP"}),
                         [(None, "skipped", "no y")])
        none = "[==========] Running 1 test(s).\n[ RUN      ] a\nskipped: no y\n[  SKIPPED ] a\n"
        self.assertEqual(tally.outcomes({"name": "x", "stdout": none, "result": "SKIP"}),
                         [("a", "skipped", "no y")])
        self.assertEqual(tally.outcomes({"name": "x", "stdout": "", "result": "TIMEOUT"}),
                         [(None, "failed", "TIMEOUT")])

    def test_a_log_that_is_not_there_is_a_failure(self):
        with redirect_stdout(io.StringIO()) as out:
            self.assertEqual(tally.main(["x=/nonexistent"]), 1)
        self.assertEqual(out.getvalue().splitlines()[-1], "0 passed, 1 failed, 0 skipped")


if __name__ == "__main__":
    unittest.main()
