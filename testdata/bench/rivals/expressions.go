package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/db"
)

// expressionQuestions compute over all rows of a table of two million; none is
// helped by an index.
var expressionQuestions = []struct{ job, sql string }{
	{"count(*)", "SELECT count(*) FROM e"},
	{"filter, half of the rows", "SELECT count(*) FROM e WHERE n > 5000"},
	{"filter and sum, a tenth of the rows", "SELECT sum(n) FROM e WHERE n BETWEEN 2000 AND 2999"},
	{"arithmetic in the filter", "SELECT count(*) FROM e WHERE n * 2 + g > 800000"},
	{"GROUP BY 1,000 integers", "SELECT g, count(*) FROM e GROUP BY g ORDER BY g"},
	{"GROUP BY 1,000 integers, three aggregates", "SELECT g, sum(n), min(n), max(x) FROM e GROUP BY g ORDER BY g"},
	{"GROUP BY 1,000 texts", "SELECT name, count(*) FROM e GROUP BY name ORDER BY name"},
	{"a text equal to another", "SELECT count(*) FROM e WHERE name = 'photographer 7'"},
	{"LIKE", "SELECT count(*) FROM e WHERE name LIKE '%99%'"},
}

// expressionsBench compares filters and groups.
func expressionsBench(args []string) error {
	flags := flag.NewFlagSet("expressions", flag.ExitOnError)
	rows := flags.Int("rows", 2_000_000, "rows of the table")
	rounds := flags.Int("rounds", 9, "runs of each query, of which the median counts")
	duck := flags.String("duckdb", os.Getenv("DUCKDB_NODE"), "directory with node_modules/@duckdb/node-api; without it DuckDB is left out")
	profile := flags.String("profile", "", "write a CPU profile of Lupa's runs to this file, and run nothing else")
	only := flags.String("only", "", "only the jobs with this in their name")
	flags.Parse(args)

	dir, err := os.MkdirTemp("", "rivals")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	csv := filepath.Join(dir, "e.csv")
	if err := writeExpressionRows(csv, *rows); err != nil {
		return err
	}

	if err := loadLupa(filepath.Join(dir, "lupa"), csv); err != nil {
		return err
	}
	var contenders []string
	var ask []func(sql string) (string, error)
	for _, workers := range []int{1, runtime.GOMAXPROCS(0)} {
		store, err := db.Open(filepath.Join(dir, "lupa"), &db.Options{ReadOnly: true, Workers: workers})
		if err != nil {
			return err
		}
		defer store.Close()
		contenders = append(contenders, fmt.Sprintf("Lupa, %d threads", workers))
		ask = append(ask, func(q string) (string, error) { return lupaAsk(store, q) })
	}
	contenders[0] = "Lupa, 1 thread"
	if *profile == "" {
		lite, err := openSQLiteTable(filepath.Join(dir, "sqlite.db"), csv)
		if err != nil {
			return err
		}
		defer lite.Close()
		contenders, ask = append(contenders, "SQLite"), append(ask, func(q string) (string, error) { return sqliteAsk(lite, q) })
		if *duck == "" {
			fmt.Println("DuckDB is left out: make bench-rivals fetches it where there is npm, -duckdb says where it is")
		} else {
			d, err := startDuck(*duck, ":memory:",
				"CREATE TABLE e (id BIGINT PRIMARY KEY, n BIGINT, g BIGINT, name VARCHAR, x DOUBLE)",
				"COPY e FROM '"+csv+"'",
				"SET threads = 1")
			if err != nil {
				return err
			}
			defer d.close()
			contenders, ask = append(contenders, "DuckDB, 1 thread"), append(ask, d.ask)
		}
	} else {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
		ask = ask[:1]
	}

	r := &report{names: contenders}
	for _, q := range expressionQuestions {
		if !strings.Contains(q.job, *only) {
			continue
		}
		answers := make([]string, len(ask))
		var all []contender
		for i, f := range ask {
			all = append(all, contender{contenders[i], func(int) error {
				var err error
				answers[i], err = f(q.sql)
				return err
			}})
		}
		if err := r.measure(q.job, *rounds, 1, true, all); err != nil {
			return err
		}
		for i, a := range answers {
			if a != answers[0] {
				return fmt.Errorf("%s: %s answers %.200s, %s %.200s", q.sql, contenders[0], answers[0], contenders[i], a)
			}
		}
	}
	r.write(os.Stdout)
	return nil
}

// writeExpressionRows writes the table's rows as CSV: n is one of 10,000
// numbers, g and name one of 1,000 groups.
func writeExpressionRows(path string, rows int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	rng := rand.New(rand.NewPCG(3, 14))
	w.WriteString("id,n,g,name,x\n")
	var line []byte
	for i := range rows {
		g := rng.IntN(1000)
		line = strconv.AppendInt(line[:0], int64(i), 10)
		line = strconv.AppendInt(append(line, ','), int64(rng.IntN(10000)), 10)
		line = strconv.AppendInt(append(line, ','), int64(g*797), 10)
		line = strconv.AppendInt(append(line, ",photographer "...), int64(rng.IntN(1000)), 10)
		line = strconv.AppendFloat(append(line, ','), float64(rng.IntN(1<<20))/1024, 'f', -1, 64)
		w.Write(append(line, '\n'))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

const expressionColumns = "id INTEGER PRIMARY KEY, n INTEGER, g INTEGER, name TEXT, x REAL"

// loadLupa makes a store with the table.
func loadLupa(dir, csv string) error {
	store, err := db.Open(dir, nil)
	if err != nil {
		return err
	}
	for _, q := range []string{"CREATE TABLE e (" + expressionColumns + ")", "COPY e FROM '" + csv + "'"} {
		if _, err := store.Exec(context.Background(), q); err != nil {
			return err
		}
	}
	return store.Close()
}

func lupaAsk(store *db.DB, q string) (string, error) {
	rows, err := store.Query(context.Background(), q)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		for _, v := range rows.Values() {
			b.WriteString(v.String())
			b.WriteByte(' ')
		}
		b.WriteByte('\n')
	}
	return b.String(), rows.Err()
}

func openSQLiteTable(path, csv string) (*sql.DB, error) {
	lite, err := sql.Open("sqlite3", "file:"+path+"?_cache_size=-1000000")
	if err != nil {
		return nil, err
	}
	lite.SetMaxOpenConns(1)
	if _, err := lite.Exec("CREATE TABLE e (" + expressionColumns + ")"); err != nil {
		return nil, err
	}
	tx, err := lite.Begin()
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	put, err := tx.Prepare("INSERT INTO e VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return nil, err
	}
	f, err := os.Open(csv)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan() // names
	for lines.Scan() {
		// The columns' types make numbers of the texts.
		c := strings.Split(lines.Text(), ",")
		if _, err := put.Exec(c[0], c[1], c[2], c[3], c[4]); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return lite, tx.Commit()
}

func sqliteAsk(lite *sql.DB, q string) (string, error) {
	rows, err := lite.Query(q)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values := make([]any, len(names))
	dest := make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	var b strings.Builder
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return "", err
		}
		for _, v := range values {
			if v == nil {
				v = "NULL"
			}
			fmt.Fprint(&b, v)
			b.WriteByte(' ')
		}
		b.WriteByte('\n')
	}
	return b.String(), rows.Err()
}

// duck is a DuckDB in a process of its own: duckdb.mjs answers a line of JSON with another.
type duck struct {
	cmd *exec.Cmd
	in  *json.Encoder
	out *json.Decoder
	end func() error
}

// startDuck opens a database at path, ":memory:" for none, and runs statements.
func startDuck(folder, path string, statements ...string) (*duck, error) {
	script, err := os.ReadFile("duckdb.mjs")
	if err != nil {
		return nil, err
	}
	// Node looks for packages beside the script.
	copied := filepath.Join(folder, "rivals.mjs")
	if err := os.WriteFile(copied, script, 0o666); err != nil {
		return nil, err
	}
	cmd := exec.Command("node", copied, path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &duck{cmd, json.NewEncoder(in), json.NewDecoder(out), in.Close}
	for _, q := range statements {
		if _, err := d.ask(q); err != nil {
			return nil, errors.Join(err, d.close())
		}
	}
	return d, nil
}

func (d *duck) ask(q string) (string, error) {
	if err := d.in.Encode(q); err != nil {
		return "", err
	}
	var reply struct{ Answer, Error string }
	if err := d.out.Decode(&reply); err != nil {
		return "", err
	}
	if reply.Error != "" {
		return "", fmt.Errorf("DuckDB: %s", reply.Error)
	}
	return reply.Answer, nil
}

func (d *duck) close() error {
	if err := d.end(); err != nil {
		return err
	}
	return d.cmd.Wait()
}
