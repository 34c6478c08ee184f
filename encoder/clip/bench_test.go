//go:build unix

package clip

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
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

// kinds are other JPEG files of a camera's size, as Pillow writes a picture with the noise of a
// sensor: options of saving by name. Without Pillow there are none.
func kinds(b *testing.B) map[string][]byte {
	const script = `
import sys
from PIL import Image
import numpy as np
rng = np.random.default_rng(5)
y, x = np.mgrid[0:3000, 0:4000].astype(np.float32)
a = np.stack([128 + 70 * np.sin(x / (40 + 30 * c) + y / 170) * np.cos(y / (60 - 9 * c)) + 30 * ((x // 50 + y // 70) % 2) for c in range(3)], -1)
a += rng.normal(0, 4, (3000, 4000, 1)).astype(np.float32)
im = Image.fromarray(np.clip(a, 0, 255).astype('u1'))
im.save(sys.argv[1] + '/q95.jpg', quality=95)
im.save(sys.argv[1] + '/q95 4:4:4.jpg', quality=95, subsampling=0)
im.save(sys.argv[1] + '/q92 4:2:2.jpg', quality=92, subsampling=1)
im.save(sys.argv[1] + '/progressive q85.jpg', quality=85, progressive=True)
im.save(sys.argv[1] + '/progressive q95.jpg', quality=95, progressive=True)
im.convert('L').save(sys.argv[1] + '/grey.jpg', quality=90)
im.convert('CMYK').save(sys.argv[1] + '/cmyk.jpg', quality=90)`
	dir := b.TempDir()
	out := map[string][]byte{}
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", script, dir).Run() != nil {
			continue
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*.jpg"))
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				b.Fatal(err)
			}
			out["12 megapixel "+filepath.Base(f)] = data
		}
		break
	}
	return out
}

// BenchmarkPixels reports the cost of making the tower's input of a file, exactly
// and fast, and for JPEG files what Pillow needs for decoding and resizing, in CPU
// time of the same run, where there is one.
func BenchmarkPixels(b *testing.B) {
	pre, err := NewPreprocessor(CLIPConfig(224))
	if err != nil {
		b.Fatal(err)
	}
	images := tinyImages(b)
	files := map[string][]byte{"12 megapixel jpg": camera(b, 4000, 3000), "480x360 jpg": images["scene-420.jpg"], "480x360 webp": images["scene.webp"], "400x300 png": images["gray.png"]}
	maps.Copy(files, kinds(b))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data := files[name]
		px := make([]float32, pre.Len())
		for _, fast := range []bool{false, true} {
			how := "exact"
			if fast {
				how = "fast"
			}
			b.Run(filepath.Join(name, how), func(b *testing.B) {
				best := math.Inf(1)
				for b.Loop() {
					before := cpuSeconds()
					if err := pre.File(px, data, 0, fast); err != nil {
						b.Fatal(err)
					}
					best = min(best, cpuSeconds()-before)
				}
				b.ReportMetric(best*1000, "best-cpu-ms/op")
				if ms, err := pillow(b, data, fast); err == nil {
					b.ReportMetric(ms, "pillow-ms/op")
				}
			})
		}
	}
}

// pillow measures Pillow doing the same; with fast it decodes at reduced size, too.
func pillow(b *testing.B, data []byte, fast bool) (ms float64, err error) {
	path := filepath.Join(b.TempDir(), "picture")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	const script = `
import io, sys, time
from PIL import Image
data = open(sys.argv[1], 'rb').read()
def once():
    im = Image.open(io.BytesIO(data))
    if sys.argv[2] == 'true': im.draft('RGB', (448, 448))
    im = im.convert('RGB')
    w, h = im.size
    w, h = (224 * w // h, 224) if w > h else (224, 224 * h // w)
    im = im.resize((w, h), Image.BICUBIC)
    im.crop(((w - 224) // 2, (h - 224) // 2, (w - 224) // 2 + 224, (h - 224) // 2 + 224)).tobytes()
best = 1e9
for _ in range(7):
    t = time.process_time(); once(); best = min(best, time.process_time() - t)
print(best * 1000)`
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		var out []byte
		if out, err = exec.Command(python, "-c", script, path, fmt.Sprint(fast)).Output(); err == nil {
			_, err = fmt.Sscan(string(out), &ms)
			return ms, err
		}
	}
	return 0, err
}

// cpuSeconds is the CPU time of this process so far.
func cpuSeconds() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return math.NaN()
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}
