package storage

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

// ---- Comparing the list with the directory ----

// verifyList compares a list with the directory, and changes nothing. The error names the
// file. Of tables only the ends are read; CHECK reads the rest.
func verifyList(ctx context.Context, fs vfs.FS, dir string, l *list) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, n := range names {
		there[n] = true
	}
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.files[name].kind == kindStray {
			continue
		}
		if !there[name] {
			return damagedFile(name, missing)
		}
		if err := l.files[name].verify(fs, dir, name, false); err != nil {
			return err
		}
	}
	return nil
}

// verifyLogs looks at the logs: their commits must be of this store (id "": not known), and of one
// that was closed there are none.
func verifyLogs(fs vfs.FS, dir, id string, l *list) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	last := uint64(0) // the log of the store
	for n := range l.files {
		if num, ok := logNumber(n); ok {
			last = max(last, num)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		num, ok := logNumber(n)
		if !ok {
			continue
		}
		e, listed := l.files[n]
		owner, some, err := ownerOf(plainFS(fs), fs.PathJoin(dir, n))
		switch {
		case err != nil:
			return err
		case owner != "" && id != "" && owner != id && !listed:
			return damagedFile(n, foreignLog)
		case owner != "" && id != "" && owner != id:
			return damagedFile(n, foreign)
		case some && l.closed && listed && num >= last && e.size == 0: // that of a copy has commits, and a checksum
			return damagedFile(n, later)
		}
	}
	return nil
}

// idNote is what a commit says in the log of whose it is.
const idNote = "Lupa "

// ownerOf returns the id of the store that a log's first commit is of; some is false when there
// is no commit, and the id "" when it does not say.
func ownerOf(fs vfs.FS, name string) (id string, some bool, err error) {
	num, _ := logNumber(fs.PathBase(name))
	f, err := fs.Open(name)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	r := newRecordReader(record.NewReader, f, num)
	for !some {
		rec, err := r.Next()
		var b []byte
		if err == nil {
			b, err = io.ReadAll(rec)
		}
		if err != nil || len(b) < batchrepr.HeaderLen {
			break // the end, or damage, which others look for
		}
		for it := batchrepr.Read(b); ; {
			kind, k, _, ok, err := it.Next()
			if !ok || err != nil {
				break
			}
			some = some || kind == pebble.InternalKeyKindSet && string(k) == string(key.Commits)
			if text, is := strings.CutPrefix(string(k), idNote); is && kind == pebble.InternalKeyKindLogData {
				id = text
			}
		}
		if !some {
			id = ""
		}
	}
	return id, some, nil
}

// verify compares a file with its entry; all says to read it to the end.
func (e fileEntry) verify(fs vfs.FS, dir, name string, all bool) error {
	if e.kind == kindExists {
		return nil
	}
	fs = plainFS(fs)
	f, err := fs.Open(fs.PathJoin(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return damagedFile(name, isFolder)
	case info.Size() < e.size:
		return damagedFile(name, fmt.Sprintf("has %d bytes of %d", info.Size(), e.size))
	case e.kind != kindPrefix && info.Size() > e.size:
		return damagedFile(name, fmt.Sprintf("has %d bytes, %d more than it was written with", info.Size(), info.Size()-e.size))
	}
	from, want := int64(0), e.sum
	if e.kind == kindTail || e.kind == kindWhole && !all {
		from, want = max(0, e.size-tailBytes), e.tail
	}
	got, err := sumFile(f, from, e.size)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if got != want {
		return damagedFile(name, "is not what was written: its checksum differs")
	}
	return nil
}

// sumFile returns the checksum of a part of a file.
func sumFile(f io.ReaderAt, from, to int64) (sum uint32, err error) {
	buf := make([]byte, min(to-from, 256<<10))
	for from < to {
		n := min(int64(len(buf)), to-from)
		if _, err := f.ReadAt(buf[:n], from); err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, crcTable, buf[:n])
		from += n
	}
	return sum, nil
}

// damagedFile is the error for a file that differs from the list.
func damagedFile(name, what string) error {
	return &FileError{File: name, What: what}
}

// entryOf finds out what the list is to say of a file that nobody is writing; all says
// to read tables to their ends.
func entryOf(fs vfs.FS, dir, name string, all bool) (e fileEntry, err error) {
	e.kind = kindOf(name)
	if e.kind == kindExists {
		return e, nil
	}
	fs = plainFS(fs)
	f, err := fs.Open(fs.PathJoin(dir, name))
	if err != nil {
		return e, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return e, err
	}
	e.size = info.Size()
	if e.kind == kindWhole {
		if e.tail, err = sumFile(f, max(0, e.size-tailBytes), e.size); err != nil {
			return e, err
		}
		if !all && e.size > tailBytes {
			e.kind = kindTail
			return e, nil
		}
	}
	e.sum, err = sumFile(f, 0, e.size)
	return e, err
}
