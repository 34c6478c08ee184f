package exec

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"
	"sort"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// keySet is a set of keys that may outgrow memory. The newest are in a hash table; when that has
// no more room its keys are written to a file, in the order of their hashes, and it begins anew.
// Of what is in the file memory has a filter, one byte a key, and where each frame begins. After
// the last add, several goroutines may look keys up.
type keySet struct {
	env   *Env
	what  string // for errors
	types []value.Type

	seen seenRows // the newest
	held int64

	seed  maphash.Seed
	spill *spill
	runs  []*keyRun
	keys  int  // in the file
	full  bool // nothing can be written to files
}

// keyRun are keys in a file, in the order of their hashes.
type keyRun struct {
	first  []uint64 // hash of the first key of each frame
	frames []spillFrame
	filter []uint64 // Bloom filter of their hashes
}

const (
	keyFrame     = 4 << 10 // bytes of a frame of keys
	filterPerKey = 8       // bits
	filterProbes = 4
)

func newKeySet(types []value.Type, env *Env, what string) *keySet {
	return &keySet{env: env, what: what, types: types, seen: seenRows{groups: fn.NewGroups(types)}}
}

// add puts keys of a batch into the set and returns the rows whose keys were not there before. They are
// valid until the next call. Rows with NULL are left out with fn.SkipNull.
func (s *keySet) add(args []fn.Arg, n int, sel []int32, mode fn.NullMode) ([]int32, error) {
	if len(s.runs) > 0 {
		there := value.NewBitmap(n)
		if err := s.inFile(args, n, sel, mode, there); err != nil {
			return nil, err
		}
		var left []int32
		for _, i := range selected(n, sel) {
			if !there.Get(int(i)) {
				left = append(left, i)
			}
		}
		if sel = left; len(sel) == 0 {
			return nil, nil
		}
	}
	fresh, err := s.seen.assign(args, n, sel, mode)
	if err != nil {
		return nil, err
	}
	return fresh, s.account()
}

// selected are the rows of a selection, of n rows where it is nil.
func selected(n int, sel []int32) []int32 {
	if sel != nil {
		return sel
	}
	return value.Positions(n)
}

// account reserves what the table has grown by, and writes it to the file when that is too much.
func (s *keySet) account() error {
	grown := s.seen.groups.Bytes() + s.filterBytes() - s.held
	s.held += grown
	err := s.env.Memory.Reserve(grown, s.what)
	if s.full || err == nil && !s.env.Memory.tight(s.held-s.filterBytes()) {
		return err
	}
	if s.spill == nil {
		var newErr error
		if s.spill, newErr = newSpill(s.env); s.spill == nil {
			s.full = true
			return cmp.Or(newErr, err)
		}
		s.seed = maphash.MakeSeed()
	}
	if err := s.write(); err != nil {
		return err
	}
	grown = s.seen.groups.Bytes() + s.filterBytes() - s.held
	s.held += grown
	return s.env.Memory.Reserve(grown, s.what)
}

// filterBytes is the memory of what is known of the file.
func (s *keySet) filterBytes() (n int64) {
	for _, r := range s.runs {
		n += 8*int64(len(r.filter)) + 24*int64(len(r.frames))
	}
	return n
}

// write writes the keys of the table to the file, and begins a new one.
func (s *keySet) write() error {
	groups := s.seen.groups
	type hashed struct {
		hash uint64
		id   int32
	}
	order := make([]hashed, groups.Len())
	var buf []byte
	cols, args := make([]value.Column, len(s.types)), make([]fn.Arg, len(s.types))
	key := func(from, to int) {
		for i := range cols {
			groups.Key(i, from, to, &cols[i])
			args[i] = fn.Arg{Column: &cols[i]}
		}
	}
	for from := 0; from < len(order); from += value.BatchSize {
		to := min(from+value.BatchSize, len(order))
		key(from, to)
		for i := from; i < to; i++ {
			buf = fn.AppendGroupKey(buf[:0], args, i-from)
			order[i] = hashed{maphash.Bytes(s.seed, buf), int32(i)}
		}
	}
	slices.SortFunc(order, func(a, b hashed) int { return cmp.Compare(a.hash, b.hash) })
	r := &keyRun{filter: make([]uint64, (len(order)*filterPerKey+63)/64)}
	frame := s.spill.buf[:0]
	flush := func() error {
		at, err := s.spill.file.Append(frame)
		if err != nil {
			return fmt.Errorf("writing what has no room in memory: %w", err)
		}
		r.frames = append(r.frames, spillFrame{at, int32(len(frame))})
		frame = frame[:0]
		return nil
	}
	for _, k := range order {
		if len(frame) >= keyFrame {
			if err := flush(); err != nil {
				return err
			}
		}
		if len(frame) == 0 {
			r.first = append(r.first, k.hash)
		}
		key(int(k.id), int(k.id)+1)
		buf = fn.AppendGroupKey(buf[:0], args, 0)
		frame = binary.LittleEndian.AppendUint64(frame, k.hash)
		frame = binary.AppendUvarint(frame, uint64(len(buf)))
		frame = append(frame, buf...)
		r.bits(k.hash, func(word int, bit uint64) bool {
			r.filter[word] |= bit
			return true
		})
	}
	if len(frame) > 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	s.spill.buf = frame
	s.runs, s.keys = append(s.runs, r), s.keys+len(order)
	s.seen = seenRows{groups: fn.NewGroups(s.types)}
	return nil
}

// bits calls f with the bits of the filter that stand for a hash until it returns false.
func (r *keyRun) bits(hash uint64, f func(word int, bit uint64) bool) bool {
	// The bits of the hash that order the keys are as good as others: two halves, stepped (Kirsch, Mitzenmacher).
	n := uint64(len(r.filter)) * 64
	step := hash>>32 | 1
	for k := range uint64(filterProbes) {
		at := (hash + k*step) % n
		if !f(int(at/64), 1<<(at%64)) {
			return false
		}
	}
	return true
}

// sought is a key that may be in a run.
type sought struct {
	hash     uint64
	row      int32
	from, to int32 // of its bytes
}

// inFile notes in there which of the selected rows that are not there yet have keys that are in the file.
func (s *keySet) inFile(args []fn.Arg, n int, sel []int32, mode fn.NullMode, there value.Bitmap) error {
	var keys []byte
	var all []sought
	for _, i := range selected(n, sel) {
		if there.Get(int(i)) || mode == fn.SkipNull && anyNull(args, int(i)) {
			continue
		}
		from := len(keys)
		keys = fn.AppendGroupKey(keys, args, int(i))
		all = append(all, sought{maphash.Bytes(s.seed, keys[from:]), i, int32(from), int32(len(keys))})
	}
	slices.SortFunc(all, func(a, b sought) int { return cmp.Compare(a.hash, b.hash) })
	var frame []byte
	for _, r := range s.runs {
		read := -1
		for _, k := range all {
			if there.Get(int(k.row)) || !r.bits(k.hash, func(word int, bit uint64) bool { return r.filter[word]&bit != 0 }) {
				continue
			}
			// Keys of one hash may be in several frames.
			at := max(sort.Search(len(r.first), func(f int) bool { return r.first[f] >= k.hash })-1, 0)
			for ; at < len(r.frames) && r.first[at] <= k.hash; at++ {
				if at != read {
					f := r.frames[at]
					frame = slices.Grow(frame[:0], int(f.size))[:f.size]
					if err := s.spill.file.ReadAt(frame, f.at); err != nil {
						return fmt.Errorf("reading what had no room in memory: %w", err)
					}
					read = at
				}
				found, err := inFrame(frame, k.hash, keys[k.from:k.to])
				if err != nil {
					return err
				}
				if found {
					there.Set(int(k.row))
					break
				}
			}
		}
	}
	return nil
}

func anyNull(args []fn.Arg, i int) bool {
	return slices.ContainsFunc(args, func(a fn.Arg) bool { return a.IsNull(i) })
}

// inFrame reports whether a frame has a key.
func inFrame(frame []byte, hash uint64, key []byte) (bool, error) {
	for len(frame) > 0 {
		if len(frame) < 8 {
			return false, errSpill
		}
		h := binary.LittleEndian.Uint64(frame)
		size, n := binary.Uvarint(frame[8:])
		if n <= 0 || size > uint64(len(frame)-8-n) {
			return false, errSpill
		}
		body := frame[8+n : 8+n+int(size)]
		if h == hash && string(body) == string(key) {
			return true, nil
		}
		if h > hash {
			return false, nil
		}
		frame = frame[8+n+int(size):]
	}
	return false, nil
}

func (s *keySet) close() error {
	s.env.Memory.Release(s.held)
	s.held = 0
	sp := s.spill
	s.spill, s.runs = nil, nil
	return sp.close()
}

// ValueSet is the set of the values that a query gives, the right side of IN.
type ValueSet struct {
	keys *keySet
	Set  *fn.Set // once it was gathered
}

// NewValueSet returns an empty set.
func NewValueSet(t value.Type, env *Env) *ValueSet {
	return &ValueSet{keys: newKeySet([]value.Type{t}, env, "IN (SELECT ...)")}
}

// Gather puts the values of the only column of an operator into the set.
func (v *ValueSet) Gather(ctx context.Context, in Operator) error {
	hasNull := false
	args := make([]fn.Arg, 1)
	err := Drain(ctx, in, func(b *value.Batch) error {
		args[0] = fn.Arg{Column: b.Cols[0]}
		if !hasNull && (b.Cols[0].Nulls != nil || b.Cols[0].Type.Kind == value.Null) {
			hasNull = slices.ContainsFunc(b.Selected(), func(i int32) bool { return b.Cols[0].Null(int(i)) })
		}
		_, err := v.keys.add(args, b.Len, b.Sel, fn.SkipNull)
		return err
	})
	if err != nil {
		return err
	}
	var more fn.Members
	if len(v.keys.runs) > 0 {
		more = v
	}
	v.Set = fn.NewSetOf(v.keys.types[0], v.keys.seen.groups, more, hasNull)
	return nil
}

// Len implements fn.Members.
func (v *ValueSet) Len() int { return v.keys.keys }

// Has implements fn.Members.
func (v *ValueSet) Has(x fn.Arg, n int, sel []int32, there value.Bitmap) error {
	return v.keys.inFile([]fn.Arg{x}, n, sel, fn.SkipNull, there)
}

// Close gives up what the set holds; it can't be used any more.
func (v *ValueSet) Close() error { return v.keys.close() }
