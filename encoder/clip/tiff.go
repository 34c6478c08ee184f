package clip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// TIFF is read by code of our own over other libraries' decompressors:
// golang.org/x/image/tiff inverts fax-coded pictures whose black is zero, calls
// planar files damaged and takes the first directory of a raw file, which is a
// thumbnail, for the picture.

// Tags of TIFF 6.0, its supplements and DNG.
const (
	tiffWidth           = 256
	tiffHeight          = 257
	tiffBits            = 258
	tiffCompression     = 259
	tiffPhotometric     = 262
	tiffFillOrder       = 266
	tiffStripOffsets    = 273
	tiffSamples         = 277
	tiffRowsPerStrip    = 278
	tiffStripCounts     = 279
	tiffPlanar          = 284
	tiffFaxOptions      = 292
	tiffPredictor       = 317
	tiffColorMap        = 320
	tiffTileWidth       = 322
	tiffTileHeight      = 323
	tiffTileOffsets     = 324
	tiffTileCounts      = 325
	tiffSubIFDs         = 330
	tiffExtraSamples    = 338
	tiffSampleFormat    = 339
	tiffJPEGTables      = 347
	tiffJPEGOffset      = 513
	tiffJPEGLength      = 514
	tiffDNGVersion      = 50706
	photometricCFA      = 32803
	photometricLinear   = 34892
	maxTIFFValues       = 1 << 24
	maxTIFFDirectories  = 64
	tiffSmallestPreview = 224 // the shorter side of a preview that says what a picture shows
)

// tiffFile is a TIFF or BigTIFF.
type tiffFile struct {
	*file
	order binary.ByteOrder
	big   bool
}

// tiffDir is a directory: its entries' kind, count and value field.
type tiffDir map[uint16]tiffEntry

type tiffEntry struct {
	kind  uint16
	count uint64
	value []byte
}

var errTIFF = errors.New("a directory that can't be read")

// openTIFF returns the place of the first directory as well.
func openTIFF(f *file) (*tiffFile, int64, error) {
	head := bytes.Clone(f.bytes(0, 16))
	t := &tiffFile{file: f, order: binary.LittleEndian}
	if len(head) < 8 {
		return nil, 0, errors.New("EOF")
	}
	if head[0] == 'M' {
		t.order = binary.BigEndian
	}
	if t.order.Uint16(head[2:]) == 43 {
		t.big = true
		if len(head) < 16 {
			return nil, 0, errors.New("EOF")
		}
		return t, int64(t.order.Uint64(head[8:])), nil
	}
	return t, int64(t.order.Uint32(head[4:])), nil
}

// dir reads the directory at off, and where the next one is.
func (t *tiffFile) dir(off int64) (d tiffDir, next int64, err error) {
	n, head, size, field := int64(0), int64(2), int64(12), int64(4)
	if t.big {
		head, size, field = 8, 20, 8
	}
	b := t.bytes(off, head)
	if off < 8 || int64(len(b)) < head {
		return nil, 0, errTIFF
	}
	if t.big {
		n = int64(t.order.Uint64(b))
	} else {
		n = int64(t.order.Uint16(b))
	}
	if n < 1 || n > 65535 {
		return nil, 0, errTIFF
	}
	b = bytes.Clone(t.bytes(off+head, n*size+field))
	if int64(len(b)) < n*size {
		return nil, 0, errors.New("EOF")
	}
	d = tiffDir{}
	for i := range n {
		e := b[i*size : (i+1)*size]
		x := tiffEntry{kind: t.order.Uint16(e[2:]), value: e[size-field:]}
		if t.big {
			x.count = t.order.Uint64(e[4:])
		} else {
			x.count = uint64(t.order.Uint32(e[4:]))
		}
		if _, twice := d[t.order.Uint16(e)]; !twice {
			d[t.order.Uint16(e)] = x
		}
	}
	if rest := b[n*size:]; int64(len(rest)) == field {
		next = t.number(rest)
	}
	return d, next, nil
}

func (t *tiffFile) number(b []byte) int64 {
	if len(b) == 8 {
		return int64(t.order.Uint64(b))
	}
	return int64(t.order.Uint32(b))
}

// sizeOf is the size in bytes of a value of a kind, 0 if it is not known.
func sizeOf(kind uint16) int64 {
	switch kind {
	case 1, 2, 6, 7:
		return 1
	case 3, 8:
		return 2
	case 4, 9, 11, 13:
		return 4
	case 5, 10, 12, 16, 17, 18:
		return 8
	}
	return 0
}

// raw returns the bytes of a tag's values.
func (t *tiffFile) raw(d tiffDir, tag uint16) []byte {
	e, ok := d[tag]
	size := sizeOf(e.kind)
	if !ok || size == 0 || e.count > maxTIFFValues {
		return nil
	}
	n := size * int64(e.count)
	if n <= int64(len(e.value)) {
		return e.value[:n]
	}
	b := t.bytes(t.number(e.value), n)
	if int64(len(b)) < n {
		return nil
	}
	return bytes.Clone(b)
}

// ints returns the whole numbers of a tag, nil where there are none.
func (t *tiffFile) ints(d tiffDir, tag uint16) []int64 {
	b, size := t.raw(d, tag), int(sizeOf(d[tag].kind))
	if size == 0 {
		return nil
	}
	out := make([]int64, 0, len(b)/size)
	for ; len(b) >= size; b = b[size:] {
		switch size {
		case 1:
			out = append(out, int64(b[0]))
		case 2:
			out = append(out, int64(t.order.Uint16(b)))
		case 4:
			out = append(out, int64(t.order.Uint32(b)))
		case 8:
			out = append(out, int64(t.order.Uint64(b)&(1<<62-1)))
		}
	}
	return out
}

func (t *tiffFile) int(d tiffDir, tag uint16, otherwise int64) int64 {
	if v := t.ints(d, tag); len(v) > 0 {
		return v[0]
	}
	return otherwise
}

// tiffPicture is the picture of a file: its first directory, or the preview of
// a camera's raw file.
type tiffPicture struct {
	t             *tiffFile
	dir           tiffDir
	width, height int
	format        string // tiff, dng or raw
	preview       part   // a JPEG file, if it is raw
}

func readTIFF(f *file) (*tiffPicture, error) {
	t, off, err := openTIFF(f)
	if err != nil {
		return nil, err
	}
	first, next, err := t.dir(off)
	if err != nil {
		return nil, err
	}
	// Raw files hold several pictures: the first directory is often a thumbnail.
	dirs := []tiffDir{first}
	seen := map[int64]bool{off: true}
	more := append(t.ints(first, tiffSubIFDs), next)
	for len(more) > 0 && len(dirs) < maxTIFFDirectories {
		at := more[0]
		more = more[1:]
		if at == 0 || seen[at] {
			continue
		}
		seen[at] = true
		if d, next, err := t.dir(at); err == nil {
			dirs = append(dirs, d)
			more = append(more, append(t.ints(d, tiffSubIFDs), next)...)
		}
	}
	format := "tiff"
	if _, ok := first[tiffDNGVersion]; ok {
		format = "dng"
	} else if string(f.bytes(8, 2)) == "CR" || slices.ContainsFunc(dirs, t.isRaw) {
		format = "raw"
	}
	if format == "tiff" {
		w, h := t.int(first, tiffWidth, 0), t.int(first, tiffHeight, 0)
		if w < 1 || h < 1 || w > 1<<31-1 || h > 1<<31-1 {
			return nil, fmt.Errorf("%d x %d pixels", w, h)
		}
		return &tiffPicture{t, first, int(w), int(h), format, part{}}, nil
	}
	best := tiffPicture{t: t, dir: first, format: format}
	for _, d := range dirs {
		for _, p := range [2]part{{t.int(d, tiffJPEGOffset, 0), t.int(d, tiffJPEGLength, 0)}, {t.int(d, tiffStripOffsets, 0), t.int(d, tiffStripCounts, 0)}} {
			if p.off <= 0 || p.n <= 0 || p.off > f.size-p.n || len(t.ints(d, tiffStripOffsets)) > 1 || t.isRaw(d) {
				continue
			}
			inner := newFile(io.NewSectionReader(f.r, p.off, p.n), p.n)
			if h, err := jpegHeader(inner); err == nil && h.Width*h.Height > best.width*best.height {
				best.width, best.height, best.preview = h.Width, h.Height, p
			}
		}
	}
	name := map[string]string{"dng": "DNG (raw)", "raw": "raw"}[format]
	if best.preview.n == 0 {
		return nil, &UnsupportedFormatError{Format: name + " without a preview"}
	}
	if min(best.width, best.height) < tiffSmallestPreview {
		return nil, &UnsupportedFormatError{Format: fmt.Sprintf("%s whose largest preview is a thumbnail of %d x %d", name, best.width, best.height)}
	}
	return &best, nil
}

// isRaw reports whether a directory's pixels are those of a sensor.
func (t *tiffFile) isRaw(d tiffDir) bool {
	switch t.int(d, tiffPhotometric, 0) {
	case photometricCFA, photometricLinear:
		return true
	}
	switch t.int(d, tiffCompression, 1) {
	case 34713, 32767, 32769, 32770, 65000, 65535: // Nikon, Sony, Epson, Samsung, Kodak, Pentax
		return true
	}
	return false
}
