// Command bench measures exact searches at scale; see README.md here.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

var (
	rowsFlag = flag.Int("rows", 1981161, "vectors in the set")
	dirFlag  = flag.String("dir", "", "directory for the files; default: a temporary one")
	keep     = flag.Bool("keep", false, "leave the files, and use those that are there")
	photos   = flag.String("photos", "../shared/data/clip-real/photos", "directory with features.npy")
	text     = flag.String("text", "../shared/data/clip-real/text", "directory with text vectors")
	queries  = flag.Int("queries", 200, "prompts asked")
	every    = flag.Int("brute", 4, "every how many prompts brute force and the others run as well")
	cache    = flag.Int64("cache", 6<<30, "block cache in bytes")
	k        = flag.Int("k", 10, "rows wanted")
	profile  = flag.String("profile", "", "write a CPU profile of the single searches")
	check    = flag.Int("check", 1000, "prompts whose answers are compared with those of brute force")
	first    = flag.Int("first", -1, "only open the store of an earlier run with -keep and ask this prompt")
	verbose  = flag.Bool("v", false, "print the statistics of every search")
	python   = flag.String("python", "/usr/bin/python3", "Python with numpy and Faiss")
)

var ctx = context.Background()

func main() {
	log.SetFlags(0)
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

type bench struct {
	dir   string
	dim   int
	train [][]float32 // prompts for training
	ask   [][]float32 // other prompts
	all   [][]float32 // all of the other prompts
	store *storage.Store
	view  *storage.View
	table *storage.Table
	first []float64 // ms of first searches
}

func run() error {
	b := &bench{dir: *dirFlag}
	if b.dir == "" {
		var err error
		if b.dir, err = os.MkdirTemp("", "lupa-bench-"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	if *joinRows > 0 {
		return joins(b.dir, *joinRows)
	}
	if !*keep {
		defer os.RemoveAll(b.dir)
	}
	if *neighbourRows > 0 {
		return neighbours(b.dir, *neighbourRows)
	}
	if *duplicateRows > 0 {
		return duplicates(b.dir, *duplicateRows)
	}
	if *relevantRows > 0 {
		return relevant(b.dir, *relevantRows)
	}
	if *watchCount > 0 {
		return watches(b.dir, *watchCount)
	}
	if err := b.prompts(); err != nil {
		return err
	}
	set := filepath.Join(b.dir, fmt.Sprintf("features-%d.npy", *rowsFlag))
	if _, err := os.Stat(set); err != nil {
		base, err := readAll(filepath.Join(*photos, "features.npy"))
		if err != nil {
			return err
		}
		start := time.Now()
		if err := generate(set, base, *rowsFlag); err != nil {
			return err
		}
		fmt.Printf("made %d x %d in %.0f s\n", *rowsFlag, len(base[0]), time.Since(start).Seconds())
	}
	if *first >= 0 {
		if err := b.open(b.storeDir(true)); err != nil {
			return err
		}
		_, _, ms := b.nearest(b.options(*first, false))
		fmt.Println(ms)
		return errors.Join(b.view.Close(), b.store.Close())
	}
	fmt.Printf("%d rows, k = %d, %d CPUs, %d prompts\n", *rowsFlag, *k, runtime.GOMAXPROCS(0), len(b.ask))
	if err := b.loads(set); err != nil {
		return err
	}
	defer func() { b.view.Close(); b.store.Close() }()
	if *approx {
		return b.approximate()
	}
	if err := b.searches(); err != nil {
		return err
	}
	if err := b.batches(); err != nil {
		return err
	}
	if err := b.filters(); err != nil {
		return err
	}
	return b.verify()
}

// prompts reads the text vectors: some to train with, others to ask.
func (b *bench) prompts() error {
	a, err := readAll(filepath.Join(*text, "imagenet1000_a.npy"))
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 1))
	rng.Shuffle(len(a), func(i, j int) { a[i], a[j] = a[j], a[i] })
	b.train = a[:300]
	b.ask = a[300:500]
	for _, name := range []string{"lvis1203_a.npy", "objects365_a.npy"} {
		more, err := readAll(filepath.Join(*text, name))
		if err != nil {
			return err
		}
		b.ask = append(b.ask, more...)
	}
	rng.Shuffle(len(b.ask), func(i, j int) { b.ask[i], b.ask[j] = b.ask[j], b.ask[i] })
	b.all = b.ask
	b.ask = b.ask[:min(*queries, len(b.ask))]
	b.dim = len(a[0])
	return nil
}

func (b *bench) loads(set string) error {
	var took [2]float64                             // of two rounds
	size := 4 * float64(b.dim) * float64(*rowsFlag) // bytes of float32
	dir := b.storeDir(true)
	if _, err := os.Stat(dir); err != nil {
		ways := []bool{false, true, false, true} // codes
		if *approx {
			ways = []bool{true}
		}
		for i, codes := range ways {
			to := b.storeDir(codes)
			os.RemoveAll(to)
			seconds, err := b.load(to, set, codes)
			if err != nil {
				return err
			}
			took[i%2] += seconds
			disk, err := diskSpeed(b.dir, size)
			if err != nil {
				return err
			}
			speed := size / seconds / 1e6
			fmt.Printf("loaded in %.1f s, codes %v: %.0f MB/s of vectors, %.2f times the %.0f MB/s of writing as much to a file and syncing it\n",
				seconds, codes, speed, speed/disk, disk)
			if !codes {
				os.RemoveAll(to)
			}
		}
		if !*approx {
			fmt.Printf("codes make the load %.0f%% longer\n", 100*(took[1]/took[0]-1))
		}
	}
	if err := readFiles(dir); err != nil {
		return err
	}
	if !*approx {
		if err := b.firsts(); err != nil {
			return err
		}
	}
	start := time.Now()
	err := b.open(dir)
	fmt.Printf("opened in %.0f ms\n", time.Since(start).Seconds()*1e3)
	return err
}

func (b *bench) storeDir(codes bool) string {
	if *approx {
		return filepath.Join(b.dir, fmt.Sprintf("store-%d-parts", *rowsFlag))
	}
	return filepath.Join(b.dir, fmt.Sprintf("store-%d-%v", *rowsFlag, codes))
}

func (b *bench) open(dir string) (err error) {
	// An index that had learned from the prompts that are asked would be no test of what it promises.
	if b.store, err = storage.Open(dir, &storage.Options{CacheSize: *cache, NoRetraining: *approx}); err != nil {
		return err
	}
	if b.view, err = b.store.Snapshot(); err != nil {
		return err
	}
	b.table, err = b.view.Table("photos")
	return err
}

// firsts asks one prompt each in processes of their own: what a first search takes when the
// files are in the system's cache and nothing is in that of the store.
func (b *bench) firsts() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i := range firstRuns {
		args := slices.Concat(os.Args[1:], []string{"-keep", "-dir", b.dir, "-first", fmt.Sprint(i)})
		out, err := exec.Command(self, args...).Output()
		if err != nil {
			return err
		}
		ms, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			return err
		}
		b.first = append(b.first, ms)
	}
	return nil
}

// firstRuns is how many first searches are measured.
const firstRuns = 9

// readFiles reads the files of a directory, so that they are in the system's cache.
func readFiles(dir string) error {
	files, err := os.ReadDir(dir)
	for _, e := range files {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return err
}

func (b *bench) load(dir, set string, codes bool) (seconds float64, err error) {
	runtime.GC()
	start := time.Now()
	s, err := storage.Open(dir, &storage.Options{CacheSize: 64 << 20})
	if err != nil {
		return 0, err
	}
	tx, err := s.Begin(ctx)
	if err != nil {
		return 0, err
	}
	columns := []storage.ColumnDef{{Name: "clip", Type: value.Type{Kind: value.Vector, Dim: b.dim}}}
	if *approx {
		columns = append(columns, storage.ColumnDef{Name: "part", Type: value.Type{Kind: value.Integer}})
	}
	if _, err := tx.CreateTable(ctx, storage.TableDef{Name: "photos", PrimaryKey: -1, Columns: columns}); err != nil {
		return 0, err
	}
	if err := tx.Commit(ctx); err != nil {
		return 0, err
	}
	l, err := s.BulkLoad(ctx, "photos", storage.LoadOptions{WithoutCodes: !codes, QuerySamples: map[int][][]float32{0: b.train}})
	if err != nil {
		return 0, err
	}
	rng := rand.New(rand.NewPCG(5, 5))
	err = readNpy(set, value.BatchSize, func(rows []float32, dim int) error {
		batch := &value.Batch{Len: len(rows) / dim, Cols: []*value.Column{{Type: columns[0].Type, Vecs: rows}}}
		if len(columns) > 1 {
			batch.Cols = append(batch.Cols, parts(rng, batch.Len))
		}
		return l.Append(ctx, batch)
	})
	if err != nil {
		return 0, err
	}
	if _, err := l.Finish(ctx); err != nil {
		return 0, err
	}
	err = s.Close()
	return time.Since(start).Seconds(), err
}

func (b *bench) options(i int, brute bool) storage.NearestOptions {
	q, err := vector.NewQuery(vector.Cosine, b.ask[i%len(b.ask)])
	if err != nil {
		log.Fatal(err)
	}
	return storage.NearestOptions{Query: q, K: *k, BruteForce: brute}
}

func (b *bench) nearest(o storage.NearestOptions) ([]storage.Neighbor, *storage.NearestStats, float64) {
	start := time.Now()
	rows, stats, err := b.table.Nearest(ctx, o)
	if err != nil {
		log.Fatal(err)
	}
	return rows, stats, time.Since(start).Seconds() * 1e3
}

// searches measures single queries, all ways taking turns.
func (b *bench) searches() error {
	matrix, asked := filepath.Join(b.dir, "matrix.f32"), filepath.Join(b.dir, "queries.f32")
	plain, err := b.writeMatrix(matrix, asked)
	if err != nil {
		return err
	}
	defer os.Remove(matrix)
	defer syscall.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(&plain[0])), 4*len(plain)))
	numpy := startPeer(*python, "numpy", *rowsFlag, b.dim, matrix, asked, *k)
	for i := range 5 { // the cache grows with what is read
		b.nearest(b.options(i, true))
		b.nearest(b.options(i, false))
	}
	var codesCPU, bruteCPU float64
	var codes, brute, vek, np, speed, bytes, scored, ratio []float64
	var slowest float64
	mismatches := 0
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		pprof.StartCPUProfile(f)
		for i := range b.ask {
			b.nearest(b.options(i, false))
		}
		pprof.StopCPUProfile()
		f.Close()
	}
	for i := range b.ask {
		before := cpu()
		rows, st, ms := b.nearest(b.options(i, false))
		codesCPU += cpu() - before
		codes = append(codes, ms)
		if *verbose {
			fmt.Printf("%3d %6.1f ms: %d rows, plane 1 discards %.1f%%, plane 2 %d, late %d, scored %d, seed %v, scan %v, rerank %v\n", i, ms,
				st.Rows, 100*float64(st.Discarded1)/float64(st.Rows), st.Discarded2, st.Late, st.Scored, st.Seed, st.Scan, st.Rerank)
		}
		bytes, scored = append(bytes, float64(st.BytesRead)/1e6), append(scored, float64(st.Scored))
		if i%*every != 0 {
			continue
		}
		before = cpu()
		want, _, ms2 := b.nearest(b.options(i, true))
		bruteCPU += cpu() - before
		if !slices.Equal(rows, want) {
			mismatches++
		}
		brute = append(brute, ms2)
		ratio = append(ratio, ms2/ms)
		vek = append(vek, vekScan(plain, b.ask[i]))
		speed = append(speed, memorySpeed(plain))
		if numpy != nil {
			ms, best, err := numpy.search(i)
			if err != nil {
				return err
			}
			np = append(np, ms)
			if best != rows[0].Row && i == 0 {
				fmt.Println("note: numpy's best row, in single precision, is", best, "not", rows[0].Row)
			}
		}
	}
	slowest = slices.Max(codes)
	if numpy != nil {
		numpy.close()
	}
	m := median(codes)
	line := func(name string, x []float64, n string) {
		if len(x) == 0 {
			fmt.Printf("%-42s not found\n", name)
			return
		}
		fmt.Printf("%-42s %8.1f ms   %5.1f times ours %s\n", name, median(x), median(x)/m, n)
	}
	fmt.Printf("%-42s %8.1f ms   slowest %.1f, fastest %.1f ms\n", "exact search, median", m, slowest, slices.Min(codes))
	line("brute force over the same pages", brute, fmt.Sprintf("(%d mismatches in %d)", mismatches, len(brute)))
	fmt.Printf("%-42s %8.1f      slowest prompt: %.1f\n", "brute force / ours, paired median", median(ratio), median(brute)/slowest)
	ours, theirs := codesCPU/float64(len(codes)), bruteCPU/float64(len(brute))
	fmt.Printf("%-42s %8.1f ms   brute force %.1f ms: %.1f times\n", "processor time of a search, mean", ours, theirs, theirs/ours)
	line("vek32.Dot over a plain slice, parallel", vek, "")
	line("numpy matrix @ vector + argpartition", np, "")
	if faiss := startPeer(*python, "faiss", *rowsFlag, b.dim, matrix, asked, *k); faiss != nil {
		var x []float64
		for i := range min(10, len(b.ask)) {
			ms, _, err := faiss.search(i)
			if err != nil {
				return err
			}
			x = append(x, ms)
		}
		faiss.close()
		line("Faiss IndexFlatIP", x, "")
	} else {
		line("Faiss IndexFlatIP", nil, "")
	}
	gb := median(speed)
	fmt.Printf("memory speed %.1f GB/s; a search reads %.0f MB: %.1f ms at that speed; %.0f rows scored in float32\n",
		gb, median(bytes), median(bytes)/gb, median(scored))
	fmt.Printf("first search of a process, median of %d: %.0f ms (%.0f to %.0f), %.1f times the median\n",
		len(b.first), median(b.first), slices.Min(b.first), slices.Max(b.first), median(b.first)/m)
	return nil
}

// batches compares 100 prompts in one pass with one by one.
func (b *bench) batches() error {
	n := min(100, len(b.ask))
	var one, many []float64
	for range 3 {
		var opts []storage.NearestOptions
		start := time.Now()
		var single [][]storage.Neighbor
		for i := range n {
			o := b.options(i, false)
			rows, _, _ := b.nearest(o)
			single = append(single, rows)
			opts = append(opts, o)
		}
		one = append(one, time.Since(start).Seconds()*1e3/float64(n))
		start = time.Now()
		got, _, err := b.table.NearestMany(ctx, opts)
		if err != nil {
			return err
		}
		many = append(many, time.Since(start).Seconds()*1e3/float64(n))
		for i := range got {
			if !slices.Equal(got[i], single[i]) {
				return fmt.Errorf("prompt %d: the pass of many differs", i)
			}
		}
	}
	fmt.Printf("%d prompts in one pass: %.1f ms each, %.1f one by one: %.1f times the throughput\n", n, median(many), median(one), median(one)/median(many))
	return nil
}

// verify compares the answers to many prompts with those of brute force, a hundred in
// a pass.
func (b *bench) verify() error {
	const some = 100
	n := min(*check, len(b.all))
	bad := 0
	for from := 0; from < n; from += some {
		var opts [2][]storage.NearestOptions
		for i := from; i < min(from+some, n); i++ {
			q, err := vector.NewQuery(vector.Cosine, b.all[i])
			if err != nil {
				return err
			}
			for way, brute := range []bool{false, true} {
				opts[way] = append(opts[way], storage.NearestOptions{Query: q, K: *k, BruteForce: brute})
			}
		}
		var got [2][][]storage.Neighbor
		for way := range got {
			var err error
			if got[way], _, err = b.table.NearestMany(ctx, opts[way]); err != nil {
				return err
			}
		}
		for i := range got[0] {
			if !slices.Equal(got[0][i], got[1][i]) {
				bad++
			}
		}
	}
	fmt.Printf("%d prompts compared with brute force: %d mismatches\n", n, bad)
	return nil
}

// filters compares searches among a part of the rows with those among all.
func (b *bench) filters() error {
	for _, keep := range []float64{0.5, 0.05, 0.001} {
		rng := rand.New(rand.NewPCG(5, 5))
		f := new(storage.RowSet)
		for r := range *rowsFlag {
			if rng.Float64() < keep {
				f.Add(uint64(r))
			}
		}
		var all, some []float64
		bad := 0
		for i := range min(40, len(b.ask)) {
			o := b.options(i, false)
			_, _, ms := b.nearest(o)
			all = append(all, ms)
			o.Filter = f
			rows, _, ms := b.nearest(o)
			some = append(some, ms)
			if i%10 == 0 {
				o.BruteForce = true
				if want, _, _ := b.nearest(o); !slices.Equal(rows, want) {
					bad++
				}
			}
		}
		fmt.Printf("filter keeps %5.1f%%: %6.1f ms, without %6.1f ms (%d mismatches)\n", 100*keep, median(some), median(all), bad)
	}
	return nil
}

// writeMatrix writes the vectors and queries as raw float32 for the others, and maps
// the vectors.
func (b *bench) writeMatrix(matrix, asked string) ([]float32, error) {
	f, err := os.Create(matrix)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	scan := b.table.Scan(storage.ScanOptions{Columns: []int{0}})
	defer scan.Close()
	for {
		batch, err := scan.Next(ctx)
		if err != nil {
			return nil, err
		}
		if batch == nil {
			break
		}
		v := batch.Cols[0].Vecs
		if _, err := f.Write(unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v))); err != nil {
			return nil, err
		}
	}
	var q []byte
	for _, v := range b.ask {
		q = vector.AppendBytes(q, v)
	}
	if err := os.WriteFile(asked, q, 0o644); err != nil {
		return nil, err
	}
	size := 4 * b.dim * *rowsFlag
	m, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED|syscall.MAP_POPULATE)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&m[0])), size/4), nil
}
