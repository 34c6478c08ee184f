package db_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// Options that can't be meant are errors, not a hang or an endless use of memory.
func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []db.Options{
		{CacheSize: 1 << 62}, {CacheSize: -1}, {Workers: -1}, {Workers: 1 << 20}, {Workers: 1 << 24}, {MemoryBudget: -5},
	} {
		s, err := db.Open(":memory:", &o)
		var bad *db.OptionError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), bad.Option) {
			t.Errorf("%+v: %v", o, err)
		}
		if s != nil {
			s.Close()
		}
	}
	for _, o := range []db.Options{{CacheSize: 1 << 42}, {MemoryBudget: 1 << 62}, {PromptCache: 1 << 62}, {Workers: 4096}} {
		s, err := db.Open(":memory:", &o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if _, err := s.Exec(context.Background(), "CREATE TABLE t (v VECTOR(3)); INSERT INTO t VALUES ([1,2,3])"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Select[[]float32](context.Background(), s, "SELECT v FROM t ORDER BY similarity(v, [1,2,3]) LIMIT 1"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A chain of WITH whose uses double at each level costs what its rows cost, and that is
// bounded.
func TestManyUsesOfWith(t *testing.T) {
	s, err := db.Open(":memory:", &db.Options{MemoryBudget: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	chain := func(n int) string {
		q := "WITH a0(x, y) AS (SELECT 1, 'one')"
		for i := 1; i < n; i++ {
			q += fmt.Sprintf(", a%d AS (SELECT * FROM a%d UNION ALL SELECT y.x + 1, y.y FROM a%[2]d AS y)", i, i-1)
		}
		return q + fmt.Sprintf(" SELECT count(*), sum(x), min(y) FROM a%d", n-1)
	}
	for _, n := range []int{1, 3, 6, 7, 8, 12, 16} {
		var count, sum int
		var text string
		if err := s.QueryRow(context.Background(), chain(n)).Scan(&count, &sum, &text); err != nil {
			t.Fatalf("%d levels: %v", n, err)
		}
		// Rows double, and half of the new ones have one more.
		if want := 1 << (n - 1); count != want || 2*sum != want*(n+1) || text != "one" {
			t.Errorf("%d levels: %d rows with the sum %d", n, count, sum)
		}
	}
	var memory *db.MemoryError
	if _, err := s.Exec(context.Background(), chain(40)); !errors.As(err, &memory) {
		t.Errorf("40 levels: %v", err)
	}
}
