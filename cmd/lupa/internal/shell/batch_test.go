package shell

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// outcome is what a run of the command left behind.
type outcome struct {
	out, err string
	status   int
}

// lupa runs the command in this process, with in as standard input.
func lupa(t *testing.T, in string, args ...string) outcome {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stdin"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(in); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	status := run(args, stdio{in: f, out: &out, err: &errs, version: "test"})
	return outcome{out.String(), errs.String(), status}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

const makeT = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO t VALUES (1, 'one'), (2, NULL);\n"

func TestBatchDoors(t *testing.T) {
	file := write(t, "q.sql", makeT+"SELECT * FROM t ORDER BY id;\n")
	want := "id,name\n1,one\n2,\n"
	for name, got := range map[string]outcome{
		"argument": lupa(t, "", ":memory:", makeT, "SELECT * FROM t ORDER BY id", "--format", "csv"),
		"-c":       lupa(t, "", "--format=csv", "-c", makeT, "-c", "SELECT * FROM t ORDER BY id", ":memory:"),
		"-f":       lupa(t, "", "--format", "csv", ":memory:", "-f", file),
		"stdin":    lupa(t, makeT+"SELECT * FROM t\nORDER BY id", ":memory:", "--format", "csv"),
		"-f -":     lupa(t, makeT+"SELECT * FROM t ORDER BY id", ":memory:", "--format", "csv", "-f", "-"),
		".read":    lupa(t, ".mode csv\n.read "+file+"\n", ":memory:"),
	} {
		if got.out != want || got.err != "" || got.status != 0 {
			t.Errorf("%s: status %d\n%s%s", name, got.status, got.out, got.err)
		}
	}
}

// -c and -f run in the order they are given.
func TestBatchOrder(t *testing.T) {
	file := write(t, "q.sql", "SELECT 2 AS n;")
	got := lupa(t, "", ":memory:", "-c", "SELECT 1 AS n", "-f", file, "-c", "SELECT 3 AS n", "--format", "csv", "--no-header")
	if got.out != "1\n2\n3\n" {
		t.Errorf("%q %s", got.out, got.err)
	}
}

func TestErrorsHavePlaces(t *testing.T) {
	file := write(t, "q.sql", makeT+"-- a comment\nSELECT id,\n\t  nosuch\nFROM t;\nSELECT 1 AS after;\n")
	got := lupa(t, "", ":memory:", "-f", file, "--format", "csv")
	if got.status != 1 || got.out != "" {
		t.Errorf("status %d, output %q", got.status, got.out)
	}
	head, rest, _ := strings.Cut(got.err, "\n")
	if !strings.HasPrefix(head, file+":5:4: ") || !strings.Contains(head, "nosuch") {
		t.Errorf("the message is %q", head)
	}
	if rest != "     nosuch\n     ^\n" {
		t.Errorf("the caret is\n%s", rest)
	}
	got = lupa(t, "SELECT 1;\nSELEC 2;\n", ":memory:")
	if !strings.HasPrefix(got.err, "stdin:2:1: ") || got.status != 1 {
		t.Errorf("%d %s", got.status, got.err)
	}
	got = lupa(t, "", ":memory:", "SELECT 1; SELECT +;")
	if !strings.HasPrefix(got.err, "command:1:") || got.status != 1 {
		t.Errorf("%d %s", got.status, got.err)
	}
	got = lupa(t, "", ":memory:", "SELECT 1", "SELEC 2")
	if !strings.HasPrefix(got.err, "command 2:1:1: ") {
		t.Errorf("%d %s", got.status, got.err)
	}
	got = lupa(t, "SELECT 1;\n\n.nosuch\n", ":memory:")
	if !strings.HasPrefix(got.err, "stdin:3:1: ") || got.status != 1 {
		t.Errorf("%d %s", got.status, got.err)
	}
}

func TestKeepGoing(t *testing.T) {
	in := "SELECT 1 AS n;\nSELECT nosuch;\n.nosuch\nSELECT 2 AS n;\n"
	got := lupa(t, in, ":memory:", "--format", "csv", "--no-header")
	if got.out != "1\n" || got.status != 1 {
		t.Errorf("without --keep-going: %d %q", got.status, got.out)
	}
	got = lupa(t, in, ":memory:", "--format", "csv", "--no-header", "--keep-going")
	if got.out != "1\n2\n" || got.status != 1 || strings.Count(got.err, "stdin:") != 2 {
		t.Errorf("with --keep-going: %d %q %s", got.status, got.out, got.err)
	}
	got = lupa(t, ".bail off\n"+in, ":memory:", "--format", "csv", "--no-header")
	if got.out != "1\n2\n" || got.status != 1 {
		t.Errorf("with .bail off: %d %q", got.status, got.out)
	}
	file := write(t, "bad.sql", "SELECT nosuch;\nSELECT 'never' AS x;\n")
	got = lupa(t, ".read "+file+"\nSELECT 'nor this' AS x;\n", ":memory:", "--format", "csv")
	if got.out != "" || got.status != 1 || strings.Count(got.err, "bad.sql:1:8") != 1 {
		t.Errorf(".read of a failing file: %d %q %s", got.status, got.out, got.err)
	}
}

func TestUsageErrors(t *testing.T) {
	for _, args := range [][]string{
		{"--nosuch"}, {"--format", "nosuch"}, {"-p", "novalue", ":memory:"}, {"--color", "mauve"}, {"eval"},
		{"--images", "nosuch"}, {"completion", "tcsh"}, {"-p", "v=[1,x]", ":memory:"}, {"--limit", "0"},
	} {
		if got := lupa(t, "", args...); got.status != 2 || got.err == "" || got.out != "" {
			t.Errorf("%v: status %d, %q %q", args, got.status, got.out, got.err)
		}
	}
}

// A query of a store that isn't there must not make one.
func TestMisspeltStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nosuch.lupa")
	for _, args := range [][]string{{dir, "SELECT 1"}, {dir, "--read-only", "-c", "SHOW TABLES"}, {"eval", dir, "x.csv"}, {dir, "--prompts", "p.txt"}} {
		got := lupa(t, "", args...)
		if got.status != 1 || !strings.Contains(got.err, "nosuch.lupa") {
			t.Errorf("%v: status %d, %s", args, got.status, got.err)
		}
		if exists(dir) {
			t.Fatalf("%v made the directory", args)
		}
	}
}

func TestParameters(t *testing.T) {
	got := lupa(t, "", ":memory:", "--format", "csv", "--no-header",
		"-p", "text=a wolf", "-p", "n=3", "-p", "quoted='5'", "-p", "f=0.5", "-p", "no=null", "-p", "1=first", "-p", "v=[1, 0.5]",
		"SELECT :text, :n + 1, :quoted || 'x', :f * 2, :no IS NULL, vector_dims(:v)", "SELECT $1")
	if got.out != "a wolf,4,5x,1,true,2\nfirst\n" || got.status != 0 {
		t.Errorf("%d %q %s", got.status, got.out, got.err)
	}
	got = lupa(t, "", ":memory:", "-p", "a=1", "SELECT :b")
	if got.status != 1 || !strings.Contains(got.err, "--param b=") {
		t.Errorf("%d %s", got.status, got.err)
	}
	got = lupa(t, ".parameter set q 'it''s'\nSELECT :q AS q;\n.parameter list\n.parameter unset q\nSELECT :q;\n", ":memory:", "--format", "csv")
	if got.out != "q\nit's\nparameter,type,value\n:q,TEXT,it's\n" || got.status != 1 {
		t.Errorf("%d %q %s", got.status, got.out, got.err)
	}
}

func TestOutputGoesWhereItShould(t *testing.T) {
	dir := t.TempDir()
	a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "errors")
	got := lupa(t, ".once "+b+"\nSELECT 1 AS n;\nSELECT 2 AS n;\nSELECT nosuch;\n", ":memory:", "--format", "csv", "-o", a, "--errors-to", c)
	if got.out != "" || got.err != "" || got.status != 1 {
		t.Errorf("%d %q %q", got.status, got.out, got.err)
	}
	for file, want := range map[string]string{a: "n\n2\n", b: "n\n1\n"} {
		if text, _ := os.ReadFile(file); string(text) != want {
			t.Errorf("%s holds %q", file, text)
		}
	}
	if text, _ := os.ReadFile(c); !strings.HasPrefix(string(text), "stdin:4:8: ") {
		t.Errorf("the errors are %q", text)
	}
	got = lupa(t, ".output "+a+"\nSELECT 3 AS n;\n.output\nSELECT 4 AS n;\n", ":memory:", "--format", "csv")
	if text, _ := os.ReadFile(a); string(text) != "n\n3\n" || got.out != "n\n4\n" {
		t.Errorf("%q %q", text, got.out)
	}
}

func TestEcho(t *testing.T) {
	got := lupa(t, "-- a comment\nSELECT 1\n  AS n;\nSELECT 2 AS n;\n", ":memory:", "--format", "csv", "--echo")
	if got.out != "SELECT 1\n  AS n;\nn\n1\n\nSELECT 2 AS n;\nn\n2\n" {
		t.Errorf("%q", got.out)
	}
}

// Statements hold semicolons, quotes and dots wherever they like, and need not
// end where a line does.
func TestCuttingSources(t *testing.T) {
	in := "SELECT ';' AS a, 'it''s\n.tables' AS b; SELECT /* ; \n.mode nosuch\n */ 2 AS c -- ;\n; SELECT\n.5 AS d\n;"
	got := lupa(t, in, ":memory:", "--format", "jsonl")
	want := `{"a":";","b":"it's\n.tables"}` + "\n" + `{"c":2}` + "\n" + `{"d":0.5}` + "\n"
	if got.out != want {
		t.Errorf("%q\n%s", got.out, got.err)
	}
}

func TestLongSource(t *testing.T) {
	var b strings.Builder
	b.WriteString("CREATE TABLE t (n INTEGER);\n")
	for range 20_000 {
		b.WriteString("INSERT INTO t VALUES (1); -- filler filler filler\n")
		if b.Len() > 3*readAhead {
			break
		}
	}
	n := strings.Count(b.String(), "INSERT")
	b.WriteString("SELECT count(*) AS n FROM t;\nSELECT nosuch;\n")
	got := lupa(t, b.String(), ":memory:", "--format", "csv", "--no-header")
	if strings.TrimSpace(got.out) != strconv.Itoa(n) || !strings.HasPrefix(got.err, "stdin:"+strconv.Itoa(n+3)+":8") {
		t.Errorf("%q %s, want %d", got.out, got.err, n)
	}
}

// A dump read into an empty store gives the same dump.
func TestDumpRebuildsTheStore(t *testing.T) {
	in := `CREATE TABLE "odd ""name""" (id TEXT PRIMARY KEY, "select" INTEGER, r REAL NOT NULL DEFAULT 1.5, b BOOLEAN, t TIMESTAMP, x BLOB, j JSON, v VECTOR(3));
	INSERT INTO "odd ""name""" VALUES
	 ('it''s', -9223372036854775807, 1e300, true, CAST('2024-02-29 12:34:56.789' AS TIMESTAMP), CAST('\x00ff27' AS BLOB), '{"a": "it''s"}'::JSON, [0.1, -3e-9, 1e20]),
	 ('line' || chr(10) || 'break', NULL, 0.1, false, NULL, NULL, NULL, NULL),
	 ('-0', 0, CAST('-0' AS REAL), NULL, NULL, NULL, NULL, NULL),
	 ('雪', 3, -0.30000000000000004, NULL, CAST('1960-01-01' AS TIMESTAMP), CAST('\x' AS BLOB), CAST('[]' AS JSON), [1, 2, 3]);
	CREATE TABLE empty (v VECTOR(2));
	CREATE TABLE many (n INTEGER);
	CREATE INDEX many_n ON many (n);
	CREATE UNIQUE INDEX odd_r ON "odd ""name""" (r);
	`
	in = strings.Replace(in, "'line' || chr(10) || 'break'", "'line\nbreak'", 1)
	for range 5 {
		in += "INSERT INTO many VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19), (20);\n"
	}
	first := lupa(t, in+".dump\n", ":memory:")
	if first.status != 0 {
		t.Fatal(first.err)
	}
	if n := strings.Count(first.out, "INSERT INTO many"); n != 2 {
		t.Errorf("100 rows are dumped by %d statements", n)
	}
	second := lupa(t, first.out+".dump\n", ":memory:")
	if second.status != 0 || second.out != first.out {
		t.Errorf("status %d %s\n%s\nbecame\n%s", second.status, second.err, first.out, second.out)
	}
	one := lupa(t, in+".dump empty\n", ":memory:")
	if strings.Contains(one.out, "many") || !strings.Contains(one.out, "CREATE TABLE empty") {
		t.Errorf(".dump of one table:\n%s", one.out)
	}
}

func TestImport(t *testing.T) {
	file := write(t, "pets.csv", "id,legs\nrex,4\nfin,0\n")
	got := lupa(t, ".import "+file+" pets\n.import "+file+" pets\nSELECT count(*) AS n, sum(legs) AS legs FROM pets;\n.schema\n", ":memory:", "--format", "csv")
	if !strings.HasPrefix(got.out, "n,legs\n4,8\n") || !strings.Contains(got.out, "legs INTEGER") {
		t.Errorf("%q %s", got.out, got.err)
	}
}

// A file of any format makes a table, and what fails leaves none behind.
func TestImportOfEveryFormat(t *testing.T) {
	dir := t.TempDir()
	in := "CREATE TABLE t (id INTEGER, name TEXT, v VECTOR(2));\nINSERT INTO t VALUES (1, 'a\"b\nc', [1, 2]), (2, NULL, [3, 4.5]);\n"
	for _, ext := range []string{"csv", "tsv", "jsonl", "parquet"} {
		in += fmt.Sprintf("COPY t TO '%[1]s/t.%[2]s';\n.import %[1]s/t.%[2]s %[2]s\nSELECT * FROM %[2]s ORDER BY id;\n", dir, ext)
	}
	in += "COPY (SELECT v FROM t) TO '" + dir + "/v.npy';\n.import " + dir + "/v.npy npy\nSELECT * FROM npy;\n"
	got := lupa(t, in, ":memory:", "--format", "csv")
	want := strings.Repeat("id,name,v\n1,\"a\"\"b\nc\",\"[1,2]\"\n2,,\"[3,4.5]\"\n", 4) + "v\n\"[1,2]\"\n\"[3,4.5]\"\n"
	if got.status != 0 || got.out != want {
		t.Errorf("got %s%s\nwant %s", got.out, got.err, want)
	}
	bad := write(t, "bad.csv", "id,n\n1,2\n2\n")
	got = lupa(t, ".bail off\n.import "+bad+" bad\n.tables\n", ":memory:", "--format", "csv")
	if strings.Contains(got.out, "bad") || !strings.Contains(got.err, "line 3") {
		t.Errorf("%s%s", got.out, got.err)
	}
}

// Without a mode the ending of a file chooses one.
func TestModeOfEnding(t *testing.T) {
	dir := t.TempDir()
	got := lupa(t, ".once "+dir+"/a.csv\nSELECT 1 AS a;\n.output "+dir+"/b.jsonl\nSELECT 2 AS b;\n.output\nSELECT 3 AS c;\n", ":memory:")
	a, _ := os.ReadFile(dir + "/a.csv")
	b, _ := os.ReadFile(dir + "/b.jsonl")
	if string(a) != "a\n1\n" || string(b) != "{\"b\":2}\n" || !strings.Contains(got.out, "| 3 |") {
		t.Errorf("%q %q %q %s", a, b, got.out, got.err)
	}
}

func TestDotCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s.lupa")
	copied := filepath.Join(t.TempDir(), "copy.lupa")
	in := makeT + `.tables
.indexes
.schema t
.headers off
.show
.print hello  'two  blanks'
.backup ` + copied + `
.open ` + copied + `
SELECT name FROM t ORDER BY id;
.open --readonly ` + copied + `
.bail off
INSERT INTO t VALUES (3, 'three');
.ta
.m
.help .once
.help round
`
	got := lupa(t, in, dir, "--format", "csv")
	for _, want := range []string{"table,rows,columns\nt,2,\"id, name\"\n", "CREATE TABLE t (", "mode: csv", "hello two  blanks\n", "one\n\n", ".once FILE\n", "round("} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
	for _, want := range []string{"reading only", ".m may be .models, .mode, .maxrows"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("no %q in\n%s", want, got.err)
		}
	}
}

// .help lists every command, in lines that fit a terminal.
func TestHelp(t *testing.T) {
	got := lupa(t, ".help\n", ":memory:")
	for _, c := range commands() {
		if !strings.Contains(got.out, c.name+" ") {
			t.Errorf("no %s in .help", c.name)
		}
		if c.doc == "" || c.run == nil {
			t.Errorf("%s is incomplete", c.name)
		}
	}
	pages := [][]string{{"--help"}}
	for _, c := range subcommands() {
		pages = append(pages, []string{"help", c.name})
	}
	for _, args := range pages {
		text := lupa(t, "", args...).out
		lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
		if len(lines) > 24 || len(lines) < 3 {
			t.Errorf("%v has %d lines", args, len(lines))
		}
		for _, l := range lines {
			if len(l) > 80 {
				t.Errorf("%v: %d columns: %s", args, len(l), l)
			}
		}
	}
	man := lupa(t, "", "man").out
	for _, want := range []string{`.SH "LUPA EVAL"`, `\-\-keep\-going`, ".B .tables", `\ed`} {
		if !strings.Contains(strings.ReplaceAll(man, `\&`, ""), want) {
			t.Errorf("no %q in the manual page", want)
		}
	}
	if v := lupa(t, "", "version").out; !strings.HasPrefix(v, "lupa test") {
		t.Errorf("version is %q", v)
	}
}

// One phrase that the encoder does not know is named with its line, and the others are
// answered.
func TestPromptsGoOnAfterAnUnknownPhrase(t *testing.T) {
	dir := t.TempDir()
	words := filepath.Join(dir, "models", "words")
	npy := append([]byte("\x93NUMPY\x01\x00v\x00"), fmt.Sprintf("%-117s\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }")...)
	npy = append(npy, 0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f)
	if err := os.MkdirAll(words, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		filepath.Join(words, "prompts.txt"): "a wolf\ntwo fish\n", filepath.Join(words, "prompts.npy"): string(npy),
		filepath.Join(dir, "q.txt"): "a wolf\n\na dgo\ntwo fish\n", filepath.Join(dir, "q.csv"): "query,id\na wolf,x\na dgo,y\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	store, models := filepath.Join(dir, "s.lupa"), filepath.Join(dir, "models")
	if got := lupa(t, "", store, "--models", models,
		"CREATE TABLE p (id TEXT PRIMARY KEY, v VECTOR ENCODER 'words'); INSERT INTO p VALUES ('x', [1, 0]), ('y', [0, 1])"); got.status != 0 {
		t.Fatal(got.err)
	}
	got := lupa(t, "", store, "--models", models, "--format", "csv", "--limit", "1", "--prompts", filepath.Join(dir, "q.txt"))
	if want := "prompt,rank,id,score\na wolf,1,x,1\ntwo fish,1,y,1\n"; got.out != want || got.status != 1 {
		t.Errorf("status %d, got %q, want %q", got.status, got.out, want)
	}
	if want := filepath.Join(dir, "q.txt") + `:3: encoder words knows 2 fixed prompts and "a dgo" is not among them`; !strings.Contains(got.err, want) {
		t.Errorf("%q; want %q", got.err, want)
	}
	got = lupa(t, "", "eval", store, "--models", models, filepath.Join(dir, "q.csv"))
	if want := `line 3: encoder words knows 2`; !strings.Contains(got.err, want) || got.status != 1 {
		t.Errorf("eval: %d, %q; want %q", got.status, got.err, want)
	}
}

// Statements run without a store, as those of sqlite3 and duckdb do; none makes a
// directory of the name of a statement.
func TestWithoutAStore(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("x.csv", []byte("a,b\n1,é\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in   string
		args []string
	}{
		{"", []string{"--format", "csv", "-c", "SELECT * FROM read_csv('x.csv')"}},
		{"", []string{":memory:", "--format", "csv", "SELECT * FROM read_csv('x.csv')"}},
		{"", []string{":memory:", "--format", "csv", "CREATE TABLE t (a INTEGER, b TEXT); COPY t FROM 'x.csv'; SELECT * FROM t"}},
		{"SELECT * FROM read_csv('x.csv')", []string{"--format", "csv"}},
	} {
		if got := lupa(t, c.in, c.args...); got.out != "a,b\n1,é\n" || got.status != 0 {
			t.Errorf("%q: status %d, %q, %q", c.args, got.status, got.out, got.err)
		}
	}
	for _, sql := range []string{"SELECT 1", "create table t (a integer)", "WITH x AS (SELECT 1) SELECT * FROM x"} {
		if got := lupa(t, "", sql); got.status != 2 || !strings.Contains(got.err, "is a statement, not a store") {
			t.Errorf("%q: status %d, %q", sql, got.status, got.err)
		}
	}
	if all, _ := os.ReadDir("."); len(all) != 1 {
		t.Errorf("left behind: %v", all)
	}
}

// A store that lacks a file, because a marker of another one has come to lie there, is damaged,
// and not one that is not there.
func TestAForeignMarkerIsDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if got := lupa(t, "", dir, makeT); got.status != 0 {
		t.Fatal(got.err)
	}
	if err := os.WriteFile(filepath.Join(dir, "marker.manifest.000999.MANIFEST-000777"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"SELECT * FROM t", "INSERT INTO t VALUES (3, 'x')"} {
		if got := lupa(t, "", dir, sql); got.status == 0 || !strings.Contains(got.err, "damaged") || strings.Contains(got.err, "there is no store") {
			t.Errorf("%s: %d, %s", sql, got.status, got.err)
		}
	}
}

// An import of a batch ends with a count, on the error stream.
func TestImportsEndWithACount(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.csv"), []byte("a,b\n1,x\n2,y\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := lupa(t, "", ":memory:", "CREATE TABLE t (a INTEGER, b TEXT)", "COPY t FROM '"+filepath.Join(dir, "x.csv")+"'",
		"SELECT count(*) AS n FROM t", "CREATE TABLE p (path TEXT PRIMARY KEY)", "INSERT INTO p SELECT path FROM images('"+dir+"') ON CONFLICT (path) DO NOTHING")
	if got.status != 0 || !strings.Contains(got.err, "2 rows read, 0 skipped, 0 failed") || strings.Contains(got.out, "read") {
		t.Errorf("%d\n%s%s", got.status, got.out, got.err)
	}
	if !strings.Contains(got.err, "0 pictures read, 1 skipped (1 .csv), 0 failed") {
		t.Errorf("of pictures: %s", got.err)
	}
}
