package db_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
)

func TestLatencyAndTableSizes(t *testing.T) {
	s, err := db.Open(filepath.Join(t.TempDir(), "store"), &db.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	if _, err := s.Exec(ctx, "CREATE TABLE small (a INTEGER); CREATE TABLE large (id INTEGER, v VECTOR(64))"); err != nil {
		t.Fatal(err)
	}
	a, err := s.Appender(ctx, "large", nil, &db.AppenderOptions{Atomic: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		v := make([]float32, 64)
		for j := range v {
			v[j] = float32((i*31+j*17)%101) - 50
		}
		if err := a.Append(i, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	// The bytes count from the next flush on, which comes by itself.
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		sizes, err := s.TableSizes(ctx)
		if err != nil || len(sizes) != 2 || sizes[0].Table != "large" || sizes[0].Rows != 5000 || sizes[1].Rows != 0 {
			t.Fatal(sizes, err)
		}
		n := sizes[0].Bytes
		if n >= 5000*64*4 && n <= 2*5000*64*4 {
			break
		}
		if time.Since(start) > 30*time.Second {
			t.Fatalf("large has %d bytes", n)
		}
	}
	for range 3 {
		if _, err := db.Get[int](ctx, s, "SELECT count(*) FROM large"); err != nil {
			t.Fatal(err)
		}
	}
	l, n := s.Stats().Latency, int64(0)
	for _, c := range l.Counts {
		n += c
	}
	if len(l.Counts) != len(l.Bounds)+1 || n != s.Stats().Statements || l.Sum <= 0 {
		t.Errorf("%+v; %d statements", l, s.Stats().Statements)
	}
}

// What is no directory is refused as the aim of a backup.
func TestBackupToNoFolder(t *testing.T) {
	s, err := db.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	t.Chdir(t.TempDir())
	for _, dir := range []string{"", ":memory:"} {
		if err := s.Backup(context.Background(), dir); err == nil {
			t.Errorf("a backup to %q", dir)
		}
	}
}
