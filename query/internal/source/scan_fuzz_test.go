package source

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

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
