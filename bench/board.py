# SPDX-License-Identifier: BSD-2-Clause
"""The example board beside Debian's QEMU: the same U-Boot, the same commands, both by console.

The banks differ: U-Boot takes QEMU's for one of 128 KiB sectors and sends it twice the erases.
"""
import os
import shutil
import statistics
import tempfile
import time

from console import Console

UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
BANK = 64 << 20
BASE = 0x04800000  # of the 16 MiB that are erased: away from U-Boot's environment
BLOCK = 0x40000
RUNS = 5


def qemu(image):
    return ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57", "-accel", "tcg", "-m", "256",
            "-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio",
            "-bios", UBOOT, "-drive", f"if=pflash,unit=1,format=raw,file={image}"]


def board(image):
    return ["build/examples/board/firmem-board", "--firmware", UBOOT, "--vars", image,
            "--ram", "256M"]


def expect(text, words, what):
    for word in words:
        if word not in text:
            raise RuntimeError(f"{what}: no {word!r} in {text[-400:]!r}")
    return text


def run(command):
    """Seconds of each step. What is timed has to have worked: a refusal is quick."""
    took = {}

    def timed(step, act):
        start = time.monotonic()
        text = act()
        took[step] = time.monotonic() - start
        return text

    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "vars.fd")
        with open(image, "wb") as file:
            file.write(b"\xff" * BANK)
        start = time.monotonic()
        with Console(command(image)) as console:
            console.wait("Hit any key to stop autoboot")
            console.type("\r")
            console.wait("\n=> ")
            took["prompt"] = time.monotonic() - start
            console.command("cp.b 0 40200000 1000")

            # QEMU's bank lets U-Boot program 4 KiB at the start of a block, not more: one in each.
            def program():
                text = ""
                for first in range(0, 64, 8):
                    places = " ".join(f"{BASE + (first + i) * BLOCK:x}" for i in range(8))
                    text += console.command(f"for a in {places}; do cp.b 40200000 $a 1000; done")
                return text

            for _ in range(2):  # the second erase has something to erase
                text = timed("erase", lambda: console.command(f"erase {BASE:x} +1000000"))
                expect(text, ["done", "Erased"], "erase")
                text = timed("program", program)
                if text.count("done") < 64 + 8:
                    raise RuntimeError(f"program: {text[-400:]!r}")
            for block in (0, 31, 63):
                text = console.command(f"cmp.b 40200000 {BASE + block * BLOCK:x} 1000")
                expect(text, ["Total of 4096 byte(s) were the same"], "compare")
    return took


STEPS = (("prompt", "U-Boot to its prompt"), ("erase", "erase of 16 MiB"),
         ("program", "program of 64 x 4 KiB"))


def missing():
    """Why there is nothing to measure, or None."""
    if not os.path.exists(UBOOT):
        return f"no {UBOOT} (Debian package u-boot-qemu)"
    if not shutil.which("qemu-system-aarch64"):
        return "no qemu-system-aarch64 (Debian package qemu-system-arm)"
    if not os.path.exists(board("")[0]):
        return f"no {board('')[0]} (libunicorn-dev was missing when the tree was configured)"
    return None


def figures():
    """(name, value in ns, reference, reference in ns, bound) for each step, medians of RUNS."""
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(run(board))
        theirs.append(run(qemu))
    for step, name in STEPS:
        value = statistics.median(r[step] for r in ours)
        reference = statistics.median(r[step] for r in theirs)
        yield f"{name}, board", value * 1e9, "the same, qemu-system-aarch64", reference * 1e9, 1.0
