package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/storage/value"
)

// partsOf is how many values the column part has, each as often as the others.
const partsOf = 1000

// parts are n values of the column that filters are about.
func parts(rng *rand.Rand, n int) *value.Column {
	c := &value.Column{Type: value.Type{Kind: value.Integer}}
	for range n {
		c.Ints = append(c.Ints, rng.Int64N(partsOf))
	}
	return c
}

// amongTargets are the accuracies asked for beside a filter; 0 stands for an exact search.
var amongTargets = []int{0, 95, 99}

// approximateAmong measures searches among the rows that WHERE leaves, as statements: exact and
// approximate ones and those without WHERE, all taking turns.
func (b *bench) approximateAmong() (err error) {
	if err := b.view.Close(); err != nil {
		return err
	}
	if err := b.store.Close(); err != nil {
		return err
	}
	defer func() {
		if open := b.open(b.storeDir(true)); err == nil {
			err = open
		}
	}()
	d, err := db.Open(b.storeDir(true), &db.Options{CacheSize: *cache, NoRetraining: true})
	if err != nil {
		return err
	}
	defer func() {
		if e := d.Close(); err == nil {
			err = e
		}
	}()
	type way struct {
		where, fetch string
		target       int
		cpu, found   float64
		exact        int
	}
	var ways []*way
	for _, keep := range []int{partsOf, partsOf / 2, partsOf / 20, partsOf / 1000} {
		where := ""
		if keep < partsOf {
			where = fmt.Sprintf("WHERE part < %d ", keep)
		}
		for _, target := range amongTargets {
			w := &way{where: where, target: target, fetch: fmt.Sprintf("FETCH FIRST %d ROWS ONLY", *k)}
			if target > 0 {
				w.fetch = fmt.Sprintf("FETCH APPROX FIRST %d ROWS ONLY WITH TARGET ACCURACY %d", *k, target)
			}
			ways = append(ways, w)
		}
	}
	statement := func(w *way) string {
		return "SELECT similarity(clip, $1) AS s FROM photos " + w.where + "ORDER BY s " + w.fetch
	}
	ask := func(i int, w *way) (scores []float64, used float64, err error) {
		before := cpu()
		rows, err := d.Query(ctx, statement(w), b.ask[i])
		if err != nil {
			return nil, 0, err
		}
		for row, err := range rows.All() {
			if err != nil {
				return nil, 0, err
			}
			scores = append(scores, row[0].Float())
		}
		return scores, cpu() - before, nil
	}
	for i := range min(20, len(b.ask)) { // the cache grows with what is read
		for _, w := range ways {
			if _, _, err := ask(i, w); err != nil {
				return err
			}
		}
	}
	const explained = 10 // every how many prompts EXPLAIN ANALYZE says whether the answer was exact
	looked := 0
	for i := range b.ask {
		var want []float64 // the exact answer's scores
		for _, w := range ways {
			scores, used, err := ask(i, w)
			if err != nil {
				return err
			}
			if w.target == 0 {
				if want = scores; len(want) == 0 {
					return fmt.Errorf("no row passes %s", w.where)
				}
			}
			w.cpu += used
			for _, s := range scores {
				if s >= want[len(want)-1] {
					w.found += 1 / float64(len(want))
				}
			}
			if i%explained == 0 {
				exact, err := answeredExactly(d, statement(w), b.ask[i])
				if err != nil {
					return err
				}
				if exact {
					w.exact++
				}
			}
		}
		if i%explained == 0 {
			looked++
		}
	}
	n := float64(len(b.ask))
	fmt.Println("rows kept | accuracy asked | found | CPU ms | of exact with the same WHERE | of exact without WHERE | answered exactly")
	for i, w := range ways {
		same, where := ways[i-i%len(amongTargets)], strings.TrimSpace(w.where)
		if where == "" {
			where = "all"
		}
		fmt.Printf("%s | %d | %.4f | %.2f | %.3f | %.3f | %d of %d\n", where, w.target, w.found/n, w.cpu/n, w.cpu/same.cpu, w.cpu/ways[0].cpu, w.exact, looked)
	}
	return nil
}

// answeredExactly reports what EXPLAIN ANALYZE says of a search.
func answeredExactly(d *db.DB, sql string, args ...any) (bool, error) {
	rows, err := d.Query(ctx, "EXPLAIN ANALYZE "+sql, args...)
	if err != nil {
		return false, err
	}
	var plan strings.Builder
	for row, err := range rows.All() {
		if err != nil {
			return false, err
		}
		fmt.Fprintln(&plan, row[0])
	}
	if !strings.Contains(plan.String(), "Nearest photos.clip") {
		return false, fmt.Errorf("EXPLAIN ANALYZE shows no search by vectors:\n%s", plan.String())
	}
	return !strings.Contains(plan.String(), "exact: no"), nil
}
