package onnx

import (
	"context"
	"errors"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/table"
)

// Options of an encoder; nil or zero values mean the default.
type Options struct {
	// Models are the directories in which Opener looks for a name, before
	// LUPA_MODELS and the per-user cache.
	Models []string

	// Name is the encoder's name in its Model; Open takes the directory's base
	// name if it is empty, Opener the name asked for.
	Name string

	// Library is the path of libonnxruntime; see LibraryPaths for the search
	// when it is empty. It is loaded once a process: later values are ignored.
	Library string

	// Variant chooses among the graphs of a directory: "" (fp32, or else whatever
	// there is), "quantized", "int8", "fp16", ...: the part of the file's name
	// after text_model_.
	Variant string

	// Threads a model may use for one request; 0 means all CPUs when a request
	// is alone and one each when there are several.
	Threads int

	// IdleUnload frees a tower's memory after this long without a request; it
	// is loaded again when needed. 0 means never.
	IdleUnload time.Duration

	// TextCache is how many texts keep their vectors in memory: 0 means 4,096, a
	// negative number none.
	TextCache int

	// MaxPixels refuses larger pictures before decoding them; 0 means 200
	// million.
	MaxPixels int
}

// ErrNoRuntime is wrapped by every error that says that ONNX Runtime can't be
// used: not found, too old, or a program built without cgo.
var ErrNoRuntime = errors.New("ONNX Runtime is not available")

// Opener returns a function that opens encoders by name: a model directory of
// ONNX graphs or of a prompt table (see package table), looked for in
// encoder.SearchPath(opts.Models...). A name may tell the variant, as encoder.Spec has it.
func Opener(opts *Options) encoder.Opener {
	if opts == nil {
		opts = &Options{}
	}
	return func(ctx context.Context, name string) (encoder.Encoder, error) {
		models := encoder.SearchPath(opts.Models...)
		f, err := models.Find(name)
		spec := encoder.ParseSpec(name)
		if err != nil && spec.Variant != "" {
			f, err = models.Find(spec.Name)
		}
		if err != nil {
			return nil, err
		}
		if f.Kind == encoder.KindTable {
			return table.Open(name, f.Dir)
		}
		o := *opts
		o.Name = name
		if spec.Variant != "" {
			o.Variant = spec.Variant
		}
		return Open(f.Dir, &o)
	}
}
