package encoder

import (
	"context"
	"math"
	"strings"
	"testing"
)

func TestSpec(t *testing.T) {
	q, d, none := "query: ", "a&b=ü?", ""
	for _, s := range []Spec{
		{Name: "clip"}, {Name: "owner/clip"}, {Name: "what?"}, {Name: "a?b=c"}, {Name: "?dimensions=3"}, {Name: "a?dimensions=x"}, {Name: "a?dimensions=0"},
		{Name: "nomic", Dimensions: 256}, {Name: "./a b", Variant: "int8"}, {Name: "e5", Query: &q, Document: &d}, {Name: "e5", Variant: "fp16", Dimensions: 3, Query: &none},
	} {
		got := ParseSpec(s.String())
		if got.Name != s.Name || got.Variant != s.Variant || got.Dimensions != s.Dimensions || !same(got.Query, s.Query) || !same(got.Document, s.Document) {
			t.Errorf("%+v is written %q and read as %+v", s, s.String(), got)
		}
	}
}

func same(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// fixed gives one vector for everything.
type fixed struct{ v []float32 }

func (f *fixed) Model() Model { return Model{Name: "fixed", Dim: len(f.v), Hash: "ab"} }
func (f *fixed) EncodeTexts(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = append([]float32(nil), f.v...)
	}
	return out, nil
}
func (f *fixed) EncodeImages(_ context.Context, images []Image) ([]ImageResult, error) {
	v, _ := f.EncodeTexts(nil, make([]string, len(images)))
	out := make([]ImageResult, len(v))
	for i := range out {
		out[i].Vector = v[i]
	}
	return out, nil
}
func (*fixed) Close() error                      { return nil }
func (*fixed) Prompts() (query, document string) { return "q: ", "d: " }

func TestConfigure(t *testing.T) {
	e := &fixed{[]float32{0.6, 0, 0.8}}
	if c, err := Configure(e, Spec{Name: "fixed", Variant: "int8"}); err != nil || c != Encoder(e) {
		t.Errorf("nothing to configure: %v, %v", c, err)
	}
	other := "x: "
	c, err := Configure(e, Spec{Name: "fixed", Dimensions: 2, Document: &other})
	if err != nil {
		t.Fatal(err)
	}
	if q, d := Prompts(c); q != "q: " || d != other {
		t.Errorf("prompts %q and %q", q, d)
	}
	v, err := c.EncodeTexts(t.Context(), []string{"a"})
	if err != nil || len(v[0]) != 2 || math.Abs(float64(v[0][0])-1) > 1e-7 || v[0][1] != 0 {
		t.Errorf("%v, %v", v, err)
	}
	r, err := c.EncodeImages(t.Context(), make([]Image, 1))
	if err != nil || r[0].Err != nil || len(r[0].Vector) != 2 {
		t.Errorf("%v, %v", r, err)
	}
	if m := c.Model(); m.Dim != 2 || m.Hash == e.Model().Hash || m.Name != "fixed?dimensions=2&document=x%3A+" {
		t.Errorf("%+v", m)
	}
	if _, err := Configure(e, Spec{Name: "fixed", Dimensions: 4}); err == nil || !strings.Contains(err.Error(), "3 dimensions") {
		t.Errorf("too many: %v", err)
	}
	c, _ = Configure(&fixed{[]float32{0, 1}}, Spec{Name: "fixed", Dimensions: 1})
	if _, err := c.EncodeTexts(t.Context(), []string{"a"}); err == nil || !strings.Contains(err.Error(), "zero") {
		t.Errorf("nothing left: %v", err)
	}
}
