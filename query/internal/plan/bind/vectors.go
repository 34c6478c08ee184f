package bind

import (
	"cmp"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

func isOperator(name string) bool { return strings.HasPrefix(name, "<") }

// target is what a vector expression is to be comparable with.
type target struct {
	enc  *logical.Encoding // nil: texts and pictures can't be encoded
	dim  int               // 0: not known
	name string            // of the column, for errors
	call string            // of the function or operator, for errors

	document bool // texts are stored, not searched for
}

// targetOf returns the target that a bound vector is for what stands beside it.
func targetOf(e *logical.Expr, call string) target {
	return target{enc: e.Encoding, dim: e.Type.Dim, name: e.Text, call: call}
}

// needsTarget reports whether an expression is a vector only beside another
// one: it has a text, a picture or a sum of those in it.
func (b *Binder) needsTarget(e parse.Expr) bool {
	switch e := e.(type) {
	case *parse.Literal:
		return e.Value.Kind() == value.Text || e.Value.Kind() == value.Blob
	case *parse.Param:
		v, err := b.Param(e)
		return err == nil && (v.Kind() == value.Text || v.Kind() == value.Blob || v.IsNull())
	case *parse.Call:
		return strings.EqualFold(e.Func.Name, "image")
	case *parse.Unary:
		return e.Op == parse.OpNeg && b.needsTarget(e.X)
	case *parse.Binary:
		switch e.Op {
		case parse.OpAdd, parse.OpSub, parse.OpMul, parse.OpDiv:
			return b.needsTarget(e.X) || b.needsTarget(e.Y)
		}
	}
	return false
}

// simFunction binds c_sim(x): the similarity of column c with x.
func (b *Binder) simFunction(s *Scope, e *parse.Call) (*logical.Expr, error) {
	prefix := e.Func.Name[:len(e.Func.Name)-len("_sim")]
	found := s.find(e.Of, ident(prefix))
	var vectors []*logical.Column
	for _, c := range found {
		if c.Type.Kind == value.Vector {
			vectors = append(vectors, c)
		}
	}
	if len(vectors) == 0 {
		for _, c := range s.vectorColumns() {
			if c.Encoding != nil && (e.Of.Name == "" || e.Of.Means(c.Table)) && strings.EqualFold(encoder.ParseSpec(c.Encoding.Name).Name, prefix) {
				vectors = append(vectors, c)
			}
		}
	}
	switch {
	case len(vectors) > 1:
		return nil, parse.Errorf(e.Pos, "%s could mean %s.%s or %s.%s; write %s.%s(...)", e.Func.Name,
			vectors[0].Table, vectors[0].Name, vectors[1].Table, vectors[1].Name, vectors[0].Table, e.Func.Name)
	case len(vectors) == 0 && len(found) > 0:
		return nil, parse.Errorf(e.Pos, "%s: %s is %v, not a vector", e.Func.Name, prefix, found[0].Type)
	case len(vectors) == 0:
		var names []string
		for _, c := range s.vectorColumns() {
			names = append(names, c.Name+"_sim")
		}
		err := parse.Errorf(e.Pos, "no vector column %q for %s", prefix, e.Func.Name)
		if h := hint.Question(e.Func.Name, names); h != "" {
			return nil, err.WithHint("%s", h)
		}
		if len(names) == 1 {
			return nil, err.WithHint("there is %s", names[0])
		}
		if len(names) == 0 {
			return nil, err.WithHint("no vector column is in scope")
		}
		return nil, err.WithHint("there are %s", strings.Join(names, ", "))
	}
	if len(e.Args) != 1 {
		return nil, parse.Errorf(e.Pos, "%s takes one argument, what to compare %s with; got %d", e.Func.Name, vectors[0].Name, len(e.Args))
	}
	c := logical.ColumnExpr(vectors[0], e.Pos)
	x, err := b.vector(s, e.Args[0], target{enc: c.Encoding, dim: c.Type.Dim, name: c.Text, call: e.Func.Name})
	if err != nil {
		return nil, err
	}
	m, _ := fn.MeasureOf("similarity")
	return b.score(m, c, x, e.Pos)
}

// bindMeasure binds a distance or similarity between two vectors.
func (b *Binder) bindMeasure(s *Scope, m fn.Measure, l, r parse.Expr, pos parse.Pos) (*logical.Expr, error) {
	lo, ro := b.needsTarget(l), b.needsTarget(r)
	var x, y *logical.Expr
	var err error
	switch {
	case lo && !ro:
		if y, err = b.vector(s, r, target{call: m.Name}); err != nil {
			return nil, err
		}
		x, err = b.vector(s, l, targetOf(y, m.Name))
	default:
		if x, err = b.vector(s, l, target{call: m.Name}); err != nil {
			return nil, err
		}
		y, err = b.vector(s, r, targetOf(x, m.Name))
	}
	if err != nil {
		return nil, err
	}
	return b.score(m, x, y, pos)
}

// score makes the measure between two vectors; the constant one comes second.
func (b *Binder) score(m fn.Measure, x, y *logical.Expr, pos parse.Pos) (*logical.Expr, error) {
	if dx, dy := x.Type.Dim, y.Type.Dim; dx > 0 && dy > 0 && dx != dy {
		return nil, parse.Errorf(pos, "%s: vector has %s, %s has %d", m.Name, value.Dimensions(dy), x.Text, dx).Because(&storage.DimensionError{Column: x.Text, Got: dy, Want: dx})
	}
	if !x.Varies() && y.Varies() {
		x, y = y, x
	}
	return &logical.Expr{Op: logical.OpScore, Type: logical.RealType, Pos: pos, Args: []*logical.Expr{x, y}, Measure: m}, nil
}

// vector binds a vector expression: a text or picture (encoded for the target),
// a vector, or a sum of those.
func (b *Binder) vector(s *Scope, e parse.Expr, t target) (*logical.Expr, error) {
	var terms sum
	if err := b.addTerms(s, e, 1, t, &terms); err != nil {
		return nil, err
	}
	var out *logical.Expr
	if len(terms.args) == 1 && terms.weights[0] == 1 && !terms.arithmetic {
		out = terms.args[0]
	} else {
		// Every encoded operand is of unit length before the arithmetic, and so
		// is the outcome. Texts and pictures come so from the encoder.
		for i, a := range terms.args {
			if a.Encoding != nil && !a.Encodes() {
				terms.args[i] = b.later(logical.SlotCostly, &logical.Expr{Op: logical.OpSum, Type: a.Type, Pos: a.Pos, Args: []*logical.Expr{a}, Weights: []float32{1}, Unit: true, Encoding: a.Encoding, Text: a.Text})
			}
		}
		dim := t.dim
		unit := false
		var enc *logical.Encoding
		for _, a := range terms.args {
			if a.Type.Dim > 0 {
				if dim > 0 && a.Type.Dim != dim {
					return nil, parse.Errorf(a.Pos, "%s: vector has %s, %s has %d", t.call, value.Dimensions(a.Type.Dim), cmp.Or(t.name, "the other"), dim).Because(&storage.DimensionError{Column: t.name, Got: a.Type.Dim, Want: dim})
				}
				dim = a.Type.Dim
			}
			if a.Encoding != nil {
				unit, enc = true, a.Encoding
			}
		}
		out = b.later(logical.SlotCostly, &logical.Expr{Op: logical.OpSum, Type: value.Type{Kind: value.Vector, Dim: dim}, Pos: parse.Start(e), Args: terms.args, Weights: terms.weights, Unit: unit, Encoding: enc})
	}
	if out.Type.Dim > 0 && t.dim > 0 && out.Type.Dim != t.dim {
		return nil, parse.Errorf(parse.Start(e), "%s: vector has %s, %s has %d", t.call, value.Dimensions(out.Type.Dim), cmp.Or(t.name, "the other"), t.dim).Because(&storage.DimensionError{Column: t.name, Got: out.Type.Dim, Want: t.dim})
	}
	if out.Op != logical.OpColumn && out.Text != b.texts.Of(e) {
		c := *out
		out = &c
		out.Text = b.texts.Of(e)
	}
	return out, nil
}

// sum collects the operands of a vector expression with their weights.
type sum struct {
	args       []*logical.Expr
	weights    []float32
	arithmetic bool
}

func (b *Binder) addTerms(s *Scope, e parse.Expr, weight float32, t target, out *sum) error {
	switch x := e.(type) {
	case *parse.Unary:
		if x.Op == parse.OpNeg {
			out.arithmetic = true
			return b.addTerms(s, x.X, -weight, t, out)
		}
	case *parse.Binary:
		switch x.Op {
		case parse.OpAdd, parse.OpSub:
			out.arithmetic = true
			if err := b.addTerms(s, x.X, weight, t, out); err != nil {
				return err
			}
			if x.Op == parse.OpSub {
				weight = -weight
			}
			return b.addTerms(s, x.Y, weight, t, out)
		case parse.OpMul, parse.OpDiv:
			if w, ok, err := b.weight(s, x.Y); err != nil {
				return err
			} else if ok {
				out.arithmetic = true
				if x.Op == parse.OpDiv {
					if w == 0 {
						return parse.Errorf(x.Pos, "division by zero")
					}
					w = 1 / w
				}
				return b.addTerms(s, x.X, float32(weight*float32(w)), t, out)
			}
			if w, ok, err := b.weight(s, x.X); err != nil {
				return err
			} else if ok && x.Op == parse.OpMul {
				out.arithmetic = true
				return b.addTerms(s, x.Y, float32(weight*float32(w)), t, out)
			}
			return parse.Errorf(x.Pos, "a vector can be multiplied with, or divided by, a constant number only")
		}
	}
	a, err := b.operand(s, e, t)
	if err != nil {
		return err
	}
	out.args = append(out.args, a)
	out.weights = append(out.weights, weight)
	return nil
}

// weight returns the number e is, if it is a constant one.
func (b *Binder) weight(s *Scope, e parse.Expr) (w float64, ok bool, err error) {
	switch x := e.(type) {
	case *parse.Literal:
		return number(x.Value)
	case *parse.Param:
		v, err := b.Param(x)
		if err != nil {
			return 0, false, err
		}
		w, ok, err := number(v)
		if ok {
			b.look(x)
		}
		return w, ok, err
	case *parse.Call:
		if _, isFn := fn.MeasureOf(strings.ToLower(x.Func.Name)); isFn || strings.EqualFold(x.Func.Name, "image") {
			return 0, false, nil
		}
	case *parse.Unary:
		w, ok, err := b.weight(s, x.X)
		if x.Op == parse.OpNeg {
			w = -w
		}
		return w, ok && x.Op != parse.OpNot, err
	case *parse.Binary:
		l, ok1, err1 := b.weight(s, x.X)
		r, ok2, err2 := b.weight(s, x.Y)
		if !ok1 || !ok2 || err1 != nil || err2 != nil {
			return 0, false, nil
		}
		switch x.Op {
		case parse.OpAdd:
			return l + r, true, nil
		case parse.OpSub:
			return l - r, true, nil
		case parse.OpMul:
			return float64(l * r), true, nil
		case parse.OpDiv:
			if r != 0 {
				return l / r, true, nil
			}
		}
	}
	return 0, false, nil
}

func number(v value.Value) (float64, bool, error) {
	switch v.Kind() {
	case value.Integer:
		return float64(v.Int()), true, nil
	case value.Real:
		return v.Float(), true, nil
	}
	return 0, false, nil
}

// operand binds one operand of a vector expression.
func (b *Binder) operand(s *Scope, e parse.Expr, t target) (*logical.Expr, error) {
	if c, ok := e.(*parse.Call); ok && strings.EqualFold(c.Func.Name, "image") {
		if len(c.Args) != 1 {
			return nil, parse.Errorf(c.Pos, "image takes one argument, the path of a picture or its bytes; got %d", len(c.Args))
		}
		x, err := b.Expr(s, c.Args[0])
		if err != nil {
			return nil, err
		}
		switch x.Type.Kind {
		case value.Text, value.Blob, value.Null:
		default:
			return nil, parse.Errorf(x.Pos, "image takes the path of a picture or its bytes, not %v", x.Type)
		}
		return b.encoded(logical.OpImage, x, t, c.Pos, e.String())
	}
	x, err := b.Expr(s, e)
	if err != nil {
		return nil, err
	}
	return b.asVector(x, t)
}

// asVector makes a vector of a bound expression: a text is encoded, and so are
// the bytes of a picture.
func (b *Binder) asVector(x *logical.Expr, t target) (*logical.Expr, error) {
	switch x.Type.Kind {
	case value.Vector:
		return b.checked(x)
	case value.Text:
		// Where no text can be meant, '[1, 2]' is a vector, as in pgvector.
		if t.enc == nil {
			c, ok, err := b.constOf(x)
			if err != nil {
				return nil, err
			}
			if ok && looksLikeVector(c.Value.Str()) {
				return b.castConst(c, value.Type{Kind: value.Vector, Dim: t.dim}, fn.Explicit)
			}
		}
		return b.encoded(logical.OpText, x, t, x.Pos, x.Text)
	case value.Blob:
		return b.encoded(logical.OpImage, x, t, x.Pos, x.Text)
	case value.Null:
		c := *x
		c.Type = value.Type{Kind: value.Vector, Dim: t.dim}
		return &c, nil
	}
	return nil, parse.Errorf(x.Pos, "%s needs a text, image('path') or a vector; %s is %v", cmp.Or(t.call, "this"), x.Text, x.Type)
}

// encoded makes the vector of a text or picture.
func (b *Binder) encoded(kind logical.Op, x *logical.Expr, t target, pos parse.Pos, text string) (*logical.Expr, error) {
	what := "a text"
	if kind == logical.OpImage {
		what = "a picture"
	}
	if t.enc == nil {
		if t.name == "" {
			return nil, parse.Errorf(pos, "%s can't become a vector here: no column with an encoder is beside it", what)
		}
		return nil, parse.Errorf(pos, "%s has no encoder, so %s can't be compared with it; give a vector, or bind one: CREATE TABLE ... (%s VECTOR ENCODER 'name')", t.name, what, t.name)
	}
	if err := b.open(t.enc, pos); err != nil {
		return nil, err
	}
	when := logical.SlotText
	if kind == logical.OpImage {
		when = logical.SlotCostly
	}
	return b.later(when, &logical.Expr{Op: kind, Type: value.Type{Kind: value.Vector, Dim: t.enc.Dim}, Pos: pos, Args: []*logical.Expr{x}, Encoding: t.enc, Document: t.document && kind == logical.OpText, Text: text}), nil
}

// rankOf tells how ORDER BY takes an expression without a direction.
func (b *Binder) rankOf(e *logical.Expr) logical.Rank {
	switch e.Op {
	case logical.OpColumn:
		return e.Column.Rank
	case logical.OpScore:
		if e.Measure.Metric == vector.Cosine && !e.Measure.FromOne {
			return logical.BestFirst
		}
		return logical.Ascending
	case logical.OpWords:
		if e.Words.Func == "bm25" {
			return logical.BestFirst
		}
		return logical.Ascending
	case logical.OpOver:
		if e.Over.Func != "normalize" {
			return logical.BestFirst
		}
		return b.rankOf(e.Args[0])
	case logical.OpWindow:
		return b.windowRank(e.Window)
	case logical.OpSlot:
		if e.Slot.What == logical.SlotOuter {
			return e.Slot.Column.Rank
		}
		return logical.Ascending
	case logical.OpSubquery, logical.OpExists, logical.OpConst:
		return logical.Ascending
	case logical.OpCall:
		switch e.Call.Func.Name {
		case "best_score", "relevance_at":
			return logical.BestFirst
		case "+":
			if b.rankOf(e.Args[0]) == logical.BestFirst && b.rankOf(e.Args[1]) == logical.BestFirst {
				return logical.BestFirst
			}
		case "*":
			if b.rankOf(e.Args[1]) == logical.BestFirst && b.positive(e.Args[0]) || b.rankOf(e.Args[0]) == logical.BestFirst && b.positive(e.Args[1]) {
				return logical.BestFirst
			}
		case "/":
			if b.rankOf(e.Args[0]) == logical.BestFirst && b.positive(e.Args[1]) {
				return logical.BestFirst
			}
		}
	}
	out := logical.Ascending
	e.Children(func(c *logical.Expr) {
		if b.rankOf(c) != logical.Ascending {
			out = logical.Mixed
		}
	})
	return out
}

// positive reports whether e is a constant above zero.
func (b *Binder) positive(e *logical.Expr) bool {
	c, ok, err := b.constOf(e)
	if err != nil || !ok {
		return false
	}
	w, ok, _ := number(c.Value)
	return ok && w > 0
}
