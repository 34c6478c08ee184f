package plan

import (
	"cmp"
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
)

// inlined is how many uses of queries named by WITH become a part of the plan, each on its
// own, so that a use computes only what it needs. A chain of queries that each use the one
// before twice has more uses than anyone can count; beyond this number, a query is run once and
// its rows are kept for all further uses.
const inlined = 64

// cteRef binds the use of a query named by WITH.
func (b *binder) cteRef(i int, t *parse.TableName) (*relation, error) {
	if b.cteUses++; b.cteUses > inlined {
		return b.sharedRef(i, t)
	}
	c := b.ctes[i]
	q, err := b.cteQuery(c)
	if err != nil {
		return nil, err
	}
	r, err := aliased(q, cmp.Or(t.Alias.Name, t.Table.Name), c.def.Columns)
	if err != nil {
		return nil, err
	}
	return r, rename(r.cols, t.Columns)
}

func (b *binder) cteQuery(c cte) (*relation, error) {
	saved := b.ctes
	defer func() { b.ctes = saved }()
	b.ctes = b.ctes[:c.below:c.below]
	return b.query(c.def.Query, nil, nil)
}

// sharedRef binds the use of a query whose rows are kept.
func (b *binder) sharedRef(i int, t *parse.TableName) (*relation, error) {
	c := b.ctes[i]
	var q *sharedQuery
	if i := slices.IndexFunc(b.shared, func(q *sharedQuery) bool { return q.def == c.def }); i >= 0 {
		q = b.shared[i]
	} else {
		rel, err := b.cteQuery(c)
		if err != nil {
			return nil, err
		}
		q = &sharedQuery{rel: rel, def: c.def}
		b.shared = append(b.shared, q)
	}
	n := &sharedNode{query: q}
	for _, col := range q.rel.cols {
		x := *col
		x.table = cmp.Or(t.Alias.Name, t.Table.Name)
		n.outs = append(n.outs, &x)
	}
	if err := rename(n.outs, c.def.Columns); err != nil {
		return nil, err
	}
	return &relation{n, n.outs}, rename(n.outs, t.Columns)
}
