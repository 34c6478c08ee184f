package parse

import "github.com/alecthomas/participle/v2/lexer"

// gInsert is the rule of INSERT, after its first word.
type gInsert struct {
	Table      *gTableName  `parser:"'INTO' @@"`
	Alias      *gName       `parser:"('AS' @@)?"`
	Ahead      *gListAhead  `parser:"( @@"`
	Columns    []*gName     `parser:"  '(' @@ (',' @@)* ')')?"`
	Default    bool         `parser:"( @'DEFAULT' 'VALUES'"`
	Query      *gSelect     `parser:"| @@ )"`
	OnConflict *gOnConflict `parser:"@@?"`
	Returning  []*gItem     `parser:"('RETURNING' @@ (',' @@)*)?"`
}

type gOnConflict struct {
	Pos     lexer.Position
	Columns []*gName       `parser:"'ON' 'CONFLICT' ('(' @@ (',' @@)* ')'"`
	Of      Expr           `parser:"  ('WHERE' @@)? )?"`
	Nothing bool           `parser:"'DO' ( @'NOTHING'"`
	Set     []*gAssignment `parser:"| 'UPDATE' 'SET' @@ (',' @@)*"`
	Where   Expr           `parser:"  ('WHERE' @@)? )"`
}

type gAssignment struct {
	Pos    lexer.Position
	Column *gName  `parser:"@@"`
	Value  *gValue `parser:"'=' @@"`
}

// insertWith converts an INSERT that is a statement: the WITH of its query may name changes, too.
func (c *converter) insertWith(at Pos, g *gInsert) *Insert {
	if g.Query == nil {
		return c.insert(at, g)
	}
	w := With{c.withs(g.Query, true), g.Query.Recursive != nil}
	if !Changes(&Insert{With: w}) {
		return c.insert(at, g)
	}
	g.Query.With, g.Query.Recursive = nil, nil
	s := c.insert(at, g)
	s.With = w
	return s
}

func (c *converter) insert(at Pos, g *gInsert) *Insert {
	s := &Insert{Pos: at, Table: tableIdent(g.Table), Alias: ident(g.Alias), Columns: idents(g.Columns), Returning: c.items(g.Returning)}
	if g.Query != nil {
		s.Query = c.selectStmt(g.Query)
		if v, ok := s.Query.Body.(*Values); ok && s.Columns != nil && len(v.Rows[0]) != len(s.Columns) {
			c.fail(Errorf(v.Rows[0][0].Position(), "%s for %s", plural(len(v.Rows[0]), "value"), plural(len(s.Columns), "column")))
		}
	}
	if o := g.OnConflict; o != nil {
		s.OnConflict = &OnConflict{posOf(o.Pos), idents(o.Columns), o.Of, c.assignments(o.Set), o.Where}
		if !o.Nothing && o.Columns == nil {
			c.fail(Errorf(s.OnConflict.Pos, "ON CONFLICT DO UPDATE needs the columns that conflict").WithHint("write ON CONFLICT (id) DO UPDATE"))
		}
	}
	return s
}

func (c *converter) assignments(gs []*gAssignment) []Assignment {
	var as []Assignment
	for _, g := range gs {
		as = append(as, Assignment{posOf(g.Pos), ident(g.Column), g.Value.expr})
	}
	return as
}
