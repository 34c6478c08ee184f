package optimize

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// carryConditions lets what is said of a column be said of the columns that it equals, too:
// of a.id = b.id AND a.id = 7 it finds b.id = 7. What a LEFT JOIN compares its right side with
// goes to the right side only.
func carryConditions(f *Facts, n logical.Node) (logical.Node, error) {
	if j, ok := n.(*logical.Join); ok {
		c := &carrying{said: map[*logical.Column][]*logical.Expr{}}
		c.collect(j)
		if len(c.pairs) > 0 {
			c.carry(j)
		}
		for _, in := range c.inputs {
			if _, err := carryConditions(f, in); err != nil {
				return nil, err
			}
		}
		return n, nil
	}
	for _, in := range n.Inputs() {
		if _, err := carryConditions(f, *in); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// carrying is a tree of joins.
type carrying struct {
	pairs  []equalColumns
	said   map[*logical.Column][]*logical.Expr
	inputs []logical.Node // of the tree
}

// equalColumns are equal in every row, or, with an outer join, in the rows of that which have a
// partner: to is a column of its right side.
type equalColumns struct {
	from, to *logical.Column
	outer    *logical.Join
}

func (c *carrying) collect(n logical.Node) {
	switch n := n.(type) {
	case *logical.Join:
		for _, e := range n.On {
			x, y, ok := columnsEqual(e)
			if !ok {
				continue
			}
			left := func(c *logical.Column) bool { return logical.Gives(n.Left, c) }
			switch {
			case n.Kind != parse.LeftJoin:
				c.pairs = append(c.pairs, equalColumns{from: x, to: y}, equalColumns{from: y, to: x})
			case left(x) && !left(y):
				c.pairs = append(c.pairs, equalColumns{x, y, n})
			case left(y) && !left(x):
				c.pairs = append(c.pairs, equalColumns{y, x, n})
			}
		}
		c.collect(n.Left)
		if n.Kind == parse.LeftJoin {
			c.inputs = append(c.inputs, n.Right)
			return
		}
		c.collect(n.Right)
	case *logical.Filter:
		c.note(n.Conds)
		c.collect(n.In)
	case *logical.Scan:
		c.note(n.Filters)
	default:
		c.inputs = append(c.inputs, n)
	}
}

func (c *carrying) note(conds []*logical.Expr) {
	for _, e := range conds {
		cols := logical.ColumnsOf(e)
		if len(cols) != 1 {
			continue
		}
		for col := range cols {
			if r, ok := restrictionOf(e, col); ok && sure(r) {
				c.said[col] = append(c.said[col], e)
			}
		}
	}
}

// sure reports whether what a restriction compares with can't fail where it is carried to.
func sure(r restriction) bool {
	xs := r.keys
	if r.keys == nil {
		xs = []*logical.Expr{r.bound.X}
	}
	return !slices.ContainsFunc(xs, func(x *logical.Expr) bool {
		if logical.IsConst(x) {
			return false
		}
		switch x.Slot.What {
		case logical.SlotArg, logical.SlotOuter, logical.SlotCast:
			return false
		}
		return true
	})
}

// columnsEqual returns the columns that an expression says to be equal, which have one type.
func columnsEqual(e *logical.Expr) (x, y *logical.Column, ok bool) {
	if e.Op != logical.OpCall || e.Call.Func.Name != "=" || e.Args[0].Op != logical.OpColumn || e.Args[1].Op != logical.OpColumn {
		return nil, nil, false
	}
	x, y = e.Args[0].Column, e.Args[1].Column
	if x.Type.Kind != y.Type.Kind || e.Call.Params[0].Kind != x.Type.Kind || x == y {
		return nil, nil, false
	}
	switch x.Type.Kind {
	case value.Integer, value.Text, value.Timestamp, value.Date, value.Boolean, value.Real, value.Numeric, value.Blob:
		return x, y, true
	}
	return nil, nil, false
}

func (c *carrying) carry(n *logical.Join) {
	for again := true; again; {
		again = false
		for _, p := range c.pairs {
			for _, e := range c.said[p.from] {
				e = sameOf(e, p.from, p.to)
				key := e.Key()
				if slices.ContainsFunc(c.said[p.to], func(x *logical.Expr) bool { return x.Key() == key }) {
					continue
				}
				c.said[p.to] = append(c.said[p.to], e)
				again = true
				if p.outer != nil {
					pushInto(&p.outer.Right, e)
				} else {
					push(n, e)
				}
			}
		}
	}
}

// sameOf is a condition on one column, on another one.
func sameOf(e *logical.Expr, from, to *logical.Column) *logical.Expr {
	was := ""
	e.Walk(func(x *logical.Expr) bool {
		if x.Op == logical.OpColumn && x.Column == from {
			was = x.Text
		}
		return true
	})
	out := *logical.Substitute(e, map[*logical.Column]*logical.Expr{from: logical.ColumnExpr(to, parse.Pos{})})
	out.Text = strings.Replace(e.Text, was, fullName(to), 1)
	return &out
}

// fullName is a column's name with that of its table.
func fullName(c *logical.Column) string {
	if c.Table == "" {
		return c.Name
	}
	return c.Table + "." + c.Name
}
