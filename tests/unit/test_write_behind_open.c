/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening an image that has a journal: recovery, readers, journals that do not belong, locks. */
#include "tests/unit/behind.h"
#include "tests/unit/faultio.h"

#include "flash/journal.h"

/* What somebody who never writes sees of an image. */
static void read_as_reader(const char *path, uint8_t *out)
{
	struct behind r;

	behind_config(&r, path);
	r.cfg.read_only = true;
	behind_open(&r);
	memcpy(out, r.array, LEN);
	behind_exit(&r);
}

static struct fm_recovery recovery(struct behind *b)
{
	struct fm_recovery r;

	fm_write_behind_recovery(b->wb, &r);
	return r;
}

/* An image "killed" whose journal has changes: *array has what the killed process had. */
static void leave_pending(void **state, uint8_t *array)
{
	struct behind b;

	behind_init(&b, tmpdir_path(state, "vars"), 0x40);
	behind_store(&b, 1000, 0x41, 3000);
	behind_erase(&b, 0x4000, 0x1000);
	behind_store(&b, 0x4100, 0x42, 7);
	kill_copy(state, "vars", "killed");
	memcpy(array, b.array, LEN);
	behind_exit(&b);
}

static uint64_t hash_of(const char *path)
{
	void *bytes;
	size_t len;
	uint64_t hash;

	assert_int_equal(fm_io_load(NULL, path, 1 << 24, &bytes, &len, NULL), 0);
	hash = len ? fmi_digest_image(bytes, len, NULL) : 0;
	free(bytes);
	return hash ^ len;
}

static void poke(const char *path, uint64_t off, uint8_t byte)
{
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, &byte, 1, (off_t)off), 1);
	close(fd);
}

/* --- recovery ------------------------------------------------------------------------------ */

static void a_killed_process_loses_nothing(void **state)
{
	const char *path = tmpdir_path(state, "killed");
	uint8_t array[LEN];
	struct behind b;

	leave_pending(state, array);
	assert_false(file_is(path, array));
	behind_config(&b, path);
	behind_open(&b);
	assert_memory_equal(b.array, array, LEN);
	assert_true(file_is(path, array));
	assert_true(recovery(&b).found);
	assert_false(recovery(&b).clean);
	assert_int_equal(recovery(&b).records, 3);
	assert_int_equal(recovery(&b).bytes, 3000 + 0x1000 + 7);
	assert_string_equal(recovery(&b).stopped, "nothing was written behind it");
	behind_exit(&b);
	assert_int_equal(tmpdir_size(tmpdir_path(state, "killed.journal")), -1);
}

static void killed_at_any_operation_all_of_it_is_there(void **state)
{
	const char *path = tmpdir_path(state, "killed");
	uint8_t array[LEN];
	struct behind b;

	behind_init(&b, tmpdir_path(state, "vars"), 0x50);
	for (unsigned i = 0; i < 200; i++) {
		behind_store(&b, (i * 777) % (LEN - 300), (uint8_t)i, 1 + i);
		if (i % 7 == 0)
			behind_erase(&b, 4096 * (i % 16), 4096);
		if (i % 5 == 0)
			behind_ticks(&b, i % 14);
		kill_copy(state, "vars", "killed");
		read_as_reader(path, array);
		assert_memory_equal(array, b.array, LEN);
	}
	behind_exit(&b);
}

static void a_reader_overlays_and_changes_nothing(void **state)
{
	const char *path = tmpdir_path(state, "killed");
	const char *journal = tmpdir_path(state, "killed.journal");
	uint8_t array[LEN], seen[LEN];
	uint64_t before[2];

	leave_pending(state, array);
	before[0] = hash_of(path);
	before[1] = hash_of(journal);
	read_as_reader(path, seen);
	assert_memory_equal(seen, array, LEN);
	assert_int_equal(hash_of(path), before[0]);
	assert_int_equal(hash_of(journal), before[1]);
}

static void recovery_alone_makes_the_image_whole(void **state)
{
	const char *path = tmpdir_path(state, "killed");
	struct fm_recovery r = { .records = 99 };
	uint8_t array[LEN];

	leave_pending(state, array);
	assert_int_equal(fm_write_behind_recover(NULL, path, NULL, true, &r, NULL), 0);
	assert_int_equal(r.records, 3);
	assert_false(file_is(path, array));
	assert_int_equal(fm_write_behind_recover(NULL, path, NULL, false, &r, NULL), 0);
	assert_int_equal(r.records, 3);
	assert_true(file_is(path, array));
	assert_int_equal(fm_write_behind_recover(NULL, path, NULL, false, &r, NULL), 0);
	assert_false(r.found);
	assert_null(r.stopped);
}

static void without_the_journal_the_image_is_as_last_applied(void **state)
{
	const char *path = tmpdir_path(state, "killed");
	uint8_t array[LEN], applied[LEN];

	leave_pending(state, array);
	memset(applied, 0x40, LEN);
	unlink(tmpdir_path(state, "killed.journal"));
	read_as_reader(path, array);
	assert_memory_equal(array, applied, LEN);
}

/* The same guest does the same again: what the last run left behind must not count behind it. */
static void an_old_record_does_not_count_behind_a_new_one_that_is_the_same(void **state)
{
	const char *path = tmpdir_path(state, "killed");
	const char *journal = tmpdir_path(state, "killed.journal");
	uint8_t array[LEN], want[LEN];
	struct behind b;

	behind_init(&b, tmpdir_path(state, "vars"), 0);
	for (unsigned i = 0; i < 5; i++)
		behind_store(&b, 1000 * i, 0x61, 10);
	kill_copy(state, "vars", "killed");
	behind_exit(&b);
	/* The second record did not reach the disk, the others did. */
	poke(journal, FMI_JOURNAL_RING_OFF + 48 + 36, 0);
	memset(want, 0, LEN);
	memset(want, 0x61, 10);
	behind_config(&b, path);
	behind_open(&b);
	assert_memory_equal(b.array, want, LEN);
	assert_string_equal(recovery(&b).stopped, "the record behind it is not whole");
	behind_store(&b, 0, 0x62, 10);
	behind_store(&b, 1000, 0x61, 10);
	kill_copy(state, "killed", "again");
	memcpy(want, b.array, LEN);
	behind_exit(&b);
	read_as_reader(tmpdir_path(state, "again"), array);
	assert_memory_equal(array, want, LEN);
}

static void a_journal_elsewhere_and_by_descriptor(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	const char *journal = tmpdir_path(state, "other");
	uint8_t array[LEN];
	struct behind b;

	tmpdir_fill(path, LEN, 0);
	behind_config(&b, path);
	b.cfg.journal = journal;
	behind_open(&b);
	assert_int_equal(tmpdir_size(journal), FMI_JOURNAL_RING_OFF + 16 * KIB);
	fm_write_behind_close(b.wb);
	assert_int_equal(tmpdir_size(journal), -1);
	/* The host's own file: it stays, and is empty again. */
	tmpdir_fill(journal, 0, 0);
	b.cfg.journal = NULL;
	b.cfg.use_journal_fd = true;
	b.cfg.journal_fd = open(journal, O_RDWR);
	behind_open(&b);
	behind_store(&b, 5, 0x71, 5);
	copy_file(path, tmpdir_path(state, "killed"));
	copy_file(journal, tmpdir_path(state, "killed.journal"));
	read_as_reader(tmpdir_path(state, "killed"), array);
	assert_memory_equal(array, b.array, LEN);
	fm_write_behind_close(b.wb);
	assert_int_equal(tmpdir_size(journal), 0);
	close(b.cfg.journal_fd);
	fm_worker_free(b.worker);
	assert_true(file_is(path, b.array));
}

/* Another process, between our look for a journal and the making of one. */
struct rival {
	struct fm_io_ops ops;
	const char *ours; /* the temporary name */
	const char *
		its; /* what it makes: the journal, or, when that is gone again, another such name */
};

static int rival_lock(void *ctx, struct fm_file *file, int type, uint64_t off, uint64_t len)
{
	struct rival *r = ctx;

	if (!access(r->ours, F_OK)) {
		unlink(r->its);
		tmpdir_fill(r->its, 5000, 0x99);
	}
	return fm_io_posix()->ops->lock(NULL, file, type, off, len);
}

static void two_images_never_share_a_new_journal(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct rival rival = { *fm_io_posix()->ops, tmpdir_path(state, "other.tmp"), NULL };
	const struct fm_io io = { .ops = &rival.ops, .ctx = &rival };
	struct behind b;
	struct fm_error err;

	rival.ops.lock = rival_lock;
	tmpdir_fill(path, LEN, 0);
	behind_config(&b, path);
	b.cfg.io = &io;
	b.cfg.journal = tmpdir_path(state, "other");
	for (int i = 0; i < 2; i++) {
		rival.its = i ? rival.ours : b.cfg.journal;
		assert_int_equal(behind_refused(&b, &err), FM_ERR_LOCKED);
		assert_non_null(strstr(err.msg, "another process"));
		assert_int_equal(tmpdir_size(rival.its), 5000);
		unlink(rival.its);
	}
	fm_worker_free(b.worker);
}

static void by_a_symbolic_link_the_journal_is_the_same(void **state)
{
	uint8_t array[LEN], seen[LEN];

	leave_pending(state, array);
	assert_int_equal(symlink("killed", tmpdir_path(state, "link")), 0);
	read_as_reader(tmpdir_path(state, "link"), seen);
	assert_memory_equal(seen, array, LEN);
}

/* --- what does not belong ------------------------------------------------------------------- */

/* The image and journal must not open, by a writer or a reader, and be as before. */
static void refused_both_ways(void **state, int code, const char *words)
{
	const char *path = tmpdir_path(state, "killed");
	const char *journal = tmpdir_path(state, "killed.journal");
	uint64_t before[2];
	struct fm_error err;
	struct behind b;

	before[0] = hash_of(path);
	before[1] = hash_of(journal);
	for (int reader = 0; reader < 2; reader++) {
		behind_config(&b, path);
		b.cfg.read_only = reader;
		assert_int_equal(behind_refused(&b, &err), code);
		if (!strstr(err.msg, words) || !strstr(err.msg, "killed.journal"))
			fail_msg("\"%s\" lacks \"%s\"", err.msg, words);
		fm_worker_free(b.worker);
	}
	assert_int_equal(hash_of(path), before[0]);
	assert_int_equal(hash_of(journal), before[1]);
}

static void an_image_that_somebody_changed_since_is_refused(void **state)
{
	const char *path = tmpdir_path(state, "killed");
	uint8_t array[LEN];

	leave_pending(state, array);
	poke(path, 60000, 0);
	refused_both_ways(state, FM_ERR_CHECKSUM, "digest");
}

static void another_image_is_refused_and_both_are_named(void **state)
{
	uint8_t array[LEN];

	leave_pending(state, array);
	tmpdir_fill(tmpdir_path(state, "other"), LEN, 0x99);
	rename(tmpdir_path(state, "other"), tmpdir_path(state, "killed"));
	refused_both_ways(state, FM_ERR_CHECKSUM, "another file");
}

static void an_image_of_another_length_is_refused(void **state)
{
	const char *path = tmpdir_path(state, "killed");
	struct fm_error err;
	uint8_t array[LEN];
	struct behind b;

	leave_pending(state, array);
	assert_int_equal(truncate(path, LEN / 2), 0);
	behind_config(&b, path);
	assert_int_equal(behind_refused(&b, &err), FM_ERR_SIZE);
	b.cfg.len = LEN / 2;
	assert_int_equal(behind_refused(&b, &err), FM_ERR_SIZE);
	assert_non_null(strstr(err.msg, "killed.journal"));
	assert_non_null(strstr(err.msg, "65536"));
	assert_int_equal(tmpdir_size(path), LEN / 2);
	fm_worker_free(b.worker);
}

static void a_journal_without_changes_is_in_nobodys_way(void **state)
{
	const char *path = tmpdir_path(state, "killed");
	uint8_t array[LEN];
	struct behind b;

	behind_init(&b, tmpdir_path(state, "vars"), 0x40);
	behind_store(&b, 0, 1, 1);
	assert_int_equal(fm_write_behind_flush(b.wb, NULL), 0);
	kill_copy(state, "vars", "killed");
	behind_exit(&b);
	poke(path, 60000, 0);
	read_as_reader(path, array);
	assert_int_equal(array[60000], 0);
	behind_config(&b, path);
	behind_open(&b);
	assert_true(recovery(&b).found && recovery(&b).clean);
	behind_exit(&b);
	assert_int_equal(tmpdir_byte(path, 60000), 0);
}

static void a_new_image_does_not_take_an_old_journal(void **state)
{
	const char *path = tmpdir_path(state, "killed");
	struct fm_error err;
	uint8_t array[LEN];
	struct behind b;

	leave_pending(state, array);
	unlink(path);
	behind_config(&b, path);
	b.cfg.create = true;
	assert_int_equal(behind_refused(&b, &err), FM_ERR_CHECKSUM);
	assert_int_equal(tmpdir_size(path), -1);
	assert_true(tmpdir_size(tmpdir_path(state, "killed.journal")) > 0);
	fm_worker_free(b.worker);
}

static void a_truncated_journal_is_refused(void **state)
{
	const char *journal = tmpdir_path(state, "killed.journal");
	static const off_t sizes[] = { 16 * KIB, 8192, 8191, 128, 1 };
	uint8_t array[LEN];

	leave_pending(state, array);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(truncate(journal, sizes[i]), 0);
		refused_both_ways(state, FM_ERR_FORMAT, "bytes");
	}
}

static void what_is_not_a_journal_is_refused(void **state)
{
	const char *journal = tmpdir_path(state, "killed.journal");
	uint8_t array[LEN];

	leave_pending(state, array);
	tmpdir_fill(journal, 50000, 'x');
	refused_both_ways(state, FM_ERR_FORMAT, "not a journal's");
}

/* One of ours never has the name while it is only zeros: it would be removed at the end. */
static void a_file_of_zeros_is_no_journal_but_an_empty_one_is(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	const char *journal = tmpdir_path(state, "killed.journal");
	uint8_t array[LEN];

	leave_pending(state, array);
	tmpdir_fill(journal, 20000, 0);
	refused_both_ways(state, FM_ERR_FORMAT, "all zero");
	assert_int_equal(tmpdir_size(journal), 20000);
	tmpdir_fill(path, LEN, 0x31);
	tmpdir_fill(tmpdir_path(state, "vars.journal"), 0, 0);
	read_as_reader(path, array);
	assert_int_equal(array[0], 0x31);
}

static void a_journal_that_cannot_be_made_leaves_the_file_that_was_there(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	const char *journal = tmpdir_path(state, "given");
	struct faultio io;
	struct fm_error err;
	struct behind b;

	tmpdir_fill(path, LEN, 0);
	tmpdir_fill(journal, 0, 0);
	behind_config(&b, path);
	b.cfg.journal = journal;
	faultio_init(&io);
	b.cfg.io = &io.io;
	for (io.fail_at = 1;; io.fail_at++) {
		io.calls = 0;
		if (!fm_write_behind_open(&b.wb, &b.cfg, &err))
			break;
		assert_true(tmpdir_size(journal) >= 0);
	}
	assert_true(io.fail_at > 5);
	behind_exit(&b);
}

static void a_file_in_the_way_of_a_new_journal_stays(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	const char *tmp = tmpdir_path(state, "vars.journal.tmp");
	struct fm_error err;
	struct behind b;

	tmpdir_fill(path, LEN, 0);
	tmpdir_fill(tmp, 777, 'x');
	behind_config(&b, path);
	assert_int_equal(behind_refused(&b, &err), FM_ERR_FORMAT);
	assert_non_null(strstr(err.msg, tmp));
	assert_int_equal(tmpdir_size(tmp), 777);
	assert_int_equal(tmpdir_byte(tmp, 776), 'x');
	/* What a crash leaves of one is taken. */
	tmpdir_fill(tmp, 50000, 0);
	behind_open(&b);
	assert_int_equal(tmpdir_size(tmp), -1);
	behind_exit(&b);
}

/* --- locks --------------------------------------------------------------------------------- */

static void a_second_opener_is_kept_out(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct fm_error err;
	struct behind a, b;

	behind_init(&a, path, 0);
	behind_config(&b, path);
	assert_int_equal(behind_refused(&b, &err), FM_ERR_LOCKED);
	assert_non_null(strstr(err.msg, path));
	b.cfg.read_only = true;
	assert_int_equal(behind_refused(&b, &err), FM_ERR_LOCKED);
	assert_int_equal(
		fm_write_behind_recover(NULL, path, NULL, false, &(struct fm_recovery){ 0 }, NULL),
		FM_ERR_LOCKED);
	behind_exit(&a);
	behind_open(&b);
	behind_exit(&b);
}

static void two_images_do_not_share_a_journal(void **state)
{
	struct fm_error err;
	struct behind a, b;

	tmpdir_fill(tmpdir_path(state, "one"), LEN, 0);
	tmpdir_fill(tmpdir_path(state, "two"), LEN, 0);
	behind_config(&a, tmpdir_path(state, "one"));
	a.cfg.journal = tmpdir_path(state, "journal");
	behind_open(&a);
	behind_config(&b, tmpdir_path(state, "two"));
	b.cfg.journal = tmpdir_path(state, "journal");
	assert_int_equal(behind_refused(&b, &err), FM_ERR_LOCKED);
	assert_non_null(strstr(err.msg, "journal"));
	fm_worker_free(b.worker);
	behind_exit(&a);
}

/* As QEMU holds them: byte 100 to read, 101 to write; and it looks for byte 201. */
static void the_bytes_that_qemu_uses_are_respected(void **state)
{
	static const struct {
		uint64_t byte;
		bool writer;
		bool reader;
	} rows[] = {
		{ 99, true, true },    { 100, false, true },  { 101, false, false },
		{ 102, false, false }, { 103, false, false }, { 104, true, true },
		{ 200, true, true },   { 201, false, true },
	};
	const char *path = tmpdir_path(state, "vars");
	const struct fm_io *io = fm_io_posix();
	struct fm_file *file;
	struct fm_error err;
	struct behind b;

	tmpdir_fill(path, LEN, 0);
	assert_int_equal(io->ops->open(NULL, path, FM_IO_READ | FM_IO_WRITE, &file), 0);
	behind_config(&b, path);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int reader = 0; reader < 2; reader++) {
			b.cfg.read_only = reader;
			assert_int_equal(
				io->ops->lock(NULL, file, FM_IO_LOCK_SHARED, rows[i].byte, 1), 0);
			if (reader ? rows[i].reader : rows[i].writer) {
				behind_open(&b);
				fm_write_behind_close(b.wb);
			} else {
				assert_int_equal(behind_refused(&b, &err), FM_ERR_LOCKED);
			}
			assert_int_equal(io->ops->lock(NULL, file, FM_IO_UNLOCK, rows[i].byte, 1),
					 0);
		}
	}
	io->ops->close(NULL, file);
	fm_worker_free(b.worker);
}

/* --- migration ------------------------------------------------------------------------------ */

static void an_image_is_handed_over_and_taken(void **state)
{
	const char *path = tmpdir_path(state, "vars");
	struct behind from, to;
	struct fm_error err;

	behind_init(&from, path, 0);
	behind_config(&to, path);
	to.cfg.deferred = true;
	behind_open(&to);
	assert_int_equal(fm_write_behind_take_over(to.wb, &err), FM_ERR_LOCKED);
	behind_store(&from, 77, 0x11, 100);
	assert_int_equal(fm_write_behind_hand_over(from.wb, NULL), 0);
	assert_true(file_is(path, from.array));
	assert_int_equal(tmpdir_entries(state), 1);
	assert_int_equal(fm_write_behind_hand_over(from.wb, &err), FM_ERR_STATE);
	/* The memory comes by other ways, and is newer. */
	memcpy(to.array, from.array, LEN);
	to.array[5] = 9;
	assert_int_equal(fm_write_behind_take_over(to.wb, NULL), 0);
	assert_true(file_is(path, to.array));
	behind_store(&to, 4000, 0x22, 10);
	/* The source may go on, in memory: nobody believes that it is written. */
	assert_int_equal(behind_store(&from, 0, 0x33, 4), 0);
	assert_int_equal(fm_write_behind_flush(from.wb, &err), FM_ERR_STATE);
	assert_int_equal(fm_write_behind_take_over(from.wb, &err), FM_ERR_LOCKED);
	behind_exit(&to);
	assert_true(file_is(path, to.array));
	assert_int_equal(fm_write_behind_take_over(from.wb, NULL), 0);
	assert_true(file_is(path, from.array));
	assert_int_equal(fm_write_behind_take_over(from.wb, &err), FM_ERR_STATE);
	behind_exit(&from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(a_killed_process_loses_nothing),
		tmpdir_test(killed_at_any_operation_all_of_it_is_there),
		tmpdir_test(a_reader_overlays_and_changes_nothing),
		tmpdir_test(recovery_alone_makes_the_image_whole),
		tmpdir_test(without_the_journal_the_image_is_as_last_applied),
		tmpdir_test(an_old_record_does_not_count_behind_a_new_one_that_is_the_same),
		tmpdir_test(a_journal_elsewhere_and_by_descriptor),
		tmpdir_test(two_images_never_share_a_new_journal),
		tmpdir_test(by_a_symbolic_link_the_journal_is_the_same),
		tmpdir_test(an_image_that_somebody_changed_since_is_refused),
		tmpdir_test(another_image_is_refused_and_both_are_named),
		tmpdir_test(an_image_of_another_length_is_refused),
		tmpdir_test(a_journal_without_changes_is_in_nobodys_way),
		tmpdir_test(a_new_image_does_not_take_an_old_journal),
		tmpdir_test(a_truncated_journal_is_refused),
		tmpdir_test(what_is_not_a_journal_is_refused),
		tmpdir_test(a_file_of_zeros_is_no_journal_but_an_empty_one_is),
		tmpdir_test(a_journal_that_cannot_be_made_leaves_the_file_that_was_there),
		tmpdir_test(a_file_in_the_way_of_a_new_journal_stays),
		tmpdir_test(a_second_opener_is_kept_out),
		tmpdir_test(two_images_do_not_share_a_journal),
		tmpdir_test(the_bytes_that_qemu_uses_are_respected),
		tmpdir_test(an_image_is_handed_over_and_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
