package statement

import (
	"context"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/storage"
)

// querySamples encodes typical prompts for the columns that have an encoder, to
// train their codes with. An encoder that can't be had is no error: codes are
// then trained without.
func querySamples(ctx context.Context, in *bind.Input, def *storage.TableDef) (map[int][][]float32, error) {
	out := map[int][][]float32{}
	for i := range def.Columns {
		e := bind.EncodingOf(def, i)
		if e == nil {
			continue
		}
		enc, err := in.OpenEncoder(ctx, e, parse.Pos{})
		if err != nil {
			continue
		}
		vecs, err := exec.SampleVectors(ctx, enc, nil)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if len(vecs) > 0 || err == nil {
			out[i] = vecs
		}
	}
	return out, nil
}
