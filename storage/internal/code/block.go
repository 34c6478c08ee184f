package code

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/lupadb/lupa/storage/internal/simd"
)

// A plane of a block is stored as a header, the residual codes of every
// row, and the codes themselves: in tiles in plane 1, which is read as a whole, row after
// row in plane 2, which is read where rows survive plane 1. Plane 1 has the
// codes of the stretches in between, and the norms of the rows, unless they are all
// about the same.
//
//	0  version, 1 byte; flags, 1 byte; width, 2 bytes
//	4  plane's number, 1 byte; largest stretch code, 1 byte; 2 bytes unused
//	8  ID of the transform, 8 bytes
//	16 residuals of up to four groups = low + step*code: low, step; float32
//	48 largest |v|, largest |y|, smallest and largest norm of a row; float64
//	80 1,024 codes of the residual of each group
const (
	headerBytes = 80
	flagNorms   = 1
	flagZeros   = 2 // some rows are zero vectors or NULL
)

// Plane is one plane of a block, read from its stored form, which it aliases.
type Plane struct {
	low, step  [groups2]float64 // of the residuals' codes
	maxV, maxY float64
	// MinNorm and MaxNorm are the smallest and the largest norm of a row, within a
	// factor of 1 +- 2^-40, zero vectors aside if there are others.
	MinNorm, MaxNorm float64
	zeros            bool
	largest          byte   // stretch code
	stretch          []byte // codes of 1,024 rows, in plane 1
	norms            []byte // 1,024 float32, or nil
	residuals        [groups2][]byte
	codes            []byte
	near             bool // a scan has brought the codes into the processor's cache
}

// Parse reads plane number (1 or 2) of a block coded by t. ok is false if it
// was coded by another transform.
func (t *Transform) Parse(b []byte, number int, p *Plane) (ok bool, err error) {
	if len(b) < headerBytes || b[0] != version || int(b[4]) != number {
		return false, fmt.Errorf("%w: plane %d of %d bytes", ErrMalformed, number, len(b))
	}
	if binary.LittleEndian.Uint64(b[8:]) != t.ID {
		return false, nil
	}
	groups, width := len(t.split[number-1]), t.Width[number-1]
	size := headerBytes + (groups+width)*BlockRows
	if number == 1 {
		size += BlockRows
	}
	if b[1]&flagNorms != 0 {
		size += 4 * BlockRows
	}
	if len(b) != size || int(binary.LittleEndian.Uint16(b[2:])) != width {
		return false, fmt.Errorf("%w: plane %d of %d bytes, want %d", ErrMalformed, number, len(b), size)
	}
	f32 := func(at int) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[at:]))) }
	f64 := func(at int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b[at:])) }
	*p = Plane{
		maxV: f64(48), maxY: f64(56), MinNorm: f64(64), MaxNorm: f64(72),
		zeros: b[1]&flagZeros != 0, largest: b[5],
	}
	rest := b[headerBytes:]
	for g := range groups {
		p.low[g], p.step[g] = f32(16+8*g), f32(20+8*g)
		p.residuals[g], rest = rest[:BlockRows], rest[BlockRows:]
	}
	if number == 1 {
		p.stretch, rest = rest[:BlockRows], rest[BlockRows:]
	}
	if b[1]&flagNorms != 0 {
		p.norms, rest = rest[:4*BlockRows], rest[4*BlockRows:]
	}
	p.codes = rest
	return true, nil
}

// NormRange returns an interval that holds the norms of all rows but zero vectors,
// and whether there are any of these (or NULLs).
func (p *Plane) NormRange() (low, high float64, zeros bool) {
	return float64(p.MinNorm * (1 - 0x1p-40)), float64(p.MaxNorm * (1 + 0x1p-40)), p.zeros
}

// Norms returns an interval that holds the norm of row i.
func (p *Plane) Norms(i int) (low, high float64) {
	if p.norms == nil {
		return float64(p.MinNorm * (1 - 0x1p-40)), float64(p.MaxNorm * (1 + 0x1p-40))
	}
	// Rounded to the nearest float32: within 2^-24, or 2^-150 of a denormal.
	n := float64(math.Float32frombits(binary.LittleEndian.Uint32(p.norms[4*i:])))
	if n == 0 {
		return 0, 0
	}
	if math.IsInf(n, 0) { // a norm can exceed all float32
		return math.MaxFloat32 / 2, float64(p.MaxNorm * (1 + 0x1p-40))
	}
	return max(0, float64(n*(1-0x1p-23))-0x1p-149), float64(n*(1+0x1p-23)) + 0x1p-149
}

// Bytes is the number of bytes of a row in plane number (1 or 2).
func (t *Transform) Bytes(number int) int {
	n := t.Width[number-1] + len(t.split[number-1])
	if number == 1 {
		n++ // the stretch
	}
	return n
}

// appendPlane appends the stored form. residuals are the residual norms by group, already
// rounded up; rows with skip set have none. stretch and norms are nil where there are none.
func (t *Transform) appendPlane(dst []byte, number int, maxV, maxY, minNorm, maxNorm float64,
	residuals [][]float64, skip func(int) bool, zeros bool, stretch []byte, norms []float32, codes []byte) []byte {
	var h [headerBytes]byte
	h[0], h[4] = version, byte(number)
	for _, c := range stretch {
		h[5] = max(h[5], c)
	}
	if norms != nil {
		h[1] |= flagNorms
	}
	if zeros {
		h[1] |= flagZeros
	}
	binary.LittleEndian.PutUint16(h[2:], uint16(t.Width[number-1]))
	binary.LittleEndian.PutUint64(h[8:], t.ID)
	var bytes [groups2][BlockRows]byte
	for g, r := range residuals {
		low, step := residualCodes(r, skip, bytes[g][:])
		binary.LittleEndian.PutUint32(h[16+8*g:], math.Float32bits(low))
		binary.LittleEndian.PutUint32(h[20+8*g:], math.Float32bits(step))
	}
	for i, x := range []float64{maxV, maxY, minNorm, maxNorm} {
		binary.LittleEndian.PutUint64(h[48+8*i:], math.Float64bits(x))
	}
	dst = append(dst, h[:]...)
	for g := range residuals {
		dst = append(dst, bytes[g][:]...)
	}
	dst = append(dst, stretch...)
	for _, n := range norms {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(n))
	}
	return append(dst, codes...)
}

// residualCodes codes r in a byte each: r[i] <= low + step*code[i].
func residualCodes(r []float64, skip func(int) bool, out []byte) (low, step float32) {
	smallest, largest := math.Inf(1), 0.0
	for i, x := range r {
		if !skip(i) {
			smallest, largest = min(smallest, x), max(largest, x)
		}
	}
	if smallest > largest {
		return 0, 0
	}
	low = float32(smallest)
	if float64(low) > smallest {
		low = math.Nextafter32(low, -1)
	}
	step = float32((largest - float64(low)) / 255 * (1 + 1e-6))
	if step > 0 {
		step = math.Nextafter32(step, math.MaxFloat32)
	}
	for i, x := range r {
		if skip(i) || x <= float64(low) {
			continue
		}
		if step == 0 {
			step = math.Nextafter32(0, 1)
		}
		c := math.Ceil((x - float64(low)) / float64(step))
		for float64(low)+float64(float64(step)*c) < x {
			c++
		}
		out[i] = byte(min(c, 255))
	}
	return low, step
}

// putTile puts the words that simd.Quantize made of one tile at their place in a plane.
func putTile(plane []byte, tile int, words []uint32, width int) {
	at := tile * simd.TileRows * width
	for i, w := range words {
		binary.LittleEndian.PutUint32(plane[at+4*i:], w)
	}
}

// putRows puts them row after row.
func putRows(plane []byte, tile int, words []uint32, width int) {
	for g := range width / 4 {
		for r, w := range words[g*simd.TileRows : (g+1)*simd.TileRows] {
			binary.LittleEndian.PutUint32(plane[(tile*simd.TileRows+r)*width+4*g:], w)
		}
	}
}
