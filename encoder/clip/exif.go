package clip

import (
	"bytes"
	"encoding/binary"
	"strings"
	"time"
)

// exif is a TIFF structure with the tags of a camera. Damaged entries read as
// absent.
type exif struct {
	data  []byte
	order binary.ByteOrder
}

// Tags of EXIF 2.32.
const (
	tagOrientation        = 0x0112
	tagDateTime           = 0x0132
	tagExifIFD            = 0x8769
	tagDateTimeOriginal   = 0x9003
	tagOffsetTimeOriginal = 0x9011
)

// findEXIF returns nil if there is none.
func findEXIF(format string, data []byte) *exif {
	var t []byte
	switch format {
	case "jpg":
		t = jpegEXIF(data)
	case "png":
		t = pngEXIF(data)
	case "webp":
		if f, err := parseWebP(data); err == nil {
			t = bytes.TrimPrefix(f.exif, []byte("Exif\x00\x00"))
		}
	case "tiff":
		t = data
	}
	x := &exif{data: t}
	switch {
	case bytes.HasPrefix(t, []byte("II*\x00")):
		x.order = binary.LittleEndian
	case bytes.HasPrefix(t, []byte("MM\x00*")):
		x.order = binary.BigEndian
	default:
		return nil
	}
	if len(t) < 8 {
		return nil
	}
	return x
}

// jpegEXIF looks through the segments before the first scan.
func jpegEXIF(b []byte) []byte {
	for i := 2; i+4 <= len(b) && b[i] == 0xff; {
		marker := b[i+1]
		if marker == 0xff { // fill
			i++
			continue
		}
		if marker == 0xda || marker == 0xd9 {
			break
		}
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		if n < 2 || i+2+n > len(b) {
			break
		}
		if seg := b[i+4 : i+2+n]; marker == 0xe1 && bytes.HasPrefix(seg, []byte("Exif\x00")) && len(seg) > 6 {
			return seg[6:]
		}
		i += 2 + n
	}
	return nil
}

func pngEXIF(b []byte) []byte {
	for i := 8; i+8 <= len(b); {
		n := int64(binary.BigEndian.Uint32(b[i:]))
		if n > int64(len(b)-i-8) {
			break
		}
		if string(b[i+4:i+8]) == "eXIf" {
			return bytes.TrimPrefix(b[i+8:i+8+int(n)], []byte("Exif\x00\x00"))
		}
		i += 12 + int(n)
	}
	return nil
}

// find returns type, count and the bytes of an entry's value field in the
// directory at off.
func (x *exif) find(off uint32, tag uint16) (kind uint16, count uint32, value []byte, ok bool) {
	if off < 8 || int64(off)+2 > int64(len(x.data)) {
		return 0, 0, nil, false
	}
	entries := x.data[off+2:]
	for range x.order.Uint16(x.data[off:]) {
		if len(entries) < 12 {
			break
		}
		if x.order.Uint16(entries) == tag {
			return x.order.Uint16(entries[2:]), x.order.Uint32(entries[4:]), entries[8:12], true
		}
		entries = entries[12:]
	}
	return 0, 0, nil, false
}

func (x *exif) first() uint32 { return x.order.Uint32(x.data[4:]) }

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
		at := int64(x.order.Uint32(v))
		if at+int64(n) > int64(len(x.data)) {
			return ""
		}
		v = x.data[at : at+int64(n)]
	} else {
		v = v[:n]
	}
	return strings.TrimRight(string(v), "\x00 ")
}

func (x *exif) taken() time.Time {
	var s, zone string
	if _, _, v, ok := x.find(x.first(), tagExifIFD); ok {
		sub := x.order.Uint32(v)
		s, zone = x.text(sub, tagDateTimeOriginal), x.text(sub, tagOffsetTimeOriginal)
	}
	if s == "" {
		s = x.text(x.first(), tagDateTime)
	}
	if t, err := time.Parse("2006:01:02 15:04:05-07:00", s+zone); err == nil {
		return t.UTC()
	}
	t, err := time.Parse("2006:01:02 15:04:05", s)
	if err != nil || t.Year() < 1 {
		return time.Time{}
	}
	return t
}
