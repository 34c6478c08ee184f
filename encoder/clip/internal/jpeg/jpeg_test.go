package jpeg

import (
	"bytes"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func oracle(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "oracle", "*.jpg"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = b
	}
	return out
}

// smooth is a picture without sharp edges.
func smooth(w, h int) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	for y := range h {
		for x := range w {
			m.Y[y*m.YStride+x] = byte(128 + 60*math.Sin(float64(x)/17) + 50*math.Cos(float64(y)/23+float64(x)/31))
		}
	}
	for i := range m.Cb {
		y, x := i/m.CStride, i%m.CStride
		m.Cb[i], m.Cr[i] = byte(128+50*math.Sin(float64(x)/29)), byte(128+50*math.Cos(float64(y)/19))
	}
	return m
}

func encode(t testing.TB, m image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, m, &stdjpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The samples are those of the standard library but for the rounding of its
// transform.
func TestStandardLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		w, h := 1+rng.IntN(90), 1+rng.IntN(90)
		var m image.Image
		if rng.IntN(3) == 0 {
			g := image.NewGray(image.Rect(0, 0, w, h))
			for i := range g.Pix {
				g.Pix[i] = byte(rng.Uint32())
			}
			m = g
		} else {
			c := image.NewRGBA(image.Rect(0, 0, w, h))
			for y := range h {
				for x := range w {
					c.Set(x, y, color.RGBA{byte(x * y), byte(rng.Uint32()), byte(x - y), 255})
				}
			}
			m = c
		}
		data := encode(t, m, 1+rng.IntN(100))
		got, err := Decode(data, Options{})
		if err != nil {
			t.Fatal(err)
		}
		std, err := stdjpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		planes := [][]byte{}
		strides := []int{}
		switch s := std.(type) {
		case *image.Gray:
			planes, strides = [][]byte{s.Pix}, []int{s.Stride}
		case *image.YCbCr:
			planes, strides = [][]byte{s.Y, s.Cb, s.Cr}, []int{s.YStride, s.CStride, s.CStride}
		}
		for i, c := range got.Planes {
			for y := range c.Height {
				for x := range c.Width {
					if a, b := int(c.Pix[y*c.Stride+x]), int(planes[i][y*strides[i]+x]); a-b > 2 || b-a > 2 {
						t.Fatalf("%d x %d: plane %d at (%d, %d) is %d, the standard library's %d", w, h, i, x, y, a, b)
					}
				}
			}
		}
	}
}

// At reduced size a sample is about the mean of those it stands for.
func TestScales(t *testing.T) {
	data := encode(t, smooth(333, 217), 95)
	full, err := Decode(data, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, scale := range []int{2, 4, 8} {
		m, err := Decode(data, Options{Scale: scale})
		if err != nil {
			t.Fatal(err)
		}
		if m.Width != (333+scale-1)/scale || m.Height != (217+scale-1)/scale {
			t.Errorf("1/%d: %d x %d", scale, m.Width, m.Height)
		}
		for i := range m.Planes {
			c, f := &m.Planes[i], &full.Planes[i]
			by := scale * c.StepX / f.StepX
			for y := range 217/by/f.StepY - 1 {
				for x := range 333/by/f.StepX - 1 {
					sum := 0
					for dy := range by {
						for dx := range by {
							sum += int(f.Pix[(y*by+dy)*f.Stride+x*by+dx])
						}
					}
					if d := float64(c.Pix[y*c.Stride+x]) - float64(sum)/float64(by*by); math.Abs(d) > 3.5 {
						t.Fatalf("1/%d: plane %d at (%d, %d) is %.1f off", scale, i, x, y, d)
					}
				}
			}
		}
	}
}

// Columns that are asked for are those of the whole picture, in every kind of
// file and at every scale.
func TestColumns(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, data := range oracle(t) {
		for _, scale := range []int{1, 2, 4, 8} {
			full, err := Decode(data, Options{Scale: scale})
			if err != nil {
				t.Fatalf("%s at 1/%d: %v", name, scale, err)
			}
			from := rng.IntN(full.Width)
			to := from + 1 + rng.IntN(full.Width-from)
			cut, err := Decode(data, Options{Scale: scale, From: from, To: to})
			if err != nil {
				t.Fatal(err)
			}
			for i := range full.Planes {
				a, b := &full.Planes[i], &cut.Planes[i]
				lo, hi := max(0, from/a.StepX-1), min(a.Width, (to+a.StepX-1)/a.StepX+1)
				for y := range a.Height {
					if !bytes.Equal(a.Pix[y*a.Stride+lo:y*a.Stride+hi], b.Pix[y*b.Stride+lo:y*b.Stride+hi]) {
						t.Fatalf("%s at 1/%d, columns %d to %d: row %d of plane %d differs", name, scale, from, to, y, i)
					}
				}
			}
		}
	}
}

// A file cut anywhere is an error, unless only its end marker is gone.
func TestTruncated(t *testing.T) {
	for name, data := range oracle(t) {
		rng := rand.New(rand.NewPCG(uint64(len(data)), 6))
		for range 20 {
			n := rng.IntN(len(data) - 3)
			if _, err := Decode(data[:n], Options{}); err == nil && n < len(data)-16 {
				t.Errorf("%s: %d of %d bytes are enough", name, n, len(data))
			}
		}
		if _, err := Decode(data[:len(data)-2], Options{}); err != nil {
			t.Errorf("%s without its end marker: %v", name, err)
		}
	}
}

func TestUnsupported(t *testing.T) {
	head := func(marker, bits byte, components int) []byte {
		b := []byte{0xff, 0xd8, 0xff, marker, 0, byte(8 + 3*components), bits, 0, 8, 0, 8, byte(components)}
		for i := range components {
			b = append(b, byte(i+1), 0x11, 0)
		}
		return b
	}
	for want, data := range map[string][]byte{
		"arithmetic": head(0xc9, 8, 1), "lossless": head(0xc3, 8, 1), "12 bits": head(0xc1, 12, 1), "2 components": head(0xc0, 8, 2),
		"no JPEG": []byte("x"), "too early": []byte("\xff\xd8"),
	} {
		if _, err := Decode(data, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// Whatever a file holds, it is an error or a picture, at every scale.
func FuzzDecode(f *testing.F) {
	for name, data := range oracle(f) {
		if len(data) < 1200 || strings.HasPrefix(name, "c-") {
			f.Add(data, uint8(0))
			f.Add(data, uint8(2))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, scale uint8) {
		if h, err := ReadHeader(data); err != nil || h.Width*h.Height > 1<<18 {
			return
		}
		m, err := Decode(data, Options{Scale: 1 << (scale % 4)})
		if err != nil {
			return
		}
		if m.Width < 1 || m.Height < 1 {
			t.Fatalf("%d x %d", m.Width, m.Height)
		}
		for i := range m.Planes {
			c := &m.Planes[i]
			if c.Width*c.StepX < m.Width || c.Height*c.StepY < m.Height || (c.Height-1)*c.Stride+c.Width > len(c.Pix) {
				t.Fatalf("plane %d of %d x %d: %d x %d", i, m.Width, m.Height, c.Width, c.Height)
			}
		}
	})
}

// Passing over coefficients that don't show leaves everything else as it is, what is found
// to be damaged included.
func TestPassingOver(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	files := oracle(t)
	// Large ones, with few and with many coefficients.
	for name, quality := range map[string]int{"rough": 97, "plain": 60} {
		m := smooth(1700, 1300)
		for i := range m.Y {
			m.Y[i] += byte(rng.IntN(quality - 40))
		}
		files[name] = encode(t, m, quality)
	}
	all := func(data []byte, o Options) (*Image, error) { // decodes all coefficients
		d := &decoder{data: data, opts: o}
		for d.frame == 0 {
			if err := d.segment(); err != nil {
				return nil, err
			}
		}
		d.layout()
		for i := range d.comps {
			d.comps[i].keep = 63
		}
		return d.rest()
	}
	for name, data := range files {
		for n := range 12 {
			if n >= 4 {
				if len(data) > 100_000 && n > 5 {
					break
				}
				data = bytes.Clone(data)
				data[len(data)/3+rng.IntN(2*len(data)/3)] = byte(rng.Uint32())
			}
			h, err := ReadHeader(data)
			if err != nil || h.Progressive && n >= 4 { // of which whole scans are passed over
				continue
			}
			o := Options{Scale: []int{1, 2, 4, 8}[n%4]}
			w := (h.Width + o.Scale - 1) / o.Scale
			o.From = rng.IntN(w)
			o.To = o.From + 1 + rng.IntN(w-o.From)
			got, err := Decode(data, o)
			want, werr := all(data, o)
			if (err == nil) != (werr == nil) || err != nil && err.Error() != werr.Error() {
				t.Fatalf("%s, %+v: %v, otherwise %v", name, o, err, werr)
			}
			if err != nil {
				continue
			}
			for i, c := range got.Planes {
				for y := range c.Height {
					from, to := o.From/c.StepX, min(c.Width, (o.To-1)/c.StepX+1)
					if !bytes.Equal(c.Pix[y*c.Stride+from:y*c.Stride+to], want.Planes[i].Pix[y*c.Stride+from:y*c.Stride+to]) {
						t.Fatalf("%s, %+v: plane %d differs in row %d", name, o, i, y)
					}
				}
			}
		}
	}
}
