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
	"github.com/lupadb/lupa/storage/value"
)

// runPrompts is --prompts: one search for each line of a file, one result of
// prompt, rank, key and score.
func (s *Shell) runPrompts(ctx context.Context) error {
	prompts, err := readLines(s.std.in, s.opts.prompts)
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
	key, keyName, keyType := "NULL", "id", db.Type{Kind: db.Text}
	if t.key != "" {
		key, keyName = db.Quote(t.key), t.key
		for _, c := range t.table.Columns {
			if c.Name == t.key {
				keyType = c.Type
			}
		}
	}
	st, err := s.conn.Prepare(ctx, fmt.Sprintf("SELECT %s, %s AS score FROM %s ORDER BY score LIMIT %d",
		key, t.sim(), db.Quote(t.table.Name), s.opts.limit))
	if err != nil {
		return err
	}
	defer st.Close()
	cols := []render.Column{
		{Name: "prompt", Type: db.Type{Kind: db.Text}}, {Name: "rank", Type: db.Type{Kind: db.Integer}},
		{Name: keyName, Type: keyType}, {Name: "score", Type: db.Type{Kind: db.Real}},
	}
	err = s.render(cols, func(row func([]db.Value) error) error {
		return forEach(ctx, st, prompts, func(i int, rows *db.Rows) error {
			for rank := 1; rows.Next(); rank++ {
				v := rows.Values()
				if err := row([]db.Value{value.Str(prompts[i]), value.Int(int64(rank)), v[0], v[1]}); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	})
	if err != nil && context.Cause(ctx) == errInterrupted {
		return errInterrupted
	}
	return err
}

// readLines returns the lines of a file ("-" is in) that aren't blank.
func readLines(in io.Reader, name string) ([]string, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	var out []string
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if line := strings.TrimSpace(strings.TrimPrefix(sc.Text(), "\ufeff")); line != "" {
			out = append(out, line)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}
