#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Runs every test, on a fresh Debian 12 as on a developer's machine, twice: as built by
# default, and built with the address and undefined-behaviour sanitizers. Ends with the line
# `N passed, N failed, N skipped`; exit 0 only if nothing failed.
#
# What a step runs prints TAP. A step that ends badly without naming a failed test, names fewer
# tests than it planned, or prints no result at all is a failure of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ASAN=build/asan
SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'
LOGS=build/check
export ASAN_OPTIONS=${ASAN_OPTIONS-abort_on_error=0:detect_leaks=1}
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT-240}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1}

passed=0 failed=0 skipped=0 failures_at=

die() {
	printf 'check: %s\n' "$*" >&2
	exit 1
}

# Result lines of a TAP log. cmocka says `not ok N # SKIP` for a skipped test.
tap_results() { grep -E '^(not )?ok\b' "$1" || true; }
tap_skips() { tap_results "$1" | grep -iE '# skip' || true; }
tap_failures() { tap_results "$1" | grep '^not ok' | grep -viE '# skip' || true; }
tap_planned() { sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$1" | awk '{ n += $1 } END { print n + 0 }'; }
lines() { grep -c . || true; }

show_log() {
	grep -vE '^ok\b|^1\.\.' "$1" | tail -n 200 | sed 's/^/    /' || true
}

# Each failed test with the two lines that say where and at which command.
show_failures() {
	awk '/^not ok/ && !/# [Ss][Kk][Ii][Pp]/ { n = 3 } n-- > 0' "$1" | cut -c -300 | sed 's/^/    /'
}

# judge NAME LOG STATUS: counts one step's results.
judge() {
	local name=$1 log=$2 status=$3 all skips failures planned broken=''
	all=$(tap_results "$log" | lines)
	skips=$(tap_skips "$log" | lines)
	failures=$(tap_failures "$log" | lines)
	planned=$(tap_planned "$log")
	if ((all == 0)); then
		broken="no test result"
	elif ((all < planned)); then
		broken="only $all of $planned tests ran"
	elif ((status != 0 && failures == 0)); then
		broken="exit status $status"
	fi
	((status != 124 && status != 137)) || broken="killed: took too long"
	passed=$((passed + all - skips - failures))
	skipped=$((skipped + skips))
	failed=$((failed + failures))
	[[ -z $broken ]] || failed=$((failed + 1))
	printf '%-34s %3d passed, %d failed, %d skipped\n' "$name" \
		$((all - skips - failures)) $((failures + (${#broken} > 0))) "$skips"
	if ((skips > 0)); then
		grep -E '^(# )?SKIP|^(not )?ok .*# [Ss][Kk][Ii][Pp]' "$log" | sed 's/^/    /'
	fi
	[[ -z $broken && $failures -eq 0 ]] && return
	[[ -z $broken ]] || printf '    FAILED: %s: %s\n' "$name" "$broken"
	show_log "$log"
	failures_at+="$name${broken:+: $broken}"$'\n'"$(show_failures "$log")"$'\n'
}

log_of() { printf '%s/%s.log' "$LOGS" "${1//[^[:alnum:]]/-}"; }

# run NAME SECONDS COMMAND...: its output and exit status go to files.
run() {
	local seconds=$2 log status=0
	log=$(log_of "$1")
	shift 2
	timeout --kill-after=10 "$seconds" "$@" >"$log" 2>&1 </dev/null || status=$?
	printf '%d\n' $status >"$log.status"
}

# judge_run NAME: of what was run by that name.
judge_run() { judge "$1" "$(log_of "$1")" "$(<"$(log_of "$1").status")"; }

# step NAME SECONDS COMMAND...: runs a command that prints TAP.
step() {
	run "$@"
	judge_run "$1"
}

# A command without TAP is one test. Fails if the command does.
single() {
	local name=$1
	shift
	if "$@"; then
		printf 'ok 1 - %s\n' "$name"
	else
		printf 'not ok 1 - %s\n' "$name"
		return 1
	fi
}

lint_scripts() {
	shellcheck -x scripts/*.sh tests/bench/run tests/bench/door tests/soak tests/e2e/peers/transfers .ci/run
}

lint_manual() {
	local page status=0 warnings
	for page in user/man/*.8; do
		warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 \
			man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
		[[ -z $warnings ]] || {
			printf '%s: %s\n' "$page" "$warnings"
			status=1
		}
	done
	return $status
}

# run_unit WHAT BUILD-DIRECTORY
run_unit() {
	local what=$1 build=$2 test
	for test in tests/unit/test_*.c; do
		test=${test#tests/unit/}
		test=${test%.c}
		step "$what ${test/_/ }" 300 env CMOCKA_MESSAGE_OUTPUT=TAP "$build/tests/unit/$test"
	done
}

declare -A BINARY=([default]=alpnlb [sanitizer]=$ASAN/alpnlb)
# Of the tests that repeat something: fewer than by themselves, for the sake of time. And again
# fewer with the sanitizers: the program in the kernel is the same, and has had its thousands.
declare -A REPEATS=(
	[default]="KILLS=12 PACKET_CONNECTIONS=1000 STRESS_CONNECTIONS=200"
	[sanitizer]="KILLS=6 PACKET_CONNECTIONS=200 STRESS_CONNECTIONS=60"
)

# Those that take long come first, so that none of them runs alone at the end.
LONG=(refresh route packet packet-limits transfer packet-close packet-options state stress config mtu)
long_first() {
	printf 'tests/e2e/%s.bats\n' "${LONG[@]}"
	printf '%s\n' tests/e2e/*.bats | grep -vxFf <(printf 'tests/e2e/%s.bats\n' "${LONG[@]}")
}

e2e_name() { printf '%s e2e %s' "$1" "$(basename "$2" .bats)"; }

# queue NAME SECONDS COMMAND...: runs it beside others. They have namespaces of their own and wait
# more than they compute: three at a time for each CPU.
queue() {
	while (($(jobs -pr | wc -l) >= 3 * $(nproc))); do wait -n || true; done
	run "$@" &
}

run_e2e() {
	local test what
	queue "sanitizer soak" 400 env ALPNLB="$PWD/${BINARY[sanitizer]}" QUICK="$PWD/${BINARY[default]}" tests/soak "${SOAK_SANITIZER:-20s}"
	queue "default soak" 400 env ALPNLB="$PWD/${BINARY[default]}" tests/soak "${SOAK:-30s}"
	for test in $(long_first); do
		for what in sanitizer default; do
			# shellcheck disable=SC2086 # several words
			queue "$(e2e_name $what "$test")" 1200 env ${REPEATS[$what]} \
				ALPNLB="$PWD/${BINARY[$what]}" QUICK="$PWD/${BINARY[default]}" bats --tap --timing "$test"
		done
	done
	wait
	for what in default sanitizer; do
		judge_run "$what soak"
		for test in tests/e2e/*.bats; do
			judge_run "$(e2e_name $what "$test")"
		done
	done
}

# Called by this script itself, so that `timeout` can run a function.
case ${1:-} in
--single)
	shift
	single "$@"
	exit
	;;
--lint-scripts | --lint-manual)
	name=${1#--}
	"${name//-/_}"
	exit
	;;
'') ;;
*) die "usage: scripts/check.sh" ;;
esac

((EUID == 0)) || die "needs root: sudo scripts/check.sh"
scripts/deps.sh
rm -rf "$LOGS"
mkdir -p "$LOGS"
shopt -s nullglob
self=scripts/check.sh

step "lint scripts" 120 bash $self --single "shellcheck" bash $self --lint-scripts
step "lint manual pages" 120 bash $self --single "man --warnings" bash $self --lint-manual
step "build" 600 bash $self --single "make" make --no-print-directory -j"$(nproc)" test-build
step "verifier" 120 make --no-print-directory verifier
run_unit default build
step "fuzz build" 600 bash $self --single "make fuzz-build" \
	make --no-print-directory -j"$(nproc)" fuzz-build
step "sanitizer build" 600 bash $self --single "make SANITIZE" make --no-print-directory \
	-j"$(nproc)" BUILD=$ASAN BIN=$ASAN/alpnlb SANITIZE="$SANITIZE" test-build
run_unit sanitizer $ASAN
run "fuzz" 600 make --no-print-directory fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-6}" & # has one thread
run_e2e
judge_run "fuzz"

# Once more at the end, for those who have only the last lines.
printf '%s' "${failures_at:+failed:
$failures_at}"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((failed == 0))
