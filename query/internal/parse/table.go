package parse

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/value"
)

// gCreate is the rule of CREATE TABLE, INDEX, VIEW and WATCH, after the first word.
type gCreate struct {
	Temp   *gTemp        `parser:"@@?"`
	Table  *gCreateTable `parser:"(  'TABLE' @@"`
	Index  *gCreateIndex `parser:"| 'INDEX' @@"`
	Unique *gCreateIndex `parser:"| 'UNIQUE' 'INDEX' @@"`
	View   *gCreateView  `parser:"| 'VIEW' @@"`
	Anew   *gCreateView  `parser:"| 'OR' 'REPLACE' 'VIEW' @@"`
	Watch  *gCreateWatch `parser:"| 'WATCH' @@ )"`
}

// gTemp is the word before a table that is gone with its session.
type gTemp struct{}

// Parse implements participle.Parseable.
func (*gTemp) Parse(lex *lexer.PeekingLexer) error {
	for _, words := range [][]string{{"TEMP"}, {"TEMPORARY"}, {"LOCAL", "TEMP"}, {"LOCAL", "TEMPORARY"}, {"GLOBAL", "TEMP"}, {"GLOBAL", "TEMPORARY"}} {
		if acceptWords(lex, words...) {
			if at := lex.Peek(); !is(at, "TABLE") {
				return Errorf(posOf(at.Pos), "only tables can be temporary").WithHint("WITH names a query for one statement, and a view goes by DROP VIEW")
			}
			return nil
		}
	}
	return participle.NextMatch
}

// gOnCommit says what becomes of a temporary table at the end of a transaction.
type gOnCommit struct{ does OnCommit }

// Parse implements participle.Parseable.
func (g *gOnCommit) Parse(lex *lexer.PeekingLexer) error {
	if !acceptWords(lex, "ON", "COMMIT") {
		return participle.NextMatch
	}
	switch {
	case acceptWords(lex, "DROP"):
		g.does = DropOnCommit
	case acceptWords(lex, "DELETE", "ROWS"):
		g.does = EmptyOnCommit
	case !acceptWords(lex, "PRESERVE", "ROWS"):
		return Errorf(posOf(lex.Peek().Pos), "ON COMMIT takes PRESERVE ROWS, DELETE ROWS or DROP")
	}
	return nil
}

type gCreateTable struct {
	IfNotExists *gIfNotExists `parser:"@@?"`
	Table       *gTableName   `parser:"@@"`
	OnCommit    *gOnCommit    `parser:"@@?"`
	As          *gSelect      `parser:"( 'AS' @@"`
	Elements    []*gElement   `parser:"| '(' @@ (',' @@)* ')'"`
	After       *gOnCommit    `parser:"  @@? )"`
}

type gElement struct {
	Ahead      *gConstraintAhead `parser:"  @@"`
	Constraint *gTableConstraint `parser:"  @@"`
	Column     *gColumn          `parser:"| @@"`
}

type gTableConstraint struct {
	Pos        lexer.Position
	Name       *gName      `parser:"('CONSTRAINT' @@)?"`
	PrimaryKey []*gName    `parser:"( 'PRIMARY' 'KEY' '(' @@ (',' @@)* ')'"`
	Unique     []*gName    `parser:"| 'UNIQUE' '(' @@ (',' @@)* ')'"`
	Check      Expr        `parser:"| 'CHECK' '(' @@ ')'"`
	Foreign    []*gName    `parser:"| 'FOREIGN' 'KEY' '(' @@ (',' @@)* ')'"`
	References *gReference `parser:"  @@ )"`
	Defer      *gDefer     `parser:"@@?"`
}

// gReference is the rule of REFERENCES, after its first word.
type gReference struct {
	Pos     lexer.Position
	Table   *gOwnName     `parser:"'REFERENCES' @@"`
	Columns []*gName      `parser:"('(' @@ (',' @@)* ')')?"`
	Actions []*gRefAction `parser:"@@*"`
}

type gRefAction struct {
	Pos    lexer.Position
	On     string `parser:"'ON' @('DELETE' | 'UPDATE')"`
	Action string `parser:"( @('CASCADE' | 'RESTRICT') | 'NO' @'ACTION' | 'SET' @('NULL' | 'DEFAULT') )"`
}

// gDefer says when a constraint is checked, which is always at the end of a statement.
type gDefer struct{}

// Parse implements participle.Parseable.
func (*gDefer) Parse(lex *lexer.PeekingLexer) error {
	if !acceptWords(lex, "NOT", "DEFERRABLE") && !acceptWords(lex, "DEFERRABLE") {
		return participle.NextMatch
	}
	if !acceptWords(lex, "INITIALLY", "DEFERRED") {
		acceptWords(lex, "INITIALLY", "IMMEDIATE")
	}
	return nil
}

type gColumn struct {
	Pos         lexer.Position
	Name        *gName         `parser:"@@"`
	Type        *gType         `parser:"@@"`
	Constraints []*gConstraint `parser:"@@*"`
}

type gConstraint struct {
	Pos        lexer.Position
	Name       *gName      `parser:"('CONSTRAINT' @@)?"`
	PrimaryKey bool        `parser:"( @'PRIMARY' 'KEY'"`
	NotNull    bool        `parser:"| @'NOT' 'NULL'"`
	Null       bool        `parser:"| @'NULL'"`
	Unique     bool        `parser:"| @'UNIQUE'"`
	Check      Expr        `parser:"| 'CHECK' '(' @@ ')'"`
	References *gReference `parser:"| @@"`
	Identity   string      `parser:"| 'GENERATED' @('ALWAYS' | 'BY' 'DEFAULT') 'AS' 'IDENTITY'"`
	Default    Expr        `parser:"| 'DEFAULT' @@"`
	Collate    *gCollate   `parser:"| @@"`
	Encoder    *gEncoder   `parser:"| 'ENCODER' @@ )"`
	Defer      *gDefer     `parser:"@@?"`
}

// gEncoder is an encoder's name and how it is to be used.
type gEncoder struct {
	Name    *gText            `parser:"@@"`
	Options []*gEncoderOption `parser:"@@*"`
}

type gEncoderOption struct {
	Pos        lexer.Position
	Dimensions string `parser:"  'DIMENSIONS' @Number"`
	Variant    *gText `parser:"| 'VARIANT' @@"`
	Query      *gText `parser:"| 'QUERY' @@"`
	Document   *gText `parser:"| 'DOCUMENT' @@"`
}

type gCreateIndex struct {
	Concurrently *gConcurrently  `parser:"@@?"`
	IfNotExists  *gIfNotExists   `parser:"@@?"`
	Index        *gName          `parser:"@@?"`
	Table        *gOwnName       `parser:"'ON' @@"`
	Kind         *gName          `parser:"( 'USING' @@ )?"`
	Columns      []*gIndexColumn `parser:"'(' @@ (',' @@)* ')'"`

	Options []*gIndexOption `parser:"( 'WITH' '(' @@ (',' @@)* ')' )?"`
	Where   Expr            `parser:"('WHERE' @@)?"`
}

// gIndexColumn is a column of an index. Its operator class and its direction say nothing here: an
// index is read in both directions and knows every distance.
type gIndexColumn struct{ gName }

// Parse implements participle.Parseable.
func (n *gIndexColumn) Parse(lex *lexer.PeekingLexer) error {
	if t := lex.Peek(); is(t, "(") || t.Type == lexWord && is(peek(lex, 1), "(") {
		return Errorf(posOf(t.Pos), "an index is over columns, not over expressions").
			WithHint("a column that holds the value can have one: ALTER TABLE ... ADD COLUMN, UPDATE ..., CREATE INDEX")
	}
	if err := n.gName.Parse(lex); err != nil {
		return err
	}
	if is(lex.Peek(), "COLLATE") {
		lex.Next()
		if err := collation(lex); err != nil {
			return err
		}
	}
	if t := lex.Peek(); t.Type == lexWord && strings.HasSuffix(strings.ToLower(t.Value), "_ops") {
		lex.Next()
	}
	if isAny(lex.Peek(), "ASC", "DESC") != "" {
		lex.Next()
	}
	_ = acceptWords(lex, "NULLS", "FIRST") || acceptWords(lex, "NULLS", "LAST")
	return nil
}

// gConcurrently is the word that a creation of an index may have, which changes nothing here.
type gConcurrently struct{}

// Parse implements participle.Parseable.
func (*gConcurrently) Parse(lex *lexer.PeekingLexer) error {
	return match(is(lex.Peek(), "CONCURRENTLY") && !is(peek(lex, 1), "ON") && acceptWords(lex, "CONCURRENTLY"))
}

type gIndexOption struct {
	Pos    lexer.Position
	Name   *gName `parser:"@@ '='"`
	Text   *gText `parser:"( @@"`
	Number string `parser:"| @Number )"`
}

// gDrop is the rule of DROP TABLE, INDEX, VIEW and WATCH, after the first word.
type gDrop struct {
	Kind     string        `parser:"@('TABLE' | 'INDEX' | 'VIEW' | 'WATCH')"`
	IfExists *gIfExists    `parser:"@@?"`
	Names    []*gTableName `parser:"@@ (',' @@)*"`
	Cascade  string        `parser:"@('CASCADE' | 'RESTRICT')?"`
}

// gAlter is the rule of ALTER TABLE, after these words.
type gAlter struct {
	Table   *gOwnName       `parser:"@@"`
	Actions []*gAlterAction `parser:"@@ (',' @@)*"`
}

type gAlterAction struct {
	Pos     lexer.Position
	Add     *gAdd        `parser:"  'ADD' @@"`
	Drop    *gDropAction `parser:"| 'DROP' @@"`
	Rename  *gRename     `parser:"| 'RENAME' @@"`
	Column  *gName       `parser:"| 'ALTER' 'COLUMN'? @@"`
	Set     *gSetColumn  `parser:"( 'SET' @@"`
	Unset   string       `parser:"| 'DROP' ( @'DEFAULT' | @'NOT' 'NULL' )"`
	Type    *gNewType    `parser:"| 'TYPE' @@ )"`
	Encoder *gSetEncoder `parser:"| 'SET' 'ENCODER' @@"`
	Retrain *gRetrain    `parser:"| 'RETRAIN' @@"`
}

type gAdd struct {
	Ahead      *gConstraintAhead `parser:"  @@"`
	Constraint *gTableConstraint `parser:"  @@"`
	Column     *gAddColumn       `parser:"| 'COLUMN'? @@"`
}

type gDropAction struct {
	Constraint *gDropColumn `parser:"  'CONSTRAINT' @@"`
	Column     *gDropColumn `parser:"| 'COLUMN'? @@"`
	Cascade    string       `parser:"@('CASCADE' | 'RESTRICT')?"`
}

type gSetColumn struct {
	Encoder *gSetEncoder `parser:"  'ENCODER' @@"`
	Default Expr         `parser:"| 'DEFAULT' @@"`
	NotNull bool         `parser:"| @'NOT' 'NULL'"`
	Type    *gNewType    `parser:"| 'DATA' 'TYPE' @@"`
}

type gNewType struct {
	Type    *gType    `parser:"@@"`
	Collate *gCollate `parser:"@@?"`
	Using   Expr      `parser:"('USING' @@)?"`
}

type gAddColumn struct {
	IfNotExists *gIfNotExists `parser:"@@?"`
	Column      *gColumn      `parser:"@@"`
}

type gDropColumn struct {
	IfExists *gIfExists `parser:"@@?"`
	Column   *gName     `parser:"@@"`
}

type gRename struct {
	Table *gName `parser:"  'TO' @@"`
	From  *gName `parser:"| 'COLUMN'? @@"`
	To    *gName `parser:"  'TO' @@"`
}

type gSetEncoder struct {
	Encoder *gEncoder `parser:"@@"`
	From    Expr      `parser:"( 'REENCODE' 'FROM' @@ )?"`
	Force   bool      `parser:"@'FORCE'?"`
}

type gRetrain struct {
	Column *gName   `parser:"(@@"`
	For    *gSelect `parser:"('FOR' '(' @@ ')')?)?"`
}

func indexColumns(columns []*gIndexColumn) []Ident {
	out := make([]Ident, len(columns))
	for i, n := range columns {
		out[i] = n.id
	}
	return out
}

func (c *converter) create(at Pos, g *gCreate) Statement {
	if v := cmp.Or(g.View, g.Anew); v != nil {
		return c.createView(at, v, g.Anew != nil)
	}
	if i := cmp.Or(g.Index, g.Unique); i != nil {
		s := &CreateIndex{Pos: at, Unique: g.Unique != nil, IfNotExists: i.IfNotExists != nil, Index: ident(i.Index), Table: ownIdent(i.Table), Kind: ident(i.Kind), Columns: indexColumns(i.Columns)}
		for _, o := range i.Options {
			v := IndexOption{Name: ident(o.Name), Value: o.Number}
			if o.Text != nil {
				v.Value = o.Text.lit.Value.Str()
			}
			s.Options = append(s.Options, v)
		}
		s.Where = i.Where
		return s
	}
	if w := g.Watch; w != nil {
		return &CreateWatch{at, w.IfNotExists != nil, ident(w.Name), tableIdent(w.Table), w.Where}
	}
	s := &CreateTable{Pos: at, Temp: g.Temp != nil}
	s.IfNotExists, s.Table = g.Table.IfNotExists != nil, tableIdent(g.Table.Table)
	end := cmp.Or(g.Table.OnCommit, g.Table.After)
	if end != nil {
		s.OnCommit = end.does
	}
	switch {
	case !s.Temp && end != nil:
		c.fail(Errorf(s.Table.Pos, "ON COMMIT is for temporary tables").WithHint("CREATE TEMP TABLE %s ...", s.Table))
	case s.Temp && s.Table.Database != "":
		c.fail(Errorf(s.Table.Pos, "a temporary table is in no database").WithHint("CREATE TEMP TABLE %s ...", Quote(s.Table.Name)))
	}
	if g.Table.As != nil {
		s.Query = c.selectStmt(g.Table.As)
		return s
	}
	for _, e := range g.Table.Elements {
		if e.Column != nil {
			col, more := c.columnDef(e.Column)
			s.Columns, s.Constraints = append(s.Columns, col), append(s.Constraints, more...)
		} else {
			s.Constraints = append(s.Constraints, c.constraint(e.Constraint))
		}
	}
	if len(s.Columns) == 0 {
		c.fail(Errorf(at, "table %s has no columns", s.Table))
	}
	c.keys(s)
	return s
}

// keys checks that there is one PRIMARY KEY. One of a single column is set in its column.
func (c *converter) keys(s *CreateTable) {
	var key *Pos
	another := func(at Pos) {
		if key != nil {
			c.fail(Errorf(at, "PRIMARY KEY is given twice").WithHint("one of several columns is written PRIMARY KEY (a, b)"))
		}
		key = &at
	}
	for i := range s.Columns {
		if s.Columns[i].PrimaryKey {
			another(s.Columns[i].Pos)
		}
	}
	var kept []Constraint
	for _, k := range s.Constraints {
		if k.Kind == PrimaryKey {
			another(k.Pos)
			if len(k.Columns) == 1 {
				c.primaryKey(s, k.Pos, k.Columns[0])
				continue
			}
		}
		kept = append(kept, k)
	}
	s.Constraints = kept
}

// constraint converts a constraint that stands by itself.
func (c *converter) constraint(g *gTableConstraint) Constraint {
	k := Constraint{Pos: posOf(g.Pos), Name: ident(g.Name)}
	switch {
	case g.PrimaryKey != nil:
		k.Kind, k.Columns = PrimaryKey, idents(g.PrimaryKey)
	case g.Unique != nil:
		k.Kind, k.Columns = Unique, idents(g.Unique)
	case g.Check != nil:
		k.Kind, k.Check = CheckThat, g.Check
	default:
		k.Kind, k.Columns, k.References = ForeignKey, idents(g.Foreign), c.reference(g.References)
		if n := len(k.References.Columns); n > 0 && n != len(k.Columns) {
			c.fail(Errorf(k.References.Pos, "%s for %s", plural(len(k.Columns), "column"), plural(n, "referenced column")))
		}
	}
	for i, id := range k.Columns {
		for _, before := range k.Columns[:i] {
			if id.Means(before.Name) {
				c.fail(Errorf(id.Pos, "column %s is named twice", id.Name))
			}
		}
	}
	return k
}

func (c *converter) reference(g *gReference) *Reference {
	r := &Reference{Pos: posOf(g.Pos), Table: ownIdent(g.Table), Columns: idents(g.Columns)}
	var seen [2]bool
	for _, a := range g.Actions {
		action := map[string]RefAction{"CASCADE": Cascade, "RESTRICT": NoAction, "ACTION": NoAction, "NULL": SetNull, "DEFAULT": SetDefault}[strings.ToUpper(a.Action)]
		n, to := 0, &r.OnDelete
		if isWord(a.On, "UPDATE") {
			n, to = 1, &r.OnUpdate
		}
		if seen[n] {
			c.fail(Errorf(posOf(a.Pos), "ON %s is given twice", strings.ToUpper(a.On)))
		}
		seen[n] = true
		*to = action
		if action == SetDefault {
			c.fail(Errorf(posOf(a.Pos), "SET DEFAULT is not supported").WithHint("CASCADE, SET NULL, RESTRICT and NO ACTION are"))
		}
	}
	return r
}

// primaryKey sets PRIMARY KEY (name) in the column.
func (c *converter) primaryKey(s *CreateTable, at Pos, name Ident) {
	var columns []string
	for i := range s.Columns {
		col := &s.Columns[i]
		if name.Means(col.Name.Name) {
			col.PrimaryKey = true
			return
		}
		columns = append(columns, col.Name.Name)
	}
	c.fail(Errorf(name.Pos, "no column %q in %s", name.Name, s.Table).WithHint("%s", didYouMean(name.Name, columns, "")))
}

// columnDef converts the definition of a column, and the constraints written with it.
func (c *converter) columnDef(g *gColumn) (ColumnDef, []Constraint) {
	col := ColumnDef{Pos: posOf(g.Pos), Name: ident(g.Name), Type: g.Type.typ}
	col.Identity, col.Type.serial, col.Type.zoned = col.Type.serial, false, false
	var more []Constraint
	null := false
	for _, con := range g.Constraints {
		at := posOf(con.Pos)
		twice := false
		switch {
		case con.PrimaryKey:
			twice, col.PrimaryKey = col.PrimaryKey, true
		case con.NotNull:
			twice, col.NotNull = col.NotNull || null, true
		case con.Null:
			twice, null = col.NotNull || null, true
		case con.Unique:
			more = append(more, Constraint{Pos: at, Name: ident(con.Name), Kind: Unique, Columns: []Ident{col.Name}})
		case con.Check != nil:
			more = append(more, Constraint{Pos: at, Name: ident(con.Name), Kind: CheckThat, Columns: []Ident{col.Name}, Check: con.Check})
		case con.References != nil:
			r := c.reference(con.References)
			if len(r.Columns) > 1 {
				c.fail(Errorf(r.Pos, "a column refers to one column").WithHint("several are written FOREIGN KEY (a, b) REFERENCES %s (c, d)", r.Table))
			}
			more = append(more, Constraint{Pos: at, Name: ident(con.Name), Kind: ForeignKey, Columns: []Ident{col.Name}, References: r})
		case con.Identity != "":
			twice, col.Identity = col.Identity || col.Default != nil, true
		case con.Default != nil:
			twice, col.Default = col.Default != nil, con.Default
		case con.Encoder != nil:
			twice, col.Encoder = !col.Encoder.Value.IsNull(), c.encoder(con.Encoder)
		}
		if twice {
			c.fail(Errorf(at, "column %s: this is repeated, or contradicts what comes before it", col.Name))
		}
	}
	if col.Identity && (col.Type.Kind != value.Integer || col.Default != nil) {
		c.fail(Errorf(col.Pos, "column %s: an INTEGER without a DEFAULT can number its rows", col.Name))
	}
	return col, more
}

// encoder returns what follows ENCODER in the text form of an encoder.Spec.
func (c *converter) encoder(g *gEncoder) Literal {
	l := g.Name.lit
	spec := encoder.ParseSpec(l.Value.Str())
	if spec.Name == "" {
		c.fail(Errorf(l.Pos, "the encoder's name is empty"))
	}
	for _, o := range g.Options {
		twice, at := false, posOf(o.Pos)
		switch {
		case o.Dimensions != "":
			n, err := strconv.Atoi(o.Dimensions)
			if err != nil || n < 1 || n > value.MaxDim {
				c.fail(Errorf(at, "DIMENSIONS is a number from 1 to %d, not %s", value.MaxDim, o.Dimensions))
			}
			twice, spec.Dimensions = spec.Dimensions > 0, n
		case o.Variant != nil:
			twice, spec.Variant = spec.Variant != "", o.Variant.lit.Value.Str()
		case o.Query != nil:
			text := o.Query.lit.Value.Str()
			twice, spec.Query = spec.Query != nil, &text
		default:
			text := o.Document.lit.Value.Str()
			twice, spec.Document = spec.Document != nil, &text
		}
		if twice {
			c.fail(Errorf(at, "this option of the encoder is given twice"))
		}
	}
	return Literal{Pos: l.Pos, Value: value.Str(spec.String())}
}

// QuoteEncoder returns the text form of an encoder.Spec as it stands after ENCODER.
func QuoteEncoder(text string) string {
	spec := encoder.ParseSpec(text)
	s := QuoteString(spec.Name)
	if spec.Dimensions > 0 {
		s += " DIMENSIONS " + strconv.Itoa(spec.Dimensions)
	}
	if spec.Variant != "" {
		s += " VARIANT " + QuoteString(spec.Variant)
	}
	if spec.Query != nil {
		s += " QUERY " + QuoteString(*spec.Query)
	}
	if spec.Document != nil {
		s += " DOCUMENT " + QuoteString(*spec.Document)
	}
	return s
}

func (c *converter) drop(at Pos, g *gDrop) Statement {
	var names []Ident
	for _, n := range g.Names {
		names = append(names, n.id)
	}
	if isWord(g.Kind, "INDEX") {
		return &DropIndex{at, g.IfExists != nil, names}
	}
	if isWord(g.Kind, "VIEW") {
		return &DropView{at, g.IfExists != nil, names, isWord(g.Cascade, "CASCADE")}
	}
	if isWord(g.Kind, "WATCH") {
		return &DropWatch{at, g.IfExists != nil, names}
	}
	return &DropTable{at, g.IfExists != nil, names, isWord(g.Cascade, "CASCADE")}
}

func (c *converter) alter(at Pos, g *gAlter) *AlterTable {
	s := &AlterTable{Pos: at, Table: ownIdent(g.Table)}
	for i, a := range g.Actions {
		action := c.alterAction(a)
		if i == 0 {
			s.Action = action
		} else {
			s.More = append(s.More, action)
		}
		if len(g.Actions) == 1 {
			break
		}
		alone := ""
		switch a := action.(type) {
		case *RenameTable, *RenameColumn:
			alone = "RENAME"
		case *Retrain:
			alone = "RETRAIN"
		case *SetEncoder:
			if a.From != nil {
				alone = "REENCODE"
			}
		}
		if alone != "" {
			c.fail(Errorf(action.Position(), "%s stands alone in its ALTER TABLE", alone).WithHint("write it as a statement of its own: ALTER TABLE %s %s", s.Table, action))
		}
	}
	return s
}

func (c *converter) alterAction(a *gAlterAction) AlterAction {
	at := posOf(a.Pos)
	switch {
	case a.Add != nil && a.Add.Constraint != nil:
		return &AddConstraint{at, c.constraint(a.Add.Constraint)}
	case a.Add != nil:
		col, more := c.columnDef(a.Add.Column.Column)
		return &AddColumn{at, a.Add.Column.IfNotExists != nil, col, more}
	case a.Drop != nil && a.Drop.Constraint != nil:
		return &DropConstraint{at, a.Drop.Constraint.IfExists != nil, ident(a.Drop.Constraint.Column)}
	case a.Drop != nil:
		return &DropColumn{at, a.Drop.Column.IfExists != nil, ident(a.Drop.Column.Column), isWord(a.Drop.Cascade, "CASCADE")}
	case a.Rename != nil && a.Rename.Table != nil:
		return &RenameTable{at, ident(a.Rename.Table)}
	case a.Rename != nil:
		return &RenameColumn{at, ident(a.Rename.From), ident(a.Rename.To)}
	case a.Unset != "":
		if isWord(a.Unset, "DEFAULT") {
			return &SetDefaultOf{at, ident(a.Column), nil}
		}
		return &SetNotNull{at, ident(a.Column), false}
	case a.Type != nil:
		return &SetType{at, ident(a.Column), stored(a.Type.Type.typ), a.Type.Using}
	case a.Set != nil && a.Set.Default != nil:
		return &SetDefaultOf{at, ident(a.Column), a.Set.Default}
	case a.Set != nil && a.Set.NotNull:
		return &SetNotNull{at, ident(a.Column), true}
	case a.Set != nil && a.Set.Type != nil:
		return &SetType{at, ident(a.Column), stored(a.Set.Type.Type.typ), a.Set.Type.Using}
	case a.Set != nil:
		return &SetEncoder{at, ident(a.Column), c.encoder(a.Set.Encoder.Encoder), a.Set.Encoder.From, a.Set.Encoder.Force}
	case a.Encoder != nil:
		return &SetEncoder{at, Ident{}, c.encoder(a.Encoder.Encoder), a.Encoder.From, a.Encoder.Force}
	default:
		return c.retrain(at, a.Retrain)
	}
}

// stored is a type as a column has it.
func stored(t Type) Type {
	t.zoned = false
	return t
}

func (c *converter) retrain(at Pos, g *gRetrain) *Retrain {
	s := &Retrain{Pos: at, Column: ident(g.Column)}
	if g.For != nil {
		s.For = c.selectStmt(g.For)
	}
	return s
}
