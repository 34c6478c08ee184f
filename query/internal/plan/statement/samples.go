package statement

import (
	"context"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/storage"
)

// samplePrompts are phrases like those people search pictures with. Their
// vectors show the codes of a column where queries lie.
var samplePrompts = func() []string {
	things := []string{"dog", "cat", "wolf", "horse", "bird", "fish", "elephant", "butterfly", "child", "woman", "man", "crowd",
		"car", "bicycle", "train", "boat", "airplane", "bridge", "castle", "church", "house", "skyscraper", "street", "market",
		"mountain", "river", "beach", "forest", "desert", "waterfall", "flower", "tree", "mushroom", "field", "sky", "moon",
		"bread", "coffee", "fruit", "cake", "book", "chair", "lamp", "clock", "guitar", "camera", "window", "statue"}
	places := []string{"a photo of a %", "a % in the snow", "a % at night", "a red %"}
	var out []string
	for _, p := range places {
		for _, t := range things {
			for i := range p {
				if p[i] == '%' {
					out = append(out, p[:i]+t+p[i+1:])
					break
				}
			}
		}
	}
	return out
}()

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
		prompts := samplePrompts
		if s, ok := enc.(interface{ SamplePrompts(int) []string }); ok {
			prompts = s.SamplePrompts(len(samplePrompts))
		}
		prefix := exec.Prompt(enc, false)
		for len(prompts) > 0 {
			n := min(32, len(prompts))
			texts := make([]string, n)
			for k, p := range prompts[:n] {
				texts[k] = prefix + p
			}
			vecs, err := enc.EncodeTexts(ctx, texts)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				break
			}
			out[i] = append(out[i], vecs...)
			prompts = prompts[n:]
		}
	}
	return out, nil
}
