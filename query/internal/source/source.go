// Package source reads and writes the files of COPY and of the table functions:
// one file of Go a format. Readers and writers work in batches and in bounded
// memory; their errors name the file and the line or row.
package source

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// Column is a column a reader yields.
type Column struct {
	Name string
	Type value.Type
}

// Options are what COPY and the table functions leave to the user. Get them from
// ParseOptions, or set them and leave the rest at zero.
type Options struct {
	Header    Header // csv, tsv: whether the first line holds names
	Delimiter byte   // csv, tsv; 0 = the format's
	Null      string // csv, tsv: the text that stands for NULL; empty by default
	HasNull   bool   // Null was given
	Workers   int    // images: pictures looked at at the same time; 0 = one a CPU

	// Types are what the reader should yield, by position, where the caller
	// knows (the columns of COPY): csv, tsv and jsonl then convert to them and
	// report what doesn't fit with its line. A Type of kind NULL is the reader's
	// choice. nil: all are.
	Types []value.Type

	// Gallery (COPY ... TO) only.
	Title, Image, Link, Credit string
}

// Header says whether the first line of a csv holds column names.
type Header uint8

const (
	HeaderAuto Header = iota // found out: names have no numbers, data often do
	HeaderYes
	HeaderNo
)

// Reader yields the rows of a file, batch by batch. It is not safe for
// concurrent use.
type Reader interface {
	// Columns are known once the file is open, and stay the same.
	Columns() []Column

	// Next returns the next rows, nil at the end. The batch is valid until the
	// following call.
	Next(ctx context.Context) (*value.Batch, error)

	// Rows is the number of rows to come in all, or -1 where only reading tells.
	Rows() int64

	// Progress is how much has been read, and of how much in all, in bytes (of
	// images(): in files). total is 0 if unknown.
	Progress() (done, total int64)

	Close() error
}

// Problem is a row that could be read only in part; see Images.
type Problem struct {
	File string
	Err  error
}
