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

// shortened are the packages that docs/walk.md names by their last part.
func shortened() map[string]string {
	short := map[string]string{}
	for _, p := range []string{"exec", "fn", "parse"} {
		short[p] = "query/internal/" + p
	}
	for _, p := range []string{"logical", "bind", "optimize", "build", "run", "statement"} {
		short[p] = "query/internal/plan/" + p
	}
	return short
}

// TestWalk checks that docs/walk.md names functions that are there.
func TestWalk(t *testing.T) {
	hops := named(t, "walk.md")
	if len(hops) < 20 {
		t.Fatalf("%d hops found", len(hops))
	}
	short := shortened()
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
		if kind := declared(t, path)[name]; kind != "func" {
			t.Errorf("%s: there is no such function", h[0])
		}
	}
}

// TestArchitecture checks that docs/ARCHITECTURE.md and CONTRIBUTING.md name files, and what is
// declared in them, that are there.
func TestArchitecture(t *testing.T) {
	hops := append(named(t, "ARCHITECTURE.md"), named(t, "../CONTRIBUTING.md")...)
	if len(hops) < 20 {
		t.Fatalf("%d files found", len(hops))
	}
	for _, h := range hops {
		path, name := h[1], h[2]
		if !strings.Contains(path, "/") {
			continue // of the directory that the sentence is about
		}
		if names := declared(t, path); name != "" && names[name] == "" {
			t.Errorf("%s: there is no such name", h[0])
		}
	}
}

// named returns the places in Go files that a page of docs names: all, file, name or "".
func named(t *testing.T, page string) [][]string {
	text, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`([\w/]+\.go)(?::(\w+))?`).FindAllStringSubmatch(string(text), -1)
}

// declared returns what a file declares at its top level, and as what.
func declared(t *testing.T, path string) map[string]string {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return nil
	}
	names := map[string]string{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names[d.Name.Name] = "func"
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names[s.Name.Name] = "type"
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names[n.Name] = "value"
					}
				}
			}
		}
	}
	return names
}
