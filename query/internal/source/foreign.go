package source

import (
	"bytes"
	"fmt"
	"os"
	"unicode/utf8"
)

// fileKind is a kind of file that is known by how it begins.
type fileKind struct {
	magic  string
	is     string // what it is
	hint   string // what to do with it
	format string // of those that are read, if it is one
}

var kindsOfFiles = []fileKind{
	{"PAR1", "a Parquet file", "use read_parquet or (FORMAT parquet)", "parquet"},
	{"\x93NUMPY", "an array of numpy", "use read_npy or (FORMAT npy)", "npy"},
	{"\x89HDF\r\n\x1a\n", "an HDF5 file", "use read_hdf5 or (FORMAT hdf5)", "hdf5"},
	{"CDF\x01", "a NetCDF file", "save its arrays as .npy (numpy.save)", ""},
	{"ARROW1", "an Arrow file (Feather)", "save it as Parquet (python: pyarrow.parquet.write_table(pyarrow.feather.read_table('x.feather'), 'x.parquet'))", ""},
	{"ORC", "an ORC file", "save it as Parquet", ""},
	{"Obj\x01", "an Avro file", "save it as Parquet", ""},
	{"SQLite format 3\x00", "an SQLite store", "export a table (sqlite3 -csv -header x.db 'SELECT * FROM t')", ""},
	{"PK\x03\x04", "a zip archive, as .xlsx, .npz and .pt files are", "unpack it, or save the sheet as csv", "npy"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file", "save the sheet as csv", ""},
	{"\xfd7zXZ\x00", "compressed by xz", "decompress it first (xz -d)", ""},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first", ""},
	{"Rar!\x1a\x07", "a rar archive", "unpack it first", ""},
	{"\x80\x04\x95", "a pickle of Python", "save numbers as .npy (numpy.save), tables as Parquet", ""},
	{"\x80\x05\x95", "a pickle of Python", "save numbers as .npy (numpy.save), tables as Parquet", ""},
	{"%PDF-", "a PDF file", "save its table as csv", ""},
	{"\x89PNG\r\n\x1a\n", "a picture", "use images()", ""},
	{"\xff\xd8\xff", "a picture", "use images()", ""},
	{"GIF8", "a picture", "use images()", ""},
}

// foreign says what a file is that begins with head, nil if that is not known.
func foreign(head []byte) *fileKind {
	for i, k := range kindsOfFiles {
		if !bytes.HasPrefix(head, []byte(k.magic)) {
			continue
		}
		// Where the mark is of letters, a text may begin so.
		if bytes.ContainsFunc(head, control) || k.magic[0] >= utf8.RuneSelf {
			return &kindsOfFiles[i]
		}
	}
	return nil
}

// control reports whether a character is in no text.
func control(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }

// headSize is how much of a file tells what it is.
const headSize = 64

// notA says what a file is that can't be read as a format, if that is known, and else what
// reading it said.
func notA(format, path string, err error) error {
	f, _, oerr := OpenRegular(path)
	if oerr != nil {
		return err
	}
	defer f.Close()
	if e := foreignFile(f, format, path); e != nil {
		return e
	}
	return err
}

// foreignFile is an error that says what a file is, nil where that is not known.
func foreignFile(f *os.File, format, path string) error {
	head := make([]byte, headSize)
	n, _ := f.ReadAt(head, 0)
	k := foreign(head[:n])
	if k == nil || k.format == format {
		return nil
	}
	return fmt.Errorf("%s is not a %s file but %s: %s", path, format, k.is, k.hint)
}
