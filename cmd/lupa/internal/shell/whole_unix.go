//go:build unix

package shell

import (
	"io"
	"os"
	"unicode/utf8"
	_ "unsafe" // for linkname
)

// editorInput is where the editor reads keys from. It cuts what comes into pieces of
// 1,024 bytes and drops a character that two of them share, and has no public way to
// give it another reader.
//
//go:linkname editorInput github.com/reeflective/readline/internal/core.Stdin
var editorInput io.ReadCloser

// readWhole lets the editor read whole characters only.
func readWhole() { editorInput = &wholeReader{File: os.Stdin} }

// wholeReader keeps the beginning of a character back until the rest of it has come.
type wholeReader struct {
	*os.File
	kept []byte
}

func (r *wholeReader) Read(p []byte) (int, error) {
	for {
		n := copy(p, r.kept)
		r.kept = r.kept[n:]
		m, err := r.File.Read(p[n:])
		n += m
		cut := n
		for i := max(0, n-utf8.UTFMax); i < n && err == nil; i++ {
			if utf8.RuneStart(p[i]) && !utf8.FullRune(p[i:n]) {
				cut = i
				break
			}
		}
		if r.kept = append([]byte(nil), p[cut:n]...); cut > 0 || err != nil {
			return cut, err
		}
	}
}
