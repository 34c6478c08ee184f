package bind

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// Arrays are JSON here. PostgreSQL counts the elements of an array from 1 and those of JSON from 0, so it
// has to be known which of both a value is: logical.Expr.Array tells, of what comes of ARRAY and of functions of arrays.

// array binds ARRAY[a, b].
func (b *Binder) array(s *Scope, e *parse.Array) (*logical.Expr, error) {
	args, err := b.Exprs(s, e.List)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(args, func(a *logical.Expr) bool { return a.Array != nil }) { // ARRAY[ARRAY[1]]
		for _, a := range args {
			if a.Array == nil && a.Type.Kind != value.Null {
				return nil, parse.Errorf(a.Pos, "%s is not an array, as others here are", a.Text).WithHint("json_build_array takes any values")
			}
		}
		out, err := b.apply("array of arrays", e.Pos, args...)
		if err != nil {
			return nil, err
		}
		of := value.Type{}
		for i, a := range args {
			switch {
			case a.Array == nil: // NULL
			case of.Kind == value.Null && i == 0 || of == within(*a.Array):
				of = within(*a.Array)
			default:
				of = value.Type{}
			}
		}
		return arrayOf(out, of), nil
	}
	out, err := b.apply("json_build_array", e.Pos, args...)
	if err != nil {
		return nil, err
	}
	var types []fn.ArgType
	of := value.Type{}
	for _, a := range args {
		types = append(types, logical.ArgType(a))
	}
	if t, err := fn.Common("ARRAY", types); err == nil && len(types) > 0 {
		of = t
	}
	return arrayOf(out, of), nil
}

// flat is an array with the elements of arrays within it in their place, for what goes by
// single elements; e itself where it has none, or is JSON.
func (b *Binder) flat(e *logical.Expr) (*logical.Expr, error) {
	if e.Array == nil || e.Array.Kind == value.JSON || e.Array.Kind == value.Vector {
		return e, nil
	}
	cast := e.Op == logical.OpCall && e.Call.Func.Name == "to_array" // $1::int[], which may be '{{1,2},{3,4}}'
	if e.Array.Kind != value.Null && e.Array.Dim == 0 && !cast {
		return e, nil
	}
	out, err := b.apply("array_flatten", e.Pos, e)
	if err != nil {
		return nil, err
	}
	return arrayOf(out, value.Type{Kind: e.Array.Kind}), nil
}

// within is the type of the elements of an array whose elements are arrays of elements of t: its Dim counts
// the dimensions beyond the first.
func within(t value.Type) value.Type {
	if t.Kind == value.Null || t.Kind == value.JSON || t.Kind == value.Vector {
		return value.Type{}
	}
	t.Dim++
	return t
}

// flatFuncs are the functions of arrays that go by single elements.
var flatFuncs = map[string]bool{"cardinality": true, "array_to_string": true}

// arrayOf is e, which is an array of elements of a type.
func arrayOf(e *logical.Expr, t value.Type) *logical.Expr {
	out := *e
	out.Array = &t
	return &out
}

// arrayFuncs are the functions that give arrays: of texts, or like that of their first argument.
var arrayFuncs = map[string]bool{
	"string_to_array": true, "regexp_split_to_array": true, "regexp_match": true, "regexp_matches": true,
	"array_append": false, "array_remove": false, "array_cat": false, "array_prepend": false, "array_replace": false, "array_slice": false, "trim_array": false, "coalesce": false, "nullif": false, "to_array": false,
}

// arrayCall notes that a function has given an array.
func arrayCall(name string, e *logical.Expr, args []*logical.Expr) *logical.Expr {
	texts, known := arrayFuncs[name]
	switch {
	case !known || e.Type.Kind != value.JSON:
		return e
	case name == "to_array":
		t := value.Type{}
		if len(args) == 2 && logical.IsConst(args[1]) {
			for k := value.Boolean; k <= value.Numeric; k++ {
				if k != value.Vector && strings.EqualFold(k.String(), args[1].Value.String()) {
					t.Kind = k
				}
			}
		}
		if logical.IsConst(e) && t.Kind != value.JSON && t.Kind != value.Null {
			t.Dim = fn.ArrayDepth(e.Value) - 1
		}
		return arrayOf(e, t)
	case texts:
		return arrayOf(e, logical.TextType)
	case len(args) > 0 && args[0].Array != nil:
		return arrayOf(e, *args[0].Array)
	}
	return e
}

// subscript binds x[n], x['key'] and x[from:to].
func (b *Binder) subscript(s *Scope, e *parse.Subscript) (*logical.Expr, error) {
	x, err := b.Expr(s, e.X)
	if err != nil {
		return nil, err
	}
	bounds := make([]*logical.Expr, 2)
	for i, at := range []parse.Expr{e.At, e.To} {
		if at == nil {
			continue
		}
		if bounds[i], err = b.Expr(s, at); err != nil {
			return nil, err
		}
	}
	number := func(n int64) *logical.Expr { return logical.Constant(value.Int(n), e.Pos, "") }
	if x.Type.Kind == value.Null {
		return logical.Constant(value.Value{}, e.Pos, e.String()), nil
	}
	if x.Type.Kind != value.Vector && x.Type.Kind != value.JSON {
		return nil, parse.Errorf(e.Pos, "%s is %v, which has no elements", x.Text, x.Type).WithHint("arrays, vectors and JSON have")
	}
	vector := x.Type.Kind == value.Vector
	if e.Slice {
		if bounds[0] == nil {
			bounds[0] = number(1)
		}
		switch {
		case vector && bounds[1] == nil:
			if bounds[1], err = b.apply("vector_dims", e.Pos, x); err != nil {
				return nil, err
			}
			fallthrough
		case vector:
			n, err := b.apply("-", e.Pos, bounds[1], bounds[0])
			if err == nil {
				n, err = b.apply("+", e.Pos, n, number(1))
			}
			if err != nil {
				return nil, err
			}
			return b.apply("subvector", e.Pos, x, bounds[0], n)
		case x.Array == nil:
			return nil, parse.Errorf(e.Pos, "JSON has no slices").WithHint("array_slice(%s, from, to), counted from 1", e.X)
		case bounds[1] == nil:
			bounds[1] = number(1 << 31)
		}
		out, err := b.apply("array_slice", e.Pos, x, bounds[0], bounds[1])
		if err != nil {
			return nil, err
		}
		return arrayOf(out, *x.Array), nil
	}
	at := bounds[0]
	switch {
	case vector:
		one, err := b.apply("subvector", e.Pos, x, at, number(1))
		if err != nil {
			return nil, err
		}
		return b.apply("inner_product", e.Pos, one, logical.Constant(value.Vec([]float32{1}), e.Pos, "[1]"))
	case x.Array == nil:
		return b.apply("->", e.Pos, x, at)
	case at.Type.Kind != value.Integer && at.Type.Kind != value.Null:
		return nil, parse.Errorf(e.Pos, "the elements of an array have numbers, from 1, and not %s", strings.ToLower(at.Type.String()))
	}
	// From 1; there is none before.
	if at, err = b.apply("greatest", e.Pos, at, number(0)); err == nil {
		if at, err = b.apply("nullif", e.Pos, at, number(0)); err == nil {
			at, err = b.apply("-", e.Pos, at, number(1))
		}
	}
	if err != nil {
		return nil, err
	}
	switch t := *x.Array; {
	case t.Dim > 0 && t.Kind != value.Vector: // an array within one
		out, err := b.apply("->", e.Pos, x, at)
		if err != nil {
			return nil, err
		}
		t.Dim--
		return arrayOf(out, t), nil
	case t.Kind == value.Null, t.Kind == value.JSON:
		out, err := b.apply("->", e.Pos, x, at)
		if err == nil && t.Kind == value.Null { // perhaps an array within one
			out = arrayOf(out, t)
		}
		return out, err
	default:
		out, err := b.apply("->>", e.Pos, x, at)
		if err == nil && t.Kind != value.Text {
			out, err = b.castTo(out, t, fn.Explicit)
		}
		return out, err
	}
}
