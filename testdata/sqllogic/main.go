// Command sqllogic runs the files of SQLite's logic tests on Lupa, and on SQLite in memory
// for the time: make sqllogic CORPUS=directory. Statements that Lupa refuses are counted, and
// answers that differ from those in the files fail the run.
package main

import (
	"bufio"
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/hex"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
)

// record is a statement or a query of a file.
type record struct {
	line     int
	sql      string
	query    bool
	fails    bool
	types    string // of a query: I, R, T a column
	sortMode string
	want     []string // values, or one line: n values hashing to md5
	only     []string // engines that it is for
	skip     []string
}

// read reads the records of a file.
func read(path string) ([]record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 16<<20)
	var out []record
	var only, skip []string
	n := 0
	next := func() (string, bool) {
		if !sc.Scan() {
			return "", false
		}
		n++
		return strings.TrimRight(sc.Text(), " \r"), true
	}
	for {
		s, ok := next()
		if !ok {
			return out, sc.Err()
		}
		if s == "" || strings.HasPrefix(s, "#") {
			if s == "" {
				only, skip = nil, nil
			}
			continue
		}
		w := strings.Fields(s)
		switch w[0] {
		case "halt":
			if len(skip) == 0 && (len(only) == 0 || slices.Contains(only, "postgresql")) {
				return out, nil
			}
		case "hash-threshold":
		case "onlyif":
			only = append(only, w[1])
		case "skipif":
			skip = append(skip, w[1])
		case "statement", "query":
			r := record{line: n, query: w[0] == "query", only: only, skip: skip}
			if r.query {
				r.sortMode = "nosort"
				if len(w) > 1 {
					r.types = w[1]
				}
				if len(w) > 2 {
					r.sortMode = w[2]
				}
			} else {
				r.fails = len(w) > 1 && w[1] == "error"
			}
			var text []string
			for s, ok = next(); ok && s != "" && s != "----"; s, ok = next() {
				text = append(text, s)
			}
			r.sql = strings.Join(text, "\n")
			if s == "----" {
				for s, ok = next(); ok && s != ""; s, ok = next() {
					r.want = append(r.want, s)
				}
			}
			only, skip = nil, nil
			out = append(out, r)
		default:
			return nil, fmt.Errorf("%s:%d: %s is not understood", path, n, s)
		}
	}
}

// value formats a value as the files have them.
func value(v any, t byte) string {
	switch x := v.(type) {
	case nil:
		return "NULL"
	case []byte:
		return value(string(x), t)
	case bool:
		if x {
			return "1"
		}
		return "0"
	case int64:
		if t == 'R' {
			return fmt.Sprintf("%.3f", float64(x))
		}
		return strconv.FormatInt(x, 10)
	case float64:
		if t == 'I' {
			return strconv.FormatInt(int64(math.Trunc(x)), 10)
		}
		return fmt.Sprintf("%.3f", x)
	case string:
		switch {
		case t == 'I':
			n, _ := strconv.ParseFloat(x, 64)
			return strconv.FormatInt(int64(n), 10)
		case t == 'R':
			n, _ := strconv.ParseFloat(x, 64)
			return fmt.Sprintf("%.3f", n)
		case x == "":
			return "(empty)"
		}
		return strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '@'
			}
			return r
		}, x)
	}
	return fmt.Sprint(v)
}

// answer runs a query and returns its values, sorted as the record asks for.
func answer(p *sql.Conn, r *record) ([]string, error) {
	rows, err := p.QueryContext(context.Background(), r.sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	vals, ptrs := make([]any, len(names)), make([]any, len(names))
	for i := range vals {
		ptrs[i] = &vals[i]
	}
	var all [][]string
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		row := make([]string, len(names))
		for i, v := range vals {
			t := byte('T')
			if i < len(r.types) {
				t = r.types[i]
			}
			row[i] = value(v, t)
		}
		all = append(all, row)
	}
	if r.sortMode == "rowsort" {
		sort.Slice(all, func(i, j int) bool { return slices.Compare(all[i], all[j]) < 0 })
	}
	flat := slices.Concat(all...)
	if r.sortMode == "valuesort" {
		slices.Sort(flat)
	}
	return flat, rows.Err()
}

// agrees compares an answer with that of the file.
func agrees(got, want []string) bool {
	if len(want) == 1 && strings.Contains(want[0], " values hashing to ") {
		sum := md5.New()
		for _, v := range got {
			sum.Write([]byte(v + "\n"))
		}
		return want[0] == fmt.Sprintf("%d values hashing to %s", len(got), hex.EncodeToString(sum.Sum(nil)))
	}
	return slices.Equal(got, want)
}

// result is what came of a file on an engine.
type result struct {
	queries, refused, wrong int
	took                    time.Duration
}

// run runs the records that are for one of the names.
func run(pool *sql.DB, path string, rs []record, names []string, show int) (out result, err error) {
	conn, err := pool.Conn(context.Background())
	if err != nil {
		return out, err
	}
	defer conn.Close()
	is := func(n string) bool { return slices.Contains(names, n) }
	start := time.Now()
	for i := range rs {
		r := &rs[i]
		if len(r.only) > 0 && !slices.ContainsFunc(r.only, is) || slices.ContainsFunc(r.skip, is) {
			continue
		}
		if !r.query {
			if _, err := conn.ExecContext(context.Background(), r.sql); (err != nil) != r.fails {
				if out.refused++; out.refused <= show {
					fmt.Printf("%s:%d: %v: %.200s\n", path, r.line, err, r.sql)
				}
			}
			continue
		}
		out.queries++
		got, err := answer(conn, r)
		if err != nil {
			if out.refused++; out.refused <= show {
				fmt.Printf("%s:%d: %v: %.200s\n", path, r.line, err, r.sql)
			}
			continue
		}
		if !agrees(got, r.want) {
			if out.wrong++; out.wrong <= show {
				fmt.Printf("%s:%d: %.200s\n  gives %.200v\n  not   %.200v\n", path, r.line, r.sql, got, r.want)
			}
		}
	}
	out.took = time.Since(start)
	return out, nil
}

func main() {
	if !compare() {
		os.Exit(1)
	}
}

// compare runs the files, and reports whether all answers are right.
func compare() bool {
	match := flag.String("match", "*", "only files whose path below the corpus, or name, matches")
	show := flag.Int("show", 3, "how many refusals and wrong answers of a file are shown")
	profile := flag.String("profile", "", "a file for a profile of the processor's time")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return false
		}
		defer pprof.StopCPUProfile()
	}
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: sqllogic [flags] CORPUS: a directory with .test files of SQLite's logic tests, or one such file")
		os.Exit(2)
	}
	driver.Register()
	var lupa, lite result
	files, slow := 0, 0
	err := filepath.WalkDir(flag.Arg(0), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".test" {
			return err
		}
		rel, _ := filepath.Rel(flag.Arg(0), path)
		a, _ := filepath.Match(*match, rel)
		b, err := filepath.Match(*match, d.Name())
		if err != nil || !a && !b {
			return err
		}
		rs, err := read(path)
		if err != nil {
			return err
		}
		store, err := db.Open(":memory:", nil)
		if err != nil {
			return err
		}
		ours := sql.OpenDB(driver.ForDB(store))
		l, err := run(ours, rel, rs, []string{"postgresql", "lupa"}, *show)
		ours.Close()
		store.Close()
		if err != nil {
			return err
		}
		theirs, err := sql.Open("sqlite", ":memory:")
		if err != nil {
			return err
		}
		s, err := run(theirs, rel, rs, []string{"sqlite"}, 0)
		theirs.Close()
		if err != nil {
			return err
		}
		files++
		if l.took > 3*s.took {
			slow++
		}
		fmt.Printf("%-40s %7d queries %5d refused %5d wrong  %8.2f s, SQLite %8.2f s: %.1f times\n", rel, l.queries, l.refused, l.wrong, l.took.Seconds(), s.took.Seconds(), l.took.Seconds()/s.took.Seconds())
		lupa.queries, lupa.refused, lupa.wrong, lupa.took, lite.took = lupa.queries+l.queries, lupa.refused+l.refused, lupa.wrong+l.wrong, lupa.took+l.took, lite.took+s.took
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false
	}
	fmt.Printf("%d files, %d queries, %d refused, %d wrong; %.1f s, SQLite %.1f s; %d files take over 3 times as long\n", files, lupa.queries, lupa.refused, lupa.wrong, lupa.took.Seconds(), lite.took.Seconds(), slow)
	return lupa.wrong == 0 && files > 0
}
