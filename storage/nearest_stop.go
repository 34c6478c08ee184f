package storage

import "math"

// over reports whether the search is to end with what it has found. One group is visited in
// any case.
func (p *pass) over() bool {
	if p.stop == nil || p.begun.CompareAndSwap(false, true) {
		return false
	}
	if !p.ended.Load() && p.stop() {
		p.ended.Store(true)
	}
	return p.ended.Load()
}

// most returns the most goodness that any row can have.
func (s *search) most() float64 {
	low, high := s.query.Metric().Range()
	return max(float64(s.sign*low), float64(s.sign*high)) + scoreSlack
}

// judge finds what rows outside of the answer of a search that may be stopped can have: those among
// candidates that were not visited, and survivors that were not scored. All others are no
// better than the rows that have given the cut, which belong to what was found.
func (p *pass) judge(all ...candidates) {
	s := p.searches[0]
	s.unseen = math.Inf(-1)
	for _, from := range all {
		s.unseen = max(s.unseen, from.unseen(s))
	}
	found := func() map[uint64]bool {
		have := make(map[uint64]bool, len(s.ranking.rows))
		for _, n := range s.ranking.rows {
			have[n.Row] = true
		}
		return have
	}
	have := found()
	if s.trial != nil {
		for _, n := range s.trial.ranking.rows {
			if !have[n.Row] {
				s.offer([]Neighbor{n})
			}
		}
		have = found()
	}
	for _, v := range s.left {
		if !have[v.row] {
			s.unseen = max(s.unseen, v.upper)
		}
	}
	switch { // rows beyond the bound are not wanted
	case s.sign > 0 && s.max != nil:
		s.unseen = min(s.unseen, s.max.Score)
	case s.sign < 0 && s.min != nil:
		s.unseen = min(s.unseen, -s.min.Score)
	}
}

// prove tells how much of what was found is proven.
func (s *search) prove(rows []Neighbor) {
	st := &s.stats
	if s.opts.K == 0 || s.unseen < s.cutoff() || math.IsInf(s.unseen, -1) {
		st.Proven, st.Approximate = len(rows), false
		return
	}
	st.Stopped, st.Unseen = true, float64(s.sign*s.unseen)
	for st.Proven < len(rows) && float64(rows[st.Proven].Score*s.sign) > s.unseen {
		st.Proven++
	}
}

// partial reports whether a search has not looked at rows of all kinds alike.
func (st *NearestStats) partial() bool { return st.Approximate || st.Stopped || st.Clusters > 0 }
