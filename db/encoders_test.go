package db

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/encoder"
)

// optional are the interfaces that encoders may have besides encoder.Encoder.
var optional = map[string]reflect.Type{
	"Sampler":  reflect.TypeFor[encoder.Sampler](),
	"Quick":    reflect.TypeFor[encoder.Quick](),
	"Sigmoid":  reflect.TypeFor[encoder.Sigmoid](),
	"Capable":  reflect.TypeFor[encoder.Capable](),
	"Counter":  reflect.TypeFor[encoder.Counter](),
	"Prompter": reflect.TypeFor[encoder.Prompter](),
}

// bare is an encoder that is nothing besides.
type bare struct{}

func (bare) Model() encoder.Model { return encoder.Model{Name: "bare", Dim: 8, Hash: "ab"} }
func (bare) EncodeTexts(_ context.Context, texts []string) ([][]float32, error) {
	return make([][]float32, len(texts)), nil
}
func (bare) EncodeImages(_ context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	return make([]encoder.ImageResult, len(images)), nil
}
func (bare) Close() error { return nil }

// able is an encoder with every optional interface, and answers that no default gives.
type able struct{ bare }

var errTexts, errPictures = errors.New("no texts"), errors.New("no pictures")

func (able) SamplePrompts(n int) []string            { return []string{"a wolf", "a dog", "a fish"}[:n] }
func (able) Quick() bool                             { return true }
func (able) Sigmoid() (scale, bias float64, ok bool) { return 10, -3, true }
func (able) Can() (texts, pictures error)            { return errTexts, errPictures }
func (able) CountTokens(text string) (int, error)    { return 3 * len(text), errTexts }
func (able) MaxTokens() int                          { return 77 }
func (able) Prompts() (query, document string)       { return "query: ", "passage: " }

// answers calls each method of an interface, and returns what they return.
func answers(e encoder.Encoder, of reflect.Type) map[string][]any {
	out := map[string][]any{}
	for i := range of.NumMethod() {
		m := of.Method(i)
		var args []reflect.Value
		for k := range m.Type.NumIn() {
			switch in := m.Type.In(k); in.Kind() {
			case reflect.Int:
				args = append(args, reflect.ValueOf(2).Convert(in))
			case reflect.String:
				args = append(args, reflect.ValueOf("a wolf").Convert(in))
			default:
				args = append(args, reflect.Zero(in))
			}
		}
		for _, r := range reflect.ValueOf(e).MethodByName(m.Name).Call(args) {
			out[m.Name] = append(out[m.Name], r.Interface())
		}
	}
	return out
}

// TestOptionalInterfaces: what an encoder can do besides encoding is not lost by what stands
// around it, the store's guard and what a column says of its encoder. An interface that is new
// in package encoder has to be known here.
func TestOptionalInterfaces(t *testing.T) {
	var declared []string
	files, err := filepath.Glob(filepath.Join("..", "encoder", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for n := range ast.Preorder(f) {
			if s, ok := n.(*ast.TypeSpec); ok && s.Name.IsExported() && s.Name.Name != "Encoder" {
				if _, ok := s.Type.(*ast.InterfaceType); ok {
					declared = append(declared, s.Name.Name)
				}
			}
		}
	}
	slices.Sort(declared)
	if known := slices.Sorted(maps.Keys(optional)); !slices.Equal(declared, known) {
		t.Fatalf("package encoder has the interfaces %q, this test knows %q", declared, known)
	}

	// Prompts of the same words, so that all answers are to be the encoder's.
	query, document := able{}.Prompts()
	configure := func(e encoder.Encoder, s encoder.Spec) encoder.Encoder {
		c, err := encoder.Configure(e, s)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	prompts := encoder.Spec{Name: "able", Query: &query, Document: &document}
	shorter := encoder.Spec{Name: "able", Dimensions: 4}
	wrapped := func(e encoder.Encoder) map[string]encoder.Encoder {
		return map[string]encoder.Encoder{
			"guarded":                guard(e, nil),
			"configured":             configure(e, prompts),
			"shorter":                configure(e, shorter),
			"guarded and configured": configure(guard(e, nil), prompts),
			"configured and guarded": guard(configure(e, prompts), nil),
		}
	}
	for how, e := range wrapped(able{}) {
		for name, of := range optional {
			if !reflect.TypeFor[able]().Implements(of) {
				t.Fatalf("the encoder of this test is no %s", name)
			}
			if !reflect.TypeOf(e).Implements(of) {
				t.Errorf("%s: %s is lost", how, name)
				continue
			}
			want := answers(able{}, of)
			if how == "shorter" && name == "Sigmoid" { // made for cosines of whole vectors
				want = map[string][]any{"Sigmoid": {0.0, 0.0, false}}
			}
			if got := answers(e, of); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s answers %v, want %v", how, name, got, want)
			}
		}
	}

	// Nothing is made up for an encoder that has none of them.
	prompts = encoder.Spec{Name: "bare", Query: new(string)}
	for how, e := range wrapped(bare{}) {
		if _, ok := e.(encoder.Sampler); ok {
			t.Errorf("%s: it says that its prompts are fixed", how)
		}
		if q, ok := e.(encoder.Quick); ok && q.Quick() {
			t.Errorf("%s: it says that it is quick", how)
		}
		if s, ok := e.(encoder.Sigmoid); ok {
			if _, _, ok := s.Sigmoid(); ok {
				t.Errorf("%s: it says that it has a sigmoid", how)
			}
		}
		if c, ok := e.(encoder.Capable); ok {
			if texts, pictures := c.Can(); texts != nil || pictures != nil {
				t.Errorf("%s: it says that it can't: %v, %v", how, texts, pictures)
			}
		}
		if n, err := encoder.CountTokens(e, "a wolf"); !errors.Is(err, encoder.ErrUnsupported) || encoder.MaxTokens(e) != 0 {
			t.Errorf("%s: it counts %d tokens, %v", how, n, err)
		}
		if q, d := encoder.Prompts(e); q != "" || d != "" {
			t.Errorf("%s: it has prompts %q, %q", how, q, d)
		}
	}
}
