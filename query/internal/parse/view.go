package parse

import (
	"reflect"

	"github.com/alecthomas/participle/v2/lexer"
)

// CreateView is CREATE [OR REPLACE] VIEW name [(columns)] AS query.
type CreateView struct {
	Pos
	Replace bool
	View    Ident
	Columns []Ident // nil: those of the query
	Query   *Select
}

// DropView is DROP VIEW.
type DropView struct {
	Pos
	IfExists bool
	Views    []Ident
	Cascade  bool
}

// RenameView is ALTER VIEW name RENAME TO name.
type RenameView struct {
	Pos
	View, To Ident
}

func (*CreateView) statement() {}
func (*DropView) statement()   {}
func (*RenameView) statement() {}

func (s *CreateView) String() string { return sprint(s) }

func (s *DropView) String() string { return sprint(s) }

func (s *RenameView) String() string { return sprint(s) }

// gCreateView is the rule of CREATE VIEW, after the words.
type gCreateView struct {
	View    *gOwnName `parser:"@@"`
	Columns []*gName  `parser:"('(' @@ (',' @@)* ')')?"`
	Query   *gSelect  `parser:"'AS' @@"`
}

// gAlterView is the rule of ALTER VIEW, after these words.
type gAlterView struct {
	Pos  lexer.Position
	View *gOwnName `parser:"@@ 'RENAME' 'TO'"`
	To   *gName    `parser:"@@"`
}

func (c *converter) createView(at Pos, g *gCreateView, replace bool) *CreateView {
	return &CreateView{at, replace, ownIdent(g.View), idents(g.Columns), c.selectStmt(g.Query)}
}

// view prints a statement about views.
func (p *printer) view(s Statement) {
	switch s := s.(type) {
	case *CreateView:
		p.print("CREATE ", opt(s.Replace, "OR REPLACE "), "VIEW ", s.View)
		p.columns(s.Columns)
		p.print(" AS ", s.Query)
	case *DropView:
		p.print("DROP VIEW ", opt(s.IfExists, "IF EXISTS "), s.Views, opt(s.Cascade, " CASCADE"))
	case *RenameView:
		p.print("ALTER VIEW ", s.View, " RENAME TO ", s.To)
	}
}

// Query parses a query, as a view keeps it.
func Query(src string) (*Select, error) {
	s, err := Parse(src)
	if err != nil {
		return nil, err
	}
	q, ok := s.(*Select)
	if !ok {
		return nil, Errorf(s.Position(), "a query is expected here")
	}
	return q, nil
}

// Place gives every node of a tree, which nobody else has, the position pos: that of the name of a view
// whose text the tree was parsed from.
func Place(n Node, pos Pos) { place(reflect.ValueOf(n), pos) }

var posType = reflect.TypeFor[Pos]()

func place(v reflect.Value, pos Pos) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			place(v.Elem(), pos)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.Pointer || k == reflect.Interface || k == reflect.Slice {
			for i := range v.Len() {
				place(v.Index(i), pos)
			}
		}
	case reflect.Struct:
		if v.Type() == posType {
			if v.CanSet() {
				v.Set(reflect.ValueOf(pos))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				place(v.Field(i), pos)
			}
		}
	}
}
