package plan_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// TestNodes checks that every kind of node is known to package build, and those with inputs
// to flatten, which has to look into them. The compiler sees to what all nodes tell of
// themselves.
func TestNodes(t *testing.T) {
	kinds := map[string]*ast.FuncDecl{} // with their method Inputs
	for _, f := range parsed(t, "logical/*.go") {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && fn.Name.Name == "Inputs" {
				kinds[fn.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name] = fn
			}
		}
	}
	if len(kinds) < 12 {
		t.Fatalf("%d kinds of nodes found", len(kinds))
	}
	built, flattened := cases(t, "build/build.go", "buildNode"), cases(t, "optimize/flatten.go", "flatten")
	for kind, inputs := range kinds {
		// An alias is gone once a plan is flattened.
		if !built[kind] && kind != "Alias" {
			t.Errorf("build does not know %s", kind)
		}
		// What stands between a table and its statement is no projection.
		if !leaf(inputs) && !flattened[kind] && kind != "Scan" && kind != "RowNumbers" {
			t.Errorf("flatten does not look into %s", kind)
		}
	}
}

// leaf reports whether a method Inputs returns nil and does nothing else.
func leaf(fn *ast.FuncDecl) bool {
	r, ok := fn.Body.List[0].(*ast.ReturnStmt)
	if !ok {
		return false
	}
	id, ok := r.Results[0].(*ast.Ident)
	return ok && id.Name == "nil"
}

// cases are the kinds of nodes that the switches of a function name.
func cases(t *testing.T, file, function string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, d := range parsed(t, file)[0].Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != function {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			c, ok := n.(*ast.CaseClause)
			if !ok {
				return true
			}
			for _, x := range c.List {
				if star, ok := x.(*ast.StarExpr); ok {
					if sel, ok := star.X.(*ast.SelectorExpr); ok {
						out[sel.Sel.Name] = true
					}
				}
			}
			return true
		})
	}
	if len(out) == 0 {
		t.Fatalf("%s: no cases in %s", file, function)
	}
	return out
}

func parsed(t *testing.T, pattern string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var out []*ast.File
	for _, n := range names {
		f, err := parser.ParseFile(token.NewFileSet(), n, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}
