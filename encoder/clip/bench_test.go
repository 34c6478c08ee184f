package clip

import (
	"bytes"
	"image"
	"image/jpeg"
	"path/filepath"
	"testing"
)

// camera is a JPEG of w x h with detail everywhere, 4:2:0 as cameras write.
func camera(b *testing.B, w, h int) []byte {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	for y := range h {
		for x := range w {
			m.Y[y*m.YStride+x] = byte(x*y>>8 ^ x>>3 + y>>2)
		}
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = byte(i>>5), byte(i>>7)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// BenchmarkPixels reports the cost of decoding a file, and of making the
// tower's input of what was decoded.
func BenchmarkPixels(b *testing.B) {
	pre, err := NewPreprocessor(CLIPConfig(224))
	if err != nil {
		b.Fatal(err)
	}
	images := tinyImages(b)
	files := map[string][]byte{"12 megapixel jpg": camera(b, 4000, 3000), "480x360 jpg": images["scene-420.jpg"], "480x360 webp": images["scene.webp"], "400x300 png": images["gray.png"]}
	for _, name := range []string{"12 megapixel jpg", "480x360 jpg", "480x360 webp", "400x300 png"} {
		data := files[name]
		b.Run(filepath.Join(name, "decode"), func(b *testing.B) {
			for b.Loop() {
				if _, err := Decode(data, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(filepath.Join(name, "preprocess"), func(b *testing.B) {
			p, err := Decode(data, 0)
			if err != nil {
				b.Fatal(err)
			}
			px := make([]float32, pre.Len())
			for b.Loop() {
				pre.Fill(px, p)
			}
		})
	}
}
