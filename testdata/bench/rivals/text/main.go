// Text measures full-text search beside SQLite's FTS5, over generated captions: words by Zipf's
// law, 6 to 14 in each. Every figure is a median of one run, in which they take turns.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"github.com/lupadb/lupa/db"
)

func main() {
	log.SetFlags(0)
	rows := flag.Int("rows", 1_000_000, "captions")
	flag.Parse()
	dir, err := os.MkdirTemp("", "text")
	check(err)
	defer os.RemoveAll(dir)
	ctx := context.Background()

	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.07, 4, 60_000)
	captions := make([]string, *rows)
	for i := range captions {
		var b strings.Builder
		for range 6 + r.IntN(9) {
			fmt.Fprintf(&b, "w%d ", zipf.Uint64())
		}
		captions[i] = b.String()
	}

	lupa, err := db.Open(filepath.Join(dir, "lupa"), nil)
	check(err)
	defer func() { lupa.Close() }()
	// rest closes the store, so that all is in files that stay, and returns their size.
	rest := func() int64 {
		check(lupa.Close())
		n := size(filepath.Join(dir, "lupa"))
		lupa, err = db.Open(filepath.Join(dir, "lupa"), nil)
		check(err)
		return n
	}
	run := func(sql string, args ...any) {
		_, err := lupa.Exec(ctx, sql, args...)
		check(err)
	}
	run("CREATE TABLE c (id INTEGER PRIMARY KEY, caption TEXT)")
	app, err := lupa.Appender(ctx, "c", nil, nil)
	check(err)
	for i, s := range captions {
		check(app.Append(i, s))
	}
	check(app.Close())
	run("VACUUM c") // what was loaded is in tables, as after PRAGMA wal_checkpoint
	before := rest()
	begin := time.Now()
	run("CREATE INDEX words ON c USING fulltext (caption)")
	ours := time.Since(begin)
	ourSize := rest() - before

	lite, err := sql.Open("sqlite3", filepath.Join(dir, "fts.db")+"?_journal_mode=WAL&_synchronous=NORMAL")
	check(err)
	defer lite.Close()
	lite.SetMaxOpenConns(1)
	exec := func(sql string, args ...any) {
		_, err := lite.Exec(sql, args...)
		check(err)
	}
	exec("CREATE TABLE c (id INTEGER PRIMARY KEY, caption TEXT)")
	tx, err := lite.Begin()
	check(err)
	insert, err := tx.Prepare("INSERT INTO c VALUES (?, ?)")
	check(err)
	for i, s := range captions {
		_, err := insert.Exec(i, s)
		check(err)
	}
	check(tx.Commit())
	exec("PRAGMA wal_checkpoint(TRUNCATE)")
	before = size(filepath.Join(dir, "fts.db"))
	begin = time.Now()
	exec("CREATE VIRTUAL TABLE words USING fts5(caption, content=c, content_rowid=id)")
	exec("INSERT INTO words(words) VALUES ('rebuild')")
	theirs := time.Since(begin)
	exec("PRAGMA wal_checkpoint(TRUNCATE)")
	theirSize := size(filepath.Join(dir, "fts.db")) - before

	fmt.Printf("| %d captions | Lupa | FTS5 | times ours |\n|---|---|---|---|\n", *rows)
	line := func(what string, a, b float64, unit string) {
		fmt.Printf("| %s | %.3g %s | %.3g %s | %.2f |\n", what, a, unit, b, unit, b/a)
	}
	line("building the index", ours.Seconds(), theirs.Seconds(), "s")
	line("its size", float64(ourSize)/1e6, float64(theirSize)/1e6, "MB")
	for _, q := range []struct{ what, words string }{
		{"top 10, one frequent word", "w0"}, {"top 10, one rare word", "w5000"},
		{"top 10, two frequent words", "w0 w1"}, {"top 10, a frequent and a rare word", "w0 w3000"},
		{"top 10, four words", "w2 w15 w120 w900"},
	} {
		or := strings.ReplaceAll(q.words, " ", " OR ")
		a, b := turns(
			func() { drain(lupa.Query(ctx, "SELECT id FROM c ORDER BY bm25(caption, $1) LIMIT 10", q.words)) },
			func() {
				drainSQL(lite.Query("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT 10", or))
			})
		line(q.what, a, b, "ms")
	}
	for _, q := range []struct{ what, match string }{
		{"count, one frequent word", "w0"}, {"count, two words", "w0 w1"}, {"count, a phrase", `"w0 w1"`},
	} {
		a, b := turns(
			func() { drain(lupa.Query(ctx, "SELECT count(*) FROM c WHERE match(caption, $1)", q.match)) },
			func() { drainSQL(lite.Query("SELECT count(*) FROM words WHERE words MATCH ?", q.match)) })
		line(q.what, a, b, "ms")
	}

	// Single rows: as many into a table with the index as into one without.
	run("CREATE TABLE plain (id INTEGER PRIMARY KEY, caption TEXT)")
	var with, without []float64
	for i := range 400 {
		for k, table := range []string{"c", "plain"} {
			begin := time.Now()
			run("INSERT INTO "+table+" VALUES ($1, $2)", *rows+i, captions[i])
			if us := float64(time.Since(begin).Microseconds()); k == 0 {
				with = append(with, us)
			} else {
				without = append(without, us)
			}
		}
	}
	slices.Sort(with)
	slices.Sort(without)
	a, b := with[len(with)/2], without[len(without)/2]
	fmt.Printf("\nA row inserted into Lupa takes %.0f µs with the index and %.0f without: %.2f times.\n", a, b, a/b)
}

// turns returns the medians of two things that are done in turns, in milliseconds.
func turns(a, b func()) (float64, float64) {
	var as, bs []float64
	for range 9 {
		for i, f := range []func(){a, b} {
			begin := time.Now()
			f()
			ms := float64(time.Since(begin).Microseconds()) / 1000
			if i == 0 {
				as = append(as, ms)
			} else {
				bs = append(bs, ms)
			}
		}
	}
	slices.Sort(as)
	slices.Sort(bs)
	return as[len(as)/2], bs[len(bs)/2]
}

func drain(rows *db.Rows, err error) {
	check(err)
	for _, err := range rows.All() {
		check(err)
	}
}

func drainSQL(rows *sql.Rows, err error) {
	check(err)
	defer rows.Close()
	for rows.Next() {
		var n int64
		check(rows.Scan(&n))
	}
	check(rows.Err())
}

func size(path string) (n int64) {
	_ = filepath.Walk(path, func(_ string, i os.FileInfo, err error) error {
		if err == nil && !i.IsDir() && !strings.Contains(i.Name(), "RESERVE") && filepath.Ext(i.Name()) != ".log" {
			n += i.Size()
		}
		return nil
	})
	return n
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
