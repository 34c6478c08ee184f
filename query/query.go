package query

import (
	"fmt"
	"sync"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Progress tells how far a long statement (COPY, INSERT ... SELECT, CREATE
// INDEX, CHECK, VACUUM, BACKUP) has come.
type Progress = exec.Progress

// Env is what statements run in. Its fields are set once, before the first
// use, and Env is then safe for concurrent use; it must not be copied.
type Env struct {
	// Store holds the tables.
	Store *storage.Store

	// Encoder opens the encoder of a name, as in CREATE TABLE. It is called
	// often: the caller keeps encoders open and hands out the same one. nil
	// means that no encoder is known.
	Encoder encoder.Opener

	// MemoryBudget bounds, in bytes, what one statement's sorts, groups and
	// joins hold; beyond it a statement fails with a *MemoryError. 0 means 1 GiB.
	MemoryBudget int64

	// Workers is the number of goroutines a scan may use; 0 means one per CPU.
	Workers int

	// NoFiles forbids statements to read and write files (COPY, read_csv,
	// image('path'), BACKUP); AllowURLs lets them read http(s) addresses.
	NoFiles   bool
	AllowURLs bool

	// PromptCache is how many bytes of encoded texts are kept; 0 means 32 MiB,
	// negative none.
	PromptCache int64

	// Attached are the databases whose tables statements use beside those of the store.
	Attached foreign.Set

	stmts   statements
	watches watches
	texts   exec.TextCache
	images  exec.Counter
	once    sync.Once
}

// ImagesEncoded returns how many pictures imports have encoded.
func (e *Env) ImagesEncoded() int64 { return e.images.Load() }

// PromptCounts returns how many texts were found in the prompt cache and how
// many had to be encoded.
func (e *Env) PromptCounts() (hits, encoded int64) { return e.texts.Counts() }

// Hooks are the callbacks of one run. Any may be nil. They are called from the
// goroutine that runs the statement.
type Hooks struct {
	Progress func(Progress)
	Warn     func(string) // a picture that could not be read, and the like
	Notice   func(string) // how an import ended: counts
	NoFiles  bool         // as Env.NoFiles, for this run
	// Within is the time limit of a query that is one search and has none of its own; nil = none.
	Within *time.Duration
}

// Args are a statement's arguments: Pos[0] is for $1 or the first ?, Named for
// :name. Vectors are not copied and must not change while the statement runs.
type Args struct {
	Pos   []value.Value
	Named map[string]value.Value
}

// Stmt is one parsed statement. It is safe for concurrent use, by several sessions too:
// names are looked up when it runs, and again after the tables have changed. It keeps its
// plans from run to run.
type Stmt struct {
	env    *Env
	tree   parse.Statement
	text   string
	weight int64 // memory that tree and plan take, of a long text
	params int
	dollar bool // a parameter has a number of its own, $1
	names  []string
	tag    string
	how    how
	plans  plans
}

// longText is the length from which the text of a statement counts in its memory budget.
const longText = 64 << 10

// longStatement is what it is called in the error.
const longStatement = "the text of the statement, whose many values go better as one parameter, as in k = ANY($1),"

// Prepare parses one statement; a ';' after it is fine. Errors of syntax are
// *Error values. Tables and columns are checked when the statement runs.
func Prepare(env *Env, sql string) (*Stmt, error) {
	if s := env.stmts.get(sql); s != nil {
		return s, nil
	}
	weight := int64(0)
	if len(sql) > longText {
		var memory exec.Budget
		memory.Init(env.MemoryBudget)
		weight = parse.Weight(sql, memory.Limit())
		if err := memory.Reserve(weight, longStatement); err != nil {
			return nil, err
		}
	}
	tree, err := parse.Parse(sql)
	if err != nil {
		return nil, err
	}
	s := &Stmt{env: env, tree: tree, text: sql, weight: weight, tag: tag(tree), how: howTo(tree)}
	seen := map[string]bool{}
	parse.Walk(tree, func(n parse.Node) bool {
		if p, ok := n.(*parse.Param); ok {
			if p.Name == "" {
				s.params = max(s.params, p.Index)
				s.dollar = s.dollar || sql[p.Offset] == '$'
			} else if !seen[p.Name] {
				seen[p.Name] = true
				s.names = append(s.names, p.Name)
			}
		}
		return true
	})
	env.stmts.put(s)
	return s, nil
}

// NumParams returns how many positional arguments the statement takes.
func (s *Stmt) NumParams() int { return s.params }

// Numbered reports whether parameters are written $1, $2, and not ?.
func (s *Stmt) Numbered() bool { return s.dollar }

// ParamNames returns the names of its :name parameters, in order of appearance.
func (s *Stmt) ParamNames() []string { return s.names }

// Text returns the statement as it was given to Prepare.
func (s *Stmt) Text() string { return s.text }

// Tag returns the statement's first words: "SELECT", "INSERT", "CREATE TABLE".
func (s *Stmt) Tag() string { return s.tag }

// ReturnsRows reports whether a run of the statement gives rows to read.
func (s *Stmt) ReturnsRows() bool { return returnsRows(s.tree) }

// BeginsReading reports whether the statement is BEGIN READ ONLY.
func (s *Stmt) BeginsReading() bool {
	b, ok := s.tree.(*parse.Begin)
	return ok && b.ReadOnly
}

// ReadOnly reports whether the statement leaves the store as it is.
func (s *Stmt) ReadOnly() bool { return readOnly(s.tree) }

// Error is an error at a place in the statement's text: line, column, what was
// wrong and what would be right.
type Error = parse.Error

// check compares the arguments with the parameters.
func (s *Stmt) check(args Args) error {
	if len(args.Pos) != s.params {
		plural := "s"
		if s.params == 1 {
			plural = ""
		}
		return fmt.Errorf("the statement has %d parameter%s, but %d arguments were given", s.params, plural, len(args.Pos))
	}
	for _, n := range s.names {
		if _, ok := args.Named[n]; !ok {
			return fmt.Errorf("no argument for the parameter :%s", n)
		}
	}
	return nil
}
