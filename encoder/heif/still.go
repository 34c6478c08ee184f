package heif

import (
	"encoding/binary"
	"slices"
)

// still returns the picture of a file that has something else behind it: phones append a video,
// as a file of its own, or their marks and a trailer, of which libheif makes nothing.
func still(data []byte) []byte {
	described := false // the boxes that tell what the file holds were there
	for at := 0; len(data)-at >= 8; {
		n, kind := uint64(binary.BigEndian.Uint32(data[at:])), data[at+4:at+8]
		if n == 1 && len(data)-at >= 16 {
			n = binary.BigEndian.Uint64(data[at+8:])
		}
		name := !slices.ContainsFunc(kind, func(c byte) bool { return c < ' ' || c > '~' })
		fits := n >= 8 && n <= uint64(len(data)-at)
		switch {
		case described && (string(kind) == "ftyp" || !name || !fits && n != 0 && string(kind) != "mdat"):
			return data[:at]
		case !fits:
			return data
		}
		described = described || string(kind) == "meta"
		at += int(n)
	}
	return data
}
