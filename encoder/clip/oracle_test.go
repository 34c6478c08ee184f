package clip

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// notRead are the pictures of testdata/oracle that are refused, and what the
// refusal says: kinds that no library in Go decodes rightly.
var notRead = map[string]string{
	"lab.tif": "unsupported kind: photometric interpretation 8", "bilevel-tiff_ccitt.tif": "unsupported kind: compression 2", "bilevel-inverted-tiff_ccitt.tif": "unsupported kind: compression 2",
	"t-bilevel-g3-2d-lsb2msb.tif": "two-dimensional fax", "t-bilevel-g3-2d-msb2lsb.tif": "two-dimensional fax",
	"t-bilevel-g3-fill-lsb2msb.tif": "end-of-line", "t-bilevel-g3-fill-msb2lsb.tif": "end-of-line",
	"bilevel-minblack-fax.tif": "end-of-line", "bilevel-minwhite-fax.tif": "end-of-line",
}

// Every kind of file has the pixels that Pillow finds in it, to the bit: formats,
// depths, palettes, alpha, inks, subsampling, interlacing, compression. What can't
// be decoded is refused with a reason, not guessed. testdata/oracle/make.py made the
// files and the goldens.
func TestOracle(t *testing.T) {
	oracle(t, filepath.Join("testdata", "oracle"), 200)
}

// The same for PBM, PGM, PPM and old kinds of BMP; testdata/old/make.py made them.
func TestOldFormats(t *testing.T) {
	oracle(t, filepath.Join("testdata", "old"), 16)
}

func oracle(t *testing.T, dir string, least int) {
	t.Helper()
	var goldens map[string]struct {
		Mode          string
		Width, Height int
		SHA256        string
	}
	readJSON(t, filepath.Join(dir, "goldens.json"), &goldens)
	if len(goldens) < least {
		t.Errorf("%d pictures", len(goldens))
	}
	for name, want := range goldens {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode(data, 0)
		if reason, no := notRead[name]; no {
			if err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%s: %v, want %q", name, err, reason)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s (%s): %v", name, want.Mode, err)
			continue
		}
		info, err := Inspect(data)
		if err != nil || info.Width != p.Width || info.Height != p.Height || p.Width != want.Width || p.Height != want.Height {
			t.Errorf("%s: %v of %d x %d, %v; want %d x %d", name, info, p.Width, p.Height, err, want.Width, want.Height)
		}
		if sum := sha256.Sum256(p.RGB()); hex.EncodeToString(sum[:]) != want.SHA256 {
			t.Errorf("%s (%s): other pixels than Pillow's", name, want.Mode)
		}
	}
}

// dirs writes a little-endian TIFF: the first directory, whose SubIFDs are the
// others, and data that values of tag 273 and 513 below zero stand for.
func dirs(data [][]byte, all ...[][2]int) []byte {
	size := 8
	var at []int
	for _, d := range all {
		at = append(at, size)
		size += 2 + 12*len(d) + 4
	}
	sub := size
	size += 4 * len(all)
	var place []int
	for _, d := range data {
		place = append(place, size)
		size += len(d)
	}
	b := binary.LittleEndian.AppendUint32([]byte("II*\x00"), 8)
	for _, d := range all {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(d)))
		for _, e := range d {
			tag, v, count := e[0], e[1], 1
			if v < 0 {
				v = place[-v-1]
			}
			if tag == tiffSubIFDs {
				if v, count = sub, len(all)-1; count == 1 {
					v = at[1]
				}
			}
			b = binary.LittleEndian.AppendUint16(b, uint16(tag))
			b = binary.LittleEndian.AppendUint16(b, 4)
			b = binary.LittleEndian.AppendUint32(b, uint32(count))
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		b = binary.LittleEndian.AppendUint32(b, 0)
	}
	for _, a := range append(at[1:], 0) {
		b = binary.LittleEndian.AppendUint32(b, uint32(a))
	}
	return append(b, bytes.Join(data, nil)...)
}

// A camera's raw file is its largest preview, which is a JPEG file, turned as the
// raw file says; without one, or with a thumbnail alone, it is refused.
func TestRawPreviews(t *testing.T) {
	shot := func(w, h int) []byte {
		m := image.NewGray(image.Rect(0, 0, w, h))
		for i := range m.Pix {
			m.Pix[i] = byte(w)
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, nil); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	large, middle, small := shot(600, 400), shot(300, 240), shot(160, 120)
	thumb := make([]byte, 16*12*3)
	data := [][]byte{thumb, large, middle, small}
	first := [][2]int{{tiffWidth, 16}, {tiffHeight, 12}, {tiffBits, 8}, {tiffCompression, 1}, {tiffPhotometric, 2}, {tiffStripOffsets, -1}, {tagOrientation, 6}, {tiffSamples, 3}, {tiffStripCounts, len(thumb)}, {tiffSubIFDs, 0}, {tiffDNGVersion, 0x401}}
	sensor := [][2]int{{tiffWidth, 6000}, {tiffHeight, 4000}, {tiffCompression, 7}, {tiffPhotometric, photometricCFA}, {tiffStripOffsets, -2}, {tiffStripCounts, len(large)}}
	preview := func(n int) [][2]int {
		return [][2]int{{tiffWidth, 1}, {tiffHeight, 1}, {tiffCompression, 7}, {tiffPhotometric, 6}, {tiffStripOffsets, -n - 1}, {tiffStripCounts, len(data[n])}}
	}
	old := [][2]int{{tiffCompression, 6}, {tiffJPEGOffset, -2}, {tiffJPEGLength, len(large)}}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"dng":           {dirs(data, first, sensor, preview(3), preview(1), preview(2)), "dng, 400 x 600"},
		"middle":        {dirs(data, first, sensor, preview(2), preview(3)), "dng, 240 x 300"},
		"nef":           {dirs(data, first[:len(first)-1], old, sensor), "raw, 400 x 600"},
		"thumbnail":     {dirs(data, first, sensor, preview(3)), "DNG (raw) whose largest preview is a thumbnail of 160 x 120"},
		"nothing":       {dirs(data, first, sensor), "DNG (raw) without a preview"},
		"no raw at all": {dirs(data, first[:len(first)-1], preview(1)), "tiff, 12 x 16"},
	} {
		info, err := Inspect(c.file)
		p, decodeErr := Decode(c.file, 0)
		got := info.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || (err == nil) != (decodeErr == nil) {
			t.Errorf("%s: %s and %v, want %s", name, got, decodeErr, c.want)
		} else if err == nil && (p.Width != info.Width || p.Height != info.Height) {
			t.Errorf("%s: %d x %d", name, p.Width, p.Height)
		}
	}
}
