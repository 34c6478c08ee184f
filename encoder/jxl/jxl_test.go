package jxl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"github.com/lupadb/lupa/encoder/clip"
)

func files(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("testdata/*.jxl")
	if err != nil || len(list) != 15 {
		t.Fatal(len(list), err)
	}
	return list
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Pictures have the pixels that were stored, or that djxl gives where that was lossy, and
// stand upright; testdata/make.sh made both.
func TestPixels(t *testing.T) {
	if _, err := exec.LookPath("djxl"); err != nil {
		t.Skip("without the program djxl: ", err)
	}
	for _, name := range files(t) {
		m, err := png.Decode(bytes.NewReader(read(t, name+".png")))
		if err != nil {
			t.Fatal(err)
		}
		p, err := clip.Decode(read(t, name), 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if b := m.Bounds(); b.Dx() != p.Width || b.Dy() != p.Height {
			t.Errorf("%s: %d x %d, want %v", name, p.Width, p.Height, b)
			continue
		}
		limit := 0
		if strings.Contains(name, "lossy") || strings.Contains(name, "turned") { // versions of djxl may round otherwise
			limit = 1
		}
		if most := difference(p, m); most > limit {
			t.Errorf("%s: levels differ by %d", name, most)
		}
	}
}

func difference(p *clip.Picture, want image.Image) (most int) {
	rgb := p.RGB()
	for y := range p.Height {
		for x := range p.Width {
			c := color.NRGBAModel.Convert(want.At(x, y)).(color.NRGBA)
			for k, v := range []byte{c.R, c.G, c.B} {
				d := int(rgb[3*(y*p.Width+x)+k]) - int(v)
				most = max(most, d, -d)
			}
		}
	}
	return most
}

// Headers are read without the program: the size as shown, how the picture is turned, when it
// was taken, and what else EXIF and XMP data say.
func TestHeaders(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, name := range files(t) {
		data := read(t, name)
		c, err := png.DecodeConfig(bytes.NewReader(read(t, name+".png")))
		if err != nil {
			t.Fatal(err)
		}
		info, err := clip.Inspect(data)
		if err != nil || info.Format != "jxl" || info.Width != c.Width || info.Height != c.Height {
			t.Errorf("%s: %v, %v; want %d x %d", name, info, err, c.Width, c.Height)
		}
		if rest, ok := strings.CutPrefix(filepath.Base(name), "turned-"); ok {
			m := clip.InspectMetadata(bytes.NewReader(data), int64(len(data)))
			if info.Orientation != int(rest[0]-'0') || !info.Taken.Equal(time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)) ||
				m.Camera != "Canon R5" || m.Rating == nil || *m.Rating != 4 {
				t.Errorf("%s: %+v, %+v", name, info, m)
			}
		}
		var unsupported *clip.UnsupportedFormatError
		if _, err := clip.Decode(data, 0); !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "install djxl (apt install libjxl-tools") {
			t.Errorf("%s without djxl: %v", name, err)
		}
		var large *clip.TooLargeError
		if _, err := clip.Decode(data, 1000); !errors.As(err, &large) {
			t.Errorf("%s is not too large: %v", name, err)
		}
	}
}

// All ways to write a size, as the format has them: fields of (bits, value).
func TestSizes(t *testing.T) {
	for name, c := range map[string]struct {
		fields [][2]int
		w, h   int
	}{
		"small":          {[][2]int{{1, 1}, {5, 31}, {3, 0}, {5, 1}}, 16, 256},
		"small, square":  {[][2]int{{1, 1}, {5, 16}, {3, 1}}, 136, 136},
		"9 bits":         {[][2]int{{1, 0}, {2, 0}, {9, 1}, {3, 0}, {2, 0}, {9, 2}}, 3, 2},
		"13 bits, 16:9":  {[][2]int{{1, 0}, {2, 1}, {13, 1079}, {3, 5}}, 1920, 1080},
		"13 bits, 4:3":   {[][2]int{{1, 0}, {2, 1}, {13, 3023}, {3, 3}}, 4032, 3024},
		"18 bits, 12:10": {[][2]int{{1, 0}, {2, 2}, {18, 1<<18 - 1}, {3, 2}}, (1 << 18) * 12 / 10, 1 << 18},
		"30 bits, 2:1":   {[][2]int{{1, 0}, {2, 3}, {30, 1<<29 - 1}, {3, 7}}, 1 << 30, 1 << 29},
	} {
		var b []byte
		n := 0
		for _, f := range c.fields {
			for i := range f[0] {
				if n%8 == 0 {
					b = append(b, 0)
				}
				b[n/8] |= byte(f[1]>>i&1) << (n % 8)
				n++
			}
		}
		info, err := clip.Inspect(append(append([]byte("\xff\x0a"), b...), make([]byte, 8)...))
		if err != nil || info.Width != c.w || info.Height != c.h {
			t.Errorf("%s: %v, %v; want %d x %d", name, info, err, c.w, c.h)
		}
	}
}

// Damaged files give an error or a picture, and metadata that unpack into a flood are left out.
func TestDamaged(t *testing.T) {
	whole := read(t, "testdata/turned-6.jxl")
	for n := range whole {
		clip.Inspect(whole[:n])
		other := slices.Clone(whole)
		other[n] ^= 0x55
		clip.Inspect(other)
	}
	if _, err := clip.Inspect(whole[:24]); err == nil || !strings.Contains(err.Error(), "damaged jxl") {
		t.Errorf("cut off: %v", err)
	}
	var z bytes.Buffer
	w := brotli.NewWriter(&z)
	for range 64 {
		w.Write(make([]byte, 1<<20))
	}
	w.Close()
	bomb := binary.BigEndian.AppendUint32(nil, uint32(12+z.Len()))
	bomb = append(append(bomb, "brobExif"...), z.Bytes()...)
	info, err := clip.Inspect(append(slices.Clone(read(t, "testdata/boxes.jxl")), bomb...))
	if err != nil || info.Width != 60 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := exec.LookPath("djxl"); err != nil {
		t.Skip("without the program djxl: ", err)
	}
	before, _ := filepath.Glob(filepath.Join(os.TempDir(), "lupa-jxl-*"))
	for _, n := range []int{80, len(whole) / 2, len(whole) - 3} {
		clip.Decode(whole[:n], 0)
	}
	if _, err := clip.Decode(whole[:80], 0); err == nil || !strings.Contains(err.Error(), "djxl can't decode it") {
		t.Errorf("cut off: %v", err)
	}
	if after, _ := filepath.Glob(filepath.Join(os.TempDir(), "lupa-jxl-*")); len(after) > len(before) {
		t.Errorf("files are left: %v", after)
	}
}

// A picture that takes longer than its size accounts for, or more memory, is an error.
func TestLimits(t *testing.T) {
	if _, err := exec.LookPath("djxl"); err != nil {
		t.Skip("without the program djxl: ", err)
	}
	defer func(f func(int64) (time.Duration, uint64)) { limits = f }(limits)
	data := read(t, "testdata/moving.jxl")
	limits = func(int64) (time.Duration, uint64) { return time.Nanosecond, 1 << 30 }
	if _, err := clip.Decode(data, 0); err == nil || !strings.Contains(err.Error(), "more than 1ns") {
		t.Errorf("time: %v", err)
	}
	limits = func(int64) (time.Duration, uint64) { return time.Minute, 1 << 20 }
	if _, err := clip.Decode(data, 0); runtime.GOOS == "linux" && err == nil {
		t.Error("it was decoded in a megabyte")
	}
	limits = func(pixels int64) (time.Duration, uint64) { // what is set for real is enough, for a picture of any size
		if pixels != 60*45 {
			t.Errorf("%d pixels", pixels)
		}
		return time.Minute, 1 << 30
	}
	if _, err := clip.Decode(read(t, "testdata/lossy.jxl"), 0); err != nil {
		t.Error(err)
	}
}
