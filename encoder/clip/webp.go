package clip

import (
	"bytes"
	"encoding/binary"
	"errors"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
)

// webpFile is what matters of a WebP file: the bitstream of the still, or of
// the first frame of an animation, and where it lies on the canvas.
type webpFile struct {
	width, height int // canvas; 0 when only the bitstream tells
	x, y          int
	lossless      bool
	stream        part
	exif, xmp     part
}

var errWebP = errors.New("no picture data found")

// parseWebP walks over the chunks of the container. Missing bytes at the end are
// the decoder's to find.
func parseWebP(f *file) (w webpFile, err error) {
	w.chunks(f, 12, f.size)
	if w.stream.off == 0 {
		return w, errWebP
	}
	return w, nil
}

func (w *webpFile) chunks(f *file, at, end int64) {
	for {
		b := f.bytes(at, 24)
		if at+8 > end || len(b) < 8 {
			return
		}
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		body := part{at + 8, min(n, end-at-8)}
		switch id := string(b[:4]); id {
		case "VP8X":
			if body.n >= 10 && len(b) >= 18 {
				w.width, w.height = uint24(b[12:])+1, uint24(b[15:])+1
			}
		case "VP8 ", "VP8L":
			if w.stream.off == 0 {
				w.stream, w.lossless = body, id == "VP8L"
			}
		case "ANMF":
			if w.stream.off == 0 && body.n > 16 && len(b) >= 14 {
				w.x, w.y = 2*uint24(b[8:]), 2*uint24(b[11:])
				w.chunks(f, body.off+16, body.off+body.n)
			}
		case "EXIF":
			w.exif = body
		case "XMP ":
			w.xmp = body
		}
		at += 8 + n + n&1
	}
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// size returns the canvas, or the bitstream's own size without one.
func (w *webpFile) size(f *file) (width, height int, err error) {
	if w.width > 0 {
		return w.width, w.height, nil
	}
	return w.frameSize(f)
}

func (w *webpFile) frameSize(f *file) (width, height int, err error) {
	if w.lossless {
		c, err := vp8l.DecodeConfig(f.section(w.stream))
		return c.Width, c.Height, err
	}
	d := vp8.NewDecoder()
	d.Init(f.section(w.stream), int(w.stream.n))
	h0, err := d.DecodeFrameHeader()
	return h0.Width, h0.Height, err
}

func decodeWebP(data []byte, maxPixels int) (*Picture, error) {
	file := memory(data)
	f, err := parseWebP(file)
	if err != nil {
		return nil, err
	}
	w, h, err := f.frameSize(file)
	if err != nil {
		return nil, err
	}
	if w <= 0 || h <= 0 {
		return nil, errWebP
	}
	if w > maxPixels/h { // it need not agree with the canvas
		return nil, &TooLargeError{w, h, maxPixels}
	}
	p, err := f.decode(data[f.stream.off:][:f.stream.n])
	if err != nil || f.width == 0 || f.x == 0 && f.y == 0 && p.Width == f.width && p.Height == f.height {
		return p, err
	}
	// A frame smaller than the canvas lies on transparent black.
	x, n := min(f.x, f.width), min(p.Width, max(0, f.width-f.x))
	row := make([]byte, 3*p.Width)
	return &Picture{Width: f.width, Height: f.height, row: cutRow(f.width, func(y int, dst []byte) {
		clear(dst)
		if y -= f.y; y >= 0 && y < p.Height {
			p.row(y, 0, p.Width, row)
			copy(dst[3*x:], row[:3*n])
		}
	})}, nil
}

// decode decodes the bitstream; an alpha plane beside it is left alone.
func (f *webpFile) decode(stream []byte) (*Picture, error) {
	if f.lossless {
		return decodeWith(vp8l.Decode(bytes.NewReader(stream)))
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(stream), len(stream))
	if _, err := d.DecodeFrameHeader(); err != nil {
		return nil, err
	}
	m, err := d.DecodeFrame()
	if err != nil {
		return nil, err
	}
	return webpPicture(m), nil
}
