package statement

import (
	"context"
	"errors"
	"strings"

	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

func (b *planner) createIndex(s *parse.CreateIndex) (*run.Plan, error) {
	table, err := b.Table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	ords, err := bind.TargetColumns(def, s.Columns)
	if err != nil {
		return nil, err
	}
	if kind := strings.ToLower(s.Kind.Name); kind == "hnsw" || kind == "ivfflat" || kind == "gin" {
		note := "is not needed: searches are exact without an index (one of kind ivf serves LIMIT n APPROX)"
		if kind == "gin" {
			note = "is not made: there are no indexes of that kind (one of kind fulltext is over words)"
		}
		if b.In.Notice != nil && !b.In.Describe {
			b.In.Notice(abbreviated(s.String()) + " " + note)
		}
		return b.done(), nil
	}
	index := storage.IndexDef{Name: s.Index.Name, Unique: s.Unique, Constraint: s.Constraint}
	if s.Kind.Name != "" {
		if index.Kind, err = storage.ParseIndexKind(s.Kind.Name); err != nil {
			return nil, logical.ErrorAt(s.Kind.Pos, err)
		}
	}
	for _, o := range s.Options {
		if index.Options == nil {
			index.Options = map[string]string{}
		}
		name := strings.ToLower(o.Name.Name)
		if _, twice := index.Options[name]; twice {
			return nil, parse.Errorf(o.Name.Pos, "option %s is given twice", name)
		}
		index.Options[name] = o.Value
	}
	parts := []string{def.Name}
	for i, o := range ords {
		c := &def.Columns[o]
		if c.Type.Kind == value.Vector && index.Kind == storage.OrderedIndex {
			return nil, parse.Errorf(s.Columns[i].Pos, "%s is a vector: exact searches need no index", c.Name).WithHint("for approximate ones: USING ivf (%s)", c.Name)
		}
		index.Columns = append(index.Columns, c.ID)
		parts = append(parts, c.Name)
	}
	if index.Where, err = b.IndexTerms(def, s.Where); err != nil {
		return nil, err
	}
	if index.Partial() && index.Kind != storage.OrderedIndex {
		return nil, parse.Errorf(parse.Start(s.Where), "an index of kind %s is over all rows", index.Kind).WithHint("leave WHERE out")
	}
	if index.Name == "" {
		index.Name = strings.Join(append(parts, "idx"), "_")
	}
	if s.IfNotExists {
		for _, d := range b.In.Target().Tables() {
			for i := range d.Indexes {
				if s.Index.Means(d.Indexes[i].Name) || index.Name == d.Indexes[i].Name {
					return b.done(), nil
				}
			}
		}
	}
	return b.change("Create index "+index.Name, func(ctx context.Context, r *build.Builder) error {
		return logical.ErrorAt(s.Index.Pos, r.Env.Tx.CreateIndex(ctx, def.Name, index, progress(r)))
	}), nil
}

func (b *planner) dropIndex(s *parse.DropIndex) (*run.Plan, error) {
	if len(s.Indexes) > 1 {
		return several(b, "Drop indexes", s.Indexes, func(id parse.Ident) *parse.DropIndex {
			return &parse.DropIndex{Pos: id.Pos, IfExists: s.IfExists, Indexes: []parse.Ident{id}}
		}), nil
	}
	id := s.Indexes[0]
	var names []string
	index, table := "", ""
	for _, d := range b.In.Target().Tables() {
		for _, x := range d.Indexes {
			names = append(names, x.Name)
			if x.Name == id.Name || index == "" && id.Means(x.Name) {
				index, table = x.Name, d.Name
			}
		}
	}
	if index == "" {
		if s.IfExists {
			return b.done(), nil
		}
		return nil, parse.Errorf(id.Pos, "no index %q", id.Name).WithHint("%s", hint.Question(id.Name, names)).Because(&storage.NoIndexError{Index: id.Name})
	}
	return b.change("Drop index "+index, func(ctx context.Context, r *build.Builder) error {
		of, _, err := r.Env.Tx.Index(index)
		if err == nil {
			err = r.Env.Tx.DropIndex(ctx, index)
		}
		if err == nil {
			err = watched(ctx, r, of.Name)
		}
		var missing *storage.NoIndexError
		if errors.As(err, &missing) && s.IfExists {
			err = nil
		}
		if err == nil {
			err = checkViews(ctx, r, table, id.Pos, false)
		}
		return logical.ErrorAt(id.Pos, err)
	}), nil
}
