package query_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage/value"
)

// A statement's plan is kept and serves further arguments of the same kinds; it is made
// anew after the tables have changed.
func TestPlansAreKept(t *testing.T) {
	f := open(t)
	f.run("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, x REAL, at TIMESTAMP)")
	f.run("CREATE INDEX by_name ON t (name)")
	for i := range 50 {
		f.run(fmt.Sprintf("INSERT INTO t VALUES (%d, 'n%d', %d.5, '2024-01-%02d')", i, i%7, i, i%28+1))
	}
	st, err := query.Prepare(f.env, "SELECT id FROM t WHERE id = $1")
	if err != nil {
		t.Fatal(err)
	}
	again, err := query.Prepare(f.env, "SELECT id FROM t WHERE id = $1")
	if err != nil || again != st {
		t.Errorf("a text that was prepared is prepared anew: %v", err)
	}
	one := func(v value.Value, want string) {
		t.Helper()
		r, err := f.s.Run(context.Background(), st, query.Args{Pos: []value.Value{v}}, query.Hooks{})
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v", v, err)
			}
			return
		}
		defer r.Close()
		got := ""
		for b, err := r.Next(context.Background()); b != nil || err != nil; b, err = r.Next(context.Background()) {
			if err != nil {
				got = err.Error()
				break
			}
			got += fmt.Sprint(b.Cols[0].Ints[:b.Len])
		}
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("id = %v gives %s, want %s", v, got, want)
		}
	}
	for range 3 {
		one(value.Int(7), "[7]")
		one(value.Int(49), "[49]")
		one(value.Int(50), "")
		one(value.Float(7), "[7]")
		one(value.Float(7.5), "")
		one(value.Str("7"), "[7]")
		one(value.Str("seven"), `1:29: "seven" is not an integer`)
		one(value.Value{}, "")
	}
	f.run("INSERT INTO t VALUES (50, 'n', 0, NULL)")
	one(value.Int(50), "[50]")
	f.run("DELETE FROM t WHERE id = 7")
	one(value.Int(7), "")
	f.run("ALTER TABLE t RENAME TO u")
	one(value.Int(8), "no table")
	f.run("CREATE TABLE t (id TEXT)")
	f.run("INSERT INTO t VALUES ('8')")
	if r, err := f.s.Run(context.Background(), st, query.Args{Pos: []value.Value{value.Str("8")}}, query.Hooks{}); err != nil {
		t.Error(err)
	} else if b, err := r.Next(context.Background()); err != nil || b.Cols[0].Strs[0] != "8" {
		t.Errorf("the new table: %v", err)
	} else {
		r.Close()
	}
}

// What a plan looks at of its arguments belongs to it: LIMIT, weights, a text that is a
// vector. Runs side by side have values of their own.
func TestPlansForValues(t *testing.T) {
	f := open(t)
	fill(f, newRand(), 500)
	for _, c := range []struct {
		sql  string
		args []value.Value
		lit  string
	}{
		{"SELECT id FROM photos ORDER BY id LIMIT $1", []value.Value{value.Int(3)}, "SELECT id FROM photos ORDER BY id LIMIT 3"},
		{"SELECT id FROM photos ORDER BY id LIMIT $1", []value.Value{value.Int(5)}, "SELECT id FROM photos ORDER BY id LIMIT 5"},
		{"SELECT id FROM photos ORDER BY id LIMIT $1 OFFSET $2", []value.Value{value.Int(5), value.Int(2)}, "SELECT id FROM photos ORDER BY id LIMIT 5 OFFSET 2"},
		{"SELECT id FROM photos ORDER BY similarity(v, [1, 0, 0] * $1 + [0, 1, 0]) LIMIT 4", []value.Value{value.Float(0.25)}, "SELECT id FROM photos ORDER BY similarity(v, [1, 0, 0] * 0.25 + [0, 1, 0]) LIMIT 4"},
		{"SELECT id FROM photos ORDER BY similarity(v, [1, 0, 0] * $1 + [0, 1, 0]) LIMIT 4", []value.Value{value.Float(-3)}, "SELECT id FROM photos ORDER BY similarity(v, [1, 0, 0] * -3 + [0, 1, 0]) LIMIT 4"},
		{"SELECT id FROM photos ORDER BY v <-> $1 LIMIT 4", []value.Value{value.Str("[0, 1, 1]")}, "SELECT id FROM photos ORDER BY v <-> '[0, 1, 1]' LIMIT 4"},
		{"SELECT id FROM photos ORDER BY v <-> $1 LIMIT 4", []value.Value{value.Str("[1, 0, 0]")}, "SELECT id FROM photos ORDER BY v <-> '[1, 0, 0]' LIMIT 4"},
		{"SELECT id FROM photos ORDER BY v <-> $1 LIMIT 4", []value.Value{value.Vec([]float32{3, 1, 2})}, "SELECT id FROM photos ORDER BY v <-> [3, 1, 2] LIMIT 4"},
		{"SELECT id FROM photos WHERE v_sim($1) > $2 AND width > $3", []value.Value{value.Vec([]float32{1, 0, 0}), value.Float(0.5), value.Int(10)}, "SELECT id FROM photos WHERE v_sim([1, 0, 0]) > 0.5 AND width > 10"},
		{"SELECT id FROM photos WHERE v_sim($1) > $2 AND v_sim($1) > $3", []value.Value{value.Vec([]float32{1, 0, 0}), value.Float(0.1), value.Float(0.7)}, "SELECT id FROM photos WHERE v_sim([1, 0, 0]) > 0.7"},
		{"SELECT id FROM photos WHERE id IN ($1, $2, $1 + $2)", []value.Value{value.Int(3), value.Int(4)}, "SELECT id FROM photos WHERE id IN (3, 4, 7)"},
		{"SELECT id FROM photos WHERE id = 1 / $1", []value.Value{value.Int(1)}, "SELECT id FROM photos WHERE id = 1"},
		{"SELECT count(*) FROM photos WHERE id BETWEEN $1 AND $2", []value.Value{value.Int(30), value.Int(40)}, "SELECT count(*) FROM photos WHERE id BETWEEN 30 AND 40"},
		{"SELECT count(*) FROM photos AS p WHERE EXISTS (SELECT 1 FROM photos AS q WHERE q.id = p.id + $1 AND q.width < p.width)", []value.Value{value.Int(1)}, "SELECT count(*) FROM photos AS p WHERE EXISTS (SELECT 1 FROM photos AS q WHERE q.id = p.id + 1 AND q.width < p.width)"},
		{"SELECT id, (SELECT max(q.width) FROM photos AS q WHERE q.tag = p.tag AND q.id < $1) FROM photos AS p WHERE id < 20", []value.Value{value.Int(100)}, "SELECT id, (SELECT max(q.width) FROM photos AS q WHERE q.tag = p.tag AND q.id < 100) FROM photos AS p WHERE id < 20"},
		{"SELECT id FROM photos WHERE width = (SELECT max(width) FROM photos WHERE id < $1)", []value.Value{value.Int(90)}, "SELECT id FROM photos WHERE width = (SELECT max(width) FROM photos WHERE id < 90)"},
		{"SELECT id FROM photos WHERE tag LIKE $1", []value.Value{value.Str("t1%")}, "SELECT id FROM photos WHERE tag LIKE 't1%'"},
		{"SELECT CASE WHEN $1 = 0 THEN 0 ELSE 10 / $1 END", []value.Value{value.Int(0)}, "SELECT 0"},
		{"SELECT CASE WHEN $1 = 0 THEN 0 ELSE 10 / $1 END", []value.Value{value.Int(5)}, "SELECT 2"},
	} {
		want := strings.Join(f.run(c.lit), "\n")
		for range 3 {
			if got := strings.Join(f.run(c.sql, c.args...), "\n"); got != want {
				t.Errorf("%s with %v:\n%s\nwant\n%s", c.sql, c.args, got, want)
			}
		}
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				g := &fixture{t: t, env: f.env, s: query.NewSession(f.env)}
				for range 5 {
					if got, _, err := g.try(context.Background(), c.sql, c.args...); err != nil || strings.Join(got, "\n") != want {
						t.Errorf("%s with %v, side by side: %v, %v", c.sql, c.args, got, err)
					}
				}
			})
		}
		wait.Wait()
	}
	f.fails("SELECT id FROM photos WHERE id = 1 / (id - id)", "division by zero")
}

// Statements that write are run again by the same plan, alone and in a transaction.
func TestWritesByKeptPlans(t *testing.T) {
	for _, inTx := range []bool{false, true} {
		f := open(t)
		f.run("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER DEFAULT 7, name TEXT)")
		f.run("CREATE UNIQUE INDEX by_name ON t (name)")
		for round := range 4 {
			if inTx {
				f.run("BEGIN")
			}
			for i := range 5 {
				id := int64(10*round + i)
				want := fmt.Sprintf("%d|7", id)
				if got := f.run("INSERT INTO t (id, name) VALUES ($1, $2) RETURNING id, n", value.Int(id), value.Str(fmt.Sprint("n", id))); len(got) != 1 || got[0] != want {
					t.Fatalf("inserted %v, want %s", got, want)
				}
				if got := f.run("UPDATE t SET n = n + $2 WHERE id = $1 RETURNING n", value.Int(id), value.Int(id)); len(got) != 1 || got[0] != fmt.Sprint(7+id) {
					t.Fatalf("updated %v", got)
				}
				if got := f.run("INSERT INTO t VALUES ($1, $2, 'x') ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING n, name", value.Int(id), value.Int(-id)); len(got) != 1 || got[0] != fmt.Sprintf("%d|n%d", -id, id) {
					t.Fatalf("upserted %v", got)
				}
				if _, _, err := f.try(context.Background(), "SELECT 1 / $1", value.Int(1)); err != nil {
					t.Fatal(err)
				}
			}
			if got := f.run("DELETE FROM t WHERE id = $1 RETURNING name", value.Int(int64(10*round))); len(got) != 1 || got[0] != fmt.Sprint("n", 10*round) {
				t.Fatalf("deleted %v", got)
			}
			if got := f.run("UPDATE t SET name = name || $1 WHERE id > $2", value.Str("!"), value.Int(-1)); len(got) != 0 {
				t.Fatalf("updated %v", got)
			}
			if inTx {
				f.run([]string{"COMMIT", "COMMIT", "ROLLBACK", "COMMIT"}[round])
			}
		}
		want := "16"
		if inTx {
			want = "12"
		}
		f.expect("SELECT count(*) FROM t", want)
		f.expect("SELECT name FROM t WHERE id = 1", map[bool]string{false: "n1!!!!", true: "n1!!!"}[inTx])
	}
}
