package clip

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Metadata is what a picture file tells beside its pixels: of the camera in EXIF data, of
// the person who keeps it in XMP and IPTC data. What it does not tell is nil or "".
type Metadata struct {
	Camera      string   // make and model, the make once
	Lens        string   // its model
	ISO         *int     // sensitivity
	FocalLength *float64 // millimetres, of the lens itself
	Latitude    *float64 // degrees, north is positive
	Longitude   *float64 // degrees, east is positive
	Offset      *int     // minutes that the camera's clock was ahead of UTC
	Rating      *int     // 1 to 5 stars, 0 none, -1 rejected
	Keywords    []string // each once, in the order of the file: XMP's, then IPTC's, then Windows'
}

// Tags of EXIF 2.32, and of Windows.
const (
	tagMake           = 0x010f
	tagModel          = 0x0110
	tagRating         = 0x4746
	tagIPTC           = 0x83bb
	tagISO            = 0x8827
	tagISOSpeed       = 0x8833
	tagGPS            = 0x8825
	tagOffsetTime     = 0x9010
	tagOffsetOriginal = 0x9011
	tagFocalLength    = 0x920a
	tagXPKeywords     = 0x9c9e
	tagLensModel      = 0xa434
)

// InspectMetadata reads the metadata of a file of size bytes. What is damaged reads as
// absent.
func InspectMetadata(r io.ReaderAt, size int64) Metadata { return metadata(newFile(r, size)) }

func metadata(f *file) (m Metadata) {
	format, err := sniff(f.bytes(0, 64))
	if err != nil {
		return m
	}
	x := findEXIF(format, f)
	if x != nil {
		m.exif(x)
	}
	m.xmp(findXMP(format, f, x))
	var iptc []byte
	switch {
	case format == "jpg":
		iptc = jpegIPTC(f)
	case format == "tiff" && x != nil:
		iptc = x.blob(x.first(), tagIPTC)
	}
	for _, k := range iptcKeywords(iptc) {
		m.keyword(k)
	}
	if x != nil {
		for k := range strings.SplitSeq(decodeUTF16(x.blob(x.first(), tagXPKeywords)), ";") {
			m.keyword(k)
		}
	}
	return m
}

func (m *Metadata) keyword(k string) {
	k = strings.TrimSpace(strings.ToValidUTF8(strings.TrimRight(k, "\x00"), "\ufffd"))
	if k != "" && !slices.Contains(m.Keywords, k) {
		m.Keywords = append(m.Keywords, k)
	}
}

func (m *Metadata) exif(x *exif) {
	first := x.first()
	maker, model := x.long(first, tagMake), x.long(first, tagModel)
	switch word, _, _ := strings.Cut(maker, " "); {
	case model == "" || maker == "":
		m.Camera = maker + model
	case strings.HasPrefix(strings.ToLower(model), strings.ToLower(word)):
		m.Camera = model
	default:
		m.Camera = maker + " " + model
	}
	m.Rating = rated(x.number(first, tagRating))
	if _, _, v, ok := x.find(first, tagExifIFD); ok {
		sub := x.order.Uint32(v)
		m.Lens = x.long(sub, tagLensModel)
		for _, tag := range []uint16{tagISO, tagISOSpeed} { // the latter where two bytes are too few
			if n := x.number(sub, tag); n != nil && *n > 0 && (*n < 65535 || tag != tagISO) && *n < 1<<31 {
				iso := int(*n)
				m.ISO = &iso
				break
			}
		}
		if n := x.number(sub, tagFocalLength); n != nil && *n > 0 {
			m.FocalLength = n
		}
		for _, tag := range []uint16{tagOffsetOriginal, tagOffsetTime} {
			if o := offset(x.text(sub, tag)); o != nil {
				m.Offset = o
				break
			}
		}
	}
	if _, _, v, ok := x.find(first, tagGPS); ok {
		gps := x.order.Uint32(v)
		lat, long := x.degrees(gps, 1, "S", 90), x.degrees(gps, 3, "W", 180)
		if lat != nil && long != nil {
			m.Latitude, m.Longitude = lat, long
		}
	}
}

func rated(n *float64) *int {
	if n == nil || *n < -1 || *n > 5 {
		return nil
	}
	r := int(math.Round(*n))
	return &r
}

// offset reads "+02:00".
func offset(s string) *int {
	if len(s) == 1 && s == "Z" {
		return new(int)
	}
	if len(s) != 6 || s[3] != ':' || s[0] != '+' && s[0] != '-' {
		return nil
	}
	h, err1 := strconv.Atoi(s[1:3])
	min, err2 := strconv.Atoi(s[4:])
	if err1 != nil || err2 != nil || h > 15 || min > 59 {
		return nil
	}
	n := 60*h + min
	if s[0] == '-' {
		n = -n
	}
	return &n
}

// long is text without the limit that times have.
func (x *exif) long(off uint32, tag uint16) string {
	if kind, _, _, ok := x.find(off, tag); !ok || kind != 2 {
		return ""
	}
	b := x.blob(off, tag)
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(b), "\ufffd"))
}

// widths are the bytes of a value of each type.
var widths = [...]int64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}

// blob returns the bytes of all values of a tag, 1 MiB at most.
func (x *exif) blob(off uint32, tag uint16) []byte {
	kind, n, v, ok := x.find(off, tag)
	if !ok || int(kind) >= len(widths) || widths[kind] == 0 {
		return nil
	}
	size := widths[kind] * int64(n)
	if size > 1<<20 {
		return nil
	}
	if size <= 4 {
		return v[:size]
	}
	b := x.data.bytes(int64(x.order.Uint32(v)), size)
	if int64(len(b)) < size {
		return nil
	}
	return bytes.Clone(b)
}

// numbers returns the values of a tag.
func (x *exif) numbers(off uint32, tag uint16) []float64 {
	kind, _, _, ok := x.find(off, tag)
	if !ok {
		return nil
	}
	var out []float64
	for b := x.blob(off, tag); len(b) > 0 && len(out) < 16; b = b[widths[kind]:] {
		v := math.NaN()
		switch kind {
		case 1:
			v = float64(b[0])
		case 3:
			v = float64(x.order.Uint16(b))
		case 4:
			v = float64(x.order.Uint32(b))
		case 8:
			v = float64(int16(x.order.Uint16(b)))
		case 9:
			v = float64(int32(x.order.Uint32(b)))
		case 5:
			v = float64(x.order.Uint32(b)) / float64(x.order.Uint32(b[4:]))
		case 10:
			v = float64(int32(x.order.Uint32(b))) / float64(int32(x.order.Uint32(b[4:])))
		}
		out = append(out, v)
	}
	return out
}

// number returns the first value of a tag, nil for none and what is not a number.
func (x *exif) number(off uint32, tag uint16) *float64 {
	n := x.numbers(off, tag)
	if len(n) == 0 || math.IsNaN(n[0]) || math.IsInf(n[0], 0) {
		return nil
	}
	return &n[0]
}

// degrees reads a latitude or longitude: the letter of the side at tag, then degrees,
// minutes and seconds.
func (x *exif) degrees(off uint32, tag uint16, negative string, most float64) *float64 {
	d := x.numbers(off, tag+1)
	if len(d) < 3 {
		return nil
	}
	for i := range d[:3] { // cameras write 0/0 for what is part of the number before
		if i > 0 && math.IsNaN(d[i]) {
			d[i] = 0
		}
	}
	v := d[0] + float64(d[1]/60) + float64(d[2]/3600)
	if !(v >= 0 && v <= most) {
		return nil
	}
	if strings.EqualFold(x.text(off, tag), negative) {
		v = -v
	}
	return &v
}

func decodeUTF16(b []byte) string {
	var u []uint16
	for ; len(b) >= 2; b = b[2:] {
		u = append(u, binary.LittleEndian.Uint16(b))
	}
	return string(utf16.Decode(u))
}

// jpegIPTC returns the IPTC data of a JPEG file.
func jpegIPTC(f *file) (iptc []byte) {
	jpegSegments(f, func(marker byte, p part) bool {
		if marker == 0xed {
			iptc = photoshop(f.bytes(p.off, p.n))
		}
		return iptc == nil
	})
	return iptc
}

// photoshop returns the IPTC data among Photoshop's resources.
func photoshop(b []byte) []byte {
	b, ok := bytes.CutPrefix(b, []byte("Photoshop 3.0\x00"))
	if !ok {
		return nil
	}
	for len(b) >= 12 && string(b[:4]) == "8BIM" {
		id := binary.BigEndian.Uint16(b[4:])
		name := int(b[6]) + 1
		name += name % 2
		if len(b) < 6+name+4 {
			return nil
		}
		n := int(binary.BigEndian.Uint32(b[6+name:]))
		b = b[6+name+4:]
		if n < 0 || n > len(b) {
			return nil
		}
		if id == 0x0404 {
			return bytes.Clone(b[:n])
		}
		b = b[min(len(b), n+n%2):]
	}
	return nil
}

// iptcKeywords returns the keywords of IPTC data. Their letters are Latin 1 unless they are
// marked as, or can only be, UTF-8.
func iptcKeywords(b []byte) (out []string) {
	for len(b) >= 5 && b[0] == 0x1c {
		n := int(binary.BigEndian.Uint16(b[3:]))
		if n&0x8000 != 0 || 5+n > len(b) {
			return out
		}
		if text := b[5 : 5+n]; b[1] == 2 && b[2] == 25 {
			if utf8.Valid(text) {
				out = append(out, string(text))
			} else {
				var s strings.Builder
				for _, c := range text {
					s.WriteRune(rune(c))
				}
				out = append(out, s.String())
			}
		}
		b = b[5+n:]
	}
	return out
}

// Names of XMP.
const (
	nsXMP = "http://ns.adobe.com/xap/1.0/"
	nsDC  = "http://purl.org/dc/elements/1.1/"
	nsRDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
)

// xmp reads rating and keywords of a packet, in which a value may be an element or an
// attribute.
func (m *Metadata) xmp(packet []byte) {
	if len(packet) == 0 {
		return
	}
	d := xml.NewDecoder(bytes.NewReader(packet))
	d.Strict = false
	depth, subject := 0, 0 // where dc:subject began
	var text *strings.Builder
	rating := func(s string) {
		if n, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			if r := rated(&n); r != nil {
				m.Rating = r
			}
		}
	}
	for {
		t, err := d.Token()
		if err != nil || depth > 64 {
			return
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			for _, a := range t.Attr {
				if a.Name.Space == nsXMP && a.Name.Local == "Rating" {
					rating(a.Value)
				}
			}
			switch {
			case t.Name.Space == nsDC && t.Name.Local == "subject":
				subject = depth
			case t.Name.Space == nsXMP && t.Name.Local == "Rating", subject > 0 && t.Name.Space == nsRDF && t.Name.Local == "li":
				text = new(strings.Builder)
			}
		case xml.CharData:
			if text != nil && text.Len() < 1<<16 {
				text.Write(t)
			}
		case xml.EndElement:
			switch {
			case text != nil && t.Name.Local == "Rating":
				rating(text.String())
				text = nil
			case text != nil && t.Name.Local == "li":
				m.keyword(text.String())
				text = nil
			}
			if depth == subject {
				subject = 0
			}
			depth--
		}
	}
}
