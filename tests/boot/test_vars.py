#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""OVMF in QEMU on stores that "firmem vars" wrote: test_vars.py COMMAND TEST, where TEST is one of the
functions below; exit status 77 is a skip."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

CODE_2M = "/usr/share/OVMF/OVMF_CODE.fd"
CODE_4M = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARS_4M = "/usr/share/OVMF/OVMF_VARS_4M.fd"
GUID = "6d656d66-6972-4d45-8d00-000000000002"
TESTS = {}


class Skip(Exception):
    pass


def test(function):
    TESTS[function.__name__] = function
    return function


class Host:
    """The command, and a folder to work in."""

    def __init__(self, command, folder):
        self.command = command
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def firmem(self, *arguments):
        done = subprocess.run([self.command, "vars", *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, (arguments, done)
        return done.stdout.decode()

    def list(self, image):
        return json.loads(self.firmem("list", image, "--json"))["variables"]

    def shared(self, name):
        """A shared image, unpacked."""
        packed = os.path.join(os.environ.get("FIRMEM_VECTORS", ""), "uefi", name + ".zst")
        if not os.path.exists(packed):
            raise Skip(f"no test data at {packed}")
        if not shutil.which("zstd"):
            raise Skip("no zstd here to unpack the test data")
        subprocess.run(["zstd", "-dqf", packed, "-o", self.path(name)], check=True)
        return self.path(name)

    def boot(self, code, image, *commands, limit=600):
        """What the shell prints while it runs these commands, without colours; None when it has
        not come to their end in time."""
        qemu = shutil.which("qemu-system-x86_64")
        for path, package in ((qemu, "qemu-system-x86"), (code, "ovmf")):
            if not path or not os.path.exists(path):
                raise Skip(f"Debian package {package} is not there")
        os.makedirs(self.path("disk"), exist_ok=True)
        with open(self.path("disk/startup.nsh"), "w", encoding="ascii") as script:
            script.write("\r\n".join([*commands, "echo all-is-done", "reset -s", ""]))
        try:
            done = subprocess.run(
                [qemu, "-machine", "q35,accel=tcg", "-m", "256", "-display", "none", "-nodefaults",
                 "-serial", "stdio", "-drive", f"if=pflash,format=raw,readonly=on,file={code}",
                 "-drive", f"if=pflash,format=raw,file={image}",
                 "-drive", f"format=raw,file=fat:rw:{self.path('disk')}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return None
        text = re.sub(rb"\x1b\[[0-9;]*[A-Za-z]", b"", done.stdout).decode("ascii", "replace")
        assert done.returncode == 0 and "\nall-is-done" in text.replace("\r", ""), text[-2000:]
        return text


def names_of(dump):
    """The non-volatile variables that dmpstore shows, with their sizes."""
    return {match[1]: int(match[2], 16) for match in re.finditer(
        r"Variable NV\S* '[^:']*:([^']*)' DataSize = 0x([0-9A-F]+)", dump)}


def expect_all(host, rescued):
    """Stock OVMF finds every variable that is in the image."""
    before = {v["name"]: len(v["data"]) // 2 for v in host.list(rescued)}
    value = json.loads(host.firmem("get", rescued, "ResA", "--json"))["data"]
    assert len(before) == 28, before
    dump = host.boot(CODE_2M, rescued, "dmpstore -all")
    found = names_of(dump)
    assert set(before) <= set(found), set(before) - set(found)
    # What no boot changes is the same.
    for name in ("ResA", "ResB", "Attempt 1", "Boot0000", "Key0001", "certdb"):
        assert found[name] == before[name], (name, found[name], before[name])
    row = re.search(r":ResA' DataSize = 0x08\s+00000000: ([0-9A-F -]+)\*", dump)
    assert row[1].replace("-", "").replace(" ", "").lower() == value, (row[1], value)
    assert host.firmem("check", rescued).startswith("clean\n")


@test
def ovmf_finds_every_variable_of_the_rescued_brick(host):
    host.firmem("rescue", host.shared("ovmf2m-kill9-BRICK.fd"), "-o", host.path("out.fd"))
    expect_all(host, host.path("out.fd"))


@test
def ovmf_does_not_boot_the_brick_itself(host):
    assert host.boot(CODE_2M, host.shared("ovmf2m-kill9-BRICK.fd"), "dmpstore -all", limit=60) \
        is None


@test
def ovmf_finds_every_variable_of_the_other_rescued_images(host):
    for name in ("ovmf2m-kill9-partial0.fd", "ovmf2m-kill9-sparecomplete.fd"):
        host.firmem("rescue", host.shared(name), "-o", host.path("out.fd"))
        expect_all(host, host.path("out.fd"))


def template(host):
    if not os.path.exists(VARS_4M):
        raise Skip("Debian package ovmf is not there")
    return shutil.copy(VARS_4M, host.path("vars.fd"))


@test
def ovmf_finds_what_was_set_and_not_what_was_deleted(host):
    image = template(host)
    for name, text in (("kept", "first"), ("gone", "never"), ("kept", "second")):
        host.firmem("set", image, name, "--guid", GUID, "--text", text)
    host.firmem("delete", image, "gone", "--guid", GUID)
    dump = host.boot(CODE_4M, image, f"dmpstore -guid {GUID}")
    assert names_of(dump) == {"kept": 6}, dump
    assert "*second" in dump, dump
    # The firmware went on in that store, and both agree on what is there.
    assert host.firmem("check", image).startswith("clean\n")
    assert json.loads(host.firmem("get", image, "kept", "--json"))["data"] == b"second".hex()
    assert len(host.list(image)) > 10


@test
def what_ovmf_stores_is_listed(host):
    image = template(host)
    host.boot(CODE_4M, image, f"setvar one -guid {GUID} -nv -bs -rt =0x11 =0x2233",
              f"setvar two -guid {GUID} -nv -bs =S\"ab\"", f"setvar two -guid {GUID} -nv -bs =",
              f"setvar one -guid {GUID} -nv -bs -rt =0x44")
    found = [v for v in host.list(image) if v["guid"] == GUID]
    assert [(v["name"], v["attr"], v["data"]) for v in found] == [("one", 7, "44")], found
    assert host.firmem("check", image).startswith("clean\n")


def main(command, name):
    # Meson's time limit: what was begun is ended, and its folder goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="firmem-boot-") as folder:
        try:
            TESTS[name](Host(os.path.abspath(command), folder))
        except Skip as why:
            print(f"skipped: {why}")
            return 77
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
