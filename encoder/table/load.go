package table

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Files of a directory that Open reads.
const (
	PromptsFile = "prompts.txt"
	VectorsFile = "prompts.npy"
)

// Pair names the two files of a table: prompts, one a line in UTF-8, and
// vectors, a two-dimensional .npy of float16, float32 or float64 in C order
// whose row i belongs to line i.
type Pair struct{ Prompts, Vectors string }

// Open loads the directory dir, which holds prompts.txt and prompts.npy.
func Open(name, dir string) (*Encoder, error) {
	e, err := Load(name, Pair{filepath.Join(dir, PromptsFile), filepath.Join(dir, VectorsFile)})
	if err != nil {
		return nil, err
	}
	e.model.Location, err = filepath.Abs(dir)
	return e, err
}

// Load reads one or several tables of the same model into one encoder.
func Load(name string, pairs ...Pair) (*Encoder, error) {
	var prompts []string
	var vectors []float32
	dim := 0
	for _, p := range pairs {
		lines, err := readLines(p.Prompts)
		if err != nil {
			return nil, fmt.Errorf("prompt table %s: %w", name, err)
		}
		v, rows, cols, err := readNPY(p.Vectors)
		if err != nil {
			return nil, fmt.Errorf("prompt table %s: %s: %w", name, p.Vectors, err)
		}
		if rows != len(lines) {
			return nil, fmt.Errorf("prompt table %s: %s has %d lines but %s has %d rows", name, p.Prompts, len(lines), p.Vectors, rows)
		}
		if dim != 0 && cols != dim {
			return nil, fmt.Errorf("prompt table %s: %s has %d columns, %s has %d", name, p.Vectors, cols, pairs[0].Vectors, dim)
		}
		dim = cols
		prompts, vectors = append(prompts, lines...), append(vectors, v...)
	}
	if len(prompts) == 0 {
		return nil, fmt.Errorf("prompt table %s is empty", name)
	}
	return build(name, prompts, vectors, dim)
}

// readLines returns the lines of a UTF-8 file without their ends. A byte order
// mark and a last line end are not part of any line.
func readLines(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := strings.TrimPrefix(string(b), "\ufeff")
	if s == "" {
		return nil, nil
	}
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	for i, l := range lines {
		if !utf8.ValidString(l) {
			return nil, fmt.Errorf("%s: line %d is not UTF-8", path, i+1)
		}
		lines[i] = strings.TrimSuffix(l, "\r")
	}
	return lines, nil
}
