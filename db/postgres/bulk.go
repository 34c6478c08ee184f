package postgres

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage/value"
)

// A whole table is read by COPY in its binary form. A large one is read over several
// connections at once, each of which asks for one range of keys after the other, all in one
// snapshot of the database.
const (
	mostReaders = 4
	ranges      = 32      // into which a table is cut, so that no reader waits long for the others
	largeTable  = 8 << 20 // bytes
	largeRows   = 50000
)

// bulk reads the rows of a query in any order.
func (d *database) bulk(ctx context.Context, q *foreign.Query, args []value.Value) (foreign.Rows, error) {
	r := &bulk{d: d}
	for _, e := range q.Out {
		r.types = append(r.types, e.Type)
	}
	var first *session
	for tries := 0; ; tries++ {
		var err error
		if first, err = d.acquire(ctx); err != nil {
			return nil, err
		}
		if err = r.plan(ctx, first, q, args); err == nil {
			break
		}
		again := tries < 2 && d.again(ctx, first, err)
		first.release()
		if !again {
			return nil, mapped(ctx, err)
		}
	}
	ctx, r.cancel = context.WithCancel(ctx)
	todo := make(chan string, len(r.texts))
	for _, t := range r.texts {
		todo <- t
	}
	close(todo)
	r.full = make(chan *part, 2*mostReaders)
	r.empty = make(chan *part, 3*mostReaders)
	for i := 1; i < min(mostReaders, len(r.texts), int(d.pool.Config().MaxConns)); i++ {
		conn := d.spare(ctx)
		if conn == nil {
			break
		}
		r.work(ctx, conn, todo, r.snapshot)
	}
	r.work(ctx, first, todo, "")
	go func() {
		r.readers.Wait()
		close(r.full)
	}()
	return r, nil
}

// spare is a connection that nobody has to wait for, or nil.
func (d *database) spare(ctx context.Context) *session {
	if s := d.pool.Stat(); s.AcquiredConns() >= s.MaxConns() {
		return nil
	}
	c, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil
	}
	return &session{c.Conn(), c}
}

// bulk are the rows of a query that several connections read.
type bulk struct {
	d        *database
	types    []value.Type
	texts    []string // COPY statements of the ranges
	snapshot string   // in which they are read; "": there is one range
	cancel   context.CancelFunc
	readers  sync.WaitGroup
	taken    sync.WaitGroup // the snapshot, by readers
	full     chan *part
	empty    chan *part
	bytes    atomic.Int64
	requests atomic.Int64

	once sync.Once
	err  error // the first one
}

// part is a batch of rows.
type part struct {
	cols []*value.Column
	n    int
}

// plan finds the ranges of a query, and opens the snapshot in which they are read.
func (r *bulk) plan(ctx context.Context, conn *session, q *foreign.Query, args []value.Value) error {
	k := r.d.dialect
	k.literals = &args
	all := k.render(q)
	r.requests.Add(1)
	if is, err := conn.PgConn().Prepare(ctx, "", all, nil); err != nil {
		return err
	} else if err := asDescribed(is.Fields, q.Out); err != nil {
		return err
	}
	conds, err := r.cut(ctx, conn, q)
	if err != nil {
		return err
	}
	if len(conds) == 0 {
		r.texts = []string{copyText(all)}
		return nil
	}
	for _, c := range conds {
		word := " WHERE "
		if len(q.Where) > 0 {
			word = " AND "
		}
		r.texts = append(r.texts, copyText(all+word+c))
	}
	return nil
}

func copyText(query string) string { return "COPY (" + query + ") TO STDOUT (FORMAT binary)" }

// cut are the conditions of the ranges of a large table, none for others. The connection is in
// a transaction afterwards if there are any.
func (r *bulk) cut(ctx context.Context, conn *session, q *foreign.Query) ([]string, error) {
	if len(q.Tables) != 1 || r.d.pool.Config().MaxConns < 2 {
		return nil, nil
	}
	t := q.Tables[0]
	var kind string
	var bytes, pages int64
	var rows float64
	r.requests.Add(1)
	if err := conn.QueryRow(ctx, `SELECT relkind::text, pg_table_size(oid), pg_relation_size(oid) / current_setting('block_size')::int8, reltuples::float8
		FROM pg_catalog.pg_class WHERE oid = $1::text::regclass`, tableName(t)).Scan(&kind, &bytes, &pages, &rows); err != nil {
		return nil, err
	}
	byKey := len(t.Key) == 1 && t.Columns[t.Key[0]].Type.Kind == value.Integer
	byPage := r.d.pages && (kind == "r" || kind == "m")
	if bytes < largeTable && rows < largeRows && kind != "p" || !byKey && !byPage {
		return nil, nil
	}
	r.requests.Add(2)
	if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return nil, err
	}
	none := func() ([]string, error) { // what reads alone needs no snapshot
		_, err := conn.Exec(ctx, "ROLLBACK")
		return nil, err
	}
	if err := conn.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&r.snapshot); err != nil {
		if state(err) == "" {
			return nil, err
		}
		return none() // a server that has none to share
	}
	if !byKey {
		return pageRanges(pages), nil
	}
	key := quoted(t.Columns[t.Key[0]].Name)
	var low, high *int64
	r.requests.Add(1)
	if err := conn.QueryRow(ctx, fmt.Sprintf("SELECT min(%s)::int8, max(%[1]s)::int8 FROM %s", key, tableName(t))).Scan(&low, &high); err != nil {
		return nil, err
	}
	if low == nil {
		return none()
	}
	return keyRanges(key, *low, *high), nil
}

// keyRanges are conditions that cut keys from low to high into ranges; each key is in one.
func keyRanges(key string, low, high int64) []string {
	step := (uint64(high) - uint64(low)) / ranges
	if step == 0 {
		step = 1
	}
	var out []string
	from := ""
	for i := uint64(1); i < ranges; i++ {
		at := int64(uint64(low) + i*step)
		if i*step/step != i || i*step > uint64(high)-uint64(low) {
			break
		}
		out = append(out, fmt.Sprintf("%s%s < %d", from, key, at))
		from = fmt.Sprintf("%s >= %d AND ", key, at)
	}
	return append(out, from+key+" IS NOT NULL")
}

// pageRanges are conditions that cut a table into ranges of its pages.
func pageRanges(pages int64) []string {
	var out []string
	from := ""
	for i := int64(1); i < ranges; i++ {
		at := pages * i / ranges
		if at <= pages*(i-1)/ranges {
			continue
		}
		out = append(out, fmt.Sprintf("%sctid < '(%d,0)'", from, at))
		from = fmt.Sprintf("ctid >= '(%d,0)' AND ", at)
	}
	return append(out, from+"ctid >= '(0,0)'")
}

// work starts a reader on a connection.
func (r *bulk) work(ctx context.Context, conn *session, todo <-chan string, snapshot string) {
	r.readers.Add(1)
	if snapshot != "" {
		r.taken.Add(1)
	}
	go func() {
		defer r.readers.Done()
		defer conn.release()
		if err := r.read(ctx, conn, todo, snapshot); err != nil {
			r.fail(err)
		}
	}()
}

func (r *bulk) fail(err error) {
	r.once.Do(func() { r.err = err })
	r.cancel()
}

func (r *bulk) read(ctx context.Context, conn *session, todo <-chan string, snapshot string) error {
	if snapshot != "" {
		r.requests.Add(1)
		_, err := conn.PgConn().Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT "+literal(snapshot)).ReadAll()
		r.taken.Done()
		if err != nil {
			return err
		}
	}
	w := &copyReader{r: r, ctx: ctx, decoder: newDecoder(len(r.types))}
	for text := range todo {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.requests.Add(1)
		w.begin()
		_, err := conn.PgConn().CopyTo(ctx, w, text)
		if w.err != nil {
			err = w.err // what the connection reports follows from it
		}
		if err == nil && !w.ended {
			err = errors.New("the database broke off in the middle of the rows")
		}
		if err != nil {
			return err
		}
	}
	if err := w.send(); err != nil {
		return err
	}
	if r.snapshot != "" {
		r.taken.Wait() // which the others can no longer do after this
		_, err := conn.Exec(ctx, "COMMIT")
		return err
	}
	return nil
}

// copyReader reads what COPY gives in its binary form.
type copyReader struct {
	decoder
	r     *bulk
	ctx   context.Context
	part  *part
	rest  []byte // of a piece that ends within a row
	head  bool   // the header has been read
	ended bool
	err   error
}

func (w *copyReader) begin() { w.rest, w.head, w.ended = w.rest[:0], false, false }

// Write takes a piece of the answer.
func (w *copyReader) Write(p []byte) (int, error) {
	w.r.bytes.Add(int64(len(p)))
	b := p
	if len(w.rest) > 0 {
		w.rest = append(w.rest, p...)
		b = w.rest
	}
	used, err := w.rows(b)
	if err != nil {
		w.err = err
		return 0, err
	}
	w.rest = append(w.rest[:0], b[used:]...)
	return len(p), nil
}

var errCopy = errors.New("the database sent something else than rows")

// rows reads the whole rows at the start of b and returns how long they are.
func (w *copyReader) rows(b []byte) (int, error) {
	at := 0
	if !w.head {
		const start = "PGCOPY\n\xff\r\n\x00"
		if len(b) < len(start)+8 {
			return 0, nil
		}
		more := int(binary.BigEndian.Uint32(b[len(start)+4:]))
		if string(b[:len(start)]) != start || more > 1<<16 {
			return 0, errCopy
		}
		if at = len(start) + 8 + more; len(b) < at {
			return 0, nil
		}
		w.head = true
	}
	for {
		end, err := w.whole(b[at:])
		if err != nil || end == 0 {
			return at, err
		}
		if w.ended {
			return at + end, nil
		}
		if err := w.row(b[at+2 : at+end]); err != nil {
			return at, err
		}
		at += end
	}
}

// whole is the length of the row at the start of b, 0 if some of it is missing.
func (w *copyReader) whole(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, nil
	}
	n := int(int16(binary.BigEndian.Uint16(b)))
	if n == -1 {
		w.ended = true
		return 2, nil
	}
	if n != len(w.r.types) {
		return 0, errCopy
	}
	at := 2
	for range n {
		if len(b) < at+4 {
			return 0, nil
		}
		size := int(int32(binary.BigEndian.Uint32(b[at:])))
		if at += 4; size > 0 {
			at += size
		}
		if len(b) < at {
			return 0, nil
		}
	}
	return at, nil
}

// row adds a row to the batch at hand.
func (w *copyReader) row(b []byte) error {
	if w.part == nil {
		select {
		case w.part = <-w.r.empty:
		default:
			w.part = &part{}
			for range w.r.types {
				w.part.cols = append(w.part.cols, &value.Column{})
			}
		}
		w.part.n = 0
		for i, t := range w.r.types {
			w.part.cols[i].Reset(t)
		}
	}
	for i, c := range w.part.cols {
		size := int(int32(binary.BigEndian.Uint32(b)))
		b = b[4:]
		var v []byte
		if size >= 0 {
			v, b = b[:size:size], b[size:]
		}
		if err := w.add(c, i, w.part.n, v); err != nil {
			return err
		}
	}
	if w.part.n++; w.part.n == value.BatchSize {
		return w.send()
	}
	return nil
}

// send gives the batch at hand to who reads the rows.
func (w *copyReader) send() error {
	p := w.part
	if p == nil || p.n == 0 {
		return nil
	}
	w.flush(p.cols)
	w.part = nil
	select {
	case w.r.full <- p:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// Next gives the rows that came first.
func (r *bulk) Next(ctx context.Context, cols []*value.Column) (int, error) {
	select {
	case p, ok := <-r.full:
		if !ok {
			r.once.Do(func() {})
			return 0, mapped(ctx, r.err)
		}
		for i := range cols {
			*cols[i], *p.cols[i] = *p.cols[i], *cols[i]
		}
		select {
		case r.empty <- p:
		default:
		}
		return p.n, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (r *bulk) Bytes() int64 { return r.bytes.Load() }

func (r *bulk) Requests() int { return int(r.requests.Load()) }

// Close ends the reading, and waits for that.
func (r *bulk) Close() error {
	r.cancel()
	r.readers.Wait()
	return nil
}

// literalOf is a value as a statement has it.
func literalOf(v value.Value, t value.Type) string {
	typ := "::" + typeName(t)
	if v.IsNull() {
		return "NULL" + typ
	}
	switch v.Kind() {
	case value.Boolean:
		return strconv.FormatBool(v.Bool())
	case value.Integer:
		return "'" + strconv.FormatInt(v.Int(), 10) + "'" + typ
	case value.Real:
		return "'" + strconv.FormatFloat(v.Float(), 'g', -1, 64) + "'" + typ
	case value.Interval:
		s := v.Span()
		return fmt.Sprintf("'%d months %d days %d microseconds'%s", s.Months, s.Days, s.Micros, typ)
	case value.Blob:
		return "decode('" + hex.EncodeToString([]byte(v.Str())) + "', 'hex')"
	case value.Vector:
		return "'" + string(value.AppendVector(nil, v.Vec())) + "'" + typ
	case value.Timestamp, value.Date, value.Numeric:
		return "'" + v.String() + "'" + typ
	}
	// Whatever the server takes a backslash for.
	return "E'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(v.Str()) + "'" + typ
}
