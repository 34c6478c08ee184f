package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// csvScanner cuts a file into records and fields (RFC 4180, the delimiter aside). The
// standard library's encoding/csv is not used: it makes \r\n within quotes \n, and does
// not tell an empty field from a quoted one.
type csvScanner struct {
	r         io.Reader
	delimiter []byte
	lazy      bool // quotes within fields are what they are
	cr        bool // lines end with \r alone
	blank     bool // an empty line is a record of one empty field; else it is passed over

	buf   []byte // what was read and not consumed
	at    int    // of it, what the records so far took
	err   error  // of reading
	lines int    // before the record that comes next
	read  int64  // bytes of all records

	fields []csvField
	text   []byte // of fields that are not in buf as they are
	line   int    // where the last record began
}

// csvField is a field of the last record, valid until the next one is read.
type csvField struct {
	text   []byte
	quoted bool
	line   int
}

// csvError is a record that is no csv.
type csvError struct {
	line, character int
	what            string
}

func (e *csvError) Error() string {
	if e.character > 0 {
		return fmt.Sprintf("line %d, character %d: %s", e.line, e.character, e.what)
	}
	return e.what
}

var errLongRecord = errors.New("record too long")

func newCSVScanner(r io.Reader, delimiter string, lazy, cr bool) *csvScanner {
	return &csvScanner{r: r, delimiter: []byte(delimiter), lazy: lazy, cr: cr}
}

// fill reads on. It reports false at the end of the file, or when reading failed.
func (s *csvScanner) fill() bool {
	if s.err != nil {
		return false
	}
	if s.at > 0 {
		s.buf = append(s.buf[:0], s.buf[s.at:]...)
		s.at = 0
	}
	if len(s.buf) > maxRecord {
		s.err = errLongRecord
		return false
	}
	if cap(s.buf)-len(s.buf) < 64<<10 {
		s.buf = append(make([]byte, 0, 2*cap(s.buf)+128<<10), s.buf...)
	}
	for {
		n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		s.err = err
		if n > 0 || err != nil {
			return n > 0
		}
	}
}

// next returns the next record; io.EOF at the end.
func (s *csvScanner) next() ([]csvField, error) {
	for {
		rec, n, err := s.record(s.buf[s.at:])
		if errors.Is(err, errMore) {
			if s.fill() {
				continue
			}
			if s.err != io.EOF {
				return nil, s.err
			}
			if s.at == len(s.buf) {
				return nil, io.EOF
			}
			// The last line has no end.
			s.buf = append(s.buf, s.lineEnd())
			if rec, n, err = s.record(s.buf[s.at:]); errors.Is(err, errMore) {
				return nil, &csvError{what: fmt.Sprintf("a quote opened in line %d is not closed", s.openLine())}
			}
		}
		if err != nil {
			return nil, err
		}
		s.at += n
		s.read += int64(n)
		s.line = s.lines + 1
		s.lines += s.count(s.buf[s.at-n : s.at])
		if len(rec) == 1 && len(rec[0].text) == 0 && !rec[0].quoted && !s.blank {
			continue
		}
		return rec, nil
	}
}

func (s *csvScanner) lineEnd() byte {
	if s.cr {
		return '\r'
	}
	return '\n'
}

// count counts line ends.
func (s *csvScanner) count(b []byte) int { return bytes.Count(b, []byte{s.lineEnd()}) }

// openLine is the line of the field that the file's end cut off.
func (s *csvScanner) openLine() int {
	if len(s.fields) == 0 {
		return s.lines + 1
	}
	return s.fields[len(s.fields)-1].line
}

// errMore says that the record does not end in what was read.
var errMore = errors.New("more")

// record cuts the first record of b and returns its length.
func (s *csvScanner) record(b []byte) ([]csvField, int, error) {
	s.fields, s.text = s.fields[:0], s.text[:0]
	end := s.lineEnd()
	line, lineStart, at := s.lines+1, 0, 0
	bad := func(at int, what string) error { return &csvError{line, at - lineStart + 1, what} }
	for {
		f := csvField{line: line}
		if at < len(b) && b[at] == '"' {
			f.quoted = true
			s.fields = append(s.fields, f)
			from, whole := at+1, true // whole: no part of the field was copied yet
			mark := len(s.text)
			for {
				q := bytes.IndexByte(b[from:], '"')
				if q < 0 {
					return nil, 0, errMore
				}
				q += from
				line, lineStart = s.advance(b, from, q, line, lineStart)
				if q+1 == len(b) {
					return nil, 0, errMore // it may be doubled
				}
				if b[q+1] == '"' {
					s.text = append(s.text, b[from:q+1]...)
					whole, from = false, q+2
					continue
				}
				rest := b[q+1:]
				if len(rest) < len(s.delimiter)+1 && bytes.HasPrefix(s.delimiter, rest) || len(rest) == 1 && rest[0] == '\r' && end == '\n' {
					return nil, 0, errMore
				}
				next, done := 0, false
				switch {
				case bytes.HasPrefix(rest, s.delimiter):
					next = q + 1 + len(s.delimiter)
				case rest[0] == end:
					next, done = q+2, true
				case end == '\n' && rest[0] == '\r' && rest[1] == '\n':
					next, done = q+3, true
				case s.lazy:
					s.text = append(s.text, b[from:q+1]...)
					whole, from = false, q+1
					continue
				default:
					return nil, 0, bad(q, fmt.Sprintf(`a quote that is neither doubled ("") nor followed by %q or the end of the line`, s.delimiter))
				}
				last := &s.fields[len(s.fields)-1]
				if whole {
					last.text = b[from:q]
				} else {
					s.text = append(s.text, b[from:q]...)
					last.text = s.text[mark:len(s.text):len(s.text)]
				}
				at = next
				if done {
					return s.fields, at, nil
				}
				break
			}
			continue
		}
		stop := bytes.IndexByte(b[at:], end)
		if stop < 0 {
			return nil, 0, errMore
		}
		stop += at
		d := bytes.Index(b[at:stop], s.delimiter)
		last := d < 0
		if last {
			d = stop - at
			if end == '\n' && d > 0 && b[stop-1] == '\r' {
				d--
			}
		}
		f.text = b[at : at+d]
		if !s.lazy {
			if q := bytes.IndexByte(f.text, '"'); q >= 0 {
				return nil, 0, bad(at+q, `a quote inside a field; the whole field has to be in quotes and the quote doubled ("")`)
			}
		}
		s.fields = append(s.fields, f)
		if last {
			return s.fields, stop + 1, nil
		}
		at += d + len(s.delimiter)
	}
}

// advance counts the lines between two places within quotes.
func (s *csvScanner) advance(b []byte, from, to, line, start int) (int, int) {
	for {
		k := bytes.IndexByte(b[from:to], s.lineEnd())
		if k < 0 {
			return line, start
		}
		from += k + 1
		line, start = line+1, from
	}
}
