#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem measure against the digests of others: measure.py COMMAND.

Every entry of the shared vectors is a case of its own. Where that folder is absent they are one
skipped case; what needs no more than Debian's firmware packages is below and always runs.
"""
import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import traceback

import measure_debian

FIRMEM = ""
VECTORS = os.path.abspath(os.environ.get("FIRMEM_VECTORS", "."))
SKIPPED = 77
LIMIT = 300  # seconds, after which something hangs
VMM = {"ec2-legacy (rdx=0)": "ec2-legacy"}


class Skip(Exception):
    pass


def run(*arguments):
    done = subprocess.run([FIRMEM, "measure", *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT, check=False)
    assert done.returncode in (0, 1, 2), f"{arguments}: {done.returncode}: {done.stderr}"
    return done


def digest(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, f"{arguments}: {done.stderr.decode()}"
    assert not done.stderr, done.stderr
    return done.stdout.decode().strip()


def refused(*arguments):
    done = run(*arguments)
    assert done.returncode == 2 and not done.stdout, (arguments, done)
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("firmem: "), lines
    return lines[0]


def find(name):
    """A file of a vector: of the shared folder, or of Debian's packages."""
    name = os.path.basename(name)
    if name in ("null", "/dev/null"):
        return "/dev/null"
    for folder in (os.path.join(VECTORS, "measure"), "/usr/share/ovmf", "/usr/share/OVMF",
                   "/usr/share/qemu-efi-aarch64"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    raise Skip(f"no {name} here")


def check_input(vector, name, path):
    """The vector's own digest of its input tells whether it is the same file."""
    want = vector["inputs"].get(name)
    with open(path, "rb") as file:
        if want and hashlib.sha256(file.read()).hexdigest() != want:
            raise Skip(f"{path} is another version")


# --- arguments of a vector ----------------------------------------------------------------------

def launch(vector):
    """The options of an AMD launch."""
    p = vector["parameters"]
    names = [n for n in vector["inputs"] if n.endswith((".fd", ".bin"))
             and n not in ("kernel.bin", "initrd.bin", "svsm.bin")]
    firmware = find(names[0])
    check_input(vector, names[0], firmware)
    options = ["--firmware", firmware, "--vcpus", p.get("vcpus", 1)]
    if p.get("vcpu_type"):
        options += ["--vcpu-type", p["vcpu_type"]]
    elif p.get("vcpu_sig"):
        options += ["--vcpu-sig", p["vcpu_sig"]]
    vmm = p.get("vmm") or p.get("vmm_type") or "QEMU"
    options += ["--vmm", VMM.get(vmm, vmm)]
    for key, option in (("guest_features", "--guest-features"), ("append", "--append"),
                        ("vars_size", "--vars-size"), ("snp_ovmf_hash", "--snp-ovmf-hash")):
        if p.get(key) is not None:
            options += [option, p[key]]
    for key in ("kernel", "initrd", "svsm"):
        if p.get(key):
            options += ["--" + key, find(p[key])]
    return options


def amd(vector):
    tech = vector["tech"].split(":")[0]
    options = launch(vector)
    if tech != "snp":
        where = [i for i, o in enumerate(options) if o == "--guest-features"]
        for i in where:
            del options[i:i + 2]
    if "expected_error" in vector:
        refused(tech, *options)
        return None
    return digest(tech, *options)


def vmsa(vector):
    p = vector["parameters"]
    got = digest("vmsa", "--vmm", VMM.get(p["vmm"], p["vmm"]), "--eip", p["eip"],
                 "--sev-features", p["sev_features"], "--vcpu-sig", p["vcpu_sig"], "-o", "page")
    with open("page", "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == vector["expected_sha256"]
    return got


def ovmf_hash(vector):
    name, = vector["inputs"]
    return digest("ovmf-hash", "--firmware", find(name))


def hmac(vector):
    p = vector["parameters"]
    return digest("hmac", "--digest", p["ld"], "--tik", p["tik"], "--mnonce", p["mnonce"], "--api",
                  f"{p['api_major']}.{p['api_minor']}", "--build", p["build"], "--policy",
                  p["policy"])


# --- TDX and logs -------------------------------------------------------------------------------

def joined(name):
    """The bytes of "cat A B" in a file of the case's folder, or the one file."""
    if not name.startswith("cat "):
        return find(name)
    with open("joined", "wb") as out:
        for part in name.split()[1:]:
            with open(find(part), "rb") as file:
                out.write(file.read())
    return "joined"


def mrtd(vector):
    name, = vector["inputs"]
    path = joined(name)
    check_input(vector, name, path)
    return digest("tdx", "--firmware", path, "--order", vector["parameters"]["order"])


def hob(vector):
    """The vector's accepted ranges are those of Debian's image."""
    return digest("tdx", "--firmware", find("OVMF.fd"), "--hob", "--memory",
                  vector["parameters"]["memory_size"])


def cfv(vector):
    return digest("tdx", "--firmware", joined("cat OVMF_VARS_4M.fd svsm_ovmf.fd"), "--cfv")


ALGORITHMS = {"sha1": (4, 20), "sha256": (11, 32), "sha384": (12, 48)}


def write_log(events):
    """A TCG log of (index, type, {algorithm: hex digest})."""
    names = list(events[0][2])
    spec = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(names))
    spec += b"".join(struct.pack("<HH", *ALGORITHMS[n]) for n in names) + b"\0"
    log = struct.pack("<II20sI", 0, 3, b"", len(spec)) + spec
    for index, kind, digests in events:
        log += struct.pack("<III", index, kind, len(digests))
        for name, value in digests.items():
            log += struct.pack("<H", ALGORITHMS[name][0]) + bytes.fromhex(value)
        log += struct.pack("<I", 4) + b"data"
    with open("log", "wb") as file:
        file.write(log + b"\xff" * 100)
    return "log"


def replay(vector):
    p = vector["parameters"]
    log = write_log([(p["rtmr"] + 1, 1, {"sha384": d}) for d in p["digests"]])
    return digest("rtmr", "--log", log, "--index", p["rtmr"])


def ccel(vector):
    got = digest("rtmr", "--log", find("ccel.bin")).splitlines()
    assert got[:2] == list(vector["expected"].values()), got


def pcr7(vector):
    return digest("pcr", "--vars", find("OVMF_VARS.fd"), "--index", 7, "--secure-boot", "absent")


def pcr(vector):
    """The peer's events replay to its PCRs, and those of variables are what we compute."""
    log = write_log([(e["PCRIndex"], 1, e["Digests"]) for e in vector["event_log"]])
    name, = vector["inputs"]
    state = "on" if vector["parameters"]["secureboot"] else "off"
    for register in vector["expected"]:
        for bank, value in register["Values"].items():
            index = register["PCRIndex"]
            got = digest("pcr", "--log", log, "--index", index, "--bank", bank)
            assert got == value, (index, bank, got)
            if index == 7 and name != "OVMF.fd":
                got = digest("pcr", "--vars", find(name), "--index", 7, "--bank", bank,
                             "--secure-boot", state, "--skip-absent")
                assert got == value, (name, bank, got)


# --- realms -------------------------------------------------------------------------------------

def cca(vector):
    p = vector["parameters"]
    if p["sequence"] == ["REALM_CREATE"]:
        raise Skip("no command line for a realm without contents: test_cca has it")
    with open("dtb", "wb") as file:
        file.write(bytes((3 * i + 1) & 255 for i in range(8192)))
    ram = int(p["sequence"][1].split("+")[1], 16)
    options = ["--vmm", "qemu", "--firmware", find("QEMU_EFI.fd"), "--dtb", "dtb", "--memory", ram,
               "--hash", p["hash"], "--s2sz", p["s2sz"], "--sve-vl", p["sve_vl_bits"],
               "--pmu-counters", p["pmu_num_ctrs"], "--breakpoints", p["num_bps"],
               "--watchpoints", p["num_wps"]]
    options += [o for o in ("--lpa2", "--pmu") if p[o[2:]]]
    for more, key in (([], "rec"), (["--measurement-log"], "unmeasured")):
        got = digest("cca", *options, *more)
        assert got == vector["expected_after"][key][:64], (key, got)


def igvm(vector):
    """Ours by loader, and the peers' by the options that make them."""
    name, = vector["inputs"]
    path = find(name)
    loaders = {"igvm-crate": "igvm", "igvmmeasure native_zero=false": "igvmmeasure",
               "igvmmeasure native_zero=true": "igvmmeasure,native-zero",
               "native_zero": "native-zero", "": "igvm"}
    for table in ("expected", "peers"):
        for key, value in vector[table].items():
            platform, _, loader = key.partition(" ")
            got = digest("igvm", "--file", path, "--platform", platform, "--loader",
                         loaders[loader])
            assert got == value, (key, got)


KINDS = {
    "sev": amd, "seves": amd, "snp": amd, "snp:svsm": amd, "snp:ovmf-hash": ovmf_hash,
    "vmsa-page": vmsa, "sev-measure-hmac": hmac,
    "tdx-mrtd": mrtd, "tdx-td-hob-event": hob, "tdx-cfv-event": cfv, "tdx-rtmr-replay": replay,
    "ccel-parse": ccel, "tpm-pcr7": pcr7, "tpm-pcr": pcr, "cca-rim": cca, "igvm": igvm,
}


def shared(vector):
    if vector["tech"] == "snp" and not vector["inputs"]:
        raise Skip("no command line for a firmware of sections alone: test_sev has it")
    if vector["tech"] not in KINDS:
        raise Skip(f"no command for {vector['tech']}")
    got = KINDS[vector["tech"]](vector)
    if got is not None:
        assert got == vector["expected"], f"{got}, expected {vector['expected']}"


# --- Debian's firmware --------------------------------------------------------------------------

def debian(name):
    path = find(name)
    with open(path, "rb") as file:
        if hashlib.sha256(file.read()).hexdigest() != measure_debian.DEBIAN[name]:
            raise Skip(f"{path} is another version")
    return path


def debian_launch(tech, name, vcpus, cpu, vmm, want):
    options = ["--firmware", debian(name), "--vcpus", vcpus, "--vcpu-type", cpu, "--vmm", vmm]
    assert digest(tech, *options) == want
    # The same by sev-snp-measure's own words.
    assert digest("--mode", tech, "--ovmf", debian(name), f"--vcpus={vcpus}", "--vcpu-type", cpu,
                  "--vmm-type", {"qemu": "QEMU"}.get(vmm, vmm)) == want


def debian_tdx():
    path = debian("OVMF.fd")
    assert digest("tdx", "--firmware", path) == measure_debian.MRTD
    assert digest("tdx", "--firmware", path, "--order", "two-pass") != measure_debian.MRTD
    assert digest("tdx", "--firmware", path, "--hob", "--memory", "64G") == measure_debian.TD_HOB
    line = refused("tdx", "--firmware", debian("OVMF_CODE.fd"))
    assert "bfv data 0x20000 + 0x1e0000 is outside the file of 0x1e0000 bytes" in line, line


def debian_pcr7(name, state, skip_absent, want):
    options = ["--vars", debian(name), "--index", 7, "--secure-boot", state]
    assert digest("pcr", *options, *(["--skip-absent"] if skip_absent else [])) == want
    if state == "absent":
        assert digest("pcr", *options[:4]) == want


def cases():
    for row in measure_debian.LAUNCHES:
        yield f"debian_{row[0]}_{row[1]}_{row[2]}_{row[3]}_{row[4]}", \
            lambda r=row: debian_launch(*r)
    yield "debian_tdx", debian_tdx
    for row in measure_debian.PCR7:
        yield f"debian_pcr7_{row[0]}_{row[1]}", lambda r=row: debian_pcr7(*r)
    path = os.path.join(VECTORS, "measure.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for number, vector in enumerate(json.load(file)):
                yield f"vector_{number}_{vector['tech'].replace(':', '_').replace('-', '_')}", \
                    lambda v=vector: shared(v)
    else:
        yield "vectors", absent


def absent():
    raise Skip(f"no test data at {VECTORS}/measure.json")


def main(command, todo=None):
    global FIRMEM
    FIRMEM = os.path.abspath(command)
    # Meson's time limit: what was begun is ended, and its folder goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results = []
    todo = todo or list(cases())
    print(f"[==========] Running {len(todo)} test(s).")
    start = os.getcwd()
    for name, case in todo:
        print(f"[ RUN      ] {name}", flush=True)
        try:
            with tempfile.TemporaryDirectory(prefix="firmem-cli-") as folder:
                os.chdir(folder)
                try:
                    case()
                finally:
                    os.chdir(start)
            results.append("OK")
        except Skip as why:
            print(f"skipped: {why}")
            results.append("SKIPPED")
        except Exception:  # the next case goes on
            traceback.print_exc(file=sys.stdout)
            results.append("FAILED")
        print(f"[ {results[-1]:>8} ] {name}", flush=True)
    if "FAILED" in results:
        return 1
    return SKIPPED if set(results) == {"SKIPPED"} else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
