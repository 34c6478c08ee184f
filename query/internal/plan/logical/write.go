package logical

import "github.com/lupadb/lupa/storage"

// Insert is a bound INSERT.
type Insert struct {
	Table     *storage.Table
	Rows      *Project // as the table stores them
	Opts      storage.InsertOptions
	Update    *ConflictUpdate // or nil
	Returning *Returned       // or nil
}

// Change is a bound UPDATE or DELETE.
type Change struct {
	Table     *storage.Table
	Rows      *Relation // their numbers, then the new values and Returning.From; of a DELETE, what it returns
	Cols      []int     // to be set
	Returning *Returned // or nil
}

// ConflictUpdate is a bound ON CONFLICT DO UPDATE.
type ConflictUpdate struct {
	From  []*Column // the row that is there, then the one that could not be inserted
	Cols  []int
	Items []*Expr
	Where *Expr // or nil
}

// Returned are the bound items of a RETURNING.
type Returned struct {
	Rel   *Relation // the table's columns
	From  []*Column // what Items read of an UPDATE's FROM
	Items []*Expr
	Outs  []*Column
}

// Columns are those of the statement's rows.
func (r *Returned) Columns() []*Column {
	if r == nil {
		return nil
	}
	return r.Outs
}
