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
