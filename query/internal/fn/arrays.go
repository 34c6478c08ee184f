package fn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// Arrays of several dimensions are arrays of arrays, all of one length, as in PostgreSQL. JSON may
// be anything; what is an array and what is JSON, bind tells.

// nested returns the elements of an element that is itself an array.
func nested(e value.Value) ([]value.Value, bool) {
	if e.Kind() != value.JSON || !strings.HasPrefix(strings.TrimSpace(e.Str()), "[") {
		return nil, false
	}
	return Elements(e)
}

// flattened appends the elements of arrays within an array, at any depth.
func flattened(to, l []value.Value) []value.Value {
	for _, e := range l {
		if inner, ok := nested(e); ok {
			to = flattened(to, inner)
		} else {
			to = append(to, e)
		}
	}
	return to
}

// arrayDims are the lengths of an array and of those within; ok is false if those within differ in length.
func arrayDims(l []value.Value) (dims []int, ok bool) {
	var within []int
	arrays := 0
	for _, e := range l {
		inner, array := nested(e)
		if !array {
			continue
		}
		d, ok := arrayDims(inner)
		if !ok || arrays > 0 && fmt.Sprint(d) != fmt.Sprint(within) {
			return nil, false
		}
		within = d
		arrays++
	}
	if arrays > 0 && arrays < len(l) {
		return nil, false
	}
	return append([]int{len(l)}, within...), true
}

// ArrayDepth returns the number of dimensions of an array, at least 1.
func ArrayDepth(v value.Value) int {
	if l, ok := Elements(v); ok {
		if dims, ok := arrayDims(l); ok {
			return len(dims)
		}
	}
	return 1
}

// errRagged is the error of arrays within an array that differ in length.
var errRagged = errors.New("the arrays within an array have to be of one length (json_build_array takes any)")

// dimension is array_length(array, n).
func dimension(l, more []value.Value) (value.Value, error) {
	if len(l) == 0 || more[0].IsNull() || more[0].Int() < 1 {
		return value.Value{}, nil
	}
	dims, ok := arrayDims(l)
	if !ok { // JSON: only itself is an array
		dims = []int{len(l)}
	}
	if more[0].Int() > int64(len(dims)) {
		return value.Value{}, nil
	}
	return value.Int(int64(dims[more[0].Int()-1])), nil
}

// lowest is array_lower(array, n): 1, where there is a dimension n.
func lowest(l, more []value.Value) (value.Value, error) {
	n, err := dimension(l, more)
	if err != nil || n.IsNull() {
		return n, err
	}
	return value.Int(1), nil
}

// depth is array_ndims(array).
func depth(l, _ []value.Value) (value.Value, error) {
	if len(l) == 0 {
		return value.Value{}, nil
	}
	dims, ok := arrayDims(l)
	if !ok {
		return value.Int(1), nil
	}
	return value.Int(int64(len(dims))), nil
}

// bounds is array_dims(array): [1:2][1:3].
func bounds(l, _ []value.Value) (value.Value, error) {
	if len(l) == 0 {
		return value.Value{}, nil
	}
	dims, ok := arrayDims(l)
	if !ok {
		dims = []int{len(l)}
	}
	var b strings.Builder
	for _, d := range dims {
		fmt.Fprintf(&b, "[1:%d]", d)
	}
	return value.Str(b.String()), nil
}

// joinArrays is one array behind another; one that has a dimension less is an element of the other.
func joinArrays(l, r []value.Value) (value.Value, error) {
	all := slices.Concat(l, r)
	if len(l) > 0 && len(r) > 0 {
		left, ok1 := arrayDims(l)
		right, ok2 := arrayDims(r)
		element := func(l []value.Value) value.Value {
			v, _ := arrayOf(l)
			return v
		}
		switch {
		case !ok1 || !ok2: // JSON
		case len(left) == len(right)+1:
			all = append(slices.Clip(l), element(r))
		case len(right) == len(left)+1:
			all = append([]value.Value{element(l)}, r...)
		}
		if _, ok := arrayDims(all); !ok && ok1 && ok2 {
			return value.Value{}, errRagged
		}
	}
	return arrayOf(all)
}

// flatten is array_flatten(array).
func flatten(l, _ []value.Value) (value.Value, error) { return arrayOf(flattened(nil, l)) }

// buildMatrix makes an array of arrays.
func buildMatrix(args []value.Value) (string, error) {
	s, err := buildArray(args)
	if err != nil {
		return "", err
	}
	if _, ok := arrayDims(args); !ok {
		return "", errRagged
	}
	return s, nil
}

// readArray reads PostgreSQL's '{a,"b c",NULL}' and '{{1,2},{3,4}}'.
func readArray(s string) ([]value.Value, error) {
	r := arrayReader{rest: strings.TrimSpace(s)}
	l, ok := r.array(0)
	if !ok || strings.TrimSpace(r.rest) != "" {
		return nil, fmt.Errorf("%s is not an array; write '{a,b}' or ARRAY['a', 'b']", value.Quote(s))
	}
	if _, ok := arrayDims(l); !ok {
		return nil, errRagged
	}
	return l, nil
}

type arrayReader struct{ rest string }

// maxDims is how deep arrays can be within each other, as in PostgreSQL.
const maxDims = 6

func (r *arrayReader) take(c string) bool {
	r.rest = strings.TrimLeft(r.rest, " \t\n\r\f\v")
	if !strings.HasPrefix(r.rest, c) {
		return false
	}
	r.rest = r.rest[len(c):]
	return true
}

func (r *arrayReader) array(depth int) ([]value.Value, bool) {
	if depth == maxDims || !r.take("{") {
		return nil, false
	}
	l := []value.Value{}
	if r.take("}") {
		return l, true
	}
	for {
		e, ok := r.element(depth)
		if !ok {
			return nil, false
		}
		l = append(l, e)
		if r.take("}") {
			return l, true
		}
		if !r.take(",") {
			return nil, false
		}
	}
}

func (r *arrayReader) element(depth int) (value.Value, bool) {
	r.rest = strings.TrimLeft(r.rest, " \t\n\r\f\v")
	switch {
	case strings.HasPrefix(r.rest, "{"):
		l, ok := r.array(depth + 1)
		if !ok {
			return value.Value{}, false
		}
		v, err := arrayOf(l)
		return v, err == nil
	case strings.HasPrefix(r.rest, `"`):
		var e strings.Builder
		for k := 1; k < len(r.rest); k++ {
			switch c := r.rest[k]; {
			case c == '"':
				r.rest = r.rest[k+1:]
				return value.Str(e.String()), true
			case c == '\\' && k+1 < len(r.rest):
				k++
				e.WriteByte(r.rest[k])
			default:
				e.WriteByte(c)
			}
		}
		return value.Value{}, false
	}
	end := strings.IndexAny(r.rest, ",}")
	if end < 0 {
		return value.Value{}, false
	}
	word := strings.TrimSpace(r.rest[:end])
	r.rest = r.rest[end:]
	if word == "" || strings.ContainsAny(word, `{"\`) {
		return value.Value{}, false
	}
	if strings.EqualFold(word, "NULL") {
		return value.Value{}, true
	}
	return value.Str(word), true
}
