package shell

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/query"
)

// dumpRows is how many rows an INSERT of a dump holds: enough to be quick to
// read back, few enough to be a statement of ordinary size.
const dumpRows = 64

// cmdDump writes statements that make the tables (all, or those named) and
// their rows, as one transaction. Vectors are written with the digits that read
// back the same bits, so that scores agree.
func (s *Shell) cmdDump(ctx context.Context, args []string) (err error) {
	tables, err := s.tables(ctx, "")
	if err != nil {
		return err
	}
	if len(args) > 0 {
		tables = nil
		for _, a := range args {
			t, err := s.table(ctx, a)
			if err != nil {
				return err
			}
			tables = append(tables, t)
		}
	}
	ctx, stop := s.cancellable(ctx)
	defer stop()
	to, done := s.sink()
	defer func() { err = errors.Join(err, done()) }()
	text := query.QuoteText
	out := to.w
	if isTerminal(to.file) { // the same texts, in letters that do nothing to it
		text = visibleText
		out = render.VisibleWriter(out)
	}
	w := bufio.NewWriterSize(out, 64<<10)
	fmt.Fprintln(w, "BEGIN;")
	for _, t := range tables {
		w.WriteString(t.SQL())
		if err := s.dumpRows(ctx, w, t, text); err != nil {
			if context.Cause(ctx) == errInterrupted {
				err = errInterrupted
			}
			return errors.Join(err, w.Flush())
		}
	}
	if len(args) == 0 {
		views, err := s.conn.Views(ctx)
		if err != nil {
			return errors.Join(err, w.Flush())
		}
		for _, v := range views {
			w.WriteString(v.SQL())
		}
	}
	for _, t := range tables { // behind the rows, which are not told again
		w.WriteString(t.WatchesSQL())
	}
	fmt.Fprintln(w, "COMMIT;")
	return w.Flush()
}

// text quotes a text.
func (s *Shell) dumpRows(ctx context.Context, w *bufio.Writer, t db.Table, text func(string) string) error {
	rows, err := s.conn.Query(ctx, "SELECT * FROM "+db.Quote(t.Name))
	if err != nil {
		return err
	}
	defer rows.Close()
	var names []string
	for _, c := range t.Columns {
		names = append(names, db.Quote(c.Name))
	}
	head := fmt.Sprintf("INSERT INTO %s (%s) VALUES\n", db.Quote(t.Name), strings.Join(names, ", "))
	var buf []byte
	n := 0
	for rows.Next() {
		buf = buf[:0]
		if n%dumpRows == 0 {
			if n > 0 {
				buf = append(buf, ";\n"...)
			}
			buf = append(buf, head...)
		} else {
			buf = append(buf, ",\n"...)
		}
		buf = append(buf, '(')
		for i, v := range rows.Values() {
			if i > 0 {
				buf = append(buf, ", "...)
			}
			buf = appendLiteral(buf, v, text)
		}
		buf = append(buf, ')')
		if _, err := w.Write(buf); err != nil {
			return err
		}
		n++
	}
	if n > 0 {
		w.WriteString(";\n")
	}
	return rows.Err()
}

// visibleText quotes a text without a character that acts on a terminal. Read back it
// is the same text.
func visibleText(s string) string {
	if render.Visible(s) == s {
		return query.QuoteText(s)
	}
	var b strings.Builder
	b.WriteString("E'")
	for _, r := range s {
		switch {
		case r == '\\' || r == '\'':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case render.Visible(string(r)) == string(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// appendLiteral appends v as the language writes it; text quotes a text.
func appendLiteral(b []byte, v db.Value, text func(string) string) []byte {
	switch v.Kind() {
	case db.Null:
		return append(b, "NULL"...)
	case db.Integer:
		if v.Int() == math.MinInt64 { // its digits without the sign don't fit
			return append(b, "CAST('-9223372036854775808' AS INTEGER)"...)
		}
		return strconv.AppendInt(b, v.Int(), 10)
	case db.Boolean, db.Vector:
		return v.AppendText(b)
	case db.Real:
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) || f == 0 && math.Signbit(f) { // -0 would be the INTEGER
			return append(b, "CAST('"+v.String()+"' AS REAL)"...)
		}
		return v.AppendText(b)
	case db.Blob:
		b = append(b, `CAST('\x`...)
		b = hex.AppendEncode(b, []byte(v.Str()))
		return append(b, `' AS BLOB)`...)
	case db.Timestamp, db.Date, db.Interval, db.Numeric:
		b = append(b, "CAST('"...)
		b = append(v.AppendText(b), "' AS "...)
		return append(append(b, v.Kind().String()...), ')')
	case db.JSON:
		return append(b, "CAST("+text(v.Str())+" AS JSON)"...)
	default:
		return append(b, text(v.String())...)
	}
}
