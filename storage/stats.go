package storage

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// ColumnStats describe the values of a column. They may count deleted rows, and
// Min and Max may be wider than the live values, until VACUUM.
type ColumnStats struct {
	Rows     uint64      // rows looked at
	Nulls    uint64      // of them NULL
	Min, Max value.Value // no value is outside; NULL when there is no value, or no order
	Distinct uint64      // estimate, within some percent; 0 for vectors
}

// Stats returns the statistics of a column; it reads no vector.
func (t *Table) Stats(ctx context.Context, col int) (ColumnStats, error) {
	if col < 0 || col >= len(t.def.Columns) {
		return ColumnStats{}, fmt.Errorf("column %d of %d", col, len(t.def.Columns))
	}
	def := &t.def.Columns[col]
	p := t.view.picture
	if p == nil {
		return t.readStats(ctx, col, def)
	}
	k := statsKey{t.def.ID, def.ID}
	p.mu.Lock()
	st, ok := p.stats[k]
	p.mu.Unlock()
	if ok {
		return st, nil
	}
	st, err := t.readStats(ctx, col, def)
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.stats == nil {
			p.stats = map[statsKey]ColumnStats{}
		}
		p.stats[k] = st
	}
	return st, err
}

// statsKey names a column among the statistics that a picture keeps.
type statsKey struct{ table, column uint32 }

func (t *Table) readStats(ctx context.Context, col int, def *ColumnDef) (ColumnStats, error) {
	st, err := t.view.readStats(t.def, def)
	if err != nil {
		return ColumnStats{}, err
	}
	if t.rowsIn(t.sealedBlocks()) > 0 && def.Type.Kind != value.Vector {
		scan := t.Scan(ScanOptions{Columns: []int{col}, FromBlock: t.sealedBlocks()})
		defer scan.Close()
		b, err := scan.Next(ctx)
		if err != nil {
			return ColumnStats{}, err
		}
		if b != nil {
			st.add(b.Cols[0], selected(b))
		}
	}
	return ColumnStats{st.rows, st.nulls, st.min, st.max, st.distinct()}, nil
}

// registerBits is the logarithm of the number of HyperLogLog registers: 2,048 give a
// standard error of 2.3 percent.
const registerBits = 11

// stats of a column's sealed rows.
type stats struct {
	rows, nulls uint64
	stale       uint64 // values that were replaced, and count among the distinct ones: see rewriter
	min, max    value.Value
	registers   []byte // HyperLogLog (Flajolet et al. 2007): longest run of zero bits seen in each
}

// maxBound is the length to which the bounds of texts are cut.
const maxBound = 256

// add counts rows pos of a column.
func (s *stats) add(c *value.Column, pos []int32) {
	kind := c.Type.Kind
	s.rows += uint64(len(pos))
	for _, p := range pos {
		i := int(p)
		if c.Null(i) {
			s.nulls++
			continue
		}
		var h uint64
		switch kind {
		case value.Vector:
			continue
		case value.Integer, value.Timestamp, value.Date:
			h = mix(uint64(c.Ints[i]))
		case value.Boolean:
			h = mix(uint64(c.Value(i).Int()))
		case value.Real:
			h = mix(math.Float64bits(c.Reals[i] + 0))
		case value.Numeric:
			h = hashText(value.NumericKey(c.Strs[i]))
		default:
			h = hashText(c.Strs[i])
		}
		if s.registers == nil {
			s.registers = make([]byte, 1<<registerBits)
		}
		r := &s.registers[h>>(64-registerBits)]
		*r = max(*r, byte(bits.LeadingZeros64(h<<registerBits|1<<(registerBits-1))+1))
		if key.Indexable(kind) {
			s.widen(c.Value(i))
		}
	}
}

func (s *stats) widen(v value.Value) {
	if s.min.IsNull() || value.Compare(v, s.min) < 0 {
		s.min = lowBound(v)
	}
	if s.max.IsNull() || value.Compare(v, s.max) > 0 {
		s.max = highBound(v)
	}
}

func lowBound(v value.Value) value.Value {
	if len(v.Str()) <= maxBound || v.Kind() == value.Numeric {
		return v
	}
	return ofKind(v.Kind(), v.Str()[:maxBound])
}

func highBound(v value.Value) value.Value {
	if len(v.Str()) <= maxBound || v.Kind() == value.Numeric {
		return v
	}
	if end := key.End([]byte(v.Str()[:maxBound])); end != nil {
		return ofKind(v.Kind(), string(end))
	}
	return v
}

func ofKind(k value.Kind, s string) value.Value {
	if k == value.Blob {
		return value.BlobOf(s)
	}
	return value.Str(s)
}

// merge adds what o has seen.
func (s *stats) merge(o *stats) {
	s.rows += o.rows
	s.nulls += o.nulls
	s.stale += o.stale
	if !o.min.IsNull() {
		s.widen(o.min)
		s.widen(o.max)
	}
	if s.registers == nil {
		s.registers = o.registers
		return
	}
	for i, r := range o.registers {
		s.registers[i] = max(s.registers[i], r)
	}
}

// halves are 1, 1/2, 1/4, ...: what registers add, of which a table has 2,048 a column.
var halves = func() (h [64]float64) {
	for i := range h {
		h[i] = math.Ldexp(1, -i)
	}
	return h
}()

// distinct estimates the number of distinct values.
func (s *stats) distinct() uint64 {
	if s.registers == nil {
		return 0
	}
	m := float64(len(s.registers))
	sum, zero := 0.0, 0
	for _, r := range s.registers {
		if int(r) < len(halves) {
			sum += halves[r]
		} else {
			sum += math.Ldexp(1, -int(r))
		}
		if r == 0 {
			zero++
		}
	}
	e := 0.7213 / (1 + 1.079/m) * m * m / sum
	if e <= 2.5*m && zero > 0 {
		e = float64(m * math.Log(m/float64(zero))) // few values: linear counting
	}
	return min(uint64(e+0.5), s.rows-s.nulls)
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hashText is FNV-1a, mixed.
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// Versions of statistics: 2, where values were replaced, has their number.
const (
	statsVersion  = 2
	statsUnstaled = 1
)

func (s *stats) encode() []byte {
	b := []byte{statsUnstaled}
	if s.stale > 0 {
		b[0] = statsVersion
	}
	b = binary.AppendUvarint(b, s.rows)
	b = binary.AppendUvarint(b, s.nulls)
	if s.stale > 0 {
		b = binary.AppendUvarint(b, s.stale)
	}
	b = block.AppendValue(b, s.min)
	b = block.AppendValue(b, s.max)
	return append(b, s.registers...)
}

func decodeStats(b []byte) (*stats, error) {
	bad := fmt.Errorf("%w: statistics of %d bytes", block.ErrMalformed, len(b))
	if len(b) < 1 || b[0] != statsVersion && b[0] != statsUnstaled {
		return nil, bad
	}
	s := new(stats)
	counts := []*uint64{&s.rows, &s.nulls}
	if b[0] == statsVersion {
		counts = append(counts, &s.stale)
	}
	b = b[1:]
	for _, p := range counts {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, bad
		}
		*p, b = v, b[n:]
	}
	var err error
	for _, p := range []*value.Value{&s.min, &s.max} {
		if *p, b, err = block.ReadValue(b); err != nil {
			return nil, err
		}
	}
	if s.nulls > s.rows || s.min.Kind() != s.max.Kind() || len(b) != 0 && len(b) != 1<<registerBits {
		return nil, bad
	}
	if len(b) > 0 {
		s.registers = append([]byte(nil), b...)
	}
	return s, nil
}

// readStats returns the statistics of a column's sealed rows.
func (v *View) readStats(d *TableDef, c *ColumnDef) (*stats, error) {
	st := new(stats)
	_, err := v.get(key.Of(nil, d.ID, key.Stats, c.ID), func(b []byte) (err error) {
		st, err = decodeStats(b)
		if err == nil && !st.min.IsNull() && st.min.Kind() != c.Type.Kind {
			err = fmt.Errorf("%w: statistics of %v", block.ErrMalformed, st.min.Kind())
		}
		return err
	})
	return st, corrupt(d.Name, c.Name, "statistics", err)
}
