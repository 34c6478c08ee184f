package clip

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the headers of files say is what exiftool finds there: testdata/exif/make.sh made both.
func TestTags(t *testing.T) {
	b, err := os.ReadFile("testdata/exif/tags.json")
	if err != nil {
		t.Fatal(err)
	}
	var files []map[string]any
	if err := json.Unmarshal(b, &files); err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		name := filepath.Base(f["SourceFile"].(string))
		data, err := os.ReadFile(filepath.Join("testdata", "exif", name))
		if err != nil {
			t.Fatal(err)
		}
		var w, h int
		want := Info{Format: strings.TrimPrefix(filepath.Ext(name), "."), Orientation: 1}
		if want.Format == "tif" {
			want.Format = "tiff"
		}
		for tag, v := range f {
			switch _, tag, _ := strings.Cut(tag, ":"); tag {
			case "ImageWidth":
				w = int(v.(float64))
			case "ImageHeight":
				h = int(v.(float64))
			case "Orientation":
				want.Orientation = int(v.(float64))
			}
		}
		if want.Width, want.Height = w, h; want.Orientation >= 5 {
			want.Width, want.Height = h, w
		}
		for _, tag := range []string{"ExifIFD:DateTimeOriginal", "ExifIFD:CreateDate", "XMP-exif:DateTimeOriginal", "XMP-photoshop:DateCreated", "XMP-xmp:CreateDate", "IFD0:ModifyDate"} {
			s, _ := f[tag].(string)
			for _, layout := range []string{"2006:01:02 15:04:05", "2006:01:02 15:04:05-07:00", "2006:01:02"} {
				if at, err := time.Parse(layout, s); err == nil && want.Taken.IsZero() { // the clock's, whatever the zone
					want.Taken = time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
				}
			}
		}
		got, err := Inspect(data)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; exiftool has %+v", name, got, err, want)
		}
		if p, err := Decode(data, 0); err != nil || p.Width != want.Width || p.Height != want.Height {
			t.Errorf("%s: decoded to %+v, %v", name, p, err)
		}
		for n := range len(data) { // cut anywhere, nothing goes wrong
			_, _ = Inspect(data[:n])
		}
	}
}
