package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/internal/postings"
	"github.com/lupadb/lupa/storage/text"
	"github.com/lupadb/lupa/storage/value"
)

// FullText finds rows by the words of their texts. Its options: language, see text.Languages;
// weights, of the columns' scores, separated by commas; k1 and b of BM25.
const FullText IndexKind = "fulltext"

func init() { indexKinds[FullText] = kindOfIndex{checkFullText, openFullText} }

// Families of keys of a full-text index, below its prefix: of lengths, by field and chunk, and
// of postings and the positions of some of them, by field, term and chunk. A field is a column
// of the index, by its place there.
const (
	textLengths   = 'l'
	textPositions = 'o'
	textPostings  = 'p'
)

// apartFrom is the number of postings from which on their positions have a key of their own,
// so that they are not read where no phrase is looked for.
const apartFrom = 64

// fullText is an index of texts.
//
// What a term has in a chunk of rows is changed by merge operands, which Pebble concatenates:
// inserting reads nothing. Number and length of the texts, and how many have a term, are
// exact: a row that is deleted or changed is removed from every term that it had.
type fullText struct {
	d       *TableDef
	x       *IndexDef
	at      []int
	pre     []byte
	options textOptions
}

type textOptions struct {
	language string
	weights  []float64
	k1, b    float64
}

func openFullText(d *TableDef, x *IndexDef) index {
	o, err := readTextOptions(x)
	if err != nil { // the catalog is damaged
		o = textOptions{text.Simple, slices.Repeat([]float64{1}, len(x.Columns)), 1.2, 0.75}
	}
	return &fullText{d, x, d.columnsOf(x), key.Of(nil, d.ID, key.Index, x.ID), o}
}

// Number of columns of an index at most: a field is a byte.
const maxFields = 64

func checkFullText(d *TableDef, x *IndexDef) error {
	for _, at := range d.columnsOf(x) {
		if c := &d.Columns[at]; c.Type.Kind != value.Text {
			return &DefinitionError{fmt.Sprintf("index %s: a full-text index is over TEXT columns, %s is %s", x.Name, c.Name, c.Type.Kind)}
		}
	}
	if x.Unique {
		return &DefinitionError{fmt.Sprintf("index %s: a full-text index can't be UNIQUE", x.Name)}
	}
	if len(x.Columns) > maxFields {
		return &DefinitionError{fmt.Sprintf("index %s: a full-text index has at most %d columns", x.Name, maxFields)}
	}
	if x.Options == nil {
		x.Options = map[string]string{}
	}
	if x.Options["language"] == "" {
		x.Options["language"] = text.Simple
	}
	_, err := readTextOptions(x)
	return err
}

func readTextOptions(x *IndexDef) (textOptions, error) {
	o := textOptions{language: x.Options["language"], k1: 1.2, b: 0.75}
	fail := func(format string, args ...any) (textOptions, error) {
		return o, &DefinitionError{fmt.Sprintf("index %s: ", x.Name) + fmt.Sprintf(format, args...)}
	}
	for _, name := range slices.Sorted(maps.Keys(x.Options)) {
		v := x.Options[name]
		switch name {
		case "language":
			if !slices.Contains(text.Languages(), v) {
				return fail("there is no language %q; the languages are %s", v, strings.Join(text.Languages(), ", "))
			}
		case "weights":
			for _, part := range strings.Split(v, ",") {
				w, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
				if err != nil || !(w >= 0 && w <= 1e6) {
					return fail("weights are numbers from 0 on, separated by commas, not %q", v)
				}
				o.weights = append(o.weights, w)
			}
			if len(o.weights) != len(x.Columns) {
				return fail("%d weights for %d columns", len(o.weights), len(x.Columns))
			}
		case "k1", "b":
			f, err := strconv.ParseFloat(v, 64)
			if err != nil || !(f >= 0 && f <= 100) || name == "b" && f > 1 {
				return fail("%s is a number from 0 to %d, not %q", name, map[string]int{"k1": 100, "b": 1}[name], v)
			}
			if name == "b" {
				o.b = f
			} else {
				o.k1 = f
			}
		default:
			return fail("a full-text index has no option %s; it has language, weights, k1 and b", name)
		}
	}
	if o.weights == nil {
		o.weights = slices.Repeat([]float64{1}, len(x.Columns))
	}
	return o, nil
}

func (x *fullText) def() *IndexDef { return x.x }
func (x *fullText) where() string  { return "index " + x.x.Name }
func (x *fullText) columns() []int { return x.at }
func (x *fullText) prefix() []byte { return x.pre }

func (x *fullText) duplicate([]*value.Column, int, int64) error {
	return errors.New("a full-text index is not unique")
}

// textOf returns the text of row i, ok false when it is NULL.
func textOf(c *value.Column, i int) (s string, ok bool) {
	if c == nil || c.Type.Kind == value.Null || c.Null(i) {
		return "", false
	}
	return c.Strs[i], true
}

func (x *fullText) differs(old, fresh []*value.Column, i int) bool {
	for _, at := range x.at {
		a, isA := textOf(old[at], i)
		b, isB := textOf(fresh[at], i)
		if isA != isB || a != b {
			return true
		}
	}
	return false
}

func (x *fullText) family(dst []byte, family byte) []byte {
	return append(append(dst, x.pre...), family)
}

func (x *fullText) lengthsKey(dst []byte, field int, chunk uint32) []byte {
	return binary.BigEndian.AppendUint32(append(x.family(dst, textLengths), byte(field)), chunk)
}

// termPrefix is what the keys of terms with a prefix start with.
func (x *fullText) termPrefix(dst []byte, family byte, field int, prefix string) []byte {
	return key.AppendPrefix(append(x.family(dst, family), byte(field)), prefix)
}

// termKeys is what the keys of a term start with; a chunk's number follows.
func (x *fullText) termKeys(dst []byte, family byte, field int, term string) []byte {
	return append(x.termPrefix(dst, family, field, term), 0, 1)
}

// splitTermKey takes what follows the family of a key of postings apart.
func splitTermKey(k []byte) (field int, term string, chunk uint32, err error) {
	if len(k) < 7 || k[len(k)-6] != 0 || k[len(k)-5] != 1 {
		return 0, "", 0, fmt.Errorf("%w: a key of %d bytes", postings.ErrMalformed, len(k))
	}
	escaped := k[1 : len(k)-6]
	if bytes.IndexByte(escaped, 0) >= 0 {
		escaped = bytes.ReplaceAll(escaped, []byte{0, 0xff}, []byte{0})
	}
	return int(k[0]), string(escaped), binary.BigEndian.Uint32(k[len(k)-4:]), nil
}

// textEditor changes an index in a batch.
type textEditor struct {
	*pendingTexts
	to    editor
	limit int
}

func (x *fullText) edit(v *View, to editor) (indexEditor, error) {
	return &textEditor{x.pending(), to, v.store.sortMemory}, nil
}

func (e *textEditor) conflict([]*value.Column, int) (uint64, bool, error) { return 0, false, nil }

func (e *textEditor) add(cols []*value.Column, i int, row uint64) error {
	e.pendingTexts.add(cols, i, row)
	return e.spill()
}

func (e *textEditor) remove(cols []*value.Column, i int, row uint64) error {
	e.pendingTexts.remove(cols, i, row)
	return e.spill()
}

func (e *textEditor) forget(cols []*value.Column, i int, row uint64) error {
	return e.remove(cols, i, row)
}

func (e *textEditor) spill() error {
	if e.bytes < e.limit {
		return nil
	}
	return e.flush(e.to.merge)
}

func (e *textEditor) finish(context.Context) error { return e.flush(e.to.merge) }
