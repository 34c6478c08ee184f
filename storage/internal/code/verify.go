package code

import (
	"bytes"
	"fmt"
	"math"

	"github.com/lupadb/lupa/storage/internal/simd"
)

// Verify reports whether the two planes of a block bound its vectors. They need not
// be the bytes that Block makes here: builds before the first release rounded otherwise. An error
// says what is wrong.
func (e *Encoder) Verify(vecs []float32, plane1, plane2 []byte) error {
	if b1, b2 := e.Block(vecs, nil, nil); bytes.Equal(b1, plane1) && bytes.Equal(b2, plane2) {
		return nil
	}
	var planes [2]Plane
	for i, b := range [][]byte{plane1, plane2} {
		ok, err := e.t.Parse(b, i+1, &planes[i])
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("plane %d was coded by another transform", i+1)
		}
	}
	var err error
	e.tiles(vecs, func(tile int, y []float32, v2 []float64) bool {
		m := e.measure(tile, y, v2)
		for r := 0; r < simd.TileRows && err == nil; r++ {
			row := tile*simd.TileRows + r
			if e.norms[row] > 0 {
				err = e.verifyRow(row, y, &m, &planes)
			} else if !planes[0].zeros {
				err = fmt.Errorf("row %d is zero, which plane 1 does not say", row)
			}
		}
		return err == nil
	})
	return err
}

// tolerance is for the float64 arithmetic of what is compared.
const tolerance = 1 + 1e-9

func (e *Encoder) verifyRow(row int, y []float32, m *sizes, planes *[2]Plane) error {
	t, r := e.t, row%simd.TileRows
	low, high := planes[0].Norms(row)
	least, most, _ := planes[0].NormRange()
	if low, high = max(low, least), min(high, most); e.norms[row] < low || e.norms[row] > high {
		return fmt.Errorf("row %d: the norm is %v, outside [%v, %v]", row, e.norms[row], low, high)
	}
	code := planes[0].stretch[row]
	if code > planes[0].largest {
		return fmt.Errorf("row %d: stretch code %d exceeds the largest, %d", row, code, planes[0].largest)
	}
	stretch := float64(simd.Stretch(code))
	// y is known up to its rounding error, as it was when it was coded.
	err := float64(2*m.rounding[r]) + t.slotError(m.y[r], stretch)
	left := make([]float64, t.Rank)
	for i := range left {
		left[i] = float64(y[i*simd.TileRows+r])
	}
	for p := range planes {
		n := &planes[p]
		if m.v[r]-err > n.maxV*tolerance || m.y[r]-err > n.maxY*tolerance {
			return fmt.Errorf("row %d: plane %d has the wrong largest norms", row, p+1)
		}
		for i, s := range t.slots[p] {
			c := n.code(row, t.position(p, i), t.Width[p], p == 0)
			left[s.Dim] -= float64(stretch * (float64(s.Low) + float64(float64(s.Step)*float64(c))))
		}
		from := 0
		for g, to := range t.split[p] {
			size := norm(left[from:to]) - err
			if size > 0 && g == len(t.split[p])-1 {
				size = math.Sqrt(float64(size*size) + max(0, m.outside[r]-float64(4*err*m.y[r])))
			}
			from = to
			if bound := n.low[g] + float64(n.step[g]*float64(n.residuals[g][row])); size > bound*tolerance {
				return fmt.Errorf("row %d: plane %d leaves %v, more than the bound %v", row, p+1, size, bound)
			}
		}
	}
	return nil
}

// code returns the code at a position of a row, see simd.Layout.
func (p *Plane) code(row, slot, width int, tiled bool) byte {
	at := row*width + slot/4
	if tiled {
		at = row/simd.TileRows*simd.TileRows*width + slot/simd.GroupSlots*64 + row%simd.TileRows*4 + slot/4%4
	}
	return p.codes[at] >> (slot % 4 * 2) & 3
}
