/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpmem, loaded when there is memory to ask it about: it brings eight libraries with it, which most programs that
 * link this one, on files that a disk has, never need.
 */
#include "nvdimm/persist_private.h"

#include <dlfcn.h>
#include <libpmem.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define SONAME "libpmem.so." TEXT(PMEM_MAJOR_VERSION)

/* The members' types are those of its header. */
#define IS(member, function) \
	_Generic(((struct fmi_pmem *)0)->member, __typeof__(&function) : true, default : false)
_Static_assert(IS(is_pmem, pmem_is_pmem) && IS(flush, pmem_flush) && IS(drain, pmem_drain), SONAME);

/* A function's address by way of an object's, as POSIX has it for dlsym(). */
static bool find(void *library, const char *name, void *function)
{
	return (*(void **)function = dlsym(library, name));
}

int fmi_pmem_load(struct fmi_pmem *pmem, struct fm_error *err)
{
	/* Once loaded it stays, so that its functions do. */
	void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	bool found = library && find(library, "pmem_is_pmem", &pmem->is_pmem) &&
		     find(library, "pmem_flush", &pmem->flush) &&
		     find(library, "pmem_drain", &pmem->drain);

	if (!found)
		fm_error_set(err, FM_ERR_UNSUPPORTED, 0, "persistent memory needs libpmem: %s",
			     dlerror());
	if (library)
		dlclose(library);
	return found ? 0 : FM_ERR_UNSUPPORTED;
}

bool fmi_pmem_is(const void *addr, size_t len)
{
	struct fmi_pmem pmem;

	return !fmi_pmem_load(&pmem, NULL) && pmem.is_pmem(addr, len) == 1;
}

void fmi_pmem_flush(const struct fmi_pmem *pmem, const uint8_t *base,
		    const struct fm_persist_span *spans, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (spans[i].len)
			pmem->flush(base + spans[i].off, spans[i].len);
	}
	pmem->drain();
}
