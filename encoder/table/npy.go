package table

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
)

// The header is a Python dictionary; these are the three entries of it (NumPy's
// format.py writes them in any order).
var (
	npyDescr   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyFortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9]+)\s*,\s*([0-9]+)\s*,?\s*\)`)
)

// readNPY reads a two-dimensional float array in C order as float32.
func readNPY(path string) (data []float32, rows, cols int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, 0, errors.Unwrap(err) // the caller names the file
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, 0, 0, err
	}
	r := bufio.NewReaderSize(f, 1<<16)
	var magic [8]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil || string(magic[:6]) != "\x93NUMPY" {
		return nil, 0, 0, errors.New("not a .npy file")
	}
	var n int
	start := int64(10)
	switch magic[6] {
	case 1:
		var b [2]byte
		_, err = io.ReadFull(r, b[:])
		n = int(binary.LittleEndian.Uint16(b[:]))
	case 2, 3:
		var b [4]byte
		_, err = io.ReadFull(r, b[:])
		n, start = int(binary.LittleEndian.Uint32(b[:])), 12
	default:
		return nil, 0, 0, fmt.Errorf(".npy version %d is not known (1 to 3 are)", magic[6])
	}
	if err != nil || n > 1<<16 {
		return nil, 0, 0, errors.New("damaged .npy header")
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, 0, 0, errors.New("damaged .npy header")
	}
	descr, order, shape := npyDescr.FindSubmatch(head), npyFortran.FindSubmatch(head), npyShape.FindSubmatch(head)
	if descr == nil || order == nil {
		return nil, 0, 0, errors.New("damaged .npy header")
	}
	if shape == nil {
		return nil, 0, 0, errors.New("a two-dimensional array is needed, a row for each prompt")
	}
	if string(order[1]) == "True" {
		return nil, 0, 0, errors.New("the array is in Fortran order; save it with numpy.ascontiguousarray")
	}
	var size int
	switch string(descr[1]) {
	case "<f2":
		size = 2
	case "<f4":
		size = 4
	case "<f8":
		size = 8
	default:
		return nil, 0, 0, fmt.Errorf("values are of type %s; float16, float32 or float64 (little endian) is needed", descr[1])
	}
	// Sizes are checked against the file before anything is allocated for them.
	rows64, err1 := strconv.ParseInt(string(shape[1]), 10, 40)
	cols64, err2 := strconv.ParseInt(string(shape[2]), 10, 20)
	if err1 != nil || err2 != nil || rows64*cols64 > (st.Size()-start-int64(n))/int64(size) {
		return nil, 0, 0, fmt.Errorf("truncated: the header promises %s x %s values, the file is too short for them", shape[1], shape[2])
	}
	rows, cols = int(rows64), int(cols64)
	data = make([]float32, rows*cols)
	row := make([]byte, cols*size)
	for i := 0; i < rows; i++ {
		if _, err := io.ReadFull(r, row); err != nil {
			return nil, 0, 0, fmt.Errorf("row %d: %w", i+1, err)
		}
		out := data[i*cols : (i+1)*cols]
		for j := range out {
			switch size {
			case 2:
				out[j] = float16(binary.LittleEndian.Uint16(row[2*j:]))
			case 4:
				out[j] = math.Float32frombits(binary.LittleEndian.Uint32(row[4*j:]))
			case 8:
				out[j] = float32(math.Float64frombits(binary.LittleEndian.Uint64(row[8*j:])))
			}
		}
	}
	return data, rows, cols, nil
}

// float16 widens an IEEE 754 binary16, exactly.
func float16(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10)&31, uint32(h)&1023
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
	}
	f := float32(float32(frac) * (1.0 / (1 << 24))) // subnormal
	return math.Float32frombits(math.Float32bits(f) | sign)
}
