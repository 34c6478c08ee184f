package db_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNoFusedMultiplyAdd looks for products of floating-point numbers that the compiler
// could add to something without rounding them first. It does so on arm64, and on
// amd64 with GOAMD64=v3, also across statements and inlined functions, and then a score, a
// bound, a sum or an estimate has other bits than elsewhere. A conversion forbids it. So a
// product has to be converted, float64(a*b), unless it can't be an operand of an
// addition: it is multiplied, divided or compared, or goes to the standard library.
func TestNoFusedMultiplyAdd(t *testing.T) {
	type pkg struct {
		ImportPath, Dir, Export string
		GoFiles, CgoFiles       []string
	}
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,CgoFiles",
		"./storage/...", "./query/...", "./encoder/...", "./db")
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{}
	var ours []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, module) {
			ours = append(ours, p)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	products := 0
	for _, p := range ours {
		var files []*ast.File
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		found, n := fusible(t, fset, p.ImportPath, files, imports)
		products += n
		for _, f := range found {
			t.Errorf("%s: the compiler may fuse this product with an addition; write float64(a*b), or float32", f)
		}
	}
	if products < 100 {
		t.Errorf("%d products in all of Lupa: this test looks in the wrong place", products)
	}
}

// The test above sees products wherever an addition may get at them.
func TestFusible(t *testing.T) {
	const source = `package p
import "math"
type number interface{ ~float32 | ~float64 }
type s struct{ f float64 }
func take(x float64) float64 { return x + 1 }
func generic[T number](a, b, c T) T { return a*b + c } // bad
func f(a, b, c float64, n int, x []float32) float64 {
	_ = a*b + c // bad
	_ = c - (a * b) // bad
	_ = -(a*b) + c // bad
	p := a * b // bad
	a *= b // bad
	c += a * b // bad
	take(a * b) // bad
	_ = s{a * b} // bad
	x[0] += x[1] * x[2] // bad
	_ = min(a, n2(n) * b) + c
	_ = float64(a*b) + c
	_ = float64(float32(float32(a)*x[0])) + c
	_ = a*b*c > 2
	_ = math.Sqrt(a*b) + c
	_ = a * b / c
	n += n * n
	const two = 1.5 * 2.5
	return float64(a*b)*c + p // bad
}
func n2(n int) float64 { return two * float64(n) } // bad
const two = 2.0
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found, _ := fusible(t, fset, "p", []*ast.File{f}, importer.ForCompiler(fset, "source", nil))
	got := map[int]bool{}
	for _, at := range found {
		got[at.Line] = true
	}
	for i, line := range strings.Split(source, "\n") {
		if bad := strings.HasSuffix(line, "// bad"); bad != got[i+1] {
			t.Errorf("line %d, %q: found is %v", i+1, line, got[i+1])
		}
	}
}

// fusible returns where products may be fused, and how many there are in all.
func fusible(t *testing.T, fset *token.FileSet, path string, files []*ast.File, imports types.Importer) (found []token.Position, products int) {
	t.Helper()
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: imports, FakeImportC: true}
	if _, err := config.Check(path, fset, files, info); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, f := range files {
		var above []ast.Node
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				above = above[:len(above)-1]
				return true
			}
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if tv := info.Types[n]; n.Op == token.MUL && tv.Value == nil && isFloat(tv.Type) {
					products++
					if !rounded(info, n, above) {
						found = append(found, fset.Position(n.Pos()))
					}
				}
			case *ast.AssignStmt:
				if n.Tok == token.MUL_ASSIGN && isFloat(info.Types[n.Lhs[0]].Type) {
					products++
					found = append(found, fset.Position(n.Pos()))
				}
			}
			above = append(above, n)
			return true
		})
	}
	return found, products
}

// rounded reports whether a product, which is below the nodes above it, is certain to be
// rounded before anything is added to it.
func rounded(info *types.Info, n ast.Node, above []ast.Node) bool {
	for i := len(above) - 1; i >= 0; i-- {
		switch up := above[i].(type) {
		case *ast.ParenExpr, *ast.UnaryExpr: // look further up
			n = up
		case *ast.BinaryExpr:
			return up.Op != token.ADD && up.Op != token.SUB
		case *ast.CallExpr:
			if up.Fun == n {
				return false
			}
			fun := ast.Unparen(up.Fun)
			if tv := info.Types[fun]; tv.IsType() || tv.IsBuiltin() && fun.(*ast.Ident).Name != "append" {
				return !tv.IsType() || isNumber(tv.Type)
			}
			s, ok := fun.(*ast.SelectorExpr)
			if !ok {
				return false
			}
			f, ok := info.Uses[s.Sel].(*types.Func)
			return ok && f.Pkg() != nil && !strings.Contains(f.Pkg().Path(), ".")
		default:
			return false
		}
	}
	return false
}

func isNumber(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsNumeric != 0
}

// isFloat reports whether t is a floating-point type, or a type parameter that may be one.
func isFloat(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Info()&(types.IsFloat|types.IsComplex) != 0
	case *types.Interface:
		for i := range u.NumEmbeddeds() {
			switch e := u.EmbeddedType(i).(type) {
			case *types.Union:
				for k := range e.Len() {
					if isFloat(e.Term(k).Type()) {
						return true
					}
				}
			default:
				if isFloat(e) {
					return true
				}
			}
		}
	}
	return false
}
