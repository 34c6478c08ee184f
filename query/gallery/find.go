package gallery

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// Find returns where a row's picture is, a file or an address (see IsRemote),
// and the column that said so. With a template, {column} in it stands for the
// row's values, and the column is -1; otherwise it is the first column that names a
// picture file that is there, or an address that looks like a picture's. Without
// a picture ok is false; where is then what can't be one.
func Find(cols []string, template string, vals []value.Value) (where string, column int, ok bool) {
	if template == "" {
		for i, v := range vals {
			if v.Kind() != value.Text {
				continue
			}
			if s := v.Str(); IsRemote(s) && looksLikePicture(s, cols[i]) || isPictureFile(s) {
				return s, i, true
			}
		}
		return "", -1, false
	}
	whole := fillURL(cols, template, vals)
	if IsRemote(template) || IsRemote(whole) {
		return whole, -1, IsRemote(whole)
	}
	outside := false
	where = fill(cols, template, vals, func(s string) string {
		// A value fills in a name; it does not lead out of the template's directory.
		for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == '/' || r == '\\' }) {
			outside = outside || part == ".."
		}
		return s
	})
	return where, -1, !outside
}

func columnOf(cols []string, name string) int {
	for i, c := range cols {
		if strings.EqualFold(c, name) {
			return i
		}
	}
	return -1
}

// Fill replaces every {column} of a template by the row's value.
func Fill(cols []string, template string, vals []value.Value) string {
	return fill(cols, template, vals, func(s string) string { return s })
}

// fill replaces every {column} of a template.
func fill(cols []string, t string, vals []value.Value, escape func(string) string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(t, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, rest, closed := strings.Cut(after, "}")
		i := columnOf(cols, name)
		if !closed || i < 0 {
			b.WriteString("{")
			t = after
			continue
		}
		if !vals[i].IsNull() {
			b.WriteString(escape(vals[i].String()))
		}
		t = rest
	}
}

// fillURL fills in a URL's template: a value is one part of its path or one
// value of its query, whatever is in it. Only a template that is a column and
// nothing else takes a whole URL from the row.
func fillURL(cols []string, t string, vals []value.Value) string {
	if strings.HasPrefix(t, "{") && strings.HasSuffix(t, "}") && strings.Count(t, "{") == 1 {
		return fill(cols, t, vals, func(s string) string { return s })
	}
	path, query, has := strings.Cut(t, "?")
	out := fill(cols, path, vals, url.PathEscape)
	if has {
		out += "?" + fill(cols, query, vals, url.QueryEscape)
	}
	return out
}

// IsRemote reports whether a picture is at an address, not in a file.
func IsRemote(s string) bool {
	l := strings.ToLower(s[:min(len(s), 8)])
	return strings.HasPrefix(l, "http://") || strings.HasPrefix(l, "https://")
}

func looksLikePicture(address, column string) bool {
	if c := strings.ToLower(column); strings.Contains(c, "image") || strings.Contains(c, "photo") || strings.Contains(c, "picture") || strings.Contains(c, "thumb") {
		return true
	}
	u, err := url.Parse(address)
	return err == nil && pictureExt(u.Path)
}

func pictureExt(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".dng":
		return true
	}
	return false
}

func isPictureFile(s string) bool {
	if len(s) > 4096 || !pictureExt(s) {
		return false
	}
	st, err := os.Stat(s)
	return err == nil && st.Mode().IsRegular()
}
