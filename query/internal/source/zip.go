package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/lupadb/lupa/storage/value"
)

// zipReader joins files row by row.
type zipReader struct {
	in    []Reader
	names []string
	cols  []Column
	cur   []*value.Batch // what is left of each reader's last batch
	at    []int          // from which row on
	width []int          // columns of each file
	ended []bool
	rows  int64
	out   *value.Batch
}

// Zip returns a reader of the columns of all readers, one after the other, whose
// rows belong together by position. Unequal lengths are an error that names the
// first row without partner: at once where the files tell their lengths,
// otherwise at the end. names (of files) are for messages. The readers are
// closed with it.
func Zip(readers []Reader, names []string) (Reader, error) {
	if len(readers) == 1 {
		return readers[0], nil
	}
	z := &zipReader{in: readers, names: names, cur: make([]*value.Batch, len(readers)),
		at: make([]int, len(readers)), ended: make([]bool, len(readers)), out: &value.Batch{}}
	for i, r := range readers {
		for j := range i {
			if a, b := readers[j].Rows(), r.Rows(); a >= 0 && b >= 0 && a != b {
				if a > b {
					return nil, z.unequal(i, j, b)
				}
				return nil, z.unequal(j, i, a)
			}
		}
	}
	for _, r := range readers {
		z.width = append(z.width, len(r.Columns()))
	}
	z.columns()
	return z, nil
}

func (z *zipReader) columns() {
	z.cols = nil
	for _, r := range z.in {
		z.cols = append(z.cols, r.Columns()...)
	}
	z.out.Cols = make([]*value.Column, len(z.cols))
	for i := range z.out.Cols {
		z.out.Cols[i] = &value.Column{}
	}
}

// unequal is the error for short having only rows rows while long has more.
func (z *zipReader) unequal(short, long int, rows int64) error {
	return fmt.Errorf("files of unequal length: %s ends after %s, so row %d of %s has no partner",
		z.names[short], Plural(int(rows), "row"), rows+1, z.names[long])
}

func (z *zipReader) Columns() []Column { return z.cols }

func (z *zipReader) Rows() int64 {
	for _, r := range z.in {
		if n := r.Rows(); n >= 0 {
			return n
		}
	}
	return -1
}

// Project wants the columns of a file together and the files in their order.
func (z *zipReader) Project(cols []int, types []value.Type) error {
	k := 0
	base := 0
	for i, r := range z.in {
		n := z.width[i]
		var mine []int
		var want []value.Type
		for k < len(cols) && cols[k] >= base && cols[k] < base+n {
			mine = append(mine, cols[k]-base)
			if types != nil {
				want = append(want, types[k])
			}
			k++
		}
		if err := r.Project(mine, want); err != nil {
			return err
		}
		base += n
	}
	if k != len(cols) {
		return fmt.Errorf("columns of several files have to be asked for in the files' order")
	}
	z.columns()
	return nil
}

func (z *zipReader) Next(ctx context.Context) (*value.Batch, error) {
	n := value.BatchSize
	for i, r := range z.in {
		if z.cur[i] == nil && !z.ended[i] {
			b, err := r.Next(ctx)
			if err != nil {
				return nil, err
			}
			z.cur[i], z.at[i], z.ended[i] = b, 0, b == nil
		}
		if !z.ended[i] {
			n = min(n, z.cur[i].Len-z.at[i])
		}
	}
	for i := range z.in {
		if z.ended[i] != z.ended[0] {
			if z.ended[i] {
				return nil, z.unequal(i, 0, z.rows)
			}
			return nil, z.unequal(0, i, z.rows)
		}
	}
	if z.ended[0] {
		return nil, nil
	}
	k := 0
	for i, b := range z.cur {
		for _, c := range b.Cols {
			slice(z.out.Cols[k], c, z.at[i], n)
			k++
		}
		if z.at[i] += n; z.at[i] == b.Len {
			z.cur[i] = nil
		}
	}
	z.out.Len = n
	z.rows += int64(n)
	return z.out, nil
}

// slice sets dst to n rows of src from row at on, sharing what it can.
func slice(dst, src *value.Column, at, n int) {
	*dst = value.Column{Type: src.Type}
	switch src.Type.Kind {
	case value.Boolean:
		dst.Bools = src.Bools[at : at+n]
	case value.Integer, value.Timestamp, value.Date:
		dst.Ints = src.Ints[at : at+n]
	case value.Real:
		dst.Reals = src.Reals[at : at+n]
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		dst.Strs = src.Strs[at : at+n]
	case value.Vector:
		d := src.Type.Dim
		dst.Vecs = src.Vecs[at*d : (at+n)*d]
	}
	if src.Nulls == nil {
		return
	}
	dst.Nulls = value.NewBitmap(n)
	for i := range n {
		if (at+i)>>6 < len(src.Nulls) && src.Nulls.Get(at+i) {
			dst.Nulls.Set(i)
		}
	}
}

func (z *zipReader) Progress() (done, total int64) {
	for _, r := range z.in {
		d, t := r.Progress()
		done, total = done+d, total+t
	}
	return done, total
}

func (z *zipReader) Close() error {
	var errs []error
	for _, r := range z.in {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}
