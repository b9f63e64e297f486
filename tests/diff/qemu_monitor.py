#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem machine ramblock, mtree, memdev and memory-devices next to the monitor of the installed QEMU.

qemu_monitor.py COMMAND [NAME | --random COUNT [SEED]]: each machine below is started stopped (-S), its
device tree is dumped, and the command has to print from the tree the very bytes that the monitor prints.
NAME: only that machine. --random: COUNT machines that are made up, and their DIMMs are put where QEMU says.
"""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile

QEMU = "qemu-system-aarch64"
VERSION = "7.2"
SKIP = 77
EFI = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"
CODE = "/usr/share/AAVMF/AAVMF_CODE.fd"
A57 = ["-cpu", "cortex-a57"]

# A DIMM's memory, of which QEMU's tree tells nothing: a node of ours says it.
DIMM = """
    %(name)s@%(gpa)x {
        compatible = "firmem,memory";
        firmem,role = "%(role)s";
        firmem,name = "%(name)s";
        reg = <0x%(high)x 0x%(low)x 0x0 0x%(size)x>;
    };
"""


class Machine:
    """`qemu`: its options; `ours`: those of the command that say what no tree does."""

    def __init__(self, name, machine, *qemu, ours=(), needs=(), nodes="",
                 ask_dimms=False):
        self.name, self.machine, self.qemu = name, machine, list(qemu)
        self.ours, self.needs, self.nodes = dict(ours), needs, nodes
        self.ask_dimms = ask_dimms


def dimm(name, gpa, size, role="dimm"):
    return DIMM % {"name": name, "gpa": gpa, "size": size, "role": role, "high": gpa >> 32,
                   "low": gpa & 0xffffffff}


def slotted(node, slot, numa):
    """The same in a slot."""
    return node.replace("    reg", f"    firmem,slot = <{slot}>;\n        numa-node-id = <{numa}>;\n"
                        "        reg")


NONE = {"pci": "none"}
# The region of virt's device memory: from the next GiB behind memory, with a GiB more for each slot.
EMPTY = """
    slots {
        compatible = "firmem,dimm-slots";
        reg = <0x0 0x80000000 0x1 0x38000000>;
        firmem,slots = <4>;
        firmem,max-memory = <0x40000000>;
    };
"""
SLOTS = ["-nodefaults", "-bios", EFI, "-m", "128M,slots=4,maxmem=1G"]
M1 = ["-object", "memory-backend-ram,id=m1,size=64M"]
M2 = ["-object", "memory-backend-ram,id=m2,size=64M"]

MACHINES = [
    Machine("default", "virt", *A57),
    Machine("cortex-a15", "virt", "-cpu", "cortex-a15"),
    Machine("max", "virt", "-cpu", "max"),
    Machine("128M", "virt", *A57, "-m", "128M"),
    Machine("129M", "virt", *A57, "-m", "129M"),
    Machine("1G", "virt", *A57, "-m", "1G"),
    Machine("4G", "virt", *A57, "-m", "4G"),
    Machine("8 CPUs", "virt", *A57, "-smp", "8"),
    Machine("no devices", "virt", *A57, "-nodefaults", ours=NONE),
    Machine("no NIC", "virt", *A57, "-nic", "none", ours=NONE),
    Machine("e1000", "virt", *A57, "-nic", "none", "-device", "e1000",
            ours={"pci": "e1000:256K"}),
    Machine("two PCI devices", "virt", *A57, "-nic", "none", "-device", "e1000", "-device",
            "virtio-rng-pci", ours={"pci": "e1000:256K,virtio-rng-pci"}),
    Machine("GICv2", "virt,gic-version=2", *A57, "-m", "1G"),
    Machine("GICv2 virtualization", "virt,virtualization=on", *A57, "-m", "1G"),
    Machine("GICv3", "virt,gic-version=3", *A57, "-m", "1G"),
    Machine("GICv3 4 CPUs", "virt,gic-version=3", *A57, "-smp", "4"),
    Machine("GICv3 without ITS", "virt,gic-version=3,its=off", *A57),
    Machine("GICv3 two regions", "virt,gic-version=3", *A57, "-smp", "130"),
    Machine("GICv3 virtualization", "virt,gic-version=3,virtualization=on", *A57),
    Machine("512 CPUs", "virt,gic-version=3", *A57, "-smp", "512"),
    Machine("highmem=off", "virt,highmem=off", *A57, "-m", "1G"),
    Machine("virt-7.0", "virt-7.0,gic-version=3", *A57),
    Machine("virt-6.2", "virt-6.2,gic-version=3", *A57),
    *(Machine(f"virt-{v}, GICv{gic}", f"virt-{v},gic-version={gic}", *A57, "-bios", EFI, needs=[EFI],
              ours={"machine": f"virt-{v},gic-version={gic}"})
      for v in ("6.1", "6.0", "5.2", "4.1", "3.0", "2.12", "2.8") for gic in (2, 3)),
    Machine("GICv4", "virt,gic-version=4,virtualization=on", *A57,
            ours={"machine": "virt,gic-version=4"}),
    Machine("GICv4 two regions", "virt,gic-version=4,virtualization=on", *A57, "-smp", "100",
            ours={"machine": "virt,gic-version=4"}),
    Machine("GICv4 of virt-6.1", "virt-6.1,gic-version=4,virtualization=on", *A57, "-smp", "100",
            ours={"machine": "virt-6.1,gic-version=4"}),
    Machine("GICv4 of max", "virt,gic-version=max,virtualization=on", "-cpu", "max", "-smp", "4",
            ours={"machine": "virt,gic-version=4"}),
    Machine("MTE", "virt,mte=on", "-cpu", "max", "-m", "1G", "-smp", "3",
            ours={"machine": "virt,mte=on"}),
    Machine("MTE, secure", "virt,mte=on,secure=on", "-cpu", "max", "-m", "129M",
            ours={"machine": "virt,mte=on"}),
    Machine("MTE, NUMA, odd size", "virt,mte=on", "-cpu", "max", "-m", "16400K", "-smp", "2",
            "-object", "memory-backend-ram,id=n0,size=8M", "-object",
            "memory-backend-ram,id=n1,size=8208K", "-numa", "node,memdev=n0,cpus=0", "-numa",
            "node,memdev=n1,cpus=1", ours={"memdev": "n0,n1", "machine": "virt,mte=on"}),
    Machine("nvdimm=on", "virt,nvdimm=on", *A57, ours={"machine": "virt,nvdimm=on"}),
    Machine("nvdimm=on acpi=off", "virt,nvdimm=on,acpi=off", *A57, "-bios", EFI, needs=[EFI],
            ours={"machine": "virt,nvdimm=on", "no-acpi": None}),
    Machine("SMMU that PCI bypasses", "virt,iommu=smmuv3,default-bus-bypass-iommu=on", *A57),
    Machine("ROMs of other names", "virt", *A57, "-nic", "none", "-device", "e1000-82545em", "-device",
            "ne2k_pci", "-device", "virtio-net-pci-non-transitional",
            ours={"pci": "e1000-82545em:256K,ne2k_pci:256K,virtio-net-pci-non-transitional:256K"}),
    Machine("secure", "virt,secure=on", *A57, "-m", "1G", "-smp", "2"),
    Machine("secure, GICv3", "virt,secure=on,gic-version=3", *A57, "-nodefaults",
            ours=NONE),
    Machine("secure, two pflash", "virt,secure=on", *A57, "-drive",
            f"if=pflash,format=raw,readonly=on,file={CODE}", "-drive",
            "if=pflash,format=raw,file=vars.fd", needs=[CODE]),
    Machine("acpi=off", "virt,acpi=off", *A57, ours={"no-acpi": None}),
    Machine("SMMU", "virt,iommu=smmuv3", *A57),
    Machine("-kernel", "virt", *A57, "-kernel", "/dev/null"),
    Machine("-bios", "virt", *A57, "-bios", EFI, needs=[EFI]),
    Machine("-bios acpi=off", "virt,acpi=off", *A57, "-bios", EFI, needs=[EFI],
            ours={"no-acpi": None}),
    Machine("one pflash", "virt", *A57, "-drive",
            f"if=pflash,format=raw,readonly=on,file={CODE}", needs=[CODE]),
    Machine("two pflash", "virt", *A57, "-drive",
            f"if=pflash,format=raw,readonly=on,file={CODE}", "-drive",
            "if=pflash,format=raw,file=vars.fd", needs=[CODE]),
    Machine("two pflash, GICv3, 4G", "virt,gic-version=3", *A57, "-m", "4G", "-smp", "2",
            "-drive", f"if=pflash,format=raw,readonly=on,file={CODE}", "-drive",
            "if=pflash,format=raw,file=vars.fd", needs=[CODE]),
    Machine("named memory", "virt,memory-backend=mine", *A57, "-m", "128M", "-object",
            "memory-backend-ram,id=mine,size=128M", ours={"memdev": "mine"}),
    Machine("NUMA", "virt", *A57, "-m", "256M", "-smp", "2", "-object",
            "memory-backend-ram,id=n0,size=64M", "-object", "memory-backend-ram,id=n1,size=192M",
            "-numa", "node,memdev=n0,cpus=0", "-numa", "node,memdev=n1,cpus=1",
            ours={"memdev": "n0,n1"}),
    Machine("slots without DIMMs", "virt", *A57, *SLOTS, ours=NONE, needs=[EFI], nodes=EMPTY),
    Machine("DIMMs in slots", "virt", *A57, *SLOTS, "-smp", "2", "-object",
            "memory-backend-ram,id=n0,size=128M", "-numa", "node,memdev=n0,cpus=0", "-numa",
            "node,cpus=1", *M1, *M2, "-device", "pc-dimm,memdev=m1,id=m1,slot=3,node=1", "-device",
            "pc-dimm,memdev=m2,id=m2", ours={**NONE, "memdev": "n0"}, needs=[EFI],
            nodes=EMPTY.replace(">;\n    };", ">;\n        firmem,numa-nodes = <2>;\n    };") +
            slotted(dimm("m1", 0x80000000, 64 << 20), 3, 1) +
            slotted(dimm("m2", 0x84000000, 64 << 20), 0, 0)),
    Machine("DIMM", "virt", *A57, *SLOTS, *M1, "-device", "pc-dimm,memdev=m1,id=m1",
            ours=NONE, needs=[EFI], nodes=dimm("m1", 0x80000000, 64 << 20)),
    Machine("NVDIMM and DIMM", "virt,nvdimm=on", *A57, *SLOTS, *M1, *M2, "-device",
            "nvdimm,memdev=m1,id=m1", "-device", "pc-dimm,memdev=m2,id=m2", ours=NONE, needs=[EFI],
            nodes=dimm("m1", 0x80000000, 64 << 20, "nvdimm") + dimm("m2", 0x84000000, 64 << 20)),
]

# The monitor's command, and the verb and options of ours that have to tell the same.
ASKED = {
    "ramblock": ("info ramblock", ("pci", "memdev", "no-acpi", "machine")),
    "mtree": ("info mtree -f", ("pci", "memdev", "machine")),
    "memdev": ("info memdev", ("memdev",)),
    "memory-devices": ("info memory-devices", ()),
}


def made_up(rng, n):
    """A machine, by chance; what it consists of is its name."""
    gic = rng.choice((None, 2, 3, 3, 4))
    cpus = rng.choice((1, 1, 2, 3, 8) if gic not in (3, 4) else (1, 2, 7, 60, 61, 62, 122, 123, 124, 300))
    said = {"gic-version": gic, "its": rng.choice((None, "off")) if gic == 3 else None,
            "secure": rng.choice((None, None, "on")), "acpi": rng.choice((None, None, None, "off")),
            "virtualization": "on" if gic == 4 else rng.choice((None, None, "on")),
            "iommu": rng.choice((None, None, "smmuv3")), "mte": rng.choice((None, None, None, "on")),
            "highmem": rng.choice((None, None, "off")) if cpus < 61 else None}
    kind = rng.choice(("virt", "virt", "virt-7.1", "virt-6.1", "virt-6.0", "virt-4.2", "virt-2.9"))
    machine = kind + "".join(f",{key}={value}" for key, value in said.items() if value)
    size = rng.randrange(8, 2048 if said["highmem"] else 5000)
    cpus = min(cpus, 255 if kind == "virt-2.9" else cpus)
    qemu = ["-cpu", "max" if said["mte"] else "cortex-a57", "-smp", str(cpus), "-m", f"{size}M", "-nic", "none"]
    ours = {"machine": kind + "".join(f",{key}={said[key]}" for key in ("gic-version", "mte") if said[key])}
    firmware = rng.choice(("none", "bios", "pflash", "both"))
    if said["acpi"]:
        ours["no-acpi"] = None
    if firmware == "bios":
        qemu += ["-bios", EFI]
    if firmware in ("pflash", "both"):
        qemu += ["-drive", f"if=pflash,format=raw,readonly=on,file={CODE}"]
    if firmware == "both":
        qemu += ["-drive", "if=pflash,format=raw,file=vars.fd"]
    pci = []
    for _ in range(rng.randrange(4)):
        device, rom = rng.choice(("e1000", "rtl8139", "virtio-rng-pci", "virtio-net-pci")), None
        if device != "virtio-rng-pci":
            rom = rng.choice((0, 1, 2048, 4096, 5000, 65536, 262144, 300000, 1 << 20))
            with open(f"rom{rom}", "wb") as f:
                f.truncate(rom)
        qemu += ["-device", device + ("" if rom is None else f",romfile=rom{rom}" if rom else
                                      ",romfile=")]
        pci.append(device + (f":{rom}" if rom else ""))
    ours["pci"] = ",".join(pci) or "none"
    # What lets QEMU start with DIMMs.
    plain = not (said["acpi"] or said["highmem"] or said["mte"] or kind == "virt-2.9")
    dimms = rng.randrange(4) if firmware != "none" and plain else 0
    if dimms:
        qemu[qemu.index("-m") + 1] += ",slots=8,maxmem=32G"
        nvdimm = rng.random() < 0.5
        machine += ",nvdimm=on" if nvdimm else ""
        for i in range(dimms):
            kind = rng.choice(("pc-dimm", "nvdimm")) if nvdimm and i else "pc-dimm"
            kind = "nvdimm" if nvdimm and not i else kind
            qemu += ["-object", f"memory-backend-ram,id=m{i},size={rng.randrange(1, 100) * 2}M",
                     "-device", f"{kind},memdev=m{i},id=m{i}"]
    return Machine(f"{n}: -M {machine} {' '.join(qemu)}", machine, *qemu, ours=ours,
                   needs=[EFI, CODE], ask_dimms=dimms > 0)


def found_dimms(machine):
    """Nodes for the DIMMs that QEMU has placed."""
    answers = qemu(["-M", machine.machine, *machine.qemu], [{"execute": "query-memory-devices"}])
    if isinstance(answers, str):
        return ""
    return "".join(dimm(d["data"]["id"], d["data"]["addr"], d["data"]["size"], d["type"])
                   for d in answers[0])


def qemu(arguments, commands):
    """What the monitor answers to each command; a string instead when QEMU does not start."""
    asked = [{"execute": "qmp_capabilities"}]
    asked += [command if isinstance(command, dict) else
              {"execute": "human-monitor-command", "arguments": {"command-line": command}}
              for command in commands] + [{"execute": "quit"}]
    done = subprocess.run([QEMU, *arguments, "-display", "none", "-serial", "none", "-S", "-qmp",
                           "stdio"], input="".join(json.dumps(a) + "\n" for a in asked), text=True,
                          capture_output=True, timeout=120)
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    answers = [a["return"] for a in answers if "return" in a]
    if done.returncode or len(answers) != len(asked):
        return done.stderr.strip() or f"status {done.returncode}"
    return [a.replace("\r\n", "\n") if isinstance(a, str) else a for a in answers[1:-1]]


def dump(machine):
    """The machine's tree, with the nodes that it does not have."""
    done = subprocess.run([QEMU, "-M", machine.machine + ",dumpdtb=q.dtb", *machine.qemu, "-display",
                           "none", "-serial", "none"], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    if done.returncode:
        return done.stdout.strip()
    if machine.nodes:
        source = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "q.dtb"], check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        source = source.rstrip().removesuffix("};") + machine.nodes + "};\n"
        subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", "q.dtb"], input=source,
                       check=True, text=True)
    return None


def settled(verb, text):
    """
    Views and backends in an order of their own. QEMU goes through its views by where they lie in memory,
    so no two runs agree, and through its backends by a hash of their names.
    """
    if verb == "mtree":
        views = re.split(r"(?m)^FlatView #\d+$", text)
        return views[:1] + sorted(views[1:])
    if verb == "memdev":
        # A blank line ends the list.
        return sorted(re.split(r"(?m)^(?=memory backend: )", text[:-1])) + [text[-1:]]
    return [text]


def compare(firmem, machine, verb, theirs):
    """None, or what differs."""
    options = [f"--{k}" + ("" if v is None else f"={v}") for k, v in machine.ours.items()
               if k in ASKED[verb][1]]
    done = subprocess.run([firmem, "machine", verb, "--dtb", "q.dtb", *options], text=True,
                          capture_output=True, timeout=120)
    if done.returncode or done.stderr:
        return f"status {done.returncode}: {done.stderr}"
    ours = done.stdout
    numbers = re.findall(r"(?m)^FlatView #(\d+)$", ours)
    if numbers != [str(n) for n in range(len(numbers))]:
        return f"views are numbered {numbers}"
    ours, theirs = settled(verb, ours), settled(verb, theirs)
    if ours == theirs:
        return None
    a, b = "".join(theirs).splitlines(), "".join(ours).splitlines()
    lines = [f"QEMU:   {line}" for line in a if line not in b]
    lines += [f"firmem: {line}" for line in b if line not in a]
    return "\n".join(lines) or "the same lines in another order:\n" + "".join(ours)


def check(firmem, machine):
    """A verdict: "ok", "skip WHY", or what went wrong."""
    missing = [path for path in machine.needs if not os.path.exists(path)]
    if (machine.nodes or machine.ask_dimms) and not shutil.which("dtc"):
        missing.append("dtc")
    if missing:
        return f"skip no {missing[0]} here"
    verbs = list(ASKED)
    with open("vars.fd", "wb") as f:
        f.truncate(64 << 20)
    answers = qemu(["-M", machine.machine, *machine.qemu], [ASKED[v][0] for v in verbs])
    if isinstance(answers, str):
        return f"skip QEMU does not start: {answers}"
    if machine.ask_dimms:
        machine.nodes = found_dimms(machine)
    problem = dump(machine)
    if problem:
        return f"skip QEMU dumps no tree: {problem}"
    found = []
    for verb, theirs in zip(verbs, answers):
        what = compare(firmem, machine, verb, theirs)
        if what:
            found.append(f"{verb}: {what}")
    return "\n".join(found) or "ok"


def main(firmem, only=None, count="100", seed="1"):
    if not shutil.which(QEMU):
        print(f"SKIP: no {QEMU} here")
        return SKIP
    version = subprocess.run([QEMU, "--version"], stdout=subprocess.PIPE, text=True).stdout
    if f"version {VERSION}." not in version:
        print(f"SKIP: the texts are those of QEMU {VERSION}; here is {version.splitlines()[0]}")
        return SKIP
    # Meson's time limit: what was begun is ended, and its folder goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    tally = {"ok": 0, "skip": 0, "failed": 0}
    with tempfile.TemporaryDirectory(prefix="firmem-diff-") as folder:
        os.chdir(folder)
        machines = [m for m in MACHINES if only in (None, m.name)]
        if only == "--random":
            machines = (made_up(random.Random(int(seed) * 1000003 + n), n) for n in range(int(count)))
        for machine in machines:
            verdict = check(firmem, machine)
            kind = verdict.split()[0] if verdict.startswith(("ok", "skip")) else "failed"
            tally[kind] += 1
            print(f"{machine.name}: {verdict}", flush=True)
        os.chdir("/")
    print(", ".join(f"{count} {kind}" for kind, count in tally.items()))
    if tally["failed"]:
        return 1
    return 0 if tally["ok"] else SKIP


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), *sys.argv[2:]))
