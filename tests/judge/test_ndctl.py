#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Linux and ndctl judge what firmem writes: test_ndctl.py COMMAND MAILBOX CACHE TEST, where TEST is one of
the functions below; exit status 77 is a skip."""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid as uuid_module

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
        self.lastslots = os.path.join(os.path.dirname(mailbox), "lastslots")
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


def stored(guid):
    """A GUID's text as ndctl prints it in read-labels: its bytes as they are stored."""
    return str(uuid_module.UUID(bytes=uuid_module.UUID(guid).bytes_le))


def assert_labels_agree(ours, theirs):
    """`ndctl read-labels -j` of an area, and `labels list --json`: the same index, and each label field by
    field. ndctl also prints slots that are free, and labels whose sum is wrong."""
    index = next(i for i in reversed(theirs["index"]) if i.get("seq") == ours["seq"])
    assert (f"{index['major']}.{index['minor']}", index["labelsize"], index["nslot"]) == (
        ours["version"], ours["label_size"], ours["nslot"]), (index, ours)
    slots = {label["slot"]: label for label in theirs["label"]}
    for label in ours["labels"]:
        other = slots[label["slot"]]
        expected = {key: label[key] for key in (
            "uuid", "name", "slot", "position", "nlabel", "flags", "lbasize")}
        expected.update({key: int(label[key], 16) for key in ("isetcookie", "dpa", "rawsize")})
        if ours["label_size"] == 256:
            expected.update({key: stored(label[key]) for key in ("type_guid", "abstraction_guid")})
        assert {key: other[key] for key in expected} == expected, (other, expected)


def expected_namespaces(ours):
    """What ndctl list says of raw namespaces on one DIMM, of our own listing."""
    found = {}
    for label in ours["labels"]:
        if label["checksum_ok"]:
            one = {"mode": "raw", "size": int(label["rawsize"], 16), "uuid": label["uuid"],
                   "sector_size": label["lbasize"]}
            if label["name"]:
                one["name"] = label["name"]
            found[label["uuid"]] = one
    return found


def bare(namespace):
    """Without what the guest numbers as it likes."""
    return {key: value for key, value in namespace.items()
            if key not in ("dev", "blockdev", "numa_node", "target_node")}


LONGEST = "\u2603" * 21  # 63 bytes of UTF-8: the most that fits
FIRST_COOKIE = "0xba90120012b4dc"  # of QEMU's first NVDIMM


def make_label_images(host, size):
    """What is written is what was asked for; the rest is compared with what the guest sees."""
    def add(n, number, *more):
        host.firmem("labels", "add", host.path(f"nv{n}.img"), "--size", "16M", "--uuid", uuid(number),
                    "--slot", str(n), *more)

    for n, version in enumerate(("1.2", "1.1", "1.2", "1.2", "1.1")):
        name = host.path(f"nv{n}.img")
        host.firmem("create", name, "--size", str(size), "--label-size", "128K", "--sparse")
        host.firmem("labels", "init", name, "--label-size", "128K", "--version", version)
    add(0, 1, "--name", "na\u00efve \u2603")
    add(0, 2, "--name", "second", "--lbasize", "4096")
    add(0, 6, "--name", LONGEST)
    add(0, 7, "--name", "gone")
    host.firmem("labels", "rename", host.path("nv0.img"), "--uuid", uuid(2), "--name", "renamed")
    host.firmem("labels", "delete", host.path("nv0.img"), "--uuid", uuid(7))
    add(1, 3, "--name", "old")
    add(1, 8)
    add(2, 4, "--name", "kept")
    add(2, 5, "--name", "spoilt")
    answer = host.labels("nv2.img")
    slot = next(entry["slot"] for entry in answer["labels"] if entry["name"] == "spoilt")
    spoil(host, "nv2.img", size + 512 + slot * 256 + 200)  # reserved: its sum alone is wrong
    spoil(host, "nv2.img", size + (0 if answer["current_index"] else 256) + 70)
    for n, version in ((3, 2), (4, 1)):
        # The cookie of QEMU's NVDIMM of that slot: what a label of it has.
        add(n, 0xee)
        cookie = host.labels(f"nv{n}.img")["labels"][0]["isetcookie"]
        subprocess.run([host.lastslots, host.path("area"), str(128 << 10), str(version), cookie],
                       check=True)
        with open(host.path("area"), "rb") as area, open(host.path(f"nv{n}.img"), "r+b") as file:
            file.seek(size)
            file.write(area.read())
    return [host.labels(f"nv{n}.img") for n in range(5)]


@test
def labels_that_firmem_wrote_are_those_that_ndctl_lists(host):
    """v1.2 with UTF-8 names; v1.1; one index block broken and one label's sum wrong; the last slots."""
    size, count = 64 * MIB, 5
    ours = make_label_images(host, size)
    for n, answer in enumerate(ours):
        print(f"written to DIMM {n}: {json.dumps(answer, ensure_ascii=False)}")
    assert [[(e["slot"], e["uuid"], e["name"]) for e in ours[n]["labels"]] for n in (3, 4)] == [
        [(nslot - 2, uuid(0xf1), "last-1"), (nslot - 1, uuid(0xf0), "last-0")]
        for nslot in (510, 1020)], ours
    assert [e["checksum_ok"] for e in ours[2]["labels"]].count(False) == 1, ours[2]
    script = "say list ndctl list -BDRNvi\nsay check ndctl check-labels all\n" + "".join(
        f"say labels{n} ndctl read-labels -j nmem{n}\n" for n in range(count)) + """
say nfit base64 /sys/firmware/acpi/tables/NFIT
say create ndctl create-namespace -r $(basename $(dirname $(grep -l "$(basename $(dirname $(dirname $(grep -l 0x1$ /sys/bus/nd/devices/nmem*/nfit/handle))))," /sys/bus/nd/devices/region*/mapping0))) -m raw -s 16M -n linux -f
say after ndctl list -BDRNvi
""" + "".join(f"say after{n} ndctl read-labels -j nmem{n}\n" for n in range(count))
    answers = host.guest.run(script, *dimms(host, count, size))
    assert f"successfully verified {count}" in said(answers, "check"), answers["check"]
    listed = load(said(answers, "list"))
    number = {d["dev"]: d["handle"] - 1 for d in next(objects(listed, "dimms"))}
    assert sorted(number.values()) == list(range(count)), number
    assert_guest_sees(ours, listed, number, answers, "labels")
    made = load(said(answers, "create"))
    assert_qemus_table(host, base64.b64decode(said(answers, "nfit")), count)
    # What Linux wrote is read back, beside what was there.
    ours = [host.labels(f"nv{n}.img") for n in range(count)]
    assert_guest_sees(ours, load(said(answers, "after")), number, answers, "after")
    (label,) = [e for e in ours[0]["labels"] if e["uuid"] == made["uuid"]]
    assert (label["name"], label["rawsize"], label["nlabel"], label["isetcookie"]) == (
        "linux", hex(16 * MIB), 1, FIRST_COOKIE), label


def assert_guest_sees(ours, listed, number, answers, read):
    """Every namespace that we list, as we list it, in the region of its DIMM, and no other."""
    for dev, n in number.items():
        region = next(r for r in next(objects(listed, "regions"))
                      if r["mappings"][0]["dimm"] == dev)
        found = {key: bare(one) for key, one in namespaces(region).items()}
        assert found == expected_namespaces(ours[n]), (n, found, ours[n])
        assert {int(e["isetcookie"], 16) for e in ours[n]["labels"]} == {region["iset_id"]}, region
        assert_labels_agree(ours[n], load(said(answers, f"{read}{dev[4:]}")))


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
say without {host.mapsync} /mnt/file
"""
    answers = host.guest.run(script, *dimms(host, 1, 128 * MIB), modules=EXT4,
                             programs=(mkfs, host.mapsync))
    for command in ("create", "mkfs", "mount", "umount", "again"):
        said(answers, command)
    assert said(answers, "sync") == "sync\n", answers["sync"]
    assert said(answers, "text").startswith("stored through MAP_SYNC\n"), answers["text"]
    # The mapping is refused where the file system is not mounted so: what was seen was MAP_SYNC.
    assert answers["without"] == (1, "mmap: Operation not supported\n"), answers["without"]
    (label,) = host.labels("nv0.img")["labels"]
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
    assert said(answers, "provider").strip() == "70000000.pmem", answers["provider"]
    said(answers, "device")
    said(answers, "write")
    assert said(answers, "domain").strip() == "memory_controller", answers["domain"]
    with open(host.path("ram"), "rb") as file:
        file.seek(base - 0x40000000)
        assert file.read(15) == b"from-the-guest\n"


# --- tables and functions ---------------------------------------------------------------------

SESSION = """
say regions ndctl list -BDRvi
say labelled ndctl list -Ni
say nfit base64 /sys/firmware/acpi/tables/NFIT
say ssdt sh -c 'for t in /sys/firmware/acpi/tables/SSDT*; do base64 $t | tr -d "\\n"; echo; done'
say mapping sh -c 'cat /sys/bus/nd/devices/region0/mapping[01] /sys/bus/nd/devices/region0/mappings'
say identity sh -c 'cd /sys/bus/nd/devices; for d in nmem0 nmem1; do cd $d/nfit; echo $(cat handle phys_id serial vendor device rev_id subsystem_vendor subsystem_device format formats family); cd ../..; done'
say functions sh -c 'cat /sys/bus/nd/devices/nmem?/nfit/dsm_mask /sys/bus/nd/devices/nmem?/commands'
say health ndctl list -DH
say domain sh -c 'cat /sys/bus/nd/devices/region0/persistence_domain /sys/bus/nd/devices/region0/read_only'
say dirty sh -c 'cat /sys/bus/nd/devices/nmem0/nfit/dirty_shutdown /sys/bus/nd/devices/nmem1/nfit/dirty_shutdown'
say init ndctl init-labels -f all
say enable sh -c 'ndctl disable-region all; ndctl init-labels -f all; ndctl enable-region all'
say create ndctl create-namespace -m raw -s 64M -n judged -f
say before sh -c 'cat /sys/block/pmem0/badblocks'
say sound dd if=/dev/pmem0 of=/dev/null bs=512 skip=103 count=1 iflag=direct
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
say healthy ndctl inject-error namespace0.0 --status
say write dd if=/dev/zero of=/dev/pmem0 bs=4096 count=4 oflag=direct conv=fsync
say flush sh -c 'for r in /sys/bus/nd/devices/region*; do cat $r/deep_flush; echo 1 > $r/deep_flush; done'
"""


def cut(host, at, *arguments):
    """Make a change of both label areas, killed at its sync of that number: 2 are of one area."""
    done = subprocess.run([tool("strace"), "-qq", "-o", "/dev/null", "-e",
                           f"inject=msync:signal=KILL:when={at}", host.command, "nvdimm", *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    assert done.returncode == -9, (arguments, done)


def make_set_labels(host, areas, table):
    """Two namespaces over both DIMMs, one of them cut while it is renamed; and two that are not complete, cut
    between the images while they are added and deleted."""
    for area in areas:
        with open(area, "wb") as file:
            file.truncate(128 << 10)
        host.firmem("labels", "init", area)
    for number, name in ((1, "both \u2603"), (2, "before"), (4, "leaving")):
        host.firmem("labels", "add", *areas, "--size", "16M", "--uuid", uuid(number), "--name", name,
                    "--nfit", table)
    cut(host, 3, "labels", "add", *areas, "--size", "16M", "--uuid", uuid(3), "--name", "half")
    cut(host, 3, "labels", "rename", *areas, "--uuid", uuid(2), "--name", "after")
    cut(host, 1, "labels", "delete", *areas, "--uuid", uuid(4))
    found = [{e["uuid"]: e["name"] for e in host.labels(os.path.basename(area))["labels"]}
             for area in areas]
    print(f"written to both DIMMs: {found}")
    assert found == [{uuid(1): "both \u2603", uuid(2): "before"},
                     {uuid(1): "both \u2603", uuid(2): "after", uuid(3): "half",
                      uuid(4): "leaving"}], found


def old_cookie(host, table):
    areas = [host.path("old0"), host.path("old1")]
    for area in areas:
        with open(area, "wb") as file:
            file.truncate(128 << 10)
        host.firmem("labels", "init", area, "--version", "1.1")
    return json.loads(host.firmem("labels", "add", *areas, "--size", "16M", "--nfit", table,
                                  "--json"))["isetcookie"]


def assert_iasl_reads(host, name, *words):
    prefix = host.path(name.split(".", maxsplit=1)[0] + "-read")
    done = subprocess.run([tool("iasl"), "-p", prefix, "-d", host.path(name)],
                          stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0 and not re.search("error|warning", done.stdout, re.I), done.stdout
    with open(prefix + ".dsl", encoding="utf-8") as file:
        text = file.read()
    # Of AML it prints what it could not resolve; of a table the structures that it does not know.
    assert not re.search(r"Unknown(?! UUID)|/\*.*(Error|Invalid).*\*/|\*\*\*\*", text), text
    for word in words:
        assert word in text, (word, text)
    print(f"iasl disassembled {name}: {len(text.splitlines())} lines")


def assert_tables_arrived(host, answers):
    """As the guest has them, to the byte."""
    with open(host.path("nfit.bin"), "rb") as file:
        assert base64.b64decode(said(answers, "nfit")) == file.read()
    with open(host.path("ssdt.aml"), "rb") as file:
        assert file.read() in [base64.b64decode(t) for t in said(answers, "ssdt").split()]


def assert_region(answers):
    (region,) = next(objects(load(said(answers, "regions")), "regions"))
    assert region["size"] == 256 * MIB and region["type"] == "pmem", region
    assert region["persistence_domain"] == "memory_controller", region
    handles = {d["dev"]: d["handle"] for d in next(objects(load(said(answers, "regions")), "dimms"))}
    assert sorted(handles.values()) == [1, 17], handles
    maps = {handles[m["dimm"]]: (m["offset"], m["length"], m["position"]) for m in region["mappings"]}
    assert maps == {1: (0, 128 * MIB, 0), 17: (0, 128 * MIB, 1)}, region
    assert said(answers, "mapping").split()[-1] == "2", answers["mapping"]
    assert said(answers, "domain").split() == ["memory_controller", "0"], answers["domain"]
    return region


def assert_dimms(answers):
    identity = sorted(said(answers, "identity").splitlines())
    # The kernel prints what it reads as big-endian.
    assert [line.split() for line in identity] == [
        [handle, phys, serial, "0x8680", "0x5555", "0x0100", "0x8680", "0x3412", "0x0301", "1", "0"]
        for handle, phys, serial in (("0x1", "0x0", "0x0100feca"), ("0x11", "0x1", "0x0200feca"))
    ], identity
    health = sorted(load(said(answers, "health")), key=lambda d: d["handle"])
    assert [d["health"]["shutdown_count"] for d in health] == [42, 43], health
    for one in health:
        told = {key: one["health"][key] for key in (
            "health_state", "temperature_celsius", "spares_percentage", "alarm_temperature",
            "alarm_controller_temperature", "alarm_spares", "shutdown_state")}
        assert told == {"health_state": "ok", "temperature_celsius": 25.0, "spares_percentage": 100,
                        "alarm_temperature": False, "alarm_controller_temperature": False,
                        "alarm_spares": False, "shutdown_state": "dirty"}, one
    assert sorted(said(answers, "dirty").split()) == ["42", "43"]
    for word in ("0x60076", "smart", "get_size", "get_data", "set_data"):
        assert said(answers, "functions").split().count(word) == 2, answers["functions"]


def assert_labelled(answers, region):
    """Both whole namespaces, under its old name the one whose rename was cut before DIMM 0, and not
    what is incomplete."""
    found = {key: bare(one) for key, one in namespaces(
        {"namespaces": load(said(answers, "labelled"))}).items()}
    assert found.get(uuid(2), {}).get("name") == "before", found
    assert found == {uuid(n): {"mode": "raw", "size": 32 * MIB, "uuid": uuid(n), "sector_size": 512,
                               "name": name} for n, name in ((1, "both \u2603"), (2, "before"))}, found
    assert region["iset_id"], region


def assert_errors_come_and_go(answers):
    for name in ("inject", "scrub", "wait", "enable", "sound", "listed", "clear", "read", "write"):
        said(answers, name)
    assert said(answers, "before") == ""
    assert load(said(answers, "injected"))["badblocks"] == [{"block": 103, "count": 1}]
    assert said(answers, "bad").split() == ["103", "1"]
    (listed,) = load(said(answers, "listed"))
    assert [(b["offset"], b["length"]) for b in listed["badblocks"]] == [(103, 1)], listed
    assert answers["eio"][0] != 0 and "Input/output error" in answers["eio"][1], answers["eio"]
    assert said(answers, "gone") == ""
    assert "1+0 records in" in said(answers, "read")
    assert '"block"' not in said(answers, "healthy"), answers["healthy"]


@test
def linux_takes_our_tables_and_ndctl_our_functions(host):
    """An interleave set with flush hints; labels over it; SMART; scrub, inject, EIO, clear, read; _DSM."""
    with open(host.path("ram"), "wb") as file:
        file.truncate(1024 * MIB)
    names = [host.path(name) for name in ("ram", "nfit.bin", "ssdt.aml", "labels0", "labels1")]
    with subprocess.Popen([host.mailbox, *names], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout.readline() == b"ready\n"
            assert_iasl_reads(host, "nfit.bin", "Interleave", "Flush Hint", "Capabilities")
            assert_iasl_reads(host, "ssdt.aml", "_DSM", "_LSI", "_LSR", "_LSW")
            make_set_labels(host, names[3:], names[1])
            server.stdin.write(b"\n")
            server.stdin.flush()
            cookie = host.labels("labels0")["labels"][0]["isetcookie"]
            answers = host.guest.run(
                SESSION, "-M", "q35,memory-backend=ram", "-m", "1024M", "-object",
                f"memory-backend-file,id=ram,share=on,size=1024M,mem-path={names[0]}", "-acpitable",
                f"file={names[1]}", "-acpitable", f"file={names[2]}", append="memmap=258M$512M")
        finally:
            server.stdin.close()
        assert server.wait(30) == 0
    assert_tables_arrived(host, answers)
    region = assert_region(answers)
    assert region["iset_id"] == int(cookie, 16), (region, cookie)
    assert_labelled(answers, region)
    assert_dimms(answers)
    assert_errors_come_and_go(answers)
    assert said(answers, "flush").split() == ["1"], answers["flush"]
    # The guest wrote to both DIMMs' hints, and its labels over both are one namespace of ours.
    with open(names[0], "rb") as file:
        for off in (0x10000, 0x10100):
            file.seek(768 * MIB + off)
            hints = file.read(128)
            print(f"flush hints at 0x{768 * MIB + off:x}: {hints.rstrip(bytes(1)).hex()}")
            assert any(hints), off
    made = load(said(answers, "create"))
    # ndctl made label areas of v1.1, whose cookie is another one: that which we would write.
    cookie = old_cookie(host, names[1])
    for n in range(2):
        labels = host.labels(f"labels{n}")["labels"]
        print(f"Linux wrote to DIMM {n}: {labels}")
        assert [(e["uuid"], e["name"], e["nlabel"], e["position"], e["rawsize"], e["isetcookie"],
                 e["checksum_ok"]) for e in labels] == [
                     (made["uuid"], "judged", 2, n, hex(32 * MIB), cookie, True)], labels


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
