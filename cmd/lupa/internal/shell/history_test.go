package shell

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHistoryKeepsNoPassword checks that a statement with a password in it is not written.
func TestHistoryKeepsNoPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history")
	h, err := openHistory(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"ATTACH 'postgres://me:hunter2@host/db' AS a", "ATTACH 'postgres://me@host/db?password=hunter2' AS a", "ATTACH 'postgres://me@host:5432/db' AS b"} {
		if _, err := h.Write(s); err != nil {
			t.Fatal(err)
		}
	}
	if h.Len() != 3 {
		t.Errorf("%d entries in the session", h.Len())
	}
	b, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(b), "hunter2") || !strings.Contains(string(b), "AS b") {
		t.Errorf("%s: %v", b, err)
	}
}
