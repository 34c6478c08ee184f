package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

// commitsName is the file that says how many commits were acknowledged. The end of a
// damaged log looks like one that was cut off while it was written, and Pebble takes
// it for that; the file tells the two apart. It is written after the log was synced and
// is itself synced a second later, when nobody waits for it: what it says may lag
// behind, and is never ahead of what the disk has promised to keep.
const commitsName = "COMMITS"

// The file has records of 8 bytes, little endian, and their checksum; one of zeros was
// never written. The first two say how many commits were acknowledged and are written
// in turns, so that one whose writing was cut off leaves the other. The third says how
// many there were when the store was closed, with everything in its tables.
const (
	commitsRecord = 12
	commitsApart  = 512
	closedSlot    = 2
	commitsSize   = closedSlot*commitsApart + commitsRecord
)

// commits counts the commits of a store.
type commits struct {
	made uint64 // in the database, also not synced ones; whoever has the writer lock may use it

	mu    sync.Mutex
	file  vfs.File       // nil: nothing is noted
	noted uint64         // in the file
	slot  int64          // written next
	dirty bool           // written to since it was opened
	timer *time.Timer    // nil: no sync is due
	syncs sync.WaitGroup // that are due or under way
}

// commitsDelay is the time after which the file is synced.
const commitsDelay = time.Second

var crcTable = crc32.MakeTable(crc32.Castagnoli)

func encodeCommits(n uint64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, n)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
}

// commitsNote is what the file says.
type commitsNote struct {
	acknowledged uint64
	closed       bool // nothing was acknowledged after the store was last closed
	damaged      bool // one of the records is not valid
}

// readCommits reads the file in dir. Without a file nothing was acknowledged.
func readCommits(fs vfs.FS, dir string) (note commitsNote, err error) {
	f, err := fs.Open(fs.PathJoin(dir, commitsName))
	if errors.Is(err, os.ErrNotExist) {
		return note, nil
	}
	if err != nil {
		return note, err
	}
	defer f.Close()
	b := make([]byte, commitsSize)
	if _, err := io.ReadFull(f, b); err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return note, err
	}
	invalid, closed := 0, uint64(0)
	for slot := range closedSlot + 1 {
		r := b[slot*commitsApart:][:commitsRecord]
		v := binary.LittleEndian.Uint64(r)
		switch sum := binary.LittleEndian.Uint32(r[8:]); {
		case sum != crc32.Checksum(r[:8], crcTable):
			if v != 0 || sum != 0 {
				note.damaged = true
				if slot != closedSlot {
					invalid++
				}
			}
		case slot == closedSlot:
			closed = v
		default:
			note.acknowledged = max(note.acknowledged, v)
		}
	}
	if invalid == closedSlot {
		return note, fmt.Errorf("%w: the file %s, which says how many commits there are, is damaged; lupa repair makes a new one, after which commits missing at the end go unnoticed", ErrCorrupt, commitsName)
	}
	note.closed = closed == note.acknowledged
	return note, nil
}

// writeCommits makes the file of a store's copy.
func writeCommits(fs vfs.FS, dir string, n uint64) error {
	f, err := fs.Create(fs.PathJoin(dir, commitsName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(encodeCommits(n))
	return errors.Join(err, f.Sync(), f.Close())
}

// madeCommits returns how many commits the database holds, which must be those that
// the file says were acknowledged, or more.
func madeCommits(db *pebble.DB, noted uint64) (uint64, error) {
	b, err := get(db, key.Commits)
	if err != nil {
		return 0, err
	}
	made := uint64(0)
	if b != nil {
		if len(b) != 8 {
			return 0, corrupt("", "", "number of commits", fmt.Errorf("%d bytes", len(b)))
		}
		made = binary.BigEndian.Uint64(b)
	}
	if made < noted {
		return 0, fmt.Errorf("%w: of %d commits that were acknowledged the last %d are not there: the end of the log, or the list of its files, is damaged; "+
			"restore a backup, save what is left with lupa salvage, or open it as found (lupa --as-found), for reading only, as of commit %d", ErrCorrupt, noted, noted-made, made)
	}
	return made, nil
}

// previewCommits opens a store that was not closed properly for reading only, before
// it is opened for writing: that would delete what a damaged log does not lead to.
// files is the store's list of files, which was found to be true, or nil.
func (s *Store) previewCommits(ctx context.Context, files *list) (err error) {
	note, err := readCommits(s.fs, s.dir)
	if err != nil || note.acknowledged == 0 {
		return err
	}
	switch {
	case files != nil && files.closed && note.closed:
		return nil
	case files == nil && note.closed:
		if whole, err := s.manifestsWhole(); err != nil || whole {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ro := *s.opts
	ro.ReadOnly = true
	db, err := openPebble(s.dir, &ro)
	if err != nil {
		return err
	}
	_, err = madeCommits(db, note.acknowledged)
	if note.closed && errors.Is(err, pebble.ErrCorruption) {
		err = nil // the number can't be read, but nothing was acknowledged since it was closed
	}
	return errors.Join(err, db.Close())
}

// manifestsWhole reports whether Pebble's lists of files can be read to their end. Pebble
// itself takes the first damaged record for the end.
func (s *Store) manifestsWhole() (bool, error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return false, err
	}
	for _, n := range names {
		if !strings.HasPrefix(n, "MANIFEST-") {
			continue
		}
		f, err := s.fs.Open(s.fs.PathJoin(s.dir, n))
		if err != nil {
			return false, err
		}
		r := record.NewReader(f, 0)
		for err == nil {
			var edit io.Reader
			if edit, err = r.Next(); err == nil {
				_, err = io.Copy(io.Discard, edit)
			}
		}
		f.Close()
		if err != io.EOF {
			return false, nil
		}
	}
	return true, nil
}

// openCommits compares the number of commits in the database with the file's, and
// goes on counting.
func (s *Store) openCommits() (err error) {
	c := &s.commits
	note := commitsNote{}
	if !s.inMemory {
		if note, err = readCommits(s.fs, s.dir); err != nil {
			return err
		}
	}
	c.noted = note.acknowledged
	c.made, err = madeCommits(s.db, c.noted)
	if note.closed && errors.Is(err, ErrCorrupt) && errors.Is(err, pebble.ErrCorruption) {
		s.note(err) // it can't be read, but the file knows
		c.made, err = c.noted, nil
	}
	if err != nil || s.inMemory || s.readOnly {
		return err
	}
	name := s.fs.PathJoin(s.dir, commitsName)
	_, err = s.fs.Stat(name)
	isNew := errors.Is(err, os.ErrNotExist)
	if c.file, err = s.fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified); err != nil {
		return err
	}
	holdFile(c.file)
	if note.damaged { // cut off while it was written
		for range 2 {
			if err := c.write(c.noted); err != nil {
				return err
			}
		}
	}
	if isNew {
		return syncDir(s.fs, s.dir)
	}
	return nil
}

// write writes the next record. mu is held, unless nobody else has the store yet.
func (c *commits) write(n uint64) error {
	c.dirty = true
	_, err := c.file.WriteAt(encodeCommits(n), c.slot*commitsApart)
	c.slot = 1 - c.slot
	return err
}

// acknowledged notes that commits up to n are on the disk. A failure only makes the
// note lag behind.
func (s *Store) acknowledged(n uint64) {
	if s.noSync {
		return // until Close
	}
	if err := s.commits.acknowledge(n); err != nil {
		s.note(err)
	}
}

func (c *commits) acknowledge(n uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil || n <= c.noted {
		return nil
	}
	c.noted = n
	if c.timer == nil {
		c.syncs.Add(1)
		c.timer = time.AfterFunc(commitsDelay, c.sync)
	}
	return c.write(n)
}

// sync syncs the file. A failure only makes it lag behind.
func (c *commits) sync() {
	defer c.syncs.Done()
	c.mu.Lock()
	f := c.file
	c.timer = nil
	c.mu.Unlock()
	if f != nil {
		_ = f.SyncData()
	}
}

// close writes the file for good; flushed says that all commits are on the disk.
func (c *commits) close(flushed bool) (err error) {
	if flushed {
		err = c.acknowledge(c.made)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return err
	}
	f := c.file
	c.file = nil
	if c.timer != nil && c.timer.Stop() {
		c.syncs.Done()
	}
	c.mu.Unlock()
	c.syncs.Wait()
	c.mu.Lock()
	if c.dirty && flushed && err == nil {
		_, err = f.WriteAt(encodeCommits(c.made), closedSlot*commitsApart)
		err = errors.Join(err, f.SyncData())
	}
	return errors.Join(err, f.Close())
}

// countedCommit is the value of key.Commits after one more commit.
func (c *commits) countedCommit() []byte { return binary.BigEndian.AppendUint64(nil, c.made+1) }
