package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/lupadb/lupa/db"
)

// photo is a row of the table that everybody keeps.
type photo struct {
	id            string
	width, height int64
	rating        float64
	place         string
	caption       string
}

const photoColumns = "id TEXT PRIMARY KEY, width INTEGER, height INTEGER, rating REAL, place TEXT, caption TEXT"

var (
	places  = []string{"garden", "desert", "beach", "forest", "street", "kitchen", "mountain", "sea", "meadow", "station"}
	animals = []string{"wolf", "dog", "cat", "horse", "fish", "bird", "fox", "bear", "sheep", "goat"}
	colours = []string{"red", "green", "blue", "grey", "black", "white", "brown", "golden"}
)

// photoNumber returns row i of the data; every i has its own.
func photoNumber(i uint64) photo {
	rng := rand.New(rand.NewPCG(i, 11))
	pick := func(words []string) string { return words[rng.IntN(len(words))] }
	return photo{
		id:    fmt.Sprintf("%016x", rng.Uint64()),
		width: 320 + rng.Int64N(6000), height: 240 + rng.Int64N(4000),
		rating: float64(rng.IntN(1000)) / 200,
		place:  pick(places),
		caption: fmt.Sprintf("a %s %s and a %s %s in the %s, number %d",
			pick(colours), pick(animals), pick(colours), pick(animals), pick(places), i),
	}
}

// keeper is a database that keeps photos. All methods but insert are called by
// one goroutine.
type keeper interface {
	// insert adds one row, durably; several goroutines call it at once if shared is set.
	insert(p photo, shared bool) error
	// load adds rows first to first+n-1 as fast as it can, durable at the end.
	load(first, n uint64) error
	// get returns the row of an id.
	get(id string) (photo, error)
	// scan answers one of the questions.
	scan(q int) (string, error)
	close() error
}

// questions are filtered scans: no index helps with any of them.
var questions = []struct{ about, sql string }{
	{"count(*), width > 6000 (5%)", "SELECT count(*) FROM photos WHERE width > 6000"},
	{"avg(rating), place = 'desert' and height < 1000", "SELECT round(avg(rating), 6) FROM photos WHERE place = 'desert' AND height < 1000"},
	{"count(*), caption LIKE '%grey wolf%'", "SELECT count(*) FROM photos WHERE caption LIKE '%grey wolf%'"},
	{"all columns of the 60 or so with width = 5000, height > 2600", "SELECT max(id), count(*) FROM (SELECT id, width, height, rating, place, caption FROM photos WHERE width = 5000 AND height > 2600) AS x"},
	{"count(*), avg(width) by place", "SELECT count(*), round(avg(width), 6) FROM photos GROUP BY place ORDER BY 1 LIMIT 1"},
}

func storageBench(args []string) error {
	flags := flag.NewFlagSet("storage", flag.ExitOnError)
	rows := flags.Uint64("rows", 1_000_000, "rows of the table")
	inserts := flags.Int("inserts", 400, "single-row inserts a round")
	lookups := flags.Int("lookups", 20_000, "look-ups by key a round")
	rounds := flags.Int("rounds", 5, "rounds")
	dir := flags.String("dir", "", "directory on the disk to measure; default: a temporary one")
	only := flags.String("only", "", "only jobs that match this expression (and the bulk load)")
	profile := flags.String("profile", "", "write CPU profiles of Lupa's last rounds to files of this name and a number")
	flags.Parse(args)
	wanted, err := regexp.Compile("bulk load|" + *only)
	if err != nil {
		return err
	}

	top, err := os.MkdirTemp(*dir, "rivals-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(top)
	names := []string{"Lupa", "SQLite", "bbolt"}
	open := func(name string) ([]keeper, func() error, error) {
		at := filepath.Join(top, name)
		if err := os.MkdirAll(at, 0o755); err != nil {
			return nil, nil, err
		}
		l, err := openLupa(filepath.Join(at, "lupa"))
		if err != nil {
			return nil, nil, err
		}
		s, err := openSQLite(filepath.Join(at, "sqlite"))
		if err != nil {
			return nil, nil, err
		}
		b, err := openBolt(filepath.Join(at, "bolt"))
		if err != nil {
			return nil, nil, err
		}
		all := []keeper{l, s, b}
		return all, func() error {
			for _, k := range all {
				if err := k.close(); err != nil {
					return err
				}
			}
			return os.RemoveAll(at)
		}, nil
	}
	r := &report{names: names, only: wanted, profile: *profile}
	each := func(all []keeper, f func(k keeper, round int) error) (c []contender) {
		for i, k := range all {
			c = append(c, contender{names[i], func(round int) error { return f(k, round) }})
		}
		return c
	}

	// Bulk load: into a new table every round. The last tables are kept.
	var all []keeper
	var done func() error
	loads := make([]contender, len(names))
	loadRounds := min(*rounds, 3)
	sets := make([][]keeper, loadRounds)
	closers := make([]func() error, loadRounds)
	for i := range sets {
		if sets[i], closers[i], err = open(fmt.Sprint("load", i)); err != nil {
			return err
		}
	}
	for i := range names {
		loads[i] = contender{names[i], func(round int) error { return sets[round-1][i].load(0, *rows) }}
	}
	if err := r.measure(fmt.Sprintf("bulk load, a row of %d", *rows), loadRounds, int(*rows), false, loads); err != nil {
		return err
	}
	for i := range loadRounds - 1 {
		if err := closers[i](); err != nil {
			return err
		}
	}
	all, done = sets[loadRounds-1], closers[loadRounds-1]
	defer func() { done() }()

	if err := r.measure("look-up of a row by its key", *rounds, *lookups, true, each(all, func(k keeper, round int) error {
		rng := rand.New(rand.NewPCG(uint64(round), 3))
		for range *lookups {
			want := photoNumber(rng.Uint64N(*rows))
			if got, err := k.get(want.id); err != nil || got != want {
				return fmt.Errorf("got %+v (%v), want %+v", got, err, want)
			}
		}
		return nil
	})); err != nil {
		return err
	}
	for i, q := range questions {
		want := ""
		if err := r.measure(fmt.Sprintf("scan of %d: %s", *rows, q.about), *rounds, 1, true, each(all, func(k keeper, round int) error {
			got, err := k.scan(i)
			if err == nil && want != "" && got != want {
				err = fmt.Errorf("answer %s, not %s", got, want)
			}
			want = got
			return err
		})); err != nil {
			return err
		}
	}
	next := *rows
	for _, writers := range []int{1, 16} {
		n := *inserts * min(writers, 4)
		first := make([]uint64, len(names)) // of the round, by keeper
		for i := range first {
			first[i] = next
		}
		err := r.measure(fmt.Sprintf("durable insert of a row, %d writers", writers), *rounds, n, true, func() (c []contender) {
			for i, k := range all {
				c = append(c, contender{names[i], func(int) error {
					defer func() { first[i] += uint64(n) }()
					return insertRows(k, first[i], n, writers)
				}})
			}
			return c
		}())
		if err != nil {
			return err
		}
		next = first[0]
	}
	r.write(os.Stdout)
	return nil
}

// insertRows adds n rows from first on, shared out among goroutines.
func insertRows(k keeper, first uint64, n, writers int) error {
	var wait sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		wait.Go(func() {
			for i := w; i < n; i += writers {
				if errs[w] = k.insert(photoNumber(first+uint64(i)), writers > 1); errs[w] != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// --- Lupa ------------------------------------------------------------------------

type lupaKeeper struct {
	db        *db.DB
	put, look *db.Stmt
}

var ctx = context.Background()

func openLupa(dir string) (*lupaKeeper, error) {
	store, err := db.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	k := &lupaKeeper{db: store}
	if _, err := store.Exec(ctx, "CREATE TABLE photos ("+photoColumns+")"); err != nil {
		return nil, err
	}
	if k.put, err = store.Prepare(ctx, "INSERT INTO photos VALUES (?, ?, ?, ?, ?, ?)"); err != nil {
		return nil, err
	}
	k.look, err = store.Prepare(ctx, "SELECT id, width, height, rating, place, caption FROM photos WHERE id = ?")
	return k, err
}

func (k *lupaKeeper) insert(p photo, shared bool) error {
	_, err := k.put.Exec(ctx, p.id, p.width, p.height, p.rating, p.place, p.caption)
	return err
}

func (k *lupaKeeper) load(first, n uint64) error {
	a, err := k.db.Appender(ctx, "photos", nil, &db.AppenderOptions{Atomic: true})
	if err != nil {
		return err
	}
	defer a.Abort()
	for i := range n {
		p := photoNumber(first + i)
		if err := a.Append(p.id, p.width, p.height, p.rating, p.place, p.caption); err != nil {
			return err
		}
	}
	return a.Close()
}

func (k *lupaKeeper) get(id string) (p photo, err error) {
	err = k.look.QueryRow(ctx, id).Scan(&p.id, &p.width, &p.height, &p.rating, &p.place, &p.caption)
	return p, err
}

func (k *lupaKeeper) scan(q int) (string, error) {
	rows, err := k.db.Query(ctx, questions[q].sql)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	answer := ""
	for rows.Next() {
		for _, v := range rows.Values() {
			answer += fmt.Sprint(db.GoValue(v), " ")
		}
	}
	return answer, rows.Err()
}

func (k *lupaKeeper) close() error { return k.db.Close() }
