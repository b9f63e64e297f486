#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem measure against the digests of others: measure.py COMMAND.

Every entry of the shared vectors is a case of its own. Where that folder is absent they are one
skipped case; what needs no more than Debian's firmware packages is below and always runs.
"""
import base64
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback

import measure_debian

FIRMEM = ""
VECTORS = os.path.abspath(os.environ.get("FIRMEM_VECTORS", "."))
SKIPPED = 77
VMM = {"ec2-legacy (rdx=0)": "ec2-legacy"}


class Skip(Exception):
    pass


def run(*arguments):
    done = subprocess.run([FIRMEM, "measure", *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
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


# --- what is said and refused -------------------------------------------------------------------

IMAGE = "/usr/share/ovmf/OVMF.fd"
SNP = ("snp", "--firmware", IMAGE, "--vcpus", 4, "--vcpu-type", "EPYC-Milan")


def need_image():
    find("OVMF.fd")


def json_names_technology_and_digest():
    need_image()
    answer = json.loads(digest(*SNP, "--json"))
    assert answer == {"technology": "snp", "digest": digest(*SNP)}, answer
    answer = json.loads(digest("ovmf-hash", "--firmware", IMAGE, "--json"))
    assert answer["technology"] == "snp:ovmf-hash" and len(answer["digest"]) == 96, answer


def a_machine_has_the_digest_of_its_file():
    """examples/launch.c puts the image into a machine first."""
    need_image()
    example = os.path.join(os.environ.get("FIRMEM_BUILD", "."), "examples", "launch")
    if not os.path.exists(example):
        raise Skip("examples/launch is not built")
    done = subprocess.run([example, IMAGE], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().strip() == digest(*SNP), done


def base64_is_the_same_digest():
    need_image()
    for verb in ("seves", "snp"):
        options = [verb, *SNP[1:]]
        assert base64.b64decode(digest(*options, "--output-format", "base64")).hex() == \
            digest(*options, "--output-format=hex")


def a_firmware_hash_stands_for_the_firmware():
    need_image()
    seed = digest("ovmf-hash", "--firmware", IMAGE)
    assert digest(*SNP, "--ovmf-hash", seed) == digest(*SNP)
    assert digest("--mode", "snp:ovmf-hash", "--ovmf", IMAGE) == seed


def family_model_stepping_are_a_signature():
    need_image()
    base = ["seves", "--firmware", IMAGE, "--vcpus", 1]
    want = digest(*base, "--vcpu-type", "EPYC-Genoa")
    assert digest(*base, "--vcpu-sig", "0xa10f10") == want
    assert digest(*base, "--vcpu-sig", "A10F10") == want
    assert digest(*base, "--vcpu-family", 25, "--vcpu-model", 17, "--vcpu-stepping", 0) == want


def transcripts_say_where_launches_part():
    need_image()
    digest(*SNP, "--transcript", "a")
    digest(*SNP, "--guest-features", "0x21", "--transcript", "b")
    got = digest("diff", "a", "a")
    assert got == "same", got
    done = run("diff", "a", "b")
    assert done.returncode == 1 and re.match(
        rb"step \d+: vmsa at 0xfffffffff000 of vcpu 0: the contents differ: another CPU model, "
        rb"guest features", done.stdout), done
    answer = json.loads(run("diff", "a", "b", "--json").stdout)
    assert answer["same"] is False and "vcpu 0" in answer["difference"], answer
    with open("a", encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert lines[0] == "firmem-transcript 1 snp" and lines[-2].split()[5] == digest(*SNP), lines[-2]
    assert "a: line 1" not in refused("diff", "a", "missing")
    with open("b", "w", encoding="utf-8") as file:
        file.write("\n".join(lines[:-1]))
    assert refused("diff", "a", "b").startswith("firmem: b: line ")
    refused("diff", "a")


def identify_finds_a_launch():
    need_image()
    want = digest(*SNP, "--vmm", "qemu-pre-6.10", "--guest-features", "0x29")
    options = ["identify", "--digest", want, "--firmware", IMAGE]
    done = run(*options)
    assert done.returncode == 1 and not done.stdout and b"none of " in done.stderr, done
    answer = json.loads(digest(*options, "--guest-features", "0x25,0x29", "--json"))
    assert answer == {"technology": "snp", "vmm": "qemu-pre-6.10", "vcpus": "0x4",
                      "vcpu_sig": "0xa00f11", "guest_features": "0x29",
                      "vcpu_types": "EPYC-Milan, EPYC-Milan-v1, EPYC-Milan-v2"}, answer
    want = digest("seves", "--firmware", IMAGE, "--vcpus", 3, "--vcpu-type", "EPYC", "--vmm", "gce")
    answer = json.loads(digest("identify", "--digest", want, "--firmware", IMAGE, "--json"))
    assert (answer["technology"], answer["vmm"], answer["vcpus"]) == ("seves", "gce", "0x3"), answer


def id_blocks_are_made_and_checked():
    openssl = shutil.which("openssl")
    if not openssl:
        raise Skip("no openssl here to make keys with")
    for name in ("id.pem", "author.pem"):
        subprocess.run([openssl, "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out",
                        name], check=True, stderr=subprocess.DEVNULL)
    digests = digest("idblock", "--digest", "11" * 48, "--id-key", "id.pem", "--author-key",
                     "author.pem", "--policy", "0x30000", "-o", "block").splitlines()
    assert len(digests) == 2 and os.path.getsize("block") == 96 + 4096
    assert digest("idblock", "--check", "block").splitlines() == ["11" * 48, *digests]
    with open("block", "r+b") as file:
        file.write(b"\x12")
    done = run("idblock", "--check", "block")
    assert done.returncode == 1 and b"signature by the ID key is wrong" in done.stderr, done
    refused("idblock", "--digest", "11" * 47, "--id-key", "id.pem", "-o", "other")
    refused("idblock", "--digest", "11" * 48, "--id-key", IMAGE, "-o", "other")
    assert not os.path.exists("other")


def bad_numbers_and_names_are_refused():
    need_image()
    base = ["snp", "--firmware", IMAGE, "--vcpu-type", "EPYC"]
    for count in ("0", "1000000", "4097", "-1", "x", ""):
        assert "--vcpus" in refused(*base, "--vcpus", count), count
    assert "did you mean EPYC-Milan" in refused(*base[:3], "--vcpus", 1, "--vcpu-type",
                                                "EPYC-Miln")
    assert "expected EPYC, EPYC-Rome" in refused(*base[:3], "--vcpus", 1, "--vcpu-type", "zzz")
    assert "CPU signature" in refused(*base[:3], "--vcpus", 1)
    assert "expected one of them" in refused(*base, "--vcpus", 1, "--vcpu-sig", "1")
    for text in ("abc", "0" * 95, "0" * 97, "0" * 98, "g" * 96, ""):
        assert "--ovmf-hash" in refused(*base, "--vcpus", 1, "--ovmf-hash", text), text
    for text in ("", "0x", "zz", "0x10000000000000000", "-1"):
        assert "--guest-features" in refused(*base, "--vcpus", 1, "--guest-features", text), text
    assert "bit 0" in refused(*base, "--vcpus", 1, "--guest-features", "0x20")
    assert "bit 0" in refused(*base, "--vcpus", 1, "--guest-features", "0")
    assert "--vmm" in refused(*base, "--vcpus", 1, "--vmm", "xen")
    assert "--mode" in refused("--mode", "tdx")
    assert "--mode" in refused("--ovmf", IMAGE)
    assert "--tik" not in refused("hmac", "--digest", "00" * 32, "--tik", "missing", "--mnonce",
                                  "00" * 16, "--api", "1.2", "--build", 3, "--policy", "1")
    assert "--api" in refused("hmac", "--digest", "00" * 32, "--tik", "00" * 16, "--mnonce",
                              "00" * 16, "--api", "1", "--build", 3, "--policy", "1")
    assert "--value" in refused("rem", "--value", "abc")


def what_is_no_firmware_is_refused():
    with open("zeros", "wb") as file:
        file.write(bytes(8192))
    with open("odd", "wb") as file:
        file.write(bytes(4097))
    with open("empty", "wb"):
        pass
    for name in ("zeros", "odd", "empty", "/dev/null", "missing", "."):
        for verb in (["sev"], ["snp", "--vcpus", 1, "--vcpu-type", "EPYC"], ["ovmf-hash"], ["tdx"]):
            line = refused(*verb, "--firmware", name)
            assert line.startswith(f"firmem: {name}: "), line
        for verb in (["rtmr", "--log"], ["igvm", "--platform", "snp", "--file"],
                     ["pcr", "--index", 7, "--vars"]):
            line = refused(*verb, name)
            assert line.startswith(f"firmem: {name}: "), line
    # QEMU launches SeaBIOS with plain SEV, so --as-qemu does.
    assert digest("sev", "--firmware", "zeros", "--as-qemu") == \
        hashlib.sha256(bytes(8192)).hexdigest()


def a_transcript_that_cannot_be_written_prints_no_digest():
    need_image()
    assert "/dev/full" in refused(*SNP, "--transcript", "/dev/full")
    assert "cannot be created" in refused(*SNP, "--transcript", "no/such/folder")


def a_guid_twice_is_told_as_qemu_reads_it():
    need_image()
    reset = bytes.fromhex("de71f7007e1acb4f890e68c77e2fb44e")
    secret = bytes.fromhex("61b32e4c9b7dc34c8081127c90d3d294")
    with open(IMAGE, "rb") as file:
        image = file.read()
    assert image.count(secret) == 1
    with open("twice", "wb") as file:
        file.write(image.replace(secret, reset))
    options = ["seves", "--firmware", "twice", "--vcpus", 2, "--vcpu-type", "EPYC"]
    assert "a second entry 00f771de-1a7e-4fcb-890e-68c77e2fb44e" in refused(*options)
    done = run(*options, "--as-qemu")
    assert done.returncode == 0 and len(done.stdout) == 65, done
    assert b"1 entries with a GUID that came before were ignored" in done.stderr, done


def dev_null_is_an_empty_kernel():
    image = find("ovmf_AmdSev_suffix.bin")
    base = ["snp", "--firmware", image, "--vcpus", 1, "--vcpu-type", "EPYC"]
    with open("empty", "wb"):
        pass
    assert digest(*base, "--kernel", "/dev/null") == digest(*base, "--kernel", "empty")
    assert digest(*base, "--kernel", "/dev/null") != digest(*base)
    assert "kernel: is missing" in refused(*base, "--initrd", "empty")
    assert "kernel: is missing" in refused(*base, "--append", "")


SAYS = (a_machine_has_the_digest_of_its_file, base64_is_the_same_digest,
        json_names_technology_and_digest,
        a_firmware_hash_stands_for_the_firmware, family_model_stepping_are_a_signature,
        transcripts_say_where_launches_part, identify_finds_a_launch,
        id_blocks_are_made_and_checked, bad_numbers_and_names_are_refused,
        what_is_no_firmware_is_refused, a_transcript_that_cannot_be_written_prints_no_digest,
        a_guid_twice_is_told_as_qemu_reads_it, dev_null_is_an_empty_kernel)


def cases():
    for row in measure_debian.LAUNCHES:
        yield f"debian_{row[0]}_{row[1]}_{row[2]}_{row[3]}_{row[4]}", \
            lambda r=row: debian_launch(*r)
    yield "debian_tdx", debian_tdx
    for row in measure_debian.PCR7:
        yield f"debian_pcr7_{row[0]}_{row[1]}", lambda r=row: debian_pcr7(*r)
    for case in SAYS:
        yield case.__name__, case
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
    results = []
    todo = todo or list(cases())
    print(f"[==========] Running {len(todo)} test(s).")
    start = os.getcwd()
    for name, case in todo:
        print(f"[ RUN      ] {name}", flush=True)
        try:
            with tempfile.TemporaryDirectory() as folder:
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
