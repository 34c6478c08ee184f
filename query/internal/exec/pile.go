package exec

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// pile holds rows of any number as they come, in pieces: a slice that grows is copied over
// and over, and takes more than twice the memory of what is in it meanwhile.
type pile struct {
	parts []*rowsTable
	n     int
	bytes int64 // of the last piece
}

// pieceBytes is how large a piece of a pile grows.
const pieceBytes = 1 << 20

// add appends the selected rows of a batch, which take size bytes.
func (p *pile) add(b *value.Batch, size int64) {
	last := len(p.parts) - 1
	if last < 0 || p.bytes >= pieceBytes {
		t := &rowsTable{}
		if last >= 0 { // as large as the one before: it need not grow
			for _, c := range p.parts[last].cols {
				var col *value.Column
				if c != nil && c.Type.Kind != value.Null {
					col = newColumn(c.Type)
					grow(col, p.parts[last].n)
				}
				t.cols = append(t.cols, col)
			}
		}
		p.parts, p.bytes = append(p.parts, t), 0
		last++
	}
	p.parts[last].add(b)
	p.n += b.Count()
	p.bytes += size
}

// width is the number of columns.
func (p *pile) width() int {
	if len(p.parts) == 0 {
		return 0
	}
	return len(p.parts[0].cols)
}

// table makes one table of the pieces, which are given up, one column after the other.
// What it needs for that beyond what they hold is counted until it returns.
func (p *pile) table(memory *Budget, what string) (*rowsTable, error) {
	out := &rowsTable{n: p.n}
	if len(p.parts) == 1 {
		out = p.parts[0]
		p.parts = nil
		return out, nil
	}
	for c := range p.width() {
		size := int64(0)
		for _, t := range p.parts {
			if t.cols[c] != nil {
				size += columnBytes(t.cols[c], nil, t.n)
			}
		}
		if err := memory.Reserve(size, what); err != nil {
			memory.Release(size)
			return nil, err
		}
		out.cols = append(out.cols, p.column(c))
		memory.Release(size)
	}
	if len(p.parts) > 0 && p.parts[0].rows != nil {
		out.rows = make([]uint64, 0, p.n)
		for _, t := range p.parts {
			out.rows = append(out.rows, t.rows...)
		}
	}
	p.parts = nil
	return out, nil
}

// column joins the pieces of a column, which are given up.
func (p *pile) column(c int) *value.Column {
	var typ *value.Type
	for _, t := range p.parts {
		if col := t.cols[c]; col != nil && (typ == nil || typ.Kind == value.Null) {
			typ = &col.Type
		}
	}
	if typ == nil {
		return nil
	}
	out := newColumn(*typ)
	grow(out, p.n)
	n := 0
	for _, t := range p.parts {
		appendColumn(out, n, t.cols[c], nil, t.n)
		n += t.n
		t.cols[c] = nil
	}
	return out
}

// grow makes room for n rows in an empty column.
func grow(c *value.Column, n int) {
	switch c.Type.Kind {
	case value.Null:
	case value.Boolean:
		c.Bools = make([]bool, 0, n)
	case value.Integer, value.Timestamp, value.Date:
		c.Ints = make([]int64, 0, n)
	case value.Real:
		c.Reals = make([]float64, 0, n)
	case value.Vector:
		c.Vecs = make([]float32, 0, n*c.Type.Dim)
	default:
		c.Strs = make([]string, 0, n)
	}
}

// rows is an emitter of the columns at positions want, of all with nil.
func (p *pile) rows(want []int) *pileRows { return &pileRows{p: p, want: want} }

// pileRows hands out the rows of a pile.
type pileRows struct {
	p    *pile
	want []int
	at   int
	part *emitter
}

func (r *pileRows) next() *value.Batch {
	for {
		if r.part != nil {
			if b := r.part.next(); b != nil {
				return b
			}
		}
		if r.at == len(r.p.parts) {
			return nil
		}
		t := r.p.parts[r.at]
		r.at++
		if r.want != nil {
			some := &rowsTable{n: t.n, rows: t.rows}
			for _, c := range r.want {
				some.cols = append(some.cols, t.cols[c])
			}
			t = some
		}
		if r.part == nil {
			r.part = &emitter{}
		}
		r.part.t, r.part.at = t, 0
	}
}

// gatherAll reads an operator to its end. held is what it has reserved, with an error too.
func gatherAll(ctx context.Context, in Operator, env *Env, what string) (p *pile, held int64, err error) {
	p = &pile{}
	err = Drain(ctx, in, func(b *value.Batch) error {
		size := batchBytes(b)
		held += size
		if err := env.Memory.Reserve(size, what); err != nil {
			return err
		}
		p.add(b, size)
		return nil
	})
	return p, held, err
}
