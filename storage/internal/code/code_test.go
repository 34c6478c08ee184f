package code

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/lupadb/lupa/storage/internal/simd"
)

// rowSets are kinds of rows, the nasty ones included.
var rowSets = map[string]func(rng *rand.Rand, x []float32, i int){
	"normal": func(rng *rand.Rand, x []float32, i int) { fill(rng, x, 1) },
	"anisotropic": func(rng *rand.Rand, x []float32, i int) {
		for j := range x {
			x[j] = float32(rng.NormFloat64()/float64(j+1)) + 0.2
		}
	},
	"equal": func(rng *rand.Rand, x []float32, i int) {
		for j := range x {
			x[j] = float32(j)
		}
	},
	"one-hot": func(rng *rand.Rand, x []float32, i int) { x[rng.IntN(len(x))] = 1 },
	"norms apart": func(rng *rand.Rand, x []float32, i int) {
		fill(rng, x, float32(math.Pow(10, float64(rng.IntN(70)-35))))
	},
	"zeros": func(rng *rand.Rand, x []float32, i int) {
		if i%3 == 0 {
			fill(rng, x, 1)
		}
	},
	"all zero": func(rng *rand.Rand, x []float32, i int) {},
	"huge and denormal": func(rng *rand.Rand, x []float32, i int) {
		for j := range x {
			x[j] = math.SmallestNonzeroFloat32
			if rng.IntN(2) == 0 {
				x[j] = -math.MaxFloat32
			}
		}
	},
	"outlier": func(rng *rand.Rand, x []float32, i int) {
		for j := range x {
			x[j] = 1
		}
		fill(rng, x[:1], 1e-4)
		if i%500 == 3 {
			fill(rng, x, 1)
		}
	},
}

func fill(rng *rand.Rand, x []float32, scale float32) {
	for j := range x {
		x[j] = scale * float32(rng.NormFloat64())
	}
}

func makeBlock(rng *rand.Rand, dim int, row func(rng *rand.Rand, x []float32, i int)) []float32 {
	x := make([]float32, BlockRows*dim)
	for i := range BlockRows {
		row(rng, x[i*dim:(i+1)*dim], i)
	}
	return x
}

// Every bound is above the true inner product, whatever the rows and whatever the
// transform was trained on. LUPA_SOAK=1 tries all pairs at all dimensions.
func TestBounds(t *testing.T) {
	all := os.Getenv("LUPA_SOAK") != ""
	rng := rand.New(rand.NewPCG(1, 5))
	kinds := slices.Sorted(maps.Keys(rowSets))
	dims := []int{24, 100, 128, 257}
	if all {
		dims = append(dims, 512, 1030, 2000, 8192)
	}
	pick := 0
	for _, dim := range dims {
		for _, trained := range kinds {
			tr := Train(dim, makeBlock(rng, dim, rowSets[trained]), nil)
			if trained == "all zero" {
				if tr != nil {
					t.Fatal("a transform was trained from nothing")
				}
				continue
			}
			if tr == nil {
				t.Fatalf("no transform from %s, dim %d", trained, dim)
			}
			for i, coded := range kinds {
				if pick++; !all && coded != trained && (pick+i)%4 != 0 {
					continue
				}
				x := makeBlock(rng, dim, rowSets[coded])
				simd.EachLevel(func(level string) {
					checkBlock(t, rng, tr, x, fmt.Sprintf("%s, dim %d, trained on %s, %s", level, dim, trained, coded))
				})
			}
		}
	}
}

// Above FullDim dimensions only a part of the space is transformed.
func TestBoundsPart(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 5))
	const dim = 1030
	tr := Train(dim, makeBlock(rng, dim, rowSets["anisotropic"])[:300*dim], nil)
	if tr.full() {
		t.Fatal("the whole space was transformed")
	}
	for _, kind := range []string{"anisotropic", "one-hot", "zeros"} {
		checkBlock(t, rng, tr, makeBlock(rng, dim, rowSets[kind]), kind)
	}
}

// A transform survives storage; damage does not go unnoticed.
func TestMarshal(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	x := makeBlock(rng, 30, rowSets["normal"])
	tr := Train(30, x, [][]float32{x[:30]})
	b := tr.Marshal()
	again, err := Unmarshal(b)
	if err != nil || again.ID != tr.ID {
		t.Fatal(err)
	}
	p1, p2 := tr.NewEncoder().Block(x, nil, nil)
	q1, q2 := again.NewEncoder().Block(x, nil, nil)
	if !bytes.Equal(p1, q1) || !bytes.Equal(p2, q2) {
		t.Fatal("the stored transform codes otherwise")
	}
	for _, bad := range [][]byte{nil, b[:8], b[:len(b)-1], append([]byte{1}, b...)} {
		if _, err := Unmarshal(bad); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d bytes: %v", len(bad), err)
		}
	}
	b[len(b)/2] ^= 1
	if _, err := Unmarshal(b); !errors.Is(err, ErrMalformed) {
		t.Fatal(err)
	}
	var p Plane
	if _, err := tr.Parse(p1[:len(p1)-1], 1, &p); !errors.Is(err, ErrMalformed) {
		t.Fatal(err)
	}
	if _, err := tr.Parse(p1, 2, &p); !errors.Is(err, ErrMalformed) {
		t.Fatal(err)
	}
	other := Train(30, makeBlock(rng, 30, rowSets["normal"]), nil)
	if ok, err := other.Parse(p1, 1, &p); ok || err != nil {
		t.Fatal("codes of another transform were taken", err)
	}
}

func checkBlock(t *testing.T, rng *rand.Rand, tr *Transform, x []float32, what string) {
	t.Helper()
	dim := tr.Dim
	b1, b2 := tr.NewEncoder().Block(x, nil, nil)
	if n := float64(len(b1)+len(b2)) / BlockRows; n > 300 {
		t.Fatalf("%s: %v bytes a row", what, n)
	}
	var p1, p2 Plane
	for i, b := range [][]byte{b1, b2} {
		if ok, err := tr.Parse(b, i+1, []*Plane{&p1, &p2}[i]); err != nil || !ok {
			t.Fatal(what, ok, err)
		}
	}
	for k := range 4 {
		q := make([]float32, dim)
		switch k {
		case 0:
			copy(q, x[rng.IntN(BlockRows)*dim:])
		case 1:
			q[rng.IntN(dim)] = -1
		default:
			fill(rng, q, 1)
		}
		unit := make([]float64, dim)
		sum := 0.0
		for _, v := range q {
			sum += float64(v) * float64(v)
		}
		if sum == 0 {
			continue
		}
		for j, v := range q {
			unit[j] = float64(v) / math.Sqrt(sum)
		}
		checkQuery(t, tr, x, unit, &p1, &p2, what)
	}
}

func checkQuery(t *testing.T, tr *Transform, x []float32, unit []float64, p1, p2 *Plane, what string) {
	t.Helper()
	dim := tr.Dim
	query := tr.NewQuery(unit)
	var s Scratch
	all := [BlockRows / 64]uint64{}
	for i := range all {
		all[i] = math.MaxUint64
	}
	truth := make([]float64, BlockRows)
	for i := range truth {
		var dot, sq float64
		for j, v := range x[i*dim : (i+1)*dim] {
			dot += unit[j] * float64(v)
			sq += float64(v) * float64(v)
		}
		truth[i] = math.Inf(-1) // zero vectors have no direction and no bound
		norm := math.Sqrt(sq)
		if sq > 0 {
			truth[i] = dot / norm
		}
		if low, high := p1.Norms(i); norm < low || norm > high {
			t.Fatalf("%s: norm %v of row %d is outside [%v, %v]", what, norm, i, low, high)
		}
	}
	s.Rows = s.Rows[:0]
	for i := range BlockRows {
		s.Rows = append(s.Rows, uint16(i))
	}
	query.Scan1(p1, &all, math.Inf(-1), &s)
	query.Scan2(p1, p2, &s)
	for i, want := range truth {
		if s.Mask[i/64]>>(i%64)&1 == 0 {
			t.Fatalf("%s: row %d is discarded without a cut", what, i)
		}
		if s.Upper2[i] < want-1e-12 {
			t.Fatalf("%s: row %d, bound %v below %v", what, i, s.Upper2[i], want)
		}
	}
	var lower, upper [BlockRows]float32
	query.Bounds1(p1, &all, &s, lower[:], upper[:])
	query.Scan2(p1, p2, &s)
	for i, want := range truth {
		if math.IsInf(want, -1) {
			continue
		}
		if float64(upper[i]) < want-1e-12 || float64(lower[i]) > want+1e-12 {
			t.Fatalf("%s: row %d, %v is not in [%v, %v]", what, i, want, lower[i], upper[i])
		}
		if l := query.Lower2(p1, p2, &s, i); l > want+1e-12 {
			t.Fatalf("%s: row %d, lower bound %v above %v", what, i, l, want)
		}
	}
	for _, cut := range []float64{truth[7], truth[500], 0, 0.5} {
		query.Scan1(p1, &all, cut, &s)
		for i, want := range truth {
			if want >= cut && s.Mask[i/64]>>(i%64)&1 == 0 {
				t.Fatalf("%s: row %d is discarded: %v, cut %v", what, i, want, cut)
			}
		}
	}
}

func BenchmarkTrain(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 5))
	for _, dim := range []int{128, 512} {
		x := make([]float32, 4096*dim)
		for i := range x {
			x[i] = float32(rng.NormFloat64()/float64(i%dim+1)) + 0.1
		}
		b.Run(fmt.Sprint(dim), func(b *testing.B) {
			for b.Loop() {
				Train(dim, x, nil)
			}
		})
		e := Train(dim, x, nil).NewEncoder()
		b.Run(fmt.Sprint("block/", dim), func(b *testing.B) {
			var p1, p2 []byte
			for b.Loop() {
				p1, p2 = e.Block(x[:BlockRows*dim], p1[:0], p2[:0])
			}
		})
	}
}

// Codes made by one set of kernels are right for the others, and damage is found
// wherever it would make a bound too small.
func TestVerify(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	for dim, kinds := range map[int][]string{100: {"anisotropic", "zeros", "norms apart"}, 1030: {"zeros"}} {
		for _, kind := range kinds {
			x := makeBlock(rng, dim, rowSets[kind])
			tr := Train(dim, x[:200*dim], nil)
			simd.EachLevel(func(made string) {
				b1, b2 := tr.NewEncoder().Block(x, nil, nil)
				simd.EachLevel(func(read string) {
					if err := tr.NewEncoder().Verify(x, b1, b2); err != nil {
						t.Fatalf("%s, dim %d, made by %s, read by %s: %v", kind, dim, made, read, err)
					}
				})
			})
		}
	}
	const dim = 100
	x := makeBlock(rng, dim, rowSets["anisotropic"])
	tr := Train(dim, x, nil)
	b1, b2 := tr.NewEncoder().Block(x, nil, nil)
	e := tr.NewEncoder()
	for what, damage := range map[string]func(b1, b2 []byte){
		"largest |v|":     func(b1, b2 []byte) { clear(b1[48:56]) },
		"largest |y|":     func(b1, b2 []byte) { clear(b2[56:64]) },
		"smallest norm":   func(b1, b2 []byte) { copy(b1[64:72], b1[72:80]) },
		"residuals":       func(b1, b2 []byte) { clear(b1[headerBytes : headerBytes+BlockRows]) },
		"stretch":         func(b1, b2 []byte) { b1[headerBytes+2*BlockRows+5] ^= 0x40 },
		"codes":           func(b1, b2 []byte) { b1[headerBytes+(groups1+1+4)*BlockRows] ^= 0xff },
		"plane 2":         func(b1, b2 []byte) { b2[headerBytes+groups2*BlockRows] ^= 0xff },
		"other rows":      func(b1, b2 []byte) { slices.Reverse(b2[headerBytes+groups2*BlockRows:][:2*tr.Width[1]]) },
		"largest stretch": func(b1, b2 []byte) { b1[5] = 0 },
	} {
		c1, c2 := slices.Clone(b1), slices.Clone(b2)
		damage(c1, c2)
		if err := e.Verify(x, c1, c2); err == nil {
			t.Errorf("damaged %s: not found", what)
		}
	}
	if err := e.Verify(x, b1[:70], b2); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	if err := Train(dim, makeBlock(rng, dim, rowSets["normal"]), nil).NewEncoder().Verify(x, b1, b2); err == nil {
		t.Error("codes of another transform were taken")
	}
}

// A transform of an older version is told from a damaged one.
func TestOutdated(t *testing.T) {
	b := Train(30, makeBlock(rand.New(rand.NewPCG(3, 5)), 30, rowSets["normal"]), nil).Marshal()
	b[8] = version - 1
	if _, err := Unmarshal(b); !errors.Is(err, ErrOutdated) {
		t.Fatal(err)
	}
	b[8] = version + 1
	if _, err := Unmarshal(b); !errors.Is(err, ErrMalformed) {
		t.Fatal(err)
	}
}
