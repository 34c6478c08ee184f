package shell

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage/value"
	"github.com/spf13/pflag"
)

// evalDepth is how many hits of each prompt are judged.
const evalDepth = 10

// judged is one prompt of the file, what makes a hit right, and what came out.
type judged struct {
	line   int
	prompt string
	kind   string
	where  []condition
	filed  [3]float64 // precision that the file claims, NaN-free; -1 = none

	right     [evalDepth]bool
	n         int // hits there were
	firstKey  db.Value
	top       float64 // score of the first hit
	rank      int     // of the first right hit, 0 = there is none in the table
	bestKey   db.Value
	bestScore float64
}

// condition is column=value of a predicate.
type condition struct {
	column db.Column
	text   string
}

// sql is the condition in the language; an empty value means that there is none.
func (c condition) sql() string {
	name := db.Quote(c.column.Name)
	switch {
	case c.text == "" && c.column.Type.Kind == db.Text:
		return fmt.Sprintf("coalesce(%s, '') = ''", name)
	case c.text == "":
		return name + " IS NULL"
	case c.column.Type.Kind == db.Integer || c.column.Type.Kind == db.Real || c.column.Type.Kind == db.Boolean:
		return name + " = " + c.text
	}
	return name + " = " + query.QuoteText(c.text)
}

func (c condition) holds(v db.Value) bool {
	if v.IsNull() {
		return c.text == ""
	}
	if c.column.Type.Kind == db.Real {
		f, err := strconv.ParseFloat(c.text, 64)
		return err == nil && f == v.Float()
	}
	return v.String() == c.text
}

// evalFlags are those of lupa eval.
func evalFlags(o *options) *pflag.FlagSet {
	f := pflag.NewFlagSet("lupa eval", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	tableFlags(f, o)
	f.StringVar(&o.compare, "compare", "", "`WITH` another column, or a store from before\nit got another model: which first hits change")
	f.StringVar(&o.format, "format", "", "output `MODE`")
	f.StringVarP(&o.output, "output", "o", "", "write results to `FILE`")
	f.StringArrayVar(&o.models, "models", nil, "look for encoders in `DIR` first; may be repeated")
	f.BoolVarP(&o.help, "help", "h", false, "this text")
	return f
}

// runEval is lupa eval: for each prompt of a file, is the first hit right?
func runEval(ctx context.Context, std stdio, args []string) (err error) {
	o := &options{maxRows: 0, images: "off", color: "auto", readOnly: true}
	f := evalFlags(o)
	if err := f.Parse(args); err != nil {
		return usageError{err}
	}
	if o.help {
		return runHelp(std, []string{"eval"})
	}
	var file string
	for _, a := range f.Args() {
		switch ext := strings.ToLower(filepath.Ext(a)); {
		case (ext == ".csv" || ext == ".tsv") && file == "":
			file = a
		case o.store == "":
			o.store = a
		default:
			return usagef("eval needs a store and a file of prompts, not %q too", a)
		}
	}
	if file == "" {
		return usagef("eval needs a .csv of prompts: lupa eval [STORE] PROMPTS.csv")
	}
	if o.store == "" {
		if o.store, err = onlyStore("."); err != nil {
			return err
		}
	}
	s, err := newShell(std, o)
	if err != nil {
		return err
	}
	if o.output != "" {
		if s.out, err = openSink(o.output); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.out.close()) }()
	}
	if err := s.open(ctx, o.store, true, true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.closeStore()) }()
	s.stop = catchInterrupts()
	defer s.stop.release()
	ctx, stop := s.cancellable(ctx)
	defer stop()
	if o.compare != "" {
		err = s.compare(ctx, file, o.compare)
	} else {
		err = s.eval(ctx, file)
	}
	if err != nil && context.Cause(ctx) == errInterrupted {
		return errInterrupted
	}
	return err
}

// onlyStore finds the one directory *.lupa in dir.
func onlyStore(dir string) (string, error) {
	if name := os.Getenv("LUPA_STORE"); name != "" {
		return name, nil
	}
	all, err := filepath.Glob(filepath.Join(dir, "*.lupa"))
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", usagef("say which store: lupa eval STORE PROMPTS.csv (there are %d *.lupa here)", len(all))
	}
	return all[0], nil
}

func (s *Shell) eval(ctx context.Context, file string) error {
	t, err := s.evalTarget(ctx, s.opts.column)
	if err != nil {
		return err
	}
	all, err := readJudged(file, t, false)
	if err != nil {
		return err
	}
	if err := s.judge(ctx, t, all); err != nil {
		return err
	}
	if err := s.showFigures(all); err != nil {
		return err
	}
	return s.showWrong(t, all)
}

// readJudged reads the file: a column query (or prompt), and predicate
// (column=value;column=value) or else id (the expected key). What is right need not be said
// where prompts alone will do.
func readJudged(file string, t target, promptsDo bool) ([]judged, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	if strings.EqualFold(filepath.Ext(file), ".tsv") {
		r.Comma = '\t'
	}
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: no headings: %w", file, err)
	}
	col := func(names ...string) int {
		for _, n := range names {
			for i, h := range head {
				if strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")), n) {
					return i
				}
			}
		}
		return -1
	}
	prompt, predicate, id := col("query", "prompt"), col("predicate"), col("id", "expected", t.key)
	kind := col("kind")
	filed := [3]int{col("precision_at_1"), col("precision_at_3"), col("precision_at_10")}
	if prompt < 0 || predicate < 0 && id < 0 && !promptsDo {
		return nil, fmt.Errorf("%s: wants the columns query and predicate (subject=dog;place=garden), or query and id", file)
	}
	var out []judged
	for {
		rec, err := r.Read()
		if err == io.EOF {
			break
		}
		line, _ := r.FieldPos(0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		j := judged{line: line, prompt: rec[prompt], filed: [3]float64{-1, -1, -1}}
		if kind >= 0 {
			j.kind = rec[kind]
		}
		for i, c := range filed {
			if c < 0 || rec[c] == "" {
				continue
			}
			if j.filed[i], err = strconv.ParseFloat(rec[c], 64); err != nil {
				return nil, fmt.Errorf("%s:%d: %s %q is not a number", file, line, head[c], rec[c])
			}
		}
		text := ""
		if predicate >= 0 {
			text = rec[predicate]
		}
		if text == "" && id >= 0 {
			text = t.key + "=" + rec[id]
		}
		if text == "" && promptsDo {
			out = append(out, j)
			continue
		}
		if j.where, err = parsePredicate(text, t.table); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		out = append(out, j)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no prompts", file)
	}
	return out, nil
}

// parsePredicate reads subject=dog;place=garden over a table's columns.
func parsePredicate(text string, t db.Table) ([]condition, error) {
	var out []condition
	for _, part := range strings.Split(text, ";") {
		name, val, ok := strings.Cut(part, "=")
		name, val = strings.TrimSpace(name), strings.TrimSpace(val)
		if !ok {
			return nil, fmt.Errorf("predicate %q: %q is not column=value", text, part)
		}
		var found *db.Column
		var names []string
		for i, c := range t.Columns {
			if strings.EqualFold(c.Name, name) {
				found = &t.Columns[i]
			}
			names = append(names, c.Name)
		}
		if found == nil {
			return nil, fmt.Errorf("no column %q in %s (there are %s)", name, t.Name, strings.Join(names, ", "))
		}
		if k := found.Type.Kind; val != "" && (k == db.Integer || k == db.Real) {
			if _, err := strconv.ParseFloat(val, 64); err != nil {
				return nil, fmt.Errorf("%s is %s, %q is not a number", found.Name, found.Type, val)
			}
		}
		out = append(out, condition{*found, val})
	}
	return out, nil
}

// judge runs every prompt. A prompt without a right row among the first ten is
// looked into once more for the best right row there is, and its rank: one more
// than the number of rows with a higher score.
func (s *Shell) judge(ctx context.Context, t target, all []judged) error {
	columns := []string{db.Quote(t.key)}
	at := map[string]int{}
	for _, j := range all {
		for _, c := range j.where {
			if _, ok := at[c.column.Name]; !ok {
				at[c.column.Name] = len(columns)
				columns = append(columns, db.Quote(c.column.Name))
			}
		}
	}
	st, err := s.conn.Prepare(ctx, fmt.Sprintf("SELECT %s, %s AS score FROM %s ORDER BY score LIMIT %d",
		strings.Join(columns, ", "), t.sim(), db.Quote(t.table.Name), evalDepth))
	if err != nil {
		return err
	}
	defer st.Close()
	prompts := make([]string, len(all))
	for i, j := range all {
		prompts[i] = j.prompt
	}
	err = forEach(ctx, st, prompts, func(i int, rows *db.Rows) error {
		j := &all[i]
		s.progress(db.Progress{Stage: "prompts", Done: int64(i), Total: int64(len(all)), Unit: "prompts"})
		for ; rows.Next(); j.n++ {
			v := rows.Values()
			ok := true
			for _, c := range j.where {
				ok = ok && c.holds(v[at[c.column.Name]])
			}
			j.right[j.n] = ok
			score := v[len(v)-1].Float()
			if j.n == 0 {
				j.firstKey, j.top = v[0], score
			}
			if ok && j.rank == 0 {
				j.rank, j.bestKey, j.bestScore = j.n+1, v[0], score
			}
		}
		return rows.Err()
	}, func(i int, err error) error { return fmt.Errorf("line %d: %w", all[i].line, plain(err)) })
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].rank == 0 && len(all[i].where) > 0 {
			if err := s.findRight(ctx, t, &all[i]); err != nil {
				return err
			}
		}
	}
	s.clearProgress()
	return nil
}

func (s *Shell) findRight(ctx context.Context, t target, j *judged) error {
	var where []string
	for _, c := range j.where {
		where = append(where, c.sql())
	}
	rows, err := s.conn.Query(ctx, fmt.Sprintf("SELECT %s, %s AS score FROM %s WHERE %s ORDER BY score LIMIT 1",
		db.Quote(t.key), t.sim(), db.Quote(t.table.Name), strings.Join(where, " AND ")), j.prompt)
	if err != nil {
		return err
	}
	found := rows.Next()
	if found {
		v := rows.Values()
		j.bestKey, j.bestScore = v[0], v[1].Float()
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || !found {
		return err
	}
	var better int64
	err = s.conn.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s > $2", db.Quote(t.table.Name), t.sim()),
		j.prompt, j.bestScore).Scan(&better)
	j.rank = int(better) + 1
	return err
}

// precision is the share of right ones among the first k hits.
func (j *judged) precision(k int) float64 {
	n := 0
	for _, ok := range j.right[:k] {
		if ok {
			n++
		}
	}
	return float64(n) / float64(k)
}

var evalAt = [3]int{1, 3, 10}

// figureColumns are those of figures.
var figureColumns = []render.Column{{Name: "number", Type: db.Type{Kind: db.Integer}},
	{Name: "precision@1", Type: db.Type{Kind: db.Real}}, {Name: "precision@3", Type: db.Type{Kind: db.Real}},
	{Name: "precision@10", Type: db.Type{Kind: db.Real}}, {Name: "MRR", Type: db.Type{Kind: db.Real}}}

// figures are the number of the prompts of a kind or, for "", of all, their precision among the
// first 1, 3 and 10 hits and mean reciprocal rank.
func figures(all []judged, kind string) []db.Value {
	n, sums := 0, [4]float64{}
	for i := range all {
		j := &all[i]
		if kind != "" && j.kind != kind {
			continue
		}
		n++
		for x, at := range evalAt {
			sums[x] += j.precision(at)
		}
		if j.rank > 0 {
			sums[3] += 1 / float64(j.rank)
		}
	}
	row := []db.Value{value.Int(int64(n))}
	for _, x := range sums {
		row = append(row, rounded(x/float64(n)))
	}
	return row
}

// showFigures prints the averages: over every kind of prompt, where the file
// names kinds, and over all.
func (s *Shell) showFigures(all []judged) error {
	var kinds []string
	seen := map[string]bool{}
	for _, j := range all {
		if j.kind != "" && !seen[j.kind] {
			seen[j.kind] = true
			kinds = append(kinds, j.kind)
		}
	}
	if len(kinds) < 2 {
		kinds = nil
	}
	cols := append([]render.Column{{Name: "prompts", Type: db.Type{Kind: db.Text}}}, figureColumns...)
	var rows [][]db.Value
	for _, k := range append(kinds, "") {
		row := []db.Value{value.Str(cmp.Or(k, "all"))}
		rows = append(rows, append(row, figures(all, k)...))
	}
	if err := s.values(cols, rows); err != nil {
		return err
	}
	claims, agree := 0, 0
	for i := range all {
		j := &all[i]
		for x, at := range evalAt {
			if j.filed[x] >= 0 {
				claims++
				if d := j.filed[x] - j.precision(at); d < 0.0051 && d > -0.0051 { // the file has two decimals
					agree++
				} else {
					s.message("line %d, %s: precision@%d is %.2f, the file says %.2f", j.line, j.prompt, at, j.precision(at), j.filed[x])
				}
			}
		}
	}
	if claims > 0 {
		s.message("%d of the %d figures in the file are reproduced", agree, claims)
	}
	return nil
}

// showWrong lists the prompts whose first hit is wrong, and by how much the best
// right row missed.
func (s *Shell) showWrong(t target, all []judged) error {
	keyType := t.keyType()
	text, number := db.Type{Kind: db.Text}, db.Type{Kind: db.Real}
	cols := []render.Column{{Name: "first hit is wrong", Type: text}, {Name: "first", Type: keyType}, {Name: "score", Type: number},
		{Name: "best right", Type: keyType}, {Name: "its score", Type: number}, {Name: "margin", Type: number}, {Name: "rank", Type: db.Type{Kind: db.Integer}}}
	var rows [][]db.Value
	for i := range all {
		j := &all[i]
		if j.n > 0 && j.right[0] {
			continue
		}
		row := []db.Value{value.Str(j.prompt), {}, {}, {}, {}, {}, {}}
		if j.n > 0 {
			row[1], row[2] = j.firstKey, rounded(j.top)
		}
		if j.rank > 0 {
			row[3], row[4] = j.bestKey, rounded(j.bestScore)
			row[5], row[6] = rounded(j.top-j.bestScore), value.Int(int64(j.rank))
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		s.message("every first hit is right")
		return nil
	}
	return s.values(cols, rows)
}

// rounded keeps four decimals: figures, not data.
func rounded(x float64) db.Value {
	f, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'f', 4, 64), 64)
	return value.Float(f)
}
