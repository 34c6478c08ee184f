// Package render writes query results: as boxes and tables for people, as csv
// or json for programs, as pages and thumbnails for the eye. One file a mode;
// modes.go lists them.
package render
