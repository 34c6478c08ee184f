package fn

import (
	"fmt"
	"math/bits"

	"github.com/lupadb/lupa/storage/value"
)

// subvectorKernel is subvector(v, from, count), counted from 1; what lies outside is left out.
func subvectorKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	v := args[0]
	for k, i := range fullSel(n, sel) {
		from, count := args[1].Ints[int(i)*args[1].step()], args[2].Ints[int(i)*args[2].step()]
		if count < 1 {
			return fmt.Errorf("subvector: a vector has at least one dimension, not %d", count)
		}
		dim := int64(v.Type.Dim)
		end := dim
		if from <= dim && count <= dim-from { // without overflow
			end = from + count - 1
		}
		from = max(from, 1)
		if from > end {
			return fmt.Errorf("subvector: dimensions %d to %d are none of %d", from, end, dim)
		}
		d := int(end - from + 1)
		if k == 0 {
			fixDim(out, d, n)
		}
		if d != out.Type.Dim {
			return fmt.Errorf("vectors of %d and of %d dimensions in one column", out.Type.Dim, d)
		}
		copy(out.Vec(int(i)), v.Vec(int(i) * v.step())[from-1:end])
	}
	return nil
}

func mulVectors(dst, x, y []float32) {
	for i := range dst {
		dst[i] = float32(x[i] * y[i])
	}
}

// quantizeKernel is binary_quantize: a bit for each dimension, 1 above zero, the first one
// the highest of the first byte.
func quantizeKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	v := args[0]
	each(n, sel, func(i int) {
		b := make([]byte, (v.Type.Dim+7)/8)
		for k, x := range v.Vec(i * v.step()) {
			if x > 0 {
				b[k/8] |= 0x80 >> (k % 8)
			}
		}
		out.Strs[i] = string(b)
	})
	return nil
}

// bitsKernel compares bits: those of blobs, or texts of 0 and 1.
func bitsKernel(name string, f func(differ, common, some int) float64) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a, b := args[0], args[1]
		for _, i := range fullSel(n, sel) {
			x, y := a.Strs[int(i)*a.step()], b.Strs[int(i)*b.step()]
			if a.Type.Kind == value.Text {
				if err := checkBits(x, y); err != nil {
					return err
				}
			}
			if len(x) != len(y) {
				unit := "bytes"
				if a.Type.Kind == value.Text {
					unit = "bits"
				}
				return fmt.Errorf("%s: %d and %d %s can't be combined", name, len(x), len(y), unit)
			}
			var differ, common, some int
			for k := range len(x) {
				p, q := x[k], y[k]
				if a.Type.Kind == value.Text {
					p, q = p-'0', q-'0'
				}
				differ += bits.OnesCount8(p ^ q)
				common += bits.OnesCount8(p & q)
				some += bits.OnesCount8(p | q)
			}
			out.Reals[i] = f(differ, common, some)
		}
		return nil
	}
}

func checkBits(texts ...string) error {
	for _, s := range texts {
		for _, c := range []byte(s) {
			if c != '0' && c != '1' {
				return fmt.Errorf("%s is not made of bits: a text of 0 and 1, or a BLOB, as binary_quantize gives it", value.Quote(s))
			}
		}
	}
	return nil
}

func hamming(differ, _, _ int) float64 { return float64(differ) }

// jaccard is the distance of no common bits where there are none at all, as in pgvector.
func jaccard(_, common, some int) float64 {
	if common == 0 {
		return 1
	}
	return 1 - float64(common)/float64(some)
}
