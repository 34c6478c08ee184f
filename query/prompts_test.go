package query_test

import (
	"context"
	"testing"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage"
)

// counting is an encoder of two dimensions that counts the texts it is given.
type counting struct{ texts int }

func (c *counting) Model() encoder.Model { return encoder.Model{Name: "c", Dim: 2, Hash: "c0"} }
func (c *counting) EncodeTexts(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i := range texts {
		c.texts++
		out[i] = []float32{0.6, 0.8}
	}
	return out, nil
}
func (c *counting) EncodeImages(context.Context, []encoder.Image) ([]encoder.ImageResult, error) {
	return nil, encoder.ErrUnsupported
}
func (c *counting) Close() error { return nil }

// A phrase asked before the store was closed is not encoded again afterwards.
func TestPhrasesOutliveTheProgram(t *testing.T) {
	dir := t.TempDir()
	enc := new(counting)
	for round, want := range []int{1, 1, 2} {
		store, err := storage.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := query.NewSession(&query.Env{Store: store, Encoder: func(context.Context, string) (encoder.Encoder, error) { return enc, nil }})
		phrase := "a wolf"
		if round == 2 {
			phrase = "a castle"
		}
		for _, sql := range []string{
			"CREATE TABLE IF NOT EXISTS t (id INTEGER, v VECTOR(2) ENCODER 'c')",
			"INSERT INTO t VALUES (1, [1, 0])",
			"SELECT id FROM t ORDER BY v_sim('" + phrase + "') LIMIT 1",
			"SELECT id, v_sim('" + phrase + "') FROM t",
		} {
			r, err := s.Query(t.Context(), sql, query.Args{}, query.Hooks{})
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			for {
				b, err := r.Next(t.Context())
				if err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
				if b == nil {
					break
				}
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if enc.texts != want {
			t.Errorf("round %d: %d texts were encoded in all, want %d", round, enc.texts, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
