package encoder

import (
	"context"
	"errors"
	"fmt"
	"image"
	"strings"

	"github.com/lupadb/lupa/encoder/internal/nearest"
)

// ErrUnsupported is returned by an Encoder that lacks the tower asked for, for
// example EncodeImages of a text-only model directory.
var ErrUnsupported = errors.New("not supported by this encoder")

// Names of the models to begin with: one for pictures and texts, and one for texts alone.
// Package hub fetches them.
const (
	RecommendedPictures = "siglip2-base-patch16-224"
	RecommendedTexts    = "bge-small-en-v1.5"
)

// Encoder maps texts and pictures into one vector space. All methods are safe
// for concurrent use. Returned vectors are of length Model().Dim, finite, of
// unit L2 norm, and belong to the caller.
type Encoder interface {
	// Model returns the encoder's identity. It is cheap: it neither loads the
	// model nor reads large files more than once.
	Model() Model

	// EncodeTexts encodes a batch; vectors[i] belongs to texts[i]. The vector of
	// a text does not depend on the others in the batch.
	EncodeTexts(ctx context.Context, texts []string) (vectors [][]float32, err error)

	// EncodeImages encodes a batch. results[i] belongs to images[i]: a picture
	// that can't be decoded has its own Err and leaves the others untouched. err
	// is for what stops the whole batch (no runtime, cancelled context).
	EncodeImages(ctx context.Context, images []Image) (results []ImageResult, err error)

	// Close releases what the encoder holds; it must not be used afterwards.
	Close() error
}

// Image is one picture, either as an encoded file (jpg, png, webp, ...) or
// already decoded. Data is only read, and not kept after the call.
type Image struct {
	Data    []byte      // an encoded file; nil when Decoded is set
	Decoded image.Image // pixels in memory, taken upright as they are

	// Fast lets an encoder decode a large file at reduced size, several times
	// quicker: the vector's cosine with the exact one is at least 0.999.
	Fast bool

	// MaxPixels refuses a larger file before decoding it; 0 leaves that to the encoder.
	MaxPixels int
}

// ImageResult is the outcome for one picture of a batch.
type ImageResult struct {
	Vector []float32
	Err    error
}

// Model identifies an encoder. A vector column remembers the Model it was
// filled from, so that a query through another one is an error and not a wrong
// answer; Same compares.
type Model struct {
	Name string // as written after ENCODER in CREATE TABLE
	Dim  int    // length of the vectors
	Hash string // hex SHA-256 over all files that determine the output

	// Location is the directory that the encoder was opened from, absolute, or "". It
	// helps to find the encoder again and is no part of its identity.
	Location string `json:",omitempty"`

	// Processor is the kind of processor that encodes, such as "amd64 avx512-vnni", of
	// models in 8 bits, whose vectors differ a little from kind to kind; "" for others. It
	// is no part of the identity either: a difference is worth a warning.
	Processor string `json:",omitempty"`
}

// Same reports whether two encoders give equal vectors for equal input. What
// they are called, and where they lie, does not matter.
func (m Model) Same(other Model) bool { return m.Dim == other.Dim && m.Hash == other.Hash }

// ProcessorWarning says that vectors of a column that was filled on another kind of
// processor differ from those encoded on this one; it is "" where they don't.
func (m Model) ProcessorWarning(stored Model) string {
	if stored.Processor == "" || m.Processor == "" || stored.Processor == m.Processor {
		return ""
	}
	return fmt.Sprintf("encoder %s works in 8 bits and filled the column on %s; on this processor, %s, its vectors differ by some percent, and so do scores", m.Name, stored.Processor, m.Processor)
}

// String returns "name (512 dimensions, 3f6571f5)".
func (m Model) String() string {
	h := m.Hash
	if len(h) > 8 {
		h = h[:8]
	}
	return fmt.Sprintf("%s (%d dimensions, %s)", m.Name, m.Dim, h)
}

// Opener finds the encoder of a name, for example in a directory of models. It
// returns a *NotFoundError when there is none.
type Opener func(ctx context.Context, name string) (Encoder, error)

// NotFoundError says that no encoder has the name, and where it was looked for.
type NotFoundError struct {
	Name  string
	Tried []string // places looked at, in order
	Known []string // names that exist there, for a hint
	Here  bool     // there is a directory of that name in the current one, which is written with ./
}

func (e *NotFoundError) Error() string {
	s := fmt.Sprintf("no encoder %q", e.Name)
	for i, t := range e.Tried {
		if i == 0 {
			s += "; looked in "
		} else {
			s += ", "
		}
		s += t
	}
	if e.Here {
		s += fmt.Sprintf(" (the directory here is written ./%s)", e.Name)
	} else if near := nearest.Of(e.Name, e.Known, 1); len(near) > 0 {
		s += fmt.Sprintf(" (did you mean %q?)", near[0])
	} else if len(e.Known) > 0 && len(e.Known) <= 10 {
		s += "; known are " + strings.Join(e.Known, ", ")
	}
	return s
}

// Sampler is implemented by encoders with a fixed list of prompts. A bulk load
// uses it to see what queries will look like.
type Sampler interface {
	// SamplePrompts returns up to n prompts, spread over all of them, the same
	// ones at every call.
	SamplePrompts(n int) []string
}

// Quick is implemented by encoders that may have the vectors of texts at hand.
type Quick interface {
	// Quick reports whether a text takes no longer than finding its vector in a store,
	// where those of phrases are kept for the next time.
	Quick() bool
}

// Sigmoid is implemented by encoders that may be of a model which was trained to tell whether a
// text fits a picture, as SigLIP is.
type Sigmoid interface {
	// Sigmoid returns the numbers with which 1 / (1 + exp(-(scale * cosine + bias))) is the
	// probability that a text and a picture with that cosine fit. ok is false where the model has
	// none, or they are not known.
	Sigmoid() (scale, bias float64, ok bool)
}

// Capable is implemented by encoders that can tell what they can't do before
// anything is encoded.
type Capable interface {
	// Can returns why texts, and why pictures, can't be encoded; nil where they
	// can, as far as the model's files tell. It may read them.
	Can() (texts, pictures error)
}

// Counter is implemented by encoders of models that read texts as tokens.
type Counter interface {
	// CountTokens returns how many tokens a text is, those that stand around it included,
	// also where it is longer than what the model reads.
	CountTokens(text string) (int, error)

	// MaxTokens is the most that the model reads; what comes behind them counts for nothing.
	// 0 means that there is no such limit.
	MaxTokens() int
}

// CountTokens returns how many tokens a text is to an encoder. The error is ErrUnsupported for
// one that knows no tokens.
func CountTokens(e Encoder, text string) (int, error) {
	if c, ok := e.(Counter); ok {
		return c.CountTokens(text)
	}
	return 0, fmt.Errorf("encoder %s knows no tokens: %w", e.Model().Name, ErrUnsupported)
}

// MaxTokens returns the most tokens that an encoder reads, 0 where it has no such limit.
func MaxTokens(e Encoder) int {
	if c, ok := e.(Counter); ok {
		return c.MaxTokens()
	}
	return 0
}
