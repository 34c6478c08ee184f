package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
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
	r, err := aliased(q, orElse(t.Alias.Name, t.Table.Name), c.def.Columns)
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

// sharedQuery is a query named by WITH that is run once for many uses.
type sharedQuery struct{ rel *relation }

// sharedRef binds the use of a query whose rows are kept.
func (b *binder) sharedRef(i int, t *parse.TableName) (*relation, error) {
	c := b.ctes[i]
	q := b.shared[c.def]
	if q == nil {
		rel, err := b.cteQuery(c)
		if err != nil {
			return nil, err
		}
		q = &sharedQuery{rel: rel}
		if b.shared == nil {
			b.shared = map[*parse.CTE]*sharedQuery{}
		}
		b.shared[c.def] = q
	}
	n := &sourceNode{text: "rows of " + c.def.Name.Name, rows: 1000}
	for _, col := range q.rel.cols {
		x := *col
		x.table = orElse(t.Alias.Name, t.Table.Name)
		n.outs = append(n.outs, &x)
	}
	n.open = func(b *builder, want []int) (exec.Operator, error) {
		rows := b.run.shared[q]
		if rows == nil {
			op, err := b.root(q.rel.node, q.rel.cols)
			if err != nil {
				return nil, err
			}
			if b.run.shared == nil {
				b.run.shared = map[*sharedQuery]*exec.Shared{}
			}
			rows = exec.NewShared(op, &b.run.env, "WITH "+c.def.Name.Name)
			b.run.shared[q] = rows
		}
		return rows.Use(want), nil
	}
	if err := rename(n.outs, c.def.Columns); err != nil {
		return nil, err
	}
	return &relation{n, n.outs}, rename(n.outs, t.Columns)
}
