# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Everything below tests/, included by the Makefile. The runners are `make` targets so that one
# of them can be run by hand; scripts/check.sh runs them all and counts.

FUZZ_SECONDS ?= 10
UNIT_FILTER  ?= %
E2E	     ?= $(sort $(wildcard tests/e2e/*.bats))
TEST_LIBS    := $(shell pkg-config --libs cmocka 2>/dev/null)

# An archive, so that a test links what it uses and may put its own in place of the rest.
USER_LIB     := $(BUILD)/user.a
USER_SOURCES := $(filter-out user/cli/main.c,$(SOURCES))

UNIT_SOURCES  := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BPF      := $(wildcard tests/unit/*.bpf.c)
UNIT_PROGRAMS := $(filter $(UNIT_FILTER),$(UNIT_SOURCES:%.c=$(BUILD)/%))
UNIT_SKELS    := $(UNIT_BPF:%.bpf.c=$(BUILD)/%.skel.h)
VERIFIER      := $(BUILD)/tests/verifier/verifier
PEERS	      := $(addprefix $(BUILD)/tests/e2e/peers/,crossing fill impair lookup rate tcp)

FUZZ_SOURCES  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS := $(FUZZ_SOURCES:%.c=$(BUILD)/fuzz/%)
FUZZ_LIB      := $(BUILD)/fuzz/user.a
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS    = $(filter-out $(SANITIZE),$(ALL_CFLAGS)) -O1 $(FUZZ_SANITIZE)

# make would take them for intermediate, delete them, and build them anew each time.
.PRECIOUS: $(BUILD)/tests/unit/%.bpf.o $(BUILD)/tests/unit/%.skel.h
.PHONY: test-build test-unit test-e2e soak fuzz fuzz-build verifier bench-routes bench-packets bench-door
test: verifier test-unit test-e2e fuzz ## run every test (root)
test-build: $(BIN) $(PEERS) $(VERIFIER) $(UNIT_PROGRAMS) ## build the binary and the unit tests, run nothing

# ---- unit tests ---------------------------------------------------------------------------

$(USER_LIB): $(USER_SOURCES:%.c=$(BUILD)/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar qcs $@ $^

$(BUILD)/tests/unit/%.bpf.o: tests/unit/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

# Included as "tests/unit/NAME.skel.h".
$(BUILD)/tests/unit/%.skel.h: $(BUILD)/tests/unit/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(UNIT_SOURCES:%.c=$(BUILD)/%.o): | $(UNIT_SKELS)

$(BUILD)/tests/unit/test_%: $(BUILD)/tests/unit/test_%.o $(USER_LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(TEST_LIBS)

test-unit: $(UNIT_PROGRAMS) ## run the unit tests (UNIT_FILTER=%/test_hello for one)
	$(Q)failed=0; for test in $(UNIT_PROGRAMS); do \
		echo "# $$test"; $$test || { echo "# FAILED: $$test"; failed=1; }; done; exit $$failed

# ---- end to end ---------------------------------------------------------------------------

$(BUILD)/tests/e2e/peers/impair.bpf.o: tests/e2e/peers/impair.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

$(BUILD)/tests/e2e/peers/impair.skel.h: $(BUILD)/tests/e2e/peers/impair.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name impair_bpf > $@

$(BUILD)/tests/e2e/peers/impair.o: | $(BUILD)/tests/e2e/peers/impair.skel.h

$(BUILD)/tests/e2e/peers/tcp: $(addprefix $(BUILD)/tests/e2e/peers/tcp_,client.o connection.o hello.o server.o)
$(PEERS): %: %.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

test-e2e: $(BIN) $(PEERS) ## run the tests in network namespaces (root; E2E=tests/e2e/route.bats for one)
	$(Q)ALPNLB=$(abspath $(BIN)) PEERS=$(abspath $(BUILD)/tests/e2e/peers) NODE_PATH=$(abspath $(BUILD)/npm/node_modules) \
		bats $(E2E)

SOAK ?= 5m

soak: $(BIN) $(PEERS) ## traffic while servers die, hang and are replaced (root; SOAK='2h --seed 7')
	$(Q)ALPNLB=$(abspath $(BIN)) PEERS=$(abspath $(BUILD)/tests/e2e/peers) tests/soak $(SOAK)

# ---- bench --------------------------------------------------------------------------------

BENCH_LOAD := $(BUILD)/tests/bench/load
BENCH_FLOOD := $(BUILD)/tests/bench/flood

$(BENCH_LOAD) $(BENCH_FLOOD): %: %.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^

bench: $(BIN) $(BENCH_LOAD) $(BENCH_FLOOD) ## measure against direct routing, HAProxy and nginx (root; BENCH='--rounds 1' for options)
	$(Q)$(MAKE) -j1 --no-print-directory bench-door bench-packets bench-routes
	$(Q)ALPNLB=$(abspath $(BIN)) BUILD=$(BUILD) tests/bench/run $(BENCH)

BENCH_DOOR := $(BUILD)/tests/bench/door_cost

$(BENCH_DOOR): $(BENCH_DOOR).o $(USER_LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

bench-door: $(BIN) $(BENCH_FLOOD) $(BENCH_DOOR) ## measure what the door drops, and what that costs (root)
	$(Q)ALPNLB=$(abspath $(BIN)) BUILD=$(BUILD) tests/bench/door

BENCH_ROUTES := $(BUILD)/tests/bench/routes

$(BENCH_ROUTES).o: | $(UNIT_SKELS)
$(BENCH_ROUTES): $(BENCH_ROUTES).o $(USER_LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

BENCH_PACKETS := $(BUILD)/tests/bench/packets

$(BENCH_PACKETS).o: | $(SKELETONS)
$(BENCH_PACKETS): $(BENCH_PACKETS).o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

bench-packets: $(BENCH_PACKETS) ## measure a spliced packet's cost against the number of flows (root)
	$(Q)$(BENCH_PACKETS) $(BUILD)/bench-packets.json

bench-routes: $(BENCH_ROUTES) ## measure a hello's cost against the number of routes (root)
	$(Q)$(BENCH_ROUTES) $(BUILD)/bench-routes.json

# ---- the verifier's work ------------------------------------------------------------------

$(VERIFIER): $(BUILD)/tests/verifier/verifier.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

verifier: $(VERIFIER) $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/%.bpf.o) ## instructions the verifier processes, against tests/verifier-ceilings (root)
	$(Q)$(VERIFIER) tests/verifier-ceilings $(filter %.bpf.o,$^)

# ---- fuzzing ------------------------------------------------------------------------------

$(BUILD)/fuzz/%.o: %.c | $(SKELETONS)
	$(call say,FUZZ-CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(FUZZ_LIB): $(USER_SOURCES:%.c=$(BUILD)/fuzz/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar qcs $@ $^

$(BUILD)/fuzz/tests/fuzz/fuzz_%: $(BUILD)/fuzz/tests/fuzz/fuzz_%.o $(FUZZ_LIB)
	$(call say,FUZZ-LD,$@)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS) $(TEST_LIBS)

fuzz-build: $(FUZZ_PROGRAMS)

# New inputs go to the build directory, findings to build/fuzz/; the corpus in the tree is only read.
fuzz: $(FUZZ_PROGRAMS) ## run each fuzz target over its corpus for FUZZ_SECONDS (10)
	$(Q)failed=0; for target in $(FUZZ_PROGRAMS); do \
		name=$${target##*/}; name=$${name#fuzz_}; echo "# fuzz $$name"; \
		mkdir -p $(BUILD)/fuzz/found/$$name; corpus=tests/fuzz/corpus/$$name; dict=tests/fuzz/$$name.dict; \
		[ -d $$corpus ] || corpus=; [ -f $$dict ] && dict=-dict=$$dict || dict=; \
		$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
			-verbosity=0 -artifact_prefix=$(BUILD)/fuzz/$$name- $$dict \
			$(BUILD)/fuzz/found/$$name $$corpus && echo "ok - fuzz $$name" || \
			{ echo "not ok - fuzz $$name"; failed=1; }; done; exit $$failed

-include $(PEERS:%=%.d) $(wildcard $(BUILD)/tests/e2e/peers/tcp_*.d) $(BUILD)/tests/e2e/peers/impair.bpf.d
-include $(UNIT_SOURCES:%.c=$(BUILD)/%.d) $(UNIT_BPF:%.c=$(BUILD)/%.d) $(VERIFIER).d $(BENCH_LOAD).d $(BENCH_FLOOD).d $(BENCH_ROUTES).d $(BENCH_PACKETS).d
-include $(FUZZ_SOURCES:%.c=$(BUILD)/fuzz/%.d) $(USER_SOURCES:%.c=$(BUILD)/fuzz/%.d)
