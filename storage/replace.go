package storage

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// NewVectors is what ReplaceVectors makes of a column.
type NewVectors struct {
	Type    value.Type    // of the column afterwards
	Encoder string        // as in ColumnDef
	Model   encoder.Model // that has made the vectors

	// Codes, if it is set, is a table with the same kind of vectors in its column CodesOf:
	// where these have codes, the column gets codes of the same training.
	Codes   *Table
	CodesOf int

	// Vectors fills dst, which is empty and of Type, with the vectors of rows, which are
	// live and ascend from call to call. NULL is a row without a vector.
	Vectors func(ctx context.Context, rows []uint64, dst *value.Column) error
}

// ReplaceVectors gives a vector column other vectors, of another model and perhaps of another
// dimension, in one step: the commit shows all of them. The column keeps its name and its
// place, but is a new one to whatever looks at IDs. An ivf index over it is emptied, and built
// anew in the background when searches ask for it. A large table wants a transaction of its
// own: see OneStatement.
func (tx *Tx) ReplaceVectors(ctx context.Context, table, column string, n NewVectors, progress Progress) error {
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
	old := c.ID
	if c.Type.Kind != value.Vector || n.Type.Kind != value.Vector {
		return &TypeError{table, column, n.Type, c.Type}
	}
	c.ID, c.Type, c.Encoder, c.Model = d.nextID, n.Type, n.Encoder, n.Model
	c.fill, c.fillBlocks = value.Value{}, 0
	d.nextID++
	if err := checkColumn(c); err != nil {
		return err
	}
	c.newPages()
	emptied := [][]byte{}
	for i := range d.Indexes {
		x := &d.Indexes[i]
		if k := slices.Index(x.Columns, old); k >= 0 {
			emptied = append(emptied, indexKinds[x.Kind].open(t.def, &t.def.Indexes[i]).prefix())
			x.Columns = slices.Clone(x.Columns)
			x.Columns[k] = c.ID
		}
	}
	for i := range d.Watches { // whose conditions go by the name
		x := &d.Watches[i]
		if k := slices.Index(x.Columns, old); k >= 0 {
			x.Columns = slices.Clone(x.Columns)
			x.Columns[k] = c.ID
		}
	}
	for _, family := range key.OfColumn {
		emptied = append(emptied, key.Of(nil, d.ID, family, old))
	}
	return tx.rewrite(t, d, func(w editor, b *build) error {
		for _, prefix := range emptied {
			if err := w.deleteRange(prefix, key.End(prefix)); err != nil {
				return err
			}
		}
		return (&replacement{t: t, old: old, def: c, new: n, to: w}).run(ctx, b, progress)
	})
}

// replacement writes the vectors of a column that takes the place of another.
type replacement struct {
	t   *Table // as it was
	old uint32 // ID of the column that goes
	def *ColumnDef
	new NewVectors
	to  editor

	got   value.Column
	rows  []uint64
	seals *blockBuilder
}

func (r *replacement) run(ctx context.Context, b *build, progress Progress) (err error) {
	r.seals = newBlockBuilder(&TableDef{ID: r.t.def.ID, Name: r.t.def.Name, Columns: []ColumnDef{*r.def}})
	finish, err := r.codes(b)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, finish()) }()
	blocks := r.t.sealedBlocks()
	for n := range blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.block(ctx, n); err != nil {
			return err
		}
		if progress != nil {
			progress("writing vectors", uint64(n+1)*BlockRows, r.t.counters.next)
		}
	}
	if blocks > 0 {
		if err := r.seals.sealStats(nil, r.to.set); err != nil {
			return err
		}
	}
	return r.tail(ctx)
}

// codes has what is sealed coded as the vectors that they come from, if these are. finish waits
// for what is under way.
func (r *replacement) codes(b *build) (finish func() error, err error) {
	none := func() error { return nil }
	if r.new.Codes == nil || r.def.Type.Dim < code.MinDim || r.t.sealedBlocks() == 0 {
		return none, nil
	}
	given, err := r.new.Codes.transform(r.new.CodesOf)
	if err != nil || given == nil {
		return none, err
	}
	tr := &transform{Transform: given.Transform} // nothing lies beside the codes of a new column
	table, id := r.t.def.ID, r.def.ID
	if err := r.to.set(key.Of(nil, table, key.Meta, id), tr.Marshal()); err != nil {
		return none, err
	}
	if b != nil { // on all CPUs
		c := newCoder(tr, table, id, b.set, make(chan []float32, 64))
		r.seals.codes = codesOf(func(n uint32, vecs []float32) error {
			c.add(vectorBlock{n, copyOf(vecs, c.free)})
			return nil
		})
		return c.finish, nil
	}
	e := tr.newEncoder()
	var planes [2][]byte
	r.seals.codes = codesOf(func(n uint32, vecs []float32) error {
		return encodeCodes(e, r.to, table, id, n, vecs, &planes)
	})
	return none, nil
}

// codesOf is a codeSink for one column.
type codesOf func(b uint32, vecs []float32) error

func (f codesOf) sealed(ctx context.Context, column int, b uint32, vecs []float32) error {
	return f(b, vecs)
}

// ask fetches the vectors of the live rows of a block into got; live are their slots.
func (r *replacement) ask(ctx context.Context, b uint32, live []int32) error {
	r.rows = r.rows[:0]
	for _, s := range live {
		r.rows = append(r.rows, uint64(b)*BlockRows+uint64(s))
	}
	r.got.Reset(r.def.Type)
	if len(live) == 0 {
		return nil
	}
	if err := r.new.Vectors(ctx, r.rows, &r.got); err != nil {
		return err
	}
	if len(r.got.Vecs) != len(live)*r.def.Type.Dim {
		return fmt.Errorf("%d numbers for %d vectors of %d dimensions", len(r.got.Vecs), len(live), r.def.Type.Dim)
	}
	for i := range live {
		null := r.got.Null(i)
		if null && r.def.NotNull {
			return &NotNullError{r.t.def.Name, r.def.Name, -1}
		}
		if null {
			continue
		}
		if err := r.got.CheckRow(i); err != nil {
			return invalid(r.t.def, r.def, -1, err)
		}
		if !r.def.Type.Half {
			continue
		}
		if err := value.CheckHalf(r.got.Vec(i)); err != nil {
			return &ValueError{r.t.def.Name, r.def.Name, -1, err}
		}
	}
	return nil
}

// live returns the slots of block b that hold live rows, of its first n.
func (r *replacement) live(b uint32, n int) ([]int32, error) {
	dead, err := r.t.dead(b)
	if err != nil {
		return nil, err
	}
	var slots []int32
	for i := range n {
		if dead == nil || !dead.Has(i) {
			slots = append(slots, int32(i))
		}
	}
	return slots, nil
}

// block writes a sealed block. One without live rows has no keys.
func (r *replacement) block(ctx context.Context, b uint32) error {
	live, err := r.live(b, BlockRows)
	if err != nil {
		return err
	}
	if len(live) == 0 {
		r.seals.stats[0].rows += BlockRows
		return nil
	}
	if err := r.ask(ctx, b, live); err != nil {
		return err
	}
	col := r.seals.cols[0]
	next := 0
	for i := range BlockRows {
		from := &value.Column{Type: value.Type{Kind: value.Null}}
		at := int32(0)
		if next < len(live) && live[next] == int32(i) {
			from, at = &r.got, int32(next)
			next++
		}
		appendRows(col, i, from, []int32{at})
	}
	r.seals.n = BlockRows
	if err := r.seals.seal(ctx, r.to, b); err != nil {
		return err
	}
	r.seals.reset()
	return nil
}

// tail writes the rows after the last sealed block.
func (r *replacement) tail(ctx context.Context) error {
	b := r.t.sealedBlocks()
	live, err := r.live(b, r.t.rowsIn(b))
	if err != nil || len(live) == 0 {
		return err
	}
	if err := r.ask(ctx, b, live); err != nil {
		return err
	}
	var set BlockSet
	for _, s := range live {
		set[s>>6] |= 1 << (s & 63)
	}
	var k, buf []byte
	var failed error // of ours: the row is sound
	n := 0
	err = r.t.tailRows(&set, func(i int, src []byte) error {
		buf = buf[:0]
		for len(src) > 0 {
			id, field, rest, err := block.NextField(src)
			if err != nil {
				return err
			}
			if src = rest; id != r.old {
				buf = append(binary.AppendUvarint(buf, uint64(id)), field...)
			}
		}
		for n < len(live) && int(live[n]) < i {
			n++
		}
		if !r.got.Null(n) {
			v := appendVector(nil, r.got.Vec(n), r.def.Type)
			buf = block.AppendField(buf, r.def.ID, value.Vec(v), r.def.Type)
		}
		k = key.Row(k[:0], r.t.def.ID, uint64(b)*BlockRows+uint64(i))
		failed = r.to.set(k, buf)
		return failed
	})
	return firstError(failed, err)
}
