package storage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/postings"
	"github.com/lupadb/lupa/storage/value"
)

// textBuild changes an index by files: records are gathered in runs, which are merged.
type textBuild struct {
	*pendingTexts
	f     *indexFiles
	limit int
	runs  []string
	rows  uint64
	chunk uint32
}

// leastTextMemory is what a build may take in any case.
const leastTextMemory = 64 << 10

func (x *fullText) build(f *indexFiles) indexEditor {
	b := &textBuild{pendingTexts: x.pending(), f: f, limit: max(f.s.sortMemory, leastTextMemory)}
	b.many = true
	return b
}

func (b *textBuild) conflict([]*value.Column, int) (uint64, bool, error) { return 0, false, nil }

func (b *textBuild) add(cols []*value.Column, i int, row uint64) error {
	b.rows++
	if chunk := uint32(row / postings.ChunkRows); chunk != b.chunk {
		// Chunks that are in one run are encoded once.
		b.chunk = chunk
		if b.bytes > b.limit/2 {
			if err := b.write(); err != nil {
				return err
			}
		}
	}
	b.pendingTexts.add(cols, i, row)
	return b.spill()
}

func (b *textBuild) remove(cols []*value.Column, i int, row uint64) error {
	b.pendingTexts.remove(cols, i, row)
	return b.spill()
}

func (b *textBuild) forget(cols []*value.Column, i int, row uint64) error {
	return b.remove(cols, i, row)
}

func (b *textBuild) spill() error {
	if b.bytes < b.limit {
		return nil
	}
	return b.write()
}

// write writes what is pending as a run.
func (b *textBuild) write() (err error) {
	name := b.f.s.fs.PathJoin(b.f.dir, fmt.Sprintf("texts%d.%d", b.x.x.ID, len(b.runs)))
	file, err := b.f.s.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	b.runs = append(b.runs, name)
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriterSize(file, 256<<10)
	var head []byte
	err = b.flush(func(k, record []byte) error {
		head = binary.AppendUvarint(head[:0], uint64(len(k)))
		head = binary.AppendUvarint(head, uint64(len(record)))
		_, err := w.Write(head)
		if err == nil {
			_, err = w.Write(k)
		}
		if err == nil {
			_, err = w.Write(record)
		}
		return err
	})
	return firstError(err, w.Flush())
}

// textRecord is a record of a run.
type textRecord struct{ key, record []byte }

func (t *textRecord) next(r *bufio.Reader) (bool, error) {
	k, err := binary.ReadUvarint(r)
	if err == io.EOF {
		return false, nil
	}
	n, err2 := binary.ReadUvarint(r)
	if err := firstError(err, err2); err != nil {
		return false, err
	}
	t.key, t.record = slices.Grow(t.key[:0], int(k))[:k], slices.Grow(t.record[:0], int(n))[:n]
	if _, err := io.ReadFull(r, t.key); err != nil {
		return false, err
	}
	_, err = io.ReadFull(r, t.record)
	return true, err
}

// finish writes the index.
func (b *textBuild) finish(ctx context.Context) error {
	w := &textWriter{x: b.x, f: b.f, total: b.rows}
	if b.f.view != nil {
		t, err := b.f.view.Table(b.x.d.Name)
		if err != nil {
			return err
		}
		w.fresh = uint32((t.counters.next + postings.ChunkRows - 1) / postings.ChunkRows)
	}
	if len(b.runs) == 0 {
		if err := b.flush(func(k, record []byte) error { return w.record(ctx, k, record) }); err != nil {
			return err
		}
		return w.end()
	}
	if err := b.write(); err != nil {
		return err
	}
	byKey := func(x, y *textRecord) int { return bytes.Compare(x.key, y.key) }
	err := mergeRuns(b.f.s.fs, b.runs, 64<<10, byKey, func(t *textRecord) error { return w.record(ctx, t.key, t.record) })
	if err != nil {
		return err
	}
	return w.end()
}

// textWriter writes records, which come in the order of their keys, those of a key in their
// own order, into table files.
type textWriter struct {
	x       *fullText
	f       *indexFiles
	fresh   uint32 // chunks from which on there is nothing yet
	total   uint64
	cur     []byte // key
	records []byte
	count   int                          // of records
	lengths map[uint64]*postings.Lengths // of fresh chunks, by field and chunk
	plain   map[uint64]bool              // those that were added at once
	n       int
	list    postings.List
}

func (w *textWriter) record(ctx context.Context, k, record []byte) error {
	if w.n++; w.n%4096 == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.f.report("writing "+w.x.where(), w.total, w.total)
	}
	if !bytes.Equal(k, w.cur) {
		if err := w.end(); err != nil {
			return err
		}
		w.cur = append(w.cur[:0], k...)
	}
	w.records = append(w.records, record...)
	w.count++
	return nil
}

// end writes what was gathered of a key.
func (w *textWriter) end() error {
	if len(w.records) == 0 {
		return nil
	}
	count := w.count
	defer func() { w.records, w.count = w.records[:0], 0 }()
	k := w.cur
	at := len(w.x.pre)
	prefix, family := k[:at+1], k[at]
	chunk := binary.BigEndian.Uint32(k[len(k)-4:])
	if w.f.view != nil && chunk < w.fresh {
		return w.f.sst.merge(prefix, k, w.records)
	}
	id := uint64(k[at+1])<<32 | uint64(chunk)
	if family == textLengths {
		l := new(postings.Lengths)
		if err := l.Parse(w.records); err != nil {
			return err
		}
		b := postings.AppendLengths(nil, l.All())
		if err := l.Parse(b); err != nil {
			return err
		}
		if w.lengths == nil {
			w.lengths, w.plain = map[uint64]*postings.Lengths{}, map[uint64]bool{}
		}
		w.lengths[id], w.plain[id] = l, postings.OnlyNew(w.records)
		return w.f.sst.put(prefix, k, b)
	}
	l := w.lengths[id]
	if l == nil {
		l = new(postings.Lengths)
	}
	var value, apart []byte
	var err error
	done := false
	if count == 1 && w.plain[id] { // the lengths are those that its bounds were made with
		value, apart, done, err = postings.Split(w.records, apartFrom)
	}
	if err == nil && !done {
		value, apart, err = compactList(&w.list, w.records, nil, l)
	}
	if err != nil {
		return err
	}
	if len(value) == 0 {
		return nil
	}
	if apart != nil {
		o := append([]byte(nil), k...)
		o[at] = textPositions
		if err := w.f.sst.put(o[:at+1], o, apart); err != nil {
			return err
		}
	}
	return w.f.sst.put(prefix, k, value)
}

// compactList makes one segment of the records of a term in a chunk, nil if no posting is
// left, and the positions that have a key of their own, nil if they have not.
func compactList(list *postings.List, records, apart []byte, l *postings.Lengths) (value, newApart []byte, err error) {
	if err := list.Parse(records, l.Length); err != nil {
		return nil, nil, err
	}
	ps := make([]postings.Posting, 0, list.N)
	positions := make([]byte, 0, len(records)+len(apart))
	err = list.Positions(apart, nil, func(p postings.Posting, b []byte) error {
		ps, positions = append(ps, p), append(positions, b...)
		return nil
	})
	if err != nil || len(ps) == 0 {
		return nil, nil, err
	}
	if len(ps) < apartFrom {
		return postings.AppendSegment(nil, ps, positions, true, l.Length), nil, nil
	}
	return postings.AppendSegment(nil, ps, nil, false, l.Length), positions, nil
}
