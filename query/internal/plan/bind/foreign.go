package bind

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// RemoteTable is a table of an attached database, as a plan knows it.
type RemoteTable struct {
	In    *foreign.Attached
	Table *foreign.Table
	Def   *storage.TableDef // the table as statements see it
}

// Current reports whether the table is still known to be so.
func (r RemoteTable) Current() bool { return r.In.Current(r.Table) }

// Elsewhere tells which table of an attached database a program means by a name: database.table,
// unless a table of the store is called so.
func Elsewhere(view *storage.View, attached *foreign.Set, name string) (parse.Ident, bool) {
	database, table, ok := strings.Cut(name, ".")
	if !ok || attached.Find(database) == nil {
		return parse.Ident{}, false
	}
	if t, err := view.Table(name); err == nil && t != nil {
		return parse.Ident{}, false
	}
	return parse.Ident{Name: table, Quoted: true, Database: database}, true
}

// Attached finds the database that the name of a table says.
func (b *Binder) Attached(name parse.Ident) (*foreign.Attached, error) {
	if a := b.In.Attached.Find(name.Database); a != nil {
		return a, nil
	}
	_, address, err := b.remembered(name)
	if err == nil && address != "" {
		err = b.In.Attached.Attach(b.Ctx, name.Database, address)
	}
	if a := b.In.Attached.Find(name.Database); a != nil {
		return a, nil
	}
	if err != nil {
		return nil, logical.ErrorAt(name.Pos, err)
	}
	var names []string
	for _, a := range b.In.Attached.All() {
		names = append(names, a.Name)
	}
	e := parse.Errorf(name.Pos, "no database is attached as %q", name.Database).WithHint("%s", hint.Question(name.Database, names))
	if e.Hint == "" {
		e.Hint = "ATTACH 'postgres://user@host/db' AS " + parse.Quote(name.Database) + " attaches one; the store's own tables are in no schema"
	}
	return nil, e
}

// Remembered is the table in which ATTACH ... PERSIST writes names and addresses down.
const Remembered = "lupa_databases"

// remembered is name and address of a database that was attached to be remembered, "" if none was.
// It is attached when a statement first names it, so that a store opens without it.
func (b *Binder) remembered(name parse.Ident) (as, address string, err error) {
	t, err := b.View.Table(Remembered)
	var missing *storage.NoTableError
	if errors.As(err, &missing) || b.In.NoFiles {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	at, where := t.Def().Column("name"), t.Def().Column("address")
	if at < 0 || where < 0 || t.Def().Columns[at].Type.Kind != value.Text || t.Def().Columns[where].Type.Kind != value.Text {
		return "", "", nil
	}
	sc := t.Scan(storage.ScanOptions{Columns: []int{at, where}})
	defer sc.Close()
	for {
		rows, err := sc.Next(b.Ctx)
		if err != nil || rows == nil {
			return "", "", err
		}
		for _, i := range rows.Selected() {
			if strings.EqualFold(rows.Cols[0].Value(int(i)).Str(), name.Database) {
				return rows.Cols[0].Value(int(i)).Str(), rows.Cols[1].Value(int(i)).Str(), nil
			}
		}
	}
}

// Remembers returns the name by which a database is written down, "" if it is not.
func (b *Binder) Remembers(name parse.Ident) (string, error) {
	as, _, err := b.remembered(name)
	return as, err
}

// Remote finds a table of an attached database.
func (b *Binder) Remote(name parse.Ident) (*RemoteTable, error) {
	a, err := b.Attached(name)
	if err != nil {
		return nil, err
	}
	written := name.Name
	if !name.Quoted { // such engines fold names, to lower case
		written = strings.ToLower(written)
	}
	t, err := a.Table(b.Ctx, written)
	var missing *foreign.NoTableError
	if errors.As(err, &missing) && written != name.Name {
		t, err = a.Table(b.Ctx, name.Name)
	}
	if errors.As(err, &missing) {
		names, _ := a.Database.Tables(b.Ctx)
		e := parse.Errorf(name.Pos, "no table %q in %s", name.Name, a.Name).Because(missing)
		e.Hint = hint.Question(name.Name, names)
		if e.Hint == "" && len(names) > 0 && len(names) <= 5 {
			e.Hint = "it has " + strings.Join(names, ", ")
		}
		return nil, e
	}
	if err != nil {
		return nil, logical.ErrorAt(name.Pos, err)
	}
	r := RemoteTable{a, t, remoteDef(a, t)}
	b.Remotes = append(b.Remotes, r)
	return &r, nil
}

// remoteDef is a table of an attached database as statements see it.
func remoteDef(a *foreign.Attached, t *foreign.Table) *storage.TableDef {
	def := &storage.TableDef{Name: a.Name + "." + t.Name, PrimaryKey: -1}
	for _, c := range t.Columns {
		def.Columns = append(def.Columns, storage.ColumnDef{Name: c.Name, Type: c.Type, NotNull: c.NotNull, Encoder: c.Encoder, Model: c.Model})
	}
	if len(t.Key) == 1 {
		def.PrimaryKey = t.Key[0]
	}
	return def
}

// RemoteScan is the reading of a table of an attached database under a name.
func RemoteScan(r *RemoteTable, name string) *logical.Relation {
	n := &logical.Remote{In: r.In, Tables: []*foreign.Table{r.Table}, Cols: scanColumns(r.Def, name), Count: -1, Rows: r.Table.Rows}
	return &logical.Relation{Node: n, Cols: n.Cols}
}

// RemoteInsert is a bound INSERT into a table of an attached database.
type RemoteInsert struct {
	Table *RemoteTable
	Rows  *logical.Project // the columns of Opts
	Opts  foreign.Insert
}

// RemoteInsert binds INSERT.
func (b *Binder) RemoteInsert(s *parse.Insert) (*RemoteInsert, error) {
	table, err := b.Remote(s.Table)
	if err != nil {
		return nil, err
	}
	if len(s.Returning) > 0 {
		return nil, parse.Errorf(s.Returning[0].Pos, "RETURNING is for the store's own tables")
	}
	if s.Query == nil {
		return nil, parse.Errorf(s.Pos, "DEFAULT VALUES is for the store's own tables")
	}
	if v, ok := s.Query.Body.(*parse.Values); ok {
		for _, row := range v.Rows {
			for _, e := range row {
				if d, ok := e.(*parse.Default); ok {
					return nil, parse.Errorf(d.Pos, "the database fills in what the list of columns leaves out; leave the column out of it")
				}
			}
		}
	}
	ords, err := TargetColumns(table.Def, s.Columns)
	if err != nil {
		return nil, err
	}
	n := &RemoteInsert{Table: table, Opts: foreign.Insert{Columns: ords}}
	if err := n.conflict(s.OnConflict); err != nil {
		return nil, err
	}
	rel, err := b.insertSource(s, table.Def, ords)
	if err != nil {
		return nil, err
	}
	if n.Rows, err = b.RemoteRows(rel, table.Def, ords, fn.Assignment); err != nil {
		return nil, err
	}
	n.Rows.Skip = n.present()
	return n, nil
}

// present says that rows whose key is there need not be encoded, where nothing becomes of them.
func (n *RemoteInsert) present() *logical.Present {
	key := n.Table.Def.PrimaryKey
	at := slices.Index(n.Opts.Columns, key)
	if key < 0 || at < 0 || !n.Opts.Skip || len(n.Opts.Conflict) > 0 && !slices.Equal(n.Opts.Conflict, []int{key}) {
		return nil
	}
	if k := n.Table.Def.Columns[key].Type.Kind; k != value.Text && k != value.Integer || n.Table.Table.Columns[key].Opaque {
		return nil
	}
	return &logical.Present{Key: at, Remote: n.Table.In, There: n.Table.Table, Column: key}
}

// RemoteRows converts rows to the types of columns.
func (b *Binder) RemoteRows(rel *logical.Relation, def *storage.TableDef, ords []int, mode fn.CastMode) (*logical.Project, error) {
	p := &logical.Project{In: rel.Node, Stores: true}
	for i, o := range ords {
		x, err := b.Store(logical.ColumnExpr(rel.Cols[i], parse.Pos{}), def, o, mode)
		if err != nil {
			return nil, err
		}
		p.Items = append(p.Items, x)
		p.Outs = append(p.Outs, &logical.Column{Name: def.Columns[o].Name, Type: def.Columns[o].Type})
	}
	return p, nil
}

// conflict reads ON CONFLICT.
func (n *RemoteInsert) conflict(c *parse.OnConflict) error {
	if c == nil {
		return nil
	}
	for _, id := range c.Columns {
		i, err := TableColumn(n.Table.Def, id)
		if err != nil {
			return err
		}
		n.Opts.Conflict = append(n.Opts.Conflict, i)
	}
	n.Opts.Skip = c.Set == nil
	if c.Where != nil {
		return parse.Errorf(c.Where.Position(), "ON CONFLICT DO UPDATE ... WHERE is for the store's own tables")
	}
	for _, a := range c.Set {
		i, err := TableColumn(n.Table.Def, a.Column)
		if err != nil {
			return err
		}
		ref, ok := a.Value.(*parse.ColumnRef)
		if !ok || !ref.Table.Means("excluded") || !ref.Name.Means(n.Table.Def.Columns[i].Name) {
			return parse.Errorf(a.Pos, "into an attached database, ON CONFLICT DO UPDATE takes a column from the new row: SET %s = excluded.%[1]s", a.Column)
		}
		n.Opts.Update = append(n.Opts.Update, i)
	}
	return nil
}

// RemoteChange is a bound UPDATE or DELETE of a table of an attached database.
type RemoteChange struct {
	Table *RemoteTable
	Scan  *logical.Remote // its filters say which rows
	Cols  []int
	Items []*logical.Expr
}

// RemoteUpdate binds UPDATE. All that it computes is computed there.
func (b *Binder) RemoteUpdate(s *parse.Update) (*RemoteChange, error) {
	n, sc, err := b.remoteChange(s.Table, s.Alias, s.Returning)
	if err != nil {
		return nil, err
	}
	if s.From != nil {
		return nil, parse.Errorf(s.From.Position(), "UPDATE ... FROM is for the store's own tables")
	}
	sc.Inside = "UPDATE"
	if n.Cols, n.Items, err = b.assignments(sc, s.Set, n.Table.Def, n.Scan.Cols); err != nil {
		return nil, err
	}
	for i, e := range n.Items {
		if n.Table.Table.Columns[n.Cols[i]].Opaque {
			return nil, parse.Errorf(s.Set[i].Pos, "%s is of type %s, which can't be written from here", s.Set[i].Column, n.Table.Table.Columns[n.Cols[i]].Foreign)
		}
		if !n.Scan.Renders(e) {
			return nil, parse.Errorf(e.Pos, "%s is not computed there as it is here", s.Set[i].Value)
		}
	}
	return n, b.remoteWhere(n, sc, s.Where)
}

// RemoteDelete binds DELETE.
func (b *Binder) RemoteDelete(s *parse.Delete) (*RemoteChange, error) {
	n, sc, err := b.remoteChange(s.Table, s.Alias, s.Returning)
	if err != nil {
		return nil, err
	}
	sc.Inside = "DELETE"
	return n, b.remoteWhere(n, sc, s.Condition())
}

func (b *Binder) remoteChange(name, alias parse.Ident, returning []parse.SelectItem) (*RemoteChange, *Scope, error) {
	table, err := b.Remote(name)
	if err != nil {
		return nil, nil, err
	}
	if len(returning) > 0 {
		return nil, nil, parse.Errorf(returning[0].Pos, "RETURNING is for the store's own tables")
	}
	rel := RemoteScan(table, cmp.Or(alias.Name, name.Name))
	return &RemoteChange{Table: table, Scan: rel.Node.(*logical.Remote)}, &Scope{columns: rel.Cols}, nil
}

func (b *Binder) remoteWhere(n *RemoteChange, sc *Scope, where parse.Expr) error {
	if where == nil {
		return nil
	}
	cond, err := b.condition(sc, where, "WHERE")
	if err != nil {
		return err
	}
	for _, c := range logical.Conjuncts(cond, nil) {
		if !n.Scan.Renders(c) {
			return parse.Errorf(c.Pos, "the database does not compute %s as it is computed here, so that other rows might be changed", c.Text).
				WithHint("SELECT finds the keys of the rows; WHERE id IN (...) takes them")
		}
		n.Scan.Filters = append(n.Scan.Filters, c)
	}
	return nil
}
