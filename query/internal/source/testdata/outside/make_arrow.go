//go:build ignore

// Makes the parquet files of this directory that begin with arrow_, and what they hold
// (arrow.json), with Apache Arrow Go: every type in every encoding, with and without
// NULLs, in pages of a few values and several row groups. Left out is what it writes
// wrongly, so that DuckDB reads other values too: RLE booleans over several pages, and
// FixedSizeList that it cuts into row groups itself.
//
//	cp make_arrow.go /tmp/x && cd /tmp/x && go mod init x &&
//	go get github.com/apache/arrow-go/v18@v18.4.1 && go mod tidy && go run make_arrow.go
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

const rows, group = 44, 22

// column is a column, what is appended in row i, and what a reader has to say of it.
type column struct {
	name string
	typ  arrow.DataType
	enc  parquet.Encoding
	dict bool
	put  func(b array.Builder, i int) any
}

func main() {
	var cols []column
	add := func(name string, t arrow.DataType, put func(b array.Builder, i int) any, encs ...parquet.Encoding) {
		for _, nullable := range []bool{false, true} {
			if nullable && t.ID() == arrow.FIXED_SIZE_LIST {
				continue // arrow-go does not write those
			}
			for _, e := range append([]parquet.Encoding{parquet.Encodings.Plain, parquet.Encodings.PlainDict}, encs...) {
				n := fmt.Sprintf("%s_%s", name, strings.ToLower(e.String()))
				p := put
				if nullable {
					n += "_nulls"
					p = func(b array.Builder, i int) any {
						if i%4 == 1 || i > 24 && i < 38 {
							b.AppendNull()
							return nil
						}
						return put(b, i)
					}
				}
				cols = append(cols, column{n, t, e, e == parquet.Encodings.PlainDict, p})
			}
		}
	}
	delta, split := parquet.Encodings.DeltaBinaryPacked, parquet.Encodings.ByteStreamSplit
	add("i8", arrow.PrimitiveTypes.Int8, func(b array.Builder, i int) any { v := int8(i*37 - 100); b.(*array.Int8Builder).Append(v); return v }, delta)
	add("u32", arrow.PrimitiveTypes.Uint32, func(b array.Builder, i int) any {
		v := uint32(i) * 71582788
		b.(*array.Uint32Builder).Append(v)
		return v
	}, delta)
	add("i64", arrow.PrimitiveTypes.Int64, func(b array.Builder, i int) any {
		v := []int64{math.MinInt64, math.MaxInt64, 0, int64(i) * 1e15, -int64(i)}[i%5]
		b.(*array.Int64Builder).Append(v)
		return fmt.Sprint(v)
	}, delta, split)
	add("i32", arrow.PrimitiveTypes.Int32, func(b array.Builder, i int) any {
		v := []int32{math.MinInt32, math.MaxInt32, 0, int32(i) * 1e6, -int32(i)}[i%5]
		b.(*array.Int32Builder).Append(v)
		return v
	}, delta, split)
	add("f32", arrow.PrimitiveTypes.Float32, func(b array.Builder, i int) any {
		v := float32(i)*0.37 - 7
		b.(*array.Float32Builder).Append(v)
		return v
	}, split)
	add("f64", arrow.PrimitiveTypes.Float64, func(b array.Builder, i int) any {
		v := float64(i)*0.37 - 7
		b.(*array.Float64Builder).Append(v)
		return v
	}, split)
	add("f16", arrow.FixedWidthTypes.Float16, func(b array.Builder, i int) any {
		v := float16.New(float32(i)/4 - 3)
		b.(*array.Float16Builder).Append(v)
		return v.Float32()
	}, split)
	add("b", arrow.FixedWidthTypes.Boolean, func(b array.Builder, i int) any {
		v := i%3 == 0 || i > 30
		b.(*array.BooleanBuilder).Append(v)
		return v
	})
	add("s", arrow.BinaryTypes.String, func(b array.Builder, i int) any {
		v := []string{"", "Käfer 🐺", fmt.Sprint("a common prefix ", i), "same", strings.Repeat("x", i)}[i%5]
		b.(*array.StringBuilder).Append(v)
		return v
	}, parquet.Encodings.DeltaLengthByteArray, parquet.Encodings.DeltaByteArray)
	add("ls", arrow.BinaryTypes.LargeString, func(b array.Builder, i int) any {
		v := fmt.Sprint("large ", i%7)
		b.(*array.LargeStringBuilder).Append(v)
		return v
	})
	add("bytes", arrow.BinaryTypes.Binary, func(b array.Builder, i int) any {
		v := []byte{0, 255, byte(i)}[:i%4]
		b.(*array.BinaryBuilder).Append(v)
		return fmt.Sprintf("\\x%x", v)
	}, parquet.Encodings.DeltaLengthByteArray)
	add("fixed", &arrow.FixedSizeBinaryType{ByteWidth: 3}, func(b array.Builder, i int) any {
		v := []byte{1, byte(i), 200}
		b.(*array.FixedSizeBinaryBuilder).Append(v)
		return fmt.Sprintf("\\x%x", v)
	}, split)
	add("date", arrow.FixedWidthTypes.Date32, func(b array.Builder, i int) any {
		b.(*array.Date32Builder).Append(arrow.Date32(i*100 - 3000))
		return arrow.Date32(i*100 - 3000).ToTime().Format("2006-01-02 15:04:05")
	}, delta)
	add("ms", &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, func(b array.Builder, i int) any {
		v := arrow.Timestamp(i*1000003 - 30000001)
		b.(*array.TimestampBuilder).Append(v)
		return v.ToTime(arrow.Millisecond).Format("2006-01-02 15:04:05.999999")
	}, delta)
	add("ns", &arrow.TimestampType{Unit: arrow.Nanosecond}, func(b array.Builder, i int) any {
		v := arrow.Timestamp(i*1000000007 - 30000000001)
		b.(*array.TimestampBuilder).Append(v)
		us := int64(v) / 1000
		if int64(v)%1000 < 0 {
			us--
		}
		return arrow.Timestamp(us).ToTime(arrow.Microsecond).Format("2006-01-02 15:04:05.999999")
	}, delta)
	add("time32", arrow.FixedWidthTypes.Time32ms, func(b array.Builder, i int) any {
		b.(*array.Time32Builder).Append(arrow.Time32(i * 1000123))
		return arrow.Time32(i * 1000123).ToTime(arrow.Millisecond).Format("15:04:05.999999999")
	})
	add("time64", arrow.FixedWidthTypes.Time64ns, func(b array.Builder, i int) any {
		b.(*array.Time64Builder).Append(arrow.Time64(int64(i) * 1000123004567))
		return arrow.Time64(int64(i) * 1000123004567).ToTime(arrow.Nanosecond).Format("15:04:05.999999999")
	})
	for _, p := range []int32{9, 18, 38} {
		add(fmt.Sprint("dec", p), &arrow.Decimal128Type{Precision: p, Scale: 2}, func(b array.Builder, i int) any {
			b.(*array.Decimal128Builder).Append(decimal128.FromI64(int64(i)*31 - 500))
			f, _ := new(big.Rat).SetFrac64(int64(i)*31-500, 100).Float64()
			return f
		})
	}
	add("whole38", &arrow.Decimal128Type{Precision: 38, Scale: 0}, func(b array.Builder, i int) any {
		b.(*array.Decimal128Builder).Append(decimal128.FromI64(9007199254740993 - int64(i)))
		return fmt.Sprint(9007199254740993 - int64(i))
	})
	vec := func(b array.Builder, elems array.Builder, n, i int, null bool) any {
		var out []any
		for k := range n {
			f := float64(i) + float64(k)/4
			switch e := elems.(type) {
			case *array.Float32Builder:
				e.Append(float32(f))
			case *array.Float64Builder:
				e.Append(f)
			case *array.Float16Builder:
				e.Append(float16.New(float32(f)))
			case *array.Uint8Builder:
				e.Append(uint8(i + k))
				f = float64(i + k)
			case *array.StringBuilder:
				if k == 1 && null {
					e.AppendNull()
					out = append(out, nil)
					continue
				}
				e.Append(fmt.Sprint("e", k))
				out = append(out, fmt.Sprint("e", k))
				continue
			}
			out = append(out, f)
		}
		if out == nil {
			out = []any{}
		}
		return out
	}
	for _, e := range []arrow.DataType{arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Uint8} {
		var encs []parquet.Encoding
		if e.ID() != arrow.UINT8 {
			encs = append(encs, split)
		}
		add("fsl_"+e.Name(), arrow.FixedSizeListOfNonNullable(3, e), func(b array.Builder, i int) any {
			l := b.(*array.FixedSizeListBuilder)
			l.Append(true)
			return vec(b, l.ValueBuilder(), 3, i, false)
		}, encs...)
		add("list_"+e.Name(), arrow.ListOf(e), func(b array.Builder, i int) any {
			l := b.(*array.ListBuilder)
			l.Append(true)
			return vec(b, l.ValueBuilder(), 5, i, false)
		})
	}
	add("texts", arrow.ListOf(arrow.BinaryTypes.String), func(b array.Builder, i int) any {
		l := b.(*array.ListBuilder)
		l.Append(true)
		return vec(b, l.ValueBuilder(), i%4, i, true)
	})
	add("nested", arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Int16)), func(b array.Builder, i int) any {
		l := b.(*array.ListBuilder)
		l.Append(true)
		out := []any{}
		for k := range i % 4 {
			in := l.ValueBuilder().(*array.ListBuilder)
			if k == 2 {
				in.AppendNull()
				out = append(out, nil)
				continue
			}
			in.Append(true)
			one := []any{}
			for m := range (i + k) % 3 {
				in.ValueBuilder().(*array.Int16Builder).Append(int16(i + m))
				one = append(one, i+m)
			}
			out = append(out, one)
		}
		return out
	})

	want := map[string][]any{}
	var fields []arrow.Field
	for _, c := range cols {
		fields = append(fields, arrow.Field{Name: c.name, Type: c.typ, Nullable: strings.HasSuffix(c.name, "_nulls")})
	}
	// A struct of bytes and path, NULL at times, as datasets of pictures have it.
	st := arrow.StructOf(arrow.Field{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true}, arrow.Field{Name: "path", Type: arrow.BinaryTypes.String, Nullable: true},
		arrow.Field{Name: "v", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32), Nullable: true})
	fields = append(fields, arrow.Field{Name: "image", Type: st, Nullable: true})
	put := func(name string, v any) { want[name] = append(want[name], v) }
	var records []arrow.Record
	for from := 0; from < rows; from += group {
		var arrays []arrow.Array
		for _, c := range cols {
			b := array.NewBuilder(memory.DefaultAllocator, c.typ)
			for i := from; i < from+group; i++ {
				put(c.name, c.put(b, i))
			}
			arrays = append(arrays, b.NewArray())
		}
		sb := array.NewStructBuilder(memory.DefaultAllocator, st)
		for i := from; i < from+group; i++ {
			if i%5 == 2 {
				sb.AppendNull()
				put("image.bytes", nil)
				put("image.path", nil)
				put("image.v", nil)
				continue
			}
			sb.Append(true)
			sb.FieldBuilder(0).(*array.BinaryBuilder).Append([]byte{byte(i)})
			put("image.bytes", fmt.Sprintf("\\x%02x", i))
			if i%3 == 0 {
				sb.FieldBuilder(1).AppendNull()
				put("image.path", nil)
			} else {
				sb.FieldBuilder(1).(*array.StringBuilder).Append(fmt.Sprint(i))
				put("image.path", fmt.Sprint(i))
			}
			l := sb.FieldBuilder(2).(*array.ListBuilder)
			l.Append(true)
			l.ValueBuilder().(*array.Float32Builder).AppendValues([]float32{float32(i), 0.5}, nil)
			put("image.v", []any{i, 0.5})
		}
		arrays = append(arrays, sb.NewArray())
		records = append(records, array.NewRecord(arrow.NewSchema(fields, nil), arrays, group))
	}
	schema := arrow.NewSchema(fields, nil)
	for _, codec := range []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Gzip, compress.Codecs.Brotli, compress.Codecs.Zstd, compress.Codecs.Lz4Raw} {
		for _, v := range []parquet.DataPageVersion{parquet.DataPageV1, parquet.DataPageV2} {
			opts := []parquet.WriterProperty{parquet.WithCompression(codec), parquet.WithDataPageVersion(v), parquet.WithDataPageSize(64), parquet.WithBatchSize(10), parquet.WithStats(false), parquet.WithVersion(parquet.V2_LATEST)}
			for _, c := range cols {
				path := c.name
				switch c.typ.(type) {
				case *arrow.ListType, *arrow.FixedSizeListType:
					path += ".list.element"
				}
				if strings.HasPrefix(c.name, "nested") {
					path += ".list.element"
				}
				opts = append(opts, parquet.WithDictionaryFor(path, c.dict))
				if !c.dict {
					opts = append(opts, parquet.WithEncodingFor(path, c.enc))
				}
			}
			if codec != compress.Codecs.Uncompressed && codec != compress.Codecs.Lz4Raw && (v == parquet.DataPageV1) == (codec == compress.Codecs.Gzip || codec == compress.Codecs.Zstd) {
				continue
			}
			name := strings.ToLower(fmt.Sprintf("arrow_%v_V%d.parquet", codec, int(v)+1))
			f, err := os.Create(name)
			check(err)
			w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(opts...), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
			check(err)
			for _, rec := range records {
				check(w.Write(rec)) // a row group each
			}
			check(w.Close())
		}
	}
	b, err := json.Marshal(want)
	check(err)
	check(os.WriteFile("arrow.json", b, 0o644))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
