package db_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// inner are constants that bound what Lupa keeps or does for itself: no statement and no call is refused or answered
// otherwise because of them.
var inner = []string{
	"storage maxBound", "storage maxWritten", "storage maxClusterings", "storage maxTransforms", "storage maxPieces",
	"storage maxPrompts", "storage maxStride", "storage maxBackgrounds", "storage maxCursors", "storage/text maxCached",
	"storage/internal/code maxWidth", "storage/internal/code maxWidth2", "storage/internal/code maxSlots", "storage/internal/postings maxImpacts",
	"storage/internal/block MaxPageBytes", "storage/internal/simd MaxWidth", "storage/internal/simd MaxWeight",
	"query/gallery maxHeld", "query/gallery maxFileSize", "query/internal/exec maxKept",
	"storage maxKeptTails", "query/internal/parse maxKeptTokens",
}

// limit reads a number of docs/limits.md: 1,000, 16 KiB, 64 Mi.
func limit(t *testing.T, text string) int64 {
	t.Helper()
	number, unit, _ := strings.Cut(strings.ReplaceAll(text, ",", ""), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	shift, ok := map[string]int{"": 0, "KiB": 10, "Mi": 20, "MiB": 20, "GiB": 30, "TiB": 40}[unit]
	if err != nil || !ok {
		t.Fatalf("docs/limits.md: %q is not a number", text)
	}
	return n << shift
}

// docs/limits.md names every limit of the code, with its number.
func TestLimitsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]int64{}
	for _, m := range regexp.MustCompile(`(?m)^\| .* \| ([^|]+) \| (\S+ \w+) \|$`).FindAllStringSubmatch(string(page), -1) {
		if _, twice := said[m[2]]; twice {
			t.Errorf("%s is given twice in docs/limits.md", m[2])
		}
		said[m[2]] = limit(t, m[1])
	}
	for _, name := range inner {
		said[name] = -1
	}
	seen := map[string]bool{}
	for _, root := range []string{"../storage", "../query", "../db"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == "testdata" {
				if err == nil {
					err = fs.SkipDir
				}
				return err
			}
			if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "dbtest") {
				return nil
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			pkg := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), ".."+string(filepath.Separator)))
			for _, decl := range f.Decls {
				g, ok := decl.(*ast.GenDecl)
				if !ok || g.Tok != token.CONST {
					continue
				}
				for _, s := range g.Specs {
					v := s.(*ast.ValueSpec)
					for i, name := range v.Names {
						what := pkg + " " + name.Name
						want, named := said[what]
						if !named && !regexp.MustCompile(`^[mM]ax[A-Z]`).MatchString(name.Name) {
							continue
						}
						seen[what] = true
						switch {
						case !named:
							t.Errorf("%s is not in docs/limits.md; if nobody meets it, add it to inner", what)
						case want < 0:
						case i >= len(v.Values):
							t.Errorf("%s has no value of its own", what)
						default:
							x, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(v.Values[i]))
							if err != nil {
								t.Errorf("%s: %v", what, err)
								continue
							}
							if got, _ := constant.Int64Val(constant.ToInt(x.Value)); got != want {
								t.Errorf("%s is %d, and %d in docs/limits.md", what, got, want)
							}
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for what := range said {
		if !seen[what] {
			t.Errorf("there is no %s any more", what)
		}
	}
}

// What is at a limit is taken, what is beyond it is an error.
func TestLimitsHold(t *testing.T) {
	ctx := context.Background()
	s, err := db.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list := func(n int, f string, sep string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(f, i)
		}
		return strings.Join(all, sep)
	}
	if _, err := s.Exec(ctx, "CREATE TABLE one (a INTEGER); INSERT INTO one VALUES (1); CREATE TABLE keys (k TEXT PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	name := 0
	for what, l := range map[string]struct {
		most int
		sql  func(n int) string
	}{
		"columns": {1000, func(n int) string {
			name++
			return fmt.Sprintf("CREATE TABLE c%d (%s)", name, list(n, "a%d INTEGER", ","))
		}},
		"names": {1000, func(n int) string { return "CREATE TABLE " + strings.Repeat("x", n) + " (a INTEGER)" }},
		"keys": {16<<10 - 64, func(n int) string {
			return "INSERT INTO keys VALUES ('" + strings.Repeat("k", n+(n-16<<10+64)*64) + "')"
		}},
		"dimensions":  {8192, func(n int) string { name++; return fmt.Sprintf("CREATE TABLE c%d (v VECTOR(%d))", name, n) }},
		"half":        {65504, func(n int) string { return fmt.Sprintf("SELECT [%d]::HALFVEC(1)", n+(n-65504)*100) }},
		"varchar":     {10485760, func(n int) string { name++; return fmt.Sprintf("CREATE TABLE c%d (v VARCHAR(%d))", name, n) }},
		"parentheses": {250, func(n int) string { return "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) }},
		"queries": {50, func(n int) string {
			return strings.Repeat("SELECT * FROM (", n) + "SELECT 1" + strings.Repeat(")", n)
		}},
		"joins": {64, func(n int) string { return "SELECT 1 FROM one AS t" + list(n, " CROSS JOIN one AS t%d", "") }},
		"sets": {256, func(n int) string {
			return "SELECT count(*) FROM one GROUP BY GROUPING SETS (" + list(n, "(a+%d)", ",") + ")"
		}},
	} {
		if _, err := s.Exec(ctx, l.sql(l.most)); err != nil {
			t.Errorf("%s: %d are not taken: %v", what, l.most, err)
		}
		if _, err := s.Exec(ctx, l.sql(l.most+1)); err == nil {
			t.Errorf("%s: %d are taken", what, l.most+1)
		}
	}
	if _, err := s.Prepare(ctx, "SELECT $65535"); err != nil {
		t.Error(err)
	}
	if _, err := s.Prepare(ctx, "SELECT $65536"); err == nil {
		t.Error("$65536 is taken")
	}
}
