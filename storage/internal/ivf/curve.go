package ivf

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// Curve says which part of the K nearest rows is found by visiting a part of all rows, the
// clusters in a search's order, on average over queries.
type Curve struct {
	K      int
	Points []Point // Visited ascends, and so does Recall
}

// Point is one of a curve.
type Point struct {
	Visited float32 // part of the rows
	Recall  float32 // mean over the queries
	Doubt   float32 // what it may be off: the standard error of the mean
}

// curvePoints is how many points a curve has.
const curvePoints = 48

// NewCurve makes a curve from queries: found[q] says, for each of the K nearest rows of query
// q, the part of all rows that was visited when its cluster had been.
func NewCurve(k int, found [][]float32) Curve {
	c := Curve{K: k}
	for i := range curvePoints {
		// From one in 10,000 to all.
		visited := float32(math.Pow(10, -4+4*float64(i)/(curvePoints-1)))
		if i == curvePoints-1 {
			visited = 1
		}
		sum, squares := 0.0, 0.0
		for _, f := range found {
			n := 0
			for _, x := range f {
				if x <= visited {
					n++
				}
			}
			r := float64(n) / float64(max(1, len(f)))
			sum += r
			squares += float64(r * r)
		}
		n := float64(max(1, len(found)))
		mean := sum / n
		variance := max(0, squares/n-float64(mean*mean))
		// Where all of a few queries found everything, one that comes may not.
		doubt := math.Sqrt((variance + 0.05/n) / n)
		if visited == 1 {
			mean, doubt = 1, 0
		}
		c.Points = append(c.Points, Point{visited, float32(mean), float32(doubt)})
	}
	return c
}

// doubts is how many standard errors Visit leaves room for: in 19 of 20 calibrations what comes
// finds as much as was promised.
const doubts = 1.65

// sure is the recall that is promised at a point.
func (p Point) sure() float64 { return float64(p.Recall) - float64(doubts*float64(p.Doubt)) }

// Visit returns the part of the rows to visit for a recall of target, and the mean recall that
// is to be expected then. It leaves room for doubt.
func (c *Curve) Visit(target float64) (visited, recall float64) {
	for _, p := range c.Points {
		if p.sure() >= target {
			return float64(p.Visited), float64(p.Recall)
		}
	}
	return 1, 1
}

// For returns the curve of the smallest K that is at least k, nil if there is none.
func For(curves []Curve, k float64) *Curve {
	for i := range curves {
		if float64(curves[i].K) >= k {
			return &curves[i]
		}
	}
	return nil
}

// AppendCurves appends the stored form of curves, whose K ascend.
func AppendCurves(b []byte, curves []Curve) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(curves)))
	for _, c := range curves {
		b = binary.LittleEndian.AppendUint32(b, uint32(c.K))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(c.Points)))
		for _, p := range c.Points {
			for _, x := range []float32{p.Visited, p.Recall, p.Doubt} {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
			}
		}
	}
	return b
}

var errCurves = errors.New("malformed curves of recall")

// ReadCurves reads what AppendCurves wrote, and returns what follows it.
func ReadCurves(b []byte) (curves []Curve, rest []byte, err error) {
	number := func() uint32 {
		if len(b) < 4 {
			err = errCurves
			return 0
		}
		n := binary.LittleEndian.Uint32(b)
		b = b[4:]
		return n
	}
	for n := number(); n > 0 && err == nil; n-- {
		c := Curve{K: int(number())}
		points := number()
		if err != nil || uint64(points)*12 > uint64(len(b)) {
			return nil, nil, errCurves
		}
		for range points {
			p := Point{math.Float32frombits(number()), math.Float32frombits(number()), math.Float32frombits(number())}
			if !(p.Visited > 0 && p.Visited <= 1 && p.Recall >= 0 && p.Recall <= 1 && p.Doubt >= 0) {
				return nil, nil, errCurves
			}
			c.Points = append(c.Points, p)
		}
		curves = append(curves, c)
	}
	if err == nil && !slices.IsSortedFunc(curves, func(a, b Curve) int { return a.K - b.K }) {
		err = errCurves
	}
	return curves, b, err
}

// Worse returns the curve that promises no more than either.
func (c Curve) Worse(other Curve) Curve {
	if len(c.Points) == 0 || len(other.Points) == 0 {
		return Curve{}
	}
	w := Curve{K: c.K, Points: slices.Clone(c.Points)}
	for i, p := range other.Points {
		if p.sure() < w.Points[i].sure() {
			w.Points[i] = p
		}
	}
	return w
}
