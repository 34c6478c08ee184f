package clip

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// notRead are the pictures of testdata/oracle that are refused, and what the
// refusal says: kinds that no library in Go decodes rightly.
var notRead = map[string]string{
	"bmp2.bmp": "unsupported", "rgb555.bmp": "unsupported", "rgb565.bmp": "unsupported", "rle8.bmp": "unsupported",
}

// Every kind of file has the pixels that Pillow finds in it, to the bit: formats,
// depths, palettes, alpha, inks, subsampling, interlacing, compression. What can't
// be decoded is refused with a reason, not guessed. testdata/oracle/make.py made the
// files and the goldens.
func TestOracle(t *testing.T) {
	dir := filepath.Join("testdata", "oracle")
	var goldens map[string]struct {
		Mode          string
		Width, Height int
		SHA256        string
	}
	readJSON(t, filepath.Join(dir, "goldens.json"), &goldens)
	if len(goldens) < 200 {
		t.Errorf("%d pictures", len(goldens))
	}
	for name, want := range goldens {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(name) == ".tif" {
			continue
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
