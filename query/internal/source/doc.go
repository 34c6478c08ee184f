// Package source reads and writes the files of COPY and of the table functions:
// one file of Go a format. Readers and writers work in batches and in bounded
// memory; their errors name the file and the line or row, both counted from 1.
package source
