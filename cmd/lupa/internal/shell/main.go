package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// Exit statuses.
const (
	exitOK          = 0
	exitFailed      = 1   // a statement failed
	exitUsage       = 2   // the command line is wrong
	exitInterrupted = 130 // SIGINT ended a batch, as for any program
)

// subcommand is a word that may stand where the store does.
type subcommand struct {
	name  string
	args  string
	doc   string
	short string // for --help; "" leaves it to the manual page
	run   func(ctx context.Context, std stdio, args []string) error
}

// subcommands lists them in the order --help shows. A store of such a name is
// opened as ./eval.
func subcommands() []subcommand {
	return []subcommand{
		{"browse", "[STORE]", "a page to search the store's pictures with, in a browser", "a page to search pictures with", runBrowse},
		{"mcp", "[STORE]", "let an assistant search the store, by the Model Context Protocol", "let an assistant search", runMCP},
		{"eval", "[STORE] PROMPTS", "measure how often the first hits of prompts are right", "how often are first hits right?", runEval},
		{"watch", "[STORE] WATCH", "print the rows that a watch tells, as they are committed", "", runWatch},
		{"model", "list|check|pull NAME", "the encoders on this machine, and how to get one", "encoders on this machine; get one", runModel},
		{"setup", "", "fetch ONNX Runtime's library for this user", "fetch ONNX Runtime's library", runSetup},
		{"repair", "STORE", "put back what a copying tool left out of a store", "", runRepair},
		{"salvage", "DAMAGED NEW", "save what can be read of a damaged store in a new one", "", runSalvage},
		{"restore", "BACKUP STORE", "make a store of a backup", "", runRestore},
		{"completion", "bash|zsh|fish", "print a completion script for your shell", "a completion script for your shell", runCompletion},
		{"man", "", "print the manual page", "the manual page", runMan},
		{"version", "", "print version and commit", "", runVersion},
	}
}

// stdio are the three streams of a process.
type stdio struct {
	in  *os.File
	out io.Writer
	err io.Writer
	// outFile and errFile are out and err where those are files (perhaps
	// terminals), else nil.
	outFile, errFile *os.File
	version          string
}

// Main runs the command with the process's streams and returns its exit status.
func Main(args []string, version string) int {
	std := stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr, outFile: os.Stdout, errFile: os.Stderr, version: version}
	// A reader that went away (lupa ... | head) makes writes fail with EPIPE, so
	// that the store is closed in good order; it isn't worth a message.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return run(args, std)
}

func run(args []string, std stdio) int {
	ctx := context.Background()
	err := dispatch(ctx, args, std)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.Is(err, syscall.EPIPE):
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(std.err, "lupa: %s\nlupa --help tells what there is.\n", visibleOn(std.errFile, err.Error()))
		return exitUsage
	default:
		fmt.Fprintf(std.err, "lupa: %s\n", visibleOn(std.errFile, err.Error()))
		return exitFailed
	}
}

func dispatch(ctx context.Context, args []string, std stdio) error {
	if len(args) > 0 {
		for _, c := range subcommands() {
			if c.name == args[0] {
				return c.run(ctx, std, args[1:])
			}
		}
		if args[0] == "help" {
			return runHelp(std, args[1:])
		}
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	switch {
	case o.help:
		return runHelp(std, nil)
	case o.version:
		return runVersion(ctx, std, nil)
	}
	return runStore(ctx, std, o)
}

// runVersion prints what was built: the release, the commit, the Go version.
func runVersion(_ context.Context, std stdio, _ []string) error {
	_, err := fmt.Fprintln(std.out, versionLine(std.version))
	return err
}

func versionLine(version string) string {
	s := "lupa " + version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return s
	}
	var commit, modified, at string
	for _, x := range info.Settings {
		switch x.Key {
		case "vcs.revision":
			commit = x.Value
		case "vcs.modified":
			if x.Value == "true" {
				modified = ", modified"
			}
		case "vcs.time":
			at, _, _ = strings.Cut(x.Value, "T")
		}
	}
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if commit != "" {
		s += fmt.Sprintf(" (commit %s%s, %s)", commit, modified, at)
	}
	return s + " " + info.GoVersion
}
