package dbtest_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/internal/library"
)

var (
	libraryPhotos = flag.Int("library.photos", 3000, "how many photos the library has that statements are asked of here and in SQLite")
	libraryTimes  = flag.Bool("library.times", false, "show how long each statement takes here and in SQLite")
)

// fillLibrary makes the tables of a photo library in both engines.
func fillLibrary(t *testing.T, d *differ, n int) {
	t.Helper()
	for _, table := range library.Tables(n) {
		d.run(t, both("%s", "CREATE TABLE "+table.Name+" ("+table.Columns+")"))
		var rows []string
		flush := func() {
			if len(rows) > 0 {
				d.run(t, both("%s", "INSERT INTO "+table.Name+" VALUES "+strings.Join(rows, ",")))
			}
			rows = rows[:0]
		}
		if err := table.Each(func(values []any) error {
			texts := make([]string, len(values))
			for i, v := range values {
				texts[i] = library.Literal(v)
			}
			if rows = append(rows, "("+strings.Join(texts, ", ")+")"); len(rows) == 1000 {
				flush()
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		flush()
	}
	for _, s := range library.Indexes {
		d.run(t, both("%s", s))
	}
}

// libraryStatements are those of the library, for both engines.
func libraryStatements() (out []statement) {
	for _, s := range library.Statements {
		out = append(out, statement{both("%s", s.SQL), s.Ordered})
	}
	return out
}

// The statements without each rule of the planner, over few rows: joins in their order would take
// too long otherwise.
func TestLibraryWithoutRules(t *testing.T) {
	d := newDiffer(t, &generator{rand: rand.New(rand.NewPCG(1, 1))}, 0)
	defer d.close(t)
	fillLibrary(t, d, 40)
	for _, s := range libraryStatements() {
		d.same(t, s)
		d.withoutRules(t, s)
	}
}

// TestLibrary asks the statements of a photo library here and in SQLite. How many rows it expects is within a factor of ten for nine of ten operators.
func TestLibrary(t *testing.T) {
	d := newDiffer(t, &generator{rand: rand.New(rand.NewPCG(1, 1))}, 0)
	defer d.close(t)
	fillLibrary(t, d, *libraryPhotos)
	near, all := 0, 0
	figures := regexp.MustCompile(`\[(\d+) rows?, ~(\d+) expected`)
	for _, s := range libraryStatements() {
		start := time.Now()
		d.same(t, s)
		took := time.Since(start)
		if *libraryTimes {
			start = time.Now()
			d.ourRows(s.ours)
			ours := time.Since(start)
			start = time.Now()
			d.theirRows(s.theirs)
			t.Logf("%8.2f ms here, %8.2f in SQLite (%v at first): %s", ours.Seconds()*1e3, time.Since(start).Seconds()*1e3, took, s.ours)
		}
		if strings.Contains(s.ours, "LIMIT") { // which stops operators
			continue
		}
		rows, err := d.ours.Query(context.Background(), "EXPLAIN ANALYZE "+s.ours)
		if err != nil {
			t.Fatal(s.ours, err)
		}
		var plan []string
		far := false
		for row, err := range rows.All() {
			if err != nil {
				t.Fatal(s.ours, err)
			}
			line := fmt.Sprint(row[0])
			plan = append(plan, line)
			m := figures.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			is, _ := strconv.ParseFloat(m[1], 64)
			expected, _ := strconv.ParseFloat(m[2], 64)
			is, expected = max(is, 1), max(expected, 1)
			if all++; is <= 10*expected && expected <= 10*is {
				near++
			} else {
				far = true
			}
		}
		if far {
			t.Logf("far off: %s\n%s", s.ours, strings.Join(plan, "\n"))
		}
	}
	t.Logf("of %d operators %d are expected to give about as many rows as they do", all, near)
	if all < 50 || 10*near < 9*all {
		t.Errorf("of %d operators just %d", all, near)
	}
}
