package fn

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"math/rand/v2"
	"strings"
	"unsafe"

	"github.com/lupadb/lupa/storage/value"
)

// NullMode says what becomes of rows with a NULL among their keys.
type NullMode uint8

const (
	GroupNull NullMode = iota // NULLs are equal to each other: GROUP BY, DISTINCT
	SkipNull                  // the row gets group -1: joins, IN
)

// Groups numbers the different keys of GROUP BY, DISTINCT, IN and hash joins
// from 0, in the order of their first appearance. A key is one value or several;
// -0 and 0 are one key, as are all NaN and JSON values that mean the same.
type Groups struct {
	types []value.Type
	keys  []value.Column // the keys of each group
	n     int
	bytes int64

	seed   maphash.Seed
	slots  []slot // open addressing, linear probing; a power of two, at most half full, a quarter while small
	shift  uint
	bodies []string // the text, or the encoded key, of each group; unused with fixed keys
	pairs  []pair   // the keys of each group, of two fixed ones; of texts what tells them apart
	salt   uint64   // of the hashes of short texts
	nullID int32    // group of NULL with a fixed or text key, or -1
	kind   keyKind
	probe  Probe
}

// slot is one place of the hash table. With a fixed key, key is the key itself;
// otherwise its hash. id is the group + 1, 0 for an empty place.
type slot struct {
	key uint64
	id  int32
}

// pair is two fixed keys; bits 0 and 1 of nulls tell which of them is NULL. Of a text of up to shortText
// bytes it is the bytes, and their number in nulls; of a longer one a hash, and longText.
type pair struct {
	a, b  uint64
	nulls uint8
}

const (
	shortText = 16
	longText  = 255
	nullText  = 254
)

func (p pair) hash() uint64 {
	return hashInt(p.a ^ bits.RotateLeft64(hashInt(p.b+uint64(p.nulls)), 32))
}

// textPair returns the pair of a text, which for a short one is that of no other.
func (g *Groups) textPair(s string) pair {
	n := len(s)
	b := unsafe.Slice(unsafe.StringData(s), n)
	switch {
	case n > shortText:
		return pair{a: maphash.String(g.seed, s), nulls: longText}
	case n >= 8:
		return pair{a: binary.LittleEndian.Uint64(b), b: binary.LittleEndian.Uint64(b[n-8:]), nulls: uint8(n)}
	case n >= 4:
		return pair{a: uint64(binary.LittleEndian.Uint32(b)), b: uint64(binary.LittleEndian.Uint32(b[n-4:])), nulls: uint8(n)}
	case n > 0:
		return pair{a: uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16, nulls: uint8(n)}
	}
	return pair{}
}

type keyKind uint8

const (
	fixedKey keyKind = iota // one key of at most 8 bytes
	pairKey                 // two keys of at most 8 bytes
	textKey                 // one TEXT or BLOB
	wideKey                 // anything else, encoded
)

// NewGroups returns an empty table for keys of the given types. No types at all
// make a single group.
func NewGroups(types []value.Type) *Groups {
	g := &Groups{types: types, keys: make([]value.Column, len(types)), seed: maphash.MakeSeed(), salt: rand.Uint64(), nullID: -1}
	for i, t := range types {
		g.keys[i].Type = t
	}
	g.kind = wideKey
	switch {
	case len(types) == 1 && fixed(types[0]):
		g.kind = fixedKey
	case len(types) == 2 && fixed(types[0]) && fixed(types[1]):
		g.kind = pairKey
	case len(types) == 1 && types[0].Kind != value.Vector && types[0].Kind != value.JSON && types[0].Kind != value.Interval && types[0].Kind != value.Numeric:
		g.kind = textKey
	}
	g.grow(16) // most statements see a handful of keys
	g.probe.g = g
	return g
}

// fixed reports whether values of type t fit into 8 bytes.
func fixed(t value.Type) bool {
	switch t.Kind {
	case value.Boolean, value.Integer, value.Timestamp, value.Date, value.Real, value.Null:
		return true
	}
	return false
}

// Len returns the number of groups.
func (g *Groups) Len() int { return g.n }

// Bytes estimates the memory held, and, when the table may grow with the next batch, what
// that takes: both the old and the new one are there then.
func (g *Groups) Bytes() int64 {
	size := int64(len(g.slots)) * 16
	if len(g.slots) >= 1<<16 && 2*(g.n+2*value.BatchSize) > len(g.slots) {
		size *= 3
	}
	return g.bytes + size
}

// Assign sets ids[i] to the group of row i for the selected rows of the key
// columns, making new groups for new keys. cols are of the table's types.
func (g *Groups) Assign(cols []Arg, n int, sel []int32, mode NullMode, ids []int32) error {
	return g.probe.run(cols, n, sel, mode, ids, true)
}

// Settled estimates the memory held by a table that gets no more groups.
func (g *Groups) Settled() int64 { return g.bytes + int64(len(g.slots))*16 }

// HashKeys sets out[i] to a hash of the keys of row i for the selected rows: equal for keys that
// are one group.
func HashKeys(seed maphash.Seed, cols []Arg, n int, sel []int32, out []uint64) {
	if len(cols) == 1 && hashColumn(seed, cols[0], n, sel, out) {
		return
	}
	var buf []byte
	each(n, sel, func(i int) {
		buf = AppendGroupKey(buf[:0], cols, i)
		out[i] = maphash.Bytes(seed, buf)
	})
}

// hashColumn is HashKeys for a key of one column, of a kind that it knows: NULL is hashed alike for all of them.
func hashColumn(seed maphash.Seed, a Arg, n int, sel []int32, out []uint64) bool {
	null := maphash.Bytes(seed, []byte{0}) // as AppendGroupKey writes it
	switch {
	case a.Type.Kind == value.Null:
		each(n, sel, func(i int) { out[i] = null })
		return true
	case a.Const:
		var one [1]uint64
		if a.Const = false; !hashColumn(seed, a, 1, nil, one[:]) {
			return false
		}
		each(n, sel, func(i int) { out[i] = one[0] })
		return true
	case fixed(a.Type):
		fixedKeys(a.Column, n, sel, out)
		for _, i := range fullSel(n, sel) {
			out[i] = hashInt(hashInt(out[i]) ^ null) // not the hash that orders a table of the partition
		}
	case a.Type.Kind == value.Text:
		for _, i := range fullSel(n, sel) {
			out[i] = maphash.String(seed, a.Strs[i])
		}
	default:
		return false
	}
	if a.Nulls != nil {
		each(n, sel, func(i int) {
			if a.Nulls.Get(i) {
				out[i] = null
			}
		})
	}
	return true
}

// AppendGroupKey appends the keys of row i as bytes that are equal for keys of one group, NULLs
// included, and for no others.
func AppendGroupKey(buf []byte, cols []Arg, i int) []byte {
	for _, c := range cols {
		if c.IsNull(i) {
			buf = append(buf, 0)
			continue
		}
		buf = appendKey(append(buf, 1), c, i*c.step())
	}
	return buf
}

// NewProbe returns a reader of the table; while no Assign runs, several may be
// used concurrently.
func (g *Groups) NewProbe() *Probe { return &Probe{g: g} }

// Key sets out to key column col of groups from to to-1, in slots 0, 1, ...
// out's memory is the caller's and reused; texts alias the table.
func (g *Groups) Key(col, from, to int, out *value.Column) {
	k := &g.keys[col]
	out.Reset(k.Type)
	for i := from; i < to; i++ {
		out.Append(i-from, k.Value(i))
	}
}

// Probe looks keys up in Groups.
type Probe struct {
	g     *Groups
	fixed []uint64
	other []uint64 // of the second of two keys
	coded []int32  // the groups of different texts
	buf   []byte
}

// Find sets ids[i] to the group of row i, or to -1 if there is none.
func (p *Probe) Find(cols []Arg, n int, sel []int32, mode NullMode, ids []int32) error {
	return p.run(cols, n, sel, mode, ids, false)
}

func (p *Probe) run(cols []Arg, n int, sel []int32, mode NullMode, ids []int32, add bool) error {
	g := p.g
	for i, c := range cols {
		if c.Type.Kind != g.types[i].Kind && c.Type.Kind != value.Null {
			return fmt.Errorf("key of type %v where %v was declared", c.Type, g.types[i])
		}
		if c.Type.Kind == value.Vector && g.keys[i].Type.Dim == 0 {
			g.keys[i].Type.Dim = c.Type.Dim
		}
	}
	if g.n >= math.MaxInt32-value.BatchSize {
		return fmt.Errorf("more than %d groups", math.MaxInt32-value.BatchSize)
	}
	switch {
	case len(cols) == 0:
		if add && g.n == 0 {
			g.n = 1
		}
		each(n, sel, func(i int) { ids[i] = int32(g.n - 1) })
	case g.kind == fixedKey:
		p.runFixed(cols[0], n, sel, mode, ids, add)
	case g.kind == pairKey:
		p.runPair(cols[0], cols[1], n, sel, mode, ids, add)
	case g.kind == textKey:
		p.runText(cols[0], n, sel, mode, ids, add)
	default:
		p.runWide(cols, n, sel, mode, ids, add)
	}
	return nil
}

// unknownGroup is the group of a text that was not looked for yet.
const unknownGroup = -2

// null returns the group of NULL for a single key.
func (p *Probe) null(mode NullMode, add bool) int32 {
	g := p.g
	if mode == SkipNull {
		return -1
	}
	if g.nullID < 0 && add {
		g.nullID = int32(g.n)
		g.keys[0].Append(g.n, value.Value{})
		if g.kind == textKey {
			g.bodies, g.pairs = append(g.bodies, ""), append(g.pairs, pair{nulls: nullText})
		}
		g.n++
	}
	return g.nullID
}

func (p *Probe) runFixed(a Arg, n int, sel []int32, mode NullMode, ids []int32, add bool) {
	g := p.g
	if a.Type.Kind == value.Null {
		each(n, sel, func(i int) { ids[i] = p.null(mode, add) })
		return
	}
	if a.Const {
		one := [1]int32{}
		b := a
		b.Const = false
		p.runFixed(b, 1, nil, mode, one[:], add)
		each(n, sel, func(i int) { ids[i] = one[0] })
		return
	}
	if sel == nil && a.Nulls == nil && len(a.Ints) >= n && a.Type.Kind != value.Real && a.Type.Kind != value.Boolean {
		p.runInts(a.Ints[:n], a, ids[:n], add)
		return
	}
	var keys []uint64
	keys, p.fixed = fixedKeys(a.Column, n, sel, p.fixed)
	lookup := func(i int) {
		key := keys[i]
		for at := hashInt(key) >> g.shift; ; at++ {
			s := &g.slots[at&uint64(len(g.slots)-1)]
			if s.id == 0 {
				if !add {
					ids[i] = -1
					return
				}
				ids[i] = g.insert(s, key)
				g.keys[0].Append(g.n-1, a.Value(i))
				return
			}
			if s.key == key {
				ids[i] = s.id - 1
				return
			}
		}
	}
	nulls := a.Nulls
	each(n, sel, func(i int) {
		if nulls.Get(i) {
			ids[i] = p.null(mode, add)
			return
		}
		lookup(i)
	})
}

// runInts is the common case of a fixed key: integers without NULL.
func (p *Probe) runInts(keys []int64, a Arg, ids []int32, add bool) {
	g := p.g
	mask, shift, slots := uint64(len(g.slots)-1), g.shift, g.slots
	for i, k := range keys {
		key := uint64(k)
		at := hashInt(key) >> shift & mask
		s := &slots[at]
		for s.key != key && s.id != 0 {
			at = (at + 1) & mask
			s = &slots[at]
		}
		if s.id == 0 {
			if !add {
				ids[i] = -1
				continue
			}
			ids[i] = g.insert(s, key)
			g.keys[0].Append(g.n-1, a.Value(i))
			mask, shift, slots = uint64(len(g.slots)-1), g.shift, g.slots
			continue
		}
		ids[i] = s.id - 1
	}
}

// fixedKeys returns the keys of a column of at most 8 bytes a value as bits that
// are equal where the values are.
func fixedKeys(c *value.Column, n int, sel []int32, buf []uint64) (keys, reuse []uint64) {
	buf = grow(buf, n)
	switch c.Type.Kind {
	case value.Boolean:
		each(n, sel, func(i int) {
			buf[i] = 0
			if c.Bools[i] {
				buf[i] = 1
			}
		})
	case value.Real:
		each(n, sel, func(i int) { buf[i] = realBits(c.Reals[i]) })
	default:
		if sel == nil {
			for i, x := range c.Ints[:n] {
				buf[i] = uint64(x)
			}
		} else {
			for _, i := range sel {
				buf[i] = uint64(c.Ints[i])
			}
		}
	}
	return buf, buf
}

// realBits returns the bits of f with one zero and one NaN.
func realBits(f float64) uint64 {
	if f == 0 {
		return 0
	}
	if f != f {
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

// hashInt spreads the bits of x; its high bits are the good ones.
func hashInt(x uint64) uint64 {
	hi, lo := bits.Mul64(x^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return hi ^ lo
}

// pairKeys is fixedKeys for an argument that may be constant or NULL.
func pairKeys(a Arg, n int, sel []int32, buf []uint64) []uint64 {
	if a.Type.Kind == value.Null {
		return grow(buf, n)
	}
	if !a.Const {
		buf, _ = fixedKeys(a.Column, n, sel, buf)
		return buf
	}
	var one [1]uint64
	keys, _ := fixedKeys(a.Column, 1, nil, one[:])
	buf = grow(buf, n)
	for i := range buf {
		buf[i] = keys[0]
	}
	return buf
}

func (p *Probe) runPair(a, b Arg, n int, sel []int32, mode NullMode, ids []int32, add bool) {
	g := p.g
	p.fixed, p.other = pairKeys(a, n, sel, p.fixed), pairKeys(b, n, sel, p.other)
	nullable := a.Nulls != nil || b.Nulls != nil || a.Type.Kind == value.Null || b.Type.Kind == value.Null
	for _, i := range fullSel(n, sel) {
		key := pair{a: p.fixed[i], b: p.other[i]}
		if nullable {
			if a.IsNull(int(i)) {
				key.a, key.nulls = 0, 1
			}
			if b.IsNull(int(i)) {
				key.b, key.nulls = 0, key.nulls|2
			}
			if key.nulls != 0 && mode == SkipNull {
				ids[i] = -1
				continue
			}
		}
		hash := key.hash()
		for at := hash >> g.shift; ; at++ {
			s := &g.slots[at&uint64(len(g.slots)-1)]
			if s.id == 0 {
				if !add {
					ids[i] = -1
					break
				}
				ids[i] = g.insert(s, hash)
				g.pairs = append(g.pairs, key)
				g.keys[0].Append(g.n-1, a.At(int(i)))
				g.keys[1].Append(g.n-1, b.At(int(i)))
				g.bytes += 48
				break
			}
			if s.key == hash && g.pairs[s.id-1] == key {
				ids[i] = s.id - 1
				break
			}
		}
	}
}

func (p *Probe) runText(a Arg, n int, sel []int32, mode NullMode, ids []int32, add bool) {
	g := p.g
	step := a.step()
	nullable := a.Nulls != nil || a.Type.Kind == value.Null
	coded := a.coded(n, sel)
	if coded { // the group of each different text is found when it is first met
		p.coded = grow(p.coded, len(a.Values))
		for i := range p.coded {
			p.coded[i] = unknownGroup
		}
	}
	for _, i := range fullSel(n, sel) {
		if nullable && a.IsNull(int(i)) {
			ids[i] = p.null(mode, add)
			continue
		}
		if coded {
			c := a.Codes[i]
			if p.coded[c] == unknownGroup {
				p.coded[c] = g.text(a.Values[c], a.Type.Kind, add)
			}
			ids[i] = p.coded[c]
			continue
		}
		s := a.Strs[int(i)*step]
		ids[i] = g.text(s, a.Type.Kind, add)
	}
}

// text returns the group of a text, -1 if there is none and none is to be added.
func (g *Groups) text(s string, kind value.Kind, add bool) int32 {
	key := g.textPair(s)
	salted := key
	salted.a ^= g.salt
	hash := salted.hash()
	for at := hash >> g.shift; ; at++ {
		sl := &g.slots[at&uint64(len(g.slots)-1)]
		if sl.id == 0 {
			if !add {
				return -1
			}
			id := g.insert(sl, hash)
			s = strings.Clone(s)
			g.bodies, g.pairs = append(g.bodies, s), append(g.pairs, key)
			g.keys[0].Append(g.n-1, value.WithBody(kind, s))
			g.bytes += int64(len(s)) + 56
			return id
		}
		if sl.key == hash && g.pairs[sl.id-1] == key && (key.nulls != longText || g.bodies[sl.id-1] == s) {
			return sl.id - 1
		}
	}
}

func (p *Probe) runWide(cols []Arg, n int, sel []int32, mode NullMode, ids []int32, add bool) {
	g := p.g
	each(n, sel, func(i int) {
		p.buf = p.buf[:0]
		for _, c := range cols {
			if c.IsNull(i) {
				if mode == SkipNull {
					ids[i] = -1
					return
				}
				p.buf = append(p.buf, 0)
				continue
			}
			p.buf = appendKey(append(p.buf, 1), c, i*c.step())
		}
		hash := maphash.Bytes(g.seed, p.buf)
		id := g.findBytes(hash, p.buf, add)
		ids[i] = id
		if int(id) == len(g.bodies) {
			g.bodies = append(g.bodies, string(p.buf))
			for k, c := range cols {
				v := c.At(i)
				switch v.Kind() {
				case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
					v = value.WithBody(v.Kind(), strings.Clone(v.Str()))
				}
				g.keys[k].Append(g.n-1, v)
			}
			g.bytes += 2*int64(len(p.buf)) + 32
		}
	})
}

func (g *Groups) findBytes(hash uint64, b []byte, add bool) int32 {
	for at := hash >> g.shift; ; at++ {
		sl := &g.slots[at&uint64(len(g.slots)-1)]
		if sl.id == 0 {
			if !add {
				return -1
			}
			return g.insert(sl, hash)
		}
		if sl.key == hash && g.bodies[sl.id-1] == string(b) {
			return sl.id - 1
		}
	}
}

// appendKey appends slot i of a column as bytes that are equal where the values
// are, and that tell where they end.
func appendKey(b []byte, a Arg, i int) []byte {
	switch a.Type.Kind {
	case value.Boolean:
		if a.Bools[i] {
			return append(b, 1)
		}
		return append(b, 0)
	case value.Integer, value.Timestamp, value.Date:
		return binary.LittleEndian.AppendUint64(b, uint64(a.Ints[i]))
	case value.Real:
		return binary.LittleEndian.AppendUint64(b, realBits(a.Reals[i]))
	case value.Vector:
		for _, x := range a.Vec(i) {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x+0)) // -0 becomes 0
		}
		return b
	case value.Interval:
		return value.SpanOf(a.Strs[i]).AppendKey(b)
	case value.Numeric:
		return append(b, value.NumericKey(a.Strs[i])...)
	case value.JSON:
		return appendJSONKey(b, a.Strs[i])
	}
	b = binary.AppendUvarint(b, uint64(len(a.Strs[i])))
	return append(b, a.Strs[i]...)
}

// insert makes a new group in the empty slot s and grows the table if it is half
// full.
func (g *Groups) insert(s *slot, key uint64) int32 {
	id := int32(g.n)
	s.key, s.id = key, id+1
	g.n++
	g.bytes += 16
	if 4*g.n > len(g.slots) && len(g.slots) < 1<<14 || 2*g.n > len(g.slots) {
		g.grow(2 * len(g.slots))
	}
	return id
}

func (g *Groups) grow(n int) {
	old := g.slots
	g.slots = make([]slot, n)
	g.shift = uint(64 - bits.Len(uint(n-1)))
	for _, s := range old {
		if s.id == 0 {
			continue
		}
		hash := s.key
		if g.kind == fixedKey {
			hash = hashInt(s.key)
		}
		at := hash >> g.shift
		for g.slots[at&uint64(n-1)].id != 0 {
			at++
		}
		g.slots[at&uint64(n-1)] = s
	}
}
