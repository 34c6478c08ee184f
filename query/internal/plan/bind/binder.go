package bind

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Binder gives names their meaning, for one statement.
type Binder struct {
	Ctx   context.Context
	In    *Input
	View  *storage.View
	fnctx *fn.Ctx
	How

	ctes    []cte
	cteUses int // so far
	// Change plans a statement that WITH names and that changes rows.
	Change   func(def *parse.CTE) (*logical.SharedQuery, error)
	Shared   []*logical.SharedQuery
	Top      *parse.Select // a query whose rows are given to somebody as they are, to whom WITHIN may tell what they lack
	depth    int
	Slots    []*logical.Slot
	known    map[string]*logical.Slot // by what they are computed from
	Block    *logical.Block           // being bound
	Looked   []*parse.Param           // whose values the plan depends on
	Once     bool                     // the plan is for one run: it depends on files, or has changed something
	Subs     []*logical.Subquery
	encoders map[string]encoder.Encoder
	Tables   map[string]*storage.Table
	Remotes  []RemoteTable // tables of attached databases
	Views    []*storage.ViewDef
	viewCTEs map[*storage.ViewDef]*parse.CTE
	inViews  []*storage.ViewDef // whose queries are being bound
	frozen   *freezer           // of the query of a view that is made
	texts    parse.Texts        // of expressions
	bound    int                // expressions so far
}

// cte is a query that WITH has named.
type cte struct {
	def    *parse.CTE
	change *logical.SharedQuery // it changes rows
	below  int                  // number of ctes it can see
	view   *storage.ViewDef     // it is that of a view

	recursive bool               // it uses itself
	often     bool               // it is used several times
	working   *logical.Recursion // it is the name in its own query
	outs      []*logical.Column  // of working, once they are known
}

// NewBinder returns a binder for one statement.
func NewBinder(ctx context.Context, in *Input) *Binder {
	return &Binder{
		Ctx: ctx, In: in, View: in.Snapshot(), How: How{Describe: in.Describe},
		fnctx:    &fn.Ctx{Context: ctx, Now: in.Now},
		encoders: map[string]encoder.Encoder{}, Tables: map[string]*storage.Table{}, Block: &logical.Block{},
	}
}

// Table finds a table.
func (b *Binder) Table(name parse.Ident) (*storage.Table, error) {
	if name.Database != "" {
		if _, err := b.Attached(name); err != nil {
			return nil, err
		}
		return nil, parse.Errorf(name.Pos, "%s is a table of an attached database, for which there is no such statement", name)
	}
	if t, err := b.tempTable(name); t != nil || err != nil {
		return t, err
	}
	if t := b.Tables[name.Name]; t != nil {
		b.uses(name.Name)
		return t, nil
	}
	t, err := TableOf(b.View, name)
	if t != nil {
		b.uses(t.Def().Name)
		if known := b.Tables[t.Def().Name]; known != nil {
			return known, nil
		}
		b.Tables[t.Def().Name] = t
	}
	var missing *storage.NoTableError
	if errors.As(err, &missing) {
		if v, _ := ViewOf(b.View, name); v != nil {
			return nil, parse.Errorf(name.Pos, "%s is a view: its rows are those of a query", name).WithHint("what changes are the tables it reads: %s", v.Query).Because(missing)
		}
		var names []string
		for _, d := range b.AllTables() {
			names = append(names, d.Name)
		}
		e := parse.Errorf(name.Pos, "no table %q", name.Name).WithHint("%s", hint.Question(name.Name, names)).Because(missing)
		if e.Hint == "" && len(names) == 0 {
			e.Msg += "; there is no table yet, CREATE TABLE makes one"
		}
		if e.Hint == "" && len(names) > 0 && len(names) <= 5 {
			e.Hint = "there is " + strings.Join(names, ", ")
			if len(names) > 1 {
				e.Hint = "there are " + strings.Join(names, ", ")
			}
		}
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// TableOf finds the table that a name means: the one written so, else the only one of
// that name in another case.
func TableOf(view *storage.View, name parse.Ident) (*storage.Table, error) {
	t, err := view.Table(name.Name)
	var missing *storage.NoTableError
	if name.Quoted || !errors.As(err, &missing) {
		return t, err
	}
	var found []string
	for _, d := range view.Tables() {
		if name.Means(d.Name) {
			found = append(found, d.Name)
		}
	}
	switch len(found) {
	case 0:
		return nil, err
	case 1:
		return view.Table(found[0])
	}
	return nil, parse.Errorf(name.Pos, "table %q could be %s", name.Name, strings.Join(quoteAll(found), " or ")).WithHint("in double quotes a name's case counts")
}

func quoteAll(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = parse.Ident{Name: n, Quoted: true}.String()
	}
	return out
}

// TableColumn finds a column of a table by name.
func TableColumn(def *storage.TableDef, name parse.Ident) (int, error) {
	if i := def.Column(name.Name); i >= 0 {
		return i, nil
	}
	var names, found []string
	for _, c := range def.Columns {
		names = append(names, c.Name)
		if name.Means(c.Name) {
			found = append(found, c.Name)
		}
	}
	switch len(found) {
	case 0:
	case 1:
		return def.Column(found[0]), nil
	default:
		return 0, parse.Errorf(name.Pos, "column %q could be %s", name.Name, strings.Join(quoteAll(found), " or ")).WithHint("in double quotes a name's case counts")
	}
	return 0, parse.Errorf(name.Pos, "no column %q in %s", name.Name, def.Name).WithHint("%s", hint.OrAll(name.Name, names)).Because(&storage.NoColumnError{Table: def.Name, Column: name.Name})
}

// EncodingOf returns the encoding of a table's column, nil without an encoder.
func EncodingOf(def *storage.TableDef, i int) *logical.Encoding {
	c := &def.Columns[i]
	if c.Encoder == "" {
		return nil
	}
	return &logical.Encoding{Name: c.Encoder, Model: c.Model, Table: def.Name, Col: c.Name, Dim: c.Type.Dim}
}

// open opens the encoder of a column, once for a statement.
func (b *Binder) open(e *logical.Encoding, pos parse.Pos) error {
	key := e.Name + "\x00" + e.Table + "\x00" + e.Col
	if b.encoders[key] != nil {
		return nil
	}
	enc, err := b.In.OpenEncoder(b.Ctx, e, pos)
	b.encoders[key] = enc
	if err == nil && b.In.Warn != nil {
		if w := enc.Model().ProcessorWarning(e.Model); w != "" {
			b.In.Warn(fmt.Sprintf("%s.%s: %s", e.Table, e.Col, w))
		}
	}
	return err
}

// Param returns the value of a parameter.
func (b *Binder) Param(p *parse.Param) (value.Value, error) { return b.In.Param(p) }
