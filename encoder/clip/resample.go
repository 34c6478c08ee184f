package clip

import (
	"math"
	"slices"

	"github.com/lupadb/lupa/encoder/clip/internal/simd"
)

// Filter is an interpolation as Pillow numbers it.
type Filter int

// Filters that Preprocessor knows.
const (
	Lanczos  Filter = 1
	Bilinear Filter = 2
	Bicubic  Filter = 3
)

// support is half the filter's width at a scale of 1.
func (f Filter) support() float64 {
	switch f {
	case Lanczos:
		return 3
	case Bilinear:
		return 1
	}
	return 2
}

// at evaluates the filter. Products are converted explicitly so that no
// compiler fuses them with a sum: the last bit has to be the same everywhere.
func (f Filter) at(x float64) float64 {
	x = math.Abs(x)
	switch f {
	case Lanczos:
		if x < 3 {
			return float64(sinc(x) * sinc(x/3))
		}
		return 0
	case Bilinear:
		return max(0, 1-x)
	}
	const a = -0.5
	if x < 1 {
		return float64(float64(float64(float64((a+2)*x)-(a+3))*x)*x) + 1
	}
	if x < 2 {
		return float64((float64((float64((x-5)*x)+8)*x) - 4) * a)
	}
	return 0
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x = float64(x * math.Pi)
	return math.Sin(x) / x
}

// Weights are fixed point numbers with this many bits of fraction.
const fraction = 22

// kernel holds the weights for a run of output samples of one axis.
type kernel struct {
	first []int32 // first[i] is the input sample that the first weight of output i is for
	w     []int32 // taps weights an output, the last of them 0
	n     []int   // weights in use
	taps  int     // a multiple of 8
}

// makeKernel returns the weights for outputs from, from+1, ... from+count-1 of
// resizing in samples to out: filter f stretched by the scale when reducing,
// normalised in float64, then rounded, as in Pillow's Resample.c.
func makeKernel(f Filter, in, out, from, count int) kernel {
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := float64(f.support() * stretch)
	shrink := 1 / stretch
	k := kernel{first: make([]int32, count), n: make([]int, count), taps: (int(math.Ceil(support))*2 + 1 + 7) &^ 7}
	k.w = make([]int32, count*k.taps)
	weights := make([]float64, k.taps)
	for i := range count {
		centre := float64((float64(from+i) + 0.5) * scale)
		lo := max(0, int(centre-support+0.5))
		hi := min(in, int(centre+support+0.5))
		sum := 0.0
		for x := range hi - lo {
			v := f.at(float64((float64(x+lo) - centre + 0.5) * shrink))
			weights[x] = v
			sum += v
		}
		for x, v := range weights[:hi-lo] {
			if sum != 0 {
				v /= sum
			}
			v = float64(v * (1 << fraction))
			if v < 0 {
				v -= 0.5
			} else {
				v += 0.5
			}
			k.w[i*k.taps+x] = int32(v)
		}
		k.first[i], k.n[i] = int32(lo), hi-lo
	}
	return k
}

// span returns the input samples that are needed.
func (k *kernel) span() (lo, hi int) {
	lo = int(k.first[0])
	for i, f := range k.first {
		lo, hi = min(lo, int(f)), max(hi, int(f)+k.n[i])
	}
	return lo, hi
}

func round8(v int32) byte { return clamp(v >> fraction) }

// Two sums are made with one multiplication: a pair is two values, each in its
// half of 64 bits, and so is the sum of pairs times a weight. The lower sum, when
// negative, borrows from the upper one, which halves makes up for. Neither leaves
// 32 bits: 255 times all weights without their signs is below 2^31.
const pairRounding = 1<<(fraction-1) | 1<<(fraction-1+32)

// halves rounds both sums of a pair to 8 bits.
func halves(sum int64) (lower, upper byte) {
	low := int32(sum)
	return round8(low), round8(int32((sum - int64(low)) >> 32))
}

// margin is how many bytes assembly may read and write behind rows.
const margin = 32

// window is a part of a resized picture: w x h pixels at (left, top) of fullW x
// fullH.
type window struct{ fullW, fullH, left, top, w, h int }

// resample returns the window's pixels of p, 3 bytes each, resized horizontally,
// rounded to 8 bits, then vertically. Rows and columns outside of the window are
// not computed.
func resample(p *Picture, f Filter, r window) []byte {
	fullW, fullH, left, top, w, h := r.fullW, r.fullH, r.left, r.top, r.w, r.h
	if p.stored != nil && simd.Available() && fullW != p.Width && fullH != p.Height {
		return resampleTurned(p, f, r)
	}
	vert := makeKernel(f, p.Height, fullH, top, h)
	y0, y1 := top, top+h
	if fullH != p.Height {
		y0, y1 = vert.span()
	}
	// Rows y0 to y1, resized horizontally.
	narrow := make([]byte, 3*w*(y1-y0), 3*w*(y1-y0)+margin)
	if fullW == p.Width {
		for y := y0; y < y1; y++ {
			p.row(y, left, left+w, narrow[3*w*(y-y0):3*w*(y-y0+1)])
		}
	} else {
		hor := makeKernel(f, p.Width, fullW, left, w)
		hor.rows(p, y0, y1, narrow)
	}
	if fullH == p.Height {
		return narrow
	}
	return vert.down(narrow, 3*w, y0)
}

// rows resizes rows y0 to y1 of p horizontally.
func (k *kernel) rows(p *Picture, y0, y1 int, dst []byte) {
	lo, hi := k.span()
	k.shift(lo)
	if !simd.Available() {
		k.pairs(p, lo, hi, y0, y1, dst)
		return
	}
	n, w := hi-lo, 3*len(k.first)
	memory, room := make([]byte, 3*n+k.taps), make([]byte, 3*n)
	planes := [3][]byte{memory, memory[n:], memory[2*n:]}
	for y := y0; y < y1; y++ {
		p.planes(y, lo, hi, &planes, room)
		simd.Across(dst[w*(y-y0):cap(dst)], &planes, k.first, k.w, k.taps)
	}
}

// shift makes sample lo the first one.
func (k *kernel) shift(lo int) {
	for i := range k.first {
		k.first[i] -= int32(lo)
	}
}

// mirror makes a kernel for in samples one for the same samples in the opposite order.
func (k *kernel) mirror(in int) {
	for i, n := range k.n {
		slices.Reverse(k.w[i*k.taps:][:n])
		k.first[i] = int32(in-n) - k.first[i]
	}
}

// resampleTurned is resample for a picture that is not stored upright, and is not turned here
// as a whole either: the upright one's rows, which are resized first, may be the stored one's
// columns.
func resampleTurned(p *Picture, f Filter, r window) []byte {
	hor, vert := makeKernel(f, p.Width, r.fullW, r.left, r.w), makeKernel(f, p.Height, r.fullH, r.top, r.h)
	switch p.orientation {
	case 2, 3, 6, 7:
		hor.mirror(p.Width)
	}
	switch p.orientation {
	case 3, 4, 7, 8:
		vert.mirror(p.Height)
	}
	if p.orientation < 5 {
		y0, y1 := vert.span()
		narrow := make([]byte, 3*r.w*(y1-y0), 3*r.w*(y1-y0)+margin)
		hor.rows(p.stored, y0, y1, narrow)
		return vert.down(narrow, 3*r.w, y0)
	}
	lo, hi := vert.span()
	vert.shift(lo)
	n := 3 * (hi - lo)
	tail := max(margin, vert.taps)
	stored, room := stripes{p: p.stored, lo: lo, hi: hi, bytes: make([]byte, n*(hor.taps+16)+tail)}, make([]byte, n)
	low, column := make([]byte, n+tail), make([]byte, 3*r.h+margin)
	planes := [3][]byte{low, low[n/3:], low[2*n/3:]}
	out := make([]byte, 3*r.w*r.h)
	for i := range r.w {
		x := i
		if hor.first[0] > hor.first[r.w-1] { // mirrored: rows are wanted in the order of the file
			x = r.w - 1 - i
		}
		simd.Down(low, stored.from(int(hor.first[x]), hor.n[x], room), n, n, hor.w[x*hor.taps:][:hor.n[x]])
		simd.Across(column, &planes, vert.first, vert.w, vert.taps)
		for y := range r.h {
			copy(out[3*(r.w*y+x):][:3], column[3*y:])
		}
	}
	return out
}

// stripes hands out some rows of a picture at a time, from further and further down.
type stripes struct {
	p      *Picture
	lo, hi int    // columns
	bytes  []byte // rows y0 to y1, of which each has a part for each channel, and what assembly may read behind them
	y0, y1 int
}

// from returns rows y to y+n and what is behind them.
func (s *stripes) from(y, n int, room []byte) []byte {
	w := 3 * (s.hi - s.lo)
	if s.y0 >= s.y1 || y >= s.y1 {
		s.y0, s.y1 = y, y
	}
	for s.y1 < y+n {
		if w*(s.y1-s.y0+1)+margin > len(s.bytes) { // make room: what is before y is not wanted again
			copy(s.bytes, s.bytes[w*(y-s.y0):w*(s.y1-s.y0)])
			s.y0 = y
		}
		at := s.bytes[w*(s.y1-s.y0):][:w]
		third := w / 3
		s.p.planes(s.y1, s.lo, s.hi, &[3][]byte{at[:third], at[third : 2*third], at[2*third:]}, room)
		s.y1++
	}
	return s.bytes[w*(y-s.y0):]
}

// pairs resizes columns lo to hi of rows y0 to y1 horizontally, two rows at a time.
func (k *kernel) pairs(p *Picture, lo, hi, y0, y1 int, dst []byte) {
	w := 3 * len(k.first)
	first, second, pairs := make([]byte, 3*(hi-lo)), make([]byte, 3*(hi-lo)), make([]int64, 3*(hi-lo))
	for y := y0; y < y1; y += 2 {
		p.row(y, lo, hi, first)
		last := y+1 == y1
		if !last {
			p.row(y+1, lo, hi, second)
		}
		upper := second[:len(first)]
		for i, v := range first {
			pairs[i] = int64(v) | int64(upper[i])<<32
		}
		at := dst[w*(y-y0):]
		if last {
			k.across(at[:w], make([]byte, w), pairs)
		} else {
			k.across(at[:w], at[w:2*w], pairs)
		}
	}
}

// across resizes two rows, of which pairs has the values side by side.
func (k *kernel) across(a, b []byte, pairs []int64) {
	for x, first := range k.first {
		r, g, bl := int64(pairRounding), int64(pairRounding), int64(pairRounding)
		w := k.w[x*k.taps:][:k.n[x]]
		src := pairs[3*first:][:3*len(w)]
		for len(w) >= 2 && len(src) >= 6 {
			c, d, s := int64(w[0]), int64(w[1]), (*[6]int64)(src)
			r += c*s[0] + d*s[3]
			g += c*s[1] + d*s[4]
			bl += c*s[2] + d*s[5]
			w, src = w[2:], src[6:]
		}
		if len(w) > 0 {
			c, s := int64(w[0]), (*[3]int64)(src)
			r += c * s[0]
			g += c * s[1]
			bl += c * s[2]
		}
		da, db := a[3*x:3*x+3], b[3*x:3*x+3]
		da[0], db[0] = halves(r)
		da[1], db[1] = halves(g)
		da[2], db[2] = halves(bl)
	}
}

// down resizes rows of n bytes, the first of which is row y0, vertically.
func (k *kernel) down(rows []byte, n, y0 int) []byte {
	if simd.Available() {
		out := make([]byte, n*len(k.first), n*len(k.first)+margin)
		for y, first := range k.first {
			simd.Down(out[n*y:cap(out)], rows[n*(int(first)-y0):cap(rows)], n, n, k.w[y*k.taps:][:k.n[y]])
		}
		return out
	}
	// Values i and i+half of a row are a pair.
	half := (n + 1) / 2
	paired := make([]int64, half*(len(rows)/n))
	for y := range len(rows) / n {
		src, dst := rows[n*y:n*(y+1)], paired[half*y:half*(y+1)]
		for i, v := range src[:half] {
			dst[i] = int64(v)
		}
		for i, v := range src[half:] {
			dst[i] |= int64(v) << 32
		}
	}
	out := make([]byte, n*len(k.first))
	sums := make([]int64, half)
	for y, first := range k.first {
		for i := range sums {
			sums[i] = pairRounding
		}
		for j, c := range k.w[y*k.taps:][:k.n[y]] {
			src := paired[half*(int(first)-y0+j):][:len(sums)]
			for i, v := range src {
				sums[i] += int64(c) * v
			}
		}
		lower, upper := out[n*y:][:half], out[n*y+half:n*(y+1)]
		for i, s := range sums[:len(upper)] {
			lower[i], upper[i] = halves(s)
		}
		if n%2 == 1 {
			lower[half-1], _ = halves(sums[half-1])
		}
	}
	return out
}
