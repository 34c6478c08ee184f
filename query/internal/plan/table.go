package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// done is the plan of a statement that has done its work while it was planned.
func done() *Plan { return &Plan{Root: &exec.Values{What: "Done"}} }

// createTable runs CREATE TABLE.
func (b *binder) createTable(s *parse.CreateTable) (*Plan, error) {
	if _, err := b.view.Table(s.Table.Name); err == nil {
		if s.IfNotExists {
			return done(), nil
		}
		return nil, parse.Errorf(s.Table.Pos, "table %q exists already", s.Table.Name).WithHint("CREATE TABLE IF NOT EXISTS leaves it as it is").Because(&storage.ExistsError{What: "table", Name: s.Table.Name})
	}
	def := storage.TableDef{Name: s.Table.Name, PrimaryKey: -1}
	for i := range s.Columns {
		c := &s.Columns[i]
		col, err := b.columnDef(c, s.Table.Name)
		if err != nil {
			return nil, err
		}
		if def.Column(col.Name) >= 0 {
			return nil, parse.Errorf(c.Pos, "column %q is there twice", col.Name)
		}
		if c.PrimaryKey {
			if def.PrimaryKey >= 0 {
				return nil, parse.Errorf(c.Pos, "a table has one primary key; %s is it already", def.Columns[def.PrimaryKey].Name)
			}
			if k := col.Type.Kind; k == value.Vector || k == value.JSON || k == value.Real {
				return nil, parse.Errorf(c.Pos, "%v can't be a primary key", col.Type).WithHint("TEXT or INTEGER can")
			}
			def.PrimaryKey = i
			col.NotNull = true
		}
		def.Columns = append(def.Columns, col)
	}
	if b.in.Describe {
		return done(), nil
	}
	_, err := b.in.Tx.CreateTable(b.ctx, def)
	return done(), errorAt(s.Table.Pos, err)
}

// columnDef checks the definition of a column.
func (b *binder) columnDef(c *parse.ColumnDef, table string) (storage.ColumnDef, error) {
	col := storage.ColumnDef{Name: c.Name.Name, Type: c.Type.Type, NotNull: c.NotNull}
	if !c.Encoder.Value.IsNull() {
		if col.Type.Kind != value.Vector {
			return col, parse.Errorf(c.Encoder.Pos, "ENCODER is for VECTOR columns; %s is %v", col.Name, col.Type)
		}
		col.Encoder = c.Encoder.Value.Str()
		if err := b.encoderName(c.Encoder); err != nil {
			return col, err
		}
		enc, err := b.find(col.Encoder, "")
		if err != nil {
			return col, encoderError(c.Encoder.Pos, err)
		}
		if err := b.capable(enc); err != nil {
			return col, errorAt(c.Encoder.Pos, err)
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
			return col, parse.Errorf(c.Type.Pos, "VECTOR needs a dimension, such as VECTOR(512), or an encoder: VECTOR ENCODER 'name'")
		}
		if col.Type.Dim > value.MaxDim {
			return col, parse.Errorf(c.Type.Pos, "a vector has at most %d dimensions", value.MaxDim)
		}
	}
	if c.Default != nil {
		x, err := b.expr(&scope{inside: "DEFAULT"}, c.Default)
		if err != nil {
			return col, err
		}
		if x.waits() || x.uses(opSubquery) || x.uses(opExists) || x.uses(opInQuery) {
			return col, parse.Errorf(c.Default.Position(), "DEFAULT can't have a subquery")
		}
		def := &storage.TableDef{Name: table, Columns: []storage.ColumnDef{col}}
		if _, err := b.store(x, def, 0, fn.Assignment); err != nil {
			return col, err
		}
		col.Default = c.Default.String()
	}
	return col, nil
}

// capable warns of what an encoder can't do, now and not when it is needed. One
// that can do nothing is refused.
func (b *binder) capable(enc encoder.Encoder) error {
	c, ok := enc.(encoder.Capable)
	if !ok || b.in.Describe {
		return nil
	}
	texts, pictures := c.Can()
	if texts != nil && pictures != nil {
		return fmt.Errorf("%w; %w", texts, pictures)
	}
	if err := cmp.Or(texts, pictures); err != nil && b.in.Warn != nil {
		b.in.Warn(err.Error())
	}
	return nil
}

func (b *binder) dropTable(s *parse.DropTable) (*Plan, error) {
	if _, err := b.table(s.Table); err != nil {
		if _, ok := err.(*parse.Error); ok && s.IfExists {
			return done(), nil
		}
		return nil, err
	}
	if b.in.Describe {
		return done(), nil
	}
	return done(), errorAt(s.Table.Pos, b.in.Tx.DropTable(b.ctx, s.Table.Name))
}

// alterTable runs ALTER TABLE.
func (b *binder) alterTable(s *parse.AlterTable) (*Plan, error) {
	table, err := b.table(s.Table)
	if err != nil {
		return nil, err
	}
	if b.in.Describe {
		return done(), nil
	}
	if r, ok := s.Action.(*parse.Retrain); ok {
		return b.retrain(r, table.Def())
	}
	def, tx := table.Def(), b.in.Tx
	switch a := s.Action.(type) {
	case *parse.RenameTable:
		err = errorAt(a.To.Pos, tx.RenameTable(b.ctx, def.Name, a.To.Name))
	case *parse.RenameColumn:
		if _, err = tableColumn(def, a.From); err != nil {
			return nil, err
		}
		err = errorAt(a.To.Pos, tx.RenameColumn(b.ctx, def.Name, a.From.Name, a.To.Name))
	case *parse.DropColumn:
		if _, err = tableColumn(def, a.Column); err != nil {
			if a.IfExists {
				return done(), nil
			}
			return nil, err
		}
		err = errorAt(a.Column.Pos, tx.DropColumn(b.ctx, def.Name, a.Column.Name))
	case *parse.AddColumn:
		err = b.addColumn(a, def)
	case *parse.SetEncoder:
		err = b.setEncoder(a, table)
	default:
		err = parse.Errorf(s.Pos, "internal error: unknown action %T", a)
	}
	return done(), err
}

func (b *binder) addColumn(a *parse.AddColumn, def *storage.TableDef) error {
	if def.Column(a.Column.Name.Name) >= 0 {
		if a.IfNotExists {
			return nil
		}
		return parse.Errorf(a.Column.Pos, "column %q exists already in %s", a.Column.Name.Name, def.Name).Because(&storage.ExistsError{What: "column", Name: a.Column.Name.Name})
	}
	if a.Column.PrimaryKey {
		return parse.Errorf(a.Column.Pos, "a column that is added can't be the primary key")
	}
	col, err := b.columnDef(&a.Column, def.Name)
	if err != nil {
		return err
	}
	x, err := b.defaultOf(&storage.TableDef{Name: def.Name, Columns: []storage.ColumnDef{col}}, 0, a.Column.Pos)
	if err != nil {
		return err
	}
	c, err := (&builder{binder: b}).compile(newLayout(nil), x)
	if err != nil {
		return err
	}
	v, err := c.Eval(b.fnctx, &value.Batch{Len: 1}, nil)
	if err != nil {
		return err
	}
	if v.At(0).IsNull() && col.NotNull {
		if t, err := b.in.Tx.Table(def.Name); err == nil && t.Rows() > 0 {
			return parse.Errorf(a.Column.Pos, "column %s is NOT NULL, but the rows of %s have no value for it", col.Name, def.Name).WithHint("add DEFAULT value")
		}
	}
	return errorAt(a.Column.Pos, b.in.Tx.AddColumn(b.ctx, def.Name, col, v.At(0)))
}

// encoderName refuses what may lead to a folder where statements may not use files: only
// a plain name is looked up among the models alone.
func (b *binder) encoderName(l parse.Literal) error {
	name := l.Value.Str()
	if b.in.NoFiles && (strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~")) {
		return parse.Errorf(l.Pos, "this program does not let statements use files; ENCODER takes the name of an encoder, not a path")
	}
	return nil
}

// setEncoder binds a vector column to an encoder. Vectors of another one can't be
// compared with its texts, so that needs FORCE unless the column is empty.
func (b *binder) setEncoder(a *parse.SetEncoder, table *storage.Table) error {
	def := table.Def()
	ord := -1
	if a.Column.Name != "" {
		var err error
		if ord, err = tableColumn(def, a.Column); err != nil {
			return err
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
				return parse.Errorf(a.Pos, "%s has several vector columns; write ALTER COLUMN name SET ENCODER ...", def.Name)
			}
		}
		if ord < 0 {
			return parse.Errorf(a.Pos, "%s has no vector column", def.Name)
		}
	}
	c := &def.Columns[ord]
	if c.Type.Kind != value.Vector {
		return parse.Errorf(a.Column.Pos, "ENCODER is for VECTOR columns; %s is %v", c.Name, c.Type)
	}
	if err := b.encoderName(a.Encoder); err != nil {
		return err
	}
	enc, err := b.find(a.Encoder.Value.Str(), "")
	if err != nil {
		return encoderError(a.Encoder.Pos, err)
	}
	if err := b.capable(enc); err != nil {
		return errorAt(a.Encoder.Pos, err)
	}
	m := enc.Model()
	if m.Dim != c.Type.Dim {
		return parse.Errorf(a.Encoder.Pos, "encoder %s makes vectors of %d dimensions, %s has %d", m.Name, m.Dim, c.Name, c.Type.Dim)
	}
	if c.Model.Hash != "" && c.Model.Hash != m.Hash && !a.Force && table.Rows() > 0 {
		return &PlacedError{a.Encoder.Pos, &encoder.MismatchError{Table: def.Name, Column: c.Name, Stored: c.Model, Given: m}}
	}
	return errorAt(a.Encoder.Pos, b.in.Tx.SetColumnModel(b.ctx, def.Name, c.Name, a.Encoder.Value.Str(), m))
}

func (b *binder) createIndex(s *parse.CreateIndex) (*Plan, error) {
	table, err := b.table(s.Table)
	if err != nil {
		return nil, err
	}
	def := table.Def()
	ords, err := targetColumns(def, s.Columns)
	if err != nil {
		return nil, err
	}
	index := storage.IndexDef{Name: s.Index.Name, Unique: s.Unique}
	parts := []string{def.Name}
	for i, o := range ords {
		c := &def.Columns[o]
		if c.Type.Kind == value.Vector {
			return nil, parse.Errorf(s.Columns[i].Pos, "%s is a vector: searches over it need no index", c.Name)
		}
		index.Columns = append(index.Columns, c.ID)
		parts = append(parts, c.Name)
	}
	if index.Name == "" {
		index.Name = strings.Join(append(parts, "idx"), "_")
	}
	if s.IfNotExists {
		for _, d := range b.view.Tables() {
			if d.Index(index.Name) != nil {
				return done(), nil
			}
		}
	}
	if b.in.Describe {
		return done(), nil
	}
	err = b.in.Tx.CreateIndex(b.ctx, def.Name, index, func(stage string, n, total uint64) {
		if b.in.Progress != nil {
			b.in.Progress(exec.Progress{Stage: stage, Done: int64(n), Total: int64(total), Unit: "rows"})
		}
	})
	return done(), errorAt(s.Index.Pos, err)
}

func (b *binder) dropIndex(s *parse.DropIndex) (*Plan, error) {
	var names []string
	for _, d := range b.view.Tables() {
		for _, x := range d.Indexes {
			names = append(names, x.Name)
		}
	}
	found := false
	for _, n := range names {
		found = found || n == s.Index.Name
	}
	if !found {
		if s.IfExists {
			return done(), nil
		}
		return nil, parse.Errorf(s.Index.Pos, "no index %q", s.Index.Name).WithHint("%s", didYouMean(s.Index.Name, names)).Because(&storage.NoIndexError{Index: s.Index.Name})
	}
	if b.in.Describe {
		return done(), nil
	}
	err := b.in.Tx.DropIndex(b.ctx, s.Index.Name)
	var missing *storage.NoIndexError
	if errors.As(err, &missing) && s.IfExists {
		err = nil
	}
	return done(), errorAt(s.Index.Pos, err)
}

// retrain plans ALTER TABLE t RETRAIN [c]: the codes of vector columns are made
// anew for the vectors there are now.
func (b *binder) retrain(a *parse.Retrain, def *storage.TableDef) (*Plan, error) {
	if err := b.outside(a.Pos, "RETRAIN"); err != nil {
		return nil, err
	}
	var cols []string
	if a.Column.Name != "" {
		i, err := tableColumn(def, a.Column)
		if err != nil {
			return nil, err
		}
		if def.Columns[i].Type.Kind != value.Vector {
			return nil, parse.Errorf(a.Column.Pos, "RETRAIN is for VECTOR columns; %s is %v", a.Column.Name, def.Columns[i].Type)
		}
		cols = []string{a.Column.Name}
	} else {
		for i := range def.Columns {
			if def.Columns[i].Type.Kind == value.Vector {
				cols = append(cols, def.Columns[i].Name)
			}
		}
		if len(cols) == 0 {
			return nil, parse.Errorf(a.Pos, "%s has no vector column", def.Name)
		}
	}
	return &Plan{Root: &exec.Task{Text: "Retrain " + def.Name, Run: func(ctx context.Context) (*value.Batch, error) {
		samples, err := b.querySamples(ctx, def)
		if err != nil {
			return nil, err
		}
		for _, c := range cols {
			if err := b.in.Store.RetrainColumn(ctx, def.Name, c, samples[def.Column(c)], b.progress); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}}}, nil
}
