#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What firmem measure says and refuses: measure_says.py COMMAND."""
import base64
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys

import measure
from measure import Skip, digest, find, refused, run, write_log

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
    for cpu in ("milan", "epyc-milan", "EPYC-Milan-v9", "Milan"):
        assert "did you mean EPYC-Milan" in refused(*base[:3], "--vcpus", 1, "--vcpu-type", cpu), cpu
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


def every_verb_has_a_transcript_that_ends_in_its_answer():
    need_image()
    log = write_log([(1, 1, {"sha384": "11" * 48}), (2, 1, {"sha384": "22" * 48})])
    for verb in (SNP, ("sev", "--firmware", IMAGE), ("seves", *SNP[1:]), ("tdx", "--firmware", IMAGE),
                 ("tdx", "--firmware", IMAGE, "--cfv"), ("ovmf-hash", "--firmware", IMAGE),
                 ("tdx", "--firmware", IMAGE, "--hob", "--memory", "4G"),
                 ("vmsa", "--vcpu-sig", "800f12"), ("rem", "--value", "01"),
                 ("hmac", "--digest", "00" * 32, "--tik", "00" * 16, "--mnonce", "00" * 16, "--api",
                  "1.2", "--build", 3, "--policy", "1"), ("rtmr", "--log", log, "--index", 1),
                 ("rtmr", "--log", log), ("pcr", "--log", log, "--bank", "sha384")):
        answer = digest(*verb).splitlines()
        assert digest(*verb, "--transcript", "t").splitlines() == answer, verb
        with open("t", encoding="utf-8") as file:
            lines = file.read().splitlines()
        assert lines[0].startswith("firmem-transcript 1 "), (verb, lines[0])
        assert lines[-1] == f"end {len(lines) - 2}" and lines[-2].split()[5] in answer, (verb, lines[-2:])
        assert digest("diff", "t", "t") == "same"


def a_log_by_pcrs_has_rtmrs():
    rows = [(n, 1, {"sha384": f"{n + 1:02x}" * 48}) for n in (0, 7, 1, 3, 8, 7, 14, 16)]
    log = write_log(rows)
    for number, registers in enumerate(((1, 7), (2, 3, 4, 5, 6), range(8, 16), ())):
        value = bytes(48)
        for index, _, digests in rows:
            if index in registers:
                value = hashlib.sha384(value + bytes.fromhex(digests["sha384"])).digest()
        assert digest("rtmr", "--log", log, "--index", number) == value.hex(), number
    assert "--index" in refused("rtmr", "--log", log, "--index", 4)
    assert "--index" in refused("pcr", "--log", log, "--index", 24)
    assert "no sha256 digests" in refused("pcr", "--log", log, "--index", 0)


def a_log_of_a_tpm_1_2_is_replayed():
    events = [(0, 3, bytes(20), b"Spec ID Event02\0" + bytes(9)), (0, 8, b"a" * 20, b"version"),
              (7, 1, b"b" * 20, b""), (0, 4, b"c" * 20, bytes(4))]
    with open("old", "wb") as file:
        for index, kind, value, data in events:
            file.write(struct.pack("<II20sI", index, kind, value, len(data)) + data)
    value = bytes(20)
    for one in (b"a" * 20, b"c" * 20):
        value = hashlib.sha1(value + one).digest()
    assert digest("pcr", "--log", "old", "--bank", "sha1", "--index", 0) == value.hex()
    assert "no sha256 digests" in refused("pcr", "--log", "old", "--index", 0)
    assert "no sha384 digests" in refused("rtmr", "--log", "old")


def pipes_are_read_whole():
    need_image()
    with open(IMAGE, "rb") as file:
        image = file.read()
    os.mkfifo("pipe")
    child = os.fork()
    if not child:
        with open("pipe", "wb") as file:
            file.write(image)
        os._exit(0)
    assert digest("snp", "--firmware", "pipe", *SNP[3:]) == digest(*SNP)
    assert os.waitpid(child, 0)[1] == 0


def words_of_sev_snp_measure_mean_what_they_mean_there():
    """Numbers are decimal without 0x, and --dump-vmsa leaves the pages."""
    need_image()
    want = digest(*SNP[:5], "--vcpu-sig", "0x800f12", "--guest-features", "0x21")
    old = ("--mode", "snp", "--ovmf", IMAGE, "--vcpus", 4)
    for words in (["--vcpu-sig", "8392466", "--guest-features", "33"], ["--vcpu-sig=8392466",
                  "--guest-features=33"], ["--vcpu-sig=0x800f12", "--guest-features", "0x21"],
                  ["-v", "--vcpu-family", 23, "--vcpu-model", 1, "--vcpu-stepping", 2,
                   "--guest-features=0x21"]):
        assert digest(*old, *words) == want, words
    for words in (["--vcpu-sig", "0X800F12", "--guest-features", "0b100001"],
                  ["--vcpu-sig=0o40007422", "--guest-features=0O41"]):
        assert digest(*old, *words) == want, words
    for text in ("99999999999999999999999", "800f12", "0b12", "0o8", "0x", "021", "-1", "", "1 "):
        assert "--vcpu-sig" in refused(*old, "--vcpu-sig", text), text
        assert "--guest-features" in refused(*old, f"--guest-features={text}"), text
    # There --mode snp leaves an SVSM out.
    assert "--svsm" in refused("--mode", "snp:svsm", *old[2:], "--vcpu-type", "EPYC")
    assert "--svsm" in refused(*old, "--vcpu-type", "EPYC", "--svsm", IMAGE, "--vars-size", "4K")
    assert "--mode" in refused("--ovmf", IMAGE, "--mode")
    assert digest(*SNP, "--dump-vmsa") == digest(*SNP)
    pages = []
    for number in range(4):
        with open(f"vmsa{number}.bin", "rb") as file:
            pages.append(hashlib.sha384(file.read()).hexdigest())
    cpu = ("--vcpu-type", "EPYC-Milan")
    assert pages == [digest("vmsa", *cpu)] + 3 * [digest("vmsa", *cpu, "--eip", "0x80b004")], pages
    assert digest("--mode=snp:ovmf-hash", "--ovmf", IMAGE, "--vcpus", 4, "--vcpu-type=EPYC") == \
        digest("ovmf-hash", "--firmware", IMAGE)
    assert digest("--mode", "snp:ovmf-hash", "--dump-vmsa", "--kernel", "none", "--initrd=none", "--append",
                  "--mode sev", "--ovmf", IMAGE, "--snp-ovmf-hash", "00", "--svsm", "none", "--vars-size=4") == \
        digest("ovmf-hash", "--firmware", IMAGE)
    assert digest("--mode", "snp:ovmf-hash", "--ovmf", IMAGE, "-v") == \
        base64.b64decode(digest("ovmf-hash", "--firmware", IMAGE, "--output-format",
                                "base64")).hex()


def a_transcript_that_cannot_be_written_prints_no_digest():
    need_image()
    assert "/dev/full" in refused(*SNP, "--transcript", "/dev/full")
    assert "cannot be created" in refused(*SNP, "--transcript", "no/such/folder")


def where_one_output_fails_the_other_stays():
    need_image()
    openssl = shutil.which("openssl")
    cases = [("old", ("vmsa", "--vcpu-sig", "800f12", "-o", "old"))]
    cases.append(("vmsa0.bin", (*SNP, "--dump-vmsa")))
    if openssl:
        subprocess.run([openssl, "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "id.pem"],
                       check=True, stderr=subprocess.DEVNULL)
        cases.append(("old", ("idblock", "--digest", "11" * 48, "--id-key", "id.pem", "-o", "old")))
    os.mkdir("folder")
    for name, verb in cases:
        with open(name, "wb") as file:
            file.write(b"as it was")
        for transcript in ("/dev/full", "no/such/folder", "folder", "dangling"):
            if transcript == "dangling" and not os.path.lexists("dangling"):
                os.symlink("nothing/here", "dangling")
            before = sorted(os.listdir("."))
            assert transcript in refused(*verb, "--transcript", transcript), (verb, transcript)
            with open(name, "rb") as file:
                assert file.read() == b"as it was", (verb, transcript)
            assert sorted(os.listdir(".")) == before, os.listdir(".")
        assert "two outputs" in refused(*verb, "--transcript", name), verb
        digest(*verb, "--transcript", "steps")
        with open(name, "rb") as file:
            assert len(file.read()) in (4096, 96 + 4096), verb
    # New names of one file, too.
    os.symlink("folder", "same")
    for names in (("new", "./new"), ("folder/new", "same/new")):
        assert "two outputs" in refused("vmsa", "--vcpu-sig", "800f12", "-o", names[0], "--transcript",
                                        names[1])
        assert not os.path.exists(names[0]), names
    # The other way round: the transcript stays.
    with open("steps", "rb") as file:
        steps = file.read()
    refused("vmsa", "--vcpu-sig", "800f13", "-o", "/dev/full", "--transcript", "steps")
    with open("steps", "rb") as file:
        assert file.read() == steps


def where_our_output_goes_is_written_on():
    want = digest("vmsa", "--vcpu-sig", "800f12")
    with open("log", "wb") as file:
        file.write(b"from before\n")
    for times, name in enumerate(("/dev/stdout", "log"), 1):
        with open("log", "ab") as log:
            done = subprocess.run([measure.FIRMEM, "measure", "vmsa", "--vcpu-sig", "800f12", "--transcript", name],
                                  stdin=subprocess.DEVNULL, stdout=log, check=False)
        with open("log", "rb") as log:
            text = log.read()
        assert done.returncode == 0 and text.startswith(b"from before\n"), text
        assert text.endswith(f"{want}\n".encode()), text
        assert text.count(b"firmem-transcript 1 vmsa\n") == times, text


def what_was_read_is_not_written_over():
    need_image()
    shutil.copy(IMAGE, "image")
    os.symlink("image", "link")
    for name in ("image", "link", "./image"):
        assert f"{name}: was read" in refused("snp", "--firmware", "image", *SNP[3:], "--transcript",
                                              name)
    log = write_log([(1, 1, {"sha384": "11" * 48})])
    assert "was read" in refused("rtmr", "--log", log, "--transcript", log)
    with open("image", "rb") as file, open(IMAGE, "rb") as other:
        assert file.read() == other.read()
    openssl = shutil.which("openssl")
    if openssl:
        subprocess.run([openssl, "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "id.pem"],
                       check=True, stderr=subprocess.DEVNULL)
        assert "id.pem: was read" in refused("idblock", "--digest", "11" * 48, "--id-key", "id.pem",
                                             "-o", "id.pem")


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
    assert "a second entry" in refused("tdx", "--firmware", "twice")
    done = run("tdx", "--firmware", "twice", "--as-qemu")
    assert done.returncode == 0 and len(done.stdout) == 97, done
    assert b"1 entries with a GUID that came before were ignored" in done.stderr, done


def a_command_line_may_look_like_an_option():
    image = find("ovmf_AmdSev_suffix.bin")
    for text in ("--guest-features=33", "--mode=sev", "--vcpu-sig", "--mode", "--json"):
        want = digest("snp", "--firmware", image, "--vcpus", 1, "--vcpu-type", "EPYC", "--kernel",
                      "/dev/null", f"--append={text}")
        assert digest("--ovmf", image, "--append", text, "--mode", "snp", "--vcpus", 1,
                      "--vcpu-type", "EPYC", "--kernel", "/dev/null") == want, text


def dev_null_is_an_empty_kernel():
    image = find("ovmf_AmdSev_suffix.bin")
    base = ["snp", "--firmware", image, "--vcpus", 1, "--vcpu-type", "EPYC"]
    with open("empty", "wb"):
        pass
    assert digest(*base, "--kernel", "/dev/null") == digest(*base, "--kernel", "empty")
    assert digest(*base, "--kernel", "/dev/null") != digest(*base)
    assert "kernel: is missing" in refused(*base, "--initrd", "empty")
    assert "kernel: is missing" in refused(*base, "--append", "")


SAYS = (every_verb_has_a_transcript_that_ends_in_its_answer, a_log_by_pcrs_has_rtmrs,
        a_log_of_a_tpm_1_2_is_replayed, pipes_are_read_whole,
        words_of_sev_snp_measure_mean_what_they_mean_there, a_machine_has_the_digest_of_its_file, base64_is_the_same_digest,
        json_names_technology_and_digest,
        a_firmware_hash_stands_for_the_firmware, family_model_stepping_are_a_signature,
        transcripts_say_where_launches_part, identify_finds_a_launch,
        id_blocks_are_made_and_checked, bad_numbers_and_names_are_refused,
        what_is_no_firmware_is_refused, a_transcript_that_cannot_be_written_prints_no_digest,
        where_one_output_fails_the_other_stays, where_our_output_goes_is_written_on,
        what_was_read_is_not_written_over,
        a_guid_twice_is_told_as_qemu_reads_it, a_command_line_may_look_like_an_option, dev_null_is_an_empty_kernel)


if __name__ == "__main__":
    sys.exit(measure.main(sys.argv[1], [(case.__name__, case) for case in SAYS]))
