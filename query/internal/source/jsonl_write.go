package source

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// jsonlWriter writes one object a line, NULL as null, times and blobs as the
// texts they are cast to. A file whose name ends in .json is one array of them.
type jsonlWriter struct {
	*Output
	array bool
	keys  [][]byte
	line  []byte
	rows  int64
}

func createJSONL(path string, cols []Column, _ Options) (Writer, error) {
	w := &jsonlWriter{array: strings.EqualFold(filepath.Ext(path), ".json")}
	seen := map[string]bool{}
	for _, c := range cols {
		if seen[c.Name] {
			return nil, fmt.Errorf("%s: two columns are called %q; give one another name with AS", path, c.Name)
		}
		seen[c.Name] = true
		w.keys = append(w.keys, append(AppendJSONText(nil, c.Name), ':'))
	}
	out, err := CreateOutput(path)
	w.Output = out
	if err == nil && w.array {
		_, err = out.WriteString("[")
	}
	return w, err
}

// AppendJSONText appends s as a JSON string, without escaping < > and &.
func AppendJSONText(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	e.Encode(s) // a string can't fail
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}

func (w *jsonlWriter) Write(ctx context.Context, b *value.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	EachRow(b, func(i int) bool {
		w.line = w.line[:0]
		if w.array && w.rows > 0 {
			w.line = append(w.line, ',')
		}
		if w.array {
			w.line = append(w.line, '\n')
		}
		w.rows++
		w.line = append(w.line, '{')
		for k, c := range b.Cols {
			if k > 0 {
				w.line = append(w.line, ',')
			}
			w.line = append(w.line, w.keys[k]...)
			w.line = AppendJSON(w.line, c.Value(i))
		}
		w.line = append(w.line, '}')
		if !w.array {
			w.line = append(w.line, '\n')
		}
		_, err = w.Output.Write(w.line)
		return err == nil
	})
	return err
}

// AppendJSON appends a value; reals that JSON has no number for are texts.
func AppendJSON(b []byte, v value.Value) []byte {
	switch v.Kind() {
	case value.Null:
		return append(b, "null"...)
	case value.Boolean, value.Integer, value.Vector:
		return v.AppendText(b)
	case value.Real:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return AppendJSONText(b, v.String())
		} else if f == math.Trunc(f) && math.Abs(f) < 1e15 {
			return append(v.AppendText(b), ".0"...) // to stay REAL
		}
		return v.AppendText(b)
	case value.JSON:
		if !strings.ContainsAny(v.Str(), "\r\n") {
			return append(b, v.Str()...) // as it is, spaces included
		}
		var buf bytes.Buffer
		if json.Compact(&buf, []byte(v.Str())) == nil {
			return append(b, buf.Bytes()...)
		}
	}
	return AppendJSONText(b, v.String())
}

func (w *jsonlWriter) Close() error {
	if w.array && !w.done {
		w.Output.WriteString("\n]\n") // an error shows when it is flushed
	}
	return w.Finish()
}
