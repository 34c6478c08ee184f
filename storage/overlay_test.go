package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

// Rows that were added one by one and have gone into blocks leave no memory behind, beside the
// entries of their key.
func TestOverlayForgets(t *testing.T) {
	s, err := OpenContext(context.Background(), "db", &Options{FS: vfs.NewMem(), NoMerging: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	o := newOverlay(s.db, nil)
	row := bytes.Repeat([]byte{1}, 1000)
	keys := func(i int) (entry, tail []byte) {
		n := []byte{0, 0, 0, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		return append(key.Family(nil, 1000, key.Primary), n...), append(key.Family(nil, 1000, key.Tail), n...)
	}
	for i := range 60 * BlockRows {
		o.snapshot() // of a statement
		entry, tail := keys(i)
		if err := errors.Join(o.set(entry, []byte("12345678")), o.set(tail, row)); err != nil {
			t.Fatal(err)
		}
		if i%BlockRows == BlockRows-1 {
			for j := range BlockRows {
				_, tail := keys(i - j)
				if err := o.delete(tail); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if n := o.tree.Len(); n != 60*BlockRows {
		t.Fatalf("%d changes", n)
	}
	if got := heap() - before; got > o.held+o.held/2+2*goneLeast { // what was dropped is 60 MB
		t.Errorf("%d bytes are held, for %d", got, o.held)
	}
	runtime.KeepAlive(o)
}

// An overlay does what Pebble's indexed batch does: the same random writes, savepoints and reads
// on both, in memory and with values in a file; and what is written to files and ingested is
// what the batch commits.
func TestOverlayIsABatch(t *testing.T) {
	for seed := range 60 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { overlayIsABatch(t, uint64(seed)) })
	}
}

func overlayIsABatch(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 41))
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := OpenContext(context.Background(), "db", &Options{FS: vfs.NewMem(), NoMerging: true})
	try(err)
	defer s.Close()
	// Keys of several tables and families, so that files are split, and short ones of others.
	families := []byte{key.Columns, key.Index, key.Codes, key.Tail, key.Pages}
	n := 1 + r.IntN(200)
	newKey := func() []byte {
		k := key.Family(nil, 1000+uint32(r.IntN(3)), families[r.IntN(len(families))])
		return append(k, 0, 0, 0, byte(r.IntN(2)), byte(r.IntN(2)), 0, 0, 0, byte(r.IntN(n)))
	}
	value := func() []byte { return bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(40)) }
	base := s.db.NewBatch()
	for range r.IntN(3) * r.IntN(600) {
		try(base.Set(newKey(), value(), nil))
	}
	try(base.Commit(pebble.NoSync))
	if r.IntN(2) == 0 {
		try(s.db.Flush())
	}
	batch := s.db.NewIndexedBatch()
	defer func() { batch.Close() }()
	dir, err := s.newLoadDir()
	try(err)
	o := newOverlay(s.db, nil)
	if r.IntN(3) > 0 {
		o.spill = &spill{fs: s.fs, dir: dir, least: 1 + r.IntN(30)}
		defer o.spill.close()
	}
	type point struct {
		repr  []byte
		state overlayState
	}
	var points []point
	type pair struct {
		a *pebble.Iterator
		b iterator
	}
	open := func() pair {
		opts := &pebble.IterOptions{}
		if r.IntN(2) == 0 {
			opts.LowerBound = newKey()
		}
		if r.IntN(2) == 0 {
			opts.UpperBound = newKey()
		}
		if opts.LowerBound != nil && opts.UpperBound != nil && bytes.Compare(opts.LowerBound, opts.UpperBound) > 0 {
			opts.LowerBound, opts.UpperBound = opts.UpperBound, opts.LowerBound
		}
		a, err := batch.NewIter(opts)
		try(err)
		b, err := o.newIter(opts)
		try(err)
		return pair{a, b}
	}
	same := func(p pair, what string, x, y bool) bool {
		t.Helper()
		if x != y {
			t.Fatalf("%s: %v, want %v", what, y, x)
		}
		if !x {
			return false
		}
		v, err := p.b.ValueAndErr()
		try(err)
		if !bytes.Equal(p.a.Key(), p.b.Key()) || !bytes.Equal(p.a.Value(), v) {
			t.Fatalf("%s: %x = %x, want %x = %x", what, p.b.Key(), v, p.a.Key(), p.a.Value())
		}
		return true
	}
	move := func(p pair) {
		t.Helper()
		var ok bool
		switch k := newKey(); r.IntN(4) {
		case 0:
			ok = same(p, "first", p.a.First(), p.b.First())
		case 1:
			ok = same(p, "last", p.a.Last(), p.b.Last())
		case 2:
			ok = same(p, "seek", p.a.SeekGE(k), p.b.SeekGE(k))
		case 3:
			prefix := k[:4+r.IntN(len(k)-4)]
			end := key.End(prefix)
			x, y := p.a.SeekGEWithLimit(prefix, end) == pebble.IterValid, p.b.SeekGEWithLimit(prefix, end) == pebble.IterValid
			ok = same(p, "prefix", x, y)
			for i := 0; ok && i < 3; i++ {
				ok = same(p, "next of prefix", p.a.NextWithLimit(end) == pebble.IterValid, p.b.NextWithLimit(end) == pebble.IterValid)
			}
		}
		for range r.IntN(30) {
			if !ok {
				return
			}
			if r.IntN(3) > 0 {
				ok = same(p, "next", p.a.Next(), p.b.Next())
			} else {
				ok = same(p, "prev", p.a.Prev(), p.b.Prev())
			}
		}
	}
	all := func(p pair) {
		t.Helper()
		for ok := same(p, "first", p.a.First(), p.b.First()); ok; ok = same(p, "next", p.a.Next(), p.b.Next()) {
		}
		for ok := same(p, "last", p.a.Last(), p.b.Last()); ok; ok = same(p, "prev", p.a.Prev(), p.b.Prev()) {
		}
	}
	var held []pair // as they were, whatever is written afterwards
	for range 300 {
		switch k := newKey(); r.IntN(14) {
		case 0, 1, 2, 3:
			v := value()
			try(batch.Set(k, v, nil))
			try(o.set(k, v))
		case 4, 5:
			v := value()
			try(batch.Merge(k, v, nil))
			try(o.merge(k, v))
		case 6, 7:
			try(batch.Delete(k, nil))
			try(o.delete(k))
		case 8:
			to := newKey()
			if r.IntN(2) == 0 {
				k, to = k[:9], key.End(k[:9])
			}
			if bytes.Compare(k, to) > 0 {
				k, to = to, k
			}
			try(batch.DeleteRange(k, to, nil))
			o.deleteRange(k, to)
		case 9:
			points = append(points, point{bytes.Clone(batch.Repr()), o.snapshot()})
		case 10:
			if len(points) > 0 && len(held) == 0 {
				points = points[:1+r.IntN(len(points))]
				p := points[len(points)-1]
				try(batch.Close())
				batch = s.db.NewIndexedBatch()
				kept := s.db.NewBatch()
				try(kept.SetRepr(bytes.Clone(p.repr)))
				if !kept.Empty() {
					try(batch.Apply(kept, nil))
				}
				o.restore(p.state)
			}
		case 11:
			v, c, err := batch.Get(k)
			w, d, e := o.Get(k)
			if err != e || !bytes.Equal(v, w) {
				t.Fatalf("get %x: %x %v, want %x %v", k, w, e, v, err)
			}
			if err == nil {
				try(c.Close())
				try(d.Close())
			}
		case 12:
			p := open()
			move(p)
			if r.IntN(8) == 0 {
				held = append(held, p)
			} else {
				try(p.a.Close())
				try(p.b.Close())
			}
		case 13:
			for _, p := range held {
				move(p)
				all(p)
				try(p.a.Close())
				try(p.b.Close())
			}
			held = nil
		}
	}
	for _, p := range held {
		all(p)
		try(p.a.Close())
		try(p.b.Close())
	}
	p := open()
	all(p)
	try(p.a.Close())
	try(p.b.Close())
	list := func(from pebble.Reader) string {
		var b bytes.Buffer
		it, err := from.NewIter(&pebble.IterOptions{LowerBound: key.Table(nil, 1000)})
		try(err)
		for ok := it.First(); ok; ok = it.Next() {
			fmt.Fprintf(&b, "%x=%x\n", it.Key(), it.Value())
		}
		try(it.Close())
		return b.String()
	}
	want := list(batch)
	if r.IntN(3) == 0 {
		fresh := s.db.NewBatch()
		try(o.apply(fresh))
		try(fresh.Commit(pebble.NoSync))
	} else {
		sst := s.newSSTWriter(dir)
		sst.most = 1 + r.IntN(4000)
		try(o.writeGroups(sst, r.IntN(4000)))
		files, err := sst.finish()
		try(err)
		if len(files) > 0 {
			try(s.db.Ingest(context.Background(), files))
		}
	}
	if got := list(s.db); got != want {
		t.Fatalf("committed:\n%s\nwant:\n%s", got, want)
	}
}
