package shell

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// promptTable makes a models directory with the encoder "words", a table of
// prompts: "one" to "four" are the axes of a space of four dimensions.
func promptTable(t *testing.T) string {
	t.Helper()
	models := t.TempDir()
	dir := filepath.Join(models, "words")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "prompts.txt"), []byte("one\ntwo\nthree\nfour\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	head := "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 4), }"
	head += strings.Repeat(" ", 63-(10+len(head))%64) + "\n"
	npy := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), byte(len(head)>>8))
	npy = append(npy, head...)
	for i := range 16 {
		x := float32(0)
		if i%5 == 0 {
			x = 1
		}
		npy = binary.LittleEndian.AppendUint32(npy, math.Float32bits(x))
	}
	if err := os.WriteFile(filepath.Join(dir, "prompts.npy"), npy, 0o644); err != nil {
		t.Fatal(err)
	}
	return models
}

// wordStore is a store whose rows lie at known angles to the prompts.
func wordStore(t *testing.T, models string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "words.lupa")
	got := lupa(t, "", "--models", models, dir, `CREATE TABLE w (id TEXT PRIMARY KEY, kind TEXT, legs INTEGER, clip VECTOR ENCODER 'words');
	INSERT INTO w VALUES
	 ('a', 'cat', 4, [0.9, 0.1, 0, 0]),
	 ('b', 'dog', 4, [0.8, 0.2, 0.1, 0]),
	 ('c', 'fish', 0, [0.1, 0.9, 0, 0]),
	 ('d', NULL, NULL, [0, 0.7, 0.7, 0]),
	 ('e', 'dog', 3, [0, 0, 0.2, 0.9])`)
	if got.status != 0 {
		t.Fatal(got.err)
	}
	return dir
}

func TestPrompts(t *testing.T) {
	models := promptTable(t)
	dir := wordStore(t, models)
	file := write(t, "p.txt", "one\n\n  two \r\n")
	got := lupa(t, "", "--models", models, dir, "--prompts", file, "-k", "2", "--format", "csv")
	lines := strings.Split(got.out, "\n")
	if len(lines) != 6 || lines[0] != "prompt,rank,id,score" || !strings.HasPrefix(lines[1], "one,1,a,0.99") ||
		!strings.HasPrefix(lines[2], "one,2,b,0.9") || !strings.HasPrefix(lines[3], "two,1,c,0.99") || !strings.HasPrefix(lines[4], "two,2,d,0.7") {
		t.Errorf("%d %q %s", got.status, got.out, got.err)
	}
	got = lupa(t, "one\nnosuch\n", "--models", models, dir, "--prompts", "-")
	if got.status != 1 || !strings.Contains(got.err, "nosuch") {
		t.Errorf("an unknown prompt: %d %s", got.status, got.err)
	}
	if got = lupa(t, "", "--models", models, dir, "--prompts", file, "--column", "nosuch"); got.status != 1 || !strings.Contains(got.err, `no column "nosuch"`) {
		t.Errorf("%d %s", got.status, got.err)
	}
}

func TestEval(t *testing.T) {
	models := promptTable(t)
	dir := wordStore(t, models)
	// Ranks of the first right hit: 1 (a), 2 (b), 1 (c), 3 (d: NULL), and none.
	file := write(t, "q.csv", `query,predicate,kind,precision_at_1,precision_at_10
one,kind=cat,x,1.00,0.10
one,kind=dog;legs=4,x,0.00,0.10
two,legs=0,y,1.00,0.50
two,kind=,y,0.00,0.10
four,kind=bird,y,0,0
`)
	got := lupa(t, "", "eval", "--models", models, dir, file, "--format", "csv")
	want := `prompts,number,precision@1,precision@3,precision@10,MRR,hit@1,hit@3,hit@10,recall@1,recall@3,recall@10,nDCG@1,nDCG@3,nDCG@10
x,2,0.5,0.3333,0.1,0.75,0.5,1,1,0.5,1,1,0.5,0.8155,0.8155
y,3,0.3333,0.2222,0.0667,0.5,0.3333,0.6667,0.6667,0.3333,0.6667,0.6667,0.3333,0.5436,0.5436
all,5,0.4,0.2667,0.08,0.6,0.4,0.8,0.8,0.4,0.8,0.8,0.4,0.6524,0.6524
first hit is wrong,first,score,best right,its score,margin,rank
one,a,0.9939,b,0.9631,0.0308,2
two,c,0.9939,d,0.7071,0.2868,2
four,e,0.9762,,,,
`
	if got.out != want || got.status != 0 {
		t.Errorf("%d\n%s%s", got.status, got.out, got.err)
	}
	if !strings.Contains(got.err, "line 4, two: precision@10 is 0.10, the file says 0.50") || !strings.Contains(got.err, "9 of the 10 figures") {
		t.Errorf("the comparison is\n%s", got.err)
	}

	byKey := write(t, "k.csv", "prompt,id\none,a\ntwo,e\n")
	got = lupa(t, "", "eval", byKey, dir, "--models", models, "--format", "csv")
	if !strings.Contains(got.out, "all,2,0.5,0.1667,0.1,0.6,0.5,0.5,1,0.5,0.5,1,0.5,0.5,0.6934\n") || !strings.Contains(got.out, "two,c,0.9939,e,0,0.9939,5\n") {
		t.Errorf("%d\n%s%s", got.status, got.out, got.err)
	}

	// Conditions mean the same for a hit and for the rows that are counted.
	if got := lupa(t, "", "--models", models, dir, "ALTER TABLE w ADD COLUMN tame BOOLEAN; UPDATE w SET tame = kind = 'cat'"); got.status != 0 {
		t.Fatal(got.err)
	}
	same := write(t, "q.csv", "query,predicate\none,legs=4.0;tame=TRUE\none,legs=+4;tame=true\n")
	got = lupa(t, "", "eval", "--models", models, dir, same, "--format", "csv")
	if !strings.Contains(got.out, "all,2,1,0.3333,0.1,1,1,1,1,1,1,1,1,1,1\n") {
		t.Errorf("%d\n%s%s", got.status, got.out, got.err)
	}

	for text, message := range map[string]string{
		"query,predicate\none,nosuch=1\n":  `q.csv:2: no column "nosuch"`,
		"query,predicate\none,legs=four\n": `q.csv:2: legs is INTEGER`,
		"query,predicate\none,dog\n":       `not column=value`,
		"query,predicate\none,tame=1\n":    `q.csv:2: tame is BOOLEAN, "1" is neither true nor false`,
		"query,who\none,dog\n":             `query and predicate`,
		"query,predicate\n":                `no prompts`,
	} {
		got := lupa(t, "", "eval", "--models", models, dir, write(t, "q.csv", text))
		if got.status != 1 || !strings.Contains(got.err, message) {
			t.Errorf("%q: %d %s", text, got.status, got.err)
		}
	}
}

// The figures are those that a plain sort of all scores gives, with the labels of the file.
func TestEvalFigures(t *testing.T) {
	const data, models = "../../../../testdata/toy-clip/", "../../../../testdata/models"
	store := filepath.Join(t.TempDir(), "photos.lupa")
	got := lupa(t, "", "--models", models, store, `CREATE TABLE photos (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'toy-clip',
		subject TEXT, colour TEXT, count INTEGER, place TEXT, action TEXT)`)
	if strings.Contains(got.err, "ONNX Runtime") {
		t.Skip(got.err)
	}
	if got.status == 0 {
		got = lupa(t, "", "--models", models, store, "COPY photos (clip, id) FROM '"+data+"corpus/features.npy', '"+data+"corpus/photo_ids.csv'",
			"DELETE FROM photos WHERE id > '2'", // a twentieth is left, so that some predicates have no row and some have few
			`UPDATE photos SET subject = m.subject, colour = m.colour, count = m.count, place = m.place, action = m.action
			 FROM read_csv('`+data+`corpus/metadata.csv') AS m WHERE m.photo_id = photos.id`)
	}
	if got.status != 0 {
		t.Fatal(got.err)
	}
	table := func(name string) (rows []map[string]string) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all[1:] {
			row := map[string]string{}
			for i, name := range all[0] {
				row[name] = r[i]
			}
			rows = append(rows, row)
		}
		return rows
	}
	photos := map[string]map[string]string{}
	for _, p := range table(data + "corpus/metadata.csv") {
		photos[p["photo_id"]] = p
	}
	queries := table(data + "queries.csv")
	var sql strings.Builder
	for i, q := range queries {
		fmt.Fprintf(&sql, "SELECT %d AS query, id, clip_sim('%s') AS score FROM photos;\n", i, q["query"])
	}
	type hit struct {
		id    string
		score float64
	}
	hits := make([][]hit, len(queries))
	got = lupa(t, sql.String(), "--models", models, store, "--format", "jsonl")
	for line := range strings.Lines(got.out) {
		var r struct {
			Query int
			ID    string
			Score float64
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err, line)
		}
		hits[r.Query] = append(hits[r.Query], hit{r.ID, r.Score})
	}
	want := map[string][]float64{} // by kind: the number, then the sums in the order of the columns
	none, few := 0, 0
	for i, q := range queries {
		slices.SortFunc(hits[i], func(a, b hit) int {
			return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id, b.id))
		})
		var ranks []int // of the right rows, from 1
		for rank, h := range hits[i] {
			right := true
			for _, c := range strings.Split(q["predicate"], ";") {
				name, val, _ := strings.Cut(c, "=")
				right = right && photos[h.id][name] == val
			}
			if right {
				ranks = append(ranks, rank+1)
			}
		}
		switch {
		case len(ranks) == 0:
			none++
		case len(ranks) < 10:
			few++
		}
		precision, hit, recall, ndcg := []float64{}, []float64{}, []float64{}, []float64{}
		for _, k := range []int{1, 3, 10} {
			found, gain, best := 0.0, 0.0, 0.0
			for n, rank := range ranks {
				if rank <= k {
					found++
					gain += math.Ln2 / math.Log(1+float64(rank))
				}
				if n < k {
					best += math.Ln2 / math.Log(2+float64(n))
				}
			}
			precision = append(precision, found/float64(k))
			if len(ranks) == 0 {
				hit, recall, ndcg = append(hit, 0), append(recall, 0), append(ndcg, 0)
				continue
			}
			any := 0.0
			if ranks[0] <= k {
				any = 1
			}
			hit, recall, ndcg = append(hit, any), append(recall, found/float64(len(ranks))), append(ndcg, gain/best)
		}
		mrr := 0.0
		if len(ranks) > 0 {
			mrr = 1 / float64(ranks[0])
		}
		for _, kind := range []string{q["kind"], "all"} {
			if want[kind] == nil {
				want[kind] = make([]float64, 14)
			}
			for x, v := range slices.Concat([]float64{1}, precision, []float64{mrr}, hit, recall, ndcg) {
				want[kind][x] += v
			}
		}
	}
	if len(hits[0]) < 500 || none == 0 || few == 0 {
		t.Fatalf("%d rows, %d prompts without a right one, %d with less than ten: tests too little", len(hits[0]), none, few)
	}
	got = lupa(t, "", "eval", "--models", models, store, data+"queries.csv", "--format", "csv")
	lines := strings.Split(got.out, "\n")
	for _, line := range lines[1 : 1+len(want)] {
		fields := strings.Split(line, ",")
		w := want[fields[0]]
		if len(w) == 0 || len(fields) != 1+len(w) {
			t.Fatalf("%q\n%s%s", line, got.out, got.err)
		}
		for x, v := range w {
			if x > 0 {
				v /= w[0]
			}
			if f, err := strconv.ParseFloat(fields[1+x], 64); err != nil || math.Abs(f-v) > 0.00006 {
				t.Errorf("%s: %s is %s, want %.4f", fields[0], strings.Split(lines[0], ",")[1+x], fields[1+x], v)
			}
		}
	}
}

// Two columns, or a column and what it was in a copy of the store, are compared by their first
// hits, with right answers or prompts alone.
func TestEvalCompare(t *testing.T) {
	models := promptTable(t)
	dir := wordStore(t, models)
	before := filepath.Join(t.TempDir(), "before.lupa")
	for _, sql := range []string{
		"BACKUP TO '" + before + "'",
		"ALTER TABLE w ADD COLUMN other VECTOR(4) ENCODER 'words'",
		"UPDATE w SET other = clip; UPDATE w SET other = [0.99, 0, 0, 0] WHERE id = 'b'; UPDATE w SET other = [0, 0, 1, 0] WHERE id = 'c'",
	} {
		if got := lupa(t, "", "--models", models, dir, sql); got.status != 0 {
			t.Fatal(got.err)
		}
	}
	file := write(t, "q.csv", "query,predicate\none,kind=dog\ntwo,kind=fish\nfour,kind=dog\n")
	got := lupa(t, "", "eval", "--models", models, dir, file, "--column", "clip", "--compare", "other", "--format", "csv")
	want := `column,encoder,number,precision@1,precision@3,precision@10,MRR,hit@1,hit@3,hit@10,recall@1,recall@3,recall@10,nDCG@1,nDCG@3,nDCG@10
w.clip,words,3,0.6667,0.4444,0.1667,0.8333,0.6667,1,1,0.5,0.8333,1,0.6667,0.7689,0.8479
w.other,words,3,0.6667,0.3333,0.1667,0.75,0.6667,0.6667,1,0.3333,0.5,1,0.6667,0.511,0.7336
first hit changes,w.clip,score,margin,right,w.other,score,margin,right
one,a,0.9939,0.0308,false,b,1,0.0061,true
two,c,0.9939,0.2868,true,d,0.7071,0.7071,false
`
	if got.status != 0 || got.out != want || !strings.Contains(got.err, "2 of 3 first hits change: 1 become right, 1 become wrong") {
		t.Errorf("%d\n%s%s", got.status, got.out, got.err)
	}
	if got := lupa(t, "", "--models", models, dir, "UPDATE w SET clip = other"); got.status != 0 {
		t.Fatal(got.err)
	}
	prompts := write(t, "p.csv", "prompt\none\ntwo\nfour\n")
	got = lupa(t, "", "eval", "--models", models, dir, prompts, "--column", "clip", "--compare", before, "--format", "csv")
	want = "first hit changes,w.clip,score,margin,w.clip of before.lupa,score,margin\none,b,1,0.0061,a,0.9939,0.0308\ntwo,d,0.7071,0.7071,c,0.9939,0.2868\n"
	if got.status != 0 || got.out != want || !strings.Contains(got.err, "2 of 3 first hits change\n") {
		t.Errorf("%d\n%s%s", got.status, got.out, got.err)
	}
	for _, c := range []struct{ with, column, want string }{
		{"nosuch", "clip", `--compare nosuch, which is no directory of a store, no .csv and no table:NAME: no column "nosuch" with an encoder in w`},
		{"other", "", "which column should be searched: w.clip, w.other"},
		{t.TempDir(), "clip", ""},
	} {
		if got := lupa(t, "", "eval", "--models", models, dir, prompts, "--column", c.column, "--compare", c.with); got.status == 0 || !strings.Contains(got.err, c.want) {
			t.Errorf("%+v: %d %s", c, got.status, got.err)
		}
	}
}

// Prompts kept in the store, in a table that was made of a file in the shell, filled by INSERT, or seen
// through a view, are judged as those of a file.
func TestEvalOfTable(t *testing.T) {
	models := promptTable(t)
	dir := wordStore(t, models)
	text := "query,predicate,kind,precision_at_1\none,kind=cat,x,1\none,kind=dog;legs=4,x,1\ntwo,legs=0,y,1\ntwo,kind=,y,\nfour,kind=bird,y,0\n"
	file := write(t, "q.csv", text)
	want := lupa(t, "", "eval", "--models", models, dir, file, "--format", "csv")
	if want.status != 0 {
		t.Fatal(want.err)
	}
	got := lupa(t, ".import "+file+" phrases\n", "--models", models, dir)
	if got.status != 0 {
		t.Fatal(got.err)
	}
	got = lupa(t, "", "--models", models, dir, `CREATE TABLE "By hand" (n INTEGER PRIMARY KEY, query TEXT, predicate TEXT, kind TEXT, precision_at_1 REAL, seen TIMESTAMP, clip VECTOR(4));
	INSERT INTO "By hand" (n, query, predicate, kind, precision_at_1) SELECT row_number() OVER (), query, predicate, kind, precision_at_1 FROM phrases;
	CREATE VIEW some AS SELECT query, predicate, kind, precision_at_1 FROM "By hand" WHERE n > 0;
	CREATE TABLE bad (query TEXT, predicate TEXT); INSERT INTO bad VALUES ('one', 'kind=cat'), ('two', 'nosuch=1');
	CREATE TABLE blank (query TEXT, id TEXT); INSERT INTO blank VALUES (NULL, 'a');
	CREATE TABLE empty (query TEXT, id TEXT); CREATE TABLE other (word TEXT, id TEXT); INSERT INTO other VALUES ('one', 'a')`)
	if got.status != 0 {
		t.Fatal(got.err)
	}
	for _, name := range []string{"phrases", "Phrases", "By hand", "some"} {
		got := lupa(t, "", "eval", "--models", models, dir, "table:"+name, "--format", "csv", "--table", "w")
		said := strings.NewReplacer("line 3", "row 2", "the file", "the table").Replace(want.err)
		if got.status != 0 || got.out != want.out || got.err != said || !strings.Contains(said, "row 2") {
			t.Errorf("%s: %d\n%s%s\nwant\n%s%s", name, got.status, got.out, got.err, want.out, said)
		}
	}
	for name, message := range map[string]string{
		"nosuch": "table:nosuch: there is no such table (there are By hand, bad, blank, empty, other, phrases, w, some); .import FILE.csv nosuch makes one",
		"bad":    `table:bad, row 2: no column "nosuch" in w`,
		"blank":  "table:blank, row 1: there is no prompt in the column query",
		"empty":  "table:empty: no prompts",
		"other":  "table:other: needs the columns query and predicate",
	} {
		if got := lupa(t, "", "eval", "--models", models, dir, "table:"+name, "--table", "w"); got.status != 1 || !strings.Contains(got.err, message) {
			t.Errorf("%s: %d %s", name, got.status, got.err)
		}
	}
	// --prompts searches with the same ones.
	lines := write(t, "p.txt", "one\none\ntwo\ntwo\nfour\n")
	a := lupa(t, "", "--models", models, dir, "--table", "w", "-k", "2", "--format", "csv", "--prompts", lines)
	b := lupa(t, "", "--models", models, dir, "--table", "w", "-k", "2", "--format", "csv", "--prompts", "table:phrases")
	if a.status != 0 || b.status != 0 || a.out != b.out || strings.Count(b.out, "\n") != 11 {
		t.Errorf("%s%s\nwant\n%s%s", b.out, b.err, a.out, a.err)
	}
	if got := lupa(t, "", "--models", models, dir, "--table", "w", "--prompts", "table:other"); got.status != 1 || !strings.Contains(got.err, "table:other: needs a column query, or prompt") {
		t.Errorf("%d %s", got.status, got.err)
	}
}

// Two sets of prompts of one column are compared: those at the same place, or of the same name,
// mean the same.
func TestEvalComparesPrompts(t *testing.T) {
	models := promptTable(t)
	dir := wordStore(t, models)
	first := write(t, "a.csv", "name,query,kind,predicate\ncat,one,x,kind=cat\nfish,four,y,kind=fish\ndog,four,y,kind=dog\nnone,one,x,kind=cat\n")
	named := write(t, "b.csv", "query,name\none,dog\ntwo,fish\none,cat\nthree,extra\n")
	got := lupa(t, "", "eval", "--models", models, dir, first, "--compare", named, "--format", "csv")
	want := fmt.Sprintf(`prompts,encoder,kind,number,precision@1,precision@3,precision@10,MRR,hit@1,hit@3,hit@10,recall@1,recall@3,recall@10,nDCG@1,nDCG@3,nDCG@10
%[1]s,words,x,1,1,0.3333,0.1,1,1,1,1,1,1,1,1,1,1
%[2]s,words,x,1,1,0.3333,0.1,1,1,1,1,1,1,1,1,1,1
%[1]s,words,y,2,0.5,0.3333,0.15,0.625,0.5,0.5,1,0.25,0.5,1,0.5,0.4599,0.6752
%[2]s,words,y,2,0.5,0.3333,0.15,0.75,0.5,1,1,0.5,0.75,1,0.5,0.6934,0.812
%[1]s,words,all,3,0.6667,0.3333,0.1333,0.75,0.6667,0.6667,1,0.5,0.6667,1,0.6667,0.6399,0.7835
%[2]s,words,all,3,0.6667,0.3333,0.1333,0.8333,0.6667,1,1,0.6667,0.8333,1,0.6667,0.7956,0.8747
first hit changes,in other words,%[1]s,score,margin,right,%[2]s,score,margin,right
four,two,e,0.9762,0.9762,false,c,0.9939,0.9939,true
four,one,e,0.9762,0.9762,true,a,0.9939,0.9939,false
`, first, named)
	if got.status != 0 || got.out != want || !strings.Contains(got.err, "without a partner, and left out: none, extra\n") || !strings.Contains(got.err, "2 of 3 first hits change: 1 become right, 1 become wrong") {
		t.Errorf("%d\n%s%s\nwant\n%s", got.status, got.out, got.err, want)
	}
	// By place, from a table, without anything known.
	if got := lupa(t, "", "--models", models, dir, "CREATE TABLE p (prompt TEXT); INSERT INTO p VALUES ('one'), ('two')"); got.status != 0 {
		t.Fatal(got.err)
	}
	plain := write(t, "c.csv", "prompt\none\nfour\n")
	got = lupa(t, "", "eval", "--models", models, dir, plain, "--compare", "table:p", "--format", "csv", "--table", "w")
	want = "first hit changes,in other words," + plain + ",score,margin,table:p,score,margin\nfour,two,e,0.9762,0.9762,c,0.9939,0.9939\n"
	if got.status != 0 || got.out != want || !strings.Contains(got.err, "1 of 2 first hits change\n") {
		t.Errorf("%d\n%s%s", got.status, got.out, got.err)
	}
	for text, message := range map[string]string{
		"query\none\n": "a.csv has 4 prompts and ",
		"query,predicate\none,kind=cat\na,legs=0\nb,legs=0\nc,legs=0\n": "what is right differs: kind=fish at line 3 of ",
		"query,name\none,cat\ntwo,cat\n":                                `d.csv:3: the name "cat" is that of line 2, too`,
		"query,name\none,horse\n":                                       "have no name in common",
		"query,name\n":                                                  "no prompts",
		"word\none\ntwo\none\ntwo\n":                                    "needs the columns query",
	} {
		got := lupa(t, "", "eval", "--models", models, dir, first, "--compare", write(t, "d.csv", text), "--table", "w")
		if got.status != 1 || !strings.Contains(got.err, message) {
			t.Errorf("%q: %d %s", text, got.status, got.err)
		}
	}
}

// A batch of searches of one shape prints what they print one by one, errors
// and their places included.
func TestSharedSearchesAnswerAlike(t *testing.T) {
	models := promptTable(t)
	dir := wordStore(t, models)
	var together, want strings.Builder
	words := []string{"one", "two", "three", "four"}
	for i := range 150 { // more than a pass takes
		q := fmt.Sprintf("SELECT id, clip_sim('%s') AS score FROM w ORDER BY score LIMIT %d;\n", words[i%4], 1+i%2)
		together.WriteString(q)
		if i < 4 {
			want.WriteString(lupa(t, "", "--models", models, dir, "--format", "jsonl", q).out)
		}
	}
	together.WriteString("SELECT id FROM w ORDER BY clip_sim('one') LIMIT 1;\nSELECT id FROM w ORDER BY clip_sim('nosuch') LIMIT 1;\nSELECT 'never' AS x;\n")
	got := lupa(t, together.String(), "--models", models, dir, "--format", "jsonl", "--timer")
	if n := strings.Count(got.err, "searches in one pass"); n < 3 {
		t.Errorf("%d passes\n%s", n, got.err)
	}
	lines, wanted := strings.Split(got.out, "\n"), strings.Split(strings.Repeat(want.String(), 38), "\n")
	for i := range 225 {
		if lines[i] != wanted[i] {
			t.Fatalf("line %d is %s, want %s", i, lines[i], wanted[i])
		}
	}
	if got.status != 1 || len(lines) != 227 || lines[225] != `{"id":"a"}` || !strings.Contains(got.err, "stdin:152:") || strings.Contains(got.err, "stdin:151:") {
		t.Errorf("%d, %d lines, %s", got.status, len(lines), got.err)
	}
}

// Searches that come through a pipe at once share a pass, too.
func TestSharedSearchesOfAPipe(t *testing.T) {
	models := promptTable(t)
	dir := wordStore(t, models)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.WriteString("SELECT id FROM w ORDER BY clip_sim('one') LIMIT 1;\nSELECT id FROM w ORDER BY clip_sim('two') LIMIT 2;\n")
	w.Close()
	var out, errs bytes.Buffer
	status := run([]string{"--models", models, dir, "--format", "jsonl", "--timer"}, stdio{in: r, out: &out, err: &errs, version: "test"})
	if status != 0 || strings.Count(out.String(), "id") != 3 || !strings.Contains(errs.String(), "2 searches in one pass") {
		t.Errorf("%d %s%s", status, out.String(), errs.String())
	}
}

func TestModelCommands(t *testing.T) {
	models := promptTable(t)
	got := lupa(t, "", "model", "list", "--models", models, "--format", "csv")
	if !strings.Contains(got.out, "words,table,") || !strings.Contains(got.out, "lupa model pull clip-vit-base-patch32") {
		t.Errorf("%s%s", got.out, got.err)
	}
	got = lupa(t, "", "model", "check", "words", "--models", models)
	if got.status != 0 || !strings.Contains(got.out, "4 dimensions") {
		t.Errorf("%d %s%s", got.status, got.out, got.err)
	}
	got = lupa(t, "", "model", "check", "wrods", "--models", models)
	if got.status != 1 || !strings.Contains(got.err, "wrods") {
		t.Errorf("%d %s", got.status, got.err)
	}
	got = lupa(t, "CREATE TABLE t (v VECTOR ENCODER 'clip-vit-base-patch32-fp16');", ":memory:", "--models", models)
	if got.status != 1 || !strings.Contains(got.err, "lupa model pull clip-vit-base-patch32-fp16 fetches it") {
		t.Errorf("%d %s", got.status, got.err)
	}
	if os.Getenv("ONNXRUNTIME_SHARED_LIBRARY_PATH") != "" {
		got = lupa(t, "", "model", "check", "../../../../testdata/models/tiny-clip")
		if got.status != 0 || !strings.Contains(got.out, "encodes a text\nencodes a picture\n") {
			t.Errorf("%d %s%s", got.status, got.out, got.err)
		}
	}
	got = lupa(t, ".models\n", wordStore(t, models), "--models", models, "--format", "csv")
	if !strings.Contains(got.out, "w.clip") {
		t.Errorf("%s%s", got.out, got.err)
	}
}
