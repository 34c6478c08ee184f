package fn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/storage/value"
)

// keysKernel is ?| and, with all, ?&: whether one of the names, or all, are members or elements.
func keysKernel(all bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		var doc jsonDoc
		for _, i := range fullSel(n, sel) {
			v, err := doc.of(args[0], int(i))
			if err != nil {
				return err
			}
			keys, err := keysOf(args[1].At(int(i)))
			if err != nil {
				return err
			}
			out.Bools[i] = all
			for _, k := range keys {
				if hasKey(v, k) != all {
					out.Bools[i] = !all
					break
				}
			}
		}
		return nil
	}
}

// keysOf are the names in an array of texts; NULLs are none.
func keysOf(v value.Value) (keys []string, err error) {
	elements, ok := Elements(v)
	if !ok {
		return nil, fmt.Errorf("an array of names is expected, ARRAY['a', 'b'] or '{a,b}', not %s", value.Quote(v.String()))
	}
	for _, e := range elements {
		if !e.IsNull() {
			keys = append(keys, e.String())
		}
	}
	return keys, nil
}

// withoutKernel is json - what: a name, a place or an array of names.
func withoutKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		text := args[0].Strs[int(i)*args[0].step()]
		doc, err := decodeJSON(text)
		if err != nil {
			return notJSON(text)
		}
		object, isObject := doc.(map[string]any)
		list, isList := doc.([]any)
		if !isObject && !isList {
			return errors.New("nothing can be taken from a single JSON value")
		}
		what := args[1].At(int(i))
		if what.Kind() == value.Integer {
			if isObject {
				return errors.New("the members of a JSON object have names, not numbers")
			}
			at := what.Int()
			if at < 0 {
				at += int64(len(list))
			}
			if at >= 0 && at < int64(len(list)) {
				list = slices.Delete(list, int(at), int(at)+1)
			}
			out.Strs[i] = string(appendJSONB(nil, list))
			continue
		}
		keys := []string{what.String()}
		if what.Kind() == value.JSON {
			if keys, err = keysOf(what); err != nil {
				return err
			}
		}
		if isObject {
			for _, k := range keys {
				delete(object, k)
			}
			out.Strs[i] = string(appendJSONB(nil, object))
			continue
		}
		list = slices.DeleteFunc(list, func(x any) bool {
			s, ok := x.(string)
			return ok && slices.Contains(keys, s)
		})
		if list == nil {
			list = []any{}
		}
		out.Strs[i] = string(appendJSONB(nil, list))
	}
	return nil
}

// cutKernel is json #- path: without what is at a path.
func cutKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		text := args[0].Strs[int(i)*args[0].step()]
		path, err := jsonPath(args[1].Strs[int(i)*args[1].step()])
		if err != nil {
			return err
		}
		doc, err := decodeJSON(text)
		if err != nil {
			return notJSON(text)
		}
		switch doc.(type) {
		case map[string]any, []any:
		default:
			return errors.New("#-: there is no path in a single JSON value")
		}
		if doc, err = cutAt.at(doc, path); err != nil {
			return err
		}
		out.Strs[i] = string(appendJSONB(nil, doc))
	}
	return nil
}

var cutAt = pathChange{name: "#-",
	member: func(m map[string]any, key string) error {
		delete(m, key)
		return nil
	},
	element: func(list []any, at int) []any {
		if at < 0 || at >= len(list) {
			return list
		}
		return slices.Delete(list, at, at+1)
	},
}
