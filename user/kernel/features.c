/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "features.h"

/* clang-format off */
#define INSN(c, d, s, o, i) {.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)}
#define MOV_IMM(d, i)	      INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define STORE_IMM(d, o, i)    INSN(BPF_ST | BPF_MEM | BPF_DW, d, 0, o, i)
#define FETCH_ADD(d, s, o)    INSN(BPF_STX | BPF_ATOMIC | BPF_DW, d, s, o, BPF_ADD | BPF_FETCH)
#define CMPXCHG(d, s, o)      INSN(BPF_STX | BPF_ATOMIC | BPF_DW, d, s, o, BPF_CMPXCHG)
#define EXIT()		      INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Loads a program and returns its fd, or -errno. */
static int load(enum bpf_prog_type type, enum bpf_attach_type attach, const struct bpf_insn *insns,
		size_t n)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	int fd = bpf_prog_load(type, "alpnlb_probe", "Dual BSD/GPL", insns, n, &opts);

	return fd < 0 ? -errno : fd;
}

/* Creates a map and returns its fd, or -errno. */
static int create(enum bpf_map_type type, __u32 key, __u32 value, __u32 n, __u32 flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(type, "alpnlb_probe", key, value, n, &opts);

	return fd < 0 ? -errno : fd;
}

/* 0 for an fd, which is closed, else the error. */
static int opened(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int probe_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) ? -errno : 0;
}

/* A verdict program without a stream parser on a sockhash. */
static int probe_verdict(void)
{
	static const struct bpf_insn pass[] = {MOV_IMM(BPF_REG_0, SK_PASS), EXIT()};
	int map = create(BPF_MAP_TYPE_SOCKHASH, 4, 8, 1, 0), program = -1, err = map;

	if (map < 0)
		goto out;
	err = program = load(BPF_PROG_TYPE_SK_SKB, BPF_SK_SKB_VERDICT, pass, COUNT(pass));
	if (program < 0)
		goto out;
	err = bpf_prog_attach(program, map, BPF_SK_SKB_VERDICT, 0) ? -errno : 0;
	if (!err)
		bpf_prog_detach2(program, map, BPF_SK_SKB_VERDICT);
out:
	opened(program);
	opened(map);
	return err;
}

static int probe_atomics(void)
{
	static const struct bpf_insn insns[] = {
		STORE_IMM(BPF_REG_10, -8, 0),
		MOV_IMM(BPF_REG_0, 0),
		MOV_IMM(BPF_REG_1, 1),
		FETCH_ADD(BPF_REG_10, BPF_REG_1, -8),
		CMPXCHG(BPF_REG_10, BPF_REG_1, -8),
		MOV_IMM(BPF_REG_0, 0),
		EXIT(),
	};

	return opened(load(BPF_PROG_TYPE_SK_SKB, BPF_SK_SKB_VERDICT, insns, COUNT(insns)));
}

/* libbpf takes every failure but one to mean that the helper is there, so rule out others. */
static int probe_loop(void)
{
	static const struct bpf_insn pass[] = {MOV_IMM(BPF_REG_0, SK_PASS), EXIT()};
	int err, known;

	err = opened(load(BPF_PROG_TYPE_SK_SKB, BPF_SK_SKB_VERDICT, pass, COUNT(pass)));
	if (err)
		return err;
	known = libbpf_probe_bpf_helper(BPF_PROG_TYPE_SK_SKB, BPF_FUNC_loop, NULL);
	return known < 0 ? known : known ? 0 : -EOPNOTSUPP;
}

static int probe_mmap(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int map = create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE), err = 0;
	void *memory;

	if (map < 0)
		return map;
	memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (memory == MAP_FAILED)
		err = -errno;
	else
		munmap(memory, page);
	close(map);
	return err;
}

static int probe_map_in_map(void)
{
	int inner = create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_INNER_MAP | BPF_F_MMAPABLE), err;

	if (inner < 0)
		return inner;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = inner);
	err = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "alpnlb_probe", 4, 4, 2, &opts);
	if (err < 0)
		err = -errno;
	close(inner);
	return opened(err);
}

static int probe_ringbuf(void)
{
	return opened(create(BPF_MAP_TYPE_RINGBUF, 0, 0, sysconf(_SC_PAGESIZE), 0));
}

const struct feature features[] = {
	{"BTF of the kernel", "5.4, CONFIG_DEBUG_INFO_BTF", probe_btf},
	{"sockhash with a verdict program", "5.13, CONFIG_BPF_STREAM_PARSER", probe_verdict},
	{"atomic operations", "5.12", probe_atomics},
	{"bpf_loop", "5.17", probe_loop},
	{"arrays in shared memory", "5.5", probe_mmap},
	{"arrays of arrays", "5.10", probe_map_in_map},
	{"ring buffers", "5.8", probe_ringbuf},
};
const size_t n_features = COUNT(features);

const struct feature *feature_missing(void)
{
	for (size_t i = 0; i < n_features; i++) {
		int err = features[i].probe();

		if (err && err != -EPERM && err != -EACCES)
			return &features[i];
	}
	return NULL;
}
