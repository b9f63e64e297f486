#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command firmem reset from outside: cli_reset.py COMMAND GROUP; see cli.py."""
import ctypes
import json
import os
import shutil
import subprocess
import sys

import cli
from cli import MEMORY, Skip, cells, flash, pairs, refused, run, tree, write

MACHINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/machines")
FILES = {b"aarch64-virt.dtb", b"x86-q35.dtb", b"confidential.dtb", b"policy.json", b"nvdimm0.img",
         b"virtio-pmem0.img"}
KINDS = ("power-on", "system", "s3", "kexec", "snapshot", "confidential")
# What the snapshot of a test has of the q35's non-volatile blocks.
SAVED = {"snapshot": [{"block": "nvdimm0", "carried": True}, {"block": "virtio-pmem0",
         "digest": "00ff"}, {"block": "nvdimm0.labels", "digest": "00"}]}


def machine(name):
    """The blob of an example's source."""
    if not shutil.which("dtc"):
        raise Skip("no dtc here")
    subprocess.run(["dtc", "-q", "-O", "dtb", "-o", f"{name}.dtb", f"{MACHINES}/{name}.dts"],
                   check=True, stdin=subprocess.DEVNULL)
    return f"{name}.dtb"


def reset(verb, dtb, kind, *options, status=0):
    """The JSON of a reset verb; the command must end with that status."""
    done = run("reset", verb, "--dtb", dtb, "--kind", kind, "--json", *options)
    assert done.returncode == status, f"{done.returncode}: {done.stderr} {done.stdout.decode()}"
    assert done.stderr == b"", done.stderr
    return json.loads(done.stdout)


def policy(content):
    return write("policy.json", json.dumps(content).encode())


def actions(answer):
    return {step["block"]: step["action"] for step in answer["plan"]}


def memory(node, role=b"ram", **given):
    """A node of ours; keywords are properties without their prefix."""
    properties = {"compatible": b"firmem,memory\0"}
    if role:
        properties["firmem,role"] = role + b"\0"
    for key, value in given.items():
        properties[key if key == "reg" else "firmem," + key.replace("_", "-")] = value
    return (node, properties)


class Plan:
    FILES = FILES

    def each_step_has_just_the_keys_of_the_interface(self):
        answer = reset("plan", machine("x86-q35"), "system")
        for step in answer["plan"]:
            assert set(step) == {"block", "role", "start", "size", "action", "reason", "flush",
                                 "persist", "quiesce", "measure"}, step
            assert all(isinstance(step[k], bool) for k in ("flush", "persist", "quiesce",
                                                           "measure"))
            assert int(step["size"], 16) and step["reason"]

    def q35_over_all_kinds(self):
        ram, rom, nv = ("pc.ram", "dimm0", "smram"), ("pc.bios", "pc.rom", "etc/acpi/tables"), (
            "nvdimm0", "nvdimm0.labels", "virtio-pmem0")
        dtb = machine("x86-q35")
        for kind, of_ram, of_rom, of_nv, of_vram, of_ppi in (
                ("power-on", "zero", "reload", "flush-keep", "zero", "zero"),
                ("system", "keep", "reload", "flush-keep", "keep", "keep"),
                ("s3", "keep", "keep", "flush-keep", "keep", "keep"),
                ("kexec", "keep", "keep", "keep", "keep", "keep"),
                ("confidential", "discard", "reload", "flush-keep", "zero", "zero")):
            found = actions(reset("plan", dtb, kind))
            expected = {**dict.fromkeys(ram, of_ram), **dict.fromkeys(rom, of_rom),
                        **dict.fromkeys(nv, of_nv), "vga.vram": of_vram, "tpm-ppi": of_ppi}
            assert found == expected, (kind, found)

    def a_request_is_cleared_or_pending_and_the_plan_says_which(self):
        dtb = machine("x86-q35")
        names = policy(SAVED)
        for kind in KINDS:
            clears = kind in ("power-on", "system", "confidential")
            for option in (["--memory-overwrite"], ["--mor", "0x11"]):
                answer = reset("plan", dtb, kind, "--policy", names, *option)
                assert answer["overwrite"] == ("clear" if clears else "pending"), answer
                assert actions(answer)["tpm-ppi"] == ("acknowledge" if clears else "keep"), answer
        assert reset("plan", dtb, "system", "--mor", "0x10")["overwrite"] == "none"

    def what_the_tree_says_of_a_backing_is_in_the_plan(self):
        given = {"reg": pairs(0, 0x1000), "path": b"x\0", "shared": b""}
        write("a.dtb", tree(memory("a", backing=b"file\0", **given)))
        assert actions(reset("plan", "a.dtb", "power-on", status=1)) == {"a": "refuse"}
        write("a.dtb", tree(memory("a", backing=b"file\0", consent=b"", **given)))
        step = reset("plan", "a.dtb", "power-on")["plan"][0]
        assert step["action"] == "zero" and step["persist"] and step["quiesce"], step
        write("a.dtb", tree(memory("a", host_device=b"", reg=pairs(0, 0x1000))))
        answer = reset("plan", "a.dtb", "power-on", "--memory-overwrite")
        assert actions(answer) == {"a": "keep"} and answer["overwrite"] == "pending", answer
        # Private pages can only be given back, which those of a file, also of a private mapping, cannot be.
        for more in ({"pinned": b""}, {"backing": b"adopted\0"}, {"backing": b"file\0", "path": b"x\0"},
                     {"backing": b"file\0", "path": b"x\0", "shared": b"", "created": b""}):
            write("a.dtb", tree(memory("a", b"private", reg=pairs(0, 0x1000), **more)))
            assert actions(reset("plan", "a.dtb", "confidential", status=1)) == {"a": "refuse"}, more
        write("a.dtb", tree(memory("a", b"private", reg=pairs(0, 0x1000))))
        assert actions(reset("plan", "a.dtb", "confidential")) == {"a": "rebuild"}

    def private_ranges_are_steps_of_their_own(self):
        answer = reset("plan", machine("confidential"), "confidential")
        found = [(s["role"], s["start"], s["size"], s["action"], s["measure"])
                 for s in answer["plan"] if s["block"] == "ram"]
        assert found == [("private", "0x0", "0x2000000", "rebuild", True),
                         ("ram", "0x2000000", "0x1000000", "discard", False),
                         ("private", "0x3000000", "0x1000000", "rebuild", True)], found
        for kind in ("system", "s3"):
            assert reset("plan", "confidential.dtb", kind, status=1)["refused"]

    def people_get_a_table(self):
        done = run("reset", "plan", "--dtb", machine("aarch64-virt"), "--kind", "system")
        assert done.returncode == 0 and b"memory@40000000  ram " in done.stdout, done.stdout

    def bad_arguments_are_named(self):
        write("a.dtb", tree(MEMORY))
        refused("reset plan: --kind: is missing", "reset", "plan", "--dtb", "a.dtb")
        refused('--kind: "warm", expected power-on, system, s3', "reset", "plan", "--dtb", "a.dtb",
                "--kind", "warm")
        refused("--mor: 0x100, expected one byte", "reset", "plan", "--dtb", "a.dtb", "--kind",
                "s3", "--mor", "256")
        refused('a.dtb: sanitize: "nv", expected a block', "reset", "plan", "--dtb", "a.dtb",
                "--kind", "system", "--sanitize", "nv")
        for names in (",", "memory@40000000,", ",memory@40000000"):
            refused("--sanitize: an empty name, expected blocks", "reset", "plan", "--dtb", "a.dtb",
                    "--kind", "system", "--sanitize", names)
        refused("no.dtb: cannot be opened", "reset", "test", "--dtb", "no.dtb", "--kind", "s3")


class Test:
    FILES = FILES

    def the_layout_that_qemu_fails_on_is_right(self):
        """The NVDIMM survives, hidden memory does not, the BIOS is there, the request answered."""
        answer = reset("test", machine("x86-q35"), "system", "--memory-overwrite")
        left = {t["block"]: (int(t["secret_left"], 16), int(t["size"], 16)) for t in answer["test"]}
        for name in ("nvdimm0", "nvdimm0.labels", "virtio-pmem0"):
            assert left[name][0] == left[name][1], (name, left[name])
        for name in ("pc.ram", "smram", "vga.vram", "dimm0", "pc.bios", "pc.rom"):
            assert left[name][0] == 0, (name, left[name])
        assert answer["acknowledged"] and answer["as_planned"]
        assert answer["volatile_secret_left"] == "0x0"

    def every_kind_on_every_machine_is_as_planned(self):
        for name in ("aarch64-virt", "x86-q35", "confidential"):
            dtb = machine(name)
            for kind in KINDS:
                for option in ([], ["--memory-overwrite"]):
                    answer = self._either(dtb, kind, *option)
                    assert answer["as_planned"], (name, kind, answer)
                    clean = answer["volatile_secret_left"] == "0x0" and not answer["refused"]
                    assert answer["status"] == (0 if clean else 1), (name, kind, answer)

    def _either(self, dtb, kind, *options):
        done = run("reset", "test", "--dtb", dtb, "--kind", kind, "--json", *options)
        assert done.stderr == b"", done.stderr
        return {**json.loads(done.stdout), "status": done.returncode}

    def the_plan_is_that_of_reset_plan(self):
        """Also where a rule is about the page with the request."""
        write("a.dtb", tree(memory("ram", reg=pairs(0, 0x1000)), memory("ppi", b"ppi", size=cells(0x1000))))
        for action in ("keep", "zero", "refuse", "discard"):
            for option in ([], ["--memory-overwrite"], ["--mor", "1"]):
                rules = policy({"rules": [{"block": "ppi", "action": action}]})
                for kind in KINDS:
                    tried = self._either("a.dtb", kind, "--policy", rules, *option)
                    done = run("reset", "plan", "--dtb", "a.dtb", "--kind", kind, "--json", "--policy",
                               rules, *option)
                    planned = json.loads(done.stdout)
                    assert planned == {key: tried[key] for key in planned}, (planned, tried)
                    assert tried["as_planned"], (kind, tried)

    def flash_without_chips_is_erased_too(self):
        for role in (b"flash-vars", b"flash-code"):
            write("a.dtb", tree(memory("fv", role, size=cells(0x1000))))
            answer = reset("test", "a.dtb", "system", "--sanitize", "fv")
            assert answer["as_planned"] and answer["test"][0]["secret_left"] == "0x0", answer

    def memory_that_is_kept_is_told_by_status_1(self):
        write("a.dtb", tree(MEMORY))
        answer = reset("test", "a.dtb", "system", status=1)
        assert answer["as_planned"] and answer["volatile_secret_left"] == "0x8000000"
        assert reset("test", "a.dtb", "power-on")["volatile_secret_left"] == "0x0"

    def flash_of_the_tree_is_kept_and_sanitized_flash_is_erased(self):
        write("a.dtb", tree(flash(reg=pairs(0, 0x40000, 0x40000, 0x40000))))
        found = reset("test", "a.dtb", "power-on", "--memory-overwrite")["test"]
        assert [t["secret_left"] for t in found] == ["0x40000", "0x40000"]
        found = reset("test", "a.dtb", "power-on", "--sanitize", "flash@40000")["test"]
        assert [t["secret_left"] for t in found] == ["0x40000", "0x0"]
        found = reset("test", "a.dtb", "system", "--sanitize", "flash@0,flash@40000")["test"]
        assert [t["secret_left"] for t in found] == ["0x0", "0x0"]
        answer = reset("test", "a.dtb", "s3", "--sanitize", "flash@0", status=1)
        assert answer["refused"] and answer["test"][0]["secret_left"] == "0x40000"

    def no_file_that_the_tree_names_is_opened(self):
        names = ("nvdimm0.img", "virtio-pmem0.img")
        for name in names:
            write(name, b"mine" * 1024)
        dtb = machine("x86-q35")
        libc = ctypes.CDLL(None, use_errno=True)
        watch = libc.inotify_init1(os.O_NONBLOCK)
        for name in names:
            assert libc.inotify_add_watch(watch, name.encode(), 0x20 | 0x1) > 0  # OPEN, ACCESS
        for verb in ("plan", "test"):
            reset(verb, dtb, "power-on", "--memory-overwrite", "--sanitize", "smram")
        try:
            assert not os.read(watch, 4096), "it was opened"
        except BlockingIOError:
            pass
        with open(names[0], "rb"):
            assert os.read(watch, 4096), "an open is not seen: the test proves nothing"
        os.close(watch)

    def pages_are_released_or_stay(self):
        write("a.dtb", tree(MEMORY))
        for how, column in (("release", "released"), ("resident", "written")):
            found = reset("test", "a.dtb", "power-on", "--pages", how)["test"][0]
            assert found[column] == "0x8000000", found

    def a_machine_too_large_to_fill_is_refused(self):
        write("a.dtb", tree(("memory", {"device_type": b"memory\0",
                                        "reg": pairs(0, 0x100001000)})))
        refused("a.dtb: memory@0: 0x100001000 bytes, expected at most 0x100000000", "reset", "test",
                "--dtb", "a.dtb", "--kind", "s3")


class Policy:
    FILES = FILES

    def _plan(self, content, kind="power-on", *options, status=0):
        return actions(reset("plan", "a.dtb", kind, "--policy", policy(content), *options,
                             status=status))["memory@40000000"]

    def a_block_comes_before_its_role(self):
        write("a.dtb", tree(MEMORY))
        role = {"role": "ram", "action": "discard"}
        block = {"block": "memory@40000000", "action": "keep"}
        assert self._plan({}) == "zero"
        assert self._plan({"rules": [role]}) == "discard"
        assert self._plan({"rules": [role, block]}) == "keep"

    def kinds_and_requests_pick(self):
        write("a.dtb", tree(MEMORY))
        rules = {"rules": [{"role": "ram", "action": "zero", "kinds": ["system"],
                            "memory_overwrite": False}]}
        assert self._plan(rules, "system") == "zero"
        rules["rules"][0]["action"] = "discard"
        assert self._plan(rules, "system", "--memory-overwrite") == "zero"
        assert self._plan(rules, "s3") == "keep"

    def what_it_keeps_is_left_and_the_request_pending(self):
        dtb = machine("x86-q35")
        keep = policy({"rules": [{"block": "smram", "action": "keep"}]})
        answer = reset("test", dtb, "system", "--memory-overwrite", "--policy", keep, status=1)
        assert answer["as_planned"] and answer["overwrite"] == "pending", answer
        assert "smram" in answer["overwrite_reason"]
        assert answer["volatile_secret_left"] == "0x20000" and not answer["acknowledged"]

    def it_cannot_destroy_what_is_non_volatile(self):
        dtb = machine("x86-q35")
        zero = policy({"rules": [{"role": "nvdimm", "action": "zero"}]})
        answer = reset("test", dtb, "power-on", "--policy", zero, status=1)
        assert answer["refused"] and answer["as_planned"], answer
        assert all(t["done"] in ("keep", "refuse") for t in answer["test"])

    def a_snapshot_is_loaded_once_all_is_carried_or_attested(self):
        dtb = machine("x86-q35")
        assert reset("plan", dtb, "snapshot", status=1)["refused"]
        found = reset("test", dtb, "snapshot", "--policy", policy(SAVED))
        assert actions(found)["nvdimm0"] == "load" and actions(found)["virtio-pmem0"] == "keep"
        assert found["as_planned"]

    def what_is_wrong_with_it_is_named(self):
        """File, place, value, what was expected."""
        write("a.dtb", tree(MEMORY))
        keep = {"role": "ram", "action": "keep"}
        for content, expected in (
                (b"{", "line 1: .*"),
                (b'{"rules": [], "rules": []}', "line 1: duplicate object key.*"),
                (b"[]", r"\[\], expected an object"),
                ({"rule": []}, "rule: is no key of it, expected rules, snapshot or .*"),
                ({"rules": {}}, "rules: {}, expected an array"),
                ({"rules": [1]}, r"rules\[0\]: 1, expected an object"),
                ({"rules": [keep, {"rule": 1}]},
                 r"rules\[1\].rule: is no key of it, expected block, role, action, .*"),
                ({"rules": [{"action": "keep"}]},
                 r"rules\[0\].block: is missing, expected that or role"),
                ({"rules": [{"role": "ram", "block": "x", "action": "keep"}]},
                 r'rules\[0\].role: "ram", expected it without block, or block alone'),
                ({"rules": [{"role": "rom", "action": "keep"}, {"role": "sram", "action": "keep"}]},
                 r'rules\[1\].role: "sram", expected a role.*'),
                ({"rules": [{"role": "ram"}]}, r"rules\[0\].action: is missing, expected keep.*"),
                ({"rules": [keep, {"role": "ram", "action": "wipe"}]},
                 r'rules\[1\].action: "wipe", expected keep.*'),
                ({"rules": [{"role": "ram", "action": "unplug"}]},
                 r'rules\[0\].action: "unplug" for role "ram", expected role virtio-mem or dimm'),
                ({"rules": [{"role": "ram", "action": "acknowledge"}]},
                 r'rules\[0\].action: "acknowledge" for role "ram", expected another action.*'),
                ({"rules": [{"role": 1, "action": "keep"}]}, r"rules\[0\].role: 1, expected text"),
                ({"rules": [{"role": "a" * 100, "action": "keep"}]},
                 r'rules\[0\].role: "a{75}..., expected a role.*'),
                ({"rules": [{**keep, "kinds": []}]}, r"rules\[0\].kinds: \[\], expected an array .*"),
                ({"rules": [{**keep, "kinds": "s3"}]},
                 r'rules\[0\].kinds: "s3", expected an array .*'),
                ({"rules": [{**keep, "kinds": ["s3", "warm"]}]},
                 r'rules\[0\].kinds\[1\]: "warm", expected power-on.*'),
                ({"rules": [{**keep, "memory_overwrite": 1}]},
                 r"rules\[0\].memory_overwrite: 1, expected true or false"),
                ({"rules": [keep, {"block": "x", "action": "keep"}]},
                 r'rules\[1\].block: "x", expected a block of Test'),
                ({"rules": [keep, {"role": "ram", "action": "zero"}]},
                 r'rules\[1\].action: "zero" for role "ram" contradicts "keep" of rules\[0\], '
                 "expected one action"),
                ({"snapshot": [{"block": "x", "carried": True}]},
                 r'snapshot\[0\].block: "x", expected a block of Test'),
                ({"snapshot": [{"carried": True}]},
                 r"snapshot\[0\].block: is missing, expected the name of a block"),
                ({"snapshot": [{"block": "memory@40000000"}]},
                 r'snapshot\[0\].carried: false for "memory@40000000", .*, expected true, or .*'),
                ({"snapshot": [{"block": "memory@40000000", "carried": True}] * 2},
                 r'snapshot\[1\].block: "memory@40000000" is that of snapshot\[0\], expected one .*'),
                ({"snapshot": [{"block": "x", "digest": "0G"}]},
                 r'snapshot\[0\].digest: "0G", expected hexa.*'),
                ({"snapshot": [{"block": "x", "digest": "012"}]},
                 r'snapshot\[0\].digest: "012", expected hexa.*'),
                ({"snapshot": [{"block": "x", "carried": 1}]},
                 r"snapshot\[0\].carried: 1, expected true or false"),
                ({"host_devices_reset": 1}, "host_devices_reset: 1, expected true or false")):
            if isinstance(content, bytes):
                write("policy.json", content)
            else:
                policy(content)
            for verb in ("plan", "test"):
                refused(f"^firmem: policy.json: {expected}$", "reset", verb, "--dtb", "a.dtb",
                        "--kind", "system", "--policy", "policy.json")

    def what_is_wrong_elsewhere_is_not_blamed_on_it(self):
        write("a.dtb", tree(MEMORY))
        refused('^firmem: a.dtb: sanitize: "nv", expected a block of Test', "reset", "plan", "--dtb",
                "a.dtb", "--kind", "system", "--sanitize", "nv", "--policy", policy({}))


class Lies:
    """Trees whose nodes of ours say what cannot be."""

    def _refused(self, expected, *nodes):
        write("a.dtb", tree(*nodes))
        for verb in ("plan", "test"):
            refused("^firmem: a.dtb: " + expected, "reset", verb, "--dtb", "a.dtb", "--kind",
                    "system")

    def each_is_named(self):
        reg = pairs(0, 0x1000)
        for expected, node in (
                ("/a: firmem,role: is missing", memory("a", None, reg=reg)),
                ('/a: firmem,role: "sram", expected a role', memory("a", b"sram", reg=reg)),
                ('/a: firmem,role: "none", expected a role', memory("a", b"none", reg=reg)),
                ("/a: firmem,size: 0x0, expected 1 to", memory("a")),
                ("/a: firmem,size: 3 bytes, expected one or two cells",
                 memory("a", size=b"123")),
                ("/a: firmem,size: 0x800, expected .* at least the 0x1000",
                 memory("a", size=cells(0x800), reg=reg)),
                ("/a: firmem,size: 0xffffffffffffffff", memory("a", size=cells(2**32 - 1) * 2)),
                ("/a: reg: 0x.* expected at most", memory("a", reg=pairs(0, 1 << 62))),
                ('/a: firmem,backing: "disk", expected anon', memory("a", backing=b"disk\0",
                                                                     reg=reg)),
                ('/a: firmem,of: "b", expected a device', memory("a", of=b"b\0", reg=reg)),
                ("/a: firmem,private: 8 bytes", memory("a", private=pairs(0), reg=reg)),
                ("/a: .*expected multiples of 0x1000", memory("a", private=pairs(1, 2), reg=reg)),
                ("/a: .*expected inside 0x1000", memory("a", private=pairs(0, 0x2000), reg=reg)),
                ("/a: firmem,priority: 0x10000", memory("a", priority=cells(0x10000), reg=reg)),
                ('/a: firmem,offset: 0x1000 bytes at 0x1000 of "a", expected them inside of its 0x1000',
                 memory("a", offset=cells(0x1000), reg=reg)),
                ("/a: ", memory("a", b"ppi", size=cells(16))),
                ("/a: ", memory("a", name=b"x" * 64 + b"\0", reg=reg))):
            self._refused(expected, node)
        # What is said by being there: <0> is no "no".
        for name in ("consent", "created", "debug", "disabled", "fixed", "host_device", "no_migrate",
                     "pinned", "read_only", "shared"):
            self._refused(f"/a: firmem,{name.replace('_', '-')}: 4 bytes, expected an empty property, or none",
                          memory("a", reg=reg, **{name: cells(0)}))
        self._refused("/b: ", memory("a", reg=reg), memory("b", reg=reg))
        self._refused("/b: ", memory("a", reg=reg),
                      memory("b", name=b"a\0", reg=pairs(0x1000, 0x1000)))


GROUPS = {group.__name__.lower(): group for group in (Plan, Test, Policy, Lies)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
