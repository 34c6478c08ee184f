package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// csvReader reads csv and tsv (RFC 4180, the delimiter aside).
//
// A field that equals the NULL text (empty by default) and has no quotes is
// NULL; with quotes it is a text. In a column that is not TEXT an empty field is
// NULL either way.
type csvReader struct {
	*Input
	o      Options
	all    []Column // in the file
	cr     bool     // lines end with \r alone
	skip   int      // bytes of a first line that names the delimiter
	header bool     // the first line holds names
	first  bool     // which has been passed over
	pick   []int    // field of each column yielded
	cols   []Column

	csv   *csvScanner
	batch *value.Batch
}

// maxRecord bounds one record: an unbalanced quote must not swallow memory.
const maxRecord = 64 << 20

// sampleBytes is how much of a text file is looked at to find the types of
// columns; for the header a thousand rows are.
const (
	sampleBytes = 64 << 20
	headerRows  = 1000
)

func openCSV(path string, o Options) (Reader, error) {
	in, err := openText(path, o.format)
	if err != nil {
		return nil, err
	}
	r := &csvReader{Input: in, o: o}
	if err := r.guessDialect(); err != nil {
		in.Close()
		return nil, err
	}
	if err := r.sniff(); err != nil {
		in.Close()
		return nil, err
	}
	return r, nil
}

// start makes the reader begin at in, the start of the file's text.
func (r *csvReader) start(in io.Reader) {
	if r.skip > 0 {
		io.CopyN(io.Discard, in, int64(r.skip)) // an error comes again
	}
	r.csv = newCSVScanner(in, r.o.Delimiter, r.o.format == "tsv", r.cr)
	r.csv.blank = len(r.all) == 1
	if r.skip > 0 {
		r.csv.lines = 1
	}
}

// delimiters are those that are recognised where none was named. The last ones are
// those of database exports, which stand in few texts.
var delimiters = []string{",", ";", "\t", "::", "||", "|", "^", "~", "\x01", "\x1f"}

// rareDelimiters stand in many texts too: they are recognised where the first line has names
// and numbers stand below, or where they separate nothing but numbers.
var rareDelimiters = []string{" ", ":", "#", "&", "!", "@", "/", "=", "*", "%", "$", "¦", "§", "þ"}

// sepLine is a first line that tells the delimiter, as Excel reads and writes it.
func sepLine(head []byte) (delimiter string, length int) {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	text := strings.TrimRight(string(line), "\r")
	s, ok := strings.CutPrefix(strings.Trim(text, `"`), "sep=")
	if d, n := utf8.DecodeRuneInString(s); ok && n > 0 && n == len(s) && d != utf8.RuneError && len(line) < len(head) {
		return s, len(line) + 1
	}
	return "", 0
}

// guessDialect finds out what ends lines and, unless that was said, what stands between
// fields: the comma, or else the one of delimiters that cuts the first records into
// equally many fields, more than one.
func (r *csvReader) guessDialect() error {
	body, err := r.body()
	if err != nil {
		return err
	}
	head := make([]byte, 256<<10)
	n, err := io.ReadFull(body, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	whole := n < cap(head)
	head = head[:n]
	d, length := sepLine(head)
	r.skip, head = length, head[length:]
	r.cr = endsWithCR(head)
	switch {
	case r.o.Delimiter != "":
	case d != "":
		r.o.Delimiter = d
	case r.o.format == "tsv":
		r.o.Delimiter = "\t"
	default:
		r.o.Delimiter = r.guessDelimiter(head, whole)
	}
	if err := r.rewind(); err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	return nil
}

// endsWithCR reports whether the first line end outside quotes is \r alone, as old Macs
// wrote it, and no \n follows anywhere.
func endsWithCR(head []byte) bool {
	quoted := false
	for i, c := range head {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n':
			return false
		case c == '\r':
			return i+1 < len(head) && head[i+1] != '\n' && bytes.IndexByte(head, '\n') < 0
		}
	}
	return false
}

// guessDelimiter looks at the first records; whole says that head is all of the file.
func (r *csvReader) guessDelimiter(head []byte, whole bool) string {
	first := ""
	for _, d := range delimiters {
		c := r.cuts(head, whole, d)
		switch {
		case !c.ok:
			continue
		case d == "||" && c.contains("|"): // | with a column that is empty
			continue
		case first == "":
			first = d
		}
		if d == "," && c.digits { // 1;1,5: decimal commas, if there is something else between fields
			if r.cuts(head, whole, ";").ok {
				return ";"
			}
		}
		if !c.brackets {
			return d
		}
	}
	for _, d := range rareDelimiters {
		if c := r.cuts(head, whole, d); first == "" && c.table(d == " " || d == "/") {
			return d
		}
	}
	if first == "" {
		return ","
	}
	return first
}

// cut is what a delimiter makes of the first records.
type cut struct {
	ok       bool // equally many fields, more than one
	brackets bool // lists such as [1,2] are cut in two
	digits   bool // the delimiter only ever stands between digits
	records  [][]string
}

// contains reports whether a field has s in it.
func (c *cut) contains(s string) bool {
	return slices.ContainsFunc(c.records, func(rec []string) bool {
		return slices.ContainsFunc(rec, func(f string) bool { return strings.Contains(f, s) })
	})
}

// table reports whether the fields are a table beyond doubt: a line of names above a column of
// numbers; nothing but numbers, with a name at most; or, where the delimiter separates no words,
// many fields.
func (c *cut) table(words bool) bool {
	if !c.ok || len(c.records) < 2 {
		return false
	}
	numbers := func(records [][]string, i int) bool {
		return !slices.ContainsFunc(records, func(rec []string) bool { return !plainReal(rec[i]) && !plainInteger(rec[i]) })
	}
	header, below, all := true, 0, 0
	for i, name := range c.records[0] {
		header = header && nameLike(name) && !slices.Contains(c.records[0][:i], name)
		if numbers(c.records[1:], i) {
			below++
		}
		if numbers(c.records, i) {
			all++
		}
	}
	width := len(c.records[0])
	varied := slices.ContainsFunc(c.records, func(rec []string) bool { // as bytes of an address are not
		return slices.ContainsFunc(rec, func(f string) bool { return len(f) != len(rec[0]) })
	})
	return header && below > 0 || all >= 3 && all >= width-1 || !words && width >= 4 && varied && len(c.records) >= 3
}

// cuts tries a delimiter on the first records.
func (r *csvReader) cuts(head []byte, whole bool, d string) (c cut) {
	const enough = 100
	s := newCSVScanner(bytes.NewReader(head), d, false, r.cr)
	width, records := 0, 0
	c.digits = true
	digit := func(b []byte, i int) bool { return i >= 0 && i < len(b) && b[i] >= '0' && b[i] <= '9' }
	for records < enough {
		rec, err := s.next()
		if err != nil || !whole && s.read+int64(r.longest(rec)) >= int64(len(head)) {
			if err != nil && err != io.EOF && records == 0 {
				width = 0
			}
			break
		}
		if records > 0 && len(rec) != width {
			width = 0
			break
		}
		width = len(rec)
		records++
		c.records = append(c.records, texts(rec))
		for i, f := range rec {
			if !f.quoted && bytes.Count(f.text, []byte("[")) != bytes.Count(f.text, []byte("]")) {
				c.brackets = true
			}
			if i > 0 && !(digit(rec[i-1].text, len(rec[i-1].text)-1) && digit(f.text, 0)) {
				c.digits = false
			}
		}
	}
	c.ok = width > 1
	return c
}

// longest is a margin at the end of a sample, which may cut a record off.
func (r *csvReader) longest(rec []csvField) int {
	n := 0
	for _, f := range rec {
		n += len(f.text)
	}
	return 2 * n
}

// body returns the file's bytes after a byte order mark.
func (r *csvReader) body() (io.Reader, error) {
	var mark [3]byte
	n, err := io.ReadFull(r.Input, mark[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	got := mark[:n]
	switch {
	case bytes.Equal(got, []byte("\xef\xbb\xbf")):
		return r.Input, nil
	case bytes.HasPrefix(got, []byte("\xff\xfe")), bytes.HasPrefix(got, []byte("\xfe\xff")):
		return nil, fmt.Errorf("%s: the file is UTF-16; save it as UTF-8 (iconv -f utf-16 -t utf-8)", r.path)
	}
	return io.MultiReader(bytes.NewReader(bytes.Clone(got)), r.Input), nil
}

// sniff finds the columns, then goes back to the start.
func (r *csvReader) sniff() error {
	body, err := r.body()
	if err != nil {
		return err
	}
	r.start(body)
	var sample [][]string
	var first []string
	var kinds []kindGuess
	for {
		if err := r.o.stopped(); err != nil {
			return err
		}
		rec, err := r.csv.next()
		if err == io.EOF && first == nil {
			return r.empty()
		}
		if err != nil {
			if first == nil {
				return r.wrap(err)
			}
			break // reported when it is read in earnest
		}
		if first == nil {
			first = texts(rec)
			kinds = make([]kindGuess, len(first))
			continue
		}
		if len(sample) < headerRows {
			sample = append(sample, texts(rec))
		} else if !r.o.Infer || r.csv.read > sampleBytes {
			break
		}
		if r.o.Infer {
			for i := range min(len(rec), len(kinds)) {
				kinds[i].see(string(rec[i].text), r.o.Null)
			}
		}
	}
	switch r.o.Header {
	case HeaderYes:
		r.header = true
	case HeaderAuto:
		r.header = looksLikeHeader(first, sample, r.o.Names, r.o.Null)
	}
	if !r.header {
		for i := range first {
			kinds[i].see(first[i], r.o.Null)
		}
	}
	r.all = make([]Column, len(first))
	names := map[string]bool{}
	for i := range first {
		name := fmt.Sprintf("column%d", i+1)
		if h := strings.TrimSpace(first[i]); r.header && h != "" {
			name = h
		}
		for k, base := 2, name; names[strings.ToLower(name)]; k++ {
			name = fmt.Sprintf("%s_%d", base, k)
		}
		names[strings.ToLower(name)] = true
		t := value.Type{Kind: value.Text}
		if r.o.Infer {
			t = kinds[i].typ()
		}
		r.all[i] = Column{name, t}
	}
	pick := make([]int, len(r.all))
	for i := range pick {
		pick[i] = i
	}
	r.setColumns(pick, r.all)
	if err := r.rewind(); err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	if body, err = r.body(); err == nil {
		r.start(body)
	}
	return err
}

func texts(rec []csvField) []string {
	out := make([]string, len(rec))
	for i, f := range rec {
		out[i] = string(f.text)
	}
	return out
}

// empty makes of a file without records a table without rows.
func (r *csvReader) empty() error {
	names := r.o.Names
	if len(names) == 0 {
		names = []string{"column1"}
	}
	pick := make([]int, len(names))
	for i, n := range names {
		pick[i] = i
		r.all = append(r.all, Column{n, value.Type{Kind: value.Text}})
	}
	r.setColumns(pick, r.all)
	return nil
}

// Named reports whether the columns have the file's own names.
func (r *csvReader) Named() bool { return r.header }

func (r *csvReader) setColumns(pick []int, cols []Column) {
	r.pick, r.cols = pick, cols
	r.batch = NewBatch(cols)
}

func (r *csvReader) Columns() []Column { return r.cols }
func (r *csvReader) Rows() int64       { return -1 }

func (r *csvReader) Project(cols []int, types []value.Type) error {
	out, err := Project(r.all, cols)
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	for i := range types {
		if types[i].Kind != value.Null {
			out[i].Type = types[i]
		}
	}
	r.setColumns(cols, out)
	return nil
}

func (r *csvReader) Next(ctx context.Context) (*value.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ResetBatch(r.batch)
	for r.batch.Len < value.BatchSize {
		rec, err := r.csv.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, r.wrap(err)
		}
		if len(rec) != len(r.all) {
			what := "the first line has"
			if r.header {
				what = "the header has"
			}
			hint := ""
			if len(r.all) == 1 {
				hint = fmt.Sprintf(" (fields are cut at %q; DELIMITER names another)", r.o.Delimiter)
			}
			return nil, fmt.Errorf("%s, line %d: %s where %s %d%s", r.path, r.csv.line, Plural(len(rec), "field"), what, len(r.all), hint)
		}
		if r.header && !r.first {
			r.first = true
			continue
		}
		if err := r.add(rec); err != nil {
			return nil, err
		}
	}
	if r.batch.Len == 0 {
		return nil, nil
	}
	return r.batch, nil
}

// Plural counts things in words: "1 row", "2 rows".
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// wrap says where in which file an error is.
func (r *csvReader) wrap(err error) error {
	var bad *csvError
	switch {
	case errors.Is(err, errLongRecord):
		return fmt.Errorf("%s, after line %d: a quote is opened and not closed within %d MB", r.path, r.csv.lines, maxRecord>>20)
	case errors.As(err, &bad) && bad.line > 0:
		return fmt.Errorf("%s, %w", r.path, err)
	}
	return fmt.Errorf("%s: %w", r.path, err)
}

// add appends one record to the batch.
func (r *csvReader) add(rec []csvField) error {
	n := r.batch.Len
	for i, field := range r.pick {
		c, f := r.batch.Cols[i], &rec[field]
		switch {
		case !f.quoted && string(f.text) == r.o.Null, len(f.text) == 0 && c.Type.Kind != value.Text:
			c.Append(n, value.Value{})
			continue
		case !utf8.Valid(f.text):
			s := string(f.text)
			return r.fieldError(field, f, fmt.Errorf("not valid UTF-8 (byte 0x%02x); save the file as UTF-8 (iconv -f latin1 -t utf-8)", s[invalidByte(s)]))
		}
		if c.Type.Kind == value.Vector {
			if err := appendVector(c, n, f.text); err != nil {
				return r.fieldError(field, f, err)
			}
			continue
		}
		v, err := value.Parse(c.Type, string(f.text))
		if err != nil {
			return r.fieldError(field, f, err)
		}
		c.Append(n, v)
	}
	r.batch.Len++
	return nil
}

func invalidByte(s string) int {
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		if c == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return 0
}

func (r *csvReader) fieldError(field int, f *csvField, err error) error {
	return fmt.Errorf("%s, line %d, column %s: %w", r.path, f.line, r.all[field].Name, err)
}
