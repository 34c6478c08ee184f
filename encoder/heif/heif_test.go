//go:build nodynamic || ((amd64 || arm64) && (linux || darwin || windows))

package heif

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lupadb/lupa/encoder/clip"
)

// Pictures have the pixels, and stand as, libheif's heif-convert has them;
// testdata/make.sh made both. Where chroma is of half size libheif 1.18, which is in use
// here, mixes samples that 1.15 does not, so that only the mean is bounded.
func TestOracle(t *testing.T) {
	files, err := filepath.Glob("testdata/*.png")
	if err != nil || len(files) < 23 {
		t.Fatal(len(files), err)
	}
	for _, golden := range files {
		name := strings.TrimSuffix(golden, ".png")
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want := readPNG(t, golden)
		p, err := clip.Decode(data, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		info, err := clip.Inspect(data)
		if err != nil || info.Width != p.Width || info.Height != p.Height || info.Format != filepath.Ext(name)[1:] {
			t.Errorf("%s: %v, %v; decoded %d x %d", name, info, err, p.Width, p.Height)
		}
		if b := want.Bounds(); b.Dx() != p.Width || b.Dy() != p.Height {
			t.Errorf("%s: %d x %d, want %v", name, p.Width, p.Height, b)
			continue
		}
		mean, most := difference(p, want)
		limit, worst := 0.0, 0
		switch filepath.Base(name) {
		case "even.heic":
			limit, worst = 0.6, 30
		case "half.heic":
			limit, worst = 0.3, 6
		default:
			if strings.HasSuffix(name, ".avif") { // rounding of libavif and libheif
				limit, worst = 1.2, 9
			}
		}
		if mean > limit || most > worst {
			t.Errorf("%s: levels differ by %.3f in the mean and %d at most", name, mean, most)
		}
		t.Logf("%s: %.3f, %d", name, mean, most)
	}
}

func readPNG(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func difference(p *clip.Picture, want image.Image) (mean float64, most int) {
	rgb, sum := p.RGB(), 0
	for y := range p.Height {
		for x := range p.Width {
			c := color.NRGBAModel.Convert(want.At(x, y)).(color.NRGBA)
			for k, v := range []byte{c.R, c.G, c.B} {
				d := int(rgb[3*(y*p.Width+x)+k]) - int(v)
				d = max(d, -d)
				sum, most = sum+d, max(most, d)
			}
		}
	}
	return float64(sum) / float64(len(rgb)), most
}

// EXIF data are found, and their orientation is not heeded: the file says itself how the
// picture is turned.
func TestEXIF(t *testing.T) {
	data, err := os.ReadFile("testdata/even.heic")
	if err != nil {
		t.Fatal(err)
	}
	info, err := clip.Inspect(data)
	if err != nil || info.Orientation != 1 || !info.Taken.Equal(time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)) || info.Width != 160 {
		t.Errorf("%+v, %v", info, err)
	}
	if data, err = os.ReadFile("testdata/turned-3-0.avif"); err != nil {
		t.Fatal(err)
	}
	if info, err = clip.Inspect(data); err != nil || info.Orientation != 7 || info.Width != 43 {
		t.Errorf("%+v, %v", info, err)
	}
}

// A file that is cut off or damaged anywhere gives an error or a picture, in several
// goroutines at once.
func TestDamaged(t *testing.T) {
	var wg sync.WaitGroup
	for _, name := range []string{"odd.heic", "gray.avif"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, 2))
			for range 40 {
				b := bytes.Clone(data)
				if rng.IntN(3) == 0 {
					b = b[:rng.IntN(len(b))]
				} else {
					for range 1 + rng.IntN(8) {
						b[rng.IntN(len(b))] = byte(rng.IntN(256))
					}
				}
				p, err := clip.Decode(b, 1<<24)
				if err == nil {
					p.RGB()
				}
			}
		})
	}
	wg.Wait()
	data, _ := os.ReadFile("testdata/odd.heic")
	var large *clip.TooLargeError
	if _, err := clip.Decode(data, 1000); !errors.As(err, &large) {
		t.Errorf("too large: %v", err)
	}
}

// Luma and chroma of other kinds become what they mean.
func TestColours(t *testing.T) {
	for _, c := range []struct {
		colours clip.Colours
		ycc     [3]byte
		want    color.NRGBA
	}{
		{clip.Colours{Matrix: 6, Limited: true}, [3]byte{16, 128, 128}, color.NRGBA{0, 0, 0, 255}},
		{clip.Colours{Matrix: 6, Limited: true}, [3]byte{235, 128, 128}, color.NRGBA{255, 255, 255, 255}},
		{clip.Colours{Matrix: 6, Limited: true}, [3]byte{81, 90, 240}, color.NRGBA{254, 0, 0, 255}},  // red of BT.601
		{clip.Colours{Matrix: 1, Limited: true}, [3]byte{63, 102, 240}, color.NRGBA{255, 1, 0, 255}}, // red of BT.709
		{clip.Colours{Matrix: 9, Limited: true}, [3]byte{74, 97, 240}, color.NRGBA{255, 0, 1, 255}},  // red of BT.2020
		{clip.Colours{Matrix: 0}, [3]byte{10, 20, 30}, color.NRGBA{30, 10, 20, 255}},
	} {
		m := image.NewYCbCr(image.Rect(2, 2, 4, 4), image.YCbCrSubsampleRatio420)
		for i := range m.Y {
			m.Y[i] = c.ycc[0]
		}
		m.Cb[0], m.Cr[0] = c.ycc[1], c.ycc[2]
		out := asJPEG(m, c.colours)
		got := out.At(out.Bounds().Min.X+1, out.Bounds().Min.Y+1).(color.NRGBA)
		for _, d := range []int{int(got.R) - int(c.want.R), int(got.G) - int(c.want.G), int(got.B) - int(c.want.B)} {
			if d < -2 || d > 2 {
				t.Errorf("%+v: %v, want %v", c.colours, got, c.want)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"even.heic", "even.avif"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := clip.Decode(data, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
