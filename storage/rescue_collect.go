package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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

type collector struct {
	s        *Store
	batch    *pebble.Batch
	seqs     map[string]uint64
	schemas  map[string]*schemaSeen
	counters map[string]counters
	dead     map[string][]byte
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
		return nil
	}
	if k[4] == key.Tombstones { // merging blocks takes rows back from them
		if was, ok := c.seqs[string(k)]; ok && (was > seq || was == seq && ones(v) < ones(c.dead[string(k)])) {
			return nil
		}
		c.seqs[string(k)] = seq
		if c.dead[string(k)] = bytes.Clone(v); deleted {
			delete(c.dead, string(k))
		}
		return nil
	}
	if deleted {
		return nil // rows are deleted by tombstones
	}
	switch k[4] {
	case key.Counters:
		if n, err := decodeCounters(v); err == nil && n.next >= c.counters[string(k)].next {
			c.counters[string(k)] = n
		}
	case key.Columns, key.Pages, key.Tail:
		if was, ok := c.seqs[string(k)]; ok && was > seq {
			return nil
		}
		c.seqs[string(k)] = seq
		return c.set(k, v)
	}
	return nil
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
			if kind == pebble.InternalKeyKindSet || kind == pebble.InternalKeyKindDelete {
				if err := c.add(k, seq, kind == pebble.InternalKeyKindDelete, v); err != nil {
					return err
				}
			}
		}
	}
}
