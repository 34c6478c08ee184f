package exec

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Distinct drops rows that are equal in all columns to an earlier one.
type Distinct struct {
	input
	env    *Env
	groups *fn.Groups
	held   int64
	args   []fn.Arg
	ids    []int32
	sel    []int32
	out    value.Batch

	types []value.Type
	level int
	parts *partitions // of rows whose values are new and have no room
	full  bool        // nothing can be written to files
	probe *fn.Probe
	ended bool
	part  int
	sub   *Distinct
}

// NewDistinct returns a Distinct over in, whose columns have the given types.
func NewDistinct(in Operator, env *Env, types []value.Type) (*Distinct, error) {
	return &Distinct{input: input{in}, env: env, groups: fn.NewGroups(types), types: types}, nil
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
		d.args = d.args[:0]
		for _, c := range b.Cols {
			d.args = append(d.args, fn.Arg{Column: c})
		}
		if len(d.ids) < b.Len {
			d.ids = make([]int32, b.Len)
		}
		if d.parts != nil {
			if err := d.set(b); err != nil {
				return nil, err
			}
			continue
		}
		seen := int32(d.groups.Len())
		if err := d.groups.Assign(d.args, b.Len, b.Sel, fn.GroupNull, d.ids); err != nil {
			return nil, err
		}
		if err := d.account(); err != nil {
			return nil, err
		}
		d.sel = d.sel[:0]
		for _, i := range b.Selected() {
			if d.ids[i] >= seen {
				seen = d.ids[i] + 1
				d.sel = append(d.sel, i)
			}
		}
		if len(d.sel) > 0 {
			d.out = *b
			d.out.Sel = d.sel
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
	grown := d.groups.Bytes() - d.held
	d.held += grown
	err := d.env.Memory.Reserve(grown, "DISTINCT")
	if d.full || err == nil && !d.env.Memory.tight(d.held) {
		return err
	}
	var failed error
	if d.parts, failed = newPartitions(d.env); d.parts == nil {
		d.full = true
		if failed == nil {
			failed = err
		}
		return failed
	}
	d.probe = d.groups.NewProbe()
	d.env.Memory.Release(d.held - d.groups.Settled())
	d.held = d.groups.Settled()
	return nil
}

// set writes the rows of a batch with values that were not there before.
func (d *Distinct) set(b *value.Batch) error {
	if err := d.probe.Find(d.args, b.Len, b.Sel, fn.GroupNull, d.ids); err != nil {
		return err
	}
	d.sel = d.sel[:0]
	for _, i := range b.Selected() {
		if d.ids[i] < 0 {
			d.sel = append(d.sel, i)
		}
	}
	if len(d.sel) == 0 {
		return nil
	}
	return d.parts.add(d.args, b, d.sel)
}

// rest gives the rows that are in the file, a partition at a time.
func (d *Distinct) rest(ctx context.Context) (*value.Batch, error) {
	if d.groups != nil {
		d.groups, d.probe = nil, nil
		d.env.Memory.Release(d.held)
		d.held = 0
		if err := d.parts.done(); err != nil {
			return nil, err
		}
	}
	for {
		if d.sub != nil {
			b, err := d.sub.Next(ctx)
			if b != nil || err != nil {
				return b, err
			}
			if err := d.sub.Close(); err != nil {
				return nil, err
			}
			d.sub = nil
		}
		if d.part == len(d.parts.runs) {
			return nil, nil
		}
		run := &d.parts.runs[d.part]
		d.part++
		if run.rows == 0 {
			continue
		}
		var err error
		if d.sub, err = NewDistinct(&spilled{d.parts.spill.reader(run)}, d.env, d.types); err != nil {
			return nil, err
		}
		d.sub.level = d.level + 1
		d.sub.full = d.sub.level >= mostLevels
	}
}

func (d *Distinct) Close() error {
	d.env.Memory.Release(d.held)
	d.held = 0
	var err error
	if d.sub != nil {
		err = d.sub.Close()
	}
	return errors.Join(err, d.parts.close(), d.input.Close())
}

func (d *Distinct) String() string { return "Distinct" }

// DistinctOn keeps, for each value of the columns on, the row that comes first
// in the order of the keys, and gives these rows in that order.
type DistinctOn struct {
	input
	env    *Env
	on     []int
	keys   []int
	orders []Order
	text   string
	by     string
	groups *fn.Groups

	held int64
	out  *emitter
}

// NewDistinctOn returns a DistinctOn over in; types are those of the columns on.
func NewDistinctOn(in Operator, env *Env, on []int, types []value.Type, keys []int, orders []Order, text, by string) (*DistinctOn, error) {
	return &DistinctOn{input: input{in}, env: env, on: on, keys: keys, orders: orders, text: text, by: by, groups: fn.NewGroups(types)}, nil
}

func (d *DistinctOn) Next(ctx context.Context) (*value.Batch, error) {
	if d.out == nil {
		if err := d.run(ctx); err != nil {
			return nil, err
		}
	}
	return d.out.next(), nil
}

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
		if len(ids) < b.Len {
			ids = make([]int32, b.Len)
		}
		if err := d.groups.Assign(args, b.Len, b.Sel, fn.GroupNull, ids); err != nil {
			return err
		}
		group = appendPicked(group, ids, b.Sel, b.Len)
		all.add(b)
		size := batchBytes(b) + 4*int64(b.Count()) + d.groups.Bytes() - counted
		counted = d.groups.Bytes()
		d.held += size
		if err := d.env.Memory.Reserve(size, "DISTINCT ON"); err != nil {
			return err
		}
		if all.n >= compactAt {
			d.reduce(&all, &group)
			compactAt = max(8*value.BatchSize, 2*all.n)
			d.env.Memory.Release(d.held)
			d.held = batchBytes(&value.Batch{Len: all.n, Cols: all.cols, Rows: all.rows}) + d.groups.Bytes()
			return d.env.Memory.Reserve(d.held, "DISTINCT ON")
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.reduce(&all, &group)
	order, err := all.sorted(ctx, d.keys, d.orders)
	d.out = &emitter{t: all, order: order}
	return err
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
	d.held, d.out = 0, &emitter{t: &rowsTable{}}
	return d.input.Close()
}

func (d *DistinctOn) String() string {
	s := "DistinctOn " + d.text
	if d.by != "" {
		s += " by " + d.by
	}
	return s
}
