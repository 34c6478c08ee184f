package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage/value"
)

// Tables are the tables, views and foreign tables of the schemas that are searched.
func (d *database) Tables(ctx context.Context) ([]string, error) {
	rows, err := d.pool.Query(ctx, `SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY (current_schemas(false)) ORDER BY 1`)
	if err != nil {
		return nil, mapped(ctx, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return names, mapped(ctx, err)
}

// Table describes a table.
func (d *database) Table(ctx context.Context, name string) (*foreign.Table, error) {
	var schema string
	var oid uint32
	var rows float64
	err := d.pool.QueryRow(ctx, `SELECT n.nspname::text, c.oid, c.reltuples::float8 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY (current_schemas(false)) AND c.relname = $1
		ORDER BY array_position(current_schemas(false), n.nspname) LIMIT 1`, name).Scan(&schema, &oid, &rows)
	if err == pgx.ErrNoRows {
		return nil, &foreign.NoTableError{Database: d.name, Table: name}
	}
	if err != nil {
		return nil, mapped(ctx, err)
	}
	t := &foreign.Table{Schema: schema, Name: name, Rows: rows}
	if rows < 0 { // never analyzed
		t.Rows = 1000
	}
	got, err := d.pool.Query(ctx, `SELECT a.attnum::int4, a.attname::text, t.typname::text, format_type(a.atttypid, a.atttypmod), a.atttypmod::int4, a.attnotnull,
		a.atthasdef OR a.attidentity <> '', coalesce(l.collisdeterministic, true), coalesce(col_description(a.attrelid, a.attnum), '')
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
		WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, oid)
	if err != nil {
		return nil, mapped(ctx, err)
	}
	var numbers []int32
	for got.Next() {
		var number, mod int32
		var name, typ, full, comment string
		var notNull, filled, deterministic bool
		if err := got.Scan(&number, &name, &typ, &full, &mod, &notNull, &filled, &deterministic, &comment); err != nil {
			got.Close()
			return nil, mapped(ctx, err)
		}
		c := foreign.Column{Name: name, Foreign: full, NotNull: notNull, Default: filled}
		c.Type, c.Opaque = typeOf(typ, mod)
		c.Opaque = c.Opaque || !deterministic
		if e, ok := encoderOf(comment); ok && c.Type.Kind == value.Vector {
			c.Encoder, c.Model = e.Encoder, e.Model
		}
		t.Columns = append(t.Columns, c)
		numbers = append(numbers, number)
	}
	if err := got.Err(); err != nil {
		return nil, mapped(ctx, err)
	}
	keys, err := d.pool.Query(ctx, `SELECT a.attnum::int4 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		WHERE i.indrelid = $1 AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)`, oid)
	if err != nil {
		return nil, mapped(ctx, err)
	}
	key, err := pgx.CollectRows(keys, pgx.RowTo[int32])
	if err != nil {
		return nil, mapped(ctx, err)
	}
	for _, n := range key {
		if i := slices.Index(numbers, n); i >= 0 {
			t.Key = append(t.Key, i)
		}
	}
	return t, nil
}

// typeOf is the type that values of a type of the engine have here. Those that the language
// lacks come as their text form.
func typeOf(name string, mod int32) (t value.Type, opaque bool) {
	switch name {
	case "bool":
		return value.Type{Kind: value.Boolean}, false
	case "int2", "int4", "int8":
		return value.Type{Kind: value.Integer}, false
	case "float4", "float8":
		return value.Type{Kind: value.Real}, false
	case "numeric":
		return value.Type{Kind: value.Numeric}, false
	case "text", "varchar":
		return value.Type{Kind: value.Text}, false
	case "timestamp", "timestamptz":
		return value.Type{Kind: value.Timestamp}, false
	case "date":
		return value.Type{Kind: value.Date}, false
	case "interval":
		return value.Type{Kind: value.Interval}, false
	case "bytea":
		return value.Type{Kind: value.Blob}, false
	case "json", "jsonb":
		return value.Type{Kind: value.JSON}, false
	case "vector":
		if mod > 0 {
			return value.Type{Kind: value.Vector, Dim: int(mod)}, false
		}
	case "halfvec":
		if mod > 0 {
			return value.Type{Kind: value.Vector, Dim: int(mod), Half: true}, false
		}
	}
	return value.Type{Kind: value.Text}, true
}

// nameOfType is a type as CREATE TABLE there has it.
func (k dialect) nameOfType(t value.Type) string {
	switch t.Kind {
	case value.JSON:
		return "json" // which stays as it was written
	case value.Vector:
		if k.cockroach {
			t.Half = false
		}
		return strings.ToLower(t.String())
	}
	return typeName(t)
}

// comment is what is recorded of a vector column, as a comment on it.
type comment struct {
	Encoder string        `json:"encoder"`
	Model   encoder.Model `json:"model"`
}

const commentStart = "lupa: "

func encoderOf(s string) (c comment, ok bool) {
	text, ok := strings.CutPrefix(s, commentStart)
	return c, ok && json.Unmarshal([]byte(text), &c) == nil && c.Encoder != ""
}

// quoted is a name as a statement has it.
func quoted(names ...string) string { return pgx.Identifier(names).Sanitize() }

func tableName(t *foreign.Table) string { return quoted(t.Schema, t.Name) }

// literal is a text as a statement has it.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Create makes a table in the first schema that is searched.
func (d *database) Create(ctx context.Context, t *foreign.Table) error {
	var parts []string
	for _, c := range t.Columns {
		s := quoted(c.Name) + " " + cmp.Or(strings.ToLower(c.Foreign), d.nameOfType(c.Type))
		if c.Default {
			s += " GENERATED BY DEFAULT AS IDENTITY"
		}
		if c.NotNull {
			s += " NOT NULL"
		}
		parts = append(parts, s)
	}
	if len(t.Key) > 0 {
		var names []string
		for _, k := range t.Key {
			names = append(names, quoted(t.Columns[k].Name))
		}
		parts = append(parts, "PRIMARY KEY ("+strings.Join(names, ", ")+")")
	}
	return mapped(ctx, pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (%s)", quoted(t.Name), strings.Join(parts, ", "))); err != nil {
			return err
		}
		for i, c := range t.Columns {
			if c.Encoder != "" {
				if _, err := tx.Exec(ctx, encodeText(quoted(t.Name), &t.Columns[i])); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

func encodeText(table string, c *foreign.Column) string {
	b, _ := json.Marshal(comment{c.Encoder, c.Model})
	return fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", table, quoted(c.Name), literal(commentStart+string(b)))
}

// Drop drops a table.
func (d *database) Drop(ctx context.Context, t *foreign.Table) error {
	_, err := d.pool.Exec(ctx, "DROP TABLE "+tableName(t))
	return mapped(ctx, err)
}
