#!/usr/bin/env bash
# github.com/cockroachdb/pebble/v2 v2.1.7, vfs.MemFS, in programs built with -race: Write inverts
# the bytes that it was given, once it has them.
#
# vfs.File allows that, unlike io.Writer, and the file system in memory does it to find callers
# that count on the opposite. One that wraps a vfs.File, to take a checksum of what is written, say,
# and looks at the bytes behind the write, gets right sums in every ordinary build and on every disk, and
# wrong ones in its tests under the race detector, which reports no race.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > main.go <<'GO'
package main

import (
	"fmt"
	"hash/crc32"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func main() {
	f, err := vfs.NewMem().Create("file", vfs.WriteCategoryUnspecified)
	if err != nil {
		panic(err)
	}
	b := []byte("a row")
	before := crc32.ChecksumIEEE(b)
	n, err := f.Write(b)
	fmt.Printf("%d bytes written, %v; they are %q; the same sum as before: %v\n", n, err, b, crc32.ChecksumIEEE(b) == before)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/cockroachdb/pebble/v2@v2.1.7 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
plain=$(go run .)
raced=$(go run -race .)
echo "plain: $plain"
echo "-race: $raced"
[[ "$plain" = *"before: true" && "$raced" = *"before: false" ]] || { echo "this has changed"; exit 1; }
