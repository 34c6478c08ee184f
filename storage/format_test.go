package storage_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage"
)

// TestFormatPage fails when a kind of key, an encoding of blocks or a version of
// the format is not described in FORMAT.md.
func TestFormatPage(t *testing.T) {
	data, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	want := func(what, text string) {
		if !strings.Contains(page, text) {
			t.Errorf("%s: FORMAT.md does not have %s", what, text)
		}
	}
	want("storage.Format", fmt.Sprintf("\n| %d | ", storage.Format))
	want("storage.Format", fmt.Sprintf("`Lupa store, format %d`", storage.Format))

	// Families of keys are constants that are letters; keys of the store are
	// four zero bytes and a letter.
	families, keys := 0, 0
	ast.Inspect(source(t, "internal/key/key.go"), func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for i, v := range n.Values {
				if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.CHAR {
					families++
					want(n.Names[i].Name, "`T "+lit.Value)
				}
			}
		case *ast.CompositeLit:
			if len(n.Elts) == 5 {
				if lit, ok := n.Elts[4].(*ast.BasicLit); ok && lit.Kind == token.CHAR {
					keys++
					want("a key of the store", "`0 "+lit.Value)
				}
			}
		}
		return true
	})
	if families < 8 || keys < 3 {
		t.Errorf("found %d families and %d keys of the store: has key.go changed its form?", families, keys)
	}

	encodings := 0
	ast.Inspect(source(t, "internal/block/block.go"), func(n ast.Node) bool {
		d, ok := n.(*ast.GenDecl)
		if !ok || d.Tok != token.CONST || !d.Lparen.IsValid() {
			return true
		}
		for _, s := range d.Specs {
			for _, name := range s.(*ast.ValueSpec).Names {
				encodings++
				want("encoding "+name.Name, "| `"+name.Name+"` |")
			}
		}
		return true
	})
	if encodings < 5 {
		t.Errorf("found %d encodings: has block.go changed its form?", encodings)
	}
}

func source(t *testing.T, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
