package source

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/storage/value"
)

// Column is a column of a file.
type Column struct {
	Name string
	Type value.Type
}

// Reader yields the rows of a file, batch by batch. It is not safe for
// concurrent use.
type Reader interface {
	// Columns are known once the file is open.
	Columns() []Column

	// Project makes the reader yield just the file's columns with the numbers
	// cols, in that order. It is called before the first Next. types, one for
	// each of cols or nil, are what the caller is after: readers of text formats
	// convert to them and report what doesn't fit with file and line; a type of
	// kind NULL is the reader's choice, as are all types for other formats.
	// Afterwards Columns tells what will come.
	Project(cols []int, types []value.Type) error

	// Next returns the next rows, nil at the end. The batch is valid until the
	// following call.
	Next(ctx context.Context) (*value.Batch, error)

	// Rows is the number of rows there will be in all, or -1 where only reading
	// tells.
	Rows() int64

	// Progress is how much has been read, and of how much in all, in bytes (of
	// images(): in files). total is 0 if unknown.
	Progress() (done, total int64)

	Close() error
}

// Named reports whether the columns of a reader have names that the file gives them, so
// that they can be found by name; else they are known by their order.
func Named(r Reader) bool {
	n, ok := r.(interface{ Named() bool })
	return ok && n.Named()
}

// Unread tells, once all rows were read, what a reader left out that only reading showed: a sentence
// for each file.
func Unread(r Reader) []string {
	if u, ok := r.(interface{ Unread() []string }); ok {
		return u.Unread()
	}
	return nil
}

// Writer writes a file of its own format. Nothing is to be seen at the file's
// place before Close: a file that was there is replaced as a whole or not at
// all. One of Close and Abort has to be called. It is not safe for concurrent use.
type Writer interface {
	// Write adds the rows of the batch's selection.
	Write(ctx context.Context, b *value.Batch) error
	// Close finishes the file and puts it in place. If it fails, nothing is there.
	Close() error
	// Abort leaves nothing behind. After Close it does nothing.
	Abort()
}

// fileFormat is one entry of the table of formats.
type fileFormat struct {
	name    string
	exts    []string
	options []string // of reading
	exports []string // options of writing
	open    func(path string, o Options) (Reader, error)
	create  func(path string, cols []Column, o Options) (Writer, error)
}

// parquet is the format that only programs that ask for it have: see RegisterParquet.
var parquet = fileFormat{
	open:   func(string, Options) (Reader, error) { return nil, errNoParquet },
	create: func(string, []Column, Options) (Writer, error) { return nil, errNoParquet },
}

var errNoParquet = errors.New(`this program was built without Parquet; import _ "github.com/lupadb/lupa/db/parquet" in it`)

// RegisterParquet makes the program read and write Parquet files. It is called from init
// functions: a seventh of an embedding program would be the library for them.
func RegisterParquet(open func(path string, o Options) (Reader, error), create func(path string, cols []Column, o Options) (Writer, error)) {
	parquet.open, parquet.create = open, create
}

// formats is the table: add a format here.
func formats() []fileFormat {
	csv := []string{"header", "delimiter", "null", "quote"}
	member := []string{"member"}
	return []fileFormat{
		{name: "npy", exts: []string{".npy", ".npz"}, options: member, open: openNPY, create: createNPY},
		{name: "csv", exts: []string{".csv"}, options: csv, exports: csv, open: openCSV, create: createCSV},
		{name: "tsv", exts: []string{".tsv", ".tab"}, options: csv, exports: csv, open: openCSV, create: createCSV},
		{name: "jsonl", exts: []string{".jsonl", ".ndjson", ".json"}, open: openJSONL, create: createJSONL},
		{name: "parquet", exts: []string{".parquet", ".pq"}, open: parquet.open, create: parquet.create},
		{name: "fvecs", exts: []string{".fvecs", ".bvecs", ".ivecs"}, open: openFvecs},
		{name: "hdf5", exts: []string{".hdf5", ".h5"}, options: member, open: openHDF5},
		{name: "safetensors", exts: []string{".safetensors"}, options: member, open: openSafetensors},
		{name: "html", exts: []string{".html", ".htm"}, exports: []string{"title", "image", "link", "credit", "thumbnail"}, create: createGallery},
	}
}

// Formats returns the names of the formats that can be read, or with export of
// those that can be written.
func Formats(export bool) []string {
	var names []string
	for _, f := range formats() {
		if export && f.create != nil || !export && f.open != nil {
			names = append(names, f.name)
		}
	}
	return names
}

// find returns the format of that name; gallery is another name of html.
func find(name string) (fileFormat, error) {
	name = strings.ToLower(name)
	if name == "gallery" {
		name = "html"
	}
	var names []string
	for _, f := range formats() {
		if f.name == name {
			return f, nil
		}
		names = append(names, f.name)
	}
	return fileFormat{}, fmt.Errorf("no format %q%s; there are %s", name, hint.DidYouMean(name, names), strings.Join(names, ", "))
}

// FormatOf returns the format that a file's ending stands for, or for a pattern whose ending says
// nothing that of the first file that matches.
func FormatOf(path string) (string, error) {
	name, err := formatOf(path)
	if err != nil && strings.ContainsAny(path, "*?[{") {
		if found, ferr := expand(path); ferr == nil && found[0] != path {
			return formatOf(found[0])
		}
	}
	return name, err
}

func formatOf(path string) (string, error) {
	ext := strings.ToLower(filepath.Ext(path))
	inner := strings.ToLower(filepath.Ext(uncompressed(path)))
	for _, f := range formats() {
		for _, e := range f.exts {
			if inner != ext && inner == e {
				switch f.name {
				case "csv", "tsv", "jsonl":
					return f.name, nil
				}
				return "", fmt.Errorf("%s: a compressed %s file can't be read; decompress it first (csv, tsv and jsonl may be compressed)", path, f.name)
			}
			if ext == e || f.name == "tsv" && strings.HasPrefix(ext, ".tsv0") { // numbered parts of an export
				return f.name, nil
			}
		}
	}
	return "", fmt.Errorf("%s: the ending does not tell the format; write (FORMAT ...) with one of %s; html to write a gallery", path, strings.Join(Formats(false), ", "))
}

// Open opens a file for reading, or all that a pattern stands for, one after the other.
// format may be empty: the ending decides.
func Open(path, format string, o Options) (Reader, error) {
	return OpenAll([]string{path}, format, o)
}

// OpenAll opens several files or patterns, which are read one after the other.
func OpenAll(list []string, format string, o Options) (Reader, error) {
	path := list[0]
	f, err := pick(path, format)
	if err != nil {
		return nil, err
	}
	if f.open == nil {
		return nil, fmt.Errorf("%s: %s files can't be read, only written; readable are %s", path, f.name, strings.Join(Formats(false), ", "))
	}
	o.format = f.name
	var paths []string
	for _, p := range list {
		some, err := expand(p)
		if err != nil {
			return nil, err
		}
		paths = append(paths, some...)
	}
	open := func(p string) (Reader, error) {
		r, err := f.open(p, o)
		if err != nil {
			err = notA(f.name, p, err)
		}
		return r, err
	}
	if len(paths) == 1 {
		return open(paths[0])
	}
	return openAll(paths, open)
}

// Create begins a file. format may be empty: the ending decides.
func Create(path, format string, cols []Column, o Options) (Writer, error) {
	f, err := pick(path, format)
	if err != nil {
		return nil, err
	}
	if f.create == nil {
		return nil, fmt.Errorf("%s: %s files can't be written, only read; writable are %s", path, f.name, strings.Join(Formats(true), ", "))
	}
	if len(cols) == 0 {
		return nil, fmt.Errorf("%s: there is no column to write", path)
	}
	o.format = f.name
	return f.create(path, cols, o)
}

func pick(path, name string) (fileFormat, error) {
	if name == "" {
		var err error
		if name, err = FormatOf(path); err != nil {
			return fileFormat{}, err
		}
	}
	return find(name)
}

// baseName is the name of a file without directory and ending: the column name of
// formats that have none.
func baseName(path string) string {
	b := filepath.Base(path)
	return strings.TrimSuffix(b, filepath.Ext(b))
}

// Project is the part of Project that all readers share: it checks cols and
// returns the projected columns.
func Project(all []Column, cols []int) ([]Column, error) {
	out := make([]Column, len(cols))
	for i, c := range cols {
		if c < 0 || c >= len(all) {
			return nil, fmt.Errorf("there is no column %d, only %d", c+1, len(all))
		}
		out[i] = all[c]
	}
	return out, nil
}

// NewBatch returns an empty batch with columns of the given types.
func NewBatch(cols []Column) *value.Batch {
	b := &value.Batch{}
	for _, c := range cols {
		b.Cols = append(b.Cols, &value.Column{Type: c.Type})
	}
	return b
}

// ResetBatch empties a batch, keeping its memory.
func ResetBatch(b *value.Batch) {
	b.Len, b.Sel, b.Rows = 0, nil, nil
	for _, c := range b.Cols {
		c.Reset(c.Type)
	}
}
