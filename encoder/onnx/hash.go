package onnx

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/clip"
)

// hash returns the identity of the towers in use: SHA-256 over the SHA-256 of
// every file that their vectors depend on, each with the part it plays. Where
// the directory lies and what its files are called does not matter.
func (f *Folder) hash() (string, error) {
	h := sha256.New()
	add := func(part string, files ...string) error {
		for _, path := range files {
			sum, err := hashFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, "%s %s\n", part, sum)
		}
		return nil
	}
	if t := f.Text; t != nil {
		if err := add("text graph", t.files()...); err != nil {
			return "", err
		}
		if err := add("tokenizer", tokenizerFiles(t.Config)...); err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%d tokens, padded %v\n", t.MaxTokens, t.Pad)
		for _, how := range []string{t.Clean, t.Pool} {
			if how != "" { // what models had no need of keeps their hash as it was
				fmt.Fprintf(h, "%s\n", how)
			}
		}
		if t.siglip2 {
			fmt.Fprintf(h, "siglip2\n")
		}
		if t.noSep {
			fmt.Fprintf(h, "no separator\n")
		}
		if f.Query != "" || f.Document != "" {
			fmt.Fprintf(h, "prompts %q %q\n", f.Query, f.Document)
		}
	}
	if t := f.Image; t != nil {
		if err := add("image graph", t.files()...); err != nil {
			return "", err
		}
		if t.Config == "" {
			fmt.Fprintf(h, "pictures as CLIP's, %d\n", t.width)
		} else if err := add("preprocessor", clip.PreprocessorFile(t.Config)); err != nil {
			return "", err
		}
		if t.Pool != "" {
			fmt.Fprintf(h, "%s\n", t.Pool)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hashed is a file whose hash is known.
type hashed struct {
	Size int64  `json:"size"`
	Time int64  `json:"time"` // of modification, Unix nanoseconds
	Hash string `json:"sha256"`
}

// remembered is the size from which the hash of a file is kept in the per-user
// cache: smaller ones are hashed in a few milliseconds.
const remembered = 4 << 20

// hashCache guards the file that keeps hashes.
var hashCache sync.Mutex

// hashFile returns the SHA-256 of a file. A large file is read once: as long as
// its size and time of modification stay, so does its hash.
func hashFile(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if st.Size() < remembered {
		return readHash(path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	hashCache.Lock()
	defer hashCache.Unlock()
	known := loadHashes()
	now := hashed{Size: st.Size(), Time: st.ModTime().UnixNano()}
	if k, ok := known[abs]; ok && k.Size == now.Size && k.Time == now.Time && len(k.Hash) == 2*sha256.Size {
		return k.Hash, nil
	}
	if now.Hash, err = readHash(path); err != nil {
		return "", err
	}
	known[abs] = now
	saveHashes(known)
	return now.Hash, nil
}

func readHash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashesFile() (string, error) {
	dir, err := encoder.CacheDir()
	return filepath.Join(dir, "hashes.json"), err
}

// loadHashes returns what is known; nothing if the cache can't be read.
func loadHashes() map[string]hashed {
	known := map[string]hashed{}
	if path, err := hashesFile(); err == nil {
		if b, err := os.ReadFile(path); err == nil && json.Unmarshal(b, &known) != nil {
			known = map[string]hashed{}
		}
	}
	return known
}

// saveHashes replaces the file at once, so that two programs at a time leave
// one of both versions. Failing costs only time at the next start.
func saveHashes(known map[string]hashed) {
	path, err := hashesFile()
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	for p := range known {
		if _, err := os.Stat(p); err != nil {
			delete(known, p)
		}
	}
	b, err := json.MarshalIndent(known, "", " ")
	if err != nil {
		return
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "hashes-*")
	if err != nil {
		return
	}
	_, err = tmp.Write(b)
	if err2 := tmp.Close(); err != nil || err2 != nil || os.Rename(tmp.Name(), path) != nil {
		os.Remove(tmp.Name())
	}
}
