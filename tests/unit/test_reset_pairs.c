/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How what a block is made of interacts: backing x page size x sharing x role x operation, every
 * combination and so every pair. What this host cannot have is skipped by name; the page size is the
 * one that was really obtained.
 */
#include "tests/unit/reset_fixture.h"
#include "tests/unit/tmpdir.h"

enum operation {
	PLAN_POWER_ON,
	OVERWRITE,
	SNAPSHOT,
	CONFIDENTIAL,
	SANITIZE,
	OPERATIONS
};

static const char *const operations[OPERATIONS] = { "power-on", "overwrite", "snapshot",
						    "confidential", "sanitize" };

static const uint64_t page_sizes[] = { 4096, UINT64_C(2) << 20, UINT64_C(1) << 30 };

static const enum fm_role roles[] = { FM_ROLE_RAM,  FM_ROLE_NVDIMM, FM_ROLE_ROM,
				      FM_ROLE_VRAM, FM_ROLE_SMRAM,  FM_ROLE_PRIVATE };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

struct combination {
	enum fm_backing backing;
	uint64_t page_size;
	bool shared;
	enum fm_role role;
	enum operation operation;
};

/* Each pair of values that was tried: a bit for each value of the five factors. */
static unsigned char tried[5][8][5][8];

static void note_pairs(const struct combination *c, unsigned page, unsigned role)
{
	const unsigned values[5] = { c->backing, page, c->shared, role, c->operation };

	for (unsigned a = 0; a < 5; a++) {
		for (unsigned b = 0; b < 5; b++)
			tried[a][values[a]][b][values[b]] = 1;
	}
}

/* Why there can be no such block anywhere, or NULL. */
static const char *impossible(const struct combination *c)
{
	bool huge = c->page_size != 4096;

	if (huge != (c->backing == FM_BACKING_HUGETLB))
		return "page size and backing";
	if (!c->shared && (c->backing == FM_BACKING_MEMFD || c->backing == FM_BACKING_HUGETLB))
		return "a memfd that is not shared";
	if (c->shared && c->backing == FM_BACKING_ADOPTED)
		return "adopted memory is as its owner made it";
	return NULL;
}

static struct fm_block *make(const struct combination *c, const char *path, void *memory,
			     struct fm_error *err)
{
	struct fm_block_config cfg =
		BLOCK_RAW(.name = "blk", .role = c->role, .backing = c->backing,
			  .len = 3 * c->page_size - 5, .flags = FM_BLOCK_CONSENT);
	struct fm_block *b = NULL;

	if (c->shared)
		cfg.flags |= FM_BLOCK_SHARED;
	if (c->backing == FM_BACKING_HUGETLB)
		cfg.page_size = c->page_size;
	if (c->backing == FM_BACKING_ADOPTED)
		cfg.ptr = memory;
	if (c->backing == FM_BACKING_FILE) {
		tmpdir_fill(path, 3 * c->page_size, 0x77);
		cfg.path = path;
	}
	return fm_block_new(&b, &cfg, err) ? NULL : b;
}

static struct fm_reset_request request_of(enum operation operation)
{
	static const char *const names[] = { "blk" };
	static const struct fm_reset_saved saved = { .block = "blk",
						     .digest = "d",
						     .digest_len = 1 };
	struct fm_reset_request r = { .struct_size = sizeof(r), .kind = FM_RESET_POWER_ON };

	switch (operation) {
	case PLAN_POWER_ON:
	case OPERATIONS:
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

static void expect(const struct combination *c, const struct fm_reset_step *s, int rc)
{
	const uint8_t *p = fm_block_ptr(s->object);
	uint8_t byte = SECRET;

	if (s->action == FM_RESET_REFUSE) {
		assert_int_equal(rc, FM_ERR_STATE);
	} else {
		assert_int_equal(rc, 0);
		if (s->action == FM_RESET_LOAD || s->action == FM_RESET_RELOAD)
			byte = 0x11;
		else if (s->action != FM_RESET_KEEP && s->action != FM_RESET_FLUSH_KEEP)
			byte = 0;
	}
	if (!all_bytes(p, s->size, byte))
		fail_msg("%s, page %llu, %s, %s, %s: %s left something else than 0x%02x",
			 fm_backing_name(c->backing), (unsigned long long)c->page_size,
			 c->shared ? "shared" : "private", fm_role_name(c->role),
			 operations[c->operation], fm_reset_action_name(s->action), byte);
	/* What is the user's goes only when it is named. */
	if (c->role == FM_ROLE_NVDIMM && c->operation != SANITIZE)
		assert_int_equal(byte, SECRET);
	/* What no kind of reset may leave behind. */
	if (c->role != FM_ROLE_NVDIMM && c->operation == OVERWRITE && !rc)
		assert_int_not_equal(byte, SECRET);
}

/* False with a reason where this host has no such memory. */
static bool try_it(const struct combination *c, const char *path, uint64_t *page,
		   struct fm_error *err)
{
	struct fm_reset_request r = request_of(c->operation);
	void *memory = malloc(3 * 4096);
	struct fm_block *b = make(c, path, memory, err);
	struct fm_machine *m;
	struct fm_reset_plan *plan;
	int rc;

	if (!b) {
		free(memory);
		return false;
	}
	*page = fm_block_page_size(b);
	m = machine_make();
	assert_int_equal(fm_machine_add_block(m, b, NULL), 0);
	fill(b);
	plan = plan_of(m, &r);
	rc = fm_reset_apply(m, plan,
			    OPTIONS(.verify = true, .quiesce = allow, .load = load, .reload = load,
				    .rebuild = nothing, .attest = nothing),
			    NULL, NULL);
	expect(c, &plan->steps[0], rc);
	fm_reset_plan_free(plan);
	fm_machine_free(m);
	/* The file under a private block is as it was. */
	if (c->backing == FM_BACKING_FILE && !c->shared)
		assert_int_equal(tmpdir_byte(path, 5), 0x77);
	free(memory);
	return true;
}

/* All roles and operations on one kind of memory; true when this host has it. */
static bool try_memory(struct combination c, unsigned page, const char *path)
{
	uint64_t got = 0;
	struct fm_error err = { .msg = "" };

	for (unsigned role = 0; role < COUNT(roles); role++) {
		for (unsigned o = 0; o < OPERATIONS; o++) {
			c.role = roles[role];
			c.operation = (enum operation)o;
			if (!try_it(&c, path, &got, &err)) {
				print_message("skipped: %s of %llu KiB: %s\n",
					      fm_backing_name(c.backing),
					      (unsigned long long)c.page_size / 1024, err.msg);
				return false;
			}
			note_pairs(&c, page, role);
		}
	}
	print_message("%s, %s: pages of %llu KiB\n", fm_backing_name(c.backing),
		      c.shared ? "shared" : "private", (unsigned long long)got / 1024);
	return true;
}

static void every_pair_that_can_be_is_right(void **state)
{
	const char *path = tmpdir_path(state, "file");
	unsigned kinds = 0;

	for (unsigned n = 0; n < FM_BACKING_COUNT * COUNT(page_sizes) * 2; n++) {
		const unsigned page = n / 2 % COUNT(page_sizes);
		const struct combination c = {
			.backing = (enum fm_backing)(n / 2 / COUNT(page_sizes)),
			.page_size = page_sizes[page],
			.shared = n % 2,
		};

		if (!impossible(&c))
			kinds += try_memory(c, page, path);
	}
	/* anon and file both ways, memfd, adopted; huge pages where there are some. */
	assert_true(kinds >= 6);
	for (unsigned role = 0; role < COUNT(roles); role++) {
		for (unsigned o = 0; o < OPERATIONS; o++)
			assert_true(tried[3][role][4][o]);
	}
}

static void huge_pages_are_cleared_whole(void **state)
{
	const struct combination c = { .backing = FM_BACKING_HUGETLB,
				       .page_size = page_sizes[1],
				       .shared = true,
				       .role = FM_ROLE_RAM,
				       .operation = OVERWRITE };
	struct fm_error err = { .msg = "" };
	uint64_t got;

	if (!try_it(&c, "", &got, &err)) {
		print_message("skipped: %s\n", err.msg);
		skip();
	}
	assert_int_equal(got, page_sizes[1]);
}

static void a_block_of_another_node_is_cleared_as_one_of_this(void **state)
{
	if (access("/sys/devices/system/node/node1", F_OK)) {
		print_message("skipped: this host has one NUMA node\n");
		skip();
	}
	print_message("skipped: a second node is there, and the library binds no memory to one\n");
	skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(every_pair_that_can_be_is_right),
		cmocka_unit_test(huge_pages_are_cleared_whole),
		cmocka_unit_test(a_block_of_another_node_is_cleared_as_one_of_this),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
