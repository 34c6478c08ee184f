package clip

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

func tinyImages(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(tiny, "images", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no pictures", err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = b
	}
	return out
}

// A file that is cut off anywhere, or has bytes changed, gives an error or a
// picture of the size it announces, and never a panic.
func TestDamagedPictures(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, data := range tinyImages(t) {
		for range 12 {
			cut := data[:rng.IntN(len(data))]
			if p, err := Decode(cut, 0); err == nil && len(cut) < len(data)/2 {
				t.Errorf("%s: half of it decodes to %d x %d", name, p.Width, p.Height)
			} else if err != nil && strings.Contains(err.Error(), "gave up") {
				t.Errorf("%s: cut to %d bytes: %v", name, len(cut), err)
			}
			bad := bytes.Clone(data)
			for range 3 {
				bad[rng.IntN(len(bad))] ^= byte(1 << rng.IntN(8))
			}
			if p, err := Decode(bad, 4e6); err == nil && len(p.RGB()) != 3*p.Width*p.Height {
				t.Errorf("%s: wrong size", name)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	big := func(data []byte, w, h int) []byte { // PNG with another size in its header
		b := bytes.Clone(data)
		binary.BigEndian.PutUint32(b[16:], uint32(w))
		binary.BigEndian.PutUint32(b[20:], uint32(h))
		binary.BigEndian.PutUint32(b[29:], crc(b[12:29]))
		return b
	}
	gray := tinyImages(t)["gray.png"]
	var tooLarge *TooLargeError
	if _, err := Decode(big(gray, 1<<20, 1<<20), 0); !errors.As(err, &tooLarge) || tooLarge.Width != 1<<20 {
		t.Errorf("a bomb: %v", err)
	}
	if _, err := Decode(gray, 1000); !errors.As(err, &tooLarge) || !strings.Contains(err.Error(), "400 x 300") {
		t.Errorf("small limit: %v", err)
	}
	for text, want := range map[string]string{
		"":                                 "empty file",
		"hello":                            "not a picture",
		"\x00\x00\x00\x20ftypheic":         "damaged heif: no main picture",
		"\x00\x00\x00\x20ftypavif":         "damaged heif: no main picture",
		"<svg xmlns=\"x\">":                "SVG is a drawing",
		"<?xml version=\"1.0\"?>":          "unsupported format SVG, or XML",
		"\xff\x0a\x00":                     "damaged jxl: the file ends too early",
		"\xff\x0a\x00\x00\x00\x00\x00\x00": "JPEG XL can't be decoded by this program, which was built without package encoder/jxl",
		"P6\n2 2\n255\nabc":                "damaged pnm: the file ends too early",
		"P6\n2 0\n255\n":                   "2 x 0",
		"P6\n99999999 99999999\n255\n":     "too large",
		"\x00\x00\x00\x0cjP  \r\n\x87\n":   "unsupported format JPEG 2000",
		"<!DOCTYPE html>":                  "unsupported format HTML",
		"\xff\xd8":                         "ends too early",
		"\x89PNG\r\n\x1a\n":                "ends too early",
		"RIFF\x00\x00\x00\x00WEBP":         "no picture data",
		"GIF89a":                           "ends too early",
		"II*\x00\x08\x00\x00\x00":          "damaged tiff",
	} {
		if _, err := Decode([]byte(text), 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestBomb(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(sharedDir(t, "clip-real", "pictures", "odd-pillow"), "decompression_bomb.gif"))
	if err != nil {
		t.Fatal(err)
	}
	// Its frame is 65,535 pixels square on a canvas that is not.
	if _, err := Decode(b, 0); err == nil || !strings.Contains(err.Error(), "frame bounds") {
		t.Errorf("got %v", err)
	}
}

// bmpAndTIFF are files of the formats that tiny-clip has no pictures of.
func bmpAndTIFF(t testing.TB) map[string][]byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 37, 21))
	for i := range m.Pix {
		m.Pix[i] = byte(i*7) | 1
	}
	gray := image.NewGray16(m.Rect)
	pal := image.NewPaletted(m.Rect, color.Palette{color.Black, color.White, color.NRGBA{1, 2, 3, 255}})
	out := map[string][]byte{}
	add := func(name string, encode func(w *bytes.Buffer) error) {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	add("rgb.bmp", func(w *bytes.Buffer) error { return bmp.Encode(w, m) })
	add("palette.bmp", func(w *bytes.Buffer) error { return bmp.Encode(w, pal) })
	add("plain.tiff", func(w *bytes.Buffer) error { return tiff.Encode(w, m, nil) })
	add("deflate.tiff", func(w *bytes.Buffer) error {
		return tiff.Encode(w, m, &tiff.Options{Compression: tiff.Deflate, Predictor: true})
	})
	add("gray16.tiff", func(w *bytes.Buffer) error { return tiff.Encode(w, gray, nil) })
	add("palette.tiff", func(w *bytes.Buffer) error { return tiff.Encode(w, pal, nil) })
	return out
}

// A small file of any format that announces an enormous picture is refused before
// memory is set aside for it.
func TestBombs(t *testing.T) {
	files := tinyImages(t)
	for name, b := range bmpAndTIFF(t) {
		files[name] = b
	}
	jpegSize := func(b []byte) { // of the first frame header
		for i := 2; i+9 < len(b); i += 2 + int(binary.BigEndian.Uint16(b[i+2:])) {
			if b[i+1] >= 0xc0 && b[i+1] <= 0xc2 {
				binary.BigEndian.PutUint16(b[i+5:], 65500)
				binary.BigEndian.PutUint16(b[i+7:], 65500)
				return
			}
		}
		t.Error("no frame header")
	}
	chunk := func(b []byte, id string) int {
		i := bytes.Index(b, []byte(id))
		if i < 0 {
			t.Fatalf("no %s", id)
		}
		return i + 8
	}
	for name, enlarge := range map[string]func(b []byte){
		"scene-444.jpg":        jpegSize,
		"tall-progressive.jpg": jpegSize,
		"cmyk.jpg":             jpegSize,
		"animated.gif": func(b []byte) {
			binary.LittleEndian.PutUint32(b[6:], 0xffff_ffff)
			at := bytes.IndexByte(b[13+3<<(b[10]&7+1):], ',') + 13 + 3<<(b[10]&7+1)
			binary.LittleEndian.PutUint32(b[at+5:], 0xffff_ffff)
		},
		"scene.webp":          func(b []byte) { binary.LittleEndian.PutUint32(b[chunk(b, "VP8 ")+6:], 0x3fff_3fff) },
		"alpha-lossless.webp": func(b []byte) { binary.LittleEndian.PutUint32(b[chunk(b, "VP8L")+1:], 0x0fff_ffff) },
		"animated.webp":       func(b []byte) { copy(b[chunk(b, "VP8X")+4:], "\xff\xff\xff\xff\xff\xff") },
		"rgb.bmp":             func(b []byte) { copy(b[18:], "\xff\xff\xff\x7f\xff\xff\xff\x7f") },
		"palette.bmp":         func(b []byte) { copy(b[18:], "\xff\xff\x00\x00\xff\xff\x00\x00") },
		"plain.tiff":          tiffSize,
		"deflate.tiff":        tiffSize,
		"gray16.tiff":         tiffSize,
	} {
		b := bytes.Clone(files[name])
		enlarge(b)
		if bytes.Equal(b, files[name]) {
			t.Fatalf("%s is as it was", name)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(b, 0)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; err == nil || n > 16<<20 {
			t.Errorf("%s: %v, with %d MB", name, err, n>>20)
		}
	}
}

// tiffSize makes the first directory announce a picture 2 billion pixels wide
// and high.
func tiffSize(b []byte) {
	at := int(binary.LittleEndian.Uint32(b[4:]))
	for i := range int(binary.LittleEndian.Uint16(b[at:])) {
		e := b[at+2+12*i:]
		if tag := binary.LittleEndian.Uint16(e); tag == 256 || tag == 257 {
			binary.LittleEndian.PutUint16(e[2:], 4)
			binary.LittleEndian.PutUint32(e[8:], 1<<31-1)
		}
	}
}

// crc is the CRC-32 of PNG chunks.
func crc(b []byte) uint32 {
	c := ^uint32(0)
	for _, v := range b {
		c ^= uint32(v)
		for range 8 {
			c = c>>1 ^ 0xedb88320*(c&1)
		}
	}
	return ^c
}

// Every orientation of one picture shows the same.
func TestOrientations(t *testing.T) {
	upright := fromRGB(3, 2, []byte{
		1, 1, 1, 2, 2, 2, 3, 3, 3,
		4, 4, 4, 5, 5, 5, 6, 6, 6,
	})
	for o, stored := range map[int][]byte{ // EXIF 2.32, figure of tag 0x0112
		1: {1, 2, 3, 4, 5, 6}, 2: {3, 2, 1, 6, 5, 4}, 3: {6, 5, 4, 3, 2, 1}, 4: {4, 5, 6, 1, 2, 3},
		5: {1, 4, 2, 5, 3, 6}, 6: {3, 6, 2, 5, 1, 4}, 7: {6, 3, 5, 2, 4, 1}, 8: {4, 1, 5, 2, 6, 3},
	} {
		w, h := 3, 2
		if o >= 5 {
			w, h = 2, 3
		}
		var pix []byte
		for _, v := range stored {
			pix = append(pix, v, v, v)
		}
		p := orient(fromRGB(w, h, pix), o)
		if p.Width != 3 || p.Height != 2 || !bytes.Equal(p.RGB(), upright.RGB()) {
			t.Errorf("orientation %d: %d x %d, %v", o, p.Width, p.Height, p.RGB())
		}
	}
}

// The same pixels through every lossless container are the same picture.
func TestFormatsAgree(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 37, 23))
	for i := range m.Pix {
		m.Pix[i] = byte(i * 7)
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	want := FromImage(m).RGB()
	sub := image.NewNRGBA(image.Rect(-5, -5, 60, 60))
	for y := range 23 {
		for x := range 37 {
			sub.Set(x+4, y+9, m.At(x, y))
		}
	}
	rgba64 := image.NewRGBA64(m.Rect)
	for y := range 23 {
		for x := range 37 {
			rgba64.Set(x, y, m.At(x, y))
		}
	}
	for name, im := range map[string]image.Image{
		"part": sub.SubImage(image.Rect(4, 9, 41, 32)), "16 bit": rgba64, "unknown type": struct{ image.Image }{m},
	} {
		if got := FromImage(im); !bytes.Equal(got.RGB(), want) {
			t.Errorf("%s differs", name)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	p, err := Decode(b.Bytes(), 0)
	if err != nil || !bytes.Equal(p.RGB(), want) {
		t.Errorf("png: %v", err)
	}
}

// A first frame that covers a part of the canvas lies where it belongs, on the
// transparent colour if there is one.
func TestPartialGIF(t *testing.T) {
	frame := image.NewPaletted(image.Rect(2, 1, 4, 2), color.Palette{color.RGBA{9, 9, 9, 255}, color.RGBA{200, 0, 0, 255}})
	frame.Pix = []byte{1, 1}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{Width: 5, Height: 3}}); err != nil {
		t.Fatal(err)
	}
	p, err := Decode(b.Bytes(), 0)
	if err != nil || p.Width != 5 || p.Height != 3 {
		t.Fatalf("%v, %v", p, err)
	}
	for i, v := range p.RGB() {
		x, y := i/3%5, i/15
		want := byte(9)
		if y == 1 && (x == 2 || x == 3) {
			want = []byte{200, 0, 0}[i%3]
		}
		if v != want {
			t.Errorf("(%d, %d) is %d, want %d", x, y, v, want)
		}
	}
}

// Chroma planes of every subsampling and of sizes around the special cases.
func TestSubsampling(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		for w := 1; w <= 9; w++ {
			for h := 1; h <= 9; h++ {
				m := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
				for i := range m.Y {
					m.Y[i] = 100
				}
				for i := range m.Cb {
					m.Cb[i], m.Cr[i] = 90, 200
				}
				// An even colour stays even, whatever is between the samples.
				for name, p := range map[string]*Picture{"jpeg": FromImage(m), "webp": webpPicture(image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420))} {
					pix := p.RGB()
					for i := 3; i < len(pix); i++ {
						if pix[i] != pix[i-3] {
							t.Fatalf("%s %v %d x %d is not even: %v", name, ratio, w, h, pix)
						}
					}
				}
			}
		}
	}
}

func TestTaken(t *testing.T) {
	tags := func(order binary.ByteOrder, magic string) []byte {
		b := append([]byte(magic), make([]byte, 4)...)
		order.PutUint32(b[4:], 8)
		entry := func(tag, kind uint16, n, v uint32) {
			e := make([]byte, 12)
			order.PutUint16(e, tag)
			order.PutUint16(e[2:], kind)
			order.PutUint32(e[4:], n)
			order.PutUint32(e[8:], v)
			if kind == 3 {
				order.PutUint16(e[8:], uint16(v))
			}
			b = append(b, e...)
		}
		count := func(n uint16) { b = append(b, 0, 0); order.PutUint16(b[len(b)-2:], n) }
		count(2)
		entry(tagOrientation, 3, 1, 6)
		entry(tagExifIFD, 4, 1, 8+2+24)
		count(2)
		entry(tagDateTimeOriginal, 2, 20, 8+2+24+2+24)
		entry(0x9011 /* the zone */, 2, 7, 8+2+24+2+24+20)
		return append(b, "2021:06:05 12:34:56\x00+02:00\x00"...)
	}
	var plain bytes.Buffer
	if err := jpeg.Encode(&plain, image.NewGray(image.Rect(0, 0, 8, 4)), nil); err != nil {
		t.Fatal(err)
	}
	for _, x := range [][]byte{tags(binary.LittleEndian, "II*\x00"), tags(binary.BigEndian, "MM\x00*")} {
		segment := append([]byte("\xff\xe1\x00\x00Exif\x00\x00"), x...)
		binary.BigEndian.PutUint16(segment[2:], uint16(len(segment)-2))
		data := append(append([]byte("\xff\xd8"), segment...), plain.Bytes()[2:]...)
		info, err := Inspect(data)
		want := Info{"jpg", 4, 8, 6, time.Date(2021, 6, 5, 12, 34, 56, 0, time.UTC)}
		if err != nil || info != want {
			t.Errorf("got %+v, %v; want %+v", info, err, want)
		}
		for n := range len(segment) { // cut anywhere it reads as absent
			binary.BigEndian.PutUint16(segment[2:], uint16(max(2, n-2)))
			findEXIF("jpg", memory(append(append([]byte("\xff\xd8"), segment[:n]...), plain.Bytes()[2:]...)))
		}
	}
}

func TestConfigs(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"hf old":        {hfPreprocessor, `{"size": 224, "crop_size": 224, "do_center_crop": true, "image_mean": [0.5,0.5,0.5], "image_std": [0.5,0.5,0.5], "resample": 3}`, "224 x 224 of 224"},
		"siglip":        {hfPreprocessor, `{"size": {"height": 256, "width": 256}, "image_mean": [0.5,0.5,0.5], "image_std": [0.5,0.5,0.5], "resample": 2}`, "256 x 256 of 0"},
		"open_clip":     {openCLIPPreprocessor, `{"size": [384, 384], "mean": [0.5,0.5,0.5], "std": [0.5,0.5,0.5], "resize_mode": "squash"}`, "384 x 384 of 0"},
		"open_clip int": {openCLIPPreprocessor, `{"size": 224, "mean": [0.5,0.5,0.5], "std": [0.5,0.5,0.5]}`, "224 x 224 of 224"},
		"no size":       {hfPreprocessor, `{}`, `no "size"`},
		"nearest":       {hfPreprocessor, `{"size": {"height": 256, "width": 256}, "do_normalize": false, "resample": 0}`, "interpolation 0"},
		"crop too big":  {hfPreprocessor, `{"size": 200, "crop_size": 224, "do_normalize": false}`, "can't hold"},
		"std 0":         {hfPreprocessor, `{"size": 8, "crop_size": 8, "image_mean": [0,0,0], "image_std": [0,1,1]}`, "can't normalise"},
		"longest":       {openCLIPPreprocessor, `{"size": 224, "mean": [0.5,0.5,0.5], "std": [0.5,0.5,0.5], "resize_mode": "longest"}`, "longest"},
		"not JSON":      {hfPreprocessor, `{"size"`, "unexpected end"},
		"huge":          {hfPreprocessor, `{"size": 100000, "crop_size": 100000, "do_normalize": false}`, "1 to 4096"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		got := ""
		p, err := LoadPreprocessor(dir)
		if err != nil {
			got = err.Error()
		} else {
			w, h := p.Size()
			got = strings.TrimSpace(strings.Join([]string{strconv.Itoa(w), "x", strconv.Itoa(h), "of", strconv.Itoa(p.shortest)}, " "))
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	if _, err := LoadPreprocessor(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty directory: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range tinyImages(f) {
		f.Add(b)
	}
	for _, b := range bmpAndTIFF(f) {
		f.Add(b)
	}
	files, err := filepath.Glob(filepath.Join("testdata", "oracle", "*.[tgwb]*"))
	if err != nil || len(files) < 50 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	pre, err := NewPreprocessor(CLIPConfig(8))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode(data, 1<<18)
		if err != nil {
			if strings.Contains(err.Error(), "gave up") {
				t.Fatal(err)
			}
			return
		}
		if p.Width < 1 || p.Height < 1 || p.Width*p.Height > 1<<18 {
			t.Fatalf("%d x %d", p.Width, p.Height)
		}
		for _, v := range pre.Pixels(p) {
			if v != v {
				t.Fatal("NaN")
			}
		}
	})
}

// Where in a file its EXIF data lie makes no difference, nor whether the file is
// in memory or on disk.
func TestEXIFBehindPixels(t *testing.T) {
	x := []byte("MM\x00*\x00\x00\x00\x08\x00\x02\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x01\x32\x00\x02\x00\x00\x00\x14\x00\x00\x00\x26\x00\x00\x00\x002020:05:06 07:08:09\x00")
	m := image.NewNRGBA(image.Rect(0, 0, 600, 400))
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range m.Pix {
		m.Pix[i] = byte(rng.Uint32()) | byte(i&3/3*255)
	}
	var plain bytes.Buffer
	if err := png.Encode(&plain, m); err != nil {
		t.Fatal(err)
	}
	chunk := func(kind string, data []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		b = append(append(b, kind...), data...)
		return binary.BigEndian.AppendUint32(b, crc(b[4:]))
	}
	at := bytes.LastIndex(plain.Bytes(), []byte("IEND")) - 4
	insert := func(c []byte) []byte {
		return slices.Concat(plain.Bytes()[:at], c, plain.Bytes()[at:])
	}
	raw := fmt.Sprintf("\nexif\n%8d\n%x\n", len(x)+6, append([]byte("Exif\x00\x00"), x...))
	var z bytes.Buffer
	zw := zlib.NewWriter(&z)
	zw.Write([]byte(raw))
	zw.Close()
	webp := func(n int) []byte { // a lossless bitstream's header, and n bytes of it
		body := []byte("WEBPVP8X\x0a\x00\x00\x00\x08\x00\x00\x00\x57\x02\x00\x8f\x01\x00VP8L")
		body = binary.LittleEndian.AppendUint32(body, uint32(n))
		body = append(body, make([]byte, n+n&1)...)
		body = binary.LittleEndian.AppendUint32(append(body, "EXIF"...), uint32(len(x)))
		return slices.Concat([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body, x)
	}
	tiffed := func() []byte { // the directory behind the pixels
		var b bytes.Buffer
		if err := tiff.Encode(&b, m, nil); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		data []byte
		want Info
	}{
		"png eXIf":    {insert(chunk("eXIf", x)), Info{"png", 400, 600, 6, time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC)}},
		"png tEXt":    {insert(chunk("tEXt", []byte("Raw profile type exif\x00"+raw))), Info{"png", 400, 600, 6, time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC)}},
		"png zTXt":    {insert(chunk("zTXt", append([]byte("Raw profile type APP1\x00\x00"), z.Bytes()...))), Info{"png", 400, 600, 6, time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC)}},
		"png without": {plain.Bytes(), Info{"png", 600, 400, 1, time.Time{}}},
		"webp":        {webp(700001), Info{"webp", 400, 600, 6, time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC)}},
		"webp small":  {webp(10), Info{"webp", 400, 600, 6, time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC)}},
		"tiff":        {tiffed(), Info{"tiff", 600, 400, 1, time.Time{}}},
	} {
		for how, inspect := range map[string]func() (Info, error){
			"memory": func() (Info, error) { return Inspect(c.data) },
			"file":   func() (Info, error) { return InspectFile(bytes.NewReader(c.data), int64(len(c.data))) },
		} {
			if info, err := inspect(); err != nil || info != c.want {
				t.Errorf("%s in %s: %+v, %v; want %+v", name, how, info, err, c.want)
			}
		}
		if name == "webp" || name == "webp small" {
			continue
		}
		if p, err := Decode(c.data, 0); err != nil || p.Width != c.want.Width || p.Height != c.want.Height {
			t.Errorf("%s decodes otherwise: %v", name, err)
		}
	}
}

// What Inspect takes for a picture that can be decoded is one, as far as its header tells:
// images() lists by it what image() will refuse.
func TestInspectRefusesWhatDecodeRefuses(t *testing.T) {
	for _, dir := range []string{"testdata/oracle"} {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			_, inspected := Inspect(data)
			_, decoded := Decode(data, 0)
			pixels := decoded != nil && strings.Contains(decoded.Error(), "fax coding") // which only reading the pixels tells
			if (inspected == nil) != (decoded == nil) && !pixels {
				t.Errorf("%s: Inspect says %v, Decode %v", f.Name(), inspected, decoded)
			}
		}
	}
}

// Decoded at reduced size, and of progressive files only those scans that show then, a
// picture is close to what it is when all is decoded.
func TestFastIsClose(t *testing.T) {
	files, _ := filepath.Glob("testdata/fast/*.jpg")
	if len(files) != 7 {
		t.Fatalf("%d files", len(files))
	}
	for _, n := range []int{30, 64, 130} { // a quarter, a quarter and half of the size
		pre, err := NewPreprocessor(CLIPConfig(n))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			exact, fast := make([]float32, pre.Len()), make([]float32, pre.Len())
			if err := errors.Join(pre.File(exact, data, 0, false), pre.File(fast, data, 0, true)); err != nil {
				t.Fatal(err)
			}
			var xy, xx, yy float64
			for i, x := range exact {
				xy, xx, yy = xy+float64(x)*float64(fast[i]), xx+float64(x)*float64(x), yy+float64(fast[i])*float64(fast[i])
			}
			if cos := xy / math.Sqrt(xx*yy); cos < 0.9995 {
				t.Errorf("%s at %d: cosine %.6f", file, n, cos)
			}
			// A file that was cut off is refused all the same.
			if err := pre.File(fast, data[:len(data)*3/4], 0, true); err == nil {
				t.Errorf("%s, cut off: no error", file)
			}
		}
	}
}

// FuzzHEIF reads the boxes of damaged HEIF files.
func FuzzHEIF(f *testing.F) {
	for _, name := range []string{"odd.heic", "even.heic", "turned-3-0.avif", "gray.avif"} {
		b, err := os.ReadFile(filepath.Join("..", "heif", "testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHEIF(b)
		if err == nil && (h.Width <= 0 || h.Height <= 0 || h.Orientation < 1 || h.Orientation > 8) {
			t.Errorf("%+v", h)
		}
		Inspect(b)
	})
}

// What phones put behind a JPEG picture is passed over: a gain map or further pictures of
// other sizes, of which its header tells (MPF), and videos.
func TestBehindJPEG(t *testing.T) {
	images := tinyImages(t)
	other := images["scene-420.jpg"]
	video := "\x00\x00\x00\x10ftypmp42\x00\x00\x00\x00\x00\x00\x00\x0cmdat\xff\xd8\xff\xd9"
	tried := 0
	for name, data := range images {
		info, err := Inspect(data)
		if err != nil || info.Format != "jpg" {
			continue
		}
		want, err := Decode(data, 0)
		if err != nil {
			continue
		}
		tried++
		// An index of two pictures, as the first segment behind the mark of the beginning.
		index := "MPF\x00MM\x00*\x00\x00\x00\x08\x00\x02\xb0\x00\x00\x07\x00\x00\x00\x040100\xb0\x01\x00\x04\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00"
		marked := append([]byte("\xff\xd8\xff\xe2\x00"+string(rune(len(index)+2))+index), data[2:]...)
		for what, file := range map[string][]byte{
			"a picture":         append(slices.Clone(data), other...),
			"a picture by MPF":  append(slices.Clone(marked), other...),
			"a video":           append(slices.Clone(data), video...),
			"Samsung's trailer": append(slices.Clone(data), "\x00\x00\x30\x0a\x10\x00\x00\x00MotionPhoto_Data"+video+"SEFHj\x00\x00\x00\x01\x00\x00\x00SEFT"...),
		} {
			got, err := Decode(file, 0)
			in, inErr := Inspect(file)
			switch {
			case err != nil || inErr != nil:
				t.Errorf("%s with %s behind it: %v, %v", name, what, err, inErr)
			case in.Width != want.Width || in.Height != want.Height || in.Orientation != info.Orientation || !bytes.Equal(got.RGB(), want.RGB()):
				t.Errorf("%s with %s behind it: other pixels", name, what)
			}
		}
	}
	if tried < 5 {
		t.Errorf("only %d pictures", tried)
	}
}
