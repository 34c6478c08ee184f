#!/usr/bin/env bash
# github.com/parquet-go/parquet-go v0.32.0 reads what github.com/apache/arrow-go/v18 v18.5.0 wrote: a
# column of INT32 in the encoding DELTA_BINARY_PACKED.
#
# The format lets differences of INT32 wrap at 32 bits (Encodings.md, since 2.11 plainly). arrow-go 18.5.0
# takes them in 64 bits, so neighbours more than 2^31 apart get miniblocks of 33 bits and more (its pull request
# 1027 mends that in July 2026; files written before stay). Arrow's C++ and Rust libraries refuse such
# pages. One expects parquet-go to give the values, or an error. It gives as many numbers as were written,
# no error, and other values than were written: hashes in an INT32 column come back off by one or worse.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > main.go <<'GO'
package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	written "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/parquet-go/parquet-go"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	hashes := make([]int32, 129)
	for i := range hashes {
		hashes[i] = int32(uint32(i) * 2654435761)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "hash", Type: arrow.PrimitiveTypes.Int32}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.Int32Builder).AppendValues(hashes, nil)
	var buf bytes.Buffer
	w := must(pqarrow.NewFileWriter(schema, &buf, written.NewWriterProperties(written.WithDictionaryDefault(false),
		written.WithEncoding(written.Encodings.DeltaBinaryPacked)), pqarrow.DefaultWriterProps()))
	must(0, w.Write(b.NewRecord()))
	must(0, w.Close())

	f := must(parquet.OpenFile(bytes.NewReader(buf.Bytes()), int64(buf.Len())))
	pages := f.RowGroups()[0].ColumnChunks()[0].Pages()
	read, wrong := 0, 0
	for {
		p, err := pages.ReadPage()
		if err == io.EOF {
			break
		}
		vals := make([]parquet.Value, must(p, err).NumValues())
		n, err := p.Values().ReadValues(vals)
		if err != nil && err != io.EOF {
			panic(err)
		}
		for _, v := range vals[:n] {
			if v.Int32() != hashes[read] {
				wrong++
			}
			read++
		}
	}
	fmt.Printf("%d written, %d read without an error, %d of them wrong\n", len(hashes), read, wrong)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/parquet-go/parquet-go@v0.32.0 github.com/apache/arrow-go/v18@v18.5.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
got=$(go run .)
echo "$got"
[ "$got" = "129 written, 129 read without an error, 96 of them wrong" ] || { echo "this has changed"; exit 1; }
