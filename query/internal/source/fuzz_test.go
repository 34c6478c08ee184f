package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/lupadb/lupa/storage/value"
)

// fuzz feeds a file of any content to a reader: whatever comes of it, it ends
// without a panic and with columns of the promised types and lengths.
func fuzz(f *testing.F, format string, o Options) {
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
		writeTable(f, path, format, cols, data, Options{})
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
		r, err := Open(path, format, o)
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

func FuzzNPY(f *testing.F)   { fuzz(f, "npy", Options{}) }
func FuzzCSV(f *testing.F)   { fuzz(f, "csv", Options{Infer: true}) }
func FuzzTSV(f *testing.F)   { fuzz(f, "tsv", Options{}) }
func FuzzJSONL(f *testing.F) { fuzz(f, "jsonl", Options{}) }
func FuzzFvecs(f *testing.F) { fuzz(f, "fvecs", Options{}) }

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
		read := func() ([]Column, [][]value.Value, bool) {
			r, err := Open(path, "", Options{Header: HeaderYes})
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
		writeTable(t, path, format, cols, data, Options{})
		_, again, ok := read()
		if !ok {
			t.Fatalf("%q can't be read again", content)
		}
		equalTables(t, again, data)
	})
}

// What is taken for a JSON object is one, and every one is unless it is deeply nested; its
// members are those that encoding/json finds.
func FuzzScanObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, ` {"a" : [1,-2.5e+3, {"b":"\u00e4\n"}], "c":null , "d" :true}`, `{"a":01}`, `{"a":"\x"}`, `{"a":[1,]}`, `{"a":[01]}`, `{"a":[-0.5 , 1e9,3],"b":[1,[2]],"c":[1e99,"]"]}`, `{"a":1,}`, `{"a":-}`, `{"a":"	"}`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.TrimSpace(b)
		var scan jsonScanner
		found, ok := scan.object(b)
		var want map[string]json.RawMessage
		err := json.Unmarshal(b, &want)
		valid := err == nil && want != nil && utf8.Valid(b)
		if ok != valid && (ok || bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) < 200) {
			t.Fatalf("%q: %v, %v", b, ok, err)
		}
		if !ok {
			return
		}
		got := map[string]json.RawMessage{}
		for _, m := range found {
			var name string
			if err := json.Unmarshal(m.key, &name); err != nil {
				t.Fatal(err)
			}
			got[name] = m.raw
			if m.raw[0] == '[' {
				v, err := value.ParseVector(nil, string(m.raw))
				if m.vec != nil && (err != nil || !slices.Equal(m.vec, v)) {
					t.Fatalf("%s: read as %v, and as %v %v", m.raw, m.vec, v, err)
				}
				if n := countNumbers(m.raw); n != len(v) && (n > 0 || err == nil) {
					t.Fatalf("%s: %d numbers, %v %v", m.raw, n, v, err)
				}
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %v, want %v", b, got, want)
		}
		for k, v := range want {
			if string(got[k]) != string(v) {
				t.Fatalf("%q: %s is %s, want %s", b, k, got[k], v)
			}
		}
	})
}

// fuzzFile feeds files of any content, with those given as seeds, to a reader.
func fuzzFile(f *testing.F, name string, o Options, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	path := filepath.Join(f.TempDir(), name)
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, "", o)
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
	fuzzFile(f, "x.npz", Options{}, outsideFile(f, "one.npz"), outsideFile(f, "two.npz"))
}

func FuzzNPZMember(f *testing.F) {
	fuzzFile(f, "x.npz", Options{Member: "fortran"}, outsideFile(f, "packed.npz"))
}

func FuzzBvecs(f *testing.F) {
	fuzzFile(f, "x.bvecs", Options{}, []byte("\x03\x00\x00\x00\x01\x02\xff"))
}

func FuzzIvecs(f *testing.F) {
	fuzzFile(f, "x.ivecs", Options{}, []byte("\x01\x00\x00\x00\x01\x02\x00\x00"))
}

func FuzzSafetensors(f *testing.F) {
	header := `{"emb":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`
	fuzzFile(f, "x.safetensors", Options{}, append(append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...), make([]byte, 8)...))
}

func FuzzHDF5(f *testing.F) {
	fuzzFile(f, "x.hdf5", Options{Member: "train"}, outsideFile(f, "ann.hdf5"))
}

func FuzzHDF5Chunks(f *testing.F) {
	fuzzFile(f, "x.h5", Options{Member: "chunks"}, outsideFile(f, "v108.h5"), outsideFile(f, "latest.h5"))
}

func FuzzJSONArray(f *testing.F) {
	fuzzFile(f, "x.json", Options{Infer: true}, []byte(`[{"id":1,"s":"a,]\""},{"id":2}]`), []byte("[]"), []byte(`[{"a":[1,{"b":[]}]}]`), []byte("{\"a\":1}\n{\"a\":2}\n"), []byte("{\n  \"a\": [\n 1],\n \"b\": \"}\"\n}\n\n{\n}\n"))
}

func FuzzGzip(f *testing.F) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte("id,s\n1,a\n"))
	z.Close()
	fuzzFile(f, "x.csv.gz", Options{Infer: true}, b.Bytes())
}

func FuzzZstd(f *testing.F) {
	z, _ := zstd.NewWriter(nil)
	fuzzFile(f, "x.jsonl.zst", Options{Infer: true}, z.EncodeAll([]byte(`{"id":1}`+"\n"), nil))
}

// Records and fields are cut as encoding/csv cuts them, where that reads a file: but for
// line ends within quotes, which stay.
func FuzzCSVScanner(f *testing.F) {
	for _, s := range []string{"a,b\n1,\"x\"\"y\"\n", "a\r\n\"b\nc\",\r\n", "\n\na\n", "a,\"b\"", "\"a\",\"\"\n,\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if bytes.IndexByte(content, '\r') >= 0 { // where the two mean to differ
			return
		}
		c := csv.NewReader(bytes.NewReader(content))
		c.FieldsPerRecord = -1
		want, wantErr := c.ReadAll()
		s := newCSVScanner(iotest.OneByteReader(bytes.NewReader(content)), ",", false, false)
		var got [][]string
		for {
			rec, err := s.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				if wantErr == nil {
					t.Fatalf("%q: %v, encoding/csv reads %q", content, err, want)
				}
				return
			}
			got = append(got, texts(rec))
		}
		if wantErr == nil && fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q: %q, encoding/csv reads %q", content, got, want)
		}
	})
}
