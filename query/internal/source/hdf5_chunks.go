package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// hdf5Chunks reads the rows of a data set that is stored in chunks, a band of them at a time:
// those that begin at the same row.
type hdf5Chunks struct {
	h                *hdf5File
	rows, cols, size int64 // of the data set, and bytes of an element
	high, wide       int64 // rows and columns of a chunk
	fill             []byte
	filters          []hdf5Filter
	chunks           map[[2]int64]hdf5Chunk

	next int64  // the row at which the next band begins
	band []byte // what is left of the last one
	buf  []byte
}

// hdf5Chunk is where a chunk is.
type hdf5Chunk struct {
	addr   uint64
	size   int64
	passed uint32 // filters that were left out, a bit each
}

type hdf5Filter struct {
	id     int
	name   string
	values []int
}

// open reads which chunks there are: f is the rest of the layout message.
func (c *hdf5Chunks) open(f *fields, rank int, filters []byte) error {
	n := f.int(1)
	tree := f.uint(c.h.offsets)
	if n != rank+1 || rank > 2 {
		return errHDF5
	}
	c.high, c.wide = int64(f.uint(4)), 1
	if rank == 2 {
		c.wide = int64(f.uint(4))
	}
	if size := int64(f.uint(4)); f.short || size != c.size || c.high < 1 || c.wide < 1 {
		return errHDF5
	}
	if c.wide > maxHDF5Band/c.size/c.high || c.cols > maxHDF5Band/c.size/c.high {
		return errors.New("its chunks are larger than can be read")
	}
	var err error
	if c.filters, err = hdf5Pipeline(filters); err != nil {
		return err
	}
	c.chunks = map[[2]int64]hdf5Chunk{}
	if c.h.undefined(tree) { // nothing was written
		return nil
	}
	return c.walk(tree, rank, 0)
}

// walk notes the chunks of a tree.
func (c *hdf5Chunks) walk(addr uint64, rank, depth int) error {
	if depth > maxHDF5Depth {
		return errHDF5
	}
	level, keys, to, err := c.h.node(addr, 1, 8+8*(rank+1))
	if err != nil {
		return err
	}
	for i, key := range keys {
		if level > 0 {
			if err := c.walk(to[i], rank, depth+1); err != nil {
				return err
			}
			continue
		}
		f := &fields{b: key}
		chunk := hdf5Chunk{addr: to[i], size: int64(f.uint(4)), passed: uint32(f.uint(4))}
		at := [2]int64{int64(f.uint(8))}
		if rank == 2 {
			at[1] = int64(f.uint(8))
		}
		if at[0] < 0 || at[1] < 0 || at[0]%c.high != 0 || at[1]%c.wide != 0 {
			return errHDF5
		}
		if at[0] >= c.rows || at[1] >= c.cols {
			continue // from before the data set was made smaller
		}
		if _, twice := c.chunks[at]; twice || chunk.addr > uint64(c.h.size) || chunk.size > c.h.size {
			return errHDF5
		}
		c.chunks[at] = chunk
	}
	return nil
}

func (c *hdf5Chunks) Read(p []byte) (int, error) {
	if len(c.band) == 0 {
		if c.next >= c.rows {
			return 0, io.EOF
		}
		if err := c.read(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.band)
	c.band = c.band[n:]
	return n, nil
}

// read reads the next band.
func (c *hdf5Chunks) read() error {
	n := min(c.high, c.rows-c.next)
	row := c.cols * c.size
	if c.buf == nil {
		c.buf = make([]byte, n*row)
	}
	c.band = c.buf[:n*row]
	for x := int64(0); x < c.cols; x += c.wide {
		w := min(c.wide, c.cols-x) * c.size
		var b []byte
		if chunk, there := c.chunks[[2]int64{c.next, x}]; there {
			var err error
			if b, err = c.chunk(chunk); err != nil {
				return fmt.Errorf("the chunk of row %d: %w", c.next+1, err)
			}
		}
		for y := range n {
			to := c.band[y*row+x*c.size:][:w]
			if b != nil {
				copy(to, b[y*c.wide*c.size:])
				continue
			}
			for i := range to {
				to[i] = c.fill[i%len(c.fill)]
			}
		}
	}
	c.next += n
	return nil
}

// chunk reads a chunk, its filters undone.
func (c *hdf5Chunks) chunk(at hdf5Chunk) ([]byte, error) {
	want := c.high * c.wide * c.size
	if at.size > maxHDF5Band {
		return nil, errHDF5
	}
	b := make([]byte, at.size)
	if _, err := c.h.in.ReadAt(b, int64(at.addr+c.h.base)); err != nil {
		if err == io.EOF {
			err = errors.New("the file is truncated")
		}
		return nil, err
	}
	for i := len(c.filters) - 1; i >= 0; i-- {
		if at.passed>>i&1 != 0 {
			continue
		}
		var err error
		if b, err = c.filters[i].undo(b, int(want), int(c.size)); err != nil {
			return nil, err
		}
	}
	if int64(len(b)) != want {
		return nil, fmt.Errorf("%d bytes instead of %d", len(b), want)
	}
	return b, nil
}

// hdf5Pipeline takes the message of the filters apart.
func hdf5Pipeline(b []byte) (out []hdf5Filter, err error) {
	if b == nil {
		return nil, nil
	}
	f := &fields{b: b}
	version, n := f.int(1), f.int(1)
	if version == 1 {
		f.take(6)
	} else if version != 2 {
		return nil, errHDF5
	}
	for range n {
		x := hdf5Filter{id: f.int(2)}
		name := 0
		if version == 1 || x.id >= 256 {
			name = f.int(2)
		}
		f.take(2)
		values := f.int(2)
		if version == 1 {
			name = (name + 7) &^ 7
		}
		text, _, _ := bytes.Cut(f.take(name), []byte{0})
		x.name = string(text)
		for range min(values, 64) {
			x.values = append(x.values, f.int(4))
		}
		if version == 1 && values%2 == 1 {
			f.take(4)
		}
		if f.short || values > 64 || n > 32 {
			return nil, errHDF5
		}
		switch x.id {
		case 1, 2, 3, 32000, 32015:
		default:
			known := map[int]string{4: "szip", 5: "nbit", 6: "scaleoffset", 307: "bzip2", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32026: "blosc2"}
			what := known[x.id]
			if what == "" {
				what = fmt.Sprintf("filter %d %s", x.id, x.name)
			}
			return nil, fmt.Errorf("it is compressed by %s, which is not read; gzip, lzf, zstd and no compression are", what)
		}
		out = append(out, x)
	}
	return out, nil
}

// undo gives the bytes that a filter was given, of which at most want are expected.
func (x *hdf5Filter) undo(b []byte, want, size int) ([]byte, error) {
	most := want + 64 // checksums of filters that come before
	switch x.id {
	case 1:
		z, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		out, err := io.ReadAll(io.LimitReader(z, int64(most)+1))
		if err == nil && len(out) > most {
			err = errHDF5
		}
		return out, err
	case 2:
		if len(x.values) > 0 {
			size = x.values[0]
		}
		return unshuffle(b, size), nil
	case 3:
		if len(b) < 4 {
			return nil, errHDF5
		}
		data := b[:len(b)-4]
		if sum := binary.LittleEndian.Uint32(b[len(data):]); sum != fletcher32(data) {
			return nil, errors.New("its checksum is wrong: the file is damaged")
		}
		return data, nil
	case 32000:
		return unLZF(b, most)
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(most)+1<<20))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.DecodeAll(b, nil)
}

// unshuffle puts the bytes of elements together again, which were sorted by their place.
func unshuffle(b []byte, size int) []byte {
	if size < 2 || len(b) < size {
		return b
	}
	n := len(b) / size
	out := make([]byte, len(b))
	for k := range size {
		from := b[k*n : (k+1)*n]
		for i, v := range from {
			out[i*size+k] = v
		}
	}
	copy(out[n*size:], b[n*size:])
	return out
}

// fletcher32 is HDF5's checksum of that name, over numbers of 16 bits whose high byte comes first.
func fletcher32(b []byte) uint32 {
	var a, c uint32
	for i := 0; i < len(b); i += 720 {
		piece := b[i:min(len(b), i+720)]
		for ; len(piece) > 1; piece = piece[2:] {
			a += uint32(piece[0])<<8 | uint32(piece[1])
			c += a
		}
		if len(piece) == 1 {
			a += uint32(piece[0]) << 8
			c += a
		}
		a, c = a&0xffff+a>>16, c&0xffff+c>>16
	}
	a, c = a&0xffff+a>>16, c&0xffff+c>>16
	return c<<16 | a
}

// unLZF undoes LZF, h5py's fast compression.
func unLZF(b []byte, most int) ([]byte, error) {
	var out []byte
	for i := 0; i < len(b); {
		n := int(b[i])
		i++
		if n < 32 { // bytes as they are
			if n++; i+n > len(b) || len(out)+n > most {
				return nil, errHDF5
			}
			out = append(out, b[i:i+n]...)
			i += n
			continue
		}
		back := n & 31 << 8
		if n >>= 5; n == 7 {
			if i == len(b) {
				return nil, errHDF5
			}
			n += int(b[i])
			i++
		}
		if i == len(b) {
			return nil, errHDF5
		}
		back += int(b[i]) + 1
		i++
		n += 2
		if back > len(out) || len(out)+n > most {
			return nil, errHDF5
		}
		for range n {
			out = append(out, out[len(out)-back])
		}
	}
	return out, nil
}
