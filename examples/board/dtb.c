/* SPDX-License-Identifier: BSD-2-Clause */
#include "examples/board/dtb.h"

#include "examples/board/platform.h"

#include <firmem/fdt.h>

enum {
	PHANDLE_GIC = 1,
	PHANDLE_CLOCK = 2,
};

/* Cells of an "interrupts" entry (Linux: bindings/interrupt-controller/arm,gic.yaml). */
enum {
	GIC_PPI = 1,
	PPI_LEVEL_LOW_CPU0 = 0x108,
	PPI_BASE = 16,
};

static void add_cpus(struct fm_fdt *fdt)
{
	fm_fdt_begin(fdt, "cpus");
	fm_fdt_prop_u32(fdt, "#address-cells", 1);
	fm_fdt_prop_u32(fdt, "#size-cells", 0);
	fm_fdt_begin(fdt, "cpu@0");
	fm_fdt_prop_text(fdt, "device_type", "cpu");
	fm_fdt_prop_text(fdt, "compatible", "arm,cortex-a57");
	fm_fdt_prop_u32(fdt, "reg", 0);
	fm_fdt_end(fdt);
	fm_fdt_end(fdt);
}

static void add_psci(struct fm_fdt *fdt)
{
	fm_fdt_begin(fdt, "psci");
	fm_fdt_prop_texts(fdt, "compatible",
			  (const char *const[]){ "arm,psci-1.0", "arm,psci-0.2", NULL });
	fm_fdt_prop_text(fdt, "method", "hvc");
	fm_fdt_end(fdt);
}

static void add_timer(struct fm_fdt *fdt)
{
	/* Secure and non-secure physical, virtual, hypervisor. */
	static const uint32_t ppis[] = { 29, IRQ_TIMER_PHYS, IRQ_TIMER_VIRT, 26 };
	uint32_t cells[12];

	for (unsigned i = 0; i < 4; i++) {
		cells[3 * i] = GIC_PPI;
		cells[3 * i + 1] = ppis[i] - PPI_BASE;
		cells[3 * i + 2] = PPI_LEVEL_LOW_CPU0;
	}
	fm_fdt_begin(fdt, "timer");
	fm_fdt_prop_text(fdt, "compatible", "arm,armv8-timer");
	fm_fdt_prop_u32s(fdt, "interrupts", cells, 12);
	fm_fdt_prop_empty(fdt, "always-on");
	fm_fdt_end(fdt);
}

static void add_gic(struct fm_fdt *fdt)
{
	static const uint64_t reg[] = { GICD_BASE, GICD_LEN, GICC_BASE, GICC_LEN };

	fm_fdt_begin(fdt, "intc@8000000");
	fm_fdt_prop_text(fdt, "compatible", "arm,cortex-a15-gic");
	fm_fdt_prop_reg(fdt, reg, 2);
	fm_fdt_prop_u32(fdt, "#interrupt-cells", 3);
	fm_fdt_prop_u32(fdt, "#address-cells", 0);
	fm_fdt_prop_empty(fdt, "interrupt-controller");
	fm_fdt_prop_u32(fdt, "phandle", PHANDLE_GIC);
	fm_fdt_end(fdt);
}

static void add_clock(struct fm_fdt *fdt)
{
	fm_fdt_begin(fdt, "apb-pclk");
	fm_fdt_prop_text(fdt, "compatible", "fixed-clock");
	fm_fdt_prop_u32(fdt, "#clock-cells", 0);
	fm_fdt_prop_u32(fdt, "clock-frequency", 24000000);
	fm_fdt_prop_text(fdt, "clock-output-names", "clk24mhz");
	fm_fdt_prop_u32(fdt, "phandle", PHANDLE_CLOCK);
	fm_fdt_end(fdt);
}

static void add_uart(struct fm_fdt *fdt)
{
	static const uint32_t clocks[] = { PHANDLE_CLOCK, PHANDLE_CLOCK };
	static const uint64_t reg[] = { UART_BASE, UART_LEN };

	fm_fdt_begin(fdt, "pl011@9000000");
	fm_fdt_prop_texts(fdt, "compatible",
			  (const char *const[]){ "arm,pl011", "arm,primecell", NULL });
	fm_fdt_prop_reg(fdt, reg, 1);
	fm_fdt_prop_u32s(fdt, "clocks", clocks, 2);
	fm_fdt_prop_texts(fdt, "clock-names", (const char *const[]){ "uartclk", "apb_pclk", NULL });
	fm_fdt_end(fdt);
}

static void add_rtc(struct fm_fdt *fdt)
{
	static const uint64_t reg[] = { RTC_BASE, RTC_LEN };

	fm_fdt_begin(fdt, "pl031@9010000");
	fm_fdt_prop_texts(fdt, "compatible",
			  (const char *const[]){ "arm,pl031", "arm,primecell", NULL });
	fm_fdt_prop_reg(fdt, reg, 1);
	fm_fdt_prop_u32(fdt, "clocks", PHANDLE_CLOCK);
	fm_fdt_prop_text(fdt, "clock-names", "apb_pclk");
	fm_fdt_end(fdt);
}

int dtb_build(uint64_t ram_len, void **blob, size_t *len, struct fm_error *err)
{
	static const uint64_t banks[] = { CODE_BASE, BANK_LEN, VARS_BASE, BANK_LEN };
	struct fm_fdt *fdt;
	int rc = fm_fdt_new(&fdt, err);

	if (rc)
		return rc;
	fm_fdt_prop_text(fdt, "compatible", "linux,dummy-virt");
	fm_fdt_prop_text(fdt, "model", "firmem example board");
	fm_fdt_prop_u32(fdt, "interrupt-parent", PHANDLE_GIC);
	fm_fdt_begin(fdt, "chosen");
	fm_fdt_prop_text(fdt, "stdout-path", "/pl011@9000000");
	fm_fdt_end(fdt);
	fm_fdt_add_memory(fdt, RAM_BASE, ram_len, -1);
	add_cpus(fdt);
	add_psci(fdt);
	add_timer(fdt);
	add_gic(fdt);
	add_clock(fdt);
	add_uart(fdt);
	add_rtc(fdt);
	fm_fdt_add_flash(fdt, banks, 2, FLASH_BANK_WIDTH);
	rc = fm_fdt_finish(fdt, blob, len, err);
	fm_fdt_free(fdt);
	return rc;
}
