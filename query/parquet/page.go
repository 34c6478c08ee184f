package parquet

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// The pages of column chunks are read here, and not by parquet-go, whose part is the
// file's footer: its version 0.32.0 gives other values than were written, without an
// error, for LZ4_RAW pages (issue 608 there) and for DELTA_BINARY_PACKED INT32 with
// differences of more than 31 bits, and refuses pages of lists that DuckDB and Arrow read.
//
// Format: https://parquet.apache.org/docs/file-format/data-pages/

// pageHeader is what a page's header says that is needed to read it.
type pageHeader struct {
	kind         int64 // 0 data, 1 index, 2 dictionary, 3 data of version 2
	uncompressed int64
	compressed   int64
	crc          uint32
	hasCRC       bool

	values     int64
	encoding   format.Encoding
	repCoding  format.Encoding // of version 1
	defCoding  format.Encoding
	repBytes   int64 // of version 2
	defBytes   int64
	plainBytes bool // version 2: the values are not compressed
}

var errPageHeader = errors.New("a page's header is damaged")

// compact reads Thrift's compact protocol, as far as headers of pages go.
type compact struct {
	r    *bufio.Reader
	left int // bytes that may be read
}

// maxHeader bounds a page's header, which may hold statistics.
const maxHeader = 16 << 20

func (c *compact) byte() (byte, error) {
	if c.left--; c.left < 0 {
		return 0, errPageHeader
	}
	return c.r.ReadByte()
}

func (c *compact) varint() (uint64, error) {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := c.byte()
		if err != nil {
			return 0, err
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, errPageHeader
}

func (c *compact) int() (int64, error) {
	n, err := c.varint()
	return int64(n>>1) ^ -int64(n&1), err
}

// fields calls f for every field of a struct; f reads the field, or returns false to
// have it passed over.
func (c *compact) fields(depth int, f func(id int64, kind byte) (bool, error)) error {
	if depth > 16 {
		return errPageHeader
	}
	for id := int64(0); ; {
		b, err := c.byte()
		if err != nil {
			return err
		}
		kind := b & 15
		if kind == 0 {
			return nil
		}
		if delta := int64(b >> 4); delta != 0 {
			id += delta
		} else if id, err = c.int(); err != nil {
			return err
		}
		read, err := f(id, kind)
		if err == nil && !read {
			err = c.skip(kind, depth, false)
		}
		if err != nil {
			return err
		}
	}
}

// skip passes over a value; of an element of a list, where booleans take a byte.
func (c *compact) skip(kind byte, depth int, element bool) error {
	var err error
	switch kind {
	case 1, 2:
		if element {
			_, err = c.byte()
		}
	case 3:
		_, err = c.byte()
	case 4, 5, 6:
		_, err = c.varint()
	case 7:
		err = c.discard(8)
	case 8:
		var n uint64
		if n, err = c.varint(); err == nil {
			err = c.discard(n)
		}
	case 9, 10:
		var b byte
		if b, err = c.byte(); err != nil {
			return err
		}
		n := uint64(b >> 4)
		if n == 15 {
			if n, err = c.varint(); err != nil {
				return err
			}
		}
		for ; n > 0; n-- {
			if c.left--; c.left < 0 {
				return errPageHeader
			}
			if err := c.skip(b&15, depth+1, true); err != nil {
				return err
			}
		}
	case 12:
		return c.fields(depth+1, func(int64, byte) (bool, error) { return false, nil })
	default:
		return errPageHeader
	}
	return err
}

func (c *compact) discard(n uint64) error {
	if n > uint64(c.left) {
		return errPageHeader
	}
	c.left -= int(n)
	_, err := c.r.Discard(int(n))
	return err
}

func readPageHeader(r *bufio.Reader) (h pageHeader, err error) {
	c := &compact{r, maxHeader}
	number := func(to *int64) (bool, error) {
		n, err := c.int()
		*to = n
		return true, err
	}
	coding := func(to *format.Encoding) (bool, error) {
		n, err := c.int()
		*to = format.Encoding(n)
		return true, err
	}
	err = c.fields(0, func(id int64, kind byte) (bool, error) {
		switch {
		case id == 1 && kind == 5:
			return number(&h.kind)
		case id == 2 && kind == 5:
			return number(&h.uncompressed)
		case id == 3 && kind == 5:
			return number(&h.compressed)
		case id == 4 && kind == 5:
			var n int64
			_, err := number(&n)
			h.crc, h.hasCRC = uint32(n), true
			return true, err
		case (id == 5 || id == 7) && kind == 12:
			return true, c.fields(1, func(id int64, kind byte) (bool, error) {
				switch {
				case id == 1 && kind == 5:
					return number(&h.values)
				case id == 2 && kind == 5:
					return coding(&h.encoding)
				case id == 3 && kind == 5:
					return coding(&h.defCoding)
				case id == 4 && kind == 5:
					return coding(&h.repCoding)
				}
				return false, nil
			})
		case id == 8 && kind == 12:
			return true, c.fields(1, func(id int64, kind byte) (bool, error) {
				switch {
				case id == 1 && kind == 5:
					return number(&h.values)
				case id == 4 && kind == 5:
					return coding(&h.encoding)
				case id == 5 && kind == 5:
					return number(&h.defBytes)
				case id == 6 && kind == 5:
					return number(&h.repBytes)
				case id == 7 && (kind == 1 || kind == 2):
					h.plainBytes = kind == 2
					return true, nil
				}
				return false, nil
			})
		}
		return false, nil
	})
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return h, err
}

// Limits of a page, which is read and decompressed as a whole.
const (
	maxPage       = 256 << 20
	maxPageValues = 1 << 26
)

// page is a data page: the levels of its entries, nil where they are all 0, and the
// values of those entries that have one.
type page struct {
	n        int
	rep, def []uint8
	vals     values
}

// pageReader reads the pages of one column chunk.
type pageReader struct {
	leaf  *leafDef
	codec format.CompressionCodec
	in    *bufio.Reader
	size  int64 // of the file
	left  int64 // entries that are yet to come
	dict  *values

	raw, buf, dictBuf []byte
	indexes           []int32
}

// open begins to read another chunk, whose bytes start at in.
func (p *pageReader) open(m *format.ColumnMetaData, in io.Reader) {
	p.codec, p.left, p.dict = m.Codec, m.NumValues, nil
	if p.in == nil {
		p.in = bufio.NewReaderSize(in, 64<<10)
	} else {
		p.in.Reset(in)
	}
}

// next reads the next data page into to; io.EOF after the last one.
func (p *pageReader) next(to *page) error {
	for p.left > 0 {
		h, err := readPageHeader(p.in)
		if err != nil {
			return err
		}
		if size := max(h.uncompressed, h.compressed); size > maxPage {
			return fmt.Errorf("a page of %d MiB; pages are read as a whole, so at most %d MiB are taken; write the file with smaller pages or row groups", size>>20, maxPage>>20)
		}
		if h.uncompressed < 0 || h.compressed < 0 || h.values < 0 || h.values > maxPageValues {
			return errPageHeader
		}
		if h.kind != 0 && h.kind != 2 && h.kind != 3 {
			if _, err := p.in.Discard(int(h.compressed)); err != nil {
				return ended(err)
			}
			continue
		}
		if h.compressed > p.size {
			return io.ErrUnexpectedEOF
		}
		p.raw = grow(p.raw, int(h.compressed))
		if _, err := io.ReadFull(p.in, p.raw); err != nil {
			return ended(err)
		}
		if h.hasCRC && crc32.ChecksumIEEE(p.raw) != h.crc {
			return errors.New("a page's bytes do not have its checksum: the file is damaged")
		}
		if h.kind == 2 {
			if p.dictBuf, err = p.decompress(p.dictBuf, p.raw, int(h.uncompressed)); err != nil {
				return err
			}
			if h.encoding != format.Plain && h.encoding != format.PlainDictionary {
				return fmt.Errorf("a dictionary encoded as %v", h.encoding)
			}
			p.dict = &values{}
			if err := p.dict.plain(p.leaf, p.dictBuf, int(h.values)); err != nil {
				return err
			}
			continue
		}
		if err := p.data(&h, to); err != nil {
			return err
		}
		if p.left -= h.values; p.left < 0 {
			return errors.New("there are more values than the file says")
		}
		if to.n > 0 {
			return nil
		}
	}
	return io.EOF
}

func ended(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// data decodes the data page whose bytes are in p.raw.
func (p *pageReader) data(h *pageHeader, to *page) (err error) {
	n := int(h.values)
	body := p.raw
	levels := func(b []byte, dst []uint8, most int) ([]uint8, error) {
		if most == 0 {
			return nil, nil
		}
		if cap(dst) < n {
			dst = make([]uint8, n)
		}
		dst = dst[:n]
		return dst, decodeHybrid(dst, b, bitWidth(most))
	}
	l := p.leaf
	if h.kind == 3 {
		if h.repBytes < 0 || h.defBytes < 0 || h.repBytes+h.defBytes > int64(len(body)) {
			return errPageHeader
		}
		rep, def := body[:h.repBytes], body[h.repBytes:h.repBytes+h.defBytes]
		body = body[h.repBytes+h.defBytes:]
		if to.rep, err = levels(rep, to.rep, l.maxRep); err != nil {
			return err
		}
		if to.def, err = levels(def, to.def, l.maxDef); err != nil {
			return err
		}
		if !h.plainBytes {
			if body, err = p.unpacked(body, int(h.uncompressed-h.repBytes-h.defBytes)); err != nil {
				return err
			}
		}
	} else {
		if body, err = p.unpacked(body, int(h.uncompressed)); err != nil {
			return err
		}
		part := func(coding format.Encoding, dst []uint8, most int) ([]uint8, error) {
			if most == 0 {
				return nil, nil
			}
			if coding == format.BitPacked {
				size := (n*bitWidth(most) + 7) / 8
				if size > len(body) {
					return nil, io.ErrUnexpectedEOF
				}
				dst = unpackFromTop(dst, body[:size], bitWidth(most), n)
				body = body[size:]
				return dst, nil
			}
			if len(body) < 4 || int64(binary.LittleEndian.Uint32(body)) > int64(len(body)-4) {
				return nil, io.ErrUnexpectedEOF
			}
			size := int(binary.LittleEndian.Uint32(body))
			b := body[4 : 4+size]
			body = body[4+size:]
			return levels(b, dst, most)
		}
		if to.rep, err = part(h.repCoding, to.rep, l.maxRep); err != nil {
			return err
		}
		if to.def, err = part(h.defCoding, to.def, l.maxDef); err != nil {
			return err
		}
	}
	to.n = n
	there := n
	if to.def != nil {
		there = bytes.Count(to.def, []byte{uint8(l.maxDef)})
	}
	switch h.encoding {
	case format.PlainDictionary, format.RLEDictionary:
		if p.dict == nil {
			return errors.New("a page of indexes without a dictionary")
		}
		if there == 0 {
			to.vals.reset()
			return nil
		}
		if len(body) == 0 {
			return io.ErrUnexpectedEOF
		}
		if cap(p.indexes) < there {
			p.indexes = make([]int32, there)
		}
		p.indexes = p.indexes[:there]
		if body[0] > 32 {
			return errors.New("indexes of more than 32 bits")
		}
		if err := decodeHybrid(p.indexes, body[1:], int(body[0])); err != nil {
			return err
		}
		return to.vals.pick(p.dict, p.indexes)
	}
	return to.vals.decode(l, h.encoding, body, there)
}

// unpacked returns what b is once decompressed, size bytes, valid until the next page.
func (p *pageReader) unpacked(b []byte, size int) ([]byte, error) {
	if p.codec == format.Uncompressed && len(b) == size {
		return b, nil
	}
	var err error
	p.buf, err = p.decompress(p.buf, b, size)
	return p.buf, err
}

// decompress decompresses b, which becomes size bytes long, into dst.
func (p *pageReader) decompress(dst, b []byte, size int) ([]byte, error) {
	if size < 0 {
		return nil, errPageHeader
	}
	check := func(out []byte, err error) ([]byte, error) {
		if err == nil && len(out) != size {
			err = fmt.Errorf("a page has %d bytes where its header says %d", len(out), size)
		}
		if err != nil {
			return nil, fmt.Errorf("a page can't be decompressed: %w", err)
		}
		return out, nil
	}
	if cap(dst) < size && p.codec != format.Uncompressed {
		// A page may be small and claim to be large; most codecs can't pack that well.
		if int64(size) > int64(len(b))*1100+1<<20 && p.codec != format.Brotli && p.codec != format.Zstd {
			return nil, errPageHeader
		}
		dst = make([]byte, size)
	}
	switch p.codec {
	case format.Uncompressed:
		return check(append(dst[:0], b...), nil)
	case format.Snappy:
		if n, err := snappy.DecodedLen(b); err != nil || n != size {
			return check(nil, fmt.Errorf("%d bytes where its header says %d", n, size))
		}
		return check(snappy.Decode(dst[:size], b))
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return check(nil, err)
		}
		return check(readExactly(z, dst[:size]))
	case format.Brotli:
		return check(readExactly(brotli.NewReader(bytes.NewReader(b)), dst[:size]))
	case format.Zstd:
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage+1<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return check(nil, err)
		}
		defer z.Close()
		return check(readExactly(z, dst[:size]))
	case format.Lz4Raw:
		n, err := lz4.UncompressBlock(b, dst[:size])
		return check(dst[:max(n, 0)], err)
	case format.Lz4:
		if out, ok := hadoopLZ4(dst[:size], b); ok {
			return out, nil
		}
		n, err := lz4.UncompressBlock(b, dst[:size])
		return check(dst[:max(n, 0)], err)
	}
	return nil, fmt.Errorf("pages compressed by %v can't be read; write the file with ZSTD or SNAPPY", p.codec)
}

// readExactly fills dst and wants the end after it.
func readExactly(r io.Reader, dst []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, dst); err != nil {
		return nil, ended(err)
	}
	var more [1]byte
	if n, err := r.Read(more[:]); n > 0 || err != nil && err != io.EOF {
		if err == nil {
			err = errors.New("it is longer than its header says")
		}
		return nil, err
	}
	return dst, nil
}

// hadoopLZ4 decompresses blocks that each come behind their two sizes, which is how the
// codec called LZ4 was first written.
func hadoopLZ4(dst, b []byte) ([]byte, bool) {
	at := 0
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, false
		}
		size, packed := int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
		if packed > int64(len(b)-8) || size > int64(len(dst)-at) {
			return nil, false
		}
		n, err := lz4.UncompressBlock(b[8:8+packed], dst[at:at+int(size)])
		if err != nil || int64(n) != size {
			return nil, false
		}
		at += n
		b = b[8+packed:]
	}
	return dst, at == len(dst)
}
