# SPDX-License-Identifier: BSD-2-Clause
"""The same accesses as lines of text: to `firmem flash run`, and to QEMU's qtest server.

Batches of 512 as they come through a pipe and a socket; a batch is over when the answer to the read
at its end is there. Both banks are 2 x 16 bits with blocks of 256 KiB.
"""
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

TOOL = "build/tools/firmem"
QEMU = "qemu-system-aarch64"
BANK = 64 << 20
BASE = 0x04000000  # of the second bank of QEMU's machine "virt"
BATCH = 512
BATCHES = 40
RUNS = 5


def accesses():
    """A batch: (offset, value) of writes, value None of reads. A word programmed, and its status."""
    for word in range(BATCH // 4):
        yield 4 * word, 0x00400040
        yield 4 * word, 0x12345678 ^ word
        yield 0, 0x00700070
        yield 0, None


def ours(folder):
    lines = "".join(f"w4 {off:#x} {value:#x}\n" if value is not None else f"r4 {off:#x}\n"
                    for off, value in accesses())
    command = [TOOL, "flash", "run", "--size", str(BANK), "--profile", "virt"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        answers = BATCH // 4

        def batch():
            process.stdin.write(lines.encode())
            process.stdin.flush()
            for _ in range(answers):
                line = process.stdout.readline()
                if line != b"0x00800080\n":
                    raise RuntimeError(f"flash run answers {line!r}")

        batch()
        start = time.monotonic()
        for _ in range(BATCHES):
            batch()
        took = time.monotonic() - start
        process.stdin.close()
        if process.wait():
            raise RuntimeError(f"flash run ended with {process.returncode}")
    return took


def theirs(folder):
    lines = "".join(f"writel {BASE + off:#x} {value:#x}\n" if value is not None
                    else f"readl {BASE + off:#x}\n" for off, value in accesses())
    path = os.path.join(folder, "qtest")
    image = os.path.join(folder, "bank")
    with open(image, "wb") as file:
        file.truncate(BANK)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(1)
    command = [QEMU, "-machine", "virt", "-m", "64", "-accel", "tcg", "-S", "-display", "none",
               "-monitor", "none", "-serial", "none", "-net", "none", "-qtest", f"unix:{path}",
               "-qtest-log", "/dev/null", "-drive",
               f"if=pflash,unit=0,format=raw,readonly=on,file={image}", "-drive",
               f"if=pflash,unit=1,format=raw,snapshot=on,file={image}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            server.settimeout(60)
            connection, _ = server.accept()
            answers = connection.makefile("rb")

            def batch():
                connection.sendall(lines.encode())
                for _ in range(BATCH):
                    line = answers.readline()
                    if not line.startswith(b"OK"):
                        raise RuntimeError(f"qtest answers {line!r}")

            batch()
            start = time.monotonic()
            for _ in range(BATCHES):
                batch()
            return time.monotonic() - start
        finally:
            process.kill()
            server.close()


def missing():
    """Why there is nothing to measure, or None."""
    if not shutil.which(QEMU):
        return f"no {QEMU} (Debian package qemu-system-arm)"
    if not os.path.exists(TOOL):
        return f"no {TOOL} (libjansson-dev was missing when the tree was configured)"
    return None


def figures():
    """(name, value in ns, reference, reference in ns, bound) of an access, medians of RUNS."""
    took = {ours: [], theirs: []}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(RUNS):
            for side, times in took.items():
                place = os.path.join(folder, f"{side.__name__}{run}")
                os.mkdir(place)
                times.append(side(place) * 1e9 / (BATCH * BATCHES))
    yield ("flash: an access by a line of text", statistics.median(took[ours]),
           "the same, qemu's qtest server", statistics.median(took[theirs]), 1.0)
