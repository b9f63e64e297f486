/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/firmem/machine_dump.h"

#include "tools/firmem/args.h"
#include "tools/firmem/dump_file.h"
#include "tools/firmem/out.h"
#include "tools/firmem/target.h"
#include "tools/firmem/tree.h"

#include <firmem/dump.h>
#include <firmem/ram.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct job {
	const char *dtb;
	const char *core;
	const char *ram;
	const char *roles_text;
	uint64_t roles;
	unsigned arch; /* 0: what the tree says */
	bool arch_given;
	bool force;
	bool json;
	struct fm_machine *machine;
	unsigned banks; /* of flash, so far */
	unsigned told;  /* enum arch that the tree tells, + 1 */
	struct fm_dump_part *parts;
	size_t nparts;
};

enum arch {
	ARCH_X86_64,
	ARCH_AARCH64,
	ARCH_RISCV64
};

static const char *const archs[] = { "x86-64", "aarch64", "riscv64", NULL };
static const uint16_t elf_machines[] = { 62, 183, 243 };

/* --- the machine ------------------------------------------------------------------------------- */

/* Flash is not what a dump is for: a bank is a block of its role, so that the dump can say so. */
static int add_bank(const struct fm_fdt_node *node, struct fm_machine *machine,
		    struct fm_space *space, struct job *job, unsigned index, struct fm_error *err)
{
	char name[32];
	struct fm_block_config c = { .struct_size = sizeof(c),
				     .name = name,
				     .role = job->banks ? FM_ROLE_FLASH_VARS : FM_ROLE_FLASH_CODE,
				     .backing = FM_BACKING_MEMFD };
	struct fm_ram_config ram = { .struct_size = sizeof(ram), .name = name };
	struct fm_window_config w = { .struct_size = sizeof(w) };
	struct fm_block *block;
	int rc = fm_fdt_node_reg(node, index, &w.gpa, &c.len, err);

	if (rc)
		return rc;
	snprintf(name, sizeof(name), "flash@%llx", (unsigned long long)w.gpa);
	rc = fm_block_new(&block, &c, err);
	if (rc)
		return rc;
	rc = fm_machine_add_block(machine, block, err);
	if (rc) {
		fm_block_free(block);
		return rc;
	}
	ram.block = block;
	rc = fm_ram_new(&w.dev, &ram, err);
	if (rc)
		return rc;
	rc = fm_machine_add_dev(machine, w.dev, err);
	if (rc) {
		fm_dev_free(w.dev);
		return rc;
	}
	job->banks++;
	return fm_space_add(space, &w, NULL, err);
}

static int build_flash(const struct fm_fdt_node *node, struct fm_machine *machine,
		       struct fm_space *space, void *ctx, struct fm_error *err)
{
	int count = fm_fdt_node_reg_count(node, err);
	int rc = count < 0 ? count : 0;

	for (int i = 0; !rc && i < count; i++)
		rc = add_bank(node, machine, space, ctx, (unsigned)i, err);
	return rc;
}

static int is_aarch64(const struct fm_fdt_node *node, struct fm_machine *machine,
		      struct fm_space *space, void *ctx, struct fm_error *err)
{
	((struct job *)ctx)->told = ARCH_AARCH64 + 1;
	return 0;
}

static int is_riscv64(const struct fm_fdt_node *node, struct fm_machine *machine,
		      struct fm_space *space, void *ctx, struct fm_error *err)
{
	((struct job *)ctx)->told = ARCH_RISCV64 + 1;
	return 0;
}

static bool read_machine(struct job *job)
{
	struct fm_block_fdt_options memory = { .struct_size = sizeof(memory),
					       .readonly = true,
					       .roles = job->roles };
	enum fm_backing vram = FM_BACKING_MEMFD;
	struct fm_fdt_binding bindings[TREE_BINDINGS + 2] = {
		[TREE_BINDINGS] = { "arm,armv8-timer", is_aarch64, job },
		{ "riscv", is_riscv64, job },
	};
	const struct fm_fdt_options options = { .struct_size = sizeof(options),
						.source = job->dtb,
						.ram_backing = FM_BACKING_MEMFD,
						.ram_path = job->ram };

	tree_bindings(bindings, NULL, &memory, &vram);
	bindings[0] = (struct fm_fdt_binding){ "cfi-flash", build_flash, job };
	job->machine = tree_machine(bindings, TREE_BINDINGS + 2, &options);
	return job->machine;
}

/* --- what is asked for -------------------------------------------------------------------------- */

static bool choose_role(struct job *job, const char *word)
{
	const char *names[FM_ROLE_COUNT] = { NULL };
	enum fm_role role = fm_role_from_name(word);
	const char *near;

	if (role != FM_ROLE_NONE) {
		job->roles |= FM_DUMP_ROLE(role);
		return true;
	}
	for (unsigned i = FM_ROLE_NONE + 1; i < FM_ROLE_COUNT; i++)
		names[i - 1] = fm_role_name((enum fm_role)i);
	near = args_nearest(word, names);
	complain("machine dump: --roles: \"%s\", expected roles such as ram or dimm%s%s%s", word,
		 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return false;
}

static bool choose_roles(struct job *job)
{
	char *text = job->roles_text ? out_need(strdup(job->roles_text)) : NULL;
	char *rest = text;
	bool ok = true;

	if (!text)
		job->roles = FM_DUMP_VOLATILE;
	while (ok && rest)
		ok = choose_role(job, strsep(&rest, ","));
	free(text);
	/* Memory nodes are of these roles; a file of blocks that are left out is not opened. */
	if (!(job->roles & (FM_DUMP_ROLE(FM_ROLE_RAM) | FM_DUMP_ROLE(FM_ROLE_DIMM))))
		job->ram = NULL;
	return ok;
}

static bool is_chosen(const struct job *job, const struct fm_block *block)
{
	return job->roles & FM_DUMP_ROLE(fm_block_role(block));
}

/* Whose memory would it be? Zeros that nobody ever had are no dump. */
static bool has_files(const struct job *job)
{
	struct fm_block *block;
	bool any = false;

	fm_machine_foreach_block (job->machine, FM_WALK_ALL, block) {
		if (!is_chosen(job, block))
			continue;
		any = true;
		if (fm_block_backing(block) == FM_BACKING_FILE)
			continue;
		complain("%s: block %s: role %s: the tree names no file with its contents, "
			 "expected %s",
			 job->dtb, fm_block_name(block), fm_role_name(fm_block_role(block)),
			 !job->ram ? "--ram FILE, or firmem,path in the tree"
				   : "firmem,path in the tree");
		return false;
	}
	if (!any)
		complain("%s: no block has a role of --roles %s, expected one", job->dtb,
			 job->roles_text ? job->roles_text : "ram,dimm,virtio-mem");
	return any;
}

/* The guest's memory, all of it and no more: another size is another guest's. */
static bool ram_fits(const struct job *job)
{
	struct fm_block *block;
	uint64_t sum = 0;
	struct stat st;

	if (!job->ram)
		return true;
	fm_machine_foreach_block (job->machine, FM_WALK_ALL, block) {
		if (!strcmp(fm_block_path(block), job->ram))
			sum += fm_block_len(block);
	}
	if (!stat(job->ram, &st) && (uint64_t)st.st_size == sum)
		return true;
	complain(
		"machine dump: --ram: %s has 0x%llx bytes, expected the 0x%llx of the memory nodes "
		"of %s",
		job->ram, (unsigned long long)st.st_size, (unsigned long long)sum, job->dtb);
	return false;
}

/* The new file takes the place of none that is read. */
static bool spares_inputs(const struct job *job)
{
	struct fm_block *block;
	const char *taken = target_same(job->dtb, job->core) ? job->dtb : NULL;

	fm_machine_foreach_block (job->machine, FM_WALK_ALL, block) {
		if (target_same(fm_block_path(block), job->core))
			taken = fm_block_path(block);
	}
	if (taken)
		complain("%s: is %s, expected another file for the dump", job->core, taken);
	return !taken;
}

static bool choose_arch(struct job *job)
{
	if (!job->arch_given && job->told)
		job->arch = job->told - 1;
	if (job->arch_given || job->told)
		return true;
	complain("machine dump: --arch: %s does not say it, expected x86-64, aarch64 or riscv64",
		 job->dtb);
	return false;
}

/* --- the dump ------------------------------------------------------------------------------ */

static const struct out_column columns[] = {
	{ "block", "BLOCK", OUT_TEXT },        { "role", "ROLE", OUT_TEXT },
	{ "address", "ADDRESS", OUT_ADDRESS }, { "size", "SIZE", OUT_SIZE },
	{ "dump", "DUMP", OUT_TEXT },
};

static void note_part(void *ctx, const struct fm_dump_part *part)
{
	struct job *job = ctx;

	job->parts = out_need(reallocarray(job->parts, job->nparts + 1, sizeof(*job->parts)));
	job->parts[job->nparts++] = *part;
}

static void put_part(struct out *out, const struct fm_dump_part *part)
{
	const char *name = fm_block_name(part->block);

	out_row(out, (const struct out_value[]){
			     { .text = *name ? name : "(unnamed)" },
			     { .text = fm_role_name(fm_block_role(part->block)) },
			     { .number = part->gpa, .absent = part->why != FM_DUMP_INCLUDED },
			     { .number = part->len },
			     { .text = fm_dump_why_name(part->why) },
		     });
}

static enum status put_result(const struct job *job, const struct fm_dump_result *result)
{
	struct out *out = out_new(job->json);

	out_value(out, "source", OUT_TEXT, (struct out_value){ .text = job->dtb });
	out_value(out, "core", OUT_TEXT, (struct out_value){ .text = job->core });
	out_value(out, "arch", OUT_TEXT, (struct out_value){ .text = archs[job->arch] });
	out_table(out, "parts", columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; i < job->nparts; i++)
		put_part(out, &job->parts[i]);
	out_table_end(out);
	out_value(out, "memory", OUT_SIZE, (struct out_value){ .number = result->bytes });
	out_value(out, "written", OUT_SIZE, (struct out_value){ .number = result->written });
	return out_end(out, STATUS_YES);
}

static enum status dump(struct job *job, const struct dump_file *file)
{
	struct fm_dump_config c = { .struct_size = sizeof(c),
				    .machine = job->machine,
				    .space = fm_machine_next_space(job->machine, NULL),
				    .roles = job->roles,
				    .elf_machine = elf_machines[job->arch] };
	struct fm_dump_result result;

	return dump_file_write(file, &c, &result) ? put_result(job, &result) : STATUS_BAD;
}

/* --- the verb ------------------------------------------------------------------------------ */

static const char dump_text[] =
	"The memory is another process's, such as a QEMU with -object memory-backend-file,share=on: its\n"
	"files are mapped for reading only. Stop the guest meanwhile, or the dump is of no one moment.\n"
	"DUMP is included, not chosen (by --roles), hidden (no address shows it) or private (to an\n"
	"encrypted guest); a note in the file says the same. CORE takes its name when it is whole.\n"
	"\n"
	"Examples:\n"
	"  qemu-system-aarch64 -machine virt,dumpdtb=virt.dtb -cpu cortex-a57 -m 6G\n"
	"  qemu-system-aarch64 -machine virt,memory-backend=ram -cpu cortex-a57 -m 6G \\\n"
	"    -object memory-backend-file,id=ram,size=6G,mem-path=/dev/shm/ram,share=on ...\n"
	"  firmem machine dump --dtb virt.dtb --ram /dev/shm/ram -o core\n"
	"  gdb -nx -ex 'core-file core' -ex 'x/16x 0x100000000'\n";

enum status machine_dump_run(int argc, char **argv)
{
	struct job job = { .dtb = NULL };
	const struct args_option options[] = {
		{ "dtb", ARGS_TEXT, "FILE", "the machine's device tree blob", &job.dtb, true },
		{ "output", ARGS_TEXT, "CORE", "the file to make", &job.core, true, .letter = 'o' },
		{ "ram", ARGS_TEXT, "FILE",
		  "what the memory nodes show, one behind the\nother, the lowest address first",
		  &job.ram },
		{ "roles", ARGS_TEXT, "LIST",
		  "which blocks, with commas between them;\ndefault ram,dimm,virtio-mem",
		  &job.roles_text },
		{ "arch", ARGS_CHOICE, "ARCH",
		  "x86-64, aarch64 or riscv64; default: as the\ntree says", &job.arch, false,
		  &job.arch_given, archs },
		{ "force", ARGS_FLAG, NULL, "replace a file that is there", &job.force },
		{ "json", ARGS_FLAG, NULL, "print one JSON object", &job.json },
	};
	const struct args_spec spec = {
		.command = "machine dump",
		.summary = "Write the memory of a running guest as a core file.",
		.text = dump_text,
		.options = options,
		.count = sizeof(options) / sizeof(*options),
	};
	enum args_result result = args_parse(&spec, argc, argv);
	struct dump_file file = { .part = note_part, .ctx = &job };
	enum status status = STATUS_BAD;

	if (result != ARGS_GO)
		return result == ARGS_DONE ? STATUS_YES : STATUS_BAD;
	file.path = job.core;
	file.force = job.force;
	if (choose_roles(&job) && dump_file_check(&file) && read_machine(&job) && has_files(&job) &&
	    ram_fits(&job) && spares_inputs(&job) && choose_arch(&job))
		status = dump(&job, &file);
	fm_machine_free(job.machine);
	free(job.parts);
	return status;
}
