package exec

import (
	"cmp"
	"context"
	"math"
	"math/bits"
	"slices"

	"github.com/lupadb/lupa/storage/value"
)

// orderBytes is the memory that sortedOrder needs for a row; what it returns is a fifth of that.
const orderBytes = 20

// sortedOrder returns the positions 0..n-1 sorted by the keys, ties in their
// order. Once ctx is done it gives up, with ctx's error.
func sortedOrder(ctx context.Context, n int, cols []*value.Column, orders []Order) ([]int32, error) {
	s := &sorting{ctx: ctx, cols: cols, orders: orders, by: make([]func(a, b int32) int, len(cols))}
	items := make([]sortItem, n)
	for i := range items {
		items[i].row = int32(i)
	}
	s.column(items, 0, 0)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	order := make([]int32, n)
	for i, it := range items {
		order[i] = it.row
	}
	return order, nil
}

// sorting sorts rows by eight bytes of their keys at a time, which lie beside the row: what compares
// rows in the columns waits for memory most of the time.
type sorting struct {
	ctx    context.Context
	cols   []*value.Column
	orders []Order
	by     []func(a, b int32) int // compares by a column and those after it; made when needed

	calls int
	stop  bool
}

type sortItem struct {
	key uint64
	row int32
}

// Groups of fewer rows are sorted by comparing.
const (
	fewRows = 24 // in the columns
	fewKeys = 64 // by eight bytes
)

// done reports whether the context is.
func (s *sorting) done() bool {
	if s.calls++; s.calls&0xfff == 0 && s.ctx.Err() != nil {
		s.stop = true
	}
	return s.stop
}

// column sorts rows by column c and those after it. They are equal in those before, and in the
// first bytes of their texts.
func (s *sorting) column(items []sortItem, c, bytes int) {
	if len(items) < 2 || s.done() {
		return
	}
	if c == len(s.cols) {
		for i := range items {
			items[i].key = uint64(items[i].row)
		}
		s.keys(items, 56)
		return
	}
	col, o := s.cols[c], s.orders[c]
	if col == nil || col.Type.Kind == value.Null {
		s.column(items, c+1, 0)
		return
	}
	if len(items) < fewRows {
		s.compare(items, c)
		return
	}
	if col.Nulls != nil && bytes == 0 {
		nulls := separate(items, col.Nulls, o.NullsFirst)
		if o.NullsFirst {
			s.column(items[:nulls], c+1, 0)
			items = items[nulls:]
		} else {
			s.column(items[len(items)-nulls:], c+1, 0)
			items = items[:len(items)-nulls]
		}
		if len(items) < 2 {
			return
		}
	}
	whole := true // the keys are all there is of the values
	switch col.Type.Kind {
	case value.Boolean:
		for i := range items {
			items[i].key = uint64(boolBit(col.Bools[items[i].row]))
		}
	case value.Integer, value.Timestamp, value.Date:
		for i := range items {
			items[i].key = uint64(col.Ints[items[i].row]) ^ 1<<63
		}
	case value.Real:
		for i := range items {
			items[i].key = orderOfReal(col.Reals[items[i].row])
		}
	case value.Text, value.Blob:
		whole = false
		bytes = textKeys(items, col.Strs, bytes)
	default:
		s.compare(items, c)
		return
	}
	if o.Desc {
		for i := range items {
			items[i].key = ^items[i].key
		}
	}
	s.keys(items, 56)
	for from := 0; from < len(items); {
		to := from + 1
		for to < len(items) && items[to].key == items[from].key {
			to++
		}
		if same := items[from:to]; len(same) > 1 && whole {
			s.column(same, c+1, 0)
		} else if len(same) > 1 {
			s.text(same, c, bytes)
		}
		from = to
	}
}

// text goes on with rows whose texts are equal in so many bytes, or end before.
func (s *sorting) text(items []sortItem, c, bytes int) {
	strs := s.cols[c].Strs
	least, most := math.MaxInt, 0
	for _, it := range items {
		least, most = min(least, len(strs[it.row])), max(most, len(strs[it.row]))
	}
	switch {
	case least == most && most <= bytes:
		s.column(items, c+1, 0)
	case least > bytes:
		s.column(items, c, bytes)
	default: // a byte of zero, or the end
		s.compare(items, c)
	}
}

// compare sorts rows by comparing them in column c and those after it.
func (s *sorting) compare(items []sortItem, c int) {
	if s.by[c] == nil {
		s.by[c] = compareBy(s.cols[c:], s.orders[c:])
	}
	by := s.by[c]
	slices.SortFunc(items, func(a, b sortItem) int {
		if s.done() {
			return cmp.Compare(a.row, b.row) // the end is near
		}
		if c := by(a.row, b.row); c != 0 {
			return c
		}
		return cmp.Compare(a.row, b.row)
	})
}

// keys sorts by the keys, of which the bytes above shift are equal: the rows of each byte are put
// together in place, then sorted by the next one.
func (s *sorting) keys(items []sortItem, shift int) {
	for {
		if len(items) < fewKeys {
			slices.SortFunc(items, func(a, b sortItem) int { return cmp.Compare(a.key, b.key) })
			return
		}
		if s.done() {
			return
		}
		var differ uint64
		for _, it := range items {
			differ |= it.key ^ items[0].key
		}
		if differ == 0 {
			return
		}
		shift = min(shift, (bits.Len64(differ)-1)&^7)
		var ends [257]int32 // where the rows of a byte begin, and those before end
		for _, it := range items {
			ends[int(byte(it.key>>shift))+1]++
		}
		for i := 1; i < len(ends); i++ {
			ends[i] += ends[i-1]
		}
		next := ends // where the next row of a byte goes
		for b := range 256 {
			for at := next[b]; at < ends[b+1]; at = next[b] {
				it := items[at]
				for byte(it.key>>shift) != byte(b) {
					to := &next[byte(it.key>>shift)]
					it, items[*to] = items[*to], it
					*to++
				}
				items[at] = it
				next[b]++
			}
		}
		if shift == 0 {
			return
		}
		shift -= 8
		// The largest one last, without a call.
		large := 0
		for b := range 256 {
			if ends[b+1]-ends[b] > ends[large+1]-ends[large] {
				large = b
			}
		}
		for b := range 256 {
			if part := items[ends[b]:ends[b+1]]; b != large && len(part) > 1 {
				s.keys(part, shift)
			}
		}
		items = items[ends[large]:ends[large+1]]
	}
}

// separate moves rows that are NULL to the beginning or the end, and returns their number.
func separate(items []sortItem, nulls value.Bitmap, first bool) int {
	at := 0
	for i, it := range items {
		if nulls.Get(int(it.row)) == first {
			items[i], items[at] = items[at], it
			at++
		}
	}
	if first {
		return at
	}
	return len(items) - at
}

// orderOfReal has the order of compareReal.
func orderOfReal(x float64) uint64 {
	if x != x {
		return math.MaxUint64
	}
	if u := math.Float64bits(x + 0); u>>63 == 0 { // -0 + 0 is 0
		return u | 1<<63
	} else {
		return ^u
	}
}

// textKeys makes keys of the eight bytes at which texts, equal in the first ones, differ, and
// returns where these end. A text that ends has bytes of zero.
func textKeys(items []sortItem, strs []string, equal int) int {
	first := strs[items[0].row]
	end := len(first)
	for _, it := range items[1:] {
		t := strs[it.row]
		if end = min(end, len(t)); t[equal:end] == first[equal:end] {
			continue
		}
		at := equal
		for t[at] == first[at] {
			at++
		}
		end = at
	}
	for i, it := range items {
		t := strs[it.row][end:]
		if len(t) >= 8 {
			items[i].key = uint64(t[7]) | uint64(t[6])<<8 | uint64(t[5])<<16 | uint64(t[4])<<24 |
				uint64(t[3])<<32 | uint64(t[2])<<40 | uint64(t[1])<<48 | uint64(t[0])<<56
			continue
		}
		key := uint64(0)
		for k := range len(t) {
			key |= uint64(t[k]) << (56 - 8*k)
		}
		items[i].key = key
	}
	return end + 8
}
