#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Count test cases over the JSON logs of meson runs: LABEL=FILE...

A cmocka program counts its cases, any other test counts as one. Each failed and each skipped case
is named, skipped ones with their reason. The last line is "N passed, N failed, N skipped".
"""
import json
import re
import sys

CASE = re.compile(r"^\[ +(RUN|OK|FAILED|SKIPPED|ERROR) +\] (.+)$")
NO_REASON = "no reason given"


def cmocka_cases(stdout):
    """[(name, "passed" | "failed" | "skipped", reason)] of the cases a cmocka program started."""
    cases = []
    name, outcome, said = None, "failed", NO_REASON
    for line in stdout.splitlines():
        match = CASE.match(line)
        if match and match[1] == "RUN":
            if name:
                cases.append((name, outcome, said))
            name, outcome, said = match[2], "failed", NO_REASON
        elif match and match[2] == name and match[1] == "OK":
            outcome = "passed"
        elif match and match[2] == name and match[1] == "SKIPPED":
            outcome = "skipped"
        elif name and outcome == "failed" and not match and line.strip():
            said = line.strip()  # what a case prints before it skips is its reason
    if name:
        cases.append((name, outcome, said))
    return [(n, o, reason(s)) for n, o, s in cases]


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return reason(lines[-1]) if lines else NO_REASON


def reason(line):
    return re.sub(r"^skipped: *", "", line)


def outcomes(test):
    """The same triples for one test of a meson log."""
    stdout = test.get("stdout") or ""
    result = test["result"]
    if re.search(r"^\[=+\] Running \d+ test", stdout, re.M):
        cases = cmocka_cases(stdout)
        # A program whose every case was skipped says so too.
        if result not in ("OK", "EXPECTEDFAIL", "SKIP") and not any(
                o == "failed" for _, o, _ in cases):
            cases.append(("(the program)", "failed", result))
        return cases
    if result in ("OK", "EXPECTEDFAIL"):
        return [(None, "passed", "")]
    if result == "SKIP":
        return [(None, "skipped", last_line(stdout))]
    return [(None, "failed", result)]


def main(arguments):
    found = {"passed": [], "failed": [], "skipped": []}
    for argument in arguments:
        label, path = argument.split("=", 1)
        try:
            with open(path, encoding="utf-8") as log:
                tests = [json.loads(line) for line in log if line.strip()]
        except OSError:
            tests = []
        if not tests:
            found["failed"].append(f"{label}: did not build, or has no tests")
        for test in tests:
            name = test["name"].split(":", 1)[-1]
            for case, outcome, said in outcomes(test):
                full = f"{label}: {name}" + (f": {case}" if case else "")
                found[outcome].append(full + (f": {said}" if outcome == "skipped" else ""))
    for outcome in ("skipped", "failed"):
        for line in found[outcome]:
            print(f"{outcome}  {line}")
    print(", ".join(f"{len(found[k])} {k}" for k in ("passed", "failed", "skipped")))
    return 1 if found["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
