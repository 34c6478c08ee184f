package table

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/encoder"
)

// writeNPY writes rows of dim values in C order with the given type.
func writeNPY(t *testing.T, path, descr string, rows, dim int, value func(i int) float64) {
	t.Helper()
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }", descr, rows, dim)
	head += strings.Repeat(" ", 63-(10+len(head))%64) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), byte(len(head)>>8))
	b = append(b, head...)
	for i := range rows * dim {
		switch descr {
		case "<f2":
			b = binary.LittleEndian.AppendUint16(b, half(value(i)))
		case "<f4":
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(value(i))))
		case "<f8":
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(value(i)))
		}
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// half is for values that binary16 holds exactly.
func half(f float64) uint16 {
	if f == 0 {
		return 0
	}
	sign := uint16(0)
	if f < 0 {
		sign, f = 1<<15, -f
	}
	frac, exp := math.Frexp(f)
	return sign | uint16(exp+14)<<10 | uint16((frac*2-1)*1024)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFolder(t *testing.T) {
	for _, descr := range []string{"<f2", "<f4", "<f8"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, PromptsFile), "\ufeffa wolf\r\nzwei Wölfe\r\n")
		writeNPY(t, filepath.Join(dir, VectorsFile), descr, 2, 3, func(i int) float64 { return []float64{3, 0, -4, 0, 0.5, 0}[i] })
		e, err := Open("animals", dir)
		if err != nil {
			t.Fatal(err)
		}
		if m := e.Model(); m.Name != "animals" || m.Dim != 3 || len(m.Hash) != 64 {
			t.Errorf("model %+v", m)
		}
		v, err := e.EncodeTexts(context.Background(), []string{"zwei Wölfe", "a wolf"})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(v), "[[0 1 0] [0.6 0 -0.8]]"; got != want {
			t.Errorf("%s: got %s, want %s", descr, got, want)
		}
		v[0][0] = 9 // the caller owns it
		if v, _ := e.EncodeTexts(context.Background(), []string{"zwei Wölfe"}); v[0][0] != 0 {
			t.Error("a returned vector shares memory with the table")
		}
	}
}

func TestUnknownPrompt(t *testing.T) {
	e, err := New("t", []string{"a wolf", "a castle", "a wold"}, [][]float32{{1}, {-1}, {2}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.EncodeTexts(context.Background(), []string{"a wlof"})
	var unknown *UnknownPromptError
	if !errors.As(err, &unknown) || len(unknown.Near) == 0 || unknown.Near[0] != "a wolf" {
		t.Errorf("got %v", err)
	}
	if _, err := e.EncodeImages(context.Background(), nil); !errors.Is(err, encoder.ErrUnsupported) {
		t.Errorf("pictures: %v", err)
	}
}

func TestSample(t *testing.T) {
	prompts := strings.Fields("a b c d e f g")
	vectors := make([][]float32, len(prompts))
	for i := range vectors {
		vectors[i] = []float32{1}
	}
	e, _ := New("t", prompts, vectors)
	for n, want := range map[int]string{0: "[]", 3: "[a c e]", 7: "[a b c d e f g]", 99: "[a b c d e f g]"} {
		if got := fmt.Sprint(e.SamplePrompts(n)); got != want {
			t.Errorf("SamplePrompts(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestBadTables(t *testing.T) {
	good := func(dir string) {
		write(t, filepath.Join(dir, PromptsFile), "one\ntwo\n")
		writeNPY(t, filepath.Join(dir, VectorsFile), "<f4", 2, 4, func(i int) float64 { return float64(i + 1) })
	}
	npy := func(dir string) string { return filepath.Join(dir, VectorsFile) }
	for name, c := range map[string]struct {
		spoil func(dir string)
		want  string
	}{
		"no vectors":  {func(d string) { os.Remove(npy(d)) }, "no such file"},
		"no prompts":  {func(d string) { os.Remove(filepath.Join(d, PromptsFile)) }, "no such file"},
		"empty":       {func(d string) { write(t, npy(d), "") }, "not a .npy file"},
		"three lines": {func(d string) { write(t, filepath.Join(d, PromptsFile), "one\ntwo\nthree") }, "has 3 lines but"},
		"Latin-1":     {func(d string) { write(t, filepath.Join(d, PromptsFile), "one\nd\xe9j\xe0\n") }, "line 2 is not UTF-8"},
		"integers":    {func(d string) { writeNPY(t, npy(d), "<i8", 2, 4, nil) }, "float16, float32 or float64"},
		"zero vector": {func(d string) { writeNPY(t, npy(d), "<f4", 2, 4, func(i int) float64 { return float64(min(1, i/4)) }) }, `vector 1 ("one") is zero`},
		"NaN":         {func(d string) { writeNPY(t, npy(d), "<f4", 2, 4, func(int) float64 { return math.NaN() }) }, "NaN at component 1"},
		"truncated":   {func(d string) { b, _ := os.ReadFile(npy(d)); write(t, npy(d), string(b[:len(b)-1])) }, "too short"},
		"one dimension": {func(d string) {
			write(t, npy(d), "\x93NUMPY\x01\x00\x3b\x00{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }   \n")
		}, "two-dimensional"},
		"Fortran order": {func(d string) {
			write(t, npy(d), "\x93NUMPY\x01\x00\x3b\x00{'descr': '<f4', 'fortran_order': True, 'shape': (2, 4), } \n")
		}, "ascontiguousarray"},
		"promises a lot": {func(d string) {
			write(t, npy(d), "\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (999999999, 9999), }\n")
		}, "too short"},
		"future version":  {func(d string) { write(t, npy(d), "\x93NUMPY\x09\x00\x46\x00") }, "version 9"},
		"header cut away": {func(d string) { write(t, npy(d), "\x93NUMPY\x01\x00\x46\x00{'descr': ") }, "damaged"},
	} {
		dir := t.TempDir()
		good(dir)
		if _, err := Open("t", dir); err != nil {
			t.Fatal(err)
		}
		c.spoil(dir)
		if _, err := Open("t", dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// The published CLIP vectors of object names, stored with norms far from 1.
func TestRealTable(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "data", "clip-real", "text")
	if _, err := os.Stat(root); err != nil {
		t.Skip("no shared data")
	}
	at := func(name string) Pair {
		return Pair{filepath.Join(root, name+".txt"), filepath.Join(root, name+".npy")}
	}
	e, err := Load("clip", at("lvis1203_a"), at("imagenet1000_a"), at("imagenet1000_aphotoofa"), at("objects365_a"))
	if err != nil {
		t.Fatal(err)
	}
	if e.Model().Dim != 512 {
		t.Errorf("dim %d", e.Model().Dim)
	}
	v, err := e.EncodeTexts(context.Background(), e.Prompts())
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range v {
		var sum float64
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Fatalf("%q has squared norm %v", e.Prompts()[i], sum)
		}
	}
}

func TestFloat16(t *testing.T) {
	for h, want := range map[uint16]float32{0: 0, 1: 5.9604645e-08, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0400: 6.1035156e-05, 0x83ff: -6.097555e-05} {
		if got := float16(h); got != want {
			t.Errorf("float16(%#x) = %v, want %v", h, got, want)
		}
	}
	if !math.IsInf(float64(float16(0xfc00)), -1) || !math.IsNaN(float64(float16(0x7e00))) {
		t.Error("infinity or NaN is lost")
	}
}
