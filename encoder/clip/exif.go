package clip

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"
	"time"

	"github.com/lupadb/lupa/encoder/clip/internal/jpeg"
)

// exif is a TIFF structure with the tags of a camera. Damaged entries read as
// absent.
type exif struct {
	data  *file
	order binary.ByteOrder
}

// Tags of EXIF 2.32.
const (
	tagOrientation       = 0x0112
	tagDateTime          = 0x0132
	tagExifIFD           = 0x8769
	tagDateTimeOriginal  = 0x9003
	tagDateTimeDigitized = 0x9004
)

// maxEXIF bounds what is read of EXIF data that come in a piece.
const maxEXIF = 16 << 20

// findEXIF returns nil if there is none.
func findEXIF(format string, f *file) *exif {
	var t []byte
	switch format {
	case "jpg":
		t = jpegEXIF(f)
	case "png":
		t = pngEXIF(f)
	case "webp":
		if w, err := parseWebP(f); err == nil && w.exif.n <= maxEXIF {
			t = bytes.Clone(f.bytes(w.exif.off, w.exif.n))
		}
	case "heif":
		t = heifEXIF(f)
	case "jxl":
		t = jxlEXIF(f)
	case "tiff", "dng", "raw":
		return newEXIF(f)
	}
	return newEXIF(memory(bytes.TrimPrefix(t, []byte("Exif\x00\x00"))))
}

func newEXIF(f *file) *exif {
	x := &exif{data: f}
	switch head := f.bytes(0, 8); {
	case len(head) < 8:
		return nil
	case bytes.HasPrefix(head, []byte("II*\x00")):
		x.order = binary.LittleEndian
	case bytes.HasPrefix(head, []byte("MM\x00*")):
		x.order = binary.BigEndian
	default:
		return nil
	}
	return x
}

// jpegSegments calls f for the segments of a JPEG file up to the first scan, with
// what follows the length, until f returns false. Bytes between segments are passed
// over, as by the decoder.
func jpegSegments(f *file, use func(marker byte, body part) bool) {
	for i := int64(2); ; {
		b := f.bytes(i, 4)
		switch {
		case len(b) < 4:
			return
		case b[0] != 0xff || b[1] == 0xff || b[1] == 0:
			i++
			continue
		case b[1] >= 0xd0 && b[1] <= 0xd8 || b[1] == 1: // without a body
			i += 2
			continue
		}
		marker, n := b[1], int64(binary.BigEndian.Uint16(b[2:]))
		if marker == 0xd9 || n < 2 || i+2+n > f.size || !use(marker, part{i + 4, n - 2}) || marker == 0xda {
			return
		}
		i += 2 + n
	}
}

func jpegEXIF(f *file) (t []byte) {
	jpegSegments(f, func(marker byte, p part) bool {
		if marker == 0xe1 && p.n > 6 && bytes.HasPrefix(f.bytes(p.off, 6), []byte("Exif\x00")) {
			t = bytes.Clone(f.bytes(p.off+6, p.n-6))
		}
		return t == nil
	})
	return t
}

// jpegHeader reads the frame header.
func jpegHeader(f *file) (jpeg.Header, error) {
	head := []byte("\xff\xd8")
	jpegSegments(f, func(marker byte, p part) bool {
		if marker&0xf0 != 0xc0 || marker == 0xc4 || marker == 0xc8 || marker == 0xcc {
			return true
		}
		head = append(head, f.bytes(p.off-4, p.n+4)...)
		return false
	})
	return jpeg.ReadHeader(head)
}

// pngEXIF finds the chunk of the standard, and the text in which ImageMagick and
// others keep EXIF data.
func pngEXIF(f *file) (profile []byte) {
	for i := int64(8); ; {
		b := f.bytes(i, 8)
		if len(b) < 8 {
			return profile
		}
		kind := string(b[4:8])
		n := int64(binary.BigEndian.Uint32(b))
		if n > f.size-i-8 {
			return profile
		}
		if n <= maxEXIF {
			switch kind {
			case "eXIf":
				return bytes.Clone(f.bytes(i+8, n))
			case "tEXt", "zTXt":
				if profile == nil {
					profile = rawProfile(kind, f.bytes(i+8, n))
				}
			}
		}
		i += 12 + n
	}
}

// rawProfile returns the bytes of a text chunk "Raw profile type exif": a line
// with the kind, one with the length, then hexadecimal digits.
func rawProfile(kind string, text []byte) []byte {
	name, text, _ := bytes.Cut(text, []byte{0})
	if string(name) != "Raw profile type exif" && string(name) != "Raw profile type APP1" {
		return nil
	}
	if kind == "zTXt" {
		if len(text) < 1 {
			return nil
		}
		z, err := zlib.NewReader(bytes.NewReader(text[1:]))
		if err != nil {
			return nil
		}
		if text, err = io.ReadAll(io.LimitReader(z, maxEXIF)); err != nil {
			return nil
		}
	}
	fields := bytes.Fields(text)
	if len(fields) < 3 {
		return nil
	}
	digits := bytes.Join(fields[2:], nil)
	out := make([]byte, len(digits)/2)
	if _, err := hex.Decode(out, digits[:2*len(out)]); err != nil {
		return nil
	}
	return out
}

// find returns type, count and the bytes of an entry's value field in the
// directory at off.
func (x *exif) find(off uint32, tag uint16) (kind uint16, count uint32, value []byte, ok bool) {
	b := x.data.bytes(int64(off), 2)
	if off < 8 || len(b) < 2 {
		return 0, 0, nil, false
	}
	n := int64(x.order.Uint16(b))
	for entries := x.data.bytes(int64(off)+2, 12*n); len(entries) >= 12; entries = entries[12:] {
		if x.order.Uint16(entries) == tag {
			return x.order.Uint16(entries[2:]), x.order.Uint32(entries[4:]), bytes.Clone(entries[8:12]), true
		}
	}
	return 0, 0, nil, false
}

func (x *exif) first() uint32 { return x.order.Uint32(x.data.bytes(4, 4)) }

func (x *exif) orientation() int {
	kind, _, v, ok := x.find(x.first(), tagOrientation)
	if !ok {
		return 1
	}
	var o uint32
	switch kind {
	case 3: // SHORT
		o = uint32(x.order.Uint16(v))
	case 4: // LONG
		o = x.order.Uint32(v)
	}
	if o < 1 || o > 8 {
		return 1
	}
	return int(o)
}

// text returns an ASCII value.
func (x *exif) text(off uint32, tag uint16) string {
	kind, n, v, ok := x.find(off, tag)
	if !ok || kind != 2 || n > 64 {
		return ""
	}
	if n > 4 {
		if v = x.data.bytes(int64(x.order.Uint32(v)), int64(n)); len(v) < int(n) {
			return ""
		}
	} else {
		v = v[:n]
	}
	return strings.TrimRight(string(v), "\x00 ")
}

// taken is what the camera's clock showed when the picture was taken or digitized. Only some
// cameras say how far that was from UTC; a zone is left aside, so that times of all cameras
// compare.
func (x *exif) taken() time.Time {
	_, _, v, ok := x.find(x.first(), tagExifIFD)
	if !ok {
		return time.Time{}
	}
	sub := x.order.Uint32(v)
	return exifTime(x.text(sub, tagDateTimeOriginal), x.text(sub, tagDateTimeDigitized))
}

// changed is when the file was last changed, by the camera or later.
func (x *exif) changed() time.Time { return exifTime(x.text(x.first(), tagDateTime)) }

// exifTime returns the first of some texts that is a time.
func exifTime(texts ...string) time.Time {
	for _, s := range texts {
		for _, layout := range []string{"2006:01:02 15:04:05", "2006-01-02 15:04:05"} {
			if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1 {
				return t
			}
		}
	}
	return time.Time{}
}
