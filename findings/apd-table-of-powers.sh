#!/usr/bin/env bash
# github.com/cockroachdb/apd/v3 v3.2.3: a program that imports it, and never computes anything
# with it, fills its tables of digits and powers of ten before main begins, with more than half a
# megabyte of allocations.
#
# One expects an import of a library of numbers to cost next to nothing at the start: math/big
# allocates nothing. It counts in commands that run for some milliseconds. The runtime's own
# trace shows it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > main.go <<'GO'
package main

import (
	_ "math/big"

	_ "github.com/cockroachdb/apd/v3"
)

func main() {}
GO
go mod init finding >/dev/null 2>&1
go get github.com/cockroachdb/apd/v3@v3.2.3 >/dev/null 2>&1
go build -o program .
for package in github.com/cockroachdb/apd/v3 math/big; do
  bytes=$(GODEBUG=inittrace=1 ./program 2>&1 | sed -n "s#^init $package @.* \([0-9]*\) bytes.*#\1#p")
  echo "$package: $bytes bytes before main"
  [ "$package" = math/big ] && { [ "${bytes:-0}" -lt 10000 ] || { echo "this has changed"; exit 1; }; continue; }
  [ "${bytes:-0}" -gt 500000 ] || { echo "this has changed"; exit 1; }
done
