package storage

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
)

// candidates are rows among which a pass looks for its answers, in groups of up to BlockRows
// whose codes lie together: the blocks of the table in their order, or some of them, or what
// an index over the column has in an order of its own. A row has a slot in its group. A pass
// discards rows by their codes and scores the others, whatever candidates it has; it is exact
// among them.
type candidates interface {
	// take calls f with groups that no other worker has taken, until there are none left.
	take(ctx context.Context, f func(n uint32) error) error
	// seeds are the groups whose most promising rows give a first cut; nil: that does not pay.
	seeds() []uint32
	// seeded reports whether a first cut pays for a search.
	seeded(s *search) bool
	// wanted returns the slots of a group that a search looks at, and their number.
	wanted(s *search, n uint32) (set BlockSet, count int)
	// plane makes plane k of a group's codes the worker's current one; ok is false if the
	// group has none.
	plane(w *worker, k int, n uint32) (ok bool, err error)
	// rows takes out of a set the slots whose rows are not there, and makes the group the
	// current one of row.
	rows(w *worker, n uint32, set *BlockSet) error
	// row returns the row of a slot of the current group.
	row(w *worker, n uint32, slot int) uint64
	// unseen returns the most goodness that a row in groups that were not taken can have, when the
	// pass is over; -Inf if there is none.
	unseen(s *search) float64
	// score offers the rows of some slots of the current group to searches.
	score(w *worker, n uint32, jobs []scoring) error
}

// scoring are the slots of a group that are left to be scored for a search.
type scoring struct {
	s   *search
	set BlockSet
}

// blocks are all sealed blocks of a table, or some.
type blocks struct {
	p    *pass
	some []uint32 // nil: all
	next atomic.Int64
}

func (c *blocks) take(ctx context.Context, f func(n uint32) error) error {
	if c.some != nil {
		return c.p.takeOf(ctx, &c.next, c.some, f)
	}
	return c.p.take(ctx, func(from, to uint32) error {
		for n := from; n < to; n++ {
			if err := f(n); err != nil {
				return err
			}
		}
		return nil
	})
}

// takeOf calls f with numbers of a list that no other worker has taken.
func (p *pass) takeOf(ctx context.Context, next *atomic.Int64, list []uint32, f func(n uint32) error) error {
	for !p.failed.Load() && !p.over() {
		i := int(next.Add(1)) - 1
		if i >= len(list) {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(list[i]); err != nil {
			return err
		}
	}
	return nil
}

// seeds are blocks all over the table, and those to whose rows the most is added.
func (c *blocks) seeds() (list []uint32) {
	if c.p.sealed < 4*seedBlocks {
		return nil
	}
	n := uint64(seedBlocks)
	if len(c.p.searches) > fewSearches {
		n = seedMany
	}
	if s := c.p.searches[0]; s.plus != nil && len(c.p.searches) == 1 {
		list = s.plus.best(c.p.sealed, int(n/2))
		n -= uint64(len(list))
	}
	best := list
	for k := range n {
		if b := uint32((2*k + 1) * uint64(c.p.sealed) / (2 * n)); !slices.Contains(best, b) {
			list = append(list, b)
		}
	}
	return list
}

func (c *blocks) seeded(s *search) bool { return s.limit > 0 && s.limit <= seedLimit }

func (c *blocks) wanted(s *search, n uint32) (BlockSet, int) { return c.p.wanted(s, n) }

func (c *blocks) plane(w *worker, k int, n uint32) (bool, error) { return w.plane(k, n) }

func (c *blocks) rows(*worker, uint32, *BlockSet) error { return nil }

func (c *blocks) row(_ *worker, n uint32, slot int) uint64 { return uint64(n)*BlockRows + uint64(slot) }

func (c *blocks) unseen(s *search) float64 {
	some := func(n uint32) bool {
		_, count := c.wanted(s, n)
		return count > 0
	}
	if c.some != nil {
		if slices.ContainsFunc(c.some[min(int(c.next.Load()), len(c.some)):], some) {
			return s.most()
		}
		return math.Inf(-1)
	}
	for n := c.p.next.Load(); n < c.p.sealed; n++ {
		if some(n) {
			return s.most()
		}
	}
	return math.Inf(-1)
}

// score reads the block's pages forward.
func (c *blocks) score(w *worker, n uint32, jobs []scoring) error {
	rpp := w.pages.rowsPerPage
	for page := range BlockRows / rpp {
		var data []byte
		for i := range jobs {
			j := &jobs[i]
			if !anyIn(&j.set, page*rpp, rpp) {
				continue
			}
			if data == nil {
				var err error
				if data, err = w.pages.Page(n*uint32(BlockRows/rpp) + uint32(page)); err != nil {
					return err
				}
				if data == nil {
					break // nothing but NULLs
				}
			}
			if err := w.score(j.s, n, page*rpp, &j.set, data); err != nil {
				return err
			}
		}
	}
	return nil
}
