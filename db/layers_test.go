package db_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/lupadb/lupa/"

// layers are the packages from the lowest up: a package may import those before
// its own line. A name ending in / stands for everything below it.
var layers = []string{
	"encoder/internal/nearest", "encoder/internal/wire",
	"encoder",
	"encoder/clip/internal/simd", "encoder/clip/internal/jpeg", "encoder/clip", "encoder/heif", "encoder/jxl", "encoder/tokenizer", "encoder/table", "encoder/hub",
	"encoder/onnx",
	"storage/internal/simd",
	"storage/value",
	"storage/vector",
	"storage/text",
	"storage/internal/key", "storage/internal/block", "storage/internal/code", "storage/internal/postings", "storage/internal/ivf",
	"storage",
	"query/internal/hint",
	"query/internal/parse",
	"query/gallery",
	"query/internal/source",
	"query/parquet",
	"query/internal/fn",
	"query/foreign",
	"query/internal/exec",
	"query/internal/plan/logical", "query/internal/plan/compile",
	"query/internal/plan/optimize",
	"query/internal/plan/bind",
	"query/internal/plan/build", "query/internal/plan/run",
	"query/internal/plan/watch",
	"query/internal/plan/statement",
	"query/internal/plan",
	"query",
	"db",
	"internal/eval", "internal/library",
	"db/driver", "db/metrics", "db/parquet", "db/postgres", "db/web",
	"db/dbtest",
	"cmd/", "examples/", "examples",
}

// onlyIn says which packages may import what comes from outside.
var onlyIn = map[string][]string{
	"github.com/alecthomas/participle/":   {"query/internal/parse"},
	"github.com/cockroachdb/pebble/":      {"storage"},
	"github.com/blevesearch/snowballstem": {"storage/text"},
	"github.com/clipperhouse/uax29/":      {"storage/text"},
	"github.com/viterin/vek":              {"storage/vector"},
	"github.com/yalue/onnxruntime_go":     {"encoder/onnx"},
	"github.com/parquet-go/":              {"query/parquet"},
	"github.com/gen2brain/":               {"encoder/heif"},
	"github.com/tetratelabs/":             {"encoder/heif"},
	"github.com/reeflective/":             {"cmd/lupa/internal/shell"},
	"github.com/modelcontextprotocol/":    {"cmd/lupa/internal/mcp"},
	"github.com/jackc/pgx/":               {"db/postgres"},
	"github.com/prometheus/client_golang": {"db/metrics", "examples/"},
	"database/sql/driver":                 {"db", "db/driver", "examples/"},
}

// onnxUsers may import encoder/onnx: nothing below package db knows it, nor does
// db itself.
var onnxUsers = []string{"cmd/", "examples/", "encoder/onnx"}

type goPackage struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
	CgoFiles   []string
	Standard   bool
}

func goList(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,CgoFiles,Standard"}, args...)...)
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func layerOf(pkg string) int {
	for i, l := range layers {
		if pkg == l || strings.HasSuffix(l, "/") && strings.HasPrefix(pkg, l) {
			return i
		}
	}
	return -1
}

func matchesAny(pkg string, patterns []string) bool {
	for _, p := range patterns {
		if pkg == p || strings.HasSuffix(p, "/") && strings.HasPrefix(pkg, p) {
			return true
		}
	}
	return false
}

// TestLayers checks the import rules of the architecture.
func TestLayers(t *testing.T) {
	for _, p := range goList(t, "./...") {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue
		}
		rank := layerOf(name)
		if rank < 0 {
			t.Errorf("%s is in no layer; give it one in this test and a line in the package map", name)
			continue
		}
		for _, imp := range p.Imports {
			if other, ok := strings.CutPrefix(imp, module); ok {
				above := layerOf(other)
				if above > rank || above == rank && !strings.HasSuffix(layers[rank], "/") {
					t.Errorf("%s imports %s, which is not below it", name, other)
				}
				if other == "encoder/onnx" && !matchesAny(name, onnxUsers) {
					t.Errorf("%s imports %s: only programs may", name, other)
				}
			}
			for what, where := range onlyIn {
				if strings.HasPrefix(imp, what) && !matchesAny(name, where) {
					t.Errorf("%s imports %s, which only %s may", name, imp, strings.Join(where, ", "))
				}
			}
			if name == "encoder" && strings.Contains(imp, ".") && !strings.HasPrefix(imp, module+"encoder/internal/") {
				t.Errorf("%s imports %s; it has the standard library only", name, imp)
			}
		}
	}
}

// TestNoCgo checks that a program that brings its own encoder needs no C compiler.
func TestNoCgo(t *testing.T) {
	cmd := exec.Command("go", "build", "./db/...")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("CGO_ENABLED=0 go build ./db/...: %v\n%s", err, out)
	}
	t.Setenv("CGO_ENABLED", "0")
	for _, p := range goList(t, "-deps", "./db", "./db/driver") {
		if len(p.CgoFiles) > 0 {
			t.Errorf("package db needs cgo for %s", p.ImportPath)
		}
	}
	t.Setenv("CGO_ENABLED", "1")
	for _, p := range goList(t, "-deps", "./db", "./db/driver") {
		if len(p.CgoFiles) > 0 && !p.Standard && !optionalCgo[p.ImportPath] {
			t.Errorf("package db uses cgo for %s", p.ImportPath)
		}
	}
}

// TestDoc wants the comment of every package with more than one file in doc.go.
func TestDoc(t *testing.T) {
	for _, p := range goList(t, "./...") {
		path := strings.TrimPrefix(p.ImportPath, module)
		if len(p.GoFiles)+len(p.CgoFiles) < 2 || strings.HasPrefix(path, "examples/") {
			continue
		}
		text, err := os.ReadFile("../" + path + "/doc.go")
		if err != nil || !strings.HasPrefix(string(text), "// Package ") && !strings.HasPrefix(string(text), "// Command ") {
			t.Errorf("%s has no doc.go that says what it is: %v", path, err)
		}
	}
}

// TestWeight keeps out of embedding programs what makes them large: a package
// through which methods are called by names that only the running program knows
// makes the linker keep every exported method of every type.
func TestWeight(t *testing.T) {
	for _, p := range goList(t, "-deps", "./db", "./db/driver") {
		if strings.Contains(p.ImportPath, "parquet") {
			t.Errorf("package db depends on %s, which only db/parquet may", p.ImportPath)
		}
		if p.ImportPath == "text/template" || p.ImportPath == "html/template" {
			t.Errorf("package db depends on %s, and every program that embeds it is five megabytes larger", p.ImportPath)
		}
	}
}

// optionalCgo are packages that use C where there is a compiler and Go where
// there is none.
var optionalCgo = map[string]bool{
	"github.com/DataDog/zstd":                          true, // compression of Pebble
	"github.com/cockroachdb/pebble/v2/internal/manual": true, // memory outside of Go's heap
	"github.com/lupadb/lupa/storage":                   true, // gives that back after Close
}
