package exec

import (
	"context"
	"errors"
	"sync"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// KeyTable holds the rows of a query by the keys that are their first columns.
// It is built when it is first asked, and may be shared by several goroutines.
type KeyTable struct {
	Types   []value.Type // of the keys
	Columns []value.Type // of all columns
	Memory  *Budget
	Open    func(ctx context.Context) (Operator, error)

	once  sync.Once
	err   error
	keyed *keyedRows
}

func (t *KeyTable) build(c *fn.Ctx) error {
	t.once.Do(func() { t.err = t.fill(c) })
	return t.err
}

func (t *KeyTable) fill(c *fn.Ctx) error {
	op, err := t.Open(c.Context)
	if err != nil {
		return err
	}
	defer op.Close()
	t.keyed = newKeyedRows(t.Types)
	args := make([]fn.Arg, len(t.Types))
	held := int64(0)
	err = Drain(c.Context, op, func(b *value.Batch) error {
		for i := range args {
			args[i] = fn.Arg{Column: b.Cols[i]}
		}
		size, err := t.keyed.add(args, b)
		if err != nil {
			return err
		}
		held += size
		return t.Memory.Reserve(size, "a subquery that depends on the row")
	})
	if err != nil {
		t.Memory.Release(held)
		return err
	}
	return t.keyed.finish(t.Columns, t.Memory, "a subquery that depends on the row")
}

// KeyedKind says what a row is told about the rows that have its key.
type KeyedKind uint8

const (
	KeyedExists KeyedKind = iota // whether there is one
	KeyedIn                      // whether one of them has a value, with IN's meaning of NULL
	KeyedOne                     // the value of the only one; several are an error
	KeyedFirst                   // the value of the first
)

// Keyed answers a subquery for the rows of a batch by the rows that a KeyTable
// has for their keys and that pass further conditions.
type Keyed struct {
	Table *KeyTable
	Kind  KeyedKind
	Keys  []fn.Expr                                      // over the batch
	Outer []fn.Expr                                      // over the batch: the first columns of a pair
	Rest  []fn.Expr                                      // conditions over pairs: the values of Outer, then the table's columns
	Test  fn.Expr                                        // KeyedIn: over pairs
	Value int                                            // KeyedOne, KeyedFirst: column of the table
	None  func(ctx context.Context) (value.Value, error) // value where there is no row; nil = NULL
	Wrap  func(error) error

	probe *fn.Probe
	ids   []int32
	none  *value.Value
}

func (k *Keyed) clone() *Keyed {
	c := &Keyed{Table: k.Table, Kind: k.Kind, Value: k.Value, None: k.None, Wrap: k.Wrap}
	all := func(es []fn.Expr) (out []fn.Expr) {
		for _, e := range es {
			out = append(out, e.Clone())
		}
		return out
	}
	c.Keys, c.Outer, c.Rest = all(k.Keys), all(k.Outer), all(k.Rest)
	if k.Test != nil {
		c.Test = k.Test.Clone()
	}
	return c
}

// valueType is the type of the value, with the dimension of its vectors.
func (k *Keyed) valueType() value.Type {
	if k.Kind == KeyedExists || k.Kind == KeyedIn {
		return value.Type{Kind: value.Boolean}
	}
	return k.Table.keyed.rows.cols[k.Value].Type
}

// answer calls set with the answer for each of the rows, in no certain order; it
// is not called where that is NULL.
func (k *Keyed) answer(c *fn.Ctx, b *value.Batch, rows []int32, set func(i int32, v value.Value)) error {
	keys, err := evalAll(c, k.Keys, b, rows)
	if err != nil {
		return err
	}
	if k.probe == nil {
		k.probe = k.Table.keyed.groups.NewProbe()
	}
	if len(k.ids) < b.Len {
		k.ids = make([]int32, b.Len)
	}
	if err := k.probe.Find(keys, b.Len, rows, fn.SkipNull, k.ids); err != nil {
		return err
	}
	if k.Kind == KeyedExists && len(k.Rest) == 0 {
		for _, i := range rows {
			set(i, value.Bool(k.ids[i] >= 0))
		}
		return nil
	}
	outer, err := evalAll(c, k.Outer, b, rows)
	if err != nil {
		return err
	}
	a := &answers{k: k, ctx: c, outer: outer, at: make([]int32, b.Len), state: make([]answerState, b.Len), found: make([]int32, b.Len)}
	open := make([]int32, 0, len(rows))
	for _, i := range rows {
		if g := k.ids[i]; g >= 0 {
			a.at[i] = k.Table.keyed.first[g]
			open = append(open, i)
		}
	}
	// Rounds: a few partners of every row, then more for those that are not
	// decided yet.
	for most := 4; len(open) > 0; most = min(4*most, value.BatchSize) {
		if err := c.Context.Err(); err != nil {
			return err
		}
		if open, err = a.round(open, most); err != nil {
			return err
		}
	}
	for _, i := range rows {
		switch k.Kind {
		case KeyedExists:
			set(i, value.Bool(a.state[i] == yes))
		case KeyedIn:
			if a.state[i] != unknown {
				set(i, value.Bool(a.state[i] == yes))
			}
		default:
			if a.state[i] == yes {
				set(i, k.Table.keyed.rows.cols[k.Value].Value(int(a.found[i])))
			} else if k.None != nil {
				if k.none == nil {
					v, err := k.None(c.Context)
					if err != nil {
						return err
					}
					k.none = &v
				}
				set(i, *k.none)
			}
		}
	}
	return nil
}

func evalAll(c *fn.Ctx, es []fn.Expr, b *value.Batch, sel []int32) ([]fn.Arg, error) {
	out := make([]fn.Arg, len(es))
	for i, e := range es {
		var err error
		if out[i], err = e.Eval(c, b, sel); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// answerState is what is known of one row so far.
type answerState uint8

const (
	no answerState = iota
	yes
	unknown // KeyedIn: NULL, unless a later partner says yes
)

// answers finds those of one batch.
type answers struct {
	k     *Keyed
	ctx   *fn.Ctx
	outer []fn.Arg
	at    []int32 // next partner of each row
	state []answerState
	found []int32 // the partner whose value it is

	li, ri []int32
}

// round tries up to most partners of every open row and returns the rows that
// are open still.
func (a *answers) round(open []int32, most int) ([]int32, error) {
	for _, i := range open {
		for n := 0; n < most && a.at[i] >= 0; n++ {
			a.li, a.ri = append(a.li, i), append(a.ri, a.at[i])
			a.at[i] = a.k.Table.keyed.next[a.at[i]]
			if len(a.li) == value.BatchSize {
				if err := a.flush(); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := a.flush(); err != nil {
		return nil, err
	}
	left := open[:0]
	for _, i := range open {
		if a.at[i] >= 0 && (a.state[i] != yes || a.k.Kind == KeyedOne) {
			left = append(left, i)
		}
	}
	return left, nil
}

// flush decides about the pairs collected.
func (a *answers) flush() error {
	if len(a.li) == 0 {
		return nil
	}
	t := a.k.Table.keyed.rows
	sel := value.Positions(len(a.li))
	var b *value.Batch
	if len(a.k.Rest) > 0 || a.k.Test != nil {
		b = &value.Batch{Len: len(a.li)}
		for _, v := range a.outer {
			if v.Const {
				b.Cols = append(b.Cols, constant(v.At(0), v.Type, len(a.li)))
				continue
			}
			c := newColumn(v.Type)
			appendColumn(c, 0, v.Column, a.li, 0)
			b.Cols = append(b.Cols, c)
		}
		for _, src := range t.cols {
			c := newColumn(src.Type)
			appendColumn(c, 0, src, a.ri, 0)
			b.Cols = append(b.Cols, c)
		}
	}
	for _, cond := range a.k.Rest {
		v, err := cond.Eval(a.ctx, b, sel)
		if err != nil {
			return err
		}
		sel = keepTrue(v, b, sel, nil)
	}
	var test fn.Arg
	if a.k.Test != nil && len(sel) > 0 {
		var err error
		if test, err = a.k.Test.Eval(a.ctx, b, sel); err != nil {
			return err
		}
	}
	for _, p := range sel {
		i := a.li[p]
		switch a.k.Kind {
		case KeyedIn:
			switch {
			case test.IsNull(int(p)):
				if a.state[i] == no {
					a.state[i] = unknown
				}
			case test.At(int(p)).Bool():
				a.state[i] = yes
			}
		case KeyedOne:
			if a.state[i] == yes {
				return a.k.Wrap(errSeveralRows)
			}
			a.state[i], a.found[i] = yes, a.ri[p]
		default:
			if a.state[i] != yes {
				a.state[i], a.found[i] = yes, a.ri[p]
			}
		}
	}
	a.li, a.ri = a.li[:0], a.ri[:0]
	return nil
}

var errSeveralRows = errors.New("the subquery used as a value gave more than one row; LIMIT 1 takes the first")
