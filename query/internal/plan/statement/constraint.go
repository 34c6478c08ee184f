package statement

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// transactional reports whether rows go into the table by transactions only, not past the log: what
// they refer to, and the number after the highest, are looked up as they are then.
func transactional(def *storage.TableDef) bool {
	for i := range def.Columns {
		if def.Columns[i].Identity {
			return true
		}
	}
	return len(def.References) > 0
}

// constraintName names a constraint that has no name as PostgreSQL does.
func constraintName(given parse.Ident, table string, columns []parse.Ident, suffix string, taken func(string) bool) string {
	if given.Name != "" {
		return given.Name
	}
	parts := []string{table}
	for _, c := range columns {
		parts = append(parts, c.Name)
	}
	if suffix == "pkey" {
		parts = parts[:1]
	}
	name := strings.Join(append(parts, suffix), "_")
	for i, base := 1, name; taken(name); i++ {
		name = fmt.Sprintf("%s%d", base, i)
	}
	return name
}

// constraintsOf adds the constraints of CREATE TABLE, other than references, to def.
func (b *planner) constraintsOf(def *storage.TableDef, constraints []parse.Constraint) error {
	taken := func(name string) bool {
		for _, d := range b.In.Target().Tables() {
			if d.Index(name) != nil {
				return true
			}
		}
		return def.Index(name) != nil || checkNamed(def, name)
	}
	for i := range constraints {
		k := &constraints[i]
		switch k.Kind {
		case parse.PrimaryKey, parse.Unique:
			ords, err := bind.TargetColumns(def, k.Columns)
			if err != nil {
				return err
			}
			suffix, kind := "key", storage.UniqueConstraint
			if k.Kind == parse.PrimaryKey {
				suffix, kind = "pkey", storage.PrimaryKeyConstraint
			}
			x := storage.IndexDef{Name: constraintName(k.Name, def.Name, k.Columns, suffix, taken), Unique: true, Constraint: kind}
			for _, o := range ords {
				x.Columns = append(x.Columns, uint32(o)) // a position, as CreateTable wants it
				if k.Kind == parse.PrimaryKey {
					def.Columns[o].NotNull = true
				}
				if c := &def.Columns[o]; c.Type.Kind == value.Vector || c.Type.Kind == value.JSON || c.Type.Kind == value.Interval {
					return parse.Errorf(k.Pos, "%s is %v, which has no order: it can't be unique", c.Name, c.Type)
				}
			}
			if len(ords) == 1 && ords[0] == def.PrimaryKey {
				continue // a primary key is unique
			}
			def.Indexes = append(def.Indexes, x)
		case parse.CheckThat:
			check, err := b.checkDef(def, k, taken)
			if err != nil {
				return err
			}
			def.Checks = append(def.Checks, check)
		}
	}
	return nil
}

func checkNamed(def *storage.TableDef, name string) bool {
	for _, c := range def.Checks {
		if c.Name == name {
			return true
		}
	}
	for _, r := range def.References {
		if r.Name == name {
			return true
		}
	}
	return false
}

// checkedColumn is the column that a condition is about, for its name: none where there are several.
func checkedColumn(def *storage.TableDef, e parse.Expr) []parse.Ident {
	var columns []parse.Ident
	parse.Walk(e, func(n parse.Node) bool {
		if c, ok := n.(*parse.ColumnRef); ok {
			id := c.Name
			if i, err := bind.TableColumn(def, c.Name); err == nil {
				id = parse.Ident{Name: def.Columns[i].Name}
			}
			if !slices.ContainsFunc(columns, func(x parse.Ident) bool { return x.Name == id.Name }) {
				columns = append(columns, id)
			}
		}
		return true
	})
	if len(columns) != 1 {
		return nil
	}
	return columns
}

// checkDef checks a CHECK.
func (b *planner) checkDef(def *storage.TableDef, k *parse.Constraint, taken func(string) bool) (storage.CheckDef, error) {
	check := storage.CheckDef{Name: constraintName(k.Name, def.Name, checkedColumn(def, k.Check), "check", taken), Expr: bind.RowCondition(k.Check, def.Name)}
	if checkNamed(def, check.Name) {
		return check, logical.ErrorAt(k.Pos, &storage.ExistsError{What: "constraint", Name: check.Name})
	}
	cond, err := b.Check(def, k.Check)
	if err != nil {
		return check, err
	}
	if cond.Uses(logical.OpSubquery) || cond.Uses(logical.OpExists) || cond.Uses(logical.OpInQuery) || cond.Uses(logical.OpText) || cond.Uses(logical.OpImage) || cond.Deferred(logical.SlotText, logical.SlotCostly, logical.SlotQuery) {
		return check, parse.Errorf(k.Check.Position(), "CHECK can't have a subquery, or a text that is encoded").WithHint("REFERENCES looks into another table")
	}
	bad := false
	parse.Walk(k.Check, func(n parse.Node) bool { _, p := n.(*parse.Param); bad = bad || p; return true })
	if bad {
		return check, parse.Errorf(k.Check.Position(), "CHECK can't have a parameter")
	}
	return check, nil
}

// steps is the plan of a statement that is several ones.
func (b *planner) steps(text string, statements ...parse.Statement) *run.Plan {
	return b.change(text, func(ctx context.Context, r *build.Builder) error {
		for _, s := range statements {
			if _, err := nested(ctx, r, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// nested runs a statement within the run of another one, and returns its rows.
func nested(ctx context.Context, r *build.Builder, s parse.Statement) (rows []*value.Batch, err error) {
	in := *r.In
	in.Env, in.Pos, in.Named = r.Env, nil, nil
	p, err := Make(ctx, &in, s)
	if err != nil {
		return nil, err
	}
	run, _, err := p.Start(ctx, &in)
	if err != nil {
		return nil, err
	}
	err = exec.Drain(ctx, run.Root, func(b *value.Batch) error {
		rows = append(rows, exec.Copy(b))
		return nil
	})
	if e := run.Close(); err == nil {
		err = e
	}
	return rows, err
}

// addConstraint plans ALTER TABLE ... ADD CONSTRAINT.
func (b *planner) addConstraint(k *parse.Constraint, table *storage.Table) (*run.Plan, error) {
	def := table.Def()
	taken := func(name string) bool { return def.Index(name) != nil || checkNamed(def, name) }
	name := parse.Ident{Pos: k.Name.Pos, Name: k.Name.Name, Quoted: true}
	target := parse.Ident{Name: def.Name, Quoted: true}
	switch k.Kind {
	case parse.CheckThat:
		check, err := b.checkDef(def, k, taken)
		if err != nil {
			return nil, err
		}
		return b.change("Alter table "+def.Name, func(ctx context.Context, r *build.Builder) error {
			broken := &parse.Select{Limit: &parse.Literal{Value: value.Int(1)}, Body: &parse.Core{
				Items: []parse.SelectItem{{Expr: &parse.Literal{Value: value.Int(1)}}},
				From:  &parse.TableName{Table: target},
				Where: &parse.Unary{Op: parse.OpNot, X: k.Check},
			}}
			rows, err := nested(ctx, r, broken)
			if err == nil && len(rows) > 0 {
				err = &storage.CheckError{Table: def.Name, Constraint: check.Name, Condition: check.Expr, Existing: true}
			}
			if err != nil {
				return logical.ErrorAt(k.Pos, err)
			}
			return logical.ErrorAt(k.Pos, r.Env.Tx.AddCheck(ctx, def.Name, check))
		}), nil
	case parse.PrimaryKey, parse.Unique:
		suffix, kind := "key", storage.UniqueConstraint
		var before []parse.Statement
		if k.Kind == parse.PrimaryKey {
			suffix, kind = "pkey", storage.PrimaryKeyConstraint
			if def.PrimaryKey >= 0 {
				return nil, parse.Errorf(k.Pos, "a table has one primary key; %s is it already", def.Columns[def.PrimaryKey].Name)
			}
			for _, c := range k.Columns {
				before = append(before, &parse.AlterTable{Table: target, Action: &parse.SetNotNull{Column: c, NotNull: true}})
			}
		}
		name.Name = constraintName(k.Name, def.Name, k.Columns, suffix, taken)
		if taken(name.Name) {
			return nil, logical.ErrorAt(k.Pos, &storage.ExistsError{What: "constraint", Name: name.Name})
		}
		index := &parse.CreateIndex{Pos: k.Pos, Unique: true, Index: name, Table: target, Columns: k.Columns, Constraint: kind}
		return b.steps("Alter table "+def.Name, append(before, index)...), nil
	}
	return b.addReference(k, table)
}

// dropConstraint plans ALTER TABLE ... DROP CONSTRAINT.
func (b *planner) dropConstraint(a *parse.DropConstraint, table *storage.Table) (*run.Plan, error) {
	def := table.Def()
	for _, x := range def.Indexes {
		if x.Unique && a.Name.Means(x.Name) {
			name := parse.Ident{Pos: a.Name.Pos, Name: x.Name, Quoted: true}
			return b.steps("Alter table "+def.Name, &parse.DropIndex{Pos: a.Pos, Indexes: []parse.Ident{name}}), nil
		}
	}
	var names []string
	for _, x := range def.Checks {
		names = append(names, x.Name)
	}
	for _, x := range def.References {
		names = append(names, x.Name)
	}
	for _, n := range names {
		if a.Name.Means(n) {
			return b.change("Alter table "+def.Name, func(ctx context.Context, r *build.Builder) error {
				return logical.ErrorAt(a.Name.Pos, r.Env.Tx.DropConstraint(ctx, def.Name, n))
			}), nil
		}
	}
	if a.IfExists {
		return b.done(), nil
	}
	return nil, parse.Errorf(a.Name.Pos, "no constraint %q in %s", a.Name.Name, def.Name).WithHint("%s", hint.Question(a.Name.Name, names))
}

// alterColumn plans ALTER COLUMN ... SET and DROP of DEFAULT and NOT NULL.
func (b *planner) alterColumn(pos parse.Pos, table *storage.Table, id parse.Ident, before func(ctx context.Context, r *build.Builder, c *storage.ColumnDef) error, change func(c *storage.ColumnDef)) (*run.Plan, error) {
	def := table.Def()
	at, err := bind.TableColumn(def, id)
	if err != nil {
		return nil, err
	}
	return b.change("Alter table "+def.Name, func(ctx context.Context, r *build.Builder) error {
		if before != nil {
			if err := before(ctx, r, &def.Columns[at]); err != nil {
				return logical.ErrorAt(pos, err)
			}
		}
		return logical.ErrorAt(pos, r.Env.Tx.AlterColumn(ctx, def.Name, def.Columns[at].Name, change))
	}), nil
}

func (b *planner) setDefault(a *parse.SetDefaultOf, table *storage.Table) (*run.Plan, error) {
	text := ""
	if a.Default != nil {
		at, err := bind.TableColumn(table.Def(), a.Column)
		if err != nil {
			return nil, err
		}
		if err := b.checkDefault(a.Default, table.Def(), at); err != nil {
			return nil, err
		}
		text = a.Default.String()
	}
	return b.alterColumn(a.Pos, table, a.Column, nil, func(c *storage.ColumnDef) { c.Default, c.Identity = text, false })
}

func (b *planner) setNotNull(a *parse.SetNotNull, table *storage.Table) (*run.Plan, error) {
	def := table.Def()
	var check func(ctx context.Context, r *build.Builder, c *storage.ColumnDef) error
	if a.NotNull {
		check = func(ctx context.Context, r *build.Builder, c *storage.ColumnDef) error {
			rows, err := nested(ctx, r, &parse.Select{Limit: &parse.Literal{Value: value.Int(1)}, Body: &parse.Core{
				Items: []parse.SelectItem{{Expr: &parse.Literal{Value: value.Int(1)}}},
				From:  &parse.TableName{Table: parse.Ident{Name: def.Name, Quoted: true}},
				Where: &parse.IsNull{X: &parse.ColumnRef{Name: parse.Ident{Name: c.Name, Quoted: true}}},
			}})
			if err == nil && len(rows) > 0 {
				err = fmt.Errorf("%s has NULLs in %s", def.Name, c.Name)
			}
			return err
		}
	}
	return b.alterColumn(a.Pos, table, a.Column, check, func(c *storage.ColumnDef) { c.NotNull = a.NotNull })
}

// setType plans ALTER COLUMN ... TYPE: a new column takes the place of the old one. Where only
// what the type says beyond its kind changes, the rows are checked and stay.
func (b *planner) setType(a *parse.SetType, table *storage.Table) (*run.Plan, error) {
	def := table.Def()
	at, err := bind.TableColumn(def, a.Column)
	if err != nil {
		return nil, err
	}
	c := &def.Columns[at]
	if to := a.Type.Type; c.Type.Kind == value.Vector && to.Kind == value.Vector {
		if to.Dim == 0 {
			to.Dim = c.Type.Dim
		}
		if to.Dim != c.Type.Dim {
			return nil, parse.Errorf(a.Type.Pos, "%s has %d dimensions, which stay", c.Name, c.Type.Dim)
		}
		return b.change("Alter table "+def.Name, func(ctx context.Context, r *build.Builder) error {
			return logical.ErrorAt(a.Column.Pos, r.Env.Tx.SetVectorType(ctx, def.Name, c.Name, to, progress(r)))
		}), nil
	}
	if c.Type != a.Type.Type {
		return nil, parse.Errorf(a.Type.Pos, "%s.%s is %v and stays that", def.Name, c.Name, c.Type).
			WithHint("a new column can take its place: ALTER TABLE %s ADD COLUMN new %s; UPDATE %s SET new = CAST(%s AS %s); ALTER TABLE %s DROP COLUMN %s; ALTER TABLE %s RENAME COLUMN new TO %s",
				def.Name, a.Type, def.Name, c.Name, a.Type, def.Name, c.Name, def.Name, c.Name)
	}
	if a.Using != nil && !castOfItself(a) {
		return nil, parse.Errorf(a.Using.Position(), "USING is not supported").WithHint("UPDATE %s SET %s = ... changes the values", def.Name, c.Name)
	}
	declared := a.Type.Declared
	check := func(ctx context.Context, r *build.Builder, c *storage.ColumnDef) error {
		if declared == "" {
			return nil
		}
		ref := &parse.ColumnRef{Name: parse.Ident{Name: c.Name, Quoted: true}}
		rows, err := nested(ctx, r, &parse.Select{Limit: &parse.Literal{Value: value.Int(1)}, Body: &parse.Core{
			Items: []parse.SelectItem{{Expr: &parse.Literal{Value: value.Int(1)}}},
			From:  &parse.TableName{Table: parse.Ident{Name: def.Name, Quoted: true}},
			Where: &parse.Binary{Op: parse.OpNe, X: ref, Y: &parse.Cast{X: ref, Type: a.Type}},
		}})
		if err == nil && len(rows) > 0 {
			err = fmt.Errorf("%s has values in %s that are not %s", def.Name, c.Name, declared)
		}
		return err
	}
	return b.alterColumn(a.Pos, table, a.Column, check, func(c *storage.ColumnDef) { c.Declared = declared })
}

// castOfItself reports whether USING says what happens without it: tools write it always.
func castOfItself(a *parse.SetType) bool {
	x := a.Using
	if c, ok := x.(*parse.Cast); ok && c.Type.Type == a.Type.Type && c.Type.Declared == a.Type.Declared {
		x = c.X
	}
	ref, ok := x.(*parse.ColumnRef)
	return ok && ref.Table.Name == "" && ref.Name.Means(a.Column.Name)
}

// setting plans what has no effect here.
func (b *planner) setting(s *parse.Setting) (*run.Plan, error) {
	words := strings.Fields(strings.ToLower(s.Text))
	text := strings.Join(words, " ")
	zone := strings.Contains(text, "timezone") || strings.HasPrefix(text, "set time zone")
	if zone && !strings.Contains(text, "utc") && !strings.Contains(text, "gmt") && words[0] == "set" {
		return nil, parse.Errorf(s.Pos, "times are UTC").WithHint("AT TIME ZONE gives the time on a clock elsewhere")
	}
	if words[0] == "create" && !strings.Contains(text, "vector") && !strings.Contains(text, "pgcrypto") && !strings.Contains(text, "uuid-ossp") && !strings.Contains(text, "pg_trgm") {
		return nil, parse.Errorf(s.Pos, "there are no extensions").WithHint("CREATE EXTENSION vector is accepted: vectors are built in")
	}
	if b.In.Notice != nil && !b.In.Describe {
		note := "has no effect here"
		if words[0] == "create" {
			note = "is not needed: it is built in"
		}
		b.In.Notice(fmt.Sprintf("%s %s", abbreviated(s.Text), note))
	}
	return b.done(), nil
}

func abbreviated(text string) string {
	if len(text) > 60 {
		return strings.ToValidUTF8(text[:60], "") + "..."
	}
	return text
}

func (b *planner) showSetting(s *parse.ShowSetting) (*run.Plan, error) {
	name := strings.ToLower(s.Name.Name)
	v, ok := fn.Settings[name]
	if !ok {
		var names []string
		for n := range fn.Settings {
			names = append(names, n)
		}
		return nil, parse.Errorf(s.Name.Pos, "there is no setting %q", s.Name.Name).
			WithHint("%s", cmp.Or(hint.Question(name, append(names, "tables")), "SHOW TABLES lists the tables, DESCRIBE t the columns of one"))
	}
	if name == "" {
		name = "timezone"
	}
	return b.report([]*logical.Column{{Name: name, Type: logical.TextType}}, [][]value.Value{{value.Str(v)}}), nil
}

// truncate plans TRUNCATE.
func (b *planner) truncate(s *parse.Truncate) (*run.Plan, error) {
	var steps []parse.Statement
	for _, id := range s.Tables {
		t, err := b.Table(id)
		if err != nil {
			return nil, err
		}
		steps = append(steps, &parse.Delete{Pos: id.Pos, Table: parse.Ident{Pos: id.Pos, Name: t.Def().Name, Quoted: true}})
	}
	return b.steps("Truncate", steps...), nil
}

// addReference plans the adding of a FOREIGN KEY.
func (b *planner) addReference(k *parse.Constraint, table *storage.Table) (*run.Plan, error) {
	def := table.Def()
	parent, err := b.Table(k.References.Table)
	if err != nil {
		return nil, err
	}
	if b.In.ToTemp != b.In.IsTemp(k.References.Table) {
		return nil, parse.Errorf(k.References.Pos, "a temporary table and a table of the store do not refer to one another").WithHint("a temporary copy can be referred to: CREATE TEMP TABLE ... AS SELECT")
	}
	to := parent.Def()
	ords, err := bind.TargetColumns(def, k.Columns)
	if err != nil {
		return nil, err
	}
	taken := func(name string) bool { return def.Index(name) != nil || checkNamed(def, name) }
	ref := storage.ReferenceDef{Name: constraintName(k.Name, def.Name, k.Columns, "fkey", taken), Table: to.Name}
	if checkNamed(def, ref.Name) {
		return nil, logical.ErrorAt(k.Pos, &storage.ExistsError{What: "constraint", Name: ref.Name})
	}
	keys, err := referredColumns(to, k.References)
	if err != nil {
		return nil, err
	}
	if len(keys) != len(ords) {
		return nil, parse.Errorf(k.References.Pos, "%s for a key of %s", logical.Counted(len(ords), "column"), logical.Counted(len(keys), "column"))
	}
	for i, o := range ords {
		c, p := &def.Columns[o], &to.Columns[keys[i]]
		if c.Type != p.Type {
			return nil, parse.Errorf(k.Columns[i].Pos, "%s is %v, but %s of %s is %v", c.Name, c.Type, p.Name, to.Name, p.Type)
		}
		ref.Columns, ref.Key = append(ref.Columns, c.ID), append(ref.Key, p.ID)
	}
	actions := map[parse.RefAction]storage.RefAction{parse.NoAction: storage.Refuse, parse.Cascade: storage.Cascade, parse.SetNull: storage.SetNull}
	ref.OnDelete, ref.OnUpdate = actions[k.References.OnDelete], actions[k.References.OnUpdate]
	return b.change("Alter table "+def.Name, func(ctx context.Context, r *build.Builder) error {
		return logical.ErrorAt(k.Pos, r.Env.Tx.AddReference(ctx, def.Name, ref))
	}), nil
}

// referredColumns finds the key that REFERENCES means.
func referredColumns(to *storage.TableDef, r *parse.Reference) ([]int, error) {
	if len(r.Columns) > 0 {
		keys, err := bind.TargetColumns(to, r.Columns)
		if err == nil && bind.UniqueOn(to, keys) == nil {
			err = parse.Errorf(r.Columns[0].Pos, "REFERENCES needs the primary key of %s, or columns that are UNIQUE", to.Name)
		}
		return keys, err
	}
	if to.PrimaryKey >= 0 {
		return []int{to.PrimaryKey}, nil
	}
	for i := range to.Indexes {
		x := &to.Indexes[i]
		if x.Unique && strings.HasSuffix(x.Name, "_pkey") {
			var keys []int
			for _, id := range x.Columns {
				keys = append(keys, to.ColumnID(id))
			}
			return keys, nil
		}
	}
	return nil, parse.Errorf(r.Pos, "%s has no primary key", to.Name).WithHint("name the columns: REFERENCES %s (column)", to.Name)
}
