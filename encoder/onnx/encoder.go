package onnx

import (
	"fmt"

	"github.com/lupadb/lupa/encoder"
)

// Open opens the model folder dir.
func Open(dir string, opts *Options) (encoder.Encoder, error) {
	return nil, fmt.Errorf("%s: %w", dir, ErrNoRuntime)
}
