/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How what a block is made of interacts: backing x page size x sharing x role x operation, every
 * combination and so every pair. A test for each kind of memory: what this host cannot have is skipped by name;
 * the page size is the one that was really obtained.
 */
#include "tests/unit/reset_fixture.h"
#include "tests/unit/tmpdir.h"

#include <firmem/dump.h>
#include <firmem/migration.h>

#include <sys/syscall.h>

#define KIB UINT64_C(1024)
#define HUGE_2_MIB (2048 * KIB)
#define HUGE_1_GIB (1024 * 1024 * KIB)

enum operation {
	POWER_ON,
	SYSTEM,
	OVERWRITE,
	S3,
	KEXEC,
	SNAPSHOT,
	CONFIDENTIAL,
	SANITIZE,
	DUMP,
	MIGRATE,
	OPERATIONS
};

static const char *const operations[OPERATIONS] = { "power-on",     "system",   "overwrite",
						    "s3",           "kexec",    "snapshot",
						    "confidential", "sanitize", "dump",
						    "migrate" };

/* All that are memory of one kind throughout: the presence page has a byte of its own, and its tests. */
static const enum fm_role roles[] = {
	FM_ROLE_RAM,        FM_ROLE_DIMM,       FM_ROLE_VIRTIO_MEM,  FM_ROLE_ROM,
	FM_ROLE_OPTION_ROM, FM_ROLE_FLASH_CODE, FM_ROLE_FLASH_VARS,  FM_ROLE_VRAM,
	FM_ROLE_NVDIMM,     FM_ROLE_LABEL,      FM_ROLE_VIRTIO_PMEM, FM_ROLE_TABLE,
	FM_ROLE_DEVICE,     FM_ROLE_SMRAM,      FM_ROLE_PRIVATE,     FM_ROLE_S3_PRESERVED,
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define ROLES COUNT(roles)

/* A kind of memory: the factors that the host decides on. */
struct kind {
	enum fm_backing backing;
	uint64_t page_size; /* 0: the host's */
	bool shared;
	bool far; /* bound to a second NUMA node of the host */
};

struct combination {
	struct kind kind;
	enum fm_role role;
	enum operation operation;
};

static const struct kind kinds[] = {
	{ FM_BACKING_ANON, 0, false, false },
	{ FM_BACKING_ANON, 0, true, false },
	{ FM_BACKING_FILE, 0, false, false },
	{ FM_BACKING_FILE, 0, true, false },
	{ FM_BACKING_MEMFD, 0, true, false },
	{ FM_BACKING_ADOPTED, 0, false, false },
	{ FM_BACKING_HUGETLB, HUGE_2_MIB, true, false },
	{ FM_BACKING_HUGETLB, HUGE_1_GIB, true, false },
	{ FM_BACKING_ANON, 0, false, true },
	{ FM_BACKING_MEMFD, 0, true, true },
};

#define KINDS COUNT(kinds)

/* What was tried; a kind that was skipped has nothing. */
static bool tried[KINDS][ROLES][OPERATIONS];

/* Pages enough for a first, a last and one between; of the largest, one. */
static uint64_t whole(const struct kind *k)
{
	uint64_t page = k->page_size ? k->page_size : PAGE;

	return page == HUGE_1_GIB ? page : 3 * page;
}

/* Bind to node 1 what has no pages yet: mbind(2) without its library. False, with a reason. */
static bool bind_far(const struct fm_block *b, struct fm_error *err)
{
	const unsigned long node_1 = 1ul << 1;
	const int bind = 2; /* MPOL_BIND, linux/mempolicy.h */

	if (!syscall(SYS_mbind, fm_block_ptr(b), (fm_block_len(b) + PAGE - 1) / PAGE * PAGE, bind,
		     &node_1, 8 * sizeof(node_1), 0u))
		return true;
	snprintf(err->msg, sizeof(err->msg), "no memory on a second NUMA node: %s",
		 strerror(errno));
	return false;
}

static struct fm_block *make(const struct combination *c, const char *path, void *memory,
			     struct fm_error *err)
{
	const struct kind *k = &c->kind;
	struct fm_block_config cfg =
		BLOCK_RAW(.name = "blk", .role = c->role, .backing = k->backing,
			  .len = whole(k) - 5, .flags = FM_BLOCK_CONSENT);
	struct fm_block *b = NULL;

	if (k->shared)
		cfg.flags |= FM_BLOCK_SHARED;
	if (k->backing == FM_BACKING_HUGETLB)
		cfg.page_size = k->page_size;
	if (k->backing == FM_BACKING_ADOPTED)
		cfg.ptr = memory;
	if (k->backing == FM_BACKING_FILE) {
		tmpdir_fill(path, whole(k), 0x77);
		cfg.path = path;
	}
	if (fm_block_new(&b, &cfg, err))
		return NULL;
	if (k->far && !bind_far(b, err)) {
		fm_block_free(b);
		return NULL;
	}
	return b;
}

static struct fm_reset_request request_of(enum operation operation)
{
	static const char *const names[] = { "blk" };
	static const struct fm_reset_saved saved = { .block = "blk",
						     .digest = "d",
						     .digest_len = 1 };
	struct fm_reset_request r = { .struct_size = sizeof(r), .kind = FM_RESET_POWER_ON };

	switch (operation) {
	case POWER_ON:
	case DUMP:
	case MIGRATE:
	case OPERATIONS:
		break;
	case SYSTEM:
		r.kind = FM_RESET_SYSTEM;
		break;
	case S3:
		r.kind = FM_RESET_S3;
		break;
	case KEXEC:
		r.kind = FM_RESET_KEXEC;
		break;
	case OVERWRITE:
		r.kind = FM_RESET_SYSTEM;
		r.memory_overwrite = true;
		break;
	case SNAPSHOT:
		r.kind = FM_RESET_SNAPSHOT;
		r.saved = &saved;
		r.nsaved = 1;
		break;
	case CONFIDENTIAL:
		r.kind = FM_RESET_CONFIDENTIAL;
		break;
	case SANITIZE:
		r.sanitize = names;
		r.nsanitize = 1;
		break;
	}
	return r;
}

static int load(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	memset((uint8_t *)fm_block_ptr(s->object) + s->start, 0x11, s->size);
	return 0;
}

static int nothing(void *ctx, const struct fm_reset_step *s, struct fm_error *err)
{
	return 0;
}

static bool is_flash(enum fm_role role)
{
	return role == FM_ROLE_FLASH_CODE || role == FM_ROLE_FLASH_VARS;
}

/* The byte that the block is full of when the plan was done. */
static uint8_t outcome(const struct combination *c, const struct fm_reset_step *s)
{
	switch (s->action) {
	case FM_RESET_LOAD:
	case FM_RESET_RELOAD:
		return 0x11;
	case FM_RESET_ZERO:
	case FM_RESET_DISCARD:
	case FM_RESET_UNPLUG:
	case FM_RESET_REBUILD:
		return is_flash(c->role) ? 0xff : 0;
	case FM_RESET_KEEP:
	case FM_RESET_FLUSH_KEEP:
	case FM_RESET_REFUSE:
	case FM_RESET_ACKNOWLEDGE:
	case FM_RESET_ACTION_COUNT:
		break;
	}
	return SECRET;
}

static void expect(const struct combination *c, const struct fm_reset_step *s, int rc)
{
	uint8_t byte = outcome(c, s);

	assert_int_equal(rc, s->action == FM_RESET_REFUSE ? FM_ERR_STATE : 0);
	if (!all_bytes(fm_block_ptr(s->object), s->size, byte))
		fail_msg("%s, %s, %s, %s: %s left something else than 0x%02x",
			 fm_backing_name(c->kind.backing), c->kind.shared ? "shared" : "private",
			 fm_role_name(c->role), operations[c->operation],
			 fm_reset_action_name(s->action), byte);
	/* What is the user's goes only when it is named, or when the snapshot has it. */
	if (fm_role_nonvolatile(c->role) && c->operation != SANITIZE && c->operation != SNAPSHOT)
		assert_int_equal(byte, SECRET);
	/* What no kind of reset may leave behind. */
	if (!fm_role_nonvolatile(c->role) && !is_flash(c->role) && c->operation == OVERWRITE && !rc)
		assert_int_not_equal(byte, SECRET);
	if (c->operation == SANITIZE && !rc)
		assert_int_not_equal(byte, SECRET);
}

static void reset(const struct combination *c, struct fm_machine *m)
{
	struct fm_reset_request r = request_of(c->operation);
	struct fm_reset_plan *plan = plan_of(m, &r);
	int rc = fm_reset_apply(m, plan,
				OPTIONS(.verify = true, .quiesce = allow, .load = load,
					.reload = load, .rebuild = nothing, .attest = nothing),
				NULL, NULL);

	expect(c, &plan->steps[0], rc);
	fm_reset_plan_free(plan);
}

/* A role that is asked for is in the dump, whatever it is made of; what is private never. */
static void dump(const struct combination *c, struct fm_machine *m, struct fm_block *b,
		 const char *path)
{
	struct fm_space_config sc = { .struct_size = sizeof(sc), .name = "memory" };
	struct fm_ram_config rc = { .struct_size = sizeof(rc), .block = b };
	struct fm_window_config wc = { .struct_size = sizeof(wc) };
	struct fm_dump_config dc = { .struct_size = sizeof(dc),
				     .machine = m,
				     .roles = FM_DUMP_ROLE(c->role),
				     .elf_machine = 62,
				     .path = path };
	struct fm_dump_result result;

	assert_int_equal(fm_space_new(&dc.space, &sc, NULL), 0);
	assert_int_equal(fm_machine_add_space(m, dc.space, NULL), 0);
	assert_int_equal(fm_ram_new(&wc.dev, &rc, NULL), 0);
	assert_int_equal(fm_machine_add_dev(m, wc.dev, NULL), 0);
	assert_int_equal(fm_space_add(dc.space, &wc, NULL, NULL), 0);
	assert_int_equal(fm_dump_write(&dc, &result, NULL), 0);
	if (c->role == FM_ROLE_PRIVATE) {
		assert_int_equal(result.bytes, 0);
		assert_int_equal(result.private_bytes, fm_block_len(b));
	} else {
		assert_int_equal(result.bytes, fm_block_len(b));
		assert_true(result.written >= fm_block_len(b));
	}
	assert_true(all_bytes(fm_block_ptr(b), fm_block_len(b), SECRET));
	assert_int_equal(remove(path), 0);
}

/* What a stream says of it is what the machine has, with pages of its own. */
static void migrate(struct fm_machine *m, const struct fm_block *b)
{
	struct fm_migration_block *blocks;
	size_t len, count;
	void *bytes;

	assert_int_equal(fm_migration_write(m, NULL, &bytes, &len, NULL), 0);
	assert_int_equal(fm_migration_read(bytes, len, NULL, &blocks, &count, NULL, NULL), 0);
	assert_int_equal(count, 1);
	assert_string_equal(blocks[0].name, "blk");
	assert_true(blocks[0].len >= fm_block_len(b) && blocks[0].len % 4096 == 0);
	assert_int_equal(fm_migration_match(m, NULL, blocks, count, NULL), 0);
	/* Five bytes are missing to whole pages: none of these may come late. */
	assert_int_equal(fm_migration_postcopy(b, NULL),
			 fm_block_role(b) == FM_ROLE_PRIVATE ? FM_ERR_STATE : FM_ERR_SIZE);
	free(blocks);
	free(bytes);
}

/* False with a reason where this host has no such memory. */
static bool try_it(const struct combination *c, void **state, uint64_t *page, struct fm_error *err)
{
	const char *path = tmpdir_path(state, "file");
	void *memory = malloc(3 * PAGE);
	struct fm_block *b = make(c, path, memory, err);
	struct fm_machine *m;

	if (!b) {
		free(memory);
		return false;
	}
	*page = fm_block_page_size(b);
	m = machine_make();
	assert_int_equal(fm_machine_add_block(m, b, NULL), 0);
	fill(b);
	if (c->operation == DUMP)
		dump(c, m, b, tmpdir_path(state, "core"));
	else if (c->operation == MIGRATE)
		migrate(m, b);
	else
		reset(c, m);
	fm_machine_free(m);
	/* The file under a private block is as it was. */
	if (c->kind.backing == FM_BACKING_FILE && !c->kind.shared)
		assert_int_equal(tmpdir_byte(path, 5), 0x77);
	free(memory);
	return true;
}

/*
 * Is that one of what is tried on a kind? All is, but with the largest pages, where a try takes a second: there
 * each role and each operation are met once, which is every pair of them with the page size.
 */
static bool is_tried(unsigned n, unsigned role, unsigned operation)
{
	return kinds[n].page_size != HUGE_1_GIB || operation == role % OPERATIONS;
}

/* All roles and operations on one kind of memory. */
static void try_kind(void **state, unsigned n)
{
	struct combination c = { .kind = kinds[n] };
	struct fm_error err = { .msg = "" };
	uint64_t got = 0;

	for (unsigned role = 0; role < ROLES; role++) {
		for (unsigned o = 0; o < OPERATIONS; o++) {
			if (!is_tried(n, role, o))
				continue;
			c.role = roles[role];
			c.operation = (enum operation)o;
			if (!try_it(&c, state, &got, &err)) {
				print_message("skipped: %s\n", err.msg);
				skip();
			}
			tried[n][role][o] = true;
		}
	}
	assert_int_equal(got, c.kind.page_size ? c.kind.page_size : PAGE);
	print_message("%s, %s: pages of %llu KiB\n", fm_backing_name(c.kind.backing),
		      c.kind.shared ? "shared" : "private", (unsigned long long)(got / KIB));
}

#define KIND(name, n)                  \
	static void name(void **state) \
	{                              \
		try_kind(state, n);    \
	}
KIND(pairs_on_anonymous_memory, 0)
KIND(pairs_on_shared_anonymous_memory, 1)
KIND(pairs_on_a_private_file, 2)
KIND(pairs_on_a_shared_file, 3)
KIND(pairs_on_a_memfd, 4)
KIND(pairs_on_adopted_memory, 5)
KIND(pairs_on_huge_pages_of_2_mib, 6)
KIND(pairs_on_huge_pages_of_1_gib, 7)
KIND(pairs_on_anonymous_memory_of_a_second_numa_node, 8)
KIND(pairs_on_a_memfd_of_a_second_numa_node, 9)

/* Each pair of backing and sharing that can be, and each role and operation on each of them. */
static void every_pair_that_can_be_was_tried(void **state)
{
	unsigned had = 0;

	for (unsigned n = 0; n < KINDS; n++) {
		unsigned count = 0, wanted = 0;

		for (unsigned role = 0; role < ROLES; role++) {
			for (unsigned o = 0; o < OPERATIONS; o++) {
				count += tried[n][role][o];
				wanted += is_tried(n, role, o);
			}
		}
		/* A kind that is there is there for all. */
		assert_true(count == 0 || count == wanted);
		had += count != 0;
	}
	/* anon and file both ways, memfd, adopted: any host has these. */
	for (unsigned n = 0; n < 6; n++)
		assert_true(tried[n][0][0]);
	print_message("%u of %zu kinds of memory, %zu roles, %d operations\n", had, KINDS, ROLES,
		      OPERATIONS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(pairs_on_anonymous_memory),
		tmpdir_test(pairs_on_shared_anonymous_memory),
		tmpdir_test(pairs_on_a_private_file),
		tmpdir_test(pairs_on_a_shared_file),
		tmpdir_test(pairs_on_a_memfd),
		tmpdir_test(pairs_on_adopted_memory),
		tmpdir_test(pairs_on_huge_pages_of_2_mib),
		tmpdir_test(pairs_on_huge_pages_of_1_gib),
		tmpdir_test(pairs_on_anonymous_memory_of_a_second_numa_node),
		tmpdir_test(pairs_on_a_memfd_of_a_second_numa_node),
		cmocka_unit_test(every_pair_that_can_be_was_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
