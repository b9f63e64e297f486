#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/embedding.md says of each public function which thread may call it: embedding.py ROOT."""
import os
import re
import sys

from tree import Tree

PAGE = "docs/embedding.md"


def named(text):
    """The functions in the tables; `fm_{a,b}` stands for both."""
    for row in re.findall(r"^\|(.*?)\|", text[text.index("## Which thread"):], re.M):
        for head, names, tail in re.findall(r"`(fm_\w*)(?:\{([\w,]+)\}(\w*))?`", row):
            yield from (head + name + tail for name in (names or "").split(","))


def main(root):
    tree = Tree(root)
    wanted = {f for noun in tree.public() for f in tree.api(noun)}
    have = list(named(tree.text(PAGE)))
    bad = [f"lacks {f}" for f in sorted(wanted - set(have))]
    bad += [f"has {f}, which no header declares" for f in sorted(set(have) - wanted)]
    bad += [f"has {f} twice" for f in sorted({f for f in have if have.count(f) > 1})]
    for line in bad:
        print(f"{PAGE}: {line}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
