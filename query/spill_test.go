package query_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage"
)

// spilling are statements that hold rows; %d is a number.
var spilling = []string{
	"SELECT * FROM t ORDER BY s, r DESC, id",
	"SELECT s, count(*), sum(k) FROM t GROUP BY s ORDER BY s",
	"SELECT DISTINCT s, k FROM t ORDER BY s, k",
	"SELECT a.id, b.id FROM t a JOIN t b ON a.s = b.s AND a.k <> b.k ORDER BY a.id, b.id",
	"SELECT a.id, b.id FROM (SELECT id, s FROM t WHERE id % 100 = %d) a LEFT JOIN t b ON a.id * 0 = b.id * 0 AND a.s = b.s || '' ORDER BY a.id, b.id",
	"SELECT a.id, b.id FROM (SELECT id FROM t WHERE id < 200) a LEFT JOIN t b ON a.id + b.id < 100 ORDER BY a.id, b.id",
	"SELECT id, row_number() OVER w, sum(k) OVER w, first_value(r) OVER w FROM t WINDOW w AS (PARTITION BY s ORDER BY r, id)",
	"SELECT id, count(*) OVER (PARTITION BY k), lead(s) OVER (PARTITION BY k ORDER BY id) FROM t WHERE id % 7 <> %d",
	"SELECT DISTINCT ON (s) s, id, k FROM t ORDER BY s, k DESC",
	"SELECT DISTINCT ON (s) id, r FROM t ORDER BY s, r",
	"SELECT s, k FROM t EXCEPT ALL SELECT s, k FROM t WHERE id % 5 = %d ORDER BY s, k",
	"SELECT s, k FROM t INTERSECT SELECT s, k + %d FROM t ORDER BY s, k",
	"SELECT id FROM t WHERE s IN (SELECT s FROM t WHERE k % 7 <> %d)",
	"SELECT id, s NOT IN (SELECT s || 'x' FROM t UNION ALL SELECT s FROM t WHERE k = %d) FROM t",
	"SELECT id, s IN (SELECT s || 'x' FROM t UNION ALL SELECT NULL) FROM t",
	"WITH RECURSIVE w (i, s) AS (SELECT id, s FROM t UNION SELECT i / 2, s FROM w WHERE i > 9000) SELECT * FROM w ORDER BY i, s",
	"WITH RECURSIVE w (i, s) AS (SELECT id, s FROM t UNION ALL SELECT i - 9000, s FROM w WHERE i > 9000) SELECT * FROM w ORDER BY i, s",
	"WITH w AS (SELECT id, s, k FROM t), x AS (" + strings.Repeat("SELECT id FROM w WHERE id < 0 UNION ALL ", 70) +
		"SELECT a.id FROM w a JOIN w b ON a.id = b.k) SELECT * FROM x ORDER BY id",
	"INSERT INTO t SELECT id + 100000, k, s, r FROM t WHERE id < 100000 RETURNING id",
}

// spillStore is a store with random rows whose disk can be watched.
type spillStore struct {
	t     *testing.T
	disk  *vfs.MemFS
	store *storage.Store
	on    atomic.Pointer[func(op errorfs.Op) error] // called before each operation on a temporary file; nil = none
}

func newSpillStore(t *testing.T, r *rand.Rand) *spillStore {
	s := &spillStore{t: t, disk: vfs.NewMem()}
	fs := errorfs.Wrap(s.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if on := s.on.Load(); on != nil && strings.Contains(op.Path, "rows") {
			return (*on)(op)
		}
		return nil
	}))
	var err error
	if s.store, err = storage.Open("db", &storage.Options{FS: fs}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.on.Store(nil)
		if err := s.store.Check(context.Background(), func(p storage.Problem) { t.Errorf("check: %v", p) }); err != nil {
			t.Error(err)
		}
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	rows := make([]string, 24000)
	for i := range rows {
		text := fmt.Sprintf("'text %d'", r.IntN(1+r.IntN(20000)))
		if r.IntN(50) == 0 {
			text = "NULL"
		}
		rows[i] = fmt.Sprintf("(%d, %d, %s, %g)", i+1, r.IntN(9000), text, float64(r.IntN(5000))/8)
	}
	if _, err := s.run(context.Background(), 0, "CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER, s TEXT, r REAL)"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(context.Background(), 0, "INSERT INTO t VALUES "+strings.Join(rows, ", ")); err != nil {
		t.Fatal(err)
	}
	return s
}

// run returns the rows of a statement with a budget, and takes back what it wrote where rows come back.
func (s *spillStore) run(ctx context.Context, budget int64, sql string) (out []string, err error) {
	session := query.NewSession(&query.Env{Store: s.store, MemoryBudget: budget})
	defer session.Close()
	if strings.Contains(sql, "RETURNING") {
		if err := session.Begin(ctx, false); err != nil {
			return nil, err
		}
	}
	rows, err := session.Query(ctx, sql, query.Args{}, query.Hooks{})
	if err != nil {
		return nil, err
	}
	defer func() { // a cancelled statement is closed like any other
		if closed := rows.Close(); err == nil {
			err = closed
		}
	}()
	for {
		b, err := rows.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return out, nil
		}
		for _, i := range b.Selected() {
			var line []string
			for _, c := range b.Cols {
				line = append(line, c.Value(int(i)).String())
			}
			out = append(out, strings.Join(line, "|"))
		}
	}
}

// left fails the test if there are temporary files.
func (s *spillStore) left(what string) {
	s.t.Helper()
	names, err := s.disk.List("db")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, "load-") {
			s.t.Errorf("%s: leaves %s", what, n)
		}
	}
}

// With little memory the answers are those with much; an error of the disk, or a cancel, at any
// operation on a temporary file ends the statement with that error, and leaves no file.
func TestSpillFaults(t *testing.T) {
	seed := uint64(rand.Int64())
	r := rand.New(rand.NewPCG(seed, 1))
	s := newSpillStore(t, r)
	const budget = 1 << 20
	broken := errors.New("the disk is broken")
	for _, sql := range spilling {
		if strings.Contains(sql, "%d") {
			sql = strings.ReplaceAll(sql, "%d", fmt.Sprint(r.IntN(5)))
		}
		want, err := s.run(context.Background(), 0, sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		var ops atomic.Int64
		count := func(errorfs.Op) error { ops.Add(1); return nil }
		s.on.Store(&count)
		got, err := s.run(context.Background(), budget, sql)
		s.on.Store(nil)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("seed %d: %.80s: %d rows, not %d: %v", seed, sql, len(got), len(want), err)
		}
		n := ops.Load()
		if n == 0 {
			t.Errorf("%.80s: nothing was written", sql)
			continue
		}
		s.left(sql)
		for range 6 {
			at := 1 + r.Int64N(n)
			ops.Store(0)
			ctx, cancel := context.WithCancel(context.Background())
			stop := r.IntN(2) == 0
			fail := func(op errorfs.Op) error {
				if ops.Add(1) == at {
					if !stop {
						return broken
					}
					cancel()
				}
				return nil
			}
			s.on.Store(&fail)
			got, err := s.run(ctx, budget, sql)
			cancel()
			s.on.Store(nil)
			switch {
			case err == nil && stop && slices.Equal(got, want): // it was at its end
			case stop && errors.Is(err, context.Canceled), !stop && errors.Is(err, broken):
			case err == nil && !stop && ops.Load() < at: // workers share memory otherwise
			default:
				t.Errorf("seed %d: %.80s: at operation %d of %d, cancel %v: %v", seed, sql, at, n, stop, err)
			}
			s.left(fmt.Sprintf("seed %d: %.80s, ended at operation %d of %d", seed, sql, at, n))
		}
	}
}
