package storage

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A store keeps a list of its own of the files it consists of. Pebble finds its files
// through one another (an empty marker file names the list of tables, whose last valid
// record counts, the log is whatever logs there are), and takes what is missing or
// damaged there for the end of what was written, or for a database that does not exist
// yet; then it deletes whatever is not led to any more. The list is compared with the
// directory before Pebble sees it.
//
// What makes the list true at every moment:
//
//   - A file is put on it only when its directory was synced since the file was made.
//   - Before a file that is on the list is removed or renamed, the list is written
//     without it. Removals wait for that in a queue.
//   - A commit is acknowledged only when the log that holds it is on the list.
//   - It says how long the list of tables (MANIFEST) is, and its checksum, as of its
//     last sync before the list was written. What was added since can be lost to damage
//     without harm: the logs and tables that it made obsolete are still there, for
//     their removal would have written the list. A bulk load, which has no log, writes
//     it before it is acknowledged.
//
// The list is in two files that are written in turns, in place, so that it can be
// renewed on a full disk, and a cut while one is written leaves the other.
const (
	listName  = "FILES"
	listMagic = "Lupa files "
	// listGrain is what the size of the two files is rounded up to.
	listGrain = 16 << 10
	// tailBytes is how much of a table's end is read when a store is opened: its
	// footer, properties and at least the end of its index.
	tailBytes = 4 << 10
)

func listSlot(i uint64) string { return fmt.Sprintf("%s.%d", listName, i%2) }

// fileKind says what is known of a file.
type fileKind byte

const (
	kindExists fileKind = 'e' // that it is there: a log being written, markers, COMMITS
	kindWhole  fileKind = 'w' // size and checksum: tables, options
	kindTail   fileKind = 't' // size and checksum of the end: tables that an older version or a killed process left
	kindPrefix fileKind = 'p' // of its first bytes: the list of tables, logs that are full
	kindStore  fileKind = 'i' // no file: the name is the id of the store
	kindStray  fileKind = 'o' // of a table that it is not the store's, and is left alone
)

// fileEntry is a file on the list.
type fileEntry struct {
	kind fileKind
	size int64
	sum  uint32 // CRC-32C of the first size bytes; 0 for kindTail
	tail uint32 // of the last tailBytes of them; of tables
}

// fileState is a file of the directory, or of a load that is to be linked into it.
type fileState struct {
	known   fileEntry // from the list, or from looking; kind 0 while the file is written here
	durable bool      // its directory was synced since it was made

	// While it is written here, from its first byte on.
	writing bool
	late    bool // the store is being closed: of a log, nothing comes into it
	partly  bool // not only at its end: nothing is known
	written fileEntry
	synced  fileEntry
	end     []byte   // the last tailBytes written
	next    struct { // of the write under way
		sum uint32
		end []byte
	}
}

// entry returns what the list is to say of the file under this name.
func (st *fileState) entry(name string) fileEntry {
	e := st.known
	switch kind := kindOf(name); {
	case e.kind != 0:
	case st.partly:
		e.kind = kindExists
	case strings.HasPrefix(name, "MANIFEST-"):
		e = st.synced
		e.kind = kindPrefix
	case st.writing:
		e.kind = kindExists
	default:
		e = st.written
		if strings.HasSuffix(name, ".log") {
			e = st.synced // so that it never says more than there is
		}
		e.kind = kind
		if kind == kindExists {
			e = fileEntry{kind: kind}
		}
	}
	return e
}

// isListed reports whether a file of the directory belongs on the list.
func isListed(name string) bool {
	return kindOf(name) != kindExists || name == commitsName || strings.HasPrefix(name, "marker.")
}

// kindOf returns what can be known of a file.
func kindOf(name string) fileKind {
	text, before := strings.CutPrefix(name, "OPTIONS-")
	if !before {
		text, before = strings.CutPrefix(name, "MANIFEST-")
	}
	end := ""
	if !before {
		text, end, _ = strings.Cut(name, ".")
	}
	if strings.Trim(text, "0123456789") != "" || text == "" {
		return kindExists // a name like "000012 (1).sst", which a copying tool makes, is nobody's
	}
	switch {
	case end == "sst" || end == "blob" || before && name[0] == 'O':
		return kindWhole
	case end == "log" || before:
		return kindPrefix
	}
	return kindExists
}

// isTable reports whether a file of the directory is a table of Pebble's.
func isTable(name string) bool {
	return kindOf(name) == kindWhole && !strings.HasPrefix(name, "OPTIONS-")
}

// ---- The list as bytes ----

// encodeList returns the list: a line that says its number, its length and its
// checksum, then a line a file: kind, size, checksums, name; before these one for the
// store's id, if it has one.
func encodeList(number uint64, closed bool, id string, files map[string]fileEntry) []byte {
	var body bytes.Buffer
	if id != "" {
		fmt.Fprintf(&body, "%c 0 %08x %08x %s\n", kindStore, 0, 0, id)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e := files[name]
		fmt.Fprintf(&body, "%c %d %08x %08x %s\n", e.kind, e.size, e.sum, e.tail, name)
	}
	state := "open"
	if closed {
		state = "closed"
	}
	head := fmt.Sprintf("%d %s %d ", number, state, body.Len())
	sum := crc32.Update(crc32.Checksum([]byte(head), crcTable), crcTable, body.Bytes())
	return append(fmt.Appendf(nil, "%s%s%08x\n", listMagic, head, sum), body.Bytes()...)
}

// list is a list as it was read.
type list struct {
	number uint64
	closed bool // Close has written it: nothing was changed since
	id     string
	files  map[string]fileEntry
}

var errList = errors.New("it is not a list of files, or damaged")

// decodeList reads a list; what follows it in the file is left over from a longer one.
func decodeList(b []byte) (*list, error) {
	b, ok := bytes.CutPrefix(b, []byte(listMagic))
	line, rest, found := bytes.Cut(b, []byte("\n"))
	if !ok || !found {
		return nil, errList
	}
	l := &list{files: map[string]fileEntry{}}
	var state string
	var n int
	var sum uint32
	if c, err := fmt.Sscanf(string(line), "%d %s %d %08x", &l.number, &state, &n, &sum); c != 4 || err != nil || n < 0 || n > len(rest) || len(line) < 8 {
		return nil, errList
	}
	body := rest[:n]
	if crc32.Update(crc32.Checksum(line[:len(line)-8], crcTable), crcTable, body) != sum {
		return nil, errList
	}
	l.closed = state == "closed"
	for text := range strings.Lines(string(body)) {
		f := strings.SplitN(strings.TrimSuffix(text, "\n"), " ", 5)
		if len(f) != 5 || len(f[0]) != 1 {
			return nil, errList
		}
		size, err1 := strconv.ParseInt(f[1], 10, 64)
		sum, err2 := strconv.ParseUint(f[2], 16, 32)
		tail, err3 := strconv.ParseUint(f[3], 16, 32)
		if firstError(err1, err2, err3) != nil {
			return nil, errList
		}
		if fileKind(f[0][0]) == kindStore {
			l.id = f[4]
			continue
		}
		l.files[f[4]] = fileEntry{fileKind(f[0][0]), size, uint32(sum), uint32(tail)}
	}
	return l, nil
}

// readLists returns the newest valid list in dir, nil when there is none. found is how
// many of the two files are there, and damaged how many of those do not hold the list that
// must have been there.
func readLists(fs vfs.FS, dir string) (newest *list, found, damaged int, err error) {
	empty := 0
	for i := range uint64(2) {
		b, err := readAll(fs, fs.PathJoin(dir, listSlot(i)))
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, found, damaged, err
		}
		found++
		l, err := decodeList(b)
		switch {
		case err == nil && (newest == nil || l.number > newest.number):
			newest = l
		case err != nil && len(bytes.Trim(b, "\x00")) > 0:
			damaged++
		case err != nil:
			empty++
		}
	}
	if newest != nil && newest.number > 1 {
		damaged += empty // only the first list has none beside it
	}
	return newest, found, damaged, nil
}

func readAll(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	var b []byte
	info, err := f.Stat()
	if err == nil {
		b = make([]byte, info.Size())
		_, err = io.ReadFull(f, b)
	}
	return b, errors.Join(err, f.Close())
}

// plainFS is the file system below the store's guard, which takes what is read of a table
// at once for a block, and verifies it.
func plainFS(fs vfs.FS) vfs.FS {
	if g, ok := fs.(*guardFS); ok {
		return g.FS
	}
	return fs
}

// writeEmptyList writes the list that a new store begins with.
func writeEmptyList(fs vfs.FS, dir, id string) error {
	for i := range uint64(2) {
		b := make([]byte, listGrain)
		if i == 1 {
			copy(b, encodeList(i, false, id, nil))
		}
		if err := writeFile(fs, fs.PathJoin(dir, listSlot(i)), b); err != nil {
			return err
		}
	}
	return syncDir(fs, dir)
}

// writeFile makes a file of these bytes, and syncs it.
func writeFile(fs vfs.FS, path string, b []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// writeListOf writes the list of a directory that nobody is writing to, as closed: of a
// copy, or of a store that is repaired. known are entries that need not be found out.
func writeListOf(fs vfs.FS, dir, id string, known map[string]fileEntry) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	files := map[string]fileEntry{}
	for _, n := range names {
		if !isListed(n) {
			continue
		}
		e, ok := known[n]
		if !ok {
			if e, err = entryOf(fs, dir, n, true); err != nil {
				return err
			}
		}
		files[n] = e
	}
	if err := writeFile(fs, fs.PathJoin(dir, listSlot(0)), make([]byte, listGrain)); err != nil {
		return err
	}
	if err := writeFile(fs, fs.PathJoin(dir, listSlot(1)), encodeList(1, true, id, files)); err != nil {
		return err
	}
	return syncDir(fs, dir)
}
