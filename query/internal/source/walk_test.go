//go:build unix

package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tree makes files (names with a slash at the end are directories, with -> links,
// with a | FIFOs) in a new directory, which becomes the current one.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for _, n := range names {
		name, target, link := strings.Cut(n, " -> ")
		fifo := strings.HasPrefix(name, "|")
		name = strings.TrimPrefix(name, "|")
		var err error
		switch {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(name, 0o755)
		default:
			if err = os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				break
			}
			if link {
				err = os.Symlink(target, name)
			} else if fifo {
				err = syscall.Mkfifo(name, 0o644)
			} else {
				err = os.WriteFile(name, []byte("x"), 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func findIn(t *testing.T, pattern string, exclude ...string) *Pictures {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p, err := FindPictures(ctx, pattern, Options{Exclude: exclude})
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	return p
}

func TestFindPictures(t *testing.T) {
	dir := tree(t, "a.jpg", "b.JPEG", "c.jfif", "d.jpe", "IMG.HEIC", "x.avif", "y.NEF", "notes.txt", "film.mov", "noending",
		".hidden.jpg", ".DS_Store", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "sub/e.jpg", "sub/deep/f.png", "Holiday [2019]/g.jpg", "Holiday 2/h.jpg",
		"odd*name.jpg", "oddXname.jpg", "|pipe.jpg", "self -> .", "0link -> sub", "gone.jpg -> nothing", "alias.jpg -> a.jpg", "sub/up -> ..", "{x,y}/z.jpg", "x/z.jpg", "empty/", "~x.jpg")
	t.Setenv("HOME", dir)
	top := "Holiday 2/h.jpg Holiday [2019]/g.jpg IMG.HEIC a.jpg alias.jpg b.JPEG c.jfif d.jpe gone.jpg odd*name.jpg oddXname.jpg sub/deep/f.png sub/e.jpg x.avif x/z.jpg y.NEF {x,y}/z.jpg ~x.jpg"
	for _, c := range []struct {
		pattern, exclude, want string
	}{
		{".", "", top},
		{"**", "", top},
		{"./**", "", top},
		{dir, "", top},
		{"self", "", top},
		{"*.jpg", "", "a.jpg alias.jpg gone.jpg odd*name.jpg oddXname.jpg ~x.jpg"},
		{"odd*name.jpg", "", "odd*name.jpg"},
		{`odd\*name.jpg`, "", "odd*name.jpg"},
		{"odd?name.jpg", "", "odd*name.jpg oddXname.jpg"},
		{"Holiday [2019]", "", "Holiday [2019]/g.jpg"},
		{"Holiday [2019]/*", "", "Holiday [2019]/g.jpg"},
		{"Holiday [2019]/g.jpg", "", "Holiday [2019]/g.jpg"},
		{"Holiday [0-9]/*", "", "Holiday 2/h.jpg"},
		{"{x,y}/*", "", "{x,y}/z.jpg"},
		{"{x,sub/deep}/*", "", "sub/deep/f.png x/z.jpg"},
		{"{a,b{,c}}.{jpg,JPEG}", "", "a.jpg b.JPEG"},
		{"**/z.jpg", "", "x/z.jpg {x,y}/z.jpg"},
		{"*/e.jpg", "", "sub/e.jpg"},
		{"0link/*", "", "0link/e.jpg"},
		{"0link/**", "", top}, // it leads up again
		{"sub/*.jpg", "", "sub/e.jpg"},
		{"sub//*.jpg", "", "sub/e.jpg"},
		{"@eaDir/**", "", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg"},
		{".*", "", ".hidden.jpg"},
		{"notes.txt", "", "notes.txt"},
		{"empty", "", ""},
		{"~/sub/*.jpg", "", dir + "/sub/e.jpg"},
		{"~/a.jpg", "", dir + "/a.jpg"},
		{".", "*.jpg", "IMG.HEIC b.JPEG c.jfif d.jpe sub/deep/f.png x.avif y.NEF"},
		{".", "sub", "Holiday 2/h.jpg Holiday [2019]/g.jpg IMG.HEIC a.jpg alias.jpg b.JPEG c.jfif d.jpe gone.jpg odd*name.jpg oddXname.jpg 0link/deep/f.png 0link/e.jpg x.avif x/z.jpg y.NEF {x,y}/z.jpg ~x.jpg"},
		{"sub", "deep/", "sub/e.jpg"},
		{"sub/**", "sub/deep/**", "sub/e.jpg"},
		{"sub/**", "deep/*.png", "sub/e.jpg"},
		{"*/*.jpg", "Holiday [2019]", "Holiday 2/h.jpg sub/e.jpg x/z.jpg {x,y}/z.jpg"},
	} {
		want := strings.Fields(strings.NewReplacer("Holiday 2/", "Holiday\x002/", "Holiday [", "Holiday\x00[").Replace(c.want))
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], "\x00", " ")
			if filepath.IsAbs(c.pattern) || c.pattern == "self" {
				want[i] = filepath.Join(c.pattern, want[i])
			}
		}
		var ex []string
		if c.exclude != "" {
			ex = []string{c.exclude}
		}
		if c.pattern == "sub" || strings.HasPrefix(c.pattern, "sub/**") { // and not to what is above it
			ex = append(ex, "up")
		}
		if c.pattern == "0link/**" {
			for i, w := range want {
				if want[i] = "0link/up/" + w; strings.HasPrefix(w, "sub/") {
					want[i] = "0link" + strings.TrimPrefix(w, "sub")
				}
			}
		}
		slices.Sort(want)
		if got := findIn(t, c.pattern, ex...).paths; !slices.Equal(got, want) {
			t.Errorf("%s without %q:\n got %q\nwant %q", c.pattern, ex, got, want)
		}
	}
	for pattern, want := range map[string]string{
		"nothere/*": "no directory nothere in " + dir, "nothere.jpg": "no file nothere.jpg in " + dir, "*.webp": "nothing matches *.webp in " + dir, "pipe.jpg": "FIFO", "{a": "not a valid pattern",
		"a.jpg/*": "a.jpg is a file", "/nothere/**": "no directory /nothere", "": "empty path", "*/../x.jpg": "..",
	} {
		if _, err := FindPictures(context.Background(), pattern, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
	skipped := findIn(t, ".", "x").skipped
	for kind, want := range map[string]int64{".mov": 1, ".txt": 1, "without an ending": 1, "hidden": 2, "@eaDir": 1, "FIFO": 1, "excluded": 1, "link back to a directory above": 2} {
		if skipped[kind] != want {
			t.Errorf("%d %s are skipped, want %d", skipped[kind], kind, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FindPictures(ctx, ".", Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Of trees with links all over them, each directory's files come once, and they are
// those that find -L finds.
func TestLinks(t *testing.T) {
	if _, err := exec.LookPath("find"); err != nil {
		t.Skip("no find")
	}
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		dirs := []string{"."}
		names := []string{}
		for i := range 12 {
			d := filepath.Join(dirs[rng.IntN(len(dirs))], fmt.Sprintf("d%d", i))
			dirs = append(dirs, d)
			names = append(names, d+"/", fmt.Sprintf("%s/%d.jpg", d, i))
		}
		dir := tree(t, names...)
		for i := range 8 {
			target := filepath.Join(dir, dirs[rng.IntN(len(dirs))])
			if rng.IntN(2) == 0 {
				target = filepath.Join(dir, dirs[1+rng.IntN(12)], "..")
			}
			if err := os.Symlink(target, filepath.Join(dirs[rng.IntN(len(dirs))], fmt.Sprintf("%cl%d", "az"[rng.IntN(2)], i))); err != nil {
				t.Fatal(err)
			}
		}
		start := dirs[rng.IntN(len(dirs))]
		out, _ := exec.Command("find", "-L", start, "-type", "f").Output() // it complains of the loops
		real := func(paths []string) []string {
			var all []string
			for _, p := range paths {
				r, err := filepath.EvalSymlinks(filepath.Join(dir, p))
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, r)
			}
			slices.Sort(all)
			return all
		}
		want := slices.Compact(real(strings.Fields(string(out))))
		if got := real(findIn(t, start).paths); !slices.Equal(got, want) {
			t.Errorf("seed %d, %s: %q\nwant %q", seed, start, got, want)
		}
	}
}

func TestOpenRegular(t *testing.T) {
	tree(t, "|pipe.jpg", "directory/", "link.jpg -> pipe.jpg", "a.jpg")
	l, err := net.Listen("unix", "s.jpg")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for path, want := range map[string]string{"pipe.jpg": "FIFO", "link.jpg": "FIFO", "s.jpg": "socket", "/dev/zero": "device", "folder": "folder", "none": "no file none"} {
		if _, _, err := OpenRegular(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	f, st, err := OpenRegular("a.jpg")
	if err != nil || st.Size() != 1 {
		t.Fatal(err)
	}
	f.Close()
}

// A directory that can't be read is told of; what is beside it is found.
func TestUnreadableFolder(t *testing.T) {
	tree(t, "a/x.jpg", "b/y.jpg", "c/z.jpg")
	list := entries
	defer func() { entries = list }()
	entries = func(ctx context.Context, dir string) ([]fs.DirEntry, error) {
		if dir == "b" {
			return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrPermission}
		}
		return list(ctx, dir)
	}
	p := findIn(t, ".")
	if !slices.Equal(p.paths, []string{"a/x.jpg", "c/z.jpg"}) || len(p.failed) != 1 || p.failed[0].Error() != "b: no permission to read the directory" {
		t.Errorf("%q, %v", p.paths, p.failed)
	}
}
