package clip

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a file tells of camera, place and keywords is what exiftool reads in it;
// testdata/metadata/make.sh made both.
func TestMetadata(t *testing.T) {
	dir := filepath.Join("testdata", "metadata")
	var goldens []map[string]any
	readJSON(t, filepath.Join(dir, "goldens.json"), &goldens)
	if len(goldens) != 11 {
		t.Fatalf("%d files", len(goldens))
	}
	for _, g := range goldens {
		name := g["SourceFile"].(string)
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		m := InspectMetadata(f, st.Size())
		f.Close()
		text := func(keys ...string) string {
			for _, k := range keys {
				if v, ok := g[k]; ok {
					return fmt.Sprint(v)
				}
			}
			return ""
		}
		camera := strings.TrimSpace(text("IFD0:Make") + " " + text("IFD0:Model"))
		camera = strings.TrimPrefix(camera, "Canon Canon ")
		if strings.HasPrefix(text("IFD0:Model"), "Canon") {
			camera = text("IFD0:Model")
		}
		iso := text("ExifIFD:ISO")
		if text("ExifIFD:ISOSpeed") != "" {
			iso = text("ExifIFD:ISOSpeed")
		}
		var offset *int
		if s := text("ExifIFD:OffsetTimeOriginal", "ExifIFD:OffsetTime"); s != "" {
			var sign byte
			var h, min int
			fmt.Sscanf(s, "%c%d:%d", &sign, &h, &min)
			n := 60*h + min
			if sign == '-' {
				n = -n
			}
			offset = &n
		}
		var keywords []string
		for _, k := range []string{"XMP-dc:Subject", "IPTC:Keywords"} {
			if list, ok := g[k].([]any); ok {
				for _, v := range list {
					keywords = append(keywords, v.(string))
				}
			}
		}
		for _, k := range strings.Split(text("IFD0:XPKeywords"), ";") {
			if k = strings.TrimSpace(k); k != "" {
				keywords = append(keywords, k)
			}
		}
		number := func(k string) *float64 {
			if v, ok := g[k].(float64); ok {
				return &v
			}
			return nil
		}
		near := func(a, b *float64) bool {
			return (a == nil) == (b == nil) && (a == nil || math.Abs(*a-*b) < 1e-6)
		}
		show := func(p *int) string {
			if p == nil {
				return ""
			}
			return fmt.Sprint(*p)
		}
		if m.Camera != camera || m.Lens != text("ExifIFD:LensModel") || show(m.ISO) != iso || show(m.Rating) != text("XMP-xmp:Rating", "IFD0:Rating") || show(m.Offset) != show(offset) ||
			!near(m.FocalLength, number("ExifIFD:FocalLength")) || !near(m.Latitude, number("Composite:GPSLatitude")) || !near(m.Longitude, number("Composite:GPSLongitude")) || !slices.Equal(m.Keywords, keywords) {
			t.Errorf("%s: %+v (iso %s, rating %s, offset %s), want %v", name, m, show(m.ISO), show(m.Rating), show(m.Offset), g)
		}
	}
}

// Damaged metadata read as absent, and never make a fuss.
func FuzzMetadata(f *testing.F) {
	files, err := filepath.Glob("testdata/metadata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := InspectMetadata(bytes.NewReader(b), int64(len(b)))
		if m.Latitude != nil && math.Abs(*m.Latitude) > 90 || m.Rating != nil && (*m.Rating < -1 || *m.Rating > 5) {
			t.Errorf("%+v", m)
		}
	})
}
