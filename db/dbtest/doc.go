// Package dbtest runs scripts of statements with the answers they must give
// through every entry point of Lupa (package db, database/sql, the batch command) and
// under several physical designs (rows in the tail, rows in sealed blocks, an
// index on every column, the store reopened after each statement). The answers
// must be the same everywhere.
//
// # The script language
//
// A script is a text file, testdata/*.test, of blocks separated by empty lines.
// A line that starts with # is a comment. The first line of a block says what
// the block is:
//
//	exec [N]
//	    The statements that follow must succeed; with N, they must affect N rows.
//
//	error REGEXP
//	    The statement that follows must fail, with a message in which REGEXP is
//	    found. Positions in the message count from the statement's first line.
//
//	query [unordered]
//	    The statement that follows must return the rows after the line "----",
//	    one row a line, fields separated by " | ". With unordered, their order
//	    doesn't matter. "---- a | b" checks the names of the columns as well.
//
//	file NAME
//	    Writes the lines that follow into the file NAME of the script's directory,
//	    which statements call ${dir}. The lines end at the empty line.
//
//	reopen
//	    Closes the store and opens it again.
//
//	session
//	    What follows runs in a new session; an open transaction is rolled back.
//
//	skip DOOR|DESIGN ... : REASON
//	    Leaves out the doors or designs named for the whole script.
//
// An exec, error or query block may be preceded by lines that change it:
//
//	args JSON
//	    Arguments for the parameters: a list for positional ones, an object for
//	    named ones. Numbers without a point are integers, lists of numbers are
//	    vectors. The batch command leaves such blocks out.
//
//	only DOOR|DESIGN ...
//	not DOOR|DESIGN ...
//	    Runs the block only under, or not under, those.
//
// Fields are the text form of values (that of CAST(x AS TEXT)), NULL for NULL. A
// text that is empty, reads NULL, begins or ends with a space, begins with a
// double quote or ~, or holds | or a line break is written as a Go string,
// "a\nb". A field ~1.25 means any number within 0.000002 of 1.25.
//
// Every script has the encoder 'colours' at hand: a table of prompts ("red",
// "green", "blue", "yellow", "white", "a red rose", ...) with vectors of 4
// dimensions. After every script the store is checked.
package dbtest
