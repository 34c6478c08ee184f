package storage_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
)

// TestTableFileOfSeveralVersions reads a table file that keeps what keys had before, for a
// reader that was open when it was written: such values lie in blocks of their own.
func TestTableFileOfSeveralVersions(t *testing.T) {
	fs := vfs.NewMem()
	opts := &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatNewest}
	opts.Experimental.EnableValueBlocks = func() bool { return true }
	d := must[*pebble.DB](t)(pebble.Open("db", opts))
	var open []*pebble.Snapshot
	for version := range 3 {
		for k := range 50 {
			check(t, d.Set(fmt.Appendf(nil, "key%02d", k), bytes.Repeat([]byte{byte('a' + version)}, 500), nil))
		}
		open = append(open, d.NewSnapshot())
	}
	check(t, d.Flush())
	tables := 0
	for _, n := range must[[]string](t)(fs.List("db")) {
		if !strings.HasSuffix(n, ".sst") {
			continue
		}
		tables++
		keys, err := storage.TableFileKeys(fileBytes(t, fs, "db/"+n))
		check(t, err)
		if len(keys) != 50 {
			t.Errorf("%s: %d keys", n, len(keys))
		}
		for k, v := range keys {
			if v != strings.Repeat("c", 500) {
				t.Errorf("%s: %s has %.10s", n, k, v)
			}
		}
	}
	if tables == 0 {
		t.Error("no table was written")
	}
	for _, s := range open {
		check(t, s.Close())
	}
	check(t, d.Close())
}
