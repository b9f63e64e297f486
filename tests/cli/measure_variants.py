#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""firmem measure against measure_reference.py on images that are made here: measure_variants.py COMMAND.

The shared vectors have some launches of some images; here are those between them.
"""
import hmac
import itertools
import shutil
import struct
import subprocess
import sys

import measure
import measure_reference as ref
from measure import digest, refused

SIGS = {"EPYC-v4": 0x800f12, "EPYC-Rome-v2": 0x830f10, "EPYC-Milan": 0xa00f11,
        "EPYC-Genoa-v1": 0xa10f10, "EPYC-Turin": 0xb00f00}
VMMS = ("qemu", "qemu-pre-6.10", "ec2", "ec2-legacy", "gce")
SECTIONS = [(0x800000, 0x9000, 1), (0x80a000, 0x3000, 1), (0x80d000, 0x1000, 2),
            (0x80e000, 0x1000, 3), (0x80f000, 0x1000, 4), (0x810000, 0x1000, 0x10),
            (0x811000, 0xf000, 1)]
TDX_SECTIONS = [(0x2000, 0x6000, 0xffffa000, 0x6000, 0, 1), (0, 0x2000, 0xffff8000, 0x2000, 1, 0),
                (0, 0, 0x810000, 0x10000, 3, 0), (0, 0, 0x80b000, 0x2000, 3, 0),
                (0, 0, 0x809000, 0x2000, 2, 0), (0, 0, 0x900000, 0x2000, 3, 2)]
BOOTS = (None, (b"", None, None), (b"", b"", ""), (b"kernel" * 1000, b"initrd\0", "a=b  c "),
         (b"k", None, "x" * 3000), (bytes(4096), b"\n", None), (b"k", b"", "\u00e4 \"'"))


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)
    return name


def firmware(pages=8, sections=None, eip=0x80b004, reset_first=True):
    """OVMF as it is built for SEV-SNP and TDX, of few pages."""
    length = pages * ref.PAGE
    entries = [(ref.RESET, struct.pack("<I", eip)),
               (ref.HASHES, struct.pack("<II", 0x810c00, 0x400)),
               (ref.guid("4c2eb361-7d9b-4cc3-8081-127c90d3d294"), struct.pack("<II", 0x80d000, 0xc00)),
               (ref.SEV, struct.pack("<I", 0x800)), (ref.TDX, struct.pack("<I", 0x600 - 16)),
               (ref.guid("01234567-89ab-cdef-0123-456789abcdef"), b"what we do not know")]
    blobs = [(length - 0x800, ref.sev_metadata(sections or SECTIONS)),
             (length - 0x600, ref.tdvf(TDX_SECTIONS))]
    return ref.image(length, entries if reset_first else entries[::-1], blobs)


def boot_options(boot):
    if not boot:
        return []
    kernel, initrd, append = boot
    options = ["--kernel", write("kernel", kernel)]
    options += ["--initrd", write("initrd", initrd)] if initrd is not None else []
    return options + (["--append", append] if append is not None else [])


# --- AMD -----------------------------------------------------------------------------------------

def every_vmm_cpu_and_count():
    fw = firmware()
    base = ["--firmware", write("fw", fw)]
    for vmm, vcpus, (cpu, sig) in itertools.product(VMMS, (1, 2, 3, 255, 512), SIGS.items()):
        options = [*base, "--vcpus", vcpus, "--vmm", vmm, "--vcpu-type", cpu]
        assert digest("snp", *options) == ref.snp(fw, vcpus, vmm, sig).hex(), options
        assert digest("seves", *options) == ref.sev(fw, vcpus, vmm, sig).hex(), options
    assert digest("snp", *base, "--vcpus", 4096, "--vcpu-sig", "800f12") == \
        ref.snp(fw, 4096, sig=0x800f12).hex()
    # A VMM that does not tell the CPU needs none.
    assert digest("snp", *base, "--vcpus", 2, "--vmm", "gce") == ref.snp(fw, 2, "gce").hex()


def every_guest_feature():
    fw = firmware()
    base = ["--firmware", write("fw", fw), "--vcpus", 2, "--vcpu-type", "EPYC-Milan"]
    for features in [1 | 1 << bit for bit in range(64)] + [0x21, 0x25, 0x29, 0xffff, (1 << 64) - 1]:
        for vmm in VMMS:
            assert digest("snp", *base, "--vmm", vmm, "--guest-features", hex(features)) == \
                ref.snp(fw, 2, vmm, 0xa00f11, features).hex(), (vmm, features)


def every_direct_boot():
    fw = firmware()
    base = ["--firmware", write("fw", fw), "--vcpu-type", "EPYC-v4", "--vcpus"]
    for vmm, boot in itertools.product(VMMS, BOOTS):
        options = [*base, 3, "--vmm", vmm, *boot_options(boot)]
        assert digest("snp", *options) == ref.snp(fw, 3, vmm, 0x800f12, boot=boot).hex(), options
        assert digest("seves", *options) == ref.sev(fw, 3, vmm, 0x800f12, boot).hex(), options
        assert digest("sev", *options) == ref.sev(fw, boot=boot).hex(), options
    for initrd in ([], ["--initrd", "/dev/null"]):
        assert digest("snp", *base, 1, "--kernel", "/dev/null", *initrd) == \
            ref.snp(fw, 1, sig=0x800f12, boot=(b"", None, None)).hex()


def every_order_of_sections():
    """CPUID first, in the middle, last; sections without a place for hashes; a reset block elsewhere."""
    for sections in itertools.islice(itertools.permutations(SECTIONS), 0, 5040, 199):
        fw = firmware(sections=sections, eip=0xffff1234, reset_first=False)
        base = ["--firmware", write("fw", fw), "--vcpus", 2, "--vcpu-type", "EPYC-v4"]
        for vmm in VMMS:
            assert digest("snp", *base, "--vmm", vmm) == \
                ref.snp(fw, 2, vmm, 0x800f12).hex(), (vmm, sections)


def every_size_of_image():
    for pages in (2, 3, 64, 511, 4096):
        fw = firmware(pages)
        base = ["--firmware", write("fw", fw), "--vcpus", 2, "--vcpu-type", "EPYC-v4"]
        assert digest("snp", *base) == ref.snp(fw, 2, sig=0x800f12).hex(), pages
        seed = ref.Snp()
        seed.pages((1 << 32) - len(fw), fw)
        assert digest("ovmf-hash", "--firmware", "fw") == seed.ld.hex(), pages


def every_svsm():
    fw = firmware()
    for pages, size, vcpus in ((4, 0x1000, 1), (5, 0x84000, 2), (300, 0x20000, 512)):
        length = pages * ref.PAGE
        svsm = ref.image(length, [(ref.SVSM, struct.pack("<I", 0x1234)),
                                  (ref.SEV, struct.pack("<I", 0x400))],
                         [(length - 0x400, ref.sev_metadata([(0x801000, 0x1000, 3), (0x800000, 0x1000, 2),
                                                             (0x802000, 0x3000, 1)]))])
        base = ["--firmware", write("fw", fw), "--svsm", write("svsm", svsm), "--vcpus", vcpus,
                "--vcpu-type", "EPYC-Milan"]
        want = ref.snp(fw, vcpus, sig=0xa00f11, svsm=svsm, vars_size=size).hex()
        assert digest("snp", *base, "--vars-size", size) == want
        assert digest("snp", *base, "--vars-size", hex(size), "--guest-features", "0x21") == want
        assert digest("snp", *base, "--vars-file", write("vars", bytes(size))) == want
        assert digest("--mode", "snp:svsm", *base, f"--vars-size={size}") == want


def an_svsm_keeps_off_what_is_behind_it():
    fw = firmware()
    length, size = 4 * ref.PAGE, 0x4000
    end = (1 << 32) - len(fw) - size
    for gpa, code in ((end - length - 0x1000, 0), (end, 2), (end + size, 2)):
        svsm = ref.image(length, [(ref.SVSM, struct.pack("<I", 0x1234)),
                                  (ref.SEV, struct.pack("<I", 0x400))],
                         [(length - 0x400, ref.sev_metadata([(gpa, 0x1000, 1)]))])
        options = ["snp", "--firmware", write("fw", fw), "--svsm", write("svsm", svsm), "--vcpus", 1,
                   "--vcpu-type", "EPYC-Milan", "--vars-size", size]
        if code:
            assert "overlaps" in refused(*options), hex(gpa)
        else:
            assert digest(*options) == \
                ref.snp(fw, 1, sig=0xa00f11, svsm=svsm, vars_size=size).hex(), hex(gpa)


def every_vmsa():
    for vmm, eip, features, sig in itertools.product(
            VMMS, (0xfffffff0, 0x80b004, 0xffffffff, 1), (0, 1, 0x21), (0x800f12, 0xb00f00)):
        page = ref.vmsa(vmm, eip, features, sig)
        assert digest("vmsa", "--vmm", vmm, "--eip", hex(eip), "--sev-features", hex(features),
                      "--vcpu-sig", hex(sig), "-o", "page") == ref.sha384(page).hex()
        with open("page", "rb") as file:
            assert file.read() == page, (vmm, eip)


def every_launch_measure():
    for digest_, api, build, policy in itertools.product(
            (bytes(32), bytes(range(32))), ("0.0", "1.51", "255.255"), (0, 255), (0, 0x30000, 0xffffffff)):
        tik, nonce = bytes(range(16)), bytes(range(16, 32))
        major, minor = map(int, api.split("."))
        message = struct.pack("<BBBBI", 4, major, minor, build, policy) + digest_ + nonce
        options = ["hmac", "--digest", digest_.hex(), "--mnonce", nonce.hex(), "--api", api, "--build",
                   build, "--policy", hex(policy), "--tik"]
        want = hmac.new(tik, message, "sha256").hexdigest()
        assert digest(*options, tik.hex()) == want == digest(*options, write("tik", tik)), options


def id_blocks_hold_for_openssl():
    """The block as its bytes are written down, and both signatures checked by the program openssl."""
    openssl = shutil.which("openssl")
    if not openssl:
        raise measure.Skip("no openssl here")

    def call(*arguments):
        subprocess.run([openssl, *arguments], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def holds(key, signature, message):
        der = b""
        for at in (0, 72):
            number = signature[at:at + 72][::-1].lstrip(b"\0")
            number = (b"\0" if number[0] & 0x80 else b"") + number
            der += bytes([2, len(number)]) + number
        write("sig", bytes([0x30, len(der)]) + der)
        call("dgst", "-sha384", "-verify", key, "-signature", "sig", write("message", message))

    for name in ("id", "author"):
        call("ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", name + ".pem")
        call("ec", "-in", name + ".pem", "-pubout", "-out", name + ".pub")
    keys = digest("idblock", "--digest", bytes(range(48)).hex(), "--id-key", "id.pem", "--author-key",
                  "author.pem", "--policy", "b0000", "--svn", 7, "--family-id", "0f" * 16, "--image-id",
                  "a5" * 16, "-o", "block").splitlines()
    with open("block", "rb") as file:
        block, auth = file.read(0x60), file.read()
    assert block == bytes(range(48)) + b"\x0f" * 16 + b"\xa5" * 16 + struct.pack("<IIQ", 1, 7, 0xb0000)
    assert auth[:8] == struct.pack("<II", 1, 1) and len(auth) == 4096
    holds("id.pub", auth[0x40:0x240], block)
    holds("author.pub", auth[0x680:0x880], auth[0x240:0x644])
    assert keys == [ref.sha384(auth[at:at + 0x404]).hex() for at in (0x240, 0x880)]
    # A key alone: no author.
    digest("idblock", "--digest", "00" * 48, "--id-key", "id.pem", "-o", "block")
    with open("block", "rb") as file:
        block, auth = file.read(0x60), file.read()
    assert struct.unpack("<Q", block[0x58:])[0] == 0x30000 and not any(auth[4:8] + auth[0x680:])


# --- TDX and registers -----------------------------------------------------------------------------

def both_orders_of_tdx():
    fw = firmware()
    write("fw", fw)
    for order in ("interleave", "two-pass"):
        assert digest("tdx", "--firmware", "fw", "--order", order) == \
            ref.mrtd(fw, TDX_SECTIONS, order == "two-pass").hex(), order
    assert digest("tdx", "--firmware", "fw", "--cfv") == ref.sha384(fw[:0x2000]).hex()


def every_memory_of_a_td():
    fw = firmware()
    sections = [s for s in TDX_SECTIONS if not s[5] & 2]
    fw = fw[:-0x600] + ref.tdvf(sections).ljust(0x400, b"\xff") + fw[-0x200:]
    write("fw", fw)
    for memory in (16 << 20, 512 << 20, 0x80000000, 0xafffe000, 0xb0000000, 0xc0000000, 1 << 32,
                   3 << 40):
        assert digest("tdx", "--firmware", "fw", "--hob", "--memory", memory) == \
            ref.td_hob(sections, memory).hex(), hex(memory)


def every_bank_of_a_log():
    """Two registers, banks with an algorithm between them that nobody knows, each in an order of its own."""
    known = {"sha1": (4, 20), "sha256": (11, 32), "sha384": (12, 48)}
    banks = [("sha1", 4, 20), (None, 0x12, 32), ("sha384", 12, 48), ("sha256", 11, 32)]
    spec = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(banks)) + \
        b"".join(struct.pack("<HH", number, size) for _, number, size in banks) + b"\3abc"
    log = struct.pack("<II20sI", 0, 3, b"", len(spec)) + spec
    extended = {}
    for number, (index, kind) in enumerate(((4, 13), (7, 1), (4, 3), (4, 4), (23, 13), (4, 5))):
        data = bytes(number * 100)
        log += struct.pack("<III", index, kind, len(banks))
        for name, code, size in banks[number % 4:] + banks[:number % 4]:
            value = bytes([number + 1, code]) * (size // 2)
            log += struct.pack("<H", code) + value
            if name and kind != 3:
                extended.setdefault((name, index), []).append(value)
        log += struct.pack("<I", len(data)) + data
    for tail in (b"", bytes(1000), b"\xff" * 1000):
        write("log", log + tail)
        for name in known:
            want = [ref.replay(name, extended.get((name, i), ())).hex() for i in range(24)]
            assert digest("pcr", "--log", "log", "--bank", name).splitlines() == want, name
            for index in (0, 4, 7, 23):
                assert digest("pcr", "--log", "log", "--bank", name, "--index", index) == want[index]
        assert digest("rtmr", "--log", "log").splitlines() == \
            [ref.replay("sha384", v).hex() for v in (extended["sha384", 7], extended["sha384", 4], (), ())]


def every_pcr7_of_an_empty_store():
    store = measure.find("OVMF_VARS.fd")
    for bank, (state, value), skip in itertools.product(
            ("sha1", "sha256", "sha384"), (("on", b"\1"), ("off", b"\0"), ("absent", None)),
            (False, True)):
        variables = [("SecureBoot", value), *((n, None) for n in ("PK", "KEK", "db", "dbx"))]
        options = ["pcr", "--vars", store, "--index", 7, "--bank", bank, "--secure-boot", state]
        assert digest(*options, *(["--skip-absent"] if skip else [])) == \
            ref.pcr7(bank, variables, skip).hex(), options


# --- realms ----------------------------------------------------------------------------------------

def every_realm_with_firmware():
    fw, dtb = bytes(range(256)) * 40 + b"tail", b"\xd0\x0d\xfe\xed" + bytes(5000)
    base = ["cca", "--vmm", "qemu", "--firmware", write("fw", fw), "--dtb", write("dtb", dtb)]
    for algorithm, s2sz, memory in itertools.product(
            ("sha256", "sha512"), (36, 40, 41, 44, 45, 48), (4 << 20, 0x10001000, 3 << 30)):
        realm = ref.Realm(algorithm, s2sz)
        realm.ripas(1 << 30, (1 << 30) + memory)
        realm.data(0, fw)
        realm.data(1 << 30, dtb)
        realm.rec(0, 1 << 30)
        options = [*base, "--hash", algorithm, "--s2sz", s2sz, "--memory", memory]
        assert digest(*options) == realm.value().hex(), options
        assert digest(*options, "--vcpus", 8) == realm.value().hex(), options
        assert digest(*options, "--x0", "40000000") == realm.value().hex(), options
        if memory > 4 << 20:
            realm.unmeasured((1 << 30) + (1 << 20), 65536)
            assert digest(*options, "--measurement-log") == realm.value().hex(), options


def x0_may_be_0():
    realm = ref.Realm("sha512", 41)
    realm.ripas(1 << 30, (1 << 30) + (64 << 20))
    realm.data(0, b"f" * 100)
    realm.data(1 << 30, b"d")
    realm.rec(0, 0)
    assert digest("cca", "--vmm", "qemu", "--firmware", write("fw", b"f" * 100), "--dtb",
                  write("dtb", b"d"), "--memory", "64M", "--x0", 0) == realm.value().hex()


def every_realm_parameter():
    base = ["cca", "--vmm", "qemu", "--firmware", write("fw", b"f" * 100), "--dtb", write("dtb", b"d"),
            "--memory", "64M"]
    for sve, (pmu, counters), (bps, wps), (s2sz, lpa2) in itertools.product(
            (0, 128, 2048), ((0, 0), (1, 0), (1, 31)), ((2, 2), (16, 16)), ((48, 0), (48, 1), (52, 1))):
        realm = ref.Realm("sha512", s2sz, lpa2, sve, pmu, counters, bps, wps)
        realm.ripas(1 << 30, (1 << 30) + (64 << 20))
        realm.data(0, b"f" * 100)
        realm.data(1 << 30, b"d")
        realm.rec(0, 1 << 30)
        options = [*base, "--s2sz", s2sz, "--sve-vl", sve, "--breakpoints", bps, "--watchpoints", wps]
        options += ["--pmu", "--pmu-counters", counters] if pmu else []
        options += ["--lpa2"] if lpa2 else []
        assert digest(*options) == realm.value().hex(), options


def every_rem():
    for algorithm, length in (("sha256", 32), ("sha512", 64)):
        for value in (b"\1", bytes(range(32)), bytes(range(64))):
            rem = bytes(length)
            for _ in range(3):
                want = ref.hashlib.new(algorithm, rem + value).digest()
                assert digest("rem", "--hash", algorithm, "--rem", rem.hex(), "--value",
                              value.hex()) == want.hex()
                rem = want


def arm64_image(text_offset, image_size, length):
    head = bytearray(length)
    struct.pack_into("<QQ", head, 8, text_offset, image_size)
    head[56:60] = b"ARM\x64"
    head[64:] = bytes(i * 3 & 255 for i in range(length - 64))
    return bytes(head)


def up(value, to):
    return -(-value // to) * to


def layout(vmm, memory, kernel, initrd, dtb, log):
    """(images by address, pc, x0, log) of a direct boot: addresses from the VMMs' own code."""
    offset, size = struct.unpack_from("<QQ", kernel, 8)
    if vmm == "qemu":
        ram = 1 << 30
        at = up(max(ram + min(memory // 2, 128 << 20), ram + offset + (size or len(kernel))), 4096)
        tree = up(at + len(initrd or b""), 2 << 20)
        images = {ram + offset: kernel, tree: dtb}
        return {**images, **({at: initrd} if initrd else {})}, ram, tree, tree + (1 << 20)
    if vmm == "kvmtool":
        ram = 2 << 30
        end = min(ram + memory, ram + (256 << 20))
        tree = end - 65536 if log else end
        place, tree = tree, up(tree - (2 << 20) - 65536, 2 << 20)
        images = {ram + offset: kernel, tree: dtb.ljust(65536, b"\0")}
        if initrd:
            images[up(tree - len(initrd) - 4, 4)] = initrd
        return images, ram, tree, place
    ram = 1 << 30
    images = {ram: dtb, ram + (4 << 20) + offset: kernel}
    if initrd:
        images[ram + memory - up(len(initrd), 4096)] = initrd
    return images, ram + (4 << 20), ram, None


def every_direct_boot_of_a_realm():
    dtb = b"\xd0\x0d\xfe\xed" + bytes(range(200)) * 30
    write("dtb", dtb)
    defaults = {"qemu": ("sha512", 41), "kvmtool": ("sha256", 33), "cloud-hypervisor": ("sha512", 48)}
    for (vmm, (algorithm, s2sz)), (offset, size), initrd, memory, log in itertools.product(
            defaults.items(), ((0, 0), (0x80000, 0x300000)), (None, b"i" * 70001),
            (64 << 20, 512 << 20, 2 << 30), (False, True)):
        if log and vmm == "cloud-hypervisor":
            continue
        kernel = arm64_image(offset, size, 20000)
        images, pc, x0, place = layout(vmm, memory, kernel, initrd, dtb, log)
        ram = (2 if vmm == "kvmtool" else 1) << 30
        realm = ref.Realm(algorithm, s2sz)
        if vmm != "cloud-hypervisor":
            realm.ripas(ram, ram + memory)
        for at in sorted(images):  # the granule that an image begins in is zero before it
            realm.data(at & ~4095, bytes(at & 4095) + images[at])
        realm.rec(pc, x0)
        if log:
            realm.unmeasured(place, 65536)
        options = ["cca", "--vmm", vmm, "--kernel", write("kernel", kernel), "--dtb", "dtb",
                   "--memory", memory]
        options += ["--initrd", write("initrd", initrd)] if initrd else []
        options += ["--measurement-log"] if log else []
        assert digest(*options) == realm.value().hex(), options


# --- IGVM ------------------------------------------------------------------------------------------

def every_loader_of_igvm():
    """Pages with and without data, shared, unmeasured, large ones, parameters of three pages, a vCPU."""
    data = b"".join(bytes([n]) * ref.PAGE for n in range(3)) + bytes(range(256)) * 8192
    platforms = [(1, struct.pack("<IBBHQ", 1, 0, 2, 1, 0)), (1, struct.pack("<IBBHQ", 2, 2, 3, 1, 0))]
    init = [(0x101, struct.pack("<QII", 0x30000, 1, 0))]

    def page(gpa, at, flags=0, kind=0, mask=3):
        return 0x302, struct.pack("<QIIIHH", gpa, mask, at, flags, kind, 0)

    def build(start):
        at = [start + n * ref.PAGE for n in range(4)]
        return [(0x301, struct.pack("<QII", 3 * ref.PAGE, 5, 0)), page(0x1000, at[0]),
                page(0x2000, 0), page(0x3000, at[1], 2), page(0x4000, at[2], 4), page(0x5000, 0, 4),
                page(0x6000, 0, 0, 1, 1), page(0x7000, 0, 0, 2, 1), page(0x8000, 0, 0, 3, 1),
                page(0x200000, at[3], 1), page(0x9000, at[1], 0, 0, 2), page(0xa000, at[2], 0, 0, 1),
                (0x303, struct.pack("<QII", 0x10000, 3, 5)),
                (0x304, struct.pack("<QIIHH", 0xfffffffff000, 1, at[1], 0, 0))]

    start = len(ref.igvm_file(platforms + init + build(0), b""))
    write("igvm", ref.igvm_file(platforms + init + build(start), data))
    large = data[3 * ref.PAGE:]
    for zero, shared, one in itertools.product((False, True), repeat=3):
        snp, td = ref.Snp(), []
        inserted = range(0x10000, 0x10000 + (ref.PAGE if one else 3 * ref.PAGE), ref.PAGE)

        def contents(gpa, what, snp=snp, td=td, zero=zero):
            if what is None and zero:
                snp.update(3, gpa)
            else:
                snp.pages(gpa, what or bytes(ref.PAGE))
            td.append((gpa, what or bytes(ref.PAGE)))

        contents(0x1000, data[:ref.PAGE])
        contents(0x2000, None)
        snp.update(4, 0x3000)
        td.append((0x3000, None))
        if shared:
            contents(0x4000, data[2 * ref.PAGE:3 * ref.PAGE])
            contents(0x5000, None)
        for gpa, kind in ((0x6000, 5), (0x7000, 6), (0x8000, 6)):
            snp.update(kind, gpa)
        snp.pages(0x200000, large)
        td += [(0x200000 + i, large[i:i + ref.PAGE]) for i in range(0, len(large), ref.PAGE)]
        td.append((0x9000, data[ref.PAGE:2 * ref.PAGE]))
        snp.pages(0xa000, data[2 * ref.PAGE:3 * ref.PAGE])
        for gpa in inserted:
            snp.update(4, gpa)
            td.append((gpa, None))
        snp.update(2, 0xfffffffff000, ref.sha384(data[ref.PAGE:2 * ref.PAGE]))
        loader = ",".join(name for name, on in (("native-zero", zero), ("measure-shared", shared),
                                                ("insert-one", one)) if on) or "igvm"
        options = ["igvm", "--file", "igvm", "--loader", loader, "--platform"]
        assert digest(*options, "snp") == snp.ld.hex(), loader
        blob = b"".join(c or b"" for _, c in td)
        sections, at = [], 0
        for gpa, page_bytes in td:
            sections.append((at, ref.PAGE if page_bytes else 0, gpa, ref.PAGE, 0, 1 if page_bytes else 0))
            at += ref.PAGE if page_bytes else 0
        assert digest(*options, "tdx") == ref.mrtd(blob, sections, False).hex(), loader


CASES = (every_vmm_cpu_and_count, every_guest_feature, every_direct_boot, every_order_of_sections,
         every_size_of_image, every_svsm, an_svsm_keeps_off_what_is_behind_it,
         every_vmsa, every_launch_measure, id_blocks_hold_for_openssl,
         both_orders_of_tdx, every_memory_of_a_td, every_bank_of_a_log, every_pcr7_of_an_empty_store,
         every_realm_with_firmware, x0_may_be_0, every_realm_parameter, every_direct_boot_of_a_realm, every_rem,
         every_loader_of_igvm)


if __name__ == "__main__":
    sys.exit(measure.main(sys.argv[1], [(case.__name__, case) for case in CASES]))
