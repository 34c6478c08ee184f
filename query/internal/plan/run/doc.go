// Package run keeps plans and runs them. A Plan is immutable; Start gives a Run, whose Root
// is read to its end. Steps find the values of its slots when a run starts: casts first, so
// that wrong arguments are errors with a place, then all texts in one batch, then the rest
// in order. Something that fails where no row may ask for it, such as 1 / $1, fails where it
// is used. A choice that depends on how many rows a range has is made by the run:
// exec.Lookup.Most. A plan is made anew when a table's definition is another one, or its size
// more than twice or less than half of what it was.
//
// A Run with its operators and their memory is kept by its Plan for the next run, where all
// operators can be reset (exec.Resetter). Plans that read files, load, or change definitions
// are for one run.
package run
