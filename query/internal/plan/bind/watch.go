package bind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// RowScope is a scope of the columns of a table, as one row has them, and these columns.
func (b *Binder) RowScope(t *storage.Table) (*Scope, []*logical.Column) {
	b.Tables[t.Def().Name] = t
	def := t.Def()
	s := &Scope{Inside: "WATCH"}
	for i := range def.Columns {
		c := &def.Columns[i]
		s.columns = append(s.columns, &logical.Column{Table: def.Name, Name: c.Name, Type: c.Type, Encoding: EncodingOf(def, i), Ord: i, Source: def.Name, Stored: &logical.Stored{Table: t, Ord: i}})
	}
	return s, s.columns
}

// Columns are those in sight.
func (s *Scope) Columns() []*logical.Column { return s.columns }

// WatchCondition binds the condition of a watch.
func (b *Binder) WatchCondition(s *Scope, name, condition string) (*logical.Expr, error) {
	e, err := parseExpr(condition)
	if err == nil {
		var x *logical.Expr
		if x, err = b.condition(s, e, "WATCH"); err == nil {
			return x, nil
		}
	}
	return nil, WatchError(name, err)
}

// WatchError is an error of the condition of a watch, whose places are not in the statement that
// fails.
func WatchError(name string, err error) error {
	if p := new(parse.Error); errors.As(err, &p) {
		if p.Err != nil {
			return fmt.Errorf("watch %s: %w", name, p.Err)
		}
		return fmt.Errorf("watch %s: %s", name, p.Msg)
	}
	return fmt.Errorf("watch %s: %w", name, err)
}

// NewWatch binds the condition of a watch that is made, and refuses what can't be one: it
// depends on nothing but the row.
func (b *Binder) NewWatch(s *Scope, e parse.Expr) (*logical.Expr, error) {
	var wrong error
	parse.Walk(e, func(n parse.Node) bool {
		switch n := n.(type) {
		case *parse.Param:
			wrong = parse.Errorf(n.Pos, "the condition of a watch can't have a parameter").WithHint("write the value")
		case *parse.Subquery:
			wrong = parse.Errorf(n.Pos, "the condition of a watch is about one row and can't have a subquery").WithHint("write the vector or the value that it gives")
		case *parse.InQuery:
			wrong = parse.Errorf(n.Pos, "the condition of a watch is about one row and can't have a subquery")
		case *parse.Exists:
			wrong = parse.Errorf(n.Pos, "the condition of a watch is about one row and can't have a subquery")
		}
		return wrong == nil
	})
	if wrong != nil {
		return nil, wrong
	}
	x, err := b.condition(s, e, "a watch")
	if err != nil {
		return nil, err
	}
	parts(x, func(x *logical.Expr) bool {
		switch {
		case x.Op == logical.OpSubquery || x.Op == logical.OpExists || x.Op == logical.OpInQuery || x.Op == logical.OpSlot && x.Slot.What == logical.SlotQuery:
			wrong = parse.Errorf(parse.Start(e), "the condition of a watch is about one row and can't have a subquery")
		case x.Op == logical.OpOver || x.Op == logical.OpWindow || x.Op == logical.OpAgg:
			wrong = parse.Errorf(parse.Start(e), "the condition of a watch is about one row; %s looks at others", x.Text)
		case x.Op == logical.OpWords && x.Words.Func == "bm25":
			wrong = parse.Errorf(x.Pos, "bm25 depends on the other rows of the table and can't be in a watch").WithHint("match(column, query) can")
		case x.Op == logical.OpCall && x.Call.Func.Stable:
			wrong = parse.Errorf(x.Pos, "%s() is another value at another time, and can't be in a watch", x.Call.Func.Name)
		}
		return wrong == nil
	})
	if wrong != nil {
		return nil, wrong
	}
	if len(logical.ColumnsOf(x)) == 0 {
		return nil, parse.Errorf(parse.Start(e), "the condition of a watch has no column of the table")
	}
	return x, nil
}

// parts calls f for the parts of an expression, and for those of what its slots are computed from.
func parts(e *logical.Expr, f func(*logical.Expr) bool) {
	e.Walk(func(x *logical.Expr) bool {
		if !f(x) {
			return false
		}
		if x.Op == logical.OpSlot && x.Slot.Of != nil {
			parts(x.Slot.Of, f)
		}
		return true
	})
}

// RowCondition is the text of a condition on the rows of one table, in which names are not
// qualified, so that the table can be renamed.
func RowCondition(e parse.Expr, table string) string {
	c, err := parseExpr(e.String())
	if err != nil {
		return e.String()
	}
	parse.Walk(c, func(n parse.Node) bool {
		switch n := n.(type) {
		case *parse.ColumnRef:
			if n.Table.Means(table) {
				n.Table = parse.Ident{}
			}
		case *parse.Call:
			if n.Of.Means(table) {
				n.Of = parse.Ident{}
			}
		}
		return true
	})
	return c.String()
}

// RenamedIn returns a condition in which a column has another name.
func RenamedIn(condition, from, to string) string {
	e, err := parseExpr(condition)
	if err != nil {
		return condition
	}
	changed := false
	parse.Walk(e, func(n parse.Node) bool {
		switch n := n.(type) {
		case *parse.ColumnRef:
			if n.Name.Means(from) {
				n.Name.Name, n.Name.Quoted, changed = to, quotes(to), true
			}
		case *parse.Call:
			if _, known := fn.MeasureOf(n.Func.Name); !known && n.Func.Means(from+"_sim") {
				n.Func.Name, n.Func.Quoted, changed = to+"_sim", quotes(to), true
			}
		}
		return true
	})
	if !changed {
		return condition
	}
	return e.String()
}

// quotes reports whether a name is written in quotes.
func quotes(name string) bool { return parse.Quote(name) != name || strings.ToLower(name) != name }

// Watch finds the watch that a name means.
func (b *Binder) Watch(id parse.Ident) (*storage.TableDef, *storage.WatchDef, error) {
	var names []string
	var def *storage.TableDef
	var found *storage.WatchDef
	for _, d := range b.View.Tables() {
		for i := range d.Watches {
			w := &d.Watches[i]
			names = append(names, w.Name)
			if w.Name == id.Name || found == nil && id.Means(w.Name) {
				def, found = d, w
			}
		}
	}
	if found == nil {
		e := parse.Errorf(id.Pos, "no watch %q", id.Name).WithHint("%s", hint.Question(id.Name, names)).Because(&storage.NoWatchError{Watch: id.Name})
		if len(names) == 0 {
			e.Msg += "; there is no watch yet, CREATE WATCH makes one"
		}
		return nil, nil, e
	}
	return def, found, nil
}

const watchedFunc = "watched"

// watched binds watched('watch') of FROM: what a watch has still to tell.
func (b *Binder) watched(t *parse.TableFunc, s *Scope) (*logical.Relation, error) {
	if len(t.Args) != 1 || len(t.Options) > 0 {
		return nil, parse.Errorf(t.Pos, "watched takes the name of a watch").WithHint("watched('wolves')")
	}
	args, err := b.Exprs(&Scope{outer: s.outer, Inside: watchedFunc}, t.Args)
	if err != nil {
		return nil, err
	}
	c, ok, err := b.constOf(args[0])
	if err != nil {
		return nil, err
	}
	if !ok || c.Value.Kind() != value.Text {
		return nil, parse.Errorf(parse.Start(t.Args[0]), "the watch is named by a text in quotes").WithHint("watched('wolves')")
	}
	def, w, err := b.Watch(parse.Ident{Pos: parse.Start(t.Args[0]), Name: c.Value.Str()})
	if err != nil {
		return nil, err
	}
	b.Once = true // columns follow from the table, and rows from the watch
	name := cmp.Or(t.Alias.Name, watchedFunc)
	n := &logical.Source{Text: t.String(), Rows: 1000, Outs: []*logical.Column{{Table: name, Name: "place", Type: logical.TextType}}}
	for _, i := range def.Told() {
		n.Outs = append(n.Outs, &logical.Column{Table: name, Name: def.Columns[i].Name, Type: def.Columns[i].Type})
	}
	columns := make([]string, len(n.Outs))
	for i, c := range n.Outs {
		columns[i] = c.Name
	}
	types := make([]value.Type, len(n.Outs))
	for i, c := range n.Outs {
		types[i] = c.Type
	}
	watch := w.Name
	n.Open = func(env *exec.Env, want []int) (exec.Operator, error) {
		view := env.View
		if env.Tx != nil {
			view = env.Tx.View
		}
		return &exec.FromProgram{Source: &waiting{view: view, watch: watch, columns: columns, types: types}, Columns: want}, nil
	}
	return &logical.Relation{Node: n, Cols: n.Outs}, rename(n.Outs, t.Columns)
}

// waiting gives what a watch has to tell.
type waiting struct {
	view    *storage.View
	watch   string
	columns []string
	types   []value.Type
	at      storage.Place
}

func (n *waiting) Next(ctx context.Context) (*value.Batch, error) {
	notes, err := n.view.Notes(ctx, n.watch, n.at, value.BatchSize)
	if err != nil || len(notes) == 0 {
		return nil, err
	}
	b := &value.Batch{Len: len(notes)}
	for k, name := range n.columns {
		x := &value.Column{Type: n.types[k]}
		for i, note := range notes {
			v := value.Value{}
			if k == 0 {
				v = value.Str(note.Place.String())
			}
			for j, has := range note.Columns {
				if k > 0 && has == name {
					v = note.Values[j]
				}
			}
			x.Append(i, v)
		}
		b.Cols = append(b.Cols, x)
	}
	n.at = notes[len(notes)-1].Place
	return b, nil
}
