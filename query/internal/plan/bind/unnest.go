package bind

import (
	"fmt"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// unnest gives the elements of an array. They are JSON, unless the array is written in the
// statement: then they have the type they have in common.
var unnest = &rowFuncOf{
	syntax: "(array)", args: [2]int{1, 1}, one: true, scalar: true,
	types: func(args []*logical.Expr) ([]value.Type, []logical.Column, error) {
		in, out := args[0].Type, jsonType
		switch in.Kind {
		case value.JSON, value.Text, value.Null:
		case value.Vector:
			out = logical.RealType
		default:
			return nil, nil, fmt.Errorf("unnest takes an array, ARRAY[1, 2], not %v", in)
		}
		if of := args[0].Array; of != nil && of.Kind != value.Null {
			out = *of
		} else if logical.IsConst(args[0]) && in.Kind != value.Vector {
			if elements, ok := fn.Elements(args[0].Value); ok {
				var types []fn.ArgType
				for _, e := range elements {
					types = append(types, fn.ArgType{Type: e.Type()})
				}
				if t, err := fn.Common("unnest", types); err == nil && t.Kind != value.Null {
					out = t
				}
			}
		}
		return []value.Type{in}, []logical.Column{{Name: "unnest", Type: out}}, nil
	},
	typed: func(outs []logical.Column) func([]value.Value, func(...value.Value) error) error {
		to := outs[0].Type.Kind
		return func(args []value.Value, emit func(...value.Value) error) error {
			if args[0].IsNull() {
				return nil
			}
			elements, ok := fn.Elements(args[0])
			if !ok {
				return fmt.Errorf("unnest takes an array, not %s", value.Quote(args[0].String()))
			}
			for _, e := range elements {
				if !e.IsNull() && e.Kind() != to {
					if e = fn.ElementAs(e, to); e.IsNull() {
						return fmt.Errorf("unnest: an element is %s, which is not of type %v", value.Quote(e.String()), to)
					}
				}
				if err := emit(e); err != nil {
					return err
				}
			}
			return nil
		}
	},
}
