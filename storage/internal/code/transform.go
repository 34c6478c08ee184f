package code

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"github.com/lupadb/lupa/storage/internal/simd"
)

const (
	// BlockRows is the number of rows that are coded together.
	BlockRows = 1024
	// MinDim is the smallest dimension that is worth coding: below, the floats
	// are hardly longer than the codes.
	MinDim = 24
	// FullDim is the largest dimension that is transformed as a whole.
	FullDim = 1024
	// maxWidth is the number of bytes a row takes in plane 1, and maxWidth2 in plane
	// 2; small dimensions take less. With all else they stay below 300.
	maxWidth  = 160
	maxWidth2 = 128

	// groups1 and groups2 are how many groups the dimensions are in for the bound on the
	// residual, by plane. The kernels know two; plane 2, which is read for few
	// rows, has more.
	groups1, groups2 = 2, 4

	version = 2
)

// ErrMalformed is what a damaged transform or plane gives.
var ErrMalformed = errors.New("malformed codes")

// ErrOutdated is what a transform of an earlier version gives: it can't be used any
// longer, and is replaced when the column is trained again.
var ErrOutdated = errors.New("codes of an earlier version")

// Transform is how the rows of a column are coded. It is immutable and safe for
// concurrent use.
type Transform struct {
	ID    uint64 // of its content
	Dim   int
	Rank  int    // rows of A
	Width [2]int // bytes a row takes in each plane

	head int     // dimensions that don't count for the stretch
	unit float32 // norm of the other dimensions that has stretch 1

	layout  simd.Layout      // of plane 1
	typical [groups1]float32 // mean residual norms of the sample after plane 1

	mean  []float32
	a     []float32 // A, Rank rows of Dim
	inv   []float32 // turns a query into p, up to rounding; Rank rows of Dim
	slots [2][]simd.Slot
	split [2][]int // first dimensions of the groups but the first, and Rank

	// Derived.
	matrix     *simd.Matrix
	at         []float32 // A', Dim rows of Rank
	normA      float64   // bound on the norm of A with absolute values as elements
	eta        float64   // bound on the norm of AA' - I; 0 if Rank = Dim
	quantError float64   // see Encoder: coding errs by at most quantError * (|y| + quantSize)
	quantSize  float64
}

// full reports whether the rows of A span the whole space.
func (t *Transform) full() bool { return t.Rank == t.Dim }

// widths returns the numbers of bytes a row of dim dimensions takes in the
// planes: about 2.5 bits a dimension in plane 1, and 2 in plane 2.
func widths(dim int) [2]int {
	up := func(bytes int) int { return (bytes + simd.WidthStep - 1) / simd.WidthStep * simd.WidthStep }
	return [2]int{min(maxWidth, up(dim*5/16)), min(maxWidth2, up(dim/4))}
}

// Marshal returns the stored form: the ID, then the fields.
func (t *Transform) Marshal() []byte {
	b := append(make([]byte, 8), version)
	for _, n := range slices.Concat([]int{t.Dim, t.Rank, t.Width[0], t.Width[1], t.head, int(math.Float32bits(t.unit)), t.layout.Crumbs,
		int(math.Float32bits(t.typical[0])), int(math.Float32bits(t.typical[1]))}, t.split[0], t.split[1]) {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	for _, f := range [][]float32{t.mean, t.a, t.inv} {
		for _, x := range f {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
	}
	for _, slots := range t.slots {
		for _, s := range slots {
			b = binary.LittleEndian.AppendUint32(b, s.Dim)
			for _, x := range []float32{s.Low, s.Step, s.Inv} {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
			}
		}
	}
	binary.LittleEndian.PutUint64(b, hash(b[8:]))
	return b
}

func hash(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}

// StoredID returns the ID of a transform in its stored form.
func StoredID(b []byte) (uint64, error) {
	if len(b) >= 9 && b[8] > 0 && b[8] < version {
		return 0, ErrOutdated
	}
	if len(b) < 9 || b[8] != version {
		return 0, fmt.Errorf("%w: transform of %d bytes", ErrMalformed, len(b))
	}
	return binary.LittleEndian.Uint64(b), nil
}

// Unmarshal reads the stored form.
func Unmarshal(b []byte) (*Transform, error) {
	id, err := StoredID(b)
	if err != nil {
		return nil, err
	}
	if len(b) < 69 || id != hash(b[8:]) {
		return nil, fmt.Errorf("%w: transform of %d bytes", ErrMalformed, len(b))
	}
	t := &Transform{ID: id}
	rest := b[9:]
	number := func() int {
		n := binary.LittleEndian.Uint32(rest)
		rest = rest[4:]
		return int(n)
	}
	for _, p := range []*int{&t.Dim, &t.Rank, &t.Width[0], &t.Width[1], &t.head} {
		*p = number()
	}
	t.unit = math.Float32frombits(uint32(number()))
	t.layout.Crumbs = number()
	for g := range t.typical {
		t.typical[g] = math.Float32frombits(uint32(number()))
	}
	t.layout.Nibbles = t.Width[0]*4/simd.QuadSlots - t.layout.Crumbs
	sorted := true
	for p, n := range []int{groups1, groups2} {
		for range n {
			t.split[p] = append(t.split[p], number())
		}
		sorted = sorted && slices.IsSorted(t.split[p]) && t.split[p][n-1] == t.Rank
	}
	if t.Dim < 1 || t.Dim > 1<<16 || t.Rank < 1 || t.Rank > t.Dim || t.Width != widths(t.Dim) || !sorted ||
		t.layout.Crumbs < 0 || t.layout.Nibbles < 0 || t.head < 0 || t.head > t.Rank || !(t.unit > 0) || !finite(t.unit) ||
		len(rest) != 4*(t.Dim+2*t.Rank*t.Dim)+16*4*(t.Width[0]+t.Width[1]) {
		return nil, fmt.Errorf("%w: transform of %d dimensions", ErrMalformed, t.Dim)
	}
	float := func() float32 { return math.Float32frombits(uint32(number())) }
	floats := func(n int) []float32 {
		f := make([]float32, n)
		for i := range f {
			f[i] = float()
		}
		return f
	}
	t.mean, t.a, t.inv = floats(t.Dim), floats(t.Rank*t.Dim), floats(t.Rank*t.Dim)
	for p := range t.slots {
		t.slots[p] = make([]simd.Slot, 4*t.Width[p])
		for i := range t.slots[p] {
			s := &t.slots[p][i]
			s.Dim = uint32(number())
			s.Shift = t.shift(p, i)
			s.Low, s.Step, s.Inv = float(), float(), float()
			if int(s.Dim) >= t.Rank || !finite(s.Low) || !finite(s.Step) || !finite(s.Inv) {
				return nil, fmt.Errorf("%w: slot %d", ErrMalformed, i)
			}
		}
	}
	for _, f := range [][]float32{t.mean, t.a, t.inv} {
		for _, x := range f {
			if !finite(x) {
				return nil, fmt.Errorf("%w: %v in the transform", ErrMalformed, x)
			}
		}
	}
	t.derive()
	return t, nil
}

// position returns where the bits of a slot are in a plane.
func (t *Transform) position(plane, slot int) int {
	if plane == 0 {
		return t.layout.Position(slot)
	}
	return slot
}

// shift returns where the bits of a slot are in its group's word.
func (t *Transform) shift(plane, slot int) uint32 {
	return uint32(2 * (t.position(plane, slot) % simd.GroupSlots))
}

func finite(x float32) bool { return x-x == 0 }

// derive computes what follows from the stored fields.
func (t *Transform) derive() {
	t.matrix = simd.NewMatrix(t.Rank, t.Dim, t.a)
	t.at = make([]float32, len(t.a))
	// |A| <= sqrt(largest sum of a row * largest sum of a column)
	rows, cols := 0.0, make([]float64, t.Dim)
	for i := range t.Rank {
		sum := 0.0
		for j, x := range t.a[i*t.Dim : (i+1)*t.Dim] {
			t.at[j*t.Rank+i] = x
			sum += math.Abs(float64(x))
			cols[j] += math.Abs(float64(x))
		}
		rows = max(rows, sum)
	}
	col := 0.0
	for _, c := range cols {
		col = max(col, c)
	}
	t.normA = float64(math.Sqrt(rows*col) * slack)
	if !t.full() {
		t.eta = t.orthogonality()
	}
	n, size := make([]int, t.Rank), make([]float64, t.Rank)
	most, sum := 0, 0.0
	for _, slots := range t.slots {
		for _, s := range slots {
			n[s.Dim]++
			most = max(most, n[s.Dim])
			size[s.Dim] += math.Abs(float64(s.Low)) + float64(3*math.Abs(float64(s.Step)))
		}
	}
	for _, s := range size {
		sum += float64(s * s)
	}
	t.quantSize = float64(2 * math.Sqrt(sum) * slack)
	t.quantError = float64(float64(3*most+3) * 0x1p-24 * slack)
}

// orthogonality bounds the norm of AA' - I by its largest row of absolute values.
func (t *Transform) orthogonality() float64 {
	wide := make([]float64, simd.Pad(t.Dim))
	worst := 0.0
	for i := range t.Rank {
		for j, x := range t.a[i*t.Dim : (i+1)*t.Dim] {
			wide[j] = float64(x)
		}
		sum := 0.0
		for k := range t.Rank {
			d := simd.Dot(wide, t.a[k*t.Dim:(k+1)*t.Dim])
			if i == k {
				d--
			}
			sum += math.Abs(d)
		}
		worst = max(worst, sum)
	}
	return float64(worst*slack) + 1e-12
}

// slack is a factor that makes up for the rounding of any float64 computation here:
// at most a few ten thousand operations of relative error 2^-53.
const slack = 1 + 1e-10

// multiply sets dst to the product of a matrix of len(dst) rows with wide, which is padded.
func multiply(dst []float64, m []float32, wide []float64, cols int) {
	for i := range dst {
		dst[i] = simd.DotWide(wide, m[i*cols:(i+1)*cols])
	}
}
