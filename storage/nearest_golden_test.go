package storage_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// clipReal holds real CLIP vectors, which are not part of the project.
const clipReal = "../../shared/data/clip-real"

// readMatrix reads a .npy file of float16 or float32.
func readMatrix(t *testing.T, path string) [][]float32 {
	b := must[[]byte](t)(os.ReadFile(path))
	n := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	header := string(b[10:n])
	shape := strings.Split(header[strings.Index(header, "(")+1:strings.Index(header, ")")], ",")
	rows := must[int](t)(strconv.Atoi(shape[0]))
	dim := must[int](t)(strconv.Atoi(strings.TrimSpace(shape[1])))
	b = b[n:]
	m := make([][]float32, rows)
	for i := range m {
		m[i] = make([]float32, dim)
		for j := range m[i] {
			if strings.Contains(header, "<f4") {
				m[i][j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*(i*dim+j):]))
				continue
			}
			h := binary.LittleEndian.Uint16(b[2*(i*dim+j):])
			f := math.Ldexp(float64(h&1023|1024), int(h>>10&31)-25)
			if h>>10&31 == 0 {
				f = math.Ldexp(float64(h&1023), -24)
			}
			m[i][j] = float32(math.Copysign(f, -float64(h>>15&1)+0.5))
		}
	}
	return m
}

// The best ten of real pictures for real phrases are those computed elsewhere in
// float64, with codes and without.
func TestNearestReal(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(clipReal, "photos", "golden.json"))
	if err != nil {
		t.Skip("needs the real CLIP vectors: ", err)
	}
	var golden struct {
		Queries []struct {
			Set    string `json:"text_set"`
			Row    int
			Phrase string
			Top    [][2]any
		}
	}
	check(t, json.Unmarshal(raw, &golden))
	ids := strings.Split(string(bytes.TrimSpace(must[[]byte](t)(os.ReadFile(filepath.Join(clipReal, "photos", "photo_ids.csv"))))), "\n")[1:]
	photos := readMatrix(t, filepath.Join(clipReal, "photos", "features.npy"))
	v := newVectorTable(t, len(photos[0]))
	l := must[*storage.Loader](t)(v.store.BulkLoad(ctx, "v", storage.LoadOptions{}))
	for part := range slices.Chunk(photos, value.BatchSize) {
		c := &value.Column{Type: value.Type{Kind: value.Vector, Dim: v.dim}}
		for i, x := range part {
			c.Append(i, value.Vec(x))
		}
		check(t, l.Append(ctx, &value.Batch{Len: len(part), Cols: []*value.Column{c}}))
	}
	_, err = l.Finish(ctx)
	check(t, err)
	prompts := readMatrix(t, filepath.Join(clipReal, "text", "imagenet1000_a.npy"))
	check(t, v.store.RetrainColumn(ctx, "v", "v", prompts[:300], nil))
	view := must[*storage.View](t)(v.store.Snapshot())
	defer view.Close()
	table := must[*storage.Table](t)(view.Table("v"))
	sets := map[string][][]float32{}
	var discarded uint64
	for _, g := range golden.Queries {
		if sets[g.Set] == nil {
			sets[g.Set] = readMatrix(t, filepath.Join(clipReal, "text", g.Set+".npy"))
		}
		q := must[*vector.Query](t)(vector.NewQuery(vector.Cosine, sets[g.Set][g.Row]))
		brute, _, err := table.Nearest(ctx, storage.NearestOptions{Query: q, K: len(g.Top), BruteForce: true})
		check(t, err)
		coded, stats, err := table.Nearest(ctx, storage.NearestOptions{Query: q, K: len(g.Top)})
		check(t, err)
		sameNeighbors(t, g.Phrase, coded, brute)
		discarded += stats.Discarded1 + stats.Discarded2
		for i, n := range brute {
			if id := strings.TrimSpace(ids[n.Row]); id != g.Top[i][0] || math.Abs(n.Score-g.Top[i][1].(float64)) > 1e-6 {
				t.Errorf("%s: row %d is %s with %v, want %v", g.Phrase, i, id, n.Score, g.Top[i])
			}
		}
	}
	if len(golden.Queries) != 368 || discarded == 0 {
		t.Errorf("%d phrases, %d rows discarded by codes", len(golden.Queries), discarded)
	}
}
