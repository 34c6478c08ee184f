package db_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/lupadb/lupa/db"
)

// Searches share a pass if their plans are the same but for what is searched for, however
// they are written, and answer as they do alone.
func TestQueryShared(t *testing.T) {
	ctx := context.Background()
	d, err := db.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, table := range []string{"t", "u"} {
		if _, err := d.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, v VECTOR(3), w VECTOR(3))", table)); err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			if _, err := d.Exec(ctx, "INSERT INTO "+table+" VALUES (?, ?, ?, ?, ?)", i, i%7, fmt.Sprint(i%3),
				[]float32{float32(i % 5), float32(i % 11), 1}, []float32{1, float32(i % 6), 2}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := d.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	near := func(v string, rest string) string { return "SELECT id, v <-> '" + v + "' FROM t " + rest }
	by := func(v string, limit int) string { return fmt.Sprintf("ORDER BY v <-> '%s' LIMIT %d", v, limit) }
	a, b, e := "[1, 2, 3]", "[0, 0, 1]", "[4, 9, 1]"
	for _, x := range []struct {
		queries []string
		shared  int
	}{
		{[]string{near(a, by(a, 3)), near(b, by(b, 5)), near(e, by(e, 1))}, 3},
		{[]string{near(a, by(a, 3)), "select ID from T order by V <-> '[0, 0, 1]' limit 2"}, 2},
		{[]string{near(a, "WHERE n > 2 "+by(a, 3)), near(b, "where  N>2 "+by(b, 3))}, 2},
		{[]string{near(a, "WHERE n > 2 "+by(a, 3)), near(b, "WHERE n > 3 "+by(b, 3))}, 0},
		{[]string{near(a, "WHERE n > 2 "+by(a, 3)), near(b, by(b, 3))}, 0},
		{[]string{near(a, "WHERE n IN (1, 2) AND s LIKE '1%' "+by(a, 3)), near(b, "WHERE n IN (1, 2) AND s LIKE '1%' "+by(b, 30))}, 2},
		{[]string{near(a, "WHERE n IN (SELECT n FROM u) "+by(a, 3)), near(b, "WHERE n IN (SELECT n FROM t) "+by(b, 3))}, 0},
		{[]string{near(a, "WHERE n > random() "+by(a, 3)), near(b, "WHERE n > random() "+by(b, 3))}, 0},
		{[]string{near(a, by(a, 3)), near(b, by(b, 3)), "SELECT id FROM t WHERE id = 3", near(b, by(b, 3))}, 2},
		{[]string{"SELECT id FROM t WHERE id = 3", near(a, by(a, 3)), near(b, by(b, 3))}, 0},
		{[]string{near(a, by(a, 3)), "SELECT id FROM u " + by(a, 3)}, 0},
		{[]string{near(a, by(a, 3)), "SELECT id FROM t ORDER BY w <-> '[1, 1, 1]' LIMIT 3"}, 0},
		{[]string{near(a, by(a, 3)), "SELECT id FROM t ORDER BY v <=> '[1, 1, 1]' LIMIT 3"}, 0},
		{[]string{near(a, by(a, 3)), "EXPLAIN " + near(b, by(b, 3)), near(b, by(b, 3))}, 0},
		{[]string{"EXPLAIN " + near(a, by(a, 3)), "EXPLAIN " + near(b, by(b, 3))}, 2},
		{[]string{near(a, "WHERE v <-> '[1, 2, 3]' < 4 "+by(a, 30)), near(b, "WHERE v <-> '[0, 0, 1]' < 5 "+by(b, 30))}, 2},
		{[]string{near(a, by(a, 3)), "SELECT id FROM t ORDER BY v <-> ? LIMIT 3"}, 0},
		{[]string{near(a, by(a, 3)), "SELECT nothing FROM t"}, 0},
		{[]string{near(a, by(a, 3)), "SELECT no sense"}, 0},
		{[]string{near(a, by(a, 3))}, 0},
		{nil, 0},
	} {
		for _, tx := range []bool{false, true} {
			if tx {
				if err := c.Begin(ctx, nil); err != nil {
					t.Fatal(err)
				}
			}
			rows, err := c.QueryShared(ctx, x.queries)
			if err != nil || len(rows) != x.shared {
				t.Errorf("%q: %d shared, want %d; %v", x.queries, len(rows), x.shared, err)
			}
			for i, r := range rows {
				got := all(t, r)
				if x.queries[i][0] == 'E' {
					continue // which says how many there are
				}
				alone, err := c.Query(ctx, x.queries[i])
				if err != nil {
					t.Fatal(err)
				}
				if want := all(t, alone); got != want {
					t.Errorf("%s\ngives %s, alone %s", x.queries[i], got, want)
				}
			}
			if tx {
				if err := c.Rollback(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func all(t *testing.T, r *db.Rows) string {
	t.Helper()
	s := ""
	for v := range r.All() {
		s += fmt.Sprintln(v)
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}
