// Package statement plans statements, a file for each kind: queries and what writes rows are
// bound, improved and built by the packages below; COPY, definitions of tables, BACKUP and
// maintenance are tasks of package exec that do their work when the plan is run.
package statement
