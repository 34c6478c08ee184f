package source_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// npy returns a npy file of version 1.
func npy(descr string, fortran bool, shape string, data ...byte) string {
	order := "False"
	if fortran {
		order = "True"
	}
	h := fmt.Sprintf("{'descr': %s, 'fortran_order': %s, 'shape': (%s), }\n", descr, order, shape)
	return "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(h)))) + h + string(data)
}

func floats(x ...float32) (b []byte) {
	for _, f := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func fvecs(dim int32, x ...float32) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(dim))) + string(floats(x...))
}

var nan = float32(math.NaN())

// Bad files, and what is said about them: on opening or while reading.
var badFiles = []struct{ name, content, want string }{
	{"a.npy", "", `not a npy file: it begins with "" instead of`},
	{"a.npy", "PK\x03\x04 zip archive", "not a npy file but a zip: an archive of arrays ends in .npz"},
	{"a.npy", "\x93NUMPY\x01\x00", "file ends within the npy header"},
	{"a.npy", "\x93NUMPY\x01\x00\xff\x00{'descr'", "file ends within the npy header"},
	{"a.npy", "\x93NUMPY\x09\x00\x00\x00", "npy version 9 is not known"},
	{"a.npy", "\x93NUMPY\x02\x00\xff\xff\xff\xff", "file is corrupt"},
	{"a.npy", npy("'<f4'", false, "2, 3", make([]byte, 20)...), "the file is truncated: 4 bytes are missing (its header promises 2 rows of 3 x float32"},
	{"a.npy", npy("'<f2'", false, "20000, 128"), "5120000 bytes are missing"},
	{"a.npy", npy("'|u1'", false, "2", 1, 2, 3), "the file is 1 bytes longer than its header says"},
	{"a.npy", npy("'|u1'", false, "2", 1, 2) + npy("'|u1'", false, "2", 1, 2), "another array after the first one"},
	{"a.npy", npy("'|O'", false, "2"), "array of Python objects"},
	{"a.npy", npy("[('x', '<f4')]", false, "2"), "structured arrays are not supported"},
	{"a.npy", npy("'<c8'", false, "2"), `element type "<c8" is not supported`},
	{"a.npy", npy("'<f16'", false, "2"), "not supported"},
	{"a.npy", npy("'<f4'", false, "2, 2, 2", make([]byte, 32)...), "an array of 3 dimensions"},
	{"a.npy", npy("'<f4'", false, "", make([]byte, 4)...), "an array of 0 dimensions"},
	{"a.npy", npy("'<f4'", false, "2, 100000", make([]byte, 4)...), "rows of 100000 elements; a vector has 1 to 8192"},
	{"a.npy", npy("'<f4'", false, "2, 0"), "rows of 0 elements"},
	{"a.npy", npy("'<f4'", false, "9223372036854775807, 2"), "the file is corrupt"},
	{"a.npy", npy("'|b1'", false, "2, 2", 0, 1, 0, 1), "is not a column of vectors"},
	{"a.npy", "\x93NUMPY\x01\x00\x05\x00hello", "npy header not understood"},
	{"a.npy", npy("'<f4'", false, "2, 2", floats(1, 2, 3, nan)...), "a.npy: row 2: element 2 of the vector is NaN; only finite numbers"},
	{"a.npy", npy("'<f8'", false, "1, 1", binary.LittleEndian.AppendUint64(nil, math.Float64bits(1e300))...), "row 1: element 1 of the vector is 1e+300"},
	{"a.npy", npy("'<f2'", false, "1, 2", 0, 0x3c, 0, 0xfc), "element 2 of the vector is -Infinity"},
	{"a.npy", npy("'<u8'", false, "1", 255, 255, 255, 255, 255, 255, 255, 255), "row 1: 18446744073709551615 is out of range for INTEGER"},
	{"a.npy", npy("'<U1'", false, "1", 0, 0xd8, 0, 0), "row 1: the text is not valid Unicode"},
	{"a.npy", npy("'|S2'", false, "1", 0xff, 0), "row 1: the text is not valid UTF-8"},

	{"a.csv", "id,width\na,1\nb\n", "a.csv, line 3: 1 field where the header has 2"},
	{"a.csv", "id,width\na,1,2\n", "a.csv, line 2: 3 fields where the header has 2"},
	{"a.csv", "id,width\na,1\n\"b,2\n", "a quote opened in line 3 is not closed"},
	{"a.csv", "id,width\na,1\nb\"c,2\n", "a.csv, line 3, character 2: a quote inside a field"},
	{"a.csv", "id,width\n\"a\"b,1\n", "line 2, character 3: a quote that is neither doubled"},
	{"a.csv", "id,caption\n1,fine\n2,K\xe4fer\n", `a.csv, line 3, column caption: not valid UTF-8 (byte 0xe4)`},
	{"a.csv", "id,caption\n1,\"two\nlines\"\n2,K\xe4fer\n", `line 4, column caption`},
	{"a.csv", "\xff\xfei\x00d\x00\n\x00", "the file is UTF-16"},

	{"a.jsonl", "{\"a\":1}\n[1]\n", "a.jsonl, line 2: expected one JSON object a line"},
	{"a.jsonl", "{\"a\":1}\n{\"a\":\n2}\n", "line 2: the JSON object is not complete"},
	{"a.jsonl", "{\"a\":1}\n{\"a\":2} {\"a\":3}\n", "line 2: \"{\\\"a\\\":3}\" after the object"},
	{"a.jsonl", "{\"a\":1}\n{a:2}\n", "line 2: not valid JSON"},
	{"a.jsonl", "{\"a\":1,\"a\":2}\n", `line 1: "a" is repeated`},
	{"a.jsonl", "{\"a\":\"K\xe4fer\"}\n", "line 1: not valid UTF-8"},

	{"a.jsonl", "{\n\"a\":1\n}\n{\n\"a\":}\n", "object 2: not valid JSON"},
	{"a.jsonl", "{\n\"a\":1\n}\n{\n\"a\":2", "the last JSON object is not complete"},
	{"a.jsonl", "{\n\"a\":1\n}]\n", `']' closes nothing`},

	{"a.csv", "PAR1\x15\x04\x15\x50", "is not a csv file but a Parquet file: use read_parquet"},
	{"a.tsv", "PK\x03\x04\x14\x00", "is not a tsv file but a zip archive"},
	{"a.csv.gz", "\xfd7zXZ\x00", "compressed by xz: decompress it first"},
	{"a.csv", "\x89HDF\r\n\x1a\n\x00", "an HDF5 file: use read_hdf5"},
	{"a.npy", "\x89HDF\r\n\x1a\n\x00", "is not a npy file but an HDF5 file: use read_hdf5"},
	{"a.npz", "\x93NUMPY\x01\x00", "a.npz: not a npz file"},
	{"a.npz", "SQLite format 3\x00", "an SQLite store"},
	{"a.fvecs", "\x93NUMPY\x01\x00", "is not a fvecs file but an array of numpy: use read_npy"},
	{"a.safetensors", "PK\x03\x04\x14\x00\x00\x00", "is not a safetensors file but a zip archive, as .xlsx, .npz and .pt files are"},
	{"a.jsonl", "\x80\x04\x95\x10", "a pickle of Python"},
	{"a.csv", "\xff\xd8\xff\xe0", "a picture: use images()"},

	{"a.fvecs", "", "the file is empty"},
	{"a.fvecs", "\x01\x00", "not a fvecs file: 2 bytes long"},
	{"a.fvecs", "hello, world", "not a fvecs file: the first vector would have 1819043176 dimensions"},
	{"a.fvecs", fvecs(2, 1, 2) + fvecs(2, 1), "the file is truncated: 4 bytes are missing in vector 2 of 2 dimensions"},
	{"a.fvecs", fvecs(2, 1, 2) + fvecs(1, 1, 1), "vector 2 has 1 dimension, the first has 2"},
	{"a.fvecs", fvecs(2, 1, nan), "row 1: element 2 of the vector is NaN"},

	{"a.parquet", "", "not a parquet file: it is empty"},
	{"a.parquet", "PAR1 but not really PAR1", "not a parquet file, or a damaged one"},
	{"a.parquet", "hello", "not a parquet file, or a damaged one"},
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	for _, c := range badFiles {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := source.Open(path, "", source.Options{})
		if err == nil {
			_, err = readAll(r)
			r.Close()
		}
		switch {
		case err == nil:
			t.Errorf("%s %q: no error, want %q", c.name, c.content, c.want)
		case !strings.Contains(err.Error(), c.want):
			t.Errorf("%s %q:\n  %s\nwant\n  %s", c.name, c.content, err, c.want)
		case !strings.Contains(err.Error(), path):
			t.Errorf("%s: the file is not named", err)
		}
	}
}

// A csv read into columns of given types says where what doesn't fit is.
func TestBadValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	for _, c := range []struct {
		typ        value.Type
		text, want string
	}{
		{value.Type{Kind: value.Integer}, "abc", `line 3, column v: "abc" is not an integer`},
		{value.Type{Kind: value.Integer}, "1.5", `"1.5" is not an integer`},
		{value.Type{Kind: value.Real}, "1,5", `"1,5" is not a number`},
		{value.Type{Kind: value.Boolean}, "maybe", `"maybe" is not a boolean (true or false)`},
		{value.Type{Kind: value.Timestamp}, "31.5.2024", `"31.5.2024" is not a timestamp (2024-05-31 or 2024-05-31 12:30:00)`},
		{value.Type{Kind: value.JSON}, "{", `"{" is not valid JSON`},
		{value.Type{Kind: value.Vector, Dim: 3}, "[1,2]", "vector has 2 dimensions, 3 expected"},
		{value.Type{Kind: value.Vector, Dim: 1}, "[NaN]", `"NaN" is not a finite number`},
		{value.Type{Kind: value.Blob}, `\x0`, "is not a blob"},
	} {
		os.WriteFile(path, []byte("k,v\n1,\n2,\""+c.text+"\"\n"), 0o644)
		r, err := source.Open(path, "", source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Project([]int{1}, []value.Type{c.typ}); err != nil {
			t.Fatal(err)
		}
		_, err = readAll(r)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %q: %v, want %s", c.typ, c.text, err, c.want)
		}
		r.Close()
	}
}

func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	for _, ext := range append([]string{"npy", "fvecs"}, tableFormats...) {
		_, err := source.Open(filepath.Join(dir, "none."+ext), "", source.Options{})
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", ext, err)
		}
		if _, err := source.Open(dir, ext, source.Options{}); err == nil || !strings.Contains(err.Error(), "is a directory, not a file") {
			t.Errorf("%s: %v", ext, err)
		}
	}
	if _, err := source.Open(os.DevNull, "csv", source.Options{}); err == nil || !strings.Contains(err.Error(), "is not a plain file") {
		t.Error(err)
	}
	if _, err := source.Open("features.bin", "", source.Options{}); err == nil || !strings.Contains(err.Error(), "write (FORMAT ...)") {
		t.Error(err)
	}
	cols := []source.Column{{"a", value.Type{Kind: value.Text}}}
	if _, err := source.Create(filepath.Join(dir, "none", "x.csv"), "", cols, source.Options{}); err == nil || !strings.Contains(err.Error(), "no directory") {
		t.Error(err)
	}
	if _, err := source.Create("x.fvecs", "", cols, source.Options{}); err == nil || !strings.Contains(err.Error(), "fvecs files can't be written") {
		t.Error(err)
	}
	if _, err := source.Create(filepath.Join(dir, "x.npy"), "", cols, source.Options{}); err == nil || !strings.Contains(err.Error(), "vectors or numbers, not TEXT") {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	text := func(name, s string) source.Option { return source.Option{name, value.Str(s), true} }
	bare := func(name string) source.Option { return source.Option{name, value.Value{}, false} }
	for _, c := range []struct {
		format string
		use    source.Use
		opts   []source.Option
		want   string // error, or "" for none
	}{
		{"csv", source.Import, []source.Option{bare("HEADER"), text("delimiter", ";")}, ""},
		{"csv", source.Import, []source.Option{text("delimiter", `\t`), text("header", "auto"), text("null", "NULL")}, ""},
		{"csv", source.TableFunc, []source.Option{{"header", value.Bool(false), true}}, ""},
		{"csv", source.Import, []source.Option{text("format", "npy")}, ""},
		{"csv", source.Import, []source.Option{text("format", "tvs")}, `no format "tvs" (did you mean "tsv"?)`},
		{"csv", source.Import, []source.Option{bare("haeder")}, `no option "haeder" for reading csv (did you mean "header"?); there are format, header, delimiter, null, quote`},
		{"npy", source.Import, []source.Option{bare("header")}, `no option "header" for reading npy`},
		{"npy", source.TableFunc, []source.Option{bare("header")}, `no option "header" for reading npy; there are member`},
		{"csv", source.Import, []source.Option{bare("header"), bare("HEADER")}, "option HEADER is given twice"},
		{"csv", source.Import, []source.Option{text("delimiter", "::")}, ""},
		{"csv", source.Import, []source.Option{text("delimiter", "a\"b")}, `option DELIMITER needs one character or a few, without quotes and line ends, not "a\"b"`},
		{"csv", source.Export, []source.Option{text("delimiter", ";"), text("null", "a;b")}, "option NULL can't have the delimiter in it"},
		{"csv", source.Import, []source.Option{bare("delimiter")}, "option DELIMITER needs a text"},
		{"csv", source.Import, []source.Option{text("header", "x")}, `option HEADER is true, false or auto, not "x"`},
		{"csv", source.Import, []source.Option{text("quote", "'")}, `only " can quote`},
		{"csv", source.Import, []source.Option{text("null", "a\nb")}, "option NULL can't have"},
		{"html", source.Export, []source.Option{text("image", "{id}.jpg"), {"thumbnail", value.Int(5), true}}, "option THUMBNAIL is a size of 16 to 2000 pixels"},
		{"gallery", source.Export, []source.Option{text("titel", "x")}, `did you mean "title"?`},
	} {
		_, _, err := source.ParseOptions(c.format, c.use, c.opts)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want %q", c.opts, err, c.want)
		}
	}
}

func TestZip(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := func(files ...string) (source.Reader, error) {
		var rs []source.Reader
		for _, f := range files {
			r, err := source.Open(f, "", source.Options{})
			if err != nil {
				t.Fatal(err)
			}
			rs = append(rs, r)
		}
		t.Cleanup(func() {
			for _, r := range rs {
				r.Close()
			}
		})
		return source.Zip(rs, files)
	}
	var data []byte
	var ids strings.Builder
	ids.WriteString("photo_id\n")
	for i := range 3000 {
		data = append(data, floats(float32(i), 1)...)
		fmt.Fprintf(&ids, "Photo%d\n", i)
	}
	features := write("features.npy", npy("'<f4'", false, "3000, 2", data...))
	z, err := open(features, write("ids.csv", ids.String()))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readAll(z)
	if err != nil || len(rows) != 3000 || z.Rows() != 3000 {
		t.Fatal(len(rows), err)
	}
	for i, row := range rows {
		if row[0].Vec()[0] != float32(i) || row[1].Str() != fmt.Sprintf("Photo%d", i) {
			t.Fatalf("row %d is %v", i+1, row)
		}
	}
	fails := func(want string, files ...string) {
		z, err := open(files...)
		if err == nil {
			_, err = readAll(z)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	short := strings.TrimSuffix(ids.String(), "Photo2999\n")
	fails("ids.csv ends after 2999 rows, so row 3000 of "+features+" has no partner", features, write("ids.csv", short))
	fails("features.npy ends after 3000 rows, so row 3001 of", features, write("ids.csv", ids.String()+"one more\n"))
	fails("two.npy ends after 2 rows, so row 3 of", features, write("two.npy", npy("'<f4'", false, "2", floats(1, 2)...)))

	z, err = open(features, write("t.csv", "a,b,c\n"+strings.Repeat("1,x,true\n", 3000)))
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Project([]int{3, 0}, nil); err == nil {
		t.Error("columns out of the files' order")
	}
	if err := z.Project([]int{1, 3}, []value.Type{{Kind: value.Integer}, {Kind: value.Boolean}}); err != nil {
		t.Fatal(err)
	}
	rows, err = readAll(z)
	if err != nil || len(rows) != 3000 || rows[2999][0].Int() != 1 || !rows[2999][1].Bool() {
		t.Fatal(len(rows), err)
	}
}

func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		content string
		names   []string
		want    string // column names
	}{
		{"photo_id\nPVUDufpRuGS\ncwOXY9NcBJN\n", nil, "photo_id"},
		{"photo_id\ndog\ncat\n", nil, "photo_id"},
		{"dog\ncat\n", nil, "column1"},
		{"PVUDufpRuGS\ncwOXY9NcBJN\n", nil, "column1"},
		{"name,age\nAnn,20\nBob,\n", nil, "name,age"},
		{"Ann,20\nBob,30\n", nil, "column1,column2"},
		{"dog,cat\nwolf,fox\n", []string{"CAT"}, "dog,cat"},
		{"a\na\n", nil, "column1"},
		{"Name,Name,\n1,2,3\n", nil, "column1,column2,column3"},
		{"id,id,x\n1,2,3\n", nil, "id,id_2,x"},
		{"\ufeffid,x\n1,2\n", nil, "id,x"},
		{"id,name,\n1,a,\n2,b,\n", nil, "id,name,column3"},
		{"id,2019,2020\na,1,2\nb,3,4\n", nil, "id,2019,2020"},
		{"id,2019\n1,2\n", nil, "id,2019"},
		{"x1,5\ny2,6\n", nil, "column1,column2"},
		{"NA,2\n1,3\n", nil, "column1,column2"},
		{"name,city\nAnna,Berlin\nBob,Paris\n", nil, "name,city"},
		{"text\n\"hello, you\"\nfoo\n", nil, "text"},
		{"red,green\nblue,black\n", nil, "column1,column2"},
		{"when\n2024-05-31\n", nil, "when"},
		{"1\n2\n", nil, "column1"},
		{"id", nil, "id"},
		{"id", []string{"id"}, "id"},
		{"", nil, "column1"},
	} {
		path := filepath.Join(t.TempDir(), "a.csv")
		os.WriteFile(path, []byte(c.content), 0o644)
		r, err := source.Open(path, "", source.Options{Names: c.names})
		if err != nil {
			t.Errorf("%q: %v", c.content, err)
			continue
		}
		var names []string
		for _, col := range r.Columns() {
			names = append(names, col.Name)
		}
		if got := strings.Join(names, ","); got != c.want {
			t.Errorf("%q: columns %s, want %s", c.content, got, c.want)
		}
		r.Close()
	}
}

// NULL and the empty text stay apart, records with line breaks and blank lines
// around included.
func TestCSVNull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	os.WriteFile(path, []byte("k,v\r\n\r\n\n1,\r\n2,\"\"\r\n\n\"3\n\",\"\"\n\"4\n\n\",\n,\"a\"\n\"\",x"), 0o644)
	r, err := source.Open(path, "", source.Options{Header: source.HeaderYes})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rows, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows {
		for _, v := range row {
			if v.IsNull() {
				got = append(got, "NULL")
			} else {
				got = append(got, fmt.Sprintf("%q", v.Str()))
			}
		}
	}
	if s, want := strings.Join(got, " "), `"1" NULL "2" "" "3\n" "" "4\n\n" NULL NULL "a" "" "x"`; s != want {
		t.Errorf("%s, want %s", s, want)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	path := filepath.Join(t.TempDir(), "a.csv")
	os.WriteFile(path, []byte("a\n1\n"), 0o644)
	r, err := source.Open(path, "", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(ctx); err != context.Canceled {
		t.Error(err)
	}
}
