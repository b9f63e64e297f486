# SPDX-License-Identifier: BSD-2-Clause
"""A stock Debian kernel with ndctl, in QEMU: what is run there and what it answers."""
import glob
import os
import re
import shutil
import stat
import subprocess
import tempfile
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


def kernel(cache, metapackage=METAPACKAGE, more=(), environment=None):
    """The folder of an unpacked kernel package, and more; fetched once, and not installed."""
    if os.path.isdir(os.path.join(cache, "boot")):
        return cache
    name = re.search(r"Depends: (linux-image-\S+)",
                     output("apt-cache", "depends", metapackage, env=environment))
    if not name:
        raise Skip(f"apt knows no {metapackage}")
    with tempfile.TemporaryDirectory(prefix="kernel-", dir=os.path.dirname(cache)) as folder:
        output("apt-get", "download", name[1], *more, cwd=folder, env=environment)
        packages = glob.glob(os.path.join(folder, "*.deb"))
        if len(packages) != 1 + len(more):
            raise Skip(f"{name[1]} cannot be downloaded")
        root = os.path.join(folder, "root")
        for package in packages:
            subprocess.run([tool("dpkg"), "-x", package, root], check=True)
        shutil.rmtree(cache, ignore_errors=True)
        os.rename(root, cache)
    return cache


def arm64_apt(folder):
    """An environment in which apt knows Debian's arm64 packages, without telling the host's apt."""
    config = os.path.join(folder, "apt.conf")
    for name in ("state/lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    with open(config, "w", encoding="utf-8") as file:
        file.write('APT::Architecture "arm64"; APT::Architectures { "arm64"; };\n'
                   f'Dir::State "{folder}/state"; Dir::Cache "{folder}/cache";\n'
                   'Dir::State::status "/dev/null";\n')
    environment = dict(os.environ, APT_CONFIG=config)
    output("apt-get", "update", env=environment)
    return environment


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
} > /dev/%s
sync
sleep 1
poweroff -f
"""


class Guest:
    """`script` is lines of: say NAME COMMAND..."""

    qemu, modules, port, busybox = "qemu-system-x86_64", MODULES, "ttyS1", BUSYBOX

    def __init__(self, cache, folder):
        self.qemu = tool(self.qemu)
        self.folder = folder
        self.root = self.fetch(cache)
        for path in self.programs() + (self.busybox,):
            if not os.path.exists(path):
                raise Skip(f"no {path}")

    def fetch(self, cache):
        return kernel(cache)

    def programs(self):
        return (NDCTL,)

    def machine(self):
        """Options; the console's serial port comes first, then that of the script."""
        return ["-cpu", "max", "-nodefaults", "-append", "console=ttyS0 panic=-1 quiet {append}",
                "-serial", "file:" + self.path("console"), "-serial",
                "file:" + self.path("results")]

    def path(self, name):
        return os.path.join(self.folder, name)

    def _initrd(self, script, programs, modules):
        archive = Archive()
        for folder in ("proc", "sys", "dev", "bin", "mnt"):
            archive.folder(folder)
        with open(self.busybox, "rb") as file:
            archive.file("bin/busybox", file.read())
        for program in programs:
            archive.program(program)
        for name in modules:
            found = glob.glob(os.path.join(self.root, f"lib/modules/*/kernel/**/{name}.ko"),
                              recursive=True)
            if not found:
                raise Skip(f"the kernel has no module {name}")
            with open(found[0], "rb") as file:
                archive.file(f"modules/{name}.ko", file.read())
        archive.file("init", (INIT % (" ".join(modules), script, self.port)).encode())
        archive.write(self.path("initrd"))

    def run(self, script, *options, append="", programs=(), modules=(), seconds=400):
        """{name: (status, text)} of what the script said."""
        self._initrd(script, self.programs() + tuple(programs), self.modules + tuple(modules))
        command = [
            self.qemu, "-accel", "tcg,thread=multi", "-smp", "1", "-nographic", "-no-reboot",
            "-display", "none", "-monitor", "none",
            "-kernel", glob.glob(os.path.join(self.root, "boot/vmlinuz-*"))[0],
            "-initrd", self.path("initrd"),
            *(word.format(append=append) for word in self.machine()), *options]
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
        assert len(said) == len(re.findall("^say ", script, re.M)), text
        for name, answer, status in said:
            print(f"-- {name}: {status}\n{answer.strip()[:1500]}")
        return {name: (int(status), answer) for name, answer, status in said}

    def tail(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as file:
                return file.read()[-3000:]
        except OSError:
            return ""


class ArmGuest(Guest):
    """arm64, its devices from a device tree; no ndctl there."""

    qemu, port = "qemu-system-aarch64", "ttyAMA0"
    modules = ("dax", "libnvdimm", "of_pmem", "nd_btt", "nd_pmem")

    def fetch(self, cache):
        cache += "-arm64"
        if not os.path.isdir(cache):
            with tempfile.TemporaryDirectory(dir=os.path.dirname(cache)) as folder:
                kernel(cache, "linux-image-arm64", ("busybox-static",), arm64_apt(folder))
        self.busybox = os.path.join(cache, "bin/busybox")
        return cache

    def programs(self):
        return ()

    def machine(self):
        return ["-cpu", "cortex-a57", "-append", "console=ttyAMA0 panic=-1 quiet {append}",
                "-serial", "file:" + self.path("results")]
