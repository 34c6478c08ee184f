package storage_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// cutFS is a file system whose disk promises no more than a disk has to: until a file is
// synced each of its sectors may or may not have been written, in any order, and so may
// its length; until a directory is synced each of its entries may or may not have been made,
// removed or renamed. What programs see meanwhile is in the file system that it wraps.
type cutFS struct {
	vfs.FS
	mu    sync.Mutex
	nodes map[string]*cutNode // of the files, by path
	dirs  map[string]*cutDir
	ops   int
	hook  func(op int) // called before every change, with mu held
}

// sector is what a disk writes whole or not at all.
const sector = 512

// cutNode is a file, whatever its names.
type cutNode struct {
	durable []byte
	pending []cutWrite
}

type cutWrite struct {
	truncate bool
	off      int64
	data     []byte
}

// cutDir is a directory; its entries are of type *cutNode or *cutDir.
type cutDir struct {
	durable map[string]any
	pending []map[string]any // changes, in order: nil removes an entry
}

func newCutFS() *cutFS {
	return &cutFS{FS: vfs.NewMem(), nodes: map[string]*cutNode{}, dirs: map[string]*cutDir{"": {durable: map[string]any{}}}}
}

// change counts an operation that changes something.
func (c *cutFS) change() {
	c.ops++
	if c.hook != nil {
		c.hook(c.ops)
	}
}

func (c *cutFS) parent(name string) *cutDir {
	d := c.PathDir(name)
	if d == "." || d == "/" {
		d = ""
	}
	return c.dirs[d]
}

// entries changes entries of directories; those of one directory change together.
func (c *cutFS) entries(names []string, to []any) {
	byDir := map[*cutDir]map[string]any{}
	for i, n := range names {
		d := c.parent(n)
		if byDir[d] == nil {
			byDir[d] = map[string]any{}
		}
		byDir[d][c.PathBase(n)] = to[i]
	}
	for d, change := range byDir {
		d.pending = append(d.pending, change)
	}
}

func (c *cutFS) Create(name string, w vfs.DiskWriteCategory) (vfs.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change()
	f, err := c.FS.Create(name, w)
	if err != nil {
		return nil, err
	}
	n := c.nodes[name]
	if n == nil {
		n = &cutNode{}
		c.nodes[name] = n
		c.entries([]string{name}, []any{n})
	} else {
		n.pending = append(n.pending, cutWrite{truncate: true})
	}
	return &cutFile{File: f, c: c, node: n}, nil
}

func (c *cutFS) OpenReadWrite(name string, w vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[name]
	if n == nil {
		c.change()
	}
	f, err := c.FS.OpenReadWrite(name, w, o...)
	if err != nil {
		return nil, err
	}
	if n == nil {
		n = &cutNode{}
		c.nodes[name] = n
		c.entries([]string{name}, []any{n})
	}
	return &cutFile{File: f, c: c, node: n}, nil
}

func (c *cutFS) ReuseForWrite(old, name string, w vfs.DiskWriteCategory) (vfs.File, error) {
	if err := c.Rename(old, name); err != nil {
		return nil, err
	}
	return c.OpenReadWrite(name, w)
}

func (c *cutFS) OpenDir(name string) (vfs.File, error) {
	f, err := c.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if name == "." || name == "/" {
		name = ""
	}
	return &cutFile{File: f, c: c, dir: c.dirs[name]}, nil
}

func (c *cutFS) Link(old, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change()
	if err := c.FS.Link(old, name); err != nil {
		return err
	}
	c.nodes[name] = c.nodes[old]
	c.entries([]string{name}, []any{c.nodes[old]})
	return nil
}

func (c *cutFS) Rename(old, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change()
	if err := c.FS.Rename(old, name); err != nil {
		return err
	}
	n := c.nodes[old]
	delete(c.nodes, old)
	c.nodes[name] = n
	c.entries([]string{old, name}, []any{nil, n})
	return nil
}

func (c *cutFS) Remove(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change()
	if err := c.FS.Remove(name); err != nil {
		return err
	}
	delete(c.nodes, name)
	delete(c.dirs, name)
	c.entries([]string{name}, []any{nil})
	return nil
}

func (c *cutFS) RemoveAll(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change()
	if err := c.FS.RemoveAll(name); err != nil {
		return err
	}
	for _, known := range []func() []string{
		func() (out []string) {
			for n := range c.nodes {
				out = append(out, n)
			}
			return out
		},
		func() (out []string) {
			for n := range c.dirs {
				out = append(out, n)
			}
			return out
		},
	} {
		for _, n := range known() {
			if n != "" && (n == name || len(n) > len(name) && n[:len(name)+1] == name+"/") {
				c.entries([]string{n}, []any{nil})
			}
		}
	}
	for n := range c.nodes {
		if n == name || len(n) > len(name) && n[:len(name)+1] == name+"/" {
			delete(c.nodes, n)
		}
	}
	for n := range c.dirs {
		if n != "" && (n == name || len(n) > len(name) && n[:len(name)+1] == name+"/") {
			delete(c.dirs, n)
		}
	}
	return nil
}

func (c *cutFS) MkdirAll(name string, perm os.FileMode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change()
	if err := c.FS.MkdirAll(name, perm); err != nil {
		return err
	}
	var make func(name string)
	make = func(name string) {
		if name == "" || name == "." || name == "/" || c.dirs[name] != nil {
			return
		}
		make(c.PathDir(name))
		c.dirs[name] = &cutDir{durable: map[string]any{}}
		c.entries([]string{name}, []any{c.dirs[name]})
	}
	make(name)
	return nil
}

// Lock makes the lock file, as on a disk.
func (c *cutFS) Lock(name string) (io.Closer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, err := c.FS.Lock(name)
	if err == nil && c.nodes[name] == nil {
		c.nodes[name] = &cutNode{}
		c.entries([]string{name}, []any{c.nodes[name]})
	}
	return l, err
}

func (c *cutFS) Unwrap() vfs.FS { return nil }

// cutFile is a file that is written, or a directory that is synced.
type cutFile struct {
	vfs.File
	c    *cutFS
	node *cutNode
	dir  *cutDir
	pos  int64
}

func (f *cutFile) Write(p []byte) (int, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.change()
	data := bytes.Clone(p) // Pebble's file system in memory may change what it is given
	n, err := f.File.Write(p)
	f.node.pending = append(f.node.pending, cutWrite{off: f.pos, data: data[:n]})
	f.pos += int64(n)
	return n, err
}

func (f *cutFile) WriteAt(p []byte, off int64) (int, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.change()
	data := bytes.Clone(p)
	n, err := f.File.WriteAt(p, off)
	f.node.pending = append(f.node.pending, cutWrite{off: off, data: data[:n]})
	return n, err
}

func (f *cutFile) Sync() error {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.change()
	if f.dir != nil {
		for _, change := range f.dir.pending {
			applyEntries(f.dir.durable, change)
		}
		f.dir.pending = nil
		return nil
	}
	for _, w := range f.node.pending {
		f.node.durable = w.apply(f.node.durable, 0, int64(len(w.data)))
	}
	f.node.pending = nil
	return nil
}

func (f *cutFile) SyncData() error              { return f.Sync() }
func (f *cutFile) SyncTo(int64) (bool, error)   { return false, nil } // it may have done nothing
func (f *cutFile) Preallocate(_, _ int64) error { return nil }

func applyEntries(to, change map[string]any) {
	for name, e := range change {
		if e == nil {
			delete(to, name)
		} else {
			to[name] = e
		}
	}
}

// apply writes the part [from, to) of what w writes.
func (w *cutWrite) apply(b []byte, from, to int64) []byte {
	if w.truncate {
		return nil
	}
	if end := w.off + to; end > int64(len(b)) {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[w.off+from:], w.data[from:to])
	return b
}

// cut returns what is on the disk when the power fails now. mu is held.
func (c *cutFS) cut(r *rand.Rand) *vfs.MemFS {
	// How likely what was not synced has been written: never, always, or in between.
	p := []float64{0, 1, 0.5, r.Float64()}[r.IntN(4)]
	keep := func() bool { return r.Float64() < p }
	out := vfs.NewMem()
	done := map[*cutNode][]byte{}
	content := func(n *cutNode) []byte {
		if b, ok := done[n]; ok {
			return b
		}
		b := append([]byte(nil), n.durable...)
		end := int64(0)
		for i := range n.pending {
			w := &n.pending[i]
			if w.truncate {
				if keep() {
					b = nil
				}
				continue
			}
			end = max(end, w.off+int64(len(w.data)))
			for from := int64(0); from < int64(len(w.data)); {
				to := min(int64(len(w.data)), (w.off+from)/sector*sector+sector-w.off)
				if keep() {
					b = w.apply(b, from, to)
				}
				from = to
			}
		}
		if end > int64(len(b)) && keep() && r.IntN(2) == 0 { // the length came first
			b = append(b, make([]byte, end-int64(len(b)))...)
		}
		done[n] = b
		return b
	}
	var write func(dir string, d *cutDir)
	write = func(dir string, d *cutDir) {
		entries := map[string]any{}
		applyEntries(entries, d.durable)
		for _, change := range d.pending {
			if keep() {
				applyEntries(entries, change)
			}
		}
		for name, e := range entries {
			path := name
			if dir != "" {
				path = out.PathJoin(dir, name)
			}
			switch e := e.(type) {
			case *cutDir:
				if err := out.MkdirAll(path, 0o755); err != nil {
					panic(err)
				}
				write(path, e)
			case *cutNode:
				f, err := out.Create(path, vfs.WriteCategoryUnspecified)
				if err != nil {
					panic(err)
				}
				if _, err := f.Write(bytes.Clone(content(e))); err != nil {
					panic(err)
				}
				f.Close()
			}
		}
	}
	write("", c.dirs[""])
	return out
}

// The file system keeps its promises: what was synced is there, and what was not may be
// there in part.
func TestCutFS(t *testing.T) {
	c := newCutFS()
	check(t, c.MkdirAll("db", 0o755))
	sync := func(name string) {
		d := must[vfs.File](t)(c.OpenDir(name))
		check(t, d.Sync())
		check(t, d.Close())
	}
	f := must[vfs.File](t)(c.Create("db/a", vfs.WriteCategoryUnspecified))
	must[int](t)(f.Write([]byte("synced")))
	check(t, f.Sync())
	sync("db")
	sync("")
	must[int](t)(f.Write(make([]byte, 4*sector)))
	check(t, c.Rename("db/a", "db/b"))
	a, b, parts := 0, 0, map[int]bool{}
	for i := range uint64(200) {
		m := c.cut(rand.New(rand.NewPCG(i, 1)))
		for _, name := range []string{"db/a", "db/b"} {
			f, err := m.Open(name)
			if err != nil {
				continue
			}
			got := must[[]byte](t)(io.ReadAll(f))
			if string(got[:6]) != "synced" {
				t.Fatalf("%q was synced", got[:6])
			}
			parts[len(got)] = true
			if name == "db/a" {
				a++
			} else {
				b++
			}
		}
	}
	if a+b != 200 || a == 0 || b == 0 || len(parts) < 4 {
		t.Fatalf("%d under the old name, %d under the new one, %d lengths", a, b, len(parts))
	}
}
