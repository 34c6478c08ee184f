//go:build unix

package db_test

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// What has a picture's name and is no plain file is refused, never waited for, and
// the DB closes.
func TestFIFO(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "p.jpg")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(":memory:", &db.Options{Encoders: []encoder.Encoder{newWords(8)}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ctx := context.Background()
		if _, err := d.Exec(ctx, `CREATE TABLE t (v VECTOR ENCODER 'words', p TEXT)`); err != nil {
			t.Error(err)
		}
		for _, sql := range []string{
			`INSERT INTO t SELECT image($1), 'x'`,
			`SELECT * FROM t ORDER BY v_sim(image($1))`,
			`SELECT path FROM images($1)`,
			`SELECT count(*) FROM read_csv($1)`,
			`COPY t (p) FROM $1 (FORMAT csv)`,
		} {
			if _, err := d.Exec(ctx, sql, fifo); err == nil || !strings.Contains(err.Error(), "FIFO") {
				t.Errorf("%s: %v", sql, err)
			}
		}
		if r, err := d.Exec(ctx, `INSERT INTO t SELECT image(path), path FROM images($1)`, filepath.Dir(fifo)); err != nil || r.RowsAffected != 0 {
			t.Errorf("%v, %v", r, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("hangs")
	}
}
