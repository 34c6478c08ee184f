package source_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

const outside = "testdata/outside"

// read opens a file and reads all of it.
func read(t *testing.T, path string, o source.Options) (names []string, rows [][]value.Value) {
	t.Helper()
	r, err := source.Open(path, "", o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, c := range r.Columns() {
		names = append(names, c.Name)
	}
	rows, err = readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return names, rows
}

// What DuckDB wrote, in every compression and both versions of pages, is what DuckDB
// says it wrote.
func TestParquetOfDuckDB(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(outside, "parquet.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want [][]any
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(outside, "duckdb_*.parquet"))
	if len(files) != 12 {
		t.Fatalf("%d files", len(files))
	}
	columns := []string{"i32", "i64", "u8", "f64", "f32", "b", "few", "many", "bytes", "ts", "d", "dec", "holes", "vec", "vec_holes", "texts", "image.bytes", "image.path", "m", "deep", "ragged"}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			names, rows := read(t, file, source.Options{})
			if !slices.Equal(names, columns) {
				t.Fatalf("columns %v", names)
			}
			if len(rows) != len(want) {
				t.Fatalf("%d rows of %d", len(rows), len(want))
			}
			for i, row := range rows {
				for k, v := range row {
					got, w := any(nil), want[i][k]
					switch name := columns[k]; {
					case v.IsNull():
					case v.Kind() == value.Integer || v.Kind() == value.Real || v.Kind() == value.Numeric:
						if s, ok := w.(string); ok {
							got, w = v.String(), s
							break
						}
						f, _ := value.ParseReal(v.String())
						got = f
					case v.Kind() == value.Boolean:
						got = v.Bool()
					case v.Kind() == value.Blob:
						got = strings.ToUpper(hex.EncodeToString([]byte(v.Str())))
					case name == "d":
						got = strings.TrimSuffix(v.String(), " 00:00:00")
					case v.Kind() == value.Vector:
						got = v.String()
						x, err := value.ParseVector(nil, w.(string))
						if err != nil {
							t.Fatal(err)
						}
						w = value.Vec(x).String()
					default:
						got = v.String()
					}
					if got != w {
						t.Fatalf("row %d, %s: %v, DuckDB says %v", i+1, columns[k], got, w)
					}
				}
			}
		})
	}
}

// What Arrow Go and DuckDB wrote of types that readers get wrong.
func TestParquetOfOthers(t *testing.T) {
	_, rows := read(t, filepath.Join(outside, "lz4_required_arrow.parquet"), source.Options{})
	ids := map[string]bool{}
	for _, r := range rows {
		ids[r[0].String()] = true
	}
	if len(rows) != 2000 || len(ids) != 2000 {
		t.Errorf("LZ4_RAW: %d rows, %d ids", len(rows), len(ids))
	}
	_, rows = read(t, filepath.Join(outside, "float16_fixed_list.parquet"), source.Options{})
	if got := rows[0][1].String(); got != "[0,0.25,0.5,0.75]" {
		t.Errorf("float16 in lists: %s", got)
	}
	_, rows = read(t, filepath.Join(outside, "array_null_duckdb.parquet"), source.Options{})
	for i, want := range []string{"[0.1,0.2,0.3]", "", "[1,2,3]", ""} {
		if v := rows[i][1]; v.IsNull() != (want == "") || !v.IsNull() && v.String() != want {
			t.Errorf("row %d of an ARRAY with NULLs: %v", i+1, v)
		}
	}
	names, rows := read(t, filepath.Join(outside, "types_arrow.parquet"), source.Options{})
	if i := slices.Index(names, "f16"); i < 0 || rows[0][i].String() != "1.5" {
		t.Errorf("float16: %v", rows[0])
	}
	names, _ = read(t, filepath.Join(outside, "image_struct.parquet"), source.Options{})
	if !slices.Contains(names, "image.bytes") || !slices.Contains(names, "image.path") {
		t.Errorf("struct: %v", names)
	}
}

// Arrays as numpy says they are.
func TestArraysOfNumpy(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(outside, "arrays.json"))
	if err != nil {
		t.Fatal(err)
	}
	var arrays map[string][]any
	if err := json.Unmarshal(b, &arrays); err != nil {
		t.Fatal(err)
	}
	if len(arrays) < 20 {
		t.Fatalf("%d arrays", len(arrays))
	}
	same := func(v value.Value, w any) bool {
		switch w := w.(type) {
		case nil:
			return v.IsNull()
		case float64:
			f, err := value.ParseReal(v.String())
			return err == nil && f == w
		case []any:
			for i, x := range w {
				if float64(v.Vec()[i]) != x.(float64) {
					return false
				}
			}
			return len(w) == len(v.Vec())
		case string:
			if v.Kind() == value.Timestamp {
				p, err := value.ParseTimestamp(w)
				return err == nil && v.Int() == p
			}
			return v.Str() == w
		}
		return false
	}
	for name, want := range arrays {
		_, rows := read(t, filepath.Join(outside, name), source.Options{})
		if len(rows) != len(want) {
			t.Errorf("%s: %d rows of %d", name, len(rows), len(want))
			continue
		}
		for i, w := range want {
			if !same(rows[i][0], w) {
				t.Errorf("%s, row %d: %v, numpy has %v", name, i+1, rows[i][0], w)
			}
		}
	}
	if _, err := source.Open(filepath.Join(outside, "two.npz"), "", source.Options{}); err == nil || !strings.Contains(err.Error(), "features, ids") {
		t.Errorf("an archive of two arrays: %v", err)
	}
	if names, rows := read(t, filepath.Join(outside, "two.npz"), source.Options{Member: "ids"}); names[0] != "ids" || rows[0][0].Int() != 3 {
		t.Errorf("a named array: %v %v", names, rows)
	}
	for _, name := range []string{"fortran", "fortran.npy"} {
		_, rows := read(t, filepath.Join(outside, "packed.npz"), source.Options{Member: name})
		if len(rows) != 4 || fmt.Sprint(rows[1][0].Vec(), rows[3][0].Vec()) != "[-0.25 0 0.25] [1.25 1.5 1.75]" {
			t.Errorf("Fortran order, compressed: %v", rows)
		}
	}
	if _, rows := read(t, filepath.Join(outside, "packed.npz"), source.Options{Member: "days"}); rows[0][0].String() != "1969-12-31 00:00:00" {
		t.Errorf("days, compressed: %v", rows)
	}
	if _, rows := read(t, filepath.Join(outside, "one.npz"), source.Options{}); len(rows) != 4 || rows[3][0].Vec()[2] != 1.75 {
		t.Errorf("a compressed archive: %v", rows)
	}
}

// Tensors of safetensors, and the vectors of texmex, bytes and integers too.
func TestOtherArrays(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	header := `{"__metadata__":{"a":"b"},"emb":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},"ids":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}`
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for _, f := range []float32{1, -2, 0.5, 3} {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(f)>>16))
	}
	b = binary.LittleEndian.AppendUint64(b, 42)
	tensors := put("m.safetensors", b)
	if _, rows := read(t, tensors, source.Options{Member: "emb"}); fmt.Sprint(rows[0][0].Vec(), rows[1][0].Vec()) != "[1 -2] [0.5 3]" {
		t.Errorf("safetensors: %v", rows)
	}
	if _, rows := read(t, tensors, source.Options{Member: "ids"}); rows[0][0].Int() != 42 {
		t.Errorf("safetensors: %v", rows)
	}
	for _, bad := range []struct{ member, want string }{{"", "several tensors"}, {"nothing", "emb, ids"}} {
		if _, err := source.Open(tensors, "", source.Options{Member: bad.member}); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%q: %v", bad.member, err)
		}
	}
	bvecs := append(binary.LittleEndian.AppendUint32(nil, 3), 1, 200, 255)
	if _, rows := read(t, put("a.bvecs", bvecs), source.Options{}); fmt.Sprint(rows[0][0].Vec()) != "[1 200 255]" {
		t.Errorf("bvecs: %v", rows)
	}
	ints := binary.LittleEndian.AppendUint32(nil, 2)
	ints = binary.LittleEndian.AppendUint32(ints, 7)
	ints = binary.LittleEndian.AppendUint32(ints, 99)
	if _, rows := read(t, put("a.ivecs", ints), source.Options{}); fmt.Sprint(rows[0][0].Vec()) != "[7 99]" {
		t.Errorf("ivecs: %v", rows)
	}
	floats := binary.LittleEndian.AppendUint32(nil, 2)
	floats = binary.LittleEndian.AppendUint32(floats, math.Float32bits(0.5))
	floats = binary.LittleEndian.AppendUint32(floats, 0)
	if _, err := source.Open(put("f.ivecs", floats), "", source.Options{}); err == nil || !strings.Contains(err.Error(), ".fvecs") {
		t.Errorf("floats called ivecs: %v", err)
	}
	if _, err := source.Open(put("a.fvecs", ints), "", source.Options{}); err == nil || !strings.Contains(err.Error(), ".ivecs") {
		t.Errorf("integers called fvecs: %v", err)
	}
}

// csv as programs write it: line ends within quotes stay, delimiters and line ends are
// recognised, and so are compressed files, JSON arrays and patterns of several files.
func TestTextsAsPeopleHaveThem(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	z.Write([]byte("id,s\n1,a\n2,b\n"))
	z.Close()
	zst, _ := zstd.NewWriter(nil)
	put("part-2.csv", "s,id\nz,4\n")
	put("part-1.csv", "id,s\n3,y\n")
	for _, c := range []struct {
		path string
		want string
	}{
		{put("crlf.csv", "id,s\r\n1,\"x\r\ny\"\r\n2,\"\n\"\r\n3,\"\r\"\r\n"), `id s | 1 "x\r\ny" | 2 "\n" | 3 "\r"`},
		{put("cr.csv", "id,s\r1,a\r2,\"b\rc\"\r"), `id s | 1 "a" | 2 "b\rc"`},
		{put("semi.csv", "id;s\n1;2,5\n2;3,5\n"), `id s | 1 "2,5" | 2 "3,5"`},
		{put("tab.csv", "id\ts\n1\ta b\n"), `id s | 1 "a b"`},
		{put("pipe.csv", "id|s\n1|a\n2|b\n"), `id s | 1 "a" | 2 "b"`},
		{put("decimal.csv", "id;price;s\n1;1,5;a\n2;2;b\n"), `id price s | 1 "1,5" "a" | 2 "2" "b"`},
		{put("pandas.csv", ",id,s\n0,7,a\n1,8,b\n"), `column1 id s | 0 7 "a" | 1 8 "b"`},
		{put("upper.csv", "Filename,Caption\na.jpg,A dog\nb.jpg,Two cats\n"), `Filename Caption | "a.jpg" "A dog" | "b.jpg" "Two cats"`},
		{put("one.csv", "s\na\n\nb\n\n"), `column1 | "s" | "a" | NULL | "b" | NULL`},
		{put("none.csv", ""), "column1"},
		{put("z.csv.gz", gz.String()), `id s | 1 "a" | 2 "b"`},
		{put("z.jsonl.zst", string(zst.EncodeAll([]byte(`{"id":1,"s":"a"}`+"\n"), nil))), `id s | 1 "a"`},
		{put("array.jsonl", " [\n {\"id\": 1, \"s\": \"a,]\\\"\"},\r\n{\"id\":2,\"s\":\"b\"}\n]\n"), `id s | 1 "a,]\"" | 2 "b"`},
		{put("noarray.jsonl", "[]"), "column1"},
		{put("excel.csv", "sep=;\r\nid;s\r\n1;a\r\n"), `id s | 1 "a"`},
		{put("caret.csv", "id^s\n1^a\n"), `id s | 1 "a"`},
		{put("unit.csv", "id\x1fs\n1\x1fa\n"), `id s | 1 "a"`},
		{put("headless.csv", "1;1,5\n2;2,25\n"), `column1 column2 | 1 "1,5" | 2 "2,25"`},
		{put("movies.csv", "1::Toy Story: (1995)::Comedy|Drama\n2::Jumanji, (1995)::Drama\n"), `column1 column2 column3 | 1 "Toy Story: (1995)" "Comedy|Drama" | 2 "Jumanji, (1995)" "Drama"`},
		{put("bars.csv", "id||s\n1||a b\n2||\n"), `id s | 1 "a b" | 2 NULL`},
		{put("bar.csv", "id|n|s\n1||a b\n2||c\n"), `id n s | 1 NULL "a b" | 2 NULL "c"`},
		{put("colon.csv", "id:s\n1:a b\n2:c\n"), `id s | 1 "a b" | 2 "c"`},
		{put("passwd.csv", "root:x:0:0:/root\nbin:x:2:2:/bin\nme:x:3:4:\n"), `column1 column2 column3 column4 column5 | "root" "x" 0 0 "/root" | "bin" "x" 2 2 "/bin" | "me" "x" 3 4 NULL`},
		{put("glove.csv", "the 0.5 -1 2\nof 0.25 1 3\n"), `column1 column2 column3 column4 | "the" 0.5 -1 2 | "of" 0.25 1 3`},
		{put("space.csv", "id x\n1 0.5\n2 0.25\n"), `id x | 1 0.5 | 2 0.25`},
		{put("phrases.csv", "a dog plays\ntwo cats sleep\nsome birds fly\n"), `column1 | "a dog plays" | "two cats sleep" | "some birds fly"`},
		{put("times.csv", "10:30:00\n11:30:15\n12:00:00\n"), `column1 | "10:30:00" | "11:30:15" | "12:00:00"`},
		{put("macs.csv", "00:1a:2b:3c\n00:1a:2b:3d\n00:1a:2b:3e\n"), `column1 | "00:1a:2b:3c" | "00:1a:2b:3d" | "00:1a:2b:3e"`},
		{put("paths.csv", "a/b/c.jpg\na/b/dd.jpg\na/e/f.jpg\n"), `column1 | "a/b/c.jpg" | "a/b/dd.jpg" | "a/e/f.jpg"`},
		{put("urls.csv", "https://a.b/c?x=1\nhttps://a.b/d?x=2\nhttps://a.b/ee?x=3\n"), `column1 | "https://a.b/c?x=1" | "https://a.b/d?x=2" | "https://a.b/ee?x=3"`},
		{put("lists.csv", "1;[1,2]\n2;[3,4]\n"), `column1 column2 | 1 [1,2] | 2 [3,4]`},
		{put("x.json", `{"id":1}`+"\n"+`{"id":2}`), `id | 1 | 2`},
		{put("y.json", `[{"id":1},{"id":2}]`), `id | 1 | 2`},
		{put("large.jsonl", `{"n":9223372036854775808}`+"\n"+`{"n":1}`), `n | 9223372036854775808 | 1`},
		{put("half.jsonl", `{"s":"\ud83d\udc3a \ufffd \\ud83d"}`), "s | \"🐺 \ufffd \\\\ud83d\""},
		{filepath.Join(dir, "part-*.csv"), `id s | 3 "y" | 4 "z"`},
		{filepath.Join(dir, "**", "part-{2,1}.csv"), `id s | 3 "y" | 4 "z"`},
		{put("a[1].csv", "id,s\n5,literally\n"), `id s | 5 "literally"`},
	} {
		names, rows := read(t, c.path, source.Options{Infer: true})
		got := strings.Join(names, " ")
		for _, r := range rows {
			got += " |"
			for _, v := range r {
				switch {
				case v.IsNull():
					got += " NULL"
				case v.Kind() == value.Text:
					got += fmt.Sprintf(" %q", v.Str())
				default:
					got += " " + v.String()
				}
			}
		}
		if got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", filepath.Base(c.path), got, c.want)
		}
	}
	for _, c := range []struct{ name, text, want string }{
		{"bad.jsonl", "[1,2]", "element 1 of the array: expected"},
		{"cut.jsonl", `[{"id":1},`, "the JSON array has no end"},
		{"more.jsonl", `[{"id":1}] x`, "something follows"},
		{"bad.csv", `"id", "name"` + "\n", "line 1, character 7: a quote inside a field"},
		{"bad.csv.gz", "id\n1\n", "not a .gz file"},
		{"half.jsonl", `{"s":"a"}` + "\n" + `{"s":"x\ud83d"}`, `line 2: s: \ud83d is half of a surrogate pair`},
		{"low.jsonl", `{"s":"\udc00\ud83d"}`, `\udc00 is half of a surrogate pair`},
		{"wide.jsonl", "\xff\xfe{\x00", "UTF-16"},
		{"x.hdf5", "", "not an HDF5 file"},
		{"x.parquet.gz", "", "decompress it first"},
	} {
		r, err := source.Open(put(c.name, c.text), "", source.Options{Infer: true})
		if err == nil {
			_, err = readAll(r)
			r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// What Arrow wrote of every type, in every encoding and compression, with and without
// NULLs, pages of a few values and lists over several pages, is what it was given.
func TestParquetOfArrow(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(outside, "arrow.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]any
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(outside, "arrow_*.parquet"))
	if len(files) != 8 || len(want) < 120 {
		t.Fatalf("%d files, %d columns", len(files), len(want))
	}
	same := func(v value.Value, w any) bool {
		switch w := w.(type) {
		case nil:
			return v.IsNull()
		case bool:
			return v.Kind() == value.Boolean && v.Bool() == w
		case float64:
			if v.Kind() == value.Integer {
				return float64(v.Int()) == w
			}
			if v.Kind() == value.Numeric {
				return value.NumericReal(v.Str()) == w
			}
			return v.Kind() == value.Real && (v.Float() == w || float32(v.Float()) == float32(w))
		case string:
			return v.String() == w || v.Kind() == value.Date && v.String()+" 00:00:00" == w
		case []any:
			if v.Kind() == value.JSON {
				b, err := json.Marshal(w)
				return err == nil && v.Str() == string(b)
			}
			for i, x := range v.Vec() {
				if x != float32(w[i].(float64)) {
					return false
				}
			}
			return v.Kind() == value.Vector && len(w) == len(v.Vec())
		}
		return false
	}
	for _, file := range files {
		names, rows := read(t, file, source.Options{})
		if len(names) != len(want) {
			t.Errorf("%s: %d columns of %d", file, len(names), len(want))
		}
		for k, name := range names {
			if len(rows) != len(want[name]) {
				t.Fatalf("%s: %d rows of %d", file, len(rows), len(want[name]))
			}
			for i, w := range want[name] {
				if v := rows[i][k]; !same(v, w) {
					t.Errorf("%s, %s, row %d: %v %q, Arrow wrote %v", filepath.Base(file), name, i+1, v.Kind(), v, w)
					break
				}
			}
		}
	}
}

func FuzzParquet(f *testing.F) { fuzz(f, "parquet", source.Options{}) }

// The rest of the file format is as strict as its readers: the bytes of every page count.
func FuzzParquetPages(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(outside, "*.parquet"))
	var whole [][]byte
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		whole = append(whole, b)
	}
	f.Add(uint8(0), uint32(100), []byte{255})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, which uint8, at uint32, bytes []byte) {
		b := slices.Clone(whole[int(which)%len(whole)])
		copy(b[int(at)%len(b):], bytes)
		path := filepath.Join(dir, "x.parquet")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := source.Open(path, "", source.Options{})
		if err != nil {
			return
		}
		defer r.Close()
		readAll(r)
	})
}

// What Arrow's Rust library wrote with the older LZ4, whose blocks come in frames.
func TestParquetOfRust(t *testing.T) {
	for _, v := range []string{"V1", "V2"} {
		names, rows := read(t, filepath.Join(outside, "rust_lz4_"+v+".parquet"), source.Options{})
		if strings.Join(names, " ") != "id vec lst dict dec" || len(rows) != 500 {
			t.Fatalf("%s: %v, %d rows", v, names, len(rows))
		}
		for i, r := range rows {
			x := float32(i)
			list := fmt.Sprintf("[%d,%d]", i, i+1)
			if i%5 == 0 {
				list = value.Value{}.String()
			}
			if r[0].Int() != int64(i) || fmt.Sprint(r[1].Vec()) != fmt.Sprint([]float32{x, x / 2, -x}) || r[2].String() != list || r[3].Str() != fmt.Sprint("k", i%4) || r[4].Int() != int64(i) || r[4].Kind() != value.Date {
				t.Fatalf("%s, row %d: %v", v, i, r)
			}
		}
	}
}

// Objects that go over several lines, as printers for people write them; and texts that are
// compressed, whatever their ending says.
func TestLinesAndCompressions(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var want []any
	var text bytes.Buffer
	rng := rand.New(rand.NewPCG(8, 9))
	var make func(depth int) any
	make = func(depth int) any {
		switch n := rng.IntN(7); {
		case n == 0 && depth > 0:
			return []any{make(depth - 1), "]"}
		case n == 1 && depth > 0:
			return map[string]any{"x{": make(depth - 1), "y,": nil}
		case n < 4:
			return []string{"", "a\nb", "}", "\"", "\\", "[1,2", "K\u00e4fer"}[rng.IntN(7)]
		}
		return float64(rng.IntN(100))
	}
	for range 300 {
		o := map[string]any{"id": float64(rng.IntN(1000)), "j": map[string]any{"v": make(3)}}
		b, err := json.MarshalIndent(o, "", []string{"  ", "\t", ""}[rng.IntN(3)])
		if err != nil {
			t.Fatal(err)
		}
		text.Write(b)
		text.WriteString([]string{"\n", "\r\n", "\n\n  \n"}[rng.IntN(3)])
		want = append(want, o)
	}
	check := func(path string) {
		t.Helper()
		r, err := source.Open(path, "jsonl", source.Options{Infer: true})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		rows, err := readAll(r)
		if err != nil || len(rows) != len(want) {
			t.Fatalf("%s: %d rows, %v", path, len(rows), err)
		}
		for i, row := range rows {
			var j any
			if err := json.Unmarshal([]byte(row[1].Str()), &j); err != nil {
				t.Fatal(err)
			}
			if got := map[string]any{"id": float64(row[0].Int()), "j": j}; !reflect.DeepEqual(got, want[i]) {
				t.Fatalf("%s, row %d: %v, want %v", path, i+1, got, want[i])
			}
		}
	}
	check(put("a.json", text.Bytes()))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(text.Bytes())
	z.Close()
	check(put("b.jsonl.gz", packed.Bytes()))
	check(put("c.jsonl", packed.Bytes()))
	zst, _ := zstd.NewWriter(nil)
	check(put("d.json", zst.EncodeAll(text.Bytes(), nil)))

	// bzip2 -c of "id,name\n1,x\n", which the standard library reads and does not write.
	bz, err := hex.DecodeString("425a683931415926535980bbfb7600000459800010000420002623004020002201a1ea10030462b38a06f17724538509080bbfb760")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"e.csv.bz2", "f.csv"} {
		if _, rows := read(t, put(name, bz), source.Options{}); len(rows) != 1 || rows[0][1].String() != "x" {
			t.Errorf("%s: %v", name, rows)
		}
	}
}
