//go:build linux

package postgres_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/postgres"
)

// TestStream writes rows of 512 floats into a database and reads them back into a store, in one
// pass each, and looks at how much memory that takes: LUPA_SOAK has a million rows in PostgreSQL
// (as bytea, where pgvector is missing) and a hundred thousand vectors in PGlite.
func TestStream(t *testing.T) {
	soak := os.Getenv("LUPA_SOAK") != ""
	for _, c := range []struct {
		name, typ  string
		server     *server
		few, many  int
		withVector bool
	}{{"PostgreSQL", "BLOB", &installed, 20000, 1000000, false}, {"PGlite", "VECTOR(512)", &pglite, 1000, 100000, true}} {
		t.Run(c.name, func(t *testing.T) {
			n := c.few
			if soak {
				n = c.many
			}
			ctx := context.Background()
			address := c.server.at(t)
			d, err := db.Open(filepath.Join(t.TempDir(), "s"), &db.Options{Attach: []db.Attachable{postgres.Opener(nil)}})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			run(t, d, "ATTACH $1 AS x", address)
			run(t, d, "CREATE TABLE x.streamed (id INTEGER PRIMARY KEY, clip "+c.typ+")")
			defer func() { run(t, d, "DROP TABLE x.streamed") }()
			if !c.withVector {
				// Out of line and as it is, as pgvector's values are.
				if err := plainBytes(ctx, address); err != nil {
					t.Fatal(err)
				}
			}
			resetPeak()
			before := peak(t)
			start := time.Now()
			a, err := d.Appender(ctx, "x.streamed", nil, &db.AppenderOptions{Atomic: true})
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			row, bytes := make([]float32, 512), make([]byte, 2048)
			for i := range n {
				for k := range row {
					row[k] = rng.Float32()
					binary.LittleEndian.PutUint32(bytes[4*k:], rng.Uint32())
				}
				var v any = bytes
				if c.withVector {
					v = row
				}
				if err := a.Append(i, v); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			wrote, high := time.Since(start), peak(t)
			resetPeak()
			start = time.Now()
			if r := run(t, d, "CREATE TABLE mine AS SELECT * FROM x.streamed"); r.RowsAffected != int64(n) {
				t.Errorf("%d rows", r.RowsAffected)
			}
			read, high2 := time.Since(start), peak(t)
			t.Logf("%d rows: written %.0f a second, peak %d MB (before %d); read into a store %.0f a second, peak %d MB",
				n, float64(n)/wrote.Seconds(), high, before, float64(n)/read.Seconds(), high2)
			if most := 800; high > most || high2 > most {
				t.Errorf("%d and %d MB of memory", high, high2)
			}
			const sums = "SELECT count(*), min(id), max(id), sum(id) FROM "
			if a, b := rows(t, d, sums+"mine"), rows(t, d, sums+"x.streamed"); a != b {
				t.Errorf("%s here, %s there", a, b)
			}
			for i := range 20 {
				q := fmt.Sprintf("SELECT clip FROM %%s WHERE id = %d", i*(n/20))
				if a, b := rows(t, d, fmt.Sprintf(q, "mine")), rows(t, d, fmt.Sprintf(q, "x.streamed")); a != b || a == "" {
					t.Errorf("row %d differs", i*(n/20))
				}
			}
		})
	}
}

// resetPeak makes the largest amount of memory so far the present one.
func resetPeak() { os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peak is the largest amount of memory that the process had, in MB.
func peak(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Skip("no VmHWM")
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n >> 10
}
