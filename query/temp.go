package query

import (
	"context"
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/storage"
)

// temps are the temporary tables of a session: a store in memory. They take part in the
// session's transactions, and leave nothing behind.
type temps struct {
	store   *storage.Store
	tx      *storage.Tx   // of the session's open transaction, nil as long as that has changed none
	view    *storage.View // of what is committed; made anew after each change
	commits []onCommit
}

// onCommit is what becomes of a temporary table at the end of a transaction.
type onCommit struct {
	table string
	id    uint32
	drop  bool
}

func newTemps() (*temps, error) {
	s, err := storage.Open("", &storage.Options{InMemory: true, NoSync: true, CacheSize: 8 << 20})
	if err != nil {
		return nil, err
	}
	t := &temps{store: s}
	if err := t.look(); err != nil {
		s.Close()
		return nil, err
	}
	return t, nil
}

// look takes a view of what is committed now.
func (t *temps) look() error {
	v, err := t.store.Snapshot()
	if err != nil {
		return err
	}
	if t.view != nil {
		t.view.Close()
	}
	t.view = v
	return nil
}

// current is what a statement sees; nil if there are no temporary tables.
func (t *temps) current() *storage.View {
	if t == nil {
		return nil
	}
	v := t.view
	if t.tx != nil {
		v = t.tx.View
	}
	if len(v.Tables()) == 0 {
		return nil
	}
	return v
}

// commit ends a transaction of the temporary tables, and does what they say for its end.
func (t *temps) commit(ctx context.Context, tx *storage.Tx) error {
	for _, c := range slices.Clone(t.commits) {
		at, err := tx.Table(c.table)
		if err != nil || at.Def().ID != c.id {
			t.forget(c)
			continue
		}
		if c.drop {
			err = tx.DropTable(ctx, c.table)
			t.forget(c)
		} else if at.Rows() > 0 {
			err = emptied(ctx, tx, at)
		}
		if err != nil {
			tx.Rollback()
			return err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	return t.look()
}

func (t *temps) forget(c onCommit) {
	t.commits = slices.DeleteFunc(t.commits, func(x onCommit) bool { return x == c })
}

// emptied deletes all rows of a table.
func emptied(ctx context.Context, tx *storage.Tx, t *storage.Table) error {
	scan := t.Scan(storage.ScanOptions{})
	var rows []uint64
	for {
		b, err := scan.Next(ctx)
		if err != nil || b == nil {
			scan.Close()
			if err != nil {
				return err
			}
			break
		}
		for _, i := range b.Selected() {
			rows = append(rows, b.Rows[i])
		}
	}
	_, err := tx.Delete(ctx, t.Def().Name, rows)
	return err
}

// end ends what the session's transaction has done to temporary tables.
func (t *temps) end(ctx context.Context, keep bool) error {
	if t == nil {
		return nil
	}
	tx := t.tx
	t.tx = nil
	switch {
	case tx == nil && keep && len(t.commits) > 0:
		var err error
		if tx, err = t.store.Begin(ctx); err != nil {
			return err
		}
		return t.commit(ctx, tx)
	case tx == nil:
		return nil
	case keep:
		return t.commit(ctx, tx)
	}
	return tx.Rollback()
}

// DropTemp drops the temporary tables of the session.
func (s *Session) DropTemp() error {
	t := s.temp
	if t == nil {
		return nil
	}
	s.temp = nil
	err := t.end(context.Background(), false)
	t.view.Close()
	return firstError(err, t.store.Close())
}

// MakesTemp reports whether the statement makes a temporary table.
func (s *Stmt) MakesTemp() bool {
	c, ok := s.tree.(*parse.CreateTable)
	return ok && c.Temp
}

// ToTemp reports whether the statement would change temporary tables of the session.
func (s *Session) ToTemp(st *Stmt) bool {
	if s.temp == nil {
		return st.MakesTemp()
	}
	is, _ := s.toTemp(st.tree)
	return is
}

// toTemp reports whether a statement changes temporary tables.
func (s *Session) toTemp(t parse.Statement) (bool, error) {
	if c, ok := t.(*parse.CreateTable); ok && c.Temp && s.temp == nil {
		var err error
		s.temp, err = newTemps()
		return true, err
	}
	if s.temp == nil {
		return false, nil
	}
	if e, ok := t.(*parse.Explain); ok && e.Analyze {
		t = e.Statement
	}
	in := bind.Input{Temp: s.temp.current()}
	var names []parse.Ident
	if table, ok := parse.ChangedTable(t); ok {
		names = []parse.Ident{table}
	}
	switch t := t.(type) {
	case *parse.CreateTable:
		return t.Temp, nil
	case *parse.CopyFrom:
		names = []parse.Ident{t.Table}
	case *parse.AlterTable:
		names = []parse.Ident{t.Table}
	case *parse.CreateIndex:
		names = []parse.Ident{t.Table}
	case *parse.CreateWatch:
		if in.IsTemp(t.Table) {
			return false, parse.Errorf(t.Table.Pos, "%s is a temporary table, which is not watched", t.Table).WithHint("what is watched are tables of the store")
		}
	case *parse.Vacuum:
		names = []parse.Ident{t.Table}
	case *parse.DropTable:
		names = t.Tables
	case *parse.Truncate:
		names = t.Tables
	case *parse.DropIndex:
		return in.Temp != nil && slices.ContainsFunc(in.Temp.Tables(), func(d *storage.TableDef) bool {
			return slices.ContainsFunc(d.Indexes, func(x storage.IndexDef) bool { return t.Indexes[0].Means(x.Name) })
		}), nil
	}
	names = append(names, changed(t)...)
	n := 0
	for _, id := range names {
		if in.IsTemp(id) {
			n++
		}
	}
	if n > 0 && n < len(names) {
		return false, parse.Errorf(names[0].Pos, "some of these tables are temporary and some are not").WithHint("use a statement for each kind")
	}
	return n > 0, nil
}

// changed are the tables that are changed by what WITH names.
func changed(t parse.Statement) (names []parse.Ident) {
	if !parse.Changes(t) {
		return nil
	}
	parse.Walk(t, func(n parse.Node) bool {
		if c, ok := n.(*parse.CTE); ok {
			if table, ok := parse.ChangedTable(c.Change); ok {
				names = append(names, table)
			}
		}
		return true
	})
	return names
}

// beginTemp takes what a statement needs that changes temporary tables.
func (u *unit) beginTemp(ctx context.Context, kind how) error {
	s, in := u.s, &u.in
	t := s.temp
	if s.InTransaction() && kind == alone {
		return errAlone
	}
	u.temp = t
	in.Files, in.Store, in.ToTemp = s.env.Store, t.store, true
	switch {
	case s.tx != nil:
		in.Base = s.tx.View
	case s.view != nil:
		in.Base = s.view
	default:
		if err := s.env.Store.SnapshotTo(&u.snap); err != nil {
			return err
		}
		u.view, in.Base = &u.snap, &u.snap
	}
	var err error
	switch {
	case s.InTransaction():
		if t.tx == nil {
			t.tx, err = t.store.Begin(ctx)
		}
		in.Tx = t.tx
	case kind == writes:
		in.Tx, err = t.store.Begin(ctx)
		u.own = true
	default:
		in.Tx, in.Temp = nil, t.view
	}
	if err == nil && in.Tx != nil {
		in.Temp, u.sp = in.Tx.View, in.Tx.Savepoint()
		if parse.Changes(u.tree) {
			in.Temp, err = in.Tx.Before()
			u.before = in.Temp
		}
	}
	return err
}

// closeTemp gives it back.
func (u *unit) closeTemp(ctx context.Context, failed bool) (err error) {
	t, tx := u.temp, u.in.Tx
	switch {
	case tx == nil:
		err = t.look()
	case u.own && failed:
		err = tx.Rollback()
	case u.own:
		err = t.commit(ctx, tx)
	case failed:
		err = tx.RollbackTo(u.sp)
		u.s.failed = true
	}
	if u.view != nil {
		err = firstError(err, u.view.Close())
	}
	return err
}

// made notes what becomes of a temporary table at the end of transactions.
func (u *unit) made() {
	c, ok := u.tree.(*parse.CreateTable)
	if !ok || u.temp == nil || u.in.Tx == nil || c.OnCommit == parse.KeepOnCommit {
		return
	}
	if at, err := u.in.Tx.Table(c.Table.Name); err == nil {
		u.temp.commits = append(u.temp.commits, onCommit{c.Table.Name, at.Def().ID, c.OnCommit == parse.DropOnCommit})
	}
}

// isTemp reports whether a program's name of a table means a temporary one.
func (s *Session) isTemp(name string) bool {
	in := bind.Input{Temp: s.temp.current()}
	return in.IsTemp(parse.Ident{Name: name, Quoted: true})
}
