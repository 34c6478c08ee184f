package fn

import "github.com/lupadb/lupa/storage/value"

// Set is the right side of x IN (...): a set of values of one type, some of
// which may be NULL. Build it, then only look up; lookups may run concurrently.
type Set struct {
	t       value.Type
	groups  *Groups
	hasNull bool
	more    Members
}

// Members are values of a set that are elsewhere. Lookups may run concurrently.
type Members interface {
	// Len returns the number of different ones.
	Len() int
	// Has notes in there which of the selected rows of x, NULL left out and those that are noted
	// already, have one of the values.
	Has(x Arg, n int, sel []int32, there value.Bitmap) error
}

// NewSetOf returns the set of all values in groups, whose type is t, and of more, which may be nil;
// hasNull says whether NULL is one, too.
func NewSetOf(t value.Type, groups *Groups, more Members, hasNull bool) *Set {
	return &Set{t: t, groups: groups, more: more, hasNull: hasNull}
}

// NewSet returns an empty set of values of type t.
func NewSet(t value.Type) *Set {
	return &Set{t: t, groups: NewGroups([]value.Type{t})}
}

// Add adds the selected rows of col, which is of the set's type.
func (s *Set) Add(col Arg, n int, sel []int32) error {
	ids := make([]int32, n)
	if err := s.groups.Assign([]Arg{col}, n, sel, SkipNull, ids); err != nil {
		return err
	}
	if !s.hasNull {
		each(n, sel, func(i int) { s.hasNull = s.hasNull || ids[i] < 0 })
	}
	return nil
}

// Len returns the number of different values, NULL not counted.
func (s *Set) Len() int {
	if s.more != nil {
		return s.groups.Len() + s.more.Len()
	}
	return s.groups.Len()
}

// In is x IN (set), with the three-valued meaning: NULL if x is NULL, or is not
// found and the set has a NULL. x must be of the set's type. With not it is
// x NOT IN (set).
func In(x Expr, set *Set, not bool) Expr { return &inExpr{x: x, set: set, not: not} }

type inExpr struct {
	x       Expr
	set     *Set
	slot    int // with slotted, the slot that has the set
	slotted bool
	not     bool
	probe   *Probe
	ids     []int32
	out     value.Column
}

func (e *inExpr) Type() value.Type { return value.Type{Kind: value.Boolean} }
func (e *inExpr) Clone() Expr {
	return &inExpr{x: e.x.Clone(), set: e.set, slot: e.slot, slotted: e.slotted, not: e.not}
}

func (e *inExpr) Eval(ctx *Ctx, b *value.Batch, sel []int32) (Arg, error) {
	x, err := e.x.Eval(ctx, b, sel)
	if err != nil {
		return Arg{}, err
	}
	if e.slotted {
		if s := &ctx.Slots[e.slot]; s.Err != nil {
			return Arg{}, s.Err
		} else if s.Set != e.set {
			e.set, e.probe = s.Set, nil
		}
	}
	resize(&e.out, e.Type(), b.Len)
	if e.probe == nil {
		e.probe = e.set.groups.NewProbe()
	}
	e.ids = grow(e.ids, b.Len)
	if err := e.probe.Find([]Arg{x}, b.Len, sel, SkipNull, e.ids); err != nil {
		return Arg{}, err
	}
	there, err := e.elsewhere(x, b.Len, sel)
	if err != nil {
		return Arg{}, err
	}
	empty := e.set.Len() == 0 && !e.set.hasNull
	each(b.Len, sel, func(i int) {
		found := e.ids[i] >= 0 || there.Get(i)
		e.out.Bools[i] = found != e.not
		if !found && !empty && (e.set.hasNull || x.IsNull(i)) {
			setNull(&e.out, i, b.Len)
		}
	})
	return Arg{Column: &e.out}, nil
}

// elsewhere returns which rows have values of the set that are not in its table.
func (e *inExpr) elsewhere(x Arg, n int, sel []int32) (value.Bitmap, error) {
	if e.set.more == nil {
		return nil, nil
	}
	there := value.NewBitmap(n)
	each(n, sel, func(i int) {
		if e.ids[i] >= 0 {
			there.Set(i)
		}
	})
	return there, e.set.more.Has(x, n, sel, there)
}

// Values are the values of a set of constants, NULL last if it is one.
func (s *Set) Values() []value.Value {
	var out []value.Value
	for from := 0; from < s.Len(); from += value.BatchSize {
		col := &value.Column{}
		to := min(from+value.BatchSize, s.Len())
		col.Reset(s.t)
		s.groups.Key(0, from, to, col)
		for i := range to - from {
			out = append(out, col.Value(i))
		}
	}
	if s.hasNull {
		out = append(out, value.Value{})
	}
	return out
}
