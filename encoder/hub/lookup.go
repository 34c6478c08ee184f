package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Prefix stands before the name of any model on the hub: "hf:owner/name", or
// "hf:owner/name@revision".
const Prefix = "hf:"

// Lookup asks the hub which files a model has, and returns it with those that an encoder
// needs: what tells how texts and pictures are prepared, and the graphs of a variant ("" for
// fp32). The revision is the commit that the hub names now. Small files have no SHA-256
// there: they are trusted when they are first fetched, and recorded (see Record).
func Lookup(ctx context.Context, name, variant string, o *Options) (Model, error) {
	if o == nil {
		o = &Options{}
	}
	repo, revision, _ := strings.Cut(strings.TrimPrefix(name, Prefix), "@")
	if owner, model, ok := strings.Cut(repo, "/"); !ok || owner == "" || model == "" || strings.Contains(model, "/") || !filepath.IsLocal(filepath.FromSlash(repo)) {
		return Model{}, fmt.Errorf("%q does not name a model of the hub; hf:owner/name does", name)
	}
	return Model{Name: repo, About: "of the hub", Repo: repo, Revision: revision}.lookup(ctx, variant, o)
}

// lookup returns the model with the files that the hub lists, of its revision or the newest.
func (m Model) lookup(ctx context.Context, variant string, o *Options) (Model, error) {
	repo, revision := m.Repo, cmp.Or(m.Revision, "main")
	parts := []string{strings.TrimRight(o.endpoint(), "/"), "api/models"}
	for _, s := range append(strings.Split(repo, "/"), "revision", revision) {
		parts = append(parts, url.PathEscape(s))
	}
	address := strings.Join(parts, "/") + "?blobs=true"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Model{}, err
	}
	resp, err := o.client().Do(req)
	if err != nil {
		return Model{}, fmt.Errorf("the list of files of %s can't be fetched; is there a connection? (%s names another address of the hub): %w", repo, EndpointEnv, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Model{}, fmt.Errorf("no model %s: %w", repo, &StatusError{address, resp.Status})
	}
	var answer struct {
		SHA      string    `json:"sha"`
		Siblings []sibling `json:"siblings"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 32<<20)).Decode(&answer); err != nil {
		return Model{}, fmt.Errorf("%s: %w", address, err)
	}
	if answer.SHA == "" {
		return Model{}, fmt.Errorf("%s: the answer names no revision", address)
	}
	m.Revision = answer.SHA
	var names []string
	for _, s := range answer.Siblings {
		if m.folder == "" || strings.HasPrefix(s.Name, m.folder+"/") {
			names = append(names, s.Name)
		}
	}
	graphs, err := pickGraphs(names, variant)
	if err != nil {
		return Model{}, fmt.Errorf("%s: %w", repo, err)
	}
	for _, s := range answer.Siblings {
		if !slices.Contains(graphs, s.Name) && !m.tells(s.Name) || vocabulary(s.Name) && slices.ContainsFunc(answer.Siblings, hasTokenizer) {
			continue
		}
		f := File{Path: s.Name, Size: s.Size}
		if s.LFS != nil {
			f.Size, f.SHA256 = s.LFS.Size, s.LFS.SHA256
		}
		if sum := m.sums[f.Path]; sum != "" {
			if f.SHA256 != "" && f.SHA256 != sum {
				return Model{}, &ChecksumError{resolveURL(o.endpoint(), m, f), sum, f.SHA256}
			}
			f.SHA256 = sum
		}
		m.Files = append(m.Files, f)
	}
	return m, nil
}

// sibling is a file of the hub's list.
type sibling struct {
	Name string `json:"rfilename"`
	Size int64  `json:"size"`
	LFS  *struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	} `json:"lfs"`
}

func hasTokenizer(s sibling) bool { return path.Base(s.Name) == "tokenizer.json" }

// vocabulary reports whether a file is a vocabulary of SentencePiece, which is of use where
// there is no tokenizer.json.
func vocabulary(name string) bool { return strings.HasSuffix(name, ".model") }

// tells reports whether a file tells how texts and pictures are prepared. Of a repository with
// several models those of the one count, and those above it.
func (m *Model) tells(name string) bool {
	dir := path.Dir(name)
	return isConfig(name) && (m.folder == "" || dir == "." || dir == m.folder || strings.HasPrefix(m.folder, dir+"/"))
}

// isConfig reports whether a file tells how texts and pictures are prepared.
func isConfig(name string) bool {
	dir, base := path.Split(name)
	if strings.Count(dir, "/") > 2 {
		return false
	}
	switch base {
	case "config.json", "open_clip_config.json", "preprocessor_config.json", "preprocess_cfg.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
		"vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "sentencepiece.bpe.model", "spiece.model", "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "bpe_simple_vocab_16e6.txt.gz":
		return true
	}
	return false
}

// pickGraphs returns the graphs of a variant, with the files of their weights: those of the
// towers, or where there are none those with both.
func pickGraphs(names []string, variant string) ([]string, error) {
	suffix := ""
	if variant != "" && variant != "fp32" {
		suffix = "_" + variant
	}
	var out, there []string
	for _, stems := range [][]string{{"text_model", "vision_model"}, {"textual", "visual"}, {"model"}} {
		for _, n := range names {
			base := path.Base(n)
			stem, ok := strings.CutSuffix(base, ".onnx")
			if !ok {
				continue
			}
			for _, s := range stems {
				switch {
				case stem == s+suffix:
					out = append(out, n)
				case strings.HasPrefix(stem, s+"_"):
					there = append(there, strings.TrimPrefix(stem, s+"_"))
				}
			}
		}
		if len(out) > 0 {
			break
		}
	}
	if len(out) == 0 {
		slices.Sort(there)
		there = slices.Compact(there)
		switch {
		case len(there) > 0:
			return nil, fmt.Errorf("it has no graphs of the variant %q; there are %s", variant, strings.Join(there, ", "))
		case slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".safetensors") || strings.HasSuffix(n, ".bin") }):
			return nil, errors.New("it has PyTorch weights and no ONNX graphs; export it to ONNX first")
		}
		return nil, errors.New("it has no ONNX graphs")
	}
	for _, n := range names { // weights beside a graph: model.onnx_data, model.onnx_data_1, model.onnx.data
		for _, g := range out {
			if rest, ok := strings.CutPrefix(n, g); ok && (strings.HasPrefix(rest, "_data") || strings.HasPrefix(rest, ".data")) {
				out = append(out, n)
				break
			}
		}
	}
	return out, nil
}

// recordFile is where Record keeps what was fetched, in the directory of a model.
const recordFile = "pulled.json"

// Record writes what was fetched of a model into its directory: repository, revision and the
// SHA-256 of every file. What is there already stays, and a file that has other contents
// than when it was first fetched is an error.
func Record(m Model, dir string) error {
	known, err := recorded(dir)
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		sum, err := sumFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil {
			return err
		}
		f.SHA256 = sum
		i := slices.IndexFunc(known.Files, func(k File) bool { return k.Path == f.Path })
		switch {
		case i < 0:
			known.Files = append(known.Files, f)
		case known.Files[i].SHA256 != f.SHA256 && known.Revision == m.Revision:
			return fmt.Errorf("%s has other contents than when it was first fetched (SHA-256 %s, now %s)", filepath.Join(dir, f.Path), known.Files[i].SHA256, f.SHA256)
		default:
			known.Files[i] = f
		}
	}
	known.Name, known.Repo, known.Revision = m.Name, m.Repo, m.Revision
	b, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, recordFile), append(b, '\n'), 0o644)
}

// recorded returns what Record wrote into a directory, zero if that is nothing.
func recorded(dir string) (m Model, err error) {
	at := filepath.Join(dir, recordFile)
	b, err := os.ReadFile(at)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return Model{}, fmt.Errorf("%s: %w", at, err)
	}
	return m, nil
}
