package shell

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/lupadb/lupa/db"
)

// runRepair is lupa repair.
func runRepair(_ context.Context, std stdio, args []string) error {
	if wantsHelp(args) {
		return runHelp(std, []string{"repair"})
	}
	if len(args) != 1 {
		return usagef("repair needs a store: lupa repair STORE")
	}
	did, err := db.Repair(args[0])
	for _, line := range did {
		fmt.Fprintln(std.out, visibleOn(std.outFile, line))
	}
	if err == nil && len(did) == 0 {
		fmt.Fprintln(std.out, "nothing was missing")
	}
	return err
}

// runRestore is lupa restore.
func runRestore(ctx context.Context, std stdio, args []string) error {
	if wantsHelp(args) {
		return runHelp(std, []string{"restore"})
	}
	if len(args) != 2 {
		return usagef("restore needs a backup and a directory for the store: lupa restore BACKUP STORE")
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := db.Restore(ctx, args[0], args[1]); err != nil {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	fmt.Fprintf(std.out, "restored %s\n", visibleOn(std.outFile, args[1]))
	return nil
}

// runSalvage is lupa salvage.
func runSalvage(ctx context.Context, std stdio, args []string) error {
	if wantsHelp(args) {
		return runHelp(std, []string{"salvage"})
	}
	if len(args) != 2 {
		return usagef("salvage needs a damaged store and a directory for the new one: lupa salvage DAMAGED NEW")
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	opts := &db.SalvageOptions{}
	if isTerminal(std.errFile) {
		var last time.Time
		opts.Progress = func(stage string, done, _ uint64) {
			if time.Since(last) > 200*time.Millisecond {
				last = time.Now()
				fmt.Fprintf(std.err, "\r\x1b[K%s: %d rows", visibleOn(std.errFile, stage), done)
			}
		}
		defer fmt.Fprint(std.err, "\r\x1b[K")
	}
	report, err := db.Salvage(ctx, args[0], args[1], opts)
	if report != nil {
		say := func(format string, a ...any) {
			fmt.Fprintln(std.out, visibleOn(std.outFile, fmt.Sprintf(format, a...)))
		}
		for _, n := range report.Notes {
			say("%s", n)
		}
		for _, t := range report.Tables {
			say("%s: %d rows saved, %d places lost", t.Table, t.Rows, len(t.Lost))
			for i, p := range t.Lost {
				if i == 20 {
					say("  and %d more", len(t.Lost)-i)
					break
				}
				say("  %s", p)
			}
			for i, old := range t.Stale {
				if i == 20 {
					say("  and %d more ranges of rows that may be older", len(t.Stale)-i)
					break
				}
				say("  %s", old)
			}
		}
	}
	if err != nil && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// wantsHelp reports whether a subcommand was asked for its help.
func wantsHelp(args []string) bool {
	for _, a := range args {
		if a == "-h" || a == "--help" {
			return true
		}
	}
	return false
}
