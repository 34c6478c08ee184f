package storage_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lupadb/lupa/storage"
)

func openStore(t *testing.T, dir string, o *storage.Options) *storage.Store {
	t.Helper()
	s, err := storage.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeChecked(t *testing.T, s *storage.Store) {
	t.Helper()
	if err := s.Check(t.Context(), func(p storage.Problem) { t.Errorf("check: %+v", p) }); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A vector that was kept is there after the store was closed, for its model and
// its text only.
func TestPromptsPersist(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, nil)
	v := []float32{0.6, -0.8}
	s.KeepPrompts("abc", []string{"a wolf", ""}, [][]float32{v, {1, 0}})
	closeChecked(t, s)
	for _, o := range []*storage.Options{nil, {ReadOnly: true}} {
		s = openStore(t, dir, o)
		if got := s.Prompt("abc", "a wolf", 2); !slices.Equal(got, v) {
			t.Errorf("got %v", got)
		}
		if got := s.Prompt("abc", "", 2); !slices.Equal(got, []float32{1, 0}) {
			t.Errorf("empty text: %v", got)
		}
		for _, other := range [][]float32{s.Prompt("abd", "a wolf", 2), s.Prompt("abc", "a wolf", 3), s.Prompt("ab", "ca wolf", 2), s.Prompt("abc", "A wolf", 2)} {
			if other != nil {
				t.Errorf("of another: %v", other)
			}
		}
		later := fmt.Sprint("later, read-only ", o != nil)
		s.KeepPrompts("abc", []string{later}, [][]float32{v})
		if got := s.Prompt("abc", later, 2); (got == nil) != (o != nil) {
			t.Errorf("%s: %v", later, got)
		}
		closeChecked(t, s)
	}
}

// While a write is under way nothing is kept and nobody waits.
func TestPromptsDoNotWait(t *testing.T) {
	s := openStore(t, "", &storage.Options{InMemory: true})
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.KeepPrompts("m", []string{"a wolf"}, [][]float32{{1}})
	if s.Prompt("m", "a wolf", 1) != nil {
		t.Error("kept during a write")
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	s.KeepPrompts("m", []string{"a wolf"}, [][]float32{{1}})
	if s.Prompt("m", "a wolf", 1) == nil {
		t.Error("not kept afterwards")
	}
	closeChecked(t, s)
}

// However many phrases are asked, the store keeps a bounded number, and of those
// asked last at least some.
func TestPromptsBounded(t *testing.T) {
	s := openStore(t, "", &storage.Options{InMemory: true})
	const asked = 40_000
	for i := range asked / 16 {
		var texts []string
		for k := range 16 {
			texts = append(texts, fmt.Sprint("text ", 16*i+k))
		}
		s.KeepPrompts("m", texts, slices.Repeat([][]float32{{1}}, 16))
	}
	kept, late := 0, 0
	for i := range asked {
		if s.Prompt("m", fmt.Sprint("text ", i), 1) != nil {
			kept++
			if i >= asked-4000 {
				late++
			}
		}
	}
	if kept > 8192 || kept < 2048 || late < 1000 {
		t.Errorf("%d kept, %d of the last 4,000", kept, late)
	}
	closeChecked(t, s)
}
