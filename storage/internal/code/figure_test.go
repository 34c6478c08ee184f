package code

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/internal/simd"
)

var figure = flag.String("figure", "", "where TestFigure writes a picture of bounds against scores (SVG)")

// TestFigure compares the bounds of real image vectors, the drawings of the demo, with
// their scores, and draws them with -figure.
func TestFigure(t *testing.T) {
	b, err := os.ReadFile("../../../testdata/toy-clip/corpus/features.npy")
	if err != nil {
		t.Fatal(err)
	}
	const dim = 128
	b = b[10+binary.LittleEndian.Uint16(b[8:]):]
	x := make([]float32, len(b)/2)
	simd.Halves(x, b)
	query := make([]float64, dim)
	copyUnit(query, x[20*BlockRows/2*dim:][:dim]) // a row that is not in the first blocks
	tr := Train(dim, x, nil)
	q := tr.NewQuery(query)
	e := tr.NewEncoder()
	var truth, by1, by2 []float64
	for block := range 4 {
		rows := x[block*BlockRows*dim : (block+1)*BlockRows*dim]
		b1, b2 := e.Block(rows, nil, nil)
		var p1, p2 Plane
		for i, data := range [][]byte{b1, b2} {
			if ok, err := tr.Parse(data, i+1, []*Plane{&p1, &p2}[i]); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		var s Scratch
		var all [BlockRows / 64]uint64
		for i := range all {
			all[i] = math.MaxUint64
		}
		q.Scan1(&p1, &all, math.Inf(-1), &s)
		for i := range BlockRows {
			s.Rows = append(s.Rows, uint16(i))
		}
		q.Scan2(&p1, &p2, &s)
		unit := make([]float64, dim)
		for i := range BlockRows {
			copyUnit(unit, rows[i*dim:(i+1)*dim])
			sum := 0.0
			for j := range unit {
				sum += float64(unit[j] * query[j])
			}
			truth, by1, by2 = append(truth, sum), append(by1, float64(s.Upper[i])), append(by2, s.Upper2[i])
		}
	}
	sorted := append([]float64{}, truth...)
	sort.Float64s(sorted)
	cut := sorted[len(sorted)-10]
	left := [2]int{}
	for i := range truth {
		if by1[i] < truth[i]-1e-6 || by2[i] < truth[i] {
			t.Fatalf("row %d: score %v, bounds %v and %v", i, truth[i], by1[i], by2[i])
		}
		for k, bound := range []float64{by1[i], by2[i]} {
			if bound >= cut {
				left[k]++
			}
		}
	}
	if left[1] < 10 || left[0] < left[1] || left[0] == len(truth) {
		t.Errorf("of %d rows %d and %d are left by the two planes", len(truth), left[0], left[1])
	}
	if *figure != "" {
		if err := os.WriteFile(*figure, []byte(draw(truth, by1, by2, cut, left)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// copyUnit divides x by its norm.
func copyUnit(unit []float64, x []float32) {
	sum := 0.0
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	for i, v := range x {
		unit[i] = float64(v) / math.Sqrt(sum)
	}
}

// draw returns a picture of how far each row's bounds are above its score. Rows above the
// falling line have a bound that is not below the cut-off.
func draw(truth, by1, by2 []float64, cut float64, left [2]int) string {
	const width, height, margin = 900.0, 560.0, 60.0
	low, high := truth[0], 0.0
	for i := range truth {
		low, high = min(low, truth[i]), max(high, by1[i]-truth[i])
	}
	px := func(v float64) float64 { return margin + (v-low)/(1-low)*(width-2*margin) }
	py := func(v float64) float64 { return height - margin - v/high*(height-3*margin) }
	var s strings.Builder
	fmt.Fprintf(&s, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" font-size=\"15\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", width, height)
	for k, bounds := range [][]float64{by1, by2} {
		fmt.Fprintf(&s, "<path stroke=\"%s\" stroke-width=\"2.5\" stroke-linecap=\"round\" opacity=\".5\" d=\"", []string{"#d98e2b", "#2b6cb0"}[k])
		for i := range truth {
			fmt.Fprintf(&s, "M%.1f %.1fh0", px(truth[i]), py(bounds[i]-truth[i]))
		}
		s.WriteString("\"/>\n")
	}
	line := func(x1, y1, x2, y2 float64, style string) {
		fmt.Fprintf(&s, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"#333\" %s/>\n", x1, y1, x2, y2, style)
	}
	line(px(low), py(0), px(1), py(0), "")
	line(px(cut-high), py(high), px(cut), py(0), "stroke-dasharray=\"6 4\"")
	text := func(x, y float64, colour, anchor, words string) {
		fmt.Fprintf(&s, "<text x=\"%.0f\" y=\"%.0f\" fill=\"%s\" text-anchor=\"%s\">%s</text>\n", x, y, colour, anchor, words)
	}
	text(margin, 30, "#b06f15", "start", fmt.Sprintf("bound by plane 1: %d of %d rows reach the cut-off", left[0], len(truth)))
	text(margin, 54, "#2b6cb0", "start", fmt.Sprintf("bound by both planes: %d rows; 10 are the answer", left[1]))
	text(px(cut-high)-8, py(high)-8, "#333", "middle", "bound = cut-off, the score of the 10th best row")
	text(width/2, height-20, "#333", "middle", fmt.Sprintf("score (cosine), from %.2f to 1", low))
	text(px(1), py(0)+22, "#333", "end", "bound = score")
	text(margin, py(high)+4, "#333", "start", fmt.Sprintf("score + %.3f", high))
	s.WriteString("</svg>\n")
	return s.String()
}
