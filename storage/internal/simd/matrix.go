package simd

import (
	"unsafe"
)

// ScaleRows multiplies y[TileRows*i+r] by f[r].
func ScaleRows(y []float32, f *[TileRows]float32) {
	if level != portable && len(y) > 0 {
		scaleRowsKernel(&y[0], len(y)/TileRows, &f[0])
		return
	}
	for ; len(y) >= TileRows; y = y[TileRows:] {
		v := (*[TileRows]float32)(y)
		for r := range v {
			v[r] = float32(v[r] * f[r])
		}
	}
}

// SumSquares sets out[r] to the sum of the squares of y[TileRows*i+r]. It is
// rounded in single precision: the relative error is below (len(y)/TileRows+1) * 2^-24.
func SumSquares(y []float32, out *[TileRows]float32) {
	if level != portable && len(y) > 0 {
		sumSquaresKernel(&y[0], len(y)/TileRows, &out[0])
		return
	}
	for r := 0; r < TileRows; r += 8 {
		var s0, s1, s2, s3, s4, s5, s6, s7 float32
		for y := y; len(y) >= TileRows; y = y[TileRows:] {
			v := (*[8]float32)(y[r:])
			s0 += float32(v[0] * v[0])
			s1 += float32(v[1] * v[1])
			s2 += float32(v[2] * v[2])
			s3 += float32(v[3] * v[3])
			s4 += float32(v[4] * v[4])
			s5 += float32(v[5] * v[5])
			s6 += float32(v[6] * v[6])
			s7 += float32(v[7] * v[7])
		}
		copy(out[r:r+8], []float32{s0, s1, s2, s3, s4, s5, s6, s7})
	}
}

// MatrixRows is the number of rows of a matrix that Multiply takes at a time.
const MatrixRows = 6

// Matrix is a float32 matrix packed for Multiply.
type Matrix struct {
	rows, cols int
	data       []float32 // MatrixRows rows interleaved, zero-padded
}

// NewMatrix packs a matrix given row after row.
func NewMatrix(rows, cols int, m []float32) *Matrix {
	p := &Matrix{rows: rows, cols: cols, data: make([]float32, (rows+MatrixRows-1)/MatrixRows*MatrixRows*cols)}
	for i := range rows {
		for j := range cols {
			p.data[(i/MatrixRows*cols+j)*MatrixRows+i%MatrixRows] = m[i*cols+j]
		}
	}
	return p
}

// NewTransposed packs the transpose of a matrix of cols rows, given row after row.
func NewTransposed(rows, cols int, m []float32) *Matrix {
	p := &Matrix{rows: rows, cols: cols, data: make([]float32, (rows+MatrixRows-1)/MatrixRows*MatrixRows*cols)}
	for first := 0; first < rows; first += MatrixRows {
		wide := min(MatrixRows, rows-first)
		own := p.data[first*cols : (first+MatrixRows)*cols]
		for j := range cols {
			copy(own[j*MatrixRows:(j+1)*MatrixRows], m[j*rows+first:j*rows+first+wide])
		}
	}
	return p
}

// SetRow replaces row i.
func (m *Matrix) SetRow(i int, row []float32) {
	own := m.data[i/MatrixRows*m.cols*MatrixRows+i%MatrixRows:]
	for j, x := range row[:m.cols] {
		own[j*MatrixRows] = x
	}
}

// First returns the first rows of a matrix, in the same memory. (Its padded rows may be rows
// that follow.)
func (m *Matrix) First(rows int) *Matrix {
	return &Matrix{rows: rows, cols: m.cols, data: m.data[:(rows+MatrixRows-1)/MatrixRows*MatrixRows*m.cols]}
}

// PaddedRows is the number of rows, rounded up to a multiple of MatrixRows.
func (m *Matrix) PaddedRows() int { return len(m.data) / max(1, m.cols) }

// MultiplyChunk is the number of products that Multiply adds up before it adds
// them to the result: this keeps the rounding error small, see MultiplyError.
const MultiplyChunk = 128

// MultiplyError bounds the error of Multiply: |computed - exact| of an element
// is at most MultiplyError(cols) times the product of the absolute values. The
// sum of a chunk has at most MultiplyChunk+1 roundings, the sum of chunks one each.
func MultiplyError(cols int) float64 {
	n := float64(MultiplyChunk + 2 + (cols+MultiplyChunk-1)/MultiplyChunk)
	return float64(n * 0x1p-24 * (1 + float64(n*0x1p-23)))
}

// Multiply computes the product of the matrix with TileRows vectors at a time:
// x holds TileRows numbers a column for each of tiles tiles, y TileRows numbers a
// (padded) row. Rounded in single precision, see MultiplyError.
func (m *Matrix) Multiply(x, y []float32, tiles int) {
	in, out := m.cols*TileRows, m.PaddedRows()*TileRows
	_, _ = x[tiles*in-1], y[tiles*out-1]
	clear(y[:tiles*out])
	for p := 0; p < m.PaddedRows(); p += MatrixRows {
		a := m.data[p*m.cols : (p+MatrixRows)*m.cols]
		for t := range tiles {
			y0 := y[t*out+p*TileRows : t*out+(p+MatrixRows)*TileRows]
			for k := 0; k < m.cols; k += MultiplyChunk {
				n := min(MultiplyChunk, m.cols-k)
				x0 := x[t*in+k*TileRows : t*in+(k+n)*TileRows]
				if level != portable {
					multiplyKernel(&a[k*MatrixRows], &x0[0], n, &y0[0])
				} else {
					multiplyGo(a[k*MatrixRows:], x0, n, y0)
				}
			}
		}
	}
}

// multiplyGo takes three rows of the matrix and two vectors at a time: the compiler keeps six
// sums and as many products in registers.
func multiplyGo(a, x []float32, n int, y []float32) {
	rows := unsafe.Slice((*[2 * MatrixRows]float32)(unsafe.Pointer(&a[:n*MatrixRows][0])), n/2)
	tile := unsafe.Slice((*[2 * TileRows]float32)(unsafe.Pointer(&x[:n*TileRows][0])), n/2)
	for i := 0; i < MatrixRows; i += 3 {
		for r := 0; r < TileRows; r += 2 {
			s := multiply3x2(rows, tile, uint(i), uint(r))
			if n%2 == 1 {
				for j := range s {
					s[j] += float32(a[(n-1)*MatrixRows+i+j/2] * x[(n-1)*TileRows+r+j%2])
				}
			}
			for j, sum := range s {
				y[(i+j/2)*TileRows+r+j%2] += sum
			}
		}
	}
}

// multiply3x2 returns the sums of three rows and two columns from i and r on, row after row. It
// takes two products of each at a time.
func multiply3x2(rows [][2 * MatrixRows]float32, tile [][2 * TileRows]float32, i, r uint) [6]float32 {
	var s00, s01, s10, s11, s20, s21 float32
	i, r = min(i, MatrixRows-3), min(r, TileRows-2)
	tile = tile[:len(rows)]
	for k := range rows {
		w, v := (*[MatrixRows + 3]float32)(rows[k][i:]), (*[TileRows + 2]float32)(tile[k][r:])
		s00 += float32(w[0] * v[0])
		s01 += float32(w[0] * v[1])
		s10 += float32(w[1] * v[0])
		s11 += float32(w[1] * v[1])
		s20 += float32(w[2] * v[0])
		s21 += float32(w[2] * v[1])
		s00 += float32(w[MatrixRows] * v[TileRows])
		s01 += float32(w[MatrixRows] * v[TileRows+1])
		s10 += float32(w[MatrixRows+1] * v[TileRows])
		s11 += float32(w[MatrixRows+1] * v[TileRows+1])
		s20 += float32(w[MatrixRows+2] * v[TileRows])
		s21 += float32(w[MatrixRows+2] * v[TileRows+1])
	}
	return [6]float32{s00, s01, s10, s11, s20, s21}
}
