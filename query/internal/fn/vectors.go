package fn

import (
	"fmt"
	"math"

	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

func metricName(m vector.Metric) string { return m.String() }

// scoreKernel is a measure between two vectors, passed through then. NaN, which
// only the cosine of a zero vector gives, becomes NULL.
func scoreKernel(m vector.Metric, then func(float64) float64) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a, b := args[0], args[1]
		if a.Const {
			a, b = b, a // all measures are symmetric
		}
		if a.Type.Dim != b.Type.Dim {
			return dimensions(metricName(m), a.Type.Dim, b.Type.Dim)
		}
		d := a.Type.Dim
		score := func(i int) float64 { return vector.Score(m, a.Vec(i), b.Vec(i)) }
		if b.Const {
			q, err := vector.NewQuery(m, b.Vec(0))
			if err != nil {
				return err
			}
			if !a.Const && sel == nil {
				q.ScoreBatch(a.Vecs[:n*d], out.Reals)
				score = func(i int) float64 { return out.Reals[i] }
			} else {
				step := a.step()
				score = func(i int) float64 { return q.Score(a.Vec(i * step)) }
			}
		}
		each(n, sel, func(i int) {
			s := score(i)
			if s != s {
				setNull(out, i, n)
				s = 0
			} else if then != nil {
				s = then(s)
			}
			out.Reals[i] = s
		})
		return nil
	}
}

func normKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	a := args[0]
	each(n, sel, func(i int) { out.Reals[i] = vector.Norm(a.Vec(i * a.step())) })
	return nil
}

// normalizeKernel divides by the norm; a zero vector stays as it is.
func normalizeKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	a := args[0]
	fixDim(out, a.Type.Dim, n)
	each(n, sel, func(i int) { vector.Normalize(out.Vec(i), a.Vec(i*a.step())) })
	return nil
}

// fixDim gives out the dimension that is known only now.
func fixDim(out *value.Column, d, n int) {
	out.Type.Dim, out.Vecs = d, grow(out.Vecs, n*d)
}

func dimsKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	each(n, sel, func(i int) { out.Ints[i] = int64(args[0].Type.Dim) })
	return nil
}

// vec2 is a kernel of two vectors, element by element in float32.
func vec2(name string, f func(dst, x, y []float32)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a, b := args[0], args[1]
		if a.Type.Dim != b.Type.Dim {
			return dimensions(name, a.Type.Dim, b.Type.Dim)
		}
		fixDim(out, a.Type.Dim, n)
		for _, i := range fullSel(n, sel) {
			dst := out.Vec(int(i))
			f(dst, a.Vec(int(i)*a.step()), b.Vec(int(i)*b.step()))
			if err := finite(dst); err != nil {
				return err
			}
		}
		return nil
	}
}

func finite(v []float32) error {
	for k, x := range v {
		if x-x != 0 {
			return fmt.Errorf("element %d of the resulting vector is out of range", k+1)
		}
	}
	return nil
}

// scaleKernel is vector * number, or with left number * vector.
func scaleKernel(left bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		v, by := args[0], args[1]
		if left {
			v, by = by, v
		}
		return scale(v, n, sel, out, func(i int) float64 { return by.Reals[i*by.step()] })
	}
}

func divideKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	by := args[1]
	for _, i := range fullSel(n, sel) {
		if by.Reals[int(i)*by.step()] == 0 {
			return errDivision
		}
	}
	return scale(args[0], n, sel, out, func(i int) float64 { return 1 / by.Reals[i*by.step()] })
}

func negVecKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return scale(args[0], n, sel, out, func(int) float64 { return -1 })
}

func scale(v Arg, n int, sel []int32, out *value.Column, by func(i int) float64) error {
	fixDim(out, v.Type.Dim, n)
	for _, i := range fullSel(n, sel) {
		f := by(int(i))
		x, dst := v.Vec(int(i)*v.step()), out.Vec(int(i))
		for k := range dst {
			dst[k] = float32(f * float64(x[k]))
		}
		if err := finite(dst); err != nil {
			return err
		}
	}
	return nil
}

// inferVector is the constructor: as many dimensions as arguments.
func inferVector(args []ArgType) ([]value.Type, value.Type, kernel, error) {
	t := value.Type{Kind: value.Vector, Dim: len(args)}
	if len(args) == 0 || len(args) > value.MaxDim {
		return nil, t, nil, fmt.Errorf("a vector has 1 to %d elements, not %d", value.MaxDim, len(args))
	}
	params := make([]value.Type, len(args))
	for i, a := range args {
		if k := a.Type.Kind; k != value.Integer && k != value.Real && k != value.Null {
			return nil, t, nil, fmt.Errorf("element %d of the vector is %v, not a number", i+1, a.Type)
		}
		params[i] = value.Type{Kind: value.Real}
	}
	return params, t, vectorKernel, nil
}

func vectorKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		dst := out.Vec(int(i))
		for k, a := range args {
			x := a.Reals[int(i)*a.step()]
			if dst[k] = float32(x); math.IsInf(float64(dst[k]), 0) || x != x {
				return fmt.Errorf("element %d of the vector is %v; only finite numbers are allowed", k+1, x)
			}
		}
	}
	return nil
}

// bestScoreKernel is what two similarities are worth, of the nearest example of what is wanted
// and of the nearest of what is not; NULL stands for no example.
func bestScoreKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		p, q := args[0].At(int(i)), args[1].At(int(i))
		switch {
		case p.IsNull() && q.IsNull():
			setNull(out, int(i), n)
		case q.IsNull() || !p.IsNull() && p.Float() > q.Float():
			out.Reals[i] = p.Float()
		default:
			out.Reals[i] = -float64(q.Float() * q.Float())
		}
	}
	return nil
}

// curveKernel is f of numbers and curves of relevance.
func curveKernel(name string, f func(c vector.Curve, x float64) float64) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		for _, i := range fullSel(n, sel) {
			v := args[1].At(int(i)).Vec()
			if len(v) != 2 || v[1] <= 0 {
				return fmt.Errorf("%s takes a vector of a similarity and a slope above zero", name)
			}
			x := args[0].At(int(i)).Float()
			if math.IsNaN(x) {
				out.Reals[i] = x
				continue
			}
			out.Reals[i] = f(vector.Curve{Middle: float64(v[0]), Slope: float64(v[1])}, x)
		}
		return nil
	}
}
