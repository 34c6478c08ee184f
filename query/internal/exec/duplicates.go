package exec

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Duplicates gives the rows of a table whose vector has a cosine similarity of at least Least
// with that of another row: the row's key, the number of its group, the key of the group's best
// row, and the similarity with that. A group is a connected component, numbered from 1 in the
// order of the table; its best row is the one with most rows of the group that near to it, of
// several the first.
type Duplicates struct {
	Env    *Env
	Ctx    *fn.Ctx
	Table  *storage.Table
	Column int
	Least  fn.Expr
	At     func(error) error
	Text   string

	held   int64
	out    *emitter
	stats  *storage.PairStats
	groups int
}

const duplicatesWork = "duplicates"

func (d *Duplicates) Next(ctx context.Context) (*value.Batch, error) {
	if d.out == nil {
		if err := d.run(ctx); err != nil {
			return nil, err
		}
	}
	return d.out.next(), nil
}

func (d *Duplicates) reserve(n int64) error {
	d.held += n
	return d.Env.Memory.Reserve(n, duplicatesWork)
}

// components are sets of rows that are joined, pair by pair.
type components struct {
	at     map[uint64]int32 // row -> node; only rows that have a pair
	rows   []uint64
	parent []int32
	pairs  []int32 // of each row
}

func (c *components) node(row uint64) int32 {
	n, ok := c.at[row]
	if !ok {
		n = int32(len(c.rows))
		c.at[row] = n
		c.rows, c.parent, c.pairs = append(c.rows, row), append(c.parent, n), append(c.pairs, 0)
	}
	return n
}

func (c *components) root(n int32) int32 {
	for c.parent[n] != n {
		c.parent[n] = c.parent[c.parent[n]]
		n = c.parent[n]
	}
	return n
}

func (c *components) join(a, b uint64) {
	x, y := c.node(a), c.node(b)
	c.pairs[x]++
	c.pairs[y]++
	x, y = c.root(x), c.root(y)
	c.parent[max(x, y)] = min(x, y)
}

func (d *Duplicates) run(ctx context.Context) error {
	a, err := d.Least.Eval(d.Ctx, oneRow, nil)
	if err != nil {
		return d.At(err)
	}
	least := a.At(0)
	if least.IsNull() || !(least.Float() > 0 && least.Float() <= 1) {
		return d.At(fmt.Errorf("the least similarity is above 0 and at most 1, not %v", least))
	}
	side := storage.PairSide{Table: d.Table, Column: d.Column}
	o := storage.PairOptions{Left: side, Right: side, Least: least.Float(), Ascending: true, Workers: d.Env.Workers, Memory: pairMemory(d.Env)}
	size := storage.PairBytes(o)
	defer d.Env.Memory.Release(size)
	if err := d.Env.Memory.Reserve(size, duplicatesWork); err != nil {
		return err
	}
	c := &components{at: map[uint64]int32{}}
	d.stats, err = storage.Pairs(ctx, o, func(pairs []storage.Pair) error {
		before := len(c.rows)
		for _, p := range pairs {
			c.join(p.Left, p.Right)
		}
		return d.reserve(int64(len(c.rows)-before) * 64)
	})
	if err != nil {
		return err
	}
	return d.emit(ctx, c)
}

// emit reads keys and vectors of the rows in groups, and prepares the answer.
func (d *Duplicates) emit(ctx context.Context, c *components) error {
	key := d.Table.Def().PrimaryKey
	t := &rowsTable{}
	sc := d.Table.Scan(storage.ScanOptions{Columns: []int{key, d.Column}, Filter: storage.RowsOf(c.rows)})
	defer sc.Close()
	for len(c.rows) > 0 {
		b, err := sc.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := d.reserve(batchBytes(b)); err != nil {
			return err
		}
		t.add(b)
	}
	out := &rowsTable{n: t.n}
	if t.n == 0 {
		d.out = &emitter{t: &rowsTable{}}
		return nil
	}
	if err := d.reserve(int64(t.n) * 64); err != nil {
		return err
	}
	// t has the rows in the order of the table.
	best, number := map[int32]int{}, map[int32]int64{} // by root
	for i, r := range t.rows {
		root := c.root(c.at[r])
		if number[root] == 0 {
			number[root] = int64(len(number) + 1)
			best[root] = i
		}
		if c.pairs[c.at[r]] > c.pairs[c.at[t.rows[best[root]]]] {
			best[root] = i
		}
	}
	d.groups = len(number)
	queries := map[int32]*vector.Query{}
	numbers, sims := newColumn(value.Type{Kind: value.Integer}), newColumn(value.Type{Kind: value.Real})
	of := make([]int32, t.n)
	for i, r := range t.rows {
		root := c.root(c.at[r])
		of[i] = int32(best[root])
		q := queries[root]
		if q == nil {
			var err error
			if q, err = vector.NewQuery(vector.Cosine, t.cols[1].Vec(best[root])); err != nil {
				return d.At(err)
			}
			queries[root] = q
		}
		numbers.Ints = append(numbers.Ints, number[root])
		sims.Reals = append(sims.Reals, q.Score(t.cols[1].Vec(i)))
	}
	out.cols = []*value.Column{t.cols[0], numbers, gather(t.cols[0], of, newColumn(t.cols[0].Type)), sims}
	keys := make([]*value.Column, 1)
	keys[0] = numbers
	order, err := sortedOrder(ctx, t.n, keys, []Order{{}})
	if err != nil {
		return err
	}
	d.out = &emitter{t: out, order: order}
	return nil
}

func (d *Duplicates) Close() error {
	d.Env.Memory.Release(d.held)
	d.held, d.out = 0, &emitter{t: &rowsTable{}}
	return nil
}

// Reset implements Resetter.
func (d *Duplicates) Reset() bool {
	d.out, d.stats, d.groups = nil, nil, 0
	return true
}

func (d *Duplicates) Inputs() []Operator { return nil }

func (d *Duplicates) String() string { return "Duplicates " + d.Text }

// Details tell what was found.
func (d *Duplicates) Details() []string {
	if d.stats == nil {
		return nil
	}
	return append(pairDetails(d.stats), fmt.Sprintf("groups %d", d.groups))
}

// pairDetails tell what a join by similarity did.
func pairDetails(s *storage.PairStats) []string {
	in := ""
	if s.Parts > 1 {
		in = fmt.Sprintf(", in %d parts", s.Parts)
	}
	return []string{fmt.Sprintf("exact: yes; %d pairs of %d and %d rows are bounded by sketches of %s%s, %d are scored, %d found", s.Pairs, s.Left, s.Right, shortBytes(s.SketchedSize), in, s.Scored, s.Found)}
}
