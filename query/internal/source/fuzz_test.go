package source_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"math/rand"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// fuzz feeds a file of any content to a reader: whatever comes of it, it ends
// without a panic and with columns of the promised types and lengths.
func fuzz(f *testing.F, format string, o source.Options) {
	for _, c := range badFiles {
		if filepath.Ext(c.name) == "."+format {
			f.Add([]byte(c.content))
		}
	}
	dir := f.TempDir()
	cols, data := table(rand.New(rand.NewSource(1)), allTypes, 20, true)
	switch format {
	case "fvecs":
		f.Add([]byte(fvecs(2, 1, 2) + fvecs(2, 3, 4)))
	case "npy":
		for _, d := range []string{"'<f2'", "'>f8'", "'|b1'", "'<U3'", "'<M8[D]'", "'|u1'"} {
			f.Add([]byte(npy(d, false, "2,", make([]byte, 24)...)))
		}
		f.Add([]byte(npy("'<f4'", false, "2, 2", floats(1, 2, 3, 4)...)))
	default:
		path := filepath.Join(dir, "seed")
		writeTable(f, path, format, cols, data, source.Options{})
		seed, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	path := filepath.Join(dir, "x."+format)
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := source.Open(path, format, o)
		if err != nil {
			return
		}
		defer r.Close()
		rows := int64(0)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second) // some bytes may stand for very many rows
		defer cancel()
		for {
			b, err := r.Next(ctx)
			if err != nil {
				return
			}
			if b == nil {
				break
			}
			for k, c := range b.Cols {
				if want := r.Columns()[k].Type; c.Type != want && want.Dim != 0 {
					t.Fatalf("column of %v, %v promised", c.Type, want)
				}
				for i := range b.Len {
					v := c.Value(i)
					if v.Kind() == value.Vector {
						for _, x := range v.Vec() {
							if x-x != 0 {
								t.Fatal("not a finite vector")
							}
						}
					}
				}
			}
			if rows += int64(b.Len); rows > int64(len(content))+1 && format != "parquet" && format != "hdf5" {
				t.Fatalf("%d rows of %d bytes", rows, len(content))
			}
		}
		if n := r.Rows(); n >= 0 && n != rows {
			t.Fatalf("%d rows, %d promised", rows, n)
		}
	})
}

func FuzzNPY(f *testing.F)   { fuzz(f, "npy", source.Options{}) }
func FuzzCSV(f *testing.F)   { fuzz(f, "csv", source.Options{Infer: true}) }
func FuzzTSV(f *testing.F)   { fuzz(f, "tsv", source.Options{}) }
func FuzzJSONL(f *testing.F) { fuzz(f, "jsonl", source.Options{}) }
func FuzzFvecs(f *testing.F) { fuzz(f, "fvecs", source.Options{}) }

// Any csv that can be read is the same after being written and read again.
func FuzzCSVRoundTrip(f *testing.F) {
	f.Add([]byte("a,b\n1,\n\"\",\"x\ny\"\n"), false)
	f.Add([]byte("a\tb\n1\t\"\n"), true)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte, tabs bool) {
		format := "csv"
		if tabs {
			format = "tsv"
		}
		path := filepath.Join(dir, "x."+format)
		os.WriteFile(path, content, 0o644)
		read := func() ([]source.Column, [][]value.Value, bool) {
			r, err := source.Open(path, "", source.Options{Header: source.HeaderYes})
			if err != nil {
				return nil, nil, false
			}
			defer r.Close()
			data, err := readAll(r)
			return r.Columns(), data, err == nil && len(r.Columns()) > 0
		}
		cols, data, ok := read()
		if !ok || len(cols) == 1 && bytes.Contains(content, []byte("\n\n")) {
			return
		}
		if len(cols) == 1 {
			for _, row := range data {
				if row[0].IsNull() {
					return // a single column can't show it
				}
			}
		}
		writeTable(t, path, format, cols, data, source.Options{})
		_, again, ok := read()
		if !ok {
			t.Fatalf("%q can't be read again", content)
		}
		equalTables(t, again, data)
	})
}

// fuzzFile feeds files of any content, with those given as seeds, to a reader.
func fuzzFile(f *testing.F, name string, o source.Options, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	path := filepath.Join(f.TempDir(), name)
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := source.Open(path, "", o)
		if err != nil {
			return
		}
		defer r.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		rows := int64(0)
		for {
			b, err := r.Next(ctx)
			if err != nil {
				return
			}
			if b == nil {
				break
			}
			if rows += int64(b.Len); rows > 100_000 { // which need not be in the file: HDF5 has values for what was never written
				return
			}
			for _, c := range b.Cols {
				for i := range b.Len {
					v := c.Value(i)
					if s := v.Str(); v.Kind() == value.Text && !utf8.ValidString(s) {
						t.Fatalf("not UTF-8: %q", s)
					}
					for _, x := range v.Vec() {
						if x-x != 0 {
							t.Fatal("not a finite vector")
						}
					}
				}
			}
		}
		if n := r.Rows(); n >= 0 && n != rows {
			t.Fatalf("%d rows, %d promised", rows, n)
		}
	})
}

// outsideFile returns a file that another program wrote.
func outsideFile(f *testing.F, name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", "outside", name))
	if err != nil {
		f.Fatal(err)
	}
	return b
}

func FuzzNPZ(f *testing.F) {
	fuzzFile(f, "x.npz", source.Options{}, outsideFile(f, "one.npz"), outsideFile(f, "two.npz"))
}

func FuzzNPZMember(f *testing.F) {
	fuzzFile(f, "x.npz", source.Options{Member: "fortran"}, outsideFile(f, "packed.npz"))
}

func FuzzBvecs(f *testing.F) {
	fuzzFile(f, "x.bvecs", source.Options{}, []byte("\x03\x00\x00\x00\x01\x02\xff"))
}

func FuzzIvecs(f *testing.F) {
	fuzzFile(f, "x.ivecs", source.Options{}, []byte("\x01\x00\x00\x00\x01\x02\x00\x00"))
}

func FuzzSafetensors(f *testing.F) {
	header := `{"emb":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`
	fuzzFile(f, "x.safetensors", source.Options{}, append(append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...), make([]byte, 8)...))
}

func FuzzHDF5(f *testing.F) {
	fuzzFile(f, "x.hdf5", source.Options{Member: "train"}, outsideFile(f, "ann.hdf5"))
}

func FuzzHDF5Chunks(f *testing.F) {
	fuzzFile(f, "x.h5", source.Options{Member: "chunks"}, outsideFile(f, "v108.h5"), outsideFile(f, "latest.h5"))
}

func FuzzJSONArray(f *testing.F) {
	fuzzFile(f, "x.json", source.Options{Infer: true}, []byte(`[{"id":1,"s":"a,]\""},{"id":2}]`), []byte("[]"), []byte(`[{"a":[1,{"b":[]}]}]`), []byte("{\"a\":1}\n{\"a\":2}\n"), []byte("{\n  \"a\": [\n 1],\n \"b\": \"}\"\n}\n\n{\n}\n"))
}

func FuzzGzip(f *testing.F) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte("id,s\n1,a\n"))
	z.Close()
	fuzzFile(f, "x.csv.gz", source.Options{Infer: true}, b.Bytes())
}

func FuzzZstd(f *testing.F) {
	z, _ := zstd.NewWriter(nil)
	fuzzFile(f, "x.jsonl.zst", source.Options{Infer: true}, z.EncodeAll([]byte(`{"id":1}`+"\n"), nil))
}
