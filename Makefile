# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `make help` lists the targets. Everything generated lands below build/, but for the binary.

CC	?= cc
CLANG	?= clang
BPFTOOL	?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PREFIX	?= /usr/local
DESTDIR	?=
BUILD	?= build
BIN	?= alpnlb
VERSION	:= 0.1.0

sbindir		= $(PREFIX)/sbin
mandir		= $(PREFIX)/share/man
completiondir	= $(PREFIX)/share/bash-completion/completions
unitdir		= $(PREFIX)/lib/systemd/system

Q := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-8s %s\n' $(1) $(2))

PACKAGES := libbpf libevent_core libevent_extra libevent_pthreads libevent_openssl libssl libcrypto \
	jansson yaml-0.1 libcurl libpcre2-8 libelf zlib
LIBS_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
LIBS := $(shell pkg-config --libs $(PACKAGES)) -lpthread

CFLAGS ?= -O2 -g
SANITIZE ?=
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wno-unused-parameter
ALL_CFLAGS = -std=gnu11 $(WARNINGS) -D_GNU_SOURCE -DALPNLB_VERSION='"$(VERSION)"' \
	-I$(BUILD) $(LIBS_CFLAGS) $(SANITIZE) $(CFLAGS)

# -mcpu=v3: the program uses the value an atomic add returns (kernel 5.12).
BPF_ARCH := $(shell uname -m | sed -e 's/x86_64/x86/' -e 's/aarch64/arm64/')
BPF_CFLAGS = -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Wno-missing-declarations \
	-D__TARGET_ARCH_$(BPF_ARCH) -I/usr/include/$(shell $(CC) -print-multiarch)

SOURCES := $(wildcard user/model/*.c user/kernel/*.c user/daemon/*.c user/api/*.c user/show/*.c user/cli/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
BPF_SOURCES := $(wildcard bpf/*.bpf.c)
SKELETONS := $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/%.skel.h)

.DELETE_ON_ERROR:
.PRECIOUS: $(BUILD)/%.bpf.o $(BUILD)/%.skel.h
.PHONY: all help install uninstall clean test bench
all: $(BIN) ## build the binary (default)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  Variables: CLANG CC CFLAGS SANITIZE PREFIX DESTDIR BUILD BIN V=1'

$(BIN): $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# The skeletons are generated headers: they have to exist before the first compile.
$(BUILD)/%.o: %.c | $(SKELETONS)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

include tests/tests.mk

install: $(BIN) ## install binary, manual pages, systemd unit and completion
	install -Dm755 $(BIN) $(DESTDIR)$(sbindir)/alpnlb
	for page in user/man/*.8; do install -Dm644 $$page $(DESTDIR)$(mandir)/man8/$${page##*/} || exit 1; done
	ln -sf alpnlb-check.8 $(DESTDIR)$(mandir)/man8/alpnlb-apply.8
	for page in pending zone task; do ln -sf alpnlb-refresh.8 $(DESTDIR)$(mandir)/man8/alpnlb-$$page.8 || exit 1; done
	sed 's|@sbindir@|$(sbindir)|g' user/systemd/alpnlb@.service.in > $(BUILD)/alpnlb@.service
	install -Dm644 $(BUILD)/alpnlb@.service $(DESTDIR)$(unitdir)/alpnlb@.service
	install -Dm644 user/completion/alpnlb $(DESTDIR)$(completiondir)/alpnlb

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(sbindir)/alpnlb $(DESTDIR)$(unitdir)/alpnlb@.service $(DESTDIR)$(completiondir)/alpnlb
	for page in apply pending zone task; do rm -f $(DESTDIR)$(mandir)/man8/alpnlb-$$page.8; done
	for page in user/man/*.8; do rm -f $(DESTDIR)$(mandir)/man8/$${page##*/}; done

clean: ## remove everything that was built
	rm -rf $(BUILD) $(BIN)

-include $(OBJECTS:.o=.d) $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/%.bpf.d)
