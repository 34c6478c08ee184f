package parse

// Walk calls f for n and, where f returns true, for the nodes below it, in the
// order of the source. Nested queries are walked too: f returns false at
// *Select to stay outside of them. Idents and types are not visited.
func Walk(n Node, f func(Node) bool) {
	if n == nil || !f(n) {
		return
	}
	w := walker(f)
	switch n := n.(type) {
	case *CreateTable:
		for i := range n.Columns {
			Walk(&n.Columns[i], f)
		}
		for i := range n.Constraints {
			Walk(&n.Constraints[i], f)
		}
		w.query(n.Query)
	case *CreateView:
		w.query(n.Query)
	case *Constraint:
		w.expr(n.Check)
	case *AddConstraint:
		Walk(&n.Constraint, f)
	case *SetDefaultOf:
		w.expr(n.Default)
	case *SetType:
		w.expr(n.Using)
	case *ColumnDef:
		w.expr(n.Default)
	case *AlterTable:
		Walk(n.Action, f)
		for _, a := range n.More {
			Walk(a, f)
		}
	case *AddColumn:
		Walk(&n.Column, f)
		for i := range n.Constraints {
			Walk(&n.Constraints[i], f)
		}
	case *SetEncoder:
		w.expr(n.From)
	case *Retrain:
		w.query(n.For)
	case *Insert:
		w.with(&n.With)
		w.query(n.Query)
		if n.OnConflict != nil {
			Walk(n.OnConflict, f)
		}
		w.items(n.Returning)
	case *CreateIndex:
		w.expr(n.Where)
	case *OnConflict:
		w.expr(n.Of)
		w.assignments(n.Set)
		w.expr(n.Where)
	case *Assignment:
		w.expr(n.Value)
	case *Update:
		w.with(&n.With)
		w.assignments(n.Set)
		if n.From != nil {
			Walk(n.From, f)
		}
		w.expr(n.Where)
		w.items(n.Returning)
	case *Delete:
		w.with(&n.With)
		if n.Using != nil {
			Walk(n.Using, f)
		}
		w.expr(n.Where)
		w.items(n.Returning)
	case *Select:
		for i := range n.With {
			Walk(&n.With[i], f)
		}
		if n.Body != nil {
			Walk(n.Body, f)
		}
		for i := range n.OrderBy {
			Walk(&n.OrderBy[i], f)
		}
		w.expr(n.Limit)
		w.expr(n.Target)
		w.expr(n.Offset)
	case *CTE:
		if n.Change != nil {
			Walk(n.Change, f)
		}
		w.query(n.Query)
	case *Core:
		w.exprs(n.DistinctOn)
		w.items(n.Items)
		if n.From != nil {
			Walk(n.From, f)
		}
		w.expr(n.Where)
		w.exprs(n.GroupBy)
		w.expr(n.Having)
		for i := range n.Windows {
			Walk(&n.Windows[i], f)
		}
		w.expr(n.Qualify)
	case *SelectItem:
		w.expr(n.Expr)
	case *Union:
		Walk(n.Left, f)
		Walk(n.Right, f)
	case *Values:
		for _, row := range n.Rows {
			w.exprs(row)
		}
	case *OrderItem:
		w.expr(n.Expr)
	case *TableFunc:
		w.exprs(n.Args)
		w.options(n.Options)
		for _, b := range n.Beside {
			Walk(b, f)
		}
	case *SubqueryTable:
		w.query(n.Query)
	case *Join:
		Walk(n.Left, f)
		Walk(n.Right, f)
		w.expr(n.On)
	case *Option:
		w.expr(n.Value)
	case *CopyFrom:
		w.exprs(n.Files)
		w.options(n.Options)
	case *CopyTo:
		w.query(n.Query)
		w.expr(n.File)
		w.options(n.Options)
	case *Explain:
		Walk(n.Statement, f)
	case *CreateWatch:
		w.expr(n.Where)
	case *Acknowledge:
		w.expr(n.UpTo)
	case *Attach:
		w.expr(n.Address)
	case *Backup:
		w.expr(n.Dir)
		w.options(n.Options)

	case *Unary:
		w.expr(n.X)
	case *Binary:
		w.expr(n.X)
		w.expr(n.Y)
	case *Like:
		w.expr(n.X)
		w.expr(n.Pattern)
		w.expr(n.Escape)
	case *InList:
		w.expr(n.X)
		w.exprs(n.List)
	case *InQuery:
		w.expr(n.X)
		w.query(n.Query)
	case *Between:
		w.expr(n.X)
		w.expr(n.Low)
		w.expr(n.High)
	case *IsNull:
		w.expr(n.X)
	case *IsBool:
		w.expr(n.X)
	case *Case:
		w.expr(n.Operand)
		for i := range n.Whens {
			Walk(&n.Whens[i], f)
		}
		w.expr(n.Else)
	case *When:
		w.expr(n.Cond)
		w.expr(n.Then)
	case *Cast:
		w.expr(n.X)
	case *Grouping:
		w.exprs(n.List)
	case *Subscript:
		w.expr(n.X)
		w.expr(n.At)
		w.expr(n.To)
	case *Array:
		w.exprs(n.List)
	case *Row:
		w.exprs(n.List)
	case *Quantified:
		w.expr(n.X)
		w.expr(n.Y)
	case *Call:
		w.exprs(n.Args)
		for i := range n.OrderBy {
			Walk(&n.OrderBy[i], f)
		}
		w.expr(n.Filter)
		if n.Over != nil {
			Walk(n.Over, f)
		}
	case *NamedWindow:
		Walk(n.Window, f)
	case *Window:
		w.exprs(n.Partition)
		for i := range n.OrderBy {
			Walk(&n.OrderBy[i], f)
		}
		if n.Frame != nil {
			w.expr(n.Frame.Start.Offset)
			w.expr(n.Frame.End.Offset)
		}
	case *Exists:
		w.query(n.Query)
	case *Subquery:
		w.query(n.Query)
	}
}

// walker visits children that may be absent.
type walker func(Node) bool

func (w walker) expr(e Expr) {
	if e != nil {
		Walk(e, w)
	}
}

func (w walker) exprs(es []Expr) {
	for _, e := range es {
		w.expr(e)
	}
}

func (w walker) query(q *Select) {
	if q != nil {
		Walk(q, w)
	}
}

func (w walker) items(items []SelectItem) {
	for i := range items {
		Walk(&items[i], w)
	}
}

func (w walker) assignments(as []Assignment) {
	for i := range as {
		Walk(&as[i], w)
	}
}

func (w walker) options(os []Option) {
	for i := range os {
		Walk(&os[i], w)
	}
}

func (w walker) with(with *With) {
	for i := range with.With {
		Walk(&with.With[i], w)
	}
}
