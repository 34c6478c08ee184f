package eval

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Phrases are prompts with what is said of them, as a file with headings or a table of a store has
// them.
type Phrases struct {
	Name  string // what they are in, for messages
	Head  []string
	Rows  [][]string
	Lines []int // of a file; nil of a table
}

// ReadFile reads a .csv or .tsv with headings.
func ReadFile(file string) (p Phrases, err error) {
	p.Name = file
	f, err := os.Open(file)
	if err != nil {
		return p, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = comma(file)
	if p.Head, err = r.Read(); err != nil {
		return p, fmt.Errorf("%s: no headings: %w", file, err)
	}
	p.Head[0] = strings.TrimPrefix(p.Head[0], "\ufeff")
	for {
		rec, err := r.Read()
		if err == io.EOF {
			return p, nil
		}
		if err != nil {
			return p, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := r.FieldPos(0)
		p.Rows, p.Lines = append(p.Rows, rec), append(p.Lines, line)
	}
}

// Column is the place of the first of these headings that there is, or -1.
func (p *Phrases) Column(names ...string) int {
	for _, n := range names {
		for i, h := range p.Head {
			if strings.EqualFold(strings.TrimSpace(h), n) {
				return i
			}
		}
	}
	return -1
}

// prompt is the place of the prompts themselves, or -1.
func (p *Phrases) prompt() int { return p.Column("query", "prompt") }

// What names the kind of thing that they are in.
func (p *Phrases) What() string {
	if p.Lines == nil {
		return "table"
	}
	return "file"
}

// where says where row i is, inside of what is named elsewhere.
func (p *Phrases) where(i int) string {
	if p.Lines == nil {
		return fmt.Sprintf("row %d", i+1)
	}
	return fmt.Sprintf("line %d", p.Lines[i])
}

// errorf is an error about row i.
func (p *Phrases) errorf(i int, format string, args ...any) error {
	if p.Lines == nil {
		return fmt.Errorf("%s, row %d: %w", p.Name, i+1, fmt.Errorf(format, args...))
	}
	return fmt.Errorf("%s:%d: %w", p.Name, p.Lines[i], fmt.Errorf(format, args...))
}

// Texts are the prompts alone, and their places.
func (p *Phrases) Texts() (texts []string, numbers []int, err error) {
	at := p.prompt()
	if at < 0 {
		return nil, nil, fmt.Errorf("%s: needs a column query, or prompt", p.Name)
	}
	for i, rec := range p.Rows {
		n := i + 1
		if p.Lines != nil {
			n = p.Lines[i]
		}
		if text := strings.TrimSpace(rec[at]); text != "" {
			texts, numbers = append(texts, text), append(numbers, n)
		}
	}
	return texts, numbers, nil
}

// Pair puts prompts in an order in which those at the same place belong together: by the column
// name where both have one, otherwise as they are. Missing are the names of those without a
// partner, which are left out.
func Pair(a, b *Phrases) (missing []string, err error) {
	byName := [2]int{a.Column("name"), b.Column("name")}
	if byName[0] < 0 || byName[1] < 0 {
		if len(a.Rows) != len(b.Rows) {
			return nil, fmt.Errorf("%s has %d prompts and %s has %d: give both a column name, which says what belongs together", a.Name, len(a.Rows), b.Name, len(b.Rows))
		}
		return nil, nil
	}
	var at [2]map[string]int
	for k, p := range []*Phrases{a, b} {
		at[k] = map[string]int{}
		for i, rec := range p.Rows {
			name := rec[byName[k]]
			if first, twice := at[k][name]; twice {
				return nil, p.errorf(i, "the name %q is that of %s, too", name, p.where(first))
			}
			at[k][name] = i
		}
	}
	var order [2][]int
	for i, rec := range a.Rows {
		if j, ok := at[1][rec[byName[0]]]; ok {
			order[0], order[1] = append(order[0], i), append(order[1], j)
		} else {
			missing = append(missing, rec[byName[0]])
		}
	}
	for _, rec := range b.Rows {
		if _, ok := at[0][rec[byName[1]]]; !ok {
			missing = append(missing, rec[byName[1]])
		}
	}
	if len(order[0]) == 0 {
		return nil, fmt.Errorf("%s and %s have no name in common", a.Name, b.Name)
	}
	for k, p := range []*Phrases{a, b} {
		rows, lines := p.Rows, p.Lines
		p.Rows, p.Lines = nil, nil
		for _, i := range order[k] {
			p.Rows = append(p.Rows, rows[i])
			if lines != nil {
				p.Lines = append(p.Lines, lines[i])
			}
		}
	}
	return missing, nil
}

func comma(file string) rune {
	if strings.EqualFold(filepath.Ext(file), ".tsv") {
		return '\t'
	}
	return ','
}
