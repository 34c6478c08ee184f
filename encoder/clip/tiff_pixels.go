package clip

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"

	"github.com/lupadb/lupa/encoder/clip/internal/jpeg"
)

// tiffPixels is what is needed to decode a directory.
type tiffPixels struct {
	*tiffPicture
	bits, samples, colour int // of a pixel: samples in all, and of them colours
	compression           int64
	photometric           int64
	predictor             bool
	shuffled              bool // predictor 3
	float                 bool // samples are fractions
	lsb                   bool
	planes                int // 1, or as many as there are samples
	segW, segH            int
	offsets, counts       []int64
	tables                []byte
	pix                   []byte // 8 bits a sample, samples of a pixel together
	wide                  []byte // the lower bytes of gray samples of 16 bits
	values                []float32
}

func decodeTIFF(data []byte, maxPixels int, need func(Info) jpeg.Options) (*Picture, error) {
	p, err := readTIFF(memory(data))
	if err != nil {
		return nil, err
	}
	if p.preview.n > 0 {
		return decodeJPEG(data[p.preview.off:][:p.preview.n], need(Info{Format: "jpg", Width: p.width, Height: p.height, Orientation: 1}))
	}
	x := &tiffPixels{tiffPicture: p}
	if err := x.layout(int64(len(data))); err != nil {
		return nil, err
	}
	if err := x.segments(data); err != nil {
		return nil, err
	}
	if x.float {
		x.levels()
	}
	return x.picture()
}

// layout reads how the pixels are stored, and refuses what is not known to be
// decoded rightly.
func (x *tiffPixels) layout(size int64) error {
	t, d := x.t, x.dir
	bits := t.ints(d, tiffBits)
	x.samples = int(t.int(d, tiffSamples, max(1, int64(len(bits)))))
	x.compression = t.int(d, tiffCompression, 1)
	x.photometric = t.int(d, tiffPhotometric, -1)
	x.lsb = t.int(d, tiffFillOrder, 1) == 2
	x.bits = 1
	for i, b := range bits {
		if i > 0 && int(b) != x.bits {
			return errors.New("unsupported: samples of different depths")
		}
		x.bits = int(b)
	}
	if x.samples < 1 || x.samples > 16 {
		return fmt.Errorf("unsupported: %d samples a pixel", x.samples)
	}
	var err error
	if x.float, err = x.floating(); err != nil {
		return err
	}
	x.colour = 3
	switch x.photometric {
	case 0, 1, 3:
		x.colour = 1
	case 2:
	case 5:
		x.colour = 4
	case 6:
		if x.compression != 7 {
			return errors.New("unsupported: YCbCr without JPEG")
		}
	case -1:
		return errors.New("no photometric interpretation")
	default:
		return fmt.Errorf("unsupported: photometric interpretation %d", x.photometric)
	}
	switch {
	case x.float && x.photometric > 2:
		return fmt.Errorf("unsupported: fractions in photometric interpretation %d", x.photometric)
	case x.float && (x.bits == 16 || x.bits == 24 || x.bits == 32 || x.bits == 64):
	case x.float:
		return fmt.Errorf("unsupported: fractions of %d bits", x.bits)
	case x.bits == 8, x.bits == 16:
	case x.colour == 1 && x.samples == 1 && (x.bits == 1 || x.bits == 2 || x.bits == 4):
	default:
		return fmt.Errorf("unsupported: %d samples of %d bits", x.samples, x.bits)
	}
	if x.samples < x.colour {
		return errors.New("fewer samples than colours")
	}
	if x.photometric == 6 && t.int(d, tiffPlanar, 1) == 2 && x.samples > 1 {
		return errors.New("unsupported: YCbCr in planes")
	}
	if x.photometric == 3 && (x.bits > 8 || len(t.ints(d, tiffColorMap)) < 3<<x.bits) {
		return errors.New("a palette that is too small")
	}
	switch x.compression {
	case 1, 5, 8, 32946, 32773, 50000:
	case 3, 4:
		if x.bits != 1 || x.samples != 1 {
			return errors.New("fax coding of more than one bit")
		}
		if x.compression == 3 && t.int(d, tiffFaxOptions, 0)&1 != 0 {
			return errors.New("unsupported: two-dimensional fax coding (Group 3)")
		}
	case 7:
		if x.bits != 8 {
			return fmt.Errorf("unsupported: JPEG of %d bits", x.bits)
		}
		x.tables = t.raw(d, tiffJPEGTables)
	default:
		return fmt.Errorf("unsupported: compression %d", x.compression)
	}
	switch v := t.int(d, tiffPredictor, 1); {
	case v == 3 && x.float:
		x.shuffled = x.compression == 5 || x.compression == 8 || x.compression == 32946 || x.compression == 50000
	case v == 2 && x.bits >= 8 && (!x.float || x.bits == 16):
		x.predictor = x.compression == 5 || x.compression == 8 || x.compression == 32946 || x.compression == 50000
	case v != 1:
		return fmt.Errorf("unsupported: predictor %d", v)
	}
	x.planes = 1
	if t.int(d, tiffPlanar, 1) == 2 {
		x.planes = x.samples
	}
	x.segW, x.segH = x.width, int(min(int64(x.height), max(1, t.int(d, tiffRowsPerStrip, int64(x.height)))))
	x.offsets, x.counts = t.ints(d, tiffStripOffsets), t.ints(d, tiffStripCounts)
	if _, tiled := d[tiffTileWidth]; tiled {
		w, h := t.int(d, tiffTileWidth, 0), t.int(d, tiffTileHeight, 0)
		if w < 1 || h < 1 || w > 1<<16 || h > 1<<16 || w*h > max(1<<20, 4*int64(x.width)*int64(x.height)) {
			return fmt.Errorf("tiles of %d x %d pixels", w, h)
		}
		x.segW, x.segH = int(w), int(h)
		if o := t.ints(d, tiffTileOffsets); o != nil {
			x.offsets, x.counts = o, t.ints(d, tiffTileCounts)
		}
	}
	n := x.planes * x.across() * x.down()
	if len(x.counts) == 0 && len(x.offsets) == 1 && n == 1 {
		x.counts = []int64{size - x.offsets[0]} // old writers left it out
	}
	if len(x.offsets) < n || len(x.counts) < n {
		return errors.New("EOF")
	}
	stored := int64(0)
	for i := range n {
		if x.offsets[i] < 0 || x.counts[i] < 0 || x.offsets[i] > size-x.counts[i] {
			return errors.New("EOF")
		}
		stored += x.counts[i]
	}
	// Memory is set aside for what the data can hold: no code but that of faxes,
	// of a bit a pixel, makes more than 3,000 bytes of one.
	if raw := int64(x.height) * int64(x.width) * int64(x.samples*x.bits) / 8; raw > 3000*stored+1<<16 && x.compression != 3 && x.compression != 4 || stored == 0 {
		return errors.New("EOF")
	}
	return nil
}

func (x *tiffPixels) across() int { return (x.width + x.segW - 1) / x.segW }

func (x *tiffPixels) down() int { return (x.height + x.segH - 1) / x.segH }

// segments decodes the strips or tiles.
func (x *tiffPixels) segments(data []byte) error {
	if x.float {
		x.values = make([]float32, x.width*x.height*x.samples)
	} else {
		x.pix = make([]byte, x.width*x.height*x.samples)
	}
	if x.bits == 16 && x.colour == 1 && !x.float {
		x.wide = make([]byte, x.width*x.height)
	}
	i := 0
	for plane := range x.planes {
		for sy := range x.down() {
			for sx := range x.across() {
				if err := x.segment(data[x.offsets[i]:][:x.counts[i]], plane, sx*x.segW, sy*x.segH); err != nil {
					return err
				}
				i++
			}
		}
	}
	return nil
}

// segment decodes a strip or tile, whose upper left pixel is at (left, top).
func (x *tiffPixels) segment(b []byte, plane, left, top int) error {
	samples := x.samples // in the segment
	if x.planes > 1 {
		samples = 1
	}
	rows := min(x.segH, x.height-top)
	if x.compression == 7 {
		return x.jpeg(b, plane, samples, left, top, rows)
	}
	line := (x.segW*samples*x.bits + 7) / 8
	// The last strip may be stored shorter, a tile never.
	raw, err := x.unpack(b, line, rows)
	if err != nil {
		return err
	}
	if x.predictor {
		x.undoPredictor(raw, line, samples)
	}
	w := min(x.segW, x.width-left)
	var plain []byte
	if x.shuffled {
		plain = make([]byte, line)
	}
	for y := range rows {
		src := raw[y*line:][:line]
		at := ((top+y)*x.width+left)*x.samples + plane
		step := x.samples / samples // to the next sample of the same plane
		switch {
		case x.float:
			if x.shuffled {
				unshuffle(src, plain, x.bits/8, samples)
				src = plain
			}
			x.fractions(src, w, samples, at, step, x.shuffled)
		case x.bits == 8 && samples == x.samples:
			copy(x.pix[at:], src[:w*samples])
		case x.bits == 8:
			for i, v := range src[:w] {
				x.pix[at+i*step] = v
			}
		case x.bits == 16:
			high, low := 1, 0
			if x.t.order == binary.BigEndian {
				high, low = 0, 1
			}
			for i := range w * samples {
				x.pix[at+i*step] = src[2*i+high]
				if x.wide != nil && i%samples == 0 && plane == 0 {
					x.wide[(top+y)*x.width+left+i/samples] = src[2*i+low]
				}
			}
		default:
			most := 1<<x.bits - 1
			for i := range w {
				v := int(src[i*x.bits/8]) >> (8 - x.bits - i*x.bits%8) & most
				if x.photometric != 3 {
					v = v * 255 / most
				}
				x.pix[at+i] = byte(v)
			}
		}
	}
	return nil
}

// unpack returns rows of line bytes.
func (x *tiffPixels) unpack(b []byte, line, rows int) ([]byte, error) {
	n := line * rows
	if x.lsb && x.compression != 3 && x.compression != 4 {
		b = bytes.Clone(b)
		for i, v := range b {
			b[i] = reversed(v)
		}
	}
	var r io.Reader
	switch x.compression {
	case 1:
		if len(b) < n {
			return nil, errors.New("EOF")
		}
		if x.bits == 16 && x.predictor {
			b = bytes.Clone(b[:n])
		}
		return b[:n], nil
	case 32773:
		return unpackBits(b, n)
	case 5:
		z := lzw.NewReader(bytes.NewReader(b), lzw.MSB, 8)
		defer z.Close()
		r = z
	case 8, 32946:
		z, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case 50000:
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(1<<30))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case 3, 4:
		order, kind := ccitt.MSB, ccitt.Group4
		if x.lsb {
			order = ccitt.LSB
		}
		if x.compression == 3 {
			kind = ccitt.Group3
		}
		// The bits that TIFF means: white runs are zeros. What zeros show is for the
		// photometric interpretation to say.
		r = ccitt.NewReader(bytes.NewReader(b), order, kind, x.segW, rows, &ccitt.Options{Invert: true})
	}
	out := make([]byte, n)
	if _, err := io.ReadFull(r, out); err != nil {
		if x.compression == 3 && strings.Contains(err.Error(), "End-of-Line") {
			return nil, errors.New("unsupported: fax coding (Group 3) without plain end-of-line codes")
		}
		return nil, err
	}
	return out, nil
}

func reversed(v byte) byte {
	v = v>>4 | v<<4
	v = v>>2&0x33 | v<<2&0xcc
	return v>>1&0x55 | v<<1&0xaa
}

func unpackBits(b []byte, n int) ([]byte, error) {
	out := make([]byte, 0, n)
	for len(out) < n {
		if len(b) < 2 {
			return nil, errors.New("EOF")
		}
		switch k := int(int8(b[0])); {
		case k >= 0:
			k = min(k+1, n-len(out))
			if len(b) < 1+k {
				return nil, errors.New("EOF")
			}
			out, b = append(out, b[1:1+k]...), b[min(len(b), int(b[0])+2):]
		case k == -128:
			b = b[1:]
		default:
			for range min(1-k, n-len(out)) {
				out = append(out, b[1])
			}
			b = b[2:]
		}
	}
	return out, nil
}

// undoPredictor adds to each sample the one to its left.
func (x *tiffPixels) undoPredictor(raw []byte, line, samples int) {
	for ; len(raw) >= line; raw = raw[line:] {
		row := raw[:line]
		if x.bits == 8 {
			for i := samples; i < len(row); i++ {
				row[i] += row[i-samples]
			}
			continue
		}
		for i := 2 * samples; i+1 < len(row); i += 2 {
			x.t.order.PutUint16(row[i:], x.t.order.Uint16(row[i:])+x.t.order.Uint16(row[i-2*samples:]))
		}
	}
}

// jpeg decodes a segment that is a JPEG file without its tables.
func (x *tiffPixels) jpeg(b []byte, plane, samples, left, top, rows int) error {
	if n := len(x.tables); n > 4 && len(b) > 2 {
		b = slices.Concat(x.tables[:n-2], b[2:])
	}
	if h, err := jpeg.ReadHeader(b); err != nil {
		return err
	} else if h.Width != x.segW || h.Height < rows || h.Height > x.segH || h.Components != samples {
		return fmt.Errorf("a JPEG of %d x %d in a segment of %d x %d", h.Width, h.Height, x.segW, rows)
	}
	m, err := jpeg.Decode(b, jpeg.Options{})
	if err != nil {
		return err
	}
	planes := planesOf(m)
	var rgb []byte
	for y := range rows {
		w := min(x.segW, x.width-left)
		at := ((top+y)*x.width + left) * x.samples
		if x.photometric == 6 && samples == 3 {
			if rgb == nil {
				rgb = make([]byte, 3*w)
			}
			toRGB(rgb, planes[0].row(y, 0, w), planes[1].row(y, 0, w), planes[2].row(y, 0, w))
			copy(x.pix[at:], rgb)
			continue
		}
		for c := range samples {
			for i, v := range planes[c].row(y, 0, w) {
				x.pix[at+i*x.samples+plane+c] = v
			}
		}
	}
	return nil
}

// picture gives the samples their colours.
func (x *tiffPixels) picture() (*Picture, error) {
	w, n := x.width, x.samples
	at := func(y, lo int) []byte { return x.pix[(y*w+lo)*n:] }
	extra := x.t.int(x.dir, tiffExtraSamples, 0)
	switch x.photometric {
	case 3:
		raw := x.t.ints(x.dir, tiffColorMap)
		size := 1 << x.bits
		shift := 0 // some writers store levels of 8 bits
		if slices.Max(raw) > 255 {
			shift = 8
		}
		var palette [256][3]byte
		for i := range size {
			palette[i] = [3]byte{byte(raw[i] >> shift), byte(raw[size+i] >> shift), byte(raw[2*size+i] >> shift)}
		}
		return &Picture{Width: w, Height: x.height, row: func(y, lo, hi int, dst []byte) {
			s := at(y, lo)
			for i := range hi - lo {
				copy(dst[3*i:3*i+3], palette[s[i*n]][:])
			}
		}}, nil
	case 0, 1:
		if x.wide != nil && n == 1 {
			g := image.NewGray16(image.Rect(0, 0, w, x.height))
			for i, v := range x.pix {
				g.Pix[2*i], g.Pix[2*i+1] = v, x.wide[i]
				if x.photometric == 0 {
					g.Pix[2*i], g.Pix[2*i+1] = ^v, ^x.wide[i]
				}
			}
			return FromImage(g), nil
		}
		flip := byte(0)
		if x.photometric == 0 {
			flip = 255
		}
		return &Picture{Width: w, Height: x.height, row: func(y, lo, hi int, dst []byte) {
			s := at(y, lo)
			for i := range hi - lo {
				v := s[i*n] ^ flip
				dst[3*i], dst[3*i+1], dst[3*i+2] = v, v, v
			}
		}}, nil
	case 5:
		return &Picture{Width: w, Height: x.height, row: func(y, lo, hi int, dst []byte) {
			s := at(y, lo)
			for i := range hi - lo {
				c := s[i*n : i*n+4]
				inks(dst[3*i:3*i+3], c[0], c[1], c[2], c[3])
			}
		}}, nil
	}
	return &Picture{Width: w, Height: x.height, row: func(y, lo, hi int, dst []byte) {
		s := at(y, lo)
		for i := range hi - lo {
			c, d := s[i*n:i*n+n], dst[3*i:3*i+3]
			copy(d, c)
			if n == 4 && extra == 1 { // multiplied by alpha
				for k := range d {
					d[k] = 0
					if c[3] > 0 {
						d[k] = byte(min(255, int(c[k])*255/int(c[3])))
					}
				}
			}
		}
	}}, nil
}
