#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem machine ramblock, mtree, memdev, memory-devices from outside: cli_machine.py COMMAND GROUP.

Against QEMU itself: tests/diff/qemu_monitor.py.
"""
import json
import os
import sys

import cli
from cli import MEMORY, cells, flash, info, pairs, refused, run, tree, write
from cli_reset import machine, memory

VERBS = ("ramblock", "mtree", "memdev", "memory-devices")
FILES = {b"x86-q35.dtb", b"a.dtb"}
PCI = {"compatible": b"pci-host-ecam-generic\0", "#address-cells": cells(3), "#size-cells": cells(2),
       "reg": pairs(0x3f000000, 0x1000000),
       "ranges": cells(0x1000000, 0, 0, 0, 0x3eff0000, 0, 0x10000,
                       0x2000000, 0, 0x10000000, 0, 0x10000000, 0, 0x2eff0000)}
FW_CFG = ("fw-cfg@9020000", {"compatible": b"qemu,fw-cfg-mmio\0", "reg": pairs(0x9020000, 0x18)})
GIC3 = ("intc", {"compatible": b"arm,gic-v3\0",
                 "reg": pairs(0x8000000, 0x10000, 0x80a0000, 0x60000, 0x4000000000, 0x100000)})


def device(compatible, address, length):
    return (f"x@{address:x}", {"compatible": compatible + b"\0", "reg": pairs(address, length)})


def virt(*nodes, cpus=1, cpu_map=True):
    """A tree that says it is of QEMU's virt; without cpu_map of 6.1 or older."""
    cpu = [(f"cpu@{i}", {"device_type": b"cpu\0"}) for i in range(cpus)]
    return write("a.dtb", tree(*nodes, ("cpus", {}, cpu + [("cpu-map", {})] * cpu_map),
                               compatible=b"linux,dummy-virt\0"))


def show(verb, *options, dtb="a.dtb"):
    done = run("machine", verb, "--dtb", dtb, *options)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.decode()


def shown(verb, *options, dtb="a.dtb"):
    return json.loads(show(verb, *options, "--json", dtb=dtb))


def ranges(*options, view=0):
    return [(r["start"], r["end"], r["type"], r["name"])
            for r in shown("mtree", *options)["flatviews"][view]["ranges"]]


class Ramblock:
    FILES = FILES

    def the_text_is_the_monitor_s(self):
        virt(MEMORY, flash(), FW_CFG, ("pcie", PCI))
        assert show("ramblock") == (
            "              Block Name    PSize              Offset               Used"
            "              Total\n"
            "           mach-virt.ram    4 KiB  0x0000000000000000 0x0000000008000000"
            " 0x0000000008000000\n"
            "             virt.flash0    4 KiB  0x0000000008000000 0x0000000004000000"
            " 0x0000000004000000\n"
            "             virt.flash1    4 KiB  0x000000000c000000 0x0000000004000000"
            " 0x0000000004000000\n"
            "    /rom@etc/acpi/tables    4 KiB  0x0000000010040000 0x0000000000020000"
            " 0x0000000000200000\n"
            "0000:00:01.0/virtio-net-pci.rom    4 KiB  0x0000000010000000 0x0000000000040000"
            " 0x0000000000040000\n"
            "   /rom@etc/table-loader    4 KiB  0x0000000010240000 0x0000000000001000"
            " 0x0000000000010000\n"
            "      /rom@etc/acpi/rsdp    4 KiB  0x0000000010280000 0x0000000000001000"
            " 0x0000000000001000\n"), show("ramblock")

    def the_json_says_the_same(self):
        virt(MEMORY)
        assert shown("ramblock") == {
            "source": "a.dtb", "machine": "Test",
            "ramblocks": [{"name": "mach-virt.ram", "page_size": "0x1000", "offset": "0x0",
                           "used": "0x8000000", "total": "0x8000000", "role": "ram"}]}

    def names_are_the_tree_s_on_demand_and_for_other_machines(self):
        virt(MEMORY, FW_CFG)
        assert [r["name"] for r in shown("ramblock", "--names", "tree")["ramblocks"]] == [
            "memory@40000000"]
        write("a.dtb", tree(MEMORY, FW_CFG))
        assert [r["name"] for r in shown("ramblock")["ramblocks"]] == ["memory@40000000"]
        refused('--names qemu: a.dtb is of another machine, expected "linux,dummy-virt"', "machine",
                "ramblock", "--dtb", "a.dtb", "--names", "qemu")

    def pci_devices_have_roms_of_a_power_of_two_and_whole_pages(self):
        virt(MEMORY, ("pcie", PCI))
        found = [(r["name"], r["total"]) for r in
                 shown("ramblock", "--pci", "e1000:300K,virtio-rng-pci,x:1")["ramblocks"][1:]]
        assert found == [("0000:00:01.0/e1000.rom", "0x80000"), ("0000:00:03.0/x.rom", "0x1000")], found
        for options in (["--pci", "none"], ["--pci=virtio-rng-pci"]):
            assert len(shown("ramblock", *options)["ramblocks"]) == 1

    def a_machine_without_acpi_has_no_tables(self):
        virt(MEMORY, FW_CFG)
        assert len(shown("ramblock")["ramblocks"]) == 4
        assert len(shown("ramblock", "--no-acpi")["ramblocks"]) == 1

    def backends_have_the_names_they_are_given(self):
        virt(("memory", {"device_type": b"memory\0",
                         "reg": pairs(0x40000000, 0x1000000, 0x50000000, 0x2000000)}))
        for options, names in (([], ["memory@50000000", "memory@40000000"]),
                               (["--memdev", "n0,n1"], ["n1", "n0"])):
            found = [r["name"] for r in shown("ramblock", *options)["ramblocks"]]
            assert found == names, found

    def blocks_that_no_address_shows_are_told(self):
        names = [r["name"] for r in
                 shown("ramblock", dtb=machine("x86-q35"))["ramblocks"]]
        assert "smram" in names and "nvdimm0.labels" in names and "etc/acpi/tables" in names

    def a_machine_of_nothing_has_no_rows(self):
        write("a.dtb", tree())
        assert show("ramblock").count("\n") == 1
        assert shown("ramblock")["ramblocks"] == []


class Mtree:
    FILES = FILES

    def the_text_is_the_monitor_s(self):
        virt(MEMORY, flash(), device(b"arm,pl011", 0x9000000, 0x1000), ("pcie", PCI), cpus=2)
        assert show("mtree") == (
            'FlatView #0\n AS "memory", root: system\n AS "cpu-memory-0", root: system\n'
            ' AS "cpu-memory-1", root: system\n Root memory region: system\n'
            "  0000000000000000-0000000003ffffff (prio 0, romd): virt.flash0\n"
            "  0000000004000000-0000000007ffffff (prio 0, romd): virt.flash1\n"
            "  0000000009000000-0000000009000fff (prio 0, i/o): pl011\n"
            "  0000000010000000-000000003efeffff (prio 0, i/o): gpex_mmio_window"
            " @0000000010000000\n"
            "  000000003eff0000-000000003effffff (prio 0, i/o): gpex_ioport_window\n"
            "  000000003f000000-000000003fffffff (prio 0, i/o): pcie-mmcfg-mmio\n"
            "  0000000040000000-0000000047ffffff (prio 0, ram): mach-virt.ram\n\n"
            'FlatView #1\n AS "I/O", root: io\n Root memory region: io\n'
            "  0000000000000000-000000000000ffff (prio 0, i/o): io\n\n"
            'FlatView #2\n AS "gpex-root", root: bus master container\n'
            ' AS "virtio-net-pci", root: bus master container\n Root memory region: (none)\n'
            "  No rendered FlatView\n\n"), show("mtree")

    def the_json_says_the_same(self):
        virt(MEMORY)
        assert shown("mtree") == {
            "source": "a.dtb", "machine": "Test", "flatviews": [
                {"address_spaces": [{"name": "memory", "root": "system"},
                                    {"name": "cpu-memory-0", "root": "system"}], "root": "system",
                 "ranges": [{"start": "0x40000000", "end": "0x47ffffff", "priority": 0,
                             "type": "ram", "nonvolatile": False, "name": "mach-virt.ram",
                             "offset": "0x0"}]},
                {"address_spaces": [{"name": "I/O", "root": "io"}], "root": "io", "ranges": [
                    {"start": "0x0", "end": "0xffff", "priority": 0, "type": "i/o",
                     "nonvolatile": False, "name": "io", "offset": "0x0"}]}]}

    def overlaps_and_priorities_are_resolved(self):
        text = show("mtree", dtb=machine("x86-q35"))
        assert "00000000000a0000-00000000000bffff (prio 2, ram): vga.vram\n" in text, text
        assert "00000000000c0000-00000000000dffff (prio 1, rom): pc.rom\n" in text, text
        assert "0000000000100000-0000000003ffffff (prio 0, ram): pc.ram @0000000000100000" in text
        assert "(prio 0, nv-ram): nvdimm0\n" in text and "smram" not in text, text

    def what_differs_for_one_address_is_in_the_json_too(self):
        nv = [r for r in shown("mtree", dtb=machine("x86-q35"))["flatviews"][0]["ranges"]
              if r["nonvolatile"]]
        assert [r["name"] for r in nv] == ["nvdimm0"], nv

    def redistributors_fill_their_regions_in_turn(self):
        one = (GIC3[0], {**GIC3[1], "reg": GIC3[1]["reg"][:32]})
        for node, cpus, expected in ((one, 1, [("0x80a0000", "0x80bffff", "0")]),
                                     (one, 3, [("0x80a0000", "0x80fffff", "0")]),
                                     (GIC3, 5, [("0x80a0000", "0x80fffff", "0"),
                                                ("0x4000000000", "0x400003ffff", "1")])):
            virt(node, cpus=cpus)
            found = [(r[0], r[1], r[3][-2]) for r in ranges() if "redist" in r[3]]
            assert found == expected, (cpus, found)

    def a_gic_of_version_4_has_larger_redistributors(self):
        four = ("--machine", "virt,gic-version=4")
        virt(GIC3, cpus=3)
        assert [r[:2] for r in ranges(*four) if "redist" in r[3]] == [
            ("0x80a0000", "0x80dffff"), ("0x4000000000", "0x400007ffff")]
        # Version 3 would have room for all of them in the first region, and QEMU would tell of no other.
        refused("a.dtb: /intc: reg: 2 regions of redistributors for 3 CPUs of GICv3, expected fewer, "
                "or --machine with gic-version=4", "machine", "mtree", "--dtb", "a.dtb")
        for cpus, expected in ((1, "GICv4, expected fewer"), (8, "GICv4, expected room for all")):
            virt(GIC3, cpus=cpus)
            refused(f"regions of redistributors for {cpus} CPUs of {expected}$", "machine", "mtree",
                    "--dtb", "a.dtb", *four)

    def older_types_have_less(self):
        virt(MEMORY, GIC3, ("pcie", PCI), cpus=5, cpu_map=False)
        for verb in ("ramblock", "mtree"):
            refused("a.dtb: has no /cpus/cpu-map, so it is of virt-6.1 or older, expected --machine",
                    "machine", verb, "--dtb", "a.dtb")
        for kind, windows, its in (("virt-6.1", True, False), ("virt-6.0", False, False)):
            text = show("mtree", "--machine", kind)
            assert ("gpex_mmio_window" in text, "its-sysmem" in text) == (windows, its), text
        virt(MEMORY, GIC3, ("pcie", PCI), cpus=5)
        assert "gpex_mmio_window" in show("mtree") and "its-sysmem" in show("mtree")

    def memory_tags_are_a_32nd_of_memory(self):
        virt(MEMORY, ("secram", {"device_type": b"memory\0", "reg": pairs(0xe000000, 0x1000000),
                                 "status": b"disabled\0", "secure-status": b"okay\0"}), cpus=2)
        views = {v["root"]: v for v in shown("mtree", "--machine=virt,mte=on")["flatviews"]}
        assert views["tag-memory"]["address_spaces"] == [
            {"name": f"cpu-tag-memory-{i}", "root": "tag-memory"} for i in range(2)]
        assert [(r["start"], r["end"], r["name"]) for r in views["secure-tag-memory"]["ranges"]] == [
            ("0x700000", "0x77ffff", "mach-virt.secure-tag"), ("0x2000000", "0x23fffff", "mach-virt.tag")]
        found = [(r["name"], r["total"]) for r in
                 shown("ramblock", "--machine=virt,mte=on")["ramblocks"] if r["name"].endswith("tag")]
        assert found == [("mach-virt.tag", "0x400000"), ("mach-virt.secure-tag", "0x80000")], found
        assert "tag" not in show("mtree") and "tag" not in show("ramblock")

    def pci_devices_may_bypass_the_smmu(self):
        smmu = device(b"arm,smmu-v3", 0x9050000, 0x20000)
        for node, expected in ((PCI, 0), ({**PCI, "iommu-map": cells(0, 1, 0, 0x10000)}, 2)):
            virt(smmu, ("pcie", node))
            assert show("mtree").count('AS "smmuv3') == expected, show("mtree")

    def a_secure_world_has_a_view_of_its_own(self):
        virt(MEMORY, ("secram", {"device_type": b"memory\0", "reg": pairs(0xe000000, 0x1000000),
                                 "status": b"disabled\0", "secure-status": b"okay\0"}))
        assert [r[3] for r in ranges()] == ["mach-virt.ram"]
        assert [r[3] for r in ranges(view=1)] == ["virt.secure-ram", "mach-virt.ram"]
        assert shown("mtree")["flatviews"][1]["address_spaces"] == [
            {"name": "cpu-secure-memory-0", "root": "secure-memory"}]

    def an_event_device_is_there_when_a_button_is_not(self):
        virt(FW_CFG)
        assert ("0x9080000", "0x9080003", "i/o", "acpi-ged") in ranges()
        virt(FW_CFG, device(b"arm,pl061", 0x9030000, 0x1000))
        assert "acpi-ged" not in [r[3] for r in ranges()]
        virt(FW_CFG, memory("m1", b"dimm", reg=pairs(0x80000000, 0x1000000)))
        assert [r[3] for r in ranges()][-3:] == ["acpi-mem-hotplug", "acpi-ged", "m1"], ranges()


class Memdev:
    FILES = FILES

    def the_text_is_the_monitor_s(self):
        virt(MEMORY)
        assert show("memdev") == (
            "memory backend: mach-virt.ram\n  size:  134217728\n  merge: true\n  dump: true\n"
            "  prealloc: false\n  share: false\n  reserve: true\n  policy: default\n"
            "  host nodes: \n\n")

    def the_json_has_the_members_of_qmp(self):
        virt(MEMORY)
        assert shown("memdev")["memdevs"] == [{
            "id": "mach-virt.ram", "size": "0x8000000", "merge": True, "dump": True,
            "prealloc": False, "share": False, "reserve": True, "policy": "default",
            "host-nodes": []}]

    def shared_is_what_the_tree_says(self):
        write("a.dtb", tree(
            memory("a", reg=pairs(0x10000, 0x1000)),
            memory("b", reg=pairs(0x20000, 0x1000), shared=b""),
            memory("c", b"nvdimm", reg=pairs(0x30000, 0x1000), backing=b"pmem\0", path=b"no.img\0"),
            memory("d", b"rom", reg=pairs(0x40000, 0x1000))))
        found = [(d["id"], d["share"], d["merge"]) for d in shown("memdev")["memdevs"]]
        assert found == [("a", False, False), ("b", True, False), ("c", True, False)], found
        assert not os.path.exists("no.img")

    def a_machine_of_nothing_has_none(self):
        write("a.dtb", tree())
        assert show("memdev") == "\n" and shown("memdev")["memdevs"] == []


class Devices:
    FILES = FILES

    def the_text_is_the_monitor_s(self):
        dtb = machine("x86-q35")
        assert show("memory-devices", dtb=dtb) == (
            'Memory device [dimm]: "dimm0"\n  addr: 0x100000000\n  slot: 0\n  node: 1\n'
            "  size: 33554432\n  memdev: /objects/dimm0\n  hotplugged: false\n"
            "  hotpluggable: true\n"
            'Memory device [nvdimm]: "nvdimm0"\n  addr: 0x108000000\n  slot: 1\n  node: 0\n'
            "  size: 66977792\n  memdev: /objects/nvdimm0\n  hotplugged: false\n"
            "  hotpluggable: true\n"
            'Memory device [virtio-pmem]: "virtio-pmem0"\n  memaddr: 0x140000000\n'
            "  size: 16777216\n  memdev: /objects/virtio-pmem0\n"), show("memory-devices", dtb=dtb)

    def an_address_of_64_bits_is_what_it_is(self):
        """QMP's integers are signed: there it would be negative."""
        for gpa in (1 << 53 | 0x1000, 1 << 63, (1 << 64) - 0x1000):
            write("a.dtb", tree(memory("d", b"dimm", reg=pairs(gpa, 0x1000))))
            assert shown("memory-devices")["memory_devices"][0]["data"]["addr"] == hex(gpa)
            assert f"  addr: {gpa:#x}\n" in show("memory-devices")
            row = shown("mtree")["flatviews"][0]["ranges"][0]
            assert (row["start"], row["end"]) == (hex(gpa), hex(gpa + 0xfff)), row

    def the_json_has_the_members_of_qmp(self):
        write("a.dtb", tree(memory("d", b"dimm", reg=pairs(0x10000, 0x1000)),
                            memory("vm", b"virtio-mem", reg=pairs(0x20000, 0x1000)),
                            memory("hidden", b"virtio-pmem", size=cells(0x1000))))
        assert shown("memory-devices")["memory_devices"] == [
            {"type": "dimm", "data": {
                "id": "d", "addr": "0x10000", "slot": 0, "node": 0, "size": "0x1000",
                "memdev": "/objects/d", "hotplugged": False, "hotpluggable": True}},
            {"type": "virtio-mem", "data": {
                "id": "vm", "memaddr": "0x20000", "node": 0, "size": "0x1000", "max-size": "0x1000",
                "memdev": "/objects/vm"}},
            {"type": "virtio-pmem", "data": {
                "id": "hidden", "memaddr": None, "size": "0x1000", "memdev": "/objects/hidden"}}]
        assert "\n  memaddr: hidden\n" in show("memory-devices")

    def slots_are_told_where_the_tree_has_some(self):
        slots = ("slots", {"compatible": b"firmem,dimm-slots\0",
                           "reg": pairs(0x100000000, 0x10000000), "firmem,slots": cells(4),
                           "firmem,max-memory": pairs(0x10000000), "firmem,numa-nodes": cells(2)})
        node = memory("d", b"dimm", size=cells(0x400000), slot=cells(3), fixed=b"")
        node[1]["numa-node-id"] = cells(1)
        write("a.dtb", tree(slots, node))
        assert shown("memory-devices")["memory_devices"] == [{"type": "dimm", "data": {
            "id": "d", "addr": "0x100000000", "slot": 3, "node": 1, "size": "0x400000",
            "memdev": "/objects/d", "hotplugged": False, "hotpluggable": False}}]

    def a_machine_without_any_prints_nothing(self):
        virt(MEMORY)
        assert show("memory-devices") == "" and shown("memory-devices")["memory_devices"] == []


class Walks:
    FILES = FILES

    def each_block_tells_its_walks_flags_and_page(self):
        answer = info(machine("x86-q35"), "--walks")
        found = {w["block"]: w for w in answer["walks"]}
        assert found["pc.ram"]["walks"] == "migratable,mapped,reset-targets,dumpable"
        assert found["smram"]["walks"] == "migratable,reset-targets"
        assert found["nvdimm0"]["walks"] == "migratable,mapped,memory-devices"
        assert found["dimm0"]["flags"] == "shared" and found["dimm0"]["page_size"] == "0x1000"
        assert "walks" not in info("x86-q35.dtb")

    def blocks_of_any_role_are_in_the_table(self):
        roles = {b["block"]: (b["role"], b["mapping"]) for b in info(machine("x86-q35"))["blocks"]}
        assert roles["pc.rom"] == ("option-rom", "r-x"), roles
        assert roles["smram"] == ("smram", "hidden") and roles["nvdimm0"] == ("nvdimm", "rwx")

    def memory_that_is_not_shared_says_so(self):
        write("a.dtb", tree(MEMORY, memory("x", size=cells(0x1000), no_migrate=b"")))
        assert [(w["block"], w["backing"], w["flags"], w["walks"])
                for w in info("a.dtb", "--walks")["walks"]] == [
            ("memory@40000000", "anon", None, "migratable,mapped,reset-targets,dumpable"),
            ("x", "memfd", "shared,no-migrate", "reset-targets,dumpable")]


class Lies:
    FILES = FILES

    def refuse(self, expected, *nodes, verbs=VERBS, options=(), **given):
        virt(*nodes, **given)
        for verb in verbs:
            refused("^firmem: " + expected, "machine", verb, "--dtb", "a.dtb", *options)

    def files_that_are_no_trees(self):
        for verb in VERBS:
            refused("no.dtb: cannot be opened: No such file", "machine", verb, "--dtb", "no.dtb")
            write("a.dtb", tree(MEMORY)[:-1])
            refused("a.dtb: totalsize: ", "machine", verb, "--dtb", "a.dtb")
            write("a.dtb", b"text")
            refused("a.dtb: size: 4 bytes", "machine", verb, "--dtb", "a.dtb")

    def options_that_are_not_there(self):
        write("a.dtb", tree(MEMORY))
        for verb in VERBS:
            refused("--dtb: is missing", "machine", verb)
            refused("--jsno: no such option, did you mean --json", "machine", verb, "--dtb", "a.dtb",
                    "--jsno")
            refused('--names: "x", expected auto, qemu or tree', "machine", verb, "--dtb", "a.dtb",
                    "--names", "x")
        refused("--no-acpi: no such option", "machine", "mtree", "--dtb", "a.dtb", "--no-acpi")
        refused("--pci: no such option", "machine", "memdev", "--dtb", "a.dtb", "--pci", "none")

    def options_for_another_machine(self):
        write("a.dtb", tree(MEMORY))
        for options in (["--memdev", "x"], ["--pci", "none"], ["--no-acpi"]):
            refused(f"{options[0]}: the names are the tree's, expected it with QEMU's only",
                    "machine", "ramblock", "--dtb", "a.dtb", *options)

    def machines_that_cannot_be(self):
        virt(MEMORY)
        for text, expected in (("", "expected something"), ("q35", '"q35", expected virt-2.8 to'),
                               ("virt-2.7", '"virt-2.7", expected'), ("virt-6.20", '"virt-6.20", exp'),
                               ("virt,", '"", expected gic-version=2, 3 or 4'),
                               ("virt,gic-version=5", '"gic-version=5", expected gic-version=2, 3'),
                               ("virt,mte", '"mte", expected'), ("virt,mte=yes", '"mte=yes", expected'),
                               ("virt,secure=on", "the tree tells the rest"),
                               ("virt,gic-version=4", "gic-version=4: a.dtb has no GICv3 node"),
                               ("virt-6.1", "a.dtb has a /cpus/cpu-map, expected virt-6.2 or newer")):
            for verb in ("ramblock", "mtree"):
                refused(f"--machine: .*{expected}", "machine", verb, "--dtb", "a.dtb", "--machine", text)
        refused("--machine: no such option", "machine", "memdev", "--dtb", "a.dtb", "--machine", "virt")
        write("a.dtb", tree(MEMORY))
        refused("--machine: the names are the tree's", "machine", "mtree", "--dtb", "a.dtb", "--machine",
                "virt")

    def what_is_not_told_right_is_not_told(self):
        virt(MEMORY, memory("vm", b"virtio-mem", reg=pairs(0x90000000, 0x1000)))
        refused('a.dtb: block "vm" has role virtio-mem, whose name in QEMU is not told here, expected '
                "--names tree", "machine", "ramblock", "--dtb", "a.dtb")
        virt(MEMORY, ("iommu@8", {"compatible": b"virtio,pci-iommu\0"}))
        refused("a.dtb: has a virtio-iommu, .*, expected none, or --names tree", "machine", "mtree",
                "--dtb", "a.dtb")
        for name in ("VGA", "ivshmem-plain", "virtio-mem-pci:4K"):
            refused(f'--pci: "{name.split(":")[0]}" has memory or an address space of its own', "machine",
                    "ramblock", "--dtb", "a.dtb", "--pci", f"e1000,{name}")

    def pci_devices_that_cannot_be(self):
        virt(MEMORY)
        for text, expected in (("", "expected something"), (",", 'name ""'), ("x,", 'name ""'),
                               (":4K", 'name ""'), ("x:", 'x: ROM size ""'),
                               ("x:0", 'x: ROM size "0"'), ("x:2G", 'x: ROM size "2G"'),
                               ("x:4Kb", 'x: ROM size "4Kb"'), ("y" * 64, "name .*1 to 63"),
                               (",".join("z" * 32), "more devices than expected: at most 31")):
            refused(f"--pci: .*{expected}", "machine", "ramblock", "--dtb", "a.dtb", "--pci", text)

    def names_that_are_too_many_or_too_few(self):
        virt(MEMORY)
        for text in ("a,b", ",", "a,", "x" * 64):
            refused("--memdev: .*expected 1 names of 1 to 63 bytes for the memory of a.dtb",
                    "machine", "ramblock", "--dtb", "a.dtb", "--memdev", text)
        virt()
        refused("--memdev: .*expected 0 names", "machine", "memdev", "--dtb", "a.dtb", "--memdev",
                "a")

    def regions_that_are_too_small(self):
        self.refuse(r"a.dtb: /x@9020000: reg\[0\]: 0x10 bytes, expected the 0x18 of a "
                    "qemu,fw-cfg-mmio", device(b"qemu,fw-cfg-mmio", 0x9020000, 0x10))
        self.refuse(r"a.dtb: /x@8000000: reg\[1\]: ", device(b"arm,cortex-a15-gic", 0x8000000,
                                                             0x10000))

    def regions_over_others(self):
        self.refuse("a.dtb: /x@47fff000: .*overlap", MEMORY, device(b"arm,pl011", 0x47fff000, 0x1000))
        self.refuse("a.dtb: .*acpi-ged", FW_CFG, device(b"arm,pl031", 0x9080000, 0x1000))

    def regions_at_one_address(self):
        self.refuse("a.dtb: /y: .*pl011@9000000", device(b"arm,pl011", 0x9000000, 0x1000),
                    ("y", device(b"arm,pl011", 0x9000000, 0x1000)[1]))

    def bridges_that_lie(self):
        self.refuse("a.dtb: /pcie: ranges: 52 bytes, expected a multiple of 28",
                    ("pcie", {**PCI, "ranges": PCI["ranges"][:52]}))
        self.refuse("a.dtb: /pcie: #size-cells: 1, expected 2",
                    ("pcie", {**PCI, "#size-cells": cells(1)}))
        # Its memory leaves what the bus, and so the region over it, has.
        end = cells(0x3000000, 0xffffffff, 0xfffff000, 0x80, 0, 0, 0x1000)
        self.refuse("a.dtb: /pcie: .*gpex_mmio_window", ("pcie", {**PCI, "ranges": end}))

    def a_cpu_of_no_text(self):
        self.refuse("a.dtb: /cpu: device_type: 3 bytes without a NUL",
                    ("cpu", {"device_type": b"cpu"}))

    def no_file_of_a_tree_is_touched(self):
        node = memory("pm", b"nvdimm", reg=pairs(0x10000, 0x1000), backing=b"pmem\0",
                      path=b"victim\0", created=b"")
        for verb in VERBS + ("info",):
            write("a.dtb", tree(node))
            run("machine", verb, "--dtb", "a.dtb")
            assert not os.path.exists("victim")


GROUPS = {group.__name__.lower(): group
          for group in (Ramblock, Mtree, Memdev, Devices, Walks, Lies)}


if __name__ == "__main__":
    sys.exit(cli.main(GROUPS, *sys.argv[1:]))
