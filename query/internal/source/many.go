package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// expand returns the files that a path stands for: itself, or where it is a pattern and
// no file has that very name, all that match it, in order.
func expand(path string) ([]string, error) {
	if !strings.ContainsAny(path, "*?[{") || exists(path) {
		return []string{path}, nil
	}
	found, err := findFiles(context.Background(), path, nil, func(string) string { return "" })
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fileError(path, os.ErrNotExist)
	case err != nil:
		return nil, err
	case len(found.failed) > 0:
		return nil, found.failed[0]
	case len(found.paths) == 0:
		return nil, &worded{fileError(path, os.ErrNotExist).Error() + found.hint(), os.ErrNotExist}
	}
	return found.paths, nil
}

// chain reads files of one kind, one after the other. The first says which columns
// there are; the others have them too, in any order where their names are known.
type chain struct {
	open   func(path string) (Reader, error)
	paths  []string // of files that come after the one being read
	at     Reader
	first  []Column // of the first file
	named  bool
	pick   []int
	types  []value.Type
	cols   []Column
	path   string
	rows   int64
	done   int64 // bytes of files that were read to their ends
	total  int64
	unread []string
}

func openAll(paths []string, open func(string) (Reader, error)) (Reader, error) {
	r, err := open(paths[0])
	if err != nil {
		return nil, err
	}
	c := &chain{open: open, paths: paths[1:], at: r, first: r.Columns(), named: Named(r), path: paths[0], rows: -1}
	for _, p := range paths {
		if st, err := os.Stat(p); err == nil {
			c.total += st.Size()
		}
	}
	for i := range c.first {
		c.pick = append(c.pick, i)
	}
	c.cols = widened(r.Columns())
	return c, nil
}

// widened makes VECTOR of HALFVEC: the next file may have other vectors.
func widened(cols []Column) []Column {
	cols = slices.Clone(cols)
	for i := range cols {
		cols[i].Type = cols[i].Type.Widened()
	}
	return cols
}

func (c *chain) Columns() []Column { return c.cols }
func (c *chain) Rows() int64       { return c.rows }
func (c *chain) Named() bool       { return c.named }

func (c *chain) Project(cols []int, types []value.Type) error {
	if err := c.at.Project(cols, types); err != nil {
		return err
	}
	c.pick, c.types, c.cols = cols, types, widened(c.at.Columns())
	return nil
}

func (c *chain) Progress() (done, total int64) {
	done, _ = c.at.Progress()
	return c.done + done, c.total
}

// Unread names columns that the first file lacks.
func (c *chain) Unread() []string { return slices.Concat(c.unread, Unread(c.at)) }

func (c *chain) Next(ctx context.Context) (*value.Batch, error) {
	for {
		b, err := c.at.Next(ctx)
		if b != nil || err != nil || len(c.paths) == 0 {
			return b, err
		}
		if err := c.advance(); err != nil {
			return nil, err
		}
	}
}

// advance opens the next file.
func (c *chain) advance() error {
	_, size := c.at.Progress()
	c.done += size
	c.unread = append(c.unread, Unread(c.at)...)
	if err := c.at.Close(); err != nil {
		return err
	}
	c.at = closed{}
	path := c.paths[0]
	r, err := c.open(path)
	if err != nil {
		return err
	}
	c.at, c.paths = r, c.paths[1:]
	there := r.Columns()
	cols := make([]int, len(c.pick))
	for i, k := range c.pick {
		cols[i] = k
		if c.named {
			cols[i] = slices.IndexFunc(there, func(x Column) bool { return x.Name == c.first[k].Name })
		}
		if cols[i] < 0 || cols[i] >= len(there) {
			return fmt.Errorf("%s has no column %s, which %s has", path, c.first[k].Name, c.path)
		}
	}
	var more []string
	for _, x := range there {
		if c.named && !slices.ContainsFunc(c.first, func(f Column) bool { return f.Name == x.Name }) {
			more = append(more, x.Name)
		}
	}
	if len(more) > 0 {
		c.unread = append(c.unread, fmt.Sprintf("%s has columns that %s lacks, which are not read: %s", path, c.path, fewNames(more)))
	}
	types := make([]value.Type, len(cols))
	for i, x := range c.cols {
		types[i] = x.Type
	}
	if err := r.Project(cols, types); err != nil {
		return err
	}
	for i, x := range r.Columns() {
		if x.Type.Widened() != c.cols[i].Type {
			return fmt.Errorf("%s: column %s is %v, in %s it is %v", path, x.Name, x.Type, c.path, c.cols[i].Type)
		}
	}
	return nil
}

func (c *chain) Close() error { return c.at.Close() }

// fewNames lists the first of some names.
func fewNames(names []string) string {
	const few = 8
	if len(names) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}

// closed stands for a file that was read.
type closed struct{ Reader }

func (closed) Close() error             { return nil }
func (closed) Progress() (int64, int64) { return 0, 0 }
