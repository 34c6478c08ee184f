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
	x *= math.Pi
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

// resample returns the w x h pixels at (left, top) of p resized to fullW x
// fullH, 3 bytes each: horizontally, rounded to 8 bits, then vertically. Rows
// and columns outside of that window are not computed.
func resample(p *Picture, f Filter, fullW, fullH, left, top, w, h int) []byte {
	vert := makeKernel(f, p.Height, fullH, top, h)
	y0, y1 := top, top+h
	if fullH != p.Height {
		y0, y1 = vert.span()
	}
	narrow := make([]byte, 3*w*(y1-y0)) // rows y0 to y1, resized horizontally
	row := make([]byte, 3*p.Width)
	var hor kernel
	if fullW != p.Width {
		hor = makeKernel(f, p.Width, fullW, left, w)
	}
	for y := y0; y < y1; y++ {
		p.row(y, row)
		dst := narrow[3*w*(y-y0) : 3*w*(y-y0+1)]
		if fullW == p.Width {
			copy(dst, row[3*left:])
		} else {
			hor.acrossRow(dst, row)
		}
	}
	if fullH == p.Height {
		return narrow
	}
	out := make([]byte, 3*w*h)
	acc := make([]int32, 3*w)
	for y := range h {
		for i := range acc {
			acc[i] = 1 << (fraction - 1)
		}
		from := vert.first[y] - y0
		for j, c := range vert.w[y*vert.taps:][:vert.n[y]] {
			src := narrow[3*w*(from+j):][:len(acc)]
			for i, v := range src {
				acc[i] += c * int32(v)
			}
		}
		dst := out[3*w*y:][:len(acc)]
		for i, a := range acc {
			dst[i] = round8(a)
		}
	}
	return out
}

// acrossRow resizes one row.
func (k *kernel) acrossRow(dst, row []byte) {
	for x, first := range k.first {
		r, g, b := int32(1<<(fraction-1)), int32(1<<(fraction-1)), int32(1<<(fraction-1))
		w := k.w[x*k.taps:][:k.n[x]]
		src := row[3*first:][:3*len(w)]
		for _, c := range w {
			s := src[:3:len(src)]
			r += c * int32(s[0])
			g += c * int32(s[1])
			b += c * int32(s[2])
			src = src[3:]
		}
		d := dst[3*x : 3*x+3]
		d[0], d[1], d[2] = round8(r), round8(g), round8(b)
	}
}
