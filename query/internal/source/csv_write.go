package source

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// csvWriter writes csv and tsv so that csvReader gives back the same values:
// NULL is the NULL text without quotes, a text that looks like it has quotes.
type csvWriter struct {
	*Output
	cols  []Column
	o     Options
	delim string
	line  []byte
	rows  int64
}

func createCSV(path string, cols []Column, o Options) (Writer, error) {
	out, err := CreateOutput(path)
	if err != nil {
		return nil, err
	}
	w := &csvWriter{Output: out, cols: cols, o: o, delim: ","}
	if o.format == "tsv" {
		w.delim = "\t"
	}
	if o.Delimiter != "" {
		w.delim = o.Delimiter
	}
	if o.Header != HeaderNo {
		for i, c := range cols {
			if i > 0 {
				w.line = append(w.line, w.delim...)
			}
			w.text(c.Name)
		}
		w.line = append(w.line, '\n')
		out.Write(w.line)
	}
	return w, nil
}

// text appends a field that is not NULL, in quotes where that is needed.
func (w *csvWriter) text(s string) {
	if s != w.o.Null && s != "" && s[0] != ' ' && !strings.ContainsAny(s, "\"\r\n\t") && !strings.ContainsAny(s, w.delim) {
		w.line = append(w.line, s...)
		return
	}
	w.line = append(w.line, '"')
	w.line = append(w.line, strings.ReplaceAll(s, `"`, `""`)...)
	w.line = append(w.line, '"')
}

func (w *csvWriter) Write(ctx context.Context, b *value.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	EachRow(b, func(i int) bool {
		w.rows++
		w.line = w.line[:0]
		for k, c := range b.Cols {
			if k > 0 {
				w.line = append(w.line, w.delim...)
			}
			switch v := c.Value(i); v.Kind() {
			case value.Null:
				w.line = append(w.line, w.o.Null...)
			case value.Boolean, value.Integer, value.Real:
				from := len(w.line)
				w.line = v.AppendText(w.line)
				// 1.5 between points, and a number that is how NULL is written.
				if own := w.line[from:]; bytes.ContainsAny(own, w.delim) || string(own) == w.o.Null {
					w.line = fmt.Appendf(w.line[:from], `"%s"`, string(own))
				}
			default:
				w.text(v.String())
			}
		}
		w.line = append(w.line, '\n')
		_, err = w.Output.Write(w.line)
		return err == nil
	})
	return err
}

// EachRow calls f for the selected rows until it returns false.
func EachRow(b *value.Batch, f func(i int) bool) {
	if b.Sel == nil {
		for i := range b.Len {
			if !f(i) {
				return
			}
		}
		return
	}
	for _, i := range b.Sel {
		if !f(int(i)) {
			return
		}
	}
}

func (w *csvWriter) Close() error { return w.Finish() }
