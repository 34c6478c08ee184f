package statement

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/optimize"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// done is the plan of a statement that has nothing to do.
func (b *planner) done() *run.Plan {
	return b.change("Done", func(context.Context, *build.Builder) error { return nil })
}

// change is the plan of a statement that changes definitions.
func (b *planner) change(text string, run func(ctx context.Context, r *build.Builder) error) *run.Plan {
	return b.task(nil, nil, text, func(ctx context.Context, r *build.Builder) (*value.Batch, error) { return nil, run(ctx, r) })
}

// createTable runs CREATE TABLE.
func (b *planner) createTable(s *parse.CreateTable) (*run.Plan, error) {
	if s.Table.Database != "" {
		return b.remoteCreate(s)
	}
	if t, err := bind.TableOf(b.In.Target(), s.Table); err == nil || t != nil {
		if s.IfNotExists {
			return b.done(), nil
		}
		return nil, parse.Errorf(s.Table.Pos, "table %q exists already", s.Table.Name).WithHint("CREATE TABLE IF NOT EXISTS leaves it as it is").Because(&storage.ExistsError{What: "table", Name: s.Table.Name})
	}
	if v, _ := bind.ViewOf(b.View, s.Table); v != nil && !s.Temp {
		if s.IfNotExists {
			return b.done(), nil
		}
		return nil, logical.ErrorAt(s.Table.Pos, &storage.ExistsError{What: "view", Name: v.Name})
	}
	def := storage.TableDef{Name: s.Table.Name, PrimaryKey: -1}
	for i := range s.Columns {
		c := &s.Columns[i]
		col, err := b.columnDef(c, s.Table.Name)
		if err != nil {
			return nil, err
		}
		if _, err := bind.TableColumn(&def, c.Name); err == nil {
			return nil, parse.Errorf(c.Pos, "column %q is given twice", col.Name)
		}
		if c.Identity {
			for _, other := range def.Columns {
				if other.Identity {
					return nil, parse.Errorf(c.Pos, "one column of a table can number its rows; %s does it already", other.Name)
				}
			}
		}
		if c.PrimaryKey {
			if def.PrimaryKey >= 0 {
				return nil, parse.Errorf(c.Pos, "a table has one primary key; %s is it already", def.Columns[def.PrimaryKey].Name)
			}
			if k := col.Type.Kind; k == value.Vector || k == value.JSON || k == value.Real || k == value.Interval {
				return nil, parse.Errorf(c.Pos, "%v can't be a primary key", col.Type).WithHint("TEXT or INTEGER can")
			}
			def.PrimaryKey = i
			col.NotNull = true
		}
		def.Columns = append(def.Columns, col)
	}
	if err := b.constraintsOf(&def, s.Constraints); err != nil {
		return nil, err
	}
	if s.Query != nil {
		return b.createTableAs(s, def)
	}
	return b.change("Create table "+def.Name, func(ctx context.Context, r *build.Builder) error {
		if _, err := r.Env.Tx.CreateTable(ctx, def); err != nil {
			return logical.ErrorAt(s.Table.Pos, err)
		}
		for _, k := range s.Constraints {
			if k.Kind == parse.ForeignKey {
				if _, err := nested(ctx, r, &parse.AlterTable{Pos: k.Pos, Table: exactly(def.Name), Action: &parse.AddConstraint{Pos: k.Pos, Constraint: k}}); err != nil {
					return err
				}
			}
		}
		return nil
	}), nil
}

// exactly is a name as it is.
func exactly(name string) parse.Ident { return parse.Ident{Name: name, Quoted: true} }

// createTableAs plans CREATE TABLE ... AS query.
func (b *planner) createTableAs(s *parse.CreateTable, def storage.TableDef) (*run.Plan, error) {
	rel, err := b.Query(s.Query, nil, nil)
	if err != nil {
		return nil, err
	}
	if def.Columns, err = columnsOf(s.Query.Pos, rel); err != nil {
		return nil, err
	}
	if rel, err = b.improved(rel, optimize.Kept); err != nil {
		return nil, err
	}
	b.Once = true
	inTx := b.In.Tx != nil
	return b.planned(nil, func(b *build.Builder) (exec.Operator, func() int64, error) {
		if !inTx {
			child, err := b.Root(rel.Node, rel.Cols)
			if err != nil {
				return nil, nil, err
			}
			op := exec.NewCreateAndLoad(child, &b.Env, def)
			op.Wrong = func(err error) error { return logical.ErrorAt(s.Table.Pos, err) }
			return op, func() int64 { return op.Affected }, nil
		}
		made, err := b.Env.Tx.CreateTable(b.Fnctx.Context, def)
		if err != nil {
			return nil, nil, logical.ErrorAt(s.Table.Pos, err)
		}
		child, err := b.Root(rel.Node, rel.Cols)
		if err != nil {
			return nil, nil, err
		}
		op := exec.NewInsert(child, &b.Env, made, storage.InsertOptions{}, nil)
		return op, func() int64 { return op.Affected }, nil
	}), nil
}

// columnsOf are the columns of a table that is made of the rows of a query.
func columnsOf(pos parse.Pos, rel *logical.Relation) ([]storage.ColumnDef, error) {
	var out []storage.ColumnDef
	for _, c := range rel.Cols {
		if slices.ContainsFunc(out, func(o storage.ColumnDef) bool { return o.Name == c.Name }) {
			return nil, parse.Errorf(pos, "two columns of the query are called %q", c.Name).WithHint("AS gives a column another name")
		}
		col := storage.ColumnDef{Name: c.Name, Type: c.Type}
		switch {
		case c.Type.Kind == value.Null:
			col.Type = logical.TextType
		case c.Type.Kind == value.Vector && c.Type.Dim == 0:
			return nil, parse.Errorf(pos, "the dimension of %s is not known", c.Name).WithHint("cast it: x::VECTOR(512)")
		}
		if c.Encoding != nil {
			col.Encoder, col.Model = c.Encoding.Name, c.Encoding.Model
		}
		out = append(out, col)
	}
	return out, nil
}

// columnDef checks the definition of a column.
func (b *planner) columnDef(c *parse.ColumnDef, table string) (storage.ColumnDef, error) {
	col := storage.ColumnDef{Name: c.Name.Name, Type: c.Type.Type, NotNull: c.NotNull || c.Identity, Declared: c.Type.Declared, Identity: c.Identity}
	if !c.Encoder.Value.IsNull() {
		if col.Type.Kind != value.Vector {
			return col, parse.Errorf(c.Encoder.Pos, "ENCODER is for VECTOR columns; %s is %v", col.Name, col.Type)
		}
		col.Encoder = c.Encoder.Value.Str()
		if err := b.encoderName(c.Encoder); err != nil {
			return col, err
		}
		enc, err := b.In.FindEncoder(b.Ctx, col.Encoder, "")
		if err != nil {
			return col, bind.EncoderError(c.Encoder.Pos, err)
		}
		if err := b.capable(enc); err != nil {
			return col, logical.ErrorAt(c.Encoder.Pos, err)
		}
		col.Model = enc.Model()
		if col.Type.Dim == 0 {
			col.Type.Dim = col.Model.Dim
		}
		if col.Type.Dim != col.Model.Dim {
			return col, parse.Errorf(c.Encoder.Pos, "encoder %s makes vectors of %d dimensions, %s is to have %d", col.Encoder, col.Model.Dim, col.Name, col.Type.Dim)
		}
	}
	if col.Type.Kind == value.Vector {
		if col.Type.Dim == 0 {
			return col, parse.Errorf(c.Type.Pos, "%s needs a dimension, such as %[1]s(512), or an encoder: %[1]s ENCODER '%[2]s' for pictures and texts, '%[3]s' for texts alone", col.Type.Name(), encoder.RecommendedPictures, encoder.RecommendedTexts)
		}
		if col.Type.Dim > value.MaxDim {
			return col, parse.Errorf(c.Type.Pos, "a vector has at most %d dimensions", value.MaxDim)
		}
	}
	if c.Default != nil {
		if err := b.checkDefault(c.Default, &storage.TableDef{Name: table, Columns: []storage.ColumnDef{col}}, 0); err != nil {
			return col, err
		}
		col.Default = c.Default.String()
	}
	return col, nil
}

// checkDefault checks that an expression can be the default of a column.
func (b *planner) checkDefault(e parse.Expr, def *storage.TableDef, ord int) error {
	x, err := b.Expr(&bind.Scope{Inside: "DEFAULT"}, e)
	if err != nil {
		return err
	}
	if x.Uses(logical.OpText) || x.Uses(logical.OpImage) || x.Uses(logical.OpSubquery) || x.Uses(logical.OpExists) || x.Uses(logical.OpInQuery) || x.Deferred(logical.SlotText, logical.SlotCostly, logical.SlotQuery) {
		return parse.Errorf(e.Position(), "DEFAULT can't have a subquery")
	}
	_, err = b.Store(x, def, ord, fn.Assignment)
	return err
}

// capable warns of what an encoder can't do, now and not when it is needed. One
// that can do nothing is refused.
func (b *planner) capable(enc encoder.Encoder) error {
	c, ok := enc.(encoder.Capable)
	if !ok || b.In.Describe {
		return nil
	}
	texts, pictures := c.Can()
	if texts != nil && pictures != nil {
		return fmt.Errorf("%w; %w", texts, pictures)
	}
	if err := cmp.Or(texts, pictures); err != nil && b.In.Warn != nil {
		b.In.Warn(err.Error())
	}
	return nil
}

// several plans a statement that names several things as one for each.
func several[T any](b *planner, text string, names []parse.Ident, one func(parse.Ident) T) *run.Plan {
	var steps []parse.Statement
	for _, id := range names {
		steps = append(steps, any(one(id)).(parse.Statement))
	}
	return b.steps(text, steps...)
}

func (b *planner) dropTable(s *parse.DropTable) (*run.Plan, error) {
	if len(s.Tables) > 1 {
		return several(b, "Drop tables", s.Tables, func(id parse.Ident) *parse.DropTable {
			return &parse.DropTable{Pos: id.Pos, IfExists: s.IfExists, Tables: []parse.Ident{id}, Cascade: s.Cascade}
		}), nil
	}
	at := s.Tables[0]
	if at.Database != "" {
		return b.remoteDrop(s)
	}
	t, err := b.Table(at)
	if err != nil {
		if v, _ := bind.ViewOf(b.View, at); v != nil {
			return nil, parse.Errorf(at.Pos, "%s is a view, not a table", at).WithHint("DROP VIEW %s", at)
		}
		if _, ok := err.(*parse.Error); ok && s.IfExists {
			return b.done(), nil
		}
		return nil, err
	}
	name := t.Def().Name
	return b.change("Drop table "+name, func(ctx context.Context, r *build.Builder) error {
		if s.Cascade {
			if err := r.Env.Tx.DropViewsOf(ctx, name); err != nil {
				return logical.ErrorAt(at.Pos, err)
			}
			if err := r.Env.Tx.DropReferencesTo(ctx, name); err != nil {
				return logical.ErrorAt(at.Pos, err)
			}
		}
		if err := r.Env.Tx.DropTable(ctx, name); err != nil {
			return viewsStay(at.Pos, "DROP TABLE ... CASCADE drops it, too", err)
		}
		return dropReencoded(ctx, r.Env.Tx, t.Def().ID, 0, true)
	}), nil
}

// alterTable runs ALTER TABLE.
func (b *planner) alterTable(s *parse.AlterTable) (*run.Plan, error) {
	table, err := b.Table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	text := "Alter table " + def.Name
	if len(s.More) > 0 {
		steps := []parse.Statement{&parse.AlterTable{Pos: s.Pos, Table: s.Table, Action: s.Action}}
		for _, a := range s.More {
			steps = append(steps, &parse.AlterTable{Pos: s.Pos, Table: s.Table, Action: a})
		}
		return b.steps(text, steps...), nil
	}
	switch a := s.Action.(type) {
	case *parse.Retrain:
		return b.retrain(a, def)
	case *parse.RenameTable:
		if other, _ := bind.TableOf(b.In.Target(), a.To); other != nil && other.Def().ID != def.ID {
			return nil, logical.ErrorAt(a.To.Pos, &storage.ExistsError{What: "table", Name: other.Def().Name})
		}
		return b.change(text, func(ctx context.Context, r *build.Builder) error {
			return viewsStay(a.To.Pos, "a view means its tables by their names", r.Env.Tx.RenameTable(ctx, def.Name, a.To.Name))
		}), nil
	case *parse.RenameColumn:
		at, err := bind.TableColumn(def, a.From)
		if err != nil {
			return nil, err
		}
		from := def.Columns[at].Name
		if other, err := bind.TableColumn(def, a.To); err == nil && other != at {
			return nil, logical.ErrorAt(a.To.Pos, &storage.ExistsError{What: "column", Name: def.Columns[other].Name})
		}
		return b.change(text, func(ctx context.Context, r *build.Builder) error {
			err := r.Env.Tx.RenameColumn(ctx, def.Name, from, a.To.Name, func(condition string) string { return bind.RenamedIn(condition, from, a.To.Name) })
			if err == nil {
				err = watched(ctx, r, def.Name)
			}
			if err != nil {
				return logical.ErrorAt(a.To.Pos, err)
			}
			return checkViews(ctx, r, def.Name, a.From.Pos, false)
		}), nil
	case *parse.DropColumn:
		at, err := bind.TableColumn(def, a.Column)
		if err != nil {
			if a.IfExists {
				return b.done(), nil
			}
			return nil, err
		}
		column := def.Columns[at].Name
		return b.change(text, func(ctx context.Context, r *build.Builder) error {
			if err := r.Env.Tx.DropColumn(ctx, def.Name, column); err != nil {
				return logical.ErrorAt(a.Column.Pos, err)
			}
			if err := dropReencoded(ctx, r.Env.Tx, def.ID, def.Columns[at].ID, false); err != nil {
				return err
			}
			return checkViews(ctx, r, def.Name, a.Column.Pos, a.Cascade)
		}), nil
	case *parse.AddColumn:
		return b.addColumn(a, table)
	case *parse.AddConstraint:
		return b.addConstraint(&a.Constraint, table)
	case *parse.DropConstraint:
		return b.dropConstraint(a, table)
	case *parse.SetDefaultOf:
		return b.setDefault(a, table)
	case *parse.SetNotNull:
		return b.setNotNull(a, table)
	case *parse.SetType:
		return b.setType(a, table)
	case *parse.SetEncoder:
		return b.setEncoder(a, table)
	}
	return nil, parse.Errorf(s.Pos, "internal error: unknown action %T", s.Action)
}

func (b *planner) addColumn(a *parse.AddColumn, table *storage.Table) (*run.Plan, error) {
	def := table.Def()
	if len(a.Constraints) > 0 {
		id := exactly(def.Name)
		if _, err := bind.TableColumn(def, a.Column.Name); err == nil && a.IfNotExists {
			return b.done(), nil
		}
		steps := []parse.Statement{&parse.AlterTable{Table: id, Action: &parse.AddColumn{Pos: a.Pos, Column: a.Column}}}
		for _, k := range a.Constraints {
			steps = append(steps, &parse.AlterTable{Table: id, Action: &parse.AddConstraint{Pos: k.Pos, Constraint: k}})
		}
		return b.steps("Alter table "+def.Name, steps...), nil
	}
	if a.Column.Identity && table.Rows() > 0 {
		return nil, parse.Errorf(a.Column.Pos, "a column that numbers its rows can be added to an empty table only")
	}
	if _, err := bind.TableColumn(def, a.Column.Name); err == nil {
		if a.IfNotExists {
			return b.done(), nil
		}
		return nil, parse.Errorf(a.Column.Pos, "column %q exists already in %s", a.Column.Name.Name, def.Name).Because(&storage.ExistsError{What: "column", Name: a.Column.Name.Name})
	}
	if a.Column.PrimaryKey {
		return nil, parse.Errorf(a.Column.Pos, "a column that is added can't be the primary key")
	}
	col, err := b.columnDef(&a.Column, def.Name)
	if err != nil {
		return nil, err
	}
	x, err := b.DefaultOf(&storage.TableDef{Name: def.Name, Columns: []storage.ColumnDef{col}}, 0, a.Column.Pos)
	if err != nil {
		return nil, err
	}
	return b.change("Alter table "+def.Name, func(ctx context.Context, r *build.Builder) error {
		c, err := r.Compile(compile.NewLayout(nil), x)
		if err != nil {
			return err
		}
		v, err := c.Eval(&r.Fnctx, run.OneRow, nil)
		if err != nil {
			return err
		}
		if v.At(0).IsNull() && col.NotNull && table.Rows() > 0 {
			return parse.Errorf(a.Column.Pos, "column %s is NOT NULL, but the rows of %s have no value for it", col.Name, def.Name).WithHint("add DEFAULT value")
		}
		return logical.ErrorAt(a.Column.Pos, r.Env.Tx.AddColumn(ctx, def.Name, col, v.At(0)))
	}), nil
}

// encoderName refuses what may lead to a directory where statements may not use files: only
// a plain name is looked up among the models alone.
func (b *planner) encoderName(l parse.Literal) error {
	name := l.Value.Str()
	if b.In.NoFiles && (strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~")) {
		return parse.Errorf(l.Pos, "this program does not let statements use files; ENCODER takes the name of an encoder, not a path")
	}
	return nil
}

// setEncoder binds a vector column to an encoder. Vectors of another one can't be
// compared with its texts, so that needs FORCE unless the column is empty.
func (b *planner) setEncoder(a *parse.SetEncoder, table *storage.Table) (*run.Plan, error) {
	def := table.Def()
	ord := -1
	if a.Column.Name != "" {
		var err error
		if ord, err = bind.TableColumn(def, a.Column); err != nil {
			return nil, err
		}
	} else {
		for pass := 0; pass < 2 && ord < 0; pass++ {
			n := 0
			for i := range def.Columns {
				if def.Columns[i].Type.Kind == value.Vector && (pass == 1 || def.Columns[i].Encoder != "") {
					ord = i
					n++
				}
			}
			if n > 1 {
				return nil, parse.Errorf(a.Pos, "%s has several vector columns; write ALTER COLUMN name SET ENCODER ...", def.Name)
			}
		}
		if ord < 0 {
			return nil, parse.Errorf(a.Pos, "%s has no vector column", def.Name)
		}
	}
	c := &def.Columns[ord]
	if c.Type.Kind != value.Vector {
		return nil, parse.Errorf(a.Column.Pos, "ENCODER is for VECTOR columns; %s is %v", c.Name, c.Type)
	}
	if err := b.encoderName(a.Encoder); err != nil {
		return nil, err
	}
	enc, err := b.In.FindEncoder(b.Ctx, a.Encoder.Value.Str(), "")
	if err != nil {
		return nil, bind.EncoderError(a.Encoder.Pos, err)
	}
	if err := b.capable(enc); err != nil {
		return nil, logical.ErrorAt(a.Encoder.Pos, err)
	}
	m := enc.Model()
	if a.From != nil {
		run, err := b.reencode(a, def, ord, m)
		if err != nil {
			return nil, err
		}
		return b.change("Encode "+def.Name+"."+c.Name+" anew", run), nil
	}
	if m.Dim != c.Type.Dim {
		return nil, parse.Errorf(a.Encoder.Pos, "encoder %s makes vectors of %d dimensions, %s has %d", m.Name, m.Dim, c.Name, c.Type.Dim).WithHint("REENCODE FROM at the end encodes the rows anew")
	}
	if c.Model.Hash != "" && c.Model.Hash != m.Hash && !a.Force && table.Rows() > 0 {
		return nil, &logical.PlacedError{Pos: a.Encoder.Pos, Err: &encoder.MismatchError{Table: def.Name, Column: c.Name, Stored: c.Model, Given: m}}
	}
	return b.change("Alter table "+def.Name, func(ctx context.Context, r *build.Builder) error {
		return logical.ErrorAt(a.Encoder.Pos, r.Env.Tx.SetColumnModel(ctx, def.Name, c.Name, a.Encoder.Value.Str(), m))
	}), nil
}
