/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * platform: where things are. The layout is that of QEMU's "virt" machine, as far as firmware built
 * for it looks, so that its images run here unchanged.
 */
#ifndef BOARD_PLATFORM_H
#define BOARD_PLATFORM_H

#define BANK_LEN 0x04000000ull /* of each flash bank: 64 MiB */
#define CODE_BASE 0x00000000ull
#define VARS_BASE 0x04000000ull
#define GICD_BASE 0x08000000ull
#define GICD_LEN 0x00010000ull
#define GICC_BASE 0x08010000ull
#define GICC_LEN 0x00010000ull
#define UART_BASE 0x09000000ull
#define UART_LEN 0x00001000ull
#define RTC_BASE 0x09010000ull
#define RTC_LEN 0x00001000ull
#define RAM_BASE 0x40000000ull

#define FLASH_BANK_WIDTH 4u
#define FLASH_CHIP_WIDTH 2u
#define FLASH_SECTOR_LEN 0x40000ull /* 256 KiB: 2 chips x 128 KiB */

/* Private peripheral interrupts of the generic timer, as GIC interrupt numbers. */
#define IRQ_TIMER_VIRT 27u
#define IRQ_TIMER_PHYS 30u

#endif
