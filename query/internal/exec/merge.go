package exec

import (
	"bytes"
	"context"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// merge gives the rows of sorted runs in their order; of equal ones those of the earlier run
// come first.
type merge struct {
	by     []int
	orders []Order
	ins    []*merged // a heap, without those that are at their end

	picks []picked
}

// merged is a run.
type merged struct {
	n    int // its number
	from *spillReader
	b    *value.Batch
	at   int
	keys []byte // of the rows of the batch
	ends []int32
}

type picked struct {
	b   *value.Batch
	row int32
}

// newMerge returns a merge of runs that are sorted by columns.
func newMerge(s *spill, runs []*spillRun, by []int, orders []Order) (*merge, error) {
	m := &merge{by: by, orders: orders}
	for i, r := range runs {
		in := &merged{n: i, from: s.reader(r)}
		ok, err := m.load(in)
		if err != nil {
			return nil, err
		}
		if ok {
			m.ins = append(m.ins, in)
		}
	}
	for i := len(m.ins)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return m, nil
}

// load reads the next rows of a run.
func (m *merge) load(in *merged) (bool, error) {
	var err error
	if in.b, err = in.from.read(); in.b == nil || err != nil {
		return false, err
	}
	own := *in.b
	in.b, in.at, in.keys, in.ends = &own, 0, in.keys[:0], in.ends[:0]
	for i := range in.b.Len {
		for k, c := range m.by {
			col := in.b.Cols[c]
			if col == nil || col.Type.Kind == value.Null {
				in.keys = append(in.keys, 2*byte(boolBit(!m.orders[k].NullsFirst)))
				continue
			}
			in.keys = fn.AppendSortKey(in.keys, fn.Arg{Column: col}, i, fn.SortOrder(m.orders[k]))
		}
		in.ends = append(in.ends, int32(len(in.keys)))
	}
	return true, nil
}

func (in *merged) key() []byte {
	from := int32(0)
	if in.at > 0 {
		from = in.ends[in.at-1]
	}
	return in.keys[from:in.ends[in.at]]
}

func (m *merge) less(i, j int) bool {
	a, b := m.ins[i], m.ins[j]
	if c := bytes.Compare(a.key(), b.key()); c != 0 {
		return c < 0
	}
	return a.n < b.n
}

func (m *merge) down(i int) {
	for {
		least := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < len(m.ins) && m.less(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		m.ins[i], m.ins[least] = m.ins[least], m.ins[i]
		i = least
	}
}

func (m *merge) next(ctx context.Context) (*value.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.picks = m.picks[:0]
	for len(m.ins) > 0 && len(m.picks) < value.BatchSize {
		in := m.ins[0]
		m.picks = append(m.picks, picked{in.b, int32(in.at)})
		if in.at++; in.at == in.b.Len {
			ok, err := m.load(in)
			if err != nil {
				return nil, err
			}
			if !ok {
				last := len(m.ins) - 1
				m.ins[0] = m.ins[last]
				m.ins = m.ins[:last]
			}
		}
		if len(m.ins) > 0 {
			m.down(0)
		}
	}
	if len(m.picks) == 0 {
		return nil, nil
	}
	return pick(m.picks), nil
}

// pick makes a batch of rows of several.
func pick(rows []picked) *value.Batch {
	first := rows[0].b
	out := &value.Batch{Len: len(rows), Cols: make([]*value.Column, len(first.Cols))}
	one := make([]int32, 1)
	for c := range out.Cols {
		var to *value.Column
		for n, p := range rows {
			from := p.b.Cols[c]
			if from == nil {
				continue
			}
			if to == nil || to.Type.Kind == value.Null && from.Type.Kind != value.Null {
				to = newColumn(from.Type)
				if from.Type.Kind != value.Null && n > 0 {
					appendNulls(to, 0, n)
				}
			}
			if to.Type.Kind != value.Null {
				one[0] = p.row
				appendColumn(to, n, from, one, 1)
			}
		}
		out.Cols[c] = to
	}
	if first.Rows != nil {
		for _, p := range rows {
			out.Rows = append(out.Rows, p.b.Rows[p.row])
		}
	}
	return out
}
