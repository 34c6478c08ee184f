package db_test

import (
	"context"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// sigmoid is words of a model that was trained to tell whether a text fits a picture.
type sigmoid struct{ *words }

func (sigmoid) Sigmoid() (scale, bias float64, ok bool) { return 10, -3, true }

// The relevance of a column whose model has a head is what that makes of the similarity.
func TestRelevanceByHead(t *testing.T) {
	d := open(t, &db.Options{OpenEncoder: func(context.Context, string) (encoder.Encoder, error) { return sigmoid{newWords(16)}, nil }})
	mustExec(t, d, `CREATE TABLE p (id INTEGER PRIMARY KEY, clip VECTOR ENCODER 'words');
		-- as pictures do, these lie elsewhere than phrases
		INSERT INTO p SELECT i, t FROM unnest(ARRAY['wolf', 'wolf grey', 'photo wolf', 'fish', 'two fish', 'castle sky']) WITH ORDINALITY AS u(t, i)`)
	var rows, near, in int64
	if err := d.QueryRow(t.Context(), `SELECT count(*), sum(CASE WHEN abs(relevance(clip, $1) - 1 / (1 + exp(-(10 * similarity(clip, $1) - 3)))) < 1e-6 THEN 1 ELSE 0 END),
		sum(CASE WHEN similarity(clip, $1) > 0.3 THEN 1 ELSE 0 END) FROM p`, "a photo of a wolf").Scan(&rows, &near, &in); err != nil {
		t.Fatal(err)
	}
	if rows != 6 || near != rows || in == 0 || in == rows {
		t.Errorf("of %d rows %d have the relevance of the head, %d are above its middle", rows, near, in)
	}
	var found int64
	if err := d.QueryRow(t.Context(), `SELECT count(*) FROM p WHERE relevance(clip, 'a photo of a wolf') > 0.5`).Scan(&found); err != nil || found != in {
		t.Errorf("%d rows are relevant, want %d (%v)", found, in, err)
	}
}
