package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/sstable/valblk"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

// What Pebble can't read of a damaged file is more than what is damaged: without its
// index, its filter or its footer no block of a table is found, and a log ends at the
// first record that is not valid. Salvage makes such files anew, for itself, of the
// blocks and records in them that can be read.

// ---- Tables ----

// tableFile is a table file in memory, and where its blocks of rows are.
type tableFile struct {
	bytes   []byte
	blocks  []block.Handle
	reader  *sstable.Reader // nil when what leads to the blocks can't be read
	sound   bool            // all is as it was written, but perhaps blocks of rows
	indexed bool            // the index names all blocks
	lost    int             // blocks of rows that can't be read
}

// readTable finds the blocks of a table file: by its index, or one after the other from
// the beginning up to the first that can't be read.
func readTable(b []byte) *tableFile {
	t := &tableFile{bytes: b}
	layout, err := t.open()
	if err != nil {
		t.scan()
		return t
	}
	for _, d := range layout.Data {
		t.blocks = append(t.blocks, d.Handle)
		if t.verify(d.Handle) != nil {
			t.lost++
		}
	}
	rest := append(layout.Index, layout.TopIndex, layout.RangeDel, layout.RangeKey, layout.Properties, layout.MetaIndex)
	for _, f := range layout.Filter {
		rest = append(rest, f.Handle)
	}
	t.sound, t.indexed = true, true
	for _, h := range rest {
		if h.Length > 0 && t.verify(h) != nil {
			t.sound = false
		}
	}
	return t
}

func (t *tableFile) open() (l *sstable.Layout, err error) {
	defer func() {
		if p := recover(); p != nil {
			t.reader, err = nil, fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	r, err := sstable.NewMemReader(t.bytes, sstable.ReaderOptions{})
	if err != nil {
		return nil, err
	}
	t.reader = r
	l, err = r.Layout()
	if err == nil && l.Format < sstable.TableFormatPebblev5 {
		err = fmt.Errorf("%w: blocks of an unknown kind", ErrCorrupt)
	}
	return l, err
}

func (t *tableFile) close() {
	if t.reader != nil {
		_ = t.reader.Close()
	}
}

// verify compares a block with its checksum.
func (t *tableFile) verify(h block.Handle) error {
	end := h.Offset + h.Length + blockTrailer
	if h.Offset > end || end > uint64(len(t.bytes)) {
		return damagedFile("a table", "ends too early")
	}
	return verifyBlock("a table", t.bytes[h.Offset:end], int64(h.Offset))
}

// scan finds the blocks without an index. A block ends where the checksum of what came
// before it stands.
func (t *tableFile) scan() {
	var last []byte
	for at := 0; ; {
		n := blockAt(t.bytes[at:])
		if n < 0 {
			return
		}
		h := block.Handle{Offset: uint64(at), Length: uint64(n)}
		first, end, err := t.ends(h)
		if err != nil || first == nil || bytes.Compare(last, first) > 0 {
			return // the index follows the rows
		}
		t.blocks = append(t.blocks, h)
		last = end
		at += n + blockTrailer
	}
}

// ends returns the first and the last key of a block, nil of an empty one.
func (t *tableFile) ends(h block.Handle) (first, last []byte, err error) {
	err = t.rows(h, func(k pebble.InternalKey, _ []byte) error {
		if first == nil {
			first = bytes.Clone(k.UserKey)
		}
		last = append(last[:0], k.UserKey...)
		return nil
	})
	return first, last, err
}

// blockAt returns the length of the block at the beginning of b, -1 if there is none.
func blockAt(b []byte) int {
	c := ^uint32(0)
	for n := 0; n+blockTrailer <= len(b); n++ {
		c = crcTable[byte(c)^b[n]] ^ c>>8 // the byte after the block counts
		if sum := ^c; n > 0 && (sum>>15|sum<<17)+0xa282ead8 == binary.LittleEndian.Uint32(b[n+1:]) {
			return n
		}
	}
	return -1
}

// keySchema is how Pebble's blocks hold keys.
var keySchema = colblk.DefaultKeySchema(pebble.DefaultComparer, 16)

// rows hands out the keys of a block. They are valid during the call.
func (t *tableFile) rows(h block.Handle, f func(pebble.InternalKey, []byte) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	if err := t.verify(h); err != nil {
		return err
	}
	end := h.Offset + h.Length
	b := t.bytes[h.Offset:end]
	kind := block.CompressionIndicator(t.bytes[end])
	n, err := block.DecompressedLen(kind, b)
	if err != nil || n < 8 || n > 1<<30 {
		return fmt.Errorf("%w: a block of %d bytes", ErrCorrupt, n)
	}
	aligned := make([]byte, n)
	if kind == block.NoCompressionIndicator {
		copy(aligned, b)
	} else if err := block.DecompressInto(kind, b, aligned); err != nil {
		return err
	}
	const columns = 5 // beside those of keys
	if at := 4 + keySchema.HeaderSize; aligned[at] != 1 || int(binary.LittleEndian.Uint16(aligned[at+1:])) != len(keySchema.ColumnTypes)+columns {
		return fmt.Errorf("%w: not a block of rows", ErrCorrupt)
	}
	var d colblk.DataBlockDecoder
	d.Init(&keySchema, aligned)
	var it colblk.DataBlockIter
	// What a key had before may lie in blocks of its own. It is not read: the key's newest
	// value is here.
	it.InitOnce(&keySchema, pebble.DefaultComparer, new(valblk.Reader))
	if err := it.Init(&d, block.IterTransforms{}); err != nil {
		return err
	}
	defer it.Close()
	for kv := it.First(); kv != nil; kv = it.Next() {
		if !kv.V.IsInPlaceValue() {
			continue
		}
		if err := f(kv.K, kv.V.InPlaceValue()); err != nil {
			return err
		}
	}
	return it.Error()
}

// all hands out the keys of all blocks that can be read, in their order.
func (t *tableFile) all(f func(pebble.InternalKey, []byte) error) error {
	for _, h := range t.blocks {
		var failed error
		err := t.rows(h, func(k pebble.InternalKey, v []byte) error {
			failed = f(k, v)
			return failed
		})
		if failed != nil {
			return failed
		} else if err != nil && t.verify(h) == nil {
			return err
		}
	}
	return nil
}

// rewrite makes a table of what can be read.
func (t *tableFile) rewrite(fs vfs.FS, path string) (err error) {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	w := sstable.NewRawWriter(objstorageprovider.NewFileWritable(f), sstable.WriterOptions{
		TableFormat: sstable.TableFormatPebblev5,
		BlockSize:   32 << 10,
		Compression: sstable.NoCompression,
	})
	err = t.all(func(k pebble.InternalKey, v []byte) error { return w.Add(k, v, false) })
	if err == nil {
		err = t.ranges(w)
	}
	return errors.Join(err, w.Close())
}

// ranges copies the deletions of ranges, when they can be read: what they deleted comes
// back otherwise.
func (t *tableFile) ranges(w sstable.RawWriter) error {
	if t.reader == nil {
		return nil
	}
	it, err := t.reader.NewRawRangeDelIter(context.Background(), sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if err != nil || it == nil {
		return nil
	}
	defer it.Close()
	for s, err := it.First(); s != nil && err == nil; s, err = it.Next() {
		if err := w.EncodeSpan(*s); err != nil {
			return err
		}
	}
	return nil
}

// ---- Logs and the list of tables ----

// Both are made of records, these of chunks that do not cross the bounds of recordGrain
// bytes.
const recordGrain = 32 << 10

// chunk is a part of a record.
type chunk struct {
	at, end     int
	first, last bool // of its record
	payload     []byte
}

// chunkAt reads the chunk at p[i:]; p does not reach beyond the next bound. number is
// that of the log, where a chunk says it.
func chunkAt(p []byte, i int, number uint32) (c chunk, ok bool) {
	if i+7 > len(p) {
		return c, false
	}
	kind, n := int(p[i+6])-1, int(binary.LittleEndian.Uint16(p[i+4:]))
	if kind < 0 || kind >= 12 || number != 0 && kind < 4 {
		return c, false
	}
	head := []int{7, 11, 19}[kind/4]
	if i+head+n > len(p) || head > 7 && binary.LittleEndian.Uint32(p[i+7:]) != number {
		return c, false
	}
	sum := crc32.Checksum(p[i+6:i+head+n], crcTable)
	if (sum>>15|sum<<17)+0xa282ead8 != binary.LittleEndian.Uint32(p[i:]) {
		return c, false
	}
	kind %= 4 // whole, first, middle, last
	return chunk{i, i + head + n, kind < 2, kind == 0 || kind == 3, p[i+head : i+head+n]}, true
}

// readRecords hands out the records of a file that can be read: whole ones, and of those
// that are damaged the beginning. It reports whether there is one beyond a place that
// can't be read, which tells damage from the end of what was written. Where nothing is left
// of records the beginning is empty.
func readRecords(b []byte, number uint64, emit func(rec []byte, whole bool)) (damaged bool) {
	var rec []byte
	in, gap := false, false
	for at := 0; at < len(b); at += recordGrain {
		p := b[at:min(len(b), at+recordGrain)]
		for i := 0; i < len(p); {
			c, ok := chunkAt(p, i, uint32(number))
			if !ok {
				j := i + 1
				for ; j < len(p) && !ok; j++ {
					c, ok = chunkAt(p, j, uint32(number))
				}
				// Zeros fill what is too short for a chunk.
				if !ok {
					gap = gap || len(p)-i >= 19 || len(bytes.Trim(p[i:], "\x00")) > 0
					break
				}
				gap = true
			}
			if gap {
				damaged = true
				if !in {
					rec = rec[:0] // nothing is left of what was there
				}
				emit(rec, false)
				in, gap = false, false
			}
			if c.first {
				if in {
					emit(rec, false)
				}
				rec, in = rec[:0], true
			}
			if in {
				rec = append(rec, c.payload...)
			}
			if in && c.last {
				emit(rec, true)
				in = false
			}
			i = c.end
		}
	}
	if in {
		emit(rec, false)
	}
	return damaged
}

// mendLog returns a log of the records of a damaged one that can be read; nil when
// Pebble reads as much.
func mendLog(b []byte, number uint64) ([]byte, error) {
	cut := false
	damaged := readRecords(b, number, func(_ []byte, whole bool) { cut = cut || !whole })
	if !damaged && !cut {
		return nil, nil
	}
	return rewriteRecords(b, number, func(rec []byte, whole bool) []byte {
		if whole {
			return rec
		}
		return wholeBatch(rec)
	})
}

// mendList is mendLog for Pebble's list of tables.
func mendList(b []byte) ([]byte, error) {
	return rewriteRecords(b, 0, func(rec []byte, whole bool) []byte {
		if whole {
			return rec
		}
		return nil
	})
}

func rewriteRecords(b []byte, number uint64, what func(rec []byte, whole bool) []byte) ([]byte, error) {
	var out bytes.Buffer
	w := record.NewWriter(&out)
	var err error
	readRecords(b, number, func(rec []byte, whole bool) {
		if rec = what(rec, whole); rec != nil && err == nil {
			_, err = w.WriteRecord(rec)
		}
	})
	return out.Bytes(), errors.Join(err, w.Close())
}

// wholeBatch makes a commit of the beginning of one: of the rows that it has written,
// not of what it has deleted, nor of what it says of the table as a whole. It returns nil
// if there are none.
func wholeBatch(rec []byte) []byte {
	h, ok := batchrepr.ReadHeader(rec)
	if !ok || len(rec) <= batchrepr.HeaderLen {
		return nil
	}
	out := bytes.Clone(rec[:batchrepr.HeaderLen])
	n := uint32(0)
	for it := batchrepr.Read(rec); ; {
		entry := []byte(it)
		kind, k, _, ok, err := it.Next()
		if !ok || err != nil {
			break
		}
		if kind != pebble.InternalKeyKindSet || len(k) < 5 || binary.BigEndian.Uint32(k) == 0 {
			continue
		}
		switch k[4] {
		case key.Columns, key.Pages, key.Tail:
			out = append(out, entry[:len(entry)-len(it)]...)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	batchrepr.SetCount(out, min(n, h.Count))
	return out
}
