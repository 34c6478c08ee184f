package db_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWalk checks that docs/walk.md names functions that are there.
func TestWalk(t *testing.T) {
	text, err := os.ReadFile("../docs/walk.md")
	if err != nil {
		t.Fatal(err)
	}
	short := map[string]string{}
	for _, p := range []string{"exec", "fn", "parse"} {
		short[p] = "query/internal/" + p
	}
	for _, p := range []string{"logical", "bind", "optimize", "build", "run", "statement"} {
		short[p] = "query/internal/plan/" + p
	}
	hops := regexp.MustCompile(`([\w/]+\.go)(?::(\w+))?`).FindAllStringSubmatch(string(text), -1)
	if len(hops) < 20 {
		t.Fatalf("%d hops found", len(hops))
	}
	for _, h := range hops {
		path, name := h[1], h[2]
		if name == "" {
			t.Errorf("%s: name a function of it", path)
			continue
		}
		first, rest, _ := strings.Cut(path, "/")
		if s := short[first]; s != "" {
			path = s + "/" + rest
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s: %v", h[0], err)
			continue
		}
		found := false
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			found = found || ok && fn.Name.Name == name
		}
		if !found {
			t.Errorf("%s: there is no such function", h[0])
		}
	}
}
