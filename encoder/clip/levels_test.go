package clip

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/lupadb/lupa/encoder/clip/internal/jpeg"
	"github.com/lupadb/lupa/encoder/clip/internal/simd"
)

// same calls f with and without assembly and wants the same bytes.
func same(t *testing.T, what string, f func() []byte) {
	t.Helper()
	var want []byte
	simd.EachLevel(func(name string) {
		got := f()
		if want == nil {
			want = got
		}
		for i := range want {
			if want[i] != got[i] {
				t.Fatalf("%s: byte %d of %d is %d in %s, and %d before", what, i, len(want), got[i], name, want[i])
			}
		}
	})
}

// Assembly resizes as the Go code does, whatever the sizes, filters, parts and orientations.
func TestLevelsResample(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	for range 600 {
		w, h := 1+rng.IntN(200), 1+rng.IntN(60)
		if rng.IntN(20) == 0 {
			w = 3000 + rng.IntN(3000) // more taps than a byte counts
		}
		pix := make([]byte, 3*w*h)
		for i := range pix {
			pix[i] = byte(rng.IntN(256))
			if rng.IntN(4) > 0 { // the extremes make sums leave a byte
				pix[i] = byte(255 * rng.IntN(2))
			}
		}
		o := rng.IntN(9)
		upright := orient(fromRGB(w, h, pix), o)
		r := window{fullW: 1 + rng.IntN(90), fullH: 1 + rng.IntN(90)}
		switch rng.IntN(8) {
		case 0:
			r.fullW = upright.Width
		case 1:
			r.fullH = upright.Height
		}
		r.left, r.top = rng.IntN(r.fullW), rng.IntN(r.fullH)
		r.w, r.h = 1+rng.IntN(r.fullW-r.left), 1+rng.IntN(r.fullH-r.top)
		f := []Filter{Lanczos, Bilinear, Bicubic}[rng.IntN(3)]
		same(t, fmt.Sprintf("%d x %d, orientation %d, filter %d, %+v", w, h, o, f, r), func() []byte {
			return resample(orient(fromRGB(w, h, pix), o), f, r)
		})
	}
}

// It converts and interpolates colours as the Go code does.
func TestLevelsColours(t *testing.T) {
	y, cb, cr := make([]byte, 1<<16), make([]byte, 1<<16), make([]byte, 1<<16)
	for level := 0; level < 256; level += 5 {
		for i := range y {
			y[i], cb[i], cr[i] = byte(level), byte(i), byte(i>>8)
		}
		same(t, fmt.Sprint("Y ", level), func() []byte {
			p := [3][]byte{make([]byte, len(y)), make([]byte, len(y)), make([]byte, len(y))}
			toPlanes(&p, y, cb, cr)
			return bytes.Join(p[:], nil)
		})
	}
	rng := rand.New(rand.NewPCG(8, 2))
	for range 300 {
		w, h := 1+rng.IntN(150), 1+rng.IntN(9)
		var planes [3]plane
		for i := range planes {
			sx, sy := 1, 1
			if i > 0 {
				sx, sy = 1+rng.IntN(2), 1+rng.IntN(2)
			}
			planes[i] = plane{w: (w + sx - 1) / sx, h: (h + sy - 1) / sy, stepX: sx, stepY: sy}
			planes[i].stride = planes[i].w
			planes[i].pix = make([]byte, planes[i].w*planes[i].h)
			for k := range planes[i].pix {
				planes[i].pix[k] = byte(rng.IntN(256))
			}
		}
		lo := rng.IntN(w)
		hi := lo + 1 + rng.IntN(w-lo)
		p := ycbcrPicture(w, h, &planes)
		same(t, fmt.Sprintf("%d x %d, columns %d to %d, %+v", w, h, lo, hi, planes[1]), func() []byte {
			var out []byte
			for y := range h {
				dst := [3][]byte{make([]byte, hi-lo), make([]byte, hi-lo), make([]byte, hi-lo)}
				p.planes(y, lo, hi, &dst, nil)
				row := make([]byte, 3*(hi-lo))
				p.row(y, lo, hi, row)
				for x := range hi - lo {
					if row[3*x] != dst[0][x] || row[3*x+1] != dst[1][x] || row[3*x+2] != dst[2][x] {
						t.Fatalf("row %d, column %d of %d x %d: the planes are not the row", y, lo+x, w, h)
					}
				}
				out = append(out, row...)
			}
			return out
		})
	}
}

// It makes the tower's input of files as the Go code does.
func TestLevelsFiles(t *testing.T) {
	for name, data := range tinyImages(t) {
		info, err := Inspect(data)
		if err != nil || info.Format != "jpg" {
			continue
		}
		for _, scale := range []int{1, 2, 4, 8} {
			same(t, fmt.Sprintf("%s at 1/%d", name, scale), func() []byte {
				p, err := decodeJPEG(data, jpeg.Options{Scale: scale})
				if err != nil {
					t.Fatal(name, err)
				}
				return p.RGB()
			})
		}
		same(t, name, func() []byte {
			p, err := Decode(data, 0)
			if err != nil {
				t.Fatal(name, err)
			}
			return resample(p, Bicubic, window{64, 48, 0, 0, 64, 48})
		})
	}
}
