//go:build unix

package shell

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"

	"github.com/lupadb/lupa/db"
)

// asCommand makes the test binary be lupa: the line editor owns a process's
// standard streams and signals, so a terminal session is this very code in a
// process of its own, under a pseudo-terminal.
const asCommand = "LUPA_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(Main(os.Args[1:], "test"))
	}
	os.Exit(m.Run())
}

// screen is lupa running in a terminal: what it writes is drawn by an emulator,
// which answers its questions as a terminal does.
type screen struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	term vt10x.Terminal

	mu   sync.Mutex
	raw  strings.Builder // all that came
	done chan struct{}
}

// patience is how long something may take that should be there at once; it only
// bounds a test that fails.
const patience = 30 * time.Second

// answers sends the emulator's answers off on their own: a terminal that waits
// for its reader must not keep it from reading.
type answers struct{ tty *os.File }

func (a answers) Write(p []byte) (int, error) {
	go a.tty.Write(append([]byte(nil), p...))
	return len(p), nil
}

func startScreen(t *testing.T, cols, rows int, env []string, args ...string) *screen {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "TERM=xterm-256color", "INPUTRC=/dev/null", "PAGER=cat", "NO_COLOR=", "TMUX=",
		"LUPA_HISTORY="+filepath.Join(t.TempDir(), "history"), "LUPA_RC=")
	cmd.Env = append(cmd.Env, env...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)})
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, cmd: cmd, tty: tty, done: make(chan struct{})}
	s.term = vt10x.New(vt10x.WithSize(cols, rows), vt10x.WithWriter(answers{tty}))
	go func() {
		defer close(s.done)
		buf := make([]byte, 32<<10)
		for {
			n, err := tty.Read(buf)
			if n > 0 {
				s.mu.Lock()
				s.raw.Write(buf[:n])
				s.term.Write(buf[:n])
				s.mu.Unlock()
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		tty.Close()
		<-s.done
	})
	return s
}

// text is what stands on the screen, without blanks at the lines' ends.
func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(s.term.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \x00")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// wait waits until the screen satisfies ok.
func (s *screen) wait(what string, ok func(text string) bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok(s.text()) {
			return
		}
		select {
		case <-s.done:
			if ok(s.text()) {
				return
			}
			s.t.Fatalf("lupa has ended; waited for %s on\n%s", what, s.text())
		default:
		}
	}
	s.t.Fatalf("no %s on\n%s", what, s.text())
}

func (s *screen) see(want string) {
	s.t.Helper()
	s.wait(fmt.Sprintf("%q", want), func(text string) bool { return strings.Contains(text, want) })
}

// ends waits until the last line of the screen ends with want: a prompt, or what
// is being typed.
func (s *screen) ends(want string) {
	s.t.Helper()
	s.wait(fmt.Sprintf("%q at the end", want), func(text string) bool { return strings.HasSuffix(text, want) })
}

func (s *screen) keys(keys string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// enter types a line, waits for it to be on the screen, and ends it.
func (s *screen) enter(line string) {
	s.t.Helper()
	s.keys(line)
	last := line[max(0, len(line)-20):]
	s.see(last)
	s.keys("\r")
}

// exit waits for the process to end and returns its status.
func (s *screen) exit() int {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatalf("lupa doesn't end:\n%s", s.text())
	}
	s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

const (
	up, down, left = "\x1b[A", "\x1b[B", "\x1b[D"
	ctrlA, ctrlC   = "\x01", "\x03"
	ctrlD, ctrlR   = "\x04", "\x12"
	tab            = "\t"
)

// photoStore makes a store with a few rows to ask for.
func photoStore(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "photos.lupa")
	got := lupa(t, "", dir,
		"CREATE TABLE photos (id TEXT PRIMARY KEY, width INTEGER, caption TEXT, clip VECTOR(3))",
		`INSERT INTO photos VALUES ('a', 100, 'a wolf', [1, 0, 0]), ('b', 200, 'two red fish', [0, 1, 0]),
		 ('c', NULL, '雪の中の虎', [0.6, 0.8, 0]), ('d', 400, NULL, NULL)`)
	if got.status != 0 {
		t.Fatal(got.err)
	}
	return dir
}

func TestTypingAStatement(t *testing.T) {
	s := startScreen(t, 80, 24, nil, photoStore(t))
	s.see("photos>")
	s.enter("SELECT id, width FROM photos")
	s.enter("WHERE width > 100 ORDER BY id")
	s.keys(";\r")
	s.see("│ b  │   200 │")
	s.see("│ d  │   400 │")
	s.ends("photos>")
	s.keys(ctrlD)
	if status := s.exit(); status != 0 {
		t.Errorf("Ctrl-D gives exit status %d", status)
	}
}

func TestErrorsHaveACaret(t *testing.T) {
	s := startScreen(t, 80, 24, nil, photoStore(t))
	s.see("photos>")
	s.enter("SELECT id,")
	s.enter("  widht FROM photos;")
	s.see(`widht`)
	s.see("2:3: ")
	s.wait("a caret under the w", func(text string) bool {
		lines := strings.Split(text, "\n")
		for i := range lines {
			if strings.TrimSpace(lines[i]) == "^" && i > 0 {
				return strings.HasPrefix(lines[i-1][strings.Index(lines[i], "^"):], "widht")
			}
		}
		return false
	})
	s.enter("SELECT 1 AS one;")
	s.see("│ one │")
}

func TestHistoryIsPerStatementAndStays(t *testing.T) {
	dir := photoStore(t)
	file := "LUPA_HISTORY=" + filepath.Join(t.TempDir(), "sub", "history")
	s := startScreen(t, 80, 24, []string{file}, dir)
	s.see("photos>")
	s.enter("SELECT count(*) AS first_one")
	s.enter("FROM photos;")
	s.see("│         4 │")
	s.enter("SELECT 22 AS second_one;")
	s.see("│         22 │")
	s.keys(ctrlD)
	s.exit()

	s = startScreen(t, 80, 24, []string{file}, dir)
	s.see("photos>")
	s.keys(up)
	s.see("SELECT 22 AS second_one;")
	s.keys(up)
	s.see("SELECT count(*) AS first_one")
	s.see("FROM photos;") // both lines came back
	s.keys("\r")
	s.see("│         4 │")
	s.keys(ctrlR + "22 AS")
	s.see("SELECT 22 AS second_one;")
	s.keys("\r\r")
	s.see("│         22 │")
}

func TestCompletion(t *testing.T) {
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "wolf und hund.csv"), []byte("id\nx\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := startScreen(t, 100, 30, nil, photoStore(t))
	s.see("photos>")
	for _, c := range []struct{ typed, want string }{
		{"SEL", "SELECT"},
		{"insert in", "insert into"},
		{"SELECT cap" + "\x00FROM photos", ""},
		{"SELECT * FROM pho", "SELECT * FROM photos"},
		{"SELECT capt", "SELECT caption"},
		{"SELECT clip_", "SELECT clip_sim("},
		{"SELECT octet_l", "SELECT octet_length("},
		{"COPY photos (id) FROM '" + work + "/wol", "COPY photos (id) FROM '" + work + "/wolf und hund.csv'"},
		{".indexe", ".indexes"},
		{".mode markd", ".mode markdown"},
		{".schema ph", ".schema photos"},
	} {
		if c.want == "" {
			continue
		}
		s.keys(c.typed + tab)
		want := c.want
		if len(want) > 40 {
			want = want[len(want)-40:]
		}
		s.see(want)
		s.keys(ctrlC)
		s.wait("an empty prompt", func(text string) bool {
			return strings.HasSuffix(text, "photos>")
		})
	}
}

func TestCtrlCKeepsTheSession(t *testing.T) {
	dir := photoStore(t)
	s := startScreen(t, 100, 30, nil, dir)
	s.see("photos>")
	s.keys("SELECT half typed")
	s.see("half typed")
	s.keys(ctrlC)
	s.wait("an empty prompt", func(text string) bool { return strings.HasSuffix(text, "photos>") })

	s.enter("CREATE TABLE n (x INTEGER);")
	s.enter("INSERT INTO n VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10);")
	s.see("10 rows inserted")
	s.enter("INSERT INTO n SELECT a.x FROM n a, n b, n c;")
	s.see("1,000 rows inserted")
	s.enter("BEGIN;")
	s.ends("photos*>")
	s.enter("SELECT 'kept' AS what;")
	s.see("│ kept │")
	s.enter("COMMIT;")
	s.ends("photos>")
	// Running for longer than anyone waits, unless it is stopped.
	s.enter("SELECT count(*) FROM n a, n b, n c, n d, n e;")
	for range 2 { // the first may come before the statement has begun
		time.Sleep(500 * time.Millisecond)
		if !strings.Contains(s.text(), "interrupted") {
			s.keys(ctrlC)
		}
	}
	s.see("interrupted")
	s.ends("photos>")
	s.enter("SELECT count(*) AS rows FROM n;")
	s.see("│ 1010 │")
}

// At the bottom of the screen nothing that stands there is drawn over, by
// further lines, menus or recalled statements.
func TestAtTheBottomOfTheScreen(t *testing.T) {
	s := startScreen(t, 80, 14, nil, photoStore(t))
	s.see("photos>")
	for range 3 {
		s.enter("SELECT 1 AS filler;")
		s.ends("photos>")
	}
	s.enter("SELECT widht FROM photos;")
	s.see("         ^\nphotos>")
	s.keys("SELECT " + tab)
	s.see("caption")
	s.see("         ^\nphotos> SELECT")
	s.keys(ctrlC)
	s.ends("photos>")
	for _, l := range []string{"SELECT id,", "  width,", "  caption", "FROM photos", "WHERE id = 'a';"} {
		s.enter(l)
	}
	s.see("│ a  │   100 │ a wolf  │")
	s.enter("SELECT widht FROM photos;")
	s.see("         ^\nphotos>")
	s.keys(up + up)
	s.see("photos> SELECT id,\n│         width,\n│         caption\n│       FROM photos\n   ...> WHERE id = 'a';")
	s.see("         ^\nphotos> SELECT id,")
}

// What is typed while a statement runs, or pasted in one go, is not lost.
func TestTypingAhead(t *testing.T) {
	s := startScreen(t, 80, 50, nil, photoStore(t))
	s.see("photos>")
	s.keys("SELECT 1 AS first;\rSELECT 2 AS second;\rSELECT 3 AS third;\r")
	for _, want := range []string{"│ first │", "│ second │", "│ third │"} {
		s.see(want)
	}
	var long strings.Builder
	for i := range 400 {
		fmt.Fprintf(&long, "%d + ", i)
	}
	s.keys("\x1b[200~SELECT " + long.String() + "0 AS total;\x1b[201~\r")
	s.see("│ 79800 │")
}

// Ctrl-C ends a batch with status 130; what follows is not run.
func TestInterruptedBatch(t *testing.T) {
	cmd := exec.Command(os.Args[0], ":memory:", "--format", "csv",
		"CREATE TABLE n (x INTEGER)", "INSERT INTO n VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)",
		"INSERT INTO n SELECT a.x FROM n a, n b, n c", "SELECT 'ready' AS x", "SELECT count(*) FROM n a, n b, n c, n d, n e", "SELECT 'never' AS x")
	cmd.Env = append(os.Environ(), asCommand+"=1")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
	}
	cmd.Process.Signal(os.Interrupt)
	for lines.Scan() {
		if lines.Text() == "never" {
			t.Error("the statement after the one interrupted was run")
		}
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("status %d, %s", code, errs.String())
	}
}

func TestResizing(t *testing.T) {
	s := startScreen(t, 100, 20, nil, photoStore(t))
	s.see("photos>")
	s.enter("SELECT id, repeat_me FROM (SELECT id, caption || ' and so on, and so on, and so on, and so on' AS repeat_me FROM photos) AS x;")
	s.see("a wolf and so on, and so on, and so on, and so on")
	if err := pty.Setsize(s.tty, &pty.Winsize{Cols: 40, Rows: 20}); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.term.Resize(40, 20)
	s.mu.Unlock()
	s.keys(up)
	s.see("SELECT id, repeat_me")
	s.keys("\r")
	s.wait("a table of at most 40 columns", func(text string) bool {
		for _, l := range strings.Split(text, "\n") {
			if strings.HasPrefix(l, "│ a") && strings.HasSuffix(l, "… │") && len([]rune(l)) <= 40 {
				return true
			}
		}
		return false
	})
}

func TestDotCommandsOnATerminal(t *testing.T) {
	s := startScreen(t, 100, 45, nil, photoStore(t))
	s.see("photos>")
	s.enter(".tables")
	s.see("│ photos │    4 │ id, width, caption, clip │")
	s.enter(`\d photos`)
	s.see("│ clip    │ VECTOR(3) │")
	s.enter(`\x`)
	s.enter("SELECT id, clip FROM photos WHERE id = 'a';")
	s.see("clip = [1, 0, 0]")
	s.enter(`\x`)
	s.enter(".nullvalue -")
	s.enter("SELECT caption FROM photos WHERE id = 'd';")
	s.see("│ -       │")
	s.enter(".nosuch")
	s.see("no command .nosuch")
	s.enter(".quit")
	if status := s.exit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// Texts of the data are never given to a terminal as they are: not by .dump, nor by any
// other command that shows them.
func TestNoControlCharactersOnATerminal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evil.lupa")
	// A title, a colour, a clipboard, C1 controls, a bell, a carriage return, a bidi override.
	const evil = "\x1b]0;owned\x07 \x1b[31mred \x1b]52;c;b3duZWQ=\x07 \u009b32m \u0090q \r overwritten \u202e \x7f \b"
	d, err := db.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, q := range []string{
		`CREATE TABLE photos (id INTEGER PRIMARY KEY, caption TEXT DEFAULT '` + evil + `', "a ` + evil + ` column" TEXT, more JSON, b BLOB)`,
		`CREATE TABLE "t` + evil + `" (a INTEGER)`,
		`CREATE INDEX "i` + evil + `" ON photos (caption)`,
	} {
		if _, err := d.Exec(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Exec(ctx, "INSERT INTO photos VALUES (1, $1, $1, $2, $3)", evil, `{"a": "\u001b]0;owned\u0007"}`, []byte(evil)); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{".dump", ".dump photos", ".schema", ".tables", ".indexes", "SELECT * FROM photos", "SHOW TABLES", "DESCRIBE photos", "SELECT caption FROM nowhere; SELECT '" + evil + "' FROM photos WHERE"} {
		formats := [][]string{nil}
		if command == "SELECT * FROM photos" {
			formats = [][]string{nil, {"--format", "csv"}, {"--format", "json"}, {"--format", "line"}}
		}
		for _, more := range formats {
			s := startScreen(t, 200, 50, nil, append([]string{dir, command}, more...)...)
			s.exit()
			s.mu.Lock()
			raw := s.raw.String()
			s.mu.Unlock()
			if !strings.Contains(raw, "owned") && command != ".indexes" {
				t.Errorf("%s %v does not show the text: %q", command, more, raw)
			}
			for _, bad := range []string{"\x1b]0;", "\x1b]52", "\x1b[31mred", "\u009b", "\u0090", "\x07", "\u202e", "\b", "\x7f", "\r overwritten"} {
				if strings.Contains(raw, bad) {
					t.Errorf("%s %v gives the terminal %q: %q", command, more, bad, raw)
					break
				}
			}
		}
	}
}

func TestPager(t *testing.T) {
	s := startScreen(t, 80, 12, []string{"LUPA_PAGER=sed s/^/paged:/"}, photoStore(t))
	s.see("photos>")
	s.enter("SELECT id FROM photos;")
	s.see("│ d  │")
	if strings.Contains(s.text(), "paged:") {
		t.Errorf("a short result was paged:\n%s", s.text())
	}
	s.enter(".help")
	s.see("paged:")
}

// letters are those of Latin, Greek, Cyrillic and Asian keyboards.
func letters() string {
	var b strings.Builder
	for _, r := range []struct{ from, to rune }{
		{0xa1, 0xac}, {0xae, 0x17f}, {0x386, 0x386}, {0x388, 0x38a}, {0x38e, 0x3a1}, {0x3a3, 0x3ce}, {0x400, 0x45f}, {0x490, 0x491},
		{0x5d0, 0x5ea}, {0x621, 0x64a}, {0x1e80, 0x1e85}, {0x1ea0, 0x1ef9}, {0x3041, 0x3096}, {0x30a1, 0x30fa},
		{0x4e00, 0x4eff}, {0xac00, 0xac7f}, {0xff01, 0xff5e}, {0x20000, 0x2002f}, {0x20ac, 0x20ac}, {0x201c, 0x201e},
	} {
		for c := r.from; c <= r.to; c++ {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// Every letter arrives, typed or pasted, at the end of a line or within it, however
// many come at once, with its marks.
func TestEveryLetterArrives(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.csv")
	s := startScreen(t, 200, 50, nil, photoStore(t))
	s.see("photos>")
	s.enter(".mode csv")
	s.enter(".output " + out)
	s.ends("photos>")
	n := 0
	ask := func(typed, want string) {
		t.Helper()
		n++
		s.keys(typed + fmt.Sprintf("\r.print x\rSELECT %d;\r", n))
		end := time.Now().Add(patience)
		for ; time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			got, _ := os.ReadFile(out)
			if _, found, ok := strings.Cut(string(got), "\nx\n"); ok && strings.Contains(found, fmt.Sprintf("\n%d\n", n)) {
				if !strings.Contains(string(got), want) {
					t.Errorf("typed %.60q; want %.60q in %.200q", typed, want, got)
				}
				os.Truncate(out, 0)
				return
			}
		}
		t.Fatalf("no answer to %.60q:\n%s", typed, s.text())
	}
	for _, group := range strings.SplitAfter(letters(), "ż") {
		ask("SELECT '"+group+"';", group)
	}
	all := letters()
	ask("\x1b[200~SELECT '"+all+"';\x1b[201~", all)
	ask("SELECT '日本\x1b[D語é\x1b[D\x1b[D中\x05';", "日中語é本")
	for _, cluster := range []string{"e\u0301", "\u1112\u1161\u11ab", "क्षि", "👩\u200d🚀", "🇩🇪"} {
		ask("SELECT '"+cluster+"x';", cluster+"x")
	}
	for _, r := range "äßñёЖλ語한" { // bytes that come one by one
		s.keys("SELECT '")
		for _, b := range []byte(string(r)) {
			s.tty.Write([]byte{b})
			time.Sleep(2 * time.Millisecond)
		}
		ask("';", string(r))
	}
}

// What people type to leave, or to learn how, is answered without a semicolon.
func TestPlainWordsOfAShell(t *testing.T) {
	for _, word := range []string{"exit", "quit", "EXIT;", " quit ", "exit()", "quit();"} {
		s := startScreen(t, 100, 24, nil, photoStore(t))
		s.see("photos>")
		s.keys("help\r")
		s.see(".tables")
		s.keys(word + "\r")
		if status := s.exit(); status != 0 {
			t.Errorf("%q gives exit status %d", word, status)
		}
	}
}

// Commands that reach beyond the shell: the start file, prompts, the directory, programs, the
// editor, the browser.
func TestBeyondTheShell(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the programs of this test are scripts of sh")
	}
	dir := t.TempDir()
	put := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	rc := put("rc", ".nullvalue (nothing)\nSELEC 1;\n.prompt '{store} ready$ ' 'more$ '\n")
	put("rows.csv", "id,n\nx,17\n")
	editor := put("editor", "#!/bin/sh\nsed -i.old 's/4 AS four/5 AS five/' \"$1\"\n")
	browser := put("browser", "#!/bin/sh\necho \"browsing $1\" | sed 's/lupa-gallery-.*/a page/'\n")
	s := startScreen(t, 100, 40, []string{"LUPA_RC=" + rc, "LUPA_EDITOR=" + editor, "BROWSER=" + browser, "TMPDIR=" + dir}, photoStore(t))
	s.see("rc:2:1: ") // a fault in the start file is told, and the rest runs
	s.ends("photos ready$")
	s.enter("SELECT")
	s.ends("more$")
	s.enter("NULL AS x;")
	s.see("│ (nothing) │")
	s.enter(".cd " + dir)
	s.enter("SELECT n FROM read_csv('rows.csv');")
	s.see("│ 17 │")
	s.enter("SELECT count(*) + 70 AS still FROM photos;") // the store is where it was
	s.see("│    74 │")
	s.enter(`.shell echo "it's here" | tr a-z A-Z; pwd`)
	s.see("IT'S HERE")
	s.enter(".shell exit 3")
	s.see("exit status 3")
	s.enter("SELECT 4 AS four;")
	s.see("four")
	s.enter(".edit")
	s.see("five")
	s.enter(".edit") // what was run is the last statement now, and the script finds nothing to change
	s.see("nothing was changed")
	s.enter(".open gallery")
	s.see("there is no gallery yet")
	s.enter(".mode gallery image=caption")
	s.enter("SELECT id, caption FROM photos;")
	s.see("in the browser")
	s.enter(".open gallery")
	s.see("browsing ")
	s.enter(".prompt")
	s.ends("photos>")
	s.enter(".cd /no/such/directory")
	s.see("no such file or directory")
	s.enter(".quit")
	if status := s.exit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	got := lupa(t, ".shell exit 2\n.system echo next\n.edit\n", ":memory:", "--keep-going")
	if !strings.Contains(got.out, "next") || !strings.Contains(got.err, "exit status 2") || !strings.Contains(got.err, ".edit needs a terminal") {
		t.Errorf("in batch: %+v", got)
	}
}

// A word that was completed is followed by a blank, a function or a directory is not; what runs on a terminal without
// being typed there shows the digits of a score that matter.
func TestWordsAndScoresOnATerminal(t *testing.T) {
	dir := photoStore(t)
	s := startScreen(t, 100, 30, nil, dir)
	s.see("photos>")
	s.keys("SEL" + tab + "71 AS one;\r")
	s.see("│  71 │")
	s.keys("SELECT coun" + tab + "72) AS two;\r")
	s.see("│   1 │")
	s.keys(".quit\r")
	s.exit()
	s = startScreen(t, 100, 30, nil, dir, "SELECT 0.123456789012 AS score, 1e-7 / 3 AS small")
	s.see("0.123457 ")
	s.exit()
	if got := lupa(t, "", dir, "--format", "csv", "SELECT 0.123456789012 AS score"); !strings.Contains(got.out, "0.123456789012") {
		t.Errorf("elsewhere all digits: %q", got.out)
	}
}
