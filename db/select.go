package db

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"time"
)

// Querier is what runs queries: *DB, *Tx and *Conn. For a Stmt, see Collect.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (*Rows, error)
}

// Select runs a query and returns its rows as values of T. If T is a struct
// (and neither a sql.Scanner nor time.Time), each column goes into the exported
// field whose tag `lupa:"name"`, or else whose name in any case and without
// regard to underscores, is the column's; a column without field is an error,
// a field without column stays zero, and `lupa:"-"` hides a field. Fields of
// embedded structs count. A *T is a new struct for each row. A map[string]any has the
// row's values by name, as GoValue has them. Otherwise the query has one column, which
// goes into T; a vector goes into []float32 as well as into [N]float32. Values are converted as by Rows.Scan. Without rows the slice is empty, not nil.
func Select[T any](ctx context.Context, q Querier, sql string, args ...any) ([]T, error) {
	return Collect[T](q.Query(ctx, sql, args...))
}

// Collect reads rows to their end, and closes them, as values of T: see Select. It
// takes what a Query method returns:
//
//	photos, err := db.Collect[photo](stmt.Query(ctx, "a wolf"))
//
// With an error it returns that, and does not look at rows.
func Collect[T any](rows *Rows, err error) ([]T, error) {
	out := []T{}
	for t, err := range each[T](rows, err) {
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// Each is Select one row at a time; the query runs when the loop begins, and its
// rows are closed when the loop ends. An error comes last, with a zero T.
func Each[T any](ctx context.Context, q Querier, sql string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		each[T](q.Query(ctx, sql, args...))(yield)
	}
}

// each iterates over what a Query method has returned, once.
func each[T any](rows *Rows, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err != nil {
			yield(zero, err)
			return
		}
		defer rows.Close()
		columns := rows.Columns()
		typ := reflect.TypeFor[T]()
		if typ == reflect.TypeFor[map[string]any]() {
			eachMap(rows, columns, func(m map[string]any, err error) bool {
				t, _ := any(m).(T)
				return yield(t, err)
			})
			return
		}
		pointer := typ.Kind() == reflect.Pointer && takenApart(typ.Elem())
		if pointer {
			typ = typ.Elem()
		}
		fields, err := fieldsFor(typ, columns)
		if err != nil {
			yield(zero, err)
			return
		}
		dest := make([]any, len(columns))
		for rows.Next() {
			var t T
			rv := reflect.ValueOf(&t).Elem()
			if pointer {
				rv.Set(reflect.New(typ))
				rv = rv.Elem()
			}
			if fields == nil {
				dest[0] = &t
			}
			for i, f := range fields {
				dest[i] = fieldByIndex(rv, f).Addr().Interface()
			}
			if err := rows.Scan(dest...); err != nil {
				yield(zero, err)
				return
			}
			if !yield(t, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, err)
		}
	}
}

// Get is Select for a single row; without one the error is ErrNoRows. Rows
// after the first are dropped.
func Get[T any](ctx context.Context, q Querier, sql string, args ...any) (T, error) {
	for t, err := range Each[T](ctx, q, sql, args...) {
		return t, err
	}
	var zero T
	return zero, ErrNoRows
}

// fieldsFor returns the index of the field of t for each column, or nil if t is
// not a struct to be taken apart.
func fieldsFor(t reflect.Type, columns []string) ([][]int, error) {
	if len(columns) == 0 {
		return nil, fmt.Errorf("the statement returns no columns to put into a %s", t)
	}
	if !takenApart(t) {
		if len(columns) != 1 {
			return nil, fmt.Errorf("the statement returns %d columns; a %s takes one, a struct takes several", len(columns), t)
		}
		return nil, nil
	}
	all := fieldsOf(t)
	fields := make([][]int, len(columns))
	for i, c := range columns {
		f, ok := all.of(c)
		if !ok {
			return nil, fmt.Errorf("%s has no field for the column %q; name one with the tag `lupa:%q`", t, c, c)
		}
		fields[i] = f.Index
	}
	return fields, nil
}

// takenApart reports whether t is a struct whose fields are the columns.
func takenApart(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[sql.Scanner]()) &&
		t != reflect.TypeFor[time.Time]() && t != reflect.TypeFor[Value]()
}

// structFields are the fields of a struct that stand for columns, by the tag lupa or
// else by the name.
type structFields struct {
	inOrder []structField
	byTag   map[string]int
	byName  map[string]int
}

type structField struct {
	reflect.StructField
	tag      string // "" without one
	omitZero bool   // `lupa:"id,omitzero"`: a zero is left to the column's default
}

func fieldsOf(t reflect.Type) *structFields {
	s := &structFields{byTag: map[string]int{}, byName: map[string]int{}}
	for _, f := range reflect.VisibleFields(t) {
		tag, tagged := f.Tag.Lookup("lupa")
		tag, option, _ := strings.Cut(tag, ",")
		if !f.IsExported() || tag == "-" || f.Anonymous && !tagged || hidden(t, f.Index) {
			continue
		}
		at := len(s.inOrder)
		s.inOrder = append(s.inOrder, structField{f, tag, option == "omitzero"})
		if tag != "" {
			s.byTag[tag] = at
		} else if _, taken := s.byName[fold(f.Name)]; !taken {
			s.byName[fold(f.Name)] = at
		}
	}
	return s
}

// hidden reports whether a field lies in an embedded pointer to a struct that is not
// exported: only its own package could make that.
func hidden(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		f := t.Field(i)
		if f.Type.Kind() == reflect.Pointer && !f.IsExported() {
			return true
		}
		t = f.Type
	}
	return false
}

// of returns the field that stands for a column.
func (s *structFields) of(column string) (structField, bool) {
	i, ok := s.byTag[column]
	if !ok {
		i, ok = s.byName[fold(column)]
	}
	if !ok {
		return structField{}, false
	}
	return s.inOrder[i], true
}

// eachMap gives rows as maps. Two columns of one name would hide each other.
func eachMap(rows *Rows, columns []string, yield func(map[string]any, error) bool) {
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[c] {
			yield(nil, fmt.Errorf("two columns are named %q; name one by AS to have both in a map", c))
			return
		}
		seen[c] = true
	}
	for rows.Next() {
		m := make(map[string]any, len(columns))
		for i, v := range rows.Values() {
			m[columns[i]] = GoValue(v)
		}
		if !yield(m, nil) {
			return
		}
	}
	if err := rows.Err(); err != nil {
		yield(nil, err)
	}
}

func fold(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// fieldByIndex is reflect.Value.FieldByIndex, making embedded pointers on the way.
func fieldByIndex(v reflect.Value, index []int) reflect.Value {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v
}
