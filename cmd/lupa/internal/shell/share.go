package shell

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage/value"
)

// maxShared bounds how many searches run in one pass, and with it what is
// delayed by waiting for the pass.
const maxShared = 64

// searchShape recognises a SELECT, or EXPLAIN of one, that searches by phrases,
// c_sim('...'), and returns it with $1, $2, ... in the place of the phrases and of
// the number of its final LIMIT. Statements of one shape can be answered in one
// pass over the vectors.
func searchShape(text string) (shape string, args []any, ok bool) {
	toks := lex(text)
	word := func(i int, w string) bool {
		return i < len(toks) && toks[i].kind == tokWord && strings.EqualFold(text[toks[i].start:toks[i].end], w)
	}
	first := 0
	if word(0, "explain") {
		if first = 1; word(1, "analyze") {
			first = 2
		}
	}
	if len(toks) < 6 || !word(first, "select") {
		return "", nil, false
	}
	var b strings.Builder
	at := 0
	for i, t := range toks {
		if t.kind == tokParam || t.open {
			return "", nil, false
		}
		var arg any
		if t.kind == tokNumber && len(args) > 0 && i == len(toks)-1 && word(i-1, "limit") {
			n, err := strconv.ParseInt(text[t.start:t.end], 10, 64)
			if err != nil {
				return "", nil, false
			}
			arg = n
		} else if t.kind != tokString || i < 2 || i+1 >= len(toks) {
			continue
		} else {
			name := strings.ToLower(text[toks[i-2].start:toks[i-2].end])
			if toks[i-2].kind != tokWord || !strings.HasSuffix(name, "_sim") ||
				text[toks[i-1].start:toks[i-1].end] != "(" || text[toks[i+1].start:toks[i+1].end] != ")" {
				continue
			}
			arg = strings.ReplaceAll(text[t.start+1:t.end-1], "''", "'")
		}
		args = append(args, arg)
		b.WriteString(text[at:t.start])
		b.WriteString("$" + string(value.Int(int64(len(args))).AppendText(nil)))
		at = t.end
	}
	b.WriteString(text[at:])
	return b.String(), args, len(args) > 0
}

// sharedRun returns how many of the next statements are searches of one shape.
func (s *Shell) sharedRun(pieces []query.Piece, end bool) int {
	if len(pieces) < 2 || s.conn == nil {
		return 0
	}
	shape, _, ok := searchShape(pieces[0].Text)
	if !ok {
		return 0
	}
	n := 1
	for n < len(pieces) && n < maxShared && (pieces[n].Complete || end) {
		other, _, ok := searchShape(pieces[n].Text)
		if !ok || other != shape {
			break
		}
		n++
	}
	return n
}

// runShared answers searches of one shape in one pass, with the results in
// their order and each as if it had run alone. If anything is wrong they do run
// alone, so that the error names its place.
func (s *Shell) runShared(ctx context.Context, pieces []query.Piece, at place) error {
	alone := func() error {
		for _, p := range pieces {
			if err := s.step(at.of(p), p.Text, func() error { return s.runStatement(ctx, p.Text) }); err != nil {
				return err
			}
		}
		return nil
	}
	shape, _, _ := searchShape(pieces[0].Text)
	start := time.Now()
	st, err := s.conn.Prepare(ctx, shape)
	if err != nil {
		return alone()
	}
	defer st.Close()
	args := make([][]any, len(pieces))
	for i, p := range pieces {
		_, args[i], _ = searchShape(p.Text)
	}
	run, stop := s.cancellable(ctx)
	defer stop()
	all, err := st.QueryMany(run, args)
	if err != nil {
		if context.Cause(run) == errInterrupted {
			s.report(at.of(pieces[0]), pieces[0].Text, errInterrupted)
			return reported{errInterrupted}
		}
		stop()
		return alone()
	}
	for _, rows := range all {
		defer rows.Close()
	}
	for i, p := range pieces {
		err := s.step(at.of(p), p.Text, func() error {
			if context.Cause(run) == errInterrupted {
				return errInterrupted
			}
			return s.show(all[i])
		})
		if err != nil {
			return err
		}
	}
	if s.set.timer {
		s.message("time: %s for %d searches in one pass", elapsed(time.Since(start)), len(pieces))
	}
	return nil
}
