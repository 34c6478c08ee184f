package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
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
	*input
	o      Options
	all    []Column // in the file
	header bool     // the first line holds names
	first  bool     // which has been passed over
	pick   []int    // field of each column yielded
	cols   []Column

	csv   *csv.Reader
	raw   *window
	batch *value.Batch
	line  int   // of the last record
	prev  int64 // offset where the record before ended
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
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	if o.Delimiter == 0 {
		o.Delimiter = ','
		if o.format == "tsv" {
			o.Delimiter = '\t'
		}
	}
	if o.Delimiter == '"' {
		in.Close()
		return nil, fmt.Errorf("%s: the delimiter can't be a quote", path)
	}
	r := &csvReader{input: in, o: o}
	if err := r.sniff(); err != nil {
		in.Close()
		return nil, err
	}
	return r, nil
}

// window passes a file on and remembers what a record was made of, for csv
// takes away the difference between an empty field and a quoted one.
type window struct {
	r    io.Reader
	buf  []byte // bytes from offset base on
	base int64
}

var errLongRecord = errors.New("record too long")

func (w *window) Read(p []byte) (int, error) {
	if len(w.buf) > maxRecord {
		return 0, errLongRecord
	}
	n, err := w.r.Read(p)
	w.buf = append(w.buf, p[:n]...)
	return n, err
}

// drop forgets what lies before offset.
func (w *window) drop(offset int64) {
	k := int(offset - w.base)
	if k < 1<<16 && k < len(w.buf) {
		return // not worth the move yet
	}
	w.buf = append(w.buf[:0], w.buf[k:]...)
	w.base = offset
}

// start makes the reader begin at r, the start of the file's text.
func (r *csvReader) start(in io.Reader) {
	r.raw = &window{r: in}
	r.csv = csv.NewReader(bufio.NewReaderSize(r.raw, 64<<10))
	r.csv.Comma = r.o.Delimiter
	r.csv.FieldsPerRecord = -1
	r.csv.ReuseRecord = true
	r.csv.LazyQuotes = r.o.format == "tsv"
}

// body returns the file's bytes after a byte order mark.
func (r *csvReader) body() (io.Reader, error) {
	var mark [3]byte
	n, err := io.ReadFull(r.input, mark[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	got := mark[:n]
	switch {
	case bytes.Equal(got, []byte("\xef\xbb\xbf")):
		return r.input, nil
	case bytes.HasPrefix(got, []byte("\xff\xfe")), bytes.HasPrefix(got, []byte("\xfe\xff")):
		return nil, fmt.Errorf("%s: the file is UTF-16; save it as UTF-8 (iconv -f utf-16 -t utf-8)", r.path)
	}
	return io.MultiReader(bytes.NewReader(bytes.Clone(got)), r.input), nil
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
		rec, err := r.csv.Read()
		if err != nil {
			break // reported when it is read in earnest
		}
		if first == nil {
			first = append([]string{}, rec...)
			kinds = make([]kindGuess, len(first))
			r.raw.drop(r.csv.InputOffset())
			continue
		}
		if len(sample) < headerRows {
			sample = append(sample, append([]string{}, rec...))
		} else if !r.o.Infer || r.csv.InputOffset() > sampleBytes {
			break
		}
		if r.o.Infer {
			for i := range min(len(rec), len(kinds)) {
				kinds[i].see(rec[i], r.o.Null)
			}
		}
		r.raw.drop(r.csv.InputOffset())
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

func (r *csvReader) setColumns(pick []int, cols []Column) {
	r.pick, r.cols = pick, cols
	r.batch = newBatch(cols)
}

func (r *csvReader) Columns() []Column { return r.cols }
func (r *csvReader) Rows() int64       { return -1 }

func (r *csvReader) Project(cols []int, types []value.Type) error {
	out, err := project(r.all, cols)
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
	reset(r.batch)
	for r.batch.Len < value.BatchSize {
		r.prev = r.csv.InputOffset()
		r.raw.drop(r.prev)
		rec, err := r.csv.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, r.wrap(err)
		}
		line, _ := r.csv.FieldPos(0)
		r.line = line
		if len(rec) != len(r.all) {
			what := "the first line has"
			if r.header {
				what = "the header has"
			}
			return nil, fmt.Errorf("%s, line %d: %s where %s %d", r.path, line, plural(len(rec), "field"), what, len(r.all))
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

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// wrap puts errors of package csv into words.
func (r *csvReader) wrap(err error) error {
	var p *csv.ParseError
	switch {
	case errors.Is(err, errLongRecord):
		return fmt.Errorf("%s, after line %d: a quote is opened and not closed within %d MB", r.path, r.line, maxRecord>>20)
	case !errors.As(err, &p):
		return fmt.Errorf("%s: %w", r.path, err)
	case errors.Is(p.Err, csv.ErrBareQuote):
		return fmt.Errorf(`%s, line %d, character %d: a quote inside a field; the whole field has to be in quotes and the quote doubled ("")`, r.path, p.Line, p.Column)
	case errors.Is(p.Err, csv.ErrQuote):
		if rec := r.raw.buf[r.prev-r.raw.base:]; bytes.Count(rec[:min(int64(len(rec)), r.csv.InputOffset()-r.prev)], []byte(`"`))%2 == 1 {
			return fmt.Errorf(`%s: a quote opened in line %d is not closed`, r.path, p.StartLine)
		}
		return fmt.Errorf(`%s, line %d, character %d: a quote that is neither doubled ("") nor followed by %q or the end of the line`, r.path, p.Line, p.Column, r.o.Delimiter)
	}
	return fmt.Errorf("%s, line %d: %w", r.path, p.Line, p.Err)
}

// add appends one record to the batch.
func (r *csvReader) add(rec []string) error {
	n := r.batch.Len
	for i, field := range r.pick {
		c, s := r.batch.Cols[i], rec[field]
		switch {
		case s == r.o.Null && !r.quoted(field), s == "" && c.Type.Kind != value.Text:
			c.Append(n, value.Value{})
			continue
		case !utf8.ValidString(s):
			return r.fieldError(field, fmt.Errorf("not valid UTF-8 (byte 0x%02x); save the file as UTF-8 (iconv -f latin1 -t utf-8)", s[invalidByte(s)]))
		}
		v, err := value.Parse(c.Type, s)
		if err != nil {
			return r.fieldError(field, err)
		}
		if c.Type.Kind == value.Vector && c.Type.Dim == 0 {
			c.Type.Dim = len(v.Vec())
			c.Vecs = append(c.Vecs, make([]float32, n*c.Type.Dim)...)
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

func (r *csvReader) fieldError(field int, err error) error {
	line, _ := r.csv.FieldPos(field)
	return fmt.Errorf("%s, line %d, column %s: %w", r.path, line, r.all[field].Name, err)
}

// quoted reports whether a field of the last record began with a quote.
func (r *csvReader) quoted(field int) bool {
	line, col := r.csv.FieldPos(field)
	end := r.csv.InputOffset()
	rec := r.raw.buf[:end-r.raw.base]
	// The record's own bytes: what is before lies before the last record's end or
	// is blank lines, which csv skips.
	rec = rec[len(rec)-r.recordLength(rec):]
	first, _ := r.csv.FieldPos(0)
	for ; line > first; line-- {
		nl := bytes.IndexByte(rec, '\n')
		if nl < 0 {
			return false
		}
		rec = rec[nl+1:]
	}
	return col-1 < len(rec) && rec[col-1] == '"'
}

// recordLength returns how many bytes at the end of b make the last record.
func (r *csvReader) recordLength(b []byte) int {
	start := int(r.prev - r.raw.base)
	rec := b[start:]
	for len(rec) > 0 {
		if rec[0] == '\n' {
			rec = rec[1:]
		} else if len(rec) > 1 && rec[0] == '\r' && rec[1] == '\n' {
			rec = rec[2:]
		} else {
			break
		}
	}
	return len(rec)
}
