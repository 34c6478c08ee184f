package shell

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/internal/eval"
	"github.com/lupadb/lupa/storage/value"
)

// runPrompts is --prompts: one search for each line of a file or row of a table, one result of
// prompt, rank, key and score. A line that has no answer is reported, and the run goes
// on; the exit status tells.
func (s *Shell) runPrompts(ctx context.Context) error {
	prompts, lines, err := s.readPrompts(ctx)
	if err != nil {
		return err
	}
	t, err := s.findTarget(ctx, s.opts.table, s.opts.column)
	if err != nil {
		return err
	}
	ctx, stop := s.cancellable(ctx)
	defer stop()
	ctx = db.WithProgress(ctx, s.progress)
	key, keyName, keyType := "NULL", "id", t.KeyType()
	if t.Key != "" {
		key, keyName = db.Quote(t.Key), t.Key
	}
	st, err := s.conn.Prepare(ctx, fmt.Sprintf("SELECT %s, %s AS score FROM %s ORDER BY score LIMIT %d",
		key, t.Sim(), db.Quote(t.Table.Name), s.opts.limit))
	if err != nil {
		return err
	}
	defer st.Close()
	cols := []render.Column{
		{Name: "prompt", Type: db.Type{Kind: db.Text}}, {Name: "rank", Type: db.Type{Kind: db.Integer}},
		{Name: keyName, Type: keyType}, {Name: "score", Type: db.Type{Kind: db.Real}},
	}
	err = s.render(cols, func(row func([]db.Value) error) error {
		return eval.ForEach(ctx, st, prompts, func(i int, rows *db.Rows) error {
			for rank := 1; rows.Next(); rank++ {
				v := rows.Values()
				if err := row([]db.Value{value.Str(prompts[i]), value.Int(int64(rank)), v[0], v[1]}); err != nil {
					return err
				}
			}
			return rows.Err()
		}, func(i int, err error) error {
			s.message("%s:%d: %v", nameOf(s.opts.prompts), lines[i], eval.Plain(err))
			s.failed = true
			return nil
		})
	})
	if err != nil && context.Cause(ctx) == errInterrupted {
		return errInterrupted
	}
	return err
}

// readPrompts reads what --prompts names, without what is blank.
func (s *Shell) readPrompts(ctx context.Context) (texts []string, numbers []int, err error) {
	if !strings.HasPrefix(s.opts.prompts, tablePrefix) {
		return readLines(s.std.in, s.opts.prompts)
	}
	p, err := s.readPhrases(ctx, s.opts.prompts)
	if err != nil {
		return nil, nil, err
	}
	return p.Texts()
}

// nameOf is a file's name in messages; "-" is standard input.
func nameOf(file string) string {
	if file == "-" {
		return "stdin"
	}
	return file
}

// readLines returns the lines of a file ("-" is in) that aren't blank, and their
// numbers in it.
func readLines(in io.Reader, name string) (texts []string, numbers []int, err error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		in = f
	}
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 1<<20)
	n := 0
	for sc.Scan() {
		n++
		if line := strings.TrimSpace(strings.TrimPrefix(sc.Text(), "\ufeff")); line != "" {
			texts, numbers = append(texts, line), append(numbers, n)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, nil, fmt.Errorf("%s:%d: %w", nameOf(name), n+1, err)
	}
	return texts, numbers, nil
}
