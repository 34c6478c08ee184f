package parse

import (
	"fmt"
	"strings"
)

// printer collects the text of a tree.
type printer struct {
	strings.Builder
	each func(e Expr, from int) // told of every expression once its text is there, or nil
}

// print appends its parts: strings as they are, nodes and lists of nodes in
// their printed form, and true or false as nothing (see opt).
func (p *printer) print(parts ...any) {
	for _, part := range parts {
		switch x := part.(type) {
		case string:
			p.WriteString(x)
		case Ident:
			p.WriteString(x.String())
		case []Ident:
			list(p, x, func(id Ident) { p.print(id) })
		case Expr:
			p.expr(x, precOr)
		case []Expr:
			list(p, x, func(e Expr) { p.expr(e, precOr) })
		case []SelectItem:
			list(p, x, p.item)
		case []Assignment:
			list(p, x, p.assignment)
		case []Option:
			list(p, x, p.option)
		case *ColumnDef:
			p.columnDef(x)
		case *Select:
			p.query(x)
		case Body:
			p.body(x)
		case TableExpr:
			p.table(x)
		case Statement:
			p.statement(x)
		default:
			panic(fmt.Sprintf("parse: cannot print a %T", part))
		}
	}
}

// list prints items with commas between them.
func list[T any](p *printer, items []T, print func(T)) {
	for i, item := range items {
		if i > 0 {
			p.WriteString(", ")
		}
		print(item)
	}
}

// opt returns s if cond holds, to be printed.
func opt(cond bool, s string) string {
	if cond {
		return s
	}
	return ""
}

func sprint(parts ...any) string {
	var p printer
	p.print(parts...)
	return p.String()
}

// Quote returns a name as the language wants it written: in double quotes if
// it is a reserved word or has characters that need them.
func Quote(name string) string {
	if plainName(name) && !Reserved(name) {
		return name
	}
	return quoted(name)
}

// quoted returns a name in double quotes.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteString returns s as a text literal.
func QuoteString(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

func (p *printer) statement(s Statement) {
	switch s := s.(type) {
	case *CreateTable:
		p.print("CREATE ", opt(s.Temp, "TEMP "), "TABLE ", opt(s.IfNotExists, "IF NOT EXISTS "), s.Table)
		onCommit := [...]string{"", " ON COMMIT DELETE ROWS", " ON COMMIT DROP"}[s.OnCommit]
		if s.Query != nil {
			p.print(onCommit, " AS ", s.Query)
			break
		}
		p.print(" (")
		for i := range s.Columns {
			p.print(opt(i > 0, ", "), &s.Columns[i])
		}
		for i := range s.Constraints {
			p.print(", ")
			p.constraint(&s.Constraints[i])
		}
		p.print(")", onCommit)
	case *Attach:
		p.print("ATTACH ", opt(s.IfNotExists, "IF NOT EXISTS "), s.Address, " AS ", s.Name, opt(s.Persist, " PERSIST"))
	case *Detach:
		p.print("DETACH ", opt(s.IfExists, "IF EXISTS "), s.Name)
	case *ShowDatabases:
		p.print("SHOW DATABASES")
	case *DropTable:
		p.print("DROP TABLE ", opt(s.IfExists, "IF EXISTS "), s.Tables, opt(s.Cascade, " CASCADE"))
	case *CreateView, *DropView, *RenameView:
		p.view(s)
	case *Truncate:
		p.print("TRUNCATE ", s.Tables, opt(s.Restart, " RESTART IDENTITY"), opt(s.Cascade, " CASCADE"))
	case *Setting:
		p.print(s.Text)
	case *ShowSetting:
		if s.Name.Name == "" {
			p.print("SHOW TIME ZONE")
			break
		}
		p.print("SHOW ", s.Name)
	case *AlterTable:
		p.print("ALTER TABLE ", s.Table, " ")
		p.alter(s.Action)
		for _, a := range s.More {
			p.print(", ")
			p.alter(a)
		}
	case *CreateIndex:
		p.print("CREATE ", opt(s.Unique, "UNIQUE "), "INDEX ", opt(s.IfNotExists, "IF NOT EXISTS "))
		if s.Index.Name != "" {
			p.print(s.Index, " ")
		}
		p.print("ON ", s.Table)
		if s.Kind.Name != "" {
			p.print(" USING ", s.Kind)
		}
		p.print(" (", s.Columns, ")")
		for i, o := range s.Options {
			p.print(opt(i == 0, " WITH ("), opt(i > 0, ", "), o.Name, " = ", QuoteString(o.Value), opt(i == len(s.Options)-1, ")"))
		}
		p.clause(" WHERE ", s.Where)
	case *DropIndex:
		p.print("DROP INDEX ", opt(s.IfExists, "IF EXISTS "), s.Indexes)
	case *CreateWatch, *DropWatch, *ShowWatches, *Acknowledge:
		p.watch(s)
	case *Insert:
		p.with(&s.With)
		p.print("INSERT INTO ", s.Table)
		p.alias(s.Alias, nil)
		p.columns(s.Columns)
		if s.Query != nil {
			p.print(" ", s.Query)
		} else {
			p.print(" DEFAULT VALUES")
		}
		if s.OnConflict != nil {
			p.print(" ")
			p.onConflict(s.OnConflict)
		}
		p.returning(s.Returning)
	case *Update:
		p.with(&s.With)
		p.print("UPDATE ", s.Table)
		p.alias(s.Alias, nil)
		p.print(" SET ", s.Set)
		if s.From != nil {
			p.print(" FROM ", s.From)
		}
		p.clause(" WHERE ", s.Where)
		p.returning(s.Returning)
	case *Delete:
		p.with(&s.With)
		p.print("DELETE FROM ", s.Table)
		p.alias(s.Alias, nil)
		if s.Using != nil {
			p.print(" USING ", s.Using)
		}
		p.clause(" WHERE ", s.Where)
		p.returning(s.Returning)
	case *Select:
		p.query(s)
	case *CopyFrom:
		p.print("COPY ", s.Table)
		p.columns(s.Columns)
		p.print(" FROM ", s.Files)
		p.options(s.Options)
	case *CopyTo:
		p.print("COPY ")
		if s.Query != nil {
			p.print("(", s.Query, ")")
		} else {
			p.print(s.Table)
			p.columns(s.Columns)
		}
		p.print(" TO ", s.File)
		p.options(s.Options)
	case *Explain:
		if s.JSON {
			p.print("EXPLAIN (", opt(s.Analyze, "ANALYZE, "), "FORMAT JSON) ", s.Statement)
			break
		}
		p.print("EXPLAIN ", opt(s.Analyze, "ANALYZE "), s.Statement)
	case *Savepoint:
		p.print([...]string{"SAVEPOINT ", "RELEASE ", "ROLLBACK TO "}[s.What], s.Name)
	case *Begin:
		p.print("BEGIN", opt(s.ReadOnly, " READ ONLY"))
	case *Commit:
		p.print("COMMIT")
	case *Rollback:
		p.print("ROLLBACK")
	case *ShowTables:
		p.print("SHOW TABLES")
	case *Describe:
		p.print("DESCRIBE ", s.Table)
	case *Backup:
		p.print("BACKUP TO ", s.Dir)
		p.options(s.Options)
	case *Check:
		p.print("CHECK")
	case *Vacuum:
		p.print("VACUUM")
		if s.Table.Name != "" {
			p.print(" ", s.Table)
		}
	}
}

func (p *printer) alter(a AlterAction) {
	switch a := a.(type) {
	case *AddColumn:
		p.print("ADD COLUMN ", opt(a.IfNotExists, "IF NOT EXISTS "), &a.Column)
		for i := range a.Constraints {
			p.print(" ")
			p.columnConstraint(&a.Constraints[i])
		}
	case *AddConstraint:
		p.print("ADD ")
		p.constraint(&a.Constraint)
	case *DropConstraint:
		p.print("DROP CONSTRAINT ", opt(a.IfExists, "IF EXISTS "), a.Name)
	case *SetDefaultOf:
		p.print("ALTER COLUMN ", a.Column, opt(a.Default == nil, " DROP DEFAULT"))
		p.clause(" SET DEFAULT ", a.Default)
	case *SetNotNull:
		p.print("ALTER COLUMN ", a.Column, opt(a.NotNull, " SET"), opt(!a.NotNull, " DROP"), " NOT NULL")
	case *SetType:
		p.print("ALTER COLUMN ", a.Column, " TYPE ", a.Type.String())
		p.clause(" USING ", a.Using)
	case *DropColumn:
		p.print("DROP COLUMN ", opt(a.IfExists, "IF EXISTS "), a.Column, opt(a.Cascade, " CASCADE"))
	case *RenameColumn:
		p.print("RENAME COLUMN ", a.From, " TO ", a.To)
	case *RenameTable:
		p.print("RENAME TO ", a.To)
	case *SetEncoder:
		if a.Column.Name != "" {
			p.print("ALTER COLUMN ", a.Column, " ")
		}
		p.print("SET ENCODER ", QuoteEncoder(a.Encoder.Value.Str()))
		p.clause(" REENCODE FROM ", a.From)
		p.print(opt(a.Force, " FORCE"))
	case *Retrain:
		p.print("RETRAIN")
		if a.Column.Name != "" {
			p.print(" ", a.Column)
		}
		if a.For != nil {
			p.print(" FOR (", a.For, ")")
		}
	}
}

func (p *printer) columnDef(c *ColumnDef) {
	p.print(c.Name, " ", c.Type.String(), opt(c.PrimaryKey, " PRIMARY KEY"), opt(c.NotNull, " NOT NULL"),
		opt(c.Identity, " GENERATED BY DEFAULT AS IDENTITY"))
	p.clause(" DEFAULT ", c.Default)
	if !c.Encoder.Value.IsNull() {
		p.print(" ENCODER ", QuoteEncoder(c.Encoder.Value.Str()))
	}
}

// constraint prints a constraint as it stands by itself.
func (p *printer) constraint(k *Constraint) {
	p.constraintName(k)
	switch k.Kind {
	case PrimaryKey:
		p.print("PRIMARY KEY (", k.Columns, ")")
	case Unique:
		p.print("UNIQUE (", k.Columns, ")")
	case CheckThat:
		p.print("CHECK (", k.Check, ")")
	case ForeignKey:
		p.print("FOREIGN KEY (", k.Columns, ") ")
		p.reference(k.References)
	}
}

// columnConstraint prints a constraint as it stands with its column.
func (p *printer) columnConstraint(k *Constraint) {
	switch k.Kind {
	case Unique:
		p.constraintName(k)
		p.print("UNIQUE")
	case ForeignKey:
		p.constraintName(k)
		p.reference(k.References)
	default:
		p.constraint(k)
	}
}

func (p *printer) constraintName(k *Constraint) {
	if k.Name.Name != "" {
		p.print("CONSTRAINT ", k.Name, " ")
	}
}

func (p *printer) reference(r *Reference) {
	p.print("REFERENCES ", r.Table)
	p.columns(r.Columns)
	action := func(on string, a RefAction) {
		if a != NoAction {
			p.print(" ON ", on, [...]string{"", " CASCADE", " SET NULL", " SET DEFAULT"}[a])
		}
	}
	action("DELETE", r.OnDelete)
	action("UPDATE", r.OnUpdate)
}

func (p *printer) alias(alias Ident, columns []Ident) {
	if alias.Name != "" {
		p.print(" AS ", alias)
		p.columns(columns)
	}
}

func (p *printer) columns(columns []Ident) {
	if len(columns) > 0 {
		p.print(" (", columns, ")")
	}
}

// clause prints an expression that may be absent after its keyword.
func (p *printer) clause(keyword string, e Expr) {
	if e != nil {
		p.print(keyword, e)
	}
}

func (p *printer) options(os []Option) {
	if len(os) > 0 {
		p.print(" (", os, ")")
	}
}

func (p *printer) option(o Option) {
	p.print(Ident{Name: o.Name})
	p.clause(" ", o.Value)
}

func (p *printer) returning(items []SelectItem) {
	if len(items) > 0 {
		p.print(" RETURNING ", items)
	}
}

func (p *printer) item(it SelectItem) {
	switch {
	case !it.Star:
		p.print(it.Expr)
		p.alias(it.Alias, nil)
	case it.Table.Name != "":
		p.print(it.Table, ".*")
	default:
		p.print("*")
	}
}

func (p *printer) assignment(a Assignment) { p.print(a.Column, " = ", a.Value) }

func (p *printer) onConflict(c *OnConflict) {
	p.print("ON CONFLICT")
	p.columns(c.Columns)
	p.clause(" WHERE ", c.Of)
	if c.Set == nil {
		p.print(" DO NOTHING")
		return
	}
	p.print(" DO UPDATE SET ", c.Set)
	p.clause(" WHERE ", c.Where)
}

func (p *printer) query(s *Select) {
	for i := range s.With {
		p.print(opt(i == 0, "WITH "), opt(i == 0 && s.Recursive, "RECURSIVE "), opt(i > 0, ", "))
		p.cte(&s.With[i])
	}
	if len(s.With) > 0 {
		p.print(" ")
	}
	p.body(s.Body)
	for i, it := range s.OrderBy {
		p.print(opt(i == 0, " ORDER BY "), opt(i > 0, ", "))
		p.orderItem(it)
	}
	p.clause(" LIMIT ", s.Limit)
	p.print(opt(s.Approx, " APPROX"))
	p.clause(" WITH TARGET ACCURACY ", s.Target)
	if w := s.Within; w != nil {
		p.clause(" WITHIN ", w.Time)
		p.print(opt(w.Unit != "", " "), w.Unit)
	}
	p.clause(" OFFSET ", s.Offset)
	p.print(opt(s.Lock, " FOR UPDATE"))
}

func (p *printer) cte(c *CTE) {
	p.print(c.Name)
	p.columns(c.Columns)
	if c.Change != nil {
		p.print(" AS (", c.Change, ")")
		return
	}
	p.print(" AS (", c.Query, ")")
}

// with prints the WITH before a statement that changes rows.
func (p *printer) with(w *With) {
	for i := range w.With {
		p.print(opt(i == 0, "WITH "), opt(i == 0 && w.Recursive, "RECURSIVE "), opt(i > 0, ", "), &w.With[i])
	}
	p.print(opt(len(w.With) > 0, " "))
}

func (p *printer) orderItem(it OrderItem) {
	p.print(it.Expr,
		opt(it.Direction == Asc, " ASC"), opt(it.Direction == Desc, " DESC"),
		opt(it.Nulls == NullsFirst, " NULLS FIRST"), opt(it.Nulls == NullsLast, " NULLS LAST"))
}

func (p *printer) body(b Body) {
	switch b := b.(type) {
	case *Core:
		p.print("SELECT ", opt(b.Distinct, "DISTINCT "))
		if len(b.DistinctOn) > 0 {
			p.print("DISTINCT ON (", b.DistinctOn, ") ")
		}
		p.print(b.Items)
		if b.From != nil {
			p.print(" FROM ", b.From)
		}
		p.clause(" WHERE ", b.Where)
		if len(b.GroupBy) > 0 {
			p.print(" GROUP BY ", b.GroupBy)
		}
		p.clause(" HAVING ", b.Having)
		for i := range b.Windows {
			p.print(opt(i == 0, " WINDOW "), opt(i > 0, ", "), b.Windows[i].Name, " AS ")
			p.window(b.Windows[i].Window)
		}
		p.clause(" QUALIFY ", b.Qualify)
	case *Values:
		p.print("VALUES ")
		list(p, b.Rows, func(row []Expr) { p.print("(", row, ")") })
	case *Union:
		if left, ok := b.Left.(*Union); ok && b.Op == IntersectOp && left.Op != IntersectOp {
			p.print("(", b.Left, ")")
		} else {
			p.body(b.Left)
		}
		p.print([...]string{" UNION ", " EXCEPT ", " INTERSECT "}[b.Op], opt(b.All, "ALL "))
		if right, ok := b.Right.(*Union); ok && (right.Op != IntersectOp || b.Op == IntersectOp) {
			p.print("(", b.Right, ")")
		} else {
			p.body(b.Right)
		}
	case *Select:
		p.print("(", b, ")")
	}
}

// tableFunc prints a function of FROM with its arguments.
func (p *printer) tableFunc(t *TableFunc) {
	p.print(t.Func, "(", t.Args, opt(len(t.Args) > 0 && len(t.Options) > 0, ", "))
	list(p, t.Options, func(o Option) { p.print(Ident{Name: o.Name}, " => ", o.Value) })
	p.print(")")
}

func (p *printer) table(t TableExpr) {
	switch t := t.(type) {
	case *TableName:
		p.print(t.Table)
		p.alias(t.Alias, t.Columns)
	case *TableFunc:
		if schema, name, ok := strings.Cut(t.Func.Name, "."); ok {
			p.print(schema, ".", name)
			p.alias(t.Alias, t.Columns)
			break
		}
		p.print(opt(t.Beside != nil, "ROWS FROM ("))
		p.tableFunc(t)
		for _, f := range t.Beside {
			p.print(", ")
			p.tableFunc(f)
		}
		p.print(opt(t.Beside != nil, ")"), opt(t.Ordinality, " WITH ORDINALITY"))
		p.alias(t.Alias, t.Columns)
	case *SubqueryTable:
		p.print(opt(t.Lateral, "LATERAL "), "(", t.Query, ")")
		p.alias(t.Alias, t.Columns)
	case *Join:
		p.table(t.Left)
		p.print([...]string{" JOIN ", " LEFT JOIN ", " CROSS JOIN ", " RIGHT JOIN ", " FULL JOIN "}[t.Kind])
		if _, ok := t.Right.(*Join); ok {
			p.print("(", t.Right, ")")
		} else {
			p.table(t.Right)
		}
		p.clause(" ON ", t.On)
		if len(t.Using) > 0 {
			p.print(" USING (", t.Using, ")")
		}
	}
}
