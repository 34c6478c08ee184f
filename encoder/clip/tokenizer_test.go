package clip

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	tiny   = "../../testdata/models/tiny-clip"
	immich = "../../testdata/models/tiny-immich"
	toy    = "../../testdata/toy-clip"
	shared = "../../../shared/data"
)

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sharedDir skips the test where the data that may not be copied is absent.
func sharedDir(t testing.TB, elem ...string) string {
	dir := filepath.Join(append([]string{shared}, elem...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no shared data")
	}
	return dir
}

func loadTokenizer(t testing.TB, dir string) *Tokenizer {
	t.Helper()
	tok, err := LoadTokenizer(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// withoutJSON copies vocab.json and merges.txt, so that they have to do.
func withoutJSON(t testing.TB, dir string) string {
	out := t.TempDir()
	for _, name := range []string{"vocab.json", "merges.txt", "tokenizer_config.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(out, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestReferenceTokens(t *testing.T) {
	type reference struct {
		Text string  `json:"text"`
		IDs  []int64 `json:"ids"`
	}
	check := func(t *testing.T, dir string, want []reference, atLeast int) {
		if len(want) < atLeast {
			t.Fatalf("%d reference texts, want %d", len(want), atLeast)
		}
		for name, tok := range map[string]*Tokenizer{"tokenizer.json": loadTokenizer(t, dir), "vocab.json": loadTokenizer(t, withoutJSON(t, dir))} {
			for range 2 { // the second time from the cache
				for _, w := range want {
					// Some references were taken without truncation.
					if got := tok.Append(nil, w.Text, max(tok.MaxLength(), len(w.IDs))); !slices.Equal(got, w.IDs) {
						t.Errorf("%s: %q\n got %v\nwant %v", name, w.Text, got, w.IDs)
					}
				}
			}
		}
	}
	t.Run("tiny", func(t *testing.T) {
		var want []reference
		readJSON(t, filepath.Join(tiny, "tokens.json"), &want)
		check(t, tiny, want, 500)
		check(t, filepath.Join(immich, "textual"), want, 500)
	})
	t.Run("toy", func(t *testing.T) {
		var want struct{ Texts []reference }
		readJSON(t, filepath.Join(toy, "goldens.json"), &want)
		check(t, filepath.Join(toy, "model"), want.Texts, 1)
	})
	t.Run("published 585", func(t *testing.T) {
		dir := sharedDir(t, "clip-vocab")
		var want []reference
		readJSON(t, filepath.Join(dir, "tokens_585_hf_rust_0.23.2.json"), &want)
		check(t, dir, want, 585)
	})
	t.Run("published 126", func(t *testing.T) {
		dir := sharedDir(t, "clip-vocab")
		var golden struct {
			Cases []struct {
				Text string
				IDs  []int64 `json:"hf_ids"`
			}
		}
		readJSON(t, filepath.Join(dir, "golden_tokens.json"), &golden)
		// These were computed by a re-implementation. It and the Hugging Face
		// tokenizer itself, which made the 585, differ over one text in common.
		var first []reference
		readJSON(t, filepath.Join(dir, "tokens_585_hf_rust_0.23.2.json"), &first)
		var want []reference
		for _, c := range golden.Cases {
			ids := c.IDs
			if i := slices.IndexFunc(first, func(r reference) bool { return r.Text == c.Text }); i >= 0 {
				ids = first[i].IDs
			}
			want = append(want, reference{c.Text, ids})
		}
		check(t, dir, want, 126)
	})
}

func TestTruncation(t *testing.T) {
	tok := loadTokenizer(t, tiny)
	long := strings.Repeat("wolf snow ", 100)
	for _, n := range []int{2, 3, 16, 77} {
		ids := tok.Append(nil, long, n)
		if len(ids) != n || ids[0] != tok.Start() || ids[n-1] != tok.End() {
			t.Errorf("max %d: %v", n, ids)
		}
		if full := tok.Append(nil, long, 1000); !slices.Equal(ids[:n-1], full[:n-1]) {
			t.Errorf("max %d is not the beginning of all tokens", n)
		}
	}
	if got := loadTokenizer(t, filepath.Join(toy, "model")).MaxLength(); got != 32 {
		t.Errorf("toy-clip takes %d tokens, want 32", got)
	}
}

// A long word takes another way through the merges, which has to lead to the
// same tokens.
func TestLongWords(t *testing.T) {
	tok := loadTokenizer(t, tiny)
	for _, w := range []string{"a", "wolf", strings.Repeat("photograph", 4), strings.Repeat("a", 48), strings.Repeat("snow", 11), "狼の写真と猫"} {
		if a, b := tok.bpe.append(nil, w), tok.bpe.appendLong(nil, w); !slices.Equal(a, b) {
			t.Errorf("%q: %v and %v", w, a, b)
		}
	}
	tok.Encode(strings.Repeat("supercalifragilistic", 1<<16)) // quadratic time would not end
}

func TestBadTokenizers(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":      {nil, "tokenizer.json, or vocab.json and merges.txt"},
		"not JSON":     {map[string]string{"tokenizer.json": "{"}, "unexpected end"},
		"no merges":    {map[string]string{"vocab.json": "{}"}, "merges.txt"},
		"unigram":      {map[string]string{"tokenizer.json": `{"model":{"type":"Unigram","vocab":{}}}`}, "not a CLIP tokenizer"},
		"keeps case":   {map[string]string{"tokenizer.json": `{"normalizer":{"type":"NFC"},"model":{"type":"BPE","end_of_word_suffix":"</w>"}}`}, "does not lower-case"},
		"strips":       {map[string]string{"tokenizer.json": `{"normalizer":{"type":"Sequence","normalizers":[{"type":"StripAccents"}]},"model":{"type":"BPE","end_of_word_suffix":"</w>"}}`}, "StripAccents"},
		"other words":  {map[string]string{"tokenizer.json": `{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\w+"}},"model":{"type":"BPE","end_of_word_suffix":"</w>"}}`}, "cuts words"},
		"no bytes":     {map[string]string{"tokenizer.json": `{"model":{"type":"BPE","end_of_word_suffix":"</w>","vocab":{}}}`}, "lacks byte 0x00"},
		"one-word row": {map[string]string{"vocab.json": "{}", "merges.txt": "#version: 0.2\nab"}, "line 2"},
		"wrong merges": {map[string]string{"tokenizer.json": `{"model":{"merges":[["a","b","c"],1]}}`}, "cannot unmarshal"},
	} {
		dir := t.TempDir()
		for f, text := range c.files {
			if err := os.WriteFile(filepath.Join(dir, f), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := LoadTokenizer(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func FuzzTokenizer(f *testing.F) {
	tok := loadTokenizer(f, tiny)
	for _, s := range []string{"", "a wolf", "it's <|endoftext|> <|startoftext|>x", "İÀ\u0301\u00a0\xff", strings.Repeat("ab", 40), "'ll'd've''s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ids := tok.Encode(s)
		if len(ids) < 2 || len(ids) > tok.MaxLength() || ids[0] != tok.Start() || ids[len(ids)-1] != tok.End() {
			t.Fatalf("%q: %v", s, ids)
		}
		if utf8.ValidString(s) && !slices.Equal(ids, tok.Encode(" "+s+"\n")) {
			t.Fatalf("%q: white space around it matters", s)
		}
		if s != "" && !slices.Equal(tok.bpe.append(nil, s[:min(len(s), scanned)]), tok.bpe.appendLong(nil, s[:min(len(s), scanned)])) {
			t.Fatalf("%q: the two merge loops disagree", s)
		}
	})
}

func BenchmarkTokenize(b *testing.B) {
	tok := loadTokenizer(b, tiny)
	for _, s := range []string{"a wolf", "a photo of a wolf in the snow at night", "два волка в лесу"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tok.Encode(s)
			}
		})
	}
	b.Run("no cache", func(b *testing.B) {
		for b.Loop() {
			for w := range strings.FieldsSeq("a photo of a wolf in the snow at night") {
				tok.bpe.append(nil, w)
			}
		}
	})
}

func BenchmarkLoadTokenizer(b *testing.B) {
	dir := sharedDir(b, "clip-vocab")
	for b.Loop() {
		loadTokenizer(b, dir)
	}
}
