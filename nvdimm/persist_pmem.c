/* SPDX-License-Identifier: BSD-2-Clause */
#include "nvdimm/persist_private.h"

#include <libpmem.h>

bool fmi_pmem_is(const void *addr, size_t len)
{
	return pmem_is_pmem(addr, len) == 1;
}

void fmi_pmem_flush(const uint8_t *base, const struct fm_persist_span *spans, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (spans[i].len)
			pmem_flush(base + spans[i].off, spans[i].len);
	}
	pmem_drain();
}
