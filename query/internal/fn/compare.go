package fn

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// cmpOp is a comparison.
type cmpOp uint8

const (
	opEq cmpOp = iota
	opNe
	opLt
	opLe
	opGt
	opGe
)

var cmpNames = [...]string{"=", "<>", "<", "<=", ">", ">="}

// holds reports whether the outcome of Compare satisfies the operator.
func (op cmpOp) holds(c int) bool {
	switch op {
	case opEq:
		return c == 0
	case opNe:
		return c != 0
	case opLt:
		return c < 0
	case opLe:
		return c <= 0
	case opGt:
		return c > 0
	}
	return c >= 0
}

// flip returns the operator with its operands exchanged.
func (op cmpOp) flip() cmpOp {
	switch op {
	case opLt:
		return opGt
	case opLe:
		return opGe
	case opGt:
		return opLt
	case opGe:
		return opLe
	}
	return op
}

func comparison(op cmpOp, example, gives string) *Func {
	name := cmpNames[op]
	return &Func{Name: name, Category: Operator, Syntax: "a " + name + " b",
		Doc: cmpDocs[op], Example: example, Gives: gives, infer: inferComparison(name, compareKernel(op))}
}

var cmpDocs = [...]string{"equal", "not equal (also !=)", "less than", "less than or equal", "greater than", "greater than or equal"}

// inferComparison brings both sides to one type: a text literal to the other
// side's, integers to reals beside a real.
func inferComparison(name string, eval kernel) func([]ArgType) ([]value.Type, value.Type, kernel, error) {
	return func(args []ArgType) ([]value.Type, value.Type, kernel, error) {
		t, err := Common(name, args)
		if err != nil {
			a, b := args[0].Type, args[1].Type
			if a.Kind == value.Vector && b.Kind == value.Vector {
				return nil, t, nil, err
			}
			return nil, t, nil, fmt.Errorf("%v and %v can't be compared; cast one: CAST(... AS %v)", a, b, castTarget(a, b))
		}
		return []value.Type{t, t}, value.Type{Kind: value.Boolean}, eval, nil
	}
}

// castTarget is the type to recommend when a and b can't be combined.
func castTarget(a, b value.Type) value.Type {
	if a.Kind == value.Text || a.Kind == value.JSON {
		return b
	}
	return a
}

func compareKernel(op cmpOp) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a, b := args[0], args[1]
		switch a.Type.Kind {
		case value.Integer, value.Timestamp, value.Date:
			compareLoop(op, a.Ints, a.step(), b.Ints, b.step(), out.Bools, n, sel)
		case value.Text, value.Blob:
			compareLoop(op, a.Strs, a.step(), b.Strs, b.step(), out.Bools, n, sel)
		case value.Real:
			compareReals(op, a, b, out.Bools, n, sel)
		case value.Interval:
			each(n, sel, func(i int) { // NULL rows hold anything
				out.Bools[i] = op.holds(value.SpanOf(a.Strs[i*a.step()]).Compare(value.SpanOf(b.Strs[i*b.step()])))
			})
		case value.Numeric:
			each(n, sel, func(i int) {
				out.Bools[i] = op.holds(strings.Compare(value.NumericKey(a.Strs[i*a.step()]), value.NumericKey(b.Strs[i*b.step()])))
			})
		case value.JSON:
			compareJSONs(op, a, b, out.Bools, n, sel)
		default:
			each(n, sel, func(i int) { out.Bools[i] = op.holds(Compare(a.At(i), b.At(i))) })
		}
		return nil
	}
}

func compareLoop[T int64 | string](op cmpOp, a []T, sa int, b []T, sb int, out []bool, n int, sel []int32) {
	if sel != nil {
		for _, i := range sel {
			x, y := a[int(i)*sa], b[int(i)*sb]
			var r bool
			switch op {
			case opEq:
				r = x == y
			case opNe:
				r = x != y
			case opLt:
				r = x < y
			case opLe:
				r = x <= y
			case opGt:
				r = x > y
			default:
				r = x >= y
			}
			out[i] = r
		}
		return
	}
	switch op {
	case opEq:
		for i := range n {
			out[i] = a[i*sa] == b[i*sb]
		}
	case opNe:
		for i := range n {
			out[i] = a[i*sa] != b[i*sb]
		}
	case opLt:
		for i := range n {
			out[i] = a[i*sa] < b[i*sb]
		}
	case opLe:
		for i := range n {
			out[i] = a[i*sa] <= b[i*sb]
		}
	case opGt:
		for i := range n {
			out[i] = a[i*sa] > b[i*sb]
		}
	default:
		for i := range n {
			out[i] = a[i*sa] >= b[i*sb]
		}
	}
}

func compareReals(op cmpOp, a, b Arg, out []bool, n int, sel []int32) {
	sa, sb := a.step(), b.step()
	each(n, sel, func(i int) { out[i] = op.holds(value.CompareReals(a.Reals[i*sa], b.Reals[i*sb])) })
}

// compareJSONs compares by keys; those of a constant are made once.
func compareJSONs(op cmpOp, a, b Arg, out []bool, n int, sel []int32) {
	var buf [2][]byte
	key := func(k int, x Arg, i int) []byte {
		if !x.Const || buf[k] == nil {
			buf[k] = appendJSONKey(buf[k][:0], x.Strs[i*x.step()])
		}
		return buf[k]
	}
	each(n, sel, func(i int) {
		if a.IsNull(i) || b.IsNull(i) {
			return
		}
		if a.Strs[i*a.step()] == b.Strs[i*b.step()] {
			out[i] = op.holds(0)
			return
		}
		out[i] = op.holds(bytes.Compare(key(0, a, i), key(1, b, i)))
	})
}

// opOf returns the comparison a call is, if it is one.
func opOf(f *Func) (cmpOp, bool) {
	for op, name := range cmpNames {
		if f.Name == name {
			return cmpOp(op), true
		}
	}
	return 0, false
}

// selectCompare is Select for a comparison of integers, timestamps or reals with
// a constant, in one pass and without branches; done is false for anything else.
func selectCompare(ctx *Ctx, call *callExpr, b *value.Batch, sel, dst []int32) (_ []int32, done bool, err error) {
	op, ok := opOf(call.call.Func)
	if !ok {
		return dst, false, nil
	}
	left, right := call.args[0], call.args[1]
	if _, ok := constantOf(ctx, left); ok {
		left, right, op = right, left, op.flip()
	}
	c, ok := constantOf(ctx, right)
	if !ok || op == opNe || c.IsNull(0) {
		return dst, false, nil
	}
	kind := call.call.Params[0].Kind
	if kind != value.Integer && kind != value.Timestamp && kind != value.Date && kind != value.Real {
		return dst, false, nil
	}
	x, err := left.Eval(ctx, b, sel)
	if err != nil {
		return dst, true, err
	}
	if x.Const || x.Type.Kind != kind {
		return dst, false, nil
	}
	if kind == value.Real {
		lo, hi, ok := realRange(op, c.Reals[0])
		if !ok {
			return dst, false, nil
		}
		return selectReals(x.Column, lo, hi, b.Len, sel, dst), true, nil
	}
	lo, hi, some := intRange(op, c.Ints[0])
	if !some {
		return dst, true, nil
	}
	return selectInts(x.Column, lo, hi, b.Len, sel, dst), true, nil
}

// intRange returns the integers that satisfy x op c.
func intRange(op cmpOp, c int64) (lo, hi int64, some bool) {
	lo, hi = math.MinInt64, math.MaxInt64
	switch op {
	case opEq:
		return c, c, true
	case opLt:
		return lo, c - 1, c != math.MinInt64
	case opLe:
		return lo, c, true
	case opGt:
		return c + 1, hi, c != math.MaxInt64
	}
	return c, hi, true
}

// realRange returns the closed range of reals that satisfy x op c; ok is false
// where NaN, the greatest real, would be in it.
func realRange(op cmpOp, c float64) (lo, hi float64, ok bool) {
	if c != c {
		return 0, 0, false
	}
	switch op {
	case opEq:
		return c, c, true
	case opLe:
		return math.Inf(-1), c, true
	case opLt:
		return math.Inf(-1), math.Nextafter(c, math.Inf(-1)), !math.IsInf(c, -1)
	}
	return 0, 0, false
}

func selectInts(c *value.Column, lo, hi int64, n int, sel, dst []int32) []int32 {
	span := uint64(hi) - uint64(lo)
	start := len(dst)
	if sel == nil {
		dst = extend(dst, start+n)
		out, k := dst[start:], 0
		for i, x := range c.Ints[:n] {
			out[k] = int32(i)
			in := 0
			if uint64(x)-uint64(lo) <= span {
				in = 1
			}
			k += in
		}
		dst = dst[:start+k]
	} else {
		dst = extend(dst, start+len(sel))
		out, k := dst[start:], 0
		for _, i := range sel {
			out[k] = i
			in := 0
			if uint64(c.Ints[i])-uint64(lo) <= span {
				in = 1
			}
			k += in
		}
		dst = dst[:start+k]
	}
	return dropNulls(c.Nulls, dst, start)
}

func selectReals(c *value.Column, lo, hi float64, n int, sel, dst []int32) []int32 {
	start := len(dst)
	if sel == nil {
		for i, x := range c.Reals[:n] {
			if x >= lo && x <= hi {
				dst = append(dst, int32(i))
			}
		}
	} else {
		for _, i := range sel {
			if x := c.Reals[i]; x >= lo && x <= hi {
				dst = append(dst, i)
			}
		}
	}
	return dropNulls(c.Nulls, dst, start)
}

// dropNulls takes the NULL rows out of rows[start:].
func dropNulls(nulls value.Bitmap, rows []int32, start int) []int32 {
	if nulls == nil {
		return rows
	}
	k := start
	for _, i := range rows[start:] {
		if !nulls.Get(int(i)) {
			rows[k] = i
			k++
		}
	}
	return rows[:k]
}

// distinctKernel is IS [NOT] DISTINCT FROM: NULL is a value like others.
func distinctKernel(not bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a, b := args[0], args[1]
		each(n, sel, func(i int) {
			an, bn := a.IsNull(i), b.IsNull(i)
			distinct := an != bn || !an && Compare(a.At(i), b.At(i)) != 0
			out.Bools[i] = distinct != not
		})
		return nil
	}
}

func isNullKernel(not bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		each(n, sel, func(i int) { out.Bools[i] = args[0].IsNull(i) != not })
		return nil
	}
}

// isBoolKernel is x IS [NOT] TRUE or FALSE.
func isBoolKernel(want, not bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a := args[0]
		each(n, sel, func(i int) {
			is := !a.IsNull(i) && a.Bools[i*a.step()] == want
			out.Bools[i] = is != not
		})
		return nil
	}
}

func notKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	map1(args[0].Bools, args[0].step(), out.Bools, n, sel, func(b bool) bool { return !b })
	return nil
}

// inferCommon brings all arguments to one type, which is also the result's.
func inferCommon(name string, least, most int, eval kernel) func([]ArgType) ([]value.Type, value.Type, kernel, error) {
	return func(args []ArgType) ([]value.Type, value.Type, kernel, error) {
		var t value.Type
		if len(args) < least || most > 0 && len(args) > most {
			return nil, t, nil, fmt.Errorf("%s: %d arguments given", name, len(args))
		}
		t, err := Common(name, args)
		params := make([]value.Type, len(args))
		for i := range params {
			params[i] = t
		}
		return params, t, eval, err
	}
}

// extremeKernel is greatest (sign 1) and least (-1) of the arguments that are
// not NULL.
func extremeKernel(sign int) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		for _, i := range fullSel(n, sel) {
			var best value.Value
			for _, a := range args {
				if v := a.At(int(i)); !v.IsNull() && (best.IsNull() || sign*Compare(v, best) > 0) {
					best = v
				}
			}
			if best.IsNull() {
				setNull(out, int(i), n)
			} else if err := storeSlot(out, int(i), n, best); err != nil {
				return err
			}
		}
		return nil
	}
}

// storeSlot is setSlot that fixes the dimension of out by the first vector.
func storeSlot(out *value.Column, i, n int, v value.Value) error {
	if v.Kind() == value.Vector && v.Type().Dim != out.Type.Dim {
		if out.Type.Dim != 0 {
			return fmt.Errorf("vectors of %d and of %d dimensions in one column", out.Type.Dim, v.Type().Dim)
		}
		out.Type.Dim = v.Type().Dim
		out.Vecs = grow(out.Vecs, n*out.Type.Dim)
	}
	setSlot(out, i, v)
	return nil
}

func nullifKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		a, b := args[0].At(int(i)), args[1].At(int(i))
		if a.IsNull() || !b.IsNull() && Compare(a, b) == 0 {
			setNull(out, int(i), n)
		} else if err := storeSlot(out, int(i), n, a); err != nil {
			return err
		}
	}
	return nil
}

// coalesceKernel is coalesce over arguments that are evaluated already; Coalesce
// is the lazy form.
func coalesceKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		var v value.Value
		for _, a := range args {
			if v = a.At(int(i)); !v.IsNull() {
				break
			}
		}
		if v.IsNull() {
			setNull(out, int(i), n)
		} else if err := storeSlot(out, int(i), n, v); err != nil {
			return err
		}
	}
	return nil
}
