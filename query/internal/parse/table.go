package parse

import (
	"cmp"
	"strconv"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/value"
)

// gCreate is the rule of CREATE TABLE and CREATE INDEX, after the first word.
type gCreate struct {
	Table  *gCreateTable `parser:"  'TABLE' @@"`
	Index  *gCreateIndex `parser:"| 'INDEX' @@"`
	Unique *gCreateIndex `parser:"| 'UNIQUE' 'INDEX' @@"`
}

type gCreateTable struct {
	IfNotExists *gIfNotExists `parser:"@@?"`
	Table       *gName        `parser:"@@"`
	Elements    []*gElement   `parser:"'(' @@ (',' @@)* ')'"`
}

type gElement struct {
	Pos        lexer.Position
	PrimaryKey []*gName `parser:"  'PRIMARY' 'KEY' '(' @@ (',' @@)* ')'"`
	Column     *gColumn `parser:"| @@"`
}

type gColumn struct {
	Pos         lexer.Position
	Name        *gName         `parser:"@@"`
	Type        *gType         `parser:"@@"`
	Constraints []*gConstraint `parser:"@@*"`
}

type gConstraint struct {
	Pos        lexer.Position
	PrimaryKey bool      `parser:"  @'PRIMARY' 'KEY'"`
	NotNull    bool      `parser:"| @'NOT' 'NULL'"`
	Null       bool      `parser:"| @'NULL'"`
	Unique     bool      `parser:"| @'UNIQUE'"`
	Default    Expr      `parser:"| 'DEFAULT' @@"`
	Encoder    *gEncoder `parser:"| 'ENCODER' @@"`
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
	IfNotExists *gIfNotExists `parser:"@@?"`
	Index       *gName        `parser:"@@?"`
	Table       *gName        `parser:"'ON' @@"`
	Columns     []*gName      `parser:"'(' @@ (',' @@)* ')'"`
}

// gDrop is the rule of DROP TABLE and DROP INDEX, after the first word.
type gDrop struct {
	Kind     string     `parser:"@('TABLE' | 'INDEX')"`
	IfExists *gIfExists `parser:"@@?"`
	Name     *gName     `parser:"@@"`
}

// gAlter is the rule of ALTER TABLE, after these words.
type gAlter struct {
	Table  *gName        `parser:"@@"`
	Action *gAlterAction `parser:"@@"`
}

type gAlterAction struct {
	Pos     lexer.Position
	Add     *gAddColumn  `parser:"  'ADD' 'COLUMN'? @@"`
	Drop    *gDropColumn `parser:"| 'DROP' 'COLUMN'? @@"`
	Rename  *gRename     `parser:"| 'RENAME' @@"`
	Column  *gName       `parser:"| 'ALTER' 'COLUMN'? @@"`
	Encode  *gSetEncoder `parser:"  ( 'SET' ( 'ENCODER' @@"`
	Data    *gType       `parser:"          | 'DATA' 'TYPE' @@ )"`
	Type    *gType       `parser:"  | 'TYPE' @@ )"`
	Encoder *gSetEncoder `parser:"| 'SET' 'ENCODER' @@"`
	Retrain *gRetrain    `parser:"| 'RETRAIN' @@"`
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
	Force   bool      `parser:"@'FORCE'?"`
}

type gRetrain struct {
	Column *gName `parser:"@@?"`
}

func (c *converter) create(at Pos, g *gCreate) Statement {
	if i := cmp.Or(g.Index, g.Unique); i != nil {
		return &CreateIndex{at, g.Unique != nil, i.IfNotExists != nil, ident(i.Index), ident(i.Table), idents(i.Columns)}
	}
	s := &CreateTable{Pos: at, IfNotExists: g.Table.IfNotExists != nil, Table: ident(g.Table.Table)}
	for _, e := range g.Table.Elements {
		if e.Column != nil {
			s.Columns = append(s.Columns, c.columnDef(e.Column))
		}
	}
	for _, e := range g.Table.Elements {
		if e.PrimaryKey != nil {
			c.primaryKey(s, posOf(e.Pos), e.PrimaryKey)
		}
	}
	if len(s.Columns) == 0 {
		c.fail(Errorf(at, "table %s has no columns", s.Table))
	}
	key := false
	for i := range s.Columns {
		if s.Columns[i].PrimaryKey && key {
			c.fail(Errorf(s.Columns[i].Pos, "a table has one PRIMARY KEY column").WithHint("for several columns: CREATE UNIQUE INDEX ON %s (a, b)", s.Table))
		}
		key = key || s.Columns[i].PrimaryKey
	}
	return s
}

// primaryKey sets PRIMARY KEY (name) in the column.
func (c *converter) primaryKey(s *CreateTable, at Pos, names []*gName) {
	if len(names) != 1 {
		c.fail(Errorf(at, "a PRIMARY KEY has one column").WithHint("for several columns: CREATE UNIQUE INDEX ON %s (a, b)", s.Table))
		return
	}
	var columns []string
	for i := range s.Columns {
		col := &s.Columns[i]
		if names[0].id.Means(col.Name.Name) {
			if col.PrimaryKey {
				c.fail(Errorf(at, "PRIMARY KEY stands twice"))
			}
			col.PrimaryKey = true
			return
		}
		columns = append(columns, col.Name.Name)
	}
	c.fail(Errorf(names[0].id.Pos, "no column %q in %s", names[0].id.Name, s.Table).WithHint("%s", didYouMean(names[0].id.Name, columns, "")))
}

func (c *converter) columnDef(g *gColumn) ColumnDef {
	col := ColumnDef{Pos: posOf(g.Pos), Name: ident(g.Name), Type: g.Type.typ}
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
			c.fail(Errorf(at, "UNIQUE is written as an index").WithHint("after the table: CREATE UNIQUE INDEX ON t (%s)", col.Name))
		case con.Default != nil:
			twice, col.Default = col.Default != nil, con.Default
		case con.Encoder != nil:
			twice, col.Encoder = !col.Encoder.Value.IsNull(), c.encoder(con.Encoder)
		}
		if twice {
			c.fail(Errorf(at, "column %s: this is said twice, or contradicts what stands before", col.Name))
		}
	}
	return col
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
			c.fail(Errorf(at, "this is said of the encoder twice"))
		}
	}
	return Literal{l.Pos, value.Str(spec.String())}
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
	if isWord(g.Kind, "INDEX") {
		return &DropIndex{at, g.IfExists != nil, ident(g.Name)}
	}
	return &DropTable{at, g.IfExists != nil, ident(g.Name)}
}

func (c *converter) alter(at Pos, g *gAlter) *AlterTable {
	s := &AlterTable{Pos: at, Table: ident(g.Table)}
	a := g.Action
	at = posOf(a.Pos)
	switch {
	case a.Add != nil:
		s.Action = &AddColumn{at, a.Add.IfNotExists != nil, c.columnDef(a.Add.Column)}
	case a.Drop != nil:
		s.Action = &DropColumn{at, a.Drop.IfExists != nil, ident(a.Drop.Column)}
	case a.Rename != nil && a.Rename.Table != nil:
		s.Action = &RenameTable{at, ident(a.Rename.Table)}
	case a.Rename != nil:
		s.Action = &RenameColumn{at, ident(a.Rename.From), ident(a.Rename.To)}
	case a.Encode != nil:
		s.Action = &SetEncoder{at, ident(a.Column), c.encoder(a.Encode.Encoder), a.Encode.Force}
	case a.Type != nil || a.Data != nil:
		s.Action = &SetType{at, ident(a.Column), cmp.Or(a.Type, a.Data).typ}
	case a.Encoder != nil:
		s.Action = &SetEncoder{at, Ident{}, c.encoder(a.Encoder.Encoder), a.Encoder.Force}
	default:
		s.Action = &Retrain{at, ident(a.Retrain.Column)}
	}
	return s
}
