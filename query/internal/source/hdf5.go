package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// openHDF5 opens a data set of an HDF5 file: the one that is named, or the only one. What is
// read is what ann-benchmarks and h5py write unless told otherwise: groups of every kind but
// very large new ones, data sets as a whole or in chunks, filters that need no plug-in. Anything
// else is refused by name. It is code of our own as no library in pure Go could be had.
// Format: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
func openHDF5(path string, o Options) (Reader, error) {
	in, err := OpenInput(path)
	if err != nil {
		return nil, err
	}
	r, err := newHDF5(in, o.Member)
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func newHDF5(in *Input, member string) (*npyReader, error) {
	h := &hdf5File{in: in, size: in.size, seen: map[uint64]bool{}, nodes: map[uint64]bool{}}
	root, err := h.superblock()
	if err != nil {
		return nil, err
	}
	if err := h.group(root, "", 0); err != nil {
		return nil, err
	}
	member = strings.Trim(member, "/")
	var names []string
	var found *hdf5Set
	for i := range h.sets {
		names = append(names, h.sets[i].name)
		if h.sets[i].name == member || member == "" {
			found = &h.sets[i]
		}
	}
	switch {
	case h.unread != "" && (found == nil || member == ""):
		return nil, fmt.Errorf("group %s lists its members as newer versions of HDF5 do with many of them, which is not read: write the file without libver='latest'", h.unread)
	case len(names) == 0:
		return nil, errors.New("the HDF5 file holds no data set")
	case member == "" && len(names) > 1:
		return nil, fmt.Errorf("the HDF5 file holds several data sets; name one, as in member => '%s' (there are %s)", names[0], fewNames(names))
	case found == nil:
		return nil, fmt.Errorf("the HDF5 file holds no data set %q (there are %s)", member, fewNames(names))
	}
	r, err := h.reader(found)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", found.name, err)
	}
	return r, nil
}

// hdf5File is a file, of which the parts that lead to data sets have been read.
type hdf5File struct {
	in      io.ReaderAt
	size    int64
	base    uint64          // to which addresses are relative
	offsets int             // bytes of an address
	lengths int             // bytes of a length
	seen    map[uint64]bool // objects
	nodes   map[uint64]bool // of trees
	spent   int64           // bytes that were read on the way
	sets    []hdf5Set
	unread  string // a group whose members can't be listed
}

// hdf5Set is a data set: the messages of its header.
type hdf5Set struct {
	name     string
	messages []hdf5Message
}

type hdf5Message struct {
	kind  int
	flags byte
	data  []byte
}

// Kinds of messages.
const (
	hdf5Dataspace    = 0x01
	hdf5LinkInfo     = 0x02
	hdf5Datatype     = 0x03
	hdf5Fill         = 0x05
	hdf5Link         = 0x06
	hdf5External     = 0x07
	hdf5Layout       = 0x08
	hdf5Filters      = 0x0b
	hdf5Continuation = 0x10
	hdf5SymbolTable  = 0x11
)

// Bounds of what a file may make the reader do.
const (
	maxHDF5Block   = 16 << 20
	maxHDF5Objects = 10_000
	maxHDF5Depth   = 32
	maxHDF5Band    = 256 << 20
)

var errHDF5 = errors.New("the HDF5 file is damaged")

// at returns n bytes of the file.
func (h *hdf5File) at(addr uint64, n int64) ([]byte, error) {
	if n < 0 || n > maxHDF5Block {
		return nil, errHDF5
	}
	// Nothing is read more than a few times, unless a damaged file goes round in circles.
	if h.spent += n; h.spent > 8*h.size+1<<20 {
		return nil, errHDF5
	}
	addr += h.base
	if addr > math.MaxInt64/2 || int64(addr)+n > h.size {
		return nil, fmt.Errorf("the HDF5 file is truncated or damaged: %d bytes at %d of %d", n, addr, h.size)
	}
	b := make([]byte, n)
	if _, err := h.in.ReadAt(b, int64(addr)); err != nil {
		return nil, err
	}
	return b, nil
}

// fields takes bytes apart; it gives zeros after its end and remembers that it was reached.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if n < 0 || n > len(f.b) {
		f.b, f.short = nil, true
		return make([]byte, min(max(n, 0), 16))
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

// uint is a number of n bytes.
func (f *fields) uint(n int) uint64 {
	var x uint64
	for i, c := range f.take(n) {
		if i < 8 {
			x |= uint64(c) << (8 * i)
		}
	}
	return x
}

func (f *fields) int(n int) int { return int(f.uint(n) & math.MaxInt64) }

// undefined is the address of nothing.
func (h *hdf5File) undefined(addr uint64) bool {
	return addr == math.MaxUint64 || h.offsets < 8 && addr == 1<<(8*h.offsets)-1
}

// superblock returns the address of the root group's header.
func (h *hdf5File) superblock() (root uint64, err error) {
	for at := int64(0); ; at = max(512, 2*at) { // a user's block may come before it
		b := make([]byte, 8)
		if _, err := h.in.ReadAt(b, at); err != nil {
			return 0, errors.New("not an HDF5 file: it has no signature")
		}
		if string(b) == "\x89HDF\r\n\x1a\n" {
			h.base = uint64(at)
			break
		}
	}
	b, err := h.at(8, min(128, h.size-int64(h.base)-8))
	if err != nil {
		return 0, err
	}
	f := &fields{b: b}
	version := f.int(1)
	switch {
	case version <= 1:
		f.take(4)
		h.offsets, h.lengths = f.int(1), f.int(1)
		f.take(9)
		if version == 1 {
			f.take(4)
		}
	case version <= 3:
		h.offsets, h.lengths = f.int(1), f.int(1)
		f.take(1)
	default:
		return 0, fmt.Errorf("an HDF5 file of version %d, which is not known", version)
	}
	for _, n := range []int{h.offsets, h.lengths} {
		if n != 2 && n != 4 && n != 8 {
			return 0, errHDF5
		}
	}
	f.take(3 * h.offsets) // the base, which is where the superblock is
	if version <= 1 {
		f.take(2 * h.offsets)
	}
	root = f.uint(h.offsets)
	if f.short {
		return 0, errHDF5
	}
	return root, nil
}

// header returns the messages of an object.
func (h *hdf5File) header(addr uint64) ([]hdf5Message, error) {
	b, err := h.at(addr, min(128, h.size-int64(min(addr+h.base, uint64(h.size)))))
	if err != nil {
		return nil, err
	}
	var messages []hdf5Message
	type block struct{ at, size uint64 }
	var blocks []block
	f := &fields{b: b}
	newer, order := false, false
	if bytes.HasPrefix(b, []byte("OHDR")) {
		f.take(5)
		flags := f.int(1)
		newer, order = true, flags&4 != 0
		if flags&0x20 != 0 {
			f.take(16)
		}
		if flags&0x10 != 0 {
			f.take(4)
		}
		size := f.uint(1 << (flags & 3))
		blocks = append(blocks, block{addr + uint64(len(b)-len(f.b)), size})
	} else {
		if f.int(1) != 1 {
			return nil, errHDF5
		}
		f.take(7)
		blocks = append(blocks, block{addr + 16, f.uint(4)})
	}
	if f.short {
		return nil, errHDF5
	}
	for n := 0; n < len(blocks); n++ {
		if n > 1000 {
			return nil, errHDF5
		}
		b, err := h.at(blocks[n].at, int64(min(blocks[n].size, math.MaxInt64)))
		if err != nil {
			return nil, err
		}
		if newer && n > 0 {
			if len(b) < 8 || string(b[:4]) != "OCHK" {
				return nil, errHDF5
			}
			b = b[4 : len(b)-4]
		}
		least := 8 // bytes of a message; fewer are a gap
		if newer && order {
			least = 6
		} else if newer {
			least = 4
		}
		for f := (&fields{b: b}); len(f.b) >= least; {
			var m hdf5Message
			var size int
			if newer {
				m.kind, size, m.flags = f.int(1), f.int(2), f.take(1)[0]
				if order {
					f.take(2)
				}
			} else {
				m.kind, size, m.flags = f.int(2), f.int(2), f.take(1)[0]
				f.take(3)
			}
			if m.data = f.take(size); f.short {
				return nil, errHDF5
			}
			if m.kind == hdf5Continuation {
				c := &fields{b: m.data}
				blocks = append(blocks, block{c.uint(h.offsets), c.uint(h.lengths)})
				continue
			}
			messages = append(messages, m)
			if len(messages) > 1<<16 {
				return nil, errHDF5
			}
		}
	}
	return messages, nil
}

// group finds the data sets of a group and of those below it.
func (h *hdf5File) group(addr uint64, path string, depth int) error {
	if h.seen[addr] { // by another name
		return nil
	}
	if h.seen[addr] = true; len(h.seen) > maxHDF5Objects || depth > maxHDF5Depth {
		return errors.New("the HDF5 file holds too many groups and data sets")
	}
	messages, err := h.header(addr)
	if err != nil {
		return err
	}
	below := func(name string, addr uint64) error {
		if path != "" {
			name = path + "/" + name
		}
		return h.group(addr, name, depth+1)
	}
	for _, m := range messages {
		f := &fields{b: m.data}
		switch m.kind {
		case hdf5Layout:
			h.sets = append(h.sets, hdf5Set{path, messages})
			return nil
		case hdf5SymbolTable:
			tree, heap := f.uint(h.offsets), f.uint(h.offsets)
			names, err := h.heap(heap)
			if err != nil {
				return err
			}
			if err := h.symbols(tree, names, below, 0); err != nil {
				return err
			}
		case hdf5Link:
			name, to, hard := h.link(f)
			if hard {
				if err := below(name, to); err != nil {
					return err
				}
			}
		case hdf5LinkInfo:
			f.take(1)
			if flags := f.int(1); flags&1 != 0 {
				f.take(8)
			}
			if heap := f.uint(h.offsets); !f.short && !h.undefined(heap) {
				h.unread = "/" + path
			}
		}
		if f.short {
			return errHDF5
		}
	}
	return nil
}

// link takes a link message apart.
func (h *hdf5File) link(f *fields) (name string, to uint64, hard bool) {
	f.take(1)
	flags, kind := f.int(1), 0
	if flags&8 != 0 {
		kind = f.int(1)
	}
	if flags&4 != 0 {
		f.take(8)
	}
	if flags&0x10 != 0 {
		f.take(1)
	}
	name = string(f.take(f.int(1 << (flags & 3))))
	if kind != 0 {
		return name, 0, false
	}
	return name, f.uint(h.offsets), true
}

// heap returns the names of a group.
func (h *hdf5File) heap(addr uint64) ([]byte, error) {
	b, err := h.at(addr, int64(8+2*h.lengths+h.offsets))
	if err != nil {
		return nil, err
	}
	f := &fields{b: b}
	if string(f.take(4)) != "HEAP" {
		return nil, errHDF5
	}
	f.take(4)
	size := f.uint(h.lengths)
	f.take(h.lengths)
	return h.at(f.uint(h.offsets), int64(min(size, math.MaxInt64)))
}

// node reads a node of a tree of kind 0, of groups, or 1, of chunks: its level and entries,
// each a key of size bytes, and an address.
func (h *hdf5File) node(addr uint64, kind, key int) (level int, keys [][]byte, to []uint64, err error) {
	if h.nodes[addr] {
		return 0, nil, nil, errHDF5
	}
	h.nodes[addr] = true
	head := int64(8 + 2*h.offsets)
	b, err := h.at(addr, head)
	if err != nil {
		return 0, nil, nil, err
	}
	if string(b[:4]) != "TREE" || int(b[4]) != kind {
		return 0, nil, nil, errHDF5
	}
	level = int(b[5])
	n := int(binary.LittleEndian.Uint16(b[6:]))
	if b, err = h.at(addr+uint64(head), int64(n)*int64(key+h.offsets)); err != nil {
		return 0, nil, nil, err
	}
	f := &fields{b: b}
	for range n {
		keys = append(keys, f.take(key))
		to = append(to, f.uint(h.offsets))
	}
	return level, keys, to, nil
}

// symbols calls below for every member of a group's tree.
func (h *hdf5File) symbols(addr uint64, names []byte, below func(string, uint64) error, depth int) error {
	if depth > maxHDF5Depth {
		return errHDF5
	}
	level, _, to, err := h.node(addr, 0, h.lengths)
	if err != nil {
		return err
	}
	for _, child := range to {
		if level > 0 {
			if err := h.symbols(child, names, below, depth+1); err != nil {
				return err
			}
			continue
		}
		b, err := h.at(child, 8)
		if err != nil {
			return err
		}
		if string(b[:4]) != "SNOD" {
			return errHDF5
		}
		n := int64(binary.LittleEndian.Uint16(b[6:]))
		if b, err = h.at(child+8, n*int64(2*h.offsets+24)); err != nil {
			return err
		}
		f := &fields{b: b}
		for range n {
			name, to := f.uint(h.offsets), f.uint(h.offsets)
			cached := f.int(4)
			f.take(20)
			if name >= uint64(len(names)) {
				return errHDF5
			}
			text, _, _ := bytes.Cut(names[name:], []byte{0})
			if cached == 2 { // a symbolic link
				continue
			}
			if err := below(string(text), to); err != nil {
				return err
			}
		}
	}
	return nil
}

// reader returns a reader of a data set.
func (h *hdf5File) reader(s *hdf5Set) (*npyReader, error) {
	var dims []int64
	var layout, filters, fill []byte
	descr, pair := "", ""
	for _, m := range s.messages {
		if m.flags&2 != 0 {
			switch m.kind {
			case hdf5Dataspace, hdf5Datatype, hdf5Layout, hdf5Filters, hdf5Fill:
				return nil, errors.New("its type is stored apart under a name of its own, which is not read")
			}
		}
		var err error
		switch m.kind {
		case hdf5Dataspace:
			dims, err = h.dataspace(m.data)
		case hdf5Datatype:
			descr, pair, err = hdf5Dtype(m.data)
		case hdf5Layout:
			layout = m.data
		case hdf5Filters:
			filters = m.data
		case hdf5Fill:
			fill = hdf5FillValue(m.data)
		case hdf5External:
			err = errors.New("its numbers are in files of their own, which is not read")
		}
		if err != nil {
			return nil, err
		}
	}
	if len(dims) == 2 && pair != "" {
		descr = pair
	}
	name := s.name[strings.LastIndex(s.name, "/")+1:]
	r := &npyReader{Input: h.in.(*Input), name: name}
	if err := r.describe(descr, false, dims); err != nil {
		return nil, err
	}
	total := r.rows * int64(r.width) * int64(r.dtype.size)
	f := &fields{b: layout}
	version, class := f.int(1), f.int(1)
	if version != 3 && version != 4 {
		return nil, fmt.Errorf("its layout is of version %d, which is not read", version)
	}
	switch class {
	case 0: // within the header
		b := f.take(f.int(2))
		if int64(len(b)) < total {
			return nil, errHDF5
		}
		r.data = bytes.NewReader(b[:total])
	case 1: // as a whole
		addr := f.uint(h.offsets)
		if h.undefined(addr) {
			r.data = io.LimitReader(&filled{value: padded(fill, r.dtype.size)}, total)
			break
		}
		addr += h.base
		if addr > math.MaxInt64/2 || int64(addr) > h.size || total > h.size-int64(addr) {
			return nil, fmt.Errorf("the file is truncated: its %d rows take %d bytes", r.rows, total)
		}
		r.data = io.NewSectionReader(h.in, int64(addr), total)
	case 2:
		if version == 4 {
			return nil, errors.New("its chunks are listed as newer versions of HDF5 do it, which is not read: write the file without libver='latest'")
		}
		c := &hdf5Chunks{h: h, rows: r.rows, cols: int64(r.width), size: int64(r.dtype.size), fill: padded(fill, r.dtype.size)}
		if err := c.open(f, len(dims), filters); err != nil {
			return nil, err
		}
		r.data = c
	default:
		return nil, errors.New("it is assembled from other files, which is not read")
	}
	if f.short {
		return nil, errHDF5
	}
	return r, nil
}
