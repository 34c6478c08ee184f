package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/lupadb/lupa/storage/value"
)

// findFiles returns the files that a pattern stands for, in order of their
// paths: those that want keeps, in every directory once, however many links lead
// to it. A directory is looked at under its own name before it is looked at under
// that of a link. What is left out is counted in skipped.
//
// A pattern that is the path of something that exists, or whose first parts are,
// is taken literally there. Names that begin with a dot, and @eaDir, are for
// patterns that say so.
func findFiles(ctx context.Context, pattern string, exclude []string, want func(name string) (reason string)) (*found, error) {
	base, rest, err := literalPart(pattern)
	if err != nil {
		return nil, err
	}
	w := &walker{ctx: ctx, base: base, want: want, seen: map[string]bool{}, out: &found{skipped: map[string]int64{}}}
	for _, p := range exclude {
		p = strings.TrimSuffix(filepath.ToSlash(p), "/")
		if p == "" || !doublestar.ValidatePattern(p) {
			return nil, fmt.Errorf("EXCLUDE %s is not a valid pattern; * matches within a name, ** any directories", value.Quote(p))
		}
		w.exclude = append(w.exclude, p)
	}
	w.out.pattern = rest != ""
	if rest == "" {
		st, err := os.Stat(base)
		switch {
		case err != nil:
			return nil, fileError(base, err)
		case st.IsDir():
			rest = "**"
		case !st.Mode().IsRegular():
			return nil, irregularError(base, st.Mode())
		default: // a file that is named counts whatever it is called
			w.out.paths = []string{base}
			return w.out, nil
		}
	}
	if !doublestar.ValidatePattern(rest) {
		return nil, fmt.Errorf("%s is not a valid pattern; * matches within a name, ** any directories, {jpg,png} either", value.Quote(pattern))
	}
	if st, err := os.Stat(base); err != nil || !st.IsDir() {
		if err == nil {
			return nil, fmt.Errorf("%s is a file, not a directory", base)
		}
		return nil, folderError(base, err)
	}
	for _, p := range alternatives(rest) {
		var segments []string
		for s := range strings.SplitSeq(p, "/") {
			if s == ".." {
				return nil, fmt.Errorf("%s: .. can't follow a wildcard", value.Quote(pattern))
			}
			if s != "" && s != "." {
				segments = append(segments, s)
			}
		}
		if len(segments) == 0 {
			segments = []string{"**"}
		}
		w.patterns = append(w.patterns, segments)
	}
	real, err := filepath.Abs(base)
	if err == nil {
		real, err = filepath.EvalSymlinks(real)
	}
	if err != nil {
		return nil, folderError(base, err)
	}
	var start []place
	for i := range w.patterns {
		start = w.reach(start, place{i, 0})
	}
	w.links = []visit{{base, real, start, nil}}
	for len(w.links) > 0 {
		v := w.links[0]
		w.links = w.links[1:]
		if err := w.folder(v); err != nil {
			return nil, err
		}
	}
	slices.Sort(w.out.paths)
	w.out.paths = slices.Compact(w.out.paths)
	return w.out, nil
}

// found is what findFiles found.
type found struct {
	paths   []string
	skipped map[string]int64 // what was left out, by kind: ".mov", "hidden", "FIFO", ...
	failed  []error          // directories that can't be read
	pattern bool             // what was asked for has wildcards
}

// hint says what a pattern passed over, where it found nothing else.
func (f *found) hint() string {
	kinds := slices.Sorted(maps.Keys(f.skipped))
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", f.skipped[k], k)
	}
	if len(kinds) == 0 {
		return ""
	}
	return " (passed over: " + strings.Join(kinds, ", ") + ")"
}

// literalPart splits off the part of a pattern that is a path: names without
// wildcards, and names with some that exist as they are written. A ~ at the
// beginning is the user's own directory.
func literalPart(pattern string) (base, rest string, err error) {
	if pattern == "" {
		return "", "", errors.New("an empty path")
	}
	if pattern, err = ExpandHome(pattern); err != nil {
		return "", "", err
	}
	if exists(pattern) {
		return filepath.Clean(pattern), "", nil
	}
	volume := filepath.VolumeName(pattern)
	left := strings.Split(filepath.ToSlash(pattern[len(volume):]), "/")
	base = volume
	if len(left) > 1 && left[0] == "" {
		base += string(filepath.Separator)
		left = left[1:]
	}
	for len(left) > 0 {
		name := left[0]
		next := filepath.Join(base, name)
		if strings.ContainsAny(name, `*?[{`) {
			if !exists(next) {
				break
			}
		} else if strings.Contains(name, `\`) {
			next = filepath.Join(base, unescape(name))
		}
		base, left = next, left[1:]
	}
	if base == "" {
		base = "."
	}
	return base, strings.Join(left, "/"), nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// unescape takes the backslashes out of a part of a pattern.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// ExpandHome replaces a ~ at the beginning of a path by the user's own directory,
// as shells do, unless there is something called ~ here.
func ExpandHome(path string) (string, error) {
	if path != "~" && !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, "~"+string(filepath.Separator)) {
		return path, nil
	}
	if exists("~") {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if len(path) < 3 {
		return home, nil
	}
	return filepath.Join(home, path[2:]) + strings.Repeat(string(filepath.Separator), trailing(path[2:])), nil
}

// trailing is 1 for a path that ends in a separator.
func trailing(path string) int {
	if path != "" && os.IsPathSeparator(path[len(path)-1]) {
		return 1
	}
	return 0
}

// alternatives spells out the {a,b} of a pattern.
func alternatives(p string) []string {
	open, depth := -1, 0
	var cuts []int
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '[':
			if end := strings.IndexByte(p[i:], ']'); end > 0 {
				i += end
			}
		case '{':
			if depth == 0 {
				open, cuts = i, []int{i}
			}
			depth++
		case ',':
			if depth == 1 {
				cuts = append(cuts, i)
			}
		case '}':
			if depth--; depth != 0 {
				continue
			}
			cuts = append(cuts, i)
			var out []string
			for _, tail := range alternatives(p[i+1:]) {
				for k := range cuts[1:] {
					for _, middle := range alternatives(p[cuts[k]+1 : cuts[k+1]]) {
						out = append(out, p[:open]+middle+tail)
					}
				}
			}
			return out
		}
	}
	return []string{p}
}

// place is a position in a pattern: the part that the next name has to match.
type place struct{ pattern, part int }

// visit is a directory to look at, the path that no link is part of, and where in
// the patterns its entries stand.
type visit struct {
	path, real string
	at         []place
	above      []string // real paths of the directories it was reached through
}

type walker struct {
	ctx      context.Context
	base     string
	patterns [][]string
	exclude  []string
	want     func(name string) (reason string)
	seen     map[string]bool // directories, by their real path and places
	links    []visit         // links to directories, for when all directories have been seen
	out      *found
}

// reach adds a place, and with ** the one behind it, which needs no name.
func (w *walker) reach(at []place, p place) []place {
	for ; p.part < len(w.patterns[p.pattern]); p.part++ {
		if !slices.Contains(at, p) {
			at = append(at, p)
		}
		if w.patterns[p.pattern][p.part] != "**" {
			break
		}
	}
	return at
}

// readSome is how many entries of a directory are read between looks at the context.
const readSome = 1024

// entries lists a directory in order of names. It is a variable for tests.
var entries = func(ctx context.Context, dir string) ([]fs.DirEntry, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []fs.DirEntry
	for {
		some, err := f.ReadDir(readSome)
		all = append(all, some...)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && err != io.EOF {
			return all, err
		}
		if err == io.EOF || len(some) == 0 {
			break
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// directory looks at the entries of a directory and at the directories in it.
func (w *walker) folder(v visit) error {
	key := fmt.Sprint(v.real, "\x00", v.at)
	if w.seen[key] {
		return nil
	}
	w.seen[key] = true
	if err := w.ctx.Err(); err != nil {
		return err
	}
	list, err := entries(w.ctx, v.path)
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	if err != nil { // what could be read of it counts
		if errors.Is(err, fs.ErrPermission) {
			err = &worded{v.path + ": no permission to read the directory", err}
		}
		w.out.failed = append(w.out.failed, err)
	}
	literal := w.literal(v.at, list)
	for i, e := range list {
		if i%readSome == readSome-1 {
			if err := w.ctx.Err(); err != nil {
				return err
			}
		}
		if err := w.entry(v, e, literal); err != nil {
			return err
		}
	}
	return nil
}

// literal returns the places at which an entry is called just what the pattern
// says: nothing else matches there, whatever the name means as a pattern.
func (w *walker) literal(at []place, list []fs.DirEntry) map[place]bool {
	var out map[place]bool
	for _, p := range at {
		s := w.patterns[p.pattern][p.part]
		if s == "**" || !strings.ContainsAny(s, `*?[{`) {
			continue
		}
		if _, ok := slices.BinarySearchFunc(list, s, func(e fs.DirEntry, s string) int { return strings.Compare(e.Name(), s) }); ok {
			if out == nil {
				out = map[place]bool{}
			}
			out[p] = true
		}
	}
	return out
}

// entry looks at one entry of a directory.
func (w *walker) entry(v visit, e fs.DirEntry, literal map[place]bool) error {
	name := e.Name()
	ends := false
	var deeper []place
	hidden := ""
	switch {
	case name[0] == '.':
		hidden = "hidden"
	case name == "@eaDir": // Synology's thumbnails
		hidden = "@eaDir"
	}
	passed := false
	for _, p := range v.at {
		segments := w.patterns[p.pattern]
		s := segments[p.part]
		if s == "**" {
			if hidden != "" {
				passed = true
				continue
			}
			deeper = w.reach(deeper, p)
			ends = ends || p.part == len(segments)-1
			continue
		}
		if literal[p] {
			if s != name {
				continue
			}
		} else if ok, err := doublestar.Match(s, name); err != nil || !ok {
			continue
		} else if hidden != "" && s[0] != name[0] {
			passed = true
			continue
		}
		if p.part == len(segments)-1 {
			ends = true
		} else {
			deeper = w.reach(deeper, place{p.pattern, p.part + 1})
		}
	}
	if !ends && len(deeper) == 0 {
		if passed {
			w.out.skipped[hidden]++
		}
		return nil
	}
	path := name
	if v.path != "." {
		path = filepath.Join(v.path, name)
	}
	if w.excluded(path, name) {
		w.out.skipped["excluded"]++
		return nil
	}
	kind, link := e.Type(), e.Type()&fs.ModeSymlink != 0
	if link {
		st, err := os.Stat(path)
		if err != nil {
			kind = 0 // reading it will tell what is wrong
		} else {
			kind = st.Mode().Type()
		}
	}
	switch {
	case kind.IsDir() && link:
		if len(deeper) > 0 {
			real, err := filepath.EvalSymlinks(path)
			if err == nil {
				real, err = filepath.Abs(real)
			}
			if err != nil {
				w.out.failed = append(w.out.failed, err)
				return nil
			}
			if real == v.real || slices.Contains(v.above, real) {
				w.out.skipped["link back to a directory above"]++
				return nil
			}
			w.links = append(w.links, visit{path, real, deeper, append(slices.Clone(v.above), v.real)})
		}
	case kind.IsDir():
		if len(deeper) > 0 {
			return w.folder(visit{path, filepath.Join(v.real, name), deeper, append(slices.Clone(v.above), v.real)})
		}
		w.out.skipped["directory not entered (** goes into directories)"]++
	case !ends:
	case !kind.IsRegular():
		w.out.skipped[kindOfFile(kind)]++
	default:
		if reason := w.want(name); reason != "" {
			w.out.skipped[reason]++
		} else {
			w.out.paths = append(w.out.paths, path)
		}
	}
	return nil
}

// excluded reports whether EXCLUDE names an entry: by its own name, or with a
// slash by its path, from the pattern's directory on or as it is given out.
func (w *walker) excluded(path, name string) bool {
	if len(w.exclude) == 0 {
		return false
	}
	whole := filepath.ToSlash(path)
	inside := whole
	if r, err := filepath.Rel(w.base, path); err == nil {
		inside = filepath.ToSlash(r)
	}
	for _, p := range w.exclude {
		if !strings.Contains(p, "/") {
			if p == name {
				return true
			}
			if ok, _ := doublestar.Match(p, name); ok && !(strings.ContainsAny(p, "[{") && exists(filepath.Join(filepath.Dir(path), p))) {
				return true
			}
			continue
		}
		for _, s := range []string{whole, inside} {
			if ok, _ := doublestar.Match(p, s); ok || p == s {
				return true
			}
		}
	}
	return false
}

func kindOfFile(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "FIFO"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

func irregularError(path string, m fs.FileMode) error {
	return fmt.Errorf("%s is not a plain file but a %s; write what it gives to a file first", path, kindOfFile(m))
}

func folderError(dir string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if wd, e := os.Getwd(); e == nil && !filepath.IsAbs(dir) {
			return &worded{fmt.Sprintf("no directory %s in %s", dir, wd), fs.ErrNotExist}
		}
		return &worded{"no directory " + dir, fs.ErrNotExist}
	}
	return err
}
