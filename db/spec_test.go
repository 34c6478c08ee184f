package db_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// listening is words with prompts, which notes what it is given.
type listening struct {
	*words
	query, document string
	processor       string

	mu    sync.Mutex
	heard []string
}

func (l *listening) Prompts() (query, document string) { return l.query, l.document }

func (l *listening) Model() encoder.Model {
	m := l.words.Model()
	m.Processor = l.processor
	return m
}

func (l *listening) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	l.mu.Lock()
	l.heard = append(l.heard, texts...)
	l.mu.Unlock()
	return l.words.EncodeTexts(ctx, texts)
}

func (l *listening) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.heard
	l.heard = nil
	slices.Sort(out)
	return out
}

// Texts that are stored begin otherwise than those that are searched for, through every
// way in which a text becomes a vector; ENCODER may say how.
func TestPrompts(t *testing.T) {
	l := &listening{words: newWords(8), query: "query: ", document: "passage: "}
	asked := map[string]int{}
	d := open(t, &db.Options{OpenEncoder: func(_ context.Context, name string) (encoder.Encoder, error) {
		asked[name]++
		if base := encoder.ParseSpec(name).Name; base != "e5" {
			return nil, &encoder.NotFoundError{Name: name}
		}
		return l, nil
	}})
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := d.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	heard := func(want ...string) {
		t.Helper()
		slices.Sort(want)
		if got := l.take(); !slices.Equal(got, want) {
			t.Errorf("encoded %q, want %q", got, want)
		}
	}
	exec(`CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT, v VECTOR ENCODER 'e5')`)
	heard()
	exec(`INSERT INTO docs VALUES (1, 'a wolf', 'a wolf'), (2, 'two dogs', ?)`, "two dogs")
	heard("passage: a wolf", "passage: two dogs")
	exec(`INSERT INTO docs SELECT id + 10, body || '!', body || '!' FROM docs`)
	heard("passage: a wolf!", "passage: two dogs!")
	exec(`UPDATE docs SET v = 'a cat' WHERE id = 1`)
	heard("passage: a cat")
	exec(`UPDATE docs SET v = body || '?' WHERE id = 2`)
	heard("passage: two dogs?")
	exec(`SELECT id FROM docs ORDER BY v_sim('a cow') LIMIT 1`)
	heard("query: a cow")
	exec(`SELECT id FROM docs WHERE similarity(v, ?) > 2 AND v <=> 'a hen' < 9 ORDER BY v <-> 'a pig' - 'mud'`, "a fox")
	heard("query: a fox", "query: a hen", "query: a pig", "query: mud")
	exec(`SELECT id FROM docs ORDER BY v_sim('a cat') LIMIT 1`) // stored before, and not searched for
	heard("query: a cat")

	// What ENCODER says comes before what the model says, and is part of the identity.
	exec(`CREATE TABLE short (id INTEGER, v VECTOR ENCODER 'e5' DIMENSIONS 4 VARIANT 'int8' QUERY '' DOCUMENT 'title: ')`)
	exec(`INSERT INTO short VALUES (1, 'a wolf')`)
	heard("title: a wolf")
	exec(`SELECT id FROM short ORDER BY v_sim('a wolf') LIMIT 1`)
	heard("a wolf")
	exec(`SELECT id FROM short ORDER BY e5_sim('a ram') LIMIT 1`) // by the encoder's name
	heard("a ram")
	if asked["e5?variant=int8"] != 1 || asked["e5"] != 1 {
		t.Errorf("asked for %v", asked)
	}
	rows, err := d.Query(t.Context(), `SELECT vector_dims(v) FROM short`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil || n != 4 {
			t.Errorf("%d dimensions, %v", n, err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	rows.Close()
	if _, err := d.Exec(t.Context(), `ALTER TABLE docs SET ENCODER 'e5' DOCUMENT 'other: '`); err == nil || !strings.Contains(err.Error(), "FORCE") || !strings.Contains(err.Error(), "REENCODE") {
		t.Errorf("another prompt: %v", err)
	}
	for sql, want := range map[string]string{
		`CREATE TABLE x (v VECTOR ENCODER 'e5' DIMENSIONS 9)`:                 "8 dimensions",
		`CREATE TABLE x (v VECTOR ENCODER 'e5' DIMENSIONS 0)`:                 "1 to",
		`CREATE TABLE x (v VECTOR ENCODER 'e5' DIMENSIONS 4 DIMENSIONS 4)`:    "twice",
		`CREATE TABLE x (v VECTOR(8) ENCODER 'e5' DIMENSIONS 4)`:              "4 dimensions",
		`CREATE TABLE x (v VECTOR ENCODER 'e5' DIMENSIONS 4 QUERY = 'query')`: "a text in quotes",
	} {
		if _, err := d.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", sql, err, want)
		}
	}
}

// A column that was filled in 8 bits on another kind of processor is asked with a warning.
func TestProcessor(t *testing.T) {
	dir := t.TempDir()
	l := &listening{words: newWords(8), processor: "amd64 avx2"}
	var warned []string
	opts := &db.Options{Encoders: []encoder.Encoder{l}, Warn: func(s string) { warned = append(warned, s) }}
	d := openAt(t, dir+"/store", opts)
	for _, sql := range []string{`CREATE TABLE t (id INTEGER, v VECTOR ENCODER 'words')`, `INSERT INTO t VALUES (1, 'a wolf')`, `SELECT id FROM t ORDER BY v_sim('a') LIMIT 1`} {
		if _, err := d.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if len(warned) > 0 {
		t.Errorf("%q", warned)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Encoders = []encoder.Encoder{&listening{words: l.words, processor: "amd64 avx512-vnni"}}
	d = openAt(t, dir+"/store", opts)
	if _, err := d.Exec(t.Context(), `SELECT id FROM t ORDER BY v_sim('b') LIMIT 1`); err != nil {
		t.Fatal(err)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "amd64 avx2") || !strings.Contains(warned[0], "avx512-vnni") {
		t.Errorf("%q", warned)
	}
}
