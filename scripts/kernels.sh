#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Tries alpnlb on other kernels: boots Debian's in an emulated machine (QEMU; no KVM needed),
# loads the programs, carries traffic over every path, applies a second configuration, drains,
# kills the daemon under spliced connections.
#
#	scripts/kernels.sh [VERSION...]
#	scripts/kernels.sh --systemd [VERSION...]
#
# With --systemd the machine runs systemd, from the files of this host's package, and the unit
# that `make install` puts there: enable, start, reload, stop, traffic.
#
# VERSION is the beginning of a package's: `6.1` and `6.12`, the default, take the newest
# linux-image-6.1.*-cloud-amd64 and linux-image-6.12.*-cloud-amd64 that the package lists know
# (`apt-get update` to know more). Kernels are kept below build/kernels/ and never installed; the
# packages that boot them are, if need be. Each takes minutes, hence this is no part of
# check.sh. What runs in the machine is tests/kernels/init, or tests/kernels/service.
#
# Exit 0 if every check passed on every kernel. A kernel where the self-test fails, or whose
# sockmap is known to lose or repeat data, passes if `auto` falls back to relay; the summary says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PACKAGES=(bpftool busybox-static qemu-system-x86 xz-utils)
DIR=build/kernels
SECONDS_PER_KERNEL=${SECONDS_PER_KERNEL:-300}
GUEST=tests/kernels
# veth joins the namespaces in the machine; the next two attach programs to interfaces before 6.6, and
# the others list sockets.
MODULES=('*/net/veth.ko*' '*/sched/sch_ingress.ko*' '*/sched/cls_bpf.ko*' '*/ipv4/inet_diag.ko*'
	'*/ipv4/tcp_diag.ko*')
ACCEL=${ACCEL:-tcg,thread=multi} # or kvm, where it works

die() {
	printf 'kernels: %s\n' "$*" >&2
	exit 1
}

install_packages() {
	local package missing=()
	for package in "${PACKAGES[@]}"; do
		[[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) == ii* ]] ||
			missing+=("$package")
	done
	((${#missing[@]} > 0)) || return 0
	((EUID == 0)) || die "not root, and these packages are missing: ${missing[*]}"
	printf 'kernels: installing %s\n' "${missing[*]}"
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -qy \
		--no-install-recommends "${missing[@]}" >"$DIR/apt.log" 2>&1 </dev/null ||
		die "apt-get could not install ${missing[*]}, see $DIR/apt.log"
}

# package_of VERSION: the newest package of that kernel series.
package_of() {
	apt-cache pkgnames linux-image- |
		grep -E "^linux-image-${1//./\\.}([.+-][^ ]*)?-cloud-amd64$" |
		grep -E '^linux-image-[0-9]+\.[0-9]+\.[0-9]+' | sort -V | tail -n 1
}

# fetch PACKAGE: the kernel and MODULES, unpacked below $DIR/PACKAGE.
fetch() {
	local package=$1 deb
	[[ $(cat "$DIR/$package/unpacked" 2>/dev/null) != "${MODULES[*]}" ]] || return 0
	rm -rf "${DIR:?}/$package" "$DIR/$package.part"
	mkdir -p "$DIR/$package.part/deb"
	# As root, apt says that its own user cannot write here, which is no mistake.
	(cd "$DIR/$package.part/deb" && apt-get download -qq "$package" 2>../apt.log) ||
		die "cannot download $package: $(cat "$DIR/$package.part/apt.log")"
	for deb in "$DIR/$package.part"/deb/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$DIR/$package.part" --wildcards ./boot "${MODULES[@]}"
	done
	rm -rf "$DIR/$package.part/deb"
	echo "${MODULES[*]}" >"$DIR/$package.part/unpacked"
	mv "$DIR/$package.part" "$DIR/$package"
}

# config_lacks PACKAGE: options that alpnlb needs and this kernel was built without.
config_lacks() {
	local option
	for option in BPF_SYSCALL BPF_JIT BPF_STREAM_PARSER NET_SOCK_MSG DEBUG_INFO_BTF; do
		grep -q "^CONFIG_$option=y" "$DIR/$1/boot/config-${1#linux-image-}" ||
			printf ' CONFIG_%s' "$option"
	done
}

# The first bytes of clients.
make_hellos() {
	mkdir -p "$1"
	printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' >"$1/preface"
	printf 'GET / HTTP/1.1\r\nHost: www.alpnlb.test\r\n\r\n' >"$1/http1"
	build/tests/e2e/peers/tcp hello --sni www.alpnlb.test --alpn h2 http/1.1 >"$1/tls-h2"
	build/tests/e2e/peers/tcp hello --sni www.alpnlb.test --alpn http/1.1 >"$1/tls-http1"
}

# copy_libraries ROOT PROGRAM...: those they need; ldd fails on scripts.
copy_libraries() {
	local root=$1 library
	shift
	{ ldd "$@" 2>/dev/null || true; } | grep -oE '/[^ ]+ \(' | tr -d ' (' | sort -u | while read -r library; do
		install -D "$library" "$root$library"
	done
}

copy_programs() {
	local root=$1
	shift
	cp "$@" "$root/bin/"
	copy_libraries "$root" "$@"
}

# add_systemd ROOT: systemd as the first process, which runs tests/kernels/service, and what
# `make install` installs. systemd's sandboxes need a root that is not the initramfs itself.
add_systemd() {
	local root=$1 programs
	dpkg -L systemd | grep -E '^(/usr)?/(lib|bin|etc)/' | sed 's,^/,,' |
		tar -c -C / --no-recursion -T - | tar -x -C "$root" --keep-directory-symlink
	mapfile -t programs < <(find "$root"/usr/{bin,lib/systemd} -type f -perm /111)
	copy_libraries "$root" "${programs[@]}"
	make --no-print-directory install DESTDIR="$PWD/$root" PREFIX=/usr >"$DIR/install.log"
	mkdir -p "$root"/etc/{alpnlb,systemd/system/multi-user.target.wants} "$root"/{var/log,root,home}
	printf 'root:x:0:0::/root:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\n' >"$root/etc/group"
	printf 'ID=alpnlb-test\n' >"$root/etc/os-release"
	: >"$root/etc/machine-id"
	ln -s /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service" # there is no udev to await
	install -m 755 "$GUEST/service" "$root/service"
	cp "$GUEST/service.service" "$root/etc/systemd/system/"
	ln -s ../service.service "$root/etc/systemd/system/multi-user.target.wants/"
	install -m 755 "$GUEST/init-systemd" "$root/init"
}

archive() {
	(cd "$1" && find . | busybox cpio -o -H newc -R 0:0 2>/dev/null) | gzip -1
}

make_initramfs() {
	local root=$DIR/root tool
	rm -rf "$root"
	mkdir -p "$root"/{dev,proc,sys,tmp,run,var/lib,usr/bin,usr/lib,usr/lib64,usr/sbin}
	ln -s usr/{bin,lib,lib64,sbin} "$root/"
	copy_programs "$root" alpnlb build/tests/verifier/verifier "$DIR/peer" "$(command -v bpftool)"
	cp /bin/busybox "$root/bin/"
	[[ -z $systemd ]] || add_systemd "$root"
	for tool in $("$root/bin/busybox" --list); do
		[[ -e $root/bin/$tool ]] || ln -s busybox "$root/bin/$tool"
	done
	cp build/*.bpf.o tests/verifier-ceilings "$GUEST"/config-*.yaml "$root/"
	cp "$GUEST/lib.sh" "$root/"
	[[ -n $systemd ]] || install -m 755 "$GUEST/init" "$root/init"
	make_hellos "$root/hello"
	archive "$root" >"$DIR/initramfs"
}

# add_modules PACKAGE: those the kernel asks for, in a second archive, which it unpacks over the first.
add_modules() {
	local package=$1 root=$DIR/$1/root modules
	modules=$root/usr/lib/modules/${package#linux-image-}
	rm -rf "$root"
	mkdir -p "$modules"
	find "$DIR/$package/lib" -name '*.ko*' -exec cp -t "$modules" {} +
	find "$modules" -name '*.xz' -exec unxz {} +
	busybox depmod -b "$PWD/$root/usr" "${package#linux-image-}"
	archive "$root" | cat "$DIR/initramfs" - >"$DIR/$package/initramfs"
}

# boot PACKAGE: leaves $DIR/PACKAGE/{console.log,results.raw}.
boot() {
	local package=$1
	timeout --foreground --kill-after=10 "$SECONDS_PER_KERNEL" qemu-system-x86_64 -machine q35 -cpu max \
		-accel "$ACCEL" -smp 2 -m 1024 -nodefaults -no-user-config \
		-display none -no-reboot -nic none \
		-kernel "$DIR/$package/boot/vmlinuz-${package#linux-image-}" \
		-initrd "$DIR/$package/initramfs" -append "console=ttyS0 panic=-1 oops=panic" \
		-serial "file:$DIR/$package/console.log" -serial "file:$DIR/$package/results.raw" \
		</dev/null >"$DIR/$package/qemu.log" 2>&1
}

# boot_to_init PACKAGE: again if the kernel has died before its first process said anything: the
# emulator can show one CPU an int3 of the kernel's that another has patched away already.
boot_to_init() {
	local status
	for _ in 1 2 3; do
		status=0
		boot "$1" || status=$?
		[[ $status == 0 && ! -s $DIR/$1/results.raw ]] || break
		printf '# it died early: %s\n' "$(grep -m 1 -E 'Oops|BUG|panic' "$DIR/$1/console.log")"
	done
	return $status
}

# said RESULTS PREFIX: the rest of the first comment that begins so.
said() {
	local rest
	rest=$(sed -n "s/^# $2: *//p" "$1" | head -n 1)
	printf '%s' "${rest:-(not reached)}"
}

# try PACKAGE: boots it and prints what it found. Fails unless every check passed.
try() {
	local package=$1 line lacks results=$DIR/$1/results.log status=0 passed failed planned
	printf '== %s\n' "${package#linux-image-}"
	lacks=$(config_lacks "$package")
	[[ -z $lacks ]] || printf '# built without%s\n' "$lacks"
	: >"$DIR/$package/results.raw"
	add_modules "$package"
	boot_to_init "$package" || status=$?
	tr -d '\r' <"$DIR/$package/results.raw" >"$results"
	cat "$results"
	passed=$(grep -c '^ok' "$results" || true)
	failed=$(grep -c '^not ok' "$results" || true)
	planned=$(sed -n 's/^1\.\.//p' "$results")
	if ((status != 0)) || [[ $planned != $((passed + failed)) ]]; then
		failed=$((failed + 1))
		printf '# it did not get to the end (exit status %d); its console and qemu said:\n' $status
		tail -n 30 "$DIR/$package/console.log" "$DIR/$package/qemu.log"
	fi
	line="${package#linux-image-}: $passed passed, $failed failed; self-test $(said "$results" self-test)"
	[[ -n $systemd ]] || line+="; auto takes $(said "$results" 'auto takes'); $(
		said "$results" 'verifier: classify')"
	summary+=("$line")
	((failed == 0))
}

[[ -x /usr/bin/apt-get ]] || die "this takes kernels from Debian's packages"
systemd=
case ${1:-} in
--systemd)
	systemd=yes
	PACKAGES+=(systemd)
	shift
	;;
-*) die "usage: scripts/kernels.sh [--systemd] [VERSION...]" ;;
esac
mkdir -p "$DIR"
install_packages
packages=()
(($# > 0)) || set -- 6.1 6.12
for version; do
	package=$(package_of "$version") || package=
	[[ -n $package ]] || die "the package lists have no cloud kernel $version"
	fetch "$package"
	packages+=("$package")
done
make --no-print-directory alpnlb build/tests/verifier/verifier build/tests/e2e/peers/tcp \
	build/classify.bpf.o build/splice.bpf.o build/lookup.bpf.o build/door.bpf.o build/splice_xdp.bpf.o
"${CC:-cc}" -O2 -Wall -Wextra -o "$DIR/peer" "$GUEST/peer.c"
make_initramfs

summary=() result=0
for package in "${packages[@]}"; do
	try "$package" || result=1
done
printf '== summary\n'
printf '%s\n' "${summary[@]}"
exit $result
