package value

import (
	"fmt"
	"math"
	"math/rand"
	"strconv"
	"strings"
	"testing"
)

// The quick way to read numbers gives what strconv gives, or gives up.
func TestParseFloat32(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	quick := 0
	check := func(s string) {
		t.Helper()
		f, next, ok := parseFloat32(s, 0)
		if !ok {
			return
		}
		quick++
		want, err := strconv.ParseFloat(s[:next], 32)
		if err != nil || math.Float32bits(f) != math.Float32bits(float32(want)) {
			t.Fatalf("%s: %v, strconv says %v, %v", s, f, want, err)
		}
	}
	for range 300_000 {
		x := math.Float32frombits(rng.Uint32())
		switch rng.Intn(6) {
		case 0:
			check(strconv.FormatFloat(float64(x), 'g', -1, 32))
		case 1:
			check(strconv.FormatFloat(rng.NormFloat64(), 'f', rng.Intn(18), 64))
		case 2: // beside and on the middle between two
			middle := float64(x) + float64(math.Nextafter32(x, 2*x)-x)/2
			check(strconv.FormatFloat(middle, 'f', -1, 64))
			check(strconv.FormatFloat(math.Nextafter(middle, 0), 'e', -1, 64))
			check(strconv.FormatFloat(float64(1+rng.Intn(1<<24))+0.5, 'f', 1+rng.Intn(3), 64))
		case 3:
			check(fmt.Sprintf("%d.%de%d", rng.Intn(1000), rng.Intn(1e9), rng.Intn(60)-30))
		case 4:
			check(fmt.Sprint(rng.Int63() >> rng.Intn(63)))
		case 5:
			check(fmt.Sprintf("-0.%0*d", rng.Intn(20), rng.Intn(1e6)))
		}
	}
	// Bytes beside the digits end a number wherever they stand in eight that are read at once.
	for c := range 256 {
		for at := range 9 {
			s := []byte("0.123456789")
			s[2+at] = byte(c)
			if f, next, ok := parseFloat32(string(s), 0); ok && c-'0' > 9 && next > 2+at && c|32 != 'e' {
				t.Fatalf("%q is read as %v", s, f)
			}
			check(string(s))
		}
	}
	if quick < 100_000 {
		t.Errorf("only %d were read the quick way", quick)
	}
	for _, s := range []string{"", "-", ".", "1.", ".5", "+1", "1e", "1e+", "0x10", "1_0", "nan", "inf", "1e999", "340282356779733661637539395458142568448", "1e-46", "16777217", "9007199254740993"} {
		check(s)
	}
	for s, ok := range map[string]bool{"[1]": true, "[1, 2]": true, "[ 1 , -2.5e-3 ]": true, "[1 2]": false, "[1,]": false, "[]": false, "[1": false, "[1]x": false, "[0x1]": false, "[1,nan]": false} {
		if _, err := ParseVector(nil, s); (err == nil) != ok {
			t.Errorf("%s: %v", s, err)
		}
	}
	if v, err := ParseVector([]float32{7}, "[1,"+strings.Repeat("0", 30)+"2]"); err != nil || fmt.Sprint(v) != "[7 1 2]" {
		t.Errorf("%v, %v", v, err)
	}
}

func BenchmarkParseVector(b *testing.B) {
	rng := rand.New(rand.NewSource(1))
	v := make([]float32, 384)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	s := Vec(v).String()
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		v, _ = ParseVector(v[:0], s)
	}
}
