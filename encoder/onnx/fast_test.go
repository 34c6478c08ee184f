package onnx

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/clip"
)

// photograph is a JPEG with detail of all sizes, as photographs have: the finer the
// fainter. It has edges as well.
func photograph(t testing.TB, seed uint64, w, h, quality int) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 7))
	field := make([]float64, w*h)
	for cell, amplitude := 512, 60.0; cell >= 2; cell, amplitude = cell/2, amplitude*0.62 {
		nx, ny := w/cell+2, h/cell+2
		grid := make([]float64, nx*ny)
		for i := range grid {
			grid[i] = rng.NormFloat64() * amplitude
		}
		for y := range h {
			gy, fy := y/cell, float64(y%cell)/float64(cell)
			for x := range w {
				gx, fx := x/cell, float64(x%cell)/float64(cell)
				a, b := grid[gy*nx+gx:], grid[(gy+1)*nx+gx:]
				field[y*w+x] += (a[0]*(1-fx)+a[1]*fx)*(1-fy) + (b[0]*(1-fx)+b[1]*fx)*fy
			}
		}
	}
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	level := func(v float64) byte { return byte(max(0, min(255, v))) }
	for y := range h {
		for x := range w {
			v := 120 + field[y*w+x]
			if (x/211+y/157)%7 == 0 { // objects
				v = 250 - v/2
			}
			m.Y[y*m.YStride+x] = level(v)
		}
	}
	for y := range (h + 1) / 2 {
		for x := range (w + 1) / 2 {
			v := field[min(h-1, 2*y)*w+min(w-1, 2*x)]
			m.Cb[y*m.CStride+x], m.Cr[y*m.CStride+x] = level(128+v/3), level(128-v/4+20*math.Sin(float64(x)/90))
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Decoding at reduced size moves a vector by next to nothing: through a model of
// the size of CLIP ViT-B/32 the cosine with the exact one is at least 0.999.
func TestFast(t *testing.T) {
	needRuntime(t)
	e, err := Open(heavyFolder(t, false), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var images []encoder.Image
	for i, size := range [][2]int{{1600, 1200}, {1200, 1601}, {933, 933}, {4000, 3000}, {3000, 1000}, {500, 400}} {
		data := photograph(t, uint64(i), size[0], size[1], 60+6*i)
		images = append(images, encoder.Image{Data: data}, encoder.Image{Data: data, Fast: true})
	}
	results, err := e.EncodeImages(context.Background(), images)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(results); i += 2 {
		if results[i].Err != nil || results[i+1].Err != nil {
			t.Fatal(results[i].Err, results[i+1].Err)
		}
		dot := 0.0
		for k, v := range results[i].Vector {
			dot += float64(v) * float64(results[i+1].Vector[k])
		}
		t.Logf("picture %d: cosine %.6f", i/2, dot)
		if dot < 0.999 {
			t.Errorf("picture %d: the cosine with the exact vector is %.6f", i/2, dot)
		}
	}
}

// So do the pixels that the model is given.
func TestFastPixels(t *testing.T) {
	for _, side := range []int{224, 384} {
		pre, err := clip.NewPreprocessor(clip.CLIPConfig(side))
		if err != nil {
			t.Fatal(err)
		}
		a, b := make([]float32, pre.Len()), make([]float32, pre.Len())
		for i, size := range [][2]int{{1600, 1200}, {1803, 2404}, {4000, 3000}, {900, 2700}} {
			data := photograph(t, uint64(i), size[0], size[1], 60+8*i)
			for dst, fast := range map[*[]float32]bool{&a: false, &b: true} {
				if err := pre.File(*dst, data, 0, fast); err != nil {
					t.Fatal(err)
				}
			}
			var dot, aa, bb float64
			for k := range a {
				dot, aa, bb = dot+float64(a[k])*float64(b[k]), aa+float64(a[k])*float64(a[k]), bb+float64(b[k])*float64(b[k])
			}
			if c := dot / math.Sqrt(aa*bb); c < 0.999 {
				t.Errorf("%d x %d at %d: cosine %.6f", size[0], size[1], side, c)
			} else {
				t.Logf("%d x %d at %d: cosine %.6f", size[0], size[1], side, c)
			}
		}
	}
}
