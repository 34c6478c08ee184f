package render

import (
	"bufio"
	"fmt"

	"github.com/lupadb/lupa/storage/value"
)

// line writes "name = value" for every value and a blank line between rows. A
// screen gets texts in full (that is what one changes to this mode for), but
// not vectors and blobs.
type line struct {
	w     *bufio.Writer
	o     *Options
	names []string
	width int
	n     int
}

func newLine(w *bufio.Writer, o *Options) Renderer { return &line{w: w, o: o} }

func (l *line) Begin(cols []Column) error {
	for _, c := range cols {
		name := Visible(c.Name)
		l.names = append(l.names, name)
		l.width = max(l.width, Width(name))
	}
	return nil
}

func (l *line) Row(vals []value.Value) error {
	if l.n++; l.n > 1 {
		l.w.WriteByte('\n')
	}
	for i, v := range vals {
		var s string
		if k := v.Kind(); k == value.Text || k == value.JSON {
			s = quoteLikeNull(Visible(v.Str()), v, l.o)
		} else {
			s = shown(v, l.o)
		}
		if v.IsNull() && l.o.Color {
			s = "\x1b[2m" + s + "\x1b[0m"
		}
		name := l.names[i]
		gap := pad(l.width - Width(name))
		if l.o.Color {
			name = "\x1b[1m" + name + "\x1b[0m"
		}
		if _, err := fmt.Fprintf(l.w, "%s%s = %s\n", gap, name, s); err != nil {
			return err
		}
	}
	return nil
}

func (l *line) End() error { return nil }
