package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/key"
)

// upgradeStep brings a store of one format to the next: it reads from r and writes
// to b, which is applied as a whole.
type upgradeStep func(r pebble.Reader, b *pebble.Batch) error

// upgrades holds the steps: upgrades[i] leads from format i+1 to i+2, so there are
// Format-1 of them.
var upgrades = []upgradeStep{
	func(_ pebble.Reader, b *pebble.Batch) error { return b.Set(key.Commits, make([]byte, 8), nil) },
	func(pebble.Reader, *pebble.Batch) error { return nil }, // the list of files is there by then
}

// upgrade brings a store of format v to the newest that steps lead to. Each step, and
// the version that it makes, is one synced batch: a crash leaves the format before or
// after it. A store that is open for reading is not changed, so it must be up to date.
func (s *Store) upgrade(v int, steps []upgradeStep) error {
	newest := len(steps) + 1
	if v < newest && s.readOnly {
		return fmt.Errorf("%w: it is of format %d, this program reads %d; open it for writing once, which upgrades it", ErrFormat, v, newest)
	}
	for ; v < newest; v++ {
		b := s.db.NewBatch()
		err := firstError(
			steps[v-1](s.db, b),
			b.Set(key.Format, binary.BigEndian.AppendUint32(nil, uint32(v+1)), nil),
		)
		if err == nil {
			err = s.guard("upgrade", func() error { return s.db.Apply(b, pebble.Sync) })
		}
		if err != nil {
			return fmt.Errorf("upgrade from format %d: %w", v, err)
		}
		if err := b.Close(); err != nil {
			return err
		}
	}
	m, err := readMarker(s.fs, s.dir)
	if err != nil || m.format >= newest || s.readOnly {
		return err
	}
	m = newMarker(newest)
	s.id = m.id
	if s.fs.files != nil {
		s.fs.files.named(m.id)
		if err := s.fs.files.renewNow(); err != nil {
			return err
		}
	}
	return writeMarker(s.fs, s.dir, m) // also after a crash before this line
}
