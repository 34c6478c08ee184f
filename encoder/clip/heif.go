package clip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"slices"
	"sync"
)

// A HEIF file (HEIC, AVIF) is a tree of boxes as in MP4 files. What is read here are
// those about its main picture: the size, how it is turned, where its EXIF data lie, its
// colours. The pixels themselves are decoded by whoever registered for them.

// Decoder decodes the pictures of a format that this package has no decoder for.
type Decoder struct {
	// Decode returns the picture of a file in memory, upright. A decoder that leaves
	// pictures as they are stored sets Stored.
	Decode func(data []byte) (image.Image, error)
	Stored bool

	// Convert, in the place of Decode, returns the picture, upright, as a file of PNM or PNG.
	Convert func(data []byte) ([]byte, error)

	// Unpack returns what a part of the file that is compressed holds, EXIF or XMP data, or nil
	// where that is damaged or more than limit bytes.
	Unpack func(packed []byte, limit int64) []byte
}

var decoders struct {
	sync.RWMutex
	of map[string]Decoder
}

// RegisterDecoder makes Decode read files of a format: package heif does so for "heic" and
// "avif" when it is imported, package jxl for "jxl". Inspect knows these formats without them.
func RegisterDecoder(format string, d Decoder) {
	decoders.Lock()
	defer decoders.Unlock()
	if decoders.of == nil {
		decoders.of = map[string]Decoder{}
	}
	decoders.of[format] = d
}

func decoderOf(format string) (Decoder, bool) {
	decoders.RLock()
	defer decoders.RUnlock()
	d, ok := decoders.of[format]
	return d, ok
}

// HEIF is what the boxes of a HEIF file tell of its main picture.
type HEIF struct {
	Format        string // heic or avif
	Width, Height int    // as stored
	Orientation   int    // how it is turned, as an EXIF orientation
	Colours       Colours
	exif, xmp     []part // pieces of it; the first bytes of exif are an offset
}

// Colours say how luma and chroma become colours.
type Colours struct {
	Matrix  int  // matrix coefficients of ITU-T H.273; 6 where the file says nothing
	Limited bool // levels are from 16 to 235
}

var errHEIF = errors.New("no main picture found")

// box is a box of the file: its body.
type box struct {
	kind string
	part
}

// maxBoxes bounds what is read of the boxes in a file, and of the items in it: a photo
// of 100 megapixels has some 400 tiles.
const maxBoxes = 1 << 16

// boxes returns those between from and to.
func (f *file) boxes(from, to int64) (out []box) {
	for from+8 <= to && len(out) < maxBoxes {
		head := f.bytes(from, 16)
		if len(head) < 8 {
			return out
		}
		n, start := int64(binary.BigEndian.Uint32(head)), int64(8)
		switch n {
		case 0:
			n = to - from
		case 1:
			if len(head) < 16 {
				return out
			}
			n, start = int64(binary.BigEndian.Uint64(head[8:])), 16
		}
		if n < start || n > to-from {
			return out
		}
		out = append(out, box{string(head[4:8]), part{from + start, n - start}})
		from += n
	}
	return out
}

// child returns the first box of a kind, its body empty where there is none.
func child(list []box, kind string) part {
	for _, b := range list {
		if b.kind == kind {
			return b.part
		}
	}
	return part{}
}

// heifBrand reports whether a file that begins so is HEIF: by its main brand, or one that
// it is compatible with.
func heifBrand(head []byte) bool {
	if len(head) < 12 || string(head[4:8]) != "ftyp" {
		return false
	}
	end := min(len(head), max(int(min(binary.BigEndian.Uint32(head), 64)), 12))
	for at := 8; at+4 <= end; at += 4 {
		if at == 12 { // the version
			continue
		}
		switch string(head[at : at+4]) {
		case "mif1", "mif2", "msf1", "heic", "heix", "heim", "heis", "hevc", "hevx", "avif", "avis":
			return true
		}
	}
	return false
}

// fullBox reads a box that begins with version and flags.
type fullBox struct {
	b       []byte
	version byte
	flags   int
	bad     bool
}

func (f *file) full(p part) *fullBox {
	b := f.bytes(p.off, min(p.n, maxEXIF))
	if len(b) < 4 {
		return &fullBox{bad: true}
	}
	b = slices.Clone(b)
	return &fullBox{b: b[4:], version: b[0], flags: int(b[1])<<16 | int(b[2])<<8 | int(b[3])}
}

// uint reads a number of n bytes.
func (b *fullBox) uint(n int) uint64 {
	if n > len(b.b) {
		b.bad, b.b = true, nil
		return 0
	}
	v := uint64(0)
	for _, x := range b.b[:n] {
		v = v<<8 | uint64(x)
	}
	b.b = b.b[n:]
	return v
}

func (b *fullBox) text(n int) string {
	if n > len(b.b) {
		b.bad, b.b = true, nil
		return ""
	}
	s := string(b.b[:n])
	b.b = b.b[n:]
	return s
}

// wide is the length of an item's number.
func wide(long bool) int {
	if long {
		return 4
	}
	return 2
}

// ParseHEIF reads the boxes of a HEIF file in memory.
func ParseHEIF(data []byte) (HEIF, error) { return parseHEIF(memory(data)) }

func parseHEIF(f *file) (HEIF, error) {
	h := HEIF{Orientation: 1, Colours: Colours{Matrix: 6}}
	meta := child(f.boxes(0, f.size), "meta")
	if meta.n < 4 {
		return h, errHEIF
	}
	in := f.boxes(meta.off+4, meta.off+meta.n)
	pitm := f.full(child(in, "pitm"))
	main := pitm.uint(wide(pitm.version > 0))
	if pitm.bad {
		return h, errHEIF
	}
	kinds, exif, xmp := f.items(child(in, "iinf"))
	kind := kinds[main]
	related := f.references(child(in, "iref"))
	codec := kind
	if kind == "grid" || kind == "iovl" || kind == "iden" {
		if tiles := related["dimg"][main]; len(tiles) > 0 {
			codec = kinds[tiles[0]]
		}
	}
	switch codec {
	case "hvc1", "hev1":
		h.Format = "heic"
	case "av01":
		h.Format = "avif"
	default:
		return h, fmt.Errorf("unsupported: a picture of kind %q in HEIF (HEVC and AV1 are supported)", codec)
	}
	h.properties(f, child(in, "iprp"), main)
	if h.Width <= 0 || h.Height <= 0 {
		return h, errors.New("the size is missing")
	}
	where := f.locations(child(in, "iloc"), child(in, "idat"))
	// Those that describe the main picture come first; some writers leave the link out.
	for _, about := range []struct {
		list []uint64
		to   *[]part
	}{{exif, &h.exif}, {xmp, &h.xmp}} {
		slices.SortStableFunc(about.list, func(a, b uint64) int {
			return b2i(slices.Contains(related["cdsc"][b], main)) - b2i(slices.Contains(related["cdsc"][a], main))
		})
		if len(about.list) > 0 {
			*about.to = where[about.list[0]]
		}
	}
	return h, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// items returns the kinds of all items, and the numbers of those with EXIF and XMP data.
func (f *file) items(p part) (kinds map[uint64]string, exif, xmp []uint64) {
	kinds = map[uint64]string{}
	head := f.bytes(p.off, 8)
	if len(head) < 8 {
		return kinds, nil, nil
	}
	skip := int64(6)
	if head[0] > 0 {
		skip = 8
	}
	for _, b := range f.boxes(p.off+skip, p.off+p.n) {
		if b.kind != "infe" {
			continue
		}
		e := f.full(b.part)
		if e.version < 2 {
			continue
		}
		id := e.uint(wide(e.version > 2))
		e.uint(2)
		kind := e.text(4)
		if e.bad {
			continue
		}
		kinds[id] = kind
		switch kind {
		case "Exif":
			exif = append(exif, id)
		case "mime":
			if isXMP(e.b) {
				xmp = append(xmp, id)
			}
		}
	}
	return kinds, exif, xmp
}

// isXMP looks at the name and type of an item.
func isXMP(b []byte) bool {
	if i := slices.Index(b, 0); i >= 0 {
		b = b[i+1:]
	}
	if i := slices.Index(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b) == "application/rdf+xml"
}

// references returns, by kind, what items refer to.
func (f *file) references(p part) map[string]map[uint64][]uint64 {
	out := map[string]map[uint64][]uint64{}
	head := f.bytes(p.off, 4)
	if p.n < 4 || len(head) < 4 {
		return out
	}
	long := wide(head[0] > 0)
	for _, b := range f.boxes(p.off+4, p.off+p.n) {
		r := &fullBox{b: slices.Clone(f.bytes(b.off, min(b.n, maxEXIF)))}
		from := r.uint(long)
		for n := r.uint(2); n > 0 && !r.bad; n-- {
			to := r.uint(long)
			if out[b.kind] == nil {
				out[b.kind] = map[uint64][]uint64{}
			}
			out[b.kind][from] = append(out[b.kind][from], to)
		}
	}
	return out
}

// properties reads the size, turns and colours of an item.
func (h *HEIF) properties(f *file, p part, item uint64) {
	in := f.boxes(p.off, p.off+p.n)
	ipco := child(in, "ipco")
	all := f.boxes(ipco.off, ipco.off+ipco.n)
	angle, mirror := 0, -1
	for _, assoc := range in {
		if assoc.kind != "ipma" {
			continue
		}
		a := f.full(assoc.part)
		for n := a.uint(4); n > 0 && !a.bad; n-- {
			id := a.uint(wide(a.version > 0))
			for k := a.uint(1); k > 0 && !a.bad; k-- {
				var i int
				if a.flags&1 != 0 {
					i = int(a.uint(2) & 0x7fff)
				} else {
					i = int(a.uint(1) & 0x7f)
				}
				if id != item || i < 1 || i > len(all) {
					continue
				}
				b := all[i-1]
				body := f.bytes(b.off, min(b.n, 64))
				switch {
				case b.kind == "ispe" && len(body) >= 12:
					w, ht := binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:])
					if w < 1<<30 && ht < 1<<30 {
						h.Width, h.Height = int(w), int(ht)
					}
				case b.kind == "clap" && len(body) >= 16: // what is cut out
					if w, ht := ratio(body), ratio(body[8:]); w > 0 && ht > 0 && w <= h.Width && ht <= h.Height {
						h.Width, h.Height = w, ht
					}
				case b.kind == "irot" && len(body) >= 1:
					angle = int(body[0] & 3)
				case b.kind == "imir" && len(body) >= 1:
					mirror = int(body[0] & 1)
				case b.kind == "colr" && len(body) >= 11 && string(body[:4]) == "nclx":
					if m := int(binary.BigEndian.Uint16(body[8:])); m != 2 { // 2: not said
						h.Colours.Matrix = m
					}
					h.Colours.Limited = body[10]&0x80 == 0
				}
			}
		}
	}
	// A turn counts quarters against the clock, and comes before the mirror: 0 exchanges top
	// and bottom, 1 left and right.
	h.Orientation = [3][4]int{{1, 8, 3, 6}, {4, 5, 2, 7}, {2, 7, 4, 5}}[mirror+1][angle]
}

func ratio(b []byte) int {
	n, d := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if d == 0 {
		return 0
	}
	return int(n / d)
}

// locations returns where the data of items lie.
func (f *file) locations(p, idat part) map[uint64][]part {
	out := map[uint64][]part{}
	l := f.full(p)
	sizes := l.uint(2)
	offset, length, base, index := int(sizes>>12), int(sizes>>8&15), int(sizes>>4&15), int(sizes&15)
	if l.version == 0 {
		index = 0
	}
	if max(offset, length, base, index) > 8 {
		return out
	}
	for n := l.uint(wide(l.version > 1)); n > 0 && !l.bad; n-- {
		id := l.uint(wide(l.version > 1))
		method := uint64(0)
		if l.version > 0 {
			method = l.uint(2) & 15
		}
		elsewhere := l.uint(2) != 0
		start := int64(l.uint(base))
		for k := l.uint(2); k > 0 && !l.bad; k-- {
			l.uint(index)
			at := part{start + int64(l.uint(offset)), int64(l.uint(length))}
			if l.bad || elsewhere || method > 1 {
				continue
			}
			end := f.size
			if method == 1 {
				at.off, end = at.off+idat.off, idat.off+idat.n
			}
			if at.n == 0 {
				at.n = end - at.off
			}
			if at.off >= 0 && at.n > 0 && at.off <= end && at.n <= end-at.off {
				out[id] = append(out[id], at)
			}
		}
	}
	return out
}

// gather returns the bytes of pieces together.
func (f *file) gather(parts []part) []byte {
	var out []byte
	for _, p := range parts {
		if int64(len(out))+p.n > maxEXIF {
			return nil
		}
		out = append(out, f.bytes(p.off, p.n)...)
	}
	return out
}

// heifEXIF returns the EXIF data of a HEIF file.
func heifEXIF(f *file) []byte {
	h, err := parseHEIF(f)
	if err != nil {
		return nil
	}
	return boxedEXIF(f.gather(h.exif))
}

// boxedEXIF returns the EXIF data of what HEIF and JPEG XL keep them in: they begin after some
// bytes that the first four count.
func boxedEXIF(b []byte) []byte {
	if len(b) < 4 {
		return nil
	}
	skip := int64(binary.BigEndian.Uint32(b)) + 4
	if skip >= int64(len(b)) {
		return nil
	}
	return b[skip:]
}

// formatNames are those of formats that only registered decoders read.
var formatNames = map[string]string{"heic": "HEIC", "avif": "AVIF", "jxl": "JPEG XL"}

// decodeRegistered decodes with a registered decoder; the picture is as stored where it
// says so.
func decodeRegistered(format string, data []byte) (p *Picture, stored bool, err error) {
	d, ok := decoderOf(format)
	if !ok {
		return nil, false, &UnsupportedFormatError{Format: formatNames[format], Missing: true}
	}
	if d.Convert != nil {
		out, err := d.Convert(data)
		if err != nil {
			return nil, false, err
		}
		if bytes.HasPrefix(out, []byte("\x89PNG")) {
			p, err = decodeWith(png.Decode(bytes.NewReader(out)))
		} else {
			p, err = decodePNM(out)
		}
		return p, false, err
	}
	m, err := d.Decode(data)
	if err != nil {
		return nil, false, err
	}
	return FromImage(m), d.Stored, nil
}
