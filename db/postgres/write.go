package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage/value"
)

// Delete deletes rows.
func (d *database) Delete(ctx context.Context, t *foreign.Table, conds []*foreign.Expr, args []value.Value) (int64, error) {
	return d.change(ctx, "DELETE FROM "+tableName(t)+d.where([]*foreign.Table{t}, conds), args)
}

// Update sets columns of rows.
func (d *database) Update(ctx context.Context, t *foreign.Table, set []foreign.Assignment, conds []*foreign.Expr, args []value.Value) (int64, error) {
	var b strings.Builder
	b.WriteString("UPDATE " + tableName(t) + " SET ")
	list(&b, set, ", ", func(a foreign.Assignment) string {
		s, _ := d.expr([]*foreign.Table{t}, a.Expr)
		return quoted(t.Columns[a.Column].Name) + " = (" + s + ")::" + withoutLength(t.Columns[a.Column].Foreign)
	})
	b.WriteString(d.where([]*foreign.Table{t}, conds))
	return d.change(ctx, b.String(), args)
}

// change runs a statement that changes rows.
func (d *database) change(ctx context.Context, text string, args []value.Value) (int64, error) {
	values, formats := encodeArgs(args)
	conn, err := d.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.release()
	got := conn.PgConn().ExecParams(ctx, text, values, nil, formats, nil).Read()
	return got.CommandTag.RowsAffected(), mapped(ctx, got.Err)
}

// Insert begins an insertion. A few rows go in by one INSERT; more stream to the engine by
// COPY in its binary form, and where rows may be there already, into a temporary table, from
// which one INSERT takes them.
func (d *database) Insert(ctx context.Context, t *foreign.Table, opts foreign.Insert) (foreign.Writer, error) {
	for _, i := range opts.Columns {
		if c := &t.Columns[i]; c.Opaque {
			return nil, fmt.Errorf("%s is of type %s, which can't be written from here; leave it out of the columns", c.Name, c.Foreign)
		}
	}
	conn, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &writer{d: d, conn: conn, table: t, opts: opts, types: conn.TypeMap(), noCopy: d.noCopy, cockroach: d.cockroach}, nil
}

// writer is an insertion in a transaction of its own.
type writer struct {
	d      *database
	conn   *session
	table  *foreign.Table
	opts   foreign.Insert
	types  *pgtype.Map
	noCopy bool

	cockroach bool
	few       [][]byte // the fields of rows that one INSERT takes
	tx        pgx.Tx   // begun by the first INSERT or COPY of several
	staged    bool
	pipe      *pipe // of the COPY
	ended     chan error
	count     int64
	buf       []byte
}

// withoutLength is a type without its length, to which a cast would cut a text without a word.
func withoutLength(name string) string { return lengths.ReplaceAllString(name, "") }

var lengths = regexp.MustCompile(`\([0-9, ]+\)`)

// fewFields is how many fields one INSERT takes: the protocol counts parameters in 16 bits,
// and a statement of more is slower than COPY.
const fewFields = 2000

// columns are the names of the columns of rows.
func (w *writer) columns() string {
	var out []string
	for _, i := range w.opts.Columns {
		out = append(out, quoted(w.table.Columns[i].Name))
	}
	return strings.Join(out, ", ")
}

// conflict says what becomes of rows that are there already.
func (w *writer) conflict() string {
	if !w.opts.Skip && len(w.opts.Conflict) == 0 {
		return ""
	}
	text := " ON CONFLICT "
	if len(w.opts.Conflict) > 0 {
		var key []string
		for _, i := range w.opts.Conflict {
			key = append(key, quoted(w.table.Columns[i].Name))
		}
		text += "(" + strings.Join(key, ", ") + ") "
	}
	if len(w.opts.Update) == 0 {
		return text + "DO NOTHING"
	}
	var set []string
	for _, i := range w.opts.Update {
		c := quoted(w.table.Columns[i].Name)
		set = append(set, c+" = excluded."+c)
	}
	return text + "DO UPDATE SET " + strings.Join(set, ", ")
}

// Write sends rows.
func (w *writer) Write(ctx context.Context, b *value.Batch) error {
	for _, row := range b.Selected() {
		if err := w.row(ctx, b, int(row)); err != nil {
			return err
		}
	}
	if w.pipe == nil || len(w.buf) < 1<<16 {
		return nil
	}
	return w.flush(ctx)
}

// row adds a row to what is sent: the fields of an INSERT, or once there are more of them a
// record of a COPY.
func (w *writer) row(ctx context.Context, b *value.Batch, row int) error {
	if w.pipe == nil && len(w.few)+len(b.Cols) > fewFields {
		if err := w.many(ctx); err != nil {
			return err
		}
	}
	if w.pipe != nil {
		w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(len(b.Cols)))
	}
	for k, col := range b.Cols {
		c := &w.table.Columns[w.opts.Columns[k]]
		at := len(w.buf)
		if w.pipe != nil {
			w.buf = append(w.buf, 0, 0, 0, 0)
		}
		null := col.Null(row)
		start := len(w.buf)
		if !null {
			if err := w.append(c, col, row); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
		}
		switch {
		case w.pipe == nil && null:
			w.few = append(w.few, nil)
		case w.pipe == nil:
			w.few = append(w.few, append([]byte{}, w.buf[start:]...))
			w.buf = w.buf[:0]
		case null:
			binary.BigEndian.PutUint32(w.buf[at:], math.MaxUint32)
		default:
			binary.BigEndian.PutUint32(w.buf[at:], uint32(len(w.buf)-start))
		}
	}
	return nil
}

// many goes over to sending many rows.
func (w *writer) many(ctx context.Context) (err error) {
	if w.tx == nil {
		w.tx, err = w.conn.Begin(ctx)
		if err != nil && w.d.again(ctx, w.conn, err) {
			w.conn.release()
			if w.conn, err = w.d.acquire(ctx); err == nil {
				w.tx, err = w.conn.Begin(ctx)
			}
		}
		if err != nil {
			return mapped(ctx, err)
		}
	}
	if w.noCopy || w.cockroach && w.conflict() != "" { // whose temporary tables are an experiment
		return w.insert(ctx)
	}
	into := tableName(w.table)
	if w.staged = w.conflict() != ""; w.staged {
		into = "lupa_rows"
		if _, err := w.tx.Exec(ctx, fmt.Sprintf("CREATE TEMPORARY TABLE %s ON COMMIT DROP AS SELECT %s FROM %s WITH NO DATA", into, w.columns(), tableName(w.table))); err != nil {
			return mapped(ctx, err)
		}
	}
	w.pipe, w.ended = newPipe(), make(chan error, 1)
	text := fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", into, w.columns())
	go func() {
		tag, err := w.conn.PgConn().CopyFrom(ctx, w.pipe, text)
		if err == nil && !w.staged {
			w.count += tag.RowsAffected()
		}
		w.pipe.fail(err) // a Write that waits gets it
		w.ended <- err
	}()
	w.buf = append(w.buf[:0], "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	n := len(w.opts.Columns)
	for i, field := range w.few {
		if i%n == 0 {
			w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(n))
		}
		if field == nil {
			w.buf = binary.BigEndian.AppendUint32(w.buf, math.MaxUint32)
			continue
		}
		w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(len(field)))
		w.buf = append(w.buf, field...)
	}
	w.few = nil
	return nil
}

// insert sends the rows there are by one INSERT.
func (w *writer) insert(ctx context.Context) error {
	n := len(w.opts.Columns)
	if len(w.few) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", tableName(w.table), w.columns())
	formats := make([]int16, len(w.few))
	for i := range w.few {
		formats[i] = 1
		switch {
		case i == 0:
			b.WriteString("(")
		case i%n == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d::%s", i+1, withoutLength(w.table.Columns[w.opts.Columns[i%n]].Foreign))
	}
	b.WriteString(")" + w.conflict())
	got := w.conn.PgConn().ExecParams(ctx, b.String(), w.few, nil, formats, nil).Read()
	w.few = w.few[:0]
	w.count += got.CommandTag.RowsAffected()
	return mapped(ctx, got.Err)
}

func (w *writer) flush(ctx context.Context) error {
	var err error
	if w.buf, err = w.pipe.give(w.buf); err == nil {
		return ctx.Err()
	}
	return mapped(ctx, err)
}

// append writes a value in the binary form of its column.
func (w *writer) append(c *foreign.Column, col *value.Column, row int) error {
	switch c.Type.Kind {
	case value.Vector:
		if c.Type.Half {
			w.buf = appendHalf(w.buf, col.Vec(row))
			return nil
		}
	case value.Text:
		w.buf = append(w.buf, col.Strs[row]...)
		return nil
	case value.JSON:
		if c.Foreign == "jsonb" {
			w.buf = append(w.buf, 1)
		}
	case value.Integer:
		n := col.Ints[row]
		switch c.Foreign {
		case "integer":
			if n != int64(int32(n)) {
				return fmt.Errorf("%d is out of range for %s", n, c.Foreign)
			}
			w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(n))
			return nil
		case "bigint":
			w.buf = binary.BigEndian.AppendUint64(w.buf, uint64(n))
			return nil
		case "smallint":
			if n != int64(int16(n)) {
				return fmt.Errorf("%d is out of range for %s", n, c.Foreign)
			}
			w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(n))
			return nil
		}
	case value.Real:
		switch f := col.Reals[row]; c.Foreign {
		case "double precision":
			w.buf = binary.BigEndian.AppendUint64(w.buf, math.Float64bits(f))
			return nil
		case "real":
			g := float32(f)
			if math.IsInf(float64(g), 0) {
				return fmt.Errorf("%v is out of range for %s", f, c.Foreign)
			}
			w.buf = binary.BigEndian.AppendUint32(w.buf, math.Float32bits(g))
			return nil
		default:
			var n pgtype.Numeric
			if err := n.Scan(fmt.Sprintf("%v", f)); err != nil {
				return err
			}
			b, err := w.types.Encode(pgtype.NumericOID, pgtype.BinaryFormatCode, n, w.buf)
			if err != nil {
				return err
			}
			w.buf = b
			return nil
		}
	}
	w.buf = appendValue(w.buf, col.Value(row))
	return nil
}

// Finish sends what is left and commits.
func (w *writer) Finish(ctx context.Context) (int64, error) {
	err := w.insert(ctx)
	if w.pipe != nil {
		w.buf = append(w.buf, 0xff, 0xff)
		if err = w.flush(ctx); err == nil {
			w.pipe.end()
			err = <-w.ended
			w.pipe = nil
		}
	}
	if err == nil && w.staged {
		var tag pgconn.CommandTag
		tag, err = w.tx.Exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %[2]s FROM lupa_rows%s", tableName(w.table), w.columns(), w.conflict()))
		w.count += tag.RowsAffected()
	}
	if err == nil && w.tx != nil {
		err = w.tx.Commit(ctx)
	}
	if err != nil {
		w.Abort()
		return 0, mapped(ctx, err)
	}
	w.conn.release()
	w.conn = nil
	return w.count, nil
}

// Abort rolls back.
func (w *writer) Abort() {
	if w.conn == nil {
		return
	}
	if w.pipe != nil {
		w.pipe.fail(errAborted)
		<-w.ended
		w.pipe = nil
	}
	if w.tx != nil {
		w.tx.Rollback(context.Background())
	}
	w.conn.release()
	w.conn = nil
}

var errAborted = fmt.Errorf("the insertion was given up")
