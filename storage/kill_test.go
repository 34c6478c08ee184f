package storage_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/lupadb/lupa/storage"
)

// TestChild is what another process does for a test here; by itself it does nothing.
func TestChild(t *testing.T) {
	dir := os.Getenv("LUPA_DIR")
	switch os.Getenv("LUPA_CHILD") {
	case "open":
		s, err := storage.Open(dir, &storage.Options{ReadOnly: os.Getenv("LUPA_RO") != ""})
		switch {
		case errors.Is(err, storage.ErrLocked):
			fmt.Println("locked")
		case err != nil:
			fmt.Println(err)
		default:
			v := must[*storage.View](t)(s.Snapshot())
			fmt.Println("rows", must[*storage.Table](t)(v.Table("photos")).Rows())
			check(t, v.Close())
			check(t, s.Close())
		}
	case "write":
		writeUntilKilled(t, dir)
	}
}

// writeUntilKilled inserts and loads rows, and says after each commit how many there are.
func writeUntilKilled(t *testing.T, dir string) {
	s := must[*storage.Store](t)(storage.Open(dir, nil))
	v := must[*storage.View](t)(s.Snapshot())
	n := int(must[*storage.Table](t)(v.Table("photos")).NextRow())
	check(t, v.Close())
	r := rand.New(rand.NewPCG(uint64(n), 1))
	for {
		m := 1 + r.IntN(3)*r.IntN(700)
		if r.IntN(10) == 0 {
			l := must[*storage.Loader](t)(s.BulkLoad(ctx, "photos", storage.LoadOptions{}))
			check(t, l.Append(ctx, photoRows(n, n+m, 5)))
			must[uint64](t)(l.Finish(ctx))
		} else {
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.Insert(ctx, "photos", photoRows(n, n+m, 5), storage.InsertOptions{})
				return err
			})
		}
		n += m
		fmt.Println(n)
	}
}

// A process that is killed at any time loses nothing it has acknowledged.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	check(t, newPhotos(t, dir, nil, 1, 5).Close())
	acknowledged := 1
	r := rand.New(rand.NewPCG(uint64(firstSeed()), 13))
	for range seeds(5) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
		cmd.Env = append(os.Environ(), "LUPA_CHILD=write", "LUPA_DIR="+dir)
		out, err := cmd.StdoutPipe()
		check(t, err)
		check(t, cmd.Start())
		// Let some commits go by, then kill at an odd moment.
		after := 1 + r.IntN(25)
		lines := bufio.NewScanner(out)
		for range after {
			if !lines.Scan() {
				t.Fatal("the child ended by itself")
			}
			if _, err := fmt.Sscan(lines.Text(), &acknowledged); err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
		}
		time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond)
		check(t, cmd.Process.Kill())
		for lines.Scan() {
			fmt.Sscan(lines.Text(), &acknowledged)
		}
		cmd.Wait()
		s := must[*storage.Store](t)(storage.Open(dir, nil))
		rows, wrong, err := readPhotos(s, 5)
		check(t, err)
		if wrong != "" || rows < acknowledged {
			t.Fatalf("%d rows of %d acknowledged ones; %s", rows, acknowledged, wrong)
		}
		checked(t, s)
	}
}
