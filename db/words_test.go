package db_test

import (
	"context"
	"testing"

	"github.com/lupadb/lupa/db"
)

// A prepared search for words sees what was written since it was last run.
func TestPreparedWords(t *testing.T) {
	ctx := context.Background()
	s, err := db.Open(t.TempDir()+"/w.lupa", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Exec(ctx, "CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT); CREATE INDEX ON t USING fulltext (c)"); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"SELECT count(*) FROM t WHERE match(c, 'wolf')", "SELECT count(*) FROM (SELECT id FROM t ORDER BY bm25(c, 'wolf') LIMIT 1000) AS x", "SELECT count(*) FROM t WHERE bm25(c, 'wolf') > 0"} {
		st, err := s.Prepare(ctx, sql)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Exec(ctx, "DELETE FROM t"); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			rows, err := st.Query(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for row, err := range rows.All() {
				if err != nil || row[0].Int() != int64(i) {
					t.Fatalf("%s: %v, want %d, %v", sql, row, i, err)
				}
			}
			if _, err := s.Exec(ctx, "INSERT INTO t VALUES ($1, 'a wolf')", i); err != nil {
				t.Fatal(err)
			}
		}
	}
}
