package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/testdata/bench/rivals/weight/same"
)

// weighed are the programs in the directory weight, each of which opens a store,
// inserts 1,000 vectors and asks for the ten nearest to one of them.
var weighed = []struct {
	folder, name, tags string
	cgo                bool // can't be built without a C compiler
}{
	{"lupa", "Lupa", "", false},
	{"lupa", "Lupa with `db/parquet`", "parquet", false},
	{"chromem", "chromem-go", "", false},
	{"sqlitevec", "SQLite + sqlite-vec", "", true},
	{"duckdb", "duckdb-go", "", true},
}

// weightTable builds the same small program with each library, stripped, checks
// that all give the same answer, and prints what it weighs.
func weightTable(args []string) error {
	f := flag.NewFlagSet("weight", flag.ExitOnError)
	only := f.String("only", "", "names of directories of weight, with commas; all by default")
	f.Parse(args)
	dir, err := os.MkdirTemp("", "weight")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("%s, %s/%s, go build -trimpath -ldflags='-s -w'\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Println("| | stripped program | modules | packages beyond the standard library | C compiler | packages begin in | goroutines, idle | Go heap, idle | in memory, idle |\n|---|---|---|---|---|---|---|---|---|")
	answer := ""
	for _, w := range weighed {
		if *only != "" && !strings.Contains(","+*only+",", ","+w.folder+",") {
			continue
		}
		bin := filepath.Join(dir, w.folder)
		env := append(os.Environ(), "CGO_ENABLED=0")
		if w.cgo {
			env = append(os.Environ(), "CGO_ENABLED=1")
		}
		pkg := "./weight/" + w.folder
		if _, err := output(env, "go", "build", "-trimpath", "-ldflags=-s -w", "-tags="+w.tags, "-o", bin, pkg); err != nil {
			return err
		}
		got, err := output(env, bin)
		if err != nil {
			return err
		}
		if answer == "" {
			answer = got
		}
		if got != answer {
			return fmt.Errorf("%s finds %s, the others %s", w.name, got, answer)
		}
		st, err := os.Stat(bin)
		if err != nil {
			return err
		}
		deps, err := output(env, "go", "list", "-deps", "-tags="+w.tags, "-f", "{{if not .Standard}}{{with .Module}}{{.Path}}{{end}}{{end}}", pkg)
		if err != nil {
			return err
		}
		packages, modules := 0, map[string]bool{}
		for m := range strings.FieldsSeq(deps) {
			if m != "github.com/lupadb/lupa/testdata/bench/rivals" {
				packages++
				modules[m] = true
			}
		}
		needs := "no"
		if w.cgo {
			needs = "yes"
		}
		idle, err := idle(env, bin)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %s MB | %d | %d | %s | %s |\n", w.name, strconv.FormatFloat(float64(st.Size())/1e6, 'f', 1, 64), len(modules), packages, needs, idle)
	}
	return nil
}

// idle runs a program of the comparison a few times, and returns the columns of how long
// the initialization of its packages takes (the least of the runs, as the runtime tells),
// and of what it holds between two statements.
func idle(env []string, bin string) (string, error) {
	best := math.Inf(1)
	var goroutines int
	var heap, resident float64
	for range 9 {
		cmd := exec.Command(bin)
		cmd.Env = append(env[:len(env):len(env)], "GODEBUG=inittrace=1", same.IdleEnv+"=1")
		var told strings.Builder
		cmd.Stderr = &told
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", bin, err, told.String())
		}
		sum := 0.0
		for line := range strings.Lines(told.String()) {
			f := strings.Fields(line)
			switch {
			case len(f) > 4 && f[0] == "init": // init PACKAGE @0.1 ms, 0.02 ms clock, ...
				ms, err := strconv.ParseFloat(f[4], 64)
				if err != nil {
					return "", fmt.Errorf("%s: %w", line, err)
				}
				sum += ms
			case len(f) == 4 && f[0] == "idle":
				if _, err := fmt.Sscan(f[1]+" "+f[2]+" "+f[3], &goroutines, &heap, &resident); err != nil {
					return "", fmt.Errorf("%s: %w", line, err)
				}
			}
		}
		best = min(best, sum)
	}
	return fmt.Sprintf("%.1f ms | %d | %.1f MB | %.0f MB", best, goroutines, heap/1e6, resident/1e3), nil
}

func output(env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = env
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, complaints.String())
	}
	return string(out), nil
}
