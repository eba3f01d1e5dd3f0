#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Installs what the build, the demo and the tests need, from Debian's packages, and the public client
# of the API below build/npm. Does nothing when everything is there. The nginx, haproxy, postfix,
# MariaDB and PostgreSQL packages bring system services: those this script installs are neither started
# nor enabled.
set -euo pipefail

BUILD_PACKAGES=(
	bpftool clang gcc libbpf-dev libc6-dev libclang-rt-14-dev libcurl4-openssl-dev libelf-dev libevent-dev
	libjansson-dev libpcre2-dev libssl-dev libyaml-dev linux-libc-dev llvm make pkg-config uthash-dev
	zlib1g-dev
)
TEST_PACKAGES=(
	bats curl ethtool gnutls-bin haproxy gojq iproute2 jq libcmocka-dev libnginx-mod-stream man-db
	mariadb-server nghttp2-client nftables nginx-light nodejs npm openssl postfix postgresql procps python3
	shellcheck tcpdump tshark
)
# The client with what it needs itself, for tests/e2e/https.bats.
NPM_PACKAGES=(ovh@2.0.3 async@0.9.2 bluebird@3.7.2)
NPM_DIR=$(dirname "$0")/../build/npm

say() {
	printf 'deps: %s\n' "$*"
}

die() {
	printf 'deps: %s\n' "$*" >&2
	exit 1
}

# nodejs of others than Debian brings its npm, and does not go with Debian's.
missing_packages() {
	local package
	for package in "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"; do
		[[ $package != npm ]] || ! command -v npm >/dev/null || continue
		[[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) == ii* ]] ||
			printf '%s\n' "$package"
	done
}

# Package scripts ask policy-rc.d before they start a service; 101 is "not allowed".
POLICY=/usr/sbin/policy-rc.d
forbid_services() {
	[[ -e $POLICY ]] && return
	printf '#!/bin/sh\nexit 101\n' >"$POLICY"
	chmod 755 "$POLICY"
	trap 'rm -f "$POLICY"' EXIT
}

disable_services() {
	local package
	command -v systemctl >/dev/null || return 0
	for package in "$@"; do
		case $package in
		mariadb-server) systemctl --quiet disable mariadb ;;
		nginx-light) systemctl --quiet disable nginx ;;
		haproxy | postfix | postgresql) systemctl --quiet disable "$package" ;;
		esac
	done
}

install_packages() {
	local log status=0
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get -o DPkg::Lock::Timeout=300 update -q &&
		apt-get -o DPkg::Lock::Timeout=300 install -qy --no-install-recommends "$@"; } \
		>"$log" 2>&1 </dev/null || status=$?
	((status == 0)) || cat "$log" >&2
	rm -f "$log"
	((status == 0)) || die "apt-get could not install: $*"
}

client_is_there() {
	local package
	for package in "${NPM_PACKAGES[@]}"; do
		grep -qs "\"version\": \"${package#*@}\"" "$NPM_DIR/node_modules/${package%@*}/package.json" ||
			return 1
	done
}

# Without it one test is skipped, which says so.
install_client() {
	client_is_there && return
	say "installing ${NPM_PACKAGES[*]}"
	mkdir -p "$NPM_DIR"
	npm install --prefix "$NPM_DIR" --ignore-scripts --no-audit --no-fund --loglevel=error \
		"${NPM_PACKAGES[@]}" >/dev/null || say "npm could not install: ${NPM_PACKAGES[*]}"
}

[[ -x /usr/bin/dpkg-query && -x /usr/bin/apt-get ]] ||
	die "this is not a Debian system: install by hand: ${BUILD_PACKAGES[*]} ${TEST_PACKAGES[*]}"
mapfile -t missing < <(missing_packages)
if ((${#missing[@]} == 0)); then
	say "all packages are there"
else
	((EUID == 0)) || die "not root, and these packages are missing: ${missing[*]}"
	say "installing ${missing[*]}"
	forbid_services
	install_packages "${missing[@]}"
	disable_services "${missing[@]}"
fi
install_client
