#!/usr/bin/env bash
# github.com/viterin/vek v0.4.3, with github.com/chewxy/math32 v1.10.1 below it: a dot product
# of float32 for processors that the library has no assembler for.
#
# On those vek falls back to Go, and one expects it to build for every target of Go, as it does
# for 386, ppc64le and s390x. For riscv64 and loong64 it does not: math32 declares functions
# without bodies for every target and has a file of jumps to their Go versions for each; the one
# for RISC-V is built for a target named riscv, which Go does not have, and loong64 has none.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > main.go <<'GO'
package main

import (
	"fmt"

	"github.com/viterin/vek/vek32"
)

func main() { fmt.Println(vek32.Dot([]float32{1, 2}, []float32{3, 4})) }
GO
go mod init finding >/dev/null 2>&1
go get github.com/viterin/vek@v0.4.3 github.com/chewxy/math32@v1.10.1 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
got=""
for arch in 386 ppc64le s390x riscv64 loong64; do
	if out=$(CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -o /dev/null . 2>&1); then
		got="$got$arch builds"$'\n'
	else
		got="$got$arch: $(grep -o '[a-z]*\.go:[0-9]*:[0-9]*: .*' <<< "$out" | head -1)"$'\n'
	fi
done
printf '%s' "$got"
[ "$got" = "386 builds
ppc64le builds
s390x builds
riscv64: sqrt.go:3:6: missing function body
loong64: sqrt.go:3:6: missing function body
" ] || { echo "this has changed"; exit 1; }
