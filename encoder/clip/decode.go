package clip

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"strings"

	"golang.org/x/image/bmp"

	"github.com/lupadb/lupa/encoder/clip/internal/jpeg"
)

// DefaultMaxPixels is the size above which Decode refuses a picture.
const DefaultMaxPixels = 200_000_000

// TooLargeError says that a picture has more pixels than allowed. It is found
// out before any memory is set aside for them.
type TooLargeError struct{ Width, Height, MaxPixels int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("picture of %d x %d pixels is too large (the limit is %d million pixels)", e.Width, e.Height, e.MaxPixels/1e6)
}

// UnsupportedFormatError says that data is not in a format that can be decoded.
type UnsupportedFormatError struct {
	Format  string // such as "HEIC"; empty when it is not known either
	Empty   bool
	Missing bool   // there is a decoder, package heif or jxl, but not in this program
	Program string // how the program that decodes it, and is not there, is installed; or ""
}

func (e *UnsupportedFormatError) Error() string {
	known := "jpg, png, webp, "
	for _, f := range []string{"heic", "avif", "jxl"} {
		if _, ok := decoderOf(f); ok {
			known += f + ", "
		}
	}
	known += "gif, bmp, pnm and tiff are supported"
	switch {
	case e.Empty:
		return "empty file"
	case e.Program != "":
		return e.Format + " is decoded by a program that is not in the PATH: install " + e.Program
	case e.Missing:
		from := "heif"
		if e.Format == formatNames["jxl"] {
			from = "jxl"
		}
		return e.Format + " can't be decoded by this program, which was built without package encoder/" + from
	case e.Format == "SVG":
		return "SVG is a drawing without pixels of its own; convert it to png first (rsvg-convert)"
	case e.Format == "":
		return "not a picture (" + known + ")"
	}
	return "unsupported format " + e.Format + " (" + known + ")"
}

// Decode decodes a file in memory and turns it upright as its EXIF data say.
// Of an animation it takes the first frame. The format follows from the
// content. maxPixels of 0 means DefaultMaxPixels.
//
// A *TooLargeError or *UnsupportedFormatError tells what they say; any other
// error means damaged data or a rare kind of the format. The Picture refers to
// data.
func Decode(data []byte, maxPixels int) (*Picture, error) {
	return decode(data, maxPixels, func(Info) jpeg.Options { return jpeg.Options{} })
}

// decode decodes a file; what a JPEG file is needed for may depend on its header.
func decode(data []byte, maxPixels int, need func(Info) jpeg.Options) (p *Picture, err error) {
	// The decoders are large and meet files from anywhere.
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("damaged picture: the decoder gave up: %v", r)
		}
	}()
	info, err := Inspect(data)
	if err != nil {
		return nil, err
	}
	if maxPixels <= 0 {
		maxPixels = DefaultMaxPixels
	}
	if info.Width <= 0 || info.Height <= 0 {
		return nil, fmt.Errorf("damaged %s: %d x %d pixels", info.Format, info.Width, info.Height)
	}
	if info.Width > maxPixels/info.Height {
		return nil, &TooLargeError{info.Width, info.Height, maxPixels}
	}
	switch info.Format {
	case "jpg":
		p, err = decodeJPEG(data, need(info))
	case "png":
		p, err = decodeWith(png.Decode(bytes.NewReader(data)))
	case "webp":
		p, err = decodeWebP(data, maxPixels)
	case "gif":
		p, err = decodeGIF(data)
	case "bmp":
		if p, err = decodeWith(bmp.Decode(bytes.NewReader(data))); errors.Is(err, bmp.ErrUnsupported) {
			p, err = decodeOldBMP(data)
		}
	case "pnm":
		p, err = decodePNM(data)
	case "tiff", "dng", "raw":
		p, err = decodeTIFF(data, maxPixels, need)
	case "heic", "avif", "jxl":
		var stored bool
		if p, stored, err = decodeRegistered(info.Format, data); err == nil && !stored {
			return p, nil
		}
	}
	if err != nil {
		return nil, explain(info.Format, err)
	}
	return orient(p, info.Orientation), nil
}

// explain words a decoder's error for the user.
func explain(format string, err error) error {
	var tooLarge *TooLargeError
	var unsupported *UnsupportedFormatError
	if errors.As(err, &tooLarge) || errors.As(err, &unsupported) {
		return err
	}
	msg := err.Error()
	for _, prefix := range []string{"jpeg: ", "png: ", "gif: ", "bmp: ", "tiff: ", "vp8: ", "vp8l: ", "heic: ", "avif: ", "jxl: ", "invalid format: ", "invalid JPEG format: "} {
		msg = strings.TrimPrefix(msg, prefix)
	}
	switch {
	case strings.Contains(msg, "EOF"), msg == "short Huffman data", msg == "not enough pixel data", msg == "not enough image data":
		return fmt.Errorf("damaged %s: the file ends too early", format)
	case strings.HasPrefix(msg, "unsupported"):
		return fmt.Errorf("%s of an unsupported kind: %s", format, strings.TrimPrefix(strings.TrimPrefix(msg, "unsupported feature: "), "unsupported: "))
	}
	return fmt.Errorf("damaged %s: %s", format, msg)
}

func decodeWith(m image.Image, err error) (*Picture, error) {
	if err != nil {
		return nil, err
	}
	return FromImage(m), nil
}

// decodeGIF returns the first frame on the whole canvas.
func decodeGIF(data []byte) (*Picture, error) {
	data, transparent := opaqueGIF(data)
	m, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	frame, ok := m.(*image.Paletted)
	cfg, err := gif.DecodeConfig(bytes.NewReader(data))
	if !ok || err != nil {
		return FromImage(m), err
	}
	canvas := image.Rect(0, 0, cfg.Width, cfg.Height)
	if frame.Rect == canvas {
		return FromImage(frame), nil
	}
	whole := image.NewPaletted(canvas, frame.Palette)
	if transparent != 0 {
		for i := range whole.Pix {
			whole.Pix[i] = transparent
		}
	}
	for y := frame.Rect.Min.Y; y < frame.Rect.Max.Y; y++ {
		copy(whole.Pix[whole.PixOffset(frame.Rect.Min.X, y):], frame.Pix[frame.PixOffset(frame.Rect.Min.X, y):][:frame.Rect.Dx()])
	}
	return FromImage(whole), nil
}

// opaqueGIF returns data with the first frame's transparent index taken out of
// the header, for Go's decoder forgets the colour of that index; and the index.
func opaqueGIF(data []byte) ([]byte, byte) {
	if len(data) < 13 {
		return data, 0
	}
	i := 13
	if data[10]&0x80 != 0 {
		i += 3 << (data[10]&7 + 1)
	}
	for i+8 <= len(data) && data[i] == 0x21 { // extensions
		if data[i+1] == 0xf9 && data[i+2] == 4 && data[i+3]&1 != 0 {
			index := data[i+6]
			data = bytes.Clone(data)
			data[i+3] &^= 1
			return data, index
		}
		i += 2
		for i < len(data) && data[i] != 0 {
			i += 1 + int(data[i])
		}
		i++
	}
	return data, 0
}
