package storage

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// SetVectorType makes a VECTOR column HALFVEC, which rounds its numbers to float16, or the
// other way round, which changes none. The dimension stays. A live vector with a number that
// float16 can't hold is an error, *ValueError. A large table wants a transaction of its own:
// see OneStatement.
func (tx *Tx) SetVectorType(ctx context.Context, table, column string, to value.Type, progress Progress) (err error) {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	d := t.def.clone()
	at := d.Column(column)
	if at < 0 {
		return &NoColumnError{table, column}
	}
	c := &d.Columns[at]
	switch {
	case c.Type.Kind != value.Vector || to.Kind != value.Vector:
		return &TypeError{table, column, to, c.Type}
	case c.Type.Dim != to.Dim:
		return &DimensionError{table, column, to.Dim, c.Type.Dim}
	case c.Type == to:
		return nil
	}
	c.Type = to
	if to.Half && !c.fill.IsNull() {
		if err := value.CheckHalf(c.fill.Vec()); err != nil {
			return &ValueError{table, column, -1, err}
		}
		c.fill = value.Vec(appendVector(nil, c.fill.Vec(), to))
	}
	return tx.rewrite(t, d, func(w editor, _ *build) error {
		return (&typeChange{tx: tx, t: t, at: at, def: c, to: w}).run(ctx, progress)
	})
}

// typeChange writes the vectors of a column anew, in another form.
type typeChange struct {
	tx  *Tx
	t   *Table // as it was
	at  int
	def *ColumnDef // as it will be
	to  editor
}

func (a *typeChange) run(ctx context.Context, progress Progress) (err error) {
	if err := a.tail(); err != nil {
		return err
	}
	blocks := a.t.sealedBlocks()
	pages, err := a.t.pages(a.at, 0, blocks)
	if err != nil {
		return err
	}
	defer pages.Close()
	codes, done, err := a.codes()
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, done()) }()
	for b := range blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.block(pages, b, codes); err != nil {
			return err
		}
		if progress != nil {
			progress("converting", uint64(b+1)*BlockRows, uint64(blocks)*BlockRows)
		}
	}
	return nil
}

// codes returns what codes the vectors of a block, nil where the codes stay: only rounded
// vectors need other ones. It may keep the vectors. done waits for what is under way.
func (a *typeChange) codes() (code func(vectorBlock) error, done func() error, err error) {
	done = func() error { return nil }
	tr, err := a.t.transform(a.at)
	if err != nil || tr == nil || !a.def.Type.Half {
		return nil, done, err
	}
	table, id := a.t.def.ID, a.def.ID
	if b, ok := a.to.(*build); ok { // on all CPUs
		c := newCoder(tr, table, id, b.set, make(chan []float32, 64))
		return func(b vectorBlock) error { c.add(b); return nil }, c.finish, nil
	}
	e := tr.newEncoder()
	var planes [2][]byte
	return func(b vectorBlock) error { return encodeCodes(e, a.to, table, id, b.n, b.vecs, &planes) }, done, nil
}

// block writes the pages of a block, and its codes. Pages that are not there hold nothing but
// NULLs.
func (a *typeChange) block(pages *pageReader, b uint32, codes func(vectorBlock) error) error {
	dead, err := a.t.dead(b)
	if err != nil {
		return err
	}
	if dead != nil && dead.Count() == BlockRows {
		return nil // its keys are dropped
	}
	dim, rpp := a.def.Type.Dim, a.def.pageRows
	vecs := make([]float32, BlockRows*dim)
	var k, buf []byte
	for p := range BlockRows / rpp {
		n := b*a.def.pagesPerBlock() + uint32(p)
		data, err := pages.Page(n)
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		v := vecs[p*rpp*dim : (p+1)*rpp*dim]
		pages.floats(v, data)
		for i := range rpp {
			if err := a.round(v[i*dim:(i+1)*dim], dead != nil && dead.Has(p*rpp+i)); err != nil {
				return err
			}
		}
		k = key.Numbered(k[:0], a.t.def.ID, key.Pages, a.def.ID, n)
		buf = block.AppendNumbers(buf[:0], v, a.def.Type)
		if err := a.to.set(k, buf); err != nil {
			return err
		}
	}
	if codes == nil {
		return nil
	}
	return codes(vectorBlock{b, vecs})
}

// round makes v what the column will hold. A deleted one that does not fit becomes zero.
func (a *typeChange) round(v []float32, dead bool) error {
	if !a.def.Type.Half {
		return nil
	}
	if err := value.CheckHalf(v); err != nil {
		if !dead {
			return &ValueError{a.t.def.Name, a.def.Name, -1, err}
		}
		clear(v)
	}
	value.RoundHalf(v, v)
	return nil
}

// tail writes the rows after the last sealed block.
func (a *typeChange) tail() error {
	b := a.t.sealedBlocks()
	live := firstRows(a.t.rowsIn(b))
	dead, err := a.t.dead(b)
	if err != nil {
		return err
	}
	if dead != nil {
		for i := range live {
			live[i] &^= dead[i]
		}
	}
	var k, buf []byte
	var failed error // of ours: the row is sound
	err = a.t.tailRows(&live, func(i int, src []byte) error {
		buf = buf[:0]
		changed := false
		for len(src) > 0 {
			id, field, rest, err := block.NextField(src)
			if err != nil {
				return err
			}
			src = rest
			var v value.Value
			if id == a.def.ID {
				if v, _, err = block.ReadValue(field); err != nil {
					return err
				}
			}
			if v.IsNull() {
				buf = append(binary.AppendUvarint(buf, uint64(id)), field...)
				continue
			}
			vec := slices.Clone(v.Vec())
			if failed = a.round(vec, false); failed != nil {
				return failed
			}
			buf, changed = block.AppendField(buf, id, value.Vec(vec), a.def.Type), true
		}
		if !changed {
			return nil
		}
		k = key.Row(k[:0], a.t.def.ID, uint64(b)*BlockRows+uint64(i))
		failed = a.to.set(k, buf)
		return failed
	})
	return firstError(failed, err)
}
