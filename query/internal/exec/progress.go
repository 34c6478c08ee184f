package exec

// Progress is how far work has come.
type Progress struct {
	Stage string // "reading features.npy", "encoding pictures", "check"
	Done  int64  // units done
	Total int64  // units in all, 0 where it is not known
	Unit  string // "rows", "bytes", "pictures"
}
