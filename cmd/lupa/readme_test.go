package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the commands print into README.md and docs/tour.md")

// TestReadme runs the commands in the console blocks of README and of the tour in a directory where the
// demo has been run, and compares what they print with what the pages show. A line
// that begins with "$ " is run by the shell of the system; lines "demo> " are
// statements as one types them into bin/lupa demo.lupa on a terminal.
func TestReadme(t *testing.T) {
	if os.Getenv("LUPA_SKIP_ONNX") != "" {
		t.Skip("LUPA_SKIP_ONNX is set")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(root, "testdata"), filepath.Join(dir, "testdata")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	sh := func(command string) string {
		t.Helper()
		cmd := exec.Command("bash", "-c", command)
		cmd.Dir = dir
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if _, failed := err.(*exec.ExitError); err != nil && !failed {
			t.Fatalf("%s: %v", command, err)
		}
		return out.String()
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", "lupa"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	demo := sh("bash testdata/demo/run.sh")
	if !strings.Contains(demo, "20,000 rows copied") || !strings.Contains(demo, "a wolf") {
		t.Fatalf("the demo printed:\n%s", demo)
	}
	if !strings.Contains(demo, "a photo of a <b>wolf</b>") || !strings.Contains(demo, "a grey wolf playing in the snow") {
		t.Errorf("the demo does not find the pictures by words, and by words and vectors:\n%s", demo)
	}
	if again := sh("bash testdata/demo/run.sh"); strings.Contains(again, "rows copied") || strings.Contains(again, "rows inserted") {
		t.Errorf("a second run of the demo loads again:\n%s", again)
	}

	// The prompts of queries.csv, through the text encoder, over the 20,000 photos.
	var all []float64
	for _, line := range strings.Split(sh("bin/lupa eval demo.lupa testdata/toy-clip/queries.csv --table photos --format csv"), "\n") {
		if fields := strings.Split(line, ","); fields[0] == "all" {
			for _, f := range fields[1:] {
				x, err := strconv.ParseFloat(f, 64)
				if err != nil {
					t.Fatal(line, err)
				}
				all = append(all, x)
			}
		}
	}
	if len(all) < 3 || all[0] != 200 || all[2] < 0.95 {
		t.Errorf("prompts, precision@1, @3, ...: %v; precision@3 of the 200 prompts should be at least 0.95", all)
	}

	documents(t, root, dir, sh)
	for _, name := range []string{"README.md", "docs/tour.md"} {
		showsWhatIsPrinted(t, filepath.Join(root, filepath.FromSlash(name)), sh)
	}
}

// documents runs README's statements over documents, with the small model of the tests.
func documents(t *testing.T, root, dir string, sh func(string) string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Your own documents\n")
	section, _, found := strings.Cut(section, "\n## ")
	var sql strings.Builder
	for line := range strings.Lines(section) {
		if statement, ok := strings.CutPrefix(line, "    "); ok {
			sql.WriteString(strings.ReplaceAll(statement, "'bge-small-en-v1.5'", "'toy-clip'"))
		}
	}
	if !found || strings.Count(sql.String(), ";") < 4 {
		t.Fatalf("README's statements over documents are not found: %q", sql.String())
	}
	for name, text := range map[string]string{
		"docs.jsonl":    `{"title":"Fish","body":"Red fish swim in the sea."}` + "\n" + `{"title":"Wolves","body":"Wolves survive the winter in packs."}` + "\n",
		"documents.sql": sql.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := sh("bin/lupa --models testdata/models documents.lupa -f documents.sql --format csv")
	if i, j := strings.Index(out, "\nWolves,"), strings.Index(out, "\nFish,"); i < 0 || j < i {
		t.Errorf("README's statements over documents printed:\n%s", out)
	}
}

// showsWhatIsPrinted runs the commands of a page's console blocks by sh.
func showsWhatIsPrinted(t *testing.T, name string, sh func(command string) string) {
	t.Helper()
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	fresh := regexp.MustCompile("(?s)```console\n(.*?)```").ReplaceAllStringFunc(string(page), func(block string) string {
		blocks++
		var b strings.Builder
		b.WriteString("```console\n")
		for _, line := range strings.Split(block, "\n") {
			statement, typed := strings.CutPrefix(line, "demo> ")
			switch {
			case strings.HasPrefix(line, "$ "):
				b.WriteString(line + "\n" + sh(line[2:]))
			case typed && strings.HasPrefix(statement, "--"):
				b.WriteString(line + "\n")
			case typed:
				out := sh("bin/lupa demo.lupa --width 110 <<'END'\n" + statement + "\nEND")
				b.WriteString(line + "\n" + strings.TrimPrefix(out, "stdin:"))
			}
		}
		b.WriteString("```")
		return b.String()
	})
	if blocks == 0 {
		t.Fatalf("%s has no console blocks", name)
	}
	if alike(fresh) == alike(string(page)) {
		return
	}
	if *update {
		if err := os.WriteFile(name, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Errorf("%s does not show what its commands print (make readme updates it); they print:\n%s", name, fresh)
	}
}

var (
	longNumber = regexp.MustCompile(`(\d\.\d{4})\d+`)
	filling    = regexp.MustCompile(`[-─ ]+`)
)

// alike leaves out what depends on the processor: the encoder's last digits, and
// with them the width of a column.
func alike(page string) string {
	return filling.ReplaceAllString(longNumber.ReplaceAllString(page, "$1"), " ")
}
