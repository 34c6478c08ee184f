package clip

import "math"

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
	first []int   // first[i] is the input sample that the first weight of output i is for
	w     []int32 // taps weights an output, the last of them perhaps 0
	n     []int   // weights in use
	taps  int
}

// makeKernel returns the weights for outputs from, from+1, ... from+count-1 of
// resizing in samples to out: filter f stretched by the scale when reducing,
// normalised in float64, then rounded, as in Pillow's Resample.c.
func makeKernel(f Filter, in, out, from, count int) kernel {
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := float64(f.support() * stretch)
	shrink := 1 / stretch
	k := kernel{first: make([]int, count), n: make([]int, count), taps: int(math.Ceil(support))*2 + 1}
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
		k.first[i], k.n[i] = lo, hi-lo
	}
	return k
}

// span returns the input samples that are needed.
func (k *kernel) span() (lo, hi int) {
	lo = k.first[0]
	for i, f := range k.first {
		lo, hi = min(lo, f), max(hi, f+k.n[i])
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

// window is a part of a resized picture: w x h pixels at (left, top) of fullW x
// fullH.
type window struct{ fullW, fullH, left, top, w, h int }

// resample returns the window's pixels of p, 3 bytes each, resized horizontally,
// rounded to 8 bits, then vertically. Rows and columns outside of the window are
// not computed.
func resample(p *Picture, f Filter, r window) []byte {
	fullW, fullH, left, top, w, h := r.fullW, r.fullH, r.left, r.top, r.w, r.h
	vert := makeKernel(f, p.Height, fullH, top, h)
	y0, y1 := top, top+h
	if fullH != p.Height {
		y0, y1 = vert.span()
	}
	// Rows y0 to y1, resized horizontally.
	narrow := make([]byte, 3*w*(y1-y0))
	narrowRow := func(y int) []byte { return narrow[3*w*(y-y0) : 3*w*(y-y0+1)] }
	if fullW == p.Width {
		for y := y0; y < y1; y++ {
			p.row(y, left, left+w, narrowRow(y))
		}
	} else {
		hor := makeKernel(f, p.Width, fullW, left, w)
		lo, hi := hor.span()
		for i := range hor.first {
			hor.first[i] -= lo
		}
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
			if last {
				hor.across(narrowRow(y), make([]byte, 3*w), pairs)
			} else {
				hor.across(narrowRow(y), narrowRow(y+1), pairs)
			}
		}
	}
	if fullH == p.Height {
		return narrow
	}
	return vert.down(narrow, 3*w, y0)
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
			src := paired[half*(first-y0+j):][:len(sums)]
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
