// Page measures the page of lupa browse: people who type in many tabs at once, each key a question that
// overtakes the one before, and thumbnails of a directory of large pictures of which none was made yet. Rows are
// real CLIP vectors plus noise. What is typed is encoded by looking it up among vectors of real phrases: the time of a
// model is not part of the figures.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/web"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/table"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// typed answers any text with the vector of one of the phrases it has, always the same.
type typed struct {
	encoder.Encoder
	phrases []string
}

func (t typed) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	known := make([]string, len(texts))
	for i, s := range texts {
		h := fnv.New32a()
		h.Write([]byte(s))
		known[i] = t.phrases[int(h.Sum32())%len(t.phrases)]
	}
	return t.Encoder.EncodeTexts(ctx, known)
}

func main() {
	log.SetFlags(0)
	rows := flag.Int("rows", 200_000, "rows")
	tabs := flag.Int("tabs", 50, "tabs that type")
	keys := flag.Int("keys", 60, "keys that are pressed in each")
	pictures := flag.Int("pictures", 200, "pictures of 12 megapixels")
	data := flag.String("data", "../shared/data/clip-real", "directory with photos and text")
	flag.Parse()
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%d processors, load %s", runtime.GOMAXPROCS(0), load)
	dir, err := os.MkdirTemp("", "page")
	check(err)
	defer os.RemoveAll(dir)
	if *tabs > 0 {
		typing(dir, *data, *rows, *tabs, *keys)
	}
	if *pictures > 0 {
		thumbnails(dir, *pictures)
	}
}

// fill makes a table of real vectors plus noise.
func fill(ctx context.Context, d *db.DB, data string, rows int) {
	run := func(sql string, args ...any) {
		_, err := d.Exec(ctx, sql, args...)
		check(err)
	}
	run("CREATE TABLE real (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'clip')")
	run("COPY real (clip, id) FROM $1, $2", filepath.Join(data, "photos", "features.npy"), filepath.Join(data, "photos", "photo_ids.csv"))
	var vecs [][]float32
	found, err := d.Query(ctx, "SELECT clip FROM real")
	check(err)
	for row, err := range found.All() {
		check(err)
		vecs = append(vecs, slices.Clone(row[0].Vec()))
	}
	run("DROP TABLE real")
	run("CREATE TABLE photos (id INTEGER PRIMARY KEY, place TEXT, clip VECTOR ENCODER 'clip')")
	app, err := d.Appender(ctx, "photos", nil, nil)
	check(err)
	r := rand.New(rand.NewPCG(1, 2))
	places := []string{"snow", "sea", "city", "plain"}
	for i := range rows {
		from := vecs[r.IntN(len(vecs))]
		v, sum := make([]float32, len(from)), 0.0
		for _, x := range from {
			sum += float64(x) * float64(x)
		}
		for k, x := range from {
			v[k] = x + float32(0.02*math.Sqrt(sum)*r.NormFloat64())
		}
		check(app.Append(i, places[r.IntN(len(places))], v))
	}
	check(app.Close())
	run("ALTER TABLE photos RETRAIN clip")
}

// typing lets people type in many tabs, as the page does: a question 120 ms after a key, unless another key comes.
func typing(dir, data string, rows, tabs, keys int) {
	ctx := context.Background()
	text, err := os.ReadFile(filepath.Join(data, "text", "objects365_a.txt"))
	check(err)
	enc, err := table.Load("clip", table.Pair{Prompts: filepath.Join(data, "text", "objects365_a.txt"), Vectors: filepath.Join(data, "text", "objects365_a.npy")})
	check(err)
	phrases := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	d, err := db.Open(filepath.Join(dir, "s.lupa"), &db.Options{Encoders: []encoder.Encoder{typed{enc, phrases}}})
	check(err)
	defer d.Close()
	fill(ctx, d, data, rows)
	h, err := web.New(d, nil)
	check(err)
	s := httptest.NewServer(h)
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: tabs}}

	var mu sync.Mutex
	var seen, served []float64 // ms
	cancelled := 0
	ask := func(ctx context.Context, q string) {
		begun := time.Now()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/search?k=60&q="+url.QueryEscape(q), nil)
		check(err)
		var a web.Answer
		resp, err := client.Do(r)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s: %s", resp.Status, body)
			}
			if err == nil {
				err = json.Unmarshal(body, &a)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case errors.Is(err, context.Canceled):
			cancelled++
		case err != nil || len(a.Rows) != 60:
			log.Fatalf("%s: %d rows, %v", q, len(a.Rows), err)
		default:
			seen, served = append(seen, ms(time.Since(begun))), append(served, a.Millis)
		}
	}
	ask(ctx, "warm")
	seen, served = nil, nil
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-stop:
				most <- peak
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, begun := processor(), time.Now()
	var all sync.WaitGroup
	for tab := range tabs {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(tab), 7))
			cancel := func() {}
			var asked sync.WaitGroup
			phrase, at := "", 0
			for range keys {
				if at == len(phrase) {
					phrase, at = phrases[r.IntN(len(phrases))], 0
				}
				at++
				pause := time.Duration(80+r.IntN(220)) * time.Millisecond
				if pause > 120*time.Millisecond {
					time.Sleep(120 * time.Millisecond)
					cancel()
					var c context.Context
					c, cancel = context.WithCancel(ctx)
					q := fmt.Sprintf("%s%d", phrase[:at], tab) // no two tabs ask the same
					asked.Go(func() { ask(c, q) })
					pause -= 120 * time.Millisecond
				}
				time.Sleep(pause)
			}
			asked.Wait()
			cancel()
		})
	}
	all.Wait()
	spent, cpu := time.Since(begun), processor()-cpu
	close(stop)
	fmt.Printf("%d tabs, %d rows of 512 dimensions: %d questions answered, %d overtaken, in %.1f s and %.1f s of processor\n", tabs, rows, len(seen), cancelled, spent.Seconds(), cpu.Seconds())
	fmt.Printf("  answered after       p50 %.1f ms, p95 %.1f ms, p99 %.1f ms\n", at(seen, .5), at(seen, .95), at(seen, .99))
	fmt.Printf("  of that the search   p50 %.1f ms, p95 %.1f ms, p99 %.1f ms\n", at(served, .5), at(served, .95), at(served, .99))
	fmt.Printf("  heap before %.1f MiB, at most %.1f MiB\n", float64(before.HeapInuse)/(1<<20), float64(<-most)/(1<<20))

	// One tab alone, for the figure without the others.
	seen, served = nil, nil
	cpu = processor()
	for i := range 100 {
		ask(ctx, fmt.Sprintf("%s alone", phrases[i%len(phrases)]))
	}
	fmt.Printf("  one tab alone        p50 %.1f ms, p95 %.1f ms, %.1f ms of processor each\n", at(seen, .5), at(seen, .95), ms(processor()-cpu)/100)
}

// thumbnails asks for small pictures of a directory as a browser does, six at a time.
func thumbnails(dir string, n int) {
	ctx := context.Background()
	folder := filepath.Join(dir, "pictures")
	check(os.Mkdir(folder, 0o700))
	const kinds = 8
	for k := range min(kinds, n) {
		data := large(uint64(k))
		for i := k; i < n; i += kinds {
			check(os.WriteFile(filepath.Join(folder, fmt.Sprintf("%04d.jpg", i)), data, 0o600))
		}
	}
	d, err := db.Open(":memory:", nil)
	check(err)
	defer d.Close()
	_, err = d.Exec(ctx, "CREATE TABLE photos (path TEXT PRIMARY KEY); INSERT INTO photos SELECT path FROM images($1)", folder)
	check(err)
	h, err := web.New(d, &web.Options{Cache: filepath.Join(dir, "thumbnails")})
	check(err)
	s := httptest.NewServer(h)
	defer s.Close()
	found, err := h.Search(ctx, url.Values{"k": {fmt.Sprint(n)}}, nil)
	check(err)
	for _, about := range []string{"none made yet", "made"} {
		cpu, begun := processor(), time.Now()
		var all sync.WaitGroup
		turn := make(chan struct{}, 6)
		for _, row := range found.Rows {
			all.Go(func() {
				turn <- struct{}{}
				defer func() { <-turn }()
				resp, err := http.Get(s.URL + "/" + row.Picture.Thumb)
				check(err)
				b, err := io.ReadAll(resp.Body)
				check(err)
				resp.Body.Close()
				m, err := jpeg.DecodeConfig(bytes.NewReader(b))
				check(err)
				if m.Width != 360 {
					log.Fatalf("a thumbnail of %d pixels", m.Width)
				}
			})
		}
		all.Wait()
		fmt.Printf("%d thumbnails of 12 megapixels, %s: %.2f s, %.2f s of processor\n", len(found.Rows), about, time.Since(begun).Seconds(), (processor() - cpu).Seconds())
	}
}

// large is a JPEG file of 4000 by 3000 pixels with about as much detail as a photo has.
func large(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 3))
	m := image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)
	for y := range 3000 {
		for x := range 4000 {
			wave := 60*math.Sin(float64(x)/(37+float64(seed)))*math.Cos(float64(y)/53) + 20*math.Sin(float64(x*y)/9000)
			m.Y[y*m.YStride+x] = uint8(max(0, min(255, 128+wave+6*r.NormFloat64())))
		}
	}
	c := color.RGBA{uint8(40 * seed), 120, 200, 255}
	_, cb, cr := color.RGBToYCbCr(c.R, c.G, c.B)
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = cb, cr
	}
	var b bytes.Buffer
	check(jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}))
	return b.Bytes()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// at is a quantile.
func at(all []float64, q float64) float64 {
	if len(all) == 0 {
		return math.NaN()
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(q*float64(len(all))))]
}

// processor is the time that this process has spent on processors.
func processor() time.Duration {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
