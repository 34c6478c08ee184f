package storage

import (
	"iter"
	"math/bits"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/value"
)

// All returns the positions in the set, ascending.
func (s *BlockSet) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for w, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(64*w + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// worker is what one goroutine of a pass works with.
type worker struct {
	p      *pass
	pages  *pageReader
	nulls  *numbered // of the column's blocks, opened when needed
	nullAt uint32
	null   *value.Column // block nullAt
	found  []Neighbor
	wide   []float32 // one vector of float16
	jobs   []scoring // of the current group

	chunks *clusterChunks // of an index, opened when needed

	*coding // nil without codes
}

func (p *pass) newWorker() (*worker, error) {
	w := &worker{p: p}
	var err error
	if w.pages, err = p.t.pages(p.column, 0, p.sealed); err == nil && p.transform != nil {
		err = w.openCodes()
	}
	if err != nil {
		return nil, firstError(err, w.close())
	}
	return w, nil
}

func (w *worker) close() error {
	var err error
	if w.pages != nil {
		err = w.pages.Close()
	}
	if w.coding != nil {
		err = firstError(err, w.readers[0].Close(), w.readers[1].Close())
	}
	if w.chunks != nil {
		err = firstError(err, w.chunks.close())
	}
	return firstError(err, w.nulls.Close())
}

// group handles one group of candidates for all searches.
func (w *worker) group(from candidates, n uint32) error {
	w.jobs = w.jobs[:0]
	looked := false
	for i, s := range w.p.searches {
		set, count := from.wanted(s, n)
		if count == 0 {
			continue
		}
		s.rows.Add(uint64(count))
		if s.coded != nil {
			if !looked {
				var err error
				if w.have[0], err = from.plane(w, 0, n); err != nil {
					return err
				}
				w.have[1], looked = false, true
			}
			if w.have[0] {
				if err := w.prune(from, i, n, &set, count); err != nil {
					return err
				}
				if set == (BlockSet{}) {
					continue
				}
			}
		}
		w.jobs = append(w.jobs, scoring{s, set})
	}
	if len(w.jobs) == 0 {
		return nil
	}
	return from.score(w, n, w.jobs)
}

// score offers the rows of a page that are in the set; first is the position of the page's
// first row in the block.
func (w *worker) score(s *search, b uint32, first int, set *BlockSet, data []byte) error {
	row := w.pages.rowBytes
	n := len(data) / row
	w.found = w.found[:0]
	scored := 0
	for i := range n {
		if !set.Has(first + i) {
			continue
		}
		scored++
		score := w.p.scoreStored(s, data[i*row:(i+1)*row], &w.wide)
		worth := s.worth(uint64(b)*BlockRows+uint64(first+i), score)
		if !s.admits(worth) {
			continue
		}
		null, err := w.isNull(s, b, first+i, score)
		if err != nil {
			return err
		}
		if !null {
			w.found = append(w.found, Neighbor{uint64(b)*BlockRows + uint64(first+i), worth})
		}
	}
	s.scored.Add(uint64(scored))
	s.bytes.Add(uint64(scored * row))
	s.offer(w.found)
	return nil
}

// isNull reports whether row i of a sealed block is NULL. A NULL is stored as
// zeros, so only a row that scores like the zero vector needs a closer look.
func (w *worker) isNull(s *search, b uint32, i int, score float64) (bool, error) {
	if score != s.zero {
		return false, nil
	}
	if w.null == nil || w.nullAt != b {
		if w.nulls == nil {
			var err error
			if w.nulls, err = w.p.t.numbers('c', w.p.column, 0, w.p.sealed); err != nil {
				return false, err
			}
			w.null = new(value.Column)
		}
		src, err := w.nulls.Get(b)
		if err != nil {
			return false, err
		}
		w.nullAt = b
		w.null.Reset(w.p.t.def.Columns[w.p.column].Type)
		if src != nil {
			if _, err := block.Decode(src, w.null.Type, w.null); err != nil {
				return false, w.p.t.corruptNumber('c', w.p.column, b, err)
			}
		}
	}
	return w.null.Null(i), nil
}
