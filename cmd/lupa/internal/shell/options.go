package shell

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// input is something to run: text from the command line, or a file.
type input struct {
	sql  string
	file string // "-" is standard input; "" means sql
}

// options are the command line's.
type options struct {
	store  string
	inputs []input // of -c, -f and SQL arguments, in their order

	format, output, errorsTo string
	variant                  string
	available                bool // of lupa model list
	models, params           []string
	compare                  string // of eval: another column, or a store
	readOnly, keepGoing      bool
	asFound                  bool
	echo, timer              bool
	noHeader                 bool
	null                     string
	width, maxRows           int
	images, color            string
	prompts, table, column   string
	limit                    int
	urls                     bool
	help, version            bool

	widthSet, maxRowsSet bool
}

// usageError is a mistake on the command line: exit status 2.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// inputFlag appends to inputs, so that -c and -f keep their order.
type inputFlag struct {
	to   *[]input
	file bool
}

func (f inputFlag) String() string { return "" }
func (f inputFlag) Type() string {
	if f.file {
		return "FILE"
	}
	return "SQL"
}
func (f inputFlag) Set(s string) error {
	if f.file {
		*f.to = append(*f.to, input{file: s})
	} else {
		*f.to = append(*f.to, input{sql: s})
	}
	return nil
}

// newFlags declares the flags of `lupa [FLAGS] STORE`. Subcommands take those
// among them that storeFlags declares.
func newFlags(o *options) *pflag.FlagSet {
	f := pflag.NewFlagSet("lupa", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	f.VarP(inputFlag{&o.inputs, false}, "command", "c", "run `SQL`; like -f, may be repeated")
	f.VarP(inputFlag{&o.inputs, true}, "file", "f", "run the statements of `FILE`; - is standard input")
	f.StringVar(&o.format, "format", "", "results as `MODE`: box, table, csv, json, ... (.mode)")
	f.StringVarP(&o.output, "output", "o", "", "write results to `FILE`")
	f.StringVar(&o.errorsTo, "errors-to", "", "write errors and messages to `FILE`")
	f.StringArrayVarP(&o.params, "param", "p", nil, "set :NAME by `NAME=VALUE`, $1 by 1=VALUE")
	f.StringVar(&o.prompts, "prompts", "", "one search for each line of `FILE`, or of table:NAME")
	tableFlags(f, o)
	f.IntVarP(&o.limit, "limit", "k", 10, "with --prompts: `N` rows a prompt")
	storeFlags(f, o)
	f.BoolVar(&o.keepGoing, "keep-going", false, "go on after a statement has failed; exit status 1")
	f.BoolVar(&o.echo, "echo", false, "print every statement before its result")
	f.BoolVar(&o.timer, "timer", false, "print the time every statement takes")
	f.BoolVar(&o.noHeader, "no-header", false, "leave out the headings")
	f.StringVar(&o.null, "null", "", "`TEXT` for NULL in modes for people (NULL)")
	f.IntVar(&o.width, "width", 0, "fit box, table and line into `N` columns, shortening values\n(0: as wide as the terminal; elsewhere nothing is shortened)")
	f.IntVar(&o.maxRows, "max-rows", 40, "rows that a terminal shows of a long result; 0 is all")
	f.StringVar(&o.images, "images", "auto", "thumbnails by `PROTOCOL`: auto, kitty, iterm, sixel, blocks, off")
	f.StringVar(&o.color, "color", "auto", "`WHEN` results are coloured: auto, always or never")
	f.BoolVarP(&o.help, "help", "h", false, "this text")
	f.BoolVarP(&o.version, "version", "V", false, "print version and commit")
	return f
}

func storeFlags(f *pflag.FlagSet, o *options) {
	f.StringArrayVar(&o.models, "models", nil, "look for encoders in `DIR` first; may be repeated")
	f.BoolVar(&o.asFound, "as-found", false, "read what can be read of a damaged store")
	f.BoolVarP(&o.readOnly, "read-only", "r", false, "open the store without the right to write")
	f.BoolVar(&o.urls, "urls", false, "let image('https://...') and thumbnails fetch pictures")
}

func tableFlags(f *pflag.FlagSet, o *options) {
	f.StringVar(&o.table, "table", "", "search in `TABLE` (default: the only one with vectors)")
	f.StringVar(&o.column, "column", "", "its vector `COLUMN` (default: the only one)")
}

// parseOptions reads the command line of `lupa [FLAGS] [STORE [SQL...]]`.
func parseOptions(args []string) (*options, error) {
	o := &options{}
	f := newFlags(o)
	if err := f.Parse(args); err != nil {
		return nil, usageError{err}
	}
	o.widthSet, o.maxRowsSet = f.Changed("width"), f.Changed("max-rows")
	rest := f.Args()
	if len(rest) > 0 {
		o.store = rest[0]
		for _, sql := range rest[1:] {
			o.inputs = append(o.inputs, input{sql: sql})
		}
	}
	switch o.color {
	case "auto", "always", "never":
	default:
		return nil, usagef("--color is auto, always or never, not %q", o.color)
	}
	if o.width < 0 || o.maxRows < 0 || o.limit < 1 {
		return nil, usagef("--width and --max-rows can't be negative, --limit is at least 1")
	}
	return o, nil
}

// firstStatement returns the beginning of what the options would run first, or
// "" if that comes from a file or a person.
func (o *options) firstStatement() string {
	if len(o.inputs) == 0 {
		return ""
	}
	return strings.TrimSpace(o.inputs[0].sql)
}

var errFailed = errors.New("a statement failed") // reported already
