#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Linux and ndctl judge what firmem writes: test_ndctl.py COMMAND MAILBOX CACHE TEST, where TEST is one of
the functions below; exit status 77 is a skip."""
import base64
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from cli import pairs, tree  # noqa: E402
from guest import EXT4, ArmGuest, Guest, Skip, tool  # noqa: E402

MIB = 1 << 20
TESTS = {}


def test(function):
    TESTS[function.__name__] = function
    return function


class Host:
    def __init__(self, command, mailbox, cache, folder):
        self.command, self.mailbox, self.folder = command, mailbox, folder
        self.cache = cache
        self.pmemnode = os.path.join(os.path.dirname(mailbox), "pmemnode")
        self.mapsync = os.path.join(os.path.dirname(mailbox), "mapsync")

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def guest(self):
        return Guest(self.cache, self.folder)

    def firmem(self, *arguments):
        done = subprocess.run([self.command, "nvdimm", *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, (arguments, done)
        return done.stdout.decode("utf-8")

    def labels(self, name, label_size="128K"):
        return json.loads(self.firmem("labels", "list", self.path(name), "--json", "--label-size",
                                      label_size))


def objects(answer, key):
    """All values of that key, at any depth."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name == key:
                yield value
            yield from objects(value, key)
    elif isinstance(answer, list):
        for value in answer:
            yield from objects(value, key)


def said(answers, name, status=0):
    rc, text = answers[name]
    assert rc == status, (name, rc, text)
    return text


def load(text):
    """ndctl's JSON; "cleared 1 namespace" and the like come behind it."""
    return json.JSONDecoder().raw_decode(text.lstrip())[0]


def namespaces(answer):
    """{uuid: namespace} of ndctl list, without the seeds that are not used."""
    found = [n for group in objects(answer, "namespaces") for n in group]
    return {n.get("raw_uuid", n.get("uuid")): n for n in found if n.get("size")}


def uuid(number):
    return f"{number:08x}-1111-4222-8333-444455556666"


# --- labels -----------------------------------------------------------------------------------

def dimms(host, count, size):
    """QEMU's options for images that are there."""
    options = ["-M", "q35,nvdimm=on", "-m", f"512M,slots={count},maxmem=4G"]
    for n in range(count):
        options += ["-object", f"memory-backend-file,id=m{n},share=on,size={size + (128 << 10)},"
                               f"mem-path={host.path(f'nv{n}.img')}",
                    "-device", f"nvdimm,id=nv{n},memdev=m{n},label-size=128K"]
    return options


def spoil(host, name, off):
    with open(host.path(name), "r+b") as file:
        file.seek(off)
        byte = file.read(1)
        file.seek(off)
        file.write(bytes([byte[0] ^ 0xff]))


@test
def labels_that_firmem_wrote_are_those_that_ndctl_lists(host):
    """v1.2 with UTF-8 names; v1.1; one index block broken and one label's sum wrong."""
    size = 64 * MIB
    for n, version in enumerate(("1.2", "1.1", "1.2")):
        name = host.path(f"nv{n}.img")
        host.firmem("create", name, "--size", str(size), "--label-size", "128K", "--sparse")
        host.firmem("labels", "init", name, "--label-size", "128K", "--version", version)
    for n, number, more in ((0, 1, ["--name", "na\u00efve \u2603"]), (0, 2, ["--name", "second"]),
                            (1, 3, ["--name", "old"]), (2, 4, ["--name", "kept"]),
                            (2, 5, ["--name", "spoilt"])):
        host.firmem("labels", "add", host.path(f"nv{n}.img"), "--size", "16M", "--uuid",
                    uuid(number), "--slot", str(n), *more) if n else host.firmem(
                        "labels", "add", host.path("nv0.img"), "--size", "16M", "--uuid",
                        uuid(number), *more)
    host.firmem("labels", "rename", host.path("nv0.img"), "--uuid", uuid(2), "--name", "renamed")
    answer = host.labels("nv2.img")
    slot = next(entry["slot"] for entry in answer["labels"] if entry["name"] == "spoilt")
    spoil(host, "nv2.img", size + 512 + slot * 256 + 17)
    spoil(host, "nv2.img", size + (0 if answer["current_index"] else 256) + 70)
    script = """
say list ndctl list -BDRNvi
say check ndctl check-labels all
say nfit base64 /sys/firmware/acpi/tables/NFIT
say create ndctl create-namespace -r $(basename $(dirname $(grep -l nmem0 /sys/bus/nd/devices/region*/mapping0))) -m raw -s 16M -n linux -f
say after ndctl list -Ni
"""
    answers = host.guest.run(script, *dimms(host, 3, size))
    seen = namespaces(load(said(answers, "list")))
    names = {key: value.get("name", "") for key, value in seen.items()}
    assert names == {uuid(1): "na\u00efve \u2603", uuid(2): "renamed", uuid(3): "old",
                     uuid(4): "kept"}, names
    assert all(value["size"] == 16 * MIB for value in seen.values()), seen
    assert "successfully verified 3" in said(answers, "check"), answers["check"]
    made = load(said(answers, "create"))
    assert_qemus_table(host, base64.b64decode(said(answers, "nfit")), 3)
    # What Linux wrote is read back, beside what was there.
    ours = {entry["uuid"]: entry for n in range(3) for entry in host.labels(f"nv{n}.img")["labels"]}
    assert ours[made["uuid"]]["name"] == "linux", ours
    assert ours[made["uuid"]]["rawsize"] == hex(16 * MIB), ours
    assert ours[uuid(1)]["name"] == "na\u00efve \u2603"


def assert_qemus_table(host, theirs, count):
    """QEMU's own NFIT of that machine: ours has the same bytes, DIMM by DIMM in the order of slots."""
    each = 56 + 48 + 80
    groups = sorted((theirs[at:at + each] for at in range(40, 40 + count * each, each)),
                    key=lambda group: group[60:64])
    regions = [int.from_bytes(g[at:at + 8], "little") for g in groups for at in (32, 40)]
    node = ("pmem@0", {"compatible": b"pmem-region\0", "reg": pairs(*regions)})
    with open(host.path("t.dtb"), "wb") as file:
        file.write(tree(("memory", {"device_type": b"memory\0", "reg": pairs(0, 0x100000)}), node))
    host.firmem("nfit", "--dtb", host.path("t.dtb"), "-o", host.path("ours.bin"))
    with open(host.path("ours.bin"), "rb") as file:
        ours = file.read()
    assert ours[40:] == b"".join(groups), (ours, theirs)
    # The header, too, and the sum, which no order changes.
    assert ours[:40] == theirs[:40], (ours[:40], theirs[:40])


@test
def map_sync_works_in_a_file_system_on_an_image_of_ours(host):
    """ext4 -o dax in an fsdax namespace that firmem labelled."""
    mkfs = "/sbin/mke2fs"
    if not os.path.exists(mkfs):
        raise Skip(f"no {mkfs}")
    name = host.path("nv0.img")
    host.firmem("create", name, "--size", "128M", "--label-size", "128K", "--sparse")
    host.firmem("labels", "init", name, "--label-size", "128K")
    script = f"""
say create ndctl create-namespace -m fsdax -n files -s 128M
say mkfs {mkfs} -q -F -t ext4 -b 4096 /dev/pmem0
say mount mount -t ext4 -o dax /dev/pmem0 /mnt
say sync {host.mapsync} /mnt/file
say umount umount /mnt
say again mount -t ext4 /dev/pmem0 /mnt
say text cat /mnt/file
"""
    answers = host.guest.run(script, *dimms(host, 1, 128 * MIB), modules=EXT4,
                             programs=(mkfs, host.mapsync))
    for command in ("create", "mkfs", "mount"):
        said(answers, command)
    assert said(answers, "sync") == "sync\n", answers["sync"]
    assert said(answers, "text").startswith("stored through MAP_SYNC\n"), answers["text"]
    label = host.labels("nv0.img")["labels"][0]
    assert (label["name"], label["abstraction_guid"]) == (
        "files", "266400ba-fb9f-4677-bcb0-968f11d0d225"), label


# --- device tree ------------------------------------------------------------------------------

@test
def an_arm64_guest_finds_its_memory_by_our_node(host):
    """A pmem-region node of fm_fdt_add_pmem(), in QEMU's own tree of the board."""
    guest = ArmGuest(host.cache, host.folder)
    base, length = 0x70000000, 256 * MIB
    with open(host.path("ram"), "wb") as file:
        file.truncate(1024 * MIB)
    machine = ["-m", "1024M", "-object", "memory-backend-file,id=ram,share=on,size=1024M,mem-path="
               + host.path("ram"), "-M", "virt,memory-backend=ram"]
    subprocess.run([guest.qemu, "-cpu", "cortex-a57", "-display", "none", *machine[:-1],
                    machine[-1] + ",dumpdtb=" + host.path("board.dtb")], check=True)
    subprocess.run([host.pmemnode, host.path("node.dtb"), hex(base), hex(length)], check=True)
    sources = []
    for name in ("board", "node"):
        done = subprocess.run([tool("dtc"), "-q", "-I", "dtb", "-O", "dts", host.path(name + ".dtb")],
                              stdout=subprocess.PIPE, text=True, check=True)
        sources.append(done.stdout)
    # dtc merges what has the same name: the root.
    subprocess.run([tool("dtc"), "-q", "-I", "dts", "-O", "dtb", "-o", host.path("both.dtb")],
                   input=sources[0] + sources[1].replace("/dts-v1/;", ""), text=True, check=True)
    script = """
say size cat /sys/bus/nd/devices/region0/size
say provider cat /sys/bus/nd/devices/ndbus0/provider
say device test -b /dev/pmem0
say write sh -c 'echo from-the-guest | dd of=/dev/pmem0 bs=512 count=1 conv=sync,fsync'
say domain cat /sys/bus/nd/devices/region0/persistence_domain
"""
    answers = guest.run(script, *machine, "-dtb", host.path("both.dtb"), append="mem=768M")
    assert said(answers, "size").split() == [str(length)], answers
    said(answers, "device")
    said(answers, "write")
    with open(host.path("ram"), "rb") as file:
        file.seek(base - 0x40000000)
        assert file.read(15) == b"from-the-guest\n"


# --- tables and functions ---------------------------------------------------------------------

SESSION = """
say regions ndctl list -BDRvi
say health ndctl list -DH
say domain sh -c 'cat /sys/bus/nd/devices/region0/persistence_domain /sys/bus/nd/devices/region0/read_only'
say dirty sh -c 'cat /sys/bus/nd/devices/nmem0/nfit/dirty_shutdown /sys/bus/nd/devices/nmem1/nfit/dirty_shutdown'
say init ndctl init-labels -f all
say enable sh -c 'ndctl disable-region all; ndctl init-labels -f all; ndctl enable-region all'
say create ndctl create-namespace -m raw -s 64M -n judged -f
say before sh -c 'cat /sys/block/pmem0/badblocks'
say inject ndctl inject-error namespace0.0 --block=103 --count=1
say injected ndctl inject-error namespace0.0 --status
say scrub ndctl start-scrub
say wait ndctl wait-scrub
say bad sh -c 'cat /sys/block/pmem0/badblocks'
say listed ndctl list -NM
say eio dd if=/dev/pmem0 of=/dev/null bs=512 skip=103 count=1 iflag=direct
say clear ndctl clear-errors namespace0.0
say gone sh -c 'cat /sys/block/pmem0/badblocks'
say read dd if=/dev/pmem0 of=/dev/null bs=512 skip=103 count=1 iflag=direct
say write dd if=/dev/zero of=/dev/pmem0 bs=4096 count=4 oflag=direct conv=fsync
say flush sh -c 'for r in /sys/bus/nd/devices/region*; do cat $r/deep_flush; echo 1 > $r/deep_flush; done'
"""


@test
def linux_takes_our_tables_and_ndctl_our_functions(host):
    """An interleave set with flush hints; SMART; scrub, inject, EIO, clear, read; labels by _DSM."""
    with open(host.path("ram"), "wb") as file:
        file.truncate(1024 * MIB)
    names = [host.path(name) for name in ("ram", "nfit.bin", "ssdt.aml", "labels0", "labels1")]
    with subprocess.Popen([host.mailbox, *names], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"ready\n"
        answers = host.guest.run(
            SESSION, "-M", "q35,memory-backend=ram", "-m", "1024M", "-object",
            f"memory-backend-file,id=ram,share=on,size=1024M,mem-path={names[0]}", "-acpitable",
            f"file={names[1]}", "-acpitable", f"file={names[2]}", append="memmap=258M$512M")
        server.stdin.close()
        assert server.wait(30) == 0
    for name, (status, text) in answers.items():
        print(f"{name}: {status}: {text.strip()[:200]}")
    regions = load(said(answers, "regions"))
    region = next(objects(regions, "regions"))[0]
    assert region["size"] == 256 * MIB and len(region["mappings"]) == 2, region
    assert region["persistence_domain"] == "memory_controller", region
    health = sorted(load(said(answers, "health")), key=lambda d: d["dev"])
    assert [d["health"]["shutdown_count"] for d in health] in ([42, 43], [43, 42]), health
    assert all(d["health"]["shutdown_state"] == "dirty" for d in health), health
    assert sorted(said(answers, "dirty").split()) == ["42", "43"]
    made = load(said(answers, "create"))
    assert said(answers, "before") == ""
    assert load(said(answers, "injected"))["badblocks"] == [{"block": 103, "count": 1}]
    assert said(answers, "bad").split() == ["103", "1"]
    assert answers["eio"][0] != 0 and "Input/output error" in answers["eio"][1], answers["eio"]
    said(answers, "clear")
    assert said(answers, "gone") == ""
    said(answers, "read")
    said(answers, "write")
    assert said(answers, "flush").split() == ["1"], answers["flush"]
    # The guest wrote to both DIMMs' hints, and its labels over both are one namespace of ours.
    with open(names[0], "rb") as file:
        for off in (0x10000, 0x10100):
            file.seek(768 * MIB + off)
            hints = file.read(128)
            assert any(hints), off
    for n in range(2):
        labels = host.labels(f"labels{n}")["labels"]
        assert [(e["uuid"], e["name"], e["nlabel"], e["rawsize"]) for e in labels] == [
            (made["uuid"], "judged", 2, hex(32 * MIB))], labels


def main(command, mailbox, cache, name):
    with tempfile.TemporaryDirectory(prefix="firmem-judge-", dir=os.path.dirname(cache)) as folder:
        try:
            TESTS[name](Host(os.path.abspath(command), mailbox, cache, folder))
        except Skip as why:
            print(f"skipped: {why}")
            return 77
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
