// Messages prints every error message of the program in one list, so that they can be read
// together: the texts that go into errors, warnings and notices, each with its place.
//
//	go run ./testdata/messages [directory]
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// makers are the functions whose texts reach the user as an error, a warning or a notice; types
// are those of errors.
var (
	makers = regexp.MustCompile(`(?i)(err|errorf|new|fail|failf|bad|malformed|corrupt|refuse|problem|warn|notice|usage|hint|invalid|wrong|unsupported|outside|missing|unknown)[a-z]*$`)
	types  = regexp.MustCompile(`(?i)(error|problem|notice|warning)$`)
)

type message struct{ text, place string }

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	var all []message
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (d.Name() == "testdata" || d.Name() == "examples" || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		found, err := of(root, path)
		all = append(all, found...)
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	slices.SortFunc(all, func(a, b message) int {
		if c := strings.Compare(strings.ToLower(a.text), strings.ToLower(b.text)); c != 0 {
			return c
		}
		return strings.Compare(a.place, b.place)
	})
	for _, m := range all {
		fmt.Printf("%s\t%s\n", m.text, m.place)
	}
}

// of returns the messages of a file.
func of(root, path string) (all []message, err error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	rel, _ := filepath.Rel(root, path)
	texts := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			l, ok := n.(*ast.BasicLit)
			if !ok || l.Kind != token.STRING {
				return true
			}
			if s, err := strconv.Unquote(l.Value); err == nil && strings.Contains(s, " ") {
				all = append(all, message{strconv.Quote(s), fmt.Sprintf("%s:%d", filepath.ToSlash(rel), set.Position(l.Pos()).Line)})
			}
			return true
		})
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if makers.MatchString(name(n.Fun)) {
				for _, a := range n.Args {
					texts(a)
				}
				return false
			}
		case *ast.CompositeLit:
			if types.MatchString(name(n.Type)) {
				texts(n)
				return false
			}
		}
		return true
	})
	return all, nil
}

// name is the last part of what is called or made.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.IndexExpr:
		return name(e.X)
	}
	return ""
}
