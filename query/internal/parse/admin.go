package parse

// gExplain is the rule of EXPLAIN, after its first word.
type gExplain struct {
	Analyze   bool        `parser:"@'ANALYZE'?"`
	Statement *gStatement `parser:"@@"`
}

// gBegin is what may follow BEGIN.
type gBegin struct {
	ReadOnly bool `parser:"('READ' (@'ONLY' | 'WRITE'))?"`
}

// gVacuum is what may follow VACUUM.
type gVacuum struct {
	Table *gName `parser:"@@?"`
}
