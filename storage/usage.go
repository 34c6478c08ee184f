package storage

import "github.com/lupadb/lupa/storage/internal/key"

// DiskBytes returns about how many bytes the table takes in the store's files, its indexes
// and codes included. What was written last counts from the next flush on, which comes by itself.
func (s *Store) DiskBytes(def *TableDef) (uint64, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	g := s.enterGeneration()
	defer g.leave()
	return g.db.EstimateDiskUsage(key.Table(nil, def.ID), key.Table(nil, def.ID+1))
}
