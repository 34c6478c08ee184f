// Package eval measures how often the first hits of prompts are right, and keeps what somebody
// has said of hits: lupa eval prints it, and the page of lupa browse shows it.
//
// A file of prompts has a heading and the column query (or prompt), and says what is right by
//
//	predicate   conditions over the table's columns, such as subject=dog;place=garden
//	id          the key of the right row
//	right       no where the row of id is a wrong one; yes, or nothing, where it is right
//	table       what table the line is for; nothing is any
//
// With a column right, lines of the same query with an id are one prompt: right are the rows that a line
// says are right, or, where no line says so, all but those that are wrong.
package eval
