#!/usr/bin/env bash
# The tests of what is computed, as an arm64 processor computes it: built for linux/arm64
# and run by qemu-aarch64 (Debian's qemu-user), or directly on such a machine. `make arm64`
# runs it; "short" as an argument leaves out what takes more than a minute or so under qemu.
set -euo pipefail
cd "$(dirname "$0")/../.."
short=${1:-}
go=${GO:-go}
out=$(mktemp -d "${TMPDIR:-/tmp}/lupa-arm64.XXXXXX")
trap 'rm -rf "$out"' EXIT

# A processor with every extension that Lupa has kernels for, and one of 2016.
cpus="max cortex-a72"
case "$(uname -s) $(uname -m)" in
"Linux aarch64")
  run() { "$@"; } ;;
*)
  if ! command -v qemu-aarch64 >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get install -y -qq qemu-user >/dev/null
  fi
  if ! command -v qemu-aarch64 >/dev/null; then
    echo "arm64: LEFT OUT, the tests are built but not run: qemu-aarch64 is missing (Debian: apt-get install qemu-user; on an arm64 Mac make test runs the same kernels)" >&2
    for pkg in storage/internal/simd storage/internal/code storage/vector storage query/internal/fn query db; do
      CGO_ENABLED=0 GOOS=linux GOARCH=arm64 "$go" test -c -o "$out/test" "./$pkg"
    done
    exit 0
  fi
  run() { qemu-aarch64 "$@"; } ;;
esac

# run_tests PACKAGE FLAGS: on each processor in $on, "" being the one that there is
run_tests() {
  local pkg=$1 cpu
  shift
  echo "arm64: $pkg $*"
  CGO_ENABLED=0 GOOS=linux GOARCH=arm64 "$go" test -c -o "$out/test" "./$pkg"
  for cpu in $on; do
    (cd "$pkg" && QEMU_CPU=$cpu run "$out/test" "$@") >"$out/log" 2>&1 || { cat "$out/log"; echo "arm64: $pkg failed (processor: $cpu)"; exit 1; }
  done
}

on=$cpus
run_tests storage/internal/simd
run_tests storage/vector -test.run 'Golden|Arithmetic|Score'
run_tests storage/internal/code -test.run 'Golden|Marshal'
on=max
run_tests query/internal/fn -test.short
if [ "$short" = short ]; then
  run_tests storage -test.short -test.timeout 20m -test.run 'TestNearest$|FormatPage'
  run_tests query -test.short -test.timeout 20m -test.run 'Search|Language'
else
  run_tests storage/internal/code -test.timeout 30m
  # What breaks stores on purpose does not depend on the processor, and takes an hour here.
  run_tests storage -test.short -test.timeout 40m -test.skip 'Flipped|Damage|Damaged|WrongCodes|Kill|PowerCut|Crash|Salvage|Fail|Fault'
  run_tests query -test.short -test.timeout 40m
fi

# A store goes from this machine to arm64 and back, and answers alike everywhere.
echo "arm64: a store written here, read and extended on arm64, read here"
CGO_ENABLED=0 "$go" test -c -o "$out/here" ./db
CGO_ENABLED=0 GOOS=linux GOARCH=arm64 "$go" test -c -o "$out/there" ./db
exchange() {
  (cd db && LUPA_EXCHANGE=$1:$out run_or_not "$2") >"$out/log" 2>&1 || { cat "$out/log"; echo "arm64: exchange of stores failed"; exit 1; }
}
run_or_not() {
  if [ "$1" = here ]; then "$out/here" -test.run '^TestExchange$'; else QEMU_CPU=max run "$out/there" -test.run '^TestExchange$'; fi
}
exchange write here
exchange read there
exchange read here
rm -rf "$out/store"
exchange write there
exchange read here
exchange read there
echo "arm64: done"
