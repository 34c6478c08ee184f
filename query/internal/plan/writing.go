package plan

import "github.com/lupadb/lupa/storage"

// insertion is a bound INSERT.
type insertion struct {
	table     *storage.Table
	rows      *projectNode // as the table stores them
	opts      storage.InsertOptions
	update    *conflictUpdate // or nil
	returning *returned       // or nil
}

// change is a bound UPDATE or DELETE.
type change struct {
	table     *storage.Table
	rows      *relation // their numbers, then the new values; of a DELETE, what it returns
	cols      []int     // to be set
	returning *returned // or nil
}

// conflictUpdate is a bound ON CONFLICT DO UPDATE.
type conflictUpdate struct {
	from  []*column // the row that is there, then the one that could not be inserted
	cols  []int
	items []*expr
	where *expr // or nil
}

// returned are the bound items of a RETURNING.
type returned struct {
	rel   *relation // the table's columns
	items []*expr
	outs  []*column
}

// columns are those of the statement's rows.
func (r *returned) columns() []*column {
	if r == nil {
		return nil
	}
	return r.outs
}
