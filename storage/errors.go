package storage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// Errors to compare with errors.Is. The errors that functions return wrap
// them and name the directory, table or key.
var (
	ErrLocked   = errors.New("the store is open already")
	ErrReadOnly = errors.New("the store is open for reading only")
	ErrClosed   = errors.New("already closed")
	ErrCorrupt  = errors.New("the store is damaged")
	ErrNotStore = errors.New("not a Lupa store")
	ErrFormat   = errors.New("the store's format is not supported")
	ErrFailed   = errors.New("the store accepts no more writes because one failed; close it and open it again")
	ErrBusy     = errors.New("another transaction is writing")
	ErrFull     = errors.New("the disk is full")
	ErrTooLarge = errors.New("the transaction is too large")
)

// NoTableError says that there is no table of this name.
type NoTableError struct{ Table string }

func (e *NoTableError) Error() string { return fmt.Sprintf("no table %q", e.Table) }

// NoColumnError says that the table has no column of this name.
type NoColumnError struct{ Table, Column string }

func (e *NoColumnError) Error() string { return fmt.Sprintf("no column %q in %s", e.Column, e.Table) }

// NoIndexError says that there is no index of this name.
type NoIndexError struct{ Index string }

func (e *NoIndexError) Error() string { return fmt.Sprintf("no index %q", e.Index) }

// NoWatchError says that there is no watch of this name.
type NoWatchError struct{ Watch string }

func (e *NoWatchError) Error() string { return fmt.Sprintf("no watch %q", e.Watch) }

// ExistsError says that a table, column or index of this name is there already.
type ExistsError struct {
	What string // "table", "column" or "index"
	Name string
}

func (e *ExistsError) Error() string { return fmt.Sprintf("%s %q exists already", e.What, e.Name) }

// UniqueError says that a row would repeat the key of another one. Its text and those of [CheckError] and
// [ReferenceError] have the words by which object mappers know them in the errors of PostgreSQL.
type UniqueError struct {
	Table   string
	Index   string   // name of the unique index, "" for the primary key
	Columns []string // names of the key's columns
	Key     string   // the key as one reads it: 'x1', or ('a', 3)
	Row     int64    // position of the row in the input, from 0; -1 when not known
}

func (e *UniqueError) Error() string {
	s := fmt.Sprintf("duplicate key %s", e.Key)
	if len(e.Columns) > 0 {
		s += " in " + e.Table + "." + e.Columns[0]
		for _, c := range e.Columns[1:] {
			s += ", " + c
		}
	}
	name := e.Index
	if name == "" {
		name = e.Table + "_pkey"
	}
	s += fmt.Sprintf(" violates unique constraint %q", name)
	if e.Row >= 0 {
		s += fmt.Sprintf(" (row %d of the input)", e.Row+1)
	}
	return s
}

// NotNullError says that a NULL was to go where none may be.
type NotNullError struct {
	Table, Column string
	Row           int64 // position in the input, from 0; -1 when not known
}

func (e *NotNullError) Error() string {
	s := fmt.Sprintf("NULL in %s.%s, which is NOT NULL", e.Table, e.Column)
	if e.Row >= 0 {
		s += fmt.Sprintf(" (row %d of the input)", e.Row+1)
	}
	return s
}

// DimensionError says that a vector is not of its column's length.
type DimensionError struct {
	Table, Column string
	Got, Want     int
}

func (e *DimensionError) Error() string {
	return fmt.Sprintf("vector has %s, %s.%s has %d", value.Dimensions(e.Got), e.Table, e.Column, e.Want)
}

// NotFiniteError says that a vector holds a NaN or an infinity.
type NotFiniteError struct {
	Table, Column string
	Row           int64 // position in the input, from 0; -1 when not known
}

func (e *NotFiniteError) Error() string {
	s := fmt.Sprintf("vector for %s.%s holds NaN or infinity", e.Table, e.Column)
	if e.Row >= 0 {
		s += fmt.Sprintf(" (row %d of the input)", e.Row+1)
	}
	return s
}

// ValueError says that a value breaks a rule of its column's type: TEXT and JSON that
// are not UTF-8, JSON that does not parse, a TIMESTAMP beyond the years 1 to 9999.
type ValueError struct {
	Table, Column string
	Row           int64 // position in the input, from 0; -1 when not known
	Err           error // the rule
}

func (e *ValueError) Error() string {
	s := fmt.Sprintf("value for %s.%s", e.Table, e.Column)
	if e.Row >= 0 {
		s += fmt.Sprintf(" (row %d of the input)", e.Row+1)
	}
	return s + ": " + e.Err.Error()
}

func (e *ValueError) Unwrap() error { return e.Err }

// TypeError says that a batch's column is not of the table column's type.
type TypeError struct {
	Table, Column string
	Got, Want     value.Type
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("%s.%s is %s, not %s", e.Table, e.Column, e.Want, e.Got)
}

// DefinitionError says what is wrong with the definition of a table, column or index.
type DefinitionError struct{ Msg string }

func (e *DefinitionError) Error() string { return e.Msg }

// FileError names a file of the store that is missing, or is not as it was written.
// Nothing was changed when Open returns one. errors.Is(err, ErrCorrupt) holds.
type FileError struct {
	File string // its name in the store's directory
	What string // "is missing", "has 10 bytes of 4096"
}

func (e *FileError) Error() string {
	way := waysOut + ", or read it as found (lupa --as-found)"
	switch {
	case e.What == foreignLog:
		way = "move it out of the directory and open the store again"
	case e.What == foreign, e.What == later:
		way = "put back the file that was there, " + way
	case e.What == unlisted:
		way = "what is in it was never acknowledged, or is not of this store; move it out of the directory and open the store again"
	case e.What == isFolder && ownNames([]string{e.File}), e.What == isFolder && (e.File == markerName || e.File == lockName):
		way = "move it out of the directory; lupa repair puts the file back if nothing else is missing"
	case e.File == markerName:
		way = "lupa repair makes it anew if nothing else is missing"
	case strings.HasPrefix(e.File, listName) && e.What != missing:
		way = "lupa repair makes the list anew from what is there, if nothing else is missing"
	case e.What != missing:
	case e.File == "LOCK" || e.File == markerName || e.File == commitsName || strings.HasPrefix(e.File, "marker.") || strings.HasPrefix(e.File, listName):
		way = "lupa repair puts it back if nothing else is missing"
	case strings.HasPrefix(e.File, "OPTIONS-"):
		way = "lupa repair does without it"
	}
	return fmt.Sprintf("%v: the file %s %s; nothing was changed: %s", ErrCorrupt, e.File, e.What, way)
}

func (e *FileError) Is(target error) bool { return target == ErrCorrupt }

// What a FileError says of a file.
const (
	missing  = "is missing"
	isFolder = "is a directory"
	unlisted = "is not on the list of the store's files and can't be read"

	foreign    = "holds commits of another store than LUPA names"
	foreignLog = "is not on the list of the store's files, and holds commits of another store"
	later      = "holds commits although the store was closed: it is not what was written"
)

// OptionError says that an option has a value that can't be meant.
type OptionError struct {
	Option string // name of the field
	Value  int64
	Want   string // what would be right
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("option %s is %d; give %s", e.Option, e.Value, e.Want)
}

// CorruptError names a part of the store that can't be read or contradicts
// another one. errors.Is(err, ErrCorrupt) holds.
type CorruptError struct {
	Table  string
	Column string // "" when it is not about one column
	Where  string // "block 12 (rows 12288 to 13311)", "row 40", "primary key"
	Err    error  // what is wrong
}

// waysOut says what to do about damage to what is in the store.
const waysOut = "restore a backup, or save what is left with lupa salvage"

func (e *CorruptError) Error() string {
	s := "damaged"
	if e.Table != "" {
		s += " in " + e.Table
		if e.Column != "" {
			s += "." + e.Column
		}
	}
	if e.Where != "" {
		s += ", " + e.Where
	}
	return fmt.Sprintf("%s: %v; %s", s, e.Err, waysOut)
}

func (e *CorruptError) Unwrap() error        { return e.Err }
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// CheckError says that a row breaks a condition of its table.
type CheckError struct {
	Table, Constraint string
	Condition         string // as it was written
	Existing          bool   // rows that are there break a condition that was to be added
}

func (e *CheckError) Error() string {
	if e.Existing {
		return fmt.Sprintf("rows of %s violate check constraint %q: CHECK (%s)", e.Table, e.Constraint, e.Condition)
	}
	return fmt.Sprintf("the row violates check constraint %q of %s: CHECK (%s)", e.Constraint, e.Table, e.Condition)
}

// ReferenceError says that a row refers to a key that is not there, or would be left doing so.
type ReferenceError struct {
	Table, Constraint string
	Columns           []string // of the table
	Parent            string   // the table referred to
	Key               string   // as one reads it
	Gone              bool     // the key goes, and rows refer to it; else a row refers to what is not there
}

func (e *ReferenceError) Error() string {
	if e.Gone {
		return fmt.Sprintf("rows of %s refer to %s of %s: this violates foreign key constraint %q", e.Table, e.Key, e.Parent, e.Constraint)
	}
	return fmt.Sprintf("there is no %s in %s, to which %s.%s refers: this violates foreign key constraint %q", e.Key, e.Parent, e.Table, strings.Join(e.Columns, ", "), e.Constraint)
}
