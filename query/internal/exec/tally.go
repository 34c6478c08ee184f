package exec

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
)

// Tally counts what a statement read of files: rows, or the pictures of images(), what
// became of them, and of the files beside them.
type Tally struct {
	Rows     atomic.Int64     // of files
	Pictures bool             // there is an images() in the statement
	Found    int64            // pictures of images()
	Encoded  int64            // by image()
	Present  int64            // left alone: in the table already
	Failed   int64            // can't be read, or directories that can't
	Skipped  map[string]int64 // files that are not read, by kind

	Encodes bool // there is an image() in the statement

	Unread []string // columns of files of a COPY that go nowhere
}

// Skip counts n files of a kind.
func (t *Tally) Skip(kind string, n int64) {
	if t.Skipped == nil {
		t.Skipped = map[string]int64{}
	}
	t.Skipped[kind] += n
}

// String is the line that an import ends with.
func (t *Tally) String() string {
	if !t.Pictures {
		s := fmt.Sprintf("%d rows read", t.Rows.Load())
		if t.Rows.Load() == 1 {
			s = "1 row read"
		}
		if t.Present > 0 {
			s += fmt.Sprintf(", %d there already", t.Present)
		}
		return s + ", " + t.Rest() + t.unread()
	}
	read := t.Found - t.Present
	if t.Encodes {
		read = t.Encoded
	}
	what := "pictures"
	if read == 1 {
		what = "picture"
	}
	s := fmt.Sprintf("%d %s read", read, what)
	if t.Present > 0 {
		s += fmt.Sprintf(", %d there already", t.Present)
	}
	return s + ", " + t.Rest()
}

// unread names the first few columns that were not read.
func (t *Tally) unread() string {
	const few = 8
	switch n := len(t.Unread); {
	case n == 0:
		return ""
	case n > few:
		return fmt.Sprintf("; columns not read: %s and %d more", strings.Join(t.Unread[:few], ", "), n-few)
	case n == 1:
		return "; column not read: " + t.Unread[0]
	}
	return "; columns not read: " + strings.Join(t.Unread, ", ")
}

// Rest is the part of the line about what was not read.
func (t *Tally) Rest() string {
	total := int64(0)
	for _, n := range t.Skipped {
		total += n
	}
	s := fmt.Sprintf("%d skipped", total)
	if total > 0 {
		// The most frequent kinds first.
		kinds := slices.SortedFunc(maps.Keys(t.Skipped), func(a, b string) int {
			return cmp.Or(cmp.Compare(t.Skipped[b], t.Skipped[a]), cmp.Compare(a, b))
		})
		for i, k := range kinds {
			kinds[i] = fmt.Sprintf("%d %s", t.Skipped[k], k)
		}
		s += " (" + strings.Join(kinds, ", ") + ")"
	}
	return s + fmt.Sprintf(", %d failed", t.Failed)
}
