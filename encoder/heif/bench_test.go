//go:build unix && (nodynamic || ((amd64 || arm64) && (linux || darwin)))

package heif

import (
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lupadb/lupa/encoder/clip"
)

// BenchmarkBesideConvert reports the processor time that a HEIC picture of 12 megapixels takes, beside
// that of heif-convert, which writes a JPEG file of it as well, in turns.
func BenchmarkBesideConvert(b *testing.B) {
	for _, program := range []string{"heif-enc", "heif-convert"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skip(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	m := image.NewRGBA(image.Rect(0, 0, 4032, 3024))
	for i := range m.Pix {
		x, y := i/4%4032, i/4/4032
		m.Pix[i] = byte(128 + 70*math.Sin(float64(x)/float64(40+10*(i%4))+float64(y)/170) + 4*rng.NormFloat64())
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	dir := b.TempDir()
	in, path, out := filepath.Join(dir, "p.png"), filepath.Join(dir, "p.heic"), filepath.Join(dir, "o.jpg")
	f, err := os.Create(in)
	if err != nil {
		b.Fatal(err)
	}
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(f, m); err != nil {
		b.Fatal(err)
	}
	f.Close()
	if out, err := exec.Command("heif-enc", "-q", "60", "-p", "preset=ultrafast", in, "-o", path).CombinedOutput(); err != nil {
		b.Skipf("heif-enc: %v: %s", err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	ours := func() time.Duration {
		before := used(b)
		p, err := clip.Decode(data, 0)
		if err != nil {
			b.Fatal(err)
		}
		p.RGB()
		return used(b) - before
	}
	first := ours() // compiles the decoder
	var mine, theirs time.Duration
	for b.Loop() {
		mine += ours()
		cmd := exec.Command("heif-convert", path, out)
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		theirs += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(mine.Seconds()/float64(b.N), "cpu-s")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "heif-convert-s")
	b.ReportMetric(mine.Seconds()/theirs.Seconds(), "times")
	b.ReportMetric((first - mine/time.Duration(b.N)).Seconds(), "compile-s")
}

func used(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
