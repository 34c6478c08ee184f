#!/usr/bin/env bash
# github.com/parquet-go/parquet-go v0.32.0: a column of FLOAT16, the logical type of parquet
# in which embeddings take half the space (Arrow and pandas write it).
#
# The footer is decoded, and its schema says FLOAT16. One expects the column's Type() to have
# that logical type, as it has those of STRING, DECIMAL or TIMESTAMP. It has none: the column
# looks like any other FIXED_LEN_BYTE_ARRAY(2), so readers that go by types hand out two raw
# bytes where a number is.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > write.go <<'GO'
package main

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/parquet-go/parquet-go"
)

func main() {
	schema := arrow.NewSchema([]arrow.Field{{Name: "half", Type: arrow.FixedWidthTypes.Float16}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.Float16Builder).Append(float16.New(1.5))
	var buf bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &buf, nil, pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(b.NewRecord())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		panic(err)
	}
	fmt.Printf("footer: %v, column: %v %v\n", f.Metadata().Schema[1].LogicalType.Value, f.Root().Columns()[0].Type(), f.Root().Columns()[0].Type().LogicalType())
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/parquet-go/parquet-go@v0.32.0 github.com/apache/arrow-go/v18@v18.5.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
got=$(go run .)
echo "$got"
[ "$got" = "footer: FLOAT16, column: FIXED_LEN_BYTE_ARRAY(2) <nil>" ] || { echo "this has changed"; exit 1; }
