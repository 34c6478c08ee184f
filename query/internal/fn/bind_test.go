package fn

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// bind turns a parsed expression over the given columns into an Expr: the least
// that the tests need of what the planner does.
func bind(e parse.Expr, cols map[string]Expr) (Expr, error) {
	all := func(list ...parse.Expr) ([]Expr, error) {
		out := make([]Expr, len(list))
		for i, x := range list {
			var err error
			if out[i], err = bind(x, cols); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	apply := func(name string, list ...parse.Expr) (Expr, error) {
		args, err := all(list...)
		if err != nil {
			return nil, err
		}
		return ApplyName(name, args...)
	}
	negate := func(not bool, x Expr, err error) (Expr, error) {
		if err != nil || !not {
			return x, err
		}
		return ApplyName("not", x)
	}
	switch e := e.(type) {
	case *parse.Literal:
		return Const(e.Value), nil
	case *parse.ColumnRef:
		if x, ok := cols[e.Name.Name]; ok {
			return x.Clone(), nil
		}
		return nil, fmt.Errorf("no column %q", e.Name.Name)
	case *parse.Unary:
		switch e.Op {
		case parse.OpNot:
			return apply("not", e.X)
		case parse.OpNeg:
			return apply("neg", e.X)
		}
		return bind(e.X, cols)
	case *parse.Binary:
		if e.Op == parse.OpAnd || e.Op == parse.OpOr {
			args, err := all(e.X, e.Y)
			if err != nil {
				return nil, err
			}
			if e.Op == parse.OpAnd {
				return And(args[0], args[1])
			}
			return Or(args[0], args[1])
		}
		return apply(string(e.Op), e.X, e.Y)
	case *parse.Like:
		name := "like"
		if e.Fold {
			name = "ilike"
		}
		args := []parse.Expr{e.X, e.Pattern}
		if e.Escape != nil {
			args = append(args, e.Escape)
		}
		x, err := apply(name, args...)
		return negate(e.Not, x, err)
	case *parse.Between:
		lo, err := apply(">=", e.X, e.Low)
		if err != nil {
			return nil, err
		}
		hi, err := apply("<=", e.X, e.High)
		if err != nil {
			return nil, err
		}
		x, err := And(lo, hi)
		return negate(e.Not, x, err)
	case *parse.IsNull:
		x, err := apply("is null", e.X)
		return negate(e.Not, x, err)
	case *parse.IsBool:
		name := "is false"
		if e.Value {
			name = "is true"
		}
		x, err := apply(name, e.X)
		return negate(e.Not, x, err)
	case *parse.InList:
		args, err := all(append([]parse.Expr{e.X}, e.List...)...)
		if err != nil {
			return nil, err
		}
		types := make([]ArgType, len(args))
		for i, a := range args {
			types[i] = TypeOf(a)
		}
		t, err := Common("IN", types)
		if err != nil {
			return nil, err
		}
		set := NewSet(t)
		for i, a := range args {
			if args[i], err = CastTo(a, t, Implicit, nil); err != nil {
				return nil, err
			}
			if i > 0 {
				v, ok := ConstValue(args[i])
				if !ok {
					return nil, fmt.Errorf("IN of constants only, here")
				}
				if err := set.Add(ConstArg(v, t), 1, nil); err != nil {
					return nil, err
				}
			}
		}
		return In(args[0], set, e.Not), nil
	case *parse.Case:
		var whens []When
		for _, w := range e.Whens {
			cond, err := bind(w.Cond, cols)
			if e.Operand != nil {
				cond, err = apply("=", e.Operand, w.Cond)
			}
			if err != nil {
				return nil, err
			}
			then, err := bind(w.Then, cols)
			if err != nil {
				return nil, err
			}
			whens = append(whens, When{cond, then})
		}
		var els Expr
		if e.Else != nil {
			var err error
			if els, err = bind(e.Else, cols); err != nil {
				return nil, err
			}
		}
		return Case(whens, els)
	case *parse.Cast:
		x, err := bind(e.X, cols)
		if err != nil {
			return nil, err
		}
		return CastTo(x, value.Type{Kind: e.Type.Kind, Dim: e.Type.Dim}, Explicit, nil)
	case *parse.Array:
		for _, x := range e.List {
			if _, within := x.(*parse.Array); within {
				return apply("array of arrays", e.List...)
			}
		}
		return apply("json_build_array", e.List...)
	case *parse.Call:
		if strings.EqualFold(e.Func.Name, "coalesce") {
			args, err := all(e.Args...)
			if err != nil {
				return nil, err
			}
			return Coalesce(args)
		}
		return apply(e.Func.Name, e.Args...)
	}
	return nil, fmt.Errorf("%T is not for these tests", e)
}

func parseExpr(src string) (parse.Expr, error) {
	st, err := parse.Parse("SELECT " + src)
	if err != nil {
		return nil, err
	}
	return st.(*parse.Select).Body.(*parse.Core).Items[0].Expr, nil
}

var testCtx = &Ctx{Context: nil, Now: time.Date(2024, 5, 31, 12, 30, 0, 0, time.UTC)}

// eval evaluates an expression without columns.
func eval(src string) (value.Value, error) {
	p, err := parseExpr(src)
	if err != nil {
		return value.Value{}, err
	}
	e, err := bind(p, nil)
	if err != nil {
		return value.Value{}, err
	}
	a, err := e.Eval(testCtx, &value.Batch{Len: 1}, nil)
	if err != nil {
		return value.Value{}, err
	}
	return a.At(0), nil
}

// Every example in the table gives what it says.
func TestExamples(t *testing.T) {
	for _, f := range All() {
		if f.Doc == "" || f.Syntax == "" || f.Example == "" && f.Category != Aggregate && f.Category != Window {
			t.Errorf("%s lacks documentation", f.Name)
			continue
		}
		if f.Category == Aggregate || f.Category == Window {
			continue
		}
		v, err := eval(f.Example)
		if err != nil {
			t.Errorf("%s: %v", f.Example, err)
		} else if v.String() != f.Gives {
			t.Errorf("%s gives %v, not %s", f.Example, v, f.Gives)
		}
	}
}
