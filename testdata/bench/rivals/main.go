// Command rivals measures Lupa beside other programs on the same work, in one
// process and one run: see README.md here.
package main

import (
	"fmt"
	"os"
)

// A comparison is a subcommand; run gets the arguments after its name.
type comparison struct {
	name, about string
	run         func(args []string) error
}

var comparisons = []comparison{
	{"storage", "durable inserts, bulk load, look-ups and scans beside SQLite and bbolt", storageBench},
	{"points", "rows looked up and inserted one by one, through database/sql, beside SQLite and bbolt", pointsBench},
	{"weight", "size and dependencies of a small program, beside chromem-go, sqlite-vec and DuckDB", weightTable},
	{"expressions", "filters and groups over two million rows beside DuckDB and SQLite", expressionsBench},
	{"spill", "sorts, groups and joins of 20 million rows with a budget of 64 MiB, beside DuckDB", spillBench},
	{"library", "30 statements over a photo library, written in the worst order, beside SQLite and DuckDB", libraryBench},
	{"slow", "joins, orders and correlated subqueries that live by their plan, beside SQLite and PostgreSQL", slowBench},
	{"share", "look-ups by key beside a long GROUP BY of the same process", shareBench},
}

func main() {
	if len(os.Args) > 1 {
		for _, c := range comparisons {
			if c.name != os.Args[1] {
				continue
			}
			if err := c.run(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: rivals COMPARISON [flags], one of")
	for _, c := range comparisons {
		fmt.Fprintf(os.Stderr, "  %-10s %s\n", c.name, c.about)
	}
	os.Exit(2)
}
