package fn

import (
	"database/sql"
	"fmt"
	"math"
	"math/rand"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/lupadb/lupa/storage/value"
)

// gen writes random expressions over columns i, j INTEGER, x, y REAL, s, u TEXT
// and b BOOLEAN, in what SQLite and the language have in common.
type gen struct{ *rand.Rand }

func (g gen) pick(s ...string) string { return s[g.Intn(len(s))] }

func (g gen) int(depth int) string {
	if depth <= 0 || g.Intn(4) == 0 {
		return g.pick("i", "j", "i", "j", "NULL", "0", "1", "7", "(-3)")
	}
	switch g.Intn(9) {
	case 0, 1, 2:
		return fmt.Sprintf("(%s %s %s)", g.int(depth-1), g.pick("+", "-", "*", "/", "%"), g.int(depth-1))
	case 3:
		return fmt.Sprintf("abs(%s)", g.int(depth-1))
	case 4:
		return fmt.Sprintf("length(%s)", g.text(depth-1))
	case 5:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.bool(depth-1), g.int(depth-1), g.int(depth-1))
	case 6:
		return fmt.Sprintf("coalesce(%s, %s)", g.int(depth-1), g.int(depth-1))
	case 7:
		return fmt.Sprintf("nullif(%s, %s)", g.int(depth-1), g.int(depth-1))
	}
	return fmt.Sprintf("(-%s)", g.int(depth-1))
}

func (g gen) real(depth int) string {
	if depth <= 0 || g.Intn(4) == 0 {
		return g.pick("x", "y", "x", "y", "0.5", "(-2.25)", "CAST(i AS REAL)")
	}
	switch g.Intn(5) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", g.real(depth-1), g.pick("+", "-", "*", "/"), g.real(depth-1))
	case 2:
		return fmt.Sprintf("(%s %s %s)", g.int(depth-1), g.pick("+", "-", "*"), g.real(depth-1))
	case 3:
		return fmt.Sprintf("CASE WHEN %s THEN %s END", g.bool(depth-1), g.real(depth-1))
	}
	return fmt.Sprintf("abs(%s)", g.real(depth-1))
}

func (g gen) text(depth int) string {
	if depth <= 0 || g.Intn(3) == 0 {
		return g.pick("s", "u", "s", "'a'", "''", "'wolf'", "'Käfer'")
	}
	switch g.Intn(7) {
	case 0:
		return fmt.Sprintf("(%s || %s)", g.text(depth-1), g.text(depth-1))
	case 1:
		return fmt.Sprintf("lower(%s)", g.pick("s", "'WOLF'"))
	case 2:
		return fmt.Sprintf("substr(%s, %d, %d)", g.text(depth-1), 1+g.Intn(4), g.Intn(4))
	case 3:
		return fmt.Sprintf("replace(%s, %s, 'x')", g.text(depth-1), g.text(depth-1))
	case 4:
		return fmt.Sprintf("trim(%s)", g.text(depth-1))
	case 5:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.bool(depth-1), g.text(depth-1), g.text(depth-1))
	}
	return fmt.Sprintf("coalesce(%s, %s)", g.text(depth-1), g.text(depth-1))
}

func (g gen) bool(depth int) string {
	if depth <= 0 {
		return g.pick("b", "b", "(i > 0)", "(s = 'a')", "(NULL)", "true")
	}
	compare := g.pick("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
	switch g.Intn(14) {
	case 0, 1, 2:
		return fmt.Sprintf("(%s AND %s)", g.bool(depth-1), g.bool(depth-1))
	case 3, 4:
		return fmt.Sprintf("(%s OR %s)", g.bool(depth-1), g.bool(depth-1))
	case 5:
		return fmt.Sprintf("(NOT %s)", g.bool(depth-1))
	case 6, 7:
		return fmt.Sprintf("(%s %s %s)", g.int(depth-1), compare, g.int(depth-1))
	case 8:
		return fmt.Sprintf("(%s %s %s)", g.real(depth-1), compare, g.int(depth-1))
	case 9:
		return fmt.Sprintf("(%s %s %s)", g.text(depth-1), compare, g.text(depth-1))
	case 10:
		return fmt.Sprintf("(%s %s '%s')", g.text(depth-1), g.pick("LIKE", "NOT LIKE"), g.pick("%", "a%", "%f", "_", "%a%f%", "w_l%", "%_%_%", ""))
	case 11:
		return fmt.Sprintf("(%s IS %sNULL)", g.pick(g.int(depth-1), g.text(depth-1)), g.pick("", "NOT "))
	case 12:
		return fmt.Sprintf("(%s %sIN (1, 2, %s))", g.int(depth-1), g.pick("", "NOT "), g.pick("3", "NULL"))
	}
	return fmt.Sprintf("(%s %sBETWEEN %s AND %s)", g.int(depth-1), g.pick("", "NOT "), g.int(depth-1), g.int(depth-1))
}

func (g gen) any() string {
	switch d := 1 + g.Intn(3); g.Intn(4) {
	case 0:
		return g.int(d)
	case 1:
		return g.real(d)
	case 2:
		return g.text(d)
	default:
		return g.bool(d + 1)
	}
}

var genNames = []string{"i", "j", "x", "y", "s", "u", "b"}

// batch returns n random rows, a third of whose values are NULL at most.
func (g gen) batch(n int) *value.Batch {
	b := &value.Batch{Len: n}
	kinds := []value.Kind{value.Integer, value.Integer, value.Real, value.Real, value.Text, value.Text, value.Boolean}
	for _, k := range kinds {
		c := &value.Column{Type: value.Type{Kind: k}}
		nulls := g.Intn(3) > 0
		for i := range n {
			v := value.Value{}
			if !nulls || g.Intn(4) > 0 {
				switch k {
				case value.Integer:
					v = value.Int(int64(g.Intn(9) - 3))
				case value.Real:
					v = value.Float(float64(g.Intn(17)-6) / 4)
				case value.Text:
					v = value.Str(g.pick("", "a", "wolf", "Käfer", " a ", "af", "aaf"))
				default:
					v = value.Bool(g.Intn(2) == 0)
				}
			}
			c.Append(i, v)
		}
		if k == value.Text && g.Intn(2) == 0 {
			code(c, n)
		}
		b.Cols = append(b.Cols, c)
	}
	return b
}

// code gives a column of texts the different ones, as a block with a dictionary has them.
func code(c *value.Column, n int) {
	known := map[string]uint16{}
	for i := range n {
		s := c.Strs[i]
		k, ok := known[s]
		if !ok {
			k = uint16(len(c.Values))
			known[s], c.Values = k, append(c.Values, s)
		}
		c.Codes = append(c.Codes, k)
	}
	c.Joined = strings.Join(c.Values, "")
}

func columnsOf(b *value.Batch) map[string]Expr {
	cols := map[string]Expr{}
	for i, c := range b.Cols {
		cols[genNames[i]] = Column(i, c.Type)
	}
	return cols
}

func constantsOf(b *value.Batch, row int) map[string]Expr {
	cols := map[string]Expr{}
	for i, c := range b.Cols {
		cols[genNames[i]] = typedConst(c.Value(row), c.Type)
	}
	return cols
}

func sameValue(a, b value.Value) bool {
	return a.Kind() == b.Kind() && value.Compare(a, b) == 0
}

// A batch gives the same values as its rows one by one, whatever the selection;
// it fails if and only if a selected row does; Select keeps the true rows; a
// clone gives the same again.
func TestBatchIsRows(t *testing.T) {
	g := gen{rand.New(rand.NewSource(1))}
	failed := 0
	for range 3000 {
		src := g.any()
		p, err := parseExpr(src)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		b := g.batch(1 + g.Intn(70))
		e, err := bind(p, columnsOf(b))
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		var sel []int32
		if g.Intn(2) == 0 {
			sel = []int32{}
			for i := range b.Len {
				if g.Intn(3) > 0 {
					sel = append(sel, int32(i))
				}
			}
		}
		want := map[int32]value.Value{}
		var rowErr error
		for _, i := range fullSel(b.Len, sel) {
			one, err := bind(p, constantsOf(b, int(i)))
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			a, err := one.Eval(testCtx, &value.Batch{Len: 1}, nil)
			if err == nil && a.IsNull(0) {
				// A constant NULL decides before what stands beside it fails, a NULL of one
				// row does not.
				_, err = e.Clone().Eval(testCtx, b, []int32{i})
			}
			if err != nil {
				rowErr = err
				continue
			}
			want[i] = a.At(0)
		}
		for range 2 { // the second time with used memory
			got, err := e.Eval(testCtx, b, sel)
			if (err != nil) != (rowErr != nil) {
				t.Fatalf("%s: batch error %v, row error %v", src, err, rowErr)
			}
			if err != nil {
				failed++
				break
			}
			var trues []int32
			for _, i := range fullSel(b.Len, sel) {
				if v := got.At(int(i)); !sameValue(v, want[i]) && !(v.IsNull() && want[i].IsNull()) {
					t.Fatalf("%s: row %d is %v, want %v", src, i, v, want[i])
				}
				if want[i].Bool() && want[i].Kind() == value.Boolean {
					trues = append(trues, i)
				}
			}
			if k := e.Type().Kind; k == value.Boolean {
				rows, err := Select(testCtx, e.Clone(), b, sel, nil)
				if err != nil || fmt.Sprint(rows) != fmt.Sprint(trues) {
					t.Fatalf("%s: Select gives %v %v, want %v", src, rows, err, trues)
				}
			}
		}
	}
	if failed == 0 {
		t.Error("no expression failed: the test does not see errors")
	}
}

// literal writes a value for SQLite.
func literal(v value.Value) any {
	switch v.Kind() {
	case value.Null:
		return nil
	case value.Boolean:
		return v.Bool()
	case value.Integer:
		return v.Int()
	case value.Real:
		return v.Float()
	}
	return v.Str()
}

// Expressions mean what they mean in SQLite. Known differences: what is an error
// here (division by zero, overflow) is NULL or a real there, so such rows are
// left out; LIKE is case-sensitive here.
func TestLikeSQLite(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	exec := func(q string, args ...any) {
		if _, err := db.Exec(q, args...); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	exec("PRAGMA case_sensitive_like = ON")
	g := gen{rand.New(rand.NewSource(2))}
	compared := 0
	for round := range 30 {
		b := g.batch(40)
		exec("DROP TABLE IF EXISTS t")
		exec("CREATE TABLE t (n INTEGER PRIMARY KEY, i INTEGER, j INTEGER, x REAL, y REAL, s TEXT, u TEXT, b BOOLEAN)")
		for i := range b.Len {
			args := []any{i}
			for _, c := range b.Cols {
				args = append(args, literal(c.Value(i)))
			}
			exec("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)", args...)
		}
		for range 40 {
			src := g.any()
			p, err := parseExpr(src)
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			e, err := bind(p, columnsOf(b))
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			rows, err := db.Query("SELECT " + src + " FROM t ORDER BY n")
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			for i := range b.Len {
				if !rows.Next() {
					t.Fatal(rows.Err())
				}
				var want any
				if err := rows.Scan(&want); err != nil {
					t.Fatal(err)
				}
				a, err := e.Eval(testCtx, b, []int32{int32(i)})
				if err != nil {
					continue
				}
				if got := a.At(i); !agree(got, want) {
					t.Fatalf("round %d: %s: row %d is %v %v, SQLite says %v", round, src, i, got.Kind(), got, want)
				}
				compared++
			}
			rows.Close()
		}
	}
	if compared < 20000 {
		t.Errorf("only %d values compared", compared)
	}
}

func agree(got value.Value, want any) bool {
	switch w := want.(type) {
	case nil:
		return got.IsNull()
	case int64:
		switch got.Kind() {
		case value.Boolean:
			return got.Bool() == (w != 0)
		case value.Integer:
			return got.Int() == w
		case value.Real:
			return got.Float() == float64(w)
		}
	case float64:
		switch got.Kind() {
		case value.Integer:
			return float64(got.Int()) == w
		case value.Real:
			return math.Abs(got.Float()-w) <= 1e-9*math.Max(1, math.Abs(w))
		}
	case bool:
		return got.Kind() == value.Boolean && got.Bool() == w
	case string:
		return got.Kind() == value.Text && strings.Compare(got.Str(), w) == 0
	}
	return false
}
