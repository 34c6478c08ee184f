package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// A watch is a condition on the rows of a table. Of a row that meets it once a transaction is
// committed, and did not before, the transaction writes a note beside the row, in the same
// commit: so nothing that was committed is left out, and nothing is told that was rolled
// back. A note is there until somebody acknowledges it.
//
// Storage does not know the language of conditions: Store.SetWatcher gives it what does. Every
// way into a table passes here.

// WatchDef describes a watch.
type WatchDef struct {
	ID      uint32   // given by the store, never used again
	Name    string   // unique in the store
	Expr    string   // the condition, in the language
	Columns []uint32 // ids of the columns that the condition depends on
	Vectors []WatchVector
}

// WatchVector is the vector of a text or picture in a watch's condition, which is encoded once.
type WatchVector struct {
	Of    string // as the condition has it
	Model string // hash of the model
	Vec   []float32
}

// Watcher tells which of the rows pos of cols (all columns of the table in their order; those
// that no watch of which depends on may be nil) meet the conditions of watches: of
// def.Watches[which[i]] the i-th list, ascending. v is what the transaction sees.
type Watcher func(ctx context.Context, v *View, def *TableDef, which []int, cols []*value.Column, pos []int32) ([][]int32, error)

// ErrNoWatcher is returned by whatever changes rows of a table that has watches in a store
// without a Watcher.
var ErrNoWatcher = errors.New("the table has watches, whose conditions this program does not know how to compute")

// SetWatcher sets what computes the conditions of watches. It is called before the store is
// used.
func (s *Store) SetWatcher(w Watcher) { s.watcher = w }

// Place is where a note of a watch stands in the order in which notes are told: by commits,
// and in a commit by rows. The zero Place is before all notes.
type Place struct{ Commit, Row uint64 }

// String is "commit.row".
func (p Place) String() string { return fmt.Sprintf("%d.%d", p.Commit, p.Row) }

// ParsePlace reads what String writes.
func ParsePlace(s string) (p Place, ok bool) {
	commit, row, ok := strings.Cut(s, ".")
	if !ok {
		return p, false
	}
	var err, err2 error
	p.Commit, err = strconv.ParseUint(commit, 10, 64)
	p.Row, err2 = strconv.ParseUint(row, 10, 64)
	return p, err == nil && err2 == nil
}

// bell tells those who wait for notes that there are new ones.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns a channel that is closed by the next ring.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// Noted returns a channel that is closed when the next commit with notes of watches is on the
// disk.
func (s *Store) Noted() <-chan struct{} { return s.bell.wait() }

// Watch returns the position of the watch of this name, -1 without one.
func (d *TableDef) Watch(name string) int {
	return slices.IndexFunc(d.Watches, func(w WatchDef) bool { return w.Name == name })
}

// watch finds the table that has a watch of this name.
func (c *catalog) watch(name string) (*TableDef, *WatchDef) {
	for _, d := range c.byName {
		if i := d.Watch(name); i >= 0 {
			return d, &d.Watches[i]
		}
	}
	return nil, nil
}

// Watch returns the watch of this name and its table, or a *NoWatchError.
func (v *View) Watch(name string) (*TableDef, *WatchDef, error) {
	if d, w := v.catalog.watch(name); d != nil {
		return d, w, nil
	}
	return nil, nil, &NoWatchError{name}
}

// CreateWatch adds a watch to a table; the ID of w does not count. Of the rows there are
// nothing is told.
func (tx *Tx) CreateWatch(ctx context.Context, table string, w WatchDef) error {
	t, err := tx.table(table)
	if err != nil {
		return err
	}
	if err := checkName("watch", w.Name); err != nil {
		return err
	}
	if other, _ := tx.catalog.watch(w.Name); other != nil {
		return &ExistsError{"watch", w.Name}
	}
	for _, id := range w.Columns {
		if t.def.ColumnID(id) < 0 {
			return &DefinitionError{fmt.Sprintf("watch %s: no column of id %d", w.Name, id)}
		}
	}
	d := t.def.clone()
	w.ID = tx.catalog.nextID
	w.Columns = slices.Clone(w.Columns)
	d.Watches = append(d.Watches, w)
	return tx.changeTable(t.def, d)
}

// DropWatch removes a watch and what it has still to tell.
func (tx *Tx) DropWatch(ctx context.Context, name string) error {
	defer tx.frees()()
	if err := tx.writable(); err != nil {
		return err
	}
	old, w, err := tx.Watch(name)
	if err != nil {
		return err
	}
	d := old.clone()
	d.Watches = slices.DeleteFunc(d.Watches, func(x WatchDef) bool { return x.ID == w.ID })
	tx.telling = true // those who wait for it are told that it is gone
	if err := tx.deletePrefix(key.Watch(nil, w.ID)); err != nil {
		return err
	}
	return tx.changeTable(old, d)
}

// matches asks the watcher. Vectors of cols become what is stored of them.
func (s *Store) matches(ctx context.Context, v *View, d *TableDef, which []int, cols []*value.Column, pos []int32) ([][]int32, error) {
	if s.watcher == nil {
		return nil, ErrNoWatcher
	}
	if len(pos) == 0 {
		return make([][]int32, len(which)), nil
	}
	used := map[uint32]bool{}
	for _, i := range which {
		for _, id := range d.Watches[i].Columns {
			used[id] = true
		}
	}
	cols = slices.Clone(cols)
	for i, c := range cols {
		switch {
		case !used[d.Columns[i].ID]:
			cols[i] = nil
		case c == nil || c.Type.Kind == value.Null:
			x := &value.Column{Type: d.Columns[i].Type.Widened()}
			for n := range int(slices.Max(pos)) + 1 {
				x.Append(n, value.Value{})
			}
			cols[i] = x
		case d.Columns[i].Type.Half:
			x := *c
			x.Vecs = make([]float32, len(c.Vecs))
			value.RoundHalf(x.Vecs, c.Vecs)
			cols[i] = &x
		}
	}
	return s.watcher(ctx, v, d, which, cols, pos)
}

// Told returns the positions of the columns of which a watch tells: the primary key or, without
// one, all columns but vectors and blobs, which may be large.
func (d *TableDef) Told() []int {
	if d.PrimaryKey >= 0 {
		return []int{d.PrimaryKey}
	}
	var out []int
	for i := range d.Columns {
		if k := d.Columns[i].Type.Kind; k != value.Vector && k != value.Blob {
			out = append(out, i)
		}
	}
	return out
}

// note is what is written of row p of cols.
func (d *TableDef) note(cols []*value.Column, p int) []byte {
	var b []byte
	for _, i := range d.Told() {
		var v value.Value
		if c := cols[i]; c != nil && c.Type.Kind != value.Null {
			v = c.Value(p)
		}
		b = block.AppendField(b, d.Columns[i].ID, v, d.Columns[i].Type)
	}
	return b
}

// number is that of the commit which the transaction will be.
func (tx *Tx) number() uint64 { return tx.store.commits.made + 1 }

func (tx *Tx) tell(w *WatchDef, row uint64, note []byte) error {
	tx.telling = true
	return tx.set(key.Note(nil, w.ID, tx.number(), row), note)
}

// takeBack drops what the transaction has noted of a row, and reports whether there was anything.
func (tx *Tx) takeBack(w *WatchDef, row uint64) (noted bool, err error) {
	id := key.Note(nil, w.ID, tx.number(), row)
	if noted, err = tx.get(id, func([]byte) error { return nil }); err == nil && noted {
		err = tx.deleteKey(id)
	}
	return noted, err
}

// tellInserted tells of rows that were added: rows[i] is the number of row pos[i] of cols,
// NoRow where it was left out.
func (tx *Tx) tellInserted(ctx context.Context, d *TableDef, cols []*value.Column, pos []int32, rows []uint64) error {
	if len(d.Watches) == 0 {
		return nil
	}
	added := make([]int32, 0, len(pos))
	number := map[int32]uint64{}
	for i, p := range pos {
		if rows[i] != NoRow {
			added = append(added, p)
			number[p] = rows[i]
		}
	}
	found, err := tx.store.matches(ctx, tx.View, d, allWatches(d), cols, added)
	if err != nil {
		return err
	}
	for i, at := range found {
		for _, p := range at {
			if err := tx.tell(&d.Watches[i], number[p], d.note(cols, int(p))); err != nil {
				return err
			}
		}
	}
	return nil
}

func allWatches(d *TableDef) []int {
	all := make([]int, len(d.Watches))
	for i := range all {
		all[i] = i
	}
	return all
}

// watchedUpdate is what an update changes for the watches of a table.
type watchedUpdate struct {
	d       *TableDef
	touched []int // watches that depend on what is set
	need    []int // columns to be read
}

// watchesOn returns what an update of the columns at positions cols changes; nil: nothing.
func (d *TableDef) watchesOn(cols []int) *watchedUpdate {
	u := &watchedUpdate{d: d}
	need := map[int]bool{}
	for i, w := range d.Watches {
		if slices.ContainsFunc(w.Columns, func(id uint32) bool { return slices.Contains(cols, d.ColumnID(id)) }) {
			u.touched = append(u.touched, i)
			for _, id := range w.Columns {
				need[d.ColumnID(id)] = true
			}
		}
	}
	for _, i := range d.Told() {
		need[i] = true
	}
	for i := range d.Columns {
		if need[i] {
			u.need = append(u.need, i)
		}
	}
	return u
}

// run compares rows, at most a block of them, as they are with what they will be, and calls f
// for each watch and row, of the touched ones: was and is tell whether the row met the
// condition, and cols holds, at i, what will be known of it.
func (u *watchedUpdate) run(ctx context.Context, t *Table, rows []uint64, cols []int, vals []*value.Column, pos []int32, f func(cols []*value.Column, was, is []*BlockSet) error) error {
	old, err := t.Fetch(ctx, rows, u.need)
	if err != nil {
		return err
	}
	before := make([]*value.Column, len(u.d.Columns))
	for i, c := range u.need {
		before[c] = old.Cols[i]
	}
	after := slices.Clone(before)
	for i, c := range cols {
		if after[c] != nil {
			fresh := &value.Column{Type: u.d.Columns[c].Type.Widened()}
			appendRows(fresh, 0, vals[i], pos)
			after[c] = fresh
		}
	}
	sets := func(cols []*value.Column) ([]*BlockSet, error) {
		if len(u.touched) == 0 {
			return nil, nil
		}
		found, err := t.view.store.matches(ctx, t.view, u.d, u.touched, cols, allRows[:len(rows)])
		if err != nil {
			return nil, err
		}
		out := make([]*BlockSet, len(found))
		for i, at := range found {
			out[i] = new(BlockSet)
			for _, p := range at {
				out[i][p>>6] |= 1 << (p & 63)
			}
		}
		return out, nil
	}
	was, err := sets(before)
	if err != nil {
		return err
	}
	is, err := sets(after)
	if err != nil {
		return err
	}
	return f(after, was, is)
}

// tellUpdated finds out, before rows change, what has to be told of them; the function that it
// returns, nil for nothing, is called with the numbers that they have afterwards.
func (tx *Tx) tellUpdated(ctx context.Context, t *Table, rows []uint64, cols []int, vals []*value.Column, pos []int32) (func(now []uint64) error, error) {
	d := t.def
	if len(d.Watches) == 0 {
		return nil, nil
	}
	u := d.watchesOn(cols)
	if len(u.touched) == 0 && !tx.telling {
		return nil, nil
	}
	type news struct {
		watch, at int
		note      []byte
	}
	var all []news
	for first := 0; first < len(rows); first += BlockRows {
		n := min(BlockRows, len(rows)-first)
		chunk := rows[first : first+n]
		err := u.run(ctx, t, chunk, cols, vals, pos[first:first+n], func(cols []*value.Column, was, is []*BlockSet) error {
			for w := range d.Watches {
				k := slices.Index(u.touched, w)
				for i, row := range chunk {
					// What this transaction has noted of the row goes, or stands for the row as it
					// will be.
					noted := false
					if tx.telling {
						var err error
						if noted, err = tx.takeBack(&d.Watches[w], row); err != nil {
							return err
						}
					}
					if k < 0 && noted || k >= 0 && is[k].Has(i) && (noted || !was[k].Has(i)) {
						all = append(all, news{w, first + i, d.note(cols, i)})
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return func(now []uint64) error {
		for _, x := range all {
			if err := tx.tell(&d.Watches[x.watch], now[x.at], x.note); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// untell drops what the transaction has noted of rows that it deletes.
func (tx *Tx) untell(d *TableDef, rows []uint64) error {
	if !tx.telling {
		return nil
	}
	for i := range d.Watches {
		for _, row := range rows {
			if _, err := tx.takeBack(&d.Watches[i], row); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileNotes are notes that go into table files. As long as they are few they wait in memory,
// and share a file.
type fileNotes struct {
	sst    *sstWriter
	commit uint64
	wait   map[uint32][]fileNote // by watch; nil: they go into files as they come
	held   int
}

type fileNote struct {
	row  uint64
	note []byte
}

// heldNotes is how many bytes of notes wait in memory.
const heldNotes = 8 << 20

func newFileNotes(sst *sstWriter, commit uint64) *fileNotes {
	return &fileNotes{sst: sst, commit: commit, wait: map[uint32][]fileNote{}}
}

// add takes the note of a row; those of one watch ascend.
func (n *fileNotes) add(watch uint32, row uint64, note []byte) error {
	if n.wait == nil {
		return n.put(watch, row, note)
	}
	n.wait[watch] = append(n.wait[watch], fileNote{row, note})
	if n.held += len(note) + 48; n.held < heldNotes {
		return nil
	}
	held := n.wait
	n.wait = nil
	for id, notes := range held {
		for _, x := range notes {
			if err := n.put(id, x.row, x.note); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *fileNotes) put(watch uint32, row uint64, note []byte) error {
	return n.sst.put(key.Watch(nil, watch), key.Note(nil, watch, n.commit, row), note)
}

// finish writes what waits.
func (n *fileNotes) finish() error {
	ids := make([]uint32, 0, len(n.wait))
	for id := range n.wait {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		for _, x := range n.wait[id] {
			if err := n.sst.put(key.Watches(), key.Note(nil, id, n.commit, x.row), x.note); err != nil {
				return err
			}
		}
	}
	return nil
}

// any reports whether there was a note.
func (n *fileNotes) any() bool { return n != nil && n.held > 0 }

// tellLoaded tells of rows that a load adds, before it does.
func (l *Loader) tellLoaded(ctx context.Context, cols []*value.Column, pos []int32) error {
	if len(l.d.Watches) == 0 {
		return nil
	}
	if l.notes == nil {
		l.notes = newFileNotes(l.sst, l.s.commits.made+1)
	}
	found, err := l.s.matches(ctx, l.view, l.d, allWatches(l.d), cols, pos)
	if err != nil {
		return err
	}
	for i, at := range found {
		k := 0
		for _, p := range at {
			for pos[k] != p {
				k++
			}
			if err := l.notes.add(l.d.Watches[i].ID, l.counters.next+uint64(k), l.d.note(cols, int(p))); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell tells of rows that an updater is about to change.
func (u *Updater) tell(ctx context.Context) error {
	if u.watched == nil {
		return nil
	}
	return u.watched.run(ctx, u.t, u.rows, u.cols, u.vals, allRows[:len(u.rows)], func(cols []*value.Column, was, is []*BlockSet) error {
		for k, w := range u.watched.touched {
			for i, row := range u.rows {
				if is[k].Has(i) && !was[k].Has(i) {
					if err := u.notes.add(u.t.def.Watches[w].ID, row, u.t.def.note(cols, i)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}
