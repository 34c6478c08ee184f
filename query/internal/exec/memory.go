package exec

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/lupadb/lupa/storage/value"
)

// DefaultMemory is what a statement may hold where nothing else is said.
const DefaultMemory = 1 << 30

// Budget counts the memory that one statement's sorts, groups and joins hold.
// It is safe for concurrent use; a nil Budget has no bound.
type Budget struct {
	limit int64
	used  atomic.Int64

	collected atomic.Int64 // what was used when garbage was last collected
}

// Init makes b a budget of so many bytes, DefaultMemory if it is 0.
func (b *Budget) Init(limit int64) {
	if limit <= 0 {
		limit = DefaultMemory
	}
	b.limit = limit
}

// MemoryError says that a statement needs more memory than it may have.
type MemoryError struct {
	What  string // what was being held: "sorting"
	Limit int64  // bytes
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%s needs more than the %d MiB of memory that a statement may use; add a WHERE or a LIMIT, select fewer columns, or raise MemoryBudget",
		e.What, e.Limit>>20)
}

// Limit returns how many bytes b may count.
func (b *Budget) Limit() int64 { return b.limit }

// Reserve counts n more bytes; what names the work, for the error.
func (b *Budget) Reserve(n int64, what string) error {
	if b == nil {
		return nil
	}
	used := b.used.Add(n)
	if used > b.limit {
		return &MemoryError{what, b.limit}
	}
	if due := b.collected.Load(); used > due+collectEvery && b.collected.CompareAndSwap(due, used) {
		runtime.GC()
	}
	return nil
}

// collectEvery is by how many bytes what a statement holds may grow before garbage is
// collected: Go lets garbage grow as large as what is in use, which would double the
// memory that a large statement takes. It costs little, since what is held is mostly
// numbers, where the collector has nothing to look at.
const collectEvery = 128 << 20

// tight reports whether somebody who holds so many bytes should write them to a file: there has
// to be room for what that takes.
func (b *Budget) tight(held int64) bool {
	return b != nil && b.used.Load() > b.limit/2 && held > b.limit/8
}

// room returns how many bytes b has left, at least 1; 0 where it has no bound.
func (b *Budget) room() int64 {
	if b == nil {
		return 0
	}
	return max(1, b.limit-b.used.Load())
}

// Release gives n bytes back.
func (b *Budget) Release(n int64) {
	if b != nil {
		b.used.Add(-n)
	}
}

// columnBytes estimates the memory of n rows of a column.
func columnBytes(c *value.Column, sel []int32, n int) int64 {
	if c == nil {
		return 0
	}
	switch c.Type.Kind {
	case value.Boolean, value.Null:
		return int64(n)
	case value.Integer, value.Timestamp, value.Date, value.Real:
		return 8 * int64(n)
	case value.Vector:
		return 4 * int64(n) * int64(c.Type.Dim)
	default:
		size := 16 * int64(n)
		if sel == nil {
			for _, s := range c.Strs[:n] {
				size += int64(len(s))
			}
		} else {
			for _, i := range sel {
				size += int64(len(c.Strs[i]))
			}
		}
		return size
	}
}

// batchBytes estimates the memory of the selected rows of a batch.
func batchBytes(b *value.Batch) int64 {
	size := int64(0)
	for _, c := range b.Cols {
		size += columnBytes(c, b.Sel, b.Count())
	}
	if b.Rows != nil {
		size += 8 * int64(b.Count())
	}
	return size
}
