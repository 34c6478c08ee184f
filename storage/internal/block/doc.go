// Package block encodes the values of one scalar column of a block of rows.
//
// A block is a header, the null bitmap if anything is NULL, and a payload in the
// smallest of the encodings its kind has; of texts a dictionary has at most half as many as
// there are rows, as a larger one makes reading slower. Numbers are little endian.
//
//	0  version, 1
//	1  kind
//	2  encoding
//	3  1 when there is a null bitmap
//	4  number of rows, 2 bytes
//	6  null bitmap, one bit a row
//	   payload
//
// Integers and timestamps: raw (8 bytes each); offsets from the smallest in 0, 1,
// 2 or 4 bytes each; or, for what grows steadily, differences from row to row, as
// offsets from the smallest difference. Reals: raw; float32 where that loses
// nothing; one value for all. Booleans: bits. Texts, JSON and blobs: end offsets
// and bytes, of all values or of the distinct ones with a code a row. A vector
// column's block has no payload: it only says which rows are NULL.
package block
