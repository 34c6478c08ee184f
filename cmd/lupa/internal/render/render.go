package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// Column is the heading of one column of a result.
type Column struct {
	Name string
	Type value.Type // Kind Null where the type isn't known
}

// Options say how results look. The zero Options suit a file or a pipe: nothing
// is shortened, coloured or left out.
type Options struct {
	Screen  bool   // shorten long values and elide rows so that a result fits a screen
	Escape  bool   // the output is a terminal: make control characters visible in every mode
	Color   bool   // use SGR colours
	Width   int    // columns of the screen; 0 = no limit
	Columns []int  // widths of the first columns of a grid; 0 = as needed, negative = right-aligned
	MaxRows int    // rows a Screen shows in box, table and markdown; 0 = all
	NoHead  bool   // leave the headings out where the mode has any
	Null    string // how modes for people show NULL; "" is "NULL"
	Gallery Gallery
}

// Gallery says where the pictures of a gallery page come from: templates whose
// {column} is replaced by the row's value. Empty fields are chosen from the
// columns' names.
type Gallery struct {
	Title, Image, Link, Credit string
}

// Renderer writes one result: Begin once, Row for every row, End once. It keeps
// nothing of vals after Row returns.
type Renderer interface {
	Begin(cols []Column) error
	Row(vals []value.Value) error
	End() error
}

// Mode is a way to write results.
type Mode struct {
	Name   string
	Doc    string // one line for .help and --help
	People bool   // meant to be read, not parsed
	open   func(w *bufio.Writer, o *Options) Renderer
}

// New returns a renderer of the mode writing to w. What it writes is complete
// when End has returned.
func New(mode string, w io.Writer, o Options) (Renderer, error) {
	m, err := Lookup(mode)
	if err != nil {
		return nil, err
	}
	if o.Null == "" {
		o.Null = "NULL"
	}
	if o.Escape && !m.People {
		w = VisibleWriter(w)
	}
	b := bufio.NewWriterSize(w, 64<<10)
	return &flusher{m.open(b, &o), b}, nil
}

// Lookup finds a mode by its name.
func Lookup(name string) (Mode, error) {
	for _, m := range Modes() {
		if strings.EqualFold(m.Name, name) {
			return m, nil
		}
	}
	return Mode{}, fmt.Errorf("no output mode %q (there are %s)", name, strings.Join(Names(), ", "))
}

// Names returns the names of all modes in the table's order.
func Names() []string {
	var names []string
	for _, m := range Modes() {
		names = append(names, m.Name)
	}
	return names
}

// flusher empties the buffer when the result ends.
type flusher struct {
	Renderer
	b *bufio.Writer
}

func (f *flusher) End() error {
	if err := f.Renderer.End(); err != nil {
		f.b.Flush()
		return err
	}
	return f.b.Flush()
}
