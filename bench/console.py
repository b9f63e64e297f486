# SPDX-License-Identifier: BSD-2-Clause
"""A program with a serial console on its standard input and output: type, wait for, time."""
import os
import select
import signal
import subprocess
import time


class Console:
    def __init__(self, command, limit=120):
        self.limit = limit  # seconds that a wait may take
        self.seen = b""
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def wait(self, text):
        """What was printed up to and with `text`."""
        text = text.encode()
        end = time.monotonic() + self.limit
        while text not in self.seen:
            ready = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                why = "ended" if ready else f"is silent for {self.limit} s"
                raise RuntimeError(f"the console {why}, waiting for {text!r}; it last printed "
                                   f"{self.seen[-400:].decode(errors='replace')!r}")
            self.seen += data
        before, _, self.seen = self.seen.partition(text)
        return (before + text).decode(errors="replace")

    def command(self, line, prompt="\n=> "):
        """Type a line, and give what it printed until the next prompt."""
        self.type(line + "\r")
        return self.wait(prompt)
