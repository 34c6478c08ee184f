package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage/value"
)

// Query sends a query and gives its rows as they come.
func (d *database) Query(ctx context.Context, q *foreign.Query, args []value.Value) (foreign.Rows, error) {
	if q.Bulk && !d.noCopy && !d.cockroach {
		return d.bulk(ctx, q, args)
	}
	for tries := 0; ; tries++ {
		conn, err := d.acquire(ctx)
		if err != nil {
			return nil, err
		}
		r := &rows{conn: conn, d: d}
		if err = r.start(ctx, q, args); err == nil {
			if r.more = r.reader.NextRow(); !r.more {
				r.err = r.finish()
				err = r.err
			} else {
				err = asDescribed(r.reader.FieldDescriptions(), q.Out)
			}
		}
		if err == nil {
			return r, nil
		}
		again := tries < 2 && d.again(ctx, conn, err)
		r.done = r.done || !errors.Is(err, foreign.ErrChanged)
		r.Close()
		if !again {
			return nil, mapped(ctx, err)
		}
	}
}

// rows are the answer to a query.
type rows struct {
	conn   *session // nil: given back
	d      *database
	many   *pgconn.MultiResultReader
	reader *pgconn.ResultReader
	bytes  int64
	decoder
	trips int
	more  bool // the reader is at a row
	done  bool
	err   error
}

// start sends the statement: by its name once the connection knows it. A search by an
// approximate index is told how far to look, for this statement alone.
func (r *rows) start(ctx context.Context, q *foreign.Query, args []value.Value) error {
	text := r.d.Text(q)
	values, formats := encodeArgs(args)
	name, unnamed := "", r.d.unnamed.Load()
	if !unnamed {
		var err error
		name, r.trips, err = r.conn.prepare(ctx, text)
		if err != nil {
			return err
		}
	}
	r.trips++
	pc := r.conn.PgConn()
	if !r.d.approximate(q) {
		if unnamed {
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
	if unnamed {
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
		r.decoder = newDecoder(len(cols))
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
	r.flush(cols)
	if r.more {
		return n, nil
	}
	err := r.finish()
	r.Close()
	return n, mapped(ctx, err)
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

func (r *rows) Bytes() int64 { return r.bytes }

func (r *rows) Requests() int { return r.trips }

// Close gives the connection back. What has not been read of an answer is not fetched: the
// connection is ended in that case.
func (r *rows) Close() error {
	if r.conn == nil {
		return nil
	}
	conn := r.conn
	r.conn = nil
	if !r.done && (r.reader != nil || r.many != nil) {
		conn.drop()
		return nil
	}
	conn.release()
	return nil
}

// Exact finds out whether the engine answers a search through an approximate index.
func (d *database) Exact(ctx context.Context, q *foreign.Query, args []value.Value) (string, error) {
	if !d.approximate(q) {
		return "", nil
	}
	conn, err := d.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer conn.release()
	values, formats := encodeArgs(args)
	// How far an index has to look is a part of what it costs, by which it is chosen.
	batch := &pgconn.Batch{}
	batch.ExecParams("BEGIN", nil, nil, nil, nil)
	for _, s := range d.accuracy(q) {
		batch.ExecParams(s, nil, nil, nil, nil)
	}
	batch.ExecParams("EXPLAIN "+d.Text(q), values, nil, formats, nil)
	batch.ExecParams("ROLLBACK", nil, nil, nil, nil)
	all, err := conn.PgConn().ExecBatch(ctx, batch).ReadAll()
	if err != nil {
		return "", mapped(ctx, err)
	}
	var plan strings.Builder
	for _, got := range all {
		for _, row := range got.Rows {
			plan.Write(row[0])
			plan.WriteByte('\n')
		}
	}
	if m := indexScan.FindStringSubmatch(plan.String()); m != nil {
		return cmp.Or(m[1], m[2]), nil
	}
	return "", nil
}

var indexScan = regexp.MustCompile(`Index Scan using (\S+) on .*\n(?:.*\n)?\s+Order By:|vector search\n(?:.*\n)*?.*table: \S+@(\S+)`)
