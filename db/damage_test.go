package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// Whoever meets damage, in whatever way he uses a store, is told ErrCorrupt, in words of ours: where
// it is and what to do.
func TestDamageIsToldPlainly(t *testing.T) {
	enc := newWords(8)
	whole := t.TempDir() + "/whole"
	opts := &db.Options{Encoders: []encoder.Encoder{enc}}
	d := openAt(t, whole, opts)
	exec := func(sql string) {
		t.Helper()
		if _, err := d.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, name := range []string{"a", "b"} {
		exec(fmt.Sprintf(`CREATE TABLE %[1]s (id INTEGER PRIMARY KEY, n INTEGER, c TEXT, v VECTOR(8) ENCODER 'words');
			CREATE INDEX %[1]s_words ON %[1]s USING fulltext (c) WITH (language = 'english');
			CREATE INDEX %[1]s_n ON %[1]s (n);
			CREATE WATCH %[1]s_w ON %[1]s WHERE n %% 7 = 0;
			INSERT INTO %[1]s SELECT i, i %% 100, 'wolf ' || i || ' in the snow', 'wolf ' || i %% 50 FROM generate_series(1, 5000) AS t(i)`, name))
	}
	exec("INSERT INTO a SELECT i, i % 100, 'fox ' || i, 'fox' FROM generate_series(5001, 5300) AS t(i)")
	exec("CREATE VIEW seen AS SELECT id, n FROM a WHERE n > 3; DELETE FROM b WHERE id < 300")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	seeds, first := 6, 0
	if n, err := strconv.Atoi(os.Getenv("LUPA_SEEDS")); err == nil {
		seeds = n
	} else if os.Getenv("LUPA_SOAK") != "" {
		seeds = 300
	}
	if n, err := strconv.Atoi(os.Getenv("LUPA_FIRST_SEED")); err == nil {
		first = n
	}
	told := map[string]int{}
	for seed := first - 1; seed < first+seeds; seed++ { // at first nothing is damaged
		r := rand.New(rand.NewPCG(uint64(seed), 77))
		dir := t.TempDir()
		store := dir + "/s"
		if err := os.CopyFS(store, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		where := "the whole store"
		if seed >= first {
			where = fmt.Sprintf("seed %d, %s", seed, damageAFile(t, r, store))
		}
		plainly := func(what string, err error) {
			t.Helper()
			if err == nil {
				return
			}
			if seed < first {
				t.Fatalf("%s, without damage: %v", what, err)
			}
			told[what]++
			if !errors.Is(err, db.ErrCorrupt) {
				t.Errorf("%s: %s is not ErrCorrupt: %v", where, what, err)
			}
			if !strings.Contains(err.Error(), "lupa ") {
				t.Errorf("%s: %s does not say what to do: %v", where, what, err)
			}
			for _, bad := range []string{"\n", "carrier", "goroutine", "pebble", "crc32c", "sstable", "invalid table", "MANIFEST: ", "assertion"} {
				if strings.Contains(err.Error(), bad) {
					t.Errorf("%s: %s says %q", where, what, err)
				}
			}
		}
		use := func(d *db.DB, writes bool) {
			run := func(sql string) {
				t.Helper()
				rows, err := d.Query(ctx, sql)
				if err == nil {
					for rows.Next() {
					}
					err = errors.Join(rows.Err(), rows.Close())
				}
				plainly(sql, err)
			}
			for _, name := range []string{"a", "b"} {
				for _, sql := range []string{
					"SELECT count(*), sum(n), max(c), avg(v) FROM %s", "SELECT * FROM %s ORDER BY v_sim('wolf 7') LIMIT 5", "SELECT * FROM %s WHERE id = 4321",
					"SELECT id FROM %s WHERE n = 3 ORDER BY id", "SELECT id FROM %s WHERE match(c, 'snow') ORDER BY bm25(c, 'wolf') LIMIT 3", "SELECT id, relevance(v, 'wolf 3') AS r FROM %s ORDER BY v_sim('wolf 3') LIMIT 2",
					"EXPLAIN ANALYZE SELECT id FROM %s ORDER BY v_sim('wolf 9') LIMIT 2", "SELECT x.id FROM %s AS x JOIN b AS y ON x.n = y.id LIMIT 5", "DESCRIBE %s",
				} {
					run(fmt.Sprintf(sql, name))
				}
			}
			run("SELECT count(*) FROM seen")
			run("SHOW TABLES")
			run("CHECK")
			for _, o := range []*db.BackupOptions{nil, {HardLinks: true}} {
				plainly("BACKUP", d.BackupWith(ctx, fmt.Sprintf("%s/backup%v%v", dir, writes, o == nil), o))
			}
			if !writes {
				return
			}
			within, cancel := context.WithTimeout(ctx, 2*time.Second)
			if w, err := d.Watch(within, "a_w"); err != nil {
				plainly("watch", err)
			} else {
				for range 800 {
					m, err := w.Next()
					if err == nil {
						err = w.Ack(m)
					}
					if err != nil {
						if within.Err() == nil {
							plainly("watch", err)
						}
						break
					}
				}
				plainly("watch", w.Close())
			}
			cancel()
			for _, name := range []string{"a", "b"} {
				for _, atomic := range []bool{false, true} {
					a, err := d.Appender(ctx, name, []string{"id", "n", "c", "v"}, &db.AppenderOptions{Atomic: atomic})
					if err == nil {
						for i := range 2500 {
							id := int64(10000 + 2500*i)
							if atomic {
								id++
							}
							if err = a.Append(id, int64(i%100), "a new wolf", []float32{1, 2, 3, 4, 5, 6, 7, 8}); err != nil {
								break
							}
						}
						if e := a.Close(); err == nil {
							err = e
						}
					}
					plainly("Appender", err)
				}
				for _, sql := range []string{
					"INSERT INTO %s VALUES (9000001, 1, 'one', 'wolf 2')", "UPDATE %s SET n = n + 1 WHERE id % 3 = 0", "UPDATE %s SET v = 'wolf 17' WHERE id < 100", "DELETE FROM %s WHERE id > 4000 AND id < 4900",
					"CREATE INDEX %[1]s_m ON %[1]s (n, id)", "ALTER TABLE %s ADD COLUMN extra INTEGER DEFAULT 7", "ALTER TABLE %s RETRAIN v", "VACUUM %s",
					"INSERT INTO %[1]s (id, n, c) VALUES (9000001, 2, 'x') ON CONFLICT (id) DO UPDATE SET n = 5", "DROP INDEX %s_words", "DROP WATCH %s_w",
				} {
					if strings.Contains(sql, "%[") {
						run(fmt.Sprintf(sql, name))
					} else {
						run(strings.Replace(sql, "%s", name, 1))
					}
				}
			}
			if t.Failed() {
				return
			}
			// What is damaged goes, or is said to stand in the catalog.
			run("DROP VIEW seen")
			for _, name := range []string{"a", "b"} {
				run("DROP TABLE " + name)
			}
		}
		for _, readOnly := range []bool{true, false} {
			o := *opts
			o.ReadOnly = readOnly
			d, err := db.Open(store, &o)
			if err != nil {
				plainly("open", err)
				_, err := db.Salvage(ctx, store, fmt.Sprintf("%s/salvaged%v", dir, readOnly), nil)
				plainly("salvage", err)
				plainly("restore", db.Restore(ctx, store, fmt.Sprintf("%s/restored%v", dir, readOnly)))
				_, err = db.Repair(store)
				plainly("repair", err)
				continue
			}
			use(d, !readOnly)
			plainly("close", d.Close())
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("told by %d kinds of use: %v", len(told), told)
	if len(told) == 0 {
		t.Error("nobody was told")
	}
}

// damageAFile damages a file of a store in one place.
func damageAFile(t *testing.T, r *rand.Rand, store string) string {
	t.Helper()
	names, err := filepath.Glob(store + "/*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	tables := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasSuffix(n, ".sst") })
	if r.IntN(4) > 0 {
		names = tables
	}
	name := names[r.IntN(len(names))]
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	what := fmt.Sprintf("%s of %d bytes", filepath.Base(name), len(b))
	switch {
	case len(b) == 0 || r.IntN(12) == 0:
		what += " removed"
		err = os.Remove(name)
	case r.IntN(12) == 0:
		b = b[:r.IntN(len(b))]
		what += fmt.Sprintf(" cut to %d", len(b))
		err = os.WriteFile(name, b, 0o644)
	default:
		at, n := r.IntN(len(b)), 1
		if r.IntN(3) == 0 {
			n = min(4096, len(b)-at)
		}
		for i := range n {
			b[at+i] ^= byte(1 << r.IntN(8))
		}
		what += fmt.Sprintf(" damaged at %d, %d bytes", at, n)
		err = os.WriteFile(name, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return what
}
