// Package ngram is an encoder without cgo and without a model file: the vector
// of a text is made of its words and their groups of letters, each hashed to a
// place and a sign in the vector (the hashing trick). Texts that share words, or
// parts of words, are near each other. It knows no meaning; it shows all that an
// encoder of one's own needs.
package ngram

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"unicode"

	"github.com/lupadb/lupa/encoder"
)

// Encoder is safe for concurrent use, as the interface demands.
type Encoder struct{ model encoder.Model }

var _ encoder.Encoder = (*Encoder)(nil)

// New returns an encoder of dim dimensions under a name of the caller's choice.
func New(name string, dim int) *Encoder {
	// The hash stands for everything that determines the vectors: change it
	// together with the code below, so that old columns are not searched with
	// new vectors.
	return &Encoder{encoder.Model{Name: name, Dim: dim, Hash: fmt.Sprintf("ngram-1-%d", dim)}}
}

// Model returns the identity that columns remember.
func (e *Encoder) Model() encoder.Model { return e.model }

// EncodeTexts returns a vector of unit length for each text.
func (e *Encoder) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out[i] = e.encode(t)
	}
	return out, nil
}

func (e *Encoder) encode(text string) []float32 {
	v := make([]float32, e.model.Dim)
	add := func(s string, weight float32) {
		h := fnv.New64a()
		h.Write([]byte(s))
		x := h.Sum64()
		if x>>63 == 1 {
			weight = -weight
		}
		v[x%uint64(len(v))] += weight
	}
	notWord := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for _, word := range strings.FieldsFunc(strings.ToLower(text), notWord) {
		add(word, 1)
		r := []rune("<" + word + ">")
		for k := 0; k+3 <= len(r); k++ {
			add(string(r[k:k+3]), 0.4)
		}
	}
	return unit(v)
}

// unit scales v to length 1; a text without a word gets some fixed direction.
func unit(v []float32) []float32 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		v[0], sum = 1, 1
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

// EncodeImages is not for this encoder.
func (e *Encoder) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	return nil, encoder.ErrUnsupported
}

// Close has nothing to release.
func (e *Encoder) Close() error { return nil }
