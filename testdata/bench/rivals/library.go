package main

import (
	"bufio"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/internal/library"
)

// libraryBench asks a photo library what people ask, the tables in an order that is not the best one.
func libraryBench(args []string) error {
	flags := flag.NewFlagSet("library", flag.ExitOnError)
	photos := flags.Int("photos", 2_000_000, "photos of the library; it has two and a half times as many tags")
	rounds := flags.Int("rounds", 3, "runs of each statement, of which the median counts")
	cpu := flags.Bool("cpu", false, "measure processor time: on a machine that others use as well")
	folder := flags.String("duckdb", os.Getenv("DUCKDB_NODE"), "directory with node_modules/@duckdb/node-api; without it DuckDB is left out")
	withSQLite := flags.Bool("sqlite", true, "beside SQLite; some of its answers take minutes")
	profile := flags.String("profile", "", "write CPU profiles of Lupa's runs to files with this prefix")
	only := flags.String("only", "", "only the statements with this in their text")
	flags.Parse(args)

	dir, err := os.MkdirTemp("", "rivals")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tables := library.Tables(*photos)
	for _, t := range tables {
		if err := writeLibraryTable(filepath.Join(dir, t.Name+".csv"), t); err != nil {
			return err
		}
	}
	fill := func(exec func(q string) error) error {
		for _, t := range tables {
			for _, q := range []string{"CREATE TABLE " + t.Name + " (" + t.Columns + ")", "COPY " + t.Name + " FROM '" + filepath.Join(dir, t.Name+".csv") + "'"} {
				if err := exec(q); err != nil {
					return err
				}
			}
		}
		for _, q := range library.Indexes {
			if err := exec(q); err != nil {
				return err
			}
		}
		return nil
	}
	store, err := db.Open(filepath.Join(dir, "lupa"), nil)
	if err != nil {
		return err
	}
	err = fill(func(q string) error { _, err := store.Exec(context.Background(), q); return err })
	if err := store.Close(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	r := &report{cpu: *cpu, profile: *profile}
	var ask []func(q string) (string, error)
	add := func(name string, pid int, f func(q string) (string, error)) {
		r.names, r.pids, ask = append(r.names, name), append(r.pids, pid), append(ask, f)
	}
	for _, workers := range []int{1, runtime.GOMAXPROCS(0)} {
		store, err := db.Open(filepath.Join(dir, "lupa"), &db.Options{ReadOnly: true, Workers: workers})
		if err != nil {
			return err
		}
		defer store.Close()
		name := "Lupa, 1 thread"
		if workers > 1 {
			name = fmt.Sprintf("Lupa, %d threads", workers)
		}
		add(name, 0, func(q string) (string, error) { return lupaAsk(store, q) })
	}
	if *withSQLite {
		lite, err := openSQLiteLibrary(filepath.Join(dir, "sqlite.db"), *photos)
		if err != nil {
			return err
		}
		defer lite.Close()
		add("SQLite", 0, func(q string) (string, error) { return sqliteAsk(lite, q) })
	}
	if *folder == "" {
		fmt.Println("DuckDB is left out: make bench-rivals fetches it where there is npm, -duckdb says where it is")
	} else {
		d, err := startDuck(*folder, ":memory:", "SET threads = 1", "SET integer_division = true")
		if err != nil {
			return err
		}
		defer d.close()
		if err := fill(func(q string) error { _, err := d.ask(q); return err }); err != nil {
			return err
		}
		add("DuckDB, 1 thread", d.cmd.Process.Pid, d.ask)
	}
	for _, s := range library.Statements {
		if !strings.Contains(s.SQL, *only) {
			continue
		}
		answers := slices.Repeat([]string{""}, len(ask))
		var all []contender
		for i, f := range ask {
			all = append(all, contender{r.names[i], func(int) (err error) {
				answers[i], err = f(s.SQL)
				return err
			}})
		}
		if err := r.measure(s.SQL, *rounds, 1, true, all); err != nil {
			return err
		}
		for i, a := range answers {
			if !sameRows(a, answers[0], s.Ordered) {
				return fmt.Errorf("%s: %s answers %.300q, %s %.300q", s.SQL, r.names[0], answers[0], r.names[i], a)
			}
		}
	}
	sum := reportRow{job: "all together", times: slices.Repeat([]float64{0}, len(ask))}
	for _, row := range r.rows {
		for i, t := range row.times {
			sum.times[i] += t
		}
	}
	r.rows = append(r.rows, sum)
	r.write(os.Stdout)
	return nil
}

// sameRows compares answers, line by line, in any order unless they are ordered.
func sameRows(a, b string, ordered bool) bool {
	if ordered || a == b {
		return a == b
	}
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// writeLibraryTable writes a table as CSV, NULL as an empty field.
func writeLibraryTable(path string, t library.Table) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i, c := range strings.Split(t.Columns, ", ") {
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteString(strings.Fields(c)[0])
	}
	w.WriteByte('\n')
	if err := t.Each(func(values []any) error {
		for i, v := range values {
			if i > 0 {
				w.WriteByte(',')
			}
			if v != nil {
				fmt.Fprint(w, v)
			}
		}
		return w.WriteByte('\n')
	}); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func openSQLiteLibrary(path string, photos int) (*sql.DB, error) {
	lite, err := sql.Open("sqlite3", "file:"+path+"?_cache_size=-4000000&_synchronous=OFF")
	if err != nil {
		return nil, err
	}
	lite.SetMaxOpenConns(1)
	for _, t := range library.Tables(photos) {
		if _, err := lite.Exec("CREATE TABLE " + t.Name + " (" + t.Columns + ")"); err != nil {
			return nil, err
		}
		tx, err := lite.Begin()
		if err != nil {
			return nil, err
		}
		columns := strings.Count(t.Columns, ", ") + 1
		put, err := tx.Prepare("INSERT INTO " + t.Name + " VALUES (?" + strings.Repeat(", ?", columns-1) + ")")
		if err == nil {
			err = t.Each(func(values []any) error { _, err := put.Exec(values...); return err })
		}
		if err != nil {
			return nil, fmt.Errorf("%w; %v", err, tx.Rollback())
		}
		if err := tx.Commit(); err != nil {
			return nil, err
		}
	}
	for _, q := range append(library.Indexes[:len(library.Indexes):len(library.Indexes)], "ANALYZE") {
		if _, err := lite.Exec(q); err != nil {
			return nil, err
		}
	}
	return lite, nil
}
