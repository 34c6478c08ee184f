package bind

import (
	"cmp"
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// inlined is how many uses of queries named by WITH become a part of the plan, each on its
// own, so that a use computes only what it needs. A chain of queries that each use the one
// before twice has more uses than anyone can count; beyond this number, a query is run once and
// its rows are kept for all further uses.
const inlined = 64

// with makes the queries that WITH names known, in the statement or query q.
func (b *Binder) with(with []parse.CTE, recursive bool, q parse.Node) error {
	for i := range with {
		def := &with[i]
		for k := range i {
			if def.Name.Means(with[k].Name.Name) {
				return parse.Errorf(def.Pos, "WITH names %q twice", def.Name.Name)
			}
		}
		c := cte{def: def, below: len(b.ctes)}
		if def.Change != nil {
			var err error
			if c.change, err = b.Change(def); err != nil {
				return err
			}
		} else if own := recursive && names(def.Query, def.Name) > 0; own {
			c.recursive, c.often = true, names(q, def.Name)-names(def.Query, def.Name) > 1
		}
		b.ctes = append(b.ctes, c)
	}
	return nil
}

// within forgets the names of a WITH, before which there were n.
func (b *Binder) within(n int) { b.ctes = b.ctes[:n] }

// cteRef binds the use of a query named by WITH.
func (b *Binder) cteRef(i int, t *parse.TableName) (*logical.Relation, error) {
	if q := b.ctes[i].change; q != nil {
		if len(q.Rel.Cols) == 0 {
			return nil, parse.Errorf(t.Pos, "%s has no rows to read", t.Table).WithHint("RETURNING says which: WITH %s AS (... RETURNING *)", t.Table)
		}
		outs, err := b.ctes[i].columns(q.Rel.Cols, t)
		return &logical.Relation{Node: &logical.Shared{Query: q, Outs: outs}, Cols: outs}, err
	}
	if b.ctes[i].working != nil {
		return b.workingRef(b.ctes[i], t)
	}
	if b.cteUses++; b.cteUses > inlined || b.ctes[i].often {
		return b.sharedRef(b.ctes[i], t)
	}
	return b.namedQuery(b.ctes[i], t)
}

// namedQuery binds a use of a query under a name.
func (b *Binder) namedQuery(c cte, t *parse.TableName) (*logical.Relation, error) {
	q, err := b.cteQuery(c)
	if err != nil {
		return nil, err
	}
	r, err := aliased(q, cmp.Or(t.Alias.Name, t.Table.Name), c.def.Columns)
	if err != nil {
		return nil, err
	}
	return r, rename(r.Cols, t.Columns)
}

func (b *Binder) cteQuery(c cte) (*logical.Relation, error) {
	saved := b.ctes
	defer func() { b.ctes = saved }()
	b.ctes = b.ctes[:c.below:c.below]
	if c.view != nil {
		return b.viewQuery(c)
	}
	if c.recursive {
		if r, err := b.recursion(c); r != nil || err != nil {
			return r, err
		}
		b.ctes = b.ctes[:c.below:c.below]
	}
	return b.Query(c.def.Query, nil, nil)
}

// sharedRef binds the use of a query whose rows are kept.
func (b *Binder) sharedRef(c cte, t *parse.TableName) (*logical.Relation, error) {
	var q *logical.SharedQuery
	if i := slices.IndexFunc(b.Shared, func(q *logical.SharedQuery) bool { return q.Def == c.def }); i >= 0 {
		q = b.Shared[i]
	} else {
		rel, err := b.cteQuery(c)
		if err != nil {
			return nil, err
		}
		q = &logical.SharedQuery{Rel: rel, Def: c.def}
		b.Shared = append(b.Shared, q)
	}
	outs, err := c.columns(q.Rel.Cols, t)
	return &logical.Relation{Node: &logical.Shared{Query: q, Outs: outs}, Cols: outs}, err
}

// columns are those of one use of the query.
func (c cte) columns(cols []*logical.Column, t *parse.TableName) (outs []*logical.Column, err error) {
	for _, col := range cols {
		x := *col
		x.Table = cmp.Or(t.Alias.Name, t.Table.Name)
		outs = append(outs, &x)
	}
	if err := rename(outs, c.def.Columns); err != nil {
		return nil, err
	}
	return outs, rename(outs, t.Columns)
}
