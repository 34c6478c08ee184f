package source

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/value"
)

// images() leaves pictures out that are larger than its option allows, and takes those of
// today's largest cameras.
func TestMaxPixels(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	large := []byte("P5 11648 8736 255\n") // a header is all that is looked at
	for name, data := range map[string][]byte{"a.png": b.Bytes(), "b.pgm": large, "c.pgm": []byte("P5 20000 20000 255\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int64]string{0: "..x", 1000: "xxx", 400_000_000: "..."} {
		var opts []Option
		if limit > 0 {
			opts = []Option{{Name: "max_pixels", HasValue: true, Value: value.Int(limit)}}
		}
		o, err := PicturesOptions(opts)
		if err != nil {
			t.Fatal(err)
		}
		p, err := FindPictures(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		r := p.Open()
		batch, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for i := range batch.Len {
			v := batch.Cols[imageError].Value(i)
			if v.IsNull() {
				got += "."
			} else if strings.Contains(v.Str(), "too large") {
				got += "x"
			} else {
				got += "?" + v.Str()
			}
		}
		if got != want {
			t.Errorf("limit %d: %s, want %s", limit, got, want)
		}
	}
	for _, v := range []value.Value{value.Int(0), value.Str("many"), {}} {
		if _, err := PicturesOptions([]Option{{Name: "max_pixels", HasValue: true, Value: v}}); err == nil || !strings.Contains(err.Error(), "MAX_PIXELS") {
			t.Errorf("%v: %v", v, err)
		}
	}
}
