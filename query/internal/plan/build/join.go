package build

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

func (b *Builder) join(n *logical.Join, want []*logical.Expr) (rel, error) {
	if n.Pairs != nil {
		return b.pairs(n, want)
	}
	conds := concat(n.On, n.Rest)
	all := concat(want, conds)
	part := func(in logical.Node, keys []*logical.Expr) (rel, []*logical.Column, error) {
		cols := in.Columns()
		need := scoresThere(in, all)
		lay := compile.NewLayout(nil)
		for _, x := range need {
			lay.Computed[x.Key()] = &logical.Column{}
		}
		rest := make([]*logical.Expr, len(all))
		for i, e := range all {
			rest[i] = lay.Reduce(e)
		}
		used, values := logical.ColumnsOf(rest...), valuesOf(rest...)
		for _, c := range cols { // in their order: plans are the same each time
			if !used[c] {
				continue
			}
			e := logical.ColumnExpr(c, parse.Pos{})
			if !values[c] {
				var err error
				if e, err = logical.CallRows("is null", e.Pos, e); err != nil {
					return rel{}, nil, err
				}
			}
			need = append(need, e)
			delete(used, c)
		}
		r, err := b.build(in, concat(need, keys))
		if err != nil {
			return r, nil, err
		}
		return r, cols, nil
	}
	l, _, err := part(n.Left, n.LeftKeys)
	if err != nil {
		return l, err
	}
	bottom, alone := b.leaf, b.alone
	b.alone = false // it is read once
	r, _, err := part(n.Right, n.RightKeys)
	b.alone = alone
	if err != nil {
		return r, err
	}
	leaf := b.leaf
	b.leaf = bottom
	if b.Analyze && b.Rows != nil {
		if scan, ok := n.Right.(*logical.Scan); ok && scan.Lookup != nil && scan.Lookup.Joins {
			// What conditions leave out is found as well.
			bare, found := *scan, *n
			bare.Filters, bare.Lookup = nil, nil
			found.Right, found.On, found.Rest = &bare, nil, nil
			exec.Expect(r.op, b.Rows(n), b.Rows(&found))
		}
	}
	lk, err := b.CompileAll(l.lay, n.LeftKeys)
	if err != nil {
		return l, err
	}
	rk, err := b.CompileAll(r.lay, n.RightKeys)
	if err != nil {
		return r, err
	}
	// Columns of the left side, then those of the right.
	lay := l.lay.With()
	for c, i := range r.lay.At {
		lay.At[c] = l.lay.N + i
	}
	for k, c := range r.lay.Computed {
		lay.Computed[k] = c
	}
	lay.N = l.lay.N + r.lay.N
	lay.Nulls, lay.Partners = nulls(l.lay, r.lay, n.Kind == parse.LeftJoin)
	if n.Kind == parse.LeftJoin {
		// A score of the right side is NULL where there was no partner; as a
		// column it is, so that is fine, and the left side's are as they were.
		lay.Computed = l.lay.With().Computed
		for k, c := range r.lay.Computed {
			lay.Computed[k] = c
		}
	}
	rest, err := b.CompileAll(lay, conds)
	if err != nil {
		return l, err
	}
	types := make([]value.Type, r.lay.N)
	for c, i := range r.lay.At {
		types[i] = c.Type
	}
	keyTypes := make([]value.Type, len(n.LeftKeys))
	texts := make([]string, 0, len(n.LeftKeys))
	for i, k := range n.LeftKeys {
		keyTypes[i] = k.Type
		texts = append(texts, k.Text+" = "+n.RightKeys[i].Text)
	}
	for _, e := range conds {
		texts = append(texts, e.Conjunct())
	}
	op, err := exec.NewHashJoin(l.op, r.op, &b.Env, &b.Fnctx, lk, rk, keyTypes, rest, n.Kind == parse.LeftJoin, l.lay.N, types, strings.Join(texts, " AND "))
	if err != nil {
		return l, err
	}
	op.Once = slices.ContainsFunc(concat(n.LeftKeys, n.RightKeys), (*logical.Expr).Unstable)
	if len(n.Ranges) > 0 {
		var bounds []exec.JoinBound
		for _, x := range n.Ranges {
			by, err := b.Compile(l.lay, x.By)
			if err != nil {
				return l, err
			}
			bounds = append(bounds, exec.JoinBound{Op: x.Op, By: by})
		}
		op.Between(r.lay.At[n.Ranges[0].Column], bounds)
	}
	if scan, ok := n.Right.(*logical.Scan); ok && scan.Lookup != nil && scan.Lookup.Joins {
		op.Seek(leaf, scan.Lookup.Key)
	}
	return rel{op: b.Analyzed(op), lay: lay}, nil
}

// pairs builds a join by similarity.
func (b *Builder) pairs(n *logical.Join, want []*logical.Expr) (rel, error) {
	p := n.Pairs
	score := &logical.Column{Name: p.Score.Text, Type: logical.RealType}
	reduced := compile.NewLayout(nil)
	reduced.Computed[p.Score.Key()] = score
	need := map[*logical.Column]bool{}
	for _, e := range concat(want, n.Rest) {
		reduced.Reduce(e).Columns(need)
	}
	op := &exec.PairJoin{Env: &b.Env, Ctx: &b.Fnctx, Open: p.Open, FromOne: p.Score.Measure.FromOne, Distinct: p.Distinct}
	var all []*logical.Column
	side := func(in logical.Node, v *logical.Column) (exec.PairInput, error) {
		scan := in.(*logical.Scan)
		cols := tableColumns(scan, need)
		all = append(all, cols...)
		out := exec.PairInput{Table: b.Table(scan.Table), Vector: v.Ord, Columns: ordsOf(cols)}
		if len(scan.Filters) > 0 || scan.Lookup != nil || scan.Search != nil {
			r, err := b.build(scan, nil)
			if err != nil {
				return out, err
			}
			out.Among = r.op
		}
		return out, nil
	}
	var err error
	if op.Left, err = side(n.Left, p.Left); err != nil {
		return rel{}, err
	}
	if op.Right, err = side(n.Right, p.Right); err != nil {
		return rel{}, err
	}
	if op.Least, err = b.Compile(compile.NewLayout(nil), p.Least); err != nil {
		return rel{}, err
	}
	lay := compile.NewLayout(append(all, score))
	lay.Computed[p.Score.Key()] = score
	if op.Rest, err = b.CompileAll(lay, n.Rest); err != nil {
		return rel{}, err
	}
	op.Text = logical.Conjunction(n.Rest)
	return rel{op: b.Analyzed(op), lay: lay}, nil
}

// scoresThere are the scores of a side of a join that an attached database computes, so that
// no vector has to come.
func scoresThere(in logical.Node, want []*logical.Expr) (out []*logical.Expr) {
	for {
		f, ok := in.(*logical.Filter)
		if !ok {
			break
		}
		in = f.In
	}
	n, ok := in.(*logical.Remote)
	if !ok || n.Group != nil {
		return nil
	}
	for _, e := range want {
		e.Walk(func(x *logical.Expr) bool {
			if x.Op != logical.OpScore || !x.Varies() || !n.Renders(x) {
				return true
			}
			if !slices.ContainsFunc(out, func(y *logical.Expr) bool { return y.Key() == x.Key() }) {
				out = append(out, x)
			}
			return false
		})
	}
	return out
}
