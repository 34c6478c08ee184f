package code

import (
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/lupadb/lupa/storage/internal/simd"
)

var update = flag.Bool("update", false, "write testdata/golden.json and its transforms anew")

// goldenRows is a block of rows made with integers, which every machine makes alike.
func goldenRows(dim int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 9))
	x := make([]float32, BlockRows*dim)
	for i := range BlockRows {
		shift := rng.IntN(12) - 6 // of the row's norm
		for j := range dim {
			v := float32(rng.IntN(4001)-2000) / float32(int(1)<<(j*8/dim))
			x[i*dim+j] = float32(math.Ldexp(float64(v+300), shift))
		}
		if i%97 == 5 {
			clear(x[i*dim : (i+1)*dim])
		}
	}
	return x
}

// goldenCase is a transform with what it made of a block of rows.
type goldenCase struct {
	Planes string // hash of both planes of the block
	Bounds string // hash of the bounds of all rows by plane 1 and by both, for some queries
	Some   []string
}

// TestGolden compares codes and bounds with those of other machines: every set of kernels on
// every architecture has the same, to the last bit. The transforms are stored, since
// training one uses a library for matrices whose sums have another order elsewhere.
func TestGolden(t *testing.T) {
	cases := map[string]int{"full": 100, "part": 96}
	golden := map[string]goldenCase{}
	if !*update {
		b, err := os.ReadFile("testdata/golden.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &golden); err != nil {
			t.Fatal(err)
		}
	}
	for name, dim := range cases {
		file := "testdata/" + name + ".transform"
		x := goldenRows(dim, uint64(dim))
		if *update {
			if err := os.WriteFile(file, goldenTransform(t, dim, name == "full", x).Marshal(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tr, err := Unmarshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if tr.full() != (name == "full") {
			t.Fatalf("%s: rank %d of %d dimensions", name, tr.Rank, dim)
		}
		simd.EachLevel(func(level string) {
			got := goldenRun(t, tr, x)
			if *update {
				if have, ok := golden[name]; !ok {
					golden[name] = got
				} else if fmt.Sprint(have) != fmt.Sprint(got) {
					t.Errorf("%s: %s gives\n%v, another set of kernels\n%v", name, level, got, have)
				}
			} else if want := golden[name]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %s gives\n%v, want\n%v", name, level, got, want)
			}
		})
	}
	if *update {
		b, err := json.MarshalIndent(golden, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/golden.json", append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func goldenTransform(t *testing.T, dim int, full bool, x []float32) *Transform {
	t.Helper()
	if full {
		return Train(dim, x, nil)
	}
	// A part of the space is what Train takes at many more dimensions.
	rows := unitRows(dim, 200, func(i int) []float32 { return x[i*dim : (i+1)*dim] }, 24)
	tr := &Transform{Dim: dim, Width: widths(dim), mean: make([]float32, dim)}
	tr.span(rows, rows)
	tr.derive1()
	tr.makeSlots(rows, rows)
	tr, err := Unmarshal(tr.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func goldenRun(t *testing.T, tr *Transform, x []float32) goldenCase {
	t.Helper()
	b1, b2 := tr.NewEncoder().Block(x, nil, nil)
	planes, bounds := fnv.New64a(), fnv.New64a()
	planes.Write(b1)
	planes.Write(b2)
	var p1, p2 Plane
	for i, b := range [][]byte{b1, b2} {
		if ok, err := tr.Parse(b, i+1, []*Plane{&p1, &p2}[i]); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	var g goldenCase
	var all [BlockRows / 64]uint64
	for i := range all {
		all[i] = math.MaxUint64
	}
	for k := range 8 {
		unit, sum := make([]float64, tr.Dim), 0.0
		for j := range unit {
			unit[j] = float64(x[(37*k+3)*tr.Dim+j])
			if k%2 == 1 {
				unit[j] = float64((j*(k+5))%23 - 11)
			}
			sum += float64(unit[j] * unit[j])
		}
		for j := range unit {
			unit[j] /= math.Sqrt(sum)
		}
		q := tr.NewQuery(unit)
		var s Scratch
		for range 2 { // the second scan is of a plane nearby
			q.Scan1(&p1, &all, math.Inf(-1), &s)
			s.Rows = s.Rows[:0]
			for r := range BlockRows {
				s.Rows = append(s.Rows, uint16(r))
			}
			q.Scan2(&p1, &p2, &s)
			for r := range BlockRows {
				fmt.Fprintf(bounds, "%d %x %x\n", s.Dots[r], math.Float32bits(s.Upper[r]), math.Float64bits(s.Upper2[r]))
			}
		}
		q.Scan1(&p1, &all, s.Upper2[17], &s)
		fmt.Fprintf(bounds, "%x %x\n", s.Mask, math.Float64bits(q.Spread(&p2, 1, 40)))
		g.Some = append(g.Some, fmt.Sprintf("%x %x", s.Upper[17], s.Upper2[17]))
	}
	g.Planes, g.Bounds = fmt.Sprintf("%016x", planes.Sum64()), fmt.Sprintf("%016x", bounds.Sum64())
	return g
}
