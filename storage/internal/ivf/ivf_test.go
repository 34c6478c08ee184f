package ivf

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/lupadb/lupa/storage/internal/simd"
)

// tilesOf puts points into tiles.
func tilesOf(rank int, points [][]float32) []float32 {
	out := make([]float32, len(points)*rank)
	for i, p := range points {
		for j, x := range p {
			out[i/simd.TileRows*rank*simd.TileRows+j*simd.TileRows+i%simd.TileRows] = x
		}
	}
	return out
}

// Points around a few places are told apart, every point has the nearest centre, and the same
// points give the same centres.
func TestTrain(t *testing.T) {
	const rank, places = 8, 12
	rng := rand.New(rand.NewPCG(1, 2))
	var points [][]float32
	for i := range 160 * places {
		p := make([]float32, rank)
		for j := range p {
			p[j] = float32((i%places)*(j+1)%7*3) + float32(rng.NormFloat64())/10
		}
		points = append(points, p)
	}
	tiles := tilesOf(rank, points)
	c := Train(rank, 3*places, tiles)
	if again := Train(rank, 3*places, tiles); !reflect.DeepEqual(again.Points, c.Points) {
		t.Error("the same points gave other centres")
	}
	distance := func(p []float32, k int) (sum float64) {
		for j, x := range p {
			d := float64(x - c.Points[k*rank+j])
			sum += d * d
		}
		return sum
	}
	a, sum := c.NewAssigner(), 0.0
	for tile := range len(points) / simd.TileRows {
		var got [simd.TileRows]uint32
		a.Tile(tiles[tile*rank*simd.TileRows:(tile+1)*rank*simd.TileRows], &got)
		for r, k := range got {
			p := points[tile*simd.TileRows+r]
			d := distance(p, int(k))
			sum += d
			for other := range c.Len() {
				if distance(p, other) < d-1e-2 {
					t.Fatalf("point %d is nearer to centre %d than to %d", tile*simd.TileRows+r, other, k)
				}
			}
		}
	}
	if mean := sum / float64(len(points)); mean > 2 {
		t.Errorf("points are %v from their centres, squared", mean)
	}
	if few := Train(rank, 100, tiles[:rank*simd.TileRows]); few.Len() != simd.TileRows {
		t.Errorf("%d centres of %d points", few.Len(), simd.TileRows)
	}
}

// A curve keeps its promise on the queries it was made from, with room for doubt, and is read
// as it was written.
func TestCurve(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var found [][]float32
	for range 200 {
		f := make([]float32, 10)
		for i := range f {
			f[i] = float32(rng.ExpFloat64() / 30)
		}
		found = append(found, f)
	}
	c := NewCurve(10, found)
	for _, target := range []float64{0.5, 0.9, 0.95, 0.99, 1} {
		visited, recall := c.Visit(target)
		n := 0
		for _, f := range found {
			for _, x := range f {
				if float64(x) <= visited {
					n++
				}
			}
		}
		if got := float64(n) / 2000; recall < target || got < target && visited < 1 {
			t.Errorf("target %v: %v of the rows give %v, %v was expected", target, visited, got, recall)
		}
		if target < 0.99 && visited > 0.3 {
			t.Errorf("target %v: %v of the rows", target, visited)
		}
	}
	curves := []Curve{NewCurve(1, found), c}
	b := AppendCurves(nil, curves)
	got, rest, err := ReadCurves(append(b, 7))
	if err != nil || len(rest) != 1 || !reflect.DeepEqual(got, curves) {
		t.Errorf("%v, %v, %v", got, rest, err)
	}
	for i := range b {
		if _, _, err := ReadCurves(b[:i]); err == nil {
			t.Errorf("%d bytes of %d were read", i, len(b))
		}
	}
	if For(curves, 5).K != 10 || For(curves, 11) != nil {
		t.Error("wrong curve")
	}
}
