package render

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// settleRows is how many rows a grid that isn't elided waits for before it fixes
// its widths: later rows stream, so memory stays bounded whatever the result's
// size, and a wider value among them merely sticks out.
const settleRows = 4096

// frame is what distinguishes the modes drawn as a grid.
type frame struct {
	left, mid, right string                             // of a row of cells
	top, under, end  func(g *grid, widths []int) string // rules; "" for none
	escape           func(s string) string              // of a cell, after it was made visible; nil = as it is
	centerHead       bool                               // headings centred, as sqlite3 does
	note             func(s string) string              // a remark below the grid
}

// cell is a value made ready to be shown.
type cell struct {
	text  string
	width int
	null  bool
}

// grid lays out rows in columns of equal width. On a screen it keeps the first
// and the last rows only, and narrows columns to fit.
type grid struct {
	w    *bufio.Writer
	o    *Options
	f    frame
	cols []Column
	head [][]cell // rows before the widths are known
	tail [][]cell // ring of the last rows, on a screen
	n    int      // rows so far

	widths  []int
	fixed   []bool // set by Options.Columns
	shown   []int  // the columns drawn; -1 = the "…" that stands for the others
	settled bool
}

func (g *grid) Begin(cols []Column) error {
	g.cols = cols
	return nil
}

// limit returns how many rows to show at the head and the tail; 0, 0 = all.
func (g *grid) limit() (head, tail int) {
	if !g.o.Screen || g.o.MaxRows <= 0 {
		return 0, 0
	}
	return (g.o.MaxRows + 1) / 2, g.o.MaxRows / 2
}

func (g *grid) Row(vals []value.Value) error {
	row := make([]cell, len(vals))
	for i, v := range vals {
		row[i] = g.cell(shown(v, g.o), v.IsNull())
	}
	g.n++
	if head, tail := g.limit(); head+tail > 0 {
		switch {
		case len(g.head) < head+1: // one more, in case nothing needs to be left out
			g.head = append(g.head, row)
		case tail == 0:
		case len(g.tail) < tail:
			g.tail = append(g.tail, row)
		default:
			g.tail[(g.n-head-2)%tail] = row
		}
		return nil
	}
	if g.settled {
		return g.drawRow(row)
	}
	g.head = append(g.head, row)
	if len(g.head) == settleRows {
		return g.settle()
	}
	return nil
}

func (g *grid) cell(s string, null bool) cell {
	if g.f.escape != nil {
		s = g.f.escape(s)
	}
	return cell{s, Width(s), null}
}

// settle fixes the widths by the rows seen so far and draws them.
func (g *grid) settle() error {
	g.settled = true
	g.fit()
	if t := g.f.top(g, g.widthsShown()); t != "" {
		fmt.Fprintln(g.w, g.dim(t))
	}
	if !g.o.NoHead {
		g.drawHead()
		if u := g.f.under(g, g.widthsShown()); u != "" {
			fmt.Fprintln(g.w, g.dim(u))
		}
	}
	for _, r := range g.head {
		if err := g.drawRow(r); err != nil {
			return err
		}
	}
	g.head = nil
	return nil
}

func (g *grid) End() error {
	note := ""
	if head, tail := g.limit(); head+tail > 0 {
		last := g.tail
		if k := len(last); k > 0 && k == tail {
			start := (g.n - head - 1) % tail
			last = append(append([][]cell{}, last[start:]...), last[:start]...)
		}
		if g.n <= head+tail {
			g.head = append(g.head, last...)
		} else {
			g.head = g.head[:head]
			dots := make([]cell, len(g.cols))
			for i := range dots {
				dots[i] = cell{"·", 1, true}
			}
			g.head = append(g.head, dots)
			g.head = append(g.head, last...)
			note = fmt.Sprintf("%s rows, %d shown", thousands(g.n), head+len(last))
		}
	}
	if !g.settled {
		if err := g.settle(); err != nil {
			return err
		}
	}
	if e := g.f.end(g, g.widthsShown()); e != "" {
		fmt.Fprintln(g.w, g.dim(e))
	}
	if k := g.hidden(); k > 0 {
		if note != "" {
			note += "; "
		}
		note += fmt.Sprintf("%d columns, %d shown", len(g.cols), len(g.cols)-k)
	}
	if note != "" && g.f.note != nil {
		_, err := fmt.Fprintln(g.w, g.dim(g.f.note(note)))
		return err
	}
	return nil
}

// fit chooses the columns' widths: what their cells need, and on a screen less
// for the widest ones; where even that is too much, columns in the middle go.
func (g *grid) fit() {
	g.widths = make([]int, len(g.cols))
	g.fixed = make([]bool, len(g.cols))
	g.shown = make([]int, len(g.cols))
	for i := range g.cols {
		g.shown[i] = i
		if i < len(g.o.Columns) && g.o.Columns[i] != 0 {
			g.widths[i], g.fixed[i] = max(g.o.Columns[i], -g.o.Columns[i]), true
			continue
		}
		if !g.o.NoHead {
			g.widths[i] = Width(g.title(i))
		}
		for _, r := range g.head {
			if i < len(r) {
				g.widths[i] = max(g.widths[i], r[i].width)
			}
		}
	}
	if !g.o.Screen || g.o.Width <= 0 {
		return
	}
	// A shortened text can be recognised, a shortened number is a wrong one; and
	// keys had better be whole.
	const narrowest, text = 10, 16
	floor := func(i int) int {
		if g.fixed[i] {
			return g.widths[i]
		}
		switch g.cols[i].Type.Kind {
		case value.Text, value.JSON, value.Null:
			return text
		case value.Vector, value.Blob:
			return narrowest
		}
		return g.widths[i]
	}
	shrinks := func(i int) bool { return g.widths[i] > floor(i) }
	for over := g.total() - g.o.Width; over > 0; over = g.total() - g.o.Width {
		widest, next, n := 0, narrowest, 0
		for i, w := range g.widths {
			switch {
			case !shrinks(i):
			case w > widest:
				next, widest, n = max(widest, next), w, 1
			case w == widest:
				n++
			default:
				next = max(next, w)
			}
		}
		if n == 0 {
			break
		}
		cut := max(1, min(widest-next, (over+n-1)/n))
		for i, w := range g.widths {
			if w == widest && shrinks(i) {
				g.widths[i] = max(floor(i), w-cut)
			}
		}
	}
	for g.total() > g.o.Width && len(g.shown) > 2 {
		mid := len(g.shown) / 2
		if i := g.dots(); i < 0 {
			g.shown[mid] = -1
		} else if i < len(g.shown)-1 && i <= len(g.shown)-1-i {
			g.shown = append(g.shown[:i+1], g.shown[i+2:]...)
		} else {
			g.shown = append(g.shown[:i-1], g.shown[i:]...)
		}
	}
}

func (g *grid) dots() int {
	for i, c := range g.shown {
		if c < 0 {
			return i
		}
	}
	return -1
}

func (g *grid) hidden() int {
	if g.dots() < 0 {
		return 0
	}
	return len(g.cols) - len(g.shown) + 1
}

func (g *grid) title(i int) string {
	s := Visible(g.cols[i].Name)
	if g.f.escape != nil {
		s = g.f.escape(s)
	}
	return s
}

func (g *grid) widthsShown() []int {
	ws := make([]int, len(g.shown))
	for i, c := range g.shown {
		ws[i] = 1
		if c >= 0 {
			ws[i] = g.widths[c]
		}
	}
	return ws
}

// total is the width of a row.
func (g *grid) total() int {
	ws := g.widthsShown()
	n := Width(g.f.left) + Width(g.f.right) + Width(g.f.mid)*(len(ws)-1)
	for _, w := range ws {
		n += w
	}
	return n
}

func (g *grid) drawHead() {
	var b strings.Builder
	b.WriteString(g.dim(g.f.left))
	for i, c := range g.shown {
		if i > 0 {
			b.WriteString(g.dim(g.f.mid))
		}
		s, w, right := "…", 1, false
		if c >= 0 {
			s, w = Shorten(g.title(c), g.widths[c]), g.widths[c]
			right = g.right(c)
		}
		gap := w - Width(s)
		before := 0
		if g.f.centerHead {
			before = gap / 2
		} else if right {
			before = gap
		}
		if g.o.Color {
			s = "\x1b[1m" + s + "\x1b[0m"
		}
		b.WriteString(pad(before) + s + pad(gap-before))
	}
	b.WriteString(g.dim(g.f.right))
	fmt.Fprintln(g.w, strings.TrimRight(b.String(), " "))
}

func (g *grid) drawRow(r []cell) error {
	var b strings.Builder
	b.WriteString(g.dim(g.f.left))
	for i, c := range g.shown {
		if i > 0 {
			b.WriteString(g.dim(g.f.mid))
		}
		if c < 0 {
			b.WriteString(g.dim("…"))
			continue
		}
		x, w := r[c], g.widths[c]
		if x.width > w && (g.o.Screen || g.fixed[c]) {
			x.text = Shorten(x.text, w)
			x.width = Width(x.text)
		}
		gap := w - x.width
		if x.null {
			x.text = g.dim(x.text)
		}
		if g.right(c) {
			b.WriteString(pad(gap) + x.text)
		} else {
			b.WriteString(x.text + pad(gap))
		}
	}
	b.WriteString(g.dim(g.f.right))
	_, err := fmt.Fprintln(g.w, strings.TrimRight(b.String(), " "))
	return err
}

// right reports whether a column is right-aligned.
func (g *grid) right(c int) bool {
	return c < len(g.o.Columns) && g.o.Columns[c] < 0 || rightAligned(g.cols[c].Type.Kind)
}

func (g *grid) dim(s string) string {
	if !g.o.Color || s == "" {
		return s
	}
	return "\x1b[2m" + s + "\x1b[0m"
}

// rule returns a function drawing a horizontal line.
func rule(left, line, mid, right string) func(*grid, []int) string {
	return func(_ *grid, widths []int) string {
		var b strings.Builder
		b.WriteString(left)
		for i, w := range widths {
			if i > 0 {
				b.WriteString(mid)
			}
			b.WriteString(strings.Repeat(line, w+2))
		}
		b.WriteString(right)
		return b.String()
	}
}

func noRule(*grid, []int) string { return "" }
