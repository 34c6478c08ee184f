package db

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// A Writer runs statements and knows tables: *DB, *Tx and *Conn.
type Writer interface {
	Querier
	Exec(ctx context.Context, sql string, args ...any) (Result, error)
	Table(ctx context.Context, name string) (Table, error)
}

// Insert adds rows, structs or pointers to structs, to a table: each field goes into the
// column that Select would fill it from, by the tag `lupa:"name"` or by its name. A
// field without a column is an error; a column without a field gets its default, as does
// one whose field is tagged `lupa:"name,omitzero"` and is zero. Texts and pictures for a
// column with an encoder are encoded. All rows are added or, with an error, none.
//
// For a great many rows an Appender is faster.
func Insert[T any](ctx context.Context, w Writer, table string, rows ...T) (Result, error) {
	return insertRows(ctx, w, table, rows, false)
}

// Upsert is Insert, except that a row whose primary key is there already changes that
// row's columns for which there are fields.
func Upsert[T any](ctx context.Context, w Writer, table string, rows ...T) (Result, error) {
	return insertRows(ctx, w, table, rows, true)
}

// insertRowsAtOnce bounds the rows of one statement.
const insertRowsAtOnce = 256

func insertRows[T any](ctx context.Context, w Writer, table string, rows []T, upsert bool) (Result, error) {
	total := Result{Tag: "INSERT"}
	if len(rows) == 0 {
		return total, nil
	}
	run := func(w Writer) error {
		p, err := newInserter(ctx, w, reflect.TypeFor[T](), table, upsert)
		if err != nil {
			return err
		}
		for len(rows) > 0 {
			n := min(len(rows), insertRowsAtOnce)
			var b strings.Builder
			var args []any
			b.WriteString(p.head)
			for i := range n {
				if i > 0 {
					b.WriteString(", ")
				}
				if args, err = p.row(&b, args, reflect.ValueOf(&rows[i]).Elem()); err != nil {
					return fmt.Errorf("insert into %s: row %d: %w", table, int(total.RowsAffected)+i+1, err)
				}
			}
			b.WriteString(p.tail)
			r, err := w.Exec(ctx, b.String(), args...)
			if err != nil {
				return err
			}
			total.RowsAffected += r.RowsAffected
			if !r.LastKey.IsNull() {
				total.LastKey = r.LastKey
			}
			rows = rows[n:]
		}
		return nil
	}
	if len(rows) <= insertRowsAtOnce {
		err := run(w)
		return total, err
	}
	var err error
	switch x := w.(type) {
	case *DB:
		err = x.Update(ctx, func(tx *Tx) error { return run(tx) })
	case *Conn:
		if x.InTransaction() {
			err = run(x)
			break
		}
		if err = x.Begin(ctx, nil); err == nil {
			if err = run(x); err == nil {
				err = x.Commit(ctx)
			} else {
				err = errors.Join(err, x.Rollback())
			}
		}
	default:
		err = run(w)
	}
	if err != nil {
		return Result{Tag: "INSERT"}, err
	}
	return total, nil
}

// inserter writes the statements for structs of one type.
type inserter struct {
	head, tail string
	fields     []structField
}

func newInserter(ctx context.Context, w Writer, t reflect.Type, table string, upsert bool) (*inserter, error) {
	def, err := w.Table(ctx, table)
	if err != nil {
		return nil, err
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !takenApart(t) {
		return nil, fmt.Errorf("insert into %s: rows are structs, not %s", table, t)
	}
	all := fieldsOf(t)
	p := &inserter{}
	var columns, set []string
	used := map[int]bool{}
	keyed := false
	for _, c := range def.Columns {
		f, ok := all.of(c.Name)
		if !ok {
			continue
		}
		used[indexOf(all, f)] = true
		p.fields = append(p.fields, f)
		columns = append(columns, Quote(c.Name))
		if c.Name == def.PrimaryKey {
			keyed = true
		} else {
			set = append(set, Quote(c.Name)+" = excluded."+Quote(c.Name))
		}
	}
	for i, f := range all.inOrder {
		if !used[i] {
			return nil, fmt.Errorf("insert into %s: it has no column for the field %s of %s; hide that with the tag `lupa:\"-\"`", table, f.Name, t)
		}
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("insert into %s: %s has no exported fields", table, t)
	}
	p.head = "INSERT INTO " + Quote(table) + " (" + strings.Join(columns, ", ") + ") VALUES "
	if upsert {
		switch {
		case !keyed:
			return nil, fmt.Errorf("upsert into %s: %s has no field for its primary key", table, t)
		case len(set) == 0:
			p.tail = " ON CONFLICT (" + Quote(def.PrimaryKey) + ") DO NOTHING"
		default:
			p.tail = " ON CONFLICT (" + Quote(def.PrimaryKey) + ") DO UPDATE SET " + strings.Join(set, ", ")
		}
	}
	return p, nil
}

func indexOf(all *structFields, f structField) int {
	for i, x := range all.inOrder {
		if x.Name == f.Name && reflect.DeepEqual(x.Index, f.Index) {
			return i
		}
	}
	return -1
}

// row writes one row of VALUES and adds its arguments.
func (p *inserter) row(b *strings.Builder, args []any, rv reflect.Value) ([]any, error) {
	if rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return nil, errors.New("it is a nil pointer")
		}
		rv = rv.Elem()
	}
	b.WriteString("(")
	for i, f := range p.fields {
		if i > 0 {
			b.WriteString(", ")
		}
		v, err := rv.FieldByIndexErr(f.Index)
		switch {
		case err != nil: // in an embedded nil pointer
			b.WriteString("DEFAULT")
		case f.omitZero && v.IsZero():
			b.WriteString("DEFAULT")
		default:
			val, err := ToValue(v.Interface())
			if err != nil {
				return nil, fmt.Errorf("field %s: %w", f.Name, err)
			}
			args = append(args, val)
			fmt.Fprintf(b, "$%d", len(args))
		}
	}
	b.WriteString(")")
	return args, nil
}
