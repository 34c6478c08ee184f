package db_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unshown are functions that say all in their doc, or are there for libraries: with an example that would show
// no more than a call.
var unshown = []string{
	"Revision", "WithWarn", "DB.Ping", "Conn.Ping", "Stmt.SQL", "Appender.Flush", "Conn.QueryShared",
}

// Every function of package db and of its driver, and every method of the types that one works with, is called by an
// example whose output is checked.
func TestEveryFunctionHasAnExample(t *testing.T) {
	working := []string{"DB", "Tx", "Stmt", "Conn", "Appender", "Watcher"}
	for _, dir := range []string{".", "driver"} {
		fset := token.NewFileSet()
		var files, tests []*ast.File
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := parser.ParseFile(fset, path, src, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(path, "_test.go") {
				tests = append(tests, f)
			} else {
				files = append(files, f)
			}
		}
		called := map[string]bool{}
		for _, x := range doc.Examples(tests...) {
			if x.Output == "" {
				continue
			}
			ast.Inspect(x.Code, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					called[s.Sel.Name] = true
				}
				return true
			})
		}
		for _, f := range files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !fn.Name.IsExported() {
					continue
				}
				name := fn.Name.Name
				if fn.Recv != nil {
					r := fn.Recv.List[0].Type
					if s, ok := r.(*ast.StarExpr); ok {
						r = s.X
					}
					of, ok := r.(*ast.Ident)
					if !ok || dir != "." || !slices.Contains(working, of.Name) {
						continue
					}
					name = of.Name + "." + name
				}
				if !called[fn.Name.Name] && !slices.Contains(unshown, name) {
					t.Errorf("no example with an output calls %s/%s", dir, name)
				}
			}
		}
	}
}
