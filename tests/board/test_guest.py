#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What guests of a dozen instructions see: accesses, mappings, interrupts."""
import re
import resource
import signal
import subprocess

import asm
from harness import BANK, OFF, instructions, run_test, succeeded, test


BOTH = 0x00010001  # the same command to both chips


def to_flash(command, offset=0):
    """Store a command to the bank at x2."""
    return asm.mov(3, command * BOTH) + asm.store(3, 2, offset)


@test
def a_command_is_seen_by_the_next_load_of_the_same_block(bench):
    # One block of code: the bank is mapped when it starts and must not be after the store.
    guest = asm.mov(2, asm.VARS) + asm.mov(0, asm.UART) + asm.load(4, 2) + to_flash(0x70) + \
        asm.load(5, 2) + to_flash(0xFF) + asm.load(6, 2) + \
        sum((asm.shift_right(1, r, s) + asm.store(1, 0) for r in (4, 5, 6) for s in (0, 8, 16, 24)),
            []) + OFF
    done = succeeded(bench.guest(guest, "poweroff\n"))
    assert done.stdout == b"\xff\xff\xff\xff" b"\x80\0\x80\0" b"\xff\xff\xff\xff", done.stdout


@test
def a_bank_that_is_read_much_is_mapped_again_and_stays_exact(bench):
    # The bank starts trapped, is given in the loop, and is taken away at the second command.
    status = to_flash(0x70) + asm.load(1, 2) + asm.store(1, 0)
    guest = asm.mov(2, asm.VARS) + asm.mov(0, asm.UART) + status + to_flash(0xFF) + \
        asm.mov(7, 300000) + asm.load(6, 2) + asm.decrement(7) + asm.jump_if(7, -2) + \
        asm.load(1, 2) + asm.store(1, 0) + status + OFF
    done = succeeded(bench.guest(guest, "poweroff\n", "--stats"))
    assert done.stdout == b"\x80\xff\x80", done.stdout
    assert b" remaps 2\n" in done.stderr, done.stderr
    trapped = int(re.search(rb" trapped_reads (\d+) ", done.stderr)[1])
    assert 10000 < trapped < 100000, done.stderr


@test
def stores_to_ram_are_right_in_every_width_and_alignment(bench):
    guest = asm.mov(0, asm.UART) + asm.mov(3, 0x44434241) + asm.mov(4, 0x48474645) + asm.join(3, 4)
    expected = b""
    for address in (0x41000100, 0x41000103, 0x41000FFE):  # the last: across a page border
        guest += asm.mov(2, address)
        for word, text in ((asm.STRB, b"A000000"), (asm.STRH, b"AB00000"), (asm.STR, b"ABCD000"),
                           (asm.STR64, b"ABCDEFG"), (asm.STP64 | 3 << 10, b"ABCDEFG")):
            guest += asm.mov(5, 0x30303030) + asm.join(5, 5) + [asm.STR64 | 2 << 5 | 5]
            guest += [word | 2 << 5 | 3]
            for i in range(7):
                guest += asm.load_byte(1, 2, i) + asm.store(1, 0)
            expected += text
    done = succeeded(bench.guest(guest + OFF, "poweroff\n"))
    assert done.stdout == expected, done.stdout


@test
def code_in_ram_sees_the_stores_beside_it_and_over_it(bench):
    """A routine is stored to RAM and called; it changes a word of its own page, reads it back and
    prints it; then it is overwritten by another one and called again."""
    routine = asm.store(3, 2, 0x80) + asm.load(1, 2, 0x80) + asm.store(1, 0) + [asm.RET]
    other = asm.load(1, 2, 0x80) + asm.store(1, 0) + asm.store(1, 0) + [asm.RET]

    def put(words):
        return sum((asm.mov(1, word) + asm.store(1, 2, 4 * i) for i, word in enumerate(words)), [])

    for address in (0x41000F00, asm.RAM + (129 << 20) - 0x100):  # the last MiB is an odd one
        guest = asm.mov(0, asm.UART) + asm.mov(2, address) + asm.mov(3, ord("n")) + \
            put(routine) + [asm.BLR | 2 << 5] + asm.mov(3, ord("m")) + [asm.BLR | 2 << 5] + \
            put(other) + [asm.BLR | 2 << 5] + OFF
        done = succeeded(bench.guest(guest, "poweroff\n", "--ram", "129M"))
        assert done.stdout == b"nmmm", done.stdout


@test
def each_store_reaches_the_flash_once(bench):
    # 70: status; then, with the bank trapped, a pair of stores, a repeat, and back to the array.
    guest = asm.mov(2, asm.VARS) + to_flash(0x70) + asm.mov(3, 0x70 * BOTH) + \
        asm.mov(4, 0x90 * BOTH) + asm.store_pair(3, 4, 2) + asm.store(3, 2, 8) + to_flash(0xFF, 12)
    trace = bench.path("trace")
    succeeded(bench.guest(guest * 2 + OFF, "poweroff\n", "--trace", trace))
    with open(trace, encoding="ascii") as file:
        stores = re.findall(r"^vars +write +off (\w+) size (\d) value (\w+)", file.read(), re.M)
    once = [(0, 0x70), (0, 0x70), (4, 0x90), (8, 0x70), (12, 0xFF)]
    assert [(int(o, 16), int(s), int(v, 16)) for o, s, v in stores] == \
        [(o, 4, v * BOTH) for o, v in once * 2], stores


@test
def a_program_is_not_lost_when_the_process_is_killed(bench):
    guest = asm.mov(2, asm.VARS) + to_flash(0x40, 0x100) + asm.mov(3, 0x12345678) + \
        asm.store(3, 2, 0x100) + to_flash(0xFF) + asm.put("!") + asm.jump(0)
    vars_file = bench.blank()
    with subprocess.Popen([bench.program, "--firmware", bench.file("guest.bin", asm.image(guest)),
                           "--vars", vars_file, "--script",
                           bench.file("hold.script", b"expect \"!\"\nhold\n")],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as board:
        assert b"holding" in board.stderr.readline()
        board.kill()
    # Whoever opens the image next to write it finds the journal.
    assert bench.names().count("vars.fd.journal") == 1, bench.names()
    succeeded(bench.run("--firmware", bench.path("guest.bin"), "--vars", vars_file, "--machine"))
    assert bench.names().count("vars.fd.journal") == 0, bench.names()
    with open(vars_file, "rb") as file:
        content = file.read()
    assert content[0x100:0x104] == b"\x78\x56\x34\x12"
    assert content[:0x100] == b"\xff" * 0x100 and content[0x104:] == b"\xff" * (BANK - 0x104)


@test
def with_mode_none_the_vars_stay_as_they_are(bench):
    guest = asm.mov(2, asm.VARS) + to_flash(0x40, 0x100) + asm.mov(3, 0x12345678) + \
        asm.store(3, 2, 0x100) + to_flash(0xFF) + asm.load(1, 2, 0x100) + asm.mov(0, asm.UART) + \
        asm.store(1, 0) + OFF
    done = bench.guest(guest, "poweroff\n", "--mode", "none")
    assert succeeded(done).stdout == b"\x78", done.stdout
    with open(bench.path("vars.fd"), "rb") as file:
        assert file.read() == b"\xff" * BANK
    assert "vars.fd.journal" not in bench.names()


def small_files_only():
    """What is beyond 32 MiB of a file cannot be written: EFBIG, or SIGXFSZ by default."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BANK // 2, BANK // 2))


@test
def a_write_that_the_host_refuses_is_told_once_and_ends_in_trouble(bench):
    guest = asm.mov(2, asm.VARS + BANK - 0x1000) + 2 * (to_flash(0x40) + asm.mov(3, 0x12345678) +
                                                        asm.store(3, 2)) + asm.put("!") + OFF
    done = bench.guest(guest, "expect \"!\"\npoweroff\n", preexec_fn=small_files_only)
    text = done.stderr.decode()
    assert done.returncode == 2 and done.stdout == b"!", (done.returncode, done.stdout, text)
    assert re.fullmatch(r"firmem-board: [^\n]*vars\.fd[^\n]*\n", text), text


@test
def a_write_that_the_host_refuses_is_told_once_over_a_reset_too(bench):
    # The first time round: mark RAM, program, reset. The second time: print.
    first = asm.mov(3, 1) + asm.store(3, 4) + asm.mov(2, asm.VARS + BANK - 0x1000) + \
        to_flash(0x40) + asm.mov(3, 0x12345678) + asm.store(3, 2) + \
        asm.psci(asm.PSCI_RESET) + [asm.WFI]
    guest = asm.mov(4, asm.RAM + 0x100000) + asm.load(3, 4) + asm.jump_if(3, len(first) + 1) + \
        first + asm.put("!") + OFF
    done = bench.guest(guest, "expect \"!\"\npoweroff\n", preexec_fn=small_files_only)
    text = done.stderr.decode()
    assert done.returncode == 2 and done.stdout == b"!", (done.returncode, done.stdout, text)
    assert re.fullmatch(r"firmem-board: [^\n]*vars\.fd[^\n]*\n", text), text


@test
def the_code_bank_drops_stores_and_programs(bench):
    # The code runs in that bank: it is back in read-array before the block ends.
    guest = asm.mov(2, 0x02000000) + asm.mov(0, asm.UART) + \
        asm.mov(3, 0x12345678) + asm.store(3, 2, 0x100) + \
        asm.load(1, 2, 0x100) + asm.store(1, 0) + \
        to_flash(0x40) + asm.mov(3, 0) + asm.store(3, 2, 0x200) + \
        to_flash(0x50) + to_flash(0xFF) + asm.load(1, 2, 0x200) + asm.store(1, 0) + OFF
    done = bench.guest(guest, "poweroff\n")
    assert succeeded(done).stdout == b"\xff\xff", done.stdout


@test
def timer_interrupts_wake_the_guest(bench):
    ticks = 625000  # 10 ms of 62.5 MHz, most of it slept through
    program = asm.mov(0, 0x800) + asm.to_system(asm.VBAR_EL1, 0) + \
        asm.mov(2, asm.GICD) + asm.mov(1, 1) + asm.store(1, 2) + \
        asm.mov(1, 1 << 27) + asm.store(1, 2, 0x100) + \
        asm.mov(3, asm.GICC) + asm.mov(1, 0xFF) + asm.store(1, 3, 4) + \
        asm.mov(1, 1) + asm.store(1, 3) + \
        asm.mov(1, ticks) + asm.to_system(asm.CNTV_TVAL, 1) + \
        asm.mov(1, 1) + asm.to_system(asm.CNTV_CTL, 1) + [asm.UNMASK_IRQ] + asm.put("<") + \
        [asm.WFI] + asm.put("=") + [asm.WFI] + asm.put(">") + OFF
    # Acknowledge twice: the number, then 1023; set the timer again; end the interrupt.
    handler = asm.mov(0, asm.UART) + asm.load(4, 3, 0xC) + asm.store(4, 0) + \
        asm.load(5, 3, 0xC) + asm.store(5, 0) + asm.mov(1, ticks) + \
        asm.to_system(asm.CNTV_TVAL, 1) + asm.store(4, 3, 0x10) + [asm.ERET]
    done = succeeded(bench.guest(program, "poweroff\n", "--stats", at={0xA80: handler}))
    assert done.stdout == b"<\x1b\xff=\x1b\xff>", done.stdout
    assert b" interrupts 2 " in done.stderr, done.stderr
    assert re.search(rb" guest_ms 20\.\d+ ", done.stderr), done.stderr
    assert int(instructions(done)[-1]) == len(program) + 2 * len(handler), done.stderr


@test
def a_guest_that_goes_astray_is_a_no_that_says_where(bench):
    nowhere = asm.mov(0, 0x20000000)
    cases = {"load of 4 bytes at 0x20000000": nowhere + asm.load(1, 0),
             "store of 4 bytes at 0x20000000": nowhere + asm.store(1, 0),
             "guest: ": [0x00000000]}
    for says, code in cases.items():
        done = bench.guest(code, "timeout 5\nexpect \"x\"\n")
        assert done.returncode == 1, (says, done.returncode, done.stderr)
        assert re.fullmatch(r"firmem-board: guest: [^\n]+\n", done.stderr.decode()), done.stderr
        assert says in done.stderr.decode(), done.stderr


if __name__ == "__main__":
    run_test()
