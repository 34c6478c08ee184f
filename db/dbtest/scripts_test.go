package dbtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"github.com/lupadb/lupa/db/dbtest"
)

// TestScripts runs testdata/*.test through every entry point and under every design.
// LUPA_SCRIPTS restricts it to the scripts that match; LUPA_REWRITE=1 writes
// the answers found into the scripts, to be read before they are believed.
func TestScripts(t *testing.T) {
	var match *regexp.Regexp
	if s := os.Getenv("LUPA_SCRIPTS"); s != "" {
		match = regexp.MustCompile(s)
	}
	paths, err := dbtest.Scripts("../../testdata", match)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if os.Getenv("LUPA_REWRITE") != "" {
		for _, p := range paths {
			s := read(t, p)
			t.Run(s.Name, func(t *testing.T) {
				dbtest.Run(t, s, dbtest.Config{Door: dbtest.API{}, Design: dbtest.Designs[0], Rewrite: p})
			})
		}
		return
	}
	batch := build(t)
	for _, p := range paths {
		s := read(t, p)
		t.Run(s.Name, func(t *testing.T) {
			for _, d := range dbtest.Designs {
				t.Run("api/"+d.Name, func(t *testing.T) {
					dbtest.Run(t, s, dbtest.Config{Door: dbtest.API{}, Design: d})
				})
			}
			t.Run("driver", func(t *testing.T) {
				dbtest.Run(t, s, dbtest.Config{Door: dbtest.Driver{}, Design: dbtest.Designs[0]})
			})
			t.Run("batch", func(t *testing.T) {
				dbtest.Run(t, s, dbtest.Config{Door: batch, Design: dbtest.Designs[0]})
			})
		})
	}
}

func read(t *testing.T, path string) *dbtest.Script {
	t.Helper()
	s, err := dbtest.ReadScript(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// build builds the command.
func build(t *testing.T) dbtest.Batch {
	t.Helper()
	program := filepath.Join(t.TempDir(), "lupa")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/lupa").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dbtest.Batch{Program: program}
}
