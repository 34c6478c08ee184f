package db_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// A backup has bytes of its own unless hard links are asked for; the error of a store
// that is open already says where.
func TestBackupLinks(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "store")
	d, err := db.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Exec(ctx, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)"); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = db.Open(dir, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Open(dir, nil); !errors.Is(err, db.ErrLocked) || !strings.Contains(err.Error(), "this process") {
		t.Errorf("opened twice: %v", err)
	}
	for stmt, shared := range map[string]bool{
		"BACKUP TO 'DIR'":                    false,
		"BACKUP TO 'DIR' (hard_links false)": false,
		"BACKUP TO 'DIR' (hard_links true)":  true,
		"BACKUP TO 'DIR' WITH (hard_links)":  true,
	} {
		to := filepath.Join(t.TempDir(), "backup")
		if _, err := d.Exec(ctx, strings.ReplaceAll(stmt, "DIR", to)); err != nil {
			t.Errorf("%s: %v", stmt, err)
			continue
		}
		tables, _ := filepath.Glob(filepath.Join(dir, "*.sst"))
		same := 0
		for _, f := range tables {
			a, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.Stat(filepath.Join(to, filepath.Base(f))); err == nil && os.SameFile(a, b) {
				same++
			}
		}
		if len(tables) == 0 || (same > 0) != shared {
			t.Errorf("%s: %d of %d tables are shared", stmt, same, len(tables))
		}
	}
	for _, stmt := range []string{"BACKUP TO 'x' (links true)", "BACKUP TO 'x' (hard_links 3)"} {
		if _, err := d.Exec(ctx, stmt); err == nil {
			t.Errorf("%s is accepted", stmt)
		}
	}
}
