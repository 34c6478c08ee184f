package statement

import (
	"context"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/optimize"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/storage"
)

// insert plans INSERT.
func (b *planner) insert(s *parse.Insert) (*run.Plan, error) {
	if s.Table.Database != "" {
		if parse.Changes(s) {
			return nil, errChangesElsewhere(s.Table)
		}
		return b.remoteInsert(s)
	}
	return b.written(b.boundInsert(s))
}

func (b *planner) boundInsert(s *parse.Insert) (*written, error) {
	n, err := b.Binder.Insert(s)
	if err != nil {
		return nil, err
	}
	// How it is done follows from what it reads and says, and from where it runs.
	table, def := n.Table, n.Table.Def()
	inTx, again := b.In.Tx != nil, reads(n.Rows, def.Name)
	rows, err := b.CheckRows(&logical.Relation{Node: n.Rows, Cols: n.Rows.Outs}, def)
	if err != nil {
		return nil, err
	}
	use := optimize.Kept
	if s.OnConflict != nil {
		use = optimize.InOrder
	}
	b.Once = b.Once || !inTx
	return &written{rows, use, n.Returning.Columns(), func(b *build.Builder, out *logical.Relation) (exec.Operator, func() int64, error) {
		child, err := b.Root(out.Node, out.Cols)
		if err != nil {
			return nil, nil, err
		}
		u, err := b.ConflictUpdate(n.Update)
		switch {
		case err != nil:
			return nil, nil, err
		case !inTx && Import(s):
			op := exec.NewImport(child, &b.Env, def, n.Opts, u)
			op.Samples = func(ctx context.Context) (map[int][][]float32, error) { return querySamples(ctx, b.In, def) }
			return b.Analyzed(op), func() int64 { return op.Affected }, nil
		case !inTx:
			return bulkInsert(b, s, child, table)
		case again:
			child = b.Analyzed(exec.NewBuffer(child, &b.Env))
		}
		op := exec.NewInsert(child, &b.Env, def, n.Opts, u)
		op.Returns = n.Returning != nil
		root, err := b.Writes(op, table, n.Returning)
		return root, func() int64 { return op.Affected }, err
	}}, nil
}

// bulkInsert builds an INSERT of many rows on its own: see Bulk.
func bulkInsert(b *build.Builder, s *parse.Insert, child exec.Operator, table *storage.Table) (exec.Operator, func() int64, error) {
	def := table.Def()
	if s.OnConflict != nil {
		child = b.Analyzed(exec.NewSkipExisting(child, &b.Env, b.Table(table), def.PrimaryKey).Once())
	}
	op := exec.NewLoad(child, &b.Env, def)
	op.Samples = func(ctx context.Context) (map[int][][]float32, error) { return querySamples(ctx, b.In, def) }
	return b.Analyzed(op), func() int64 { return op.Affected }, nil
}

// bulkRows is the number of rows from which on an INSERT is a bulk load.
const bulkRows = 20000

// Few reports whether an INSERT adds only rows that are written in it, and not
// many.
func Few(s *parse.Insert) bool {
	if s.Query == nil {
		return true
	}
	v, ok := s.Query.Body.(*parse.Values)
	return ok && len(v.Rows) < bulkRows
}

// Bulk reports whether an INSERT outside of a transaction is better done as a
// bulk load, past the write-ahead log: it may add many rows, and says nothing
// that needs to see them one by one.
func Bulk(view *storage.View, s *parse.Insert) bool {
	if s.Query == nil || len(s.Returning) > 0 || len(s.With.With) > 0 {
		return false
	}
	t, err := bind.TableOf(view, s.Table)
	if err != nil {
		return false
	}
	def := t.Def()
	if transactional(def) {
		return false
	}
	if c := s.OnConflict; c != nil {
		if c.Set != nil || def.PrimaryKey < 0 {
			return false
		}
		if len(c.Columns) == 0 {
			for _, x := range def.Indexes {
				if x.Unique {
					return false
				}
			}
		} else if len(c.Columns) != 1 || !c.Columns[0].Means(def.Columns[def.PrimaryKey].Name) {
			return false
		}
	}
	many := false
	parse.Walk(s.Query, func(n parse.Node) bool {
		switch n := n.(type) {
		case *parse.TableFunc:
			many = true
		case *parse.TableName:
			if n.Table.Database != "" {
				many = true
			} else if t, err := bind.TableOf(view, n.Table); err == nil && t.Rows() >= bulkRows {
				many = true
			}
		case *parse.Values:
			many = many || len(n.Rows) >= bulkRows
		}
		return true
	})
	return many
}

// FromElsewhere reports whether a query reads a table of an attached database.
func FromElsewhere(q *parse.Select) bool {
	found := false
	parse.Walk(q, func(n parse.Node) bool {
		t, ok := n.(*parse.TableName)
		found = found || ok && t.Table.Database != ""
		return !found
	})
	return found
}

// reads reports whether a plan scans the table.
func reads(n logical.Node, table string) bool {
	return logical.AnyNode(n, func(n logical.Node) bool {
		s, ok := n.(*logical.Scan)
		return ok && s.Table.Def().Name == table
	})
}

// Import reports whether an INSERT outside of a transaction is one of pictures
// that can be run again: it reads images() and says what becomes of rows that
// are there. It is committed in portions; see exec.Import.
func Import(s *parse.Insert) bool {
	if s.Query == nil || s.OnConflict == nil || len(s.Returning) > 0 || len(s.With.With) > 0 {
		return false
	}
	found := false
	parse.Walk(s.Query, func(n parse.Node) bool {
		if f, ok := n.(*parse.TableFunc); ok && strings.EqualFold(f.Func.Name, "images") {
			found = true
		}
		return !found
	})
	return found
}
