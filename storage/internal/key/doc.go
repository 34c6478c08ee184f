// Package key builds the keys of a store and encodes values so that comparing
// the bytes compares the values.
//
// All numbers are big endian. Keys of table 0 belong to the store as a whole.
//
//	0 | 'f'                          format version
//	0 | 'c'                          number of commits
//	0 | 'g'                          generation of the catalog
//	0 | 't' | name                   schema of a table, versioned JSON
//	0 | 'p' | hash                   vector of a text, kept for the next time
//	0 | 'w' | watch | commit, row    what a watch has to tell of a row
//	T | 'c' | column | block         scalar column block; null bitmap of a vector column
//	T | 'v' | column | page          float32 page
//	T | 'q' | column | plane, block  one plane of a block's codes
//	T | 'x' | block                  tombstones of a block
//	T | 'r' | row                    tail row
//	T | 'k' | key value              primary key -> row
//	T | 'i' | index | values, row    ordered scalar index
//	T | 'm' | column                 transform of a vector column's codes
//	T | 'a' | column                 what searches of a vector column have asked for
//	T | 'n'                          counters of the table
//	T | 's' | column                 statistics of a column
package key
