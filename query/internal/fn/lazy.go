package fn

import (
	"fmt"

	"github.com/lupadb/lupa/storage/value"
)

// And is l AND r in three-valued logic. r is evaluated only in rows where l is
// not false, and where l fails the other way round, so that neither x <> 0 AND 1/x > 2
// nor 1/x > 2 AND x <> 0 ever divides by zero.
func And(l, r Expr) (Expr, error) { return newLogic(false, l, r) }

// Or is l OR r in three-valued logic. r is evaluated only in rows where l is not
// true; where l fails, l only in rows where r is not true.
func Or(l, r Expr) (Expr, error) { return newLogic(true, l, r) }

// logicExpr is AND, or with or set OR: the same with true and false exchanged.
type logicExpr struct {
	or   bool
	l, r Expr
	sel  []int32
	yes  []int32
	more []int32
	out  value.Column
}

func newLogic(or bool, l, r Expr) (Expr, error) {
	name := "AND"
	if or {
		name = "OR"
	}
	for _, e := range []Expr{l, r} {
		if k := e.Type().Kind; k != value.Boolean && k != value.Null {
			return nil, fmt.Errorf("%s needs conditions on both sides, not %v", name, e.Type())
		}
	}
	e := &logicExpr{or: or, l: l, r: r}
	_, lc := l.(*constExpr)
	_, rc := r.(*constExpr)
	if lc && rc {
		v, err := e.Eval(&Ctx{}, &value.Batch{Len: 1}, nil)
		if err != nil {
			return nil, err
		}
		return typedConst(v.At(0), value.Type{Kind: value.Boolean}), nil
	}
	return e, nil
}

func (e *logicExpr) Type() value.Type { return value.Type{Kind: value.Boolean} }
func (e *logicExpr) Clone() Expr      { return &logicExpr{or: e.or, l: e.l.Clone(), r: e.r.Clone()} }

func (e *logicExpr) Eval(ctx *Ctx, b *value.Batch, sel []int32) (Arg, error) {
	l, err := e.l.Eval(ctx, b, sel)
	if err != nil {
		return e.evalRight(ctx, b, sel, err)
	}
	return e.decide(ctx, b, sel, l, e.r)
}

// evalRight is Eval where l fails with an error: r may decide the rows for which it does.
func (e *logicExpr) evalRight(ctx *Ctx, b *value.Batch, sel []int32, failed error) (Arg, error) {
	r, err := e.r.Eval(ctx, b, sel)
	if err != nil {
		return Arg{}, failed
	}
	return e.decide(ctx, b, sel, r, e.l)
}

// decide combines x, one of the sides, with the other one. Rows that x decides are done;
// the others go on to other.
func (e *logicExpr) decide(ctx *Ctx, b *value.Batch, sel []int32, x Arg, other Expr) (Arg, error) {
	resize(&e.out, e.Type(), b.Len)
	rest := e.sel[:0]
	step, nulls := x.step(), x.Type.Kind == value.Null || x.Nulls != nil
	for _, i := range fullSel(b.Len, sel) {
		if (!nulls || !x.IsNull(int(i))) && x.Bools[int(i)*step] == e.or {
			e.out.Bools[i] = e.or
		} else {
			rest = append(rest, i)
		}
	}
	e.sel = rest
	if len(rest) == 0 {
		return Arg{Column: &e.out}, nil
	}
	y, err := other.Eval(ctx, b, rest)
	if err != nil {
		return Arg{}, err
	}
	for _, i := range rest {
		i := int(i)
		null := y.IsNull(i)
		switch {
		case !null && y.Bools[i*y.step()] == e.or:
			e.out.Bools[i] = e.or
		case null || x.IsNull(i):
			setNull(&e.out, i, b.Len)
		default:
			e.out.Bools[i] = !e.or
		}
	}
	return Arg{Column: &e.out}, nil
}

// each calls f for every selected slot.
func each(n int, sel []int32, f func(i int)) {
	if sel == nil {
		for i := range n {
			f(i)
		}
		return
	}
	for _, i := range sel {
		f(int(i))
	}
}

func setNull(c *value.Column, i, n int) {
	if c.Nulls == nil {
		c.Nulls = value.NewBitmap(n)
	}
	c.Nulls.Set(i)
}

// When is one branch of Case.
type When struct{ Cond, Then Expr }

// Case is CASE WHEN ... THEN ... ELSE ... END; els may be nil for NULL. Each
// branch is evaluated only in the rows that get to it. All branches are cast to
// their common type.
func Case(whens []When, els Expr) (Expr, error) {
	if els == nil {
		els = Const(value.Value{})
	}
	types := make([]ArgType, 0, len(whens)+1)
	for _, w := range whens {
		if k := w.Cond.Type().Kind; k != value.Boolean && k != value.Null {
			return nil, fmt.Errorf("WHEN needs a condition, not %v", w.Cond.Type())
		}
		types = append(types, TypeOf(w.Then))
	}
	types = append(types, TypeOf(els))
	t, err := Common("CASE", types)
	if err != nil {
		return nil, err
	}
	e := &caseExpr{t: t}
	for _, w := range whens {
		then, err := CastTo(w.Then, t, Implicit, nil)
		if err != nil {
			return nil, err
		}
		e.whens = append(e.whens, When{w.Cond, then})
	}
	if e.els, err = CastTo(els, t, Implicit, nil); err != nil {
		return nil, err
	}
	return e, nil
}

type caseExpr struct {
	t       value.Type
	whens   []When
	els     Expr
	yes, no []int32
	out     value.Column
}

func (e *caseExpr) Type() value.Type { return e.t }

func (e *caseExpr) Clone() Expr {
	c := &caseExpr{t: e.t, els: e.els.Clone()}
	for _, w := range e.whens {
		c.whens = append(c.whens, When{w.Cond.Clone(), w.Then.Clone()})
	}
	return c
}

func (e *caseExpr) Eval(ctx *Ctx, b *value.Batch, sel []int32) (Arg, error) {
	resize(&e.out, e.t, b.Len)
	rest := append(e.no[:0], fullSel(b.Len, sel)...)
	for _, w := range e.whens {
		if len(rest) == 0 {
			break
		}
		cond, err := w.Cond.Eval(ctx, b, rest)
		if err != nil {
			return Arg{}, err
		}
		e.yes = e.yes[:0]
		no := rest[:0]
		for _, i := range rest {
			if !cond.IsNull(int(i)) && cond.Bools[int(i)*cond.step()] {
				e.yes = append(e.yes, i)
			} else {
				no = append(no, i)
			}
		}
		rest = no
		if err := e.fill(ctx, b, w.Then, e.yes); err != nil {
			return Arg{}, err
		}
	}
	if err := e.fill(ctx, b, e.els, rest); err != nil {
		return Arg{}, err
	}
	e.no = rest
	return Arg{Column: &e.out}, nil
}

func (e *caseExpr) fill(ctx *Ctx, b *value.Batch, from Expr, rows []int32) error {
	if len(rows) == 0 {
		return nil
	}
	v, err := from.Eval(ctx, b, rows)
	if err != nil {
		return err
	}
	return copyRows(&e.out, v, b.Len, rows)
}

// copyRows sets the given slots of out, which is of v's type, to those of v.
func copyRows(out *value.Column, v Arg, n int, rows []int32) error {
	if v.Type.Kind == value.Null || v.Const && v.Null(0) {
		for _, i := range rows {
			setNull(out, int(i), n)
		}
		return nil
	}
	if v.Nulls != nil && !v.Const {
		for _, i := range rows {
			if v.Nulls.Get(int(i)) {
				setNull(out, int(i), n)
			}
		}
	}
	s := v.step()
	switch out.Type.Kind {
	case value.Boolean:
		copySlots(out.Bools, v.Bools, s, rows)
	case value.Integer, value.Timestamp, value.Date:
		copySlots(out.Ints, v.Ints, s, rows)
	case value.Real:
		copySlots(out.Reals, v.Reals, s, rows)
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		copySlots(out.Strs, v.Strs, s, rows)
	case value.Vector:
		d := v.Type.Dim
		if out.Type.Dim != d {
			if out.Type.Dim != 0 {
				return fmt.Errorf("vectors of %d and of %d dimensions in one column", out.Type.Dim, d)
			}
			out.Type.Dim, out.Vecs = d, grow(out.Vecs, n*d)
		}
		for _, i := range rows {
			copy(out.Vecs[int(i)*d:][:d], v.Vecs[int(i)*s*d:][:d])
		}
	}
	return nil
}

func copySlots[T any](dst, src []T, step int, rows []int32) {
	for _, i := range rows {
		dst[i] = src[int(i)*step]
	}
}

// sequence is 0, 1, 2, ...: the selection of all rows of a batch.
var sequence = func() (s [value.BatchSize]int32) {
	for i := range s {
		s[i] = int32(i)
	}
	return
}()

// fullSel returns sel, or all of n rows for nil. It is not to be written to.
func fullSel(n int, sel []int32) []int32 {
	if sel != nil {
		return sel
	}
	if n <= len(sequence) {
		return sequence[:n]
	}
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(i)
	}
	return s
}

// Coalesce is the first of its arguments that is not NULL; later ones are
// evaluated only in the rows that need them.
func Coalesce(args []Expr) (Expr, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("coalesce needs arguments: coalesce(x, ...)")
	}
	types := make([]ArgType, len(args))
	for i, a := range args {
		types[i] = TypeOf(a)
	}
	t, err := Common("coalesce", types)
	if err != nil {
		return nil, err
	}
	e := &coalesceExpr{t: t}
	for _, a := range args {
		c, err := CastTo(a, t, Implicit, nil)
		if err != nil {
			return nil, err
		}
		e.args = append(e.args, c)
	}
	return e, nil
}

type coalesceExpr struct {
	t    value.Type
	args []Expr
	some []int32
	rest []int32
	out  value.Column
}

func (e *coalesceExpr) Type() value.Type { return e.t }
func (e *coalesceExpr) Clone() Expr      { return &coalesceExpr{t: e.t, args: cloneAll(e.args)} }

func (e *coalesceExpr) Eval(ctx *Ctx, b *value.Batch, sel []int32) (Arg, error) {
	resize(&e.out, e.t, b.Len)
	rest := append(e.rest[:0], fullSel(b.Len, sel)...)
	for _, a := range e.args {
		if len(rest) == 0 {
			break
		}
		v, err := a.Eval(ctx, b, rest)
		if err != nil {
			return Arg{}, err
		}
		e.some = e.some[:0]
		no := rest[:0]
		for _, i := range rest {
			if v.IsNull(int(i)) {
				no = append(no, i)
			} else {
				e.some = append(e.some, i)
			}
		}
		rest = no
		if len(e.some) > 0 {
			if err := copyRows(&e.out, v, b.Len, e.some); err != nil {
				return Arg{}, err
			}
		}
	}
	for _, i := range rest {
		setNull(&e.out, int(i), b.Len)
	}
	e.rest = rest
	return Arg{Column: &e.out}, nil
}

// Select appends to dst the rows of b within sel (nil = all) where cond is true:
// what WHERE keeps. Conjunctions narrow the selection step by step.
func Select(ctx *Ctx, cond Expr, b *value.Batch, sel, dst []int32) ([]int32, error) {
	if and, ok := cond.(*logicExpr); ok && !and.or {
		// A row where l is NULL is lost whatever r says, so r need not see it.
		first, err := Select(ctx, and.l, b, sel, and.sel[:0])
		then := and.r
		if err != nil { // r may leave out the rows for which l fails
			failed := err
			if first, err = Select(ctx, and.r, b, sel, and.sel[:0]); err != nil {
				return dst, failed
			}
			then = and.l
		}
		and.sel = first
		if len(first) == 0 {
			return dst, nil
		}
		return Select(ctx, then, b, first, dst)
	}
	if or, ok := cond.(*logicExpr); ok {
		return or.selectOr(ctx, b, sel, dst)
	}
	if call, ok := cond.(*callExpr); ok {
		if out, done, err := selectCompare(ctx, call, b, sel, dst); done || err != nil {
			return out, err
		}
	}
	v, err := cond.Eval(ctx, b, sel)
	if err != nil {
		return dst, err
	}
	if v.Type.Kind == value.Null {
		return dst, nil
	}
	if v.Const {
		if v.Null(0) || !v.Bools[0] {
			return dst, nil
		}
		return append(dst, fullSel(b.Len, sel)...), nil
	}
	return appendTrue(dst, v.Column, b.Len, sel), nil
}

// selectOr is Select for a disjunction: the rows of l and, of the others, those
// of r, merged.
func (e *logicExpr) selectOr(ctx *Ctx, b *value.Batch, sel, dst []int32) ([]int32, error) {
	yes, err := Select(ctx, e.l, b, sel, e.yes[:0])
	then := e.r
	if err != nil { // r may decide the rows for which l fails
		failed := err
		if yes, err = Select(ctx, e.r, b, sel, e.yes[:0]); err != nil {
			return dst, failed
		}
		then = e.l
	}
	e.yes = yes
	all := fullSel(b.Len, sel)
	rest := e.sel[:0]
	k := 0
	for _, i := range all {
		if k < len(yes) && yes[k] == i {
			k++
		} else {
			rest = append(rest, i)
		}
	}
	e.sel = rest
	if len(rest) == 0 {
		return append(dst, yes...), nil
	}
	more, err := Select(ctx, then, b, rest, e.more[:0])
	e.more = more
	if err != nil {
		return dst, err
	}
	for len(yes) > 0 && len(more) > 0 {
		if yes[0] < more[0] {
			dst, yes = append(dst, yes[0]), yes[1:]
		} else {
			dst, more = append(dst, more[0]), more[1:]
		}
	}
	return append(append(dst, yes...), more...), nil
}

// appendTrue appends the selected rows where c is true.
func appendTrue(dst []int32, c *value.Column, n int, sel []int32) []int32 {
	if sel == nil {
		bools := c.Bools[:n]
		for i, yes := range bools {
			if yes && !c.Nulls.Get(i) {
				dst = append(dst, int32(i))
			}
		}
		return dst
	}
	for _, i := range sel {
		if c.Bools[i] && !c.Nulls.Get(int(i)) {
			dst = append(dst, i)
		}
	}
	return dst
}
