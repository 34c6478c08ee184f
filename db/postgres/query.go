package postgres

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage/value"
)

// Query sends a query and gives its rows as they come.
func (d *database) Query(ctx context.Context, q *foreign.Query, args []value.Value) (foreign.Rows, error) {
	for tries := 0; ; tries++ {
		conn, err := d.pool.Acquire(ctx)
		if err != nil {
			return nil, mapped(ctx, err)
		}
		r := &rows{conn: conn, d: d}
		if err = r.start(ctx, q, args); err == nil {
			if r.more = r.reader.NextRow(); !r.more {
				r.err = r.finish()
				err = r.err
			}
		}
		if err == nil {
			return r, nil
		}
		// A connection that ended while nobody used it is found out by who uses it next.
		lost := conn.Conn().IsClosed()
		r.done = true
		r.Close()
		if !lost || tries > 0 || ctx.Err() != nil {
			return nil, mapped(ctx, err)
		}
	}
}

// rows are the answer to a query.
type rows struct {
	conn   *pgxpool.Conn
	d      *database
	many   *pgconn.MultiResultReader
	reader *pgconn.ResultReader
	bytes  int64
	texts  [][]byte // of the batch at hand, by column
	sizes  [][]int
	more   bool // the reader is at a row
	done   bool
	err    error
}

// start sends the statement: by its name once the connection knows it. A search by an
// approximate index is told how far to look, for this statement alone.
func (r *rows) start(ctx context.Context, q *foreign.Query, args []value.Value) error {
	text := r.d.Text(q)
	values, formats := encodeArgs(args)
	name := ""
	if !r.d.unnamed {
		name = statementName(text)
		if _, err := r.conn.Conn().Prepare(ctx, name, text); err != nil {
			return err
		}
	}
	pc := r.conn.Conn().PgConn()
	if !r.d.approximate(q) {
		if r.d.unnamed {
			r.reader = pc.ExecParams(ctx, text, values, nil, formats, []int16{1})
		} else {
			r.reader = pc.ExecPrepared(ctx, name, values, formats, []int16{1})
		}
		return nil
	}
	batch := &pgconn.Batch{}
	batch.ExecParams("BEGIN", nil, nil, nil, nil)
	settings := r.d.accuracy(q)
	for _, s := range settings {
		batch.ExecParams(s, nil, nil, nil, nil)
	}
	if r.d.unnamed {
		batch.ExecParams(text, values, nil, formats, []int16{1})
	} else {
		batch.ExecPrepared(name, values, formats, []int16{1})
	}
	batch.ExecParams("COMMIT", nil, nil, nil, nil)
	r.many = pc.ExecBatch(ctx, batch)
	for range 1 + len(settings) {
		if !r.many.NextResult() {
			return r.many.Close()
		}
		if _, err := r.many.ResultReader().Close(); err != nil {
			return err
		}
	}
	if !r.many.NextResult() {
		return r.many.Close()
	}
	r.reader = r.many.ResultReader()
	return nil
}

// accuracy are the settings of pgvector for the part of the nearest rows that is wanted. How
// many candidates that takes depends on the data: it doubles with each step towards all.
func (k dialect) accuracy(q *foreign.Query) []string {
	ef := int(float64(q.Limit+q.Offset) * 4)
	for r := 0.9; r < q.Recall && ef < 1000; r = 1 - (1-r)/2 {
		ef *= 2
	}
	ef = min(max(ef, 40), 1000)
	if k.cockroach {
		return []string{fmt.Sprintf("SET LOCAL vector_search_beam_size = %d", min(ef, 2048))}
	}
	probes := min(max(10, ef/4), 32768)
	return []string{
		fmt.Sprintf("SET LOCAL hnsw.ef_search = %d", ef),
		"SET LOCAL hnsw.iterative_scan = strict_order",
		fmt.Sprintf("SET LOCAL ivfflat.probes = %d", probes),
		"SET LOCAL ivfflat.iterative_scan = relaxed_order",
	}
}

func statementName(text string) string {
	h := fnv.New128a()
	h.Write([]byte(text))
	return fmt.Sprintf("lupa_%x", h.Sum(nil))
}

// Next fills cols with the next rows.
func (r *rows) Next(ctx context.Context, cols []*value.Column) (int, error) {
	if r.done {
		return 0, nil
	}
	n := 0
	if r.texts == nil {
		r.texts, r.sizes = make([][]byte, len(cols)), make([][]int, len(cols))
	}
	for ; n < value.BatchSize && r.more; r.more = r.reader.NextRow() {
		for i, b := range r.reader.Values() {
			r.bytes += int64(len(b))
			if err := r.add(cols[i], i, n, b); err != nil {
				return 0, err
			}
		}
		n++
	}
	for i, c := range cols {
		if c.Type.Kind == value.Text || c.Type.Kind == value.Blob {
			all := string(r.texts[i]) // of all rows at once
			r.texts[i] = r.texts[i][:0]
			at := 0
			for k, size := range r.sizes[i] {
				c.Strs[k] = all[at : at+size]
				at += size
			}
			r.sizes[i] = r.sizes[i][:0]
		}
	}
	if r.more {
		return n, nil
	}
	return n, mapped(ctx, r.finish())
}

// finish reads the end of an answer.
func (r *rows) finish() error {
	if r.done {
		return r.err
	}
	r.done = true
	_, err := r.reader.Close()
	if r.many != nil {
		for r.many.NextResult() {
			if _, e := r.many.ResultReader().Close(); err == nil {
				err = e
			}
		}
		if e := r.many.Close(); err == nil {
			err = e
		}
	}
	return err
}

// add adds a value, in the engine's binary form, to a column as row n. Texts are kept until all
// of the batch are there.
func (r *rows) add(c *value.Column, i, n int, b []byte) error {
	if b == nil {
		c.Append(n, value.Value{})
		if c.Type.Kind == value.Text || c.Type.Kind == value.Blob {
			r.sizes[i] = append(r.sizes[i], 0)
		}
		return nil
	}
	if c.Nulls != nil && len(c.Nulls)*64 <= n {
		c.Nulls = append(c.Nulls, 0)
	}
	if want := sizeOf(c.Type.Kind); want > 0 && len(b) != want {
		return fmt.Errorf("the database sent %d bytes for a value of type %v, where %d are right", len(b), c.Type, want)
	}
	switch c.Type.Kind {
	case value.Boolean:
		c.Bools = append(c.Bools, b[0] != 0)
	case value.Integer:
		c.Ints = append(c.Ints, int64(binary.BigEndian.Uint64(b)))
	case value.Real:
		f := math.Float64frombits(binary.BigEndian.Uint64(b))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("the database has the number %v, which REAL can't hold; leave such rows out with WHERE", f)
		}
		c.Reals = append(c.Reals, f)
	case value.Timestamp:
		us := int64(binary.BigEndian.Uint64(b))
		if us < value.MinTimestamp-epoch || us > value.MaxTimestamp-epoch {
			return fmt.Errorf("the database has a time beyond the years 1 to 9999, which TIMESTAMP can't hold; leave such rows out with WHERE")
		}
		c.Ints = append(c.Ints, us+epoch)
	case value.Date:
		day := int64(int32(binary.BigEndian.Uint32(b))) + epoch/value.MicrosPerDay
		if day < value.MinDate || day > value.MaxDate {
			return fmt.Errorf("the database has a date beyond the years 1 to 9999, which DATE can't hold; leave such rows out with WHERE")
		}
		c.Ints = append(c.Ints, day)
	case value.Interval:
		c.Append(n, value.SpanValue(value.Span{
			Micros: int64(binary.BigEndian.Uint64(b)), Days: int32(binary.BigEndian.Uint32(b[8:])), Months: int32(binary.BigEndian.Uint32(b[12:])),
		}))
	case value.Vector:
		if err := checkVector(c.Type, b); err != nil {
			return err
		}
		c.Vecs = appendFloats(c.Vecs, c.Type, b)
	case value.JSON:
		v, err := value.Parse(c.Type, string(b))
		if err != nil {
			return err
		}
		c.Append(n, v)
	default: // TEXT and BLOB
		r.texts[i] = append(r.texts[i], b...)
		c.Strs = append(c.Strs, "")
		r.sizes[i] = append(r.sizes[i], len(b))
	}
	return nil
}

// sizeOf is how many bytes a value of a kind takes in binary form, 0 if that differs.
func sizeOf(k value.Kind) int {
	switch k {
	case value.Boolean:
		return 1
	case value.Date:
		return 4
	case value.Integer, value.Real, value.Timestamp:
		return 8
	case value.Interval:
		return 16
	}
	return 0
}

// checkVector checks the length of a vector in binary form.
func checkVector(t value.Type, b []byte) error {
	size := 4
	if t.Half {
		size = 2
	}
	if len(b) < 4 || int(binary.BigEndian.Uint16(b)) != t.Dim || len(b) != 4+size*t.Dim {
		return fmt.Errorf("the database sent a vector of %d bytes for %v", len(b), t)
	}
	return nil
}

// appendFloats appends the numbers of a vector in binary form.
func appendFloats(v []float32, t value.Type, b []byte) []float32 {
	if t.Half {
		for i := 4; i < len(b); i += 2 {
			v = append(v, value.HalfToFloat(binary.BigEndian.Uint16(b[i:])))
		}
		return v
	}
	for i := 4; i < len(b); i += 4 {
		v = append(v, math.Float32frombits(binary.BigEndian.Uint32(b[i:])))
	}
	return v
}

func (r *rows) Bytes() int64 { return r.bytes }

// Close gives the connection back. What has not been read of an answer is not fetched: the
// connection is ended in that case.
func (r *rows) Close() error {
	if r.conn == nil {
		return nil
	}
	conn := r.conn
	r.conn = nil
	if !r.done && (r.reader != nil || r.many != nil) {
		raw := conn.Hijack()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		raw.PgConn().CancelRequest(context.Background())
		raw.Close(ctx)
		return nil
	}
	conn.Release()
	return nil
}

// Exact finds out whether the engine answers a search through an approximate index.
func (d *database) Exact(ctx context.Context, q *foreign.Query, args []value.Value) (string, error) {
	if !d.approximate(q) {
		return "", nil
	}
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return "", mapped(ctx, err)
	}
	defer conn.Release()
	values, formats := encodeArgs(args)
	got := conn.Conn().PgConn().ExecParams(ctx, "EXPLAIN "+d.Text(q), values, nil, formats, nil).Read()
	if got.Err != nil {
		return "", mapped(ctx, got.Err)
	}
	var plan strings.Builder
	for _, row := range got.Rows {
		plan.Write(row[0])
		plan.WriteByte('\n')
	}
	if m := indexScan.FindStringSubmatch(plan.String()); m != nil {
		return cmp.Or(m[1], m[2]), nil
	}
	return "", nil
}

var indexScan = regexp.MustCompile(`Index Scan using (\S+) on .*\n(?:.*\n)?\s+Order By:|vector search\n(?:.*\n)*?.*table: \S+@(\S+)`)

// encodeArgs are the values of parameters in the engine's binary form.
func encodeArgs(args []value.Value) (values [][]byte, formats []int16) {
	for _, v := range args {
		var b []byte // NULL
		if !v.IsNull() {
			b = appendValue([]byte{}, v)
		}
		values, formats = append(values, b), append(formats, 1)
	}
	return values, formats
}

// epoch is 2000-01-01, where the engine's time begins, in microseconds of Unix time.
const epoch = 946684800 * 1000000

// appendValue appends a value, which is not NULL, in the engine's binary form of the type that
// typeName gives it.
func appendValue(b []byte, v value.Value) []byte {
	switch v.Kind() {
	case value.Boolean:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case value.Integer:
		return binary.BigEndian.AppendUint64(b, uint64(v.Int()))
	case value.Real:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float()))
	case value.Timestamp:
		return binary.BigEndian.AppendUint64(b, uint64(v.Int()-epoch))
	case value.Date:
		return binary.BigEndian.AppendUint32(b, uint32(v.Int()-epoch/value.MicrosPerDay))
	case value.Interval:
		s := v.Span()
		b = binary.BigEndian.AppendUint64(b, uint64(s.Micros))
		b = binary.BigEndian.AppendUint32(b, uint32(s.Days))
		return binary.BigEndian.AppendUint32(b, uint32(s.Months))
	case value.Vector:
		return appendVector(b, v.Vec())
	}
	return append(b, v.Str()...)
}

func appendVector(b []byte, v []float32) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	b = append(b, 0, 0)
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func appendHalf(b []byte, v []float32) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	b = append(b, 0, 0)
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, value.FloatToHalf(x))
	}
	return b
}
