package db_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/dbtest"
)

// exchanged are statements whose answers, to the last bit, are the same on every machine:
// scores, bounds (they decide what is read), aggregates, vector arithmetic, rounding, plans.
var exchanged = []string{
	`SELECT id, similarity(v, $1) AS s FROM t ORDER BY s LIMIT 20`,
	`SELECT id, v <-> $1 AS s FROM t ORDER BY s LIMIT 20`,
	`SELECT id, v <#> $1 AS s FROM t ORDER BY s LIMIT 20`,
	`SELECT id, v <+> $1 AS s FROM t ORDER BY s LIMIT 20`,
	`SELECT id, v <=> $1 AS s FROM t WHERE n > 500 ORDER BY s DESC LIMIT 20`,
	`SELECT count(*), sum(similarity(v, $1)), min(similarity(v, $1)), max(v <-> $1) FROM t`,
	`SELECT n % 7, sum(x), avg(x), sum(x * x), avg(x * n) FROM t GROUP BY n % 7 ORDER BY 1`,
	`SELECT sum(v), avg(v), l2_norm(avg(v)) FROM t WHERE n < 100`,
	`SELECT id, l2_normalize(v + 0.3 * $1 - 1.7 * v), l2_norm(v - $1) FROM t ORDER BY id LIMIT 50`,
	`SELECT id, round(x, 2), round(x * 1000, -1), x * 3 + n, x - n * 0.1, mod(x, 0.7), sqrt(abs(x)) FROM t ORDER BY x LIMIT 200`,
	`SELECT id FROM t ORDER BY similarity(v, 0.5 * $1 + (SELECT v FROM t WHERE id = 77)) LIMIT 10`,
	`EXPLAIN SELECT t.id FROM t JOIN u ON u.k = t.n WHERE t.x > 3.5 AND u.w < 0.25 ORDER BY similarity(v, $1) LIMIT 10`,
	`EXPLAIN SELECT n, count(*) FROM t WHERE x BETWEEN 1 AND 4 AND n IN (3, 5, 8) GROUP BY n`,
}

const exchangeDim = 48

func exchangeRow(rng *rand.Rand) []float32 {
	v := make([]float32, exchangeDim)
	for j := range v {
		v[j] = float32(rng.IntN(1<<20)-1<<19) / float32(int(1)<<(14+j/8)) * float32(1+rng.IntN(3))
	}
	return v
}

// exchangeWrite makes a store, or adds rows to one.
func exchangeWrite(t *testing.T, dir string, from, rows int) {
	t.Helper()
	d, err := db.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if from == 0 {
		mustExec(t, d, fmt.Sprintf(`CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, x REAL, v VECTOR(%d))`, exchangeDim))
		mustExec(t, d, `CREATE INDEX tn ON t (n)`)
		mustExec(t, d, `CREATE TABLE u (k INTEGER PRIMARY KEY, w REAL)`)
	}
	a, err := d.Appender(context.Background(), "t", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(from), 3))
	for i := range rows {
		if err := a.Append(from+i, rng.IntN(1000), float64(rng.Int64N(1<<40))/3e11, exchangeRow(rng)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for k := range 300 {
		mustExec(t, d, `INSERT INTO u VALUES ($1, $2)`, from+k, float64(k)/300)
	}
	mustExec(t, d, `DELETE FROM t WHERE id % 41 = $1`, from%41)
	if err := d.Vacuum(context.Background(), "t"); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// exchangeAnswers are the answers of the store in dir, with the bits of every number.
func exchangeAnswers(t *testing.T, dir string) string {
	t.Helper()
	d, err := db.Open(dir, &db.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var out strings.Builder
	for k := range 3 {
		q := exchangeRow(rand.New(rand.NewPCG(uint64(k), 8)))
		for _, statement := range exchanged {
			var args []any
			if strings.Contains(statement, "$1") {
				args = append(args, q)
			}
			rows, err := d.Query(context.Background(), statement, args...)
			if err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			fmt.Fprintf(&out, "-- %s\n", statement)
			for values, err := range rows.All() {
				if err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
				for _, v := range values {
					switch x := db.GoValue(v).(type) {
					case float64:
						fmt.Fprintf(&out, " %016x", math.Float64bits(x))
					case []float32:
						for _, f := range x {
							fmt.Fprintf(&out, " %08x", math.Float32bits(f))
						}
					default:
						fmt.Fprintf(&out, " %v", x)
					}
				}
				out.WriteByte('\n')
			}
		}
	}
	return out.String()
}

// TestExchange writes a store with one set of kernels, reads it and adds to it with another,
// and reads it again with the first: answers, plans included, are the same to the last
// bit. `make arm64` does it with two machines: LUPA_EXCHANGE=write:DIR makes a store in
// DIR with its answers, read:DIR compares them and adds rows and their answers.
func TestExchange(t *testing.T) {
	if what, dir, ok := strings.Cut(os.Getenv("LUPA_EXCHANGE"), ":"); ok {
		store, answers := filepath.Join(dir, "store"), filepath.Join(dir, "answers.txt")
		if what == "write" {
			exchangeWrite(t, store, 0, 20_000)
		} else {
			want, err := os.ReadFile(answers)
			if err != nil {
				t.Fatal(err)
			}
			compareAnswers(t, exchangeAnswers(t, store), string(want))
			dbtest.CheckStore(t, store)
			info, err := os.ReadFile(filepath.Join(dir, "rows"))
			if err != nil {
				t.Fatal(err)
			}
			var rows int
			if _, err := fmt.Sscan(string(info), &rows); err != nil {
				t.Fatal(err)
			}
			exchangeWrite(t, store, rows, 3_000)
		}
		d, err := db.Open(store, &db.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		var last int
		if err := d.QueryRow(context.Background(), `SELECT max(id) FROM t`).Scan(&last); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{answers: exchangeAnswers(t, store), filepath.Join(dir, "rows"): fmt.Sprint(last + 1)} {
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if testing.Short() {
		t.Skip("writes a store three times")
	}
	dir := t.TempDir()
	for _, step := range [][2]string{{"write", "off"}, {"read", ""}, {"read", "off"}, {"read", "avx2"}} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestExchange$")
		cmd.Env = append(os.Environ(), "LUPA_EXCHANGE="+step[0]+":"+dir, "LUPA_SIMD="+step[1])
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s with LUPA_SIMD=%s: %v\n%s", step[0], step[1], err, out)
		}
	}
}

func compareAnswers(t *testing.T, got, want string) {
	t.Helper()
	times := regexp.MustCompile(`[0-9.]+ ?(ns|µs|ms|s)\b`)
	g, w := strings.Split(times.ReplaceAllString(got, "T"), "\n"), strings.Split(times.ReplaceAllString(want, "T"), "\n")
	if len(g) != len(w) {
		t.Fatalf("%d lines of answers, want %d", len(g), len(w))
	}
	statement := ""
	for i := range g {
		if strings.HasPrefix(w[i], "-- ") {
			statement = w[i]
		}
		if g[i] != w[i] {
			t.Fatalf("%s\ngot  %s\nwant %s", statement, g[i], w[i])
		}
	}
}
