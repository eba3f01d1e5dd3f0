// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lookup N: attaches N sk_lookup programs, which choose nothing, to its network namespace; says
 * "ready", and takes them away when it ends.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int load(void)
{
	static const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = SK_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_SK_LOOKUP);

	return bpf_prog_load(BPF_PROG_TYPE_SK_LOOKUP, "pass", "Dual BSD/GPL", pass, 2, &options);
}

int main(int argc, char **argv)
{
	int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), program = load();
	int n = argc > 1 ? atoi(argv[1]) : 1;

	for (int i = 0; i < n; i++)
		if (bpf_link_create(program, netns, BPF_SK_LOOKUP, NULL) < 0) {
			printf("program %d: %s\n", i, strerror(errno));
			return 1;
		}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
