package encoder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// Spec is what may follow ENCODER: the name of an encoder, and how it is to be used where
// that is not how its files say.
type Spec struct {
	Name       string
	Variant    string  // which graphs of the model's directory, such as fp16 or int8; "": the best
	Dimensions int     // keep that many elements of a vector, of models trained for it; 0: all
	Query      *string // what texts that are searched for begin with; nil: as the model says
	Document   *string // what texts that are stored begin with; nil: as the model says
}

// Names of a Spec's fields in its text form.
const (
	specVariant    = "variant"
	specDimensions = "dimensions"
	specQuery      = "query"
	specDocument   = "document"
)

// ParseSpec reads the text form of a Spec. What has no form of that kind is a name.
func ParseSpec(s string) Spec {
	plain := Spec{Name: s}
	i := strings.LastIndexByte(s, '?')
	if i <= 0 {
		return plain
	}
	out := Spec{Name: s[:i]}
	for part := range strings.SplitSeq(s[i+1:], "&") {
		key, value, _ := strings.Cut(part, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			return plain
		}
		switch key {
		case specVariant:
			out.Variant = value
		case specDimensions:
			if out.Dimensions, err = strconv.Atoi(value); err != nil || out.Dimensions < 1 {
				return plain
			}
		case specQuery:
			out.Query = &value
		case specDocument:
			out.Document = &value
		default:
			return plain
		}
	}
	return out
}

// String is the name alone, or "name?dimensions=256&variant=int8": the text form, by which
// a column remembers its encoder.
func (s Spec) String() string {
	var parts []string
	add := func(key, value string) { parts = append(parts, key+"="+url.QueryEscape(value)) }
	if s.Dimensions > 0 {
		add(specDimensions, strconv.Itoa(s.Dimensions))
	}
	if s.Variant != "" {
		add(specVariant, s.Variant)
	}
	if s.Query != nil {
		add(specQuery, *s.Query)
	}
	if s.Document != nil {
		add(specDocument, *s.Document)
	}
	if len(parts) == 0 {
		return s.Name
	}
	return s.Name + "?" + strings.Join(parts, "&")
}

// Base is the part of a Spec that an Opener is asked for: name and variant.
func (s Spec) Base() string { return Spec{Name: s.Name, Variant: s.Variant}.String() }

// Prompter is implemented by encoders of models that were trained on texts with
// something before them: "query: " where a text is searched for, "passage: " where it is
// searched. EncodeTexts takes texts as they are; who calls it adds the prompt.
type Prompter interface {
	Prompts() (query, document string)
}

// Prompts returns what texts begin with that are searched for, and those that are
// stored; both empty for most encoders.
func Prompts(e Encoder) (query, document string) {
	if p, ok := e.(Prompter); ok {
		return p.Prompts()
	}
	return "", ""
}

// Configure returns e as a Spec says, e itself where it says nothing but name and variant.
// The outcome has an identity of its own.
func Configure(e Encoder, s Spec) (Encoder, error) {
	if s.Dimensions == 0 && s.Query == nil && s.Document == nil {
		return e, nil
	}
	c := &configured{Encoder: e, model: e.Model()}
	if s.Dimensions > c.model.Dim {
		return nil, fmt.Errorf("encoder %s makes vectors of %d dimensions; DIMENSIONS %d is more", s.Name, c.model.Dim, s.Dimensions)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", c.model.Hash)
	if s.Dimensions > 0 && s.Dimensions < c.model.Dim {
		c.model.Dim = s.Dimensions
		fmt.Fprintf(h, "%d dimensions\n", s.Dimensions)
	}
	c.query, c.document = Prompts(e)
	if s.Query != nil {
		c.query = *s.Query
		fmt.Fprintf(h, "query %q\n", c.query)
	}
	if s.Document != nil {
		c.document = *s.Document
		fmt.Fprintf(h, "document %q\n", c.document)
	}
	c.model.Name = s.String()
	if c.model.Hash != "" {
		c.model.Hash = hex.EncodeToString(h.Sum(nil))
	}
	if list, ok := e.(Sampler); ok { // which says by being there that the prompts are fixed
		return struct {
			*configured
			Sampler
		}{c, list}, nil
	}
	return c, nil
}

// configured is an encoder with other prompts, or shorter vectors.
type configured struct {
	Encoder
	model           Model
	query, document string
}

func (c *configured) Model() Model { return c.model }

func (c *configured) Prompts() (query, document string) { return c.query, c.document }

func (c *configured) Can() (texts, pictures error) {
	if e, ok := c.Encoder.(Capable); ok {
		return e.Can()
	}
	return nil, nil
}

// CountTokens is what the encoder says.
func (c *configured) CountTokens(text string) (int, error) { return CountTokens(c.Encoder, text) }

// MaxTokens is what the encoder says.
func (c *configured) MaxTokens() int { return MaxTokens(c.Encoder) }

// Quick is what the encoder says.
func (c *configured) Quick() bool {
	q, ok := c.Encoder.(Quick)
	return ok && q.Quick()
}

// Sigmoid is what the encoder says of vectors of full length; shorter ones have other cosines.
func (c *configured) Sigmoid() (scale, bias float64, ok bool) {
	if s, is := c.Encoder.(Sigmoid); is && c.model.Dim == c.Encoder.Model().Dim {
		return s.Sigmoid()
	}
	return 0, 0, false
}

func (c *configured) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	vectors, err := c.Encoder.EncodeTexts(ctx, texts)
	for i := range vectors {
		if vectors[i], err = c.cut(vectors[i], err); err != nil {
			return nil, err
		}
	}
	return vectors, err
}

func (c *configured) EncodeImages(ctx context.Context, images []Image) ([]ImageResult, error) {
	results, err := c.Encoder.EncodeImages(ctx, images)
	for i := range results {
		if r := &results[i]; r.Err == nil {
			r.Vector, r.Err = c.cut(r.Vector, nil)
		}
	}
	return results, err
}

// cut shortens a vector and makes it a unit vector again.
func (c *configured) cut(v []float32, err error) ([]float32, error) {
	if err != nil || len(v) <= c.model.Dim {
		return v, err
	}
	v = v[:c.model.Dim:c.model.Dim]
	var sum float64
	for _, x := range v {
		sum += float64(float64(x) * float64(x))
	}
	if !(sum > 0) {
		return nil, fmt.Errorf("encoder %s: the first %d elements of a vector are all zero", c.model.Name, c.model.Dim)
	}
	scale := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * scale)
	}
	return v, nil
}
