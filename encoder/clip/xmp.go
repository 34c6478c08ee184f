package clip

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/xml"
	"io"
	"time"
)

// xmpTag is TIFF's tag of an XMP packet.
const xmpTag = 0x02bc

// findXMP returns the XMP packet of a file, nil if there is none: programs that edit
// pictures, and scanners, tell the time there alone.
func findXMP(format string, f *file, x *exif) (packet []byte) {
	switch format {
	case "jpg":
		const name = "http://ns.adobe.com/xap/1.0/\x00"
		jpegSegments(f, func(marker byte, p part) bool {
			if n := int64(len(name)); marker == 0xe1 && p.n > n && string(f.bytes(p.off, n)) == name {
				packet = bytes.Clone(f.bytes(p.off+n, p.n-n))
			}
			return packet == nil
		})
	case "png":
		packet = pngXMP(f)
	case "gif":
		packet = gifXMP(f)
	case "webp":
		if w, err := parseWebP(f); err == nil && w.xmp.n <= maxEXIF {
			packet = bytes.Clone(f.bytes(w.xmp.off, w.xmp.n))
		}
	case "heif", "heic", "avif":
		if h, err := parseHEIF(f); err == nil {
			packet = f.gather(h.xmp)
		}
	case "jxl":
		if j, err := parseJXL(f); err == nil {
			packet = j.content(f, "xml ")
		}
	case "tiff", "dng", "raw":
		if x == nil {
			return nil
		}
		if _, n, v, ok := x.find(x.first(), xmpTag); ok && n > 4 && n <= maxEXIF {
			packet = bytes.Clone(f.bytes(int64(x.order.Uint32(v)), int64(n)))
		}
	}
	return packet
}

// pngXMP finds the text chunk that XMP has in PNG.
func pngXMP(f *file) []byte {
	const name = "XML:com.adobe.xmp\x00"
	for i := int64(8); ; {
		b := f.bytes(i, 8)
		if len(b) < 8 {
			return nil
		}
		n := int64(binary.BigEndian.Uint32(b))
		if n > f.size-i-8 {
			return nil
		}
		if string(b[4:8]) == "iTXt" && n <= maxEXIF {
			if text, ok := bytes.CutPrefix(f.bytes(i+8, n), []byte(name)); ok && len(text) > 2 {
				packed := text[0] == 1
				_, text, _ = bytes.Cut(text[2:], []byte{0}) // the language
				_, text, _ = bytes.Cut(text, []byte{0})     // the keyword in it
				if !packed {
					return bytes.Clone(text)
				}
				z, err := zlib.NewReader(bytes.NewReader(text))
				if err != nil {
					return nil
				}
				text, _ = io.ReadAll(io.LimitReader(z, maxEXIF))
				return text
			}
		}
		i += 12 + n
	}
}

// gifXMP finds the extension that XMP has in GIF: a packet that stands there as it is, with a tail
// that leads those who take its bytes for lengths of blocks to its end.
func gifXMP(f *file) []byte {
	const name, tail = "\x0bXMP DataXMP", 257
	colours := func(flags byte) int64 {
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	head := f.bytes(0, 13)
	if len(head) < 13 {
		return nil
	}
	i := 13 + colours(head[10])
	blocks := func() bool { // past blocks up to an empty one
		for {
			b := f.bytes(i, 1)
			if len(b) == 0 {
				return false
			}
			n := int64(b[0])
			if i += 1 + n; n == 0 {
				return true
			}
		}
	}
	for {
		b := f.bytes(i, int64(2+len(name)))
		switch {
		case len(b) > 10 && b[0] == 0x2c: // a picture
			if i += 11 + colours(b[9]); !blocks() {
				return nil
			}
		case len(b) > 2 && b[0] == 0x21:
			found := string(b[2:]) == name
			if i += 2; found {
				i += int64(len(name))
			}
			from := i
			if !blocks() {
				return nil
			}
			if n := i - 1 - from - tail; found && n > 0 && n <= maxEXIF {
				return bytes.Clone(f.bytes(from, n))
			}
		default:
			return nil
		}
	}
}

// xmpTimes are the properties that tell when a picture was taken, the best first.
var xmpTimes = [...]xml.Name{
	{Space: "http://ns.adobe.com/exif/1.0/", Local: "DateTimeOriginal"},
	{Space: "http://ns.adobe.com/photoshop/1.0/", Local: "DateCreated"},
	{Space: "http://ns.adobe.com/exif/1.0/", Local: "DateTimeDigitized"},
	{Space: "http://ns.adobe.com/xap/1.0/", Local: "CreateDate"},
}

// xmpTaken returns the time that a packet tells, zero if none; a zone is left aside as for
// EXIF data.
func xmpTaken(packet []byte) (taken time.Time) {
	best := len(xmpTimes)
	see := func(name xml.Name, value string) {
		for i, n := range xmpTimes[:best] {
			if name == n {
				if t := parseXMPTime(value); !t.IsZero() {
					best, taken = i, t
				}
			}
		}
	}
	d := xml.NewDecoder(bytes.NewReader(packet))
	d.Strict = false
	var inside xml.Name
	for {
		token, err := d.Token()
		if err != nil { // the end, or damage: what came before counts
			return taken
		}
		switch t := token.(type) {
		case xml.StartElement:
			inside = t.Name
			for _, a := range t.Attr {
				see(a.Name, a.Value)
			}
		case xml.CharData:
			see(inside, string(bytes.TrimSpace(t)))
		case xml.EndElement:
			inside = xml.Name{}
		}
	}
}

// parseXMPTime reads a date of ISO 8601 as XMP has it: 2020-05-06T07:08:09.12+02:00, of which
// the end may be missing, but not the day.
func parseXMPTime(s string) time.Time {
	if len(s) > 64 {
		return time.Time{}
	}
	if len(s) > 10 { // without the zone
		for i := 11; i < len(s); i++ {
			if c := s[i]; c == 'Z' || c == '+' || c == '-' {
				s = s[:i]
				break
			}
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02", "2006:01:02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1 { // Parse takes fractions of seconds
			return t
		}
	}
	return time.Time{}
}
