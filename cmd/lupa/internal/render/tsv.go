package render

import (
	"bufio"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// tsvWriter writes PostgreSQL's COPY text format: a backslash introduces \t \n
// \r \\ and stands alone for nothing else; \N is NULL.
type tsvWriter struct {
	w *bufio.Writer
	o *Options
}

func newTSV(w *bufio.Writer, o *Options) Renderer { return &tsvWriter{w, o} }

var tsvEscape = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

func (t *tsvWriter) Begin(cols []Column) error {
	if t.o.NoHead {
		return nil
	}
	for i, c := range cols {
		if i > 0 {
			t.w.WriteByte('\t')
		}
		tsvEscape.WriteString(t.w, c.Name)
	}
	return t.w.WriteByte('\n')
}

func (t *tsvWriter) Row(vals []value.Value) error {
	for i, v := range vals {
		if i > 0 {
			t.w.WriteByte('\t')
		}
		if v.IsNull() {
			t.w.WriteString(`\N`)
		} else {
			tsvEscape.WriteString(t.w, Text(v))
		}
	}
	return t.w.WriteByte('\n')
}

func (t *tsvWriter) End() error { return nil }
