package source_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// hdf5Wants returns, by file and data set, what testdata/outside/make_hdf5.py says is in it: its
// values, or why it is refused.
func hdf5Wants(t *testing.T) map[string]map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "outside", "hdf5.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]any
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

// Data sets as h5py says they are; what is not read is refused with the reason.
func TestHDF5(t *testing.T) {
	n := 0
	for file, sets := range hdf5Wants(t) {
		path := filepath.Join("testdata", "outside", file)
		for name, want := range sets {
			n++
			r, err := source.Open(path, "", source.Options{Member: name})
			if why, refused := want.(string); refused {
				if err == nil || !strings.Contains(err.Error(), why) {
					t.Errorf("%s, %s: %v, want %s", file, name, err, why)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %s: %v", file, name, err)
				continue
			}
			rows, err := readAll(r)
			r.Close()
			if err != nil || len(rows) != len(want.([]any)) || r.Rows() != int64(len(rows)) {
				t.Errorf("%s, %s: %d rows of %d, %v", file, name, len(rows), len(want.([]any)), err)
				continue
			}
			if short := name[strings.LastIndex(name, "/")+1:]; r.Columns()[0].Name != short {
				t.Errorf("%s, %s: column %s", file, name, r.Columns()[0].Name)
			}
			for i, w := range want.([]any) {
				got, same := rows[i][0], false
				switch w := w.(type) {
				case bool:
					same = got.Kind() == value.Boolean && got.Bool() == w
				case string:
					same = got.Str() == w
				case float64:
					same = got.Kind() == value.Integer && float64(got.Int()) == w || got.Kind() == value.Real && got.Float() == w
				case []any:
					same = len(got.Vec()) == len(w)
					for k := range got.Vec() {
						same = same && got.Vec()[k] == float32(w[k].(float64))
					}
				}
				if !same {
					t.Errorf("%s, %s, row %d: %v, h5py says %v", file, name, i+1, got, w)
					break
				}
			}
		}
	}
	if n < 85 {
		t.Errorf("%d data sets", n)
	}
	for member, want := range map[string]string{"": "name one, as in member => 'distances' (there are distances, neighbors, test, train)", "trian": `no data set "trian" (there are distances,`} {
		if _, err := source.Open(filepath.Join("testdata", "outside", "ann.hdf5"), "", source.Options{Member: member}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("member %q: %v, want %s", member, err, want)
		}
	}
}

// Where bytes are damaged, a data set with checksums is as it was or an error, and no file makes
// the reader fail otherwise.
func TestDamagedHDF5(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.h5")
	for _, c := range []struct{ file, member string }{{"ann.hdf5", "train"}, {"kinds.h5", "c_all_5"}, {"kinds.h5", "c_checked_5"}, {"v108.h5", "chunks"}, {"levels.h5", "long"}} {
		good, err := os.ReadFile(filepath.Join("testdata", "outside", c.file))
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, uint64(len(good))))
		for range 150 {
			b := append([]byte(nil), good...)
			switch rng.IntN(4) {
			case 0:
				b = b[:rng.IntN(len(b))]
			case 1:
				b[rng.IntN(min(len(b), 2048))] = byte(rng.Uint32())
			default:
				b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			}
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := source.Open(path, "", source.Options{Member: c.member})
			if err != nil {
				continue
			}
			for n := 0; n < 100; n++ { // its shape may have grown
				if b, err := r.Next(t.Context()); err != nil || b == nil {
					break
				}
			}
			r.Close()
		}
	}
}

// The checksum of chunks is looked at.
func TestHDF5Checksum(t *testing.T) {
	good, err := os.ReadFile(filepath.Join("testdata", "outside", "kinds.h5"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.h5")
	found := 0
	for i := 0; i < len(good); i++ {
		b := append([]byte(nil), good...)
		b[i] ^= 0x10
		i += 160
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := source.Open(path, "", source.Options{Member: "c_checked_23"})
		if err != nil {
			continue
		}
		if _, err := readAll(r); err != nil && strings.Contains(err.Error(), "its checksum is wrong") {
			found++
		}
		r.Close()
	}
	if found < 3 { // of 644 bytes of the chunk
		t.Errorf("%d wrong checksums found", found)
	}
}
