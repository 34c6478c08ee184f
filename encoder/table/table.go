package table

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/internal/nearest"
)

// Encoder looks prompts up. It is safe for concurrent use and holds only
// memory: Close does nothing.
type Encoder struct {
	model   encoder.Model
	prompts []string
	row     map[string]int
	vectors []float32 // len(prompts) rows of model.Dim, unit length
}

var (
	_ encoder.Encoder = (*Encoder)(nil)
	_ encoder.Sampler = (*Encoder)(nil)
	_ encoder.Quick   = (*Encoder)(nil)
)

// Quick is true: the vectors are in memory.
func (e *Encoder) Quick() bool { return true }

// UnknownPromptError is returned for a text that the table does not have.
type UnknownPromptError struct {
	Encoder string
	Prompt  string
	Near    []string // prompts of the table that are spelt alike
	Size    int      // prompts in the table
}

func (e *UnknownPromptError) Error() string {
	s := fmt.Sprintf("encoder %s knows %d fixed prompts and %q is not among them", e.Encoder, e.Size, e.Prompt)
	if len(e.Near) > 0 {
		quoted := make([]string, len(e.Near))
		for i, p := range e.Near {
			quoted[i] = fmt.Sprintf("%q", p)
		}
		s += " (did you mean " + strings.Join(quoted, " or ") + "?)"
	}
	return s
}

// New makes an encoder of prompts and their vectors: vectors[i] belongs to
// prompts[i]. All vectors have one length of at least 1, finite components and
// are not zero; they are copied and scaled to unit length. Of a prompt that
// occurs twice the first counts.
func New(name string, prompts []string, vectors [][]float32) (*Encoder, error) {
	if len(prompts) != len(vectors) {
		return nil, fmt.Errorf("prompt table %s: %d prompts but %d vectors", name, len(prompts), len(vectors))
	}
	if len(prompts) == 0 {
		return nil, fmt.Errorf("prompt table %s is empty", name)
	}
	dim := len(vectors[0])
	flat := make([]float32, 0, len(vectors)*dim)
	for i, v := range vectors {
		if len(v) != dim {
			return nil, fmt.Errorf("prompt table %s: vector %d (%q) has %d dimensions, the first has %d", name, i+1, prompts[i], len(v), dim)
		}
		flat = append(flat, v...)
	}
	return build(name, slices.Clone(prompts), flat, dim)
}

// build takes ownership of prompts and of vectors, len(prompts) rows of dim.
func build(name string, prompts []string, vectors []float32, dim int) (*Encoder, error) {
	if dim < 1 {
		return nil, fmt.Errorf("prompt table %s: vectors have no components", name)
	}
	e := &Encoder{
		model:   encoder.Model{Name: name, Dim: dim, Hash: hash(prompts, vectors, dim)},
		prompts: prompts,
		row:     make(map[string]int, len(prompts)),
		vectors: vectors,
	}
	for i, p := range prompts {
		if err := normalize(vectors[i*dim : (i+1)*dim]); err != nil {
			return nil, fmt.Errorf("prompt table %s: vector %d (%q) %w", name, i+1, p, err)
		}
		if _, ok := e.row[p]; !ok {
			e.row[p] = i
		}
	}
	return e, nil
}

// hash covers the prompts and the vectors as they were given, before scaling.
func hash(prompts []string, vectors []float32, dim int) string {
	h := sha256.New()
	fmt.Fprintf(h, "prompts %d %d\n", len(prompts), dim)
	for _, p := range prompts {
		fmt.Fprintf(h, "%d %s\n", len(p), p)
	}
	buf := make([]byte, 4*dim)
	for ; len(vectors) > 0; vectors = vectors[dim:] {
		for i, v := range vectors[:dim] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// normalize scales v to unit length in place.
func normalize(v []float32) error {
	var sum float64
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fmt.Errorf("has %v at component %d", x, i+1)
		}
		sum += float64(float64(x) * float64(x))
	}
	if sum == 0 {
		return fmt.Errorf("is zero and has no direction")
	}
	scale := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * scale)
	}
	return nil
}

// Model returns the identity of the table.
func (e *Encoder) Model() encoder.Model { return e.model }

// Prompts returns all prompts in order. The caller must not change them.
func (e *Encoder) Prompts() []string { return e.prompts }

// EncodeTexts returns the vectors of known prompts, matched exactly; for any
// other text the error is an *UnknownPromptError.
func (e *Encoder) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		row, ok := e.row[t]
		if !ok {
			return nil, &UnknownPromptError{Encoder: e.model.Name, Prompt: t, Near: nearest.Of(t, e.prompts, 3), Size: len(e.row)}
		}
		out[i] = slices.Clone(e.vectors[row*e.model.Dim : (row+1)*e.model.Dim])
	}
	return out, ctx.Err()
}

// EncodeImages fails with encoder.ErrUnsupported: a table knows no pictures.
func (e *Encoder) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	return nil, e.noPictures()
}

func (e *Encoder) noPictures() error {
	return fmt.Errorf("encoder %s is a table of prompts: pictures are %w", e.model.Name, encoder.ErrUnsupported)
}

// Can implements encoder.Capable.
func (e *Encoder) Can() (texts, pictures error) { return nil, e.noPictures() }

// SamplePrompts returns up to n prompts at even distances.
func (e *Encoder) SamplePrompts(n int) []string {
	n = min(n, len(e.prompts))
	if n <= 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = e.prompts[i*len(e.prompts)/n]
	}
	return out
}

// Close does nothing.
func (e *Encoder) Close() error { return nil }
