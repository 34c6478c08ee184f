// The program of the weight comparison, with chromem-go.
package main

import (
	"context"
	"path/filepath"
	"strconv"

	"github.com/philippgille/chromem-go"

	"github.com/lupadb/lupa/testdata/bench/rivals/weight/same"
)

func main() { same.Run(search) }

func search(dir string, vectors [][]float32, query []float32) ([]int, error) {
	ctx := context.Background()
	store, err := chromem.NewPersistentDB(filepath.Join(dir, "store"), false)
	if err != nil {
		return nil, err
	}
	t, err := store.CreateCollection("t", nil, nil)
	if err != nil {
		return nil, err
	}
	docs := make([]chromem.Document, len(vectors))
	for i, v := range vectors {
		docs[i] = chromem.Document{ID: strconv.Itoa(i), Embedding: v}
	}
	if err := t.AddDocuments(ctx, docs, 1); err != nil {
		return nil, err
	}
	found, err := t.QueryEmbedding(ctx, query, same.K, nil, nil)
	if err != nil {
		return nil, err
	}
	var ids []int
	for _, f := range found {
		id, err := strconv.Atoi(f.ID)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	same.Idle(store)
	return ids, nil
}
