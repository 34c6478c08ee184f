package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"

	"github.com/lupadb/lupa/encoder/clip"
	"github.com/lupadb/lupa/storage/value"
)

// imageExts are the endings of picture files.
var imageExts = []string{".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}

// Positions of the columns of images().
const (
	imagePath = iota
	imageWidth
	imageHeight
	imageBytes
	imageTaken
	imageFormat
	imageModified
	imageError
)

// imageColumns are the columns of images(); the last one is the reason why a
// picture's header can't be read, in which case all but path, bytes and modified
// are NULL.
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
	}
}

// ImageBytes and ImageModified are the names of the columns of images() with the
// size of a picture's file and the time when it was last written to.
const (
	ImageBytes    = "bytes"
	ImageModified = "modified"
)

// ImageError is the name of the column of images() that says what is wrong with
// a picture, NULL if nothing is.
const ImageError = "error"

// imageBatch is how many pictures are looked at before a batch is handed on.
const imageBatch = 256

// imagesReader lists picture files, in the order of their paths.
type imagesReader struct {
	paths   []string
	next    int
	workers int
	cols    []Column
	pick    []int
	batch   *value.Batch
}

// Images returns the picture files a pattern matches: * within a name, ** any
// folders, {a,b} either. A folder stands for all pictures below it. Only files
// with a picture's ending count, and no hidden ones unless the pattern says so.
func Images(pattern string, o Options) (Reader, error) {
	if !doublestar.ValidatePathPattern(pattern) {
		return nil, fmt.Errorf("images: %s is not a valid pattern; * matches within a name, ** any folders, {jpg,png} either", value.Quote(pattern))
	}
	if st, err := os.Stat(pattern); err == nil && st.IsDir() {
		pattern = filepath.Join(escapePattern(pattern), "**")
	}
	base, rest := doublestar.SplitPattern(filepath.ToSlash(pattern))
	if _, err := os.Stat(filepath.FromSlash(base)); err != nil {
		return nil, fmt.Errorf("images: %w", folderError(base, err))
	}
	opts := []doublestar.GlobOption{doublestar.WithFilesOnly()}
	if !strings.HasPrefix(rest, ".") && !strings.Contains(rest, "/.") {
		opts = append(opts, doublestar.WithNoHidden())
	}
	paths, err := doublestar.FilepathGlob(pattern, opts...)
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	paths = slices.DeleteFunc(paths, func(p string) bool {
		return !slices.Contains(imageExts, strings.ToLower(filepath.Ext(p)))
	})
	slices.Sort(paths)
	r := &imagesReader{paths: slices.Compact(paths), workers: o.Workers}
	if r.workers <= 0 {
		r.workers = runtime.GOMAXPROCS(0)
	}
	return r, r.Project([]int{imagePath, imageWidth, imageHeight, imageBytes, imageTaken, imageFormat, imageModified, imageError}, nil)
}

// escapePattern takes away the meaning that characters of a real path have in a
// pattern.
func escapePattern(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `{`, `\{`).Replace(path)
}

func folderError(dir string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if wd, e := os.Getwd(); e == nil && !filepath.IsAbs(dir) {
			return &worded{fmt.Sprintf("no folder %s in %s", dir, wd), fs.ErrNotExist}
		}
		return &worded{"no folder " + dir, fs.ErrNotExist}
	}
	return err
}

func (r *imagesReader) Columns() []Column { return r.cols }
func (r *imagesReader) Rows() int64       { return int64(len(r.paths)) }
func (r *imagesReader) Close() error      { return nil }

func (r *imagesReader) Progress() (done, total int64) { return int64(r.next), int64(len(r.paths)) }

func (r *imagesReader) Project(cols []int, _ []value.Type) error {
	out, err := project(imageColumns(), cols)
	if err != nil {
		return err
	}
	r.cols, r.pick, r.batch = out, slices.Clone(cols), newBatch(out)
	return nil
}

// picture is a row of images().
type picture struct {
	info     clip.Info
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
	headers := slices.ContainsFunc(r.pick, func(c int) bool { return c != imagePath && c != imageBytes && c != imageModified })
	if headers || slices.ContainsFunc(r.pick, func(c int) bool { return c != imagePath }) {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(r.workers)
		for i, path := range paths {
			g.Go(func() error {
				found[i] = inspect(path, headers)
				return ctx.Err()
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	reset(r.batch)
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
	case p.err != nil:
		return value.Value{}
	case c == imageWidth:
		return value.Int(int64(p.info.Width))
	case c == imageHeight:
		return value.Int(int64(p.info.Height))
	case c == imageTaken:
		return timestamp(p.info.Taken)
	}
	return value.Str(p.info.Format)
}

// timestamp is NULL for no time, and for one that a TIMESTAMP can't hold.
func timestamp(t time.Time) value.Value {
	if us := t.UnixMicro(); !t.IsZero() && us >= value.MinTimestamp && us <= value.MaxTimestamp {
		return value.Micros(us)
	}
	return value.Value{}
}

// headerBytes is enough for the header of nearly every picture.
const headerBytes = 256 << 10

// maxPicture is the largest file that is read as a whole in search of a header.
const maxPicture = 256 << 20

// inspect reads a picture's header.
func inspect(path string, header bool) (p picture) {
	f, err := os.Open(path)
	if err != nil {
		p.err = fileError(path, err)
		return p
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil {
		p.bytes, p.modified = st.Size(), st.ModTime()
	}
	if !header {
		return p
	}
	head, err := io.ReadAll(io.LimitReader(f, headerBytes))
	if err == nil {
		if p.info, p.err = clip.Inspect(head); p.err == nil || p.bytes <= int64(len(head)) || p.bytes > maxPicture {
			return p
		}
		var rest []byte
		if rest, err = io.ReadAll(io.LimitReader(f, maxPicture)); err == nil {
			p.info, p.err = clip.Inspect(append(head, rest...))
		}
	}
	if err != nil {
		p.err = err
	}
	return p
}
