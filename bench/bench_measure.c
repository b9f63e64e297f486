/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Launch measurement beside libcrypto's own rate on the same bytes. The image is made here: 4 MiB, of which as
 * many pages are erased flash as in a typical one.
 */
#include "bench/bench.h"

#include <firmem/cca.h>
#include <firmem/identify.h>
#include <firmem/sev.h>
#include <firmem/tdx.h>

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEN (4u << 20)
#define PAGE 4096u
#define ERASED 693u /* pages of 1,024: Debian's OVMF of 4 MiB */
#define END (LEN - 50)
#define META (LEN - 0x800)
#define TDVF (LEN - 0x400)

static uint8_t image[LEN];

/* A figure of something that failed would be a lie. */
static void must(int code, const struct fm_error *err)
{
	if (code < 0) {
		fprintf(stderr, "bench_measure: %s\n", err->msg);
		exit(2);
	}
}

/* --- the image ------------------------------------------------------------------------------ */

static void put(size_t at, unsigned size, uint64_t v)
{
	for (unsigned i = 0; i < size; i++, v >>= 8)
		image[at + i] = (uint8_t)v;
}

static void put_guid(size_t at, const char *hex)
{
	size_t len;

	fm_digest_from_hex(hex, image + at, 16, &len);
}

/* An entry of OVMF's table with 4 bytes of data; returns where it begins. */
static size_t entry(size_t end, uint32_t value, const char *guid)
{
	put(end - 22, 4, value);
	put(end - 18, 2, 22);
	put_guid(end - 16, guid);
	return end - 22;
}

static void section(unsigned i, uint32_t gpa, uint32_t len, uint32_t type)
{
	put(META + 16 + 12 * i, 4, gpa);
	put(META + 20 + 12 * i, 4, len);
	put(META + 24 + 12 * i, 4, type);
}

static void tdx_section(unsigned i, uint32_t off, uint32_t raw, uint64_t gpa, uint64_t len,
			uint32_t type)
{
	size_t at = TDVF + 16 + 32 * i;

	put(at, 4, off);
	put(at + 4, 4, raw);
	put(at + 8, 8, gpa);
	put(at + 16, 8, len);
	put(at + 24, 4, type);
	put(at + 28, 4, type == FM_TDVF_BFV);
}

static void make_image(void)
{
	uint64_t x = 88172645463325252u;
	size_t low;

	memset(image, 0xff, LEN);
	for (size_t at = ERASED * PAGE; at < LEN; at++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		image[at] = (uint8_t)x;
	}
	put_guid(LEN - 48, "de82b596b21ff745baeaa366c55a082d");
	low = entry(END, 0x80b004, "de71f7007e1acb4f890e68c77e2fb44e");
	low = entry(low, LEN - META, "666588dc4a989847a75e5585a7bf67cc");
	low = entry(low, LEN - TDVF, "35657ae44a989847865e4685a7bf8ec2");
	put(END, 2, LEN - 32 - low);
	memcpy(image + META, "ASEV", 4);
	put(META + 4, 4, 16 + 12 * 4);
	put(META + 8, 4, 1);
	put(META + 12, 4, 4);
	section(0, 0x800000, 0xd000, FM_OVMF_SEC_MEM);
	section(1, 0x80d000, PAGE, FM_OVMF_SECRETS);
	section(2, 0x80e000, PAGE, FM_OVMF_CPUID);
	section(3, 0x80f000, 0x11000, FM_OVMF_SEC_MEM);
	put_guid(TDVF - 16, "f3f9eae98e16d544a8eb7f4d8738f6ae");
	memcpy(image + TDVF, "TDVF", 4);
	put(TDVF + 4, 4, 16 + 32 * 3);
	put(TDVF + 8, 4, 1);
	put(TDVF + 12, 4, 3);
	tdx_section(0, 0x84000, LEN - 0x84000, 0x100000000 - (LEN - 0x84000), LEN - 0x84000,
		    FM_TDVF_BFV);
	tdx_section(1, 0, 0x84000, 0x100000000 - LEN, 0x84000, FM_TDVF_CFV);
	tdx_section(2, 0, 0, 0x809000, 0x2000, FM_TDVF_TD_HOB);
}

/* --- what is timed --------------------------------------------------------------------------- */

static void snp(void *ctx, uint64_t n)
{
	struct fm_sev_config c = { .struct_size = sizeof(c), .kind = FM_SEV_SNP };
	struct fm_error err;
	uint8_t out[48];

	c.firmware = image;
	c.firmware_len = LEN;
	c.vcpus = *(const uint32_t *)ctx;
	c.cpu_sig = 0xa00f11;
	for (uint64_t i = 0; i < n; i++)
		must(fm_sev_measure(out, &c, &err), &err);
}

/* The chain as its definition has it: each page, and each link. */
static void plainly(void *ctx, uint64_t n)
{
	struct fm_digest *d;
	struct fm_error err;
	uint8_t info[0x70] = { 0 };

	must(fm_digest_new(&d, FM_DIGEST_SHA384, &err), &err);
	for (uint64_t i = 0; i < n; i++) {
		for (size_t at = 0; at < LEN; at += PAGE) {
			must(fm_digest_update(d, image + at, PAGE, &err), &err);
			must(fm_digest_final(d, info + 48, &err), &err);
			must(fm_digest_update(d, info, sizeof(info), &err), &err);
			must(fm_digest_final(d, info, &err), &err);
		}
	}
	fm_digest_free(d);
}

struct stream {
	enum fm_digest_alg alg;
	const uint8_t *bytes;
	size_t len;
};

static void stream(void *ctx, uint64_t n)
{
	const struct stream *s = ctx;
	struct fm_error err;
	uint8_t out[FM_DIGEST_MAX];

	for (uint64_t i = 0; i < n; i++)
		must(fm_digest_bytes(s->alg, s->bytes, s->len, out, &err), &err);
}

static void tdx(void *ctx, uint64_t n)
{
	struct fm_tdx_config c = { .struct_size = sizeof(c), .firmware = image };
	struct fm_error err;
	uint8_t out[48];

	c.firmware_len = LEN;
	for (uint64_t i = 0; i < n; i++)
		must(fm_tdx_mrtd(out, &c, &err), &err);
}

static void cca(void *ctx, uint64_t n)
{
	const struct stream *s = ctx;
	struct fm_cca_launch c = { .struct_size = sizeof(c), .memory = 512u << 20 };
	struct fm_error err;
	uint8_t out[FM_CCA_LEN];

	c.realm.hash = s->alg;
	c.firmware = (struct fm_cca_image){ s->bytes, s->len };
	c.dtb = (struct fm_cca_image){ image, PAGE };
	for (uint64_t i = 0; i < n; i++)
		must(fm_cca_measure(out, &c, &err), &err);
}

static void identify(void *ctx, uint64_t n)
{
	struct fm_sev_config launch = { .struct_size = sizeof(launch), .kind = FM_SEV_SNP };
	struct fm_identify_config c = { .struct_size = sizeof(c), .launch = &launch };
	struct fm_identified found;
	struct fm_error err;

	launch.firmware = image;
	launch.firmware_len = LEN;
	c.digest = image; /* that no launch has: all are tried */
	c.digest_len = 48;
	for (uint64_t i = 0; i < n; i++) {
		if (fm_identify_launch(&found, &c, &err) != FM_ERR_NOT_FOUND)
			must(-1, &err);
	}
}

/* --- small differences ---------------------------------------------------------------------- */

#define TURNS 101

static double time_once(const struct bench_side *side)
{
	struct timespec start, end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	side->fn(side->ctx, 1);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	return (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * As bench_compare(), of work that one thread does: by the time that thread had a processor, and the median of the
 * ratios of many short turns, each of both one after the other. A bound of a tenth is less than what else runs on a
 * machine, and its clock, move others by.
 */
static void compare_closely(struct bench *b, const struct bench_side *value,
			    const struct bench_side *reference, double bound)
{
	double ratio[TURNS], r[TURNS];

	for (unsigned i = 0; i < TURNS; i++) {
		double v = time_once(value);

		r[i] = time_once(reference);
		ratio[i] = v / r[i];
	}
	qsort(ratio, TURNS, sizeof(ratio[0]), by_value);
	qsort(r, TURNS, sizeof(r[0]), by_value);
	bench_ratio(b, value->name, ratio[TURNS / 2] * r[TURNS / 2], reference->name, r[TURNS / 2],
		    "ns", bound);
}

/* --- the command ----------------------------------------------------------------------------- */

struct program {
	const char *argv[12];
};

static void run(void *ctx, uint64_t n)
{
	const struct program *p = ctx;
	char *argv[12];
	posix_spawn_file_actions_t actions;

	memcpy(argv, p->argv, sizeof(argv));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
	for (uint64_t i = 0; i < n; i++) {
		char *env[] = { NULL };
		int status = -1;
		pid_t pid;

		if (posix_spawn(&pid, argv[0], &actions, NULL, argv, env) ||
		    waitpid(pid, &status, 0) != pid || status) {
			fprintf(stderr, "bench_measure: %s: ended with 0x%x\n", argv[0], status);
			exit(2);
		}
	}
	posix_spawn_file_actions_destroy(&actions);
}

/*
 * The command beside a program that links libcrypto and digests nothing once, this one with "--start"; and beside one
 * that ends at once, "--end", without a bound: hashing 4 MiB on two processors takes about as long as two starts.
 */
static void compare_command(struct bench *b)
{
	char self[512] = { 0 }, firmem[600], file[] = P_tmpdir "/firmem-bench-XXXXXX";
	struct program start = { { self, "--start" } }, end = { { self, "--end" } };
	struct program command = { { firmem, "measure", "snp", "--firmware", file, "--vcpus", "4",
				     "--vcpu-type", "EPYC-Milan" } };
	const struct bench_side value = { "measure snp, the command", run, &command, 3 };
	const struct bench_side reference = { "start of a libcrypto program", run, &start, 3 };
	const struct bench_side idle = { "one that ends at once", run, &end, 3 };
	int fd;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return;
	snprintf(firmem, sizeof(firmem), "%.*s/../tools/firmem", (int)(strrchr(self, '/') - self),
		 self);
	if (access(firmem, X_OK))
		return; /* built without tools */
	fd = mkstemp(file);
	if (fd < 0 || write(fd, image, LEN) != (ssize_t)LEN) {
		perror("bench_measure");
		exit(2);
	}
	close(fd);
	bench_compare(b, &value, &reference, 3.0);
	bench_compare(b, &value, &idle, 0);
	unlink(file);
}

int main(int argc, char **argv)
{
	uint32_t one = 1, many = 512;
	struct stream sha384 = { FM_DIGEST_SHA384, image, 0 };
	struct stream sha256 = { FM_DIGEST_SHA256, image, LEN };
	struct stream sha512 = sha256;
	const struct bench_side snp1 = { "SNP, 4 MiB, 1 vCPU", snp, &one, 2 };
	const struct bench_side snp512 = { "SNP, 4 MiB, 512 vCPUs", snp, &many, 2 };
	const struct bench_side every = { "every page hashed plainly", plainly, NULL, 2 };
	struct bench b;

	if (argc == 2 && !strcmp(argv[1], "--end"))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "--start")) {
		uint8_t out[48];

		return fm_digest_bytes(FM_DIGEST_SHA384, "", 0, out, NULL) != 0;
	}
	bench_init(&b, argc, argv);
	make_image();
	/* What MRTD hashes: 128 bytes a page, 384 for each 256 of the code. */
	sha384.len = LEN / PAGE * 128 + 2 * 128 + (LEN - 0x84000) / 256 * 384;
	sha384.bytes = calloc(1, sha384.len);
	sha512.alg = FM_DIGEST_SHA512;
	if (!sha384.bytes)
		return 2;
	compare_closely(&b, &snp1, &every, 0.42);
	compare_closely(&b, &snp512, &snp1, 1.10);
	compare_closely(&b, &(struct bench_side){ "TDX, 4 MiB", tdx, NULL, 1 },
			&(struct bench_side){ "SHA-384 of as many bytes", stream, &sha384, 1 },
			1.1);
	compare_closely(&b, &(struct bench_side){ "CCA, 4 MiB, SHA-256", cca, &sha256, 1 },
			&(struct bench_side){ "SHA-256 of the bytes", stream, &sha256, 1 }, 1.2);
	compare_closely(&b, &(struct bench_side){ "CCA, 4 MiB, SHA-512", cca, &sha512, 1 },
			&(struct bench_side){ "SHA-512 of the bytes", stream, &sha512, 1 }, 1.2);
	bench_compare(&b, &(struct bench_side){ "identify, every launch", identify, NULL, 1 },
		      &snp1, 200);
	compare_command(&b);
	free((void *)(uintptr_t)sha384.bytes);
	return bench_end(&b);
}
