package shell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
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

// judged is one prompt, what makes a hit right, and what came out.
type judged struct {
	place  string // in the file or table
	prompt string
	kind   string
	wanted string // what makes a hit right, as it is written; "" is not said
	where  []condition
	filed  [3]float64 // precision that the file or table claims, NaN-free; -1 = none

	right     [evalDepth]bool
	n         int // hits there were
	relevant  int // right rows in the table
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
	switch c.column.Type.Kind {
	case db.Real:
		f, err := strconv.ParseFloat(c.text, 64)
		return err == nil && f == v.Float()
	case db.Integer:
		if n, err := strconv.ParseInt(c.text, 10, 64); err == nil {
			return n == v.Int()
		}
		f, err := strconv.ParseFloat(c.text, 64)
		return err == nil && f == float64(v.Int())
	case db.Boolean:
		return strings.EqualFold(v.String(), c.text)
	}
	return v.String() == c.text
}

// evalFlags are those of lupa eval.
func evalFlags(o *options) *pflag.FlagSet {
	f := pflag.NewFlagSet("lupa eval", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	tableFlags(f, o)
	f.StringVar(&o.compare, "compare", "", "`WITH` another column, a store from before\nit got another model, or other prompts")
	f.StringVar(&o.format, "format", "", "output `MODE`")
	f.StringVarP(&o.output, "output", "o", "", "write results to `FILE`")
	f.StringArrayVar(&o.models, "models", nil, "look for encoders in `DIR` first; may be repeated")
	f.BoolVarP(&o.help, "help", "h", false, "this text")
	return f
}

// runEval is lupa eval: for each prompt of a file or table, is the first hit right?
func runEval(ctx context.Context, std stdio, args []string) (err error) {
	o := &options{maxRows: 0, images: "off", color: "auto", readOnly: true}
	f := evalFlags(o)
	if err := f.Parse(args); err != nil {
		return usageError{err}
	}
	if o.help {
		return runHelp(std, []string{"eval"})
	}
	var prompts string
	for _, a := range f.Args() {
		switch {
		case namesPhrases(a) && prompts == "":
			prompts = a
		case o.store == "":
			o.store = a
		default:
			return usagef("eval needs a store and prompts, not %q too", a)
		}
	}
	if prompts == "" {
		return usagef("eval needs prompts, a .csv or a table of the store: lupa eval [STORE] PROMPTS.csv, or table:NAME")
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
		err = s.compare(ctx, prompts, o.compare)
	} else {
		err = s.eval(ctx, prompts)
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
		return "", usagef("say which store: lupa eval STORE PROMPTS (there are %d *.lupa here)", len(all))
	}
	return all[0], nil
}

func (s *Shell) eval(ctx context.Context, prompts string) error {
	t, err := s.evalTarget(ctx, s.opts.column)
	if err != nil {
		return err
	}
	p, err := s.readPhrases(ctx, prompts)
	if err != nil {
		return err
	}
	all, err := readJudged(p, t, false)
	if err != nil {
		return err
	}
	if err := s.judge(ctx, t, all); err != nil {
		return err
	}
	if err := s.showFigures(p, all); err != nil {
		return err
	}
	return s.showWrong(t, all)
}

// readJudged takes the prompts out of their rows: a column query (or prompt), and predicate
// (column=value;column=value) or else id (the expected key). What is right need not be said
// where prompts alone will do.
func readJudged(p phrases, t target, promptsDo bool) ([]judged, error) {
	prompt, predicate, id := p.prompt(), p.column("predicate"), p.column("id", "expected", t.key)
	kind := p.column("kind")
	filed := [3]int{p.column("precision_at_1"), p.column("precision_at_3"), p.column("precision_at_10")}
	if prompt < 0 || predicate < 0 && id < 0 && !promptsDo {
		return nil, fmt.Errorf("%s: needs the columns query and predicate (subject=dog;place=garden), or query and id", p.name)
	}
	var out []judged
	for n, rec := range p.rows {
		j := judged{place: p.where(n), prompt: rec[prompt], filed: [3]float64{-1, -1, -1}}
		if j.prompt == "" {
			return nil, p.errorf(n, "there is no prompt in the column %s", p.head[prompt])
		}
		if kind >= 0 {
			j.kind = rec[kind]
		}
		for i, c := range filed {
			if c < 0 || rec[c] == "" {
				continue
			}
			var err error
			if j.filed[i], err = strconv.ParseFloat(rec[c], 64); err != nil {
				return nil, p.errorf(n, "%s %q is not a number", p.head[c], rec[c])
			}
		}
		if predicate >= 0 {
			j.wanted = rec[predicate]
		}
		if j.wanted == "" && id >= 0 && (rec[id] != "" || !promptsDo) {
			j.wanted = t.key + "=" + rec[id]
		}
		if j.wanted != "" || !promptsDo {
			var err error
			if j.where, err = parsePredicate(j.wanted, t.table); err != nil {
				return nil, p.errorf(n, "%w", err)
			}
		}
		out = append(out, j)
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
		if val != "" && found.Type.Kind == db.Boolean && !strings.EqualFold(val, "true") && !strings.EqualFold(val, "false") {
			return nil, fmt.Errorf("%s is %s, %q is neither true nor false", found.Name, found.Type, val)
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
	}, func(i int, err error) error { return fmt.Errorf("%s: %w", all[i].place, plain(err)) })
	if err != nil {
		return err
	}
	if err := s.countRight(ctx, t, all); err != nil {
		return err
	}
	for i := range all {
		if all[i].rank == 0 && all[i].relevant > 0 {
			if err := s.findRight(ctx, t, &all[i]); err != nil {
				return err
			}
		}
	}
	s.clearProgress()
	return nil
}

// countedAtOnce is how many predicates are counted in one pass over the table.
const countedAtOnce = 64

// countRight counts the rows of the table that are right for each prompt. Prompts of the same
// predicate share a count, and predicates a pass; one that names the key needs a look-up only.
func (s *Shell) countRight(ctx context.Context, t target, all []judged) error {
	of := map[string][]*judged{}
	var pass, byKey []string // predicates, each once
	for i := range all {
		j := &all[i]
		if len(j.where) == 0 {
			continue
		}
		p := j.predicate()
		of[p] = append(of[p], j)
		switch {
		case len(of[p]) > 1:
		case slices.ContainsFunc(j.where, func(c condition) bool { return c.column.Name == t.key && c.text != "" }):
			byKey = append(byKey, p)
		default:
			pass = append(pass, p)
		}
	}
	count := func(columns, where string, predicates ...string) error {
		counts := make([]int64, len(predicates))
		into := make([]any, len(counts))
		for i := range counts {
			into[i] = &counts[i]
		}
		if err := s.conn.QueryRow(ctx, "SELECT "+columns+" FROM "+db.Quote(t.table.Name)+where).Scan(into...); err != nil {
			return err
		}
		for i, p := range predicates {
			for _, j := range of[p] {
				j.relevant = int(counts[i])
			}
		}
		return nil
	}
	for _, p := range byKey {
		if err := count("count(*)", " WHERE "+p, p); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(pass, countedAtOnce) {
		columns := make([]string, len(some))
		for i, p := range some {
			columns[i] = "count(*) FILTER (WHERE " + p + ")"
		}
		if err := count(strings.Join(columns, ", "), "", some...); err != nil {
			return err
		}
	}
	return nil
}

// predicate is what makes a row right, in the language.
func (j *judged) predicate() string {
	var all []string
	for _, c := range j.where {
		all = append(all, c.sql())
	}
	return strings.Join(all, " AND ")
}

func (s *Shell) findRight(ctx context.Context, t target, j *judged) error {
	rows, err := s.conn.Query(ctx, fmt.Sprintf("SELECT %s, %s AS score FROM %s WHERE %s ORDER BY score LIMIT 1",
		db.Quote(t.key), t.sim(), db.Quote(t.table.Name), j.predicate()), j.prompt)
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

// hits is the number of right ones among the first k hits.
func (j *judged) hits(k int) int {
	n := 0
	for _, ok := range j.right[:k] {
		if ok {
			n++
		}
	}
	return n
}

// precision is the share of right ones among the first k hits.
func (j *judged) precision(k int) float64 { return float64(j.hits(k)) / float64(k) }

// hit is 1 where one of the first k hits is right, otherwise 0.
func (j *judged) hit(k int) float64 { return float64(min(1, j.hits(k))) }

// recall is the share of the right rows that the first k hits have; 0 where no row is right.
func (j *judged) recall(k int) float64 { return float64(j.hits(k)) / float64(max(1, j.relevant)) }

// nDCG is the normalized discounted cumulative gain of the first k hits, with a gain of 1 for a
// right row and a discount of log2(1 + rank) (Järvelin and Kekäläinen 2002): 1 where
// right rows come first, as far as there are any, and 0 where no row is right.
func (j *judged) nDCG(k int) float64 {
	gain, best := 0.0, 0.0
	for i, ok := range j.right[:k] {
		if ok {
			gain += 1 / math.Log2(float64(i+2))
		}
		if i < j.relevant {
			best += 1 / math.Log2(float64(i+2))
		}
	}
	if best == 0 {
		return 0
	}
	return gain / best
}

// reciprocalRank is that of the first right hit, 0 where no row is right.
func (j *judged) reciprocalRank() float64 {
	if j.rank == 0 {
		return 0
	}
	return 1 / float64(j.rank)
}

var evalAt = [3]int{1, 3, 10}

// figure is one of a prompt, of which the mean over prompts is shown.
type figure struct {
	name string
	of   func(*judged) float64
}

// allFigures are those that are shown, in this order: scripts read the first ones by their place.
func allFigures() []figure {
	at := func(name string, of func(*judged, int) float64) (out []figure) {
		for _, k := range evalAt {
			out = append(out, figure{fmt.Sprintf("%s@%d", name, k), func(j *judged) float64 { return of(j, k) }})
		}
		return out
	}
	return slices.Concat(at("precision", (*judged).precision), []figure{{"MRR", (*judged).reciprocalRank}},
		at("hit", (*judged).hit), at("recall", (*judged).recall), at("nDCG", (*judged).nDCG))
}

// figureColumns are those of figures.
func figureColumns() []render.Column {
	cols := []render.Column{{Name: "number", Type: db.Type{Kind: db.Integer}}}
	for _, f := range allFigures() {
		cols = append(cols, render.Column{Name: f.name, Type: db.Type{Kind: db.Real}})
	}
	return cols
}

// figures are the number of the prompts of a kind or, for "", of all, and the means of their figures.
func figures(all []judged, kind string) []db.Value {
	shown := allFigures()
	n, sums := 0, make([]float64, len(shown))
	for i := range all {
		j := &all[i]
		if kind != "" && j.kind != kind {
			continue
		}
		n++
		for x, f := range shown {
			sums[x] += f.of(j)
		}
	}
	row := []db.Value{value.Int(int64(n))}
	for _, x := range sums {
		row = append(row, rounded(x/float64(n)))
	}
	return row
}

// showFigures prints the averages: over every kind of prompt, where the file
// kindsOf are the kinds of prompts in the order in which they come, where there are several.
func kindsOf(all []judged) (kinds []string) {
	for _, j := range all {
		if j.kind != "" && !slices.Contains(kinds, j.kind) {
			kinds = append(kinds, j.kind)
		}
	}
	if len(kinds) < 2 {
		return nil
	}
	return kinds
}

// names kinds, and over all.
func (s *Shell) showFigures(p phrases, all []judged) error {
	kinds := kindsOf(all)
	cols := append([]render.Column{{Name: "prompts", Type: db.Type{Kind: db.Text}}}, figureColumns()...)
	var rows [][]db.Value
	for _, k := range append(kinds, "") {
		row := []db.Value{value.Str(cmp.Or(k, "all"))}
		rows = append(rows, append(row, figures(all, k)...))
	}
	if err := s.values(cols, rows); err != nil {
		return err
	}
	claims, agree, said := 0, 0, p.what()
	for i := range all {
		j := &all[i]
		for x, at := range evalAt {
			if j.filed[x] >= 0 {
				claims++
				if d := j.filed[x] - j.precision(at); d < 0.0051 && d > -0.0051 { // the file has two decimals
					agree++
				} else {
					s.message("%s, %s: precision@%d is %.2f, the "+said+" says %.2f", j.place, j.prompt, at, j.precision(at), j.filed[x])
				}
			}
		}
	}
	if claims > 0 {
		s.message("%d of the %d figures in the %s are reproduced", agree, claims, said)
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
