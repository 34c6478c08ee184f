package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"time"

	"github.com/lupadb/lupa/db"
)

// shareBench measures look-ups by key alone, and beside groups of two columns that take all
// cores: a long statement leaves short ones their share.
func shareBench(args []string) error {
	flags := flag.NewFlagSet("share", flag.ExitOnError)
	rows := flags.Int("rows", 2_000_000, "rows of the table")
	rounds := flags.Int("rounds", 3, "rounds of alone and beside")
	seconds := flags.Int("seconds", 10, "how long groups are made, in each round")
	long := flags.String("long", "SELECT s, g, count(*), sum(id) FROM t GROUP BY s, g ORDER BY 3 DESC, 1, 2 LIMIT 5", "the long statement")
	flags.Parse(args)

	ctx := context.Background()
	store, err := db.Open(":memory:", nil)
	if err != nil {
		return err
	}
	defer store.Close()
	for _, s := range []string{
		"CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER, s TEXT)",
		fmt.Sprintf("INSERT INTO t SELECT n, n * 7919 %% 1000003, 'text ' || (n * 31 %% 100000)::TEXT FROM generate_series(1, %d) AS x(n)", *rows),
	} {
		if _, err := store.Exec(ctx, s); err != nil {
			return err
		}
	}
	ask := func(sql string, args ...any) error {
		rows, err := store.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return rows.Err()
	}
	look := func(d time.Duration) (times []time.Duration, err error) {
		for end := time.Now().Add(d); time.Now().Before(end); {
			start := time.Now()
			if err := ask("SELECT s FROM t WHERE id = $1", len(times)%*rows+1); err != nil {
				return nil, err
			}
			times = append(times, time.Since(start))
			time.Sleep(200 * time.Microsecond) // as from somebody who does something with the row
		}
		slices.Sort(times)
		return times, nil
	}
	if _, err := look(time.Second); err != nil { // warm
		return err
	}
	fmt.Print("| | median alone | p99 alone | median beside | p99 beside | times |\n|---|---|---|---|---|---|\n")
	for round := range *rounds {
		alone, err := look(time.Duration(*seconds) * time.Second / 2)
		if err != nil {
			return err
		}
		done := make(chan error)
		stop := time.Now().Add(time.Duration(*seconds) * time.Second)
		go func() {
			for time.Now().Before(stop) {
				if err := ask(*long); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		beside, err := look(time.Until(stop) - time.Second/2)
		if groups := <-done; err == nil {
			err = groups
		}
		if err != nil {
			return err
		}
		p99 := func(t []time.Duration) time.Duration { return t[len(t)*99/100] }
		fmt.Printf("| round %d | %v | %v | %v | %v | %.1f |\n", round+1, alone[len(alone)/2], p99(alone), beside[len(beside)/2], p99(beside), float64(p99(beside))/float64(p99(alone)))
	}
	return nil
}
