package shell

import (
	"context"
	"time"

	"github.com/lupadb/lupa/internal/eval"
	"github.com/lupadb/lupa/query"
)

// shared answers the next statements if they are searches that one pass can answer, with the
// results in their order and each as if it had run alone. It returns how many they were, 0
// where the next statement is to run alone, as it is if anything is wrong, so that the error
// names its place.
func (s *Shell) shared(ctx context.Context, pieces []query.Piece, at place, end bool) (n int, err error) {
	if s.conn == nil || s.conn.InTransaction() { // there an error would be the end of more than itself
		return 0, nil
	}
	var texts []string
	for n < len(pieces) && n < eval.MaxShared && (pieces[n].Complete || end) {
		texts = append(texts, pieces[n].Text)
		n++
	}
	if n < 2 {
		return 0, nil
	}
	start := time.Now()
	run, stop := s.cancellable(ctx)
	defer stop()
	all, err := s.conn.QueryShared(run, texts)
	for err != nil && len(texts) > 1 { // those before what is wrong can share
		if context.Cause(run) == errInterrupted {
			s.report(at.of(pieces[0]), pieces[0].Text, errInterrupted)
			return 0, reported{errInterrupted}
		}
		texts = texts[:len(texts)/2]
		all, err = s.conn.QueryShared(run, texts)
	}
	for _, rows := range all {
		defer rows.Close()
	}
	for i, rows := range all {
		p := pieces[i]
		err := s.step(at.of(p), p.Text, func() error {
			if context.Cause(run) == errInterrupted {
				return errInterrupted
			}
			return s.show(rows)
		})
		if err != nil {
			return 0, err
		}
	}
	if s.set.timer && len(all) > 0 {
		s.message("time: %s for %d searches in one pass", elapsed(time.Since(start)), len(all))
	}
	return len(all), nil
}
