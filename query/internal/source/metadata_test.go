package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// images() tells what the files say of camera, place and keywords, and the SHA-256 of their
// contents, of files that are no pictures as well.
func TestImageMetadata(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"all.jpg", "none.jpg"} {
		b, err := os.ReadFile(filepath.Join("../../../encoder/clip/testdata/metadata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.jpg"), []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := FindPictures(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := p.Open().Next(t.Context())
	if err != nil || batch.Len != 3 {
		t.Fatal(batch, err)
	}
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	for i, want := range []string{
		"1|Canon EOS R5|RF24-70mm F2.8 L IS USM|400|35.5|48.137154|11.576124|330|4|[\"wolf\",\"snow & ice\",\"Übung\"]",
		"||||||||||" + abc,
		"1|||||||||",
	} {
		var got []string
		for c := imageOrientation; c <= imageHash; c++ {
			v, s := batch.Cols[c].Value(i), ""
			if !v.IsNull() {
				s = v.String()
			}
			if c == imageHash && i != 1 {
				if len(s) != 64 {
					t.Errorf("hash %q", s)
				}
				break
			}
			got = append(got, s)
		}
		if s := strings.Join(got, "|"); strings.ReplaceAll(s, `", "`, `","`) != want {
			t.Errorf("%s\nwant\n%s", s, want)
		}
	}
	for name, want := range map[string]bool{"path": false, "modified": false, "error": true, "hash": true, "nosuch": false} {
		if ImageHidden(name) != want {
			t.Errorf("%s is hidden: %v", name, !want)
		}
	}
}
