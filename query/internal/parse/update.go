package parse

import "github.com/lupadb/lupa/storage/value"

// gUpdate is the rule of UPDATE, after its first word.
type gUpdate struct {
	Table     *gTableName    `parser:"@@"`
	Alias     *gName         `parser:"('AS' @@ | @@)?"`
	Set       []*gAssignment `parser:"'SET' @@ (',' @@)*"`
	From      *gFrom         `parser:"('FROM' @@)?"`
	Where     Expr           `parser:"('WHERE' @@)?"`
	Returning []*gItem       `parser:"('RETURNING' @@ (',' @@)*)?"`
}

// gDelete is the rule of DELETE, after its first word.
type gDelete struct {
	Table     *gTableName `parser:"'FROM' @@"`
	Alias     *gName      `parser:"('AS' @@ | @@)?"`
	Using     *gFrom      `parser:"('USING' @@)?"`
	Where     Expr        `parser:"('WHERE' @@)?"`
	Returning []*gItem    `parser:"('RETURNING' @@ (',' @@)*)?"`
}

func (c *converter) update(at Pos, g *gUpdate) *Update {
	s := &Update{Pos: at, Table: tableIdent(g.Table), Alias: ident(g.Alias), Set: c.assignments(g.Set), Where: g.Where, Returning: c.items(g.Returning)}
	if g.From != nil {
		s.From = c.from(g.From)
	}
	return s
}

func (c *converter) delete(at Pos, g *gDelete) *Delete {
	s := &Delete{Pos: at, Table: tableIdent(g.Table), Alias: ident(g.Alias), Where: g.Where, Returning: c.items(g.Returning)}
	if g.Using != nil {
		s.Using = c.from(g.Using)
	}
	return s
}

// Condition is what a row has to meet to be deleted: with USING, that there is a row to join with.
func (s *Delete) Condition() Expr {
	if s.Using == nil {
		return s.Where
	}
	one := []SelectItem{{Pos: s.Pos, Expr: &Literal{Pos: s.Pos, Value: value.Int(1)}}}
	return &Exists{s.Pos, &Select{Pos: s.Pos, Body: &Core{Pos: s.Pos, Items: one, From: s.Using, Where: s.Where}}}
}
