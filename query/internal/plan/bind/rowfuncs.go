package bind

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// rowFuncOf is a function of FROM that makes rows of values.
type rowFuncOf struct {
	syntax string
	args   [2]int // least and most
	types  func(args []*logical.Expr) (params []value.Type, outs []logical.Column, err error)
	rows   func(b *Binder, params []value.Type) func(args []value.Value, emit func(row ...value.Value) error) error
	typed  func(outs []logical.Column) func(args []value.Value, emit func(row ...value.Value) error) error                  // instead of rows
	one    bool                                                                                                             // its one column takes the name that the function is given
	scalar bool                                                                                                             // that name means its one column, too, which keeps its own
	with   func(b *Binder, t *parse.TableFunc) (func(args []value.Value, emit func(row ...value.Value) error) error, error) // instead of rows, where there are options
}

var jsonType = value.Type{Kind: value.JSON}

// rowFuncs are the functions of FROM that make rows of values.
var rowFuncs map[string]*rowFuncOf

func init() {
	elements := func(text bool) *rowFuncOf {
		out := jsonType
		if text {
			out = logical.TextType
		}
		return &rowFuncOf{
			syntax: "(array)", args: [2]int{1, 1}, scalar: true,
			types: func([]*logical.Expr) ([]value.Type, []logical.Column, error) {
				return []value.Type{jsonType}, []logical.Column{{Name: "value", Type: out}}, nil
			},
			rows: func(*Binder, []value.Type) func([]value.Value, func(...value.Value) error) error {
				return func(args []value.Value, emit func(...value.Value) error) error {
					if args[0].IsNull() {
						return nil
					}
					var all []json.RawMessage
					if err := json.Unmarshal([]byte(args[0].Str()), &all); err != nil {
						return fmt.Errorf("%s is not a JSON array", value.Quote(args[0].Str()))
					}
					for _, x := range all {
						if err := emit(jsonPart(x, text)); err != nil {
							return err
						}
					}
					return nil
				}
			},
		}
	}
	each := func(text bool) *rowFuncOf {
		out := jsonType
		if text {
			out = logical.TextType
		}
		return &rowFuncOf{
			syntax: "(object)", args: [2]int{1, 1},
			types: func([]*logical.Expr) ([]value.Type, []logical.Column, error) {
				return []value.Type{jsonType}, []logical.Column{{Name: "key", Type: logical.TextType}, {Name: "value", Type: out}}, nil
			},
			rows: func(*Binder, []value.Type) func([]value.Value, func(...value.Value) error) error {
				return func(args []value.Value, emit func(...value.Value) error) error {
					return eachMember(args[0], func(key string, x json.RawMessage) error { return emit(value.Str(key), jsonPart(x, text)) })
				}
			},
		}
	}
	rowFuncs = map[string]*rowFuncOf{
		"regexp_split_to_table": {
			syntax: "(text, pattern [, flags])", args: [2]int{2, 3}, one: true, scalar: true, types: textRows("regexp_split_to_table"),
			rows: func(*Binder, []value.Type) func([]value.Value, func(...value.Value) error) error {
				return splitRows(fn.RegexpSplit)
			},
		},
		"string_to_table": {
			syntax: "(text, separator [, null])", args: [2]int{2, 3}, one: true, scalar: true, types: textRows("string_to_table"),
			rows: func(*Binder, []value.Type) func([]value.Value, func(...value.Value) error) error {
				return splitRows(fn.StringParts)
			},
		},
		"generate_series": {
			syntax: "(from, to [, step])", args: [2]int{2, 3}, one: true,
			types: func(args []*logical.Expr) ([]value.Type, []logical.Column, error) {
				t := logical.IntType
				for _, a := range args[:2] {
					if a.Type.Kind == value.Timestamp || a.Type.Kind == value.Date {
						if len(args) < 3 {
							return nil, nil, errors.New("generate_series of times needs a step, such as INTERVAL '1 day'")
						}
						t.Kind = value.Timestamp
						return []value.Type{t, t, {Kind: value.Interval}}, []logical.Column{{Name: "generate_series", Type: t}}, nil
					}
				}
				for _, a := range args {
					switch a.Type.Kind {
					case value.Real:
						t = logical.RealType
					case value.Integer, value.Null:
					default:
						return nil, nil, fmt.Errorf("generate_series takes numbers or times, not %v", a.Type)
					}
				}
				params := make([]value.Type, len(args))
				for i := range params {
					params[i] = t
				}
				return params, []logical.Column{{Name: "generate_series", Type: t}}, nil
			},
			rows: func(_ *Binder, params []value.Type) func([]value.Value, func(...value.Value) error) error {
				switch params[0].Kind {
				case value.Real:
					return realSeries
				case value.Timestamp:
					return timeSeries
				}
				return intSeries
			},
		},
		"unnest": unnest, "chunks": chunks,
		"jsonb_array_elements": elements(false), "json_array_elements": elements(false),
		"jsonb_array_elements_text": elements(true), "json_array_elements_text": elements(true),
		"jsonb_each": each(false), "json_each": each(false), "jsonb_each_text": each(true), "json_each_text": each(true),
		"jsonb_object_keys": {
			syntax: "(object)", args: [2]int{1, 1}, one: true,
			types: func([]*logical.Expr) ([]value.Type, []logical.Column, error) {
				return []value.Type{jsonType}, []logical.Column{{Name: "jsonb_object_keys", Type: logical.TextType}}, nil
			},
			rows: func(*Binder, []value.Type) func([]value.Value, func(...value.Value) error) error {
				return func(args []value.Value, emit func(...value.Value) error) error {
					return eachMember(args[0], func(key string, _ json.RawMessage) error { return emit(value.Str(key)) })
				}
			},
		},
		"information_schema.tables":  schemaTables,
		"information_schema.columns": schemaColumns,
		"information_schema.views":   schemaViews,

		"information_schema.table_constraints":       schemaConstraints,
		"information_schema.constraint_column_usage": schemaUsage,
		"information_schema.key_column_usage":        schemaKeys,
		"information_schema.referential_constraints": schemaReferences,
		"information_schema.schemata":                schemaSchemata,
	}
}

// jsonPart is a part of a JSON value, or as a text what ->> gives for it.
func jsonPart(x json.RawMessage, text bool) value.Value {
	if !text {
		return value.RawJSON(string(x))
	}
	raw := bytes.TrimSpace(x)
	if bytes.Equal(raw, []byte("null")) {
		return value.Value{}
	}
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return value.Str(s)
	}
	return value.Str(string(raw))
}

// eachMember calls f for the members of a JSON object, in the order of JSONB: shorter names
// first. Of a name that comes twice the last one counts.
func eachMember(v value.Value, f func(key string, x json.RawMessage) error) error {
	if v.IsNull() {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(v.Str()), &members); err != nil || members == nil {
		return fmt.Errorf("%s is not a JSON object", value.Quote(v.Str()))
	}
	for _, k := range sortedKeys(members) {
		if err := f(k, members[k]); err != nil {
			return err
		}
	}
	return nil
}

func intSeries(args []value.Value, emit func(...value.Value) error) error {
	step := int64(1)
	for i, a := range args {
		if a.IsNull() {
			return nil
		}
		if i == 2 {
			step = a.Int()
		}
	}
	if step == 0 {
		return errors.New("the step of generate_series can't be 0")
	}
	for x, end := args[0].Int(), args[1].Int(); step > 0 && x <= end || step < 0 && x >= end; {
		if err := emit(value.Int(x)); err != nil {
			return err
		}
		next := x + step
		if (next > x) != (step > 0) {
			break
		}
		x = next
	}
	return nil
}

func timeSeries(args []value.Value, emit func(...value.Value) error) error {
	if args[0].IsNull() || args[1].IsNull() || args[2].IsNull() {
		return nil
	}
	step := args[2].Span()
	up := step.Compare(value.Span{})
	if up == 0 {
		return errors.New("the step of generate_series can't be 0")
	}
	for x, end := args[0].Int(), args[1].Int(); up > 0 && x <= end || up < 0 && x >= end; {
		if err := emit(value.Micros(x)); err != nil {
			return err
		}
		next, err := step.After(x, 1)
		if err != nil || (next > x) != (up > 0) { // the end of time, or days against months
			break
		}
		x = next
	}
	return nil
}

func realSeries(args []value.Value, emit func(...value.Value) error) error {
	step := 1.0
	for i, a := range args {
		if a.IsNull() {
			return nil
		}
		if i == 2 {
			step = a.Float()
		}
	}
	if step == 0 || step != step {
		return errors.New("the step of generate_series can't be 0")
	}
	from, end := args[0].Float(), args[1].Float()
	for n := 0.0; ; n++ {
		x := from + float64(n*step)
		if step > 0 && !(x <= end) || step < 0 && !(x >= end) {
			return nil
		}
		if err := emit(value.Float(x)); err != nil {
			return err
		}
	}
}

// rowFunc binds a function that makes rows of values, or several whose rows stand beside each other.
func (b *Binder) rowFunc(t *parse.TableFunc, f *rowFuncOf, s *Scope) (*logical.Relation, error) {
	name := strings.ToLower(t.Func.Name)
	n := &logical.RowFunc{Name: name, Text: t.String()}
	var outs []logical.Column
	for i, t := range beside(t) {
		if name := strings.ToLower(t.Func.Name); i > 0 {
			if f = rowFuncs[name]; f == nil {
				return nil, parse.Errorf(t.Pos, "%s is no function of values, which ROWS FROM takes", name).WithHint("such as unnest, generate_series and jsonb_each")
			}
		}
		args, rows, cols, err := b.oneRowFunc(t, f, s)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			n.Args, n.Rows, outs = args, rows, cols
			continue
		}
		n.Rows = sideBySide(n.Rows, rows, len(n.Args), len(outs), len(cols))
		n.Args, outs = append(n.Args, args...), append(outs, cols...)
	}
	if t.Ordinality {
		one := n.Rows
		n.Rows = func(args []value.Value, emit func(...value.Value) error) error {
			k := int64(0)
			return one(args, func(row ...value.Value) error {
				k++
				return emit(append(slices.Clip(row), value.Int(k))...)
			})
		}
	}
	alone := len(beside(t)) == 1
	for _, c := range outs {
		c.Table = cmp.Or(t.Alias.Name, name)
		if f.one && alone && t.Alias.Name != "" {
			c.Name = t.Alias.Name
		}
		c.Scalar = f.scalar && alone
		n.Outs = append(n.Outs, &c)
	}
	if t.Ordinality {
		n.Outs = append(n.Outs, &logical.Column{Table: cmp.Or(t.Alias.Name, name), Name: "ordinality", Type: logical.IntType})
	}
	if strings.HasPrefix(name, "information_schema.") || catalogTables[name] != nil {
		b.Once = true
	}
	return &logical.Relation{Node: n, Cols: n.Outs}, rename(n.Outs, t.Columns)
}

// beside are the functions of ROWS FROM, t the first of them; those of unnest(a, b) are unnest(a) and unnest(b).
func beside(t *parse.TableFunc) []*parse.TableFunc {
	var out []*parse.TableFunc
	for i, f := range append([]*parse.TableFunc{t}, t.Beside...) {
		if i > 0 {
			f = &parse.TableFunc{Pos: f.Pos, Func: f.Func, Args: f.Args, Options: f.Options}
		}
		if !strings.EqualFold(f.Func.Name, "unnest") || len(f.Args) < 2 {
			out = append(out, f)
			continue
		}
		for _, a := range f.Args {
			one := *f
			one.Args = []parse.Expr{a}
			out = append(out, &one)
		}
	}
	return out
}

// makesRows calls emit for each row that a function makes of its arguments.
type makesRows = func(args []value.Value, emit func(row ...value.Value) error) error

// sideBySide has the rows of one function beside those of another, with NULLs where one has ended. The
// first function takes the first args arguments, and has cols columns, the other one more.
func sideBySide(first, second makesRows, args, cols, more int) makesRows {
	return func(in []value.Value, emit func(...value.Value) error) error {
		pull := func(rows makesRows, in []value.Value) (next func() ([]value.Value, error, bool), stop func()) {
			return iter.Pull2(func(yield func([]value.Value, error) bool) {
				enough := false
				err := rows(in, func(row ...value.Value) error {
					if enough = !yield(row, nil); enough {
						return errors.New("no more rows are wanted")
					}
					return nil
				})
				if err != nil && !enough {
					yield(nil, err)
				}
			})
		}
		l, stop := pull(first, in[:args])
		defer stop()
		r, stop := pull(second, in[args:])
		defer stop()
		for {
			a, err, left := l()
			if err != nil {
				return err
			}
			b, err, right := r()
			if err != nil || !left && !right {
				return err
			}
			if !left {
				a = make([]value.Value, cols)
			}
			if !right {
				b = make([]value.Value, more)
			}
			if err := emit(slices.Concat(a, b)...); err != nil {
				return err
			}
		}
	}
}

// oneRowFunc binds one function that makes rows of values.
func (b *Binder) oneRowFunc(t *parse.TableFunc, f *rowFuncOf, s *Scope) ([]*logical.Expr, makesRows, []logical.Column, error) {
	name := strings.ToLower(t.Func.Name)
	if len(t.Options) > 0 && f.with == nil {
		return nil, nil, nil, parse.Errorf(t.Options[0].Pos, "%s has no options", name)
	}
	if len(t.Args) < f.args[0] || len(t.Args) > f.args[1] {
		return nil, nil, nil, parse.Errorf(t.Pos, "%s got %s; it is %s%s", name, logical.Counted(len(t.Args), "argument"), name, f.syntax)
	}
	args, err := b.Exprs(&Scope{outer: s.outer, Inside: name}, t.Args)
	if err != nil {
		return nil, nil, nil, err
	}
	if name == "unnest" {
		for i := range args {
			if args[i], err = b.flat(args[i]); err != nil {
				return nil, nil, nil, err
			}
		}
	}
	params, outs, err := f.types(args)
	if err != nil {
		return nil, nil, nil, logical.ErrorAt(t.Pos, err)
	}
	var bound []*logical.Expr
	for i, a := range args {
		if a, err = b.castTo(a, params[i], fn.Assignment); err != nil {
			return nil, nil, nil, err
		}
		bound = append(bound, a)
	}
	var rows makesRows
	switch {
	case f.with != nil:
		if rows, err = f.with(b, t); err != nil {
			return nil, nil, nil, err
		}
	case f.typed != nil:
		rows = f.typed(outs)
	default:
		rows = f.rows(b, params)
	}
	all := func(args []value.Value, emit func(...value.Value) error) error {
		return logical.ErrorAt(t.Pos, rows(args, emit))
	}
	return bound, all, outs, nil
}

// textRows are the types of a function of texts that gives rows of a text.
func textRows(name string) func(args []*logical.Expr) ([]value.Type, []logical.Column, error) {
	return func(args []*logical.Expr) ([]value.Type, []logical.Column, error) {
		params := make([]value.Type, len(args))
		for i := range params {
			params[i] = logical.TextType
		}
		return params, []logical.Column{{Name: name, Type: logical.TextType}}, nil
	}
}

// splitRows gives the parts of a text.
func splitRows(split func(args []value.Value) ([]value.Value, error)) func([]value.Value, func(...value.Value) error) error {
	return func(args []value.Value, emit func(...value.Value) error) error {
		parts, err := split(args)
		for i := 0; i < len(parts) && err == nil; i++ {
			err = emit(parts[i])
		}
		return err
	}
}

// textColumns are columns of texts.
func textColumns(names string) []logical.Column {
	var out []logical.Column
	for _, n := range strings.Fields(names) {
		name, kind, _ := strings.Cut(n, ":")
		c := logical.Column{Name: name, Type: logical.TextType}
		switch kind {
		case "int":
			c.Type = logical.IntType
		case "bool":
			c.Type = logical.BoolType
		case "json":
			c.Type = jsonType
		case "ints":
			c.Type, c.Array = jsonType, &logical.IntType
		}
		out = append(out, c)
	}
	return out
}

func noArgs(names string) func([]*logical.Expr) ([]value.Type, []logical.Column, error) {
	return func([]*logical.Expr) ([]value.Type, []logical.Column, error) { return nil, textColumns(names), nil }
}

// schemaTables is information_schema.tables.
var schemaTables = &rowFuncOf{
	types: noArgs("table_catalog table_schema table_name table_type"),
	rows: func(b *Binder, _ []value.Type) func([]value.Value, func(...value.Value) error) error {
		return func(_ []value.Value, emit func(...value.Value) error) error {
			for _, d := range b.AllTables() {
				kind := "BASE TABLE"
				if b.In.Hides(d.Name) {
					kind = "LOCAL TEMPORARY"
				}
				if err := emit(value.Str("lupa"), value.Str(b.schemaOf(d.Name)), value.Str(d.Name), value.Str(kind)); err != nil {
					return err
				}
			}
			for _, d := range b.View.Views() {
				if err := emit(value.Str("lupa"), value.Str("public"), value.Str(d.Name), value.Str("VIEW")); err != nil {
					return err
				}
			}
			return nil
		}
	},
}

// schemaColumns is information_schema.columns.
var schemaColumns = &rowFuncOf{
	types: noArgs("table_catalog table_schema table_name column_name ordinal_position:int column_default is_nullable data_type character_maximum_length:int udt_name is_identity numeric_precision:int numeric_scale:int numeric_precision_radix:int datetime_precision:int identity_generation identity_increment is_generated udt_schema identity_start interval_type character_set_name collation_name generation_expression"),
	rows: func(b *Binder, _ []value.Type) func([]value.Value, func(...value.Value) error) error {
		return func(_ []value.Value, emit func(...value.Value) error) error {
			tables := slices.Clone(b.AllTables())
			for _, v := range b.View.Views() {
				d, err := ViewTable(b.Ctx, b.In, v)
				if err != nil {
					return err
				}
				tables = append(tables, d)
			}
			for _, d := range tables {
				for i := range d.Columns {
					if err := emit(b.schemaColumn(d, i)...); err != nil {
						return err
					}
				}
			}
			return nil
		}
	},
}

// kindNames are the kinds as information_schema and pg_type have them.
var kindNames = map[value.Kind][2]string{
	value.Boolean: {"boolean", "bool"}, value.Integer: {"bigint", "int8"}, value.Real: {"double precision", "float8"}, value.Text: {"text", "text"},
	value.Timestamp: {"timestamp with time zone", "timestamptz"}, value.Date: {"date", "date"}, value.Interval: {"interval", "interval"}, value.Numeric: {"numeric", "numeric"}, value.Blob: {"bytea", "bytea"}, value.JSON: {"jsonb", "jsonb"}, value.Vector: {"USER-DEFINED", "vector"},
}

func (b *Binder) schemaColumn(d *storage.TableDef, i int) []value.Value {
	c := &d.Columns[i]
	names := kindNames[c.Type.Kind]
	yes := func(is bool) value.Value {
		if is {
			return value.Str("YES")
		}
		return value.Str("NO")
	}
	def, length := value.Value{}, value.Value{}
	if c.Default != "" {
		def = value.Str(c.Default)
	}
	word, n := "", 0
	if k, _ := fmt.Sscanf(strings.NewReplacer("(", " ", ")", " ").Replace(c.Declared), "%s %d", &word, &n); k == 2 && c.Type.Kind == value.Text {
		length = value.Int(int64(n))
		names = map[string][2]string{"VARCHAR": {"character varying", "varchar"}, "CHAR": {"character", "bpchar"}}[word]
	}
	precision, scale := value.Value{}, value.Value{}
	var p, q int64
	switch k, _ := fmt.Sscanf(c.Declared, "NUMERIC(%d,%d)", &p, &q); {
	case k == 2:
		precision, scale = value.Int(p), value.Int(q)
	case c.Type.Kind == value.Integer:
		precision, scale = value.Int(64), value.Int(0)
	case c.Type.Kind == value.Real:
		precision = value.Int(53)
	}
	radix, times, generation, increment := value.Value{}, value.Value{}, value.Value{}, value.Value{}
	switch c.Type.Kind {
	case value.Integer, value.Real:
		radix = value.Int(2)
	case value.Numeric:
		radix = value.Int(10)
	case value.Timestamp, value.Interval:
		times = value.Int(6)
	case value.Date:
		times = value.Int(0)
	}
	if c.Identity {
		generation, increment = value.Str("BY DEFAULT"), value.Str("1")
	}
	switch c.Declared {
	case "UUID":
		names = [2]string{"uuid", "uuid"}
	case "VARCHAR":
		names = [2]string{"character varying", "varchar"}
	}
	return []value.Value{
		value.Str("lupa"), value.Str(b.schemaOf(d.Name)), value.Str(d.Name), value.Str(c.Name), value.Int(int64(i + 1)), def, yes(!c.NotNull),
		value.Str(names[0]), length, value.Str(names[1]), yes(c.Identity), precision, scale,
		radix, times, generation, increment, value.Str("NEVER"), value.Str("pg_catalog"),
		increment, {}, {}, {}, {},
	}
}

func sortedKeys(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	return keys
}
