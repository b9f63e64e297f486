/* SPDX-License-Identifier: BSD-2-Clause */
/* The image of a bank: what is opened, locked and read, and what its verbs do to it. */
#include "tests/unit/bank.h"
#include "tests/unit/faultio.h"
#include "tests/unit/tmpdir.h"

#include <fcntl.h>
#include <poll.h>

#define LEN (64 * KIB)
#define BLOCK (16 * KIB)

static struct fm_flash_config image_config(const char *path)
{
	struct fm_flash_config cfg = bank_config();

	cfg.regions[0] = (struct fm_flash_region){ BLOCK, LEN / BLOCK };
	cfg.nregions = 1;
	cfg.image = path;
	return cfg;
}

/* A bank that must not come about. Returns the error's code. */
static int refused(struct fm_flash_config cfg, struct fm_error *err)
{
	struct fm_dev *dev = NULL;
	int rc;

	memset(err, 0, sizeof(*err));
	cfg.block = bank_block(LEN);
	rc = fm_flash_new(&dev, &cfg, err);
	assert_null(dev);
	assert_int_equal(err->code, rc);
	fm_block_free(cfg.block);
	return rc;
}

static void read_file(const char *path, uint8_t *buf, size_t len)
{
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	assert_int_equal(fread(buf, 1, len, f), len);
	assert_int_equal(fgetc(f), EOF);
	fclose(f);
}

/* Does the file hold what the array holds? */
static bool same(struct bank *b, const char *path)
{
	uint8_t *file = malloc(b->len);
	bool equal;

	read_file(path, file, b->len);
	equal = !memcmp(file, b->array, b->len);
	free(file);
	return equal;
}

/* --- opening ----------------------------------------------------------------------------- */

static void an_image_is_read_and_changes_reach_it(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct bank b;

	tmpdir_fill(path, LEN, 0xa5);
	bank_init(&b, LEN, image_config(path));
	assert_true(all_bytes(b.array, LEN, 0xa5));
	bank_erase(&b, BLOCK);
	bank_program(&b, BLOCK + 8, 0x12345678);
	bank_buffer(&b, 0, 2 * BLOCK - 64, 16, 0);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	assert_true(same(&b, path));
	bank_program(&b, BLOCK + 12, 0x9abcdef0);
	bank_exit(&b);
	/* Nothing but the image is left. */
	assert_int_equal(tmpdir_entries(state), 1);

	bank_init(&b, LEN, image_config(path));
	assert_int_equal(r4(&b, BLOCK + 8), 0x12345678);
	assert_int_equal(r4(&b, BLOCK + 12), 0x9abcdef0);
	assert_int_equal(r4(&b, BLOCK), 0xffffffff);
	bank_exit(&b);
}

static void each_byte_is_written_once_and_no_change_never(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct fm_write_behind_stats stats;
	struct bank b;

	tmpdir_fill(path, LEN, 0);
	bank_init(&b, LEN, image_config(path));
	bank_erase(&b, 0);
	bank_erase(&b, 0);
	bank_program(&b, 0, 0xffffffff);
	bank_program(&b, BLOCK, 0);
	bank_buffer(&b, 0, 0, 512, 0x11111111);
	bank_program(&b, 8, 0x01010101);
	bank_program(&b, 8, 0);
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	fm_write_behind_stats(fm_flash_image(b.dev), &stats);
	assert_int_equal(stats.told, 4);
	assert_int_equal(stats.image_bytes, BLOCK);
	assert_int_equal(bank_stats(&b).host_writes, 1);
	assert_int_equal(bank_stats(&b).host_bytes, stats.host_bytes);
	bank_exit(&b);
}

static void a_new_image_is_all_ff(void **state)
{
	const char *path = tmpdir_path(state, "new");
	struct fm_flash_config cfg = image_config(path);
	struct fm_error err;
	struct bank b;

	assert_int_equal(refused(cfg, &err), FM_ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(tmpdir_entries(state), 0);
	cfg.create = true;
	bank_init(&b, LEN, cfg);
	assert_int_equal(tmpdir_size(path), LEN);
	assert_true(all_bytes(b.array, LEN, 0xff));
	assert_true(same(&b, path));
	bank_program(&b, 0, 0);
	bank_exit(&b);
	/* And is not made again. */
	bank_init(&b, LEN, cfg);
	assert_int_equal(r4(&b, 0), 0);
	bank_exit(&b);
}

static void an_image_of_another_size_is_refused_and_left_alone(void **state)
{
	static const size_t sizes[] = { 0, 1, LEN - 1, LEN + 1, 2 * LEN };
	struct fm_error err;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const char *path = tmpdir_path(state, "vars");
		struct fm_flash_config cfg = image_config(path);
		char bytes[32];

		snprintf(bytes, sizeof(bytes), " %zu bytes", sizes[i]);
		tmpdir_fill(path, sizes[i], 0x33);
		cfg.create = true;
		assert_int_equal(refused(cfg, &err), FM_ERR_SIZE);
		assert_non_null(strstr(err.msg, path));
		assert_non_null(strstr(err.msg, bytes));
		assert_non_null(strstr(err.msg, "65536"));
		assert_int_equal(tmpdir_size(path), sizes[i]);
	}
}

static void an_image_that_cannot_be_written_needs_read_only(void **state)
{
	const char *path = tmpdir_path(state, "rom");
	struct fm_flash_config cfg = image_config(NULL);
	struct faultio io;
	struct fm_error err;
	struct bank b;

	tmpdir_fill(path, LEN, 0x77);
	cfg.use_image_fd = true;
	cfg.image_fd = open(path, O_RDONLY);
	cfg.journal = tmpdir_path(state, "journal");
	assert_int_equal(refused(cfg, &err), FM_ERR_ACCESS);
	cfg.journal = NULL;
	cfg.read_only = true;
	bank_init(&b, LEN, cfg);
	close(cfg.image_fd);
	assert_int_equal(r4(&b, 0), 0x77777777);
	bank_program(&b, 0, 0);
	bank_erase(&b, BLOCK);
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	assert_int_equal(bank_stats(&b).host_writes, 0);
	assert_true(same(&b, path));
	bank_exit(&b);
	/* As on a read-only file system. */
	cfg = image_config(path);
	faultio_init(&io);
	io.fail_at = 1;
	io.error = EROFS;
	cfg.io = &io.io;
	assert_int_equal(refused(cfg, &err), FM_ERR_ACCESS);
	assert_non_null(strstr(err.msg, path));
}

static void a_descriptor_is_as_good_as_a_path(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct fm_flash_config cfg = image_config(NULL);
	struct fm_error err;
	struct bank b;

	tmpdir_fill(path, LEN, 0xff);
	cfg.use_image_fd = true;
	cfg.image_fd = open(path, O_RDWR);
	/* But has no name that a journal could be beside. */
	assert_int_equal(refused(cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "journal_fd"));
	cfg.journal = tmpdir_path(state, "journal");
	bank_init(&b, LEN, cfg);
	close(cfg.image_fd);
	bank_program(&b, 0x100, 0);
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	assert_true(same(&b, path));
	bank_exit(&b);
}

static void a_second_opener_is_kept_out(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct fm_flash_config reader = image_config(path);
	struct fm_error err;
	struct bank a, b;

	tmpdir_fill(path, LEN, 0xff);
	reader.read_only = true;
	bank_init(&a, LEN, image_config(path));
	assert_int_equal(refused(image_config(path), &err), FM_ERR_LOCKED);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(refused(reader, &err), FM_ERR_LOCKED);
	bank_exit(&a);
	/* Any number of readers, or one writer. */
	bank_init(&a, LEN, reader);
	bank_init(&b, LEN, reader);
	assert_int_equal(refused(image_config(path), &err), FM_ERR_LOCKED);
	bank_exit(&a);
	bank_exit(&b);
	bank_init(&a, LEN, image_config(path));
	bank_exit(&a);
}

static void a_seam_with_holes_is_refused(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct fm_flash_config cfg = image_config(path);
	struct faultio io;
	struct fm_error err;

	tmpdir_fill(path, LEN, 0xff);
	faultio_init(&io);
	io.ops.pwrite = NULL;
	cfg.io = &io.io;
	assert_int_equal(refused(cfg, &err), FM_ERR_ARG);
}

/* --- a host that fails: see also test_write_behind ------------------------------------------------------------------- */

static void whatever_fails_in_making_an_image_leaves_no_file(void **state)
{
	struct faultio io;
	struct fm_error err;
	unsigned unknown = 0;
	unsigned n;

	for (n = 1; n < 100; n++) {
		const char *path = tmpdir_path(state, "new");
		struct fm_flash_config cfg = image_config(path);
		struct bank b;

		faultio_init(&io);
		io.fail_at = n;
		io.error = n % 2 ? EIO : ENOSPC;
		io.most = 10000;
		io.torn = true;
		cfg.io = &io.io;
		cfg.create = true;
		cfg.journal_len = 16 * KIB;
		cfg.block = bank_block(LEN);
		b.dev = NULL;
		if (!fm_flash_new(&b.dev, &cfg, &err)) {
			bool done = io.calls < n;

			io.fail_at = 0;
			fm_dev_free(b.dev);
			fm_block_free(cfg.block);
			unlink(path);
			/* Only who the image is may stay unknown. */
			assert_true(done || io.calls >= n);
			unknown += !done;
			if (done)
				break;
			continue;
		}
		assert_true(err.code == FM_ERR_IO || err.code == FM_ERR_NOSPACE);
		assert_non_null(strstr(err.msg, path));
		fm_block_free(cfg.block);
		assert_int_equal(tmpdir_entries(state), 0);
		assert_int_equal(io.open_files, 0);
	}
	assert_int_equal(unknown, 1);
	/* Of the image: open, create, lock, test of the lock, 7 writes, sync, sync of the folder. Of the
	   journal: name, open, identity, create, lock, truncate, fill, header, sync, rename, ... */
	assert_true(n > 13 + 12 && n < 100);
}

static void whatever_fails_in_opening_leaves_the_file_alone(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	uint8_t *file = malloc(LEN);
	struct faultio io;
	struct fm_error err;
	unsigned n;

	tmpdir_fill(path, LEN, 0x5a);
	for (n = 1; n < 100; n++) {
		struct fm_flash_config cfg = image_config(path);
		struct fm_dev *dev = NULL;
		int rc;

		faultio_init(&io);
		io.fail_at = n;
		io.dead = true;
		cfg.io = &io.io;
		cfg.create = true;
		cfg.block = bank_block(LEN);
		cfg.journal_len = 16 * KIB;
		rc = fm_flash_new(&dev, &cfg, &err);
		io.fail_at = 0;
		fm_dev_free(dev);
		fm_block_free(cfg.block);
		read_file(path, file, LEN);
		assert_true(all_bytes(file, LEN, 0x5a));
		assert_int_equal(io.open_files, 0);
		if (!rc)
			break;
		assert_int_equal(rc, FM_ERR_IO);
		/* A journal may stay that nothing was written to; it stands in nobody's way. */
	}
	assert_true(n > 5 + 10); /* open, lock, test of the lock, size, read; and the journal */
	free(file);
}

static void a_failure_in_the_background_is_pending_on_the_descriptor(void **state)
{
	struct fm_worker_config worker = { .struct_size = sizeof(worker), .pumped = true };
	struct fm_flash_config cfg = image_config(tmpdir_path(state, "vars"));
	struct pollfd fd = { .events = POLLIN };
	struct faultio io;
	struct bank b;

	tmpdir_fill(cfg.image, LEN, 0xff);
	assert_int_equal(fm_worker_new(&cfg.worker, &worker, NULL), 0);
	cfg.interval_ns = 1;
	faultio_init(&io);
	cfg.io = &io.io;
	bank_init(&b, LEN, cfg);
	fd.fd = fm_dev_event_fd(b.dev);
	bank_program(&b, 0x5000, 0x12345678);
	assert_int_equal(b.effects, FM_EFF_DIRTY);
	fm_dev_pump(b.dev);
	assert_int_equal(poll(&fd, 1, 0), 0);
	io.fail_at = io.calls + 1;
	io.error = ENOSPC;
	fm_dev_pump(b.dev);
	assert_int_equal(poll(&fd, 1, 0), 1);
	assert_int_equal(fm_dev_pending(b.dev), FM_EFF_IOERR);
	assert_int_equal(fm_dev_error(b.dev, NULL), FM_ERR_NOSPACE);
	/* The guest sees success, and its data. */
	assert_int_equal(r4(&b, 0), 0x00800080);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 0x5000), 0x12345678);
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	assert_int_equal(fm_dev_error(b.dev, NULL), 0);
	bank_exit(&b);
	fm_worker_free(cfg.worker);
}

static void where_asked_for_the_guest_sees_that_the_host_fails(void **state)
{
	struct fm_flash_config cfg = image_config(tmpdir_path(state, "vars"));
	struct faultio io;
	struct bank b;

	tmpdir_fill(cfg.image, LEN, 0xff);
	faultio_init(&io);
	cfg.io = &io.io;
	cfg.mode = FM_WRITE_THROUGH;
	cfg.fail_guest = true;
	bank_init(&b, LEN, cfg);
	bank_program(&b, 0, 0x11111111);
	assert_int_equal(bank_status(&b), 0x00800080);
	io.fail_at = io.calls + 1;
	io.dead = true;
	/* The operation that the journal could not take, and those after it. */
	bank_program(&b, 4, 0x22222222);
	assert_true(b.effects & FM_EFF_IOERR);
	assert_int_equal(bank_status(&b), 0x00900090);
	cmd(&b, 0, 0x50);
	bank_program(&b, 8, 0x33333333);
	assert_int_equal(bank_status(&b), 0x00900090);
	cmd(&b, 0, 0x50);
	bank_buffer(&b, 0, 0, 16, 0);
	assert_int_equal(bank_status(&b), 0x00900090);
	cmd(&b, 0, 0x50);
	bank_erase(&b, BLOCK);
	assert_int_equal(bank_status(&b), 0x00a000a0);
	cmd(&b, 0, 0x50);
	cmd(&b, 0, 0xff);
	assert_int_equal(r4(&b, 8), 0xffffffff);
	io.fail_at = 0;
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	bank_program(&b, 8, 0x33333333);
	assert_int_equal(bank_status(&b), 0x00800080);
	bank_exit(&b);
}

/* --- the other verbs --------------------------------------------------------------------- */

static void after_a_load_a_flush_writes_the_whole_image(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct bank b;
	void *saved;
	size_t len;

	tmpdir_fill(path, LEN, 0xff);
	bank_init(&b, LEN, image_config(path));
	assert_int_equal(fm_dev_save(b.dev, &saved, &len, NULL), 0);
	bank_program(&b, 0, 0);
	/* A snapshot comes back: the state, and by other ways the memory. */
	assert_int_equal(fm_dev_load(b.dev, saved, len, NULL), 0);
	memset(b.array, 0x99, LEN);
	assert_false(same(&b, path));
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	assert_true(same(&b, path));
	free(saved);
	bank_exit(&b);
}

static void sanitizing_reaches_the_image(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct bank b;

	tmpdir_fill(path, LEN, 0x42);
	bank_init(&b, LEN, image_config(path));
	assert_int_equal(fm_dev_sanitize(b.dev, NULL), 0);
	assert_true(all_bytes(b.array, LEN, 0xff));
	assert_true(same(&b, path));
	bank_exit(&b);
}

static void a_block_that_is_a_file_needs_no_image(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct fm_flash_config cfg = image_config(NULL);
	struct bank b = { .len = LEN };

	tmpdir_fill(path, LEN, 0xff);
	assert_int_equal(fm_block_new(&b.block,
				      &(struct fm_block_config){
					      .struct_size = sizeof(struct fm_block_config),
					      .name = "vars",
					      .role = FM_ROLE_FLASH_VARS,
					      .backing = FM_BACKING_FILE,
					      .flags = FM_BLOCK_SHARED,
					      .path = path,
					      .len = LEN },
				      NULL),
			 0);
	b.array = fm_block_ptr(b.block);
	cfg.block = b.block;
	assert_int_equal(fm_flash_new(&b.dev, &cfg, NULL), 0);
	bank_program(&b, 0x40, 0x1234);
	assert_int_equal(fm_dev_flush(b.dev, NULL), 0);
	assert_true(same(&b, path));
	bank_exit(&b);
}

static void a_read_only_block_makes_a_read_only_bank(void **state)
{
	const char *path = tmpdir_path(state, "rom");
	struct fm_flash_config cfg = image_config(NULL);
	struct fm_error err;
	struct bank b = { .len = LEN };

	tmpdir_fill(path, LEN, 0x11);
	assert_int_equal(fm_block_new(&b.block,
				      &(struct fm_block_config){
					      .struct_size = sizeof(struct fm_block_config),
					      .name = "rom",
					      .role = FM_ROLE_FLASH_CODE,
					      .backing = FM_BACKING_FILE,
					      .flags = FM_BLOCK_READONLY,
					      .path = path,
					      .len = LEN },
				      NULL),
			 0);
	cfg.block = b.block;
	assert_int_equal(fm_flash_new(&b.dev, &cfg, NULL), 0);
	bank_erase(&b, 0);
	bank_program(&b, 0, 0);
	assert_int_equal(r4(&b, 0), 0x00b200b2);
	fm_dev_free(b.dev);
	cfg.image = path;
	b.dev = NULL;
	assert_int_equal(fm_flash_new(&b.dev, &cfg, &err), FM_ERR_ARG);
	assert_non_null(strstr(err.msg, "read-only"));
	fm_block_free(b.block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(an_image_is_read_and_changes_reach_it),
		tmpdir_test(each_byte_is_written_once_and_no_change_never),
		tmpdir_test(a_new_image_is_all_ff),
		tmpdir_test(an_image_of_another_size_is_refused_and_left_alone),
		tmpdir_test(an_image_that_cannot_be_written_needs_read_only),
		tmpdir_test(a_descriptor_is_as_good_as_a_path),
		tmpdir_test(a_second_opener_is_kept_out),
		tmpdir_test(a_seam_with_holes_is_refused),
		tmpdir_test(whatever_fails_in_making_an_image_leaves_no_file),
		tmpdir_test(whatever_fails_in_opening_leaves_the_file_alone),
		tmpdir_test(a_failure_in_the_background_is_pending_on_the_descriptor),
		tmpdir_test(where_asked_for_the_guest_sees_that_the_host_fails),
		tmpdir_test(after_a_load_a_flush_writes_the_whole_image),
		tmpdir_test(sanitizing_reaches_the_image),
		tmpdir_test(a_block_that_is_a_file_needs_no_image),
		tmpdir_test(a_read_only_block_makes_a_read_only_bank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
