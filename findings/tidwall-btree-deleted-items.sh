#!/usr/bin/env bash
# github.com/tidwall/btree v1.8.2: items that were deleted from a BTreeG are not collected.
#
# When a node is split its two halves go on in one array, of which each has a part
# (nodeSplit: right.items = n.items[i+1:]). What is deleted from the right half later stays in
# that array for as long as the left half lives, once the right one has grown into an array of
# its own. A tree of keys that stay, each written with a large value behind them that is deleted
# soon, holds about as many values as keys. One expects the memory of the keys alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > main.go <<'GO'
package main

import (
	"fmt"
	"runtime"

	"github.com/tidwall/btree"
)

type item struct {
	key   int
	value []byte
}

func main() {
	tr := btree.NewBTreeG(func(a, b *item) bool { return a.key < b.key })
	const n, batch = 60 << 10, 1 << 10
	for i := range n {
		tr.Set(&item{key: i})
		tr.Set(&item{key: n + i, value: make([]byte, 1000)})
		if i%batch == batch-1 {
			for j := range batch {
				tr.Delete(&item{key: n + i - j})
			}
		}
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("%d items without a value, %d MB in use\n", tr.Len(), m.HeapAlloc>>20)
	fmt.Println("values that were deleted are held:", m.HeapAlloc > 20<<20)
	runtime.KeepAlive(tr)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/tidwall/btree@v1.8.2 >/dev/null 2>&1
got=$(go run .)
echo "$got"
[[ "$got" = *"are held: true" ]] || { echo "this has changed"; exit 1; }
