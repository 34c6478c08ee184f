package shell

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/lupadb/lupa/db"
)

// runRepair is lupa repair.
func runRepair(_ context.Context, std stdio, args []string) error {
	if wantsHelp(args) {
		return runHelp(std, []string{"repair"})
	}
	if len(args) != 1 {
		return usagef("repair wants a store: lupa repair STORE")
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
		return usagef("restore wants a backup and a folder for the store: lupa restore BACKUP STORE")
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

// wantsHelp reports whether a subcommand was asked for its help.
func wantsHelp(args []string) bool {
	for _, a := range args {
		if a == "-h" || a == "--help" {
			return true
		}
	}
	return false
}
