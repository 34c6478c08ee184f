package simd

import (
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
	"sync"
	"unsafe"
)

// # Codes
//
// A plane of codes gives each row 4*width slots of two bits (0 to 3), four to a
// byte, the first in the low bits. A query gives each slot a weight. What the scan
// computes is the exact integer sum of weight * code of every row. A weight has 15 bits, as
// high digit * 128 + low digit, both of which fit a signed byte.
//
// In tiles, 16 rows take turns every four bytes (16 slots): group g of row r
// is at 64*g + 4*r, so that a register holds one group of all rows and nothing
// is ever added across lanes. Groups are of two kinds, see Layout. In rows, a row's bytes
// follow each other.

const (
	// TileRows is the number of rows in a tile.
	TileRows = 16
	// GroupSlots is the number of slots in a group, four bytes of one row.
	GroupSlots = 16
	// QuadSlots is the number of slots in a quad: four groups, 16 bytes of one row.
	QuadSlots = 64
	// WidthStep divides the number of bytes a row has in a plane.
	WidthStep = 32
	// MaxWidth is the largest number of bytes a row has in a plane: sums of
	// twice as many products of a nibble stay below 2^31.
	MaxWidth = 512
	// MaxWeight is the largest absolute weight.
	MaxWeight = 127*128 + 63
)

// Layout is the number of quads of each kind in a tiled plane, in their order. A
// product costs the same for four bits as for two.
type Layout struct {
	Crumbs  int // slots of two bits
	Nibbles int // two slots make a number of four bits: the second in the low bits
}

// Slots is the number of slots of a row.
func (l Layout) Slots() int { return QuadSlots * (l.Crumbs + l.Nibbles) }

// Nibble reports whether a slot is part of a nibble.
func (l Layout) Nibble(slot int) bool { return slot >= QuadSlots*l.Crumbs }

// Position is where a slot's two bits are: they are number Position of the row.
func (l Layout) Position(slot int) int {
	if l.Nibble(slot) {
		return slot ^ 1
	}
	return slot
}

// Tiles holds a query's weights for scanning a tiled plane.
type Tiles struct {
	layout Layout
	table  []byte // per group and part of its bytes: four high digits, four low ones

	// The same for planVNNI, planAVX2 and planDOT, which multiply by one digit where that is enough. They take
	// the groups by the unit of their digits, the largest first, and multiply what they have
	// by the quotient of two units before they go on.
	plan   []int64 // number of units; of each: log2 of that quotient, how many groups of crumbs and of nibbles, where they are in a tile
	digits []byte  // in that order: four a part

	once sync.Once
	sums [][256]int32 // for scanGo: what each byte of a row contributes to its sum, by value
}

// units of one digit: two digits are one of the first unit and one of the last.
var units = [...]int32{128, 8, 4, 2, 1}

// Unit returns the unit in which a digit says all weights up to most, rounded: 1 as well
// if two digits are needed. A scan is quickest if the weights of every group are
// multiples of the unit of the largest of them.
func Unit(most float64) int32 {
	for u := int32(1); u <= units[1]; u *= 2 {
		if most <= float64(127*u) {
			return u
		}
	}
	return 1
}

// NewTiles prepares weights, one a slot, none of which exceeds MaxWeight; the weight of
// a nibble is that of its second slot.
func NewTiles(weights []int32, layout Layout) *Tiles {
	t := &Tiles{layout: layout}
	for g := range layout.Slots() / GroupSlots {
		for w := range layout.parts(weights, g) {
			t.table = appendDigits(t.table, w, high)
			t.table = appendDigits(t.table, w, low)
		}
	}
	t.makePlan(weights)
	return t
}

// parts yields the weights of the parts of a group: one of each of its four bytes.
func (l Layout) parts(weights []int32, group int) iter.Seq[[4]int32] {
	w := weights[group*GroupSlots:][:GroupSlots]
	return func(yield func([4]int32) bool) {
		for part := range 4 {
			if l.Nibble(group*GroupSlots) && part%2 == 0 {
				continue
			}
			if !yield([4]int32{w[part], w[4+part], w[8+part], w[12+part]}) {
				return
			}
		}
	}
}

func appendDigits(dst []byte, w [4]int32, digit func(int32) int32) []byte {
	for _, x := range w {
		dst = append(dst, byte(digit(x)))
	}
	return dst
}

// makePlan says what planVNNI, planAVX2 and planDOT do.
func (t *Tiles) makePlan(weights []int32) {
	l := t.layout
	unit := make([]int32, l.Slots()/GroupSlots) // 0 = none is enough
	for g := range unit {
		for _, u := range units[1:] {
			fits := true
			for w := range l.parts(weights, g) {
				for _, x := range w {
					fits = fits && x%u == 0 && -127*u <= x && x <= 127*u
				}
			}
			if fits {
				unit[g] = u
			}
		}
	}
	t.plan = append(t.plan, int64(len(units)))
	last := units[0]
	for _, u := range units {
		digit := func(w int32) int32 { return w / u }
		counts := len(t.plan) + 1
		t.plan = append(t.plan, int64(bits.TrailingZeros32(uint32(last/u))), 0, 0)
		last = u
		for g, of := range unit {
			d := digit
			switch {
			case of == u:
			case of == 0 && u == units[0]:
				d = high
			case of == 0 && u == 1:
				d = low
			default:
				continue
			}
			kind := 0
			if l.Nibble(g * GroupSlots) {
				kind = 1
			}
			t.plan[counts+kind]++
			t.plan = append(t.plan, int64(g*GroupSlots/4*TileRows))
			for w := range l.parts(weights, g) {
				t.digits = appendDigits(t.digits, w, d)
			}
		}
	}
}

func high(w int32) int32 { return (w + 64) >> 7 }
func low(w int32) int32  { return w - high(w)<<7 }

// Scan computes the sums of len(out) rows, a multiple of TileRows, in tiles. Tiles that
// come from memory are read from front to back; those that are near, in the processor's
// cache, in the order that takes the fewest products.
func (t *Tiles) Scan(tiles []byte, out []int32, near bool) {
	n := len(out) / TileRows
	if n == 0 {
		return
	}
	l := &t.layout
	stride := TileRows * l.Slots() / 4
	_ = tiles[n*stride-1]
	if level == portable {
		scanGo(tiles, t.bytes(), out)
		return
	}
	t.scanKernel(tiles, stride, n, out, near)
}

// bytes returns what each byte of a row contributes to its sum, by its value.
func (t *Tiles) bytes() [][256]int32 {
	t.once.Do(func() {
		t.sums = make([][256]int32, t.layout.Slots()/4)
		table := t.table
		for g := range t.layout.Slots() / GroupSlots {
			nibbles := t.layout.Nibble(g * GroupSlots)
			for b := range 4 {
				weight := func(part int) int32 {
					return int32(int8(table[8*part+b]))<<7 + int32(int8(table[8*part+4+b]))
				}
				sums := &t.sums[4*g+b]
				if nibbles {
					fill256(sums, weight(0), 2*weight(0), 4*weight(0), 8*weight(0), weight(1), 2*weight(1), 4*weight(1), 8*weight(1))
				} else {
					fill256(sums, weight(0), 2*weight(0), weight(1), 2*weight(1), weight(2), 2*weight(2), weight(3), 2*weight(3))
				}
			}
			if nibbles {
				table = table[16:]
			} else {
				table = table[32:]
			}
		}
	})
	return t.sums
}

// fill256 sets sums[v] to the sum of what the bits of v stand for.
func fill256(sums *[256]int32, bits ...int32) {
	for i, b := range bits {
		for v := range 1 << i {
			sums[1<<i+v] = sums[v] + b
		}
	}
}

// scanGo looks up a byte at a time, in the tables of one group, which fit the nearest cache,
// for some tiles before it goes on to the next.
func scanGo(tiles []byte, sums [][256]int32, out []int32) {
	const some = 32
	stride := len(sums) * TileRows
	for len(out) > 0 {
		n := min(len(out), some*TileRows)
		clear(out[:n])
		for g := 0; g+4 <= len(sums); g += 4 {
			scanGroup(tiles[g*TileRows:], stride, &sums[g], &sums[g+1], &sums[g+2], &sums[g+3], out[:n])
		}
		out, tiles = out[n:], tiles[n/TileRows*stride:]
	}
}

// scanGroup adds a group to the sums of the rows of some tiles.
func scanGroup(tiles []byte, stride int, s0, s1, s2, s3 *[256]int32, out []int32) {
	_, _, _, _ = *s0, *s1, *s2, *s3 // not nil, in every turn
	for at := 0; len(out) >= TileRows; at += stride {
		codes, o := (*[4 * TileRows]byte)(tiles[at:]), (*[TileRows]int32)(out)
		for r := range o {
			c := binary.LittleEndian.Uint32(codes[4*r:])
			o[r] += (s0[byte(c)] + s1[byte(c>>8)]) + (s2[byte(c>>16)] + s3[c>>24])
		}
		out = out[TileRows:]
	}
}

// Rows holds a query's weights for single rows of a plane in rows.
type Rows struct {
	width int
	table []byte // per 32 bytes and crumb: 32 high digits, 32 low digits

	once sync.Once
	sums [][2][16]int32 // for rowsGo: what the halves of a byte contribute, by value
}

// NewRows prepares weights, one a slot, 4*width of them, for a plane of width bytes
// a row, a multiple of WidthStep. No weight exceeds MaxWeight.
func NewRows(weights []int32) *Rows {
	t := &Rows{width: len(weights) / 4, table: make([]byte, 2*len(weights))}
	for s, w := range weights {
		i, crumb := s/4, s%4
		at := i/32*256 + crumb*64 + i%32
		t.table[at], t.table[at+32] = byte(high(w)), byte(low(w))
	}
	return t
}

// Sums computes out[i], the sum of row number rows[i] of a plane in rows.
func (t *Rows) Sums(plane []byte, rows []uint16, out []int32) {
	if len(rows) == 0 {
		return
	}
	_ = out[len(rows)-1]
	for _, r := range rows {
		_ = plane[(int(r)+1)*t.width-1]
	}
	if level == portable {
		rowsGo(plane, t.halves(), rows, out)
		return
	}
	t.rowsKernel(plane, rows, out)
}

// halves returns what each half of each byte of a row contributes to its sum.
func (t *Rows) halves() [][2][16]int32 {
	t.once.Do(func() {
		t.sums = make([][2][16]int32, t.width)
		for i := range t.sums {
			var w [4]int32
			for crumb := range w {
				at := i/32*256 + 64*crumb + i%32
				w[crumb] = int32(int8(t.table[at]))<<7 + int32(int8(t.table[at+32]))
			}
			for v := range int32(16) {
				t.sums[i][0][v] = w[0]*(v&3) + w[1]*(v>>2)
				t.sums[i][1][v] = w[2]*(v&3) + w[3]*(v>>2)
			}
		}
	})
	return t.sums
}

func rowsGo(plane []byte, sums [][2][16]int32, rows []uint16, out []int32) {
	for k, r := range rows {
		row := plane[int(r)*len(sums):][:len(sums)]
		var a, b int32
		for i, c := range row {
			s := &sums[i]
			a += s[0][c&15]
			b += s[1][c>>4]
		}
		out[k] = a + b
	}
}

// Stretch is the factor that a stretch code stands for: 1/4 to 4, in steps of 1/64
// of the power of two below it.
func Stretch(code byte) float32 {
	return math.Float32frombits((uint32(code) + stretchBase) << stretchShift)
}

const (
	stretchShift = 17       // leaves six bits of the fraction
	stretchBase  = 125 * 64 // 2^-2
	stretchLow   = 0.25     // Stretch(0)
	stretchHigh  = 3.96875  // Stretch(255)
)

// StretchCode returns the code of the stretch that is nearest to x.
func StretchCode(x float64) byte {
	x = min(max(x, stretchLow), stretchHigh)
	if x != x {
		return 0
	}
	return byte(min((math.Float32bits(float32(x))+1<<(stretchShift-1))>>stretchShift, stretchBase+255) - stretchBase)
}

// Bound has the numbers that turn a row's integer sum, its stretch code and its two
// residual codes into an upper bound:
// (Scale*sum + Offset)*Stretch(code) + Base + A*ra + B*rb, in float32, each operation rounded.
type Bound struct {
	Base, Scale, A, B float32
	Cut               float32 // rows with a bound below it are discarded
	Offset            float32
}

// Apply computes the bounds of len(dots) rows, a multiple of 64, and sets the bits
// in mask of those that are not below the cut.
func (b *Bound) Apply(dots []int32, stretch, ra, rb []byte, ub []float32, mask []uint64) {
	words := len(dots) / 64
	if words == 0 {
		return
	}
	_, _, _, _, _ = stretch[64*words-1], ra[64*words-1], rb[64*words-1], ub[64*words-1], mask[words-1]
	if level != portable {
		p := [6]float32{b.Base, b.Scale, b.A, b.B, b.Cut, b.Offset}
		boundsKernel(&dots[0], &stretch[0], &ra[0], &rb[0], words, &p[0], &ub[0], &mask[0])
		return
	}
	boundsGo(b, dots[:64*words], stretch, ra, rb, ub, mask)
}

// At is the bound of one row.
func (b *Bound) At(dot int32, stretch, ra, rb byte) float32 {
	v := float32(float32(dot)*b.Scale) + b.Offset
	v = float32(v*Stretch(stretch)) + b.Base
	v += float32(float32(ra) * b.A)
	v += float32(float32(rb) * b.B)
	return v
}

// stretches are Stretch of all codes.
var stretches = func() (s [256]float32) {
	for c := range s {
		s[c] = Stretch(byte(c))
	}
	return s
}()

func boundsGo(b *Bound, dots []int32, stretch, ra, rb []byte, ub []float32, mask []uint64) {
	base, scale, offset, fa, fb, cut := b.Base, b.Scale, b.Offset, b.A, b.B, b.Cut
	for w := range len(dots) / 64 {
		d, s, u := (*[64]int32)(dots[64*w:]), (*[64]byte)(stretch[64*w:]), (*[64]float32)(ub[64*w:])
		xa, xb := (*[64]byte)(ra[64*w:]), (*[64]byte)(rb[64*w:])
		for i := range u { // as At
			v := float32(float32(d[i])*scale) + offset
			v = float32(v*stretches[s[i]]) + base
			v += float32(float32(xa[i]) * fa)
			v += float32(float32(xb[i]) * fb)
			u[i] = v
		}
		var bits uint64
		for i, v := range u {
			if v >= cut {
				bits |= 1 << i
			}
		}
		mask[w] = bits
	}
}

// Slot is how one number of a code is made: what is left of dimension Dim is
// quantized to Low + Step*c, c in 0..3, and the rest stays for later slots.
type Slot struct {
	Dim   uint32
	Shift uint32 // of the two bits within the group's word
	Low   float32
	Step  float32
	Inv   float32 // 1/Step, or about
}

// Quantize codes a tile. y holds TileRows numbers a dimension and is left with
// the residuals. slots come in whole groups; out gets TileRows words a group:
// the group's bytes in the order of tiles.
func Quantize(y []float32, slots []Slot, out []uint32) {
	n := len(slots) / GroupSlots
	if n == 0 {
		return
	}
	_ = out[n*TileRows-1]
	for i := range slots {
		_ = y[(slots[i].Dim+1)*TileRows-1]
	}
	if level != portable {
		quantizeKernel(&y[0], (*byte)(unsafe.Pointer(&slots[0])), n, &out[0])
		return
	}
	quantizeGo(y, slots, out)
}

// A float32 has no bits after the point if roundMagic is added and its absolute value is below
// roundLimit: this rounds it, half to even, and has the integer in the low bits.
const (
	roundMagic = 3 << 22
	roundLimit = 1 << 21
)

func quantizeGo(y []float32, slots []Slot, out []uint32) {
	clear(out[:len(slots)/GroupSlots*TileRows])
	for i := range slots {
		s := &slots[i]
		word := (*[TileRows]uint32)(out[i/GroupSlots*TileRows:])
		v := (*[TileRows]float32)(y[int(s.Dim)*TileRows:])
		low, step, inv, shift := s.Low, s.Step, s.Inv, s.Shift&31
		for r := range v {
			d := v[r] - low
			x := float32(d * inv)
			if !(x < roundLimit) {
				x = roundLimit
			}
			if !(x > -roundLimit) {
				x = -roundLimit
			}
			c := int32(math.Float32bits(x+roundMagic)) - int32(magicBits)
			if c < 0 {
				c = 0
			}
			if c > 3 {
				c = 3
			}
			v[r] = d - float32(float32(c)*step)
			word[r] |= uint32(c) << shift
		}
	}
}

var magicBits = math.Float32bits(roundMagic)

// ScaleRows multiplies y[TileRows*i+r] by f[r].
func ScaleRows(y []float32, f *[TileRows]float32) {
	if level != portable && len(y) > 0 {
		scaleRowsKernel(&y[0], len(y)/TileRows, &f[0])
		return
	}
	for ; len(y) >= TileRows; y = y[TileRows:] {
		v := (*[TileRows]float32)(y)
		for r := range v {
			v[r] = float32(v[r] * f[r])
		}
	}
}

// SumSquares sets out[r] to the sum of the squares of y[TileRows*i+r]. It is
// rounded in single precision: the relative error is below (len(y)/TileRows+1) * 2^-24.
func SumSquares(y []float32, out *[TileRows]float32) {
	if level != portable && len(y) > 0 {
		sumSquaresKernel(&y[0], len(y)/TileRows, &out[0])
		return
	}
	for r := 0; r < TileRows; r += 8 {
		var s0, s1, s2, s3, s4, s5, s6, s7 float32
		for y := y; len(y) >= TileRows; y = y[TileRows:] {
			v := (*[8]float32)(y[r:])
			s0 += float32(v[0] * v[0])
			s1 += float32(v[1] * v[1])
			s2 += float32(v[2] * v[2])
			s3 += float32(v[3] * v[3])
			s4 += float32(v[4] * v[4])
			s5 += float32(v[5] * v[5])
			s6 += float32(v[6] * v[6])
			s7 += float32(v[7] * v[7])
		}
		copy(out[r:r+8], []float32{s0, s1, s2, s3, s4, s5, s6, s7})
	}
}

// MatrixRows is the number of rows of a matrix that Multiply takes at a time.
const MatrixRows = 6

// Matrix is a float32 matrix packed for Multiply.
type Matrix struct {
	rows, cols int
	data       []float32 // MatrixRows rows interleaved, zero-padded
}

// NewMatrix packs a matrix given row after row.
func NewMatrix(rows, cols int, m []float32) *Matrix {
	p := &Matrix{rows: rows, cols: cols, data: make([]float32, (rows+MatrixRows-1)/MatrixRows*MatrixRows*cols)}
	for i := range rows {
		for j := range cols {
			p.data[(i/MatrixRows*cols+j)*MatrixRows+i%MatrixRows] = m[i*cols+j]
		}
	}
	return p
}

// NewTransposed packs the transpose of a matrix of cols rows, given row after row.
func NewTransposed(rows, cols int, m []float32) *Matrix {
	p := &Matrix{rows: rows, cols: cols, data: make([]float32, (rows+MatrixRows-1)/MatrixRows*MatrixRows*cols)}
	for first := 0; first < rows; first += MatrixRows {
		wide := min(MatrixRows, rows-first)
		own := p.data[first*cols : (first+MatrixRows)*cols]
		for j := range cols {
			copy(own[j*MatrixRows:(j+1)*MatrixRows], m[j*rows+first:j*rows+first+wide])
		}
	}
	return p
}

// First returns the first rows of a matrix, in the same memory. (Its padded rows may be rows
// that follow.)
func (m *Matrix) First(rows int) *Matrix {
	return &Matrix{rows: rows, cols: m.cols, data: m.data[:(rows+MatrixRows-1)/MatrixRows*MatrixRows*m.cols]}
}

// PaddedRows is the number of rows, rounded up to a multiple of MatrixRows.
func (m *Matrix) PaddedRows() int { return len(m.data) / max(1, m.cols) }

// MultiplyChunk is the number of products that Multiply adds up before it adds
// them to the result: this keeps the rounding error small, see MultiplyError.
const MultiplyChunk = 128

// MultiplyError bounds the error of Multiply: |computed - exact| of an element
// is at most MultiplyError(cols) times the product of the absolute values. The
// sum of a chunk has at most MultiplyChunk+1 roundings, the sum of chunks one each.
func MultiplyError(cols int) float64 {
	n := float64(MultiplyChunk + 2 + (cols+MultiplyChunk-1)/MultiplyChunk)
	return float64(n * 0x1p-24 * (1 + float64(n*0x1p-23)))
}

// Multiply computes the product of the matrix with TileRows vectors at a time:
// x holds TileRows numbers a column for each of tiles tiles, y TileRows numbers a
// (padded) row. Rounded in single precision, see MultiplyError.
func (m *Matrix) Multiply(x, y []float32, tiles int) {
	in, out := m.cols*TileRows, m.PaddedRows()*TileRows
	_, _ = x[tiles*in-1], y[tiles*out-1]
	clear(y[:tiles*out])
	for p := 0; p < m.PaddedRows(); p += MatrixRows {
		a := m.data[p*m.cols : (p+MatrixRows)*m.cols]
		for t := range tiles {
			y0 := y[t*out+p*TileRows : t*out+(p+MatrixRows)*TileRows]
			for k := 0; k < m.cols; k += MultiplyChunk {
				n := min(MultiplyChunk, m.cols-k)
				x0 := x[t*in+k*TileRows : t*in+(k+n)*TileRows]
				if level != portable {
					multiplyKernel(&a[k*MatrixRows], &x0[0], n, &y0[0])
				} else {
					multiplyGo(a[k*MatrixRows:], x0, n, y0)
				}
			}
		}
	}
}

// multiplyGo takes three rows of the matrix and two vectors at a time: the compiler keeps six
// sums and as many products in registers.
func multiplyGo(a, x []float32, n int, y []float32) {
	rows := unsafe.Slice((*[2 * MatrixRows]float32)(unsafe.Pointer(&a[:n*MatrixRows][0])), n/2)
	tile := unsafe.Slice((*[2 * TileRows]float32)(unsafe.Pointer(&x[:n*TileRows][0])), n/2)
	for i := 0; i < MatrixRows; i += 3 {
		for r := 0; r < TileRows; r += 2 {
			s := multiply3x2(rows, tile, uint(i), uint(r))
			if n%2 == 1 {
				for j := range s {
					s[j] += float32(a[(n-1)*MatrixRows+i+j/2] * x[(n-1)*TileRows+r+j%2])
				}
			}
			for j, sum := range s {
				y[(i+j/2)*TileRows+r+j%2] += sum
			}
		}
	}
}

// multiply3x2 returns the sums of three rows and two columns from i and r on, row after row. It
// takes two products of each at a time.
func multiply3x2(rows [][2 * MatrixRows]float32, tile [][2 * TileRows]float32, i, r uint) [6]float32 {
	var s00, s01, s10, s11, s20, s21 float32
	i, r = min(i, MatrixRows-3), min(r, TileRows-2)
	tile = tile[:len(rows)]
	for k := range rows {
		w, v := (*[MatrixRows + 3]float32)(rows[k][i:]), (*[TileRows + 2]float32)(tile[k][r:])
		s00 += float32(w[0] * v[0])
		s01 += float32(w[0] * v[1])
		s10 += float32(w[1] * v[0])
		s11 += float32(w[1] * v[1])
		s20 += float32(w[2] * v[0])
		s21 += float32(w[2] * v[1])
		s00 += float32(w[MatrixRows] * v[TileRows])
		s01 += float32(w[MatrixRows] * v[TileRows+1])
		s10 += float32(w[MatrixRows+1] * v[TileRows])
		s11 += float32(w[MatrixRows+1] * v[TileRows+1])
		s20 += float32(w[MatrixRows+2] * v[TileRows])
		s21 += float32(w[MatrixRows+2] * v[TileRows+1])
	}
	return [6]float32{s00, s01, s10, s11, s20, s21}
}
