package query_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// longerEncoder is another model than hashEncoder: of 5 dimensions.
type longerEncoder struct {
	hashEncoder
	hash string
}

func (w *longerEncoder) Model() encoder.Model {
	return encoder.Model{Name: "wide", Dim: 5, Hash: w.hash}
}

func wideVector(s string) []float32 {
	v := hashVector("wide" + s)
	return append(v, 0, 0)
}

func (w *longerEncoder) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out, err := w.hashEncoder.EncodeTexts(ctx, texts)
	for i := range out {
		out[i] = wideVector(texts[i])
	}
	return out, err
}

func (w *longerEncoder) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out, err := w.hashEncoder.EncodeImages(ctx, images)
	for i := range out {
		if out[i].Err == nil {
			out[i].Vector = wideVector(string(images[i].Data))
		}
	}
	return out, err
}

// withLonger gives a fixture the model 'wide' beside 'hash'.
func withLonger(f *fixture) *longerEncoder {
	w := &longerEncoder{hash: "w1"}
	old := f.env.Encoder
	f.env.Encoder = func(ctx context.Context, name string) (encoder.Encoder, error) {
		if name == "wide" {
			return w, nil
		}
		return old(ctx, name)
	}
	return w
}

// album writes pictures and a table of them.
func album(t *testing.T, f *fixture, n int) (dir string) {
	dir = t.TempDir()
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("p%04d.png", i)), fmt.Appendf(nil, "picture %d", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f.run("CREATE TABLE photos (path TEXT PRIMARY KEY, clip VECTOR ENCODER 'hash', n INTEGER)")
	f.run("INSERT INTO photos SELECT path, image(path), 7 FROM images('" + dir + "/*.png') ON CONFLICT (path) DO NOTHING")
	return dir
}

const reencodePhotos = "ALTER TABLE photos ALTER COLUMN clip SET ENCODER 'wide' REENCODE FROM image(path)"

// verifyWide compares every row with what its picture gives.
func verifyWide(f *fixture, dir string, n int) {
	f.t.Helper()
	for i := 0; i < n; i += 1 + n/50 {
		path := filepath.Join(dir, fmt.Sprintf("p%04d.png", i))
		data, err := os.ReadFile(path)
		if err != nil {
			f.t.Fatal(err)
		}
		f.expect("SELECT clip, n FROM photos WHERE path = '"+path+"'", value.Vec(wideVector(string(data))).String()+"|7")
	}
	f.expect("SELECT count(*), count(clip) FROM photos", fmt.Sprintf("%d|%d", n, n))
}

// While pictures are encoded anew, readers see the old vectors; then the new ones, of another
// dimension, at once. The column keeps its place, equal pictures are encoded once, and
// nothing is left of it.
func TestReencode(t *testing.T) {
	f := open(t)
	w := withLonger(f)
	dir := album(t, f, 3000)
	reader := query.NewSession(f.env)
	defer reader.Close()
	looked := 0
	w.seen = func(int64) {
		if looked++; looked%20 != 1 {
			return
		}
		r, err := reader.Query(t.Context(), "SELECT count(*), min(vector_dims(clip)), max(clip_sim('picture 7')) > 0 FROM photos", query.Args{}, query.Hooks{})
		if err != nil {
			t.Errorf("a reader meanwhile: %v", err)
			return
		}
		b, err := r.Next(t.Context())
		if err != nil || b.Cols[0].Ints[0] != 3000 || b.Cols[1].Ints[0] != 3 || !b.Cols[2].Bools[0] {
			t.Errorf("a reader sees %v, %v", b, err)
		}
		r.Close()
	}
	f.run("INSERT INTO photos SELECT 'copy of ' || path, clip, 8 FROM photos WHERE path LIKE '%p0001.png'")
	f.run("DELETE FROM photos WHERE n = 8")
	f.run(reencodePhotos)
	if looked == 0 || w.pictures.Load() != 3000 {
		t.Errorf("%d pictures were encoded, a reader looked %d times", w.pictures.Load(), looked)
	}
	verifyWide(f, dir, 3000)
	f.expect("SELECT path LIKE '%p0042.png' FROM photos ORDER BY clip_sim(image('"+dir+"/p0042.png')) LIMIT 1", "true")
	f.expect("SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'lupa_reencode%'", "0")
	if got := f.run("DESCRIBE photos"); len(got) != 3 || !strings.HasPrefix(got[1], "clip|VECTOR(5)") {
		t.Errorf("the table is %q", got)
	}
	stages := map[string]bool{}
	for _, p := range f.done {
		stages[p.Stage] = true
		if p.Stage == "encoding pictures" && p.Total > 0 && p.Done > p.Total {
			t.Errorf("progress %+v", p)
		}
	}
	if !stages["encoding pictures"] || !stages["writing vectors"] {
		t.Errorf("stages %v", stages)
	}
	// New rows get vectors of the new model, and from texts it goes as well.
	f.run("INSERT INTO photos VALUES ('x', 'a text', 7)")
	f.expect("SELECT clip FROM photos WHERE path = 'x'", value.Vec(wideVector("a text")).String())
	f.run("ALTER TABLE photos ALTER COLUMN clip SET ENCODER 'hash' REENCODE FROM 'of ' || n")
	f.expect("SELECT DISTINCT clip::text FROM photos", value.Vec(hashVector("of 7")).String())
}

// What was encoded before the statement was cancelled, or failed, is not encoded again; another
// model begins anew; dropping the table takes what was kept with it.
func TestReencodeGoesOn(t *testing.T) {
	f := open(t)
	w := withLonger(f)
	dir := album(t, f, 2500)
	ctx, cancel := context.WithCancel(t.Context())
	w.seen = func(n int64) {
		if n >= 1500 {
			cancel()
		}
	}
	if _, _, err := f.try(ctx, reencodePhotos); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if last := f.warn[len(f.warn)-1]; !strings.Contains(last, "stopped: ") || !strings.Contains(last, "DROP TABLE lupa_reencode_") {
		t.Errorf("warnings %q", f.warn)
	}
	f.expect("SELECT count(*), max(vector_dims(clip)) FROM photos", "2500|3")
	kept := f.run("SELECT count(*) FROM lupa_reencode_1_2")[0]
	w.seen = nil
	before := w.pictures.Load()
	f.run(reencodePhotos)
	if again := w.pictures.Load() - before; fmt.Sprint(2500-again) != kept || kept == "0" {
		t.Errorf("%s vectors were kept, %d encoded afterwards", kept, again)
	}
	verifyWide(f, dir, 2500)

	// A model that has changed.
	w.hash = "w2"
	f.run("ALTER TABLE photos ALTER COLUMN clip SET ENCODER 'wide' FORCE")
	w.hash = "w3"
	ctx, cancel = context.WithCancel(t.Context())
	w.seen = func(int64) { cancel() }
	if _, _, err := f.try(ctx, reencodePhotos); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	w.hash, w.seen = "w4", nil
	before = w.pictures.Load()
	f.run(reencodePhotos)
	if n := w.pictures.Load() - before; n != 2500 {
		t.Errorf("%d pictures for another model", n)
	}
	w.hash = "w5"
	ctx, cancel = context.WithCancel(t.Context())
	w.seen = func(int64) { cancel() }
	if _, _, err := f.try(ctx, reencodePhotos); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	f.run("DROP TABLE photos")
	f.expect("SELECT count(*) FROM information_schema.tables", "0")
}

// Rows that come, change and go while pictures are encoded have the right vectors at the end.
func TestReencodeBesideWriters(t *testing.T) {
	f := open(t)
	w := withLonger(f)
	dir := album(t, f, 1200)
	writer := query.NewSession(f.env)
	defer writer.Close()
	n, made := 0, 0
	w.seen = func(int64) {
		if n++; n%3 != 0 || made >= 900 {
			return
		}
		for range 1 + made%2*300 { // one, or so many that another round is needed
			path := filepath.Join(dir, fmt.Sprintf("p%04d.png", 1200+made))
			if err := os.WriteFile(path, fmt.Appendf(nil, "picture %d", 1200+made), 0o644); err != nil {
				t.Error(err)
			}
			made++
			for _, sql := range []string{
				"INSERT INTO photos (path, n, clip) VALUES ('" + path + "', 7, '[1,2,3]'::vector(3))",
				fmt.Sprintf("DELETE FROM photos WHERE path LIKE '%%p%04d.png'", 700+made/3),
			} {
				if r, err := writer.Query(t.Context(), sql, query.Args{}, query.Hooks{}); err != nil {
					t.Errorf("a writer meanwhile: %v", err)
				} else {
					r.Close()
				}
			}
		}
	}
	f.run(reencodePhotos)
	if made < 100 {
		t.Errorf("%d rows came meanwhile", made)
	}
	rows := f.run("SELECT path, clip FROM photos")
	for _, r := range rows {
		path, clip, _ := strings.Cut(r, "|")
		data, _ := os.ReadFile(path)
		if want := value.Vec(wideVector(string(data))).String(); clip != want {
			t.Fatalf("%s has %s, not %s", path, clip, want)
		}
	}
	if len(rows) < 1200 {
		t.Errorf("%d rows", len(rows))
	}
}

// A picture that changes under its path after it was encoded, while others are, or between two
// runs, is encoded again; so is one that comes back after it could not be read.
func TestReencodeChangedFiles(t *testing.T) {
	f := open(t)
	w := withLonger(f)
	dir := album(t, f, 900)
	change := func(i int, to string) {
		path := filepath.Join(dir, fmt.Sprintf("p%04d.png", i))
		if err := os.WriteFile(path, []byte(to), 0o644); err != nil {
			t.Error(err)
		}
		later := time.Now().Add(time.Duration(i+1) * time.Second) // clocks of file systems may be coarse
		if err := os.Chtimes(path, later, later); err != nil {
			t.Error(err)
		}
	}
	change(3, "bad")
	w.seen = func(n int64) {
		if n > 600 && n < 640 {
			for i := range 5 {
				change(i, fmt.Sprintf("picture %d, another one of %d", i, n))
			}
		}
	}
	f.run(reencodePhotos)
	verifyWide(f, dir, 900)
	for i := range 6 {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("p%04d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		f.expect(fmt.Sprintf("SELECT clip FROM photos WHERE path LIKE '%%p%04d.png'", i), value.Vec(wideVector(string(data))).String())
	}
	// Between two runs.
	w.hash = "w2"
	ctx, cancel := context.WithCancel(t.Context())
	w.seen = func(int64) {
		if w.pictures.Load() > 1300 {
			cancel()
		}
	}
	if _, _, err := f.try(ctx, reencodePhotos); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	w.seen = nil
	change(0, "once more")
	before := w.pictures.Load()
	f.run(reencodePhotos)
	if n := w.pictures.Load() - before; n >= 900 {
		t.Errorf("%d pictures were encoded again", n)
	}
	f.expect("SELECT clip FROM photos WHERE path LIKE '%p0000.png'", value.Vec(wideVector("once more")).String())
	verifyWide(f, dir, 900)
}

// A row that would lose its vector stops the statement before anything has changed, unless
// FORCE is said; what is wrong is said before anything is encoded.
func TestReencodeRefuses(t *testing.T) {
	f := open(t)
	w := withLonger(f)
	dir := album(t, f, 40)
	if err := os.WriteFile(filepath.Join(dir, "p0013.png"), []byte("bad"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.run("INSERT INTO photos VALUES ('none', NULL, 1)")
	f.fails(reencodePhotos, "1 row could not be encoded and would be left without a vector: "+dir+"/p0013.png; photos.clip is as it was")
	f.expect("SELECT count(clip), max(vector_dims(clip)) FROM photos", "40|3")
	if n := w.pictures.Load(); n != 40 {
		t.Errorf("%d pictures", n)
	}
	if err := os.WriteFile(filepath.Join(dir, "p0013.png"), []byte("picture 13"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.run(reencodePhotos)
	if n := w.pictures.Load(); n != 41 {
		t.Errorf("%d pictures", n)
	}
	f.expect("SELECT count(clip), max(vector_dims(clip)) FROM photos", "40|5")
	if err := os.Remove(filepath.Join(dir, "p0013.png")); err != nil {
		t.Fatal(err)
	}
	w.hash = "w2"
	f.run(reencodePhotos + " FORCE")
	f.expect("SELECT count(clip), max(vector_dims(clip)) FROM photos", "39|5")

	calls := w.calls.Load()
	f.fails("ALTER TABLE photos ALTER COLUMN clip SET ENCODER 'wide' REENCODE FROM n", "is encoded from a text, or image(...)")
	f.fails("ALTER TABLE photos ALTER COLUMN clip SET ENCODER 'wide' REENCODE FROM image(n)", "the path of a picture or its bytes")
	f.fails("ALTER TABLE photos ALTER COLUMN clip SET ENCODER 'wide' REENCODE FROM caption", `no column "caption"`)
	f.fails("ALTER TABLE photos ALTER COLUMN clip SET ENCODER 'wide' REENCODE FROM max(path)", "beside an aggregate")
	f.fails("ALTER TABLE photos ALTER COLUMN n SET ENCODER 'wide' REENCODE FROM path", "ENCODER is for VECTOR columns")
	f.fails("ALTER TABLE photos ALTER COLUMN clip SET ENCODER 'hash'", "REENCODE FROM")
	f.run("BEGIN")
	f.fails(reencodePhotos, "can't run within a transaction")
	f.run("ROLLBACK")
	f.run("ALTER TABLE photos ADD CONSTRAINT dims CHECK (vector_dims(clip) = 5)")
	f.fails("ALTER TABLE photos ALTER COLUMN clip SET ENCODER 'hash' REENCODE FROM path", "constraint dims of photos is about clip")
	if n := w.calls.Load(); n > calls {
		t.Errorf("%d calls", n-calls)
	}
}

// Wherever the power fails, the column is the old one or the new one, whole; run again the
// statement ends, and encodes only what had not been committed.
func TestReencodePowerCut(t *testing.T) {
	dir := t.TempDir()
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("p%04d.png", i)), fmt.Appendf(nil, "picture %d", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(5, 9))
	fs := vfs.NewCrashableMem()
	on := func(fs vfs.FS) *fixture {
		st, err := storage.Open("db", &storage.Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{t: t, enc: &hashEncoder{}}
		f.env = &query.Env{Store: st, Encoder: func(context.Context, string) (encoder.Encoder, error) { return f.enc, nil }}
		f.s = query.NewSession(f.env)
		return f
	}
	done := func(f *fixture) {
		f.s.Close()
		if err := f.env.Store.Check(t.Context(), func(p storage.Problem) { t.Errorf("check: %v", p) }); err != nil {
			t.Error(err)
		}
		if err := f.env.Store.Close(); err != nil {
			t.Error(err)
		}
	}
	f := on(fs)
	w := withLonger(f)
	f.run("CREATE TABLE photos (path TEXT PRIMARY KEY, clip VECTOR ENCODER 'hash', n INTEGER)")
	f.run("INSERT INTO photos SELECT path, image(path), 7 FROM images('" + dir + "/*.png') ON CONFLICT (path) DO NOTHING")
	var cuts []*vfs.MemFS
	cut := func() {
		cuts = append(cuts, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}))
	}
	w.seen = func(n int64) {
		if rng.IntN(4) == 0 {
			cut()
		}
	}
	_, err := f.s.Query(t.Context(), reencodePhotos, query.Args{}, query.Hooks{Progress: func(p query.Progress) {
		if p.Stage != "encoding pictures" {
			cut()
		}
	}, Notice: func(string) { cut() }})
	if err != nil {
		t.Fatal(err)
	}
	cut()
	done(f)
	dims := map[string]int{}
	for _, c := range cuts {
		f := on(c)
		w := withLonger(f)
		got := f.run("SELECT count(*), count(clip), min(vector_dims(clip)), max(vector_dims(clip)) FROM photos")[0]
		dims[got]++
		if !slices.Contains([]string{"300|300|3|3", "300|300|5|5"}, got) {
			t.Fatalf("after a cut: %s", got)
		}
		f.run(reencodePhotos)
		if n := w.pictures.Load(); n > 300 {
			t.Errorf("%d pictures", n)
		}
		verifyWide(f, dir, 300)
		done(f)
	}
	if len(dims) != 2 {
		t.Errorf("cuts: %v", dims)
	}
	t.Logf("cuts: %v", dims)
}
