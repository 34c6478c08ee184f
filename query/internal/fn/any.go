package fn

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// Quantified returns x op ANY (array) or, with all, x op ALL (array), as a call of two
// arguments: what is compared, and an array as Elements takes it. op is a comparison,
// LIKE, ILIKE or a match of regular expressions, in lower case; with not, it is negated.
func Quantified(op string, not, all bool, x, array ArgType) (*Call, error) {
	word := "ANY"
	if all {
		word = "ALL"
	}
	f := &Func{Name: op + " " + strings.ToLower(word), Category: Operator, Syntax: "x " + op + " " + word + " (array)", nullable: true, partial: true}
	if not {
		f.Name = "not " + f.Name
	}
	switch array.Type.Kind {
	case value.JSON, value.Text, value.Vector, value.Null:
	default:
		return nil, fmt.Errorf("%s takes an array: ARRAY[1, 2], JSON, '{1,2}' or a parameter that holds a slice; not %v", word, array.Type)
	}
	c := &Call{Func: f, Params: []value.Type{x.Type, array.Type}, Result: value.Type{Kind: value.Boolean}}
	c.eval = func(ctx *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		var last value.Value
		var elements []value.Value
		read := false
		for _, i := range fullSel(n, sel) {
			a := args[1].At(int(i))
			if a.IsNull() {
				setNull(out, int(i), n)
				continue
			}
			if !read || a.Str() != last.Str() || a.Kind() == value.Vector {
				var ok bool
				if elements, ok = Elements(a); !ok {
					return fmt.Errorf("%s takes an array, not %s", word, value.Quote(a.String()))
				}
				last, read = a, true
			}
			v, err := quantify(ctx, op, not, all, args[0].At(int(i)), elements)
			if err != nil {
				return err
			}
			if out.Bools[i] = v.Bool(); v.IsNull() {
				setNull(out, int(i), n)
			}
		}
		return nil
	}
	return c, nil
}

// quantify compares one value with all elements.
func quantify(ctx *Ctx, op string, not, all bool, x value.Value, elements []value.Value) (value.Value, error) {
	unknown := false
	for _, e := range elements {
		if x.IsNull() || e.IsNull() {
			unknown = true
			continue
		}
		e, err := elementAs(e, x.Type())
		if err != nil {
			return e, err
		}
		call, err := Resolve(op, []ArgType{{Type: x.Type()}, {Type: e.Type()}})
		if err != nil {
			return e, err
		}
		sides := []Arg{ConstArg(x, x.Type()), ConstArg(e, e.Type())}
		for k, s := range sides {
			if s.Type.Kind == value.Integer && call.Params[k].Kind == value.Real {
				sides[k] = ConstArg(value.Float(float64(s.Ints[0])), value.Type{})
			}
		}
		var col value.Column
		if err := call.Eval(ctx, sides, 1, nil, &col); err != nil {
			return e, err
		}
		if v := col.Value(0); v.IsNull() {
			unknown = true
		} else if v.Bool() != not != all {
			return value.Bool(!all), nil
		}
	}
	if unknown {
		return value.Value{}, nil
	}
	return value.Bool(all), nil
}

// elementAs is an element of an array as the type it is compared with.
func elementAs(e value.Value, t value.Type) (value.Value, error) {
	switch {
	case e.Kind() == t.Kind, e.Kind() == value.Integer && t.Kind == value.Real, e.Kind() == value.Real && t.Kind == value.Integer:
		return e, nil
	case t.Kind == value.JSON:
		b, err := appendAsJSON(nil, e)
		return value.RawJSON(string(b)), err
	case e.Kind() == value.Text && t.Kind == value.Vector:
		v, err := value.ParseVector(nil, e.Str())
		return value.Vec(v), err
	case e.Kind() == value.Text:
		return value.Parse(t, e.Str())
	}
	return e, fmt.Errorf("%v and %v can't be compared", t, e.Type())
}
