package main

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
)

// planningQuestions are statements whose time is that of their plan: joins written in the worst
// order, joins by ranges, orders that an index has, correlated subqueries.
var planningQuestions = []struct{ job, sql string }{
	{"join of three tables, the few rows last", "SELECT count(*) FROM a, c, b WHERE a.id = b.aid AND c.id = b.cid AND c.z = 7"},
	{"join by BETWEEN on a primary key", "SELECT count(*) FROM sm JOIN a ON a.id BETWEEN sm.lo AND sm.hi"},
	{"join of one row, by an index", "SELECT a.id, b.id FROM a JOIN b ON b.aid = a.id WHERE a.id = 777 ORDER BY b.id"},
	{"ORDER BY an index, LIMIT 10", "SELECT * FROM a ORDER BY f, id LIMIT 10"},
	{"DELETE of a range of keys, 10,000 rows", "DELETE FROM c WHERE id >= 100000"},
	{"EXISTS without an equality", "SELECT count(*) FROM sm x WHERE EXISTS (SELECT 1 FROM sm y WHERE y.v > x.v AND y.lo < x.lo)"},
	{"count(*) of what is smaller, for each row", "SELECT sum((SELECT count(*) FROM sm y WHERE y.v < x.v)) FROM sm x"},
	{"max of what is smaller, for each row", "SELECT sum((SELECT max(y.v) FROM sm y WHERE y.v < x.v)) FROM sm x"},
	{"avg compared, for each row", "SELECT count(*) FROM sm x WHERE x.v > (SELECT avg(y.v) FROM sm y WHERE y.lo < x.lo)"},
	{"count of a range, for each row", "SELECT sum((SELECT count(*) FROM sm y WHERE y.v BETWEEN x.v - 50 AND x.v + 50)) FROM sm x"},
}

// planningRows fills the tables: 100,000 rows in a, 200,000 in b, 110,000 in c, 1,000 in sm. %s
// makes rows n from 0.
var planningTables = []string{
	"CREATE TABLE a (id INTEGER PRIMARY KEY, f INTEGER, s TEXT)",
	"CREATE TABLE b (id INTEGER PRIMARY KEY, aid INTEGER, cid INTEGER)",
	"CREATE TABLE c (id INTEGER PRIMARY KEY, z INTEGER)",
	"CREATE TABLE sm (id INTEGER PRIMARY KEY, lo INTEGER, hi INTEGER, v INTEGER)",
}

var planningRows = []struct {
	insert string
	rows   int
	values func(n int) string
}{
	{"INSERT INTO a VALUES ", 100_000, func(n int) string { return fmt.Sprintf("(%d, %d, 'text %d')", n, n*7919%50_021, n%100) }},
	{"INSERT INTO b VALUES ", 200_000, func(n int) string { return fmt.Sprintf("(%d, %d, %d)", n, n*7907%100_000, n*6701%110_000) }},
	{"INSERT INTO c VALUES ", 110_000, func(n int) string { return fmt.Sprintf("(%d, %d)", n, n%1000) }},
	{"INSERT INTO sm VALUES ", 1000, func(n int) string { return fmt.Sprintf("(%d, %d, %d, %d)", n, n*97, n*97+30, n*7919%10_007) }},
}

var planningIndexes = []string{"CREATE INDEX a_f ON a (f, id)", "CREATE INDEX b_aid ON b (aid)"}

// slowBench compares statements that lived by their plan, on one thread.
func slowBench(args []string) error {
	flags := flag.NewFlagSet("slow", flag.ExitOnError)
	rounds := flags.Int("rounds", 9, "runs of each statement, of which the median counts")
	dsn := flags.String("postgres", os.Getenv("POSTGRES"), "address of a PostgreSQL database in which tables can be made; without it PostgreSQL is left out")
	profile := flags.String("profile", "", "write CPU profiles of Lupa's runs to files with this prefix")
	flags.Parse(args)

	store, err := db.Open(":memory:", &db.Options{Workers: 1})
	if err != nil {
		return err
	}
	defer store.Close()
	lite, err := sql.Open("sqlite3", "file::memory:")
	if err != nil {
		return err
	}
	r := &report{names: []string{"Lupa, 1 thread", "SQLite"}, profile: *profile}
	pools := []*sql.DB{sql.OpenDB(driver.ForDB(store)), lite}
	if *dsn != "" {
		pg, err := sql.Open("pgx", *dsn)
		if err != nil {
			return err
		}
		pools, r.names = append(pools, pg), append(r.names, "PostgreSQL")
	}
	for i, p := range pools {
		defer p.Close()
		p.SetMaxOpenConns(1)
		if err := fillPlanning(p); err != nil {
			return fmt.Errorf("%s: %w", r.names[i], err)
		}
		after := []string{"ANALYZE"}
		switch r.names[i] {
		case "PostgreSQL":
			after = []string{"VACUUM ANALYZE", "SET max_parallel_workers_per_gather = 0", "SET jit = off"}
		case "Lupa, 1 thread":
			after = nil
		}
		for _, s := range after {
			if _, err := p.Exec(s); err != nil {
				return err
			}
		}
	}
	for _, q := range planningQuestions {
		answers := make([]string, len(pools))
		var all []contender
		for i, p := range pools {
			all = append(all, contender{r.names[i], func(int) (err error) {
				answers[i], err = planningAnswer(p, q.sql)
				return err
			}})
		}
		if err := r.measure(q.job, *rounds, 1, true, all); err != nil {
			return err
		}
		for i, a := range answers {
			if a != answers[0] {
				return fmt.Errorf("%s: %s says %.200s, Lupa %.200s", q.sql, r.names[i], a, answers[0])
			}
		}
	}
	r.write(os.Stdout)
	return nil
}

func fillPlanning(p *sql.DB) error {
	for _, name := range []string{"a", "b", "c", "sm"} {
		if _, err := p.Exec("DROP TABLE IF EXISTS " + name); err != nil {
			return err
		}
	}
	for _, s := range planningTables {
		if _, err := p.Exec(s); err != nil {
			return err
		}
	}
	for _, t := range planningRows {
		for n := 0; n < t.rows; n += 1000 {
			var rows []string
			for i := n; i < min(n+1000, t.rows); i++ {
				rows = append(rows, t.values(i))
			}
			if _, err := p.Exec(t.insert + strings.Join(rows, ", ")); err != nil {
				return err
			}
		}
	}
	for _, s := range planningIndexes {
		if _, err := p.Exec(s); err != nil {
			return err
		}
	}
	return nil
}

// planningAnswer returns the rows of a query as a text; what changes rows is rolled back.
func planningAnswer(p *sql.DB, q string) (string, error) {
	if strings.HasPrefix(q, "DELETE") {
		tx, err := p.Begin()
		if err != nil {
			return "", err
		}
		defer tx.Rollback()
		done, err := tx.Exec(q)
		if err != nil {
			return "", err
		}
		n, err := done.RowsAffected()
		return fmt.Sprint(n), err
	}
	rows, err := p.Query(q)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return "", err
	}
	vals, ptrs := make([]string, len(cols)), make([]any, len(cols))
	for i := range vals {
		ptrs[i] = &vals[i]
	}
	var out strings.Builder
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return "", err
		}
		fmt.Fprintln(&out, strings.Join(vals, "|"))
	}
	return out.String(), rows.Err()
}
