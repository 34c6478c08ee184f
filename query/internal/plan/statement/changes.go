package statement

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/optimize"
	"github.com/lupadb/lupa/query/internal/plan/run"
)

// A statement whose WITH names others that change rows is run in parts. All parts read the store as it was
// before the statement (Input.Base), and write into its transaction. What a part returns is kept like the rows
// of a query that is used several times (logical.SharedQuery), so that it runs once, when its rows are first
// asked for, or at the latest before the statement itself.

// written is a bound INSERT, UPDATE or DELETE.
type written struct {
	rows *logical.Relation // to be improved
	use  optimize.Use
	cols []*logical.Column // returned
	make func(b *build.Builder, rows *logical.Relation) (exec.Operator, func() int64, error)
}

// written plans a statement that is one part.
func (b *planner) written(w *written, err error) (*run.Plan, error) {
	if err != nil {
		return nil, err
	}
	out, err := b.improved(w.rows, w.use)
	if err != nil {
		return nil, err
	}
	return b.planned(w.cols, func(b *build.Builder) (exec.Operator, func() int64, error) { return w.make(b, out) }), nil
}

// change is a part that WITH names.
type change struct {
	*written
	query *logical.SharedQuery
}

// changeOf binds a part.
func (b *planner) changeOf(def *parse.CTE) (*logical.SharedQuery, error) {
	if table, _ := parse.ChangedTable(def.Change); table.Database != "" {
		return nil, errChangesElsewhere(table)
	}
	var w *written
	var err error
	switch s := def.Change.(type) {
	case *parse.Insert:
		w, err = b.boundInsert(s)
	case *parse.Update:
		w, err = b.boundUpdate(s)
	case *parse.Delete:
		w, err = b.boundDelete(s)
	}
	if err != nil {
		return nil, err
	}
	b.Once = true
	q := &logical.SharedQuery{Def: def, Rel: &logical.Relation{Cols: w.cols}}
	b.changes = append(b.changes, &change{w, q})
	return q, nil
}

func errChangesElsewhere(table parse.Ident) error {
	return parse.Errorf(table.Pos, "%s is a table of an attached database: its rows are changed by statements of their own", table).
		WithHint("a temporary table can hold rows between two statements")
}

// parts makes the operators of a statement with parts of make, which makes those of the statement itself.
func (b *planner) parts(make run.Makes) run.Makes {
	changes := b.changes
	if len(changes) == 0 {
		return make
	}
	return func(r *build.Builder) (exec.Operator, func() int64, error) {
		r.Env.Touched = exec.Touched{}
		r.Change = func(q *logical.SharedQuery) (exec.Operator, error) {
			for _, c := range changes {
				if c.query == q {
					op, _, err := c.make(r, c.rows)
					return op, err
				}
			}
			return nil, nil
		}
		var kept []*exec.Shared
		for _, c := range changes {
			k, err := r.Kept(c.query)
			if err != nil {
				return nil, nil, err
			}
			kept = append(kept, k)
		}
		root, affected, err := make(r)
		if err != nil {
			return nil, nil, err
		}
		return r.Analyzed(exec.NewChanges(root, kept)), affected, nil
	}
}
