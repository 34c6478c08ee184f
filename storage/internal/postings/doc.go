// Package postings encodes where the terms of a full-text index occur.
//
// Rows are taken in chunks of 65,536, in which a row has a slot. What is kept of a term in a
// chunk is a sequence of records: segments of postings (slot and frequency, in blocks of 128,
// each with the bounds of what its postings may score) and removals of slots. A later record
// counts before an earlier one, so changes are appended without reading what is there.
package postings
