//go:build unix

package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// change is a random statement that changes a table; %[1]s stands for it.
func (g random) change() string {
	c := plain[g.IntN(len(plain))]
	switch g.IntN(8) {
	case 0:
		return "DELETE FROM %[1]s WHERE id % 7 = 3 AND " + g.cond("", 1)
	case 1:
		return "DELETE FROM %[1]s WHERE " + g.cond("", 1) + " AND id > 50"
	case 2:
		return "UPDATE %[1]s SET " + c + " = " + g.value(c) + " WHERE " + g.cond("", 1)
	case 3:
		return "UPDATE %[1]s SET " + g.pick("n = NULL, t = 'x'", "d = '2024-02-29', at = '2024-02-29 01:02:03.4'", "r = n", "n = id, b = NOT b", "t = coalesce(t, 'none')", "i = '1 mon'", "n = CASE WHEN b THEN 1 ELSE id END", "j = '[1]', x = '\\x00'", "m = 1.50") + " WHERE " + g.cond("", 1)
	case 4:
		return "DELETE FROM %[1]s WHERE id IN (SELECT k FROM other WHERE t IS NOT NULL) AND " + g.cond("", 0)
	case 5:
		return fmt.Sprintf("INSERT INTO %%[1]s (id, n, %s) VALUES (%d, 1, %s), (%d, 2, NULL) ON CONFLICT %s", "t", 40+g.IntN(60), g.text(), 100+g.IntN(40), g.pick("(id) DO NOTHING", "DO NOTHING", "(id) DO UPDATE SET n = excluded.n", "(id) DO UPDATE SET n = excluded.n, t = excluded.t"))
	case 6:
		return fmt.Sprintf("INSERT INTO %%[1]s (id, t, d) SELECT k + %d, t, d FROM other ON CONFLICT (id) DO %s", 50+g.IntN(60), g.pick("NOTHING", "UPDATE SET t = excluded.t", "UPDATE SET d = excluded.d, t = excluded.t"))
	}
	return fmt.Sprintf("INSERT INTO %%[1]s SELECT * FROM (SELECT * FROM src WHERE id < 20 AND %s) q ON CONFLICT (id) DO NOTHING", g.cond("", 1))
}

// TestSameChanges changes tables here and there by the same random statements.
func TestSameChanges(t *testing.T) {
	for name, s := range map[string]*server{"PGlite": &pglite, "PostgreSQL": &installed} {
		t.Run(name, func(t *testing.T) {
			d, _ := open(t, s.at(t), nil)
			g := random{rand.New(rand.NewPCG(3, 4)), s == &pglite}
			g.fill(t, d, 60)
			run(t, d, "CREATE TABLE src AS SELECT * FROM here")
			ctx := context.Background()
			done := 0
			for range 250 {
				sql := g.change()
				there, err2 := d.Exec(ctx, strings.ReplaceAll(sql, "%[1]s", "x.there"))
				if err2 != nil && (strings.Contains(err2.Error(), "not computed there") || strings.Contains(err2.Error(), "does not compute")) {
					continue
				}
				here, err1 := d.Exec(ctx, strings.ReplaceAll(sql, "%[1]s", "here"))
				if (err1 == nil) != (err2 == nil) {
					t.Fatalf("%s\n%v here, %v there", sql, err1, err2)
				}
				if err1 != nil {
					continue
				}
				done++
				if here.RowsAffected != there.RowsAffected {
					t.Errorf("%s: %d rows here, %d there", sql, here.RowsAffected, there.RowsAffected)
				}
				const all = "SELECT * FROM %s ORDER BY id"
				if a, b := rows(t, d, fmt.Sprintf(all, "here")), rows(t, d, fmt.Sprintf(all, "x.there")); a != b {
					t.Fatalf("%s\n%s", sql, difference(a, b))
				}
			}
			if done < 60 {
				t.Errorf("only %d statements ran", done)
			}
		})
	}
}
