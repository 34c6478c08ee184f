package render

import (
	"bufio"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// csvWriter writes RFC 4180 rows ending in a newline, with commas or tabs. NULL is an
// empty field, the empty text is "", as COPY writes and reads them.
type csvWriter struct {
	w     *bufio.Writer
	o     *Options
	delim byte
}

func newCSV(w *bufio.Writer, o *Options) Renderer { return &csvWriter{w, o, ','} }
func newTSV(w *bufio.Writer, o *Options) Renderer { return &csvWriter{w, o, '\t'} }

func (c *csvWriter) Begin(cols []Column) error {
	if c.o.NoHead {
		return nil
	}
	for i, col := range cols {
		if i > 0 {
			c.w.WriteByte(c.delim)
		}
		c.field(col.Name)
	}
	return c.w.WriteByte('\n')
}

func (c *csvWriter) Row(vals []value.Value) error {
	for i, v := range vals {
		if i > 0 {
			c.w.WriteByte(c.delim)
		}
		if !v.IsNull() {
			c.field(Text(v))
		}
	}
	return c.w.WriteByte('\n')
}

func (c *csvWriter) field(s string) {
	if s != "" && s != `\.` && !strings.ContainsAny(s, "\t\"\r\n") && strings.IndexByte(s, c.delim) < 0 && s[0] != ' ' && s[len(s)-1] != ' ' {
		c.w.WriteString(s)
		return
	}
	c.w.WriteByte('"')
	c.w.WriteString(strings.ReplaceAll(s, `"`, `""`))
	c.w.WriteByte('"')
}

func (c *csvWriter) End() error { return nil }
