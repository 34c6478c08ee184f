//go:build nodynamic || ((amd64 || arm64) && (linux || darwin || windows))

package heif

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"github.com/lupadb/lupa/encoder/clip"
)

// box is one of the boxes that HEIC files consist of.
func box(kind string, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), kind...), body...)
}

func u16(v ...int) (b []byte) {
	for _, v := range v {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return b
}

func u32(v ...int) (b []byte) {
	for _, v := range v {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func pixels(t *testing.T, name string, data []byte) *clip.Picture {
	t.Helper()
	p, err := clip.Decode(data, 0)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

// What phones put behind a picture, a video most of all, is passed over.
func TestBehind(t *testing.T) {
	video := slices.Concat(box("ftyp", []byte("mp42\x00\x00\x00\x00mp42")), box("moov", make([]byte, 40)), box("mdat", make([]byte, 400)))
	for _, file := range []string{"testdata/even.heic", "testdata/even.avif", "testdata/turned-1.heic"} {
		data, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		want := pixels(t, file, data)
		for name, behind := range map[string][]byte{
			"a video":            video,
			"a video in a box":   box("mpvd", video),
			"Samsung's trailer":  slices.Concat([]byte("\x00\x00\x30\x0a\x10\x00\x00\x00MotionPhoto_Data"), video, []byte("SEFHj\x00\x00\x00\x01\x00\x00\x00SEFT")),
			"a trailer of text":  []byte("\xff\xff\xff\xffSEFH and more"),
			"zeros":              make([]byte, 4096),
			"less than a header": {0, 0, 0},
		} {
			got := pixels(t, file+", "+name, append(slices.Clone(data), behind...))
			if got.Width != want.Width || got.Height != want.Height || !bytes.Equal(got.RGB(), want.RGB()) {
				t.Errorf("%s with %s behind it: other pixels", file, name)
			}
		}
		for n := range data { // whatever is cut off, nothing breaks
			still(data[:n])
		}
	}
}

// find returns the contents of a box within the contents of others.
func find(t *testing.T, data []byte, path ...string) []byte {
	t.Helper()
	for _, kind := range path {
		found := false
		for at := 0; len(data)-at >= 8 && !found; {
			n := int(binary.BigEndian.Uint32(data[at:]))
			if n < 8 || n > len(data)-at {
				t.Fatalf("a box of %d bytes", n)
			}
			if found = string(data[at+4:at+8]) == kind; found {
				data = data[at+8 : at+n]
				if kind == "meta" {
					data = data[4:]
				}
			}
			at += n
		}
		if !found {
			t.Fatalf("no box %s", kind)
		}
	}
	return data
}

// A picture as a phone of Apple's stores it: tiles in a grid, which is turned, beside a
// thumbnail, a map of depth, and EXIF data that name the same turn.
func TestGridOfTiles(t *testing.T) {
	read := func(path string) (data, config, item []byte) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// The first item, as heif-enc writes its place.
		number := func(at int) uint32 { return binary.BigEndian.Uint32(find(t, b, "meta", "iloc")[at:]) }
		return b, box("hvcC", find(t, b, "meta", "iprp", "ipco", "hvcC")), b[number(12)+number(18):][:number(22)]
	}
	file, config, tile := read("testdata/even.heic")
	_, other, small := read("testdata/gray.heic")
	one := pixels(t, "the tile", file)
	w, h := one.Width, one.Height
	if w%2 != 0 || h%2 != 0 {
		t.Fatal(w, h)
	}
	exif := append(u32(0), "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"...)
	const tiles, grid, thumb, depth, meta = 6, 7, 8, 9, 10 // 3 x 2 tiles, each cut at the right and below
	fullW, fullH := 3*w-4, 2*h-2
	build := func(offset int) []byte {
		item := func(id int, kind string) []byte {
			return box("infe", u32(2<<24), u16(id, 0), []byte(kind), []byte{0})
		}
		var infos, places [][]byte
		place := func(id, method, at, n int) {
			places = append(places, u16(id, method, 0, 1), u32(at, n))
		}
		var associations [][]byte
		apply := func(id int, properties ...byte) {
			associations = append(associations, u16(id), []byte{byte(len(properties))}, properties)
		}
		from := []int{}
		for id := 1; id <= tiles; id++ {
			infos = append(infos, item(id, "hvc1"))
			place(id, 0, offset, len(tile))
			apply(id, 0x81, 2)
			from = append(from, id)
		}
		infos = append(infos, item(grid, "grid"), item(thumb, "hvc1"), item(depth, "hvc1"), item(meta, "Exif"))
		place(grid, 1, 0, 8)
		place(thumb, 0, offset+len(tile), len(small))
		place(depth, 0, offset+len(tile), len(small))
		place(meta, 0, offset+len(tile)+len(small), len(exif))
		apply(grid, 3, 0x84)
		apply(thumb, 0x85, 2, 0x84)
		apply(depth, 0x85, 2, 0x86)
		ref := func(kind string, id int, to ...int) []byte {
			return box(kind, u16(id, len(to)), u16(to...))
		}
		size := func(w, h int) []byte { return box("ispe", u32(0, w, h)) }
		return slices.Concat(box("ftyp", []byte("heic\x00\x00\x00\x00mif1heic")),
			box("meta", u32(0),
				box("hdlr", u32(0, 0), []byte("pict"), make([]byte, 13)),
				box("pitm", u32(0), u16(grid)),
				box("iinf", u32(0), u16(len(infos)), slices.Concat(infos...)),
				box("iref", u32(0), ref("dimg", grid, from...), ref("thmb", thumb, grid), ref("auxl", depth, grid), ref("cdsc", meta, grid)),
				box("iprp",
					box("ipco", config, size(w, h), size(fullW, fullH), box("irot", []byte{3}), other, box("auxC", u32(0), []byte("urn:mpeg:hevc:2015:auxid:2\x00"))),
					box("ipma", u32(0, len(associations)/3), slices.Concat(associations...))),
				box("idat", []byte{0, 0, 1, 2}, u16(fullW, fullH)),
				box("iloc", u32(1<<24), []byte{0x44, 0}, u16(len(places)/2), slices.Concat(places...))),
			box("mdat", tile, small, exif))
	}
	data := build(0)
	data = build(len(data) - len(tile) - len(small) - len(exif))

	info, err := clip.Inspect(data)
	if err != nil || info.Width != fullH || info.Height != fullW {
		t.Errorf("%d x %d, %v; want %d x %d", info.Width, info.Height, err, fullH, fullW)
	}
	got := pixels(t, "the grid", data)
	if got.Width != fullH || got.Height != fullW {
		t.Fatalf("%d x %d", got.Width, got.Height)
	}
	// irot 3 is three quarters against the clock: the stored pixel (x, y) stands at (fullH-1-y, x).
	pix, want := got.RGB(), one.RGB()
	sum := 0
	for y := range fullH {
		for x := range fullW {
			g, o := pix[3*(x*fullH+fullH-1-y):], want[3*((y%h)*w+x%w):]
			for c := range 3 {
				d := int(g[c]) - int(o[c])
				sum += max(d, -d)
			}
		}
	}
	if mean := float64(sum) / float64(3*fullW*fullH); mean > 1 { // where tiles meet, chroma mixes
		t.Errorf("they differ by %.2f levels", mean)
	}
}
