package shell

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// maxHistory is how many statements are kept over sessions.
const maxHistory = 5000

// history is what was typed, one entry a statement however many lines it has.
// Its file holds a JSON string a line; each session appends what it reads, so
// that two shells at a time don't undo each other. It implements the line
// editor's history source.
type history struct {
	file    string // "" keeps nothing
	entries []string
}

// historyFile returns where statements are kept: LUPA_HISTORY, or the directory
// for state that XDG names. LUPA_HISTORY set to nothing keeps none.
func historyFile() string {
	if f, ok := os.LookupEnv("LUPA_HISTORY"); ok {
		if abs, err := filepath.Abs(f); f != "" && err == nil {
			return abs // wherever .cd goes
		}
		return f
	}
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "lupa", "history")
}

// openHistory reads the file; without one the history is empty. A file grown
// too long is cut to its newer half.
func openHistory(file string) (*history, error) {
	h := &history{file: file}
	if file == "" {
		return h, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var s string
		if json.Unmarshal(in.Bytes(), &s) == nil && s != "" {
			h.entries = append(h.entries, s)
		}
	}
	if err := in.Err(); err != nil {
		return h, err
	}
	if len(h.entries) > 2*maxHistory {
		h.entries = h.entries[len(h.entries)-maxHistory:]
		return h, h.rewrite()
	}
	return h, nil
}

func (h *history) rewrite() error {
	var b strings.Builder
	for _, s := range h.entries {
		if !hasSecret(s) {
			b.Write(historyLine(s))
		}
	}
	tmp := h.file + ".new"
	if err := os.WriteFile(tmp, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, h.file)
}

func historyLine(s string) []byte {
	line, _ := json.Marshal(s) // a string always can be
	return append(line, '\n')
}

// Write adds an entry, unless it repeats the last one, and returns how many
// there are.
func (h *history) Write(s string) (int, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(h.entries) > 0 && h.entries[len(h.entries)-1] == s {
		return len(h.entries), nil
	}
	h.entries = append(h.entries, s)
	if h.file == "" || hasSecret(s) {
		return len(h.entries), nil
	}
	if err := os.MkdirAll(filepath.Dir(h.file), 0o700); err != nil {
		return len(h.entries), err
	}
	f, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return len(h.entries), err
	}
	_, err = f.Write(historyLine(s))
	return len(h.entries), errors.Join(err, f.Close())
}

// GetLine returns an entry, the oldest being 0.
func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.entries) {
		return "", errors.New("no such entry of the history")
	}
	return h.entries[i], nil
}

// Len returns how many entries there are.
func (h *history) Len() int { return len(h.entries) }

// Dump returns all entries.
func (h *history) Dump() any { return h.entries }
