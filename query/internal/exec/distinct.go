package exec

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// seenRows are all rows of some batches, without those equal to another.
type seenRows struct {
	groups *fn.Groups
	args   []fn.Arg
	ids    []int32
	sel    []int32
}

// keys returns the columns of a batch as keys, and memory for what is found of its rows.
func (s *seenRows) keys(b *value.Batch) ([]fn.Arg, []int32) {
	s.args = s.args[:0]
	for _, c := range b.Cols {
		s.args = append(s.args, fn.Arg{Column: c})
	}
	if len(s.ids) < b.Len {
		s.ids = make([]int32, b.Len)
	}
	return s.args, s.ids
}

// add returns the rows of a batch that no row before is equal to. They are valid until the next call.
func (s *seenRows) add(b *value.Batch) ([]int32, error) {
	args, _ := s.keys(b)
	return s.assign(args, b.Len, b.Sel, fn.GroupNull)
}

// assign is add for keys.
func (s *seenRows) assign(args []fn.Arg, n int, sel []int32, mode fn.NullMode) ([]int32, error) {
	if len(s.ids) < n {
		s.ids = make([]int32, n)
	}
	ids := s.ids
	seen := int32(s.groups.Len())
	if err := s.groups.Assign(args, n, sel, mode, ids); err != nil {
		return nil, err
	}
	s.sel = s.sel[:0]
	for _, i := range selected(n, sel) {
		if ids[i] >= seen {
			seen = ids[i] + 1
			s.sel = append(s.sel, i)
		}
	}
	return s.sel, nil
}

// Distinct drops rows that are equal in all columns to an earlier one.
type Distinct struct {
	input
	env  *Env
	seen seenRows
	held int64
	out  value.Batch

	types []value.Type
	level int
	parts *partitions // of rows whose values are new and have no room
	full  bool        // nothing can be written to files
	probe *fn.Probe
	ended bool
	turn  inTurn // of parts
}

// NewDistinct returns a Distinct over in, whose columns have the given types.
func NewDistinct(in Operator, env *Env, types []value.Type) (*Distinct, error) {
	return &Distinct{input: input{in}, env: env, seen: seenRows{groups: fn.NewGroups(types)}, types: types}, nil
}

func (d *Distinct) Next(ctx context.Context) (*value.Batch, error) {
	for !d.ended {
		b, err := d.in.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			d.ended = true
			break
		}
		if d.parts != nil {
			if err := d.set(b); err != nil {
				return nil, err
			}
			continue
		}
		sel, err := d.seen.add(b)
		if err != nil {
			return nil, err
		}
		if err := d.account(); err != nil {
			return nil, err
		}
		if len(sel) > 0 {
			d.out = *b
			d.out.Sel = sel
			d.out.Rows = nil
			return &d.out, nil
		}
	}
	if d.parts == nil {
		return nil, nil
	}
	return d.rest(ctx)
}

// account reserves what the groups have grown by. Where that is too much, further ones go to a
// file.
func (d *Distinct) account() error {
	groups := d.seen.groups
	grown := groups.Bytes() - d.held
	d.held += grown
	err := d.env.Memory.Reserve(grown, "DISTINCT")
	if d.full || err == nil && !d.env.Memory.tight(d.held) {
		return err
	}
	if d.parts, err = newPartitions(d.env, err); d.parts == nil {
		d.full = true
		return err
	}
	d.probe = groups.NewProbe()
	d.env.Memory.Release(d.held - groups.Settled())
	d.held = groups.Settled()
	return nil
}

// set writes the rows of a batch with values that were not there before.
func (d *Distinct) set(b *value.Batch) error {
	args, ids := d.seen.keys(b)
	if err := d.probe.Find(args, b.Len, b.Sel, fn.GroupNull, ids); err != nil {
		return err
	}
	sel := d.seen.sel[:0]
	for _, i := range b.Selected() {
		if ids[i] < 0 {
			sel = append(sel, i)
		}
	}
	if d.seen.sel = sel; len(sel) == 0 {
		return nil
	}
	return d.parts.add(args, b, sel)
}

// rest gives the rows that are in the file, a partition at a time.
func (d *Distinct) rest(ctx context.Context) (*value.Batch, error) {
	if d.probe != nil {
		d.seen, d.probe = seenRows{}, nil
		d.env.Memory.Release(d.held)
		d.held = 0
		if err := d.parts.done(); err != nil {
			return nil, err
		}
	}
	return d.turn.next(ctx, len(d.parts.runs), func(part int) (Operator, error) {
		run := &d.parts.runs[part]
		if run.rows == 0 {
			return nil, nil
		}
		sub, err := NewDistinct(&spilled{d.parts.spill.reader(run)}, d.env, d.types)
		if err != nil {
			return nil, err
		}
		sub.level = d.level + 1
		sub.full = sub.level >= mostLevels
		return sub, nil
	})
}

func (d *Distinct) Close() error {
	d.env.Memory.Release(d.held)
	d.held = 0
	return errors.Join(d.turn.close(), d.parts.close(), d.input.Close())
}

func (d *Distinct) String() string { return "Distinct" }

// DistinctOn keeps, for each value of the columns on, the row that comes first
// in the order of the keys, and gives these rows in that order.
type DistinctOn struct {
	input
	env    *Env
	on     []int
	types  []value.Type // of the columns on
	keys   []int
	orders []Order
	text   string
	by     string
	groups *fn.Groups

	held int64
	out  *emitter

	level  int
	number int      // position of the rows' numbers in a part of divided rows, or -1
	parts  *divided // of rows that have no room
	full   bool     // nothing can be written to files
}

// NewDistinctOn returns a DistinctOn over in; types are those of the columns on.
func NewDistinctOn(in Operator, env *Env, on []int, types []value.Type, keys []int, orders []Order, text, by string) (*DistinctOn, error) {
	return &DistinctOn{input: input{in}, env: env, on: on, types: types, keys: keys, orders: orders, text: text, by: by, groups: fn.NewGroups(types), number: -1}, nil
}

func (d *DistinctOn) Next(ctx context.Context) (*value.Batch, error) {
	if d.out == nil && d.parts == nil {
		if err := d.run(ctx); err != nil {
			return nil, err
		}
	}
	if d.parts != nil {
		return d.parts.next(ctx)
	}
	return d.out.next(), nil
}

const distinctOnWork = "DISTINCT ON"

func (d *DistinctOn) run(ctx context.Context) error {
	all := &rowsTable{}
	var group []int32 // of each row of all
	var ids []int32
	args := make([]fn.Arg, len(d.on))
	compactAt := 8 * value.BatchSize
	counted := int64(0) // of the groups
	err := Drain(ctx, d.in, func(b *value.Batch) error {
		for i, k := range d.on {
			args[i] = fn.Arg{Column: b.Cols[k]}
		}
		if d.parts != nil {
			return d.parts.add(args, b)
		}
		if len(ids) < b.Len {
			ids = make([]int32, b.Len)
		}
		if err := d.groups.Assign(args, b.Len, b.Sel, fn.GroupNull, ids); err != nil {
			return err
		}
		group = appendPicked(group, ids, b.Sel, b.Len)
		all.add(b)
		size := batchBytes(b) + orderBytes*int64(b.Count()) + d.groups.Bytes() - counted
		counted = d.groups.Bytes()
		d.held += size
		err := d.env.Memory.Reserve(size, distinctOnWork)
		tight := err != nil || d.env.Memory.tight(d.held)
		if all.n < compactAt && (!tight || d.full) {
			return err
		}
		before := d.held
		d.reduce(&all, &group)
		compactAt = max(8*value.BatchSize, 2*all.n)
		d.env.Memory.Release(d.held)
		d.held = batchBytes(all.batch()) + orderBytes*int64(all.n) + d.groups.Bytes()
		err = d.env.Memory.Reserve(d.held, distinctOnWork)
		if !tight || d.full || err == nil && d.held < before/2 {
			return err
		}
		if err := d.divide(&all, err); err != nil || d.parts == nil {
			return err
		}
		group = nil
		return nil
	})
	if err != nil {
		return err
	}
	if d.parts != nil {
		return d.parts.run(ctx, d.keys, d.orders, func(rows Operator) Operator {
			sub := *d
			sub.input, sub.groups, sub.held, sub.out, sub.parts = input{rows}, fn.NewGroups(d.types), 0, nil, nil
			sub.level, sub.number = d.level+1, d.parts.number
			sub.full = sub.level >= mostLevels
			return &sub
		})
	}
	d.reduce(&all, &group)
	order, err := all.sorted(ctx, d.keys, d.orders)
	d.out = &emitter{t: all, order: order}
	return err
}

// divide writes the rows to a file, where those that come are written, too.
func (d *DistinctOn) divide(all **rowsTable, full error) (err error) {
	if d.parts, err = newDivided(d.env, d.number, full); d.parts == nil {
		d.full = true
		return err
	}
	rows := &emitter{t: *all}
	args := make([]fn.Arg, len(d.on))
	for b := rows.next(); b != nil; b = rows.next() {
		for i, k := range d.on {
			args[i] = fn.Arg{Column: b.Cols[k]}
		}
		if err := d.parts.add(args, b); err != nil {
			return err
		}
	}
	*all, d.groups = &rowsTable{}, nil
	d.env.Memory.Release(d.held)
	d.held = 0
	return nil
}

// reduce leaves the best row of each group.
func (d *DistinctOn) reduce(all **rowsTable, group *[]int32) {
	t := *all
	if t.n == 0 {
		return
	}
	cols := make([]*value.Column, len(d.keys))
	for i, k := range d.keys {
		cols[i] = t.cols[k]
	}
	by := compareBy(cols, d.orders)
	best := make([]int32, d.groups.Len())
	for i := range best {
		best[i] = -1
	}
	for i, g := range *group {
		if k := best[g]; k < 0 || by(int32(i), k) < 0 {
			best[g] = int32(i)
		}
	}
	keep := make([]int32, 0, len(best))
	for i, g := range *group {
		if best[g] == int32(i) {
			keep = append(keep, int32(i))
		}
	}
	*group = appendPicked(nil, *group, keep, 0)
	*all = t.pick(keep)
}

func (d *DistinctOn) Close() error {
	d.env.Memory.Release(d.held)
	err := errors.Join(d.parts.close(), d.input.Close())
	d.held, d.out, d.parts = 0, &emitter{t: &rowsTable{}}, nil
	return err
}

func (d *DistinctOn) String() string {
	s := "DistinctOn " + d.text
	if d.by != "" {
		s += " by " + d.by
	}
	return s
}
