package source_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

const (
	testdata = "../../../testdata"
	shared   = "../../../../shared/data"
)

func images(t *testing.T, pattern string) [][]value.Value {
	t.Helper()
	p, err := source.FindPictures(context.Background(), pattern, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := p.Open()
	defer r.Close()
	rows, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(rows)) != r.Rows() {
		t.Errorf("%d rows, %d promised", len(rows), r.Rows())
	}
	return rows
}

func TestImages(t *testing.T) {
	rows := images(t, testdata+"/toy-clip/scenes/*")
	if len(rows) != 300 {
		t.Errorf("%d scenes", len(rows))
	}
	for i, row := range rows {
		if i > 0 && rows[i-1][0].Str() >= row[0].Str() {
			t.Errorf("%v after %v", row[0], rows[i-1][0])
		}
		if st, err := os.Stat(row[0].Str()); err != nil || st.Size() != row[3].Int() {
			t.Errorf("%v: %v, %v bytes", row[0], err, row[3])
		}
		if row[1].Int() < 1 || row[2].Int() < 1 || row[5].IsNull() || !row[7].IsNull() {
			t.Errorf("%v", row)
		}
	}
	byName := map[string][]value.Value{}
	for _, row := range images(t, testdata+"/models/tiny-clip/{images,nothing}/**/*.{jpg,png,webp}") {
		byName[filepath.Base(row[0].Str())] = row
	}
	for name, want := range map[string][3]string{"one-pixel.png": {"1", "1", "png"}, "scene.webp": {"", "", "webp"}, "exif-6.jpg": {"", "", "jpg"}} {
		row := byName[name]
		if row == nil || want[0] != "" && (row[1].String() != want[0] || row[2].String() != want[1]) || row[5].Str() != want[2] {
			t.Errorf("%s: %v", name, row)
		}
	}
	if _, gif := byName["animated.gif"]; gif {
		t.Error("a pattern without gif yields a gif")
	}
	if n := len(images(t, testdata+"/models/tiny-clip")); n != len(images(t, testdata+"/models/tiny-clip/**")) || n < 10 {
		t.Errorf("a directory stands for %d pictures", n)
	}
}

func TestImagesOdd(t *testing.T) {
	dir := t.TempDir()
	good, err := os.ReadFile(testdata + "/models/tiny-clip/images/gray.png")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"b.jpg": "not a picture", "a.PNG": string(good), "c.png": string(good[:20]), "d.txt": "x", ".hidden.png": "x",
		"sub[1]/x.png": string(good), "empty.gif": ""} {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, row := range images(t, dir+"/**") {
		state := "fine"
		if !row[7].IsNull() {
			state = "bad"
			if !row[1].IsNull() || row[7].Str() == "" {
				t.Errorf("%v", row)
			}
		}
		rel, _ := filepath.Rel(dir, row[0].Str())
		got = append(got, rel+" "+state)
	}
	if s, want := strings.Join(got, ", "), "a.PNG fine, b.jpg bad, c.png bad, empty.gif bad, sub[1]/x.png fine"; s != want {
		t.Errorf("%s, want %s", s, want)
	}
	if rows := images(t, dir+"/sub[1]"); len(rows) != 1 {
		t.Errorf("%v", rows)
	}
	for pattern, want := range map[string]string{dir + "/none/*.jpg": "no directory", dir + "/{a": "not a valid pattern", dir + "/*.webp": "nothing matches " + dir + "/*.webp"} {
		if _, err := source.FindPictures(context.Background(), pattern, source.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
	p, err := source.FindPictures(context.Background(), dir+"/**", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := p.Open()
	if err := r.Project([]int{3, 0, 0}, nil); err != nil {
		t.Fatal(err)
	}
	rows, err := readAll(r)
	if err != nil || len(rows) != 5 || rows[1][0].Int() != 13 || rows[1][1].Str() != rows[1][2].Str() {
		t.Error(rows, err)
	}
}

// The photos with precomputed vectors, as COPY reads them.
func TestRealFiles(t *testing.T) {
	for _, set := range []struct {
		dir, ids, meta string
		rows, dim      int
	}{
		{testdata + "/toy-clip/corpus", "photo_ids.csv", "metadata.csv", 20000, 128},
		{shared + "/clip-real/photos", "photo_ids.csv", "photos.csv", 3841, 512},
	} {
		if _, err := os.Stat(set.dir); err != nil {
			t.Logf("%s is not there", set.dir)
			continue
		}
		var rs []source.Reader
		names := []string{"features.npy", set.ids}
		for _, name := range names {
			r, err := source.Open(filepath.Join(set.dir, name), "", source.Options{Names: []string{"clip", "id"}})
			if err != nil {
				t.Fatal(err)
			}
			rs = append(rs, r)
		}
		z, err := source.Zip(rs, names)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := readAll(z)
		if err != nil {
			t.Fatal(err)
		}
		z.Close()
		if len(rows) != set.rows || rows[0][0].Type().Dim != set.dim {
			t.Errorf("%s: %d rows of %v", set.dir, len(rows), rows[0][0].Type())
		}
		r, err := source.Open(filepath.Join(set.dir, set.meta), "", source.Options{Infer: true})
		if err != nil {
			t.Fatal(err)
		}
		meta, err := readAll(r)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		if len(meta) != set.rows {
			t.Errorf("%d rows of metadata", len(meta))
		}
		for i := range meta {
			if meta[i][0].Str() != rows[i][1].Str() {
				t.Fatalf("row %d: %v and %v", i+1, meta[i][0], rows[i][1])
			}
		}
		t.Log(r.Columns())
	}
}
