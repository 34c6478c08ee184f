package storage

import (
	"bufio"
	"container/heap"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// entry is what a run holds: next reads the next one, and reports whether there was one. What
// it has is valid until then.
type entry[E any] interface {
	*E
	next(r *bufio.Reader) (bool, error)
}

// mergeRuns calls visit for the entries of several files, each of which is in the order of
// compare, in that order; equal ones in the order of the files. A file is read in pieces of
// buffer bytes.
func mergeRuns[E any, P entry[E]](fs vfs.FS, names []string, buffer int, compare func(x, y *E) int, visit func(*E) error) error {
	h := runs[E]{compare: compare}
	defer func() {
		for _, r := range h.open {
			r.f.Close()
		}
	}()
	for n, name := range names {
		f, err := fs.Open(name, vfs.SequentialReadsOption)
		if err != nil {
			return err
		}
		r := &run[E]{n: n, f: f, r: bufio.NewReaderSize(f, buffer)}
		ok, err := P(&r.at).next(r.r)
		if err != nil || !ok {
			f.Close()
			if err != nil {
				return err
			}
			continue
		}
		h.open = append(h.open, r)
	}
	heap.Init(&h)
	for len(h.open) > 0 {
		r := h.open[0]
		if err := visit(&r.at); err != nil {
			return err
		}
		ok, err := P(&r.at).next(r.r)
		if err != nil {
			return err
		}
		if ok {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
			r.f.Close()
		}
	}
	return nil
}

// run is a file that is being merged.
type run[E any] struct {
	n  int
	f  vfs.File
	r  *bufio.Reader
	at E
}

// runs is a heap of those that have an entry.
type runs[E any] struct {
	open    []*run[E]
	compare func(x, y *E) int
}

func (h *runs[E]) Len() int { return len(h.open) }

func (h *runs[E]) Less(i, j int) bool {
	x, y := h.open[i], h.open[j]
	if c := h.compare(&x.at, &y.at); c != 0 {
		return c < 0
	}
	return x.n < y.n
}

func (h *runs[E]) Swap(i, j int) { h.open[i], h.open[j] = h.open[j], h.open[i] }
func (h *runs[E]) Push(x any)    { h.open = append(h.open, x.(*run[E])) }

func (h *runs[E]) Pop() any {
	last := len(h.open) - 1
	x := h.open[last]
	h.open = h.open[:last]
	return x
}
