package main

import (
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
	"go.etcd.io/bbolt"
)

// pointsBench measures the operations that come a million times in a program: rows
// looked up and inserted one by one, Lupa and SQLite through the same database/sql.
func pointsBench(args []string) error {
	flags := flag.NewFlagSet("points", flag.ExitOnError)
	rows := flags.Uint64("rows", 200_000, "rows of the table")
	lookups := flags.Int("lookups", 10_000, "look-ups a round")
	inserts := flags.Int("inserts", 1000, "inserts of a transaction")
	lone := flags.Int("lone", 300, "durable inserts a round")
	rounds := flags.Int("rounds", 7, "rounds")
	dir := flags.String("dir", "", "directory on the disk to measure; default: a temporary one")
	cpu := flags.Bool("cpu", false, "measure processor time: on a machine that others use as well")
	only := flags.String("only", "", "only jobs that match this expression")
	profile := flags.String("profile", "", "write CPU profiles of Lupa's last rounds to files of this name and a number")
	flags.Parse(args)
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	top, err := os.MkdirTemp(*dir, "rivals-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(top)

	store, err := db.Open(filepath.Join(top, "lupa"), nil)
	if err != nil {
		return err
	}
	defer store.Close()
	l := &pointKeeper{db: sql.OpenDB(driver.ForDB(store))}
	defer l.db.Close()
	s := &pointKeeper{}
	if s.db, err = sql.Open("sqlite3", "file:"+filepath.Join(top, "sqlite")+"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=60000&_cache_size=-1000000"); err != nil {
		return err
	}
	defer s.db.Close()
	for _, k := range []*pointKeeper{l, s} {
		if err := k.fill(*rows); err != nil {
			return err
		}
	}
	b, err := openBolt(filepath.Join(top, "bolt"))
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.load(0, *rows); err != nil {
		return err
	}

	r := &report{names: []string{"Lupa", "SQLite", "bbolt"}, only: wanted, profile: *profile, cpu: *cpu}
	look := func(f func(want photo) (photo, error)) func(int) error {
		return func(round int) error {
			rng := rand.New(rand.NewPCG(uint64(round), 3))
			for range *lookups {
				want := photoNumber(rng.Uint64N(*rows))
				if got, err := f(want); err != nil || got != want {
					return fmt.Errorf("got %+v (%v), want %+v", got, err, want)
				}
			}
			return nil
		}
	}
	bolt := contender{"bbolt", look(func(p photo) (photo, error) { return b.get(p.id) })}
	for _, j := range []struct {
		job  string
		get  func(k *pointKeeper) func(photo) (photo, error)
		bolt bool
	}{
		{"row by its key, prepared", func(k *pointKeeper) func(photo) (photo, error) {
			return func(p photo) (photo, error) { return readPhoto(k.byKey.QueryRow(p.id)) }
		}, true},
		{"row by its key, not prepared", func(k *pointKeeper) func(photo) (photo, error) {
			return func(p photo) (photo, error) { return readPhoto(k.db.QueryRow(selectByKey, p.id)) }
		}, false},
		{"row by a UNIQUE index, prepared", func(k *pointKeeper) func(photo) (photo, error) {
			return func(p photo) (photo, error) { return readPhoto(k.byUnique.QueryRow(p.caption)) }
		}, false},
		{"row by an ordinary index, prepared", func(k *pointKeeper) func(photo) (photo, error) {
			return func(p photo) (photo, error) {
				got, err := readPhoto(k.byIndex.QueryRow(markOf(p)))
				if markOf(got) == markOf(p) { // either of the two rows that have it
					got = p
				}
				return got, err
			}
		}, false},
	} {
		all := []contender{{"Lupa", look(j.get(l))}, {"SQLite", look(j.get(s))}}
		if j.bolt {
			all = append(all, bolt)
		}
		if err := r.measure(j.job, *rounds, *lookups, true, all); err != nil {
			return err
		}
	}
	numbered := func(k *pointKeeper) func(int) error {
		return func(round int) error {
			rng := rand.New(rand.NewPCG(uint64(round), 4))
			for range *lookups {
				n := rng.Uint64N(*rows)
				want := photoNumber(n)
				var id string
				var width int64
				if err := k.byNumber.QueryRow(n).Scan(&id, &width); err != nil || id != want.id || width != want.width {
					return fmt.Errorf("number %d is %s, %d (%v), want %+v", n, id, width, err, want)
				}
			}
			return nil
		}
	}
	if err := r.measure("row by an integer key in order, prepared", *rounds, *lookups, true, []contender{{"Lupa", numbered(l)}, {"SQLite", numbered(s)}}); err != nil {
		return err
	}
	next := [3]uint64{*rows, *rows, *rows}
	put := func(at int, n int, f func(first uint64) error) func(int) error {
		return func(int) error {
			defer func() { next[at] += uint64(n) }()
			return f(next[at])
		}
	}
	inTx := func(k *pointKeeper) func(uint64) error {
		return func(first uint64) error { return k.insertAll(first, uint64(*inserts)) }
	}
	if err := r.measure(fmt.Sprintf("%d single-row inserts in a transaction, a row", *inserts), *rounds, *inserts, true, []contender{
		{"Lupa", put(0, *inserts, inTx(l))}, {"SQLite", put(1, *inserts, inTx(s))},
		{"bbolt", put(2, *inserts, func(first uint64) error {
			return b.db.Update(func(tx *bbolt.Tx) error {
				for i := range uint64(*inserts) {
					p := photoNumber(first + i)
					if err := tx.Bucket(boltBucket).Put([]byte(p.id), encodePhoto(p)); err != nil {
						return err
					}
				}
				return nil
			})
		})}}); err != nil {
		return err
	}
	alone := func(k *pointKeeper) func(uint64) error {
		return func(first uint64) error {
			for i := range uint64(*lone) {
				if err := k.insertOne(k.put, photoNumber(first+i)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if err := r.measure("durable insert of a row, 1 writer", *rounds, *lone, true, []contender{
		{"Lupa", put(0, *lone, alone(l))}, {"SQLite", put(1, *lone, alone(s))},
		{"bbolt", put(2, *lone, func(first uint64) error {
			for i := range uint64(*lone) {
				if err := b.insert(photoNumber(first+i), false); err != nil {
					return err
				}
			}
			return nil
		})}}); err != nil {
		return err
	}
	r.write(os.Stdout)

	var id, place string
	var width int64
	three, err := l.db.Prepare("SELECT id, width, place FROM photos WHERE id = ?")
	if err != nil {
		return err
	}
	key := photoNumber(7).id
	threes, err := s.db.Prepare("SELECT id, width, place FROM photos WHERE id = ?")
	if err != nil {
		return err
	}
	allocs := func(st *sql.Stmt) float64 {
		return testing.AllocsPerRun(1000, func() {
			if e := st.QueryRow(key).Scan(&id, &width, &place); e != nil {
				err = e
			}
		})
	}
	fmt.Printf("\nallocations of a look-up of three columns, prepared: Lupa %.0f, SQLite %.0f\n", allocs(three), allocs(threes))
	return err
}

const selectByKey = "SELECT id, width, height, rating, place, caption FROM photos WHERE id = ?"

// pointKeeper is a database behind database/sql, with an index of each kind.
type pointKeeper struct {
	db                            *sql.DB
	put, byKey, byUnique, byIndex *sql.Stmt
	byNumber                      *sql.Stmt // of the table numbered
}

// markOf is the value of the column with an ordinary index: two rows or so have each.
func markOf(p photo) string { return p.id[:min(8, len(p.id))] }

func (k *pointKeeper) fill(rows uint64) error {
	if _, err := k.db.Exec("CREATE TABLE photos (" + photoColumns + ", mark TEXT)"); err != nil {
		return err
	}
	var err error
	if k.put, err = k.db.Prepare("INSERT INTO photos VALUES (?, ?, ?, ?, ?, ?, ?)"); err != nil {
		return err
	}
	const part = 50_000
	for first := uint64(0); first < rows; first += part {
		if err := k.insertAll(first, min(part, rows-first)); err != nil {
			return err
		}
	}
	for _, s := range []string{"CREATE UNIQUE INDEX by_caption ON photos (caption)", "CREATE INDEX by_mark ON photos (mark)"} {
		if _, err := k.db.Exec(s); err != nil {
			return err
		}
	}
	if err := k.number(rows); err != nil {
		return err
	}
	if k.byKey, err = k.db.Prepare(selectByKey); err != nil {
		return err
	}
	if k.byUnique, err = k.db.Prepare("SELECT id, width, height, rating, place, caption FROM photos WHERE caption = ?"); err != nil {
		return err
	}
	k.byIndex, err = k.db.Prepare("SELECT id, width, height, rating, place, caption FROM photos WHERE mark = ?")
	return err
}

// number fills a table whose key counts its rows.
func (k *pointKeeper) number(rows uint64) error {
	if _, err := k.db.Exec("CREATE TABLE numbered (n INTEGER PRIMARY KEY, id TEXT, width INTEGER)"); err != nil {
		return err
	}
	tx, err := k.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	put, err := tx.Prepare("INSERT INTO numbered VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	for n := range rows {
		p := photoNumber(n)
		if _, err := put.Exec(n, p.id, p.width); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	k.byNumber, err = k.db.Prepare("SELECT id, width FROM numbered WHERE n = ?")
	return err
}

func (k *pointKeeper) insertOne(put *sql.Stmt, p photo) error {
	_, err := put.Exec(p.id, p.width, p.height, p.rating, p.place, p.caption, markOf(p))
	return err
}

func (k *pointKeeper) insertAll(first, n uint64) error {
	tx, err := k.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	put := tx.Stmt(k.put)
	for i := range n {
		if err := k.insertOne(put, photoNumber(first+i)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func readPhoto(row *sql.Row) (p photo, err error) {
	err = row.Scan(&p.id, &p.width, &p.height, &p.rating, &p.place, &p.caption)
	return p, err
}
