package clip

import (
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"io"
	"time"

	"golang.org/x/image/bmp"

	"github.com/lupadb/lupa/encoder/clip/internal/jpeg"
)

// Info is what the header of a picture file tells.
type Info struct {
	Format        string // jpg, png, webp, heic, avif, jxl, gif, bmp, pnm, tiff, or dng or raw for the preview of a camera's raw file
	Width, Height int    // as shown: upright
	Orientation   int    // EXIF orientation, 1 to 8; 1 is upright. Of heic, avif and jxl that which the file itself tells
	Taken         time.Time
	// Taken is what the camera's clock showed, as a time in UTC: local time where
	// the picture was taken, whether or not the file says how far that is from
	// UTC. It is zero if the file does not tell.
}

// Inspect reads the header of a file in memory, without decoding pixels. It says
// what Decode goes by.
func Inspect(data []byte) (Info, error) { return inspect(memory(data)) }

// InspectFile reads the header of a file of size bytes, wherever in it the parts
// of the header are.
func InspectFile(r io.ReaderAt, size int64) (Info, error) { return inspect(newFile(r, size)) }

func inspect(f *file) (Info, error) {
	format, err := sniff(f.bytes(0, 64))
	if err != nil {
		return Info{}, err
	}
	info := Info{Format: format, Orientation: 1}
	var cfg image.Config
	turned := 0 // how the file itself says that the picture is turned, beside EXIF data
	switch r := f.reader(); format {
	case "jpg":
		var h jpeg.Header
		h, err = jpegHeader(f)
		cfg.Width, cfg.Height = h.Width, h.Height
	case "png":
		cfg, err = png.DecodeConfig(r)
	case "gif":
		cfg, err = gif.DecodeConfig(r)
	case "bmp":
		if cfg, err = bmp.DecodeConfig(r); errors.Is(err, bmp.ErrUnsupported) {
			var b oldBMP
			b, err = readBMP(f.bytes(0, bmpHead))
			cfg.Width, cfg.Height = b.width, b.height
		}
	case "pnm":
		var p pnm
		p, err = readPNM(f.bytes(0, fileBlock))
		cfg.Width, cfg.Height = p.width, p.height
	case "tiff":
		var t *tiffPicture
		if t, err = readTIFF(f); err == nil {
			cfg.Width, cfg.Height, info.Format = t.width, t.height, t.format
			if t.preview.n == 0 { // a kind that can't be decoded is refused at once
				err = (&tiffPixels{tiffPicture: t}).layout(f.size)
			}
			if o := t.t.int(t.dir, tagOrientation, 1); t.t.big && o >= 1 && o <= 8 {
				turned = int(o) // whose tags are not those of EXIF data
			}
		}
	case "heif":
		var h HEIF
		if h, err = parseHEIF(f); err == nil {
			info.Format, cfg.Width, cfg.Height, turned = h.Format, h.Width, h.Height, h.Orientation
		}
	case "jxl":
		var j jxl
		if j, err = parseJXL(f); err == nil {
			cfg.Width, cfg.Height, turned = j.width, j.height, j.orientation
		}
	case "webp":
		var w webpFile
		if w, err = parseWebP(f); err == nil {
			cfg.Width, cfg.Height, err = w.size(f)
		}
	}
	if err != nil {
		return Info{}, explain(format, err)
	}
	if info.Width, info.Height = cfg.Width, cfg.Height; info.Width <= 0 || info.Height <= 0 {
		return Info{}, fmt.Errorf("damaged %s: %d x %d pixels", format, info.Width, info.Height)
	}
	x := findEXIF(format, f)
	if x != nil {
		info.Orientation, info.Taken = x.orientation(), x.taken()
	}
	if info.Taken.IsZero() {
		info.Taken = xmpTaken(findXMP(format, f, x))
	}
	if x != nil && info.Taken.IsZero() {
		info.Taken = x.changed()
	}
	if turned > 0 {
		info.Orientation = turned
	}
	if info.Orientation >= 5 {
		info.Width, info.Height = info.Height, info.Width
	}
	return info, nil
}

// sniff tells the format by the first bytes.
func sniff(data []byte) (string, error) {
	has := func(at int, s string) bool { return len(data) >= at+len(s) && string(data[at:at+len(s)]) == s }
	switch {
	case has(0, "\xff\xd8"):
		return "jpg", nil
	case has(0, "\x89PNG\r\n\x1a\n"):
		return "png", nil
	case has(0, "RIFF") && has(8, "WEBP"):
		return "webp", nil
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return "gif", nil
	case has(0, "BM") && len(data) >= 18 && data[6] == 0 && data[7] == 0:
		return "bmp", nil
	case has(0, "II*\x00"), has(0, "MM\x00*"), has(0, "II+\x00\x08"), has(0, "MM\x00+\x00\x08"):
		return "tiff", nil
	case len(data) > 2 && data[0] == 'P' && data[1] >= '1' && data[1] <= '7' && (data[2] == ' ' || data[2] == '\n' || data[2] == '\t' || data[2] == '\r' || data[2] == '#'):
		return "pnm", nil
	case heifBrand(data):
		return "heif", nil
	case isJXL(data):
		return "jxl", nil
	case len(data) == 0:
		return "", &UnsupportedFormatError{Empty: true}
	}
	for _, f := range [...]struct {
		at          int
		magic, name string
	}{
		{4, "ftypcrx", "CR3 (raw)"}, {4, "ftyp", "MP4 (video)"}, {4, "jP  \r\n\x87\n", "JPEG 2000"}, {0, "\xff\x4f\xff\x51", "JPEG 2000"},
		{0, "8BPS", "PSD"}, {0, "\x00\x00\x01\x00", "ICO"}, {0, "%PDF", "PDF"}, {0, "<svg", "SVG"}, {0, "<?xml", "SVG, or XML of another kind"},
		{0, "FUJIFILMCCD-RAW", "RAF (raw)"}, {0, "IIU\x00", "RW2 (raw)"}, {0, "IIRO", "ORF (raw)"}, {0, "IIRS", "ORF (raw)"}, {0, "MMOR", "ORF (raw)"}, {0, "FOVb", "X3F (raw)"}, {0, "\x00MRM", "MRW (raw)"},
		{0, "<!DOCTYPE", "HTML"}, {0, "<html", "HTML"}, {0, "<!doctype", "HTML"}, {0, "qoif", "QOI"}, {0, "PK\x03\x04", "ZIP"}, {0, "version https://git-lfs", "Git LFS pointer"},
	} {
		if has(f.at, f.magic) {
			return "", &UnsupportedFormatError{Format: f.name}
		}
	}
	return "", &UnsupportedFormatError{}
}

// String returns "jpg, 640 x 480".
func (i Info) String() string { return fmt.Sprintf("%s, %d x %d", i.Format, i.Width, i.Height) }
