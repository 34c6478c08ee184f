package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// binder gives names their meaning, for one statement.
type binder struct {
	ctx   context.Context
	in    *Input
	view  *storage.View
	fnctx *fn.Ctx
	how

	ctes     []cte
	cteUses  int // so far
	shared   []*sharedQuery
	depth    int
	slots    []*slot
	known    map[string]*slot // by what they are computed from
	block    *block           // being bound
	looked   []*parse.Param   // whose values the plan depends on
	once     bool             // the plan is for one run: it depends on files, or has changed something
	subs     []*subquery
	encoders map[string]encoder.Encoder
	tables   map[string]*storage.Table
}

// cte is a query that WITH has named.
type cte struct {
	def   *parse.CTE
	below int // number of ctes it can see
}

func newBinder(ctx context.Context, in *Input) *binder {
	return &binder{
		ctx: ctx, in: in, view: in.view(), how: how{describe: in.Describe},
		fnctx:    &fn.Ctx{Context: ctx, Now: in.Now},
		encoders: map[string]encoder.Encoder{}, tables: map[string]*storage.Table{}, block: &block{},
	}
}

// table finds a table.
func (b *binder) table(name parse.Ident) (*storage.Table, error) {
	if t := b.tables[name.Name]; t != nil {
		return t, nil
	}
	t, err := tableOf(b.view, name)
	if t != nil {
		if known := b.tables[t.Def().Name]; known != nil {
			return known, nil
		}
		b.tables[t.Def().Name] = t
	}
	var missing *storage.NoTableError
	if errors.As(err, &missing) {
		var names []string
		for _, d := range b.view.Tables() {
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

// tableOf finds the table that a name means: the one written so, else the only one of
// that name in another case.
func tableOf(view *storage.View, name parse.Ident) (*storage.Table, error) {
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

// tableColumn finds a column of a table by name.
func tableColumn(def *storage.TableDef, name parse.Ident) (int, error) {
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

// encodingOf returns the encoding of a table's column, nil without an encoder.
func encodingOf(def *storage.TableDef, i int) *encoding {
	c := &def.Columns[i]
	if c.Encoder == "" {
		return nil
	}
	return &encoding{name: c.Encoder, model: c.Model, table: def.Name, col: c.Name, dim: c.Type.Dim}
}

// open opens the encoder of a column, once for a statement.
func (b *binder) open(e *encoding, pos parse.Pos) error {
	key := e.name + "\x00" + e.table + "\x00" + e.col
	if b.encoders[key] != nil {
		return nil
	}
	enc, err := b.in.openEncoder(b.ctx, e, pos)
	b.encoders[key] = enc
	if err == nil && b.in.Warn != nil {
		if w := enc.Model().ProcessorWarning(e.model); w != "" {
			b.in.Warn(fmt.Sprintf("%s.%s: %s", e.table, e.col, w))
		}
	}
	return err
}

func (b *binder) param(p *parse.Param) (value.Value, error) { return b.in.param(p) }
