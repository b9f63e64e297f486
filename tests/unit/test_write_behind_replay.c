/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations of a real firmware's boots, byte by byte, and what the image is then. */
#include "bench/oplog.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include <firmem/flash.h>

static void unpack(const char *name, uint8_t **bytes, size_t *len)
{
	char path[600];

	UNIT_VECTOR(path, name);
	*bytes = oplog_unpack(path, len);
	if (!*bytes) {
		print_message("skipped: no zstd program to unpack %s\n", name);
		skip();
	}
}

static void replay(void **state, const char *image_name, const char *log_name, uint64_t operations)
{
	const char *path = tmpdir_path(state, "vars");
	struct fm_write_behind_config cfg = { .struct_size = sizeof(cfg), .image = path };
	struct fm_write_behind_stats stats;
	struct fm_write_behind *wb;
	struct fm_error err;
	struct oplog log;
	char log_path[600];
	uint8_t *model = NULL, *array, *file;
	size_t len = 0, file_len;
	void *loaded;

	unpack(image_name, &model, &len);
	UNIT_VECTOR(log_path, log_name);
	assert_true(oplog_load(&log, log_path));
	assert_int_equal(log.operations, operations);
	assert_int_equal(fm_io_store(NULL, path, model, len, NULL), 0);
	array = malloc(len);
	cfg.array = array;
	cfg.len = len;
	if (fm_write_behind_open(&wb, &cfg, &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < log.count; i++) {
		const struct oplog_op *op = &log.op[i];

		/* As the recording's machine has it: a program stores. */
		if (op->data)
			memcpy(model + op->off, op->data, op->len);
		else
			memset(model + op->off, 0xff, op->len);
		if (!op->data) {
			memset(array + op->off, 0xff, op->len);
			assert_int_equal(fm_write_behind_erase(wb, op->off, op->len), 0);
		}
		for (uint64_t n = 0; op->data && n < op->len; n++) {
			if (array[op->off + n] == op->data[n])
				continue;
			array[op->off + n] = op->data[n];
			assert_int_equal(fm_write_behind_store(wb, op->off + n, 1), 0);
		}
	}
	fm_write_behind_stats(wb, &stats);
	fm_write_behind_close(wb);
	assert_int_equal(fm_io_load(NULL, path, len, &loaded, &file_len, NULL), 0);
	file = loaded;
	assert_memory_equal(file, model, len);
	print_message("%llu operations: %llu that changed something, %llu records\n",
		      (unsigned long long)operations, (unsigned long long)stats.told,
		      (unsigned long long)stats.records);
	free(file);
	free(array);
	free(model);
	oplog_free(&log);
}

static void a_4m_stores_reclaim_is_replayed(void **state)
{
	replay(state, "uefi/ovmf4m-prefill.fd.zst", "uefi/oplog-ovmf4m-boot-reclaim.jsonl.zst",
	       798120);
}

static void a_2m_stores_reclaim_is_replayed(void **state)
{
	replay(state, "uefi/ovmf2m-prefill.fd.zst", "uefi/oplog-ovmf2m-boot-reclaim.jsonl.zst",
	       183611);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmpdir_test(a_4m_stores_reclaim_is_replayed),
		tmpdir_test(a_2m_stores_reclaim_is_replayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
