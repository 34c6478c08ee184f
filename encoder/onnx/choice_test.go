package onnx

import (
	"bytes"
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/encoder"
)

// chooser is a picture tower that takes the row of a table that scores, made of the pixels and
// w, choose.
func chooser(elem ElemType, op string, w float32) graphParts {
	rows := make([]float32, 144)
	for i := range rows {
		rows[i] = float32(i + 1)
	}
	g := graphParts{
		weights: [][]byte{weights("w", elem, slices.Repeat([]float32{w}, 144), 12, 12), weights("rows", elem, rows, 12, 12), weights("one", Float32, []float32{0}, 1)},
		inputs:  [][]byte{value("pixel_values", elem, "batch", 3, 2, 2)},
		outputs: [][]byte{value("image_embeds", elem, "batch", 12)},
		nodes: [][]byte{
			node("Flatten", []string{"pixel_values"}, []string{"f"}, "axis", 1),
			node("MatMul", []string{"f", "w"}, []string{"scores"}),
		},
	}
	if op == "TopK" {
		g.nodes = append(g.nodes,
			node("Shape", []string{"one"}, []string{"k"}),
			node("TopK", []string{"scores", "k"}, []string{"best", "chosen"}))
	} else {
		g.nodes = append(g.nodes, node(op, []string{"scores"}, []string{"chosen"}, "axis", 1))
	}
	g.nodes = append(g.nodes,
		node("Gather", []string{"rows", "chosen"}, []string{"row"}),
		node("Flatten", []string{"row"}, []string{"image_embeds"}, "axis", 1))
	return g
}

// A NaN that a graph chooses by is an error, though its output is a fine vector.
func TestNaNChosenBy(t *testing.T) {
	needRuntime(t)
	m := image.NewGray(image.Rect(0, 0, 2, 2))
	m.Pix = []byte{0, 51, 102, 255}
	for _, op := range []string{"ArgMax", "ArgMin", "TopK"} {
		for _, elem := range []ElemType{Float32, Float16} {
			for w, bad := range map[float32]bool{1: false, float32(math.NaN()): true} {
				e := open(t, flatFolder(t, chooser(elem, op, w)), nil)
				r, err := e.EncodeImages(t.Context(), []encoder.Image{{Decoded: m}, {Decoded: m}, {Decoded: m}})
				switch {
				case bad && (err == nil || !strings.Contains(err.Error(), "NaN")):
					t.Errorf("%s of %v: %v, %v", op, elem, r, err)
				case !bad && err != nil:
					t.Errorf("%s of %v: %v", op, elem, err)
				case !bad && cosine(r[2].Vector, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}) < 0.999999:
					t.Errorf("%s of %v: %v", op, elem, r[2].Vector)
				}
			}
		}
	}
}

// Values by which a graph chooses are watched where they are computed, and not where they are
// token ids.
func TestChoices(t *testing.T) {
	text := func(nodes ...[]byte) graphParts {
		return graphParts{
			weights: [][]byte{weights("table", Float32, identity(4), 4, 4)},
			inputs:  [][]byte{value("input_ids", Int64, "batch", "sequence"), value("attention_mask", Int64, "batch", "sequence")},
			outputs: [][]byte{value("out", Float32, "batch", 4)},
			nodes:   nodes,
		}
	}
	n := func(op, out string, in ...string) []byte { return node(op, in, []string{out}) }
	for _, c := range []struct {
		name, want string
		graph      graphParts
	}{
		{"the highest id", "", text(n("Cast", "f", "input_ids"), n("ArgMax", "i", "f"), n("Gather", "out", "table", "i"))},
		{"the first mark of the end", "", text(n("Shape", "s", "table"), n("Equal", "e", "input_ids", "s"), n("Cast", "f", "e"), n("ArgMax", "i", "f"), n("Gather", "out", "table", "i"))},
		{"ids times the mask", "", text(n("Mul", "m", "input_ids", "attention_mask"), n("ArgMax", "i", "m"), n("Gather", "out", "table", "i"))},
		{"embeddings", "x", text(n("Gather", "x", "table", "input_ids"), n("ArgMax", "i", "x"), n("Gather", "out", "table", "i"))},
		{"computed", "h", text(n("Gather", "x", "table", "input_ids"), n("MatMul", "h", "x", "table"), n("TopK", "v", "h"), n("MatMul", "out", "v", "table"))},
		{"of what is not asked for", "", text(n("MatMul", "h", "table", "table"), n("ArgMax", "other", "h"), n("Gather", "out", "table", "input_ids"))},
		{"by what was chosen", "h", text(n("MatMul", "h", "table", "table"), n("ArgMax", "i", "h"), n("ArgMax", "j", "i"), n("Gather", "out", "table", "j"))},
	} {
		b := c.graph.model()
		s, err := readSkeleton(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.choices("out")
		if err != nil || strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %v, %v, want %s", c.name, got, err, c.want)
		}
	}
	b := chooser(Float32, "TopK", 1).model()
	s, err := readSkeleton(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.choices("image_embeds"); err != nil || len(got) != 1 || got[0] != "scores" {
		t.Error(got, err)
	}
}
