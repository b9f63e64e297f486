#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/embedding.md says of each public function which thread may call it, under its header's name, and
another page of docs/ tells what each header is for: embedding.py ROOT."""
import os
import re
import sys

from tree import Tree

PAGE = "docs/embedding.md"


def named(text):
    """The functions in the tables, each with the header that was named last; `fm_{a,b}` stands for both."""
    noun = None
    for row in re.findall(r"^\|(.*?)\|", text[text.index("## Which thread"):], re.M):
        header = re.search(r"\*\*(\w+)\.h\*\*", row)
        noun = header[1] if header else noun
        for head, names, tail in re.findall(r"`(fm_\w*)(?:\{([\w,]+)\}(\w*))?`", row):
            yield from ((head + name + tail, noun) for name in (names or "").split(","))


def main(root):
    tree = Tree(root)
    wanted = {f: noun for noun in tree.public() for f in tree.api(noun)}
    rows = list(named(tree.text(PAGE)))
    have = [f for f, _ in rows]
    bad = [f"lacks {f}" for f in sorted(set(wanted) - set(have))]
    bad += [f"has {f}, which no header declares" for f in sorted(set(have) - set(wanted))]
    bad += [f"has {f} under {noun}.h, expected {wanted[f]}.h" for f, noun in rows
            if noun != wanted.get(f, noun)]
    bad += [f"has {f} twice" for f in sorted({f for f in have if have.count(f) > 1})]
    pages = [p for p in tree.paths if re.fullmatch(r"docs/\w.*\.md", p) and p != PAGE]
    bad += [f"is the only page that names {noun}.h" for noun in tree.public()
            if not any(re.search(rf"\b{noun}\.h\b", tree.text(p)) for p in pages)]
    for line in bad:
        print(f"{PAGE}: {line}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
