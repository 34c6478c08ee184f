package storage

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

// ---- The second copy of the catalog ----

// schemasName is the file with a second copy of all tables' definitions: one damaged
// block of the catalog would else take every table's rows along. It is written after
// each change of a definition. Before a change is committed it gets another name, so that
// what is there is the catalog as it is.
const (
	schemasName    = "SCHEMA"
	oldSchemasName = "SCHEMA.old"
	// nextSchemasName is what the second copy will be, when it is the only one.
	nextSchemasName = "SCHEMA.next"
)

type schemasJSON struct {
	Generation uint64            `json:"generation,omitempty"` // of the catalog
	NextID     uint32            `json:"next_id"`
	Tables     []json.RawMessage `json:"tables"`
}

// announceSchemas takes the second copy away, because the catalog changes. It takes no space,
// unless the catalog itself can't be read: then next, the second copy of what it will be, is
// there beside the old one before anything changes. The caller has the writer lock.
func (s *Store) announceSchemas(next *catalog) error {
	if s.inMemory {
		return nil
	}
	s.schemas.Lock()
	defer s.schemas.Unlock()
	name := s.fs.PathJoin(s.dir, schemasName)
	if s.schemas.damaged {
		if err := s.settleSchemas(); err != nil {
			return fullOr(err)
		}
		if err := writeFile(s.fs, s.fs.PathJoin(s.dir, nextSchemasName), schemasText(next)); err != nil {
			return fullOr(err)
		}
	}
	s.schemas.announced = next.generation
	s.schemas.lost = nil
	err := s.fs.Rename(name, s.fs.PathJoin(s.dir, oldSchemasName))
	if errors.Is(err, os.ErrNotExist) && !s.schemas.damaged {
		return nil
	}
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = syncDir(s.fs.FS, s.dir) // which waits for nothing
	}
	return err
}

// settleSchemas sees to it that SCHEMA or SCHEMA.old is the catalog as it is, and stays so after
// a power cut, before SCHEMA.next is written over: that may be the only copy of the catalog
// on the disk, while the commit that changed it has not yet got to keepSchemas, or while what
// that did has not reached the disk.
func (s *Store) settleSchemas() error {
	g := s.gen
	if err := g.guard("commit", func() error { return g.awaitCommits(s.commits.made) }); err != nil {
		return err
	}
	if b, err := get(g.db, key.Generation); err == nil && len(b) == 12 { // else nothing has changed it yet
		now := binary.BigEndian.Uint64(b)
		is := func(name string) bool {
			c, _, err := readSchemasFile(s.fs, s.dir, name)
			return err == nil && c.Generation == now
		}
		if !is(schemasName) && !is(oldSchemasName) && is(nextSchemasName) {
			if err := s.fs.Rename(s.fs.PathJoin(s.dir, nextSchemasName), s.fs.PathJoin(s.dir, oldSchemasName)); err != nil {
				return err
			}
		}
	}
	return syncDir(s.fs.FS, s.dir)
}

// schemasCurrent reports whether the second copy is there and tells its generation.
func (s *Store) schemasCurrent() bool {
	b, err := readAll(s.fs, s.fs.PathJoin(s.dir, schemasName))
	return err == nil && bytes.Contains(b, []byte(`"generation":`))
}

// secondCatalog returns the second copy, where it is known to be the catalog of a generation,
// 0 if nobody knows which, and the catalog itself can't be read because of err.
func (s *Store) secondCatalog(generation uint64, err error) (*catalog, error) {
	if !errors.Is(err, pebble.ErrCorruption) || s.inMemory { // another kind of damage is not that of a block
		return nil, err
	}
	s.schemas.Lock()
	defer s.schemas.Unlock()
	if c := s.schemas.lost; c != nil && (generation == 0 || generation == c.generation) {
		return c, nil
	}
	c, ok := s.findCatalog(generation)
	if !ok {
		return nil, err
	}
	s.schemas.lost, s.schemas.damaged = c, true
	s.note(err)
	return c, nil
}

// findCatalog looks for the second copy of a generation. When nobody knows which, it is the
// one that was not taken away because of a change; or, if the change was one beside a catalog
// that can't be read, the one before it: had the change been committed its generation would
// be in the log, where it can be read; that of a store that was closed is empty.
func (s *Store) findCatalog(generation uint64) (*catalog, bool) {
	found := map[string]*catalog{}
	for _, name := range []string{schemasName, oldSchemasName, nextSchemasName} {
		if j, tables, err := readSchemasFile(s.fs, s.dir, name); err == nil && j.Generation != 0 {
			c := &catalog{generation: j.Generation, nextID: j.NextID, byName: map[string]*TableDef{}, views: map[string]*ViewDef{}}
			for _, d := range tables {
				c.put(d)
			}
			if c.generation == generation {
				return c, true
			}
			found[name] = c
		}
	}
	switch {
	case generation != 0:
		return nil, false
	case found[schemasName] != nil:
		return found[schemasName], true
	case found[nextSchemasName] != nil && found[oldSchemasName] != nil && !s.schemas.closed:
		return found[oldSchemasName], true
	}
	return nil, false
}

// keepSchemas writes the second copy. A failure only makes it lag behind.
func (s *Store) keepSchemas(c *catalog) {
	if s.inMemory {
		return
	}
	s.schemas.Lock()
	defer s.schemas.Unlock()
	if c.generation <= s.schemas.kept || c.generation < s.schemas.announced {
		return
	}
	s.schemas.kept = c.generation
	text := schemasText(c)
	name := s.fs.PathJoin(s.dir, schemasName)
	if old, err := readAll(s.fs, name); err == nil && bytes.Equal(old, text) {
		return
	}
	if err := writeFile(s.fs, name+".new", text); err != nil {
		s.note(err)
		return
	}
	if err := s.fs.Rename(name+".new", name); err != nil {
		s.note(err)
		return
	}
	if s.schemas.damaged {
		if err := syncDir(s.fs.FS, s.dir); err != nil {
			s.note(err) // and no other copy is removed
			return
		}
	}
	for _, name := range []string{oldSchemasName, nextSchemasName} {
		if name == nextSchemasName && !s.schemas.damaged {
			continue
		}
		if err := s.fs.Remove(s.fs.PathJoin(s.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.note(err)
		}
	}
}

// schemasText is what the second copy of a catalog holds: schemasJSON, written without
// reading its tables' texts once more.
func schemasText(c *catalog) []byte {
	body := []byte("{")
	if c.generation != 0 {
		body = fmt.Appendf(body, `"generation":%d,`, c.generation)
	}
	body = fmt.Appendf(body, `"next_id":%d,"tables":[`, c.nextID)
	body = append(append(body, bytes.Join(c.texts(), []byte(","))...), "]}"...)
	return fmt.Appendf(nil, "%08x\n%s\n", crc32.Checksum(body, crcTable), body)
}

// secondCopy is the second copy of the catalog without its tables.
type secondCopy struct {
	Generation uint64
	NextID     uint32 // the number that the next table would have got
	old        bool   // a change was under way: it may name tables that were dropped
}

// readSchemas reads the second copy, with the tables by name: that of a generation, if it is
// known (not 0) and there; else what the last change has left, of which the newer counts.
func readSchemas(fs vfs.FS, dir string, generation uint64) (c secondCopy, tables map[string]*TableDef, err error) {
	failed, absent := error(nil), error(nil)
	for _, name := range []string{schemasName, nextSchemasName, oldSchemasName} {
		one, defs, err := readSchemasFile(fs, dir, name)
		switch {
		case errors.Is(err, os.ErrNotExist):
			absent = firstError(absent, err)
			continue
		case err != nil:
			failed = firstError(failed, err)
			continue
		case generation != 0 && one.Generation == generation:
			return one, defs, nil
		case tables != nil:
			for name, d := range defs {
				if tables[name] == nil && c.old {
					tables[name] = d
				}
			}
			continue
		}
		c, tables = one, defs
		c.old = name != schemasName
	}
	if tables == nil {
		return c, nil, firstError(failed, absent)
	}
	return c, tables, nil
}

func readSchemasFile(fs vfs.FS, dir, name string) (c secondCopy, tables map[string]*TableDef, err error) {
	b, err := readAll(fs, fs.PathJoin(dir, name))
	if err != nil {
		return c, nil, err
	}
	sum, body, ok := strings.Cut(strings.TrimSuffix(string(b), "\n"), "\n")
	if !ok || sum != fmt.Sprintf("%08x", crc32.Checksum([]byte(body), crcTable)) {
		return c, nil, damagedFile(name, "its checksum differs")
	}
	var j schemasJSON
	if err := json.Unmarshal([]byte(body), &j); err != nil {
		return c, nil, err
	}
	c.Generation, c.NextID = j.Generation, j.NextID
	tables = map[string]*TableDef{}
	for _, t := range j.Tables {
		d, err := decodeSchema(t)
		if err != nil {
			return c, nil, err
		}
		tables[d.Name] = d
	}
	return c, tables, nil
}
