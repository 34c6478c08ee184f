package source

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
)

func (h *hdf5File) dataspace(b []byte) (dims []int64, err error) {
	f := &fields{b: b}
	version, rank, _ := f.int(1), f.int(1), f.int(1)
	switch version {
	case 1:
		f.take(5)
	case 2:
		if f.int(1) == 2 {
			return nil, errors.New("it is empty, without even a shape")
		}
	default:
		return nil, errHDF5
	}
	for range rank {
		n := f.uint(h.lengths)
		if n > math.MaxInt64 {
			return nil, errHDF5
		}
		dims = append(dims, int64(n))
	}
	if f.short || rank > 32 {
		return nil, errHDF5
	}
	return dims, nil
}

// hdf5Dtype returns numpy's name of an element type, and another one for arrays of two
// dimensions where that differs.
func hdf5Dtype(b []byte) (descr, pair string, err error) {
	f := &fields{b: b}
	class := f.int(1)
	flags, size := f.int(3), f.int(4)
	order := [2]string{"<", ">"}[flags&1]
	switch class & 15 {
	case 0:
		kind := "u"
		if flags&8 != 0 {
			kind = "i"
		}
		if offset, bits := f.int(2), f.int(2); offset != 0 || bits != 8*size {
			return "", "", fmt.Errorf("its integers have %d bits in %d bytes, which is not read", bits, size)
		}
		return fmt.Sprintf("%s%s%d", order, kind, size), "", nil
	case 1:
		f.take(4)
		parts := [5]int{f.int(1), f.int(1), f.int(1), f.int(1), f.int(4)}
		switch {
		case flags&0x40 != 0 || f.short:
		case size == 2 && parts == [5]int{10, 5, 0, 10, 15}, size == 4 && parts == [5]int{23, 8, 0, 23, 127}, size == 8 && parts == [5]int{52, 11, 0, 52, 1023}:
			return fmt.Sprintf("%sf%d", order, size), "", nil
		case size == 2 && parts == [5]int{7, 8, 0, 7, 127}:
			return order + "V2", "", nil
		}
		return "", "", fmt.Errorf("its numbers of %d bytes are neither float16, float32, float64 nor bfloat16", size)
	case 3:
		if flags&15 == 2 {
			return "", "", errors.New("its texts are padded with blanks, which is not read")
		}
		return fmt.Sprintf("|S%d", size), "", nil
	case 8: // names of numbers: h5py's booleans are some
		base, count := f.b, flags&0xffff
		t, _, err := hdf5Dtype(base)
		if err == nil && size == 1 && count == 2 && strings.HasSuffix(t, "i1") && bytes.Contains(base, []byte("FALSE\x00")) && bytes.Contains(base, []byte("TRUE\x00")) {
			return "|b1", "|u1", nil
		}
		return "", "", errors.New("its numbers stand for names (an enumeration), which is not read")
	}
	kinds := map[int]string{2: "times", 4: "bit fields", 5: "bytes of no known kind", 6: "records of several fields", 7: "references", 9: "lists or texts of varying length", 10: "arrays"}
	what := kinds[class&15]
	if what == "" {
		what = fmt.Sprintf("elements of class %d", class&15)
	}
	return "", "", fmt.Errorf("it holds %s; numbers, booleans and texts of fixed length are read", what)
}

// hdf5FillValue returns the value of elements that were never written, nil for zero.
func hdf5FillValue(b []byte) []byte {
	f := &fields{b: b}
	switch version := f.int(1); version {
	case 1, 2:
		f.take(2)
		if f.int(1) == 0 && version == 2 {
			return nil
		}
	case 3:
		if f.int(1)&0x20 == 0 {
			return nil
		}
	default:
		return nil
	}
	v := f.take(f.int(4))
	if f.short {
		return nil
	}
	return v
}

// padded makes a fill value one of size bytes.
func padded(fill []byte, size int) []byte {
	if len(fill) != size {
		return make([]byte, size)
	}
	return fill
}

// filled gives one value for ever.
type filled struct {
	value []byte
	at    int
}

func (f *filled) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = f.value[f.at]
		if f.at++; f.at == len(f.value) {
			f.at = 0
		}
	}
	return len(p), nil
}
