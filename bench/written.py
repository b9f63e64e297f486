# SPDX-License-Identifier: BSD-2-Clause
"""What a boot of Debian's AAVMF to the UEFI Shell writes to the disk: the board, and QEMU beside it."""
import os
import re
import select
import shutil
import subprocess
import tempfile
import time

CODE = "/usr/share/AAVMF/AAVMF_CODE.fd"
VARS = "/usr/share/AAVMF/AAVMF_VARS.fd"
BOARD = "build/examples/board/firmem-board"
MOST = 300e3  # bytes


def missing():
    """Why there is nothing to measure, or None."""
    for path, package in ((CODE, "qemu-efi-aarch64"), (VARS, "qemu-efi-aarch64")):
        if not os.path.exists(path):
            return f"no {path} (Debian package {package})"
    if not shutil.which("qemu-system-aarch64"):
        return "no qemu-system-aarch64 (Debian package qemu-system-arm)"
    return None if os.path.exists(BOARD) else f"no {BOARD}"


def board(folder, image):
    script = os.path.join(folder, "script")
    with open(script, "w", encoding="ascii") as file:
        file.write('timeout 600\nexpect "Shell> "\nquit\n')
    done = subprocess.run([BOARD, "--firmware", CODE, "--vars", image, "--script", script,
                           "--stats"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          timeout=600, check=False)
    found = re.search(r"stats flash vars .* host_bytes (\d+)", done.stderr)
    if done.returncode or not found:
        raise RuntimeError(f"the board ended with {done.returncode}: {done.stderr[-300:]}")
    return int(found[1])


def qemu(image):
    """All that it passes to write(2) and its like: the console is a few kB of it."""
    with subprocess.Popen(
            ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57", "-accel", "tcg", "-m", "256",
             "-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio", "-drive",
             f"if=pflash,unit=0,format=raw,readonly=on,file={CODE}", "-drive",
             f"if=pflash,unit=1,format=raw,file={image}"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as guest:
        seen = b""
        end = time.monotonic() + 600
        try:
            while b"Shell> " not in seen:
                if not select.select([guest.stdout], [], [], max(0, end - time.monotonic()))[0]:
                    raise RuntimeError("QEMU does not come to the Shell")
                seen += os.read(guest.stdout.fileno(), 65536)
            with open(f"/proc/{guest.pid}/io", encoding="ascii") as file:
                return int(re.search(r"wchar: (\d+)", file.read())[1])
        finally:
            guest.kill()


def figures():
    """(name, value, reference, reference's value, bound, unit)."""
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "vars.fd")
        other = os.path.join(folder, "other.fd")
        with open(image, "wb") as file:
            file.write(b"\xff" * (64 << 20))
        yield "AAVMF's first boot, erased bank", board(folder, image), "300 kB", MOST, 1.0, "B"
        shutil.copyfile(image, other)
        yield ("AAVMF's second boot", board(folder, image), "QEMU's second boot", qemu(other), 0.1,
               "B")
        # The template is zeros: to erase the store is to change 768 KiB of the image.
        shutil.copyfile(VARS, image)
        shutil.copyfile(VARS, other)
        yield ("AAVMF's first boot, Debian's template", board(folder, image), "the same, QEMU",
               qemu(other), 0.2, "B")
