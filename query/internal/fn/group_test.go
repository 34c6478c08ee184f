package fn

import (
	"bytes"
	"fmt"
	"math"
	"math/rand"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/value"
)

var keyTypes = []value.Type{{Kind: value.Boolean}, {Kind: value.Integer}, {Kind: value.Real}, {Kind: value.Text},
	{Kind: value.Timestamp}, {Kind: value.Blob}, {Kind: value.Vector, Dim: 2}}

// randomKey returns one of few values of a type, the odd ones among them.
func randomKey(rng *rand.Rand, t value.Type, few int) value.Value {
	if rng.Intn(6) == 0 {
		return value.Value{}
	}
	n := rng.Intn(few) - few/2
	switch t.Kind {
	case value.Boolean:
		return value.Bool(n > 0)
	case value.Integer:
		return value.Int([]int64{math.MinInt64, math.MaxInt64, int64(n), int64(n)}[rng.Intn(4)])
	case value.Timestamp:
		return value.Micros(int64(n))
	case value.Real:
		return value.Float([]float64{math.Copysign(0, -1), 0, math.NaN(), -math.NaN(), math.Inf(1), math.Inf(-1), float64(n) / 2, float64(n)}[rng.Intn(8)])
	case value.Text:
		long := strings.Repeat("abc\x00", 20)
		from, to := rng.Intn(4), rng.Intn(40)
		return value.Str([]string{"", "a", "a\x00", "a\x00b", "b", "\xff", fmt.Sprint(n), "ab", long[:to], long[from : from+to]}[rng.Intn(10)])
	case value.Blob:
		return value.BlobOf([]string{"", "\x00", "\x00\x01", "\x01", fmt.Sprint(n)}[rng.Intn(5)])
	}
	return value.Vec([]float32{float32(math.Copysign(0, float64(n))), float32(n)})
}

func randomColumn(rng *rand.Rand, t value.Type, n, few int) Arg {
	c := &value.Column{Type: t}
	for i := range n {
		c.Append(i, randomKey(rng, t, few))
	}
	return Arg{Column: c}
}

// Groups numbers keys as a map of their printed forms would.
func TestGroups(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for round := range 300 {
		types := []value.Type{keyTypes[round%len(keyTypes)]}
		for rng.Intn(2) == 0 && len(types) < 3 {
			types = append(types, keyTypes[rng.Intn(len(keyTypes))])
		}
		mode := NullMode(rng.Intn(2))
		g := NewGroups(types)
		want := map[string]int32{}
		var keys [][]value.Value
		for range 4 {
			n := 1 + rng.Intn(400)
			var cols []Arg
			for _, typ := range types {
				col := randomColumn(rng, typ, n, 300)
				if (typ.Kind == value.Text || typ.Kind == value.Blob) && rng.Intn(2) == 0 {
					code(col.Column, n)
				}
				if rng.Intn(8) == 0 {
					col = ConstArg(cloneVec(col.At(0)), typ)
				}
				cols = append(cols, col)
			}
			var sel []int32
			if rng.Intn(2) == 0 {
				for i := range n {
					if rng.Intn(2) == 0 {
						sel = append(sel, int32(i))
					}
				}
				sel = append([]int32{}, sel...)
			}
			ids, found := make([]int32, n), make([]int32, n)
			before := g.Len()
			if err := g.NewProbe().Find(cols, n, sel, mode, found); err != nil {
				t.Fatal(err)
			}
			if g.Len() != before {
				t.Fatal("Find made groups")
			}
			if err := g.Assign(cols, n, sel, mode, ids); err != nil {
				t.Fatal(err)
			}
			each(n, sel, func(i int) {
				var name strings.Builder
				var row []value.Value
				null := false
				for _, c := range cols {
					v := c.At(i)
					row = append(row, v)
					null = null || v.IsNull()
					if v.Kind() == value.Real {
						v = value.Float(v.Float() + 0) // -0
					}
					if v.Kind() == value.Vector {
						v = value.Vec([]float32{v.Vec()[0] + 0, v.Vec()[1] + 0})
					}
					fmt.Fprintf(&name, "%d %q;", v.Kind(), v)
				}
				if null && mode == SkipNull {
					if ids[i] != -1 || found[i] != -1 {
						t.Fatalf("NULL key in group %d", ids[i])
					}
					return
				}
				id, known := want[name.String()]
				if !known {
					id = int32(len(want))
					want[name.String()] = id
					keys = append(keys, row)
					for k := range row {
						row[k] = cloneVec(row[k])
					}
				}
				if ids[i] != id {
					t.Fatalf("%v: key %s in group %d, want %d", types, name.String(), ids[i], id)
				}
				if int(id) < before && found[i] != id || int(id) >= before && found[i] != -1 {
					t.Fatalf("%v: key %s found in %d, is in %d", types, name.String(), found[i], id)
				}
			})
		}
		if g.Len() != len(want) {
			t.Fatalf("%d groups, want %d", g.Len(), len(want))
		}
		var out value.Column
		for k := range types {
			g.Key(k, 0, g.Len(), &out)
			for i := range keys {
				if value.Compare(out.Value(i), keys[i][k]) != 0 {
					t.Fatalf("key %d of group %d is %v, want %v", k, i, out.Value(i), keys[i][k])
				}
			}
		}
	}
	one := NewGroups(nil)
	ids := []int32{7}
	if err := one.Assign(nil, 1, nil, GroupNull, ids); err != nil || one.Len() != 1 || ids[0] != 0 {
		t.Error("no keys make one group")
	}
}

// Sort keys order rows as CompareRows does.
func TestSortKeys(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for round := range 4000 {
		types := []value.Type{keyTypes[round%len(keyTypes)], keyTypes[rng.Intn(len(keyTypes))]}
		orders := []SortOrder{{rng.Intn(2) == 0, rng.Intn(2) == 0}, {rng.Intn(2) == 0, rng.Intn(2) == 0}}
		a, b := randomColumn(rng, types[0], 2, 6), randomColumn(rng, types[1], 2, 6)
		var keys [2][]byte
		for i := range keys {
			keys[i] = AppendSortKey(AppendSortKey(nil, a, i, orders[0]), b, i, orders[1])
		}
		want := CompareRows(a, 0, a, 1, orders[0])
		if want == 0 {
			want = CompareRows(b, 0, b, 1, orders[1])
		}
		if got := bytes.Compare(keys[0], keys[1]); got != want {
			t.Fatalf("%v %v: (%v, %v) against (%v, %v): %d, want %d", types, orders, a.At(0), b.At(0), a.At(1), b.At(1), got, want)
		}
	}
}

// Aggregates over batches, merged from two workers, agree with a plain loop.
func TestAggregates(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for round := range 400 {
		typ := keyTypes[round%len(keyTypes)]
		for _, name := range []string{"count", "sum", "avg", "min", "max"} {
			call, err := ResolveAggregate(name, []ArgType{{Type: typ}}, nil)
			if (name == "sum" || name == "avg") && typ.Kind != value.Integer && typ.Kind != value.Real && typ.Kind != value.Vector {
				if err == nil {
					t.Errorf("%s of %v", name, typ)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			const groups = 5
			var parts [2]Aggregator
			rows := make([][]value.Value, groups)
			to := []int32{3, 1, 4, 0, 2} // the second worker met the groups in another order
			for w := range parts {
				parts[w], _ = call.New()
				parts[w].Resize(2)
				parts[w].Resize(groups)
				for range 3 {
					n := 1 + rng.Intn(60)
					c := &value.Column{Type: typ}
					for i := range n {
						v := randomKey(rng, typ, 20)
						if typ.Kind == value.Integer && !v.IsNull() && v.Int() != int64(int32(v.Int())) {
							v = value.Int(1 << 40)
						}
						if typ.Kind == value.Real && !v.IsNull() && v.Float()-v.Float() != 0 && name != "min" && name != "max" {
							v = value.Float(0.1)
						}
						c.Append(i, v)
					}
					arg := Arg{Column: c}
					if rng.Intn(5) == 0 {
						arg = ConstArg(cloneVec(arg.At(0)), typ)
					}
					var sel []int32
					if rng.Intn(2) == 0 {
						sel = []int32{}
						for i := range n {
							if rng.Intn(2) == 0 {
								sel = append(sel, int32(i))
							}
						}
					}
					ids := make([]int32, n)
					for i := range ids {
						ids[i] = int32(rng.Intn(groups - 1)) // the last stays empty
					}
					pass := ids
					if rng.Intn(4) == 0 {
						clear(ids)
						pass = nil
					}
					if err := parts[w].Add(arg, pass, n, sel); err != nil {
						t.Fatal(err)
					}
					each(n, sel, func(i int) {
						g := ids[i]
						if w == 1 {
							g = to[g]
						}
						rows[g] = append(rows[g], cloneVec(arg.At(i)))
					})
				}
			}
			if err := parts[0].Merge(parts[1], to); err != nil {
				t.Fatal(err)
			}
			var out value.Column
			if err := parts[0].Result(1, groups, &out); err != nil {
				t.Fatal(err)
			}
			for g := 1; g < groups; g++ {
				want := plainAggregate(name, rows[g])
				got := out.Value(g - 1)
				if got.Kind() != want.Kind() || !near(got, want) {
					t.Fatalf("%s of %v in group %d is %v, want %v", name, rows[g], g, got, want)
				}
			}
		}
	}
}

func near(a, b value.Value) bool {
	switch a.Kind() {
	case value.Real:
		return value.Compare(a, b) == 0 || math.Abs(a.Float()-b.Float()) <= 1e-12*max(1, math.Abs(b.Float())) // parts cancel out
	case value.Vector:
		for i, x := range a.Vec() {
			if math.Abs(float64(x-b.Vec()[i])) > 1e-6*math.Abs(float64(x)) {
				return false
			}
		}
		return true
	}
	return value.Compare(a, b) == 0
}

func plainAggregate(name string, rows []value.Value) value.Value {
	rows = slices.DeleteFunc(slices.Clone(rows), value.Value.IsNull)
	if name == "count" {
		return value.Int(int64(len(rows)))
	}
	if len(rows) == 0 {
		return value.Value{}
	}
	switch name {
	case "min":
		return slices.MinFunc(rows, value.Compare)
	case "max":
		return slices.MaxFunc(rows, value.Compare)
	}
	if d := rows[0].Type().Dim; d > 0 {
		sum := make([]float32, d)
		for k := range sum {
			s := 0.0
			for _, v := range rows {
				s += float64(v.Vec()[k])
			}
			if name == "avg" {
				s /= float64(len(rows))
			}
			sum[k] = float32(s)
		}
		return value.Vec(sum)
	}
	var ints int64
	var reals float64
	for _, v := range rows {
		if v.Kind() == value.Integer {
			ints += v.Int()
			reals += float64(v.Int())
		} else {
			reals += v.Float()
		}
	}
	switch {
	case name == "avg":
		return value.Float(reals / float64(len(rows)))
	case rows[0].Kind() == value.Integer:
		return value.Int(ints)
	}
	return value.Float(reals)
}

func TestSumRange(t *testing.T) {
	call, err := ResolveAggregate("sum", []ArgType{{Type: value.Type{Kind: value.Integer}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := call.New()
	a.Resize(1)
	add := func(x int64) {
		if err := a.Add(ConstArg(value.Int(x), value.Type{}), nil, 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	add(math.MaxInt64)
	add(math.MaxInt64)
	var out value.Column
	if err := a.Result(0, 1, &out); err == nil || !strings.Contains(err.Error(), "out of range") {
		t.Errorf("%v, %v", out.Ints, err)
	}
	add(math.MinInt64) // back in range: a temporary excess is no error
	if err := a.Result(0, 1, &out); err != nil || out.Ints[0] != math.MaxInt64-1 {
		t.Errorf("%v, %v", out.Ints, err)
	}
}

// LIKE is what a regular expression of the same meaning says.
func TestLike(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	letters := []string{"a", "b", "ä", "%", "_", `\`}
	random := func(n int) string {
		var b strings.Builder
		for range rng.Intn(n) {
			b.WriteString(letters[rng.Intn(len(letters))])
		}
		return b.String()
	}
	for range 20000 {
		pat, s := random(8), random(8)
		var re strings.Builder
		re.WriteString(`(?s)\A`)
		valid := true
		for i, rs := 0, []rune(pat); i < len(rs); i++ {
			switch rs[i] {
			case '%':
				re.WriteString(".*")
			case '_':
				re.WriteString(".")
			case '\\':
				if i++; i == len(rs) {
					valid = false
					break
				}
				fallthrough
			default:
				re.WriteString(regexp.QuoteMeta(string(rs[i])))
			}
		}
		p, err := newPattern(pat, '\\')
		if (err == nil) != valid {
			t.Fatalf("%q: %v", pat, err)
		}
		if valid {
			if want := regexp.MustCompile(re.String() + `\z`).MatchString(s); p.match(s) != want {
				t.Fatalf("%q LIKE %q is not %v", s, pat, want)
			}
		}
	}
}
