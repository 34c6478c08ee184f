package fn

import (
	"fmt"

	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/storage/value"
)

// WindowKind is a function that is computed over the rows of a window.
type WindowKind uint8

// The window functions. WindowAggregate is any aggregate.
const (
	WindowAggregate WindowKind = iota
	RowNumber
	Rank
	DenseRank
	PercentRank
	CumeDist
	Ntile
	Lag
	Lead
	FirstValue
	LastValue
	NthValue
)

// Framed reports whether the frame of a window matters to the function.
func (k WindowKind) Framed() bool {
	return k == WindowAggregate || k == FirstValue || k == LastValue || k == NthValue
}

// WindowCall is a window function resolved for its arguments.
type WindowCall struct {
	Func   *Func
	Kind   WindowKind
	Params []value.Type // what each argument has to be cast to
	Result value.Type
}

// IsWindow reports whether name, in any case, is a window function's and no aggregate's.
func IsWindow(name string) bool {
	f, ok := Lookup(name)
	return ok && f.Category == Window
}

// ResolveWindow finds the window function name, which is no aggregate, for its arguments.
func ResolveWindow(name string, args []ArgType) (*WindowCall, error) {
	f, ok := Lookup(name)
	if !ok || f.Category != Window {
		return nil, fmt.Errorf("no window function %q%s", name, hint.DidYouMean(name, Names()))
	}
	c := &WindowCall{Func: f, Kind: f.window}
	least, most := 0, 0
	intType := value.Type{Kind: value.Integer}
	c.Result = intType
	switch c.Kind {
	case PercentRank, CumeDist:
		c.Result = value.Type{Kind: value.Real}
	case Ntile:
		least, most = 1, 1
		c.Params = []value.Type{intType}
	case Lag, Lead:
		least, most = 1, 3
	case FirstValue, LastValue:
		least, most = 1, 1
	case NthValue:
		least, most = 2, 2
	}
	if len(args) < least || len(args) > most {
		return nil, fmt.Errorf("%s got %d arguments; it is %s", f.Name, len(args), f.Syntax)
	}
	switch c.Kind {
	case Lag, Lead, FirstValue, LastValue, NthValue:
		c.Result = args[0].Type
		if c.Result.Kind == value.Null {
			c.Result = value.Type{Kind: value.Text}
		}
		if len(args) == 3 {
			t, err := Common(f.Name, []ArgType{args[0], args[2]})
			if err != nil {
				return nil, err
			}
			if t.Kind != value.Null {
				c.Result = t
			}
		}
		c.Params = []value.Type{c.Result, intType, c.Result}[:len(args)]
	}
	for i, p := range c.Params {
		if p.Kind == value.Integer && i < len(args) {
			if a := args[i]; a.Type.Kind != value.Null && a.Type.Kind != value.Integer && !(a.Literal && a.Type.Kind == value.Text) {
				return nil, fmt.Errorf("%s takes a whole number, not %v; it is %s", f.Name, a.Type, f.Syntax)
			}
		}
	}
	return c, nil
}

// Remover is an Aggregator that can take rows out again, exactly. The rows have been added
// to the group, and the arguments are as they were then.
type Remover interface {
	Aggregator
	Remove(arg Arg, groups []int32, n int, sel []int32) error
}

// Remove implements Remover.
func (a *countAgg) Remove(arg Arg, groups []int32, n int, sel []int32) error {
	if a.star {
		each(n, sel, func(i int) {
			g := 0
			if groups != nil {
				g = int(groups[i])
			}
			a.counts[g]--
		})
		return nil
	}
	eachValue(arg, groups, n, sel, func(_, g int) { a.counts[g]-- })
	return nil
}

// sub takes out what add has added.
func (s *intSum) sub(x int64) {
	n := s.n
	if x == -1<<63 { // which has no negative
		s.add(1<<63 - 1)
		s.add(1)
	} else {
		s.add(-x)
	}
	s.n = n - 1
}

// Remove implements Remover.
func (a *sumIntAgg) Remove(arg Arg, groups []int32, n int, sel []int32) error {
	eachValue(arg, groups, n, sel, func(i, g int) { a.sums[g].sub(arg.Ints[i]) })
	return nil
}
