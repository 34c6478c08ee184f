package storage

import "github.com/lupadb/lupa/storage/internal/key"

// filesBytes returns the size of the store's files. What Pebble counts are, after VACUUM say, logs that
// are gone, too.
func (s *Store) filesBytes() (n uint64) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return 0 // the directory is gone: writers say so
	}
	for _, name := range names {
		if info, err := s.fs.Stat(s.fs.PathJoin(s.dir, name)); err == nil && !info.IsDir() {
			n += uint64(info.Size())
		}
	}
	return n
}

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
