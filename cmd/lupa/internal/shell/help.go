package shell

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// runHelp prints --help of lupa, or of a subcommand: a screen each.
func runHelp(std stdio, args []string) error {
	if len(args) > 0 {
		for _, c := range subcommands() {
			if c.name == args[0] {
				return printHelp(std.out, c)
			}
		}
		return usagef("no subcommand %q", args[0])
	}
	var b strings.Builder
	b.WriteString(`lupa - search pictures and vectors with SQL

  lupa [FLAGS] STORE              the shell; makes STORE if need be
  lupa [FLAGS] STORE SQL...       run statements; so do -c, -f and stdin
`)
	for _, c := range subcommands() {
		if c.short != "" {
			fmt.Fprintf(&b, "  lupa %-26s %s\n", c.name+" "+c.args, c.short)
		}
	}
	b.WriteString("\n")
	var more []string
	f := newFlags(&options{})
	f.VisitAll(func(x *pflag.Flag) {
		if !mainFlags[x.Name] && x.Name != "help" {
			more = append(more, "--"+x.Name)
			x.Hidden = true
		}
	})
	b.WriteString(flagText(f))
	b.WriteString("More, described by lupa man:\n" + wrap(more, 78))
	_, err := io.WriteString(std.out, b.String())
	return err
}

// mainFlags are those that --help has room for; the manual page has all.
var mainFlags = map[string]bool{
	"command": true, "file": true, "format": true, "output": true, "param": true, "prompts": true, "models": true,
	"read-only": true,
}

// wrap sets words in lines of at most width columns, indented.
func wrap(words []string, width int) string {
	var b strings.Builder
	line := " "
	for _, w := range words {
		if len(line)+1+len(w) > width {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + w
	}
	b.WriteString(line + "\n")
	return b.String()
}

func printHelp(w io.Writer, c subcommand) error {
	var b strings.Builder
	fmt.Fprintf(&b, "lupa %s - %s\n\n  lupa %s\n", c.name, c.doc, strings.TrimSpace(c.name+" "+c.args))
	if text := subcommandHelp[c.name]; text != "" {
		b.WriteString("\n" + text)
	}
	if f := subcommandFlags(c.name); f != nil {
		b.WriteString("\nFlags\n" + flagText(f))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var subcommandHelp = map[string]string{
	"browse": `Prints an address to open in a browser. The store is opened for reading
only, unless --write lets the page import pictures and run statements that
write. The address holds a token that the page needs, and only this machine is
listened to unless --listen says otherwise. Pictures are files that rows name,
or addresses. What is said of hits, right or wrong, goes to a file of prompts
beside the store, which lupa eval measures.
`,
	"mcp": `Speaks the protocol over standard input and output: an assistant starts it.
The store is opened for reading only, and statements can't name files. Tools:
search, similar, describe and query; each table is a resource.
`,
	"eval": `PROMPTS is a .csv, or table:NAME of the store (.import makes one), with a column
query and either predicate, conditions on the table's columns such as subject=
dog;place=garden, or id, the key of the right row. With a column right, rows of
one query are one prompt, and no says that the row of that id is wrong. Printed
are precision, hit, recall and nDCG of the first 1, 3 and 10, and the mean
reciprocal rank (MRR), by kind if there is such a column; then the prompts whose
first hit is wrong, and its margin. precision_at_1, _3 and _10 are compared with
the outcome. --compare shows which first hits change, and by what margins;
prompts alone will do. Other prompts are paired row by row, or by a column name.
Without STORE it is $LUPA_STORE, or the only *.lupa here.
`,
	"watch": `Prints the rows that meet the condition of a watch (CREATE WATCH name ON table
WHERE condition) since a commit, a JSON object a line, those first that were
not told so far, and acknowledges them. Goes on until Ctrl-C. A store is open in
one program at a time: it is opened here when another one has closed it, for a
moment. A Go program that writes is told at once by DB.Watch.
`,
	"model": `list   encoders found in --models, $LUPA_MODELS and the user's cache; with
       --available what can be pulled, what for, how good, which licence
check  what a model directory holds and whether it can encode text and pictures
pull   download a model into the user's cache
`,
	"setup": `Fetches the library that runs the models into the user's cache, checked
against its known checksum. Not needed where it is installed already.
`,
	"repair": `Some copying tools leave out empty files, of which a store has a few. Puts back
those that can be inferred, and COMMITS and the list of files, when everything
else is there; says what is missing otherwise, and leaves it alone.
`,
	"salvage": `Reads what can be read of the store DAMAGED, which is not changed, into the new
store NEW, and says how many rows of each table were saved and what is lost.
`,
	"restore": `Verifies BACKUP, which BACKUP TO has made, and copies it to the new directory
STORE.
`,
	"completion": `bash:  source <(lupa completion bash)
zsh:   lupa completion zsh > "${fpath[1]}/_lupa"
fish:  lupa completion fish > ~/.config/fish/completions/lupa.fish
`,
}

func subcommandFlags(name string) *pflag.FlagSet {
	switch name {
	case "eval":
		return evalFlags(&options{})
	case "watch":
		return watchFlags(&watchOptions{})
	case "browse", "mcp":
		return serveFlags(name, &serveOptions{})
	case "model", "setup":
		return modelFlags(name, &options{})
	}
	return nil
}

// flagText lists flags in two columns.
func flagText(f *pflag.FlagSet) string {
	var b strings.Builder
	f.VisitAll(func(x *pflag.Flag) {
		if x.Hidden {
			return
		}
		arg, doc := pflag.UnquoteUsage(x)
		if x.Value.Type() == "bool" {
			arg = ""
		}
		name := "    --" + x.Name
		if x.Shorthand != "" {
			name = "-" + x.Shorthand + ", --" + x.Name
		}
		if arg != "" {
			name += " " + arg
		}
		lines := strings.Split(doc, "\n")
		fmt.Fprintf(&b, "  %-24s %s\n", name, lines[0])
		for _, l := range lines[1:] {
			fmt.Fprintf(&b, "  %-24s %s\n", "", l)
		}
	})
	return b.String()
}

// runMan prints the manual page in roff's man macros, made from the tables that
// --help and .help come from.
func runMan(_ context.Context, std stdio, _ []string) error {
	esc := strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`)
	text := func(s string) string {
		s = esc.Replace(strings.ReplaceAll(s, "\n", " "))
		if strings.HasPrefix(s, ".") {
			s = `\&` + s
		}
		return s
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".TH LUPA 1 \"\" \"lupa %s\" \"User Commands\"\n", text(std.version))
	b.WriteString(".SH NAME\nlupa \\- search pictures and vectors with SQL\n.SH SYNOPSIS\n")
	b.WriteString(".B lupa\n[\\fIFLAGS\\fR] [\\fISTORE\\fR [\\fISQL\\fR...]]\n")
	for _, c := range subcommands() {
		fmt.Fprintf(&b, ".br\n.B lupa %s\n", c.name)
		if c.args != "" {
			b.WriteString(text(c.args) + "\n")
		}
	}
	b.WriteString(".SH DESCRIPTION\nOpens the store in the directory\n.IR STORE ,\nmaking it if there is none, and runs the statements given as arguments, with\n\\-c, in files or on standard input. With none of these and a terminal it is an interactive shell.\n")
	b.WriteString(".PP\nResults go to standard output, everything else to standard error.\n.SH OPTIONS\n")
	manFlags(&b, newFlags(&options{}), text)
	b.WriteString(".PP\nThe VALUE of a parameter is a text in single quotes, a number, a vector such as [1, 0.5], true, false or null; anything else is text as it stands.\n")
	b.WriteString(".PP\nA word that is a subcommand is taken as one: a store called eval is ./eval.\n")
	for _, c := range subcommands() {
		fmt.Fprintf(&b, ".SH \"LUPA %s\"\n%s.\n", strings.ToUpper(c.name), text(c.doc))
		if h := subcommandHelp[c.name]; h != "" {
			b.WriteString(".PP\n.nf\n")
			for _, l := range strings.Split(strings.TrimRight(h, "\n"), "\n") {
				b.WriteString(text(l) + "\n")
			}
			b.WriteString(".fi\n")
		}
		if f := subcommandFlags(c.name); f != nil {
			manFlags(&b, f, text)
		}
	}
	b.WriteString(".SH COMMANDS OF THE SHELL\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", text(strings.TrimSpace(c.name+" "+c.args)), text(c.doc))
	}
	b.WriteString(".SH EXIT STATUS\n0 if all went well, 1 if a statement failed, 2 for a wrong command line, 130 after an interrupt.\n")
	b.WriteString(".SH ENVIRONMENT\n")
	for _, e := range [][2]string{
		{"LUPA_MODELS", "directories of encoders, separated as in PATH"},
		{"LUPA_STORE", "the store of lupa eval where none is named"},
		{"LUPA_HISTORY", "file of the shell's history; empty keeps none"},
		{"LUPA_RC", "file of commands and statements that the interactive shell begins with, ~/.luparc by default; empty runs none"},
		{"LUPA_EDITOR, VISUAL, EDITOR", "program of .edit"},
		{"LUPA_PAGER, PAGER", "program that shows what exceeds the screen"},
		{"NO_COLOR", "if set, no colours"},
		{"ONNXRUNTIME_SHARED_LIBRARY_PATH", "the library that runs the models"},
	} {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", text(e[0]), text(e[1]))
	}
	_, err := io.WriteString(std.out, b.String())
	return err
}

func manFlags(b *strings.Builder, f *pflag.FlagSet, text func(string) string) {
	f.VisitAll(func(x *pflag.Flag) {
		arg, doc := pflag.UnquoteUsage(x)
		if x.Value.Type() == "bool" {
			arg = ""
		}
		name := "--" + x.Name
		if x.Shorthand != "" {
			name = "-" + x.Shorthand + ", " + name
		}
		fmt.Fprintf(b, ".TP\n.B %s %s\n%s\n", text(name), text(arg), text(doc))
	})
}
