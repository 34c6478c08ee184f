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

	"github.com/lupadb/lupa/db"
)

// TestDocumented wants a comment on everything that is exported, and an Example of
// every main type.
func TestDocumented(t *testing.T) {
	for _, dir := range []string{".", "driver", "metrics", "../encoder"} {
		fset := token.NewFileSet()
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var files []*ast.File
		for _, n := range names {
			f, err := parser.ParseFile(fset, n, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		p, err := doc.NewFromFiles(fset, files, "github.com/lupadb/lupa/"+dir)
		if err != nil {
			t.Fatal(err)
		}
		if p.Doc == "" {
			t.Errorf("%s: the package has no comment", dir)
		}
		values := func(vs []*doc.Value) {
			for _, v := range vs {
				for _, s := range v.Decl.Specs {
					s := s.(*ast.ValueSpec)
					if v.Doc == "" && s.Doc.Text() == "" && s.Comment.Text() == "" {
						t.Errorf("%s: %v has no comment", dir, s.Names)
					}
				}
			}
		}
		funcs := func(of string, fs []*doc.Func) {
			for _, f := range fs {
				if f.Doc == "" && !viaInterface[f.Name] {
					t.Errorf("%s: %s%s has no comment", dir, of, f.Name)
				}
			}
		}
		values(p.Consts)
		values(p.Vars)
		funcs("", p.Funcs)
		for _, ty := range p.Types {
			if ty.Doc == "" && ty.Decl.Specs[0].(*ast.TypeSpec).Doc.Text() == "" {
				t.Errorf("%s: type %s has no comment", dir, ty.Name)
			}
			values(ty.Consts)
			values(ty.Vars)
			funcs("", ty.Funcs)
			funcs(ty.Name+".", ty.Methods)
		}
		if dir != "." {
			continue
		}
		examples := map[string]bool{}
		for _, e := range doc.Examples(files...) {
			examples[e.Name] = true
		}
		for _, want := range []string{"", "Open_errors", "Rows", "Stmt_QueryMany", "DB_Update", "DB_View", "DB_Nearest", "DB_Backup", "DB_Stats",
			"Appender", "AppenderOptions", "Conn", "Select", "Each", "Get", "Tracer", "WithProgress", "Named", "Floats", "Image", "Table"} {
			if !examples[want] {
				t.Errorf("there is no Example%s", strings.TrimSuffix("_"+want, "_")[min(1, len(want)):])
			}
		}
	}
}

// viaInterface are methods whose meaning an interface of the standard library tells.
var viaInterface = map[string]bool{"Error": true, "Is": true, "Unwrap": true, "String": true}

// TestVersion holds the places that tell the version together.
func TestVersion(t *testing.T) {
	for file, want := range map[string]string{
		"../CHANGELOG.md":      "\n## " + db.Version,
		"../README.md":         "Version " + db.Version + ".",
		"../storage/FORMAT.md": "| " + db.Version + " |",
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), want) {
			t.Errorf("%s does not have %q", file, want)
		}
	}
	if parts := strings.Split(db.Version, "."); len(parts) != 3 || slices.Contains(parts, "") {
		t.Errorf("version is %q", db.Version)
	}
}
