package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/lupadb/lupa/storage"
)

//go:embed approx.py
var approxPeers string

var faissKinds = flag.String("kinds", "ivf,hnsw", "with -approx, indexes of Faiss to build: ivf, hnsw; empty: none")

var approx = flag.Bool("approx", false, "measure searches through a cluster index beside exact ones, and nothing else")

// recalls are what is asked for; 0 stands for an exact search.
var recalls = []float64{0, 0.8, 0.9, 0.95, 0.98, 0.99}

// approximate measures the recall and the time of searches through a cluster index beside exact
// ones of the same store, all taking turns.
func (b *bench) approximate() error {
	if err := b.index(); err != nil {
		return err
	}
	type sums struct {
		ms         []float64
		cpu, found float64
		visited    float64
		scored     float64
		bytes      float64
		promised   float64
		exact      int
	}
	got := make([]sums, len(recalls))
	calibrated := 0
	ask := func(i int, recall float64) ([]storage.Neighbor, *storage.NearestStats, float64, float64) {
		o := b.options(i, false)
		o.Recall = recall
		before := cpu()
		rows, st, ms := b.nearest(o)
		return rows, st, ms, cpu() - before
	}
	for i := range 200 { // the cache grows with what is read, piece by piece
		ask(i, 0)
	}
	for i := range 20 {
		for _, r := range recalls {
			ask(i, r)
		}
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		for range 5 {
			for i := range b.ask {
				ask(i, 0.95)
			}
		}
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			return err
		}
	}
	for i := range b.ask {
		var want map[uint64]bool
		for j, r := range recalls {
			rows, st, ms, used := ask(i, r)
			if j == 0 {
				want = map[uint64]bool{}
				for _, n := range rows {
					want[n.Row] = true
				}
			}
			s := &got[j]
			s.ms = append(s.ms, ms)
			s.cpu += used
			for _, n := range rows {
				if want[n.Row] {
					s.found += 1 / float64(len(want))
				}
			}
			if !st.Approximate {
				s.exact++
			}
			s.visited += float64(st.Rows) / float64(b.table.Rows())
			s.scored += float64(st.Scored)
			s.bytes += float64(st.BytesRead)
			s.promised = st.ExpectedRecall
			calibrated = max(calibrated, st.Calibrated)
		}
	}
	n := float64(len(b.ask))
	fmt.Printf("calibrated with %d prompts\nrecall asked | found | expected | median ms | of exact | CPU ms | of exact | rows looked at | scored | MB read | answered exactly\n", calibrated)
	for j, r := range recalls {
		s := &got[j]
		fmt.Printf("%.2f | %.4f | %.4f | %.2f | %.3f | %.2f | %.3f | %.2f%% | %.0f | %.1f | %d\n", r, s.found/n, s.promised, median(s.ms), median(s.ms)/median(got[0].ms),
			s.cpu/n, s.cpu/got[0].cpu, 100*s.visited/n, s.scored/n, s.bytes/n/1e6, s.exact)
	}
	ours, exact := curve{name: "Lupa ivf"}, got[0].cpu/n
	for j := range recalls[1:] {
		s := &got[j+1]
		ours.points = append(ours.points, point{fmt.Sprintf("%.0f%% asked", 100*recalls[j+1]), s.found / n, s.cpu / n})
	}
	if err := b.approximateAmong(); err != nil {
		return err
	}
	theirs, err := b.faissIndexes()
	if err != nil || *curvesFile == "" {
		return err
	}
	return os.WriteFile(*curvesFile, []byte(drawCurves(append([]curve{ours}, theirs...), exact, curvesCaption(len(b.ask), b.dim, calibrated, len(theirs) > 0))), 0o644)
}

// faissIndexes measures those of Faiss, where Python has it: a curve for each.
func (b *bench) faissIndexes() (curves []curve, err error) {
	if *faissKinds == "" {
		return nil, nil
	}
	if exec.Command(*python, "-c", "import faiss").Run() != nil {
		fmt.Println("Faiss: not found")
		return nil, nil
	}
	matrix, asked := filepath.Join(b.dir, "matrix.f32"), filepath.Join(b.dir, "queries.f32")
	plain, err := b.writeMatrix(matrix, asked)
	if err != nil {
		return nil, err
	}
	defer os.Remove(matrix)
	if err := syscall.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(&plain[0])), 4*len(plain))); err != nil {
		return nil, err
	}
	c := exec.Command(*python, "-c", approxPeers, fmt.Sprint(*rowsFlag), fmt.Sprint(b.dim), matrix, asked, fmt.Sprint(*k), *faissKinds)
	var printed bytes.Buffer
	c.Stdout, c.Stderr = io.MultiWriter(os.Stdout, &printed), os.Stderr
	if err := c.Run(); err != nil {
		return nil, err
	}
	for line := range strings.Lines(printed.String()) {
		f := strings.Split(line, " | ")
		if len(f) != 6 {
			return nil, fmt.Errorf("approx.py says %q, not six fields between bars", line)
		}
		p := point{at: f[1]}
		if _, err := fmt.Sscanf(f[2]+" "+f[4], "%f %f ms CPU", &p.recall, &p.cpu); err != nil {
			return nil, fmt.Errorf("approx.py says %q: %w", line, err)
		}
		if len(curves) == 0 || curves[len(curves)-1].name != f[0] {
			curves = append(curves, curve{name: f[0]})
		}
		last := &curves[len(curves)-1]
		last.points = append(last.points, p)
	}
	return curves, nil
}

// index builds the cluster index, unless an earlier run has.
func (b *bench) index() error {
	if len(b.table.Def().Indexes) > 0 {
		return nil
	}
	if err := b.view.Close(); err != nil {
		return err
	}
	runtime.GC()
	start, before := time.Now(), cpu()
	tx, err := b.store.Begin(ctx)
	if err != nil {
		return err
	}
	if err := tx.CreateIndex(ctx, "photos", storage.IndexDef{Name: "look", Columns: []uint32{b.table.Def().Columns[0].ID}, Kind: storage.ClusterIndex}, nil); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	fmt.Printf("index built in %.1f s, %.1f s of processor time\n", time.Since(start).Seconds(), (cpu()-before)/1e3)
	if b.view, err = b.store.Snapshot(); err != nil {
		log.Fatal(err)
	}
	b.table, err = b.view.Table("photos")
	return err
}
