// Package storage keeps tables of scalar and vector columns in a directory, on
// Pebble: sealed column blocks of 1,024 rows, a tail of single rows, one writer
// and any number of snapshot readers.
//
// # Nouns
//
// A Store is an open directory. A View is a consistent picture of it that no later
// write changes; a Tx is the one writer's view, which also reads what it has
// written. A Table is one table seen through a View.
//
// Rows have row numbers, counted from 0 in order of insertion. 1,024 consecutive
// row numbers are a block: block b holds rows b*1024 to b*1024+1023. Updating a row
// changes it where it is, or, where that would cost much more than the row is worth,
// deletes it and inserts its successor with a new number. A number belongs to a view
// or transaction: from one commit to the next rows keep their order, but merging
// blocks of which much is deleted (see keeper) moves rows to lower numbers, and VACUUM
// makes a fresh table and numbers its rows anew.
//
// # Durability
//
// When Commit returns nil, everything in the transaction survives a crash of the
// process and a power cut (unless Options.NoSync). When it returns an error or
// never returns, either all of it is there or nothing.
package storage
