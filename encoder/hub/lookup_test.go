package hub

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed is a repository of the hub, of which large files have their SHA-256 in the list.
func listed(t *testing.T, large map[string]int, small ...string) *server {
	t.Helper()
	type lfs struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	}
	type sibling struct {
		Name string `json:"rfilename"`
		Size int64  `json:"size"`
		LFS  *lfs   `json:"lfs,omitempty"`
	}
	files := map[string][]byte{}
	var list []sibling
	for name, n := range large {
		b := random(n)
		f := file(name, b)
		files["/owner/model/resolve/c0ffee/"+name] = b
		list = append(list, sibling{name, 130, &lfs{f.SHA256, f.Size}})
	}
	for _, name := range small {
		b := []byte(`{"of": "` + name + `"}`)
		files["/owner/model/resolve/c0ffee/"+name] = b
		list = append(list, sibling{name, int64(len(b)), nil})
	}
	answer, err := json.Marshal(map[string]any{"id": "owner/model", "sha": "c0ffee", "siblings": list})
	if err != nil {
		t.Fatal(err)
	}
	files["/api/models/owner/model/revision/main"] = answer
	files["/api/models/owner/model/revision/v1"] = answer
	return newServer(t, files)
}

// The models of the list are pulled from repositories laid out as theirs are; the revision that
// was fetched first stays, and sums that are known are held to.
func TestPullCatalog(t *testing.T) {
	// What the repositories hold, as their pages and projects that pin them list it; the graphs of
	// a repository beside those that are wanted are among what is left.
	both := func(dir string, names ...string) (out []string) {
		for _, n := range names {
			out = append(out, dir+n)
		}
		return out
	}
	lists := map[string]struct{ want, left []string }{ // what is fetched, and what is not
		"immich-app": {
			append(both("textual/", "model.onnx", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt"),
				"config.json", "visual/model.onnx", "visual/preprocess_cfg.json"),
			[]string{".gitattributes", "README.md", "textual/model.armnn", "textual/fp16/model.armnn", "textual/rknpu/rk3588/model.rknn", "visual/model.armnn", "visual/fp16/model.armnn", "visual/rknpu/rk3588/model.rknn"},
		},
		"Xenova": {
			[]string{"config.json", "merges.txt", "onnx/text_model.onnx", "onnx/vision_model.onnx", "preprocessor_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.json"},
			append(both("onnx/", "model.onnx", "model_fp16.onnx", "model_quantized.onnx", "text_model_bnb4.onnx", "text_model_fp16.onnx", "text_model_quantized.onnx", "text_model_uint8.onnx", "vision_model_fp16.onnx", "vision_model_q4.onnx", "vision_model_quantized.onnx"),
				".gitattributes", "README.md", "quantize_config.json"),
		},
		"BAAI": {
			[]string{"1_Pooling/config.json", "config.json", "config_sentence_transformers.json", "modules.json", "onnx/model.onnx", "sentence_bert_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"},
			[]string{".gitattributes", "README.md", "model.safetensors", "pytorch_model.bin"},
		},
		"sentence-transformers": {
			[]string{"1_Pooling/config.json", "config.json", "config_sentence_transformers.json", "modules.json", "onnx/model.onnx", "sentence_bert_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"},
			append(both("onnx/", "model_O1.onnx", "model_O2.onnx", "model_O3.onnx", "model_O4.onnx", "model_qint8_arm64.onnx", "model_qint8_avx512_vnni.onnx", "model_quint8_avx2.onnx"),
				".gitattributes", "README.md", "data_config.json", "model.safetensors", "openvino/openvino_model.bin", "openvino/openvino_model.xml", "pytorch_model.bin", "rust_model.ot", "tf_model.h5", "train_script.py"),
		},
		"intfloat": { // its tokenizer lies beside the graph once more
			append(both("onnx/", "config.json", "model.onnx", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"),
				"1_Pooling/config.json", "config.json", "modules.json", "sentence_bert_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"),
			[]string{".gitattributes", "README.md", "model.safetensors", "onnx/model_O4.onnx", "onnx/model_qint8_avx512_vnni.onnx", "onnx/sentencepiece.bpe.model", "openvino/openvino_model.bin", "openvino/openvino_model.xml", "pytorch_model.bin", "sentencepiece.bpe.model"},
		},
		"plhery": { // several models, and one of them above the others once more
			append(both("onnx/s2/", "config.json", "preprocessor_config.json", "text_model.onnx", "vision_model.onnx"), "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"),
			append(both("onnx/", "text_model.onnx", "vision_model.onnx", "s0/config.json", "s0/preprocessor_config.json", "s0/text_model.onnx", "s0/vision_model.onnx", "b/text_model.onnx", "b/vision_model.onnx", "l14/text_model.onnx", "l14/vision_model.onnx"),
				".gitattributes", "README.md"),
		},
		"onnx-community": {
			[]string{"config.json", "onnx/model.onnx", "onnx/model.onnx_data", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"},
			append(both("onnx/", "model_fp16.onnx", "model_fp16.onnx_data", "model_no_gather_q4.onnx", "model_no_gather_q4.onnx_data", "model_q4.onnx", "model_q4.onnx_data", "model_quantized.onnx", "model_quantized.onnx_data"),
				".gitattributes", "README.md", "added_tokens.json", "generation_config.json", "tokenizer.model"),
		},
	}
	for _, m := range catalog {
		owner, _, _ := strings.Cut(m.Repo, "/")
		large := map[string]int{}
		var small []string
		for _, f := range slices.Concat(lists[owner].want, lists[owner].left) {
			if strings.Contains(f, ".onnx") || strings.HasSuffix(f, ".model") || strings.HasSuffix(f, ".safetensors") {
				large[f] = 2000 + len(f)
			} else {
				small = append(small, f)
			}
		}
		s := listed(t, large, small...)
		s.set(func() {
			for name, b := range s.files {
				name = strings.Replace(name, "owner/model", m.Repo, 1)
				s.files[name] = b
				if at, ok := strings.CutSuffix(name, "/revision/main"); ok && m.Revision != "" {
					s.files[at+"/revision/"+m.Revision] = b
				}
			}
		})
		dir := filepath.Join(t.TempDir(), m.Name)
		_, err := Pull(t.Context(), m.Name, s.options(dir))
		if m.sums != nil {
			var wrong *ChecksumError
			if !errors.As(err, &wrong) {
				t.Errorf("%s with other graphs: %v", m.Name, err)
			}
			m.sums = nil
			_, err = m.pullListed(t.Context(), "", s.options(dir))
		}
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		there := pulled(t, dir)
		want := slices.Sorted(slices.Values(lists[owner].want))
		if !slices.Equal(there, want) {
			t.Errorf("%s: %q; want %q", m.Name, there, want)
		}
		// The hub has a newer revision: what was fetched first stays.
		s.set(func() {
			s.files["/api/models/"+m.Repo+"/revision/c0ffee"] = s.files["/api/models/"+m.Repo+"/revision/main"]
			delete(s.files, "/api/models/"+m.Repo+"/revision/main")
		})
		if _, err := m.pullListed(t.Context(), "", s.options(dir)); err != nil || len(s.requests) != 1 {
			t.Errorf("%s again: %v, %q", m.Name, err, s.requests)
		}
	}
	if _, err := PullVariant(t.Context(), "clip-vit-base-patch32", "q4", nil); err == nil || !strings.Contains(err.Error(), "hf:Xenova/clip-vit-base-patch32 has all variants") {
		t.Errorf("a variant of a pinned model: %v", err)
	}
}

// Any model of the hub is pulled with the files that an encoder needs, of one variant, and
// what was fetched is recorded. The lists are those of real repositories.
func TestPullHub(t *testing.T) {
	for name, c := range map[string]struct {
		large   map[string]int
		small   []string
		variant string
		want    []string
	}{
		"Xenova/clip-vit-base-patch32": {
			map[string]int{"onnx/model.onnx": 9000, "onnx/text_model.onnx": 5000, "onnx/text_model_fp16.onnx": 2500, "onnx/vision_model.onnx": 6000, "onnx/vision_model_fp16.onnx": 3000, "onnx/vision_model_quantized.onnx": 100},
			[]string{".gitattributes", "README.md", "config.json", "merges.txt", "preprocessor_config.json", "quantize_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.json"}, "fp16",
			[]string{"config.json", "merges.txt", "onnx/text_model_fp16.onnx", "onnx/vision_model_fp16.onnx", "preprocessor_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.json"},
		},
		"BAAI/bge-small-en-v1.5": {
			map[string]int{"model.safetensors": 9000, "onnx/model.onnx": 5000, "pytorch_model.bin": 9000},
			[]string{"1_Pooling/config.json", "README.md", "config.json", "config_sentence_transformers.json", "modules.json", "sentence_bert_config.json", "tokenizer.json", "vocab.txt"}, "",
			[]string{"1_Pooling/config.json", "config.json", "config_sentence_transformers.json", "modules.json", "onnx/model.onnx", "sentence_bert_config.json", "tokenizer.json", "vocab.txt"},
		},
		"jinaai/jina-clip-v2": {
			map[string]int{"onnx/model.onnx": 100, "onnx/model.onnx_data": 9000, "onnx/model_q4.onnx": 100, "model.safetensors": 5},
			[]string{"config.json", "preprocessor_config.json", "tokenizer.json", "modeling_clip.py"}, "fp32",
			[]string{"config.json", "onnx/model.onnx", "onnx/model.onnx_data", "preprocessor_config.json", "tokenizer.json"},
		},
		"immich-app/ViT-B-16-SigLIP2__webli": {
			map[string]int{"textual/model.onnx": 500, "visual/model.onnx": 900, "textual/fp16/model.armnn": 9},
			[]string{"config.json", "textual/tokenizer.json", "textual/tokenizer_config.json", "visual/preprocess_cfg.json"}, "",
			[]string{"config.json", "textual/model.onnx", "textual/tokenizer.json", "textual/tokenizer_config.json", "visual/model.onnx", "visual/preprocess_cfg.json"},
		},
	} {
		s := listed(t, c.large, c.small...)
		dir := filepath.Join(t.TempDir(), "model")
		got, err := PullVariant(t.Context(), "hf:owner/model", c.variant, s.options(dir))
		if err != nil || got != dir {
			t.Fatalf("%s: %s, %v", name, got, err)
		}
		there := pulled(t, dir)
		if !slices.Equal(there, c.want) {
			t.Errorf("%s: %q; want %q", name, there, c.want)
		}
		// Again: nothing is fetched, and what has changed since is an error.
		s.set(func() {})
		if _, err := PullVariant(t.Context(), "hf:owner/model@v1", c.variant, s.options(dir)); err != nil || len(s.requests) != 1 {
			t.Errorf("%s again: %v, %q", name, err, s.requests)
		}
		path := filepath.Join(dir, filepath.FromSlash(c.want[len(c.want)-1]))
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Pull(t.Context(), "hf:owner/model", s.options(dir)); c.variant == "" && (err == nil || !strings.Contains(err.Error(), "other contents than when it was first fetched")) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	// Another revision brings its own small files, be they of the same size.
	s := listed(t, map[string]int{"model.onnx": 50}, "config.json")
	dir := filepath.Join(t.TempDir(), "m")
	if _, err := Pull(t.Context(), "hf:owner/model", s.options(dir)); err != nil {
		t.Fatal(err)
	}
	s.set(func() {
		api := "/api/models/owner/model/revision/main"
		s.files[api] = []byte(strings.ReplaceAll(string(s.files[api]), "c0ffee", "c0ffef"))
		s.files["/owner/model/resolve/c0ffef/config.json"] = []byte(strings.ToUpper(string(s.files["/owner/model/resolve/c0ffee/config.json"])))
	})
	if _, err := Pull(t.Context(), "hf:owner/model", s.options(dir)); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "config.json")); err != nil || !strings.Contains(string(b), "CONFIG") {
		t.Errorf("%s, %v", b, err)
	}
	s = listed(t, map[string]int{"onnx/model_q4.onnx": 5, "model.safetensors": 5}, "config.json")
	for name, want := range map[string]string{"hf:owner/model": `there are q4`, "hf:owner/other": "404", "hf:owner": "does not name", "hf:a/b/c": "does not name", "hf:../x": "does not name"} {
		if _, err := Pull(t.Context(), name, s.options(filepath.Join(t.TempDir(), "m"))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	s = listed(t, map[string]int{"model.safetensors": 5}, "config.json")
	if _, err := Pull(t.Context(), "hf:owner/model", s.options(filepath.Join(t.TempDir(), "m"))); err == nil || !strings.Contains(err.Error(), "export it to ONNX first") {
		t.Errorf("no graphs: %v", err)
	}
}

// pulled returns the files of a model that was pulled, in order.
func pulled(t *testing.T, dir string) (there []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != recordFile {
			rel, _ := filepath.Rel(dir, path)
			there = append(there, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(there)
	return there
}
