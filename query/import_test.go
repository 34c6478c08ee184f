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
	"sync/atomic"
	"testing"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/clip"
	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage/value"
)

// An import of pictures leaves out, and reports, what can't be read; run again,
// it encodes only what is new.
func TestImportOfPictures(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 70 {
		write(fmt.Sprintf("p%02d.png", i), fmt.Sprintf("picture %d", i))
	}
	write("p33.png", "bad")
	f := open(t)
	f.run("CREATE TABLE photos (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'hash')")
	load := "INSERT INTO photos SELECT file_name(path), image(path) FROM images('" + dir + "/*.png') ON CONFLICT (id) DO NOTHING"
	imported := func() int64 {
		t.Helper()
		_, n, err := f.try(context.Background(), load)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := imported(); n != 69 {
		t.Errorf("%d rows, want 69", n)
	}
	if len(f.warn) != 1 || !strings.Contains(f.warn[0], "p33.png") {
		t.Errorf("warnings: %q", f.warn)
	}
	var done int64
	for _, p := range f.done {
		if p.Unit == "pictures" {
			if p.Done < done || p.Done > 70 || p.Total != 70 {
				t.Errorf("progress after %d pictures: %+v", done, p)
			}
			done = p.Done
		}
	}
	if done != 70 {
		t.Errorf("the last progress is of %d pictures, want 70", done)
	}
	write("q.png", "picture q")
	write("p33.png", "good now")
	before := f.enc.pictures.Load()
	if n := imported(); n != 2 {
		t.Errorf("the second import took %d rows, want 2", n)
	}
	if n := f.enc.pictures.Load() - before; n != 2 {
		t.Errorf("the second import encoded %d pictures, want 2", n)
	}
	f.expect("SELECT id FROM photos ORDER BY clip_sim(image('"+dir+"/p07.png')) LIMIT 1", "p07.png")
	f.fails("SELECT id FROM photos ORDER BY clip_sim(image('"+dir+"/none.png'))", "none.png")
}

// An import that is cancelled keeps what it had encoded; run again, it goes on
// from there.
func TestInterruptedImport(t *testing.T) {
	dir := t.TempDir()
	const n = 400
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.png", i)), []byte(fmt.Sprint("picture ", i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, conflict := range []string{"DO NOTHING", "DO UPDATE SET modified = excluded.modified, clip = excluded.clip"} {
		f := open(t)
		f.run("CREATE TABLE photos (path TEXT PRIMARY KEY, modified TIMESTAMP, clip VECTOR ENCODER 'hash')")
		load := "INSERT INTO photos SELECT path, modified, image(path) FROM images('" + dir + "') ON CONFLICT (path) " + conflict
		ctx, cancel := context.WithCancel(context.Background())
		f.enc.seen = func(pictures int64) {
			if pictures == 160 {
				cancel()
			}
		}
		if _, _, err := f.try(ctx, load); !errors.Is(err, context.Canceled) {
			t.Fatalf("%v, want context.Canceled", err)
		}
		var in int64
		fmt.Sscan(f.run("SELECT count(*) FROM photos")[0], &in)
		if in == 0 || in == n || !strings.Contains(strings.Join(f.warn, ""), fmt.Sprintf("%d rows are in photos", in)) {
			t.Errorf("%s: %d rows are in; warned %q", conflict, in, f.warn)
		}
		before := f.enc.pictures.Load()
		if _, got, err := f.try(context.Background(), load); err != nil || got != n-in || f.enc.pictures.Load()-before != n-in {
			t.Errorf("%s: the second import took %d rows of %d pictures, want %d: %v", conflict, got, f.enc.pictures.Load()-before, n-in, err)
		}
		f.expect("SELECT count(*), count(DISTINCT path) FROM photos", fmt.Sprintf("%d|%d", n, n))
	}
}

// wideEncoder has vectors long enough for codes.
type wideEncoder struct{ hashEncoder }

func (w *wideEncoder) Model() encoder.Model {
	return encoder.Model{Name: "wide", Dim: 64, Hash: "w1"}
}

func (w *wideEncoder) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		rng := rand.New(rand.NewPCG(uint64(len(t)), uint64(t[len(t)-1])))
		out[i] = make([]float32, 64)
		for k := range out[i] {
			out[i][k] = float32(rng.NormFloat64()) / 8
		}
	}
	return out, nil
}

func (w *wideEncoder) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	w.pictures.Add(int64(len(images)))
	out := make([]encoder.ImageResult, len(images))
	for i, im := range images {
		v, _ := w.EncodeTexts(ctx, []string{string(im.Data)})
		out[i].Vector = v[0]
	}
	return out, nil
}

// A large import trains the codes of its vectors when it is done; a small one
// added to it does not.
func TestImportTrainsCodes(t *testing.T) {
	dir := t.TempDir()
	const n = 4200
	write := func(from, to int) {
		for i := from; i < to; i++ {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.png", i)), []byte(strings.Repeat("x", i)+"y"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(0, n)
	f := open(t)
	f.env.Encoder = func(context.Context, string) (encoder.Encoder, error) { return &wideEncoder{}, nil }
	f.run("CREATE TABLE photos (path TEXT PRIMARY KEY, clip VECTOR ENCODER 'wide')")
	for i, want := range []bool{true, false} {
		f.done = nil
		if _, _, err := f.try(context.Background(), "INSERT INTO photos SELECT path, image(path) FROM images('"+dir+"') ON CONFLICT (path) DO NOTHING"); err != nil {
			t.Fatal(err)
		}
		trained := slices.ContainsFunc(f.done, func(p query.Progress) bool { return p.Stage == "training" })
		if trained != want {
			t.Errorf("import %d: trained %v, want %v", i, trained, want)
		}
		write(n, n+10)
	}
	f.expect("SELECT count(clip) FROM photos", fmt.Sprint(n+10))
}

// A table that keeps the size and time of files notices those that changed:
// they are reported, or encoded again.
func TestChangedPictures(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string, age time.Duration) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(1700000000, 123456789).Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.png", "b.png", "c.png", "d.png"} {
		write(name, "picture "+name, time.Hour)
	}
	f := open(t)
	f.run("CREATE TABLE photos (id TEXT PRIMARY KEY, bytes INTEGER, changed TIMESTAMP, note TEXT, clip VECTOR ENCODER 'hash')")
	load := "INSERT INTO photos (id, clip, changed, bytes) SELECT file_name(path), image(path), modified, bytes FROM images('" + dir + "') ON CONFLICT (id) "
	imported := func(conflict string, rows, pictures int64) {
		t.Helper()
		f.warn = nil
		before := f.enc.pictures.Load()
		_, n, err := f.try(context.Background(), load+conflict)
		if err != nil {
			t.Fatal(err)
		}
		if e := f.enc.pictures.Load() - before; n != rows || e != pictures {
			t.Errorf("%s: %d rows and %d pictures, want %d and %d", conflict, n, e, rows, pictures)
		}
	}
	imported("DO NOTHING", 4, 4)
	f.run("UPDATE photos SET note = 'mine'")
	imported("DO NOTHING", 0, 0)
	if len(f.warn) != 0 {
		t.Errorf("warnings: %q", f.warn)
	}
	write("b.png", "another one", time.Hour)     // of another size
	write("c.png", "picture C.png", time.Minute) // of the same size
	write("e.png", "picture e", time.Hour)
	imported("DO NOTHING", 1, 1)
	if len(f.warn) != 2 || !strings.Contains(f.warn[0], "b.png has changed") || !strings.Contains(f.warn[1], "c.png has changed") {
		t.Errorf("warnings: %q", f.warn)
	}
	update := "DO UPDATE SET bytes = excluded.bytes, changed = excluded.changed, clip = excluded.clip"
	imported(update, 2, 2)
	imported(update, 0, 0)
	f.expect("SELECT id, note FROM photos ORDER BY id", "a.png|mine", "b.png|mine", "c.png|mine", "d.png|mine", "e.png|NULL")
	f.expect("SELECT id FROM photos ORDER BY clip_sim(image('"+dir+"/b.png')) LIMIT 1", "b.png")
	// What does not follow from the file alone, or does not tell its time, is
	// always encoded.
	imported("DO UPDATE SET changed = excluded.changed, note = 'again', clip = excluded.clip", 5, 5)
	imported("DO UPDATE SET clip = excluded.clip", 5, 5)
}

// Files that were moved are found by what they hold, without encoding them again, and rows
// of files that are gone are listed and removed, by the statements that LANGUAGE.md has.
func TestMovedPictures(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.png", "b.png", "c.png", "d.png"} {
		write(name, "picture "+name)
	}
	f := open(t)
	images := "images('" + dir + "/**')"
	f.run("CREATE TABLE photos (path TEXT PRIMARY KEY, hash TEXT, note TEXT, clip VECTOR ENCODER 'hash')")
	load := "INSERT INTO photos (path, hash, clip) SELECT path, hash, image(path) FROM " + images + " ON CONFLICT (path) DO NOTHING"
	f.run(load)
	f.run("UPDATE photos SET note = file_name(path)")
	if err := os.Mkdir(filepath.Join(dir, "new"), 0o755); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"a.png": "new/x.png", "b.png": "b2.png"} {
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "c.png")); err != nil {
		t.Fatal(err)
	}
	write("e.png", "picture e.png")
	before := f.enc.pictures.Load()
	gone := "path NOT IN (SELECT path FROM " + images + ")"
	f.expect("SELECT note FROM photos WHERE "+gone+" ORDER BY note", "a.png", "b.png", "c.png")
	f.run("UPDATE photos SET path = f.path FROM " + images + " AS f WHERE f.hash = photos.hash AND photos." + gone)
	f.expect("SELECT note FROM photos WHERE "+gone, "c.png")
	f.run("DELETE FROM photos WHERE " + gone)
	f.run(load)
	f.expect("SELECT file_name(path), note FROM photos ORDER BY path", "b2.png|b.png", "d.png|d.png", "e.png|NULL", "x.png|a.png")
	if n := f.enc.pictures.Load() - before; n != 1 {
		t.Errorf("%d pictures were encoded, want e.png alone", n)
	}
	f.expect("SELECT path FROM photos WHERE note = 'a.png' AND clip_sim(image(path)) > 0.999999", filepath.Join(dir, "new", "x.png"))
}

// Nothing of a COPY stays when it fails in the middle.
func TestCopyIsAllOrNothing(t *testing.T) {
	f := open(t)
	csv := filepath.Join(t.TempDir(), "a.csv")
	var b strings.Builder
	b.WriteString("id,n\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "%d,%d\n", i, i)
	}
	b.WriteString("77,1\n")
	if err := os.WriteFile(csv, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	f.run("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
	f.run("INSERT INTO t VALUES (-1, 0)")
	f.fails("COPY t FROM '"+csv+"'", "duplicate key")
	f.expect("SELECT count(*) FROM t", "1")
	f.run("BEGIN")
	f.fails("COPY t FROM '"+csv+"'", "duplicate key")
	f.fails("SELECT 1", "ROLLBACK")
	f.run("ROLLBACK")
	f.expect("SELECT count(*) FROM t", "1")
}

func TestMemoryBudget(t *testing.T) {
	f := open(t)
	fill(f, newRand(), 3000)
	small := &query.Env{Store: f.env.Store, MemoryBudget: 10000}
	s := query.NewSession(small)
	for _, sql := range []string{
		"SELECT * FROM photos ORDER BY width, id",
		"SELECT id, count(*) FROM photos GROUP BY id",
		"SELECT DISTINCT id FROM photos",
		"SELECT row_number() OVER () FROM photos",
		"WITH RECURSIVE t (n) AS (SELECT 1 UNION SELECT n + 1 FROM t) SELECT count(*) FROM t",
		"WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT t.n + g.i FROM t, generate_series(1, 2) AS g (i)) SELECT count(*) FROM t",
		"SELECT a.id FROM photos AS a JOIN photos AS b ON a.id = b.width",
		"SELECT id FROM photos AS a WHERE EXISTS (SELECT 1 FROM photos AS b WHERE b.width = a.width AND b.tag <> a.tag)",
		"SELECT id FROM photos AS a WHERE EXISTS (SELECT 1 FROM photos AS b WHERE b.id = a.id - 1 OR b.id = a.id + 1)",
	} {
		r, err := s.Query(context.Background(), sql, query.Args{}, query.Hooks{})
		for err == nil {
			b, e := r.Next(context.Background())
			if err = e; b == nil {
				break
			}
		}
		var m *query.MemoryError
		if !errors.As(err, &m) {
			t.Errorf("%s: %v, want a MemoryError", sql, err)
		}
	}
	f.expect("SELECT count(*) FROM photos WHERE id < 10", "9")
}

// A cancelled statement returns soon, whatever it is doing.
func TestCancel(t *testing.T) {
	f := open(t)
	fill(f, newRand(), 3000)
	f.run("CREATE TABLE e (v VECTOR ENCODER 'hash')")
	f.enc.wait = make(chan struct{})
	defer close(f.enc.wait)
	for _, sql := range []string{
		"SELECT v_sim FROM (SELECT similarity(v, 'slow') AS v_sim FROM e) AS x",
		"SELECT count(*) FROM photos AS a, photos AS b, photos AS c WHERE a.width + b.width + c.width = 500",
		"WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT 1 - n FROM t) SELECT count(*) FROM t",
		"SELECT count(*) FROM photos AS a WHERE EXISTS (SELECT 1 FROM photos AS b, photos AS c WHERE b.width + c.width + a.id = -5)",
		"SELECT count(*) FROM photos AS a WHERE EXISTS (SELECT 1 FROM photos AS b WHERE b.width / 100 = a.width / 100 AND b.id + a.id = -5)",
	} {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			_, _, err := f.try(ctx, sql)
			done <- err
		}()
		time.Sleep(20 * time.Millisecond)
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want context.Canceled", sql, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s goes on after it was cancelled", sql)
		}
	}
}

func TestRunMany(t *testing.T) {
	f := open(t)
	f.run("CREATE TABLE p (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'hash')")
	f.run("INSERT INTO p VALUES ('a', 'one'), ('b', 'two'), ('c', 'three'), ('d', NULL)")
	f.runMany("SELECT id, clip_sim($1) AS s FROM p ORDER BY s LIMIT 4")
	f.runMany("SELECT id, clip_sim($1) AS s FROM p WHERE id <> 'b' ORDER BY s LIMIT 4")
	f.runMany("SELECT id, clip_sim($1) AS s FROM p WHERE id <> $1 AND abs(s) > 0.2 ORDER BY s, id LIMIT 4")
	for sql, shared := range map[string]bool{
		"SELECT id FROM p WHERE id <> 'b' ORDER BY clip_sim($1) LIMIT 1":                              true,
		"SELECT id FROM p WHERE id <> $1 ORDER BY clip_sim($1) LIMIT 1":                               true,
		"SELECT id FROM p WHERE id > $1 ORDER BY clip_sim($1) LIMIT 1":                                false,
		"SELECT id FROM p WHERE clip_sim($1) + 1 > 0.1 ORDER BY clip_sim($1) LIMIT 1":                 false,
		"SELECT id FROM p WHERE id IN (SELECT id FROM p WHERE id > $1) ORDER BY clip_sim($1) LIMIT 1": false,
	} {
		for _, how := range []string{"EXPLAIN ", "EXPLAIN ANALYZE "} {
			plan := f.runMany(how + sql)
			if strings.Contains(plan, "4 searches in one pass") != shared {
				t.Errorf("%s%s\n%s", how, sql, plan)
			}
			if !strings.Contains(plan, "clip_sim('alpha')") {
				t.Errorf("%s%s does not show the phrase\n%s", how, sql, plan)
			}
		}
	}
}

// runMany runs a query for four phrases and compares the answers with those of
// each alone; of EXPLAIN it returns what is shown for the first.
func (f *fixture) runMany(sql string) (first string) {
	t := f.t
	t.Helper()
	st, err := query.Prepare(f.env, sql)
	if err != nil {
		t.Fatal(err)
	}
	before := f.enc.calls.Load()
	words := []string{"alpha", "beta", "gamma", "three"}
	var args []query.Args
	for _, w := range words {
		args = append(args, query.Args{Pos: []value.Value{value.Str(w)}})
	}
	results, err := f.s.RunMany(context.Background(), slices.Repeat([]*query.Stmt{st}, len(args)), args, query.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	if n := f.enc.calls.Load() - before; n > 1 {
		t.Errorf("texts were encoded in %d batches, want 1", n)
	}
	for i, r := range results {
		var got []string
		for {
			b, err := r.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if b == nil {
				break
			}
			for k := range b.Len {
				var cells []string
				for _, c := range b.Cols {
					cells = append(cells, c.Value(k).String())
				}
				got = append(got, strings.Join(cells, "|"))
			}
		}
		r.Close()
		if strings.HasPrefix(sql, "EXPLAIN") {
			if i == 0 {
				first = strings.Join(got, "\n")
			}
			continue
		}
		if want := f.run(sql, value.Str(words[i])); strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("%s for %s: %v, want %v", sql, words[i], got, want)
		}
	}
	return first
}

// slowEncoder takes its time for each picture.
type slowEncoder struct {
	hashEncoder
	each time.Duration
	most atomic.Int64 // pictures of one call
}

func (s *slowEncoder) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	s.most.Store(max(s.most.Load(), int64(len(images))))
	for range images {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(s.each):
		}
	}
	return s.hashEncoder.EncodeImages(ctx, images)
}

// With an encoder that is slow, every picture counts: progress comes after each,
// and an import that is stopped keeps all but those in the works.
func TestSlowImport(t *testing.T) {
	dir := t.TempDir()
	for i := range 40 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.png", i)), []byte(fmt.Sprint("picture ", i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := open(t)
	slow := &slowEncoder{each: 400 * time.Millisecond}
	f.env.Encoder = func(context.Context, string) (encoder.Encoder, error) { return slow, nil }
	f.run("CREATE TABLE photos (path TEXT PRIMARY KEY, clip VECTOR ENCODER 'hash')")
	ctx, cancel := context.WithCancel(context.Background())
	done := int64(0)
	s := query.NewSession(f.env)
	_, err := s.Query(ctx, "INSERT INTO photos SELECT path, image(path) FROM images('"+dir+"') ON CONFLICT DO NOTHING", query.Args{}, query.Hooks{
		Progress: func(p query.Progress) {
			if p.Unit != "pictures" {
				return
			}
			if p.Done > done+4 {
				t.Errorf("progress goes from %d to %d pictures", done, p.Done)
			}
			if done = p.Done; done >= 8 {
				cancel()
			}
		}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	var in int64
	fmt.Sscan(f.run("SELECT count(*) FROM photos")[0], &in)
	if in < done-4 || in == 0 || slow.most.Load() > 4 {
		t.Errorf("%d rows are in of %d pictures done; up to %d were encoded at once", in, done, slow.most.Load())
	}
}

// What is encoded is committed when its time is up, also while no more comes.
func TestImportCommitsInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := t.TempDir()
	for i := range 3 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.png", i)), []byte(fmt.Sprint("picture ", i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := open(t)
	f.run("CREATE TABLE photos (path TEXT PRIMARY KEY, clip VECTOR ENCODER 'hash')")
	slow := &gated{f.enc, make(chan struct{})}
	f.env.Encoder = func(context.Context, string) (encoder.Encoder, error) { return slow, nil }
	ended := make(chan error, 1)
	go func() {
		_, err := query.NewSession(f.env).Query(context.Background(), "INSERT INTO photos SELECT path, image(path) FROM images('"+dir+"') ON CONFLICT DO NOTHING", query.Args{}, query.Hooks{})
		ended <- err
	}()
	rows := "0"
	for until := time.Now().Add(30 * time.Second); rows == "0" && time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		rows = f.run("SELECT count(*) FROM photos")[0]
	}
	if rows != "1" {
		t.Errorf("%s rows are in while the encoder is at the second picture, want 1", rows)
	}
	close(slow.gate)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	f.expect("SELECT count(*) FROM photos", "3")
}

// gated encodes the first picture, and the others when its gate is open.
type gated struct {
	*hashEncoder
	gate chan struct{}
}

func (g *gated) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	if string(images[0].Data) != "picture 0" {
		<-g.gate
	}
	return g.hashEncoder.EncodeImages(ctx, images)
}

// An import ends with counts; files of one kind that can't be read are told of
// once.
func TestImportCounts(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{"a.png": "picture a", "b.png": "picture b", "c.png": "bad", "1.heic": "HEIC", "2.HEIC": "HEIC", "x.mov": "", ".hid": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := open(t)
	enc := &knowsNoHEIC{f.enc}
	f.env.Encoder = func(context.Context, string) (encoder.Encoder, error) { return enc, nil }
	f.run("CREATE TABLE photos (path TEXT PRIMARY KEY, clip VECTOR ENCODER 'hash')")
	for i, want := range []string{
		"2 pictures read, 4 skipped (2 HEIC, 1 .mov, 1 hidden), 1 failed",
		"0 pictures read, 2 there already, 4 skipped (2 HEIC, 1 .mov, 1 hidden), 1 failed",
	} {
		var notices, warned []string
		hooks := query.Hooks{Notice: func(m string) { notices = append(notices, m) }, Warn: func(m string) { warned = append(warned, m) }}
		if _, err := f.s.Query(context.Background(), "INSERT INTO photos SELECT path, image(path) FROM images('"+dir+"') ON CONFLICT DO NOTHING", query.Args{}, hooks); err != nil {
			t.Fatal(err)
		}
		if len(notices) != 1 || notices[0] != want || len(warned) != 2 {
			t.Errorf("import %d: %q, want %s; warned %q", i, notices, want, warned)
		}
	}
}

// So does an import of files.
func TestImportCountsRows(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("id,x\n1,a\n2,b\n3,c\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{"more.csv": "20", "more2.csv": "21"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("More,x,ID,and more\nm,a,"+id+",n\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := open(t)
	f.run("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
	for _, c := range []struct{ sql, want string }{
		{"COPY t FROM '" + dir + "/a.csv'", "3 rows read, 0 skipped, 0 failed"},
		{"INSERT INTO t SELECT * FROM read_csv('" + dir + "/a*.csv') ON CONFLICT DO NOTHING", "3 rows read, 3 there already, 0 skipped, 0 failed"},
		{"INSERT INTO t SELECT id + 10, x FROM read_csv('" + dir + "/a.csv') WHERE id < 3", "3 rows read, 0 skipped, 0 failed"},
		{"COPY t FROM '" + dir + "/more.csv'", "1 row read, 0 skipped, 0 failed; columns not read: More, and more"},
		{"COPY t (id, x) FROM '" + dir + "/more2.csv'", "1 row read, 0 skipped, 0 failed"},
		{"COPY t FROM '" + dir + "/a.csv'", ""},
		{"SELECT count(*) FROM read_csv('" + dir + "/a.csv')", ""},
	} {
		got := ""
		hooks := query.Hooks{Notice: func(m string) { got += m }}
		if rows, err := f.s.Query(context.Background(), c.sql, query.Args{}, hooks); err == nil {
			rows.Close()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.sql, got, c.want)
		}
	}
}

// What is left out of files that have more than the first of several is said, too.
func TestUnreadColumns(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"1.jsonl": "{\"id\":1}\n", "2.jsonl": "{\"id\":2,\"x\":[]}\n", "3.jsonl": "{\"z\":0,\"id\":3}\n", "1.csv": "id\n1\n", "2.csv": "x,id\n0,2\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := open(t)
	f.run("CREATE TABLE t (id INTEGER)")
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct{ sql, want string }{
		{"SELECT * FROM read_jsonl('" + at("*.jsonl") + "')", at("2.jsonl") + " has columns that " + at("1.jsonl") + " lacks, which are not read: x|" + at("3.jsonl") + " has columns that " + at("1.jsonl") + " lacks, which are not read: z"},
		{"COPY t FROM '" + at("[12].csv*") + "'", at("2.csv") + " has columns that " + at("1.csv") + " lacks, which are not read: x"},
		{"SELECT * FROM read_csv('" + at("1.csv") + "')", ""},
	} {
		f.warn = nil
		f.run(c.sql)
		got := strings.Join(f.warn, "|")
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.sql, got, c.want)
		}
	}
}

type knowsNoHEIC struct{ *hashEncoder }

func (k *knowsNoHEIC) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	out, err := k.hashEncoder.EncodeImages(ctx, images)
	for i := range out {
		if string(images[i].Data) == "HEIC" {
			out[i] = encoder.ImageResult{Err: &clip.UnsupportedFormatError{Format: "HEIC"}}
		}
	}
	return out, err
}

// partial can't do what it has an error for.
type partial struct {
	*hashEncoder
	texts, pictures error
}

func (p *partial) Can() (texts, pictures error) { return p.texts, p.pictures }

// What an encoder can't do is said when it is chosen; one that can do nothing is
// refused.
func TestCapable(t *testing.T) {
	f := open(t)
	enc := &partial{hashEncoder: f.enc}
	f.env.Encoder = func(context.Context, string) (encoder.Encoder, error) { return enc, nil }
	f.run("CREATE TABLE a (v VECTOR ENCODER 'hash')")
	if len(f.warn) > 0 {
		t.Errorf("warned %q", f.warn)
	}
	enc.texts = errors.New("no tokenizer")
	f.run("CREATE TABLE b (v VECTOR ENCODER 'hash')")
	f.run("ALTER TABLE a SET ENCODER 'hash'")
	if want := []string{"no tokenizer", "no tokenizer"}; !slices.Equal(f.warn, want) {
		t.Errorf("warned %q, want %q", f.warn, want)
	}
	enc.pictures = errors.New("no vision model")
	f.fails("CREATE TABLE c (v VECTOR ENCODER 'hash')", "no tokenizer; no vision model")
}
