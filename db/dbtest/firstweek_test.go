package dbtest

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

var (
	weekLine    = regexp.MustCompile("^\\| (`` .+ ``|`[^`]+`) \\| (PostgreSQL|SQLite|DuckDB) \\| (.+) \\|$")
	weekGives   = regexp.MustCompile("^gives `(.+)`$")
	weekNever   = regexp.MustCompile("^refused: `([^`]+)` \\(.+\\)$")
	weekRefused = regexp.MustCompile("^refused: `([^`]+)`; write `(.+)`$")
)

// TestFirstWeek runs docs/first-week.md.
func TestFirstWeek(t *testing.T) {
	page, err := os.ReadFile("../../docs/first-week.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // of the files that it writes
	ctx := context.Background()
	store, err := db.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	conn, err := store.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	run := func(sql string) (string, error) {
		rows, err := conn.Query(ctx, sql)
		if err != nil {
			return "", err
		}
		var out []string
		for row, err := range rows.All() {
			if err != nil {
				return "", err
			}
			var vals []string
			for _, v := range row {
				vals = append(vals, v.String())
			}
			out = append(out, strings.Join(vals, ", "))
		}
		return strings.Join(out, " / "), nil
	}
	statements := 0
	for i, line := range strings.Split(string(page), "\n") {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		m := weekLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("line %d is not understood: %s", i+1, line)
		}
		statements++
		plain := func(s string) string { return strings.ReplaceAll(s, `\|`, "|") }
		sql, what := plain(strings.TrimSpace(strings.Trim(m[1], "`"))), m[3]
		if strings.HasPrefix(m[1], "`` ") {
			sql = plain(strings.TrimSuffix(strings.TrimPrefix(m[1], "`` "), " ``"))
		}
		got, err := run(sql)
		gives, refused := weekGives.FindStringSubmatch(what), weekRefused.FindStringSubmatch(what)
		switch {
		case refused != nil:
			if err == nil || !strings.Contains(err.Error(), plain(refused[1])) {
				t.Errorf("line %d: %s: %v", i+1, sql, err)
			}
			if _, err := run(plain(refused[2])); err != nil {
				t.Errorf("line %d: instead: %v", i+1, err)
			}
		case weekNever.MatchString(what):
			if err == nil || !strings.Contains(err.Error(), plain(weekNever.FindStringSubmatch(what)[1])) {
				t.Errorf("line %d: %s: %v", i+1, sql, err)
			}
		case err != nil:
			t.Errorf("line %d: %s: %v", i+1, sql, err)
		case gives != nil && got != plain(gives[1]):
			t.Errorf("line %d: %s gives %s", i+1, sql, got)
		case what == "gives no row" && got != "":
			t.Errorf("line %d: %s gives %s", i+1, sql, got)
		case gives == nil && what != "works" && what != "gives no row":
			t.Errorf("line %d: what is %q?", i+1, what)
		}
	}
	if statements < 100 {
		t.Errorf("%d statements", statements)
	}
	if found, err := store.Check(ctx); err != nil || len(found) > 0 {
		t.Error(found, err)
	}
}
