/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory slots of KVM_SET_USER_MEMORY_REGION, kept equal to a map by whole diffs: in a fake that
 * enforces the kernel's rules, and in the kernel itself where there is one to ask. Rules: Linux,
 * Documentation/virt/kvm/api.rst, section 4.35.
 */
#include "tests/unit/mapmodel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAGE 0x1000u
#define BASE UINT64_C(0x40000000)
#define SLOTS MODEL_PAGES /* there can be no more mappings than pages */

typedef struct kvm_userspace_memory_region region;

/* --- the fake ---------------------------------------------------------------------------- */

struct fake {
	region slots[SLOTS]; /* memory_size 0: none */
};

static bool well_formed(const region *r)
{
	return r->slot < SLOTS && !(r->flags & ~KVM_MEM_READONLY) &&
	       r->guest_phys_addr % PAGE == 0 && r->memory_size % PAGE == 0 &&
	       r->userspace_addr % PAGE == 0 &&
	       r->guest_phys_addr + r->memory_size >= r->guest_phys_addr;
}

static bool overlap(const region *a, const region *b)
{
	return a->guest_phys_addr < b->guest_phys_addr + b->memory_size &&
	       b->guest_phys_addr < a->guest_phys_addr + a->memory_size;
}

static int fake_set(void *ctx, const region *r)
{
	struct fake *f = ctx;
	region *old;

	if (!well_formed(r))
		return -EINVAL;
	old = &f->slots[r->slot];
	if (!r->memory_size) {
		if (!old->memory_size)
			return -EINVAL;
		old->memory_size = 0;
		return 0;
	}
	/* The kernel can also move a slot; nobody needs to. */
	if (old->memory_size)
		return old->memory_size == r->memory_size &&
				       old->userspace_addr == r->userspace_addr &&
				       old->guest_phys_addr == r->guest_phys_addr &&
				       old->flags == r->flags
			       ? 0
			       : -EINVAL;
	for (unsigned i = 0; i < SLOTS; i++) {
		if (f->slots[i].memory_size && overlap(&f->slots[i], r))
			return -EEXIST;
	}
	*old = *r;
	return 0;
}

static unsigned fake_count(const struct fake *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		n += f->slots[i].memory_size != 0;
	return n;
}

/* What the slots say of a page. */
static struct page fake_page(const struct fake *f, uint64_t gpa)
{
	struct page p = { 0 };

	for (unsigned i = 0; i < SLOTS; i++) {
		const region *r = &f->slots[i];

		if (gpa < r->guest_phys_addr || gpa - r->guest_phys_addr >= r->memory_size)
			continue;
		assert_null(p.host);
		p.host = (uint8_t *)(uintptr_t)(r->userspace_addr + (gpa - r->guest_phys_addr));
		p.prot = r->flags & KVM_MEM_READONLY ? FM_MAP_READ : FM_MAP_READ | FM_MAP_WRITE;
	}
	return p;
}

/* --- the host's side: what an embedder writes ----------------------------------------------- */

struct host {
	int (*set)(void *ctx, const region *r);
	void *ctx;
	/* What the host remembers of its slots: where they are. */
	uint64_t gpa[SLOTS];
	bool used[SLOTS];
};

static unsigned slot_at(const struct host *h, uint64_t gpa)
{
	unsigned i = 0;

	while (!h->used[i] || h->gpa[i] != gpa)
		assert_true(++i < SLOTS);
	return i;
}

static unsigned free_slot(const struct host *h)
{
	unsigned i = 0;

	while (h->used[i])
		assert_true(++i < SLOTS);
	return i;
}

static void apply(struct host *h, const struct fm_step *s)
{
	region r = { 0 };

	switch (s->kind) {
	case FM_STEP_UNMAP:
		r.slot = slot_at(h, s->gpa);
		r.guest_phys_addr = s->gpa;
		r.userspace_addr = (uintptr_t)s->host;
		break;
	case FM_STEP_MAP:
		r.slot = free_slot(h);
		r.flags = s->prot & FM_MAP_WRITE ? 0 : KVM_MEM_READONLY;
		r.guest_phys_addr = s->gpa;
		r.memory_size = s->len;
		r.userspace_addr = (uintptr_t)s->host;
		break;
	case FM_STEP_PROTECT:
		fail_msg("a whole diff has no protect step");
		break;
	}
	assert_int_equal(h->set(h->ctx, &r), 0);
	h->used[r.slot] = r.memory_size != 0;
	h->gpa[r.slot] = s->gpa;
}

/* Apply a diff; how many steps it had. */
static size_t follow(struct host *h, const struct fm_view *from, const struct fm_view *to)
{
	struct fm_step *steps;
	size_t count;

	assert_int_equal(fm_view_diff(from, to, PAGE, FM_DIFF_WHOLE, &steps, &count, NULL), 0);
	for (size_t i = 0; i < count; i++)
		apply(h, &steps[i]);
	free(steps);
	return count;
}

/* Protections as KVM can tell them apart. */
static unsigned slot_prot(unsigned prot)
{
	return prot & (FM_MAP_READ | FM_MAP_WRITE);
}

static void expect_equal(const struct fake *f, const struct fm_view *view)
{
	for (unsigned n = 0; n < MODEL_PAGES; n++) {
		struct page is = fake_page(f, BASE + n * (uint64_t)PAGE);
		struct page should = page_of(view, BASE + n * (uint64_t)PAGE, PAGE, 0);

		assert_ptr_equal(is.host, should.host);
		assert_int_equal(is.prot, slot_prot(should.prot));
	}
}

/* A random history; the number of slot calls it took. */
static size_t history(uint64_t seed, struct host *h, const struct fake *f, unsigned changes,
		      unsigned windows)
{
	struct model *m = malloc(sizeof(*m));
	const struct fm_view *from = NULL;
	size_t calls = 0;

	assert_non_null(m);
	model_init(m, seed, BASE, PAGE / 4, 4, PAGE / 4);
	m->slots = windows;
	m->longest = 48;
	for (unsigned i = 0; i < changes; i++) {
		const struct fm_view *to;

		model_step(m);
		to = fm_space_view_get(m->space);
		calls += follow(h, from, to);
		expect_equal(f, to);
		fm_view_put(from);
		from = to;
	}
	calls += follow(h, from, NULL);
	assert_int_equal(fake_count(f), 0);
	fm_view_put(from);
	model_exit(m);
	free(m);
	return calls;
}

static void a_fake_kvm_accepts_every_whole_diff(void **state)
{
	static struct fake f;
	size_t calls = 0;

	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct host h = { .set = fake_set, .ctx = &f };

		calls += history(seed, &h, &f, 1200, 16 * (unsigned)seed);
	}
	print_message("%zu slot calls\n", calls);
	assert_true(calls > 2000);
}

/* --- the kernel -------------------------------------------------------------------------- */

struct kernel {
	int kvm;
	int vm;
	struct fake twin; /* does as the kernel does */
};

static void open_kernel(struct kernel *k)
{
	int slots;

	memset(k, 0, sizeof(*k));
	k->vm = -1;
	if (sysconf(_SC_PAGESIZE) != PAGE) {
		print_message("skipped: this kernel's pages are not of %u bytes\n", PAGE);
		skip();
	}
	k->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (k->kvm < 0) {
		print_message("skipped: /dev/kvm: %s\n", strerror(errno));
		skip();
	}
	k->vm = ioctl(k->kvm, KVM_CREATE_VM, 0);
	if (k->vm < 0) {
		print_message("skipped: KVM_CREATE_VM: %s\n", strerror(errno));
		close(k->kvm);
		skip();
	}
	slots = ioctl(k->kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
	if (slots < (int)SLOTS || ioctl(k->kvm, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM) <= 0) {
		print_message(
			"skipped: this kernel has %d memory slots, or none that are read-only\n",
			slots);
		close(k->vm);
		close(k->kvm);
		skip();
	}
}

static void close_kernel(struct kernel *k)
{
	close(k->vm);
	close(k->kvm);
}

/* Both the kernel and the fake, which must be of one mind. */
static int kernel_set(void *ctx, const region *r)
{
	struct kernel *k = ctx;
	region copy = *r;
	int rc = ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &copy) < 0 ? -errno : 0;

	assert_int_equal(fake_set(&k->twin, r), rc);
	return rc;
}

static void the_kernel_accepts_every_whole_diff(void **state)
{
	static struct kernel k;
	struct host h = { .set = kernel_set, .ctx = &k };
	size_t calls;

	open_kernel(&k);
	calls = history(7, &h, &k.twin, 600, 24);
	print_message("%zu slot calls\n", calls);
	assert_true(calls > 100);
	close_kernel(&k);
}

/* The fake is worth nothing if it is milder than the kernel. */
static void the_fake_judges_as_the_kernel_does(void **state)
{
	static struct kernel k;
	static uint8_t bytes[8 * PAGE] __attribute__((aligned(PAGE)));
	const region first = { .slot = 1,
			       .guest_phys_addr = BASE,
			       .memory_size = 2 * PAGE,
			       .userspace_addr = (uintptr_t)bytes };
	region r = first;

	open_kernel(&k);
	r.memory_size = 0;
	assert_int_equal(kernel_set(&k, &r), -EINVAL); /* there is nothing to delete */
	assert_int_equal(kernel_set(&k, &first), 0);
	assert_int_equal(kernel_set(&k, &first), 0); /* no change is no error */
	r = first;
	r.memory_size = 3 * PAGE;
	assert_int_equal(kernel_set(&k, &r), -EINVAL);
	r = first;
	r.userspace_addr += PAGE;
	assert_int_equal(kernel_set(&k, &r), -EINVAL);
	r = first;
	r.flags = KVM_MEM_READONLY;
	assert_int_equal(kernel_set(&k, &r), -EINVAL);
	r = first;
	r.slot = 2;
	assert_int_equal(kernel_set(&k, &r), -EEXIST);
	r.guest_phys_addr += PAGE;
	assert_int_equal(kernel_set(&k, &r), -EEXIST);
	r.guest_phys_addr += PAGE; /* adjacent, and the same memory again: an alias */
	assert_int_equal(kernel_set(&k, &r), 0);
	r = first;
	r.slot = 3;
	r.guest_phys_addr = BASE + 0x10800;
	assert_int_equal(kernel_set(&k, &r), -EINVAL);
	r.guest_phys_addr = BASE + 0x10000;
	r.memory_size = 0x800;
	assert_int_equal(kernel_set(&k, &r), -EINVAL);
	r.memory_size = PAGE;
	r.userspace_addr += 0x800;
	assert_int_equal(kernel_set(&k, &r), -EINVAL);
	r = first;
	r.memory_size = 0;
	assert_int_equal(kernel_set(&k, &r), 0);
	assert_int_equal(kernel_set(&k, &r), -EINVAL);
	close_kernel(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fake_kvm_accepts_every_whole_diff),
		cmocka_unit_test(the_kernel_accepts_every_whole_diff),
		cmocka_unit_test(the_fake_judges_as_the_kernel_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
