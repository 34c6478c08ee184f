// Httpserver answers GET /search?q=PHRASE&k=5 and GET /similar?id=ID&k=5 from a
// store that was made before, tells Prometheus how it fares at /metrics, and serves
// everywhere else the page that lupa browse has.
//
//	httpserver -store demo.lupa -addr localhost:8080
//	httpserver -store demo.lupa -load 1000        # measure itself and exit
//
// One DB serves all requests; a request that is given up cancels its query. Ctrl-C
// or SIGTERM ends it: it listens no longer, answers the requests it has, and closes
// the store.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/metrics"
	"github.com/lupadb/lupa/db/web"
	"github.com/lupadb/lupa/encoder/onnx"
)

func main() {
	log.SetFlags(0)
	var (
		path = flag.String("store", "demo.lupa", "the store")
		addr = flag.String("addr", "localhost:8080", "where to listen")
		load = flag.Int("load", 0, "send this many requests to itself, report, and exit")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *path, *addr, *load); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path, addr string, load int) error {
	store, err := db.Open(path, &db.Options{
		ReadOnly:    true, // several servers may share the store
		NoFiles:     true, // requests come from strangers
		OpenEncoder: onnx.Opener(&onnx.Options{Models: []string{"testdata/models"}}),
	})
	if err != nil {
		return err
	}
	defer store.Close()
	h, err := newHandler(ctx, store)
	if err != nil {
		return err
	}
	if load > 0 {
		addr = "localhost:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	if load > 0 {
		err = measure(ctx, store, "http://"+ln.Addr().String(), load)
	} else {
		log.Printf("listening on http://%s", ln.Addr())
		select {
		case <-ctx.Done():
		case err := <-done:
			return err
		}
	}
	// Requests that take longer than this lose their queries to store.Close.
	shutdown, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(shutdown))
}

type photo struct {
	ID      string   `json:"id"`
	Score   *float64 `json:"score"`
	Caption *string  `json:"caption"`
}

// newHandler prepares the statements once; they are safe for concurrent use.
func newHandler(ctx context.Context, store *db.DB) (http.Handler, error) {
	byPhrase, err := store.Prepare(ctx, `SELECT id, clip_sim($1) AS score, caption FROM photos ORDER BY score LIMIT $2`)
	if err != nil {
		return nil, err
	}
	byRow, err := store.Prepare(ctx, `SELECT id, clip_sim((SELECT clip FROM photos WHERE id = $1)) AS score, caption
		FROM photos WHERE id <> $1 ORDER BY score LIMIT $2`)
	if err != nil {
		return nil, err
	}
	search := func(st *db.Stmt, param string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			what := r.FormValue(param)
			k, err := strconv.Atoi(cmp.Or(r.FormValue("k"), "5"))
			if what == "" || err != nil || k < 1 || k > 100 {
				http.Error(w, "want "+param+"=... and k from 1 to 100", http.StatusBadRequest)
				return
			}
			found, err := db.Collect[photo](st.Query(r.Context(), what, k))
			if err != nil {
				fail(w, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(found)
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.NewCollector(store, nil))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /search", search(byPhrase, "q"))
	mux.HandleFunc("GET /similar", search(byRow, "id"))
	page, err := web.New(store, nil)
	if err != nil {
		return nil, err
	}
	mux.Handle("/", page)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux, nil
}

// fail tells the client as much as is his business.
func fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, context.Canceled): // nobody is listening
	case errors.Is(err, db.ErrClosed):
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
	default:
		log.Print(err)
		http.Error(w, "the search failed", http.StatusInternalServerError)
	}
}

// measure sends requests from 16 clients and reports what came back.
func measure(ctx context.Context, store *db.DB, base string, n int) error {
	ids, err := db.Select[string](ctx, store, `SELECT id FROM photos LIMIT 500`)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return errors.New("the table photos is empty")
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, n)
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed error
	)
	start := time.Now()
	for c := range 16 {
		wg.Go(func() {
			for i := c; i < n; i += 16 {
				begin := time.Now()
				err := get(ctx, client, base+"/similar?k=5&id="+url.QueryEscape(ids[i%len(ids)]))
				took[i] = time.Since(begin)
				if err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	all := time.Since(start)
	slices.Sort(took)
	fmt.Printf("%d requests, %.0f a second; half within %v, 99%% within %v\n", n, float64(n)/all.Seconds(),
		took[n/2].Round(time.Microsecond), took[n*99/100].Round(time.Microsecond))
	return nil
}

func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var got []photo
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s: %s", url, resp.Status, said)
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return err
	}
	if len(got) != 5 {
		return fmt.Errorf("%s: %d pictures, want 5", url, len(got))
	}
	return nil
}
