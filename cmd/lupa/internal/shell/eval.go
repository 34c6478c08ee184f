package shell

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/internal/eval"
	"github.com/lupadb/lupa/storage/value"
	"github.com/spf13/pflag"
)

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
	all, err := eval.Read(p, t, false)
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

// judge runs every prompt, with a bar.
func (s *Shell) judge(ctx context.Context, t eval.Target, all []eval.Prompt) error {
	defer s.clearProgress()
	return eval.Judge(ctx, s.conn, t, all, s.progress)
}

// figureColumns are those of figures.
func figureColumns() []render.Column {
	cols := []render.Column{{Name: "number", Type: db.Type{Kind: db.Integer}}}
	for _, f := range eval.Figures() {
		cols = append(cols, render.Column{Name: f.Name, Type: db.Type{Kind: db.Real}})
	}
	return cols
}

// figures are the number of the prompts of a kind or, for "", of all, and the means of their figures.
func figures(all []eval.Prompt, kind string) []db.Value {
	n, means := eval.Means(all, kind)
	row := []db.Value{value.Int(int64(n))}
	for _, x := range means {
		row = append(row, rounded(x))
	}
	return row
}

// showFigures prints the averages: over every kind of prompt, where the file
// names kinds, and over all.
func (s *Shell) showFigures(p eval.Phrases, all []eval.Prompt) error {
	kinds := eval.Kinds(all)
	cols := append([]render.Column{{Name: "prompts", Type: db.Type{Kind: db.Text}}}, figureColumns()...)
	var rows [][]db.Value
	for _, k := range append(kinds, "") {
		row := []db.Value{value.Str(cmp.Or(k, "all"))}
		rows = append(rows, append(row, figures(all, k)...))
	}
	if err := s.values(cols, rows); err != nil {
		return err
	}
	claims, agree, said := 0, 0, p.What()
	for i := range all {
		j := &all[i]
		for x, at := range eval.At {
			if j.Filed[x] >= 0 {
				claims++
				if d := j.Filed[x] - j.Precision(at); d < 0.0051 && d > -0.0051 { // the file has two decimals
					agree++
				} else {
					s.message("%s, %s: precision@%d is %.2f, the "+said+" says %.2f", j.Place, j.Text, at, j.Precision(at), j.Filed[x])
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
func (s *Shell) showWrong(t eval.Target, all []eval.Prompt) error {
	keyType := t.KeyType()
	text, number := db.Type{Kind: db.Text}, db.Type{Kind: db.Real}
	cols := []render.Column{{Name: "first hit is wrong", Type: text}, {Name: "first", Type: keyType}, {Name: "score", Type: number},
		{Name: "best right", Type: keyType}, {Name: "its score", Type: number}, {Name: "margin", Type: number}, {Name: "rank", Type: db.Type{Kind: db.Integer}}}
	var rows [][]db.Value
	for i := range all {
		j := &all[i]
		if j.FirstRight() {
			continue
		}
		row := []db.Value{value.Str(j.Text), {}, {}, {}, {}, {}, {}}
		if j.N > 0 {
			row[1], row[2] = j.First, rounded(j.Top)
		}
		if j.Rank > 0 {
			row[3], row[4] = j.Best, rounded(j.BestScore)
			row[5], row[6] = rounded(j.Top-j.BestScore), value.Int(int64(j.Rank))
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
