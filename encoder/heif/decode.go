//go:build nodynamic || ((amd64 || arm64) && (linux || darwin || windows))

package heif

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"sync"
	_ "unsafe" // for go:linkname

	_ "github.com/gen2brain/avif" // holds libavif
	_ "github.com/gen2brain/heic" // holds libheif
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/lupadb/lupa/encoder/clip"
)

// The modules' own functions would use libraries of the system where there are any, with
// other pixels; they write to the standard error and have no limits. So only the programs
// that they bring are used.
//
//go:linkname heicWasm github.com/gen2brain/heic.heifWasm
var heicWasm []byte

//go:linkname avifWasm github.com/gen2brain/avif.decodeWasm
var avifWasm []byte

func init() {
	heic, avif := &program{zipped: func() []byte { return heicWasm }}, &program{zipped: func() []byte { return avifWasm }}
	clip.RegisterDecoder("heic", clip.Decoder{Decode: func(data []byte) (image.Image, error) { return decodeHEIC(heic, still(data)) }})
	clip.RegisterDecoder("avif", clip.Decoder{Decode: func(data []byte) (image.Image, error) { return decodeAVIF(avif, still(data)) }, Stored: true})
}

// memoryLimit is the most memory that the decoding of a picture takes: 3 GiB, in pages of
// 64 KiB. A picture of 200 megapixels needs 1.6 to 2.4.
const memoryLimit = 3 << 30 >> 16

// program is a decoder compiled when it is first needed, which takes a tenth of a second
// or two.
type program struct {
	zipped func() []byte

	once     sync.Once
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	err      error
}

func (p *program) compile() error {
	p.once.Do(func() {
		z, err := gzip.NewReader(bytes.NewReader(p.zipped()))
		if err != nil {
			p.err = err
			return
		}
		code, err := io.ReadAll(z)
		if err != nil {
			p.err = err
			return
		}
		ctx := context.Background()
		p.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(memoryLimit))
		if _, p.err = wasi_snapshot_preview1.Instantiate(ctx, p.runtime); p.err == nil {
			p.compiled, p.err = p.runtime.CompileModule(ctx, code)
		}
	})
	return p.err
}

var (
	errDamaged = errors.New("the decoder can't make sense of it")
	errMemory  = errors.New("it needs too much memory")
)

// instance is a decoder with memory of its own, for one picture.
type instance struct {
	ctx context.Context
	mod api.Module
	in  uint32 // where the file lies
	n   int
	at  uint32 // where the decoder writes numbers
}

// numbers is how many numbers a decoder writes at most, of 4 bytes.
const numbers = 8

func (p *program) start(data []byte) (*instance, error) {
	if err := p.compile(); err != nil {
		return nil, err
	}
	ctx := context.Background()
	mod, err := p.runtime.InstantiateModule(ctx, p.compiled, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return nil, err
	}
	i := &instance{ctx: ctx, mod: mod, n: len(data)}
	if i.in, err = i.alloc(len(data)); err == nil {
		i.at, err = i.alloc(4 * numbers)
	}
	if err == nil && !mod.Memory().Write(i.in, data) {
		err = errMemory
	}
	if err != nil {
		mod.Close(ctx)
		return nil, err
	}
	return i, nil
}

func (i *instance) close() { i.mod.Close(i.ctx) }

func (i *instance) alloc(n int) (uint32, error) {
	if n < 0 || n > memoryLimit<<16 {
		return 0, errMemory
	}
	r, err := i.mod.ExportedFunction("malloc").Call(i.ctx, uint64(max(n, 1)))
	if err != nil {
		return 0, fmt.Errorf("malloc: %w", err)
	}
	if r[0] == 0 {
		return 0, errMemory
	}
	return uint32(r[0]), nil
}

// decode calls the program's function of that name, which reports success by 1.
func (i *instance) decode(args ...uint64) error {
	r, err := i.mod.ExportedFunction("decode").Call(i.ctx, append([]uint64{uint64(i.in), uint64(i.n)}, args...)...)
	if err != nil || r[0] == 0 { // a trap of the program is damage as well
		return errDamaged
	}
	return nil
}

// number returns the n-th number that the decoder wrote.
func (i *instance) number(n int) int {
	v, _ := i.mod.Memory().ReadUint32Le(i.at + 4*uint32(n))
	return int(int32(v))
}

// where is the address of the n-th number.
func (i *instance) where(n int) uint64 { return uint64(i.at) + 4*uint64(n) }

// bytes copies n bytes at an address: memory goes with the instance.
func (i *instance) bytes(at uint32, n int) ([]byte, error) {
	b, ok := i.mod.Memory().Read(at, uint32(n))
	if !ok {
		return nil, errDamaged
	}
	return bytes.Clone(b), nil
}

// Colour spaces and kinds of chroma of libheif.
const (
	heifYCbCr      = 0
	heifRGB        = 1
	heifMonochrome = 2

	heif420 = 1
	heif422 = 2
	heif444 = 3
)

// decodeHEIC returns a picture upright.
func decodeHEIC(p *program, data []byte) (image.Image, error) {
	about, err := clip.ParseHEIF(data)
	if err != nil {
		return nil, err
	}
	i, err := p.start(data)
	if err != nil {
		return nil, err
	}
	defer i.close()
	call := func(only, out uint64) error {
		return i.decode(only, i.where(0), i.where(1), i.where(2), i.where(3), i.where(4), out)
	}
	if err := call(1, 0); err != nil {
		return nil, err
	}
	w, h, space, chroma := i.number(0), i.number(1), i.number(2), i.number(3)
	if w <= 0 || h <= 0 || w > 1<<20 || h > 1<<20 {
		return nil, errDamaged
	}
	// libheif's planes are at least 64 pixels wide, and their rows a multiple of 16 bytes.
	round := func(n, width int) int { return (max(n, 64)*width + 15) &^ 15 }
	var size, chromaW, chromaH int
	stride := round(w, 1)
	switch space {
	case heifYCbCr:
		chromaW, chromaH = w, h
		if chroma == heif420 || chroma == heif422 {
			chromaW = (w + 1) / 2
		}
		if chroma == heif420 {
			chromaH = (h + 1) / 2
		}
		chromaW = round(chromaW, 1)
		size = stride*h + 2*chromaW*chromaH
	case heifMonochrome:
		size = stride * h
	case heifRGB:
		stride = round(w, 4)
		size = stride * h
	default:
		return nil, fmt.Errorf("unsupported: colour space %d", space)
	}
	// Some room more, for a row that is rounded up further.
	out, err := i.alloc(size + size/8 + 1<<16)
	if err != nil {
		return nil, err
	}
	if err := call(0, uint64(out)); err != nil {
		return nil, err
	}
	pix, err := i.bytes(out, size)
	if err != nil {
		return nil, err
	}
	// With a corner elsewhere than at 0, 0 each pixel gets the chroma sample that lies over it,
	// as libheif does it, and not a mixture of those around, as decoders of JPEG files do.
	bounds := image.Rect(2, 2, w+2, h+2)
	switch space {
	case heifMonochrome:
		return &image.Gray{Pix: pix, Stride: stride, Rect: bounds}, nil
	case heifRGB:
		return &image.NRGBA{Pix: pix, Stride: stride, Rect: bounds}, nil
	}
	ratio := image.YCbCrSubsampleRatio444
	switch chroma {
	case heif420:
		ratio = image.YCbCrSubsampleRatio420
	case heif422:
		ratio = image.YCbCrSubsampleRatio422
	case heif444:
	default:
		return nil, fmt.Errorf("unsupported: chroma %d", chroma)
	}
	a, b := stride*h, stride*h+chromaW*chromaH
	m := &image.YCbCr{Y: pix[:a:a], Cb: pix[a:b:b], Cr: pix[b:], YStride: stride, CStride: chromaW, SubsampleRatio: ratio, Rect: bounds}
	return asJPEG(m, about.Colours), nil
}

// decodeAVIF returns a picture as it is stored.
func decodeAVIF(p *program, data []byte) (image.Image, error) {
	i, err := p.start(data)
	if err != nil {
		return nil, err
	}
	defer i.close()
	duration, err := i.alloc(8)
	if err != nil {
		return nil, err
	}
	call := func(only, out uint64) error {
		return i.decode(only, 0, i.where(0), i.where(1), i.where(2), i.where(3), uint64(duration), out)
	}
	if err := call(1, 0); err != nil {
		return nil, err
	}
	w, h, depth := i.number(0), i.number(1), i.number(2)
	if w <= 0 || h <= 0 || w > 1<<20 || h > 1<<20 {
		return nil, errDamaged
	}
	width := 4
	if depth > 8 {
		width = 8
	}
	out, err := i.alloc(width * w * h)
	if err != nil {
		return nil, err
	}
	if err := call(0, uint64(out)); err != nil {
		return nil, err
	}
	pix, err := i.bytes(out, width*w*h)
	if err != nil {
		return nil, err
	}
	if depth > 8 {
		for k := 0; k+1 < len(pix); k += 2 { // little-endian there
			pix[k], pix[k+1] = pix[k+1], pix[k]
		}
		return &image.RGBA64{Pix: pix, Stride: 8 * w, Rect: image.Rect(0, 0, w, h)}, nil
	}
	return &image.RGBA{Pix: pix, Stride: 4 * w, Rect: image.Rect(0, 0, w, h)}, nil
}
