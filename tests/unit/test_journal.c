/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's format over bytes: what is appended is read again, and nothing else ever is. */
#include "tests/unit/rng.h"
#include "tests/unit/unit.h"

#include "devices/bytes.h"
#include "devices/crc32.h"
#include "flash/journal.h"

#define RING FMI_JOURNAL_RING_MIN
#define IMAGE 65536u

struct fixture {
	struct fmi_journal_header header;
	struct fmi_journal_writer w;
	uint8_t map[RING] __attribute__((aligned(4096)));
	uint8_t copy[RING];
	uint64_t limit;
	struct fmi_crc32_tables crc;
};

static void begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->header = (struct fmi_journal_header){
		.salt = { 1, 2, 3 },
		.generation = 7,
		.ring_len = RING,
		.tail = { .seq = 1 },
		.target_seq = 1,
		.image = { .len = IMAGE },
	};
	f->header.tail.chain = fmi_journal_first_chain(&f->header);
	f->w = (struct fmi_journal_writer){ .map = f->map,
					    .copy = f->copy,
					    .crc = &f->crc,
					    .ring_len = RING,
					    .head = f->header.tail };
	f->limit = RING;
	fmi_crc32_tables(&f->crc);
}

static bool append(struct fixture *f, uint64_t off, const uint8_t *data, uint64_t len)
{
	return fmi_journal_append(&f->w, f->limit, off, data, len);
}

static struct fmi_journal_scan scan(const struct fixture *f)
{
	struct fmi_journal_scan s;

	fmi_journal_scan(&f->header, f->map, &s);
	return s;
}

/* Everything up to now is in the image: the ring is empty here. */
static void advance(struct fixture *f)
{
	f->header.tail = f->w.head;
	f->header.target_seq = f->w.head.seq;
	f->limit = f->w.head.pos + RING;
	f->w.open = false;
}

static struct fmi_journal_reader reader(const struct fixture *f)
{
	return (struct fmi_journal_reader){ .ring = f->map,
					    .ring_len = RING,
					    .image_len = IMAGE,
					    .begin = f->header.tail.pos,
					    .at = f->header.tail };
}

/* --- the header ---------------------------------------------------------------------------- */

static void a_header_is_laid_out_as_documented(void **state)
{
	uint8_t b[FMI_JOURNAL_HEADER_LEN];
	struct fmi_journal_header h = {
		.salt = { 0xaa, [15] = 0xbb },
		.generation = 0x1112131415161718,
		.ring_len = 0x10000,
		.tail = { .pos = 0x58, .seq = 9, .chain = 0x01020304 },
		.target_seq = 12,
		.image = { .len = 5, .digest = 6, .dev = 7, .ino = 8 },
	};

	fmi_journal_encode(&h, b);
	assert_memory_equal(b, "fmjournl", 8);
	assert_int_equal(fmi_le32(b + 0x08), 1);
	assert_int_equal(fmi_le32(b + 0x0c), 128);
	assert_int_equal(b[0x10], 0xaa);
	assert_int_equal(b[0x1f], 0xbb);
	assert_int_equal(fmi_le64(b + 0x20), h.generation);
	assert_int_equal(fmi_le64(b + 0x28), 0x10000);
	assert_int_equal(fmi_le64(b + 0x30), 0x58);
	assert_int_equal(fmi_le64(b + 0x38), 9);
	assert_int_equal(fmi_le64(b + 0x40), 12);
	assert_int_equal(fmi_le32(b + 0x48), 0x01020304);
	assert_int_equal(fmi_le64(b + 0x50), 5);
	assert_int_equal(fmi_le64(b + 0x58), 6);
	assert_int_equal(fmi_le64(b + 0x60), 7);
	assert_int_equal(fmi_le64(b + 0x68), 8);
	assert_int_equal(fmi_le32(b + 0x7c), fmi_crc32(0, b, 0x7c));
}

static void any_flipped_bit_of_a_header_is_noticed(void **state)
{
	uint8_t b[FMI_JOURNAL_HEADER_LEN];
	struct fmi_journal_header out = { 0 };
	struct fixture f;

	begin(&f);
	fmi_journal_encode(&f.header, b);
	assert_int_equal(fmi_journal_decode(b, &out), FMI_HEADER_GOOD);
	assert_memory_equal(&out, &f.header, sizeof(out));
	for (unsigned bit = 0; bit < 8 * sizeof(b); bit++) {
		b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(fmi_journal_decode(b, &out), FMI_HEADER_GOOD);
		b[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void impossible_headers_are_told_apart(void **state)
{
	uint8_t b[FMI_JOURNAL_HEADER_LEN] = { 0 };
	struct fmi_journal_header out = { .generation = 99 };
	struct fixture f;

	begin(&f);
	assert_int_equal(fmi_journal_decode(b, &out), FMI_HEADER_BLANK);
	memcpy(b, "something else", 14);
	assert_int_equal(fmi_journal_decode(b, &out), FMI_HEADER_FOREIGN);
	f.header.ring_len = RING + 8;
	fmi_journal_encode(&f.header, b);
	assert_int_equal(fmi_journal_decode(b, &out), FMI_HEADER_FIELD);
	f.header.ring_len = RING;
	f.header.target_seq = 0;
	fmi_journal_encode(&f.header, b);
	assert_int_equal(fmi_journal_decode(b, &out), FMI_HEADER_FIELD);
	f.header.target_seq = 1;
	fmi_journal_encode(&f.header, b);
	b[8] = 2;
	fmi_put_le32(b + 0x7c, fmi_crc32(0, b, 0x7c));
	assert_int_equal(fmi_journal_decode(b, &out), FMI_HEADER_VERSION);
	assert_int_equal(out.generation, 99);
}

static void the_newer_good_slot_counts(void **state)
{
	static uint8_t slots[FMI_JOURNAL_RING_OFF];
	enum fmi_header_verdict verdict[2];
	struct fmi_journal_header out;
	struct fixture f;

	memset(slots, 0, sizeof(slots));
	begin(&f);
	assert_int_equal(fmi_journal_choose(slots, &out, verdict), -1);
	fmi_journal_encode(&f.header, slots);
	assert_int_equal(fmi_journal_choose(slots, &out, verdict), 0);
	assert_int_equal(verdict[1], FMI_HEADER_BLANK);
	f.header.generation++;
	fmi_journal_encode(&f.header, slots + FMI_JOURNAL_SLOT_LEN);
	assert_int_equal(fmi_journal_choose(slots, &out, verdict), 1);
	assert_int_equal(out.generation, 8);
	slots[FMI_JOURNAL_SLOT_LEN + 0x30]++;
	assert_int_equal(fmi_journal_choose(slots, &out, verdict), 0);
	assert_int_equal(verdict[1], FMI_HEADER_CHECKSUM);
}

/* --- records ------------------------------------------------------------------------------ */

static void a_record_is_laid_out_as_documented(void **state)
{
	static const uint8_t data[] = { 0x11, 0x22, 0x33 };
	struct fixture f;
	uint8_t *b = f.map;

	begin(&f);
	assert_true(append(&f, 0x1234, data, 3));
	assert_int_equal(fmi_le32(b), 3);
	assert_int_equal(fmi_le64(b + 8), 1);
	assert_int_equal(fmi_le64(b + 16), 0x1234);
	assert_int_equal(fmi_le32(b + 24), 1);
	assert_int_equal(fmi_le32(b + 28), 0);
	assert_memory_equal(b + 32, data, 3);
	assert_int_equal(fmi_le32(b + 4), fmi_crc32(f.header.tail.chain, b + 8, 24 + 3));
	assert_true(append(&f, 0x4000, NULL, 0x8000));
	b += 40;
	assert_int_equal(fmi_le32(b), 0);
	assert_int_equal(fmi_le64(b + 8), 2);
	assert_int_equal(fmi_le32(b + 24), 2);
	assert_int_equal(fmi_le32(b + 28), 0x8000);
	assert_int_equal(fmi_le32(b + 4), fmi_crc32(fmi_le32(b - 36), b + 8, 24));
	assert_int_equal(scan(&f).records, 2);
	assert_int_equal(scan(&f).bytes, 0x8003);
	assert_int_equal(scan(&f).why, FMI_END_UNUSED);
	assert_memory_equal(f.map, f.copy, RING);
}

static void neighbours_become_one_record_until_it_is_closed(void **state)
{
	struct fmi_journal_reader r;
	struct fmi_record record;
	struct fixture f;
	uint8_t byte;

	begin(&f);
	for (unsigned i = 0; i < 100; i++) {
		byte = (uint8_t)i;
		assert_true(append(&f, 500 + i, &byte, 1));
		assert_int_equal(scan(&f).bytes, i + 1);
	}
	f.w.open = false;
	assert_true(append(&f, 600, &byte, 1));
	assert_int_equal(scan(&f).records, 2);
	r = reader(&f);
	assert_true(fmi_journal_next(&r, &record));
	assert_int_equal(record.off, 500);
	assert_int_equal(record.len, 100);
	assert_int_equal(record.data[99], 99);
	/* What does not go on where it ends is another. */
	assert_true(append(&f, 600, &byte, 1));
	assert_int_equal(scan(&f).records, 3);
}

static void an_operation_that_is_full_changes_nothing(void **state)
{
	static uint8_t data[RING];
	struct fixture f;

	begin(&f);
	assert_true(append(&f, 0, data, fmi_journal_most(RING) / 2));
	assert_false(append(&f, 100, data, fmi_journal_most(RING) / 2 + 100));
	assert_false(append(&f, fmi_journal_most(RING) / 2, data, fmi_journal_most(RING)));
	assert_int_equal(scan(&f).records, 1);
	assert_memory_equal(f.map, f.copy, RING);
}

static void the_longest_operation_fits_an_empty_ring_at_any_place(void **state)
{
	static uint8_t data[RING];
	struct fixture f;

	begin(&f);
	memset(data, 0x77, sizeof(data));
	for (unsigned i = 0; i < 5000; i++) {
		assert_true(append(&f, 0, data, 1 + i % 13));
		advance(&f);
		assert_true(append(&f, i % 64, data, fmi_journal_most(RING)));
		assert_int_equal(scan(&f).bytes, fmi_journal_most(RING));
		advance(&f);
	}
}

/* An independent model: a list of operations; the ring must hold just those since the tail. */
static void whatever_is_appended_is_read_again(void **state)
{
	static uint8_t want[IMAGE], have[IMAGE], data[3000];
	struct rng rng = { 42 };
	struct fixture f;

	begin(&f);
	memset(want, 0, IMAGE);
	memset(have, 0, IMAGE);
	for (unsigned n = 0; n < 20000; n++) {
		uint64_t len = 1 + rng_below(&rng, rng_one_in(&rng, 8) ? 3000 : 20);
		uint64_t off = rng_below(&rng, (unsigned)(IMAGE - len));
		bool erase = rng_one_in(&rng, 10);
		struct fmi_journal_reader r;
		struct fmi_journal_scan s;
		struct fmi_record record;

		if (rng_one_in(&rng, 2) && f.w.open && f.w.last_off + f.w.last_len + len < IMAGE)
			off = f.w.last_off + f.w.last_len;
		for (uint64_t i = 0; i < len; i++)
			data[i] = (uint8_t)rng_next(&rng);
		if (!append(&f, off, erase ? NULL : data, len)) {
			/* Full: all of it goes to the image. */
			s = scan(&f);
			assert_int_equal(s.end.pos, f.w.head.pos);
			r = reader(&f);
			while (fmi_journal_next(&r, &record) && record.len) {
				if (record.data)
					memcpy(have + record.off, record.data, record.len);
				else
					memset(have + record.off, 0xff, record.len);
			}
			assert_memory_equal(want, have, IMAGE);
			advance(&f);
			assert_true(append(&f, off, erase ? NULL : data, len));
		}
		if (erase)
			memset(want + off, 0xff, len);
		else
			memcpy(want + off, data, len);
		if (rng_one_in(&rng, 16))
			f.w.open = false;
	}
}

static void a_flipped_bit_ends_the_reading_there(void **state)
{
	static uint8_t data[64];
	struct rng rng = { 3 };
	struct fixture f;

	for (unsigned n = 0; n < 3000; n++) {
		uint64_t ends[21] = { 0 };
		unsigned bit, broken = 0;
		struct fmi_journal_scan s;

		begin(&f);
		for (unsigned i = 0; i < 20; i++) {
			uint64_t len = 1 + rng_below(&rng, 60);

			assert_true(append(&f, 1000 * i, i % 5 ? data : NULL, len));
			ends[i + 1] = f.w.head.pos;
		}
		bit = rng_below(&rng, (unsigned)(8 * f.w.head.pos));
		f.map[bit / 8] ^= (uint8_t)(1u << bit % 8);
		while (ends[broken + 1] <= bit / 8)
			broken++;
		s = scan(&f);
		/* Padding means nothing. */
		if (s.records == 20)
			continue;
		assert_int_equal(s.records, broken);
		assert_int_equal(s.end.pos, ends[broken]);
	}
}

static void an_operation_in_two_records_counts_with_the_second(void **state)
{
	static uint8_t data[RING];
	struct fmi_journal_scan s;
	struct fixture f;

	begin(&f);
	memset(data, 0x5a, sizeof(data));
	assert_true(append(&f, 0, data, RING - 200));
	advance(&f);
	assert_true(append(&f, 0, data, 1000));
	s = scan(&f);
	assert_int_equal(s.records, 2);
	f.map[8]++; /* the second lies at the beginning of the ring */
	s = scan(&f);
	assert_int_equal(s.records, 0);
	assert_int_equal(s.end.pos, f.header.tail.pos);
	assert_int_equal(s.why, FMI_END_INCOMPLETE);
}

static void records_of_another_salt_or_generation_do_not_count(void **state)
{
	static uint8_t data[64];
	struct fixture f;

	begin(&f);
	assert_true(append(&f, 0, data, 64));
	f.header.salt[15] ^= 1;
	f.header.tail.chain = fmi_journal_first_chain(&f.header);
	assert_int_equal(scan(&f).records, 0);
	f.header.salt[15] ^= 1;
	f.header.generation++;
	f.header.tail.chain = fmi_journal_first_chain(&f.header);
	assert_int_equal(scan(&f).records, 0);
}

static void a_record_outside_the_image_does_not_count(void **state)
{
	static uint8_t data[64];
	struct fixture f;

	begin(&f);
	assert_true(append(&f, IMAGE - 63, data, 64));
	assert_int_equal(scan(&f).records, 0);
	assert_int_equal(scan(&f).why, FMI_END_FIELD);
	begin(&f);
	assert_true(append(&f, UINT64_MAX - 5, data, 64));
	assert_int_equal(scan(&f).why, FMI_END_FIELD);
}

static void written_again_the_file_has_what_we_have(void **state)
{
	static uint8_t data[RING];
	struct fixture f;

	begin(&f);
	memset(data, 0x21, sizeof(data));
	assert_true(append(&f, 0, data, RING - 1000));
	advance(&f);
	assert_true(append(&f, 0, data, 2000));
	memset(f.map, 0, RING);
	fmi_journal_rewrite(&f.w, f.header.tail.pos, f.w.head.pos);
	assert_int_equal(scan(&f).bytes, 2000);
}

static void few_bytes_have_the_same_checksum_as_many(void **state)
{
	static struct fixture f;
	struct rng rng = { 77 };
	uint8_t bytes[4];

	begin(&f);
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t crc = (uint32_t)rng_next(&rng);

		fmi_put_le32(bytes, (uint32_t)rng_next(&rng));
		for (size_t len = 0; len <= 4; len++)
			assert_int_equal(fmi_crc32_few(&f.crc, crc, bytes, len),
					 fmi_crc32(crc, bytes, len));
	}
}

/* --- the digest ----------------------------------------------------------------------------- */

static void a_digest_knows_every_byte_and_its_place(void **state)
{
	static uint8_t image[3 * FMI_DIGEST_PIECE + 77];
	struct rng rng = { 9 };
	uint64_t first, pieces[4], sum = 0;

	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)rng_next(&rng);
	first = fmi_digest_image(image, sizeof(image), pieces);
	for (unsigned i = 0; i < 4; i++)
		sum += pieces[i];
	assert_int_equal(sum, first);
	for (size_t i = 0; i < sizeof(image); i++) {
		image[i] ^= 0x10;
		assert_int_not_equal(fmi_digest_image(image, sizeof(image), NULL), first);
		image[i] ^= 0x10;
	}
	assert_int_equal(fmi_digest_image(image, sizeof(image), NULL), first);
	/* The same bytes elsewhere, or fewer of them, are another image. */
	memset(image, 0xff, sizeof(image));
	first = fmi_digest_image(image, sizeof(image), NULL);
	assert_int_not_equal(fmi_digest_piece(0, image, FMI_DIGEST_PIECE),
			     fmi_digest_piece(1, image, FMI_DIGEST_PIECE));
	memset(image, 0, sizeof(image));
	assert_int_not_equal(fmi_digest_image(image, sizeof(image), NULL),
			     fmi_digest_image(image, sizeof(image) - 1, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_laid_out_as_documented),
		cmocka_unit_test(any_flipped_bit_of_a_header_is_noticed),
		cmocka_unit_test(impossible_headers_are_told_apart),
		cmocka_unit_test(the_newer_good_slot_counts),
		cmocka_unit_test(a_record_is_laid_out_as_documented),
		cmocka_unit_test(neighbours_become_one_record_until_it_is_closed),
		cmocka_unit_test(an_operation_that_is_full_changes_nothing),
		cmocka_unit_test(the_longest_operation_fits_an_empty_ring_at_any_place),
		cmocka_unit_test(whatever_is_appended_is_read_again),
		cmocka_unit_test(a_flipped_bit_ends_the_reading_there),
		cmocka_unit_test(an_operation_in_two_records_counts_with_the_second),
		cmocka_unit_test(records_of_another_salt_or_generation_do_not_count),
		cmocka_unit_test(a_record_outside_the_image_does_not_count),
		cmocka_unit_test(written_again_the_file_has_what_we_have),
		cmocka_unit_test(few_bytes_have_the_same_checksum_as_many),
		cmocka_unit_test(a_digest_knows_every_byte_and_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
