# SPDX-License-Identifier: BSD-2-Clause
"""Launch measurement a second time: by hashlib, from the specifications, sharing nothing with measure/.

No input is checked here: what is measured is right. measure_variants.py compares the command with it.
"""
import hashlib
import struct
import uuid
import zlib

PAGE = 4096


def sha256(data):
    return hashlib.sha256(data).digest()


def sha384(data):
    return hashlib.sha384(data).digest()


def guid(text):
    return uuid.UUID(text).bytes_le


FOOTER = guid("96b582de-1fb2-45f7-baea-a366c55a082d")
RESET = guid("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
HASHES = guid("7255371f-3a3b-4b04-927b-1da6efa8d454")
SEV = guid("dc886566-984a-4798-a75e-5585a7bf67cc")
TDX = guid("e47a6535-984a-4798-865e-4685a7bf8ec2")
TDVF = guid("e9eaf9f3-168e-44d5-a8eb-7f4d8738f6ae")
SVSM = guid("a789a612-0597-4c4b-a49f-cbb1fe9d1ddd")


# --- images that are made here -------------------------------------------------------------------

def image(length, entries, blobs=(), fill=b"\xff"):
    """An image of `length` bytes that ends in OVMF's table of (GUID, data); blobs are (offset, bytes)."""
    data = bytearray(fill * (length // len(fill)))
    for number in range(0, length, 2 * PAGE):  # every other page is one of its own
        data[number:number + 8] = struct.pack("<Q", number ^ 0x5a5a)
    for at, blob in blobs:
        data[at:at + len(blob)] = blob
    table = b"".join(blob + struct.pack("<H", len(blob) + 18) + name
                     for name, blob in reversed(entries))
    table += struct.pack("<H", len(table) + 18) + FOOTER
    data[length - 32 - len(table):length - 32] = table
    return bytes(data)


def sev_metadata(sections):
    return b"ASEV" + struct.pack("<III", 16 + 12 * len(sections), 1, len(sections)) + \
        b"".join(struct.pack("<III", *s) for s in sections)


def tdvf(sections):
    """With its GUID before it: sections of (offset, raw size, address, size, type, attributes)."""
    return TDVF + b"TDVF" + struct.pack("<III", 16 + 32 * len(sections), 1, len(sections)) + \
        b"".join(struct.pack("<IIQQII", *s) for s in sections)


def table_of(data):
    """{GUID: data} of the table, the first from the footer wins."""
    found = {}
    end = len(data) - 50
    low = len(data) - 32 - struct.unpack_from("<H", data, end)[0]
    while end > low:
        length, = struct.unpack_from("<H", data, end - 18)
        found.setdefault(data[end - 16:end], data[end - length:end - 18])
        end -= length
    return found


def sections_of(data):
    at = len(data) - struct.unpack("<I", table_of(data)[SEV][:4])[0]
    count, = struct.unpack_from("<I", data, at + 12)
    return [struct.unpack_from("<III", data, at + 16 + 12 * i) for i in range(count)]


# --- AMD -----------------------------------------------------------------------------------------

def kernel_hashes(kernel, initrd, append):
    table = b""
    for name, data in (("97d02dd8-bd20-4c94-aa78-e7714d36ab2a", (append or "").encode() + b"\0"),
                       ("44baf731-3a2f-4bd7-9af1-41e29169781d", initrd or b""),
                       ("4de79437-abd2-427f-b835-d5b172d2045b", kernel)):
        table += guid(name) + struct.pack("<H", 50) + sha256(data)
    head = guid("9438d606-4f22-4cc9-b479-a793d411fd21") + struct.pack("<H", 18 + len(table))
    return (head + table).ljust(176, b"\0")


def vmsa(vmm, eip, features, sig):
    page = bytearray(PAGE)

    def segment(at, attributes, limit=0xffff, selector=0, base=0):
        struct.pack_into("<HHIQ", page, at, selector, attributes, limit, base)

    ec2 = vmm.startswith("ec2")
    for at in (0x00, 0x30, 0x40, 0x50):
        segment(at, 0x93)
    segment(0x10, 0x9a if ec2 and eip == 0xfffffff0 else 0x9b, 0xffff, 0xf000, eip & 0xffff0000)
    segment(0x20, 0x92 if ec2 else 0x93)
    segment(0x60, 0)
    segment(0x70, 0x82)
    segment(0x80, 0)
    segment(0x90, 0x83 if ec2 else 0x8b)
    rdx = {"ec2": 0x600, "ec2-legacy": 0, "gce": 0x600}.get(vmm, sig)
    pat = 0x00070106 if vmm == "gce" else 0x0007040600070406
    for at, value in ((0xd0, 0x1000), (0x148, 0x40), (0x158, 0x10), (0x160, 0x400),
                      (0x168, 0xffff0ff0), (0x170, 2), (0x178, eip & 0xffff), (0x268, pat),
                      (0x310, rdx), (0x3b0, features), (0x3e8, 1)):
        struct.pack_into("<Q", page, at, value)
    if vmm == "qemu":
        struct.pack_into("<I", page, 0x408, 0x1f80)
        struct.pack_into("<H", page, 0x410, 0x37f)
    return bytes(page)


def svsm_vmsa(rip, sig):
    page = bytearray(PAGE)
    for at in (0x00, 0x20, 0x30, 0x40):
        struct.pack_into("<HHIQ", page, at, 0x10, 0xc93, 0xffffffff, 0)
    struct.pack_into("<HHIQ", page, 0x10, 8, 0xc9b, 0xffffffff, 0)
    for at, attributes in ((0x50, 0x93), (0x60, 0), (0x70, 0x82), (0x80, 0), (0x90, 0x8b)):
        struct.pack_into("<HHIQ", page, at, 0, attributes, 0xffff, 0)
    for at, value in ((0xd0, 0x1000), (0x148, 0x40), (0x158, 0x11), (0x160, 0x400),
                      (0x168, 0xffff0ff0), (0x170, 2), (0x178, rip), (0x268, 0x0007040600070406),
                      (0x310, sig), (0x3b0, 1), (0x3e8, 1)):
        struct.pack_into("<Q", page, at, value)
    struct.pack_into("<I", page, 0x408, 0x1f80)
    return bytes(page)


def reset_eip(firmware):
    return struct.unpack("<I", table_of(firmware)[RESET][:4])[0]


def sev(firmware, vcpus=None, vmm="qemu", sig=0, boot=None):
    """vcpus None: SEV; else SEV-ES. `boot` is (kernel, initrd, append)."""
    stream = firmware + (kernel_hashes(*boot) if boot else b"")
    if vcpus:
        stream += vmsa(vmm, 0xfffffff0, 0, sig)
    if vcpus and vcpus > 1:
        stream += vmsa(vmm, reset_eip(firmware), 0, sig) * (vcpus - 1)
    return sha256(stream)


class Snp:
    def __init__(self, seed=bytes(48)):
        self.ld = seed

    def update(self, kind, gpa, contents=bytes(48)):
        self.ld = sha384(self.ld + contents + struct.pack("<HBBBBBBQ", 0x70, kind, 0, 0, 0, 0, 0, gpa))

    def pages(self, gpa, data):
        for at in range(0, len(data), PAGE):
            self.update(1, gpa + at, sha384(data[at:at + PAGE]))

    def metadata(self, data, vmm, boot):
        late = []
        for gpa, size, kind in sections_of(data):
            if kind in (2, 3):
                if kind == 3 and vmm.startswith("ec2"):
                    late.append(gpa)
                else:
                    self.update(5 if kind == 2 else 6, gpa)
            elif kind == 0x10 and boot:
                at = struct.unpack("<I", table_of(data)[HASHES][:4])[0] & 0xfff
                page = bytes(at) + kernel_hashes(*boot)
                self.update(1, gpa, sha384(page.ljust(PAGE, b"\0")))
            else:
                for page in range(gpa, gpa + size, PAGE):
                    self.update(4 if kind == 1 and vmm == "gce" else 3, page)
        for gpa in late:
            self.update(6, gpa)


def snp(firmware, vcpus, vmm="qemu", sig=0, features=1, boot=None, svsm=None, vars_size=0):
    chain = Snp()
    base = (1 << 32) - len(firmware)
    chain.pages(base, firmware)
    if svsm:
        base -= vars_size + len(svsm)
        chain.pages(base, svsm)
        chain.metadata(svsm, "qemu", None)
        entry, = struct.unpack("<I", table_of(svsm)[SVSM][:4])
        states = [svsm_vmsa(base + entry, sig)] * vcpus
    else:
        chain.metadata(firmware, vmm, boot)
        states = [vmsa(vmm, 0xfffffff0, features, sig)]
        if vcpus > 1:
            states += [vmsa(vmm, reset_eip(firmware), features, sig)] * (vcpus - 1)
    for state in states:
        chain.update(2, 0xfffffffff000, sha384(state))
    return chain.ld


# --- TDX -----------------------------------------------------------------------------------------

def mrtd(data, sections, two_pass):
    stream = hashlib.sha384()

    def add(gpa):
        stream.update(b"MEM.PAGE.ADD".ljust(16, b"\0") + struct.pack("<Q", gpa) + bytes(104))

    def extend(gpa, page):
        for at in range(0, PAGE, 256):
            stream.update(b"MR.EXTEND".ljust(16, b"\0") + struct.pack("<Q", gpa + at) + bytes(104))
            stream.update(page[at:at + 256])

    for offset, raw, gpa, size, _, attributes in sections:
        if attributes & 2:
            continue
        contents = data[offset:offset + raw].ljust(size, b"\0")
        pages = range(0, size, PAGE)
        for at in pages:
            add(gpa + at)
            if attributes & 1 and not two_pass:
                extend(gpa + at, contents[at:at + PAGE])
        for at in pages if attributes & 1 and two_pass else ():
            extend(gpa + at, contents[at:at + PAGE])
    return stream.digest()


def td_hob(sections, memory):
    low = 0x80000000 if memory >= 0xb0000000 else memory
    resources = []
    at = 0
    for _, _, gpa, size, kind, _ in sorted(sections, key=lambda s: s[2]):
        if kind in (2, 3):
            resources += [(7, at, gpa), (0, gpa, gpa + size)]
            at = gpa + size
    resources += [(7, at, low), (7, 1 << 32, (1 << 32) + memory - low)]
    resources = [r for r in resources if r[1] < r[2]]
    base, = [s[2] for s in sections if s[4] == 2]
    end = base + 56 + 48 * len(resources) + 8
    hob = struct.pack("<HHIIIQQQQQ", 1, 56, 0, 9, 0, 0, 0, 0, 0, end)
    for kind, start, stop in resources:
        hob += struct.pack("<HHI16sIIQQ", 3, 48, 0, b"", kind, 7, start, stop - start)
    return sha384(hob)


def replay(algorithm, digests):
    """A register that starts as zeros."""
    value = bytes(hashlib.new(algorithm).digest_size)
    for one in digests:
        value = hashlib.new(algorithm, value + one).digest()
    return value


def pcr7(algorithm, variables, skip_absent):
    """(name, data or None) in order, and the separator."""
    digests = []
    for name, data in variables:
        owner = "d719b2cb-3d3a-4596-a3bc-dad00e67656f" if name.startswith("db") else \
            "8be4df61-93ca-11d2-aa0d-00e098032b8c"
        if data is None and skip_absent:
            continue
        event = guid(owner) + struct.pack("<QQ", len(name), len(data or b"")) + \
            name.encode("utf-16-le") + (data or b"")
        digests.append(hashlib.new(algorithm, event).digest())
    return replay(algorithm, digests + [hashlib.new(algorithm, bytes(4)).digest()])


# --- Arm CCA --------------------------------------------------------------------------------------

class Realm:
    def __init__(self, algorithm, s2sz, lpa2=0, sve=0, pmu=0, counters=0, bps=6, wps=4):
        self.algorithm = algorithm
        bits = s2sz - 12
        self.levels = -(-bits // 9)
        if bits - 9 * (self.levels - 1) <= 4:
            self.levels -= 1
        page = bytearray(PAGE)
        struct.pack_into("<QQ", page, 0, lpa2 | (2 if sve else 0) | (4 if pmu else 0), s2sz)
        for at, value in ((0x10, sve // 128 - 1 if sve else 0), (0x18, bps - 1), (0x20, wps - 1),
                          (0x28, counters), (0x30, algorithm == "sha512")):
            struct.pack_into("<Q", page, at, value)
        self.rim = self.hash(bytes(page))

    def hash(self, data):
        return hashlib.new(self.algorithm, data).digest().ljust(64, b"\0")

    def step(self, kind, fields):
        block = bytearray(256)
        block[0] = kind
        struct.pack_into("<Q64s", block, 8, 0x100, self.rim)
        for at, value in fields:
            block[at:at + len(value)] = value
        self.rim = self.hash(bytes(block))

    def ripas(self, base, top):
        while base < top:
            size = max(PAGE << 9 * i for i in range(self.levels)
                       if base % (PAGE << 9 * i) == 0 and base + (PAGE << 9 * i) <= top)
            self.step(2, ((0x50, struct.pack("<QQ", base, base + size)),))
            base += size

    def data(self, ipa, contents):
        for at in range(0, len(contents), PAGE):
            granule = contents[at:at + PAGE].ljust(PAGE, b"\0")
            self.step(0, ((0x50, struct.pack("<QQ", ipa + at, 1)), (0x60, self.hash(granule))))

    def unmeasured(self, ipa, length):
        for at in range(0, length, PAGE):
            self.step(0, ((0x50, struct.pack("<Q", ipa + at)),))

    def rec(self, pc, x0):
        page = bytearray(PAGE)
        page[0] = 1
        struct.pack_into("<Q", page, 0x200, pc)
        struct.pack_into("<Q", page, 0x300, x0)
        self.step(1, ((0x50, self.hash(bytes(page))),))

    def value(self):
        return self.rim[:hashlib.new(self.algorithm).digest_size]


# --- IGVM ----------------------------------------------------------------------------------------

def igvm_file(headers, data):
    """Variable headers of (type, payload), then the data; offsets in payloads are the caller's."""
    variable = b""
    for kind, payload in headers:
        variable += struct.pack("<II", kind, len(payload)) + payload + bytes(-len(payload) % 8)
    fixed = [0x4d564749, 1, 24, len(variable), 24 + len(variable) + len(data), 0]
    fixed[5] = zlib.crc32(struct.pack("<6I", *fixed) + variable)
    return struct.pack("<6I", *fixed) + variable + data
