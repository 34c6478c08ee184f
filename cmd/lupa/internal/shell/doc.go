// Package shell is the lupa command: the interactive shell, batch runs and the
// subcommands. A Shell holds a store, a session in it and the settings that
// dot commands change; everything it prints goes through its two writers.
package shell
