package shell

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/spf13/pflag"
)

// flagValues are the values of flags that have a fixed set of them.
func flagValues(name string) []string {
	switch name {
	case "format":
		return render.Names()
	case "images":
		return render.Protocols()
	case "color":
		return []string{"auto", "always", "never"}
	}
	return nil
}

// flagKind says what a flag takes: "file", "dir", "" (something else) or "none".
func flagKind(f *pflag.Flag) string {
	switch f.Name {
	case "file", "output", "errors-to", "prompts":
		return "file"
	case "models":
		return "dir"
	}
	if f.Value.Type() == "bool" {
		return "none"
	}
	return ""
}

// runCompletion prints a completion script, made from the flags' table.
func runCompletion(_ context.Context, std stdio, args []string) error {
	if len(args) != 1 {
		return usagef("lupa completion bash, zsh or fish")
	}
	var text string
	switch args[0] {
	case "bash":
		text = bashCompletion()
	case "zsh":
		text = zshCompletion()
	case "fish":
		text = fishCompletion()
	case "--help", "-h":
		return runHelp(std, []string{"completion"})
	default:
		return usagef("no completion for %q; there is bash, zsh and fish", args[0])
	}
	_, err := io.WriteString(std.out, text)
	return err
}

func subcommandNames() []string {
	var out []string
	for _, c := range subcommands() {
		out = append(out, c.name)
	}
	return out
}

func bashCompletion() string {
	var b, flags strings.Builder
	b.WriteString("# bash completion of lupa: source <(lupa completion bash)\n_lupa() {\n")
	b.WriteString("  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n  COMPREPLY=()\n  case $prev in\n")
	newFlags(&options{}).VisitAll(func(f *pflag.Flag) {
		names := "--" + f.Name
		fmt.Fprintf(&flags, " %s", names)
		if f.Shorthand != "" {
			names = "-" + f.Shorthand + "|" + names
		}
		switch kind := flagKind(f); {
		case kind == "none":
		case flagValues(f.Name) != nil:
			fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return;;\n", names, strings.Join(flagValues(f.Name), " "))
		case kind == "file":
			fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n", names)
		case kind == "dir":
			fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -d -- \"$cur\")); return;;\n", names)
		default:
			fmt.Fprintf(&b, "    %s) return;;\n", names)
		}
	})
	b.WriteString("  esac\n  case ${COMP_WORDS[1]} in\n")
	b.WriteString("    completion) COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\")); [[ $COMP_CWORD -gt 1 ]] && return;;\n")
	b.WriteString("    model) COMPREPLY=($(compgen -W 'list check pull' -- \"$cur\")); [[ $COMP_CWORD -gt 1 ]] && return;;\n  esac\n")
	fmt.Fprintf(&b, "  if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return; fi\n", strings.TrimSpace(flags.String()))
	fmt.Fprintf(&b, "  COMPREPLY=($(compgen -f -- \"$cur\"))\n  if [[ $COMP_CWORD -eq 1 ]]; then COMPREPLY+=($(compgen -W '%s' -- \"$cur\")); fi\n", strings.Join(subcommandNames(), " "))
	b.WriteString("}\ncomplete -o filenames -F _lupa lupa\n")
	return b.String()
}

func zshCompletion() string {
	esc := strings.NewReplacer(`'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`, "\n", " ")
	var b strings.Builder
	b.WriteString("#compdef lupa\n# zsh completion of lupa: lupa completion zsh > \"${fpath[1]}/_lupa\"\n_arguments -s \\\n")
	newFlags(&options{}).VisitAll(func(f *pflag.Flag) {
		arg, doc := pflag.UnquoteUsage(f)
		action := ""
		switch kind := flagKind(f); {
		case kind == "none":
		case flagValues(f.Name) != nil:
			action = fmt.Sprintf(":%s:(%s)", arg, strings.Join(flagValues(f.Name), " "))
		case kind == "file":
			action = ":" + arg + ":_files"
		case kind == "dir":
			action = ":" + arg + ":_files -/"
		default:
			action = ":" + esc.Replace(arg) + ":"
		}
		names := "--" + f.Name
		if f.Shorthand != "" {
			fmt.Fprintf(&b, "  '(-%s %s)'{-%s,%s}'[%s]%s' \\\n", f.Shorthand, names, f.Shorthand, names, esc.Replace(doc), action)
			return
		}
		fmt.Fprintf(&b, "  '%s[%s]%s' \\\n", names, esc.Replace(doc), action)
	})
	fmt.Fprintf(&b, "  '1:store or subcommand:{_files -/; compadd %s}' \\\n  '*:argument:_files'\n", strings.Join(subcommandNames(), " "))
	return b.String()
}

func fishCompletion() string {
	esc := strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", " ")
	var b strings.Builder
	b.WriteString("# fish completion of lupa: lupa completion fish > ~/.config/fish/completions/lupa.fish\n")
	newFlags(&options{}).VisitAll(func(f *pflag.Flag) {
		_, doc := pflag.UnquoteUsage(f)
		line := "complete -c lupa -l " + f.Name
		if f.Shorthand != "" {
			line += " -s " + f.Shorthand
		}
		switch kind := flagKind(f); {
		case kind == "none":
		case flagValues(f.Name) != nil:
			line += " -x -a '" + strings.Join(flagValues(f.Name), " ") + "'"
		case kind == "":
			line += " -x"
		default:
			line += " -r"
		}
		b.WriteString(line + " -d '" + esc.Replace(doc) + "'\n")
	})
	for _, c := range subcommands() {
		fmt.Fprintf(&b, "complete -c lupa -n __fish_use_subcommand -a %s -d '%s'\n", c.name, esc.Replace(c.doc))
	}
	b.WriteString("complete -c lupa -n '__fish_seen_subcommand_from completion' -x -a 'bash zsh fish'\n")
	b.WriteString("complete -c lupa -n '__fish_seen_subcommand_from model' -x -a 'list check pull'\n")
	return b.String()
}
