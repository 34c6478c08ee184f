package shell

import (
	"context"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	_ "github.com/lupadb/lupa/db/parquet"
)

// hostile are texts that formats are apt to change.
var hostile = []string{"", " ", "  x ", "NULL", "null", `\N`, `\.`, `"`, `""`, `a"b`, `"a"`, `""x`, "a,b", "a;b|c", "tab\there", "\t", "line\nline", "\n", "\r", "\r\n", "x\r\ny", "ends\n",
	"'", "it's", `back\slash`, `\n`, `E'\n'`, "$1", ":name", "--", "/* */", ";", "\x00", "a\x00b", "\x01\x1b[31m\x7f", "\u0085\u009b", "\u2028\u2029", "\ufeffmark", "\ufffd", "Käfer 🐞", "e\u0301", "[1,2,3]", "{\"a\":1}",
	"true", "1e5", "007", "-0", "NaN", "Infinity", "2020-01-02", "2020-01-02 03:04:05", `\x41`, "<b>&amp;", strings.Repeat("long ", 2000), "#", "id", "sep=;", "=1+1"}

// fill makes a table of every type and fills it with rows of any values.
func fill(t *testing.T, store *db.DB, rng *rand.Rand, table string, rows int) {
	t.Helper()
	ctx := context.Background()
	ddl := fmt.Sprintf(`CREATE TABLE %s (n INTEGER PRIMARY KEY, b BOOLEAN, "i n t" INTEGER, r REAL, "select" TEXT, "x,y" TIMESTAMP, "quo""te" BLOB, "Ä;" JSON, v VECTOR(3))`, table)
	if _, err := store.Exec(ctx, ddl); err != nil {
		t.Fatal(err)
	}
	one := func(odd []any, usual func() any) any {
		switch rng.Intn(5) {
		case 0:
			return nil
		case 1, 2:
			return odd[rng.Intn(len(odd))]
		}
		return usual()
	}
	for n := range rows {
		var texts []any
		for _, s := range hostile {
			texts = append(texts, s)
		}
		args := []any{n,
			one([]any{true}, func() any { return false }),
			one([]any{int64(math.MinInt64), int64(math.MaxInt64), 0, -1}, func() any { return rng.Int63() - rng.Int63() }),
			one([]any{math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64, math.Copysign(0, -1), 0.1, -7.0, 1e15, 1e21, 1.0}, func() any { return rng.NormFloat64() }),
			one(texts, func() any { return fmt.Sprint("text ", rng.Intn(100)) }),
			one([]any{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Unix(0, 0), time.UnixMicro(-1)}, func() any { return time.UnixMicro(rng.Int63n(2e15)) }),
			one([]any{[]byte{}, []byte("\x00\xff"), []byte(`\x41`), []byte("NULL"), []byte("\n,\"")}, func() any { return []byte{byte(rng.Intn(256)), 1} }),
			one([]any{[]byte(`{"a": [1, "x\ny"], "b":null}`), []byte("\"text\""), []byte("12.50"), []byte("[]"), []byte("{\n \"k\": 1\n}"), []byte(`"\u00e4"`), []byte("123456789012345678901234567890")}, func() any { return []byte(fmt.Sprintf(`{"k":%d}`, rng.Intn(9))) }),
			one([]any{[]float32{0, -1.5, math.MaxFloat32}, []float32{math.SmallestNonzeroFloat32, 0.1, 1e-10}}, func() any { return []float32{rng.Float32(), -rng.Float32(), rng.Float32() * 1e6} }),
		}
		if _, err := store.Exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES (?,?,?,?,?,?,?,?,?)", table), args...); err != nil {
			t.Fatal(err)
		}
	}
}

// contents returns the rows of a table as text, each value with its kind. JSON comes
// without the spaces that only lay it out, which one line of jsonl can't keep.
func contents(t *testing.T, dir, table string) []string {
	t.Helper()
	store, err := db.Open(dir, &db.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rows, err := store.Query(context.Background(), "SELECT * FROM "+table+" ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		line := ""
		for _, v := range rows.Values() {
			s := v.String()
			if v.Kind() == db.JSON {
				s = strings.ReplaceAll(strings.ReplaceAll(s, "{\n \"", "{\""), "1\n}", "1}")
				s = strings.ReplaceAll(s, "\"k\": 1", "\"k\":1")
			}
			if v.Kind() == db.Real {
				s = fmt.Sprintf("%x", math.Float64bits(v.Float()))
			}
			if v.Kind() == db.Vector {
				for _, f := range v.Vec() {
					s += fmt.Sprintf(" %x", math.Float32bits(f))
				}
			}
			line += fmt.Sprintf("%v %q | ", v.Kind(), s)
		}
		out = append(out, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever a door writes, its reader reads back equal: the shell's formats, what COPY
// writes, dumps, and backups, for tables of every type with hostile texts and names.
func TestRoundTripThroughEveryDoor(t *testing.T) {
	rounds := 2
	if os.Getenv("LUPA_SOAK") != "" {
		rounds = 100
	}
	for seed := range rounds {
		dir := t.TempDir()
		in := func(name string) string { return filepath.Join(dir, name) }
		store, err := db.Open(in("a.lupa"), nil)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewSource(int64(seed)))
		fill(t, store, rng, "t", []int{150, 0, 1}[seed%3])
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		want := contents(t, in("a.lupa"), "t")
		sql := func(args ...string) outcome {
			t.Helper()
			got := lupa(t, "", args...)
			if got.status != 0 {
				t.Fatalf("seed %d: %q: %s", seed, args, got.err)
			}
			return got
		}
		schema := strings.TrimSpace(sql(in("a.lupa"), ".schema t").out)
		check := func(door, dir string) {
			t.Helper()
			got := contents(t, dir, "t")
			if len(got) != len(want) {
				t.Errorf("seed %d, %s: %d rows, want %d", seed, door, len(got), len(want))
				return
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("seed %d, %s, row %d:\n got %s\nwant %s", seed, door, i, got[i], want[i])
					return
				}
			}
			if got := sql(dir, "CHECK"); strings.Contains(got.out, "error") {
				t.Errorf("%s: %s", door, got.out)
			}
		}
		load := func(door, file, options string) {
			t.Helper()
			into := in(door + ".lupa")
			sql(into, schema, "COPY t FROM '"+file+"'"+options)
			check(door, into)
		}
		for _, format := range []string{"csv", "tsv", "jsonl", "json"} {
			file := in("shell." + format)
			if err := os.WriteFile(file, []byte(sql(in("a.lupa"), "--format", format, "SELECT * FROM t").out), 0o644); err != nil {
				t.Fatal(err)
			}
			load("shell's "+format, file, "")
			file = in("output." + format)
			sql(in("a.lupa"), "--output", file, "SELECT * FROM t")
			load("shell's output "+format, file, "")
		}
		for _, format := range []string{"csv", "tsv", "jsonl", "json", "parquet"} {
			file := in("copy." + format)
			sql(in("a.lupa"), "COPY t TO '"+file+"'")
			load("COPY "+format, file, "")
		}
		sql(in("a.lupa"), "COPY t TO '"+in("odd.csv")+"' (DELIMITER ';', NULL 'NULL')")
		load("COPY with options", in("odd.csv"), " (DELIMITER ';', NULL 'NULL')")
		dump := sql(in("a.lupa"), ".dump").out
		if got := lupa(t, dump, in("dump.lupa")); got.status != 0 {
			t.Fatalf("dump: %s", got.err)
		}
		check("dump", in("dump.lupa"))
		sql(in("a.lupa"), "BACKUP TO '"+in("backup")+"'")
		check("backup", in("backup"))
		sql("restore", in("backup"), in("restored.lupa"))
		check("restore", in("restored.lupa"))
	}
}
