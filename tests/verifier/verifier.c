// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Loads every program of the given BPF objects and prints how many instructions the verifier
 * processed for each. Exit 1 if one is above its ceiling, has none, or does not load.
 *
 *	verifier CEILINGS OBJECT.bpf.o...
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_STATS    4 /* BPF_LOG_STATS: the kernel writes only its summary */
#define LOG_SIZE     (64 * 1024)
#define MAX_PROGRAMS 64

static char logs[MAX_PROGRAMS][LOG_SIZE];
static unsigned int passed, failed;

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* The ceiling of a program, or -ENOENT. */
static long ceiling_of(FILE *ceilings, const char *program)
{
	char line[256], name[128];
	long ceiling;

	rewind(ceilings);
	while (fgets(line, sizeof(line), ceilings))
		if (sscanf(line, "%127s %ld", name, &ceiling) == 2 && !strcmp(name, program))
			return ceiling;
	return -ENOENT;
}

static void result(bool ok, const char *program, const char *what)
{
	printf("%sok %u - %s: %s\n", ok ? "" : "not ", passed + failed + 1, program, what);
	if (ok)
		passed++;
	else
		failed++;
}

/* What the verifier said last is why it refused. */
static void explain(char *log)
{
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		printf("# %s\n", line);
}

static void judge(const char *program, const char *log, FILE *ceilings)
{
	const char *processed = strstr(log, "processed ");
	long ceiling = ceiling_of(ceilings, program), insns;
	char what[128];

	if (!processed) {
		result(false, program, "the verifier's log has no 'processed N insns'");
		return;
	}
	insns = strtol(processed + strlen("processed "), NULL, 10);
	if (ceiling < 0)
		snprintf(what, sizeof(what), "%ld instructions processed, no ceiling set", insns);
	else
		snprintf(what, sizeof(what), "%ld instructions processed, ceiling %ld", insns, ceiling);
	result(ceiling >= 0 && insns <= ceiling, program, what);
}

/*
 * The daemon sizes some maps before it loads them; for the verifier any size will do.
 */
static void size_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		bool ringbuf = bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF;

		if (!bpf_map__max_entries(map))
			bpf_map__set_max_entries(map, ringbuf ? 4096 : 1);
		bpf_map__set_pin_path(map, NULL);
	}
}

static void check_object(const char *path, FILE *ceilings)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	size_t n = 0;
	int err;

	if (!object) {
		result(false, path, strerror(errno));
		return;
	}
	size_maps(object);
	bpf_object__for_each_program(program, object) {
		bpf_program__set_autoload(program, true);
		bpf_program__set_log_level(program, LOG_STATS);
		if (n < MAX_PROGRAMS)
			bpf_program__set_log_buf(program, logs[n++], LOG_SIZE);
	}
	err = bpf_object__load(object);
	n = 0;
	bpf_object__for_each_program(program, object)
		if (n < MAX_PROGRAMS)
			judge(bpf_program__name(program), logs[n++], ceilings);
	if (err) {
		result(false, path, strerror(-err));
		for (size_t i = 0; i < n; i++)
			explain(logs[i]);
	}
	memset(logs, 0, sizeof(logs));
	bpf_object__close(object);
}

int main(int argc, char **argv)
{
	FILE *ceilings;

	if (argc < 3) {
		fprintf(stderr, "usage: verifier CEILINGS OBJECT.bpf.o...\n");
		return 2;
	}
	ceilings = fopen(argv[1], "re");
	if (!ceilings) {
		fprintf(stderr, "verifier: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	libbpf_set_print(print);
	for (int i = 2; i < argc; i++)
		check_object(argv[i], ceilings);
	fclose(ceilings);
	printf("1..%u\n", passed + failed);
	return failed != 0;
}
