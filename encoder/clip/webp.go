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
	stream        []byte
	exif          []byte
}

var errWebP = errors.New("no picture data found")

// parseWebP walks over the chunks of the container. Missing bytes at the end are
// the decoder's to find.
func parseWebP(data []byte) (f webpFile, err error) {
	if len(data) < 12 {
		return f, errWebP
	}
	f.chunks(data[12:])
	if f.stream == nil {
		return f, errWebP
	}
	return f, nil
}

func (f *webpFile) chunks(b []byte) {
	for len(b) >= 8 {
		id, n := string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:]))
		body := b[8:]
		body = body[:min(n, int64(len(body)))]
		switch id {
		case "VP8X":
			if len(body) >= 10 {
				f.width, f.height = uint24(body[4:])+1, uint24(body[7:])+1
			}
		case "VP8 ", "VP8L":
			if f.stream == nil {
				f.stream, f.lossless = body, id == "VP8L"
			}
		case "ANMF":
			if f.stream == nil && len(body) > 16 {
				f.x, f.y = 2*uint24(body), 2*uint24(body[3:])
				f.chunks(body[16:])
			}
		case "EXIF":
			f.exif = body
		}
		b = b[8:][:len(b)-8]
		b = b[min(n+n&1, int64(len(b))):]
	}
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// size returns the canvas, or the bitstream's own size without one.
func (f *webpFile) size() (w, h int, err error) {
	if f.width > 0 {
		return f.width, f.height, nil
	}
	return f.frameSize()
}

func (f *webpFile) frameSize() (w, h int, err error) {
	if f.lossless {
		c, err := vp8l.DecodeConfig(bytes.NewReader(f.stream))
		return c.Width, c.Height, err
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(f.stream), len(f.stream))
	h0, err := d.DecodeFrameHeader()
	return h0.Width, h0.Height, err
}

func decodeWebP(data []byte, maxPixels int) (*Picture, error) {
	f, err := parseWebP(data)
	if err != nil {
		return nil, err
	}
	w, h, err := f.frameSize()
	if err != nil {
		return nil, err
	}
	if w <= 0 || h <= 0 {
		return nil, errWebP
	}
	if w > maxPixels/h { // it need not agree with the canvas
		return nil, &TooLargeError{w, h, maxPixels}
	}
	p, err := f.decode()
	if err != nil || f.width == 0 || f.x == 0 && f.y == 0 && p.Width == f.width && p.Height == f.height {
		return p, err
	}
	// A frame smaller than the canvas lies on transparent black.
	x, n := min(f.x, f.width), min(p.Width, max(0, f.width-f.x))
	row := make([]byte, 3*p.Width)
	return &Picture{f.width, f.height, func(y int, dst []byte) {
		clear(dst)
		if y -= f.y; y >= 0 && y < p.Height {
			p.row(y, row)
			copy(dst[3*x:], row[:3*n])
		}
	}}, nil
}

// decode decodes the bitstream; an alpha plane beside it is left alone.
func (f *webpFile) decode() (*Picture, error) {
	if f.lossless {
		return decodeWith(vp8l.Decode(bytes.NewReader(f.stream)))
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(f.stream), len(f.stream))
	if _, err := d.DecodeFrameHeader(); err != nil {
		return nil, err
	}
	m, err := d.DecodeFrame()
	if err != nil {
		return nil, err
	}
	return webpPicture(m), nil
}
