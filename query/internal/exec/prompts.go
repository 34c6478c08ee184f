package exec

import (
	"context"
	"strings"

	"github.com/lupadb/lupa/encoder"
)

// samplePrompts are phrases like those people search pictures with. Their
// vectors show where queries lie.
var samplePrompts = func() (out []string) {
	things := []string{"dog", "cat", "wolf", "horse", "bird", "fish", "elephant", "butterfly", "child", "woman", "man", "crowd",
		"car", "bicycle", "train", "boat", "airplane", "bridge", "castle", "church", "house", "skyscraper", "street", "market",
		"mountain", "river", "beach", "forest", "desert", "waterfall", "flower", "tree", "mushroom", "field", "sky", "moon",
		"bread", "coffee", "fruit", "cake", "book", "chair", "lamp", "clock", "guitar", "camera", "window", "statue"}
	for _, p := range []string{"a photo of a %", "a % in the snow", "a % at night", "a red %"} {
		for _, t := range things {
			out = append(out, strings.Replace(p, "%", t, 1))
		}
	}
	return out
}()

// SamplePrompts returns phrases as they are searched for, to be encoded: the encoder's own
// where it has a fixed list.
func SamplePrompts(enc encoder.Encoder) []string {
	prompts := samplePrompts
	if s, ok := enc.(encoder.Sampler); ok {
		prompts = s.SamplePrompts(len(samplePrompts))
	}
	prefix := Prompt(enc, false)
	out := make([]string, len(prompts))
	for i, p := range prompts {
		out[i] = prefix + p
	}
	return out
}

// promptsAtOnce are encoded in one call, between which a statement can be stopped.
const promptsAtOnce = 32

// SampleVectors encodes SamplePrompts, with what the cache has of them.
func SampleVectors(ctx context.Context, enc encoder.Encoder, cache *TextCache) (out [][]float32, err error) {
	prompts := SamplePrompts(enc)
	for len(prompts) > 0 {
		n := min(promptsAtOnce, len(prompts))
		vecs, err := EncodeTexts(ctx, enc, cache, prompts[:n])
		if err != nil {
			return out, err
		}
		out, prompts = append(out, vecs...), prompts[n:]
	}
	return out, ctx.Err()
}
