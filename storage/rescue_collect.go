package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

type schemaSeen struct {
	def  *TableDef
	seq  uint64
	gone uint64 // sequence number of a deletion
}

// seenKey is the version of a key that the collector has taken.
type seenKey struct {
	seq  uint64
	sum  uint32 // of its value
	file string
}

type collector struct {
	s          *Store
	batch      *pebble.Batch
	seqs       map[string]seenKey
	unsure     map[string]bool   // keys with versions whose order is not known: files of a load have no numbers of their own
	gone       map[string]uint64 // keys that were deleted, by the last number
	file       string            // that is being read
	commits    uint64            // the number of the last commit
	generation uint64            // of the catalog
	deletions  []gap             // of ranges; they are not carried out
	schemas    map[string]*schemaSeen
	counters   map[string]counters
	dead       map[string][]byte
}

// add takes a key.
func (c *collector) add(k []byte, seq uint64, deleted bool, v []byte) error {
	if len(k) < 5 {
		return nil
	}
	if binary.BigEndian.Uint32(k) == 0 {
		if bytes.HasPrefix(k, key.Schemas()) {
			c.schema(string(k[len(key.Schemas()):]), seq, deleted, v)
		}
		if bytes.Equal(k, key.Commits) && len(v) == 8 {
			c.commits = max(c.commits, binary.BigEndian.Uint64(v))
		}
		if bytes.Equal(k, key.Generation) && len(v) == 12 {
			c.generation = max(c.generation, binary.BigEndian.Uint64(v))
		}
		if !bytes.HasPrefix(k, key.Watches()) {
			return nil
		}
		if was, ok := c.seqs[string(k)]; ok && was.seq > seq {
			return nil
		}
		if c.seqs[string(k)] = c.seen(seq, v); deleted {
			return c.remove(k)
		}
		return c.set(k, v)
	}
	if k[4] == key.Tombstones { // merging blocks takes rows back from them
		was, ok := c.versions(k, seq, v)
		if ok && (was.seq > seq || was.seq == seq && ones(v) < ones(c.dead[string(k)])) {
			return nil
		}
		c.seqs[string(k)] = c.seen(seq, v)
		if c.dead[string(k)] = bytes.Clone(v); deleted {
			delete(c.dead, string(k))
		}
		return nil
	}
	if deleted { // rows are deleted by tombstones
		if k[4] == key.Columns || k[4] == key.Pages {
			c.gone[string(k)] = max(c.gone[string(k)], seq, 1)
		}
		return nil
	}
	switch k[4] {
	case key.Counters:
		if n, err := decodeCounters(v); err == nil && n.next >= c.counters[string(k)].next {
			c.counters[string(k)] = n
		}
	case key.Columns, key.Pages, key.Tail:
		if was, ok := c.versions(k, seq, v); ok && was.seq > seq {
			return nil
		}
		c.seqs[string(k)] = c.seen(seq, v)
		return c.set(k, v)
	}
	return nil
}

func (c *collector) seen(seq uint64, v []byte) seenKey {
	return seenKey{seq, crc32.Checksum(v, crcTable), c.file}
}

// versions returns the version of a key that was taken before, and notes when nothing says
// which one is newer.
func (c *collector) versions(k []byte, seq uint64, v []byte) (was seenKey, ok bool) {
	was, ok = c.seqs[string(k)]
	if ok && (was.seq == 0 || seq == 0) && was.sum != crc32.Checksum(v, crcTable) {
		c.unsure[string(k)] = true
	}
	return was, ok
}

func ones(b []byte) (n int) {
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

func (c *collector) schema(name string, seq uint64, deleted bool, v []byte) {
	was := c.schemas[name]
	if was == nil {
		was = &schemaSeen{}
	}
	if deleted {
		was.gone = max(was.gone, seq)
	} else if d, err := decodeSchema(v); err == nil && d.Name == name && d.ID != 0 {
		if was.def == nil || d.ID > was.def.ID || d.ID == was.def.ID && seq >= was.seq {
			was.def, was.seq = d, seq
		}
	}
	c.schemas[name] = was
}

func (c *collector) set(k, v []byte) error {
	if c.batch == nil {
		c.batch = c.s.db.NewBatch()
	}
	if err := c.batch.Set(k, v, nil); err != nil {
		return err
	}
	if c.batch.Len() < 8<<20 {
		return nil
	}
	return c.flush()
}

// remove drops a key that was told of before.
func (c *collector) remove(k []byte) error {
	if c.batch == nil {
		c.batch = c.s.db.NewBatch()
	}
	return c.batch.Delete(k, nil)
}

func (c *collector) flush() error {
	if c.batch == nil {
		return nil
	}
	b := c.batch
	c.batch = nil
	return errors.Join(c.s.db.Apply(b, pebble.NoSync), b.Close())
}

// finish writes the catalog of what was found.
func (c *collector) finish() error {
	cat := &catalog{generation: 1, nextID: 1}
	for name, seen := range c.schemas {
		if seen.def == nil || seen.gone > seen.seq {
			continue
		}
		d := seen.def
		cat.nextID = max(cat.nextID, d.ID+1)
		for i := range d.Watches {
			cat.nextID = max(cat.nextID, d.Watches[i].ID+1)
		}
		if err := c.set(key.Schema(name), encodeSchema(d)); err != nil {
			return err
		}
	}
	for k, n := range c.counters {
		if err := c.set([]byte(k), n.encode()); err != nil {
			return err
		}
	}
	for k, v := range c.dead {
		if err := c.set([]byte(k), v); err != nil {
			return err
		}
	}
	if err := c.set(key.Generation, encodeGeneration(cat)); err != nil {
		return err
	}
	if err := c.flush(); err != nil {
		return err
	}
	c.s.refresh()
	return nil
}

// table takes the keys of a table file that can be read.
func (c *collector) table(fs vfs.FS, path string) error {
	b, err := readAll(fs, path)
	if err != nil {
		return err
	}
	t := readTable(b)
	defer t.close()
	c.file = fs.PathBase(path)
	t.deletions(func(span keySpan, seq uint64) {
		c.deletions = append(c.deletions, gap{keySpan: span, seq: seq, but: c.file})
	})
	err = t.all(func(k pebble.InternalKey, v []byte) error {
		return c.add(k.UserKey, uint64(k.SeqNum()), k.Kind() == pebble.InternalKeyKindDelete, v)
	})
	if err == nil && t.lost > 0 {
		err = fmt.Errorf("%w: %d of its %d blocks can't be read", ErrCorrupt, t.lost, len(t.blocks))
	}
	return err
}

// log takes the keys of a log, up to its end or what can't be read.
func (c *collector) log(fs vfs.FS, path string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	num, ok := logNumber(fs.PathBase(path))
	if !ok {
		return nil
	}
	f, err := fs.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	c.file = fs.PathBase(path)
	r := newRecordReader(record.NewReader, f, num)
	for {
		rec, err := r.Next()
		var b []byte
		if err == nil {
			b, err = io.ReadAll(rec)
		}
		if err == io.EOF || record.IsInvalidRecord(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(b) < batchrepr.HeaderLen {
			continue
		}
		seq := binary.LittleEndian.Uint64(b)
		for it := batchrepr.Read(b); ; seq++ {
			kind, k, v, ok, err := it.Next()
			if !ok || err != nil {
				break
			}
			if kind == pebble.InternalKeyKindRangeDelete {
				c.deletions = append(c.deletions, gap{keySpan: keySpan{bytes.Clone(k), bytes.Clone(v)}, seq: seq})
			}
			if kind == pebble.InternalKeyKindSet || kind == pebble.InternalKeyKindDelete {
				if err := c.add(k, seq, kind == pebble.InternalKeyKindDelete, v); err != nil {
					return err
				}
			}
		}
	}
}
