package block

import (
	"encoding/binary"

	"github.com/lupadb/lupa/storage/value"
)

// Opened is a block for whoever picks single values of it again and again: its header is
// read, and what makes a value depend on those before it is summed up. It aliases the
// block's bytes, which must not change. It is safe for concurrent use.
type Opened struct {
	parsed
	texts layout   // of texts
	marks []uint64 // of differences: the sum of the offsets before row markRows*(i+1)
}

// markRows is the number of rows between two marks.
const markRows = 64

// Open reads the header of a block of a column of a kind.
func Open(src []byte, kind value.Kind) (*Opened, error) {
	o := new(Opened)
	if err := o.open(src, kind); err != nil {
		return nil, err
	}
	if o.isInt() && o.enc == delta {
		w, offs := int(o.body[16]), o.body[17:]
		if w > 0 && o.n > markRows {
			o.marks = make([]uint64, 0, (o.n-1)/markRows)
			sum := uint64(0)
			for at := 0; at+markRows*w <= len(offs); at += markRows * w {
				sum += sumOffsets(offs[at:at+markRows*w], w)
				o.marks = append(o.marks, sum)
			}
		}
	}
	return o, nil
}

// open checks what holds for all rows: the offsets of texts are left to At.
func (o *Opened) open(src []byte, kind value.Kind) (err error) {
	if o.parsed, err = parseHeader(src, kind); err != nil {
		return err
	}
	if !o.isText() {
		return o.check()
	}
	var ok bool
	if o.texts, ok = o.layout(); !ok {
		return malformed("header of %v", o.kind)
	}
	return nil
}

// At returns row i of a block without decoding the others. Of a vector column
// it tells only NULL from the rest, for which it returns an empty vector.
func At(src []byte, t value.Type, i int) (value.Value, error) {
	var o Opened
	if err := o.open(src, t.Kind); err != nil {
		return value.Value{}, err
	}
	return o.At(i)
}

// At returns row i: see the function of that name.
func (o *Opened) At(i int) (value.Value, error) {
	if i >= o.n {
		return value.Value{}, malformed("row %d of %d", i, o.n)
	}
	if o.null(i) {
		return value.Value{}, nil
	}
	switch o.kind {
	case value.Boolean:
		return value.Bool(o.body[i>>3]&(1<<(i&7)) != 0), nil
	case value.Integer:
		return value.Int(o.int(i)), nil
	case value.Timestamp:
		return value.Micros(o.int(i)), nil
	case value.Date:
		return value.Days(o.int(i)), nil
	case value.Real:
		return value.Float(o.real(i)), nil
	case value.Vector:
		return value.Vec(nil), nil
	}
	text, err := o.text(i)
	if err != nil {
		return value.Value{}, err
	}
	return value.WithBody(o.kind, string(text)), nil
}

// Int returns row i of a block of integers, ok false if it is NULL or there is none.
func (o *Opened) Int(i int) (v int64, ok bool) {
	if !o.isInt() || i >= o.n || o.null(i) {
		return 0, false
	}
	return o.int(i), true
}

func (o *Opened) int(i int) int64 {
	switch o.enc {
	case frame:
		return int64(binary.LittleEndian.Uint64(o.body) + readWidth(o.body[9:], i, int(o.body[8])))
	case delta:
		v := binary.LittleEndian.Uint64(o.body)
		dlo, w, offs := binary.LittleEndian.Uint64(o.body[8:]), int(o.body[16]), o.body[17:]
		from := 0
		if m := i / markRows; m > 0 && m <= len(o.marks) {
			v, from = v+o.marks[m-1], m*markRows
		}
		return int64(v + dlo*uint64(i) + sumOffsets(offs[from*w:i*w], w))
	}
	return int64(binary.LittleEndian.Uint64(o.body[8*i:]))
}

// text returns the bytes of row i.
func (o *Opened) text(i int) ([]byte, error) {
	l := &o.texts
	if o.enc == dictionary {
		c := readWidth(l.codes, i, l.codeWidth)
		if c >= uint64(l.values) {
			return nil, malformed("code %d of row %d", c, i)
		}
		i = int(c)
	}
	from, to := l.span(i)
	if from > to || to > uint64(len(l.bytes)) {
		return nil, malformed("offsets %d and %d of value %d", from, to, i)
	}
	return l.bytes[from:to], nil
}
