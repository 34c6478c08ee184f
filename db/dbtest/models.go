package dbtest

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Prompts of the encoder 'colours', with their vectors: red, green, blue,
// brightness.
var Prompts = []struct {
	Text   string
	Vector [4]float32
}{
	{"red", [4]float32{1, 0, 0, 0}},
	{"green", [4]float32{0, 1, 0, 0}},
	{"blue", [4]float32{0, 0, 1, 0}},
	{"red green", [4]float32{0.6, 0.8, 0, 0}},
	{"yellow", [4]float32{0.6, 0.8, 0, 0}},
	{"purple", [4]float32{0.6, 0, 0.8, 0}},
	{"white", [4]float32{0.5, 0.5, 0.5, 0.5}},
	{"black", [4]float32{0, 0, 0, -1}},
	{"a red rose", [4]float32{0.8, 0.6, 0, 0}},
	{"the blue sky", [4]float32{0, 0.28, 0.96, 0}},
	{"it's a wolf", [4]float32{-0.5, 0.5, -0.5, 0.5}},
}

// WriteModels makes a directory of models that holds the encoder 'colours', and 'shades', which
// knows the same prompts but gives vectors of three numbers.
func WriteModels(dir string) error {
	if err := writeModel(filepath.Join(dir, "colours"), func(v [4]float32) []float32 { return v[:] }); err != nil {
		return err
	}
	return writeModel(filepath.Join(dir, "shades"), func(v [4]float32) []float32 { return []float32{v[2], v[1], v[0] + v[3]} })
}

func writeModel(dir string, of func(v [4]float32) []float32) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var text strings.Builder
	var data []byte
	dim := 0
	for _, p := range Prompts {
		text.WriteString(p.Text + "\n")
		v := of(p.Vector)
		dim = len(v)
		for _, f := range v {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
		}
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", len(Prompts), dim)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	npy := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	npy = append(append(npy, header...), data...)
	if err := os.WriteFile(filepath.Join(dir, "prompts.txt"), []byte(text.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "prompts.npy"), npy, 0o644)
}
