package exec

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Analyzed counts what an operator does, for EXPLAIN ANALYZE.
type Analyzed struct {
	Operator
	view  *storage.View
	rows  int64
	guess float64 // rows that the planner expects; -1 = it does not know
	time  time.Duration
	bytes int64
}

// NewAnalyzed wraps an operator. Bytes are those read through view.
func NewAnalyzed(op Operator, view *storage.View) *Analyzed {
	return &Analyzed{Operator: op, view: view, guess: -1}
}

// Expect notes how many rows the planner expects of an operator, and of those below it down to
// what reads a table, which give as many: they add columns. Where the operator leaves out rows,
// what is below it gives below of them, if that is not negative.
func Expect(op Operator, rows, below float64) {
	for {
		m, ok := op.(*Analyzed)
		if !ok || m.guess >= 0 {
			return
		}
		m.guess = rows
		switch t := m.Operator.(type) {
		case *Fetch:
			op = t.in
		case *Filter:
			if rows = below; below < 0 {
				return
			}
			op = t.in
		default:
			return
		}
	}
}

func (m *Analyzed) Next(ctx context.Context) (*value.Batch, error) {
	start, before := time.Now(), readBytes(m.view)
	b, err := m.Operator.Next(ctx)
	m.time += time.Since(start)
	m.bytes += readBytes(m.view) - before
	if b != nil {
		m.rows += int64(b.Count())
	}
	return b, err
}

func readBytes(v *storage.View) int64 {
	if v == nil {
		return 0
	}
	r := &v.Reads
	return r.ScalarBytes.Load() + r.PageBytes.Load() + r.CodeBytes.Load() + r.KeyBytes.Load() + r.RowBytes.Load()
}

// addFigures adds to what an analyzed plan has counted what another one like it has.
func addFigures(to, from Operator) {
	a, ok := to.(*Analyzed)
	b, ok2 := from.(*Analyzed)
	if ok && ok2 {
		a.rows, a.time, a.bytes = a.rows+b.rows, a.time+b.time, a.bytes+b.bytes
	}
	for i, in := range from.Inputs() {
		addFigures(to.Inputs()[i], in)
	}
}

// Detailed is an operator that has more to tell after it ran.
type Detailed interface {
	// Details are lines for EXPLAIN ANALYZE.
	Details() []string
}

// Explain prints a plan as a tree, an operator a line, inputs indented below.
// Operators wrapped by NewAnalyzed show their figures.
func Explain(op Operator) []string {
	var lines []string
	explain(op, 0, &lines)
	return lines
}

func explain(op Operator, depth int, lines *[]string) {
	indent := strings.Repeat("  ", depth)
	m, analyzed := op.(*Analyzed)
	if analyzed {
		op = m.Operator
	}
	line := indent + op.String()
	if analyzed {
		line += m.figures()
	}
	*lines = append(*lines, line)
	if d, ok := op.(Detailed); ok && analyzed {
		for _, s := range d.Details() {
			*lines = append(*lines, indent+"    "+s)
		}
	}
	for _, in := range op.Inputs() {
		explain(in, depth+1, lines)
	}
}

// figures are rows, time and bytes; the time and bytes are those of the
// operator itself, without its inputs.
func (m *Analyzed) figures() string {
	t, bytes := m.time, m.bytes
	for _, in := range m.Operator.Inputs() {
		if i, ok := in.(*Analyzed); ok {
			t -= i.time
			bytes -= i.bytes
		}
	}
	s := fmt.Sprintf("  [%d rows, %s", m.rows, shortTime(max(t, 0)))
	if m.rows == 1 {
		s = strings.Replace(s, "1 rows", "1 row", 1)
	}
	if guess := m.expected(); guess >= 0 {
		s = strings.Replace(s, ", ", fmt.Sprintf(", ~%.0f expected, ", max(1, guess)), 1)
	}
	if bytes > 0 {
		s += ", " + shortBytes(bytes) + " read"
	}
	return s + "]"
}

// expected is how many rows the planner expects. An operator that it does not know of gives as many as
// its input.
func (m *Analyzed) expected() float64 {
	if m.guess >= 0 {
		return m.guess
	}
	switch m.Operator.(type) {
	case *Project, *Window, *RowNumbers, *Buffer:
		if in, ok := m.Operator.Inputs()[0].(*Analyzed); ok {
			return in.expected()
		}
	}
	return -1
}

func shortTime(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.3f ms", d.Seconds()*1e3)
}

func shortBytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
