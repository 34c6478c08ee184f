package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// changed is testdata/tokenizer.json with some of its parts replaced.
func changed(t testing.TB, changes map[string]json.RawMessage) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var f map[string]json.RawMessage
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	for k, v := range changes {
		f[k] = v
	}
	if b, err = json.Marshal(f); err != nil {
		t.Fatal(err)
	}
	return b
}

// The ids are those of the reference implementation; testdata/make.py tells how
// they were made.
func TestGoldens(t *testing.T) {
	b, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Texts    []string
		Variants []struct {
			Name    string
			Changes map[string]json.RawMessage
			IDs     [][]int64
		}
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Variants {
		tok, err := parse(changed(t, v.Changes))
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		for i, text := range g.Texts {
			if got := tok.Append(nil, text, 1<<20); !slices.Equal(got, v.IDs[i]) {
				t.Errorf("%s: %q gives %v, want %v", v.Name, text, got, v.IDs[i])
			}
		}
	}
}

// A text that is too long loses its end, not the token after it.
func TestTruncation(t *testing.T) {
	tok, err := Load("testdata")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a wolf ", 100)
	all := tok.Append(nil, long, 1<<20)
	for _, n := range []int{1, 2, 5, 64} {
		got := tok.Append([]int64{7}, long, n)
		if want := append(append([]int64{7}, all[:n-1]...), 1); !slices.Equal(got, want) {
			t.Errorf("%d tokens: %v, want %v", n, got, want)
		}
	}
}

func TestConfiguration(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("tokenizer.json", changed(t, nil))
	for config, want := range map[string][2]int64{
		`{"model_max_length": 64, "pad_token": "</s>"}`:                 {64, 1},
		`{"model_max_length": 1e30, "pad_token": {"content": "<pad>"}}`: {0, 0},
		`{}`: {0, 0},
	} {
		put("tokenizer_config.json", []byte(config))
		tok, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if int64(tok.MaxLength()) != want[0] || tok.Pad() != want[1] {
			t.Errorf("%s: %d tokens, padded with %d; want %v", config, tok.MaxLength(), tok.Pad(), want)
		}
	}
	if !Is(dir) || Is(t.TempDir()) {
		t.Error("Is does not tell a Unigram tokenizer")
	}
}

// What is not known is named, and never passed over.
func TestUnsupported(t *testing.T) {
	for part, cases := range map[string]map[string]string{
		"normalizer": {
			`{"type": "Nmt"}`: `normalizer "Nmt"`,
			`{"type": "Sequence", "normalizers": [{"type": "ByteLevel"}]}`:        `normalizer "ByteLevel"`,
			`{"type": "Replace", "pattern": {"Regex": "(?<=a)b"}, "content": ""}`: `(?<=a)b`,
			`{"type": "Replace", "pattern": {"Regex": "[a[bc]]"}, "content": ""}`: `[ within [ ]`,
			`{"type": "Replace", "pattern": {}, "content": ""}`:                   "no pattern",
			`{"type": "Precompiled", "precompiled_charsmap": "AAAA"}`:             "precompiled_charsmap",
			`{"type": "Precompiled", "precompiled_charsmap": "/////wAAAAA="}`:     "precompiled_charsmap",
			`{"type": "Precompiled", "precompiled_charsmap": "not base64"}`:       "precompiled_charsmap",
		},
		"pre_tokenizer": {
			`{"type": "UnicodeScripts"}`: `pre_tokenizer "UnicodeScripts"`,
			`{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "a(?=b)"}, "behavior": "Isolated"}]}`: `a(?=b)`,
			`{"type": "Split", "pattern": {"String": "a"}, "behavior": "Sometimes"}`:                                             "Sometimes",
			`{"type": "Split", "pattern": {}, "behavior": "Isolated"}`:                                                           "no pattern",
			`{"type": "Metaspace", "replacement": "__"}`:                                                                         "one character",
			`{"type": "Metaspace", "replacement": "_", "prepend_scheme": "sometimes"}`:                                           "sometimes",
		},
		"post_processor": {
			`{"type": "BertProcessing"}`: "lacks cls or sep",
			`{"type": "Other"}`:          `post_processor "Other"`,
			`{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[X]"}}]}`: "[X]",
			`{"type": "TemplateProcessing", "single": []}`:                                "no place for the text",
		},
		"added_tokens": {
			`[{"id": 1, "content": ""}]`:                       "empty",
			`[{"id": 1, "content": "x", "single_word": true}]`: "single_word",
		},
		"model": {
			`{"type": "WordLevel"}`: "WordLevel",
			`{"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"a": 0}}`:               "[UNK]",
			`{"type": "WordPiece", "vocab": {"a": 0}}`:                                     "unk_token",
			`{"type": "WordPiece", "vocab": {}}`:                                           "empty",
			`{"type": "WordPiece", "vocab": [1]}`:                                          "the vocabulary",
			`{"type": "BPE", "vocab": {"a": -1}}`:                                          "number -1",
			`{"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}`:                        "merge 1",
			`{"type": "BPE", "vocab": {"a": 0}, "merges": ["ab"]}`:                         "not two tokens",
			`{"type": "BPE", "vocab": {"a": 0}, "byte_fallback": true}`:                    "<0x00>",
			`{"type": "BPE", "vocab": {"a": 0}, "dropout": 0.1}`:                           "dropout",
			`{"type": "Unigram", "unk_id": 0, "vocab": []}`:                                "empty",
			`{"type": "Unigram", "unk_id": 3, "vocab": [["a", 0]]}`:                        "unk_id",
			`{"type": "Unigram", "vocab": [["a", 0]]}`:                                     "unk_id",
			`{"type": "Unigram", "unk_id": 0, "vocab": [["a", 0]], "byte_fallback": true}`: "<0x00>",
			`{"type": "Unigram", "unk_id": 0, "vocab": [["a", "b"]]}`:                      "cannot unmarshal",
		},
	} {
		for spec, want := range cases {
			if _, err := parse(changed(t, map[string]json.RawMessage{part: json.RawMessage(spec)})); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v, want %s", part, spec, err, want)
			}
		}
	}
}

// Characters that no piece has are spelled by their bytes where the vocabulary
// has those.
func TestByteFallback(t *testing.T) {
	vocab := [][2]any{{"<unk>", 0}, {"a", -1}, {"é", -1}}
	for b := range 256 {
		vocab = append(vocab, [2]any{"<0x" + strings.ToUpper(string("0123456789abcdef"[b>>4])+string("0123456789abcdef"[b&15])) + ">", -5})
	}
	model, err := json.Marshal(map[string]any{"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": true})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := parse(changed(t, map[string]json.RawMessage{"model": model, "normalizer": []byte("null"), "pre_tokenizer": []byte("null")}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tok.Append(nil, "aéßxa", 20), []int64{1, 2, 3 + 0xc3, 3 + 0x9f, 3 + 'x', 1, 1}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzAppend(f *testing.F) {
	tok, err := Load("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "a wolf", "</s>", "\xff\xfe", "ｗｏｌｆ", "e\u0301\u0301", "\x00"} {
		f.Add(s, 64)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = 1 + (n&0xff+0x100)&0xff
		ids := tok.Append(nil, s, n)
		if len(ids) > n || len(ids) == 0 || ids[len(ids)-1] != 1 {
			t.Errorf("%q: %v for at most %d", s, ids, n)
		}
		for _, id := range ids {
			if id < 0 || id >= 600 {
				t.Errorf("%q: id %d", s, id)
			}
		}
	})
}

// A damaged file is refused or works; it never panics.
func FuzzCharsmap(f *testing.F) {
	b, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		f.Fatal(err)
	}
	_, rest, _ := bytes.Cut(b, []byte(`"precompiled_charsmap": "`))
	encoded, _, _ := bytes.Cut(rest, []byte(`"`))
	f.Add(string(encoded), "ａ ﬁ é")
	f.Add("BAAAAAAAAAA=", "a")
	f.Fuzz(func(t *testing.T, encoded, text string) {
		if m, err := newCharsmap(encoded); err == nil {
			m.normalize(text)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	tok, err := Load("testdata")
	if err != nil {
		b.Fatal(err)
	}
	var ids []int64
	for b.Loop() {
		ids = tok.Append(ids[:0], "a photo of two grey wolves playing in the snow", 64)
	}
}

// WordPiece, BPE with byte fallback and byte-level BPE give the ids of the reference
// implementation; testdata/make_more.py tells how they were made.
func TestMoreGoldens(t *testing.T) {
	b, err := os.ReadFile("testdata/more_goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Texts    []string
		Variants []struct {
			File    string
			Changes map[string]json.RawMessage
			IDs     [][]int64
		}
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Variants) != 15 {
		t.Fatalf("%d variants", len(g.Variants))
	}
	for n, v := range g.Variants {
		b, err := os.ReadFile("testdata/" + v.File + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var spec map[string]json.RawMessage
		if err := json.Unmarshal(b, &spec); err != nil {
			t.Fatal(err)
		}
		for k, change := range v.Changes {
			if k == "model" { // all but vocabulary and merges
				var model, fresh map[string]json.RawMessage
				if err := errors.Join(json.Unmarshal(spec[k], &model), json.Unmarshal(change, &fresh)); err != nil {
					t.Fatal(err)
				}
				maps.Copy(model, fresh)
				if change, err = json.Marshal(model); err != nil {
					t.Fatal(err)
				}
			}
			spec[k] = change
		}
		if b, err = json.Marshal(spec); err != nil {
			t.Fatal(err)
		}
		tok, err := parse(b)
		if err != nil {
			t.Errorf("%s %d: %v", v.File, n, err)
			continue
		}
		for i, text := range g.Texts {
			if got := tok.Append(nil, text, 1<<20); !slices.Equal(got, v.IDs[i]) {
				t.Errorf("%s %d: %q gives %v, want %v", v.File, n, text, got, v.IDs[i])
			}
		}
	}
}
