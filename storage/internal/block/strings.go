package block

import (
	"encoding/binary"
	"unsafe"

	"github.com/lupadb/lupa/storage/value"
)

// Payload of texts, raw:
//
//	0  width of an end offset: 1, 2 or 4
//	1  end offset of each row's bytes
//	   bytes
//
// and with a dictionary:
//
//	0  number of distinct values, 2 bytes
//	2  width of a code: 0, 1 or 2
//	3  width of an end offset
//	4  end offset of each distinct value
//	   code of each row
//	   bytes

func appendStrings(dst []byte, col *value.Column, n int) ([]byte, byte) {
	at := func(i int) string {
		if col.Null(i) {
			return ""
		}
		return col.Strs[i]
	}
	total := 0
	for i := range n {
		total += len(at(i))
	}
	if d, ok := buildDictionary(at, n, total); ok {
		return d.append(dst), dictionary
	}
	w := offsetWidth(total)
	dst = append(dst, byte(w))
	end := 0
	for i := range n {
		end += len(at(i))
		dst = appendWidth(dst, uint64(end), w)
	}
	for i := range n {
		dst = append(dst, at(i)...)
	}
	return dst, raw
}

func offsetWidth(total int) int { return max(1, widthOf(uint64(total))) }

type dict struct {
	values []string
	codes  []uint16
	total  int // bytes of the distinct values
}

// buildDictionary gives up as soon as there are too many distinct values for a dictionary to be smaller
// than the values themselves, or more than half as many as rows. A dictionary of that many may still save
// space, but is slower to read: setting the texts of all rows by their codes, and spreading what was computed
// for each distinct value, costs more than comparing the texts of all rows, or grouping them.
func buildDictionary(at func(int) string, n, total int) (dict, bool) {
	rawSize := 1 + n*offsetWidth(total) + total
	d := dict{codes: make([]uint16, 0, n)}
	index := make(map[string]uint16)
	size := 4
	for i := range n {
		s := at(i)
		c, ok := index[s]
		if !ok {
			c = uint16(len(d.values))
			index[s] = c
			d.values = append(d.values, s)
			d.total += len(s)
			size += len(s) + 1
			if size+n >= rawSize || len(d.values) > n/2+1 {
				return dict{}, false
			}
		}
		d.codes = append(d.codes, c)
	}
	return d, n > 1 && d.size() < rawSize
}

func (d *dict) codeWidth() int { return widthOf(uint64(len(d.values) - 1)) }

func (d *dict) size() int {
	return 4 + len(d.values)*offsetWidth(d.total) + len(d.codes)*d.codeWidth() + d.total
}

func (d *dict) append(dst []byte) []byte {
	w, cw := offsetWidth(d.total), d.codeWidth()
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(d.values)))
	dst = append(dst, byte(cw), byte(w))
	end := 0
	for _, s := range d.values {
		end += len(s)
		dst = appendWidth(dst, uint64(end), w)
	}
	for _, c := range d.codes {
		dst = appendWidth(dst, uint64(c), cw)
	}
	for _, s := range d.values {
		dst = append(dst, s...)
	}
	return dst
}

// layout of a texts payload, valid after checkStrings.
type layout struct {
	values    int // number of end offsets
	width     int // of an end offset
	ends      []byte
	codeWidth int
	codes     []byte // nil when each row has its own value
	bytes     []byte
}

func (p *parsed) layout() (layout, bool) {
	b := p.body
	var l layout
	switch p.enc {
	case raw:
		if len(b) < 1 {
			return l, false
		}
		l.values, l.width = p.n, int(b[0])
		b = b[1:]
	case dictionary:
		if len(b) < 4 {
			return l, false
		}
		l.values, l.codeWidth, l.width = int(binary.LittleEndian.Uint16(b)), int(b[2]), int(b[3])
		b = b[4:]
		if l.values == 0 || l.codeWidth > 2 {
			return l, false
		}
	default:
		return l, false
	}
	if l.width != 1 && l.width != 2 && l.width != 4 || len(b) < l.values*l.width {
		return l, false
	}
	l.ends, b = b[:l.values*l.width], b[l.values*l.width:]
	if p.enc == dictionary {
		if len(b) < p.n*l.codeWidth {
			return l, false
		}
		l.codes, b = b[:p.n*l.codeWidth:p.n*l.codeWidth], b[p.n*l.codeWidth:]
	}
	l.bytes = b
	return l, true
}

func (p *parsed) checkStrings() error {
	l, ok := p.layout()
	if !ok {
		return malformed("header of %v", p.kind)
	}
	prev := uint64(0)
	if l.width == 2 {
		// The usual case: any order that is wrong shows in the sign of a difference.
		wrong := 0
		for ends := l.ends; len(ends) >= 2; ends = ends[2:] {
			end := uint64(binary.LittleEndian.Uint16(ends))
			wrong |= int(end) - int(prev)
			prev = end
		}
		if wrong < 0 {
			return malformed("offsets of %d values", l.values)
		}
	} else {
		for i := range l.values {
			end := readWidth(l.ends, i, l.width)
			if end < prev || end > uint64(len(l.bytes)) {
				return malformed("offset %d of value %d", end, i)
			}
			prev = end
		}
	}
	if prev != uint64(len(l.bytes)) {
		return malformed("%d bytes of text, want %d", len(l.bytes), prev)
	}
	if p.enc == dictionary {
		most := uint64(0)
		switch l.codeWidth {
		case 1:
			for _, c := range l.codes {
				most = max(most, uint64(c))
			}
		case 2:
			for i := range p.n {
				most = max(most, uint64(binary.LittleEndian.Uint16(l.codes[2*i:])))
			}
		}
		if most >= uint64(l.values) {
			return malformed("code %d of %d values", most, l.values)
		}
	}
	return nil
}

func (l *layout) span(i int) (from, to uint64) {
	if i > 0 {
		from = readWidth(l.ends, i-1, l.width)
	}
	return from, readWidth(l.ends, i, l.width)
}

// strings makes one copy of the bytes that all values are parts of, which are set in col. The copy is
// made in m, if m is not nil.
func (p *parsed) strings(col *value.Column, m *Texts) {
	out := col.Strs
	l, _ := p.layout()
	var all string
	if m == nil {
		all = string(l.bytes)
		m = &Texts{}
	} else {
		m.bytes = append(m.bytes[:0], l.bytes...)
		all = unsafe.String(unsafe.SliceData(m.bytes), len(m.bytes))
	}
	if p.enc == dictionary {
		m.values = resize(m.values, l.values)
		values := m.values
		cut(values, all, l.ends, l.width)
		m.codes = resize(m.codes, len(out))
		codes := m.codes
		switch l.codeWidth {
		case 0:
			clear(codes)
		case 1:
			for i, c := range l.codes[:len(codes)] {
				codes[i] = uint16(c)
			}
		default:
			for i := range codes {
				codes[i] = binary.LittleEndian.Uint16(l.codes[2*i:])
			}
		}
		for i, c := range codes {
			out[i] = values[c]
		}
		col.Values, col.Codes, col.Joined = values, codes, all
		return
	}
	cut(out, all, l.ends, l.width)
	if col.Nulls == nil {
		col.Joined = all
	}
}

// cut sets out to the parts of all that end where ends says.
func cut(out []string, all string, ends []byte, width int) {
	from := 0
	switch width {
	case 2:
		ends = ends[:2*len(out)]
		for i := range out {
			to := int(ends[2*i]) | int(ends[2*i+1])<<8
			out[i] = all[from:to]
			from = to
		}
	default:
		for i := range out {
			to := int(readWidth(ends, i, width))
			out[i] = all[from:to]
			from = to
		}
	}
}
