package clip

import (
	"bytes"
	"errors"
)

// jxl is what a JPEG XL file tells before its pixels. It is a codestream alone, or boxes as
// HEIF has them, of which one holds the codestream or its beginning.
type jxl struct {
	width, height int // as stored
	orientation   int // as EXIF has it; what EXIF data beside it say is not heeded
	boxes         []box
}

var errJXL = errors.New("no codestream found")

// isJXL reports whether a file begins as JPEG XL does, in boxes or without.
func isJXL(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\xff\x0a")) || bytes.HasPrefix(head, []byte("\x00\x00\x00\x0cJXL \r\n\x87\n"))
}

func parseJXL(f *file) (j jxl, err error) {
	at := part{0, f.size}
	if head := f.bytes(0, 2); len(head) == 2 && head[0] == 0 {
		j.boxes = f.boxes(0, f.size)
		if at = child(j.boxes, "jxlc"); at.n == 0 {
			if at = child(j.boxes, "jxlp"); at.n > 4 {
				at.off, at.n = at.off+4, at.n-4 // the number of the part
			}
		}
	}
	head := f.bytes(at.off, min(at.n, 64))
	if !bytes.HasPrefix(head, []byte("\xff\x0a")) {
		return j, errJXL
	}
	b := &jxlBits{b: head[2:]}
	j.width, j.height = b.size()
	j.orientation = 1
	if !b.flag() && b.flag() { // not all as usual, and there are extra fields
		j.orientation = int(b.bits(3)) + 1
	}
	if b.bad || j.width <= 0 || j.height <= 0 {
		return j, errors.New("EOF")
	}
	return j, nil
}

// jxlBits reads the codestream's header, from the lowest bit of each byte on.
type jxlBits struct {
	b   []byte
	at  int
	bad bool
}

func (r *jxlBits) bits(n int) (v uint32) {
	for i := range n {
		if r.at>>3 >= len(r.b) {
			r.bad = true
			return 0
		}
		v |= uint32(r.b[r.at>>3]>>(r.at&7)&1) << i
		r.at++
	}
	return v
}

func (r *jxlBits) flag() bool { return r.bits(1) == 1 }

// side reads a width or height: in steps of 8 where small is set.
func (r *jxlBits) side(small bool) int {
	if small {
		return int(r.bits(5)+1) * 8
	}
	return int(r.bits([]int{9, 13, 18, 30}[r.bits(2)])) + 1
}

// size reads the header of a size: the height, and the width or how they relate.
func (r *jxlBits) size() (w, h int) {
	small := r.flag()
	h = r.side(small)
	ratio := [8][2]int{1: {1, 1}, 2: {12, 10}, 3: {4, 3}, 4: {3, 2}, 5: {16, 9}, 6: {5, 4}, 7: {2, 1}}[r.bits(3)]
	if ratio[0] == 0 {
		return r.side(small), h
	}
	return int(int64(h) * int64(ratio[0]) / int64(ratio[1])), h
}

// content returns the contents of the first box of a kind. Those that are compressed (brob)
// need package jxl.
func (j *jxl) content(f *file, kind string) []byte {
	for _, b := range j.boxes {
		switch {
		case b.n > maxEXIF:
		case b.kind == kind:
			return bytes.Clone(f.bytes(b.off, b.n))
		case b.kind == "brob" && b.n > 4 && string(f.bytes(b.off, 4)) == kind:
			d, _ := decoderOf("jxl")
			if d.Unpack == nil {
				return nil
			}
			return d.Unpack(bytes.Clone(f.bytes(b.off+4, b.n-4)), maxEXIF)
		}
	}
	return nil
}

// jxlEXIF returns the EXIF data of a JPEG XL file.
func jxlEXIF(f *file) []byte {
	j, err := parseJXL(f)
	if err != nil {
		return nil
	}
	return boxedEXIF(j.content(f, "Exif"))
}
