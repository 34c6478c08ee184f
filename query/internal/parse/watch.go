package parse

// CreateWatch is CREATE WATCH name ON table WHERE condition.
type CreateWatch struct {
	Pos
	IfNotExists bool
	Name        Ident
	Table       Ident
	Where       Expr
}

// DropWatch is DROP WATCH.
type DropWatch struct {
	Pos
	IfExists bool
	Watches  []Ident
}

// ShowWatches is SHOW WATCHES.
type ShowWatches struct{ Pos }

// Acknowledge is ACKNOWLEDGE name [TO place].
type Acknowledge struct {
	Pos
	Watch Ident
	UpTo  Expr // a text or parameter; nil: all that is there
}

func (*CreateWatch) statement() {}
func (*DropWatch) statement()   {}
func (*ShowWatches) statement() {}
func (*Acknowledge) statement() {}

func (s *CreateWatch) String() string { return sprint(s) }
func (s *DropWatch) String() string   { return sprint(s) }
func (*ShowWatches) String() string   { return "SHOW WATCHES" }
func (s *Acknowledge) String() string { return sprint(s) }

// gCreateWatch is the rule of CREATE WATCH, after these words.
type gCreateWatch struct {
	IfNotExists *gIfNotExists `parser:"@@?"`
	Name        *gName        `parser:"@@"`
	Table       *gTableName   `parser:"'ON' @@"`
	Where       Expr          `parser:"'WHERE' @@"`
}

// gAcknowledge is the rule of ACKNOWLEDGE, after its first word.
type gAcknowledge struct {
	Watch *gName `parser:"@@"`
	UpTo  *gFile `parser:"('TO' @@)?"`
}

// watch prints a statement about watches.
func (p *printer) watch(s Node) {
	switch s := s.(type) {
	case *CreateWatch:
		p.print("CREATE WATCH ", opt(s.IfNotExists, "IF NOT EXISTS "), s.Name, " ON ", s.Table, " WHERE ", s.Where)
	case *DropWatch:
		p.print("DROP WATCH ", opt(s.IfExists, "IF EXISTS "), s.Watches)
	case *ShowWatches:
		p.print("SHOW WATCHES")
	case *Acknowledge:
		p.print("ACKNOWLEDGE ", s.Watch)
		p.clause(" TO ", s.UpTo)
	}
}
