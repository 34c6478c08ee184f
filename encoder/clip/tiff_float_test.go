package clip

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Fractions in TIFF have the levels that ImageMagick makes of them; testdata/float/make.sh made
// both.
func TestFractions(t *testing.T) {
	files, err := filepath.Glob("testdata/float/*.tif")
	if err != nil || len(files) != 10 {
		t.Fatal(len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		ppm, err := os.ReadFile(strings.TrimSuffix(name, ".tif") + ".ppm")
		if err != nil {
			t.Fatal(err)
		}
		want, err := Decode(ppm, 0)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode(data, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a, b := p.RGB(), want.RGB()
		if len(a) != len(b) {
			t.Errorf("%s: %d x %d", name, p.Width, p.Height)
			continue
		}
		most := 0
		for i := range a {
			most = max(most, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
		}
		if most > 1 {
			t.Errorf("%s: levels differ by %d", name, most)
		}
	}
}

// fractionTIFF is a gray TIFF of one row.
func fractionTIFF(bits int, values ...float32) []byte {
	b := []byte("II*\x00\x08\x00\x00\x00")
	entries := [][4]uint32{{256, 4, 1, uint32(len(values))}, {257, 4, 1, 1}, {258, 3, 1, uint32(bits)}, {259, 3, 1, 1}, {262, 3, 1, 1}, {273, 4, 1, 134}, {277, 3, 1, 1}, {278, 4, 1, 1}, {279, 4, 1, uint32(bits / 8 * len(values))}, {339, 3, 1, 3}}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(entries)))
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, uint16(e[0]))
		b = binary.LittleEndian.AppendUint16(b, uint16(e[1]))
		b = binary.LittleEndian.AppendUint32(b, e[2])
		b = binary.LittleEndian.AppendUint32(b, e[3])
	}
	b = append(b, 0, 0, 0, 0)
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// Levels that programs have computed, and what is not a number.
func TestFractionLevels(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		values []float32
		want   []byte
	}{
		{[]float32{0, 0.5, 1, 2, -1, nan, inf, -inf}, []byte{0, 128, 255, 255, 0, 0, 255, 0}},
		{[]float32{0, 10, 100, 255}, []byte{0, 10, 100, 255}},
		{[]float32{0, 257, 25700, 65535}, []byte{0, 1, 100, 255}},
		{[]float32{1e6, 5e5, 0}, []byte{255, 128, 0}},
		{[]float32{0.1, 0.2, 0.3, 100}, []byte{26, 51, 77, 255}},
	} {
		p, err := Decode(fractionTIFF(32, c.values...), 0)
		if err != nil {
			t.Errorf("%v: %v", c.values, err)
			continue
		}
		rgb := p.RGB()
		var got []byte
		for i := range c.values {
			got = append(got, rgb[3*i])
		}
		if !bytes.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
	}
	if _, err := Decode(fractionTIFF(8, 1, 2), 0); err == nil || !strings.Contains(err.Error(), "fractions of 8 bits") {
		t.Error(err)
	}
	for _, h := range []struct {
		bits uint16
		want float32
	}{{0x3c00, 1}, {0xc000, -2}, {0x0001, 1.0 / (1 << 24)}, {0x7bff, 65504}} {
		if got := half(h.bits); got != h.want {
			t.Errorf("%#x is %v, want %v", h.bits, got, h.want)
		}
	}
	if got := small24(0x3f0000); got != 1 {
		t.Errorf("24 bits: %v", got)
	}
}
