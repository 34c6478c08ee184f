package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// jsonlReader reads files of one JSON object a line, of objects that go over several lines, or of
// one JSON array of objects. Columns are the members in
// order of first appearance. A member that an object lacks or that is null is
// NULL, in a JSON column too, as in PostgreSQL's json_populate_record; so the
// JSON value null comes back as NULL. If the file has no members but those the
// caller is going to fill, those it lacks are there too, and NULL.
type jsonlReader struct {
	*Input
	all   []Column
	cols  []Column
	field map[string][]int // member name -> columns yielded
	in    *bufio.Reader
	array bool // the file is one JSON array of objects
	lines bool // objects go over several lines
	line  int
	batch *value.Batch
	seen  []int // row + 1 in which a column was last set

	names map[string]string // of members, as they are written
	late  []string          // members that come first after those that sniff saw
	scan  jsonScanner
}

func openJSONL(path string, o Options) (Reader, error) {
	in, err := openText(path, "jsonl")
	if err != nil {
		return nil, err
	}
	r := &jsonlReader{Input: in, names: map[string]string{}}
	if err := r.sniff(&o); err != nil {
		in.Close()
		return nil, err
	}
	return r, nil
}

// memberGuess is what is known of a member's values.
type memberGuess struct {
	name  string
	text  kindGuess // of strings
	kinds [value.Vector + 1]bool
	dim   int
	words bool // NaN, Infinity or -Infinity as texts
	large bool // an integer that INTEGER can't hold
}

// sniff looks at the start of the file for members and their types.
func (r *jsonlReader) sniff(o *Options) error {
	if err := r.start(); err != nil {
		return err
	}
	var guesses []*memberGuess
	byName := map[string]*memberGuess{}
	enough := int64(sampleBytes)
	for read := int64(0); read < enough; {
		if err := o.stopped(); err != nil {
			return err
		}
		if len(o.Names) > 0 && !slices.ContainsFunc(o.Names, func(n string) bool { return byName[n] == nil }) {
			enough = 4 << 20 // no other members are looked for, and their types are given
		}
		line, err := r.nextLine()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		read += int64(len(line)) + 1
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		err = r.members(line, func(name string, m jsonMember) error {
			g := byName[name]
			if g == nil {
				g = &memberGuess{name: name}
				byName[name] = g
				guesses = append(guesses, g)
			}
			g.see(m)
			return nil
		})
		if err != nil && len(guesses) == 0 {
			return r.wrap(err)
		}
		if err != nil {
			break // reported, with its line, when it is read in earnest
		}
	}
	for _, g := range guesses {
		r.all = append(r.all, Column{g.name, g.typ()})
	}
	if !slices.ContainsFunc(r.all, func(c Column) bool { return !slices.Contains(o.Names, c.Name) }) {
		for _, n := range o.Names {
			if byName[n] == nil {
				r.all = append(r.all, Column{n, value.Type{Kind: value.Text}})
			}
		}
	}
	if len(r.all) == 0 { // there is no object, or none has a member
		r.all = []Column{{"column1", value.Type{Kind: value.Text}}}
	}
	if err := r.rewind(); err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	if err := r.start(); err != nil {
		return err
	}
	pick := make([]int, len(r.all))
	for i := range pick {
		pick[i] = i
	}
	return r.Project(pick, nil)
}

// start begins to read at the start of the file's text.
func (r *jsonlReader) start() error {
	r.line = 0
	r.in = bufio.NewReaderSize(r.Input, 256<<10)
	switch b, _ := r.in.Peek(3); {
	case bytes.Equal(b, []byte("\xef\xbb\xbf")):
		r.in.Discard(3)
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		return fmt.Errorf("%s: the file is UTF-16; save it as UTF-8 (iconv -f utf-16 -t utf-8)", r.path)
	}
	for n := 1; n < 256<<10; n++ {
		b, err := r.in.Peek(n)
		if len(b) < n {
			if err != io.EOF {
				return fmt.Errorf("%s: %w", r.path, err)
			}
			return nil
		}
		switch b[n-1] {
		case ' ', '\t', '\r', '\n':
			continue
		case '[':
			r.array = true
			r.in = bufio.NewReaderSize(&arrayReader{in: r.in}, 256<<10)
		case '{':
			// One object a line, unless the first line ends as no object does.
			b, _ = r.in.Peek(r.in.Size())
			first, _, more := bytes.Cut(b[n-1:], []byte("\n"))
			first = bytes.TrimSpace(first)
			if r.lines = more && strings.IndexByte("{[,:", first[len(first)-1]) >= 0; r.lines {
				r.in = bufio.NewReaderSize(&arrayReader{in: r.in, depth: 1, stream: true}, 256<<10)
			}
		}
		return nil
	}
	return nil
}

// wrap says where in the file an error is.
func (r *jsonlReader) wrap(err error) error {
	if r.array {
		return fmt.Errorf("%s, element %d of the array: %w", r.path, r.line, err)
	}
	if r.lines {
		return fmt.Errorf("%s, object %d: %w", r.path, r.line, err)
	}
	return fmt.Errorf("%s, line %d: %w", r.path, r.line, err)
}

// Named says that columns have the names of members.
func (r *jsonlReader) Named() bool { return true }

// arrayReader makes of a JSON array its elements, one a line, and with stream the same of
// objects that follow on each other in lines of their own.
type arrayReader struct {
	in     *bufio.Reader
	stream bool
	depth  int  // 1 between elements
	quoted bool // within a string
	escape bool // after a backslash
	ended  bool // after the array's end
	blank  bool // at the begin of a line, between objects
}

func (a *arrayReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if n > 0 && a.in.Buffered() == 0 {
			return n, nil
		}
		c, err := a.in.ReadByte()
		if err == io.EOF && !a.ended && !(a.stream && a.depth == 1) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return n, err
		}
		out := c
		switch {
		case a.ended:
			if !isJSONSpace(c) {
				return n, errors.New("something follows the end of the JSON array")
			}
			continue
		case a.escape:
			a.escape = false
		case a.quoted:
			a.escape = c == '\\'
			a.quoted = c != '"'
		case c == '"':
			a.quoted = true
		case c == '[' || c == '{':
			if a.depth++; a.depth == 1 {
				continue
			}
		case c == ']' || c == '}':
			if a.depth--; a.depth == 0 {
				if a.stream {
					return n, fmt.Errorf("%q closes nothing", c)
				}
				a.ended, out = true, '\n'
			}
		case a.stream && a.depth == 1:
			if c != '\n' && isJSONSpace(c) || c == '\n' && a.blank {
				continue
			}
		case c == ',' && a.depth == 1:
			out = '\n'
		case c == '\n' || c == '\r':
			out = ' '
		}
		a.blank = out == '\n'
		p[n] = out
		n++
	}
	return n, nil
}

func isJSONSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func (g *memberGuess) see(m jsonMember) {
	raw := m.raw
	switch raw[0] {
	case 'n':
	case 't', 'f':
		g.kinds[value.Boolean] = true
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			if s == "NaN" || s == "Infinity" || s == "-Infinity" {
				g.words = true // a real JSON has no number for, or a text
				return
			}
			g.text.see(s, "")
			if s == "" { // a text for certain
				g.text.seen++
				g.text.not[value.Timestamp] = true
			}
		}
		g.kinds[value.Text] = true
	case '{':
		g.kinds[value.JSON] = true
	case '[':
		n := len(m.vec)
		if n == 0 {
			n = countNumbers(raw)
		}
		if n == 0 || n > value.MaxDim || g.kinds[value.Vector] && n != g.dim {
			g.kinds[value.JSON] = true
			return
		}
		g.kinds[value.Vector], g.dim = true, n
	default:
		if plainInteger(string(raw)) {
			g.kinds[value.Integer] = true
		} else if !bytes.ContainsAny(raw, ".eE") && string(raw) != "-0" {
			g.large = true
		} else {
			g.kinds[value.Real] = true
		}
	}
}

// typ is the one type seen; INTEGER and REAL make REAL, any other mix is JSON, and so
// are integers with more digits than INTEGER and REAL keep.
func (g *memberGuess) typ() value.Type {
	if g.large {
		return value.Type{Kind: value.JSON}
	}
	if g.words {
		if g.kinds[value.Real] || g.kinds[value.Integer] {
			g.kinds[value.Real] = true
		} else {
			g.kinds[value.Text], g.text.not[value.Timestamp] = true, true
		}
	}
	var seen []value.Kind
	for k, yes := range g.kinds {
		if yes {
			seen = append(seen, value.Kind(k))
		}
	}
	switch {
	case len(seen) == 0:
		return value.Type{Kind: value.Text}
	case len(seen) == 1 && seen[0] == value.Vector:
		return value.Type{Kind: value.Vector, Dim: g.dim}
	case len(seen) == 1 && seen[0] == value.Text && !g.text.not[value.Timestamp] && g.text.seen > 0:
		return value.Type{Kind: value.Timestamp}
	case len(seen) == 1:
		return value.Type{Kind: seen[0]}
	case slices.Equal(seen, []value.Kind{value.Integer, value.Real}):
		return value.Type{Kind: value.Real}
	}
	return value.Type{Kind: value.JSON}
}

// nextLine returns the next line without its end; it is valid until the next call.
func (r *jsonlReader) nextLine() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		long := bytes.Clone(line)
		for err == bufio.ErrBufferFull {
			if len(long) > maxRecord {
				return nil, fmt.Errorf("%s, line %d: longer than %d MB; jsonl has one object a line", r.path, r.line+1, maxRecord>>20)
			}
			line, err = r.in.ReadSlice('\n')
			long = append(long, line...)
		}
		line = long
	}
	if err == io.EOF && len(line) > 0 {
		err = nil
	}
	if err != nil {
		if err == io.EOF {
			return nil, err
		}
		if errors.Is(err, io.ErrUnexpectedEOF) && r.array {
			err = errors.New("the JSON array has no end")
		} else if errors.Is(err, io.ErrUnexpectedEOF) && r.lines {
			err = errors.New("the last JSON object is not complete")
		}
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	r.line++
	return bytes.TrimRight(line, "\r\n"), nil
}

var errNotObject = errors.New("expected one JSON object a line")

// members calls f for every member of the JSON object in line.
func (r *jsonlReader) members(line []byte, f func(name string, m jsonMember) error) error {
	line = bytes.TrimSpace(line)
	found, ok := r.scan.object(line)
	if !ok {
		return slowMembers(line, f)
	}
	for _, m := range found {
		name, known := r.names[string(m.key)]
		if !known {
			if json.Unmarshal(m.key, &name) != nil {
				return slowMembers(line, f)
			}
			if len(r.names) < 1000 {
				r.names[string(m.key)] = name
			}
		}
		if err := f(name, m); err != nil {
			return err
		}
	}
	return nil
}

// slowMembers does the same by encoding/json, which says what is wrong.
func slowMembers(line []byte, f func(name string, m jsonMember) error) error {
	if len(line) == 0 || line[0] != '{' {
		return errNotObject
	}
	if !utf8.Valid(line) {
		return errors.New("not valid UTF-8; save the file as UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.Token() // {
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return jsonError(err)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return jsonError(err)
		}
		if err := f(key.(string), jsonMember{raw: raw}); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return jsonError(err)
	}
	if rest := bytes.TrimSpace(line[d.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("%s after the object; jsonl has one object a line", value.Quote(string(rest)))
	}
	return nil
}

func jsonError(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON object is not complete; jsonl has one object a line")
	}
	return fmt.Errorf("not valid JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}

func (r *jsonlReader) Columns() []Column { return r.cols }
func (r *jsonlReader) Rows() int64       { return -1 }

func (r *jsonlReader) Project(cols []int, types []value.Type) error {
	out, err := Project(r.all, cols)
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	r.field = map[string][]int{}
	for _, c := range r.all {
		r.field[c.Name] = nil
	}
	for i := range out {
		r.field[out[i].Name] = append(r.field[out[i].Name], i)
		if types != nil && types[i].Kind != value.Null {
			out[i].Type = types[i]
		}
	}
	r.cols, r.batch = out, NewBatch(out)
	r.seen = make([]int, len(out))
	return nil
}

// Unread names members that were met too late to be columns. Not more than a thousand are kept.
func (r *jsonlReader) Unread() []string {
	if len(r.late) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s has members that come first behind what was looked at for columns, which are not read: %s", r.path, fewNames(r.late))}
}

func (r *jsonlReader) Next(ctx context.Context) (*value.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ResetBatch(r.batch)
	clear(r.seen)
	for r.batch.Len < value.BatchSize {
		line, err := r.nextLine()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := r.add(line); err != nil {
			return nil, r.wrap(err)
		}
	}
	if r.batch.Len == 0 {
		return nil, nil
	}
	return r.batch, nil
}

func (r *jsonlReader) add(line []byte) error {
	n := r.batch.Len
	err := r.members(line, func(name string, m jsonMember) error {
		fields, known := r.field[name]
		if !known && len(r.late) < 1000 {
			r.field[name] = nil
			r.late = append(r.late, name)
		}
		for _, i := range fields {
			if r.seen[i] == n+1 {
				return fmt.Errorf("%q is repeated", name)
			}
			r.seen[i] = n + 1
			c := r.batch.Cols[i]
			if c.Type.Kind == value.Vector && m.raw[0] == '[' {
				var err error
				if m.vec != nil {
					err = appendFloats(c, n, m.vec)
				} else {
					err = appendVector(c, n, m.raw)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				continue
			}
			v, err := fromJSON(m.raw, c.Type)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if c.Type.Kind == value.Vector && c.Type.Dim == 0 && !v.IsNull() {
				c.Type.Dim = len(v.Vec())
				c.Vecs = append(c.Vecs, make([]float32, n*c.Type.Dim)...)
			}
			c.Append(n, v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, c := range r.batch.Cols {
		if r.seen[i] != n+1 {
			c.Append(n, value.Value{})
		}
	}
	r.batch.Len++
	return nil
}

// fromJSON reads one JSON value as type t.
func fromJSON(raw []byte, t value.Type) (value.Value, error) {
	if raw[0] == 'n' {
		return value.Value{}, nil
	}
	if t.Kind == value.JSON {
		return value.RawJSON(string(raw)), nil
	}
	if raw[0] == '"' {
		s := string(raw[1 : len(raw)-1])
		if strings.IndexByte(s, '\\') >= 0 {
			if err := json.Unmarshal(raw, &s); err != nil {
				return value.Value{}, jsonError(err)
			}
		}
		if strings.Contains(s, "\ufffd") {
			if half := loneSurrogate(raw); half != "" {
				return value.Value{}, fmt.Errorf("%s is half of a surrogate pair, which no text can hold", half)
			}
		}
		return value.Parse(t, s)
	}
	number := raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'
	ok := t.Kind == value.Text || t.Kind == value.Vector && raw[0] == '[' ||
		t.Kind == value.Boolean && (raw[0] == 't' || raw[0] == 'f') ||
		(t.Kind == value.Integer || t.Kind == value.Real) && number
	if !ok {
		return value.Value{}, fmt.Errorf("%s is not %v", value.Quote(string(raw)), t)
	}
	return value.Parse(t, string(raw))
}

// loneSurrogate returns the first escape of a JSON string that is one of a pair of
// surrogates without the other, "" if there is none: the standard library reads U+FFFD.
func loneSurrogate(raw []byte) string {
	unit := func(i int) int64 {
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0
		}
		n, _ := strconv.ParseInt(string(raw[i+2:i+6]), 16, 32)
		return n
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		switch u := unit(i); {
		case u >= 0xd800 && u < 0xdc00:
			if low := unit(i + 6); low < 0xdc00 || low > 0xdfff {
				return string(raw[i : i+6])
			}
			i += 11
		case u >= 0xdc00 && u <= 0xdfff:
			return string(raw[i : i+6])
		default:
			i++
		}
	}
	return ""
}
