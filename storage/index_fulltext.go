package storage

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

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

// pendingTexts are changes of an index that are not written yet.
type pendingTexts struct {
	x      *fullText
	words  *text.Analyzer
	chunks map[uint32][]pendingField
	bytes  int  // of memory, about
	many   bool // texts are expected
}

type pendingField struct {
	terms   map[string]*pendingTerm
	byID    []*pendingTerm // as the analyzer numbers them, where many texts are expected
	renewed int
	slots   []uint16 // with new lengths
	lengths []uint32
	gone    []uint16
}

// pendingTerm is what is new of a term in a chunk.
type pendingTerm struct {
	slots     []uint16
	freqs     []uint32
	positions []byte   // of all, in turn
	last      uint32   // position
	gone      []uint16 // slots
}

func (x *fullText) pending() *pendingTexts {
	return &pendingTexts{x: x, words: text.Borrow(x.options.language), chunks: map[uint32][]pendingField{}}
}

func (p *pendingTexts) close() {
	if p.words != nil {
		p.words.Return()
		p.words = nil
	}
}

func (p *pendingTexts) fields(chunk uint32) []pendingField {
	f := p.chunks[chunk]
	if f == nil {
		f = make([]pendingField, len(p.x.at))
		for i := range f {
			f[i].terms = map[string]*pendingTerm{}
		}
		p.chunks[chunk] = f
	}
	return f
}

func (f *pendingField) term(p *pendingTexts, k *text.Token) *pendingTerm {
	if p.many {
		if r := p.words.Renewed(); r != f.renewed {
			clear(f.byID)
			f.renewed = r
		}
		if k.ID < len(f.byID) {
			if t := f.byID[k.ID]; t != nil {
				return t
			}
		}
	}
	t := f.terms[k.Term]
	if t == nil {
		t = new(pendingTerm)
		f.terms[k.Term] = t
		p.bytes += 160 + len(k.Term)
	}
	if p.many {
		for k.ID >= len(f.byID) {
			f.byID = append(f.byID, nil)
			p.bytes += 8
		}
		f.byID[k.ID] = t
	}
	return t
}

func (p *pendingTexts) add(cols []*value.Column, i int, row uint64) {
	fields, slot := p.fields(uint32(row/postings.ChunkRows)), uint16(row%postings.ChunkRows)
	for n, at := range p.x.at {
		s, ok := textOf(cols[at], i)
		if !ok {
			continue
		}
		f := &fields[n]
		length := p.words.Each(s, func(k text.Token) {
			t := f.term(p, &k)
			if last := len(t.slots) - 1; last >= 0 && t.slots[last] == slot {
				t.freqs[last]++
			} else {
				t.slots, t.freqs, t.last = append(t.slots, slot), append(t.freqs, 1), 0
				p.bytes += 8
			}
			t.positions = binary.AppendUvarint(t.positions, uint64(uint32(k.Pos)-t.last))
			t.last = uint32(k.Pos)
			p.bytes += 2
		})
		f.slots, f.lengths = append(f.slots, slot), append(f.lengths, uint32(length))
		p.bytes += 8
	}
}

func (p *pendingTexts) remove(cols []*value.Column, i int, row uint64) {
	fields, slot := p.fields(uint32(row/postings.ChunkRows)), uint16(row%postings.ChunkRows)
	for n, at := range p.x.at {
		s, ok := textOf(cols[at], i)
		if !ok {
			continue
		}
		f := &fields[n]
		p.words.Each(s, func(k text.Token) {
			t := f.term(p, &k)
			if last := len(t.gone) - 1; last < 0 || t.gone[last] != slot {
				t.gone = append(t.gone, slot)
				p.bytes += 4
			}
		})
		f.gone = append(f.gone, slot)
		p.bytes += 4
	}
}

// order sorts what is by slot, if need be.
func (t *pendingTerm) order() {
	sortSlots(&t.gone)
	if slices.IsSorted(t.slots) {
		return
	}
	type entry struct {
		slot      uint16
		freq      uint32
		positions []byte
	}
	var all []entry
	rest := t.positions
	for i, s := range t.slots {
		_, after, err := postings.ReadPositions(nil, rest, t.freqs[i])
		if err != nil {
			panic(err) // they were just written
		}
		all = append(all, entry{s, t.freqs[i], rest[:len(rest)-len(after)]})
		rest = after
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.slot, b.slot) })
	sorted := pendingTerm{gone: t.gone}
	for _, e := range all {
		sorted.slots, sorted.freqs = append(sorted.slots, e.slot), append(sorted.freqs, e.freq)
		sorted.positions = append(sorted.positions, e.positions...)
	}
	*t = sorted
}

func sortSlots(s *[]uint16) {
	if !slices.IsSorted(*s) {
		slices.Sort(*s)
	}
	*s = slices.Compact(*s)
}

// flush calls emit with the records of every key that changes, in the order of the keys, and
// forgets them.
func (p *pendingTexts) flush(emit func(k, record []byte) error) error {
	x := p.x
	type sortedTerm struct {
		term string
		t    *pendingTerm
	}
	var k, record []byte
	type part struct {
		chunk uint32
		f     *pendingField
		terms []sortedTerm
	}
	parts := make([][]part, len(x.at))
	for _, chunk := range slices.Sorted(maps.Keys(p.chunks)) {
		fields := p.chunks[chunk]
		for n := range fields {
			parts[n] = append(parts[n], part{chunk: chunk, f: &fields[n]})
		}
	}
	for n := range parts {
		for i := range parts[n] {
			f := parts[n][i].f
			f.sort()
			if record = f.appendLengths(record[:0]); len(record) > 0 {
				k = x.lengthsKey(k[:0], n, parts[n][i].chunk)
				if err := emit(k, record); err != nil {
					return err
				}
			}
			for term, t := range f.terms {
				parts[n][i].terms = append(parts[n][i].terms, sortedTerm{term, t})
			}
			slices.SortFunc(parts[n][i].terms, func(a, b sortedTerm) int { return strings.Compare(a.term, b.term) })
		}
	}
	var ps []postings.Posting
	for n := range parts {
		// By term, and then by chunk.
		next := make([]int, len(parts[n]))
		for {
			least, found := "", false
			for i := range parts[n] {
				if at := next[i]; at < len(parts[n][i].terms) {
					if term := parts[n][i].terms[at].term; !found || term < least {
						least, found = term, true
					}
				}
			}
			if !found {
				break
			}
			for i := range parts[n] {
				at := next[i]
				if at == len(parts[n][i].terms) || parts[n][i].terms[at].term != least {
					continue
				}
				next[i]++
				t := parts[n][i].terms[at].t
				t.order()
				record = record[:0]
				if len(t.gone) > 0 {
					record = postings.AppendRemovals(record, t.gone)
				}
				if len(t.slots) > 0 {
					ps = ps[:0]
					for j, s := range t.slots {
						ps = append(ps, postings.Posting{Slot: s, Freq: t.freqs[j]})
					}
					record = postings.AppendSegment(record, ps, t.positions, true, parts[n][i].f.length)
				}
				k = binary.BigEndian.AppendUint32(x.termKeys(k[:0], textPostings, n, least), parts[n][i].chunk)
				if err := emit(k, record); err != nil {
					return err
				}
			}
		}
	}
	clear(p.chunks)
	p.bytes = 0
	return nil
}

// sort puts the lengths in order.
func (f *pendingField) sort() {
	sortSlots(&f.gone)
	if slices.IsSorted(f.slots) {
		return
	}
	order := make([]int, len(f.slots))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(f.slots[a], f.slots[b]) })
	slots, lengths := make([]uint16, len(order)), make([]uint32, len(order))
	for i, at := range order {
		slots[i], lengths[i] = f.slots[at], f.lengths[at]
	}
	f.slots, f.lengths = slots, lengths
}

func (f *pendingField) appendLengths(dst []byte) []byte {
	if len(f.gone) > 0 {
		dst = postings.AppendRemovals(dst, f.gone)
	}
	if len(f.slots) > 0 {
		dst = postings.AppendNewLengths(dst, f.slots, f.lengths)
	}
	return dst
}

// length returns the length of a text that was added.
func (f *pendingField) length(slot uint16) uint32 {
	if n := len(f.slots); n > 0 && slot >= f.slots[0] && int(f.slots[n-1]-f.slots[0]) == n-1 { // one after the other
		if i := int(slot - f.slots[0]); i < n {
			return f.lengths[i]
		}
	}
	if i, ok := slices.BinarySearch(f.slots, slot); ok {
		return f.lengths[i]
	}
	return 0
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

// textBuild changes an index by files: records are gathered in runs, which are merged.
type textBuild struct {
	*pendingTexts
	f     *indexFiles
	limit int
	runs  []string
	rows  uint64
	chunk uint32
}

// leastTextMemory is what a build may take in any case.
const leastTextMemory = 64 << 10

func (x *fullText) build(f *indexFiles) indexEditor {
	b := &textBuild{pendingTexts: x.pending(), f: f, limit: max(f.s.sortMemory, leastTextMemory)}
	b.many = true
	return b
}

func (b *textBuild) conflict([]*value.Column, int) (uint64, bool, error) { return 0, false, nil }

func (b *textBuild) add(cols []*value.Column, i int, row uint64) error {
	b.rows++
	if chunk := uint32(row / postings.ChunkRows); chunk != b.chunk {
		// Chunks that are in one run are encoded once.
		b.chunk = chunk
		if b.bytes > b.limit/2 {
			if err := b.write(); err != nil {
				return err
			}
		}
	}
	b.pendingTexts.add(cols, i, row)
	return b.spill()
}

func (b *textBuild) remove(cols []*value.Column, i int, row uint64) error {
	b.pendingTexts.remove(cols, i, row)
	return b.spill()
}

func (b *textBuild) forget(cols []*value.Column, i int, row uint64) error {
	return b.remove(cols, i, row)
}

func (b *textBuild) spill() error {
	if b.bytes < b.limit {
		return nil
	}
	return b.write()
}

// write writes what is pending as a run.
func (b *textBuild) write() (err error) {
	name := b.f.s.fs.PathJoin(b.f.dir, fmt.Sprintf("texts%d.%d", b.x.x.ID, len(b.runs)))
	file, err := b.f.s.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	b.runs = append(b.runs, name)
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriterSize(file, 256<<10)
	var head []byte
	err = b.flush(func(k, record []byte) error {
		head = binary.AppendUvarint(head[:0], uint64(len(k)))
		head = binary.AppendUvarint(head, uint64(len(record)))
		_, err := w.Write(head)
		if err == nil {
			_, err = w.Write(k)
		}
		if err == nil {
			_, err = w.Write(record)
		}
		return err
	})
	return firstError(err, w.Flush())
}

// textRun reads the records of a run.
type textRun struct {
	n           int
	f           vfs.File
	r           *bufio.Reader
	key, record []byte
}

func (r *textRun) next() (bool, error) {
	k, err := binary.ReadUvarint(r.r)
	if err == io.EOF {
		return false, nil
	}
	n, err2 := binary.ReadUvarint(r.r)
	if err := firstError(err, err2); err != nil {
		return false, err
	}
	r.key, r.record = slices.Grow(r.key[:0], int(k))[:k], slices.Grow(r.record[:0], int(n))[:n]
	if _, err := io.ReadFull(r.r, r.key); err != nil {
		return false, err
	}
	_, err = io.ReadFull(r.r, r.record)
	return true, err
}

type textRuns []*textRun

func (h textRuns) Len() int { return len(h) }
func (h textRuns) Less(i, j int) bool {
	if c := bytes.Compare(h[i].key, h[j].key); c != 0 {
		return c < 0
	}
	return h[i].n < h[j].n
}
func (h textRuns) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *textRuns) Push(x any)   { *h = append(*h, x.(*textRun)) }
func (h *textRuns) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// finish writes the index.
func (b *textBuild) finish(ctx context.Context) error {
	w := &textWriter{x: b.x, f: b.f, total: b.rows}
	if b.f.view != nil {
		t, err := b.f.view.Table(b.x.d.Name)
		if err != nil {
			return err
		}
		w.fresh = uint32((t.counters.next + postings.ChunkRows - 1) / postings.ChunkRows)
	}
	if len(b.runs) == 0 {
		if err := b.flush(func(k, record []byte) error { return w.record(ctx, k, record) }); err != nil {
			return err
		}
		return w.end()
	}
	if err := b.write(); err != nil {
		return err
	}
	var h textRuns
	defer func() {
		for _, r := range h {
			r.f.Close()
		}
	}()
	for n, name := range b.runs {
		f, err := b.f.s.fs.Open(name, vfs.SequentialReadsOption)
		if err != nil {
			return err
		}
		r := &textRun{n: n, f: f, r: bufio.NewReaderSize(f, 64<<10)}
		ok, err := r.next()
		if err != nil || !ok {
			f.Close()
			if err != nil {
				return err
			}
			continue
		}
		h = append(h, r)
	}
	heap.Init(&h)
	for len(h) > 0 {
		if err := w.record(ctx, h[0].key, h[0].record); err != nil {
			return err
		}
		ok, err := h[0].next()
		if err != nil {
			return err
		}
		if ok {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h).(*textRun).f.Close()
		}
	}
	return w.end()
}

// textWriter writes records, which come in the order of their keys, those of a key in their
// own order, into table files.
type textWriter struct {
	x       *fullText
	f       *indexFiles
	fresh   uint32 // chunks from which on there is nothing yet
	total   uint64
	cur     []byte // key
	records []byte
	count   int                          // of records
	lengths map[uint64]*postings.Lengths // of fresh chunks, by field and chunk
	plain   map[uint64]bool              // those that were added at once
	n       int
	list    postings.List
}

func (w *textWriter) record(ctx context.Context, k, record []byte) error {
	if w.n++; w.n%4096 == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.f.report("writing "+w.x.where(), w.total, w.total)
	}
	if !bytes.Equal(k, w.cur) {
		if err := w.end(); err != nil {
			return err
		}
		w.cur = append(w.cur[:0], k...)
	}
	w.records = append(w.records, record...)
	w.count++
	return nil
}

// end writes what was gathered of a key.
func (w *textWriter) end() error {
	if len(w.records) == 0 {
		return nil
	}
	count := w.count
	defer func() { w.records, w.count = w.records[:0], 0 }()
	k := w.cur
	at := len(w.x.pre)
	prefix, family := k[:at+1], k[at]
	chunk := binary.BigEndian.Uint32(k[len(k)-4:])
	if w.f.view != nil && chunk < w.fresh {
		return w.f.sst.merge(prefix, k, w.records)
	}
	id := uint64(k[at+1])<<32 | uint64(chunk)
	if family == textLengths {
		l := new(postings.Lengths)
		if err := l.Parse(w.records); err != nil {
			return err
		}
		b := postings.AppendLengths(nil, l.All())
		if err := l.Parse(b); err != nil {
			return err
		}
		if w.lengths == nil {
			w.lengths, w.plain = map[uint64]*postings.Lengths{}, map[uint64]bool{}
		}
		w.lengths[id], w.plain[id] = l, postings.OnlyNew(w.records)
		return w.f.sst.put(prefix, k, b)
	}
	l := w.lengths[id]
	if l == nil {
		l = new(postings.Lengths)
	}
	var value, apart []byte
	var err error
	done := false
	if count == 1 && w.plain[id] { // the lengths are those that its bounds were made with
		value, apart, done, err = postings.Split(w.records, apartFrom)
	}
	if err == nil && !done {
		value, apart, err = compactList(&w.list, w.records, nil, l)
	}
	if err != nil {
		return err
	}
	if len(value) == 0 {
		return nil
	}
	if apart != nil {
		o := append([]byte(nil), k...)
		o[at] = textPositions
		if err := w.f.sst.put(o[:at+1], o, apart); err != nil {
			return err
		}
	}
	return w.f.sst.put(prefix, k, value)
}

// compactList makes one segment of the records of a term in a chunk, nil if no posting is
// left, and the positions that have a key of their own, nil if they have not.
func compactList(list *postings.List, records, apart []byte, l *postings.Lengths) (value, newApart []byte, err error) {
	if err := list.Parse(records, l.Length); err != nil {
		return nil, nil, err
	}
	ps := make([]postings.Posting, 0, list.N)
	positions := make([]byte, 0, len(records)+len(apart))
	err = list.Positions(apart, nil, func(p postings.Posting, b []byte) error {
		ps, positions = append(ps, p), append(positions, b...)
		return nil
	})
	if err != nil || len(ps) == 0 {
		return nil, nil, err
	}
	if len(ps) < apartFrom {
		return postings.AppendSegment(nil, ps, positions, true, l.Length), nil, nil
	}
	return postings.AppendSegment(nil, ps, nil, false, l.Length), positions, nil
}

// textCheck compares sums over what the rows' texts have with sums over what the index has.
type textCheck struct {
	*fullText
	c     *checker
	t     *Table
	words *text.Analyzer
	want  map[uint32]*chunkSums // by chunk
}

// chunkSums are of all postings of a chunk: how many, and the sum of a hash of each with its
// positions; and the same of lengths.
type chunkSums struct {
	postings, lengths uint64
	sum, lengthSum    uint64
}

func (x *fullText) check(c *checker, t *Table) indexCheck {
	return &textCheck{fullText: x, c: c, t: t, words: text.Borrow(x.options.language), want: map[uint32]*chunkSums{}}
}

func hashPosting(field int, term string, slot uint16, positions []uint32) uint64 {
	h := mix(hashText(term) ^ uint64(field)<<17 ^ uint64(slot))
	for _, p := range positions {
		h = mix(h ^ uint64(p) ^ 1<<33)
	}
	return h
}

func hashLength(field int, slot uint16, length uint32) uint64 {
	return mix(uint64(field)<<50 ^ uint64(slot)<<32 ^ uint64(length))
}

func (k *textCheck) sums(of map[uint32]*chunkSums, chunk uint32) *chunkSums {
	s := of[chunk]
	if s == nil {
		s = new(chunkSums)
		of[chunk] = s
	}
	return s
}

func (k *textCheck) row(cols []*value.Column, i int, row uint64) {
	s, slot := k.sums(k.want, uint32(row/postings.ChunkRows)), uint16(row%postings.ChunkRows)
	for n, at := range k.at {
		t, ok := textOf(cols[at], i)
		if !ok {
			continue
		}
		positions := map[string][]uint32{}
		length := k.words.Each(t, func(w text.Token) { positions[w.Term] = append(positions[w.Term], uint32(w.Pos)) })
		for term, at := range positions {
			s.postings++
			s.sum += hashPosting(n, term, slot, at)
		}
		s.lengths++
		s.lengthSum += hashLength(n, slot, uint32(length))
	}
}

func (k *textCheck) finish() error {
	k.words.Return()
	got := map[uint32]*chunkSums{}
	fail := func(err error) error {
		k.c.found(k.d.Name, "", k.where(), corrupt(k.d.Name, "", k.where(), err))
		return k.c.ctx.Err()
	}
	it, err := k.t.view.prefixIter(k.pre)
	if err != nil {
		return fail(err)
	}
	defer it.Close()
	lengths := map[uint64]*postings.Lengths{}
	apart := map[string]uint64{} // hashes of positions that nobody has asked for
	n := 0
	var list postings.List
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n%1024 == 0 {
			if err := k.c.ctx.Err(); err != nil {
				return err
			}
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return fail(err)
		}
		rest := it.Key()[len(k.pre):]
		if len(rest) < 6 || int(rest[1]) >= len(k.at) {
			k.c.badf(k.t, "", k.where(), "key %x belongs to nothing", it.Key())
			continue
		}
		switch rest[0] {
		case textLengths:
			field, chunk := int(rest[1]), binary.BigEndian.Uint32(rest[2:])
			l := new(postings.Lengths)
			if err := l.Parse(bytes.Clone(v)); err != nil || len(rest) != 6 {
				return fail(firstError(err, postings.ErrMalformed))
			}
			lengths[uint64(field)<<32|uint64(chunk)] = l
			s := k.sums(got, chunk)
			for slot := range postings.ChunkRows {
				if l.Has(uint16(slot)) {
					s.lengths++
					s.lengthSum += hashLength(field, uint16(slot), l.Length(uint16(slot)))
				}
			}
		case textPositions:
			apart[string(rest[1:])] = uint64(len(v))
		case textPostings:
			field, term, chunk, err := splitTermKey(rest[1:])
			if err != nil {
				return fail(err)
			}
			l := lengths[uint64(field)<<32|uint64(chunk)]
			if l == nil {
				l = new(postings.Lengths)
			}
			if err := list.Parse(v, l.Length); err != nil {
				return fail(err)
			}
			var positions []byte
			if list.Apart() {
				at := append(append(append([]byte(nil), k.pre...), textPositions), rest[1:]...)
				ok, err := k.t.view.get(at, func(b []byte) error { positions = bytes.Clone(b); return nil })
				if err != nil {
					return fail(err)
				}
				if !ok {
					k.c.badf(k.t, "", k.where(), "the positions of %q are missing", term)
				}
				delete(apart, string(rest[1:]))
			}
			s := k.sums(got, chunk)
			var at []uint32
			err = list.Positions(positions, nil, func(p postings.Posting, b []byte) error {
				var err error
				at, _, err = postings.ReadPositions(at[:0], b, p.Freq)
				s.postings++
				s.sum += hashPosting(field, term, p.Slot, at)
				return err
			})
			if err != nil {
				return fail(err)
			}
			if err := list.VerifyImpacts(l.Length); err != nil {
				k.c.badf(k.t, "", k.where(), "the bounds of %q: %v", term, err)
			}
		default:
			k.c.badf(k.t, "", k.where(), "key %x belongs to nothing", it.Key())
		}
	}
	if err := it.Error(); err != nil {
		return fail(err)
	}
	for range apart {
		k.c.badf(k.t, "", k.where(), "positions of a term that is not there")
		break
	}
	for chunk, s := range k.want {
		if g := got[chunk]; g == nil || *g != *s {
			if g == nil {
				g = new(chunkSums)
			}
			k.c.badf(k.t, "", k.where(), "what it has of rows %d to %d is not what their texts have (%d postings of %d texts, should be %d of %d)",
				uint64(chunk)*postings.ChunkRows, (uint64(chunk)+1)*postings.ChunkRows-1, g.postings, g.lengths, s.postings, s.lengths)
		}
	}
	for chunk, g := range got {
		if k.want[chunk] == nil && *g != (chunkSums{}) {
			k.c.badf(k.t, "", k.where(), "it has rows from %d on, which are not there", uint64(chunk)*postings.ChunkRows)
		}
	}
	return nil
}
