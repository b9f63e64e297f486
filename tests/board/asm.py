# SPDX-License-Identifier: BSD-2-Clause
"""Just enough of an A64 assembler for guests of a dozen instructions."""
import struct

RAM = 0x40000000
UART = 0x09000000
VARS = 0x04000000
GICD = 0x08000000
GICC = 0x08010000

WFI = 0xD503207F
ERET = 0xD69F03E0
HVC = 0xD4000002
RET = 0xD65F03C0
BLR = 0xD63F0000
STRB = 0x39000000
STRH = 0x79000000
STR = 0xB9000000
STR64 = 0xF9000000
STP64 = 0xA9000000
UNMASK_IRQ = 0xD50342FF  # msr daifclr, #2

# op0, op1, CRn, CRm, op2
VBAR_EL1 = (3, 0, 12, 0, 0)
CNTV_TVAL = (3, 3, 14, 3, 0)
CNTV_CTL = (3, 3, 14, 3, 1)

PSCI_OFF = 0x84000008
PSCI_RESET = 0x84000009


def mov(reg, value):
    """Load a 32-bit constant."""
    return [0xD2800000 | (value & 0xFFFF) << 5 | reg,
            0xF2A00000 | (value >> 16) << 5 | reg]


def load(reg, base, offset=0):
    return [0xB9400000 | offset // 4 << 10 | base << 5 | reg]


def join(reg, high):
    """Put the low half of `high` into the high half of the register: bfi x, x, 32, 32."""
    return [0xB3607C00 | high << 5 | reg]


def load_byte(reg, base, offset):
    return [0x39400000 | offset << 10 | base << 5 | reg]


def store(reg, base, offset=0):
    return [0xB9000000 | offset // 4 << 10 | base << 5 | reg]


def store_pair(reg, second, base):
    """stp of two 32-bit registers: two stores in one instruction."""
    return [0x29000000 | second << 10 | base << 5 | reg]


def decrement(reg):
    return [0x51000400 | reg << 5 | reg]


def shift_right(reg, source, bits):
    return [0x53007C00 | bits << 16 | source << 5 | reg]


def jump(instructions):
    """By so many instructions, from this one."""
    return [0x14000000 | instructions & 0x3FFFFFF]


def jump_if(reg, instructions):
    """If the register is not zero."""
    return [0x35000000 | (instructions & 0x7FFFF) << 5 | reg]


def jump_if_bit(reg, bit, instructions):
    return [0x37000000 | bit << 19 | (instructions & 0x3FFF) << 5 | reg]


def to_system(register, reg):
    op0, op1, crn, crm, op2 = register
    return [0xD5100000 | (op0 - 2) << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5 | reg]


def put(char):
    """Print; uses x0 and x1."""
    return mov(0, UART) + mov(1, ord(char)) + store(1, 0)


def echo():
    """Print what is typed, for ever: while FR.RXFE is set there is nothing."""
    return mov(0, UART) + load(1, 0, 0x18) + jump_if_bit(1, 4, -1) + load(1, 0) + store(1, 0) + \
        jump(-4)


def psci(function):
    return mov(0, function) + [HVC]


def image(code, at=None):
    """Bytes of the code at 0, and of further pieces at the addresses of `at`."""
    out = bytearray()
    for address, words in [(0, code)] + sorted((at or {}).items()):
        assert len(out) <= address
        out += bytes(address - len(out)) + struct.pack(f"<{len(words)}I", *words)
    return bytes(out)
