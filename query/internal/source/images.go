package source

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lupadb/lupa/encoder/clip"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/storage/value"
)

// imageExts are the endings of picture files: of those that can be read, and of
// those that are pictures all the same, which images() lists with the reason why
// they can't. The last lines are cameras' raw files.
var imageExts = func() map[string]bool {
	m := map[string]bool{}
	for _, e := range strings.Fields(`
		jpg jpeg jpe jfif jif jfi png apng webp gif bmp dib tif tiff
		heic heif hif avif jxl jp2 j2k jpf jpx psd svg ico tga pcx ppm pgm pbm pnm pam qoi exr hdr xcf dds
		dng cr2 cr3 crw nef nrw arw srf sr2 orf rw2 raf pef srw raw rwl x3f 3fr fff iiq erf mrw kdc dcr mos gpr`) {
		m["."+e] = true
	}
	return m
}()

// Positions of the columns of images().
const (
	imagePath = iota
	imageWidth
	imageHeight
	imageBytes
	imageTaken
	imageFormat
	imageModified
	imageError // those from here on are there when asked for by name
	imageOrientation
	imageCamera
	imageLens
	imageISO
	imageFocalLength
	imageLatitude
	imageLongitude
	imageOffset
	imageRating
	imageKeywords
	imageHash
)

// imageColumns are the columns of images(). One is the reason why a picture's header can't
// be read, in which case all but path, bytes, modified and hash are NULL.
func imageColumns() []Column {
	return []Column{
		{"path", value.Type{Kind: value.Text}},
		{"width", value.Type{Kind: value.Integer}},
		{"height", value.Type{Kind: value.Integer}},
		{ImageBytes, value.Type{Kind: value.Integer}},
		{"taken", value.Type{Kind: value.Timestamp}},
		{"format", value.Type{Kind: value.Text}},
		{ImageModified, value.Type{Kind: value.Timestamp}},
		{ImageError, value.Type{Kind: value.Text}},
		{"orientation", value.Type{Kind: value.Integer}},
		{"camera", value.Type{Kind: value.Text}},
		{"lens", value.Type{Kind: value.Text}},
		{"iso", value.Type{Kind: value.Integer}},
		{"focal_length", value.Type{Kind: value.Real}},
		{"latitude", value.Type{Kind: value.Real}},
		{"longitude", value.Type{Kind: value.Real}},
		{"taken_offset", value.Type{Kind: value.Integer}},
		{"rating", value.Type{Kind: value.Integer}},
		{"keywords", value.Type{Kind: value.JSON}},
		{"hash", value.Type{Kind: value.Text}},
	}
}

// ImageBytes and ImageModified are the names of the columns of images() with the
// size of a picture's file and the time when it was last written to.
const (
	ImageBytes    = "bytes"
	ImageModified = "modified"
)

// ImageHidden reports whether a column of images() is there only when asked for by name:
// what only some files tell, and what takes reading all of a file.
func ImageHidden(name string) bool {
	i := slices.IndexFunc(imageColumns(), func(c Column) bool { return c.Name == name })
	return i >= imageError
}

// ImageError is the name of the column of images() that says what is wrong with
// a picture, NULL if nothing is.
const ImageError = "error"

// imageBatch is how many pictures are looked at before a batch is handed on.
const imageBatch = 256

// Pictures are the picture files that a pattern of images() stands for.
type Pictures struct {
	found
	workers int
	pixels  int
}

// FindPictures looks for the picture files a pattern matches: * within a name,
// ** any directories, {a,b} either. A directory stands for all pictures below it. Only
// files with a picture's ending count, and no hidden ones unless the pattern
// says so.
func FindPictures(ctx context.Context, pattern string, o Options) (*Pictures, error) {
	f, err := findFiles(ctx, pattern, o.Exclude, func(name string) string {
		ext := strings.ToLower(filepath.Ext(name))
		switch {
		case imageExts[ext]:
			return ""
		case ext == "" || ext == ".":
			return "without an ending"
		}
		return ext
	})
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	if f.pattern && len(f.paths)+len(f.skipped)+len(f.failed) == 0 {
		err := &worded{"nothing matches " + pattern, fs.ErrNotExist}
		if wd, e := os.Getwd(); e == nil && !filepath.IsAbs(pattern) {
			err.msg += " in " + wd
		}
		return nil, fmt.Errorf("images: %w", err)
	}
	p := &Pictures{*f, o.Workers, cmp.Or(o.Pixels, clip.DefaultMaxPixels)}
	if p.workers <= 0 {
		p.workers = runtime.GOMAXPROCS(0)
	}
	return p, nil
}

// PicturesOptions checks the options of images().
func PicturesOptions(opts []Option) (Options, error) {
	var o Options
	known := []string{"exclude", "fast", "max_pixels"}
	for _, opt := range opts {
		switch strings.ToLower(opt.Name) {
		case "exclude": // may be given more than once
			p, err := optText(opt)
			if err != nil {
				return o, err
			}
			o.Exclude = append(o.Exclude, p)
		case "fast":
			o.Fast = true
			if opt.HasValue {
				if opt.Value.Kind() != value.Boolean {
					return o, fmt.Errorf("option FAST is true or false, not %v", opt.Value)
				}
				o.Fast = opt.Value.Bool()
			}
		case "max_pixels":
			if opt.Value.Kind() != value.Integer || opt.Value.Int() < 1 || opt.Value.Int() > 1<<40 {
				return o, fmt.Errorf("option MAX_PIXELS is a number of pixels, such as 400000000, not %v", opt.Value)
			}
			o.Pixels = int(opt.Value.Int())
		default:
			return o, fmt.Errorf("no option %q for images%s; there are %s", opt.Name, hint.DidYouMean(strings.ToLower(opt.Name), known), strings.Join(known, ", "))
		}
	}
	return o, nil
}

// Len is the number of pictures.
func (p *Pictures) Len() int { return len(p.paths) }

// Skipped counts the files that were left out, by kind: an ending such as
// ".mov", "hidden", "excluded", "FIFO".
func (p *Pictures) Skipped() map[string]int64 { return p.skipped }

// Failed tells of directories that could not be read.
func (p *Pictures) Failed() []error { return p.failed }

// Open returns a reader of the pictures.
func (p *Pictures) Open() Reader {
	r := &imagesReader{paths: p.paths, workers: p.workers, pixels: p.pixels}
	all := make([]int, len(imageColumns()))
	for i := range all {
		all[i] = i
	}
	r.Project(all, nil)
	return r
}

// imagesReader lists picture files, in the order of their paths.
type imagesReader struct {
	paths   []string
	next    int
	workers int
	pixels  int // the most that a picture may have
	cols    []Column
	pick    []int
	batch   *value.Batch
}

func (r *imagesReader) Columns() []Column { return r.cols }
func (r *imagesReader) Rows() int64       { return int64(len(r.paths)) }
func (r *imagesReader) Close() error      { return nil }

func (r *imagesReader) Progress() (done, total int64) { return int64(r.next), int64(len(r.paths)) }

func (r *imagesReader) Project(cols []int, _ []value.Type) error {
	out, err := Project(imageColumns(), cols)
	if err != nil {
		return err
	}
	r.cols, r.pick, r.batch = out, slices.Clone(cols), NewBatch(out)
	return nil
}

// picture is a row of images().
type picture struct {
	info     clip.Info
	about    clip.Metadata
	hash     string
	bytes    int64
	modified time.Time
	err      error
}

func (r *imagesReader) Next(ctx context.Context) (*value.Batch, error) {
	if r.next == len(r.paths) {
		return nil, ctx.Err()
	}
	paths := r.paths[r.next:min(len(r.paths), r.next+imageBatch)]
	found := make([]picture, len(paths))
	want := wanted{
		header:   slices.ContainsFunc(r.pick, func(c int) bool { return c != imagePath && c != imageBytes && c != imageModified && c != imageHash }),
		metadata: slices.ContainsFunc(r.pick, func(c int) bool { return c >= imageCamera && c <= imageKeywords }),
		hash:     slices.Contains(r.pick, imageHash),
		pixels:   r.pixels,
	}
	if want.header || slices.ContainsFunc(r.pick, func(c int) bool { return c != imagePath }) {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(r.workers)
		for i, path := range paths {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				found[i] = inspect(path, want)
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ResetBatch(r.batch)
	for i, path := range paths {
		for k, c := range r.pick {
			r.batch.Cols[k].Append(i, found[i].column(c, path))
		}
	}
	r.batch.Len = len(paths)
	r.next += len(paths)
	return r.batch, nil
}

func (p *picture) column(c int, path string) value.Value {
	switch {
	case c == imagePath:
		return value.Str(path)
	case c == imageBytes:
		return value.Int(p.bytes)
	case c == imageModified:
		return timestamp(p.modified)
	case c == imageError:
		if p.err != nil {
			return value.Str(p.err.Error())
		}
		return value.Value{}
	case c == imageHash:
		return text(p.hash)
	case p.err != nil:
		return value.Value{}
	case c >= imageOrientation:
		return p.told(c)
	case c == imageWidth:
		return value.Int(int64(p.info.Width))
	case c == imageHeight:
		return value.Int(int64(p.info.Height))
	case c == imageTaken:
		return timestamp(p.info.Taken)
	}
	return value.Str(p.info.Format)
}

// told returns what only some files tell.
func (p *picture) told(c int) value.Value {
	m := &p.about
	switch c {
	case imageOrientation:
		return value.Int(int64(p.info.Orientation))
	case imageCamera:
		return text(m.Camera)
	case imageLens:
		return text(m.Lens)
	case imageISO:
		return integer(m.ISO)
	case imageFocalLength:
		return number(m.FocalLength)
	case imageLatitude:
		return number(m.Latitude)
	case imageLongitude:
		return number(m.Longitude)
	case imageOffset:
		return integer(m.Offset)
	case imageRating:
		return integer(m.Rating)
	case imageKeywords:
		if len(m.Keywords) > 0 {
			var b strings.Builder
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			if e.Encode(m.Keywords) == nil {
				if v, err := value.Parse(value.Type{Kind: value.JSON}, strings.TrimSpace(b.String())); err == nil {
					return v
				}
			}
		}
	}
	return value.Value{}
}

// text, integer and number are NULL for what is not told.
func text(s string) value.Value {
	if s == "" {
		return value.Value{}
	}
	return value.Str(s)
}

func integer(n *int) value.Value {
	if n == nil {
		return value.Value{}
	}
	return value.Int(int64(*n))
}

func number(n *float64) value.Value {
	if n == nil {
		return value.Value{}
	}
	return value.Float(*n)
}

// timestamp is NULL for no time, and for one that a TIMESTAMP can't hold.
func timestamp(t time.Time) value.Value {
	if us := t.UnixMicro(); !t.IsZero() && us >= value.MinTimestamp && us <= value.MaxTimestamp {
		return value.Micros(us)
	}
	return value.Value{}
}

// wanted is what of a file is to be read.
type wanted struct {
	header, metadata, hash bool
	pixels                 int // the most that a picture may have
}

// inspect reads a picture's header.
func inspect(path string, want wanted) (p picture) {
	f, st, err := OpenRegular(path)
	if err != nil {
		p.err = err
		return p
	}
	defer f.Close()
	p.bytes, p.modified = st.Size(), st.ModTime()
	if want.hash {
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(f, 0, p.bytes)); err != nil {
			p.err = err
			return p
		}
		p.hash = hex.EncodeToString(sum.Sum(nil))
	}
	if want.header {
		p.info, p.err = clip.InspectFile(f, p.bytes)
		if i := p.info; p.err == nil && i.Width > want.pixels/i.Height {
			p.err = &clip.TooLargeError{Width: i.Width, Height: i.Height, MaxPixels: want.pixels}
		}
		if want.metadata && p.err == nil {
			p.about = clip.InspectMetadata(f, p.bytes)
		}
	}
	return p
}
