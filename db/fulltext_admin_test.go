package db_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// A full-text index goes where its table goes: renaming, backups, restored and salvaged stores,
// VACUUM and another opening.
func TestFullTextIndexLastsWithItsTable(t *testing.T) {
	dir := t.TempDir()
	d, err := db.Open(dir+"/a.lupa", nil)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, caption TEXT, n INTEGER);
		CREATE INDEX words ON t USING fulltext (caption) WITH (language = 'english', k1 = '1.5');
		CREATE INDEX parts ON t USING fulltext (caption) WITH (language = 'trigram')`)
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "(%d, 'wolf number %d %s', %d), ", i, i, strings.Repeat("snow ", i%5), i%7)
	}
	mustExec(t, d, "INSERT INTO t VALUES "+strings.TrimSuffix(b.String(), ", "))
	mustExec(t, d, "DELETE FROM t WHERE n = 3; UPDATE t SET caption = 'a quiet castle' WHERE n = 4 AND id < 100")
	answer := func(d *db.DB, table, column string) string {
		t.Helper()
		out := ""
		for _, sql := range []string{
			"SELECT count(*) FROM t WHERE match(c, 'snow wolf')", "SELECT count(*) FROM t WHERE match(words, '\"quiet castles\"')", "SELECT count(*) FROM t WHERE c LIKE '%r 12%'",
			"SELECT sum(s) FROM (SELECT bm25(c, 'snow 77') AS s FROM t ORDER BY s LIMIT 50) AS x",
		} {
			sql = strings.NewReplacer("FROM t ", "FROM "+table+" ", "match(c,", "match("+column+",", "bm25(c,", "bm25("+column+",", " c LIKE", " "+column+" LIKE").Replace(sql)
			rows, err := d.Query(ctx, sql)
			if err != nil {
				t.Fatal(sql, err)
			}
			for row, err := range rows.All() {
				if err != nil {
					t.Fatal(sql, err)
				}
				out += row[0].String() + " "
			}
		}
		if problems, err := d.Check(ctx); err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
		return out
	}
	want := answer(d, "t", "caption")
	if strings.HasPrefix(want, "0") {
		t.Fatal(want)
	}
	same := func(what string, d *db.DB, table, column string) {
		t.Helper()
		if got := answer(d, table, column); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	mustExec(t, d, "ALTER TABLE t RENAME COLUMN caption TO body; ALTER TABLE t RENAME TO photos; ALTER TABLE photos ADD COLUMN more TEXT; ALTER TABLE photos DROP COLUMN n")
	same("renamed", d, "photos", "body")
	if _, err := d.Exec(ctx, "ALTER TABLE photos DROP COLUMN body"); err == nil || !strings.Contains(err.Error(), "index") {
		t.Errorf("a column of an index is dropped: %v", err)
	}
	if _, err := d.Exec(ctx, "ALTER TABLE photos ALTER COLUMN body TYPE INTEGER"); err == nil {
		t.Error("a column of an index becomes INTEGER")
	}
	mustExec(t, d, "VACUUM photos")
	same("after VACUUM", d, "photos", "body")
	if err := d.Backup(ctx, dir+"/backup"); err != nil {
		t.Fatal(err)
	}
	if err := db.Restore(ctx, dir+"/backup", dir+"/restored.lupa"); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Salvage(ctx, dir+"/a.lupa", dir+"/salvaged.lupa", nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "restored", "salvaged"} {
		d, err := db.Open(dir+"/"+name+".lupa", nil)
		if err != nil {
			t.Fatal(name, err)
		}
		same(name, d, "photos", "body")
		mustExec(t, d, "INSERT INTO photos (id, body) VALUES (100000, 'one more wolf'); DELETE FROM photos WHERE id = 100000")
		same(name+", written to", d, "photos", "body")
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
