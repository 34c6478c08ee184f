package clip

import (
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
	Format        string // jpg, png, webp, gif, bmp, tiff, or dng or raw for the preview of a camera's raw file
	Width, Height int    // as shown: upright
	Orientation   int    // EXIF orientation, 1 to 8; 1 is upright
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
	bigTIFF := 0 // the orientation that it says
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
		cfg, err = bmp.DecodeConfig(r)
	case "tiff":
		var t *tiffPicture
		if t, err = readTIFF(f); err == nil {
			cfg.Width, cfg.Height, info.Format = t.width, t.height, t.format
			if t.preview.n == 0 { // a kind that can't be decoded is refused at once
				err = (&tiffPixels{tiffPicture: t}).layout(f.size)
			}
			if o := t.t.int(t.dir, tagOrientation, 1); t.t.big && o >= 1 && o <= 8 {
				bigTIFF = int(o) // whose tags are not those of EXIF data
			}
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
	if x := findEXIF(format, f); x != nil {
		info.Orientation, info.Taken = x.orientation(), x.taken()
	}
	if bigTIFF > 0 {
		info.Orientation = bigTIFF
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
	case len(data) == 0:
		return "", &UnsupportedFormatError{Empty: true}
	}
	for _, f := range [...]struct {
		at          int
		magic, name string
	}{
		{4, "ftypavif", "AVIF"}, {4, "ftypavis", "AVIF"},
		{4, "ftypheic", "HEIC"}, {4, "ftypheix", "HEIC"}, {4, "ftyphevc", "HEIC"}, {4, "ftypmif1", "HEIF"}, {4, "ftypmsf1", "HEIF"},
		{4, "ftypcrx", "CR3 (raw)"}, {4, "ftyp", "MP4 (video)"}, {4, "jP  \r\n\x87\n", "JPEG 2000"}, {0, "\xff\x4f\xff\x51", "JPEG 2000"},
		{0, "\xff\x0a", "JPEG XL"}, {4, "JXL \r\n\x87\n", "JPEG XL"},
		{0, "8BPS", "PSD"}, {0, "\x00\x00\x01\x00", "ICO"}, {0, "%PDF", "PDF"}, {0, "<svg", "SVG"}, {0, "<?xml", "XML"},
		{0, "P4\n", "PBM"}, {0, "P5\n", "PGM"}, {0, "P6\n", "PPM"}, {0, "P5 ", "PGM"}, {0, "P6 ", "PPM"}, {0, "FUJIFILMCCD-RAW", "RAF (raw)"}, {0, "IIU\x00", "RW2 (raw)"}, {0, "IIRO", "ORF (raw)"}, {0, "IIRS", "ORF (raw)"}, {0, "MMOR", "ORF (raw)"}, {0, "FOVb", "X3F (raw)"}, {0, "\x00MRM", "MRW (raw)"},
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
