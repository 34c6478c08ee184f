package tokenizer

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bare makes a tokenizer of a model of SentencePiece with nothing around texts.
func bare(t testing.TB, b []byte) *Tokenizer {
	t.Helper()
	tok, err := bareOf(b)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func bareOf(b []byte) (*Tokenizer, error) {
	f, err := readPieces(b)
	if err != nil {
		return nil, err
	}
	return f.bare()
}

func pieceModel(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/pieces/" + name + ".model")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type pieceGoldens struct {
	Texts []string
	IDs   map[string][][]int64
}

func readPieceGoldens(t testing.TB) (g pieceGoldens) {
	t.Helper()
	b, err := os.ReadFile("testdata/pieces/goldens.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Models of SentencePiece give the ids of SentencePiece; testdata/make_pieces.py tells how
// they were made.
func TestPieceGoldens(t *testing.T) {
	g := readPieceGoldens(t)
	if len(g.IDs) != 10 || len(g.Texts) < 200 {
		t.Fatalf("%d models, %d texts", len(g.IDs), len(g.Texts))
	}
	for _, name := range slices.Sorted(maps.Keys(g.IDs)) {
		tok := bare(t, pieceModel(t, name))
		wrong := 0
		for i, text := range g.Texts {
			if got := tok.Append(nil, text, 1<<20); !slices.Equal(got, g.IDs[name][i]) {
				if wrong++; wrong < 5 {
					t.Errorf("%s: %q gives %v, want %v", name, text, got, g.IDs[name][i])
				}
			}
		}
		if wrong > 0 {
			t.Errorf("%s: %d of %d texts are wrong", name, wrong, len(g.Texts))
		}
	}
}

// folderOf is a directory with these files.
func folderOf(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What stands around texts, and how pieces are numbered, depends on the class that
// tokenizer_config.json names.
func TestPieceFolders(t *testing.T) {
	g := readPieceGoldens(t)
	at := slices.Index(g.Texts, "a wolf")
	of := func(name string) []int64 { return g.IDs[name][at] }
	fairseq := func(ids []int64) (out []int64) { // no token of the text is unknown
		for _, id := range ids {
			out = append(out, id+1)
		}
		return out
	}
	pieces := func(name string) int64 {
		f, err := readPieces(pieceModel(t, name))
		if err != nil {
			t.Fatal(err)
		}
		return int64(len(f.pieces))
	}
	n := pieces("nllb")
	around := func(before, ids, after []int64) []int64 { return slices.Concat(before, ids, after) }
	const languages = `{"additional_special_tokens": ["deu_Latn", "eng_Latn", {"content": "zho_Hans"}], "mask_token": "<mask>"}`
	for name, c := range map[string]struct {
		file, model, config, special, text string
		want                               []int64
		pad                                int64
	}{
		"gemma":             {"tokenizer.model", "gemma", `{"tokenizer_class": "GemmaTokenizer", "pad_token": "<pad>"}`, "", "a wolf", around([]int64{2}, of("gemma"), nil), 0},
		"gemma, both ends":  {"tokenizer.model", "gemma", `{"tokenizer_class": "GemmaTokenizerFast", "add_bos_token": true, "bos_token": "<bos>", "add_eos_token": true, "eos_token": {"content": "<eos>"}}`, "", "a wolf", nil, 0},
		"gemma, added":      {"tokenizer.model", "gemma", `{"tokenizer_class": "GemmaTokenizer", "added_tokens_decoder": {"1": {"content": "<eos>"}, "9000": {"content": "[new]"}}}`, "", "a wolf<eos>[new]", around([]int64{2}, of("gemma"), []int64{1, 9000}), 0},
		"llama":             {"tokenizer.model", "llama", `{"tokenizer_class": "LlamaTokenizer", "add_bos_token": false}`, "", "a wolf", of("llama"), 0},
		"t5":                {"spiece.model", "t5", `{"tokenizer_class": "T5Tokenizer", "model_max_length": 64}`, "", "a wolf", around(nil, of("t5"), []int64{1}), 0},
		"siglip":            {"spiece.model", "siglip", `{"tokenizer_class": "SiglipTokenizer"}`, "", "A, Wolf!", around(nil, of("siglip"), []int64{1}), 1},
		"xlm-r":             {"sentencepiece.bpe.model", "xlmr", "", "", "a wolf", around([]int64{0}, fairseq(of("xlmr")), []int64{2}), 1},
		"xlm-r, mask":       {"sentencepiece.bpe.model", "xlmr", "", "", "<mask>", []int64{0, pieces("xlmr") + 1, 2}, 1},
		"nllb":              {"sentencepiece.bpe.model", "nllb", `{"tokenizer_class": "NllbTokenizer", "src_lang": "eng_Latn"}`, languages, "a wolf", around([]int64{n + 2}, fairseq(of("nllb")), []int64{2}), 1},
		"nllb, German":      {"sentencepiece.bpe.model", "nllb", `{"tokenizer_class": "NllbTokenizer", "src_lang": "eng_Latn"}`, languages, "deu_Latna wolf", around([]int64{n + 1}, fairseq(of("nllb")), []int64{2}), 1},
		"nllb, a space":     {"sentencepiece.bpe.model", "nllb", `{"tokenizer_class": "NllbTokenizer"}`, languages, "zho_Hans a wolf", around([]int64{n + 3}, fairseq(of("nllb")), []int64{2}), 1},
		"nllb, as it was":   {"sentencepiece.bpe.model", "nllb", `{"src_lang": "eng_Latn", "legacy_behaviour": true}`, languages, "deu_Latn a wolf", around(nil, fairseq(of("nllb")), []int64{2, n + 1}), 1},
		"nllb, not at once": {"sentencepiece.bpe.model", "nllb", `{"tokenizer_class": "NllbTokenizer"}`, languages, "a wolf deu_Latn", around([]int64{n + 2}, fairseq(of("nllb")), []int64{n + 1, 2}), 1},
	} {
		if name == "gemma, both ends" {
			c.want = around([]int64{2}, of("gemma"), []int64{1})
		}
		files := map[string]string{c.file: string(pieceModel(t, c.model))}
		if c.config != "" {
			files["tokenizer_config.json"] = c.config
		}
		if c.special != "" {
			files["special_tokens_map.json"] = c.special
		}
		dir := folderOf(t, files)
		if !Is(dir) || len(Files(dir)) != len(files) || Files(dir)[0] != filepath.Join(dir, c.file) {
			t.Errorf("%s: %v", name, Files(dir))
		}
		tok, err := Load(dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := tok.Append(nil, c.text, 1<<20); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if tok.Pad() != c.pad {
			t.Errorf("%s: filled up with %d, want %d", name, tok.Pad(), c.pad)
		}
		if got := tok.Append(nil, c.text, 3); len(got) > max(3, 2) {
			t.Errorf("%s: %v for at most 3", name, got)
		}
		if want := map[string]string{"gemma": "BPE", "llama": "BPE", "nllb": "BPE"}[c.model]; want != "" && Type(dir) != want || want == "" && Type(dir) != "Unigram" {
			t.Errorf("%s: type %q", name, Type(dir))
		}
	}
}

// A tokenizer.json of nllb takes the language that a text begins with as well.
func TestLanguages(t *testing.T) {
	special := func(name string, id int) string {
		return `{"id": ` + string(rune('0'+id)) + `, "content": "` + name + `", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}`
	}
	dir := folderOf(t, map[string]string{"tokenizer.json": string(changed(t, map[string]json.RawMessage{
		"added_tokens":   json.RawMessage("[" + special("deu_Latn", 7) + "," + special("eng_Latn", 8) + "]"),
		"post_processor": json.RawMessage(`{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "eng_Latn"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}], "special_tokens": {"eng_Latn": {"ids": [8]}, "</s>": {"ids": [1]}}}`),
	}))})
	tok, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	english, german := tok.Append(nil, "a wolf", 64), tok.Append(nil, "deu_Latn a wolf", 64)
	if !tok.Languages() || english[0] != 8 || german[0] != 7 || !slices.Equal(english[1:], german[1:]) {
		t.Errorf("%v, %v", english, german)
	}
}

// Damaged and hostile files are refused with what is wrong, and so are those of which
// nothing says what stands around texts.
func TestPieceErrors(t *testing.T) {
	field := func(n int, b string) string { return string([]byte{byte(n<<3 | 2), byte(len(b))}) + b }
	piece := func(text string, more string) string { return field(1, field(1, text)+more) }
	unk := piece("<unk>", "\x18\x02")
	for name, c := range map[string]struct{ model, config, want string }{
		"empty":        {"", `{"tokenizer_class": "T5Tokenizer"}`, "it has no pieces"},
		"text":         {"hello there", `{"tokenizer_class": "T5Tokenizer"}`, "not a model of SentencePiece"},
		"pointer":      {"version https://git-lfs.github.com/spec/v1\n", `{"tokenizer_class": "T5Tokenizer"}`, "Git LFS pointer"},
		"no class":     {unk, "", "tokenizer_class"},
		"other class":  {unk, `{"tokenizer_class": "AlbertTokenizer"}`, "the class AlbertTokenizer, of which tokenizer.json is needed"},
		"config":       {unk, `{`, "tokenizer_config.json"},
		"cut off":      {unk + "\x0a\x20ab", `{"tokenizer_class": "T5Tokenizer"}`, "malformed"},
		"endless":      {unk + strings.Repeat("\xff", 30), `{"tokenizer_class": "T5Tokenizer"}`, "malformed"},
		"empty piece":  {unk + field(1, ""), `{"tokenizer_class": "T5Tokenizer"}`, "piece 1 is empty"},
		"score":        {unk + piece("a", "\x15\x00\x00\xc0\x7f"), `{"tokenizer_class": "T5Tokenizer"}`, "has the score NaN"},
		"infinite":     {unk + piece("a", "\x15\x00\x00\x80\x7f"), `{"tokenizer_class": "T5Tokenizer"}`, "has the score +Inf"},
		"kind":         {unk + piece("a", "\x18\x09"), `{"tokenizer_class": "T5Tokenizer"}`, "of kind 9"},
		"twice":        {unk + piece("a", "") + piece("a", ""), `{"tokenizer_class": "T5Tokenizer"}`, "is given twice"},
		"two unknown":  {unk + piece("b", "\x18\x02"), `{"tokenizer_class": "T5Tokenizer"}`, "two pieces stand"},
		"none unknown": {piece("b", ""), `{"tokenizer_class": "T5Tokenizer"}`, "no piece stands"},
		"words":        {unk + field(2, "\x18\x03"), `{"tokenizer_class": "T5Tokenizer"}`, "of kind 3"},
		"bytes":        {unk + field(2, "\x98\x02\x01"), `{"tokenizer_class": "T5Tokenizer"}`, "<0x00>"},
		"charsmap":     {unk + field(3, field(2, "\xff\xff\xff\xff1234")), `{"tokenizer_class": "T5Tokenizer"}`, "precompiled_charsmap"},
		"no end":       {unk, `{"tokenizer_class": "T5Tokenizer"}`, `no piece "</s>"`},
		"fairseq":      {unk + piece("</s>", "") + piece("<s>", ""), `{"tokenizer_class": "XLMRobertaTokenizer"}`, `piece 1 is not "<s>"`},
		"no languages": {unk + piece("<s>", "") + piece("</s>", ""), `{"tokenizer_class": "NllbTokenizer", "src_lang": "deu_Latn"}`, `the language "deu_Latn"`},
		"added":        {unk, `{"tokenizer_class": "GemmaTokenizer", "added_tokens_decoder": {"-5": {"content": "x"}}}`, `the number "-5"`},
	} {
		files := map[string]string{"tokenizer.model": c.model}
		if c.config != "" {
			files["tokenizer_config.json"] = c.config
		}
		if _, err := Load(folderOf(t, files)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A damaged file is refused or works, and takes no more time than its size.
func FuzzPieces(f *testing.F) {
	for _, name := range []string{"gemma", "xlmr-unused", "t5", "suffix"} {
		f.Add(pieceModel(f, name), "a <|u|> wolf \u00bd")
	}
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		tok, err := bareOf(b)
		if err != nil {
			return
		}
		file, _ := readPieces(b)
		for _, id := range tok.Append(nil, text, 1<<12) {
			if id < 0 || id >= int64(len(file.pieces)) {
				t.Errorf("id %d of %d pieces", id, len(file.pieces))
			}
		}
	})
}
