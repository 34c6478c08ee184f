package statement

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/query/foreign"
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

// attach plans ATTACH 'address' AS name.
func (b *planner) attach(s *parse.Attach) (*run.Plan, error) {
	if s.Name.Means("public") || s.Name.Means("information_schema") {
		return nil, parse.Errorf(s.Name.Pos, "a database can't be called %s, which names something else already", s.Name)
	}
	address, err := b.Text(s.Address, "ATTACH", "the address of a database")
	if err != nil {
		return nil, err
	}
	if b.In.NoFiles {
		return nil, parse.Errorf(s.Pos, "ATTACH is not allowed here: this store reads nothing else for its statements")
	}
	return b.change("Attach "+s.Name.Name, func(ctx context.Context, r *build.Builder) error {
		if s.IfNotExists && b.In.Attached.Find(s.Name.Name) != nil {
			return nil
		}
		if s.Persist && foreign.Secret(address) {
			return parse.Errorf(s.Address.Position(), "the address has a password in it, which the store does not keep; ~/.pgpass, PGPASSWORD or PGSERVICE give it at every opening")
		}
		if err := b.In.Attached.Attach(ctx, s.Name.Name, address); err != nil {
			return logical.ErrorAt(s.Address.Position(), err)
		}
		if !s.Persist {
			return nil
		}
		err := remember(ctx, r, s.Name.Name, address)
		if err != nil {
			b.In.Attached.Detach(s.Name.Name)
		}
		return err
	}), nil
}

// remember writes down which database is attached under a name.
func remember(ctx context.Context, r *build.Builder, name, address string) error {
	text := func(s string) parse.Expr { return &parse.Literal{Value: value.Str(s)} }
	table, nameIs, addressIs := exactly(bind.Remembered), exactly("name"), exactly("address")
	textType := parse.Type{Type: logical.TextType}
	if _, err := nested(ctx, r, &parse.CreateTable{IfNotExists: true, Table: table, Columns: []parse.ColumnDef{
		{Name: nameIs, Type: textType, PrimaryKey: true}, {Name: addressIs, Type: textType, NotNull: true}}}); err != nil {
		return err
	}
	_, err := nested(ctx, r, &parse.Insert{Table: table, Columns: []parse.Ident{nameIs, addressIs},
		Query:      &parse.Select{Body: &parse.Values{Rows: [][]parse.Expr{{text(name), text(address)}}}},
		OnConflict: &parse.OnConflict{Columns: []parse.Ident{nameIs}, Set: []parse.Assignment{{Column: addressIs, Value: text(address)}}}})
	return err
}

// detach plans DETACH name. A database that is remembered is forgotten, be it reached or not.
func (b *planner) detach(s *parse.Detach) (*run.Plan, error) {
	name := parse.Ident{Pos: s.Name.Pos, Database: s.Name.Name}
	attached := b.In.Attached.Find(s.Name.Name) != nil
	as, err := b.Remembers(name)
	switch {
	case err != nil:
		return nil, logical.ErrorAt(s.Name.Pos, err)
	case attached || as != "":
	case s.IfExists:
		return b.done(), nil
	default:
		_, err := b.Attached(name)
		return nil, err
	}
	return b.change("Detach "+s.Name.Name, func(ctx context.Context, r *build.Builder) error {
		if as != "" {
			if _, err := nested(ctx, r, &parse.Delete{Table: exactly(bind.Remembered), Where: &parse.Binary{Op: "=",
				X: &parse.ColumnRef{Name: exactly("name")}, Y: &parse.Literal{Value: value.Str(as)}}}); err != nil {
				return err
			}
		}
		if !attached {
			return nil
		}
		return logical.ErrorAt(s.Name.Pos, b.In.Attached.Detach(s.Name.Name))
	}), nil
}

// showDatabases plans SHOW DATABASES.
func (b *planner) showDatabases() (*run.Plan, error) {
	cols := []*logical.Column{{Name: "database", Type: logical.TextType}, {Name: "address", Type: logical.TextType}}
	var rows [][]value.Value
	for _, a := range b.In.Attached.All() {
		rows = append(rows, []value.Value{value.Str(a.Name), value.Str(a.Database.String())})
	}
	return b.report(cols, rows), nil
}

// anyTable finds a table of the store or of an attached database: its definition, and its scan.
func (b *planner) anyTable(name parse.Ident) (*storage.TableDef, *logical.Relation, error) {
	if name.Database != "" {
		t, err := b.Remote(name)
		if err != nil {
			return nil, nil, err
		}
		return t.Def, bind.RemoteScan(t, name.Name), nil
	}
	t, err := b.Table(name)
	if err != nil {
		return nil, nil, err
	}
	return t.Def(), bind.ScanOf(t, t.Def().Name), nil
}

// remoteInsert plans INSERT into a table of an attached database.
func (b *planner) remoteInsert(s *parse.Insert) (*run.Plan, error) {
	n, err := b.RemoteInsert(s)
	if err != nil {
		return nil, err
	}
	return b.remoteLoad(n.Table, n.Rows, n.Opts, Import(s))
}

// remoteCopy plans COPY into a table of an attached database.
func (b *planner) remoteCopy(s *parse.CopyFrom) (*run.Plan, error) {
	table, err := b.Remote(s.Table)
	if err != nil {
		return nil, err
	}
	ords, err := bind.TargetColumns(table.Def, s.Columns)
	if err != nil {
		return nil, err
	}
	src, err := b.files(s, table.Def, ords)
	if err != nil {
		return nil, err
	}
	rows, err := b.RemoteRows(src, table.Def, ords, fn.Explicit)
	if err != nil {
		return nil, err
	}
	return b.remoteLoad(table, rows, foreign.Insert{Columns: ords}, false)
}

// remoteLoad plans the adding of rows.
func (b *planner) remoteLoad(table *bind.RemoteTable, rows *logical.Project, opts foreign.Insert, portions bool) (*run.Plan, error) {
	use := optimize.Kept
	if opts.Skip || len(opts.Conflict) > 0 {
		use = optimize.InOrder
	}
	out, err := b.improved(&logical.Relation{Node: rows, Cols: rows.Outs}, use)
	if err != nil {
		return nil, err
	}
	b.Once = true
	return b.planned(nil, func(b *build.Builder) (exec.Operator, func() int64, error) {
		child, err := b.Root(out.Node, out.Cols)
		if err != nil {
			return nil, nil, err
		}
		op := exec.NewRemoteInsert(child, &b.Env, table.In, table.Table, opts)
		op.Portions = portions
		return b.Analyzed(op), func() int64 { return op.Affected }, nil
	}), nil
}

// remoteChange plans UPDATE or DELETE.
func (b *planner) remoteChange(n *bind.RemoteChange, err error, what string) (*run.Plan, error) {
	if err != nil {
		return nil, err
	}
	affected := int64(0)
	b.Once = true
	return b.planned(nil, func(r *build.Builder) (exec.Operator, func() int64, error) {
		var params []*logical.Expr
		var set []foreign.Assignment
		for i, e := range n.Items {
			x, _ := n.Scan.Foreign(e, &params)
			set = append(set, foreign.Assignment{Column: n.Cols[i], Expr: x})
		}
		var where []*foreign.Expr
		for _, f := range n.Scan.Filters {
			x, _ := n.Scan.Foreign(f, &params)
			where = append(where, x)
		}
		args, err := r.CompileAll(compile.NewLayout(nil), params)
		if err != nil {
			return nil, nil, err
		}
		task := &exec.Task{Text: what + " in " + n.Table.In.Name + "." + n.Table.Table.Name, Run: func(ctx context.Context) (_ *value.Batch, err error) {
			values, err := exec.Fixed(&r.Fnctx, args)
			if err != nil {
				return nil, err
			}
			db := n.Table.In.Database
			if set == nil {
				affected, err = db.Delete(ctx, n.Table.Table, where, values)
			} else {
				affected, err = db.Update(ctx, n.Table.Table, set, where, values)
			}
			return nil, exec.RemoteError(n.Table.In, err)
		}}
		return task, func() int64 { return affected }, nil
	}), nil
}

// remoteCreate plans CREATE TABLE in an attached database.
func (b *planner) remoteCreate(s *parse.CreateTable) (*run.Plan, error) {
	at, err := b.Attached(s.Table)
	if err != nil {
		return nil, err
	}
	if _, err := b.Remote(s.Table); err == nil {
		if s.IfNotExists {
			return b.done(), nil
		}
		return nil, parse.Errorf(s.Table.Pos, "table %s exists already", s.Table).WithHint("CREATE TABLE IF NOT EXISTS leaves it as it is")
	} else if missing := new(foreign.NoTableError); !errors.As(err, &missing) {
		return nil, err
	}
	t := &foreign.Table{Name: s.Table.Name}
	for i := range s.Columns {
		c := &s.Columns[i]
		col, err := b.columnDef(c, s.Table.Name)
		if err != nil {
			return nil, err
		}
		if c.Default != nil {
			return nil, parse.Errorf(c.Default.Position(), "DEFAULT is for the store's own tables: the database would compute it in its own way")
		}
		if c.PrimaryKey {
			t.Key = append(t.Key, i)
		}
		t.Columns = append(t.Columns, foreign.Column{Name: col.Name, Type: col.Type, Foreign: col.Declared, NotNull: col.NotNull, Default: col.Identity, Encoder: col.Encoder, Model: col.Model})
	}
	for _, k := range s.Constraints {
		if k.Kind != parse.PrimaryKey {
			return nil, parse.Errorf(k.Pos, "in an attached database, CREATE TABLE takes PRIMARY KEY and NOT NULL; other constraints are made there")
		}
		for _, name := range k.Columns {
			found := false
			for i := range t.Columns {
				if name.Means(t.Columns[i].Name) {
					t.Key, found = append(t.Key, i), true
				}
			}
			if !found {
				return nil, parse.Errorf(name.Pos, "there is no column %q for the primary key", name.Name)
			}
		}
	}
	if s.Query != nil {
		return b.remoteCreateAs(s, at, t)
	}
	return b.change("Create table "+s.Table.String(), func(ctx context.Context, r *build.Builder) error {
		return logical.ErrorAt(s.Table.Pos, createThere(ctx, at, t))
	}), nil
}

func createThere(ctx context.Context, at *foreign.Attached, t *foreign.Table) error {
	err := at.Database.Create(ctx, t)
	at.Forget()
	return exec.RemoteError(at, err)
}

// remoteCreateAs plans CREATE TABLE ... AS query.
func (b *planner) remoteCreateAs(s *parse.CreateTable, at *foreign.Attached, t *foreign.Table) (*run.Plan, error) {
	rel, err := b.Query(s.Query, nil, nil)
	if err != nil {
		return nil, err
	}
	defs, err := columnsOf(s.Query.Pos, rel)
	if err != nil {
		return nil, err
	}
	opts := foreign.Insert{}
	for i, c := range defs {
		t.Columns = append(t.Columns, foreign.Column{Name: c.Name, Type: c.Type, Encoder: c.Encoder, Model: c.Model})
		opts.Columns = append(opts.Columns, i)
	}
	out, err := b.improved(rel, optimize.Kept)
	if err != nil {
		return nil, err
	}
	b.Once = true
	return b.planned(nil, func(r *build.Builder) (exec.Operator, func() int64, error) {
		child, err := r.Root(out.Node, out.Cols)
		if err != nil {
			return nil, nil, err
		}
		affected := int64(0)
		task := &exec.Task{Text: "Create table " + s.Table.String(), Run: func(ctx context.Context) (*value.Batch, error) {
			if err := createThere(ctx, at, t); err != nil {
				return nil, logical.ErrorAt(s.Table.Pos, err)
			}
			made, err := at.Table(ctx, t.Name)
			if err == nil {
				op := exec.NewRemoteInsert(child, &r.Env, at, made, opts)
				_, err = op.Next(ctx)
				affected = op.Affected
			}
			if err != nil && made != nil { // nothing stays of a statement that failed
				at.Database.Drop(context.WithoutCancel(ctx), made)
				at.Forget()
			}
			return nil, err
		}}
		return task, func() int64 { return affected }, nil
	}), nil
}

// remoteDrop plans DROP TABLE in an attached database.
func (b *planner) remoteDrop(s *parse.DropTable) (*run.Plan, error) {
	t, err := b.Remote(s.Tables[0])
	if missing := new(foreign.NoTableError); s.IfExists && errors.As(err, &missing) {
		return b.done(), nil
	}
	if err != nil {
		return nil, err
	}
	if s.Cascade {
		return nil, parse.Errorf(s.Tables[0].Pos, "CASCADE would drop what is not seen from here; drop it there")
	}
	return b.change("Drop table "+s.Tables[0].String(), func(ctx context.Context, r *build.Builder) error {
		err := t.In.Database.Drop(ctx, t.Table)
		t.In.Forget()
		return logical.ErrorAt(s.Tables[0].Pos, exec.RemoteError(t.In, err))
	}), nil
}
