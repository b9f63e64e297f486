# SPDX-License-Identifier: BSD-2-Clause
"""A stock Debian kernel with ndctl, in QEMU: what is run there and what it answers."""
import glob
import os
import re
import shutil
import stat
import subprocess
import time

MODULES = ("libnvdimm", "nfit", "nd_btt", "nd_pmem", "device_dax", "dax_pmem")
EXT4 = ("crc16", "crc32c_generic", "mbcache", "jbd2", "ext4")
NDCTL, BUSYBOX = "/usr/bin/ndctl", "/bin/busybox"
METAPACKAGE = "linux-image-amd64"


class Skip(Exception):
    pass


def tool(name):
    path = shutil.which(name)
    if not path:
        raise Skip(f"no {name}")
    return path


def output(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, check=False, **options)
    return done.stdout if done.returncode == 0 else ""


def kernel(cache):
    """The folder of an unpacked kernel package; it is fetched once, and not installed."""
    found = glob.glob(os.path.join(cache, "boot/vmlinuz-*"))
    if found:
        return cache
    name = re.search(r"Depends: (linux-image-\S+)", output("apt-cache", "depends", METAPACKAGE))
    if not name:
        raise Skip(f"apt knows no {METAPACKAGE}")
    os.makedirs(cache, exist_ok=True)
    output("apt-get", "download", name[1], cwd=cache)
    package = glob.glob(os.path.join(cache, "*.deb"))
    if not package:
        raise Skip(f"{name[1]} cannot be downloaded")
    unpacked = cache + ".new"
    shutil.rmtree(unpacked, ignore_errors=True)
    subprocess.run([tool("dpkg"), "-x", package[0], unpacked], check=True)
    for entry in os.listdir(unpacked):
        os.rename(os.path.join(unpacked, entry), os.path.join(cache, entry))
    os.rmdir(unpacked)
    os.remove(package[0])
    return cache


class Archive:
    """A cpio archive, for an initrd."""

    def __init__(self):
        self.parts, self.folders, self.count = [], set(), 0

    def _add(self, name, mode, content):
        self.count += 1
        fields = (self.count, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        self.parts.append(head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4))

    def folder(self, name):
        if name and name not in self.folders:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self._add(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name, content):
        name = name.lstrip("/")
        self.folder(os.path.dirname(name))
        self._add(name, stat.S_IFREG | 0o755, content)

    def program(self, path):
        """With the libraries that it loads."""
        for name in {path, *re.findall(r"(/\S+) \(0x", output("ldd", path))}:
            with open(name, "rb") as file:
                self.file(name, file.read())

    def write(self, path):
        self._add("TRAILER!!!", 0, b"")
        with open(path, "wb") as file:
            file.write(b"".join(self.parts))


INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/sbin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for m in %s; do insmod /modules/$m.ko; done
sleep 1
say() {
	name=$1
	shift
	echo "@@BEGIN $name"
	"$@" 2>/run.err
	rc=$?
	cat /run.err
	echo "@@END $rc"
}
{
%s
echo "@@DONE"
} > /dev/ttyS1
sync
sleep 1
poweroff -f
"""


class Guest:
    """`script` is lines of: say NAME COMMAND..."""

    def __init__(self, cache, folder):
        self.qemu = tool("qemu-system-x86_64")
        for path in (NDCTL, BUSYBOX):
            if not os.path.exists(path):
                raise Skip(f"no {path}")
        self.root = kernel(cache)
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def _initrd(self, script, programs, modules):
        archive = Archive()
        for folder in ("proc", "sys", "dev", "bin", "mnt"):
            archive.folder(folder)
        with open(BUSYBOX, "rb") as file:
            archive.file("bin/busybox", file.read())
        for program in (NDCTL, *programs):
            archive.program(program)
        for name in modules:
            found = glob.glob(os.path.join(self.root, f"lib/modules/*/kernel/**/{name}.ko"),
                              recursive=True)
            if not found:
                raise Skip(f"the kernel has no module {name}")
            with open(found[0], "rb") as file:
                archive.file(f"modules/{name}.ko", file.read())
        archive.file("init", (INIT % (" ".join(modules), script)).encode())
        archive.write(self.path("initrd"))

    def run(self, script, *options, append="", programs=(), modules=(), seconds=400):
        """{name: (status, text)} of what the script said."""
        self._initrd(script, programs, MODULES + tuple(modules))
        command = [
            self.qemu, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-nographic",
            "-no-reboot", "-nodefaults", "-display", "none",
            "-kernel", glob.glob(os.path.join(self.root, "boot/vmlinuz-*"))[0],
            "-initrd", self.path("initrd"), "-append", "console=ttyS0 panic=-1 quiet " + append,
            "-serial", "file:" + self.path("console"), "-serial", "file:" + self.path("results"),
            *options]
        start = time.monotonic()
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, timeout=seconds, check=True)
        except (subprocess.SubprocessError, OSError) as why:
            raise AssertionError(f"{why}\n{self.tail('console')}\n{self.tail('results')}") from why
        print(f"the guest ran for {time.monotonic() - start:.0f} s")
        with open(self.path("results"), encoding="utf-8", errors="replace") as file:
            text = file.read().replace("\r\n", "\n")
        assert "@@DONE" in text, text + self.tail("console")
        said = re.findall(r"@@BEGIN (\S+)\n(.*?)@@END (\d+)\n", text, re.S)
        return {name: (int(status), answer) for name, answer, status in said}

    def tail(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as file:
                return file.read()[-3000:]
        except OSError:
            return ""
