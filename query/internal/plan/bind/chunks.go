package bind

import (
	"fmt"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	words "github.com/lupadb/lupa/storage/text"
	"github.com/lupadb/lupa/storage/value"
)

// maxChunk is the most words or tokens of a chunk.
const maxChunk = 1 << 20

// chunks cuts a text into parts of so many words, or of so many tokens of an encoder.
var chunks = &rowFuncOf{
	syntax: "(text, size [, overlap] [, encoder => 'name'])", args: [2]int{2, 3},
	types: func(args []*logical.Expr) ([]value.Type, []logical.Column, error) {
		params := []value.Type{logical.TextType, logical.IntType, logical.IntType}
		return params[:len(args)], []logical.Column{{Name: "n", Type: logical.IntType}, {Name: "text", Type: logical.TextType}, {Name: "start", Type: logical.IntType}}, nil
	},
	with: func(b *Binder, t *parse.TableFunc) (func([]value.Value, func(...value.Value) error) error, error) {
		opts, err := b.Options(t.Options)
		if err != nil {
			return nil, err
		}
		var enc encoder.Encoder
		for i, o := range opts {
			pos := t.Options[i].Pos
			switch {
			case o.Name != "encoder":
				return nil, parse.Errorf(pos, "chunks has no option %s, only encoder", o.Name)
			case !o.HasValue || o.Value.Kind() != value.Text:
				return nil, parse.Errorf(pos, "encoder takes the name of an encoder, whose tokens are counted")
			}
			if enc, err = b.In.FindEncoder(b.Ctx, o.Value.Str(), ""); err != nil {
				return nil, EncoderError(pos, err)
			}
			if _, err := encoder.CountTokens(enc, ""); err != nil {
				return nil, logical.ErrorAt(pos, err)
			}
		}
		return func(args []value.Value, emit func(...value.Value) error) error {
			return chunkRows(enc, args, emit)
		}, nil
	},
}

func chunkRows(enc encoder.Encoder, args []value.Value, emit func(...value.Value) error) error {
	for _, a := range args {
		if a.IsNull() {
			return nil
		}
	}
	size, overlap := args[1].Int(), int64(0)
	if len(args) == 3 {
		overlap = args[2].Int()
	}
	switch {
	case size < 1 || size > maxChunk:
		return fmt.Errorf("a chunk has 1 to %d words or tokens, not %d", maxChunk, size)
	case overlap < 0 || overlap >= size:
		return fmt.Errorf("chunks of %d overlap by 0 to %d, not by %d", size, size-1, overlap)
	}
	s := args[0].Str()
	var parts []words.Chunk
	if enc == nil {
		parts = words.Chunks(s, int(size), int(overlap))
	} else {
		prompt := exec.Prompt(enc, true)
		around, err := encoder.CountTokens(enc, prompt)
		if err != nil {
			return err
		}
		if most := encoder.MaxTokens(enc); most > 0 && int(size) > most {
			return fmt.Errorf("encoder %s reads %d tokens, so that the end of chunks of %d would be lost", enc.Model().Name, most, size)
		}
		if int(size) <= around {
			return fmt.Errorf("encoder %s puts %d tokens around a text, which leaves no room in chunks of %d", enc.Model().Name, around, size)
		}
		parts, err = words.ChunksOf(s, int(size), int(overlap), func(part string) (int, error) { return encoder.CountTokens(enc, prompt+part) })
		if err != nil {
			return err
		}
	}
	start, at := int64(1), 0
	for i, p := range parts {
		start, at = start+runes(s, at, p.From), p.From
		if err := emit(value.Int(int64(i+1)), value.Str(s[p.From:p.To]), value.Int(start)); err != nil {
			return err
		}
	}
	return nil
}

// runes counts the characters of s[from:to], or backwards those of s[to:from].
func runes(s string, from, to int) int64 {
	if to < from {
		return -runes(s, to, from)
	}
	n := int64(0)
	for range s[from:to] {
		n++
	}
	return n
}
