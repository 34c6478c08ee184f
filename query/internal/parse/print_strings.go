package parse

import (
	"strings"
)

func (s *CreateTable) String() string { return sprint(s) }

func (s *DropTable) String() string { return sprint(s) }

func (s *AlterTable) String() string { return sprint(s) }

func (s *CreateIndex) String() string { return sprint(s) }

func (s *DropIndex) String() string { return sprint(s) }

func (s *Insert) String() string { return sprint(s) }

func (s *Update) String() string { return sprint(s) }

func (s *Delete) String() string { return sprint(s) }

func (s *Select) String() string { return sprint(s) }

func (s *CopyFrom) String() string { return sprint(s) }

func (s *CopyTo) String() string { return sprint(s) }

func (s *Explain) String() string { return sprint(s) }

func (s *Begin) String() string { return sprint(s) }

func (s *Commit) String() string { return sprint(s) }

func (s *Rollback) String() string { return sprint(s) }

func (s *ShowTables) String() string { return sprint(s) }

func (s *Describe) String() string { return sprint(s) }

func (s *Backup) String() string { return sprint(s) }

func (s *Attach) String() string { return sprint(s) }

func (s *Detach) String() string { return sprint(s) }

func (*ShowDatabases) String() string { return "SHOW DATABASES" }

func (s *Check) String() string { return sprint(s) }

func (s *Vacuum) String() string { return sprint(s) }

// String returns the name in the quotes it was written in, or needs.
func (id Ident) String() string {
	if id.Database != "" {
		return Quote(id.Database) + "." + Ident{Name: id.Name, Quoted: id.Quoted}.String()
	}
	if id.Quoted {
		return quoted(id.Name)
	}
	return Quote(id.Name)
}

// String returns the type as it is written.
func (t Type) String() string {
	if t.Declared != "" {
		return t.Declared
	}
	if t.zoned {
		return "TIMESTAMPTZ"
	}
	return t.Type.String()
}

func (c *ColumnDef) String() string { return sprint(c) }

func (c *Core) String() string { return sprint(c) }

func (v *Values) String() string { return sprint(v) }

func (u *Union) String() string { return sprint(u) }

func (t *TableName) String() string { return sprint(t) }

func (t *TableFunc) String() string { return sprint(t) }

func (t *Join) String() string { return sprint(t) }

func (t *SubqueryTable) String() string { return sprint(t) }

func (s *Savepoint) String() string { return sprint(s) }

func (s *Truncate) String() string { return sprint(s) }

func (s *Setting) String() string { return sprint(s) }

func (s *ShowSetting) String() string { return sprint(s) }

func (k *Constraint) String() string { var p printer; p.constraint(k); return p.Builder.String() }

func (r *Reference) String() string { var p printer; p.reference(r); return p.Builder.String() }

func (a *AddConstraint) String() string { return alterString(a) }

func (a *DropConstraint) String() string { return alterString(a) }

func (a *SetDefaultOf) String() string { return alterString(a) }

func (a *SetNotNull) String() string { return alterString(a) }

func (a *SetType) String() string { return alterString(a) }

func (a *AddColumn) String() string { return alterString(a) }

func (a *DropColumn) String() string { return alterString(a) }

func (a *RenameColumn) String() string { return alterString(a) }

func (a *RenameTable) String() string { return alterString(a) }

func (a *SetEncoder) String() string { return alterString(a) }

func (a *Retrain) String() string { return alterString(a) }

func alterString(a AlterAction) string {
	var p printer
	p.alter(a)
	return p.Builder.String()
}

func (c *CTE) String() string { var p printer; p.cte(c); return p.Builder.String() }

func (c *OnConflict) String() string { var p printer; p.onConflict(c); return p.Builder.String() }

func (it *SelectItem) String() string { var p printer; p.item(*it); return p.Builder.String() }

func (it *OrderItem) String() string { var p printer; p.orderItem(*it); return p.Builder.String() }

func (a *Assignment) String() string { var p printer; p.assignment(*a); return p.Builder.String() }

func (o *Option) String() string { var p printer; p.option(*o); return p.Builder.String() }

func (w *When) String() string {
	var p printer
	p.when(w)
	return strings.TrimSpace(p.Builder.String())
}

func (e *Literal) String() string { return sprint(e) }

func (e *ColumnRef) String() string { return sprint(e) }

func (e *Param) String() string { return sprint(e) }

func (e *Unary) String() string { return sprint(e) }

func (e *Binary) String() string { return sprint(e) }

func (e *Like) String() string { return sprint(e) }

func (e *InList) String() string { return sprint(e) }

func (e *InQuery) String() string { return sprint(e) }

func (e *Between) String() string { return sprint(e) }

func (e *IsNull) String() string { return sprint(e) }

func (e *IsBool) String() string { return sprint(e) }

func (e *Case) String() string { return sprint(e) }

func (e *Cast) String() string { return sprint(e) }

func (e *Call) String() string { return sprint(e) }

func (e *Subscript) String() string { return sprint(e) }
func (e *Array) String() string     { return sprint(e) }
func (e *Row) String() string       { return sprint(e) }
func (e *AllOf) String() string     { return sprint(e) }

func (e *Quantified) String() string { return sprint(e) }

func (e *Exists) String() string { return sprint(e) }

func (e *Subquery) String() string { return sprint(e) }

func (e *Default) String() string { return sprint(e) }
