package eval

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Marks is a file of prompts in which somebody says of rows whether they are right. Other lines and
// columns of it stay as they are. It is safe for concurrent use; another program may read the file at any time.
type Marks struct {
	file string
	mu   sync.Mutex
}

// NewMarks returns the marks in a .csv or .tsv, which is made with the first one.
func NewMarks(file string) *Marks { return &Marks{file: file} }

// File is where the marks are.
func (m *Marks) File() string { return m.file }

// Mark says of a row that it is right, or wrong, for a query.
type Mark struct {
	Query, Key string
	Right      bool
}

// columns of the file that marks are in.
type columns struct{ query, id, right, table int }

func (m *Marks) read() (*Phrases, columns, error) {
	t, err := ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, columns{}, err
	}
	return &t, columns{t.prompt(), t.Column("id", "expected"), t.Column("right"), t.Column("table")}, nil
}

// has reports whether a record is a mark on a row of a table.
func (c columns) has(rec []string, name string) bool {
	of := field(rec, c.table)
	return field(rec, c.id) != "" && (of == "" || strings.EqualFold(of, name))
}

// All are the marks on rows of a table, in the order of the file.
func (m *Marks) All(name string) ([]Mark, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, c, err := m.read()
	if err != nil || c.query < 0 {
		return nil, err
	}
	var out []Mark
	for n, rec := range t.Rows {
		if !c.has(rec, name) {
			continue
		}
		right, ok := rightness(field(rec, c.right))
		if !ok {
			return nil, t.errorf(n, "right is yes or no, not %q", rec[c.right])
		}
		out = append(out, Mark{rec[c.query], rec[c.id], right})
	}
	return out, nil
}

// Set says that a row of a table is right for a query, or wrong; Clear takes it back. The file is
// replaced as a whole once the new one is on the disk.
func (m *Marks) Set(name string, mark Mark) error { return m.change(name, mark, false) }

// Clear takes back what was said of a row.
func (m *Marks) Clear(name, query, key string) error {
	return m.change(name, Mark{Query: query, Key: key}, true)
}

func (m *Marks) change(name string, mark Mark, clear bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, c, err := m.read()
	if err != nil {
		return err
	}
	t.Rows = slices.DeleteFunc(t.Rows, func(rec []string) bool {
		return c.has(rec, name) && field(rec, c.query) == mark.Query && rec[c.id] == mark.Key
	})
	if !clear {
		add := func(at *int, heading string) {
			if *at >= 0 {
				return
			}
			*at = len(t.Head)
			t.Head = append(t.Head, heading)
			for i := range t.Rows {
				t.Rows[i] = append(t.Rows[i], "")
			}
		}
		add(&c.query, "query")
		add(&c.id, "id")
		add(&c.right, "right")
		add(&c.table, "table")
		rec := make([]string, len(t.Head))
		rec[c.query], rec[c.id], rec[c.table], rec[c.right] = mark.Query, mark.Key, name, "no"
		if mark.Right {
			rec[c.right] = "yes"
		}
		t.Rows = append(t.Rows, rec)
	}
	if len(t.Head) == 0 {
		return nil // there was no file, and there is nothing to say
	}
	return t.write()
}

// write puts the table in the place of its file.
func (t *Phrases) write() (err error) {
	f, err := os.CreateTemp(filepath.Dir(t.Name), ".prompts-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	w := csv.NewWriter(f)
	w.Comma = comma(t.Name)
	err = w.WriteAll(append([][]string{t.Head}, t.Rows...))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if st, err := os.Stat(t.Name); err == nil {
		mode = st.Mode().Perm()
	}
	if err = os.Chmod(f.Name(), mode); err != nil {
		return err
	}
	return os.Rename(f.Name(), t.Name)
}
